"""What must hold, each looked at by code of its own, from what really happened in the systems.

Where a check reads the ledger it reads the bare tables; it asks nothing of the engine. `PRESENT` are checked after
every quiet or at every call, and one that was never evaluated is a failure. `ABSENT` would name the
promises of features that are not simulated.
"""

from __future__ import annotations

import itertools
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sync_platform.core.mappings import Lexicon, Unmappable, field_maps, observe
from sync_platform.core.records import UNSET, Entity, Json, System
from sync_platform.errors import BadInput
from sync_platform.simulation import endings, invariants_acts, invariants_endings, people
from sync_platform.simulation.systems import Thing, View
from sync_platform.simulation.truth import Edit, broken, standing

if TYPE_CHECKING:
    from sync_platform.simulation.world import World

PRESENT = (
    "I1",
    "I2",
    "I3",
    "I4",
    "I5",
    "I6",
    "I7",
    "I8",
    "I9",
    "I10",
    "I11",
    "I12",
    "I13",
    "I14",
    "I15",
    "I16",
    "I17",
    "I18",
    "I19",
    "I20",
    "I21",
    "I22",
)
# Promises that no story is about.
ABSENT: dict[str, str] = {}
FLIPS_MAX = 3

Group = dict[System, list[Thing]]


def check(world: World) -> None:
    """Everything that must hold once nothing moves any more."""
    endings.follow_tickets(world)
    groups = _groups(world)
    ledger = _Tables(world)
    world.acts.excused = invariants_acts.excused(world)
    world.acts.decided_here = invariants_acts.touched(world)
    _agreement(world, groups)
    _lone_edits(world, groups)
    _tags(world, groups)
    _shown_is_decided(world, ledger)
    _winners(world, ledger)
    _stored(world, ledger)
    _one_link(world, ledger)
    _laws(world)
    invariants_endings.check(world)
    invariants_acts.check(world)
    _nothing_again(world)
    world.decided_before, world.observed_before = world.counts()[1], world.counts()[0]


def _groups(world: World) -> dict[tuple[Entity, str], Group]:
    groups: dict[tuple[Entity, str], Group] = defaultdict(lambda: defaultdict(list))
    hidden = world.ends.hidden()
    for one in standing(world.systems):
        if one.whose in hidden:
            continue
        groups[one.thing.entity, one.whose][one.system].append(one.thing)
    return groups


class _Tables:
    """The bare rows of this epoch."""

    def __init__(self, world: World) -> None:
        raw = world.shelf.raw
        self.links = {
            row[0]: row
            for row in raw.execute("SELECT id, record_id, system, entity, external_id, state, cells FROM link")
        }
        self.by_object = {(row[2], row[3], row[4]): row for row in self.links.values()}
        self.decisions: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
        self.fresh: list[dict[str, Any]] = []
        names = ("id", "record_id", "entity", "field", "value", "rule", "winner", "claims", "replaced", "cause", "at")
        for row in raw.execute(f"SELECT {', '.join(names)} FROM decision ORDER BY id"):  # noqa: S608
            one = dict(zip(names, row, strict=True))
            for name in ("value", "winner", "claims", "replaced"):
                # A JSON column of SQLite gives a bare number back as a number.
                one[name] = json.loads(one[name]) if isinstance(one[name], str) else one[name]
            self.decisions[one["record_id"], one["field"]].append(one)
            if one["id"] > world.decided_before:
                self.fresh.append(one)
        # What records became by merges, and what they were.
        self.became: dict[str, set[str]] = defaultdict(set)
        for record, tombstone in raw.execute("SELECT id, tombstone FROM record WHERE tombstone IS NOT NULL"):
            into = json.loads(tombstone).get("into")
            if into:
                self.became[into] |= {record, *self.became.get(record, ())}
        self.observations = raw.execute(
            "SELECT id, system, entity, external_id, fields FROM observation WHERE taken AND id > ? ORDER BY id",
            (world.observed_before,),
        ).fetchall()


