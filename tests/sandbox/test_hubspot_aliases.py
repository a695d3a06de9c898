"""The versions of HubSpot's paths: the same calls under v3, v4 and the dated segments, and where they differ."""

import pytest

from tests.sandbox.hubspot_account import CONTACTS, served_account

VERSIONS = ("v3", "2025-09", "2026-03", "2026-09")


@pytest.fixture
def hubspot(tmp_path, serve_app):
    with served_account(tmp_path, serve_app) as account:
        yield account


def _old_or_new(area, version):
    return f"/crm/v3/{area}" if version == "v3" else f"/crm/{area}/{version}"


@pytest.mark.parametrize("version", VERSIONS)
def test_records_are_the_same_under_every_version(hubspot, version):
    base = f"{_old_or_new('objects', version)}/contacts"
    made = hubspot.post(base, {"properties": {"email": "a@example.com"}}, 201)
    assert hubspot.get(f"{base}/{made['id']}")["properties"]["email"] == "a@example.com"
    changed = hubspot.call("PATCH", f"{base}/{made['id']}", {"properties": {"firstname": "Ada"}})
    assert changed["properties"]["firstname"] == "Ada"
    assert hubspot.post(f"{base}/search", {"filterGroups": []})["total"] == 1
    assert hubspot.get(CONTACTS)["results"][0]["id"] == made["id"]
    hubspot.call("DELETE", f"{base}/{made['id']}", status=204)


def test_v4_object_paths_list_records_too(hubspot):
    ticket = hubspot.ticket(subject="Hi")
    assert hubspot.get("/crm/v4/objects/tickets", properties="subject")["results"][0]["id"] == ticket["id"]


@pytest.mark.parametrize("version", VERSIONS)
def test_settings_are_the_same_under_every_version(hubspot, version):
    assert hubspot.get(f"{_old_or_new('properties', version)}/contacts/email")["name"] == "email"
    assert hubspot.get(f"{_old_or_new('pipelines', version)}/tickets")["results"][0]["id"] == "0"
    assert hubspot.get(_old_or_new("owners", version))["results"] == []
    assert hubspot.get(f"{_old_or_new('owners', version)}/")["results"] == []
    assert hubspot.get(f"/account-info/{version}/details")["portalId"] == hubspot.side.portal_id


@pytest.mark.parametrize("prefix", ["/crm/v4/objects", "/crm/objects/2026-03", "/crm/objects/2026-09"])
def test_associations_of_a_record_are_the_same_under_every_version(hubspot, prefix):
    contact, ticket = hubspot.contact(firstname="Ada")["id"], hubspot.ticket(subject="Hi")["id"]
    base = f"{prefix}/contacts/{contact}/associations"
    hubspot.call("PUT", f"{base}/default/tickets/{ticket}")
    assert hubspot.get(f"{base}/tickets")["results"][0]["toObjectId"] == int(ticket)
    hubspot.call("DELETE", f"{base}/tickets/{ticket}", status=204)
    assert hubspot.get(f"{base}/tickets")["results"] == []


@pytest.mark.parametrize(
    "base",
    ["/crm/v4/associations", "/crm/associations/v4", "/crm/associations/2026-03", "/crm/associations/2026-09"],
)
def test_association_batches_and_labels_are_the_same_under_every_version(hubspot, base):
    contact, ticket = hubspot.contact(firstname="Ada")["id"], hubspot.ticket(subject="Hi")["id"]
    pair = {"inputs": [{"from": {"id": contact}, "to": {"id": ticket}}]}
    hubspot.post(f"{base}/contacts/tickets/batch/associate/default", pair)
    read = hubspot.post(f"{base}/contacts/tickets/batch/read", {"inputs": [{"id": contact}]})
    assert read["results"][0]["to"][0]["toObjectId"] == int(ticket)
    assert hubspot.get(f"{base}/contacts/tickets/labels")["results"][0]["typeId"] == 15


@pytest.mark.parametrize("version", ["v3", "2026-03"])
def test_until_2026_03_a_batch_names_errors_only_where_there_are_some(hubspot, version):
    base = f"{_old_or_new('objects', version)}/contacts/batch/create"
    good = hubspot.post(base, {"inputs": [{"properties": {"firstname": "Ada"}}]}, 201)
    assert "errors" not in good
    assert "numErrors" not in good


def test_2026_09_has_errors_in_the_one_schema_of_a_batch(hubspot):
    base = "/crm/objects/2026-09/contacts/batch"
    good = hubspot.post(f"{base}/create", {"inputs": [{"properties": {"firstname": "Ada"}}]}, 201)
    assert (good["numErrors"], good["errors"]) == (0, [])
    assert "warnings" not in good
    missing = {"inputs": [{"id": "5"}], "properties": []}
    assert hubspot.post(f"{base}/read", missing, 207)["numErrors"] == 1
    hubspot.set(batch_status_2026_09="plain")
    assert hubspot.post(f"{base}/read", missing, 200)["numErrors"] == 1
    assert hubspot.post("/crm/objects/2026-03/contacts/batch/read", missing, 207)["numErrors"] == 1


def test_the_limits_of_custom_properties_are_told_by_dated_paths_only(hubspot):
    body = {"name": "tier", "label": "Tier", "type": "string", "fieldType": "text", "groupName": "contactinformation"}
    hubspot.post("/crm/v3/properties/contacts", body, 201)
    told = hubspot.get("/crm/limits/2026-09/custom-properties")
    assert (told["overallLimit"], told["overallUsage"]) == (10_000, 1)
    (contacts,) = [row for row in told["byObjectType"] if row["objectTypeId"] == "0-1"]
    assert (contacts["limit"], contacts["usage"]) == (1_000, 1)
    assert hubspot.http.get("/crm/v3/limits/custom-properties").status_code in (404, 405, 501)


def test_ids_are_left_out_of_the_call_log_and_types_stay(hubspot):
    id_ = hubspot.contact(firstname="Ada")["id"]
    hubspot.get(f"/crm/objects/2026-09/contacts/{id_}")
    hubspot.get(f"/crm/v4/objects/contacts/{id_}/associations/tickets")
    seen = {row["path"] for row in hubspot.world.calls.summary()["by"]}
    assert "/crm/objects/2026-09/contacts/{id}" in seen
    assert "/crm/v4/objects/contacts/{id}/associations/tickets" in seen


def test_a_handler_that_breaks_answers_a_counted_500_in_hubspots_envelope(hubspot, monkeypatch, caplog):
    def broken(*_args):
        raise RuntimeError("somebody@example.com")

    monkeypatch.setattr(hubspot.side._objects, "page", broken)
    answer = hubspot.get(CONTACTS, status=500)
    assert answer["status"] == "error"
    assert answer["correlationId"]
    by = {(row["path"], row["status"]): row["count"] for row in hubspot.world.calls.summary()["by"]}
    assert by[CONTACTS, 500] == 1
    assert "RuntimeError" in caplog.text
    assert "somebody" not in caplog.text
