"""Records, links and match keys: loading what a batch touches in one statement, saving it in one statement.

Everything works on a `Connection` that the caller opened, so that observations, dirty marks, decisions and intents
commit together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import BindParameter, Connection, bindparam, delete, func, insert, select, text, update
from sqlalchemy import Table as SaTable

from sync_platform.core.names import found_by
from sync_platform.core.records import Cell, Claim, Entity, Link, LinkState, Record, RecordId, System
from sync_platform.ledger.database import ForIds, in_chunks, upsert
from sync_platform.ledger.outbox import INTENT, IS_UNSETTLED, unsettled_of
from sync_platform.ledger.tables import LinkRow, MatchKeyRow, RecordRow

LINK: SaTable = LinkRow.__table__  # type: ignore[attr-defined]
RECORD: SaTable = RecordRow.__table__  # type: ignore[attr-defined]
KEY: SaTable = MatchKeyRow.__table__  # type: ignore[attr-defined]

CHUNK = 400
# Spelt out as in the indexes: a database uses a partial index only where it can prove that the condition implies the
# index's own, and neither a parameter nor `dirty = 1` proves it.
IS_DIRTY = text("record.dirty")
IS_AGAIN = text("link.again")
IS_OWED = text("link.detail > 0")
IS_ACTIVE = text("link.state = 'active'")
IS_OVER = text("link.state != 'active'")
IS_ENDED = text("record.tombstone IS NOT NULL")
# As a parameter beside an index on one state it would make SQLite plan the statement anew at every run.
IS_BARRED = text("link.state = 'barred'")


# Statements are built once: building one, and the key under which its text is kept, costs more than running it.
_B_SYSTEM: BindParameter[Any] = bindparam("b_system")
_B_ENTITY: BindParameter[Any] = bindparam("b_entity")
_IDS: BindParameter[Any] = bindparam("b_ids", expanding=True)
# Whether a write of ours to the record of a link may have landed in its system: `unsettled_of`, told with the link.
_MAY_HAVE_LANDED = (
    select(1)
    .where(INTENT.c.record_id == LINK.c.record_id, INTENT.c.system == LINK.c.system, IS_UNSETTLED)
    .correlate(LINK)
    .exists()
    .label("unsettled")
)
_OF_OBJECTS = ForIds(
    LINK.c.external_id,
    lambda given: select(LINK, _MAY_HAVE_LANDED).where(LINK.c.system == _B_SYSTEM, LINK.c.entity == _B_ENTITY, given),
)
_STAMPS = ForIds(
    LINK.c.external_id,
    lambda given: select(LINK.c.external_id, LINK.c.stamp).where(
        LINK.c.system == _B_SYSTEM, LINK.c.entity == _B_ENTITY, given, LINK.c.stamp.is_not(None), IS_ACTIVE
    ),
)
_OF_RECORDS = ForIds(LINK.c.record_id, lambda given: select(LINK).where(given).order_by(LINK.c.id))
_BY_ID = ForIds(LINK.c.id, lambda given: select(LINK, _MAY_HAVE_LANDED).where(given))
_INSERT_LINK = insert(LINK)
_ONE_LINK = update(LINK).where(LINK.c.id == bindparam("b_id"))
_SAVE_JUDGED = _ONE_LINK.values(cells=bindparam("b_cells"), awaits=bindparam("b_awaits"))
_SAVE_GONE = _ONE_LINK.values(gone=bindparam("b_gone"))
_TO_FOLLOW = select(LINK).where(IS_AGAIN, LINK.c.entity == _B_ENTITY, IS_BARRED).order_by(LINK.c.id)
_ASK_AGAIN = ForIds(LINK.c.id, lambda given: update(LINK).where(given).values(again=True))
_OWE_DETAIL = ForIds(
    LINK.c.external_id,
    lambda given: (
        update(LINK)
        .where(LINK.c.system == _B_SYSTEM, LINK.c.entity == _B_ENTITY, given, LINK.c.detail > bindparam("b_priority"))
        .values(detail=bindparam("b_priority"))
    ),
)
_DETAILS_OWED = (
    select(LINK.c.external_id)
    .where(
        LINK.c.system == _B_SYSTEM,
        LINK.c.entity == _B_ENTITY,
        IS_OWED,
        LINK.c.detail <= bindparam("b_worst"),
        IS_ACTIVE,
    )
    .order_by(LINK.c.detail, LINK.c.id)
    .limit(bindparam("b_limit"))
)
_READ_AGAIN = (
    select(LINK.c.external_id)
    .where(LINK.c.system == _B_SYSTEM, LINK.c.entity == _B_ENTITY, IS_AGAIN, LINK.c.state != str(LinkState.BARRED))
    .order_by(LINK.c.id)
    .limit(bindparam("b_limit"))
)
_RECORDS_BY_ID = ForIds(RECORD.c.id, lambda given: select(RECORD).where(given))
_DIRTY = select(RECORD).where(IS_DIRTY, RECORD.c.entity == _B_ENTITY, RECORD.c.id > bindparam("b_after"))
_DIRTY_ALL = _DIRTY.order_by(RECORD.c.id).limit(bindparam("b_limit"))
_DIRTY_SETTLED = _DIRTY.where(RECORD.c.settled).order_by(RECORD.c.id).limit(bindparam("b_limit"))
_INSERT_RECORD = insert(RECORD)
_MARK_DIRTY = ForIds(RECORD.c.id, lambda given: update(RECORD).where(given).values(dirty=True))
_MARK_CHILDREN = ForIds(RECORD.c.parent, lambda given: update(RECORD).where(given).values(dirty=True))
_WAITING_LINKS = select(LINK).where(LINK.c.awaits == bindparam("b_awaits"))
_WAITING = select(LINK.c.record_id).where(LINK.c.awaits.in_(_IDS), LINK.c.record_id.is_not(None))
_MARK_WAITING = update(RECORD).where(RECORD.c.id.in_(_WAITING)).values(dirty=True)
_WAIT_NO_MORE = ForIds(LINK.c.awaits, lambda given: update(LINK).where(given).values(awaits=None))
_MARK_WANTED = ForIds(
    RECORD.c.id, lambda given: update(RECORD).where(given, RECORD.c.wanted.is_(False)).values(wanted=True, dirty=True)
)
_COUNT_DIRTY = select(func.count()).select_from(RECORD).where(IS_DIRTY)
_COUNT_DIRTY_OF = _COUNT_DIRTY.where(RECORD.c.entity == _B_ENTITY)
_BY_KEY = ForIds(KEY.c.value, lambda given: select(KEY).where(KEY.c.kind == bindparam("b_kind"), given))
_KEYS_OF = ForIds(KEY.c.record_id, lambda given: select(KEY).where(given))
_SAVE_KEY = upsert(KEY, lambda new: new.on_conflict_do_nothing())
_DROP_KEY = delete(KEY).where(
    KEY.c.kind == bindparam("k"), KEY.c.value == bindparam("v"), KEY.c.record_id == bindparam("r")
)
_ACTIVE_SYSTEMS = ForIds(
    LINK.c.record_id, lambda given: select(LINK.c.record_id, LINK.c.system).where(given, IS_ACTIVE)
)
_HERE = (LINK.c.system == _B_SYSTEM, LINK.c.entity == _B_ENTITY)
_COUNT_DETAILS = select(func.count()).where(*_HERE, IS_OWED, IS_ACTIVE)
_OWE_NOTHING = ForIds(LINK.c.external_id, lambda given: update(LINK).where(*_HERE, given).values(detail=0, again=False))
_COUNT_ACTIVE = select(func.count()).where(*_HERE, IS_ACTIVE)
_REFERRING = select(LINK).where(
    LINK.c.entity == str(Entity.TICKET), LINK.c.system == _B_SYSTEM, LINK.c.cells["customer"]["s"].as_string().in_(_IDS)
)
_REFERENCES = select(LINK.c.system, LINK.c.external_id, LINK.c.record_id, LINK.c.state)
_IDS_OF_RECORDS = ForIds(LINK.c.record_id, lambda given: _REFERENCES.where(given, LINK.c.entity == _B_ENTITY))
_IDS_OF_OBJECTS = ForIds(
    LINK.c.external_id,
    lambda given: _REFERENCES.where(
        LINK.c.system == _B_SYSTEM, LINK.c.entity == _B_ENTITY, given, LINK.c.record_id.is_not(None)
    ),
)


# A look costs a third of what a call of the class does, and a link is read more often than anything else.
_SYSTEMS = {str(one): one for one in System}
_ENTITIES = {str(one): one for one in Entity}
_STATES = {str(one): one for one in LinkState}


def _link(row: Any) -> Link:
    load = Cell.load
    return Link(
        id=row.id,
        record_id=RecordId(row.record_id) if row.record_id else None,
        system=_SYSTEMS[row.system],
        entity=_ENTITIES[row.entity],
        external_id=row.external_id,
        state=_STATES[row.state],
        cells={name: load(raw) for name, raw in (row.cells or {}).items()},
        stamp=row.stamp,
        version=row.version,
        fence=row.fence,
        read_at=row.read_at,
        whole_at=row.whole_at,
        created_at=row.born_at,
        carry=row.carry,
        detail=row.detail,
        again=row.again,
        awaits=row.awaits,
        into=row.into,
        marker=row.marker,
        gone=row.gone,
        stored=(row.cells, row.awaits),
    )


def _told(row: Any) -> Link:
    """A link whose row tells whether it is unsettled."""
    link = _link(row)
    link.unsettled = bool(row.unsettled)
    return link


def _link_values(link: Link) -> dict[str, Any]:
    return {
        "record_id": link.record_id,
        "system": str(link.system),
        "entity": str(link.entity),
        "external_id": link.external_id,
        "state": str(link.state),
        "into": link.into,
        "marker": link.marker,
        "cells": {name: cell.dump() for name, cell in link.cells.items()},
        "carry": link.carry,
        "stamp": link.stamp,
        "version": link.version,
        "fence": link.fence,
        "read_at": link.read_at,
        "whole_at": link.whole_at,
        "born_at": link.created_at,
        "detail": link.detail,
        "again": link.again,
        "awaits": link.awaits,
        "gone": link.gone,
    }


# What a stored link never changes: which object it is of.
_OBJECT = ("system", "entity", "external_id")
_SAVED = tuple(name for name in _link_values(Link(0, None, System.ERP, Entity.TICKET, "")) if name not in _OBJECT)
_SAVE_LINK = _ONE_LINK.values({name: bindparam(name) for name in _SAVED})


def links_by_external(conn: Connection, system: System, entity: Entity, ids: Sequence[str]) -> dict[str, Link]:
    """Links of any state for external ids; `unsettled` is filled."""
    out: dict[str, Link] = {}
    for chunk in in_chunks(ids, CHUNK):
        rows = _OF_OBJECTS(conn, chunk, b_system=system, b_entity=entity)
        out.update({row.external_id: _told(row) for row in rows})
    return out


def return_of(link: Link) -> str:
    """What a link awaits whose object was merged into this one when it was gone: that it comes back."""
    return f"return:{link.system}:{link.entity}:{link.external_id}"


def awaiting_return(conn: Connection, link: Link) -> list[Link]:
    """Links whose objects were merged into this one when it was gone."""
    return [_link(row) for row in conn.execute(_WAITING_LINKS, {"b_awaits": return_of(link)})]


def referring(conn: Connection, customers: Sequence[tuple[System, str]]) -> list[Link]:
    """Links of tickets that show one of these customers as theirs, with a record or without; reads every ticket."""
    out: list[Link] = []
    for system in sorted({system for system, _ in customers}):
        for chunk in in_chunks(sorted(external_id for of, external_id in customers if of is system), CHUNK):
            out += [_link(row) for row in conn.execute(_REFERRING, {"b_system": system, "b_ids": chunk})]
    return out


def stamps_of(conn: Connection, system: System, entity: Entity, ids: Sequence[str]) -> dict[str, datetime]:
    """The stamps that active links hold, by external id."""
    out: dict[str, datetime] = {}
    for chunk in in_chunks(ids, CHUNK):
        rows = _STAMPS(conn, chunk, b_system=system, b_entity=entity)
        out.update((row.external_id, row.stamp) for row in rows)
    return out


def links_of(conn: Connection, record_ids: Sequence[str]) -> dict[str, list[Link]]:
    """Links of any state of records, oldest first; `unsettled` is filled."""
    return links_and_unsettled(conn, record_ids)[0]


def links_and_unsettled(
    conn: Connection, record_ids: Sequence[str]
) -> tuple[dict[str, list[Link]], dict[str, set[System]]]:
    """Links as `links_of` gives them, and by record the systems in which a write of ours may have landed."""
    out: dict[str, list[Link]] = {record_id: [] for record_id in record_ids}
    for chunk in in_chunks(record_ids, CHUNK):
        for row in _OF_RECORDS(conn, chunk):
            out[row.record_id].append(_link(row))
    unsettled = unsettled_of(conn, record_ids)
    _mark((link for links in out.values() for link in links), unsettled)
    return out, unsettled


def links_by_id(conn: Connection, ids: Sequence[int]) -> dict[int, Link]:
    """Links by our own number."""
    out: dict[int, Link] = {}
    for chunk in in_chunks(ids, CHUNK):
        out.update({row.id: _told(row) for row in _BY_ID(conn, chunk)})
    return out


def _mark(found: Iterable[Link], unsettled: Mapping[str, set[System]]) -> None:
    # A record may have several links in one system: what was merged away there stays with its record.
    for link in found if unsettled else ():
        if link.system in unsettled.get(str(link.record_id), ()):
            link.unsettled = True


def follow_again(conn: Connection, survivor: Link) -> None:
    """What was merged into this object and belongs to another record is followed to where the object belongs now."""
    conn.execute(
        update(LINK)
        .where(
            LINK.c.system == str(survivor.system),
            LINK.c.entity == str(survivor.entity),
            LINK.c.state == str(LinkState.BARRED),
            LINK.c.into == survivor.external_id,
            LINK.c.record_id != str(survivor.record_id),
        )
        .values(again=True)
    )


def owe_nothing(conn: Connection, system: System, entity: Entity, external_ids: Sequence[str]) -> None:
    """No read by id of these objects is owed any more."""
    for chunk in in_chunks(external_ids, CHUNK):
        _OWE_NOTHING(conn, chunk, b_system=system, b_entity=entity)


def save_links(conn: Connection, links: Iterable[Link]) -> None:
    """Insert links without a number, update the others; two statements at most."""
    fresh, known = [], []
    for link in links:
        values = _link_values(link)
        link.stored = (values["cells"], link.awaits)
        if link.id:
            known.append({name: values[name] for name in _SAVED} | {"b_id": link.id})
        else:
            fresh.append(values)
    if fresh:
        conn.execute(_INSERT_LINK, fresh)
    if known:
        conn.execute(_SAVE_LINK, known)


def save_judged(conn: Connection, links: Iterable[Link]) -> None:
    """Write what a judgement changes of stored links: their cells, and what they await.

    For links that were read in this transaction: one that is as it was then is not written.
    """
    rows = []
    for link in links:
        cells = {name: cell.dump() for name, cell in link.cells.items()}
        if link.stored != (cells, link.awaits):
            link.stored = (cells, link.awaits)
            rows.append({"b_id": link.id, "b_cells": cells, "b_awaits": link.awaits})
    if rows:
        conn.execute(_SAVE_JUDGED, rows)


def save_gone(conn: Connection, links: Iterable[Link]) -> None:
    """Write what is known and was judged of the end of stored links."""
    rows = [{"b_id": link.id, "b_gone": link.gone} for link in links]
    if rows:
        conn.execute(_SAVE_GONE, rows)


def to_follow(conn: Connection, entity: Entity) -> list[Link]:
    """Links that were merged away and whose survivor was not followed yet, oldest first."""
    return [_link(row) for row in conn.execute(_TO_FOLLOW, {"b_entity": entity})]


def ask_again(conn: Connection, ids: Iterable[int]) -> None:
    """These links are to be read by id."""
    for chunk in in_chunks(sorted(set(ids)), CHUNK):
        _ASK_AGAIN(conn, chunk)


def owe_detail(conn: Connection, system: System, entity: Entity, ids: Sequence[str], priority: int) -> None:
    """Raise the priority of reads by id that are still owed (1 is the most urgent)."""
    for chunk in in_chunks(ids, CHUNK):
        _OWE_DETAIL(conn, chunk, b_system=system, b_entity=entity, b_priority=priority)


def details_owed(conn: Connection, system: System, entity: Entity, limit: int, worst: int = 3) -> list[str]:
    """External ids whose read by id is owed, the most urgent first."""
    rows = conn.execute(_DETAILS_OWED, {"b_system": system, "b_entity": entity, "b_worst": worst, "b_limit": limit})
    return [row.external_id for row in rows]


def count_details(conn: Connection, system: System, entity: Entity) -> int:
    """Reads by id still owed."""
    return int(conn.execute(_COUNT_DETAILS, {"b_system": system, "b_entity": entity}).scalar_one())


def count_active(conn: Connection, system: System, entity: Entity) -> int:
    """Objects that are there, as far as we know."""
    return int(conn.execute(_COUNT_ACTIVE, {"b_system": system, "b_entity": entity}).scalar_one())


def read_again(conn: Connection, system: System, entity: Entity, limit: int) -> list[str]:
    """External ids that a hint or an unsettled write asked to read by id; one that is gone may be back."""
    rows = conn.execute(_READ_AGAIN, {"b_system": system, "b_entity": entity, "b_limit": limit})
    return [row.external_id for row in rows]


# --- records ----------------------------------------------------------------------------------------------------


def _record(row: Any) -> Record:
    return Record(
        id=RecordId(row.id),
        entity=_ENTITIES[row.entity],
        fields=dict(row.fields or {}),
        decided=dict(row.decided or {}),
        contests={name: [Claim.load(raw) for raw in claims] for name, claims in (row.contests or {}).items()},
        reviews={name: [Claim.load(raw) for raw in claims] for name, claims in (row.reviews or {}).items()},
        settled=row.settled,
        born_at=row.born_at,
        tombstone=row.tombstone,
        twin=row.twin,
        wanted=row.wanted,
    )


def record_values(record: Record) -> dict[str, Any]:
    """A record as its row, without the marks that other processes set."""
    named, surnamed = found_by(record.entity, record.fields)
    return {
        "fields": record.fields,
        "decided": record.decided,
        "contests": {name: [claim.dump() for claim in claims] for name, claims in record.contests.items()} or None,
        "reviews": {name: [claim.dump() for claim in claims] for name, claims in record.reviews.items()} or None,
        "settled": record.settled,
        "twin": record.twin,
        "parent": record.fields.get("customer") if record.entity is Entity.TICKET else None,
        "tombstone": record.tombstone,
        "named": named,
        "surnamed": surnamed,
    }


_JUDGED = ("dirty", *record_values(Record(RecordId(""), Entity.TICKET)))
_SAVE_RECORD = update(RECORD).where(RECORD.c.id == bindparam("b_id")).values({n: bindparam(n) for n in _JUDGED})


def records_by_id(conn: Connection, ids: Sequence[str]) -> dict[str, Record]:
    """Records by id."""
    out: dict[str, Record] = {}
    for chunk in in_chunks(ids, CHUNK):
        out.update({row.id: _record(row) for row in _RECORDS_BY_ID(conn, chunk)})
    return out


def dirty_records(
    conn: Connection, entity: Entity, limit: int, after: str = "", *, settled: bool = False
) -> list[Record]:
    """Records with something to judge, by id; with `settled` only those that were judged before."""
    due = _DIRTY_SETTLED if settled else _DIRTY_ALL
    return [_record(row) for row in conn.execute(due, {"b_entity": entity, "b_after": after, "b_limit": limit})]


def insert_records(conn: Connection, records: Iterable[Record]) -> None:
    """New records, dirty from birth."""
    rows = [
        {"id": record.id, "entity": str(record.entity), "born_at": record.born_at, "dirty": True, "wanted": False}
        | record_values(record)
        for record in records
    ]
    if rows:
        conn.execute(_INSERT_RECORD, rows)


def save_records(conn: Connection, records: Iterable[Record], *, dirty: Mapping[str, bool]) -> None:
    """Write judged records back and set or clear their mark."""
    rows = [{"b_id": record.id, "dirty": dirty.get(record.id, False)} | record_values(record) for record in records]
    if rows:
        conn.execute(_SAVE_RECORD, rows)


def mark_dirty(conn: Connection, record_ids: Iterable[str]) -> None:
    """Something about these records is to be judged."""
    for chunk in in_chunks(sorted(set(record_ids)), CHUNK):
        _MARK_DIRTY(conn, chunk)


def mark_dirty_children(conn: Connection, customers: Iterable[str]) -> None:
    """Tickets of these customers have something to judge: their customer got a link."""
    for chunk in in_chunks(sorted(set(customers)), CHUNK):
        _MARK_CHILDREN(conn, chunk)


def mark_awaiting(conn: Connection, references: Iterable[str]) -> None:
    """Records whose link awaits one of these references (`system:external id`) have something to judge."""
    for chunk in in_chunks(sorted(set(references)), CHUNK):
        conn.execute(_MARK_WAITING, {"b_ids": chunk})
        _WAIT_NO_MORE(conn, chunk)


def mark_wanted(conn: Connection, customers: Iterable[str]) -> int:
    """Customers that a ticket refers to are wanted where policy says `when_ticket`; newly wanted ones become dirty."""
    count = 0
    for chunk in in_chunks(sorted(set(customers)), CHUNK):
        count += _MARK_WANTED(conn, chunk).rowcount
    return count


def count_dirty(conn: Connection, entity: Entity | None = None) -> int:
    """Records with something to judge."""
    if entity is None:
        return int(conn.execute(_COUNT_DIRTY).scalar_one())
    return int(conn.execute(_COUNT_DIRTY_OF, {"b_entity": entity}).scalar_one())


# --- match keys -------------------------------------------------------------------------------------------------


def records_by_key(conn: Connection, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], set[RecordId]]:
    """Records that hold a key, for each key that is held."""
    by_kind: dict[str, set[str]] = {}
    for kind, value in keys:
        by_kind.setdefault(kind, set()).add(value)
    out: dict[tuple[str, str], set[RecordId]] = {}
    for kind, values in by_kind.items():
        for chunk in in_chunks(sorted(values), CHUNK):
            for row in _BY_KEY(conn, chunk, b_kind=kind):
                out.setdefault((row.kind, row.value), set()).add(RecordId(row.record_id))
    return out


def keys_of(conn: Connection, record_ids: Iterable[str]) -> dict[str, set[tuple[str, str]]]:
    """All keys of records."""
    out: dict[str, set[tuple[str, str]]] = {}
    for chunk in in_chunks(sorted(set(record_ids)), CHUNK):
        for row in _KEYS_OF(conn, chunk):
            out.setdefault(row.record_id, set()).add((row.kind, row.value))
    return out


def save_keys(conn: Connection, keys: Iterable[tuple[str, str, str]]) -> None:
    """(kind, value, record id); what is there already stays."""
    rows = [{"kind": kind, "value": value, "record_id": record} for kind, value, record in sorted(set(keys))]
    if rows:
        conn.execute(_SAVE_KEY(conn), rows)


def drop_keys(conn: Connection, keys: Iterable[tuple[str, str, str]]) -> None:
    """Keys that no link of the record shows any more."""
    rows = [{"k": kind, "v": value, "r": record} for kind, value, record in keys]
    if rows:
        conn.execute(_DROP_KEY, rows)


def active_systems(conn: Connection, record_ids: Iterable[str]) -> dict[str, set[System]]:
    """Systems in which records have an active link."""
    out: dict[str, set[System]] = {}
    for chunk in in_chunks(sorted(set(record_ids)), CHUNK):
        for row in _ACTIVE_SYSTEMS(conn, chunk):
            out.setdefault(row.record_id, set()).add(System(row.system))
    return out


def _reference(row: Any) -> tuple[System, str, RecordId, LinkState]:
    return _SYSTEMS[row.system], row.external_id, RecordId(row.record_id), _STATES[row.state]


def external_ids(
    conn: Connection,
    entity: Entity,
    *,
    records: Iterable[str] = (),
    externals: Mapping[System, Iterable[str]] | None = None,
) -> list[tuple[System, str, RecordId, LinkState]]:
    """(system, external id, record, state) for records or for external ids: what references need."""
    out: list[tuple[System, str, RecordId, LinkState]] = []
    for chunk in in_chunks(sorted(set(records)), CHUNK):
        rows = _IDS_OF_RECORDS(conn, chunk, b_entity=entity)
        out += [_reference(row) for row in rows]
    for system, ids in (externals or {}).items():
        for chunk in in_chunks(sorted(set(ids)), CHUNK):
            rows = _IDS_OF_OBJECTS(conn, chunk, b_system=system, b_entity=entity)
            out += [_reference(row) for row in rows]
    return out


def newest_read(conn: Connection, system: System, entity: Entity) -> datetime | None:
    """When anything of this kind was read last."""
    value: datetime | None = conn.execute(
        select(func.max(LINK.c.read_at)).where(LINK.c.system == system, LINK.c.entity == entity)
    ).scalar_one_or_none()
    return value
