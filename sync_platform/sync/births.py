"""Names of new records: drawn from the object that a record is born of, so that the same birth gives the same name.

A ledger that was put back from a backup does not know the records that were born since; the objects that were created
for them bear their names as markers. Born of the same object again, a record has the name that those markers bear; and
where such an object is met first, the record that it is a part of is born under the name that it bears.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection

from sync_platform.core.identity import Known, Placement
from sync_platform.core.records import Entity, Link, RecordId
from sync_platform.ledger import links
from sync_platform.ledger.database import ledger_id
from sync_platform.sync.hub import Hub


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
