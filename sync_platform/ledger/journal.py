"""The append-only part of the ledger: observations, decisions, receipts, reviews, parked marks, late payloads."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, bindparam, exists, func, insert, select, text, update
from sqlalchemy import Table as SaTable

from sync_platform.core.records import Decision, Entity, Json, Record, System
from sync_platform.ledger.database import ForIds, in_chunks
from sync_platform.ledger.tables import (
    DecisionRow,
    LateRow,
    ObservationRow,
    ParkedRow,
    ReceiptRow,
    ReviewRow,
    VersionRow,
)

OBSERVATION: SaTable = ObservationRow.__table__  # type: ignore[attr-defined]
DECISION: SaTable = DecisionRow.__table__  # type: ignore[attr-defined]
RECEIPT: SaTable = ReceiptRow.__table__  # type: ignore[attr-defined]
PARKED: SaTable = ParkedRow.__table__  # type: ignore[attr-defined]
REVIEW: SaTable = ReviewRow.__table__  # type: ignore[attr-defined]
LATE: SaTable = LateRow.__table__  # type: ignore[attr-defined]
VERSION: SaTable = VersionRow.__table__  # type: ignore[attr-defined]

CHUNK = 400
# Spelt out as in its index: as a parameter it would make SQLite plan the statement anew at every run.
IS_OPEN_REVIEW = text("review.state = 'open'")
# Statements are built once: building one, and the key under which its text is kept, costs more than running it.
_ADD_OBSERVATION, _ADD_DECISION, _ADD_RECEIPT = insert(OBSERVATION), insert(DECISION), insert(RECEIPT)
_WINNERS = ForIds(
    DECISION.c.id, lambda given: select(DECISION.c.record_id, DECISION.c.field, DECISION.c.winner).where(given)
)
_ANY_UNREADABLE = select(exists().where(PARKED.c.record_id.is_(None), PARKED.c.lifted_at.is_(None)))
_ADD_REVIEW, _ADD_PARKED = insert(REVIEW), insert(PARKED)
# What a review is about, each where there is one.
_REVIEWED = ("record_id", "link_id", "field")
_LAST_DECISION = select(func.coalesce(func.max(DECISION.c.id), 0))
_PARKED_OF = ForIds(
    PARKED.c.record_id,
    lambda given: select(PARKED.c.record_id, PARKED.c.system, PARKED.c.field, PARKED.c.hash).where(
        given, PARKED.c.lifted_at.is_(None)
    ),
)
_GIVEN_UP = ForIds(
    PARKED.c.record_id,
    lambda given: select(PARKED.c.record_id, PARKED.c.system, PARKED.c.field).where(
        given, PARKED.c.lifted_at.is_(None), PARKED.c.dropped_at.is_not(None)
    ),
)
_LIFT = (
    update(PARKED)
    .where(
        PARKED.c.record_id == bindparam("b_record"),
        PARKED.c.system == bindparam("b_system"),
        PARKED.c.field == bindparam("b_field"),
        PARKED.c.hash.not_in(bindparam("b_standing", expanding=True)),
        PARKED.c.lifted_at.is_(None),
    )
    .values(lifted_at=bindparam("b_at"))
)
_LIFT_ROWS = ForIds(
    PARKED.c.external_id,
    lambda given: (
        update(PARKED)
        .where(
            PARKED.c.system == bindparam("b_system"),
            PARKED.c.entity == bindparam("b_entity"),
            PARKED.c.record_id.is_(None),
            given,
            PARKED.c.lifted_at.is_(None),
        )
        .values(lifted_at=bindparam("b_at"))
    ),
)
_LATE_OF = ForIds(LATE.c.link_id, lambda given: select(LATE).where(given, LATE.c.until > bindparam("b_now")))


def add_observations(conn: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Append what systems showed."""
    if rows:
        conn.execute(_ADD_OBSERVATION, list(rows))


def next_decision(conn: Connection) -> int:
    """The number that the next decision gets; one cycle at a time decides, so numbers are drawn by reading."""
    return int(conn.execute(_LAST_DECISION).scalar_one()) + 1


