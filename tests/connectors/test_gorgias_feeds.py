"""The feeds of Gorgias: walks, the phones listing, events, reads by id and by key."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from sync_platform.connectors.gorgias import GorgiasConnector, api_url
from sync_platform.connectors.gorgias_shapes import customer_row, first_message, html_text, iso, ticket_row
from sync_platform.connectors.http import BasicCredentials
from sync_platform.connectors.protocol import Cursor, Page
from sync_platform.core.records import Channel, Entity, Evidence, Lane
from sync_platform.errors import BadInput, NotAllowed, Unavailable
from tests.connectors.conftest import GorgiasTwin
from tests.connectors.contract import FreeMeter
from tests.connectors.test_gorgias import GorgiasBench

NOW = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture
def bench(gorgias_twin: GorgiasTwin, meter: FreeMeter) -> Iterator[GorgiasBench]:
    made = GorgiasBench(gorgias_twin, meter)
    yield made
    made.connector.close()


def pull(bench: GorgiasBench, name: str, cursor: Cursor | None = None) -> Page:
    feed = bench.feed(name)
    return bench.connector.pull(feed, bench.connector.start(feed, cursor, now=NOW), lane=Lane.DELTA)


class Lists:
    """A server of one list in vendor form, 100 rows a page, whose cursor is the place in the list."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.rows = rows
        self.refuse_cursors = 0
        self.requests: list[httpx.URL] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request.url)
        query = request.url.params
        place = query.get("cursor")
        if place is not None and self.refuse_cursors:
            self.refuse_cursors -= 1
            return httpx.Response(400, json={"error": {"msg": "Failed to list", "data": {"cursor": ["Invalid."]}}})
        first, size = int(place or 0), int(query["limit"])
        more = str(first + size) if first + size < len(self.rows) else None
        return httpx.Response(
            200,
            json={
                "data": self.rows[first : first + size],
                "object": "list",
                "uri": "/api/x",
                "meta": {"prev_cursor": None, "next_cursor": more},
            },
        )

    def connector(self) -> GorgiasConnector:
        return GorgiasConnector(
            "https://account.example.com",
            BasicCredentials(lambda: ("user@example.com", "key")),
            FreeMeter(),
            transport=httpx.MockTransport(self),
        )


def stamped(count: int, *, start: datetime = NOW) -> list[dict[str, Any]]:
    """Customers, newest first, one a minute."""
    return [
        {"id": count - n, "updated_datetime": (start - timedelta(minutes=n)).isoformat(), "name": f"n{n}"}
        for n in range(count)
    ]


def walk(connector: GorgiasConnector, name: str, cursor: Cursor | None = None) -> list[Page]:
    feed = next(one for one in connector.feeds() if one.name == name)
    pages: list[Page] = []
    cursor = connector.start(feed, cursor, now=NOW)
    while not pages or not pages[-1].complete:
        pages.append(connector.pull(feed, cursor, lane=Lane.DELTA))
        cursor = pages[-1].cursor
    return pages


def test_a_first_walk_reads_everything_and_keeps_the_newest_stamp_of_its_first_page() -> None:
    server = Lists(stamped(250))
    pages = walk(server.connector(), "customers")
    assert [len(page.rows) for page in pages] == [100, 100, 50]
    assert [page.cursor.watermark for page in pages] == [None, None, "2026-06-01T00:00:00.000000+00:00"]
    assert server.requests[0].params["order_by"] == "updated_datetime:desc"


def test_a_walk_ends_at_the_first_page_that_reaches_below_the_watermark() -> None:
    server = Lists(stamped(1000))
    watermark = iso((NOW - timedelta(minutes=150)).isoformat())
    pages = walk(server.connector(), "customers", Cursor(watermark))
    # 150 minutes of news and 5 of overlap lie within the second page.
    assert len(pages) == 2
    assert pages[-1].cursor == Cursor("2026-06-01T00:00:00.000000+00:00")


def test_rows_within_the_overlap_are_read_again() -> None:
    server = Lists(stamped(102))
    on_the_edge = iso((NOW - timedelta(minutes=99)).isoformat())
    assert len(walk(server.connector(), "customers", Cursor(on_the_edge))) == 2


def test_the_watermark_never_goes_back() -> None:
    server = Lists([])
    (page,) = walk(server.connector(), "customers", Cursor("2026-05-01T00:00:00.000000+00:00"))
    assert page.cursor == Cursor("2026-05-01T00:00:00.000000+00:00")


