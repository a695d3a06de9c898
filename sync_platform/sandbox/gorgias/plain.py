"""What the plain resources share: a table of JSON rows, reading, lists, and handlers of one kind of row.

These parts of the API are served as create, read, change and delete with the right credentials, paging and errors;
nothing in the account depends on most of them.
"""

# ruff: noqa: S608 - statements are put together from this package's own table and column names; values are bound

import json
from collections.abc import Callable, Collection, Mapping
from typing import Any

from sync_platform.sandbox.gorgias import fields
from sync_platform.sandbox.gorgias.http import Contract, Handler, Reply, Request, Routes, add, dump, not_found, ok
from sync_platform.sandbox.gorgias.store import PAGING, Actor, Listing, Sort, Store, envelope, paging, stamp

FIRST_ID = {
    "integrations": 70_000,
    "macros": 1_200_000,
    "rules": 90_000,
    "widgets": 50_000,
    "jobs": 3_000_000,
    "voice_calls": 1_500_000,
    "voice_call_events": 8_000_000,
    "voice_call_recordings": 2_500_000,
    "account_settings": 100,
    "integration_calls": 0,
}


def table(name: str, more: str = "") -> str:
    """The statements of a plain table; `more`: further columns, each with a comma behind it."""
    return (
        f"CREATE TABLE IF NOT EXISTS {name}(id INTEGER PRIMARY KEY, created INTEGER NOT NULL, "
        f"updated INTEGER NOT NULL, {more} row TEXT NOT NULL, deleted INTEGER);"
        f"CREATE INDEX IF NOT EXISTS {name}_created ON {name}(created, id) WHERE deleted IS NULL;"
    )


def prepare(store: Store, name: str, more: str = "") -> None:
    """Add a plain table to the account's file."""
    store.extend(table(name, more), (name,), {name: FIRST_ID[name]})


def read(store: Store, kind: str, number: int) -> dict[str, Any]:
    """A live row. Raises ApiError 404."""
    found = store.one(f"SELECT row FROM {kind} WHERE id = ? AND deleted IS NULL", number)
    if found is None:
        raise not_found()
    return dict(json.loads(found[0]))


def insert(store: Store, kind: str, row: dict[str, Any], **columns: Any) -> None:
    """Store a new row with its columns beside id and times."""
    now = store.now()
    found = {"id": row["id"], "created": now, "updated": now, "row": dump(row), **columns}
    store.run(f"INSERT INTO {kind}({', '.join(found)}) VALUES ({', '.join('?' * len(found))})", *found.values())


def save(store: Store, kind: str, row: dict[str, Any], **columns: Any) -> None:
    """Store a changed row."""
    found = {"updated": store.now(), "row": dump(row), **columns}
    store.run(
        f"UPDATE {kind} SET {', '.join(f'{name} = ?' for name in found)} WHERE id = ?", *found.values(), row["id"]
    )


def remove(store: Store, kind: str, number: int) -> None:
    """Mark a row as deleted."""
    store.run(f"UPDATE {kind} SET deleted = ? WHERE id = ?", store.now(), number)


def shown(value: Any) -> Any:
    """A stored moment in microseconds as text, or null."""
    return None if value is None else stamp(value)


def actor(request: Request) -> Actor:
    """The caller as who changes something."""
    return Actor(request.caller.user_id)


def asks(orders: dict[str, Sort], filters: fields.Schema) -> dict[str, fields.Check]:
    """The query that a list takes; one with a single order does not let it be chosen."""
    return {**(paging(orders) if len(orders) > 1 else PAGING), **filters}


def page(
    store: Store,
    request: Request,
    kind: str,
    orders: dict[str, Sort],
    filters: Mapping[str, fields.Check],
    narrow: Callable[[Listing, dict[str, Any]], None] | None = None,
    *,
    repeated: Collection[str] = (),
    limit: int = 30,
) -> Reply:
    """A list; `narrow` adds the conditions of its filters, by default those columns that bear a filter's name."""
    asked = fields.query(request, asks(orders, filters), repeated)
    asked.setdefault("limit", limit)
    wanted = store.listing(kind, orders, asked)
    if narrow:
        narrow(wanted, asked)
    else:
        for name in filters:
            if asked.get(name) is not None:
                wanted.add(f"{name} = ?", asked[name])
    return ok(envelope(request, store.page(request, wanted, ("row",))))


def one(store: Store, request: Request, kind: str) -> Reply:
    """One row."""
    fields.no_query(request)
    return ok(dump(read(store, kind, request.ids[0])))


def contracts(
    schema: str,
    query: fields.Schema,
    new: fields.Check | None = None,
    given: fields.Check | None = None,
) -> dict[str, Contract]:
    """What the usual five calls take and answer; `schema` is the row's, `new` and `given` are bodies."""
    return {
        "list": Contract({200: f"{schema}Page"}, query),
        "create": Contract({201: schema}, body=new),
        "get": Contract({200: schema}),
        "update": Contract({200: schema, 202: None}, body=given),
        "delete": Contract({204: None}, errors=(409,)),
    }


def routes(
    table_: Routes,
    scope: str,
    path: str,
    thing: str,
    handlers: Mapping[str, Handler],
    told: Mapping[str, Contract],
    *,
    many: str = "",
) -> None:
    """Register the usual five calls, as far as there are handlers: list, create, get, change, delete."""
    for verb, method, template in (
        ("list", "GET", path),
        ("create", "POST", path),
        ("get", "GET", path + "/{id}"),
        ("update", "PUT", path + "/{id}"),
        ("delete", "DELETE", path + "/{id}"),
    ):
        if verb in handlers:
            name = (many or thing + "s") if verb == "list" else thing
            add(
                table_,
                method,
                template,
                handlers[verb],
                scope=scope,
                failure=f"Failed to {verb} {name}",
                contract=told[verb],
            )
