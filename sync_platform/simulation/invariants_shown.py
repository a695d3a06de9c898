"""What an observation showed and a person typed is in a decision, in whatever part (I3); sets element by element."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sync_platform.core.mappings import Lexicon, field_maps
from sync_platform.core.records import UNSET, Entity, Json, System
from sync_platform.errors import BadInput
from sync_platform.simulation import people
from sync_platform.simulation.systems import Thing
from sync_platform.simulation.truth import broken, spelt_out

if TYPE_CHECKING:
    from sync_platform.simulation.invariants import Tables
    from sync_platform.simulation.world import World

TAGS = "tags"
# How an onlooker reads a set of that system in the words of the record.
Reading = Callable[[Json], Json]


def check(world: World, ledger: Tables) -> None:
    """Each value that an observation showed and a person typed is in a decision, in whatever part."""
    for place, system, entity, external_id, fields in ledger.observations:
        link = ledger.by_object.get((system, entity, external_id))
        thing = world.systems[System(system)].things.get((Entity(entity), external_id))
        if thing is None or link is None or link[1] is None:
            continue
        cells = spelt_out(link[6] or "{}")
        for name, theirs in spelt_out(fields or "{}").items():
            if (place, name) in world.unborn or _ended_unjudged(link, cells, name):
                continue
            if not _typed_by_person(System(system), Entity(entity), thing, name, theirs):
                continue
            world.evaluated["I3"] += 1
            records = ledger.records_of(world, link)
            if name == TAGS and _set_spoken_of(world, ledger, records, thing, (system, theirs)):
                continue
            if not any(_spoken_of_by(ledger, one, system, Entity(entity), name, theirs) for one in records):
                broken(world, "I3", f"{system} {entity} {external_id}: {name} was shown and is in no decision")


def _ended_unjudged(link: Any, cells: Mapping[str, Any], name: str) -> bool:
    """Whether an object ended before this field of it was ever judged."""
    return link[5] != "active" and not _judged_once(cells.get(name, {}))


def note_unborn(world: World) -> None:
    """After each commit: showings of fields that nobody has judged yet, and that another showing took the place of.

    Nothing is a change before the first judgement of its object: what was typed over until then is in no decision.
    """
    raw = world.shelf.raw
    newest = int(world.shelf.ledger.ask("SELECT coalesce(max(id), 0) FROM observation")[0][0])
    if newest == world.looked_at:
        return
    _rows_went(world, newest)
    fresh = raw.execute(
        "SELECT o.id, o.system, o.entity, o.external_id, o.fields, l.cells FROM observation o JOIN link l"
        " ON l.system = o.system AND l.entity = o.entity AND l.external_id = o.external_id"
        " WHERE o.id > ? AND o.taken ORDER BY o.id",
        (world.looked_at,),
    ).fetchall()
    for place, *at, fields, cells in fresh:
        held = spelt_out(cells or "{}")
        for name in spelt_out(fields or "{}"):
            shown = world.unjudged.setdefault((*at, name), [])
            if _judged_once(held.get(name, {})):
                shown.clear()
                continue
            world.unborn |= {(one, name) for one in shown}
            world.met.add((*at, name, json.dumps(spelt_out(fields)[name])))
            shown.append(place)
    world.looked_at = newest


def _judged_once(cell: Mapping[str, Any]) -> bool:
    """Whether a cell, as the ledger keeps it, has a base."""
    return "b" in cell or "b" in cell.get("=", "")


def _rows_went(world: World, newest: int) -> None:
    """Of rows that went nothing is kept: their numbers may come again."""
    if newest >= world.looked_at:
        return
    world.looked_at = newest
    world.unborn = {one for one in world.unborn if one[0] <= newest}
    for at, shown in world.unjudged.items():
        world.unjudged[at] = [one for one in shown if one <= newest]


def _typed_by_person(system: System, entity: Entity, thing: Thing, name: str, theirs: Json) -> bool:
    return name not in ("customer", "channel", "email", "email_2", "customer_no") and "person" in authors(
        system, entity, thing, name, theirs
    )


def authors(system: System, entity: Entity, thing: Thing, name: str, theirs: Json) -> set[str]:
    """Who ever made this object hold this value."""
    mapping = field_maps(system, entity).get(name)
    if mapping is None:
        return set()
    wanted = theirs if len(mapping.attributes) > 1 else {mapping.attributes[0]: theirs}
    return {
        version.by
        for version in thing.versions
        if set(mapping.attributes) & version.touched
        and all(version.attributes.get(one) == value for one, value in wanted.items())
    }


def _set_spoken_of(world: World, ledger: Tables, records: set[str], thing: Thing, shown: tuple[str, Json]) -> bool:
    system, theirs = shown
    name = TAGS
    decisions = [one for record in records for one in ledger.decisions[record, name]]
    for one in (birth for record in records for birth in ledger.decisions[record, "*"]):
        held = {part: (one[part] or {}).get(name) for part in ("value", "replaced")}
        decisions.append(held | {"claims": []})
    met = (system, str(thing.entity), thing.external_id, name, json.dumps(theirs)) in world.met
    return elements_spoken_of(
        decisions, System(system), thing, theirs, lambda one: reading(System(system), thing.entity, name, one), met=met
    )


def _spoken_of_by(ledger: Tables, record: str, system: str, entity: Entity, name: str, theirs: Json) -> bool:
    meant = reading(System(system), entity, name, theirs)
    births = ledger.decisions[record, "*"]
    whole = [part[name] for one in births for part in (one["value"], one["replaced"]) if part and name in part]
    said = list(whole)
    for one in ledger.decisions[record, name]:
        said += [one["value"], one["replaced"]]
        if any(claim["theirs"] == theirs for claim in one["claims"] or ()):
            return True
    return any(_reading_of(system, entity, name, value, theirs) == meant for value in said) or meant in (None, [])


def reading(system: System, entity: Entity, name: str, theirs: Json, current: Json = None) -> Json:
    """What a system's form of a field means; UNSET where it means nothing."""
    try:
        return field_maps(system, entity)[name].get(theirs, current, LEXICON[system])
    except BadInput:
        return UNSET


