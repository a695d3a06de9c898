"""What must hold of people's words (I19) and of undo (I21), and what they excuse in the other checks.

Looked at before each call and after each quiet, from what people were shown and said (`operators`), from what really
stands in the systems, and from the bare tables of the ledger. What is different on purpose is excused by name only, as
long as both sides are as they were when somebody said so.
"""

from __future__ import annotations

import itertools
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sync_platform.connectors.protocol import Change
from sync_platform.core.mappings import observe
from sync_platform.core.normalize import blank
from sync_platform.core.records import SYSTEMS, Entity, Json, System, Verb, payload_hash
from sync_platform.simulation import invariants_replay, people
from sync_platform.simulation.endings import where
from sync_platform.simulation.invariants_replay import decisions
from sync_platform.simulation.operators import Undone, Word, loaded, value_of
from sync_platform.simulation.systems import Thing
from sync_platform.simulation.truth import Edit, broken, typed_back_over

if TYPE_CHECKING:
    from sync_platform.simulation.world import World

WHOLE = "*"
OURS = {theirs: ours for ours, theirs in people.POLICY_FIELD.items()}
FLIPS = 3

Excuse = tuple[str, str, System]


def check(world: World) -> None:
    """Everything about people's words that must hold once nothing moves any more."""
    if not world.acts.playing:
        invariants_replay.check(world)
        return
    _held_is_not_judged(world)
    _dropped_is_not_judged(world)
    _answers_as_given(world)
    _plans_as_said(world)
    _undone(world)
    invariants_replay.check(world)


# --- what is different on purpose --------------------------------------------------------------------------------


def excused(world: World) -> set[Excuse]:
    """(whose, field, system) that may differ now, because it is held, in review, or was left so by a person; `*` is a
    whole object that may be missing."""
    if not world.acts.playing:
        # A value that goes to and fro is handed to a person also where nobody is at the desk.
        asked = "SELECT 1 FROM review WHERE kind = 'field' AND state = 'open'"
        return set(_in_review(world, _Owners(world))) if world.shelf.raw.execute(asked).fetchone() else set()
    owners = _Owners(world)
    return {*_held(world, owners), *_in_review(world, owners), *_left(world, owners)}


class _Owners:
    """Whose each record is, and its objects, from the links and what really stands there."""

    def __init__(self, world: World) -> None:
        self.things: dict[tuple[str, System], Thing] = {}
        self.names: dict[str, str] = {}
        self.everybody: dict[str, set[str]] = defaultdict(set)
        rows = world.shelf.raw.execute(
            "SELECT record_id, system, entity, external_id FROM link WHERE record_id IS NOT NULL AND state = 'active'"
        )
        for record, name, entity, external_id in rows.fetchall():
            system = System(name)
            thing = world.systems[system].things.get((Entity(entity), external_id))
            if thing is not None:
                self.things[record, system] = thing
                self.names[record] = people.whose(thing.entity, system, thing.now.attributes)
                self.everybody[record].add(self.names[record])

    def excuse(self, record: str, field: str, system: System) -> Iterator[Excuse]:
        """What may differ there of a record, by whose its object there is; without one, by all whom merges made one."""
        thing = self.things.get((record, system))
        found = {people.whose(thing.entity, system, thing.now.attributes)} if thing else self.everybody.get(record, ())
        for whose in sorted(found):
            yield whose, OURS.get(field, field), system

    def holds(self, record: str, system: System, name: str) -> str:
        """The hash of what the object holds in a field now; empty where there is none."""
        thing = self.things.get((record, system))
        if thing is None:
            return ""
        shown = observe(system, thing.entity, thing.now.attributes)
        return payload_hash(shown[name]) if name in shown else ""


def _held(world: World, owners: _Owners) -> Iterator[Excuse]:
    rows = world.shelf.raw.execute(
        "SELECT i.stage, i.system, i.field, i.record_id, i.hash, h.id, h.count, h.state FROM hold_item i"
        " JOIN hold h ON h.id = i.hold_id WHERE i.state = 'held'"
    ).fetchall()
    counts: dict[int, int] = defaultdict(int)
    for stage, name, field, record, digest, hold, _, state in rows:
        system = System(name)
        counts[hold] += state == "open"
        if state != "open":
            broken(world, "I1", f"{field} of {record} is held under hold {hold}, and nobody is told")
        if field == WHOLE or stage == "intents" or owners.holds(record, system, field) == digest:
            yield from owners.excuse(record, field, system)
    for _, _, _, _, _, hold, count, state in rows:
        if state == "open" and count != counts[hold]:
            broken(world, "I1", f"hold {hold} says {count}, and {counts[hold]} are held")


