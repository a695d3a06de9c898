"""What one call of the twin of Gorgias is: request, answer, errors in the documented shape, and the rate windows."""

import json
import math
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar
from urllib.parse import parse_qsl

from sync_platform.sandbox.world import World

NOT_FOUND = "Resource not found."
EXISTS = "The resource already exists."
FORBIDDEN = "You do not have enough permissions to perform this action."


class ApiError(Exception):
    """An error answer: `{"error": {"msg": …, "data": {field: [messages]}}}`, data only for validation [doc]."""

    def __init__(
        self,
        status: int,
        msg: str,
        data: dict[str, Any] | None = None,
        headers: list[tuple[bytes, bytes]] | None = None,
    ) -> None:
        super().__init__(msg)
        self.status = status
        self.msg = msg
        self.data = data
        self.headers = headers or []

    def body(self) -> bytes:
        """The JSON of the answer."""
        error: dict[str, Any] = {"msg": self.msg}
        if self.data is not None:
            error["data"] = self.data
        return dump({"error": error}).encode()


class Shaped(ApiError):
    """An error whose body is not established: the common shape, a text, or nothing."""

    def __init__(self, status: int, msg: str, shape: str, headers: list[tuple[bytes, bytes]] | None = None) -> None:
        more = [] if shape == "error" else [(b"content-type", b"text/html; charset=utf-8")]
        super().__init__(status, msg, headers=[*(headers or []), *more])
        self._shape = shape

    def body(self) -> bytes:
        """The answer's body."""
        if self._shape == "error":
            return super().body()
        return self.msg.encode() if self._shape == "text" else b""


def dump(value: Any) -> str:
    """Compact JSON text."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


def not_found() -> ApiError:
    """The answer for an unknown path or id."""
    return ApiError(404, NOT_FOUND)


@dataclass(slots=True)
class Caller:
    """Who calls: the user whose rights count, the kind of credential, and the scopes (None: all of them)."""

    user_id: int | None
    kind: str  # api_key | oauth
    scopes: frozenset[str] | None = None


@dataclass(slots=True)
class Request:
    """A call that found its route; `ids` are the numbers in the path."""

    method: str
    path: str
    raw_query: str
    ids: tuple[int, ...]
    body: bytes
    caller: Caller
    failure: str  # "Failed to create ticket": the msg of a 400

    def query(self) -> list[tuple[str, str]]:
        """The query's pairs in order, blank values included."""
        return parse_qsl(self.raw_query, keep_blank_values=True)

    def json(self) -> Any:
        """The body. Raises ApiError 400 for anything but JSON in UTF-8."""
        try:
            value = json.loads(self.body.decode(), parse_constant=_no_number)
            # A lone surrogate passes the parser but can't be stored or sent again.
            json.dumps(value, ensure_ascii=False).encode()
        except (ValueError, RecursionError) as error:
            raise ApiError(400, self.failure, {"_schema": ["Invalid input type."]}) from error
        return value

    def invalid(self, data: dict[str, Any]) -> ApiError:
        """A 400 for this call."""
        return ApiError(400, self.failure, data)

    @property
    def uri(self) -> str:
        """Path and query as sent, which lists echo."""
        return f"{self.path}?{self.raw_query}" if self.raw_query else self.path


@dataclass(slots=True)
class Reply:
    """An answer; bodies are JSON ready to send."""

    status: int
    body: bytes = b""
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)


Handler = Callable[[Request], Reply]


def ok(body: str, status: int = 200) -> Reply:
    """An answer with a JSON text."""
    return Reply(status, body.encode())


@dataclass(frozen=True, slots=True)
class Contract:
    """What a route takes and answers, as the account's own description tells it.

    `query` and `body` are the very checks that the handler makes. `answers`: the name of a schema of `answers`
    by status, None for an answer without body; none at all is a call that is not served, nor described. `errors`:
    statuses beside those that every route may answer with.
    """

    answers: Mapping[int, str | None]
    query: Mapping[str, Callable[[Any], Any]] = field(default_factory=dict)
    needed: tuple[str, ...] = ()  # names of the query that have to be there
    body: Callable[[Any], Any] | None = None
    errors: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Route:
    """One method on one path; `failure` is the message of a 400, `scope` is demanded of OAuth tokens."""

    handler: Handler
    template: str
    scope: str
    failure: str
    contract: Contract | None = None


Routes = dict[tuple[str, ...], dict[str, Route]]


