"""Records in the pages: found by what people type, told field by field, as they are and as they were."""

from __future__ import annotations

import json
import re
from html import unescape

import pytest

from sync_platform.core.records import ENTITIES
from sync_platform.sync.why import why
from tests.web.conftest import client_of
from tests.web.filled import OPERATOR_TOKEN, filled_world

EVENT = re.compile(r'<time[^>]*datetime="([^"]+)".*?(href="/\w+/\d+"|by a person)', flags=re.DOTALL)
GUARD = re.compile(r'name="guard" value="([^"]+)"')


def text_of(answer) -> str:
    """The words of a page."""
    body = re.sub(r"<(script|style).*?</\1>", "", answer.text, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())


def searched(client, typed):
    guard = GUARD.search(client.get("/records").text)
    assert guard is not None
    return client.post("/records", data={"q": typed, "guard": guard[1]})


def links_of(answer) -> list[str]:
    return re.findall(r'href="/records/([0-9a-f]{32})"', answer.text)


@pytest.fixture(scope="session")
def fields(filled_ledger):
    """The canonical values of the records that the filled ledger names."""
    rows = filled_ledger.desk.ledger("SELECT id, fields FROM record")
    found = {one: json.loads(raw) for one, raw in rows if raw}
    return {what: found.get(record, {}) for what, record in filled_ledger.records.items()}


# --- search and lists -------------------------------------------------------------------------------------------


def test_nobody_sees_a_record_without_signing_in(nobody, filled_ledger):
    for path in (
        "/records",
        f"/records/{filled_ledger.records['conflict']}",
        "/observations/1",
        "/decisions/1",
        "/intents/1",
    ):
        answer = nobody.get(path)
        assert (answer.status_code, answer.headers["location"]) == (303, f"/login?next={path}")
    assert nobody.post("/records", data={"q": "ada"}).status_code == 303


