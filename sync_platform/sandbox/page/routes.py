"""The page's files, and the endpoints that it reads beside the control port's own. All but the files is JSON."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sync_platform.sandbox.page.reading import PERSONS, Count, Reader
from sync_platform.sandbox.script import Script
from sync_platform.sandbox.world import FAULT_KINDS, World

Handler = Callable[[Request], Awaitable[Any]]
ROWS_MAX = 100
OFFSET_MAX = 100_000
WALK = 1000  # rows of a kind without a table of its own that are looked at
FRESH_S = 1.0  # counts are at least as young as this, or as 50 times what counting took
SLOWER = 50
TICKETS_MAX = 20
TYPES = {
    "html": "text/html; charset=utf-8",
    "svg": "image/svg+xml",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
}
HEADERS = {
    "content-security-policy": "default-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self';"
    " frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
}


class Side(Protocol):
    """What the page needs of a system."""

    @property
    def kinds(self) -> tuple[str, ...]:
        """What its store holds."""

    def state(self, kind: str, after: str | None, limit: int) -> tuple[list[dict[str, Any]], str | None]:
        """A page of the whole store by ascending id, and where the next begins."""

    def identity(self) -> str:
        """Which account this is; the URL of an SQL database."""


class Desk(Protocol):
    """The running sandbox as the page sees it."""

    world: World
    script: Script
    ready: dict[str, Any]

    @property
    def sides(self) -> Any:
        """The systems by name: dict[str, Side]."""


class Page:
    """The page on the control port. KeyError means 404 and ValueError 400, as for the port's other handlers."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._counts: dict[str, _Counts] = {}
        self._static = {entry.name: entry.read_bytes() for entry in _static().iterdir() if _type(entry.name)}

    def files(self) -> list[Route]:
        """GET / (the page for a browser, a list of the endpoints for a program) and its style and programs."""
        return [Route("/", self.index), Route("/page/{name}", self.file)]

    def routes(self) -> list[tuple[str, str, Handler]]:
        """The endpoints as (method, path, handler)."""
        return [
            ("GET", "/overview", self.overview),
            ("GET", "/rows/{system}/{kind}", self.rows),
            ("GET", "/find", self.find),
            ("GET", "/person", self.person),
        ]

    async def index(self, request: Request) -> Response:
        """GET /."""
        if "text/html" in request.headers.get("accept", ""):
            return self._file("index.html")
        return JSONResponse({"endpoints": endpoints(request), "page": "open this address in a browser"})

    async def file(self, request: Request) -> Response:
        """GET /page/{name}."""
        return self._file(request.path_params["name"])

    async def overview(self, request: Request) -> Any:
        """GET /overview: counts of every kind, what the script does next, what disturbs, mails, endpoints."""
        world, script = self._desk.world, self._desk.script
        systems = {}
        for name, side in self._desk.sides.items():
            counts = await self._counted(name, side)
            kinds = [{"kind": kind, **asdict(counts[kind])} for kind in side.kinds if kind in counts]
            systems[name] = {"url": without_password(self._desk.ready.get(name, {}).get("url")), "kinds": kinds}
        return {
            "seed": world.seed,
            "rate_scale": world.rate_scale,
            "systems": systems,
            "script": {
                "done": script.done,
                "left": script.left,
                "next": script.events[script.done]["what"] if script.left else None,
            },
            "faults": len(world.faults.listing()),
            "outbox": len(world.outbox),
            "fault_kinds": list(FAULT_KINDS),
            "endpoints": endpoints(request),
        }

    async def rows(self, request: Request) -> Any:
        """GET /rows/{system}/{kind}?order=changed|new&q=&offset=0&limit=20: rows for a person to look at.

        {"rows": [as in /state], "offset", "next": offset of the next rows or null, "complete": false when time ran
        out before every row was looked at}.
        """
        system, kind = request.path_params["system"], request.path_params["kind"]
        side = self._side(system)
        if kind not in side.kinds:
            raise KeyError(f"{system} has no {kind!r}; known: {', '.join(side.kinds)}")
        query = request.query_params
        order = query.get("order", "changed")
        if order not in ("changed", "new"):
            raise ValueError("order must be changed or new")
        limit, offset = _whole(query.get("limit", "20"), "limit", 1, ROWS_MAX), _offset(query.get("offset", "0"))
        rows, complete = await self._rows(system, side, kind, query.get("q", "").strip(), order, offset, limit + 1)
        more = len(rows) > limit
        return {
            "rows": rows[:limit],
            "offset": offset,
            "next": offset + limit if more else None,
            "complete": complete,
        }

    async def find(self, request: Request) -> Any:
        """GET /find?q=&limit=5: rows of people and tickets in whose values the text stands, system by system."""
        text = request.query_params.get("q", "").strip()
        if not text:
            raise ValueError("q is missing: what to look for")
        limit = _whole(request.query_params.get("limit", "5"), "limit", 1, ROWS_MAX)
        found = []
        for system, side in self._desk.sides.items():
            for kind in dict.fromkeys((PERSONS.get(system, ""), "tickets")):
                if kind in side.kinds:
                    rows, complete = await self._rows(system, side, kind, text, "new", 0, limit)
                    found.append({"system": system, "kind": kind, "rows": rows, "complete": complete})
        return {"q": text, "found": found}

    async def person(self, request: Request) -> Any:
        """GET /person?email=: who has this address in each system, with their newest tickets.

        {"email", "systems": {name: {"kind", "people": [row], "tickets": [row], "complete"}}}.
        """
        email = request.query_params.get("email", "").strip()
        if not email:
            raise ValueError("email is missing")
        systems = {}
        for system, side in self._desk.sides.items():
            reader = self._reader(system, side)
            people, tickets = await asyncio.to_thread(reader.with_email, email, TICKETS_MAX)
            kind = PERSONS[system]
            systems[system] = {
                "kind": kind,
                "people": _by_id(side, kind, people.ids),
                "tickets": _by_id(side, "tickets", tickets.ids),
                "complete": people.complete and tickets.complete,
            }
        return {"email": email, "systems": systems}

    async def _rows(
        self, system: str, side: Side, kind: str, text: str, order: str, offset: int, limit: int
    ) -> tuple[list[dict[str, Any]], bool]:
        reader = self._reader(system, side)
        if text:
            found = await asyncio.to_thread(reader.saying, kind, text, offset=offset, limit=limit)
        else:
            found = await asyncio.to_thread(reader.newest, kind, order=order, offset=offset, limit=limit)
        if found is not None:
            return _by_id(side, kind, found.ids), found.complete
        return _walked(side, kind, text, offset, limit)

    async def _counted(self, system: str, side: Side) -> dict[str, Count]:
        kept = self._counts.get(system)
        if kept is None or kept.seed != self._desk.world.seed or time.monotonic() >= kept.stale_at:
            started = time.monotonic()
            found = await asyncio.to_thread(self._reader(system, side).counts, side.kinds)
            for kind in side.kinds:
                if kind not in found:
                    rows, more = side.state(kind, None, WALK)
                    found[kind] = Count(sum(1 for row in rows if not row.get("deleted_at")), 0, more is None)
            now = time.monotonic()
            kept = _Counts(found, now + max(FRESH_S, SLOWER * (now - started)), self._desk.world.seed)
            self._counts[system] = kept
        return kept.by_kind

    def _reader(self, system: str, side: Side) -> Reader:
        if system != "erp":
            return Reader(system, self._desk.world.data_dir / f"{system}.db")
        url = side.identity()
        return Reader(system, Path(url.split(":///", 1)[1]) if url.startswith("sqlite") else url)

    def _side(self, system: str) -> Side:
        side: Side | None = self._desk.sides.get(system)
        if side is None:
            raise KeyError(f"unknown system {system!r}; known: {', '.join(self._desk.sides)}")
        return side

    def _file(self, name: str) -> Response:
        body = self._static.get(name)
        if body is None:
            return JSONResponse({"error": f"nothing at /page/{name}"}, 404)
        return Response(body, headers=HEADERS | {"content-type": TYPES[_type(name)]})


