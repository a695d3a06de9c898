"""Draining the inbox: webhook deliveries become observations where they are complete, else reads by id.

A delivery is a hint. Gorgias sends whole tickets: these are taken as any row is, by the order rules of all
observations. Everything else names objects to look at, unless the link shows that the news is known or older than
what is known (most are echoes of our own writes). A delivery is drained when what it named is stored or was read.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection

from sync_platform.core.records import ENTITIES, SYSTEMS, Channel, Entity, Json, Lane, Link, LinkState, Row, System
from sync_platform.errors import BadInput, SyncError
from sync_platform.ledger import accounts, inbox, links
from sync_platform.sync import order, pull, push, reconcile
from sync_platform.sync.hub import Hub, Step, touches

if TYPE_CHECKING:
    from sync_platform.sync.cycle import Cycle

Told = list[tuple[int, Json]]
BATCH = 200
LOOK_EVERY_S = 0.1
STAY_S = 20.0
_ENDS = frozenset(("deletion", "privacyDeletion"))
_TURNS = frozenset(("merge", "restore"))
_TEXTS = ("subject", "status", "priority", "channel", "external_id")


@dataclass(slots=True)
class _Batch:
    """What some deliveries say: rows to take, ids to look at, and which of the deliveries speak of each id."""

    numbers: list[int] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    hints: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)


def deliveries(conn: Connection, system: System, entity: Entity, after: int = 0) -> Told:
    """The next deliveries about one entity of a system: (number, body)."""
    return inbox.waiting(conn, system, entity, BATCH, after)


def drain(hub: Hub, system: System, entity: Entity, judge: pull.Judge, step: Step, found: Told | None = None) -> None:
    """Everything that waits in the inbox about one entity of a system; counts `delivered`, `hinted`.

    `found` is what `deliveries` gave, where the caller has asked just now.
    What a system's trouble keeps from being read stays in the inbox. Raises as reads do.
    """
    after = 0
    while not hub.paused():
        if found is None:
            with hub.ledger.read() as conn:
                found = deliveries(conn, system, entity, after)
        if not found:
            return
        after = found[-1][0]
        batch = _sorted_out(hub, system, entity, found)
        with hub.ledger.begin() as conn:
            taken = pull.take(hub, conn, system, batch.rows, judge) if batch.rows else None
            known = links.links_by_external(conn, system, entity, sorted({one for one, _ in batch.hints}))
        if taken is not None:
            step.count("observed", taken.observed)
        unknown = list(dict.fromkeys(one for one, told in batch.hints if _is_news(hub, known.get(one), told, entity)))
        if unknown:
            hub.did(system, f"fenced:{entity}", len(unknown))
            step.count("hinted", pull.fetch(hub, system, entity, unknown, judge, lane=Lane.DELTA))
        with hub.ledger.begin() as conn:
            inbox.drained(conn, batch.numbers, hub.now())
            inbox.forget_old(conn, hub.now())
        step.count("delivered", len(found))
        hub.drained += len(found)
        hub.tell(f"{step.name} inbox", system=system, rows=int(step.counts["delivered"]))
        found = None


def first(cycle: Cycle) -> None:
    """Carry what waits in the inbox through to the other systems before any of them is polled.

    Not during a first load, whose writes would all come before the reads then.
    """
    hub = cycle.hub
    pairs = _told(hub)
    if not pairs or hub.paused():
        return
    with hub.ledger.read() as conn:
        if not hub.loaded(conn):
            return
    for system, entity in pairs:
        cycle.early(from_inbox(hub, system, entity, reconcile.judge_now(hub, entity)))
    for entity in ENTITIES:
        if touches(hub.only, None, entity):
            cycle.early(reconcile.reconcile(hub, entity))
    for system, entity in cycle.due():
        cycle.early(push.push(hub, system, entity))


def stay(cycle: Cycle, stay_s: float) -> None:
    """While deliveries keep coming, carry each one through to the other systems at once.

    Ends `stay_s` after the last work, or with the slice. Systems are polled as often as they are without deliveries.
    A slice that drained nothing and for which nothing waits does not stay.
    """
    hub = cycle.hub
    worked_at = polled_at = time.monotonic()
    while (hub.drained or _told(hub)) and not hub.over() and time.monotonic() - worked_at < stay_s:
        due = time.monotonic() - polled_at >= hub.timing.poll_s
        if due:
            polled_at = time.monotonic()
        pairs = _open(hub) if due else _told(hub)
        if not pairs:
            time.sleep(LOOK_EVERY_S)
            continue
        before = hub.drained
        for system, entity in pairs:
            cycle.pull(system, entity, inbox_only=not due)
        cycle.settle()
        if hub.drained > before:
            worked_at = time.monotonic()


def _open(hub: Hub) -> list[tuple[System, Entity]]:
    """What this run may read, customers before their tickets."""
    return [
        (system, entity)
        for entity in ENTITIES
        for system in SYSTEMS
        if system not in hub.troubled and touches(hub.only, system, entity)
    ]


def _told(hub: Hub) -> list[tuple[System, Entity]]:
    """Of that, what deliveries wait for."""
    with hub.ledger.read() as conn:
        told = inbox.told(conn)
    return [pair for pair in _open(hub) if pair in told] if told else []


def from_inbox(hub: Hub, system: System, entity: Entity, judge: pull.Judge) -> Step:
    """A pull of the inbox alone, with the reads by id that follow from it. A system's trouble is named in the step."""
    step = Step(f"observed/{system}_{entity}")
    try:
        hub.reach(system)
        drain(hub, system, entity, judge, step)
        with hub.ledger.read() as conn:
            again = links.read_again(conn, system, entity, BATCH)
        if again:
            step.count("fenced_reads", pull.fetch(hub, system, entity, again, judge, lane=Lane.DELTA))
    except SyncError as error:
        pull.trouble(hub, step, system, entity, error)
    return step


