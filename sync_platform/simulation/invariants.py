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

from sync_platform.core.mappings import Unmappable, field_maps, observe
from sync_platform.core.records import UNSET, Entity, Json, System
from sync_platform.simulation import endings, invariants_acts, invariants_endings, invariants_shown, people
from sync_platform.simulation.invariants_shown import LEXICON, authors, reading
from sync_platform.simulation.systems import Thing, View
from sync_platform.simulation.truth import Edit, broken, spelt_out, standing, taken_back_unread, typed_back_over

if TYPE_CHECKING:
    from sync_platform.simulation.world import World

PRESENT = tuple(f"I{number}" for number in range(1, 23))
# Promises that no story is about.
ABSENT: dict[str, str] = {}
FLIPS_MAX = 3

Group = dict[System, list[Thing]]


def check(world: World) -> None:
    """Everything that must hold once nothing moves any more."""
    endings.follow_tickets(world)
    groups = _groups(world)
    ledger = Tables(world)
    world.acts.held_over, world.acts.excused = world.acts.excused, invariants_acts.excused(world)
    world.acts.decided_here = invariants_acts.touched(world)
    _agreement(world, groups)
    _lone_edits(world, groups)
    _tags(world, groups)
    invariants_shown.check(world, ledger)
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
    for group in groups.values():
        for system, things in group.items():
            if len(things) > 1:
                # One is kept equal; what came back, or was made anew, beside it waits for an answer.
                asked = _asked_about(world, system, things)
                things.sort(key=lambda thing: thing.external_id in asked)
    return groups


class Tables:
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
        # Records in which an object, by the id of its link, claimed something.
        self.claimed: dict[int, set[str]] = defaultdict(set)
        moved: list[tuple[str, str]] = []
        names = ("id", "record_id", "entity", "field", "value", "rule", "winner", "claims", "replaced", "cause", "at")
        for row in raw.execute(f"SELECT {', '.join(names)} FROM decision ORDER BY id"):  # noqa: S608
            one = dict(zip(names, row, strict=True))
            for name in ("value", "winner", "claims", "replaced"):
                # A JSON column of SQLite gives a bare number back as a number.
                one[name] = spelt_out(one[name]) if isinstance(one[name], str) else one[name]
            self.decisions[one["record_id"], one["field"]].append(one)
            for claim in one["claims"] or ():
                self.claimed[claim["link"]].add(one["record_id"])
            if one["id"] > world.decided_before:
                self.fresh.append(one)
            if one["field"] == "*" and one["rule"] in ("link", "unlink"):
                # A person moved an object from one record to another: what it showed before is told there.
                moved.append((one["value"]["from"], one["value"]["to"]))
            if one["field"] == "*" and one["rule"] == "merge" and (one["value"] or {}).get("merged"):
                # An emptied record may have gone to several: its objects were merged with those of each.
                moved.append((one["value"]["merged"], one["record_id"]))
        # What records became by merges, and what they were.
        self.became: dict[str, set[str]] = defaultdict(set)
        for record, tombstone in raw.execute("SELECT id, tombstone FROM record WHERE tombstone IS NOT NULL"):
            into = json.loads(tombstone).get("into")
            if into:
                self.became[into] |= {record, *self.became.get(record, ())}
        for source, target in moved:
            self.became[target] |= {source, *self.became.get(source, ())}
        self.observations = raw.execute(
            "SELECT id, system, entity, external_id, fields FROM observation WHERE taken AND id > ? ORDER BY id",
            (world.observed_before,),
        ).fetchall()

    def records_of(self, world: World, link: Sequence[Any]) -> set[str]:
        """The record of an object and those that became it; of one that was restored or merged away, also where it
        belonged before."""
        found = {link[1]}
        at = (System(link[2]), Entity(link[3]), link[4])
        if link[5] == "barred" or any(one == at for _, _, one in world.ends.restored):
            mine = _whose_at(world, at)
            found |= self.claimed.get(link[0], set())
            found |= {
                one[1]
                for one in self.links.values()
                if one[1] is not None and one[3] == link[3] and mine & _whose_at(world, one[2:5])
            }
        further = found
        while further:
            further = {before for one in further for before in self.became.get(one, ())} - found
            found |= further
        return found


def _whose_at(world: World, at: Sequence[Any]) -> set[str]:
    """Whose an object ever was: a merge may have made it somebody else's."""
    thing = world.systems[System(at[0])].things.get((Entity(at[1]), at[2]))
    if thing is None:
        return set()
    return {people.whose(thing.entity, System(at[0]), one.attributes) for one in thing.versions} - {""}


