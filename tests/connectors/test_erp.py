"""The ERP behind the protocol, on SQLite and PostgreSQL, with the sandbox's tables and with our own."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, text

from sync_platform.connectors.erp import ErpConnector
from sync_platform.connectors.protocol import Change, Connector, Outcome
from sync_platform.core.records import Entity, Json, Lane, Verb
from sync_platform.errors import Misconfigured, NotAllowed, Unavailable
from sync_platform.sandbox.erp import ErpSandbox
from sync_platform.sandbox.people import generate
from sync_platform.sandbox.world import World
from tests.connectors.contract import CANARY, Bench, FreeMeter, SystemContract

CUSTOMER, TICKET = Entity.CUSTOMER, Entity.TICKET


class ErpBench(Bench):
    """A database that the sandbox made, or one that set-up made."""

    def __init__(self, url: str, meter: FreeMeter) -> None:
        self.url = url
        self.meter = meter
        self.connector = ErpConnector(url, meter)
        self.engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))

    def sql(self, statement: str, **given: Any) -> list[Any]:
        """As another program beside us."""
        with self.engine.begin() as conn:
            found = conn.execute(text(statement), given)
            return list(found.all()) if found.returns_rows else []

    def table(self, entity: Entity) -> str:
        return "erp_customers" if entity is CUSTOMER else "erp_tickets"

    def ids(self, entity: Entity) -> set[str]:
        return {str(row[0]) for row in self.sql(f"SELECT id FROM {self.table(entity)}")}

    def attribute(self, entity: Entity) -> str:
        return "note" if entity is CUSTOMER else "subject"

    def edit(self, entity: Entity, external_id: str, value: str) -> None:
        statement = f"UPDATE {self.table(entity)} SET {self.attribute(entity)} = :value WHERE id = :id"
        self.sql(statement, value=value, id=int(external_id))

    def fresh(self, entity: Entity) -> dict[str, Json]:
        word = uuid4().hex[:10]
        if entity is CUSTOMER:
            return {
                "full_name": f"Ada Person {word}",
                "first_name": "Ada",
                "email": f"{word}@example.com",
                "email_2": None,
                "phone": "+14155550132",
                "language": "de",
                "credit_status": "hold",
                "lifetime_value": "12.50",
                "order_count": 3,
                "marketing_opt_out": True,
                "note": "prefers letters",
            }
        return {
            "subject": f"Question {word}",
            "customer_id": self.existing(CUSTOMER),
            "status": "in_progress",
            "priority": "high",
            "channel": "email",
            "tags": ["a;b", "vip"],
            "message_count": 2,
            "last_message_at": "2026-03-08T09:59:59.123456+00:00",
            "created_at": "2026-03-08T01:59:59.000000+00:00",
            "closed_at": None,
        }

    def refused(self, entity: Entity) -> tuple[str, Json] | None:
        return ("credit_status", CANARY) if entity is CUSTOMER else ("priority", CANARY)

    def listing(self, entity: Entity) -> str:
        return "customers.list" if entity is CUSTOMER else "tickets.list"

    def deltas(self, entity: Entity) -> tuple[str, ...]:
        return ("customers.changes",) if entity is CUSTOMER else ("tickets.changes",)


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'erp.db'}"
    found: str = request.getfixturevalue("postgres_url")
    return found


def opened(url: str, meter: FreeMeter) -> Iterator[ErpBench]:
    made = ErpBench(url, meter)
    made.connector.prepare(())
    yield made
    made.connector.close()
    made.engine.dispose()


@pytest.fixture
def bench(url: str, tmp_path: Path, meter: FreeMeter) -> Iterator[ErpBench]:
    """The sandbox's ERP, seeded and set up."""
    world = World(tmp_path, seed=1, erp_url=url)
    system = ErpSandbox(world)
    agents, people, cases = generate(1, 40, 80, 0.6)
    system.seed(people, cases, agents)
    yield from opened(url, meter)


@pytest.fixture
def own(url: str, meter: FreeMeter) -> Iterator[ErpBench]:
    """An empty ERP that set-up made, with a few rows by another program."""
    for made in opened(url, meter):
        for place in range(3):
            made.sql(
                "INSERT INTO erp_customers (customer_no, full_name, email, phone)"
                " VALUES (:no, 'Bo Example', :email, :phone)",
                no=f"E-{place}",
                email=f"Bo{place}@Example.com",
                phone=f"(415) 555-01 3{place}",
            )
            made.sql(
                "INSERT INTO erp_tickets (ticket_no, customer_id, subject) VALUES (:no, 1, 'Where is it?')",
                no=f"T-{place}",
            )
        yield made


