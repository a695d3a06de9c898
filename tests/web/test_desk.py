"""The desk on the pages: what waits is told with its evidence; an act is kept, and the next cycle does it."""

from __future__ import annotations

import re

import pytest

from sync_platform.errors import NotFound
from sync_platform.sync import acting, desk, merge_plan, plans, undo
from sync_platform.sync.cycle import load_policy
from sync_platform.sync.news import news
from sync_platform.web.desk_words import parts
from tests.web.conftest import client_of
from tests.web.filled import (
    HELD_MOST,
    OPERATOR_TOKEN,
    alike,
    disagree,
    refused,
    rename,
    review_of,
    world,
)

SAME = {"sec-fetch-site": "same-origin"}
WHY = "asked on the phone"


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    """A world of this module alone, whose sandbox runs: each test takes its own people."""
    with world(tmp_path_factory.mktemp("live")) as one:
        yield one


@pytest.fixture(scope="module")
def people(live):
    return list(live.trios("customer").items())


@pytest.fixture(scope="module")
def kim(live):
    with client_of(live.settings, OPERATOR_TOKEN, "kim") as client:
        yield client


@pytest.fixture(scope="module")
def lou(live):
    with client_of(live.settings, OPERATOR_TOKEN, "lou") as client:
        yield client


@pytest.fixture(autouse=True)
def no_mail_leaves(live):
    yield
    assert live.outbox() == []


def hidden(client, path):
    """What the forms of a page carry."""
    shown = client.get(path)
    assert shown.status_code == 200, shown.text
    return dict(re.findall(r'<input type="hidden" name="(guard|seen)" value="([^"]*)">', shown.text))


def sent(client, page, below, *, shown=None, **form):
    """Send a form of a page; `shown`: what an older version of that page carried."""
    return client.post(f"{page}{below}", data={**(shown or hidden(client, page)), "why": WHY, **form}, headers=SAME)


def acted(client, page, below, **form):
    answer = sent(client, page, below, **form)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def reasons(live):
    return news(live.settings).reasons


def quiet(live):
    """Run until the ledger gives no reason for a cycle, so that the next reason is that of an act."""
    live.settled()
    assert not set(reasons(live)) - {"poll due"}, reasons(live)


def companies(live, ids):
    return (
        live.row("hubspot", "customer", ids["hubspot"])["properties"].get("company"),
        live.row("erp", "customer", ids["erp"])["company"],
    )


def told(live, subject):
    return [
        tuple(row)
        for row in live.ledger("SELECT verb, who, why FROM act WHERE subject = :subject ORDER BY id", subject=subject)
    ]


# --- the review of a field


@pytest.mark.parametrize(
    ("form", "after", "verb"),
    [
        ({"answer": "choose:erp"}, ("Copper Lamp Ltd", "Copper Lamp Ltd"), "resolve:choose"),
        ({"answer": "value", "value": "Lamp & Sons"}, ("Lamp & Sons", "Lamp & Sons"), "resolve:value"),
        ({"answer": "leave"}, ("Copper Lamp", "Copper Lamp Ltd"), "resolve:leave"),
    ],
)
def test_an_answer_is_carried_out_by_the_next_cycle_which_it_starts(live, people, kim, form, after, verb):
    record, ids = people.pop()
    disagree(live, ids)
    page = f"/reviews/{review_of(live.settings, record)}"
    quiet(live)
    shown = kim.get(page).text
    for word in ("Copper Lamp Ltd", "Copper Lamp<", "claims it", "a person decides", record):
        assert word in shown
    assert acted(kim, page, "/answer", **form) == page
    assert "records to judge" in reasons(live)
    again = kim.get(page).text
    assert "answered" in again
    assert WHY in again
    live.later()
    assert companies(live, ids) == after
    assert told(live, f"review:{page.rpartition('/')[2]}") == [(verb, "kim", WHY)]
    closed = kim.get(page).text
    assert "Nothing is left to do" in closed
    assert "<form" not in closed.partition("<main")[2]
    assert f'href="{page}"' in kim.get("/reviews?state=closed").text
    assert f'href="{page}"' not in kim.get("/reviews").text


def test_the_slower_of_two_is_told_who_was_quicker_and_changes_nothing(live, people, kim, lou):
    record, ids = people.pop()
    disagree(live, ids)
    number = review_of(live.settings, record)
    page = f"/reviews/{number}"
    older = hidden(lou, page)
    acted(kim, page, "/answer", answer="choose:erp")
    late = sent(lou, page, "/answer", shown=older, answer="choose:hubspot")
    assert late.status_code == 409
    for word in ("Somebody was quicker", "kim", "chose a system", WHY, f'href="{page}"'):
        assert word in late.text
    twice = sent(lou, page, "/answer", shown=older, answer="choose:hubspot")
    assert twice.status_code == 409
    assert told(live, f"review:{number}") == [("resolve:choose", "kim", WHY)]
    live.later()
    assert companies(live, ids) == ("Copper Lamp Ltd", "Copper Lamp Ltd")
    assert sent(lou, page, "/answer", shown=older, answer="choose:hubspot").status_code == 409


