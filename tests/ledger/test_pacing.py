"""The arithmetic of the budget, on a clock of its own."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync_platform.core.records import Lane
from sync_platform.ledger import pacing
from sync_platform.ledger.pacing import Bucket, fresh, learn, pace, take

START = 1_800_000_000.0
WAIT_MAX_S = 1e9

limits = st.lists(
    st.tuples(st.integers(1, 60), st.sampled_from([1.0, 2.0, 10.0, 20.0])), min_size=1, max_size=3, unique=True
)


def worst_overlap(dues: Sequence[float], size: int) -> float:
    """The shortest time that `size` + 1 calls ever took."""
    ordered = sorted(dues)
    return min((ordered[n + size] - ordered[n] for n in range(len(ordered) - size)), default=float("inf"))


def alone(bucket: Bucket, lane: Lane, seconds: float, *, reserve: float = 0.0, latency_s: float = 0.003) -> list[float]:
    """When the calls of one caller go that never rests."""
    now, dues = bucket.at, []
    end = now + seconds
    while now < end:
        grant = take([bucket], reserve, now, lane, patient=False, wait_max_s=WAIT_MAX_S)
        if grant.granted:
            dues.append(now + grant.wait_s)
        # Waking up takes a moment too.
        now += grant.wait_s + latency_s
    return [due for due in dues if due <= end]


@given(
    limits=limits,
    reserve=st.sampled_from([0.0, 0.2]),
    steps=st.lists(
        st.tuples(
            st.sampled_from([0.0, 0.0, 0.0, 0.01, 0.1, 0.5, 3.0, 30.0]),
            st.integers(1, 7),
            st.sampled_from(list(Lane)),
            st.booleans(),
        ),
        min_size=1,
        max_size=400,
    ),
)
@settings(deadline=None, max_examples=60)
def test_no_window_ever_holds_more_calls_than_allowed_whatever_is_asked(limits, reserve, steps):
    buckets = [fresh(str(n), allowed, window_s, reserve, START) for n, (allowed, window_s) in enumerate(limits)]
    dues: list[list[float]] = [[] for _ in buckets]
    now = START
    for pause_s, which, lane, patient in steps:
        now += pause_s
        chosen = [n for n in range(len(buckets)) if which >> n & 1]
        grant = take([buckets[n] for n in chosen], reserve, now, lane, patient=patient, wait_max_s=WAIT_MAX_S)
        if grant.granted:
            for n in chosen:
                dues[n].append(now + grant.wait_s)
    for bucket, went in zip(buckets, dues, strict=True):
        p = pace(bucket.allowed, bucket.window_s, reserve)
        assert worst_overlap(went, p.size) >= p.window_s + p.margin_s - 1e-6


@pytest.mark.parametrize("lane", list(Lane))
@pytest.mark.parametrize("reserve", [0.0, 0.2])
@pytest.mark.parametrize(
    ("allowed", "window_s"), [(40, 20.0), (80, 20.0), (400, 20.0), (100, 10.0), (190, 10.0), (500, 10.0)]
)
def test_a_lane_that_is_alone_reaches_95_percent_of_a_window(allowed, window_s, reserve, lane):
    went = alone(fresh("k", allowed, window_s, reserve, START), lane, 10 * window_s, reserve=reserve)
    size = pace(allowed, window_s, reserve).size
    assert 0.95 * size <= len(went) / 10 <= size
    assert worst_overlap(went, size) > window_s


@pytest.mark.parametrize("lane", list(Lane))
@pytest.mark.parametrize("allowed", [2, 4, 5, 10, 50])
def test_a_limit_per_second_loses_at_most_one_call_a_second(allowed, lane):
    went = alone(fresh("k", allowed, 1.0, 0.0, START), lane, 60.0, latency_s=0.001)
    assert len(went) / 60 >= allowed - 1
    assert worst_overlap(went, allowed) > 1.0


@pytest.mark.parametrize(("lane", "share"), [(Lane.INTERACTIVE, 1.0), (Lane.BACKFILL, 0.96)])
def test_a_day_may_be_spent_at_once_and_never_twice(lane, share):
    bucket = fresh("k", 1000, 86_400.0, 0.0, START)
    now, went = START, []
    while True:
        grant = take([bucket], 0.0, now, lane, patient=False, wait_max_s=WAIT_MAX_S)
        if not grant.granted:
            break
        assert grant.wait_s == 0.0
        went.append(now)
        now += 0.5
    assert len(went) == 1000 * share
    assert 86_400 - 500 < grant.wait_s <= 86_400 + 86_400 / pacing.LONG_SLOTS + pacing.MARGIN_LONG_S
    late = take([bucket], 0.0, now + grant.wait_s, lane, patient=False, wait_max_s=WAIT_MAX_S)
    assert late.granted


def test_a_day_reaches_95_percent_day_after_day():
    bucket = fresh("k", 1000, 86_400.0, 0.0, START)
    now, went = START, []
    while now < START + 10 * 86_400:
        grant = take([bucket], 0.0, now, Lane.DELTA, patient=False, wait_max_s=WAIT_MAX_S)
        if grant.granted:
            went.append(now)
        now += max(grant.wait_s, 1.0)
    assert len(went) / 10 >= 950
    assert worst_overlap(went, 1000) > 86_400


def test_a_higher_lane_overtakes_those_that_wait():
    bucket = fresh("k", 40, 20.0, 0.0, START)
    for _ in range(2):
        assert take([bucket], 0.0, START, Lane.BACKFILL, patient=False, wait_max_s=60).granted
    queued = take([bucket], 0.0, START, Lane.BACKFILL, patient=False, wait_max_s=60)
    assert not queued.granted
    interactive = take([bucket], 0.0, START, Lane.INTERACTIVE, patient=False, wait_max_s=60)
    assert interactive.granted
    # Behind the one call that the backfill already reserved.
    assert interactive.wait_s == pytest.approx(2 * 20.4 / 40)
    after = take([bucket], 0.0, START + interactive.wait_s, Lane.BACKFILL, patient=False, wait_max_s=60)
    assert after.granted


def test_lower_lanes_leave_a_part_of_a_large_capacity():
    left = {}
    for lane in Lane:
        bucket = fresh("k", 4000, 20.0, 0.0, START)
        bucket.tokens = pace(4000, 20.0, 0.0).capacity
        count = 0
        while (grant := take([bucket], 0.0, START, lane, patient=False, wait_max_s=60)).granted and not grant.wait_s:
            count += 1
        left[lane] = pace(4000, 20.0, 0.0).capacity - count
    assert left == {Lane.INTERACTIVE: 0, Lane.DELTA: 3, Lane.REPAIR: 9, Lane.BACKFILL: 15, Lane.AUDIT: 21}


def test_who_waited_for_a_window_goes_as_if_interactive():
    bucket = fresh("k", 40, 20.0, 0.0, START)
    bucket.tokens = -5.0
    assert not take([bucket], 0.0, START, Lane.BACKFILL, patient=False, wait_max_s=60).granted
    assert take([bucket], 0.0, START, Lane.BACKFILL, patient=True, wait_max_s=60).granted


def test_several_limits_are_taken_together_or_not_at_all():
    plenty, none = fresh("a", 40, 20.0, 0.0, START), fresh("b", 40, 20.0, 0.0, START)
    learn(none, 0.0, START, frozen_s=7.0)
    before = plenty.tokens
    grant = take([plenty, none], 0.0, START, Lane.INTERACTIVE, patient=False, wait_max_s=60)
    assert (grant.granted, grant.wait_s) == (False, pytest.approx(7.0))
    assert plenty.tokens == before
    assert plenty.used == 0


def test_a_wait_that_is_too_long_reserves_nothing():
    bucket = fresh("k", 1, 20.0, 0.0, START)
    assert take([bucket], 0.0, START, Lane.INTERACTIVE, patient=False, wait_max_s=5).granted
    refused = take([bucket], 0.0, START, Lane.INTERACTIVE, patient=False, wait_max_s=5)
    assert not refused.granted
    assert refused.wait_s == pytest.approx(20.4)
    assert bucket.used == 1


def test_a_429_stops_everybody_for_as_long_as_it_said():
    bucket = fresh("k", 40, 20.0, 0.0, START)
    assert learn(bucket, 0.0, START, frozen_s=3.0)
    assert not learn(bucket, 0.0, START, frozen_s=1.0), "a shorter freeze does not end a longer one"
    for at in (0.0, 1.0, 2.9):
        assert not take([bucket], 0.0, START + at, Lane.INTERACTIVE, patient=True, wait_max_s=60).granted
    assert take([bucket], 0.0, START + 3.0, Lane.INTERACTIVE, patient=True, wait_max_s=60).granted


@pytest.mark.parametrize("allowed", [20, 80])
def test_the_limit_follows_the_answers_in_both_directions(allowed):
    bucket = fresh("k", 40, 20.0, 0.0, START)
    alone(bucket, Lane.DELTA, 100.0)
    assert learn(bucket, 0.0, bucket.at, allowed=allowed, window_s=20.0)
    assert not learn(bucket, 0.0, bucket.at, allowed=allowed, window_s=20.0)
    began = bucket.at
    went = alone(bucket, Lane.DELTA, 200.0)
    assert 0.95 * allowed <= len([due for due in went if due > began]) / 10 <= allowed


def test_another_window_keeps_what_was_counted():
    bucket = fresh("k", 40, 20.0, 0.0, START)
    alone(bucket, Lane.DELTA, 20.0)
    now = bucket.at
    spent = pacing.counted(bucket, 0.0, now)
    learn(bucket, 0.0, now, window_s=10.0)
    assert pacing.counted(bucket, 0.0, now) == spent


def test_our_own_calls_in_an_answer_slow_nothing_down():
    bucket = fresh("k", 40, 20.0, 0.0, START)
    now, went = START, []
    while now < START + 200:
        grant = take([bucket], 0.0, now, Lane.DELTA, patient=False, wait_max_s=60)
        now += grant.wait_s + 0.05
        if grant.granted:
            went.append(now)
            used = len([at for at in went if at > now - 20])
            learn(bucket, 0.0, now, used=used, allowed=40)
    assert len(went) / 10 >= 38


@pytest.mark.parametrize("theirs_per_s", [0.2, 0.6, 1.0])
def test_calls_of_others_are_made_room_for(theirs_per_s):
    reserve = 0.2
    bucket = fresh("k", 40, 20.0, reserve, START)
    now, ours, over = START, [], 0
    while now < START + 400:
        grant = take([bucket], reserve, now, Lane.DELTA, patient=False, wait_max_s=600)
        now += grant.wait_s + 0.05
        if not grant.granted:
            continue
        ours.append(now)
        theirs = len([n for n in range(int(400 * theirs_per_s)) if now - 20 < START + n / theirs_per_s <= now])
        used = theirs + len([at for at in ours if at > now - 20])
        over += used > 40
        learn(bucket, reserve, now, used=min(used, 40), allowed=40)
    assert over <= 0.02 * len(ours)
    fair = min(32, 40 - 20 * theirs_per_s)
    assert len(ours) / 20 >= 0.75 * fair


def test_a_day_counts_what_others_used_beyond_the_reserve():
    bucket = fresh("k", 1000, 86_400.0, 0.2, START)
    assert not learn(bucket, 0.2, START, used=150)
    assert learn(bucket, 0.2, START, used=600)
    count = 0
    while take([bucket], 0.2, START, Lane.INTERACTIVE, patient=False, wait_max_s=1).granted:
        count += 1
    assert count == 400


def test_a_clock_that_is_set_back_stops_nobody():
    bucket = fresh("k", 40, 20.0, 0.0, START)
    alone(bucket, Lane.DELTA, 30.0)
    bucket.frozen_until = bucket.at + 2.0
    back = bucket.at - 3600.0
    grant = take([bucket], 0.0, back, Lane.INTERACTIVE, patient=False, wait_max_s=60)
    assert (grant.granted, grant.wait_s) == (False, pytest.approx(2.0))
    assert take([bucket], 0.0, back + 2.0, Lane.INTERACTIVE, patient=False, wait_max_s=60).granted
