"""The engine on a ledger of its own against a served sandbox: steps of a story, one after the other.

The clock is the sandbox's. Every process of the engine is a hub of its own with the lease; it dies at seams of its
ledger and of its calls, and the next one goes on with what the ledger holds.
"""

from __future__ import annotations

import json
import random
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from sqlalchemy import insert

from sync_platform.connectors.protocol import Connector, Historian
from sync_platform.core.records import ENTITIES, SYSTEMS, Entity, Json, System
from sync_platform.errors import SyncError
from sync_platform.ledger.lease import Lease
from sync_platform.ledger.tables import RunRow
from sync_platform.simulation import people
from sync_platform.simulation.shelf import SimulatedLedger
from sync_platform.simulation.world import Died, Fault, Step
from sync_platform.sync.cycle import Cycle, open_hub
from tests.simulation import over_http_checks as checks
from tests.simulation import over_http_rows as rows
from tests.simulation.over_http_script import PLANS, REFUSALS
from tests.sync.desk import Desk

ROUND_S = 31
ROUNDS_MAX = 14
TAKEN_OVER_S = 20
LISTED_S = 3700  # what was deleted is listed hourly where no feed tells of it
MOVING_S = 600  # the Retry-After of an account that is moved


@dataclass(frozen=True, slots=True)
class Typed:
    """What a person typed: `attributes` as the system's own, `meaning` as an onlooker reads them."""

    epoch: int
    system: System
    entity: Entity
    external_id: str
    whose: str
    field: str
    attributes: Mapping[str, Json]
    meaning: Json
    observations_before: int


@dataclass(slots=True)
class Process:
    """One process of the engine."""

    cycle: Cycle
    lease: Lease
    stack: ExitStack