def add(
    routes: Routes,
    method: str,
    template: str,
    handler: Handler,
    *,
    scope: str,
    failure: str,
    contract: Contract | None = None,
) -> None:
    """Register a route; GET asks for `<scope>:read`, everything else for `<scope>:write` [doc: pairs of scopes]."""
    key = tuple("{}" if part.startswith("{") else part for part in template.strip("/").split("/"))
    right = f"{scope}:{'read' if method == 'GET' else 'write'}"
    routes.setdefault(key, {})[method] = Route(handler, template, right, failure, contract)


def split(path: str) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """A path's key in the route table and its numbers; a trailing slash does not matter (both forms are in use)."""
    key: list[str] = []
    ids: list[int] = []
    for part in path.strip("/").split("/"):
        if part.isascii() and part.isdigit() and len(part) <= 18:
            ids.append(int(part))
            key.append("{}")
        else:
            key.append(part)
    return tuple(key), tuple(ids)


class Window:
    """A sliding window: at most `count` calls in any `length_s` seconds; refused calls use up nothing."""

    def __init__(self) -> None:
        self._times: deque[float] = deque()

    def used(self, now: float, length_s: float) -> int:
        """How many calls the window holds at `now`."""
        times, edge = self._times, now - length_s
        while times and times[0] <= edge:
            times.popleft()
        return len(times)

    def wait_s(self, now: float, count: int, length_s: float) -> float:
        """Seconds until a call would be let through; 0.0 when it would be now."""
        used = self.used(now, length_s)
        return self._times[used - count] + length_s - now if used >= count else 0.0

    def take(self, now: float) -> None:
        """Count one call."""
        self._times.append(now)


class Limits:
    """Gorgias's limits: API key 40 and OAuth app 80 calls in 20 s (enterprise: in 10 s) [doc], shared by the account.

    Beside them some plans are said to have a limit per second [not established: switch gorgias.plan_per_s].
    """

    COUNTS: ClassVar[dict[str, int]] = {"api_key": 40, "oauth": 80}

    def __init__(self, world: World) -> None:
        self._world = world
        self.clear()

    def clear(self) -> None:
        """Empty all windows."""
        self._windows = {"api_key": Window(), "oauth": Window()}
        self._second = Window()

    def _length_s(self) -> float:
        return 10.0 if self._world.switches.get("gorgias.enterprise") == "on" else 20.0

    def header(self, kind: str) -> tuple[bytes, bytes]:
        """`X-Gorgias-Account-Api-Call-Limit: used/limit`, on every answer, errors included [doc, recorded]."""
        used = self._windows[kind].used(self._world.clock.monotonic(), self._length_s())
        text = f"{used}/{self._world.scaled(self.COUNTS[kind])}"
        return b"x-gorgias-account-api-call-limit", text.encode()

    def take(self, kind: str, *, refuse: bool = False) -> None:
        """Count a call. Raises ApiError 429 with an integer Retry-After (clients parse it with int()).

        `refuse`: a planned fault, 429 whatever the windows hold.
        """
        shape = str(self._world.switches.get("gorgias.limit_reply"))
        if refuse:
            raise too_many(1.0, shape)
        world, now, length_s = self._world, self._world.clock.monotonic(), self._length_s()
        window, count = self._windows[kind], world.scaled(self.COUNTS[kind])
        wait_s = window.wait_s(now, count, length_s)
        per_s = world.switches.get("gorgias.plan_per_s")
        if per_s != "off":
            wait_s = max(wait_s, self._second.wait_s(now, world.scaled(per_s), 1.0))
        if wait_s > 0.0:
            raise too_many(wait_s, shape)
        window.take(now)
        world.calls.window(f"gorgias.{kind}", window.used(now, length_s), count)
        if per_s != "off":
            self._second.take(now)
            world.calls.window("gorgias.plan_per_s", self._second.used(now, 1.0), world.scaled(per_s))


def planned(kind: str, status: int) -> ApiError:
    """What a plan of faults asks for beside 429: a 5xx in JSON, or 423 and 477, which Gorgias is not known to send.

    503 when a provider behind Gorgias fails, with this text [doc 2020]; all other texts are not established.
    """
    words = {423: "The resource is locked.", 503: "An external service had an issue."}
    number = status if kind == "5xx" else int(kind)
    return ApiError(number, words.get(number, "The server encountered an unexpected error."))


def too_many(wait_s: float, shape: str) -> ApiError:
    """The 429 answer; its body is not established [switch limit_reply]."""
    retry_after = str(max(1, math.ceil(wait_s))).encode()
    return Shaped(429, "Too many requests.", shape, [(b"retry-after", retry_after)])
