"""Undo gives back what was there before, where nobody touched it since; a pause stops what is at work."""

from __future__ import annotations

import pytest

from sync_platform.errors import NotFound
from sync_platform.ledger.database import Ledger
from sync_platform.ledger.scrub import scrub
from sync_platform.sync import plans
from sync_platform.sync.cycle import load_policy, open_cycle
from sync_platform.sync.news import news
from sync_platform.sync.undo import undo
from tests.sync.desk import written

WHO = "kim"


def company(desk, system, ids):
    row = desk.row(system, "customer", ids[system])
    return row["properties"].get("company") if system == "hubspot" else row["company"]


def undone(desk, what):
    return undo(desk.settings, what, load_policy(desk.settings), who=WHO, why="a mistake")


def test_an_undone_run_restores_what_nobody_touched_since_and_nothing_else(desk):
    trios = list(desk.trios("customer").values())[:3]
    before = [company(desk, "hubspot", ids) for ids in trios]
    for number, ids in enumerate(trios):
        desk.edit("hubspot", "contacts", ids["hubspot"], company=f"Wrong {number}")
    run = desk.later(7200)["run"]
    desk.edit("erp", "customers", trios[1]["erp"], company="Corrected by hand")
    desk.later(7200)
    found = undone(desk, run)
    assert {item["system"] for item in found["items"]} >= {"hubspot", "erp"}
    assert [one["reason"] for one in found["skipped"] if one["field"] == "company"] == ["decided again since"]
    assert found["calls"]["hubspot"] > 0
    assert written(desk.later(7200)) == 0, "a plan that nobody approved does nothing"
    desk.edit("hubspot", "contacts", trios[2]["hubspot"], company="Edited while the plan lay there")
    assert plans.approve(desk.settings, found["plan"], who=WHO)["items"] == found["would_write"]
    summary = desk.later(7200)
    desk.settled()
    for system in ("hubspot", "erp"):
        assert company(desk, system, trios[0]) == before[0]
        assert company(desk, system, trios[1]) == "Corrected by hand"
        assert company(desk, system, trios[2]) == "Edited while the plan lay there"
    assert summary["plans"] == []
    refused = desk.ledger("SELECT summary FROM plan WHERE id = :plan", plan=found["plan"])[0][0]
    assert "edited in hubspot since" in refused
    desk.assert_equal()


def test_a_decision_and_a_record_are_undone_by_their_names(desk):
    record, ids = next(iter(desk.trios("customer").items()))
    before = company(desk, "erp", ids)
    desk.edit("hubspot", "contacts", ids["hubspot"], company="Wrong")
    desk.later(7200)
    number = desk.ledger("SELECT max(id) FROM decision WHERE record_id = :r AND field = 'company'", r=record)[0][0]
    by_number, by_record = undone(desk, str(number)), undone(desk, record)
    assert by_number["counts"] == by_record["counts"]
    assert plans.drop(desk.settings, by_number["plan"], who=WHO)["state"] == "dropped"
    plans.approve(desk.settings, by_record["plan"], who=WHO)
    desk.settled()
    assert company(desk, "erp", ids) == company(desk, "hubspot", ids) == before
    with pytest.raises(NotFound):
        plans.approve(desk.settings, by_record["plan"], who=WHO)
    with pytest.raises(NotFound, match="no decision"):
        undone(desk, "999999")


def test_the_same_undo_asked_twice_is_one_plan_until_it_is_answered_or_what_it_would_do_changes(desk):
    record, ids = next(iter(desk.trios("customer").items()))
    desk.edit("hubspot", "contacts", ids["hubspot"], company="Wrong")
    run = desk.later(7200)["run"]
    first = undone(desk, run)
    assert first["items"]
    assert undone(desk, run) == first
    assert undone(desk, record)["plan"] != first["plan"], "asked for in other words"
    plans.drop(desk.settings, first["plan"], who=WHO)
    assert undone(desk, run)["plan"] != first["plan"], "a plan that was dropped is not given again"
    assert desk.ledger("SELECT count(*) FROM plan WHERE source = 'undo' AND state = 'open'")[0][0] == 2


def test_what_a_forget_took_out_of_the_earlier_value_is_not_brought_back_as_a_word_that_nobody_typed(desk):
    record, ids = next(iter(desk.trios("customer").items()))
    before = company(desk, "erp", ids)
    desk.edit("hubspot", "contacts", ids["hubspot"], company="Another")
    desk.later(7200)
    ledger = Ledger.open(desk.settings.ledger_url, migrate=False)
    try:
        with ledger.begin() as conn:
            assert scrub(conn, {before})["decision"]
    finally:
        ledger.close()
    found = undone(desk, record)
    assert [one["reason"] for one in found["skipped"] if one["field"] == "company"] == [
        "what it held before was erased"
    ]
    assert not [item for item in found["items"] if "company" in item["fields"]]


