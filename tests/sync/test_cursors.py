"""Where feeds stand: what a run remembers of its own writes is what the ledger holds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select

from sync_platform.connectors.protocol import Cursor, Feed
from sync_platform.core.policy import parse
from sync_platform.core.records import SYSTEMS, Entity
from sync_platform.errors import Unavailable
from sync_platform.ledger.database import Ledger
from sync_platform.sync import cursors, pull
from sync_platform.sync.hub import Hub

POLICY = parse(files("sync_platform").joinpath("policy.yaml").read_text(encoding="utf-8"), "policy.yaml")
AT = datetime(2026, 5, 1, tzinfo=UTC)
TIMES = st.none() | st.integers(0, 9).map(lambda days: AT + timedelta(days=days))
WRITES = st.fixed_dictionaries(
    {
        "system": st.sampled_from(SYSTEMS),
        "feed": st.sampled_from(["customers.changes", "customers.list"]),
        "cursor": st.builds(Cursor, st.none() | st.sampled_from(["1", "2"]), st.none() | st.just({"after": "7"})),
        "walk_started_at": TIMES,
        "polled_at": TIMES,
        "listed_at": TIMES,
    }
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(writes=st.lists(WRITES, max_size=8))
def test_what_a_run_remembers_is_what_the_ledger_holds(ledger: Ledger, writes: list[dict[str, Any]]) -> None:
    with ledger.begin() as conn:
        conn.execute(delete(cursors.CURSOR))
        stands = first = cursors.load(conn)
        for write in writes:
            cursors.write(conn, **write)
            stands = cursors.moved(stands, **write)
        assert stands == cursors.load(conn)
    assert first == {}


def test_rows_add_up_from_write_to_write(ledger: Ledger) -> None:
    with ledger.begin() as conn:
        for rows in (3, 0, 4):
            cursors.write(conn, SYSTEMS[0], "customers.list", Cursor("1"), rows=rows, total=9)
        found = conn.execute(select(cursors.CURSOR.c.rows, cursors.CURSOR.c.total)).one()
    assert tuple(found) == (7, 9)


def test_a_run_that_could_not_keep_where_a_feed_stands_reads_it_anew(ledger: Ledger) -> None:
    system, feed = SYSTEMS[0], Feed("customers.changes", Entity.CUSTOMER, "ascending")
    hub = Hub(ledger=ledger, connectors={}, policy=POLICY, run="run1")
    with pull._moving(hub, system, feed, Cursor("1"), 0, None, {}):
        pass
    with ledger.read() as conn:
        assert hub.standing(conn) == {(str(system), feed.name): cursors.Stand(Cursor("1"))}
    owner = iter([None, Unavailable("the ledger is busy")])

    def asked() -> None:
        if (refused := next(owner)) is not None:
            raise refused

    ledger.check_owner = asked
    with pytest.raises(Unavailable), pull._moving(hub, system, feed, Cursor("2"), 0, None, {}):
        pass
    ledger.check_owner = lambda: None
    assert hub.stands is None
    with ledger.read() as conn:
        assert hub.standing(conn)[str(system), feed.name].cursor == Cursor("1")
