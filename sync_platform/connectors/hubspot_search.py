"""HubSpot's change feeds: a search over the modified date, a second look that trails behind it, and the full list.

Facts relied upon: search shows at most 200 rows a page and 10,000 a query [doc]; its `after` is an offset [recorded]; a
write takes "a few moments" to be searchable, without a promised bound, and rows arrive out of order [doc, code]; any
property change bumps the modified date, our own writes too [doc]. The list's `after` is the next id, and it has no cap
[recorded].

So a walk reads upwards from a stamp and repeats the last `overlap_s` before the server's own time. Offsets shift when
a row leaves or enters the part already read; each page therefore begins one row early, and when that row is not the
one expected, the walk begins again at the last stamp. The same happens well before the cap. When a single stamp holds
more rows than that can pass, its rows are read by id.

A search shows no associations: the contacts of a page's tickets are read with one more call, for those tickets alone
whose modified date the caller does not hold yet.

A mark (the watermark) is JSON: `from` (epoch milliseconds to read from next), `newest` (the newest stamp seen) and
`seen` (rows at or after `from` that were shown already, so that a repeated read shows nothing). It holds still while
nothing changes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sync_platform.connectors.hubspot_calls import SEARCH, Answer, Calls
from sync_platform.connectors.hubspot_rows import (
    KIND,
    MODIFIED,
    absorbed,
    milliseconds,
    moment,
    read_row,
    wanted_properties,
)
from sync_platform.connectors.hubspot_ties import Ties, with_contact
from sync_platform.connectors.protocol import Cursor, Feed, Known, Page
from sync_platform.core.records import Channel, Entity, Evidence, Json, Lane, Row

SEARCH_PAGE = 200
LIST_PAGE = 100
DEPTH_MAX = 9_000
SEEN_MAX = 400
FIRST_MS = 86_400_000  # filters at epoch 0 were seen to answer 500 [code]


@dataclass(frozen=True, slots=True)
class Mark:
    """What a watermark of a search feed says."""

    start_ms: int
    newest_ms: int = 0
    seen: tuple[tuple[str, int], ...] = ()

    def dump(self) -> str:
        """The watermark's text; equal marks are equal texts."""
        return json.dumps({"from": self.start_ms, "newest": self.newest_ms, "seen": self.seen}, separators=(",", ":"))

    @classmethod
    def load(cls, text: str) -> Mark:
        """The inverse of `dump`."""
        raw = json.loads(text)
        return cls(raw["from"], raw["newest"], tuple((str(one), int(ms)) for one, ms in raw["seen"]))

    def grown(self, rows: Sequence[tuple[str, int]], safe_ms: int) -> Mark:
        """After `rows` were read and everything before `safe_ms` is known to be searchable."""
        newest = max([self.newest_ms, *(ms for _, ms in rows)])
        start = max(self.start_ms, min(newest + 1, safe_ms))
        seen = {one: ms for one, ms in (*self.seen, *rows) if ms >= start}
        kept = sorted(seen.items(), key=lambda pair: (pair[1], pair[0]))[-SEEN_MAX:]
        return Mark(start, newest, tuple(kept))


@dataclass(frozen=True, slots=True)
class Walk:
    """Where an unfinished walk stands: everything from `floor_ms` up to the row `last` is read.

    `offset` counts rows read since the floor; `by_id` is set while the rows of the floor's own stamp are read by id.
    """

    floor_ms: int
    upper_ms: int | None = None
    offset: int = 0
    last: tuple[str, int] | None = None
    by_id: str | None = None

    def dump(self) -> dict[str, Json]:
        """For the cursor."""
        last = list(self.last) if self.last else None
        return {"floor": self.floor_ms, "upper": self.upper_ms, "offset": self.offset, "last": last, "id": self.by_id}

    @classmethod
    def load(cls, raw: Mapping[str, Json]) -> Walk:
        """The inverse of `dump`."""
        last = (str(raw["last"][0]), int(raw["last"][1])) if raw.get("last") else None
        return cls(raw["floor"], raw.get("upper"), raw.get("offset", 0), last, raw.get("id"))

    @property
    def reached_ms(self) -> int:
        """Everything before is read."""
        return self.last[1] if self.last else self.floor_ms

    def again(self) -> Walk:
        """Begin anew at the last stamp; by id when that would be no progress."""
        if self.reached_ms <= self.floor_ms:
            return replace(self, offset=0, by_id="0")
        return Walk(self.reached_ms, self.upper_ms)


@dataclass(slots=True)
class Found:
    """One search answer read: rows with their stamps, and where to go on (None: the walk is complete)."""

    rows: list[Row] = field(default_factory=list)
    keys: list[tuple[str, int]] = field(default_factory=list)
    bad: list[tuple[str, str]] = field(default_factory=list)
    next: Walk | None = None


