"""Facts of HubSpot's API that no other module shows, one a test: access, errors, reads, batches, values, merges."""

import json

import httpx
import pytest

from sync_platform.sandbox.hubspot.system import HubSpotSandbox
from sync_platform.sandbox.world import World
from tests.sandbox.conftest import served
from tests.sandbox.hubspot_account import CONTACTS, TICKETS, Account

AUTHENTICATION = (
    "Authentication credentials not found. This API supports OAuth 2.0 authentication and you can find more details at "
    "https://developers.hubspot.com/docs/methods/auth/oauth-overview"
)
PROPERTIES = "/crm/v3/properties/contacts"


@pytest.fixture(scope="module")
def hubspot(tmp_path_factory):
    world = World(tmp_path_factory.mktemp("facts"), seed=1, rate_scale=100_000)
    side = HubSpotSandbox(world)
    world.switches.update({"hubspot.property_delay_s": 0, "hubspot.search_lag_s": 0})
    headers = {"authorization": f"Bearer {side.credentials()['access_token']}"}
    with served(side.app()) as url, httpx.Client(base_url=url, headers=headers) as client:
        yield Account(world, side, client)
    side.close()


@pytest.fixture
def lacking(hubspot):
    """Call with scopes that the token is to lack until the test ends."""
    yield lambda *scopes: hubspot.set(missing_scopes=",".join(scopes))
    hubspot.set(missing_scopes="")


def _property(name, kind="contacts", **more):
    group = {"contacts": "contactinformation", "products": "productinformation"}[kind]
    return {"name": name, "label": name, "type": "string", "fieldType": "text", "groupName": group, **more}


def _codes(refused):
    return {row["name"]: row["error"] for row in json.loads(refused["message"].partition(": ")[2])}


# access


def test_a_401_has_the_recorded_words(hubspot):
    answer = httpx.get(f"{hubspot.http.base_url}{CONTACTS}")
    assert answer.status_code == 401
    body = answer.json()
    assert body.pop("correlationId") == answer.headers["x-hubspot-correlation-id"]
    assert body == {"status": "error", "message": AUTHENTICATION, "category": "INVALID_AUTHENTICATION"}


def test_every_answer_is_json_with_a_charset_and_a_correlation_id(hubspot):
    made = hubspot.http.post(CONTACTS, json={"properties": {"firstname": "Ada"}})
    read = hubspot.http.get(made.headers["location"])
    assert read.json()["id"] == made.json()["id"]
    ids = {answer.headers["x-hubspot-correlation-id"] for answer in (made, read, hubspot.http.get(f"{CONTACTS}/5"))}
    assert len(ids) == 3
    assert {answer.headers["content-type"] for answer in (made, read)} == {"application/json;charset=utf-8"}


def test_the_token_names_its_region_and_a_private_app_tells_its_scopes(hubspot):
    token = hubspot.side.credentials()["access_token"]
    assert token.startswith("pat-na1-")
    info = hubspot.post("/oauth/v2/private-apps/get/access-token-info", {"tokenKey": token})
    assert (info["hubId"], info["appId"]) == (hubspot.side.portal_id, hubspot.side.app_id)
    assert {"crm.objects.contacts.read", "crm.schemas.companies.write", "tickets"} <= set(info["scopes"])


def test_notes_and_activities_are_covered_by_the_contacts_scopes(hubspot, lacking):
    lacking("crm.objects.contacts.read")
    for kind in ("notes", "calls"):
        hubspot.get(f"/crm/v3/objects/{kind}", status=403)
    hubspot.get("/crm/v3/objects/companies")


def test_creating_a_property_needs_the_schema_scope_of_its_kind(hubspot, lacking):
    lacking("crm.schemas.contacts.write")
    refused = hubspot.post(PROPERTIES, _property("scoped"), 403)
    assert refused["errors"][0]["context"]["requiredGranularScopes"] == ["crm.schemas.contacts.write"]
    hubspot.get(PROPERTIES)
    lacking("crm.schemas.contacts.read")
    hubspot.get(PROPERTIES, status=403)
    hubspot.post(PROPERTIES, _property("scoped"), 201)


def test_owners_need_a_scope_of_their_own(hubspot, lacking):
    lacking("crm.objects.owners.read")
    assert hubspot.get("/crm/v3/owners/", status=403)["category"] == "MISSING_SCOPES"
    hubspot.get("/crm/v3/pipelines/tickets")


