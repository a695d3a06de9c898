"""The words of the platform as values: what was seen, what is believed, what was decided, what is owed.

Everything here is data without behaviour beyond its own consistency. `Json` values are what JSON can hold; canonical
values and the systems' own forms are both Json, so that they survive a database and compare by `==`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, NewType, Self

Json = Any
RecordId = NewType("RecordId", str)
ExternalId = NewType("ExternalId", str)


class System(StrEnum):
    """The three spokes."""

    GORGIAS = "gorgias"
    HUBSPOT = "hubspot"
    ERP = "erp"


class Entity(StrEnum):
    """What is kept equal."""

    CUSTOMER = "customer"
    TICKET = "ticket"


SYSTEMS: tuple[System, ...] = (System.GORGIAS, System.HUBSPOT, System.ERP)
# The largest number that a row of the ledger can bear.
NUMBER_MAX = 2**63 - 1
ENTITIES: tuple[Entity, ...] = (Entity.CUSTOMER, Entity.TICKET)

# The vendors' own plurals, used in asset keys and messages.
THINGS: Mapping[tuple[System, Entity], str] = {
    (System.GORGIAS, Entity.CUSTOMER): "customers",
    (System.GORGIAS, Entity.TICKET): "tickets",
    (System.HUBSPOT, Entity.CUSTOMER): "contacts",
    (System.HUBSPOT, Entity.TICKET): "tickets",
    (System.ERP, Entity.CUSTOMER): "customers",
    (System.ERP, Entity.TICKET): "tickets",
}


class Channel(StrEnum):
    """How an observation reached us. Only `BY_ID` and `SWEEP` (the audit) can be a fenced read."""

    LIST = "list"
    BY_ID = "by_id"
    SEARCH = "search"
    WEBHOOK = "webhook"
    ANSWER = "answer"
    SWEEP = "sweep"


class Lane(StrEnum):
    """Shares of the budget, the most urgent first."""

    INTERACTIVE = "interactive"
    DELTA = "delta"
    REPAIR = "repair"
    BACKFILL = "backfill"
    AUDIT = "audit"


class LinkState(StrEnum):
    """active; gone: deleted there; barred: merged away."""

    ACTIVE = "active"
    GONE = "gone"
    BARRED = "barred"


class Verb(StrEnum):
    """What an intent does."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    # For good, past any recycle bin; only somebody's wish to be forgotten asks for it.
    ERASE = "erase"


class IntentState(StrEnum):
    """planned → sent → acknowledged | rejected (parked) | unknown (→ settled); dropped: replaced or given up."""

    PLANNED = "planned"
    SENT = "sent"
    ACKNOWLEDGED = "acknowledged"
    REJECTED = "rejected"
    UNKNOWN = "unknown"
    DROPPED = "dropped"


class _Unset:
    """The one value that no system can hold: «never read», «no base», «no agreement»."""

    _one: Any = None

    def __new__(cls) -> Self:
        if cls._one is None:
            cls._one = super().__new__(cls)
        one: Self = cls._one
        return one

    def __repr__(self) -> str:
        return "UNSET"

    def __bool__(self) -> bool:
        return False


UNSET = _Unset()


@dataclass(frozen=True, slots=True)
class Evidence:
    """That an id is gone: `kind` is deleted, archived, missing (404 by id) or merged (then `into` is the survivor)."""

    kind: str
    into: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """What a connector read: attributes of one object in the system's own form; attributes not shown are absent.

    `stamp` is the system's own modification time, `version` a row version where it has one. `carry` is the connector's
    own note that it wants back with the next change of this object (the whole `data`, all channels): it is opaque.
    """

    system: System
    entity: Entity
    external_id: str
    attributes: Mapping[str, Json]
    channel: Channel
    stamp: datetime | None = None
    version: int | None = None
    evidence: Evidence | None = None
    carry: Json = None
    created_at: datetime | None = None


