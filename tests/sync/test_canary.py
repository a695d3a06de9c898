"""A canary customer and canary secrets go through everything that can happen, in real Dagster jobs and in commands.

None of their words is found afterwards where data of customers must not be: Dagster's storage, compute logs, what was
printed, what was logged.
"""

from __future__ import annotations

import gzip
import json
import logging
import re
import shutil
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from sync_platform.definitions import defs
from sync_platform.settings import environment_names
from tests.sync.crash_gate import Answer
from tests.sync.crash_world import HERE, World, crash_world
from tests.sync.desk import wait_for

WORD = "qxcanary"
PHONES = ("+1 917 555 0867", "+1 (917) 555-0868", "917.555.0869")
SECRET = f"{WORD}-secret-9f27"
PATTERN = re.compile(rf"{WORD}|917\D{{0,4}}555\D{{0,4}}086[789]".encode(), re.IGNORECASE)


@dataclass
class Told:
    """A world after all stages: what was printed, logged and stored on the way."""

    world: World
    root: Path
    logged: list[str] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    stages: dict[str, Any] = field(default_factory=dict)

    @property
    def dagster_home(self) -> Path:
        return self.root / ".sync" / "dagster"


# --- the stages -------------------------------------------------------------------------------------------------


@pytest.fixture
def told(tmp_path) -> Iterator[Told]:
    with crash_world(tmp_path, seed=31, people=8, cases=10) as world:
        shutil.copy(HERE / "dagster.yaml", tmp_path / "dagster.yaml")
        world.env["DAGSTER_HOME"] = str(tmp_path)
        known = Told(world, tmp_path)
        plant(world)
        for stage in (first_load, conflict, refused, broken, killed, poisoned, wrong_credentials, looks):
            stage(known)
        yield known


def plant(world: World) -> None:
    """One person in all three systems, spelt differently, with a ticket in each."""
    desk = world.desk
    email, name = f"{WORD}.mail@example.com", f"{WORD.title()}first {WORD.title()}last"
    note = f"{WORD} note: prefers mornings"
    person = desk.edit("gorgias", "customers", None, name=name, email=email, phone=PHONES[0], note=note)
    first, last = name.split()
    contact = desk.edit(
        "hubspot",
        "contacts",
        None,
        firstname=first,
        lastname=last,
        email=email.upper(),
        phone=PHONES[1],
        company=f"{WORD} Ltd",
    )
    buyer = desk.edit(
        "erp", "customers", None, full_name=f"{name} jr", first_name=first, last_name=f"{last} jr", email=email,
        email_2=f"{WORD}.second@example.org", phone=PHONES[2], note=f"{WORD} note of the ERP", company=f"{WORD} Inc",
    )  # fmt: skip
    desk.edit(
        "gorgias", "tickets", None, customer_id=person["id"], subject=f"{WORD} subject", channel="email",
        status="open", tags=[f"{WORD}-tag"], text=f"{WORD} text", from_agent=False,
    )  # fmt: skip
    desk.edit(
        "hubspot", "tickets", None, contact=str(contact["id"]), subject=f"{WORD} question", content=f"{WORD} content",
        hs_pipeline="0", hs_pipeline_stage="1",
    )  # fmt: skip
    desk.edit(
        "erp", "tickets", None, customer_id=buyer["id"], ticket_no="T-CANARY", subject=f"{WORD} part",
        first_text=f"{WORD} first text", channel="phone", message_count=1, tags=[f"{WORD}-spare"],
    )  # fmt: skip
    desk.advance(60)


def job(known: Told, name: str = "sync") -> int:
    """A Dagster job in a process of its own, stored as in real life."""
    child = known.world.start(
        "job", "execute", "-m", "sync_platform.definitions", "-j", name, module="dagster", env={"SYNC_DEBUG": "0"}
    )
    try:
        return child.wait(180)
    finally:
        child.kill()
        child.wait()


def command(known: Told, *args: str, **env: str) -> int:
    child = known.world.start(*args, env=env)
    try:
        return child.wait(180)
    finally:
        child.kill()
        child.wait()


