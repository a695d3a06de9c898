"""Reads a CSV export as it comes: guesses its encoding, its delimiter and which column is what, and gives its rows.

The file is walked twice, never held: once to settle the encoding, once for the rows.
"""

import codecs
import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

DELIMITERS = (",", ";", "\t", "|")
COLUMNS_MAX = 2_000
_SHOWN, _SHOWN_EACH = 40, 60  # of the headers in a refusal, and of the letters of each
_CHUNK = 1 << 16
_FIELD_MAX = 4 * 1024 * 1024  # characters of one value; a quote that is never closed ends here
# What exports call their columns, the likeliest first. Headers are compared by their letters and digits alone.
HEADERS: dict[str, tuple[str, ...]] = {
    "ticket_id": (
        "ticket id", "ticket #", "ticket number", "ticket no", "id", "case id", "case number", "conversation id",
        "issue id", "number", "#",
    ),
    "customer_name": (
        "customer name", "requester name", "requester", "contact name", "full name", "customer", "from name", "name",
        "sender name", "client name", "user name",
    ),
    "customer_email": (
        "customer email", "customer e-mail", "requester email", "contact email", "email", "e-mail", "email address",
        "from email", "sender email", "customer email address", "from", "client email", "user email",
    ),
    "customer_phone": ("customer phone", "requester phone", "contact phone", "phone", "phone number", "mobile"),
    "subject": ("subject", "ticket subject", "title", "summary", "topic"),
    "description": (
        "description", "ticket description", "first message", "body", "message", "content", "details", "first comment",
        "comment", "text",
    ),
    "status": ("status", "ticket status", "state", "ticket state"),
    "priority": ("priority", "ticket priority", "urgency"),
    "channel": ("channel", "ticket channel", "initial channel", "via", "source", "ticket source", "origin"),
    "created_at": (
        "created at", "created", "created time", "created date", "creation date", "ticket created", "date created",
        "created datetime", "opened at", "opened", "date", "created on", "requested at", "requested",
    ),
    "updated_at": (
        "updated at", "updated", "last update time", "last updated", "updated date", "last update", "modified",
        "last modified", "updated datetime", "last activity", "modified at", "last updated at",
    ),
    "closed_at": (
        "closed at", "closed", "closed time", "solved at", "solved", "resolved at", "resolved time", "closed date",
        "resolution date", "closed datetime", "resolved", "date closed",
    ),
    "rating": (
        "rating", "satisfaction rating", "satisfaction score", "csat", "csat score", "survey score", "satisfaction",
        "survey results", "customer satisfaction", "survey result", "satisfaction survey score",
    ),
    "tags": ("tags", "ticket tags", "labels"),
}  # fmt: skip


class Unreadable(ValueError):
    """The file as a whole is no export that can be loaded."""


@dataclass(frozen=True)
class Bad:
    """A row that was left out: `line` (1 = the header) and why, the offending value apart (it may be a customer's)."""

    line: int
    reason: str
    value: str = ""


@dataclass
class Export:
    """An open export: its rows by field name, and what was guessed about it."""

    path: Path
    mapped: Mapping[str, str] = field(default_factory=dict)
    encoding: str = field(init=False)
    delimiter: str = field(init=False)
    columns: dict[str, str] = field(init=False)
    unused: list[str] = field(init=False)
    _header: list[str] = field(init=False)

    def __post_init__(self) -> None:
        """Raises Unreadable when there is no header, or a column that has to be there is not."""
        self.encoding = encoding_of(self.path)
        with self.path.open(encoding=self.encoding, newline="") as stream:
            self.delimiter = _delimiter(stream.readline(_CHUNK))
            stream.seek(0)
            self._header = _header(stream, self.delimiter)
        self.columns = columns_of(self._header, self.mapped)
        self.unused = [name for name in self._header if name not in self.columns.values()]

    def rows(self) -> Iterator[tuple[int, dict[str, str]] | Bad]:
        """(line, values by field, stripped) of each row; a row that is none as Bad. Blank lines are left out."""
        places = {name: self._header.index(header) for name, header in self.columns.items()}
        before = csv.field_size_limit(_FIELD_MAX)
        try:
            with self.path.open(encoding=self.encoding, newline="", errors="replace") as stream:
                reader = csv.reader(stream, delimiter=self.delimiter)
                yield from self._walked(reader, places)
        finally:
            csv.field_size_limit(before)

    def _walked(self, reader: Any, places: Mapping[str, int]) -> Iterator[tuple[int, dict[str, str]] | Bad]:
        first, wanted = True, len(self._header)
        while True:
            line = reader.line_num + 1
            try:
                row = next(reader)
            except StopIteration:
                return
            except csv.Error:
                yield Bad(line, "no CSV: a value that is too long; is a quote left open?")
                continue
            if first or not any(value.strip() for value in row):
                first = False
                continue
            if len(row) != wanted:
                yield Bad(line, f"{len(row)} values where the header has {wanted}")
                continue
            yield line, {name: row[place].replace("\x00", "").strip() for name, place in places.items()}


