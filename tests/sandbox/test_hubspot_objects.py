"""HubSpot's twin as raw HTTP: shapes, errors, batches, merges, history."""

import json
from dataclasses import dataclass

import httpx
import pytest

from sync_platform.sandbox.hubspot.system import HubSpotSandbox
from sync_platform.sandbox.world import World

CONTACTS = "/crm/v3/objects/contacts"
TICKETS = "/crm/v3/objects/tickets"


@dataclass
class Account:
    """A served HubSpot twin with a client that has its token."""

    world: World
    side: HubSpotSandbox
    http: httpx.Client

    def post(self, path, body, status=200):
        answer = self.http.post(path, json=body)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    def contact(self, **props):
        return self.post(CONTACTS, {"properties": props}, 201)

    def ticket(self, **props):
        return self.post(TICKETS, {"properties": {"hs_pipeline_stage": "1", **props}}, 201)

    def set(self, **switches):
        self.world.switches.update({f"hubspot.{name}": value for name, value in switches.items()})


@pytest.fixture
def hubspot(world, serve_app):
    side = HubSpotSandbox(world)
    world.switches.update({"hubspot.property_delay_s": 0, "hubspot.search_lag_s": 0})
    token = side.credentials()["access_token"]
    with httpx.Client(base_url=serve_app(side.app()), headers={"authorization": f"Bearer {token}"}) as client:
        yield Account(world, side, client)
    side.close()


def test_a_call_without_the_token_is_refused_in_hubspots_words(hubspot):
    answer = httpx.get(f"{hubspot.http.base_url}{CONTACTS}")
    assert answer.status_code == 401
    assert answer.json()["category"] == "INVALID_AUTHENTICATION"
    assert answer.json()["correlationId"] == answer.headers["x-hubspot-correlation-id"]


def test_a_missing_scope_is_named(hubspot):
    hubspot.set(missing_scopes="crm.objects.contacts.write")
    assert hubspot.http.get(CONTACTS).status_code == 200
    refused = hubspot.post(CONTACTS, {"properties": {"email": "a@example.com"}}, 403)
    assert refused["category"] == "MISSING_SCOPES"
    assert refused["errors"][0]["context"]["requiredGranularScopes"] == ["crm.objects.contacts.write"]


def test_values_come_back_as_strings_in_their_normal_form(hubspot):
    made = hubspot.http.post(CONTACTS, json={"properties": {"email": "  Ada.Byron@Example.COM ", "zip": 1234}})
    assert made.status_code == 201
    assert made.headers["location"].endswith(f"/contacts/{made.json()['id']}")
    assert made.headers["content-type"] == "application/json;charset=utf-8"
    props = made.json()["properties"]
    assert props["email"] == "ada.byron@example.com"
    assert props["zip"] == "1234"
    assert props["lifecyclestage"] == "lead"
    assert props["hs_object_source"] == "INTEGRATION"
    assert props["hs_object_source_id"] == str(hubspot.side.app_id)


def test_never_set_is_null_and_cleared_is_empty(hubspot):
    id_ = hubspot.contact(email="a@example.com", firstname="Ada")["id"]
    hubspot.http.patch(f"{CONTACTS}/{id_}", json={"properties": {"firstname": ""}}).raise_for_status()
    read = hubspot.http.get(f"{CONTACTS}/{id_}?properties=firstname,lastname&properties=nonsense").json()
    assert read["properties"]["firstname"] == ""
    assert read["properties"]["lastname"] is None
    assert set(read["properties"]) == {"firstname", "lastname", "hs_object_id", "createdate", "lastmodifieddate"}


