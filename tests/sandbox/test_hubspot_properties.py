"""Properties on HubSpot's twin: definitions, groups, values of every type, uniqueness, an admin's rules."""

import json

import pytest

from tests.sandbox.hubspot_account import CONTACTS, served_account

BASE = "/crm/v3/properties/contacts"


@pytest.fixture
def hubspot(tmp_path, serve_app):
    with served_account(tmp_path, serve_app) as account:
        yield account


def _property(name, type_="string", field="text", **more):
    return {"name": name, "label": name, "type": type_, "fieldType": field, "groupName": "contactinformation", **more}


def _options(*values):
    return [{"label": value.upper(), "value": value} for value in values]


def _codes(refused):
    return {row["name"]: row["error"] for row in json.loads(refused["message"].partition(": ")[2])}


def test_a_bool_needs_exactly_the_options_true_and_false(hubspot):
    for options in ([], _options("true"), _options("yes", "no"), _options("true", "false", "maybe")):
        refused = hubspot.post(BASE, _property("vip", "bool", "booleancheckbox", options=options), 400)
        assert refused["subCategory"] == "INVALID_BOOLEAN_OPTION"
    hubspot.post(BASE, _property("vip", "bool", "booleancheckbox", options=_options("true", "false")), 201)
    assert hubspot.contact(vip=True)["properties"]["vip"] == "true"
    assert _codes(hubspot.make("contacts", 400, vip="maybe")) == {"vip": "INVALID_OPTION"}


def test_patching_options_replaces_the_list_and_leaving_them_out_keeps_it(hubspot):
    hubspot.post(BASE, _property("tier", "enumeration", "select", options=_options("a", "b")), 201)
    kept = hubspot.call("PATCH", f"{BASE}/tier", {"label": "Level"})
    assert kept["label"] == "Level"
    assert [one["value"] for one in kept["options"]] == ["a", "b"]
    replaced = hubspot.call("PATCH", f"{BASE}/tier", {"options": _options("c")})
    assert [one["value"] for one in replaced["options"]] == ["c"]
    assert _codes(hubspot.make("contacts", 400, tier="a")) == {"tier": "INVALID_OPTION"}
    assert hubspot.contact(tier="c")["properties"]["tier"] == "c"


def test_creating_an_archived_property_again_restores_it_with_its_values(hubspot):
    hubspot.post(BASE, _property("tier"), 201)
    contact = hubspot.contact(tier="gold")
    hubspot.call("DELETE", f"{BASE}/tier", status=204)
    hubspot.get(f"{BASE}/tier", status=404)
    assert hubspot.get(BASE, archived="true")["results"][0]["name"] == "tier"
    assert "tier" not in hubspot.get(f"{CONTACTS}/{contact['id']}", properties="tier")["properties"]
    assert _codes(hubspot.make("contacts", 400, tier="x")) == {"tier": "PROPERTY_DOESNT_EXIST"}
    hubspot.post(BASE, _property("tier"), 201)
    assert hubspot.get(f"{CONTACTS}/{contact['id']}", properties="tier")["properties"]["tier"] == "gold"


def test_a_property_in_use_and_a_group_with_properties_cannot_be_archived(hubspot):
    hubspot.post(f"{BASE}/groups", {"name": "sync", "label": "Sync"}, 201)
    hubspot.post(f"{BASE}/groups", {"name": "sync", "label": "Sync"}, 409)
    hubspot.post(BASE, {**_property("key", hasUniqueValue=True), "groupName": "sync"}, 201)
    hubspot.post(BASE, _property("free"), 201)
    contact = hubspot.contact(key="k1", free="x")
    refused = hubspot.call("DELETE", f"{BASE}/key", status=400)
    assert refused["subCategory"] == "PropertyValidationError.CANNOT_DELETE_PROPERTY_IN_USE"
    refused = hubspot.call("DELETE", f"{BASE}/groups/sync", status=400)
    assert refused["subCategory"] == "GROUP_WITH_ACTIVE_PROPERTIES"
    hubspot.set(property_in_use="values")
    hubspot.call("DELETE", f"{BASE}/free", status=400)
    hubspot.set(property_in_use="unique_values")
    hubspot.call("DELETE", f"{BASE}/free", status=204)
    hubspot.call("DELETE", f"{CONTACTS}/{contact['id']}", status=204)
    hubspot.call("DELETE", f"{BASE}/key", status=204)
    hubspot.call("DELETE", f"{BASE}/groups/sync", status=204)
    hubspot.get(f"{BASE}/groups/sync", status=404)


def test_has_unique_value_is_settled_at_creation_and_patch_ignores_it(hubspot):
    hubspot.post(BASE, _property("key"), 201)
    assert hubspot.call("PATCH", f"{BASE}/key", {"hasUniqueValue": True})["hasUniqueValue"] is False
    hubspot.contact(key="k")
    hubspot.contact(key="k")