def test_there_is_no_conditional_write(hubspot):
    id_ = hubspot.contact(firstname="Ada")["id"]
    read = hubspot.http.get(f"{CONTACTS}/{id_}")
    assert not {"etag", "last-modified"} & set(read.headers)
    stale = {"if-match": '"0"', "if-unmodified-since": "Thu, 01 Jan 1970 00:00:00 GMT", "idempotency-key": "k"}
    for name in ("Bea", "Cleo"):
        hubspot.call("PATCH", f"{CONTACTS}/{id_}", {"properties": {"firstname": name}}, headers=stale)
    assert hubspot.get(f"{CONTACTS}/{id_}")["properties"]["firstname"] == "Cleo"


# errors


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"{}", "Invalid input JSON: some of required attributes are not set [properties]"),
        (b'{"properties": {', "Invalid input JSON on line 1, column 17: "),
        (b'{"properties":\n{"zip" 1}}', "Invalid input JSON on line 2, column 8: "),
    ],
)
def test_a_body_that_is_no_record_says_where_it_is_wrong(hubspot, body, words):
    answer = hubspot.http.post(CONTACTS, content=body)
    assert answer.status_code == 400
    assert answer.json()["message"].startswith(words)


def test_a_refused_value_is_json_inside_the_message(hubspot):
    refused = hubspot.make("contacts", 400, nope="1")
    words, _, listed = refused["message"].partition(": ")
    assert words == "Property values were not valid"
    assert json.loads(listed) == [
        {
            "isValid": False,
            "message": 'Property "nope" does not exist',
            "error": "PROPERTY_DOESNT_EXIST",
            "name": "nope",
            "localizedErrorMessage": 'Property "nope" does not exist',
            "portalId": hubspot.side.portal_id,
        }
    ]
    assert refused["errors"] == [
        {
            "message": 'Property "nope" does not exist',
            "code": "PROPERTY_DOESNT_EXIST",
            "context": {"propertyName": ["nope"]},
        }
    ]


@pytest.mark.parametrize(
    ("kind", "props", "code", "message"),
    [
        ("contacts", {"email": "foo"}, "INVALID_EMAIL", "Email address foo is invalid"),
        (
            "contacts",
            {"hs_object_id": "5"},
            "READ_ONLY_VALUE",
            '"hs_object_id" is a read only property; its value cannot be set.',
        ),
        ("contacts", {"hs_language": "xx"}, "INVALID_OPTION", "xx was not one of the allowed options: [label: "),
        ("notes", {"hs_timestamp": "tomorrow"}, "INVALID_LONG", "tomorrow was not a valid long."),
        ("line_items", {"price": "many"}, "INVALID_INTEGER", "many was not a valid"),
        ("tickets", {"subject": "x"}, "REQUIRED_PROPERTY", 'Property "hs_pipeline_stage" is required'),
    ],
)
def test_each_code_of_a_refused_value_has_its_words(hubspot, kind, props, code, message):
    refused = hubspot.make(kind, 400, **props)
    (row,) = json.loads(refused["message"].partition(": ")[2])
    assert (row["error"], refused["category"]) == (code, "VALIDATION_ERROR")
    assert row["message"].startswith(message)


def test_a_wrong_direction_names_the_type_ids_that_are_expected(hubspot):
    contact, ticket = hubspot.contact(firstname="Ada")["id"], hubspot.ticket(subject="Hi")["id"]
    wrong = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 15}]
    path = f"/crm/v4/objects/tickets/{ticket}/associations/contacts/{contact}"
    assert "[16]" in hubspot.call("PUT", path, wrong, 400)["message"]
    body = {"properties": {"hs_pipeline_stage": "1"}, "associations": [{"to": {"id": contact}, "types": wrong}]}
    assert "expected one of [16, " in hubspot.post(TICKETS, body, 400)["message"]


def test_an_address_that_is_too_long_is_a_414(hubspot):
    names = ",".join(["firstname"] * 1_000)
    hubspot.get(f"{CONTACTS}", properties=names)
    hubspot.get(f"{CONTACTS}", status=414, properties=names + names)
    read = {"inputs": [{"id": hubspot.contact(firstname="Ada")["id"]}], "properties": ["firstname"] * 2_000}
    hubspot.post(f"{CONTACTS}/batch/read", read)


# reads


