"""Every kind of record on HubSpot's twin: standard ones, own types, the recycle bin, merges, privacy deletion."""

import httpx
import pytest

from tests.sandbox.hubspot_account import CONTACTS, served_account

WRITABLE = {
    "deals": {"dealname": "Big one", "dealstage": "qualifiedtobuy"},
    "line_items": {"name": "Chair", "price": "12.50", "quantity": 2},
    "products": {"name": "Chair", "hs_sku": "C-1"},
    "calls": {"hs_timestamp": "2026-01-05T10:00:00Z", "hs_call_title": "Hello", "hs_call_direction": "INBOUND"},
    "emails": {"hs_timestamp": "2026-01-05T10:00:00Z", "hs_email_subject": "Hello"},
    "meetings": {"hs_timestamp": "2026-01-05T10:00:00Z", "hs_meeting_title": "Hello"},
    "tasks": {"hs_timestamp": "2026-01-05T10:00:00Z", "hs_task_subject": "Do it"},
    "communications": {"hs_timestamp": "2026-01-05T10:00:00Z", "hs_communication_channel_type": "SMS"},
    "notes": {"hs_timestamp": "2026-01-05T10:00:00Z", "hs_note_body": "<p>Hello</p>"},
    "companies": {"name": "Example Works", "domain": "example.org"},
}
SCHEMA = {
    "name": "machine",
    "labels": {"singular": "Machine", "plural": "Machines"},
    "primaryDisplayProperty": "serial",
    "requiredProperties": ["serial"],
    "searchableProperties": ["serial"],
    "secondaryDisplayProperties": [],
    "associatedObjects": ["CONTACT", "0-5"],
    "properties": [
        {"name": "serial", "label": "Serial", "type": "string", "fieldType": "text", "hasUniqueValue": True},
        {"name": "built", "label": "Built", "type": "date", "fieldType": "date"},
    ],
}


@pytest.fixture
def hubspot(tmp_path, serve_app):
    with served_account(tmp_path, serve_app) as account:
        yield account


@pytest.mark.parametrize("kind", WRITABLE)
def test_a_record_of_any_kind_is_created_read_changed_listed_searched_and_archived(hubspot, kind):
    base = f"/crm/v3/objects/{kind}"
    made = hubspot.make(kind, **WRITABLE[kind])
    name = next(name for name in WRITABLE[kind] if name != "hs_timestamp")
    assert made["properties"]["hs_object_source"] == "INTEGRATION"
    assert hubspot.get(f"{base}/{made['id']}", properties=name)["properties"][name]
    text = {"hs_call_title", "hs_email_subject", "dealname", "name", "hs_note_body"} & WRITABLE[kind].keys()
    if text:
        changed = hubspot.call("PATCH", f"{base}/{made['id']}", {"properties": {next(iter(text)): "Other"}})
        assert changed["properties"][next(iter(text))] == "Other"
    assert [row["id"] for row in hubspot.get(base)["results"]] == [made["id"]]
    found = hubspot.post(f"{base}/search", {"filterGroups": [], "properties": [name]})
    assert found["total"] == 1
    hubspot.call("DELETE", f"{base}/{made['id']}", status=204)
    hubspot.get(f"{base}/{made['id']}", status=404)
    assert hubspot.get(base, archived="true")["results"][0]["archived"] is True


@pytest.mark.parametrize("kind", WRITABLE)
def test_every_kind_has_all_batches(hubspot, kind):
    base = f"/crm/v3/objects/{kind}/batch"
    rows = [{"properties": WRITABLE[kind], "objectWriteTraceId": f"t{n}"} for n in range(6)]
    rows[2] = {"properties": {"nonsense": "1"}, "objectWriteTraceId": "t2"}
    answer = hubspot.post(f"{base}/create", {"inputs": rows}, 207)
    assert sorted(row["objectWriteTraceId"] for row in answer["results"]) == ["t0", "t1", "t3", "t4", "t5"]
    assert answer["errors"][0]["context"]["objectWriteTraceId"] == ["t2"]
    ids = [row["id"] for row in answer["results"]]
    assert ids != sorted(ids)  # not the order of the inputs
    read = hubspot.post(f"{base}/read", {"inputs": [{"id": ids[0]}, {"id": "5"}], "properties": []}, 207)
    assert read["errors"][0]["context"]["ids"] == ["5"]
    changed = [{"id": id_, "properties": {"hubspot_owner_id": ""}} for id_ in ids]
    if kind not in ("line_items", "products"):
        assert len(hubspot.post(f"{base}/update", {"inputs": changed})["results"]) == 5
    hubspot.post(f"{base}/archive", {"inputs": [{"id": id_} for id_ in ids]}, 204)
    assert hubspot.get(f"/crm/v3/objects/{kind}")["results"] == []


