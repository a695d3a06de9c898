"""Clock, switches, call log and the plan of faults."""

import asyncio
import json
import time
from datetime import UTC

import pytest

from sync_platform.sandbox.calls import SECONDS_KEPT
from sync_platform.sandbox.world import RING, Calls, Clock, Faults, Switches, World


def test_the_clock_moves_forward_only():
    clock = Clock()
    before, tick = clock.now(), clock.monotonic()
    clock.advance(3600)
    assert clock.now().tzinfo is UTC
    assert (clock.now() - before).total_seconds() >= 3600
    assert clock.monotonic() - tick >= 3600
    for wrong in (-1, "60", True, None, float("nan")):
        with pytest.raises(ValueError, match="forward"):
            clock.advance(wrong)


@pytest.fixture
def switches() -> Switches:
    made = Switches()
    made.register("gorgias.plan_per_s", "off", ("off", 2, 10), "calls per second of the plan")
    made.register("hubspot.lag_s", 2.0, float, "seconds until search sees a write")
    made.register("gorgias.flag", True, (True, False), "a flag")
    return made


def test_an_unknown_switch_names_the_known_ones(switches):
    for call in (lambda: switches.get("nope"), lambda: switches.set("nope", 1)):
        with pytest.raises(ValueError, match=r"gorgias\.plan_per_s"):
            call()


def test_a_wrong_value_names_the_choices(switches):
    with pytest.raises(ValueError, match='"off", 2, 10'):
        switches.set("gorgias.plan_per_s", 3)
    with pytest.raises(ValueError, match="float"):
        switches.set("hubspot.lag_s", "2")


def test_true_is_not_the_number_one(switches):
    with pytest.raises(ValueError, match="true, false"):
        switches.set("gorgias.flag", 1)
    with pytest.raises(ValueError, match="float"):
        switches.set("hubspot.lag_s", True)


def test_a_float_switch_takes_a_whole_number(switches):
    switches.set("hubspot.lag_s", 5)
    assert switches.get("hubspot.lag_s") == 5


def test_several_switches_change_together_or_not_at_all(switches):
    with pytest.raises(ValueError, match=r"plan_per_s"):
        switches.update({"gorgias.flag": False, "gorgias.plan_per_s": 99})
    assert switches.get("gorgias.flag") is True
    switches.update({"gorgias.flag": False, "gorgias.plan_per_s": 2})
    assert (switches.get("gorgias.flag"), switches.get("gorgias.plan_per_s")) == (False, 2)
    switches.restore()
    assert switches.get("gorgias.plan_per_s") == "off"


def test_the_listing_shows_value_default_and_choices(switches):
    switches.set("gorgias.plan_per_s", 10)
    rows = {row["name"]: row for row in switches.listing()}
    assert rows["gorgias.plan_per_s"] == {
        "name": "gorgias.plan_per_s",
        "value": 10,
        "default": "off",
        "choices": ["off", 2, 10],
        "doc": "calls per second of the plan",
    }
    assert rows["hubspot.lag_s"]["choices"] == "float"


def test_calls_are_counted_by_template_and_status():
    calls = Calls()
    for n in range(3):
        calls.record("gorgias", "GET", "/api/customers/{id}", 200, path=f"/api/customers/{n}")
    calls.record("hubspot", "POST", "/crm/v3/objects/contacts/search", 429)
    assert calls.summary() == {
        "total": 4,
        "by": [
            {"system": "gorgias", "method": "GET", "path": "/api/customers/{id}", "status": 200, "count": 3},
            {
                "system": "hubspot",
                "method": "POST",
                "path": "/crm/v3/objects/contacts/search",
                "status": 429,
                "count": 1,
            },
        ],
        "rate_limited": 1,
        "window_max": {},
    }
    assert (calls.rate_limited("hubspot"), calls.rate_limited("gorgias")) == (1, 0)
    assert [row["path"] for row in calls.recent(2)] == ["/api/customers/2", "/crm/v3/objects/contacts/search"]


def test_counters_stay_exact_when_the_ring_is_full():
    calls = Calls()
    for _ in range(RING + 5):
        calls.record("gorgias", "GET", "/api/account", 200)
    assert (calls.summary()["total"], len(calls.ring)) == (RING + 5, RING)


def test_a_window_keeps_its_maximum_until_the_log_is_cleared():
    calls = Calls()
    for used in (3, 9, 4):
        calls.window("gorgias.key", used)
    assert calls.summary()["window_max"] == {"gorgias.key": 9}
    calls.clear()
    assert calls.summary()["window_max"] == {}


