"""Macros: canned actions; kept, archived, carried out by jobs. One that a rule names can't be deleted: 409 [doc]."""

# ruff: noqa: S608 - statements are put together from this package's own table and column names; values are bound

from typing import Any

from sync_platform.sandbox.gorgias import fields, plain, rules
from sync_platform.sandbox.gorgias.customer_calls import put_reply
from sync_platform.sandbox.gorgias.http import Contract, Reply, Request, Routes, add, dump, ok
from sync_platform.sandbox.gorgias.store import Listing, Sort, Store, conflict, refuse_orders, sorts, stamp

KIND = "macros"
ARCHIVE_MAX = 30
ORDERS = {
    **sorts("created", "updated"),
    **{
        f"{name}:{way}": Sort((name,), way == "desc")
        for name in ("name", "usage", "language")
        for way in ("asc", "desc")
    },
    # What is relevant to a ticket is the vendor's guess; here the macros in most use come first.
    "relevance:asc": Sort(("usage",), False),
    "relevance:desc": Sort(("usage",), True),
}
_ACTION = fields.nested(
    {
        "name": fields.text(shortest=1, longest=100, null=False),
        "title": fields.text(longest=255),
        "type": fields.text(longest=100),
        "arguments": fields.mapping,
        "description": fields.text(),
    },
    required=("name",),
)
_BODY: dict[str, fields.Check] = {
    "name": fields.text(shortest=1, longest=255, null=False),
    "external_id": fields.text(longest=255),
    "intent": fields.text(longest=100),
    "language": fields.one_of(fields.LANGUAGES, null=True),
    "actions": fields.many(_ACTION),
}
_FILTERS: dict[str, fields.Check] = {
    "search": fields.text(),
    "tags": fields.many(fields.text(shortest=1, longest=256, null=False), longest=100),
    "languages": fields.many(fields.text(shortest=1, longest=10, null=False), longest=100),
    "ticket_id": fields.integer(),
    "message_id": fields.integer(),
    "number_predictions": fields.integer(high=100),
    "archived": fields.boolean(),
}
_IDS: dict[str, fields.Check] = {"ids": fields.many(fields.integer(), shortest=1, longest=ARCHIVE_MAX)}


def prepare(store: Store) -> None:
    """The table; empty texts stand for null, so that orders have no gaps."""
    plain.prepare(
        store, KIND, "name TEXT NOT NULL, usage INTEGER NOT NULL DEFAULT 0, language TEXT NOT NULL, archived INTEGER,"
    )