def test_a_page_whose_values_moved_is_not_answered(live, people, kim):
    record, ids = people.pop()
    disagree(live, ids)
    page = f"/reviews/{review_of(live.settings, record)}"
    older = hidden(kim, page)
    live.edit("erp", "customers", ids["erp"], company="Moved Ltd")
    live.later(1000)
    late = sent(kim, page, "/answer", shown=older, answer="choose:erp")
    assert late.status_code == 409
    assert "It moved meanwhile" in late.text
    assert told(live, page.replace("/reviews/", "review:")) == []
    acted(kim, page, "/answer", answer="choose:erp")
    live.later()
    assert companies(live, ids) == ("Moved Ltd", "Moved Ltd")


def test_an_answer_that_was_not_taken_up_yet_can_be_replaced(live, people, kim, lou):
    record, ids = people.pop()
    disagree(live, ids)
    page = f"/reviews/{review_of(live.settings, record)}"
    acted(kim, page, "/answer", answer="choose:erp")
    acted(lou, page, "/answer", answer="choose:hubspot")
    live.later()
    assert companies(live, ids) == ("Copper Lamp", "Copper Lamp")


@pytest.mark.parametrize(
    "form", [{}, {"answer": "choose:gorgias"}, {"answer": "nonsense"}, {"answer": "choose:erp", "why": "  "}]
)
def test_what_is_no_answer_is_said_and_nothing_kept(live, people, kim, form):
    record, ids = people[0]
    if not [one for one in desk.reviews(live.settings)["reviews"] if one["record"] == record]:
        disagree(live, ids)
    page = f"/reviews/{review_of(live.settings, record)}"
    assert sent(kim, page, "/answer", **form).status_code == 400
    assert told(live, page.replace("/reviews/", "review:")) == []


# --- who is who


def record_of(live, system, external_id):
    found = "SELECT record_id FROM link WHERE system = :s AND external_id = :i AND entity = 'customer'"
    return live.ledger(found, s=system, i=external_id)[0][0]


def sides_of(live, number):
    row = live.ledger("SELECT record_id, claims FROM review WHERE id = :n", n=number)[0]
    return row[0], re.findall(r'"record":"([0-9a-f]{32})"', row[1])


def test_two_that_are_one_become_a_plan_with_values_and_then_one(live, kim):
    number = alike(live, "4101")
    own, (other, *_) = sides_of(live, number)
    page = f"/reviews/{number}"
    shown = kim.get(page).text
    for word in ("rq4101@example.com", "r4101@example.org", "+12125554101", "They are one", "They are two"):
        assert word in shown
    before = {system: len(live.entity(system, "customer")) for system in ("gorgias", "hubspot", "erp")}
    plan = acted(kim, page, "/one", pair=f"{own}>{other}")
    assert acted(kim, page, "/one", pair=f"{own}>{other}") == plan, "sent twice it is one plan"
    assert plan in kim.get(page).text
    drawn = kim.get(plan).text
    assert "comes from record" in drawn
    assert "moved since" not in drawn
    assert drawn.count("example.com") + drawn.count("example.org") >= 2, "the address that is there and that would be"
    live.later(2000)
    assert record_of_any(live, own), "a plan that nobody approved does nothing"
    quiet(live)
    acted(kim, plan, "/approve")
    assert "a person's word to carry out" in reasons(live)
    live.settled()
    assert "Carried out" in kim.get(plan).text
    assert not record_of_any(live, own)
    assert "Nothing is left" in kim.get(page).text
    assert before == {system: len(live.entity(system, "customer")) for system in before}


def record_of_any(live, record):
    return live.ledger("SELECT id FROM link WHERE record_id = :r AND state = 'active'", r=record)


def test_two_that_are_two_are_told_apart_by_the_next_cycle_and_not_asked_again(live, kim):
    number = alike(live, "4102")
    own, others = sides_of(live, number)
    page = f"/reviews/{number}"
    quiet(live)
    acted(kim, page, "/apart")
    assert "records to judge" in reasons(live)
    assert "said that they are not one" in kim.get(page).text
    live.settled()
    assert desk.review(live.settings, number)["state"] == "told_apart"
    pair = {own, *others}
    assert not [one for one in desk.reviews(live.settings)["reviews"] if one["record"] in pair]
    assert told(live, f"review:{number}") == [("resolve:apart", "kim", WHY)]


