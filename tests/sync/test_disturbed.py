"""A whole sync under every ready-made plan of disturbance, and under each shape of refusal: it ends in equality."""

from __future__ import annotations

import pytest

from sync_platform.sandbox.fault_presets import presets
from tests.sync.desk import wait_for, written
from tests.sync.test_trouble import edit_everywhere, healed

WORLD = {"customers": 6, "tickets": 6}


def under(desk, plan, hits_min):
    """First load and edits while the plan stands, then its end."""
    desk.call("PUT", "/faults", plan)
    for _ in range(8):
        complete = desk.sync()["complete"]
        desk.advance(700)
        if complete:
            break
    if len(desk.trios("ticket")) > 2 and len(desk.trios("customer")) > 4:
        edit_everywhere(desk, "storm")
    desk.advance(700)
    desk.sync()
    assert desk.hits() >= hits_min
    desk.faults()
    wait_for(lambda: nothing_waits(desk), 90)
    healed(desk)
    desk.advance(7200)
    assert written(desk.cycle()) == 0


def nothing_waits(desk):
    """A write that was refused is tried again up to a minute later, by the wall's clock."""
    desk.sync()
    return desk.ledger("SELECT count(*) FROM intent WHERE state = 'planned'") == [(0,)]


@pytest.mark.slow
@pytest.mark.parametrize("name", [row["name"] for row in presets() if row["name"] != "slow-network"])
def test_a_sync_under_each_preset_ends_in_equality(open_desk, name):
    under(open_desk(load=False, **WORLD), {"preset": name, "seed": 3}, 1)


@pytest.mark.slow
def test_slow_answers_and_bodies_that_dribble_in_cost_time_alone(open_desk):
    desk = open_desk(load=False, **WORLD)
    desk.faults(
        {"kind": "latency", "p50": 5, "p95": 30},
        {"kind": "slow", "share": 0.2, "ms": 300, "seed": 1},
    )
    assert desk.sync()["complete"]
    assert desk.hits() > 10
    healed(desk)


REFUSALS = {
    "429 of each vendor": [{"kind": "429", "every": 7, "times": 6}],
    "429 as documented": [{"kind": "429", "every": 7, "times": 6, "shape": "documented"}],
    "429 as recorded": [{"kind": "429", "every": 9, "times": 4, "shape": "recorded", "retry_after": None}],
    "429 empty": [{"kind": "429", "every": 9, "times": 4, "shape": "empty", "retry_after": None}],
    "429 as a page": [{"kind": "429", "every": 7, "times": 6, "shape": "html", "retry_after": 1}],
    "423 with a wait": [{"kind": "423", "every": 7, "times": 6, "retry_after": 2}],
    "423 as a page": [{"kind": "423", "every": 7, "times": 6, "shape": "html"}],
    "477 with a wait": [{"system": "hubspot", "kind": "477", "times": 4, "retry_after": 3}],
    "477 without a wait": [{"system": "hubspot", "kind": "477", "times": 4, "retry_after": None}],
    "5xx that landed": [{"kind": "5xx", "share": 0.15, "seed": 8, "status": 504, "landed": True}],
    "5xx in JSON": [{"kind": "5xx", "share": 0.15, "seed": 9, "status": 500, "body": "json"}],
    "a clock an hour behind": [{"kind": "clock", "share": 0.2, "seed": 10, "jump_s": -3600}],
    "a clock an hour ahead": [{"kind": "clock", "share": 0.2, "seed": 11, "jump_s": 3600}],
}


@pytest.mark.slow
@pytest.mark.parametrize("name", REFUSALS)
def test_a_sync_under_each_refusal_ends_in_equality(open_desk, name):
    under(open_desk(load=False, **WORLD), REFUSALS[name], 3)