class _Counts:
    def __init__(self, by_kind: dict[str, Count], stale_at: float, seed: int) -> None:
        self.by_kind = by_kind
        self.stale_at = stale_at
        self.seed = seed


def endpoints(request: Request) -> list[str]:
    """What this port serves, as "GET /path"."""
    found = []
    for route in request.app.routes:
        if isinstance(route, Route) and not route.path.startswith("/page/"):
            found += [f"{method} {route.path}" for method in sorted(route.methods or ()) if method != "HEAD"]
    return found


def without_password(url: str | None) -> str | None:
    """An address as a page may show it: without a user and password."""
    return None if url is None else re.sub(r"(?<=://)[^/@]*@", "", url)


def _by_id(side: Side, kind: str, ids: Iterable[int]) -> list[dict[str, Any]]:
    """The rows of these ids in this order; one that went meanwhile is left out."""
    rows = []
    for number in ids:
        found, _ = side.state(kind, str(number - 1), 1)
        if found and str(found[0].get("id", found[0].get("seq"))) == str(number):
            rows.append(found[0])
    return rows


def _walked(side: Side, kind: str, text: str, offset: int, limit: int) -> tuple[list[dict[str, Any]], bool]:
    """The same for settings, which have no table: they are few."""
    rows, more = side.state(kind, None, WALK)
    needle = text.casefold()
    fitting = [row for row in rows if not needle or needle in " ".join(map(str, row.values())).casefold()]
    return fitting[offset : offset + limit], more is None


def _static() -> Any:
    return resources.files("sync_platform.sandbox.page") / "static"


def _type(name: str) -> str:
    ending = name.rpartition(".")[2]
    return ending if ending in TYPES else ""


def _whole(text: str, name: str, low: int, high: int) -> int:
    if not text.isdecimal() or not low <= int(text) <= high:
        raise ValueError(f"{name} must be a whole number from {low} to {high}")
    return int(text)


def _offset(text: str) -> int:
    return _whole(text, "offset", 0, OFFSET_MAX)
