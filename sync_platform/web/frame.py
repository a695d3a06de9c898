"""What all pages share: the frame around them, who may see and who may act, headers, and errors as pages.

A view is a synchronous function that runs beside the loop. `seen` wraps one that reads; `asked` one that is sent a form
and only reads (a search, whose words belong in no address); `acted` one that changes something.
"""

from __future__ import annotations

import asyncio
import functools
import hmac
import logging
import re
import threading
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Match

from sync_platform.errors import BadInput, NotFound, NotSetUp, Rejected, SyncError
from sync_platform.ledger import acts
from sync_platform.ledger.database import Ledger
from sync_platform.settings import Settings
from sync_platform.sync.cycle import utc
from sync_platform.sync.hub import Hub
from sync_platform.sync.offline import over

View = Callable[[Request], Response]
FormView = Callable[[Request, Mapping[str, str]], Response]
Endpoint = Callable[[Request], Awaitable[Response]]

HERE = Path(__file__).parent
FORM_BYTES_MAX = 64 * 1024
FORM_S = 10.0
STATUSES: Mapping[type[SyncError], int] = {NotFound: 404, BadInput: 400, Rejected: 409, NotSetUp: 503}
HEADERS: Mapping[str, str] = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
}
# What the bar at the top leads to.
PLACES = (
    ("/records", "Records"),
    ("/columns", "Columns"),
    ("/reviews", "Reviews"),
    ("/parked", "Parked"),
    ("/plans", "Plans"),
    ("/acts", "Acts"),
    ("/runs", "Runs"),
    ("/status", "Status"),
)
_FRACTION = re.compile(r"\.\d+$")
_LOG = logging.getLogger(__name__)


def _moment(at: datetime | str | None) -> str:
    """A time as people read it, in UTC and to the second; empty for none."""
    if at is None:
        return ""
    said = at if isinstance(at, str) else utc(at) or ""
    return _FRACTION.sub("", said.replace("T", " ").replace("+00:00", "").replace("Z", ""))


TEMPLATES = Environment(
    loader=FileSystemLoader(HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
TEMPLATES.filters["moment"] = _moment


def page(request: Request, template: str, *, status: int = 200, **context: Any) -> HTMLResponse:
    """A template within the frame: it also knows `person`, `places`, `here`, `target` and `paused`."""
    settings: Settings = request.app.state.settings
    person = _person_if_known(request)
    body = TEMPLATES.get_template(template).render(
        person=person,
        paused=_paused(request) if person is not None else None,
        places=PLACES,
        here=request.url.path,
        target=settings.target,
        **context,
    )
    return HTMLResponse(body, status_code=status)


def _person_if_known(request: Request) -> Any:
    """Who looks; nobody where the tokens cannot be read, which a page of trouble then says."""
    try:
        return request.app.state.person_of(request)
    except SyncError:
        return None


def _paused(request: Request) -> Mapping[str, Any] | None:
    """Who stopped everything, and since when: every page says so. A page about a ledger that is away says that."""
    try:
        with ledger(request).read() as conn:
            return acts.paused(conn)
    except SyncError:
        return None


class Shelf:
    """The ledger, opened when it is first needed and shared by all requests."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._ledger: Ledger | None = None

    def ledger(self) -> Ledger:
        """The open ledger. Raises NotSetUp and LedgerUnreachable."""
        with self._lock:
            if self._ledger is None:
                self._ledger = Ledger.open(self._settings.ledger_url, migrate=False)
            return self._ledger

    def close(self) -> None:
        """Let go of the ledger."""
        with self._lock:
            if self._ledger is not None:
                self._ledger.close()
                self._ledger = None


def ledger(request: Request) -> Ledger:
    """The ledger behind these pages. Raises NotSetUp and LedgerUnreachable."""
    shelf: Shelf = request.app.state.shelf
    return shelf.ledger()


def hub(request: Request) -> Hub:
    """A hub over that ledger that can call no system. Raises NotSetUp, LedgerUnreachable and Misconfigured."""
    shelf: Shelf = request.app.state.shelf
    return over(shelf.ledger(), request.app.state.settings)


# --- who may


def seen(view: View) -> Endpoint:
    """A page for everybody who is signed in."""

    @functools.wraps(view)
    async def endpoint(request: Request) -> Response:
        if await run_in_threadpool(_known, request) is None:
            return RedirectResponse(f"/login?next={request.url.path}", status_code=303)
        return await run_in_threadpool(view, request)

    return endpoint


def asked(view: FormView) -> Endpoint:
    """A form of somebody who is signed in, that changes nothing."""
    return _guarded(view, acts=False)


def acted(view: FormView) -> Endpoint:
    """A form that changes something: for operators."""
    return _guarded(view, acts=True)


def open_form(view: FormView) -> Endpoint:
    """A form of anybody, from these pages themselves."""

    @functools.wraps(view)
    async def endpoint(request: Request) -> Response:
        form = await _form(request)
        if form is None or not _from_here(request):
            return await run_in_threadpool(_refused, request)
        return await run_in_threadpool(view, request, form)

    return endpoint


def _guarded(view: FormView, *, acts: bool) -> Endpoint:
    @functools.wraps(view)
    async def endpoint(request: Request) -> Response:
        who = await run_in_threadpool(_known, request)
        if who is None:
            # What was sent is lost: it is told, and the page from which it came is where the person goes on.
            return RedirectResponse(f"/login?next={_page_above(request)}&lost=1", status_code=303)
        form = await _form(request)
        given = (form or {}).get("guard", "")
        if form is None or not _from_here(request) or not hmac.compare_digest(given.encode(), who.guard.encode()):
            return await run_in_threadpool(_refused, request)
        if acts and not who.acts:
            return await run_in_threadpool(_readers_only, request)
        return await run_in_threadpool(view, request, form)

    return endpoint


def _page_above(request: Request) -> str:
    """The nearest address that can be looked at: forms are sent to addresses below their pages."""
    path = request.url.path
    while path:
        scope = {"type": "http", "path": path, "method": "GET", "root_path": "", "headers": []}
        if any(route.matches(scope)[0] is Match.FULL for route in request.app.routes):
            return path
        path = path.rpartition("/")[0]
    return "/"


def _known(request: Request) -> Any:
    return request.app.state.person_of(request)


async def _form(request: Request) -> dict[str, str] | None:
    """The fields of a form, the last of each name; None where it is none, too large, or too slow."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/x-www-form-urlencoded":
        return None
    body = b""
    try:
        async with asyncio.timeout(FORM_S):
            async for part in request.stream():
                body += part
                if len(body) > FORM_BYTES_MAX:
                    return None
    except (TimeoutError, ClientDisconnect):
        return None
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=1000))
    except ValueError:
        return None