# --- agreement (I1), doubles (I9), refused values (I18) ----------------------------------------------------------


def _agreement(world: World, groups: Mapping[tuple[Entity, str], Group]) -> None:
    tickets = [group for (entity, _), group in groups.items() if entity is Entity.TICKET]
    with_ticket = {_customer_of(world, s, one) for group in tickets for s, found in group.items() for one in found}
    world.stuck = set()
    for (entity, whose), group in groups.items():
        _counted(world, entity, whose, group, with_ticket)
        there = [(system, things[0]) for system, things in group.items()]
        for name in () if _let_go(world, entity, whose) else people.FIELDS[entity]:
            # A phone tells people apart, so it does not travel while it is asked whether two are one.
            if name != "phone" or not world.ends.mixed(whose):
                _equal(world, whose, name, there)
        if entity is Entity.TICKET:
            world.evaluated["I1"] += 1
            excused = world.acts.excused
            owners = {_customer_of(world, s, thing) for s, thing in there if (whose, "customer", s) not in excused}
            apart = _let_go(world, entity, whose) or any(
                world.ends.mixed(one) or world.ends.of(one, Entity.CUSTOMER) for one in owners
            )
            if len(owners) > 1 and not apart:
                broken(world, "I1", f"{whose}: the systems name different customers")


def _customer_of(world: World, system: System, ticket: Thing) -> str:
    reference = str(ticket.now.attributes.get(people.REFERENCE[system]) or "")
    thing = world.systems[system].things.get((Entity.CUSTOMER, reference))
    return people.whose(Entity.CUSTOMER, system, thing.now.attributes) if thing else ""


def _brought_back(world: World, system: System, things: Sequence[Thing]) -> int:
    """How many of these a person restored after they were made anew, and somebody is asked whether they are one."""
    back = {at for _, _, at in world.ends.restored}
    twins = (
        "SELECT 1 FROM link JOIN record ON record.id = link.record_id"
        " WHERE link.system = ? AND link.entity = ? AND link.external_id = ? AND record.twin"
    )
    mine = [at for thing in things if (at := (system, thing.entity, thing.external_id)) in back]
    return sum(1 for at in mine if world.shelf.raw.execute(twins, tuple(map(str, at))).fetchone())


def _counted(world: World, entity: Entity, whose: str, group: Group, with_ticket: set[str]) -> None:
    for system in world.systems:
        things = group.get(system, [])
        count = len(things) - (_brought_back(world, system, things) if len(things) > 1 else 0)
        world.evaluated["I9"] += 1
        if count > 1:
            broken(world, "I9", f"{whose} stands {count} times in {system}")
        needed = entity is Entity.TICKET or system is not System.GORGIAS or whose in with_ticket
        if _may_be_missing(world, system, entity, whose, group):
            continue
        world.evaluated["I1"] += 1
        if needed and not count:
            broken(world, "I1", f"{whose} is missing in {system}")


def _let_go(world: World, entity: Entity, whose: str) -> bool:
    """Whether the policy may have ended the record, or a person has to say who is who: not kept equal any more."""
    if entity is Entity.CUSTOMER and _in_question(world, whose):
        return True
    return world.ends.means_anything and bool(world.ends.of(whose, entity))


def _in_question(world: World, whose: str) -> bool:
    """Whether two were merged before the one who was merged away was ever seen: the survivor bears both addresses, so
    nobody can tell to whom it belongs. Then a person is asked."""
    names = world.ends.relatives(whose) if world.ends.mixed(whose) else ()
    unseen = [one for name in names for one in world.ends.of(name, Entity.CUSTOMER) if one.kind == "merged"]
    if all(one.thing.shown for one in unseen):
        return False
    asked = "SELECT count(*) FROM review WHERE state = 'open' AND kind IN ('ambiguous', 'twin', 'merge')"
    world.evaluated["I14"] += 1
    return bool(world.shelf.raw.execute(asked).fetchone()[0])


