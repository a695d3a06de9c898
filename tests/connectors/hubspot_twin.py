"""The running twin of HubSpot as the exam's bench."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from sync_platform.connectors.hubspot import HubSpotConnector
from sync_platform.connectors.protocol import Wanted
from sync_platform.core.records import Entity, Json
from sync_platform.sandbox.faults import ASGIApp, FaultGate
from sync_platform.sandbox.hubspot.system import HubSpotSandbox
from sync_platform.sandbox.people import generate
from sync_platform.sandbox.serving import listening, server, url_of
from sync_platform.sandbox.world import World
from tests.connectors.contract import CANARY, Bench, FreeMeter

WANTED = (
    Wanted(Entity.CUSTOMER, "sync_customer_no", "Customer number", "text"),
    Wanted(Entity.CUSTOMER, "sync_note", "Note", "text"),
    Wanted(Entity.CUSTOMER, "sync_marketing_opt_out", "Opt-out", "bool"),
    Wanted(Entity.CUSTOMER, "sync_credit_status", "Credit", "choice", ("ok", "hold", "blocked")),
    Wanted(Entity.CUSTOMER, "sync_lifetime_value", "Lifetime value", "number"),
    Wanted(Entity.CUSTOMER, "sync_order_count", "Orders", "number"),
    Wanted(Entity.TICKET, "sync_channel", "Channel", "text"),
    Wanted(Entity.TICKET, "sync_tags", "Tags", "list"),
    Wanted(Entity.TICKET, "sync_message_count", "Messages", "number"),
    Wanted(Entity.TICKET, "sync_last_message_at", "Last message", "datetime"),
    Wanted(Entity.TICKET, "sync_satisfaction", "Satisfaction", "number"),
)


def on_the_worlds_clock(app: ASGIApp, world: World) -> ASGIApp:
    """The app with a Date header that follows the world's clock, as a real server's follows its own."""

    async def dated(scope: Any, receive: Any, send: Any) -> None:
        async def with_date(message: Any) -> None:
            if message["type"] == "http.response.start":
                date = format_datetime(world.clock.now(), usegmt=True).encode()
                message = {**message, "headers": [*message["headers"], (b"date", date)]}
            await send(message)

        await app(scope, receive, with_date)

    return dated


def always_naming_a_next_page(app: ASGIApp) -> ASGIApp:
    """The app whose searches name a next page even when nothing is left, so that only `total` tells the end."""

    async def named(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or not scope["path"].endswith("/search"):
            await app(scope, receive, send)
            return
        sent: list[Any] = []

        async def keep(message: Any) -> None:
            sent.append(message)

        await app(scope, receive, keep)
        start, parts = sent[0], b"".join(one.get("body", b"") for one in sent[1:])
        body = json.loads(parts)
        if body.get("results"):
            body.setdefault("paging", {"next": {"after": str(len(body["results"]))}})
        data = json.dumps(body).encode()
        headers = [pair for pair in start["headers"] if pair[0].lower() != b"content-length"]
        await send({**start, "headers": [*headers, (b"content-length", str(len(data)).encode())]})
        await send({"type": "http.response.body", "body": data})

    return named


class HubSpotBench(Bench):
    """The twin of HubSpot with its connector."""

    def __init__(self, url: str, world: World, system: HubSpotSandbox, meter: FreeMeter) -> None:
        self.url = url
        self.world = world
        self.system = system
        self.meter = meter
        self.tokens = [system.credentials()["access_token"]]
        self.connector = self.connected()

    def connected(self, **options: Any) -> HubSpotConnector:
        return HubSpotConnector(self.url, lambda: self.tokens[-1], self.meter, **options)

    def kind(self, entity: Entity) -> str:
        return "contacts" if entity is Entity.CUSTOMER else "tickets"

    def rows(self, entity: Entity) -> dict[str, dict[str, Any]]:
        rows, _ = self.system.state(self.kind(entity), None, 100_000)
        return {str(row["id"]): row for row in rows if not row.get("deleted_at")}

    def ids(self, entity: Entity) -> set[str]:
        return set(self.rows(entity))

    def attribute(self, entity: Entity) -> str:
        return "firstname" if entity is Entity.CUSTOMER else "subject"

    def edit(self, entity: Entity, external_id: str, value: str) -> None:
        self.change(entity, external_id, {self.attribute(entity): value})

    def change(self, entity: Entity, external_id: str | None, given: dict[str, Any], *, delete: bool = False) -> Any:
        return self.system.edit(self.kind(entity), external_id, given, delete, "person")

    def fresh(self, entity: Entity) -> dict[str, Json]:
        word = uuid4().hex[:10]
        if entity is Entity.CUSTOMER:
            return {
                "email": f"{word}@example.com",
                "hs_additional_emails": [f"{word}@example.org"],
                "firstname": "Ada",
                "lastname": f"Person {word}",
                "phone": "+1 (415) 555-0132",
                "hs_language": "de",
                "sync_note": "prefers letters",
                "sync_marketing_opt_out": "true",
                "sync_credit_status": "hold",
                "sync_order_count": "3",
            }
        return {
            "subject": f"Question {word}",
            "hs_pipeline": "0",
            "hs_pipeline_stage": "1",
            "hs_ticket_priority": "HIGH",
            "sync_tags": ["a;b", "vip"],
            "contact": self.existing(Entity.CUSTOMER),
        }

    def refused(self, entity: Entity) -> tuple[str, Json] | None:
        return ("email", CANARY) if entity is Entity.CUSTOMER else ("hs_ticket_priority", CANARY)

    def listing(self, entity: Entity) -> str:
        return f"{self.kind(entity)}.list"

    def deltas(self, entity: Entity) -> tuple[str, ...]:
        return self.kind(entity), f"{self.kind(entity)}.look"

    def settle(self) -> None:
        self.world.clock.advance(1_200)

    def switch(self, name: str, value: Any) -> None:
        self.world.switches.set(f"hubspot.{name}", value)

    def fault(self, **row: Any) -> None:
        self.world.faults.put([{"system": "hubspot", **row}])

    def contact_of(self, ticket: str) -> str | None:
        """The lowest contact of a ticket in the twin's own store."""
        tied = self.rows(Entity.TICKET)[ticket].get("associations", {}).get("contacts", {"results": []})
        return min((str(one["id"]) for one in tied["results"]), key=int, default=None)

    def requests(self) -> list[tuple[str, str, int]]:
        return [(one["method"], one["path"], one["status"]) for one in self.world.calls.ring]


@contextmanager
def hubspot_bench(
    tmp_path: Path,
    meter: FreeMeter,
    *,
    customers: int = 30,
    tickets: int = 60,
    around: Callable[[ASGIApp], ASGIApp] = lambda app: app,
) -> Iterator[HubSpotBench]:
    """A set-up twin, far from its limits; `around` stands between it and its callers."""
    world = World(tmp_path, seed=1, rate_scale=1000)
    system = HubSpotSandbox(world)
    agents, people, cases = generate(1, customers, tickets, 0.6)
    system.seed(people, cases, agents)
    with listening("test", 0) as sock:
        app = around(on_the_worlds_clock(FaultGate(system.app(), world, "hubspot"), world))
        running = server(app)
        thread = threading.Thread(target=lambda: asyncio.run(running.serve([sock])), daemon=True)
        thread.start()
        made = HubSpotBench(url_of(sock), world, system, meter)
        try:
            findings = made.connector.prepare(WANTED)
            assert all(finding.ok for finding in findings), findings
            world.clock.advance(5)
            yield made
        finally:
            made.connector.close()
            running.should_exit = True
            thread.join(10)
            assert not thread.is_alive()
            system.close()
