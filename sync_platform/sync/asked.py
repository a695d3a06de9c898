"""What people asked for since the last cycle is taken up: answers to reviews, marks to be tried again.

They only note what they want, at any time; the cycle, which alone decides, acts upon it here.
"""

from __future__ import annotations

from sync_platform.core.records import Entity
from sync_platform.ledger import asks, links
from sync_platform.sync import relink
from sync_platform.sync.hub import Hub

UNREADABLE = "UNREADABLE"


def take_up(hub: Hub, entity: Entity) -> None:
    """Records with an answered review are judged; marks to be tried again are lifted and their records planned anew.

    Records of which a person said that they are not one are told apart first.
    """
    with hub.ledger.read() as conn:
        if not asks.asked_for(conn, entity):
            return
    with hub.ledger.begin() as conn:
        relink.take_up(hub, conn, entity)
        dirty = set(asks.answered(conn, entity))
        marks = asks.retries(conn, entity)
        unreadable = [mark for mark in marks if mark.code == UNREADABLE and mark.link_id is not None]
        known = links.links_by_id(conn, [mark.link_id for mark in unreadable])
        for mark in unreadable:
            link = known.get(mark.link_id)
            if link is not None and mark.field in link.cells:
                # Read once more: as the change that it was, or, where nothing was ever agreed, as a first showing.
                cell = link.cells[mark.field]
                cell.base, cell.apart = cell.held, False
        links.save_judged(conn, known.values())
        asks.lift_marks(conn, [mark.id for mark in marks], hub.now())
        dirty |= {mark.record_id for mark in marks if mark.record_id}
        links.mark_dirty(conn, dirty)
