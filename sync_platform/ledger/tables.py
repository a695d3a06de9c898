"""Every table of the ledger, declared once.

Ids are 64-bit integers drawn in order of commit unless said otherwise; times are aware UTC; JSON columns hold what
`core.records` dumps. Tables that grow with the data carry only indexes that a hot query uses.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Column, Index, Integer, MetaData, Text, text
from sqlmodel import Field, SQLModel

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
}

Big = BigInteger().with_variant(Integer(), "sqlite")
# Compared by code points, as SQLite does by itself: only then is a range of texts what begins with the same letters.
Spelt = Text().with_variant(Text(collation="C"), "postgresql")


class LedgerModel(SQLModel):
    """Base of all tables of the ledger, with its own metadata so that the ERP's tables never mix in."""

    metadata = MetaData(naming_convention=NAMING)


def _id() -> Any:
    return Field(default=None, sa_column=Column(Big, primary_key=True, autoincrement=True))


def _json(*, nullable: bool = True) -> Any:
    return Field(default=None, sa_column=Column(JSON(none_as_null=True), nullable=nullable))


def _big(*, nullable: bool = True, index: bool = False) -> Any:
    return Field(default=None, sa_column=Column(Big, nullable=nullable, index=index))


class Meta(LedgerModel, table=True):
    """One fact about this ledger: its id, the identity of its accounts, counters of cycles."""

    __tablename__ = "meta"
    key: str = Field(primary_key=True)
    value: str


class ObservationRow(LedgerModel, table=True):
    """What a system showed for one external id at one moment, where it differed from the shadow. Append-only."""

    __tablename__ = "observation"
    __table_args__ = (Index("ix_observation_object", "system", "entity", "external_id", "id"),)
    id: int | None = _id()
    system: str
    entity: str
    external_id: str
    fields: dict[str, Any] | None = _json()
    mapping_version: str
    source_stamp: datetime | None = None
    row_version: int | None = _big()
    observed_at: datetime
    channel: str
    evidence: dict[str, Any] | None = _json()
    taken: bool = True
    run: str | None = None


class RecordRow(LedgerModel, table=True):
    """The canonical state of one customer or ticket; `dirty` while something is to be judged.

    `parent` is a ticket's customer. `named` and `surnamed` are what people find it by: its name (a ticket's subject) as
    `core.names` spells it, from the first and from the last word on.
    """

    __tablename__ = "record"
    __table_args__ = (
        Index("ix_record_dirty", "entity", "id", sqlite_where=text("dirty"), postgresql_where=text("dirty")),
        Index("ix_record_named", "named"),
        Index("ix_record_surnamed", "surnamed"),
        Index("ix_record_born", "born_at", "entity"),
        Index(
            "ix_record_ended",
            "id",
            sqlite_where=text("tombstone IS NOT NULL"),
            postgresql_where=text("tombstone IS NOT NULL"),
        ),
    )
    id: str = Field(primary_key=True)
    entity: str
    fields: dict[str, Any] | None = _json()
    decided: dict[str, Any] | None = _json()
    contests: dict[str, Any] | None = _json()
    reviews: dict[str, Any] | None = _json()
    settled: bool = False
    dirty: bool = False
    wanted: bool = False
    twin: bool = False
    parent: str | None = Field(default=None, index=True)
    born_at: datetime
    tombstone: dict[str, Any] | None = _json()
    named: str | None = Field(default=None, sa_column=Column(Spelt, nullable=True))
    surnamed: str | None = Field(default=None, sa_column=Column(Spelt, nullable=True))


