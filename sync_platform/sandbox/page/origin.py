"""Keeps other web sites' pages away from the control port; programs are not asked anything.

A browser tells where a request comes from (`Sec-Fetch-Site`, `Origin`), a program tells neither. A name that an
outsider made to point at loopback is known by its own dots: only addresses and local names may stand in `Host`.
"""

import ipaddress
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

from starlette.responses import JSONResponse

Scope = MutableMapping[str, Any]
App = Callable[[Scope, Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]], Awaitable[None]]
_READS = ("GET", "HEAD", "OPTIONS")
_LOCAL = (".localhost", ".local", ".internal", ".test")


class OwnOrigin:
    """ASGI middleware: 403 for writes that another site's page sends, and for names that are not local."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(
        self, scope: Scope, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
    ) -> None:
        """Serve one request."""
        reason = refusal(scope["method"], _headers(scope)) if scope["type"] == "http" else None
        if reason is None:
            await self._app(scope, receive, send)
        else:
            await JSONResponse({"error": reason}, 403)(scope, receive, send)


def refusal(method: str, headers: dict[str, str]) -> str | None:
    """Why this request is not served, or None."""
    host = headers.get("host", "")
    if host and not is_local(host):
        return f"the sandbox answers to local names only, not to {host}"
    if method in _READS:
        return None
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None and site not in ("same-origin", "none"):
        return "another site's page may not change the sandbox"
    if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
        return "another site's page may not change the sandbox"
    return None


def is_local(host: str) -> bool:
    """Whether `host` (with or without a port) is an address, a name without dots, or one of a local domain."""
    try:
        name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:  # brackets without an address between them
        return False
    if "." not in name or name.endswith(_LOCAL):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _headers(scope: Scope) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