def first_load(known: Told) -> None:
    command(known, "doctor")
    assert job(known) == 0
    known.world.sync()
    rows = known.world.desk
    for system in ("gorgias", "hubspot", "erp"):
        for entity in ("customer", "ticket"):
            assert WORD in json.dumps(rows.entity(system, entity)).casefold(), f"no canary in {system} {entity}"
    known.stages["first load"] = True


def edited(known: Told, word: str) -> None:
    """One field changed on several sides, each time to a canary's word."""
    desk = known.world.desk
    ids = {system: _canary_id(known, system) for system in ("gorgias", "hubspot", "erp")}
    desk.edit("gorgias", "customers", ids["gorgias"], name=f"{WORD} {word} Gorgias", note=f"{WORD} {word} g")
    desk.edit("hubspot", "contacts", ids["hubspot"], lastname=f"{WORD}{word}h", company=f"{WORD} {word} h")
    desk.edit("erp", "customers", ids["erp"], note=f"{WORD} {word} e", last_name=f"{WORD}{word}e")
    desk.advance(60)


def _canary_id(known: Told, system: str) -> str:
    rows = known.world.desk.entity(system, "customer")
    return next(id_ for id_, row in rows.items() if f"{WORD}.mail" in json.dumps(row).casefold())


def conflict(known: Told) -> None:
    """In this process, with every logger wide open, on a stored instance."""
    edited(known, "conflict")
    command(known, "plan", "--json")
    job(known, "plan")
    result = in_process(known)
    assert result.success
    with known.world.ledger.read() as conn:
        known.stages["conflicts"] = conn.exec_driver_sql(
            "SELECT count(*) FROM decision WHERE json_array_length(claims) > 1"
        ).scalar()


def in_process(known: Told) -> Any:
    heard = Heard(known.logged)
    with pytest.MonkeyPatch.context() as patch:
        for name in environment_names():
            patch.delenv(name, raising=False)
        for name in ("SYNC_ROOT", "SANDBOX_CONTROL_URL", "LEDGER_DATABASE_URL", "DAGSTER_HOME"):
            patch.setenv(name, known.world.env[name])
        patch.chdir(known.root)
        level = logging.root.level
        logging.root.addHandler(heard)
        logging.root.setLevel(logging.DEBUG)
        try:
            with dg.DagsterInstance.get() as instance:
                result = defs.resolve_job_def("sync").execute_in_process(instance=instance, raise_on_error=False)
        finally:
            logging.root.setLevel(level)
            logging.root.removeHandler(heard)
    known.events += [repr(event) for event in result.all_events]
    return result


class Heard(logging.Handler):
    """Keeps every log line as text, with its exception."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__(logging.DEBUG)
        self.lines = lines
        self.setFormatter(logging.Formatter("%(name)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        # Dagster's own record of a run is stored elsewhere and read there.
        self.lines.append(self.format(record))


def refused(known: Told) -> None:
    """Every write is refused for a while, in the vendors' own manner: with the values in the words."""
    edited(known, "refused")
    forged = Forged(status=400, times=6)
    known.world.gate.forge = forged
    job(known)
    known.world.gate.forge = forged.again()
    edited(known, "refusedagain")
    command(known, "sync", "--json")
    known.world.gate.forge = None
    with known.world.ledger.read() as conn:
        known.stages["parked"] = conn.exec_driver_sql("SELECT count(*) FROM parked").scalar()
    known.stages["4xx"] = forged.hits


def broken(known: Told) -> None:
    """A gateway in between answers with pages that tell the whole request; then answers that are no JSON."""
    forged = None
    for status in (502, 500, 200):
        edited(known, f"broken{status}")
        forged = Forged(status=status, times=3, reads=True)
        known.world.gate.forge = forged
        job(known) if status == 502 else command(known, "sync")
        known.stages[f"5xx {status}"] = forged.hits
    known.world.gate.forge = None
    known.world.sync()


def killed(known: Told) -> None:
    """SIGKILL of a Dagster run whose write has arrived; the next run goes on."""
    edited(known, "killed")
    known.world.gate.hold(1)
    child = known.world.start("job", "execute", "-m", "sync_platform.definitions", "-j", "sync", module="dagster")
    try:
        wait_for(known.world.gate.holds, 120)
    finally:
        child.kill()
        child.wait()
        known.world.gate.let_go()
    known.stages["open after the kill"] = len(known.world.landed())
    job(known)
    known.world.sync()


