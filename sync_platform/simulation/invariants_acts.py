"""What must hold of people's words (I19), of replay (I20) and of undo (I21), and what they excuse in the other checks.

Looked at before each call and after each quiet, from what people were shown and said (`operators`), from what really
stands in the systems, and from the bare tables of the ledger. What is different on purpose is excused by name only, as
long as both sides are as they were when somebody said so.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from sync_platform.connectors.protocol import Change
from sync_platform.core.mappings import Lexicon, field_maps, observe
from sync_platform.core.normalize import blank
from sync_platform.core.policy import Policy
from sync_platform.core.records import SYSTEMS, Claim, Entity, Json, RecordId, System, Verb, payload_hash
from sync_platform.core.replay import PERSON, Court, Judgement, Row
from sync_platform.core.scene import same
from sync_platform.simulation import people
from sync_platform.simulation.operators import Undone, Word, loaded, value_of
from sync_platform.simulation.systems import Thing
from sync_platform.simulation.truth import broken

if TYPE_CHECKING:
    from sync_platform.simulation.world import World

WHOLE = "*"
OURS = {theirs: ours for ours, theirs in people.POLICY_FIELD.items()}
# Says what was not judged, beside the value that the record had.
OVERTAKEN = "overtaken"
FLIPS = 3
SET_FIELDS = ("tags", "customer")

Excuse = tuple[str, str, System]


def check(world: World) -> None:
    """Everything about people's words that must hold once nothing moves any more."""
    if not world.acts.playing:
        _replayed(world)
        return
    _held_is_not_judged(world)
    _dropped_is_not_judged(world)
    _answers_as_given(world)
    _plans_as_said(world)
    _undone(world)
    _replayed(world)


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
        rows = world.shelf.raw.execute(
            "SELECT record_id, system, entity, external_id FROM link WHERE record_id IS NOT NULL AND state = 'active'"
        )
        for record, name, entity, external_id in rows.fetchall():
            system = System(name)
            thing = world.systems[system].things.get((Entity(entity), external_id))
            if thing is not None:
                self.things[record, system] = thing
                self.names[record] = people.whose(thing.entity, system, thing.now.attributes)

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
            yield owners.names.get(record, ""), OURS.get(field, field), system
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
            yield owners.names.get(record, ""), OURS.get(field, field), system


def _left(world: World, owners: _Owners) -> Iterator[Excuse]:
    """Dropped, or left apart: as long as neither the record nor the system moved since."""
    for word in world.acts.dropped:
        field, system = word.key[4], System(word.key[1])
        stands = owners.holds(word.record, system, field)
        was = word.hash if word.key[0] == "claims" else word.pre
        still = field == WHOLE or (stands == was and value_of(world, word.record, field) == word.value)
        if still:
            yield owners.names.get(word.record, ""), OURS.get(field, field), system
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
                yield owners.names.get(answer.record, ""), OURS.get(answer.field, answer.field), system


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
        _not_held(world, key, record, digest)
        _not_dropped(world, key, record, digest, int(numbers.get(name, 0)))
        _as_approved(world, key, record, digest, int(numbers.get(name, 0)))
        _undo_as_approved(world, key, record, digest, int(numbers.get(name, 0)))
        acts.sent.add((*key[1:], record + digest))


Key = tuple[str, str, str, str, str]


def _not_held(world: World, key: Key, record: str, digest: str) -> None:
    """Under an open hold goes only what a person approved, by its hash."""
    hold = world.shelf.raw.execute(
        "SELECT id FROM hold"
        " WHERE state = 'open' AND stage = ? AND system = ? AND entity = ? AND verb = ? AND field = ?",
        key,
    ).fetchone()
    if hold is None or not loaded(world):
        return
    approved = any(one.key == key and one.record == record and one.hash == digest for one in world.acts.approved)
    if not approved and not _of_a_plan(world, key, record, digest):
        broken(world, "I19", f"{key} of {record} is written while it is held")


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
        if key[4] == WHOLE or number <= word.decided:
            broken(world, "I19", f"{key} of {record} was dropped and is written")


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
    moved = key[4] != WHOLE and since == 1 and number > word.newest and word.edits >= _quiet_at(world)
    if moved and still and unsent and not _of_a_plan(world, key, record, digest):
        broken(world, "I19", f"{key} of {record}: another value is written than was approved")


def _quiet_at(world: World) -> int:
    """How many edits there were at the last quiet."""
    return sum(1 for edit in world.edits if edit.epoch < world.epoch)


def _undo_as_approved(world: World, key: Key, record: str, digest: str, number: int) -> None:
    row = world.shelf.raw.execute("SELECT cause FROM decision WHERE id = ?", (number,)).fetchone()
    if row is None or row[0] != "undo" or key[3] != Verb.UPDATE:
        return
    plans = [plan for plan in world.acts.undone.values() if plan.approved]
    named = [
        item["payload"][key[4]]
        for plan in plans
        for item in plan.items
        if item["record"] == record and item["system"] == key[1] and key[4] in item["payload"]
    ]
    # A system that moved since the plan was carried out is owed the restored value as any other.
    if named and digest not in named:
        broken(world, "I19", f"{key} of {record}: an undo writes what nobody approved")


# --- words after a quiet -----------------------------------------------------------------------------------------