def _from_here(request: Request) -> bool:
    """Whether a browser says that a page of ours sent this. Who sends no word of it is no browser of today."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host")


# --- errors as pages


def trouble(request: Request, *, status: int, title: str, told: str = "", remedy: str | None = None) -> Response:
    """A page that says what is wrong and what to do."""
    return page(request, "trouble.html", status=status, title=title, told=told, remedy=remedy)


def _refused(request: Request) -> Response:
    return trouble(
        request,
        status=403,
        title="Not from this page",
        told="The form did not come from a page of yours, or is older than your session.",
        remedy="Open the page again and repeat what you did.",
    )


def _readers_only(request: Request) -> Response:
    return trouble(
        request,
        status=403,
        title="For operators",
        told="You are signed in for reading.",
        remedy="Sign out, and in again with the operator's token.",
    )


async def on_error(request: Request, error: Exception) -> Response:
    """One of our errors, as a page with its remedy."""
    status = next((code for kind, code in STATUSES.items() if isinstance(error, kind)), 503)
    title = "Not found" if status == 404 else "This does not go"
    remedy = getattr(error, "remedy", None)
    return await run_in_threadpool(trouble, request, status=status, title=title, told=str(error), remedy=remedy)


async def on_missing(request: Request, error: Exception) -> Response:
    """No such page, or not by this method."""
    status = getattr(error, "status_code", 404)
    title = "No such page" if status == 404 else "Not by this way"
    return await run_in_threadpool(trouble, request, status=status, title=title, remedy="Go on from the bar above.")


async def on_bug(request: Request, error: Exception) -> Response:
    """What nobody thought of: its kind enters the log, its words may quote somebody."""
    _LOG.error("%s while %s was made", type(error).__name__, getattr(request.scope.get("route"), "path", "a page"))
    return await run_in_threadpool(trouble, request, status=500, title="Something broke", remedy="Look into the log.")


Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Headed:
    """Puts the headers on every answer, also on those to what nobody asked for, and answers what broke: that ends here,
    so that no server logs its words."""

    def __init__(self, app: Callable[[Scope, Receive, Send], Awaitable[None]]) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        begun = False

        async def with_headers(message: MutableMapping[str, Any]) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                given = {name.lower() for name, _ in message["headers"]}
                more = [(n.encode(), v.encode()) for n, v in HEADERS.items() if n.encode() not in given]
                message["headers"] = [*message["headers"], *more]
            await send(message)

        try:
            await self._app(scope, receive, with_headers)
        except Exception as error:  # noqa: BLE001 - whatever it was, its words stay out of every log
            if begun:
                _LOG.error("%s ended an answer", type(error).__name__)
                return
            answer = await on_bug(Request(scope, receive), error)
            await answer(scope, receive, with_headers)
