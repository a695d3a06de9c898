"""The rate limits of one system's account, shared by every process that works on this ledger.

One row for each credential and limit in the pacing store (see `database`). A take is one short transaction that locks
the rows of all limits of the call, lets `pacing` decide and writes them back, so that several limits are granted
together or not at all; it never waits inside. A process that dies in between leaves the rows as they were, one that
dies after it has merely given away a call. PostgreSQL ends the session of a host that stalls in the middle.

Calls are counted by run, lane and purpose in memory and written at least every second, and at `close()`.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Self

from sqlalchemy import Connection, Select, Table, bindparam, func, or_, select, update

from sync_platform.core.records import Lane
from sync_platform.errors import RateLimited, SyncError
from sync_platform.ledger import pacing
from sync_platform.ledger.database import Ledger, epoch, insert_for
from sync_platform.ledger.pacing import Bucket, Grant
from sync_platform.ledger.tables import BudgetRow, CallRow

BUDGET: Table = BudgetRow.__table__  # type: ignore[attr-defined]
CALL: Table = CallRow.__table__  # type: ignore[attr-defined]

WAIT_MAX_S = 60.0
FLUSH_S = 1.0
# A call that was held up for longer than its margin asks again; a machine that always holds up must still get on.
STALE_TRIES = 3
# Below this a wait is too short for a freeze to matter that came meanwhile.
LOOK_AGAIN_S = 0.02
# How long an answer that says «plenty left» is believed without comparing it with the row.
LOOK_EVERY_S = 2.0

_COLUMNS = (
    BUDGET.c.key,
    BUDGET.c.allowed,
    BUDGET.c.window_s,
    BUDGET.c.tokens,
    BUDGET.c.at,
    BUDGET.c.frozen_until,
    BUDGET.c.used,
    BUDGET.c.tally,
)
# Built once: composing a statement costs as much as running it.
_STORE = (
    update(BUDGET)
    .where(BUDGET.c.key == bindparam("row_key"))
    .values({column.name: bindparam(column.name) for column in BUDGET.c if not column.primary_key})
)


@dataclass(slots=True)
class _Count:
    calls: int = 0
    waited_s: float = 0.0
    rate_limited: int = 0


class Budget:
    """The meter of one system. Fits `connectors.protocol.Meter`; safe to share between threads."""

    def __init__(
        self,
        ledger: Ledger,
        system: str,
        credential: str,
        limits: Sequence[tuple[str, int, float]],
        *,
        reserve: float,
        run: str,
        wait_max_s: float = WAIT_MAX_S,
    ) -> None:
        """`credential` is a hash that tells accounts apart, never the secret. `limits` are (name, calls, seconds).

        `limits` are start values: what answers said earlier is kept. `reserve` is the share of each limit that is left
        to other integrations (0 to below 1). `wait_max_s`: a call that would wait longer raises `RateLimited`.
        """
        if not 0.0 <= reserve < 1.0:
            raise ValueError("the reserve is a share, from 0 to below 1")
        self._ledger = ledger
        self._system = str(system)
        self._reserve = reserve
        self._run = run
        self._wait_max_s = wait_max_s
        self._clock = epoch(ledger)
        self._keys = {name: f"{self._system}/{credential}/{name}" for name, _, _ in limits}
        self._patience_s = max((w for _, _, w in limits if w < pacing.LONG_WINDOW_S), default=1.0)
        self._counts: dict[tuple[str, str], _Count] = {}
        self.made = 0
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None
        self._last = threading.local()
        self._way_s = float("inf")
        self._known: dict[str, tuple[int, float, float]] = {}
        self._random = random.Random()  # noqa: S311 - spreads waiters, hides nothing
        if limits:
            self._declare(limits)

    def spend(self, limits: Sequence[str], *, lane: Lane, purpose: str) -> None:
        """Wait until every named limit allows one more call, then count it.

        Raises `RateLimited` with `wait_s` when that would take longer than `wait_max_s` (a day's limit is used up, or
        the system told us to stay away), `ValueError` for a limit that was not declared, and the ledger's errors.
        """
        keys = self._named(limits)
        began = time.monotonic()
        stale = 0
        while keys:
            waited_s = time.monotonic() - began
            grant, asked, lag_s = self._take(keys, lane, patient=waited_s >= self._patience_s, waited_s=waited_s)
            if not grant.granted:
                self._wait_or_refuse(grant.wait_s, waited_s)
                continue
            due = asked + grant.wait_s
            _sleep_until(due)
            # A freeze that came while we slept stopped everybody, us included.
            if grant.wait_s > LOOK_AGAIN_S and self._frozen(keys):
                continue
            # A call that goes later than its margin would meet the calls that were granted after it.
            if time.monotonic() - due + lag_s <= grant.margin_s or stale >= STALE_TRIES:
                break
            stale += 1
        self._count(lane, purpose, waited_s=time.monotonic() - began if keys else 0.0)

    def learn(
        self,
        limit: str,
        *,
        used: int | None = None,
        allowed: int | None = None,
        window_s: float | None = None,
        frozen_s: float | None = None,
    ) -> None:
        """What an answer said: calls used of those allowed in the window, or how long to stay away (a 429).

        Tokens are only ever lowered; the limit itself is followed in both directions. `frozen_s` stops every process
        on this credential and counts one 429.
        """
        (key,) = self._named([limit])
        if frozen_s is not None:
            self._count_refusal()
        elif self._nothing_new(key, used, allowed, window_s):
            return
        with self._ledger.pacing_read() as conn:
            bucket = _load(conn, (key,))[0]
            now = self._clock(conn)
        self._known[key] = (bucket.allowed, bucket.window_s, time.monotonic())
        said: dict[str, Any] = {"used": used, "allowed": allowed, "window_s": window_s, "frozen_s": frozen_s}
        # Most answers teach nothing: then nobody is kept from taking.
        if not pacing.learn(bucket, self._reserve, now, **said):
            return
        with self._ledger.pacing() as conn:
            bucket = _load(conn, (key,), lock=True)[0]
            if pacing.learn(bucket, self._reserve, self._clock(conn), **said):
                self._store(conn, (bucket,))

    def flush(self) -> None:
        """Write what was counted since the last time. Raises the ledger's errors, and then forgets nothing."""
        with self._lock:
            counts, self._counts = self._counts, {}
        if not counts:
            return
        rows = [
            {
                "run": self._run,
                "system": self._system,
                "lane": lane,
                "purpose": purpose,
                "count": count.calls,
                "waited_s": count.waited_s,
                "rate_limited": count.rate_limited,
            }
            for (lane, purpose), count in sorted(counts.items())
        ]
        try:
            with self._ledger.pacing() as conn:
                statement = insert_for(conn, CALL)
                grown = {
                    name: CALL.c[name] + statement.excluded[name] for name in ("count", "waited_s", "rate_limited")
                }
                keys = ["run", "system", "lane", "purpose"]
                conn.execute(statement.on_conflict_do_update(index_elements=keys, set_=grown), rows)
        except BaseException:
            with self._lock:
                for name, count in counts.items():
                    self._add(name, count)
            raise

    def close(self) -> None:
        """Write the last counts."""
        with self._lock:
            timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
        self.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _declare(self, limits: Sequence[tuple[str, int, float]]) -> None:
        with self._ledger.pacing() as conn:
            now = self._clock(conn)
            new = [
                pacing.fresh(self._keys[name], calls, window_s, self._reserve, now) for name, calls, window_s in limits
            ]
            statement = insert_for(conn, BUDGET).on_conflict_do_nothing(index_elements=["key"])
            conn.execute(statement, [{"key": bucket.key, **self._values(bucket)} for bucket in new])

    def _nothing_new(self, key: str, used: int | None, allowed: int | None, window_s: float | None) -> bool:
        """Whether an answer says, without a look at the row, that the limit is as known and far from used up."""
        if key not in self._known:
            return False
        calls, seconds, looked = self._known[key]
        if (allowed or calls, window_s or seconds) != (calls, seconds) or time.monotonic() - looked > LOOK_EVERY_S:
            return False
        shape = pacing.pace(calls, seconds, self._reserve)
        enough = shape.size * 0.01 if shape.long else shape.capacity
        return used is None or calls - used - calls * self._reserve >= enough

    def _named(self, limits: Sequence[str]) -> tuple[str, ...]:
        unknown = [name for name in limits if name not in self._keys]
        if unknown:
            raise ValueError(f"{self._system} declared no limit named {', '.join(unknown)}")
        return tuple(sorted({self._keys[name] for name in limits}))

    def _take(self, keys: tuple[str, ...], lane: Lane, *, patient: bool, waited_s: float) -> tuple[Grant, float, float]:
        """The grant, the moment (monotonic) from which its wait counts, and by how much that may be late.

        The clock's answer takes its way: counted from its arrival the call never goes too early, and what this way
        was longer than the shortest one seen is what it may go too late.
        """
        with self._ledger.pacing() as conn:
            buckets = _load(conn, keys, lock=True)
            before, now, asked = time.monotonic(), self._clock(conn), time.monotonic()
            self._way_s = min(self._way_s, asked - before)
            left_s = max(0.0, self._wait_max_s - waited_s)
            grant = pacing.take(buckets, self._reserve, now, lane, patient=patient, wait_max_s=left_s)
            if grant.granted:
                self._store(conn, buckets)
        return grant, asked, asked - before - self._way_s

    def _wait_or_refuse(self, wait_s: float, waited_s: float) -> None:
        if waited_s + wait_s > self._wait_max_s:
            raise RateLimited(
                f"The budget has no call left for {wait_s:.0f} s.", wait_s=wait_s, system=self._system, code="BUDGET"
            )
        # All who wait for the same moment must not ask in the same moment.
        time.sleep(wait_s + self._random.uniform(0.0, min(0.25, 0.1 * wait_s)))

    def _frozen(self, keys: tuple[str, ...]) -> bool:
        with self._ledger.pacing_read() as conn:
            until = conn.execute(select(func.max(BUDGET.c.frozen_until)).where(BUDGET.c.key.in_(keys))).scalar()
            return bool(until and until > self._clock(conn))

    def _store(self, conn: Connection, buckets: Sequence[Bucket]) -> None:
        conn.execute(_STORE, [{"row_key": bucket.key, **self._values(bucket)} for bucket in buckets])

    def _values(self, bucket: Bucket) -> dict[str, Any]:
        shape = pacing.pace(bucket.allowed, bucket.window_s, self._reserve)
        return {
            "allowed": bucket.allowed,
            "window_s": bucket.window_s,
            "capacity": shape.capacity,
            "rate_per_s": shape.rate_per_s,
            "tokens": bucket.tokens,
            "at": bucket.at,
            "frozen_until": bucket.frozen_until,
            "used": bucket.used,
            "tally": bucket.tally,
        }

    def _count(self, lane: Lane, purpose: str, *, waited_s: float) -> None:
        self.made += 1
        self._last.name = (str(lane), purpose)
        with self._lock:
            self._add(self._last.name, _Count(calls=1, waited_s=waited_s))

    def _count_refusal(self) -> None:
        # The answer that refuses belongs to the call that this thread made last.
        name = getattr(self._last, "name", (str(Lane.INTERACTIVE), "read"))
        with self._lock:
            self._add(name, _Count(rate_limited=1))

    def _add(self, name: tuple[str, str], more: _Count) -> None:
        count = self._counts.setdefault(name, _Count())
        count.calls += more.calls
        count.waited_s += more.waited_s
        count.rate_limited += more.rate_limited
        if self._timer is None:
            self._timer = threading.Timer(FLUSH_S, self._flush_in_time)
            self._timer.daemon = True
            self._timer.start()

    def _flush_in_time(self) -> None:
        with self._lock:
            self._timer = None
        try:
            self.flush()
        except SyncError:
            return  # the counts are kept, and their timer is set again; `close()` says what is wrong