def test_records_that_are_no_candidates_are_not_joined(live, kim, people):
    number = alike(live, "4103")
    own, (other, *_) = sides_of(live, number)
    for pair in (f"{own}>{people[0][0]}", f"{people[0][0]}>{other}", f"{own}>", "", f"{own}>{'0' * 32}"):
        assert sent(kim, f"/reviews/{number}", "/one", pair=pair).status_code in (400, 404)
    assert sent(kim, f"/reviews/{number}", "/answer", answer="leave").status_code == 400


# --- parked writes


def test_a_refused_write_is_told_in_the_systems_words_and_tried_again(live, people, kim):
    record, ids = people.pop()
    number = refused(live, record, ids, "Rings twice")
    page = f"/parked/{number}"
    assert page in kim.get("/parked").text
    shown = kim.get(page).text
    for word in ("Unknown field", "VALIDATION", "Rings twice", "Correct the value"):
        assert word in shown
    quiet(live)
    older = hidden(kim, page)
    acted(kim, page, "/retry")
    assert "a person's word to carry out" in reasons(live)
    assert "asked for another try" in kim.get(page).text
    assert sent(kim, page, "/retry", shown=older).status_code == 409
    live.later()
    assert live.row("gorgias", "customer", ids["gorgias"])["note"] == "Rings twice"
    assert told(live, f"parked:{number}") == [("retry", "kim", WHY)]
    assert sent(kim, page, "/drop", shown=older).status_code == 409


def test_what_is_given_up_stays_as_it_is_over_there(live, people, kim):
    record, ids = people.pop()
    number = refused(live, record, ids, "Never mind")
    acted(kim, f"/parked/{number}", "/drop")
    live.later()
    assert live.row("gorgias", "customer", ids["gorgias"])["note"] != "Never mind"
    assert f"/parked/{number}" not in kim.get("/parked").text
    assert "gave it up" in kim.get(f"/parked/{number}").text
    assert sent(kim, f"/parked/{number}", "/nonsense").status_code == 404


# --- holds and plans


@pytest.fixture
def held(live):
    """More people than the brake lets through got another name: the holds by system, and who they are."""
    trios = [ids for _, ids in live.trios("customer").items()][: HELD_MOST + 2]
    rename(live, trios, f"Brook{len(live.ledger('SELECT id FROM hold'))}")
    found = {one["system"]: int(one["hold"]) for one in live.later(7200)["held"]}
    assert set(found) == {"gorgias", "erp"}
    return found, trios


def last_names(live, trios):
    return {live.row("erp", "customer", ids["erp"])["last_name"] for ids in trios}


def test_an_approved_hold_passes_and_a_dropped_one_stays(live, kim, lou, held):
    numbers, trios = held
    page = f"/plans/{numbers['erp']}"
    shown = kim.get(page).text
    assert f"{len(trios)} × customer name" in shown
    assert shown.count("Brook") >= len(trios)
    assert "moved since" not in shown
    older = hidden(lou, page)
    live.settled()
    acted(kim, page, "/approve")
    assert "a person's word to carry out" in reasons(live)
    late = sent(lou, page, "/drop", shown=older)
    assert (late.status_code, "kim" in late.text) == (409, True)
    acted(kim, f"/plans/{numbers['gorgias']}", "/drop")
    live.settled()
    assert all(name.startswith("Brook") for name in last_names(live, trios))
    names = {live.row("gorgias", "customer", ids["gorgias"])["name"] for ids in trios}
    assert not [name for name in names if "Brook" in name.split()[-1] and name.split()[-1] in last_names(live, trios)]
    assert told(live, f"hold:{numbers['erp']}") == [("approve", "kim", WHY)]
    assert told(live, f"hold:{numbers['gorgias']}") == [("drop", "kim", WHY)]
    assert "took it up" in kim.get(page).text


def test_an_approval_is_for_what_the_page_showed(live, kim, held):
    numbers, trios = held
    page = f"/plans/{numbers['erp']}"
    older = hidden(kim, page)
    live.edit("hubspot", "contacts", trios[0]["hubspot"], lastname="Newer")
    live.later(2000)
    late = sent(kim, page, "/approve", shown=older)
    assert late.status_code == 409
    assert "It moved meanwhile" in late.text
    for number in numbers.values():
        acted(kim, f"/plans/{number}", "/drop")
    live.settled()


