"""When may the next call go? The arithmetic of a shared rate limit, without clock or database.

A limit is «at most N calls in any W seconds», counted where the calls arrive. Calls are granted at one place and
arrive a little later, some sooner than others, so the promise here is stronger: no N + 1 grants within W + margin.

Short windows are token buckets. With a capacity of c, N + 1 calls take at least (N + 1 - c) / rate seconds, so
rate = (N + 1 - c) / (W + margin) keeps the promise exactly; c is small, because each token of it costs speed for
ever, and the margin is about 2 % of the window: together they leave at least 95 % of N. For a limit of N per second,
c is 1 and the rate is above N - 1 each second. A take may push the tokens below zero: that is a reservation of the
next free moment, and what makes waiting fair and costs no time between two calls.

Long windows (a day) are counted in slots instead: a bucket would either spread the day's calls evenly over the day or
allow only half of them. A call goes if the slots that touch the last W + margin seconds hold fewer than N.

Lanes. The interactive lane may always reserve. The others leave a part of the capacity to those above them (5, 15,
25 and 35 %), and where the capacity is too small to be shared, they may only reserve one call ahead or less. So a
higher lane waits for few calls of a lower one (at most two), and a lane that is alone loses nothing. Of a long window
the lower lanes leave 1, 2, 4 and 8 %. Who waited for a whole window goes as if interactive.

Several limits at once: the call goes when the last of them allows it. A token of the others is then used later than it
was taken, so their buckets are lowered first to what they would hold if it had been taken at that moment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from math import floor

from sync_platform.core.records import Lane

LONG_WINDOW_S = 600.0
SHORT_SLOTS = 20
LONG_SLOTS = 95
BURST_SHARE = 0.015
MARGIN_SHARE = 0.02
MARGIN_MAX_S = 0.5
MARGIN_LONG_S = 2.0
# A clock that jumped back by more than this was set; less is two clocks read in another order than they were used.
CLOCK_STEP_S = 1.0
# A time since 1970 is only good to less than a microsecond.
EPSILON = 1e-6

KEPT_SHARE: Mapping[Lane, float] = {
    Lane.INTERACTIVE: 0.0,
    Lane.DELTA: 0.05,
    Lane.REPAIR: 0.15,
    Lane.BACKFILL: 0.25,
    Lane.AUDIT: 0.35,
}
KEPT_SHARE_LONG: Mapping[Lane, float] = {
    Lane.INTERACTIVE: 0.0,
    Lane.DELTA: 0.01,
    Lane.REPAIR: 0.02,
    Lane.BACKFILL: 0.04,
    Lane.AUDIT: 0.08,
}
# The fewest tokens at which a lane may still reserve, where the capacity is too small to keep a part of it.
AHEAD: Mapping[Lane, float] = {Lane.DELTA: -1.0, Lane.REPAIR: -0.5, Lane.BACKFILL: 0.0, Lane.AUDIT: 0.5}


@dataclass(frozen=True, slots=True)
class Pace:
    """What follows from «`size` calls in `window_s`»; `size` is the vendor's N less the reserve."""

    size: int
    window_s: float
    capacity: float
    rate_per_s: float
    margin_s: float
    slot_s: float
    long: bool


@lru_cache(maxsize=256)
def pace(allowed: int, window_s: float, reserve: float) -> Pace:
    """The pace for at most `allowed` calls in any `window_s`, of which the share `reserve` is left to others."""
    size = max(1, floor(allowed * (1.0 - reserve) + EPSILON))
    if window_s >= LONG_WINDOW_S:
        return Pace(size, window_s, float(size), size / window_s, MARGIN_LONG_S, window_s / LONG_SLOTS, long=True)
    if window_s < 2.0:
        burst = 1
        margin_s = window_s * min(0.25, 0.8 / max(1, size - 1))
    else:
        burst = 1 + floor(BURST_SHARE * size)
        margin_s = min(MARGIN_MAX_S, MARGIN_SHARE * window_s)
    rate = (size + 1 - burst) / (window_s + margin_s)
    return Pace(size, window_s, float(burst), rate, margin_s, window_s / SHORT_SLOTS, long=False)


