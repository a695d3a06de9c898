"""The feeds of Gorgias: newest-first walks, the listing of customers with a phone, and the events.

There is no `updated_since` on any list [doc]. A list is walked newest first and left at the first page that reaches
below the watermark; the new watermark is the newest stamp of the walk's first page, by the server's own clock. What is
updated while we walk jumps ahead of the cursor and is found by the next walk. `GET /events` alone takes a lower bound
[doc], and it alone shows deletes and merges. Messages and surveys have no order by update: a message or survey that an
import dated back stays below the watermark and is found by a read of its ticket.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sync_platform.connectors.gorgias_shapes import (
    bad_row,
    customer_row,
    gone_row,
    identity,
    message_rows,
    moment,
    spelled,
    survey_row,
    ticket_row,
)
from sync_platform.connectors.http import Answer, JsonApi, Query, Refused
from sync_platform.connectors.protocol import Cursor, Feed, Page
from sync_platform.core.records import Channel, Entity, Evidence, Json, Lane, Row, System
from sync_platform.errors import BadInput, Rejected, SyncError, Unavailable

PAGE = 100  # the largest that the API gives [doc]
CREATED = "created_datetime:desc"
BEGINNING = "1970-01-01T00:00:00.000000+00:00"
EVENTS_REMEMBERED_MAX = 500

# Events first: on a first load their watermark must be older than everything that the lists are about to show.
FEEDS = (
    Feed("events", Entity.TICKET, "ascending"),
    Feed("customers", Entity.CUSTOMER, "walk"),
    Feed("tickets", Entity.TICKET, "walk"),
    Feed("messages", Entity.TICKET, "walk"),
    Feed("surveys", Entity.TICKET, "walk"),
    Feed("customers.phone", Entity.CUSTOMER, "list", first_load=True),
)
_GONE_TYPES = {"customer-deleted": Entity.CUSTOMER, "ticket-deleted": Entity.TICKET}
_EVENT_TYPES = ("customer-deleted", "customer-merged", "satisfaction-survey-responded", "ticket-deleted")

Rows = tuple[list[Row], list[tuple[str, str]]]


@dataclass(frozen=True, slots=True)
class _Walk:
    path: str
    order: str
    stamp: str
    rows: Callable[[Sequence[Json]], Rows]


def _each(shape: Callable[[Json], Row]) -> Callable[[Sequence[Json]], Rows]:
    """Shape a page row by row; one that cannot be read does not hinder the others."""

    def rows(page: Sequence[Json]) -> Rows:
        good: list[Row] = []
        bad: list[tuple[str, str]] = []
        for theirs in page:
            try:
                good.append(shape(theirs))
            except BadInput as error:
                bad.append(bad_row(theirs, error))
        return good, bad

    return rows


_WALKS: Mapping[str, _Walk] = {
    "customers": _Walk(
        "/customers", "updated_datetime:desc", "updated_datetime", _each(lambda one: customer_row(one, Channel.LIST))
    ),
    "tickets": _Walk(
        "/tickets", "updated_datetime:desc", "updated_datetime", _each(lambda one: ticket_row(one, Channel.LIST))
    ),
    "messages": _Walk("/messages", "created_datetime:desc", "created_datetime", message_rows),
    "surveys": _Walk("/satisfaction-surveys", "created_datetime:desc", "created_datetime", _each(survey_row)),
}


def begin(feed: Feed, cursor: Cursor | None, overlap_s: float) -> Cursor:
    """The cursor of a new walk; one that is not finished goes on where it stopped."""
    if cursor is not None and cursor.walk is not None:
        return cursor
    watermark = None if cursor is None or feed.kind == "list" else cursor.watermark
    walk: dict[str, Json] = {"upper": None, "next": None, "floor": None}
    if watermark is not None and feed.kind == "walk":
        walk["floor"] = _less(watermark, overlap_s)
    return Cursor(watermark, walk)


def pull_walk(api: JsonApi, feed: Feed, cursor: Cursor, *, lane: Lane) -> Page:
    """One page of a newest-first walk.

    walk: {"upper": newest stamp of the first page, "next": the vendor's cursor, "floor": where the walk may end,
    "order": another order than the usual one, once the account has refused that}.
    """
    how = _WALKS[feed.name]
    walk = dict(cursor.walk or {"upper": None, "next": None, "floor": None})
    answer = _ordered(api, how, walk, lane=lane)
    theirs, following, total = contents(answer)
    stamps = _stamps(theirs, how.stamp)
    if walk["upper"] is None:
        walk["upper"] = max((*stamps, cursor.watermark or ""), default="") or None
    rows, bad = how.rows(theirs)
    below = walk["floor"] is not None and bool(stamps) and min(stamps) < walk["floor"]
    if following is None or below:
        return Page(rows, Cursor(walk["upper"]), complete=True, total=total, bad=bad)
    return Page(rows, Cursor(cursor.watermark, {**walk, "next": following}), complete=False, total=total, bad=bad)


def _ordered(api: JsonApi, how: _Walk, walk: dict[str, Json], *, lane: Lane) -> Answer:
    """The walk's next page. Customers could not be ordered by update before 2024 [code]: where that is a 400, they are
    all read, since no page then tells that what follows is older."""
    size = ("limit", str(PAGE))
    if "order" not in walk:
        try:
            return _page(api, how.path, [("order_by", how.order), size], walk, lane=lane)
        except Refused:
            walk.update(order=CREATED, floor=None)
    return _page(api, how.path, [("order_by", str(walk["order"])), size], walk, lane=lane)


def pull_phones(api: JsonApi, cursor: Cursor, *, lane: Lane) -> Page:
    """One page of the customers that have a phone number, as rows without attributes: whose detail to read next.

    Whether `channel_type` may stand without `channel_address` is not established: a 400 to the first page means that
    it may not, and then there is nothing to list.
    """
    walk = dict(cursor.walk or {"upper": None, "next": None, "floor": None})
    query = [("channel_type", "phone"), ("limit", str(PAGE))]
    try:
        answer = _page(api, "/customers", query, walk, lane=lane)
    except Refused as refused:
        if refused.answer.status == 400:
            return Page((), Cursor(BEGINNING), complete=True)
        raise halted(refused) from None
    theirs, following, total = contents(answer)
    rows, bad = _each(_phone_row)(theirs)
    if following is None:
        return Page(rows, Cursor(BEGINNING), complete=True, total=total, bad=bad)
    return Page(rows, Cursor(cursor.watermark, {**walk, "next": following}), complete=False, total=total, bad=bad)


def _phone_row(theirs: Json) -> Row:
    row = customer_row(theirs, Channel.LIST)
    return Row(System.GORGIAS, Entity.CUSTOMER, row.external_id, {}, Channel.LIST, carry={"has_phone": True})


def pull_events(
    api: JsonApi, cursor: Cursor, overlap_s: float, fetch: Callable[[Entity, str], Row], *, lane: Lane
) -> Page:
    """One page of events, oldest first; the watermark moves with each page.

    The watermark is a time, followed by the ids of survey events within the overlap that were read already: a survey
    is read once, however often its event is shown. Without a watermark the feed starts at the newest event.
    """
    if cursor.watermark is None:
        return _newest_event(api, lane=lane)
    at, known = _split(cursor.watermark)
    walk = dict(cursor.walk or {"next": None})
    walk.setdefault("since", None)
    since = walk["since"] or _less(at, overlap_s)
    query = [("created_datetime[gte]", since), ("order_by", "created_datetime:asc"), ("limit", str(PAGE))]
    query += [("types", one) for one in _EVENT_TYPES]
    answer = _page(api, "/events", query, {"next": walk.get("next")}, lane=lane)
    theirs, following, _ = contents(answer)
    rows: list[Row] = []
    bad: list[tuple[str, str]] = []
    for event in theirs:
        try:
            rows.extend(_event_rows(api, event, known, fetch, lane=lane))
        except BadInput as error:
            bad.append(bad_row(event, error))
    newest = max((at, *_stamps(theirs, "created_datetime")))
    watermark = _joined(newest, known, overlap_s)
    if following is None:
        return Page(rows, Cursor(watermark), complete=True, bad=bad)
    return Page(rows, Cursor(watermark, {"next": following, "since": since}), complete=False, bad=bad)


def _newest_event(api: JsonApi, *, lane: Lane) -> Page:
    query = [("order_by", "created_datetime:desc"), ("limit", "1")]
    try:
        theirs, _, _ = contents(api.read("/events", query, lane=lane))
    except Refused as refused:
        raise halted(refused) from None
    return Page((), Cursor(max(_stamps(theirs, "created_datetime"), default=BEGINNING)), complete=True)


def _event_rows(
    api: JsonApi, event: Json, known: dict[str, str], fetch: Callable[[Entity, str], Row], *, lane: Lane
) -> list[Row]:
    event_id = identity(event)
    kind, object_id = event.get("type"), event.get("object_id")
    if object_id is None:
        raise BadInput("no id", field="object_id")
    try:
        stamp = moment(event.get("created_datetime"))
    except ValueError:
        raise BadInput("not a time", field="created_datetime") from None
    if kind in _GONE_TYPES:
        return [gone_row(_GONE_TYPES[kind], str(object_id), Channel.LIST, Evidence("deleted"), stamp)]
    if kind == "customer-merged":
        return _merged(event, str(object_id), stamp, fetch)
    if kind == "satisfaction-survey-responded" and event_id not in known:
        row = _survey(api, str(object_id), lane=lane)
        known[event_id] = spelled(stamp) if stamp else BEGINNING
        return [] if row is None else [row]
    return []


def _merged(event: Json, object_id: str, stamp: datetime | None, fetch: Callable[[Entity, str], Row]) -> list[Row]:
    """Who was absorbed by whom. Neither whose id the event bears nor the keys of its data are documented: what the
    data does not name is asked by reading the id itself, which answers 301 or 404 when it is the absorbed one."""
    data = event.get("data") if isinstance(event.get("data"), dict) else {}
    source = _first_id(data, ("source_id", "source_customer_id", "source", "source_customer", "from_id"))
    target = _first_id(data, ("target_id", "target_customer_id", "target", "target_customer", "into_id"))
    if source is None and target is not None and object_id != target:
        source = object_id
    if target is None and source is not None and object_id != source:
        target = object_id
    if source is None:
        return [fetch(Entity.CUSTOMER, object_id)]
    return [gone_row(Entity.CUSTOMER, source, Channel.LIST, Evidence("merged", target), stamp)]


def _first_id(data: Mapping[str, Json], names: Sequence[str]) -> str | None:
    for name in names:
        value = data.get(name)
        value = value.get("id") if isinstance(value, dict) else value
        if isinstance(value, int | str) and not isinstance(value, bool) and value != "":
            return str(value)
    return None


def _survey(api: JsonApi, survey_id: str, *, lane: Lane) -> Row | None:
    try:
        answer = api.read(f"/satisfaction-surveys/{survey_id}", lane=lane)
    except Refused as refused:
        if refused.answer.status in (404, 410):
            return None
        raise halted(refused) from None
    return survey_row(answer.body)


def _page(api: JsonApi, path: str, query: Query, walk: dict[str, Json], *, lane: Lane) -> Answer:
    """One page at the walk's position. Cursors are «short-lived» [doc]: one that is refused restarts from the top,
    and the walk keeps the upper bound of its first start. Raises Refused for a 400 that leaves the caller another way.
    """
    if walk.get("next"):
        try:
            return api.read(path, [*query, ("cursor", str(walk["next"]))], lane=lane)
        except Refused as refused:
            if refused.answer.status != 400:
                raise halted(refused) from None
        walk["next"] = None
    try:
        return api.read(path, query, lane=lane)
    except Refused as refused:
        if refused.answer.status == 400 and path == "/customers" and ("order_by", CREATED) not in query:
            raise
        raise halted(refused) from None


def halted(refused: Refused) -> SyncError:
    """A refused listing as trouble of the system: it is no single row's fault."""
    if not isinstance(refused.error, Rejected):
        return refused.error
    return Unavailable(
        "the listing was refused",
        system=System.GORGIAS,
        code="REFUSED",
        status=refused.answer.status,
        correlation=refused.answer.correlation,
    )


