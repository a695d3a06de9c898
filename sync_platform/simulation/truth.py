"""What really happened: who typed what, what stands where, which promise was broken."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from sync_platform.core.records import Entity, Json, System
from sync_platform.simulation import people
from sync_platform.simulation.systems import SimulatedSystem, Thing

if TYPE_CHECKING:
    from sync_platform.simulation.world import World


@lru_cache(maxsize=8192)
def spelt_out(text: str) -> Json:
    """What a JSON column holds. The same rows are looked at in every quiet: nobody changes what is given here."""
    return json.loads(text)


class Violation(Exception):
    """A promise was broken: which, and where it was seen."""

    def __init__(self, invariant: str, words: str) -> None:
        self.invariant = invariant
        self.words = words
        super().__init__(f"{invariant}: {words}")

    def __reduce__(self) -> tuple[type[Violation], tuple[str, str]]:
        """It is sent from process to process."""
        return type(self), (self.invariant, self.words)


@dataclass(frozen=True, slots=True)
class Edit:
    """What a person did to one field of one object."""

    epoch: int
    system: System
    entity: Entity
    external_id: str
    whose: str
    field: str
    meaning: Json
    place: int


@dataclass(frozen=True, slots=True)
class Stands:
    """One live object."""

    system: System
    whose: str
    thing: Thing


def standing(systems: Mapping[System, SimulatedSystem]) -> list[Stands]:
    """Every live object, with whose it is."""
    out = []
    for system, side in systems.items():
        for (entity, _), thing in side.things.items():
            if thing.live:
                out.append(Stands(system, people.whose(entity, system, thing.now.attributes), thing))
    return out


def broken(world: World, invariant: str, words: str) -> None:
    """Note a violation."""
    world.violations.append(Violation(invariant, words))
    world.say("VIOLATED", invariant, words)


def taken_back_unread(world: World, edit: Edit) -> bool:
    """Whether a person typed what was read there before, and what they had typed in between was never read: no edit."""
    thing = world.systems[edit.system].things[edit.entity, edit.external_id]
    names = people.attributes_for(edit.system, edit.field)
    looks = [place for one in names for place in thing.looks.get(one, ()) if place < edit.place]
    if not looks:
        return False
    now, then = (
        people.read(edit.system, edit.field, thing.versions[place].attributes) for place in (edit.place, max(looks))
    )
    return people.alike(edit.field, now, then)


def typed_back_over(world: World, edit: Edit) -> bool:
    """Whether a person typed back what stood there before a write of ours that landed and whose answer was lost: to who
    looks afterwards that write never landed."""
    versions = world.systems[edit.system].things[edit.entity, edit.external_id].versions
    names = people.attributes_for(edit.system, edit.field)
    if not all((edit.system, edit.entity, edit.external_id, one) in world.unanswered for one in names):
        return False
    # What was typed into other fields meanwhile does not count.
    last = max((place for place in range(1, edit.place) if set(names) & versions[place].touched), default=0)
    if not last or versions[last].by != "us" or not set(names) <= versions[last].touched:
        return False
    before, held = versions[last - 1].attributes, versions[edit.place].attributes
    return all(held.get(one) == before.get(one) for one in names)
