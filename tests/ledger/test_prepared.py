"""Statements that are known go to the driver as they are: what comes back must be what SQLAlchemy itself gives."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Connection,
    Float,
    Integer,
    MetaData,
    Table,
    bindparam,
    delete,
    event,
    exists,
    func,
    insert,
    select,
    update,
)
from sqlmodel.sql.sqltypes import AutoString, UTCDateTime

from sync_platform.errors import SyncError
from sync_platform.ledger.database import ForIds, Ledger, upsert
from sync_platform.ledger.prepared import LIST_MAX, Prepared, Rows

THING = Table(
    "thing",
    MetaData(),
    Column("id", BigInteger().with_variant(Integer(), "sqlite"), primary_key=True),
    Column("name", AutoString(), unique=True),
    Column("held", JSON(none_as_null=True)),
    Column("at", UTCDateTime()),
    Column("share", Float()),
    Column("dirty", Boolean()),
)
ZONES = st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30)), timezone(-timedelta(hours=8))])
TEXTS = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\x00"), max_size=12)
JSONS = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
ROWS = st.fixed_dictionaries(
    {
        "held": JSONS,
        "at": st.none() | st.datetimes(datetime(1970, 1, 2), datetime(2100, 1, 1), timezones=ZONES),  # noqa: DTZ001
        "share": st.none() | st.floats(-1e9, 1e9, allow_subnormal=False),
        "dirty": st.none() | st.booleans(),
    }
)
ADD = insert(THING)
ADD_RETURNING = insert(THING).returning(THING.c.id, THING.c.at)
ALL = select(THING).where(THING.c.id > bindparam("after")).order_by(THING.c.id)
SOME = ForIds(THING.c.id, lambda given_: select(THING).where(given_).order_by(THING.c.id))
SHARES = select(
    func.count(),
    func.sum(THING.c.share).label("share"),
    exists().where(THING.c.dirty, THING.c.held.is_not(None)),
    exists().where(THING.c.id.in_((1, 2, 3))),
)
SAVE = (
    update(THING)
    .where(THING.c.id == bindparam("b_id"))
    .values(held=bindparam("held"), at=bindparam("at"), share=bindparam("share"), dirty=bindparam("dirty"))
)
PUT = upsert(
    THING, lambda new: new.on_conflict_do_update(index_elements=["name"], set_={"share": new.excluded.share + 1})
)
DROP = ForIds(THING.c.id, lambda given_: delete(THING).where(given_))


@pytest.fixture
def things(ledger: Ledger) -> Iterator[Ledger]:
    with ledger.begin() as conn:
        THING.metadata.create_all(conn)
    return ledger


def plain(ledger: Ledger) -> Connection:
    return Connection(ledger.engine)


def known(conn: Connection, statement: Any, parameters: Any = None) -> Any:
    """The rows of a statement that goes straight to the driver."""
    for _ in range(2):
        conn.execute(statement, parameters).all()
    found = conn.execute(statement, parameters)
    assert isinstance(found, Rows)
    return found


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(ROWS, min_size=3, max_size=8), later=ROWS)
def test_rows_come_back_as_sqlalchemy_gives_them(things: Ledger, rows: list[dict[str, Any]], later: Any) -> None:
    named = [{"name": uuid.uuid4().hex, **row} for row in rows]
    with things.begin() as conn:
        conn.execute(delete(THING))
        for row in named[:-2]:
            conn.execute(ADD, row)
        for _ in range(2):
            conn.execute(ADD, [{**row, "name": uuid.uuid4().hex} for row in named[-2:]])
        conn.execute(ADD, named[-2:])
    with plain(things) as conn:
        want = conn.execute(ALL, {"after": 0}).all()
    assert [row[1:] for row in want if row.name in {one["name"] for one in named}] == [
        (one["name"], one["held"], one["at"], one["share"], one["dirty"]) for one in named
    ]
    with things.read() as conn:
        got = known(conn, ALL, {"after": 0}).all()
        assert got == want
        assert [type(value) for row in got for value in row] == [type(value) for row in want for value in row]
        assert [row._mapping for row in got] == [row._mapping for row in want]
        assert got[0]._fields == want[0]._fields
        shares = known(conn, SHARES).one()
    with plain(things) as conn:
        assert shares == conn.execute(SHARES).one()
        for row in want:
            conn.execute(SAVE, {"b_id": row.id, **later})
        after = conn.execute(ALL, {"after": 0}).all()
        conn.rollback()
    with things.begin() as conn:
        for _ in range(3):
            assert conn.execute(SAVE, [{"b_id": row.id, **later} for row in want]).rowcount == len(want)
        assert conn.execute(ALL, {"after": 0}).all() == after


def fill(ledger: Ledger, count: int) -> list[int]:
    with ledger.begin() as conn:
        conn.execute(ADD, [{"name": f"n{one}", "share": float(one)} for one in range(count)])
        return list(conn.execute(select(THING.c.id).order_by(THING.c.id)).scalars())


@pytest.mark.parametrize("length", [0, 1, 2, 3, LIST_MAX, LIST_MAX + 1])
def test_a_list_of_any_length_finds_its_own(things: Ledger, length: int) -> None:
    ids = fill(things, LIST_MAX + 5)
    with things.read() as conn:
        for start in range(4):
            wanted = ids[start : start + length]
            assert [row.id for row in SOME(conn, wanted)] == wanted


def test_lists_of_several_lengths_do_not_disturb_each_other(things: Ledger) -> None:
    ids = fill(things, 8)
    with things.read() as conn:
        for length in (2, 5, 3, 2, 5, 3, 2, 5, 3):
            assert [row.id for row in SOME(conn, ids[:length])] == ids[:length]


def test_what_is_written_tells_how_many_rows_it_touched(things: Ledger) -> None:
    ids = fill(things, 8)
    with things.begin() as conn:
        assert [DROP(conn, ids[at : at + 2]).rowcount for at in (0, 2, 4, 6)] == [2, 2, 2, 2]
        assert DROP(conn, ids[:2]).rowcount == 0


def test_the_dialects_own_inserts_go_the_same_way(things: Ledger) -> None:
    with things.begin() as conn:
        for _ in range(4):
            conn.execute(PUT(conn), {"name": "one", "share": 1.0})
        assert conn.execute(select(THING.c.share)).scalar_one() == 2.0


def test_an_insert_that_gives_its_id_gives_it_each_time(things: Ledger) -> None:
    at = datetime(2026, 5, 1, tzinfo=UTC)
    with things.begin() as conn:
        found = [conn.execute(ADD_RETURNING, {"name": f"n{one}", "at": at}).one() for one in range(4)]
    assert len({row.id for row in found}) == 4
    assert {row.at for row in found} == {at}


def test_other_parameters_are_another_plan(things: Ledger) -> None:
    with things.begin() as conn:
        for one in range(4):
            conn.execute(ADD, {"name": f"a{one}"})
            conn.execute(ADD, {"share": float(one), "name": f"b{one}"})
        rows = conn.execute(select(THING.c.name, THING.c.share)).all()
    assert {row.name: row.share for row in rows} == {f"a{one}": None for one in range(4)} | {
        f"b{one}": float(one) for one in range(4)
    }


def test_a_refused_statement_is_told_without_its_values(things: Ledger) -> None:
    for one in range(3):
        with things.begin() as conn:
            conn.execute(ADD, {"name": f"n{one}"})
    with pytest.raises(SyncError) as caught, things.begin() as conn:
        conn.execute(ADD, {"name": "n1"})
    assert "n1" not in str(caught.value)
    with things.begin() as conn:
        assert conn.execute(select(func.count()).select_from(THING)).scalar_one() == 3


def test_a_missing_parameter_is_said_as_ever(things: Ledger) -> None:
    from sqlalchemy.exc import StatementError

    with things.read() as conn:
        known(conn, ALL, {"after": 0})
        with pytest.raises(StatementError, match="after"):
            conn.execute(ALL)


def test_a_statement_that_nobody_holds_is_forgotten(things: Ledger) -> None:
    with things.read() as conn:
        assert isinstance(conn, Prepared)
        before = len(conn._plans)
        for _ in range(20):
            conn.execute(select(THING).where(THING.c.id == 1)).all()
        assert len(conn._plans) <= before + 1


def test_who_listens_hears_every_statement(things: Ledger) -> None:
    with things.read() as conn:
        known(conn, ALL, {"after": 0})
        heard: list[str] = []
        event.listen(conn, "before_cursor_execute", lambda _c, _cursor, sql, *_: heard.append(sql))
        conn.execute(ALL, {"after": 0}).all()
    assert len(heard) == 1
