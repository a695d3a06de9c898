"""Further facts of HubSpot's API: tickets, associations, limits, webhooks, each in a test of its own."""

import httpx
import pytest

from sync_platform.sandbox.faults import FaultGate
from sync_platform.sandbox.hubspot.system import HubSpotSandbox
from sync_platform.sandbox.world import World
from tests.sandbox.conftest import served
from tests.sandbox.hubspot_account import CONTACTS, TICKETS, Account, served_account


@pytest.fixture(scope="module")
def hubspot(tmp_path_factory):
    world = World(tmp_path_factory.mktemp("facts"), seed=1, rate_scale=100_000)
    side = HubSpotSandbox(world)
    world.switches.update({"hubspot.property_delay_s": 0, "hubspot.search_lag_s": 0})
    headers = {"authorization": f"Bearer {side.credentials()['access_token']}"}
    with served(side.app()) as url, httpx.Client(base_url=url, headers=headers) as client:
        yield Account(world, side, client)
    side.close()


# tickets


def test_a_ticket_has_its_id_twice_and_its_times_can_be_written(hubspot):
    given = {"createdate": "2026-03-08T07:30:00Z", "closed_date": "2026-03-09T00:00:00Z"}
    props = hubspot.ticket(subject="Hi", **given)["properties"]
    assert props["hs_ticket_id"] == props["hs_object_id"]
    assert {name: props[name] for name in given} == given


@pytest.mark.parametrize(
    ("name", "values", "field"),
    [
        ("hs_ticket_priority", {"LOW", "MEDIUM", "HIGH", "URGENT"}, "select"),
        ("source_type", {"EMAIL", "CHAT", "FORM", "PHONE"}, "select"),
        ("hs_pipeline", {"0"}, "select"),
        ("hs_pipeline_stage", {"1", "2", "3", "4"}, "select"),
        ("hs_ticket_category", {"BILLING_ISSUE", "PRODUCT_ISSUE"}, "checkbox"),
    ],
)
def test_a_choice_of_a_ticket_has_its_options(hubspot, name, values, field):
    prop = hubspot.get(f"/crm/v3/properties/tickets/{name}")
    assert (prop["type"], prop["fieldType"]) == ("enumeration", field)
    assert values <= {option["value"] for option in prop["options"]}
    hubspot.ticket(subject="Hi", **{name: min(values)})
    hubspot.make("tickets", 400, **{"hs_pipeline_stage": "1", name: "SOMETHING"})


def test_a_ticket_has_several_categories_and_an_admin_can_edit_them(hubspot):
    ticket = hubspot.ticket(subject="Hi", hs_ticket_category="BILLING_ISSUE;PRODUCT_ISSUE")
    assert ticket["properties"]["hs_ticket_category"] == "BILLING_ISSUE;PRODUCT_ISSUE"
    path = "/crm/v3/properties/tickets/hs_ticket_category"
    options = [*hubspot.get(path)["options"], {"label": "Other", "value": "OTHER"}]
    assert hubspot.call("PATCH", path, {"options": options})["options"][-1]["value"] == "OTHER"
    hubspot.ticket(subject="Hi", hs_ticket_category="OTHER")


# associations


@pytest.mark.parametrize(
    ("a", "b", "type_id", "primary"),
    [
        ("contacts", "tickets", 15, None),
        ("tickets", "contacts", 16, None),
        ("tickets", "companies", 339, 26),
        ("companies", "tickets", 340, 25),
        ("contacts", "companies", 279, 1),
        ("companies", "contacts", 280, 2),
        ("notes", "contacts", 202, None),
        ("contacts", "notes", 201, None),
        ("notes", "tickets", 228, None),
        ("tickets", "notes", 227, None),
        ("notes", "companies", 190, None),
        ("companies", "notes", 189, None),
        ("deals", "tickets", 27, None),
        ("tickets", "deals", 28, None),
        ("emails", "contacts", 198, None),
        ("emails", "tickets", 224, None),
    ],
)
def test_each_direction_has_the_type_ids_of_the_table(hubspot, a, b, type_id, primary):
    wanted = [{"category": "HUBSPOT_DEFINED", "typeId": type_id, "label": None}]
    if primary:
        wanted.append({"category": "HUBSPOT_DEFINED", "typeId": primary, "label": "Primary"})
    assert hubspot.get(f"/crm/v4/associations/{a}/{b}/labels")["results"] == wanted


def test_the_default_association_is_the_unlabelled_one_and_both_directions_are_told(hubspot):
    contact, ticket = hubspot.contact(firstname="Ada")["id"], hubspot.ticket(subject="Hi")["id"]
    answer = hubspot.call("PUT", f"/crm/v4/objects/contacts/{contact}/associations/default/tickets/{ticket}")
    told = [
        (row["from"]["id"], row["to"]["id"], row["associationSpec"]["associationTypeId"]) for row in answer["results"]
    ]
    assert told == [(contact, ticket, 15), (ticket, contact, 16)]


