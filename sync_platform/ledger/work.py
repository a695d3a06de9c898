"""What there is to do, asked in one statement: a cycle with nothing to do asks little else.

Each answer is an existence on the partial index that the work itself is read by, so it costs the same over a ledger of
millions. A `False` says that the step would find nothing; a `True` promises nothing, the step looks for itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Connection, FromClause, TextClause, bindparam, or_, select
from sqlalchemy import exists as sa_exists

from sync_platform.core.records import Entity, System
from sync_platform.ledger.holds import HOLD, ITEM
from sync_platform.ledger.journal import IS_OPEN_REVIEW, LATE, PARKED, REVIEW
from sync_platform.ledger.links import (
    IS_ACTIVE,
    IS_AGAIN,
    IS_BARRED,
    IS_DIRTY,
    IS_OVER,
    IS_OWED,
    LINK,
    RECORD,
)
from sync_platform.ledger.outbox import INTENT, IS_OPEN, IS_PLANNED, IS_UNSETTLED
from sync_platform.ledger.placing import NOT_LOOKED_FOR


@dataclass(frozen=True, slots=True)
class Waiting:
    """Whether there are merges to follow, objects without a record, records to judge."""

    merges: bool
    objects: bool
    records: bool

    def __bool__(self) -> bool:
        """Whether there is anything to judge or to do before judging."""
        return self.merges or self.objects or self.records


@dataclass(frozen=True, slots=True)
class Owed:
    """Whether one system and entity has writes to settle, and writes that are planned (due or not)."""

    judge: Waiting
    settle: bool
    send: bool


@dataclass(frozen=True, slots=True)
class Marks:
    """Whether records have parked marks, answered reviews, items of holds or plans, payloads that may land late; and
    whether any hold is open for their entity."""

    parked: bool
    answered: bool
    held: bool
    late: bool
    holding: bool


def _any(of: FromClause, *where: ColumnElement[bool] | TextClause) -> ColumnElement[bool]:
    return sa_exists().select_from(of).where(*where)


_ENTITY: BindParameter[Any] = bindparam("entity")
_SYSTEM: BindParameter[Any] = bindparam("system")
_JUDGE = (
    _any(LINK, IS_AGAIN, LINK.c.entity == _ENTITY, IS_BARRED).label("merges"),
    or_(
        _any(
            LINK,
            LINK.c.record_id.is_(None),
            LINK.c.entity == _ENTITY,
            IS_ACTIVE,
            or_(LINK.c.detail == 0, LINK.c.awaits.is_(None)),
        ),
        _any(LINK, LINK.c.record_id.is_(None), LINK.c.entity == _ENTITY, IS_OVER, NOT_LOOKED_FOR),
    ).label("objects"),
    _any(RECORD, IS_DIRTY, RECORD.c.entity == _ENTITY).label("records"),
)
_OF_SYSTEM = (INTENT.c.system == _SYSTEM, INTENT.c.entity == _ENTITY)
_TO_JUDGE = select(*_JUDGE)
_OWED = select(
    *_JUDGE,
    _any(INTENT, IS_UNSETTLED, IS_OPEN, *_OF_SYSTEM).label("settle"),
    _any(INTENT, IS_PLANNED, IS_OPEN, *_OF_SYSTEM).label("send"),
)
_READS = select(
    or_(
        _any(LINK, IS_AGAIN, LINK.c.system == _SYSTEM, LINK.c.entity == _ENTITY),
        _any(LINK, IS_OWED, LINK.c.system == _SYSTEM, LINK.c.entity == _ENTITY, IS_ACTIVE),
    )
)


_RECORD: BindParameter[Any] = bindparam("record")
_MARKS = select(
    _any(PARKED, PARKED.c.record_id == _RECORD, PARKED.c.lifted_at.is_(None)),
    _any(REVIEW, REVIEW.c.record_id == _RECORD, IS_OPEN_REVIEW, REVIEW.c.answer.is_not(None)),
    _any(ITEM, ITEM.c.record_id == _RECORD),
    _any(LATE, LATE.c.link_id.in_(select(LINK.c.id).where(LINK.c.record_id == _RECORD))),
    _any(HOLD, HOLD.c.state == "open", HOLD.c.entity == _ENTITY),
)


def marks_of(conn: Connection, entity: Entity, record_ids: Sequence[str]) -> Marks:
    """What stands about these records; asked for one only, a batch looks for all of it anyway."""
    if len(record_ids) != 1:
        return Marks(parked=True, answered=True, held=True, late=True, holding=True)
    row = conn.execute(_MARKS, {"record": record_ids[0], "entity": entity}).one()
    return Marks(*map(bool, row))


def to_judge(conn: Connection, entity: Entity) -> Waiting:
    """What `judge_all` would find."""
    row = conn.execute(_TO_JUDGE, {"entity": entity}).one()
    return Waiting(bool(row[0]), bool(row[1]), bool(row[2]))


def owed(conn: Connection, system: System, entity: Entity) -> Owed:
    """What `push` would find."""
    row = conn.execute(_OWED, {"system": system, "entity": entity}).one()
    return Owed(Waiting(bool(row[0]), bool(row[1]), bool(row[2])), bool(row[3]), bool(row[4]))


def reads_owed(conn: Connection, system: System, entity: Entity) -> bool:
    """Whether any object is to be read by id."""
    return bool(conn.execute(_READS, {"system": system, "entity": entity}).scalar_one())
