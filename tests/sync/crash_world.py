"""A world in which a sync runs as a process of its own and is killed from outside, and what its store shows after."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, make_url, select

from sync_platform.ledger.database import Ledger
from sync_platform.ledger.links import LINK
from sync_platform.ledger.outbox import INTENT
from sync_platform.settings import environment_names
from tests.sync.crash_gate import Gate, gate_before
from tests.sync.desk import KINDS, Desk, opened, wait_for

PEOPLE, CASES = 30, 50
RUN_MAX_S = 120.0
HERE = Path(__file__).resolve().parents[2]
Row = dict[str, Any]


@dataclass
class World:
    """A desk whose sync is a child process that goes through a gate."""

    desk: Desk
    gate: Gate
    ledger: Ledger
    env: dict[str, str]
    kills: list[Kill] = field(default_factory=list)
    outputs: list[Path] = field(default_factory=list)
    started: float = 0.0

    def start(
        self, *args: str, module: str = "sync_platform", env: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """`sync-platform <args>` (or another module) as a process; its output goes to files of its own."""
        stem = self.desk.root / f"child{len(self.outputs):03d}"
        out, err = stem.with_suffix(".out"), stem.with_suffix(".err")
        self.outputs += [out, err]
        given = {**self.env, **(env or {})}
        with out.open("wb") as stdout, err.open("wb") as stderr:
            command = [sys.executable, "-m", module, *args]
            self.started = time.monotonic()
            return subprocess.Popen(command, env=given, cwd=self.desk.root, stdout=stdout, stderr=stderr)

    def said(self) -> dict[str, Any]:
        """The last child's JSON object."""
        return dict(json.loads(self.outputs[-2].read_text().splitlines()[-1]))

    def run(self, *args: str, code: int = 0) -> dict[str, Any]:
        """A command from start to end; gives its JSON object."""
        child = self.start(*args, "--json")
        try:
            ended = child.wait(RUN_MAX_S)
        finally:
            _end(child)
        assert ended == code, (args, ended, self.outputs[-1].read_text()[-2000:], self.outputs[-2].read_text()[-2000:])
        return self.said()

    def sync(self) -> dict[str, Any]:
        """Start again until complete, however often that takes."""
        found = self.run("sync")
        for _ in range(5):
            if found["complete"]:
                return found
            found = self.run("sync")
        raise AssertionError(f"never complete: {found}")

    def sent(self, system: str | None = None) -> list[Any]:
        """Intents whose outcome the ledger does not know: written down before the call, and no receipt after it."""
        where = [INTENT.c.state.in_(("sent", "unknown"))] + ([INTENT.c.system == system] if system else [])
        columns = (
            INTENT.c.id,
            INTENT.c.system,
            INTENT.c.entity,
            INTENT.c.verb,
            INTENT.c.state,
            INTENT.c.marker,
            INTENT.c.sent_at,
        )
        joined = INTENT.outerjoin(LINK, LINK.c.id == INTENT.c.link_id)
        query = select(*columns, LINK.c.external_id, LINK.c.version).select_from(joined).where(*where)
        with self.ledger.read() as conn:
            return list(conn.execute(query))

    def landed(self) -> list[Any]:
        """Of those, the ones that the sandbox's own store shows."""
        return [intent for intent in self.sent() if intent.state == "sent" and self.shows(intent)]

    def shows(self, intent: Any) -> bool:
        """Whether the store of its system shows what an intent wrote."""
        rows = self.desk.entity(intent.system, intent.entity)
        if intent.verb == "create":
            return intent.marker in {marker_of(intent.system, row) for row in rows.values()}
        row = rows.get(str(intent.external_id))
        if row is None:
            return False
        if intent.system == "erp":
            return bool(row["row_version"] > intent.version)
        ahead = timedelta(seconds=self.desk.call("GET", "/clock")["offset_s"])
        return changed_at(intent.system, row) - ahead >= intent.sent_at


@dataclass(frozen=True)
class Kill:
    """One SIGKILL: how it was aimed, after how many seconds of the child's life, how many writes were open, and how
    many of these had reached their system since the kill before."""

    aim: str
    seconds: float
    open: int
    landed: int
    ids: tuple[int, ...] = field(repr=False)


