"""What all parts of the sandbox share: virtual time, switches, the call log, faults and the outbox."""

import asyncio
import contextlib
import json
import random
import re
import time
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

RING = 10_000
FAULT_KINDS = ("latency", "429", "5xx", "reset_before", "reset_after", "truncate")
_FAULT_KEYS = frozenset({"system", "path", "kind", "share", "times", "seed", "ms", "status", "method", "hits"})


class Clock:
    """Wall time plus an offset that only grows, so that a test can step over a window, a lag or an expiry."""

    def __init__(self) -> None:
        self.offset_s = 0.0
        self._sleepers: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()

    def now(self) -> datetime:
        """The sandbox's present, aware UTC."""
        return datetime.now(UTC) + timedelta(seconds=self.offset_s)

    def monotonic(self) -> float:
        """Seconds for limiters: real monotonic time plus the offset, so that advancing the clock empties windows."""
        return time.monotonic() + self.offset_s

    def advance(self, seconds: float) -> None:
        """Move forward. Raises ValueError for a negative or non-numeric step."""
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < 1e10:
            raise ValueError("the clock moves forward only: advance_s must be a number of seconds >= 0")
        self.offset_s += seconds
        for loop, moved in tuple(self._sleepers):
            loop.call_soon_threadsafe(moved.set)

    async def sleep(self, seconds: float) -> None:
        """Wait on this clock: a step over the moment ends the wait at once, from whatever thread it comes."""
        until = self.monotonic() + seconds
        moved = asyncio.Event()
        sleeper = (asyncio.get_running_loop(), moved)
        self._sleepers.add(sleeper)
        try:
            while (left := until - self.monotonic()) > 0:
                moved.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(moved.wait(), left)
        finally:
            self._sleepers.discard(sleeper)


@dataclass
class _Switch:
    name: str
    default: Any
    choices: tuple[Any, ...] | type
    doc: str
    value: Any


class Switches:
    """Named settings of the twin: points on which the vendors' behaviour is not established, plans, lags."""

    def __init__(self) -> None:
        self._by_name: dict[str, _Switch] = {}

    def register(self, name: str, default: Any, choices: tuple[Any, ...] | type, doc: str) -> None:
        """Declare a switch; `choices` are the allowed values, or a type (a float switch takes integers too)."""
        self._by_name[name] = _Switch(name, default, choices, doc, default)
        self._check(name, default)

    def get(self, name: str) -> Any:
        """The present value. Raises ValueError for an unknown name."""
        found = self._by_name.get(name)
        if found is None:
            raise ValueError(self._unknown(name))
        return found.value

    def set(self, name: str, value: Any) -> None:
        """Change a switch. Raises ValueError, naming the choices, for an unknown name or value."""
        self._by_name_or_error(name).value = self._check(name, value)

    def update(self, values: Mapping[str, Any]) -> None:
        """Change several switches, or none when one name or value is wrong (ValueError)."""
        checked = {name: self._check(name, value) for name, value in values.items()}
        for name, value in checked.items():
            self._by_name[name].value = value

    def restore(self) -> None:
        """Put every switch back to its default."""
        for switch in self._by_name.values():
            switch.value = switch.default

    def listing(self) -> list[dict[str, Any]]:
        """Every switch as {name, value, default, choices, doc}, by name."""
        return [
            {
                "name": switch.name,
                "value": switch.value,
                "default": switch.default,
                "choices": switch.choices.__name__ if isinstance(switch.choices, type) else list(switch.choices),
                "doc": switch.doc,
            }
            for _, switch in sorted(self._by_name.items())
        ]

    def _by_name_or_error(self, name: str) -> _Switch:
        found = self._by_name.get(name)
        if found is None:
            raise ValueError(self._unknown(name))
        return found

    def _unknown(self, name: str) -> str:
        return f"unknown switch {name!r}; known: {', '.join(sorted(self._by_name))}"

    def _check(self, name: str, value: Any) -> Any:
        choices = self._by_name_or_error(name).choices
        if isinstance(choices, type):
            numeric = choices is float and isinstance(value, int) and not isinstance(value, bool)
            # bool is an int for Python; a switch of whole numbers should still refuse `true`.
            if numeric or (isinstance(value, choices) and not (choices is int and isinstance(value, bool))):
                return value
            raise ValueError(f"switch {name!r} takes a value of type {choices.__name__}")
        for choice in choices:
            if type(choice) is type(value) and choice == value:
                return value
        raise ValueError(f"switch {name!r} takes one of: {', '.join(json.dumps(choice) for choice in choices)}")


