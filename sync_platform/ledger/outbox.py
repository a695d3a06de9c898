"""Intents: what we owe the systems, from planned to settled. A link has at most one unsettled intent."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BindParameter,
    Connection,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    text,
    update,
)
from sqlalchemy import Table as SaTable

from sync_platform.core.records import (
    Entity,
    IntentState,
    Json,
    Lane,
    PlannedWrite,
    RecordId,
    System,
    Verb,
    payload_hash,
)
from sync_platform.ledger.database import ForIds, in_chunks
from sync_platform.ledger.tables import IntentRow

INTENT: SaTable = IntentRow.__table__  # type: ignore[attr-defined]
CHUNK = 400
URGENT = tuple(lane for lane in Lane if lane is not Lane.BACKFILL)
# Spelt out as in the indexes: a database uses a partial index only where it can prove that the condition implies the
# index's own, and a parameter proves nothing to a plan that is kept.
IS_OPEN = text("intent.state IN ('planned','sent','unknown')")
IS_PLANNED = text("intent.state = 'planned'")
IS_UNSETTLED = text("intent.state IN ('sent','unknown')")
OTHER = INTENT.alias("other")
OTHER_IS_UNSETTLED = text("other.state IN ('sent','unknown')")


# Statements are built once: building one, and the key under which its text is kept, costs more than running it.
_B_SYSTEM: BindParameter[Any] = bindparam("b_system")
_B_ENTITY: BindParameter[Any] = bindparam("b_entity")
_B_NOW = bindparam("b_now", type_=INTENT.c.due_at.type)
_IDS: BindParameter[Any] = bindparam("b_ids", expanding=True)
_PLANNED_OF = ForIds(
    INTENT.c.record_id,
    lambda given: select(INTENT.c.id, INTENT.c.record_id, INTENT.c.system, INTENT.c.hash).where(given, IS_PLANNED),
)
_REMOVE = ForIds(INTENT.c.id, lambda given: delete(INTENT).where(given))
_ADD = insert(INTENT)
_IS_DUE = or_(INTENT.c.due_at.is_(None), INTENT.c.due_at <= _B_NOW)
_WAITS = select(OTHER.c.id).where(
    OTHER_IS_UNSETTLED, OTHER.c.record_id == INTENT.c.record_id, OTHER.c.system == INTENT.c.system
)
_DUE = select(INTENT).where(
    IS_OPEN, IS_PLANNED, ~_WAITS.exists(), INTENT.c.system == _B_SYSTEM, INTENT.c.entity == _B_ENTITY, _IS_DUE
)
# Lane by lane, each in the order of the index: backlogs of a million are never sorted.
_DUE_BY_LANE = tuple(
    _DUE.where(of_lane).order_by(INTENT.c.id).limit(bindparam("b_limit"))
    for of_lane in (INTENT.c.lane.in_(URGENT), INTENT.c.lane == Lane.BACKFILL)
)
_DUE_OF_CHOSEN = tuple(due.where(INTENT.c.record_id.in_(_IDS)) for due in _DUE_BY_LANE)
_UNSETTLED = select(INTENT).where(IS_UNSETTLED)
_UNSETTLED_AT = _UNSETTLED.where(INTENT.c.system == _B_SYSTEM, INTENT.c.entity == _B_ENTITY)
_UNSETTLED_OF = ForIds(
    INTENT.c.record_id, lambda given: select(INTENT.c.record_id, INTENT.c.system).where(given, IS_UNSETTLED)
)
_MARK_SENT = ForIds(
    INTENT.c.id,
    lambda given: (
        update(INTENT)
        .where(given)
        # When it was to be tried again is past: from now on it is settled by the time at which it was sent.
        .values(state="sent", sent_at=bindparam("b_at"), due_at=None, tries=INTENT.c.tries + 1, run=bindparam("b_run"))
    ),
)
_SET_STATE = (
    update(INTENT)
    .where(INTENT.c.id == bindparam("b_id"))
    .values(state=bindparam("state"), due_at=bindparam("due_at"), settled_at=bindparam("settled_at"))
)
_PLANNED_IN_FULL = ForIds(INTENT.c.record_id, lambda given: select(INTENT).where(given, IS_PLANNED))
_CREATES = ForIds(
    INTENT.c.marker,
    lambda given: (
        select(INTENT)
        .where(
            IS_UNSETTLED,
            INTENT.c.system == _B_SYSTEM,
            INTENT.c.entity == _B_ENTITY,
            INTENT.c.verb == str(Verb.CREATE),
            given,
        )
        .order_by(INTENT.c.id)
    ),
)
_UNANSWERED = ForIds(
    INTENT.c.record_id,
    lambda given: select(INTENT).where(
        given,
        INTENT.c.verb == str(Verb.CREATE),
        or_(
            IS_UNSETTLED,
            (INTENT.c.state == str(IntentState.DROPPED))
            & (INTENT.c.sent_at > bindparam("b_since", type_=INTENT.c.sent_at.type)),
        ),
    ),
)
_COUNT_PLANNED = (
    select(func.count())
    .select_from(INTENT)
    .where(IS_OPEN, IS_PLANNED, INTENT.c.system == _B_SYSTEM, INTENT.c.entity == _B_ENTITY)
)


@dataclass(slots=True)
class Intent:
    """One write that we owe; `values`, `pre` and `numbers` are by field, `add` and `remove` by set field."""

    id: int
    record_id: RecordId
    link_id: int | None
    system: System
    entity: Entity
    verb: Verb
    values: dict[str, Json]
    pre: dict[str, Json]
    numbers: dict[str, int]
    add: dict[str, list[Json]]
    remove: dict[str, list[Json]]
    marker: str | None
    state: IntentState
    lane: Lane
    tries: int
    due_at: datetime | None
    sent_at: datetime | None


def _intent(row: Any) -> Intent:
    payload = row.payload or {}
    return Intent(
        id=row.id,
        record_id=RecordId(row.record_id),
        link_id=row.link_id,
        system=System(row.system),
        entity=Entity(row.entity),
        verb=Verb(row.verb),
        values=payload.get("values", {}),
        pre=row.pre or {},
        numbers=row.numbers or {},
        add=payload.get("add", {}),
        remove=payload.get("remove", {}),
        marker=row.marker,
        state=IntentState(row.state),
        lane=Lane(row.lane),
        tries=row.tries,
        due_at=row.due_at,
        sent_at=row.sent_at,
    )


def replace_planned(
    conn: Connection,
    record_ids: Sequence[str],
    writes: Iterable[PlannedWrite],
    *,
    at: datetime,
    run: str,
    lane: Lane,
) -> None:
    """What is planned for these records is what the plan says now: planned intents are replaced, never added to."""
    writes = list(writes)
    kept: set[tuple[str, str]] = set()
    wanted = {(str(write.record_id), str(write.system)): _hash(write) for write in writes}
    for chunk in in_chunks(record_ids, CHUNK):
        rows = _PLANNED_OF(conn, chunk).all()
        same = {(row.record_id, row.system) for row in rows if wanted.get((row.record_id, row.system)) == row.hash}
        kept |= same
        stale = [row.id for row in rows if (row.record_id, row.system) not in same]
        for ids in in_chunks(stale, CHUNK):
            _REMOVE(conn, ids)
    fresh = [
        {
            "record_id": write.record_id,
            "link_id": write.link_id,
            "system": str(write.system),
            "entity": str(write.entity),
            "verb": str(write.verb),
            "payload": {"values": dict(write.values), "add": dict(write.add), "remove": dict(write.remove)},
            "pre": dict(write.pre),
            "numbers": dict(write.numbers),
            "hash": wanted[(str(write.record_id), str(write.system))],
            "marker": write.marker,
            "state": "planned",
            "lane": str(lane),
            "tries": 0,
            "due_at": None,
            "created_at": at,
            "run": run,
        }
        for write in writes
        if (str(write.record_id), str(write.system)) not in kept
    ]
    if fresh:
        conn.execute(_ADD, fresh)


def _hash(write: PlannedWrite) -> str:
    return payload_hash({"verb": str(write.verb), "values": dict(write.values), "numbers": dict(write.numbers)})


def planned(
    conn: Connection,
    system: System,
    entity: Entity,
    *,
    now: datetime,
    limit: int,
    only: Collection[str] | None = None,
    but: Collection[int] = (),
) -> list[Intent]:
    """Planned intents that are due, interactive ones first, then oldest first; `only` names records, `but` intents.

    None for a record while an earlier intent there is sent or unknown: a create that may have landed has no link yet
    from which the plan could know of it.
    """
    asked: dict[str, Any] = {"b_system": system, "b_entity": entity, "b_now": now}
    if only is not None:
        asked["b_ids"] = sorted(only)
    out: list[Intent] = []
    for due in _DUE_BY_LANE if only is None else _DUE_OF_CHOSEN:
        if len(out) < limit:
            wanted = due.where(INTENT.c.id.not_in(sorted(but))) if but else due
            rows = conn.execute(wanted, asked | {"b_limit": limit - len(out)})
            out += [_intent(row) for row in rows]
    return out


def unsettled(conn: Connection, system: System | None = None, entity: Entity | None = None) -> list[Intent]:
    """Sent or unknown intents, oldest first."""
    if system is not None and entity is not None:
        rows = conn.execute(_UNSETTLED_AT, {"b_system": system, "b_entity": entity})
    else:
        found = _UNSETTLED if system is None else _UNSETTLED.where(INTENT.c.system == system)
        rows = conn.execute(found if entity is None else found.where(INTENT.c.entity == entity))
    # Ordered here: asked for the order of ids, SQLite walks over all that ever was.
    return sorted((_intent(row) for row in rows), key=lambda one: one.id)


def unsettled_of(conn: Connection, record_ids: Sequence[str]) -> dict[str, set[System]]:
    """Systems in which a write of ours may have landed, by record: nothing else is planned there meanwhile."""
    out: dict[str, set[System]] = {}
    for chunk in in_chunks(record_ids, CHUNK):
        for row in _UNSETTLED_OF(conn, chunk):
            out.setdefault(row.record_id, set()).add(System(row.system))
    return out


def mark_sent(conn: Connection, intents: Sequence[Intent], at: datetime, run: str) -> None:
    """Commit before the call: from now on the write may have landed."""
    for chunk in in_chunks([intent.id for intent in intents], CHUNK):
        _MARK_SENT(conn, chunk, b_at=at, b_run=run)


def send_now(conn: Connection, writes: Sequence[PlannedWrite], *, at: datetime, run: str) -> list[Intent]:
    """Intents that commit as `sent`, whatever else was planned or is under way for their records; those are dropped.

    At most one write for each record and system.
    """
    records = sorted({str(write.record_id) for write in writes})
    pairs = {(str(write.record_id), str(write.system)) for write in writes}
    replace_planned(conn, records, [], at=at, run=run, lane=Lane.INTERACTIVE)
    open_ = [one for one in unsettled(conn) if (str(one.record_id), str(one.system)) in pairs]
    set_states(conn, [(one.id, IntentState.DROPPED, None, at) for one in open_])
    replace_planned(conn, records, writes, at=at, run=run, lane=Lane.INTERACTIVE)
    out: list[Intent] = []
    for chunk in in_chunks(records, CHUNK):
        out += [_intent(row) for row in _PLANNED_IN_FULL(conn, chunk)]
    mark_sent(conn, out, at, run)
    return out


def unsettled_creates(conn: Connection, system: System, entity: Entity, markers: Sequence[str]) -> list[Intent]:
    """Creates with one of these markers whose answer nobody has read, oldest first."""
    out: list[Intent] = []
    for chunk in in_chunks(markers, CHUNK):
        out += [_intent(row) for row in _CREATES(conn, chunk, b_system=system, b_entity=entity)]
    return out


def unanswered_creates(conn: Connection, record_ids: Sequence[str], since: datetime) -> list[Intent]:
    """Creates of these records that nobody answered: unsettled, or sent since then and given up as absent."""
    out: list[Intent] = []
    for chunk in in_chunks(record_ids, CHUNK):
        out += [_intent(row) for row in _UNANSWERED(conn, chunk, b_since=since)]
    return out


def set_states(conn: Connection, rows: Sequence[tuple[int, IntentState, datetime | None, datetime | None]]) -> None:
    """(intent, state, due at, settled at): one statement for the batch."""
    values = [
        {"b_id": number, "state": str(state), "due_at": due_at, "settled_at": settled_at}
        for number, state, due_at, settled_at in rows
    ]
    if values:
        conn.execute(_SET_STATE, values)


def drop_planned(conn: Connection, ids: Sequence[int]) -> None:
    """Planned intents that the next plan draws anew."""
    for chunk in in_chunks(ids, CHUNK):
        conn.execute(delete(INTENT).where(INTENT.c.id.in_(chunk), INTENT.c.state == "planned"))


def count_open(conn: Connection) -> dict[tuple[str, str, str, str], int]:
    """Open intents by (system, entity, verb, state)."""
    rows = conn.execute(
        select(INTENT.c.system, INTENT.c.entity, INTENT.c.verb, INTENT.c.state, func.count())
        .where(IS_OPEN)
        .group_by(INTENT.c.system, INTENT.c.entity, INTENT.c.verb, INTENT.c.state)
    )
    return {(row[0], row[1], row[2], row[3]): int(row[4]) for row in rows}


def due_count(conn: Connection, now: datetime) -> int:
    """Intents that could be worked on now: planned and due, or unknown and due."""
    return int(
        conn.execute(
            select(func.count())
            .select_from(INTENT)
            .where(IS_OPEN, or_(INTENT.c.due_at.is_(None), INTENT.c.due_at <= now))
        ).scalar_one()
    )


def count_put_off(conn: Connection, now: datetime) -> int:
    """Planned intents that were refused for the moment and wait for their next try."""
    found = select(func.count()).select_from(INTENT).where(IS_OPEN, IS_PLANNED, INTENT.c.due_at > now)
    return int(conn.execute(found).scalar_one())


def due_systems(conn: Connection, now: datetime) -> set[tuple[System, Entity]]:
    """(system, entity) pairs with planned intents that are due."""
    rows = conn.execute(
        select(INTENT.c.system, INTENT.c.entity)
        .where(IS_OPEN, IS_PLANNED, or_(INTENT.c.due_at.is_(None), INTENT.c.due_at <= now))
        .distinct()
    )
    return {(System(row.system), Entity(row.entity)) for row in rows}


def planned_creates(conn: Connection, entity: Entity, record_ids: Iterable[str]) -> list[tuple[System, str]]:
    """(system, record) of creates that are planned and not sent."""
    out: list[tuple[System, str]] = []
    for chunk in in_chunks(sorted(set(record_ids)), CHUNK):
        rows = conn.execute(
            select(INTENT.c.system, INTENT.c.record_id).where(
                INTENT.c.record_id.in_(chunk),
                INTENT.c.entity == str(entity),
                INTENT.c.state == str(IntentState.PLANNED),
                INTENT.c.verb == str(Verb.CREATE),
            )
        )
        out += [(System(row.system), row.record_id) for row in rows]
    return out


def count_planned(conn: Connection, system: System, entity: Entity) -> int:
    """Planned intents of one system and entity."""
    return int(conn.execute(_COUNT_PLANNED, {"b_system": system, "b_entity": entity}).scalar_one())