def test_a_secondary_address_counts_as_taken(hubspot):
    first = hubspot.contact(email="a@example.com")["id"]
    put = hubspot.http.put(f"/contacts/v1/secondary-email/{first}/email/B@example.com")
    assert put.json()["secondary-emails"] == ["b@example.com"]
    clash = hubspot.post(CONTACTS, {"properties": {"email": "b@EXAMPLE.com"}}, 409)
    assert clash["category"] == "CONFLICT"
    assert clash["message"] == f"Contact already exists. Existing ID: {first}"
    other = hubspot.contact(email="c@example.com")["id"]
    moved = hubspot.http.patch(f"{CONTACTS}/{other}", json={"properties": {"email": "a@example.com"}})
    assert moved.status_code == 409
    assert hubspot.http.delete(f"/contacts/v1/secondary-email/{first}/email/b@example.com").status_code == 204
    assert hubspot.contact(email="b@example.com")["properties"]["email"] == "b@example.com"


def test_values_that_are_not_valid_are_listed_inside_the_message(hubspot):
    body = {"properties": {"email": "foo", "hs_language": "xx", "nope": "1", "hs_object_id": "5"}}
    refused = hubspot.post(CONTACTS, body, 400)
    listed = json.loads(refused["message"].partition(": ")[2])
    codes = {row["name"]: row["error"] for row in listed}
    assert codes == {
        "email": "INVALID_EMAIL",
        "hs_language": "INVALID_OPTION",
        "nope": "PROPERTY_DOESNT_EXIST",
        "hs_object_id": "READ_ONLY_VALUE",
    }
    assert refused["category"] == "VALIDATION_ERROR"
    assert len(refused["errors"]) == 3  # fewer than the message lists, as recorded
    hubspot.set(validation_errors_listed="all")
    assert len(hubspot.post(CONTACTS, body, 400)["errors"]) == 4


def test_a_list_pages_by_the_next_id_with_a_link_to_this_host(hubspot):
    ids = [hubspot.contact(firstname=f"P{n}")["id"] for n in range(5)]
    first = hubspot.http.get(CONTACTS, params={"limit": 2}).json()
    assert [row["id"] for row in first["results"]] == ids[:2]
    assert first["paging"]["next"]["after"] == ids[2]
    second = hubspot.http.get(first["paging"]["next"]["link"]).json()
    assert [row["id"] for row in second["results"]] == ids[2:4]
    last = hubspot.http.get(second["paging"]["next"]["link"]).json()
    assert [row["id"] for row in last["results"]] == ids[4:]
    assert "paging" not in last
    assert hubspot.http.get(CONTACTS, params={"limit": 101}).status_code == 400


@pytest.mark.parametrize("prefix", ["/crm/objects/2026-03", "/crm/objects/2026-09", "/crm/v4/objects"])
def test_dated_paths_serve_the_same(hubspot, prefix):
    id_ = hubspot.contact(firstname="Ada")["id"]
    assert hubspot.http.get(f"{prefix}/contacts/{id_}").json()["id"] == id_
    assert hubspot.http.get(f"{prefix}/0-1").json()["results"][0]["id"] == id_
    assert hubspot.http.get("/crm/properties/2026-09/tickets/subject").json()["name"] == "subject"


def test_unknown_types_and_ids_are_refused_as_recorded(hubspot):
    unknown = hubspot.http.get("/crm/v3/objects/butterflies")
    assert unknown.status_code == 400
    assert "category" not in unknown.json()
    assert unknown.json()["message"] == "Unable to infer object type from: butterflies"
    assert hubspot.http.get(f"{CONTACTS}/1").json()["message"] == "resource not found"
    odd = hubspot.http.get(f"{CONTACTS}/abc")
    assert odd.status_code == 404
    assert odd.json()["context"] == {"id": ["abc"]}
    assert hubspot.http.get("/crm/v3/nothing/here").status_code == 501  # not served, and said so


def test_an_archived_record_is_only_in_the_archived_list(hubspot):
    id_ = hubspot.contact(email="a@example.com")["id"]
    assert hubspot.http.delete(f"{CONTACTS}/{id_}").status_code == 204
    assert hubspot.http.get(f"{CONTACTS}/{id_}").status_code == 404
    assert hubspot.http.get(CONTACTS).json()["results"] == []
    (row,) = hubspot.http.get(CONTACTS, params={"archived": "True"}).json()["results"]
    assert row["id"] == id_
    assert row["archived"] is True
    assert row["archivedAt"]
    assert hubspot.contact(email="a@example.com")["id"] != id_
    assert hubspot.http.delete(f"{CONTACTS}/77").status_code == 204
    hubspot.set(delete_unknown=404)
    assert hubspot.http.delete(f"{CONTACTS}/77").status_code == 404


