"""The ASGI application of the twin of Gorgias: reads a call, finds its route, checks it, answers, and logs it.

Every answer bears the headers that were recorded on live ones: content-type without a charset, the limit, a release and
a request id, `vary`, `via`, strict-transport-security and the origin of the vendor's documentation [recorded]. HEAD is
GET without its body, OPTIONS names the methods of a path [inferred].
"""

import itertools
import sys
import traceback
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from sync_platform.sandbox.gorgias import access, messages, trash
from sync_platform.sandbox.gorgias.fields import Invalid
from sync_platform.sandbox.gorgias.http import (
    ApiError,
    Limits,
    Reply,
    Request,
    Route,
    Routes,
    planned,
    split,
)
from sync_platform.sandbox.gorgias.store import Store
from sync_platform.sandbox.gorgias.unserved import unknown

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

UNKNOWN = "/{unknown}"
_RELEASE = (b"x-gorgias-release", b"5a9d0b0000000000000000000000000000000000")
_JSON = (b"content-type", b"application/json")
_VARY = (b"vary", b"Cookie, Accept-Encoding")
_RECORDED = (
    (b"via", b"1.1 google"),
    (b"strict-transport-security", b"max-age=31536000"),  # its value was not recorded
    (b"access-control-allow-origin", b"https://developers.gorgias.com"),
)


class GorgiasApp:
    """One account. Order of checks: credentials, limits, route, rights, input."""

    def __init__(self, store: Store, gate: access.Access, limits: Limits, routes: Routes) -> None:
        self._store = store
        self._access = gate
        self._limits = limits
        self._routes = routes
        self._serial = itertools.count(1)
        self._crashes: set[str] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI scope."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        if scope["type"] != "http":
            return
        body = b""
        if scope["method"] not in ("GET", "HEAD"):
            whole = await _read(receive, self._store.switch("body_max_bytes"))
            if whole is None:
                return  # the caller hung up: half a body is no call
            body = whole
        template, kind, reply = self._answer(scope, body)
        path = scope["path"]
        self._store.world.calls.record("gorgias", scope["method"], template, reply.status, path=path)
        headers = [_VARY, *_RECORDED, _RELEASE, (b"x-request-id", b"%032x" % next(self._serial))]
        if reply.status != 204:
            headers.append((b"content-length", b"%d" % len(reply.body)))
        headers.append(self._limits.header(kind))
        if reply.status != 429 and self._store.switch("retry_after") == "always":
            headers.append((b"retry-after", b"0"))
        if not reply.headers or all(name != b"content-type" for name, _ in reply.headers):
            headers.append(_JSON)
        await send({"type": "http.response.start", "status": reply.status, "headers": [*headers, *reply.headers]})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else reply.body})

    def _answer(self, scope: Scope, body: bytes) -> tuple[str, str, Reply]:
        """Template for the call log, kind of credential for the limit header, and the answer."""
        path, method = scope["path"], "GET" if scope["method"] == "HEAD" else scope["method"]
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
        if method == "OPTIONS" and methods:
            return template, kind, _options(methods)
        try:
            caller = self._access.caller(authorization)
            kind = caller.kind
            self._admit(kind, scope)
            request = Request(method, path, query, ids, body, caller, route.failure if route else "")
            return template, kind, self._served(request, route, key)
        except ApiError as error:
            return template, kind, Reply(error.status, error.body(), error.headers)
        except Invalid as error:
            data = error.messages if isinstance(error.messages, dict) else {"_schema": error.messages}
            failure = route.failure if route else ""
            return template, kind, Reply(400, ApiError(400, failure, data).body())
        except Exception as error:  # noqa: BLE001 - a crash is a 500, as on any server
            self._tell(error, template)
            return template, kind, Reply(500, ApiError(500, "An internal error occurred.").body())

    def _admit(self, kind: str, scope: Scope) -> None:
        """Count the call, and let a planned fault strike. Raises ApiError."""
        fault = scope.get("sandbox.fault")
        self._limits.take(kind, refuse=fault == "429")
        if fault:
            raise planned(fault, scope.get("sandbox.fault.status", 500))

    def _tell(self, error: Exception, template: str) -> None:
        """Where a handler crashed, on stderr, once for each place. Not the error's text: it may hold data."""
        trace = "".join(traceback.format_tb(error.__traceback__))
        if trace not in self._crashes:
            self._crashes.add(trace)
            sys.stderr.write(f"{trace}{type(error).__name__} in {template} (answered 500)\n")

    def _served(self, request: Request, route: Route | None, key: tuple[str, ...]) -> Reply:
        """Route, rights and size, then the handler. Raises ApiError or Invalid."""
        if route is None:
            if key not in self._routes:
                raise unknown(self._store, self._routes, key, request.method, request.path)
            raise ApiError(405, "The specified HTTP method is not allowed.")
        self._access.check(request.caller, route.scope, request.method)
        if len(request.body) > self._store.switch("body_max_bytes"):
            raise ApiError(413, "The request is too large.")
        if self._store.unsent:
            messages.settle(self._store)
        if self._store.chores:
            self._store.do_chores()
        if self._store.switch("trash_kept_days"):
            trash.empty(self._store)
        return route.handler(request)


def _options(methods: dict[str, Route]) -> Reply:
    """The methods of a path; needs no credentials and counts against no limit."""
    names = sorted({*methods, "OPTIONS", *(["HEAD"] if "GET" in methods else [])})
    return Reply(200, b"", [(b"allow", ", ".join(names).encode())])


async def _read(receive: Receive, longest: int) -> bytes | None:
    """The whole body, None when it breaks off; beyond the limit the rest is read and dropped."""
    parts: list[bytes] = []
    size = 0
    while True:
        event = await receive()
        if event["type"] == "http.disconnect":
            return None
        part = event.get("body", b"")
        size += len(part)
        if size <= longest + 65_536:
            parts.append(part)
        if not event.get("more_body"):
            return b"".join(parts) if size <= longest else b" " * (longest + 1)


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        event = await receive()
        await send({"type": f"{event['type']}.complete"})
        if event["type"] == "lifespan.shutdown":
            return
