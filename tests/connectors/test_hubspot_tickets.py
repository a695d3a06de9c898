"""Tickets of HubSpot and their contacts, which its searches and write answers do not show, against the twin."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from uuid import uuid4

import pytest

from sync_platform.connectors import hubspot_search
from sync_platform.connectors.protocol import Change, Cursor, Outcome, Page
from sync_platform.core.records import Entity, Lane, Row, Verb
from tests.connectors.contract import FreeMeter
from tests.connectors.hubspot_twin import HubSpotBench, always_naming_a_next_page, hubspot_bench

CUSTOMER, TICKET = Entity.CUSTOMER, Entity.TICKET
CREATE = "/crm/v3/objects/tickets/batch/create"
UPDATE = "/crm/v3/objects/tickets/batch/update"
TIE = "/crm/v4/associations/tickets/contacts/batch/associate/default"
UNTIE = "/crm/v4/associations/tickets/contacts/batch/archive"
READ_TIES = "/crm/v4/associations/tickets/contacts/batch/read"


@pytest.fixture
def bench(tmp_path: Path, meter: FreeMeter) -> Iterator[HubSpotBench]:
    with hubspot_bench(tmp_path, meter) as made:
        yield made


class Memory:
    """The stamps that a caller holds, and what it was asked."""

    def __init__(self, *rows: Row) -> None:
        self.stamps = {row.external_id: row.stamp for row in rows}
        self.asked: list[set[str]] = []

    def __call__(self, entity: Entity, stamps: Mapping[str, datetime]) -> Collection[str]:
        assert entity is TICKET
        self.asked.append(set(stamps))
        return {one for one, stamp in stamps.items() if self.stamps.get(one) == stamp}


def pull(bench: HubSpotBench, name: str, cursor: Cursor, known: Memory | None) -> Page:
    feed = bench.feed(name)
    cursor = bench.connector.start(feed, cursor, now=bench.world.clock.now())
    return bench.connector.pull(feed, cursor, lane=Lane.DELTA, known=known)


def asked(bench: HubSpotBench, path: str, since: int = 0) -> int:
    return sum(1 for _, called, _ in bench.requests()[since:] if called == path)


def two_contacts(bench: HubSpotBench, ticket: str) -> tuple[str, str]:
    """The lowest and the highest contact that are not the ticket's."""
    others = sorted(bench.ids(CUSTOMER) - {bench.contact_of(ticket)}, key=int)
    return others[0], others[-1]


# pages


def test_tickets_of_a_page_get_their_contacts_with_one_more_call(bench):
    bench.settle()
    _, cursor = bench.drain("tickets")
    for ticket in sorted(bench.ids(TICKET))[:3]:
        bench.edit(TICKET, ticket, "Edited")
    bench.settle()
    before = bench.meter.calls
    rows, _ = bench.drain("tickets", cursor)
    assert len(rows) == 3
    assert bench.meter.calls - before == 2
    assert {row.external_id: row.attributes["contact"] for row in rows} == {
        row.external_id: bench.contact_of(row.external_id) for row in rows
    }


@pytest.mark.parametrize("name", ["tickets", "tickets.look"])
def test_contacts_are_read_only_for_rows_that_are_not_known(bench, name):
    bench.settle()
    _, cursor = bench.drain(name)
    first, second = sorted(bench.ids(TICKET))[:2]
    for ticket in (first, second):
        bench.edit(TICKET, ticket, "Edited")
    bench.settle()
    held = [bench.show(TICKET, ticket) for ticket in (first, second)]

    before = len(bench.requests())
    page = pull(bench, name, cursor, Memory(*held))
    assert {row.external_id for row in page.rows} == {first, second}
    assert all("contact" not in row.attributes and row.attributes["subject"] == "Edited" for row in page.rows)
    assert len(bench.requests()) - before == 1

    before = len(bench.requests())
    older = replace(held[1], stamp=held[1].created_at)
    page = pull(bench, name, cursor, Memory(held[0], older))
    shown = {row.external_id: row.attributes.get("contact", "not shown") for row in page.rows}
    assert shown == {first: "not shown", second: bench.contact_of(second)}
    assert [path for _, path, _ in bench.requests()[before:]] == ["/crm/v3/objects/tickets/search", READ_TIES]


