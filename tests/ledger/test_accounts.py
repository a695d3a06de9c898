"""A ledger belongs to its accounts."""

from __future__ import annotations

import pytest

from sync_platform.errors import NotSetUp, WrongAccount
from sync_platform.ledger.accounts import check, stamp, stamped

OURS = {"gorgias": ("acme", False), "hubspot": ("4711", False), "erp": ("b1946ac9", False)}


def test_the_accounts_of_the_set_up_pass(ledger):
    stamp(ledger, OURS)
    stamp(ledger, OURS)
    check(ledger, OURS)
    check(ledger, {"hubspot": OURS["hubspot"]})
    assert stamped(ledger, "gorgias") == ("acme", False)


def test_before_the_set_up_nothing_runs(ledger):
    assert stamped(ledger, "gorgias") is None
    stamp(ledger, {"gorgias": OURS["gorgias"]})
    with pytest.raises(NotSetUp, match="hubspot"):
        check(ledger, OURS)


@pytest.mark.parametrize("found", [("other", False), ("acme", True)])
def test_another_account_is_named_with_the_one_expected(ledger, found):
    stamp(ledger, OURS)
    for meet in (check, stamp):
        with pytest.raises(WrongAccount) as refused:
            meet(ledger, OURS | {"gorgias": found})
        assert refused.value.system == "gorgias"
        assert "belongs to account acme;" in str(refused.value)
        assert f"found account {found[0]}" in str(refused.value)
    check(ledger, OURS)


def test_a_stamp_is_whole_or_not_at_all(ledger):
    stamp(ledger, {"hubspot": OURS["hubspot"]})
    with pytest.raises(WrongAccount):
        stamp(ledger, {"gorgias": OURS["gorgias"], "hubspot": ("other", False)})
    assert stamped(ledger, "gorgias") is None


def test_an_account_without_identity_is_not_stamped(ledger):
    with pytest.raises(NotSetUp, match="erp"):
        stamp(ledger, OURS | {"erp": ("", False)})
    assert stamped(ledger, "gorgias") is None