def test_properties_are_repeated_or_separated_by_commas(hubspot):
    id_ = hubspot.contact(firstname="Ada", lastname="Byron", zip="1")["id"]
    for query in ("properties=firstname,zip", "properties=firstname&properties=zip", "properties=firstname%2Czip"):
        props = hubspot.call("GET", f"{CONTACTS}/{id_}?{query}")["properties"]
        assert (props["firstname"], props["zip"], "lastname" in props) == ("Ada", "1", False)


@pytest.mark.parametrize(
    ("kind", "given", "names"),
    [
        ("contacts", {"zip": "1"}, "createdate email firstname hs_object_id lastmodifieddate lastname"),
        ("companies", {"city": "X"}, "name domain createdate hs_lastmodifieddate hs_object_id"),
        (
            "tickets",
            {"hs_pipeline_stage": "1"},
            """content createdate hs_lastmodifieddate hs_object_id hs_pipeline hs_pipeline_stage hs_ticket_category
            hs_ticket_priority subject""",
        ),
        ("notes", {"hs_timestamp": "1000"}, "hs_createdate hs_lastmodifieddate hs_object_id"),
    ],
)
def test_a_read_that_names_no_properties_gets_the_kinds_own(hubspot, kind, given, names):
    id_ = hubspot.make(kind, **given)["id"]
    assert set(hubspot.get(f"/crm/v3/objects/{kind}/{id_}")["properties"]) == set(names.split())


def test_a_time_without_a_fraction_is_written_without_one(hubspot):
    ticket = hubspot.ticket(subject="Old", createdate="0", closed_date="1500")
    assert ticket["createdAt"] == "1970-01-01T00:00:00Z"
    assert ticket["properties"]["closed_date"] == "1970-01-01T00:00:01.500Z"


def test_cleared_is_empty_and_never_set_is_null_in_writes_and_searches_too(hubspot):
    id_ = hubspot.contact(firstname="Unset", zip="1")["id"]
    changed = hubspot.call("PATCH", f"{CONTACTS}/{id_}", {"properties": {"zip": ""}})
    assert changed["properties"]["zip"] == ""
    group = [{"filters": [{"propertyName": "hs_object_id", "operator": "EQ", "value": id_}]}]
    (row,) = hubspot.post(f"{CONTACTS}/search", {"filterGroups": group, "properties": ["zip", "city"]})["results"]
    assert (row["properties"]["zip"], row["properties"]["city"]) == ("", None)


def test_flags_come_in_any_case_and_lists_go_on_past_any_number(hubspot):
    ids = [hubspot.make("line_items", name=f"L{n}")["id"] for n in range(12)]
    first = hubspot.get("/crm/v3/objects/line_items", archived="False")
    assert [row["id"] for row in first["results"]] == ids[:10]
    assert int(first["paging"]["next"]["after"]) > 10_000  # an id, not an offset: there is no cap to reach
    rest = hubspot.get("/crm/v3/objects/line_items", after=ids[10])
    assert [row["id"] for row in rest["results"]] == ids[10:]


def test_an_archived_record_is_read_with_the_flag_alone(hubspot):
    id_ = hubspot.contact(firstname="Ada")["id"]
    hubspot.call("DELETE", f"{CONTACTS}/{id_}", status=204)
    hubspot.get(f"{CONTACTS}/{id_}", status=404)
    assert hubspot.get(f"{CONTACTS}/{id_}", archived="true")["archived"] is True
    read = {"inputs": [{"id": id_}], "properties": []}
    hubspot.post(f"{CONTACTS}/batch/read", read, 207)
    assert hubspot.post(f"{CONTACTS}/batch/read?archived=true", read)["results"][0]["id"] == id_


def test_a_record_is_read_and_changed_by_a_unique_property(hubspot):
    id_ = hubspot.contact(email="unique@example.com")["id"]
    assert hubspot.get(f"{CONTACTS}/Unique@example.com", idProperty="email")["id"] == id_
    path = f"{CONTACTS}/unique@example.com?idProperty=email"
    assert hubspot.call("PATCH", path, {"properties": {"zip": "1"}})["id"] == id_
    hubspot.get(f"{CONTACTS}/Ada", status=400, idProperty="firstname")


# batches


def test_a_batch_read_never_returns_associations(hubspot):
    contact, ticket = hubspot.contact(firstname="Ada")["id"], hubspot.ticket(subject="Hi")["id"]
    hubspot.call("PUT", f"/crm/v4/objects/contacts/{contact}/associations/default/tickets/{ticket}")
    read = {"inputs": [{"id": contact}], "properties": [], "associations": ["tickets"]}
    (row,) = hubspot.post(f"{CONTACTS}/batch/read?associations=tickets", read)["results"]
    assert "associations" not in row


