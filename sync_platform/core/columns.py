"""Column lineage: where each field of a record stands in each system, who may set it, and by which rules. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sync_platform.core import mappings
from sync_platform.core.policy_words import CALLED, rules_in_words
from sync_platform.core.records import SYSTEMS, Entity, System

if TYPE_CHECKING:
    from sync_platform.core.policy import FieldPolicy, Policy


@dataclass(frozen=True, slots=True)
class Place:
    """A field in one system. `attributes`: the system's own names; `sets`: may change the record; `sets_new`: only one
    that is new; `written`: both | create (only with an object that we make) | never; `loses`: what it cannot keep.
    """

    attributes: tuple[str, ...]
    sets: bool
    sets_new: bool
    written: str
    loses: str = ""


@dataclass(frozen=True, slots=True)
class ColumnLine:
    """One field: its places by system (a system without it is not there), rules by name and in words."""

    entity: Entity
    field: str
    places: Mapping[System, Place]
    rules: tuple[str, ...]
    words: str


def lines(policy: Policy, entity: Entity) -> list[ColumnLine]:
    """Every field of an entity, in the order of the policy."""
    maps = {system: mappings.field_maps(system, entity) for system in SYSTEMS}
    return [_line(entity, name, rule, maps) for name, rule in policy.entities[entity].fields.items()]


def _line(
    entity: Entity, name: str, rule: FieldPolicy, maps: Mapping[System, Mapping[str, mappings.FieldMap]]
) -> ColumnLine:
    places = {}
    for system in SYSTEMS:
        found = maps[system].get(name)
        if found is not None:
            written = {"read": "never", "create": "create"}.get(found.mode, "both")
            new = system in rule.at_birth and system not in rule.writers
            places[system] = Place(found.attributes, system in rule.writers, new, written, found.loses)
    return ColumnLine(entity, name, places, tuple(one.name or one.kind for one in rule.rules), _words(rule))


def _words(rule: FieldPolicy) -> str:
    """What decides: of one writer alone there is nothing to decide."""
    writers = [CALLED[system] for system in rule.order if system in rule.writers]
    if len(writers) == 1 and rule.rules[0].kind != "union":
        return f"{writers[0]} alone may write it"
    return rules_in_words(rule.rules) if writers else "nobody may write it"
