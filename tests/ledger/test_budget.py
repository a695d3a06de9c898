"""The budget on its database: shared by processes, counted, and safe when one of them dies."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time

import pytest

from sync_platform.core.records import Lane
from sync_platform.errors import LedgerUnreachable, RateLimited
from sync_platform.ledger.budget import Budget, calls_of, readings
from tests.ledger import spending

WINDOW = [("window", 40, 4.0)]


@pytest.fixture
def open_budget(ledger):
    opened = []

    def make(limits, *, reserve=0.0, run="run", **options):
        opened.append(Budget(ledger, "gorgias", "hash", limits, reserve=reserve, run=run, **options))
        return opened[-1]

    yield make
    for budget in opened:
        budget.close()


def until(condition, timeout_s=10.0):
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.01)


def reaches(least, spend, *, tries=3):
    """The best of a few tries: on a busy machine nobody may be there to take what is granted."""
    best = 0.0
    for _ in range(tries):
        best = max(best, spend())
        if best >= least:
            return True
    pytest.fail(f"reached only {best:.3f} of {least}")


@pytest.mark.parametrize("lane", ["interactive", "backfill"])
def test_four_processes_share_one_limit_without_exceeding_or_wasting_it(ledger, ledger_url, lane):
    def spend():
        spent = spending.spend_in_processes(ledger_url, WINDOW, lanes=[lane] * 4, seconds=6.0)
        assert spending.worst_window(spent.granted, 4.0) <= 40
        assert sum(calls.count for calls in calls_of(ledger, "run")) >= len(spent.went)
        return spending.efficiency(spent.went, 40, 4.0, 6.0)

    assert reaches(0.95, spend)


def test_a_process_alone_uses_the_limit_too(ledger, ledger_url):
    def spend():
        spent = spending.spend_in_processes(ledger_url, WINDOW, lanes=["delta"], seconds=5.0)
        assert spending.worst_window(spent.granted, 4.0) <= 40
        return spending.efficiency(spent.went, 40, 4.0, 5.0)

    assert reaches(0.95, spend)


def test_several_limits_hold_at_once(ledger, ledger_url):
    limits = [("window", 40, 4.0), ("second", 12, 1.0)]

    def spend():
        spent = spending.spend_in_processes(ledger_url, limits, lanes=["delta"] * 3, seconds=4.0)
        assert spending.worst_window(spent.granted, 1.0) <= 12
        assert spending.worst_window(spent.granted, 4.0) <= 40
        return spending.efficiency(spent.went, 40, 4.0, 4.0)

    assert reaches(0.9, spend)


def test_the_reserve_is_left_to_others(ledger, ledger_url):
    spent = spending.spend_in_processes(ledger_url, WINDOW, lanes=["delta"], seconds=5.0, reserve=0.2)
    assert 20 <= spending.worst_window(spent.granted, 4.0) <= 32


def test_a_process_that_is_killed_leaves_the_budget_usable(ledger, ledger_url, open_budget):
    child = subprocess.Popen(
        [sys.executable, spending.__file__, json.dumps([ledger_url, WINDOW, "interactive", 60, 0])],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=spending.ROOT,
    )
    assert child.stdout.readline() == "ready\n"
    child.stdin.write("go\n")
    child.stdin.flush()
    until(lambda: readings(ledger, "gorgias", "hash")[0].used >= 5)
    child.kill()
    child.wait()
    child.stdin.close()
    child.stdout.close()
    budget = open_budget(WINDOW)
    began = time.monotonic()
    for _ in range(5):
        budget.spend(["window"], lane=Lane.BACKFILL, purpose="read")
    assert time.monotonic() - began < 2.0


def test_calls_are_counted_by_lane_and_purpose(ledger, open_budget):
    budget = open_budget([("window", 10_000, 2.0)])
    for _ in range(3):
        budget.spend(["window"], lane=Lane.DELTA, purpose="read")
    budget.spend(["window"], lane=Lane.DELTA, purpose="write")
    budget.spend([], lane=Lane.BACKFILL, purpose="read")
    budget.learn("window", frozen_s=0.05)
    budget.close()
    counts = {(calls.lane, calls.purpose): (calls.count, calls.rate_limited) for calls in calls_of(ledger, "run")}
    assert counts == {("delta", "read"): (3, 0), ("delta", "write"): (1, 0), ("backfill", "read"): (1, 1)}


def test_counts_of_two_budgets_of_one_run_add_up(ledger, open_budget):
    for _ in range(2):
        budget = open_budget([("window", 10_000, 2.0)])
        budget.spend(["window"], lane=Lane.DELTA, purpose="read")
        budget.close()
    assert [calls.count for calls in calls_of(ledger, "run")] == [2]


def test_counts_are_written_while_the_budget_is_open(ledger, open_budget):
    budget = open_budget([("window", 10_000, 2.0)])
    budget.spend(["window"], lane=Lane.DELTA, purpose="read")
    until(lambda: calls_of(ledger, "run"))
    assert calls_of(ledger, "run")[0].count == 1


def test_waiting_time_is_counted(ledger, open_budget):
    budget = open_budget(WINDOW)
    budget.learn("window", frozen_s=1.0)
    budget.spend(["window"], lane=Lane.DELTA, purpose="read")
    budget.close()
    waited = [calls.waited_s for calls in calls_of(ledger, "run") if calls.lane == "delta"]
    assert len(waited) == 1
    assert waited[0] > 0.3


def test_a_freeze_stops_those_who_wait_already(ledger, open_budget):
    budget = open_budget([("window", 2, 1.0)])
    budget.spend(["window"], lane=Lane.DELTA, purpose="read")
    went = []
    waiter = threading.Thread(
        target=lambda: (budget.spend(["window"], lane=Lane.DELTA, purpose="read"), went.append(time.monotonic()))
    )
    waiter.start()
    until(lambda: readings(ledger, "gorgias", "hash")[0].used >= 2)
    frozen_at = time.monotonic()
    budget.learn("window", frozen_s=1.2)
    waiter.join(timeout=10)
    assert went
    assert went[0] - frozen_at >= 1.2


def test_a_long_freeze_is_said_instead_of_waited_for(open_budget):
    budget = open_budget(WINDOW, wait_max_s=1.0)
    budget.learn("window", frozen_s=30.0)
    with pytest.raises(RateLimited) as refused:
        budget.spend(["window"], lane=Lane.DELTA, purpose="read")
    assert refused.value.system == "gorgias"
    assert 25 < refused.value.wait_s <= 30


def test_a_used_up_day_is_said_instead_of_waited_for(open_budget):
    budget = open_budget([("day", 20, 86_400.0)])
    for _ in range(20):
        budget.spend(["day"], lane=Lane.INTERACTIVE, purpose="read")
    with pytest.raises(RateLimited) as refused:
        budget.spend(["day"], lane=Lane.INTERACTIVE, purpose="read")
    assert refused.value.wait_s > 80_000


def test_what_an_answer_said_is_kept_for_the_next_process(ledger, open_budget):
    open_budget(WINDOW).learn("window", used=3, allowed=80, window_s=5.0)
    open_budget(WINDOW)
    (reading,) = readings(ledger, "gorgias", "hash")
    assert (reading.limit, reading.allowed, reading.window_s) == ("window", 80, 5.0)


def test_an_answer_with_a_new_limit_is_followed_at_once(ledger, open_budget):
    budget = open_budget(WINDOW)
    for allowed in (80, 80, 20, 20, 40):
        budget.learn("window", used=1, allowed=allowed)
        assert readings(ledger, "gorgias", "hash")[0].allowed == allowed


def test_a_limit_that_was_not_declared_is_an_error(open_budget):
    with pytest.raises(ValueError, match="no limit named search"):
        open_budget(WINDOW).spend(["search"], lane=Lane.DELTA, purpose="read")


def test_two_credentials_do_not_share(ledger):
    for credential in ("a", "b"):
        with Budget(ledger, "hubspot", credential, [("day", 1, 86_400.0)], reserve=0, run=credential) as budget:
            budget.spend(["day"], lane=Lane.DELTA, purpose="read")
    assert [readings(ledger, "hubspot", name)[0].used for name in ("a", "b")] == [1, 1]


def test_a_long_write_of_the_ledger_keeps_nobody_waiting(ledger, open_budget):
    budget = open_budget([("window", 10_000, 2.0)])
    with ledger.begin() as conn:
        conn.exec_driver_sql("INSERT INTO meta (key, value) VALUES ('busy', 'yes')")
        began = time.monotonic()
        budget.spend(["window"], lane=Lane.DELTA, purpose="read")
        budget.flush()
        assert time.monotonic() - began < 5.0


def test_a_database_that_went_away_is_named(postgres_url):
    from sqlalchemy import create_engine, make_url

    from sync_platform.ledger.database import Ledger

    with Ledger.open(postgres_url, migrate=True) as ledger:
        budget = Budget(ledger, "gorgias", "hash", WINDOW, reserve=0, run="run")
        url = make_url(postgres_url)
        admin = create_engine(
            url.set(drivername="postgresql+psycopg", database="postgres"), isolation_level="AUTOCOMMIT"
        )
        with admin.connect() as conn:
            conn.exec_driver_sql(f"ALTER DATABASE {url.database} ALLOW_CONNECTIONS false")
            conn.exec_driver_sql(
                f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{url.database}'"
            )
        admin.dispose()
        with pytest.raises(LedgerUnreachable) as gone:
            budget.spend(["window"], lane=Lane.DELTA, purpose="read")
        assert gone.value.__cause__ is None
