"""Idle cycles, plans, and what a run refuses to do."""

from __future__ import annotations

from datetime import datetime

import pytest

from sync_platform.errors import LedgerTooNew, NotSetUp, WrongAccount
from sync_platform.ledger.database import Ledger
from sync_platform.sync.cycle import run_cycle
from sync_platform.sync.preview import plan, words
from sync_platform.sync.setup import doctor, setup
from tests.sync.desk import SYSTEMS, opened, settings_of, written

# One call for each feed and each look: what an idle round costs.
IDLE = {
    ("gorgias", "GET", "/api/customers"): 1,
    ("gorgias", "GET", "/api/tickets"): 1,
    ("gorgias", "GET", "/api/messages"): 1,
    ("gorgias", "GET", "/api/satisfaction-surveys"): 1,
    ("gorgias", "GET", "/api/events"): 1,
    ("hubspot", "POST", "/crm/v3/objects/contacts/search"): 2,
    ("hubspot", "POST", "/crm/v3/objects/tickets/search"): 2,
}
FACTS = "SELECT (SELECT count(*) FROM decision), (SELECT count(*) FROM intent), (SELECT count(*) FROM observation)"


def stamps_of_microseconds(desk):
    """One stamp in a thousand ends on a whole millisecond. It looks like one that covers several edits, so its object
    is read by id until a read began after it; ours never does where the sandbox's clock was moved ahead of ours."""
    for _ in range(5):
        coarse = [
            id_ for id_, row in desk.entity("gorgias", "customer").items() if not micros(row["updated_datetime"]) % 1000
        ]
        if not coarse:
            return
        for number, id_ in enumerate(coarse):
            desk.edit("gorgias", "customers", id_, name=f"Stamped Anew{number}")
        desk.settled()
    raise AssertionError(f"whole milliseconds again and again: {coarse}")


def micros(stamp):
    return datetime.fromisoformat(stamp).microsecond


def test_an_idle_cycle_writes_nothing_decides_nothing_and_makes_one_call_for_each_feed_and_look(desk):
    # Whatever came before in this world, and the reads by id that it left.
    desk.settled()
    stamps_of_microseconds(desk)
    desk.later(7200)
    before = desk.ledger(FACTS)
    desk.advance(7200)
    desk.forget_calls()
    summary = desk.cycle()
    assert written(summary) == 0
    assert desk.calls() == IDLE
    assert desk.ledger(FACTS) == before
    assert summary["systems"]["gorgias"]["ratio"] == summary["systems"]["hubspot"]["ratio"] == 1.0
    assert summary["complete"]
    assert summary["outcome"] == "ok"


def test_an_idle_full_read_finds_nothing_to_write(desk):
    desk.later(7200)
    before = desk.ledger(FACTS)[0]
    desk.advance(7200)
    assert written(desk.sync(full=True)) == 0
    assert desk.ledger(FACTS)[0][:2] == before[:2]


def test_an_own_write_comes_back_as_no_change_whatever_the_system_made_of_it(open_desk):
    desk = open_desk()
    desk.switch(hubspot__same_value_write="bump", hubspot__association_bumps="both")
    desk.switch(gorgias__ticket_bumps_customer="on", gorgias__customer_bumps_tickets="on")
    _record, ids = next(iter(desk.trios("customer").items()))
    desk.edit(
        "erp",
        "customers",
        ids["erp"],
        phone="(646) 555-7711",
        language="de",
        lifetime_value="12.5",
        email="Capital@Example.ORG",
    )
    desk.later()
    decided = desk.ledger("SELECT count(*) FROM decision")
    for _ in range(3):
        assert written(desk.later(1000)) == 0
    assert desk.ledger("SELECT count(*) FROM decision") == decided
    assert desk.row("erp", "customer", ids["erp"])["phone"] == "(646) 555-7711", "nobody's spelling is corrected"
    assert desk.row("erp", "customer", ids["erp"])["email"] == "Capital@Example.ORG"


# --- plans and switches ------------------------------------------------------------------------------------------


def stores(desk):
    return {(system, kind): desk.entity(system, kind) for system in SYSTEMS for kind in ("customer", "ticket")}


