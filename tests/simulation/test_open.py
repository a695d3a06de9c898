"""Stories that break a promise today: each is expected to fail, and says so when it no longer does."""

import pytest

from sync_platform.simulation.run import play

OPEN = {
    "a merge in HubSpot before the ERP was read takes the one's ERP row for the other's": ("I9", 37, [
        ["person", 1, ["gorgias", "erp", "hubspot"], ["hubspot"]], ["person", 3, ["erp", "hubspot"], ["erp"]],
        ["pull", "hubspot", "customer"], ["push", "gorgias", "customer"], ["merge", "hubspot", 1, 2, 0], ["quiet"],
    ]),
    "of two merges in a row, the second before the first was followed, one asks nobody": ("I14", 69, [
        ["person", 1, ["gorgias"], []], ["person", 2, ["erp"], ["erp"]],
        ["person", 3, ["hubspot", "erp", "gorgias"], ["gorgias"]], ["quiet"], ["merge", "hubspot", 0, 1, 1],
        ["pull", "hubspot", "customer"], ["reconcile", "customer"], ["merge", "hubspot", 0, 1, 1], ["quiet"],
    ]),
}  # fmt: skip


def violated(name):
    _, seed, script = OPEN[name]
    return {one.invariant for one in play(script, seed=seed).violations}


@pytest.mark.xfail(strict=True, reason="open: see docs/reference/consistency.md")
@pytest.mark.parametrize("name", OPEN)
def test_what_is_open_is_mended(name):
    assert violated(name) == set()


@pytest.mark.parametrize("name", OPEN)
def test_what_is_open_breaks_what_the_reference_says(name):
    assert OPEN[name][0] in violated(name)
