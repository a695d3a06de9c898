"""What must hold of deletes, merges, restores and erasure (I12, I13, I14, I22), from what really happened.

Looked at before each write sets out, after each step, and after each quiet. The ledger is read as bare tables.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from sync_platform.connectors.protocol import Change
from sync_platform.core.records import SYSTEMS, Entity, Json, System, Verb
from sync_platform.simulation import changes, invariants_unmade, people
from sync_platform.simulation.endings import Ended, where
from sync_platform.simulation.systems import Thing
from sync_platform.simulation.truth import broken

if TYPE_CHECKING:
    from sync_platform.simulation.world import World

# Fields in which what a person types is never what somebody else typed before.
SINGULAR = ("name", "phone", "company", "note", "subject", "orders")
BIN = System.HUBSPOT


# --- before a write ----------------------------------------------------------------------------------------------


def at_call(world: World, system: System, change: Change) -> None:
    """A write sets out: may it delete, may it create, does it speak of somebody who was forgotten?"""
    if change.verb is Verb.CREATE:
        _no_second_life(world, system, change)
        invariants_unmade.no_second_life(world, system, change)
    thing = world.systems[system].things.get((change.entity, change.external_id or ""))
    unmade = change.verb is Verb.DELETE and thing is not None and invariants_unmade.as_approved(world, system, thing)
    if change.verb is Verb.DELETE and thing is not None and not unmade:
        _with_evidence(world, system, thing)
    if change.verb is Verb.ERASE and thing is not None:
        world.evaluated["I22"] += 1
        whose = people.whose(thing.entity, system, thing.now.attributes)
        if whose not in world.ends.hidden():
            broken(world, "I22", f"{whose} is erased in {system}, and nobody asked for it")
    if change.verb in (Verb.CREATE, Verb.UPDATE):
        for whose in world.ends.forgotten:
            world.evaluated["I22"] += 1
            if _address(whose).search(json.dumps(dict(change.set))):
                broken(world, "I22", f"{whose} was forgotten and is written to {system}")


def _with_evidence(world: World, system: System, thing: Thing) -> None:
    """I12: somebody deleted it elsewhere, we were shown that and had read everybody since, and nobody edited it."""
    world.evaluated["I12"] += 1
    whose = people.whose(thing.entity, system, thing.now.attributes)
    names = world.ends.relatives(whose)
    ends = [one for name in sorted(names) for one in world.ends.of(name, thing.entity) if one.system is not system]
    ends = [one for one in ends if one.kind == "deleted" and one.at in world.ends.told and _passes(world, one, system)]
    if not ends:
        broken(world, "I12", f"{system} {thing.entity} {whose} is deleted, and nothing that was seen asks for it")
        return
    if not any(_all_read_since(world, one, names) for one in ends):
        broken(world, "I12", f"{system} {thing.entity} {whose} is deleted before every other system was read since")
    for name in thing.now.attributes:
        typed = [p for p, one in enumerate(thing.versions) if name in one.touched and one.by == "person"]
        if typed and typed[-1] > thing.shown.get(name, -1):
            broken(world, "I12", f"{system} {thing.entity} {whose} is deleted, and nobody had read its new {name}")
    if all(_edited_since(system, thing, one) for one in ends):
        broken(world, "I12", f"{system} {thing.entity} {whose} is deleted, though it was edited after the end")


def _passes(world: World, one: Ended, system: System) -> bool:
    says = world.policy.entities[one.thing.entity].systems[one.system].delete
    return says == "delete" or (says == "archive" and system is BIN)


def _all_read_since(world: World, one: Ended, names: set[str]) -> bool:
    entity = one.thing.entity
    return all(
        world.ends.rounds.get((system, entity), -1) > world.ends.told[one.at]
        for system in SYSTEMS
        if system is not one.system and any(thing.shown for thing in _theirs(world, system, entity, names))
    )


def _theirs(world: World, system: System, entity: Entity, names: set[str]) -> Iterator[Thing]:
    for thing in world.systems[system].living(entity):
        if people.whose(entity, system, thing.now.attributes) in names:
            yield thing


def _edited_since(system: System, thing: Thing, one: Ended) -> bool:
    """Whether a person typed something new there after the end, in a field where that cannot be chance."""
    before = [version for version in thing.versions if version.seq <= one.seqs[system]]
    if not before:
        return False
    for field in SINGULAR:
        names = people.attributes_for(system, field) if field in people.FIELDS[thing.entity] else ()
        fresh = [v for v in thing.versions if v.seq > one.seqs[system] and set(names) & v.touched]
        if not fresh or fresh[-1].by != "person" or (field == "orders" and system is not System.ERP):
            continue
        now, then = (people.read(system, field, v.attributes) for v in (fresh[-1], before[-1]))
        if now is not None and now != then:
            return True
    return False


def _no_second_life(world: World, system: System, change: Change) -> None:
    """I13, I14: what was deleted there is not made anew but by policy and for an edit, what was merged never."""
    whose = people.whose(change.entity, system, change.set)
    for one in world.ends.of(whose, change.entity) if whose else ():
        if one.system is not system or one.thing.live or one.at not in world.ends.told:
            continue
        state = world.shelf.raw.execute(
            "SELECT state FROM link WHERE system = ? AND entity = ? AND external_id = ?", where(system, one.thing)
        ).fetchone()
        if state is None or state[0] == "active":
            continue
        # Who was merged into somebody that was deleted since is deleted with them.
        merged = one.kind == "merged" and _survivor(world, one) is not None
        world.evaluated["I14" if merged else "I13"] += 1
        if merged:
            broken(world, "I14", f"{whose} was merged away in {system} and is created there")
        elif world.policy.entities[change.entity].systems[system].recreate != "later_edit":
            broken(world, "I13", f"{whose} was deleted in {system} and is created there")
        elif not any(e.whose in world.ends.relatives(whose) and e.epoch >= one.epoch for e in world.edits):
            broken(world, "I13", f"{whose} was deleted in {system} and is created there, and nobody edited it since")


# --- after a step ------------------------------------------------------------------------------------------------


def after_step(world: World) -> None:
    """I13 at any commit: an id that was gone or merged away is active again only when somebody restored it."""
    if not world.ends.all and not world.ends.wanted and not world.ends.forgotten:
        return
    before, now = world.ends.states, {}
    for system, entity, external_id, state in world.shelf.raw.execute(
        "SELECT system, entity, external_id, state FROM link"
    ):
        at = (System(system), Entity(entity), external_id)
        now[at] = state
        was = before.get(at)
        if was in (None, "active"):
            continue
        world.evaluated["I13"] += 1
        if state == "active" and (was == "barred" or not any(one == at for _, _, one in world.ends.restored)):
            broken(world, "I13", f"{system} {entity} {external_id} was {was} and is active, and nobody restored it")
    hidden = world.ends.hidden()
    for at, was in before.items():
        if was != "active" and at not in now:
            thing = world.systems[at[0]].things[at[1], at[2]]
            if people.whose(at[1], at[0], thing.now.attributes) not in hidden:
                broken(world, "I13", f"{' '.join(at)} was {was} and is not known any more")
    world.ends.states = now


# --- after a quiet -----------------------------------------------------------------------------------------------


def check(world: World) -> None:
    """Everything about ends that must hold once nothing moves any more."""
    links = {
        (System(system), Entity(entity), external_id): {"state": state, "into": into, "record": record}
        for system, entity, external_id, state, into, record in world.shelf.raw.execute(
            'SELECT system, entity, external_id, state, "into", record_id FROM link'
        )
    }
    tombs = {
        one: json.loads(text) if text else None
        for one, text in world.shelf.raw.execute("SELECT id, tombstone FROM record")
    }
    _ends_are_known(world, links)
    _came_back(world, links, tombs)
    _chains(world, links, tombs)
    _policy_carried_out(world)
    _forgotten(world)
    invariants_unmade.check(world)
    changes.check(world)


Links = Mapping[tuple[System, Entity, str], dict[str, Any]]
Tombs = Mapping[str, Json]


def _ends_are_known(world: World, links: Links) -> None:
    """I12, I13: what is there is not believed gone, and what is not there is no active link, once its end was told."""
    hidden = world.ends.hidden()
    for (system, entity, external_id), held in links.items():
        thing = world.systems[system].things.get((entity, external_id))
        if thing is None:
            broken(world, "I14", f"{system} {entity} {external_id} is a link, and was never an object")
        elif held["state"] != "active" and people.whose(entity, system, thing.now.attributes) not in hidden:
            world.evaluated["I12"] += 1
            if thing.live:
                broken(world, "I12", f"{system} {entity} {external_id} stands there, and is believed {held['state']}")
    for one in world.ends.all:
        if one.thing.live or one.at not in world.ends.told or one.whose in hidden:
            continue
        link = links.get(where(one.system, one.thing))
        world.evaluated["I13"] += 1
        if link is not None and link["state"] == "active" and not one.thing.now.silent:
            broken(
                world, "I13", f"{one.system} {one.thing.entity} {one.whose}: {one.kind} there, and still active here"
            )


def _came_back(world: World, links: Links, tombs: Tombs) -> None:
    """I13: a restore is the one way back, and it is followed."""
    hidden = world.ends.hidden()
    for _, tick, at in world.ends.restored:
        thing = world.systems[at[0]].things[at[1], at[2]]
        whose = people.whose(at[1], at[0], thing.now.attributes)
        if not thing.live or whose in hidden or not whose:
            continue
        later = any(one.tick > tick for name in world.ends.relatives(whose) for one in world.ends.of(name, at[1]))
        world.evaluated["I13"] += 1
        link = links.get(at)
        if link is None or link["state"] != "active" or link["record"] is None:
            broken(world, "I13", f"{' '.join(at)} was restored, and is not taken back")
        elif tombs.get(link["record"]) and not later:
            broken(world, "I13", f"{' '.join(at)} was restored, and its record is still at its end")


def _chains(world: World, links: Links, tombs: Tombs) -> None:
    """I14: who was merged away leads to who lives on, and to one record where nothing keeps the two apart."""
    hidden = world.ends.hidden()
    asked = _asked(world, tombs)
    for one in world.ends.all:
        if one.kind != "merged" or one.at not in world.ends.told or one.whose in hidden:
            continue
        at = where(one.system, one.thing)
        survivor = _survivor(world, one)
        if survivor is None or at not in links:
            continue
        world.evaluated["I14"] += 1
        end = _end_of(links, at)
        reached = next(
            (thing for thing in _onwards(world, one.system, survivor) if where(one.system, thing) == end), None
        )
        if end is None or reached is None:
            broken(world, "I14", f"{' '.join(at)} was merged into {survivor.external_id}, and leads to {end}")
            continue
        survivor = reached
        mine, theirs = (_living(tombs, links[place]["record"]) for place in (at, end))
        if theirs is None or (mine is not None and (tombs.get(mine) or {}).get("cause") == "merged"):
            broken(world, "I14", f"{' '.join(at)}: its survivor has no living record")
        elif mine is not None and mine != theirs and not _kept_apart(world, one, survivor):
            broken(world, "I14", f"{' '.join(at)} and its survivor are two records, and nothing keeps them apart")
        elif mine is not None and mine != theirs and theirs not in _asked_with(asked, mine):
            broken(world, "I14", f"{' '.join(at)} and its survivor are two records, and nobody was asked")


def _asked(world: World, tombs: Tombs) -> Mapping[str, set[str]]:
    """Pairs of records of which a person was asked whether they are one, as they live on by now."""
    kinds = "SELECT record_id, claims FROM review WHERE kind IN ('ambiguous', 'twin', 'merge')"
    pairs: dict[str, set[str]] = {}
    for record, text in world.shelf.raw.execute(kinds):
        for claim in json.loads(text) if text else []:
            one, other = (_living(tombs, str(name)) or str(name) for name in (record, claim["record"]))
            pairs.setdefault(one, set()).add(other)
            pairs.setdefault(other, set()).add(one)
    return pairs


def _asked_with(asked: Mapping[str, set[str]], record: str) -> set[str]:
    """Records that answers to these questions can make one with this: of merges in a row, one by one."""
    found: set[str] = set()
    further = {record}
    while further:
        found |= further
        further = {other for one in further for other in asked.get(one, ())} - found
    return found


def _survivor(world: World, one: Ended) -> Thing | None:
    """Who lives on, as far as the engine was shown; None where that one was deleted.

    A merge of the survivor of which no event tells, and whose old id nobody has asked for, is not known to anybody.
    """
    thing = one.thing
    seen: set[str] = set()
    while (evidence := thing.now.evidence) is not None:
        further = world.systems[one.system].things.get((thing.entity, str(evidence.into)))
        if evidence.kind != "merged" or further is None or thing.external_id in seen:
            return None
        if (*where(one.system, thing), len(thing.versions) - 1) not in world.ends.told:
            return thing
        seen.add(thing.external_id)
        thing = further
    return thing


def _onwards(world: World, system: System, thing: Thing) -> Iterator[Thing]:
    """This object and whom it was merged into since: who holds its addresses now may tell more than was told."""
    seen: set[str] = set()
    further: Thing | None = thing
    while further is not None and further.external_id not in seen:
        yield further
        seen.add(further.external_id)
        evidence = further.now.evidence
        merged = evidence is not None and evidence.kind == "merged"
        further = world.systems[system].things.get((thing.entity, str(evidence.into))) if evidence and merged else None


def _end_of(links: Links, at: tuple[System, Entity, str]) -> tuple[System, Entity, str] | None:
    seen: set[str] = set()
    while at in links and links[at]["state"] == "barred" and at[2] not in seen:
        seen.add(at[2])
        at = (at[0], at[1], str(links[at]["into"]))
    return at if at in links and links[at]["state"] == "active" else None


def _living(tombs: Tombs, record: str | None) -> str | None:
    """The record that a record became by merges."""
    seen: set[str] = set()
    while record is not None and record not in seen and (tombs.get(record) or {}).get("into"):
        seen.add(record)
        record = str(tombs[record]["into"])
    return record


def _kept_apart(world: World, one: Ended, survivor: Thing) -> bool:
    """Whether both ever stood in one further system: there a person has to merge them, or leave them."""
    other = people.whose(survivor.entity, one.system, survivor.now.attributes)
    for system, side in world.systems.items():
        if system is one.system:
            continue
        names = {
            people.whose(kind, system, version.attributes)
            for (kind, _), thing in side.things.items()
            if kind is one.thing.entity
            for version in thing.versions
        }
        if one.whose in names and other in names:
            return True
    return False


def _policy_carried_out(world: World) -> None:
    """Where a delete is passed on and nobody said anything else, nobody stands any more; I12 from the other side."""
    for one in world.ends.all:
        if one.epoch != world.epoch or one.kind != "deleted" or one.thing.live or one.at not in world.ends.told:
            continue
        if one.whose not in world.known or world.ends.mixed(one.whose) or one.whose in world.ends.hidden():
            continue
        spoken = any(edit.epoch == world.epoch and edit.whose == one.whose for edit in world.edits)
        back = any(epoch == world.epoch for epoch, _, _ in world.ends.restored)
        alone = len(world.ends.of(one.whose, one.thing.entity)) == 1
        if spoken or back or not alone or not one.settled:
            continue
        world.evaluated["I12"] += 1
        for system in SYSTEMS:
            left = [t for t in _theirs(world, system, one.thing.entity, {one.whose}) if system is not one.system]
            if left and _passes(world, one, system):
                broken(world, "I12", f"{one.whose} was deleted in {one.system}; that is passed on, not to {system}")
            if not left and system in one.settled and not _passes(world, one, system):
                broken(world, "I12", f"{one.whose} was deleted in {one.system}, and is gone in {system}")


# --- the forgotten (I22) -----------------------------------------------------------------------------------------


def _address(whose: str) -> re.Pattern[str]:
    return re.compile(rf"\b{whose}@example\.com", re.IGNORECASE)


def _forgotten(world: World) -> None:
    if not world.ends.forgotten:
        return
    said = _everything(world)
    for whose, names in world.ends.forgotten.items():
        world.evaluated["I22"] += 1
        for table, text in said.items():
            if _address(whose).search(text):
                broken(world, "I22", f"{whose} was forgotten, and {table} knows the address")
        for word in _own_words(world, names):
            found = [table for table, text in said.items() if word in text]
            if found:
                broken(world, "I22", f"{whose} was forgotten, and {found[0]} still says something of theirs")
        _nowhere(world, whose)


def _everything(world: World) -> dict[str, str]:
    raw = world.shelf.raw
    tables = [row[0] for row in raw.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    out = {}
    for table in tables:
        rows = raw.execute(f'SELECT * FROM "{table}"').fetchall()  # noqa: S608  # the ledger's own names
        out[table] = "\n".join(str(value) for row in rows for value in row if isinstance(value, str))
    return out


def _own_words(world: World, names: set[str]) -> set[str]:
    """Sentences that only this person's objects ever held."""
    theirs: set[str] = set()
    others: set[str] = set()
    for system, side in world.systems.items():
        for (entity, _), thing in side.things.items():
            mine = people.whose(entity, system, thing.versions[0].attributes) in names
            for version in thing.versions:
                for name in ("name", "note", "company", "subject"):
                    field = people.attributes_for(system, name) if name in people.FIELDS[entity] else ()
                    words = {str(version.attributes.get(one) or "") for one in field[:1]}
                    (theirs if mine else others).update(words)
    folded = {word.casefold() for word in others}
    return {word for word in theirs if " " in word and not any(word.casefold() in other for other in folded)}


def _nowhere(world: World, whose: str) -> None:
    """Nothing of theirs stands anywhere but what a person put there again, or what a lost call brought later."""
    for system, side in world.systems.items():
        for thing in side.living(Entity.CUSTOMER):
            if people.whose(Entity.CUSTOMER, system, thing.now.attributes) != whose:
                continue
            world.evaluated["I22"] += 1
            born = thing.versions[0]
            again = any(one == where(system, thing) for _, _, one in world.ends.restored)
            since = born.seq > world.ends.since[whose][system]
            if not again and not (since and born.by in ("person", "late")):
                broken(world, "I22", f"{whose} was forgotten, and stands in {system}")
