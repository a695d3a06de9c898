"""dlt's REST client with its standard paginators, unmodified but for the address, reads every list of HubSpot's."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.sandbox.clients.twin import Twin

Row = dict[str, Any]


@pytest.fixture
def client(twin, monkeypatch) -> Callable[[str], Any]:
    """A REST client by its paginator: link (follows paging.next.link) or cursor (sends paging.next.after)."""
    monkeypatch.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")
    from dlt.sources.helpers.rest_client import RESTClient
    from dlt.sources.helpers.rest_client.auth import BearerTokenAuth
    from dlt.sources.helpers.rest_client.paginators import JSONLinkPaginator, JSONResponseCursorPaginator

    def of(name: str) -> Any:
        paginator = (
            JSONLinkPaginator(next_url_path="paging.next.link")
            if name == "link"
            else JSONResponseCursorPaginator(cursor_path="paging.next.after", cursor_param="after")
        )
        return RESTClient(base_url=twin.url, auth=BearerTokenAuth(token=twin.token), paginator=paginator)

    return of


def _rows(client: Any, path: str, **params: Any) -> Iterator[Row]:
    for page in client.paginate(path, params=params, data_selector="results"):
        yield from page


PAGINATORS = ("link", "cursor")


@pytest.mark.parametrize("kind", ["contacts", "tickets", "companies", "notes"])
@pytest.mark.parametrize("paginator", PAGINATORS)
@pytest.mark.parametrize("base", ["/crm/v3/objects/{}", "/crm/objects/2026-03/{}", "/crm/objects/2026-09/{}"])
def test_dlt_reads_every_record_page_by_page(client, twin, kind, paginator, base):
    kept = twin.live(kind)
    names = sorted({name for row in kept for name in row["properties"]})
    asked = {"limit": 7, "properties": ",".join(names)}
    rows = list(_rows(client(paginator), base.format(kind), **asked))
    assert [row["id"] for row in rows] == [row["id"] for row in kept]
    for row, held in zip(rows, kept, strict=True):
        assert {name: value for name, value in row["properties"].items() if value is not None} == held["properties"]
    pages = sum(call["count"] for call in twin.calls())
    assert pages == max(1, -(-len(kept) // 7))


@pytest.mark.parametrize("paginator", PAGINATORS)
def test_dlt_reads_the_owners(client, twin, paginator):
    rows = list(_rows(client(paginator), "/crm/v3/owners/", limit=2))
    assert rows == [row for row in twin.state("owners") if not row["archived"]]


@pytest.mark.parametrize("kind", ["contacts", "tickets", "companies"])
def test_dlt_reads_the_properties(client, twin, kind):
    rows = list(_rows(client("link"), f"/crm/v3/properties/{kind}"))
    kept = [row for row in twin.state("properties") if row["objectType"] == kind and not row["archived"]]
    assert {row["name"]: row for row in rows} == {
        row["name"]: {name: value for name, value in row.items() if name != "objectType"} for row in kept
    }


def test_dlt_reads_the_pipelines(client, twin):
    rows = list(_rows(client("cursor"), "/crm/v3/pipelines/tickets"))
    held = {row["id"]: row for row in twin.state("pipelines")}
    assert rows
    assert all(held[row["id"]]["stages"] == row["stages"] for row in rows)


@pytest.mark.parametrize("paginator", PAGINATORS)
def test_dlt_reads_the_associations_of_every_ticket(client, twin, paginator):
    found = {
        (ticket["id"], str(row["toObjectId"]))
        for ticket in twin.live("tickets")
        for row in _rows(client(paginator), f"/crm/v4/objects/tickets/{ticket['id']}/associations/contacts", limit=1)
    }
    assert found == _held(twin)


def _held(twin: Twin) -> set[tuple[str, str]]:
    return {
        (row["fromObjectId"], row["toObjectId"])
        for row in twin.state("associations")
        if (row["fromObjectTypeId"], row["toObjectTypeId"]) == ("0-5", "0-1")
    }