# --- agreement (I1), doubles (I9), refused values (I18) ----------------------------------------------------------


def _agreement(world: World, groups: Mapping[tuple[Entity, str], Group]) -> None:
    tickets = [group for (entity, _), group in groups.items() if entity is Entity.TICKET]
    with_ticket = {_named_by(world, s, one) for group in tickets for s, found in group.items() for one in found}
    world.was_stuck, world.stuck = world.stuck, set()
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
                world.ends.mixed(one) or world.ends.of(one, Entity.CUSTOMER) for one in sorted(owners)
            )
            if len(owners) > 1 and not apart:
                broken(world, "I1", f"{whose}: the systems name different customers")


def _customer_of(world: World, system: System, ticket: Thing) -> str:
    reference = str(ticket.now.attributes.get(people.REFERENCE[system]) or "")
    thing = world.systems[system].things.get((Entity.CUSTOMER, reference))
    return people.whose(Entity.CUSTOMER, system, thing.now.attributes) if thing else ""


def _named_by(world: World, system: System, ticket: Thing) -> str:
    """Whose a ticket is; nobody's by an id that ended before anybody was shown it."""
    reference = str(ticket.now.attributes.get(people.REFERENCE[system]) or "")
    thing = world.systems[system].things.get((Entity.CUSTOMER, reference))
    known = thing is not None and (thing.live or thing.shown)
    return _customer_of(world, system, ticket) if known else ""


def _asked_about(world: World, system: System, things: Sequence[Thing]) -> set[str]:
    """Ids of those of one's objects that somebody is asked about: a person restored one beside what was made anew, or
    was merged with somebody, and what a create without an answer made landed beside that one's object."""
    if len(things) < 2:
        return set()
    there = {(system, thing.entity, thing.external_id): thing for thing in things}
    back = any(at in there for _, _, at in world.ends.restored)
    twins = (
        "SELECT 1 FROM link JOIN record ON record.id = link.record_id"
        " WHERE link.system = ? AND link.entity = ? AND link.external_id = ? AND record.twin"
    )
    return {
        at[2]
        for at, thing in there.items()
        if (back or (thing.made_by != "person" and world.ends.mixed(people.whose(at[1], system, thing.now.attributes))))
        and world.shelf.raw.execute(twins, tuple(map(str, at))).fetchone() is not None
    }


def _counted(world: World, entity: Entity, whose: str, group: Group, with_ticket: set[str]) -> None:
    for system in world.systems:
        things = group.get(system, [])
        count = len(things) - len(_asked_about(world, system, things))
        world.evaluated["I9"] += 1
        if count > 1 and (entity, whose) not in world.acts.spoken_of:
            broken(world, "I9", f"{whose} stands {count} times in {system}")
        needed = entity is Entity.TICKET or system is not System.GORGIAS or whose in with_ticket
        if _may_be_missing(world, system, entity, whose, group):
            continue
        world.evaluated["I1"] += 1
        if needed and not count:
            broken(world, "I1", f"{whose} is missing in {system}")


def _let_go(world: World, entity: Entity, whose: str) -> bool:
    """Whether the policy may have ended the record, or a person has to say who is who: not kept equal any more."""
    if (entity, whose) in world.acts.spoken_of or (entity is Entity.CUSTOMER and _in_question(world, whose)):
        return True
    return world.ends.means_anything and bool(world.ends.of(whose, entity))


def _in_question(world: World, whose: str) -> bool:
    """Whether a person is asked who is who among those that somebody merged: of one who was merged away before anybody
    read them, or where the objects of one person stand in several records by now. Until then they are not kept equal,
    nor once a person said that they are two.
    """
    if not world.ends.mixed(whose):
        return False
    names = world.ends.relatives(whose)
    merged = [one for name in names for one in world.ends.of(name, Entity.CUSTOMER) if one.kind == "merged"]
    asked = "SELECT count(*) FROM review WHERE state = 'open' AND kind IN ('ambiguous', 'twin', 'merge')"
    world.evaluated["I14"] += 1
    if world.shelf.raw.execute(asked).fetchone()[0] and not all(one.thing.shown for one in merged):
        return True
    return invariants_endings.asked_about(world, whose)


