"""Loads a helpdesk's export, so that people can try the platform on their own tickets.

Rows go through a small database in the sandbox's directory (bounded memory, whatever the size), which tells people
apart by e-mail, else by phone, else by name, and lets the later of two rows with one ticket id win. The systems are
then filled from it as they are from the invented world. A row that cannot be read is left out, named and counted.
"""

import html
import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any, Generic, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sync_platform.sandbox import import_values as values
from sync_platform.sandbox.clock import iso
from sync_platform.sandbox.import_read import Bad, Export
from sync_platform.sandbox.people import SYSTEMS, Case, CaseMessage, Person, View

T = TypeVar("T")
NAMED_MAX = 1_000  # bad rows that are kept by line
SAID_MAX = 10  # of them in the summary for a person
_SAMPLED = 500
_DAYS_FIRST = {"guess": None, "yes": True, "no": False}
_AHEAD = timedelta(days=1)
_NAME_MAX, _SUBJECT_MAX = 255, 998
_SCHEMA = """
CREATE TABLE people(n INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, email TEXT NOT NULL, phone TEXT NOT NULL,
  name TEXT NOT NULL, first REAL NOT NULL, last REAL NOT NULL);
CREATE TABLE tickets(n INTEGER PRIMARY KEY, ticket_id TEXT NOT NULL UNIQUE, person INTEGER NOT NULL,
  body TEXT NOT NULL);
CREATE TABLE facts(name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE taken(email TEXT PRIMARY KEY) WITHOUT ROWID;
"""


@dataclass(frozen=True)
class Wishes:
    """How a file is to be read. Raises ValueError for a system or a zone that isn't one.

    `columns`: field to header; `systems`: where the customers go, the first of them gets the tickets, too; `zone`: of
    times that bear none; `days_first`: how 03/04/2026 is meant, None to guess it from the file.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    systems: tuple[str, ...] = ("gorgias",)
    zone: str = "UTC"
    days_first: bool | None = None

    def __post_init__(self) -> None:
        if not self.systems or set(self.systems) - set(SYSTEMS):
            raise ValueError(f"an import goes to one or several of: {', '.join(SYSTEMS)}")
        try:
            ZoneInfo(self.zone)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(f"{self.zone!r} is no time zone; write it as in Europe/Berlin") from None


class Rows(Generic[T]):
    """Rows that can be walked many times, each walk reading them anew."""

    def __init__(self, walk: Callable[[], Iterator[T]]) -> None:
        self._walk = walk

    def __iter__(self) -> Iterator[T]:
        return self._walk()


def wishes_of(columns: Iterable[str], systems: str, zone: str, days_first: str) -> Wishes:
    """Wishes as somebody writes them: `field=column`, `gorgias,hubspot`, a zone, and yes, no or guess.

    Raises ValueError saying what is wrong.
    """
    mapped = {}
    for text in columns:
        name, sign, header = text.partition("=")
        if not sign or not name or not header:
            raise ValueError(f'a column is named as field="column", not {text!r}')
        mapped[name] = header
    if days_first not in _DAYS_FIRST:
        raise ValueError(f"days first is one of: {', '.join(_DAYS_FIRST)}")
    names = tuple(dict.fromkeys(name.strip() for name in systems.split(",") if name.strip()))
    return Wishes(mapped, names, zone, _DAYS_FIRST[days_first])


@dataclass
class _Count:
    rows: int = 0
    replaced: int = 0
    bad: list[dict[str, Any]] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)

    def refuse(self, one: Bad) -> None:
        self.reasons[one.reason] += 1
        if len(self.bad) < NAMED_MAX:
            self.bad.append({"line": one.line, "reason": one.reason} | ({"value": one.value} if one.value else {}))


class Imported:
    """A file that was read: its people and tickets, to be walked as often as there are systems, and its summary."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._open() as db:
            facts = dict(db.execute("SELECT name, value FROM facts"))
        self.summary: dict[str, Any] = json.loads(facts["summary"])
        self._systems = tuple(self.summary["systems"])

    def people(self, after: int = 0) -> Rows[Person]:
        """The customers, numbered on from `after`."""
        return Rows(lambda: self._people(after))

    def cases(self, after: int = 0, people_after: int = 0) -> Rows[Case]:
        """The tickets, numbered on from `after`; their people as numbered by `people(people_after)`."""
        return Rows(lambda: self._cases(after, people_after))

    def holds_any(self, emails: Iterable[str]) -> bool:
        """Whether one of these addresses is a customer's."""
        with self._open() as db:
            ask = "SELECT 1 FROM people WHERE key = ?"
            return any(db.execute(ask, (f"e:{email.lower()}",)).fetchone() for email in emails)

    def _open(self) -> "closing[sqlite3.Connection]":
        return closing(sqlite3.connect(f"{self._path.absolute().as_uri()}?mode=ro", uri=True))

    def _people(self, after: int) -> Iterator[Person]:
        with self._open() as db:
            for n, email, phone, name, first, last in db.execute(
                "SELECT n, email, phone, name, first, last FROM people ORDER BY n"
            ):
                given, _, family = name.partition(" ")
                view = View(
                    name, given, family.strip(), (email,) if email else (), (phone,) if phone else (),
                    None, None, None, None, values.moment(first), values.moment(last),
                )  # fmt: skip
                number = after + n
                yield Person(
                    number, dict.fromkeys(self._systems, view), f"C-{number:06d}", "ok", Decimal(0), 0, invented=False
                )

    def _cases(self, after: int, people_after: int) -> Iterator[Case]:
        with self._open() as db:
            for n, ticket_id, person, body in db.execute("SELECT n, ticket_id, person, body FROM tickets ORDER BY n"):
                row = json.loads(body)
                created_at, updated_at = values.moment(row["created"]), values.moment(row["updated"])
                text = row["text"]
                shown = f"<p>{html.escape(text, quote=False).replace(chr(10), '<br>')}</p>"
                yield Case(
                    n=after + n, person=people_after + person, system=self._systems[0], subject=row["subject"],
                    status=row["status"], priority=row["priority"], channel=row["channel"], agent=None,
                    tags=tuple(row["tags"]), messages=(CaseMessage(created_at, False, shown, text, True),),
                    created_at=created_at, updated_at=updated_at,
                    closed_at=None if row["closed"] is None else values.moment(row["closed"]),
                    score=row["score"], reference=ticket_id,
                )  # fmt: skip


