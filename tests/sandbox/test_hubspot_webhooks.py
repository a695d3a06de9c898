"""HubSpot's webhooks: settings, events of every change, delivery, retries, signatures."""

import hashlib
import threading
from itertools import pairwise

import httpx
import pytest
from hubspot import HubSpot
from hubspot.utils.signature import Signature
from hubspot.webhooks import SettingsChangeRequest, SubscriptionCreateRequest, ThrottlingSettings

from sync_platform.sandbox.hubspot import signatures
from tests.sandbox.webhook_receiver import CONTACTS, TICKETS, app, receiving, until

SECRET = "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy"
URI = "https://www.example.com/webhook_uri"
BODY = b'{"example_field":"example_value"}'


@pytest.fixture
def receiver():
    with receiving() as one:
        yield one


@pytest.fixture
def hubspot(tmp_path, serve_app, receiver):
    with app(tmp_path, serve_app, receiver) as one:
        yield one


# settings and subscriptions


def test_settings_are_kept_with_the_developer_api_key(hubspot):
    path = f"{hubspot.base}/settings"
    assert hubspot.http.get(path).status_code == 401
    hubspot.call("GET", path, status=404)
    kept = hubspot.call("PUT", path, {"targetUrl": "https://example.com/hooks"})
    assert kept["throttling"] == {"maxConcurrentRequests": 10}
    assert hubspot.call("GET", path) == kept
    for wrong in (
        {"targetUrl": "nowhere"},
        {"targetUrl": "https://example.com", "throttling": {"maxConcurrentRequests": 0}},
    ):
        hubspot.call("PUT", path, wrong, 400)
    hubspot.call("DELETE", path, status=204)
    hubspot.call("GET", path, status=404)
    hubspot.call("GET", f"/webhooks/v3/{hubspot.side.app_id + 1}/settings", status=404)
    hubspot.set(webhook_settings_auth="either")
    assert hubspot.http.get(path).status_code == 404


def test_a_new_subscription_starts_paused(hubspot):
    base = f"{hubspot.base}/subscriptions"
    row = hubspot.call("POST", base, {"eventType": "contact.creation", "active": True}, 201)
    assert row["active"] is False
    assert hubspot.call("PATCH", f"{base}/{row['id']}", {"active": True})["active"] is True
    assert hubspot.call("GET", base)["results"] == [hubspot.call("GET", f"{base}/{row['id']}")]
    hubspot.call("POST", f"{base}/{row['id']}", {}, status=405)
    hubspot.call("DELETE", f"{base}/{row['id']}", status=204)
    hubspot.call("GET", f"{base}/{row['id']}", status=404)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"eventType": "contact.propertyChange", "propertyName": "hs_lastmodifieddate"}, 400),
        ({"eventType": "contact.propertyChange"}, 400),
        ({"eventType": "object.creation"}, 400),
        ({"eventType": "butterfly.creation"}, 400),
        ({"eventType": "product.associationChange"}, 400),
        ({"eventType": "product.creation"}, 201),
        ({"eventType": "line_item.restore"}, 201),
        ({"eventType": "contact.privacyDeletion"}, 201),
        ({"eventType": "object.merge", "objectTypeId": "2-41000001"}, 201),
    ],
)
def test_a_subscription_type_is_checked(hubspot, body, status):
    hubspot.call("POST", f"{hubspot.base}/subscriptions", body, status)


def test_the_same_subscription_twice_is_a_conflict(hubspot):
    body = {"eventType": "contact.propertyChange", "propertyName": "email"}
    hubspot.call("POST", f"{hubspot.base}/subscriptions", body, 201)
    hubspot.call("POST", f"{hubspot.base}/subscriptions", body, 409)
    hubspot.call("POST", f"{hubspot.base}/subscriptions", {**body, "propertyName": "phone"}, 201)


def test_a_batch_update_names_the_subscriptions_that_it_does_not_find(hubspot):
    row = hubspot.call("POST", f"{hubspot.base}/subscriptions", {"eventType": "deal.merge"}, 201)
    inputs = [{"id": int(row["id"]), "active": True}, {"id": 1, "active": True}]
    answer = hubspot.call("POST", f"{hubspot.base}/subscriptions/batch/update", {"inputs": inputs}, 207)
    assert [one["active"] for one in answer["results"]] == [True]
    assert answer["errors"][0]["context"]["ids"] == ["1"]