def test_history_tells_our_writes_from_those_of_people(hubspot):
    id_ = hubspot.contact(firstname="Ada")["id"]
    hubspot.side.edit("contacts", id_, {"firstname": "Adele"}, False, "person")
    hubspot.http.patch(f"{CONTACTS}/{id_}", json={"properties": {"firstname": "Adelheid"}}).raise_for_status()
    read = hubspot.http.get(f"{CONTACTS}/{id_}?propertiesWithHistory=firstname").json()
    entries = read["propertiesWithHistory"]["firstname"]
    assert [entry["value"] for entry in entries] == ["Adelheid", "Adele", "Ada"]
    assert [entry["sourceType"] for entry in entries] == ["INTEGRATION", "CRM_UI", "INTEGRATION"]
    assert entries[0]["sourceId"] == str(hubspot.side.app_id)
    assert entries[1]["sourceId"] == f"userId:{entries[1]['updatedByUserId']}"
    many = {"inputs": [{"id": str(n)} for n in range(51)], "properties": [], "propertiesWithHistory": ["firstname"]}
    assert "property histories is 50" in hubspot.post(f"{CONTACTS}/batch/read", many, 400)["message"]
    assert hubspot.http.get(f"{CONTACTS}?limit=51&propertiesWithHistory=firstname").status_code == 400


@pytest.mark.parametrize(
    ("policy", "bumps", "entries"), [("bump", True, 1), ("history", True, 2), ("nothing", False, 1)]
)
def test_writing_the_value_that_is_there_does_what_the_switch_says(hubspot, policy, bumps, entries):
    hubspot.set(same_value_write=policy)
    made = hubspot.contact(firstname="Ada")
    hubspot.world.clock.advance(10)
    path = f"{CONTACTS}/{made['id']}"
    changed = hubspot.http.patch(path, json={"properties": {"firstname": "Ada"}}).json()
    assert (changed["updatedAt"] > made["updatedAt"]) is bumps
    read = hubspot.http.get(f"{path}?propertiesWithHistory=firstname").json()
    assert len(read["propertiesWithHistory"]["firstname"]) == entries


def test_one_bad_row_refuses_a_batch_without_trace_ids_and_writes_nothing(hubspot):
    rows = [{"properties": {"email": "a@example.com"}}, {"properties": {"email": "bad"}}]
    assert hubspot.post(f"{CONTACTS}/batch/create", {"inputs": rows}, 400)["category"] == "VALIDATION_ERROR"
    assert hubspot.http.get(CONTACTS).json()["results"] == []


def test_trace_ids_let_the_good_rows_of_a_batch_land(hubspot):
    first = hubspot.contact(email="a@example.com")["id"]
    rows = [
        {"properties": {"email": email}, "objectWriteTraceId": f"t{n}"}
        for n, email in enumerate(["new@example.com", "A@example.com", "bad"])
    ]
    answer = hubspot.post(f"{CONTACTS}/batch/create", {"inputs": rows}, 207)
    assert [row["objectWriteTraceId"] for row in answer["results"]] == ["t0"]
    assert answer["numErrors"] == 2
    by_trace = {error["context"]["objectWriteTraceId"][0]: error for error in answer["errors"]}
    assert by_trace["t1"]["category"] == "CONFLICT"
    assert by_trace["t1"]["context"]["existingId"] == [first]
    assert first not in by_trace["t1"]["message"]
    assert by_trace["t2"]["category"] == "VALIDATION_ERROR"