def test_a_page_of_contacts_asks_nobody_what_is_known(bench):
    bench.settle()
    _, cursor = bench.drain("contacts")
    bench.edit(CUSTOMER, bench.existing(CUSTOMER), "Edited")
    bench.settle()
    known = Memory()
    assert pull(bench, "contacts", cursor, known).rows
    assert known.asked == []


def test_what_we_wrote_is_shown_once_more_without_a_call_for_contacts(bench):
    bench.settle()
    _, cursor = bench.drain("tickets")
    _, created = bench.create(TICKET)
    updated, moved, renamed = sorted(bench.ids(TICKET))[:3]
    receipts = bench.write(
        *(
            Change(token, TICKET, Verb.UPDATE, ticket, set=values, was={"contact": bench.contact_of(ticket)})
            for token, ticket, values in (
                ("updated", updated, {"subject": "Ours"}),
                ("moved", moved, {"contact": two_contacts(bench, moved)[1]}),
                ("renamed", renamed, {"subject": "Ours too", "contact": two_contacts(bench, renamed)[1]}),
            )
        )
    )
    rows = [created.row, *(receipt.row for receipt in receipts.values())]
    assert {receipt.outcome for receipt in receipts.values()} == {Outcome.DONE}
    bench.settle()
    before = len(bench.requests())
    page = pull(bench, "tickets", cursor, Memory(*rows))
    assert {row.external_id for row in page.rows} == {row.external_id for row in rows}
    assert len(bench.requests()) - before == 1


@pytest.mark.parametrize("left", [0, 1])
def test_a_full_page_is_the_last_one_when_the_total_says_so(tmp_path, meter, monkeypatch, left):
    monkeypatch.setattr(hubspot_search, "SEARCH_PAGE", 5)
    with hubspot_bench(tmp_path, meter, around=always_naming_a_next_page) as bench:
        bench.settle()
        _, cursor = bench.drain("contacts")
        edited = sorted(bench.ids(CUSTOMER))[: 5 + left]
        for contact in edited:
            bench.edit(CUSTOMER, contact, "Edited")
        bench.settle()
        before = bench.meter.calls
        rows, _ = bench.drain("contacts", cursor)
        assert sorted(row.external_id for row in rows) == edited
        assert bench.meter.calls - before == 1 + left


# creates


def test_a_ticket_is_created_with_its_contact_by_one_call(bench):
    before = bench.meter.calls
    changes = [
        Change(f"t{place}", TICKET, Verb.CREATE, None, set=bench.fresh(TICKET), marker=uuid4().hex)
        for place in range(30)
    ]
    receipts = bench.write(*changes)
    assert bench.meter.calls - before == 1
    assert {receipt.outcome for receipt in receipts.values()} == {Outcome.DONE}
    for change in changes:
        receipt = receipts[change.token]
        assert bench.contact_of(receipt.external_id) == receipt.row.attributes["contact"] == change.set["contact"]


def test_the_date_of_a_creates_answer_is_final(bench):
    _, receipt = bench.create(TICKET)
    bench.settle()
    assert bench.show(TICKET, receipt.external_id).stamp == receipt.row.stamp


def test_a_ticket_without_a_contact_shows_none(bench):
    _, nobody = bench.create(TICKET, {**bench.fresh(TICKET), "contact": None})
    _, silent = bench.create(TICKET, {k: v for k, v in bench.fresh(TICKET).items() if k != "contact"})
    assert nobody.row.attributes["contact"] is None
    assert "contact" not in silent.row.attributes
    assert bench.contact_of(nobody.external_id) is bench.contact_of(silent.external_id) is None


@pytest.mark.parametrize("status", [400, 409])
def test_a_create_sent_again_finds_its_ticket(bench, status):
    bench.switch("unique_clash_status", status)
    change, first = bench.create(TICKET)
    before = bench.ids(TICKET)
    writes = bench.meter.count("write")
    again = bench.write(change)[change.token]
    assert again.outcome is Outcome.DONE
    assert again.external_id == again.existing == first.external_id
    assert again.row.attributes["contact"] == change.set["contact"]
    assert again.row.attributes["sync_id"] == change.marker
    assert bench.ids(TICKET) == before
    assert bench.meter.count("write") - writes == 1