# --- killing ----------------------------------------------------------------------------------------------------


def kill_after(world: World, seconds: float) -> bool:
    """Kill a sync so many seconds after its start. False when it had ended before."""
    child = world.start("sync", "--json")
    try:
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(seconds)
        return _killed(world, child, "moment")
    finally:
        _end(child)


def kill_at_write(world: World, nth: int, path: str = "") -> bool:
    """Kill a sync whose nth write to a vendor (with `path` in its path) is there and whose answer is under way."""
    world.gate.hold(nth, path)
    child = world.start("sync", "--json")
    try:
        _wait(child, world.gate.holds)
        return _killed(world, child, "write")
    finally:
        _end(child)
        world.gate.let_go()


def kill_at_erp_write(world: World) -> bool:
    """Kill a sync whose rows are in the ERP and whose receipts wait for the ledger, which we hold meanwhile."""
    before = {intent.id for intent in world.sent("erp")}

    def fresh() -> list[Any]:
        return [intent for intent in world.sent("erp") if intent.id not in before]

    child = world.start("sync", "--json")
    try:
        _wait(child, lambda: bool(fresh()))
        if child.poll() is not None:
            return False
        with world.ledger.begin() as conn:
            if world.ledger.postgres:
                conn.exec_driver_sql("LOCK TABLE intent IN SHARE ROW EXCLUSIVE MODE")
            with contextlib.suppress(AssertionError):  # the receipts were faster than we
                wait_for(lambda: any(map(world.shows, fresh())), 3.0)
            return _killed(world, child, "erp")
    finally:
        _end(child)


def _wait(child: subprocess.Popen[bytes], condition: Any) -> None:
    deadline = time.monotonic() + RUN_MAX_S
    while child.poll() is None and not condition():
        assert time.monotonic() < deadline, "the sync did not come to the moment at which it is killed"
        time.sleep(0.001)


def _killed(world: World, child: subprocess.Popen[bytes], aim: str) -> bool:
    if child.poll() is not None:
        assert child.returncode == 0, (child.returncode, world.outputs[-1].read_text()[-2000:])
        return False
    seconds = time.monotonic() - world.started
    child.kill()
    child.wait()
    assert child.returncode == -9
    open_, landed = world.sent(), world.landed()
    known = {one for kill in world.kills for one in kill.ids}
    fresh = tuple(intent.id for intent in landed if intent.id not in known)
    world.kills.append(Kill(aim, round(seconds, 3), len(open_), len(fresh), fresh))
    return True


