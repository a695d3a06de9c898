"""What links are told about the writes of their record."""

from __future__ import annotations

from datetime import UTC, datetime

from sync_platform.core.records import (
    UNSET,
    Cell,
    Entity,
    Link,
    LinkState,
    PlannedWrite,
    Record,
    RecordId,
    System,
    Verb,
)
from sync_platform.ledger import links, outbox
from sync_platform.ledger.database import Ledger

ADA = RecordId("0" * 31 + "1")
AT = datetime(2026, 5, 1, tzinfo=UTC)


def test_every_link_of_a_record_in_a_system_is_unsettled_while_a_write_there_is(ledger: Ledger) -> None:
    """What was merged away stays with its record: there are two links where one of them is written to."""
    with ledger.begin() as conn:
        links.insert_records(conn, [Record(ADA, Entity.CUSTOMER, born_at=AT)])
        found = [
            Link(0, ADA, System.HUBSPOT, Entity.CUSTOMER, "1"),
            Link(0, ADA, System.HUBSPOT, Entity.CUSTOMER, "2", state=LinkState.BARRED, into="1"),
            Link(0, ADA, System.ERP, Entity.CUSTOMER, "1"),
        ]
        links.save_links(conn, found)
        there = links.links_of(conn, [ADA])[ADA]
        write = PlannedWrite(ADA, System.HUBSPOT, Entity.CUSTOMER, Verb.UPDATE, {"note": "x"}, link_id=there[0].id)
        outbox.send_now(conn, [write], at=AT, run="run1")
    with ledger.begin() as conn:
        shown = links.links_by_external(conn, System.HUBSPOT, Entity.CUSTOMER, ["1", "2"])
        assert {one: link.unsettled for one, link in shown.items()} == {"1": True, "2": True}
        assert [link.unsettled for link in links.links_of(conn, [ADA])[ADA]] == [True, True, False]
        assert [link.unsettled for link in links.links_by_id(conn, [one.id for one in there]).values()].count(True) == 2


def test_a_judgement_writes_the_links_that_it_changed_and_no_others(ledger: Ledger) -> None:
    with ledger.begin() as conn:
        links.insert_records(conn, [Record(ADA, Entity.CUSTOMER, born_at=AT)])
        new = [
            Link(0, ADA, one, Entity.CUSTOMER, "1", cells={"note": Cell("x")}) for one in (System.ERP, System.HUBSPOT)
        ]
        links.save_links(conn, new)
    with ledger.begin() as conn:
        before = list(links.links_of(conn, [ADA])[ADA])
        erp, hubspot = before
        # Somebody writes what the judgement does not touch.
        other = links.links_by_id(conn, [hubspot.id])[hubspot.id]
        other.cells["note"].shadow = "y"
        links.save_links(conn, [other])
        erp.cells["note"].base = "x"
        links.save_judged(conn, before)
        # Back again: what stands there now is what was written just now, not what was read.
        erp.cells["note"].base = UNSET
        links.save_judged(conn, before)
        hubspot.awaits = "erp:7"
        links.save_judged(conn, [hubspot])
    with ledger.read() as conn:
        erp, hubspot = links.links_of(conn, [ADA])[ADA]
    assert erp.cells == {"note": Cell("x")}
    assert (hubspot.cells, hubspot.awaits) == ({"note": Cell("x")}, "erp:7")