def _may_be_missing(world: World, system: System, entity: Entity, whose: str, group: Group) -> bool:
    """Deleted or merged away there, let go by the policy, or a ticket whose customer is not to be there."""
    if _gone(world, system, entity, whose) or _let_go(world, entity, whose) or world.ends.mixed(whose):
        return True
    if (whose, "*", system) in world.acts.excused:
        return True
    if entity is Entity.CUSTOMER:
        return False
    owners = {_customer_of(world, at, one) for at, found in group.items() for one in found}
    return any(
        not owner
        or owner in world.ends.hidden()
        or _gone(world, system, Entity.CUSTOMER, owner)
        or _let_go(world, Entity.CUSTOMER, owner)
        or world.ends.mixed(owner)
        or (owner, "*", system) in world.acts.excused
        for owner in owners
    )


def _gone(world: World, system: System, entity: Entity, whose: str) -> bool:
    """Whether an object of theirs ended there and is not back."""
    things = [thing for (kind, _), thing in world.systems[system].things.items() if kind is entity and not thing.live]
    return any(people.whose(entity, system, thing.versions[-1].attributes) == whose for thing in things)


def _equal(world: World, whose: str, name: str, there: list[tuple[System, Thing]]) -> None:
    shown = {
        system: people.read(system, name, thing.now.attributes)
        for system, thing in there
        if (whose, name, system) not in world.acts.excused
    }
    unfit = {
        system
        for system, held in shown.items()
        if any(people.refused(system, name, other) and not people.alike(name, held, other) for other in shown.values())
    }
    if unfit:
        # It stays different where it was refused, and nowhere else.
        world.stuck.add((whose, name))
        world.evaluated["I18"] += 1
        marks = world.shelf.raw.execute("SELECT count(*) FROM parked WHERE lifted_at IS NULL").fetchone()[0]
        if not marks:
            broken(world, "I18", f"{whose} {name}: refused, and nobody is told")
    fit = [(system, value) for system, value in shown.items() if system not in unfit]
    for (one, value), (other, second) in itertools.pairwise(fit):
        world.evaluated["I1"] += 1
        if not people.alike(name, value, second):
            broken(world, "I1", f"{whose} {name}: {one} {value!r}, {other} {second!r}")


# --- nothing that was typed is lost (I3, I11) --------------------------------------------------------------------


def _attribute_lost(world: World, whose: str, name: str) -> bool:
    attributes = {one for system in world.systems for one in people.attributes_for(system, name)}
    return any((world.epoch, whose, one) in world.overwritten for one in attributes)


def _lone_edits(world: World, groups: Mapping[tuple[Entity, str], Group]) -> None:
    """Who alone edits a field gets what they typed, everywhere."""
    edits: dict[tuple[Entity, str, str], list[Edit]] = defaultdict(list)
    for edit in world.edits:
        if edit.epoch == world.epoch and edit.field != "tags":
            edits[edit.entity, edit.whose, edit.field].append(edit)
    for (entity, whose, name), found in edits.items():
        last = found[-1]
        alone = len({edit.system for edit in found}) == 1
        if not alone or whose not in world.known or (whose, name) in world.stuck:
            continue
        if last.meaning is None and not invariants_acts.may_blank(world, entity, name):
            continue
        if not invariants_acts.may_write(world, entity, last.system, name) or _said_otherwise(world, last):
            continue
        if _attribute_lost(world, whose, name) or _ended_meanwhile(world, last):
            continue
        if name == "phone" and world.ends.mixed(whose):
            continue
        world.evaluated["I3"] += 1
        for system, things in groups[entity, whose].items():
            if (whose, name, system) in world.acts.excused:
                continue
            shown = people.read(system, name, things[0].now.attributes)
            if not people.refused(system, name, last.meaning) and not people.alike(name, shown, last.meaning):
                broken(
                    world, "I3", f"{whose} {name}: {last.system} alone typed {last.meaning!r}, {system} shows {shown!r}"
                )


