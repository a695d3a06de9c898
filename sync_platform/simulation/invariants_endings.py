"""What must hold of deletes, merges, restores and erasure (I12, I13, I14, I22), from what really happened.

Looked at before each write sets out, after each step, and after each quiet. The ledger is read as bare tables.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from sync_platform.connectors.protocol import Change
from sync_platform.core.mappings import observe
from sync_platform.core.records import ENTITIES, SYSTEMS, Entity, Json, System, Verb
from sync_platform.simulation import changes, endings, invariants_forgotten, invariants_unmade, people
from sync_platform.simulation.endings import Ended, Where, where
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
    gone = thing if change.verb is Verb.DELETE else None
    if gone is not None and not invariants_unmade.as_approved(world, system, gone, change.token):
        _with_evidence(world, system, gone)
    if change.verb is Verb.ERASE and thing is not None:
        world.evaluated["I22"] += 1
        whose = people.whose(thing.entity, system, thing.now.attributes)
        theirs = {whose, _owner(world, system, thing)} & world.ends.hidden()
        if not theirs and not _copy_of_theirs(world, thing, whose):
            broken(world, "I22", f"{whose} is erased in {system}, and nobody asked for it")
    if change.verb in (Verb.CREATE, Verb.UPDATE):
        for whose in world.ends.forgotten:
            world.evaluated["I22"] += 1
            if invariants_forgotten.address(whose).search(json.dumps(dict(change.set))):
                broken(world, "I22", f"{whose} was forgotten and is written to {system}")


def _owner(world: World, system: System, ticket: Thing) -> str:
    """Whose customer a ticket names there; it may be younger than the word that forgets them."""
    if ticket.entity is not Entity.TICKET:
        return ""
    reference = str(ticket.now.attributes.get(people.REFERENCE[system]) or "")
    customer = world.systems[system].things.get((Entity.CUSTOMER, reference))
    return people.whose(Entity.CUSTOMER, system, customer.now.attributes) if customer is not None else ""


def _copy_of_theirs(world: World, thing: Thing, whose: str) -> bool:
    """Whether we made this of a ticket of somebody who came back, read before its customer was."""
    endings.follow_tickets(world)
    return thing.made_by != "person" and whose in world.ends.hidden()


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
    if not any(_all_read_since(world, one, names, (system, thing)) for one in ends):
        broken(world, "I12", f"{system} {thing.entity} {whose} is deleted before every other system was read since")
    for name in thing.now.attributes:
        typed = [p for p, one in enumerate(thing.versions) if name in one.touched and one.by == "person"]
        if typed and typed[-1] > thing.shown.get(name, -1):
            broken(world, "I12", f"{system} {thing.entity} {whose} is deleted, and nobody had read its new {name}")
    if all(_edited_since(world, system, thing, one) for one in ends):
        broken(world, "I12", f"{system} {thing.entity} {whose} is deleted, though it was edited after the end")


def _passes(world: World, one: Ended, system: System) -> bool:
    says = world.policy.entities[one.thing.entity].systems[one.system].delete
    return says == "delete" or (says == "archive" and system is BIN)


def _all_read_since(world: World, one: Ended, names: set[str], doomed: tuple[System, Thing]) -> bool:
    entity = one.thing.entity
    return all(
        world.ends.rounds.get((system, entity), -1) > world.ends.told[one.at]
        for system in SYSTEMS
        if system is not one.system
        and any(
            _known_of(thing) and not _of_another(world, doomed, (system, thing))
            for thing in _theirs(world, system, entity, names)
        )
    )


def _of_another(world: World, doomed: tuple[System, Thing], other: tuple[System, Thing]) -> bool:
    """Whether the second is part of another record, and bears another name or was told apart: merged elsewhere, two are
    not one here."""
    at = "SELECT record_id FROM link WHERE system = ? AND entity = ? AND external_id = ?"
    (mine, whose), (theirs, named) = (
        (
            world.shelf.raw.execute(at, where(*one)).fetchone(),
            people.whose(one[1].entity, one[0], one[1].now.attributes),
        )
        for one in (doomed, other)
    )
    if not (mine and theirs and mine[0] and theirs[0]):
        return False
    return _told_two(world, mine[0], theirs[0]) or (whose != named and mine != theirs)


def _known_of(thing: Thing) -> bool:
    """Whether the engine was shown an object, or made it: a lost answer does not hide that it may be there."""
    return bool(thing.shown) or thing.made_by != "person"


def _theirs(world: World, system: System, entity: Entity, names: set[str]) -> Iterator[Thing]:
    for thing in world.systems[system].living(entity):
        if people.whose(entity, system, thing.now.attributes) in names:
            yield thing


def _edited_since(world: World, system: System, thing: Thing, one: Ended) -> bool:
    """Whether a person typed something new there after the end, in a field where that cannot be chance.

    What we read there first may have been typed before the end as well, for all that anybody was told.
    """
    first = world.shelf.raw.execute(
        "SELECT fields FROM observation WHERE system = ? AND entity = ? AND external_id = ? ORDER BY id LIMIT 1",
        where(system, thing),
    ).fetchone()
    met = json.loads(first[0] or "{}") if first else {}
    before = [version for version in thing.versions if version.seq <= one.seqs[system]]
    if not before:
        return False
    for field in SINGULAR:
        names = people.attributes_for(system, field) if field in people.FIELDS[thing.entity] else ()
        fresh = [v for v in thing.versions if v.seq > one.seqs[system] and set(names) & v.touched]
        if not fresh or fresh[-1].by != "person" or (field == "orders" and system is not System.ERP):
            continue
        ours = people.POLICY_FIELD.get(field, field)
        if ours in met and met[ours] == observe(system, thing.entity, fresh[-1].attributes).get(ours):
            continue
        now, then = (people.read(system, field, v.attributes) for v in (fresh[-1], before[-1]))
        if now is not None and now != then:
            return True
    return False


def _no_second_life(world: World, system: System, change: Change) -> None:
    """I13, I14: what was deleted there is not made anew but by policy and for an edit, what was merged never."""
    whose = people.whose(change.entity, system, change.set)
    for one in world.ends.of(whose, change.entity) if whose else ():
        if one.system is not system or one.thing.live or one.at not in world.ends.told or not one.thing.shown:
            # Of an object that nobody ever read, its end does not tell whose it was: nor of what a write of ours made
            # whose answer was lost.
            continue
        state = _linked(world, system, one.thing)
        if state is None or state[0] == "active" or _told_two(world, state[1], change.marker):
            continue
        # Who was merged into somebody that was deleted since is deleted with them; who was told from them is nobody's.
        into = _survivor(world, one) if one.kind == "merged" else None
        theirs = _linked(world, system, into) if into is not None else None
        merged = into is not None and not (theirs and _told_two(world, state[1], theirs[1]))
        world.evaluated["I14" if merged else "I13"] += 1
        if merged:
            broken(world, "I14", f"{whose} was merged away in {system} and is created there")
        elif world.policy.entities[change.entity].systems[system].recreate != "later_edit":
            broken(world, "I13", f"{whose} was deleted in {system} and is created there")
        elif not _edited_unknown_to(world, system, one, whose):
            broken(world, "I13", f"{whose} was deleted in {system} and is created there, and nobody edited it since")


def _edited_unknown_to(world: World, system: System, one: Ended, whose: str) -> bool:
    """Whether somebody edited since the quiet before an end, or before it and that is still kept from this system."""
    names = world.ends.relatives(whose)
    kept = world.acts.excused | world.acts.held_over
    return any(
        edit.whose in names and (edit.epoch >= one.epoch or (edit.whose, edit.field, system) in kept)
        for edit in world.edits
    ) or any(_refused_there(world, system, one.thing.entity, name) for name in names)


def _refused_there(world: World, system: System, entity: Entity, whose: str) -> bool:
    """Whether somebody typed what this system refuses and another one still shows: nobody could see it here."""
    edits = [edit for edit in world.edits if (edit.entity, edit.whose) == (entity, whose)]
    return any(
        people.refused(system, edit.field, edit.meaning)
        and any(
            people.read(other, edit.field, thing.now.attributes) == edit.meaning
            for other in SYSTEMS
            for thing in _theirs(world, other, entity, {whose})
            if other is not system
        )
        for edit in edits
    )


def _linked(world: World, system: System, thing: Thing) -> tuple[str, str | None] | None:
    """State and record of an object's link."""
    asked = "SELECT state, record_id FROM link WHERE system = ? AND entity = ? AND external_id = ?"
    found = world.shelf.raw.execute(asked, where(system, thing)).fetchone()
    return (found[0], found[1]) if found else None


