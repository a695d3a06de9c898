"""What a row says of its object's end or return: recorded at the link; what follows for the record is judged later."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from sync_platform.core.records import Channel, Entity, Evidence, Json, Link, LinkState, Row
from sync_platform.ledger import links, placing
from sync_platform.sync import order
from sync_platform.sync.hub import Hub

# On an active link: nothing tells of an end; an edit is kept of which the object, were it gone, was not shown.
UNREAD = "unread"


@dataclass(slots=True)
class Taken:
    """What one page changed."""

    observed: int = 0
    ignored: int = 0
    again: int = 0
    gone: int = 0
    dirty: set[str] = field(default_factory=set)
    overtaken: list[tuple[Link, str, Json]] = field(default_factory=list)
    # Ends and returns that were seen while a write of ours is unsettled: no read by id has answered these yet.
    open: set[str] = field(default_factory=set)


def take_evidence(hub: Hub, link: Link, row: Row, taken: Taken, now: datetime) -> dict[str, Any] | None:
    """Deletes and merges are recorded: the id is gone or barred; what follows for the record is a later judgement.

    An id that merely is not found may be a moment's trouble there: it is gone when a second run does not find it.
    """
    row = _as_told_before(link, row)
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
        if merged and link.state is LinkState.GONE:
            # How it ended before stands, as it was judged.
            link.gone = {**(link.gone or {}), "leads": evidence.into}
        elif merged and (link.gone or {}).get("kind") != "restored":
            link.gone = {"kind": "missing", "at": now.isoformat(), "run": hub.run, "into": evidence.into}
        taken.again += 1
        taken.open.add(link.external_id)
        return observation(hub, row, {}, now, taken=False)
    gone: dict[str, Json] = {"kind": evidence.kind, "at": now.isoformat(), "run": hub.run}
    if link.gone and link.gone.get("edited"):
        gone["edited"] = link.gone["edited"]
    suspected = link.gone if link.gone and link.gone["kind"] not in {"restored", UNREAD} else None
    if evidence.kind == "missing" and (not suspected or suspected.get("run") == hub.run):
        link.gone, link.detail, link.again = suspected or gone, 0, True
        taken.again += 1
        return {}
    link.state = LinkState.BARRED if merged else LinkState.GONE
    link.into = evidence.into if merged else None
    link.gone = None if merged else gone
    # A merge is still to be followed to its survivor.
    link.detail, link.again = 0, merged
    taken.gone += 1
    return observation(hub, row, {}, now, taken=True)


def _as_told_before(link: Link, row: Row) -> Row:
    """What told of its survivor while a write was unsettled, and is only not found by now, was merged: what told it may
    have been written over since."""
    told = {LinkState.ACTIVE: "into", LinkState.GONE: "leads"}.get(link.state)
    into = (link.gone or {}).get(told) if told and not link.unsettled else None
    if into is None or row.evidence is None or row.evidence.kind != "missing":
        return row
    return replace(row, evidence=Evidence("merged", str(into)))


def told_for_good(row: Row) -> bool:
    """Whether a row tells the end of its object itself, and not only that it was not found."""
    return row.evidence is not None and (row.evidence.kind == "deleted" or row.evidence.into is not None)


def may_be_back(link: Link, row: Row) -> bool:
    """Whether a listing that shows what is gone is a reason to look: an index may show it for a while after its end."""
    if link.state is not LinkState.GONE or not row.attributes:
        return False
    return row.channel is Channel.LIST or (row.stamp is not None and (link.stamp is None or row.stamp > link.stamp))


def take_past(hub: Hub, link: Link, row: Row, fields: dict[str, Json], now: datetime) -> dict[str, Any] | None:
    """A row of what ended. None: nothing to save; {}: save the link; else also keep this observation.

    Of an object that nobody saw before its end it tells whose it was.
    """
    back = may_be_back(link, row)
    link.again |= back
    if link.awaits == placing.NOBODY and fields:
        link.awaits = None
        order.move(link, row, fields, None, now)
        return observation(hub, row, fields, now, taken=True)
    return {} if back else None


def after_an_end(conn: Connection, link: Link) -> None:
    """What follows at once when an object that was gone is there again, or turns out to be merged away."""
    if link.state is LinkState.ACTIVE:
        _take_back(conn, link)
    elif link.state is LinkState.BARRED:
        _led_there_again(conn, link)


def _take_back(conn: Connection, link: Link) -> None:
    """What came back belongs to its record again, unless something else took its place there meanwhile: then it is
    placed anew, as one that carries that record's id, and a person is asked whether the two are one.
    """
    if link.record_id and link.system in links.active_systems(conn, [link.record_id]).get(str(link.record_id), set()):
        link.marker = link.marker or str(link.record_id)
        link.record_id, link.gone = None, None
    # Kept at once: another one that comes back on the same page may be of the same record.
    links.save_links(conn, [link])
    _led_there_again(conn, link)
    if link.entity is Entity.CUSTOMER:
        # Tickets that could not stand there without this customer are owed there now.
        links.mark_dirty_children(conn, {str(link.record_id)} if link.record_id else ())
        links.mark_awaiting(conn, [f"{link.system}:{link.external_id}"])


def _led_there_again(conn: Connection, link: Link) -> None:
    """Who was merged into this one when it was gone ended with it, and is merged away now that it is back, or merged
    away itself.
    """
    merged = links.awaiting_return(conn, link)
    for one in merged:
        one.state, one.into, one.gone = LinkState.BARRED, (one.gone or {}).get("into"), None
        one.awaits, one.again = None, True
    links.save_links(conn, merged)


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