@dataclass(slots=True)
class Feeds:
    """Pages of HubSpot's feeds."""

    calls: Calls
    ties: Ties
    overlap_s: float
    second_look_s: float

    def pull(self, feed: Feed, cursor: Cursor, *, lane: Lane, known: Known | None = None) -> Page:
        """One page of any feed."""
        if feed.kind in ("list", "removed"):
            return self._list(feed, cursor, lane)
        page = self._look(feed, cursor, lane) if feed.kind == "window" else self._changes(feed, cursor, lane)
        merged = absorbed(page.rows)
        if feed.entity is not Entity.TICKET or not page.rows:
            return replace(page, rows=[*merged, *page.rows]) if merged else page
        rows, unread = self.ties.shown(page.rows, lane, known)
        bad = [*page.bad, *((one, "its contacts were not answered") for one in sorted(unread))]
        return replace(page, rows=[*merged, *rows], bad=bad)

    def start(self, feed: Feed, cursor: Cursor | None, now: datetime) -> Cursor:
        """A new walk, or the unfinished one. The second look's upper end is fixed here."""
        cursor = cursor or Cursor()
        if feed.kind != "window" or cursor.walk is not None:
            return cursor
        upper = milliseconds(self.calls.server_at or now) - round(self.second_look_s * 1000)
        start = Mark.load(cursor.watermark).start_ms if cursor.watermark else max(FIRST_MS, upper)
        return Cursor(cursor.watermark, Walk(start, max(start, upper)).dump())

    # change feeds

    def _changes(self, feed: Feed, cursor: Cursor, lane: Lane) -> Page:
        if cursor.watermark is None:
            return self._anchor(feed, lane)
        mark = Mark.load(cursor.watermark)
        walk = Walk.load(cursor.walk) if cursor.walk else Walk(mark.start_ms)
        found, total = self._search(feed.entity, walk, lane)
        known = set(mark.seen)
        fresh = [row for row, key in zip(found.rows, found.keys, strict=True) if key not in known]
        # Before the walk is complete nothing above the last row is known.
        safe = self._safe_ms() if found.next is None else min(self._safe_ms(), found.next.reached_ms)
        mark = mark.grown(found.keys, safe)
        after = found.next.dump() if found.next else None
        return Page(fresh, Cursor(mark.dump(), after), found.next is None, total, found.bad)

    def _anchor(self, feed: Feed, lane: Lane) -> Page:
        """Nothing is known yet: begin at the newest stamp, as the full list shows all the rest."""
        query = self._query(feed.entity, [], "DESCENDING", MODIFIED[feed.entity], 1)
        answer = self._ask(feed.entity, query, lane)
        keys = [_key(feed.entity, one) for one in answer.body.get("results", ())]
        self._saw(keys)
        newest = keys[0][1] if keys else 0
        start = max(FIRST_MS, min(newest + 1, self._safe_ms()))
        return Page((), Cursor(Mark(start, newest, tuple(keys) if newest >= start else ()).dump()), complete=True)

    def _look(self, feed: Feed, cursor: Cursor, lane: Lane) -> Page:
        walk = Walk.load(cursor.walk or {})
        if cursor.watermark is None:
            return Page((), Cursor(Mark(walk.floor_ms).dump()), complete=True)
        mark = Mark.load(cursor.watermark)
        found, total = self._search(feed.entity, walk, lane)
        newest = max([mark.newest_ms, *(ms for _, ms in found.keys)])
        moved = mark
        if found.next is None and newest > mark.newest_ms:
            moved = Mark(max(mark.start_ms, newest + 1), newest)
        elif found.next is not None:
            moved = Mark(max(mark.start_ms, found.next.reached_ms), mark.newest_ms)
        after = found.next.dump() if found.next else None
        return Page(found.rows, Cursor(moved.dump(), after), found.next is None, total, found.bad)

    def _safe_ms(self) -> int:
        """Everything stamped before is searchable by now: the server's own time less the overlap."""
        at = self.calls.server_at
        return milliseconds(at) - round(self.overlap_s * 1000) if at else FIRST_MS

    def _search(self, entity: Entity, walk: Walk, lane: Lane) -> tuple[Found, int | None]:
        if walk.by_id is not None:
            return self._one_stamp(entity, walk, walk.by_id, lane)
        filters = [("GTE", MODIFIED[entity], walk.floor_ms)]
        if walk.upper_ms is not None:
            filters.append(("LTE", MODIFIED[entity], walk.upper_ms))
        query = self._query(entity, filters, "ASCENDING", MODIFIED[entity], SEARCH_PAGE)
        if walk.offset:
            query["after"] = str(walk.offset - 1)  # one row early: see the module's words
        answer = self._ask(entity, query, lane)
        found = self._rows(entity, answer)
        if walk.offset:
            if found.keys[:1] != [walk.last]:
                return Found(next=walk.again()), None
            del found.rows[0], found.keys[0]
        if not _goes_on(answer, query):
            return found, answer.body.get("total")
        last = found.keys[-1] if found.keys else walk.last
        on = replace(walk, offset=walk.offset + len(found.keys), last=last)
        found.next = on if found.keys and on.offset + SEARCH_PAGE <= DEPTH_MAX else on.again()
        return found, answer.body.get("total")

    def _one_stamp(self, entity: Entity, walk: Walk, after: str, lane: Lane) -> tuple[Found, int | None]:
        """Rows of one stamp by ascending id, then everything above it."""
        filters = [("EQ", MODIFIED[entity], walk.floor_ms), ("GT", "hs_object_id", int(after))]
        query = self._query(entity, filters, "ASCENDING", "hs_object_id", SEARCH_PAGE)
        answer = self._ask(entity, query, lane)
        found = self._rows(entity, answer)
        if _goes_on(answer, query) and found.keys:
            found.next = replace(walk, by_id=found.keys[-1][0])
        else:
            found.next = Walk(walk.floor_ms + 1, walk.upper_ms)
        return found, answer.body.get("total")

    def _query(
        self, entity: Entity, filters: Sequence[tuple[str, str, int]], direction: str, by: str, limit: int
    ) -> dict[str, Any]:
        said = [{"operator": op, "propertyName": name, "value": str(value)} for op, name, value in filters]
        return {
            "filterGroups": [{"filters": said}] if said else [],
            "sorts": [{"propertyName": by, "direction": direction}],
            "properties": wanted_properties(entity),
            "limit": limit,
        }

    def _ask(self, entity: Entity, query: dict[str, Any], lane: Lane) -> Answer:
        api = getattr(self.calls.client.crm, KIND[entity]).search_api
        return self.calls.run(api.do_search, query, lane=lane, limits=SEARCH)

    def _rows(self, entity: Entity, answer: Answer) -> Found:
        found = Found()
        for one in answer.body.get("results", ()):
            row, bad = read_row(entity, one, Channel.SEARCH)
            if row is None or row.stamp is None:
                found.bad.append(bad or (row.external_id if row else "?", "no modified date"))
                continue
            found.rows.append(row)
            found.keys.append((row.external_id, milliseconds(row.stamp)))
        self._saw(found.keys)
        return found

    def _saw(self, keys: Sequence[tuple[str, int]]) -> None:
        newest = max((ms for _, ms in keys), default=0)
        at = moment(str(newest)) if newest else None
        if at:
            self.calls.saw(at)

    # the full list

    def _list(self, feed: Feed, cursor: Cursor, lane: Lane) -> Page:
        archived = feed.kind == "removed"
        named: dict[str, Any] = {"limit": LIST_PAGE, "properties": wanted_properties(feed.entity), "archived": archived}
        if feed.entity is Entity.TICKET and not archived:
            named["associations"] = ["contacts"]
        if cursor.walk:
            named["after"] = cursor.walk["after"]
        api = getattr(self.calls.client.crm, KIND[feed.entity]).basic_api
        answer = self.calls.run(api.get_page, lane=lane, **named)
        rows: list[Row] = []
        bad: list[tuple[str, str]] = []
        for one in answer.body.get("results", ()):
            row, trouble = read_row(feed.entity, one, Channel.LIST)
            if row is None:
                bad.append(trouble or ("?", "unreadable"))
                continue
            if archived:
                row = replace(row, attributes={}, carry=None, evidence=Evidence("archived"))
            elif feed.entity is Entity.TICKET:
                row = with_contact(row, _listed_contacts(one))
            rows.append(row)
        rows = [*absorbed(rows), *rows]
        after = ((answer.body.get("paging") or {}).get("next") or {}).get("after")
        if after is None:
            return Page(rows, Cursor("listed"), complete=True, bad=bad)
        return Page(rows, Cursor(cursor.watermark, {"after": after}), complete=False, bad=bad)


def _goes_on(answer: Answer, query: Mapping[str, Any]) -> bool:
    """Whether rows are left behind this page: a full last page may name a next one, but `total` counts every match."""
    total = answer.body.get("total")
    read = int(query.get("after", 0)) + len(answer.body.get("results", ()))
    return bool(answer.body.get("paging")) and not (isinstance(total, int) and read >= total)


def _key(entity: Entity, found: Mapping[str, Any]) -> tuple[str, int]:
    at = moment(found["properties"].get(MODIFIED[entity])) or moment(found.get("updatedAt"))
    return str(found["id"]), milliseconds(at) if at else 0


def _listed_contacts(found: Mapping[str, Any]) -> list[str]:
    held = ((found.get("associations") or {}).get("contacts") or {}).get("results") or ()
    return [str(one["id"]) for one in held]
