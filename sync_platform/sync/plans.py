"""Plans: writes that a person approves or drops before anything is done about them; one mechanism for every source.

A plan is opened with items: record, system, verb, fields, the hashes of what each field holds and would hold, a reason.
An approval or a drop is an act in the ledger; the next cycle carries it out, and refuses every item whose field moved
since. What the brake holds answers to the same two words (`holds`). Nothing here keeps a value of a person.
"""

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from sync_platform.core.bounds import Work, terms
from sync_platform.core.records import NUMBER_MAX, SYSTEMS, System, Verb
from sync_platform.errors import Misconfigured, NotFound
from sync_platform.ledger import acts, holds
from sync_platform.ledger.database import Ledger
from sync_platform.ledger.tables import PlanRow
from sync_platform.settings import Settings
from sync_platform.sync.hub import Hub

PLAN = PlanRow.__table__  # type: ignore[attr-defined]
_APPROVED = (
    select(PLAN.c.id)
    .where(PLAN.c.state == holds.APPROVED, PLAN.c.carried_at.is_(None))
    .order_by(PLAN.c.closed_at, PLAN.c.id)
)
_OPEN_PLANS = select(PLAN).where(PLAN.c.state == "open", PLAN.c.source.in_(bindparam("b_sources", expanding=True)))
ITEMS_SHOWN = 1000
# The verb of an item that moves a link in the ledger: no call, and nothing written anywhere.
LINKS = "link"
# Calls a second that an ordinary account allows: Gorgias 40 in 20 s [doc], HubSpot 100 in 10 s [doc].
CALLS_PER_S = {System.GORGIAS: 2.0, System.HUBSPOT: 10.0, System.ERP: 50.0}


@dataclass(frozen=True, slots=True)
class Item:
    """One write of a plan. `pre` and `payload`: hash by field of what the system holds and of what it would be sent.

    `facts` is what the source needs to carry it out: numbers of decisions, ids; never a value of a person.
    """

    record: str
    entity: str
    system: str
    verb: str
    fields: tuple[str, ...]
    pre: Mapping[str, str] = field(default_factory=dict)
    payload: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def load(cls, raw: Mapping[str, Any]) -> Item:
        """The inverse of `asdict`."""
        return cls(**{**raw, "fields": tuple(raw["fields"])})


@dataclass(frozen=True, slots=True)
class Refusal:
    """An item of an approved plan that was not carried out, and why."""

    record: str
    field: str
    reason: str


# Carries out items of an approved plan inside the caller's transaction; gives what it refused.
Carrier = Callable[[Hub, Connection, str, Sequence[Item]], Sequence[Refusal]]
CARRIERS: dict[str, Carrier] = {}


# --- opening ----------------------------------------------------------------------------------------------------


def open_plan(
    conn: Connection,
    *,
    source: str,
    items: Sequence[Item],
    reason: str,
    policy: str,
    at: datetime,
    skipped: Sequence[Refusal] = (),
    name: str | None = None,
) -> dict[str, Any]:
    """Keep a plan for a person, and give it as commands show it. Its source must have a carrier."""
    if source not in CARRIERS:
        raise ValueError(f"nobody carries out plans of {source}")
    counts: Counter[tuple[str, str, str]] = Counter()
    for item in items:
        counts.update((item.system, item.verb, name) for name in item.fields)
    calls, seconds = estimate(items)
    body = {
        "plan": name or uuid.uuid4().hex,
        "source": source,
        "reason": reason,
        "would_write": sum(item.verb != LINKS for item in items),
        "calls": calls,
        "seconds_estimated": seconds,
        "counts": [{"system": s, "verb": v, "field": f, "count": n} for (s, v, f), n in sorted(counts.items())],
        "skipped": [asdict(one) for one in skipped],
    }
    row = {
        "id": body["plan"],
        "source": source,
        "state": "open" if items else "empty",
        "summary": body,
        "items": [asdict(item) for item in items],
        "policy": policy,
        "at": at,
    }
    conn.execute(insert(PLAN), [row])
    return _given(body, items)