def test_a_batch_update_names_unknown_ids_in_one_error_and_writes_the_rest(hubspot):
    id_ = hubspot.contact(firstname="Ada")["id"]
    rows = [{"id": one, "properties": {"firstname": "X"}} for one in (id_, "1", "2")]
    answer = hubspot.post(f"{CONTACTS}/batch/update", {"inputs": rows}, 207)
    assert [row["id"] for row in answer["results"]] == [id_]
    assert answer["numErrors"] == 1
    assert answer["errors"][0]["category"] == "OBJECT_NOT_FOUND"
    assert answer["errors"][0]["context"]["ids"] == ["1", "2"]
    twice = hubspot.post(f"{CONTACTS}/batch/update", {"inputs": rows[:1] * 2}, 400)
    assert twice["message"] == f"Duplicate IDs found in batch input: [{id_}]. IDs must be unique"
    assert hubspot.post(f"{CONTACTS}/batch/read", {"inputs": [{"id": str(n)} for n in range(101)]}, 400)


def test_an_upsert_by_an_own_unique_property_creates_and_changes(hubspot):
    prop = {"name": "sync_id", "label": "Sync id", "type": "string", "fieldType": "text"}
    body = {**prop, "groupName": "contactinformation", "hasUniqueValue": True}
    hubspot.post("/crm/v3/properties/contacts", body, 201)
    rows = [{"id": f"k{n}", "idProperty": "sync_id", "properties": {"firstname": f"P{n}"}} for n in range(20)]
    made = hubspot.post(f"{CONTACTS}/batch/upsert", {"inputs": rows})
    assert all(row["new"] for row in made["results"])
    assert [row["properties"]["sync_id"] for row in made["results"]] != [f"k{n}" for n in range(20)]  # shuffled
    again = hubspot.post(f"{CONTACTS}/batch/upsert", {"inputs": rows[:3]})
    assert not any(row["new"] for row in again["results"])
    odd = {"inputs": [{"id": "P1", "idProperty": "firstname", "properties": {}}]}
    refused = hubspot.post(f"{CONTACTS}/batch/upsert", odd, 400)
    assert refused["message"] == "Unable to perform update/upsert by non-unique 0-1 property firstname"
    read = hubspot.http.get(f"{CONTACTS}/k7?idProperty=sync_id&properties=firstname").json()
    assert read["properties"]["firstname"] == "P7"
    clash = hubspot.post(CONTACTS, {"properties": {"sync_id": "k7"}}, 400)
    assert "already has that value" in clash["message"]


def test_a_merge_gives_a_new_id_that_the_old_ones_lead_to(hubspot):
    into, from_ = (hubspot.contact(email=f"{name}@example.com", lastname=name) for name in ("a", "b"))
    ticket = hubspot.ticket(subject="Where is it?")
    path = f"/crm/v4/objects/tickets/{ticket['id']}/associations"
    assert hubspot.http.put(f"{path}/default/contacts/{from_['id']}").status_code == 200
    body = {"primaryObjectId": into["id"], "objectIdToMerge": from_["id"]}
    survivor = hubspot.post(f"{CONTACTS}/merge", body)
    assert survivor["id"] not in (into["id"], from_["id"])
    assert survivor["properties"]["hs_merged_object_ids"] == f"{into['id']};{from_['id']}"
    assert survivor["properties"]["hs_additional_emails"] == "b@example.com"
    for old in (into["id"], from_["id"]):
        assert hubspot.http.get(f"{CONTACTS}/{old}").json()["id"] == survivor["id"]
    gone = {"inputs": [{"id": into["id"], "properties": {"firstname": "X"}}]}
    assert hubspot.post(f"{CONTACTS}/batch/update", gone)["results"] == []
    assert hubspot.http.get(f"{CONTACTS}?archived=true").json()["results"] == []
    assert hubspot.http.get(f"{path}/contacts").json()["results"][0]["toObjectId"] == int(survivor["id"])


