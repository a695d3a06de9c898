"""The rows of the twin of Gorgias in one SQLite file; bodies are stored as JSON ready to send.

Times are microseconds since 1970. A list row is the column `row`; what only the detail of a customer shows is `extra`,
a text that continues the row before its closing brace. Deleted rows stay, for the control port.
"""

# ruff: noqa: S608 - statements are put together from this package's own table and column names; values are bound

import base64
import binascii
import json
import sqlite3
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from sync_platform.sandbox.gorgias import fields
from sync_platform.sandbox.gorgias.http import EXISTS, ApiError, Request, dump
from sync_platform.sandbox.world import World

NEVER = 1 << 62  # microseconds beyond every year that can be shown
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Ids have nine digits on the accounts seen in 2025; each kind starts elsewhere so that a mix-up shows.
FIRST_ID = {
    "customers": 400_000_000,
    "tickets": 200_000_000,
    "messages": 500_000_000,
    "channels": 700_000_000,
    "events": 900_000_000,
    "tags": 300_000,
    "surveys": 800_000,
    "users": 600_000_000,
}

_SCHEMA = """
CREATE TABLE IF NOT EXISTS facts(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS customers(id INTEGER PRIMARY KEY, created INTEGER NOT NULL, updated INTEGER NOT NULL,
  external_id TEXT, name TEXT, language TEXT, timezone TEXT, data_version INTEGER, row TEXT NOT NULL,
  extra TEXT NOT NULL, deleted INTEGER, merged_into INTEGER);
CREATE INDEX IF NOT EXISTS customers_created ON customers(created, id) WHERE deleted IS NULL;
CREATE INDEX IF NOT EXISTS customers_updated ON customers(updated, id) WHERE deleted IS NULL;
CREATE INDEX IF NOT EXISTS customers_external ON customers(external_id) WHERE external_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS customers_name ON customers(name);
CREATE TABLE IF NOT EXISTS channels(id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL, type TEXT NOT NULL,
  address TEXT NOT NULL, folded TEXT NOT NULL, preferred INTEGER NOT NULL, created INTEGER NOT NULL,
  updated INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS channels_customer ON channels(customer_id, type);
CREATE INDEX IF NOT EXISTS channels_address ON channels(folded, type);
CREATE TABLE IF NOT EXISTS tickets(id INTEGER PRIMARY KEY, created INTEGER NOT NULL, updated INTEGER NOT NULL,
  customer_id INTEGER, external_id TEXT, trashed INTEGER NOT NULL, row TEXT NOT NULL, deleted INTEGER);
CREATE INDEX IF NOT EXISTS tickets_created ON tickets(created, id) WHERE deleted IS NULL;
CREATE INDEX IF NOT EXISTS tickets_updated ON tickets(updated, id) WHERE deleted IS NULL;
CREATE INDEX IF NOT EXISTS tickets_customer ON tickets(customer_id, created);
CREATE INDEX IF NOT EXISTS tickets_external ON tickets(external_id) WHERE external_id IS NOT NULL;
CREATE TABLE IF NOT EXISTS ticket_tags(ticket_id INTEGER, tag_id INTEGER, PRIMARY KEY(ticket_id, tag_id)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS ticket_tags_tag ON ticket_tags(tag_id);
CREATE TABLE IF NOT EXISTS messages(id INTEGER PRIMARY KEY, created INTEGER NOT NULL, ticket_id INTEGER NOT NULL,
  row TEXT NOT NULL, deleted INTEGER);
CREATE INDEX IF NOT EXISTS messages_created ON messages(created, id) WHERE deleted IS NULL;
CREATE INDEX IF NOT EXISTS messages_ticket ON messages(ticket_id, created, id);
CREATE TABLE IF NOT EXISTS events(id INTEGER PRIMARY KEY, created INTEGER NOT NULL, object_type TEXT NOT NULL,
  object_id INTEGER NOT NULL, type TEXT NOT NULL, user_id INTEGER, row TEXT NOT NULL, deleted INTEGER);
CREATE INDEX IF NOT EXISTS events_created ON events(created, id) WHERE deleted IS NULL;
CREATE INDEX IF NOT EXISTS events_object ON events(object_id, object_type, created);
CREATE TABLE IF NOT EXISTS tags(id INTEGER PRIMARY KEY, created INTEGER NOT NULL, name TEXT NOT NULL, description TEXT,
  decoration TEXT, usage INTEGER NOT NULL DEFAULT 0, deleted INTEGER);
CREATE UNIQUE INDEX IF NOT EXISTS tags_name ON tags(name) WHERE deleted IS NULL;
CREATE TABLE IF NOT EXISTS surveys(id INTEGER PRIMARY KEY, created INTEGER NOT NULL, ticket_id INTEGER NOT NULL,
  customer_id INTEGER NOT NULL, row TEXT NOT NULL, deleted INTEGER);
CREATE INDEX IF NOT EXISTS surveys_created ON surveys(created, id) WHERE deleted IS NULL;
CREATE INDEX IF NOT EXISTS surveys_ticket ON surveys(ticket_id);
CREATE TABLE IF NOT EXISTS users(id INTEGER PRIMARY KEY, created INTEGER NOT NULL, updated INTEGER NOT NULL,
  email TEXT NOT NULL, name TEXT, role TEXT NOT NULL, external_id TEXT, row TEXT NOT NULL, deleted INTEGER);
CREATE UNIQUE INDEX IF NOT EXISTS users_email ON users(email) WHERE deleted IS NULL;
CREATE TABLE IF NOT EXISTS tokens(token TEXT PRIMARY KEY, kind TEXT NOT NULL, scopes TEXT NOT NULL, expires REAL,
  redirect_uri TEXT) WITHOUT ROWID;
"""
ROW_TABLES = ("customers", "channels", "tickets", "ticket_tags", "messages", "events", "tags", "surveys", "users")


