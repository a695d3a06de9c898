"""Objects that are part of no record: those to be placed, those that ended before they were, and what they wait for."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import BindParameter, Connection, bindparam, or_, select, update

from sync_platform.core.records import Cell, Entity, Link, LinkState, System
from sync_platform.ledger.database import ForIds, in_chunks
from sync_platform.ledger.links import CHUNK, IS_ACTIVE, IS_OVER, LINK

# What a deferred link awaits: its own read by id.
DETAIL = "detail"
# What an ended link awaits that is part of no record: a record with its keys, or none, as nobody knows its keys.
SOMEBODY, NOBODY = "somebody", "nobody"
_B_ENTITY: BindParameter[Any] = bindparam("b_entity")
_UNPLACED = (
    select(LINK.c.id, LINK.c.system, LINK.c.external_id, LINK.c.marker, LINK.c.cells, LINK.c.detail, LINK.c.born_at)
    .where(
        LINK.c.record_id.is_(None),
        LINK.c.entity == _B_ENTITY,
        IS_ACTIVE,
        or_(LINK.c.detail == 0, LINK.c.awaits.is_(None)),
    )
    .order_by(LINK.c.id)
    .limit(bindparam("b_limit"))
)
_ENDED = (
    select(LINK.c.id, LINK.c.system, LINK.c.external_id, LINK.c.marker, LINK.c.cells, LINK.c.state, LINK.c.awaits)
    .where(
        LINK.c.record_id.is_(None),
        LINK.c.entity == _B_ENTITY,
        IS_OVER,
        or_(LINK.c.awaits.is_(None), LINK.c.awaits != NOBODY),
    )
    .order_by(LINK.c.id.desc())
    .limit(bindparam("b_limit"))
)
_LEFT_OVER = select(LINK.c.id, LINK.c.system, LINK.c.external_id, LINK.c.marker, LINK.c.cells).where(
    LINK.c.awaits == SOMEBODY, LINK.c.record_id.is_(None), LINK.c.entity == _B_ENTITY
)
_LOOK_AGAIN = (
    update(LINK)
    .where(LINK.c.awaits == SOMEBODY, LINK.c.record_id.is_(None), LINK.c.entity == _B_ENTITY)
    .values(awaits=None)
)
NOT_LOOKED_FOR = or_(LINK.c.awaits.is_(None), LINK.c.awaits == DETAIL)
_LEFT = ForIds(LINK.c.id, lambda given: update(LINK).where(given).values(awaits=SOMEBODY))
_DEFER = ForIds(LINK.c.id, lambda given: update(LINK).where(given).values(awaits=DETAIL))
_PLACE_LINK = update(LINK).where(LINK.c.id == bindparam("b_id")).values(record_id=bindparam("b_record"))


def unplaced(conn: Connection, entity: Entity, limit: int, fields: Collection[str]) -> list[Link]:
    """Active links that belong to no record yet, oldest first, with what identifies them: marker, cells of `fields`.

    They are to be placed (`place_links`), never to be saved whole. Deferred ones are left out until their read by id.
    """
    out: list[Link] = []
    for row in conn.execute(_UNPLACED, {"b_entity": entity, "b_limit": limit}):
        cells = {name: Cell.load(raw) for name, raw in (row.cells or {}).items() if name in fields}
        link = Link(row.id, None, System(row.system), entity, row.external_id, cells=cells, marker=row.marker)
        link.detail, link.created_at = row.detail, row.born_at
        out.append(link)
    return out


def ended(conn: Connection, entity: Entity, limit: int, fields: Collection[str]) -> list[Link]:
    """Links that ended before they were part of a record, newest first, with what identified them; as `unplaced`.

    Whoever of them was looked at before awaits `SOMEBODY`.
    """
    out: list[Link] = []
    for row in conn.execute(_ENDED, {"b_entity": entity, "b_limit": limit}):
        cells = {name: Cell.load(raw) for name, raw in (row.cells or {}).items() if name in fields}
        link = Link(row.id, None, System(row.system), entity, row.external_id, cells=cells, marker=row.marker)
        link.state, link.awaits = LinkState(row.state), row.awaits
        out.append(link)
    return out


def left_over(conn: Connection, entity: Entity, fields: Collection[str]) -> Iterator[Link]:
    """Links that ended before they were part of a record, and could not be placed so far; as `unplaced`."""
    for row in conn.execute(_LEFT_OVER, {"b_entity": entity}):
        cells = {name: Cell.load(raw) for name, raw in (row.cells or {}).items() if name in fields}
        yield Link(row.id, None, System(row.system), entity, row.external_id, cells=cells, marker=row.marker)


def left(conn: Connection, ids: Sequence[int]) -> None:
    """These ended, and nobody whom they could be a part of is known."""
    for chunk in in_chunks(ids, CHUNK):
        _LEFT(conn, chunk)


def look_again(conn: Connection, entity: Entity) -> None:
    """What ended unplaced is looked at once more: somebody else gave up a key."""
    conn.execute(_LOOK_AGAIN, {"b_entity": entity})


def defer(conn: Connection, ids: Sequence[int]) -> None:
    """Leave links unplaced until the read by id that they are owed: it may show whom they belong to."""
    for chunk in in_chunks(ids, CHUNK):
        _DEFER(conn, chunk)


def place_links(conn: Connection, links: Iterable[Link]) -> None:
    """Write the record that each of these stored links belongs to, and nothing else of them."""
    rows = [{"b_id": link.id, "b_record": link.record_id} for link in links]
    if rows:
        conn.execute(_PLACE_LINK, rows)