def standing(conn: Connection, source: str, reason: str, policy: str, items: Sequence[Item]) -> dict[str, Any] | None:
    """The open plan that would do exactly these items for this reason, as `open_plan` gave it; None without one."""
    wanted = json.loads(json.dumps([asdict(item) for item in items]))
    same = select(PLAN.c.summary, PLAN.c["items"]).where(
        PLAN.c.source == source, PLAN.c.state == "open", PLAN.c.policy == policy
    )
    for row in conn.execute(same.order_by(PLAN.c.at, PLAN.c.id)):
        if row.summary["reason"] == reason and row.items == wanted:
            return _given(row.summary, items)
    return None


def _given(body: dict[str, Any], items: Sequence[Item]) -> dict[str, Any]:
    shown = [_shown(item) for item in items[:ITEMS_SHOWN]]
    return body | {"items": shown, "items_truncated": len(items) > len(shown)}


def _shown(item: Item) -> dict[str, Any]:
    return {
        "record": item.record,
        "system": item.system,
        "verb": item.verb,
        "fields": list(item.fields),
        "reason": item.reason,
    }


def estimate(items: Sequence[Item]) -> tuple[dict[str, int], int]:
    """Calls by system, and seconds at an ordinary account's limits."""
    kinds: dict[str, dict[str, dict[str, int]]] = {str(s): {"create": {}, "update": {}} for s in SYSTEMS}
    for item in (one for one in items if one.verb != LINKS):
        of = kinds[item.system]["create" if item.verb == Verb.CREATE else "update"]
        of[item.entity] = of.get(item.entity, 0) + 1
    calls = {
        str(s): sum(terms(s, Work(creates=kinds[s]["create"], updates=kinds[s]["update"])).values()) for s in SYSTEMS
    }
    return calls, round(max(calls[str(s)] / CALLS_PER_S[s] for s in SYSTEMS))


def waiting(conn: Connection) -> list[dict[str, Any]]:
    """Plans that wait for a person."""
    rows = conn.execute(_OPEN_PLANS, {"b_sources": sorted(CARRIERS)})
    ordered = sorted(rows, key=lambda row: (row.at, row.id))
    return [
        {
            "plan": row.id,
            "source": row.source,
            "would_write": row.summary["would_write"],
            "reason": row.summary["reason"],
        }
        for row in ordered
    ]


def waiting_lines(found: Mapping[str, Any]) -> list[str]:
    """What waits for a person, one line each, with the way to answer; `found` has `held` and `plans`."""
    lines = []
    for one in found.get("held", ()):
        what = "every field" if one["field"] == holds.WHOLE else one["field"]
        side = "from" if one["stage"] == holds.CLAIMS else "to"
        lines.append(
            f"held: {one['count']} × {one['entity']} {what} {one['verb']} {side} {one['system']}"
            f" — `sync-platform approve {one['hold']}` or `drop {one['hold']}`"
        )
    lines += [
        f"plan: {one['reason']}, {one['would_write']} writes"
        f" — `sync-platform approve {one['plan']}` or `drop {one['plan']}`"
        for one in found.get("plans", ())
    ]
    return lines


# --- a person's word --------------------------------------------------------------------------------------------


NOT_IN_FORCE = "this plan is that of a policy which is not in force"
PUT_IN_FORCE = "Set SYNC_POLICY to its file first, for this command and for the cycles; then approve."


@contextmanager
def _ledger(settings: Settings) -> Iterator[Ledger]:
    ledger = Ledger.open(settings.ledger_url, migrate=False)
    try:
        yield ledger
    finally:
        ledger.close()


def approve(settings: Settings, what: str, *, who: str, why: str | None = None) -> dict[str, Any]:
    """Approve an open hold (its number) or plan (its id). Raises NotFound when nothing open has that name, and
    Misconfigured for the plan of a policy that is not in force: every item would be refused, and the plan be gone."""
    with _ledger(settings) as ledger, ledger.begin() as conn:
        _in_force(settings, conn, what)
        return answer(conn, what, holds.APPROVED, who=who, why=why, at=ledger.now(conn))


def drop(settings: Settings, what: str, *, who: str, why: str | None = None) -> dict[str, Any]:
    """Drop an open hold or plan: a plan is forgotten, what a hold names is left apart. Raises NotFound."""
    with _ledger(settings) as ledger, ledger.begin() as conn:
        return answer(conn, what, holds.DROPPED, who=who, why=why, at=ledger.now(conn))