@pytest.mark.parametrize("verb", ["create", "read", "update", "upsert", "archive"])
def test_a_batch_takes_a_hundred_inputs(hubspot, verb):
    inputs = [{"id": str(n), "idProperty": "email", "properties": {}} for n in range(101)]
    refused = hubspot.post(f"{CONTACTS}/batch/{verb}", {"inputs": inputs}, 400)
    assert "100" in refused["message"]
    inputs = [{"properties": {"firstname": "Ada"}} for _ in range(100)]
    if verb == "create":
        assert len(hubspot.post(f"{CONTACTS}/batch/create", {"inputs": inputs}, 201)["results"]) == 100


def test_a_conflict_without_trace_ids_refuses_the_whole_batch_with_409(hubspot):
    hubspot.contact(email="there@example.com")
    rows = [{"properties": {"email": address}} for address in ("free@example.com", "there@example.com")]
    assert hubspot.post(f"{CONTACTS}/batch/create", {"inputs": rows}, 409)["category"] == "CONFLICT"
    hubspot.get(f"{CONTACTS}/free@example.com", status=404, idProperty="email")


@pytest.mark.parametrize("traces", [["t", None], ["t", "t"], ["t", ""]])
def test_trace_ids_count_only_when_each_row_has_one_of_its_own(hubspot, traces):
    rows = [
        {"properties": {"email": address}} | ({} if trace is None else {"objectWriteTraceId": trace})
        for address, trace in zip(("traced@example.com", "odd"), traces, strict=True)
    ]
    hubspot.post(f"{CONTACTS}/batch/create", {"inputs": rows}, 400)
    hubspot.get(f"{CONTACTS}/traced@example.com", status=404, idProperty="email")


def test_a_bad_property_refuses_a_whole_batch_update_without_trace_ids(hubspot):
    one, two = (hubspot.contact(firstname=name)["id"] for name in ("Ada", "Bea"))
    rows = [{"id": one, "properties": {"firstname": "X"}}, {"id": two, "properties": {"nope": "1"}}]
    hubspot.post(f"{CONTACTS}/batch/update", {"inputs": rows}, 400)
    assert hubspot.get(f"{CONTACTS}/{one}")["properties"]["firstname"] == "Ada"
    traced = [{**row, "objectWriteTraceId": f"t{n}"} for n, row in enumerate(rows)]
    answer = hubspot.post(f"{CONTACTS}/batch/update", {"inputs": traced}, 207)
    assert [row["id"] for row in answer["results"]] == [one]


def test_a_207_counts_groups_of_errors_and_names_every_missing_id(hubspot):
    id_ = hubspot.contact(firstname="Ada")["id"]
    read = {"inputs": [{"id": one} for one in (id_, "1", "2", "3")], "properties": []}
    answer = hubspot.post(f"{CONTACTS}/batch/read", read, 207)
    assert (answer["numErrors"], answer["errors"][0]["context"]["ids"]) == (1, ["1", "2", "3"])
    words = "Could not get some CONTACT objects, they may be deleted or not exist. Check that ids are valid."
    assert (answer["errors"][0]["category"], answer["errors"][0]["message"]) == ("OBJECT_NOT_FOUND", words)


def test_a_batch_reads_and_updates_by_an_own_unique_property(hubspot):
    hubspot.post(PROPERTIES, _property("batch_key", hasUniqueValue=True), 201)
    id_ = hubspot.contact(batch_key="K-1")["id"]
    read = {"inputs": [{"id": "K-1"}], "idProperty": "batch_key", "properties": ["batch_key"]}
    assert hubspot.post(f"{CONTACTS}/batch/read", read)["results"][0]["id"] == id_
    rows = [{"id": "K-1", "idProperty": "batch_key", "properties": {"firstname": "Ada"}}]
    assert hubspot.post(f"{CONTACTS}/batch/update", {"inputs": rows})["results"][0]["id"] == id_


def test_an_upsert_takes_its_id_property_from_each_input_or_from_the_query(hubspot):
    hubspot.post(PROPERTIES, _property("upsert_key", hasUniqueValue=True), 201)
    row = {"id": "U-1", "properties": {"firstname": "Ada"}}
    made = hubspot.post(f"{CONTACTS}/batch/upsert", {"inputs": [{**row, "idProperty": "upsert_key"}]})["results"]
    again = hubspot.post(f"{CONTACTS}/batch/upsert?idProperty=upsert_key", {"inputs": [row]})["results"]
    assert (made[0]["new"], again[0]["new"], again[0]["id"]) == (True, False, made[0]["id"])
    hubspot.post(f"{CONTACTS}/batch/upsert", {"inputs": [row]}, 400)


