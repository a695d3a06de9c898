"""Where the rows of a run lie.

A run holds the lease while it works, so what it put into the append-only tables lies between the highest numbers at its
beginning and at its end: both are kept with the run, and no table needs an index on runs.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, and_, func, select

from sync_platform.core.records import Json
from sync_platform.ledger.journal import DECISION, OBSERVATION, RECEIPT
from sync_platform.ledger.tables import RunRow

RUN = RunRow.__table__  # type: ignore[attr-defined]
_TABLES = {"observation": OBSERVATION, "decision": DECISION, "receipt": RECEIPT}


def reached(conn: Connection) -> dict[str, int]:
    """The highest number of each table that a run adds to."""
    return {name: int(conn.execute(select(func.max(table.c.id))).scalar() or 0) for name, table in _TABLES.items()}


def span_of(conn: Connection, run: str) -> dict[str, Json]:
    """`{"from", "to"}`: where the rows of a run that ends now lie; empty where its beginning was not kept."""
    counts = conn.execute(select(RUN.c.counts).where(RUN.c.id == run)).scalar()
    begun = (counts or {}).get("from")
    return {} if begun is None else {"from": begun, "to": reached(conn)}


def decided_in(conn: Connection, run: str) -> ColumnElement[bool]:
    """The condition that a decision is of this run, within the run's numbers where they were kept."""
    counts = conn.execute(select(RUN.c.counts).where(RUN.c.id == run)).scalar() or {}
    begun, ended = (counts.get(edge, {}).get("decision") for edge in ("from", "to"))
    within = [DECISION.c.run == run]
    within += [DECISION.c.id > begun] if begun is not None else []
    within += [DECISION.c.id <= ended] if ended is not None else []
    return and_(*within)