class Calls:
    """The call log: exact counters by (system, method, path template, status) and a ring of the last calls."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or Clock()
        self.clear()

    def clear(self) -> None:
        """Forget everything that was counted."""
        self._by: Counter[tuple[str, str, str, int]] = Counter()
        self._windows: dict[str, int] = {}
        self.ring: deque[dict[str, Any]] = deque(maxlen=RING)

    def record(self, system: str, method: str, template: str, status: int, *, path: str = "") -> None:
        """Count one answered call; `path` comes without its query."""
        self._by[system, method, template, status] += 1
        self.ring.append(
            {
                "at": self._clock.now(),
                "system": system,
                "method": method,
                "template": template,
                "path": path or template,
                "status": status,
            }
        )

    def window(self, name: str, used: int) -> None:
        """Keep the most that was ever used in one window of the limit `name`."""
        if used > self._windows.get(name, -1):
            self._windows[name] = used

    def rate_limited(self, system: str | None = None) -> int:
        """How many calls (of one system) were answered 429."""
        return sum(count for key, count in self._by.items() if key[3] == 429 and system in (None, key[0]))

    def summary(self) -> dict[str, Any]:
        """The body of GET /calls."""
        rows = [
            {"system": system, "method": method, "path": template, "status": status, "count": count}
            for (system, method, template, status), count in sorted(self._by.items())
        ]
        return {
            "total": sum(self._by.values()),
            "by": rows,
            "rate_limited": self.rate_limited(),
            "window_max": dict(sorted(self._windows.items())),
        }

    def recent(self, limit: int = 100) -> list[dict[str, Any]]:
        """The last calls, newest last, `at` as ISO 8601."""
        rows = list(self.ring)[-limit:] if limit > 0 else []
        return [{**row, "at": iso(row["at"])} for row in rows]


@dataclass
class Fault:
    """One planned disturbance. `share` (0..1) draws by a seeded generator; `times` hits that many calls in a row."""

    system: str
    path: str
    kind: str
    share: float | None = None
    times: int | None = None
    seed: int = 0
    ms: int = 200
    status: int = 502
    method: str | None = None
    hits: int = 0
    _random: random.Random = field(init=False, repr=False, compare=False)
    _pattern: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._random = random.Random(f"{self.seed}:{self.system}:{self.path}:{self.kind}")
        parts = re.split(r"\{[^}/]*\}", self.path)
        self._pattern = re.compile("[^/]+".join(re.escape(part) for part in parts))

    @classmethod
    def parse(cls, row: Any) -> "Fault":
        """Read one entry of PUT /faults. Raises ValueError saying what is wrong."""
        if not isinstance(row, dict) or not row.keys() <= _FAULT_KEYS:
            raise ValueError(f"a fault is an object with the keys {', '.join(sorted(_FAULT_KEYS - {'hits'}))}")
        if row.get("kind") not in FAULT_KINDS:
            raise ValueError(f"fault kind must be one of: {', '.join(FAULT_KINDS)}")
        if row.get("system", "*") not in ("gorgias", "hubspot", "*"):
            raise ValueError("fault system must be one of: gorgias, hubspot, *")
        share, times = row.get("share"), row.get("times")
        if share is not None and not (_number(share) and 0 <= share <= 1):
            raise ValueError("share must be a number from 0 to 1")
        if times is not None and not (_number(times) and times == int(times) and times >= 0):
            raise ValueError("times must be a whole number >= 0")
        for name, low, high in (("ms", 0, 600_000), ("status", 500, 599)):
            if name in row and not (_number(row[name]) and low <= row[name] <= high):
                raise ValueError(f"{name} must be a number from {low} to {high}")
        method = row.get("method")
        return cls(
            system=row.get("system", "*"),
            path=str(row.get("path", "*")),
            kind=row["kind"],
            share=share,
            times=None if times is None else int(times),
            seed=int(row.get("seed", 0)),
            ms=int(row.get("ms", 200)),
            status=int(row.get("status", 502)),
            method=None if method is None else str(method).upper(),
        )

    def matches(self, system: str, method: str, path: str) -> bool:
        """Whether this call is meant: a template with {names}, a prefix of the path, or "*"."""
        if self.system not in ("*", system) or self.method not in (None, method):
            return False
        if self.path == "*" or self._pattern.fullmatch(path):
            return True
        # A template in braces means that one path only; without braces the path is a prefix.
        return "{" not in self.path and path.startswith(self.path)

    def strikes(self) -> bool:
        """Decide for a call that matches; uses up `times` and moves the generator on."""
        if self.times is not None and self.hits >= self.times:
            return False
        if self.share is not None and self._random.random() >= self.share:
            return False
        self.hits += 1
        return True

    def listing(self) -> dict[str, Any]:
        """The entry as GET /faults shows it, with the hits so far."""
        row = {
            "system": self.system,
            "path": self.path,
            "kind": self.kind,
            "share": self.share,
            "times": self.times,
            "seed": self.seed,
            "ms": self.ms,
            "status": self.status,
            "method": self.method,
            "hits": self.hits,
        }
        return {key: value for key, value in row.items() if value is not None}


class Faults:
    """The list of planned disturbances; the same list and the same order of calls give the same hits."""

    def __init__(self) -> None:
        self._plan: list[Fault] = []

    def put(self, rows: Any) -> None:
        """Replace the whole plan; every hit counter starts at 0. Raises ValueError and keeps the old plan."""
        if not isinstance(rows, list):
            raise ValueError("faults are a list of objects")  # noqa: TRY004 - it came over the wire
        self._plan = [Fault.parse(row) for row in rows]

    def draw(self, system: str, method: str, path: str) -> list[Fault]:
        """The faults that hit this call; an empty plan costs nothing."""
        if not self._plan:
            return []
        return [fault for fault in self._plan if fault.matches(system, method, path) and fault.strikes()]

    def listing(self) -> list[dict[str, Any]]:
        """The plan as it stands."""
        return [fault.listing() for fault in self._plan]


class World:
    """One sandbox: its directory, its seed, its time and everything that can be turned on the control port."""

    def __init__(
        self,
        data_dir: Path,
        *,
        seed: int = 1,
        rate_scale: float = 1.0,
        latency_ms: float = 0.0,
        erp_url: str | None = None,
    ) -> None:
        if not rate_scale > 0:
            raise ValueError("rate_scale must be greater than 0")
        self.data_dir = data_dir
        self.seed = seed
        self.rate_scale = rate_scale
        self.latency_ms = latency_ms
        self.erp_url = erp_url
        self.clock = Clock()
        self.switches = Switches()
        self.calls = Calls(self.clock)
        self.faults = Faults()
        self.outbox: list[dict[str, Any]] = []

    def now_iso(self) -> str:
        """The sandbox's present as ISO 8601 in UTC with milliseconds."""
        return iso(self.clock.now())

    def scaled(self, limit: int) -> int:
        """A vendor's limit under this sandbox's rate scale, at least 1."""
        return max(1, int(limit * self.rate_scale))


def iso(moment: datetime) -> str:
    """ISO 8601 in UTC with milliseconds and a Z."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
