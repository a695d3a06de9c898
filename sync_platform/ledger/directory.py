"""The slow lists of an account (agents, stages, options), kept with their age so that a cycle need not ask for them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Table, delete, select

from sync_platform.ledger.database import Ledger, insert_for
from sync_platform.ledger.tables import DirectoryRow

DIRECTORY: Table = DirectoryRow.__table__  # type: ignore[attr-defined]


def load(ledger: Ledger, system: str, max_age_s: float, *, now: datetime | None = None) -> dict[str, Any] | None:
    """The lists of a system, or None when none were kept or they are older than `max_age_s`."""
    with ledger.read() as conn:
        row = conn.execute(
            select(DIRECTORY.c.body, DIRECTORY.c.read_at).where(DIRECTORY.c.system == str(system))
        ).first()
    if row is None or ((now or datetime.now(UTC)) - row.read_at).total_seconds() > max_age_s:
        return None
    body: dict[str, Any] = row.body or {}
    return body


def load_all(conn: Connection) -> dict[str, dict[str, Any]]:
    """The lists of every system, whatever their age."""
    return {row.system: row.body or {} for row in conn.execute(select(DIRECTORY.c.system, DIRECTORY.c.body))}


def save(ledger: Ledger, system: str, body: dict[str, Any], *, now: datetime | None = None) -> None:
    """Keep the lists of a system as read just now."""
    values = {"body": body, "read_at": now or datetime.now(UTC)}
    with ledger.begin() as conn:
        statement = insert_for(conn, DIRECTORY).values(system=str(system), **values)
        conn.execute(statement.on_conflict_do_update(index_elements=["system"], set_=values))


def forget(ledger: Ledger, system: str) -> None:
    """Drop the lists of a system: the next cycle reads them anew (a stage or an agent was not found in them)."""
    with ledger.begin() as conn:
        conn.execute(delete(DIRECTORY).where(DIRECTORY.c.system == str(system)))
