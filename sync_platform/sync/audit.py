"""The equality audit: fresh reads against shadows, a bounded number of objects a run, the oldest comparison first.

It trusts no feed: what a feed never told, or told wrongly, is found here. A difference is an ordinary observation
(channel `sweep`) that the next cycle judges; nothing is overwritten and nothing is judged by the audit itself. It
spends the lowest lane of the budget, and gives way when news is waiting.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, update

from sync_platform.core.mappings import FieldMap, observe
from sync_platform.core.records import ENTITIES, SYSTEMS, Channel, Entity, Lane, Link, Row, System
from sync_platform.errors import SyncError
from sync_platform.ledger import comparisons, links
from sync_platform.ledger.comparisons import Due
from sync_platform.ledger.database import number
from sync_platform.ledger.tables import RunRow
from sync_platform.settings import Settings
from sync_platform.sync import order, pull, vanished
from sync_platform.sync.cycle import open_cycle
from sync_platform.sync.hub import Hub, Progress, Step

RUN = RunRow.__table__  # type: ignore[attr-defined]
KIND = "audit"
# Objects that one read asks for, and how many of them a call answers: Gorgias one [doc], HubSpot 100 [doc].
BATCH: Mapping[System, int] = {System.GORGIAS: 10, System.HUBSPOT: 100, System.ERP: 100}
PER_CALL: Mapping[System, int] = {System.GORGIAS: 1, System.HUBSPOT: 100, System.ERP: 100}
# An edit that is younger than the last look, or than an index takes to show it, is news and no fault of a feed.
NEWS_S = 600.0
SHOWN_MAX = 200
WAIT_S = 30.0


@dataclass(slots=True)
class Tally:
    """What the audit found in one system."""

    objects: int = 0
    fields_compared: int = 0
    fields_differ: int = 0
    edited_since: int = 0
    unsettled: int = 0
    gone: int = 0
    differences: list[dict[str, Any]] = field(default_factory=list)

    def add(self, row: Row, link: Link, names: Sequence[str], *, news: bool) -> None:
        """Count fields that differ: news, or what no feed told."""
        if news:
            self.edited_since += len(names)
            return
        self.fields_differ += len(names)
        if names and len(self.differences) < SHOWN_MAX:
            self.differences.append(
                {
                    "system": str(row.system),
                    "entity": str(row.entity),
                    "record": str(link.record_id) if link.record_id else None,
                    "fields": list(names),
                }
            )


def run_audit(
    settings: Settings,
    *,
    objects_max: int | None = None,
    progress: Callable[[Progress], None] | None = None,
    run: str | None = None,
) -> dict[str, Any]:
    """One run of the audit under the lease; the `audit` object of the commands.

    `objects_max` bounds the objects of each system, beside SYNC_AUDIT_CALLS. Raises AnotherCycleRuns, NotSetUp,
    WrongAccount and the rest of the Halt family; a system's own trouble is in `errors`.
    """
    with open_cycle(settings, kind=KIND, progress=progress, run=run, wait_s=WAIT_S) as cycle:
        found = audit(cycle.hub, calls_max=settings.sync_audit_calls, objects_max=objects_max)
        with cycle.hub.ledger.begin() as conn:
            ended = update(RUN).where(RUN.c.id == cycle.run)
            conn.execute(
                ended.values(
                    ended_at=cycle.hub.now(),
                    outcome=found["outcome"],
                    complete=found["complete"],
                    counts={"systems": found["systems"]},
                    errors=found["errors"],
                )
            )
        return found


def audit(hub: Hub, *, calls_max: int, objects_max: int | None = None) -> dict[str, Any]:
    """Compare what is due in every system; `complete` when nothing is left that is older than this run."""
    began = hub.now()
    while True:
        with hub.ledger.begin() as conn:
            if not comparisons.enrol(conn):
                break
    step = Step("audit/equality")
    tallies = {system: Tally() for system in SYSTEMS}
    with hub.ledger.read() as conn:
        turns = in_turn(comparisons.oldest(conn, SYSTEMS))
    for system in turns:
        room = calls_max * PER_CALL[system]
        try:
            hub.reach(system)
            _sweep(hub, system, tallies[system], step, began, min(room, objects_max or room))
        except SyncError as error:
            pull.trouble(hub, step, system, Entity.CUSTOMER, error)
    return _told(hub, step, tallies)


def in_turn(known: Mapping[tuple[System, Entity], comparisons.Oldest]) -> list[System]:
    """Systems, the one that was not looked at for longest first; of equals those that show most in a call.

    A run that gives way to news ends where it is: in a fixed order the last system would never have its turn.
    """
    latest = {s: max((one.latest for (at, _), one in known.items() if at is s and one.latest), default=None)
              for s in SYSTEMS}  # fmt: skip
    never = datetime.min.replace(tzinfo=UTC)
    return sorted(SYSTEMS, key=lambda one: (latest[one] or never, -PER_CALL[one]))


def standing(conn: Connection, now: datetime) -> dict[str, dict[str, Any]]:
    """How far the audit is, by system: objects, those never compared, age of the oldest comparison in seconds."""
    known = comparisons.oldest(conn, SYSTEMS)
    out: dict[str, dict[str, Any]] = {}
    for system in SYSTEMS:
        of = [one for (at, _), one in known.items() if at is system]
        times = [one.at for one in of if one.at is not None]
        out[str(system)] = {
            "objects": sum(one.objects for one in of),
            "never_compared": sum(one.never for one in of),
            "oldest_comparison_s": round((now - min(times)).total_seconds(), 1) if times else None,
        }
    return out


def _sweep(hub: Hub, system: System, tally: Tally, step: Step, began: datetime, room: int) -> None:
    """Batches of the entity that waits longest, until nothing is due, no room is left, or news waits."""
    while True:
        with hub.ledger.read() as conn:
            batches = {
                entity: found
                for entity in ENTITIES
                if (found := comparisons.due(conn, system, entity, min(max(room, 1), BATCH[system]), began))
            }
        if not batches:
            return
        if room <= 0 or hub.over() or hub.news_waits():
            step.complete = False
            return
        entity = min(batches, key=lambda one: batches[one][0].compared_at or datetime.min.replace(tzinfo=UTC))
        room -= len(batches[entity])
        _compare(hub, system, entity, batches[entity], tally)
        hub.tell(f"{step.name} {system}", system=system, rows=tally.objects)


def _compare(hub: Hub, system: System, entity: Entity, batch: Sequence[Due], tally: Tally) -> None:
    """One fenced read of a batch: what it shows is compared, then taken as any other observation."""
    ids = [str(one.external_id) for one in batch if one.active]
    rows: list[Row] = []
    begun = 0
    if ids:
        with hub.ledger.begin() as conn:
            begun = number(conn)
            polled = hub.polled(conn, entity).get(system)
        fetched = hub.connectors[system].fetch(entity, ids, lane=Lane.AUDIT)
        rows = vanished.traced(
            hub, hub.connectors[system], entity, [replace(r, channel=Channel.SWEEP) for r in fetched]
        )
    found: dict[int, tuple[int, int]] = {one.link_id: (0, 0) for one in batch}
    with hub.ledger.begin() as conn:
        if rows:
            known = links.links_by_external(conn, system, entity, ids)
            maps = hub.maps(entity).get(system, {})
            for row in rows:
                link = known.get(row.external_id)
                if link is not None:
                    compared, differ = _differing(row, link, maps, tally, polled)
                    before = found.get(link.id, (0, 0))
                    found[link.id] = (before[0] + compared, before[1] + differ)
            pull.take(hub, conn, system, rows, None, begun=begun)
        comparisons.settle(conn, found, hub.now())
    tally.objects += len(ids)


def _differing(
    row: Row, link: Link, maps: Mapping[str, FieldMap], tally: Tally, polled: datetime | None
) -> tuple[int, int]:
    """Fields of one row that were compared, and that differ from the shadow."""
    if row.evidence is not None:
        tally.gone += 1
        return 0, 0
    if link.unsettled:
        # What a write of ours left there is not known yet: nothing that differs says anything.
        tally.unsettled += 1
        return 0, 0
    shown = {name: theirs for name, theirs in observe(row.system, row.entity, row.attributes).items() if name in maps}
    known = {name: theirs for name, theirs in shown.items() if name in link.cells and not link.cells[name].unread}
    names = [
        name
        for name, theirs in sorted(known.items())
        if link.cells[name].shadow != theirs and not order.stays(maps[name], link.cells[name].shadow, theirs)
    ]
    tally.fields_compared += len(known)
    tally.add(row, link, names, news=_is_news(row, link, polled))
    return len(known), len(names)


def _is_news(row: Row, link: Link, polled: datetime | None) -> bool:
    """Whether the object was edited so lately that no feed had to have told it yet."""
    moved = (row.version is not None and link.version is not None and row.version > link.version) or (
        row.stamp is not None and (link.stamp is None or row.stamp > link.stamp)
    )
    if not moved:
        return False
    return polled is None or row.stamp is None or row.stamp >= polled - timedelta(seconds=NEWS_S)


def _told(hub: Hub, step: Step, tallies: Mapping[System, Tally]) -> dict[str, Any]:
    with hub.ledger.read() as conn:
        stands = standing(conn, hub.now())
    for system in SYSTEMS:
        hub.flush(system)
    return {
        "run": hub.run,
        "complete": step.complete and not hub.pause_seen,
        "outcome": "partial" if step.trouble else "paused" if hub.pause_seen else "ok",
        "fields_compared": sum(one.fields_compared for one in tallies.values()),
        "fields_differ": sum(one.fields_differ for one in tallies.values()),
        "systems": {
            str(system): {
                "compared": one.objects,
                "fields_compared": one.fields_compared,
                "fields_differ": one.fields_differ,
                "edited_since": one.edited_since,
                "unsettled": one.unsettled,
                "gone": one.gone,
                "calls": hub.calls(system),
                **stands[str(system)],
            }
            for system, one in tallies.items()
        },
        "differences": _shown(tallies.values()),
        "errors": list(step.trouble),
    }


def _shown(tallies: Iterable[Tally]) -> list[dict[str, Any]]:
    return [one for tally in tallies for one in tally.differences][:SHOWN_MAX]
