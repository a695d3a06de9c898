"""The pages of records as people use them: in a real Chromium, over the filled ledger."""

from __future__ import annotations

import json
import re

import pytest

pytestmark = pytest.mark.browser

# The least contrast of words against what they stand on, as WCAG 2 computes it, with what has it.
LEAST_CONTRAST = """() => {
  const parts = (color) => color.match(/[\\d.]+/g).map(Number);
  const linear = (part) => (part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
  const light = ([r, g, b]) => 0.2126 * linear(r / 255) + 0.7152 * linear(g / 255) + 0.0722 * linear(b / 255);
  const ground = (one) => {
    for (let at = one; at; at = at.parentElement) {
      if (at.localName === "g" || at.localName === "a") {
        const box = at.querySelector(":scope > rect");
        if (box && one !== box) return parts(getComputedStyle(box).fill);
      }
      const back = parts(getComputedStyle(at).backgroundColor);
      if (back.length === 3 || back[3] > 0) return back;
    }
    return [255, 255, 255];
  };
  let least = [99, ""];
  for (const one of document.querySelectorAll("body *")) {
    const own = [...one.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || !one.getClientRects().length || ["title", "desc", "script", "option"].includes(one.localName)) continue;
    const style = getComputedStyle(one);
    const inSvg = one.namespaceURI.endsWith("svg");
    const [ink, card] = [light(parts(inSvg ? style.fill : style.color)), light(ground(one))];
    const ratio = (Math.max(ink, card) + 0.05) / (Math.min(ink, card) + 0.05);
    if (ratio < least[0]) least = [ratio, one.outerHTML.slice(0, 120)];
  }
  return least;
}"""
# What takes part in the page and has no name that a screen reader could say.
NAMELESS = """() => {
  const named = (one) => one.getAttribute("aria-label") || one.getAttribute("aria-labelledby") || one.labels?.length
    || one.textContent.trim();
  return [...document.querySelectorAll("a, button, input:not([type=hidden]), select, svg, summary, [role=region]")]
    .filter((one) => !named(one)).map((one) => one.outerHTML.slice(0, 120));
}"""
DOUBLE_IDS = """() => {
  const ids = [...document.querySelectorAll("[id]")].map((one) => one.id);
  return ids.filter((one, at) => ids.indexOf(one) !== at);
}"""


@pytest.fixture(scope="session")
def paths(filled_ledger):
    records = filled_ledger.records
    return {
        "list": "/records",
        "merged": "/records?what=merged",
        "conflict": f"/records/{records['conflict']}?field=phone",
        "review": f"/records/{records['review']}",
        "parked": f"/records/{records['parked']}",
        "deleted": f"/records/{records['deleted']}",
        "ticket": f"/records/{next(iter(filled_ledger.desk.trios('ticket')))}",
        "past": f"/records/{records['conflict']}?at=2100-01-01T00:00:00",
        "observation": "/observations/1",
        "decision": "/decisions/1",
        "intent": "/intents/1",
    }


def value_of(filled, what, name):
    ((raw,),) = filled.desk.ledger("SELECT fields FROM record WHERE id = :id", id=filled.records[what])
    return json.loads(raw)[name]


def test_somebody_is_found_opened_and_explained(browse, filled_ledger):
    page = browse("/records")
    page.get_by_label("Find a customer or a ticket").fill(value_of(filled_ledger, "conflict", "email"))
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name=value_of(filled_ledger, "conflict", "name")["full"]).click()
    assert "@" not in page.url
    page.get_by_role("link", name="Phone", exact=True).click()
    page.get_by_role("heading", name="Why Phone is +12125550182").wait_for()
    page.wait_for_url("**?field=phone#way")
    drawing = page.get_by_role("group", name="The way of Phone")
    drawing.get_by_role("link", name=re.compile(r"by rule owner")).click()
    page.get_by_role("heading", name=re.compile("Decision")).wait_for()
    assert page.get_by_text("won", exact=True).is_visible()
    assert page.get_by_text("lost", exact=True).is_visible()
    page.get_by_role("link", name="its record").click()
    page.get_by_role("heading", name="Why Phone is +12125550182").wait_for()


def test_a_field_opens_in_place_and_the_way_back_works(browse, filled_ledger, paths):
    page = browse(paths["conflict"])
    page.evaluate("document.body.dataset.here = 'still'")
    page.get_by_role("link", name="Language", exact=True).click()
    page.get_by_role("heading", name=re.compile("Why Language")).wait_for()
    assert page.evaluate("document.body.dataset.here") == "still"
    page.get_by_label("Field", exact=True).select_option("name")
    page.locator("#way").get_by_role("button", name="Show").click()
    page.get_by_role("heading", name=re.compile("Why Name")).wait_for()
    assert page.evaluate("document.body.dataset.here") == "still"
    assert "field=name" in page.url


def test_everything_works_without_scripts(browse, filled_ledger, paths):
    page = browse(paths["conflict"], java_script_enabled=False)
    page.get_by_role("link", name="Language", exact=True).click()
    page.get_by_role("heading", name=re.compile("Why Language")).wait_for()
    page.get_by_label("Field", exact=True).select_option("phone")
    page.locator("#way").get_by_role("button", name="Show").click()
    page.get_by_role("heading", name=re.compile("Why Phone")).wait_for()
    page.locator("#field-phone summary").click()
    assert page.locator("#field-phone .reasons").is_visible()
    page.get_by_role("link", name="as it was then").last.click()
    page.get_by_role("heading", name=re.compile("As it was")).wait_for()


def test_a_moment_is_chosen_and_shown(browse, filled_ledger, paths):
    page = browse(paths["conflict"])
    page.get_by_label("As of (UTC)").fill("2100-01-01T00:00:00")
    page.locator(".asof").get_by_role("button", name="Show").click()
    page.get_by_role("heading", name="As it was 2100-01-01 00:00:00").wait_for()
    assert page.get_by_label("As of (UTC)").input_value().startswith("2100-01-01T00:00")
    assert page.locator("tr", has_text="Phone").get_by_text("+12125550182").count() >= 3


def test_the_keyboard_reaches_the_drawing(browse, paths):
    page = browse(paths["conflict"])
    drawn = page.locator("svg.way a")
    assert drawn.count() >= 4
    drawn.first.focus()
    assert page.evaluate("document.activeElement.closest('svg') !== null")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name=re.compile("Observation")).wait_for()


NAMES = (
    "list",
    "merged",
    "conflict",
    "review",
    "parked",
    "deleted",
    "ticket",
    "past",
    "observation",
    "decision",
    "intent",
)


@pytest.mark.parametrize("name", NAMES)
def test_a_page_can_be_seen_heard_and_held_in_a_hand(browse, paths, name):
    page = browse(paths[name])
    # Signing in leads there by a form, which waits for no style sheet.
    page.wait_for_load_state("load")
    for settings in ({"color_scheme": "light"}, {"color_scheme": "dark"}):
        page.emulate_media(**settings)
        ratio, what = page.evaluate(LEAST_CONTRAST)
        assert ratio >= 4.5, (settings, what)
    assert page.evaluate(NAMELESS) == []
    assert page.evaluate(DOUBLE_IDS) == []
    assert page.locator("h1").count() == 1
    assert page.locator("main").count() == 1
    assert page.locator("table th:not([scope])").count() == 0
    for table in page.locator("table").all():
        assert table.locator("thead th").count() >= 2
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