def _told_two(world: World, *records: str | None) -> bool:
    """Whether a person said that these two records are not one: then what ended was somebody else's."""
    rows = world.shelf.raw.execute("SELECT one, other FROM told_apart").fetchall()
    return any({one, other} == set(records) for one, other in rows)


# A look costs a third of what a call of the class does.
_SYSTEMS = {str(one): one for one in SYSTEMS}
_ENTITIES = {str(one): one for one in ENTITIES}


# --- after a step ------------------------------------------------------------------------------------------------


def after_step(world: World) -> None:
    """I13 at any commit: an id that was gone or merged away is active again only when somebody restored it."""
    if not world.ends.all and not world.ends.wanted and not world.ends.forgotten:
        return
    before, now = world.ends.states, {}
    for system, entity, external_id, state in world.shelf.ledger.ask(
        "SELECT system, entity, external_id, state FROM link"
    ):
        at = (_SYSTEMS[system], _ENTITIES[entity], external_id)
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
            whose = people.whose(at[1], at[0], thing.now.attributes)
            if whose not in hidden:
                endings.follow_tickets(world)
            if whose not in world.ends.hidden():
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
    tombs = _tombs(world)
    _ends_are_known(world, links)
    _came_back(world, links, tombs)
    _chains(world, links, tombs)
    _policy_carried_out(world)
    invariants_forgotten.check(world)
    invariants_unmade.check(world)
    changes.check(world)


