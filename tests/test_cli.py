"""The operator's door: help, answers, exit codes, errors without a value, files of `init`, children of the demo."""

import json
import os
import signal
import stat
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import pytest
import typer

from sync_platform import cli, cli_demo, cli_words
from sync_platform.cli_init import env_text, write_files
from sync_platform.errors import AnotherCycleRuns, Misconfigured, NotSetUp
from sync_platform.ledger.database import Ledger
from sync_platform.settings import Settings, environment_names, setting_names

ROOT = Path(__file__).resolve().parent.parent
COMMANDS = [
    *["init", "setup", "connect", "doctor", "plan", "sync", "status", "verify", "why", "demo", "sandbox"],
    *["approve", "drop", "undo", "pause", "resume"],
]
COMMANDS += ["reviews", "parked", "link", "unlink", "policy"]
COMMANDS += ["forget", "restored", "audit", "prune", "join"]
COMMANDS += ["simulate"]
COMMANDS += ["serve"]
CANARY = "canary.ada@example.com"
SUMMARY = {
    "run": "r1",
    "complete": True,
    "outcome": "partial",
    "seconds": 1.25,
    "systems": {
        "gorgias": {
            "calls": {"read": 9, "write": 3},
            "lower_bound": 12,
            "ratio": 1.0,
            "rate_limited": 0,
            "waited_s": 0.4,
        }
    },
    "entities": {
        "customer": {
            "observed": 9,
            "created": {"gorgias": 0, "hubspot": 1},
            "updated": {},
            "deleted": {},
            "conflicts": 2,
        }
    },
    "errors": [{"system": "hubspot", "entity": "ticket", "code": "MISSING_SCOPES", "count": 1, "remedy": "grant it"}],
}


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """An empty folder to work in, and no setting from outside."""
    for name in environment_names():
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def sync_platform(*args, cwd, **env):
    clean = {name: value for name, value in os.environ.items() if name not in set(environment_names())}
    return subprocess.run(
        [sys.executable, "-m", "sync_platform", *args],
        cwd=cwd,
        env={**clean, "PYTHONPATH": str(ROOT), **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_every_command_is_there():
    assert set(typer.main.get_command(cli.app).commands) == set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_explains_each_command_with_an_example(command, capsys):
    assert cli.run([command, "--help"]) == 0
    said = capsys.readouterr().out
    assert "Example" in said
    assert f"sync-platform {command}" in " ".join(said.split())


def test_help_answers_without_loading_what_the_work_needs():
    code = (
        "import sys; from sync_platform import cli; cli.run(['--help']);"
        "heavy = {'dagster', 'httpx', 'hubspot', 'sqlalchemy', 'phonenumbers', 'starlette'} & set(sys.modules);"
        "sys.exit(f'loaded: {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("args", [["nope"], ["sync", "--nope"], ["sandbox", "--customers", "-1"], ["connect", "erp"]])
def test_wrong_usage_ends_with_2_and_points_to_the_help(args, capsys):
    assert cli.run(args) == 2
    said = capsys.readouterr()
    assert "--help" in said.err
    assert said.out == ""


@pytest.mark.parametrize(
    ("error", "code"),
    [(Misconfigured("wrong"), 1), (NotSetUp(), 1), (AnotherCycleRuns(), 5), (KeyboardInterrupt(), 130)],
)
def test_each_ending_has_its_exit_code(error, code, monkeypatch, capsys):
    def fail(*_args, **_more):
        raise error

    monkeypatch.setattr(Settings, "load", fail)
    assert cli.run(["status"]) == code
    said = capsys.readouterr()
    assert said.out == ""
    assert len(said.err.strip().splitlines()) == 1


@pytest.mark.parametrize("debug", ["0", "1"])
def test_an_error_that_nobody_foresaw_is_told_without_its_words(debug, monkeypatch, capsys):
    def fail(*_args, **_more):
        raise RuntimeError(CANARY) from KeyError(CANARY)

    monkeypatch.setattr(Settings, "load", fail)
    monkeypatch.setenv("SYNC_DEBUG", debug)
    assert cli.run(["status", "--json"]) == 1
    said = capsys.readouterr()
    assert CANARY not in said.err + said.out
    assert "RuntimeError" in said.err
    assert json.loads(said.out)["error"]["code"] == "RuntimeError"


def test_an_error_names_its_remedy(elsewhere, monkeypatch, capsys):
    monkeypatch.setenv("HUBSPOT_BASE_URL", "https://api.example.com")
    assert cli.run(["doctor"]) == 1
    said = capsys.readouterr().err
    assert "HUBSPOT_ACCESS_TOKEN" in said
    assert "sync-platform init" in said


def test_json_is_one_object_on_one_line_and_last_on_stdout(capsys):
    cli_words.answer({"a": "ä\n", "b": [1]}, "words", as_json=True)
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert json.loads(out) == {"a": "ä\n", "b": [1]}


def test_a_summary_in_words_names_counts_and_remedies():
    text = cli_words.summary_text(SUMMARY)
    assert "created hubspot 1" in text
    assert "9 reads, 3 writes (at least 12)" in text
    assert "MISSING_SCOPES × 1 — grant it" in text


def test_verify_in_words_says_whether_all_is_equal():
    found = {
        "equal": False,
        "entities": {"customer": {"records": 2, "fields_compared": 5400, "missing": {"erp": 1}, "doubled": {}}},
        "differences": [{"record": "abc", "field": "phone"}],
        "truncated": True,
    }
    text = cli_words.verify_text(found)
    assert text.startswith("NOT equal")
    assert "missing erp 1" in text
    assert "record abc, field phone" in text


def test_what_is_known_of_a_difference_is_said_in_words():
    assert cli_words.difference_text({"record": "abc", "field": "note", "apart": ["erp", "hubspot"]}) == (
        "record abc, field note, left apart in erp, hubspot"
    )
    assert cli_words.difference_text({"record": "abc", "field": "*", "missing": "erp"}).endswith("missing in erp")


STANDING = {"entities": {"customer": {"in_review": 0, "parked": 0}}, "held": [], "plans": [], "paused": None}
HELD = {"hold": 1, "count": 9, "entity": "customer", "field": "note", "verb": "update", "system": "gorgias"}


@pytest.mark.parametrize(
    ("waiting", "code"),
    [
        ({}, 0),
        ({"held": [HELD | {"stage": "intents"}]}, 4),
        ({"paused": {"who": "kim", "why": None, "at": "2026-01-01T00:00:00+00:00"}}, 4),
        ({"entities": {"ticket": {"in_review": 1, "parked": 0}}}, 4),
    ],
)
def test_status_ends_with_4_while_anything_waits_for_a_person(waiting, code, elsewhere, monkeypatch, capsys):
    monkeypatch.setattr("sync_platform.sync.status.status", lambda _settings: STANDING | waiting)
    assert cli.run(["status", "--json"]) == code
    assert json.loads(capsys.readouterr().out)["entities"]
    assert cli.run(["status"]) == code


def test_a_limit_of_a_day_is_not_told_in_seconds():
    budget = {"used": 65, "limit": 625000, "window_s": 86400.0}
    text = cli_words.status_text({"systems": {"hubspot": {"lag_s": 2, "budget": budget}}})
    assert "65 of 625000 calls in a day" in text
    assert cli_words.window_text(20.0) == "20 s"


def test_a_plan_with_nothing_to_write_says_so():
    from sync_platform.sync.preview import words

    idle = {"linked": 4, "ambiguous": 0, "mails": 0, "would_write": 0, "seconds_estimated": 0, "held": [], "plans": []}
    none = {"create": 0, "update": 0, "delete": 0}
    assert words(idle | {"counts": {"erp": none}}) == "4 objects linked, 0 ambiguous; nothing to write"
    some = idle | {"would_write": 1, "seconds_estimated": 70, "counts": {"erp": none | {"create": 1}}}
    assert words(some).endswith("1 created in the ERP, 0 ambiguous, 0 mails, about 1 minute; nothing written yet")


def test_restored_answers_in_words_and_as_json(elsewhere, monkeypatch, capsys):
    monkeypatch.setenv("LEDGER_DATABASE_URL", f"sqlite:///{elsewhere / 'ledger.db'}")
    Ledger.open(f"sqlite:///{elsewhere / 'ledger.db'}", migrate=True).close()
    assert cli.run(["restored", "--json"]) == 0
    said = capsys.readouterr()
    assert said.out.count("\n") == 1
    assert datetime.fromisoformat(json.loads(said.out)["restored_at"]).tzinfo is not None
    assert cli.run(["restored"]) == 0
    assert "sync --full" in capsys.readouterr().out


def test_why_in_words_tells_the_origin_the_rule_and_what_lost():
    found = {
        "field": "phone",
        "value": "+14155550132",
        "from": {"system": "erp", "id": "7", "at": "2026-01-01T00:00:00Z"},
        "rule": "owner",
        "policy": "abc",
        "lost": [{"system": "gorgias", "value": "+14155550199"}],
        "written": [{"system": "hubspot", "intent": 9, "state": "acknowledged", "at": "2026-01-01T00:00:01Z"}],
    }
    text = cli_words.why_text(found)
    assert "from erp 7" in text
    assert "by rule owner" in text
    assert "lost: gorgias" in text
    assert "intent 9 acknowledged" in text


def test_status_says_sandbox_first():
    assert cli_words.status_text({"target": "sandbox", "writes": "on"}).startswith("SANDBOX")


def test_init_writes_a_private_file_with_a_comment_for_each_line(elsewhere, capsys):
    assert cli.run(["init"]) == 0
    env = elsewhere / ".env"
    assert stat.S_IMODE(env.stat().st_mode) == 0o600
    assert (elsewhere / "policy.yaml").is_file()
    lines = env.read_text().splitlines()
    names = [
        line.removeprefix("# ").split("=")[0] for line in lines if "=" in line and line.removeprefix("# ")[0].isupper()
    ]
    assert set(setting_names()) - {"SYNC_ROOT"} <= set(names)
    settings = Settings.load({}, root=elsewhere)
    assert settings.sync_writes == "off"
    assert settings.policy_file == elsewhere / "policy.yaml"
    assert "doctor" in capsys.readouterr().err


def test_init_never_overwrites(elsewhere, capsys):
    (elsewhere / ".env").write_text("MINE=1\n")
    assert cli.run(["init"]) == 1
    assert (elsewhere / ".env").read_text() == "MINE=1\n"
    assert not (elsewhere / "policy.yaml").exists()
    assert ".env would be overwritten" in capsys.readouterr().err
    with pytest.raises(Misconfigured):
        write_files(elsewhere)


def test_the_file_that_init_writes_explains_every_setting():
    text = env_text()
    assert all(str(info.description) in text for name, info in Settings.model_fields.items() if name != "sync_root")


def test_the_sandbox_prints_one_ready_line_and_ends_on_sigterm(elsewhere):
    args = ["sandbox", "--customers", "10", "--tickets", "10"]
    ports = [part for name in ("gorgias", "hubspot", "control") for part in (f"--{name}-port", "0")]
    child = subprocess.Popen(
        [sys.executable, "-m", "sync_platform", *args, *ports],
        cwd=elsewhere,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        ready = json.loads(child.stdout.readline())
        assert ready["ready"] is True
        settings = Settings.load({"SANDBOX_CONTROL_URL": ready["control"]["url"]}, root=elsewhere)
        assert settings.gorgias().base_url == ready["gorgias"]["url"]
    finally:
        child.send_signal(signal.SIGTERM)
        rest, _ = child.communicate(timeout=30)
    assert rest == ""
    assert child.returncode in (0, 130)
    assert not Path(ready["erp"]["url"].removeprefix("sqlite:///")).exists()


def test_switches_are_listed_without_starting_anything(capsys):
    assert cli.run(["sandbox", "--switches", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["switches"]
    assert {"gorgias.cursor_ttl_s", "hubspot.search_lag_s"} <= {row["name"] for row in rows}
    assert all(row["doc"] and {"default", "choices", "value"} <= row.keys() for row in rows)
    assert cli.run(["sandbox", "--switches"]) == 0
    said = capsys.readouterr().out
    assert all(row["name"] in said for row in rows)


@pytest.mark.parametrize(
    ("args", "named"),
    [
        (["--switch", "gorgias.nope=1"], "unknown switch"),
        (["--switch", "gorgias.enterprise=maybe"], "takes one of"),
        (["--switch", "gorgias.enterprise"], "name=value"),
        (["--import", "no-such-file.csv"], "no-such-file.csv"),
        (["--map", "subject"], "field="),
        (["--import-zone", "Mars/Base"], "time zone"),
        (["--import-to", "shopify"], "gorgias"),
    ],
)
def test_a_sandbox_that_cannot_start_says_why_in_one_line(args, named, capsys):
    assert cli.run(["sandbox", *args]) == 1
    said = capsys.readouterr()
    assert named in said.err
    assert (len(said.err.strip().splitlines()), said.out) == (1, "")


def test_both_doors_of_the_sandbox_have_the_same_options():
    from sync_platform.sandbox.__main__ import parser

    command = typer.main.get_command(cli.app).commands["sandbox"]
    long = {name for parameter in command.params for name in parameter.opts if name.startswith("--")} - {"--help"}
    other = {name for action in parser()._actions for name in action.option_strings if name.startswith("--")}
    assert long == other - {"--help"}


def test_a_sample_export_is_printed(capsys):
    assert cli.run(["sandbox", "--import-sample", "2"]) == 0
    assert capsys.readouterr().out.startswith("Ticket #,Requester,")


def test_the_demo_hands_no_setting_of_a_real_account_to_its_children(monkeypatch):
    for name in environment_names():
        monkeypatch.setenv(name, "secret-of-a-real-account")
    monkeypatch.setenv("DAGSTER_HOME", "/somewhere")
    env = cli_demo.clean_environment(DAGSTER_HOME="/here")
    assert env["DAGSTER_HOME"] == "/here"
    assert "secret-of-a-real-account" not in env.values()


def test_the_demos_settings_are_found_again_by_its_folder(tmp_path):
    made = cli_demo.demo_settings(tmp_path, {"control": {"url": "http://127.0.0.1:9"}}, None)
    again = Settings.load({}, root=tmp_path)
    assert again.ledger_url == made.ledger_url == f"sqlite:///{tmp_path}/ledger.db"
    assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600


def test_children_and_their_children_end_with_the_demo(tmp_path):
    code = (
        "import signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    children = cli_demo.Children(tmp_path)
    log = children.start("stubborn", [sys.executable, "-c", code], {**os.environ, "PYTHONPATH": str(ROOT)})
    deadline = time.monotonic() + 30
    while not log.read_text().strip():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    grandchild = int(log.read_text())
    children.end(wait_s=0.5)
    deadline = time.monotonic() + 30
    while _alive(grandchild):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert children.started == []


def test_children_end_even_when_the_demo_is_killed(tmp_path):
    code = (
        "import os, sys, time, pathlib\n"
        "from sync_platform.cli_demo import Children\n"
        "children = Children(pathlib.Path('.'))\n"
        "log = children.start('child', [sys.executable, '-c', "
        "'import os, time; print(os.getpid(), flush=True); time.sleep(600)'], dict(os.environ))\n"
        "while not log.read_text().strip():\n"
        "    time.sleep(0.02)\n"
        "print(log.read_text().strip(), flush=True)\n"
        "time.sleep(600)\n"
    )
    demo = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    with demo:
        child = int(demo.stdout.readline())
        assert _alive(child)
        demo.kill()
    deadline = time.monotonic() + 30
    while _alive(child):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_child_that_ends_by_itself_is_noticed(tmp_path):
    children = cli_demo.Children(tmp_path)
    children.start("brief", [sys.executable, "-c", "raise SystemExit(3)"], {**os.environ, "PYTHONPATH": str(ROOT)})
    children.started[0][1].wait(timeout=30)
    with pytest.raises(Exception, match=r"brief ended by itself \(code 3\)"):
        children.check()
    children.end()


def test_a_taken_port_is_left_alone(tmp_path):
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert cli_demo._free_port(port) != port
        assert cli_demo._free_port(port, otherwise=0) == 0


def test_a_second_demo_in_one_folder_is_refused(tmp_path):
    (tmp_path / "demo").mkdir()
    with (
        cli_demo._alone(tmp_path / "demo"),
        pytest.raises(Misconfigured, match="another demo runs"),
        cli_demo._alone(tmp_path / "demo"),
    ):
        pytest.fail("two demos")


@pytest.mark.slow
def test_demo_once_ends_equal_and_its_third_cycle_writes_nothing(elsewhere):
    done = sync_platform(
        "demo", "--once", "--customers", "40", "--tickets", "60", "--edits", "20", "--json", cwd=elsewhere
    )
    assert done.stdout.count("\n") == 1, done.stderr
    found = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    assert found["equal"] is True
    assert found["verify"]["entities"]["customer"]["fields_differ"] == 0
    assert cli_demo.writes(found["third"]) == 0
    assert {"seconds", "seed", "first_load", "edits", "second", "third", "verify"} <= set(found)


def _alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat_line = Path(f"/proc/{pid}/stat")
    return not stat_line.exists() or stat_line.read_text().rsplit(")", 1)[1].split()[0] != "Z"
