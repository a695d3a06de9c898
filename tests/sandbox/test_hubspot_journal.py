"""HubSpot's webhook journal: subscriptions, files at offsets, snapshots, by raw HTTP and by HubSpot's newest client."""

import httpx
import pytest
from hubspot_sdk import HubSpot

from sync_platform.sandbox.hubspot.system import HubSpotSandbox
from sync_platform.sandbox.world import World

JOURNAL = "/webhooks-journal/journal/2026-03"
SUBSCRIPTIONS = "/webhooks-journal/subscriptions/2026-03"
SNAPSHOTS = "/webhooks-journal/snapshots/2026-03/crm"
CONTACTS = "/crm/v3/objects/contacts"


class Reader:
    """A twin, its people's token, and an app that reads the journal."""

    def __init__(self, world, side, url):
        self.world, self.side, self.url = world, side, url
        self.person = httpx.Client(
            base_url=url, headers={"authorization": f"Bearer {side.credentials()['access_token']}"}
        )
        self.app = httpx.Client(base_url=url, headers={"authorization": f"Bearer {self.token()}"})

    def token(self, scope="developer.webhooks_journal.read developer.webhooks_journal.subscriptions.write"):
        known = self.side.credentials()
        form = {"grant_type": "client_credentials", "client_id": known["client_id"], "scope": scope}
        answer = httpx.post(f"{self.url}/oauth/2026-03/token", data=form | {"client_secret": known["client_secret"]})
        assert answer.status_code == 200, answer.text
        return answer.json()["access_token"]

    def subscribe(self, type_="OBJECT", type_id="0-1", **more):
        body = {"subscriptionType": type_, "objectTypeId": type_id, "actions": [], **more}
        answer = self.app.post(SUBSCRIPTIONS, json=body)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def contact(self, **props):
        return self.person.post(CONTACTS, json={"properties": props}).json()["id"]

    def get(self, path, status=200):
        answer = self.app.get(f"{JOURNAL}{path}")
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    def events(self):
        """Every event from the earliest file on."""
        found, entry = [], self.get("/earliest")
        while entry:
            found += httpx.get(entry["url"]).json()["journalEvents"]
            answer = self.app.get(f"{JOURNAL}/offset/{entry['currentOffset']}/next")
            entry = answer.json() if answer.status_code == 200 else None
        return found


@pytest.fixture
def reader(tmp_path, serve_app):
    world = World(tmp_path, seed=1, rate_scale=100)
    side = HubSpotSandbox(world)
    world.switches.update({"hubspot.journal_delay_s": 0})
    one = Reader(world, side, serve_app(side.app()))
    yield one
    one.person.close()
    one.app.close()
    side.close()


def test_the_journal_needs_an_apps_own_token_with_a_journal_scope(reader):
    assert httpx.get(f"{reader.url}{JOURNAL}/earliest").status_code == 401
    refused = reader.person.get(f"{JOURNAL}/earliest")
    assert (refused.status_code, refused.json()["category"]) == (403, "MISSING_SCOPES")
    other = {"authorization": f"Bearer {reader.token('crm.objects.contacts.read')}"}
    assert httpx.get(f"{reader.url}{JOURNAL}/earliest", headers=other).status_code == 403
    reader.get("/earliest", 204)


def test_journal_calls_count_in_no_limit(reader):
    answer = reader.app.get(f"{JOURNAL}/earliest")
    assert not [name for name in answer.headers if "ratelimit" in name]


def test_an_empty_journal_has_no_content_or_is_not_found_by_the_switch(reader):
    reader.get("/latest", 204)
    reader.world.switches.set("hubspot.journal_empty", 404)
    reader.get("/latest", 404)