@dataclass(frozen=True, slots=True)
class Calls:
    """What one run spent on one system, by lane and purpose ("read", "write", "setup")."""

    system: str
    lane: str
    purpose: str
    count: int
    waited_s: float
    rate_limited: int


@dataclass(frozen=True, slots=True)
class Reading:
    """One limit as it stands: calls of ours in the window that ends now, and for how long it is frozen."""

    system: str
    limit: str
    allowed: int
    window_s: float
    used: int
    frozen_s: float


def calls_of(ledger: Ledger, run: str) -> list[Calls]:
    """What a run spent (as flushed). The rows live in the pacing store: a query on the ledger's engine finds none."""
    columns = (CALL.c.system, CALL.c.lane, CALL.c.purpose, CALL.c.count, CALL.c.waited_s, CALL.c.rate_limited)
    with ledger.pacing_read() as conn:
        return [Calls(*row) for row in conn.execute(select(*columns).where(CALL.c.run == run).order_by(*columns[:3]))]


def readings(ledger: Ledger, system: str, credential: str) -> list[Reading]:
    """Every limit of one credential, for the budget's check; `used` counts up to 5 % too much."""
    return _readings(ledger, system, f"{system}/{credential}/")


def readings_of(ledger: Ledger, system: str) -> list[Reading]:
    """Every limit of every credential of a system, for `status`; `limit` is its name."""
    return _readings(ledger, system, f"{system}/")


