"""Operators in the stories: they answer holds, plans, reviews and parked marks, undo, pause, and change the policy.

They do it by the functions of the commands, each in a transaction of its own, whoever is at work meanwhile. What they
were shown and what they said is kept here for the checks; the engine sees only what stands in its ledger.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, insert, select

from sync_platform.core.policy import Policy
from sync_platform.core.records import ENTITIES, SYSTEMS, Entity, Json, System
from sync_platform.errors import BadInput, NotFound, Rejected
from sync_platform.ledger import asks, holds, journal
from sync_platform.ledger.database import get_meta
from sync_platform.simulation import people, policies
from sync_platform.simulation.truth import standing
from sync_platform.sync import brake, desk, plans, relink, undo
from sync_platform.sync.hub import LOADED, Hub

if TYPE_CHECKING:
    from sync_platform.simulation.world import Step, World

WHO = "operator"
# What a field may be told to do in the middle of a story; the fields are those that people edit.
RULES: Mapping[str, Sequence[Any]] = {
    "review": ["review"],
    "newest": ["newest", {"rank": ["erp", "hubspot", "gorgias"]}],
    "rank": [{"rank": ["gorgias", "erp", "hubspot"]}],
    "owner": [{"owner": ["erp", "hubspot", "gorgias"], "unless_blank": True}, {"rank": ["erp", "hubspot", "gorgias"]}],
    "owner_even_blank": [{"owner": ["hubspot", "gorgias", "erp"]}],
}
CHANGEABLE: Mapping[Entity, Sequence[str]] = {
    Entity.CUSTOMER: ("name", "company", "note", "language"),
    Entity.TICKET: ("subject", "status", "priority"),
}
WEIGHTS = {"approve": 4, "drop": 2, "resolve": 5, "mark": 1, "rule": 2, "burst": 4, "revert": 5, "quarrel": 4}
WEIGHTS["halt"] = 3
KNOTS = ("revert", "quarrel", "halt", "burst")


@dataclass(frozen=True, slots=True)
class Word:
    """What a person said of one payload under a hold, as the ledger stood then."""

    said: str
    key: tuple[str, str, str, str, str]
    record: str
    link: int
    hash: str
    pre: str | None
    value: str
    decided: int
    newest: int
    edits: int


@dataclass(slots=True)
class Undone:
    """A plan that undoes, as it was shown; `before` is what the systems showed at the last quiet."""

    plan: str
    items: list[dict[str, Any]]
    edits: int
    decided: int
    decided_before: int
    epoch: int
    policy: str
    before: Mapping[tuple[str, str, System], Json]
    # What every system showed alike, and had been read, when the plan was drawn up.
    level: frozenset[tuple[str, str]]
    approved: bool = False
    checked: bool = False


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer to a review, with the claims that the person was shown."""

    number: int
    record: str
    field: str
    kind: str
    claims: frozenset[tuple[str, str]]
    newest: int


@dataclass(slots=True)
class Acts:
    """What operators did, and what they were shown."""

    playing: bool = False
    paused: bool = False
    # A run that began while the platform was paused.
    silent: bool = False
    approved: list[Word] = field(default_factory=list)
    dropped: list[Word] = field(default_factory=list)
    undone: dict[str, Undone] = field(default_factory=dict)
    answers: list[Answered] = field(default_factory=list)
    # (record, field) → how many edits there were when a person last decided it.
    touched: dict[tuple[str, str], int] = field(default_factory=dict)
    policies: list[Policy] = field(default_factory=list)
    versions: dict[str, Policy] = field(default_factory=dict)
    reviewable: set[str] = field(default_factory=set)
    shown: dict[tuple[str, str, System], Json] = field(default_factory=dict)
    # (epoch, system, id): objects that were parted from their record and joined to it again.
    parted: set[tuple[int, System, str]] = field(default_factory=set)
    # People and tickets of whose objects a person said that they are one, or two, by their entity and name.
    spoken_of: set[tuple[Entity, str]] = field(default_factory=set)
    sent: set[tuple[str, str, str, str, str]] = field(default_factory=set)
    # Worked out at the beginning of each check: what may differ, and what a person decided when.
    excused: set[tuple[str, str, System]] = field(default_factory=set)
    held_over: set[tuple[str, str, System]] = field(default_factory=set)
    decided_here: dict[tuple[str, str], int] = field(default_factory=dict)


def hub(world: World, run: str = "desk") -> Hub:
    """A hub that can call nobody."""
    return Hub(
        ledger=world.shelf.ledger,
        connectors={},
        policy=world.policy,
        run=run,
        clock=lambda: world.now_at,
        new_id=world.new_id,
        heeds_pause=False,
    )