def test_a_create_sent_again_with_other_values_writes_them(bench):
    change, first = bench.create(TICKET)
    other = two_contacts(bench, first.external_id)[1]
    newer = replace(change, set={**change.set, "subject": "Newer", "contact": other})
    again = bench.write(newer)[change.token]
    assert (again.outcome, again.existing) == (Outcome.DONE, first.external_id)
    assert (again.row.attributes["subject"], again.row.attributes["contact"]) == ("Newer", other)
    assert bench.contact_of(first.external_id) == other
    assert bench.show(TICKET, first.external_id).attributes["sync_tags"] == change.set["sync_tags"]


def test_a_create_among_others_that_landed_before_makes_no_second_ticket(bench):
    change, first = bench.create(TICKET)
    fresh = Change("fresh", TICKET, Verb.CREATE, None, set=bench.fresh(TICKET), marker=uuid4().hex)
    bad = Change(
        "bad", TICKET, Verb.CREATE, None, set={**bench.fresh(TICKET), "hs_ticket_priority": "?"}, marker=uuid4().hex
    )
    before = len(bench.ids(TICKET))
    receipts = bench.write(fresh, change, bad)
    assert (receipts["fresh"].outcome, receipts["fresh"].existing) == (Outcome.DONE, None)
    assert receipts[change.token].external_id == first.external_id
    assert (receipts["bad"].outcome, receipts["bad"].fields) == (Outcome.REJECTED, ("hs_ticket_priority",))
    assert len(bench.ids(TICKET)) == before + 1


def test_a_lost_answer_of_a_create_is_unknown_and_found_by_its_marker(bench):
    bench.fault(path=CREATE, kind="reset_after", times=1)
    change, receipt = bench.create(TICKET)
    assert (receipt.outcome, receipt.external_id) == (Outcome.UNKNOWN, None)
    ((_, row),) = bench.connector.lookup(TICKET, [("marker", change.marker)], lane=Lane.DELTA)
    assert row.attributes["contact"] == change.set["contact"]
    again = bench.write(change)[change.token]
    assert (again.outcome, again.external_id) == (Outcome.DONE, row.external_id)


def test_a_clash_that_cannot_be_read_is_unknown(bench):
    change, _ = bench.create(TICKET)
    bench.fault(path="/crm/v3/objects/tickets/batch/read", kind="5xx", times=100)
    again = bench.write(change)[change.token]
    assert (again.outcome, again.external_id, again.existing) == (Outcome.UNKNOWN, None, None)


def test_a_contact_that_is_not_there_is_a_refusal_of_that_field_alone(bench):
    good = {**bench.fresh(TICKET)}
    bad = {**bench.fresh(TICKET), "contact": "987654321"}
    receipts = bench.write(
        Change("good", TICKET, Verb.CREATE, None, set=good, marker=uuid4().hex),
        Change("bad", TICKET, Verb.CREATE, None, set=bad, marker=uuid4().hex),
    )
    assert receipts["good"].outcome is Outcome.DONE
    assert (receipts["bad"].outcome, receipts["bad"].fields) == (Outcome.REJECTED, ("contact",))
    assert receipts["bad"].external_id in bench.ids(TICKET)
    assert receipts["bad"].row.attributes["subject"] == bad["subject"]


def test_a_ticket_of_a_contact_that_was_merged_away_goes_to_the_survivor(bench):
    into, old = sorted(bench.ids(CUSTOMER))[:2]
    survivor = str(bench.system.merge("contacts", old, into)["id"])
    _, receipt = bench.create(TICKET, {**bench.fresh(TICKET), "contact": old})
    assert receipt.external_id in bench.ids(TICKET)
    assert bench.contact_of(receipt.external_id) == survivor


def test_a_ticket_whose_contact_got_no_answer_is_there_and_unsettled(bench):
    bench.fault(path=TIE, kind="reset_after", times=1)
    _, receipt = bench.create(TICKET, {**bench.fresh(TICKET), "contact": "987654321"})
    assert receipt.outcome is Outcome.UNKNOWN
    assert receipt.external_id in bench.ids(TICKET)


# updates


