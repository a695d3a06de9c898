"""HubSpot's limits: the rolling ten seconds, the search second, the associations' own ten seconds, and the day.

Facts: 100 (free) or 190 calls in 10 s per app, a day that resets at midnight of the account's zone, 5 searches a second
per account, associations v4 with an own bucket of 100, 150 or 200; searches don't count in the ten seconds but do in
the day [doc]. Search answers carry no interval headers [doc]. The bodies of a 429 differ by source (switch
`limit_body`); the recorded one has no Retry-After.
"""

from collections import deque
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

from sync_platform.sandbox.hubspot.account import zone
from sync_platform.sandbox.world import World

BURST_S, SEARCH_PER_S = 10.0, 5
OAUTH_PER_10_S, PACK_PER_DAY = 110, 1_000_000
PLANS = {
    "free": (100, 250_000, 100),
    "starter": (100, 250_000, 100),
    "pro": (190, 625_000, 150),
    "enterprise": (190, 1_000_000, 200),
}
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
        self._windows = {"search": Window(1.0)}
        self._windows |= {name: Window(BURST_S) for name in ("burst", "associations", "oauth", "oauth.associations")}
        self._day: date | None = None
        self._today = {"calls": 0, "associations": 0}

    def admit(self, bucket: str, *, oauth: bool = False) -> tuple[str | None, Headers]:
        """(the policy that refuses this call or None, the limit headers).

        Buckets: burst, search, associations, exempt (no limit, no header). An OAuth app has a burst of its own and no
        day; the search bucket is the account's, shared by all apps [doc].
        """
        if bucket == "exempt":
            return None, []
        if oauth:
            return self._admit_oauth(bucket)
        self._turn_day()
        burst, per_day, associations = self._plan()
        count = {"burst": burst, "search": SEARCH_PER_S, "associations": associations}[bucket]
        most = self._world.scaled(count)
        kind = "associations" if bucket == "associations" else "calls"
        of_day = ASSOCIATIONS_PER_DAY * (2 if self._switch("limit_packs") else 1)
        day_most = of_day if bucket == "associations" else self._switch("calls_per_day") or per_day
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
            self._world.calls.window(f"hubspot.{bucket}", used, most)
            self._world.calls.window(f"hubspot.day.{kind}", self._today[kind], day_most)
        return policy, self._headers(bucket, most, most - used, day_most, day_most - self._today[kind])

    def _plan(self) -> tuple[int, int, int]:
        """(calls in 10 s, calls a day, association calls in 10 s) of the plan and its limit packs."""
        plan, packs = self._switch("plan"), self._switch("limit_packs")
        burst, per_day, associations = PLANS[plan]
        if plan == "pro":
            per_day = self._switch("pro_calls_per_day")
        if packs:
            burst, associations = self._switch("limit_pack_burst"), 200
        return burst, per_day + packs * PACK_PER_DAY, associations

    def _admit_oauth(self, bucket: str) -> tuple[str | None, Headers]:
        name = {"burst": "oauth", "associations": "oauth.associations"}.get(bucket, bucket)
        most = self._world.scaled(SEARCH_PER_S if bucket == "search" else OAUTH_PER_10_S)
        window, now = self._windows[name], self._world.clock.monotonic()
        used = window.used(now)
        if used >= most:
            policy = "SECONDLY" if bucket == "search" else "TEN_SECONDLY_ROLLING"
            return policy, self._interval(bucket, most, 0)
        window.add(now)
        self._world.calls.window(f"hubspot.{name}", used + 1)
        return None, self._interval(bucket, most, most - used - 1)

    def _turn_day(self) -> None:
        today = datetime.fromtimestamp(self._world.clock.seconds(), self._zone).date()
        if today != self._day:
            self._day = today
            self._today = {"calls": 0, "associations": 0}

    def _headers(self, bucket: str, most: int, left: int, day_most: int, day_left: int) -> Headers:
        return [
            (b"x-hubspot-ratelimit-daily", b"%d" % day_most),
            (b"x-hubspot-ratelimit-daily-remaining", b"%d" % max(0, day_left)),
            *self._interval(bucket, most, left),
        ]

    def _interval(self, bucket: str, most: int, left: int) -> Headers:
        """The headers of the ten seconds, which searches don't carry; `Secondly` is deprecated but still sent [doc]."""
        if bucket == "search":
            return []
        return [
            (b"x-hubspot-ratelimit-interval-milliseconds", b"10000"),
            (b"x-hubspot-ratelimit-max", b"%d" % most),
            (b"x-hubspot-ratelimit-remaining", b"%d" % max(0, left)),
            (b"x-hubspot-ratelimit-secondly", b"%d" % max(1, most // 10)),
            (b"x-hubspot-ratelimit-secondly-remaining", b"%d" % max(0, min(left, most // 10))),
        ]

    def body(self, policy: str, bucket: str, correlation_id: str, *, shape: str | None = None) -> dict[str, Any]:
        """The body of a 429 in this shape ("documented" or "recorded"), else in the one that the switch names."""
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
        shape = shape if shape in ("documented", "recorded") else self._switch("limit_body")
        if shape == "recorded" or (shape == "mixed" and bucket == "search"):
            return body | {"category": "RATE_LIMITS"}
        return body | {"errorType": "RATE_LIMIT", "policyName": policy, "requestId": correlation_id}