def _readings(ledger: Ledger, system: str, prefix: str) -> list[Reading]:
    with ledger.pacing_read() as conn:
        now = epoch(ledger)(conn)
        rows = conn.execute(select(*_COLUMNS).where(BUDGET.c.key.startswith(prefix, autoescape=True)).order_by("key"))
        buckets = [_bucket(row) for row in rows]
    return [
        Reading(
            system=str(system),
            limit=bucket.key.rsplit("/", 1)[-1],
            allowed=bucket.allowed,
            window_s=bucket.window_s,
            used=pacing.counted(bucket, 0.0, now),
            frozen_s=max(0.0, bucket.frozen_until - now),
        )
        for bucket in buckets
    ]


def _sleep_until(due: float) -> None:
    left_s = due - time.monotonic()
    if left_s > 0:
        time.sleep(left_s)


@lru_cache(maxsize=32)
def _select(count: int, *, lock: bool) -> Select[Any]:
    wanted = or_(*(BUDGET.c.key == bindparam(f"key_{place}") for place in range(count)))
    statement = select(*_COLUMNS).where(wanted).order_by(BUDGET.c.key)
    return statement.with_for_update() if lock else statement


def _load(conn: Connection, keys: tuple[str, ...], *, lock: bool = False) -> list[Bucket]:
    """The rows in the order of their keys, so that two takes never wait for each other crosswise."""
    rows = conn.execute(_select(len(keys), lock=lock), {f"key_{place}": key for place, key in enumerate(keys)}).all()
    if len(rows) != len(keys):
        raise SyncError("The budget's rows are gone: the pacing store was emptied while it was in use.", code="BUDGET")
    return [_bucket(row) for row in rows]


def _bucket(row: Any) -> Bucket:
    return Bucket(
        key=row.key,
        allowed=row.allowed,
        window_s=row.window_s,
        tokens=row.tokens,
        at=row.at,
        frozen_until=row.frozen_until,
        used=row.used,
        tally=dict(row.tally or {}),
    )