def poisoned(known: Told) -> None:
    """A row of the ledger at which a step stumbles with an exception whose own words hold the value."""
    record = _poison(known, json.dumps({"note": [{"system": f"{WORD}-system", "link": 1}]}))
    edited(known, "poisoned")
    known.stages["failed job"] = job(known)
    known.stages["failed in process"] = in_process(known).success
    for args, debug in ((("sync", "--json"), "0"), (("sync",), "1")):
        known.stages[f"failed {args}"] = command(known, *args, SYNC_DEBUG=debug)
    _poison(known, "{}", record)
    known.world.sync()


def _poison(known: Told, contests: str, record: str | None = None) -> str:
    ledger_id = known.world.desk.ledger(
        "SELECT record_id FROM link WHERE system = 'erp' AND entity = 'customer' AND external_id = :id",
        id=_canary_id(known, "erp"),
    )[0][0]
    with known.world.ledger.begin() as conn:
        conn.exec_driver_sql("UPDATE record SET contests = ? WHERE id = ?", (contests, record or ledger_id))
    return str(record or ledger_id)


def wrong_credentials(known: Told) -> None:
    """Secrets that are refused, and databases that are not there, with their passwords in the URL."""
    gate = known.world.gate
    wrong = [
        {
            "GORGIAS_BASE_URL": gate.servers["gorgias"].url,
            "GORGIAS_EMAIL": "owner@example.com",
            "GORGIAS_API_KEY": SECRET,
        },
        {"HUBSPOT_BASE_URL": gate.servers["hubspot"].url, "HUBSPOT_ACCESS_TOKEN": SECRET},
        {"ERP_DATABASE_URL": f"postgresql://{WORD}user:{SECRET}@127.0.0.1:1/erp"},
        {"LEDGER_DATABASE_URL": f"postgresql://{WORD}user:{SECRET}@127.0.0.1:1/ledger"},
        {"LEDGER_DATABASE_URL": f"nonsense://{WORD}user:{SECRET}@127.0.0.1/ledger"},
    ]
    doors = cycle((("sync", "--json"), ("doctor",)))
    codes = [command(known, *next(doors), **env) for env in wrong]
    known.stages["wrong credentials"] = codes
    child = known.world.start(
        "job", "execute", "-m", "sync_platform.definitions", "-j", "sync", module="dagster", env=wrong[2]
    )
    known.stages["job without its ERP"] = child.wait(180)


def looks(known: Told) -> None:
    """What people ask now and then; `why` and `verify --show-values` show values because they are asked to."""
    for args in (("status",), ("status", "--json"), ("verify",)):
        command(known, *args)


@dataclass
class Forged:
    """Answers in the place of the vendors, which repeat the request's values as vendors and gateways do."""

    status: int
    times: int
    reads: bool = False
    hits: int = 0

    def again(self) -> Forged:
        self.times += self.hits
        return self

    def __call__(self, method: str, path: str, body: bytes) -> Answer | None:
        if self.hits >= self.times or path == "/ready" or (method == "GET" and not self.reads):
            return None
        if not self.reads and path.partition("?")[0].rstrip("/").endswith(("/search", "/read")):
            return None
        self.hits += 1
        said = f"{method} {path} {body.decode(errors='replace')} {WORD}"
        if self.reads:
            page = f"<html><body>{self.status} {said} {SECRET}</body></html>".encode()
            return self.status, {"content-type": "text/html", "x-request-id": "gateway-1"}, page
        content = {
            "status": "error", "category": "VALIDATION_ERROR", "correlationId": "c0ffee",
            "message": f"{said} is invalid",
            "errors": [{"message": said, "in": WORD, "code": "INVALID", "context": {"propertyName": [WORD]}}],
            "error": {"msg": said, "data": {"name": [f"{said} is not a valid name"], WORD: [said]}},
        }  # fmt: skip
        return self.status, {"content-type": "application/json"}, json.dumps(content).encode()


# --- looking for its words --------------------------------------------------------------------------------------


