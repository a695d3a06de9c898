"""What names somebody is taken out of the rows of others, wherever it stands.

What others hold of it in a field is not blotted out but unknown from then on: neither the record nor a shadow may say a
word that nobody typed, for it would be written to the systems. It is read again, and met as for the first time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cache
from typing import Any

from sqlalchemy import JSON, Column, Connection, String, Table, Text, bindparam, cast, delete, func, or_, select, update

from sync_platform.core.names import found_by
from sync_platform.core.records import Entity, IntentState, Json, LinkState
from sync_platform.ledger.database import dump_json, in_chunks
from sync_platform.ledger.journal import REVIEW
from sync_platform.ledger.links import LINK, RECORD
from sync_platform.ledger.outbox import INTENT
from sync_platform.ledger.tables import LedgerModel

# Texts that are looked for at once.
SOUGHT = 20
GONE = "[erased]"
# Whole rows of these speak of one delivery or one call: a mention takes the row.
WHOLE_ROWS = frozenset({"inbox"})
# What is kept field by field.
FIELDS = (RECORD.c.fields, RECORD.c.contests, RECORD.c.reviews)


@cache
def readable() -> list[tuple[Table, Column[Any]]]:
    """Every column that may hold words."""
    return [
        (table, column)
        for table in LedgerModel.metadata.sorted_tables
        for column in table.c
        if isinstance(column.type, JSON | String) and not column.primary_key and table.name != "version"
    ]


@cache
def naming(column: Column[Any], number: int) -> tuple[Any, Any]:
    """What counts the rows of a column that name one of so many texts, and what reads their keys and words."""
    table, named = column.table, _names(column, number)
    keys = list(table.primary_key.columns)
    return select(func.count()).select_from(table).where(named), select(*keys, column.label("words")).where(named)


def _names(column: Column[Any], number: int) -> Any:
    """Whether a column names one of so many texts, which `_patterns` gives."""
    words = cast(column, Text)
    return or_(*(words.icontains(bindparam(f"b_{place}", type_=Text), escape="/") for place in range(number)))


def filled(texts: Collection[str]) -> list[str]:
    """The texts, some of them twice: so that there are few statements, and each is built once."""
    found = sorted(texts)
    return found + found[:1] * (-len(found) % (SOUGHT // 2))


def patterns(column: Column[Any], texts: Iterable[str]) -> dict[str, str]:
    """The texts as `naming` looks for them in a column."""
    return {f"b_{place}": _spelt(column, text) for place, text in enumerate(texts)}


def _spelt(column: Column[Any], text: str) -> str:
    spelt = dump_json(text)[1:-1] if isinstance(column.type, JSON) else text
    return spelt.replace("/", "//").replace("%", "/%").replace("_", "/_")


def without(value: Json, texts: Collection[str]) -> Json:
    """A value in which nobody is named: items of lists that name them go, other texts are blotted out."""
    if isinstance(value, str):
        return GONE if _said(value, texts) else value
    if isinstance(value, list):
        return [without(one, texts) for one in value if not _said_in(one, texts)]
    if isinstance(value, dict):
        return {name: without(one, texts) for name, one in value.items() if not _said(name, texts)}
    return value


def lost_words(value: Json) -> bool:
    """Whether something was taken out of a value: nobody ever typed what is left of it."""
    if isinstance(value, dict):
        return any(lost_words(one) for one in value.values())
    return any(lost_words(one) for one in value) if isinstance(value, list) else bool(value == GONE)


def _said(value: str, texts: Collection[str]) -> bool:
    folded = value.casefold()
    return any(text.casefold() in folded for text in texts)


def _said_in(item: Json, texts: Collection[str]) -> bool:
    inner = item.values() if isinstance(item, dict) else (item,)
    return any(isinstance(one, str) and _said(one, texts) for one in inner)


def scrub(conn: Connection, texts: Collection[str]) -> dict[str, int]:
    """Take every mention of these texts out of every table; rows by table."""
    counts: dict[str, int] = {}
    for table, column in readable():
        keys = list(table.primary_key.columns)
        for chunk in in_chunks(filled(texts), SOUGHT):
            for row in conn.execute(naming(column, len(chunk))[1], patterns(column, chunk)).all():
                here = [one == value for one, value in zip(keys, row, strict=False)]
                if table.name in WHOLE_ROWS:
                    conn.execute(delete(table).where(*here))
                else:
                    conn.execute(update(table).where(*here).values({column.name: without(row.words, texts)}))
                counts[table.name] = counts.get(table.name, 0) + 1
    return counts


def unread(conn: Connection, texts: Collection[str]) -> dict[str, int]:
    """Fields of other records that hold one of these texts: unknown until they are read again; rows by table.

    Planned writes that carry one are planned anew.
    """
    lost: dict[str, set[str]] = defaultdict(set)
    for column in FIELDS:
        for row in _rows_naming(conn, column, texts):
            lost[row.id] |= _named_in(row.words, texts)
    cells: dict[int, set[str]] = defaultdict(set)
    for row in _rows_naming(conn, LINK.c.cells, texts):
        cells[row.id] |= _named_in(row.words, texts)
    touched = _forget_cells(conn, cells, lost)
    for row in _rows_naming(conn, INTENT.c.payload, texts):
        given_up = update(INTENT).where(INTENT.c.id == row.id, INTENT.c.state == str(IntentState.PLANNED))
        done = conn.execute(given_up.values(state=str(IntentState.DROPPED)).returning(INTENT.c.record_id)).scalar()
        touched |= {done} if done else set()
    _forget_fields(conn, lost)
    for record_id in touched:
        conn.execute(update(RECORD).where(RECORD.c.id == record_id).values(dirty=True))
    return {name: rows for name, rows in (("record", len(lost)), ("link", len(cells))) if rows}


def _rows_naming(conn: Connection, column: Column[Any], texts: Collection[str]) -> Iterator[Any]:
    for chunk in in_chunks(filled(texts), SOUGHT):
        yield from conn.execute(naming(column, len(chunk))[1], patterns(column, chunk)).all()


def _named_in(fields: Mapping[str, Json] | None, texts: Collection[str]) -> set[str]:
    return {name for name, held in (fields or {}).items() if without(held, texts) != held}


def _forget_cells(conn: Connection, cells: Mapping[int, Collection[str]], lost: Mapping[str, set[str]]) -> set[str]:
    """Cells that name them, and all cells of a field that a record lost, whatever their spelling; gives the records."""
    touched = set(lost)
    of = LINK.c
    for where in (of.record_id.in_(chunk) for chunk in in_chunks(sorted(lost), SOUGHT)):
        _forget_cells_of(conn, where, cells, lost, touched)
    for where in (of.id.in_(chunk) for chunk in in_chunks(sorted(cells), SOUGHT)):
        _forget_cells_of(conn, where, cells, lost, touched)
    return touched


def _forget_cells_of(
    conn: Connection,
    where: Any,
    cells: Mapping[int, Collection[str]],
    lost: Mapping[str, set[str]],
    touched: set[str],
) -> None:
    of = LINK.c
    for row in conn.execute(select(of.id, of.record_id, of.state, of.cells).where(where)).all():
        names = {*cells.get(row.id, ()), *lost.get(row.record_id, ())} & set(row.cells or {})
        if names:
            left = {name: held for name, held in row.cells.items() if name not in names}
            values = {"cells": left} | ({"again": True} if row.state == str(LinkState.ACTIVE) else {})
            conn.execute(update(LINK).where(of.id == row.id).values(values))
            touched |= {row.record_id} if row.record_id else set()


def _forget_fields(conn: Connection, lost: Mapping[str, set[str]]) -> None:
    of = RECORD.c
    for chunk in in_chunks(sorted(lost), SOUGHT):
        for row in conn.execute(select(of.id, of.entity, *FIELDS).where(of.id.in_(chunk))).all():
            names = lost[row.id]
            held = [
                {name: value for name, value in (part or {}).items() if name not in names}
                for part in (row.fields, row.contests, row.reviews)
            ]
            named, surnamed = found_by(Entity(row.entity), held[0])
            values = {"fields": held[0], "contests": held[1], "reviews": held[2], "named": named, "surnamed": surnamed}
            conn.execute(update(RECORD).where(of.id == row.id).values(values))
            asked = (REVIEW.c.record_id == row.id, REVIEW.c.field.in_(names), REVIEW.c.state == "open")
            conn.execute(delete(REVIEW).where(REVIEW.c.kind == "field", *asked))