def test_a_ticket_moves_to_another_contact(bench):
    _, created = bench.create(TICKET)
    row = bench.show(TICKET, created.external_id)
    other = max(bench.ids(CUSTOMER))
    assert row.attributes["contact"] != other
    receipt = bench.update(TICKET, row, {"contact": other, "subject": "Moved"})
    assert receipt.outcome is Outcome.DONE
    assert receipt.row.attributes["contact"] == other
    row = bench.show(TICKET, created.external_id)
    assert (row.attributes["contact"], row.attributes["subject"]) == (other, "Moved")
    assert bench.update(TICKET, row, {"contact": None}).outcome is Outcome.DONE
    assert bench.show(TICKET, created.external_id).attributes["contact"] is None


def test_the_date_of_an_updates_receipt_is_final(bench):
    row = bench.show(TICKET, bench.existing(TICKET))
    for values in ({"subject": "One"}, {"contact": two_contacts(bench, row.external_id)[1]}, {"subject": "Two"}):
        bench.world.clock.advance(5)
        receipt = bench.update(TICKET, row, values)
        row = bench.show(TICKET, row.external_id)
        assert receipt.row.stamp == row.stamp


def test_a_contact_that_a_person_changed_just_before_our_write_is_seen(bench):
    row = bench.show(TICKET, bench.existing(TICKET))
    theirs = two_contacts(bench, row.external_id)[1]
    bench.change(TICKET, row.external_id, {"contact": theirs})
    before = bench.meter.calls
    receipt = bench.update(TICKET, row, {"subject": "Ours"})
    assert receipt.outcome is Outcome.DONE
    assert receipt.row.attributes["contact"] == theirs
    assert bench.meter.calls - before == 2


def test_a_contact_beside_ours_leaves_the_change_unsettled(bench):
    _, created = bench.create(TICKET)
    row = bench.show(TICKET, created.external_id)
    theirs, ours = two_contacts(bench, row.external_id)
    bench.change(TICKET, row.external_id, {"contact": theirs})
    receipt = bench.update(TICKET, row, {"contact": ours})
    assert (receipt.outcome, receipt.code) == (Outcome.UNKNOWN, "CONTACT_NOT_AS_SENT")


def test_a_refused_contact_does_not_hinder_the_other_fields(bench):
    row = bench.show(TICKET, bench.existing(TICKET))
    receipt = bench.update(TICKET, row, {"contact": "987654321", "subject": "Ours"})
    assert (receipt.outcome, receipt.fields) == (Outcome.REJECTED, ("contact",))
    assert receipt.row.attributes["subject"] == "Ours"
    assert receipt.row.attributes["contact"] == row.attributes["contact"] == bench.contact_of(row.external_id)
    alone = bench.update(TICKET, row, {"contact": "987654321"})
    assert (alone.outcome, alone.fields, alone.row) == (Outcome.REJECTED, ("contact",), None)


@pytest.mark.parametrize("path", [TIE, UNTIE])
def test_a_lost_answer_about_a_contact_stops_the_change_before_its_properties(bench, path):
    row = bench.show(TICKET, bench.existing(TICKET))
    assert row.attributes["contact"] is not None
    bench.fault(path=path, kind="reset_after", times=1)
    receipt = bench.update(TICKET, row, {"contact": two_contacts(bench, row.external_id)[1], "subject": "Ours"})
    assert receipt.outcome is Outcome.UNKNOWN
    assert asked(bench, UPDATE) == 0


def test_a_limit_reached_at_the_contact_is_a_retry(bench):
    row = bench.show(TICKET, bench.existing(TICKET))
    bench.fault(path=TIE, kind="429", times=100)
    receipt = bench.update(TICKET, row, {"contact": two_contacts(bench, row.external_id)[1], "subject": "Ours"})
    assert (receipt.outcome, receipt.status) == (Outcome.RETRY, 429)
    assert bench.show(TICKET, row.external_id).attributes == row.attributes


def test_contacts_that_cannot_be_read_after_a_write_leave_it_unsettled(bench):
    row = bench.show(TICKET, bench.existing(TICKET))
    bench.fault(path=READ_TIES, kind="5xx", times=100)
    receipt = bench.update(TICKET, row, {"subject": "Ours"})
    assert (receipt.outcome, receipt.external_id) == (Outcome.UNKNOWN, row.external_id)


def test_a_change_of_nothing_makes_no_call(bench):
    before = bench.meter.calls
    change = Change("nothing", TICKET, Verb.UPDATE, bench.existing(TICKET))
    assert bench.write(change)["nothing"].outcome is Outcome.DONE
    assert bench.meter.calls == before
