"""Columns, runs and status in a real Chromium: for everybody, on every screen."""

from __future__ import annotations

import pytest

from tests.web.looks import faults

pytestmark = pytest.mark.browser
LOOKS = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "narrow": {"viewport": {"width": 390, "height": 800}},
    "without_script": {"java_script_enabled": False},
}
PATHS = ("/columns", "/columns?entity=ticket", "/runs", "/status")


@pytest.mark.parametrize("look", [one for one in LOOKS if one != "without_script"])
@pytest.mark.parametrize("path", PATHS)
def test_a_page_is_for_everybody(browse, path, look):
    assert faults(browse(path, **LOOKS[look])) == []


@pytest.mark.parametrize("look", [one for one in LOOKS if one != "without_script"])
def test_a_run_is_for_everybody(browse, look):
    page = browse("/runs", **LOOKS[look])
    page.locator("tbody th a").last.click()
    page.get_by_role("heading", name="What it decided").wait_for()
    assert faults(page) == []


def test_a_run_leads_to_its_decisions_and_they_back_to_it(browse):
    page = browse("/runs")
    page.locator("tbody th a").last.click()
    address = page.url
    page.get_by_role("region", name="What it decided").locator("tbody th a").first.click()
    assert "/decisions/" in page.url
    page.locator(f"a[href='{address[address.index('/runs/') :]}']").click()
    assert page.url == address


def test_a_field_is_chosen_without_a_script(browse):
    page = browse("/columns", **LOOKS["without_script"])
    page.locator("select[name=field]").select_option("phone")
    page.get_by_role("button", name="Show").click()
    assert page.locator("table.lineage tbody tr").count() == 1


def test_the_status_leads_to_what_waits(browse):
    page = browse("/status")
    page.locator(".gauge a[href='/reviews']").click()
    assert page.url.endswith("/reviews")