def test_companies_may_share_a_domain(hubspot):
    ids = {hubspot.make("companies", name="A", domain="shared.example.com")["id"] for _ in range(2)}
    assert len(ids) == 2


# merges


def test_a_merged_contact_lists_its_old_ids_and_when_they_ended(hubspot):
    one, two = (hubspot.contact(firstname=name)["id"] for name in ("Ada", "Bea"))
    survivor = hubspot.post(f"{CONTACTS}/merge", {"primaryObjectId": one, "objectIdToMerge": two})["properties"]
    assert survivor["hs_merged_object_ids"] == f"{one};{two}"
    assert {one, two} <= set(survivor["hs_all_contact_vids"].split(";"))
    ended = dict(part.split(":") for part in survivor["hs_calculated_merged_vids"].split(";"))
    now_ms = hubspot.world.clock.now().timestamp() * 1000
    assert set(ended) == {one, two}
    assert all(now_ms - 60_000 < int(at_ms) <= now_ms for at_ms in ended.values())


# properties and values


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("contacts", "createdate"),
        ("contacts", "hs_object_id"),
        ("contacts", "associatedcompanyid"),
        ("tickets", "hs_ticket_id"),
        ("tickets", "hs_lastmodifieddate"),
        ("companies", "hs_lastmodifieddate"),
    ],
)
def test_what_can_not_be_written_says_so_in_its_metadata(hubspot, kind, name):
    told = hubspot.get(f"/crm/v3/properties/{kind}/{name}")
    assert told["modificationMetadata"]["readOnlyValue"] is True
    assert _codes(hubspot.make(kind, 400, **{name: "5"}))[name] == "READ_ONLY_VALUE"


def test_properties_are_listed_without_pages_and_have_no_batch_update(hubspot):
    listed = hubspot.get(PROPERTIES, limit=5)
    assert len(listed["results"]) > 25
    assert "paging" not in listed
    hubspot.post(f"{PROPERTIES}/batch/update", {"inputs": [{"name": "zip"}]}, 404)


def test_products_can_not_have_a_unique_property(hubspot):
    path = "/crm/v3/properties/products"
    hubspot.post(path, _property("key", "products", hasUniqueValue=True), 400)
    hubspot.post(path, _property("key", "products"), 201)


@pytest.mark.parametrize(
    ("type_", "field"),
    [
        ("date", "date"),
        ("datetime", "date"),
        ("enumeration", "checkbox"),
        ("enumeration", "radio"),
        ("enumeration", "select"),
        ("number", "number"),
        ("number", "calculation_equation"),
        ("phone_number", "phonenumber"),
        ("string", "file"),
        ("string", "html"),
        ("string", "textarea"),
    ],
)
def test_types_and_field_types_are_those_of_the_table(hubspot, type_, field):
    name = f"kind_{type_}_{field}"
    made = hubspot.post(PROPERTIES, _property(name, type=type_, fieldType=field), 201)
    assert (made["type"], made["fieldType"], made["hubspotDefined"]) == (type_, field, False)
    hubspot.post(PROPERTIES, _property(f"{name}_x", type=type_, fieldType="slider"), 400)


def test_a_note_holds_65536_characters_and_has_no_unique_property_of_its_own(hubspot):
    time = {"hs_timestamp": "2026-01-05T10:00:00Z"}
    hubspot.make("notes", **time, hs_note_body="x" * 65_536)
    hubspot.make("notes", 400, **time, hs_note_body="x" * 65_537)
    hubspot.make("notes", 400, hs_note_body="when?")
    rows = hubspot.get("/crm/v3/properties/notes")["results"]
    assert not any(row["hasUniqueValue"] for row in rows)


def test_attachments_and_owner_of_a_note_are_plain_values(hubspot):
    owner = hubspot.side.edit("owners", None, {"email": "ann@example.com", "firstName": "Ann"}, False, "admin")["id"]
    given = {"hs_timestamp": "1000", "hs_attachment_ids": "12;13", "hubspot_owner_id": owner}
    props = hubspot.make("notes", **given)["properties"]
    assert (props["hs_attachment_ids"], props["hubspot_owner_id"]) == ("12;13", owner)
