"""Pipelines, stages and owners of HubSpot's twin, and the limits of its plans."""

import pytest

from tests.sandbox.hubspot_account import CONTACTS, TICKETS, served_account

BASE = "/crm/v3/pipelines/tickets"
STAGES = [
    {"label": "Open", "displayOrder": 0, "metadata": {"ticketState": "OPEN"}},
    {"label": "Done", "displayOrder": 1, "metadata": {"ticketState": "CLOSED"}},
]


@pytest.fixture
def hubspot(tmp_path, serve_app):
    with served_account(tmp_path, serve_app) as account:
        yield account


def _line(hubspot, label="Returns"):
    return hubspot.post(BASE, {"label": label, "displayOrder": 1, "stages": STAGES}, 201)


def test_the_default_pipelines_are_there_and_their_metadata_are_strings(hubspot):
    (tickets,) = hubspot.get(BASE)["results"]
    assert [(one["id"], one["label"]) for one in tickets["stages"]] == [
        ("1", "New"),
        ("2", "Waiting on contact"),
        ("3", "Waiting on us"),
        ("4", "Closed"),
    ]
    assert tickets["stages"][3]["metadata"] == {"ticketState": "CLOSED", "isClosed": "true"}
    (deals,) = hubspot.get("/crm/v3/pipelines/deals")["results"]
    assert deals["id"] == "default"
    assert all(isinstance(value, str) for one in deals["stages"] for value in one["metadata"].values())


def test_a_new_pipeline_has_ids_of_its_own_and_its_stages_can_be_written(hubspot):
    line = _line(hubspot)
    stage = line["stages"][1]["id"]
    assert not {line["id"], stage} & {"0", "1", "2", "3", "4"}
    ticket = hubspot.ticket(hs_pipeline=line["id"], hs_pipeline_stage=stage)
    assert ticket["properties"]["closed_date"]
    hubspot.make("tickets", 400, hs_pipeline="0", hs_pipeline_stage=stage)
    options = hubspot.get("/crm/v3/properties/tickets/hs_pipeline_stage")["options"]
    assert stage in [one["value"] for one in options]


def test_a_ticket_needs_a_stage_and_falls_back_to_the_default_pipeline(hubspot):
    hubspot.make("tickets", 400, subject="Hi")
    assert hubspot.ticket(subject="Hi")["properties"]["hs_pipeline"] == "0"


def test_put_replaces_a_pipeline_and_patch_changes_it(hubspot):
    line = _line(hubspot)
    patched = hubspot.call("PATCH", f"{BASE}/{line['id']}", {"label": "Refunds"})
    assert (patched["label"], len(patched["stages"])) == ("Refunds", 2)
    body = {"label": "Swaps", "displayOrder": 3, "stages": [{"label": "Only", "displayOrder": 0}]}
    put = hubspot.call("PUT", f"{BASE}/{line['id']}", body)
    assert (put["label"], [one["label"] for one in put["stages"]]) == ("Swaps", ["Only"])


def test_stages_are_added_changed_and_deleted(hubspot):
    line = _line(hubspot)
    base = f"{BASE}/{line['id']}/stages"
    made = hubspot.post(base, {"label": "Later", "displayOrder": 2, "metadata": {"ticketState": "OPEN"}}, 201)
    assert len(hubspot.get(base)["results"]) == 3
    changed = hubspot.call("PATCH", f"{base}/{made['id']}", {"metadata": {"ticketState": "CLOSED"}})
    assert changed["metadata"]["isClosed"] == "true"
    assert changed["label"] == "Later"
    hubspot.call("PATCH", f"{base}/{made['id']}", {"metadata": {"ticketState": "AJAR"}}, 400)
    hubspot.call("DELETE", f"{base}/{made['id']}", status=204)
    hubspot.get(f"{base}/{made['id']}", status=404)


def test_a_deal_stage_needs_a_probability(hubspot):
    base = "/crm/v3/pipelines/deals/default/stages"
    hubspot.post(base, {"label": "Odd", "displayOrder": 9, "metadata": {}}, 400)
    made = hubspot.post(base, {"label": "Almost", "displayOrder": 9, "metadata": {"probability": "0.9"}}, 201)
    assert made["metadata"] == {"probability": "0.9", "isClosed": "false"}