@pytest.mark.parametrize("policy", ["on", "off"])
def test_whether_notes_can_have_a_unique_property_is_a_switch(hubspot, policy):
    hubspot.set(unique_on_notes=policy)
    body = {**_property("key", hasUniqueValue=True), "groupName": "engagement"}
    hubspot.post("/crm/v3/properties/notes", body, 201 if policy == "on" else 400)


@pytest.mark.parametrize("status", [400, 409])
def test_the_status_of_a_unique_clash_is_a_switch(hubspot, status):
    hubspot.set(unique_clash_status=status)
    hubspot.post(BASE, _property("key", hasUniqueValue=True), 201)
    first = hubspot.contact(key="k")
    refused = hubspot.make("contacts", status, key="k")
    assert refused["context"]["existingId"] == [first["id"]]


def test_a_name_that_is_taken_is_a_409_and_a_207_row_in_a_batch(hubspot):
    hubspot.post(BASE, _property("tier"), 201)
    refused = hubspot.post(BASE, _property("tier"), 409)
    assert refused["message"] == "A property named 'tier' already exists."
    assert refused["category"] == "OBJECT_ALREADY_EXISTS"
    batch = hubspot.post(f"{BASE}/batch/create", {"inputs": [_property("tier"), _property("level")]}, 207)
    assert [row["name"] for row in batch["results"]] == ["level"]
    assert batch["errors"][0]["category"] == "OBJECT_ALREADY_EXISTS"
    read = hubspot.post(f"{BASE}/batch/read", {"archived": False, "inputs": [{"name": "tier"}, {"name": "x"}]}, 207)
    assert [row["name"] for row in read["results"]] == ["tier"]
    hubspot.post(f"{BASE}/batch/archive", {"inputs": [{"name": "tier"}, {"name": "x"}]}, 204)
    hubspot.get(f"{BASE}/tier", status=404)


@pytest.mark.parametrize("name", ["Tier", "1tier", "tier-2", "tier 2", "tiér", ""])
def test_a_name_is_lower_case_letters_digits_and_underscores(hubspot, name):
    hubspot.post(BASE, _property(name), 400)


def test_required_fields_and_known_types_are_checked(hubspot):
    for field in ("name", "label", "type", "fieldType", "groupName"):
        body = _property("tier")
        del body[field]
        assert field in hubspot.post(BASE, body, 400)["message"]
    hubspot.post(BASE, _property("tier", "money"), 400)
    hubspot.post(BASE, _property("tier", groupName="nowhere"), 400)


@pytest.mark.parametrize(
    ("type_", "field", "given", "stored"),
    [
        ("number", "number", 12, "12"),
        ("number", "number", "12.50", "12.5"),
        ("number", "number", "-0.10", "-0.1"),
        ("date", "date", "2026-02-28", "2026-02-28"),
        ("date", "date", "1772236800000", "2026-02-28"),
        ("datetime", "date", "1772236800123", "2026-02-28T00:00:00.123Z"),
        ("datetime", "date", "2026-02-28T01:00:00+01:00", "2026-02-28T00:00:00Z"),
        ("phone_number", "phonenumber", "+1 (555) 010-0000", "+1 (555) 010-0000"),
        ("string", "textarea", "x" * 65_536, "x" * 65_536),
        ("string", "text", True, "true"),
    ],
)
def test_values_take_the_form_of_their_type(hubspot, type_, field, given, stored):
    hubspot.post(BASE, _property("probe", type_, field), 201)
    assert hubspot.contact(probe=given)["properties"]["probe"] == stored


@pytest.mark.parametrize(
    ("type_", "field", "given", "code"),
    [
        ("number", "number", "1,000", "INVALID_INTEGER"),
        ("date", "date", "1772236800001", "INVALID_DATE"),
        ("date", "date", "28.02.2026", "INVALID_DATE"),
        ("date", "date", "2026-02-30", "INVALID_DATE"),
        ("datetime", "date", "tomorrow", "INVALID_LONG"),
        ("string", "text", "x" * 65_537, "VALUE_TOO_LONG"),
        ("string", "text", ["a"], "INVALID_VALUE"),
    ],
)
def test_values_that_a_type_does_not_take_are_refused_with_its_code(hubspot, type_, field, given, code):
    hubspot.post(BASE, _property("probe", type_, field), 201)
    assert _codes(hubspot.make("contacts", 400, probe=given)) == {"probe": code}


