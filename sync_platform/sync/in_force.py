"""Which policy and which mappings hold, since when: what a change of them makes dirty, and which fields wait.

The ledger knows what was in force at the end of its last run. Where that differs, open contests and reviews are to be
judged anew, a changed mapping makes every record dirty, and a field that comes into the policy takes part in nothing
until every system was read in full: that reading begins by itself, in the lane of backfill. Other tables of words
settle nothing by themselves: `policy plan` says what they mean for what is settled.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, or_, update

from sync_platform.connectors.protocol import Feed
from sync_platform.core.records import ENTITIES, Entity, System
from sync_platform.ledger import journal, links
from sync_platform.ledger.database import get_meta, set_meta
from sync_platform.sync.hub import Hub, InForce
from sync_platform.sync.order import DETAILED, REST

IN_FORCE = "in_force"
RECORD, LINK = links.RECORD, links.LINK


def notice(hub: Hub) -> None:
    """Once a run: compare what holds with what held, and mark what a change makes dirty, in one transaction."""
    if hub.force is not None:
        return
    with hub.ledger.read() as conn:
        before = _load(conn)
    present = InForce(hub.policy.hash, hub.mapping_version, _fields(hub))
    if before is not None and (before.policy, before.mapping) == (present.policy, present.mapping):
        _hold(hub, before)
        return
    with hub.ledger.begin() as conn:
        if before is not None:
            present = _changed(hub, conn, before, present)
        _save(conn, present)
    _hold(hub, present)


def look(hub: Hub) -> None:
    """What the ledger says of the hub's own policy, for who only reads; nothing where another one was in force."""
    with hub.ledger.read() as conn:
        known = _load(conn)
    if known is not None and (known.policy, known.mapping) == (hub.policy.hash, hub.mapping_version):
        _hold(hub, known)


def _fields(hub: Hub) -> dict[str, list[str]]:
    return {str(entity): sorted(hub.policy.entities[entity].fields) for entity in ENTITIES}


def _load(conn: Connection) -> InForce | None:
    raw = get_meta(conn, IN_FORCE)
    return InForce(**json.loads(raw)) if raw else None


def _save(conn: Connection, force: InForce) -> None:
    set_meta(conn, IN_FORCE, json.dumps(asdict(force)))


def _hold(hub: Hub, force: InForce) -> None:
    hub.force = force
    hub.made_maps.clear()


def _changed(hub: Hub, conn: Connection, before: InForce, present: InForce) -> InForce:
    number = journal.next_decision(conn)
    remapped = before.mapping != present.mapping
    is_open = or_(RECORD.c.contests.is_not(None), RECORD.c.reviews.is_not(None))
    dirty: ColumnElement[bool] = RECORD.c.tombstone.is_(None) if remapped else is_open
    conn.execute(update(RECORD).where(RECORD.c.settled, dirty).values(dirty=True))
    waiting = _waiting(before, present)
    fresh = waiting != {entity: list(names) for entity, names in before.waiting.items()}
    if fresh and waiting:
        _owe_reads(conn, waiting)
    return replace(
        present,
        policy_from=number,
        mapping_from=number if remapped else before.mapping_from,
        waiting=waiting,
        since=hub.now().isoformat() if fresh else before.since,
        read=[] if fresh else before.read,
    )


def _waiting(before: InForce, present: InForce) -> dict[str, list[str]]:
    """Fields that came in now, or earlier and were not read in full yet."""
    out = {}
    for entity, names in present.fields.items():
        known = set(before.fields.get(entity, ())) - set(before.waiting.get(entity, ()))
        if fresh := sorted(set(names) - known):
            out[entity] = fresh
    return out


def _owe_reads(conn: Connection, waiting: Mapping[str, Sequence[str]]) -> None:
    """What lists hide is read by id, after everything that is more urgent."""
    for system, entity in sorted(DETAILED):
        if str(entity) in waiting:
            of = (LINK.c.system == system, LINK.c.entity == entity, links.IS_ACTIVE, LINK.c.detail == 0)
            conn.execute(update(LINK).where(*of).values(detail=REST))


def numbers(hub: Hub) -> tuple[int, int]:
    """The first decision numbers under the present policy and under the present mappings; 0: all are."""
    return (hub.force.policy_from, hub.force.mapping_from) if hub.force is not None else (0, 0)


# --- full readings ----------------------------------------------------------------------------------------------


def unread(hub: Hub, system: System, feed: Feed) -> bool:
    """Whether a field waits for this feed to be read in full."""
    return (
        hub.force is not None
        and bool(hub.waits_for(feed.entity))
        and feed.kind in ("walk", "list")
        and _name(system, feed) not in hub.force.read
    )


def was_read(hub: Hub, system: System, feed: Feed, began_at: datetime | None) -> None:
    """A full reading came to its end; it counts if it began after the field came in."""
    force = hub.force
    if force is None or began_at is None or began_at.isoformat() < force.since:
        return
    force = replace(force, read=[*force.read, _name(system, feed)])
    with hub.ledger.begin() as conn:
        _save(conn, force)
    hub.force = force


def take_part(hub: Hub, entity: Entity) -> None:
    """When every system was read in full, the fields that waited for it are judged, in all records."""
    force = hub.force
    if force is None or not hub.waits_for(entity):
        return
    feeds = [(system, feed) for system, one in hub.connectors.items() for feed in one.feeds() if feed.entity is entity]
    with hub.ledger.begin() as conn:
        hidden = any(links.count_details(conn, system, of) for system, of in DETAILED if of is entity)
        if hidden or any(unread(hub, system, feed) for system, feed in feeds):
            return
        waiting = {name: fields for name, fields in force.waiting.items() if name != str(entity)}
        force = replace(force, waiting=waiting)
        _save(conn, force)
        conn.execute(update(RECORD).where(RECORD.c.entity == entity, RECORD.c.settled).values(dirty=True))
    _hold(hub, force)


def _name(system: System, feed: Feed) -> str:
    return f"{system}/{feed.name}"
