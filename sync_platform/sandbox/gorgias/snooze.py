"""The end of a snooze: when its time has come on the sandbox's clock, a ticket wakes by itself.

That it is open then and no longer snoozed is inferred [switch snooze_end]; the event ticket-self-unsnoozed is
documented. Tickets that were seeded with a snooze that is over stay as they are.
"""

from sync_platform.sandbox.gorgias import tickets
from sync_platform.sandbox.gorgias.embedded import save_ticket
from sync_platform.sandbox.gorgias.store import NEVER, Store, stamp

SCHEMA = "CREATE TABLE IF NOT EXISTS snoozes(at INTEGER, ticket_id INTEGER, PRIMARY KEY(at, ticket_id)) WITHOUT ROWID;"


def prepare(store: Store) -> None:
    """The table of what wakes when; a reopened file's tickets wake too."""
    store.extend(SCHEMA, ("snoozes",), {})
    store.wake = lambda: settle(store)
    if _look(store) is not None:
        store.chores["snoozes"] = store.wake


def settle(store: Store) -> int | None:
    """Wake the tickets whose time has come; gives when the next one wakes, in microseconds."""
    now = store.now()
    if store.wake_at > now:
        return None if store.wake_at == NEVER else store.wake_at
    with store.writing():
        due = store.all("SELECT at, ticket_id FROM snoozes WHERE at <= ? ORDER BY at, ticket_id", now)
        store.run("DELETE FROM snoozes WHERE at <= ?", now)
        for at, ticket_id in due:
            found = store.one("SELECT 1 FROM tickets WHERE id = ? AND deleted IS NULL", ticket_id)
            if found and tickets.read(store, ticket_id)["snooze_datetime"] == stamp(at):
                _wake(store, ticket_id)
    return _look(store)


async def run(store: Store) -> None:
    """Wake tickets as they fall due, until cancelled, so that their events come without a call."""
    clock = store.world.clock
    while True:
        left_s = (store.wake_at - store.now()) / 1e6
        await clock.sleep(max(0.0, min(left_s, 1.0)))
        settle(store)


def _look(store: Store) -> int | None:
    first: int | None = store.one("SELECT min(at) FROM snoozes")[0]
    store.wake_at = NEVER if first is None else first
    return first


def _wake(store: Store, ticket_id: int) -> None:
    row = tickets.read(store, ticket_id)
    if store.switch("snooze_end") == "reopen":
        reopened = row["status"] == "closed"
        row.update(snooze_datetime=None, status="open", closed_datetime=None, updated_datetime=stamp(store.now()))
        save_ticket(store, row)
        if reopened:
            store.event("ticket-reopened", "Ticket", ticket_id, None)
    store.event("ticket-self-unsnoozed", "Ticket", ticket_id, None)
