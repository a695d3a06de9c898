"""The control port: reads the whole state, edits as a person would, and turns every knob of the world. All JSON."""

# ruff: noqa: TRY004 - what comes over the wire is a wrong value, whatever its type: ValueError answers 400

import json
import sys
import traceback
import uuid
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any, Protocol

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from sync_platform.sandbox.calls import STEPS_MAX
from sync_platform.sandbox.fault_presets import preset, presets
from sync_platform.sandbox.importing import Wishes, wishes_of
from sync_platform.sandbox.page import OwnOrigin, Page
from sync_platform.sandbox.people import Agent, Case, Person
from sync_platform.sandbox.script import Script, play_day
from sync_platform.sandbox.world import World, iso

PAGE = 1000
PAGE_MAX = 10_000
INVENTED_MAX = 1_000_000  # beside an import: while they are made nothing else is served
Handler = Callable[[Request], Awaitable[Any]]


class Side(Protocol):
    """What the control port needs of a system of the sandbox."""

    @property
    def kinds(self) -> tuple[str, ...]:
        """What its store holds."""

    def credentials(self) -> dict[str, Any]:
        """Its part of the ready line, without the address."""

    def seed(self, people: Iterable[Person], cases: Iterable[Case], agents: Iterable[Agent]) -> None:
        """Fill the empty store."""

    def state(self, kind: str, after: str | None, limit: int) -> tuple[list[dict[str, Any]], str | None]:
        """A page of the whole store by ascending id, and where the next begins."""

    def edit(self, kind: str, id: str | None, set: dict[str, Any], delete: bool, by: str) -> dict[str, Any]:
        """Change, create (id None) or delete a row as a person would. Raises KeyError, ValueError."""

    def merge(self, kind: str, from_id: str, into_id: str) -> dict[str, Any]:
        """Let one row absorb another. Raises KeyError, ValueError."""

    def reset(self) -> None:
        """Empty the store."""

    def identity(self) -> str:
        """Which account this is."""


class Desk(Protocol):
    """The running sandbox as its control port sees it (see server.Sandbox)."""

    world: World
    sides: dict[str, Side]
    script: Script
    ready: dict[str, Any]

    def reset(self, seed: int) -> None:
        """Begin again with the world of `seed`."""

    def remember(self) -> None:
        """Keep clock and script for a later start."""

    def imported(self) -> dict[str, Any] | None:
        """The summary of the export that was loaded, if one was."""

    def bring_in(self, path: Path, wishes: Wishes, customers: int, tickets: int) -> dict[str, Any]:
        """Begin again with the people of an export. Raises ValueError for a file that can't be loaded."""