def act(world: World, work: Callable[[Hub, Connection], None]) -> None:
    """A person at the desk, in another process than the cycle's: no lease, and none of the faults that are armed."""
    ledger, fault = world.shelf.ledger, world.fault
    owner, ledger.check_owner, world.fault = ledger.check_owner, lambda: None, None
    try:
        with ledger.begin() as conn:
            work(hub(world), conn)
    except (NotFound, Rejected, BadInput) as error:
        world.say("  ", "answered", type(error).__name__)
    finally:
        ledger.check_owner, world.fault = owner, fault


def begin(world: World, absolute: int, window_s: int) -> None:
    """Operators take part from here on, and the brake is this tight."""
    acts = world.acts
    acts.playing = True
    world.policy = with_brake(world.policy, absolute, window_s)
    _remember(world)


def with_brake(policy: Policy, absolute: int, window_s: int) -> Policy:
    """A policy that differs in how much may change without a person."""
    entities = {
        entity: replace(one, brake=replace(one.brake, absolute=absolute, share=0.0, window_s=float(window_s)))
        for entity, one in policy.entities.items()
    }
    return replace(policy, entities=entities)


def _remember(world: World) -> None:
    world.acts.policies.append(world.policy)
    world.acts.versions[world.policy.hash] = world.policy


def rule(world: World, entity: str, name: str, word: str, empty: str, writers: Sequence[str]) -> None:
    """From the next run on another policy holds for one field."""
    if not world.acts.playing:
        return
    text = policies.read(world.policy)
    said: dict[str, Any] = {"writers": list(writers), "rules": RULES[word], "empty": empty}
    for one in said["rules"]:
        for order in one.values() if isinstance(one, dict) else ():
            if isinstance(order, list) and not set(order) <= set(writers):
                said["writers"] = [str(system) for system in SYSTEMS]
    text[entity]["fields"][name] = said
    world.policy = policies.ruled(world.policy, text, Entity(entity), name)
    if word == "review":
        world.acts.reviewable.add(name)
    world.events["policy_change"] += 1
    _remember(world)

    def keep(desk_hub: Hub, conn: Connection) -> None:
        journal.keep_version(conn, "policy", world.policy.hash, world.policy.text, desk_hub.now())

    act(world, keep)


# --- what a cycle does about it ----------------------------------------------------------------------------------


def take_up(world: World, working: Hub) -> None:
    """What people said of holds and plans is carried out before anything is judged, as a cycle does it."""
    if world.acts.playing:
        brake.release(working)
        plans.carry_out(working)


def goes_on(world: World, working: Hub) -> bool:
    """Whether this step of a cycle is done at all."""
    world.acts.silent = world.acts.paused
    return not (world.acts.playing and working.paused())


# --- holds and plans ---------------------------------------------------------------------------------------------


def approve(world: World, which: int) -> None:
    """Somebody approves one of the holds and plans that wait."""
    _answer(world, which, holds.APPROVED)


def drop(world: World, which: int) -> None:
    """Somebody drops one of them."""
    _answer(world, which, holds.DROPPED)


def _answer(world: World, which: int, said: str) -> None:
    def work(at: Hub, conn: Connection) -> None:
        waiting = [str(one["hold"]) for one in holds.listed(conn)] + [one["plan"] for one in plans.waiting(conn)]
        if not waiting:
            return
        what = waiting[which % len(waiting)]
        if what.isdecimal():
            _heard(world, conn, int(what), said)
        elif said == holds.APPROVED:
            _approves(world, what)
        plans.answer(conn, what, said, who=WHO, why=None, at=at.now())
        world.events[f"{said}_{'hold' if what.isdecimal() else 'plan'}"] += 1

    act(world, work)


def _heard(world: World, conn: Connection, number: int, said: str) -> None:
    """Keep what a hold named at the moment of the word."""
    item = holds.ITEM
    rows = conn.execute(select(item).where(item.c.hold_id == number, item.c.state == holds.HELD).order_by(item.c.id))
    newest = world.counts()[1]
    kept = world.acts.approved if said == holds.APPROVED else world.acts.dropped
    for row in rows.all():
        key = (row.stage, row.system, row.entity, row.verb, row.field)
        decided = decided_of(world, row.record_id).get(row.field, 0)
        value = value_of(world, row.record_id, row.field)
        word = Word(said, key, row.record_id, row.link_id, row.hash, row.pre, value, decided, newest, len(world.edits))
        kept.append(word)
        world.acts.touched[row.record_id, row.field] = len(world.edits)
        world.say("  ", said, *key)