def test_the_dated_paths_name_the_same_settings_and_take_a_token(hubspot):
    hubspot.call("PUT", f"{hubspot.base}/settings", {"targetUrl": "https://example.com/hooks"})
    for base in ("/app-webhooks/2026-09", "/webhooks/2026-03"):
        answer = hubspot.http.get(f"{base}/{hubspot.side.app_id}/settings")
        assert answer.json()["targetUrl"] == "https://example.com/hooks"


def test_hubspots_own_client_sets_webhooks_up(hubspot):
    client = HubSpot(api_key=hubspot.key["hapikey"], host=str(hubspot.http.base_url).rstrip("/")).webhooks
    throttling = ThrottlingSettings(max_concurrent_requests=7)
    request = SettingsChangeRequest(target_url="https://example.com/a", throttling=throttling)
    assert client.settings_api.configure(hubspot.side.app_id, request).throttling.max_concurrent_requests == 7
    wanted = SubscriptionCreateRequest(event_type="contact.propertyChange", property_name="email", active=False)
    made = client.subscriptions_api.create(hubspot.side.app_id, wanted)
    assert made.created_at is not None
    (listed,) = client.subscriptions_api.get_all(hubspot.side.app_id).results
    assert (listed.id, listed.property_name, listed.active) == (made.id, "email", False)
    client.subscriptions_api.archive(made.id, hubspot.side.app_id)
    client.settings_api.clear(hubspot.side.app_id)
    assert hubspot.side.state("subscriptions", None, 10)[0] == []


def test_settings_are_cached_for_about_five_minutes(hubspot, receiver):
    hubspot.set(webhook_cache_s=300.0)
    ids = hubspot.listen("contact.creation")
    hubspot.create(CONTACTS, firstname="Ada")
    hubspot.got(1)
    hubspot.call("PATCH", f"{hubspot.base}/subscriptions/{ids[0]}", {"active": False})
    hubspot.create(CONTACTS, firstname="Bob")
    hubspot.got(2)
    hubspot.world.clock.advance(301)
    hubspot.create(CONTACTS, firstname="Cy")
    until(lambda: not hubspot.waiting())
    assert len(receiver.events()) == 2


# events


def test_a_creation_has_numbers_for_ids_and_its_writer(hubspot):
    (id_,) = hubspot.listen("contact.creation")
    contact = hubspot.create(CONTACTS, firstname="Ada")
    (event,) = hubspot.got(1)
    assert isinstance(event.pop("eventId"), int)
    shown = hubspot.http.get(f"{CONTACTS}/{contact}").json()
    assert event.pop("occurredAt") == signatures_ms(shown["createdAt"])
    assert event == {
        "subscriptionId": id_,
        "portalId": hubspot.side.portal_id,
        "appId": hubspot.side.app_id,
        "subscriptionType": "contact.creation",
        "attemptNumber": 0,
        "objectId": int(contact),
        "changeFlag": "CREATED",
        "changeSource": "INTEGRATION",
        "sourceId": str(hubspot.side.app_id),
    }


def signatures_ms(iso):
    from sync_platform.sandbox.hubspot.wire import epoch_ms

    return epoch_ms(iso)


def test_a_property_change_carries_its_value_as_text(hubspot):
    hubspot.listen("ticket.propertyChange:hs_ticket_priority")
    ticket = hubspot.create(TICKETS, hs_pipeline_stage="1")
    hubspot.change(TICKETS, ticket, hs_ticket_priority="HIGH", subject="Lamp")
    (event,) = hubspot.got(1)
    assert (event["propertyName"], event["propertyValue"], event["isSensitive"]) == (
        "hs_ticket_priority",
        "HIGH",
        False,
    )
    assert event["objectId"] == int(ticket)
    assert "changeFlag" not in event


def test_a_creation_fires_the_changes_of_its_values_unless_switched_off(hubspot):
    hubspot.listen("contact.propertyChange:firstname")
    hubspot.create(CONTACTS, firstname="Ada")
    assert hubspot.got(1)[0]["propertyValue"] == "Ada"
    hubspot.set(webhook_creation_properties="off")
    hubspot.create(CONTACTS, firstname="Bob")
    hubspot.create(CONTACTS, lastname="X")
    until(lambda: not hubspot.waiting())
    hubspot.got(1)


def test_the_same_value_fires_only_when_switched_on(hubspot):
    hubspot.listen("contact.propertyChange:firstname", "contact.propertyChange:phone")
    hubspot.set(webhook_creation_properties="off")
    contact = hubspot.create(CONTACTS, firstname="Ada")
    hubspot.change(CONTACTS, contact, firstname="Ada", phone="1")
    assert [event["propertyName"] for event in hubspot.got(1)] == ["phone"]
    hubspot.set(webhook_same_value="on")
    hubspot.change(CONTACTS, contact, firstname="Ada")
    assert hubspot.got(2)[1]["propertyValue"] == "Ada"


