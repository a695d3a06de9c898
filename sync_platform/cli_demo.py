"""`sync-platform demo`: the whole platform on the sandbox, live with Dagster's UI or once without it.

Everything lives in `.sync/demo`; the environment is built anew, so neither a `.env` nor a variable of a real account is
ever seen here. Every process that is started stands in a group of its own and is ended with the demo.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sync_platform import cli_words as words
from sync_platform.errors import Misconfigured, SyncError, Unavailable
from sync_platform.settings import Settings, environment_names

UI_PORT = 3000
SERVE_PORTS = {"door": 8080, "pages": 8081}
FIXED_PORTS = {"control": 8700, "gorgias": 8701, "hubspot": 8702}
START_TIMEOUT_S = 90.0
EDIT_EVERY_S = 20.0
LOOK_EVERY_S = 3.0
SEEN_AFTER_S = 60.0
QUIET_AFTER_S = 3600.0
KILL_AFTER_S = 10.0
HOME_FILES = ("dagster.yaml", "workspace.yaml")


@dataclass(frozen=True)
class World:
    """Options of the demo's sandbox."""

    seed: int
    customers: int
    tickets: int
    overlap: float
    rate_scale: float
    erp_url: str | None = None

    def arguments(self, data_dir: Path, ports: Mapping[str, int]) -> list[str]:
        """The command line of `sync-platform sandbox`."""
        options: dict[str, Any] = {
            "seed": self.seed,
            "customers": self.customers,
            "tickets": self.tickets,
            "overlap": self.overlap,
            "rate-scale": self.rate_scale,
            "data-dir": data_dir,
            **{f"{name}-port": port for name, port in ports.items()},
        }
        if self.erp_url:
            options["erp-url"] = self.erp_url
        return [part for name, value in options.items() for part in (f"--{name}", str(value))]


