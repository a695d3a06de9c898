"""The nightly prune in the middle of a story: what is old and nothing needs goes, and everything else must still hold.

Drawn apart from everything else, so that stories without it stay as they are.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sync_platform.simulation.operators import hub
from sync_platform.simulation.truth import broken
from sync_platform.sync import prune as nightly
from sync_platform.sync.lineage import gather
from sync_platform.sync.why import stories

if TYPE_CHECKING:
    from sync_platform.simulation.world import Step, World

# What a prune never touches: decisions in their order give the records also afterwards (I20).
KEPT = ("record", "link", "decision", "intent", "review", "parked", "plan", "hold", "hold_item", "act")
# Old answers to our writes go, and each answer says since when the history is whole.
MAY_GO = ("written", "pruned_before")
EVERY, OF_THEM = 13, 6


def prune(world: World, age_s: int) -> None:
    """What is older than this goes; the process may die in the middle of it."""
    before, told = _kept(world), _told(world)
    at = world.now_at - timedelta(seconds=age_s)
    rows = _observations(world)

    def work() -> None:
        nightly.prune(world.shelf.ledger, at, lambda _progress: None, dry_run=False)

    world.engine(work)
    world.events["prune"] += 1
    gone = rows.keys() - _observations(world).keys()
    world.events["pruned_observations"] += len(gone)
    world.say("  ", "went", len(gone))
    world.evaluated["I20"] += 1
    if any(rows[one] >= at.replace(tzinfo=None).isoformat(sep=" ") for one in gone):
        broken(world, "I20", "an observation went that was not old")
    if gone and max(gone) > _checkpoint(world):
        broken(world, "I20", "an observation went from above the checkpoint")
    if _kept(world) != before:
        broken(world, "I20", "a prune changed what replay needs")
    for record, answer in _told(world).items():
        if answer != told[record]:
            broken(world, "I20", f"{record}: why its values are here is told otherwise after a prune")


def _observations(world: World) -> dict[int, str]:
    return dict(world.shelf.raw.execute("SELECT id, observed_at FROM observation").fetchall())


def _checkpoint(world: World) -> int:
    row = world.shelf.raw.execute("SELECT value FROM meta WHERE key = 'pruned'").fetchone()
    return int(json.loads(row[0])["observation"]) if row else 0


def _kept(world: World) -> dict[str, list[Any]]:
    raw = world.shelf.raw
    return {table: raw.execute(f'SELECT * FROM "{table}" ORDER BY 1').fetchall() for table in KEPT}  # noqa: S608


def _told(world: World) -> dict[str, list[dict[str, Any]]]:
    """Why each value is here, as a person is told."""
    names = [row[0] for row in world.shelf.raw.execute("SELECT id FROM record ORDER BY id").fetchall()]
    with world.shelf.ledger.read() as conn:
        found = {name: stories(gather(hub(world), conn, name)) for name in names}
    return {
        name: [{key: value for key, value in one.items() if key not in MAY_GO} for one in told]
        for name, told in found.items()
    }


STEPS: dict[str, Callable[..., None]] = {"prune": prune}


def added(seed: int, turns: list[Step]) -> list[Step]:
    """In one story of thirteen what is older than some minutes goes, once or twice."""
    if seed % EVERY != OF_THEM:
        return turns
    rng = random.Random(f"{seed}:prune")  # noqa: S311  # a story, not a secret
    for _ in range(rng.choice((1, 2))):
        place = rng.randrange(len(turns) // 3, len(turns) + 1)
        turns = [*turns[:place], ["prune", rng.choice((0, 0, 20, 60, 300))], *turns[place:]]
    return turns
