"""What a row says of its object's end or return: recorded at the link; what follows for the record is judged later."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from sync_platform.core.records import Channel, Entity, Json, Link, LinkState, Row
from sync_platform.ledger import links
from sync_platform.sync.hub import Hub


@dataclass(slots=True)
class Taken:
    """What one page changed."""

    observed: int = 0
    ignored: int = 0
    again: int = 0
    gone: int = 0
    dirty: set[str] = field(default_factory=set)
    overtaken: list[tuple[Link, str, Json]] = field(default_factory=list)
    # Ends that were seen while a write of ours is unsettled: no read by id has answered these yet.
    open: set[str] = field(default_factory=set)


def take_evidence(hub: Hub, link: Link, row: Row, taken: Taken, now: datetime) -> dict[str, Any] | None:
    """Deletes and merges are recorded: the id is gone or barred; what follows for the record is a later judgement.

    An id that merely is not found may be a moment's trouble there: it is gone when a second run does not find it.
    """
    evidence = row.evidence
    if evidence is None or link.state is LinkState.BARRED:
        return None
    merged = evidence.kind == "merged" and evidence.into is not None and evidence.into != link.external_id
    if link.state is LinkState.GONE:
        if merged and (link.gone or {}).get("into") == evidence.into:
            # Followed already, into something that is not there either.
            return None
        if not merged and link.again:
            link.again = False
            return {}
        if not merged:
            return None
    if link.unsettled:
        # What lists hide is not owed of what nobody can read now; the next answer shows all of it.
        link.detail, link.again = 0, True
        taken.again += 1
        taken.open.add(link.external_id)
        return observation(hub, row, {}, now, taken=False)
    gone = {"kind": evidence.kind, "at": now.isoformat(), "run": hub.run}
    if evidence.kind == "missing" and (not link.gone or link.gone.get("run") == hub.run):
        link.gone, link.detail, link.again = link.gone or gone, 0, True
        taken.again += 1
        return {}
    link.state = LinkState.BARRED if merged else LinkState.GONE
    link.into = evidence.into if merged else None
    link.gone = None if merged else gone
    # A merge is still to be followed to its survivor.
    link.detail, link.again = 0, merged
    taken.gone += 1
    return observation(hub, row, {}, now, taken=True)


def may_be_back(link: Link, row: Row) -> bool:
    """Whether a listing that shows what is gone is a reason to look: an index may show it for a while after its end."""
    if link.state is not LinkState.GONE or not row.attributes:
        return False
    return row.channel is Channel.LIST or (row.stamp is not None and (link.stamp is None or row.stamp > link.stamp))


def take_back(conn: Connection, link: Link) -> None:
    """What came back belongs to its record again, unless something else took its place there meanwhile: then it is
    placed anew, as one that carries that record's id, and a person is asked whether the two are one.
    """
    if link.record_id and link.system in links.active_systems(conn, [link.record_id]).get(str(link.record_id), set()):
        link.marker = link.marker or str(link.record_id)
        link.record_id, link.gone = None, None
    if link.entity is Entity.CUSTOMER:
        # Tickets that could not stand there without this customer are owed there now.
        links.mark_dirty_children(conn, {str(link.record_id)} if link.record_id else ())
        links.mark_awaiting(conn, [f"{link.system}:{link.external_id}"])


def observation(hub: Hub, row: Row, fields: dict[str, Json], now: datetime, *, taken: bool) -> dict[str, Any]:
    """A row as the ledger keeps it, with the fields that differ."""
    evidence = {"kind": row.evidence.kind, "into": row.evidence.into} if row.evidence else None
    return {
        "system": str(row.system),
        "entity": str(row.entity),
        "external_id": row.external_id,
        "fields": fields,
        "mapping_version": hub.mapping_version,
        "source_stamp": row.stamp,
        "row_version": row.version,
        "observed_at": now,
        "channel": str(row.channel),
        "evidence": evidence,
        "taken": taken,
        "run": hub.run,
    }