def test_a_merge_can_keep_the_primary_id(hubspot):
    hubspot.set(merge_id="primary")
    into, from_ = hubspot.contact(firstname="Ada"), hubspot.contact(firstname="Ad", lastname="Byron")
    body = {"primaryObjectId": into["id"], "objectIdToMerge": from_["id"]}
    survivor = hubspot.post(f"{CONTACTS}/merge", body)
    assert survivor["id"] == into["id"]
    assert (survivor["properties"]["firstname"], survivor["properties"]["lastname"]) == ("Ada", "Byron")
    assert hubspot.http.get(f"{CONTACTS}/{from_['id']}").json()["id"] == into["id"]


def test_a_privacy_deletion_leaves_nothing(hubspot):
    id_ = hubspot.contact(email="a@example.com", firstname="Ada")["id"]
    body = {"objectId": "a@example.com", "idProperty": "email"}
    assert hubspot.post(f"{CONTACTS}/gdpr-delete", body, 204) is None
    assert hubspot.http.get(f"{CONTACTS}/{id_}?archived=true").status_code == 404
    (row,), _ = hubspot.side.state("contacts", None, 10)
    assert row["deleted_at"]
    assert row["properties"] == {}


def test_a_closed_ticket_gets_its_close_date_and_a_stage_must_fit_its_pipeline(hubspot):
    ticket = hubspot.ticket(subject="Hi", createdate="2026-03-08T07:30:00Z")
    assert ticket["createdAt"] == "2026-03-08T07:30:00Z"
    assert ticket["properties"]["hs_pipeline"] == "0"
    path = f"{TICKETS}/{ticket['id']}"
    closed = hubspot.http.patch(path, json={"properties": {"hs_pipeline_stage": "4"}}).json()
    assert closed["properties"]["closed_date"]
    assert hubspot.http.patch(path, json={"properties": {"hs_pipeline_stage": "9"}}).status_code == 400
    assert hubspot.post(TICKETS, {"properties": {"subject": "no stage"}}, 400)["category"] == "VALIDATION_ERROR"


def test_associations_have_a_direction_and_bump_the_ticket(hubspot):
    contact, ticket = hubspot.contact(firstname="Ada"), hubspot.ticket(subject="Hi")
    hubspot.world.clock.advance(5)
    path = f"/crm/v4/objects/tickets/{ticket['id']}/associations/contacts/{contact['id']}"
    wrong = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 15}]
    assert hubspot.http.put(path, json=wrong).status_code == 400
    right = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 16}]
    assert hubspot.http.put(path, json=right).status_code == 201
    seen = hubspot.http.get(f"/crm/v4/objects/contacts/{contact['id']}/associations/tickets").json()["results"]
    assert seen == [
        {
            "toObjectId": int(ticket["id"]),
            "associationTypes": [{"category": "HUBSPOT_DEFINED", "typeId": 15, "label": None}],
        }
    ]
    assert hubspot.http.get(f"{TICKETS}/{ticket['id']}").json()["updatedAt"] > ticket["updatedAt"]
    listed = hubspot.http.get(f"{CONTACTS}?associations=tickets").json()["results"][0]
    assert listed["associations"]["tickets"]["results"] == [{"id": ticket["id"], "type": "contact_to_ticket"}]
    assert hubspot.http.delete(path).status_code == 204
    read = {"inputs": [{"id": ticket["id"]}]}
    none = hubspot.post("/crm/v4/associations/tickets/contacts/batch/read", read, 207)
    assert none["results"] == []
    assert none["errors"][0]["subCategory"] == "crm.associations.NO_ASSOCIATIONS_FOUND"


def test_a_record_is_created_with_its_associations_or_not_at_all(hubspot):
    contact = hubspot.contact(firstname="Ada")["id"]
    types = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 16}]
    body = {"properties": {"hs_pipeline_stage": "1"}, "associations": [{"to": {"id": contact}, "types": types}]}
    ticket = hubspot.post(TICKETS, body, 201)
    shown = hubspot.http.get(f"{TICKETS}/{ticket['id']}?associations=contacts").json()
    assert shown["associations"]["contacts"]["results"][0]["id"] == contact
    body["associations"][0]["to"]["id"] = "424242"
    refused = hubspot.post(TICKETS, body, 400)
    assert refused["context"]["INVALID_OBJECT_IDS"] == ["CONTACT=424242 is not valid"]
    assert len(hubspot.http.get(TICKETS).json()["results"]) == 1


