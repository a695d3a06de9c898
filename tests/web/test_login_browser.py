"""Signing in as a person does it, in a real Chromium."""

from __future__ import annotations

import pytest

from tests.web.filled import VIEWER_TOKEN
from tests.web.looks import faults

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(
    "look", [{"color_scheme": "light"}, {"color_scheme": "dark"}, {"viewport": {"width": 390, "height": 800}}]
)
def test_the_page_to_sign_in_is_for_everybody(watched, pages_url, look):
    page = watched.page(**look)
    page.goto(f"{pages_url}/login")
    assert faults(page) == []


def test_a_wrong_token_is_said_and_the_right_one_leads_on(watched, pages_url):
    page = watched.page()
    page.goto(f"{pages_url}/reviews")
    page.get_by_label("Your name").fill("rae")
    page.get_by_label("Token", exact=True).fill("a guess")
    page.keyboard.press("Enter")
    assert "not a token" in page.get_by_role("alert").inner_text()
    watched.wrong.clear()
    page.get_by_label("Your name").fill("rae")
    page.get_by_label("Token", exact=True).fill(VIEWER_TOKEN)
    page.keyboard.press("Enter")
    page.get_by_text("(reads)").wait_for()
    assert page.url == f"{pages_url}/reviews"
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("heading", name="Sign in").wait_for()
    page.goto(f"{pages_url}/reviews")
    assert page.url.startswith(f"{pages_url}/login")
