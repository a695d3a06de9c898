"""Association labels and the v4 association calls of HubSpot's twin."""

import pytest

from tests.sandbox.hubspot_account import served_account

LABELS = "/crm/v4/associations/contacts/tickets/labels"


@pytest.fixture
def hubspot(tmp_path, serve_app):
    with served_account(tmp_path, serve_app) as account:
        yield account


def _label(hubspot, name="reporter", path=LABELS, **more):
    made = hubspot.post(path, {"label": name.capitalize(), "name": name, **more})
    return [row["typeId"] for row in made["results"]]


def _types(hubspot, a, id_, b):
    rows = hubspot.get(f"/crm/v4/objects/{a}/{id_}/associations/{b}")["results"]
    return {
        row["toObjectId"]: sorted(((one["category"], one["label"]) for one in row["associationTypes"]), key=str)
        for row in rows
    }


def test_a_label_has_an_id_in_each_direction_and_is_listed_beside_hubspots_own(hubspot):
    there, back = _label(hubspot, inverseLabel="Reported by")
    assert there != back
    listed = hubspot.get(LABELS)["results"]
    assert listed == [
        {"category": "HUBSPOT_DEFINED", "typeId": 15, "label": None},
        {"category": "USER_DEFINED", "typeId": there, "label": "Reporter"},
    ]
    reverse = hubspot.get("/crm/associations/2026-09/tickets/contacts/labels")["results"]
    assert {"category": "USER_DEFINED", "typeId": back, "label": "Reported by"} in reverse


def test_setting_a_label_also_makes_the_unlabelled_association_in_both_directions(hubspot):
    there, _ = _label(hubspot, inverseLabel="Reported by")
    contact, ticket = hubspot.contact(firstname="Ada")["id"], hubspot.ticket(subject="Hi")["id"]
    spec = [{"associationCategory": "USER_DEFINED", "associationTypeId": there}]
    path = f"/crm/v4/objects/contacts/{contact}/associations/tickets/{ticket}"
    assert hubspot.call("PUT", path, spec, 201)["labels"] == ["Reporter"]
    assert _types(hubspot, "contacts", contact, "tickets") == {
        int(ticket): [("HUBSPOT_DEFINED", None), ("USER_DEFINED", "Reporter")]
    }
    assert _types(hubspot, "tickets", ticket, "contacts") == {
        int(contact): [("HUBSPOT_DEFINED", None), ("USER_DEFINED", "Reported by")]
    }
    hubspot.call("PUT", path, [{**spec[0], "associationCategory": "HUBSPOT_DEFINED"}], 400)
    one = {"from": {"id": contact}, "to": {"id": ticket}, "types": spec}
    hubspot.post("/crm/v4/associations/contacts/tickets/batch/labels/archive", {"inputs": [one]}, 204)
    assert _types(hubspot, "contacts", contact, "tickets") == {int(ticket): [("HUBSPOT_DEFINED", None)]}
    hubspot.call("DELETE", path, status=204)
    assert _types(hubspot, "contacts", contact, "tickets") == {}


def test_a_label_is_renamed_and_deleted_with_its_associations(hubspot):
    there, back = _label(hubspot)
    contact, ticket = hubspot.contact(firstname="Ada")["id"], hubspot.ticket(subject="Hi")["id"]
    spec = [{"associationCategory": "USER_DEFINED", "associationTypeId": there}]
    one = {"from": {"id": contact}, "to": {"id": ticket}, "types": spec}
    hubspot.post("/crm/v4/associations/contacts/tickets/batch/create", {"inputs": [one]}, 201)
    change = {"associationTypeId": there, "label": "Opener", "inverseLabel": "Opened by"}
    hubspot.call("PUT", LABELS, change, 204)
    assert ("USER_DEFINED", "Opener") in _types(hubspot, "contacts", contact, "tickets")[int(ticket)]
    assert ("USER_DEFINED", "Opened by") in _types(hubspot, "tickets", ticket, "contacts")[int(contact)]
    hubspot.call("DELETE", f"{LABELS}/{there}", status=204)
    assert _types(hubspot, "tickets", ticket, "contacts") == {int(contact): [("HUBSPOT_DEFINED", None)]}
    assert back not in [row["typeId"] for row in hubspot.get("/crm/v4/associations/tickets/contacts/labels")["results"]]
    hubspot.call("DELETE", f"{LABELS}/{there}", status=404)


