"""`newest` with HubSpot's history of a property: read only for a conflict that it can decide."""

from __future__ import annotations

import pytest

from sync_platform.ledger.budget import calls_of
from sync_platform.ledger.database import Ledger
from sync_platform.sync.why import why

BATCH_READ = ("hubspot", "POST", "/crm/v3/objects/contacts/batch/read")


@pytest.fixture(scope="module")
def people(shared_desk):
    """Customers in all three systems; each test pops its own."""
    return list(shared_desk.trios("customer").items())


def edited_in_turn(desk, ids):
    """Gorgias' note, a minute later HubSpot's; another edit in HubSpot has stamped the record before and after."""
    desk.edit("hubspot", "contacts", ids["hubspot"], company=f"Before {ids['hubspot']}")
    desk.later(1000)
    desk.edit("gorgias", "customers", ids["gorgias"], note="Earlier, in Gorgias")
    desk.advance(60)
    desk.edit("hubspot", "contacts", ids["hubspot"], sync_note="Later, in HubSpot")
    desk.advance(60)
    desk.edit("hubspot", "contacts", ids["hubspot"], company=f"After {ids['hubspot']}")
    desk.advance(60)


def reads(desk):
    return sum(
        count for (system, _, path), count in desk.calls().items() if system == "hubspot" and "batch/read" in path
    )


def test_the_later_edit_wins_by_its_own_time_with_one_counted_call(shared_desk, people):
    record, ids = people.pop()
    edited_in_turn(shared_desk, ids)
    shared_desk.forget_calls()
    summary = shared_desk.cycle()
    told = why(shared_desk.settings, record, "note")
    assert (told["value"], told["rule"]) == ("Later, in HubSpot", "newest")
    assert shared_desk.row("gorgias", "customer", ids["gorgias"])["note"] == "Later, in HubSpot"
    assert reads(shared_desk) == 1
    with Ledger.open(shared_desk.settings.ledger_url, migrate=False) as ledger:
        spent = {row.purpose: row.count for row in calls_of(ledger, summary["run"]) if row.system == "hubspot"}
    assert spent["history"] == 1
    assert summary["systems"]["hubspot"]["ratio"] == 1.0


def test_two_conflicts_are_asked_about_in_one_call(shared_desk, people):
    pairs = [people.pop(), people.pop()]
    for _, ids in pairs:
        shared_desk.edit("hubspot", "contacts", ids["hubspot"], company=f"Before {ids['hubspot']}")
    shared_desk.later(1000)
    for system, kind, name in (("gorgias", "customers", "note"), ("hubspot", "contacts", "sync_note")):
        for _, ids in pairs:
            shared_desk.edit(system, kind, ids[system], **{name: f"{system} {ids[system]}"})
        shared_desk.advance(60)
    shared_desk.forget_calls()
    shared_desk.cycle()
    assert reads(shared_desk) <= 1
    for record, ids in pairs:
        assert why(shared_desk.settings, record, "note")["value"] == f"hubspot {ids['hubspot']}"


def test_edits_of_one_side_alone_cost_no_call(shared_desk, people):
    _, ids = people.pop()
    shared_desk.edit("hubspot", "contacts", ids["hubspot"], sync_note="Nobody objects")
    shared_desk.advance(60)
    shared_desk.forget_calls()
    shared_desk.cycle()
    assert reads(shared_desk) == 0
    assert shared_desk.row("erp", "customer", ids["erp"])["note"] == "Nobody objects"


def test_a_history_that_cannot_be_read_leaves_the_decision_to_the_stamps(shared_desk, people):
    record, ids = people.pop()
    edited_in_turn(shared_desk, ids)
    shared_desk.faults({"system": "hubspot", "path": "/crm/v3/objects/contacts/batch/read", "kind": "5xx", "share": 1})
    try:
        summary = shared_desk.cycle()
        assert shared_desk.hits() >= 1
    finally:
        shared_desk.faults()
    assert summary["outcome"] == "ok"
    told = why(shared_desk.settings, record, "note")
    assert (told["value"], told["rule"]) == ("Earlier, in Gorgias", "rank")


def test_the_world_of_this_module_is_equal(shared_desk):
    shared_desk.settled()
    shared_desk.assert_equal()