def test_an_entry_is_an_address_whose_file_holds_the_events(reader):
    reader.subscribe(properties=["firstname"])
    contact = reader.contact(firstname="Ada", lastname="Byron")
    reader.person.patch(f"{CONTACTS}/{contact}", json={"properties": {"lastname": "King"}})
    reader.person.patch(f"{CONTACTS}/{contact}", json={"properties": {"firstname": "Augusta"}})
    entry = reader.get("/earliest")
    assert set(entry) == {"url", "expiresAt", "currentOffset"}
    assert reader.get("")["currentOffset"] == entry["currentOffset"]
    file = httpx.get(entry["url"]).json()
    assert set(file) == {"offset", "publishedAt", "journalEvents"}
    assert file["offset"] == entry["currentOffset"]
    created, changed = file["journalEvents"]
    assert (created["action"], created["objectId"], created["objectTypeId"]) == ("CREATE", int(contact), "0-1")
    assert created["propertyChanges"] == {"firstname": "Ada"}
    assert (changed["action"], changed["propertyChanges"]) == ("UPDATE", {"firstname": "Augusta"})
    assert created["portalId"] == reader.side.portal_id


def test_the_address_of_a_file_runs_out_and_can_not_be_altered(reader):
    reader.subscribe()
    reader.contact(firstname="Ada")
    url = reader.get("/earliest")["url"]
    assert httpx.get(url[:-1] + ("0" if url[-1] != "0" else "1")).status_code == 403
    assert httpx.get(url.replace("expires=", "expires=9")).status_code == 403
    reader.world.clock.advance(3601)
    assert httpx.get(url).status_code == 403


def test_offsets_are_ordered_and_can_be_read_again(reader):
    reader.subscribe()
    for name in ("A", "B", "C"):
        reader.contact(firstname=name)
        reader.get("/latest")  # publishes what is there
    first = reader.get("/earliest")["currentOffset"]
    second = reader.get(f"/offset/{first}/next")["currentOffset"]
    third = reader.get(f"/offset/{second}/next")["currentOffset"]
    reader.get(f"/offset/{third}/next", 204)
    assert reader.get("/latest")["currentOffset"] == third
    offsets = [[row["currentOffset"] for row in reader.get(path)["results"]] for path in (
        "/batch/earliest/2", "/batch/latest/2", f"/batch/{first}/next/5",
    )]  # fmt: skip
    assert offsets == [[first, second], [second, third], [second, third]]
    assert [event["propertyChanges"]["firstname"] for event in reader.events()] == ["A", "B", "C"]
    reader.get("/offset/00000000-0000-0000-0000-000000000000/next", 404)
    reader.get("/batch/earliest/101", 400)
    read = reader.app.post(f"{JOURNAL}/batch/read", json={"inputs": [second, "nowhere"]})
    assert (read.status_code, read.json()["errors"][0]["context"]["ids"]) == (207, ["nowhere"])


def test_a_change_is_published_after_the_delay(reader):
    reader.world.switches.set("hubspot.journal_delay_s", 60.0)
    reader.subscribe()
    reader.contact(firstname="Ada")
    reader.get("/earliest", 204)
    reader.world.clock.advance(61)
    assert reader.get("/earliest")["currentOffset"]


def test_associations_merges_deletions_and_privacy_are_events(reader):
    reader.subscribe()
    reader.subscribe("ASSOCIATION", "0-1", associatedObjectTypeIds=["0-5"])
    reader.subscribe("GDPR_PRIVACY_DELETION", "0-1")
    one, two, three = (reader.contact(firstname=name) for name in "ABC")
    ticket = reader.person.post("/crm/v3/objects/tickets", json={"properties": {"hs_pipeline_stage": "1"}}).json()["id"]
    path = f"/crm/v4/objects/contacts/{three}/associations"
    reader.person.put(f"{path}/default/tickets/{ticket}")
    reader.person.delete(f"{path}/tickets/{ticket}")
    body = {"primaryObjectId": one, "objectIdToMerge": two}
    merged = reader.person.post(f"{CONTACTS}/merge", json=body).json()["id"]
    reader.person.delete(f"{CONTACTS}/{merged}")
    reader.person.post(f"{CONTACTS}/gdpr-delete", json={"objectId": three})
    found = [event["action"] for event in reader.events()]
    assert found == [
        "CREATE", "CREATE", "CREATE", "ASSOCIATION_ADDED", "ASSOCIATION_REMOVED", "MERGE", "DELETE", "GDPR_DELETE",
        "DELETE",
    ]  # fmt: skip
    tie = reader.events()[3]
    assert (tie["fromObjectId"], tie["toObjectId"], tie["associationTypeId"]) == (int(three), int(ticket), 15)