def _in_review(world: World, owners: _Owners) -> Iterator[Excuse]:
    rows = world.shelf.raw.execute(
        "SELECT record_id, field FROM review WHERE kind = 'field' AND state = 'open'"
    ).fetchall()
    for record, field in rows:
        flips = world.shelf.raw.execute(
            "SELECT count(*) FROM decision WHERE record_id = ? AND field = ?", (record, field)
        ).fetchone()[0]
        # A value that goes to and fro is handed to a person as well.
        if field not in world.acts.reviewable and flips < FLIPS:
            broken(world, "I1", f"{field} of {record} is in review, and no policy says so")
        for system in SYSTEMS:
            yield from owners.excuse(record, field, system)


def _left(world: World, owners: _Owners) -> Iterator[Excuse]:
    """Dropped, or left apart: as long as neither the record nor the system moved since."""
    for word in world.acts.dropped:
        field, system = word.key[4], System(word.key[1])
        stands = owners.holds(word.record, system, field)
        was = word.hash if word.key[0] == "claims" else word.pre
        told = value_of(world, word.record, field)
        still = told == word.value or (field == "status" and _one_word(system, told, word.value))
        if field == WHOLE or (stands == was and still):
            yield from owners.excuse(word.record, field, system)
    for answer in world.acts.answers:
        if answer.kind != "leave":
            continue
        last = world.shelf.raw.execute(
            "SELECT value, claims FROM decision WHERE record_id = ? AND field = ? AND rule = 'left_apart'"
            " ORDER BY id DESC LIMIT 1",
            (answer.record, answer.field),
        ).fetchone()
        if last is None:
            continue
        if value_of(world, answer.record, answer.field) != json.dumps(_loaded(last[0]), sort_keys=True):
            continue
        for claim in json.loads(last[1] or "[]"):
            system = System(claim["system"])
            if owners.holds(answer.record, system, answer.field) == payload_hash(claim["theirs"]):
                yield from owners.excuse(answer.record, answer.field, system)


def _one_word(system: System, *told: str) -> bool:
    """Whether a system has one word for these states: who moves between them owes it nothing new."""
    return len({people.STATES[system].get(json.loads(one or "null")) for one in told}) == 1


def _loaded(value: Any) -> Json:
    """A JSON column of SQLite gives a bare number back as a number."""
    return json.loads(value) if isinstance(value, str) else value


def touched(world: World) -> dict[tuple[str, str], int]:
    """(whose, field) → how many edits there were when a person last decided it, in this epoch or before."""
    if not world.acts.touched:
        return {}
    owners = _Owners(world)
    out: dict[tuple[str, str], int] = {}
    for (record, field), edits in world.acts.touched.items():
        key = owners.names.get(record, ""), OURS.get(field, field)
        out[key] = max(edits, out.get(key, 0))
    return out


def may_write(world: World, entity: Entity, system: System, name: str) -> bool:
    """Whether each policy of this epoch lets a system say a field."""
    policies = world.acts.policies or [world.policy]
    ours = people.POLICY_FIELD.get(name, name)
    return all(system in one.entities[entity].fields[ours].writers for one in policies)


def may_blank(world: World, entity: Entity, name: str) -> bool:
    """Whether each policy of this epoch lets a blank win."""
    policies = world.acts.policies or [world.policy]
    ours = people.POLICY_FIELD.get(name, name)
    return all(one.entities[entity].fields[ours].empty == "clear" for one in policies)


# --- at a call ---------------------------------------------------------------------------------------------------


def at_any_call(world: World, system: System) -> None:
    """A call sets out: nobody said that nothing is to be done."""
    if world.acts.playing:
        world.evaluated["I19"] += 1
        if world.acts.silent:
            broken(world, "I19", f"{system} is called in a run that began while the platform was paused")


