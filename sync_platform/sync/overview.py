"""How it stands, from what is cheap to ask: for the status page and the metrics. Asks no system, counts no whole table.

Records and links are as the last run counted them; what waits is counted by indexes over what waits alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, select

from sync_platform.core.records import ENTITIES, SYSTEMS, System
from sync_platform.ledger import accounts, acts, holds, inbox, journal, links
from sync_platform.ledger.budget import readings_of
from sync_platform.ledger.database import Ledger
from sync_platform.ledger.journal import PARKED, REVIEW
from sync_platform.ledger.lease import holder
from sync_platform.ledger.outbox import INTENT, IS_OPEN
from sync_platform.ledger.tables import CursorRow, RunRow
from sync_platform.settings import Settings
from sync_platform.sync import audit, plans
from sync_platform.sync.cycle import utc, writes_allowed

CURSOR = CursorRow.__table__  # type: ignore[attr-defined]
RUN = RunRow.__table__  # type: ignore[attr-defined]
PAST = timedelta(hours=6)
RUNS_MAX = 2000
_ENDED = (
    select(RUN.c.id, RUN.c.kind, RUN.c.started_at, RUN.c.ended_at, RUN.c.outcome, RUN.c.complete, RUN.c.counts)
    .where(RUN.c.ended_at.is_not(None))
    .order_by(RUN.c.ended_at.desc())
)


def overview(ledger: Ledger, settings: Settings) -> dict[str, Any]:
    """The whole of it, times as aware datetimes. Raises LedgerUnreachable."""
    stamped = {str(s): one for s in SYSTEMS if (one := accounts.stamped(ledger, s)) is not None}
    sandbox = all(flag for _, flag in stamped.values()) if stamped else settings.target == "sandbox"
    with ledger.read() as conn:
        now = ledger.now(conn)
        runs = list(conn.execute(_ENDED.where(RUN.c.ended_at >= now - PAST).limit(RUNS_MAX)))
        if not runs:
            runs = list(conn.execute(_ENDED.limit(1)))
        found: dict[str, Any] = {
            "now": now,
            "target": "sandbox" if sandbox else "live",
            "writes": "on" if writes_allowed(settings, sandbox) else "off",
            "paused": acts.paused(conn),
            "inbox": {"depth": inbox.depth(conn), "oldest_at": _oldest_delivery(conn), "door": inbox.counts(conn)},
            "waiting": waiting(conn),
            "lags": _lags(conn, now),
            "standing": next((kept for row in runs if (kept := (row.counts or {}).get("standing"))), None),
            "runs": _runs(runs, now),
            "last_complete_at": _last_complete(conn),
        }
    held = holder(ledger)
    return found | {
        "lease": None if held is None or not held.alive else {"owner": held.owner, "taken_at": held.taken_at},
        "systems": {
            str(system): {
                "account": stamped.get(str(system), ("", False))[0],
                "lag_s": found["lags"].get(str(system)),
                "limits": _limits(ledger, system),
                **_spent(runs, str(system)),
            }
            for system in SYSTEMS
        },
    }


def _oldest_delivery(conn: Connection) -> datetime | None:
    table = inbox.INBOX
    oldest = select(table.c.received_at).where(table.c.drained_at.is_(None)).order_by(table.c.id).limit(1)
    at: datetime | None = conn.execute(oldest).scalar()
    return at


def waiting(conn: Connection) -> dict[str, Any]:
    """What a person, a run or a system still has to do, and since when the oldest waits."""
    by = (INTENT.c.system, INTENT.c.entity, INTENT.c.state)
    open_ = conn.execute(select(*by, func.count()).where(IS_OPEN).group_by(*by).order_by(*by))
    oldest_review = select(func.min(REVIEW.c.at)).where(REVIEW.c.state == "open")
    oldest_parked = select(PARKED.c.at).where(PARKED.c.lifted_at.is_(None)).order_by(PARKED.c.id).limit(1)
    marks, reviews = journal.count_parked(conn), journal.count_reviews_by_kind(conn)
    return {
        "reviews": [{"entity": entity, "kind": kind, "count": n} for (entity, kind), n in sorted(reviews.items())],
        "oldest_review_at": conn.execute(oldest_review).scalar(),
        "parked": [{"system": system, "entity": entity, "count": n} for (system, entity), n in sorted(marks.items())],
        "oldest_parked_at": conn.execute(oldest_parked).scalar(),
        "holds": holds.listed(conn),
        "plans": plans.waiting(conn),
        "intents": [
            {"system": system, "entity": entity, "state": state, "count": int(n)} for system, entity, state, n in open_
        ],
        "dirty": {str(entity): links.count_dirty(conn, entity) for entity in ENTITIES},
    }


def _lags(conn: Connection, now: datetime) -> dict[str, float]:
    """Seconds since each system's news were looked for; listings, which are read at night, do not count."""
    news = select(CURSOR.c.system, func.min(CURSOR.c.polled_at)).where(
        ~CURSOR.c.feed.like("%.list"), ~CURSOR.c.feed.like("%.phone")
    )
    rows = conn.execute(news.group_by(CURSOR.c.system))
    return {row[0]: round((now - row[1]).total_seconds(), 1) for row in rows if row[1] is not None}


def _last_complete(conn: Connection) -> datetime | None:
    """When a sync last did all that there was to do."""
    wanted = _ENDED.where(RUN.c.complete, RUN.c.kind != audit.KIND).limit(1)
    row = conn.execute(wanted).first()
    return row.ended_at if row is not None else None


def _limits(ledger: Ledger, system: System) -> list[dict[str, Any]]:
    return [
        {"name": one.limit, "limit": one.allowed, "window_s": one.window_s, "used": one.used, "frozen_s": one.frozen_s}
        for one in readings_of(ledger, str(system))
    ]


def _spent(runs: Sequence[Any], system: str) -> dict[str, Any]:
    """Calls of the last hours against their bound, and calls by the end of each run, oldest first."""
    calls = bound = limited = 0
    waited = 0.0
    course = []
    for row in reversed(runs):
        cost = (row.counts or {}).get("systems", {}).get(system, {})
        made = sum(cost.get("calls", {}).values()) if isinstance(cost.get("calls"), Mapping) else 0
        if row.kind != audit.KIND:
            calls, bound = calls + made, bound + cost.get("lower_bound", 0)
        limited, waited = limited + cost.get("rate_limited", 0), waited + cost.get("waited_s", 0.0)
        course.append((row.started_at, row.ended_at, int(made)))
    return {
        "calls": int(calls),
        "lower_bound": bound,
        "ratio": round(calls / bound, 3) if bound else None,
        "rate_limited": limited,
        "waited_s": round(waited, 1),
        "course": course,
    }


def _runs(runs: Sequence[Any], now: datetime) -> dict[str, Any]:
    outcomes: dict[str, int] = {}
    for row in runs:
        if row.ended_at >= now - PAST:
            outcomes[row.outcome or "unknown"] = outcomes.get(row.outcome or "unknown", 0) + 1
    last = runs[0] if runs else None
    return {
        "outcomes": outcomes,
        "last": None
        if last is None
        else {"run": last.id, "kind": last.kind, "outcome": last.outcome, "ended_at": utc(last.ended_at)},
    }