@pytest.mark.parametrize(
    ("path", "kind"),
    [("0-3", "deals"), ("deal", "deals"), ("0-27", "tasks"), ("0-48", "calls"), ("0-49", "emails"),
     ("0-47", "meetings"), ("0-18", "communications"), ("0-46", "notes"), ("Company", "companies")],
)  # fmt: skip
def test_a_path_takes_plural_singular_and_id(hubspot, path, kind):
    made = hubspot.make(kind, **WRITABLE[kind])
    assert hubspot.get(f"/crm/v3/objects/{path}/{made['id']}")["id"] == made["id"]


def test_users_are_read_and_not_written(running_sandbox):
    mine = running_sandbox["hubspot"]
    with httpx.Client(base_url=mine["url"], headers={"authorization": f"Bearer {mine['access_token']}"}) as http:
        users = http.get("/crm/v3/objects/0-115?properties=hs_internal_user_id,hubspot_owner_id,hs_email").json()
        owners = {row["id"]: row for row in http.get("/crm/v3/owners/").json()["results"]}
        assert users["results"]
        for user in users["results"]:
            owner = owners[user["properties"]["hubspot_owner_id"]]
            assert user["properties"]["hs_internal_user_id"] == str(owner["userId"])
            assert len({user["id"], owner["id"], str(owner["userId"])}) == 3
            assert owner["teams"][0]["primary"] is True
        assert http.post("/crm/v3/objects/users", json={"properties": {}}).status_code == 405


def test_an_own_type_is_defined_used_and_removed(hubspot):
    made = hubspot.post("/crm/v3/schemas", SCHEMA, 201)
    type_id = made["objectTypeId"]
    assert type_id.startswith("2-")
    assert made["fullyQualifiedName"] == f"p{hubspot.side.portal_id}_machine"
    assert {"serial", "built", "hs_object_id"} <= {row["name"] for row in made["properties"]}
    for path in (type_id, made["fullyQualifiedName"], "machine"):
        assert hubspot.get(f"/crm/v3/objects/{path}")["results"] == []
    hubspot.make(type_id, 400, built="2026-01-05")
    one = hubspot.make(type_id, serial="M-1", built="2026-01-05")
    hubspot.make(type_id, 400, serial="M-1")
    assert hubspot.get(f"/crm/v3/objects/{type_id}/M-1", idProperty="serial")["id"] == one["id"]
    rows = [{"id": f"M-{n}", "idProperty": "serial", "properties": {"serial": f"M-{n}"}} for n in (1, 2)]
    upserted = hubspot.post(f"/crm/v3/objects/{type_id}/batch/upsert", {"inputs": rows})["results"]
    assert sorted(row["new"] for row in upserted) == [False, True]
    found = hubspot.post(f"/crm/v3/objects/{type_id}/search", {"query": "m-2"})
    assert found["total"] == 1
    hubspot.call("DELETE", f"/crm/v3/schemas/{type_id}", status=400)
    ids = [{"id": row["id"]} for row in upserted]
    hubspot.post(f"/crm/v3/objects/{type_id}/batch/archive", {"inputs": ids}, 204)
    hubspot.call("DELETE", f"/crm/v3/schemas/{type_id}", status=204)
    assert hubspot.get("/crm/v3/schemas")["results"] == []
    refused = hubspot.get(f"/crm/v3/objects/{type_id}", status=400)
    assert refused["message"] == f"Unable to infer object type from: {type_id}"


def test_a_schema_that_makes_no_sense_leaves_nothing_behind(hubspot):
    bad = {**SCHEMA, "properties": [*SCHEMA["properties"], {"name": "Odd name", "label": "x", "type": "string"}]}
    hubspot.post("/crm/v3/schemas", bad, 400)
    assert hubspot.get("/crm/v3/schemas")["results"] == []
    assert hubspot.post("/crm/v3/schemas", SCHEMA, 201)["name"] == "machine"
    hubspot.post("/crm-object-schemas/v3/schemas", SCHEMA, 409)
    assert len(hubspot.get("/crm-object-schemas/2026-03/schemas")["results"]) == 1


def test_own_types_outlive_a_restart_and_go_with_a_reset(tmp_path, serve_app):
    with served_account(tmp_path, serve_app) as hubspot:
        type_id = hubspot.post("/crm/v3/schemas", SCHEMA, 201)["id"]
        hubspot.make(type_id, serial="M-1")
    with served_account(tmp_path, serve_app) as hubspot:
        assert hubspot.get(f"/crm/v3/objects/{type_id}")["results"][0]["properties"]["serial"] == "M-1"
        assert f"p{hubspot.side.portal_id}_machine" in hubspot.side.kinds
        hubspot.side.reset()
        hubspot.get(f"/crm/v3/objects/{type_id}", status=400)


