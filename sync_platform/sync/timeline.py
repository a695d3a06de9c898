"""What happened to a record, newest first: what was seen, decided, written, answered, and what people did.

A page at a time, by a key of moment, kind and number; each kind is read from its own rows and no further than the page.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, select

from sync_platform.core.records import Link
from sync_platform.errors import BadInput
from sync_platform.ledger import links
from sync_platform.ledger.acts import ACT
from sync_platform.ledger.journal import DECISION, PARKED, RECEIPT, REVIEW
from sync_platform.ledger.outbox import INTENT
from sync_platform.sync.lineage import seen_of

PAGE = 40
# Of one moment at most this many rows of one kind are told: a record has a dozen fields.
SLACK = 40
KINDS = ("observation", "decision", "intent", "receipt", "act")
_KEY = re.compile(r"(\d{1,17})-([0-4])-(\d{1,15})")
Key = tuple[datetime, int, int]


def read_key(text: str) -> Key:
    """A key from an address. Raises BadInput."""
    found = _KEY.fullmatch(text)
    if found is None:
        raise BadInput("this is no place in a history", remedy="Go back to the record and page on from there.")
    try:
        at = datetime.fromtimestamp(int(found[1]) / 1_000_000, tz=UTC)
    except (OverflowError, ValueError, OSError):
        raise BadInput("this is no place in a history", remedy="Go back to the record.") from None
    return at, int(found[2]), int(found[3])


def write_key(at: datetime, kind: str, number: int) -> str:
    """A key for an address: whole microseconds, kind, number."""
    whole = at.astimezone(UTC)
    micros = int(whole.replace(microsecond=0).timestamp()) * 1_000_000 + whole.microsecond
    return f"{micros}-{KINDS.index(kind)}-{number}"


def timeline(
    conn: Connection, record_id: str, before: Key | None = None, field: str | None = None
) -> tuple[list[dict[str, Any]], str | None]:
    """One page of events, and the key at which older ones go on (None: there are none).

    An event has kind, number, at, system, field names or field, rule or state. With `field` only what is about it.
    """
    until = before[0] if before is not None else None
    found = links.links_of(conn, [record_id])[record_id]
    events: list[tuple[Key, dict[str, Any]]] = []
    for kind, rows in (
        ("observation", _seen(conn, found, until)),
        ("decision", _rows(conn, DECISION, DECISION.c.record_id == record_id, DECISION.c.at, until)),
        ("intent", _rows(conn, INTENT, INTENT.c.record_id == record_id, INTENT.c.created_at, until)),
        ("receipt", _receipts(conn, record_id, until)),
        ("act", _acts(conn, record_id, until)),
    ):
        tell = _TELL[kind]
        for row in rows:
            at, facts = tell(row)
            key = (at, KINDS.index(kind), row.id)
            if before is None or key < before:
                events.append((key, {"kind": kind, "number": row.id, "at": at, **facts}))
    events.sort(key=lambda one: one[0], reverse=True)
    page = events[:PAGE]
    more = len(events) > PAGE
    told = [event for _, event in page if field is None or field in event["fields"] or "*" in event["fields"]]
    last = page[-1][1] if page else None
    return told, write_key(last["at"], last["kind"], last["number"]) if more and last is not None else None


# --- rows -------------------------------------------------------------------------------------------------------


def _rows(conn: Connection, table: Any, where: ColumnElement[bool], at: Any, until: datetime | None) -> Sequence[Any]:
    statement = select(table).where(where).order_by(table.c.id.desc()).limit(PAGE + SLACK)
    return conn.execute(statement.where(at <= until) if until is not None else statement).all()


def _seen(conn: Connection, found: Sequence[Link], until: datetime | None) -> Sequence[Any]:
    objects = [(str(link.system), str(link.entity), link.external_id) for link in found]
    return seen_of(conn, objects, PAGE + SLACK, until)


def _receipts(conn: Connection, record_id: str, until: datetime | None) -> Sequence[Any]:
    statement = (
        select(RECEIPT, INTENT.c.system, INTENT.c.payload)
        .join_from(INTENT, RECEIPT, RECEIPT.c.intent_id == INTENT.c.id)
        .where(INTENT.c.record_id == record_id)
        .order_by(RECEIPT.c.id.desc())
        .limit(PAGE + SLACK)
    )
    return conn.execute(statement.where(RECEIPT.c.at <= until) if until is not None else statement).all()


def _acts(conn: Connection, record_id: str, until: datetime | None) -> Sequence[Any]:
    asked = conn.execute(select(REVIEW.c.id, REVIEW.c.field).where(REVIEW.c.record_id == record_id)).all()
    marks = conn.execute(select(PARKED.c.id, PARKED.c.field).where(PARKED.c.record_id == record_id)).all()
    subjects = [f"record {record_id}"]
    subjects += [f"review:{row.id}" for row in asked] + [f"parked:{row.id}" for row in marks]
    return _rows(conn, ACT, ACT.c.subject.in_(subjects), ACT.c.at, until)


# --- events -----------------------------------------------------------------------------------------------------


def _of_observation(row: Any) -> tuple[datetime, dict[str, Any]]:
    return row.observed_at, {
        "system": row.system,
        "fields": sorted(row.fields or {}),
        "said": row.channel,
        "taken": row.taken,
        "evidence": (row.evidence or {}).get("kind"),
        "run": row.run,
    }


def _of_decision(row: Any) -> tuple[datetime, dict[str, Any]]:
    return row.at, {
        "system": row.winner["system"] if row.winner else None,
        "fields": [row.field],
        "said": row.rule,
        "value": None if row.field == "*" else row.value,
        "run": row.run,
    }


def _of_intent(row: Any) -> tuple[datetime, dict[str, Any]]:
    values = (row.payload or {}).get("values", {})
    return row.created_at, {
        "system": row.system,
        "fields": sorted(values) or ["*"],
        "said": row.verb,
        "state": row.state,
        "run": row.run,
    }


def _of_receipt(row: Any) -> tuple[datetime, dict[str, Any]]:
    values = (row.payload or {}).get("values", {})
    return row.at, {
        "system": row.system,
        "fields": sorted(values) or ["*"],
        "said": row.outcome,
        "state": row.code or row.status,
        "intent": row.intent_id,
    }


def _of_act(row: Any) -> tuple[datetime, dict[str, Any]]:
    return row.at, {"system": None, "fields": ["*"], "said": row.verb, "who": row.who, "why": row.why}


_TELL = {
    "observation": _of_observation,
    "decision": _of_decision,
    "intent": _of_intent,
    "receipt": _of_receipt,
    "act": _of_act,
}
