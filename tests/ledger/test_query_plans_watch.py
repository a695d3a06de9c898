"""What the pages of runs and of the status ask is answered by indexes over what waits, and by ranges of numbers."""

from __future__ import annotations

import re

import pytest

from sync_platform.ledger import spans
from sync_platform.sync import overview, runs
from sync_platform.sync.accounting import Standing
from tests.ledger.test_query_plans import NOW, filled, plans

__all__ = ["filled"]
GROWING = {"record", "link", "observation", "decision", "intent", "receipt", "parked", "review", "match_key", "inbox"}
RANGES = {
    "what a run saw": lambda c: runs.saw(c, "r", 5, 900, None),
    "what a run decided": lambda c: runs.decided(c, "r", 5, 900, 7),
    "what a run wrote": lambda c: runs.wrote(c, 5, 900, None),
    "what a run at work wrote": lambda c: runs.wrote(c, 5, None, 7),
}


def walked(plan: str, *, postgres: bool) -> set[str]:
    """Tables that a plan reads from the first row to the last."""
    if postgres:
        return set(re.findall(r'"Node Type": "Seq Scan".*?"Relation Name": "(\w+)"', plan))
    return {found[1] for line in plan.splitlines() if (found := re.fullmatch(r"SCAN (\w+)", line))}


def test_what_waits_is_told_without_a_walk_over_what_grows(filled):
    found = plans(filled, overview.waiting)
    assert len(found) >= 6
    for sql, plan in found:
        assert not walked(plan, postgres=filled.postgres) & GROWING, f"{sql}\n{plan}"


@pytest.mark.parametrize("name", RANGES)
def test_a_run_is_told_from_its_own_range_of_numbers(filled, name):
    for sql, plan in plans(filled, RANGES[name]):
        assert not walked(plan, postgres=filled.postgres) & GROWING, f"{sql}\n{plan}"


def test_the_end_of_every_table_is_found_by_its_key(filled):
    for sql, plan in plans(filled, spans.reached):
        assert not walked(plan, postgres=filled.postgres) & GROWING, f"{sql}\n{plan}"


def test_what_every_cycle_counts_is_counted_by_small_indexes(filled):
    found = plans(filled, lambda conn: Standing.load(conn, NOW))
    for (sql, plan), index in zip(found[-3:], ("ix_link_standing", "ix_record_born", "ix_record_ended"), strict=True):
        assert index in plan, f"{sql}\n{plan}"
        assert filled.postgres or "COVERING" in plan or index == "ix_record_ended", plan