def test_pairs_without_a_type_id_in_the_tables_have_stable_ones_that_labels_lists(hubspot):
    type_id = hubspot.post("/crm/v3/schemas", SCHEMA, 201)["id"]
    machine, contact = hubspot.make(type_id, serial="M-1"), hubspot.contact(firstname="Ada")
    (there,) = hubspot.get(f"/crm/v4/associations/{type_id}/contacts/labels")["results"]
    (back,) = hubspot.get(f"/crm/v4/associations/contacts/{type_id}/labels")["results"]
    assert there["typeId"] != back["typeId"]
    body = {"properties": {"serial": "M-2"}, "associations": [{"to": {"id": contact["id"]}, "types": []}]}
    body["associations"][0]["types"] = [
        {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": there["typeId"]}
    ]
    hubspot.post(f"/crm/v3/objects/{type_id}", body, 201)
    path = f"/crm/v4/objects/{type_id}/{machine['id']}/associations"
    hubspot.call("PUT", f"{path}/default/contacts/{contact['id']}")
    seen = hubspot.get(f"/crm/v4/objects/contacts/{contact['id']}/associations/{type_id}")["results"]
    assert [row["associationTypes"][0]["typeId"] for row in seen] == [back["typeId"]] * 2


def test_deals_have_tabled_association_ids_and_their_own_pipeline(hubspot):
    deal, ticket = hubspot.make("deals", **WRITABLE["deals"]), hubspot.ticket(subject="Hi")
    assert hubspot.get(f"/crm/v3/objects/deals/{deal['id']}")["properties"]["pipeline"] == "default"
    hubspot.make("deals", 400, dealname="x", dealstage="1")
    for a, b, type_id in (("deals", "tickets", 27), ("tickets", "deals", 28)):
        (row,) = hubspot.get(f"/crm/v4/associations/{a}/{b}/labels")["results"]
        assert row["typeId"] == type_id
    types = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 27}]
    path = f"/crm/v4/objects/deals/{deal['id']}/associations/tickets/{ticket['id']}"
    hubspot.call("PUT", path, types, 201)
    hubspot.call("PUT", path, [{**types[0], "associationCategory": "USER_DEFINED"}], 400)
    (email_contact,) = hubspot.get("/crm/v4/associations/emails/contacts/labels")["results"]
    assert email_contact["typeId"] == 198


def test_activities_need_their_time_and_bump_what_they_are_logged_on(hubspot):
    hubspot.make("calls", 400, hs_call_title="No time")
    contact = hubspot.contact(firstname="Ada")
    hubspot.world.clock.advance(5)
    call = hubspot.make("calls", **WRITABLE["calls"])
    hubspot.call("PUT", f"/crm/v4/objects/calls/{call['id']}/associations/default/contacts/{contact['id']}")
    after = hubspot.get(f"{CONTACTS}/{contact['id']}", properties="num_notes")
    assert after["properties"]["num_notes"] == "1"
    assert after["updatedAt"] > contact["updatedAt"]


def test_merge_exists_for_contacts_companies_tickets_and_deals_only(hubspot):
    for kind in ("notes", "calls", "products"):
        hubspot.post(f"/crm/v3/objects/{kind}/merge", {"primaryObjectId": "1", "objectIdToMerge": "2"}, 404)
    one, two = (hubspot.make("deals", **WRITABLE["deals"]) for _ in range(2))
    body = {"primaryObjectId": one["id"], "objectIdToMerge": two["id"]}
    survivor = hubspot.post("/crm/v3/objects/deals/merge", body)
    assert survivor["id"] not in (one["id"], two["id"])
    for kind in ("companies", "tickets"):
        hubspot.post(f"/crm/v3/objects/{kind}/gdpr-delete", {"objectId": "1"}, 404)


@pytest.mark.parametrize(("policy", "linked"), [("keep", 1), ("drop", 0)])
def test_a_person_restores_a_deleted_record_within_ninety_days(hubspot, policy, linked):
    hubspot.set(restore_associations=policy)
    contact, ticket = hubspot.contact(email="a@example.com"), hubspot.ticket(subject="Hi")
    path = f"/crm/v4/objects/contacts/{contact['id']}/associations"
    hubspot.call("PUT", f"{path}/default/tickets/{ticket['id']}")
    hubspot.call("DELETE", f"{CONTACTS}/{contact['id']}", status=204)
    assert hubspot.get(f"/crm/v4/objects/tickets/{ticket['id']}/associations/contacts")["results"] == []
    hubspot.world.clock.advance(89 * 86_400)
    restored = hubspot.side.edit("contacts", contact["id"], {"restore": True}, False, "person")
    assert restored["archived"] is False
    assert hubspot.get(f"{CONTACTS}/{contact['id']}")["properties"]["email"] == "a@example.com"
    assert len(hubspot.get(f"{path}/tickets")["results"]) == linked
    hubspot.post(CONTACTS, {"properties": {"email": "a@example.com"}}, 409)


