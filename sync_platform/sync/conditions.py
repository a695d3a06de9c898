"""What must hold before an object is created: every system was listed, and read since the record was born.

Asked once for a batch of records.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from sync_platform.core.identity import Key
from sync_platform.core.plan import Facts
from sync_platform.core.records import Entity, Link, LinkState, Record, System
from sync_platform.ledger import asks, links
from sync_platform.sync import endings, order
from sync_platform.sync.hub import Feeds, Hub

LOOKED_AT = 300


@dataclass(slots=True)
class Conditions:
    """What a create needs to know, for a batch."""

    hub: Hub
    listed: dict[System, bool]
    polled: dict[System, Any]
    shared: dict[str, set[Key]]
    unread: set[System]
    parked: dict[str, dict[tuple[System, str], str]]
    keyed: bool
    unsettled: dict[str, set[System]]
    rounds: set[str] = field(default_factory=set)
    told_apart: dict[str, set[str]] = field(default_factory=dict)

    @classmethod
    def load(
        cls,
        hub: Hub,
        conn: Connection,
        entity: Entity,
        keys: Mapping[str, set[Key]],
        feeds: Feeds,
        unsettled: dict[str, set[System]],
    ) -> Conditions:
        """For records with these match keys; `feeds` is what was listed and polled."""
        strong = {key for found in keys.values() for key in found if key[0] in ("email", "phone")}
        holders = links.records_by_key(conn, strong) if strong else {}
        shared: dict[str, set[Key]] = {}
        for (kind, _), records in holders.items():
            for record in records if len(records) > 1 else ():
                others = {(kind, str(other)) for other in records if other != record}
                shared.setdefault(str(record), set()).update(others)
        unread = {s for s, e in order.DETAILED if e is entity and links.details_owed(conn, s, e, 1)}
        listed, polled = feeds
        return cls(
            hub,
            listed,
            polled,
            shared,
            unread,
            {},
            entity is Entity.CUSTOMER,
            unsettled,
            told_apart=asks.told_apart(conn, shared),
        )

    def facts(self, record: Record, all_links: Sequence[Link], ending: endings.Ending, made_anew: set[System]) -> Facts:
        """What a plan of this record may do; notes it in `rounds` where another reading is needed first."""
        active = {link.system for link in all_links if link.state is LinkState.ACTIVE}
        unread = any(link.detail for link in all_links if link.state is LinkState.ACTIVE)
        creatable = set()
        for system in self.hub.connectors if active and not ending.waits else ():
            others = [s for s in self.hub.connectors if s != system]
            if not all(self.listed.values()) or unread or str(record.id) in self.shared:
                continue
            if self.keyed and any(not self._read_since(record, other, active) for other in others):
                self.rounds.add(str(record.id))
                continue
            if system in self.unread and not self.hub.rehearsal:
                # Somebody whose phones were not read yet may be this person: the target is not fully listed.
                self.rounds.add(str(record.id))
                continue
            creatable.add(system)
        return Facts(
            creatable=creatable,
            ever_linked={link.system for link in all_links} - made_anew,
            parked=self.parked.get(str(record.id), {}),
            wanted=record.wanted,
            unsettled=self.unsettled.get(str(record.id), set()),
        )

    def _read_since(self, record: Record, system: System, active: set[System]) -> bool:
        """A system that already has a link cannot show this person again as somebody new to us."""
        if system in active or self.hub.rehearsal:
            return True
        at = self.polled.get(system)
        return at is not None and (record.born_at is None or at >= record.born_at)


def rounds_needed(hub: Hub, entity: Entity) -> set[System]:
    """Systems to read once more because a record was born since; a batch of dirty ones is looked at."""
    if entity is not Entity.CUSTOMER:
        return set()
    with hub.ledger.read() as conn:
        dirty = links.dirty_records(conn, entity, LOOKED_AT)
        if not dirty:
            return set()
        listed, polled = hub.listed_and_polled(conn, entity)
        if not all(listed.values()):
            return set()
        newest = max((record.born_at for record in dirty if record.born_at), default=None)
    if newest is None:
        return set()
    return {system for system, at in polled.items() if system not in hub.troubled and (at is None or at < newest)}