def test_what_hubspot_calculates_fires_with_its_own_source(hubspot):
    hubspot.listen("contact.propertyChange:hs_email_domain")
    contact = hubspot.create(CONTACTS, firstname="Ada")
    hubspot.change(CONTACTS, contact, email="ada@example.com")
    (event,) = hubspot.got(1)
    assert (event["changeSource"], event["propertyValue"]) == ("CALCULATED", "example.com")


def test_a_persons_change_is_told_as_crm_ui_with_the_user(hubspot):
    hubspot.listen("contact.propertyChange:phone", "contact.deletion", "contact.restore")
    contact = hubspot.create(CONTACTS, firstname="Ada")
    hubspot.side.edit("contacts", contact, {"phone": "12"}, False, "jo")
    hubspot.side.edit("contacts", contact, {}, True, "jo")
    hubspot.side.edit("contacts", contact, {"restore": True}, False, "jo")
    events = hubspot.got(3)
    assert {event["changeSource"] for event in events} == {"CRM_UI"}
    (source,) = {event["sourceId"] for event in events}
    assert source.startswith("userId:")
    flags = {event["subscriptionType"]: event.get("changeFlag") for event in events}
    assert flags == {"contact.propertyChange": None, "contact.deletion": "DELETED", "contact.restore": None}


def test_own_writes_are_echoed_without_a_source_id_when_switched_so(hubspot):
    hubspot.set(webhook_source_id="none")
    hubspot.listen("contact.creation")
    hubspot.create(CONTACTS, firstname="Ada")
    (event,) = hubspot.got(1)
    assert event["changeSource"] == "INTEGRATION"
    assert "sourceId" not in event


def test_an_association_fires_in_both_directions(hubspot):
    ids = hubspot.listen("contact.associationChange", "ticket.associationChange")
    contact, ticket = hubspot.create(CONTACTS, firstname="Ada"), hubspot.create(TICKETS, hs_pipeline_stage="1")
    path = f"/crm/v4/objects/contacts/{contact}/associations"
    for _ in range(2):  # the second changes nothing
        assert hubspot.http.put(f"{path}/default/tickets/{ticket}").status_code == 200
    events = {event["subscriptionId"]: event for event in hubspot.got(2)}
    there, back = events[ids[0]], events[ids[1]]
    assert (there["associationType"], back["associationType"]) == ("CONTACT_TO_TICKET", "TICKET_TO_CONTACT")
    assert (there["fromObjectId"], there["toObjectId"]) == (int(contact), int(ticket))
    assert (back["fromObjectId"], back["toObjectId"]) == (int(ticket), int(contact))
    assert there["associationRemoved"] is there["isPrimaryAssociation"] is False
    assert "objectId" not in there
    assert hubspot.http.delete(f"{path}/tickets/{ticket}").status_code == 204
    assert [event["associationRemoved"] for event in hubspot.got(4)] == [False, False, True, True]


def test_a_primary_association_says_so(hubspot):
    hubspot.listen("contact.associationChange")
    contact, company = hubspot.create(CONTACTS, firstname="Ada"), hubspot.create("/crm/v3/objects/companies", name="A")
    types = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 1}]
    path = f"/crm/v4/objects/contacts/{contact}/associations/companies/{company}"
    assert hubspot.http.put(path, json=types).status_code == 201
    assert sorted(event["isPrimaryAssociation"] for event in hubspot.got(2)) == [False, True]


def test_a_merge_names_both_ids_and_the_survivor(hubspot):
    hubspot.listen("contact.merge", "contact.propertyChange:phone")
    hubspot.set(webhook_creation_properties="off")
    one, two = hubspot.create(CONTACTS, firstname="Ada"), hubspot.create(CONTACTS, phone="7")
    body = {"primaryObjectId": one, "objectIdToMerge": two}
    survivor = int(hubspot.http.post(f"{CONTACTS}/merge", json=body).json()["id"])
    hubspot.got(2)
    (event,) = hubspot.got(1, "contact.merge")
    assert event["primaryObjectId"] == int(one)
    assert event["mergedObjectIds"] == [int(one), int(two)]
    assert event["newObjectId"] == event["objectId"] == survivor
    assert event["numberOfPropertiesMoved"] >= 1
    (moved,) = hubspot.got(1, "contact.propertyChange")
    assert (moved["objectId"], moved["propertyValue"], moved["changeSource"]) == (survivor, "7", "MERGE_OBJECTS")