def test_the_recycle_bin_is_emptied_after_ninety_days(hubspot):
    contact = hubspot.contact(email="a@example.com")
    hubspot.call("DELETE", f"{CONTACTS}/{contact['id']}", status=204)
    hubspot.world.clock.advance(90 * 86_400 - 60)
    assert hubspot.get(f"{CONTACTS}/{contact['id']}", archived="true")["archivedAt"]
    hubspot.world.clock.advance(120)
    assert hubspot.get(CONTACTS, archived="true")["results"] == []
    hubspot.get(f"{CONTACTS}/{contact['id']}", status=404, archived="true")
    with pytest.raises(KeyError):
        hubspot.side.edit("contacts", contact["id"], {"restore": True}, False, "person")


def test_a_restore_whose_address_is_taken_is_refused(hubspot):
    contact = hubspot.contact(email="a@example.com")
    hubspot.call("DELETE", f"{CONTACTS}/{contact['id']}", status=204)
    hubspot.contact(email="a@example.com")
    with pytest.raises(ValueError, match="already exists"):
        hubspot.side.edit("contacts", contact["id"], {"restore": True}, False, "person")


def test_a_privacy_deletion_of_an_unknown_address_block_lists_it(hubspot):
    hubspot.post(f"{CONTACTS}/gdpr-delete", {"objectId": "Ghost@example.com", "idProperty": "email"}, 204)
    refused = hubspot.post(CONTACTS, {"properties": {"email": "ghost@example.com"}}, 400)
    assert "INVALID_EMAIL" in refused["message"]
    hubspot.set(blocked_email="accept")
    id_ = hubspot.contact(email="ghost@example.com")["id"]
    hubspot.post(f"{CONTACTS}/gdpr-delete", {"objectId": id_}, 204)
    hubspot.get(f"{CONTACTS}/{id_}", status=404)
    hubspot.get(f"{CONTACTS}/{id_}", status=404, archived="true")


@pytest.mark.parametrize(("policy", "status"), [("unknown", 201), ("always", 400)])
def test_whether_a_privacy_deletion_blocks_a_known_address_is_a_switch(hubspot, policy, status):
    hubspot.set(gdpr_blocks=policy)
    hubspot.contact(email="a@example.com")
    hubspot.post(f"{CONTACTS}/gdpr-delete", {"objectId": "a@example.com", "idProperty": "email"}, 204)
    hubspot.post(CONTACTS, {"properties": {"email": "a@example.com"}}, status)


@pytest.mark.parametrize("merge_id", ["new", "primary"])
def test_a_record_is_merged_at_most_250_times(hubspot, merge_id):
    hubspot.set(merge_id=merge_id)
    kept = hubspot.make("companies", name="A")["id"]
    rows = [{"properties": {"name": f"C{n}"}} for n in range(100)]
    ids = [
        row["id"]
        for _ in range(3)
        for row in hubspot.post("/crm/v3/objects/companies/batch/create", {"inputs": rows}, 201)["results"]
    ]
    for other in ids[:250]:
        hubspot.world.clock.advance(0.002)
        kept = hubspot.post("/crm/v3/objects/companies/merge", {"primaryObjectId": kept, "objectIdToMerge": other})[
            "id"
        ]
    body = {"primaryObjectId": kept, "objectIdToMerge": ids[250]}
    assert "at most 250" in hubspot.post("/crm/v3/objects/companies/merge", body, 400)["message"]


def test_a_merge_beyond_250_identities_is_a_414(hubspot):
    one, two = hubspot.contact(email="one@example.com")["id"], hubspot.contact(email="two@example.com")["id"]
    for id_, many in ((one, 130), (two, 130)):
        others = ";".join(f"{id_}.{n}@example.com" for n in range(many))
        hubspot.side.edit("contacts", id_, {"hs_additional_emails": others}, False, "person")
    hubspot.post(f"{CONTACTS}/merge", {"primaryObjectId": one, "objectIdToMerge": two}, 414)
    assert hubspot.get(f"{CONTACTS}/{two}")["id"] == two
