"""A record as it was at a moment: read back from what is only ever appended to.

The canonical values follow from the decisions up to then; what each system showed from its observations and from the
writes that it acknowledged. Before what `prune` has kept the latter has gaps, and the answer says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, func, or_, select

from sync_platform.core.records import SYSTEMS, UNSET, Entity, Json, Link, Record, System
from sync_platform.core.scene import Scene
from sync_platform.errors import BadInput, NotFound
from sync_platform.ledger import links
from sync_platform.ledger.journal import DECISION
from sync_platform.ledger.outbox import INTENT
from sync_platform.ledger.retention import checkpoint
from sync_platform.settings import Settings
from sync_platform.sync.cycle import utc
from sync_platform.sync.hub import Hub
from sync_platform.sync.lineage import gather, seen_of
from sync_platform.sync.names import find
from sync_platform.sync.offline import at_desk
from sync_platform.sync.why import KEEPS

SHOWN_MAX = 1000
WHOLE = "*"
MERGE = "merge"
BY_HAND = ("link", "unlink")
LIVES = frozenset({"restored", "edit_wins", "found_later"})
# What a person is asked stays asked until a row that sets the value.
ASKED = "review"


@dataclass(slots=True)
class Past:
    """A record at a moment. `fields`: canonical values; `decided`: by which decision; `shown`: by system and field, in
    the system's own form; `complete`: nothing was pruned that would say more."""

    record: str
    entity: Entity
    at: datetime
    known: bool
    fields: dict[str, Json] = field(default_factory=dict)
    decided: dict[str, Any] = field(default_factory=dict)
    reviews: set[str] = field(default_factory=set)
    shown: dict[System, dict[str, Json]] = field(default_factory=dict)
    objects: dict[System, str] = field(default_factory=dict)
    ended: dict[str, Any] | None = None
    complete: bool = True


def as_of(hub: Hub, conn: Connection, record_id: str, at: datetime) -> Past:
    """The record at a moment (aware). A merged one is told as it was while it lived. Raises NotFound."""
    record = links.records_by_id(conn, [record_id]).get(record_id)
    if record is None:
        raise NotFound("no record has this id", remedy="Search for it.")
    point = checkpoint(conn)
    complete = point is None or at >= datetime.fromisoformat(point.before)
    born = record.born_at is None or record.born_at <= at
    past = Past(record_id, record.entity, at, born, complete=complete)
    if not born:
        return past
    sets = {name for maps in hub.maps(record.entity).values() for name, one in maps.items() if one.kind == "set"}
    _decided(conn, past, sets)
    _ended(conn, past, record.tombstone)
    _shown(conn, past, _links_then(conn, past, record), set(_known_fields(hub, record.entity)))
    return past


def agrees(scene: Scene, past: Past, system: System, name: str) -> bool | None:
    """Whether what a system showed then was the record's value of then, as the mappings of today read it; None: nothing
    is known of it."""
    shown = past.shown.get(system, {}).get(name, UNSET)
    if shown is UNSET:
        return None
    return scene.accounts_for(past.fields.get(name), system, name, shown)


def told(hub: Hub, conn: Connection, past: Past) -> list[dict[str, Any]]:
    """Every field of a past record, by name: its value, what decided it, and what each system showed."""
    if not past.known:
        return []
    scene = gather(hub, conn, past.record).scene
    names = sorted({*past.fields, *(name for shown in past.shown.values() for name in shown)})
    out = []
    for name in names:
        row = past.decided.get(name)
        there = [system for system in SYSTEMS if name in past.shown.get(system, {})]
        out.append(
            {
                "field": name,
                "value": past.fields.get(name),
                "decision": row.id if row is not None else None,
                "rule": row.rule if row is not None else None,
                "at": utc(row.at) if row is not None else None,
                "in_review": name in past.reviews,
                "systems": {
                    str(system): {
                        "id": past.objects[system],
                        "shows": past.shown[system][name],
                        "agrees": agrees(scene, past, system, name),
                    }
                    for system in there
                },
            }
        )
    return out


def was(settings: Settings, what: str, at: datetime) -> dict[str, Any]:
    """The `why --at` object: a record (named as for `why`) at a moment. Raises NotFound."""
    with at_desk(settings) as hub, hub.ledger.read() as conn:
        past = as_of(hub, conn, find(conn, what, settings.sync_phone_region), at)
        return {
            "record": past.record,
            "at": utc(at),
            "known": past.known,
            "complete": past.complete,
            "ended": past.ended,
            "fields": told(hub, conn, past),
        }


def moment(text: str) -> datetime:
    """A moment as people write it: ISO 8601, UTC where nothing else is said. Raises BadInput."""
    try:
        # In an address a plus sign is a blank.
        at = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadInput("this is no moment", remedy="Write it as 2026-03-01T10:00:00, in UTC.") from None


# --- the record -------------------------------------------------------------------------------------------------


def _decided(conn: Connection, past: Past, sets: set[str]) -> None:
    """The last row of each field, and what the record was born with."""
    of = DECISION.c
    upto = (of.record_id == past.record, of.at <= past.at)
    last = select(func.max(of.id)).where(*upto).group_by(of.field)
    # The record once more: without it a database may look at every decision there is.
    here = select(DECISION).where(of.record_id == past.record, or_(of.id.in_(last), of.field == WHOLE))
    rows = conn.execute(here.order_by(of.id)).all()
    for row in rows:
        if row.field == WHOLE and row.rule == "birth" and row.at <= past.at:
            for name, value in (row.value or {}).items():
                past.fields[name], past.decided[name] = value, row
    for row in rows:
        if row.field != WHOLE:
            past.fields[row.field] = [] if row.value is None and row.field in sets else row.value
            past.decided[row.field] = row
    past.reviews = _asked(conn, past)


