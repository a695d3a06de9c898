"""A simulated system: objects with their whole history, feeds that show late, twice and out of order, honest answers.

It keeps what really happened (who wrote what when), which the engine never sees; what the engine was shown is kept
beside it. Faults come from the world that it stands in; by itself it is well.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Protocol

from sync_platform.connectors.protocol import (
    Account,
    Change,
    Cursor,
    Directory,
    Feed,
    Finding,
    Known,
    Limit,
    Outcome,
    Page,
    Receipt,
    Wanted,
)
from sync_platform.core.records import ENTITIES, THINGS, Channel, Entity, Evidence, Json, Lane, Row, System, Verb
from sync_platform.simulation import people

PAGE = 4
MARKER: Mapping[System, str] = {System.GORGIAS: "external_id", System.HUBSPOT: "sync_id", System.ERP: "sync_marker"}
EMAILS = ("email", "email_2", "emails", "hs_additional_emails")
PHONES = ("phone", "phones")
# What list rows of a Gorgias customer do not show.
HIDDEN = ("emails", "phones", "note")


class Surroundings(Protocol):
    """What a system asks of the world it stands in."""

    now_at: datetime

    def call(self, system: System, kind: str) -> None:
        """Before a call arrives; may raise."""

    def called(self, system: System, kind: str) -> None:
        """Before its answer goes back; may raise."""

    def fate(self, system: System, change: Change) -> str:
        """What becomes of one write: "" (well), or lost_landed, lost_never, lost_late, busy, unnamed."""

    def wrote(self, system: System, change: Change) -> None:
        """A write arrives."""

    def shows(self, thing: Thing, place: int, names: Iterable[str]) -> None:
        """The engine is shown attributes of a version."""

    def overwrites(self, system: System, thing: Thing, names: Iterable[str], by: str) -> None:
        """A write of ours takes the place of what stood there."""

    def tells(self, system: System, thing: Thing, place: int) -> None:
        """The engine is shown that an object is gone."""

    def rounds(self, system: System, entity: Entity, began: int) -> None:
        """The engine has read all changes of a system since `began`."""

    def time(self) -> int:
        """How many calls and steps there were."""


@dataclass(frozen=True, slots=True)
class Version:
    """What an object held from a moment on, who made it so (person, us, late), and which attributes it touched."""

    seq: int
    at: datetime
    by: str
    attributes: Mapping[str, Json]
    touched: frozenset[str]
    evidence: Evidence | None = None
    # No event tells of this end; only a read by id shows that nothing is there.
    silent: bool = False


@dataclass(slots=True)
class Thing:
    """One object with all its versions. By attribute: `shown`, the newest version that the engine saw, and `looks`,
    those that were the newest when it saw them."""

    entity: Entity
    external_id: str
    made_by: str
    versions: list[Version] = field(default_factory=list)
    shown: dict[str, int] = field(default_factory=dict)
    looks: dict[str, list[int]] = field(default_factory=dict)
    # Deleted for good: no bin holds it.
    erased: bool = False

    @property
    def now(self) -> Version:
        """What it holds."""
        return self.versions[-1]

    @property
    def live(self) -> bool:
        """Whether it is there."""
        return self.now.evidence is None

    def at_seq(self, seq: int) -> int:
        """The number of the newest version not after a sequence number; -1 where there is none."""
        return max((place for place, one in enumerate(self.versions) if one.seq <= seq), default=-1)


@dataclass(slots=True)
class View:
    """How the next pages of a feed see the system: the newest changes still unseen, rows again, old rows, order."""

    hidden: int = 0
    again: int = 0
    old: int = 0
    turned: int = 0


@dataclass(slots=True)
class SimulatedSystem:
    """One side."""

    system: System
    world: Surroundings
    things: dict[tuple[Entity, str], Thing] = field(default_factory=dict)
    view: View = field(default_factory=View)
    late: list[tuple[datetime, Change]] = field(default_factory=list)
    limits: tuple[Limit, ...] = ()
    page_size: Mapping[str, int] = field(init=False)
    batch_size: Mapping[tuple[Entity, Verb], int] = field(init=False)
    seq: int = 0
    applied: int = 0
    _began: dict[Entity, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # Gorgias takes one change a call.
        size = 1 if self.system is System.GORGIAS else PAGE
        self.page_size = {feed.name: PAGE for feed in self.feeds()}
        self.batch_size = {(entity, verb): size for entity in ENTITIES for verb in Verb}

    # --- what happens in the system -----------------------------------------------------------------------------

    def put(self, entity: Entity, attributes: Mapping[str, Json], by: str) -> Thing:
        """A new object."""
        number = str(sum(1 for kind, _ in self.things if kind is entity) + 1)
        thing = Thing(entity, number, by)
        held = {**people.blanks(self.system, entity), **attributes}
        if self.system is System.ERP and entity is Entity.CUSTOMER:
            held["customer_no"] = f"C-{number}"
        self.things[entity, number] = thing
        self._write(thing, held, by)
        return thing

    def edit(self, thing: Thing, attributes: Mapping[str, Json], by: str) -> None:
        """Change attributes; what changes nothing leaves no version."""
        if any(thing.now.attributes.get(name, None) != value for name, value in attributes.items()):
            self._write(thing, attributes, by)

    def end(self, thing: Thing, evidence: Evidence, by: str, *, silent: bool = False) -> None:
        """Delete or merge away."""
        self.seq += 1
        held = thing.now.attributes
        thing.versions.append(Version(self.seq, self._stamp(), by, held, frozenset(), evidence, silent))

    def merge(self, thing: Thing, into: Thing, *, silent: bool = False) -> None:
        """One customer is merged away: the survivor takes over addresses and tickets, and what it did not know."""
        lost, held = thing.now.attributes, into.now.attributes
        self.end(thing, Evidence("merged", into.external_id), "person", silent=silent)
        gained = {name: value for name, value in lost.items() if value and not held.get(name)}
        gained = {name: value for name, value in gained.items() if name not in (MARKER[self.system], "email")}
        further = "emails" if self.system is System.GORGIAS else "hs_additional_emails"
        for name, values in (
            (further, [lost.get("email"), *(lost.get(further) or [])]),
            ("phones", lost.get("phones")),
        ):
            known = [*(held.get(name) or [])]
            new = [one for one in dict.fromkeys(values or ()) if one and one not in (*known, held.get("email"))]
            if new:
                gained[name] = known + new
        self._write(into, gained, "merge")
        reference = people.REFERENCE[self.system]
        for ticket in self.living(Entity.TICKET):
            if ticket.now.attributes.get(reference) == thing.external_id:
                self.edit(ticket, {reference: into.external_id}, "merge")

    def come_back(self, thing: Thing, by: str) -> None:
        """A deleted object is restored."""
        self._write(thing, {}, by)

    def _write(self, thing: Thing, attributes: Mapping[str, Json], by: str) -> None:
        self.seq += 1
        before = thing.versions[-1].attributes if thing.versions else {}
        after = {**before, **attributes}
        thing.versions.append(Version(self.seq, self._stamp(), by, after, frozenset(attributes)))

    def _stamp(self) -> datetime:
        """Whole seconds, so that edits in a burst bear equal stamps."""
        return self.world.now_at.replace(microsecond=0)

    def land_late(self) -> bool:
        """Writes whose answer was lost long ago arrive; whether any took something away."""
        due = [change for at, change in self.late if at <= self.world.now_at]
        self.late = [(at, change) for at, change in self.late if at > self.world.now_at]
        for change in due:
            self._take(change, "late")
        return any(change.verb is Verb.DELETE for change in due)

    def living(self, entity: Entity) -> list[Thing]:
        """Objects that are there, oldest first."""
        return [thing for (kind, _), thing in self.things.items() if kind is entity and thing.live]

    # --- reads --------------------------------------------------------------------------------------------------

    def account(self) -> Account:
        """Always a sandbox."""
        return Account(self.system, f"simulated-{self.system}", sandbox=True)

    def directory(self) -> Directory:
        """Nothing slow here."""
        return Directory()

    def feeds(self) -> tuple[Feed, ...]:
        """Changes and a list for each entity."""
        return _feeds(self.system)

    def start(self, feed: Feed, cursor: Cursor | None, *, now: datetime) -> Cursor:  # noqa: ARG002  # the protocol's
        """A new walk, or the one under way."""
        return cursor or Cursor()

    def pull(self, feed: Feed, cursor: Cursor, *, lane: Lane, known: Known | None = None) -> Page:  # noqa: ARG002
        """One page."""
        self.world.call(self.system, "read")
        if feed.kind == "ascending":
            page = self._changes(feed, cursor)
        else:
            page = self._list(feed, cursor) if feed.kind == "list" else self._archived(feed, cursor)
        self.world.called(self.system, "read")
        return page

    def _archived(self, feed: Feed, cursor: Cursor) -> Page:
        after = int(cursor.walk["after"]) if cursor.walk else 0
        found = [one for (kind, _), one in self.things.items() if kind is feed.entity and self._binned(one)]
        page = [one for one in found if int(one.external_id) > after]
        rows = [self._row(one, len(one.versions) - 1, Channel.LIST) for one in page[:PAGE]]
        if len(page) <= PAGE:
            return Page(rows, Cursor("listed"), complete=True)
        return Page(rows, Cursor(cursor.watermark, {"after": page[PAGE - 1].external_id}), complete=False)

    def _binned(self, thing: Thing) -> bool:
        evidence = thing.now.evidence
        return evidence is not None and evidence.kind == "deleted" and not thing.erased

    def _list(self, feed: Feed, cursor: Cursor) -> Page:
        after = int(cursor.walk["after"]) if cursor.walk else 0
        listed = [one for one in self.living(feed.entity) if int(one.external_id) > after]
        page, complete = listed[:PAGE], len(listed) <= PAGE
        rows = [self._row(one, len(one.versions) - 1, Channel.LIST) for one in page]
        if complete:
            return Page(rows, Cursor("listed"), complete=True)
        return Page(rows, Cursor(cursor.watermark, {"after": page[-1].external_id}), complete=False)

    def _changes(self, feed: Feed, cursor: Cursor) -> Page:
        if cursor.watermark is None:
            return Page((), Cursor(str(self.seq)), complete=True)
        if cursor.walk is None:
            self._began[feed.entity] = self.world.time()
        mark = int(cursor.watermark)
        upto = max(mark, self.seq - self.view.hidden)
        seen: list[tuple[int, Thing, int]] = []
        for thing in (one for (kind, _), one in self.things.items() if kind is feed.entity):
            place = thing.at_seq(upto)
            if (
                place >= 0
                and thing.versions[place].seq > mark - self.view.again
                and self._in_feed(thing.versions[place])
            ):
                seen.append((thing.versions[place].seq, thing, place))
        seen.sort(key=lambda one: one[0])
        new = [one for one in seen if one[0] > mark]
        page, complete = new[:PAGE], len(new) <= PAGE
        chosen = [one for one in seen if one[0] <= mark] + page
        rows = [self._row(thing, place, Channel.LIST) for _, thing, place in chosen]
        rows += self._old_rows(chosen)
        turn = self.view.turned % len(rows) if rows else 0
        rows = rows[turn:] + rows[:turn]
        rows = [*self._absorbed(chosen), *rows]
        mark = page[-1][0] if page else mark
        if complete:
            self.world.rounds(self.system, feed.entity, self._began.get(feed.entity, self.world.time()))
        return Page(rows, Cursor(str(mark), None if complete else {"more": True}), complete)

    def _in_feed(self, version: Version) -> bool:
        """Gorgias and the ERP tell of ends in their feeds of changes, HubSpot does not."""
        return version.evidence is None or not (version.silent or self.system is System.HUBSPOT)

    def _absorbed(self, chosen: Sequence[tuple[int, Thing, int]]) -> list[Row]:
        """HubSpot tells of a merge by the survivor, who lists the ids that it took in."""
        if self.system is not System.HUBSPOT:
            return []
        shown = {(thing.entity, thing.external_id): thing.versions[place].seq for _, thing, place in chosen}
        return [
            self._row(one, len(one.versions) - 1, Channel.LIST)
            for (entity, _), one in self.things.items()
            if one.now.evidence is not None and one.now.seq <= shown.get((entity, str(one.now.evidence.into)), -1)
        ]

    def _old_rows(self, chosen: Sequence[tuple[int, Thing, int]]) -> list[Row]:
        """What an index shows that has not caught up: earlier versions of the same objects."""
        if not self.view.old:
            return []
        old = [(thing, place - self.view.old) for _, thing, place in chosen]
        return [
            self._row(thing, place, Channel.SEARCH)
            for thing, place in old
            if place >= 0 and thing.versions[place].evidence is None
        ]

    def _row(self, thing: Thing, place: int, channel: Channel) -> Row:
        version = thing.versions[place]
        attributes = dict(version.attributes) if version.evidence is None else {}
        detailed = self.system is System.GORGIAS and thing.entity is Entity.CUSTOMER
        if detailed and channel in (Channel.LIST, Channel.SEARCH):
            attributes = {name: value for name, value in attributes.items() if name not in HIDDEN}
        if channel is not Channel.ANSWER:
            self.world.shows(thing, place, attributes)
        evidence = self._told(thing, version, channel)
        if evidence is not None:
            self.world.tells(self.system, thing, place)
        return Row(
            self.system,
            thing.entity,
            thing.external_id,
            attributes,
            channel,
            stamp=version.at,
            version=place + 1 if self.system is System.ERP else None,
            evidence=evidence,
            carry={"version": place},
            created_at=thing.versions[0].at,
        )

    def _told(self, thing: Thing, version: Version, channel: Channel) -> Evidence | None:
        """Each system's own way of saying that something is gone."""
        evidence = version.evidence
        if evidence is None or self.system is System.ERP:
            return evidence
        if evidence.kind == "merged":
            return Evidence("missing") if version.silent else evidence
        if self.system is System.HUBSPOT:
            return Evidence("missing" if thing.erased else "archived")
        return evidence if channel is Channel.LIST else Evidence("missing")

    def fetch(self, entity: Entity, ids: Sequence[str], *, lane: Lane) -> Iterator[Row]:  # noqa: ARG002
        """A row for each id."""
        self.world.call(self.system, "read")
        for one in ids:
            thing = self.things.get((entity, one))
            if thing is None:
                yield Row(self.system, entity, one, {}, Channel.BY_ID, evidence=Evidence("missing"))
            else:
                yield self._row(thing, len(thing.versions) - 1, Channel.BY_ID)
        self.world.called(self.system, "read")

    def lookup(self, entity: Entity, keys: Sequence[tuple[str, str]], *, lane: Lane) -> Iterator[tuple[int, Row]]:  # noqa: ARG002
        """Live objects that hold a key."""
        self.world.call(self.system, "read")
        for index, (kind, value) in enumerate(keys):
            for thing in self.living(entity):
                if self._holds(thing, kind, value):
                    yield index, self._row(thing, len(thing.versions) - 1, Channel.BY_ID)
        self.world.called(self.system, "read")

    def _holds(self, thing: Thing, kind: str, value: str) -> bool:
        held = thing.now.attributes
        if kind == "marker":
            return bool(held.get(MARKER[self.system]) == value)
        shown: list[Json] = []
        for name in EMAILS if kind == "email" else PHONES:
            one = held.get(name)
            shown += one if isinstance(one, list) else [one]
        if kind == "phone":
            return value[-10:] in {"".join(c for c in str(one) if c.isdigit())[-10:] for one in shown if one}
        return value.casefold() in {str(one).casefold() for one in shown if one}

    # --- writes -------------------------------------------------------------------------------------------------

    def apply(self, changes: Sequence[Change], *, lane: Lane) -> Iterator[Receipt]:  # noqa: ARG002
        """Write; what becomes of each write is the world's to say."""
        size = self.batch_size[Entity.CUSTOMER, Verb.UPDATE]
        for start in range(0, len(changes), size):
            self.world.call(self.system, "write")
            answers = [self._answer(change) for change in changes[start : start + size]]
            self.world.called(self.system, "write")
            # The order of a batch's answers says nothing.
            for receipt in reversed([one for one in answers if one is not None]):
                self._arrives(receipt)
                yield receipt

    def _arrives(self, receipt: Receipt) -> None:
        """What an answer holds is shown when it arrives: of one that was lost nobody has seen anything."""
        if receipt.row is not None:
            thing = self.things[receipt.row.entity, receipt.row.external_id]
            self.world.shows(thing, receipt.row.carry["version"], receipt.row.attributes)

    def _answer(self, change: Change) -> Receipt | None:
        self.world.wrote(self.system, change)
        self.applied += 1
        match self.world.fate(self.system, change):
            case "busy":
                return Receipt(change.token, Outcome.RETRY, change.external_id, status=503, wait_s=2.0)
            case "lost_never":
                return Receipt(change.token, Outcome.UNKNOWN, change.external_id)
            case "lost_late":
                self.late.append((self.world.now_at + timedelta(seconds=90), change))
                return Receipt(change.token, Outcome.UNKNOWN, change.external_id)
            case "lost_landed":
                self._take(change, "us")
                return Receipt(change.token, Outcome.UNKNOWN, change.external_id)
            case "unnamed":
                self._take(change, "us")
                return None
        return self._take(change, "us")

    def _take(self, change: Change, by: str) -> Receipt:
        wanted = self._composed(change)
        bad = tuple(name for name, value in wanted.items() if self._unfit(name, value))
        if bad:
            return Receipt(
                change.token, Outcome.REJECTED, change.external_id, code="INVALID_VALUE", words="refused", fields=bad
            )
        if change.verb is Verb.CREATE:
            return self._create(change, wanted, by)
        thing = self.things.get((change.entity, change.external_id or ""))
        if change.verb is Verb.ERASE and thing is not None and self._binned(thing) and self.system is System.HUBSPOT:
            thing.erased = True
            return Receipt(change.token, Outcome.DONE, change.external_id)
        if thing is None or not thing.live:
            return Receipt(change.token, Outcome.REJECTED, change.external_id, code="NOT_FOUND", words="no such object")
        if self.system is System.ERP and change.version is not None and change.version != len(thing.versions):
            row = self._row(thing, len(thing.versions) - 1, Channel.ANSWER)
            return Receipt(change.token, Outcome.MOVED, change.external_id, row=row)
        if change.verb in (Verb.DELETE, Verb.ERASE):
            self.end(thing, Evidence("deleted"), by)
            thing.erased = change.verb is Verb.ERASE
            return Receipt(change.token, Outcome.DONE, change.external_id)
        taken = self._holder(change.entity, wanted, thing)
        if taken is not None:
            return Receipt(change.token, Outcome.REJECTED, change.external_id, code="EXISTS", fields=("email",))
        self.world.overwrites(self.system, thing, wanted, by)
        self.edit(thing, self._reformatted(wanted), by)
        return self._done(change, thing, by)

    def _create(self, change: Change, wanted: Mapping[str, Json], by: str) -> Receipt:
        known = next(
            (one for one in self.living(change.entity) if self._holds(one, "marker", change.marker or "")), None
        )
        # A unique property refuses a second object with the same marker; a Gorgias ticket's external id is not unique.
        if known is not None and self.system is not System.GORGIAS:
            return Receipt(
                change.token, Outcome.REJECTED, code="EXISTS", existing=known.external_id, fields=(MARKER[self.system],)
            )
        holder = self._holder(change.entity, wanted, None)
        if holder is not None:
            return Receipt(
                change.token, Outcome.REJECTED, code="EXISTS", existing=holder.external_id, fields=("email",)
            )
        thing = self.put(change.entity, self._reformatted({**wanted, MARKER[self.system]: change.marker}), by)
        return self._done(change, thing, by)

    def _done(self, change: Change, thing: Thing, by: str) -> Receipt:
        if by == "late":
            return Receipt(change.token, Outcome.UNKNOWN)
        row = self._row(thing, len(thing.versions) - 1, Channel.ANSWER)
        return Receipt(change.token, Outcome.DONE, thing.external_id, row=row)

    def _holder(self, entity: Entity, wanted: Mapping[str, Json], but: Thing | None) -> Thing | None:
        """Gorgias and HubSpot keep an address for one person."""
        address = str(wanted.get("email") or "").casefold()
        if self.system is System.ERP or entity is Entity.TICKET or not address:
            return None
        return next((one for one in self.living(entity) if one is not but and self._holds(one, "email", address)), None)

    def _composed(self, change: Change) -> dict[str, Json]:
        wanted = dict(change.set)
        if self.system is System.GORGIAS and change.verb is Verb.UPDATE and change.external_id:
            # Tags are written one by one there: what somebody else added meanwhile stays.
            thing = self.things.get((change.entity, change.external_id))
            for name in {*change.add, *change.remove}:
                now = set(thing.now.attributes.get(name) or []) if thing else set()
                wanted[name] = sorted((now | set(change.add.get(name, ()))) - set(change.remove.get(name, ())))
        return wanted

    def _unfit(self, name: str, value: Json) -> bool:
        return any(
            system is self.system and name == people.attributes_for(system, field)[0] and word in str(value)
            for (system, field), word in people.REFUSED.items()
        )

    def _reformatted(self, wanted: Mapping[str, Json]) -> dict[str, Json]:
        """HubSpot writes companies in capitals, Gorgias spells phones its own way: as systems do."""
        out = dict(wanted)
        if self.system is System.HUBSPOT and isinstance(out.get("company"), str):
            out["company"] = out["company"].upper()
        if self.system is System.GORGIAS and out.get("phones"):
            digits = ["".join(c for c in str(one) if c.isdigit())[-10:] for one in out["phones"]]
            out["phones"] = [f"+1 {one[:3]} {one[3:6]} {one[6:]}" for one in digits]
        return out

    # --- set-up -------------------------------------------------------------------------------------------------

    def prepare(self, wanted: Iterable[Wanted]) -> list[Finding]:
        """Nothing to make."""
        return [Finding(f"{self.system}.simulated", ok=True, found=f"{len(list(wanted))} attributes")]

    def examine(self, wanted: Iterable[Wanted]) -> list[Finding]:
        """Always well."""
        return self.prepare(wanted)

    def close(self) -> None:
        """Nothing to give back."""


@cache
def _feeds(system: System) -> tuple[Feed, ...]:
    names = [(THINGS[system, entity], entity) for entity in ENTITIES]
    kinds: tuple[tuple[str, str, bool], ...] = (("changes", "ascending", False), ("list", "list", True))
    if system is System.HUBSPOT:
        # What was archived is in no feed of changes: it has a listing of its own.
        kinds += (("archived", "removed", False),)
    return tuple(
        Feed(f"{thing}.{name}", entity, kind, first_load=first)
        for thing, entity in names
        for name, kind, first in kinds
    )
