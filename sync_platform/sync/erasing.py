"""Erasure: somebody is deleted in every system that the policy names, purged from the ledger, and kept out for good.

The hashes commit first, and with them the end of the records: whatever happens afterwards, nothing of them comes in
again and nothing more is written of them. The deletes are intents like any other, committed before the call. The ledger
is purged last, when every system has said that the objects are gone: until then it alone knows which objects those are,
and every cycle carries on with what is left, until the proof.
"""

from __future__ import annotations

import getpass
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, insert

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
from sync_platform.errors import Misconfigured, SyncError
from sync_platform.ledger import erasure, holds, journal, links, outbox
from sync_platform.ledger.erasure import Person, UnderWay
from sync_platform.ledger.outbox import Intent
from sync_platform.ledger.tables import PersonActRow
from sync_platform.sync import keep_out, persons
from sync_platform.sync.endings import FORGOTTEN, WHOLE
from sync_platform.sync.hub import Hub, Step
from sync_platform.sync.settle import settle, settle_creates

ACT = PersonActRow.__table__  # type: ignore[attr-defined]
WRITES_OFF = "An erasure is not done, and writing is off: set SYNC_WRITES=on."
REMEDY = (
    "An erasure is not done: every cycle tries again. Look whether this system answers and lets objects be deleted."
)

# What is to be deleted, by system and kind.
_Objects = dict[tuple[System, Entity], list[Link]]


def carry_on(hub: Hub, step: Step) -> None:
    """Carry on with every erasure that was begun and is not proven yet; what stays is trouble of the step."""
    if hub.keep_out is None:
        return
    with hub.ledger.read() as conn:
        tasks = erasure.under_way(conn)
    for task in tasks:
        if not hub.writes:
            step.trouble += [_trouble(one, WRITES_OFF) for one in task.left]
            continue
        key = hub.keep_out.key
        found = Forgetting(hub, key).carry_on(task)
        hub.keep_out = keep_out.load(hub.ledger, key) or hub.keep_out
        step.count("erased", int(found["done"]))
        step.complete = step.complete and found["done"]
        step.trouble += [_trouble(one, REMEDY) for one in task.left]


def _trouble(left: dict[str, Any], remedy: str) -> dict[str, object]:
    return {
        "system": left["system"],
        "entity": left["entity"],
        "code": next(iter(left["codes"]), "NOT_ERASED"),
        "count": left["left"],
        "remedy": remedy,
    }


