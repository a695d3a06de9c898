"""What every side owes the sync: pages of rows, reads by id and by key, writes with receipts, a description of itself.

Nothing here knows about records, decisions or SQL of the ledger. Calls are metered by the `Meter` that is passed in.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol, runtime_checkable

from sync_platform.core.records import Entity, Json, Lane, Row, System, Verb

# The ids, of those given with the stamps of their rows, that are held already as they were at that stamp.
Known = Callable[[Entity, Mapping[str, datetime]], Collection[str]]


class Meter(Protocol):
    """The budget as a connector sees it: ask before each call, tell what the answer said."""

    def spend(self, limits: Sequence[str], *, lane: Lane, purpose: str) -> None:
        """Wait until every named limit of this system allows one more call, then count it under `purpose`.

        `limits` are names that the connector declared in `Connector.limits`; `purpose` is "read",
        "history", "write" or "setup".
        Waits outside any transaction. Raises `RateLimited` with `wait_s` when the wait would be too long to sit out
        (a day's limit is used up, or the system told us to stay away).
        """

    def learn(
        self,
        limit: str,
        *,
        used: int | None = None,
        allowed: int | None = None,
        window_s: float | None = None,
        frozen_s: float | None = None,
    ) -> None:
        """What an answer said: calls used of those allowed in the window, or how long to stay away (a 429)."""


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit of an account: at most `allowed` calls in any `window_s` seconds. Answers correct both."""

    name: str
    allowed: int
    window_s: float


@dataclass(frozen=True, slots=True)
class Feed:
    """One stream of changes or one listing of a system.

    kind: `walk` newest first, the watermark moves at the end of a walk; `ascending` oldest first, it moves page by
    page; `window` is a trailing second look at what an index showed late; `list` is the full listing (first load,
    nightly); `detail` has no cursor and is served by `fetch`.
    """

    name: str
    entity: Entity
    kind: str
    first_load: bool = False


@dataclass(slots=True)
class Cursor:
    """Position in a feed: all up to `watermark` is seen; `walk` is the unfinished walk (None between walks).

    `watermark` is a string that only the connector reads (an ISO time, a sequence number).
    """

    watermark: str | None = None
    walk: dict[str, Json] | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Rows and the position after them; `complete` ends the walk; `bad` are unreadable rows: (external id, reason)."""

    rows: Sequence[Row]
    cursor: Cursor
    complete: bool
    total: int | None = None
    bad: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """One write for one object, in the system's own attributes.

    `set` holds attributes to write, `was` what we believe they hold now; `add` and `remove` are elements of set
    attributes. `carry` is what the connector noted at its last read. `token` names the change inside a batch.
    """

    token: str
    entity: Entity
    verb: Verb
    external_id: str | None
    set: Mapping[str, Json] = field(default_factory=dict)
    was: Mapping[str, Json] = field(default_factory=dict)
    add: Mapping[str, Sequence[Json]] = field(default_factory=dict)
    remove: Mapping[str, Sequence[Json]] = field(default_factory=dict)
    marker: str | None = None
    version: int | None = None
    carry: Json = None


class Outcome(StrEnum):
    """done: acknowledged; rejected: refused for good; retry: not taken, nothing done; unknown: may have landed;
    moved: the object changed since it was read (row version), read it again."""

    DONE = "done"
    REJECTED = "rejected"
    RETRY = "retry"
    UNKNOWN = "unknown"
    MOVED = "moved"


@dataclass(frozen=True, slots=True)
class Receipt:
    """The system's answer to one change.

    `row` is what the answer showed (None where the answer has no body). On a refusal `fields` names the attributes
    that the system complained about (empty: the whole change), `code` and `status` its category; `words` are the
    system's own words with every value of a person taken out. `existing` is the id that holds a unique value.
    """

    token: str
    outcome: Outcome
    external_id: str | None = None
    row: Row | None = None
    status: int | None = None
    code: str | None = None
    words: str = ""
    fields: tuple[str, ...] = ()
    existing: str | None = None
    correlation: str | None = None
    wait_s: float | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of `doctor` or `setup`: what was looked at, what was found, what to do about it."""

    name: str
    ok: bool
    found: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Account:
    """Who we talk to. `identity` never changes for one account; `sandbox` is True on the twin only."""

    system: System
    identity: str
    sandbox: bool
    facts: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Directory:
    """Slow lists of an account that mappings need: agents or owners (id ↔ e-mail), stages, options, tags."""

    agents: Mapping[str, str] = field(default_factory=dict)
    stages: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    options: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Wanted:
    """One attribute that the mappings write and that set-up must find or make: `type` text, number, bool, datetime,
    choice (then `options`) or list."""

    entity: Entity
    attribute: str
    label: str
    type: str
    options: tuple[str, ...] = ()
    unique: bool = False


@runtime_checkable
class Connector(Protocol):
    """One side. Every method may raise the `Retryable` and `Halt` branches of `errors`; values never enter messages."""

    system: System
    limits: tuple[Limit, ...]
    batch_size: Mapping[tuple[Entity, Verb], int]
    page_size: Mapping[str, int]

    def account(self) -> Account:
        """Ask the system who it is."""

    def directory(self) -> Directory:
        """Read the slow lists."""

    def feeds(self) -> tuple[Feed, ...]:
        """Every feed, in the order in which a cycle reads them."""

    def start(self, feed: Feed, cursor: Cursor | None, *, now: datetime) -> Cursor:
        """The cursor for a new walk of this feed at `now` (its upper bound is fixed here)."""

    def pull(self, feed: Feed, cursor: Cursor, *, lane: Lane, known: Known | None = None) -> Page:
        """One page (one call, or one for each object kind that belongs to it).

        What needs a call beyond the page's own is not read for rows that `known` names: they do not show it.
        """

    def fetch(self, entity: Entity, ids: Sequence[str], *, lane: Lane) -> Iterator[Row]:
        """Read by id, in batches where the system has them: a row for each id, with `evidence` where it is gone."""

    def lookup(self, entity: Entity, keys: Sequence[tuple[str, str]], *, lane: Lane) -> Iterator[tuple[int, Row]]:
        """Rows that hold a key ("email" | "phone" | "marker", value), with the key's index; never by a search index."""

    def apply(self, changes: Sequence[Change], *, lane: Lane) -> Iterator[Receipt]:
        """Write; one receipt for each change, in any order. Never raises for a single change."""

    def prepare(self, wanted: Iterable[Wanted]) -> list[Finding]:
        """Create what is missing (set-up); idempotent; says what it did."""

    def examine(self, wanted: Iterable[Wanted]) -> list[Finding]:
        """What is reachable, with which rights and limits, what is missing (doctor)."""

    def close(self) -> None:
        """Give back connections."""


@dataclass(frozen=True, slots=True)
class Past:
    """What one attribute of one object held from when on, newest first."""

    external_id: str
    attribute: str
    entries: Sequence[tuple[Json, datetime]]


@runtime_checkable
class Historian(Protocol):
    """A side that keeps the history of single attributes; asked only where a conflict depends on it."""

    def history(self, entity: Entity, wanted: Mapping[str, Sequence[str]], *, lane: Lane) -> Iterator[Past]:
        """The past of attributes, by external id; what the side does not know is left out."""