def stamp(us: int) -> str:
    """A time as Gorgias writes it: +00:00, and no fraction at all when the microseconds are 0 [recorded]."""
    return (EPOCH + timedelta(microseconds=us)).isoformat()


def stamp_or_none(us: int | None) -> str | None:
    """`stamp`, or None."""
    return None if us is None else stamp(us)


def unstamp(text: str) -> int:
    """Microseconds of a time that `stamp` wrote."""
    return fields.micros(datetime.fromisoformat(text))


@dataclass(frozen=True, slots=True)
class Actor:
    """Who changes something: a user (None: nobody, automatic) through the API or as a person in the UI."""

    user_id: int | None
    by: str = "api"


@dataclass(frozen=True, slots=True)
class Sort:
    """An order of a list: columns that are all ascending or all descending; the id breaks ties."""

    columns: tuple[str, ...]
    descending: bool


def sorts(*names: str) -> dict[str, Sort]:
    """The values of order_by for some columns: `<name>_datetime:desc` and `:asc`."""
    made = {}
    for name in names:
        made[f"{name}_datetime:desc"] = Sort((name,), True)
        made[f"{name}_datetime:asc"] = Sort((name,), False)
    return made


@dataclass(slots=True)
class Listing:
    """What a list call asks for: conditions in SQL with their values, and the order by its name."""

    table: str
    order_by: str
    sort: Sort
    limit: int
    cursor: str | None
    where: list[str] = field(default_factory=lambda: ["deleted IS NULL"])
    values: list[Any] = field(default_factory=list)

    def add(self, condition: str, *values: Any) -> None:
        """One more condition."""
        self.where.append(condition)
        self.values.extend(values)


