"""News: whether a run is worth starting, decided from the ledger alone. Never calls a vendor."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select

from sync_platform.errors import SyncError
from sync_platform.ledger import acts, asks, holds, inbox, links, outbox
from sync_platform.ledger.database import Ledger, get_meta, ledger_id
from sync_platform.ledger.lease import holder
from sync_platform.ledger.tables import CursorRow, RunRow
from sync_platform.settings import Settings
from sync_platform.sync import plans
from sync_platform.sync.order import DETAILED

CURSOR = CursorRow.__table__  # type: ignore[attr-defined]
RUN = RunRow.__table__  # type: ignore[attr-defined]
_LAST_RUN = select(RUN.c.started_at).where(RUN.c.ended_at.is_not(None)).order_by(RUN.c.ended_at.desc()).limit(1)
LOOK_EVERY_S = 0.25


@dataclass(frozen=True, slots=True)
class News:
    """Whether a run is due, why, and the key under which it is asked for at most once."""

    due: bool
    reasons: tuple[str, ...]
    run_key: str


def news(settings: Settings, wait_s: float = 0.0) -> News:
    """Look until something is due or `wait_s` is over. A ledger that is not set up gives no news, with the reason."""
    deadline = time.monotonic() + wait_s
    try:
        ledger = Ledger.open(settings.ledger_url, migrate=False)
    except SyncError as error:
        return News(False, (f"{error.code}: {error.remedy}",), "")
    try:
        while True:
            found = _look(ledger, settings.poll_s)
            if found.due or time.monotonic() >= deadline:
                return found
            time.sleep(min(LOOK_EVERY_S, max(deadline - time.monotonic(), 0.0)))
    finally:
        ledger.close()


def _look(ledger: Ledger, poll_s: float) -> News:
    with ledger.read() as conn:
        now = ledger.now(conn)
        key = f"{ledger_id(conn)}-{get_meta(conn, 'cycles_finished') or 0}"
        if get_meta(conn, "account.erp") is None:
            return News(False, ("not set up: run `sync-platform setup`",), key)
        if acts.paused(conn) is not None:
            return News(False, ("paused: `sync-platform resume` lets it go on",), key)
        reasons = []
        # What a run has left there, for a system's trouble, waits for the next poll.
        last = conn.execute(_LAST_RUN).scalar()
        if inbox.fresh(conn, last):
            reasons.append("inbox")
        if outbox.due_count(conn, now):
            reasons.append("intents due")
        if holds.closed_holds(conn) or plans.approved(conn) or asks.wanted_again(conn):
            reasons.append("a person's word to carry out")
        if acts.resumed_since(conn, last):
            reasons.append("resumed")
        if links.count_dirty(conn):
            reasons.append("records to judge")
        if any(links.details_owed(conn, system, entity, 1) for system, entity in DETAILED):
            reasons.append("reads by id owed")
        rows = conn.execute(select(CURSOR.c.walk, CURSOR.c.polled_at, CURSOR.c.feed)).all()
        if any(row.walk is not None for row in rows):
            reasons.append("unfinished walk")
        polled = [row.polled_at for row in rows if row.polled_at is not None]
        if not rows or not polled or max(polled) <= now - timedelta(seconds=poll_s):
            reasons.append("poll due")
    at_work = holder(ledger)
    if at_work is not None and at_work.alive:
        return News(False, ("a cycle is at work",), key)
    return News(bool(reasons), tuple(reasons), key)
