"""The order of what a system shows against our own writes, and what its lists hide: pure, over one link and one row.

Times never decide whether something changed; they decide only which of two showings is the later one.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sync_platform.core.mappings import FieldMap, observe
from sync_platform.core.records import UNSET, Channel, Entity, Json, Link, LinkState, Row, System

# Systems whose lists hide attributes that only a read by id shows (Gorgias: channels are absent from list rows [rec]).
DETAILED = {(System.GORGIAS, Entity.CUSTOMER)}
UPDATED, HAS_MORE, REST = 1, 2, 3
MARKERS = {System.GORGIAS: "external_id", System.HUBSPOT: "sync_id", System.ERP: "sync_marker"}
# How far the clock of a system may be from ours.
CLOCKS_APART_S = 5.0


def stays(mapping: FieldMap, old: Json, new: Json) -> bool:
    """Whether what a system showed first outlasts a later showing (the first message of a ticket)."""
    return old is not UNSET and mapping.keep is not None and mapping.keep(old, new)


def overtakes(link: Link, row: Row, fields: dict[str, Json], maps: dict[str, FieldMap]) -> bool:
    """A shadow never steps over a change that nobody judged, and no end does."""
    if row.evidence is not None:
        return link.state is LinkState.ACTIVE and any(cell.changed for cell in link.cells.values())
    return any(
        name in link.cells and link.cells[name].changed and link.cells[name].shadow != theirs
        for name, theirs in fields.items()
        if name in maps
    )


def order(link: Link, row: Row, differs: bool, begun: int | None) -> str:
    """take, later (an own write is unsettled), ignore (older than what we know), hint (read by id)."""
    if link.unsettled:
        # What was gone and stands there is news, whatever it shows.
        return "later" if differs or link.state is LinkState.GONE else "ignore"
    if begun is not None and row.channel in (Channel.BY_ID, Channel.SWEEP):
        return "take" if begun >= link.fence else "later"
    if row.version is not None and link.version is not None:
        if row.version != link.version:
            return "take" if row.version > link.version else "ignore"
        # Other content of the same version: a field that was not looked at before is read, or read again.
        return "hint" if differs and _shown_before(link, row) else "take"
    if row.stamp is None or link.stamp is None:
        return "take"
    if row.stamp < link.stamp:
        return "ignore"
    if row.stamp == link.stamp and differs and _shown_before(link, row):
        return "hint"
    return "take"


def _shown_before(link: Link, row: Row) -> bool:
    """A row with an equal stamp may add fields that were unread; only other content of known fields is a hint."""
    fields = observe(row.system, row.entity, row.attributes)
    return any(
        name in link.cells and link.cells[name].shadow is not UNSET and link.cells[name].shadow != theirs
        for name, theirs in fields.items()
    )


def owe(link: Link, row: Row, newer: bool, fresh_list: bool) -> bool:
    """A list row of a system whose lists hide attributes: an updated object is read at once, a listed one later."""
    if (row.system, row.entity) not in DETAILED or row.channel is Channel.BY_ID or row.channel is Channel.ANSWER:
        return False
    if link.id and not newer:
        # Not owed because the data say so, but because the stamp does not tell: the lower bound leaves it out.
        unsure = not link.detail and not link.again and _may_hide(link, row)
        link.again |= unsure
        return unsure
    priority = REST if fresh_list else UPDATED
    if link.id and fresh_list and link.stamp is not None:
        priority = UPDATED
    if link.detail == 0 or priority < link.detail:
        link.detail = priority
        return True
    return False


def _may_hide(link: Link, row: Row) -> bool:
    """Whether an object may have been edited after its last read by id and still bear the stamp that it bore then.

    A stamp to the microsecond is no edit's but its own. A coarser one covers all edits of its second (or millisecond):
    only a read after the end of that time, by whichever clock, showed the last of them.
    """
    if row.stamp is None or row.stamp != link.stamp or row.stamp.microsecond % 1000:
        return False
    ends = row.stamp + timedelta(milliseconds=1 if row.stamp.microsecond else 1000, seconds=CLOCKS_APART_S)
    return link.whole_at is None or link.whole_at < ends


def move(link: Link, row: Row, fresh: dict[str, Json], begun: int | None, now: datetime) -> None:
    """Take a showing: shadows, stamp, version and marker of the link; a read by id also ends what waited for one."""
    for name, theirs in fresh.items():
        link.cell(name).move(theirs, link.stamp, row.stamp)
        link.cell(name).apart = False
    if row.stamp is not None:
        link.stamp = row.stamp if link.stamp is None or begun is not None else max(row.stamp, link.stamp)
    if row.version is not None:
        link.version = row.version
    if row.carry is not None:
        link.carry = row.carry
    if begun is not None:
        link.detail = 0
        link.again = False
    marker = row.attributes.get(MARKERS[row.system])
    if isinstance(marker, str) and marker:
        link.marker = marker
    link.read_at = now
    if link.state is LinkState.GONE and begun is not None:
        link.state = LinkState.ACTIVE
        link.new_epoch()
        link.gone = {"kind": "restored", "at": now.isoformat()}
    elif link.gone and begun is not None and link.gone["kind"] != "restored":
        link.gone = None
