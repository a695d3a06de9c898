"""One bad value blocks nothing else: it is parked with its reason; the rest of record and page goes on."""

from __future__ import annotations

from importlib.resources import files

import pytest

from tests.sync.desk import Desk


@pytest.fixture(scope="module")
def people(shared_desk) -> list[tuple[str, dict[str, str]]]:
    return list(shared_desk.trios("customer").items())


def parked(desk: Desk, record: str) -> dict[tuple[str, str], tuple[str, str, str]]:
    """(system, field) → code, words, remedy of what is parked for a record."""
    rows = desk.ledger(
        "SELECT system, field, code, words, remedy FROM parked WHERE record_id = :record AND lifted_at IS NULL",
        record=record,
    )
    return {(row[0], row[1]): (row[2], row[3], row[4]) for row in rows}


def test_a_value_that_nobody_can_read_in_gorgias_is_parked_and_the_rest_goes_on(shared_desk, people):
    record, ids = people.pop()
    data = shared_desk.row("gorgias", "customer", ids["gorgias"])["data"]
    bad = {**data, "sync": {**data["sync"], "marketing_opt_out": "perhaps", "company": "Arrives Anyway"}}
    shared_desk.edit("gorgias", "customers", ids["gorgias"], data=bad, name="Still Comes")
    summary = shared_desk.later()
    assert summary["outcome"] == "ok"
    code, words, remedy = parked(shared_desk, record)["gorgias", "marketing_opt_out"]
    assert code == "UNREADABLE"
    assert "neither true nor false" in words
    assert "perhaps" not in words
    assert remedy
    erp = shared_desk.row("erp", "customer", ids["erp"])
    assert (erp["company"], erp["full_name"]) == ("Arrives Anyway", "Still Comes")
    hubspot = shared_desk.row("hubspot", "customer", ids["hubspot"])["properties"]
    assert hubspot["company"] == "Arrives Anyway"


def test_a_value_that_nobody_can_read_in_the_erp_is_parked_and_the_rest_goes_on(shared_desk, people):
    record, ids = people.pop()
    _, neighbour = people.pop()
    shared_desk.edit(
        "erp", "customers", ids["erp"], email="no address at all", language="klingon", note="Comes through"
    )
    shared_desk.edit("erp", "customers", neighbour["erp"], note="Same page")
    summary = shared_desk.later()
    marks = parked(shared_desk, record)
    assert {marks["erp", name][0] for name in ("email", "language")} == {"UNREADABLE"}
    assert "klingon" not in str(marks)
    assert summary["entities"]["customer"]["parked"] >= 2
    assert shared_desk.row("gorgias", "customer", ids["gorgias"])["note"] == "Comes through"
    assert shared_desk.row("gorgias", "customer", neighbour["gorgias"])["note"] == "Same page"
    assert shared_desk.row("erp", "customer", ids["erp"])["email"] == "no address at all", "nobody overwrites it"


def test_a_corrected_value_is_taken_and_its_mark_is_gone(shared_desk, people):
    record, ids = people.pop()
    shared_desk.edit("erp", "customers", ids["erp"], language="klingon")
    shared_desk.later()
    assert ("erp", "language") in parked(shared_desk, record)
    shared_desk.edit("erp", "customers", ids["erp"], language="it")
    shared_desk.later()
    assert shared_desk.row("gorgias", "customer", ids["gorgias"])["language"] == "it"
    assert ("erp", "language") not in parked(shared_desk, record)


def test_a_stage_that_the_policy_does_not_know_is_parked_and_the_ticket_goes_on(open_desk, tmp_path):
    text = files("sync_platform").joinpath("policy.yaml").read_text(encoding="utf-8")
    narrow = text.replace('waiting: {gorgias: open, hubspot: "2"', 'waiting: {gorgias: open, hubspot: "3"')
    assert narrow != text
    policy = tmp_path / "narrow.yaml"
    policy.write_text(narrow, encoding="utf-8")
    desk = open_desk(env={"SYNC_POLICY": str(policy)})
    record, ids = next(
        (record, ids)
        for record, ids in desk.trios("ticket").items()
        if desk.row("hubspot", "ticket", ids["hubspot"])["properties"]["hs_pipeline_stage"] == "3"
    )
    desk.edit("hubspot", "tickets", ids["hubspot"], hs_pipeline_stage="2", subject="A stage of our own")
    desk.later()
    assert parked(desk, record)["hubspot", "status"][0] == "UNREADABLE"
    assert desk.row("erp", "ticket", ids["erp"])["subject"] == "A stage of our own"
    assert desk.row("hubspot", "ticket", ids["hubspot"])["properties"]["hs_pipeline_stage"] == "2"


def test_an_option_that_hubspot_does_not_have_parks_that_field_alone(shared_desk, people):
    record, ids = people.pop()
    shared_desk.edit("erp", "customers", ids["erp"], language="la", company="With Its Company")
    shared_desk.later()
    hubspot = shared_desk.row("hubspot", "customer", ids["hubspot"])["properties"]
    assert hubspot["company"] == "With Its Company"
    assert hubspot.get("hs_language") != "la"
    code, _words, remedy = parked(shared_desk, record)["hubspot", "language"]
    assert code == "INVALID_OPTION"
    assert "option" in remedy
    before = shared_desk.calls()
    shared_desk.later()
    fresh = {key: n - before.get(key, 0) for key, n in shared_desk.calls().items() if "update" in key[2]}
    assert not any(fresh.values()), "a refused value is not sent again"


def test_a_row_that_cannot_be_read_at_all_is_parked_and_its_page_goes_on(open_desk):
    desk = open_desk()
    (_, bad), (_, good) = list(desk.trios("ticket").items())[:2]
    desk.sql("UPDATE erp_tickets SET tags = '{no json' WHERE id = :id", id=int(bad["erp"]))
    desk.sql("UPDATE erp_tickets SET subject = 'On the same page' WHERE id = :id", id=int(good["erp"]))
    summary = desk.later()
    assert desk.row("gorgias", "ticket", good["gorgias"])["subject"] == "On the same page"
    assert summary["outcome"] == "ok"
    marks = "SELECT system, external_id FROM parked WHERE code LIKE 'UNREADABLE%' AND lifted_at IS NULL"
    assert desk.ledger(marks) == [("erp", bad["erp"])]
    desk.sql("UPDATE erp_tickets SET tags = '[\"mended\"]' WHERE id = :id", id=int(bad["erp"]))
    desk.later()
    assert desk.ledger(marks) == []
    assert [tag["name"] for tag in desk.row("gorgias", "ticket", bad["gorgias"])["tags"]] == ["mended"]


def test_a_refused_value_that_was_replaced_leaves_no_mark(shared_desk, people):
    record, ids = people.pop()
    shared_desk.edit("erp", "customers", ids["erp"], language="la")
    shared_desk.later()
    assert ("hubspot", "language") in parked(shared_desk, record)
    shared_desk.edit("erp", "customers", ids["erp"], language="nl")
    shared_desk.later()
    assert shared_desk.row("hubspot", "customer", ids["hubspot"])["properties"]["hs_language"] == "nl"
    shared_desk.later()
    assert parked(shared_desk, record) == {}
