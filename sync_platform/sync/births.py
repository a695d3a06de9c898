"""Names of new records: drawn from the object that a record is born of, so that the same birth gives the same name.

A ledger that was put back from a backup does not know the records that were born since; the objects that were created
for them bear their names as markers. Born of the same object again, a record has the name that those markers bear; and
where such an object is met first, the record that it is a part of is born under the name that it bears.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sqlalchemy import Connection

from sync_platform.core.identity import Key, Known, Placement
from sync_platform.core.records import Decision, Entity, Link, Record, RecordId, System
from sync_platform.ledger import journal, links, outbox
from sync_platform.ledger.database import ledger_id
from sync_platform.sync.endings import ENDED
from sync_platform.sync.hub import Hub

# Before the kind of a key of a record that ended.
WAS = "was:"
_EVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Names:
    """Names for a batch of objects; `taken` are those under which a record is known, `born` those given out here."""

    hub: Hub
    ledger: uuid.UUID
    taken: dict[str, Entity] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)
    born: set[str] = field(default_factory=set)

    @classmethod
    def load(cls, hub: Hub, conn: Connection, batch: Sequence[Link]) -> Names:
        """Two statements."""
        names = cls(hub, uuid.UUID(ledger_id(conn)))
        asked = {one for link in batch for one in (names.own(link), link.marker) if one}
        for name, record in links.records_by_id(conn, sorted(asked)).items():
            names.taken[name] = record.entity
            if record.tombstone:
                names.ended.add(name)
        return names

    def own(self, link: Link) -> str:
        """The name of a record that is born of this object; empty where names are drawn."""
        return self.hub.name_of(self.ledger, link.system, link.entity, link.external_id)

    def of(self, link: Link) -> RecordId:
        """The name of the record that is born of this object."""
        name = self.own(link)
        if self._lost(link) and link.marker:
            name = link.marker
        if not name or name in self.taken or name in self.born:
            # The object had a record of its own before: this one is another.
            name = self.hub.new_id()
        self.born.add(name)
        return RecordId(name)

    def _lost(self, link: Link) -> bool:
        """Whether an object bears the name of a record that this ledger knew before it was put back."""
        if self.hub.restored_at is None or not link.marker or link.marker in self.taken:
            return False
        try:
            return uuid.UUID(link.marker).hex == link.marker
        except ValueError:
            return False

    def known(self, link: Link, placement: Placement, known: Known) -> Placement:
        """After a backup was put back: an object without a record may be what a lost one was born of, or a part of."""
        if self.hub.restored_at is None or placement.kind != "new":
            return placement
        for name in (self.own(link), link.marker or ""):
            there = name in self.born or (self.taken.get(name) is link.entity and name not in self.ended)
            if there and link.system not in known.linked.get(RecordId(name), set()):
                return Placement("link", RecordId(name), "born")
        return placement


@dataclass(slots=True)
class Former:
    """Records that ended by a delete, by the keys that they had: who bears one and was there before the end is theirs.

    Had it been read in time, it would have had a say in that end: what is first read after a delete elsewhere stays.
    """

    by_key: dict[Key, set[RecordId]] = field(default_factory=dict)
    records: dict[RecordId, Record] = field(default_factory=dict)
    there: dict[str, set[System]] = field(default_factory=dict)
    back: dict[RecordId, list[Link]] = field(default_factory=dict)
    # Ended records of which a create was given up there: it may have landed after all.
    made: set[tuple[str, System]] = field(default_factory=set)

    @classmethod
    def load(cls, conn: Connection, objects: Sequence[tuple[Link, Sequence[Key]]], ended: Collection[str]) -> Former:
        """For objects with their keys; `ended` are records that ended and that an object bears as its marker. One
        statement where nobody ended, four more else.
        """
        keys = {(WAS + kind, value) for _, found in objects for kind, value in found if kind in ("email", "number")}
        by_key = links.records_by_key(conn, sorted(keys)) if keys else {}
        found = sorted({str(one) for records in by_key.values() for one in records} | set(ended))
        if not found:
            return cls()
        records = {RecordId(name): one for name, one in links.records_by_id(conn, found).items()}
        tried = outbox.unanswered_creates(conn, sorted(ended), _EVER) if ended else ()
        made = {(str(intent.marker), intent.system) for intent in tried}
        return cls(by_key, records, links.active_systems(conn, found), made=made)

    def of(self, link: Link, keys: Sequence[Key]) -> Placement | None:
        """The one record that this object was a part of when it ended, or None."""
        if (link.marker, link.system) in self.made and self._free(link.marker or "", link):
            record = RecordId(link.marker or "")
            self.there.setdefault(str(record), set()).add(link.system)
            if (self.records[record].tombstone or {}).get("cause") != "deleted":
                # Nobody asked for an end: nothing was left, and something is.
                self.back.setdefault(record, []).append(link)
            return Placement("link", record, "late")
        found = {record for kind, value in keys for record in self.by_key.get((WAS + kind, value), ())}
        theirs = [one for one in sorted(found) if self._knew(self.records[one], link)]
        if len(theirs) != 1:
            return None
        record = theirs[0]
        self.there.setdefault(str(record), set()).add(link.system)
        self.back.setdefault(record, []).append(link)
        return Placement("link", record, "ended")

    def _knew(self, record: Record, link: Link) -> bool:
        told = record.tombstone or {}
        if link.created_at is None or not self._free(str(record.id), link):
            return False
        return link.created_at <= datetime.fromisoformat(told["at"])

    def _free(self, record: str, link: Link) -> bool:
        cause = (self.records[RecordId(record)].tombstone or {}).get("cause")
        return cause in ENDED and link.system not in self.there.get(record, set())

    def revive(self, hub: Hub, conn: Connection) -> None:
        """The records live on with what turned up; a decision of each says so."""
        number = journal.next_decision(conn)
        decisions = []
        for place, (name, found) in enumerate(sorted(self.back.items())):
            record = self.records[name]
            record.tombstone = None
            told = {"found_in": sorted(str(link.system) for link in found)}
            decisions.append(Decision(name, record.entity, "*", told, "found_later", number + place, cause="deleted"))
        if decisions:
            links.save_records(conn, [self.records[name] for name in sorted(self.back)], dirty={})
            journal.add_decisions(conn, decisions, policy=hub.policy.hash, at=hub.now(), run=hub.run)
