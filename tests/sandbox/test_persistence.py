"""What a data directory keeps: mails, counters, faults, switches and the clock, also when the process is killed."""

import json
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from sync_platform.sandbox.keeping import MAILS, STATE, Keeper, alone_in
from sync_platform.sandbox.server import Options, running
from sync_platform.sandbox.world import World

ROOT = Path(__file__).resolve().parents[2]
DEADLINE_S = 60
PLAN = [
    {"system": "gorgias", "path": "*", "kind": "429", "share": 0.5, "seed": 3},
    {"system": "hubspot", "path": "*", "kind": "477", "until_s": 1e6},
]


def options(folder, **more):
    return Options(
        customers=10, tickets=10, data_dir=folder, gorgias_port=0, hubspot_port=0, control_port=0, **more
    )  # fmt: skip


def until(condition):
    deadline = time.monotonic() + DEADLINE_S
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


@contextmanager
def opened(folder, **more):
    with (
        running(options(folder, **more)) as ready,
        httpx.Client(base_url=ready["control"]["url"], timeout=30) as client,
    ):
        yield ready, client


def call_gorgias(ready, count):
    door = ready["gorgias"]
    with httpx.Client(base_url=door["url"], auth=(door["email"], door["api_key"])) as client:
        return [client.get("/api/account").status_code for _ in range(count)]


def test_counters_faults_switches_and_pace_outlive_a_restart(tmp_path):
    with opened(tmp_path) as (ready, client):
        client.put("/faults", json=PLAN).raise_for_status()
        client.put("/switches", json={"gorgias.enterprise": "on"}).raise_for_status()
        client.post("/clock", json={"rate": 60}).raise_for_status()
        first = call_gorgias(ready, 12)
        assert set(first) == {200, 429}
        calls, faults = client.get("/calls").json(), client.get("/faults").json()
    with opened(tmp_path) as (ready, client):
        assert client.get("/calls").json() == calls
        assert client.get("/faults").json() == faults
        assert {row["name"]: row["value"] for row in client.get("/switches").json()}["gorgias.enterprise"] == "on"
        assert client.get("/clock").json()["rate"] == 60
        call_gorgias(ready, 1)
        assert client.get("/calls").json()["total"] == calls["total"] + 1


def test_a_switch_of_the_command_line_beats_the_one_that_was_kept(tmp_path):
    with opened(tmp_path) as (_, client):
        client.put("/switches", json={"gorgias.enterprise": "on"}).raise_for_status()
    with opened(tmp_path, switches=(("gorgias.enterprise", "off"),)) as (_, client):
        assert {row["name"]: row["value"] for row in client.get("/switches").json()}["gorgias.enterprise"] == "off"


def test_a_reset_forgets_what_was_kept(tmp_path):
    with opened(tmp_path) as (ready, client):
        client.put("/faults", json=PLAN).raise_for_status()
        call_gorgias(ready, 3)
        until((tmp_path / STATE).exists)
        client.post("/reset", json={"seed": 1}).raise_for_status()
    with opened(tmp_path) as (_, client):
        assert client.get("/faults").json() == []
        assert client.get("/calls").json()["total"] == 0


def test_mails_outlive_a_restart_and_a_last_line_that_was_cut_is_dropped(tmp_path):
    world = World(tmp_path)
    keeper = Keeper(world, tmp_path)
    world.outbox += [{"to": "ada@example.com"}, {"to": "bo@example.com"}]
    keeper.keep()
    world.outbox.append({"to": "cy@example.com"})
    keeper.keep()
    file = tmp_path / MAILS
    assert len(file.read_text().splitlines()) == 3
    file.write_bytes(file.read_bytes()[:-9])
    later = World(tmp_path)
    again = Keeper(later, tmp_path)
    again.take_back()
    assert later.outbox == world.outbox[:2]
    later.outbox.append({"to": "di@example.com"})
    again.keep()
    assert [json.loads(line)["to"] for line in file.read_text().splitlines()] == [
        "ada@example.com",
        "bo@example.com",
        "di@example.com",
    ]
    later.outbox.clear()
    again.keep()
    assert not file.exists()


def test_nothing_is_written_while_nothing_happens(tmp_path):
    world = World(tmp_path)
    keeper = Keeper(world, tmp_path)
    world.calls.record("gorgias", "GET", "/", 200)
    keeper.keep()
    before = (tmp_path / STATE).stat()
    keeper.keep()
    after = (tmp_path / STATE).stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


@pytest.fixture
def process(tmp_path):
    """Call: a sandbox as a process on one data directory, and its ready line."""
    started = []

    def start():
        command = [sys.executable, "-m", "sync_platform.sandbox", "--customers", "10", "--tickets", "10"]
        ports = ["--gorgias-port", "0", "--hubspot-port", "0", "--control-port", "0"]
        one = subprocess.Popen(
            [*command, *ports, "--data-dir", str(tmp_path / "kept")],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        started.append(one)
        line = one.stdout.readline()
        return one, json.loads(line) if line else None

    yield start
    for one in started:
        if one.poll() is None:
            one.kill()
        one.communicate()


def test_a_sandbox_that_is_killed_loses_seconds_at_most_and_starts_again(process, tmp_path):
    first, ready = process()
    control = ready["control"]["url"]
    httpx.put(f"{control}/faults", json=PLAN[:1]).raise_for_status()
    edit = {"system": "gorgias", "kind": "customers", "id": None, "set": {"name": "Bo", "email": "bo@example.com"}}
    made = httpx.post(f"{control}/edit", json=edit).raise_for_status().json()
    call_gorgias(ready, 10)
    faults = httpx.get(f"{control}/faults").json()
    state = tmp_path / "kept" / STATE
    until(lambda: state.exists() and json.loads(state.read_text())["faults"]["faults"][0]["seen"] == 10)
    first.send_signal(signal.SIGKILL)
    first.wait(DEADLINE_S)
    _, ready = process()
    control = ready["control"]["url"]
    assert httpx.get(f"{control}/faults").json() == faults
    assert httpx.get(f"{control}/calls").json()["total"] == 10
    rows = httpx.get(f"{control}/state/gorgias/customers?limit=1000").json()["rows"]
    assert made["id"] in {row["id"] for row in rows}


def test_two_sandboxes_on_one_data_directory_are_refused_with_the_process_that_has_it(process):
    first, _ = process()
    second, ready = process()
    _, said = second.communicate(timeout=DEADLINE_S)
    assert (ready, second.returncode) == (None, 1)
    assert f"in use by another sandbox (process {first.pid})" in said
    assert "Traceback" not in said
    assert first.poll() is None


def test_a_directory_is_free_again_when_its_sandbox_has_ended(tmp_path):
    for _ in range(2):
        with alone_in(tmp_path), pytest.raises(ValueError, match="in use"), alone_in(tmp_path):
            pass