def test_an_unfinished_walk_goes_on_where_it_stopped() -> None:
    server = Lists(stamped(250))
    connector = server.connector()
    feed = next(one for one in connector.feeds() if one.name == "customers")
    first = connector.pull(feed, connector.start(feed, None, now=NOW), lane=Lane.DELTA)
    kept = Cursor(first.cursor.watermark, dict(first.cursor.walk or {}))
    again = server.connector()
    assert again.start(feed, kept, now=NOW) == kept
    second = again.pull(feed, kept, lane=Lane.DELTA)
    assert server.requests[-1].params["cursor"] == "100"
    assert second.rows[0].external_id == "150"


def test_a_cursor_that_expired_restarts_the_walk_and_keeps_its_upper_bound() -> None:
    server = Lists(stamped(250))
    connector = server.connector()
    feed = next(one for one in connector.feeds() if one.name == "customers")
    first = connector.pull(feed, connector.start(feed, None, now=NOW), lane=Lane.DELTA)
    server.refuse_cursors = 1
    server.rows = stamped(260, start=NOW + timedelta(minutes=10))
    pages = walk(connector, "customers", first.cursor)
    seen = {row.external_id for page in pages for row in page.rows}
    assert seen == {str(n) for n in range(1, 261)}
    # What came up while the walk ran is above its bound: the next walk reads it again.
    assert pages[-1].cursor.watermark == "2026-06-01T00:00:00.000000+00:00"


def test_the_twins_own_cursors_expire_too(bench: GorgiasBench) -> None:
    for n in range(120):
        bench.twin.edit("customers", None, name=f"Extra {n}")
    first = pull(bench, "customers")
    bench.twin.advance(100_000)
    rows, cursor = bench.drain("customers", first.cursor)
    assert {row.external_id for row in rows} == bench.ids(Entity.CUSTOMER)
    assert cursor.walk is None


def test_a_row_that_cannot_be_read_does_not_hinder_the_others() -> None:
    rows = stamped(3)
    rows[1]["updated_datetime"] = "yesterday"
    rows.append({"name": "nobody"})
    (page,) = walk(Lists(rows).connector(), "customers")
    assert [row.external_id for row in page.rows] == ["3", "1"]
    assert page.bad == [("2", "updated_datetime: not a time"), ("?", "id: no id")]


def test_a_refused_listing_is_trouble_of_the_system() -> None:
    def serve(request: httpx.Request) -> httpx.Response:
        return httpx.Response(403 if request.url.path.endswith("customers") else 400, json={"error": {"msg": "no"}})

    connector = GorgiasConnector(
        "http://account.example.com/api/",
        BasicCredentials(lambda: ("user@example.com", "key")),
        FreeMeter(),
        transport=httpx.MockTransport(serve),
    )
    with pytest.raises(NotAllowed):
        walk(connector, "customers")
    with pytest.raises(Unavailable) as caught:
        walk(connector, "tickets")
    assert caught.value.code == "REFUSED"


def test_trashed_tickets_are_listed_and_say_so(bench: GorgiasBench) -> None:
    ticket_id = bench.existing(Entity.TICKET)
    bench.twin.edit("tickets", ticket_id, trashed=True)
    shown = {row.external_id: row.attributes["trashed"] for row in bench.drain("tickets")[0]}
    assert shown[ticket_id] is True
    assert set(shown.values()) == {True, False}


def test_a_list_row_leaves_channels_unknown_and_a_read_by_id_shows_them(bench: GorgiasBench) -> None:
    made = bench.twin.edit(
        "customers",
        None,
        name="Nia Example",
        emails=["nia@example.com", "n2@example.org"],
        phones=["+14155550100", "030 1234"],
    )
    listed = next(row for row in bench.drain("customers")[0] if row.external_id == str(made["id"]))
    assert {"emails", "phones"}.isdisjoint(listed.attributes)
    assert listed.carry is None
    read = bench.show(Entity.CUSTOMER, str(made["id"]))
    assert read.attributes["email"] == "nia@example.com"
    assert read.attributes["emails"] == ["n2@example.org"]
    assert read.attributes["phones"] == ["+14155550100", "030 1234"]
    assert [one["address"] for one in read.carry["channels"]] == [
        "nia@example.com",
        "n2@example.org",
        "+14155550100",
        "030 1234",
    ]
    assert read.channel is Channel.BY_ID


def test_customers_with_a_phone_are_listed_without_attributes(bench: GorgiasBench) -> None:
    rows, cursor = bench.drain("customers.phone")
    has = {
        id
        for id, row in bench.twin.rows("customers").items()
        if any(channel["type"] == "phone" for channel in row["channels"])
    }
    assert {row.external_id for row in rows} == has
    assert all(row.attributes == {} and row.carry == {"has_phone": True} for row in rows)
    assert cursor.walk is None