@dataclass(slots=True)
class Page:
    """Rows of one page and the cursors of its neighbours."""

    rows: list[tuple[Any, ...]]
    prev_cursor: str | None
    next_cursor: str | None
    total: int | None = None

    def meta(self, *, total: bool = False) -> str:
        """The `meta` object; newer endpoints add total_resources, which may be null."""
        found: dict[str, Any] = {"prev_cursor": self.prev_cursor, "next_cursor": self.next_cursor}
        if total:
            found["total_resources"] = self.total
        return dump(found)


class Watch(Protocol):
    """Who is told of every change: what follows from it may be written in the same transaction."""

    def begin(self) -> None:
        """A write begins; whatever was told before and not committed never happened."""

    def told(self, event: dict[str, Any]) -> None:
        """An event of the write."""

    def closing(self) -> None:
        """The write is complete, its commit comes next."""

    def committed(self) -> None:
        """The write stands."""


class Store:
    """The one connection, the world's time and switches, ids, events and mail of the transaction that runs."""

    def __init__(self, path: Path, world: World) -> None:
        self.world = world
        self.db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self.db.executescript(
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF; PRAGMA cache_size=-65536; PRAGMA temp_store=MEMORY;"
        )
        self.db.executescript(_SCHEMA)
        self.row_tables: list[str] = [*ROW_TABLES]
        self._first_ids = dict(FIRST_ID)
        self._ids: dict[str, int] = {}
        self._context = ""
        self._mail: list[dict[str, Any]] = []
        self.unsent: list[int] = []
        self.watch: Watch | None = None
        # Work that waits for its time, by name: each does what is due and gives the next moment in microseconds,
        # or None when nothing is left; then it goes from here.
        self.chores: dict[str, Callable[[], int | None]] = {}
        self.wake_at = NEVER  # the earliest end of a snooze
        self.wake: Callable[[], int | None] = lambda: None  # the chore that ends snoozes
        self.trash_looked_at: datetime | None = None  # when the trash was emptied last, by the switch trash_kept_days
        self.view_past = False  # whether what writes replace is kept, for views that lag
        self.before_write: list[Callable[[], None]] = []

    def extend(self, schema: str, tables: Sequence[str], first_ids: Mapping[str, int]) -> None:
        """Add a part's own tables: statements that may run again, the tables that a reset empties, where ids begin."""
        self.db.executescript(schema)
        self.row_tables += tables
        self._first_ids |= first_ids

    def switch(self, name: str) -> Any:
        """The value of a switch of this twin."""
        return self.world.switches.get(f"gorgias.{name}")

    def on(self, name: str) -> bool:
        """Whether an on/off switch is on."""
        return bool(self.switch(name) == "on")

    def now(self) -> int:
        """The sandbox's present in microseconds."""
        return fields.micros(self.world.clock.now())

    def one(self, sql: str, *values: Any) -> Any:
        """The first row, or None."""
        return self.db.execute(sql, values).fetchone()

    def all(self, sql: str, *values: Any) -> list[Any]:
        """All rows."""
        return self.db.execute(sql, values).fetchall()

    def run(self, sql: str, *values: Any) -> None:
        """One statement."""
        self.db.execute(sql, values)

    def new_id(self, kind: str) -> int:
        """The next id of a kind; ids are never given twice, not even after a delete."""
        if kind not in self._ids:
            top = self.one(f"SELECT max(id) FROM {kind}")[0]
            fact = self.fact(f"last_{kind}")
            self._ids[kind] = max(top or self._first_ids[kind], int(fact or 0))
        self._ids[kind] += 1
        if kind == "channels":  # channel rows are really removed, so the table can't tell
            self.set_fact("last_channels", str(self._ids[kind]))
        return self._ids[kind]

    def forget_ids(self) -> None:
        """Count ids anew from what the tables hold."""
        self._ids.clear()
        self.unsent.clear()

    def fact(self, name: str) -> str | None:
        """A stored setting of the account."""
        row = self.one("SELECT value FROM facts WHERE name = ?", name)
        return row[0] if row else None

    def set_fact(self, name: str, value: str) -> None:
        """Store a setting of the account."""
        self.run("INSERT OR REPLACE INTO facts VALUES (?, ?)", name, value)

    @contextmanager
    def writing(self, context: str | None = None) -> Iterator[None]:
        """One write, whole or not at all; its events share one context, its mail leaves at the commit.

        `context`: that of the write which this one follows from; events linked by cause share it [doc].
        """
        for prepare in self.before_write:
            prepare()
        self.db.execute("BEGIN IMMEDIATE")
        self._context, self._mail = context or str(uuid.uuid4()), []
        waiting = len(self.unsent)
        try:
            if self.watch:
                self.watch.begin()
            yield
            if self.watch:
                self.watch.closing()
            self.db.execute("COMMIT")
        except BaseException:
            self.db.execute("ROLLBACK")
            self._ids.clear()
            del self.unsent[waiting:]
            raise
        self.world.outbox.extend(self._mail)
        if self.watch:
            self.watch.committed()

    def do_chores(self) -> int | None:
        """Do all work that is due; gives when the next is, in microseconds."""
        following = []
        for name in tuple(self.chores):
            chore = self.chores.pop(name)
            due = chore()
            if due is not None:
                self.chores.setdefault(name, chore)
                following.append(due)
        return min(following, default=None)

    def mail(self, entry: dict[str, Any]) -> None:
        """Put a mail into the outbox when the transaction commits."""
        self._mail.append(entry)

    def event(
        self, kind: str, object_type: str, object_id: int, user_id: int | None, data: dict[str, Any] | None = None
    ) -> None:
        """Record what happened; events of one write share a context [doc]."""
        at, number = self.now(), self.new_id("events")
        row = {
            "id": number,
            "context": self._context,
            "created_datetime": stamp(at),
            "data": data,
            "object_id": object_id,
            "object_type": object_type,
            "type": kind,
            "user_id": user_id,
            "uri": f"/api/events/{number}/",
        }
        self.run(
            "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, NULL)",
            number, at, object_type, object_id, kind, user_id, dump(row),
        )  # fmt: skip
        if self.watch:
            self.watch.told(row)

    def snoozed(self, ticket_id: int, at: int) -> None:
        """Remember that a snoozed ticket wakes at a time; at once when that is over already."""
        self.run("INSERT OR IGNORE INTO snoozes VALUES (?, ?)", at, ticket_id)
        self.wake_at = min(self.wake_at, at)
        self.chores["snoozes"] = self.wake

    def listing(
        self, table: str, orders: dict[str, Sort], asked: dict[str, Any], *, fallback: str | None = None
    ) -> Listing:
        """Start a list from checked query values; a cursor brings its own order when none is asked for."""
        order_by = asked.get("order_by") or fallback or next(iter(orders))
        cursor = asked.get("cursor")
        if cursor and "order_by" not in asked:
            carried = _decode(cursor)
            if carried and carried[2] in orders:
                order_by = carried[2]
        return Listing(table, order_by, orders[order_by], asked.get("limit", 30), cursor)

    def page(self, request: Request, wanted: Listing, columns: Sequence[str]) -> Page:
        """Read one page by keyset: a cursor holds direction, id and sort values [inferred from documented samples]."""
        sort, width = wanted.sort, len(wanted.sort.columns) + 1
        keys = (*sort.columns, "id")
        backward, position = self._position(request, wanted)
        where, values = list(wanted.where), list(wanted.values)
        descending = sort.descending != backward
        if position is not None:
            where.append(f"({', '.join(keys)}) {'<' if descending else '>'} ({', '.join('?' * width)})")
            values.extend(position)
        direction = "DESC" if descending else "ASC"
        rows = self.db.execute(
            f"SELECT {', '.join((*keys, *columns))} FROM {wanted.table} WHERE {' AND '.join(where)} "
            f"ORDER BY {', '.join(f'{key} {direction}' for key in keys)} LIMIT ?",
            (*values, wanted.limit + 1),
        ).fetchall()
        more = len(rows) > wanted.limit
        rows = rows[: wanted.limit]
        if backward:
            rows.reverse()
        before = more if backward else position is not None
        after = True if backward else more
        return Page(
            [row[width:] for row in rows],
            self._encode("prev", wanted, rows[0][:width]) if rows and before else None,
            self._encode("next", wanted, rows[-1][:width]) if rows and after else None,
            self._total(wanted),
        )

    def _total(self, wanted: Listing) -> int | None:
        """All rows of a list, by the switch total_resources."""
        if self.switch("total_resources") == "null":
            return None
        found = self.db.execute(
            f"SELECT count(*) FROM {wanted.table} WHERE {' AND '.join(wanted.where)}", wanted.values
        ).fetchone()
        return int(found[0])

    def _encode(self, direction: str, wanted: Listing, key: tuple[Any, ...]) -> str:
        issued = int(self.world.clock.now().timestamp())
        text = dump([direction, wanted.table, wanted.order_by, issued, *key])
        return base64.urlsafe_b64encode(text.encode()).decode()

    def _position(self, request: Request, wanted: Listing) -> tuple[bool, list[Any] | None]:
        """Where a cursor points. Raises ApiError 400 when it is broken, of another list, or too old."""
        if not wanted.cursor:
            return False, None
        found = _decode(wanted.cursor)
        width = len(wanted.sort.columns) + 1
        fits = found and found[1] == wanted.table and found[2] == wanted.order_by and len(found) == 4 + width
        if not found or not fits:
            raise request.invalid({"cursor": ["Invalid cursor."]})
        age_s = self.world.clock.now().timestamp() - found[3]
        if age_s > self.switch("cursor_ttl_s"):
            raise request.invalid({"cursor": ["The cursor has expired."]})
        return found[0] == "prev", found[4:]