# --- what a delivery says ---------------------------------------------------------------------------------------


def _sorted_out(hub: Hub, system: System, entity: Entity, found: Sequence[tuple[int, Json]]) -> _Batch:
    batch = _Batch()
    account = accounts.stamped(hub.ledger, system)
    identity = account[0] if account else None
    for number, body in found:
        batch.numbers.append(number)
        told: Mapping[str, Any] = body if isinstance(body, dict) else {}
        if _elsewhere(told, identity):
            continue
        row = _whole(told) if entity is Entity.TICKET and system is System.GORGIAS else None
        if row is not None:
            batch.rows.append(row)
            continue
        ids = told.get("ids") or [told.get("id")]
        batch.hints += [(one, told) for one in ids if isinstance(one, str)]
    return batch


def _elsewhere(told: Mapping[str, Any], identity: str | None) -> bool:
    """Whether a delivery speaks of another account than the ledger's: ids of that one mean other people here."""
    ticket = told.get("ticket")
    account = ticket.get("account") if isinstance(ticket, dict) else None
    named = account.get("domain") if isinstance(account, dict) else told.get("portal")
    return identity is not None and isinstance(named, str) and named != identity


def _whole(told: Mapping[str, Any]) -> Row | None:
    """The ticket of a delivery as a row, if it shows all that a read by id shows, in the same types; else None."""
    from sync_platform.connectors.gorgias_shapes import ticket_row

    ticket = told.get("ticket")
    if not isinstance(ticket, dict) or not all(
        isinstance(ticket.get(name), kind)
        for name, kind in (("messages", list), ("tags", list), ("customer", dict), ("updated_datetime", str))
    ):
        return None
    try:
        row = ticket_row(ticket, Channel.WEBHOOK)
    except BadInput:
        return None
    shown = row.attributes
    first = shown.get("first_message")
    texts = [shown.get(name) for name in _TEXTS] + [first.get("text") if isinstance(first, dict) else None]
    score = shown.get("score")
    typed = all(text is None or isinstance(text, str) for text in texts) and isinstance(score, int | None)
    return row if typed and shown.get("status") and row.stamp is not None else None


def _is_news(hub: Hub, link: Link | None, told: Mapping[str, Any], entity: Entity) -> bool:
    """Whether an object is to be read for what a delivery says of it."""
    what = told.get("what")
    if link is None:
        return what not in _ENDS
    if link.state is LinkState.BARRED:
        return False
    at = _moment(told.get("at"))
    if link.state is LinkState.GONE:
        return what not in _ENDS and (what in _TURNS or at is None or at > (_moment((link.gone or {}).get("at")) or at))
    if what in _ENDS or what in _TURNS or at is None:
        return True
    if what == "associationChange":
        # Associations move no stamp that is sure; a read that began well after the event showed it.
        apart = timedelta(seconds=order.CLOCKS_APART_S)
        return link.whole_at is None or link.whole_at < at + apart
    if what == "propertyChange" and _known(hub, link, told, entity):
        return False
    if link.stamp is None or link.detail:
        return True
    # A stamp to the microsecond is no edit's but its own; a coarser one may have two.
    return link.stamp < at or (link.stamp == at and (what is not None or not at.microsecond % 1000))


def _known(hub: Hub, link: Link, told: Mapping[str, Any], entity: Entity) -> bool:
    """Whether a property has the told value already as far as we know, or is none that any field lives in."""
    from sync_platform.connectors.hubspot_rows import attributes_of

    name = told.get("name")
    value = told.get("value")
    if not isinstance(name, str) or not (value is None or isinstance(value, str)):
        return False
    fields = [one for one, fm in hub.maps(entity).get(System.HUBSPOT, {}).items() if name in fm.attributes]
    shown = attributes_of(entity, {name: value})
    return all(
        field_name in link.cells and name in shown and link.cells[field_name].shadow == shown[name]
        for field_name in fields
    )


def _moment(value: Json) -> datetime | None:
    """Milliseconds since 1970 or an ISO time as aware UTC; None for anything else."""
    try:
        if isinstance(value, int):
            return datetime.fromtimestamp(value / 1000, UTC)
        if not isinstance(value, str):
            return None
        at = datetime.fromisoformat(value)
    except (ValueError, OverflowError, OSError):
        return None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
