"""HubSpot's side of the sandbox as the control port uses it: seeding, a person's edits, a store opened again."""

import pytest

from sync_platform.sandbox.hubspot.system import HubSpotSandbox
from sync_platform.sandbox.people import generate
from sync_platform.sandbox.world import World


@pytest.fixture
def side(tmp_path):
    one = HubSpotSandbox(World(tmp_path, seed=1, rate_scale=100))
    agents, people, cases = generate(1, 60, 120, 0.6)
    one.seed(people, cases, agents)
    yield one
    one.close()


def _every(side, kind):
    rows, after = [], None
    while True:
        page, after = side.state(kind, after, 17)
        rows += page
        if after is None:
            return rows


def test_every_seeded_row_has_unique_addresses_and_ready_values(side):
    rows = _every(side, "contacts")
    addresses = [
        address
        for row in rows
        for name in ("email", "hs_additional_emails")
        for address in row["properties"].get(name, "").split(";")
        if address
    ]
    assert len(addresses) == len(set(addresses)) > 20
    assert all(address == address.lower() for address in addresses)
    linked = [row for row in _every(side, "tickets") if row["associations"]["contacts"]["results"]]
    assert len(linked) == len(_every(side, "tickets")) > 5
    assert len(_every(side, "associations")) == 2 * len(linked)


def test_a_person_edits_in_the_ui(side):
    ticket = side.edit("tickets", None, {"subject": "Hi", "contact": "99501"}, False, "person")
    assert ticket["associations"]["contacts"]["results"][0]["id"] == "99501"
    moved = side.edit("tickets", ticket["id"], {"contact": "99502"}, False, "person")
    assert [row["id"] for row in moved["associations"]["contacts"]["results"]] == ["99502"]
    contact = side.edit("contacts", "99501", {"hs_email_optout": "true", "phone": "555"}, False, "person")
    assert contact["properties"]["hs_email_optout"] == "true"
    assert side.edit("tickets", ticket["id"], {}, True, "person")["deleted_at"]
    with pytest.raises(KeyError):
        side.edit("tickets", ticket["id"], {"subject": "x"}, False, "person")
    with pytest.raises(ValueError, match="PROPERTY_DOESNT_EXIST"):
        side.edit("contacts", "99501", {"nope": "1"}, False, "person")
    survivor = side.merge("contacts", "99502", "99501")
    assert survivor["properties"]["hs_merged_object_ids"] == "99501;99502"
    rows = {row["id"]: row for row in _every(side, "contacts")}
    assert rows["99502"]["merged_into"] == survivor["id"]
    assert rows["99502"]["deleted_at"]


def test_a_reopened_store_is_the_same_and_a_reset_one_is_empty(tmp_path):
    world = World(tmp_path, seed=3)
    first = HubSpotSandbox(world)
    agents, people, cases = generate(3, 20, 20, 0.6)
    first.seed(people, cases, agents)
    before = {kind: _every(first, kind) for kind in first.kinds}
    first.close()
    second = HubSpotSandbox(World(tmp_path, seed=3))
    assert {kind: _every(second, kind) for kind in second.kinds} == before
    second.reset()
    assert _every(second, "contacts") == [] == _every(second, "owners")
    assert len(_every(second, "properties")) == len(before["properties"])
    second.close()
