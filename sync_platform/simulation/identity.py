"""Who is who, said by a person: objects are parted from their record for good, questions of identity are answered.

Drawn apart from everything else, so that stories without it stay as they are.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from sync_platform.core.records import Entity, System
from sync_platform.ledger import asks
from sync_platform.simulation import operators, people
from sync_platform.sync import relink
from sync_platform.sync.hub import Hub

if TYPE_CHECKING:
    from sync_platform.simulation.world import Step, World

KINDS = ("twin", "ambiguous", "merge")


def unlink(world: World, which: int) -> None:
    """Somebody parts an object from its record, and leaves it so."""

    def work(at: Hub, conn: Connection) -> None:
        rows = world.shelf.raw.execute(
            "SELECT system, external_id, record_id FROM link WHERE state = 'active' AND record_id IS NOT NULL"
            " AND entity = 'customer' ORDER BY id"
        ).fetchall()
        if not rows:
            return
        system, external_id, record = rows[which % len(rows)]
        relink.unlink_in(at, conn, f"customer:{system}:{external_id}", who=operators.WHO)
        _spoken_of(world, [record])
        world.events["unlink"] += 1
        world.say("  ", "parted", system, external_id)

    operators.act(world, work)


def identify(world: World, which: int, how: int) -> None:
    """Somebody says whether records are one."""

    def work(at: Hub, conn: Connection) -> None:
        open_ = [row for row in asks.open_reviews(conn) if row.kind in KINDS]
        if not open_:
            return
        row = open_[which % len(open_)]
        others = sorted({str(claim["record"]) for claim in row.claims or ()})
        chosen = None if how % 2 else (str(row.record_id), *others)[how // 2 % (1 + len(others))]
        _spoken_of(world, [str(row.record_id), *others])
        relink.resolve_identity_in(at, conn, row.id, choose=chosen, drop=chosen is None, who=operators.WHO)
        world.events["told_one" if chosen else "told_two"] += 1
        world.say("  ", "told one" if chosen else "told two")

    operators.act(world, work)


def _spoken_of(world: World, records: Iterable[str]) -> None:
    """From here on nobody takes it for granted that what bears these names belongs together."""
    named: list[tuple[Entity, str]] = []
    for record in records:
        rows = world.shelf.raw.execute("SELECT entity, system, external_id FROM link WHERE record_id = ?", (record,))
        for kind, name, external_id in rows.fetchall():
            entity, system = Entity(kind), System(name)
            thing = world.systems[system].things.get((entity, external_id))
            if thing is not None:
                named.append((entity, people.whose(entity, system, thing.now.attributes)))
    world.acts.spoken_of.update(named)
    for entity, one in named:
        if entity is Entity.CUSTOMER:
            world.ends.join(named[0][1], one)


STEPS: dict[str, Callable[..., None]] = {"unlink": unlink, "identify": identify}


def added(seed: int, turns: list[Step]) -> list[Step]:
    """In one story of eight somebody parts an object for good; in one of four somebody says who is who."""
    rng = random.Random(f"identity of {seed}")  # noqa: S311  # a story, not a secret
    extra: list[Step] = []
    if seed % 8 == 2:  # operators take part in these
        extra.append(["unlink", rng.randrange(20)])
    if seed % 4 == 0:
        extra += [["identify", rng.randrange(20), rng.randrange(20)] for _ in range(rng.choice((2, 3, 4)))]
    for step in extra:
        place = rng.randrange(len(turns) // 3, len(turns) + 1)
        turns = [*turns[:place], step, *turns[place:]]
    return turns