def hits(plan, calls=50, system="gorgias", method="GET", path="/api/customers/7"):
    faults = Faults()
    faults.put(plan)
    return [[fault.kind for fault in faults.draw(system, method, path)] for _ in range(calls)]


def test_a_share_hits_the_same_calls_again_for_the_same_seed():
    plan = [{"system": "gorgias", "path": "*", "kind": "429", "share": 0.3, "seed": 4}]
    first = hits(plan, 200)
    assert first == hits(plan, 200)
    assert first != hits([{**plan[0], "seed": 5}], 200)
    assert 30 < sum(map(len, first)) < 90


def test_times_hits_that_many_calls_and_then_no_more():
    drawn = hits([{"system": "gorgias", "path": "*", "kind": "5xx", "times": 2}])
    assert drawn == [["5xx"], ["5xx"], *[[]] * 48]


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("*", True),
        ("/api/customers/{id}", True),
        ("/api/customers/{id}/data", False),
        ("/api/customers", True),
        ("/api/tickets", False),
        ("/api/customers/7", True),
    ],
)
def test_a_path_is_a_template_a_prefix_or_a_star(path, meant):
    assert bool(hits([{"system": "gorgias", "path": path, "kind": "429"}], 1)[0]) is meant


def test_system_and_method_narrow_a_fault():
    plan = [{"system": "hubspot", "path": "*", "kind": "429", "method": "post"}]
    assert hits(plan, 1) == [[]]
    assert hits(plan, 1, system="hubspot") == [[]]
    assert hits(plan, 1, system="hubspot", method="POST") == [["429"]]


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "429"},
        [{"kind": "flood"}],
        [{"kind": "429", "share": 2}],
        [{"kind": "429", "times": -1}],
        [{"kind": "5xx", "status": 404}],
        [{"kind": "429", "system": "erp"}],
        [{"kind": "429", "colour": 1}],
        [{"kind": "429", "shape": "square"}],
        [{"kind": "429", "retry_after": -1}],
        [{"kind": "429", "retry_after": 1.5}],
        [{"kind": "5xx", "body": "xml"}],
        [{"kind": "5xx", "landed": 1}],
        [{"kind": "latency", "p50": 10}],
        [{"kind": "latency", "low": 20, "high": 10}],
        [{"kind": "truncate", "at": 1.5}],
        [{"kind": "clock", "jump_s": "back"}],
        [{"kind": "slow", "ms": True}],
        [{"kind": "429", "from_s": 5, "until_s": 2}],
        [{"kind": "429", "every": 0}],
        [{"kind": "429", "after": -1}],
        [{"kind": "429", "seed": 1.5}],
        [{"kind": "429", "share": float("nan")}],
    ],
)
def test_a_wrong_plan_is_refused_and_the_old_one_stays(wrong):
    faults = Faults()
    faults.put([{"system": "*", "path": "*", "kind": "latency", "ms": 5}])
    with pytest.raises(ValueError):
        faults.put(wrong)
    assert [row["kind"] for row in faults.listing()] == ["latency"]


def test_the_listing_of_faults_can_be_put_back():
    faults = Faults()
    faults.put([{"system": "gorgias", "path": "*", "kind": "429", "times": 1}])
    faults.draw("gorgias", "GET", "/x")
    assert faults.listing()[0]["hits"] == 1
    faults.put(faults.listing())
    assert faults.listing()[0]["hits"] == 0


def test_rate_scale_multiplies_limits(tmp_path):
    assert World(tmp_path, rate_scale=10).scaled(40) == 400
    assert World(tmp_path, rate_scale=0.01).scaled(5) == 1
    with pytest.raises(ValueError, match="rate_scale"):
        World(tmp_path, rate_scale=0)


def test_a_wait_on_the_clock_ends_at_once_when_the_clock_is_advanced_past_it():
    clock = Clock()

    async def wait() -> float:
        began = time.monotonic()
        waiting = asyncio.create_task(clock.sleep(86_400))
        await asyncio.sleep(0)  # the task runs as far as its wait
        assert clock._sleepers
        clock.advance(3_600)
        await asyncio.sleep(0)
        assert not waiting.done()
        await asyncio.to_thread(clock.advance, 86_400)
        await asyncio.wait_for(waiting, 10)
        return time.monotonic() - began

    assert asyncio.run(wait()) < 10
    assert not clock._sleepers


def struck(rows, calls=12):
    faults = Faults()
    faults.put([{"system": "*", "path": "*", "kind": "429", **row} for row in rows])
    return "".join("x" if faults.draw("gorgias", "GET", "/api") else "." for _ in range(calls))