def test_a_note_bumps_the_contact_it_is_logged_on(hubspot):
    contact = hubspot.contact(firstname="Ada")
    hubspot.world.clock.advance(5)
    types = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 202}]
    props = {"hs_timestamp": "2026-01-05T10:00:00Z", "hs_note_body": "<p>Called</p>"}
    body = {"properties": props, "associations": [{"to": {"id": contact["id"]}, "types": types}]}
    note = hubspot.post("/crm/v3/objects/notes", body, 201)
    assert note["properties"]["hs_timestamp"] == "2026-01-05T10:00:00Z"
    after = hubspot.http.get(f"{CONTACTS}/{contact['id']}?properties=num_notes").json()
    assert after["properties"]["num_notes"] == "1"
    assert after["updatedAt"] > contact["updatedAt"]


def test_a_new_property_is_there_after_its_delay(hubspot):
    hubspot.set(property_delay_s=30)
    body = {"name": "tier", "label": "Tier", "type": "number", "fieldType": "number", "groupName": "contactinformation"}
    made = hubspot.http.post("/crm/v3/properties/contacts", json=body)
    assert made.status_code == 201
    assert made.headers["location"].endswith("/contacts/tier")
    early = hubspot.post(CONTACTS, {"properties": {"tier": 1}}, 400)
    assert "PROPERTY_DOESNT_EXIST" in early["message"]
    assert (
        hubspot.post("/crm/v3/properties/contacts", body, 409)["subCategory"] == "Properties.PROPERTY_WITH_NAME_EXISTS"
    )
    hubspot.world.clock.advance(31)
    assert hubspot.contact(tier="12.50")["properties"]["tier"] == "12.5"


def test_at_most_ten_properties_are_unique(hubspot):
    for n in range(11):
        body = {"name": f"key{n}", "label": f"K{n}", "type": "string", "fieldType": "text"}
        body |= {"groupName": "ticketinformation", "hasUniqueValue": True}
        hubspot.post("/crm/v3/properties/tickets", body, 201 if n < 10 else 400)


def test_null_in_a_write_does_what_the_switch_says(hubspot):
    id_ = hubspot.contact(firstname="Ada")["id"]
    seen = {}
    for policy in ("ignore", "refuse", "clear"):
        hubspot.set(null_write=policy)
        answer = hubspot.http.patch(f"{CONTACTS}/{id_}", json={"properties": {"firstname": None}})
        value = hubspot.http.get(f"{CONTACTS}/{id_}").json()["properties"]["firstname"]
        seen[policy] = (answer.status_code, value)
    assert seen == {"ignore": (200, "Ada"), "refuse": (400, "Ada"), "clear": (200, "")}


def test_a_body_that_makes_no_sense_is_refused_and_never_breaks_the_server(hubspot):
    hubspot.world.rate_scale = 100
    bodies = (
        b"",
        b"null",
        b"[1]",
        b"\xff",
        b'{"inputs":[1]}',
        b'{"inputs":[{"id":"99999999999999999999","properties":{"firstname":[]}}]}',
        b'{"properties":[]}',
        b'{"filterGroups":[{"filters":[1]}]}',
        b'{"limit":-1}',
    )
    verbs = ("search", "merge", *(f"batch/{verb}" for verb in ("create", "read", "update", "upsert", "archive")))
    for path in (CONTACTS, *(f"{CONTACTS}/{verb}" for verb in verbs)):
        for body in bodies:
            answer = hubspot.http.post(path, content=body)
            allowed = (200, 400) if path.endswith("/search") else (204, 207, 400, 404)
            assert answer.status_code in allowed, (path, body, answer.text)
