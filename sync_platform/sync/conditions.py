"""What must hold before an object is created: every system was listed, and read since the record was born.

Asked once for a batch of records.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from sync_platform.core.identity import Key
from sync_platform.core.mappings import attributes_of, match_keys
from sync_platform.core.plan import Facts
from sync_platform.core.records import Entity, Link, LinkState, Record, RecordId, System
from sync_platform.ledger import asks, links, placing
from sync_platform.sync import endings, order
from sync_platform.sync.births import WAS
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
    # E-mails by record that another record, which nobody told apart from it, holds as well.
    elsewhere: dict[str, set[str]] = field(default_factory=dict)
    # Systems in which what is left of an ended record holds one of these keys.
    held_by_ended: Callable[[str], set[System]] = lambda _record: set()
    # Match keys by record, as they were before it was judged.
    keys: Mapping[str, set[Key]] = field(default_factory=dict)
    # Records of which a person is asked whether they are one with this.
    asked_of: Callable[[str], set[str]] = lambda _record: set()

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
        told_apart = asks.told_apart(conn, shared)
        over = _over_unplaced(hub, conn, entity)
        return cls(
            hub,
            listed,
            polled,
            shared,
            unread,
            {},
            entity is Entity.CUSTOMER,
            unsettled,
            told_apart=told_apart,
            elsewhere=_elsewhere(holders, told_apart),
            held_by_ended=lambda record: (
                _held_by_ended(conn, record, keys.get(record, ())) | over(keys.get(record, ()))
            ),
            keys=keys,
            asked_of=lambda record: _asked_of(conn, record, {str(one) for _, one in shared.get(record, ())}),
        )

    def said(self, conn: Connection, record: str, said: Collection[Key]) -> None:
        """Of the keys that a record says, those that this judgement alone gave it, by an answer or an undo: who else
        holds them is known before anything is written, as with what a system shows."""
        addresses = sorted(key for key in {*said} - self.keys.get(record, set()) if key[0] == "email")
        holders = {key: {*held, RecordId(record)} for key, held in links.records_by_key(conn, addresses).items()}
        others = {(kind, str(one)) for (kind, _), held in holders.items() for one in held if one != record}
        if not others:
            return
        self.shared.setdefault(record, set()).update(others)
        self.told_apart[record] = asks.told_apart(conn, [record]).get(record, set())
        found = _elsewhere(holders, self.told_apart)
        self.elsewhere.setdefault(record, set()).update(found.get(record, set()))

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
        ever_linked = {link.system for link in all_links} - made_anew
        if creatable - active - ever_linked:
            creatable -= self.held_by_ended(str(record.id))
        return Facts(
            creatable=creatable,
            ever_linked=ever_linked,
            parked=self.parked.get(str(record.id), {}),
            wanted=record.wanted,
            unsettled=self.unsettled.get(str(record.id), set()),
            elsewhere=self.elsewhere.get(str(record.id), set()),
        )

    def _read_since(self, record: Record, system: System, active: set[System]) -> bool:
        """A system that already has a link cannot show this person again as somebody new to us."""
        if system in active or self.hub.rehearsal:
            return True
        at = self.polled.get(system)
        return at is not None and (record.born_at is None or at >= record.born_at)


def _elsewhere(
    holders: Mapping[Key, Collection[RecordId]], told_apart: Mapping[str, Collection[str]]
) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for (kind, value), records in holders.items():
        for record in map(str, records if kind == "email" and len(records) > 1 else ()):
            if {str(other) for other in records} - {record} - set(told_apart.get(record, ())):
                found.setdefault(record, set()).add(value)
    return found


def _held_by_ended(conn: Connection, record: str, keys: Collection[Key]) -> set[System]:
    """What a record left behind where the policy unlinks is kept equal with nobody, and its address is still taken.

    While it is asked whether an ended record and this one are the same, what was deleted there is not made anew either.
    """
    was = [(WAS + kind, value) for kind, value in sorted(keys) if kind == "email"]
    ended = {str(one) for records in links.records_by_key(conn, was).values() for one in records} if was else set()
    there = links.active_systems(conn, sorted(ended)) if ended else {}
    asked = _asked_of(conn, record, ended) & ended if ended else set()
    stood = links.links_of(conn, sorted(asked)) if asked else {}
    return {one for found in there.values() for one in found} | {link.system for of in stood.values() for link in of}


def _over_unplaced(hub: Hub, conn: Connection, entity: Entity) -> Callable[[Collection[Key]], set[System]]:
    """A function that gives the systems in which somebody under one of these e-mails ended before they had a record,
    and was not placed since: until it is known whose that was, nobody is made anew there. Asks the ledger once.
    """
    held: dict[Key, set[System]] | None = None

    def of(keys: Collection[Key]) -> set[System]:
        nonlocal held
        if held is None:
            held = {}
            keys_of = key_reader(hub, entity)
            matched = {name for maps in hub.maps(entity).values() for name, mapping in maps.items() if mapping.match}
            for link in placing.left_over(conn, entity, matched):
                for key in keys_of(link):
                    held.setdefault(key, set()).add(link.system)
        return {system for key in keys if key[0] == "email" for system in held.get(key, ())}

    return of


def _asked_of(conn: Connection, record: str, others: set[str]) -> set[str]:
    """Which of `others` share an open question of identity with this record, asked from whichever side."""
    found: set[str] = set()
    for row in asks.identity_reviews(conn, sorted({record, *others})):
        named = {str(row.record_id), *(str(claim["record"]) for claim in row.claims or ())}
        found |= named - {record} if record in named else set()
    return found


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


def key_reader(hub: Hub, entity: Entity) -> Callable[[Link], list[Key]]:
    """A function that gives all match keys that a link shows now, first the marker of ours that it carries."""
    lexicons = {system: hub.lexicon(system, entity) for system in hub.connectors}
    matched = {
        system: [(name, mapping) for name, mapping in maps.items() if mapping.match]
        for system, maps in hub.maps(entity).items()
    }

    def keys_of(link: Link) -> list[Key]:
        attributes: dict[str, Any] = {}
        for name, mapping in matched.get(link.system, ()):
            cell = link.cells.get(name)
            if cell is not None and not cell.unread:
                attributes |= attributes_of(mapping, cell.shadow)
        keys: list[Key] = [("marker", link.marker)] if link.marker else []
        if attributes:
            keys += match_keys(link.system, entity, attributes, lexicons[link.system])
        return keys

    return keys_of
