"""The history of a single field is asked for where it can decide a conflict, and nowhere else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sync_platform.core.histories import ask_of
from sync_platform.core.merge import merge
from sync_platform.core.policy import Rule
from tests.core.harness import E, G, H, owned, rules_of, with_field

NOON = datetime(2026, 3, 8, 12, tzinfo=UTC)
NEWEST = owned("title", (G, H, E), rules=(Rule("newest"), Rule("rank", order=(G, H, E))))
OWNER = owned("title", (G, H, E), rules=(Rule("owner", order=(G,)), Rule("newest"), Rule("rank", order=(G, H, E))))


def at(minute):
    return NOON + timedelta(minutes=minute)


def conflict(policy, gorgias, hubspot):
    """Both changed the title; each was entered between these minutes by its own clock."""
    bench = with_field(policy).settled_on("title", "old")
    for system, value, (since, until) in ((G, "g", gorgias), (H, "h", hubspot)):
        bench.cell(system, "title").move(value, at(since), at(until))
        bench.link(system).stamp = at(until)
    return bench


def judged(bench, *, may_ask=True, histories=None):
    scene = bench.scene()
    scene.may_ask = may_ask
    scene.histories = histories or {}
    merged = merge(scene)
    bench.number = scene.next_number
    return merged


def hubspots(bench):
    return next(one for one in bench.links.values() if one.system == H)


def test_spans_that_touch_wait_for_the_history_and_nothing_is_judged_meanwhile():
    bench = conflict(NEWEST, (0, 10), (5, 20))
    merged = judged(bench)
    assert merged.asks == [(hubspots(bench).id, "title", '"h"')]
    assert merged.decisions == []
    assert bench.cell(H, "title").changed
    assert bench.cell(G, "title").changed
    assert bench.record.fields["title"] == "old"
    assert bench.owes() == {}


@pytest.mark.parametrize(("minute", "winner"), [(15, "h"), (11, "h"), (10, "g"), (6, "g")])
def test_the_moment_decides_where_it_leaves_no_doubt(minute, winner):
    bench = conflict(NEWEST, (0, 10), (5, 20))
    (ask,) = judged(bench).asks
    merged = judged(bench, histories={ask: [("h", at(minute).isoformat()), ("old", at(-50).isoformat())]})
    assert rules_of(merged.decisions) == [("title", "newest" if winner == "h" else "rank")]
    assert bench.record.fields["title"] == winner
    assert {c.since for c in merged.decisions[0].claims if c.system == H} == {at(minute).isoformat()}


@pytest.mark.parametrize("told", [None, [], [("else", at(15).isoformat())]], ids=["failed", "empty", "moved on"])
def test_without_an_answer_the_stamps_must_do(told):
    bench = conflict(NEWEST, (0, 10), (5, 20))
    (ask,) = judged(bench).asks
    merged = judged(bench, histories={ask: told})
    assert rules_of(merged.decisions) == [("title", "rank")]
    assert merged.asks == []


def test_nothing_is_asked_where_the_stamps_leave_no_doubt_or_a_rule_before_decides():
    assert judged(conflict(NEWEST, (0, 10), (15, 20))).asks == []
    assert judged(conflict(OWNER, (0, 10), (5, 20))).asks == []


def test_nothing_is_asked_that_could_not_decide():
    """Gorgias may have been edited at any time up to after the last moment that HubSpot could name."""
    assert judged(conflict(NEWEST, (0, 30), (5, 20))).asks == []


def test_what_must_be_judged_at_once_is_judged_by_the_stamps():
    bench = conflict(NEWEST, (0, 10), (5, 20))
    assert rules_of(judged(bench, may_ask=False).decisions) == [("title", "rank")]


def test_one_changed_side_asks_nothing():
    bench = with_field(NEWEST).settled_on("title", "old")
    bench.cell(H, "title").move("h", at(0), at(10))
    assert judged(bench).asks == []
    assert ask_of(bench.scene().claim(hubspots(bench), "title"), "title") == (2, "title", '"h"')