Links = Mapping[tuple[System, Entity, str], dict[str, Any]]
Tombs = Mapping[str, Json]


def _tombs(world: World) -> Tombs:
    return {
        one: json.loads(text) if text else None
        for one, text in world.shelf.raw.execute("SELECT id, tombstone FROM record")
    }


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
        if any(later.thing is one.thing and later.place > one.place for later in world.ends.all):
            # It came back meanwhile, and its last end counts.
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
        ends = [one for name in world.ends.relatives(whose) for one in world.ends.of(name, at[1])]
        # Deleted and taken back between two looks, it never ended for anybody who reads.
        own = [one for one in ends if where(one.system, one.thing) == at and one.tick <= tick]
        unseen = not own or max(own, key=lambda one: one.tick).at not in world.ends.told
        unseen |= _not_taken(world, at)
        later = unseen or any(one.tick > tick for one in ends)
        world.evaluated["I13"] += 1
        link = links.get(at)
        if link is None or link["state"] != "active" or link["record"] is None:
            broken(world, "I13", f"{' '.join(at)} was restored, and is not taken back")
        elif tombs.get(link["record"]) and not later:
            broken(world, "I13", f"{' '.join(at)} was restored, and its record is still at its end")


def _not_taken(world: World, at: Where) -> bool:
    """Whether every end of this object was shown while a write of ours was unsettled, or before anybody had read it:
    nothing is taken then."""
    kept = "SELECT taken FROM observation WHERE system = ? AND entity = ? AND external_id = ? AND evidence IS NOT NULL"
    rows = world.shelf.raw.execute(kept, at).fetchall()
    held = "SELECT gone FROM link WHERE system = ? AND entity = ? AND external_id = ?"
    never = not rows and world.shelf.raw.execute(held, at).fetchone() == (None,)
    return never or (bool(rows) and not any(row[0] for row in rows))


def _chains(world: World, links: Links, tombs: Tombs) -> None:
    """I14: who was merged away leads to who lives on, and to one record where nothing keeps the two apart."""
    hidden = world.ends.hidden()
    asked = _asked(world, tombs)
    for one in world.ends.all:
        if one.kind != "merged" or one.at not in world.ends.told or one.whose in hidden:
            continue
        at = where(one.system, one.thing)
        survivor = _survivor(world, one)
        if survivor is None or at not in links or _untraceable(world, one, survivor):
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
        elif mine is None or mine == theirs:
            continue
        # Who had ended with the survivor, and lives on by it since that one came back, is asked about.
        elif (tombs.get(mine) or {}).get("cause") != "deleted" and not _kept_apart(
            world, one, survivor, asked, links, mine, theirs
        ):
            broken(world, "I14", f"{' '.join(at)} and its survivor are two records, and nothing keeps them apart")
        elif theirs not in _asked_with(asked, mine):
            broken(world, "I14", f"{' '.join(at)} and its survivor are two records, and nobody was asked")


def _untraceable(world: World, one: Ended, survivor: Thing) -> bool:
    """Whether a person said who is who, or nothing tells of a merge any more: no event, and the address is gone."""
    if (Entity.CUSTOMER, one.whose) in world.acts.spoken_of:
        return True
    address = invariants_forgotten.address(one.whose)
    there = (thing.now.attributes for thing in _onwards(world, one.system, survivor) if thing.live)
    return one.thing.now.silent and not any(address.search(json.dumps(held)) for held in there)


def stands(world: World, whose: str) -> bool:
    """Whether a customer is anywhere."""
    return any(True for system in SYSTEMS for _ in _theirs(world, system, Entity.CUSTOMER, {whose}))