def _end(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        child.kill()
    child.wait()


# --- opening ----------------------------------------------------------------------------------------------------


@contextmanager
def crash_world(
    root: Path, *, seed: int, people: int = PEOPLE, cases: int = CASES, postgres: str | None = None
) -> Iterator[World]:
    """A seeded sandbox behind a gate, and a ledger that is set up and empty. With `postgres` (a server's URL) the ERP
    and the ledger are databases there, and go at the end."""
    with ExitStack() as stack:
        erp_url = stack.enter_context(fresh_database(postgres)) if postgres else None
        ledger_url = stack.enter_context(fresh_database(postgres)) if postgres else f"sqlite:///{root / 'ledger.db'}"
        options = {"seed": seed, "customers": people, "tickets": cases, "rate_scale": 300.0, "erp_url": erp_url}
        desk = stack.enter_context(opened(root, load=False, env={"LEDGER_DATABASE_URL": ledger_url}, **options))
        gate = stack.enter_context(gate_before(desk.ready))
        ledger = stack.enter_context(Ledger.open(ledger_url, migrate=False))
        yield World(desk, gate, ledger, child_env(root, gate.control_url, ledger_url))


def child_env(root: Path, control_url: str, ledger_url: str) -> dict[str, str]:
    """What a child is told, and nothing from the environment of the tests."""
    kept = {name: value for name, value in os.environ.items() if name not in set(environment_names())}
    ours = {"SYNC_ROOT": str(root), "SANDBOX_CONTROL_URL": control_url, "LEDGER_DATABASE_URL": ledger_url}
    return {**kept, **ours, "PYTHONPATH": str(HERE), "SYNC_DEBUG": "1"}


@contextmanager
def fresh_database(server_url: str) -> Iterator[str]:
    """A new database of a PostgreSQL server; it is dropped at the end."""
    name = f"t{uuid.uuid4().hex}"
    admin = create_engine(make_url(server_url).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    try:
        with admin.connect() as conn:
            conn.exec_driver_sql(f"CREATE DATABASE {name}")
        yield make_url(server_url).set(database=name).render_as_string(hide_password=False)
        with admin.connect() as conn:
            conn.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        admin.dispose()


# --- what the store shows ---------------------------------------------------------------------------------------


def properties(row: Row) -> Row:
    """A row's values, whichever vendor it is from."""
    return dict(row.get("properties") or row)


def marker_of(system: str, row: Row) -> str | None:
    """Our marker on a row, or None."""
    name = {"gorgias": "external_id", "hubspot": "sync_id", "erp": "sync_marker"}[system]
    value = properties(row).get(name)
    return value if isinstance(value, str) and len(value) == 32 else None


def changed_at(system: str, row: Row) -> datetime:
    """When the store last changed a row, by its own clock."""
    return datetime.fromisoformat(row["updated_datetime" if system == "gorgias" else "updatedAt"])


def emails_of(system: str, row: Row) -> set[str]:
    """Every e-mail that a customer shows, small."""
    if system == "gorgias":
        found = [one["address"] for one in row["channels"] if one["type"] == "email"] + [row.get("email")]
    elif system == "hubspot":
        found = [properties(row).get("email"), *(properties(row).get("hs_additional_emails") or "").split(";")]
    else:
        found = [row.get("email"), row.get("email_2")]
    return {value.lower() for value in found if value}


def digits(value: str) -> str:
    """What stays of a phone number however it is written."""
    return "".join(c for c in value if c.isdigit())[-10:]


Store = Mapping[tuple[str, str], Mapping[str, Row]]


def store(desk: Desk) -> Store:
    """Every live row by (system, entity) and id, and the messages in Gorgias."""
    return {key: desk.entity(*key) for key in KINDS} | {("gorgias", "message"): desk.rows("gorgias", "messages")}


def assert_nothing_doubled(rows: Store) -> None:
    """One live row for each marker and each e-mail, in every system."""
    for (system, entity), of in rows.items():
        if entity == "message":
            continue
        found = [marker for row in of.values() if (marker := marker_of(system, row))]
        if entity == "customer":
            found += [email for row in of.values() for email in emails_of(system, row)]
        twice = sorted({value for value in found if found.count(value) > 1})
        assert not twice, f"{system} {entity}: several live rows for each of {twice}"


def assert_nothing_gone(before: Store, after: Store) -> None:
    """Every object that was there still is."""
    for key, rows in before.items():
        assert not rows.keys() - after[key].keys(), f"{key}: objects are gone"


def content(rows: Store) -> list[str]:
    """What the ERP says of people and tickets, without what is made up at creation: ids, numbers, times.

    The ERP has a column for every field; where all systems are equal it stands for them.
    """
    people = {id_: " ".join(sorted(emails_of("erp", row))) for id_, row in rows["erp", "customer"].items()}
    out = [
        json.dumps([people[id_], digits(row["phone"] or ""), *(row[name] for name in PERSON)], ensure_ascii=False)
        for id_, row in rows["erp", "customer"].items()
    ]
    for row in rows["erp", "ticket"].values():
        of = people.get(str(row["customer_id"]))
        out.append(json.dumps([of, sorted(row["tags"] or ()), *(row[name] for name in CASE)], ensure_ascii=False))
    return sorted(out)


PERSON = (
    "full_name", "first_name", "last_name", "company", "language", "note", "marketing_opt_out", "credit_status",
    "lifetime_value", "order_count",
)  # fmt: skip
CASE = ("subject", "status", "priority", "channel", "owner_email", "first_text", "message_count", "satisfaction")
