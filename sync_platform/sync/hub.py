"""The hub: one ledger, three connectors, one policy, and the facts of one run. Everything else is passed through it."""

from __future__ import annotations

import time
import uuid
from collections import Counter, deque
from collections.abc import Callable, Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection

from sync_platform.connectors.protocol import Connector, Directory, Feed
from sync_platform.core.mappings import VERSION, FieldMap, Lexicon, field_maps
from sync_platform.core.policy import EntityPolicy, Policy
from sync_platform.core.records import ENTITIES, SYSTEMS, Entity, Json, LinkState, System
from sync_platform.errors import SyncError
from sync_platform.ledger import acts, links, outbox
from sync_platform.ledger.database import Ledger, get_meta
from sync_platform.sync import cursors
from sync_platform.sync.keep_out import KeepOut

# Whether each system was listed, and since when each was read without a gap.
Feeds = tuple[dict[System, bool], dict[System, datetime | None]]

LOADED = "loaded_at"
# One write, whichever intent carries it: record, system, hash of verb and values.
Payload = tuple[str, str, str]
PAUSE_LOOK_S = 1.0


@dataclass(frozen=True, slots=True)
class Timing:
    """Waits and ages, all in seconds.

    fresh_s: how old a shadow may be before a write reads again; settle_s: client timeout plus the longest time that a
    system may still process a call; absent_s: how long a create without an answer may still appear where nothing
    refuses a second one; late_s: how long a payload that did not land may still do so; poll_s: time between polls;
    run_max_s: length of a slice; removed_s: time between listings of what was taken away, where no feed tells.
    """

    fresh_s: float = 300.0
    settle_s: float = 60.0
    absent_s: float = 180.0
    late_s: float = 600.0
    poll_s: float = 30.0
    run_max_s: float = 300.0
    removed_s: float = 3600.0


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a long step is; `total` and `eta_s` where they are known."""

    step: str
    pages: int = 0
    rows: int = 0
    calls: int = 0
    total: int | None = None
    eta_s: float | None = None


@dataclass(slots=True)
class Step:
    """What one step did. `rows` carries record id, system, verb, field names and rule, never a value."""

    name: str
    counts: dict[str, float] = field(default_factory=dict)
    rows: list[dict[str, object]] = field(default_factory=list)
    trouble: list[dict[str, object]] = field(default_factory=list)
    complete: bool = True
    total: int | None = None

    def count(self, name: str, by: float = 1) -> None:
        """Add to a count."""
        self.counts[name] = self.counts.get(name, 0) + by

    def show(self, **facts: object) -> None:
        """Keep a row for the tables that people read; bounded."""
        if len(self.rows) < ROWS_MAX:
            self.rows.append(facts)

    def join(self, before: Step) -> None:
        """Take in what the same step did earlier in the slice, before any standing was counted."""
        for name, by in before.counts.items():
            self.count(name, by)
        self.rows = [*before.rows, *self.rows][:ROWS_MAX]
        self.trouble = [*before.trouble, *self.trouble]
        self.complete = self.complete and before.complete

    def then(self, later: Step) -> Step:
        """What came after under the same name, with all that this did."""
        later.join(self)
        return later


ROWS_MAX = 50
WINDOWS_MAX = 10_000


@dataclass(frozen=True, slots=True)
class InForce:
    """The policy and the mappings that hold, as the ledger knows them.

    `policy_from`, `mapping_from`: the first decision number under them (0: as long as there are decisions); `waiting`:
    by entity the fields that came into the policy at `since` and take part in nothing before every system was read in
    full; `read`: the feeds that were, as `system/feed`.
    """

    policy: str
    mapping: str
    fields: Mapping[str, Sequence[str]]
    policy_from: int = 0
    mapping_from: int = 0
    waiting: Mapping[str, Sequence[str]] = field(default_factory=dict)
    since: str = ""
    read: Sequence[str] = ()


@dataclass(slots=True)
class Hub:
    """Everything that a run works with."""

    ledger: Ledger
    connectors: Mapping[System, Connector]
    policy: Policy
    run: str
    region: str = "US"
    timing: Timing = field(default_factory=Timing)
    writes: bool = True
    only: frozenset[str] = frozenset()
    chosen: frozenset[str] | None = None
    # A plan: the run that carries it out reads every system once more before it creates, and customers before tickets.
    rehearsal: bool = False
    directories: dict[System, Directory] = field(default_factory=dict)
    flush: Callable[[System], None] = lambda _system: None
    calls: Callable[[System], int] = lambda _system: 0
    progress: Callable[[Progress], None] = lambda _progress: None
    began: float = field(default_factory=time.monotonic)
    troubled: set[System] = field(default_factory=set)
    # Sides that did not say who they are when the run began: nothing is read or written there in this run.
    unreached: Mapping[System, SyncError] = field(default_factory=dict)
    # Who was forgotten and stays out; None while nobody was.
    keep_out: KeepOut | None = None
    # The ledger was put back from a backup then: older records may have objects that it does not know.
    restored_at: datetime | None = None
    # Whether this run has seen that a cycle ended complete before: nothing takes that back.
    was_loaded: bool | None = None
    work: dict[System, dict[str, int]] = field(default_factory=dict)
    walks: list[tuple[System, Feed, int]] = field(default_factory=list)
    paces: dict[str, tuple[float, int]] = field(default_factory=dict)
    # Version of the mappings, kept with each observation.
    mapping_version: str = field(default_factory=lambda: VERSION)
    # Since when the present policy and mappings hold, and which of their fields are still to be read in full.
    force: InForce | None = None
    # What follows from the connectors or the policy alone, made at first use.
    made_feeds: dict[Entity, dict[System, tuple[list[cursors.Name], list[cursors.Name]]]] = field(default_factory=dict)
    # Where feeds stand, as this run knows it; None: to be read.
    stands: cursors.Stands | None = None
    # Whether any object has an open mark that it could not be read; None: to be asked.
    unreadable: bool | None = None
    made_maps: dict[Entity, dict[System, dict[str, FieldMap]]] = field(default_factory=dict)
    made_words: dict[tuple[System, Entity], dict[str, dict[str, Json]]] = field(default_factory=dict)
    # Whether this slice has read a page of backfill: however slow the news, each slice comes one page further.
    backfilled: bool = False
    # How many webhook deliveries this run has drained.
    drained: int = 0
    # Whether a person paused the platform: seen by a slice at work, which then ends. A plan only reads, and goes on.
    heeds_pause: bool = True
    pause_seen: bool = False
    pause_looked_at: float = -PAUSE_LOOK_S
    # Seconds between our last read of what an update takes the place of and its answer: an edit in between is not seen.
    windows: dict[System, deque[float]] = field(default_factory=dict)
    # What systems told in this run of the past of a field, and what is still to be asked (see `core.histories`).
    histories: dict[tuple[int, str, str], list[tuple[Json, str]] | None] = field(default_factory=dict)
    asks: set[tuple[int, str, str]] = field(default_factory=set)
    # How often this slice took up a write without sending it, how often it carried out the same one, how often somebody
    # else's was there before it, which it leaves.
    taken_up: Counter[Payload] = field(default_factory=Counter)
    carried_out: Counter[Payload] = field(default_factory=Counter)
    outrun: Counter[Payload] = field(default_factory=Counter)
    left: set[int] = field(default_factory=set)
    # The sync never sleeps through this by itself; tests and the simulation move it.
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    # Names what is new; the simulation gives the same names to the same seed.
    new_id: Callable[[], str] = lambda: uuid.uuid4().hex
    # Names the record that is born of an object: in one ledger the same one again for the same object; empty: drawn.
    name_of: Callable[[uuid.UUID, System, Entity, str], str] = lambda ledger, system, entity, external_id: (
        uuid.uuid5(ledger, f"{system}/{entity}/{external_id}").hex
    )

    def reach(self, system: System) -> None:
        """Raise what kept a side from saying who it is, if anything did."""
        if system in self.unreached:
            raise self.unreached[system]

    def now(self) -> datetime:
        """Aware UTC."""
        return self.clock()

    def maps(self, entity: Entity) -> dict[System, dict[str, FieldMap]]:
        """Field maps of every system for the fields that the policy names and that take part."""
        found = self.made_maps.get(entity)
        if found is None:
            found = self.made_maps[entity] = self._maps(entity, self.judged(entity).fields)
        return found

    def maps_shown(self, entity: Entity) -> dict[System, dict[str, FieldMap]]:
        """Field maps for all that is to be read: also of fields that wait for a full reading."""
        return self._maps(entity, self.policy.entities[entity].fields) if self.waits_for(entity) else self.maps(entity)

    def _maps(self, entity: Entity, wanted: Container[str]) -> dict[System, dict[str, FieldMap]]:
        return {
            system: {name: fm for name, fm in field_maps(system, entity).items() if name in wanted}
            for system in self.policy.entities[entity].systems
        }

    def waits_for(self, entity: Entity) -> Collection[str]:
        """Fields of the policy that take part in nothing yet."""
        return self.force.waiting.get(str(entity), ()) if self.force is not None else ()

    def judged(self, entity: Entity) -> EntityPolicy:
        """The policy of an entity without the fields that wait for a full reading."""
        policy, waiting = self.policy.entities[entity], self.waits_for(entity)
        if not waiting:
            return policy
        return replace(policy, fields={name: one for name, one in policy.fields.items() if name not in waiting})

    def lexicon(
        self,
        system: System,
        entity: Entity,
        *,
        to_record: Mapping[str, str] | None = None,
        to_external: Mapping[str, str] | None = None,
    ) -> Lexicon:
        """What the mappings of one system may know."""
        vocabulary = self.made_words.get((system, entity))
        if vocabulary is None:
            vocabulary = self.made_words[system, entity] = {
                name: {canonical: theirs[system] for canonical, theirs in table.items() if system in theirs}
                for name, table in self.policy.vocabulary.get(entity, {}).items()
            }
        directory = self.directories.get(system)
        return Lexicon(
            region=self.region,
            to_record=to_record or {},
            to_external=to_external or {},
            agents=dict(directory.agents) if directory else {},
            vocabulary=vocabulary,
        )

    def lexicons(self, conn: Connection, entity: Entity, customers: Customers | None = None) -> dict[System, Lexicon]:
        """Lexicons of all systems; tickets get the customers that a batch refers to."""
        if entity is not Entity.TICKET or customers is None:
            return {system: self.lexicon(system, entity) for system in SYSTEMS}
        to_record, to_external = customers.read(conn)
        if self.rehearsal:
            for system, record in outbox.planned_creates(conn, Entity.CUSTOMER, customers.records):
                to_external.setdefault(system, {}).setdefault(record, f"new:{record}")
        return {
            system: self.lexicon(
                system, entity, to_record=to_record.get(system, {}), to_external=to_external.get(system, {})
            )
            for system in SYSTEMS
        }

    def tell(
        self, step: str, *, system: System | None = None, pages: int = 0, rows: int = 0, total: int | None = None
    ) -> None:
        """Show how far a step is; the time left follows from its pace since it was first shown."""
        now = time.monotonic()
        began_at, before = self.paces.setdefault(step, (now, rows))
        eta_s = None
        if total is not None and rows > before and total >= rows:
            eta_s = round((total - rows) * (now - began_at) / (rows - before), 1)
        calls = self.calls(system) if system is not None else 0
        self.progress(Progress(step, pages, rows, calls, total, eta_s))

    def over(self, share: float = 1.0) -> bool:
        """Whether this slice has used up its time (or a share of it), or somebody paused the platform."""
        return self.paused() or time.monotonic() - self.began > self.timing.run_max_s * share

    def paused(self) -> bool:
        """Whether a person paused the platform; asks the ledger once a second at most."""
        if self.heeds_pause and not self.pause_seen and time.monotonic() - self.pause_looked_at >= PAUSE_LOOK_S:
            self.pause_looked_at = time.monotonic()
            with self.ledger.read() as conn:
                self.pause_seen = acts.paused(conn) is not None
        return self.pause_seen

    def news_waits(self) -> bool:
        """Whether backfill should give way: a poll came due again since this slice began."""
        return time.monotonic() - self.began > max(2 * self.timing.poll_s, 20.0)

    def unseen_for(self, system: System, seconds: float) -> None:
        """Keep how long a write was blind to edits; the last WINDOWS_MAX of a run are kept."""
        self.windows.setdefault(system, deque(maxlen=WINDOWS_MAX)).append(seconds)

    def did(self, system: System, what: str, by: int = 1) -> None:
        """Count work that the data asked for; the lower bound of calls comes from these counts alone."""
        counts = self.work.setdefault(system, {})
        counts[what] = counts.get(what, 0) + by

    def listed(self, conn: Connection, entity: Entity) -> dict[System, bool]:
        """Whether each system was fully listed once for this entity, with every feed that belongs to it."""
        return self.listed_and_polled(conn, entity)[0]

    def polled(self, conn: Connection, entity: Entity) -> dict[System, datetime | None]:
        """Since when each system was read without a gap: the start of the last finished round of its news feeds."""
        return self.listed_and_polled(conn, entity)[1]

    def listed_and_polled(self, conn: Connection, entity: Entity) -> Feeds:
        """Both answers of `listed` and `polled`."""
        stands = self.standing(conn)
        listed: dict[System, bool] = {}
        polled: dict[System, datetime | None] = {}
        for system, (lists, news) in self._feeds_of(entity).items():
            listed[system] = all((one := stands.get(at)) is not None and one.listed_at is not None for at in lists)
            times = [one.polled_at if (one := stands.get(at)) is not None else None for at in news]
            known = [at for at in times if at is not None]
            polled[system] = min(known) if known and len(known) == len(times) else None
        return listed, polled

    def standing(self, conn: Connection) -> cursors.Stands:
        """Where feeds stand, by system and feed; what was given out stays as it was."""
        if self.stands is None:
            self.stands = cursors.load(conn)
        return self.stands

    def _feeds_of(self, entity: Entity) -> dict[System, tuple[list[cursors.Name], list[cursors.Name]]]:
        """Feeds by system: those that list it in full or tell its news, and of them those whose rounds have no gap."""
        found = self.made_feeds.get(entity)
        if found is None:
            found = self.made_feeds[entity] = {}
            for system, connector in self.connectors.items():
                feeds = [f for f in connector.feeds() if f.entity is entity]
                lists = [(str(system), f.name) for f in feeds if f.kind not in ("detail", "removed")]
                news = [
                    (str(system), f.name)
                    for f in feeds
                    if f.kind in ("walk", "ascending") and not f.name.startswith("events")
                ]
                found[system] = (lists, news)
        return found

    def loading(self, conn: Connection) -> bool:
        """True until every system was fully listed once."""
        return not all(all(self.listed(conn, entity).values()) for entity in ENTITIES)

    def loaded(self, conn: Connection) -> bool:
        """True once a cycle has ended complete: what is owed afterwards is news."""
        if self.was_loaded is None:
            # No other run ends while this one holds the lease, and its own end is its last word.
            self.was_loaded = get_meta(conn, LOADED) is not None
        return self.was_loaded

    def settle_due(self) -> datetime:
        """When an unknown outcome may be looked up."""
        return self.now() + timedelta(seconds=self.timing.settle_s)


@dataclass(slots=True)
class Customers:
    """The customers that a batch of tickets refers to, by record and by external id."""

    records: set[str] = field(default_factory=set)
    externals: dict[System, set[str]] = field(default_factory=dict)

    def refer(self, system: System, external_id: object) -> None:
        """A ticket of this system names this customer."""
        if external_id is not None and external_id != "":
            self.externals.setdefault(system, set()).add(str(external_id))

    def read(self, conn: Connection) -> tuple[dict[System, dict[str, str]], dict[System, dict[str, str]]]:
        """(external id → record, record → external id), both by system; ids merged away still lead to their record."""
        to_record: dict[System, dict[str, str]] = {}
        to_external: dict[System, dict[str, str]] = {}
        found = links.external_ids(conn, Entity.CUSTOMER, externals=self.externals)
        records = self.records | {str(record) for _, _, record, _ in found}
        found += links.external_ids(conn, Entity.CUSTOMER, records=records)
        for system, external_id, record, state in found:
            to_record.setdefault(system, {})[external_id] = record
            if state is LinkState.ACTIVE:
                to_external.setdefault(system, {})[record] = external_id
        return to_record, to_external


def touches(only: Iterable[str], system: System | None, entity: Entity) -> bool:
    """Whether `--only` words let this system and entity through; no words let everything through."""
    words = list(only)
    systems = {word for word in words if word in {str(s) for s in System}}
    entities = {word.split(":", 1)[0] for word in words if word.split(":", 1)[0] in {str(e) for e in Entity}}
    if systems and system is not None and str(system) not in systems:
        return False
    return not entities or str(entity) in entities