class LinkRow(LedgerModel, table=True):
    """record ↔ (system, external id). `record_id` is null until identified; `awaits` names a reference not linked yet.

    `detail` is the priority of a read by id that is still owed (0: none, 1: updated, 2: has phone, 3: rest), `whole_at`
    when the last one began.
    """

    __tablename__ = "link"
    __table_args__ = (
        Index("uq_link_object", "system", "entity", "external_id", unique=True),
        Index(
            "uq_link_active",
            "record_id",
            "system",
            unique=True,
            sqlite_where=text("state = 'active' AND record_id IS NOT NULL"),
            postgresql_where=text("state = 'active' AND record_id IS NOT NULL"),
        ),
        # Begins with the number, so that no search takes it for one of its own: it is there to be counted along.
        Index("ix_link_standing", "id", "entity", "system", "state"),
        Index(
            "ix_link_unplaced",
            "entity",
            "id",
            sqlite_where=text("record_id IS NULL"),
            postgresql_where=text("record_id IS NULL"),
        ),
        Index(
            "ix_link_detail",
            "system",
            "entity",
            "detail",
            "id",
            sqlite_where=text("detail > 0"),
            postgresql_where=text("detail > 0"),
        ),
        Index(
            "ix_link_again",
            "system",
            "entity",
            "id",
            sqlite_where=text("again"),
            postgresql_where=text("again"),
        ),
        Index(
            "ix_link_awaits",
            "awaits",
            sqlite_where=text("awaits IS NOT NULL"),
            postgresql_where=text("awaits IS NOT NULL"),
        ),
    )
    id: int | None = _id()
    record_id: str | None = Field(default=None, index=True)
    system: str
    entity: str
    external_id: str
    state: str = "active"
    into: str | None = None
    marker: str | None = None
    cells: dict[str, Any] | None = _json()
    carry: Any = _json()
    stamp: datetime | None = None
    version: int | None = _big()
    fence: int = Field(default=0, sa_column=Column(Big, nullable=False, server_default="0"))
    read_at: datetime | None = None
    read_begun: int = Field(default=0, sa_column=Column(Big, nullable=False, server_default="0"))
    whole_at: datetime | None = None
    born_at: datetime | None = None
    detail: int = 0
    again: bool = False
    awaits: str | None = None
    gone: dict[str, Any] | None = _json()
    swept: int = Field(default=0, sa_column=Column(Big, nullable=False, server_default="0"))


class ComparisonRow(LedgerModel, table=True):
    """When an object was last compared with its shadow by the equality audit; null: never.

    `fields` and `differ` count what that comparison looked at and found.
    """

    __tablename__ = "comparison"
    __table_args__ = (Index("ix_comparison_oldest", "system", "entity", "compared_at", "link_id"),)
    link_id: int = Field(sa_column=Column(Big, primary_key=True, autoincrement=False))
    system: str
    entity: str
    compared_at: datetime | None = None
    fields: int = 0
    differ: int = 0


class MatchKeyRow(LedgerModel, table=True):
    """Normalised e-mails, phones and foreign ids → record."""

    __tablename__ = "match_key"
    __table_args__ = (Index("ix_match_key_record", "record_id"),)
    kind: str = Field(primary_key=True)
    value: str = Field(primary_key=True)
    record_id: str = Field(primary_key=True)


class DecisionRow(LedgerModel, table=True):
    """Which value won for a field, by which rule, from which claims, what it replaced. Append-only."""

    __tablename__ = "decision"
    __table_args__ = (Index("ix_decision_record", "record_id", "field", "id"),)
    id: int | None = _id()
    record_id: str
    entity: str
    field: str
    value: Any = _json()
    rule: str
    policy: str
    winner: dict[str, Any] | None = _json()
    claims: list[Any] | None = _json()
    replaced: Any = _json()
    cause: str
    at: datetime
    run: str | None = None


class IntentRow(LedgerModel, table=True):
    """One write that we owe a system."""

    __tablename__ = "intent"
    __table_args__ = (
        Index(
            "ix_intent_open",
            "system",
            "entity",
            "state",
            "lane",
            "id",
            sqlite_where=text("state IN ('planned','sent','unknown')"),
            postgresql_where=text("state IN ('planned','sent','unknown')"),
        ),
        Index("ix_intent_record", "record_id", "system"),
        Index(
            "uq_intent_unsettled",
            "record_id",
            "system",
            unique=True,
            sqlite_where=text("state IN ('sent','unknown')"),
            postgresql_where=text("state IN ('sent','unknown')"),
        ),
        Index(
            "uq_intent_planned",
            "record_id",
            "system",
            unique=True,
            sqlite_where=text("state = 'planned'"),
            postgresql_where=text("state = 'planned'"),
        ),
    )
    id: int | None = _id()
    record_id: str
    link_id: int | None = _big()
    system: str
    entity: str
    verb: str
    payload: dict[str, Any] | None = _json()
    pre: dict[str, Any] | None = _json()
    numbers: dict[str, Any] | None = _json()
    hash: str
    marker: str | None = Field(default=None, index=True)
    state: str
    lane: str
    tries: int = 0
    due_at: datetime | None = None
    created_at: datetime
    sent_at: datetime | None = None
    settled_at: datetime | None = None
    run: str | None = None