def asked_about(world: World, whose: str) -> bool:
    """Whether this person's objects stand in several records that open questions, or the word «two», tie together."""
    objects = [
        (system, one.entity, one.external_id)
        for system in SYSTEMS
        for one in _theirs(world, system, Entity.CUSTOMER, {whose})
    ]
    at = "SELECT record_id FROM link WHERE system = ? AND entity = ? AND external_id = ? AND record_id IS NOT NULL"
    records = {row[0] for one in objects for row in world.shelf.raw.execute(at, tuple(map(str, one)))}
    if len(records) < 2:  # one record is nobody's question
        return False
    pairs = dict(_asked(world, _tombs(world), only="open"))
    for one, other in world.shelf.raw.execute("SELECT one, other FROM told_apart"):
        pairs[one] = pairs.get(one, set()) | {other}
        pairs[other] = pairs.get(other, set()) | {one}
    return records <= _asked_with(pairs, min(records))


def _asked(world: World, tombs: Tombs, only: str = "") -> Mapping[str, set[str]]:
    """Pairs of records of which a person was asked whether they are one, as they live on by now."""
    kinds = (
        "SELECT record_id, claims FROM review WHERE kind IN ('ambiguous', 'twin', 'merge') AND (? = '' OR state = ?)"
    )
    pairs: dict[str, set[str]] = {}
    for record, text in world.shelf.raw.execute(kinds, (only, only)):
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


def _kept_apart(
    world: World, one: Ended, survivor: Thing, asked: Mapping[str, set[str]], links: Links, mine: str, theirs: str
) -> bool:
    """Whether both ever stood in one further system: there a person has to merge them, or leave them.

    Of merges in a row one of those between may be kept apart: then the questions about each tie these two together.
    """
    direct = one.thing.now.evidence is not None and one.thing.now.evidence.into == survivor.external_id
    if not direct and theirs in _asked_with(asked, mine):
        return True
    stand = [
        {at[0] for at, row in links.items() if (row["record"], row["state"]) == (r, "active")} for r in (mine, theirs)
    ]
    if stand[0] & stand[1]:
        return True
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
        # What was typed before, and is kept from the object that was deleted, was nobody's to see there.
        unseen = any(whose == one.whose and at is one.system for whose, _, at in world.acts.held_over)
        unseen |= _refused_there(world, one.system, one.thing.entity, one.whose)
        if spoken or unseen or back or not alone or not one.settled or _met_anew(world, one):
            continue
        world.evaluated["I12"] += 1
        for system in SYSTEMS:
            left = [t for t in _theirs(world, system, one.thing.entity, {one.whose}) if system is not one.system]
            held = any((one.whose, "*", at) in world.acts.excused for at in (one.system, system))
            if left and _passes(world, one, system) and not held and not _moved(world, one):
                broken(world, "I12", f"{one.whose} was deleted in {one.system}; that is passed on, not to {system}")
            taken_away = invariants_unmade.taken_away(world, system, one.thing.entity, one.whose)
            if not left and system in one.settled and not taken_away and not _passes(world, one, system):
                broken(world, "I12", f"{one.whose} was deleted in {one.system}, and is gone in {system}")


def _met_anew(world: World, one: Ended) -> bool:
    """Whether an object of this person was parted from its record and joined again: nobody can tell whether what it
    shows was typed after the end, so it stays."""
    if one.thing.entity is not Entity.CUSTOMER:
        return False
    theirs = [(s, thing) for s in SYSTEMS for thing in _theirs(world, s, one.thing.entity, {one.whose})]
    return any(
        (world.epoch, s, thing.external_id) in world.acts.parted for s, thing in [*theirs, (one.system, one.thing)]
    )


def _moved(world: World, one: Ended) -> bool:
    """Whether it is a ticket that may hang on another customer by now: reason enough to let nothing be deleted."""
    if one.thing.entity is not Entity.TICKET:
        return False
    for system, side in world.systems.items():
        for thing in [t for (kind, _), t in side.things.items() if kind is Entity.TICKET]:
            if people.whose(Entity.TICKET, system, thing.now.attributes) != one.whose:
                continue
            for customer in {str(version.attributes.get(people.REFERENCE[system])) for version in thing.versions}:
                owner = side.things.get((Entity.CUSTOMER, customer))
                named = people.whose(Entity.CUSTOMER, system, owner.now.attributes) if owner else ""
                if world.ends.mixed(named) or (world.epoch, system, customer) in world.acts.parted:
                    return True
    return False