class MacroCalls:
    """Handlers of /api/macros."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def register(self, routes: Routes) -> None:
        """Add the routes."""
        handlers = {
            "list": self.page, "create": self.create, "get": self.get, "update": self.change, "delete": self.delete,
        }  # fmt: skip
        new, given = fields.nested(_BODY, required=("name",)), fields.nested(_BODY)
        told = plain.contracts("Macro", plain.asks(ORDERS, _FILTERS), new, given)
        plain.routes(routes, "macros", "/api/macros", "macro", handlers, told)
        archive = Contract({200: "ArchiveResult"}, body=fields.nested(_IDS, required=("ids",)))
        for verb, handler in (("archive", self.archive), ("unarchive", self.unarchive)):
            failure = f"Failed to {verb} macros"
            add(
                routes, "PUT", f"/api/macros/{verb}", handler, scope="macros", failure=failure, contract=archive
            )  # fmt: skip

    def page(self, request: Request) -> Reply:
        """GET list; the order by relevance needs a ticket_id."""
        asked = dict(request.query())
        if self.store.switch("macro_orders") == "created":
            refuse_orders(request, asked, "name", "updated_datetime", "usage", "relevance", "language")
        if asked.get("order_by", "").startswith("relevance") and "ticket_id" not in asked:
            raise request.invalid({"ticket_id": [fields.MISSING]})
        return plain.page(self.store, request, KIND, ORDERS, _FILTERS, _narrow, repeated=("tags", "languages"))

    def get(self, request: Request) -> Reply:
        """GET one."""
        return plain.one(self.store, request, KIND)

    def create(self, request: Request) -> Reply:
        """POST: 201."""
        fields.no_query(request)
        given = fields.body(request, _BODY, ("name",))
        number, at = self.store.new_id(KIND), stamp(self.store.now())
        row = {
            "id": number, "external_id": given.get("external_id"), "name": given["name"],
            "intent": given.get("intent"), "language": given.get("language"), "usage": 0,
            "actions": given.get("actions", []), "created_datetime": at, "updated_datetime": at,
            "archived_datetime": None, "uri": f"/api/macros/{number}/",
        }  # fmt: skip
        with self.store.writing():
            plain.insert(self.store, KIND, row, name=row["name"], language=row["language"] or "")
            self.store.event("macro-created", "Macro", number, request.caller.user_id)
        return ok(dump(row), 201)

    def change(self, request: Request) -> Reply:
        """PUT: partial; actions replace."""
        fields.no_query(request)
        row = plain.read(self.store, KIND, request.ids[0])
        row |= {**fields.body(request, _BODY), "updated_datetime": stamp(self.store.now())}
        with self.store.writing():
            plain.save(self.store, KIND, row, name=row["name"], language=row["language"] or "")
            self.store.event("macro-updated", "Macro", row["id"], request.caller.user_id)
        return put_reply(self.store, dump(row))

    def delete(self, request: Request) -> Reply:
        """DELETE: 204, or 409 while a rule names it."""
        fields.no_query(request)
        number = request.ids[0]
        plain.read(self.store, KIND, number)
        if rules.names(self.store, number):
            raise conflict()
        with self.store.writing():
            plain.remove(self.store, KIND, number)
            self.store.event("macro-deleted", "Macro", number, request.caller.user_id)
        return Reply(204)

    def archive(self, request: Request) -> Reply:
        """PUT archive: a result for each id."""
        return self._set_archived(request, archived=True)

    def unarchive(self, request: Request) -> Reply:
        """PUT unarchive: a result for each id."""
        return self._set_archived(request, archived=False)

    def _set_archived(self, request: Request, *, archived: bool) -> Reply:
        """{"ids": […]} of at most 30 [documented]; the shape of a result, {id, status}, is inferred."""
        fields.no_query(request)
        given = fields.body(request, _IDS, ("ids",))
        results = []
        with self.store.writing():
            for number in dict.fromkeys(given["ids"]):
                live = self.store.one(f"SELECT 1 FROM {KIND} WHERE id = ? AND deleted IS NULL", number)
                results.append({"id": number, "status": "success" if live else "not_found"})
                if live:
                    self._mark(number, archived=archived, user_id=request.caller.user_id)
        return ok(dump({"data": results}))

    def _mark(self, number: int, *, archived: bool, user_id: int | None) -> None:
        row = plain.read(self.store, KIND, number)
        at = stamp(self.store.now())
        row.update(archived_datetime=at if archived else None, updated_datetime=at)
        plain.save(self.store, KIND, row, archived=self.store.now() if archived else None)
        self.store.event("macro-updated", "Macro", number, user_id)


def _narrow(wanted: Listing, asked: dict[str, Any]) -> None:
    """Archived ones are left out unless asked for [inferred]; tags are those that a macro adds."""
    if asked.get("search"):
        wanted.add("instr(lower(name), lower(?))", asked["search"])
    if asked.get("languages"):
        wanted.add(f"language IN ({', '.join('?' * len(asked['languages']))})", *asked["languages"])
    for tag in asked.get("tags") or []:
        wanted.add("instr(json_extract(row, '$.actions'), ?)", tag)
    wanted.add("archived IS NOT NULL" if asked.get("archived") else "archived IS NULL")
