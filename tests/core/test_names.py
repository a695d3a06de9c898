"""Names are found however they are typed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync_platform.core.names import LENGTH_MAX, found_by, spelling
from sync_platform.core.records import Entity


@pytest.mark.parametrize(
    ("typed", "spelt"),
    [
        ("Ada Lovelace", "ada lovelace"),
        ("  ADA\t lovelace ", "ada lovelace"),
        ("Zoë van Dam", "zoe van dam"),
        ("Łukasz Żak", "łukasz zak"),
        ("Straße", "strasse"),
        ("李小龍", "李小龍"),
        ("", ""),
    ],
)
def test_case_accents_and_blanks_do_not_count(typed, spelt):
    assert spelling(typed) == spelt


@given(st.text(max_size=300))
def test_a_spelling_is_its_own_spelling_and_bounded(text):
    once = spelling(text)
    assert spelling(once) == once
    assert len(once) <= LENGTH_MAX


def test_a_customer_is_found_by_first_and_by_last_name_a_ticket_by_its_subject():
    name = {"full": "Mary Ann Evans", "first": "Mary Ann", "last": "Evans"}
    assert found_by(Entity.CUSTOMER, {"name": name}) == ("mary ann evans", "evans mary ann")
    assert found_by(Entity.CUSTOMER, {"name": {"full": "Cher", "first": None, "last": None}}) == ("cher", None)
    assert found_by(Entity.CUSTOMER, {}) == (None, None)
    assert found_by(Entity.TICKET, {"subject": "Where is it?", "name": name}) == ("where is it?", None)