def _rows(world: World, more: str, *values: Any) -> list[dict[str, Any]]:
    names = (
        "id",
        "record_id",
        "entity",
        "field",
        "value",
        "rule",
        "policy",
        "winner",
        "claims",
        "replaced",
        "cause",
        "at",
    )
    statement = f"SELECT {', '.join(names)} FROM decision WHERE {more} ORDER BY id"  # noqa: S608
    found = world.shelf.raw.execute(statement, values)
    out = []
    for row in found.fetchall():
        one = dict(zip(names, row, strict=True))
        for name in ("value", "winner", "claims", "replaced"):
            # A JSON column of SQLite gives a bare number back as a number.
            one[name] = json.loads(one[name]) if isinstance(one[name], str) else one[name]
        out.append(one)
    return out


def _held_is_not_judged(world: World) -> None:
    """While a hold is open for blanks of a system's field, no such blank wins but those that were approved."""
    holds = world.shelf.raw.execute(
        "SELECT system, entity, field, at, closed_at FROM hold WHERE stage = 'claims'"
    ).fetchall()
    for one in _rows(world, "id > ? AND cause = 'change'", world.decided_before):
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
        for one in _rows(world, "id > ? AND record_id = ? AND field = ?", word.newest, word.record, field):
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
    for one in _rows(world, "id > ? AND rule IN ('resolved', 'left_apart')", world.decided_before):
        said = [a for a in world.acts.answers if (a.record, a.field) == (one["record_id"], one["field"])]
        world.evaluated["I19"] += 1
        seen = frozenset((c["system"], json.dumps(c["theirs"], sort_keys=True)) for c in one["claims"] or ())
        if not any(answer.claims == seen and answer.newest < one["id"] for answer in said):
            broken(world, "I19", f"{one['field']} of {one['record_id']} was resolved upon other claims than shown")


def _plans_as_said(world: World) -> None:
    """An approved plan does for each of its fields exactly one thing, or says why not; others do nothing."""
    undone = _rows(world, "id > ? AND cause = 'undo'", world.decided_before)
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
    if any((world.epoch, whose, one) in world.overwritten for s in SYSTEMS for one in _attributes(s, name)):
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
    if any((world.epoch, whose, one) in world.overwritten for s in SYSTEMS for one in _attributes(s, name)):
        return
    if (whose, name, last.system) in excuses:
        return
    for system in SYSTEMS:
        thing = owners.things.get((item["record"], system))
        if thing is None or not thing.live or (whose, name, system) in excuses:
            continue
        shown = people.read(system, name, thing.now.attributes)
        world.evaluated["I21"] += 1
        if not people.refused(system, name, last.meaning) and not people.alike(name, shown, last.meaning):
            broken(world, "I21", f"{whose} {name}: undone over {last.meaning!r}, {system} shows {shown!r}")


def _names(plan: Undone, record: str, field: str) -> bool:
    return any(item["record"] == record and field in item["fields"] for item in plan.items)


def _attributes(system: System, name: str) -> tuple[str, ...]:
    return people.attributes_for(system, name) if _plain(name) else ()


# --- replay ------------------------------------------------------------------------------------------------------


def _replayed(world: World) -> None:
    """Decisions in their order give the records, and each follows from its claims under the policy of its day."""
    state: dict[tuple[str, str], Json] = {}
    rows = _rows(world, "1 = 1")
    for one in rows:
        born = one["field"] == WHOLE and one["cause"] in ("birth", "first_link") and isinstance(one["value"], dict)
        if born:
            state |= {(one["record_id"], name): value for name, value in one["value"].items()}
        elif one["field"] != WHOLE and one["rule"] != OVERTAKEN:
            state[one["record_id"], one["field"]] = one["value"]
    for record, tombstone, fields in world.shelf.raw.execute("SELECT id, tombstone, fields FROM record").fetchall():
        for name, value in json.loads(fields or "{}").items():
            if (record, name) not in state or tombstone:
                continue
            world.evaluated["I20"] += 1
            if not same(value, state[record, name]):
                words = f"{record} {name}: the record holds {value!r}, its decisions say {state[record, name]!r}"
                broken(world, "I20", words)
    _decided_again(world, [one for one in rows if one["id"] > world.decided_before])


def _decided_again(world: World, rows: list[dict[str, Any]]) -> None:
    versions = {**world.acts.versions, world.policy.hash: world.policy}
    for one in rows:
        policy = versions.get(one["policy"])
        if policy is None or one["cause"] != "change" or one["field"] in SET_FIELDS or not one["winner"]:
            continue
        if one["rule"] == "review_agreed":
            continue
        judgement = _judgement(one)
        would = _court(policy, Entity(one["entity"])).decide(judgement, waits=False)
        world.evaluated["I20"] += 1
        if would.kind == PERSON or not judgement.was.like(would):
            broken(world, "I20", f"{one['field']} of {one['record_id']}: decided {one['rule']}, again {would.rule}")


def _judgement(one: Mapping[str, Any]) -> Judgement:
    row = Row(
        number=one["id"],
        rule=one["rule"],
        cause=one["cause"],
        value=one["value"],
        replaced=one["replaced"],
        winner=Claim.load(one["winner"]) if one["winner"] else None,
        claims=tuple(Claim.load(raw) for raw in one["claims"] or ()),
        policy=one["policy"],
    )
    return Judgement(RecordId(one["record_id"]), Entity(one["entity"]), one["field"], [row])


def _court(policy: Policy, entity: Entity) -> Court:
    rules = policy.entities[entity]
    maps = {
        system: {name: one for name, one in field_maps(system, entity).items() if name in rules.fields}
        for system in SYSTEMS
    }
    lexicons = {
        system: Lexicon(
            region="US",
            vocabulary={
                name: {canonical: theirs[system] for canonical, theirs in table.items() if system in theirs}
                for name, table in policy.vocabulary.get(entity, {}).items()
            },
        )
        for system in SYSTEMS
    }
    return Court(rules, maps, lexicons)
