"""dlt's REST client with its standard paginators, unmodified, reads every list of Gorgias's twin to the end.

What it got is compared with the twin's own store. Pages are small, so that every list has several.
"""

import os
from collections import Counter

os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"  # before dlt is there: nothing of a test run leaves the machine

import pytest
from dlt.sources.helpers.rest_client import RESTClient
from dlt.sources.helpers.rest_client.auth import BearerTokenAuth, HttpBasicAuth
from dlt.sources.helpers.rest_client.paginators import JSONLinkPaginator, JSONResponseCursorPaginator

from tests.sandbox.clients.gorgias_twin import gorgias_sandbox

LISTS = {
    "customers": "customers",
    "tickets": "tickets",
    "messages": "messages",
    "events": "events",
    "tags": "tags",
    "users": "users",
    "satisfaction-surveys": "surveys",
    "teams": "teams",
    "views": "views",
    "integrations": "integrations",
    "macros": "macros",
    "rules": "rules",
    "widgets": "widgets",
    "jobs": "jobs",
    "phone/voice-calls": "voice_calls",
}
MADE = {
    "tags": {"name": "made {}"},
    "teams": {"name": "made {}"},
    "views": {"slug": "made-{}", "filters": "eq(ticket.status, 'open')"},
    "integrations": {"name": "made {}", "type": "http", "http": {"url": "http://127.0.0.1:9/never"}},
    "macros": {"name": "made {}"},
    "rules": {"name": "made {}", "code": "// {}"},
    "widgets": {"type": "custom", "template": {"type": "wrapper"}},
    "jobs": {"type": "exportTicket", "params": {}},
    "users": {"name": "made {}", "email": "made{}@example.com", "role": {"name": "agent"}},
}
FIELD = {"definition": {"data_type": "text", "input_settings": {"input_type": "input"}}, "label": "made {}"}


def numbered(value, number):
    """A body with a number in its texts."""
    if isinstance(value, dict):
        return {key: numbered(entry, number) for key, entry in value.items()}
    return value.replace("{}", str(number)) if isinstance(value, str) else value


@pytest.fixture(scope="module")
def gorgias(tmp_path_factory):
    """An account in which every list has more than one page of seven."""
    with gorgias_sandbox(tmp_path_factory.mktemp("dlt") / "sandbox") as twin:
        rest = client(twin)
        for number in range(9):
            for path, body in MADE.items():
                assert rest.post(path, json=numbered(body, number)).status_code == 201
            for kind in ("Ticket", "Customer"):
                body = {**numbered(FIELD, number), "object_type": kind}
                assert rest.post("custom-fields", json=body).status_code == 201
        yield twin


def client(gorgias, auth=None):
    email, key = gorgias.auth
    return RESTClient(
        base_url=f"{gorgias.url}/api",
        auth=auth or HttpBasicAuth(email, key),
        paginator=JSONResponseCursorPaginator(cursor_path="meta.next_cursor", cursor_param="cursor"),
        data_selector="data",
    )


def read(rest, path, **params):
    """All rows of a list, and how many pages they took."""
    pages = list(rest.paginate(path, params={"limit": 7, **params}))
    return [row for page in pages for row in page], len(pages)


def as_listed(path, row):
    """What the store holds, as a list shows it: a ticket's row counts its messages instead of holding them."""
    if path != "tickets":
        return row
    owner, messages = row["customer"], row["messages"]
    compact = {name: owner[name] for name in ("id", "email", "name", "firstname", "lastname", "meta")}
    last = max(messages, key=lambda message: (message["created_datetime"], message["id"]))
    counted = {"messages_count": len(messages), "excerpt": (last["body_text"] or "")[:200]}
    known = {"integrations": [], "last_sent_message_not_delivered": False}
    return {**row, **counted, **known, "customer": compact}


@pytest.mark.parametrize("path", LISTS)
def test_dlt_reads_a_list_of_gorgias_to_its_end_and_gets_each_row_once(gorgias, path):
    stored = {row["id"]: row for row in gorgias.live(LISTS[path])}
    rows, pages = read(client(gorgias), path)
    assert Counter(row["id"] for row in rows) == Counter(list(stored))
    assert pages >= -(-len(stored) // 7)
    for row in rows:
        theirs = as_listed(path, stored[row["id"]])
        assert row == {name: theirs[name] for name in row}


def test_dlt_reads_with_an_oauth_token_too(gorgias):
    rows, _ = read(client(gorgias, BearerTokenAuth(gorgias.token())), "customers")
    assert {row["id"] for row in rows} == {row["id"] for row in gorgias.live("customers")}


def test_dlt_reads_the_messages_of_one_ticket_by_both_ways(gorgias):
    number = Counter(row["ticket_id"] for row in gorgias.live("messages")).most_common(1)[0][0]
    wanted = sorted(row["id"] for row in gorgias.live("messages") if row["ticket_id"] == number)
    for path, params in (("messages", {"ticket_id": number}), (f"tickets/{number}/messages", {})):
        rows, _ = read(client(gorgias), path, **params)
        assert sorted(row["id"] for row in rows) == wanted


@pytest.mark.parametrize("kind", ["Ticket", "Customer"])
def test_dlt_reads_the_custom_fields_of_an_object_type(gorgias, kind):
    rows, pages = read(client(gorgias), "custom-fields", object_type=kind)
    assert rows == sorted(
        (row for row in gorgias.live("custom_fields") if row["object_type"] == kind),
        key=lambda row: (row["priority"], row["id"]),
        reverse=True,
    )
    assert pages > 1


def test_dlt_follows_the_relative_links_of_view_items_to_the_end(gorgias):
    rest = client(gorgias)
    views = {row["slug"]: row["id"] for row in read(rest, "views")[0]}
    wanted = {
        "all": [row for row in gorgias.live("tickets") if not row["spam"] and not row["trashed_datetime"]],
        "made-3": [
            row
            for row in gorgias.live("tickets")
            if row["status"] == "open" and not row["spam"] and not row["trashed_datetime"]
        ],
    }
    for slug, stored in wanted.items():
        links = JSONLinkPaginator(next_url_path="meta.next_items")
        pages = list(rest.paginate(f"views/{views[slug]}/items", params={"limit": 5}, paginator=links))
        rows = [row for page in pages for row in page]
        assert Counter(row["id"] for row in rows) == Counter(row["id"] for row in stored)
        times = [row["updated_datetime"] for row in rows]
        assert times == sorted(times, reverse=True)
        assert len(pages) > 1


@pytest.mark.parametrize("path", ["customers", "tickets", "messages", "tags"])
def test_dlt_reads_a_list_of_gorgias_in_each_order_with_the_same_rows(gorgias, path):
    rest = client(gorgias)
    newest, _ = read(rest, path, order_by="created_datetime:desc")
    oldest, _ = read(rest, path, order_by="created_datetime:asc")
    assert [row["id"] for row in newest] == [row["id"] for row in reversed(oldest)]
