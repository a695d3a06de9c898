"""One owner at a time, and a dead one blocks nobody."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from datetime import timedelta

import pytest
from sqlalchemy import update

from sync_platform.errors import AnotherCycleRuns
from sync_platform.ledger.lease import LEASE, Lease, holder

TAKE = """
import sys, time
from sync_platform.ledger.database import Ledger
from sync_platform.ledger.lease import Lease
lease = Lease.take(Ledger.open(sys.argv[1], migrate=False), "child")
print("taken", flush=True)
sys.stdin.read()
"""
RACE = """
import sys
from sync_platform.errors import AnotherCycleRuns
from sync_platform.ledger.database import Ledger
from sync_platform.ledger.lease import Lease
ledger = Ledger.open(sys.argv[1], migrate=False)
print("ready", flush=True)
sys.stdin.readline()
try:
    Lease.take(ledger, "racer")
    print("won", flush=True)
except AnotherCycleRuns:
    print("lost", flush=True)
sys.stdin.readline()
"""


def until(condition, timeout_s=10.0):
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.01)


def child_of(script, url):
    return subprocess.Popen(
        [sys.executable, "-c", script, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def end(child):
    child.kill()
    child.communicate()


def elsewhere(ledger):
    """As if the owner worked on another host."""
    with ledger.pacing() as conn:
        conn.execute(update(LEASE).values(host="another-host", pid=1))


def test_only_one_has_it(ledger):
    with Lease.take(ledger, "first") as lease:
        assert lease.held()
        with pytest.raises(AnotherCycleRuns, match=f"first, process {os.getpid()}"):
            Lease.take(ledger, "second")
    with Lease.take(ledger, "second") as lease:
        assert lease.held()


def test_it_is_given_back(ledger):
    lease = Lease.take(ledger, "first")
    assert holder(ledger).owner == "first"
    lease.release()
    assert holder(ledger) is None
    assert not lease.held()


def test_two_names_are_two_leases(ledger):
    with Lease.take(ledger, "first"), Lease.take(ledger, "second", name="token") as other:
        assert other.held()


def test_who_waits_gets_it_when_it_is_given_back(ledger):
    import threading

    lease = Lease.take(ledger, "first")
    timer = threading.Timer(0.3, lease.release)
    timer.start()
    with Lease.take(ledger, "second", wait_s=10) as second:
        assert second.held()
    timer.join()


def test_an_owner_that_was_killed_is_replaced_at_once(ledger, ledger_url):
    child = child_of(TAKE, ledger_url)
    try:
        assert child.stdout.readline() == "taken\n"
        with pytest.raises(AnotherCycleRuns, match="child"):
            Lease.take(ledger, "second")
        os.kill(child.pid, signal.SIGKILL)
        # Nobody collected it yet: a dead process that still has its number is dead.
        until(lambda: not holder(ledger).alive)
        with Lease.take(ledger, "second") as lease:
            assert lease.held()
            assert holder(ledger).expires_at - holder(ledger).taken_at > timedelta(seconds=10)
    finally:
        end(child)


def test_an_owner_on_another_host_is_replaced_when_its_time_is_over(ledger):
    first = Lease.take(ledger, "first", expiry_s=0.8, renew_s=60)
    elsewhere(ledger)
    with pytest.raises(AnotherCycleRuns):
        Lease.take(ledger, "second")
    with Lease.take(ledger, "second", wait_s=10) as second:
        assert second.held()
        assert not first.held(), "the first knew it before the second could have it"
        assert not first.renew()
        first.release()
        assert holder(ledger).owner == "second", "a lost lease is not given back twice"
        with pytest.raises(AnotherCycleRuns):
            first.check()


def test_it_is_renewed_while_its_owner_lives(ledger):
    with Lease.take(ledger, "first", expiry_s=5.0, renew_s=0.05) as lease:
        before = holder(ledger).expires_at
        until(lambda: holder(ledger).expires_at > before)
        assert lease.held()


def test_an_owner_that_was_held_up_knows_it(ledger):
    lease = Lease.take(ledger, "first", expiry_s=0.2, renew_s=60)
    until(lambda: not lease.held())
    assert lease.renew(), "nobody took it meanwhile: it may go on"
    assert lease.held()
    lease.release()


def test_of_several_who_come_together_one_gets_it(ledger, ledger_url):
    children = [child_of(RACE, ledger_url) for _ in range(4)]
    try:
        for child in children:
            assert child.stdout.readline() == "ready\n"
        for child in children:
            child.stdin.write("go\n")
            child.stdin.flush()
        assert sorted(child.stdout.readline() for child in children) == ["lost\n"] * 3 + ["won\n"]
    finally:
        for child in children:
            end(child)


def test_a_long_write_of_the_ledger_does_not_cost_the_lease(ledger):
    with Lease.take(ledger, "first", expiry_s=60, renew_s=60) as lease, ledger.begin() as conn:
        conn.exec_driver_sql("INSERT INTO meta (key, value) VALUES ('busy', 'yes')")
        assert lease.renew()