@dataclass
class Children:
    """Processes that this one started, each in a group of its own; `end` ends all of them, the last first.

    Each runs under `cli_guard`, which ends it when this process dies without a chance to do so.
    """

    folder: Path
    started: list[tuple[str, subprocess.Popen[bytes]]] = field(default_factory=list)

    def start(self, name: str, command: Sequence[str], env: Mapping[str, str]) -> Path:
        """Start a process with its words going to `<name>.log`; gives that file."""
        log = self.folder / f"{name}.log"
        with log.open("wb") as out:
            child = subprocess.Popen(  # noqa: S603 - our own commands
                [sys.executable, "-m", "sync_platform.cli_guard", *command],
                cwd=self.folder,
                env=dict(env),
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.started.append((name, child))
        return log

    def check(self) -> None:
        """Raise Unavailable if a process has ended by itself."""
        for name, child in self.started:
            if child.poll() is not None:
                raise Unavailable(
                    f"{name} ended by itself (code {child.returncode})", remedy=f"See {self.folder / name}.log."
                )

    def end(self, wait_s: float = KILL_AFTER_S) -> None:
        """SIGINT, then SIGTERM, then SIGKILL to each group; nothing of it runs on afterwards."""
        for number, patience_s in ((signal.SIGINT, wait_s), (signal.SIGTERM, 3.0), (signal.SIGKILL, 3.0)):
            alive = [child for _, child in reversed(self.started) if _group_lives(child)]
            for child in alive:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(child.pid, number)
            deadline = time.monotonic() + patience_s
            while time.monotonic() < deadline and any(_group_lives(child) for child in alive):
                time.sleep(0.05)
        for _, child in self.started:
            if child.stdin is not None:
                child.stdin.close()
            child.wait()
        self.started.clear()


def once(world: World, *, edits: int, ledger_url: str | None) -> dict[str, Any]:
    """First load, edits on all sides, second cycle, clock past every margin, third cycle, verify.

    Gives {"equal", "seconds", "seed", "first_load", "edits", "second", "third", "verify"}, in a folder of its own.
    """
    home = _home()
    folder = Path(tempfile.mkdtemp(prefix="once-", dir=home))
    began = time.monotonic()
    try:
        with _children(folder) as children:
            ready = start_sandbox(world, folder, children, dict.fromkeys(FIXED_PORTS, 0))
            settings = demo_settings(folder, ready, ledger_url)
            found = _once(settings, ready["control"]["url"], edits)
    except SyncError:
        words.say(f"everything is kept in {folder}")
        raise
    found = {
        "equal": found["verify"]["equal"],
        "seconds": round(time.monotonic() - began, 1),
        "seed": world.seed,
    } | found
    if found["equal"]:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        words.say(f"not equal: everything is kept in {folder}")
    return found


def _once(settings: Settings, control: str, edits: int) -> dict[str, Any]:
    from sync_platform.sync.verify import verify

    set_up(settings)
    words.say("first load …")
    first = _cycle(settings)
    # Past every margin, lag and second look: what follows must not pay for the echoes of the first load.
    _post(f"{control}/clock", {"advance_s": QUIET_AFTER_S})
    words.say(f"{edits} edits in the three systems …")
    made = sum(1 for _ in range(edits) if _post(f"{control}/script/next", {})["event"] is not None)
    _post(f"{control}/clock", {"advance_s": SEEN_AFTER_S})
    second = _cycle(settings)
    words.say("one more cycle, after every margin …")
    _post(f"{control}/clock", {"advance_s": QUIET_AFTER_S})
    third = _cycle(settings)
    words.say("verify …")
    checked = verify(settings, show_values=False, progress=None)
    return {"first_load": first, "edits": made, "second": second, "third": third, "verify": checked}


def _cycle(settings: Settings) -> dict[str, Any]:
    from sync_platform.sync.cycle import run_until_complete

    progress = words.ProgressLine()
    try:
        found: dict[str, Any] = run_until_complete(settings, progress=progress)
    finally:
        progress.close()
    words.say(words.summary_text(found))
    return found


def writes(summary: Mapping[str, Any]) -> int:
    """How many write calls a cycle made."""
    return sum(int(cost.get("calls", {}).get("write", 0)) for cost in summary.get("systems", {}).values())


def once_text(found: Mapping[str, Any]) -> str:
    """The end of `demo --once` in words."""
    return (
        f"{words.verify_text(found['verify'])}\n"
        f"{found['edits']} edits, {found['seconds']} s in all; the third cycle wrote {writes(found['third'])} times"
    )


def live(world: World, *, ledger_url: str | None, keep: bool) -> int:
    """The sandbox, Dagster and a scripted day of edits, until Ctrl-C or SIGTERM; every process ends with it."""
    home = _home()
    with _alone(home), _children(home) as children:
        if not keep:
            _empty(home)
        ready = start_sandbox(world, home, children, _ports())
        port = _free_port(UI_PORT)
        ports = {name: _free_port(wanted) for name, wanted in SERVE_PORTS.items()}
        settings = demo_settings(home, ready, ledger_url, **_own_words(ports, port))
        set_up(settings, webhooks_url=f"http://127.0.0.1:{ports['door']}")
        _start_serve(home, children, ports)
        _start_dagster(home, children, port)
        _introduce(ready, settings, port, ports["pages"])
        with contextlib.suppress(KeyboardInterrupt):
            _day(settings, ready["control"]["url"], children)
        words.say("\nending …")
    return words.DONE


def start_sandbox(world: World, folder: Path, children: Children, ports: Mapping[str, int]) -> dict[str, Any]:
    """Start the sandbox and wait for its ready line."""
    command = [sys.executable, "-m", "sync_platform", "sandbox", *world.arguments(folder / "sandbox", ports)]
    log = children.start("sandbox", command, clean_environment())

    def ready_line() -> dict[str, Any] | None:
        for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
            with contextlib.suppress(ValueError):
                found = json.loads(line)
                if isinstance(found, dict) and found.get("ready"):
                    return found
        return None

    found: dict[str, Any] = _until(ready_line, children, "the sandbox")
    return found


def demo_settings(folder: Path, ready: Mapping[str, Any], ledger_url: str | None, **more: str) -> Settings:
    """Settings of the demo, written to its own `.env` as well, so that other commands find it with SYNC_ROOT."""
    env = {
        "SANDBOX_CONTROL_URL": str(ready["control"]["url"]),
        "LEDGER_DATABASE_URL": ledger_url or f"sqlite:///{(folder / 'ledger.db').as_posix()}",
    } | more
    file = folder / ".env"
    file.write_text("".join(f"{name}={value}\n" for name, value in env.items()), encoding="utf-8")
    file.chmod(0o600)
    return Settings.load(env, root=folder)


def _own_words(ports: Mapping[str, int], dagster_port: int) -> dict[str, str]:
    """Settings of the demo's door and pages, drawn anew each time."""
    return {
        "GORGIAS_WEBHOOK_SECRET": secrets.token_hex(16),
        "SYNC_WEB_TOKEN": secrets.token_urlsafe(9),
        "SYNC_WEB_OPERATOR_TOKEN": secrets.token_urlsafe(9),
        "SYNC_PAGES_URL": f"http://127.0.0.1:{ports['pages']}",
        "SYNC_PUBLIC_URL": f"http://127.0.0.1:{ports['door']}",
        "SYNC_DAGSTER_URL": f"http://127.0.0.1:{dagster_port}",
    }


def set_up(settings: Settings, *, webhooks_url: str | None = None) -> None:
    """`setup`, with its findings told."""
    from sync_platform.sync.setup import setup

    failed = [finding for finding in setup(settings, webhooks_url=webhooks_url) if not finding.ok]
    for finding in failed:
        words.say(f"{finding.name}: {finding.found} — {finding.remedy}")
    if failed:
        raise Misconfigured("the sandbox could not be set up", remedy="Run the demo again without --keep.")


def clean_environment(**more: str) -> dict[str, str]:
    """This process's environment without any setting of the platform, and what is given."""
    ours = set(environment_names()) | {"DAGSTER_HOME"}
    return {name: value for name, value in os.environ.items() if name not in ours} | {"PYTHONUNBUFFERED": "1"} | more


def _start_dagster(home: Path, children: Children, port: int) -> None:
    source = _source_folder()
    for name in HOME_FILES:
        shutil.copyfile(source / name, home / name)
    # The workspace names its own folder as the place of the code; here that is the clone.
    workspace = home / "workspace.yaml"
    text = workspace.read_text(encoding="utf-8")
    workspace.write_text(
        text.replace("working_directory: .", f"working_directory: {json.dumps(str(source))}"), encoding="utf-8"
    )
    env = clean_environment(DAGSTER_HOME=str(home), SYNC_ROOT=str(home), PYTHONWARNINGS="ignore")
    command = [sys.executable, "-m", "dagster", "dev", "-w", str(workspace), "-h", "127.0.0.1", "-p", str(port)]
    children.start("dagster", command, env)
    words.say("starting Dagster …")
    _until(lambda: _answers(f"http://127.0.0.1:{port}/server_info"), children, "Dagster")


def _start_serve(home: Path, children: Children, ports: Mapping[str, int]) -> None:
    """The door, which the sandbox's Gorgias calls, and the pages."""
    named = [f"--port={ports['door']}", "--host=127.0.0.1", f"--pages-port={ports['pages']}"]
    env = clean_environment(SYNC_ROOT=str(home))
    log = children.start("serve", [sys.executable, "-m", "sync_platform", "serve", *named], env)
    _until(lambda: '"ready": true' in log.read_text(encoding="utf-8", errors="replace"), children, "serve")


def _introduce(ready: Mapping[str, Any], settings: Settings, port: int, pages_port: int) -> None:
    words.say(
        f"\n  Dagster    http://127.0.0.1:{port}"
        f"\n  Pages      http://127.0.0.1:{pages_port}   (sign in with the token"
        f" {settings.secret('SYNC_WEB_OPERATOR_TOKEN')}, or {settings.secret('SYNC_WEB_TOKEN')} for reading)"
        f"\n  Gorgias    {ready['gorgias']['url']}   (sandbox)"
        f"\n  HubSpot    {ready['hubspot']['url']}   (sandbox)"
        f"\n  ERP        {ready['erp']['url']}"
        f"\n  Sandbox    {ready['control']['url']}   (its page: what each system holds, calls, dials)"
        "\n\nThe sensor `news` starts the first load by itself. Ctrl-C ends everything.\n"
    )


def _day(settings: Settings, control: str, children: Children) -> None:
    """Tell what changes; play an edit now and then once the first load is done."""
    began = time.monotonic()
    told, loaded, edited_at = "", False, 0.0
    while True:
        time.sleep(LOOK_EVERY_S)
        children.check()
        state = _status(settings)
        if state is None:
            continue
        line = live_text(state)
        if line != told:
            told = line
            words.say(f"{time.strftime('%H:%M:%S')}  {line}")
        if not loaded and (state.get("last_run") or {}).get("complete"):
            loaded = True
            words.say(f"\nFirst load done after {time.monotonic() - began:.0f} s.\n{_to_try(control)}\n")
        if loaded and time.monotonic() - edited_at > EDIT_EVERY_S:
            edited_at = time.monotonic()
            _play(control)


def live_text(state: Mapping[str, Any]) -> str:
    """One line of the live summary."""
    parts = []
    for entity, facts in state.get("entities", {}).items():
        waiting = ", ".join(
            f"{facts[name]} {name.replace('_', ' ')}" for name in ("pending", "in_review", "parked") if facts.get(name)
        )
        parts.append(
            f"{facts.get('records', 0)} {entity}s ({words.by_system(facts.get('links', {}))}"
            f"{'; ' + waiting if waiting else ''})"
        )
    last = state.get("last_run") or {}
    return " · ".join(parts) + (f" · last run {last.get('outcome') or 'under way'}" if last else "")


def _play(control: str) -> None:
    event = _post(f"{control}/script/next", {}).get("event")
    if event:
        where = ", ".join(f"{edit['system']} {edit['kind']} {edit['id']}" for edit in event["edits"])
        words.say(f"{time.strftime('%H:%M:%S')}  edit: {event['what']} ({where})")


def _to_try(control: str) -> str:
    """An edit to make by hand, and the command that follows it."""
    rows = _get(f"{control}/state/hubspot/contacts?limit=1")["rows"]
    if not rows:
        return ""
    number = rows[0]["id"]
    body = json.dumps({"system": "hubspot", "kind": "contacts", "id": number, "set": {"company": "Analytical Engines"}})
    return (
        "Try an edit of your own, as a person in HubSpot:\n"
        f"  curl -s -X POST {control}/edit -H 'content-type: application/json' -d '{body}'\n"
        "and follow it a few seconds later:\n"
        f"  SYNC_ROOT={_shown(_home())} {_shown(Path(sys.argv[0]))} why customer:hubspot:{number} company"
    )


def _status(settings: Settings) -> dict[str, Any] | None:
    from sync_platform.sync.status import status

    try:
        return dict(status(settings))
    except SyncError as error:
        words.say(str(error))
        return None


# --- folders, ports, processes ---------------------------------------------------------------------------------------


def _home() -> Path:
    path = Settings.load({}).root / ".sync" / "demo"
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def _source_folder() -> Path:
    """The folder with dagster.yaml and workspace.yaml. Raises Misconfigured outside a clone."""
    for folder in (Path(__file__).resolve().parent.parent, Settings.load({}).root):
        if all((folder / name).is_file() for name in HOME_FILES):
            return folder
    raise Misconfigured(
        "dagster.yaml and workspace.yaml were not found", remedy="Run the demo in a clone of the project."
    )


@contextlib.contextmanager
def _children(folder: Path) -> Iterator[Children]:
    children = Children(folder)
    try:
        yield children
    finally:
        with _undisturbed():
            children.end()


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """A second Ctrl-C does not stop the ending."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _alone(home: Path) -> Iterator[None]:
    """One live demo at a time in one folder. Raises Misconfigured when another one runs."""
    with (home.parent / "demo.lock").open("w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            taken = True
        else:
            taken = False
        if taken:
            raise Misconfigured("another demo runs in this folder", remedy="End it with Ctrl-C first.")
        yield


def _empty(home: Path) -> None:
    """Remove the last demo; what `--once` keeps for a look stays."""
    for path in home.iterdir():
        if path.name.startswith("once-"):
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _ports() -> dict[str, int]:
    return {name: _free_port(port, otherwise=0) for name, port in FIXED_PORTS.items()}


def _free_port(wanted: int, otherwise: int | None = None) -> int:
    """`wanted` if nobody listens there, else `otherwise`, else any free one."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", wanted))
            return wanted
    if otherwise is not None:
        return otherwise
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _group_lives(child: subprocess.Popen[bytes]) -> bool:
    child.poll()
    try:
        os.killpg(child.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return child.returncode is None
    return True


def _until(look: Callable[[], Any], children: Children, what: str) -> Any:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if found := look():
            return found
        children.check()
        time.sleep(0.1)
    raise Unavailable(
        f"{what} did not start within {START_TIMEOUT_S:.0f} s", remedy=f"See the logs in {children.folder}."
    )


def _answers(url: str) -> bool:
    try:
        _get(url)
    except (OSError, ValueError):
        return False
    return True


def _get(url: str) -> Any:
    return _call(urllib.request.Request(url))  # noqa: S310 - loopback, made by ourselves


def _post(url: str, body: Mapping[str, Any]) -> Any:
    headers = {"content-type": "application/json"}
    return _call(urllib.request.Request(url, data=json.dumps(body).encode(), headers=headers, method="POST"))  # noqa: S310


def _call(request: urllib.request.Request) -> Any:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=60) as answer:
        return json.load(answer)


def _shown(path: Path) -> str:
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
