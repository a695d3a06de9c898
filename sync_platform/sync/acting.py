"""Acts upon a page: a person answers what was shown, and nothing else.

A page carries a token of what it showed. Where something moved meanwhile, or somebody else was quicker, nothing is done
and the page says so. The acts themselves are those of the command line; who, why and when are kept with each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, func, or_, select

from sync_platform.core.records import payload_hash
from sync_platform.errors import Rejected
from sync_platform.ledger.acts import ACT
from sync_platform.ledger.holds import APPROVED, HELD, HOLD
from sync_platform.ledger.holds import ITEM as HELD_ITEM
from sync_platform.ledger.journal import PARKED, REVIEW
from sync_platform.sync import desk, merge_plan, plans
from sync_platform.sync.cycle import utc
from sync_platform.sync.hub import Hub

ACTS_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Act:
    """What somebody did: `verb` to `subject`, when and why."""

    number: int
    verb: str
    subject: str
    who: str
    why: str | None
    at: str | None


@dataclass(frozen=True, slots=True)
class Overtaken:
    """Nothing was done: what the page showed is not so any more. `acts` are what people did to it since, newest first;
    without any it was the systems that moved."""

    subject: str
    acts: tuple[Act, ...]


@dataclass(frozen=True, slots=True)
class Word:
    """A person's word: what the page had shown (`seen`), who says it, and why."""

    seen: str
    who: str
    why: str


# --- what people did --------------------------------------------------------------------------------------------


def acts_on(conn: Connection, subject: str, after: int = 0) -> tuple[Act, ...]:
    """What was done to a review, a mark, a hold or a plan (`review:3`), newest first, at most twenty acts."""
    named = or_(ACT.c.subject == subject, ACT.c.subject.like(f"{subject} %"), ACT.c.subject.like(f"% {subject}"))
    rows = conn.execute(select(ACT).where(named, ACT.c.id > after).order_by(ACT.c.id.desc()).limit(ACTS_SHOWN))
    return tuple(_act(row) for row in rows)


def every_act(conn: Connection, before: int | None = None, limit: int = 50) -> list[Act]:
    """All that people did, newest first; `before`: the number of the last one of the page before."""
    rows = select(ACT).order_by(ACT.c.id.desc()).limit(limit)
    return [_act(row) for row in conn.execute(rows if before is None else rows.where(ACT.c.id < before))]


def _act(row: Any) -> Act:
    return Act(int(row.id), row.verb, row.subject, row.who, row.why, utc(row.at))


def merge_plans(conn: Connection, number: int) -> list[dict[str, Any]]:
    """Open plans that answer a question of identity: {plan, from, into}, at most twenty."""
    plan = plans.PLAN.c
    rows = conn.execute(
        select(plan.id, plan["items"])
        .where(plan.state == "open", plan.source == merge_plan.SOURCE)
        .order_by(plan.at.desc())
        .limit(ACTS_SHOWN)
    )
    found: list[dict[str, Any]] = []
    for plan_id, items in rows:
        item = next((one for one in items or () if one["verb"] == plans.LINKS), None)
        if item is not None and item["facts"]["review"] == number:
            found.append({"plan": plan_id, "from": item["facts"]["from"], "into": item["record"]})
    return found


# --- what was shown ---------------------------------------------------------------------------------------------


def review_seen(conn: Connection, number: int, *, lock: bool = False) -> str:
    """The token of a review as it is now: its claims, its answer, what was done to it."""
    row = _row(conn, REVIEW, number, lock=lock)
    shown = [] if row is None else [row.state, row.claims, row.answer, row.asked]
    return _token(conn, f"review:{number}", shown)


def mark_seen(conn: Connection, number: int, *, lock: bool = False) -> str:
    """The token of a parked mark as it is now."""
    row = _row(conn, PARKED, number, lock=lock)
    shown = [] if row is None else [row.hash, utc(row.retry_at), utc(row.dropped_at), utc(row.lifted_at)]
    return _token(conn, f"parked:{number}", shown)


def hold_seen(conn: Connection, number: int, *, lock: bool = False) -> str:
    """The token of a hold as it is now: what is held under it, whatever the order."""
    row = _row(conn, HOLD, number, lock=lock)
    held = select(func.count(), func.max(HELD_ITEM.c.id), func.sum(HELD_ITEM.c.id))
    found = conn.execute(held.where(HELD_ITEM.c.hold_id == number, HELD_ITEM.c.state == HELD)).one()
    return _token(conn, f"hold:{number}", [None if row is None else row.state, *(int(one or 0) for one in found)])