def test_where_the_phone_filter_may_not_stand_alone_nothing_is_listed(bench: GorgiasBench) -> None:
    bench.twin.switch("channel_type_alone", "off")
    page = pull(bench, "customers.phone")
    assert (page.rows, page.complete) == ((), True)


def test_the_first_message_of_each_ticket_comes_from_the_messages(bench: GorgiasBench) -> None:
    oldest: dict[str, dict[str, Any]] = {}
    for message in bench.twin.rows("messages").values():
        known = oldest.get(str(message["ticket_id"]))
        key = (iso(message["created_datetime"]), message["id"])
        if known is None or key < (iso(known["created_datetime"]), known["id"]):
            oldest[str(message["ticket_id"])] = message
    rows, _ = bench.drain("messages")
    seen: dict[str, Any] = {}
    for row in rows:
        first = row.attributes["first_message"]
        seen[row.external_id] = min(seen.get(row.external_id, first), first, key=lambda one: one["at"])
    assert {id: first["id"] for id, first in seen.items()} == {id: str(one["id"]) for id, one in oldest.items()}
    assert set(seen) == bench.ids(Entity.TICKET)


def test_a_read_of_a_ticket_shows_what_messages_and_surveys_show(bench: GorgiasBench) -> None:
    listed = {row.external_id: dict(row.attributes) for row in bench.drain("tickets")[0]}
    for row in reversed(bench.drain("messages")[0]):
        listed[row.external_id].setdefault("first_message", row.attributes["first_message"])
    for row in bench.drain("surveys")[0]:
        listed[row.external_id]["score"] = row.attributes["score"]
    for ticket_id in sorted(listed)[:15]:
        read = dict(bench.show(Entity.TICKET, ticket_id).attributes)
        assert read == {"score": None} | listed[ticket_id]
    assert any("score" in shown for shown in listed.values())


def test_events_begin_at_the_newest_one(bench: GorgiasBench) -> None:
    for n in range(3):
        bench.twin.edit("customers", None, name=f"Extra {n}")
    page = pull(bench, "events")
    newest = max(iso(event["created_datetime"]) or "" for event in bench.twin.rows("events").values())
    assert (page.rows, page.complete, page.cursor) == ((), True, Cursor(newest))
    assert bench.meter.calls == 1


def test_events_of_an_account_without_any_begin_at_the_beginning() -> None:
    (page,) = walk(Lists([]).connector(), "events")
    assert page.cursor.watermark is not None
    assert page.cursor.watermark < "1971"


def test_deletes_are_evidence(bench: GorgiasBench) -> None:
    cursor = pull(bench, "events").cursor
    ticket_id, customer_id = bench.existing(Entity.TICKET), str(bench.twin.edit("customers", None, name="Brief")["id"])
    bench.twin.delete("tickets", ticket_id)
    bench.twin.delete("customers", customer_id)
    page = pull(bench, "events", cursor)
    assert [(row.entity, row.external_id, row.evidence) for row in page.rows] == [
        (Entity.TICKET, ticket_id, Evidence("deleted")),
        (Entity.CUSTOMER, customer_id, Evidence("deleted")),
    ]
    assert bench.show(Entity.CUSTOMER, customer_id).evidence == Evidence("missing")


@pytest.mark.parametrize("bears", ["source", "target"])
def test_a_merge_names_its_survivor(bench: GorgiasBench, bears: str) -> None:
    bench.twin.switch("merged_event_object", bears)
    cursor = pull(bench, "events").cursor
    source, target = sorted(bench.ids(Entity.CUSTOMER))[:2]
    bench.twin.run(bench.twin.system.merge, "customers", source, target)
    page = pull(bench, "events", cursor)
    assert [(row.external_id, row.evidence) for row in page.rows] == [(source, Evidence("merged", target))]
    assert bench.show(Entity.CUSTOMER, source).evidence == Evidence("merged", target)


@pytest.mark.parametrize(
    ("switch", "value", "evidence"),
    [("merged_location", "off", Evidence("merged")), ("merged_get", 404, Evidence("missing"))],
)
def test_a_merged_id_is_gone_however_it_is_answered(
    bench: GorgiasBench, switch: str, value: Any, evidence: Evidence
) -> None:
    bench.twin.switch(switch, value)
    source, target = sorted(bench.ids(Entity.CUSTOMER))[:2]
    bench.twin.run(bench.twin.system.merge, "customers", source, target)
    assert bench.show(Entity.CUSTOMER, source).evidence == evidence