def read(path: Path, into: Path, wishes: Wishes, *, now: datetime, taken: Iterable[str] = ()) -> Imported:
    """Read an export into the database `into`, which is replaced once all is read.

    `taken`: e-mails of people who are there already. Raises Unreadable (a ValueError) for a file that is no export at
    all, OSError when it cannot be opened.
    """
    export = Export(path, wishes.columns)
    partial = into.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    with closing(sqlite3.connect(partial, isolation_level=None)) as db:
        db.executescript(f"PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; {_SCHEMA} BEGIN;")
        db.executemany("INSERT OR IGNORE INTO taken VALUES(?)", ((email.lower(),) for email in taken))
        count = _Reading(db, export, wishes, now).run()
        summary = _summary(db, export, wishes, count, now)
        db.execute("INSERT INTO facts VALUES('summary', ?)", (json.dumps(summary),))
        db.execute("COMMIT")
    partial.replace(into)
    return Imported(into)


def words(summary: Mapping[str, Any]) -> str:
    """The summary for a person's terminal: counts, and the first bad rows by line and reason, never a value."""
    loaded, systems = summary["loaded"], ", ".join(summary["systems"])
    columns = ", ".join(f"{name} = {header!r}" for name, header in summary["columns"].items())
    lines = [
        f"import: {summary['rows']} rows read ({summary['encoding']}, {_named(summary['delimiter'])})",
        f"import: {loaded['tickets']} tickets of {loaded['customers']} customers loaded into {systems}",
        f"import: {summary['replaced']} replaced by a later row, {summary['left_out']} left out",
        f"import: columns {columns}",
    ]
    lines += [f"import: line {row['line']}: {row['reason']}" for row in summary["bad_rows"][:SAID_MAX]]
    if summary["left_out"] > SAID_MAX:
        lines.append(f"import: … and {summary['left_out'] - SAID_MAX} more; GET /import on the control port names them")
    return "\n".join(lines)


