"""The page on the control port, and the endpoints that it reads: over plain HTTP."""

import re
import sqlite3
import time

import httpx
import pytest

from sync_platform.sandbox.page.origin import is_local
from sync_platform.sandbox.page.reading import Reader
from sync_platform.sandbox.server import Options, running

HTML = {"accept": "text/html,application/xhtml+xml"}


@pytest.fixture(scope="module")
def ready(tmp_path_factory):
    options = Options(
        customers=60,
        tickets=120,
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


def state(control, system, kind):
    return control.get(f"/state/{system}/{kind}", params={"limit": 10_000}).json()["rows"]


def live(rows):
    return [row for row in rows if not row.get("deleted_at")]


def counted(control, system, kind):
    kinds = control.get("/overview").json()["systems"][system]["kinds"]
    return next(entry for entry in kinds if entry["kind"] == kind)


def wait_for(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)


def person_of_all_three(control):
    emails = [
        {row.get("properties", row).get("email") for row in live(state(control, system, kind))}
        for system, kind in (("gorgias", "customers"), ("hubspot", "contacts"), ("erp", "customers"))
    ]
    return min(emails[0] & emails[1] & emails[2] - {None})


def test_a_browser_gets_the_page_and_a_program_the_list_of_endpoints(control):
    page = control.get("/", headers=HTML)
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "<title>Sandbox</title>" in page.text
    listed = control.get("/").json()["endpoints"]
    assert {"GET /", "GET /overview", "POST /edit", "PUT /faults", "POST /script/next"} <= set(listed)


def test_the_page_loads_nothing_from_elsewhere_and_runs_nothing_inline(control):
    page = control.get("/", headers=HTML)
    assert page.headers["content-security-policy"].startswith("default-src 'self';")
    assert "unsafe" not in page.headers["content-security-policy"]
    assert page.headers["x-content-type-options"] == "nosniff"
    assert not re.search(r"\son\w+=|\sstyle=|<style|<script>", page.text)
    names = re.findall(r'(?:href|src)="(/page/[^"]+)"', page.text)
    asked = set()
    while names:
        name = names.pop()
        answer = control.get(name)
        assert answer.status_code == 200, name
        assert "charset=utf-8" in answer.headers["content-type"] or name.endswith(".svg")
        outside = re.sub(r"http://www\.w3\.org/\S+", "", answer.text)
        assert not re.search(r"(?:https?:)?//[a-z0-9.-]+\.[a-z]{2,}/|@import", outside), name
        asked.add(name)
        found = re.findall(r'from "\./([\w.]+)"', answer.text) if name.endswith(".js") else []
        names += [f"/page/{part}" for part in found if f"/page/{part}" not in asked]
    assert {"/page/page.css", "/page/page.js", "/page/calls.js"} <= asked


@pytest.mark.parametrize("name", ["nothing.js", "..%2froutes.py", "__init__.py"])
def test_only_the_pages_own_files_are_served(control, name):
    assert control.get(f"/page/{name}").status_code == 404


def test_the_overview_counts_what_each_system_holds(control):
    for system, kind in (
        ("gorgias", "customers"), ("gorgias", "tickets"), ("gorgias", "messages"), ("gorgias", "tags"),
        ("hubspot", "contacts"), ("hubspot", "tickets"), ("hubspot", "owners"), ("hubspot", "properties"),
        ("hubspot", "associations"), ("erp", "customers"), ("erp", "tickets"),
    ):  # fmt: skip
        held = len(live(state(control, system, kind)))
        assert held > 0, (system, kind)
        wait_for(lambda: counted(control, system, kind)["live"] == held)  # noqa: B023 - called at once
        assert counted(control, system, kind)["exact"], (system, kind)


@pytest.mark.parametrize(
    ("system", "kind", "values"),
    [
        ("gorgias", "customers", {"name": "Gone Soon", "email": "gone@example.org"}),
        ("hubspot", "contacts", {"firstname": "Gone", "email": "gone@example.org"}),
        ("erp", "customers", {"full_name": "Gone Soon", "email": "gone@example.org"}),
    ],
)
def test_deleted_rows_are_counted_apart(control, system, kind, values):
    rows = state(control, system, kind)  # the overview may still show the counts of a moment ago
    there, gone = len(live(rows)), len(rows) - len(live(rows))
    edit = {"system": system, "kind": kind}
    made = control.post("/edit", json={**edit, "id": None, "set": values}).json()
    wait_for(lambda: counted(control, system, kind)["live"] == there + 1)
    control.post("/edit", json={**edit, "id": str(made["id"]), "set": {}, "delete": True}).raise_for_status()
    wait_for(lambda: counted(control, system, kind)["deleted"] == gone + 1)
    assert counted(control, system, kind)["live"] == there


def test_the_overview_names_the_next_event_of_the_day_and_hides_passwords(control):
    overview = control.get("/overview").json()
    assert overview["script"]["next"] == "a phone number changed in Gorgias" or overview["script"]["done"] > 0
    assert overview["script"]["left"] > 0
    assert overview["systems"]["gorgias"]["url"].startswith("http://127.0.0.1:")
    from sync_platform.sandbox.page.routes import without_password

    assert without_password("postgresql://me:secret@db.test:5432/erp") == "postgresql://db.test:5432/erp"
    assert without_password("sqlite:////srv/erp.db") == "sqlite:////srv/erp.db"


def test_the_row_that_changed_last_comes_first(control):
    for system, kind, values in (
        ("gorgias", "customers", {"note": "changed last"}),
        ("hubspot", "contacts", {"firstname": "Changed"}),
        ("erp", "customers", {"note": "changed last"}),
    ):
        oldest = str(live(state(control, system, kind))[0]["id"])
        control.post("/edit", json={"system": system, "kind": kind, "id": oldest, "set": values}).raise_for_status()
        rows = control.get(f"/rows/{system}/{kind}", params={"limit": 3}).json()["rows"]
        assert str(rows[0]["id"]) == oldest, system
        whole = {str(row["id"]): row for row in state(control, system, kind)}
        assert rows == [whole[str(row["id"])] for row in rows]


@pytest.mark.parametrize(
    ("system", "kind"), [("gorgias", "tickets"), ("hubspot", "contacts"), ("hubspot", "properties"), ("erp", "tickets")]
)
def test_rows_are_turned_page_by_page_without_a_gap(control, system, kind):
    wanted = [row.get("id") or row["objectType"] + row["name"] for row in state(control, system, kind)]
    found, offset = [], 0
    while offset is not None:
        page = control.get(f"/rows/{system}/{kind}", params={"order": "new", "offset": offset, "limit": 7}).json()
        found += [row.get("id") or row["objectType"] + row["name"] for row in page["rows"]]
        offset = page["next"]
    assert sorted(map(str, found)) == sorted(map(str, wanted))
    if kind != "properties":
        assert found == sorted(found, key=int, reverse=True)


@pytest.mark.parametrize(
    ("path", "status", "named"),
    [
        ("/rows/shopify/customers", 404, "erp"),
        ("/rows/erp/invoices", 404, "customers, tickets"),
        ("/rows/erp/customers?limit=0", 400, "limit"),
        ("/rows/erp/customers?offset=-1", 400, "offset"),
        ("/rows/erp/customers?order=name", 400, "order"),
        ("/find", 400, "q"),
        ("/person", 400, "email"),
    ],
)
def test_a_wrong_question_is_answered_with_the_reason(control, path, status, named):
    answer = control.get(path)
    assert answer.status_code == status
    assert named in answer.json()["error"]


def test_a_search_finds_values_in_any_case_and_never_names_of_fields(control):
    values = {"name": "Ömer Ünsal-Groß", "email": "omer.u@example.org", "note": 'says "hello" \\ twice'}
    made = control.post("/edit", json={"system": "gorgias", "kind": "customers", "id": None, "set": values}).json()
    for text in ("ömer", "ÜNSAL", "groß", 'says "hello"', "\\ twice", "Omer.U@", str(made["id"])):
        rows = control.get("/rows/gorgias/customers", params={"q": text}).json()["rows"]
        assert made["id"] in [row["id"] for row in rows], text
    assert control.get("/rows/gorgias/customers", params={"q": "firstname"}).json()["rows"] == []
    assert control.get("/rows/gorgias/customers", params={"q": "%"}).json()["rows"] == []


def test_a_search_goes_through_all_systems(control):
    email = person_of_all_three(control)
    answer = control.get("/find", params={"q": email}).json()
    hits = {(part["system"], part["kind"]) for part in answer["found"] if part["rows"]}
    assert {("gorgias", "customers"), ("hubspot", "contacts"), ("erp", "customers")} <= hits
    assert all(part["complete"] for part in answer["found"])


def test_one_person_is_shown_side_by_side_with_their_tickets(control):
    email = person_of_all_three(control)
    answer = control.get("/person", params={"email": f" {email.upper()} "}).json()["systems"]
    for system, kind in (("gorgias", "customers"), ("hubspot", "contacts"), ("erp", "customers")):
        people = answer[system]["people"]
        assert [row.get("properties", row)["email"].lower() for row in people] == [email.lower()] * len(people) != []
        assert answer[system]["kind"] == kind
    owner = answer["gorgias"]["people"][0]["id"]
    wanted = [
        row["id"] for row in live(state(control, "gorgias", "tickets")) if (row["customer"] or {}).get("id") == owner
    ]
    assert [row["id"] for row in answer["gorgias"]["tickets"]] == sorted(wanted, reverse=True)[:20]


def test_hubspot_tickets_of_a_person_are_those_that_are_associated(control):
    ticket = next(row for row in live(state(control, "hubspot", "tickets")) if row.get("associations"))
    contact_id = ticket["associations"]["contacts"]["results"][0]["id"]
    email = f"asked{contact_id}@example.org"
    edit = {"system": "hubspot", "kind": "contacts", "id": contact_id, "set": {"email": email}}
    control.post("/edit", json=edit).raise_for_status()
    found = control.get("/person", params={"email": email}).json()["systems"]["hubspot"]
    assert ticket["id"] in [row["id"] for row in found["tickets"]]


def test_nobody_is_found_under_an_address_that_no_system_has(control):
    answer = control.get("/person", params={"email": "nobody@example.test"}).json()["systems"]
    assert [(part["people"], part["tickets"]) for part in answer.values()] == [([], [])] * 3


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.test"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site", "origin": "http://127.0.0.1:1"},
        {"host": "evil.example.com"},
    ],
)
def test_another_sites_page_may_change_nothing(control, headers):
    answer = control.post("/clock", json={"advance_s": 60}, headers=headers)
    assert answer.status_code == 403
    assert "may not" in answer.json()["error"] or "local names" in answer.json()["error"]


