"""Shared parts of the connector tests: a free budget and the running twin of Gorgias."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import stamina

pytest.register_assert_rewrite("tests.connectors.contract")

from sync_platform.sandbox.faults import FaultGate  # noqa: E402
from sync_platform.sandbox.gorgias.system import GorgiasSandbox  # noqa: E402
from sync_platform.sandbox.people import generate  # noqa: E402
from sync_platform.sandbox.serving import listening, server, url_of  # noqa: E402
from sync_platform.sandbox.world import World  # noqa: E402
from tests.connectors.contract import FreeMeter  # noqa: E402  # after the rewrite hook

__all__ = ["FreeMeter"]


@pytest.fixture
def meter() -> FreeMeter:
    """A budget that never waits."""
    return FreeMeter()


@pytest.fixture(autouse=True)
def no_waiting() -> Iterator[None]:
    """Retries follow each other at once."""
    stamina.set_testing(True, attempts=5, cap=True)
    yield
    stamina.set_testing(False)


@dataclass(frozen=True)
class GorgiasTwin:
    """The twin of Gorgias on loopback: its address and credentials, and its desk, reached in the server's own loop."""

    url: str
    world: World
    system: GorgiasSandbox
    credentials: dict[str, Any]
    loop: asyncio.AbstractEventLoop

    def run(self, call: Callable[..., Any], *args: Any, **named: Any) -> Any:
        """Call something of the twin where no request can come between."""

        async def inside() -> Any:
            return call(*args, **named)

        return asyncio.run_coroutine_threadsafe(inside(), self.loop).result(30)

    def rows(self, kind: str) -> dict[str, dict[str, Any]]:
        """Everything alive of a kind by id."""
        rows, _ = self.run(self.system.state, kind, None, 100_000)
        return {str(row["id"]): row for row in rows if not row.get("deleted_at")}

    def edit(self, kind: str, id: str | None, **given: Any) -> dict[str, Any]:
        """As a person in the UI; no id creates."""
        return self.run(self.system.edit, kind, id, given, delete=False, by="person")

    def delete(self, kind: str, id: str) -> None:
        """As a person in the UI."""
        self.run(self.system.edit, kind, id, {}, delete=True, by="person")

    def switch(self, name: str, value: Any) -> None:
        """Set one of the twin's switches."""
        self.run(self.world.switches.set, f"gorgias.{name}", value)

    def fault(self, **row: Any) -> None:
        """Plan one disturbance."""
        self.run(self.world.faults.put, [{"system": "gorgias", **row}])

    def calls(self) -> list[tuple[str, str, int]]:
        """(method, path, status) of the calls so far."""
        return [(one["method"], one["path"], one["status"]) for one in self.world.calls.ring]

    def advance(self, seconds: float) -> None:
        """Move the twin's clock."""
        self.run(self.world.clock.advance, seconds)


@pytest.fixture
def gorgias_twin(tmp_path: Path) -> Iterator[GorgiasTwin]:
    """A twin with 30 people and 60 tickets, far from its limits."""
    world = World(tmp_path, seed=1, rate_scale=1000)
    system = GorgiasSandbox(world)
    agents, people, cases = generate(1, 30, 60, 0.6)
    system.seed(people, cases, agents)
    loop = asyncio.new_event_loop()
    with listening("test", 0) as sock:
        running = server(FaultGate(system.app(), world, "gorgias"))
        thread = threading.Thread(target=lambda: loop.run_until_complete(running.serve([sock])), daemon=True)
        thread.start()
        try:
            yield GorgiasTwin(url_of(sock), world, system, system.credentials(), loop)
        finally:
            running.should_exit = True
            thread.join(10)
            assert not thread.is_alive()
            loop.close()
            system.close()
