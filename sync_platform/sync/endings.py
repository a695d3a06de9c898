"""Deletes: what evidence that an object is gone means for its record, and what brings a record back.

Evidence is taken by the pull and waits at the link; here it is judged, in the transaction of the record's decisions.
The gone id stays for ever, and what is gone becomes active again by evidence alone: a fenced read that shows it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


@dataclass(slots=True)
class Ending:
    """One record's ends: its links, those whose end is not judged, and whether they still wait."""

    record: Record
    links: Sequence[Link]
    active: Sequence[Link]
    pending: list[Link]
    waits: bool = False
    # A write of ours is unsettled: a create may have made an object that no link knows yet.
    landing: bool = False
    # Ends that the brake holds: nothing follows from them until a person said so.
    held: list[Link] = field(default_factory=list)
    touched: list[Link] = field(default_factory=list)


def before(record: Record, links: Sequence[Link], late: Mapping[tuple[int, str], Any]) -> Ending:
    """Look at the links before the merge: what is unjudged there may be an edit that outlives the delete."""
    active = [link for link in links if link.state is LinkState.ACTIVE]
    ending = Ending(record, links, active, endings.pending(links))
    for link in ending.pending:
        gone = link.gone or {}
        if (link.id, WHOLE) in late:
            link.gone = {**gone, "kind": "by_us"}
        elif gone.get("edited") is not True and endings.edited_unknowingly(record, link, active, endings.MOVED):
            link.gone = {**gone, "edited": True}
        elif not gone.get("edited") and endings.edited_unknowingly(record, link, active):
            link.gone = {**gone, "edited": MOVED}
        elif endings.met_after(active):
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
    for link in ending.pending:
        gone = link.gone or {}
        if link in ending.held or gone.get("judged"):
            continue
        since = datetime.fromisoformat(gone["at"])
        # A round that began in the very moment of the evidence may have been before it.
        read_since = all(
            (at := polled.get(other.system)) is not None and at > since
            for other in ending.active
            if other.system != link.system
        )
        means = endings.verdict(scene.policy.systems[link.system].delete, link, read_since=read_since)
        if means is None:
            ending.waits = True
            continue
        link.gone = {**gone, "judged": means}
        _judged(hub, ending, scene, link, means)
    if not ending.active and ending.links and not (ending.record.tombstone or ending.waits or ending.held):
        # A merge that is not followed yet leaves a record without a link only until its survivor takes its place.
        if ending.landing or any(link.state is LinkState.BARRED and link.again for link in ending.links):
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
    """What came back is a new epoch: the record lives on, and nothing that is gone elsewhere comes with it."""
    back = [link for link in ending.active if (link.gone or {}).get("kind") == "restored"]
    if not back:
        return
    for link in back:
        link.gone = None
        ending.touched.append(link)
    if ending.record.tombstone and ending.record.tombstone.get("cause") != FORGOTTEN:
        ending.record.tombstone = None
        scene.add(WHOLE, {"restored_in": [str(link.system) for link in back]}, "restored", cause="restored")


def came_back_for(links: Sequence[Link], scene: Scene) -> set[System]:
    """Systems in which a deleted object may be made anew: the policy says so, and somebody edited it since."""
    out = set()
    for link in links:
        if link.state is not LinkState.GONE or (link.gone or {}).get("edited") is not True:
            continue
        if scene.policy.systems[link.system].recreate == "later_edit":
            out.add(link.system)
    return out - {link.system for link in links if link.state is not LinkState.GONE}