def test_another_sites_page_cannot_read_by_a_name_of_its_own_for_loopback(control):
    assert control.get("/ready", headers={"host": "evil.example.com:8700"}).status_code == 403


def test_programs_that_tell_no_origin_and_the_page_itself_may(control, ready):
    own = {"origin": ready["control"]["url"], "sec-fetch-site": "same-origin"}
    assert control.post("/clock", json={"advance_s": 0}).status_code == 200
    assert control.post("/clock", json={"advance_s": 0}, headers=own).status_code == 200


def test_local_names_are_told_from_others():
    good = ("127.0.0.1:8700", "localhost", "[::1]:8700", "sandbox:8700", "host.docker.internal:8700", "a.localhost")
    assert [is_local(name) for name in good] == [True] * len(good)
    bad = ("evil.example.com", "127.0.0.1.evil.example.com", "localhost.evil.example", "[nothing")
    assert [is_local(name) for name in bad] == [False] * len(bad)


def test_counts_of_a_large_table_read_narrow_indexes_only(tmp_path):
    with running(Options(customers=5, tickets=5, data_dir=tmp_path, gorgias_port=0, hubspot_port=0, control_port=0)):
        for file, sql in (
            ("gorgias.db", "SELECT count(*) FROM customers WHERE deleted IS NULL"),
            ("gorgias.db", "SELECT count(*) FROM tickets WHERE deleted IS NULL"),
            ("gorgias.db", "SELECT count(*) FROM tickets"),
            ("hubspot.db", "SELECT state, count(*) FROM contacts GROUP BY state"),
            ("erp.db", "SELECT count(*) FROM erp_customers"),
        ):
            found = sqlite3.connect(tmp_path / file)
            plan = " ".join(row[3] for row in found.execute(f"EXPLAIN QUERY PLAN {sql}"))
            found.close()
            assert " INDEX " in plan, sql