def test_a_merge_that_keeps_the_primary_id_says_that(hubspot):
    hubspot.set(merge_id="primary", webhook_merge_object_id="primary")
    hubspot.listen("contact.merge")
    one, two = hubspot.create(CONTACTS, firstname="Ada"), hubspot.create(CONTACTS, phone="7")
    hubspot.http.post(f"{CONTACTS}/merge", json={"primaryObjectId": one, "objectIdToMerge": two}).raise_for_status()
    (event,) = hubspot.got(1)
    assert event["newObjectId"] == event["objectId"] == int(one)
    assert event["mergedObjectIds"] == [int(two)]


def test_a_privacy_deletion_fires_a_deletion_too(hubspot):
    hubspot.listen("contact.privacyDeletion", "contact.deletion")
    contact = hubspot.create(CONTACTS, firstname="Ada")
    assert hubspot.http.post(f"{CONTACTS}/gdpr-delete", json={"objectId": contact}).status_code == 204
    events = hubspot.got(2)
    assert sorted(event["subscriptionType"] for event in events) == ["contact.deletion", "contact.privacyDeletion"]
    assert {event["objectId"] for event in events} == {int(contact)}


def test_generic_subscriptions_add_the_object_type_id(hubspot):
    hubspot.listen("object.creation:0-46", "object.propertyChange:0-5:subject")
    hubspot.create("/crm/v3/objects/notes", hs_timestamp="2026-01-01T00:00:00Z")
    hubspot.create(TICKETS, hs_pipeline_stage="1", subject="Lamp")
    found = {event["subscriptionType"]: event["objectTypeId"] for event in hubspot.got(2)}
    assert found == {"object.creation": "0-46", "object.propertyChange": "0-5"}


def test_a_batch_that_is_refused_fires_nothing(hubspot):
    hubspot.listen("contact.creation")
    inputs = [{"properties": {"firstname": "Ada"}}, {"properties": {"nonsense": "1"}}]
    assert hubspot.http.post(f"{CONTACTS}/batch/create", json={"inputs": inputs}).status_code == 400
    assert hubspot.waiting() == []
    hubspot.create(CONTACTS, firstname="Bob")
    hubspot.got(1)


# delivery


def test_a_call_is_a_json_array_of_up_to_a_hundred_events(hubspot, receiver):
    hubspot.set(webhook_delay_s=60.0)
    hubspot.listen("contact.creation", concurrent=1)
    for _ in range(3):
        inputs = [{"properties": {"firstname": "Ada"}} for _ in range(70)]
        assert hubspot.http.post(f"{CONTACTS}/batch/create", json={"inputs": inputs}).status_code == 201
    assert len(hubspot.waiting()) == 210
    hubspot.world.clock.advance(61)
    hubspot.got(210)
    assert [len(post.events) for post in receiver.posts] == [100, 100, 10]
    assert {post.headers["content-type"] for post in receiver.posts} == {"application/json"}


def test_events_come_out_of_order_and_twice_by_the_dials(hubspot, receiver):
    hubspot.set(webhook_late_share=0.5, webhook_late_s=20.0, webhook_duplicate_share=0.2, webhook_event_id_reuse=0.2)
    hubspot.listen("contact.creation")
    inputs = [{"properties": {"firstname": "Ada"}} for _ in range(100)]
    assert hubspot.http.post(f"{CONTACTS}/batch/create", json={"inputs": inputs}).status_code == 201
    until(receiver.events)
    hubspot.world.clock.advance(50)
    until(lambda: not hubspot.waiting())
    objects = [event["objectId"] for event in receiver.events()]
    assert 100 < len(objects) < 150
    assert len(set(objects)) == 100
    assert any(one > two for one, two in pairwise(objects))
    ids = {event["objectId"]: event["eventId"] for event in receiver.events()}
    assert len(set(ids.values())) < 100


def test_no_more_calls_run_at_a_time_than_the_settings_say(hubspot, receiver):
    receiver.gate.clear()
    hubspot.listen("contact.creation", concurrent=3)
    for n in range(8):
        hubspot.create(CONTACTS, firstname=f"P{n}")
        until(lambda n=n: receiver.inside == min(n + 1, 3))
    assert [row["sending"] for row in hubspot.waiting()] == [True] * 3 + [False] * 5
    receiver.gate.set()
    hubspot.got(8)
    until(lambda: not hubspot.waiting())
    assert receiver.most_inside == 3