def test_changes_of_a_pipeline_are_in_its_audit(hubspot):
    line = _line(hubspot)
    hubspot.call("PATCH", f"{BASE}/{line['id']}", {"label": "Refunds"})
    rows = hubspot.get(f"{BASE}/{line['id']}/audit")["results"]
    assert {row["action"] for row in rows} == {"CREATE", "UPDATE"}
    assert {row["portalId"] for row in rows} == {hubspot.side.portal_id}
    hubspot.get(f"{BASE}/none/audit", status=404)


def test_2026_09_refuses_deleting_what_is_in_use(hubspot):
    line = _line(hubspot)
    stage = line["stages"][0]["id"]
    ticket = hubspot.ticket(hs_pipeline=line["id"], hs_pipeline_stage=stage)
    hubspot.set(pipeline_delete_in_use="delete")
    new = f"/crm/pipelines/2026-09/tickets/{line['id']}"
    hubspot.call("DELETE", new, status=400)
    hubspot.call("DELETE", f"{new}/stages/{stage}", status=400)
    hubspot.call("DELETE", f"{BASE}/{line['id']}?validateReferencesBeforeDelete=true", status=400)
    hubspot.call("DELETE", f"{BASE}/{line['id']}", status=204)
    kept = hubspot.get(f"{TICKETS}/{ticket['id']}", properties="hs_pipeline_stage")
    assert kept["properties"]["hs_pipeline_stage"] == stage


def test_before_2026_09_deleting_what_is_in_use_is_a_switch(hubspot):
    line = _line(hubspot)
    hubspot.ticket(hs_pipeline=line["id"], hs_pipeline_stage=line["stages"][0]["id"])
    hubspot.call("DELETE", f"{BASE}/{line['id']}", status=400)
    hubspot.set(pipeline_delete_in_use="delete")
    hubspot.call("DELETE", f"{BASE}/{line['id']}", status=204)


def test_a_kind_without_pipelines_has_none_and_takes_none(hubspot):
    assert hubspot.get("/crm/v3/pipelines/contacts")["results"] == []
    hubspot.post("/crm/v3/pipelines/contacts", {"label": "x", "displayOrder": 0, "stages": STAGES}, 400)


# owners


def _owner(hubspot, name, **more):
    given = {"email": f"{name.lower()}@example.com", "firstName": name, "lastName": "Test", **more}
    return hubspot.side.edit("owners", None, given, False, "admin")


def test_an_owners_id_is_not_his_user_id_and_both_find_him(hubspot):
    ann = _owner(hubspot, "Ann")
    assert ann["id"] != str(ann["userId"])
    assert hubspot.get(f"/crm/v3/owners/{ann['id']}")["email"] == "ann@example.com"
    assert hubspot.get(f"/crm/v3/owners/{ann['userId']}", idProperty="userId")["id"] == ann["id"]
    hubspot.get(f"/crm/v3/owners/{ann['userId']}", status=404)
    hubspot.get(f"/crm/v3/owners/{ann['id']}", status=400, idProperty="email")


def test_owners_are_listed_filtered_and_paged_with_and_without_a_slash(hubspot):
    ids = [_owner(hubspot, name)["id"] for name in ("Ann", "Bob", "Cid")]
    for path in ("/crm/v3/owners/", "/crm/v3/owners", "/crm/owners/2026-09"):
        first = hubspot.get(path, limit=2)
        assert [row["id"] for row in first["results"]] == ids[:2]
        last = hubspot.http.get(first["paging"]["next"]["link"]).json()
        assert [row["id"] for row in last["results"]] == ids[2:]
        assert "paging" not in last
    assert [row["id"] for row in hubspot.get("/crm/v3/owners/", email="BOB@example.com")["results"]] == ids[1:2]
    hubspot.get("/crm/v3/owners/", status=400, limit=501)


def test_an_archived_owner_is_only_in_the_archived_list_and_can_own_nothing_new(hubspot):
    ann = _owner(hubspot, "Ann", teams=[{"id": "1", "name": "Support", "primary": True}])
    assert hubspot.get(f"/crm/v3/owners/{ann['id']}")["teams"][0]["name"] == "Support"
    contact = hubspot.contact(hubspot_owner_id=ann["id"])
    hubspot.side.edit("owners", ann["id"], {}, True, "admin")
    assert hubspot.get("/crm/v3/owners/")["results"] == []
    (row,) = hubspot.get("/crm/v3/owners/", archived="True")["results"]
    assert row["userIdIncludingInactive"] == ann["userId"]
    assert "userId" not in row
    kept = hubspot.get(f"{CONTACTS}/{contact['id']}", properties="hubspot_owner_id")
    assert kept["properties"]["hubspot_owner_id"] == ann["id"]
    hubspot.make("contacts", 400, hubspot_owner_id=ann["id"])


