"""Deletes: what evidence that an object is gone means for its record, and what brings a record back.

Evidence is taken by the pull and waits at the link; here it is judged, in the transaction of the record's decisions.
The gone id stays for ever, and what is gone becomes active again by evidence alone: a fenced read that shows it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sync_platform.core import endings
from sync_platform.core.merge import Merged, Scene
from sync_platform.core.records import UNSET, Json, Link, LinkState, Record, System
from sync_platform.errors import BadInput
from sync_platform.sync.hub import Hub

# The field of a late payload that stands for the object itself: a delete of ours that may still land.
WHOLE = "*"
# How a ticket was edited that merely hangs on another customer.
MOVED = "moved"
# The cause of a record's end that no object's return undoes.
FORGOTTEN = "forgotten"
# Causes of an end that what turns up later, and was there before, would have had a say in.
ENDED = frozenset({"deleted", "gone"})


# Field and number of what a person answered about a record, by its id.
Answered = Callable[[str], Sequence[tuple[str, int]]]


@dataclass(slots=True)
class Ending:
    """One record's ends: its links, those whose end is not judged, and whether they still wait."""

    record: Record
    links: Sequence[Link]
    active: Sequence[Link]
    pending: list[Link]
    waits: bool = False
    # A write of ours is unsettled: a create may have made an object that no link knows yet, and of an object that we
    # wrote to nothing is taken.
    landing: bool = False
    # Ends that the brake holds: nothing follows from them until a person said so.
    held: list[Link] = field(default_factory=list)
    touched: list[Link] = field(default_factory=list)
    # Objects that are read by id before what ends there is taken for later than a return.
    unread: list[Link] = field(default_factory=list)


def before(
    record: Record, links: Sequence[Link], late: Mapping[tuple[int, str], Any], answered: Answered = lambda _record: ()
) -> Ending:
    """Look at the links before the merge: what is unjudged there may be an edit that outlives the delete."""
    active = [link for link in links if link.state is LinkState.ACTIVE]
    ending = Ending(record, links, active, endings.pending(links))
    for link in ending.pending:
        gone = link.gone or {}
        if (link.id, WHOLE) in late:
            link.gone = {**gone, "kind": "by_us"}
        elif gone.get("edited") is not True and (
            endings.edited_unknowingly(record, link, active, endings.MOVED)
            or endings.answered_since(link, answered(str(record.id)))
        ):
            link.gone = {**gone, "edited": True}
        elif not gone.get("edited") and endings.edited_unknowingly(record, link, active):
            link.gone = {**gone, "edited": MOVED}
        elif endings.met_after(active) or endings.never_met(link):
            link.gone = {**gone, "unsure": True}
        ending.touched.append(link)
    return ending


def after(hub: Hub, ending: Ending, scene: Scene, merged: Merged, polled: Mapping[System, datetime | None]) -> None:
    """Judge the ends after the merge: tombstones, and decisions about the record as a whole."""
    _restored(ending, scene)
    if endings.edits(merged.decisions, ending.active, endings.MOVED):
        _edited(ending, True)
    elif endings.edits(merged.decisions, ending.active):
        _edited(ending, MOVED)
    _revive(ending, scene, merged)
    # A merge that is not followed yet makes the record another one, which may well stand where this one ended.
    becoming = any(link.state is LinkState.BARRED and link.again for link in ending.links)
    for link in ending.pending:
        gone = link.gone or {}
        if link in ending.held or gone.get("judged"):
            continue
        since = datetime.fromisoformat(gone["at"])
        # What is gone elsewhere may be back there. A round that began in the very moment of the evidence may have been
        # before it.
        others = {one.system for one in ending.links if one.state in (LinkState.ACTIVE, LinkState.GONE)}
        read_since = all(
            (at := polled.get(other)) is not None and at > since for other in others if other != link.system
        )
        means = endings.verdict(scene.policy.systems[link.system].delete, link, read_since=read_since)
        if means is None or (means != "keep" and (ending.landing or becoming)):
            ending.waits = True
            continue
        link.gone = {**gone, "judged": means}
        _judged(hub, ending, scene, link, means)
    if not ending.active and ending.links and not (ending.record.tombstone or ending.waits or ending.held):
        # Until the survivor of a merge takes its place a record may be without a link.
        if ending.landing or becoming:
            ending.waits = True
        else:
            ending.record.tombstone = _tombstone(hub, ending.links[-1], "gone")


