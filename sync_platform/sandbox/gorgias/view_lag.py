"""Views that lag behind the writes: an index that sees each ticket as it was `view_lag_s` ago.

Views are likely eventually consistent [inferred; switch view_lag_s, 0 by default]. While it is above 0, triggers on the
tickets keep what each write replaced, in a temporary table; while it is 0 nothing is kept and nothing is asked.
"""

from sync_platform.sandbox.gorgias.store import Store

_COLUMNS = "id, created, updated, customer_id, external_id, trashed, row, deleted"
_OLD = ", ".join(f"old.{name}" for name in _COLUMNS.split(", "))
_TRIGGERS = f"""
CREATE TEMP TABLE IF NOT EXISTS ticket_past(until INTEGER NOT NULL, existed INTEGER NOT NULL, id INTEGER NOT NULL,
  created INTEGER, updated INTEGER, customer_id INTEGER, external_id TEXT, trashed INTEGER, row TEXT, deleted INTEGER);
CREATE INDEX IF NOT EXISTS temp.ticket_past_until ON ticket_past(until);
CREATE TEMP TRIGGER IF NOT EXISTS ticket_past_new AFTER INSERT ON main.tickets
  BEGIN INSERT INTO ticket_past(until, existed, id) VALUES (sandbox_now(), 0, new.id); END;
CREATE TEMP TRIGGER IF NOT EXISTS ticket_past_old BEFORE UPDATE ON main.tickets
  BEGIN INSERT INTO ticket_past VALUES (sandbox_now(), 1, {_OLD}); END;
"""  # noqa: S608 - own column names
# The oldest version that was replaced after the moment is the one that stood at the moment.
_SOURCE = f"""(SELECT {_COLUMNS} FROM main.tickets WHERE id NOT IN (SELECT id FROM ticket_past WHERE until > {{0}})
  UNION ALL SELECT {_COLUMNS} FROM ticket_past WHERE existed AND rowid IN
  (SELECT min(rowid) FROM ticket_past WHERE until > {{0}} GROUP BY id))"""  # noqa: S608 - own names, and a number


def lag_us(store: Store) -> int:
    """How far views lie behind, in microseconds."""
    return int(store.switch("view_lag_s") * 1e6)


def keep(store: Store) -> None:
    """Before a write: make sure that what it replaces is kept while views lag."""
    if store.view_past or not lag_us(store):
        return
    store.db.create_function("sandbox_now", 0, store.now)
    store.db.executescript(_TRIGGERS)
    store.row_tables.append("ticket_past")  # a reset forgets the past too
    store.view_past = True


def source(store: Store) -> str:
    """What a view of tickets selects from, under the name tickets."""
    lag = lag_us(store)
    if not store.view_past or not lag:
        return "tickets"
    moment = store.now() - lag
    store.run("DELETE FROM ticket_past WHERE until <= ?", moment)
    return _SOURCE.format(moment) + " AS tickets"