def test_a_merge_event_that_names_nobody_is_asked_by_id() -> None:
    def serve(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/api/events":
            event = {"id": 5, "type": "customer-merged", "object_id": 7, "created_datetime": "2026-06-01T00:00:00"}
            return httpx.Response(200, json={"data": [event], "meta": {"next_cursor": None}})
        return httpx.Response(301, headers={"location": "/api/customers/9/"})

    lists = Lists([])
    lists.__class__ = type("Served", (Lists,), {"__call__": staticmethod(serve)})
    (page,) = walk(lists.connector(), "events", Cursor("2026-05-31T00:00:00.000000+00:00"))
    assert [(row.external_id, row.evidence) for row in page.rows] == [("7", Evidence("merged", "9"))]


def test_a_survey_answer_is_read_once(bench: GorgiasBench) -> None:
    cursor = pull(bench, "events").cursor
    ticket_id = next(id for id, row in sorted(bench.twin.rows("tickets").items()) if row["satisfaction_survey"] is None)
    bench.twin.edit("surveys", None, ticket_id=int(ticket_id), score=4)
    before = bench.meter.calls
    page = pull(bench, "events", cursor)
    assert [(row.external_id, row.attributes) for row in page.rows] == [(ticket_id, {"score": 4})]
    assert bench.meter.calls - before == 2
    again = pull(bench, "events", page.cursor)
    assert again.rows == []
    assert again.cursor == page.cursor
    assert bench.meter.calls - before == 3


def test_what_left_the_overlap_is_forgotten_by_the_watermark(bench: GorgiasBench) -> None:
    cursor = pull(bench, "events").cursor
    ticket_id = next(id for id, row in sorted(bench.twin.rows("tickets").items()) if row["satisfaction_survey"] is None)
    bench.twin.edit("surveys", None, ticket_id=int(ticket_id), score=4)
    cursor = pull(bench, "events", cursor).cursor
    assert len((cursor.watermark or "").split()) == 2
    bench.twin.advance(3600)
    bench.twin.delete("tickets", ticket_id)
    assert len((pull(bench, "events", cursor).cursor.watermark or "").split()) == 1


def test_events_move_their_watermark_with_each_page() -> None:
    start = NOW - timedelta(minutes=1)
    rows = [
        {
            "id": n,
            "type": "ticket-deleted",
            "object_id": n,
            "created_datetime": (start + timedelta(seconds=n)).isoformat(),
        }
        for n in range(150)
    ]
    server = Lists(rows)
    pages = walk(server.connector(), "events", Cursor("2026-05-31T00:00:00.000000+00:00"))
    marks = [page.cursor.watermark for page in pages]
    assert marks == [iso(rows[99]["created_datetime"]), iso(rows[149]["created_datetime"])]
    assert {url.params["created_datetime[gte]"] for url in server.requests} == {"2026-05-30T23:55:00.000000+00:00"}
    assert "customer-merged" in server.requests[0].params.get_list("types")


def test_an_expired_cursor_of_events_reads_on_from_the_watermark() -> None:
    rows = [
        {
            "id": n,
            "type": "ticket-deleted",
            "object_id": n,
            "created_datetime": (NOW + timedelta(seconds=n)).isoformat(),
        }
        for n in range(150)
    ]
    server = Lists(rows)
    server.refuse_cursors = 1
    pages = walk(server.connector(), "events", Cursor("2026-06-01T00:00:00.000000+00:00"))
    assert {row.external_id for page in pages for row in page.rows} == {str(n) for n in range(150)}


@pytest.mark.parametrize("spelling", ["Mina.Both@Example.com", "mina.both@example.com"])
def test_a_customer_is_found_by_any_of_its_emails(bench: GorgiasBench, spelling: str) -> None:
    made = bench.twin.edit("customers", None, name="Mina", emails=["mina.first@example.com", "mina.both@example.com"])
    hits = list(bench.connector.lookup(Entity.CUSTOMER, [("email", spelling)], lane=Lane.DELTA))
    assert [(index, row.external_id) for index, row in hits] == [(0, str(made["id"]))]
    assert hits[0][1].attributes["emails"] == ["mina.both@example.com"]


def test_a_customer_is_found_by_phone_and_a_ticket_is_not(bench: GorgiasBench) -> None:
    made = bench.twin.edit("customers", None, name="Ola", phones=["+14155550177"])
    keys = [("email", "nobody@example.com"), ("phone", "+14155550177")]
    hits = list(bench.connector.lookup(Entity.CUSTOMER, keys, lane=Lane.DELTA))
    assert [(index, row.external_id) for index, row in hits] == [(1, str(made["id"]))]
    assert list(bench.connector.lookup(Entity.TICKET, keys, lane=Lane.DELTA)) == []


def test_a_trashed_ticket_is_found_by_its_marker(bench: GorgiasBench) -> None:
    change, receipt = bench.create(Entity.TICKET)
    bench.twin.edit("tickets", receipt.external_id, trashed=True)
    hits = list(bench.connector.lookup(Entity.TICKET, [("marker", change.marker or "")], lane=Lane.DELTA))
    assert [row.external_id for _, row in hits] == [receipt.external_id]


@pytest.mark.parametrize("kind", ["reset_before", "reset_after", "truncate", "5xx"])
def test_a_walk_survives_passing_trouble(bench: GorgiasBench, kind: str) -> None:
    bench.twin.fault(path="/api/customers", kind=kind, times=2)
    assert {row.external_id for row in bench.drain("customers")[0]} == bench.ids(Entity.CUSTOMER)


def test_times_have_one_spelling() -> None:
    assert iso("2024-11-01T10:59:29+00:00") == "2024-11-01T10:59:29.000000+00:00"
    assert iso("2024-11-01T12:59:29.5+02:00") == "2024-11-01T10:59:29.500000+00:00"
    assert iso("2024-11-01T10:59:29.123456") == "2024-11-01T10:59:29.123456+00:00"
    assert iso("2024-11-01T10:59:29Z") == "2024-11-01T10:59:29.000000+00:00"
    assert iso(None) is None


def test_html_becomes_its_words() -> None:
    html = (
        "<head><style>p{}</style></head><p>Hello&nbsp;there,<br>it is <b>late</b>.</p>"
        "<script>x()</script><div>&#128075; &lt;3</div>"
    )
    assert html_text(html) == "Hello there,\nit is late.\n\N{WAVING HAND SIGN} <3"


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ({"stripped_text": "short", "body_text": "long"}, "short"),
        ({"stripped_text": " ", "body_text": "long", "body_html": "<p>x</p>"}, "long"),
        ({"stripped_text": None, "body_text": None, "body_html": "<p>x</p>"}, "x"),
        ({}, ""),
    ],
)
def test_the_text_of_a_message_is_its_stripped_text_if_there_is_one(message: dict[str, Any], text: str) -> None:
    assert first_message({"id": 1, "created_datetime": None, **message})["text"] == text


