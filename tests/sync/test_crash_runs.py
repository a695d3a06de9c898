"""Two syncs at once, a dead owner, an owner that was asleep for too long, and systems that go away and come back."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import time
from contextlib import ExitStack, closing

import pytest

from sync_platform.ledger.lease import EXPIRY_S
from sync_platform.sandbox.server import Options, running
from sync_platform.sync.setup import setup
from tests.sync.crash_world import (
    World,
    assert_nothing_doubled,
    child_env,
    crash_world,
    kill_at_write,
    store,
)
from tests.sync.desk import Desk, settings_of, wait_for

BUSY = 5


@pytest.fixture
def world(tmp_path):
    with crash_world(tmp_path, seed=21, people=12, cases=16) as one:
        yield one


def put_to_sleep(world: World, sync: subprocess.Popen[bytes]) -> None:
    """Stop a process outside of its transactions: in one it would lock everybody out of a SQLite ledger."""
    deadline = time.monotonic() + 30
    while True:
        sync.send_signal(signal.SIGSTOP)
        try:
            for path in (world.desk.root / "ledger.db", world.desk.root / "ledger.budget.db"):
                with closing(sqlite3.connect(path, timeout=0.5, isolation_level=None)) as db:
                    db.execute("BEGIN IMMEDIATE")
                    db.execute("ROLLBACK")
        except sqlite3.OperationalError:
            assert time.monotonic() < deadline, "it is always in a transaction"
            sync.send_signal(signal.SIGCONT)
        else:
            return


def assert_equal_in_the_end(world: World) -> None:
    world.sync()
    world.desk.advance(7200)
    world.sync()
    assert world.run("verify")["equal"]
    assert_nothing_doubled(store(world.desk))
    assert world.desk.outbox() == []


def test_of_two_syncs_at_once_the_second_ends_and_says_who_runs(world):
    world.gate.hold(3)
    first = world.start("sync", "--json")
    try:
        wait_for(world.gate.holds, 60)
        calls = world.gate.calls
        said = world.run("sync", code=BUSY)
        assert said["error"]["code"] == "AnotherCycleRuns"
        assert str(first.pid) in said["error"]["message"]
        assert said["error"]["remedy"]
        assert world.gate.calls == calls, "it asked a system although it had nothing to say"
        world.gate.let_go()  # the answer is lost, which the first one must bear
        assert first.wait(120) == 0
    finally:
        first.kill()
        first.wait()
    assert_equal_in_the_end(world)


def test_the_lease_of_a_killed_sync_is_taken_over_at_once(world):
    assert kill_at_write(world, 3)
    calls, began = world.gate.calls, time.monotonic()
    child = world.start("sync", "--json")
    try:
        wait_for(lambda: world.gate.calls > calls or child.poll() is not None, 60)
        assert time.monotonic() - began < EXPIRY_S - 1, "it waited for the lease to run out"
        assert child.wait(120) == 0
    finally:
        child.kill()
        child.wait()
    assert_equal_in_the_end(world)


@pytest.mark.parametrize(
    "path",
    ["/api/customers", "/data", "/api/tickets", "/contacts/batch/upsert", "/tickets/batch/create", "/secondary-email/"],
)
def test_a_change_of_several_calls_that_is_cut_off_after_one_of_them_is_completed(world, path):
    assert kill_at_write(world, 1, path)
    assert world.kills[-1].open, "nothing was open when it was killed"
    assert_equal_in_the_end(world)


@pytest.mark.slow
def test_a_sync_that_slept_while_another_took_over_writes_nothing_more(world):
    world.gate.hold(2)
    sleeper = world.start("sync", "--json")
    errors = world.outputs[-1]
    try:
        wait_for(world.gate.holds, 60)
        put_to_sleep(world, sleeper)
        asleep_at = time.monotonic()
        world.gate.let_go()
        wait_for(lambda: world.start("sync", "--json").wait(120) == 0, 90)
        assert time.monotonic() - asleep_at > EXPIRY_S / 2, "the lease of a sync that lives was taken"
        writes = world.gate.writes
        sleeper.send_signal(signal.SIGCONT)
        assert sleeper.wait(120) == BUSY, errors.read_text()[-1500:]
        assert world.gate.writes == writes, "it went on writing without the lease"
    finally:
        sleeper.kill()
        sleeper.wait()
    assert_equal_in_the_end(world)


@pytest.mark.parametrize("nth", [2, 9])
def test_a_network_that_breaks_off_and_comes_back_loses_nothing(world, nth):
    world.gate.hold(nth)
    child = world.start("sync", "--json")
    errors = world.outputs[-1]
    try:
        wait_for(world.gate.holds, 60)
        world.gate.cut.set()
        world.gate.let_go()
        assert child.wait(300) == 1, errors.read_text()[-1500:]
    finally:
        child.kill()
        child.wait()
    said = world.said()
    assert said["outcome"] in ("partial", "failed")
    assert said["errors"]
    assert all(error["remedy"] for error in said["errors"])
    world.gate.cut.clear()
    assert_equal_in_the_end(world)


def test_a_sandbox_that_goes_down_in_the_middle_and_comes_back_is_gone_on_with(tmp_path):
    options = {"seed": 22, "customers": 12, "tickets": 16, "rate_scale": 300.0, "data_dir": tmp_path / "sandbox"}
    ports = dict.fromkeys(("gorgias_port", "hubspot_port", "control_port"), 0)
    with ExitStack() as stack:
        ready = stack.enter_context(running(Options(**ports, **options)))
        ports = {
            f"{name}_port": int(ready[name]["url"].rpartition(":")[2]) for name in ("gorgias", "hubspot", "control")
        }
        desk = Desk(ready, settings_of(ready, tmp_path), tmp_path)
        setup(desk.settings)
        env = child_env(tmp_path, ready["control"]["url"], desk.settings.ledger_url)
        world = World(desk, None, None, env)  # type: ignore[arg-type] - no gate stands before this one
        desk.forget_calls()
        child = world.start("sync", "--json")
        wait_for(lambda: any(method != "GET" for _, method, _ in desk.calls()), 60)
    assert child.poll() is None, "the sync ended before the sandbox did"
    try:
        with running(Options(**ports, **options)) as ready:
            assert desk.ready["control"] == ready["control"]
            assert child.wait(300) in (0, 1), "it bears the gap, or says what it could not reach"
            assert_equal_in_the_end(world)
    finally:
        child.kill()
        child.wait()
