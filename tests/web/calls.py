"""Calls to the door without a network, signed as Gorgias and HubSpot sign, with the vendors' own formulas."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import text

from sync_platform.ledger import inbox
from sync_platform.settings import Settings
from sync_platform.web.collector import Collector
from sync_platform.web.door import Door

SHARED, KEYED, CLIENT = "shared-secret-of-tests", "keyed-secret-of-tests", "client-secret-of-tests"
PUBLIC = "https://hooks.example.com"
ENV = {
    "GORGIAS_WEBHOOK_SECRET": SHARED,
    "GORGIAS_HMAC_SECRET": KEYED,
    "HUBSPOT_CLIENT_SECRET": CLIENT,
    "SYNC_PUBLIC_URL": PUBLIC,
}
Pairs = dict[str, str]


class At:
    """A door on a ledger of its own; `call` gives status and answer."""

    def __init__(self, root: Path, url: str, env: Pairs, now_s: Callable[[], float]) -> None:
        self.settings = Settings.load(env | {"LEDGER_DATABASE_URL": url}, root=root)
        self.ledger = inbox.open_inbox(self.settings.ledger_url)
        self.loop = asyncio.new_event_loop()
        self.collector = Collector(self.ledger)
        self.door = Door(self.settings, self.collector, now_s=now_s)

    def call(self, path: str, body: bytes = b"", headers: Pairs | None = None, **more: Any) -> tuple[int, Any]:
        return self.loop.run_until_complete(self.acall(path, body, headers, **more))

    async def acall(
        self,
        path: str,
        body: bytes | Iterable[bytes] = b"",
        headers: Pairs | Iterable[tuple[str, str]] | None = None,
        *,
        method: str = "POST",
        pause_s: float = 0.0,
        query: str = "",
    ) -> tuple[int, Any]:
        pairs = list(headers.items() if isinstance(headers, dict) else headers or ())
        parts = [body] if isinstance(body, bytes) else list(body)
        given = iter(parts)
        left = len(parts)

        async def receive() -> dict[str, Any]:
            nonlocal left
            if pause_s:
                await asyncio.sleep(pause_s)
            left -= 1
            return {"type": "http.request", "body": next(given, b""), "more_body": left > 0}

        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "scheme": "http",
            "headers": [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in pairs],
        }
        await self.door(scope, receive, send)
        return sent[0]["status"], json.loads(sent[1]["body"])

    def gorgias(self, payload: Any, **more: Any) -> tuple[int, Any]:
        body = dumped(payload)
        return self.call("/hooks/gorgias", body, gorgias_headers(body), **more)

    def hubspot(self, payload: Any, **more: Any) -> tuple[int, Any]:
        body = dumped(payload)
        return self.call("/hooks/hubspot", body, v3_headers(body), **more)

    def rows(self) -> list[Any]:
        with self.ledger.read() as conn:
            return list(conn.execute(text("SELECT * FROM inbox ORDER BY id")))

    def counts(self) -> dict[str, int]:
        """What was counted, once it is written."""
        self.loop.run_until_complete(self.collector.close())
        with self.ledger.read() as conn:
            return inbox.counts(conn)

    def close(self) -> None:
        self.loop.run_until_complete(self.collector.close())
        self.loop.close()
        self.ledger.close()


@contextmanager
def door_at(root: Path, url: str, env: Pairs | None = None, now_s: Callable[[], float] = time.time):
    one = At(root, url, ENV if env is None else env, now_s)
    try:
        yield one
    finally:
        one.close()


def dumped(payload: Any) -> bytes:
    return payload if isinstance(payload, bytes) else json.dumps(payload).encode()


def gorgias_headers(body: bytes, *, shared: str = SHARED, keyed: str = KEYED, encoding: str = "base64") -> Pairs:
    digest = hmac.new(keyed.encode(), body, hashlib.sha256).digest()
    spelled = digest.hex() if encoding == "hex" else base64.b64encode(digest).decode()
    return {"X-Sync-Secret": shared, "X-Gorgias-Hmac-SHA256": spelled}


def v3_headers(body: bytes, *, at_s: float | None = None, secret: str = CLIENT, uri: str = PUBLIC + "/hooks/hubspot"):
    stamp = str(int((time.time() if at_s is None else at_s) * 1000))
    source = b"POST" + uri.encode() + body + stamp.encode()
    given = base64.b64encode(hmac.new(secret.encode(), source, hashlib.sha256).digest()).decode()
    return {"X-HubSpot-Signature-v3": given, "X-HubSpot-Request-Timestamp": stamp}


def ticket(number: int, at: str = "2026-03-01T10:00:00+00:00", **more: Any) -> dict[str, Any]:
    return {"ticket": {"id": number, "updated_datetime": at, "subject": "A question", "messages": [], **more}}


def event(number: int, **more: Any) -> dict[str, Any]:
    return {
        "eventId": 1, "subscriptionId": 7, "portalId": 1, "appId": 1, "occurredAt": 1772359200000,
        "subscriptionType": "contact.propertyChange", "attemptNumber": 0, "objectId": number,
        "propertyName": "phone", "propertyValue": "+12025550101", **more,
    }  # fmt: skip
