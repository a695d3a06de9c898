"""Carries out the calls of integrations on the sandbox's clock: attempts, answers, retries, and switching off.

What is not published stands as switches: the time allowed for an answer (5 s), tries and their backoff, how many
failures in a row disable an integration (100 in an older article, 500 in a third party's guide), header and encoding of
the signature. Success is any 2xx [documented: «e.g. 200»]; redirects are not followed. Order is not guaranteed.
"""

# ruff: noqa: S608 - statements are put together from this package's own table and column names; values are bound

import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
import time
import zlib
from typing import Any

import httpx

from sync_platform.sandbox.gorgias import customers, integrations, messages, plain
from sync_platform.sandbox.gorgias.calling import KIND, Calling
from sync_platform.sandbox.gorgias.store import Store, stamp

CONCURRENT = 16
ANSWER_MAX = 1_000_000  # bytes of an answer that are read
GRACE_S = 0.25  # of the machine's own time: a step of the sandbox's clock alone fails no call

Outcome = tuple[int | None, str | None, bytes]  # status, what went wrong, body


class Deliveries:
    """The loop that calls; it also does what else waits for its time, so that it happens without a request."""

    def __init__(self, store: Store, calling: Calling, owner: str) -> None:
        self._store = store
        self._owner = owner
        self._running: dict[int, asyncio.Task[None]] = {}
        self._broken: BaseException | None = None
        self._calling = calling

    async def run(self) -> None:
        """Call until cancelled."""
        loop, wake = asyncio.get_running_loop(), asyncio.Event()

        def rouse() -> None:
            loop.call_soon_threadsafe(wake.set)

        self._calling.wake = rouse
        # The transport alone, without a client: a client would log addresses, and these hold customers' data.
        transport = httpx.AsyncHTTPTransport(limits=httpx.Limits(max_connections=CONCURRENT), trust_env=False)
        try:
            while True:
                wake.clear()
                following = self._turn(transport, wake)
                if self._broken:
                    raise self._broken
                await self._pause(wake, following)
        finally:
            self._calling.wake = None
            for task in self._running.values():
                task.cancel()
            await asyncio.gather(*self._running.values(), return_exceptions=True)
            await transport.aclose()

    def forget(self) -> None:
        """Give up what is under way: the account begins anew, and its ids with it."""
        for task in self._running.values():
            task.cancel()
        self._running.clear()

    def _turn(self, transport: httpx.AsyncHTTPTransport, wake: asyncio.Event) -> int | None:
        """Do what is due; gives the next moment in microseconds."""
        store = self._store
        moments = []
        if store.unsent:
            messages.settle(store)
        if store.chores:
            moments.append(store.do_chores())
        now = store.now()
        free = CONCURRENT - len(self._running)
        if free:
            due = store.all(
                f"SELECT id FROM {KIND} WHERE due <= ? ORDER BY due, id LIMIT ?", now, free + len(self._running)
            )
            for (number,) in [row for row in due if row[0] not in self._running][:free]:
                self._start(transport, wake, number)
        moments.append(store.one(f"SELECT min(due) FROM {KIND} WHERE due > ?", now)[0])
        return min((moment for moment in moments if moment is not None), default=None)

    def _start(self, transport: httpx.AsyncHTTPTransport, wake: asyncio.Event, number: int) -> None:
        def ended(task: asyncio.Task[None]) -> None:
            if self._running.get(number) is task:
                del self._running[number]
            if not task.cancelled() and task.exception():
                self._broken = task.exception()
            wake.set()

        task = asyncio.create_task(self._attempt(transport, number))
        self._running[number] = task
        task.add_done_callback(ended)

    async def _pause(self, wake: asyncio.Event, following: int | None) -> None:
        """Until something new comes, or the clock reaches the next moment."""
        waits: set[asyncio.Task[Any]] = {asyncio.create_task(wake.wait())}
        if following is not None:
            left_s = max(0.0, (following - self._store.now()) / 1e6)
            waits.add(asyncio.create_task(self._store.world.clock.sleep(left_s)))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waits:
                task.cancel()

    async def _attempt(self, transport: httpx.AsyncHTTPTransport, number: int) -> None:
        """One try of one call, and what comes of it."""
        found = self._store.one(
            f"SELECT c.row, i.secret, i.active AND i.deleted IS NULL FROM {KIND} c "
            "JOIN integrations i ON i.id = c.integration_id WHERE c.id = ? AND c.due IS NOT NULL",
            number,
        )
        if found is None:
            return
        call, secret, active = json.loads(found[0]), found[1], found[2]
        if not active:
            with self._store.writing():
                self._finish(call, "skipped")
            return
        began, at = time.monotonic(), stamp(self._store.now())
        status, trouble, body = await self._limited(self._send(transport, call, secret))
        took_ms = round((time.monotonic() - began) * 1_000, 1)
        call["tries"].append({"at": at, "status_code": status, "error": trouble, "took_ms": took_ms})
        call["status_code"] = status
        with self._store.writing():
            if status is not None and 200 <= status < 300:
                self._succeeded(call, body)
            else:
                self._failed(call)

    async def _limited(self, sending: Any) -> Outcome:
        """The outcome, or a timeout by the sandbox's clock."""
        limit_s, began = self._store.switch("integration_timeout_s"), time.monotonic()
        task = asyncio.create_task(sending)
        timer = asyncio.create_task(self._store.world.clock.sleep(limit_s))
        try:
            await asyncio.wait({task, timer}, return_when=asyncio.FIRST_COMPLETED)
            left_s = began + GRACE_S - time.monotonic()
            if not task.done() and left_s > 0:
                await asyncio.wait({task}, timeout=left_s)
            outcome: Outcome = task.result() if task.done() else (None, "timeout", b"")
            return outcome
        finally:
            timer.cancel()
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _send(self, transport: httpx.AsyncHTTPTransport, call: dict[str, Any], secret: str | None) -> Outcome:
        """One request. What goes wrong is told by the name of its kind alone: texts may hold addresses."""
        body = (call["body"] or "").encode()
        headers = {name: value.encode() for name, value in call["headers"].items()}
        encoding = self._store.switch("hmac_encoding")
        if secret and encoding != "unsigned":
            headers[self._store.switch("hmac_header").lower()] = signature(secret, body, encoding).encode()
        try:
            request = httpx.Request(call["method"], call["url"], headers=headers, content=body or None)
            answer = await transport.handle_async_request(request)
            try:
                return answer.status_code, None, await _some(answer)
            finally:
                await answer.aclose()
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, ValueError, OSError) as error:
            return None, type(error).__name__, b""

    def _succeeded(self, call: dict[str, Any], body: bytes) -> None:
        """Any success sets the count of failures back [documented]."""
        store, number = self._store, call["integration_id"]
        store.run("UPDATE integrations SET failures = 0 WHERE id = ? AND failures > 0", number)
        if call["method"] == "GET" and call["customer_id"] is not None:
            call["stored"] = keep_answer(store, call["customer_id"], number, body)
        self._finish(call, "delivered")

    def _failed(self, call: dict[str, Any]) -> None:
        """Another try, or the end of this call; too many calls without success end the integration."""
        store, number = self._store, call["integration_id"]
        tries = len(call["tries"])
        if tries < store.switch("integration_tries"):
            wait_s = store.switch("integration_backoff_s") * 2 ** (tries - 1)
            plain.save(store, KIND, call, due=store.now() + int(wait_s * 1e6))
            return
        self._finish(call, "failed")
        store.run("UPDATE integrations SET failures = failures + 1 WHERE id = ?", number)
        found = store.one("SELECT failures, row FROM integrations WHERE id = ? AND active = 1", number)
        if found and found[0] >= store.switch("integration_failures_max"):
            integrations.deactivate(store, json.loads(found[1]), self._owner)
            store.run(
                f"UPDATE {KIND} SET due = NULL, row = json_set(row, '$.status', 'skipped') "
                "WHERE integration_id = ? AND due IS NOT NULL",
                number,
            )

    def _finish(self, call: dict[str, Any], status: str) -> None:
        call.update(status=status, finished_datetime=stamp(self._store.now()))
        plain.save(self._store, KIND, call, due=None)


