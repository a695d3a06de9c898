"""The call log: exact counters, a ring of the last calls, and figures by second for a plot of the budget."""

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from typing import Any

from sync_platform.sandbox.clock import Clock, iso_of

RING = 10_000
SECONDS_KEPT = 7_200  # seconds in which something happened; quiet ones take no place
STEPS_MAX = 2_000
LIMITED = (429, 477)
OK, LIMIT, FAILED = 0, 1, 2


class Second:
    """What happened in one second of the sandbox's time."""

    __slots__ = ("at", "counts", "used")

    def __init__(self, at: int) -> None:
        self.at = at
        self.counts: dict[str, list[int]] = {}  # system -> [ok, limited, failed]
        self.used: dict[str, int] = {}  # window -> the most that it held


class Calls:
    """The call log: exact counters by (system, method, path template, status) and a ring of the last calls."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or Clock()
        self.cleared = 0  # how often
        self.clear()

    def clear(self) -> None:
        """Forget everything that was counted."""
        self.cleared += 1
        self._by: Counter[tuple[str, str, str, int]] = Counter()
        self._windows: dict[str, int] = {}
        self._limits: dict[str, int] = {}
        self._seconds: deque[Second] = deque(maxlen=SECONDS_KEPT)
        self._second = Second(-1)
        self.ring: deque[dict[str, Any]] = deque(maxlen=RING)

    def record(self, system: str, method: str, template: str, status: int, *, path: str = "") -> None:
        """Count one answered call; `path` comes without its query, status 0 is a call that got no answer."""
        self._by[system, method, template, status] += 1
        at = self._clock.seconds()
        self.ring.append(
            {
                "at": at,
                "system": system,
                "method": method,
                "template": template,
                "path": path or template,
                "status": status,
            }
        )
        counts = self._now(at).counts.setdefault(system, [0, 0, 0])
        # A vendor's "no" to bad input is an answer like any other: it is the caller's affair, not a failure here.
        counts[LIMIT if status in LIMITED else FAILED if status >= 500 or status == 0 else OK] += 1

    def window(self, name: str, used: int, limit: int = 0) -> None:
        """Keep the most that was ever used in one window of the limit `name` ("gorgias.api_key"), and its limit."""
        if used > self._windows.get(name, -1):
            self._windows[name] = used
        self._limits[name] = limit
        second = self._now(self._clock.seconds()).used
        if used > second.get(name, -1):
            second[name] = used

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
        return [{**row, "at": iso_of(row["at"])} for row in rows]

    def series(self, systems: Sequence[str], *, step_s: int, steps: int) -> dict[str, Any]:
        """The last `steps` steps, oldest first, the last one still running.

        {"step_s", "from": ISO 8601, "systems": {name: {"ok", "limited", "failed": [calls in each step], "used": [the
        most that its window held in each step], "window": which one, "limit", "windows": {name: {"used", "limit"}}}}}.
        `window` is the one that came closest to its limit, days apart; without any it is null and `limit` 0.
        """
        first = int(self._clock.seconds()) // step_s - steps + 1
        counts = {name: [[0] * steps for _ in range(3)] for name in systems}
        used: dict[str, list[int]] = {name: [0] * steps for name in self._limits}
        for second in tuple(self._seconds):
            place = second.at // step_s - first
            if not 0 <= place < steps:
                continue
            for system, row in second.counts.items():
                for kind, count in enumerate(row):
                    if system in counts:
                        counts[system][kind][place] += count
            for name, most in second.used.items():
                used[name][place] = max(used[name][place], most)
        return {
            "step_s": step_s,
            "from": iso_of(first * step_s),
            "systems": {name: self._plotted(name, counts[name], used) for name in systems},
        }

    def kept(self) -> dict[str, Any]:
        """The counters as JSON, for a later start; `restore` takes them back."""
        return {"by": [[*key, count] for key, count in self._by.items()], "windows": self._windows}

    def restore(self, kept: Mapping[str, Any]) -> None:
        """Go on from the counters of an earlier start."""
        self.clear()
        for system, method, template, status, count in kept["by"]:
            self._by[system, method, template, status] = count
        self._windows = dict(kept["windows"])

    def total(self) -> int:
        """How many calls were counted."""
        return self._by.total()

    def _now(self, at: float) -> Second:
        whole = int(at)
        if whole != self._second.at:
            self._second = Second(whole)
            self._seconds.append(self._second)
        return self._second

    def _plotted(self, system: str, counts: list[list[int]], used: Mapping[str, list[int]]) -> dict[str, Any]:
        windows = {
            name: {"used": row, "limit": self._limits[name]}
            for name, row in sorted(used.items())
            if name.startswith(f"{system}.")
        }
        known = [name for name in windows if self._limits[name] and ".day." not in name]
        fullest = max(known, key=lambda name: max(used[name]) / self._limits[name], default=None)
        return {
            "ok": counts[OK],
            "limited": counts[LIMIT],
            "failed": counts[FAILED],
            "used": used[fullest] if fullest else [0] * len(counts[OK]),
            "window": fullest,
            "limit": self._limits[fullest] if fullest else 0,
            "windows": windows,
        }
