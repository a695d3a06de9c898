"""A changed policy is a plan: counted before it is in force, approved by a person, exact in what it writes."""

from __future__ import annotations

import json
from importlib.resources import files

import pytest

from sync_platform.errors import Misconfigured, Rejected
from sync_platform.ledger import holds
from sync_platform.sync import acting, plans
from sync_platform.sync.offline import at_desk
from sync_platform.sync.policy_desk import plan
from tests.sync.desk import settings_of, written

TEXT = files("sync_platform").joinpath("policy.yaml").read_text(encoding="utf-8")
WORDS = {
    "normal: {gorgias: normal, hubspot: MEDIUM": "normal: {gorgias: normal, hubspot: HIGH",
    "high: {gorgias: high, hubspot: HIGH": "high: {gorgias: high, hubspot: MEDIUM",
}
WHO = "kim"


@pytest.fixture
def other(tmp_path):
    """HIGH and MEDIUM in HubSpot mean each other, under a brake that lets hardly anything pass."""
    text = TEXT
    for old, new in WORDS.items():
        assert old in text
        text = text.replace(old, new)
    path = tmp_path / "other.yaml"
    path.write_text(text.replace("absolute: 500", "absolute: 1").replace("share: 0.1", "share: 0.01"), encoding="utf-8")
    return path


def meant(desk):
    """Tickets of normal or high priority: what HubSpot is to show, by id there."""
    rows = desk.ledger(
        "SELECT link.external_id, record.fields FROM link JOIN record ON record.id = link.record_id"
        " WHERE link.system = 'hubspot' AND link.entity = 'ticket' AND link.state = 'active'"
    )
    words = {"normal": "HIGH", "high": "MEDIUM"}
    known = {one: json.loads(fields)["priority"] for one, fields in rows}
    return {one: words[priority] for one, priority in known.items() if priority in words}


def priorities(desk, ids):
    rows = desk.entity("hubspot", "ticket")
    return {one: rows[one]["properties"]["hs_ticket_priority"] for one in ids}


def in_force(desk, path):
    env = {"SYNC_POLICY": str(path)}
    desk.settings = settings_of(desk.ready, desk.root, env)


def said(hub, plan_id):
    """The word of somebody who saw the plan on a page as it is now."""
    with hub.ledger.read() as conn:
        return acting.Word(acting.plan_seen(conn, plan_id), WHO, "")


def test_a_changed_mapping_is_counted_without_a_call_and_written_as_approved(desk, other):
    ids = meant(desk)
    before = priorities(desk, ids)
    assert len(ids) > 3, "too few to be over the brake"
    desk.forget_calls()
    found = plan(desk.settings, other, who=WHO)
    assert desk.calls() == {}
    assert found["counts"] == [{"system": "hubspot", "verb": "update", "field": "priority", "count": len(ids)}]
    assert found["calls"]["hubspot"] > 0
    assert written(desk.later(7200)) == 0, "a plan that nobody approved does nothing"
    assert priorities(desk, ids) == before
    in_force(desk, other)
    assert written(desk.later(7200)) == 0, "a policy settles nothing again by itself"
    touched = next(iter(sorted(ids)))
    desk.edit("hubspot", "tickets", touched, hs_ticket_priority="LOW")
    plans.approve(desk.settings, found["plan"], who=WHO)
    summary = desk.later(7200)
    assert summary["held"] == [], "what was approved passes the brake"
    assert priorities(desk, ids) == ids | {touched: "LOW"}
    refused = desk.ledger("SELECT summary FROM plan WHERE id = :plan", plan=found["plan"])[0][0]
    assert len(json.loads(refused)["refused"]) == 1
    decided = desk.ledger("SELECT count(*) FROM decision WHERE cause = 'policy' AND field = 'priority'")[0][0]
    assert decided == len(ids) - 1
    desk.settled()
    desk.assert_equal()


def test_an_approval_before_the_policy_is_in_force_is_refused_and_the_plan_stays(desk, other):
    found = plan(desk.settings, other, who=WHO)
    with pytest.raises(Misconfigured, match="not in force") as caught:
        plans.approve(desk.settings, found["plan"], who=WHO)
    assert "SYNC_POLICY" in caught.value.remedy
    with at_desk(desk.settings) as hub, pytest.raises(Rejected, match="not in force"):
        acting.answer_plan(hub, found["plan"], holds.APPROVED, said(hub, found["plan"]))
    in_force(desk, other)
    assert plans.approve(desk.settings, found["plan"], who=WHO)["state"] == "approved"


def test_a_cycle_under_another_policy_than_the_approved_one_refuses_it_and_says_so(desk, other):
    ids = meant(desk)
    before, present = priorities(desk, ids), desk.settings
    found = plan(desk.settings, other, who=WHO)
    in_force(desk, other)
    plans.approve(desk.settings, found["plan"], who=WHO)
    desk.settings = present
    assert written(desk.later(7200)) == 0
    assert priorities(desk, ids) == before
    refused = json.loads(desk.ledger("SELECT summary FROM plan WHERE id = :plan", plan=found["plan"])[0][0])["refused"]
    assert len(refused) == len(ids)
    assert "set SYNC_POLICY first" in refused[0]["reason"]


def test_the_policy_in_force_asks_for_nothing(desk, tmp_path):
    path = tmp_path / "same.yaml"
    path.write_text(TEXT, encoding="utf-8")
    found = plan(desk.settings, path, who=WHO)
    assert (found["would_write"], found["counts"]) == (0, [])
    assert plans.waiting_lines({"plans": []}) == []