@dataclass(slots=True)
class Cell:
    """One field of one link. Values are in the system's own form; `image` is what `put(record)` gave.

    shadow: what we believe the system holds; base: the value last judged; held, image: at the last agreement;
    seen: number of the decision that this system had been shown at that agreement; apart: left different on purpose;
    span: of an unjudged change, the system's own times between which it was made: (not before, not after);
    braked: the change is held for a person, so nothing judges it.
    """

    shadow: Json = UNSET
    base: Json = UNSET
    held: Json = UNSET
    image: Json = UNSET
    seen: int = 0
    apart: bool = False
    span: tuple[str | None, str | None] | None = None
    braked: bool = False

    def move(self, theirs: Json, before: datetime | None, after: datetime | None) -> None:
        """The system shows another value: made after what it showed at `before`, and not later than `after`."""
        if self.span is None or not self.changed:
            self.span = (before.isoformat() if before else None, None)
        self.shadow = theirs
        self.span = (self.span[0], after.isoformat() if after else None)

    @property
    def unread(self) -> bool:
        """True until the system showed this field once."""
        return self.shadow is UNSET

    @property
    def changed(self) -> bool:
        """A change is a shadow that differs from its base; without a base nothing is a change."""
        return self.base is not UNSET and self.shadow is not UNSET and self.shadow != self.base

    def dump(self) -> dict[str, Json]:
        """Compact form for the ledger; equal values are not repeated."""
        out: dict[str, Json] = {}
        if self.shadow is not UNSET:
            out["s"] = self.shadow
        for key, value in (("b", self.base), ("h", self.held)):
            if value is not UNSET:
                if self.shadow is not UNSET and value == self.shadow and type(value) is type(self.shadow):
                    out["="] = out.get("=", "") + key
                else:
                    out[key] = value
        if self.image is not UNSET:
            out["i"] = self.image
        if self.seen:
            out["n"] = self.seen
        if self.apart:
            out["a"] = 1
        if self.braked:
            out["k"] = 1
        if self.span is not None and self.changed:
            out["t"] = list(self.span)
        return out

    @classmethod
    def load(cls, raw: Mapping[str, Json]) -> Cell:
        """The inverse of `dump`."""
        # Read more often than anything else: by place, and the rare ones only where they are.
        get = raw.get
        same = get("=", "")
        shadow = get("s", UNSET)
        base = shadow if "b" in same else get("b", UNSET)
        held = shadow if "h" in same else get("h", UNSET)
        cell = cls(shadow, base, held, get("i", UNSET), get("n", 0))
        if "a" in raw:
            cell.apart = bool(raw["a"])
        if "t" in raw:
            cell.span = tuple(raw["t"])
        if "k" in raw:
            cell.braked = bool(raw["k"])
        return cell


@dataclass(slots=True)
class Link:
    """record ↔ (system, external id) with everything believed about that object.

    `gone` is what is known of its end: kind (deleted, archived, missing, by_us, or restored), at, run, edited (somebody
    changed the record elsewhere without knowing of the end, or after it; `moved`: in its customer alone) and judged
    (what followed; None: nothing yet).
    On an active link it is a suspicion, or that it came back. `whole_at` is when its last read by id began.
    """

    id: int
    record_id: RecordId | None
    system: System
    entity: Entity
    external_id: str
    state: LinkState = LinkState.ACTIVE
    cells: dict[str, Cell] = field(default_factory=dict)
    stamp: datetime | None = None
    version: int | None = None
    fence: int = 0
    read_at: datetime | None = None
    whole_at: datetime | None = None
    created_at: datetime | None = None
    unsettled: bool = False
    carry: Json = None
    detail: int = 0
    again: bool = False
    awaits: str | None = None
    into: str | None = None
    marker: str | None = None
    gone: dict[str, Json] | None = None
    # What the ledger holds of its cells and of what it awaits, where it was read from there; None: to be written.
    stored: tuple[Json, str | None] | None = field(default=None, compare=False, repr=False)

    def cell(self, name: str) -> Cell:
        """The cell of a field, made on first use."""
        if name not in self.cells:
            self.cells[name] = Cell()
        return self.cells[name]

    def new_epoch(self) -> None:
        """What it shows was never judged as this record's: nothing of it is a change, the first-link rule speaks."""
        self.cells = {name: Cell(cell.shadow) for name, cell in self.cells.items() if not cell.unread}


