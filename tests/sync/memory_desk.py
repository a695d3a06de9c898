"""Three systems in memory, a ledger and a clock of their own: whole cycles without a network."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from itertools import count
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text

from sync_platform.connectors.memory import MemorySystem
from sync_platform.core.policy import Policy, parse
from sync_platform.core.records import ENTITIES, SYSTEMS, Entity, System
from sync_platform.ledger.database import Ledger
from sync_platform.sync import pull, push, reconcile
from sync_platform.sync.hub import Hub, Step, Timing

G, H, E = System.GORGIAS, System.HUBSPOT, System.ERP
CUSTOMER, TICKET = Entity.CUSTOMER, Entity.TICKET
FORMS = {
    G: lambda name, email: {"email": email, "emails": [email], "phones": [], "name": name, "note": ""},
    H: lambda name, email: {
        "email": email, "hs_additional_emails": [], "firstname": name.split()[0], "lastname": name.split()[1],
        "phone": None, "company": None, "sync_note": None,
    },
    E: lambda name, email: {
        "email": email, "email_2": None, "full_name": name, "first_name": name.split()[0],
        "last_name": name.split()[1], "phone": None, "company": None, "note": None,
    },
}  # fmt: skip


def policy_with(**systems: dict[str, str]) -> Policy:
    """The default policy with customers everywhere; a system may say more: `gorgias={"delete": "delete"}`."""
    shipped = files("sync_platform").joinpath("policy.yaml").read_text(encoding="utf-8")
    head, customer, ticket = shipped.partition("\nticket:")
    for system in SYSTEMS:
        said = {"create": "always", "delete": "ignore", **systems.get(str(system), {})}
        line = next(one for one in head.splitlines() if one.startswith(f"    {system}: {{create"))
        words = ", ".join(f"{key}: {value}" for key, value in said.items())
        head = head.replace(line, f"    {system}: {{{words}}}")
    return parse(head + customer + ticket, "test.yaml")


@dataclass
class MemoryDesk:
    """A small world; `order` is the order in which a cycle reads the systems."""

    root: Path
    policy: Policy = field(default_factory=policy_with)
    systems: dict[System, MemorySystem] = field(default_factory=lambda: {one: MemorySystem(one) for one in SYSTEMS})
    order: tuple[System, ...] = SYSTEMS
    writes: bool = True
    now_at: datetime = datetime(2026, 3, 1, tzinfo=UTC)
    counts: dict[str, float] = field(default_factory=dict)
    _runs: count = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        self.url = f"sqlite:///{self.root / 'ledger.db'}"
        Ledger.open(self.url, migrate=True).close()

    def person(self, name: str, email: str, *systems: System) -> dict[System, str]:
        """Somebody who is known in these systems; gives the ids."""
        return {one: self.systems[one].put(CUSTOMER, FORMS[one](name, email)) for one in systems or SYSTEMS}

    def hub(self, ledger: Ledger) -> Hub:
        return Hub(
            ledger=ledger,
            connectors=self.systems,
            policy=self.policy,
            run=f"run{next(self._runs)}",
            timing=Timing(settle_s=1.0, late_s=600.0),
            writes=self.writes,
            clock=self._tick,
        )

    def _tick(self) -> datetime:
        self.now_at += timedelta(milliseconds=1)
        return self.now_at

    def cycle(self, *, full: bool = False) -> dict[str, float]:
        """One cycle; gives its counts by step and name."""
        self.now_at += timedelta(seconds=60)
        ledger = Ledger.open(self.url, migrate=False)
        try:
            hub = self.hub(ledger)
            steps: list[Step] = []
            for entity in ENTITIES:
                steps += [
                    pull.pull(hub, one, entity, reconcile.judge_now(hub, entity), full=full) for one in self.order
                ]
            steps += [reconcile.reconcile(hub, entity) for entity in ENTITIES]
            for entity in ENTITIES:
                steps += [push.push(hub, one, entity) for one in self.order]
        finally:
            ledger.close()
        self.counts = {}
        for step in steps:
            assert not step.trouble, step.trouble
            for name, number in step.counts.items():
                self.counts[name] = self.counts.get(name, 0) + number
        return self.counts

    def cycles(self, number: int = 4) -> None:
        for _ in range(number):
            self.cycle()

    def assert_quiet(self) -> None:
        """A further cycle decides and writes nothing."""
        self.cycle()
        assert not self.counts.get("sent"), self.counts
        assert not self.counts.get("decisions"), self.counts

    def live(self, system: System, entity: Entity = CUSTOMER) -> dict[str, dict[str, Any]]:
        """What is there now, by id."""
        things = self.systems[system].things.values()
        return {t.external_id: t.attributes for t in things if t.entity is entity and t.evidence is None}

    def sql(self, statement: str, **values: Any) -> list[Any]:
        engine = create_engine(self.url)
        try:
            with engine.begin() as conn:
                found = conn.execute(text(statement), values)
                return [tuple(row) for row in found] if found.returns_rows else []
        finally:
            engine.dispose()

    def links(self) -> set[tuple[str, str, str]]:
        """(system, external id, state) of every link."""
        return set(self.sql("SELECT system, external_id, state FROM link"))

    def records(self) -> list[Any]:
        """Records that did not end."""
        return self.sql("SELECT id FROM record WHERE tombstone IS NULL ORDER BY id")
