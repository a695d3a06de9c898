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


# Switches that touch different calls are turned together; a group that fails is taken apart by hand.
TOGETHER = {
    "gorgias answers": {
        "gorgias.limit_reply": "empty", "gorgias.retry_after": "always", "gorgias.search_reply": "bare",
        "gorgias.short_lists": "bare", "gorgias.total_resources": "count", "gorgias.unknown_path": 404,
        "gorgias.user_order_name": "off",
    },
    "gorgias demands": {
        "gorgias.channel_preferred_required": "on", "gorgias.ticket_via_required": "on",
        "gorgias.name_parts_accepted": "on", "gorgias.limit_reply": "text", "gorgias.cursor_ttl_s": 1,
        "gorgias.plan_per_s": 2,
    },
    "gorgias fields": {
        "gorgias.custom_fields_move_updated": "off", "gorgias.custom_field_values": "merge",
        "gorgias.custom_fields_shown": "detail", "gorgias.customer_timezone": "UTC", "gorgias.seeded_events": "off",
        "gorgias.view_lag_s": 30, "gorgias.trash_kept_days": 1,
    },
    "gorgias fields on request": {"gorgias.custom_fields_shown": "asked"},
    "customers without an order by update": {"gorgias.customer_order_updated": "off"},
    "a rule that tags what we create": {"gorgias.rule_tag_on_create": "on"},
    "hubspot answers": {
        "hubspot.association_ids": "string", "hubspot.limit_headers_on_429": "off", "hubspot.limit_packs": 1,
        "hubspot.search_cap_body": "bare", "hubspot.validation_errors_listed": "all", "hubspot.unknown_path": 404,
        "hubspot.missing_scopes_body": "top_level", "hubspot.owners_limit_max": 100, "hubspot.ticket_scope": "granular",
    },
    "hubspot records": {
        "hubspot.history_depth": 2, "hubspot.search_neq_matches_unset": "on", "hubspot.unique_on_notes": "off",
        "hubspot.companies_by_domain": "create", "hubspot.validation_rules_on_change": "whole_record",
        "hubspot.property_delay_s": 30, "hubspot.ticket_scope": "legacy", "hubspot.plan": "starter",
        "hubspot.calls_per_day": 5_000,
    },
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("settings", TOGETHER.values(), ids=TOGETHER)
def test_load_and_edits_converge_under_several_settings_at_once(open_desk, settings):
    load_and_edits_converge(open_desk, settings)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "value"), SETTINGS, ids=[f"{name}={value}" for name, value in SETTINGS])
def test_load_and_edits_converge_whatever_the_vendor_does(open_desk, name, value):
    load_and_edits_converge(open_desk, {name: value})


def load_and_edits_converge(open_desk, settings):
    desk = open_desk(load=False, customers=14, tickets=20)
    desk.call("PUT", "/switches", settings)
    assert desk.sync()["complete"]
    edit(desk)
    desk.settled()
    desk.assert_no_doubles()
    desk.assert_equal()
    desk.advance(7200)
    desk.forget_calls()
    assert written(desk.cycle()) == 0
    return desk


# What becomes of ids that are merged away or deleted.
GONE = {
    "as documented": {},
    "gorgias shows nothing of a merge": {
        "gorgias.merged_get": 404, "gorgias.merged_location": "off", "gorgias.merged_event_object": "target",
        "gorgias.merge_bumps_tickets": "off", "gorgias.merge_moves_updated": "off",
    },
    "hubspot keeps the primary": {
        "hubspot.merge_id": "primary", "hubspot.batch_merged_away": "missing",
    },
    "hubspot finds what was merged away": {
        "hubspot.search_merged_away": "survivor",
    },
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("settings", GONE.values(), ids=GONE)
def test_merges_in_both_vendors_converge_whatever_they_show_of_them(open_desk, settings):
    desk = open_desk(customers=14, tickets=20)
    desk.call("PUT", "/switches", settings)
    people = [ids for _, ids in desk.trios("customer").items()]
    desk.call("POST", "/merge", merge("gorgias", "customers", people[0]["gorgias"], people[1]["gorgias"]))
    desk.call("POST", "/merge", merge("hubspot", "contacts", people[2]["hubspot"], people[3]["hubspot"]))
    desk.edit("erp", "customers", people[4]["erp"], note="Beside the merges")
    desk.settled()
    desk.assert_no_doubles()
    assert desk.row("gorgias", "customer", people[4]["gorgias"])["note"] == "Beside the merges"
    found = desk.verify()["entities"]
    assert found["ticket"]["fields_differ"] == 0
    desk.advance(7200)
    assert written(desk.cycle()) == 0


def merge(system, kind, from_id, into_id):
    return {"system": system, "kind": kind, "from": from_id, "into": into_id}


def test_a_rule_that_tags_what_we_create_is_taken_over_once_and_makes_no_loop(open_desk):
    desk = open_desk(customers=8, tickets=8)
    desk.switch(gorgias__rule_tag_on_create="on")
    person = next(iter(desk.trios("customer").values()))
    made = desk.edit(
        "erp",
        "tickets",
        None,
        subject="Tagged at once",
        first_text="Hi",
        customer_id=int(person["erp"]),
        ticket_no="T-R1",
    )
    desk.settled()
    ids = next(ids for ids in desk.trios("ticket").values() if ids["erp"] == str(made["id"]))
    tags = [tag["name"] for tag in desk.row("gorgias", "ticket", ids["gorgias"])["tags"]]
    assert tags == ["new-ticket"]
    assert desk.row("erp", "ticket", ids["erp"])["tags"] == ["new-ticket"]
    desk.assert_equal()
    desk.forget_calls()
    for _ in range(3):
        desk.advance(7200)
        assert written(desk.cycle()) == 0
    assert not [call for call in desk.calls() if call[1] in ("PUT", "DELETE") and call[0] == "gorgias"]


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