class TestErpContract(SystemContract):
    """The exam of every side, on the sandbox's tables."""


class TestOwnTablesContract(SystemContract):
    """The same exam on tables that set-up made."""

    @pytest.fixture
    def bench(self, own: ErpBench) -> ErpBench:
        return own


def test_it_is_a_connector(bench):
    assert isinstance(bench.connector, Connector)


def test_plain_edits_by_any_program_raise_the_row_version(own):
    before = own.show(CUSTOMER, "1")
    own.edit(CUSTOMER, "1", "by hand")
    after = own.show(CUSTOMER, "1")
    assert after.version == before.version + 1
    assert after.stamp > before.stamp
    assert own.sql("SELECT count(*) FROM erp_changes WHERE table_name = 'erp_customers' AND op = 'U'") == [(1,)]


def test_a_write_of_ours_raises_the_version_by_one_and_is_logged_once(own):
    row = own.show(CUSTOMER, "1")
    receipt = own.update(CUSTOMER, row, {"note": "ours"})
    assert receipt.row.version == row.version + 1
    assert own.show(CUSTOMER, "1").version == row.version + 1
    assert own.sql("SELECT count(*) FROM erp_changes WHERE op = 'U'") == [(1,)]


def test_a_row_that_moved_on_is_not_overwritten(bench):
    row = bench.show(CUSTOMER, bench.existing(CUSTOMER))
    bench.edit(CUSTOMER, row.external_id, "by hand")
    receipt = bench.update(CUSTOMER, row, {"note": "ours"})
    assert receipt.outcome is Outcome.MOVED
    assert receipt.row.attributes["note"] == "by hand"
    assert bench.show(CUSTOMER, row.external_id).attributes["note"] == "by hand"


def test_a_delete_is_evidence_in_the_feed_and_by_id(bench):
    _, cursor = bench.drain("tickets.changes")
    gone = bench.existing(TICKET)
    bench.sql("DELETE FROM erp_tickets WHERE id = :id", id=int(gone))
    rows, _ = bench.drain("tickets.changes", cursor)
    assert [(row.external_id, row.evidence.kind) for row in rows] == [(gone, "deleted")]
    assert bench.show(TICKET, gone).evidence.kind == "deleted"


def test_a_create_sent_twice_makes_one_row_with_one_number(bench):
    change, first = bench.create(TICKET)
    again = bench.write(change)[change.token]
    assert again.external_id == first.external_id
    assert again.row.attributes["ticket_no"] == f"T-{change.marker[:12].upper()}"


def test_one_bad_row_does_not_stop_the_others_of_its_page(bench):
    good = [Change(f"g{n}", TICKET, Verb.CREATE, None, set=bench.fresh(TICKET), marker=uuid4().hex) for n in range(4)]
    lost = {**bench.fresh(TICKET), "customer_id": "987654321"}
    bad = Change("bad", TICKET, Verb.CREATE, None, set=lost, marker=uuid4().hex)
    receipts = bench.write(*good[:2], bad, *good[2:])
    assert receipts["bad"].outcome is Outcome.REJECTED
    assert receipts["bad"].fields == ("customer_id",)
    assert {receipts[one.token].outcome for one in good} == {Outcome.DONE}


def test_a_taken_number_is_refused_and_names_its_field(bench):
    held = bench.show(CUSTOMER, bench.existing(CUSTOMER)).attributes["customer_no"]
    _, receipt = bench.create(CUSTOMER, {**bench.fresh(CUSTOMER), "customer_no": held})
    assert (receipt.outcome, receipt.fields) == (Outcome.REJECTED, ("customer_no",))


def test_an_email_is_found_in_both_columns_and_a_phone_by_its_last_digits(own):
    own.sql("UPDATE erp_customers SET email_2 = 'Second@Example.com' WHERE id = 2")
    keys = [
        ("email", "bo0@example.com"),
        ("email", "second@example.com"),
        ("phone", "+14155550132"),
        ("phone", "+1999"),
    ]
    hits = [(index, row.external_id) for index, row in own.connector.lookup(CUSTOMER, keys, lane=Lane.DELTA)]
    assert sorted(hits) == [(0, "1"), (1, "2"), (2, "3")]


