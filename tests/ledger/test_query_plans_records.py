"""What the pages of records ask runs on indexes: a page costs what it shows, not what the ledger holds."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection, insert, select, update

from sync_platform.core.records import Entity, System
from sync_platform.ledger import journal, links
from sync_platform.ledger.acts import ACT
from sync_platform.ledger.database import Ledger
from sync_platform.ledger.outbox import INTENT
from sync_platform.sync import as_of, lineage, nodes, search, timeline
from tests.ledger.test_query_plans import IDS, NOW, SIZE, filled, plans, sorts, used, walks_a_table

__all__ = ["filled"]

OBJECTS = [("erp", "ticket", "2"), ("gorgias", "customer", "1")]
QUERIES: list[tuple[str, Callable[[Connection], Any], set[str]]] = [
    ("by name", lambda c: search.search(c, "ada lo", "US"), {"ix_record_named", "ix_record_surnamed"}),
    ("by id in a system", lambda c: search.search(c, "gorgias:17", "US"), {"uq_link_object"}),
    ("by address", lambda c: search.search(c, "9@example.com", "US"), {"pk_match_key"}),
    ("decided last", lambda c: search.listed(c, "changed"), {"pk_decision"}),
    ("in review", lambda c: search.listed(c, "review"), {"ix_review_waiting"}),
    ("parked", lambda c: search.listed(c, "parked"), {"ix_parked_waiting"}),
    ("deleted", lambda c: search.listed(c, "deleted"), {"ix_record_ended"}),
    ("merged, next page", lambda c: search.listed(c, "merged", IDS[0]), {"ix_record_ended"}),
    ("rows of a list", lambda c: search.described(c, IDS), {"pk_record", "ix_link_record_id", "ix_decision_record"}),
    ("tickets of a customer", lambda c: search.tickets_of(c, IDS[0], 20), {"ix_record_parent"}),
    ("what was seen", lambda c: lineage.seen_of(c, OBJECTS, 50), {"ix_observation_object"}),
    ("what was seen until then", lambda c: lineage.seen_of(c, OBJECTS, 50, NOW), {"ix_observation_object"}),
    (
        "the timeline",
        lambda c: timeline.timeline(c, IDS[0]),
        {"ix_decision_record", "ix_intent_record", "ix_receipt_intent_id", "ix_review_record_id", "ix_act_subject"},
    ),
    (
        "a moment of the past",
        lambda c: as_of._decided(c, as_of.Past(IDS[0], Entity.TICKET, NOW, known=True), set()),
        {"ix_decision_record"},
    ),
    (
        "what a record wrote until then",
        lambda c: as_of._landed(c, as_of.Past(IDS[0], Entity.TICKET, NOW, known=True)),
        {"ix_intent_record"},
    ),
    ("an observation", lambda c: nodes.observation(c, 1), {"uq_link_object"}),
    ("a write", lambda c: nodes.intent(c, 1), {"ix_receipt_intent_id"}),
]
STATED = {"in review", "parked", "deleted", "merged, next page"}


@pytest.fixture(scope="module")
def told(filled):
    """The same ledger with observations, decisions, answers and acts."""
    with filled.begin() as conn:
        ids = list(conn.execute(select(links.RECORD.c.id).order_by(links.RECORD.c.id)).scalars())
        conn.execute(
            insert(journal.OBSERVATION),
            [
                {
                    "system": "erp" if i % 2 == 0 else "gorgias",
                    "entity": "ticket" if i % 2 == 0 else "customer",
                    "external_id": str(i % (SIZE // 4)),
                    "fields": {},
                    "mapping_version": "1",
                    "observed_at": NOW,
                    "channel": "list",
                    "taken": True,
                }
                for i in range(SIZE)
            ],
        )
        decision = {"field": "name", "rule": "birth", "policy": "p", "cause": "birth", "at": NOW}
        conn.execute(
            insert(journal.DECISION), [{**decision, "record_id": one, "entity": "ticket", "value": 1} for one in ids]
        )
        intents = list(conn.execute(select(INTENT.c.id)).scalars())
        conn.execute(insert(journal.RECEIPT), [{"intent_id": one, "outcome": "done", "at": NOW} for one in intents])
        acts = [{"verb": "drop", "subject": f"review:{i}", "who": "kim", "at": NOW} for i in range(SIZE)]
        conn.execute(insert(ACT), acts)
        named = update(links.RECORD).where(links.RECORD.c.id.in_(ids[: SIZE // 2]))
        conn.execute(named.values(named=links.RECORD.c.id, surnamed=links.RECORD.c.id))
        if filled.postgres:
            conn.exec_driver_sql("ANALYZE")
    return filled


def walks(plan: str, ledger: Ledger) -> bool:
    """Whether a table is read from end to end. What is last decided is read from the end on, until the page is full;
    a part of a statement of its own (`anon_1`) is as long as that part's limit."""
    if ledger.postgres:
        return walks_a_table(plan, ledger)
    tables = re.findall(r"SCAN (\w+)$", plan, flags=re.MULTILINE)
    return any(not one.startswith("anon_") and one != "decision" for one in tables)


@pytest.mark.parametrize(("ask", "indexes"), [pytest.param(q[1], q[2], id=q[0]) for q in QUERIES])
def test_a_page_of_records_asks_its_indexes(told, ask, indexes):
    found = plans(told, ask)
    whole = "\n".join(f"{sql}\n  {plan}\n" for sql, plan in found)
    for index in indexes:
        assert any(
            used(index, plan, told) or (index == "pk_decision" and "SCAN decision" in plan) for _, plan in found
        ), whole
    for _, plan in found:
        assert not walks(plan, told), whole


@pytest.mark.parametrize("ask", [pytest.param(q[1], id=q[0]) for q in QUERIES if q[0] in STATED])
def test_a_list_is_read_in_the_order_of_its_index(told, ask):
    sql, plan = plans(told, ask)[0]
    assert not sorts(plan, told), f"{sql}\n{plan}"


def test_what_a_name_finds_is_the_same_on_both_databases(told):
    with told.begin() as conn:
        rows = [("zz1", "Ärger Über", "arger uber"), ("zz2", "ada lovelace", "ada lovelace"), ("zz3", "adam", "adam")]
        for one, _, named in rows:
            conn.execute(
                insert(links.RECORD),
                [
                    {
                        "id": one, "entity": str(Entity.CUSTOMER), "dirty": False, "settled": True, "wanted": False,
                        "twin": False, "born_at": NOW, "named": named, "surnamed": None,
                    }
                ],
            )  # fmt: skip
        for typed, found in (("ada", ["zz2", "zz3"]), ("ADA L", ["zz2"]), ("Ärg", ["zz1"]), ("ad_", []), ("adaz", [])):
            assert [hit.record for hit in search.search(conn, typed, "US").hits] == found, typed
        conn.rollback()


def test_a_system_that_is_named_is_the_only_one_that_is_asked(told):
    found = plans(told, lambda conn: search.search(conn, f"{System.ERP}:17", "US"))
    assert "gorgias" not in found[0][0]
