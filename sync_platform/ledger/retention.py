"""What may go from the ledger: rows that are old and that nothing in it needs, in pieces that commit by themselves.

Observations go in the order of their numbers, up to a checkpoint: above it everything is there, below it what `why`,
a review, a contest or a present value still names. The checkpoint moves with each piece, so a prune that was stopped
goes on where it was.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, func, select, tuple_
from sqlalchemy import Table as SaTable

from sync_platform.core.normalize import blank
from sync_platform.core.records import Json
from sync_platform.ledger.database import Ledger, get_meta, in_chunks, set_meta
from sync_platform.ledger.journal import DECISION, LATE, OBSERVATION, PARKED, RECEIPT, REVIEW
from sync_platform.ledger.links import LINK, RECORD
from sync_platform.ledger.outbox import INTENT, IS_UNSETTLED
from sync_platform.ledger.tables import CallRow, InboxRow, RunRow

INBOX: SaTable = InboxRow.__table__  # type: ignore[attr-defined]
CALL: SaTable = CallRow.__table__  # type: ignore[attr-defined]
RUN: SaTable = RunRow.__table__  # type: ignore[attr-defined]
CHECKPOINT = "pruned"
CHUNK = 400
PAGE = 500
Object = tuple[str, str, str]
WHOLE = "*"


@dataclass(slots=True)
class Named:
    """What the ledger names of one object: (field, what the system showed) → when, None: whenever; and field → when a
    value was decided of which it is not said who showed it (at a birth nobody claims anything)."""

    shown: dict[tuple[str, str], set[datetime | None]] = field(default_factory=dict)
    unsaid: dict[str, set[datetime]] = field(default_factory=dict)

    def marks(self, row: Any, name: str, value: str) -> Iterator[tuple[str, ...]]:
        """For what this row may be needed; for each the newest row is. An answer may show what we wrote: it is a mark
        of its own."""
        own = str(row.channel == "answer")
        if (name, value) in self.shown:
            yield "named", name, value
        for at in self.shown.get((name, value), ()):
            if at is None or row.observed_at <= at:
                yield "named then", name, value, str(at), own
        for decided_at in (*self.unsaid.get(name, ()), *self.unsaid.get(WHOLE, ())):
            if row.observed_at <= decided_at:
                yield "there then", name, value, str(decided_at), own


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Up to which observation the ledger was pruned, and before which moment those were made."""

    observation: int
    before: str

    def dump(self) -> dict[str, Any]:
        """As commands show it."""
        return {"observation": self.observation, "before": self.before}


def checkpoint(conn: Connection) -> Checkpoint | None:
    """Where whole history begins; None while nothing was ever pruned."""
    raw = get_meta(conn, CHECKPOINT)
    return Checkpoint(**json.loads(raw)) if raw else None


def set_checkpoint(conn: Connection, point: Checkpoint) -> None:
    """Remember how far the pruning is."""
    set_meta(conn, CHECKPOINT, json.dumps(point.dump()))


# --- rows that speak of one delivery, one answer, one run -------------------------------------------------------------


def old_rows(before: datetime) -> dict[str, tuple[SaTable, ColumnElement[Any], ColumnElement[bool]]]:
    """Table, key and condition of what may go, by name; a delivery that is not drained, an answer to an open mark or
    an unsettled write, and a payload that may still land never do."""
    open_marks = select(PARKED.c.intent_id).where(PARKED.c.lifted_at.is_(None), PARKED.c.intent_id.is_not(None))
    unsettled = select(INTENT.c.id).where(IS_UNSETTLED)
    named = select(DECISION.c.run).where(DECISION.c.run.is_not(None))
    return {
        "deliveries": (INBOX, INBOX.c.id, INBOX.c.drained_at < before),
        "receipts": (
            RECEIPT,
            RECEIPT.c.id,
            (RECEIPT.c.at < before) & RECEIPT.c.intent_id.not_in(open_marks) & RECEIPT.c.intent_id.not_in(unsettled),
        ),
        "late payloads": (LATE, LATE.c.id, LATE.c.until < before),
        # A run that decided something can be undone by its name.
        "runs": (RUN, RUN.c.id, (RUN.c.ended_at < before) & RUN.c.id.not_in(named)),
    }


def count(conn: Connection, table: SaTable, where: ColumnElement[bool]) -> int:
    """How many rows a condition names."""
    return int(conn.execute(select(func.count()).select_from(table).where(where)).scalar_one())


def some(conn: Connection, key: ColumnElement[Any], where: ColumnElement[bool], limit: int) -> list[Any]:
    """Keys of some rows that a condition names."""
    return list(conn.execute(select(key).where(where).limit(limit)).scalars())


def remove(conn: Connection, table: SaTable, key: ColumnElement[Any], keys: Sequence[Any]) -> int:
    """Delete rows by key."""
    return sum(conn.execute(delete(table).where(key.in_(chunk))).rowcount for chunk in in_chunks(keys, CHUNK))


def ended_runs(conn: Connection, before: datetime) -> list[str]:
    """Runs that ended before a moment."""
    return list(conn.execute(select(RUN.c.id).where(RUN.c.ended_at < before)).scalars())


def count_calls(ledger: Ledger, runs: Sequence[str]) -> int:
    """Counts of calls that belong to these runs, in the pacing store."""
    with ledger.pacing_read() as conn:
        return sum(count(conn, CALL, CALL.c.run.in_(chunk)) for chunk in in_chunks(runs, CHUNK))