def test_an_undo_is_looked_at_kept_approved_and_carried_out(live, people, kim):
    record, ids = people.pop()
    before = companies(live, ids)
    live.edit("hubspot", "contacts", ids["hubspot"], company="A slip")
    live.later(2000)
    live.settled()
    path = f"/undo?record={record}"
    opened = live.ledger("SELECT count(*) FROM plan")[0][0]
    shown = kim.get(path).text
    assert "A slip" in shown
    assert live.ledger("SELECT count(*) FROM plan")[0][0] == opened, "looking keeps nothing"
    form = {"guard": hidden(kim, path)["guard"], "why": WHY, "record": record}
    answer = kim.post("/undo", data=form, headers=SAME)
    assert answer.status_code == 303
    plan = answer.headers["location"]
    assert "A slip" in kim.get(plan).text
    assert plan in kim.get("/plans").text
    acted(kim, plan, "/approve")
    live.settled()
    assert companies(live, ids)[1] == before[1]
    assert "Carried out" in kim.get(plan).text
    assert told(live, f"plan:{plan.rpartition('/')[2]}") == [("approve", "kim", WHY)]


def test_what_moved_since_is_marked_on_the_plan_before_it_is_refused(live, people, kim):
    record, ids = people.pop()
    live.edit("hubspot", "contacts", ids["hubspot"], company="Another slip")
    live.later(2000)
    live.settled()
    plan = undo.undo(live.settings, record, load_policy(live.settings), who="lou")["plan"]
    assert "moved since" not in kim.get(f"/plans/{plan}").text
    live.edit("erp", "customers", ids["erp"], company="Corrected by hand")
    live.later(2000)
    assert "moved since" in kim.get(f"/plans/{plan}").text
    acted(kim, f"/plans/{plan}", "/drop")
    with pytest.raises(NotFound):
        plans.approve(live.settings, plan, who="lou")


@pytest.mark.parametrize(
    "query", ["", "?record=ada@example.com", "?run=..%2F..", "?decision=x", "?record=1&run=2", "?decision=999999999"]
)
def test_only_ids_are_undone_by_an_address(kim, query):
    assert kim.get(f"/undo{query}").status_code in (400, 404)


def test_a_pause_is_said_on_every_page_and_its_end_starts_a_cycle(live, kim):
    quiet(live)
    guard = hidden(kim, "/plans")["guard"]
    assert kim.post("/pause", data={"guard": guard, "why": "the ERP moves"}, headers=SAME).status_code == 303
    for path in ("/plans", "/reviews", "/acts"):
        assert "Paused by kim" in kim.get(path).text
        assert "the ERP moves" in kim.get(path).text
    assert "paused" in reasons(live)[0]
    assert kim.post("/pause", data={"guard": guard, "why": "again"}, headers=SAME).status_code == 303
    assert kim.post("/resume", data={"guard": guard, "why": "it has moved"}, headers=SAME).status_code == 303
    assert "resumed" in reasons(live)
    live.sync()
    assert "resumed" not in reasons(live)
    assert told(live, "cycles")[-2:] == [("pause", "kim", "the ERP moves"), ("resume", "kim", "it has moved")]
    assert "Paused by" not in kim.get("/acts").text


# --- lists


def test_acts_are_listed_with_who_and_why_a_page_at_a_time(live, kim, monkeypatch):
    monkeypatch.setattr("sync_platform.web.desk_plans.ACTS", 3)
    for verb in ("pause", "resume") * 2:
        guard = hidden(kim, "/plans")["guard"]
        kim.post(f"/{verb}", data={"guard": guard, "why": "to be listed"}, headers=SAME)
    numbers, path = [], "/acts"
    every = [one.number for one in _acts(live)]
    while path:
        shown = kim.get(path).text
        numbers.append(shown.count('<th scope="row">'))
        path = next(iter(re.findall(r'href="(/acts\?before=\d+)"', shown)), None)
    assert sum(numbers) == len(every)
    assert set(numbers[:-1]) <= {3}
    assert len(numbers) >= 2
    assert kim.get("/acts").text.count("to be listed") == 3


def test_the_subject_of_an_act_leads_to_what_it_is_about():
    one, other = "a" * 32, "0123456789abcdef" * 2
    found = parts(f"customer:erp:30 from {one} to {other} review:7")
    assert "".join(word for word, _ in found) == f"customer:erp:30 from {one} to {other} review:7"
    assert [path for _, path in found if path] == [f"/records/{one}", f"/records/{other}", "/reviews/7"]
    leads = {subject: parts(subject)[0][1] for subject in ("hold:2", "parked:3", f"plan:{one}", "run 1-ab", "cycles")}
    assert list(leads.values()) == ["/plans/2", "/parked/3", f"/plans/{one}", "/runs/1-ab", None]