def decided_of(world: World, record: str) -> dict[str, int]:
    """The decisions behind a record's fields, from the bare row."""
    row = world.shelf.raw.execute("SELECT decided FROM record WHERE id = ?", (record,)).fetchone()
    return dict(json.loads(row[0] or "{}")) if row else {}


def value_of(world: World, record: str, name: str) -> str:
    """What a record holds in a field, as text, from the bare row."""
    row = world.shelf.raw.execute("SELECT fields FROM record WHERE id = ?", (record,)).fetchone()
    return json.dumps(json.loads(row[0] or "{}").get(name), sort_keys=True) if row else ""


def _approves(world: World, plan: str) -> None:
    found = world.acts.undone[plan]
    found.approved = True
    for item in found.items:
        for name in item["fields"]:
            world.acts.touched[item["record"], name] = max(
                found.edits, world.acts.touched.get((item["record"], name), 0)
            )


# --- undo --------------------------------------------------------------------------------------------------------


def undo_(world: World, kind: str, which: int) -> None:
    """Somebody wants a record, a decision or a run undone: a plan is drawn up."""
    if not world.acts.playing:
        return

    def work(at: Hub, conn: Connection) -> None:
        what = _what(world, conn, kind, which)
        if what is None:
            return
        plan = undo.draft(at, conn, what, who=WHO)
        world.events["undo"] += 1
        row = conn.execute(select(plans.PLAN).where(plans.PLAN.c.id == plan["plan"])).one()
        world.say("  ", "plan of", len(row.items or ()), "writes")
        newest = world.counts()[1]
        world.acts.undone[row.id] = Undone(
            row.id,
            list(row.items or ()),
            len(world.edits),
            newest,
            world.decided_before,
            world.epoch,
            world.policy.hash,
            dict(world.acts.shown),
            _level(world),
        )

    act(world, work)


def _level(world: World) -> frozenset[tuple[str, str]]:
    shown: dict[tuple[str, str], list[Json]] = {}
    unread: set[tuple[str, str]] = set()
    for one in standing(world.systems):
        for name in people.FIELDS[one.thing.entity]:
            key = one.whose, name
            shown.setdefault(key, []).append(people.read(one.system, name, one.thing.now.attributes))
            for attribute in people.attributes_for(one.system, name):
                last = max((p for p, v in enumerate(one.thing.versions) if attribute in v.touched), default=-1)
                if one.thing.shown.get(attribute, -1) < last:
                    unread.add(key)
    level = {key for key, found in shown.items() if all(people.alike(key[1], found[0], one) for one in found)}
    return frozenset(level - unread)


def _what(world: World, conn: Connection, kind: str, which: int) -> str | None:
    raw = world.shelf.raw
    if kind == "record":
        rows = raw.execute(
            "SELECT DISTINCT record_id FROM decision WHERE id > ? AND field <> '*' ORDER BY id", (world.decided_before,)
        ).fetchall()
        return str(rows[which % len(rows)][0]) if rows else None
    if kind == "decision":
        rows = raw.execute("SELECT id FROM decision WHERE field <> '*' ORDER BY id DESC LIMIT 6").fetchall()
        return str(rows[which % len(rows)][0]) if rows else None
    rows = raw.execute("SELECT DISTINCT run FROM decision ORDER BY id DESC LIMIT 3").fetchall()
    if not rows:
        return None
    run = str(rows[which % len(rows)][0])
    if conn.execute(select(undo.RUN.c.id).where(undo.RUN.c.id == run)).first() is None:
        # The row that a cycle keeps of itself.
        conn.execute(insert(undo.RUN), [{"id": run, "kind": "sync", "started_at": world.now_at, "complete": True}])
    return run


# --- reviews and marks -------------------------------------------------------------------------------------------