def test_what_an_answer_did_not_show_is_absent() -> None:
    row = customer_row({"id": 1, "email": None, "updated_datetime": None}, Channel.LIST)
    assert row.attributes == {"email": None}
    assert ticket_row({"id": 1, "assignee_user": None, "customer": None}, Channel.LIST).attributes == {
        "assignee_user_id": None,
        "customer_id": None,
    }


def test_our_key_of_the_data_is_read_and_the_rest_is_left_alone() -> None:
    data = {"sync": {"company": "Works", "order_count": 2, "strange": 1}, "loyalty": {"level": 3}}
    row = customer_row({"id": 1, "data": data, "channels": []}, Channel.BY_ID)
    assert row.attributes["sync.company"] == "Works"
    assert row.attributes["sync.credit_status"] is None
    assert "sync.strange" not in row.attributes
    assert row.carry == {"channels": [], "data": data}
    for odd in (None, [], "text", {"sync": "text"}):
        assert customer_row({"id": 1, "data": odd}, Channel.LIST).attributes["sync.company"] is None


@pytest.mark.parametrize("odd", [None, [], {}, {"id": None}, {"id": True}, {"id": ""}])
def test_an_object_without_an_id_cannot_be_read(odd: Any) -> None:
    with pytest.raises(BadInput):
        customer_row(odd, Channel.LIST)


@pytest.mark.parametrize("given", ["https://a.example.com", "https://a.example.com/", "https://a.example.com/api/"])
def test_the_address_may_end_in_api_or_not(given: str) -> None:
    assert api_url(given) == "https://a.example.com/api"


def test_customers_that_cannot_be_ordered_by_update_are_all_read(bench: GorgiasBench) -> None:
    bench.twin.switch("customer_order_updated", "off")
    first = pull(bench, "customers")
    assert first.complete
    assert {row.external_id for row in first.rows} == set(bench.ids(Entity.CUSTOMER))
    oldest = min(bench.ids(Entity.CUSTOMER), key=int)
    bench.twin.edit("customers", oldest, name="Olga Anders")
    again = pull(bench, "customers", first.cursor)
    assert {row.external_id for row in again.rows} == set(bench.ids(Entity.CUSTOMER))
    assert next(row for row in again.rows if row.external_id == oldest).attributes["name"] == "Olga Anders"
