"""The door: the part that may face the internet. Three addresses; whatever else is asked has one and the same answer.

A delivery is read within limits, its signature is checked over the raw bytes, it is stored once, and then answered:
nothing else happens in the request. What is turned away leaves a count behind and nothing else. A refusal is
`{"error": "<code>"}`, whatever was wrong; it tells nobody which secret was expected.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from typing import Any

from sync_platform.core.records import System
from sync_platform.errors import Misconfigured, SyncError
from sync_platform.ledger.inbox import Delivery
from sync_platform.settings import Settings
from sync_platform.sync.webhooks import SECRET_HEADER, SECRETS
from sync_platform.web import payloads, signatures
from sync_platform.web.collector import Collector
from sync_platform.web.payloads import Refused

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

READ_S = 5.0
AT_ONCE_MAX = 512
SECRETS_AGE_S = 1.0
HMAC_HEADER = "X-Gorgias-Hmac-SHA256"
PATHS: Mapping[str, System] = {"/hooks/gorgias": System.GORGIAS, "/hooks/hubspot": System.HUBSPOT}


class Secrets:
    """The secrets of now: those in files are read again after a refusal, at most once a second."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._held: dict[str, str | None] = {}
        self._read_at = -SECRETS_AGE_S

    def of(self, name: str) -> str | None:
        """The value of a secret setting; None where it is not set. Raises Misconfigured for a file that is gone."""
        if name not in self._held:
            self._held[name] = self._settings.secret(name)
        return self._held[name]

    def renew(self) -> bool:
        """Whether any secret is another one by now."""
        now = time.monotonic()
        if now - self._read_at < SECRETS_AGE_S:
            return False
        self._read_at = now
        fresh = {name: self._settings.secret(name) for name in self._held}
        changed, self._held = fresh != self._held, fresh
        return changed