@dataclass(slots=True)
class HttpWorld:
    """One story as it happens."""

    desk: Desk
    seed: int = 0
    offset: timedelta = timedelta()
    fault: Fault | None = None
    dead: bool = False
    process: Process | None = None
    runs: int = 0
    epoch: int = 0
    edits: list[Typed] = field(default_factory=list)
    known: set[str] = field(default_factory=set)
    # Who lost an object by a person's delete or merge, and the tickets of theirs.
    ended: set[str] = field(default_factory=set)
    ends_to_list: bool = False
    events: Counter[str] = field(default_factory=Counter)
    evaluated: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    trace: list[str] = field(default_factory=list)
    limited_on_purpose: int = 0
    told_to_wait: bool = False
    ids: random.Random = field(default_factory=random.Random)

    def __post_init__(self) -> None:
        self.ids = random.Random(self.seed)
        self.wait(0)

    def play(self, script: Sequence[Step]) -> None:
        """All steps, up to the first violation."""
        try:
            for step in script:
                self.say(*step)
                kind, *rest = step
                getattr(self, f"on_{kind}")(*rest)
                if self.violations:
                    return
        finally:
            self.end()

    def say(self, *words: object) -> None:
        """One line of the trace."""
        self.trace.append(" ".join(str(word) for word in words))

    def broken(self, invariant: str, words: str) -> None:
        """Note a violation."""
        self.violations.append(f"{invariant}: {words}")
        self.say("VIOLATED", invariant, words)

    # --- time and death -----------------------------------------------------------------------------------------

    def now(self) -> datetime:
        """The sandbox's time."""
        return datetime.now(UTC) + self.offset

    def wait(self, seconds: float) -> None:
        """Time passes everywhere."""
        self.offset = timedelta(seconds=self.desk.call("POST", "/clock", {"advance_s": seconds})["offset_s"])

    def seam(self, name: str) -> None:
        """Where the process may die: `begin`, `commit`, `committed` of a transaction, `call` and `called`."""
        if self.dead:
            raise Died
        kinds = {
            "commit": "die_before_commit",
            "committed": "die_after_commit",
            "call": "die_before_call",
            "called": "die_after_call",
        }
        if name == "call" and self._strikes("second_run"):
            self._second_run()
        if name in kinds and self._strikes(kinds[name]):
            self.dead = True
            self.events["crash"] += 1
            self.say("  dies", name)
            raise Died

    def _strikes(self, kind: str) -> bool:
        if self.fault is None or self.fault.kind != kind:
            return False
        self.fault.at -= 1
        if self.fault.at >= 0:
            return False
        self.fault = None
        return True

    def _second_run(self) -> None:
        """Another process takes the lease over while this one hangs in a call; then this one wakes up."""
        self.say("  second run")
        self.events["second_run"] += 1
        first, self.process = self.process, None
        self.wait(TAKEN_OVER_S)
        self.on_cycle()
        self.end()
        if first is not None:
            first.lease.renew()
        self.process = first

    # --- the engine ---------------------------------------------------------------------------------------------

    def cycle(self) -> Cycle:
        """The process that works now."""
        if self.process is None:
            self.process = self._start()
        return self.process.cycle

    def _start(self) -> Process:
        self.runs += 1
        run = f"run{self.runs}"
        with ExitStack() as stack:
            opened = SimulatedLedger.open(self.desk.settings.ledger_url, migrate=False)
            ledger = cast("SimulatedLedger", stack.enter_context(opened))
            ledger.clock = self.now
            lease = Lease.take(ledger, run)
            stack.callback(lease.release)
            ledger.check_owner = lease.check
            hub = stack.enter_context(open_hub(self.desk.settings, run=run, ledger=ledger))
            hub.clock = self.now
            hub.new_id = lambda: uuid.UUID(int=self.ids.getrandbits(128), version=4).hex
            hub.connectors = {system: mortal(side, self.seam) for system, side in hub.connectors.items()}
            with ledger.begin() as conn:
                begun = {"id": run, "kind": "sync", "started_at": self.now(), "complete": False}
                conn.execute(insert(RunRow), [begun])
            ledger.seam = self.seam
            return Process(Cycle(hub, "sync", False, lease), lease, stack.pop_all())

    def end(self) -> None:
        """The process is over, however it ended."""
        process, self.process = self.process, None
        self.dead = False
        if process is not None:
            process.cycle.hub.ledger.seam = lambda _name: None  # type: ignore[attr-defined]
            process.cycle.hub.ledger.check_owner = lambda: None
            with suppress(SyncError):
                process.stack.close()

    def engine(self, work: Callable[[Cycle], Any]) -> Any:
        """Let a process work; how it ends is part of the story."""
        try:
            cycle = self.cycle()
            done = work(cycle)
        except Died:
            self.end()
        except SyncError as error:
            self.say("  ended", type(error).__name__)
            self.end()
        except Exception as error:  # noqa: BLE001  # whatever it is, the engine should not have raised it
            self.end()
            self.broken("I18", f"the engine raised {type(error).__name__}: {error}")
        else:
            if self.process is not None and self.process.cycle.hub.troubled:
                self.end()
            return done
        return None

    def _whole(self, cycle: Cycle, *, full: bool = False) -> dict[str, Any]:
        cycle.full = full
        for entity in ENTITIES:
            for system in SYSTEMS:
                cycle.pull(system, entity)
        for entity in ENTITIES:
            cycle.reconcile(entity)
        for entity in ENTITIES:
            for system in SYSTEMS:
                cycle.push(system, entity)
        return cycle.finish()

    # --- steps --------------------------------------------------------------------------------------------------

    def on_wait(self, seconds: int) -> None:
        """Time passes."""
        self.wait(seconds)

    def on_fault(self, kind: str, at: int) -> None:
        """Arm a death for the steps to come."""
        self.fault = Fault(kind, at)

    def on_disturb(self, plan: str, seed: int) -> None:
        """A plan of disturbance stands from now on."""
        self.on_calm()
        self.events["disturb"] += 1
        wanted = PLANS[plan]
        wanted = {**wanted, "seed": seed} if isinstance(wanted, dict) else [{**one, "seed": seed} for one in wanted]
        self.desk.call("PUT", "/faults", wanted)

    def on_calm(self) -> None:
        """No more disturbance."""
        struck = [one for one in self.desk.call("GET", "/faults") if one["hits"]]
        for one in struck:
            self.events[one["kind"]] += one["hits"]
            self.limited_on_purpose += one["hits"] if one["kind"] == "429" else 0
            self.told_to_wait |= one["kind"] == "477"
        self.desk.faults()

    def refusals_planned(self) -> int:
        """Calls that plans of disturbance answered 429 since the calls were forgotten."""
        standing = sum(one["hits"] for one in self.desk.call("GET", "/faults") if one["kind"] == "429")
        return self.limited_on_purpose + int(standing)

    def on_switch(self, name: str, value: Any) -> None:
        """A switch is turned; what was called before stood under other limits."""
        checks.limits(self)
        self.desk.forget_calls()
        self.limited_on_purpose -= self.refusals_planned()
        self.desk.call("PUT", "/switches", {name: value})
        self.events["switch"] += 1

    def on_pull(self, system: str, entity: str) -> None:
        """Read one system."""
        self.engine(lambda cycle: cycle.pull(System(system), Entity(entity)))

    def on_sweep(self, system: str, entity: str) -> None:
        """Read one system in full."""

        def work(cycle: Cycle) -> None:
            cycle.full = True
            try:
                cycle.pull(System(system), Entity(entity))
            finally:
                cycle.full = False

        self.engine(work)

    def on_reconcile(self, entity: str) -> None:
        """Judge what is dirty."""
        self.engine(lambda cycle: cycle.reconcile(Entity(entity)))

    def on_push(self, system: str, entity: str) -> None:
        """Write to one system."""
        self.engine(lambda cycle: cycle.push(System(system), Entity(entity)))

    def on_cycle(self) -> None:
        """A whole cycle in a process of its own."""
        self.round()

    def round(self, *, full: bool = False) -> dict[str, Any]:
        """A whole cycle in a process of its own; gives its summary, empty when it did not come to its end."""
        self.end()
        self.events["cycle"] += 1
        done = self.engine(lambda cycle: self._whole(cycle, full=full))
        self.end()
        return done or {}

    def on_person(self, number: int, where: Sequence[str], tickets: Sequence[str]) -> None:
        """A new person in some systems, with tickets that begin in some of them."""
        for place, name in enumerate(where):
            system = System(name)
            typed: dict[str, Json] = {"email": f"p{number}@example.com"}
            for turn, of in enumerate(people.FIELDS[Entity.CUSTOMER]):
                value = rows.typed(system, of, number * 40 + place * 10 + turn, {}, "")
                # Who is new has a name, and no blanks are typed in.
                if (number + turn + place) % 3 and value.meaning is not None:
                    typed |= value.attributes
            made = self._put(system, Entity.CUSTOMER, None, rows.body(system, typed, None))
            self.events["person"] += made is not None
            for ticket, at in enumerate(tickets):
                if at == name and made is not None:
                    self._ticket(system, str(made["id"]), f"t{number}x{ticket}", number + ticket)

    def on_ticket(self, system: str, person: int, number: int) -> None:
        """A new ticket for one of the people there."""
        there = self.living(System(system), Entity.CUSTOMER)
        if there:
            self._ticket(System(system), there[person % len(there)][0], f"t{number}", number)

    def _ticket(self, system: System, customer: str, name: str, number: int) -> None:
        first = {rows.G: "text", rows.H: "content", rows.E: "first_text"}[system]
        typed: dict[str, Json] = {first: "Hello"}
        for of in people.FIELDS[Entity.TICKET]:
            typed |= rows.typed(system, of, number * 2 + 1, {}, name).attributes
        made = rows.body(system, typed, None)
        made[people.REFERENCE[system]] = customer if system is rows.H else int(customer)
        self.events["ticket"] += self._put(system, Entity.TICKET, None, made) is not None

    def on_edit(self, system: str, entity: str, which: int, field_number: int, number: int) -> None:
        """A person edits one field of one object."""
        side, kind = System(system), Entity(entity)
        there = self.living(side, kind)
        if not there:
            return
        external_id, row = there[which % len(there)]
        names = people.FIELDS[kind]
        name = names[field_number % len(names)]
        whose = rows.whose(side, kind, row)
        typed = rows.typed(side, name, number, row, whose)
        after = self._put(side, kind, external_id, rows.body(side, typed.attributes, row))
        if after is None or rows.attributes(side, kind, after) == rows.attributes(side, kind, row):
            return
        held = rows.attributes(side, kind, after)
        if people.read(side, name, held) == people.read(side, name, rows.attributes(side, kind, row)):
            return  # the same in another spelling: nobody owes anybody anything
        self.events["edit"] += 1
        self.say("  ", whose, name, json.dumps(dict(typed.attributes), sort_keys=True))
        last = int(self.desk.ledger("SELECT coalesce(max(id), 0) FROM observation")[0][0])
        attributes = {one: held.get(one) for one in people.attributes_for(side, name)}
        self.edits.append(
            Typed(self.epoch, side, kind, external_id, whose, name, attributes, typed.meaning, last),
        )

    def on_delete(self, system: str, entity: str, which: int) -> None:
        """A person deletes an object."""
        side, kind = System(system), Entity(entity)
        there = self.living(side, kind)
        if there:
            external_id, row = there[which % len(there)]
            self._ends(rows.whose(side, kind, row))
            body = {"system": system, "kind": rows.KINDS[side, kind], "id": external_id, "delete": True}
            self.desk.call("POST", "/edit", body)
            self.events["delete"] += 1

    def on_merge(self, system: str, which: int, into: int) -> None:
        """A person merges one customer into another."""
        side = System(system)
        there = self.living(side, Entity.CUSTOMER)
        if len(there) < 2 or which % len(there) == into % len(there):
            return
        (lost, _), (kept, _) = there[which % len(there)], there[into % len(there)]
        for place in (which, into):
            self._ends(rows.whose(side, Entity.CUSTOMER, there[place % len(there)][1]))
        kind = rows.KINDS[side, Entity.CUSTOMER]
        self.desk.call("POST", "/merge", {"system": system, "kind": kind, "from": lost, "into": kept})
        self.events["merge"] += 1

    def _ends(self, whose: str) -> None:
        self.ended.add(whose)
        self.ends_to_list = True
        for system in SYSTEMS:
            customers = dict(self.living(system, Entity.CUSTOMER))
            for _, ticket in self.living(system, Entity.TICKET):
                customer = customers.get(rows.customer_of(system, ticket))
                if customer is not None and rows.whose(system, Entity.CUSTOMER, customer) == whose:
                    self.ended.add(rows.whose(system, Entity.TICKET, ticket))

    def _put(self, system: System, entity: Entity, external_id: str | None, values: Mapping[str, Json]) -> Any:
        """POST /edit; None where the system refuses it from a person, too."""
        body = {"system": system, "kind": rows.KINDS[system, entity], "id": external_id, "set": dict(values)}
        try:
            return self.desk.call("POST", "/edit", body)
        except AssertionError as refused:
            self.say("  refused", refused)
            self.events["refused_edit"] += 1
            return None

    def living(self, system: System, entity: Entity) -> list[tuple[str, rows.Row]]:
        """Live rows in the order of their ids."""
        found = self.desk.rows(system, rows.KINDS[system, entity])
        return sorted(found.items(), key=lambda one: int(one[0]))

    # --- quiet --------------------------------------------------------------------------------------------------

    def on_quiet(self) -> None:
        """Nobody edits, everything answers: rounds until nothing moves, then what must hold."""
        self.end()
        self.fault = None
        self.on_calm()
        defaults = {row["name"]: row["default"] for row in self.desk.call("GET", "/switches")}
        self.desk.call("PUT", "/switches", {name: defaults[name] for name in REFUSALS})
        if self.told_to_wait:
            self.wait(MOVING_S)
            self.told_to_wait = False
        if self.ends_to_list:
            # HubSpot stamps no ticket whose contact was deleted: a full read alone shows that it has none any more.
            self.wait(LISTED_S)
            self.round(full=True)
            self.ends_to_list = False
        summary: dict[str, Any] = {}
        for _ in range(ROUNDS_MAX):
            before = self.counts()
            self.wait(ROUND_S)
            summary = self.round()
            if self.violations:
                return
            if self.counts() == before and summary.get("complete") and not self.owed():
                break
        else:
            self.broken("I1", f"not quiet after {ROUNDS_MAX} rounds: {summary.get('errors')}")
            return
        checks.check(self)
        self.epoch += 1
        self.known = {
            rows.whose(system, entity, row)
            for system in SYSTEMS
            for entity in ENTITIES
            for _, row in self.living(system, entity)
        }

    def counts(self) -> tuple[int, ...]:
        """Rows of the append-only tables of the ledger."""
        tables = ("observation", "decision", "intent")
        return tuple(int(self.desk.ledger(f"SELECT coalesce(max(id), 0) FROM {one}")[0][0]) for one in tables)

    def owed(self) -> int:
        """Writes that wait for their time or their settlement."""
        found = self.desk.ledger("SELECT count(*) FROM intent WHERE state IN ('planned', 'sent', 'unknown')")
        return int(found[0][0])