def at_call(world: World, system: System, change: Change) -> None:
    """A write sets out: nobody holds it, nobody dropped it, and what an undo writes is what somebody approved."""
    acts = world.acts
    if not acts.playing or change.verb is Verb.ERASE:
        return
    raw = world.shelf.raw
    row = raw.execute("SELECT record_id, payload, numbers FROM intent WHERE id = ?", (change.token,)).fetchone()
    if row is None:
        return
    record, values, numbers = str(row[0]), json.loads(row[1])["values"], json.loads(row[2] or "{}")
    payloads = {name: payload_hash(value) for name, value in values.items()}
    if change.verb is not Verb.UPDATE:
        payloads = {WHOLE: payload_hash(dict(values))}
    for name, digest in payloads.items():
        key = ("intents", str(system), str(change.entity), str(change.verb), name)
        world.evaluated["I19"] += 1
        if not _taken_over(world, change.token, key):
            _not_held(world, key, record, digest)
        _not_dropped(world, key, record, digest, int(numbers.get(name, 0)))
        _as_approved(world, key, record, digest, int(numbers.get(name, 0)))
        _undo_as_approved(world, key, record, digest, int(numbers.get(name, 0)))
        acts.sent.add((*key[1:], record + digest))


Key = tuple[str, str, str, str, str]


def _taken_over(world: World, token: str, key: Key) -> bool:
    """Whether another process opened this hold while the call of one that works no more was on its way."""
    row = world.shelf.raw.execute(
        "SELECT i.run FROM intent i, hold h WHERE i.id = ? AND h.state = 'open' AND h.at >= i.sent_at"
        " AND h.stage = ? AND h.system = ? AND h.entity = ? AND h.verb = ? AND h.field = ?",
        (token, *key),
    ).fetchone()
    return row is not None and row[0] != world.owner


def _not_held(world: World, key: Key, record: str, digest: str) -> None:
    """Under an open hold goes only what a person approved, by its hash."""
    hold = world.shelf.raw.execute(
        "SELECT id FROM hold"
        " WHERE state = 'open' AND stage = ? AND system = ? AND entity = ? AND verb = ? AND field = ?",
        key,
    ).fetchone()
    if hold is None or not loaded(world):
        return
    if not _approved(world, key, record, digest) and not _of_a_plan(world, key, record, digest):
        broken(world, "I19", f"{key} of {record} is written while it is held")


def _approved(world: World, key: Key, record: str, digest: str) -> bool:
    return any(one.key == key and one.record == record and one.hash == digest for one in world.acts.approved)


def _of_a_plan(world: World, key: Key, record: str, digest: str) -> bool:
    return any(
        item["record"] == record and item["system"] == key[1] and item["payload"].get(key[4]) == digest
        for plan in world.acts.undone.values()
        if plan.approved
        for item in plan.items
    )


def _not_dropped(world: World, key: Key, record: str, digest: str, number: int) -> None:
    for word in world.acts.dropped:
        if (word.key, word.record, word.hash) != (key, record, digest) or word.edits != len(world.edits):
            continue
        # What stood there moved, was held anew, and a person said yes to that.
        held_anew = any(
            (one.key, one.record, one.hash) == (key, record, digest) and one.pre != word.pre
            for one in world.acts.approved
        )
        if (key[4] == WHOLE or number <= word.decided) and not held_anew and not _joined_since(world, record, word):
            broken(world, "I19", f"{key} of {record} was dropped and is written")


def _joined_since(world: World, record: str, word: Word) -> bool:
    """Whether an object was joined or taken back after the word: it is met anew, and owed what the record says."""
    return bool(
        world.shelf.raw.execute(
            "SELECT count(*) FROM decision"
            " WHERE record_id = ? AND id > ? AND (rule IN ('link', 'restored') OR cause = 'first_link')",
            (record, word.newest),
        ).fetchone()[0]
    )


