"""What names a person is found wherever it stands in the ledger, letter by letter."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sync_platform.ledger import erasure, journal
from sync_platform.ledger.database import Ledger


def note(ledger: Ledger, words: str) -> None:
    with ledger.begin() as conn:
        row = {
            "system": "erp",
            "entity": "customer",
            "external_id": "1",
            "fields": {"email": [words], "note": "x"},
            "mapping_version": "1",
            "observed_at": datetime(2026, 5, 1, tzinfo=UTC),
            "channel": "poll",
            "taken": True,
        }
        journal.add_observations(conn, [row])


@pytest.mark.parametrize(
    "text", ["ada@example.com", "jörg@example.com", 'a"b@example.com', "a\\b@example.com", "a%b/c_d@x.test"]
)
def test_a_text_is_found_and_blotted_out_as_it_is_spelt(ledger: Ledger, text: str) -> None:
    note(ledger, f"before {text} after")
    with ledger.begin() as conn:
        assert erasure.mentions(conn, {text}) == 1
        erasure.purge(conn, erasure.Person([], [], {text}))
        assert erasure.mentions(conn, {text}) == 0


@pytest.mark.parametrize("text", ["ad_@example.com", "%@example.com", "ada@example"])
def test_signs_of_patterns_stand_for_themselves(ledger: Ledger, text: str) -> None:
    note(ledger, "ada@example.com")
    with ledger.read() as conn:
        assert erasure.mentions(conn, {text}) == (1 if text == "ada@example" else 0)


@pytest.mark.parametrize("count", [1, 9, 10, 11, 20, 21, 45])
def test_however_many_texts_each_is_looked_for(ledger: Ledger, count: int) -> None:
    note(ledger, "p7@example.com")
    texts = {f"p{number}@example.com" for number in range(7, 7 + count)}
    with ledger.read() as conn:
        assert erasure.mentions(conn, texts) == 1
        assert erasure.mentions(conn, {"q" + text for text in texts}) == 0