def encoding_of(path: Path) -> str:
    """utf-8-sig, utf-16, cp1252 or latin-1: by the byte order mark, by zero bytes, else by what decodes.

    Raises Unreadable for an empty file.
    """
    with path.open("rb") as stream:
        head = stream.read(4096)
    if not head:
        raise Unreadable("the file is empty")
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if head.count(0) > len(head) // 4:  # text in Latin letters without a mark: every other byte is zero
        return "utf-16-le" if head[1:2] == b"\x00" else "utf-16-be"
    return next((name for name in ("utf-8-sig", "cp1252") if _decodes(path, name)), "latin-1")


def _decodes(path: Path, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    with path.open("rb") as stream:
        try:
            while chunk := stream.read(_CHUNK):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
    return True


def _delimiter(line: str) -> str:
    bare = re.sub(r'"[^"]*"', "", line)
    return max(DELIMITERS, key=bare.count)


def _header(stream: Iterator[str], delimiter: str) -> list[str]:
    try:
        header = [name.strip() for name in next(csv.reader(stream, delimiter=delimiter))]
    except (StopIteration, csv.Error):
        raise Unreadable("the file has no header line") from None
    if not any(header):
        raise Unreadable("the first line must hold the names of the columns")
    return header


def columns_of(header: Sequence[str], mapped: Mapping[str, str]) -> dict[str, str]:
    """Which header is which field: as told, else as guessed. Raises Unreadable naming what is wrong and the headers."""
    if len(header) > COLUMNS_MAX:
        raise Unreadable(f"the first line names {len(header):,} columns; an export has up to {COLUMNS_MAX:,}")
    listed = ", ".join(repr(name[:_SHOWN_EACH]) for name in header[:_SHOWN])
    listed += f" and {len(header) - _SHOWN} more" if len(header) > _SHOWN else ""
    found: dict[str, str] = {}
    for name, given in mapped.items():
        if name not in HEADERS:
            raise Unreadable(f"there is no field {name!r} to map; fields: {', '.join(HEADERS)}")
        same = [one for one in header if one == given] or [one for one in header if _bare(one) == _bare(given)]
        if not same:
            raise Unreadable(f"the file has no column {given!r}; columns: {listed}")
        found[name] = same[0]
    for name, variants in HEADERS.items():
        if name not in found:
            free = {_bare(one): one for one in reversed(header) if one and one not in found.values()}
            guessed = next((free[_bare(one)] for one in variants if _bare(one) in free), None)
            if guessed is not None:
                found[name] = guessed
    missing = [" or ".join(names) for names in _NEEDED if not found.keys() & set(names)]
    if missing:
        raise Unreadable(
            f'no column for {", for ".join(missing)}; columns: {listed}; name it with --map field="column"'
        )
    return found


_NEEDED = (("ticket_id",), ("customer_email", "customer_name", "customer_phone"), ("subject", "description"))


def _bare(header: str) -> str:
    plain = re.sub(r"[^a-z0-9#]", "", header.casefold())
    return plain if plain == "#" else plain.replace("#", "number" if plain.endswith("ticket#") else "")
