"""Plan: what a cycle would write, said in words and numbers, without writing and without judging.

Facts are committed (what the systems showed, cursors, dirty marks); identities, decisions and intents are worked out
in a transaction that is rolled back.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, func, insert, select

from sync_platform.core.bounds import Work, terms
from sync_platform.core.records import ENTITIES, SYSTEMS, Entity, System
from sync_platform.ledger import holds, links
from sync_platform.ledger.database import Ledger
from sync_platform.ledger.journal import REVIEW
from sync_platform.ledger.lease import Lease
from sync_platform.ledger.outbox import INTENT
from sync_platform.ledger.tables import PlanRow
from sync_platform.settings import Settings
from sync_platform.sync import brake, order, plans, pull, reconcile
from sync_platform.sync.cycle import open_hub
from sync_platform.sync.hub import Hub, Progress, Step
from sync_platform.sync.plans import CALLS_PER_S

PLAN = PlanRow.__table__  # type: ignore[attr-defined]
ITEMS_MAX = 1000


@dataclass(slots=True)
class _Rehearsal:
    """A ledger whose transactions all happen inside one that never commits."""

    conn: Connection
    ledger: Ledger

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """The one transaction."""
        yield self.conn

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """The one transaction."""
        yield self.conn

    def __getattr__(self, name: str) -> Any:
        return getattr(self.ledger, name)


class _Undo(Exception):
    """Rolls the rehearsal back."""


def plan(
    settings: Settings, only: Sequence[str] = (), progress: Callable[[Progress], None] | None = None
) -> dict[str, Any]:
    """The `plan` object of the commands. Raises the Halt family."""
    ledger = Ledger.open(settings.ledger_url, migrate=False)
    try:
        run = f"plan-{uuid.uuid4().hex[:24]}"
        with (
            Lease.take(ledger, run, wait_s=5.0),
            open_hub(settings, run=run, only=only, progress=progress, ledger=ledger) as hub,
        ):
            hub.heeds_pause = False
            for entity in ENTITIES:
                for system in SYSTEMS:
                    _observe(hub, system, entity)
            body = rehearse(hub)
            with ledger.begin() as conn:
                conn.execute(
                    insert(PLAN),
                    [
                        {
                            "id": body["plan"],
                            "source": "preview",
                            "summary": {k: body[k] for k in ("would_write", "calls", "counts", "linked", "ambiguous")},
                            "items": body["items"],
                            "policy": hub.policy.hash,
                            "at": hub.now(),
                        }
                    ],
                )
            return body
    finally:
        ledger.close()


def _observe(hub: Hub, system: System, entity: Any) -> None:
    """Facts only: what would be overtaken stays as it is until a cycle judges it."""
    step = pull.pull(hub, system, entity, None)
    while not step.complete and not step.trouble and not hub.over():
        step = pull.pull(hub, system, entity, None)


def rehearse(hub: Hub) -> dict[str, Any]:
    """Judge and plan everything that is dirty in a transaction that is rolled back."""
    body: dict[str, Any] = {}
    try:
        with hub.ledger.begin() as conn:
            stage = replace(hub, ledger=_Rehearsal(conn, hub.ledger), walks=[], work={}, rehearsal=True)  # type: ignore[arg-type]
            step = Step("plan")
            for entity in (*ENTITIES, *ENTITIES):
                if entity is Entity.TICKET:
                    links.mark_dirty_children(conn, _customers_to_come(conn))
                reconcile.judge_all(stage, entity, step)
            for system, entity in ((system, entity) for entity in ENTITIES for system in SYSTEMS):
                if brake.watch_writes(stage, system, entity):
                    reconcile.judge_all(stage, entity, step)
            body = _told(stage, conn)
            raise _Undo  # noqa: TRY301 - the way out of a transaction that must not commit
    except _Undo:
        pass
    return body


def _customers_to_come(conn: Connection) -> list[str]:
    """Customers with a planned create: their tickets can follow them."""
    rows = conn.execute(
        select(INTENT.c.record_id).where(
            INTENT.c.state == "planned", INTENT.c.verb == "create", INTENT.c.entity == str(Entity.CUSTOMER)
        )
    )
    return [row.record_id for row in rows]


def _told(hub: Hub, conn: Connection) -> dict[str, Any]:
    rows = conn.execute(
        select(INTENT.c.record_id, INTENT.c.system, INTENT.c.entity, INTENT.c.verb, INTENT.c.payload)
        .where(INTENT.c.state == "planned")
        .order_by(INTENT.c.id)
    ).all()
    counts = {str(s): {"create": 0, "update": 0, "delete": 0} for s in SYSTEMS}
    creates: dict[str, dict[str, int]] = {str(s): {} for s in SYSTEMS}
    updates: dict[str, dict[str, int]] = {str(s): {} for s in SYSTEMS}
    fields: dict[tuple[str, str], int] = {}
    items: list[dict[str, Any]] = []
    for row in rows:
        counts[row.system][row.verb] += 1
        target = creates if row.verb == "create" else updates
        target[row.system][row.entity] = target[row.system].get(row.entity, 0) + 1
        names = sorted((row.payload or {}).get("values", {}))
        for name in names:
            fields[(row.system, name)] = fields.get((row.system, name), 0) + 1
        if len(items) < ITEMS_MAX:
            items.append({"record": row.record_id, "system": row.system, "verb": row.verb, "fields": names})
    calls = {str(s): sum(terms(s, Work(creates=creates[str(s)], updates=updates[str(s)])).values()) for s in SYSTEMS}
    ambiguous = conn.execute(
        select(func.count()).select_from(REVIEW).where(REVIEW.c.state == "open", REVIEW.c.kind != "field")
    ).scalar_one()
    linked = conn.execute(
        select(func.count())
        .select_from(links.LINK)
        .where(links.LINK.c.record_id.is_not(None), links.LINK.c.state == "active")
    ).scalar_one()
    return {
        "plan": uuid.uuid4().hex,
        "would_write": len(rows),
        "calls": calls,
        "seconds_estimated": round(max(calls[str(s)] / CALLS_PER_S[s] for s in SYSTEMS)),
        "counts": counts,
        "items": items,
        "items_truncated": len(rows) > len(items),
        "linked": int(linked),
        "ambiguous": int(ambiguous),
        "mails": _mails(hub, rows),
        "held": holds.listed(conn),
        "plans": plans.waiting(conn),
        "fields": [{"system": s, "field": f, "count": n} for (s, f), n in sorted(fields.items())],
        "details_unread": sum(links.count_details(conn, s, e) for s, e in order.DETAILED),
    }


def _mails(hub: Hub, rows: Sequence[Any]) -> int:
    """Mails to customers that the plan would cause: none by ourselves; a close in Gorgias may make it send a survey."""
    closes = sum(
        1
        for row in rows
        if row.system == System.GORGIAS
        and row.verb == "update"
        and (row.payload or {}).get("values", {}).get("status") == "closed"
    )
    if not closes:
        return 0
    return closes if hub.connectors[System.GORGIAS].account().facts.get("surveys") else 0


def words(plan: Mapping[str, Any]) -> str:
    """The plan in one paragraph that a person reads before the first write."""
    parts = [f"{plan['linked']} objects linked"]
    for system, verbs in plan["counts"].items():
        name = {"gorgias": "Gorgias", "hubspot": "HubSpot", "erp": "the ERP"}[system]
        for verb, word in (("create", "created"), ("update", "changed"), ("delete", "deleted")):
            if verbs[verb]:
                parts.append(f"{verbs[verb]} {word} in {name}")
    parts.append(f"{plan['ambiguous']} ambiguous")
    if plan["would_write"]:
        minutes = max(1, round(plan["seconds_estimated"] / 60))
        parts += [f"{plan['mails']} mails", f"about {minutes} minute{'s' if minutes != 1 else ''}"]
    said = "nothing written yet" if plan["would_write"] else "nothing to write"
    return "\n".join([f"{', '.join(parts)}; {said}", *plans.waiting_lines(plan)])
