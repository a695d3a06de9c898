"""Merges: a link whose object was merged away is followed to the survivor; two records that became one are made one.

Nothing is deleted and nothing created because of it. The old id stays, as an alias of the record that lives on. What a
survivor shows is judged by the first-link rule, never as fresh edits; what the other record held goes to a decision.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select, update

from sync_platform.core import endings
from sync_platform.core.records import UNSET, Decision, Entity, Json, Lane, Link, LinkState, Record, RecordId
from sync_platform.errors import BadInput
from sync_platform.ledger import journal, links, outbox
from sync_platform.sync.conditions import key_reader
from sync_platform.sync.endings import ENDED, FORGOTTEN
from sync_platform.sync.evidence import UNREAD
from sync_platform.sync.hub import Hub, Step

IDENTITY = ("twin", "ambiguous", "merge")


def follow(hub: Hub, entity: Entity, step: Step) -> None:
    """Follow every merge that was seen and not followed yet, each in a transaction of its own."""
    with hub.ledger.read() as conn:
        waiting = links.to_follow(conn, entity)
    for link in waiting:
        with hub.ledger.begin() as conn:
            if _Merge(hub, conn, entity).follow(link):
                step.count("merged")


@dataclass(slots=True)
class _Merge:
    """One merge, in the caller's transaction."""

    hub: Hub
    conn: Connection
    entity: Entity

    def follow(self, link: Link) -> bool:
        """Whether it was followed; while a write to either record is unsettled it waits."""
        target = self._survivor(link)
        if target is not None and target.state is LinkState.GONE and link.record_id is not None:
            # Merged into something that was deleted since: that is this record's end there as well, until it is back.
            into, link.into = link.into, None
            link.state, link.again, link.awaits = LinkState.GONE, False, links.return_of(target)
            link.gone = {"kind": "deleted", "at": self.hub.now().isoformat(), "run": self.hub.run, "into": into}
            links.save_links(self.conn, [link])
            self._dirty(link.record_id)
            return True
        bears = self._bears(link, target)
        owners = [str(one) for one in (link.record_id, bears or (target.record_id if target else None)) if one]
        if outbox.unsettled_of(self.conn, owners):
            return False
        if target is not None and bears is not None:
            target.record_id = bears
            links.save_links(self.conn, [target])
        link.again = False
        links.save_links(self.conn, [link])
        if link.record_id is None:
            return True
        if target is None or target.record_id is None:
            self._repoint(link, target)
        elif target.record_id != link.record_id:
            self._join(link, target)
        self._dirty(*owners)
        return True

    def _dirty(self, *records: str | None) -> None:
        links.mark_dirty(self.conn, [str(one) for one in records if one])

    def _survivor(self, link: Link) -> Link | None:
        """The end of the chain of merges; None where we never saw it."""
        seen = {link.external_id}
        into = link.into
        while into is not None:
            found = links.links_by_external(self.conn, link.system, self.entity, [into]).get(into)
            if found is None or found.state is not LinkState.BARRED or into in seen:
                return found
            seen.add(into)
            into = found.into
        return None

    def _bears(self, link: Link, target: Link | None) -> RecordId | None:
        """Another record whose e-mail a survivor bears that is part of none yet, and that had no object there: the
        survivor is theirs, and the two are one."""
        if link.record_id is None or target is None or target.record_id is not None or target.id == 0:
            return None
        emails = [key for key in key_reader(self.hub, self.entity)(target) if key[0] == "email"]
        held = {one for of in links.records_by_key(self.conn, emails).values() for one in of} - {link.record_id}
        if len(held) != 1:
            return None
        (other,) = held
        if any(one.system is link.system for one in links.links_of(self.conn, [str(other)])[str(other)]):
            # Who has, or had, an object there comes to it by that one's own merge, or keeps it.
            return None
        return None if links.records_by_id(self.conn, [str(other)])[str(other)].tombstone else other

    def _repoint(self, link: Link, target: Link | None) -> None:
        """The survivor takes the place of the old id; it is read by id before anything is said of its values."""
        last = link
        while (
            found := links.links_by_external(self.conn, link.system, self.entity, [str(last.into)])
        ) and target is None:
            last = found[str(last.into)]
        target = target or Link(0, None, link.system, self.entity, str(last.into))
        taken = links.active_systems(self.conn, [str(link.record_id)]).get(str(link.record_id), set())
        if link.system in taken:
            return
        target.record_id, target.again = link.record_id, True
        target.new_epoch()
        ended = links.records_by_id(self.conn, [str(link.record_id)])[str(link.record_id)].tombstone
        if ended and ended.get("cause") in ENDED:
            # Merged away after an end that was told before: they were taken back, and live on in the survivor.
            target.gone = {"kind": "restored", "at": self.hub.now().isoformat()}
        links.save_links(self.conn, [target])

    # two records

    def _join(self, link: Link, target: Link) -> None:
        owners = [str(link.record_id), str(target.record_id)]
        records = links.records_by_id(self.conn, owners)
        if any((one.tombstone or {}).get("cause") == FORGOTTEN for one in records.values()):
            # Nothing of somebody who is being forgotten becomes another's.
            return
        kept, other = sorted((records[one] for one in owners), key=seniority)
        theirs = links.links_of(self.conn, owners)
        there = [{one.system for one in theirs[str(r.id)] if one.state is LinkState.ACTIVE} for r in (kept, other)]
        if there[0] & there[1]:
            self._twins(link, kept, other)
        else:
            self._absorb(link, target, kept, other, theirs)

    def _twins(self, link: Link, kept: Record, other: Record) -> None:
        """Merged in one system and apart in another: both live on, their match keys do not travel, a person decides."""
        records = (kept, other)
        for record in records:
            record.twin = True
        links.save_records(self.conn, records, dirty={str(record.id): True for record in records})
        claims = [{"key": f"merged:{link.system}", "record": str(kept.id)}]
        journal.open_review(
            self.conn,
            [
                {
                    "kind": "merge",
                    "entity": str(self.entity),
                    "record_id": str(other.id),
                    "link_id": link.id,
                    "field": None,
                    "claims": claims,
                    "at": self.hub.now(),
                }
            ],
        )

    def _absorb(self, lost: Link, target: Link, kept: Record, other: Record, theirs: dict[str, list[Link]]) -> None:
        """All links of one record become the other's; what it held is told by a decision."""
        moved = theirs[str(other.id)]
        kept_too = [one for record in (kept, other) for one in self._edited_unknowingly(record, theirs[str(record.id)])]
        for link in moved:
            link.record_id = kept.id
            if link.state is LinkState.ACTIVE:
                link.new_epoch()
        survivor = next((one for one in theirs[str(kept.id)] if one.id == target.id), None)
        if survivor is not None:
            # What moved to it with the merge is not somebody's edit.
            survivor.new_epoch()
            survivor.again = True
        links.save_links(
            self.conn, {one.id: one for one in [*moved, *kept_too, *([survivor] if survivor else [])]}.values()
        )
        self._tell(kept, other, self._never_judged(lost))
        self._end(kept, other)
        if self.entity is Entity.CUSTOMER:
            self._move_tickets(kept, other)

    def _edited_unknowingly(self, record: Record, found: Sequence[Link]) -> list[Link]:
        """Links of objects that may be gone by now and were not shown what somebody edited: it would outlive their end.

        What says so, an open contest and what each was shown, ends with the merge; a read by id that finds it lifts it.
        """
        active = [one for one in found if one.state is LinkState.ACTIVE]
        out = [one for one in active if one.again and endings.edited_unknowingly(record, one, active, endings.MOVED)]
        for link in out:
            link.gone = {"kind": UNREAD, "at": self.hub.now().isoformat()} | (link.gone or {}) | {"edited": True}
        return out

    def _never_judged(self, lost: Link) -> dict[str, Json]:
        """What the one who was merged away showed and nobody judged before: told with the merge, or never."""
        lexicon = self.hub.lexicon(lost.system, self.entity)
        out: dict[str, Json] = {}
        for name, mapping in self.hub.maps(self.entity)[lost.system].items():
            cell = lost.cells.get(name)
            if cell is None or cell.unread or cell.base is not UNSET:
                continue
            try:
                value = mapping.get(cell.shadow, None, lexicon)
            except BadInput:
                continue
            if value is not UNSET:
                out[name] = value
        return out

    def _tell(self, kept: Record, other: Record, further: dict[str, Json]) -> None:
        held = further | other.fields
        number = journal.next_decision(self.conn)
        told = Decision(kept.id, self.entity, "*", {"merged": str(other.id)}, "merge", number, None, (), held, "merge")
        self._decide([told])

    def _decide(self, decisions: Sequence[Decision]) -> None:
        hub = self.hub
        journal.add_decisions(self.conn, decisions, policy=hub.policy.hash, at=hub.now(), run=hub.run)

    def _end(self, kept: Record, other: Record) -> None:
        now = self.hub.now()
        other.tombstone = {"cause": "merged", "into": str(kept.id), "at": now.isoformat(), "means": "merge"}
        other.contests, other.reviews = {}, {}
        kept.settled = kept.settled or other.settled
        mine = links.keys_of(self.conn, [str(other.id)]).get(str(other.id), set())
        links.drop_keys(self.conn, [(kind, value, str(other.id)) for kind, value in mine])
        # Whoever bears one of these, and is placed before this record is judged again, finds it by them.
        if not kept.tombstone:
            links.save_keys(self.conn, [(kind, value, str(kept.id)) for kind, value in mine])
        outbox.replace_planned(self.conn, [str(other.id)], [], at=now, run=self.hub.run, lane=Lane.DELTA)
        self._close_reviews(kept, other, now)
        kept.twin = self._still_asked(kept)
        links.save_records(self.conn, [other], dirty={})
        links.save_records(self.conn, [kept], dirty={str(kept.id): True})
        if other.wanted:
            links.mark_wanted(self.conn, [str(kept.id)])

    def _close_reviews(self, kept: Record, other: Record, now: Any) -> None:
        """What was asked about the two of them is answered; a field's question ends with its record."""
        review = journal.REVIEW
        both = {str(kept.id), str(other.id)}
        rows = self.conn.execute(
            select(review.c.id, review.c.record_id, review.c.kind, review.c.claims).where(
                review.c.record_id.in_(both), review.c.state == "open"
            )
        ).all()
        done = [
            row.id
            for row in rows
            if (row.kind in IDENTITY and {claim.get("record") for claim in row.claims or []} <= both)
            or (row.kind == "field" and row.record_id == str(other.id))
        ]
        self.conn.execute(update(review).where(review.c.id.in_(done)).values(state="merged", closed_at=now))
        self.conn.execute(update(review).where(review.c.record_id == str(other.id)).values(record_id=str(kept.id)))

    def _still_asked(self, kept: Record) -> bool:
        review = journal.REVIEW
        asked = select(review.c.id).where(
            review.c.record_id == str(kept.id), review.c.state == "open", review.c.kind.in_(IDENTITY)
        )
        return self.conn.execute(asked.limit(1)).first() is not None

    def _move_tickets(self, kept: Record, other: Record) -> None:
        """Tickets of the one are the other's: the systems' own references say so by now, or will."""
        record = links.RECORD
        children = self.conn.execute(select(record.c.id).where(record.c.parent == str(other.id))).scalars().all()
        tickets = list(links.records_by_id(self.conn, list(children)).values())
        number = journal.next_decision(self.conn)
        decisions = []
        for place, ticket in enumerate(tickets):
            ticket.fields["customer"], ticket.decided["customer"] = str(kept.id), number + place
            decisions.append(
                Decision(
                    RecordId(ticket.id), Entity.TICKET, "customer", str(kept.id), "merge", number + place,
                    None, (), str(other.id), "merge",
                )
            )  # fmt: skip
        self._decide(decisions)
        links.save_records(self.conn, tickets, dirty={str(ticket.id): True for ticket in tickets})
        waiting = [link for found in links.links_of(self.conn, [str(kept.id)]).values() for link in found]
        links.mark_awaiting(self.conn, [f"{link.system}:{link.external_id}" for link in waiting])


def seniority(record: Record) -> tuple[Any, ...]:
    """Which of two records lives on: one that has not ended, is sure of itself, was judged, is older; then ids.

    A record that was ended by somebody's delete must not take a living one with it.
    """
    age = record.born_at.isoformat() if record.born_at else ""
    return (bool(record.tombstone), record.twin, not record.settled, age, str(record.id))
