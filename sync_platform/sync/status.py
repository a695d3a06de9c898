"""Status: what the ledger says about now. Asks no system."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from sync_platform.core.records import ENTITIES, SYSTEMS, Entity, System
from sync_platform.ledger import accounts as stamps
from sync_platform.ledger import acts, erasure, holds, journal, outbox
from sync_platform.ledger.budget import readings_of
from sync_platform.ledger.database import Ledger
from sync_platform.ledger.lease import Holder, holder
from sync_platform.ledger.links import IS_ACTIVE, LINK, RECORD
from sync_platform.ledger.retention import checkpoint
from sync_platform.ledger.tables import CursorRow, InboxRow, RunRow
from sync_platform.settings import Settings
from sync_platform.sync import audit, plans
from sync_platform.sync.cycle import utc, writes_allowed

CURSOR = CursorRow.__table__  # type: ignore[attr-defined]
INBOX = InboxRow.__table__  # type: ignore[attr-defined]
RUN = RunRow.__table__  # type: ignore[attr-defined]


def status(settings: Settings) -> dict[str, Any]:
    """The `status` object of the commands. Raises NotSetUp and LedgerUnreachable."""
    ledger = Ledger.open(settings.ledger_url, migrate=False)
    try:
        stamped = {str(s): found for s in SYSTEMS if (found := stamps.stamped(ledger, s)) is not None}
        with ledger.read() as conn:
            now = ledger.now(conn)
            # Listings are read at the first load and at night; a lag is about the feeds that tell news.
            news = select(CURSOR.c.system, func.min(CURSOR.c.polled_at)).where(
                ~CURSOR.c.feed.like("%.list"), ~CURSOR.c.feed.like("%.phone")
            )
            cursors = conn.execute(news.group_by(CURSOR.c.system))
            polled = {row[0]: row[1] for row in cursors}
            body = {
                "entities": {str(entity): _entity(conn, entity) for entity in ENTITIES},
                "inbox": int(
                    conn.execute(
                        select(func.count()).select_from(INBOX).where(INBOX.c.drained_at.is_(None))
                    ).scalar_one()
                ),
                "held": holds.listed(conn),
                "plans": plans.waiting(conn),
                "erasures": [one.shown() for one in erasure.under_way(conn)],
                "paused": _paused(conn),
                "last_run": _last_run(conn),
                "pruned": (point := checkpoint(conn)) and point.dump(),
            }
            audited = audit.standing(conn, now)
        held = holder(ledger)
        sandbox = all(flag for _, flag in stamped.values()) if stamped else settings.target == "sandbox"
        return {
            "target": "sandbox" if sandbox else "live",
            "writes": "on" if writes_allowed(settings, sandbox) else "off",
            "systems": {
                str(system): {
                    "account": stamped.get(str(system), ("", False))[0],
                    "lag_s": _lag(polled.get(str(system)), now),
                    "budget": _budget(ledger, system),
                    "audit": audited[str(system)],
                }
                for system in SYSTEMS
            },
            **body,
            "lease": _lease(held),
        }
    finally:
        ledger.close()


def _entity(conn: Any, entity: Entity) -> dict[str, Any]:
    links = conn.execute(
        select(LINK.c.system, func.count()).where(LINK.c.entity == entity, IS_ACTIVE).group_by(LINK.c.system)
    )
    records = conn.execute(
        select(func.count()).select_from(RECORD).where(RECORD.c.entity == entity, RECORD.c.tombstone.is_(None))
    ).scalar_one()
    open_ = outbox.count_open(conn)
    parked = journal.count_parked(conn)
    return {
        "records": int(records),
        "links": {row[0]: int(row[1]) for row in links},
        "pending": sum(count for (_, of, _, _), count in open_.items() if of == str(entity)),
        "in_review": journal.count_reviews(conn).get(str(entity), 0),
        "parked": sum(count for (_, of), count in parked.items() if of == str(entity)),
    }


def _paused(conn: Any) -> dict[str, Any] | None:
    found = acts.paused(conn)
    return found and {**found, "at": utc(found["at"])}


def _last_run(conn: Any) -> dict[str, Any] | None:
    row = conn.execute(
        select(RUN)
        .where(RUN.c.ended_at.is_not(None), RUN.c.kind != audit.KIND)
        .order_by(RUN.c.ended_at.desc())
        .limit(1)
    ).first()
    if row is None:
        return None
    return {
        "run": row.id,
        "kind": row.kind,
        "started_at": utc(row.started_at),
        "ended_at": utc(row.ended_at),
        "outcome": row.outcome,
        "complete": row.complete,
        "errors": row.errors or [],
    }


def _lag(at: datetime | None, now: datetime) -> float | None:
    return round((now - at).total_seconds(), 1) if at else None


def _budget(ledger: Ledger, system: System) -> dict[str, Any]:
    """The tightest limit of a system: what it allows, and how much of it is in use now."""
    found = readings_of(ledger, str(system))
    if not found:
        return {"limit": None, "window_s": None, "used": 0}
    tightest = max(found, key=lambda one: one.used / one.allowed if one.allowed else 0.0)
    return {
        "limit": tightest.allowed,
        "window_s": tightest.window_s,
        "used": tightest.used,
        "limits": [
            {
                "name": one.limit,
                "limit": one.allowed,
                "window_s": one.window_s,
                "used": one.used,
                "frozen_s": one.frozen_s,
            }
            for one in found
        ],
    }


def _lease(held: Holder | None) -> dict[str, Any] | None:
    if held is None or not held.alive:
        return None
    return {"owner": held.owner, "pid": held.pid, "taken_at": utc(held.taken_at), "expires_at": utc(held.expires_at)}
