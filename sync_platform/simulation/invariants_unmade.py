"""What must hold of objects that we made and that an undo takes away (I13, I21), from what really happened.

At each delete: a person approved it by its id, it was made by us, and nobody had typed there. After a quiet: it is gone
and stays gone, or somebody had a hand in it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from sync_platform.connectors.protocol import Change
from sync_platform.core.records import Entity, System, Verb
from sync_platform.simulation import people
from sync_platform.simulation.endings import Where
from sync_platform.simulation.systems import Thing
from sync_platform.simulation.truth import broken

if TYPE_CHECKING:
    from sync_platform.simulation.world import World


def approved(world: World) -> Iterator[tuple[Where, str, Mapping[str, Any]]]:
    """(object, plan, item) of every delete in an undo that an operator approved."""
    for plan in world.acts.undone.values():
        for item in plan.items if plan.approved else ():
            if item["verb"] == Verb.DELETE:
                yield (System(item["system"]), Entity(item["entity"]), item["facts"]["link"]), plan.plan, item


def taken_away(world: World, system: System, entity: Entity, whose: str) -> bool:
    """Whether an approved undo names an object of theirs there."""
    named = (world.systems[at[0]].things.get(at[1:]) for at, _, _ in approved(world) if at[:2] == (system, entity))
    return any(thing is not None and people.whose(entity, system, thing.now.attributes) == whose for thing in named)


def as_approved(world: World, system: System, thing: Thing, token: str) -> bool:
    """A delete sets out: whether it is that of an undo which was approved; then the object is ours, and nobody typed
    there. One that follows from a person's delete elsewhere is not: it needs reasons of its own.
    """
    at = (system, thing.entity, thing.external_id)
    means = world.shelf.raw.execute(
        "SELECT json_extract(d.value, '$.means') FROM intent i JOIN decision d"
        " ON d.id = json_extract(i.numbers, '$.\"*\"') WHERE i.id = ? AND d.cause = 'deleted'",
        (token,),
    ).fetchone()
    # What is archived elsewhere goes where there is a bin.
    passed_on = means is not None and (means[0] == "delete" or (means[0] == "archive" and system is System.HUBSPOT))
    if passed_on or not any(one == at for one, _, _ in approved(world)):
        return False
    world.evaluated["I21"] += 1
    if thing.made_by == "person":
        broken(world, "I21", f"{' '.join(at)} is taken away by an undo, and a person made it")
    for name in people.FIELDS[thing.entity]:
        if _typed(system, thing, name) and not _said_elsewhere(world, system, thing, name):
            broken(world, "I21", f"{' '.join(at)} is taken away by an undo, and a person typed its {name}")
    return True


def _typed(system: System, thing: Thing, name: str) -> bool:
    """Whether a person ever typed there what nobody else had put there before, and it still stands. What was typed and
    taken back between two looks is no edit."""
    names = set(people.attributes_for(system, name))
    fresh = [place for place, one in enumerate(thing.versions) if names & one.touched]
    if not fresh or not fresh[-1] or thing.versions[fresh[-1]].by != "person":
        return False
    looks = [place for one in names for place in thing.looks.get(one, ()) if place < fresh[-1]]
    before = max(looks, default=fresh[-1] - 1)
    now, then = (people.read(system, name, thing.versions[place].attributes) for place in (fresh[-1], before))
    return bool(now != then) if name == "tags" else not people.alike(name, now, then)


def _said_elsewhere(world: World, system: System, thing: Thing, name: str) -> bool:
    """Whether somebody typed the same into another system: who agrees with the record does not edit it."""
    whose, now = (
        people.whose(thing.entity, system, thing.now.attributes),
        people.read(system, name, thing.now.attributes),
    )
    return any(
        version.by == "person" and place and people.alike(name, people.read(other, name, version.attributes), now)
        for other, side in world.systems.items()
        if other is not system
        for one in side.things.values()
        if one.entity is thing.entity and people.whose(one.entity, other, one.now.attributes) == whose
        for place, version in enumerate(one.versions)
    )


def no_second_life(world: World, system: System, change: Change) -> None:
    """A create sets out: what an undo took away there is not made anew but by policy."""
    whose = people.whose(change.entity, system, change.set)
    if not whose or world.policy.entities[change.entity].systems[system].recreate == "later_edit":
        return
    for at, _, _ in approved(world):
        thing = world.systems[at[0]].things.get((at[1], at[2]))
        if thing is None or thing.live or at[:2] != (system, change.entity):
            continue
        world.evaluated["I13"] += 1
        if people.whose(at[1], at[0], thing.versions[-1].attributes) == whose and whose not in world.ends.hidden():
            broken(world, "I13", f"{whose} was taken away from {system} by an undo and is created there")


def check(world: World) -> None:
    """After a quiet: what an approved plan takes away and did not refuse is gone, unless somebody had a hand in it."""
    for at, plan, item in approved(world):
        row = world.shelf.raw.execute("SELECT state, summary FROM plan WHERE id = ?", (plan,)).fetchone()
        thing = world.systems[at[0]].things.get((at[1], at[2]))
        if row is None or row[0] != "done" or thing is None:
            continue
        refused = {(one["record"], one["field"]) for one in json.loads(row[1])["refused"]}
        whose = people.whose(at[1], at[0], thing.now.attributes)
        if (item["record"], "*") in refused or whose in world.ends.hidden() or world.ends.mixed(whose):
            continue
        if world.ends.of(whose, at[1]) or any(one == at for _, _, one in world.ends.restored):
            continue
        world.evaluated["I21"] += 1
        if thing.live and not _stays(world, item):
            broken(world, "I21", f"{' '.join(at)} was to be taken away by an undo, and stands there")


def _stays(world: World, item: Mapping[str, Any]) -> bool:
    """Whether the engine says why it stays: somebody edited it, or the system refused."""
    raw = world.shelf.raw
    won = "SELECT count(*) FROM decision WHERE record_id = ? AND rule = 'edit_wins' AND cause = 'undo'"
    parked = "SELECT count(*) FROM parked WHERE record_id = ? AND system = ? AND field = '*' AND lifted_at IS NULL"
    there = (item["record"], item["system"])
    return bool(raw.execute(won, there[:1]).fetchone()[0] or raw.execute(parked, there).fetchone()[0])