def _ended_meanwhile(world: World, edit: Edit) -> bool:
    """Whether the object that was edited ended or came back in this epoch, or its person was let go or merged."""
    if _let_go(world, edit.entity, edit.whose):
        return True
    found = [one for name in world.ends.relatives(edit.whose) for one in world.ends.of(name, edit.entity)]
    back = {(at[0], at[2]) for epoch, _, at in world.ends.restored if epoch == world.epoch and at[1] is edit.entity}
    here = (edit.system, edit.external_id)
    return here in back or any(
        one.epoch == world.epoch and (one.kind == "merged" or (one.system, one.thing.external_id) == here)
        for one in found
    )


def _said_otherwise(world: World, edit: Edit) -> bool:
    """Whether a person at the desk decided the field after this edit, or what was typed there is not judged yet."""
    if (edit.whose, edit.field, edit.system) in world.acts.excused:
        return True
    return world.acts.decided_here.get((edit.whose, edit.field), -1) > world.edits.index(edit)


def _tags(world: World, groups: Mapping[tuple[Entity, str], Group]) -> None:
    """What only was removed is gone everywhere, what only was added is everywhere."""
    acts: dict[tuple[str, str], set[str]] = defaultdict(set)
    unclear = {edit.whose for edit in world.edits if edit.field == "tags" and _ended_meanwhile(world, edit)}
    unclear |= _restored_now(world)
    for edit in world.edits:
        if edit.epoch == world.epoch and edit.field == "tags" and edit.whose not in unclear:
            acts[edit.whose, edit.meaning[1]].add(edit.meaning[0])
    for (whose, tag), signs in acts.items():
        if whose not in world.known or len(signs) > 1 or _attribute_lost(world, whose, "tags"):
            continue
        if any((whose, "tags", system) in world.acts.excused for system in world.systems):
            continue
        if any(_said_otherwise(world, edit) for edit in world.edits if (edit.whose, edit.field) == (whose, "tags")):
            continue
        world.evaluated["I11"] += 1
        for system, things in groups[Entity.TICKET, whose].items():
            if (tag in people.read(system, "tags", things[0].now.attributes)) != (signs == {"+"}):
                broken(world, "I11", f"{whose} {tag}: {signs} in one system, not so in {system}")


def _restored_now(world: World) -> set[str]:
    """Tickets of which an object came back in this epoch: what it shows is joined to what the others hold."""
    return {
        people.whose(at[1], at[0], world.systems[at[0]].things[at[1], at[2]].now.attributes)
        for epoch, _, at in world.ends.restored
        if epoch == world.epoch
    }


def _shown_is_decided(world: World, ledger: _Tables) -> None:
    """Each value that an observation showed and a person typed is in a decision, in whatever part."""
    for place, system, entity, external_id, fields in ledger.observations:
        link = ledger.by_object.get((system, entity, external_id))
        thing = world.systems[System(system)].things.get((Entity(entity), external_id))
        if thing is None or link is None or link[1] is None:
            continue
        cells = json.loads(link[6] or "{}")
        for name, theirs in json.loads(fields or "{}").items():
            if (place, name) in world.unborn or _ended_unjudged(link, cells, name):
                continue
            if not _typed_by_person(System(system), Entity(entity), thing, name, theirs):
                continue
            world.evaluated["I3"] += 1
            if not _spoken_of(ledger, link[1], system, Entity(entity), name, theirs):
                broken(world, "I3", f"{system} {entity} {external_id}: {name} was shown and is in no decision")


def _ended_unjudged(link: Any, cells: Mapping[str, Any], name: str) -> bool:
    """Whether an object ended before this field of it was ever judged."""
    return link[5] != "active" and not _judged_once(cells.get(name, {}))


