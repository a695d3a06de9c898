"""One simulated world: three systems, the real engine on a ledger of its own, a virtual clock, faults, and the truth.

A world does one step after the other and knows what really happened. A process may die at every seam: before and
after a commit, before a call arrives and before its answer is read. What died writes nothing more; the next step is
another process on the same ledger.
"""

from __future__ import annotations

import json
import random
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sync_platform.connectors.protocol import Change, Connector
from sync_platform.core.mappings import VERSION
from sync_platform.core.policy import Policy
from sync_platform.core.records import ENTITIES, SYSTEMS, Entity, Json, System
from sync_platform.errors import AnotherCycleRuns, RateLimited, SyncError, Unavailable
from sync_platform.ledger.database import set_meta
from sync_platform.simulation import (
    changes,
    endings,
    identity,
    invariants,
    invariants_acts,
    invariants_calls,
    invariants_endings,
    invariants_shown,
    operators,
    orders,
    people,
    pruning,
)
from sync_platform.simulation.shelf import Shelf
from sync_platform.simulation.systems import SimulatedSystem, Thing, View
from sync_platform.simulation.truth import Edit, Violation, standing
from sync_platform.sync import keep_out, pull, push, reconcile
from sync_platform.sync.hub import LOADED, Hub, Timing

BEGIN_AT = datetime(2026, 1, 1, tzinfo=UTC)
ROUND_S = 31
ROUNDS_MAX = 14
Step = list[Any]


class Died(BaseException):
    """The process ends here: no handler of the engine may catch this."""


@dataclass(slots=True)
class Fault:
    """What goes wrong in the next step of the engine, at its `at`-th seam that fits."""

    kind: str
    at: int