def test_set_up_is_repeatable_and_keeps_the_identity(bench):
    first = bench.connector.account()
    assert {finding.found for finding in bench.connector.prepare(())} == {"there"}
    second = bench.connector.account()
    assert first.identity == second.identity != ""
    assert second.sandbox


def test_a_database_of_our_own_making_is_no_sandbox_and_well(own):
    assert not own.connector.account().sandbox
    assert [finding for finding in own.connector.examine(()) if not finding.ok] == []


def test_the_doctor_names_what_is_missing_before_set_up(url, meter):
    connector = ErpConnector(url, meter)
    try:
        assert connector.account().identity == ""
        bad = {finding.name for finding in connector.examine(()) if not finding.ok}
        assert {"erp.table.erp_customers", "erp.trigger.erp_tickets_upd", "erp.identity"} <= bad
        feed = connector.feeds()[1]
        with pytest.raises(Misconfigured):
            connector.pull(feed, connector.start(feed, None, now=None), lane=Lane.DELTA)
    finally:
        connector.close()


def test_no_database_is_unavailable_and_tells_no_password(meter):
    connector = ErpConnector("postgresql://who:canary-secret@127.0.0.1:9/erp?connect_timeout=2", meter)
    with pytest.raises((Unavailable, NotAllowed)) as caught:
        connector.account()
    assert "canary-secret" not in f"{caught.value} {caught.value!r}"
    assert caught.value.__cause__ is None
    connector.close()
    with pytest.raises(Misconfigured):
        ErpConnector("mysql://who@127.0.0.1/erp", meter)


def test_an_unreadable_row_is_reported_and_the_others_are_read(tmp_path, meter):
    url = f"sqlite:///{tmp_path / 'erp.db'}"
    for made in opened(url, meter):
        for name in ("good", "bad"):
            assert made.create(CUSTOMER, {"full_name": name})[1].outcome is Outcome.DONE
        made.sql("UPDATE erp_customers SET created_at = 'yesterday' WHERE full_name = 'bad'")
        feed = made.feed("customers.list")
        page = made.connector.pull(feed, made.connector.start(feed, None, now=None), lane=Lane.DELTA)
        assert len(page.rows) == 1
        assert len(page.bad) == 1
        assert "yesterday" not in page.bad[0][1]


def test_a_locked_sqlite_file_is_a_retry(tmp_path, meter, monkeypatch):
    monkeypatch.setattr("sync_platform.connectors.erp.BUSY_S", 0.05)
    path = tmp_path / "erp.db"
    for made in opened(f"sqlite:///{path}", meter):
        made.connector.close()  # new connections take the short patience
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        _, receipt = made.create(CUSTOMER)
        assert receipt.outcome is Outcome.RETRY
        other.execute("ROLLBACK")
        other.close()
        assert made.create(CUSTOMER)[1].outcome is Outcome.DONE


def test_on_postgresql_a_transaction_that_commits_late_is_not_passed(postgres_url, meter):
    for made in opened(postgres_url, meter):
        for _ in range(3):
            made.create(CUSTOMER)
        _, cursor = made.drain("customers.changes")
        early, late = (
            "UPDATE erp_customers SET note = 'early' WHERE id = 1",
            "UPDATE erp_customers SET note = 'late' WHERE id = 2",
        )
        with made.engine.connect() as slow:
            slow.execute(text(early))  # draws the lower number of the log
            made.sql(late)
            rows, cursor = made.drain("customers.changes", cursor)
            assert rows == []  # the younger change waits for the older one
            slow.commit()
        rows, _ = made.drain("customers.changes", cursor)
        assert {row.external_id for row in rows} == {"1", "2"}


def test_writers_beside_us_lose_nothing(bench):
    _, cursor = bench.drain("customers.changes")
    ids = sorted(bench.ids(CUSTOMER), key=int)[:6]

    def edit_all() -> None:
        for external_id in ids:
            bench.edit(CUSTOMER, external_id, "beside")

    writer = threading.Thread(target=edit_all)
    writer.start()
    made = [bench.create(CUSTOMER)[1] for _ in range(5)]
    writer.join(30)
    assert {one.outcome for one in made} == {Outcome.DONE}
    rows, _ = bench.drain("customers.changes", cursor)
    assert {row.external_id for row in rows} == {*ids, *(str(one.external_id) for one in made)}