def contents(answer: Answer) -> tuple[list[Json], str | None, int | None]:
    """Rows, the next cursor and the total of a list answer. Raises Unavailable for anything but a list."""
    body = answer.body
    if isinstance(body, list):
        return body, None, None
    if not isinstance(body, dict) or not isinstance(body.get("data"), list):
        raise Unavailable("the answer is not a list", system=System.GORGIAS, correlation=answer.correlation)
    found = body.get("meta")
    meta: Mapping[str, Json] = found if isinstance(found, dict) else {}
    total = meta.get("total_resources")
    return body["data"], meta.get("next_cursor") or None, total if isinstance(total, int) else None


def _stamps(theirs: Sequence[Json], name: str) -> list[str]:
    out = []
    for one in theirs:
        try:
            found = moment(one.get(name)) if isinstance(one, dict) else None
        except ValueError:
            found = None
        if found is not None:
            out.append(spelled(found))
    return out


def _less(watermark: str, seconds: float) -> str:
    return (
        spelled(datetime.fromisoformat(watermark) - timedelta(seconds=seconds)) if watermark > BEGINNING else watermark
    )


def _split(watermark: str) -> tuple[str, dict[str, str]]:
    """«time [id@time …]» → the time, and event id → its time."""
    at, *known = watermark.split()
    return at, dict(one.split("@", 1) for one in known)


def _joined(at: str, known: Mapping[str, str], overlap_s: float) -> str:
    """The inverse of `_split`; what fell out of the overlap is forgotten."""
    floor = _less(at, overlap_s)
    kept = sorted(((time, event) for event, time in known.items() if time >= floor), reverse=True)
    return " ".join((at, *(f"{event}@{time}" for time, event in kept[:EVENTS_REMEMBERED_MAX])))
