"""What people did: who, when, why. Append-only; a pause is the newest of the acts `pause` and `resume`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select
from sqlalchemy import Table as SaTable

from sync_platform.ledger.tables import PersonActRow

ACT: SaTable = PersonActRow.__table__  # type: ignore[attr-defined]
# Built once, as all statements that a step asks again and again.
_ADD = insert(ACT)
_LAST_WORD = select(ACT).where(ACT.c.verb.in_(("pause", "resume"))).order_by(ACT.c.id.desc()).limit(1)


def add(conn: Connection, verb: str, subject: str, *, who: str, why: str | None, at: datetime) -> None:
    """Record an act of a person."""
    conn.execute(_ADD, [{"verb": verb, "subject": subject, "who": who, "why": why, "at": at}])


def resumed_since(conn: Connection, at: datetime | None) -> bool:
    """Whether the newest word on a pause is that it is over, said after `at`; without a moment any such word counts."""
    row = conn.execute(_LAST_WORD).first()
    return row is not None and row.verb == "resume" and (at is None or row.at > at)


def paused(conn: Connection) -> dict[str, Any] | None:
    """Who paused the platform, when and why; None when it runs."""
    row = conn.execute(_LAST_WORD).first()
    if row is None or row.verb == "resume":
        return None
    return {"who": row.who, "why": row.why, "at": row.at}
