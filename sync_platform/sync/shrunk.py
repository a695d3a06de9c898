"""A list that was full once and lacks most of it now, though nobody showed its rows as deleted: it stops, and asks.

Absence is no evidence, so nothing follows from such a list by itself. What is missing stands under a hold that a person
answers: approved, those objects are read by id, which tells what became of each, and the next list may lack just them;
dropped, or not answered, it goes on being refused until they are back.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, bindparam, select
from sqlalchemy import update as sql_update

from sync_platform.connectors.protocol import Feed
from sync_platform.core.records import System, payload_hash
from sync_platform.errors import Rejected
from sync_platform.ledger import holds, links
from sync_platform.ledger.holds import APPROVED, CLAIMS, WHOLE, Item, Key
from sync_platform.sync.cursors import CURSOR
from sync_platform.sync.hub import Hub

MISSING = "missing"
LINK, ITEM = links.LINK, holds.ITEM
# Built once: every full list asks.
_LISTED = select(CURSOR.c.listed_at, CURSOR.c.rows).where(
    CURSOR.c.system == bindparam("b_system"), CURSOR.c.feed == bindparam("b_feed")
)
_ALLOWED = select(ITEM.c.link_id).where(
    ITEM.c.hold_id == bindparam("b_hold"), ITEM.c.verb == MISSING, ITEM.c.state == APPROVED
)


def check(hub: Hub, system: System, feed: Feed, rows: int, shown: Collection[str]) -> None:
    """Raises Rejected, and lets the list begin anew, where it lacks more than the brake's limit of what it held.

    `rows` counts what the list showed, `shown` names it. An empty list is always too short, unless a person said of all
    that it held that it may be missing.
    """
    key = Key(CLAIMS, str(system), str(feed.entity), MISSING, WHOLE)
    with hub.ledger.begin() as conn:
        row = conn.execute(_LISTED, {"b_system": system, "b_feed": feed.name}).one()
        active = links.count_active(conn, system, feed.entity)
        if row.listed_at is None or not row.rows or not active:
            return
        limit = hub.policy.entities[feed.entity].brake.limit(active)
        waits = holds.open_holds(conn, CLAIMS, feed.entity).get(key)
        if rows and active - rows <= limit and waits is None:
            return
        lacks = _missing(conn, key, shown)
        if not lacks or (rows and len(lacks) <= limit):
            _forget(hub, conn, key, keep=APPROVED if active > rows else "")
            return
        hold = _hold(hub, conn, key, lacks, active)
        conn.execute(sql_update(CURSOR).where(CURSOR.c.system == system, CURSOR.c.feed == feed.name).values(walk=None))
    hub.stands = None
    raise Rejected(
        "a list that lacks most of what it held" if rows else "an empty list of what held rows before",
        system=str(system),
        code="SOURCE_SHRUNK" if rows else "SOURCE_EMPTIED",
        remedy="Look there: rows vanished without a trace of a delete. Nothing was concluded from it; bring them back,"
        f" or say `sync-platform approve {hold}`: each is then read by id.",
    )


def _missing(conn: Connection, key: Key, shown: Collection[str]) -> list[Item]:
    """Objects that a list did not show, but for those of which a person said that they may be missing."""
    rows = conn.execute(
        select(LINK.c.id, LINK.c.external_id, LINK.c.record_id).where(
            LINK.c.system == key.system, LINK.c.entity == key.entity, links.IS_ACTIVE
        )
    )
    allowed = {item.link_id for item in _items(conn, key) if item.state == APPROVED}
    return [
        Item(key, row.record_id or "", row.id, payload_hash(row.external_id))
        for row in rows
        if row.external_id not in shown and row.id not in allowed
    ]


def _items(conn: Connection, key: Key) -> list[Item]:
    of = (ITEM.c.stage == key.stage, ITEM.c.system == key.system, ITEM.c.entity == key.entity, ITEM.c.verb == key.verb)
    return [
        Item(key, row.record_id, row.link_id, row.hash, None, row.state, row.hold_id, row.id)
        for row in conn.execute(select(ITEM).where(*of))
    ]


def _hold(hub: Hub, conn: Connection, key: Key, lacks: list[Item], active: int) -> int:
    """One open hold for the list, with what is missing now."""
    _forget(hub, conn, key, keep=APPROVED, close=False)
    hold = holds.open_hold(conn, key, active, hub.now())
    holds.keep(conn, [_under(item, hold) for item in lacks], hub.now())
    holds.recount(conn, [hold], hub.now())
    return hold


def _under(item: Item, hold: int) -> Item:
    return Item(item.key, item.record_id, item.link_id, item.hash, None, holds.HELD, hold)


def _forget(hub: Hub, conn: Connection, key: Key, *, keep: str, close: bool = True) -> None:
    """What was missing before is not asked about any more; what a person allowed stays allowed while it is missing."""
    stale = [item for item in _items(conn, key) if item.state != keep]
    holds.remove(conn, [item.id for item in stale])
    if close:
        holds.recount(conn, {item.hold_id for item in stale if item.hold_id}, hub.now())


def read_by_id(conn: Connection, hold: int) -> None:
    """A person allowed what is missing: each object is read by id, which tells what became of it."""
    links.ask_again(conn, [row.link_id for row in conn.execute(_ALLOWED, {"b_hold": hold})])