def _acts(live):
    from sync_platform.ledger.database import Ledger

    with Ledger.open(live.settings.ledger_url, migrate=False) as ledger, ledger.read() as conn:
        return acting.every_act(conn, None, 10_000)


def test_long_lists_go_on_by_key(filled_ledger, operator, monkeypatch):
    monkeypatch.setattr("sync_platform.sync.waiting.LINES", 1)
    monkeypatch.setattr("sync_platform.sync.waiting_plans.LINES", 2)
    for path, key in (("/reviews", "after"), (f"/plans/{filled_ledger.numbers['hold_erp']}", "after")):
        seen, address = [], path
        while address:
            shown = operator.get(address).text
            seen += re.findall(r'<th scope="row"><a href="([^"]+)"', shown)
            onward = re.findall(rf'href="([^"]+[?&]{key}=\d+)" rel="next"', shown)
            address = onward[0] if onward else None
        assert len(seen) == len(set(seen))
        assert len(seen) >= 4


def test_records_and_decisions_lead_to_their_undo_for_those_who_may_act(filled_ledger, operator, reader):
    record = filled_ledger.records["conflict"]
    number = filled_ledger.desk.ledger(
        "SELECT max(id) FROM decision WHERE record_id = :r AND field = 'phone'", r=record
    )[0][0]
    for page, path in (
        (f"/records/{record}", f"/undo?record={record}"),
        (f"/decisions/{number}", f"/undo?decision={number}"),
    ):
        assert f'href="{path}"' in operator.get(page).text
        assert path not in reader.get(page).text
        assert "Each write" in operator.get(path).text


def test_a_merge_in_one_system_is_told_with_what_only_that_system_can_do(filled_ledger, operator):
    number = filled_ledger.desk.ledger("SELECT id FROM review WHERE kind = 'merge'")[0][0]
    shown = operator.get(f"/reviews/{number}")
    assert shown.status_code == 200
    assert "Merged in one system only" in shown.text


def test_the_plan_of_a_merge_names_candidates_only(live):
    number = alike(live, "4104")
    own, (other, *_) = sides_of(live, number)
    found = merge_plan.draft(live.settings, own, other, review=number, who="lou")
    assert found["links"] == 1


def test_values_that_became_blank_are_shown_as_they_were(live, kim):
    trios = [ids for _, ids in live.trios("customer").items()][: HELD_MOST + 2]
    for ids in trios:
        live.edit("gorgias", "customers", ids["gorgias"], note="Kept in mind")
    for one in live.later(7200)["held"]:
        plans.approve(live.settings, str(one["hold"]), who="kim")
    live.settled()
    live.advance(7200)
    for ids in trios:
        live.edit("gorgias", "customers", ids["gorgias"], note="")
    held = {(one["stage"], one["system"], one["field"]): one["hold"] for one in live.later(7200)["held"]}
    page = f"/plans/{held['claims', 'gorgias', 'note']}"
    shown = kim.get(page).text
    assert "Nothing is judged of these changes" in shown
    assert shown.count("Kept in mind") == len(trios)
    assert shown.count('<span class="quiet">blank</span>') == len(trios)
    acted(kim, page, "/drop")
    live.settled()
    assert all(live.row("erp", "customer", ids["erp"])["note"] == "Kept in mind" for ids in trios)


def test_objects_that_were_deleted_are_held_as_what_they_are(live, kim):
    """A hold of the brake on deletes names objects that no record has an active link to any more."""
    from sync_platform.ledger import holds
    from sync_platform.ledger.database import Ledger

    record = next(iter(live.trios("customer")))
    deleted = holds.Key(holds.CLAIMS, "hubspot", "customer", "deleted", holds.WHOLE)
    created = holds.Key(holds.INTENTS, "hubspot", "customer", "create", holds.WHOLE)
    with Ledger.open(live.settings.ledger_url, migrate=False) as ledger, ledger.begin() as conn:
        now = ledger.now(conn)
        numbers = {key.verb: holds.open_hold(conn, key, 24, now) for key in (deleted, created)}
        items = [
            holds.Item(deleted, record, 10**9, "x", hold_id=numbers["deleted"]),
            holds.Item(created, record, 0, "x", hold_id=numbers["create"]),
        ]
        holds.keep(conn, items, now)
        holds.recount(conn, numbers.values(), now)
    assert "deleted over there" in kim.get(f"/plans/{numbers['deleted']}").text
    assert "create the whole object" in kim.get(f"/plans/{numbers['create']}").text
    for number in numbers.values():
        acted(kim, f"/plans/{number}", "/drop")