class Mortal:
    """A connector whose process may die before each call and before its answer is read."""

    def __init__(self, side: Connector, seam: Callable[[str], None]) -> None:
        self._side = side
        self._seam = seam

    def __getattr__(self, name: str) -> Any:
        return getattr(self._side, name)

    def pull(self, *args: Any, **options: Any) -> Any:
        """A page."""
        self._seam("call")
        page = self._side.pull(*args, **options)
        self._seam("called")
        return page

    def fetch(self, *args: Any, **options: Any) -> Iterator[Any]:
        """Rows by id."""
        return self._each(self._side.fetch, args, options)

    def lookup(self, *args: Any, **options: Any) -> Iterator[Any]:
        """Rows by key."""
        return self._each(self._side.lookup, args, options)

    def apply(self, *args: Any, **options: Any) -> Iterator[Any]:
        """Receipts."""
        return self._each(self._side.apply, args, options)

    def _each(
        self, work: Callable[..., Iterator[Any]], args: tuple[Any, ...], options: dict[str, Any]
    ) -> Iterator[Any]:
        self._seam("call")
        for one in work(*args, **options):
            self._seam("called")
            yield one


class MortalHistorian(Mortal):
    """The same for one that keeps the history of fields."""

    def history(self, *args: Any, **options: Any) -> Iterator[Any]:
        """The past of attributes."""
        return self._each(cast("Historian", self._side).history, args, options)


def mortal(side: Connector, seam: Callable[[str], None]) -> Connector:
    """`side` in a process that may die."""
    return cast("Connector", (MortalHistorian if isinstance(side, Historian) else Mortal)(side, seam))
