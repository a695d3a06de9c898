"""A sandbox, a ledger and the control port in one hand: what the tests of the sync turn, edit and look at."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, make_url, text

from sync_platform.sandbox.server import Options, running
from sync_platform.settings import Settings
from sync_platform.sync.cycle import run_cycle, run_until_complete
from sync_platform.sync.setup import setup
from sync_platform.sync.verify import verify

SYSTEMS = ("gorgias", "hubspot", "erp")
KINDS = {
    ("gorgias", "customer"): "customers",
    ("hubspot", "customer"): "contacts",
    ("erp", "customer"): "customers",
    ("gorgias", "ticket"): "tickets",
    ("hubspot", "ticket"): "tickets",
    ("erp", "ticket"): "tickets",
}
SMALL = {"customers": 24, "tickets": 36, "rate_scale": 200.0}
Row = dict[str, Any]


@dataclass
class Desk:
    """One world under test. Rows come from the sandbox's own store, never from our ledger."""

    ready: Mapping[str, Any]
    settings: Settings
    root: Path
    first_load: dict[str, Any] = field(default_factory=dict)

    # --- the control port

    def call(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.ready["control"]["url"] + path, data=data, method=method)
        request.add_header("content-type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                raise AssertionError(f"{method} {path}: {error.status} {error.read().decode()[:500]}") from None

    def rows(self, system: str, kind: str, *, deleted: bool = False) -> dict[str, Row]:
        """Every live row of a kind by id."""
        out: dict[str, Row] = {}
        after: str | None = ""
        while after is not None:
            page = self.call("GET", f"/state/{system}/{kind}?after={after}&limit=1000")
            out |= {str(row["id"]): row for row in page["rows"] if deleted or not row.get("deleted_at")}
            after = page["next"]
        return {i: r for i, r in out.items() if deleted or not r.get("archived")}

    def entity(self, system: str, entity: str) -> dict[str, Row]:
        return self.rows(system, KINDS[system, entity])

    def row(self, system: str, entity: str, external_id: str) -> Row:
        return self.entity(system, entity)[str(external_id)]

    def edit(self, system: str, kind: str, id_: str | int | None, /, **values: Any) -> Row:
        body = {"system": system, "kind": kind, "id": None if id_ is None else str(id_), "set": values}
        return dict(self.call("POST", "/edit", body))

    def advance(self, seconds: float = 60.0) -> None:
        self.call("POST", "/clock", {"advance_s": seconds})

    def faults(self, *plan: Mapping[str, Any]) -> list[dict[str, Any]]:
        return list(self.call("PUT", "/faults", list(plan)))

    def hits(self) -> int:
        return sum(fault["hits"] for fault in self.call("GET", "/faults"))

    def switch(self, **values: Any) -> None:
        """`desk.switch(gorgias__note_writable="off")`"""
        self.call("PUT", "/switches", {name.replace("__", ".", 1): value for name, value in values.items()})

    def calls(self) -> dict[tuple[str, str, str], int]:
        """(system, method, path) → how often since the last `forget_calls`."""
        out: dict[tuple[str, str, str], int] = {}
        for one in self.call("GET", "/calls")["by"]:
            key = (one["system"], one["method"], one["path"])
            out[key] = out.get(key, 0) + one["count"]
        return out

    def forget_calls(self) -> None:
        self.call("DELETE", "/calls")

    def outbox(self) -> list[Any]:
        return list(self.call("GET", "/outbox"))

    # --- the ERP, as any other program

    @contextmanager
    def erp(self) -> Iterator[Any]:
        """A connection of our own to the ERP's database."""
        url = make_url(self.ready["erp"]["url"])
        if url.get_backend_name() == "postgresql":
            url = url.set(drivername="postgresql+psycopg")
        engine = create_engine(url, connect_args={} if url.get_backend_name() != "sqlite" else {"timeout": 20})
        try:
            with engine.begin() as conn:
                yield conn
        finally:
            engine.dispose()

    def sql(self, statement: str, **values: Any) -> list[Any]:
        with self.erp() as conn:
            result = conn.execute(text(statement), values)
            return list(result) if result.returns_rows else []

    # --- the sync

    def cycle(self, **options: Any) -> dict[str, Any]:
        return run_cycle(self.settings, **options)

    def sync(self, **options: Any) -> dict[str, Any]:
        return run_until_complete(self.settings, **options)

    def later(self, seconds: float = 60.0) -> dict[str, Any]:
        """What was edited becomes visible, then one cycle."""
        self.advance(seconds)
        return self.cycle()

    def settled(self, rounds: int = 6) -> list[dict[str, Any]]:
        """Cycles until one of them writes nothing; fails when they never end."""
        out = []
        for _ in range(rounds):
            self.advance(2000)
            out.append(self.sync())
            if not written(out[-1]) and out[-1]["complete"]:
                return out
        raise AssertionError(f"still writing after {rounds} rounds: {[written(one) for one in out]}")

    def verify(self) -> dict[str, Any]:
        return verify(self.settings, show_values=True)

    def assert_equal(self) -> None:
        found = self.verify()
        assert found["equal"], json.dumps(found, ensure_ascii=False, default=str)[:3000]

    def assert_no_doubles(self) -> None:
        """In the sandbox's own store: one live row for each e-mail, and for each marker of ours."""
        for system in SYSTEMS:
            for entity in ("customer", "ticket"):
                rows = list(self.entity(system, entity).values())
                for name, found in (("marker", markers(system, rows)), ("email", emails(system, entity, rows))):
                    twice = {value for value in found if found.count(value) > 1}
                    assert not twice, f"{system} {entity}: {len(twice)} live rows share one {name}"

    def ledger(self, statement: str, **values: Any) -> list[Any]:
        """Rows of the platform's own ledger."""
        url = make_url(self.settings.ledger_url)
        if url.get_backend_name() == "postgresql":
            url = url.set(drivername="postgresql+psycopg")
        engine = create_engine(url)
        try:
            with engine.begin() as conn:
                return list(conn.execute(text(statement), values))
        finally:
            engine.dispose()

    def trios(self, entity: str) -> dict[str, dict[str, str]]:
        """Record → external id by system, of those that are in all three, by their ids in the ERP and Gorgias."""
        out: dict[str, dict[str, str]] = {}
        rows = self.ledger(
            "SELECT record_id, system, external_id FROM link WHERE entity = :entity AND state = 'active'"
            " AND record_id IS NOT NULL ORDER BY id",
            entity=entity,
        )
        for record, system, external_id in rows:
            out.setdefault(record, {})[system] = external_id
        whole = [(record, ids) for record, ids in out.items() if len(ids) == len(SYSTEMS)]
        return dict(sorted(whole, key=lambda one: (int(one[1]["gorgias"]), int(one[1]["erp"]))))


def markers(system: str, rows: list[Row]) -> list[str]:
    name = {"gorgias": "external_id", "hubspot": "sync_id", "erp": "sync_marker"}[system]
    found = [(row.get("properties") or row).get(name) for row in rows]
    return [value for value in found if value and len(value) == 32]


def emails(system: str, entity: str, rows: list[Row]) -> list[str]:
    if entity != "customer":
        return []
    found = [(row.get("properties") or row).get("email") for row in rows]
    return [value.lower() for value in found if value]


def written(summary: Mapping[str, Any]) -> int:
    """Objects that a run created, changed or deleted."""
    return sum(
        sum(entity[verb].values())
        for entity in summary["entities"].values()
        for verb in ("created", "updated", "deleted")
    )


def wait_for(condition: Callable[[], Any], timeout_s: float = 20.0) -> Any:
    """Look until it is so; fails after the deadline."""
    deadline = time.monotonic() + timeout_s
    while not (found := condition()):
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.05)
    return found


@contextmanager
def opened(root: Path, *, load: bool = True, env: Mapping[str, str] | None = None, **options: Any) -> Iterator[Desk]:
    """A small sandbox with its ledger, set up and (unless told otherwise) loaded. Mail must never leave."""
    root.mkdir(parents=True, exist_ok=True)
    given = {**SMALL, **options}
    with ExitStack() as stack:
        ready = stack.enter_context(running(Options(gorgias_port=0, hubspot_port=0, control_port=0, **given)))
        desk = Desk(ready, settings_of(ready, root, env), root)
        setup(desk.settings)
        if load:
            desk.first_load = desk.sync()
            assert desk.first_load["complete"], desk.first_load
        yield desk
        assert desk.outbox() == [], "a mail to a customer left"


def settings_of(ready: Mapping[str, Any], root: Path, env: Mapping[str, str] | None = None) -> Settings:
    base = {
        "SANDBOX_CONTROL_URL": ready["control"]["url"],
        "LEDGER_DATABASE_URL": f"sqlite:///{root / 'ledger.db'}",
    }
    return Settings.load({**base, **(env or {})}, root=root)
