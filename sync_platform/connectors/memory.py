"""A side in memory: the protocol without a network, for simulations and tests of the core.

It keeps the promises of the real sides (unique markers, one receipt for each change, feeds that show an edit once)
and is deterministic: ids count up, and its clock moves one second for each write and otherwise only when told to.
Attributes are whatever is written; nothing is interpreted. People act on it by `put`, `edit`, `remove` and `merge`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from sync_platform.connectors.protocol import (
    Account,
    Change,
    Cursor,
    Directory,
    Feed,
    Finding,
    Known,
    Limit,
    Meter,
    Outcome,
    Page,
    Receipt,
    Wanted,
)
from sync_platform.core.records import (
    ENTITIES,
    THINGS,
    Channel,
    Entity,
    Evidence,
    Json,
    Lane,
    Row,
    System,
    Verb,
)

BEGIN_AT = datetime(2026, 1, 1, tzinfo=UTC)
PAGE = 100
MARKER: Mapping[System, str] = {System.GORGIAS: "external_id", System.HUBSPOT: "sync_id", System.ERP: "sync_marker"}
EMAIL_ATTRIBUTES = ("email", "email_2", "emails", "hs_additional_emails")
PHONE_ATTRIBUTES = ("phone", "phones")
Refuses = Callable[[Entity, str, Json], bool]


@dataclass(slots=True)
class Thing:
    """One object: its attributes, the number of its last write, and what became of it."""

    entity: Entity
    external_id: str
    attributes: dict[str, Json]
    seq: int
    version: int
    at: datetime
    born_at: datetime
    evidence: Evidence | None = None


@dataclass(slots=True)
class MemorySystem:
    """One system in memory.

    `refuses(entity, attribute, value)` lets a test refuse values; `unique` names attributes that no two live objects
    of an entity may share.
    """

    system: System
    meter: Meter | None = None
    refuses: Refuses = lambda entity, attribute, value: False  # noqa: ARG005  # a default that refuses nothing
    unique: frozenset[tuple[Entity, str]] = frozenset()
    limits: tuple[Limit, ...] = ()
    batch_size: Mapping[tuple[Entity, Verb], int] = field(
        default_factory=lambda: {(entity, verb): PAGE for entity in ENTITIES for verb in Verb}
    )
    things: dict[tuple[Entity, str], Thing] = field(default_factory=dict)
    now_at: datetime = BEGIN_AT
    calls: int = 0
    _seq: int = 0

    @property
    def page_size(self) -> Mapping[str, int]:
        """Rows of a page, by feed."""
        return {feed.name: PAGE for feed in self.feeds()}

    # as a person in the system

    def put(self, entity: Entity, attributes: Mapping[str, Json], external_id: str | None = None) -> str:
        """Create an object; gives its id."""
        number = str(sum(1 for kind, _ in self.things if kind is entity) + 1) if external_id is None else external_id
        self._move()
        thing = Thing(entity, number, dict(attributes), self._seq, 1, self.now_at, self.now_at)
        self.things[entity, number] = thing
        return number

    def edit(self, entity: Entity, external_id: str, attributes: Mapping[str, Json]) -> None:
        """Change attributes of a live object. Raises KeyError when it isn't there."""
        thing = self._live(entity, external_id)
        if thing is None:
            raise KeyError(external_id)
        self._touch(thing)
        thing.attributes.update(attributes)

    def remove(self, entity: Entity, external_id: str) -> None:
        """Delete an object; its id gives evidence from now on. Raises KeyError."""
        self._end(entity, external_id, Evidence("deleted"))

    def merge(self, entity: Entity, old: str, into: str) -> None:
        """Merge `old` away into `into`. Raises KeyError."""
        if self._live(entity, into) is None:
            raise KeyError(into)
        self._end(entity, old, Evidence("merged", into))

    def restore(self, entity: Entity, external_id: str) -> None:
        """Take a deleted object back out of the bin. Raises KeyError when it isn't there."""
        thing = self.things[entity, external_id]
        if thing.evidence is None or thing.evidence.kind == "merged":
            raise KeyError(external_id)
        self._touch(thing)
        thing.evidence = None

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now_at += timedelta(seconds=seconds)

    def _end(self, entity: Entity, external_id: str, evidence: Evidence) -> None:
        thing = self._live(entity, external_id)
        if thing is None:
            raise KeyError(external_id)
        self._touch(thing)
        thing.evidence = evidence

    def _move(self) -> None:
        self._seq += 1
        self.advance(1)

    def _touch(self, thing: Thing) -> None:
        self._move()
        thing.seq, thing.version, thing.at = self._seq, thing.version + 1, self.now_at

    def _live(self, entity: Entity, external_id: str | None) -> Thing | None:
        thing = self.things.get((entity, external_id or ""))
        return thing if thing is not None and thing.evidence is None else None

    def _spend(self, lane: Lane, purpose: str) -> None:
        self.calls += 1
        if self.meter is not None:
            self.meter.spend((), lane=lane, purpose=purpose)

    def _row(self, thing: Thing, channel: Channel) -> Row:
        attributes = dict(thing.attributes) if thing.evidence is None else {}
        version = thing.version if self.system is System.ERP else None
        return Row(
            self.system,
            thing.entity,
            thing.external_id,
            attributes,
            channel,
            stamp=thing.at,
            version=version,
            evidence=thing.evidence,
            # As the real one: what composed writes need is noted by a read by id.
            carry={} if self.system is System.GORGIAS and channel in (Channel.BY_ID, Channel.ANSWER) else None,
            created_at=thing.born_at,
        )

    # the protocol

    def account(self) -> Account:
        """Always a sandbox."""
        return Account(self.system, f"memory-{self.system}", sandbox=True)

    def directory(self) -> Directory:
        """Nothing slow here."""
        return Directory()

    def feeds(self) -> tuple[Feed, ...]:
        """Changes and a list for each entity."""
        found: list[Feed] = []
        for entity in ENTITIES:
            thing = THINGS[self.system, entity]
            found.append(Feed(f"{thing}.changes", entity, "ascending"))
            found.append(Feed(f"{thing}.list", entity, "list", first_load=True))
        return tuple(found)

    def start(self, feed: Feed, cursor: Cursor | None, *, now: datetime) -> Cursor:  # noqa: ARG002  # the protocol's
        """A new walk, or the one under way."""
        return cursor or Cursor()

    def pull(
        self,
        feed: Feed,
        cursor: Cursor,
        *,
        lane: Lane,
        known: Known | None = None,  # noqa: ARG002  # pages are whole
    ) -> Page:
        """One page; a changes feed without a watermark begins at the newest change and shows nothing."""
        self._spend(lane, "read")
        if feed.kind == "list":
            after = cursor.walk["after"] if cursor.walk else -1
            listed = [one for one in self._ordered(feed.entity) if one.evidence is None]
            born = {one.external_id: place for place, one in enumerate(listed)}
            page = [one for one in listed if born[one.external_id] > after][:PAGE]
            rows = [self._row(one, Channel.LIST) for one in page]
            complete = not page or born[page[-1].external_id] == len(listed) - 1
            if complete:
                return Page(rows, Cursor("listed"), complete=True, total=len(listed))
            return Page(rows, Cursor(cursor.watermark, {"after": born[page[-1].external_id]}), complete=False)
        if cursor.watermark is None:
            return Page((), Cursor(str(self._seq)), complete=True)
        changed = sorted(
            (one for one in self._ordered(feed.entity) if one.seq > int(cursor.watermark)), key=lambda one: one.seq
        )
        rows = [self._row(one, Channel.LIST) for one in changed[:PAGE]]
        complete = len(changed) <= PAGE
        mark = str(changed[:PAGE][-1].seq) if rows else cursor.watermark
        return Page(rows, Cursor(mark, None if complete else {"more": True}), complete)

    def _ordered(self, entity: Entity) -> list[Thing]:
        return [thing for (kind, _), thing in self.things.items() if kind is entity]

    def fetch(self, entity: Entity, ids: Sequence[str], *, lane: Lane) -> Iterator[Row]:
        """A row for each id."""
        for start in range(0, len(ids), PAGE):
            self._spend(lane, "read")
            for one in ids[start : start + PAGE]:
                thing = self.things.get((entity, one))
                if thing is None:
                    yield Row(self.system, entity, one, {}, Channel.BY_ID, evidence=Evidence("missing"))
                else:
                    yield self._row(thing, Channel.BY_ID)

    def lookup(self, entity: Entity, keys: Sequence[tuple[str, str]], *, lane: Lane) -> Iterator[tuple[int, Row]]:
        """Live objects that hold a key; e-mails compare in any case."""
        if keys:
            self._spend(lane, "read")
        for index, (kind, value) in enumerate(keys):
            for thing in self._ordered(entity):
                if thing.evidence is None and self._holds(thing, kind, value):
                    yield index, self._row(thing, Channel.BY_ID)

    def _holds(self, thing: Thing, kind: str, value: str) -> bool:
        if kind == "marker":
            return bool(thing.attributes.get(MARKER[self.system]) == value)
        held: list[str] = []
        for name in EMAIL_ATTRIBUTES if kind == "email" else PHONE_ATTRIBUTES:
            shown = thing.attributes.get(name)
            held += [str(one).casefold() for one in (shown if isinstance(shown, list) else [shown]) if one]
        return value.casefold() in held

    def apply(self, changes: Sequence[Change], *, lane: Lane) -> Iterator[Receipt]:
        """Write one change after the other."""
        for place, change in enumerate(changes):
            if place % PAGE == 0:
                self._spend(lane, "write")
            yield self._applied(change)

    def _applied(self, change: Change) -> Receipt:
        wanted = self._composed(change)
        for name, value in wanted.items():
            if self.refuses(change.entity, name, value):
                return _refusal(change, "INVALID_VALUE", name)
        known = self._marked(change)
        if known is not None:
            return self._done(change, known)
        holder = self._holder(change, wanted)
        if holder is not None:
            return replace(_refusal(change, "EXISTS", holder[0]), status=409, existing=holder[1])
        return self._created(change, wanted) if change.verb is Verb.CREATE else self._changed(change, wanted)

    def _marked(self, change: Change) -> Thing | None:
        """What an earlier sending of this create made."""
        if change.verb is not Verb.CREATE or not change.marker:
            return None
        live = (one for one in self._ordered(change.entity) if one.evidence is None)
        return next((one for one in live if self._holds(one, "marker", str(change.marker))), None)

    def _created(self, change: Change, wanted: Mapping[str, Json]) -> Receipt:
        marker = MARKER[self.system]
        if not change.marker:
            return _refusal(change, "NO_MARKER", marker)
        number = self.put(change.entity, {**wanted, marker: change.marker})
        return self._done(change, self.things[change.entity, number])

    def _changed(self, change: Change, wanted: Mapping[str, Json]) -> Receipt:
        thing = self._live(change.entity, change.external_id)
        if thing is None:
            return _refusal(change, "NOT_FOUND")
        if self.system is System.ERP and change.version is not None and change.version != thing.version:
            row = self._row(thing, Channel.ANSWER)
            return Receipt(change.token, Outcome.MOVED, change.external_id, row=row)
        if change.verb in (Verb.DELETE, Verb.ERASE):
            self.remove(change.entity, thing.external_id)
            return Receipt(change.token, Outcome.DONE, change.external_id)
        self.edit(change.entity, thing.external_id, wanted)
        return self._done(change, thing)

    def _composed(self, change: Change) -> dict[str, Json]:
        wanted = dict(change.set)
        for name in dict.fromkeys((*change.add, *change.remove)):
            if name not in wanted:
                kept = [one for one in change.was.get(name) or () if one not in change.remove.get(name, ())]
                wanted[name] = sorted({*kept, *change.add.get(name, ())})
        return wanted

    def _holder(self, change: Change, wanted: Mapping[str, Json]) -> tuple[str, str] | None:
        for entity, name in sorted(self.unique):
            value = wanted.get(name)
            if entity is not change.entity or value in (None, ""):
                continue
            for one in self._ordered(entity):
                same = str(one.attributes.get(name) or "").casefold() == str(value).casefold()
                if same and one.evidence is None and one.external_id != change.external_id:
                    return name, one.external_id
        return None

    def _done(self, change: Change, thing: Thing) -> Receipt:
        return Receipt(change.token, Outcome.DONE, thing.external_id, row=self._row(thing, Channel.ANSWER))

    def prepare(self, wanted: Iterable[Wanted]) -> list[Finding]:
        """Nothing to make."""
        return [Finding(f"{self.system}.memory", ok=True, found=f"{len(list(wanted))} attributes, none to make")]

    def examine(self, wanted: Iterable[Wanted]) -> list[Finding]:
        """Always well."""
        return [Finding(f"{self.system}.memory", ok=True, found=f"{len(list(wanted))} attributes, all writable")]

    def close(self) -> None:
        """Nothing to give back."""


def _refusal(change: Change, code: str, *fields: str) -> Receipt:
    words = f"{code}: {', '.join(fields)}" if fields else code
    return Receipt(change.token, Outcome.REJECTED, change.external_id, code=code, words=words, fields=fields)
