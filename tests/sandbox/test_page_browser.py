"""The page on the control port as a person uses it: in a real Chromium, with the whole sandbox behind it."""

import re
import shutil

import httpx
import pytest

from sync_platform.sandbox.server import Options, running

pytestmark = pytest.mark.browser
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
WAIT_MS = 15_000
# The least contrast of words on a card, as WCAG 2 computes it.
LEAST_CONTRAST = """() => {
  const linear = (part) => (part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
  const light = (color) => {
    const [r, g, b] = color.match(/[\\d.]+/g).map((part) => linear(part / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const style = (name) => getComputedStyle(document.querySelector(name));
  const card = light(style(".card").backgroundColor);
  return Math.min(...[".heading", ".below", ".quiet", ".label", "button.bad", "h2"].map((name) => {
    const ink = light(style(name).color);
    return (Math.max(ink, card) + 0.05) / (Math.min(ink, card) + 0.05);
  }));
}"""
# What takes part in the page and has no name that a screen reader could say.
NAMELESS = """() => {
  const named = (one) => one.getAttribute("aria-label") || one.labels?.length || one.textContent.trim();
  return [...document.querySelectorAll("button, input, select, textarea, svg[role=img]")]
    .filter((one) => !named(one)).map((one) => one.outerHTML.slice(0, 120));
}"""


@pytest.fixture(scope="module")
def chromium():
    playwright = pytest.importorskip("playwright.sync_api", reason="no playwright: install the extra `e2e`")
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    with playwright.sync_playwright() as driver:
        # Without its sandbox: a container's root may not make one, and the page is our own.
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def ready(tmp_path_factory):
    options = Options(
        customers=40,
        tickets=60,
        data_dir=tmp_path_factory.mktemp("page"),
        gorgias_port=0,
        hubspot_port=0,
        control_port=0,
    )
    with running(options) as line:
        yield line


@pytest.fixture(scope="module")
def control(ready):
    with httpx.Client(base_url=ready["control"]["url"], timeout=20) as client:
        yield client


@pytest.fixture
def seen(chromium, ready):
    """Call for the page as loaded with these settings; afterwards it must have met no error and no refusal."""
    opened, wrong = [], []

    def look(**settings):
        context = chromium.new_context(**{"viewport": {"width": 1400, "height": 900}, **settings})
        context.set_default_timeout(WAIT_MS)
        opened.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda said: wrong.append(said.text) if said.type in ("error", "warning") else None)
        page.on(
            "response", lambda answer: wrong.append(f"{answer.status} {answer.url}") if answer.status >= 400 else None
        )
        page.goto(ready["control"]["url"])
        page.locator("#columns .item").first.wait_for()
        page.locator("#state", has_text="live").wait_for()
        return page

    look.wrong = wrong
    yield look
    for context in opened:
        context.close()
    assert wrong == []


def column(page, system):
    return page.locator(f"#columns .{system}")


def first_row(control, system, kind):
    return control.get(f"/rows/{system}/{kind}", params={"limit": 1}).json()["rows"][0]