class _Reading:
    """One pass over the rows of an export."""

    def __init__(self, db: sqlite3.Connection, export: Export, wishes: Wishes, now: datetime) -> None:
        self._db = db
        self._export = export
        self._now = now
        first = wishes.days_first
        self._times = values.Times(
            ZoneInfo(wishes.zone), days_first=self._guessed_days_first() if first is None else first
        )
        self._count = _Count()

    def run(self) -> _Count:
        """Read all rows."""
        for row in self._export.rows():
            self._count.rows += 1
            if isinstance(row, Bad):
                self._count.refuse(row)
                continue
            line, given = row
            try:
                self._take(given)
            except _Refused as refused:
                self._count.refuse(Bad(line, refused.reason, refused.value))
        return self._count

    def _guessed_days_first(self) -> bool:
        names = ("created_at", "updated_at", "closed_at")
        rows = (row[1] for row in islice(self._export.rows(), _SAMPLED) if not isinstance(row, Bad))
        return values.days_first(row.get(name, "") for row in rows for name in names)

    def _take(self, given: Mapping[str, str]) -> None:
        ticket_id = given["ticket_id"]
        if not ticket_id or len(ticket_id) > _NAME_MAX:
            raise _Refused("the ticket has no id" if not ticket_id else "the ticket's id is too long", ticket_id[:80])
        ticket = self._ticket(given)
        person = self._person(given, ticket["created"], ticket["updated"])
        before = self._db.execute("SELECT n FROM tickets WHERE ticket_id = ?", (ticket_id,)).fetchone()
        self._count.replaced += before is not None
        self._db.execute(
            "INSERT INTO tickets(ticket_id, person, body) VALUES(?, ?, ?)"
            " ON CONFLICT(ticket_id) DO UPDATE SET person = excluded.person, body = excluded.body",
            (ticket_id, person, json.dumps(ticket)),
        )

    def _ticket(self, given: Mapping[str, str]) -> dict[str, Any]:
        subject, text = given.get("subject", ""), given.get("description", "")
        if not subject and not text:
            raise _Refused("neither a subject nor a description")
        status = _read(given, "status", values.status)
        created, updated, closed = (self._time(given, name) for name in ("created_at", "updated_at", "closed_at"))
        first = created or updated or closed or self._now
        done = status in ("resolved", "closed")
        last = max(first, updated or first, (closed or first) if done else first)
        return {
            "subject": (subject or text.split("\n", maxsplit=1)[0])[:_SUBJECT_MAX],
            "text": text or subject,
            "status": status,
            "priority": _read(given, "priority", values.priority),
            "channel": values.channel(given.get("channel", "")),
            "score": _read(given, "rating", values.rating),
            "tags": values.tags(given.get("tags", "")),
            "created": first.timestamp(),
            "updated": last.timestamp(),
            "closed": max(first, closed or last).timestamp() if done else None,
        }

    def _time(self, given: Mapping[str, str], name: str) -> datetime | None:
        text = given.get(name, "")
        try:
            found = self._times.read(text)
        except ValueError as error:
            raise _Refused(f"{name} {error}", text) from None
        if found is not None and found > self._now + _AHEAD:
            raise _Refused(f"{name} lies in the future", text)
        return None if found is None else min(found, self._now)

    def _person(self, given: Mapping[str, str], first: float, last: float) -> int:
        """The number of the row's customer, new or known by e-mail, else by phone, else by name."""
        named, email = _read(given, "customer_email", values.address)
        name, phone = (given.get("customer_name") or named)[:_NAME_MAX], given.get("customer_phone", "")[:80]
        if "@" in name and not email:
            inside, email = _read({"customer_email": name}, "customer_email", values.address)
            name = inside
        if not (email or phone or name):
            raise _Refused("no customer: neither e-mail nor phone nor name")
        if email and self._db.execute("SELECT 1 FROM taken WHERE email = ?", (email.lower(),)).fetchone():
            raise _Refused("the e-mail belongs to one of the invented people", email)
        key = f"e:{email.lower()}" if email else f"p:{phone}" if phone else f"n:{name.casefold()}"
        (number,) = self._db.execute(
            "INSERT INTO people(key, email, phone, name, first, last) VALUES(?, ?, ?, ?, ?, ?)"
            " ON CONFLICT(key) DO UPDATE SET first = min(first, excluded.first), last = max(last, excluded.last),"
            " phone = coalesce(nullif(phone, ''), excluded.phone), name = coalesce(nullif(name, ''), excluded.name)"
            " RETURNING n",
            (key, email, phone, name, first, last),
        ).fetchone()
        return int(number)


class _Refused(Exception):
    def __init__(self, reason: str, value: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.value = value[:200]


def _read(given: Mapping[str, str], name: str, reader: Callable[[str], T]) -> T:
    text = given.get(name, "")
    try:
        return reader(text)
    except ValueError as error:
        raise _Refused(str(error), text) from None


def _summary(db: sqlite3.Connection, export: Export, wishes: Wishes, count: _Count, now: datetime) -> dict[str, Any]:
    (people,) = db.execute("SELECT count(*) FROM people").fetchone()
    (tickets,) = db.execute("SELECT count(*) FROM tickets").fetchone()
    return {
        "at": iso(now),
        "encoding": export.encoding,
        "delimiter": export.delimiter,
        "columns": dict(export.columns),
        "unused_columns": export.unused,
        "systems": list(wishes.systems),
        "zone": wishes.zone,
        "rows": count.rows,
        "loaded": {"customers": people, "tickets": tickets},
        "replaced": count.replaced,
        "left_out": sum(count.reasons.values()),
        "reasons": dict(count.reasons.most_common()),
        "bad_rows": count.bad,
    }


def _named(delimiter: str) -> str:
    return {"\t": "tabs", ",": "commas", ";": "semicolons"}.get(delimiter, f"{delimiter!r}")