class ReceiptRow(LedgerModel, table=True):
    """The system's answer to one try of an intent; never holds a value of a person."""

    __tablename__ = "receipt"
    id: int | None = _id()
    intent_id: int = _big(nullable=False, index=True)
    outcome: str
    status: int | None = None
    code: str | None = None
    words: str | None = None
    correlation: str | None = None
    fields: list[Any] | None = _json()
    at: datetime


class LateRow(LedgerModel, table=True):
    """A payload that did not land but may still be processed.

    A value that matches it is used up once, and claims nothing.
    """

    __tablename__ = "late"
    id: int | None = _id()
    link_id: int = _big(nullable=False, index=True)
    intent_id: int = _big(nullable=False)
    payload: dict[str, Any] | None = _json()
    until: datetime


class ParkedRow(LedgerModel, table=True):
    """A refused (record, system, field, payload hash), or a row that could not be read; blocks nothing else.

    `retry_at`: a person wants it tried again; `dropped_at`: a person gave it up, the mark stands until the value moves.
    """

    __tablename__ = "parked"
    __table_args__ = (
        Index("ix_parked_open", "record_id", "system", "lifted_at"),
        Index(
            "ix_parked_waiting",
            "id",
            sqlite_where=text("lifted_at IS NULL"),
            postgresql_where=text("lifted_at IS NULL"),
        ),
    )
    id: int | None = _id()
    system: str
    entity: str
    record_id: str | None = None
    link_id: int | None = _big()
    external_id: str | None = None
    field: str
    hash: str
    code: str
    words: str
    remedy: str
    intent_id: int | None = _big()
    at: datetime
    retry_at: datetime | None = None
    dropped_at: datetime | None = None
    lifted_at: datetime | None = Field(default=None)


class ReviewRow(LedgerModel, table=True):
    """A decision handed to a person: a field (kind `field`), an identity (`ambiguous`, `twin`) or a merge.

    `answer` is what a person chose and upon which claims; `asked` counts how often it had to be asked.
    """

    __tablename__ = "review"
    __table_args__ = (
        Index("ix_review_waiting", "id", sqlite_where=text("state = 'open'"), postgresql_where=text("state = 'open'")),
    )
    id: int | None = _id()
    kind: str
    entity: str
    record_id: str | None = Field(default=None, index=True)
    link_id: int | None = _big(index=True)
    field: str | None = None
    claims: list[Any] | None = _json()
    state: str = "open"
    answer: dict[str, Any] | None = _json()
    asked: int = Field(default=1, sa_column=Column(Integer, nullable=False, server_default="1"))
    at: datetime
    closed_at: datetime | None = None


class ToldApartRow(LedgerModel, table=True):
    """Two records of which a person said that they are two, whatever they share; `one` < `other`."""

    __tablename__ = "told_apart"
    one: str = Field(primary_key=True)
    other: str = Field(primary_key=True, index=True)
    at: datetime


class CursorRow(LedgerModel, table=True):
    """Position of one feed: watermark and unfinished walk; `listed_at` is when a full listing was last complete."""

    __tablename__ = "cursor"
    system: str = Field(primary_key=True)
    feed: str = Field(primary_key=True)
    watermark: str | None = None
    walk: dict[str, Any] | None = _json()
    walk_started_at: datetime | None = None
    polled_at: datetime | None = None
    listed_at: datetime | None = None
    rows: int = Field(default=0, sa_column=Column(Big, nullable=False, server_default="0"))
    total: int | None = _big()


class InboxRow(LedgerModel, table=True):
    """One webhook delivery, once."""

    __tablename__ = "inbox"
    id: int | None = _id()
    system: str
    delivery: str = Field(sa_column=Column(Text, nullable=False, unique=True))
    body: Any = _json()
    received_at: datetime
    drained_at: datetime | None = Field(default=None, index=True)


class DirectoryRow(LedgerModel, table=True):
    """A slow list of an account (agents, stages, options) with its age."""

    __tablename__ = "directory"
    system: str = Field(primary_key=True)
    body: dict[str, Any] | None = _json()
    read_at: datetime


class PlanRow(LedgerModel, table=True):
    """Intents kept for a person: from a dry run (`plan`), the brake, an undo, a merge, a policy change."""

    __tablename__ = "plan"
    id: str = Field(primary_key=True)
    source: str
    state: str = "open"
    summary: dict[str, Any] | None = _json()
    items: list[Any] | None = _json()
    policy: str
    at: datetime
    closed_at: datetime | None = None
    carried_at: datetime | None = None


