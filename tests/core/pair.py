"""Two records in three systems for the exhaustive walk: a bench for each, the fate of its objects, and their merges.

A bench that was entered into the walk is never changed again: whatever happens, happens to a copy.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from sync_platform.core.merge import merge
from sync_platform.core.plan import Facts, Planned, plan
from sync_platform.core.policy import Brake, EntityPolicy, SystemPolicy
from sync_platform.core.records import (
    SYSTEMS,
    UNSET,
    Cell,
    Claim,
    Entity,
    Link,
    LinkState,
    PlannedWrite,
    Record,
    RecordId,
    System,
    Verb,
)
from sync_platform.sync import endings
from sync_platform.sync.merges import seniority
from tests.core.harness import FIELDS, Bench, E, G, H, Holding, lexicons, maps

NAMES = ("title", "code")
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
WHOLE = "*"
SEVERAL = "several"
BEHIND_MAX = 2  # versions of an object that were not read: more of them tell nothing new
MOVED = 10  # links that came from another record have ids of their own
# A delete in the ERP is meant for everybody, one elsewhere for nobody.
POLICY = EntityPolicy(
    {name: FIELDS[name] for name in NAMES},
    {system: SystemPolicy("always", "delete" if system is E else "ignore", allow_close=True) for system in SYSTEMS},
    Brake(500, 0.1),
)
MAPS = {system: {name: of[name] for name in NAMES} for system, of in maps().items()}
LEXICONS = lexicons()
Key = tuple[Any, ...]


class Clock:
    """What `endings` asks of a hub."""

    @staticmethod
    def now() -> datetime:
        """The same time for everything: a tombstone bears it, and nothing is decided by it."""
        return EPOCH


class Half(Bench):
    """One record with its objects; `ended` is what really befell an object, `behind` how many versions nobody read."""

    def __init__(self) -> None:
        super().__init__(policy=POLICY, maps=MAPS, lexicons=LEXICONS)
        self.record = Record(RecordId("0" * 32), Entity.TICKET)
        self.ended: dict[System, str] = {}
        self.behind = dict.fromkeys(SYSTEMS, 0)
        self.past: dict[System, dict[str, Any]] = {}
        self.polled: dict[System, int] = dict.fromkeys(SYSTEMS, 0)
        self.tick = 0
        self.edits: dict[str, Any] = dict.fromkeys(NAMES)
        self.kept_for: set[System] = set()

    @classmethod
    def settled_world(cls) -> Self:
        """All three systems hold the record and agree."""
        half = cls()
        half.hold({system: {"title": "old", "code": "OLD"} for system in (G, H, E)})
        for system in SYSTEMS:
            half.poll(system)
        half.quiesce()
        return half

    def copy(self) -> Self:
        """Another bench in the same state. Policies, mappings, values and claims are never changed and are shared."""
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        record = self.record
        other.record = replace(
            record,
            fields=dict(record.fields),
            decided=dict(record.decided),
            contests={name: list(claims) for name, claims in record.contests.items()},
            reviews=dict(record.reviews),
        )
        other.links = {system: _copied(link) for system, link in self.links.items()}
        other.held = {system: Holding(dict(one.values), one.spoil) for system, one in self.held.items()}
        for name in ("late", "parked", "sent", "ended", "behind", "past", "polled", "edits"):
            setattr(other, name, dict(getattr(self, name)))
        other.kept_for = set(self.kept_for)
        other.decisions = []
        other.planned = Planned()
        return other

    # --- what happens -------------------------------------------------------------------------------------------

    def live(self, system: System) -> bool:
        """Whether the object stands."""
        return system in self.held and system not in self.ended

    def active(self, system: System) -> bool:
        """Whether the ledger takes it for standing."""
        return system in self.links and self.links[system].state is LinkState.ACTIVE

    def on_edit(self, system: System, name: str, value: str) -> None:
        """A person edits there."""
        holding = self.held[system]
        if not self.live(system) or holding.values[name].casefold() == value.casefold():
            return
        self._turned(system)
        holding.values[name] = value
        before = self.edits[name]
        self.edits[name] = (system, value) if before is None or before[0] is system else SEVERAL
        said = {held.values[name].casefold() for of, held in self.held.items() if of is not system}
        if self.ended.get(E) == "deleted" and value.casefold() not in said:
            # Somebody who works with it after the end elsewhere: it must not be taken from them. Who types what another
            # system says as well agrees with it, and that is no edit.
            self.kept_for.add(system)

    def _turned(self, system: System) -> None:
        self.past[system] = dict(self.held[system].values)
        self.behind[system] = min(self.behind[system] + 1, BEHIND_MAX)

    def on_delete(self, system: System) -> None:
        """A person deletes the object."""
        if self.live(system):
            self.ended[system] = "deleted"
            self.kept_for.discard(system)

    def on_poll(self, system: System) -> None:
        """It is read: news, an echo of ours, or that it is gone."""
        if system not in self.links or self.links[system].unsettled or not self.active(system):
            return
        self.tick += 1
        self.polled[system] = self.tick
        if self.live(system):
            self.behind[system] = 0
            self.poll(system)
            return
        link = self.links[system]
        if self.ended[system] == "merged":
            link.state, link.into, link.again = LinkState.BARRED, "survivor", True
        else:
            link.state = LinkState.GONE
            link.gone = {"kind": "deleted", "at": self._at(self.tick).isoformat()}

    def on_reorder(self, system: System) -> None:
        """A row of before the last change comes after it was made; what is older than what we read is left out."""
        link = self.links[system]
        if link.unsettled or not self.active(system) or self.behind[system] < BEHIND_MAX:
            return
        self.behind[system] = 1
        for name, value in self.past[system].items():
            self.show(system, name, value)

    def on_push(self, system: System) -> None:
        """A fenced read, a judgement, a write and its answer."""
        write = self._ready(system)
        if write is None:
            return
        self.send(system)
        self._lands(system, write)
        if write.verb is Verb.DELETE:
            self._deleted(system)
        else:
            self.acknowledge(system, self.held[system].values)

    def on_lost_landed(self, system: System) -> None:
        """The same, and the answer is lost."""
        write = self._ready(system)
        if write is not None:
            self.send(system)
            self._lands(system, write)

    def on_lost_never(self, system: System) -> None:
        """The same, and the write is lost as well."""
        if self._ready(system) is not None:
            self.send(system)

    def _ready(self, system: System) -> PlannedWrite | None:
        if not self.active(system) or self.links[system].unsettled:
            return None
        self.on_poll(system)
        self.judge()
        return self.write_for(system)

    def _lands(self, system: System, write: PlannedWrite) -> None:
        if write.verb is Verb.DELETE:
            assert self.ended.get(E) == "deleted", f"{system}: deleted, and nobody deleted it where that counts"
            self.ended[system] = "by_us"
            return
        if not self.live(system):
            return
        self._turned(system)
        self.land(system, write)
        self.behind[system] = 0

    def _deleted(self, system: System) -> None:
        self.sent.pop(system, None)
        link = self.links[system]
        link.unsettled, link.state = False, LinkState.GONE
        link.gone = {"kind": "by_us", "at": self._at(self.tick).isoformat(), "judged": "keep"}

    def on_settle(self, system: System) -> None:
        """The outcome of a write without an answer is looked up."""
        link = self.links[system]
        if not link.unsettled:
            return
        write = self.sent[system]
        if write.verb is not Verb.DELETE and self.live(system):
            self.behind[system] = 0
            self.settle(system, self.held[system].values)
            return
        if write.verb is Verb.DELETE and self.ended.get(system) in ("by_us", "deleted"):
            self._deleted(system)
            return
        self.sent.pop(system)
        link.unsettled = False
        if write.verb is Verb.DELETE and system not in self.ended:
            self.late[link.id, WHOLE] = {}

    def on_crash(self) -> None:
        """What is not in the ledger is gone; what is comes back as it was stored, and is planned anew."""
        for link in self.links.values():
            link.cells = {name: Cell.load(json.loads(json.dumps(cell.dump()))) for name, cell in link.cells.items()}
        for name, claims in self.record.contests.items():
            self.record.contests[name] = [Claim.load(json.loads(json.dumps(claim.dump()))) for claim in claims]
        self.judge()

    # --- the engine ---------------------------------------------------------------------------------------------

    def facts_now(self) -> Facts:
        """What the ledger knows: every system held the record once, and would take it again."""
        return Facts(ever_linked=set(self.links), creatable=SYSTEMS, parked=self.parked)

    def _at(self, tick: int) -> datetime:
        return EPOCH + timedelta(seconds=tick)

    def judge(self) -> list[Any]:
        """What a reconciliation does with one record: ends, merge, plan."""
        scene = self.scene([link for link in self.links.values() if link.state is LinkState.ACTIVE])
        ending = endings.before(self.record, list(self.links.values()), self.late)
        merged = merge(scene)
        endings.after(Clock, ending, scene, merged, {s: self._at(tick) for s, tick in self.polled.items()})  # type: ignore[arg-type]
        self.number = scene.next_number
        self.decisions += merged.decisions
        self.planned = plan(scene, self.facts_now())
        made = [write.system for write in self.planned.writes if write.verb is Verb.CREATE]
        assert not made, f"an end or a merge brought a create in {made}"
        for decision in merged.decisions:
            if decision.rule == "late":
                self.late.pop((decision.claims[0].link_id, decision.field), None)
        return merged.decisions

    def round(self) -> tuple[int, int]:
        """Everybody is read, judged and written to; gives (decisions, writes)."""
        self.decisions, writes = [], 0
        for system in SYSTEMS:
            self.on_poll(system)
        self.judge()
        for system in SYSTEMS:
            write = self._ready(system)
            if write is not None:
                writes += 1
                self.on_push(system)
        self.judge()
        return len(self.decisions), writes

    def hold_true(self) -> None:
        """In a quiet world: what stands agrees, who alone edited has their value, what ended for all is nowhere."""
        standing = [system for system in SYSTEMS if self.live(system)]
        assert [system for system in SYSTEMS if self.active(system)] == standing, "what is believed to stand"
        for system in self.kept_for:
            assert system not in self.ended, f"{system}: deleted under somebody who had edited it since"
        if (self.record.tombstone or {}).get("means") == "delete":
            assert not standing, f"{standing} still stand"
            return
        for name in NAMES:
            shown = {self.held[system].values[name].casefold() for system in standing}
            assert len(shown) < 2, (name, shown)
            alone = self.edits[name]
            if shown and alone not in (None, SEVERAL) and alone[0] in standing:
                assert shown == {alone[1].casefold()}, (name, shown, alone)

    # --- which states are the same ------------------------------------------------------------------------------

    def key(self) -> Key:
        """What tells this state from another: of numbers and times the order alone."""
        cells = [cell for link in self.links.values() for cell in link.cells.values()]
        record = self.record
        claims = [claim for found in record.contests.values() for claim in found]
        numbers = {0, *(cell.seen for cell in cells), *record.decided.values()}
        numbers |= {number for claim in claims for number in (claim.number, claim.seen)}
        rank = {number: place for place, number in enumerate(sorted(numbers))}
        tombstone = record.tombstone or {}
        return (
            tuple(self._side_key(system, rank) for system in SYSTEMS),
            tuple(record.fields.get(name, UNSET) for name in NAMES),
            tuple(rank[record.decided.get(name, 0)] for name in NAMES),
            tuple(
                (name, *((c.system, c.link_id, c.value, c.theirs, rank[c.number], rank[c.seen]) for c in found))
                for name, found in sorted(record.contests.items())
            ),
            tuple(sorted(record.reviews)),
            (tombstone.get("cause"), tombstone.get("means"), record.twin, WHOLE in record.decided),
            tuple(sorted((link, name, str(value)) for (link, name), value in self.late.items())),
            tuple(sorted(self.parked.items())),
            tuple(self.edits.values()),
            tuple(sorted(self.kept_for)),
        )

    def _side_key(self, system: System, rank: dict[int, int]) -> Key:
        if system not in self.links:
            return (self.ended.get(system),)
        link, holding = self.links[system], self.held[system]
        gone = link.gone or {}
        since: Key = ()
        if link.state is LinkState.GONE and not gone.get("judged"):
            at = datetime.fromisoformat(gone["at"])
            since = tuple(self._at(self.polled[other]) >= at for other in SYSTEMS)
        sent = self.sent.get(system)
        return (
            link.id,
            link.state,
            link.again,
            link.unsettled,
            (gone.get("kind"), bool(gone.get("edited")), gone.get("judged")),
            since,
            tuple(
                (cell.shadow, cell.base, cell.held, cell.image, rank[cell.seen], cell.apart)
                for cell in (link.cells[name] for name in NAMES)
            ),
            self.ended.get(system) or tuple(holding.values[name] for name in NAMES),
            self.behind[system],
            tuple(self.past[system].values()) if self.behind[system] == BEHIND_MAX else (),
            None if sent is None else (sent.verb, tuple(sent.values.items()), tuple(sent.pre.items())),
        )


def _copied(link: Link) -> Link:
    return replace(
        link,
        cells={
            name: Cell(cell.shadow, cell.base, cell.held, cell.image, cell.seen, cell.apart)
            for name, cell in link.cells.items()
        },
        gone=dict(link.gone) if link.gone else None,
    )


# --- the two of them ------------------------------------------------------------------------------------------------


def merged_away(lost: Half, kept: Half, system: System) -> Half | None:
    """A person merges the one's object into the other's; None where there is no such pair."""
    if not (lost.live(system) and kept.live(system) and lost.active(system) and kept.active(system)):
        return None
    lost = lost.copy()
    lost.ended[system] = "merged"
    lost.edits = dict.fromkeys(NAMES, SEVERAL)
    lost.kept_for.discard(system)
    return lost


def to_follow(half: Half) -> System | None:
    """A merge that the ledger knows of and has not followed."""
    for system, link in half.links.items():
        if link.state is LinkState.BARRED and link.again:
            return system
    return None


def unfollowed(half: Half) -> bool:
    """Whether an object of this one was merged away, and nothing was made of it yet."""
    return to_follow(half) is not None or any(
        how == "merged" and half.active(system) for system, how in half.ended.items()
    )


def orders(lost: Half, kept: Half) -> list[bool]:
    """Which of the two may be the one that lives on (True: the first); age is open, so it may be either of equals."""
    one, other = (seniority(half.record)[:3] for half in (lost, kept))
    return [True, False] if one == other else [one < other]


def follow(lost: Half, kept: Half, *, elder_first: bool) -> tuple[Half, Half | None] | None:
    """What `sync/merges.py` does about a merge of two records; None while a write to either is unsettled.

    Gives both, or the one that lives on and None.
    """
    system = to_follow(lost)
    assert system is not None
    lost, kept = lost.copy(), kept.copy()
    if kept.links[system].state is LinkState.GONE:
        link = lost.links[system]
        link.state, link.again, link.into = LinkState.GONE, False, None
        lost.tick += 1
        link.gone = {"kind": "deleted", "at": lost._at(lost.tick).isoformat()}
        lost.ended[system] = "deleted"
        return lost, kept
    if any(link.unsettled for half in (lost, kept) for link in half.links.values()):
        return None
    lost.links[system].again = False
    if {s for s in SYSTEMS if lost.active(s)} & {s for s in SYSTEMS if kept.active(s)}:
        lost.record.twin = kept.record.twin = True
        return lost, kept
    return _absorbed(lost, kept, system, elder_first=elder_first), None


def _absorbed(lost: Half, kept: Half, system: System, *, elder_first: bool) -> Half:
    """All objects of both are the elder's; what moved, and the survivor, are judged by the first-link rule.

    Of an object that is gone nothing is kept where another one takes its place: such an end is not walked any further.
    """
    elder, other = (lost, kept) if elder_first else (kept, lost)
    for of in SYSTEMS:
        if not other.active(of):
            continue
        link = other.links[of]
        link.id += MOVED
        link.new_epoch()
        elder.links[of], elder.held[of] = link, other.held[of]
        elder.behind[of], elder.past[of] = other.behind[of], other.past.get(of, {})
        elder.ended.pop(of, None)
        if of in other.ended:
            elder.ended[of] = other.ended[of]
    if elder.links[system].id < MOVED:
        elder.links[system].new_epoch()
    elder.number = max(lost.number, kept.number) + 1
    elder.edits = dict.fromkeys(NAMES, SEVERAL)
    elder.kept_for = set()
    return elder
