"""POST /search: people, channels, teams, tags and integrations by a few letters; tickets are not searched here.

Whether the answer is an envelope or a bare list is not established [switch search_reply]. What matches is inferred: the
beginning of an address or of a name first, then parts of names; without regard to case.
"""

# ruff: noqa: S608 - statements are put together from this package's own table and column names; values are bound

import json
from collections.abc import Iterator
from typing import Any

from sync_platform.sandbox.gorgias import fields, tags, teams
from sync_platform.sandbox.gorgias.http import Contract, Reply, Request, Route, Routes, dump, ok
from sync_platform.sandbox.gorgias.store import Store

TYPES = (
    "agent", "customer", "customer_profile", "customer_channel", "customer_channel_email", "customer_channel_phone",
    "customers_by_phone", "integration", "team", "tag",
)  # fmt: skip
SIZE, SIZE_MAX = 10, 50
_BODY: dict[str, fields.Check] = {
    "type": fields.one_of(TYPES),
    "query": fields.text(longest=1_000),
    "size": fields.integer(low=1, high=SIZE_MAX),
}
_PAST = "\U0010ffff"  # sorts behind every continuation of a text


class SearchCalls:
    """The handler of /api/search."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def register(self, routes: Routes) -> None:
        """Add the route; it only reads, so a token needs to read customers [inferred]."""
        contract = Contract({200: "Found"}, body=fields.nested(_BODY, required=("type",)))
        route = Route(self.search, "/api/search", "customers:read", "Failed to search", contract)
        routes.setdefault(("api", "search"), {})["POST"] = route

    def search(self, request: Request) -> Reply:
        """POST: at most `size` rows, 10 unless asked for, 50 at most [documented]."""
        fields.no_query(request)
        given = fields.body(request, _BODY, ("type",))
        found = self._find(given["type"], given.get("query") or "", given.get("size", SIZE))
        if self.store.switch("search_reply") == "bare":
            return ok(dump(found))
        return ok(dump({"data": found, "meta": {"prev_cursor": None, "next_cursor": None}}))

    def _find(self, kind: str, text: str, size: int) -> list[dict[str, Any]]:
        if kind in ("customer", "customer_profile"):
            return self._customers(text, size, ("email", "phone"))
        if kind == "customers_by_phone":
            return self._customers(text, size, ("phone",), names=False)
        if kind.startswith("customer_channel"):
            return self._channels(text, size, kind.removeprefix("customer_channel").removeprefix("_"))
        if kind == "tag":
            rows = self.store.all(
                f"SELECT {', '.join(tags.COLUMNS)} FROM tags WHERE deleted IS NULL AND instr(lower(name), lower(?)) "
                "ORDER BY name LIMIT ?", text, size,
            )  # fmt: skip
            return [tags.show(row) for row in rows]
        if kind == "team":
            rows = self.store.all(
                f"SELECT {', '.join(teams.COLUMNS)} FROM teams WHERE deleted IS NULL AND instr(lower(name), lower(?)) "
                "ORDER BY id LIMIT ?", text, size,
            )  # fmt: skip
            return [teams.show(self.store, row) for row in rows]
        return list(self._named({"agent": "users", "integration": "integrations"}[kind], text, size))

    def _named(self, table: str, text: str, size: int) -> Iterator[dict[str, Any]]:
        """Rows of a small table by a part of their name or e-mail."""
        if self.store.one("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", table):
            for (row,) in self.store.all(
                f"SELECT row FROM {table} WHERE deleted IS NULL AND "
                "(instr(lower(json_extract(row, '$.name')), lower(?)) "
                "OR instr(lower(coalesce(json_extract(row, '$.email'), '')), lower(?))) ORDER BY id LIMIT ?",
                text, text, size,
            ):  # fmt: skip
                yield json.loads(row)

    def _customers(self, text: str, size: int, kinds: tuple[str, ...], *, names: bool = True) -> list[dict[str, Any]]:
        """Through the index of addresses and that of names; parts of names only when these are too few."""
        folded, ids = text.lower(), dict[int, None]()
        steps: list[tuple[str, tuple[Any, ...]]] = [
            ("SELECT customer_id FROM channels WHERE folded >= ? AND folded < ? AND type = ? LIMIT ?",
             (folded, folded + _PAST, kind, size)) for kind in kinds
        ]  # fmt: skip
        if names:
            by_name = "SELECT id FROM customers WHERE deleted IS NULL AND"
            steps += [(f"{by_name} name >= ? AND name < ? LIMIT ?", (part, part + _PAST, size))
                      for part in dict.fromkeys((text, text.title()))]  # fmt: skip
            steps.append((f"{by_name} instr(lower(name), ?) LIMIT ?", (folded, size)))
        for sql, values in steps:
            if len(ids) < size:
                ids.update(dict.fromkeys(row[0] for row in self.store.all(sql, *values)))
        found = []
        for number in list(ids)[:size]:
            row = self.store.one("SELECT row FROM customers WHERE id = ? AND deleted IS NULL", number)
            if row:
                found.append(json.loads(row[0]))
        return found

    def _channels(self, text: str, size: int, kind: str) -> list[dict[str, Any]]:
        folded = text.lower()
        rows = self.store.all(
            "SELECT c.id, c.type, c.address, o.id, o.name FROM channels c JOIN customers o ON o.id = c.customer_id "
            f"WHERE c.folded >= ? AND c.folded < ? {'AND c.type = ?' if kind else ''} ORDER BY c.folded LIMIT ?",
            folded, folded + _PAST, *((kind,) if kind else ()), size,
        )  # fmt: skip
        return [
            {"id": number, "type": found, "address": address, "customer": {"id": owner, "name": name}}
            for number, found, address, owner, name in rows
        ]