def test_only_the_actions_and_records_of_a_subscription_are_held(reader):
    wanted = reader.contact(firstname="Ada")
    reader.subscribe(actions=["DELETE"])
    reader.subscribe(objectIds=[int(wanted)], actions=["UPDATE"])
    other = reader.contact(firstname="Bob")
    for id_ in (wanted, other):
        reader.person.patch(f"{CONTACTS}/{id_}", json={"properties": {"phone": "1"}})
        reader.person.delete(f"{CONTACTS}/{id_}")
    found = [(event["action"], event["objectId"]) for event in reader.events()]
    assert found == [("UPDATE", int(wanted)), ("DELETE", int(wanted)), ("DELETE", int(other))]


def test_subscriptions_are_listed_read_and_dropped(reader):
    made = reader.subscribe()
    assert reader.app.get(SUBSCRIPTIONS).json() == {"results": [made]}
    assert reader.app.get(f"{SUBSCRIPTIONS}/{made['id']}").json() == made
    assert reader.app.delete(f"{SUBSCRIPTIONS}/{made['id']}").status_code == 204
    assert reader.app.get(f"{SUBSCRIPTIONS}/{made['id']}").status_code == 404
    reader.subscribe()
    assert reader.app.delete(f"{SUBSCRIPTIONS}/portals/{reader.side.portal_id}").status_code == 204
    assert reader.app.get(SUBSCRIPTIONS).json() == {"results": []}
    for wrong in ({"subscriptionType": "X"}, {"subscriptionType": "OBJECT"}, {}):
        assert reader.app.post(SUBSCRIPTIONS, json=wrong).status_code == 400
    assert reader.app.put(SUBSCRIPTIONS, json={}).status_code == 405


def test_a_filter_belongs_to_a_subscription(reader):
    row = reader.subscribe()
    condition = {"property": "firstname", "operator": "EQ", "value": "Ada"}
    body = {"subscriptionId": row["id"], "filter": {"conditions": [condition]}}
    made = reader.app.post(f"{SUBSCRIPTIONS}/filters", json=body)
    id_ = made.json()["filterId"]
    (listed,) = reader.app.get(f"{SUBSCRIPTIONS}/filters/subscription/{row['id']}").json()
    assert listed == reader.app.get(f"{SUBSCRIPTIONS}/filters/{id_}").json()
    assert listed["filter"] == {"conditions": [condition]}
    assert reader.app.delete(f"{SUBSCRIPTIONS}/filters/{id_}").status_code == 204
    assert reader.app.get(f"{SUBSCRIPTIONS}/filters/{id_}").status_code == 404


def test_a_snapshot_puts_a_record_into_the_journal(reader):
    contact = reader.contact(firstname="Ada")
    wanted = {"portalId": reader.side.portal_id, "objectTypeId": "0-1", "properties": ["firstname", "phone"]}
    body = {"snapshotRequests": [{**wanted, "objectId": int(contact)}, {**wanted, "objectId": 7}]}
    answers = reader.app.post(SNAPSHOTS, json=body).json()["snapshotResponses"]
    states = [reader.get(f"/status/{answer['snapshotStatusId']}")["status"] for answer in answers]
    assert states == ["COMPLETED", "FAILED"]
    (event,) = reader.events()
    assert (event["action"], event["propertyChanges"]) == ("SNAPSHOT", {"firstname": "Ada", "phone": None})
    reader.get("/status/nowhere", 404)


def test_hubspots_newest_client_reads_the_journal(reader):
    client = HubSpot(access_token=reader.token(), base_url=reader.url, max_retries=0)
    made = client.webhooks_journal.subscriptions.create(
        actions=["CREATE"], object_ids=[], object_type_id="0-1", portal_id=reader.side.portal_id, properties=[],
        subscription_type="OBJECT",
    )  # fmt: skip
    assert made.id == client.webhooks_journal.subscriptions.list().results[0].id
    contact = reader.contact(firstname="Ada")
    (entry,) = client.webhooks_journal.journal.batch.get_earliest(10).results
    (event,) = httpx.get(entry.url).json()["journalEvents"]
    assert event["objectId"] == int(contact)
    assert client.webhooks_journal.journal.get_earliest().json()["currentOffset"] == entry.current_offset
