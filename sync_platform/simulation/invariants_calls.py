"""What must hold at every call: it is owed, it is what was meant, and it may be said there (I10, I11, I16)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from sync_platform.connectors.protocol import Change
from sync_platform.core.records import Entity, Json, System, Verb
from sync_platform.simulation import people
from sync_platform.simulation.truth import broken

if TYPE_CHECKING:
    from sync_platform.simulation.world import World

RESTRICTED = {"credit_status", "order_count"}
CONSTANTS = {"hs_pipeline"}


def at_call(world: World, system: System, change: Change) -> None:
    """A write sets out: is it owed, is it this, may it be?"""
    raw = world.shelf.raw
    world.evaluated["I10"] += 1
    row = raw.execute(
        "SELECT record_id, state, payload, numbers, verb FROM intent WHERE id = ? AND system = ?",
        (change.token, system),
    ).fetchone()
    if (row is None or row[1] != "sent") and _taken_over(world, system, change):
        # The number of what was purged may be that of another intent by now.
        return
    if row is None or row[1] != "sent":
        broken(world, "I10", f"{system}: a write without a committed intent")
        return
    open_ = raw.execute(
        "SELECT count(*) FROM intent WHERE record_id = ? AND system = ? AND state IN ('sent','unknown')",
        (row[0], system),
    ).fetchone()[0]
    if open_ != 1:
        broken(world, "I10", f"{system}: {open_} unsettled intents for one link")
    payload = json.loads(row[2])
    _decided(world, row[0], json.loads(row[3] or "{}"), payload["values"], system)
    _as_intended(world, system, change, payload)
    _may_be(world, system, change, payload["values"])


def _taken_over(world: World, system: System, change: Change) -> bool:
    """Whether another process took this erasure over while the call was on its way: with the purge of everything that
    was known of the object went the intent, too, or another one has taken its place."""
    thing = world.systems[system].things.get((change.entity, change.external_id or ""))
    if change.verb is not Verb.ERASE or thing is None:
        return False
    known = "SELECT id FROM link WHERE system = ? AND entity = ? AND external_id = ?"
    at = (str(system), str(change.entity), change.external_id)
    link = world.shelf.raw.execute(known, at).fetchone()
    later = "SELECT count(*) FROM intent WHERE link_id = ? AND verb = 'erase' AND id > ?"
    superseded = link is not None and world.shelf.raw.execute(later, (link[0], change.token)).fetchone()[0] > 0
    theirs = people.whose(change.entity, system, thing.now.attributes) in world.ends.hidden()
    return theirs and (link is None or superseded)


def _decided(world: World, record: str, numbers: Mapping[str, int], values: Iterable[str], system: System) -> None:
    for name in values:
        number = numbers.get(name)
        found = world.shelf.raw.execute("SELECT record_id FROM decision WHERE id = ?", (number,)).fetchone()
        if found is None or found[0] != record:
            broken(world, "I10", f"{system}: {name} is written and was never decided")


def _as_intended(world: World, system: System, change: Change, payload: Mapping[str, Any]) -> None:
    world.evaluated["I11"] += 1
    meant: list[Json] = []
    for value in payload["values"].values():
        meant += list(value.values()) if isinstance(value, dict) and len(value) > 1 and "at" not in value else [value]
    for name, value in change.set.items():
        if name not in CONSTANTS and value not in meant:
            broken(world, "I11", f"{system}: {name} is written otherwise than intended")


def _may_be(world: World, system: System, change: Change, values: Mapping[str, Json]) -> None:
    """What a system may not say never reaches another one."""
    if change.entity is not Entity.CUSTOMER or not RESTRICTED & set(values):
        return
    thing = world.systems[system].things.get((change.entity, change.external_id or ""))
    held = thing.now.attributes if thing is not None and change.verb is not Verb.CREATE else change.set
    whose = people.whose(Entity.CUSTOMER, system, held)
    names = world.ends.relatives(whose)
    theirs = [
        version.attributes
        for (kind, _), one in world.systems[System.ERP].things.items()
        if kind is Entity.CUSTOMER
        for version in one.versions
        if version.by == "person" and people.whose(kind, System.ERP, version.attributes) in names
    ]
    for field, name in (("credit", "credit_status"), ("orders", "order_count")):
        if name in values and values[name] is not None:
            world.evaluated["I16"] += 1
            value = people.read(system, field, change.set)
            if value not in [people.read(System.ERP, field, one) for one in theirs]:
                broken(world, "I16", f"{whose} {name}: written to {system}, and the ERP never said it")
