"""Carries out the planned faults in front of a vendor app: latency, refusals, resets, cut and slow answers, jumps."""

import asyncio
import re
import socket
import struct
from collections.abc import Awaitable, Callable, MutableMapping
from email.utils import formatdate
from typing import Any

from sync_platform.sandbox.fault_plan import BESIDE, Fault
from sync_platform.sandbox.world import World

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

TRANSPORT = "sandbox.transport"  # the connection's transport, put into the scope by server.Protocol
FAULT = "sandbox.fault"  # scope key that asks the vendor app for its own refusal: "429", "423", "477" or "5xx"
SHAPE = "sandbox.fault.shape"  # beside it: which of the vendor's shapes (see fault_plan.SHAPES)
STATUS = "sandbox.fault.status"  # and the status of a 5xx
_PAGE = b"<html><head><title>%d</title></head><body><h1>%d %s</h1></body></html>"
_WORDS = {423: b"Locked", 429: b"Too Many Requests", 477: b"Migration In Progress"}
_PIECES = 20  # in which a slow body comes
_ID = re.compile(r"(?<=/)\d+(?=/|$)")


class FaultGate:
    """ASGI middleware for one vendor: `app` behind the plan of `world.faults` and the latency of `world`.

    A request that never reaches the app is recorded here (status 0 for a reset); the others by the app itself, with the
    status that the app gave, whatever became of its answer. Waits are the wall's: clients' timeouts are, too.
    """

    def __init__(self, app: ASGIApp, world: World, system: str) -> None:
        self._app = app
        self._world = world
        self._system = system

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = scope["path"]
        hits = self._world.faults.draw(self._system, scope["method"], path)
        if not hits and not self._world.latency_ms:
            await self._app(scope, receive, _dated(send, self._world))
            return
        # Drawn before any wait: whatever the calls beside this one do, the order of arrival decides.
        wait_ms = self._world.latency_ms + sum(hit.amount_ms() for hit in hits if hit.kind == "latency")
        slow_ms = [hit.amount_ms() for hit in hits if hit.kind == "slow"]
        if wait_ms > 0:
            await asyncio.sleep(wait_ms / 1000)
        send = _dated(send, self._world)
        # One disturbance beside latency and jumps: the first of the plan that hit.
        hit = next((hit for hit in hits if hit.kind not in BESIDE), None)
        with self._world.clock.jumped(sum(hit.jump_s for hit in hits if hit.kind == "clock")):
            if hit is None:
                await self._app(scope, receive, send)
            elif hit.kind == "slow":
                await self._dribble(slow_ms[0], scope, receive, send)
            else:
                await self._disturb(hit, scope, receive, send)

    async def _disturb(self, hit: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        if hit.kind in ("429", "423", "477"):
            await self._refuse(hit, scope, receive, _waiting(send, hit))
        elif hit.kind == "5xx":
            await self._fail(hit, scope, receive, send)
        elif hit.kind == "reset_before":
            self._record(scope, 0)
            await _reset(scope, receive)
        elif hit.kind == "reset_after":
            await self._app(scope, receive, _swallow)
            await _reset(scope, receive)
        else:
            await self._truncate(hit.at, scope, receive, send)

    async def _refuse(self, hit: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        """In the vendor's own shape, as a page of something in front of it, or without any body."""
        if hit.shape not in ("html", "empty"):
            await self._app({**scope, FAULT: hit.kind, SHAPE: hit.shape}, receive, send)
            return
        status = int(hit.kind)
        self._record(scope, status)
        await _plain(send, status, _page(status) if hit.shape == "html" else b"")

    async def _fail(self, hit: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        """A gateway's page (or the vendor's JSON), before or after the app did the work."""
        if hit.landed:
            await self._app(scope, receive, _swallow)
            await _plain(send, hit.status, _page(hit.status))
        elif hit.body == "json":
            await self._app({**scope, FAULT: "5xx", STATUS: hit.status}, receive, send)
        else:
            self._record(scope, hit.status)
            await _plain(send, hit.status, _page(hit.status))

    async def _dribble(self, over_ms: float, scope: Scope, receive: Receive, send: Send) -> None:
        """The head at once, the body in pieces spread over the time."""
        start, body = await self._collected(scope, receive)
        await send(start)
        pieces = min(_PIECES, len(body)) or 1
        size = -(-len(body) // pieces) or 1
        for place in range(pieces):
            await asyncio.sleep(over_ms / 1000 / pieces)
            piece = body[place * size : (place + 1) * size]
            await send({"type": "http.response.body", "body": piece, "more_body": place < pieces - 1})

    async def _truncate(self, share: float, scope: Scope, receive: Receive, send: Send) -> None:
        """The full content-length, a share of the body, then the end of the connection."""
        start, body = await self._collected(scope, receive)
        headers = [(name, value) for name, value in start["headers"] if name.lower() != b"content-length"]
        await send({**start, "headers": [*headers, (b"content-length", str(len(body)).encode())]})
        # Never the whole of it, so that the end is always early.
        cut = min(int(len(body) * share), max(0, len(body) - 1))
        await send({"type": "http.response.body", "body": body[:cut], "more_body": True})
        await _close(scope, receive, reset=False)

    async def _collected(self, scope: Scope, receive: Receive) -> tuple[Message, bytes]:
        """The app's whole answer, kept back."""
        start: Message = {}
        body = bytearray()

        async def collect(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
            elif message["type"] == "http.response.body":
                body.extend(message.get("body", b""))

        await self._app(scope, receive, collect)
        return start, bytes(body)

    def _record(self, scope: Scope, status: int) -> None:
        path = scope["path"]
        self._world.calls.record(self._system, scope["method"], _ID.sub("{id}", path), status, path=path)


def _dated(send: Send, world: World) -> Send:
    """Answers bear the sandbox's own time, which may run ahead of the machine's."""

    async def dated(message: Message) -> None:
        if message["type"] == "http.response.start":
            now = formatdate(world.clock.now().timestamp(), usegmt=True).encode()
            message = {**message, "headers": [*message.get("headers", ()), (b"date", now)]}
        await send(message)

    return dated


def _waiting(send: Send, hit: Fault) -> Send:
    """The answer with the Retry-After of the plan, with none, or as the vendor sends it."""
    if hit.retry_after == "vendor":
        return send

    async def waiting(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = [(name, value) for name, value in message.get("headers", ()) if name != b"retry-after"]
            if hit.retry_after is not None:
                headers.append((b"retry-after", str(hit.retry_after).encode()))
            message = {**message, "headers": headers}
        await send(message)

    return waiting


async def _swallow(message: Message) -> None:
    """The answer that never leaves."""


async def _reset(scope: Scope, receive: Receive) -> None:
    await _close(scope, receive, reset=True)


async def _close(scope: Scope, receive: Receive, *, reset: bool) -> None:
    """End the TCP connection; with `reset` at once and by RST. Returns when the server has noticed."""
    transport = scope.get(TRANSPORT)
    if transport is None:
        raise ConnectionResetError("the sandbox fault closes the connection (no transport in this server)")
    if reset:
        sock = transport.get_extra_info("socket")
        if sock is not None:
            # Lingering for 0 s makes the kernel send RST instead of FIN.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    else:
        transport.close()
    while (await receive())["type"] != "http.disconnect":
        pass


def _page(status: int) -> bytes:
    return _PAGE % (status, status, _WORDS.get(status, b"Server Error"))


async def _plain(send: Send, status: int, body: bytes) -> None:
    headers = [(b"content-type", b"text/html; charset=utf-8")] if body else []
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
