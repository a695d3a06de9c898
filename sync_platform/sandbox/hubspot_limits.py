"""HubSpot's limits: the rolling ten seconds, the search second, the associations' own ten seconds, and the day.

Facts: 100 (free) or 190 calls in 10 s per app, a day that resets at midnight of the account's zone, 5 searches a second
per account, associations v4 with an own bucket of 100, 150 or 200; searches don't count in the ten seconds but do in
the day [doc]. Search answers carry no interval headers [doc]. The bodies of a 429 differ by source (switch
`limit_body`); the recorded one has no Retry-After.
"""

from collections import deque
from collections.abc import Callable
from datetime import UTC, date
from typing import Any

from sync_platform.sandbox.hubspot_account import zone
from sync_platform.sandbox.world import World

BURST_S, SEARCH_PER_S = 10.0, 5
PLANS = {"free": (100, 250_000, 100), "pro": (190, 625_000, 150), "enterprise": (190, 1_000_000, 200)}
ASSOCIATIONS_PER_DAY = 500_000
Headers = list[tuple[bytes, bytes]]


class Window:
    """Calls of the last so many seconds."""

    def __init__(self, length_s: float) -> None:
        self.length_s = length_s
        self._at: deque[float] = deque()

    def used(self, now: float) -> int:
        """How many calls are still inside."""
        while self._at and self._at[0] <= now - self.length_s:
            self._at.popleft()
        return len(self._at)

    def add(self, now: float) -> None:
        """Count a call."""
        self._at.append(now)


class Limits:
    """Admits or refuses calls; a refused call uses nothing up."""

    def __init__(self, world: World, switch: Callable[[str], Any]) -> None:
        self._world = world
        self._switch = switch
        self._zone = zone() or UTC
        self.clear()

    def clear(self) -> None:
        """All windows empty."""
        self._windows = {"burst": Window(BURST_S), "search": Window(1.0), "associations": Window(BURST_S)}
        self._day: date | None = None
        self._today = {"calls": 0, "associations": 0}

    def admit(self, bucket: str) -> tuple[str | None, Headers]:
        """(the policy that refuses this call or None, the limit headers). Buckets: burst, search, associations."""
        self._turn_day()
        burst, per_day, associations = PLANS[self._switch("plan")]
        count = {"burst": burst, "search": SEARCH_PER_S, "associations": associations}[bucket]
        most = self._world.scaled(count)
        kind = "associations" if bucket == "associations" else "calls"
        day_most = ASSOCIATIONS_PER_DAY if bucket == "associations" else self._switch("calls_per_day") or per_day
        day_most = self._world.scaled(day_most)
        window, now = self._windows[bucket], self._world.clock.monotonic()
        used = window.used(now)
        policy = None
        if self._today[kind] >= day_most:
            policy = "DAILY"
        elif used >= most:
            policy = "SECONDLY" if bucket == "search" else "TEN_SECONDLY_ROLLING"
        else:
            window.add(now)
            used += 1
            self._today[kind] += 1
            self._world.calls.window(f"hubspot.{bucket}", used)
            self._world.calls.window(f"hubspot.day.{kind}", self._today[kind])
        return policy, self._headers(bucket, most, most - used, day_most, day_most - self._today[kind])

    def _turn_day(self) -> None:
        today = self._world.clock.now().astimezone(self._zone).date()
        if today != self._day:
            self._day = today
            self._today = {"calls": 0, "associations": 0}

    def _headers(self, bucket: str, most: int, left: int, day_most: int, day_left: int) -> Headers:
        found = {"Daily": day_most, "Daily-Remaining": max(0, day_left)}
        if bucket != "search":
            found |= {
                "Interval-Milliseconds": int(BURST_S * 1000),
                "Max": most,
                "Remaining": max(0, left),
                "Secondly": max(1, most // 10),
                "Secondly-Remaining": max(0, min(left, most // 10)),
            }
        return [(f"x-hubspot-ratelimit-{name}".lower().encode(), str(value).encode()) for name, value in found.items()]

    def body(self, policy: str, bucket: str, correlation_id: str) -> dict[str, Any]:
        """The body of a 429 in the shape that the switch names."""
        words = {
            "DAILY": "daily",
            "SECONDLY": "secondly",
            "TEN_SECONDLY_ROLLING": "ten_secondly_rolling",
        }[policy]
        body: dict[str, Any] = {
            "status": "error",
            "message": f"You have reached your {words} limit.",
            "correlationId": correlation_id,
        }
        shape = self._switch("limit_body")
        if shape == "recorded" or (shape == "mixed" and bucket == "search"):
            return body | {"category": "RATE_LIMITS"}
        return body | {"errorType": "RATE_LIMIT", "policyName": policy, "requestId": correlation_id}
