"""Erasure: somebody is deleted in every system that the policy names, purged from the ledger, and kept out for good.

The hashes commit first, and with them the end of the records: whatever happens afterwards, nothing of them comes in
again and nothing more is written of them. The deletes are intents like any other, committed before the call. The ledger
is purged last, when every system has said that the objects are gone: until then it alone knows which objects those are,
and the command can be repeated.
"""

from __future__ import annotations

import getpass
import uuid
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection, insert, select

from sync_platform.connectors.protocol import Change, Outcome, Receipt
from sync_platform.core import normalize
from sync_platform.core.mappings import match_keys
from sync_platform.core.records import (
    Decision,
    Entity,
    IntentState,
    Lane,
    Link,
    LinkState,
    PlannedWrite,
    Record,
    RecordId,
    System,
    Verb,
)
from sync_platform.errors import Misconfigured, NotFound, SyncError
from sync_platform.ledger import erasure, journal, links, outbox
from sync_platform.ledger.database import Ledger
from sync_platform.ledger.erasure import Person
from sync_platform.ledger.lease import Lease
from sync_platform.ledger.outbox import Intent
from sync_platform.ledger.tables import PersonActRow
from sync_platform.settings import Settings
from sync_platform.sync.cycle import open_hub
from sync_platform.sync.endings import FORGOTTEN, WHOLE
from sync_platform.sync.hub import Hub, Step
from sync_platform.sync.keep_out import KEY
from sync_platform.sync.names import find
from sync_platform.sync.settle import settle, settle_creates

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
    # Creates of ours that may still land.
    unsettled: int = 0

    def carry_out(self, what: str, region: str, *, sure: bool) -> dict[str, Any]:
        """The proof (or, without `sure`, what it would be about). `done` is false while an object is still there."""
        email = _email_of(what)
        with self.hub.ledger.read() as conn:
            person = self._person(conn, what, region, email)
        objects = self._objects(person)
        if not sure:
            return self._proof(person, objects, done=False, hashes=0, purged={}, left=0) | {"waits": True}
        if not self.hub.writes and objects:
            raise Misconfigured(
                "writing is off: nothing may be deleted in the systems",
                remedy="Set SYNC_WRITES=on, or `erase: ledger` for each system in the policy.",
            )
        hashes = set(self._hashes(person, email))
        unknown = self._look_for(person)
        with self.hub.ledger.begin() as conn:
            erasure.keep_out(conn, self.key, hashes, self.hub.now())
            self._adopt(conn, person, [*unknown, *(link for link in person.links if not link.record_id)])
            self._end(conn, person)
        self.unsettled = self._look_up_creates(person)
        with self.hub.ledger.begin() as conn:
            # What an unanswered create had made is among the links by now.
            person.links = [link for some in links.links_of(conn, person.records).values() for link in some]
            hashes |= set(self._hashes(person, email))
            erasure.keep_out(conn, self.key, hashes, self.hub.now())
        objects = self._objects(person)
        # Every system is asked, also when one of them did not do it.
        answers = [self._erase(system, entity, found) for (system, entity), found in objects.items()]
        done = all(answers) and not self.unsettled
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
        customers = [(link.system, link.external_id) for link in found if link.entity is Entity.CUSTOMER]
        of_tickets = links.referring(conn, customers)
        further = {str(link.record_id) for link in of_tickets if link.record_id} - set(records)
        # A ticket that was read before its customer has no other way to them.
        records += sorted(further)
        found += [link for some in links.links_of(conn, sorted(further)).values() for link in some]
        found += [link for link in of_tickets if not link.record_id]
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

    def _look_for(self, person: Person) -> list[Link]:
        """Objects under one of the addresses that no link knows yet: typed in since the last read, or never read."""
        addresses = sorted({one for text in person.texts if (one := normalize.email(text))})
        known = {(link.system, link.external_id) for link in person.links if link.entity is Entity.CUSTOMER}
        out: dict[tuple[System, str], Link] = {}
        for system, policy in self.hub.policy.entities[Entity.CUSTOMER].systems.items():
            if policy.erase != "delete" or not addresses:
                continue
            keys = [("email", one) for one in addresses]
            for index, row in self.hub.connectors[system].lookup(Entity.CUSTOMER, keys, lane=Lane.INTERACTIVE):
                shown = match_keys(system, row.entity, row.attributes, self.hub.lexicon(system, row.entity))
                if row.evidence is None and keys[index] in shown and (system, row.external_id) not in known:
                    out[system, row.external_id] = Link(0, None, system, Entity.CUSTOMER, row.external_id)
        return list(out.values())

    def _adopt(self, conn: Connection, person: Person, unknown: list[Link]) -> None:
        """They get a link, without a word of what they hold, so that their deletes are intents like any other. Whatever
        is another record's by now stays that."""
        for entity in (Entity.CUSTOMER, Entity.TICKET):
            fresh = []
            for one in (link for link in unknown if link.entity is entity):
                known = links.links_by_external(conn, one.system, entity, [one.external_id])
                link = known.get(one.external_id, one)
                fresh += [] if link.record_id else [link]
            if not fresh:
                continue
            record = Record(RecordId(self.hub.new_id()), entity, born_at=self.hub.now())
            links.insert_records(conn, [record])
            for link in fresh:
                link.record_id = record.id
            links.save_links(conn, fresh)
            person.records.append(str(record.id))

    def _end(self, conn: Connection, person: Person) -> None:
        """From now on nothing is planned for these records, and no reference or merge brings them back."""
        now = self.hub.now()
        records = list(links.records_by_id(conn, person.records).values())
        number = journal.next_decision(conn)
        decisions = []
        for record in records:
            decisions.append(Decision(record.id, record.entity, WHOLE, None, "forgotten", number, cause="erasure"))
            record.tombstone = {"cause": FORGOTTEN, "means": FORGOTTEN, "at": now.isoformat()}
            record.decided[WHOLE] = number
            number += 1
        journal.add_decisions(conn, decisions, policy=self.hub.policy.hash, at=now, run=self.hub.run)
        links.save_records(conn, records, dirty={})
        outbox.replace_planned(conn, person.records, [], at=now, run=self.hub.run, lane=Lane.INTERACTIVE)

    def _look_up_creates(self, person: Person) -> int:
        """A create whose answer was lost may have made an object that no link knows: looked up by its marker. Gives how
        many may still land: until they did, or cannot any more, nothing is done with."""
        step = Step("forgotten")
        for intent in self._creates_under_way(person):
            connector = self.hub.connectors[intent.system]
            marker = [("marker", str(intent.marker))]
            landed = list(connector.lookup(intent.entity, marker, lane=Lane.INTERACTIVE))
            if landed or (intent.due_at is not None and intent.due_at <= self.hub.now()):
                settle_creates(self.hub, intent.system, intent.entity, [intent], step)
        return len(self._creates_under_way(person))

    def _creates_under_way(self, person: Person) -> list[Intent]:
        with self.hub.ledger.read() as conn:
            open_ = outbox.unsettled(conn)
        return [one for one in open_ if one.verb is Verb.CREATE and one.record_id in person.records]

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
        codes: set[str] = set()
        left: list[Link] = []
        for wave in _waves(found):
            try:
                left += self._send(system, entity, wave, codes)
            except SyncError as error:
                if error.system is None:
                    raise
                codes.add(error.code)
                left += wave
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

    def _send(self, system: System, entity: Entity, wave: list[Link], codes: set[str]) -> list[Link]:
        """Intents that commit before the call and are settled like any other; the links that are still there."""
        hub, connector = self.hub, self.hub.connectors[system]
        with hub.ledger.begin() as conn:
            records = links.records_by_id(conn, [str(link.record_id) for link in wave])
            number = {one: record.decided.get(WHOLE, 0) for one, record in records.items()}
            writes = [
                PlannedWrite(
                    RecordId(str(link.record_id)), system, entity, Verb.ERASE, {},
                    numbers={WHOLE: number.get(str(link.record_id), 0)}, link_id=link.id, external_id=link.external_id,
                )
                for link in wave
            ]  # fmt: skip
            intents = outbox.send_now(conn, writes, at=hub.now(), run=hub.run)
        by_token = {str(intent.id): intent for intent in intents}
        ids = {link.id: link for link in wave}
        changes = [
            Change(token, entity, Verb.ERASE, ids[intent.link_id or 0].external_id)
            for token, intent in by_token.items()
        ]
        receipts: dict[str, Receipt] = {}
        try:
            for receipt in connector.apply(changes, lane=Lane.INTERACTIVE):
                receipts[receipt.token] = receipt
                codes |= {receipt.code} if receipt.code else set()
        finally:
            self._settle(system, entity, by_token, receipts)
        doubtful = [
            ids[intent.link_id or 0]
            for token, intent in by_token.items()
            if (one := receipts.get(token)) is None or _ended(one).outcome is not Outcome.DONE
        ]
        if not doubtful:
            return []
        rows = connector.fetch(entity, [link.external_id for link in doubtful], lane=Lane.INTERACTIVE)
        there = {row.external_id for row in rows if row.evidence is None}
        return [link for link in doubtful if link.external_id in there]

    def _settle(
        self, system: System, entity: Entity, by_token: dict[str, Intent], receipts: dict[str, Receipt]
    ) -> None:
        settle(self.hub, system, entity, by_token, [_ended(one) for one in receipts.values()], Step("forgotten"))
        unanswered = [intent for token, intent in by_token.items() if token not in receipts]
        if unanswered:
            with self.hub.ledger.begin() as conn:
                due = self.hub.settle_due()
                outbox.set_states(conn, [(one.id, IntentState.UNKNOWN, due, None) for one in unanswered])

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
            "unsettled": self.unsettled,
            "only_in_ledger": [{"system": str(system), "entity": str(entity)} for system, entity in sorted(kept)],
            "purged": dict(sorted(purged.items())),
            "mentions_left": left,
            "kept_out_by": hashes,
            "at": self.hub.now().isoformat(),
        }


def _ended(receipt: Receipt) -> Receipt:
    """Who is not there any more is gone."""
    return replace(receipt, outcome=Outcome.DONE) if receipt.code == "NOT_FOUND" else receipt


def _waves(found: list[Link]) -> list[list[Link]]:
    """At most one object of a record at a time: a record has one unsettled intent in a system."""
    waves: list[list[Link]] = []
    of: Counter[str] = Counter()
    for link in found:
        turn = of[str(link.record_id)]
        of[str(link.record_id)] += 1
        if turn == len(waves):
            waves.append([])
        waves[turn].append(link)
    return waves


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
