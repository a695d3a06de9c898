"""Where feeds stand: their cursors, and when each was last read without a gap or listed in full.

Only the run that holds the lease moves them. So a run reads them once, and afterwards knows what it wrote itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, select

from sync_platform.connectors.protocol import Cursor
from sync_platform.core.records import System
from sync_platform.ledger.database import upsert
from sync_platform.ledger.tables import CursorRow

CURSOR = CursorRow.__table__  # type: ignore[attr-defined]
# Built once, as all statements that a step asks again and again.
_ALL = select(
    CURSOR.c.system,
    CURSOR.c.feed,
    CURSOR.c.watermark,
    CURSOR.c.walk,
    CURSOR.c.walk_started_at,
    CURSOR.c.polled_at,
    CURSOR.c.listed_at,
)

# A feed as the ledger knows it: system and name.
Name = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Stand:
    """One feed: its cursor, when the walk under way began, when the last round began that was read to its end, and
    when it was last listed in full."""

    cursor: Cursor = field(default_factory=Cursor)
    walk_started_at: datetime | None = None
    polled_at: datetime | None = None
    listed_at: datetime | None = None


Stands = Mapping[Name, Stand]
NOWHERE = Stand()


def load(conn: Connection) -> Stands:
    """Where every feed of every system stands; one that is missing was never read."""
    return {(row[0], row[1]): Stand(Cursor(row[2], row[3]), *row[4:]) for row in conn.execute(_ALL)}


def write(
    conn: Connection,
    system: System,
    feed: str,
    cursor: Cursor,
    *,
    rows: int = 0,
    total: int | None = None,
    **times: datetime | None,
) -> None:
    """Keep where a feed stands, add to the rows that it showed, and keep those of the times that are given."""
    values: dict[str, Any] = {"watermark": cursor.watermark, "walk": cursor.walk}
    values |= {name: at for name, at in times.items() if at is not None}
    if total is not None:
        values["total"] = total
    statement = _upsert(tuple(values))(conn)
    conn.execute(statement, values | {"system": str(system), "feed": feed, "rows": rows})


def moved(stands: Stands, system: System, feed: str, cursor: Cursor, **times: datetime | None) -> Stands:
    """What `load` would give after this `write`; who holds the former keeps it as it was."""
    at = (str(system), feed)
    was = stands.get(at, NOWHERE)
    walk_started_at = times.get("walk_started_at") or was.walk_started_at
    polled_at, listed_at = times.get("polled_at") or was.polled_at, times.get("listed_at") or was.listed_at
    return {**stands, at: Stand(cursor, walk_started_at, polled_at, listed_at)}


@cache
def _upsert(names: tuple[str, ...]) -> Callable[[Connection], Any]:
    """Writes these columns of a cursor and adds to its rows; there are a handful of such statements."""
    return upsert(
        CURSOR,
        lambda new: new.on_conflict_do_update(
            index_elements=["system", "feed"],
            set_={name: new.excluded[name] for name in names} | {"rows": CURSOR.c.rows + new.excluded.rows},
        ),
    )
