"""Tickets from the CRM and the ERP become helpdesk tickets that a customer sent, and no mail ever leaves."""

from __future__ import annotations

from importlib.resources import files

import pytest


@pytest.fixture(scope="module")
def people(shared_desk) -> list[tuple[str, dict[str, str]]]:
    return list(shared_desk.trios("customer").items())


def an_open_one(desk):
    """External ids of an open conversation with a customer."""
    rows = desk.entity("gorgias", "ticket")
    return next(
        ids
        for ids in desk.trios("ticket").values()
        if rows[ids["gorgias"]]["status"] == "open" and rows[ids["gorgias"]]["channel"] != "internal-note"
    )


def helpdesk_ticket(desk, subject):
    found = [row for row in desk.entity("gorgias", "ticket").values() if row["subject"] == subject]
    assert len(found) == 1
    messages = [m for m in desk.rows("gorgias", "messages").values() if m["ticket_id"] == found[0]["id"]]
    return found[0], messages


def assert_sent_by(ticket, messages, customer_id, text):
    assert str(ticket["customer"]["id"]) == customer_id
    assert ticket["from_agent"] is False
    assert [(m["from_agent"], str(m["sender"]["id"])) for m in messages] == [(False, customer_id)]
    assert (messages[0]["stripped_text"] or messages[0]["body_text"]) == text


def test_a_ticket_of_hubspot_becomes_an_incoming_ticket_of_gorgias(shared_desk, people):
    _record, ids = people.pop()
    values = {"subject": "Invoice, please", "content": "Could you send it again?", "hs_ticket_priority": "HIGH"}
    made = shared_desk.edit("hubspot", "tickets", None, contact=ids["hubspot"], hs_pipeline_stage="2", **values)
    summary = shared_desk.later()
    ticket, messages = helpdesk_ticket(shared_desk, "Invoice, please")
    assert_sent_by(ticket, messages, ids["gorgias"], "Could you send it again?")
    assert (ticket["status"], ticket["priority"]) == ("open", "high")
    assert summary["entities"]["ticket"]["created"] == {"gorgias": 1, "hubspot": 0, "erp": 1}
    erp = next(row for row in shared_desk.entity("erp", "ticket").values() if row["subject"] == "Invoice, please")
    assert (erp["status"], erp["priority"], str(erp["customer_id"])) == ("waiting", "high", ids["erp"])
    shared_desk.later()
    again = shared_desk.row("hubspot", "ticket", made["id"])["properties"]
    assert again["hs_pipeline_stage"] == "2", "an open ticket in the helpdesk does not drag a finer state back"
    assert shared_desk.outbox() == []


def test_a_ticket_of_the_erp_by_plain_sql_becomes_an_incoming_ticket_of_gorgias(shared_desk, people):
    _record, ids = people.pop()
    shared_desk.sql(
        "INSERT INTO erp_tickets (ticket_no, customer_id, subject, status, priority, channel, first_text, tags,"
        " message_count, row_version, created_at, updated_at) VALUES ('T-SQL-1', :customer, 'A part is missing',"
        " 'new', 'low', 'phone', 'One screw is missing.', '[\"spare\"]', 1, 1, '2026-11-20 08:00:00.000000',"
        " '2026-11-20 08:00:00.000000')",
        customer=int(ids["erp"]),
    )
    shared_desk.later()
    ticket, messages = helpdesk_ticket(shared_desk, "A part is missing")
    assert_sent_by(ticket, messages, ids["gorgias"], "One screw is missing.")
    assert [tag["name"] for tag in ticket["tags"]] == ["spare"]
    assert ticket["created_datetime"].startswith("2026-11-20T08:00:00")
    contact = [
        r for r in shared_desk.entity("hubspot", "ticket").values() if r["properties"]["subject"] == "A part is missing"
    ]
    assert [one["id"] for one in contact[0]["associations"]["contacts"]["results"]] == [ids["hubspot"]]
    assert shared_desk.outbox() == []


def test_a_ticket_of_somebody_new_brings_the_customer_along(shared_desk):
    contact = shared_desk.edit(
        "hubspot", "contacts", None, email="newly.come@example.org", firstname="Nela", lastname="Neu"
    )
    shared_desk.edit("hubspot", "tickets", None, subject="First question", content="Hello?", contact=contact["id"])
    shared_desk.advance()
    shared_desk.sync()
    ticket, messages = helpdesk_ticket(shared_desk, "First question")
    customers = [
        c for c in shared_desk.entity("gorgias", "customer").values() if c["email"] == "newly.come@example.org"
    ]
    assert len(customers) == 1
    assert_sent_by(ticket, messages, str(customers[0]["id"]), "Hello?")


def test_a_ticket_that_is_closed_in_the_erp_is_closed_in_gorgias_and_hubspot(shared_desk):
    ids = an_open_one(shared_desk)
    shared_desk.edit("erp", "tickets", ids["erp"], status="closed")
    shared_desk.later()
    ticket = shared_desk.row("gorgias", "ticket", ids["gorgias"])
    assert ticket["status"] == "closed"
    assert shared_desk.row("hubspot", "ticket", ids["hubspot"])["properties"]["hs_pipeline_stage"] == "4"
    shared_desk.later()
    closed = shared_desk.row("erp", "ticket", ids["erp"])["closed_at"]
    assert closed is not None
    assert closed[:19] == ticket["closed_datetime"][:19], "the helpdesk says when"
    assert shared_desk.outbox() == []


def test_a_customer_who_writes_again_changes_count_and_time_everywhere(shared_desk):
    ids = an_open_one(shared_desk)
    before = shared_desk.row("erp", "ticket", ids["erp"])
    shared_desk.edit("gorgias", "messages", None, ticket_id=int(ids["gorgias"]), text="Any news?", from_agent=False)
    shared_desk.later()
    after = shared_desk.row("erp", "ticket", ids["erp"])
    assert after["message_count"] == before["message_count"] + 1
    assert after["last_message_at"] > before["last_message_at"]
    assert after["first_text"] == before["first_text"]
    props = shared_desk.row("hubspot", "ticket", ids["hubspot"])["properties"]
    assert props["sync_message_count"] == str(after["message_count"])


def test_where_the_policy_forbids_it_nothing_is_closed_in_gorgias(open_desk, tmp_path):
    text = files("sync_platform").joinpath("policy.yaml").read_text(encoding="utf-8")
    policy = tmp_path / "no-close.yaml"
    policy.write_text(text.replace("allow_close: true", "allow_close: false"), encoding="utf-8")
    desk = open_desk(env={"SYNC_POLICY": str(policy)})
    desk.switch(gorgias__survey_after_close="on")
    ids = an_open_one(desk)
    desk.edit("erp", "tickets", ids["erp"], status="closed", subject="Done here")
    desk.later()
    ticket = desk.row("gorgias", "ticket", ids["gorgias"])
    assert (ticket["status"], ticket["subject"]) == ("open", "Done here")
    assert desk.outbox() == []