@pytest.mark.parametrize("status", [400, 404, 429, 500, 503])
def test_any_4xx_or_5xx_is_tried_again_with_the_next_attempt_number(hubspot, receiver, status):
    receiver.statuses = [status]
    hubspot.listen("contact.creation")
    hubspot.create(CONTACTS, firstname="Ada")
    until(hubspot.calls)
    hubspot.world.clock.advance(120)
    first, second = hubspot.got(2)
    assert (first["attemptNumber"], second["attemptNumber"]) == (0, 1)
    assert first["eventId"] == second["eventId"]
    until(lambda: not hubspot.waiting())
    assert [call["status"] for call in hubspot.calls()] == [status, 204]


def test_a_redirect_is_no_failure(hubspot, receiver):
    receiver.statuses = [302]
    hubspot.listen("contact.creation")
    hubspot.create(CONTACTS, firstname="Ada")
    hubspot.got(1)
    until(lambda: not hubspot.waiting())


def test_an_answer_after_five_seconds_is_a_failure(hubspot, receiver):
    receiver.gate.clear()
    hubspot.listen("contact.creation")
    hubspot.create(CONTACTS, firstname="Ada")
    until(lambda: receiver.inside)
    hubspot.world.clock.advance(6)
    (call,) = until(hubspot.calls)
    assert (call["status"], call["error"]) == (None, "timeout")
    receiver.gate.set()
    hubspot.world.clock.advance(120)
    assert [event["attemptNumber"] for event in hubspot.got(2)] == [0, 1]


def test_a_server_that_is_not_there_is_tried_again(hubspot, receiver):
    hubspot.listen("contact.creation")
    hubspot.call("PUT", f"{hubspot.base}/settings", {"targetUrl": "http://127.0.0.1:9/hooks"})
    hubspot.create(CONTACTS, firstname="Ada")
    (call,) = until(hubspot.calls)
    assert call["error"] == "ConnectError"
    hubspot.call("PUT", f"{hubspot.base}/settings", {"targetUrl": receiver.url})
    hubspot.world.clock.advance(120)
    assert hubspot.got(1)[0]["attemptNumber"] == 1


def test_after_ten_retries_within_a_day_an_event_is_given_up(hubspot, receiver):
    receiver.always = 500
    hubspot.listen("contact.creation")
    start = hubspot.world.clock.now()
    hubspot.create(CONTACTS, firstname="Ada")
    for n in range(11):
        until(lambda n=n: len(hubspot.calls()) == n + 1)
        waiting = hubspot.waiting()
        if n < 10:
            left_s = waiting[0]["due"] / 1000 - hubspot.world.clock.now().timestamp()
            hubspot.world.clock.advance(max(left_s, 0) + 0.01)
    assert waiting == []
    assert [event["attemptNumber"] for event in receiver.events()] == list(range(11))
    assert (hubspot.world.clock.now() - start).total_seconds() < 86_400


def test_events_outlive_a_restart(tmp_path, serve_app, receiver):
    with app(tmp_path, serve_app, receiver, out=False) as one:
        one.listen("contact.creation")
        one.create(CONTACTS, firstname="Ada")
        assert len(one.waiting()) == 1
    with app(tmp_path, serve_app, receiver) as two:
        two.got(1)
        until(lambda: not two.waiting())


def test_without_an_active_subscription_nothing_is_kept(hubspot):
    hubspot.call("POST", f"{hubspot.base}/subscriptions", {"eventType": "contact.creation"}, 201)
    hubspot.create(CONTACTS, firstname="Ada")
    assert hubspot.waiting() == []
    assert hubspot.side._records.changes.active is False


def test_a_reset_forgets_subscriptions_and_events(hubspot):
    hubspot.set(webhook_delay_s=60.0)
    hubspot.listen("contact.creation")
    hubspot.create(CONTACTS, firstname="Ada")
    hubspot.side.reset()
    assert hubspot.waiting() == hubspot.side.state("subscriptions", None, 10)[0] == []