def test_a_search_that_would_take_long_ends_in_time_and_says_so(tmp_path, monkeypatch):
    from sync_platform.sandbox.page import reading

    found = sqlite3.connect(tmp_path / "gorgias.db")
    found.execute("CREATE TABLE customers(id INTEGER PRIMARY KEY, deleted INTEGER, row TEXT)")
    rows = ((n, None, f'{{"name": "Nobody {n}", "note": "{"x" * 200}"}}') for n in range(60_000))
    found.executemany("INSERT INTO customers VALUES(?, ?, ?)", rows)
    found.commit()
    found.close()
    reader = Reader("gorgias", tmp_path / "gorgias.db")
    assert reader.saying("customers", "nobody 7", offset=0, limit=1).complete
    monkeypatch.setattr(reading, "WAIT_S", 0.0)
    assert not reader.saying("customers", "somebody", offset=0, limit=1).complete


@pytest.mark.postgres
def test_an_erp_on_postgresql_is_counted_and_searched_too(tmp_path, postgres_url):
    options = Options(
        customers=30,
        tickets=40,
        data_dir=tmp_path,
        gorgias_port=0,
        hubspot_port=0,
        control_port=0,
        erp_url=postgres_url,
    )
    with running(options) as line, httpx.Client(base_url=line["control"]["url"], timeout=20) as control:
        rows = live(state(control, "erp", "customers"))
        assert counted(control, "erp", "customers")["live"] == len(rows)
        edit = {
            "system": "erp",
            "kind": "customers",
            "id": str(rows[0]["id"]),
            "set": {"note": "Ask for the 50% offer"},
        }
        control.post("/edit", json=edit).raise_for_status()
        assert control.get("/rows/erp/customers", params={"limit": 1}).json()["rows"][0]["id"] == rows[0]["id"]
        found = control.get("/rows/erp/customers", params={"q": "50% OFFER"}).json()["rows"]
        assert [row["id"] for row in found] == [rows[0]["id"]]
        email = next(row["email"] for row in rows if row["email"])
        assert control.get("/person", params={"email": email}).json()["systems"]["erp"]["people"]
        assert "@" not in (control.get("/overview").json()["systems"]["erp"]["url"] or "")