@dataclass(slots=True)
class Bucket:
    """The state of one limit, as stored. `tally` counts calls by slot of time; times are seconds since 1970."""

    key: str
    allowed: int
    window_s: float
    tokens: float
    at: float
    frozen_until: float = 0.0
    used: int = 0
    tally: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Grant:
    """`granted`: go in `wait_s` seconds. Not granted: nothing was reserved, ask again in `wait_s` seconds."""

    granted: bool
    wait_s: float
    margin_s: float = 0.0


def fresh(key: str, allowed: int, window_s: float, reserve: float, now: float) -> Bucket:
    """A limit nobody knows anything of yet: one call at once, then at the pace (others may just have called)."""
    start = pace(allowed, window_s, reserve)
    return Bucket(key, allowed, window_s, start.capacity if start.long else 1.0, now)


def counted(bucket: Bucket, reserve: float, now: float) -> int:
    """How many calls of ours fall into the window that ends now (a little more: whole slots)."""
    p = pace(bucket.allowed, bucket.window_s, reserve)
    first = floor((now - p.window_s - p.margin_s) / p.slot_s)
    return sum(count for slot, count in bucket.tally.items() if int(slot) >= first)


def take(
    buckets: Sequence[Bucket], reserve: float, now: float, lane: Lane, *, patient: bool, wait_max_s: float
) -> Grant:
    """Reserve one call on all buckets, or on none. `patient`: this caller waited for a whole window already."""
    _thaw(buckets, now)
    frozen_s = max((b.frozen_until for b in buckets), default=0.0) - now
    if frozen_s > 0:
        return Grant(granted=False, wait_s=frozen_s)
    paces = [pace(b.allowed, b.window_s, reserve) for b in buckets]
    levels = [_level(b, p, now) for b, p in zip(buckets, paces, strict=True)]
    free = patient or lane is Lane.INTERACTIVE
    again_s = 0.0
    own: list[float] = []
    for bucket, p, level in zip(buckets, paces, levels, strict=True):
        if p.long:
            again_s = max(again_s, _full_for_s(bucket, p, lane, now))
            own.append(0.0)
            continue
        if not free:
            again_s = max(again_s, (_threshold(p, lane) - level) / p.rate_per_s)
        own.append(max(0.0, (1.0 - level) / p.rate_per_s))
    wait_s = max(own, default=0.0)
    if not free:
        for p, own_s in zip(paces, own, strict=True):
            if not p.long:
                again_s = max(again_s, wait_s - own_s - max(p.margin_s, p.capacity / p.rate_per_s))
    if again_s > EPSILON:
        return Grant(granted=False, wait_s=again_s)
    if wait_s > wait_max_s:
        return Grant(granted=False, wait_s=wait_s)
    for bucket, p, level in zip(buckets, paces, levels, strict=True):
        _spend(bucket, p, level, now, wait_s)
    return Grant(granted=True, wait_s=wait_s, margin_s=min((p.margin_s for p in paces), default=0.0))


def learn(
    bucket: Bucket,
    reserve: float,
    now: float,
    *,
    used: int | None = None,
    allowed: int | None = None,
    window_s: float | None = None,
    frozen_s: float | None = None,
) -> bool:
    """Take over what an answer said; True when that changed something. Never gives tokens back.

    `used` is what the system counted in its window. What exceeds our own count and the reserve is others' use; then no
    more tokens stay than calls are left, less half of the reserve: so we slow down before the limit is hit.
    """
    _thaw([bucket], now)
    changed = _reshape(bucket, reserve, now, allowed, window_s)
    p = pace(bucket.allowed, bucket.window_s, reserve)
    if used is not None:
        kept = bucket.allowed * reserve
        foreign = used - counted(bucket, reserve, now) - kept
        if foreign > 0 and p.long:
            slot = _slot(p, now)
            bucket.tally[slot] = bucket.tally.get(slot, 0) + floor(foreign)
            changed = True
        elif foreign > 0:
            level = _level(bucket, p, now)
            lowered = max(float(-p.size), min(level, bucket.allowed - used - kept / 2))
            if lowered < level:
                bucket.tokens, bucket.at, changed = lowered, max(bucket.at, now), True
    if frozen_s is not None and frozen_s > 0 and now + frozen_s > bucket.frozen_until:
        bucket.frozen_until, changed = now + frozen_s, True
        if not p.long:
            bucket.tokens, bucket.at = min(0.0, _level(bucket, p, now)), max(bucket.at, now)
    return changed


