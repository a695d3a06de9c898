"""The HTTP calls on views and on what is in them.

Items have an envelope of their own: meta holds current_cursor, next_items and prev_items, the latter two relative URLs
whose query holds cursor, ignored_item and direction [doc, seen in clients]. Here a cursor is the place of a row in the
view's order; a page begins with that row, unless it is the one to ignore because the client has it already.
"""

# ruff: noqa: S608 - statements are put together from this package's own table and column names; values are bound

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from sync_platform.sandbox.gorgias import fields, views
from sync_platform.sandbox.gorgias import view_lag as lag
from sync_platform.sandbox.gorgias.custom_fields import pruned
from sync_platform.sandbox.gorgias.customer_calls import put_reply
from sync_platform.sandbox.gorgias.http import Contract, Reply, Request, Routes, add, dump, ok
from sync_platform.sandbox.gorgias.store import Actor, Store, envelope, paging, sorts

ORDERS = sorts("created")
_ITEM_ORDERS = tuple(f"{name}:{way}" for name in views.ORDER_FIELDS for way in ("asc", "desc"))
_PAGING: dict[str, fields.Check] = {
    "cursor": fields.text(longest=2_000),
    "direction": fields.one_of(("prev", "next")),
    "ignored_item": fields.integer(),
    "limit": fields.integer(low=1, high=100),
    "order_by": fields.one_of(_ITEM_ORDERS),
}
_QUESTION: dict[str, fields.Check] = {"view": fields.nested(views.QUESTION)}