def _as_approved(world: World, key: Key, record: str, digest: str, number: int) -> None:
    """What moved on after an approval, before it was written, is not what was approved."""
    said = [one for one in world.acts.approved if one.key == key and one.record == record]
    if not said or any(one.hash == digest for one in said):
        return
    word = said[-1]
    system = System(key[1])
    since = world.shelf.raw.execute(
        "SELECT count(*) FROM decision WHERE record_id = ? AND field = ? AND id > ?", (record, key[4], word.newest)
    ).fetchone()[0]
    owners = _Owners(world)
    still = owners.holds(record, system, key[4]) == word.pre
    unsent = (*key[1:], record + word.hash) not in world.acts.sent
    moved = (
        key[4] != WHOLE
        and since == 1
        and number > word.newest
        and word.edits >= sum(edit.epoch < world.epoch for edit in world.edits)
    )
    thing = owners.things.get((record, system))
    # What was gone meanwhile was owed nothing: the hold was over, and what is owed since is counted anew.
    back = thing and any((epoch, at) == (world.epoch, where(system, thing)) for epoch, _, at in world.ends.restored)
    back = back or _outlived(world, record, word)
    if moved and still and unsent and not back and not _of_a_plan(world, key, record, digest):
        broken(world, "I19", f"{key} of {record}: another value is written than was approved")


def _outlived(world: World, record: str, word: Word) -> bool:
    """Whether the record ended after the word and lives on for an edit."""
    asked = "SELECT count(*) FROM decision WHERE record_id = ? AND id > ? AND field = '*' AND rule = 'edit_wins'"
    return bool(world.shelf.raw.execute(asked, (record, word.newest)).fetchone()[0])


def _undo_as_approved(world: World, key: Key, record: str, digest: str, number: int) -> None:
    row = world.shelf.raw.execute("SELECT cause FROM decision WHERE id = ?", (number,)).fetchone()
    if row is None or row[0] != "undo" or key[3] != Verb.UPDATE:
        return
    plans = [
        one
        for one in world.acts.undone.values()
        if one.approved and _names(one, record, key[4]) and (record, key[4]) not in _refused_by(world, one.plan)
    ]
    # What the plans before the last one restored was given up by it.
    named = [
        item["payload"][key[4]]
        for plan in plans[-1:]
        for item in plan.items
        if item["record"] == record and item["system"] == key[1] and key[4] in item["payload"]
    ]
    # A system that moved since the plan was carried out is owed the restored value as any other.
    if named and digest not in named and not _approved(world, key, record, digest):
        broken(world, "I19", f"{key} of {record}: an undo writes what nobody approved")


def _refused_by(world: World, plan: str) -> set[tuple[str, str]]:
    """(record, field) of what an approved plan was not carried out for."""
    row = world.shelf.raw.execute("SELECT summary FROM plan WHERE id = ?", (plan,)).fetchone()
    return {(one["record"], one["field"]) for one in json.loads(row[0])["refused"]} if row else set()


# --- words after a quiet -----------------------------------------------------------------------------------------


def _held_is_not_judged(world: World) -> None:
    """While a hold is open for blanks of a system's field, no such blank wins but those that were approved."""
    holds = world.shelf.raw.execute(
        "SELECT system, entity, field, at, closed_at FROM hold WHERE stage = 'claims'"
    ).fetchall()
    for one in decisions(world, "id > ? AND cause = 'change'", world.decided_before):
        winner = one["winner"]
        if not winner or winner["number"] != one["id"] or not blank(one["value"]) or blank(one["replaced"]):
            continue
        world.evaluated["I19"] += 1
        digest = payload_hash(winner["theirs"])
        key = ("claims", winner["system"], one["entity"], "blanked", one["field"])
        if any((word.key, word.record, word.hash) == (key, one["record_id"], digest) for word in world.acts.approved):
            continue
        for system, entity, field, at, closed_at in holds:
            same_key = (system, entity, field) == (winner["system"], one["entity"], one["field"])
            if same_key and at < one["at"] and (closed_at is None or closed_at > one["at"]):
                broken(world, "I19", f"{field} of {one['record_id']}: a blank of {system} won while it was held")


def _dropped_is_not_judged(world: World) -> None:
    """A blank that was dropped never wins afterwards, unless somebody typed there since."""
    for word in world.acts.dropped:
        if word.key[0] != "claims" or word.newest < world.decided_before:
            continue
        system, field = System(word.key[1]), word.key[4]
        world.evaluated["I19"] += 1
        thing = _Owners(world).things.get((word.record, system))
        names = people.attributes_for(system, OURS.get(field, field)) if thing and _plain(field) else ()
        edited = any(
            set(names) & version.touched and version.by == "person" and _since(world, thing, version, word)
            for version in (thing.versions if thing else ())
        )
        if edited or not names:
            continue
        for one in decisions(world, "id > ? AND record_id = ? AND field = ?", word.newest, word.record, field):
            winner = one["winner"] or {}
            if winner.get("link") == word.link and payload_hash(winner["theirs"]) == word.hash:
                broken(world, "I19", f"{field} of {word.record}: a blank that was dropped won")


