"""Slow lists are kept with their age."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sync_platform.ledger.directory import forget, load, save

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
BODY = {"agents": {"7": "agent@example.com"}, "stages": {"0": {"1": "OPEN"}}, "options": {}}


def test_lists_are_used_until_they_are_too_old(ledger):
    save(ledger, "hubspot", BODY, now=NOON)
    assert load(ledger, "hubspot", 3600, now=NOON + timedelta(minutes=60)) == BODY
    assert load(ledger, "hubspot", 3600, now=NOON + timedelta(minutes=61)) is None


def test_a_system_without_lists_has_none(ledger):
    save(ledger, "hubspot", BODY)
    assert load(ledger, "gorgias", 3600) is None
    assert load(ledger, "hubspot", 3600) == BODY


def test_lists_read_again_replace_the_old_ones(ledger):
    save(ledger, "hubspot", BODY, now=NOON - timedelta(days=9))
    save(ledger, "hubspot", {"agents": {}}, now=NOON)
    assert load(ledger, "hubspot", 10, now=NOON) == {"agents": {}}


def test_forgotten_lists_are_read_anew(ledger):
    save(ledger, "hubspot", BODY)
    forget(ledger, "hubspot")
    assert load(ledger, "hubspot", 1e9) is None