class Door:
    """An ASGI application. `now_s` gives the time of day in seconds, for the window of HubSpot's timestamps."""

    def __init__(self, settings: Settings, collector: Collector, *, now_s: Callable[[], float] = time.time) -> None:
        self._collector = collector
        self._secrets = Secrets(settings)
        self._public_url = settings.sync_public_url
        self._now_s = now_s
        self._reading = 0
        self._health: tuple[float, bool] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1000})
            return
        try:
            status, body = await self._answer(scope, receive)
        except Refused as refused:
            system = PATHS.get(scope["path"])
            self._collector.count(f"{system or 'none'}.{refused.code}")
            status, body = refused.status, {"error": refused.code}
        except Misconfigured:
            status, body = 503, {"error": "secret_unreadable"}
        except SyncError:
            status, body = 503, {"error": "ledger_unavailable"}
        await _send(send, status, body)

    async def _answer(self, scope: Scope, receive: Receive) -> tuple[int, Mapping[str, Any]]:
        path, method = scope["path"], scope["method"]
        if path == "/health":
            if method not in ("GET", "HEAD"):
                raise Refused(405, "wrong_method")
            if not await self._healthy():
                return 503, {"error": "ledger_unavailable"}
            return 200, {"ok": True}
        system = PATHS.get(path)
        if system is None:
            raise Refused(404, "not_found")
        if method != "POST":
            raise Refused(405, "wrong_method")
        await self._deliver(system, scope, receive)
        return 200, {"ok": True}

    async def _healthy(self) -> bool:
        now = time.monotonic()
        if self._health is None or now - self._health[0] > 1.0:
            self._health = (now, await self._collector.reachable())
        return self._health[1]

    async def _deliver(self, system: System, scope: Scope, receive: Receive) -> None:
        headers = Headers(scope["headers"])
        if not any(self._secrets.of(name) for name in SECRETS[system]):
            self._secrets.renew()
            raise Refused(403, "no_secret")
        if headers.one("content-encoding") not in (None, "identity"):
            raise Refused(415, "encoded")
        body = await self._body(headers, receive)
        self._check(system, scope, headers, body)
        deliveries = self._read(system, body)
        self._collector.count(f"{system}.accepted")
        await self._collector.put(deliveries)

    def _read(self, system: System, body: bytes) -> Sequence[Delivery]:
        payload = payloads.parsed(body)
        if system is System.GORGIAS:
            return payloads.gorgias(payload, body, time.time_ns())
        return payloads.hubspot(payload)

    async def _body(self, headers: Headers, receive: Receive) -> bytes:
        length = headers.one("content-length")
        if length is not None and (not length.isdigit() or len(length) > 9 or int(length) > payloads.BYTES_MAX):
            raise Refused(413, "too_large")
        if self._reading >= AT_ONCE_MAX:
            raise Refused(429, "too_many")
        self._reading += 1
        try:
            async with asyncio.timeout(READ_S):
                return await _gathered(receive)
        except TimeoutError:
            raise Refused(408, "too_slow") from None
        finally:
            self._reading -= 1

    # --- signatures

    def _check(self, system: System, scope: Scope, headers: Headers, body: bytes) -> None:
        """Raise Refused unless the call is signed; a secret that was changed meanwhile is read again first."""
        checked = self._gorgias if system is System.GORGIAS else self._hubspot
        try:
            checked(scope, headers, body)
        except Refused:
            if not self._secrets.renew():
                raise
            checked(scope, headers, body)

    def _gorgias(self, _scope: Scope, headers: Headers, body: bytes) -> None:
        """Whatever is set is required: the secret header, the HMAC, or both."""
        shared, keyed = (self._secrets.of(name) for name in SECRETS[System.GORGIAS])
        if not (shared or keyed):
            raise Refused(403, "no_secret")
        if shared and not signatures.same(headers.one(SECRET_HEADER) or "", shared):
            raise Refused(403, "not_signed")
        if keyed and not signatures.gorgias(keyed, body, headers.one(HMAC_HEADER) or ""):
            raise Refused(403, "not_signed")

    def _hubspot(self, scope: Scope, headers: Headers, body: bytes) -> None:
        """v3, and where it is absent v1 or v2; a v3 that does not hold is never made good by an older one."""
        secret = self._secrets.of(SECRETS[System.HUBSPOT][0])
        if not secret:
            raise Refused(403, "no_secret")
        address = self._address(scope, headers)
        if headers.has("x-hubspot-signature-v3"):
            timestamp = headers.one("x-hubspot-request-timestamp") or ""
            given = headers.one("x-hubspot-signature-v3") or ""
            if not signatures.hubspot_v3(secret, "POST", address, body, timestamp, given):
                raise Refused(403, "not_signed")
            if not signatures.in_window(timestamp, self._now_s()):
                raise Refused(403, "out_of_time")
            return
        given, version = headers.one("x-hubspot-signature") or "", headers.one("x-hubspot-signature-version")
        first = version == "v1" and signatures.hubspot_v1(secret, body, given)
        second = version == "v2" and signatures.hubspot_v2(secret, "POST", address, body, given)
        if not (first or second):
            raise Refused(403, "not_signed")

    def _address(self, scope: Scope, headers: Headers) -> str:
        """The address as HubSpot called it: below SYNC_PUBLIC_URL, which a proxy's own headers cannot change."""
        query: str = scope["query_string"].decode("latin-1")
        path: str = scope["raw_path"].decode("latin-1")
        base = self._public_url or f"{scope['scheme']}://{headers.one('host') or ''}"
        return base + path + (f"?{query}" if query else "")


class Headers:
    """The headers of a request, by name in any case."""

    def __init__(self, raw: Sequence[tuple[bytes, bytes]]) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in raw:
            self._values.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1").strip())

    def has(self, name: str) -> bool:
        """Whether it is there at all."""
        return name in self._values

    def one(self, name: str) -> str | None:
        """The value of a header that is there once; one that is there twice says nothing."""
        values = self._values.get(name.lower(), ())
        return values[0] if len(values) == 1 else None


async def _gathered(receive: Receive) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Refused(400, "went_away")
        part = message.get("body", b"")
        size += len(part)
        if size > payloads.BYTES_MAX:
            raise Refused(413, "too_large")
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)


async def _send(send: Send, status: int, body: Mapping[str, Any]) -> None:
    text = json.dumps(body, separators=(",", ":")).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(text)).encode()),
        (b"cache-control", b"no-store"),
    ]
    if status in (408, 413, 429):
        # The rest of such a body is not read.
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text})
