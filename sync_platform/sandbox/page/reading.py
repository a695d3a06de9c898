"""Counts, newest rows and rows by a word, read over connections of their own beside the running systems.

It gives ids only; what a row looks like is told by the system itself (`state`). Every statement ends after WAIT_S: at a
million rows an answer may be incomplete, and says so, but holds up nobody.
"""

# ruff: noqa: S608 - statements are put together from the sandbox's own table and column names; values are bound

import contextlib
import json
import re
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

WAIT_S = 1.0
STEPS = 20_000  # of SQLite's machine between two looks at the clock
PERSONS = {"gorgias": "customers", "hubspot": "contacts", "erp": "customers"}
_TEXTS = frozenset({"row", "props", "doc", "full_name", "email", "email_2", "phone", "company", "note", "customer_no",
                    "ticket_no", "subject", "first_text", "owner_email", "name", "table_name"})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Count:
    """How many rows of a kind live, how many are remembered as deleted; `exact` is false for a lower bound."""

    live: int
    deleted: int = 0
    exact: bool = True


@dataclass(frozen=True, slots=True)
class Table:
    """Where the rows of a kind lie: SQL names, the condition of live rows, what orders them by their last change."""

    name: str
    key: str
    live: str | None
    changed: str
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """Ids in order; `complete` is false when time ran out before the last row was looked at."""

    ids: list[int]
    complete: bool = True


class Reader:
    """One system's rows. `source` is an SQLite file or the URL of a PostgreSQL database. Safe in any thread."""

    def __init__(self, system: str, source: Path | str) -> None:
        self._system = system
        self._source = source
        self._postgres = isinstance(source, str)

    def counts(self, kinds: Iterable[str]) -> dict[str, Count]:
        """The kinds that have a table of their own; the others are left out."""
        found = {}
        with self._asking() as ask:
            for kind in kinds:
                table = self._table(ask, kind)
                if table is not None:
                    found[kind] = self._count(ask, table)
        return found

    def newest(self, kind: str, *, order: str, offset: int, limit: int) -> Found | None:
        """Ids by descending age (order "new") or by their last change ("changed"); None: the kind has no table."""
        with self._asking() as ask:
            table = self._table(ask, kind)
            if table is None:
                return None
            if order == "changed" and table.changed != table.key:
                where = f" WHERE {table.live}" if table.live else ""
                by = f"{table.changed} DESC, {table.key} DESC"
                rows = ask(f"SELECT {table.key} FROM {table.name}{where} ORDER BY {by} LIMIT ? OFFSET ?", limit, offset)
                if not ask.cut:
                    return Found([row[0] for row in rows])
                ask.again()
            rows = ask(
                f"SELECT {table.key} FROM {table.name} ORDER BY {table.key} DESC LIMIT ? OFFSET ?", limit, offset
            )
            return Found([row[0] for row in rows], order == "new" or table.changed == table.key)

    def saying(self, kind: str, text: str, *, offset: int, limit: int) -> Found | None:
        """Ids of rows in one of whose values `text` stands, newest first; an e-mail or id is found by its index."""
        needle = text.strip().casefold()
        with self._asking() as ask:
            table = self._table(ask, kind)
            if table is None:
                return None
            first = self._by_index(ask, kind, table, needle, offset + limit)
            if first and "@" in needle:
                return Found(first[offset : offset + limit])
            found = dict.fromkeys(first)
            like = " OR ".join(f"{name} {'ILIKE' if self._postgres else 'LIKE'} ?" for name in table.texts)
            columns = ", ".join((table.key, *table.texts))
            sql = f"SELECT {columns} FROM {table.name} WHERE {like} ORDER BY {table.key} DESC"
            for row in ask.stream(sql, *[_pattern(text.strip())] * len(table.texts)):
                if any(_says(value, needle) for value in row[1:]):
                    found[row[0]] = None
                if len(found) >= offset + limit:
                    break
            return Found(list(found)[offset : offset + limit], not ask.cut)

    def with_email(self, email: str, limit: int) -> tuple[Found, Found]:
        """The persons who have exactly this address (in any case), and their tickets, newest first."""
        with self._asking() as ask:
            persons = self._owners(ask, email.strip(), limit)
            marks = ", ".join("?" * len(persons)) or "NULL"
            sql = {
                "gorgias": f"SELECT id FROM tickets WHERE customer_id IN ({marks}) AND deleted IS NULL",
                "hubspot": "SELECT DISTINCT b_id AS id FROM ties WHERE a = 'contacts' AND b = 'tickets'"
                f" AND a_id IN ({marks})",
                "erp": f"SELECT id FROM erp_tickets WHERE customer_id IN ({marks})",
            }[self._system]
            tickets = ask(f"{sql} ORDER BY id DESC LIMIT ?", *persons, limit)
            return Found(persons, not ask.cut), Found([row[0] for row in tickets], not ask.cut)

    def _owners(self, ask: "Ask", email: str, limit: int) -> list[int]:
        folded = email.lower()
        if self._system == "gorgias":
            sql = "SELECT DISTINCT customer_id FROM channels WHERE folded = ? AND type = 'email' LIMIT ?"
            return [row[0] for row in ask(sql, folded, limit)]
        if self._system == "hubspot":
            sql = "SELECT DISTINCT id FROM uniques WHERE kind = 'contacts' AND name = 'email' AND value = ? LIMIT ?"
            return [row[0] for row in ask(sql, folded, limit)]
        rows = ask("SELECT id FROM erp_customers WHERE email IN (?, ?) LIMIT ?", email, folded, limit)
        rows = rows or ask(
            "SELECT id FROM erp_customers WHERE lower(email) = ? OR lower(email_2) = ? LIMIT ?", folded, folded, limit
        )
        return [row[0] for row in rows]

    def _by_index(self, ask: "Ask", kind: str, table: Table, needle: str, limit: int) -> list[int]:
        if needle.isascii() and needle.isdigit() and len(needle) <= 18:
            return [row[0] for row in ask(f"SELECT {table.key} FROM {table.name} WHERE {table.key} = ?", int(needle))]
        if "@" not in needle or kind != PERSONS.get(self._system):
            return []
        if self._system == "erp":
            return self._owners(ask, needle, limit)
        sql = {
            "gorgias": "SELECT DISTINCT customer_id FROM channels WHERE folded >= ? AND folded < ? LIMIT ?",
            "hubspot": "SELECT DISTINCT id FROM uniques WHERE kind = 'contacts' AND name = 'email'"
            " AND value >= ? AND value < ? LIMIT ?",
        }[self._system]
        return [row[0] for row in ask(sql, needle, needle + "\U0010ffff", limit)]

    def _table(self, ask: "Ask", kind: str) -> Table | None:
        name = f"erp_{kind}" if self._system == "erp" else "ties" if kind == "associations" else kind
        columns = ask.columns(name) if re.fullmatch(r"[a-z][a-z0-9_]*", name) else []
        key = next((column for column in ("id", "seq") if column in columns and name != "ties"), "seq")
        if key not in columns:
            return None
        live = "deleted IS NULL" if "deleted" in columns else "state = 0" if "state" in columns else None
        changed = next((name for name in ("updated", "modified", "updated_at") if name in columns), key)
        texts = tuple(column for column in columns if column in _TEXTS)
        if "row" in texts:
            texts = ("row",)
        return Table(name, key, live, changed, texts or (f"CAST({key} AS TEXT)",))

    def _count(self, ask: "Ask", table: Table) -> Count:
        if table.live == "state = 0":
            by = dict(ask(f"SELECT state, count(*) FROM {table.name} GROUP BY state"))
            return Count(by.pop(0, 0), sum(by.values()), not ask.cut)
        (whole,) = ask(f"SELECT count(*) FROM {table.name}") or [(0,)]
        if table.live is None:
            sql = "SELECT count(*) FROM sandbox_deleted WHERE table_name = ?"
            gone = ask(sql, table.name)[0][0] if self._system == "erp" and not ask.cut else 0
            return Count(whole[0], gone, not ask.cut)
        # Two counts, each over a narrow index: reading `deleted` of every row would read the whole file.
        (live,) = ask(f"SELECT count(*) FROM {table.name} WHERE {table.live}") or [(0,)]
        return Count(live[0], max(0, whole[0] - live[0]), not ask.cut)

    @contextlib.contextmanager
    def _asking(self) -> Iterator["Ask"]:
        connection = self._connect()
        try:
            yield Ask(connection, self._postgres)
        finally:
            connection.close()

    def _connect(self) -> Any:
        if self._postgres:
            import psycopg

            url = "postgresql:" + str(self._source).split(":", 1)[1]
            options = f"-c statement_timeout={int(WAIT_S * 1000)} -c default_transaction_read_only=on"
            return psycopg.connect(url, options=options, autocommit=True, connect_timeout=5)
        return sqlite3.connect(f"{Path(self._source).resolve().as_uri()}?mode=ro", uri=True, isolation_level=None)


