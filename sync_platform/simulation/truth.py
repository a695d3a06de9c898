"""What really happened: who typed what, what stands where, which promise was broken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sync_platform.core.records import Entity, Json, System
from sync_platform.simulation import people
from sync_platform.simulation.systems import SimulatedSystem, Thing

if TYPE_CHECKING:
    from sync_platform.simulation.world import World


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