def test_hubspots_own_types_cannot_be_changed(hubspot):
    hubspot.call("PUT", LABELS, {"associationTypeId": 15, "label": "x"}, 400)
    hubspot.call("DELETE", f"{LABELS}/15", status=400)


def test_labels_are_limited_in_number_and_unique_in_name(hubspot):
    hubspot.set(labels_max=2)
    _label(hubspot, "one")
    hubspot.post(LABELS, {"label": "One", "name": "other"}, 400)
    _label(hubspot, "two")
    assert "at most 2" in hubspot.post(LABELS, {"label": "Three", "name": "three"}, 400)["message"]
    hubspot.post(LABELS, {"label": "No name"}, 400)


def test_a_label_between_records_of_one_kind_may_be_the_same_both_ways(hubspot):
    path = "/crm/v4/associations/contacts/contacts/labels"
    (type_id,) = _label(hubspot, "friend", path)
    one, two = (hubspot.contact(firstname=name)["id"] for name in ("Ada", "Bea"))
    spec = [{"associationCategory": "USER_DEFINED", "associationTypeId": type_id}]
    hubspot.call("PUT", f"/crm/v4/objects/contacts/{one}/associations/contacts/{two}", spec, 201)
    for left, right in ((one, two), (two, one)):
        assert ("USER_DEFINED", "Friend") in _types(hubspot, "contacts", left, "contacts")[int(right)]


def test_a_primary_company_also_makes_the_unlabelled_one_and_there_is_one(hubspot):
    ticket = hubspot.ticket(subject="Hi")["id"]
    first, second = (hubspot.make("companies", name=name)["id"] for name in ("A", "B"))
    spec = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 26}]
    for company in (first, second):
        hubspot.call("PUT", f"/crm/v4/objects/tickets/{ticket}/associations/companies/{company}", spec, 201)
    assert _types(hubspot, "tickets", ticket, "companies") == {
        int(first): [("HUBSPOT_DEFINED", None)],
        int(second): [("HUBSPOT_DEFINED", "Primary"), ("HUBSPOT_DEFINED", None)],
    }
    rows = hubspot.get(f"/crm/v4/objects/companies/{second}/associations/tickets")["results"]
    assert sorted(one["typeId"] for one in rows[0]["associationTypes"]) == [25, 340]


def test_association_batches_take_2000_writes_and_1000_reads(hubspot):
    base = "/crm/v4/associations/contacts/tickets/batch"
    row = {"from": {"id": "1"}, "to": {"id": "2"}}
    for verb in ("create", "associate/default", "archive", "labels/archive"):
        hubspot.post(f"{base}/{verb}", {"inputs": [row] * 2001}, 400)
    hubspot.post(f"{base}/read", {"inputs": [{"id": "1"}] * 1001}, 400)
    hubspot.post(f"{base}/read", {"inputs": [{"id": "1"}] * 1000}, 207)


def test_associations_of_one_record_page_by_500(hubspot):
    ticket = hubspot.ticket(subject="Hi")["id"]
    rows = [{"properties": {"firstname": f"P{n}"}} for n in range(100)]
    ids = [
        made["id"]
        for _ in range(6)
        for made in hubspot.post("/crm/v3/objects/contacts/batch/create", {"inputs": rows}, 201)["results"]
    ]
    inputs = [{"from": {"id": id_}, "to": {"id": ticket}} for id_ in ids]
    hubspot.post("/crm/v4/associations/contacts/tickets/batch/associate/default", {"inputs": inputs})
    path = f"/crm/v4/objects/tickets/{ticket}/associations/contacts"
    hubspot.get(path, status=400, limit=501)
    first = hubspot.get(path)
    assert len(first["results"]) == 500
    last = hubspot.http.get(first["paging"]["next"]["link"]).json()
    seen = [row["toObjectId"] for row in first["results"] + last["results"]]
    assert sorted(seen) == sorted(map(int, ids))
    read = hubspot.post("/crm/v4/associations/tickets/contacts/batch/read", {"inputs": [{"id": ticket}]})
    after = read["results"][0]["paging"]["next"]["after"]
    again = {"inputs": [{"id": ticket, "after": after}]}
    rest = hubspot.post("/crm/v4/associations/tickets/contacts/batch/read", again)
    assert len(rest["results"][0]["to"]) == 100
