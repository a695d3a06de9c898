"""The ASGI application of the twin of Gorgias: reads a call, finds its route, checks it, answers, and logs it."""

import itertools
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from sync_platform.sandbox import gorgias_access as access
from sync_platform.sandbox import gorgias_messages as messages
from sync_platform.sandbox.gorgias_fields import Invalid
from sync_platform.sandbox.gorgias_http import (
    BODY_MAX,
    ApiError,
    Limits,
    Reply,
    Request,
    Route,
    Routes,
    not_found,
    split,
)
from sync_platform.sandbox.gorgias_store import Store

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

UNKNOWN = "/{unknown}"
_RELEASE = (b"x-gorgias-release", b"5a9d0b0000000000000000000000000000000000")
_JSON = (b"content-type", b"application/json")
_VARY = (b"vary", b"Cookie, Accept-Encoding")


class GorgiasApp:
    """One account. Order of checks: credentials, limits, route, rights, input."""

    def __init__(self, store: Store, gate: access.Access, limits: Limits, routes: Routes) -> None:
        self._store = store
        self._access = gate
        self._limits = limits
        self._routes = routes
        self._serial = itertools.count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI scope."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        if scope["type"] != "http":
            return
        body = b""
        if scope["method"] not in ("GET", "HEAD"):
            body = await _read(receive)
        template, kind, reply = self._answer(scope, body)
        path = scope["path"]
        self._store.world.calls.record("gorgias", scope["method"], template, reply.status, path=path)
        headers = [
            _JSON,
            _VARY,
            _RELEASE,
            (b"x-request-id", b"%032x" % next(self._serial)),
            (b"content-length", b"%d" % len(reply.body)),
            self._limits.header(kind),
            *reply.headers,
        ]
        if reply.status == 204:
            headers.pop(4)
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await send({"type": "http.response.body", "body": reply.body})

    def _answer(self, scope: Scope, body: bytes) -> tuple[str, str, Reply]:
        """Template for the call log, kind of credential for the limit header, and the answer."""
        path, method = scope["path"], scope["method"]
        key, ids = split(path)
        authorization = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        query = scope["query_string"].decode("latin-1")
        if key in (("oauth", "authorize"), ("oauth", "token")):
            return (
                f"/{'/'.join(key)}",
                "oauth",
                self._access.oauth(method, "/" + "/".join(key), query, authorization, body),
            )
        methods = self._routes.get(key)
        route = methods.get(method) if methods else None
        known = next(iter(methods.values())).template if methods else UNKNOWN
        template, kind = route.template if route else known, "api_key"
        try:
            caller = self._access.caller(authorization)
            kind = caller.kind
            self._limits.take(kind, refuse=scope.get("sandbox.fault") == "429")
            request = Request(method, path, query, ids, body, caller, route.failure if route else "")
            return template, kind, self._served(request, route, known_path=bool(methods))
        except ApiError as error:
            return template, kind, Reply(error.status, error.body(), error.headers)
        except Invalid as error:
            data = error.messages if isinstance(error.messages, dict) else {"_schema": error.messages}
            failure = route.failure if route else ""
            return template, kind, Reply(400, ApiError(400, failure, data).body())

    def _served(self, request: Request, route: Route | None, *, known_path: bool) -> Reply:
        """Route, rights and size, then the handler. Raises ApiError or Invalid."""
        if route is None:
            raise ApiError(405, "The specified HTTP method is not allowed.") if known_path else not_found()
        self._access.check(request.caller, route.scope, request.method)
        if len(request.body) > BODY_MAX:
            raise ApiError(413, "The request is too large.")
        if self._store.unsent:
            messages.settle(self._store)
        return route.handler(request)


async def _read(receive: Receive) -> bytes:
    """The whole body; beyond the limit the rest is read and dropped."""
    parts: list[bytes] = []
    size = 0
    while True:
        event = await receive()
        part = event.get("body", b"")
        size += len(part)
        if size <= BODY_MAX + 65_536:
            parts.append(part)
        if not event.get("more_body"):
            return b"".join(parts) if size <= BODY_MAX else b" " * (BODY_MAX + 1)


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        event = await receive()
        await send({"type": f"{event['type']}.complete"})
        if event["type"] == "lifespan.shutdown":
            return