def resolve(world: World, which: int, how: int) -> None:
    """Somebody answers a review of a field: chooses a side, writes a value, or leaves it."""

    def work(at: Hub, conn: Connection) -> None:
        open_ = [row for row in asks.open_reviews(conn) if row.kind == "field"]
        if not open_:
            return
        row = open_[which % len(open_)]
        there = sorted({claim["system"] for claim in row.claims or ()})
        said: dict[str, Any] = {"drop": True}
        if how % 5 in (0, 1, 2) and there:
            said = {"choose": there[how % len(there)]}
        elif how % 5 == 3:
            said = {"value": _written(row.field, how)}
        kind = desk.resolve_in(at, conn, row.id, who=WHO, **said)["answered"]
        fresh = world.shelf.raw.execute("SELECT reviews FROM record WHERE id = ?", (row.record_id,)).fetchone()
        claims = json.loads(fresh[0] or "{}").get(row.field, [])
        seen = frozenset((claim["system"], json.dumps(claim["theirs"], sort_keys=True)) for claim in claims)
        world.acts.answers.append(Answered(row.id, row.record_id, row.field, kind, seen, world.counts()[1]))
        world.acts.touched[row.record_id, row.field] = len(world.edits)
        world.events[f"resolve_{kind}"] += 1
        world.say("  ", kind, row.field)

    act(world, work)


def _written(name: str, number: int) -> str:
    known = {"language": "de", "status": "open", "priority": "high"}
    return known.get(name, f"Written {number}")


def mark(world: World, which: int, verb: str) -> None:
    """Somebody has a parked write tried again, or gives it up."""

    def work(at: Hub, conn: Connection) -> None:
        rows = asks.parked(conn)
        if rows:
            desk.act_in(at, conn, rows[which % len(rows)].id, verb, who=WHO)
            world.events[f"{verb}_parked"] += 1

    act(world, work)


# --- pause, identity, the end ------------------------------------------------------------------------------------


def pause(world: World) -> None:
    """Nothing is to be done until somebody says so."""
    _switch(world, "pause")


def resume(world: World) -> None:
    """Cycles go on."""
    _switch(world, "resume")


def _switch(world: World, verb: str) -> None:
    if not world.acts.playing:
        return

    def work(at: Hub, conn: Connection) -> None:
        if plans.switch(conn, verb, who=WHO, why=None, at=at.now())["changed"]:
            world.events[verb] += 1

    act(world, work)
    world.acts.paused = verb == "pause"


def part(world: World, which: int) -> None:
    """Somebody parts an object from its record, and gives it back: it is met as a new one, and all is equal again."""
    if not world.acts.playing:
        return

    def work(at: Hub, conn: Connection) -> None:
        rows = world.shelf.raw.execute(
            "SELECT entity, system, external_id, record_id FROM link WHERE state = 'active' AND record_id IS NOT NULL"
            " AND entity = 'customer' ORDER BY id"
        ).fetchall()
        if not rows:
            return
        entity, system, external_id, record = rows[which % len(rows)]
        what = f"{entity}:{system}:{external_id}"
        relink.unlink_in(at, conn, what, who=WHO)
        relink.link_in(at, conn, what, record, who=WHO)
        world.acts.parted.add((world.epoch, System(system), str(external_id)))
        world.events["unlink"] += 1

    act(world, work)


def clear(world: World) -> None:
    """Before the end the desk is cleared: every hold is approved, every question answered."""
    if not world.acts.playing:
        return
    resume(world)
    for turn in range(6):
        for _ in range(12):
            before = len(world.acts.approved) + len(world.acts.answers)
            _answer_holds(world)
            resolve(world, 0, turn % 3)
            if before == len(world.acts.approved) + len(world.acts.answers):
                break
        world.on_cycle()


def _answer_holds(world: World) -> None:
    found = world.shelf.raw.execute("SELECT count(*) FROM hold WHERE state = 'open' AND count > 0").fetchone()[0]
    if found:
        approve(world, 0)


def remember_shown(world: World) -> None:
    """What every system shows at the end of a quiet."""
    if not world.acts.playing:
        return
    world.acts.shown = {
        (one.whose, name, one.system): people.read(one.system, name, one.thing.now.attributes)
        for one in standing(world.systems)
        for name in people.FIELDS[one.thing.entity]
    }
    world.acts.policies = [world.policy]


def loaded(world: World) -> bool:
    """Whether the first load is over."""
    with world.shelf.ledger.read() as conn:
        return get_meta(conn, LOADED) is not None


def burst(world: World, system: str, entity: str, field_number: int, number: int, many: int) -> None:
    """Somebody edits one field of many objects at once."""
    for which in range(many):
        world.on_edit(system, entity, which, field_number, number if number % 11 == 0 else number + which)


def quarrel(world: World, one: str, other: str, entity: str, which: int, number: int) -> None:
    """Two people edit the field of one record about which a person is to decide."""
    names = people.FIELDS[Entity(entity)]
    asked = [name for name in names if people.POLICY_FIELD.get(name, name) in world.acts.reviewable]
    field_number = names.index(asked[0] if asked else names[0])
    world.on_edit(one, entity, which, field_number, number)
    if not world.edits:
        return
    for turn, thing in enumerate(world.systems[System(other)].living(Entity(entity))):
        if people.whose(thing.entity, System(other), thing.now.attributes) == world.edits[-1].whose:
            world.on_edit(other, entity, turn, field_number, number + 3)