class HoldRow(LedgerModel, table=True):
    """What the brake holds back: one open hold for each (source or system, verb or kind, field)."""

    __tablename__ = "hold"
    id: int | None = _id()
    stage: str
    system: str
    entity: str
    verb: str
    field: str
    count: int
    known: int
    hashes: list[Any] | None = _json()
    state: str = "open"
    at: datetime
    closed_at: datetime | None = None
    carried_at: datetime | None = None


class HoldItemRow(LedgerModel, table=True):
    """One claim or write that is held, approved or dropped, by the hash of its payload; gone when nothing is owed."""

    __tablename__ = "hold_item"
    __table_args__ = (
        Index("ix_hold_item_record", "record_id"),
        Index("ix_hold_item_hold", "hold_id", "state"),
    )
    id: int | None = _id()
    hold_id: int | None = _big()
    plan: str | None = None
    stage: str
    system: str
    entity: str
    verb: str
    field: str
    record_id: str
    link_id: int = Field(default=0, sa_column=Column(Big, nullable=False, server_default="0"))
    pre: str | None = None
    hash: str
    state: str = "held"
    at: datetime


class PassedRow(LedgerModel, table=True):
    """How many claims or writes of one kind the brake let pass, by minute: its rolling window."""

    __tablename__ = "passed"
    stage: str = Field(primary_key=True)
    system: str = Field(primary_key=True)
    entity: str = Field(primary_key=True)
    verb: str = Field(primary_key=True)
    field: str = Field(primary_key=True)
    minute: int = Field(sa_column=Column(Big, primary_key=True, autoincrement=False))
    count: int = Field(default=0, sa_column=Column(Big, nullable=False, server_default="0"))


class BudgetRow(LedgerModel, table=True):
    """One limit of one credential, shared by all processes: a token bucket that never exceeds N calls a window."""

    __tablename__ = "budget"
    key: str = Field(primary_key=True)
    tokens: float
    capacity: float
    rate_per_s: float
    allowed: int
    window_s: float
    at: float
    frozen_until: float = 0.0
    tally: dict[str, Any] | None = _json()
    used: int = Field(default=0, sa_column=Column(Big, nullable=False, server_default="0"))


class CallRow(LedgerModel, table=True):
    """Calls by run, system, lane and purpose, and what was waited."""

    __tablename__ = "call"
    run: str = Field(primary_key=True)
    system: str = Field(primary_key=True)
    lane: str = Field(primary_key=True)
    purpose: str = Field(primary_key=True)
    count: int = Field(default=0, sa_column=Column(Big, nullable=False, server_default="0"))
    waited_s: float = 0.0
    rate_limited: int = 0


class LeaseRow(LedgerModel, table=True):
    """Who works now: an owner with an expiry, renewed while it lives."""

    __tablename__ = "lease"
    name: str = Field(primary_key=True)
    owner: str
    host: str
    pid: int
    taken_at: datetime
    expires_at: datetime


class RunRow(LedgerModel, table=True):
    """One cycle (a slice): what it saw, decided, wrote, and how it ended."""

    __tablename__ = "run"
    id: str = Field(primary_key=True)
    kind: str
    started_at: datetime
    ended_at: datetime | None = Field(default=None, index=True)
    outcome: str | None = None
    complete: bool = False
    counts: dict[str, Any] | None = _json()
    errors: list[Any] | None = _json()


class PersonActRow(LedgerModel, table=True):
    """What a person did: approve, drop, pause, switch writes; who, when, why."""

    __tablename__ = "act"
    __table_args__ = (Index("ix_act_subject", "subject"),)
    id: int | None = _id()
    verb: str
    subject: str
    who: str
    why: str | None = None
    at: datetime


class VersionRow(LedgerModel, table=True):
    """Each policy and mapping version that ever judged something, kept whole for replay."""

    __tablename__ = "version"
    hash: str = Field(primary_key=True)
    kind: str
    body: str = Field(sa_column=Column(Text, nullable=False))
    at: datetime


class ErasedRow(LedgerModel, table=True):
    """A keyed hash of an identifier of somebody who was forgotten: it keeps them out and tells nobody who they were."""

    __tablename__ = "erased"
    hash: str = Field(primary_key=True)
    at: datetime
