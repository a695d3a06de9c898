"""The desk as a person uses it: in a real Chromium, against a `serve` process, with a sync after each act."""

from __future__ import annotations

import pytest

from tests.web.conftest import WAIT_MS
from tests.web.filled import (
    HELD_MOST,
    VIEWER_TOKEN,
    alike,
    disagree,
    env_of,
    refused,
    rename,
    review_of,
    world,
)
from tests.web.looks import faults
from tests.web.serving import served

pytestmark = pytest.mark.browser
WHY = "asked on the phone"
LIGHT, DARK, NARROW = {"color_scheme": "light"}, {"color_scheme": "dark"}, {"viewport": {"width": 390, "height": 800}}


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    """A world of this module alone, whose sandbox runs: each test takes its own people."""
    with world(tmp_path_factory.mktemp("live")) as one:
        yield one


@pytest.fixture(scope="module")
def address(live):
    with served(live.settings.root, live.settings.ledger_url, **env_of(live.settings)) as one:
        yield one.ready["pages"]


@pytest.fixture(scope="module")
def people(live):
    return list(live.trios("customer").items())


@pytest.fixture
def at(watched, address):
    """`at("/reviews/3")`: that page of the living world, as somebody who may act."""
    return lambda path, **settings: watched.signed_in(address, path, **settings)


def why(page, part=None):
    (page if part is None else page.get_by_role("region", name=part)).get_by_role("textbox", name="Why").fill(WHY)


def companies(live, ids):
    found = live.row("hubspot", "customer", ids["hubspot"])["properties"].get("company")
    return {found, live.row("erp", "customer", ids["erp"])["company"]}


# --- for everybody


@pytest.mark.parametrize("look", [LIGHT, DARK, NARROW], ids=["light", "dark", "narrow"])
def test_every_page_of_the_desk_is_for_everybody(browse, pages_url, filled_ledger, look):
    numbers = filled_ledger.numbers
    reviews = [row[0] for row in filled_ledger.desk.ledger("SELECT id FROM review")]
    paths = [
        *(f"/reviews/{number}" for number in reviews),
        "/reviews?state=closed",
        "/parked",
        f"/parked/{numbers['parked']}",
        "/plans",
        f"/plans/{numbers['hold_erp']}",
        f"/plans/{filled_ledger.plan}",
        f"/undo?record={filled_ledger.records['conflict']}",
        "/acts",
    ]
    page = browse("/reviews", **look)
    found = {"/reviews": faults(page)}
    for path in paths:
        page.goto(f"{pages_url}{path}")
        found[path] = faults(page)
    assert {path: wrong for path, wrong in found.items() if wrong} == {}
    assert len(found) == len(paths) + 1


def test_a_viewer_sees_the_evidence_and_no_button(watched, pages_url, filled_ledger):
    page = watched.signed_in(pages_url, f"/reviews/{filled_ledger.numbers['review']}", token=VIEWER_TOKEN)
    assert page.get_by_text("Copper Lamp Ltd").is_visible()
    assert page.get_by_text("You are signed in for reading").is_visible()
    assert page.get_by_role("button").all_inner_texts() == ["Sign out"]


# --- acts


def test_a_value_is_chosen_by_the_keyboard_alone(live, people, at):
    _, ids = people.pop()
    disagree(live, ids)
    page = at("/reviews")
    page.get_by_role("link", name="Which company?").focus()
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Which company?").wait_for()
    page.get_by_role("radio", name="Take this value").first.focus()
    page.keyboard.press("Space")
    page.get_by_role("textbox", name="Why").focus()
    page.keyboard.type(WHY)
    page.keyboard.press("Enter")
    page.get_by_text("answered", exact=True).wait_for()
    assert page.get_by_text("kim chose a system's value").first.is_visible()
    live.later()
    assert companies(live, ids) == {"Copper Lamp"}
    page.reload()
    assert page.get_by_text("Nothing is left to do here").is_visible()
    assert page.get_by_text(WHY).is_visible()


def test_a_value_that_is_typed_chooses_itself(live, people, at):
    record, ids = people.pop()
    disagree(live, ids)
    page = at(f"/reviews/{review_of(live.settings, record)}")
    page.get_by_label("A value of your own").fill("Lamp & Sons")
    assert page.get_by_role("radio", name="Write").is_checked()
    why(page)
    page.get_by_role("button", name="Answer").click()
    page.get_by_text("answered", exact=True).wait_for()
    live.later()
    assert companies(live, ids) == {"Lamp & Sons"}


def test_the_desk_works_without_javascript(live, people, at):
    record, ids = people.pop()
    disagree(live, ids)
    page = at(f"/reviews/{review_of(live.settings, record)}", java_script_enabled=False)
    page.get_by_role("radio", name="Leave each side as it is").check()
    why(page)
    page.get_by_role("button", name="Answer").click()
    page.get_by_text("answered", exact=True).wait_for()
    live.later()
    assert companies(live, ids) == {"Copper Lamp", "Copper Lamp Ltd"}


def test_a_stale_page_says_who_was_quicker_and_leads_back(live, people, at, watched):
    record, ids = people.pop()
    disagree(live, ids)
    path = f"/reviews/{review_of(live.settings, record)}"
    slow, quick = at(path), at(path)
    for page, choice in ((quick, 0), (slow, 1)):
        page.get_by_role("radio", name="Take this value").nth(choice).check()
        why(page)
        page.get_by_role("button", name="Answer").click()
    slow.get_by_role("heading", name="Somebody was quicker").wait_for()
    assert slow.get_by_text(WHY).is_visible()
    assert any(said.startswith("409") for said in watched.wrong)
    watched.wrong.clear()
    slow.get_by_role("link", name="Look at it as it is now").click()
    slow.get_by_role("heading", name="Which company?").wait_for()
    live.later()
    assert companies(live, ids) == {"Copper Lamp"}


