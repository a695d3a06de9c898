"""Two records that turn out to be one wait as a plan: seen before, approved by a person, moved back by `link`."""

from __future__ import annotations

import json

import pytest

from sync_platform.errors import BadInput
from sync_platform.sync import desk as at
from sync_platform.sync import merge_plan, plans, relink
from tests.sync.desk import written

WHO = "kim"


def two_who_share_a_phone(world, number):
    """Somebody new in the ERP and somebody new in HubSpot with one phone: (ERP id, HubSpot id, the open review)."""
    phone = f"+1212555{number}"
    erp = world.edit("erp", "customers", None, full_name="Robin Quill", email=f"rq{number}@example.com", phone=phone)
    hubspot = world.edit(
        "hubspot", "contacts", None, firstname="Robin", lastname="Quill", email=f"r{number}@example.org", phone=phone
    )
    world.settled()
    waiting = [one for one in at.reviews(world.settings)["reviews"] if one["kind"] in ("twin", "ambiguous")]
    return str(erp["id"]), str(hubspot["id"]), waiting[-1]


def record_of(world, system, external_id):
    found = "SELECT record_id FROM link WHERE system = :s AND external_id = :i AND entity = 'customer'"
    return world.ledger(found, s=system, i=external_id)[0][0]


def joined(world, one, into, **options):
    return merge_plan.draft(world.settings, one, into, who=WHO, **options)


def summary_of(world, plan):
    return json.loads(world.ledger("SELECT summary FROM plan WHERE id = :plan", plan=plan)[0][0])


def test_a_merge_waits_as_a_plan_and_is_carried_out_as_it_was_shown(shared_desk):
    world = shared_desk
    erp, hubspot, waiting = two_who_share_a_phone(world, 4001)
    keep, goes = record_of(world, "erp", erp), record_of(world, "hubspot", hubspot)
    before = {system: len(world.entity(system, "customer")) for system in ("gorgias", "hubspot", "erp")}
    world.forget_calls()
    found = joined(world, goes, keep, review=waiting["id"])
    assert world.calls() == {}
    assert found["links"] == 1
    links = [one for one in found["counts"] if one["verb"] == plans.LINKS]
    assert links == [{"system": "hubspot", "verb": "link", "field": "*", "count": 1}]
    shown = {(one["system"], one["field"]) for one in found["counts"] if one["verb"] == "update"}
    assert ("hubspot", "email") in shown
    assert "4001" not in json.dumps(found)
    assert written(world.later(7200)) == 0, "a plan that nobody approved does nothing"
    assert record_of(world, "hubspot", hubspot) == goes
    plans.approve(world.settings, found["plan"], who=WHO, why="the same person")
    summary = world.later(7200)
    assert (summary["plans"], summary["held"]) == ([], [])
    world.settled()
    assert summary_of(world, found["plan"])["refused"] == []
    assert record_of(world, "hubspot", hubspot) == keep
    assert world.row("hubspot", "customer", hubspot)["properties"]["email"] == "rq4001@example.com"
    assert at.review(world.settings, waiting["id"])["state"] == "resolved"
    assert before == {system: len(world.entity(system, "customer")) for system in before}, "nothing came, nothing went"
    acts = [tuple(row) for row in world.ledger("SELECT verb, who, why FROM act")]
    assert ("link", WHO, "the same person") in acts
    relink.link(world.settings, f"customer:hubspot:{hubspot}", goes)
    world.settled()
    assert record_of(world, "hubspot", hubspot) == goes, "the ledger takes it back"


def test_what_moved_between_plan_and_approval_is_refused_as_a_whole(shared_desk):
    world = shared_desk
    erp, hubspot, waiting = two_who_share_a_phone(world, 4003)
    keep, goes = record_of(world, "erp", erp), record_of(world, "hubspot", hubspot)
    found = joined(world, goes, keep)
    world.edit("hubspot", "contacts", hubspot, lastname="Quillfeather")
    world.later(7200)
    plans.approve(world.settings, found["plan"], who=WHO)
    world.later(7200)
    assert record_of(world, "hubspot", hubspot) == goes
    reasons = {one["reason"] for one in summary_of(world, found["plan"])["refused"]}
    assert reasons == {"hubspot shows something else since"}
    assert at.review(world.settings, waiting["id"])["state"] == "open"


def test_a_dropped_merge_changes_nothing_and_the_question_stays(shared_desk):
    world = shared_desk
    erp, hubspot, waiting = two_who_share_a_phone(world, 4005)
    found = joined(world, record_of(world, "hubspot", hubspot), record_of(world, "erp", erp))
    plans.drop(world.settings, found["plan"], who=WHO)
    assert written(world.later(7200)) == 0
    assert record_of(world, "hubspot", hubspot) != record_of(world, "erp", erp)
    assert at.review(world.settings, waiting["id"])["state"] == "open"


def test_what_cannot_be_one_is_not_planned(shared_desk):
    person = next(iter(shared_desk.trios("customer")))
    ticket = next(iter(shared_desk.trios("ticket")))
    for one in (ticket, person):
        with pytest.raises(BadInput, match="not two records of one kind"):
            joined(shared_desk, one, person)