def test_a_leading_semicolon_appends_to_a_list_of_options(hubspot):
    hubspot.post(BASE, _property("likes", "enumeration", "checkbox", options=_options("a", "b", "c")), 201)
    contact = hubspot.contact(likes="a")
    path = f"{CONTACTS}/{contact['id']}"
    assert hubspot.call("PATCH", path, {"properties": {"likes": ";b;c"}})["properties"]["likes"] == "a;b;c"
    assert hubspot.call("PATCH", path, {"properties": {"likes": "b"}})["properties"]["likes"] == "b"


def test_an_owner_property_takes_ids_of_active_owners(hubspot):
    hubspot.post(
        BASE,
        _property("buddy", "enumeration", "select", externalOptions=True, referencedObjectType="OWNER"),
        201,
    )
    owner = hubspot.side.edit("owners", None, {"email": "ann@example.com", "firstName": "Ann"}, False, "admin")
    assert hubspot.contact(buddy=owner["id"])["properties"]["buddy"] == owner["id"]
    assert _codes(hubspot.make("contacts", 400, buddy=str(owner["userId"]))) == {"buddy": "INVALID_OPTION"}


def test_a_calculated_property_cannot_be_written(hubspot):
    body = _property("score", "number", "calculation_equation", calculationFormula="1 + 1")
    made = hubspot.post(BASE, body, 201)
    assert made["calculated"] is True
    assert made["modificationMetadata"]["readOnlyValue"] is True
    assert _codes(hubspot.make("contacts", 400, score="2")) == {"score": "READ_ONLY_VALUE"}


def test_the_lifecycle_stage_moves_forward_only_until_it_is_cleared(hubspot):
    path = f"{CONTACTS}/{hubspot.contact(lifecyclestage='customer')['id']}"
    for written, kept in (("lead", "customer"), ("evangelist", "evangelist"), ("", ""), ("lead", "lead")):
        hubspot.call("PATCH", path, {"properties": {"lifecyclestage": written}})
        assert hubspot.get(path, properties="lifecyclestage")["properties"]["lifecyclestage"] == kept


def test_the_search_twin_of_a_phone_number_is_calculated_without_country_code(hubspot):
    path = f"{CONTACTS}/{hubspot.contact(phone='+1 555 010 0000')['id']}"
    twin = "hs_searchable_calculated_phone_number"
    assert hubspot.get(path, properties=twin)["properties"][twin] == "5550100000"
    assert _codes(hubspot.make("contacts", 400, **{twin: "1"})) == {twin: "READ_ONLY_VALUE"}


def test_a_rule_that_an_admin_sets_makes_a_valid_write_a_lasting_400(hubspot):
    contact = hubspot.contact(email="a@example.com")
    path = f"{CONTACTS}/{contact['id']}"
    hubspot.side.edit("rules", None, {"objectType": "contacts", "property": "phone"}, False, "admin")
    refused = hubspot.make("contacts", 400, email="b@example.com")
    assert _codes(refused) == {"phone": "MISSING_REQUIRED_PROPERTY"}
    assert refused["errors"][0]["code"] == "MISSING_REQUIRED_PROPERTY"
    rows = {"inputs": [{"properties": {"email": "b@example.com"}, "objectWriteTraceId": "t"}]}
    assert hubspot.post(f"{CONTACTS}/batch/create", rows, 207)["numErrors"] == 1
    hubspot.call("PATCH", path, {"properties": {"firstname": "Ada"}})
    hubspot.call("PATCH", path, {"properties": {"phone": ""}}, 400)
    hubspot.set(validation_rules_on_change="whole_record")
    hubspot.call("PATCH", path, {"properties": {"firstname": "Bea"}}, 400)
    hubspot.contact(email="b@example.com", phone="555")
    hubspot.side.edit("rules", "contacts.phone", {}, True, "admin")
    hubspot.contact(email="c@example.com")


def test_a_conditional_rule_has_its_own_code(hubspot):
    rule = {"objectType": "contacts", "property": "phone", "when": {"lifecyclestage": "customer"}}
    made = hubspot.side.edit("rules", None, rule, False, "admin")
    assert hubspot.side.state("rules", None, 10)[0] == [made]
    hubspot.contact(firstname="Ada")
    refused = hubspot.make("contacts", 400, lifecyclestage="customer")
    assert _codes(refused) == {"phone": "MISSING_CONDITIONAL_REQUIRED_PROPERTY"}
    hubspot.call("DELETE", f"{BASE}/tier", status=404)


def test_a_kind_has_at_most_a_thousand_custom_properties(hubspot):
    for start in range(0, 1000, 100):
        rows = [_property(f"p{n}") for n in range(start, start + 100)]
        hubspot.post(f"{BASE}/batch/create", {"inputs": rows}, 201)
    assert "1000" in hubspot.post(BASE, _property("one_more"), 400)["message"]
    hubspot.call("DELETE", f"{BASE}/p7", status=204)
    hubspot.post(BASE, _property("one_more"), 201)