def note_unborn(world: World) -> None:
    """After each commit: showings of fields that nobody has judged yet, and that another showing took the place of.

    Nothing is a change before the first judgement of its object: what was typed over until then is in no decision.
    """
    raw = world.shelf.raw
    newest = int(raw.execute("SELECT coalesce(max(id), 0) FROM observation").fetchone()[0])
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
        held = json.loads(cells or "{}")
        for name in json.loads(fields or "{}"):
            shown = world.unjudged.setdefault((*at, name), [])
            if _judged_once(held.get(name, {})):
                shown.clear()
                continue
            world.unborn |= {(one, name) for one in shown}
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
    return name not in ("customer", "channel", "email", "email_2", "customer_no") and "person" in _authors(
        system, entity, thing, name, theirs
    )


def _authors(system: System, entity: Entity, thing: Thing, name: str, theirs: Json) -> set[str]:
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


def _spoken_of(ledger: _Tables, record: str, *what: Any) -> bool:
    return any(_spoken_of_by(ledger, one, *what) for one in (record, *ledger.became.get(record, ())))


def _spoken_of_by(ledger: _Tables, record: str, system: str, entity: Entity, name: str, theirs: Json) -> bool:
    meant = _reading(System(system), entity, name, theirs)
    births = ledger.decisions[record, "*"]
    whole = [part[name] for one in births for part in (one["value"], one["replaced"]) if part and name in part]
    said = list(whole)
    for one in ledger.decisions[record, name]:
        said += [one["value"], one["replaced"]]
        if any(claim["theirs"] == theirs for claim in one["claims"] or ()):
            return True
    return any(_reading_of(system, entity, name, value, theirs) == meant for value in said) or meant in (None, [])


def _reading(system: System, entity: Entity, name: str, theirs: Json, current: Json = None) -> Json:
    try:
        return field_maps(system, entity)[name].get(theirs, current, _LEXICON[system])
    except BadInput:
        return UNSET


def _reading_of(system: str, entity: Entity, name: str, value: Json, theirs: Json) -> Json:
    """What theirs means where the record holds `value`: that value, if it accounts for it."""
    if _reading(System(system), entity, name, theirs, value) == value:
        return _reading(System(system), entity, name, theirs)
    return value


def _lexicon(system: System) -> Lexicon:
    words = {
        "status": people.STATES[system],
        "priority": dict(zip(people.PRIORITIES[people.G], people.PRIORITIES[system], strict=True)),
    }
    return Lexicon(vocabulary=words)


_LEXICON = {system: _lexicon(system) for system in System}


# --- our own echo never wins (I6) --------------------------------------------------------------------------------


def _winners(world: World, ledger: _Tables) -> None:
    flips: dict[tuple[str, str], int] = defaultdict(int)
    for one in ledger.fresh:
        winner = one["winner"]
        if not winner or one["cause"] != "change" or one["field"] in ("tags", "customer", "*"):
            continue
        link = ledger.links[winner["link"]]
        system, entity = System(link[2]), Entity(link[3])
        thing = world.systems[system].things[entity, link[4]]
        authors = _authors(system, entity, thing, one["field"], winner["theirs"])
        world.evaluated["I6"] += 1
        other = [claim for claim in one["claims"] or () if claim["theirs"] != winner["theirs"]]
        if authors and not {"person", "merge"} & authors and (other or one["replaced"] != one["value"]):
            mapping = field_maps(system, entity)[one["field"]]
            # What was lost of a create bears no id yet.
            at = [(system, entity, one, name) for one in (link[4], "") for name in mapping.attributes]
            if any(one in world.lost for one in at):
                world.residue += 1
                world.say("residue", system, entity, link[4], one["field"])
            elif any(one in world.unanswered and winner["theirs"] not in world.sent.get(one, []) for one in at):
                # The answer was lost and the system spells it otherwise: nobody can tell that from an edit.
                world.events["respelt_unanswered"] += 1
            elif thing.made_by == "us" and any(_respelt_at_birth(world, one, winner["theirs"]) for one in at):
                world.events["respelt_unanswered"] += 1
            else:
                broken(world, "I6", f"{system} {entity} {link[4]}: our own {one['field']} won over another's")
        flips[one["record_id"], one["field"]] += 1
    typed: dict[str, int] = defaultdict(int)
    for edit in world.edits:
        if edit.epoch == world.epoch:
            typed[people.POLICY_FIELD.get(edit.field, edit.field)] += 1
    for (record, name), count in flips.items():
        if count > FLIPS_MAX + typed[name]:
            broken(world, "I6", f"{record} {name}: decided {count} times")