def _reshape(bucket: Bucket, reserve: float, now: float, allowed: int | None, window_s: float | None) -> bool:
    wanted = (allowed or bucket.allowed, window_s or bucket.window_s)
    if wanted == (bucket.allowed, bucket.window_s) or wanted[0] < 1 or wanted[1] <= 0:
        return False
    before = pace(bucket.allowed, bucket.window_s, reserve)
    level = _level(bucket, before, now)
    spent = counted(bucket, reserve, now)
    bucket.allowed, bucket.window_s = wanted
    after = pace(*wanted, reserve)
    if after.slot_s != before.slot_s:
        bucket.tally = {_slot(after, now): spent} if spent else {}
    bucket.tokens, bucket.at = min(level, after.capacity), max(bucket.at, now)
    return True


def _thaw(buckets: Sequence[Bucket], now: float) -> None:
    """After the clock was set back, go on from here: else nothing would be granted until it caught up."""
    for bucket in buckets:
        if bucket.at - now > CLOCK_STEP_S:
            bucket.frozen_until = max(0.0, bucket.frozen_until - (bucket.at - now))
            bucket.tokens, bucket.at = min(bucket.tokens, 0.0), now
            bucket.tally = {}


def _level(bucket: Bucket, p: Pace, now: float) -> float:
    if p.long:
        return p.capacity
    return min(p.capacity, bucket.tokens + max(0.0, now - bucket.at) * p.rate_per_s)


def _threshold(p: Pace, lane: Lane) -> float:
    kept = floor(KEPT_SHARE[lane] * p.capacity)
    # With tokens to spare a lane simply leaves some; with none it may at least hold the next free moment.
    return kept + 1.0 if kept else AHEAD[lane]


def _full_for_s(bucket: Bucket, p: Pace, lane: Lane, now: float) -> float:
    """Seconds until a long window has room for one more call of this lane; 0 when it has."""
    room = max(1, floor(p.size * (1.0 - KEPT_SHARE_LONG[lane])))
    first = floor((now - p.window_s - p.margin_s) / p.slot_s)
    held = sorted((int(slot), count) for slot, count in bucket.tally.items() if int(slot) >= first)
    count = sum(calls for _, calls in held)
    until = now
    for slot, calls in held:
        if count < room:
            break
        count -= calls
        until = (slot + 1) * p.slot_s + p.window_s + p.margin_s
    return max(0.0, until - now)


def _spend(bucket: Bucket, p: Pace, level: float, now: float, wait_s: float) -> None:
    if p.long:
        bucket.tokens = float(max(0, p.size - sum(bucket.tally.values()) - 1))
    else:
        bucket.tokens = min(level, p.capacity - p.rate_per_s * wait_s) - 1.0
    bucket.at = max(bucket.at, now)
    bucket.used += 1
    slot = _slot(p, now + wait_s)
    if slot not in bucket.tally:
        oldest = floor((now - p.window_s - p.margin_s) / p.slot_s)
        bucket.tally = {known: count for known, count in bucket.tally.items() if int(known) >= oldest}
    bucket.tally[slot] = bucket.tally.get(slot, 0) + 1


def _slot(p: Pace, at: float) -> str:
    return str(floor(at / p.slot_s))