def remove_calls(ledger: Ledger, runs: Sequence[str]) -> int:
    """Delete them, a short transaction for each piece: nobody's next call waits for it."""
    gone = 0
    for chunk in in_chunks(runs, CHUNK):
        with ledger.pacing() as conn:
            gone += conn.execute(delete(CALL).where(CALL.c.run.in_(chunk))).rowcount
    return gone


# --- observations -----------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Page:
    """Some observations that became old: whose they are, and the number of the last one."""

    objects: list[Object]
    last: int
    more: bool


def became_old(conn: Connection, after: int, before: datetime) -> Page:
    """The next observations above the checkpoint that are older than a moment."""
    columns = (OBSERVATION.c.id, OBSERVATION.c.observed_at, OBSERVATION.c.system, OBSERVATION.c.entity)
    rows = conn.execute(
        select(*columns, OBSERVATION.c.external_id)
        .where(OBSERVATION.c.id > after)
        .order_by(OBSERVATION.c.id)
        .limit(PAGE)
    ).all()
    old = []
    for row in rows:
        if row.observed_at >= before:
            break
        old.append(row)
    objects = list(dict.fromkeys((row.system, row.entity, row.external_id) for row in old))
    return Page(objects, old[-1].id if old else after, more=len(old) == PAGE)


def needless(conn: Connection, objects: Sequence[Object], up_to: int) -> list[int]:
    """Observations of these objects, up to a number, that nothing names."""
    named = _named(conn, objects)
    of = OBSERVATION.c
    rows = conn.execute(
        select(of.id, of.system, of.entity, of.external_id, of.fields, of.channel, of.evidence, of.observed_at)
        .where(tuple_(of.system, of.entity, of.external_id).in_(list(objects)))
        .order_by(of.id.desc())
    )
    by_object: dict[Object, list[Any]] = {one: [] for one in objects}
    for row in rows:
        by_object[row.system, row.entity, row.external_id].append(row)
    gone: list[int] = []
    for one, found in by_object.items():
        needed = _needed(found, named.get(one, Named()))
        gone += [row.id for row in found if row.id <= up_to and row.id not in needed]
    return sorted(gone)


def _needed(rows: Sequence[Any], named: Named) -> set[int]:
    """The newest showing of each field, and of each value that something names, as `why` looks for them (the newest
    before the decision that names it, answers apart); and every word of an end."""
    needed: set[int] = set()
    seen: set[tuple[str, ...]] = set()

    def keep(row: Any, *mark: str) -> None:
        if mark not in seen:
            seen.add(mark)
            needed.add(row.id)

    for row in rows:
        if row.evidence:
            needed.add(row.id)
        own = row.channel == "answer"
        for name, theirs in (row.fields or {}).items():
            value = _spelt(theirs)
            keep(row, "shown", name)
            if not own:
                keep(row, "shown by others", name)
                if not blank(theirs):
                    keep(row, "filled", name)
            for mark in named.marks(row, name, value):
                keep(row, *mark)
    return needed


def _named(conn: Connection, objects: Sequence[Object]) -> dict[Object, Named]:
    """What a decision, an open contest or a review of the record names, by object."""
    link = LINK.c
    rows = conn.execute(
        select(link.id, link.record_id, link.system, link.entity, link.external_id).where(
            tuple_(link.system, link.entity, link.external_id).in_(list(objects))
        )
    ).all()
    objects_of = {row.id: (row.system, row.entity, row.external_id) for row in rows}
    of_record: dict[str, list[Object]] = {}
    for row in rows:
        of_record.setdefault(row.record_id, []).append(objects_of[row.id])
    out = {one: Named() for one in objects_of.values()}

    def name(of_field: str, claims: Any, at: datetime | None = None) -> None:
        for claim in claims or ():
            one = objects_of.get(claim.get("link"))
            if one is not None:
                # Also without a moment: where a clock was behind, the newest showing of all must do.
                times = out[one].shown.setdefault((of_field, _spelt(claim.get("theirs"))), {None})
                times.add(at)

    for chunk in in_chunks(sorted(of_record.keys() - {None}), CHUNK):
        of = DECISION.c
        columns = (of.record_id, of.field, of.claims, of.winner, of.at)
        for decided in conn.execute(select(*columns).where(of.record_id.in_(chunk))):
            name(decided.field, [*(decided.claims or ()), *([decided.winner] if decided.winner else ())], decided.at)
            for one in of_record[decided.record_id] if not decided.winner else ():
                out[one].unsaid.setdefault(decided.field, set()).add(decided.at)
        for kept in conn.execute(select(RECORD.c.contests, RECORD.c.reviews).where(RECORD.c.id.in_(chunk))):
            for open_ in (kept.contests, kept.reviews):
                for one_field, claims in (open_ or {}).items():
                    name(one_field, claims)
        waiting = select(REVIEW.c.field, REVIEW.c.claims).where(REVIEW.c.record_id.in_(chunk))
        for asked in conn.execute(waiting.where(REVIEW.c.field.is_not(None), REVIEW.c.state == "open")):
            name(asked.field, asked.claims)
    return out


def left_below(conn: Connection, number: int) -> int:
    """Observations up to a number that are there."""
    return count(conn, OBSERVATION, OBSERVATION.c.id <= number)


def remove_observations(conn: Connection, numbers: Sequence[int]) -> int:
    """Delete observations."""
    return remove(conn, OBSERVATION, OBSERVATION.c.id, numbers)


def _spelt(value: Json) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
