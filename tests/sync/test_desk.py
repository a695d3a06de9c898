"""The desk: reviews are answered, refusals tried again or given up, records joined and parted; acts are kept."""

from __future__ import annotations

from importlib.resources import files

import pytest

from sync_platform import cli
from sync_platform.errors import BadInput, NotFound, Rejected
from sync_platform.sync import desk as at
from sync_platform.sync import relink
from sync_platform.sync.why import why
from tests.sync.desk import opened

WRITERS = "company: {writers: [hubspot, erp, gorgias], rules: "
COMPANY = WRITERS + "[{owner: [hubspot], unless_blank: true}, newest, {rank: [hubspot, erp, gorgias]}]"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A world in which a person decides about `company`."""
    root = tmp_path_factory.mktemp("desk")
    text = files("sync_platform").joinpath("policy.yaml").read_text(encoding="utf-8")
    assert COMPANY in text
    path = root / "policy.yaml"
    path.write_text(text.replace(COMPANY, WRITERS + "[review]"))
    with opened(root / "world", env={"SYNC_POLICY": str(path)}) as desk:
        yield desk


@pytest.fixture(scope="module")
def people(world):
    """Customers in all three systems; each test pops its own."""
    return list(world.trios("customer").items())


def disagree(world, ids, hubspot="From the CRM", erp="From the ERP"):
    world.edit("hubspot", "contacts", ids["hubspot"], company=hubspot)
    world.edit("erp", "customers", ids["erp"], company=erp)
    world.later(1000)


def company(world, ids):
    return {
        world.row("hubspot", "customer", ids["hubspot"])["properties"]["company"],
        world.row("erp", "customer", ids["erp"])["company"],
    }


def review_of(world, record):
    return next(one for one in at.reviews(world.settings)["reviews"] if one["record"] == record)


def test_a_chosen_system_wins_in_the_next_cycle_and_nobody_waited(world, people):
    record, ids = people.pop()
    disagree(world, ids)
    world.edit("erp", "customers", ids["erp"], note="Others go on")
    world.later()
    assert world.row("hubspot", "customer", ids["hubspot"])["properties"]["sync_note"] == "Others go on"
    waiting = review_of(world, record)
    assert (waiting["kind"], waiting["field"], waiting["systems"]) == ("field", "company", ["erp", "hubspot"])
    at.resolve(world.settings, waiting["id"], choose="erp", who="pat", why="called them")
    world.later()
    assert company(world, ids) == {"From the ERP"}
    assert why(world.settings, record, "company")["rule"] == "resolved"
    assert at.review(world.settings, waiting["id"])["state"] == "resolved"
    acts = world.ledger("SELECT verb, subject, who, why FROM act")
    assert ("resolve:choose", f"review:{waiting['id']}", "pat", "called them") in [tuple(row) for row in acts]


def test_values_are_shown_on_demand_only(world, people):
    record, ids = people.pop()
    disagree(world, ids, erp="Secret Ltd")
    number = review_of(world, record)["id"]
    assert "Secret Ltd" not in str(at.review(world.settings, number)) + str(at.reviews(world.settings))
    shown = at.review(world.settings, number, show_values=True)
    assert {claim["value"] for claim in shown["claims"]} == {"From the CRM", "Secret Ltd"}
    assert f"resolve {number}" in shown["remedy"]
    assert "a person decides" in shown["rules"]


def test_a_value_of_ones_own_goes_everywhere(world, people):
    record, ids = people.pop()
    disagree(world, ids)
    at.resolve(world.settings, review_of(world, record)["id"], value="Neither Ltd")
    world.later()
    assert company(world, ids) == {"Neither Ltd"}
    assert world.row("gorgias", "customer", ids["gorgias"])["data"]["sync"]["company"] == "Neither Ltd"


def test_a_dropped_question_leaves_each_side_as_it_is(world, people):
    record, ids = people.pop()
    disagree(world, ids)
    at.resolve(world.settings, review_of(world, record)["id"], drop=True)
    world.later()
    world.later()
    assert company(world, ids) == {"From the CRM", "From the ERP"}
    assert record not in [one["record"] for one in at.reviews(world.settings)["reviews"]]


def test_an_answer_upon_values_that_moved_is_asked_again(world, people):
    record, ids = people.pop()
    disagree(world, ids)
    number = review_of(world, record)["id"]
    at.resolve(world.settings, number, choose="erp")
    world.edit("erp", "customers", ids["erp"], company="Moved Ltd")
    world.later()
    assert company(world, ids) == {"From the CRM", "Moved Ltd"}
    again = review_of(world, record)
    assert (again["id"], again["answered"], again["asked"]) == (number, None, 2)


def test_what_cannot_be_meant_is_refused(world, people):
    record, ids = people.pop()
    disagree(world, ids)
    number = review_of(world, record)["id"]
    with pytest.raises(BadInput, match="gorgias claims nothing"):
        at.resolve(world.settings, number, choose="gorgias")
    with pytest.raises(NotFound):
        at.resolve(world.settings, 10**6, drop=True)
    at.resolve(world.settings, number, choose="erp")
    world.later()
    with pytest.raises(Rejected, match="closed"):
        at.resolve(world.settings, number, drop=True)


def test_one_that_is_two_is_parted_and_joined_again_without_a_create_or_a_delete(world, people):
    record, ids = people.pop()
    what = f"customer:erp:{ids['erp']}"
    before = {system: len(world.entity(system, "customer")) for system in ids}
    seen = relink.unlink(world.settings, what, dry_run=True)
    assert seen["moves"][0]["from"] == record
    assert world.ledger("SELECT count(*) FROM told_apart") == [(0,)]
    own = relink.unlink(world.settings, what, who="pat")["moves"][0]["to"]
    assert own not in (record, seen["moves"][0]["to"])
    world.settled()
    assert record not in [one["record"] for one in at.reviews(world.settings)["reviews"] if one["kind"] == "twin"]
    world.edit("erp", "customers", ids["erp"], note="Only here")
    world.later()
    assert world.row("hubspot", "customer", ids["hubspot"])["properties"].get("sync_note") != "Only here"
    told = relink.link(world.settings, what, record, who="pat")
    assert told["moves"][0]["emptied"] is True
    assert (told["created"], told["deleted"]) == (0, 0)
    world.settled()
    assert before == {system: len(world.entity(system, "customer")) for system in ids}
    notes = world.row("hubspot", "customer", ids["hubspot"])["properties"].get("sync_note") or None
    assert notes == world.row("erp", "customer", ids["erp"])["note"]


def test_tickets_follow_the_customer_that_is_given_to_another_record(world, people):
    settled = {record for record, _ in people}
    rows = world.ledger("SELECT parent, id FROM record WHERE entity = 'ticket' AND parent IS NOT NULL ORDER BY id")
    record, ticket = next((parent, id_) for parent, id_ in rows if parent in settled)
    ids = dict(people.pop(next(n for n, (one, _) in enumerate(people) if one == record))[1])
    parts = [f"customer:{system}:{ids[system]}" for system in ("gorgias", "hubspot")]
    own = relink.unlink(world.settings, parts[0])["moves"][0]["to"]
    relink.link(world.settings, parts[1], own)
    world.settled()
    parent = world.ledger("SELECT parent FROM record WHERE id = :id", id=ticket)[0][0]
    assert parent == own
    relink.link(world.settings, parts[0], record)
    relink.link(world.settings, parts[1], record)
    world.settled()
    assert world.ledger("SELECT parent FROM record WHERE id = :id", id=ticket)[0][0] == record


def test_a_link_that_would_be_the_second_there_is_refused(world, people):
    (one, ids), (other, _) = people.pop(), people.pop()
    with pytest.raises(Rejected, match="has erp:"):
        relink.link(world.settings, f"customer:erp:{ids['erp']}", other)
    with pytest.raises(Rejected, match="already"):
        relink.link(world.settings, f"customer:erp:{ids['erp']}", one)


def test_the_answer_of_the_list_says_that_somebody_is_waited_for(world, people, monkeypatch, capsys):
    _, ids = people.pop()
    disagree(world, ids)
    monkeypatch.setattr("sync_platform.cli_desk.Settings.load", lambda: world.settings)
    assert cli.run(["reviews", "--json"]) == 4
    assert '"kind":"field"' in capsys.readouterr().out
    assert cli.run(["reviews", "resolve", "1"]) == 2


def marks_of(world, record):
    return [one for one in at.parked(world.settings)["parked"] if one["record"] == record]


def test_a_write_that_was_refused_is_tried_again_on_demand(world, people):
    record, ids = people.pop()
    world.switch(gorgias__note_writable="off")
    world.edit("erp", "customers", ids["erp"], note="Tried twice")
    world.later()
    (mark,) = marks_of(world, record)
    assert (mark["system"], mark["field"], mark["code"], mark["state"]) == ("gorgias", "note", "VALIDATION", "open")
    assert mark["words"]
    assert mark["remedy"]
    told = at.parked_mark(world.settings, mark["id"])
    assert [answer["outcome"] for answer in told["answers"]] == ["rejected"]
    assert "Tried twice" not in str(told)
    assert at.parked_mark(world.settings, mark["id"], show_values=True)["sent"] == "Tried twice"
    world.switch(gorgias__note_writable="on")
    world.later()
    assert world.row("gorgias", "customer", ids["gorgias"])["note"] != "Tried twice"
    at.retry(world.settings, mark["id"], who="pat")
    world.later()
    assert world.row("gorgias", "customer", ids["gorgias"])["note"] == "Tried twice"
    assert marks_of(world, record) == []


def test_a_mark_that_is_given_up_waits_for_nobody_until_the_value_moves(world, people):
    record, ids = people.pop()
    world.switch(gorgias__note_writable="off")
    world.edit("erp", "customers", ids["erp"], note="Given up")
    world.later()
    (mark,) = marks_of(world, record)
    at.drop(world.settings, mark["id"], why="not worth it")
    world.switch(gorgias__note_writable="on")
    assert world.later()["entities"]["customer"]["parked"] == len(at.parked(world.settings)["parked"])
    assert marks_of(world, record) == []
    assert world.row("gorgias", "customer", ids["gorgias"])["note"] != "Given up"
    told = why(world.settings, record, "note")["systems"]["gorgias"]
    assert told["mark"] == "apart"
    (found,) = [one for one in world.verify()["differences"] if one["record"] == record]
    assert (found["field"], found.get("apart"), found.get("parked")) == ("note", ["gorgias"], None)
    world.edit("erp", "customers", ids["erp"], note="Moves on")
    world.later()
    assert world.row("gorgias", "customer", ids["gorgias"])["note"] == "Moves on"


def two_who_share_a_phone(world, number):
    """Somebody new in the ERP and somebody new in HubSpot with one phone: (ERP id, HubSpot id, the open review)."""
    phone = f"+1212555{number}"
    erp = world.edit("erp", "customers", None, full_name="Robin Quill", email=f"rq{number}@example.com", phone=phone)
    hubspot = world.edit(
        "hubspot", "contacts", None, firstname="Robin", lastname="Quill", email=f"r{number}@example.org", phone=phone
    )
    world.settled()
    waiting = [one for one in at.reviews(world.settings)["reviews"] if one["kind"] in ("twin", "ambiguous")]
    return str(erp["id"]), str(hubspot["id"]), waiting[-1]


def record_of(world, system, external_id):
    return world.ledger(
        "SELECT record_id FROM link WHERE system = :s AND external_id = :i AND entity = 'customer'",
        s=system,
        i=external_id,
    )[0][0]


def test_two_records_that_are_one_are_joined_after_a_preview(world):
    erp, hubspot, waiting = two_who_share_a_phone(world, 4001)
    told = at.review(world.settings, waiting["id"])
    assert [one["shares"] for one in told["evidence"]] == ["phone"]
    assert "4001" not in str(told)
    keep = record_of(world, "erp", erp)
    before = {system: len(world.entity(system, "customer")) for system in ("gorgias", "hubspot", "erp")}
    choice = {"choose": keep, "drop": False}
    seen = relink.resolve_identity(world.settings, waiting["id"], **choice, dry_run=True)
    assert [move["link"] for move in seen["moves"]] == [f"customer:hubspot:{hubspot}"]
    assert record_of(world, "hubspot", hubspot) != keep
    relink.resolve_identity(world.settings, waiting["id"], **choice)
    world.settled()
    assert record_of(world, "hubspot", hubspot) == keep
    assert at.review(world.settings, waiting["id"])["state"] == "resolved"
    assert before == {system: len(world.entity(system, "customer")) for system in before}
    assert world.row("erp", "customer", erp)["full_name"] == "Robin Quill"
    emails = (
        world.row("hubspot", "customer", hubspot)["properties"]["email"],
        world.row("erp", "customer", erp)["email"],
    )
    assert emails == ("rq4001@example.com",) * 2, "what told two people apart travels again"


def test_two_records_that_are_two_are_asked_about_once(world):
    erp, hubspot, waiting = two_who_share_a_phone(world, 4002)
    relink.resolve_identity(world.settings, waiting["id"], choose=None, drop=True)
    world.edit("erp", "customers", erp, note="Judged again")
    world.edit("hubspot", "contacts", hubspot, sync_note="This one, too")
    world.settled()
    assert record_of(world, "erp", erp) != record_of(world, "hubspot", hubspot)
    pair = {record_of(world, "erp", erp), record_of(world, "hubspot", hubspot)}
    asked = [one for one in at.reviews(world.settings)["reviews"] if one["record"] in pair]
    assert asked == []


def test_an_answer_with_somebody_elses_address_is_written_nowhere_before_they_are_told_apart(tmp_path):
    text = files("sync_platform").joinpath("policy.yaml").read_text(encoding="utf-8")
    head, tail = text.split("    email: {", 1)
    said, rest = tail.split("\n", 1)
    said = said[: said.index("rules: ")] + "rules: [review], empty: keep}"
    path = tmp_path / "policy.yaml"
    path.write_text(f"{head}    email: {{{said}\n{rest}", encoding="utf-8")
    with opened(tmp_path / "world", env={"SYNC_POLICY": str(path)}, customers=12, tickets=12) as desk:
        record, ids = next(iter(desk.trios("customer").items()))
        (theirs,) = next(
            row for row in desk.ledger("SELECT value FROM match_key WHERE kind = 'email' AND record_id != :r", r=record)
        )
        desk.edit("hubspot", "contacts", ids["hubspot"], email="one@example.org")
        desk.edit("erp", "customers", ids["erp"], email="two@example.org")
        desk.later(1000)
        at.resolve(desk.settings, review_of(desk, record)["id"], value=theirs)
        desk.later()
        assert "twin" in {one["kind"] for one in at.reviews(desk.settings)["reviews"] if one["record"] == record}
        payloads = desk.ledger("SELECT payload FROM intent WHERE record_id = :r", r=record)
        assert payloads, "the record was written when it was born"
        assert theirs not in str(payloads)
        (asked,) = (one for one in at.reviews(desk.settings)["reviews"] if one["kind"] == "twin")
        relink.resolve_identity(desk.settings, asked["id"], choose=None, drop=True)
        desk.settled()
        assert desk.row("erp", "customer", ids["erp"])["email"] == theirs, "two people may have one address"