def _judged(hub: Hub, ending: Ending, scene: Scene, link: Link, means: str) -> None:
    told = {"deleted_in": str(link.system), "means": means}
    number = scene.add(WHOLE, told, "delete", replaced=_unjudged(scene, link), cause="deleted")
    if means == "keep" or (ending.record.tombstone or {}).get("cause") == FORGOTTEN:
        return
    ending.record.tombstone = _tombstone(hub, link, means)
    ending.record.decided[WHOLE] = number


def _unjudged(scene: Scene, link: Link) -> Json:
    """What the object showed before it ended and nobody judged: a delete takes no value away without a word."""
    out: dict[str, Json] = {}
    for name, cell in link.cells.items():
        if name not in scene.policy.fields or cell.base is not UNSET or cell.unread:
            continue
        # What cannot be read is told by the observation alone; nothing could be written of it either.
        with suppress(BadInput):
            value = scene.get(link, name, cell.shadow, None)
            out |= {} if value is UNSET else {name: value}
    return out or None


def _tombstone(hub: Hub, link: Link, means: str) -> Json:
    return {"cause": "deleted", "system": str(link.system), "means": means, "at": hub.now().isoformat()}


def _edited(ending: Ending, how: Json) -> None:
    for link in ending.links:
        if link.state is LinkState.GONE and link.gone and link.gone.get("edited") not in (True, how):
            link.gone = {**link.gone, "edited": how}
            if link not in ending.touched:
                ending.touched.append(link)


def _revive(ending: Ending, scene: Scene, merged: Merged) -> None:
    """A fenced read before a delete showed an edit: it wins, and what is not deleted yet stays."""
    doomed = endings.to_delete(ending.record.tombstone, ending.active)
    if doomed and endings.edits(merged.decisions, doomed):
        ending.record.tombstone = None
        scene.add(WHOLE, None, "edit_wins", cause="deleted")


def _restored(ending: Ending, scene: Scene) -> None:
    """What came back is a new epoch: the record lives on, and nothing that is gone elsewhere comes with it.

    An end elsewhere that is told after the return may have been before it, until a read by id showed that object there.
    """
    back = [link for link in ending.active if (link.gone or {}).get("kind") == "restored"]
    if not back:
        return
    forgotten = (ending.record.tombstone or {}).get("cause") == FORGOTTEN
    since = max(datetime.fromisoformat(str((link.gone or {})["at"])) for link in back)
    ending.unread = [
        link
        for link in ending.active
        if link not in back and not forgotten and (link.whole_at is None or link.whole_at < since)
    ]
    ending.waits = bool(ending.unread)
    for link in back if not ending.unread else ():
        link.gone = None
        ending.touched.append(link)
    for link in ending.pending:
        # Which came first, that end or this return, nobody can tell: nothing is deleted because of it.
        link.gone = {**(link.gone or {}), "unsure": True}
    if ending.record.tombstone and not forgotten:
        ending.record.tombstone = None
        scene.add(WHOLE, {"restored_in": [str(link.system) for link in back]}, "restored", cause="restored")


def came_back_for(links: Sequence[Link], scene: Scene) -> set[System]:
    """Systems in which a deleted object may be made anew: the policy says so, and somebody edited it since."""
    # An end before the last one is past: what was made anew for the edit after it has ended since.
    last = {link.system: link for link in sorted(links, key=lambda one: one.id) if link.state is LinkState.GONE}
    edited = {system for system, link in last.items() if (link.gone or {}).get("edited") is True}
    allowed = {system for system in edited if scene.policy.systems[system].recreate == "later_edit"}
    return allowed - {link.system for link in links if link.state is not LinkState.GONE}
