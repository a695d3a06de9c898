"""The ways in which published connectors read Gorgias, each rebuilt as they describe it, against the twin.

There is no updated-since filter on any list but the events' [doc, and every connector says so]; these are the four
techniques that connectors use instead.
"""

from datetime import datetime, timedelta

import httpx
import pytest

from tests.sandbox.clients.gorgias_twin import gorgias_sandbox

LOOKBACK = timedelta(minutes=5)


@pytest.fixture(scope="module")
def gorgias(tmp_path_factory):
    with gorgias_sandbox(tmp_path_factory.mktemp("readers") / "sandbox", tickets=60) as twin:
        yield twin


@pytest.fixture
def http(gorgias):
    with httpx.Client(base_url=f"{gorgias.url}/api", auth=gorgias.auth, timeout=30) as client:
        yield client


def at(row, name="updated_datetime"):
    return datetime.fromisoformat(row[name])


def advance(gorgias, seconds):
    gorgias.control.post("/clock", json={"advance_s": seconds}).raise_for_status()


def walk_and_stop(http, path, watermark, limit=10, between=lambda: None):
    """Newest first, stop at a page that is older than the watermark as a whole; (id, updated) tells doubles apart."""
    found, pages, cursor, mark = {}, 0, None, watermark
    while True:
        asked = {"order_by": "updated_datetime:desc", "limit": limit, **({"cursor": cursor} if cursor else {})}
        page = http.get(path, params=asked).raise_for_status().json()
        pages += 1
        if pages == 1 and page["data"]:
            mark = max(mark, at(page["data"][0])) if mark else at(page["data"][0])
        rows = [row for row in page["data"] if watermark is None or at(row) >= watermark]
        found.update({(row["id"], row["updated_datetime"]): row for row in rows})
        cursor = page["meta"]["next_cursor"]
        if cursor is None or (watermark is not None and not rows):
            return found, mark, pages
        between()


@pytest.mark.parametrize("path", ["tickets", "customers", "users"])
def test_a_newest_first_walk_reads_all_and_its_second_run_stops_after_what_changed(gorgias, http, path):
    first, mark, pages = walk_and_stop(http, path, None, limit=5)
    assert {number for number, _ in first} == {row["id"] for row in gorgias.live(path)}
    assert pages > 1
    changed = sorted({number for number, _ in first})[3]
    body = {"tickets": {"subject": "changed"}, "customers": {"note": "changed"}, "users": {"bio": "changed"}}[path]
    advance(gorgias, 60)
    http.put(f"{path}/{changed}", json=body).raise_for_status()
    second, _, fewer = walk_and_stop(http, path, mark + timedelta(microseconds=1), limit=5)
    assert {number for number, _ in second} == {changed}
    assert fewer == 2


def test_a_row_that_changes_during_a_newest_first_walk_is_missed_and_found_by_the_next(gorgias, http):
    first = http.get("tickets", params={"order_by": "updated_datetime:asc", "limit": 1}).json()["data"][0]["id"]
    done = []

    def touch_the_oldest():
        if not done:
            done.append(http.put(f"tickets/{first}", json={"subject": "moved to the front"}).raise_for_status())

    rows, mark, _ = walk_and_stop(http, "tickets", None, between=touch_the_oldest)
    assert first not in {number for number, _ in rows}
    again, _, _ = walk_and_stop(http, "tickets", mark)
    assert first in {number for number, _ in again}


def test_the_events_with_a_lookback_of_five_minutes_tell_every_change_once_by_id(gorgias, http):
    seen, cursor_at = {}, datetime.fromisoformat("2000-01-01T00:00:00+00:00")
    made = []
    for number in range(4):
        body = {"channels": [{"type": "email", "address": f"events{number}@example.com"}]}
        made.append(http.post("customers", json=body).json()["id"])
        asked = {"created_datetime[gte]": (cursor_at - LOOKBACK).isoformat(), "order_by": "created_datetime:asc"}
        cursor = None
        while True:
            page = http.get("events", params={**asked, "limit": 100, **({"cursor": cursor} if cursor else {})}).json()
            seen.update({row["id"]: row for row in page["data"]})
            cursor = page["meta"]["next_cursor"]
            if cursor is None:
                break
        cursor_at = max(at(row, "created_datetime") for row in seen.values())
        advance(gorgias, 120)
    created = [row["object_id"] for row in seen.values() if row["type"] == "customer-created"]
    assert [number for number in created if number in made] == made
    assert set(seen) == {row["id"] for row in gorgias.live("events")}


def test_an_ad_hoc_view_reads_tickets_changed_since_a_time_in_ascending_order_and_goes_again(gorgias, http):
    since = max(at(row) for row in gorgias.live("tickets"))
    advance(gorgias, 60)
    touched = [row["id"] for row in gorgias.live("tickets") if not row["spam"] and not row["trashed_datetime"]][:7]
    for number in touched:
        http.put(f"tickets/{number}", json={"subject": "since"}).raise_for_status()
    me = http.get("users/0").json()["id"]
    view = http.post(
        "views",
        json={
            "slug": "since", "name": "since", "type": "ticket-list", "visibility": "private",
            "shared_with_users": [{"id": me}], "order_by": "updated_datetime", "order_dir": "asc",
            "filters": f"gte(ticket.updated_datetime, '{(since + timedelta(seconds=1)).isoformat()}')",
        },
    ).raise_for_status().json()  # fmt: skip
    rows, url = [], f"/api/views/{view['id']}/items?limit=3"
    while url:
        page = http.get(httpx.URL(gorgias.url).join(url)).raise_for_status().json()
        rows += page["data"]
        url = page["meta"]["next_items"]
    assert [row["id"] for row in rows] == touched
    assert http.delete(f"views/{view['id']}/").status_code == 204
    assert http.get(f"views/{view['id']}").status_code == 404


def test_a_cursor_kept_as_a_bookmark_goes_on_where_it_was_until_it_expires(gorgias, http):
    page = http.get("events", params={"order_by": "created_datetime:asc", "limit": 3}).json()
    bookmark = page["meta"]["next_cursor"]
    later = http.get("events", params={"order_by": "created_datetime:asc", "limit": 3, "cursor": bookmark}).json()
    numbers = [row["id"] for row in page["data"] + later["data"]]
    stored = sorted(gorgias.live("events"), key=lambda row: (at(row, "created_datetime"), row["id"]))
    assert numbers == [row["id"] for row in stored][:6]
    advance(gorgias, 2 * 86_400)
    expired = http.get("events", params={"order_by": "created_datetime:asc", "cursor": bookmark})
    assert expired.status_code == 400
    assert "cursor" in expired.json()["error"]["data"]


def test_a_trailing_slash_makes_no_difference_and_never_redirects(gorgias, http):
    number = gorgias.live("tickets")[0]["id"]
    for path in ("account", "tickets", f"tickets/{number}", f"tickets/{number}/messages", "users/0"):
        plain, slashed = http.get(path), http.get(path + "/")
        assert (plain.status_code, slashed.status_code) == (200, 200)
        assert plain.json().get("data", plain.json()) == slashed.json().get("data", slashed.json())


def test_the_credential_probe_tells_good_keys_from_bad_ones(gorgias, http):
    assert http.get("account").status_code == 200
    assert http.get("account", auth=("nobody@example.com", "wrong")).status_code == 401
