"""HubSpot's own Python client, unmodified, against the twin; and the twin's store as the control port uses it."""

import hubspot as vendor
import pytest
from hubspot.crm import contacts, tickets
from hubspot.crm.associations import v4
from hubspot.crm.properties import BatchReadInputPropertyName, PropertyCreate, PropertyGroupCreate, PropertyName

from sync_platform.sandbox.hubspot import HubSpotSandbox
from sync_platform.sandbox.people import generate
from sync_platform.sandbox.world import World


@pytest.fixture
def side(tmp_path):
    one = HubSpotSandbox(World(tmp_path, seed=1, rate_scale=100))
    agents, people, cases = generate(1, 60, 120, 0.6)
    one.seed(people, cases, agents)
    yield one
    one.close()


@pytest.fixture
def client(side, serve_app):
    return vendor.HubSpot(access_token=side.credentials()["access_token"], host=serve_app(side.app()))


def _every(side, kind):
    rows, after = [], None
    while True:
        page, after = side.state(kind, after, 17)
        rows += page
        if after is None:
            return rows


def test_the_client_lists_and_reads_seeded_contacts(side, client):
    api = client.crm.contacts.basic_api
    listed = client.crm.contacts.get_all(properties=["email", "phone"], associations=["tickets"])
    assert [row.id for row in listed] == [row["id"] for row in _every(side, "contacts")]
    assert any(row.associations for row in listed)
    page = api.get_page(limit=5, properties_with_history=["firstname"])
    assert page.results[0].properties_with_history["firstname"][0].source_type == "CRM_UI"
    one = api.get_by_id(listed[0].id, properties=["email"], archived=False)
    assert one.properties["email"] == listed[0].properties["email"]
    inputs = [{"id": row.id} for row in listed[:3]] + [{"id": "1"}]
    body = {"inputs": inputs, "properties": ["email"], "propertiesWithHistory": []}
    read = client.crm.contacts.batch_api.read(body)
    assert isinstance(read, contacts.BatchResponseSimplePublicObjectWithErrors)
    assert len(read.results) == 3
    assert read.errors[0].context["ids"] == ["1"]


def test_the_client_writes_and_searches_contacts(side, client):
    api = client.crm.contacts
    made = api.basic_api.create({"properties": {"email": "N.N@example.com"}})
    assert made.properties["email"] == "n.n@example.com"
    with pytest.raises(contacts.ApiException) as caught:
        api.basic_api.create({"properties": {"email": "n.n@example.com"}})
    assert caught.value.status == 409
    api.basic_api.update(made.id, {"properties": {"firstname": "Nora"}})
    rows = [{"properties": {"firstname": f"Row {n}"}, "associations": []} for n in range(3)]
    batch = api.batch_api.create({"inputs": rows})
    changed = [{"id": row.id, "properties": {"lastname": "X"}} for row in batch.results]
    assert len(api.batch_api.update({"inputs": changed}).results) == 3
    side._world.clock.advance(10)
    request = {"filterGroups": [{"filters": [{"propertyName": "lastname", "operator": "EQ", "value": "x"}]}]}
    assert api.search_api.do_search(request).total == 3
    api.batch_api.archive({"inputs": [{"id": row.id} for row in batch.results]})
    survivor = api.basic_api.merge({"primaryObjectId": made.id, "objectIdToMerge": _every(side, "contacts")[0]["id"]})
    assert survivor.id != made.id
    api.basic_api.purge({"objectId": survivor.id})


def test_the_client_makes_properties_and_upserts_by_them(side, client):
    core = client.crm.properties.core_api
    group = PropertyGroupCreate(name="sync", label="Sync", display_order=-1)
    client.crm.properties.groups_api.create("contacts", group)
    prop = PropertyCreate(
        name="sync_id", label="Sync id", type="string", field_type="text", group_name="sync", has_unique_value=True
    )
    assert core.create("contacts", prop).has_unique_value is True
    side._world.clock.advance(1)
    assert "sync_id" in [row.name for row in core.get_all("contacts", archived=False).results]
    asked = BatchReadInputPropertyName(archived=False, inputs=[PropertyName(name="sync_id"), PropertyName(name="nope")])
    read = client.crm.properties.batch_api.read("contacts", asked)
    assert [row.name for row in read.results] == ["sync_id"]
    assert read.num_errors == 1
    rows = [
        {"id": "k1", "idProperty": "sync_id", "objectWriteTraceId": "t1", "properties": {"email": "k@example.com"}},
        {"id": "k2", "idProperty": "sync_id", "objectWriteTraceId": "t2", "properties": {"email": "bad"}},
    ]
    answer = client.crm.contacts.batch_api.upsert({"inputs": rows})
    assert isinstance(answer, contacts.BatchResponseSimplePublicUpsertObjectWithErrors)
    assert answer.results[0].new
    assert answer.results[0].object_write_trace_id == "t1"
    assert answer.errors[0].context["objectWriteTraceId"] == ["t2"]


def test_the_client_reads_pipelines_and_owners(side, client):
    (line,) = client.crm.pipelines.pipelines_api.get_all("tickets").results
    assert [stage.metadata["ticketState"] for stage in line.stages] == ["OPEN", "OPEN", "OPEN", "CLOSED"]
    owners = client.crm.owners.owners_api.get_page(limit=4)
    assert len(owners.results) == 4
    assert owners.paging.next.after
    found = client.crm.owners.owners_api.get_page(email=owners.results[1].email.upper())
    assert [row.id for row in found.results] == [owners.results[1].id]
    assert client.crm.owners.owners_api.get_by_id(owners.results[0].id, id_property="id").user_id


def test_the_client_associates_tickets_with_contacts(side, client):
    ticket = client.crm.tickets.basic_api.create({"properties": {"subject": "Hi", "hs_pipeline_stage": "1"}})
    contact = _every(side, "contacts")[0]["id"]
    api = client.crm.associations.v4
    api.basic_api.create_default("tickets", ticket.id, "contacts", contact)
    page = api.basic_api.get_page("tickets", ticket.id, "contacts", limit=500)
    assert [str(row.to_object_id) for row in page.results] == [contact]
    pairs = {"inputs": [{"from": {"id": ticket.id}, "to": {"id": contact}}]}
    made = api.batch_api.create_default("tickets", "contacts", pairs)
    assert isinstance(made, v4.BatchResponsePublicDefaultAssociation)
    read = api.batch_api.get_page("tickets", "contacts", {"inputs": [{"id": ticket.id}]})
    assert read.results[0].to[0].association_types[0].type_id == 16
    api.batch_api.archive("tickets", "contacts", {"inputs": [{"from": {"id": ticket.id}, "to": [{"id": contact}]}]})
    none = api.batch_api.get_page("tickets", "contacts", {"inputs": [{"id": ticket.id}]})
    assert none.results == []
    assert none.num_errors == 1
    api.basic_api.archive("tickets", ticket.id, "contacts", contact)
    merged = client.crm.tickets.basic_api.merge({"primaryObjectId": ticket.id, "objectIdToMerge": "99501"})
    assert isinstance(merged, tickets.SimplePublicObject)


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