@dataclass(frozen=True, slots=True)
class Claim:
    """One candidate for a field: a value that a system holds, with the decision that it had been shown.

    It was entered after `since` and not after `stamp`, both by the system's own clock; None where that is not known.
    `flips` counts how often, in this contest up to this claim, a system changed what another one's claim had made it.
    `before`, in an open contest alone: (number, value) of the decision that stood when it began, or that somebody else
    was shown since.
    """

    system: System
    link_id: int
    value: Json
    theirs: Json
    number: int
    seen: int = 0
    stamp: str | None = None
    observation: int | None = None
    since: str | None = None
    flips: int = 0
    before: tuple[int, Json] | None = None

    def alone(self) -> Claim:
        """The claim outside of its contest."""
        return self if self.before is None else replace(self, before=None)

    def dump(self) -> dict[str, Json]:
        """For the ledger."""
        out = {
            "system": str(self.system),
            "link": self.link_id,
            "value": self.value,
            "theirs": self.theirs,
            "number": self.number,
            "seen": self.seen,
            "stamp": self.stamp,
            "since": self.since,
            "observation": self.observation,
        }
        if self.flips:
            out["flips"] = self.flips
        if self.before is not None:
            out["before"] = list(self.before)
        return out

    @classmethod
    def load(cls, raw: Mapping[str, Json]) -> Claim:
        """The inverse of `dump`."""
        return cls(
            system=System(raw["system"]),
            link_id=raw["link"],
            value=raw["value"],
            theirs=raw["theirs"],
            number=raw["number"],
            seen=raw.get("seen", 0),
            stamp=raw.get("stamp"),
            observation=raw.get("observation"),
            since=raw.get("since"),
            flips=raw.get("flips", 0),
            before=(raw["before"][0], raw["before"][1]) if raw.get("before") else None,
        )


@dataclass(slots=True)
class Record:
    """The canonical, hub-side state of one customer or ticket.

    `decided` holds for each field the number of the decision that set it, `contests` the claims of open contests,
    `reviews` the fields in review. `settled` is False until the first judgement of the whole record.
    """

    id: RecordId
    entity: Entity
    fields: dict[str, Json] = field(default_factory=dict)
    decided: dict[str, int] = field(default_factory=dict)
    contests: dict[str, list[Claim]] = field(default_factory=dict)
    reviews: dict[str, list[Claim]] = field(default_factory=dict)
    settled: bool = False
    born_at: datetime | None = None
    tombstone: Json = None
    twin: bool = False
    wanted: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """Which value won for a field (`"*"`: the whole new record), by which rule, from which claims, replacing what."""

    record_id: RecordId
    entity: Entity
    field: str
    value: Json
    rule: str
    number: int
    winner: Claim | None = None
    claims: tuple[Claim, ...] = ()
    replaced: Json = None
    cause: str = "change"


@dataclass(frozen=True, slots=True)
class PlannedWrite:
    """What is owed to one system for one record: values by field, in the system's own form.

    `pre` holds the shadow of each field at planning; `was` is the record's decision number per field;
    `add`, `remove` name the elements of set fields, which are written one by one where the system can.
    """

    record_id: RecordId
    system: System
    entity: Entity
    verb: Verb
    values: Mapping[str, Json]
    pre: Mapping[str, Json] = field(default_factory=dict)
    numbers: Mapping[str, int] = field(default_factory=dict)
    link_id: int | None = None
    external_id: str | None = None
    marker: str | None = None
    add: Mapping[str, list[Json]] = field(default_factory=dict)
    remove: Mapping[str, list[Json]] = field(default_factory=dict)


def encoder(*, sort_keys: bool = False) -> Callable[[Json], str]:
    """A function that spells JSON without blanks, letters of all scripts as they are.

    What does the work is made once here; `JSONEncoder.encode` makes it anew at each call, which costs more than most
    values do.
    """
    made = json.JSONEncoder(sort_keys=sort_keys, separators=(",", ":"), ensure_ascii=False)
    maker: Any = getattr(json.encoder, "c_make_encoder", None)
    if maker is None:
        return made.encode
    parts = maker(None, made.default, json.encoder.encode_basestring, None, ":", ",", sort_keys, False, True)
    return lambda value: "".join(parts(value, 0))


_canonical = encoder(sort_keys=True)


def canonical_json(value: Json) -> str:
    """One spelling for equal values: sorted keys, no blanks, UTF-8."""
    return _canonical(value)


def payload_hash(value: Json) -> str:
    """SHA-256 (hex) over the canonical JSON; names a payload in parked marks, plans and approvals."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()
