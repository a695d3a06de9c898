"""The plan of disturbances: which calls are hit and how, drawn from a seed so that a run repeats exactly."""

import math
import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

FAULT_KINDS = (
    "latency", "429", "5xx", "reset_before", "reset_after", "truncate", "423", "477", "slow", "clock",
)  # fmt: skip
SHAPES = ("vendor", "documented", "recorded", "html", "empty")
BODIES = ("html", "json")
# These go with one of the others; of the others one is carried out: the first of the plan that hit.
BESIDE = ("latency", "clock")
_P95 = 1.6448536269514722  # standard deviations from the median of a normal distribution to its 95th percentile
_DAY_S = 86_400
_NUMBERS: dict[str, tuple[float, float]] = {
    "share": (0, 1),
    "times": (0, 1e12),
    "after": (0, 1e12),
    "every": (1, 1e12),
    "from_s": (0, 1e9),
    "until_s": (0, 1e9),
    "seed": (-(2**63), 2**63),
    "ms": (0, 600_000),
    "p50": (0.001, 600_000),
    "p95": (0.001, 600_000),
    "low": (0, 600_000),
    "high": (0, 600_000),
    "status": (500, 599),
    "retry_after": (0, 1e9),
    "at": (0, 1),
    "jump_s": (-3650 * _DAY_S, 3650 * _DAY_S),
}
_WHOLE = ("times", "after", "every", "seed", "status", "retry_after")
_CHOICES: dict[str, tuple[str, ...]] = {
    "kind": FAULT_KINDS,
    "system": ("gorgias", "hubspot", "*"),
    "shape": SHAPES,
    "body": BODIES,
}


@dataclass
class Fault:
    """One planned disturbance.

    Which calls: `system`, `path` (a template with {names}, a prefix, or "*"), `method`; between `from_s` and `until_s`
    on the sandbox's clock since the plan was put; the first `after` of these pass, then each `every`-th is meant, of
    which `share` (0..1) draws by a seeded generator; `times` ends it after so many hits.
    How: `kind` and what belongs to it. latency and slow: `ms`, or `p50` and `p95` (log-normal), or `low` and `high`
    (uniform), all in ms. 429, 423, 477: `shape`, `retry_after` (seconds; null for none). 5xx: `status`, `body`,
    `landed` (the write came through all the same). truncate: `at`, the share of the body that comes. clock: `jump_s`.
    """

    system: str = "*"
    path: str = "*"
    kind: str = "latency"
    method: str | None = None
    share: float | None = None
    times: int | None = None
    after: int = 0
    every: int = 1
    from_s: float | None = None
    until_s: float | None = None
    seed: int = 0
    ms: float = 200
    p50: float | None = None
    p95: float | None = None
    low: float | None = None
    high: float | None = None
    status: int = 502
    body: str = "html"
    landed: bool = False
    shape: str = "vendor"
    retry_after: int | str | None = "vendor"  # "vendor": as the vendor does; None: without
    at: float = 0.5
    jump_s: float = -3600
    hits: int = 0
    seen: int = 0
    _random: random.Random = field(init=False, repr=False, compare=False)
    _amounts: random.Random = field(init=False, repr=False, compare=False)
    _pattern: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        named = f"{self.seed}:{self.system}:{self.path}:{self.kind}"
        self._random, self._amounts = random.Random(named), random.Random(f"{named}:amount")
        parts = re.split(r"\{[^}/]*\}", self.path)
        self._pattern = re.compile("[^/]+".join(re.escape(part) for part in parts))

    @classmethod
    def parse(cls, row: Any) -> "Fault":
        """Read one entry of PUT /faults. Raises ValueError saying what is wrong."""
        if not isinstance(row, dict) or not row.keys() <= KEYS:
            raise ValueError(f"a fault is an object with the keys {', '.join(sorted(KEYS - {'hits', 'seen'}))}")
        row = {name: value for name, value in row.items() if name not in ("hits", "seen")}
        for name, choices in _CHOICES.items():
            if (name == "kind" or name in row) and row.get(name) not in choices:
                raise ValueError(f"fault {name} must be one of: {', '.join(choices)}")
        no_wait = {name: row.pop(name) for name in ("retry_after",) if row.get(name, 0) in (None, "vendor")}
        row = {name: value for name, value in row.items() if value is not None} | no_wait
        for name, value in row.items():
            if name in _NUMBERS and name not in no_wait:
                row[name] = _number(name, value)
        if not isinstance(row.get("landed", False), bool):
            raise ValueError("landed must be true or false")  # noqa: TRY004 - it came over the wire
        for low, high in (("p50", "p95"), ("low", "high"), ("from_s", "until_s")):
            if low in row and high in row and row[low] > row[high]:
                raise ValueError(f"{low} must not be above {high}")
        for names in (("p50", "p95"), ("low", "high")):
            if len(row.keys() & set(names)) == 1:
                raise ValueError(f"{names[0]} and {names[1]} go together")
        if "method" in row:
            row["method"] = str(row["method"]).upper()
        return cls(**{**row, "path": str(row.get("path", "*"))})

    def matches(self, system: str, method: str, path: str) -> bool:
        """Whether this call is meant: a template with {names}, a prefix of the path, or "*"."""
        if self.system not in ("*", system) or self.method not in (None, method):
            return False
        if self.path == "*" or self._pattern.fullmatch(path):
            return True
        # A template in braces means that one path only; without braces the path is a prefix.
        return "{" not in self.path and path.startswith(self.path)

    def strikes(self, passed_s: float = 0.0) -> bool:
        """Decide for a call that matches, `passed_s` after the plan was put; moves counters and generator on."""
        if self.times is not None and self.hits >= self.times:
            return False
        if passed_s < (self.from_s or 0) or (self.until_s is not None and passed_s >= self.until_s):
            return False
        self.seen += 1
        if self.seen <= self.after or (self.seen - self.after - 1) % self.every:
            return False
        if self.share is not None and self._random.random() >= self.share:
            return False
        self.hits += 1
        return True

    def amount_ms(self) -> float:
        """How long this hit takes: fixed, or the next of the seeded generator."""
        if self.p50 is not None and self.p95 is not None:
            return self._amounts.lognormvariate(math.log(self.p50), math.log(self.p95 / self.p50) / _P95)
        if self.low is not None and self.high is not None:
            return self._amounts.uniform(self.low, self.high)
        return self.ms

    def listing(self) -> dict[str, Any]:
        """The entry as GET /faults shows it, with the hits so far; what does not bear on its kind is left out."""
        shown = {"system", "path", "kind", "method", "share", "times", "from_s", "until_s", "seed", "hits"}
        shown |= _OF_KIND.get(self.kind, set())
        if self.p50 is not None or self.low is not None:
            shown -= {"ms"}
        row = {name: getattr(self, name) for name in NAMES if name in shown}
        row = {name: value for name, value in row.items() if value is not None}
        row |= {
            name: getattr(self, name) for name, plain in (("after", 0), ("every", 1)) if getattr(self, name) != plain
        }
        if "retry_after" in shown and self.retry_after != "vendor":
            row["retry_after"] = self.retry_after
        elif row.get("retry_after") == "vendor":
            del row["retry_after"]
        return row

    def kept(self) -> dict[str, Any]:
        """Everything that a later start needs to go on exactly here."""
        states = [_state(self._random), _state(self._amounts)]
        return {"plan": self.listing(), "hits": self.hits, "seen": self.seen, "random": states}

    @classmethod
    def resume(cls, kept: Mapping[str, Any]) -> "Fault":
        """The other way round."""
        fault = cls.parse(kept["plan"])
        fault.hits, fault.seen = kept["hits"], kept["seen"]
        fault._restore(kept["random"])  # noqa: SLF001 - its own class
        return fault

    def _restore(self, states: list[list[Any]]) -> None:
        for drawing, (version, numbers, after) in zip((self._random, self._amounts), states, strict=True):
            drawing.setstate((version, tuple(numbers), after))