def answer(conn: Connection, what: str, word: str, *, who: str, why: str | None, at: datetime) -> dict[str, Any]:
    """Record a person's word, approved or dropped; the next cycle carries it out. Needs no lease."""
    verb = "approve" if word == holds.APPROVED else "drop"
    if what.isdecimal():
        count = holds.close_hold(conn, int(what), word, at) if int(what) <= NUMBER_MAX else 0
        if not count:
            raise _unknown()
        acts.add(conn, verb, f"hold:{what}", who=who, why=why, at=at)
        return {"hold": int(what), "state": word, "items": count}
    row = conn.execute(select(PLAN).where(PLAN.c.id == what, PLAN.c.state == "open")).first()
    if row is None:
        raise _unknown()
    if row.source not in CARRIERS:
        raise NotFound("this is a preview", remedy="`sync-platform sync` does what a preview shows.")
    conn.execute(update(PLAN).where(PLAN.c.id == what).values(state=word, closed_at=at))
    acts.add(conn, verb, f"plan:{what}", who=who, why=why, at=at)
    return {"plan": what, "state": word, "items": len(row.items or ())}


def _in_force(settings: Settings, conn: Connection, what: str) -> None:
    from sync_platform.sync.cycle import load_policy

    if awaits_policy(conn, what, lambda: load_policy(settings).hash):
        raise Misconfigured(NOT_IN_FORCE, remedy=PUT_IN_FORCE)


def awaits_policy(conn: Connection, what: str, in_force: Callable[[], str]) -> bool:
    """Whether this is the open plan of a policy that is not in force: a cycle would refuse every item of it."""
    asked = select(PLAN.c.policy).where(PLAN.c.id == what, PLAN.c.state == "open", PLAN.c.source == "policy")
    planned = conn.execute(asked).scalar_one_or_none()
    return planned is not None and planned != in_force()


def _unknown() -> NotFound:
    return NotFound("no open plan or hold has this name", remedy="`sync-platform plan` lists what waits.")


def pause(settings: Settings, *, who: str, why: str | None = None) -> dict[str, Any]:
    """A running slice ends after what it is at; no cycle does anything until `resume`."""
    return _switch(settings, "pause", who=who, why=why)


def resume(settings: Settings, *, who: str, why: str | None = None) -> dict[str, Any]:
    """Cycles go on where they stopped."""
    return _switch(settings, "resume", who=who, why=why)


def _switch(settings: Settings, verb: str, *, who: str, why: str | None) -> dict[str, Any]:
    with _ledger(settings) as ledger, ledger.begin() as conn:
        return switch(conn, verb, who=who, why=why, at=ledger.now(conn))


def switch(conn: Connection, verb: str, *, who: str, why: str | None, at: datetime) -> dict[str, Any]:
    """Pause or resume, in the caller's transaction."""
    changed = (acts.paused(conn) is None) == (verb == "pause")
    if changed:
        acts.add(conn, verb, "cycles", who=who, why=why, at=at)
    return {"paused": verb == "pause", "changed": changed}


# --- carrying out -----------------------------------------------------------------------------------------------


def approved(conn: Connection) -> list[str]:
    """Plans that a person approved and no cycle has carried out yet, oldest word first."""
    return [row.id for row in conn.execute(_APPROVED)]


def carry_out(hub: Hub) -> int:
    """Carry out what was approved, each plan in one transaction. Gives how many items were refused."""
    with hub.ledger.read() as conn:
        due = approved(conn)
    refused = 0
    for plan in due:
        with hub.ledger.begin() as conn:
            row = conn.execute(select(PLAN).where(PLAN.c.id == plan)).one()
            items = [Item.load(raw) for raw in row.items or ()]
            refusals = CARRIERS[row.source](hub, conn, plan, items)
            refused += len(refusals)
            summary = {**(row.summary or {}), "refused": [asdict(one) for one in refusals]}
            values = {"state": "done", "carried_at": hub.now(), "summary": summary}
            conn.execute(update(PLAN).where(PLAN.c.id == plan).values(values))
    return refused
