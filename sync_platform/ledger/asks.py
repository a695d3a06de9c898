"""What waits for a person, and what the person said: reviews, parked marks, acts, records told apart."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import BindParameter, Connection, bindparam, delete, insert, or_, select, update
from sqlalchemy import Table as SaTable

from sync_platform.core.answers import APART, Answer
from sync_platform.core.records import Entity
from sync_platform.ledger.database import ForIds, in_chunks, insert_for
from sync_platform.ledger.journal import CHUNK, IS_OPEN_REVIEW, PARKED, REVIEW
from sync_platform.ledger.tables import PersonActRow, ToldApartRow

ACT: SaTable = PersonActRow.__table__  # type: ignore[attr-defined]
TOLD_APART: SaTable = ToldApartRow.__table__  # type: ignore[attr-defined]
IDENTITY = ("twin", "ambiguous")
# Statements are built once: building one, and the key under which its text is kept, costs more than running it.
_ANSWERED = select(REVIEW.c.record_id).where(
    IS_OPEN_REVIEW, REVIEW.c.entity == bindparam("b_entity"), REVIEW.c.answer.is_not(None)
)
_IDENTITY_ANSWERED = select(REVIEW).where(
    IS_OPEN_REVIEW,
    REVIEW.c.kind != "field",
    REVIEW.c.entity == bindparam("b_entity"),
    REVIEW.c.answer.is_not(None),
)
_ANSWERS_OF = ForIds(
    REVIEW.c.record_id,
    lambda given: select(REVIEW.c.record_id, REVIEW.c.field, REVIEW.c.answer).where(
        given, IS_OPEN_REVIEW, REVIEW.c.kind == "field", REVIEW.c.answer.is_not(None)
    ),
)
_RETRIES = select(PARKED).where(
    PARKED.c.entity == bindparam("b_entity"), PARKED.c.retry_at.is_not(None), PARKED.c.lifted_at.is_(None)
)
_IDENTITY_OF = ForIds(
    REVIEW.c.record_id, lambda given: select(REVIEW).where(IS_OPEN_REVIEW, REVIEW.c.kind.in_(IDENTITY), given)
)
_ASKED_FOR = select(or_(_ANSWERED.exists(), _RETRIES.exists()))
_ADD_ACT = insert(ACT)
_OPEN_REVIEWS = (
    select(REVIEW)
    .where(IS_OPEN_REVIEW, REVIEW.c.id > bindparam("b_after"))
    .order_by(REVIEW.c.id)
    .limit(bindparam("b_limit"))
)
_REVIEW = select(REVIEW).where(REVIEW.c.id == bindparam("b_id"))
_ANSWER = update(REVIEW).where(REVIEW.c.id == bindparam("b_id")).values(answer=bindparam("b_answer"))
_IDS: BindParameter[Any] = bindparam("b_ids", expanding=True)
_TOLD_APART = select(TOLD_APART.c.one, TOLD_APART.c.other).where(
    or_(TOLD_APART.c.one.in_(_IDS), TOLD_APART.c.other.in_(_IDS))
)
_WANTED_AGAIN = select(PARKED.c.id).where(PARKED.c.retry_at.is_not(None), PARKED.c.lifted_at.is_(None)).limit(1)


def add_act(conn: Connection, verb: str, subject: str, *, who: str, why: str | None, at: datetime) -> None:
    """Keep what a person did; `subject` names ids and never a value."""
    conn.execute(_ADD_ACT, [{"verb": verb, "subject": subject, "who": who, "why": why, "at": at}])


# --- reviews ----------------------------------------------------------------------------------------------------


def open_reviews(conn: Connection, after: int = 0, limit: int = 1000) -> list[Any]:
    """Reviews that wait, oldest first."""
    return list(conn.execute(_OPEN_REVIEWS, {"b_after": after, "b_limit": limit}))


def review(conn: Connection, number: int) -> Any | None:
    """One review, open or not."""
    return conn.execute(_REVIEW, {"b_id": number}).first()


def answer(conn: Connection, number: int, said: Answer) -> None:
    """Keep what a person answered; the next cycle takes it up."""
    conn.execute(_ANSWER, {"b_id": number, "b_answer": said.dump()})


def answered(conn: Connection, entity: Entity) -> list[str]:
    """Records of which a review was answered and not taken up yet."""
    return [row.record_id for row in conn.execute(_ANSWERED, {"b_entity": entity}) if row.record_id]


def asked_for(conn: Connection, entity: Entity) -> bool:
    """Whether a review was answered, or a mark is to be tried again, and a cycle has not taken it up yet."""
    return bool(conn.execute(_ASKED_FOR, {"b_entity": entity}).scalar_one())


def told_two(conn: Connection, entity: Entity) -> list[Any]:
    """Questions of identity to which a person answered that the records are not one, not taken up yet."""
    rows = conn.execute(_IDENTITY_ANSWERED, {"b_entity": entity})
    return [row for row in rows if row.answer["kind"] == APART]


def answers_of(conn: Connection, record_ids: Sequence[str]) -> dict[str, dict[str, Answer]]:
    """Answers that were not taken up yet: record → field → answer."""
    out: dict[str, dict[str, Answer]] = {}
    for chunk in in_chunks(record_ids, CHUNK):
        for row in _ANSWERS_OF(conn, chunk):
            out.setdefault(row.record_id, {})[row.field] = Answer.load(row.answer)
    return out


def ask_again(conn: Connection, record_id: str, fields: Iterable[str]) -> None:
    """The claims moved since the answer: it is void, and the question stands."""
    for field in fields:
        conn.execute(
            update(REVIEW)
            .where(REVIEW.c.record_id == record_id, REVIEW.c.field == field, REVIEW.c.state == "open")
            .values(answer=None, asked=REVIEW.c.asked + 1)
        )


def identity_reviews(conn: Connection, record_ids: Sequence[str]) -> list[Any]:
    """Open questions of identity about these records."""
    return [row for chunk in in_chunks(record_ids, CHUNK) for row in _IDENTITY_OF(conn, chunk)]


def end_review(conn: Connection, number: int, claims: Sequence[Any], state: str, at: datetime) -> None:
    """Leave only these claims in a question of identity; with none it is closed."""
    values: dict[str, Any] = {"claims": list(claims)} if claims else {"state": state, "closed_at": at}
    conn.execute(update(REVIEW).where(REVIEW.c.id == number).values(values))


# --- parked marks -----------------------------------------------------------------------------------------------


def parked(conn: Connection, limit: int = 1000) -> list[Any]:
    """Marks that wait for a person, oldest first."""
    statement = select(PARKED).where(PARKED.c.lifted_at.is_(None), PARKED.c.dropped_at.is_(None))
    return list(conn.execute(statement.order_by(PARKED.c.id).limit(limit)))


def parked_mark(conn: Connection, number: int) -> Any | None:
    """One mark, open or not."""
    return conn.execute(select(PARKED).where(PARKED.c.id == number)).first()


def mark_parked(conn: Connection, number: int, **at: datetime) -> None:
    """Say `retry_at` or `dropped_at` of a mark."""
    conn.execute(update(PARKED).where(PARKED.c.id == number).values(at))


def retries(conn: Connection, entity: Entity) -> list[Any]:
    """Marks that a person wants tried again."""
    return list(conn.execute(_RETRIES, {"b_entity": entity}))


def wanted_again(conn: Connection) -> bool:
    """Whether a person wants anything tried again that no cycle has taken up."""
    return conn.execute(_WANTED_AGAIN).first() is not None


def lift_marks(conn: Connection, numbers: Sequence[int], at: datetime) -> None:
    """These marks are history: what they stand for is tried again."""
    for chunk in in_chunks(numbers, CHUNK):
        conn.execute(update(PARKED).where(PARKED.c.id.in_(chunk)).values(lifted_at=at))


# --- identity ---------------------------------------------------------------------------------------------------


def tell_apart(conn: Connection, one: str, other: str, at: datetime) -> None:
    """These two records are two."""
    pair = {"one": min(one, other), "other": max(one, other), "at": at}
    conn.execute(insert_for(conn, TOLD_APART).on_conflict_do_nothing(), [pair])


def take_back(conn: Connection, one: str, other: str) -> None:
    """Whether these two records are two is open again."""
    conn.execute(delete(TOLD_APART).where(TOLD_APART.c.one == min(one, other), TOLD_APART.c.other == max(one, other)))


def told_apart(conn: Connection, record_ids: Iterable[str]) -> dict[str, set[str]]:
    """For each of these records those that a person told apart from it."""
    out: dict[str, set[str]] = {}
    for chunk in in_chunks(sorted(set(record_ids)), CHUNK):
        for one, other in conn.execute(_TOLD_APART, {"b_ids": chunk}):
            out.setdefault(one, set()).add(other)
            out.setdefault(other, set()).add(one)
    return out