@dataclass(slots=True)
class Forgetting:
    """One erasure over one hub."""

    hub: Hub
    key: str
    systems: list[dict[str, Any]] = field(default_factory=list)
    # Creates of ours that may still land.
    unsettled: int = 0
    # Customers whose links are at an end and who stand there all the same.
    back: set[tuple[System, str]] = field(default_factory=set)

    def carry_out(self, what: str, region: str, *, sure: bool) -> dict[str, Any]:
        """The proof (or, without `sure`, what it would be about). `done` is false while an object is still there; from
        the commit of the hashes on, cycles carry on with what is left. Raises NotFound and Misconfigured."""
        email = persons.email_of(what)
        with self.hub.ledger.read() as conn:
            person = persons.named(conn, what, region)
        objects = self._objects(person)
        if not sure:
            return self._proof(person, objects, done=False, hashes=0, purged={}, left=0) | {"waits": True}
        if not self.hub.writes and objects:
            raise Misconfigured(
                "writing is off: nothing may be deleted in the systems",
                remedy="Set SYNC_WRITES=on, or `erase: ledger` for each system in the policy.",
            )
        with self.hub.ledger.begin() as conn:
            # Who has no record yet gets one with the hashes: whatever stops this, a cycle finds them by it.
            self._adopt(conn, person, [link for link in person.links if not link.record_id])
            task = self._begin(conn, person)
            erasure.keep_out(conn, self.key, self._hashes(person, email), self.hub.now())
        return self._go_on(task, person, email)

    def carry_on(self, task: UnderWay) -> dict[str, Any]:
        """One that was begun before, from what the ledger still knows of it; as `carry_out`."""
        with self.hub.ledger.begin() as conn:
            again = links.referring(conn, [(System(system), one) for system, one in task.customers])
            # What has no record yet gets one, which is the task's from then on.
            self._adopt(conn, Person(task.records, [], set()), [link for link in again if not link.record_id])
            records = set(task.records) | {str(link.record_id) for link in again if link.record_id}
            person = persons.whole(conn, sorted(records))
            self._end(conn, person)
            self._keep(conn, task, person)
        return self._go_on(task, person, None)

    def _begin(self, conn: Connection, person: Person) -> UnderWay:
        """Remember what is to be done; whoever repeats the command goes on with the same."""
        self._end(conn, person)
        mine = set(person.records)
        known = (one for one in erasure.under_way(conn) if mine & set(one.records) and not one.theirs_stay)
        task = next(known, None) or UnderWay(uuid.uuid4().hex, self.hub.now().isoformat())
        self._keep(conn, task, person)
        return task

    def _keep(self, conn: Connection, task: UnderWay, person: Person) -> None:
        """Of somebody whom the ledger does not know there is nothing to carry on with: the answer says how it went."""
        task.records = person.records
        if task.records:
            erasure.keep_under_way(conn, task)

    def _go_on(self, task: UnderWay, person: Person, email: str | None) -> dict[str, Any]:
        unknown = self._look_for(person, task)
        with self.hub.ledger.begin() as conn:
            if self.systems and not person.records:
                # Nobody known, and a system could not be asked: till then a record that ended keeps the address.
                links.insert_records(conn, [self._nobody(person, email)])
            unknown += self._tickets_of(conn, person, unknown)
            self._adopt(conn, person, [*unknown, *(link for link in person.links if not link.record_id)])
            self._end(conn, person)
            self._keep(conn, task, person)
        self.unsettled = self._look_up_creates(person)
        with self.hub.ledger.begin() as conn:
            # What an unanswered create had made is among the links by now.
            person.links = [link for some in links.links_of(conn, person.records).values() for link in some]
            hashes = set(self._hashes(person, email))
            erasure.keep_out(conn, self.key, hashes, self.hub.now())
        objects = self._objects(person, task)
        # Every system is asked, also when one of them did not do it.
        for (system, entity), found in objects.items():
            self._erase(system, entity, found)
        task.left = [
            {name: one[name] for name in ("system", "entity", "left", "codes")} for one in self.systems if one["left"]
        ]
        task.unsettled = self.unsettled
        return self._finish(task, person, objects, hashes)

    def _finish(self, task: UnderWay, person: Person, objects: _Objects, hashes: set[str]) -> dict[str, Any]:
        """Purge the ledger, if nothing is left in the systems; else remember what is."""
        done = not (task.left or task.unsettled)
        purged: dict[str, int] = {}
        left = 0
        with self.hub.ledger.begin() as conn:
            if done:
                erasure.end_under_way(conn, task)
                held = holds.holding(conn, person.records)
                purged = erasure.purge(conn, person)
                holds.recount(conn, held, self.hub.now())
                left = erasure.mentions(conn, person.texts | set(person.records))
                self._note(conn, person, purged)
            else:
                self._keep(conn, task, person)
        return self._proof(person, objects, done=done and not left, hashes=len(hashes), purged=purged, left=left)

    # who it is

    def _nobody(self, person: Person, email: str | None) -> Record:
        record = Record(RecordId(self.hub.new_id()), Entity.CUSTOMER, {"email": email}, born_at=self.hub.now())
        person.records.append(str(record.id))
        return record

    def _look_for(self, person: Person, task: UnderWay) -> list[Link]:
        """Objects under one of the addresses that no link knows yet: typed in since the last read, or never read. One
        whose link is gone was restored: it is taken for there. A system that cannot be asked is left for later."""
        addresses = sorted({one for text in person.texts if (one := normalize.email(text))})
        if not addresses or task.theirs_stay:
            return []
        known = {(link.system, link.external_id): link for link in person.links if link.entity is Entity.CUSTOMER}
        out: dict[tuple[System, str], Link] = {}
        for system, policy in self.hub.policy.entities[Entity.CUSTOMER].systems.items():
            if policy.erase != "delete":
                continue
            try:
                for external_id in self._shown_under(system, addresses):
                    if (system, external_id) in known:
                        self.back.add((system, external_id))
                    else:
                        out[system, external_id] = Link(0, None, system, Entity.CUSTOMER, external_id)
            except SyncError as error:
                self._undone(system, Entity.CUSTOMER, error)
        return list(out.values())

    def _shown_under(self, system: System, addresses: Sequence[str]) -> Iterator[str]:
        keys = [("email", one) for one in addresses]
        self.hub.reach(system)
        for index, row in self.hub.connectors[system].lookup(Entity.CUSTOMER, keys, lane=Lane.INTERACTIVE):
            shown = match_keys(system, row.entity, row.attributes, self.hub.lexicon(system, row.entity))
            if row.evidence is None and keys[index] in shown:
                yield row.external_id

    def _undone(self, system: System, entity: Entity, error: SyncError) -> None:
        """A system whose trouble leaves something to be done; trouble of no system goes up."""
        if error.system is None:
            raise error
        one = {"system": str(system), "entity": str(entity), "erased": 0, "left": 1, "codes": [error.code]}
        self.systems.append(one)

    def _tickets_of(self, conn: Connection, person: Person, customers: Sequence[Link]) -> list[Link]:
        """Tickets that were read before their customer, whom no link knew until now; those that have a record end."""
        found = links.referring(
            conn, [(one.system, one.external_id) for one in customers if one.entity is Entity.CUSTOMER]
        )
        known = {str(link.record_id) for link in found if link.record_id} - set(person.records)
        person.records += sorted(known)
        return [link for link in found if not link.record_id]

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
        found = links.records_by_id(conn, person.records).values()
        records = [one for one in found if (one.tombstone or {}).get("cause") != FORGOTTEN]
        if not records:
            return
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
            marker = [("marker", str(intent.marker))]
            try:
                self.hub.reach(intent.system)
                landed = list(self.hub.connectors[intent.system].lookup(intent.entity, marker, lane=Lane.INTERACTIVE))
                now = self.hub.now()
                due = intent.state is not IntentState.DROPPED and (intent.due_at or now) <= now
                if landed or due:
                    settle_creates(self.hub, intent.system, intent.entity, [intent], step)
            except SyncError as error:
                self._undone(intent.system, intent.entity, error)
        return len(self._creates_under_way(person))

    def _creates_under_way(self, person: Person) -> list[Intent]:
        """Those that nobody answered and that may still land, also where they were given up as absent before."""
        since = self.hub.now() - timedelta(seconds=self.hub.timing.absent_s)
        with self.hub.ledger.read() as conn:
            return outbox.unanswered_creates(conn, person.records, since)

    def _objects(self, person: Person, task: UnderWay | None = None) -> _Objects:
        """What is to be deleted there, tickets before their customer; what was archived lies in a bin and goes too."""
        out: _Objects = {}
        copies_only = task is not None and task.theirs_stay
        for entity in (Entity.TICKET, Entity.CUSTOMER):
            for system, policy in self.hub.policy.entities[entity].systems.items():
                found = [one for one in person.links if (one.system, one.entity) == (system, entity)]
                found = [one for one in found if one.state is LinkState.ACTIVE or _in_bin(one) or self._is_back(one)]
                found = [one for one in found if not copies_only or one.marker == str(one.record_id)]
                if found and policy.erase == "delete":
                    out[system, entity] = found
        return out

    def _is_back(self, link: Link) -> bool:
        return link.entity is Entity.CUSTOMER and (link.system, link.external_id) in self.back

    def _hashes(self, person: Person, email: str | None) -> Iterable[str]:
        for link in person.links:
            yield erasure.object_hash(self.key, link.system, link.entity, link.external_id)
        for record in person.records:
            yield erasure.marker_hash(self.key, record)
        for text in person.texts | ({email} if email else set()):
            address = normalize.email(text)
            if address:
                yield erasure.keyed(self.key, "email", address)

    # there

    def _erase(self, system: System, entity: Entity, found: list[Link]) -> None:
        """Delete them there, and note which are gone: by the answer, else by a read of the id."""
        codes: set[str] = set()
        left: list[Link] = []
        for wave in _waves(found):
            try:
                self.hub.reach(system)
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
        objects: _Objects,
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


def _in_bin(link: Link) -> bool:
    return link.system is System.HUBSPOT and link.entity is Entity.CUSTOMER and link.state is LinkState.GONE
