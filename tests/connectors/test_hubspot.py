"""HubSpot behind the protocol, against its twin: the shared exam, then what is particular to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from sync_platform.connectors import hubspot_search
from sync_platform.connectors.protocol import Change, Connector, Cursor, Outcome
from sync_platform.core.records import ENTITIES, Entity, Lane, Verb
from sync_platform.errors import NotAllowed, RateLimited, Unavailable
from tests.connectors.contract import CANARY, FreeMeter, SystemContract
from tests.connectors.hubspot_twin import WANTED, HubSpotBench, hubspot_bench

CUSTOMER, TICKET = Entity.CUSTOMER, Entity.TICKET


@pytest.fixture
def bench(tmp_path: Path, meter: FreeMeter) -> Iterator[HubSpotBench]:
    with hubspot_bench(tmp_path, meter) as made:
        yield made


class TestHubSpotContract(SystemContract):
    """The exam of every side."""


def test_it_is_a_connector(bench):
    assert isinstance(bench.connector, Connector)


# feeds


def test_a_new_search_feed_begins_at_the_newest_stamp_and_shows_nothing(bench):
    before = bench.meter.calls
    rows, cursor = bench.drain("contacts")
    assert rows == []
    assert cursor.watermark is not None
    assert bench.meter.calls - before == 1
    assert bench.meter.spends[-1][0] == ("search", "day")


def test_an_edit_shown_once_is_not_shown_again(bench):
    bench.settle()
    _, cursor = bench.drain("tickets")
    bench.edit(TICKET, bench.existing(TICKET), "Edited")
    bench.world.clock.advance(5)
    rows, cursor = bench.drain("tickets", cursor)
    assert [row.external_id for row in rows] == [bench.existing(TICKET)]
    before = bench.meter.calls
    again, _ = bench.drain("tickets", cursor)
    assert again == []
    assert bench.meter.calls - before == 1


def test_a_row_that_search_shows_late_and_out_of_order_is_not_lost(bench):
    bench.settle()
    first, second = sorted(bench.ids(CUSTOMER))[:2]
    _, cursor = bench.drain("contacts")
    seen: set[str] = set()
    bench.switch("search_lag_s", 60.0)
    bench.edit(CUSTOMER, first, "Slow")
    bench.switch("search_lag_s", 0.0)
    bench.edit(CUSTOMER, second, "Quick")
    for _ in range(5):
        rows, cursor = bench.drain("contacts", cursor)
        seen |= {row.external_id for row in rows}
        bench.world.clock.advance(20)
    assert seen == {first, second}


def test_the_second_look_finds_what_became_searchable_after_the_overlap(bench):
    bench.settle()
    (late,) = sorted(bench.ids(CUSTOMER))[:1]
    cursors: dict[str, Cursor | None] = {}
    for name in ("contacts", "contacts.look"):
        _, cursors[name] = bench.drain(name)
    bench.switch("search_lag_s", 600.0)
    bench.edit(CUSTOMER, late, "Very slow")
    seen: dict[str, set[str]] = {"contacts": set(), "contacts.look": set()}
    for step in (130, 800, 400):
        bench.world.clock.advance(step)
        other = sorted(bench.ids(CUSTOMER))[step % 7 + 1]
        bench.switch("search_lag_s", 0.0)
        bench.edit(CUSTOMER, other, f"Other {step}")
        for name in seen:
            rows, cursors[name] = bench.drain(name, cursors[name])
            seen[name] |= {row.external_id for row in rows}
    assert late in seen["contacts.look"]


def test_many_rows_are_read_over_restarts_before_the_cap(tmp_path, meter, monkeypatch):
    monkeypatch.setattr(hubspot_search, "SEARCH_PAGE", 7)
    monkeypatch.setattr(hubspot_search, "DEPTH_MAX", 20)
    with hubspot_bench(tmp_path, meter, customers=80, tickets=10) as bench:
        cursor = Cursor(hubspot_search.Mark(hubspot_search.FIRST_MS).dump())
        rows, done = bench.drain("contacts", cursor)
        assert {row.external_id for row in rows} == bench.ids(CUSTOMER)
        assert len(rows) == len(bench.ids(CUSTOMER))
        again, _ = bench.drain("contacts", done)
        assert again == []


def test_more_rows_with_one_stamp_than_fit_are_read_by_id(tmp_path, meter, monkeypatch):
    monkeypatch.setattr(hubspot_search, "SEARCH_PAGE", 5)
    monkeypatch.setattr(hubspot_search, "DEPTH_MAX", 12)
    with hubspot_bench(tmp_path, meter, customers=40, tickets=10) as bench:
        bench.settle()
        _, cursor = bench.drain("contacts")
        now_ms = round((datetime.now(UTC).timestamp() + bench.world.clock.offset_s) * 1000)
        stamp = datetime.fromtimestamp(now_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
        bench.system._store.db.execute(
            "UPDATE contacts SET modified = ?, props = json_set(props, '$.lastmodifieddate', ?)", (now_ms, stamp)
        )
        bench.settle()
        rows, _ = bench.drain("contacts", cursor)
        assert sorted(row.external_id for row in rows) == sorted(bench.ids(CUSTOMER))


def test_a_row_that_moves_while_pages_are_read_hides_no_other_row(tmp_path, meter, monkeypatch):
    monkeypatch.setattr(hubspot_search, "SEARCH_PAGE", 7)
    with hubspot_bench(tmp_path, meter, customers=40, tickets=10) as bench:
        bench.switch("search_lag_s", 0.0)
        feed = bench.feed("contacts")
        cursor = Cursor(hubspot_search.Mark(hubspot_search.FIRST_MS).dump())
        seen: set[str] = set()
        complete, page_no = False, 0
        while not complete:
            page = bench.connector.pull(feed, cursor, lane=Lane.DELTA)
            seen |= {row.external_id for row in page.rows}
            cursor, complete, page_no = page.cursor, page.complete, page_no + 1
            if page_no in (1, 3):
                bench.edit(CUSTOMER, min(seen, key=int), f"Moved {page_no}")
        assert seen == bench.ids(CUSTOMER)


# reads


def test_an_archived_contact_gives_archived_evidence(bench):
    gone = bench.existing(CUSTOMER)
    bench.change(CUSTOMER, gone, {}, delete=True)
    row = bench.show(CUSTOMER, gone)
    assert row.evidence is not None
    assert row.evidence.kind == "archived"


@pytest.mark.parametrize("merge_id", ["new", "primary"])
@pytest.mark.parametrize("batch", ["survivor", "missing"])
def test_a_merged_away_id_gives_its_survivor(bench, merge_id, batch):
    bench.switch("merge_id", merge_id)
    bench.switch("batch_merged_away", batch)
    into, old = sorted(bench.ids(CUSTOMER))[:2]
    survivor = str(bench.system.merge("contacts", old, into)["id"])
    row = bench.show(CUSTOMER, old)
    assert row.evidence is not None
    assert (row.evidence.kind, row.evidence.into) == ("merged", survivor)
    assert old in bench.show(CUSTOMER, survivor).carry["merged"]


def test_a_contact_is_found_by_email_in_any_case_and_never_by_phone(bench):
    change, receipt = bench.create(CUSTOMER)
    keys = [("phone", "+14155550132"), ("email", str(change.set["email"]).upper()), ("email", "nobody@example.com")]
    hits = [(index, row.external_id) for index, row in bench.connector.lookup(CUSTOMER, keys, lane=Lane.DELTA)]
    assert hits == [(1, receipt.external_id)]


# writes


def test_a_create_sent_twice_makes_one_object(bench):
    change, first = bench.create(CUSTOMER)
    again = bench.write(change)[change.token]
    assert again.outcome is Outcome.DONE
    assert again.external_id == first.external_id


def test_an_email_that_somebody_has_is_refused_with_the_holders_id(bench):
    first, done = bench.create(CUSTOMER)
    _, receipt = bench.create(CUSTOMER, {"email": first.set["email"], "firstname": "Twin"})
    assert receipt.outcome is Outcome.REJECTED
    assert (receipt.code, receipt.fields, receipt.existing) == ("EXISTS", ("email",), done.external_id)


def test_of_a_large_batch_only_the_bad_rows_are_refused(bench):
    changes = []
    for place in range(130):
        given = bench.fresh(CUSTOMER) | {"hs_additional_emails": []}
        if place in (3, 77, 120):
            given["email"] = CANARY
        changes.append(Change(f"t{place}", CUSTOMER, Verb.CREATE, None, set=given, marker=uuid4().hex))
    before = bench.meter.count("write")
    receipts = bench.write(*changes)
    assert {token for token, one in receipts.items() if one.outcome is Outcome.REJECTED} == {"t3", "t77", "t120"}
    assert {one.outcome for one in receipts.values()} == {Outcome.DONE, Outcome.REJECTED}
    assert bench.meter.count("write") - before == 2


def test_a_batch_that_is_refused_whole_is_halved_until_the_bad_row_stands_alone(bench):
    good, merged, into = sorted(bench.ids(CUSTOMER))[:3]
    changes = [
        Change("good", CUSTOMER, Verb.UPDATE, good, set={"firstname": "Good"}),
        Change("unknown", CUSTOMER, Verb.UPDATE, "987654321", set={"firstname": "Nobody"}),
        Change("odd", CUSTOMER, Verb.UPDATE, into, set={"no_such_property": "x"}),
        Change("merged", CUSTOMER, Verb.UPDATE, merged, set={"firstname": "Ghost"}),
    ]
    bench.system.merge("contacts", merged, sorted(bench.ids(CUSTOMER))[5])
    receipts = bench.write(*changes)
    assert receipts["good"].outcome is Outcome.DONE
    assert receipts["unknown"].code == "OBJECT_NOT_FOUND"
    assert (receipts["odd"].code, receipts["odd"].fields) == ("PROPERTY_DOESNT_EXIST", ("no_such_property",))
    assert (receipts["merged"].outcome, receipts["merged"].code) == (Outcome.REJECTED, "NOT_ANSWERED")


def test_two_changes_of_one_object_go_in_two_batches(bench):
    one = bench.existing(CUSTOMER)
    receipts = bench.write(
        Change("a", CUSTOMER, Verb.UPDATE, one, set={"firstname": "A"}),
        Change("b", CUSTOMER, Verb.UPDATE, one, set={"firstname": "B"}),
    )
    assert {receipt.outcome for receipt in receipts.values()} == {Outcome.DONE}
    assert bench.show(CUSTOMER, one).attributes["firstname"] == "B"


def test_a_value_is_cleared(bench):
    _, created = bench.create(CUSTOMER)
    row = bench.show(CUSTOMER, created.external_id)
    receipt = bench.update(CUSTOMER, row, {"sync_note": None, "phone": None})
    assert receipt.outcome is Outcome.DONE
    after = bench.show(CUSTOMER, created.external_id)
    assert (after.attributes["sync_note"], after.attributes["phone"]) == (None, None)


def test_further_addresses_are_added_and_removed_one_by_one(bench):
    _, created = bench.create(CUSTOMER)
    row = bench.show(CUSTOMER, created.external_id)
    (old,) = row.attributes["hs_additional_emails"]
    wanted = ["second@example.org", "third@example.org"]
    assert bench.update(CUSTOMER, row, {"hs_additional_emails": wanted}).outcome is Outcome.DONE
    after = bench.show(CUSTOMER, created.external_id)
    assert sorted(after.attributes["hs_additional_emails"]) == wanted
    assert old not in after.attributes["hs_additional_emails"]


def test_a_main_and_a_further_address_change_places(bench):
    _, created = bench.create(CUSTOMER)
    row = bench.show(CUSTOMER, created.external_id)
    main, (further,) = row.attributes["email"], row.attributes["hs_additional_emails"]
    receipt = bench.update(CUSTOMER, row, {"email": further, "hs_additional_emails": [main]})
    assert receipt.outcome is Outcome.DONE, receipt.words
    after = bench.show(CUSTOMER, created.external_id)
    assert (after.attributes["email"], after.attributes["hs_additional_emails"]) == (further, [main])


def test_tags_are_composed_from_what_was_there(bench):
    _, created = bench.create(TICKET)
    row = bench.show(TICKET, created.external_id)
    assert row.attributes["sync_tags"] == ["a;b", "vip"]
    change = Change(
        "tags",
        TICKET,
        Verb.UPDATE,
        row.external_id,
        was={"sync_tags": row.attributes["sync_tags"]},
        add={"sync_tags": ["back\\slash"]},
        remove={"sync_tags": ["vip"]},
    )
    assert bench.write(change)["tags"].outcome is Outcome.DONE
    assert bench.show(TICKET, row.external_id).attributes["sync_tags"] == ["a;b", "back\\slash"]
    blind = replace(change, was={})
    assert bench.write(blind)["tags"].code == "NO_BASE"


# trouble


def test_reads_and_upserts_are_repeated_over_server_errors(bench):
    bench.fault(path="*", kind="5xx", times=2)
    _, receipt = bench.create(CUSTOMER)
    assert receipt.outcome is Outcome.DONE
    bench.fault(path="*", kind="429", times=2)
    assert bench.drain("contacts.list")[0]
    assert any(frozen["frozen_s"] for _, frozen in bench.meter.lessons)


def test_a_write_whose_answer_is_lost_has_an_unknown_outcome(bench):
    bench.fault(path="/crm/v3/objects/contacts/batch/upsert", kind="reset_after", times=1)
    change, receipt = bench.create(CUSTOMER)
    assert receipt.outcome is Outcome.UNKNOWN
    hits = list(bench.connector.lookup(CUSTOMER, [("marker", change.marker)], lane=Lane.DELTA))
    assert len(hits) == 1


def test_a_truncated_answer_of_a_write_has_an_unknown_outcome(bench):
    bench.fault(path="/crm/v3/objects/contacts/batch/update", kind="truncate", times=1)
    row = bench.show(CUSTOMER, bench.existing(CUSTOMER))
    assert bench.update(CUSTOMER, row, {"firstname": "Half"}).outcome is Outcome.UNKNOWN


def test_a_limit_that_stays_reached_is_a_retry_and_nothing_is_done(bench):
    before = bench.ids(CUSTOMER)
    bench.fault(path="*", kind="429", times=1000)
    _, receipt = bench.create(CUSTOMER)
    assert (receipt.outcome, receipt.status) == (Outcome.RETRY, 429)
    assert receipt.wait_s
    assert bench.ids(CUSTOMER) == before
    with pytest.raises(RateLimited):
        bench.drain("contacts")


def test_nobody_listening_is_unavailable_and_tells_no_address(meter):
    from sync_platform.connectors.hubspot import HubSpotConnector

    connector = HubSpotConnector("http://127.0.0.1:9", lambda: "token", meter)
    with pytest.raises(Unavailable) as caught:
        connector.account()
    assert caught.value.__cause__ is None
    assert "127.0.0.1" not in str(caught.value)
    connector.close()


def test_a_rotated_token_is_read_again_once(bench):
    right = bench.tokens[-1]
    bench.tokens[:] = ["pat-na1-old"]
    connector = bench.connected()
    bench.tokens.append(right)
    assert connector.account().identity == bench.system.identity()
    connector.close()


def test_a_wrong_token_is_not_allowed(bench):
    bench.tokens.append("pat-na1-wrong")
    connector = bench.connected()
    with pytest.raises(NotAllowed) as caught:
        connector.account()
    assert "wrong" not in str(caught.value)
    connector.close()


# set-up and doctor


def test_set_up_is_repeatable_and_says_what_it_found(bench):
    again = bench.connector.prepare(WANTED)
    assert {finding.found for finding in again} == {"there"}
    assert all(finding.ok for finding in again)
    assert any(finding.name == "hubspot.contacts.property.sync_id" for finding in again)


def test_a_property_of_another_type_is_a_finding_with_a_remedy(bench):
    wrong = [replace(one, type="number") if one.attribute == "sync_note" else one for one in WANTED]
    bad = [finding for finding in bench.connector.prepare(wrong) if not finding.ok]
    assert [finding.name for finding in bad] == ["hubspot.contacts.property.sync_note"]
    assert bad[0].remedy


def test_the_doctor_finds_nothing_wrong_with_the_twin(bench):
    findings = bench.connector.examine(WANTED)
    assert [finding for finding in findings if not finding.ok] == []
    assert {"hubspot.account", "hubspot.token", "hubspot.owners"} <= {finding.name for finding in findings}


def test_the_doctor_names_missing_scopes_and_properties(bench):
    bench.switch("missing_scopes", "crm.objects.owners.read")
    more = [*WANTED, replace(WANTED[0], attribute="sync_extra")]
    bad = {finding.name: finding for finding in bench.connector.examine(more) if not finding.ok}
    assert "hubspot.scope.owners.read" in bad
    assert "crm.objects.owners.read" in bad["hubspot.scope.owners.read"].found
    assert "hubspot.contacts.property.sync_extra" in bad
    assert all(finding.remedy for finding in bad.values())


def test_the_account_is_recognised_as_a_sandbox(bench):
    account = bench.connector.account()
    assert account.sandbox
    assert account.identity == bench.system.identity()


def test_the_directory_shows_owners_stages_and_options(bench):
    directory = bench.connector.directory()
    assert len(directory.agents) == 6
    assert all(email == email.lower() and "@" in email for email in directory.agents.values())
    assert directory.stages["0"] == {"1": "OPEN", "2": "OPEN", "3": "OPEN", "4": "CLOSED"}
    assert "HIGH" in directory.options["hs_ticket_priority"]


@pytest.mark.parametrize("entity", ENTITIES)
def test_dated_paths_serve_the_same(bench, entity):
    connector, bench.connector = bench.connector, bench.connected(api_version="2026-09")
    try:
        rows, _ = bench.drain(bench.listing(entity))
        assert {row.external_id for row in rows} == bench.ids(entity)
        _, receipt = bench.create(entity)
        assert receipt.outcome is Outcome.DONE
        asked: list[Any] = [path for _, path, _ in bench.requests()]
        assert any("/2026-09/" in path for path in asked)
    finally:
        bench.connector.close()
        bench.connector = connector


# histories


def test_the_past_of_a_property_comes_newest_first_and_from_when_on(bench):
    one = bench.existing(CUSTOMER)
    bench.settle()
    bench.edit(CUSTOMER, one, "First")
    bench.world.clock.advance(60)
    bench.edit(CUSTOMER, one, "Second")
    names = ["firstname", "lastname", "company", "contact"]
    found = {past.attribute: past for past in bench.connector.history(CUSTOMER, {one: names}, lane=Lane.DELTA)}
    assert "contact" not in found, "an association has no history"
    moved = [past for past in found.values() if len(past.entries) >= 2]
    assert moved
    for past in moved:
        assert [at for _, at in past.entries] == sorted((at for _, at in past.entries), reverse=True)
        assert (past.entries[0][1] - past.entries[1][1]).total_seconds() >= 60


def test_histories_are_asked_for_fifty_objects_a_call(bench):
    wanted = {str(number): ["company"] for number in range(1, 52)}
    before = bench.meter.calls
    assert list(bench.connector.history(CUSTOMER, wanted, lane=Lane.DELTA)) == []
    assert bench.meter.calls - before == 2