def test_creating_an_association_again_changes_nothing(hubspot):
    contact, ticket = hubspot.contact(firstname="Ada")["id"], hubspot.ticket(subject="Hi")["id"]
    path = f"/crm/v4/objects/contacts/{contact}/associations"
    types = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 15}]
    hubspot.call("PUT", f"{path}/tickets/{ticket}", types, 201)
    before = hubspot.get(f"{TICKETS}/{ticket}")["updatedAt"]
    hubspot.world.clock.advance(5)
    hubspot.call("PUT", f"{path}/tickets/{ticket}", types, 201)
    assert len(hubspot.get(f"{path}/tickets")["results"]) == 1
    assert hubspot.get(f"{TICKETS}/{ticket}")["updatedAt"] == before


def test_an_association_batch_tells_an_unknown_end_apart_from_having_none(hubspot):
    contact = hubspot.contact(firstname="Ada")["id"]
    base = "/crm/v4/associations/contacts/companies/batch"
    read = hubspot.post(f"{base}/read", {"inputs": [{"id": contact}, {"id": "5"}]}, 207)
    subs = {row["subCategory"]: row for row in read["errors"]}
    none = subs["crm.associations.NO_ASSOCIATIONS_FOUND"]
    assert (none["category"], none["message"]) == (
        "OBJECT_NOT_FOUND",
        f"No company is associated with contact {contact}.",
    )
    assert set(none["context"]) == {"fromObjectId", "fromObjectType", "toObjectType"}
    assert set(subs) == {"crm.associations.NO_ASSOCIATIONS_FOUND", "crm.associations.FROM_OBJECT_NOT_FOUND"}
    types = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 15}]
    row = {"from": {"id": contact}, "to": {"id": "5"}, "types": types}
    refused = hubspot.post(f"{base}/create", {"inputs": [row]}, 400)
    assert refused["subCategory"] == "crm.associations.INVALID_ASSOCIATION_TYPE"


def test_ids_are_texts_in_records_and_numbers_in_associations(hubspot):
    contact, ticket = hubspot.contact(firstname="Ada")["id"], hubspot.ticket(subject="Hi")["id"]
    path = f"/crm/v4/objects/contacts/{contact}/associations"
    hubspot.call("PUT", f"{path}/default/tickets/{ticket}")
    assert isinstance(contact, str)
    assert hubspot.get(f"{path}/tickets")["results"][0]["toObjectId"] == int(ticket)
    shown = hubspot.get(f"{CONTACTS}/{contact}", associations="tickets")["associations"]["tickets"]["results"]
    assert shown == [{"id": ticket, "type": "contact_to_ticket"}]


# limits


@pytest.mark.parametrize(
    ("switches", "most"),
    [({"plan": "free"}, 100), ({"plan": "pro"}, 150), ({"plan": "enterprise"}, 200), ({"limit_packs": 1}, 200)],
)
def test_association_calls_have_the_limits_of_the_plan(tmp_path, serve_app, switches, most):
    with served_account(tmp_path, serve_app, rate_scale=1.0) as hubspot:
        hubspot.set(**switches)
        headers = hubspot.http.get("/crm/v4/associations/contacts/tickets/labels").headers
        assert headers["x-hubspot-ratelimit-max"] == str(most)
        assert headers["x-hubspot-ratelimit-daily"] == ("1000000" if "limit_packs" in switches else "500000")


def test_searches_count_in_the_day_but_not_in_the_ten_seconds(hubspot):
    def left(answer, name):
        return int(answer.headers[f"x-hubspot-ratelimit-{name}"])

    before = hubspot.http.get(CONTACTS)
    first, second = (hubspot.http.post(f"{CONTACTS}/search", json={}) for _ in range(2))
    after = hubspot.http.get(CONTACTS)
    assert left(first, "daily-remaining") == left(before, "daily-remaining") - 1
    assert left(second, "daily-remaining") == left(after, "daily-remaining") + 1
    assert left(after, "remaining") >= left(before, "remaining") - 1
    assert not any("interval" in name for name in first.headers)


def test_the_search_second_is_shared_by_all_kinds_and_apps(tmp_path, serve_app):
    with served_account(tmp_path, serve_app, rate_scale=1.0) as hubspot:
        known = hubspot.side.credentials()
        form = {"grant_type": "client_credentials", "scope": "crm.objects.contacts.read"}
        form |= {name: known[name] for name in ("client_id", "client_secret")}
        token = hubspot.http.post("/oauth/2026-03/token", data=form).json()["access_token"]
        for kind in ("contacts", "tickets", "companies", "notes", "deals"):
            hubspot.post(f"/crm/v3/objects/{kind}/search", {})
        assert hubspot.post(f"{TICKETS}/search", {}, 429)["category"] == "RATE_LIMITS"
        other = {"authorization": f"Bearer {token}"}
        assert hubspot.http.post(f"{CONTACTS}/search", json={}, headers=other).status_code == 429


