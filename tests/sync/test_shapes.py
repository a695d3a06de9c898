"""The objects that commands print: keys and kinds of values on which others rely."""

from __future__ import annotations

import json

import pytest

from sync_platform.errors import NotFound
from sync_platform.sync.preview import plan
from sync_platform.sync.setup import doctor
from sync_platform.sync.status import status
from sync_platform.sync.why import why
from tests.sync.desk import SYSTEMS

ENTITIES = {"customer", "ticket"}


def test_sync_has_its_shape(shared_desk):
    body = shared_desk.first_load
    assert json.loads(json.dumps(body)) == body
    assert set(body) >= {"run", "complete", "outcome", "seconds", "systems", "entities", "errors"}
    assert body["outcome"] in {"ok", "partial", "failed", "skipped"}
    assert set(body["systems"]) == set(SYSTEMS)
    for system in body["systems"].values():
        assert set(system) >= {"calls", "lower_bound", "ratio", "rate_limited", "waited_s"}
        assert set(system["calls"]) == {"read", "write"}
    assert set(body["entities"]) == ENTITIES
    for entity in body["entities"].values():
        assert set(entity) >= {
            "observed",
            "created",
            "updated",
            "deleted",
            "reverted",
            "conflicts",
            "in_review",
            "parked",
        }
        for verb in ("created", "updated", "deleted"):
            assert set(entity[verb]) == set(SYSTEMS)


def test_a_sync_says_how_long_its_writes_were_blind_to_edits(open_desk):
    desk = open_desk()
    desk.settled()
    ids = next(iter(desk.trios("customer").values()))
    desk.edit("erp", "customers", ids["erp"], note="Seen a moment ago")
    told = desk.later()["systems"]
    assert told["gorgias"]["read_to_write_s"]["updates"] >= 1
    assert told["erp"]["read_to_write_s"] is None
    for system in ("gorgias", "hubspot"):
        window = told[system]["read_to_write_s"]
        assert 0 <= window["median"] <= window["p95"] <= window["max"] < 300


def test_errors_of_a_sync_have_their_shape(open_desk):
    desk = open_desk()
    desk.switch(hubspot__missing_scopes="tickets,crm.objects.tickets.read,crm.objects.tickets.write")
    body = desk.later()
    assert body["errors"]
    for error in body["errors"]:
        assert set(error) >= {"system", "entity", "code", "count", "remedy"}


def test_plan_has_its_shape(shared_desk):
    body = plan(shared_desk.settings)
    assert json.loads(json.dumps(body)) == body
    assert set(body) >= {"plan", "would_write", "calls", "seconds_estimated", "counts", "items", "items_truncated"}
    assert set(body["calls"]) == set(body["counts"]) == set(SYSTEMS)
    assert all(set(verbs) == {"create", "update", "delete"} for verbs in body["counts"].values())


def test_verify_has_its_shape_and_values_only_when_asked_for(open_desk):
    from sync_platform.sync.verify import verify

    desk = open_desk()
    desk.settled()
    ids = next(iter(desk.trios("customer").items()))[1]
    desk.edit("erp", "customers", ids["erp"], note="Only here")
    body = verify(desk.settings)
    assert json.loads(json.dumps(body)) == body
    assert body["equal"] is False
    for entity in body["entities"].values():
        assert set(entity) >= {"records", "fields_compared", "fields_differ", "missing", "doubled", "in_review"}
        assert set(entity["missing"]) == set(entity["doubled"]) == set(SYSTEMS)
    assert [one["field"] for one in body["differences"]] == ["note"]
    assert set(body["differences"][0]) >= {"record", "field"}
    assert "Only here" not in json.dumps(body)
    assert "Only here" in json.dumps(verify(desk.settings, show_values=True))


