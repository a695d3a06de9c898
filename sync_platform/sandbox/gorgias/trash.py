"""The trash is a time on a ticket, which can be taken back; when it is emptied is not established.

With the switch trash_kept_days a ticket is deleted for good that many days after it was moved to the trash; the
sandbox looks when it is called, at most once a minute of its clock.
"""

from datetime import datetime, timedelta

from sync_platform.sandbox.gorgias.embedded import remove_ticket
from sync_platform.sandbox.gorgias.store import Actor, Store

EVERY_S = 60
_SINCE = "SELECT id, json_extract(row, '$.trashed_datetime') FROM tickets WHERE trashed = 1 AND deleted IS NULL"


def empty(store: Store) -> None:
    """Delete what has been in the trash for too long."""
    now = store.world.clock.now()
    if store.trash_looked_at and now - store.trash_looked_at < timedelta(seconds=EVERY_S):
        return
    store.trash_looked_at = now
    edge = now - timedelta(days=store.switch("trash_kept_days"))
    gone = [number for number, at in store.all(_SINCE) if datetime.fromisoformat(at) <= edge]
    for number in gone:
        with store.writing():
            remove_ticket(store, number, Actor(None))