@dataclass(slots=True)
class World:
    """Everything of one simulation."""

    shelf: Shelf
    policy: Policy
    seed: int = 0
    now_at: datetime = BEGIN_AT
    systems: dict[System, SimulatedSystem] = field(default_factory=dict)
    fault: Fault | None = None
    dead: bool = False
    owner: str = ""
    runs: int = 0
    epoch: int = 0
    edits: list[Edit] = field(default_factory=list)
    known: set[str] = field(default_factory=set)
    events: Counter[str] = field(default_factory=Counter)
    trace: list[str] = field(default_factory=list)
    evaluated: Counter[str] = field(default_factory=Counter)
    violations: list[Violation] = field(default_factory=list)
    lost: set[tuple[System, Entity, str, str]] = field(default_factory=set)
    overwritten: set[tuple[int, str, str]] = field(default_factory=set)
    sent: dict[tuple[System, Entity, str, str], list[Json]] = field(default_factory=dict)
    # Writes on their way, and those whose answer nobody ever read: (system, entity, id, attribute).
    flight: set[tuple[System, Entity, str, str]] = field(default_factory=set)
    unanswered: set[tuple[System, Entity, str, str]] = field(default_factory=set)
    residue: int = 0
    marks: list[tuple[Thing, str, int]] = field(default_factory=list)
    stuck: set[tuple[str, str]] = field(default_factory=set)
    was_stuck: set[tuple[str, str]] = field(default_factory=set)
    decided_before: int = 0
    observed_before: int = 0
    # Up to which observation was looked; of fields not judged yet all showings, those that were typed over, and all
    # that were shown before the first judgement.
    looked_at: int = 0
    unjudged: dict[tuple[str, ...], list[int]] = field(default_factory=dict)
    unborn: set[tuple[int, str]] = field(default_factory=set)
    met: set[tuple[str, ...]] = field(default_factory=set)
    ids: random.Random = field(default_factory=random.Random)
    # Steps and calls so far: what was before what, where the clock stands still.
    tick: int = 0
    ends: endings.Ends = field(default_factory=endings.Ends)
    acts: operators.Acts = field(default_factory=operators.Acts)
    mapping_version: str = VERSION
    pace: orders.Pace = field(default_factory=orders.Pace)

    def __post_init__(self) -> None:
        self.systems = {system: SimulatedSystem(system, self) for system in SYSTEMS}
        self.ids = random.Random(self.seed)  # noqa: S311  # ids that come again with the seed
        self.shelf.fresh()
        self.bind()

    def bind(self) -> None:
        """Take the shelf's ledger over."""
        ledger = self.shelf.ledger
        ledger.seam = self.seam
        ledger.clock = lambda: self.now_at

    # --- seams --------------------------------------------------------------------------------------------------

    def seam(self, name: str) -> None:
        """A place where the process may die; a dead one does nothing more."""
        if self.dead:
            raise Died
        if name == "committed":
            if self.shelf.ledger.wrote:
                invariants_shown.note_unborn(self)
            self.marks.clear()
            self.flight.clear()
            self.ends.pending.clear()
        if name != "begin" and self._strikes({"commit": "die_before_commit", "committed": "die_after_commit"}[name]):
            self._die(name)

    def call(self, system: System, kind: str) -> None:
        """A call sets out."""
        self.tick += 1
        if self.dead:
            raise Died
        invariants_acts.at_any_call(self, system)
        if self._strikes("die_before_call"):
            self._die("call")
        if self._strikes("unavailable"):
            self.say("unavailable", system, kind)
            raise Unavailable("no answer", system=str(system), wait_s=1.0)
        if self._strikes("limited"):
            self.say("limited", system, kind)
            raise RateLimited("slow down", system=str(system), wait_s=1.0)
        if self._strikes("second_run"):
            self._second_run()
        orders.spend(self, system, kind)
        orders.arrives(self, system)

    def called(self, system: System, kind: str) -> None:
        """An answer comes back."""
        if self.dead:
            raise Died
        if self._strikes("die_after_call"):
            self._die("called")
        if kind == "write" and self._strikes("lost_batch"):
            self.say("lost_batch", system)
            self._unanswered()
            raise Unavailable("the connection broke", system=str(system))

    def fate(self, system: System, change: Change) -> str:
        """What becomes of one write."""
        for kind in ("lost_landed", "lost_never", "lost_late", "busy", "unnamed"):
            if self._strikes(kind):
                self.say(kind, system, change.entity, change.external_id)
                self._unanswered()
                if kind == "lost_late" and change.external_id:
                    self.lost |= {(system, change.entity, change.external_id, name) for name in change.set}
                return kind
        return ""

    def _strikes(self, kind: str) -> bool:
        if self.fault is None or self.fault.kind != kind:
            return False
        self.fault.at -= 1
        if self.fault.at >= 0:
            return False
        self.fault = None
        self.events[_EVENT_OF.get(kind, kind)] += 1
        return True

    def _unanswered(self) -> None:
        self.unanswered |= self.flight
        self.flight.clear()

    def _die(self, where: str) -> None:
        self.dead = True
        for thing, name, place in reversed(self.marks):
            thing.looks[name].pop()
            thing.shown[name] = place
            if place < 0:
                del thing.shown[name]
        self.marks.clear()
        endings.unsaid(self)
        self._unanswered()
        self.say("dies", where)
        raise Died

    def _second_run(self) -> None:
        """Another process takes the lease over while this one hangs in a call."""
        self.say("second run")
        first = self.shelf.ledger.check_owner
        self.engine(self._cycle)
        self.shelf.ledger.check_owner = first

    # --- the engine ---------------------------------------------------------------------------------------------

    def hub(self) -> Hub:
        """A process that works with this ledger now, and owns the lease."""
        self.runs += 1
        run = f"run{self.runs}"
        self.owner = run

        ledger = self.shelf.ledger

        def mine() -> None:
            if self.owner != run:
                raise AnotherCycleRuns("somebody else took over")

        ledger.check_owner = mine
        sides: dict[System, Connector] = dict(self.systems)
        return Hub(
            ledger=ledger,
            connectors=sides,
            policy=self.policy,
            run=run,
            timing=Timing(),
            clock=lambda: self.now_at,
            keep_out=keep_out.load(ledger, endings.KEY) if self.ends.hidden() else None,
            new_id=self.new_id,
            name_of=lambda *_object: "",
            mapping_version=self.mapping_version,
        )

    def new_id(self) -> str:
        """A name for something new; the same seed gives the same names."""
        return uuid.UUID(int=self.ids.getrandbits(128), version=4).hex

    def engine(self, work: Callable[[], None]) -> None:
        """Let a process work; how it ends is part of the story."""
        self.acts.silent = False
        try:
            work()
        except Died:
            self.dead = False
        except SyncError as error:
            self.say("ended", type(error).__name__)
            self._unanswered()
        except Exception as error:  # noqa: BLE001  # whatever it is, the engine should not have raised it
            self.violations.append(Violation("I18", f"the engine raised {type(error).__name__}: {error}"))

    def _pull(self, hub: Hub, system: System, entity: Entity, *, full: bool = False) -> None:
        pull.pull(hub, system, entity, reconcile.judge_now(hub, entity), full=full)

    def _cycle(self, *, full: bool = False) -> None:
        hub = self.hub()
        if not operators.goes_on(self, hub):
            return
        for entity in ENTITIES:
            for system in SYSTEMS:
                self._pull(hub, system, entity, full=full)
        for entity in ENTITIES:
            operators.take_up(self, hub)
            endings.carry_on(hub, entity)
            reconcile.reconcile(hub, entity)
        for entity in ENTITIES:
            for system in SYSTEMS:
                push.push(hub, system, entity)

    def _full_cycle(self) -> None:
        self._cycle(full=True)

    # --- steps --------------------------------------------------------------------------------------------------

    def do(self, step: Step) -> None:
        """One step of a script."""
        kind, *rest = step
        self.say(*step)
        self.tick += 1
        steps = endings.STEPS | operators.STEPS | orders.STEPS | changes.STEPS | identity.STEPS | pruning.STEPS
        if kind in steps:
            steps[kind](self, *rest)
        else:
            getattr(self, f"on_{kind}")(*rest)
        endings.notice(self)
        invariants_endings.after_step(self)
        for side in self.systems.values():
            side.land_late()

    def say(self, *words: object) -> None:
        """One line of the trace."""
        self.trace.append(" ".join(str(word) for word in words))

    def on_wait(self, seconds: int) -> None:
        """Time passes."""
        self.now_at += timedelta(seconds=seconds)

    def on_fault(self, kind: str, at: int) -> None:
        """Arm a fault for the steps to come."""
        self.fault = Fault(kind, at)

    def on_view(self, system: str, hidden: int, again: int, old: int, turned: int) -> None:
        """From now on the feeds of a system show the newest changes later, rows again, old rows, in another order."""
        self.systems[System(system)].view = View(hidden, again, old, turned)
        self.events["view"] += 1

    def on_pull(self, system: str, entity: str) -> None:
        """Read one system."""
        self.events["pull"] += 1
        self._read(System(system), Entity(entity), full=False)

    def on_sweep(self, system: str, entity: str) -> None:
        """Read one system in full."""
        self.events["sweep"] += 1
        self._read(System(system), Entity(entity), full=True)

    def _read(self, system: System, entity: Entity, *, full: bool) -> None:
        def work() -> None:
            hub = self.hub()
            if operators.goes_on(self, hub):
                self._pull(hub, system, entity, full=full)

        self.engine(work)

    def on_reconcile(self, entity: str) -> None:
        """Judge what is dirty."""
        self.events["reconcile"] += 1

        def work() -> None:
            hub = self.hub()
            if operators.goes_on(self, hub):
                operators.take_up(self, hub)
                endings.carry_on(hub, Entity(entity))
                reconcile.reconcile(hub, Entity(entity))

        self.engine(work)

    def on_push(self, system: str, entity: str) -> None:
        """Write to one system."""
        self.events["push"] += 1

        def work() -> None:
            hub = self.hub()
            if operators.goes_on(self, hub):
                push.push(hub, System(system), Entity(entity))

        self.engine(work)

    def on_cycle(self) -> None:
        """A whole cycle."""
        self.events["cycle"] += 1
        self.engine(self._cycle)

    def on_person(self, number: int, where: Sequence[str], tickets: Sequence[str]) -> None:
        """A new person in some systems, with tickets that begin in some of them."""
        self.events["person"] += 1
        for place, name in enumerate(where):
            system = System(name)
            held = _newborn(system, number, place)
            thing = self.systems[system].put(Entity.CUSTOMER, held, "person")
            for ticket, at in enumerate(tickets):
                if at == name:
                    self._ticket(system, thing.external_id, f"t{number}x{ticket}", number + ticket)

    def on_ticket(self, system: str, person: int, number: int) -> None:
        """A new ticket for one of the people there."""
        side = self.systems[System(system)]
        whose = side.living(Entity.CUSTOMER)
        if whose:
            self.events["ticket"] += 1
            self._ticket(System(system), whose[person % len(whose)].external_id, f"t{number}", number)

    def _ticket(self, system: System, customer: str, name: str, number: int) -> None:
        held: dict[str, Json] = {people.CHANNEL[system]: name, people.REFERENCE[system]: customer}
        for of in people.FIELDS[Entity.TICKET]:
            held |= people.typed(system, of, number * 2 + 1, {}).attributes
        self.systems[system].put(Entity.TICKET, held, "person")

    def on_edit(self, system: str, entity: str, which: int, field_number: int, number: int) -> None:
        """A person edits one field of one object."""
        side = self.systems[System(system)]
        kind = Entity(entity)
        there = side.living(kind)
        if not there:
            return
        thing = there[which % len(there)]
        names = people.FIELDS[kind]
        name = names[field_number % len(names)]
        typed = people.typed(side.system, name, number, thing.now.attributes)
        before = len(thing.versions)
        side.edit(thing, typed.attributes, "person")
        if len(thing.versions) == before:
            return
        self.events["edit"] += 1
        whose = people.whose(kind, side.system, thing.now.attributes)
        self.say("  ", whose, name, json.dumps(typed.attributes, sort_keys=True))
        self.edits.append(
            Edit(self.epoch, side.system, kind, thing.external_id, whose, name, typed.meaning, len(thing.versions) - 1)
        )

    def on_full(self) -> None:
        """A cycle that reads everything."""
        self.engine(self._full_cycle)

    def on_quiet(self) -> None:
        """Nobody edits, everything answers: rounds until nothing moves, then the invariants."""
        operators.resume(self)
        self.quiet()
        invariants.check(self)
        operators.remember_shown(self)
        self.epoch += 1
        self.known = {one.whose for one in standing(self.systems)}

    def quiet(self) -> None:
        """Cycles without edits and faults until one of them changes nothing."""
        self.fault = None
        for side in self.systems.values():
            side.view = View()
        for turn in range(ROUNDS_MAX):
            before = self.counts()
            self.now_at += timedelta(seconds=ROUND_S)
            landed = [side.land_late() for side in self.systems.values()]
            for whose in set(self.ends.wanted) - set(self.ends.promised):
                endings.forget_now(self, whose)
            # What was archived is listed only once an hour, and in full reads.
            full = any(landed) or (not turn and bool(self.ends.all))
            self.engine(self._full_cycle if full else self._cycle)
            endings.notice(self)
            invariants_endings.after_step(self)
            if self.violations:
                return
            moved = self.counts() != before or bool(self.ends.wanted) or full
            if not moved and not self.unsettled() and not any(one.late for one in self.systems.values()):
                break
        else:
            self.violations.append(Violation("I1", f"not quiet after {ROUNDS_MAX} rounds"))
        with self.shelf.ledger.begin() as conn:
            set_meta(conn, LOADED, self.now_at.isoformat())

    def counts(self) -> tuple[int, ...]:
        """Rows of the append-only tables, and calls that wrote."""
        raw = self.shelf.raw
        tables = ("observation", "decision", "intent")
        numbers = [int(raw.execute(f"SELECT coalesce(max(id), 0) FROM {t}").fetchone()[0]) for t in tables]  # noqa: S608
        return (*numbers, sum(side.applied for side in self.systems.values()))

    def unsettled(self) -> int:
        """Writes that wait for their settlement or their time, reads by id that are owed, erasures not done."""
        found = self.shelf.raw.execute(
            "SELECT (SELECT count(*) FROM intent WHERE state IN ('planned','sent','unknown'))"
            " + (SELECT count(*) FROM link WHERE again AND state = 'active')"
            " + (SELECT count(*) FROM meta WHERE key LIKE 'erasing:%')"
        )
        return int(found.fetchone()[0])

    # --- what an onlooker keeps ---------------------------------------------------------------------------------

    def shows(self, thing: Thing, place: int, names: Iterable[str]) -> None:
        """The engine is shown a version; what a dying process was shown does not count."""
        for name in names:
            before = thing.shown.get(name, -1)
            if place > before:
                self.marks.append((thing, name, before))
                thing.shown[name] = place
                thing.looks.setdefault(name, []).append(place)

    def tells(self, system: System, thing: Thing, place: int) -> None:
        """The engine is shown that an object is gone."""
        endings.tells(self, system, thing, place)

    def rounds(self, system: System, entity: Entity, began: int) -> None:
        """The engine has read all changes of a system since `began`."""
        endings.rounds(self, system, entity, began)

    def time(self) -> int:
        """How many calls and steps there were."""
        return self.tick

    def overwrites(self, system: System, thing: Thing, names: Iterable[str], by: str) -> None:
        """What a person typed after our last read and before our write is overwritten: not promised, but counted."""
        for name in names:
            last = max((p for p, one in enumerate(thing.versions) if name in one.touched), default=-1)
            unseen = last > thing.shown.get(name, -1)
            if by == "late" or (unseen and thing.versions[last].by == "person"):
                whose = people.whose(thing.entity, system, thing.now.attributes)
                self.overwritten.add((self.epoch, whose, name))
                self.events["late_landing" if by == "late" else "overwritten_unseen"] += 1

    # --- what an onlooker sees at a call ------------------------------------------------------------------------

    def wrote(self, system: System, change: Change) -> None:
        """A write sets out: its intent must stand in the ledger, committed, and be what is written."""
        said = json.dumps(dict(change.set), sort_keys=True)
        self.say("  write", system, change.entity, change.verb, change.external_id, said)
        for name, value in change.set.items():
            at = (system, change.entity, change.external_id or "", name)
            self.sent.setdefault(at, []).append(value)
            self.flight.add(at)
        invariants_calls.at_call(self, system, change)
        invariants_endings.at_call(self, system, change)
        invariants_acts.at_call(self, system, change)


def _newborn(system: System, number: int, place: int) -> dict[str, Json]:
    """A person as one system knows them; the systems agree about the address and often about nothing else."""
    held: dict[str, Json] = {"email": f"p{number}@example.com"}
    for turn, name in enumerate(people.FIELDS[Entity.CUSTOMER]):
        if (number + turn + place) % 3:
            act = number * 40 + place * 10 + turn + (people.FROM_BIRTH if name == "phone" else 0)
            typed = people.typed(system, name, act, {})
            held |= typed.attributes
    return held


_EVENT_OF = {
    "lost_landed": "lost_answer",
    "lost_never": "lost_answer",
    "lost_late": "lost_answer",
    "lost_batch": "lost_answer",
    "unnamed": "lost_answer",
    "die_before_commit": "crash",
    "die_after_commit": "crash",
    "die_before_call": "crash",
    "die_after_call": "crash",
}
