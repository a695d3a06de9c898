"""The table of facts: each row has a test that is there and speaks HTTP, each switch is in the table and the other way.

That each of these tests also passes is looked at when the whole suite has run (tests/conftest.py).
"""

import pytest

from sync_platform.sandbox.world import Switches
from tests.sandbox import reference

TABLE = reference.rows()
HEAD = "| what | tier | confidence | switch | test |\n| --- | --- | --- | --- | --- |\n"


def test_the_table_has_rows_for_both_vendors():
    sections = reference.PAGE.read_text(encoding="utf-8")
    assert "## Gorgias" in sections
    assert "## HubSpot" in sections
    assert len(TABLE) > 200


def test_no_row_is_without_a_test_that_is_there():
    assert [f"line {row.line}: {row.what}" for row in TABLE if not reference.there(row.test)] == []


def test_every_test_of_the_table_speaks_http():
    assert (
        sorted({row.test for row in TABLE if reference.there(row.test) and not reference.speaks_http(row.test)}) == []
    )


def test_every_row_has_a_tier_and_a_confidence():
    assert [row.line for row in TABLE if row.tier not in ("A", "B", "C") or not row.confidence] == []


def test_every_switch_of_a_vendor_is_in_the_table_and_every_switch_of_the_table_exists():
    from sync_platform.sandbox.gorgias import switches as gorgias_switches
    from sync_platform.sandbox.hubspot import switches as hubspot_switches

    switches = Switches()
    gorgias_switches.register(switches)
    hubspot_switches.register(switches)
    names = {entry["name"] for entry in switches.listing()}
    used = {name for row in TABLE for name in row.switches}
    assert used - names == set()
    assert names - used == set()


@pytest.mark.parametrize(
    ("passed", "words"),
    [
        ({}, "did not run"),
        ({"tests/a.py::test_b": False}, "did not pass"),
    ],
)
def test_the_checker_names_a_row_whose_test_did_not_pass(passed, words):
    text = HEAD + "| a | A | doc |  | `tests/a.py::test_b` |"
    found = reference.of_no_test(reference.rows(text), passed)
    assert len(found) == 1
    assert words in found[0]


def test_the_checker_names_a_row_without_a_test():
    text = HEAD + "| a | A | doc |  |  |"
    assert "no test for: a" in reference.of_no_test(reference.rows(text), {})[0]


def test_the_checker_is_content_with_a_row_whose_test_passed():
    text = HEAD + "| a | A | doc |  | `tests/a.py::test_b` |"
    assert reference.of_no_test(reference.rows(text), {"tests/a.py::test_b": True}) == []
