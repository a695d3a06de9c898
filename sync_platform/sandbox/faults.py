"""Carries out the planned faults in front of a vendor app: latency, refusals, resets and truncated answers."""

import asyncio
import re
import socket
import struct
from collections.abc import Awaitable, Callable, MutableMapping
from email.utils import formatdate
from typing import Any

from sync_platform.sandbox.world import Fault, World

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

TRANSPORT = "sandbox.transport"  # the connection's transport, put into the scope by server.Protocol
FAULT = "sandbox.fault"  # scope key that asks the vendor app for its own 429
_GATEWAY_PAGE = b"<html><head><title>%d</title></head><body><h1>%d Server Error</h1></body></html>"
_ID = re.compile(r"(?<=/)\d+(?=/|$)")


class FaultGate:
    """ASGI middleware for one vendor: `app` behind the plan of `world.faults` and the latency of `world`.

    A request that never reaches the app is recorded here (status 0 for a reset); the others by the app itself.
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
        send = _dated(send, self._world)
        path = scope["path"]
        hits = self._world.faults.draw(self._system, scope["method"], path)
        wait_ms = self._world.latency_ms + sum(hit.ms for hit in hits if hit.kind == "latency")
        if wait_ms > 0:
            await asyncio.sleep(wait_ms / 1000)
        # One disturbance beside the latency: the first of the plan that hit.
        hit = next((hit for hit in hits if hit.kind != "latency"), None)
        if hit is None:
            await self._app(scope, receive, send)
        else:
            await self._disturb(hit, scope, receive, send)

    async def _disturb(self, hit: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        if hit.kind == "429":
            await self._app({**scope, FAULT: "429"}, receive, send)
        elif hit.kind == "5xx":
            self._record(scope, hit.status)
            await _gateway_error(send, hit.status)
        elif hit.kind == "reset_before":
            self._record(scope, 0)
            await _reset(scope, receive)
        elif hit.kind == "reset_after":
            await self._app(scope, receive, _swallow)
            await _reset(scope, receive)
        else:
            await self._truncate(scope, receive, send)

    async def _truncate(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The full content-length, half of the body, then the end of the connection."""
        start: Message = {}
        body = bytearray()

        async def collect(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
            elif message["type"] == "http.response.body":
                body.extend(message.get("body", b""))

        await self._app(scope, receive, collect)
        headers = [(name, value) for name, value in start["headers"] if name.lower() != b"content-length"]
        await send({**start, "headers": [*headers, (b"content-length", str(len(body)).encode())]})
        await send({"type": "http.response.body", "body": bytes(body[: len(body) // 2]), "more_body": True})
        await _close(scope, receive, reset=False)

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


async def _gateway_error(send: Send, status: int) -> None:
    page = _GATEWAY_PAGE % (status, status)
    headers = [(b"content-type", b"text/html; charset=utf-8"), (b"content-length", str(len(page)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": page})