def test_verify_finds_what_is_missing_and_what_is_doubled_on_its_own(open_desk):
    desk = open_desk()
    desk.settled()
    desk.assert_equal()
    people = [ids for _, ids in list(desk.trios("customer").items())]
    desk.call(
        "POST",
        "/edit",
        {"system": "hubspot", "kind": "contacts", "id": people[0]["hubspot"], "set": {}, "delete": True},
    )
    desk.edit(
        "erp",
        "customers",
        None,
        full_name="Twice",
        email=desk.row("erp", "customer", people[1]["erp"])["email"] or "x@example.org",
    )
    desk.edit("gorgias", "customers", None, name="Unknown to all", email="unknown@example.org")
    found = desk.verify()
    assert found["equal"] is False
    assert found["entities"]["customer"]["missing"]["hubspot"] >= 1
    assert found["entities"]["customer"]["doubled"]["erp"] == 1
    assert found["entities"]["customer"]["unlinked"]["gorgias"] == 1


def test_status_has_its_shape(shared_desk):
    body = status(shared_desk.settings)
    assert json.loads(json.dumps(body)) == body
    assert set(body) >= {"target", "writes", "systems", "entities", "inbox", "lease", "last_run"}
    assert (body["target"], body["writes"], body["lease"], body["inbox"]) == ("sandbox", "on", None, 0)
    for system in body["systems"].values():
        assert set(system) >= {"account", "lag_s", "budget"}
        assert set(system["budget"]) >= {"limit", "window_s", "used"}
        assert system["lag_s"] >= 0
    for entity in body["entities"].values():
        assert set(entity) >= {"records", "links", "pending", "in_review", "parked"}
    assert body["entities"]["customer"]["pending"] == 0


def test_why_has_its_shape_for_a_field_and_for_all(shared_desk):
    record, ids = next(iter(shared_desk.trios("customer").items()))
    one = why(shared_desk.settings, record, "name")
    assert json.loads(json.dumps(one)) == one
    assert set(one) >= {"record", "field", "value", "from", "rule", "policy", "lost", "written"}
    assert set(one["from"]) >= {"system", "id", "observation", "at"}
    assert ids[one["from"]["system"]] == one["from"]["id"]
    every = why(shared_desk.settings, record)
    assert {story["field"] for story in every} >= {"name", "credit_status"}
    for story in every:
        for lost in story["lost"]:
            assert set(lost) >= {"system", "value", "at"}
        for write in story["written"]:
            assert set(write) >= {"system", "intent", "state", "at"}


def test_why_finds_a_record_by_every_name_that_people_use(shared_desk):
    record, ids = next(
        (record, ids)
        for record, ids in list(shared_desk.trios("customer").items())
        if shared_desk.row("erp", "customer", ids["erp"])["email"]
    )
    erp = shared_desk.row("erp", "customer", ids["erp"])
    names = [record, f"customer:{erp['email'].upper()}", f"customer:erp:{ids['erp']}", f"customer:{erp['customer_no']}"]
    for name in names:
        assert why(shared_desk.settings, name, "name")["record"] == record
    ticket, ticket_ids = next(iter(shared_desk.trios("ticket").items()))
    assert why(shared_desk.settings, f"ticket:gorgias:{ticket_ids['gorgias']}", "subject")["record"] == ticket
    with pytest.raises(NotFound) as unknown:
        why(shared_desk.settings, "customer:nobody@example.org")
    assert unknown.value.remedy


def test_doctor_finds_everything_in_order_in_a_world_that_was_set_up(shared_desk):
    found = doctor(shared_desk.settings)
    wrong = [(finding.name, finding.found) for finding in found if not finding.ok]
    assert wrong == []
    assert all(finding.name and isinstance(finding.found, str) for finding in found)
    assert {finding.name.split(".")[0] for finding in found} >= {*SYSTEMS, "ledger", "policy"}


def test_doctor_names_a_missing_right_with_its_remedy(open_desk):
    desk = open_desk(load=False)
    desk.switch(hubspot__missing_scopes="tickets,crm.objects.tickets.read,crm.objects.tickets.write")
    found = [finding for finding in doctor(desk.settings) if not finding.ok]
    assert found
    assert all(finding.name.startswith("hubspot") and finding.remedy for finding in found)