class Control:
    """The handlers of the control port. KeyError answers 404 and ValueError 400, both as {"error": text}."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._world = desk.world

    def app(self) -> Starlette:
        """The ASGI app."""
        routes: list[tuple[str, str, Handler]] = [
            ("GET", "/ready", self.ready),
            ("GET", "/state/{system}/{kind}", self.state),
            ("POST", "/edit", self.edit),
            ("POST", "/merge", self.merge),
            ("GET", "/calls", self.calls),
            ("DELETE", "/calls", self.forget_calls),
            ("GET", "/faults", self.faults),
            ("PUT", "/faults", self.put_faults),
            ("GET", "/switches", self.switches),
            ("PUT", "/switches", self.put_switches),
            ("GET", "/clock", self.clock),
            ("POST", "/clock", self.advance),
            ("GET", "/outbox", self.outbox),
            ("POST", "/reset", self.reset),
            ("POST", "/script/next", self.script_next),
            ("POST", "/script/day", self.script_day),
            ("GET", "/calls/series", self.series),
            ("GET", "/faults/presets", self.fault_presets),
            ("GET", "/import", self.imported),
            ("POST", "/import", self.bring_in),
        ]
        page = Page(self._desk)
        routes += page.routes()
        return Starlette(
            routes=[
                *page.files(),
                *(Route(path, _answer(handler), methods=[method]) for method, path, handler in routes),
            ],
            middleware=[Middleware(OwnOrigin)],
            exception_handlers={404: _not_found, 405: _not_allowed},
        )

    async def ready(self, _request: Request) -> Any:
        """GET /ready: the ready line."""
        return self._desk.ready

    async def state(self, request: Request) -> Any:
        """GET /state/{system}/{kind}?after=&limit=: the whole store, whatever the vendor's API would hide."""
        side = self._side(request.path_params["system"])
        limit = _whole(request.query_params.get("limit", str(PAGE)), "limit")
        if not 1 <= limit <= PAGE_MAX:
            raise ValueError(f"limit must be between 1 and {PAGE_MAX}")
        rows, following = side.state(request.path_params["kind"], request.query_params.get("after") or None, limit)
        return {"rows": rows, "next": following}

    async def edit(self, request: Request) -> Any:
        """POST /edit: one row changed, created (id null) or deleted as by a person in the vendor's own pages."""
        body = await _body(request, "system", "kind", "id", "set", "delete", "by")
        values = body.get("set") or {}
        if not isinstance(values, dict):
            raise ValueError("set must be an object of field names and values")
        side = self._side(body.get("system"))
        row_id = None if body.get("id") is None else str(body["id"])
        return side.edit(
            _text(body, "kind"), row_id, values, bool(body.get("delete", False)), str(body.get("by") or "person")
        )

    async def merge(self, request: Request) -> Any:
        """POST /merge: `from` is absorbed by `into`."""
        body = await _body(request, "system", "kind", "from", "into")
        side = self._side(body.get("system"))
        return side.merge(_text(body, "kind"), _text(body, "from"), _text(body, "into"))

    async def calls(self, request: Request) -> Any:
        """GET /calls?recent=0: the counters; with `recent` also that many of the last calls."""
        recent = _whole(request.query_params.get("recent", "0"), "recent")
        extra = {"recent": self._world.calls.recent(recent)} if recent else {}
        return {**self._world.calls.summary(), **extra}

    async def forget_calls(self, _request: Request) -> Any:
        """DELETE /calls: counters and window maxima begin again."""
        self._world.calls.clear()
        return self._world.calls.summary()

    async def series(self, request: Request) -> Any:
        """GET /calls/series?system=&step_s=5&minutes=10: calls by outcome and step, and the use of the limits."""
        system = request.query_params.get("system")
        names = [name for name in self._desk.sides if name != "erp"]
        if system and system not in names:
            raise KeyError(f"no calls of {system!r} are counted; known: {', '.join(names)}")
        step_s = _whole(request.query_params.get("step_s", "5"), "step_s")
        minutes = _whole(request.query_params.get("minutes", "10"), "minutes")
        steps = minutes * 60 // step_s if step_s else 0
        if not 1 <= steps <= STEPS_MAX:
            raise ValueError(f"step_s and minutes must make 1 to {STEPS_MAX} steps")
        return self._world.calls.series([system] if system else names, step_s=step_s, steps=steps)

    async def faults(self, _request: Request) -> Any:
        """GET /faults: the plan with the hits so far."""
        return self._world.faults.listing()

    async def put_faults(self, request: Request) -> Any:
        """PUT /faults: a new plan, as a list or {"preset", "seed"}; an empty list ends all disturbance."""
        wanted = await _json(request)
        if isinstance(wanted, dict) and "preset" in wanted and wanted.keys() <= {"preset", "seed"}:
            wanted = preset(wanted["preset"], wanted.get("seed", 0))
        self._world.faults.put(wanted)
        return self._world.faults.listing()

    async def fault_presets(self, _request: Request) -> Any:
        """GET /faults/presets: the plans that have a name, what each does, and its faults."""
        return presets()

    async def switches(self, _request: Request) -> Any:
        """GET /switches: every switch with value, default, choices and meaning."""
        return self._world.switches.listing()

    async def put_switches(self, request: Request) -> Any:
        """PUT /switches: {"name": value, …}, or a list of {"name", "value"} as GET shows them."""
        body = await _json(request)
        if isinstance(body, list) and all(isinstance(row, dict) and {"name", "value"} <= row.keys() for row in body):
            body = {str(row["name"]): row["value"] for row in body}
        if not isinstance(body, dict):
            raise ValueError('switches are an object {"name": value} or a list of {"name", "value"}')
        self._world.switches.update(body)
        return self._world.switches.listing()

    async def clock(self, _request: Request) -> Any:
        """GET /clock: the sandbox's present, how far it is ahead of the machine's, and how fast it runs."""
        clock = self._world.clock
        return {"now": iso(clock.now()), "offset_s": clock.offset_s, "rate": clock.rate}

    async def advance(self, request: Request) -> Any:
        """POST /clock {"advance_s"}: step forward; windows and lags pass at once. {"rate": 60}: run so much faster."""
        body = await _body(request, "advance_s", "rate")
        if "rate" in body:
            self._world.clock.run_at(body["rate"])
        if "advance_s" in body or "rate" not in body:
            self._world.clock.advance(body.get("advance_s"))  # type: ignore[arg-type]  # it refuses what is no number
        self._desk.remember()
        return await self.clock(request)

    async def outbox(self, _request: Request) -> Any:
        """GET /outbox: every mail that Gorgias would have sent to a customer, oldest first."""
        return self._world.outbox

    async def reset(self, request: Request) -> Any:
        """POST /reset {"seed"}: all stores, calls, faults, switches and mails as new; the clock only goes forward."""
        body = await _body(request, "seed")
        seed = body.get("seed", self._world.seed)
        if not isinstance(seed, int) or isinstance(seed, bool):
            raise ValueError("seed must be a whole number")
        self._desk.reset(seed)
        return self._desk.ready

    async def script_next(self, _request: Request) -> Any:
        """POST /script/next: carry out the next event of the scripted day of edits."""
        event = self._desk.script.play(self._desk.sides)
        self._desk.remember()
        return {"event": event, "left": self._desk.script.left}

    async def script_day(self, request: Request) -> Any:
        """POST /script/day {"hours": 24}: all events that are left, spread over so much of the sandbox's time."""
        body = await _body(request, "hours")
        found = await play_day(self._desk.script, self._desk.sides, self._world.clock, body.get("hours", 24))
        self._desk.remember()
        return found

    async def imported(self, _request: Request) -> Any:
        """GET /import: what became of the export that was loaded, with the bad rows by line; null without one."""
        return self._desk.imported()

    async def bring_in(self, request: Request) -> Any:
        """POST /import?map=field=column&to=gorgias,hubspot&zone=&days_first=&customers=0&tickets=0, the CSV as body.

        All systems begin again with its people, and so many invented ones beside them.
        """
        query = request.query_params
        unknown = set(query) - {"map", "to", "zone", "days_first", "customers", "tickets"}
        if unknown:
            raise ValueError(f"unknown parameter {', '.join(sorted(unknown))}")
        wishes = wishes_of(
            query.getlist("map"), query.get("to", "gorgias"), query.get("zone", "UTC"), query.get("days_first", "guess")
        )
        counts = [_whole(query.get(name, "0"), name) for name in ("customers", "tickets")]
        if max(counts) > INVENTED_MAX:
            raise ValueError(f"customers and tickets must not be above {INVENTED_MAX:,}")
        # A name of its own: two that come at once must not write into one file.
        received = self._world.data_dir / f"received-{uuid.uuid4().hex}.csv"
        try:
            with received.open("wb") as stream:
                async for chunk in request.stream():
                    stream.write(chunk)
            return self._desk.bring_in(received, wishes, *counts)
        finally:
            received.unlink(missing_ok=True)

    def _side(self, system: Any) -> Side:
        side = self._desk.sides.get(system) if isinstance(system, str) else None
        if side is None:
            raise KeyError(f"unknown system {system!r}; known: {', '.join(self._desk.sides)}")
        return side