@pytest.mark.parametrize(
    ("row", "drawn"),
    [
        ({"after": 3}, "...xxxxxxxxx"),
        ({"after": 3, "times": 2}, "...xx......."),
        ({"every": 4}, "x...x...x..."),
        ({"after": 1, "every": 3, "times": 3}, ".x..x..x...."),
    ],
)
def test_a_script_lets_calls_pass_and_meets_each_so_many(row, drawn):
    assert struck([row]) == drawn


def test_a_script_holds_between_two_moments_of_the_sandbox_s_clock(world):
    world.faults.put([{"system": "*", "path": "*", "kind": "477", "from_s": 60, "until_s": 120}])

    def hit():
        return bool(world.faults.draw("hubspot", "GET", "/crm"))

    seen = [hit()]
    for _ in range(3):
        world.clock.advance(50)
        seen.append(hit())
    assert seen == [False, False, True, False]


def test_a_plan_that_was_kept_goes_on_exactly_where_it_stood(world):
    rows = [
        {"system": "*", "path": "*", "kind": "429", "share": 0.3, "seed": 5, "after": 2},
        {"system": "*", "path": "*", "kind": "latency", "p50": 10, "p95": 50, "times": 40},
        {"system": "*", "path": "*", "kind": "5xx", "until_s": 100, "retry_after": None},
    ]

    def drawn(faults, calls):
        return [[(one.kind, one.amount_ms()) for one in faults.draw("gorgias", "GET", "/")] for _ in range(calls)]

    world.faults.put(rows)
    drawn(world.faults, 20)
    kept = json.loads(json.dumps(world.faults.kept()))
    later = World(world.data_dir)
    later.faults.restore(kept)
    assert later.faults.listing() == world.faults.listing()
    assert drawn(later.faults, 50) == drawn(world.faults, 50)


def test_switches_are_read_as_they_are_written_on_a_command_line(switches):
    assert switches.read("gorgias.plan_per_s", "2") == 2
    assert switches.read("gorgias.plan_per_s", "off") == "off"
    assert switches.read("gorgias.flag", "false") is False
    assert switches.read("hubspot.lag_s", "1.5") == 1.5
    for name, text in (("gorgias.plan_per_s", "3"), ("hubspot.lag_s", "soon"), ("nope", "1")):
        with pytest.raises(ValueError, match="switch"):
            switches.read(name, text)


def test_a_wrong_name_among_many_switches_is_answered_with_the_nearest():
    many = Switches()
    for n in range(40):
        many.register(f"gorgias.number_{n}", 0, int, "a number")
    many.register("hubspot.search_lag_s", 2.0, float, "a lag")
    with pytest.raises(ValueError, match=r"one of 41; the nearest: hubspot\.search_lag_s"):
        many.get("hubspot.search_lag")


def test_the_series_counts_calls_by_outcome_and_step():
    clock = Clock()
    calls = Calls(clock)
    for status in (200, 404, 429, 500, 0):
        calls.record("gorgias", "GET", "/api/account", status)
    for used in (3, 9, 5):
        calls.window("gorgias.api_key", used, 40)
    calls.window("gorgias.plan_per_s", 1, 10)
    clock.advance(10)
    calls.record("gorgias", "GET", "/api/account", 200)
    found = calls.series(["gorgias", "hubspot"], step_s=5, steps=12)
    row = found["systems"]["gorgias"]
    assert (found["step_s"], {name: sum(row[name]) for name in ("ok", "limited", "failed")}) == (
        5,
        {"ok": 3, "limited": 1, "failed": 2},
    )
    assert row["ok"][-1] == 1
    assert row["ok"][-3] == 2
    assert (row["window"], row["limit"], max(row["used"])) == ("gorgias.api_key", 40, 9)
    assert row["windows"]["gorgias.plan_per_s"]["limit"] == 10
    assert found["systems"]["hubspot"] == {
        "ok": [0] * 12,
        "limited": [0] * 12,
        "failed": [0] * 12,
        "used": [0] * 12,
        "window": None,
        "limit": 0,
        "windows": {},
    }
    clock.advance(3600)
    assert sum(calls.series(["gorgias"], step_s=5, steps=12)["systems"]["gorgias"]["ok"]) == 0


def test_the_series_keeps_a_bounded_number_of_seconds():
    clock = Clock()
    calls = Calls(clock)
    for _ in range(SECONDS_KEPT + 50):
        clock.advance(1)
        calls.record("gorgias", "GET", "/", 200)
    found = calls.series(["gorgias"], step_s=60, steps=1000)
    assert sum(found["systems"]["gorgias"]["ok"]) == SECONDS_KEPT
