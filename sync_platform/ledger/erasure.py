"""Somebody is forgotten: every row of theirs goes, every other row loses its mention of them; a keyed hash stays.

The hashes are HMAC-SHA256 under a key that is never in the ledger: without it nobody can try addresses against them.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Connection, Table, delete, select

from sync_platform.core.records import Entity, Link, System
from sync_platform.ledger.database import META, get_meta, in_chunks, set_meta, upsert
from sync_platform.ledger.journal import OBSERVATION, PARKED
from sync_platform.ledger.outbox import INTENT
from sync_platform.ledger.scrub import SOUGHT, filled, naming, patterns, readable, scrub, unread
from sync_platform.ledger.tables import ErasedRow, LedgerModel

ERASED: Table = ErasedRow.__table__  # type: ignore[attr-defined]
_HASHES = select(ERASED.c.hash)
_KEEP = upsert(ERASED, lambda new: new.on_conflict_do_nothing())
CHUNK = 400
CHECK = "erasure_key_check"
PENDING = "erasing:"
_UNDER_WAY = select(META.c.key, META.c.value).where(META.c.key.startswith(PENDING, autoescape=True))


def keyed(key: str, *parts: str) -> str:
    """The hash that stands for an identifier."""
    return hmac.new(key.encode(), "\0".join(parts).encode(), hashlib.sha256).hexdigest()


def object_hash(key: str, system: System, entity: Entity, external_id: str) -> str:
    """The hash of an object's id."""
    return keyed(key, "id", str(system), str(entity), external_id)


def keep_out(conn: Connection, key: str, hashes: Iterable[str], at: datetime) -> int:
    """Remember hashes for good; how many there are of them."""
    rows = [{"hash": one, "at": at} for one in sorted(set(hashes))]
    if rows:
        conn.execute(_KEEP(conn), rows)
    set_meta(conn, CHECK, keyed(key, CHECK))
    return len(rows)


def marker_hash(key: str, record_id: str) -> str:
    """The hash of the marker that objects bear which were made for a record."""
    return keyed(key, "marker", record_id)


def kept_out(conn: Connection) -> frozenset[str]:
    """Every hash."""
    return frozenset(conn.execute(_HASHES).scalars())


def same_key(conn: Connection, key: str) -> bool:
    """Whether this is the key under which the hashes were made."""
    known = get_meta(conn, CHECK)
    return known is None or hmac.compare_digest(known, keyed(key, CHECK))


@dataclass(slots=True)
class Person:
    """Everything in the ledger that is one person's: records, links, and texts that name them wherever they stand."""

    records: list[str]
    links: list[Link]
    texts: set[str] = field(default_factory=set)


# --- erasures that are not done yet -----------------------------------------------------------------------------


@dataclass(slots=True)
class UnderWay:
    """An erasure that somebody asked for and that is not proven yet: kept from before its first delete until the purge.

    `customers`: (system, id) of objects that were typed in again, whose tickets were read before they were; such
    tickets stay in their systems (`theirs_stay`), copies that we made of them do not. `left`: what is still there or
    could not be asked, {system, entity, left, codes}; `unsettled`: creates of ours that may still land.
    """

    name: str
    at: str
    records: list[str] = field(default_factory=list)
    customers: list[tuple[str, str]] = field(default_factory=list)
    theirs_stay: bool = False
    left: list[dict[str, Any]] = field(default_factory=list)
    unsettled: int = 0

    def shown(self) -> dict[str, Any]:
        """What commands tell of it: no word of the person."""
        return {
            "erasure": self.name,
            "since": self.at,
            "records": len(self.records),
            "left": self.left,
            "unsettled": self.unsettled,
        }


def under_way(conn: Connection) -> list[UnderWay]:
    """All of them, oldest first."""
    rows = conn.execute(_UNDER_WAY)
    found = [UnderWay(row.key.removeprefix(PENDING), **json.loads(row.value)) for row in rows]
    return sorted(found, key=lambda one: (one.at, one.name))


def keep_under_way(conn: Connection, one: UnderWay) -> None:
    """Remember it, or how far it is now."""
    facts = asdict(one)
    set_meta(conn, PENDING + facts.pop("name"), json.dumps(facts))


def end_under_way(conn: Connection, one: UnderWay) -> None:
    """It is done."""
    conn.execute(delete(META).where(META.c.key == PENDING + one.name))


# --- the purge --------------------------------------------------------------------------------------------------


def purge(conn: Connection, person: Person) -> dict[str, int]:
    """Delete the person's rows and scrub all others; rows by table. In the caller's transaction."""
    if conn.dialect.name == "sqlite":
        conn.exec_driver_sql("PRAGMA secure_delete = ON")
    counts: dict[str, int] = {}
    intents = list(conn.execute(select(INTENT.c.id).where(INTENT.c.record_id.in_(person.records))).scalars())
    wanted: Mapping[str, Collection[Any]] = {
        "intent_id": intents,
        "link_id": [link.id for link in person.links],
        "record_id": person.records,
    }
    for table in LedgerModel.metadata.sorted_tables:
        for name, values in wanted.items():
            if name in table.c:
                _delete(conn, table, table.c[name], values, counts)
    for link in person.links:
        for table in (OBSERVATION, PARKED):
            of = table.c
            here = (of.system == str(link.system), of.entity == str(link.entity), of.external_id == link.external_id)
            _add(counts, table, conn.execute(delete(table).where(*here)).rowcount)
    record = LedgerModel.metadata.tables["record"]
    _delete(conn, record, record.c.id, person.records, counts)
    texts = person.texts | set(person.records)
    for found in (unread(conn, texts), scrub(conn, texts)):
        for name, rows in found.items():
            counts[name] = counts.get(name, 0) + rows
    return counts


def mentions(conn: Connection, texts: Collection[str]) -> int:
    """Rows anywhere in the ledger that name the person; 0 after a purge is its proof."""
    return sum(
        conn.execute(naming(column, len(chunk))[0], patterns(column, chunk)).scalar_one()
        for _, column in readable()
        for chunk in in_chunks(filled(texts), SOUGHT)
    )


def _add(counts: dict[str, int], table: Table, rows: int) -> None:
    if rows:
        counts[table.name] = counts.get(table.name, 0) + rows


def _delete(
    conn: Connection, table: Table, column: Column[Any], values: Collection[Any], counts: dict[str, int]
) -> None:
    for chunk in in_chunks(sorted(values), CHUNK):
        _add(counts, table, conn.execute(delete(table).where(column.in_(chunk))).rowcount)