def _may_be_missing(world: World, system: System, entity: Entity, whose: str, group: Group) -> bool:
    """Deleted or merged away there, let go by the policy, or a ticket whose customer is not to be there."""
    if _gone(world, system, entity, whose) or _let_go(world, entity, whose) or world.ends.mixed(whose):
        return True
    if (whose, "*", system) in world.acts.excused:
        return True
    if entity is Entity.CUSTOMER:
        return False
    owners = {_named_by(world, at, one) for at, found in group.items() for one in found}
    return any(
        not owner
        or owner in world.ends.hidden()
        or not invariants_endings.stands(world, owner)
        or _gone(world, system, Entity.CUSTOMER, owner)
        or _let_go(world, Entity.CUSTOMER, owner)
        or world.ends.mixed(owner)
        or (owner, "*", system) in world.acts.excused
        for owner in sorted(owners)
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
        if people.alike(name, value, second):
            continue
        last = {edit.system: edit for edit in world.edits if (edit.whose, edit.field) == (whose, name)}
        typed = [last[system] for system in (one, other) if system in last and name != "tags"]
        # Where a person was asked about it, it may have been typed many days ago.
        if any(_taken_for_late(world, edit, since=0) for edit in typed):
            world.residue += 1
            world.say("residue", one, other, whose, name)
        else:
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
    met_anew = _restored_now(world) | _parted_now(world)
    for (entity, whose, name), found in edits.items():
        last = found[-1]
        # Who was merged with somebody edits what is one with theirs.
        theirs = (edits.get((entity, other, name), []) for other in world.ends.relatives(whose))
        alone = len({edit.system for edit in found + list(itertools.chain(*theirs))}) == 1
        if not alone or whose not in world.known or (whose, name) in world.stuck:
            continue
        if last.meaning is None and (whose in met_anew or not invariants_acts.may_blank(world, entity, name)):
            # Who is met as a new link fills a blank.
            continue
        if not invariants_acts.may_write(world, entity, last.system, name) or _said_otherwise(world, last):
            continue
        if _attribute_lost(world, whose, name) or _ended_meanwhile(world, last) or _met_unequal(world, last):
            continue
        world.evaluated["I3"] += 1
        if _is_residue(world, last) or taken_back_unread(world, last):
            continue
        for system, things in groups[entity, whose].items():
            if (whose, name, system) in world.acts.excused:
                continue
            shown = people.read(system, name, things[0].now.attributes)
            if not people.refused(system, name, last.meaning) and not people.alike(name, shown, last.meaning):
                broken(
                    world, "I3", f"{whose} {name}: {last.system} alone typed {last.meaning!r}, {system} shows {shown!r}"
                )


def _is_residue(world: World, edit: Edit) -> bool:
    """Whether a person typed what nobody can tell from our own write without an answer; counted, and told."""
    found = _taken_for_late(world, edit) or typed_back_over(world, edit)
    if found:
        world.residue += 1
        world.say("residue", edit.system, edit.entity, edit.external_id, edit.field)
    return found


def _taken_for_late(world: World, edit: Edit, *, since: int | None = None) -> bool:
    """Whether a person typed exactly what we had sent there without an answer, and it was taken for that write."""
    thing = world.systems[edit.system].things[edit.entity, edit.external_id]
    held = thing.versions[edit.place].attributes
    names = people.attributes_for(edit.system, edit.field)
    at = {name: (edit.system, edit.entity, edit.external_id, name) for name in names}
    if not all(one in world.unanswered and held.get(name) in world.sent.get(one, ()) for name, one in at.items()):
        return False
    late = world.shelf.raw.execute(
        "SELECT claims FROM decision WHERE rule = 'late' AND field = ? AND id > ?",
        (people.POLICY_FIELD.get(edit.field, edit.field), world.decided_before if since is None else since),
    )
    links = world.shelf.raw.execute(
        "SELECT id FROM link WHERE system = ? AND entity = ? AND external_id = ?",
        (str(edit.system), str(edit.entity), edit.external_id),
    )
    mine = {row[0] for row in links}
    shown = ({name: held.get(name) for name in names}, held.get(names[0]))
    claims = (claim for row in late for claim in json.loads(row[0] or "[]"))
    return any(claim["link"] in mine and claim["theirs"] in shown for claim in claims)


def _done_by_hand(world: World, edit: Edit, whose: str) -> bool:
    """Whether a person put in or took out a tag as a write without an answer was to do: taken for that write."""
    if (edit.epoch, edit.whose, edit.field) != (world.epoch, whose, "tags"):
        return False
    sign, tag = edit.meaning
    (name,) = people.attributes_for(edit.system, "tags")
    at = (edit.system, edit.entity, edit.external_id, name)
    return at in world.unanswered and any((tag in (sent or ())) == (sign == "+") for sent in world.sent.get(at, ()))


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


def _met_unequal(world: World, edit: Edit) -> bool:
    """Whether the field was not equal when the epoch began, or its object was met anew in it.

    What waited then is a claim that this system had not been shown. Who was parted and joined again is met as a new
    link: the record's value stays, and what it shows is told as the loser. A phone tells people apart: where they were
    merged it does not travel.
    """
    held = any((edit.whose, edit.field, system) in world.acts.held_over for system in world.systems)
    held |= (edit.whose, edit.field) in world.was_stuck
    parted = (world.epoch, edit.system, edit.external_id) in world.acts.parted
    return held or parted or (world.ends.mixed(edit.whose) and (edit.field == "phone" or _merged_now(world, edit)))


def _merged_now(world: World, edit: Edit) -> bool:
    """Whether the record of what was edited was made one with another in this epoch, whenever the merge was seen: what
    kept them apart may have ended since."""
    asked = (
        "SELECT count(*) FROM decision d JOIN link l ON l.record_id IN (d.record_id, json_extract(d.value, '$.merged'))"
        " WHERE d.rule = 'merge' AND d.field = '*' AND d.id > ?"
        " AND l.system = ? AND l.entity = ? AND l.external_id = ?"
    )
    at = (str(edit.system), str(edit.entity), edit.external_id)
    return bool(world.shelf.raw.execute(asked, (world.decided_before, *at)).fetchone()[0])


def _said_otherwise(world: World, edit: Edit) -> bool:
    """Whether a person at the desk decided the field after this edit, or what was typed there is not judged yet."""
    if (edit.whose, edit.field, edit.system) in world.acts.excused:
        return True
    # Who was merged with somebody is decided about under either name.
    names = world.ends.relatives(edit.whose)
    last = max((world.acts.decided_here.get((one, edit.field), -1) for one in names), default=-1)
    return last > world.edits.index(edit)


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
            if (tag in people.read(system, "tags", things[0].now.attributes)) == (signs == {"+"}):
                continue
            if any(_done_by_hand(world, edit, whose) for edit in world.edits):
                world.residue += 1
                world.say("residue", system, things[0].entity, things[0].external_id, "tags")
            else:
                broken(world, "I11", f"{whose} {tag}: {signs} in one system, not so in {system}")


def _restored_now(world: World) -> set[str]:
    """Whose objects came back in this epoch: what these show is joined to what the others hold."""
    return {
        people.whose(at[1], at[0], world.systems[at[0]].things[at[1], at[2]].now.attributes)
        for epoch, _, at in world.ends.restored
        if epoch == world.epoch
    }


def _parted_now(world: World) -> set[str]:
    """Customers of whom an object was parted from the record and joined again in this epoch: what it shows fills a
    blank, where it was not shown that somebody made one."""
    gone = {(system, external_id) for epoch, system, external_id in world.acts.parted if epoch == world.epoch}
    found = ((system, world.systems[system].things[Entity.CUSTOMER, external_id]) for system, external_id in gone)
    return {people.whose(Entity.CUSTOMER, system, thing.now.attributes) for system, thing in found}


# --- our own echo never wins (I6) --------------------------------------------------------------------------------


def _winners(world: World, ledger: Tables) -> None:
    flips: dict[tuple[str, str], int] = defaultdict(int)
    for one in ledger.fresh:
        winner = one["winner"]
        if not winner or one["cause"] != "change" or one["field"] in ("tags", "customer", "*"):
            continue
        link = ledger.links[winner["link"]]
        system, entity = System(link[2]), Entity(link[3])
        thing = world.systems[system].things[entity, link[4]]
        wrote = authors(system, entity, thing, one["field"], winner["theirs"])
        world.evaluated["I6"] += 1
        other = [claim for claim in one["claims"] or () if claim["theirs"] != winner["theirs"]]
        if wrote and not {"person", "merge"} & wrote and (other or one["replaced"] != one["value"]):
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


def _stored(world: World, ledger: Tables) -> None:
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
            cells = spelt_out(link[6] or "{}")
            for name, theirs in observe(system, entity, thing.now.attributes).items():
                cell = cells.get(name)
                if cell is not None and cell.get("s") != theirs:
                    broken(world, "I7", f"{system} {entity} {external_id}: {name} is believed to be {cell.get('s')!r}")


def _one_link(world: World, ledger: Tables) -> None:
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
                value = reading(system, entity, name, theirs)
                if value is UNSET:
                    continue
                try:
                    again = mapping.get(mapping.put(value, LEXICON[system]), value, LEXICON[system])
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