def test_a_plan_of_a_first_load_writes_nothing_and_judges_nothing(open_desk):
    desk = open_desk(load=False)
    before = stores(desk)
    desk.forget_calls()
    body = plan(desk.settings)
    assert stores(desk) == before
    assert desk.ledger("SELECT count(*) FROM decision") == desk.ledger("SELECT count(*) FROM intent") == [(0,)]
    assert desk.ledger("SELECT count(*) FROM record") == [(0,)]
    assert {method for _, method, path in desk.calls() if "search" not in path and "batch/read" not in path} <= {"GET"}
    assert body["would_write"] == sum(sum(verbs.values()) for verbs in body["counts"].values()) > 0
    assert body["counts"]["hubspot"]["create"] > 0
    assert set(body) >= {"plan", "would_write", "calls", "seconds_estimated", "counts", "items", "items_truncated"}
    assert all(set(item) >= {"record", "system", "verb", "fields"} for item in body["items"])
    assert "nothing written yet" in words(body)
    assert "created in HubSpot" in words(body)
    done = desk.sync()["entities"]
    created = {system: sum(entity["created"][system] for entity in done.values()) for system in SYSTEMS}
    assert {system: verbs["create"] for system, verbs in body["counts"].items()} == created


def test_what_was_planned_is_what_the_next_run_does(open_desk):
    desk = open_desk()
    desk.later(3600)
    trios = list(desk.trios("customer").items())
    desk.edit("erp", "customers", trios[0][1]["erp"], company="Planned Works")
    desk.edit("hubspot", "contacts", None, email="planned@example.org", firstname="Pia", lastname="Planned")
    desk.advance()
    body = plan(desk.settings)
    assert body["counts"]["erp"] == {"create": 1, "update": 0, "delete": 0}
    assert {(item["system"], item["verb"]) for item in body["items"]} == {
        ("gorgias", "update"), ("hubspot", "update"), ("erp", "create"),
    }  # fmt: skip
    assert plan(desk.settings)["would_write"] == body["would_write"] == 3
    summary = desk.cycle()
    assert summary["entities"]["customer"]["created"] == {"gorgias": 0, "hubspot": 0, "erp": 1}
    assert summary["entities"]["customer"]["updated"]["gorgias"] == 1
    assert plan(desk.settings)["would_write"] == 0


def test_with_writes_off_everything_runs_but_push_and_the_plan_is_kept(open_desk):
    desk = open_desk(load=False, env={"SYNC_WRITES": "off"})
    before = stores(desk)
    summary = desk.sync()
    assert summary["writes"] == "off"
    assert summary["complete"]
    assert stores(desk) == before
    planned = desk.ledger("SELECT count(*) FROM intent WHERE state = 'planned'")[0][0]
    assert planned > 0
    assert plan(desk.settings)["would_write"] >= planned, "and tickets of customers to come"
    on = settings_of(desk.ready, desk.root, {"SYNC_WRITES": "on"})
    done = [run_cycle(on)]
    while not done[-1]["complete"] and len(done) < 10:
        done.append(run_cycle(on))
    assert done[-1]["complete"]
    assert sum(written(one) for one in done) >= planned
    desk.settings = on
    desk.settled()
    desk.assert_equal()


# --- refusals ----------------------------------------------------------------------------------------------------


def test_a_ledger_of_other_accounts_stops_the_run_and_names_them(desk, tmp_path):
    with opened(tmp_path / "other", load=False, seed=2) as other:
        mixed = settings_of(other.ready, desk.root, {"LEDGER_DATABASE_URL": desk.settings.ledger_url})
        with pytest.raises(WrongAccount) as stopped:
            run_cycle(mixed)
        assert stopped.value.system in SYSTEMS
        with pytest.raises(WrongAccount):
            setup(mixed)
    assert desk.cycle()["outcome"] == "ok"


def test_a_ledger_that_was_never_set_up_says_so(desk, tmp_path):
    fresh = settings_of(desk.ready, desk.root, {"LEDGER_DATABASE_URL": f"sqlite:///{tmp_path / 'fresh.db'}"})
    for call in (run_cycle, plan):
        with pytest.raises(NotSetUp) as stopped:
            call(fresh)
        assert "setup" in stopped.value.remedy
    assert not all(finding.ok for finding in doctor(fresh))


def test_a_ledger_of_a_newer_version_is_left_alone(desk):
    with Ledger.open(desk.settings.ledger_url, migrate=False) as ledger, ledger.begin() as conn:
        conn.exec_driver_sql("UPDATE ledger_version SET version_num = '9999_of_tomorrow'")
    with pytest.raises(LedgerTooNew):
        desk.cycle()
    with pytest.raises(LedgerTooNew):
        setup(desk.settings)


def test_set_up_twice_changes_nothing_the_second_time(desk):
    before = desk.call("GET", "/state/hubspot/properties")
    found = setup(desk.settings)
    assert all(finding.ok for finding in found)
    assert desk.call("GET", "/state/hubspot/properties") == before
    assert written(desk.later()) == 0


def test_set_up_ends_only_when_what_it_made_is_there_for_everybody(open_desk):
    """A list that came too early would show objects without the new properties, and leave them unread for ever."""
    desk = open_desk(load=False)
    assert [finding.name for finding in doctor(desk.settings) if not finding.ok] == []