def wait_until(page, condition):
    """Until `condition()` holds; the page lives on meanwhile."""
    for _ in range(WAIT_MS // 50):
        if condition():
            return
        page.wait_for_timeout(50)
    raise AssertionError("it did not come about")


def test_the_page_shows_what_each_system_holds(seen, control):
    page = seen()
    for system, kind in (("gorgias", "customers"), ("hubspot", "contacts"), ("erp", "customers")):
        kinds = control.get("/overview").json()["systems"][system]["kinds"]
        count = next(entry["live"] for entry in kinds if entry["kind"] == kind)
        assert (
            column(page, system).get_by_role("button", name=f"{count} {kind}", exact=True).get_attribute("aria-pressed")
        )
        assert column(page, system).locator(".item").count() == 8


def test_the_next_event_of_the_day_is_told_done_and_seen(seen, control):
    page = seen()
    told = page.locator("#script-next b").inner_text()
    done = control.get("/overview").json()["script"]["done"]
    page.get_by_role("button", name="Next event").click()
    page.locator("#script-log", has_text=told).wait_for()
    assert control.get("/overview").json()["script"]["done"] == done + 1
    page.locator("#script-log").get_by_role("button").first.click()
    page.get_by_role("dialog").wait_for()
    assert '"id"' in page.locator("#record .json").inner_text()


@pytest.mark.parametrize(
    ("system", "kind", "label", "read"),
    [
        ("gorgias", "customers", "Name", lambda row: row["name"]),
        ("hubspot", "contacts", "First name", lambda row: row["properties"]["firstname"]),
        ("erp", "customers", "Note", lambda row: row["note"]),
    ],
)
def test_a_row_is_opened_and_edited(seen, control, system, kind, label, read):
    page = seen()
    row_id = str(first_row(control, system, kind)["id"])
    column(page, system).locator(f'.item[data-id="{row_id}"]').click()
    page.get_by_role("dialog").get_by_label(label, exact=True).fill(f"Edited in {system}")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("dialog").wait_for(state="hidden")
    row = first_row(control, system, kind)
    assert (str(row["id"]), read(row)) == (row_id, f"Edited in {system}")


def test_a_row_is_made_found_by_search_and_deleted(seen, control):
    page = seen()
    gorgias = column(page, "gorgias")
    gorgias.get_by_role("button", name="New …").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name", exact=True).fill("Nora Neumann")
    dialog.get_by_label("E-mail", exact=True).fill("nora.neumann@example.org")
    dialog.get_by_role("button", name="Make it").click()
    dialog.wait_for(state="hidden")
    gorgias.get_by_label("Search in Gorgias").fill("neumann")
    wait_until(page, lambda: gorgias.locator(".item").count() == 1)
    gorgias.locator(".item", has_text="Nora Neumann").click()
    dialog.get_by_role("button", name="Delete").click()
    dialog.get_by_role("button", name="Really delete?").click()
    gorgias.locator(".item .badge", has_text="deleted").wait_for()
    rows = control.get("/rows/gorgias/customers", params={"q": "neumann"}).json()["rows"]
    assert [bool(row["deleted_at"]) for row in rows] == [True]


def test_what_the_sandbox_refuses_is_said_in_its_words(seen):
    page = seen()
    column(page, "hubspot").locator(".item").first.click()
    page.get_by_role("dialog").get_by_label("E-mail", exact=True).evaluate("field => { field.type = 'text'; }")
    page.get_by_role("dialog").get_by_label("E-mail", exact=True).fill("no address")
    with page.expect_response("**/edit") as answer:
        page.get_by_role("button", name="Save").click()
    assert answer.value.status == 400
    assert page.locator(".toast.bad").inner_text() == answer.value.json()["error"]
    wait_until(page, lambda: len(seen.wrong) == 2)  # the refusal itself: the answer, and the browser's word on it
    seen.wrong.clear()


def test_one_person_is_compared_and_a_difference_marked(seen, control):
    made = {
        "gorgias": ("customers", {"name": "Pia Paar", "email": "pia@example.org", "phone": "+1 212 555 0123"}),
        "hubspot": (
            "contacts",
            {"firstname": "Pia", "lastname": "Paar", "email": "pia@example.org", "phone": "(212) 555-0123"},
        ),
        "erp": ("customers", {"full_name": "Pia P. Paar", "email": "pia@example.org"}),
    }
    for system, (kind, values) in made.items():
        control.post("/edit", json={"system": system, "kind": kind, "id": None, "set": values}).raise_for_status()
    page = seen()
    page.get_by_label("E-mail, name or phone").fill("pia@example.org")
    page.get_by_role("button", name="Compare").click()
    table = page.locator(".compare")
    assert "differs" in table.locator("tr", has_text="Pia P. Paar").inner_text()
    assert "same, written otherwise" in table.locator("tr", has_text="+1 212 555 0123").inner_text()
    page.get_by_label("E-mail, name or phone").fill("paar")
    page.get_by_role("button", name="Compare").click()
    page.locator("#person-answer .item", has_text="Pia Paar").first.click()
    table.wait_for()


def test_calls_are_listed_and_plotted_against_the_limit(seen, control, ready):
    page = seen()
    gorgias, auth = ready["gorgias"], (ready["gorgias"]["email"], ready["gorgias"]["api_key"])
    control.put("/faults", json=[{"system": "gorgias", "path": "*", "kind": "5xx", "times": 1}])
    with httpx.Client(base_url=gorgias["url"], auth=auth) as client:
        answers = [client.get("/api/customers", params={"limit": 1}).status_code for _ in range(45)]
    control.put("/faults", json=[])
    assert (answers.count(502), 429 in answers) == (1, True)
    page.locator("#log .badge", has_text="429").first.wait_for()
    page.locator("#log-filters").get_by_label("Show").select_option("failed")
    wait_until(page, lambda: {"502"} == set(page.locator("#log .badge").all_inner_texts()))
    plot = page.locator(".plot.gorgias svg")
    said = plot.get_attribute("aria-label")
    assert re.search(rf"{answers.count(200)} answered, {answers.count(429)} refused by the limit, 1 failed", said), said
    for name in ("rect.bar.ok", "rect.bar.limited", "rect.bar.failed", "line.limit", "polyline.used"):
        assert plot.locator(name).count() > 0, name


def test_a_disturbance_is_put_by_the_dials_and_ended(seen, control):
    page = seen()
    page.locator("#fault-form").get_by_label("What happens").select_option("5xx")
    page.locator("#fault-form").get_by_label("To calls of").select_option("hubspot")
    page.locator("#fault-form").get_by_label("Number of calls").fill("4")
    page.get_by_role("button", name="Disturb").click()
    page.locator("#fault-list", has_text="the next 4 calls to HubSpot").wait_for()
    (fault,) = control.get("/faults").json()
    assert (fault["kind"], fault["system"], fault["times"], fault["status"]) == ("5xx", "hubspot", 4, 502)
    page.get_by_role("button", name="End all").click()
    page.locator("#fault-list", has_text="Nothing.").wait_for()
    assert control.get("/faults").json() == []


def test_a_switch_is_told_in_words_and_turned(seen, control):
    page = seen()
    page.get_by_label("Search the switches").fill("search lag")
    lag = page.locator(".switch", has_text="Search lag (seconds)")
    assert "until search knows a write" in lag.inner_text()
    lag.locator("input").fill("7.5")
    lag.locator("input").press("Enter")
    lag.get_by_text("default: 2").wait_for()
    found = {row["name"]: row["value"] for row in control.get("/switches").json()}
    assert found["hubspot.search_lag_s"] == 7.5
    page.get_by_role("button", name="All to their defaults").click()
    wait_until(page, lambda: {one["value"] == one["default"] for one in control.get("/switches").json()} == {True})


def test_the_clock_is_moved_on(seen, control):
    page = seen()
    before = control.get("/clock").json()["offset_s"]
    page.get_by_role("button", name="Move the clock on by one day").click()
    wait_until(page, lambda: control.get("/clock").json()["offset_s"] >= before + 86_400)
    page.locator("#ahead", has_text="1 day").wait_for()


def test_the_whole_day_goes_by_at_once(seen, control):
    page = seen()
    before = control.get("/clock").json()["offset_s"]
    page.get_by_role("button", name="The whole day").click()
    page.locator("#script-next", has_text="The day is over").wait_for()
    assert control.get("/overview").json()["script"]["left"] == 0
    assert control.get("/clock").json()["offset_s"] >= before + 86_000
    assert page.get_by_role("button", name="Next event").is_disabled()


def test_a_kind_of_bad_day_is_chosen_by_its_name(seen, control):
    page = seen()
    page.get_by_role("button", name="Slow network").click()
    page.locator("#fault-list", has_text="Answers come late").wait_for()
    assert len(control.get("/faults").json()) == 2
    page.get_by_role("button", name="End all").click()
    page.locator("#fault-list", has_text="Nothing.").wait_for()


def test_an_export_is_loaded_and_its_bad_rows_named(chromium, tmp_path):
    rows = ["Ticket ID,Customer Name,Customer Email,Subject,Description,Status,Created"]
    rows += ["1,Ida Import,ida@example.org,Where is it?,Not here yet,open,2025-03-01 10:00"]
    rows += [",Nobody,nobody@example.org,No number,Nothing,open,2025-03-01 10:00"]
    (tmp_path / "export.csv").write_text("\n".join(rows))
    ports = {"gorgias_port": 0, "hubspot_port": 0, "control_port": 0}
    with running(Options(customers=5, tickets=5, data_dir=tmp_path / "data", **ports)) as line:
        page = chromium.new_page()
        page.goto(line["control"]["url"])
        page.locator("#bring-in").get_by_label("File", exact=True).set_input_files(tmp_path / "export.csv")
        page.get_by_role("button", name="Load", exact=True).click()
        page.locator("#import", has_text="1 ticket of 1 customer loaded, 1 row left out").wait_for(timeout=WAIT_MS)
        page.locator("#import summary").click()
        assert "Line 3" in page.locator("#import").inner_text()
        column(page, "gorgias").locator(".item", has_text="Ida Import").wait_for(timeout=WAIT_MS)
        page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_are_told_well_from_their_ground_in_light_and_dark(seen, scheme):
    page = seen(color_scheme=scheme)
    ratio = page.evaluate(LEAST_CONTRAST)
    assert ratio >= 4.5


def test_a_narrow_screen_needs_no_sideways_scrolling(seen):
    page = seen(viewport={"width": 360, "height": 700})
    page.locator(".plot svg").first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_everything_has_a_name_for_a_screen_reader(seen):
    page = seen()
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    nameless = page.evaluate(NAMELESS)
    assert nameless == []


def test_the_keyboard_alone_opens_and_closes_a_row(seen):
    page = seen()
    page.locator("#columns .item").first.focus()
    page.keyboard.press("Enter")
    page.get_by_role("dialog").wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("dialog").wait_for(state="hidden")
    assert "item" in page.evaluate("document.activeElement.className")


def test_a_sandbox_that_went_away_is_said(chromium, tmp_path):
    options = Options(customers=5, tickets=5, data_dir=tmp_path, gorgias_port=0, hubspot_port=0, control_port=0)
    page = chromium.new_page()
    with running(options) as line:
        page.goto(line["control"]["url"])
        page.locator("#state", has_text="live").wait_for(timeout=WAIT_MS)
    page.get_by_role("alert").wait_for(timeout=WAIT_MS)
    assert "does not answer" in page.get_by_role("alert").inner_text()
    page.close()


def test_markup_in_values_is_shown_as_text_and_never_carried_out(seen, control):
    evil = "<script>document.title='gone'</script><img src=x onerror=\"document.title='gone'\">"
    for system, kind, name in (
        ("gorgias", "customers", "name"),
        ("hubspot", "contacts", "firstname"),
        ("erp", "customers", "full_name"),
    ):
        row = {"system": system, "kind": kind, "id": None, "set": {name: evil, "email": f"markup.{system}@example.org"}}
        control.post("/edit", json=row).raise_for_status()
    fault = {"system": "gorgias", "path": f"/{evil}", "kind": "429", "times": 1}
    control.put("/faults", json=[fault]).raise_for_status()
    page = seen()
    title = page.title()
    for system in ("gorgias", "hubspot", "erp"):
        column(page, system).get_by_label("Search in").fill(f"markup.{system}@example.org")
        wait_until(page, lambda system=system: column(page, system).locator(".item").count() == 1)
        column(page, system).locator(".item").click()
        page.get_by_role("dialog").wait_for()
        assert page.locator("#columns img, [role=dialog] img, #columns script, [role=dialog] script").count() == 0
        page.keyboard.press("Escape")
        page.get_by_role("dialog").wait_for(state="hidden")
    page.wait_for_function("document.body.innerText.includes('onerror=')")
    assert page.title() == title != "gone"
    control.put("/faults", json=[]).raise_for_status()
