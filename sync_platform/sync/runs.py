"""Runs as the ledger keeps them: what each saw, decided and wrote, and what it cost. No value of a person is in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, and_, func, or_, select

from sync_platform.errors import NotFound
from sync_platform.ledger.budget import calls_of
from sync_platform.ledger.database import Ledger
from sync_platform.ledger.journal import DECISION, OBSERVATION, RECEIPT
from sync_platform.ledger.lease import holder
from sync_platform.ledger.outbox import INTENT
from sync_platform.ledger.tables import RunRow
from sync_platform.sync.cycle import utc

RUN = RunRow.__table__  # type: ignore[attr-defined]
LINES = 50
# Of a larger run the first so many rows are counted, and the page says so.
COUNTED_MAX = 5_000
_COLUMNS = (RUN.c.id, RUN.c.kind, RUN.c.started_at, RUN.c.ended_at, RUN.c.outcome, RUN.c.complete, RUN.c.counts)


# --- the list


def latest(ledger: Ledger, *, after: str | None = None) -> dict[str, Any]:
    """Runs, the newest first, `{"lines", "next"}`; those that have not ended come before all others."""
    at = holder(ledger)
    owner = at.owner if at is not None and at.alive else None
    with ledger.read() as conn:
        rows = []
        if after is None:
            open_ = select(*_COLUMNS).where(RUN.c.ended_at.is_(None)).order_by(RUN.c.started_at.desc()).limit(LINES)
            rows = list(conn.execute(open_))
        ended = select(*_COLUMNS).where(RUN.c.ended_at.is_not(None))
        if after is not None:
            key = select(RUN.c.ended_at).where(RUN.c.id == after).scalar_subquery()
            ended = ended.where(or_(RUN.c.ended_at < key, and_(RUN.c.ended_at == key, RUN.c.id < after)))
        found = list(conn.execute(ended.order_by(RUN.c.ended_at.desc(), RUN.c.id.desc()).limit(LINES + 1)))
    rows += found[:LINES]
    return {
        "lines": [_line(row, owner) for row in rows],
        "next": found[LINES - 1].id if len(found) > LINES else None,
    }


def _line(row: Any, owner: str | None) -> dict[str, Any]:
    counts = row.counts or {}
    entities = counts.get("entities", {}).values()
    written = sum(sum(one.get(verb, {}).values()) for one in entities for verb in ("created", "updated", "deleted"))
    return {
        "run": row.id,
        "kind": row.kind,
        "started_at": utc(row.started_at),
        "ended_at": utc(row.ended_at),
        "seconds": round((row.ended_at - row.started_at).total_seconds(), 1) if row.ended_at else None,
        "state": row.outcome if row.ended_at else "at work" if row.id == owner else "did not end",
        "complete": row.complete,
        "observed": sum(one.get("observed", 0) for one in entities),
        "written": written,
        "calls": sum(sum(one.get("calls", {}).values()) for one in counts.get("systems", {}).values()),
    }


# --- one run


def run(ledger: Ledger, number: str, keys: Mapping[str, int | None] | None = None) -> dict[str, Any]:
    """One run: its counts, calls against the bound, errors, and what it saw, decided and wrote, a page of each.

    `keys` names the row after which each list goes on. Raises NotFound.
    """
    keys = keys or {}
    at = holder(ledger)
    owner = at.owner if at is not None and at.alive else None
    with ledger.read() as conn:
        row = conn.execute(select(RUN).where(RUN.c.id == number)).first()
        if row is None:
            raise NotFound("no run has this number", remedy="Runs that `prune` took away are not there any more.")
        counts = row.counts or {}
        begun, ended = counts.get("from"), counts.get("to")
        kept: dict[str, Any] = {}
        if begun is not None:
            kept = {
                "saw": saw(conn, number, begun["observation"], (ended or {}).get("observation"), keys.get("saw")),
                "decided": decided(conn, number, begun["decision"], (ended or {}).get("decision"), keys.get("decided")),
                "wrote": wrote(conn, begun["receipt"], (ended or {}).get("receipt"), keys.get("wrote")),
            }
    return (
        _line(row, owner)
        | {
            "systems": counts.get("systems", {}),
            "entities": counts.get("entities", {}),
            "errors": row.errors or [],
            "costs": [
                {"system": one.system, "lane": one.lane, "purpose": one.purpose, "calls": one.count}
                | {"waited_s": round(one.waited_s, 2), "rate_limited": one.rate_limited}
                for one in calls_of(ledger, number)
            ],
            "kept": bool(kept),
        }
        | kept
    )


def _between(column: Any, low: int, high: int | None) -> Any:
    return column > low if high is None else and_(column > low, column <= high)


def saw(conn: Connection, run: str, low: int, high: int | None, after: int | None) -> dict[str, Any]:
    """Observations of a run, between two numbers: `{counts, all, lines, next}`."""
    table = OBSERVATION
    mine = and_(_between(table.c.id, low, high), table.c.run == run)
    inner = select(table.c.system, table.c.entity, table.c.channel).where(mine).limit(COUNTED_MAX).subquery()
    grouped = conn.execute(select(inner, func.count().label("n")).group_by(*inner.c).order_by(*inner.c)).all()
    columns = (table.c.id, table.c.system, table.c.entity, table.c.external_id, table.c.channel, table.c.taken)
    rows = conn.execute(_page(select(*columns, table.c.observed_at).where(mine), table.c.id, after)).all()
    lines = [
        {"number": one.id, "system": one.system, "entity": one.entity, "id": one.external_id, "channel": one.channel}
        | {"taken": one.taken, "at": utc(one.observed_at)}
        for one in rows
    ]
    return _told([one._asdict() for one in grouped], lines)


def decided(conn: Connection, run: str, low: int, high: int | None, after: int | None) -> dict[str, Any]:
    """Its decisions, in the same form."""
    table = DECISION
    mine = and_(_between(table.c.id, low, high), table.c.run == run)
    inner = select(table.c.entity, table.c.field, table.c.rule).where(mine).limit(COUNTED_MAX).subquery()
    grouped = conn.execute(select(inner, func.count().label("n")).group_by(*inner.c).order_by(*inner.c)).all()
    columns = (table.c.id, table.c.record_id, table.c.entity, table.c.field, table.c.rule, table.c.cause, table.c.at)
    rows = conn.execute(_page(select(*columns).where(mine), table.c.id, after)).all()
    lines = [
        {"number": one.id, "record": one.record_id, "entity": one.entity, "field": one.field, "rule": one.rule}
        | {"cause": one.cause, "at": utc(one.at)}
        for one in rows
    ]
    return _told([one._asdict() for one in grouped], lines)


def wrote(conn: Connection, low: int, high: int | None, after: int | None) -> dict[str, Any]:
    """Answers to its calls, with the intents of what was written then, in the same form."""
    joined = RECEIPT.join(INTENT, INTENT.c.id == RECEIPT.c.intent_id)
    mine = _between(RECEIPT.c.id, low, high)
    columns = (INTENT.c.system, INTENT.c.entity, INTENT.c.verb, RECEIPT.c.outcome)
    inner = select(*columns).select_from(joined).where(mine).limit(COUNTED_MAX).subquery()
    grouped = conn.execute(select(inner, func.count().label("n")).group_by(*inner.c).order_by(*inner.c)).all()
    shown = select(
        RECEIPT.c.id, RECEIPT.c.at, RECEIPT.c.code, INTENT.c.id.label("intent"), INTENT.c.record_id, *columns
    )
    rows = conn.execute(_page(shown.select_from(joined).where(mine), RECEIPT.c.id, after)).all()
    lines = [
        {"number": one.id, "intent": one.intent, "record": one.record_id, "system": one.system, "entity": one.entity}
        | {"verb": one.verb, "outcome": one.outcome, "code": one.code, "at": utc(one.at)}
        for one in rows
    ]
    return _told([one._asdict() for one in grouped], lines)


def _page(statement: Any, key: Any, after: int | None) -> Any:
    return (statement if after is None else statement.where(key > after)).order_by(key).limit(LINES + 1)


def _told(grouped: list[dict[str, Any]], lines: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "counts": grouped,
        "all": sum(one["n"] for one in grouped) < COUNTED_MAX,
        "lines": lines[:LINES],
        "next": lines[LINES - 1]["number"] if len(lines) > LINES else None,
    }