def _asked(conn: Connection, past: Past) -> set[str]:
    """Fields that waited for a person: asked, and nothing was decided since."""
    of = DECISION.c
    rows = conn.execute(
        select(of.field, func.max(of.id))
        .where(of.record_id == past.record, of.at <= past.at, of.field != WHOLE, of.rule.not_in(KEEPS))
        .group_by(of.field)
    ).all()
    numbers = [row[1] for row in rows]
    asked = select(of.field).where(of.id.in_(numbers), of.rule == ASKED)
    return set(conn.execute(asked).scalars()) if numbers else set()


def _ended(conn: Connection, past: Past, tombstone: Mapping[str, Any] | None) -> None:
    """Whether it had ended by then, and how."""
    if tombstone and datetime.fromisoformat(tombstone["at"]) <= past.at:
        past.ended = dict(tombstone)
        return
    of = DECISION.c
    rows = conn.execute(
        select(of.rule, of.value, of.at)
        .where(of.record_id == past.record, of.field == WHOLE, of.at <= past.at)
        .order_by(of.id)
    )
    for row in rows:
        if row.rule == "delete" and (row.value or {}).get("means") != "keep":
            past.ended = {"cause": "deleted", "system": row.value.get("deleted_in"), "at": utc(row.at)}
        elif row.rule in LIVES or (row.rule == "link" and (row.value or {}).get("to") == past.record):
            past.ended = None


# --- the systems ------------------------------------------------------------------------------------------------


def _known_fields(hub: Hub, entity: Entity) -> list[str]:
    return [name for maps in hub.maps(entity).values() for name in maps]


def _links_then(conn: Connection, past: Past, record: Record) -> list[Link]:
    """Links that were the record's at that moment: merges and people have moved some since."""
    of = DECISION.c
    moves = conn.execute(
        select(of.rule, of.value)
        .where(of.record_id == past.record, of.field == WHOLE, of.at > past.at, of.rule.in_((MERGE, *BY_HAND)))
        .order_by(of.id.desc())
    ).all()
    found = {link.id: link for link in links.links_of(conn, [past.record])[past.record]}
    into = (record.tombstone or {}).get("into")
    if into and past.ended is None:
        theirs = {link.id: link for link in links.links_of(conn, [str(into)])[str(into)]}
        found |= {number: theirs[number] for number in _links_of_old(conn, past.record, theirs)}
    for rule, value in moves:
        if rule == MERGE:
            for number in _links_of_old(conn, str(value["merged"]), found):
                del found[number]
            continue
        system, _, external_id = str(value["link"]).partition(":")
        moved = links.links_by_external(conn, System(system), past.entity, [external_id]).get(external_id)
        if moved is not None and value["to"] == past.record:
            found.pop(moved.id, None)
        elif moved is not None and value["from"] == past.record:
            found[moved.id] = moved
    return list(found.values())


def _links_of_old(conn: Connection, record: str, among: Mapping[int, Link]) -> list[int]:
    """Which of these links a record had that went up in another: its writes, its claims and its marker name them."""
    numbers = set(conn.execute(select(INTENT.c.link_id).where(INTENT.c.record_id == record)).scalars())
    for claims in conn.execute(select(DECISION.c.claims).where(DECISION.c.record_id == record)).scalars():
        numbers |= {claim["link"] for claim in claims or ()}
    return [number for number, link in among.items() if number in numbers or link.marker == record]


def _shown(conn: Connection, past: Past, found: Sequence[Link], names: set[str]) -> None:
    """By object the newest showing of each field, be it an observation or a write that was acknowledged."""
    objects = {(str(one.system), str(one.entity), one.external_id): one for one in found}
    news: dict[int, dict[str, tuple[datetime, int, Json]]] = {one.id: {} for one in found}
    ends: set[int] = set()
    for row in reversed(seen_of(conn, objects, SHOWN_MAX, past.at)):
        link = objects[row.system, row.entity, row.external_id]
        if row.evidence and row.taken:
            ends.add(link.id)
        elif row.fields:
            ends.discard(link.id)
        for name, theirs in (row.fields or {}).items() if row.taken else ():
            news[link.id][name] = (row.observed_at, 1, theirs)
    for row in _landed(conn, past):
        written = next((one for one in found if _of(one, row)), None)
        if written is None:
            continue
        of = news[written.id]
        for name, sent in (row.payload or {}).get("values", {}).items():
            # What was read back at the same moment says more than what was sent.
            if name not in of or (row.settled_at, 0) > of[name][:2]:
                of[name] = (row.settled_at, 0, sent)
    for link in sorted(found, key=lambda one: (SYSTEMS.index(one.system), one.id)):
        values = {name: theirs for name, (_, _, theirs) in news[link.id].items() if name in names}
        if values and link.id not in ends:
            past.shown[link.system], past.objects[link.system] = values, link.external_id


def _landed(conn: Connection, past: Past) -> list[Any]:
    of = INTENT.c
    rows = conn.execute(
        select(of.link_id, of.system, of.marker, of.payload, of.settled_at)
        .where(of.record_id == past.record, of.state == "acknowledged", of.settled_at <= past.at)
        .order_by(of.id.desc())
        .limit(SHOWN_MAX)
    ).all()
    return list(reversed(rows))


def _of(link: Link, row: Any) -> bool:
    """Whether a write was to this object; a create knew it by its marker only."""
    if row.link_id is not None:
        return bool(row.link_id == link.id)
    return bool(link.system == row.system and row.marker is not None and link.marker == row.marker)


__all__ = ["Past", "agrees", "as_of", "moment", "told", "was"]