def signature(secret: str, body: bytes, encoding: str) -> str:
    """HMAC-SHA256 of the raw body; most receivers expect base64, one hex [not established]."""
    digest = hmac.new(secret.encode(), body, hashlib.sha256).digest()
    return digest.hex() if encoding == "hex" else base64.b64encode(digest).decode()


def keep_answer(store: Store, customer_id: int, number: int, body: bytes) -> bool:
    """A JSON answer becomes customer.integrations["<id>"] [documented]; gives whether it was taken over.

    Whether that moves the customer's updated_datetime is not established [switch integration_data_moves_updated].
    """
    try:
        data = json.loads(body.decode())
        json.dumps(data, ensure_ascii=False, allow_nan=False).encode()  # half a surrogate pair can't be stored
    except (ValueError, RecursionError):
        return False
    found = store.one("SELECT 1 FROM customers WHERE id = ? AND deleted IS NULL", customer_id)
    if not isinstance(data, dict) or found is None:
        return False
    row, extra = customers.read(store, customer_id)
    data = {**data, "__integration_type__": "http"}
    if extra["integrations"].get(str(number)) == data:
        return True
    moves = store.on("integration_data_moves_updated")
    if moves:
        row["updated_datetime"] = stamp(store.now())
    customers.save(store, row, {**extra["integrations"], str(number): data})
    if moves:
        store.event("customer-updated", "Customer", customer_id, None)
    return True


async def _some(answer: httpx.Response) -> bytes:
    """The beginning of an answer's body, unpacked no further than what is kept: a few kB may unpack to gigabytes."""
    body = b""
    async for part in answer.aiter_raw():
        body += part
        if len(body) > ANSWER_MAX:
            break
    if answer.headers.get("content-encoding", "").strip().lower() in ("gzip", "x-gzip", "deflate"):
        try:
            return zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(body, ANSWER_MAX)
        except zlib.error:
            raise httpx.DecodingError("not what its content-encoding says") from None
    return body[:ANSWER_MAX]