# faults


@pytest.mark.parametrize(
    ("plan", "status", "landed"),
    [
        ({"kind": "5xx", "status": 502}, 502, 0),
        ({"kind": "5xx", "status": 524}, 524, 0),
        ({"kind": "5xx", "status": 504, "landed": True}, 504, 1),
        ({"kind": "reset_before"}, None, 0),
        ({"kind": "reset_after"}, None, 1),
    ],
)
def test_a_write_that_failed_may_have_landed_and_a_5xx_may_be_a_page(tmp_path, plan, status, landed):
    world = World(tmp_path, seed=1)
    side = HubSpotSandbox(world)
    headers = {"authorization": f"Bearer {side.credentials()['access_token']}"}
    with served(FaultGate(side.app(), world, "hubspot")) as url, httpx.Client(base_url=url, headers=headers) as client:
        world.faults.put([{"system": "hubspot", "path": "*", "times": 1, **plan}])
        body = {"properties": {"firstname": "Ada"}}
        if status is None:
            with pytest.raises(httpx.TransportError):
                client.post(CONTACTS, json=body)
        else:
            answer = client.post(CONTACTS, json=body)
            assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (status, "text/html")
        assert len(client.get(CONTACTS).json()["results"]) == landed
    side.close()


# webhooks


@pytest.mark.parametrize(
    "event",
    [
        *(f"{kind}.{what}" for kind in ("contact", "company", "deal", "ticket", "line_item") for what in
          ("creation", "deletion", "merge", "restore", "associationChange")),
        *(f"product.{what}" for what in ("creation", "deletion", "merge", "restore")),
        "contact.privacyDeletion", "conversation.creation", "conversation.deletion", "conversation.newMessage",
        "conversation.privacyDeletion",
    ],
)  # fmt: skip
def test_every_type_of_event_can_be_subscribed_to(hubspot, event):
    path = f"/webhooks/v3/{hubspot.side.app_id}/subscriptions"
    params = {"hapikey": hubspot.side.credentials()["developer_api_key"]}
    made = hubspot.call("POST", path, {"eventType": event}, 201, params=params)
    assert (made["eventType"], made["active"]) == (event, False)


def test_a_rule_of_the_administrator_holds_on_every_way_to_write(tmp_path, serve_app):
    with served_account(tmp_path, serve_app) as hubspot:
        hubspot.contact(email="a@example.com")
        hubspot.side.edit("rules", None, {"objectType": "contacts", "property": "phone"}, False, "admin")
        row = {"id": "a@example.com", "idProperty": "email", "properties": {"phone": ""}, "objectWriteTraceId": "t"}
        refused = [
            hubspot.make("contacts", 400, firstname="Ada")["message"],
            hubspot.call("PATCH", f"{CONTACTS}/a@example.com?idProperty=email", {"properties": {"phone": ""}}, 400)[
                "message"
            ],
            *(
                hubspot.post(f"{CONTACTS}/batch/{verb}", {"inputs": [row]}, 207)["errors"][0]["message"]
                for verb in ("create", "update", "upsert")
            ),
        ]
        assert all("MISSING_REQUIRED_PROPERTY" in message for message in refused)


def test_at_most_a_thousand_subscriptions_are_kept(tmp_path, serve_app):
    with served_account(tmp_path, serve_app) as hubspot:
        path = f"/webhooks/v3/{hubspot.side.app_id}/subscriptions"
        params = {"hapikey": hubspot.side.credentials()["developer_api_key"]}
        for n in range(1_000):
            body = {"eventType": "contact.propertyChange", "propertyName": f"p{n}"}
            hubspot.call("POST", path, body, 201, params=params)
        refused = hubspot.call("POST", path, {"eventType": "contact.creation"}, 400, params=params)
        assert "1000" in refused["message"]


@pytest.mark.parametrize(
    "type_", ["OBJECT", "ASSOCIATION", "EVENT", "APP_LIFECYCLE_EVENT", "LIST_MEMBERSHIP", "GDPR_PRIVACY_DELETION"]
)
def test_every_type_of_journal_subscription_is_known(hubspot, type_):
    known = hubspot.side.credentials()
    form = {"grant_type": "client_credentials", "scope": "developer.webhooks_journal.subscriptions.write"}
    form |= {name: known[name] for name in ("client_id", "client_secret")}
    token = hubspot.http.post("/oauth/2026-03/token", data=form).json()["access_token"]
    body = {"subscriptionType": type_, "objectTypeId": "0-1", "associatedObjectTypeIds": ["0-5"], "actions": []}
    answer = hubspot.http.post(
        "/webhooks-journal/subscriptions/2026-03", json=body, headers={"authorization": f"Bearer {token}"}
    )
    assert (answer.status_code, answer.json().get("subscriptionType")) == (201, type_)