class ViewCalls:
    """Handlers of the views' routes; they ask for the scope of tickets [doc]."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def register(self, routes: Routes) -> None:
        """Add the routes."""
        new = fields.late(lambda: fields.nested(views.BODY, required=self._required()))
        put = Contract({200: "View", 202: None}, body=fields.nested(views.BODY))
        search = Contract({200: "ItemPage"}, _PAGING, body=fields.nested(_QUESTION, required=("view",)))
        for method, path, handler, verb, contract in (
            ("GET", "/api/views", self.page, "list views", Contract({200: "ViewPage"}, paging(ORDERS))),
            ("POST", "/api/views", self.create, "create view", Contract({201: "View"}, body=new)),
            ("GET", "/api/views/{id}", self.get, "get view", Contract({200: "View"})),
            ("PUT", "/api/views/{id}", self.change, "update view", put),
            ("DELETE", "/api/views/{id}", self.delete, "delete view", Contract({204: None})),
            ("GET", "/api/views/{id}/items", self.items, "list view items", Contract({200: "ItemPage"}, _PAGING)),
            ("PUT", "/api/views/{id}/items", self.search, "search view items", search),
        ):
            add(routes, method, path, handler, scope="tickets", failure=f"Failed to {verb}", contract=contract)

    def page(self, request: Request) -> Reply:
        """GET views."""
        wanted = self.store.listing("views", ORDERS, fields.query(request, paging(ORDERS)))
        page = self.store.page(request, wanted, ("row",))
        page.rows = [(dump(views.shown(self.store, json.loads(text))),) for (text,) in page.rows]
        return ok(envelope(request, page, total=True))

    def create(self, request: Request) -> Reply:
        """POST: 201."""
        fields.no_query(request)
        given = fields.body(request, views.BODY, self._required())
        with self.store.writing():
            number = views.create(self.store, given, _actor(request))
        return ok(self._text(number), 201)

    def _required(self) -> tuple[str, ...]:
        return ("slug",) if self.store.on("view_slug_required") else ()

    def get(self, request: Request) -> Reply:
        """GET one view."""
        fields.no_query(request)
        return ok(self._text(request.ids[0]))

    def change(self, request: Request) -> Reply:
        """PUT: partial."""
        fields.no_query(request)
        views.read(self.store, request.ids[0])
        given = fields.body(request, views.BODY)
        with self.store.writing():
            views.change(self.store, request.ids[0], given, _actor(request))
        return put_reply(self.store, self._text(request.ids[0]))

    def delete(self, request: Request) -> Reply:
        """DELETE: 204."""
        fields.no_query(request)
        with self.store.writing():
            views.delete(self.store, request.ids[0], _actor(request))
        return Reply(204)

    def items(self, request: Request) -> Reply:
        """GET what is in a view; without order_by in the view's own order [doc]."""
        asked = fields.query(request, _PAGING)
        return self._items(request, views.read(self.store, request.ids[0]), asked)

    def search(self, request: Request) -> Reply:
        """PUT a view in the body, over the stored one or (id 0) over none; paging stands in the query [doc]."""
        asked = fields.query(request, _PAGING)
        base: dict[str, Any] = {"type": "ticket-list", "order_by": "updated_datetime", "order_dir": "desc"}
        if request.ids[0]:
            base = views.read(self.store, request.ids[0])
        given = fields.body(request, _QUESTION, ("view",))["view"]
        try:
            return self._items(request, {**base, **given}, asked)
        except fields.Invalid as error:
            raise fields.Invalid({"view": error.messages}) from None

    def _items(self, request: Request, view: Mapping[str, Any], asked: dict[str, Any]) -> Reply:
        """One page of a view's rows."""
        place = self._place(request, asked)
        order_by = asked.get("order_by") or (place[0] if place else f"{view['order_by']}:{view['order_dir']}")
        if place and place[0] != order_by:
            raise request.invalid({"cursor": ["Invalid cursor."]})
        backward, limit = asked.get("direction") == "prev", asked.get("limit", 30)
        rows = self._rows(request, view, asked, order_by, place)
        more, rows = len(rows) > limit, rows[:limit]
        if backward:
            rows.reverse()
        kept: dict[str, Any] = {name: asked[name] for name in ("limit", "order_by") if name in asked}
        links: dict[str, str | None] = {"current_cursor": None, "next_items": None, "prev_items": None}
        if rows:
            links["current_cursor"] = self._cursor(order_by, rows[0])
            for way, row, there in (
                ("next", rows[-1], True if backward else more),
                ("prev", rows[0], more if backward else place is not None),
            ):
                query: dict[str, Any] = {
                    "cursor": self._cursor(order_by, row),
                    "direction": way,
                    "ignored_item": row[1],
                    **kept,
                }
                links[f"{way}_items"] = f"/api/views/{request.ids[0]}/items?{urlencode(query)}" if there else None
        data = ",".join(pruned(self.store, row[2], asked=False, listed=True) for row in rows)
        return ok(f'{{"object":"list","uri":{dump(request.uri)},"data":[{data}],"meta":{dump(links)}}}')

    def _rows(
        self, request: Request, view: Mapping[str, Any], asked: dict[str, Any], order_by: str, place: list[Any] | None
    ) -> list[tuple[Any, ...]]:
        """(order value, id, row) in reading order, one more than the limit."""
        name, _, way = order_by.partition(":")
        key = views.order(view["type"], name)
        made = views.condition(self.store, view, request.caller.user_id)
        descending = (way == "desc") != (asked.get("direction") == "prev")
        where, values = [made.sql], [*made.values]
        if place:
            where.append(f"({key}, id) {'<=' if descending else '>='} (?, ?)")
            values += place[2:]
        if "ignored_item" in asked:
            where.append("id <> ?")
            values.append(asked["ignored_item"])
        table = lag.source(self.store) if view["type"] == "ticket-list" else "customers"
        direction = "DESC" if descending else "ASC"
        return self.store.all(
            f"SELECT {key}, id, row FROM {table} WHERE {' AND '.join(where)} "
            f"ORDER BY {key} {direction}, id {direction} LIMIT ?",
            *values, asked.get("limit", 30) + 1,
        )  # fmt: skip

    def _cursor(self, order_by: str, row: tuple[Any, ...]) -> str:
        issued = int(self.store.world.clock.now().timestamp())
        return base64.urlsafe_b64encode(dump([order_by, issued, row[0], row[1]]).encode()).decode()

    def _place(self, request: Request, asked: dict[str, Any]) -> list[Any] | None:
        """What a cursor holds: order, when it was given, order value, id. Raises ApiError 400."""
        if not asked.get("cursor"):
            return None
        try:
            found = json.loads(base64.b64decode(asked["cursor"].encode(), altchars=b"-_", validate=True))
        except (ValueError, binascii.Error):
            found = None
        types: tuple[Any, ...] = (str, int, (str, int), int)
        good = isinstance(found, list) and len(found) == 4
        good = good and all(isinstance(one, kind) for one, kind in zip(found, types, strict=True))
        if not good or found[0] not in _ITEM_ORDERS:
            raise request.invalid({"cursor": ["Invalid cursor."]})
        if self.store.world.clock.now().timestamp() - found[1] > self.store.switch("cursor_ttl_s"):
            raise request.invalid({"cursor": ["The cursor has expired."]})
        return list(found)

    def _text(self, number: int) -> str:
        return dump(views.shown(self.store, views.read(self.store, number)))


def _actor(request: Request) -> Actor:
    return Actor(request.caller.user_id)
