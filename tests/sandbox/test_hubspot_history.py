"""The history of values: who wrote what and when, by raw HTTP."""

import httpx
import pytest

from sync_platform.sandbox.hubspot.system import HubSpotSandbox
from sync_platform.sandbox.hubspot.wire import epoch_ms
from sync_platform.sandbox.world import World
from tests.sandbox.conftest import served

CONTACTS = "/crm/v3/objects/contacts"
PEOPLE = {"firstname": "Ada", "phone": "1"}


class Account:
    """A twin and a client with its token."""

    def __init__(self, world, side, client):
        self.world, self.side, self.client = world, side, client

    def contact(self, **props):
        return self.client.post(CONTACTS, json={"properties": props}).json()["id"]

    def change(self, id_, **props):
        self.client.patch(f"{CONTACTS}/{id_}", json={"properties": props}).raise_for_status()

    def history(self, id_, name):
        answer = self.client.get(f"{CONTACTS}/{id_}", params={"propertiesWithHistory": name})
        return answer.json()["propertiesWithHistory"][name]


@pytest.fixture(scope="module")
def hubspot(tmp_path_factory):
    world = World(tmp_path_factory.mktemp("history"), seed=1, rate_scale=100_000)
    side = HubSpotSandbox(world)
    headers = {"authorization": f"Bearer {side.credentials()['access_token']}"}
    with served(side.app()) as url, httpx.Client(base_url=url, headers=headers) as client:
        yield Account(world, side, client)
    side.close()


def test_an_integrations_entry_has_its_app_id(hubspot):
    (entry,) = hubspot.history(hubspot.contact(**PEOPLE), "phone")
    at = entry.pop("timestamp")
    assert at.endswith("Z")
    assert entry == {
        "value": "1",
        "sourceType": "INTEGRATION",
        "sourceId": str(hubspot.side.app_id),
        "sourceLabel": "Sandbox app",
    }


def test_the_app_id_of_the_token_is_that_of_the_history(hubspot):
    token = hubspot.side.credentials()["access_token"]
    info = hubspot.client.post("/oauth/v2/private-apps/get/access-token-info", json={"tokenKey": token}).json()
    contact = hubspot.contact(**PEOPLE)
    assert hubspot.history(contact, "phone")[0]["sourceId"] == str(info["appId"])
    shown = hubspot.client.get(f"{CONTACTS}/{contact}", params={"properties": "hs_object_source_id"}).json()
    assert shown["properties"]["hs_object_source_id"] == str(info["appId"])


def test_a_persons_entry_has_his_user_id_twice(hubspot):
    contact = hubspot.contact(**PEOPLE)
    hubspot.side.edit("contacts", contact, {"phone": "2"}, False, "jo")
    newest, oldest = hubspot.history(contact, "phone")
    assert (newest["sourceType"], newest["value"], oldest["sourceType"]) == ("CRM_UI", "2", "INTEGRATION")
    assert newest["sourceId"] == f"userId:{newest['updatedByUserId']}"
    assert isinstance(newest["updatedByUserId"], int)
    assert "updatedByUserId" not in oldest


def test_the_newest_entry_comes_first_with_the_time_of_its_write(hubspot):
    contact = hubspot.contact(**PEOPLE)
    for value in ("2", "3"):
        hubspot.world.clock.advance(1)
        hubspot.change(contact, phone=value)
    entries = hubspot.history(contact, "phone")
    assert [entry["value"] for entry in entries] == ["3", "2", "1"]
    times = [epoch_ms(entry["timestamp"]) for entry in entries]
    assert times[0] > times[1] > times[2]
    shown = hubspot.client.get(f"{CONTACTS}/{contact}").json()
    assert epoch_ms(shown["updatedAt"]) == times[0]


def test_a_cleared_value_is_an_entry(hubspot):
    contact = hubspot.contact(**PEOPLE)
    hubspot.change(contact, phone="")
    assert [entry["value"] for entry in hubspot.history(contact, "phone")] == ["", "1"]


def test_a_value_never_set_has_no_history(hubspot):
    assert hubspot.history(hubspot.contact(firstname="Ada"), "phone") == []


def test_what_hubspot_calculates_has_another_source(hubspot):
    contact = hubspot.contact(**PEOPLE)
    hubspot.change(contact, email="ada@example.com")
    assert hubspot.history(contact, "hs_email_domain")[0]["sourceType"] == "CALCULATED"


def test_the_same_value_adds_an_entry_only_by_the_switch(hubspot):
    contact = hubspot.contact(**PEOPLE)
    hubspot.change(contact, phone="1")
    assert len(hubspot.history(contact, "phone")) == 1
    hubspot.world.switches.set("hubspot.same_value_write", "history")
    try:
        hubspot.change(contact, phone="1")
    finally:
        hubspot.world.switches.set("hubspot.same_value_write", "bump")
    assert [entry["value"] for entry in hubspot.history(contact, "phone")] == ["1", "1"]


def test_so_many_versions_are_kept_as_the_switch_says(hubspot):
    contact = hubspot.contact(**PEOPLE)
    for n in range(6):
        hubspot.change(contact, phone=str(n))
    hubspot.world.switches.set("hubspot.history_depth", 3)
    try:
        assert [entry["value"] for entry in hubspot.history(contact, "phone")] == ["5", "4", "3"]
    finally:
        hubspot.world.switches.set("hubspot.history_depth", 45)


def test_a_write_can_not_be_back_dated(hubspot):
    contact = hubspot.contact(**PEOPLE)
    body = {"properties": {"phone": "2"}, "timestamp": "2001-01-01T00:00:00Z", "updatedAt": "2001-01-01T00:00:00Z"}
    hubspot.client.patch(f"{CONTACTS}/{contact}", json=body).raise_for_status()
    assert not hubspot.history(contact, "phone")[0]["timestamp"].startswith("2001")


def test_another_source_id_can_be_switched_on(hubspot):
    hubspot.world.switches.set("hubspot.source_id", "other")
    try:
        entry = hubspot.history(hubspot.contact(**PEOPLE), "phone")[0]
    finally:
        hubspot.world.switches.set("hubspot.source_id", "app")
    assert (entry["sourceType"], entry["sourceId"] == str(hubspot.side.app_id)) == ("INTEGRATION", False)


def test_a_merged_value_says_that_it_came_by_a_merge(hubspot):
    one, two = hubspot.contact(firstname="Ada"), hubspot.contact(phone="7")
    body = {"primaryObjectId": one, "objectIdToMerge": two}
    merged = hubspot.client.post(f"{CONTACTS}/merge", json=body).json()["id"]
    assert hubspot.history(merged, "phone")[0]["sourceType"] == "MERGE_OBJECTS"
    assert hubspot.history(merged, "firstname")[0]["sourceType"] == "INTEGRATION"