NAMES = tuple(one.name for one in fields(Fault) if one.init)
KEYS = frozenset(NAMES)
_AMOUNT = {"ms", "p50", "p95", "low", "high"}
_OF_KIND: dict[str, set[str]] = {
    "latency": _AMOUNT,
    "slow": _AMOUNT,
    "429": {"shape", "retry_after"},
    "423": {"shape", "retry_after"},
    "477": {"shape", "retry_after"},
    "5xx": {"status", "body", "landed"},
    "truncate": {"at"},
    "clock": {"jump_s"},
}


class Faults:
    """The list of planned disturbances; the same list and the same order of calls give the same hits."""

    def __init__(self, clock_s: Callable[[], float] | None = None) -> None:
        self._clock_s = clock_s or (lambda: 0.0)
        self._plan: list[Fault] = []
        self._put_at_s = 0.0
        self.version = 0  # grows with every new plan

    def put(self, rows: Any) -> None:
        """Replace the whole plan; every hit counter starts at 0. Raises ValueError and keeps the old plan."""
        if not isinstance(rows, list):
            raise ValueError("faults are a list of objects")  # noqa: TRY004 - it came over the wire
        self._plan = [Fault.parse(row) for row in rows]
        self._put_at_s = self._clock_s()
        self.version += 1

    def draw(self, system: str, method: str, path: str) -> list[Fault]:
        """The faults that hit this call; an empty plan costs nothing."""
        if not self._plan:
            return []
        passed_s = self._clock_s() - self._put_at_s
        return [fault for fault in self._plan if fault.matches(system, method, path) and fault.strikes(passed_s)]

    def listing(self) -> list[dict[str, Any]]:
        """The plan as it stands."""
        return [fault.listing() for fault in self._plan]

    def hits(self) -> int:
        """How often anything of the plan has hit."""
        return sum(fault.hits for fault in self._plan)

    def kept(self) -> dict[str, Any]:
        """The plan with its counters and generators as JSON, for a later start."""
        return {"passed_s": self._clock_s() - self._put_at_s, "faults": [fault.kept() for fault in self._plan]}

    def restore(self, kept: Mapping[str, Any]) -> None:
        """Go on with the plan of an earlier start; the time between counts for nothing."""
        self._plan = [Fault.resume(row) for row in kept["faults"]]
        self._put_at_s = self._clock_s() - kept["passed_s"]
        self.version += 1


def _number(name: str, value: Any) -> float | int:
    low, high = _NUMBERS[name]
    fits = isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high
    if not fits or (name in _WHOLE and value != int(value)):
        kind = "a whole number" if name in _WHOLE else "a number"
        upper = f" to {high:.0f}" if high < 1e12 and name != "seed" else ""
        raise ValueError(f"{name} must be {kind}" + ("" if name == "seed" else f" from {low:g}{upper}"))
    return int(value) if name in _WHOLE else value


def _state(drawing: random.Random) -> list[Any]:
    version, numbers, after = drawing.getstate()
    return [version, list(numbers), after]