# limits


@pytest.mark.parametrize(
    ("switches", "burst", "daily"),
    [
        ({"plan": "free"}, 100, 250_000),
        ({"plan": "starter"}, 100, 250_000),
        ({"plan": "pro"}, 190, 625_000),
        ({"plan": "pro", "pro_calls_per_day": 650_000}, 190, 650_000),
        ({"plan": "enterprise"}, 190, 1_000_000),
        ({"plan": "enterprise", "limit_packs": 1}, 250, 2_000_000),
        ({"plan": "enterprise", "limit_packs": 2, "limit_pack_burst": 200}, 200, 3_000_000),
    ],
)
def test_plans_and_packs_have_their_limits_in_the_headers(tmp_path, serve_app, switches, burst, daily):
    with served_account(tmp_path, serve_app, rate_scale=1.0) as hubspot:
        hubspot.set(**switches)
        headers = hubspot.http.get(CONTACTS).headers
        told = {name.rpartition("ratelimit-")[2]: value for name, value in headers.items() if "ratelimit" in name}
        assert told == {
            "daily": str(daily),
            "daily-remaining": str(daily - 1),
            "interval-milliseconds": "10000",
            "max": str(burst),
            "remaining": str(burst - 1),
            "secondly": str(burst // 10),
            "secondly-remaining": str(min(burst - 1, burst // 10)),
        }


def test_associations_have_a_bucket_of_their_own(tmp_path, serve_app):
    with served_account(tmp_path, serve_app, rate_scale=0.02) as hubspot:
        path = "/crm/v4/associations/contacts/tickets/labels"
        answers = [hubspot.http.get(path) for _ in range(4)]
        assert [one.status_code for one in answers] == [200, 200, 200, 429]
        assert answers[0].headers["x-hubspot-ratelimit-max"] == "3"
        assert answers[0].headers["x-hubspot-ratelimit-daily"] == "10000"
        assert hubspot.http.get(CONTACTS).status_code == 200
        hubspot.set(limit_packs=1)
        assert hubspot.http.get(path).headers["x-hubspot-ratelimit-daily"] == "20000"


def test_a_429_has_no_retry_after_and_its_headers_are_a_switch(tmp_path, serve_app):
    with served_account(tmp_path, serve_app, rate_scale=0.01) as hubspot:
        assert hubspot.http.get(CONTACTS).status_code == 200
        refused = hubspot.http.get(CONTACTS)
        assert refused.status_code == 429
        assert "retry-after" not in refused.headers
        assert refused.headers["x-hubspot-ratelimit-remaining"] == "0"
        assert refused.json()["policyName"] == "TEN_SECONDLY_ROLLING"
        hubspot.set(limit_headers_on_429="off", limit_body="recorded", retry_after_s=3)
        bare = hubspot.http.get(CONTACTS)
        assert not any("ratelimit" in name for name in bare.headers)
        assert bare.headers["retry-after"] == "3"
        assert bare.json()["category"] == "RATE_LIMITS"
        assert "policyName" not in bare.json()


def test_the_day_turns_at_midnight_of_the_accounts_zone(tmp_path, serve_app):
    with served_account(tmp_path, serve_app) as hubspot:
        hubspot.set(calls_per_day=1)
        offset_s = hubspot.get("/account-info/v3/details")["utcOffsetMilliseconds"] / 1000
        local_s = (hubspot.world.clock.now().timestamp() + offset_s) % 86_400
        hubspot.world.clock.advance(2 * 86_400 - 43_200 - local_s)  # noon there
        assert [hubspot.http.get(CONTACTS).status_code for _ in range(100)] == [200] * 100
        refused = hubspot.http.get(CONTACTS)
        assert refused.status_code == 429
        assert refused.json()["message"] == "You have reached your daily limit."
        assert refused.json()["policyName"] == "DAILY"
        hubspot.world.clock.advance(10 * 3_600)  # still the same day, whatever daylight saving does
        assert hubspot.http.get(CONTACTS).status_code == 429
        hubspot.world.clock.advance(4 * 3_600)
        assert hubspot.http.get(CONTACTS).status_code == 200