def _plain(field: str) -> bool:
    name = OURS.get(field, field)
    return any(name in of for of in people.FIELDS.values())


def _since(world: World, thing: Thing | None, version: Any, word: Word) -> bool:
    """Whether a version came after a word: it is that of a later edit."""
    place = thing.versions.index(version) if thing else -1
    return any(
        edit.external_id == (thing.external_id if thing else "") and edit.place == place
        for edit in world.edits[word.edits :]
    )


def _answers_as_given(world: World) -> None:
    """A question is closed by an answer only upon the claims that the person was shown."""
    for one in decisions(world, "id > ? AND rule IN ('resolved', 'left_apart')", world.decided_before):
        said = [a for a in world.acts.answers if (a.record, a.field) == (one["record_id"], one["field"])]
        world.evaluated["I19"] += 1
        seen = frozenset((c["system"], json.dumps(c["theirs"], sort_keys=True)) for c in one["claims"] or ())
        if not any(answer.claims == seen and answer.newest < one["id"] for answer in said):
            broken(world, "I19", f"{one['field']} of {one['record_id']} was resolved upon other claims than shown")


def _plans_as_said(world: World) -> None:
    """An approved plan does for each of its fields exactly one thing, or says why not; others do nothing."""
    undone = decisions(world, "id > ? AND cause = 'undo'", world.decided_before)
    allowed = {
        (item["record"], name)
        for plan in world.acts.undone.values()
        if plan.approved
        for item in plan.items
        for name in item["fields"]
    }
    for one in undone:
        world.evaluated["I19"] += 1
        if (one["record_id"], one["field"]) not in allowed:
            broken(world, "I19", f"{one['field']} of {one['record_id']} was undone, and nobody approved it")


# --- undo --------------------------------------------------------------------------------------------------------


def _undone(world: World) -> None:
    """What was undone and not touched since is what it was, in every system; what was touched since is not undone."""
    excuses = excused(world)
    owners = _Owners(world)
    words = touched(world)
    for plan in world.acts.undone.values():
        if plan.checked or not plan.approved:
            continue
        row = world.shelf.raw.execute("SELECT state, summary FROM plan WHERE id = ?", (plan.plan,)).fetchone()
        if row is None or row[0] != "done":
            continue
        plan.checked = True
        refused = {(one["record"], one["field"]) for one in json.loads(row[1])["refused"]}
        for item in (one for one in plan.items if one["verb"] == Verb.UPDATE):
            for name in item["fields"]:
                if item["record"] in owners.names:
                    _edited_since(world, plan, item, name, owners, excuses)
                if (item["record"], name) not in refused and item["record"] in owners.names:
                    _restored(world, plan, item, name, owners, excuses, words)


def _restored(
    world: World,
    plan: Undone,
    item: Mapping[str, Any],
    field: str,
    owners: _Owners,
    excuses: set[Excuse],
    words: Mapping[tuple[str, str], int],
) -> None:
    whose, name = owners.names[item["record"]], OURS.get(field, field)
    first = world.shelf.raw.execute(
        "SELECT min(id) FROM decision WHERE record_id = ? AND field = ? AND id > ?",
        (item["record"], field, plan.decided_before),
    ).fetchone()[0]
    later = any((edit.whose, edit.field) == (whose, name) for edit in world.edits[plan.edits :])
    acts = [one for one in world.acts.undone.values() if one.approved and _names(one, item["record"], field)]
    if plan.epoch != world.epoch or later or first != item["facts"][field]["restores"] or len(acts) > 1:
        return
    if words.get((whose, name), 0) > plan.edits or world.ends.of(whose, Entity(item["entity"])):
        return
    if world.ends.mixed(whose) or any(epoch == world.epoch for epoch, _, _ in world.acts.parted):
        # A merge fills what is blank, as who is met anew does; a phone waits until somebody says who is who.
        return
    if any((world.epoch, whose, one) in world.overwritten for s in SYSTEMS for one in _attributes(s, name)):
        return
    if not _was_level(plan, whose, name):
        # Where a write was held or on its way, a system is given what the record held, and not what it held itself.
        return
    for system in SYSTEMS:
        thing = owners.things.get((item["record"], system))
        was = plan.before.get((whose, name, system))
        if thing is None or not thing.live or (whose, name, system) in excuses or (whose, name) in world.stuck:
            continue
        if (whose, name, system) not in plan.before:
            continue
        shown = people.read(system, name, thing.now.attributes)
        world.evaluated["I21"] += 1
        if not (shown == was if name == "tags" else people.alike(name, shown, was)):
            broken(world, "I21", f"{whose} {name}: undone, {system} held {was!r} and shows {shown!r}")