@pytest.mark.parametrize(
    "how", ["email", "upper email", "phone", "number", "name", "last name", "part", "id", "system id", "record"]
)
def test_a_customer_is_found_by_everything_that_people_type(reader, filled_ledger, fields, how):
    record, known = filled_ledger.records["conflict"], fields["conflict"]
    name = known["name"]["full"]
    typed = {
        "email": known["email"],
        "upper email": f"  {known['email'].upper()} ",
        "phone": known["phone"],
        "number": known["customer_no"],
        "name": name.upper(),
        "last name": name.split()[-1],
        "part": name[: len(name) // 2],
        "id": filled_ledger.ids["conflict"]["hubspot"],
        "system id": f"hubspot:{filled_ledger.ids['conflict']['hubspot']}",
        "record": record,
    }[how]
    answer = searched(reader, typed)
    assert answer.status_code == 200
    assert record in links_of(answer)


def test_a_ticket_is_found_by_its_subject_and_by_its_number_in_a_system(reader, filled_ledger):
    record, ids = next(iter(filled_ledger.desk.trios("ticket").items()))
    assert record in links_of(searched(reader, f"gorgias:{ids['gorgias']}"))
    assert record in links_of(searched(reader, f"ticket:gorgias:{ids['gorgias']}"))
    ((raw,),) = filled_ledger.desk.ledger("SELECT fields FROM record WHERE id = :id", id=record)
    subject = json.loads(raw)["subject"]
    held = filled_ledger.desk.ledger("SELECT id FROM record WHERE named = :named", named=subject.lower())
    found = links_of(searched(reader, subject))
    assert found
    assert set(found) == {one[0] for one in held}


def test_what_nobody_knows_is_said_to_be_unknown_and_what_is_too_short_too(reader):
    assert "Nothing is known under that" in text_of(searched(reader, "nobody@example.org"))
    assert "Too little to look for" in text_of(searched(reader, "x"))
    assert "Nothing is known under that" in text_of(searched(reader, "%_ '\" \\ \x00 ; DROP TABLE record"))


def test_a_search_leaves_no_address_in_any_url(reader, fields):
    answer = searched(reader, fields["conflict"]["email"])
    assert answer.request.url.query == b""
    for href in re.findall(r'(?:href|action|src)="([^"]*)"', answer.text):
        assert "@" not in href
        assert fields["conflict"]["name"]["full"].split()[0].lower() not in href.lower()


def test_a_search_without_the_pages_own_form_is_refused(reader):
    assert reader.post("/records", data={"q": "ada"}).status_code == 403


@pytest.mark.parametrize(
    ("what", "record"), [("review", "review"), ("parked", "parked"), ("deleted", "deleted"), ("merged", "merged")]
)
def test_each_list_holds_what_it_says_and_nothing_of_the_others(reader, filled_ledger, what, record):
    found = links_of(reader.get(f"/records?what={what}"))
    assert filled_ledger.records[record] in found
    others = {"review", "parked", "deleted", "merged"} - {record}
    assert not {filled_ledger.records[one] for one in others} & set(found)


def test_the_list_of_what_was_decided_last_can_be_paged_to_its_end(reader, filled_ledger):
    seen, path = [], "/records"
    while path:
        answer = reader.get(path)
        seen += links_of(answer)
        onward = re.search(r'href="(/records\?what=changed&amp;after=\d+)"', answer.text)
        path = unescape(onward[1]) if onward else None
    decided = {one[0] for one in filled_ledger.desk.ledger("SELECT DISTINCT record_id FROM decision")}
    assert set(seen) == decided


@pytest.mark.parametrize("path", ["/records?what=secret", "/records?after=x", "/records/NO", "/records/a?at=now",
                                  "/records/a?before=1", "/records/a?at=2026-13-01"])  # fmt: skip
def test_addresses_that_say_nothing_are_answered_with_a_page(reader, path):
    answer = reader.get(path)
    assert answer.status_code in (400, 404)
    assert "<h1>" in answer.text


# --- one record -------------------------------------------------------------------------------------------------


def test_the_command_and_the_page_give_the_same_answer_for_every_field_of_every_record(reader, filled_ledger):
    looked = 0
    for (record,) in filled_ledger.desk.ledger("SELECT id FROM record ORDER BY id"):
        answer = reader.get(f"/records/{record}")
        if answer.status_code == 303:
            assert why(filled_ledger.settings, record)[0]["record"] in answer.headers["location"]
            continue
        words = text_of(answer)
        for one in why(filled_ledger.settings, record):
            if one["field"] == "*":
                continue
            looked += 1
            part = re.search(rf'<tr id="field-{one["field"]}">(.*?)</tr>', answer.text, flags=re.DOTALL)
            assert part is not None, one["field"]
            if one["decision"]:
                assert f'href="/decisions/{one["decision"]}"' in part[1]
                assert one["policy"] in part[1]
            if one["from"]:
                assert f'href="/observations/{one["from"]["observation"]}"' in part[1]
            for write in one["written"][-6:]:
                assert f'href="/intents/{write["intent"]}"' in part[1]
            for lost in one["lost"]:
                assert lost["observation"] is None or f'href="/observations/{lost["observation"]}"' in part[1]
        assert record in words
    assert looked > 100


def test_the_loser_of_a_conflict_is_told_with_the_rule_and_both_writes(reader, filled_ledger):
    answer = reader.get(f"/records/{filled_ledger.records['conflict']}?field=phone")
    words = text_of(answer)
    assert "Why Phone is +12125550182" in words
    assert "+12125550181 HubSpot" in words
    assert "all systems agree" in words
    drawing = re.search(r"<svg.*?</svg>", answer.text, flags=re.DOTALL)
    assert drawing is not None
    assert re.search(r"<title[^>]*>The way of Phone</title>", drawing[0])
    told = why(filled_ledger.settings, filled_ledger.records["conflict"], "phone")
    for write in told["written"]:
        if write["for_this"]:
            assert f'href="/intents/{write["intent"]}"' in drawing[0]
    assert f'href="/decisions/{told["decision"]}"' in drawing[0]


def test_what_waits_for_a_person_stands_first_with_every_claim(reader, filled_ledger):
    words = text_of(reader.get(f"/records/{filled_ledger.records['review']}"))
    assert "Differs or waits 1" in words
    assert words.index("Copper Lamp Ltd") < words.index("Equal")
    assert f"review {filled_ledger.numbers['review']}" in words


def test_what_a_system_refused_is_told_with_what_it_still_shows(reader, filled_ledger):
    told = why(filled_ledger.settings, filled_ledger.records["parked"], "note")
    assert told["systems"]["gorgias"]["mark"] == "parked"
    assert told["agrees"] == {"gorgias": False, "hubspot": True, "erp": True}
    assert told["all_agree"] is False
    words = text_of(reader.get(f"/records/{filled_ledger.records['parked']}"))
    assert "Parked: Note in Gorgias" in words
    assert "rejected VALIDATION" in words


def test_what_the_brake_holds_is_not_called_equal(reader, filled_ledger):
    held = filled_ledger.desk.ledger("SELECT DISTINCT record_id, system FROM hold_item WHERE state = 'held'")
    assert held
    record, system = held[0]
    told = why(filled_ledger.settings, record, "name")
    assert told["systems"][system]["mark"] == "held"
    assert told["all_agree"] is False
    assert "held by the brake" in text_of(reader.get(f"/records/{record}"))


def test_a_deleted_record_tells_who_ended_it_and_a_merged_one_leads_on(reader, filled_ledger):
    assert "It was deleted in" in text_of(reader.get(f"/records/{filled_ledger.records['deleted']}"))
    merged, survivor = filled_ledger.records["merged"], filled_ledger.records["survivor"]
    answer = reader.get(f"/records/{merged}")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/records/{survivor}?was={merged}")
    assert "which went up in this one" in text_of(reader.get(answer.headers["location"]))
    assert why(filled_ledger.settings, merged)[0]["record"] == survivor


def test_a_record_that_never_was_is_not_found_and_says_where_to_look(reader):
    answer = reader.get(f"/records/{'0' * 32}")
    assert answer.status_code == 404
    assert "search for it" in text_of(answer)


def test_every_step_of_a_record_opens_and_leads_back(reader, filled_ledger):
    opened = set()
    for what in ("conflict", "parked", "review", "deleted", "survivor"):
        record = filled_ledger.records[what]
        page = reader.get(f"/records/{record}")
        for path in sorted(set(re.findall(r'href="(/(?:observations|decisions|intents)/\d+)"', page.text))):
            answer = reader.get(path)
            assert answer.status_code == 200, path
            assert f'href="/records/{record}' in answer.text, path
            opened.add(path.split("/")[1])
    assert opened == {"observations", "decisions", "intents"}


def test_a_step_that_never_was_is_a_page_that_says_so(reader):
    for path in ("/observations/999999999", "/decisions/999999999", "/intents/99999999999999999999999"):
        answer = reader.get(path)
        assert answer.status_code == 404
        assert "was" in text_of(answer)


def test_the_links_lead_to_the_objects_in_their_systems(reader, filled_ledger):
    answer = reader.get(f"/records/{filled_ledger.records['conflict']}")
    for system, kind in (("gorgias", "customers"), ("hubspot", "contacts"), ("erp", "customers")):
        number = int(filled_ledger.ids["conflict"][system])
        assert f"/state/{system}/{kind}?after={number - 1}&amp;limit=1" in answer.text


# --- as it was --------------------------------------------------------------------------------------------------


def test_each_moment_of_the_history_opens_the_record_as_it_was(reader, filled_ledger):
    record = filled_ledger.records["conflict"]
    page = reader.get(f"/records/{record}")
    moments = sorted(set(re.findall(rf'href="(/records/{record}\?at=[^"]+)"', page.text)))
    assert len(moments) > 3
    words = [text_of(reader.get(unescape(one))) for one in moments]
    assert all("As it was" in one for one in words)
    assert any("+12125550182" not in one.partition("History")[0] for one in words)
    assert "+12125550182" in words[-1].partition("History")[0]


def test_before_its_birth_a_record_was_not_known(reader, filled_ledger):
    words = text_of(reader.get(f"/records/{filled_ledger.records['conflict']}?at=2001-01-01T00:00:00"))
    assert "did not know it yet" in words


def test_the_history_can_be_paged_and_says_every_event_once(reader, filled_ledger, monkeypatch):
    from sync_platform.sync import timeline

    monkeypatch.setattr(timeline, "PAGE", 5)
    record = filled_ledger.records["conflict"]
    seen, path = [], f"/records/{record}"
    while path:
        answer = reader.get(path)
        seen += re.findall(
            r'<time[^>]*datetime="([^"]+)".*?(href="/\w+/\d+"|by a person)', answer.text, flags=re.DOTALL
        )
        onward = re.search(rf'href="(/records/{record}\?before=[^"#]+)', answer.text)
        path = unescape(onward[1]) if onward else None
    receipts = filled_ledger.desk.ledger(
        "SELECT count(*) FROM receipt JOIN intent ON intent.id = intent_id WHERE record_id = :id", id=record
    )
    rows = filled_ledger.desk.ledger("SELECT count(*) FROM decision WHERE record_id = :id", id=record)
    assert sum("/decisions/" in href for _, href in seen) == rows[0][0]
    intents = filled_ledger.desk.ledger("SELECT count(*) FROM intent WHERE record_id = :id", id=record)
    assert sum("/intents/" in href for _, href in seen) == intents[0][0] + receipts[0][0]
    assert [at for at, _ in seen] == sorted((at for at, _ in seen), reverse=True)


# --- hostile values ---------------------------------------------------------------------------------------------


def test_values_with_markup_are_shown_as_text_everywhere(tmp_path):
    bad = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&{{7*7}}"
    with filled_world(tmp_path) as made:
        record, ids = made.records["conflict"], made.ids["conflict"]
        made.desk.edit("hubspot", "contacts", ids["hubspot"], company=bad, firstname=bad)
        made.desk.later(2000)
        made.desk.later(2000)
        with client_of(made.settings, OPERATOR_TOKEN) as client:
            paths = [f"/records/{record}", f"/records/{record}?field=name", "/records"]
            page = client.get(paths[0]).text
            paths += sorted(set(re.findall(r'href="(/(?:observations|decisions|intents)/\d+)"', page)))
            paths += [unescape(one) for one in re.findall(rf'href="(/records/{record}\?at=[^"]+)"', page)[:1]]
            told = 0
            for path in paths:
                answer = client.get(path)
                assert answer.status_code == 200
                assert "<img" not in answer.text
                assert "<script>alert" not in answer.text
                assert "49" not in re.findall(r"\{\{.*?\}\}", unescape(answer.text))
                told += "&lt;script&gt;alert(1)" in answer.text
            assert told >= 5
            answer = searched(client, bad)
            assert "<img" not in answer.text


def test_every_entity_has_its_page(reader, filled_ledger):
    for entity in ENTITIES:
        record = next(iter(filled_ledger.desk.trios(str(entity))))
        answer = reader.get(f"/records/{record}")
        assert answer.status_code == 200
        assert answer.text.count("<h1>") == 1