def _decode(cursor: str) -> list[Any] | None:
    try:
        found = json.loads(base64.b64decode(cursor.encode(), altchars=b"-_", validate=True))
    except (ValueError, binascii.Error):
        return None
    good = isinstance(found, list) and len(found) > 4 and found[0] in ("next", "prev") and isinstance(found[3], int)
    return found if good and all(isinstance(entry, str | int) for entry in found) else None


PAGING: dict[str, fields.Check] = {
    "cursor": fields.text(longest=2_000),
    "limit": fields.integer(low=1, high=100),
}


def paging(orders: dict[str, Sort]) -> dict[str, fields.Check]:
    """The query parameters of every list: cursor, limit (1 to 100, default 30) and order_by."""
    return {**PAGING, "order_by": fields.one_of(orders)}


def envelope(request: Request, page: Page, *, data_first: bool = False, total: bool = False) -> str:
    """The answer of a list whose first column is the stored row; key order as recorded for the endpoint."""
    data = '"data":[' + ",".join([row[0] for row in page.rows]) + "]"
    head = f'"object":"list","uri":{dump(request.uri)}'
    meta = f'"meta":{page.meta(total=total)}'
    return "{" + (f"{data},{head},{meta}" if data_first else f"{head},{data},{meta}") + "}"


def short_list(store: Store, rows: list[Any]) -> str:
    """The answer of a list that is not paged: {"data": […]} [recorded], or bare as in the OpenAPI [switch]."""
    return dump({"data": rows} if store.switch("short_lists") == "data" else rows)


def refuse_orders(request: Request, asked: dict[str, Any], *names: str) -> None:
    """Raises ApiError 400 for an order by one of these fields, which a switch takes away."""
    if str(asked.get("order_by", "")).split(":")[0] in names:
        raise request.invalid({"order_by": ["Not a valid choice."]})


def conflict() -> ApiError:
    """The answer when an identifier is in use."""
    return ApiError(409, EXISTS)
