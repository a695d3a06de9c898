"""The queries that every cycle asks run on their indexes: what they cost follows what is due, not what is stored."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine, event, insert, make_url, select

from sync_platform.core.records import Entity, PlannedWrite, RecordId, System, Verb
from sync_platform.ledger import holds, journal, links, outbox, placing, spans
from sync_platform.ledger.database import Ledger

NOW = datetime(2026, 3, 1, tzinfo=UTC)
SIZE = 2000
IDS = [f"{1:032x}", f"{2:032x}"]
WRITE = PlannedWrite(RecordId(IDS[0]), System.ERP, Entity.TICKET, Verb.UPDATE, {"subject": "x"}, link_id=1)
PARKED = {
    "system": "erp",
    "entity": "ticket",
    "record_id": IDS[0],
    "external_id": None,
    "field": "subject",
    "hash": "h",
    "code": "C",
    "words": "w",
    "remedy": "r",
    "at": NOW,
}
REVIEW = {"kind": "field", "entity": "ticket", "record_id": IDS[0], "link_id": None, "field": "subject", "at": NOW}

# What is asked, by which index each table is reached (as words of the plan), on what of them nothing else may do.
QUERIES: list[tuple[str, Callable[[Connection], Any], set[str]]] = [
    ("dirty records", lambda c: links.dirty_records(c, Entity.TICKET, 10, IDS[0]), {"ix_record_dirty"}),
    ("count of dirty records", lambda c: links.count_dirty(c, Entity.TICKET), {"ix_record_dirty"}),
    ("objects without a record", lambda c: placing.unplaced(c, Entity.TICKET, 10, {"email"}), {"ix_link_unplaced"}),
    (
        "reads by id that are owed",
        lambda c: links.details_owed(c, System.GORGIAS, Entity.CUSTOMER, 10),
        {"ix_link_detail"},
    ),
    (
        "count of reads by id that are owed",
        lambda c: links.count_details(c, System.GORGIAS, Entity.CUSTOMER),
        {"ix_link_detail"},
    ),
    ("links by external id", lambda c: links.links_by_external(c, System.ERP, Entity.TICKET, IDS), {"uq_link_object"}),
    ("links of records", lambda c: links.links_of(c, IDS), {"ix_link_record_id"}),
    ("systems of records", lambda c: links.active_systems(c, IDS), {"uq_link_active or ix_link_record_id"}),
    (
        "customers of tickets",
        lambda c: links.external_ids(c, Entity.CUSTOMER, records=IDS, externals={System.ERP: IDS}),
        {"ix_link_record_id", "uq_link_object"},
    ),
    ("records that await", lambda c: links.mark_awaiting(c, ["erp:54", "erp:2"]), {"ix_link_awaits", "pk_record"}),
    ("tickets of customers", lambda c: links.mark_dirty_children(c, IDS), {"ix_record_parent"}),
    ("records of a key", lambda c: links.records_by_key(c, [("email", "a@example.com")]), {"pk_match_key"}),
    ("keys of a record", lambda c: links.keys_of(c, IDS), {"ix_match_key_record"}),
    (
        "planned intents",
        lambda c: outbox.planned(c, System.ERP, Entity.TICKET, now=NOW, limit=10),
        {"ix_intent_open"},
    ),
    (
        "planned intents of records",
        lambda c: outbox.replace_planned(c, IDS, [WRITE], at=NOW, run="r", lane=outbox.Lane.DELTA),
        {"uq_intent_planned or ix_intent_record"},
    ),
    (
        "unsettled intents",
        lambda c: outbox.unsettled(c, System.ERP, Entity.TICKET),
        {"uq_intent_unsettled or ix_intent_open"},
    ),
    ("all unsettled intents", outbox.unsettled, {"uq_intent_unsettled or ix_intent_open"}),
    ("intents that are due", lambda c: outbox.due_count(c, NOW), {"ix_intent_open"}),
    ("open intents by kind", outbox.count_open, {"ix_intent_open"}),
    (
        "systems with intents that are due",
        lambda c: outbox.due_systems(c, NOW),
        {"ix_intent_open or uq_intent_planned"},
    ),
    (
        "count of planned intents",
        lambda c: outbox.count_planned(c, System.ERP, Entity.TICKET),
        {"ix_intent_open or uq_intent_planned"},
    ),
    (
        "planned creates of records",
        lambda c: outbox.planned_creates(c, Entity.TICKET, IDS),
        {"uq_intent_planned or ix_intent_record"},
    ),
    (
        "unsettled systems of records",
        lambda c: outbox.unsettled_of(c, IDS),
        {"uq_intent_unsettled or ix_intent_record"},
    ),
    (
        "reads by id that were asked for",
        lambda c: links.read_again(c, System.ERP, Entity.TICKET, 10),
        {"ix_link_again"},
    ),
    ("unsettled by record", lambda c: links.links_of(c, IDS), {"uq_intent_unsettled or ix_intent_record"}),
    ("late payloads", lambda c: journal.late_of(c, [1, 2], NOW), {"ix_late_link_id"}),
    ("marks of records", lambda c: journal.parked_of(c, IDS), {"ix_parked_open"}),
    ("the same mark", lambda c: journal.park(c, [PARKED]), {"ix_parked_open"}),
    ("the same review", lambda c: journal.open_review(c, [REVIEW]), {"ix_review_record_id"}),
    ("held items of records", lambda c: holds.items_of(c, IDS), {"ix_hold_item_record"}),
    ("items of a hold", lambda c: holds.recount(c, [1], NOW), {"ix_hold_item_hold", "pk_hold"}),
    ("what passed in the window", lambda c: holds.passed_since(c, "intents", "ticket", NOW), {"pk_passed"}),
    ("the most that passed", lambda c: holds.most_passed(c, "intents", "ticket", NOW), {"pk_passed"}),
    ("the next decision", journal.next_decision, {"pk_decision"}),
]


def plans(ledger: Ledger, ask: Callable[[Connection], Any]) -> list[tuple[str, str]]:
    """Each statement that `ask` sends, with its plan as text."""
    found: list[tuple[str, str]] = []
    explain = "EXPLAIN (FORMAT JSON) " if ledger.postgres else "EXPLAIN QUERY PLAN "

    with ledger.begin() as conn:
        if ledger.postgres:
            conn.exec_driver_sql("SET LOCAL enable_seqscan = off")
            conn.exec_driver_sql("SET LOCAL enable_bitmapscan = off")
            conn.exec_driver_sql("SET LOCAL random_page_cost = 1")
        told: list[tuple[str, Any]] = []
        listen = lambda _c, _cursor, sql, parameters, _context, many: told.append(
            (sql, parameters[0] if many else parameters)
        )
        event.listen(conn, "before_cursor_execute", listen)
        ask(conn)
        event.remove(conn, "before_cursor_execute", listen)
        for sql, parameters in told:
            if sql.startswith("INSERT"):
                continue
            rows = conn.exec_driver_sql(explain + sql, parameters).all()
            found.append((sql, json.dumps(rows[0][0]) if ledger.postgres else "\n".join(row[3] for row in rows)))
        conn.rollback()
    return found


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def filled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    """One ledger for all plans, because nothing that is asked here is committed."""
    if request.param == "sqlite":
        with Ledger.open(f"sqlite:///{tmp_path_factory.mktemp('plans') / 'ledger.db'}", migrate=True) as ledger:
            yield fill(ledger)
        return
    server = make_url(request.getfixturevalue("postgres_server")).set(drivername="postgresql+psycopg")
    admin = create_engine(server, isolation_level="AUTOCOMMIT")
    name = f"p{uuid.uuid4().hex}"
    with admin.connect() as conn:
        conn.exec_driver_sql(f"CREATE DATABASE {name}")
    with Ledger.open(server.set(database=name).render_as_string(hide_password=False), migrate=True) as ledger:
        yield fill(ledger)
    with admin.connect() as conn:
        conn.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
    admin.dispose()


def fill(ledger: Ledger) -> Ledger:
    """A ledger in which most is done and some is due; PostgreSQL plans by what it holds, SQLite by its shape."""
    known = [f"{number:032x}" for number in range(SIZE)]
    rows: dict[Any, list[dict[str, Any]]] = {
        links.RECORD: [
            {
                "id": one,
                "entity": "ticket" if i % 2 else "customer",
                "dirty": i % 9 == 0,
                "settled": True,
                "wanted": False,
                "twin": False,
                "parent": known[i // 10],
                "born_at": NOW,
            }
            for i, one in enumerate(known)
        ],
        links.LINK: [
            {
                "record_id": None if i % 9 == 0 else one,
                "system": "gorgias" if i % 2 else "erp",
                "entity": "customer" if i % 2 else "ticket",
                "external_id": str(i),
                "state": "active",
                "detail": int(i % 51 == 0),
                "again": i % 53 == 0,
                "awaits": f"erp:{i}" if i % 54 == 0 else None,
            }
            for i, one in enumerate(known)
        ],
        links.KEY: [{"kind": "email", "value": f"{i}@example.com", "record_id": one} for i, one in enumerate(known)],
        outbox.INTENT: [
            {
                "record_id": one,
                "link_id": i,
                "system": "erp",
                "entity": "ticket",
                "verb": "update",
                "hash": "",
                "state": {0: "planned", 1: "sent"}.get(i % 50, "acknowledged"),
                "lane": "backfill",
                "tries": 0,
                "created_at": NOW,
            }
            for i, one in enumerate(known)
        ],
        journal.LATE: [{"link_id": i, "intent_id": i, "payload": {}, "until": NOW} for i in range(SIZE)],
        journal.PARKED: [
            PARKED | {"record_id": one, "lifted_at": NOW if i % 3 else None} for i, one in enumerate(known)
        ],
        journal.REVIEW: [
            REVIEW | {"record_id": one, "state": "agreed" if i % 3 else "open"} for i, one in enumerate(known)
        ],
    }
    with ledger.begin() as conn:
        for table, found in rows.items():
            conn.execute(insert(table), found)
        if ledger.postgres:
            conn.exec_driver_sql("ANALYZE")
    return ledger


@pytest.mark.parametrize(("ask", "indexes"), [pytest.param(q[1], q[2], id=q[0]) for q in QUERIES])
def test_a_hot_query_uses_its_index(filled, ask, indexes):
    found = plans(filled, ask)
    whole = "\n".join(f"{sql}\n  {plan}\n" for sql, plan in found)
    for names in indexes:
        assert any(used(index, plan, filled) for index in names.split(" or ") for _, plan in found), whole
    for _, plan in found:
        assert not walks_a_table(plan, filled), whole


def used(index: str, plan: str, ledger: Ledger) -> bool:
    """Whether a plan names the index; SQLite has names of its own for the index of a primary key."""
    if not ledger.postgres and index.startswith("pk_"):
        table = index.removeprefix("pk_")
        return f"sqlite_autoindex_{table}_1" in plan or plan.startswith(f"SEARCH {table}")
    return index in plan


def walks_a_table(plan: str, ledger: Ledger) -> bool:
    """Whether a plan reads a table from its first row to its last; walks over a partial index are what they are for."""
    if ledger.postgres:
        return '"Seq Scan"' in plan
    return any(re.fullmatch(r"SCAN \w+", line) for line in plan.splitlines())


def sorts(plan: str, ledger: Ledger) -> bool:
    """Whether rows are put in order before the first of them can be handed out."""
    return ('"Sort"' if ledger.postgres else "TEMP B-TREE FOR ORDER BY") in plan


def test_the_probe_sees_a_walk_over_a_table(filled):
    found = plans(filled, lambda conn: conn.execute(links.LINK.select().where(links.LINK.c.version > 3)).all())
    assert len(found) == 1
    assert walks_a_table(found[0][1], filled)


PAGES = {
    "dirty records": QUERIES[0][1],
    "objects without a record": QUERIES[2][1],
    "reads by id that are owed": QUERIES[3][1],
    "reads by id that were asked for": lambda c: links.read_again(c, System.ERP, Entity.TICKET, 10),
}


@pytest.mark.parametrize("ask", [pytest.param(ask, id=name) for name, ask in PAGES.items()])
def test_the_first_page_of_a_backlog_costs_no_sorting_of_the_rest(filled, ask):
    for sql, plan in plans(filled, ask):
        assert not sorts(plan, filled), f"{sql}\n{plan}"


def test_the_decisions_of_a_run_are_looked_for_within_its_numbers(filled):
    counts = {"from": {"decision": 10}, "to": {"decision": 20}}
    row = {"id": "measured", "kind": "sync", "started_at": NOW, "complete": True, "counts": counts}
    with filled.begin() as conn:
        conn.execute(insert(spans.RUN), [row])
    of = journal.DECISION
    found = plans(filled, lambda c: c.execute(select(of.c.id).where(spans.decided_in(c, "measured"))).all())
    sql, plan = found[-1]
    # By the numbers, on whichever index: this table is too small for PostgreSQL to mind which.
    assert "rowid>? AND rowid<?" in plan or "Index Cond" in plan, f"{sql}\n{plan}"
    assert not walks_a_table(plan, filled), f"{sql}\n{plan}"


def test_a_backlog_of_writes_is_taken_in_the_order_of_its_index(filled):
    found = plans(filled, lambda c: outbox.planned(c, System.ERP, Entity.TICKET, now=NOW, limit=10))
    assert len(found) == 2
    assert not sorts(found[-1][1], filled), found[-1][1]