def _respelt_at_birth(world: World, at: tuple[System, Entity, str, str], theirs: Json) -> bool:
    """Whether a create whose answer was lost carried this value in another spelling; it had no id yet."""
    unborn = (at[0], at[1], "", at[3])
    sent = [str(one).casefold() for one in world.sent.get(unborn, ()) if one != theirs]
    return unborn in world.unanswered and str(theirs).casefold() in sent


# --- the ledger knows what is there (I7, I8) ---------------------------------------------------------------------


def _stored(world: World, ledger: _Tables) -> None:
    """Every visible object is stored, and every shadow is what the object holds."""
    hidden = world.ends.hidden()
    for system, side in world.systems.items():
        for (entity, external_id), thing in side.things.items():
            link = ledger.by_object.get((str(system), str(entity), external_id))
            world.evaluated["I7"] += 1
            if people.whose(entity, system, thing.now.attributes) in hidden:
                continue
            if link is None:
                if thing.live:
                    broken(world, "I7", f"{system} {entity} {external_id} is not in the ledger")
                continue
            if not thing.live:
                continue
            cells = json.loads(link[6] or "{}")
            for name, theirs in observe(system, entity, thing.now.attributes).items():
                cell = cells.get(name)
                if cell is not None and cell.get("s") != theirs:
                    broken(world, "I7", f"{system} {entity} {external_id}: {name} is believed to be {cell.get('s')!r}")


def _one_link(world: World, ledger: _Tables) -> None:
    seen: set[tuple[str, str]] = set()
    for link in ledger.links.values():
        if link[1] is None or link[5] != "active":
            continue
        world.evaluated["I8"] += 1
        if (link[1], link[2]) in seen:
            broken(world, "I8", f"{link[1]} has two active links in {link[2]}")
        seen.add((link[1], link[2]))


# --- the mappings (I15) ------------------------------------------------------------------------------------------


def _laws(world: World) -> None:
    for system, side in world.systems.items():
        for (entity, _), thing in side.things.items():
            for name, theirs in observe(system, entity, thing.now.attributes).items():
                mapping = field_maps(system, entity)[name]
                if mapping.kind == "reference":
                    continue
                value = _reading(system, entity, name, theirs)
                if value is UNSET:
                    continue
                try:
                    again = mapping.get(mapping.put(value, _LEXICON[system]), value, _LEXICON[system])
                except Unmappable:
                    continue
                world.evaluated["I15"] += 1
                if again != value:
                    broken(world, "I15", f"{system} {entity} {name}: what is put is not what is got")


# --- nothing happens by itself (I2, I4) --------------------------------------------------------------------------


def _nothing_again(world: World) -> None:
    """Another full read, every row twice and in another order: no decision, no observation, no write."""
    before = world.counts()
    for side in world.systems.values():
        side.view = View(again=1000, turned=1)
    world.on_full()
    for side in world.systems.values():
        side.view = View()
    after = world.counts()
    world.evaluated["I2"] += 1
    world.evaluated["I4"] += 1
    if after[1:] != before[1:]:
        broken(world, "I2", f"a quiet world moved: {before} became {after}")
    if after[0] != before[0]:
        broken(world, "I4", "the same rows again were taken for news")
