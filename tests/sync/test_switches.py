"""Where a vendor's behaviour is not established, the sync is right under each setting: one switch at a time."""

from __future__ import annotations

import pytest

from tests.sync.desk import SYSTEMS, written

# Switch → setting other than its default. Those that only change what an account may do are left out.
SETTINGS = [
    ("gorgias.plan_per_s", 10),
    ("gorgias.enterprise", "on"),
    ("gorgias.put_status", 202),
    ("gorgias.put_status", "202-empty"),
    ("gorgias.duplicate_status", 400),
    ("gorgias.email_case", "sensitive"),
    ("gorgias.email_filter", "primary"),
    ("gorgias.external_id_unique", "on"),
    ("gorgias.phone_channel_unique", "off"),
    ("gorgias.channels_required", "off"),
    ("gorgias.channel_type_alone", "off"),
    ("gorgias.email_change", "keep"),
    ("gorgias.data_moves_updated", "off"),
    ("gorgias.unchanged_put_moves_updated", "off"),
    ("gorgias.ticket_bumps_customer", "on"),
    ("gorgias.customer_bumps_tickets", "on"),
    ("gorgias.survey_bumps_ticket", "on"),
    ("gorgias.written_updated_honoured", "on"),
    ("gorgias.unknown_customer_status", 404),
    ("gorgias.ticket_body_creates_tags", "off"),
    ("gorgias.incoming_reopens", "off"),
    ("hubspot.plan", "free"),
    ("hubspot.limit_body", "documented"),
    ("hubspot.limit_body", "recorded"),
    ("hubspot.retry_after_s", 1),
    ("hubspot.search_lag_s", 20.0),
    ("hubspot.search_iso_dates", "refuse"),
    ("hubspot.search_epoch_zero", 200),
    ("hubspot.search_total_capped", "on"),
    ("hubspot.unique_clash_status", 409),
    ("hubspot.null_write", "clear"),
    ("hubspot.null_write", "refuse"),
    ("hubspot.same_value_write", "history"),
    ("hubspot.same_value_write", "nothing"),
    ("hubspot.id_property_secondary_email", "on"),
    ("hubspot.partial_upsert_by_email", "refuse"),
    ("hubspot.write_additional_emails", "accept"),
    ("hubspot.association_bumps", "both"),
    ("hubspot.association_bumps", "off"),
    ("hubspot.source_id", "other"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "value"), SETTINGS, ids=[f"{name}={value}" for name, value in SETTINGS])
def test_load_and_edits_converge_whatever_the_vendor_does(open_desk, name, value):
    desk = open_desk(load=False, customers=14, tickets=20)
    desk.call("PUT", "/switches", {name: value})
    assert desk.sync()["complete"]
    edit(desk)
    desk.settled()
    desk.assert_no_doubles()
    desk.assert_equal()
    desk.advance(7200)
    desk.forget_calls()
    assert written(desk.cycle()) == 0


def edit(desk):
    """A few edits of every kind on every side."""
    people = [ids for _, ids in desk.trios("customer").items()]
    mailed = [i for i in people if desk.row("hubspot", "customer", i["hubspot"])["properties"].get("email")]
    shown = desk.entity("gorgias", "ticket")
    tickets = [ids for _, ids in desk.trios("ticket").items() if shown[ids["gorgias"]]["channel"] != "internal-note"]
    desk.edit("gorgias", "tags", None, name="from the desk")
    moved, named, spoken, noted = mailed[0], mailed[1], people[-1], people[-2]
    desk.edit("gorgias", "customers", moved["gorgias"], email="moved@example.org", phone="+16465557001")
    desk.edit(
        "hubspot", "contacts", named["hubspot"], firstname="Nova", lastname="Named", email="Nova.Named@example.org"
    )
    desk.edit("erp", "customers", noted["erp"], note="Noted", phone="(646) 555-7002", email_2="second@example.org")
    desk.edit(
        "erp", "customers", spoken["erp"], language="fr", marketing_opt_out=True, lifetime_value="99.90", note=None
    )
    desk.edit("gorgias", "customers", None, name="Gita Neu", email="g.neu@example.org", phone="+16465557003")
    desk.edit("hubspot", "contacts", None, firstname="Hanna", lastname="Neu", email="h.neu@example.org")
    new = desk.edit("erp", "customers", None, full_name="Emre Neu", email="e.neu@example.org", phone="646-555-7004")
    desk.edit(
        "erp",
        "tickets",
        None,
        subject="New there",
        first_text="Hello",
        customer_id=new["id"],
        tags=["brand new"],
        ticket_no="T-N1",
    )
    desk.edit("hubspot", "tickets", None, subject="New here", content="Hi", contact=moved["hubspot"])
    desk.edit("gorgias", "tickets", tickets[0]["gorgias"], status="closed", tags=["from the desk"])
    desk.edit("hubspot", "tickets", tickets[1]["hubspot"], hs_ticket_priority="URGENT", sync_tags="from the crm")
    desk.edit("erp", "tickets", tickets[2]["erp"], status="resolved", owner_email=None)
    desk.edit("gorgias", "messages", None, ticket_id=int(tickets[3]["gorgias"]), text="Any news?", from_agent=False)
    desk.edit("gorgias", "tickets", tickets[4]["gorgias"], customer_id=int(named["gorgias"]), assignee=None)


@pytest.mark.parametrize(
    ("name", "value"), [("gorgias.note_writable", "off"), ("hubspot.contact_without_identity", "refuse")]
)
def test_what_a_vendor_will_not_take_is_parked_and_everything_else_is_equal(open_desk, name, value):
    desk = open_desk(load=False)
    desk.call("PUT", "/switches", {name: value})
    if name == "hubspot.contact_without_identity":
        desk.edit("erp", "customers", None, phone="+16465557105", company="Nameless")
    desk.sync()
    people = [ids for _, ids in desk.trios("customer").items()]
    desk.edit("erp", "customers", people[0]["erp"], note="Where notes are ours to write", phone="+16465557106")
    desk.settled()
    summary = desk.cycle()
    found = desk.verify()
    customer = found["entities"]["customer"]
    system = name.split(".")[0]
    assert {s for s in SYSTEMS if customer["missing"][s]} <= {system}
    assert {one["field"] for one in found["differences"]} <= {"note", "*"}
    assert all(system in one.get("parked", [system]) for one in found["differences"])
    assert summary["entities"]["customer"]["parked"] >= customer["missing"][system]
    assert summary["entities"]["customer"]["parked"] > 0
    assert summary["outcome"] == "ok"
    assert found["entities"]["ticket"]["fields_differ"] == 0