class Ask:
    """Runs statements with `?` places; `cut` tells that one was ended early (or its table is being made anew)."""

    def __init__(self, connection: Any, postgres: bool) -> None:
        self._connection = connection
        self._postgres = postgres
        self.cut = False
        self._errors: tuple[type[Exception], ...] = (sqlite3.OperationalError,)
        if postgres:
            import psycopg

            self._errors = (psycopg.Error,)
        self.again()

    def again(self) -> None:
        """Give the statements that follow a time of their own."""
        self.cut = False
        if not self._postgres:
            until = time.monotonic() + WAIT_S
            self._connection.set_progress_handler(lambda: time.monotonic() > until, STEPS)

    def __call__(self, statement: str, *values: Any) -> list[Any]:
        """All rows, or those that came in time."""
        return list(self.stream(statement, *values))

    def stream(self, statement: str, *values: Any) -> Iterator[Sequence[Any]]:
        """Row after row, until time is over."""
        try:
            if self._postgres:
                statement = statement.replace("%", "%%").replace("?", "%s")
            yield from self._connection.execute(statement, values)
        except self._errors:
            self.cut = True

    def columns(self, table: str) -> list[str]:
        """The names of a table's columns; nothing when there is no such table."""
        if self._postgres:
            sql = "SELECT column_name FROM information_schema.columns WHERE table_name = ? ORDER BY ordinal_position"
            return [row[0] for row in self(sql, table)]
        return [row[1] for row in self(f"PRAGMA table_info({table})")]


def _pattern(text: str) -> str:
    """A LIKE pattern that no row with `text` escapes: what SQL cannot fold, or JSON escapes, stands for anything."""
    return "%" + "".join(c if (c.isascii() and c.isalnum()) or c in "@.+- " else "%" for c in text) + "%"


def _says(value: Any, needle: str) -> bool:
    """Whether one of the values has the text in it; names of fields don't count."""
    if isinstance(value, str):
        if value[:1] in ("{", "["):
            with contextlib.suppress(ValueError):
                return _says(json.loads(value), needle)
        return needle in value.casefold()
    if isinstance(value, dict):
        return any(_says(inner, needle) for inner in value.values())
    if isinstance(value, list):
        return any(_says(inner, needle) for inner in value)
    return value is not None and not isinstance(value, bool) and needle in str(value).casefold()
