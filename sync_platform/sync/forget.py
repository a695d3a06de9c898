"""Erasure: somebody is deleted in every system that the policy names, purged from the ledger, and kept out for good.

The hashes commit first: whatever happens afterwards, nothing of them comes in again. The ledger is purged last, when
every system has said that the objects are gone: until then it alone knows which objects those are, and the command can
be repeated.
"""

from __future__ import annotations

import getpass
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, insert, select

from sync_platform.connectors.protocol import Change, Outcome
from sync_platform.core import normalize
from sync_platform.core.records import Entity, Lane, Link, LinkState, System, Verb
from sync_platform.errors import Misconfigured, NotFound
from sync_platform.ledger import erasure, journal, links, outbox
from sync_platform.ledger.database import Ledger
from sync_platform.ledger.erasure import Person
from sync_platform.ledger.lease import Lease
from sync_platform.ledger.tables import PersonActRow
from sync_platform.settings import Settings
from sync_platform.sync.cycle import open_hub
from sync_platform.sync.hub import Hub
from sync_platform.sync.keep_out import KEY
from sync_platform.sync.names import find

ACT = PersonActRow.__table__  # type: ignore[attr-defined]
ADDRESSES = frozenset({"email", "email_2", "phone"})
SHORTEST = 6


def forget(settings: Settings, what: str, *, sure: bool) -> dict[str, Any]:
    """Erase `customer:<e-mail>` or a record's person; without `sure` only say what would be done.

    Raises Misconfigured without SYNC_ERASURE_KEY, or where writing is off and the policy lets something be deleted;
    NotFound for a name that is no e-mail and nobody's; AnotherCycleRuns.
    """
    key = settings.secret(KEY)
    if not key:
        raise Misconfigured(
            f"{KEY} is not set", remedy=f"Set {KEY} to a long random text and keep it: it is needed for good."
        )
    run = uuid.uuid4().hex
    ledger = Ledger.open(settings.ledger_url, migrate=False)
    try:
        with ledger.read() as conn:
            if not erasure.same_key(conn, key):
                raise Misconfigured(f"{KEY}: the key is another one", remedy=f"Set {KEY} to the key used before.")
        lease = Lease.take(ledger, run, wait_s=5.0)
        try:
            with open_hub(settings, run=run, ledger=ledger) as hub:
                return Forgetting(hub, key).carry_out(what, settings.sync_phone_region, sure=sure)
        finally:
            lease.release()
    finally:
        ledger.close()