def plan_seen(conn: Connection, plan: str, *, lock: bool = False) -> str:
    """The token of a plan as it is now; its items never change."""
    asked = select(plans.PLAN.c.state).where(plans.PLAN.c.id == plan)
    state = conn.execute(asked.with_for_update() if lock else asked).scalar_one_or_none()
    return _token(conn, f"plan:{plan}", [state])


def _row(conn: Connection, table: Table, number: int, *, lock: bool) -> Any:
    asked = select(table).where(table.c.id == number)
    return conn.execute(asked.with_for_update() if lock else asked).first()


def _token(conn: Connection, subject: str, shown: list[Any]) -> str:
    last = conn.execute(select(func.max(ACT.c.id)).where(ACT.c.subject == subject)).scalar()
    return f"{last or 0}-{payload_hash(shown)[:16]}"


# --- acting -----------------------------------------------------------------------------------------------------


def answer_review(
    hub: Hub, number: int, word: Word, *, choose: str | None = None, value: str | None = None, drop: bool = False
) -> Mapping[str, Any] | Overtaken:
    """Answer the review of a field. Raises NotFound, BadInput and Rejected."""
    how = {"choose": choose, "value": value, "drop": drop}

    def act(conn: Connection) -> Mapping[str, Any]:
        return desk.resolve_in(hub, conn, number, **how, who=word.who, why=word.why)  # type: ignore[arg-type]

    return _done(hub, f"review:{number}", word, lambda conn: review_seen(conn, number, lock=True), act)


def tell_apart(hub: Hub, number: int, word: Word) -> Mapping[str, Any] | Overtaken:
    """Say that the records of a question of identity are not one. Raises NotFound, BadInput and Rejected."""

    def act(conn: Connection) -> Mapping[str, Any]:
        return desk.tell_apart_in(hub, conn, number, who=word.who, why=word.why)

    return _done(hub, f"review:{number}", word, lambda conn: review_seen(conn, number, lock=True), act)


def draft_merge(hub: Hub, number: int, word: Word, *, one: str, into: str) -> Mapping[str, Any] | Overtaken:
    """Draw up the plan that makes two candidates of a question of identity one. Raises as `merge_plan.draft`.

    Where the same plan waits already it is that one.
    """

    def act(conn: Connection) -> Mapping[str, Any]:
        for found in merge_plans(conn, number):
            if (found["from"], found["into"]) == (one, into):
                return found
        return merge_plan.draft_in(hub, conn, one, into, review=number, who=word.who, why=word.why)

    return _done(hub, f"review:{number}", word, lambda conn: review_seen(conn, number, lock=True), act)


def act_on_mark(hub: Hub, number: int, verb: str, word: Word) -> Mapping[str, Any] | Overtaken:
    """`retry` or `drop` a parked mark. Raises NotFound and Rejected."""

    def act(conn: Connection) -> Mapping[str, Any]:
        return desk.act_in(hub, conn, number, verb, who=word.who, why=word.why)

    return _done(hub, f"parked:{number}", word, lambda conn: mark_seen(conn, number, lock=True), act)


def answer_plan(hub: Hub, what: str, state: str, word: Word) -> Mapping[str, Any] | Overtaken:
    """Approve or drop (`holds.APPROVED`, `holds.DROPPED`) a hold, by its number, or a plan. Raises NotFound, and
    Rejected for an approval of the plan of a policy that is not in force.
    """

    def act(conn: Connection) -> Mapping[str, Any]:
        if state == APPROVED and plans.awaits_policy(conn, what, lambda: hub.policy.hash):
            raise Rejected(plans.NOT_IN_FORCE, remedy=plans.PUT_IN_FORCE)
        return plans.answer(conn, what, state, who=word.who, why=word.why, at=hub.ledger.now(conn))

    if what.isdecimal():
        return _done(hub, f"hold:{what}", word, lambda conn: hold_seen(conn, int(what), lock=True), act)
    return _done(hub, f"plan:{what}", word, lambda conn: plan_seen(conn, what, lock=True), act)


def switch(hub: Hub, verb: str, *, who: str, why: str) -> Mapping[str, Any]:
    """`pause` or `resume` all cycles; saying it twice changes nothing."""
    with hub.ledger.begin() as conn:
        at: datetime = hub.ledger.now(conn)
        return plans.switch(conn, verb, who=who, why=why, at=at)


def _done(
    hub: Hub,
    subject: str,
    word: Word,
    seen: Callable[[Connection], str],
    act: Callable[[Connection], Mapping[str, Any]],
) -> Mapping[str, Any] | Overtaken:
    with hub.ledger.begin() as conn:
        if seen(conn) != word.seen:
            known = word.seen.partition("-")[0][:15]
            return Overtaken(subject, acts_on(conn, subject, int(known) if known.isdecimal() else 0))
        return act(conn)
