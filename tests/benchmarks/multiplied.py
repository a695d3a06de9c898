"""A ledger with very many records, made from a few real ones: their rows again and again under other ids.

The few come from a sync over the sandbox, so every row has the shape that the platform gives it. Numbers inside of JSON
still name the decisions of the first ones, which are there: a look-up costs the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Engine, Table, create_engine, insert, select, text

from sync_platform.ledger.tables import LedgerModel

TABLES = ("record", "link", "match_key", "decision", "observation", "intent", "receipt")
# Who holds the lease and what was called, is of the process that did so.
OWN = ("lease", "budget", "call")
NUMBERED = ("link", "decision", "observation", "intent", "receipt")
# Numbers of rows: each copy has so many of them for itself in every table, above those of the first records.
ROOM, BASE = 100, 1_000_000
CHUNK = 50_000
Rows = dict[str, list[dict[str, Any]]]


def rows_of(engine: Engine, records: Sequence[str]) -> Rows:
    """All rows of some records, by table."""
    tables = LedgerModel.metadata.tables
    link, intent = tables["link"], tables["intent"]
    with engine.connect() as conn:
        objects = conn.execute(select(link.c.entity, link.c.external_id).where(link.c.record_id.in_(records))).all()
        intents = list(conn.execute(select(intent.c.id).where(intent.c.record_id.in_(records))).scalars())
        out: Rows = {}
        for name in TABLES:
            table = tables[name]
            if name == "observation":
                where: Any = table.c.external_id.in_([row.external_id for row in objects])
            elif name == "receipt":
                where = table.c.intent_id.in_(intents)
            else:
                where = (table.c.id if name == "record" else table.c.record_id).in_(records)
            out[name] = [dict(row._mapping) for row in conn.execute(select(table).where(where))]
        return out


def everything(engine: Engine) -> Rows:
    """All rows of a ledger."""
    with engine.connect() as conn:
        return {
            table.name: [dict(row._mapping) for row in conn.execute(select(table))]
            for table in LedgerModel.metadata.sorted_tables
            if table.name not in OWN
        }


def put(engine: Engine, rows: Rows) -> None:
    """All rows of a ledger into one that is new."""
    with engine.begin() as conn:
        conn.execute(text("DELETE FROM meta"))
        for name, found in rows.items():
            if found:
                conn.execute(insert(LedgerModel.metadata.tables[name]), found)


def multiply(engine: Engine, rows: Rows, copies: int) -> None:
    """So many copies of these records, which stand in the ledger; statistics are brought up to date."""
    first = 1
    while first <= copies:
        last = min(first + CHUNK - 1, copies)
        with engine.begin() as conn:
            for name in TABLES:
                if rows[name]:
                    conn.exec_driver_sql(_statement(engine, LedgerModel.metadata.tables[name], rows, first, last))
        first = last + 1
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        conn.execute(text("ANALYZE"))


def _statement(engine: Engine, table: Table, rows: Rows, first: int, last: int) -> str:
    lite = engine.dialect.name == "sqlite"
    places = {one["id"]: n for n, one in enumerate(rows["record"])}
    several = len(places)
    chosen = f"SELECT {first} AS n UNION ALL SELECT n + 1 FROM s WHERE n < {last}"
    series = f"WITH RECURSIVE s AS ({chosen}) " if lite else ""
    source = "s" if lite else f"generate_series({first}::bigint, {last}::bigint) AS s(n)"
    which = "t.record_id" if "record_id" in table.c else "t.id" if table.name == "record" else None
    columns = ", ".join(f'"{column.name}"' for column in table.columns)
    made = ", ".join(_made(lite, table, column.name, rows, places, several) for column in table.columns)
    where = "1 = 1"
    if which is not None:
        where = f"{which} IN ({', '.join(repr(one) for one in places)})"
    elif table.name == "receipt":
        where = f"t.intent_id IN ({', '.join(str(one['id']) for one in rows['intent'])})"
    else:
        where = f"t.id IN ({', '.join(str(one['id']) for one in rows[table.name])})"
    # SQLite wants the WITH before the SELECT of an INSERT.
    chosen_rows = f'SELECT {made} FROM "{table.name}" AS t, {source} WHERE {where}'
    return f'INSERT INTO "{table.name}" ({columns}) {series}{chosen_rows}'


def _made(lite: bool, table: Table, column: str, rows: Rows, places: dict[str, int], several: int) -> str:
    """The expression of one column of copy `n`."""
    if column in ("record_id", "parent") or (table.name, column) == ("record", "id"):
        cases = " ".join(f"WHEN '{one}' THEN {place}" for one, place in places.items())
        number = f"(s.n * {several} + CASE t.{column} {cases} END)"
        return f"printf('%032x', {number})" if lite else f"lpad(to_hex({number}), 32, '0')"
    of = {"id": table.name, "link_id": "link", "intent_id": "intent"}.get(column)
    if of in NUMBERED:
        cases = " ".join(f"WHEN {one['id']} THEN {place}" for place, one in enumerate(rows[of]))
        return f"({BASE} + s.n * {ROOM} + CASE t.{column} {cases} END)" if cases else f"t.{column}"
    if column == "external_id":
        known = sorted({(one["system"], one["entity"], one["external_id"]) for one in rows["link"]})
        cases = " ".join(
            f"WHEN t.system = '{s}' AND t.entity = '{e}' AND t.external_id = '{x}' THEN {place}"
            for place, (s, e, x) in enumerate(known)
        )
        return f"CAST({BASE} + s.n * {ROOM} + CASE {cases} ELSE {ROOM - 1} END AS TEXT)"
    if column == "marker":
        return "NULL"
    if (table.name, column) in (("match_key", "value"), ("record", "named"), ("record", "surnamed")):
        return f"(CASE WHEN t.{column} IS NULL THEN NULL ELSE CAST(s.n AS TEXT) || t.{column} END)"
    return f't."{column}"'


def connect(url: str) -> Engine:
    """An engine of SQLAlchemy for a ledger's URL."""
    return create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