def texts_of(path: Path) -> Iterator[tuple[str, bytes]]:
    """A file's bytes; of a SQLite file also every value, and what is compressed in it."""
    raw = path.read_bytes()
    yield "bytes", raw
    yield from (("unpacked", one) for one in unpacked(raw))
    if raw[:15] == b"SQLite format 3":
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
            tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            for table in tables:
                for row in db.execute(f'SELECT * FROM "{table}"'):
                    for value in row:
                        data = value if isinstance(value, bytes) else str(value).encode()
                        yield table, data
                        yield from ((f"{table}, unpacked", one) for one in unpacked(data))


def unpacked(data: bytes) -> list[bytes]:
    for unpack in (zlib.decompress, gzip.decompress):
        try:
            return [unpack(data)]
        except (zlib.error, OSError, EOFError):
            continue
    return []


def findings(paths: list[Path], pattern: re.Pattern[bytes] = PATTERN) -> list[str]:
    found = []
    for path in paths:
        for place, data in texts_of(path):
            if hit := pattern.search(data):
                around = data[max(0, hit.start() - 120) : hit.end() + 60]
                found.append(f"{path.name} [{place}]: …{around.decode(errors='replace')}…")
    return found


def files_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def secrets_of(known: Told) -> re.Pattern[bytes]:
    """The sandbox's own credentials are secrets as well."""
    ready = known.world.desk.ready
    names = [
        ("gorgias", "api_key"),
        ("gorgias", "client_secret"),
        ("hubspot", "access_token"),
        ("hubspot", "client_secret"),
    ]
    return re.compile(b"|".join(re.escape(str(ready[system][name]).encode()) for system, name in names))


# --- what is asserted -------------------------------------------------------------------------------------------


def assert_it_went_through_everything(told: Told) -> None:
    stages = told.stages
    assert stages["conflicts"] > 0
    assert stages["parked"] > 0
    assert stages["4xx"] >= 6
    assert all(stages[f"5xx {status}"] == 3 for status in (502, 500, 200))
    assert stages["open after the kill"] > 0
    assert stages["failed job"] != 0
    assert stages["failed in process"] is False
    assert {code for name, code in stages.items() if name.startswith("failed (")} == {1}
    assert set(stages["wrong credentials"]) == {1}
    assert stages["job without its ERP"] != 0
    assert any("AssetMaterialization" in event or "ASSET_MATERIALIZATION" in event for event in told.events)
    assert len(told.logged) > 20


def assert_nothing_is_stored(told: Told) -> None:
    """Neither in Dagster's databases nor in compute logs nor in the counts of calls."""
    files = files_in(told.dagster_home)
    assert any(path.suffix == ".db" for path in files)
    assert any(path.suffix in (".out", ".err") for path in files), "no compute logs were kept"
    files += [path for path in files_in(told.root) if ".budget." in path.name]
    assert not findings(files)
    assert not findings(files, secrets_of(told))


def assert_nothing_was_printed(told: Told) -> None:
    assert len(told.world.outputs) > 40
    assert not findings(told.world.outputs)
    assert not findings(told.world.outputs, secrets_of(told))


def assert_nothing_was_logged(told: Told) -> None:
    """Neither in a log line of any level nor in an event of a run."""
    lines = [*told.logged, *told.events]
    secrets = secrets_of(told)
    for pattern in (PATTERN, secrets):
        assert not [line[:600] for line in lines if pattern.search(line.encode())]
    # What clients say of their calls holds addresses in its URLs.
    assert not [line for line in told.logged if line.startswith(("httpx", "httpcore", "urllib3", "hubspot"))]


def test_a_search_would_find_its_words(tmp_path):
    with closing(sqlite3.connect(tmp_path / "planted.db")) as db:
        db.execute("CREATE TABLE t (x BLOB)")
        db.execute("INSERT INTO t VALUES (?)", (zlib.compress(f"a {WORD} b".encode()),))
        db.commit()
    (tmp_path / "log").write_text("call (917) 555-0868 back")
    assert len(findings(files_in(tmp_path))) == 2


@pytest.mark.slow
def test_none_of_its_words_is_stored_printed_or_logged(told):
    assert_it_went_through_everything(told)
    assert_nothing_is_stored(told)
    assert_nothing_was_printed(told)
    assert_nothing_was_logged(told)