def test_the_control_port_sets_a_subscription_and_shows_the_calls(running_sandbox, receiver):
    control = running_sandbox["control"]["url"]
    httpx.put(f"{control}/switches", json={"hubspot.webhook_delay_s": 0}).raise_for_status()
    wanted = {"eventType": "contact.propertyChange", "propertyName": "phone", "targetUrl": receiver.url}
    made = httpx.post(f"{control}/edit", json={"system": "hubspot", "kind": "subscriptions", "set": wanted})
    assert made.json()["active"] is True
    (row,) = httpx.get(f"{control}/state/hubspot/subscriptions").json()["rows"]
    assert row["targetUrl"] == receiver.url
    contact = httpx.get(f"{control}/state/hubspot/contacts?limit=1").json()["rows"][0]["id"]
    edit = {"system": "hubspot", "kind": "contacts", "id": contact, "set": {"phone": "+49 30 5550101"}, "by": "jo"}
    httpx.post(f"{control}/edit", json=edit).raise_for_status()
    httpx.post(f"{control}/clock", json={"advance_s": 30}).raise_for_status()
    (event, *_) = until(receiver.events)
    assert (event["objectId"], event["changeSource"]) == (int(contact), "CRM_UI")
    calls = until(lambda: httpx.get(f"{control}/state/hubspot/webhook_calls").json()["rows"])
    assert (calls[0]["status"], calls[0]["url"]) == (204, receiver.url)
    paused = {"system": "hubspot", "kind": "subscriptions", "id": row["id"], "set": {"active": False}}
    assert httpx.post(f"{control}/edit", json=paused).json()["active"] is False
    wrong = {"system": "hubspot", "kind": "subscriptions", "set": {"eventType": "nonsense"}}
    assert httpx.post(f"{control}/edit", json=wrong).status_code == 400


# signatures


def test_the_known_signatures_come_out():
    assert signatures.v2(SECRET, "GET", URI, b"") == "eee2dddcc73c94d699f5e395f4b9d454a069a6855fbfa152e91e88823087200e"
    assert (
        signatures.v2(SECRET, "POST", URI, BODY) == "9569219f8ba981ffa6f6f16aa0f48637d35d728c7e4d93d0d52efaa512af7900"
    )
    assert signatures.v3(SECRET, "POST", URI, BODY, "1600000000000") == "X/SMhHoncjNtnWuaoB8EztvqiL5vPUsrIyAVR/WBGAQ="
    assert signatures.v1(SECRET, BODY) == hashlib.sha256(SECRET.encode() + BODY).hexdigest()


def test_only_the_listed_percent_codes_are_decoded_before_hashing():
    listed = "%3A%2F%3F%40%21%24%27%28%29%2A%2C%3B%3a"
    assert signatures.decoded(f"https://example.com/a?b={listed}&c=%20%26%3D") == (
        "https://example.com/a?b=:/?@!$'()*,;:&c=%20%26%3D"
    )


@pytest.mark.parametrize("which", ["v1", "v2", "v3", "v1+v3", "v2+v3"])
def test_hubspots_own_helper_accepts_a_call(hubspot, receiver, which):
    hubspot.set(webhook_signatures=which)
    hubspot.listen("contact.creation")
    hubspot.create(CONTACTS, firstname="Élise")
    hubspot.got(1)
    (post,) = receiver.posts
    given = {"client_secret": hubspot.side.credentials()["client_secret"], "request_body": post.body.decode()}
    given |= {"http_uri": receiver.url, "http_method": "POST"}
    versions = which.split("+")
    assert ("x-hubspot-signature" in post.headers) is bool({"v1", "v2"} & set(versions))
    assert ("x-hubspot-signature-v3" in post.headers) is ("v3" in versions)
    for version in versions:
        name = "x-hubspot-signature-v3" if version == "v3" else "x-hubspot-signature"
        stamp = post.headers.get("x-hubspot-request-timestamp") if version == "v3" else None
        assert Signature.is_valid(signature=post.headers[name], signature_version=version, timestamp=stamp, **given)
        assert version == "v3" or post.headers["x-hubspot-signature-version"] == version
    if "v3" in versions:
        other = {**given, "request_body": post.body.decode() + " "}
        assert not Signature.is_valid(
            signature=post.headers["x-hubspot-signature-v3"], signature_version="v3", timestamp=stamp, **other
        )


def test_writers_in_several_threads_lose_no_event(hubspot):
    hubspot.listen("contact.creation")

    def write(start):
        with httpx.Client(base_url=hubspot.http.base_url, headers=hubspot.http.headers) as client:
            for n in range(15):
                client.post(CONTACTS, json={"properties": {"firstname": f"P{start}{n}"}}).raise_for_status()

    threads = [threading.Thread(target=write, args=(n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({event["objectId"] for event in hubspot.got(45)}) == 45
