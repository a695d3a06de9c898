"""HubSpot's side of a webhook call: what is due goes out, several at a time, and failures are tried again.

Facts: a call has failed when the server can't be reached, takes longer than 5 seconds or answers 4xx or 5xx; 10 calls
at a time unless the settings say otherwise [doc]. All times are the virtual clock's: a step over it makes retries due
at once. A step alone doesn't make a server slow, so that a call in the air also gets half a second of the wall's time.
"""

import asyncio
import time
from threading import RLock
from typing import Any

import httpx

from sync_platform.sandbox.hubspot import signatures as hubspot_signatures
from sync_platform.sandbox.hubspot.webhooks import Batch, Webhooks
from sync_platform.sandbox.hubspot.wire import stamp, to_ms
from sync_platform.sandbox.world import World

TIMEOUT_S, WALL_LEAST_S = 5.0, 0.5
LOOK_S = 1.0  # while something waits for its time: a step over the clock just before a sleep would go unnoticed
BATCHES_AT_ONCE = 10  # of events that nobody wants any more
AGENT = "HubSpot Connect 2.0 (http://dev.hubspot.com/) - WebhooksExecutorDaemon-executor"  # [general knowledge]


class Caller:
    """Sends what falls due."""

    def __init__(self, world: World, lock: RLock, webhooks: Webhooks, secret: str) -> None:
        self._world = world
        self._lock = lock
        self._webhooks = webhooks
        self._secret = secret
        self._flying: set[asyncio.Task[None]] = set()
        self._client: httpx.AsyncClient | None = None  # made for the first call: it takes time that a start lacks

    async def run(self) -> None:
        """Send until cancelled."""
        loop, moved = asyncio.get_running_loop(), asyncio.Event()

        def wake() -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(moved.set)

        self._webhooks.on_note = wake
        try:
            while True:
                moved.clear()
                await self._pause(moved, self._start(moved))
        finally:
            self._webhooks.on_note = lambda: None
            for task in self._flying:
                task.cancel()
            await asyncio.gather(*self._flying, return_exceptions=True)
            if self._client is not None:
                await self._client.aclose()
                self._client = None

    def _start(self, moved: asyncio.Event) -> float | None:
        """Start what is due and has room; how many seconds until more falls due (None = nothing in sight)."""
        for task in [task for task in self._flying if task.done()]:
            self._flying.discard(task)
            task.result()  # an error of ours must end the sandbox, not the deliveries in silence
        with self._lock:
            now_ms = self._now_ms()
            if self._webhooks.next_due() is None:
                return None
            target = self._webhooks.target(now_ms)
            room = BATCHES_AT_ONCE if target is None else target[1] - len(self._flying)
            if room <= 0:
                return None
            for batch in self._webhooks.due(now_ms, room):
                if target is None:
                    self._webhooks.drop(batch)
                    self._webhooks.log(_entry(batch, now_ms, None, error="no settings"))
                    continue
                task = asyncio.create_task(self._deliver(target[0], batch))
                task.add_done_callback(lambda _: moved.set())
                self._flying.add(task)
            due = self._webhooks.next_due()
        return None if due is None else max(0.0, (due - self._now_ms()) / 1000 + 0.001)

    async def _pause(self, moved: asyncio.Event, wait_s: float | None) -> None:
        """Until something is noted, a call ends, or the time is over."""
        if wait_s is None:
            await moved.wait()
            return
        waits = [asyncio.create_task(moved.wait()), asyncio.create_task(self._world.clock.sleep(min(wait_s, LOOK_S)))]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()
            await asyncio.gather(*waits, return_exceptions=True)

    async def _deliver(self, url: str, batch: Batch) -> None:
        body, at_ms, started = batch.body(), self._now_ms(), self._world.clock.monotonic()
        which = self._webhooks.signatures()
        headers = {"content-type": "application/json", "user-agent": AGENT}
        headers |= hubspot_signatures.headers(which, self._secret, url, body, at_ms)
        status, error = await self._answered(url, headers, body)
        entry = _entry(batch, at_ms, url, status=status, error=error)
        entry["ms"] = round((self._world.clock.monotonic() - started) * 1000)
        entry["signatures"] = which
        with self._lock:
            if error is None:
                self._webhooks.drop(batch)
            else:
                self._webhooks.failed(batch, self._now_ms())
            self._webhooks.log(entry)

    async def _answered(self, url: str, headers: dict[str, str], body: bytes) -> tuple[int | None, str | None]:
        """(status, why it failed): the names of errors only, no text of the other side."""
        if self._client is None:
            limits = httpx.Limits(max_connections=None, max_keepalive_connections=20)
            self._client = httpx.AsyncClient(timeout=None, trust_env=False, limits=limits)  # noqa: S113 - see _too_slow
        client = self._client
        post = asyncio.create_task(_status(client, url, headers, body))
        slow = asyncio.create_task(self._too_slow())
        try:
            await asyncio.wait([post, slow], return_when=asyncio.FIRST_COMPLETED)
            if not post.done():
                return None, "timeout"
            status = post.result()
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, ValueError, OSError) as failure:
            return None, type(failure).__name__
        else:
            return status, None if status < 400 else f"status {status}"
        finally:
            for one in (post, slow):
                one.cancel()
            await asyncio.gather(post, slow, return_exceptions=True)

    async def _too_slow(self) -> None:
        started = time.monotonic()
        await self._world.clock.sleep(TIMEOUT_S)
        await asyncio.sleep(max(0.0, WALL_LEAST_S - (time.monotonic() - started)))

    def _now_ms(self) -> int:
        return to_ms(self._world.clock.now())


async def _status(client: httpx.AsyncClient, url: str, headers: dict[str, str], body: bytes) -> int:
    """What a server answers. Its body is never read: it says nothing, and may have no end."""
    async with client.stream("POST", url, content=body, headers=headers) as answer:
        client.cookies.clear()  # a webhook call knows of no other
        return answer.status_code


def _entry(
    batch: Batch, at_ms: int, url: str | None, *, status: int | None = None, error: str | None = None
) -> dict[str, Any]:
    """A call for the log of the control port."""
    events = [{**event, "attemptNumber": attempt} for _, attempt, event in batch.rows]
    return {"at": stamp(at_ms), "url": url, "status": status, "error": error, "events": events}