def add_decisions(conn: Connection, decisions: Iterable[Decision], *, policy: str, at: datetime, run: str) -> None:
    """Append decisions under their own numbers."""
    rows = [
        {
            "id": decision.number,
            "record_id": decision.record_id,
            "entity": str(decision.entity),
            "field": decision.field,
            "value": decision.value,
            "rule": decision.rule,
            "policy": policy,
            "winner": decision.winner.dump() if decision.winner else None,
            "claims": [claim.dump() for claim in decision.claims] or None,
            "replaced": decision.replaced,
            "cause": decision.cause,
            "at": at,
            "run": run,
        }
        for decision in decisions
    ]
    if rows:
        conn.execute(_ADD_DECISION, rows)


def winners_of(conn: Connection, records: Iterable[Record], before: int) -> dict[str, dict[str, int]]:
    """For each record and field decided before a number: the link whose claim won, where one did."""
    numbers = {one for record in records for one in record.decided.values() if 0 < one < before}
    out: dict[str, dict[str, int]] = {}
    for chunk in in_chunks(sorted(numbers), CHUNK):
        for row in _WINNERS(conn, chunk):
            if row.winner:
                out.setdefault(row.record_id, {})[row.field] = row.winner["link"]
    return out


def answered(conn: Connection, record_id: str) -> list[tuple[str, int]]:
    """Field and number of each decision by which a person answered a question about a record's value."""
    rows = conn.execute(
        select(DECISION.c.field, DECISION.c.id).where(DECISION.c.record_id == record_id, DECISION.c.rule == "resolved")
    )
    return [(row.field, row.id) for row in rows]


