"""The queries that every cycle asks run on their indexes: what they cost follows what is due, not what is stored."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, event, insert

from sync_platform.core.records import Entity, PlannedWrite, RecordId, System, Verb
from sync_platform.ledger import journal, links, outbox
from sync_platform.ledger.database import Ledger

NOW = datetime(2026, 3, 1, tzinfo=UTC)
IDS = ["a" * 32, "b" * 32]
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
    ("dirty records", lambda c: links.dirty_records(c, Entity.TICKET, 10, "a"), {"ix_record_dirty"}),
    ("count of dirty records", lambda c: links.count_dirty(c, Entity.TICKET), {"ix_record_dirty"}),
    ("objects without a record", lambda c: links.unplaced(c, Entity.TICKET, 10), {"ix_link_unplaced"}),
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
    ("systems of records", lambda c: links.active_systems(c, IDS), {"uq_link_active"}),
    (
        "customers of tickets",
        lambda c: links.external_ids(c, Entity.CUSTOMER, records=IDS, externals={System.ERP: IDS}),
        {"ix_link_record_id", "uq_link_object"},
    ),
    ("records that await", lambda c: links.mark_awaiting(c, ["erp:1", "erp:2"]), {"ix_link_awaits", "pk_record"}),
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
        {"uq_intent_planned"},
    ),
    ("unsettled intents", lambda c: outbox.unsettled(c, System.ERP, Entity.TICKET), {"ix_intent_open"}),
    ("all unsettled intents", lambda c: outbox.unsettled(c), {"ix_intent_open"}),
    ("intents that are due", lambda c: outbox.due_count(c, NOW), {"ix_intent_open"}),
    ("open intents by kind", outbox.count_open, {"ix_intent_open"}),
    ("unsettled by record", lambda c: links.links_of(c, IDS), {"uq_intent_unsettled"}),
    ("late payloads", lambda c: journal.late_of(c, [1, 2], NOW), {"ix_late_link_id"}),
    ("marks of records", lambda c: journal.parked_of(c, IDS), {"ix_parked_open"}),
    ("the same mark", lambda c: journal.park(c, [PARKED]), {"ix_parked_open"}),
    ("the same review", lambda c: journal.open_review(c, [REVIEW]), {"ix_review_record_id"}),
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


def fill(ledger: Ledger) -> None:
    """Something to point at; SQLite plans without looking at it, PostgreSQL has its walks over whole tables forbidden."""
    with ledger.begin() as conn:
        conn.execute(
            insert(links.LINK),
            [
                {"record_id": None, "system": "erp", "entity": "ticket", "external_id": str(i), "state": "active",
                 "detail": 0, "again": False}
                for i in range(3)
            ],
        )


@pytest.mark.parametrize(("ask", "indexes"), [pytest.param(q[1], q[2], id=q[0]) for q in QUERIES])
def test_a_hot_query_uses_its_index(ledger, ask, indexes):
    fill(ledger)
    found = plans(ledger, ask)
    whole = "\n".join(f"{sql}\n  {plan}\n" for sql, plan in found)
    for index in indexes:
        assert any(used(index, plan, postgres=ledger.postgres) for _, plan in found), whole
    for _, plan in found:
        assert not walks_a_table(plan, postgres=ledger.postgres), whole


def used(index: str, plan: str, *, postgres: bool) -> bool:
    """Whether a plan names the index; SQLite calls a text key's own index by a name that it made."""
    if not postgres and index.startswith("pk_"):
        table = index.removeprefix("pk_")
        return any(f"{table} {how}" in plan for how in (f"USING INDEX sqlite_autoindex_{table}_1",
            f"USING COVERING INDEX sqlite_autoindex_{table}_1", "USING INTEGER PRIMARY KEY")) or plan == f"SEARCH {table}"
    return index in plan


def walks_a_table(plan: str, *, postgres: bool) -> bool:
    """Whether a plan reads all rows of a table or of a whole index that holds every row."""
    if postgres:
        return '"Seq Scan"' in plan
    return any(line.startswith("SCAN ") and "USING" not in line for line in plan.splitlines())


def test_the_probe_sees_a_walk_over_a_table(ledger):
    fill(ledger)
    found = plans(ledger, lambda conn: conn.execute(links.LINK.select().where(links.LINK.c.version > 3)).all())
    assert len(found) == 1
    assert walks_a_table(found[0][1], postgres=ledger.postgres)


def test_a_plan_is_kept_for_values_that_come_later(ledger):
    """A statement is planned once and used again with other values: its conditions must not depend on them."""
    fill(ledger)
    for at in (NOW, NOW + timedelta(days=1)):
        with ledger.read() as conn:
            assert outbox.due_count(conn, at) == 0
            assert outbox.planned(conn, System.ERP, Entity.TICKET, now=at, limit=5) == []
