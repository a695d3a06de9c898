"""Prune: what is old and what nothing needs goes from the ledger, in short transactions, beside a cycle at work."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from sync_platform.ledger import retention
from sync_platform.ledger.database import Ledger
from sync_platform.ledger.retention import Checkpoint
from sync_platform.settings import Settings
from sync_platform.sync.hub import Progress

# Rows of one transaction: a cycle that waits for the writer's place waits some hundredths of a second.
PIECE = 500
OBSERVATIONS = "observations"
CALLS = "counts of calls"


def run_prune(
    settings: Settings,
    *,
    keep_days: int | None = None,
    dry_run: bool = False,
    progress: Callable[[Progress], None] | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> dict[str, Any]:
    """The `prune` object of the commands: rows by kind that went (or, dry, would go), the checkpoint.

    Decisions, records, links, intents, reviews, plans, holds and acts are never touched. Raises NotSetUp and the
    ledger's errors; what was done until then stays done.
    """
    before = now() - timedelta(days=keep_days or settings.sync_keep_days)
    ledger = Ledger.open(settings.ledger_url, migrate=False)
    try:
        return prune(ledger, before, progress or (lambda _progress: None), dry_run=dry_run)
    finally:
        ledger.close()


def prune(ledger: Ledger, before: datetime, tell: Callable[[Progress], None], *, dry_run: bool) -> dict[str, Any]:
    """The same of an open ledger, of all that is older than `before`."""
    rows = _old_rows(ledger, before, tell, dry_run=dry_run)
    gone, kept, point = _observations(ledger, before, tell, dry_run=dry_run)
    return {
        "dry_run": dry_run,
        "before": before.isoformat(timespec="seconds"),
        "rows": {**rows, OBSERVATIONS: gone},
        "kept": kept,
        "checkpoint": point.dump() if point else None,
    }


def _old_rows(ledger: Ledger, before: datetime, tell: Callable[[Progress], None], *, dry_run: bool) -> dict[str, int]:
    with ledger.read() as conn:
        ended = retention.ended_runs(conn, before)
    # Before the runs themselves: without them nothing tells any more how old the counts are.
    out = {CALLS: retention.count_calls(ledger, ended) if dry_run else retention.remove_calls(ledger, ended)}
    for name, (table, key, where) in retention.old_rows(before).items():
        out[name] = 0
        if dry_run:
            with ledger.read() as conn:
                out[name] = retention.count(conn, table, where)
            continue
        while True:
            with ledger.read() as conn:
                keys = retention.some(conn, key, where, PIECE * 20)
            for start in range(0, len(keys), PIECE):
                with ledger.begin() as conn:
                    out[name] += retention.remove(conn, table, key, keys[start : start + PIECE])
            tell(Progress(f"prune {name}", rows=out[name]))
            if len(keys) < PIECE * 20:
                break
    return out


def _observations(
    ledger: Ledger, before: datetime, tell: Callable[[Progress], None], *, dry_run: bool
) -> tuple[int, int, Checkpoint | None]:
    """Page by page above the checkpoint; each page goes with the move of the checkpoint, in one transaction."""
    with ledger.read() as conn:
        point = retention.checkpoint(conn)
    after = point.observation if point else 0
    counted: set[int] = set()
    gone = 0
    while True:
        with ledger.read() if dry_run else ledger.begin() as conn:
            page = retention.became_old(conn, after, before)
            if page.last == after:
                break
            ids = retention.needless(conn, page.objects, page.last)
            if dry_run:
                counted.update(ids)
                gone = len(counted)
            else:
                gone += retention.remove_observations(conn, ids)
                point = Checkpoint(page.last, before.isoformat(timespec="seconds"))
                retention.set_checkpoint(conn, point)
            after = page.last
        tell(Progress("prune observations", rows=gone))
        if not page.more:
            break
    with ledger.read() as conn:
        left = retention.left_below(conn, after)
    return gone, left - gone if dry_run else left, point