@dataclass(slots=True)
class Forgetting:
    """One erasure over one hub."""

    hub: Hub
    key: str
    systems: list[dict[str, Any]] = field(default_factory=list)

    def carry_out(self, what: str, region: str, *, sure: bool) -> dict[str, Any]:
        """The proof (or, without `sure`, what it would be about). `done` is false while an object is still there."""
        email = _email_of(what)
        with self.hub.ledger.read() as conn:
            person = self._person(conn, what, region, email)
            self._maybe_landed(conn, person)
        objects = self._objects(person)
        if not sure:
            return self._proof(person, objects, done=False, hashes=0, purged={}, left=0) | {"waits": True}
        if not self.hub.writes and objects:
            raise Misconfigured(
                "writing is off: nothing may be deleted in the systems",
                remedy="Set SYNC_WRITES=on, or `erase: ledger` for each system in the policy.",
            )
        hashes = set(self._hashes(person, email))
        with self.hub.ledger.begin() as conn:
            erasure.keep_out(conn, self.key, hashes, self.hub.now())
        # Every system is asked, also when one of them did not do it.
        answers = [self._erase(system, entity, found) for (system, entity), found in objects.items()]
        done = all(answers)
        purged: dict[str, int] = {}
        left = 0
        if done:
            with self.hub.ledger.begin() as conn:
                purged = erasure.purge(conn, person)
                left = erasure.mentions(conn, person.texts | set(person.records))
                self._note(conn, person, purged)
        return self._proof(person, objects, done=done and not left, hashes=len(hashes), purged=purged, left=left)

    # who it is

    def _person(self, conn: Connection, what: str, region: str, email: str | None) -> Person:
        try:
            record = find(conn, what, region)
        except NotFound:
            if email is None:
                raise
            return Person([], [], {email})
        table = links.RECORD
        records = [record]
        merged = conn.execute(select(table.c.id, table.c.tombstone).where(table.c.tombstone.is_not(None)))
        records += [row.id for row in merged if (row.tombstone or {}).get("into") == record]
        records += conn.execute(select(table.c.id).where(table.c.parent.in_(records))).scalars().all()
        found = [link for some in links.links_of(conn, records).values() for link in some]
        texts = self._texts(conn, records, found) | ({email} if email else set())
        return Person(records, found, texts)

    def _texts(self, conn: Connection, records: list[str], found: list[Link]) -> set[str]:
        """Addresses that the ledger ever held of this person: what is shown now, and what was decided."""
        out = {
            value
            for some in links.keys_of(conn, records).values()
            for kind, value in some
            if kind in ("email", "phone")
        }
        for link in found:
            for name in ADDRESSES & set(link.cells):
                cell = link.cells[name]
                out |= set(_words([cell.shadow, cell.base, cell.held, cell.image]))
        decision = journal.DECISION
        rows = conn.execute(
            select(decision.c.value, decision.c.replaced).where(
                decision.c.record_id.in_(records), decision.c.field.in_(ADDRESSES)
            )
        )
        for row in rows:
            out |= set(_words([row.value, row.replaced]))
        return {text for text in out if len(text) >= SHORTEST}

    def _maybe_landed(self, conn: Connection, person: Person) -> None:
        """A create whose answer was lost may have made an object that no link knows: it is looked up by its marker."""
        for intent in outbox.unsettled(conn):
            if intent.record_id not in person.records or intent.verb is not Verb.CREATE:
                continue
            marker = [("marker", str(intent.marker))]
            for _, row in self.hub.connectors[intent.system].lookup(intent.entity, marker, lane=Lane.INTERACTIVE):
                person.links.append(Link(0, intent.record_id, intent.system, intent.entity, row.external_id))

    def _objects(self, person: Person) -> dict[tuple[System, Entity], list[Link]]:
        """What is to be deleted there, tickets before their customer; what was archived lies in a bin and goes too."""
        out: dict[tuple[System, Entity], list[Link]] = {}
        for entity in (Entity.TICKET, Entity.CUSTOMER):
            for system, policy in self.hub.policy.entities[entity].systems.items():
                found = [one for one in person.links if (one.system, one.entity) == (system, entity)]
                found = [one for one in found if one.state is LinkState.ACTIVE or _in_bin(one)]
                if found and policy.erase == "delete":
                    out[system, entity] = found
        return out

    def _hashes(self, person: Person, email: str | None) -> Iterable[str]:
        for link in person.links:
            yield erasure.object_hash(self.key, link.system, link.entity, link.external_id)
        for text in person.texts | ({email} if email else set()):
            address = normalize.email(text)
            if address:
                yield erasure.keyed(self.key, "email", address)

    # there

    def _erase(self, system: System, entity: Entity, found: list[Link]) -> bool:
        """Whether all of them are gone there: by the answer, else by a read of the id."""
        connector = self.hub.connectors[system]
        by_token = {str(place): link for place, link in enumerate(found)}
        changes = [Change(token, entity, Verb.ERASE, link.external_id) for token, link in by_token.items()]
        doubtful = set(by_token)
        codes: set[str] = set()
        for receipt in connector.apply(changes, lane=Lane.INTERACTIVE):
            if receipt.outcome is Outcome.DONE or receipt.code == "NOT_FOUND":
                doubtful.discard(receipt.token)
            elif receipt.code:
                codes.add(receipt.code)
        ids = [by_token[token].external_id for token in doubtful]
        left = (
            [row for row in connector.fetch(entity, ids, lane=Lane.INTERACTIVE) if row.evidence is None] if ids else []
        )
        self.systems.append(
            {
                "system": str(system),
                "entity": str(entity),
                "erased": len(found) - len(left),
                "left": len(left),
                "codes": sorted(codes) if left else [],
            }
        )
        return not left

    # here

    def _note(self, conn: Connection, person: Person, purged: dict[str, int]) -> None:
        """That it was done, when, and what was purged: without a word that says who it was."""
        subject = erasure.keyed(self.key, "proof", *sorted(person.records or person.texts))[:16]
        why = ", ".join(f"{name} {rows}" for name, rows in sorted(purged.items())) or "nothing was known"
        row = {"verb": "forget", "subject": subject, "who": getpass.getuser(), "why": why, "at": self.hub.now()}
        conn.execute(insert(ACT), [row])

    def _proof(
        self,
        person: Person,
        objects: dict[tuple[System, Entity], list[Link]],
        *,
        done: bool,
        hashes: int,
        purged: dict[str, int],
        left: int,
    ) -> dict[str, Any]:
        kept = {(one.system, one.entity) for one in person.links if one.state is LinkState.ACTIVE} - set(objects)
        return {
            "done": done,
            "records": len(person.records),
            "objects": [
                {"system": str(system), "entity": str(entity), "count": len(found)}
                for (system, entity), found in objects.items()
            ],
            "systems": self.systems,
            "only_in_ledger": [{"system": str(system), "entity": str(entity)} for system, entity in sorted(kept)],
            "purged": dict(sorted(purged.items())),
            "mentions_left": left,
            "kept_out_by": hashes,
            "at": self.hub.now().isoformat(),
        }


def _email_of(what: str) -> str | None:
    kind, _, rest = what.rpartition(":")
    return normalize.email(rest) if kind in ("", "customer") and "@" in rest else None


def _in_bin(link: Link) -> bool:
    return link.system is System.HUBSPOT and link.entity is Entity.CUSTOMER and link.state is LinkState.GONE


def _words(values: Iterable[Any]) -> Iterable[str]:
    for value in values:
        if isinstance(value, str):
            yield value
        elif isinstance(value, list):
            yield from _words(value)
