"""When objects were last compared with their shadows: enrolled as they become known, compared the oldest first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, bindparam, func, insert, select, update
from sqlalchemy import Table as SaTable

from sync_platform.core.records import Entity, System
from sync_platform.ledger.links import LINK
from sync_platform.ledger.tables import ComparisonRow

COMPARISON: SaTable = ComparisonRow.__table__  # type: ignore[attr-defined]
ENROLLED_AT_ONCE = 5000


@dataclass(frozen=True, slots=True)
class Due:
    """An object whose turn it is; one that is not there any more is only moved to the end of the queue."""

    link_id: int
    external_id: str | None
    active: bool
    compared_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Oldest:
    """How far the audit is with one system and entity: objects in all, never compared, the oldest comparison and the
    latest.
    """

    objects: int
    never: int
    at: datetime | None
    latest: datetime | None = None


def enrol(conn: Connection) -> int:
    """Take in objects that became known since the last time, a bounded number of them; gives how many."""
    known = conn.execute(select(func.coalesce(func.max(COMPARISON.c.link_id), 0))).scalar_one()
    fresh = select(LINK.c.id, LINK.c.system, LINK.c.entity).where(LINK.c.id > known)
    rows = [
        {"link_id": row.id, "system": row.system, "entity": row.entity, "fields": 0, "differ": 0}
        for row in conn.execute(fresh.order_by(LINK.c.id).limit(ENROLLED_AT_ONCE))
    ]
    if rows:
        conn.execute(insert(COMPARISON), rows)
    return len(rows)


def due(conn: Connection, system: System, entity: Entity, limit: int, before: datetime) -> list[Due]:
    """Whose turn it is: first those never compared, then the oldest comparison that was made before a moment."""
    of = _queue(system, entity)
    never = of.where(COMPARISON.c.compared_at.is_(None)).order_by(COMPARISON.c.link_id).limit(limit)
    found = list(conn.execute(never))
    if len(found) < limit:
        # Two statements: where a null stands in an order differs between the databases.
        again = of.where(COMPARISON.c.compared_at < before)
        again = again.order_by(COMPARISON.c.compared_at, COMPARISON.c.link_id).limit(limit - len(found))
        found += list(conn.execute(again))
    return [Due(row.link_id, row.external_id, row.state == "active", row.compared_at) for row in found]


def _queue(system: System, entity: Entity) -> Select[Any]:
    return (
        select(COMPARISON.c.link_id, COMPARISON.c.compared_at, LINK.c.external_id, LINK.c.state)
        .select_from(COMPARISON.outerjoin(LINK, LINK.c.id == COMPARISON.c.link_id))
        .where(COMPARISON.c.system == str(system), COMPARISON.c.entity == str(entity))
    )


def settle(conn: Connection, found: Mapping[int, tuple[int, int]], at: datetime) -> None:
    """Note that these objects were compared: link → (fields compared, fields that differ)."""
    rows = [{"b_id": link, "b_at": at, "b_fields": n, "b_differ": differ} for link, (n, differ) in found.items()]
    if rows:
        statement = update(COMPARISON).where(COMPARISON.c.link_id == bindparam("b_id"))
        values: dict[str, Any] = {
            "compared_at": bindparam("b_at"),
            "fields": bindparam("b_fields"),
            "differ": bindparam("b_differ"),
        }
        conn.execute(statement.values(values), rows)


def oldest(conn: Connection, systems: Sequence[System]) -> dict[tuple[System, Entity], Oldest]:
    """How far the audit is; answered from its index."""
    rows = conn.execute(
        select(
            COMPARISON.c.system,
            COMPARISON.c.entity,
            func.count().label("objects"),
            func.count(COMPARISON.c.compared_at).label("compared"),
            func.min(COMPARISON.c.compared_at).label("at"),
            func.max(COMPARISON.c.compared_at).label("latest"),
        )
        .where(COMPARISON.c.system.in_([str(one) for one in systems]))
        .group_by(COMPARISON.c.system, COMPARISON.c.entity)
    )
    return {
        (System(row.system), Entity(row.entity)): Oldest(row.objects, row.objects - row.compared, row.at, row.latest)
        for row in rows
    }