def same(world: World, system: str, number: int) -> None:
    """Somebody edits there what was edited last."""
    if not world.edits:
        return
    last, at = world.edits[-1], System(system)
    for turn, thing in enumerate(world.systems[at].living(last.entity)):
        if people.whose(thing.entity, at, thing.now.attributes) == last.whose:
            field_number = people.FIELDS[last.entity].index(last.field)
            world.on_edit(system, str(last.entity), turn, field_number, number)


STEPS: dict[str, Callable[..., None]] = {
    "same": same,
    "quarrel": quarrel,
    "operators": begin,
    "approve": approve,
    "drop": drop,
    "undo": undo_,
    "resolve": resolve,
    "mark": mark,
    "rule": rule,
    "pause": pause,
    "resume": resume,
    "part": part,
    "burst": burst,
    "clear": clear,
}


# --- scripts -----------------------------------------------------------------------------------------------------


def opening(rng: random.Random) -> list[Step]:
    """How tight the brake is in a story, and which fields are for people to decide."""
    out: list[Step] = [["operators", rng.choice((1, 2, 3, 5)), rng.choice((60, 300, 900))]]
    asked = [entity for entity in ENTITIES if rng.random() < 0.6]
    everybody = [str(system) for system in SYSTEMS]
    out += [["rule", str(one), rng.choice(CHANGEABLE[one]), "review", "keep", everybody] for one in asked]
    return out


def details(rng: random.Random, kind: str, big: int) -> list[object]:
    """What else a step of this kind says."""
    if kind == "rule":
        entity = rng.choice(ENTITIES)
        writers = sorted(str(one) for one in rng.sample(SYSTEMS, rng.choice((2, 3, 3))))
        word, empty = rng.choice(tuple(RULES)), rng.choice(("keep", "keep", "clear"))
        return [str(entity), rng.choice(CHANGEABLE[entity]), word, empty, writers]
    made: dict[str, list[object]] = {
        "approve": [big],
        "drop": [big],
        "resolve": [big, big // 7],
        "mark": [big, rng.choice(("retry", "drop"))],
    }
    return made[kind]


def knot(rng: random.Random, kind: str, turn: int) -> list[Step]:
    """Steps of operators that are worth most together."""
    one, other = (str(system) for system in rng.sample(SYSTEMS, 2))
    entity = str(rng.choice(ENTITIES))
    which, name, number = rng.randrange(3), rng.randrange(60), 100 + turn * 7
    if kind == "halt":
        return [
            ["edit", one, entity, which, name, number],
            ["pause"],
            ["wait", 31],
            ["cycle"],
            ["push", other, entity],
            ["resume"],
        ]
    if kind == "burst":
        blanked = 110 + 11 * (turn % 40)
        number = rng.choice((blanked, blanked, number))
        said: list[Step] = [[rng.choice(("approve", "drop")), rng.randrange(20)]] if rng.random() < 0.6 else []
        # Few fields, so that bursts meet under one key of the brake.
        few = rng.choice((0, 2, 3, 1))
        edit: list[Step] = [["same", one, number + 51]] if rng.random() < 0.5 else []
        return [["burst", one, entity, few, number, rng.randint(2, 4)], ["cycle"], *said, *edit, ["cycle"]]
    if kind == "quarrel":
        steps: list[Step] = [["quarrel", one, other, entity, which, number], ["cycle"]]
        again: list[Step] = [["quarrel", other, one, entity, which, number + 5]] if rng.random() < 0.4 else []
        return [*steps, ["resolve", rng.randrange(2), rng.randrange(5)], *again, ["cycle"]]
    undone: Step = ["undo", rng.choice(("record", "record", "decision", "run")), rng.randrange(6)]
    after: list[Step] = [["same", other, number + 9]] if rng.random() < 0.5 else []
    seen: list[Step] = [["wait", 31], ["cycle"]] if rng.random() < 0.5 else []
    more: list[Step] = [["cycle"], ["approve", 1]] if rng.random() < 0.5 else []
    return [
        ["quiet"],
        ["edit", one, entity, which, name, number],
        ["cycle"],
        undone,
        *after,
        *seen,
        ["approve", 0],
        *more,
    ]


def take_part(seed: int) -> bool:
    """Whether operators are part of a seed's story."""
    return seed % 2 == 0