def _answer(handler: Handler) -> Callable[[Request], Awaitable[JSONResponse]]:
    async def answered(request: Request) -> JSONResponse:
        try:
            return JSONResponse(await handler(request))
        except KeyError as error:
            return JSONResponse({"error": str(error.args[0]) if error.args else "not found"}, 404)
        except ValueError as error:
            return JSONResponse({"error": str(error)}, 400)
        except OverflowError:
            return JSONResponse({"error": "a number is too large"}, 400)
        except ClientDisconnect:
            return JSONResponse({"error": "the body was cut off"}, 400)  # nobody is there to read it
        except Exception as error:  # noqa: BLE001 - a crash is an answer, and no text of it goes where logs are kept
            where = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{type(error).__name__} in {Path(where.filename).name}:{where.lineno}"
            sys.stderr.write(f"{request.method} {request.scope['route'].path}: {place} (answered 500)\n")
            return JSONResponse({"error": f"the sandbox broke: {place}"}, 500)

    return answered


async def _not_found(request: Request, _error: Exception) -> JSONResponse:
    return JSONResponse({"error": f"nothing at {request.url.path}"}, 404)


async def _not_allowed(request: Request, _error: Exception) -> JSONResponse:
    return JSONResponse({"error": f"{request.method} is not served at {request.url.path}"}, 405)


async def _json(request: Request) -> Any:
    try:
        found = json.loads(await request.body() or b"{}")
        json.dumps(found, allow_nan=False)  # what is no number in JSON could be stored and never be shown again
    except (ValueError, RecursionError):
        raise ValueError("the body must be JSON") from None
    return found


async def _body(request: Request, *names: str) -> dict[str, Any]:
    body = await _json(request)
    if not isinstance(body, dict) or body.keys() - set(names):
        raise ValueError(f"the body must be an object with the keys {', '.join(names)}")
    return body


def _text(body: dict[str, Any], name: str) -> str:
    value = body.get(name)
    if value is None or isinstance(value, dict | list):
        raise ValueError(f"{name} is missing")
    return str(value)


def _whole(text: str, name: str) -> int:
    if not text.isdecimal():
        raise ValueError(f"{name} must be a whole number")
    return int(text)