def _was_level(plan: Undone, whose: str, name: str) -> bool:
    """Whether all systems showed the same before what was undone: each as each other, as one may say less than they."""
    held = [value for (of, field, _), value in plan.before.items() if (of, field) == (whose, name)]
    pairs = itertools.combinations(held, 2)
    return all(one == other if name == "tags" else people.alike(name, one, other) for one, other in pairs)


def _edited_since(
    world: World, plan: Undone, item: Mapping[str, Any], field: str, owners: _Owners, excuses: set[Excuse]
) -> None:
    """What somebody alone typed after the plan was drawn up is what everybody shows, whatever was approved later."""
    whose, name = owners.names[item["record"]], OURS.get(field, field)
    later = [edit for edit in world.edits[plan.edits :] if (edit.whose, edit.field) == (whose, name)]
    entity = Entity(item["entity"])
    if plan.epoch != world.epoch or not later or (whose, name) not in plan.level or name in ("tags", "status"):
        return
    last = later[-1]
    if len({edit.system for edit in later}) > 1 or not may_write(world, entity, last.system, name):
        return
    others = [one for one in world.acts.undone.values() if one.approved and _names(one, item["record"], field)]
    if len(others) > 1 or world.acts.touched.get((item["record"], field), 0) > plan.edits:
        return
    if last.meaning is None or (whose, name) in world.stuck or world.ends.of(whose, entity):
        return
    lost = any((world.epoch, whose, one) in world.overwritten for s in SYSTEMS for one in _attributes(s, name))
    # A merge is judged by the first-link rule, and a phone waits until somebody says who is who.
    if lost or world.ends.mixed(whose) or (whose, name, last.system) in excuses:
        return
    if typed_back_over(world, last):
        return
    if _met_anew(world, item["record"], last, owners) or _typed_back(world, plan, item["record"], field, later):
        return
    for system in SYSTEMS:
        thing = owners.things.get((item["record"], system))
        if thing is None or not thing.live:
            continue
        # Of one record objects may bear several names: each is held under its own.
        if (people.whose(entity, system, thing.now.attributes), name, system) in excuses:
            continue
        shown = people.read(system, name, thing.now.attributes)
        world.evaluated["I21"] += 1
        if not people.refused(system, name, last.meaning) and not people.alike(name, shown, last.meaning):
            broken(world, "I21", f"{whose} {name}: undone over {last.meaning!r}, {system} shows {shown!r}")


def _met_anew(world: World, record: str, last: Edit, owners: _Owners) -> bool:
    """Whether what was typed into was parted from the record: for good, or it is told anew what the record says."""
    edited = owners.things.get((record, last.system))
    return (
        edited is None
        or edited.external_id != last.external_id
        or (world.epoch, last.system, last.external_id) in world.acts.parted
    )


def _typed_back(world: World, plan: Undone, record: str, field: str, later: Sequence[Edit]) -> bool:
    """Whether there stands again what stood there when the plan was drawn up, and nobody read it in between."""
    first, last = later[0], later[-1]
    versions = world.systems[first.system].things[first.entity, first.external_id].versions
    was = people.read(first.system, first.field, versions[first.place - 1].attributes)
    read = world.shelf.raw.execute(
        "SELECT count(*) FROM decision WHERE record_id = ? AND field = ? AND id > ? AND cause = 'change'",
        (record, field, plan.decided),
    ).fetchone()[0]
    return not read and people.alike(last.field, was, last.meaning)


def _names(plan: Undone, record: str, field: str) -> bool:
    return any(item["record"] == record and field in item["fields"] for item in plan.items)


def _attributes(system: System, name: str) -> tuple[str, ...]:
    return people.attributes_for(system, name) if _plain(name) else ()
