"""The control port, and the whole sandbox as a user starts it."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from sync_platform.sandbox.control import Control
from sync_platform.sandbox.erp import ErpSandbox
from sync_platform.sandbox.people import generate
from sync_platform.sandbox.script import Script
from sync_platform.sandbox.server import Options, Sandbox, running
from sync_platform.sandbox.world import World

START_S = 60
ROOT = Path(__file__).resolve().parents[2]


class Desk:
    """A sandbox with the ERP alone: what the control port does by itself needs no vendor."""

    def __init__(self, world: World):
        self.world = world
        self.sides = {"erp": ErpSandbox(world)}
        self.script = Script([])
        self.ready = {"ready": True, "seed": world.seed}
        agents, people, cases = generate(world.seed, 30, 60, 0.6)
        self.sides["erp"].seed(people, cases, agents)

    def reset(self, seed):
        self.world.seed = seed

    def remember(self):
        pass

    def imported(self):
        return None


@pytest.fixture
def desk(world) -> Desk:
    return Desk(world)


@pytest.fixture
def control(desk, serve_app):
    with httpx.Client(base_url=serve_app(Control(desk).app()), timeout=10) as client:
        yield client


def test_the_ready_line_can_be_asked_for_again(control):
    assert control.get("/ready").json() == {"ready": True, "seed": 1}


def test_state_is_walked_in_pages(control):
    whole = control.get("/state/erp/customers").json()
    assert whole["next"] is None
    rows, after = [], ""
    while after is not None:
        page = control.get("/state/erp/customers", params={"limit": 3, "after": after}).json()
        assert len(page["rows"]) <= 3
        rows += page["rows"]
        after = page["next"]
    assert rows == whole["rows"]


@pytest.mark.parametrize(
    ("path", "status", "named"),
    [
        ("/state/shopify/customers", 404, "erp"),
        ("/state/erp/invoices", 404, "customers, tickets"),
        ("/state/erp/customers?limit=0", 400, "limit"),
        ("/state/erp/customers?limit=many", 400, "limit"),
        ("/nothing", 404, "/nothing"),
    ],
)
def test_what_is_not_there_is_answered_as_json_with_the_reason(control, path, status, named):
    answer = control.get(path)
    assert answer.status_code == status
    assert named in answer.json()["error"]


def test_a_method_that_is_not_served_is_a_405(control):
    assert control.delete("/clock").status_code == 405


def test_edit_changes_creates_and_deletes(control):
    base = {"system": "erp", "kind": "customers"}
    made = control.post("/edit", json={**base, "id": None, "set": {"full_name": "Bo"}}).json()
    changed = control.post("/edit", json={**base, "id": made["id"], "set": {"note": "n"}, "by": "person"}).json()
    assert (changed["id"], changed["note"], changed["full_name"]) == (made["id"], "n", "Bo")
    assert control.post("/edit", json={**base, "id": str(made["id"]), "delete": True}).json()["deleted_at"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"system": "erp", "kind": "customers", "id": "99999", "set": {"note": "n"}}, 404),
        ({"system": "erp", "kind": "customers", "id": None, "set": {"nope": "n"}}, 400),
        ({"system": "erp", "kind": "customers", "id": None, "set": ["note"]}, 400),
        ({"system": "erp", "id": None, "set": {}}, 400),
        ({"system": "crm", "kind": "customers"}, 404),
        ({"system": "erp", "kind": "customers", "colour": 1}, 400),
        ([], 400),
    ],
)
def test_a_wrong_edit_says_what_is_wrong(control, body, status):
    answer = control.post("/edit", json=body)
    assert answer.status_code == status
    assert answer.json()["error"]


def test_a_body_that_is_no_json_is_a_400(control):
    assert control.post("/edit", content=b"{").status_code == 400


def test_the_erp_merges_nothing(control):
    answer = control.post("/merge", json={"system": "erp", "kind": "customers", "from": "1", "into": "2"})
    assert (answer.status_code, answer.json()["error"]) == (400, "the ERP does not merge rows")


def test_calls_are_shown_and_forgotten(control, world):
    world.calls.record("gorgias", "GET", "/api/account", 200)
    world.calls.record("gorgias", "GET", "/api/account", 429)
    world.calls.window("gorgias.key", 41)
    shown = control.get("/calls").json()
    assert (shown["total"], shown["rate_limited"], shown["window_max"]) == (2, 1, {"gorgias.key": 41})
    assert shown["by"][0] == {"system": "gorgias", "method": "GET", "path": "/api/account", "status": 200, "count": 1}
    assert [row["status"] for row in control.get("/calls?recent=1").json()["recent"]] == [429]
    assert control.delete("/calls").json()["total"] == 0


def test_faults_are_put_and_shown_with_their_hits(control, world):
    plan = [{"system": "gorgias", "path": "*", "kind": "429", "times": 2, "seed": 1}]
    assert control.put("/faults", json=plan).json()[0]["hits"] == 0
    world.faults.draw("gorgias", "GET", "/api/account")
    assert control.get("/faults").json()[0]["hits"] == 1
    wrong = control.put("/faults", json=[{"kind": "flood"}])
    assert (wrong.status_code, "latency" in wrong.json()["error"]) == (400, True)
    assert control.put("/faults", json=[]).json() == []


def test_switches_are_put_by_name_and_as_they_are_shown(control, world):
    world.switches.register("gorgias.flag", True, (True, False), "a flag")
    shown = control.put("/switches", json={"gorgias.flag": False}).json()
    assert [row["value"] for row in shown if row["name"] == "gorgias.flag"] == [False]
    assert control.put("/switches", json=control.get("/switches").json()).json() == shown
    wrong = control.put("/switches", json={"gorgias.flag": "no"})
    assert (wrong.status_code, "true, false" in wrong.json()["error"]) == (400, True)


def test_the_clock_is_advanced(control):
    assert control.get("/clock").json()["offset_s"] == 0
    assert control.post("/clock", json={"advance_s": 60}).json()["offset_s"] == 60
    assert control.post("/clock", json={"advance_s": -1}).status_code == 400
    assert control.get("/clock").json()["offset_s"] == 60


def test_the_outbox_is_empty_at_the_start(control, world):
    assert control.get("/outbox").json() == []
    world.outbox.append({"to": "ada@example.com"})
    assert control.get("/outbox").json() == [{"to": "ada@example.com"}]


def test_reset_takes_whole_numbers_only(control, desk):
    assert control.post("/reset", json={"seed": "two"}).status_code == 400
    assert control.post("/reset", json={"seed": 2}).status_code == 200
    assert desk.world.seed == 2


def test_a_script_leaves_out_edits_of_rows_that_are_gone(desk):
    edit = {"system": "erp", "kind": "customers", "set": {"note": "n"}}
    row = desk.sides["erp"].state("customers", None, 1)[0][0]
    desk.script = Script([{"n": 1, "what": "x", "edits": [{**edit, "id": "99999"}, {**edit, "id": str(row["id"])}]}])
    event = desk.script.play(desk.sides)
    assert "skipped" in event["edits"][0]
    assert "skipped" not in event["edits"][1]
    assert desk.sides["erp"].state("customers", None, 1)[0][0]["note"] == "n"
    assert desk.script.play(desk.sides) is None


# The whole sandbox.


@pytest.fixture
def whole(running_sandbox):
    with httpx.Client(base_url=running_sandbox["control"]["url"], timeout=30) as client:
        yield client


def everything(client):
    kinds = {"gorgias": ("customers", "tickets"), "hubspot": ("contacts", "tickets"), "erp": ("customers", "tickets")}
    return {
        (system, kind): client.get(f"/state/{system}/{kind}").json()["rows"]
        for system, names in kinds.items()
        for kind in names
    }


def test_the_ready_line_names_every_door(running_sandbox, whole):
    assert set(running_sandbox) >= {"ready", "pid", "seed", "gorgias", "hubspot", "erp", "control"}
    assert set(running_sandbox["gorgias"]) >= {"url", "email", "api_key", "client_id", "client_secret"}
    assert set(running_sandbox["hubspot"]) >= {"url", "access_token", "portal_id", "app_id", "client_secret"}
    assert running_sandbox["erp"]["url"].startswith("sqlite:///")
    assert whole.get("/ready").json() == running_sandbox


def test_both_vendors_answer_under_the_sandbox_s_name(running_sandbox):
    gorgias, hubspot = running_sandbox["gorgias"], running_sandbox["hubspot"]
    first = httpx.get(f"{gorgias['url']}/api/account", auth=(gorgias["email"], gorgias["api_key"]))
    token = {"authorization": f"Bearer {hubspot['access_token']}"}
    second = httpx.get(f"{hubspot['url']}/crm/v3/objects/contacts", headers=token)
    for answer in (first, second):
        assert answer.status_code == 200
        assert answer.headers.get_list("server") == ["sync-platform-sandbox"]


def test_every_system_holds_its_share_of_the_people(whole):
    _, people, cases = generate(1, 30, 60, 0.6)
    rows = everything(whole)
    for system, kind in rows:
        wanted = (
            sum(case.system == system for case in cases)
            if kind == "tickets"
            else sum(system in person.views for person in people)
        )
        assert len(rows[system, kind]) == wanted, (system, kind)


def test_a_vendor_s_429_by_a_fault_has_the_vendor_s_shape(running_sandbox, whole):
    whole.put("/faults", json=[{"system": "*", "path": "*", "kind": "429"}]).raise_for_status()
    gorgias, hubspot = running_sandbox["gorgias"], running_sandbox["hubspot"]
    first = httpx.get(f"{gorgias['url']}/api/account", auth=(gorgias["email"], gorgias["api_key"]))
    token = {"authorization": f"Bearer {hubspot['access_token']}"}
    second = httpx.get(f"{hubspot['url']}/crm/v3/objects/contacts", headers=token)
    assert (first.status_code, second.status_code) == (429, 429)
    assert int(first.headers["retry-after"]) > 0
    assert second.json()["status"] == "error"
    assert whole.get("/calls").json()["rate_limited"] == 2


def asked(ready, system):
    door = ready[system]
    if system == "gorgias":
        return httpx.get(f"{door['url']}/api/account", auth=(door["email"], door["api_key"]))
    token = {"authorization": f"Bearer {door['access_token']}"}
    return httpx.get(f"{door['url']}/crm/v3/objects/contacts", headers=token)


@pytest.mark.parametrize("system", ["gorgias", "hubspot"])
def test_423_477_and_5xx_by_a_fault_have_the_vendor_s_shape(running_sandbox, whole, system):
    def planned(kind, **more):
        whole.put("/faults", json=[{"system": system, "path": "*", "kind": kind, **more}]).raise_for_status()
        return asked(running_sandbox, system)

    for kind, status, more in (("423", 423, {}), ("477", 477, {"retry_after": 3600}), ("5xx", 503, {"status": 503})):
        answer = planned(kind, **more, **({"body": "json"} if kind == "5xx" else {}))
        body = answer.json()
        assert answer.status_code == status
        assert body["error"]["msg"] if system == "gorgias" else body["status"] == "error" and body["correlationId"]
        assert answer.headers.get("retry-after") == ("3600" if kind == "477" else None)
    assert planned("5xx").headers["content-type"].startswith("text/html")


def test_a_477_of_hubspot_says_in_seconds_how_long_to_wait(running_sandbox, whole):
    whole.put("/faults", json=[{"system": "hubspot", "path": "*", "kind": "477"}]).raise_for_status()
    assert int(asked(running_sandbox, "hubspot").headers["retry-after"]) > 0


def test_a_429_of_hubspot_comes_in_both_shapes(running_sandbox, whole):
    keys = {}
    for shape in ("documented", "recorded"):
        plan = [{"system": "hubspot", "path": "*", "kind": "429", "shape": shape}]
        whole.put("/faults", json=plan).raise_for_status()
        keys[shape] = asked(running_sandbox, "hubspot").json().keys()
    assert "policyName" in keys["documented"]
    assert "category" in keys["recorded"]
    assert "policyName" not in keys["recorded"]


def test_presets_of_faults_are_listed_and_put_by_name(whole):
    listed = {row["name"]: row for row in whole.get("/faults/presets").json()}
    assert "bad-night" in listed
    shown = whole.put("/faults", json={"preset": "bad-night", "seed": 7}).json()
    assert [row["kind"] for row in shown] == [row["kind"] for row in listed["bad-night"]["faults"]]
    assert whole.get("/faults").json() == shown
    wrong = whole.put("/faults", json={"preset": "good-night"})
    assert (wrong.status_code, "bad-night" in wrong.json()["error"]) == (400, True)
    assert whole.get("/faults").json() == shown


def test_the_series_shows_calls_and_the_budget_s_use(running_sandbox, whole):
    for _ in range(5):
        assert asked(running_sandbox, "gorgias").status_code == 200
    found = whole.get("/calls/series", params={"system": "gorgias", "step_s": 5, "minutes": 2}).json()
    row = found["systems"]["gorgias"]
    assert list(found["systems"]) == ["gorgias"]
    assert (len(row["ok"]), sum(row["ok"]), sum(row["limited"]), sum(row["failed"])) == (24, 5, 0, 0)
    assert (row["window"], row["limit"], max(row["used"])) == ("gorgias.api_key", 40, 5)
    assert set(whole.get("/calls/series").json()["systems"]) == {"gorgias", "hubspot"}
    assert whole.get("/calls/series?system=shopify").status_code == 404
    for wrong in ("step_s=0", "minutes=0", "step_s=1&minutes=100000", "step_s=x"):
        assert whole.get(f"/calls/series?{wrong}").status_code == 400


def test_a_day_of_edits_reaches_all_three_systems(whole):
    before = everything(whole)
    seen, left, touched = [], 1, set()
    while left:
        answer = whole.post("/script/next").json()
        left = answer["left"]
        seen.append(answer["event"])
        assert not any("skipped" in edit for edit in answer["event"]["edits"])
        for edit in answer["event"]["edits"]:
            assert (edit["system"], edit["kind"], edit["id"]) not in touched
            touched.add((edit["system"], edit["kind"], edit["id"]))
    assert {edit["system"] for event in seen for edit in event["edits"]} == {"gorgias", "hubspot", "erp"}
    assert any(
        edit["kind"] == "tickets" and edit["set"].get("status") == "closed" for event in seen for edit in event["edits"]
    )
    after = everything(whole)
    assert all(len(after[key]) > len(before[key]) for key in after if key != ("gorgias", "tickets"))
    assert whole.post("/script/next").json() == {"event": None, "left": 0}
    assert whole.get("/outbox").json() == []


def test_switches_of_the_command_line_hold_after_a_reset(tmp_path):
    options = Options(
        customers=3, tickets=0, data_dir=tmp_path, gorgias_port=0, hubspot_port=0, control_port=0,
        switches=(("gorgias.plan_per_s", "2"),),
    )  # fmt: skip
    with running(options) as ready, httpx.Client(base_url=ready["control"]["url"]) as client:
        for _ in range(2):
            values = {row["name"]: row["value"] for row in client.get("/switches").json()}
            assert values["gorgias.plan_per_s"] == 2
            client.post("/reset", json={"seed": 2}).raise_for_status()


def test_reset_brings_back_the_same_world_and_another_seed_another_one(whole):
    before = everything(whole)
    whole.post("/script/next").raise_for_status()
    ready = whole.post("/reset", json={"seed": 1}).json()
    assert (ready["ready"], ready["seed"]) == (True, 1)
    assert everything(whole) == before
    assert whole.post("/reset", json={"seed": 2}).json()["seed"] == 2
    assert everything(whole) != before


# As a process.


@pytest.fixture
def started():
    """Call with options: a sandbox as a process, ended with the test."""
    processes = []

    def start(*options):
        command = [sys.executable, "-m", "sync_platform.sandbox", "--customers", "20", "--tickets", "30", *options]
        ports = ["--gorgias-port", "0", "--hubspot-port", "0", "--control-port", "0"]
        process = subprocess.Popen(
            [*command, *ports], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.communicate()


def ready_line(process):
    line = process.stdout.readline()
    assert line, process.stderr.read()
    return json.loads(line)


def stopped(process, number=signal.SIGTERM):
    process.send_signal(number)
    out, err = process.communicate(timeout=START_S)
    return process.returncode, out, err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_and_the_temporary_directory_goes(started, number):
    process = started()
    ready = ready_line(process)
    directory = Path(ready["erp"]["url"].removeprefix("sqlite:///")).parent
    assert ready["pid"] == process.pid
    assert directory.exists()
    assert httpx.get(f"{ready['control']['url']}/ready").json() == ready
    assert stopped(process, number) == (0, "", "")
    assert not directory.exists()


def test_a_data_directory_keeps_its_state_its_seed_and_its_clock(started, tmp_path):
    first = started("--data-dir", str(tmp_path), "--seed", "4")
    url = ready_line(first)["control"]["url"]
    edit = {"system": "erp", "kind": "customers", "id": None, "set": {"full_name": "Bo", "customer_no": "C-kept"}}
    httpx.post(f"{url}/edit", json=edit).raise_for_status()
    httpx.post(f"{url}/clock", json={"advance_s": 5000}).raise_for_status()
    httpx.post(f"{url}/script/next").raise_for_status()
    with httpx.Client(base_url=url) as client:
        left = client.post("/script/next").json()["left"]
        before = everything(client)
    stopped(first)
    second = started("--data-dir", str(tmp_path))
    ready = ready_line(second)
    with httpx.Client(base_url=ready["control"]["url"]) as client:
        assert ready["seed"] == 4
        assert everything(client) == before
        assert client.get("/clock").json()["offset_s"] == 5000
        assert client.post("/script/next").json()["left"] == left - 1
    assert stopped(second)[0] == 0


def test_a_signal_during_the_seeding_ends_it_too(started, tmp_path):
    process = started("--customers", "200000", "--data-dir", str(tmp_path))
    deadline = time.monotonic() + START_S
    while not (tmp_path / "erp.db").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    begin = time.monotonic()
    assert stopped(process)[0] == 128 + signal.SIGTERM
    assert time.monotonic() - begin < START_S / 2
    assert not (tmp_path / "world.json").exists()


def test_a_data_directory_is_not_paired_with_another_erp(tmp_path):
    Sandbox(Options(customers=3, tickets=3), tmp_path)
    with pytest.raises(ValueError, match="another database"):
        Sandbox(Options(customers=3, tickets=3, erp_url=f"sqlite:///{tmp_path / 'other.db'}"), tmp_path)


def test_a_taken_port_is_named(started):
    process = started()
    ready = ready_line(process)
    port = ready["control"]["url"].rsplit(":", 1)[1]
    second = subprocess.run(
        [
            sys.executable,
            "-m",
            "sync_platform.sandbox",
            "--control-port",
            port,
            "--gorgias-port",
            "0",
            "--hubspot-port",
            "0",
        ],
        capture_output=True,
        text=True,
        timeout=START_S,
        check=False,
        cwd=ROOT,
    )
    stopped(process)
    assert second.returncode == 1
    assert port in second.stderr
    assert "control" in second.stderr


def test_a_thousand_people_are_ready_within_seconds(tmp_path):
    begin = time.process_time()
    Sandbox(Options(customers=1000, tickets=0), tmp_path)
    assert time.process_time() - begin < 5