def add_receipts(conn: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Append the systems' answers."""
    if rows:
        conn.execute(_ADD_RECEIPT, list(rows))


def park(conn: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Set marks for refused payloads and unreadable rows; an open mark of the same thing is not repeated."""
    for row in rows:
        given = {name: row[name] for name in ("record_id", "external_id") if row.get(name) is not None}
        asked = {f"b_{name}": value for name, value in given.items()}
        asked |= {f"b_{name}": row[name] for name in ("system", "field", "hash")}
        if conn.execute(_same_mark(tuple(given)), asked).first() is None:
            conn.execute(_ADD_PARKED, [dict(row)])


@cache
def _same_mark(given: tuple[str, ...]) -> Any:
    """An open mark of a payload, of what has these names; a handful of statements."""
    of = PARKED.c
    here = [of[one] == bindparam(f"b_{one}") for one in ("system", "field", "hash", *given)]
    here += [of[one].is_(None) for one in ("record_id", "external_id") if one not in given]
    return select(of.id).where(of.lifted_at.is_(None), *here).limit(1)


def parked_of(conn: Connection, record_ids: Sequence[str]) -> dict[str, dict[tuple[System, str], str]]:
    """Open marks of records: (system, field) → payload hash."""
    out: dict[str, dict[tuple[System, str], str]] = {}
    for chunk in in_chunks(record_ids, CHUNK):
        for row in _PARKED_OF(conn, chunk):
            out.setdefault(row.record_id, {})[(System(row.system), row.field)] = row.hash
    return out


def given_up(conn: Connection, record_ids: Sequence[str]) -> set[tuple[str, System, str]]:
    """Record, system and field of open marks that a person gave up: they are left as they are, and wait for nobody."""
    return {
        (row.record_id, System(row.system), row.field)
        for chunk in in_chunks(record_ids, CHUNK)
        for row in _GIVEN_UP(conn, chunk)
    }


def lift(conn: Connection, record_id: str, system: System, field: str, standing: Collection[str], at: datetime) -> None:
    """The marks of a field whose payload is none of `standing` are history: the value moved on."""
    asked = {"b_record": record_id, "b_system": system, "b_field": field, "b_standing": sorted(standing), "b_at": at}
    conn.execute(_LIFT, asked)


def any_unreadable(conn: Connection) -> bool:
    """Whether `lift_rows` could find anything, of whatever system."""
    return bool(conn.execute(_ANY_UNREADABLE).scalar_one())


def lift_rows(conn: Connection, system: System, entity: Entity, external_ids: Sequence[str], at: datetime) -> None:
    """Objects that could not be read at all and now can: their marks are history."""
    for chunk in in_chunks(external_ids, CHUNK):
        _LIFT_ROWS(conn, chunk, b_system=system, b_entity=entity, b_at=at)


def count_parked(conn: Connection) -> dict[tuple[str, str], int]:
    """Open marks by (system, entity), without those that a person gave up."""
    rows = conn.execute(
        select(PARKED.c.system, PARKED.c.entity, func.count())
        .where(PARKED.c.lifted_at.is_(None), PARKED.c.dropped_at.is_(None))
        .group_by(PARKED.c.system, PARKED.c.entity)
    )
    return {(row[0], row[1]): int(row[2]) for row in rows}


def open_review(conn: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Hand something to a person; an open review of the same field or link takes the new claims instead."""
    for row in rows:
        given = {name: row[name] for name in _REVIEWED if row.get(name) is not None}
        asked = {f"b_{name}": value for name, value in given.items()}
        asked |= {"b_kind": row["kind"], "b_claims": row.get("claims"), "b_at": row["at"]}
        if not conn.execute(_claimed_anew(tuple(given)), asked).rowcount:
            conn.execute(_ADD_REVIEW, [{"state": "open", **row}])


@cache
def _claimed_anew(given: tuple[str, ...]) -> Any:
    """New claims for the open review of a kind that has these names and no others; a handful of statements."""
    here = [REVIEW.c[one] == bindparam(f"b_{one}") if one in given else REVIEW.c[one].is_(None) for one in _REVIEWED]
    found = update(REVIEW).where(IS_OPEN_REVIEW, REVIEW.c.kind == bindparam("b_kind"), *here)
    return found.values(claims=bindparam("b_claims"), at=bindparam("b_at"))


def close_review(conn: Connection, record_id: str, field: str, at: datetime, state: str = "agreed") -> None:
    """Nothing is left to ask: the claims agree (`agreed`) or a person's answer was taken (`resolved`)."""
    conn.execute(
        update(REVIEW)
        .where(REVIEW.c.record_id == record_id, REVIEW.c.field == field, REVIEW.c.state == "open")
        .values(state=state, closed_at=at)
    )


def count_reviews(conn: Connection) -> dict[str, int]:
    """Open reviews by entity."""
    rows = conn.execute(select(REVIEW.c.entity, func.count()).where(REVIEW.c.state == "open").group_by(REVIEW.c.entity))
    return {row[0]: int(row[1]) for row in rows}


def count_reviews_by_kind(conn: Connection) -> dict[tuple[str, str], int]:
    """Open reviews by (entity, kind)."""
    rows = conn.execute(
        select(REVIEW.c.entity, REVIEW.c.kind, func.count())
        .where(REVIEW.c.state == "open")
        .group_by(REVIEW.c.entity, REVIEW.c.kind)
    )
    return {(row[0], row[1]): int(row[2]) for row in rows}


def add_late(conn: Connection, link_id: int, intent_id: int, payload: Json, until: datetime) -> None:
    """A payload that did not land but may still be processed."""
    conn.execute(insert(LATE), [{"link_id": link_id, "intent_id": intent_id, "payload": payload, "until": until}])


def late_of(conn: Connection, link_ids: Sequence[int], now: datetime) -> dict[tuple[int, str], tuple[int, Json]]:
    """(link, field) → (late row, value) that may still land."""
    out: dict[tuple[int, str], tuple[int, Json]] = {}
    for chunk in in_chunks(link_ids, CHUNK):
        for row in _LATE_OF(conn, chunk, b_now=now):
            for name, value in (row.payload or {}).items():
                out[(row.link_id, name)] = (row.id, value)
    return out


def use_late(conn: Connection, late_id: int, field: str) -> None:
    """A late value was recognised: it is used up once."""
    row = conn.execute(select(LATE.c.payload).where(LATE.c.id == late_id)).first()
    if row is not None:
        payload = {name: value for name, value in (row.payload or {}).items() if name != field}
        conn.execute(update(LATE).where(LATE.c.id == late_id).values(payload=payload))


def keep_version(conn: Connection, kind: str, digest: str, body: str, at: datetime) -> None:
    """Keep a policy or mapping version whole, once."""
    if conn.execute(select(VERSION.c.hash).where(VERSION.c.hash == digest)).first() is None:
        conn.execute(insert(VERSION), [{"hash": digest, "kind": kind, "body": body, "at": at}])