def test_a_button_that_is_pressed_twice_acts_once(live, people, at):
    record, ids = people.pop()
    number = refused(live, record, ids, "Pressed twice")
    page = at(f"/parked/{number}")
    why(page, "Try again")
    page.get_by_role("button", name="Try again").dblclick()
    page.get_by_text("asked for another try").first.wait_for()
    live.later()
    assert live.row("gorgias", "customer", ids["gorgias"])["note"] == "Pressed twice"
    acts = live.ledger("SELECT who, why FROM act WHERE subject = :s", s=f"parked:{number}")
    assert [tuple(row) for row in acts] == [("kim", WHY)]


def test_a_write_is_given_up(live, people, at):
    record, ids = people.pop()
    number = refused(live, record, ids, "Given up")
    page = at(f"/parked/{number}")
    why(page, "Give up")
    page.get_by_role("button", name="Give up").click()
    page.get_by_text("gave it up").wait_for()
    live.later()
    assert live.row("gorgias", "customer", ids["gorgias"])["note"] != "Given up"


def test_two_records_become_one_after_the_plan_was_seen(live, at):
    number = alike(live, "4201")
    page = at(f"/reviews/{number}")
    page.get_by_role("radio").first.check()
    why(page, "They are one")
    page.get_by_role("button", name="Draw up the plan").click()
    page.get_by_role("heading", name="Two records become one").wait_for()
    assert page.get_by_text("comes from record").is_visible()
    assert page.get_by_text("moved since").count() == 0
    why(page, "Approve")
    page.get_by_role("button", name="Approve").click()
    page.get_by_text("approved", exact=True).wait_for()
    live.settled()
    page.reload()
    assert page.get_by_text("Carried out").is_visible()
    emails = {
        next(row["email"] for row in live.entity("erp", "customer").values() if row["phone"] == "+12125554201"),
        next(
            row["properties"]["email"]
            for row in live.entity("hubspot", "customer").values()
            if row["properties"].get("phone") == "+12125554201"
        ),
    }
    assert len(emails) == 1


def test_two_records_are_told_apart(live, at):
    number = alike(live, "4202")
    page = at(f"/reviews/{number}")
    why(page, "They are two")
    page.get_by_role("button", name="They are not one").click()
    page.get_by_text("kim said that they are not one").first.wait_for()
    live.settled()
    page.reload()
    assert page.get_by_text("told apart", exact=True).is_visible()
    assert live.ledger("SELECT count(*) FROM told_apart")[0][0] == 1


def test_a_hold_is_approved_and_another_dropped(live, at, address):
    trios = [ids for _, ids in live.trios("customer").items()][: HELD_MOST + 2]
    rename(live, trios)
    found = {one["system"]: int(one["hold"]) for one in live.later(7200)["held"]}
    page = at("/plans")
    page.get_by_role("link", name=f"{len(trios)} × customer name").first.wait_for()
    for system, word in (("erp", "Approve"), ("gorgias", "Drop")):
        page.goto(f"{address}/plans/{found[system]}")
        assert page.get_by_text("Brook").count() >= len(trios)
        why(page, word)
        page.get_by_role("button", name=f"{word} {len(trios)}").click()
        page.get_by_role("status").wait_for()
    live.settled()
    assert all(live.row("erp", "customer", ids["erp"])["last_name"].startswith("Brook") for ids in trios)
    page.goto(f"{address}/plans")
    assert page.get_by_role("region", name="Answered of late").get_by_role("link").count() >= 2


def test_an_undo_is_seen_kept_and_carried_out(live, people, at):
    record, ids = people.pop()
    before = live.row("erp", "customer", ids["erp"])["company"]
    live.edit("hubspot", "contacts", ids["hubspot"], company="A slip")
    live.later(2000)
    live.settled()
    page = at(f"/undo?record={record}")
    assert page.get_by_text("A slip").first.is_visible()
    why(page)
    page.get_by_role("button", name="Draw up the plan").click()
    page.get_by_role("heading", name="Undo", exact=True).wait_for()
    why(page, "Approve")
    page.get_by_role("button", name="Approve").click()
    page.get_by_text("approved", exact=True).wait_for()
    live.settled()
    assert live.row("erp", "customer", ids["erp"])["company"] == before


def test_everything_is_stopped_and_goes_on(live, at, address):
    page = at("/plans")
    why(page, "Stop everything")
    page.get_by_role("button", name="Pause").click()
    page.get_by_text("Paused by kim").first.wait_for()
    assert live.cycle()["outcome"] == "paused"
    page.goto(f"{address}/acts")
    page.get_by_role("link", name="resumes").click()
    why(page, "Go on")
    page.get_by_role("button", name="Resume").click()
    page.get_by_role("heading", name="Stop everything").wait_for(timeout=WAIT_MS)
    assert live.cycle()["outcome"] == "ok"


def test_who_did_what_is_listed(live, at):
    page = at("/acts")
    assert page.get_by_role("row").count() > 1
    assert page.get_by_text("kim").first.is_visible()
