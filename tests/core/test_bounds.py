"""The least number of calls, by hand and by law."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync_platform.core.bounds import KINDS, Work, lower_bound, terms
from sync_platform.core.records import SYSTEMS, System
from tests.core.strategies import PATIENT

COUNTS = st.integers(0, 5000)


def works(system: System) -> st.SearchStrategy[Work]:
    feeds = st.dictionaries(st.sampled_from(["customers", "tickets", "events"]), COUNTS)
    kinds = st.dictionaries(st.sampled_from(KINDS[system]), COUNTS)
    return st.builds(
        Work,
        feeds=feeds,
        partial=feeds,
        lists=feeds,
        details=st.dictionaries(st.sampled_from(["customer", "ticket"]), COUNTS),
        lookups=COUNTS,
        creates=kinds,
        updates=kinds,
    )


cases = st.sampled_from(SYSTEMS).flatmap(lambda system: st.tuples(st.just(system), works(system)))


@pytest.mark.parametrize("system", SYSTEMS)
def test_no_work_needs_no_call(system):
    assert lower_bound(system, Work()) == 0


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_quiet_cycle_needs_one_call_for_each_feed(system):
    assert lower_bound(system, Work(feeds={"customers": 0, "tickets": 0})) == 2


@PATIENT
@given(cases)
def test_the_bound_is_the_sum_of_its_terms_and_never_negative(case):
    system, work = case

    assert lower_bound(system, work) == sum(terms(system, work).values()) >= 0


@PATIENT
@given(
    cases,
    st.sampled_from(["feeds", "partial", "lists", "details", "creates", "updates", "lookups"]),
    st.integers(1, 500),
)
def test_more_work_never_needs_fewer_calls(case, part, more):
    system, work = case
    counts = getattr(work, part)
    grown = counts + more if part == "lookups" else {name: count + more for name, count in counts.items()}

    assert lower_bound(system, replace(work, **{part: grown})) >= lower_bound(system, work)


@PATIENT
@given(cases)
def test_another_feed_costs_at_least_one_call(case):
    system, work = case
    more = replace(work, feeds={**work.feeds, "another": 0})

    assert lower_bound(system, more) == lower_bound(system, work) + 1


@pytest.mark.parametrize(
    ("work", "read", "write"),
    [
        (Work(feeds={"customers": 101, "tickets": 100, "events": 0}), 4, 0),
        (Work(lists={"customers.phone": 250}), 3, 0),
        (Work(details={"customer": 7}, lookups=2), 9, 0),
        (Work(creates={"customer": 3, "customer.data": 2, "ticket": 4}), 3, 9),
        (Work(updates={"customer": 2, "customer.data": 1, "ticket": 5, "ticket.tags_added": 2}), 0, 10),
        (Work(updates={"ticket.tags_removed": 2}), 0, 2),
    ],
)
def test_gorgias_reads_pages_of_a_hundred_and_writes_one_by_one(work, read, write):
    assert terms(System.GORGIAS, work) == {"read": read, "write": write}


@pytest.mark.parametrize(
    ("work", "read", "write"),
    [
        (Work(feeds={"contacts": 201}), 2, 0),
        (Work(feeds={"tickets": 201}), 2, 0),
        (Work(feeds={"tickets": 201}, partial={"tickets": 201}), 4, 0),
        (Work(feeds={"tickets": 0, "tickets.look": 0}), 2, 0),
        (Work(feeds={"tickets": 9, "tickets.look": 9}, partial={"tickets": 1, "tickets.look": 0}), 3, 0),
        (Work(lists={"contacts": 201, "tickets": 201}), 6, 0),
        (Work(details={"customer": 150, "ticket": 1}, lookups=101), 5, 0),
        (Work(creates={"customer": 101, "ticket": 100, "ticket.customer": 100}), 2, 3),
        (Work(updates={"customer": 100, "customer.email_2": 3, "ticket.customer": 1001}), 0, 6),
        (Work(updates={"ticket": 1001}), 2, 11),
    ],
)
def test_hubspot_reads_searches_of_two_hundred_and_writes_in_batches(work, read, write):
    assert terms(System.HUBSPOT, work) == {"read": read, "write": write}


@pytest.mark.parametrize(
    ("work", "read", "write"),
    [
        (Work(feeds={"customers.changes": 1001, "tickets.changes": 0}), 5, 0),
        (Work(lists={"customers.list": 1001}), 2, 0),
        (Work(creates={"customer": 501, "ticket": 1}, updates={"ticket": 500}), 2, 4),
    ],
)
def test_the_erp_reads_its_log_and_then_the_rows(work, read, write):
    assert terms(System.ERP, work) == {"read": read, "write": write}


def test_page_and_batch_sizes_of_an_account_replace_the_usual_ones():
    work = Work(feeds={"customers": 1000}, updates={"customer": 100})

    assert lower_bound(System.HUBSPOT, work, {"customers": 100}, {"customer": 10}) == 20


def test_counts_below_zero_and_unknown_kinds_are_refused():
    with pytest.raises(ValueError, match="below 0"):
        lower_bound(System.ERP, Work(feeds={"customers": -1}))
    with pytest.raises(ValueError, match="below 0"):
        lower_bound(System.ERP, Work(lookups=-1))
    with pytest.raises(ValueError, match=r"customer\.data"):
        lower_bound(System.HUBSPOT, Work(updates={"customer.data": 1}))