def test_an_undo_takes_no_ticket_away_from_its_customer(desk):
    ticket = desk.edit("hubspot", "tickets", None, subject="Came alone", content="Hi")
    desk.later()
    desk.edit("hubspot", "tickets", ticket["id"], contact=next(iter(desk.trios("customer").values()))["hubspot"])
    desk.settled()
    asked = (
        "SELECT max(d.id) FROM decision d JOIN link l ON l.record_id = d.record_id"
        " WHERE l.system = 'hubspot' AND l.entity = 'ticket' AND l.external_id = :ticket AND d.field = 'customer'"
    )
    found = undone(desk, str(desk.ledger(asked, ticket=str(ticket["id"]))[0][0]))
    assert [(one["field"], one["reason"]) for one in found["skipped"]] == [
        ("customer", "it had no customer before, and keeps the one it has")
    ]
    assert found["items"] == []


def test_a_pause_ends_a_slice_at_work_and_nothing_starts_until_it_is_lifted(desk):
    ids = next(iter(desk.trios("customer").values()))
    desk.edit("hubspot", "contacts", ids["hubspot"], company="Not yet")
    desk.advance(7200)
    with open_cycle(desk.settings) as cycle:
        assert cycle.pull("hubspot", "customer").complete
        assert plans.pause(desk.settings, who=WHO, why="a move") == {"paused": True, "changed": True}
        cycle.hub.pause_looked_at = 0.0
        assert not cycle.reconcile("customer").complete
        assert not cycle.push("erp", "customer").complete
        summary = cycle.finish()
    assert (summary["outcome"], summary["complete"], summary["errors"]) == ("paused", False, [])
    desk.forget_calls()
    assert desk.sync()["outcome"] == "paused"
    assert desk.calls() == {}
    assert company(desk, "erp", ids) != "Not yet"
    found = news(desk.settings)
    assert not found.due
    assert "paused" in found.reasons[0]
    assert plans.resume(desk.settings, who=WHO)["changed"]
    assert not plans.resume(desk.settings, who=WHO)["changed"]
    desk.settled()
    assert company(desk, "erp", ids) == "Not yet"
    with Ledger.open(desk.settings.ledger_url, migrate=False) as ledger, ledger.read() as conn:
        assert plans.waiting(conn) == []


def imported(desk, number):
    """A customer with a ticket, typed into the ERP; gives the address and the customer's id there."""
    email = f"import{number}@example.com"
    row = desk.edit("erp", "customers", None, email=email, full_name=f"Import {number}", customer_no=f"I-{number}")
    desk.edit(
        "erp",
        "tickets",
        None,
        customer_id=int(row["id"]),
        subject=f"Imported {number}",
        status="new",
        ticket_no=f"T-{number}",
    )
    return email, str(row["id"])


def standing(desk, email, number):
    """How many of the customer and of the ticket stand in Gorgias, HubSpot and the ERP."""
    customers = [
        sum(email in str(row) for row in desk.entity(system, "customer").values())
        for system in ("gorgias", "hubspot", "erp")
    ]
    tickets = [
        sum(f"Imported {number}" in str(row) for row in desk.entity(system, "ticket").values())
        for system in ("gorgias", "hubspot", "erp")
    ]
    return customers, tickets


def test_an_import_that_went_wrong_is_taken_away_where_we_carried_it_and_does_not_come_back(desk):
    people = [imported(desk, number) for number in range(3)]
    runs = [one["run"] for one in desk.settled()]
    assert standing(desk, people[0][0], 0) == ([1, 1, 1], [1, 1, 1])
    (touched,) = [key for key, row in desk.entity("hubspot", "customer").items() if people[2][0] in str(row)]
    desk.edit("hubspot", "contacts", touched, company="Edited by hand")
    desk.settled()
    creates = desk.ledger("SELECT DISTINCT run FROM intent WHERE verb = 'create'")
    drafts = [undone(desk, run) for run in runs if (run,) in [tuple(row) for row in creates]]
    counts = [(one["system"], one["verb"], one["field"], one["count"]) for plan in drafts for one in plan["counts"]]
    assert sum(count for _, verb, _, count in counts if verb == "delete") == 3 * 4 - 1, counts
    others = {system for system, verb, _, _ in counts if verb != "delete"}
    assert others <= {"erp"}, "what the tickets that we made brought along is taken back there"
    assert any("edited there since" in one["reason"] for plan in drafts for one in plan["skipped"])
    for plan in drafts:
        plans.approve(desk.settings, plan["plan"], who=WHO)
    desk.settled()
    assert standing(desk, people[0][0], 0) == standing(desk, people[1][0], 1) == ([0, 0, 1], [0, 0, 1])
    assert standing(desk, people[2][0], 2) == ([0, 1, 1], [0, 0, 1])
    desk.edit("erp", "customers", people[0][1], company="Typed afterwards")
    desk.advance(7200)
    desk.sync(full=True)
    desk.settled()
    assert standing(desk, people[0][0], 0) == ([0, 0, 1], [0, 0, 1])
    desk.assert_no_doubles()
