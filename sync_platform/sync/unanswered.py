"""Creates that nobody answered: when one may still come to stand there, and what earlier ones were to hold."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection

from sync_platform.core.records import Json, System
from sync_platform.ledger import outbox
from sync_platform.ledger.outbox import Intent
from sync_platform.sync.hub import Hub

# Where the marker is not unique: a second create would be taken [Gorgias: external_id, doc].
TAKES_DOUBLES = {System.GORGIAS}


def may_appear(hub: Hub, intent: Intent) -> datetime | None:
    """When to look again for a create that is not there yet and could come to stand beside a second one."""
    if intent.system not in TAKES_DOUBLES or intent.sent_at is None:
        return None
    ends = intent.sent_at + timedelta(seconds=hub.timing.absent_s)
    return min(hub.settle_due(), ends) if hub.now() < ends else None


def sent_before(hub: Hub, conn: Connection, intent: Intent) -> dict[str, list[Json]]:
    """By field, what earlier creates of this record were to hold there, given up as absent: one of them may have landed
    late, and then the marker is its."""
    since = hub.now() - timedelta(seconds=hub.timing.late_s)
    out: dict[str, list[Json]] = {}
    for one in outbox.unanswered_creates(conn, [str(intent.record_id)], since):
        if one.system is intent.system and one.id < intent.id:
            for name, sent in one.values.items():
                out.setdefault(name, []).append(sent)
    return out