def _reading_of(system: str, entity: Entity, name: str, value: Json, theirs: Json) -> Json:
    """What theirs means where the record holds `value`: that value, if it accounts for it."""
    if reading(System(system), entity, name, theirs, value) == value:
        return reading(System(system), entity, name, theirs)
    return value


def _lexicon(system: System) -> Lexicon:
    words = {
        "status": people.STATES[system],
        "priority": dict(zip(people.PRIORITIES[people.G], people.PRIORITIES[system], strict=True)),
    }
    return Lexicon(vocabulary=words)


LEXICON = {system: _lexicon(system) for system in System}


# --- sets ------------------------------------------------------------------------------------------------------


def elements_spoken_of(
    decisions: Iterable[Mapping[str, Any]], system: System, thing: Thing, theirs: Json, read: Reading, *, met: bool
) -> bool:
    """Whether these decisions speak of each element that a person added or removed to make the object show this.

    `met`: it was shown before the object had been judged once. Then nothing is a change, and elements that are missing
    were taken from nobody.
    """
    named, dropped = _elements(list(decisions))
    acts = _acts(system, thing, theirs, read)
    met &= len(acts) == 1
    return any(added <= named and (met or gone & named <= dropped) for added, gone in acts)


def _acts(system: System, thing: Thing, theirs: Json, read: Reading) -> list[tuple[set[str], set[str]]]:
    """(added, removed) of each time that a person made the set this one."""
    (name,) = people.attributes_for(system, TAGS)
    out = []
    for place, version in enumerate(thing.versions):
        if version.by == "person" and name in version.touched and version.attributes.get(name) == theirs:
            before = _set_of(read, thing.versions[place - 1].attributes.get(name)) if place else set()
            now = _set_of(read, theirs)
            out.append((now - before, before - now))
    return out


def _set_of(read: Reading, theirs: Json) -> set[str]:
    found = read(theirs or [])
    return set(found) if isinstance(found, list) else set()


def _elements(decisions: Sequence[Mapping[str, Any]]) -> tuple[set[str], set[str]]:
    """Elements that are named anywhere, and those that somebody's showing or the outcome lacks."""
    named: set[str] = set()
    dropped: set[str] = set()
    for one in decisions:
        value, replaced = set(one["value"] or ()), set(one["replaced"] or ())
        claims = [set(claim["value"] or ()) for claim in one["claims"] or ()]
        named |= value | replaced | {element for claim in claims for element in claim}
        dropped |= replaced - value
        dropped |= {element for claim in claims for element in (value | replaced) - claim}
    return named, dropped
