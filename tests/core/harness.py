"""A small bench for the pure core: one record, its links in memory, and systems that hold values of their own.

`show` and `acknowledge` do to the cells what pull and settle do, row by row of the event table; `judge` merges and
plans. `edit`, `poll` and `push` drive real holdings, some of which reformat or keep less than they are sent.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sync_platform.core import mappings_forms as form
from sync_platform.core.answers import Answer
from sync_platform.core.mappings import FieldMap, Lexicon
from sync_platform.core.merge import Merged, Scene, merge
from sync_platform.core.plan import Facts, Planned, plan
from sync_platform.core.policy import Brake, EntityPolicy, FieldPolicy, Rule, SystemPolicy
from sync_platform.core.records import (
    SYSTEMS,
    UNSET,
    Cell,
    Decision,
    Entity,
    Link,
    PlannedWrite,
    Record,
    RecordId,
    System,
    payload_hash,
)
from sync_platform.errors import BadInput

G, H, E = System.GORGIAS, System.HUBSPOT, System.ERP

LEVELS = ("low", "normal", "high")
STATES = {
    G: {"open": "open", "new": "open", "waiting": "open", "closed": "closed", "resolved": "closed"},
    H: {"open": "3", "new": "1", "waiting": "2", "closed": "4", "resolved": "4"},
    E: {"open": "in_progress", "new": "new", "waiting": "waiting", "closed": "closed", "resolved": "resolved"},
}


def owned(name: str, order: Iterable[System] = SYSTEMS, **changes: Any) -> FieldPolicy:
    """A field that all systems may write, decided by owner and rank."""
    order = tuple(order)
    said: dict[str, Any] = {
        "field": name,
        "writers": frozenset(SYSTEMS),
        "at_birth": frozenset(),
        "rules": (Rule("owner", order=order[:1], unless_blank=True), Rule("rank", order=order)),
        "empty": "keep",
        "first_link": order,
        "order": order,
    }
    return FieldPolicy(**(said | changes))


FIELDS: Mapping[str, FieldPolicy] = {
    "title": owned("title", (H, G, E)),
    "note": owned("note", (G, H, E), rules=(Rule("rank", order=(G, H, E)),), empty="clear"),
    "code": owned("code", (E, H, G)),
    "status": owned("status", (G, H, E)),
    "level": owned("level", (G, H, E), rules=(Rule("max", scale=LEVELS), Rule("rank", order=(G, H, E)))),
    "credit": owned("credit", (E, G, H), writers=frozenset({E}), rules=(Rule("owner", order=(E,)),)),
    "asked": owned("asked", (G, H, E), rules=(Rule("review"),)),
    "tags": owned("tags", rules=(Rule("union"),)),
}


def _map(name: str, made: form.Form, **changes: Any) -> FieldMap:
    return FieldMap(field=name, attributes=(name,), get=made.get, put=made.put, **changes)


def maps() -> dict[System, dict[str, FieldMap]]:
    """Field maps of the bench; `code` is upper-cased by HubSpot on write, and no mapping knows of it."""
    plain = {name: _map(name, form.text(name)) for name in ("title", "note", "code", "credit", "asked")}
    plain |= {"status": _map("status", form.word("status")), "level": _map("level", form.text("level"))}
    plain |= {"tags": _map("tags", form.elements("tags"), kind="set")}
    return {system: dict(plain) for system in SYSTEMS}


def lexicons() -> dict[System, Lexicon]:
    """Words for `status`: Gorgias knows open and closed only."""
    return {system: Lexicon(vocabulary={"status": STATES[system]}) for system in SYSTEMS}


def entity_policy(fields: Mapping[str, FieldPolicy] = FIELDS) -> EntityPolicy:
    """A policy of these fields; everything is created everywhere."""
    everywhere = {system: SystemPolicy("always", "ignore", allow_close=True) for system in SYSTEMS}
    return EntityPolicy(dict(fields), everywhere, Brake(500, 0.1))


def shout(value: Any) -> Any:
    """How HubSpot spoils `code`."""
    return value.upper() if isinstance(value, str) else value


@dataclass
class Holding:
    """What a system really holds; `spoil` is what it makes of a value that is sent to it."""

    values: dict[str, Any]
    spoil: Mapping[str, Callable[[Any], Any]] = field(default_factory=dict)


@dataclass
class Bench:
    """One record and its three links. Values are in the systems' own forms, except in `record`."""

    policy: EntityPolicy = field(default_factory=entity_policy)
    maps: dict[System, dict[str, FieldMap]] = field(default_factory=maps)
    lexicons: dict[System, Lexicon] = field(default_factory=lexicons)
    record: Record = field(default_factory=lambda: Record(RecordId("0" * 32), Entity.TICKET))
    links: dict[System, Link] = field(default_factory=dict)
    held: dict[System, Holding] = field(default_factory=dict)
    number: int = 1
    late: dict[tuple[int, str], Any] = field(default_factory=dict)
    parked: dict[tuple[System, str], str] = field(default_factory=dict)
    decisions: list[Decision] = field(default_factory=list)
    planned: Planned = field(default_factory=Planned)
    sent: dict[System, PlannedWrite] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    answers: dict[str, Answer] = field(default_factory=dict)

    def link(self, system: System) -> Link:
        """The link of a system, made on first use."""
        if system not in self.links:
            number = SYSTEMS.index(system) + 1
            self.links[system] = Link(number, self.record.id, system, self.record.entity, f"{system}-1")
        return self.links[system]

    def cell(self, system: System, name: str) -> Cell:
        """One cell."""
        return self.link(system).cell(name)

    # --- events -------------------------------------------------------------------------------------------------

    def show(self, system: System, name: str, value: Any) -> None:
        """An observation is taken; it never steps over a change that nobody judged."""
        cell = self.cell(system, name)
        if self.link(system).unsettled:
            return
        if cell.changed and cell.shadow != value:
            self.judge()
        if cell.shadow is UNSET or cell.shadow != value:
            cell.shadow = value
            cell.apart = False

    def show_all(self, name: str, values: Mapping[System, Any]) -> None:
        """Each of these systems shows this field."""
        for system, value in values.items():
            self.show(system, name, value)

    def scene(self, links: Iterable[Link] | None = None) -> Scene:
        """What a merge looks at now."""
        seen = list(self.links.values()) if links is None else list(links)
        given = {"late": self.late, "answers": self.answers}
        return Scene(self.record, seen, self.policy, self.maps, self.lexicons, self.number, **given)

    def judge(self) -> list[Decision]:
        """Merge and plan; gives the new decisions."""
        scene = self.scene()
        merged: Merged = merge(scene)
        self.number = scene.next_number
        self.decisions += merged.decisions
        facts = {"ever_linked": set(self.links), "creatable": set(SYSTEMS), "parked": self.parked} | self.facts
        self.planned = plan(scene, Facts(**facts))
        for decision in merged.decisions:
            if decision.rule == "late":
                self.late.pop((decision.claims[0].link_id, decision.field), None)
        return merged.decisions

    def write_for(self, system: System) -> PlannedWrite | None:
        """The planned write to a system."""
        return next((write for write in self.planned.writes if write.system == system), None)

    def owes(self) -> dict[System, dict[str, Any]]:
        """Planned values by system."""
        return {write.system: dict(write.values) for write in self.planned.writes}

    def send(self, system: System) -> PlannedWrite:
        """The intent is sent: until it is settled the link waits."""
        write = self.write_for(system)
        assert write is not None
        self.sent[system] = write
        self.link(system).unsettled = True
        return write

    def acknowledge(self, system: System, answer: Mapping[str, Any] | None = None) -> None:
        """The answer: written fields agree at what was read back, all others are an ordinary observation."""
        write = self.sent.pop(system, None) or self.write_for(system)
        assert write is not None
        link = self.link(system)
        link.unsettled = False
        shown = dict(write.values) if answer is None else dict(answer)
        for name, sent in write.values.items():
            cell = link.cell(name)
            read = shown.get(name, sent)
            taken = read != write.pre.get(name, UNSET) or read == sent or self._read_alike(system, name, read, sent)
            if name in shown and not taken:
                cell.shadow = cell.base = read
                self.parked[system, name] = payload_hash(sent)
                continue
            cell.shadow = cell.base = cell.held = read
            cell.image = sent
            cell.seen = write.numbers.get(name, 0)
        for name, value in shown.items():
            if name not in write.values:
                link.cell(name).shadow = value

    def settle(self, system: System, shown: Mapping[str, Any]) -> None:
        """An unknown outcome: a fenced read says field by field what landed; nothing landed: the late list."""
        write = self.sent.pop(system)
        link = self.link(system)
        link.unsettled = False
        landed = {
            name
            for name, sent in write.values.items()
            if name in shown
            and (shown[name] == sent or self._read_alike(system, name, shown[name], sent))
            and shown[name] != write.pre.get(name, UNSET)
        }
        for name, value in shown.items():
            cell = link.cell(name)
            cell.shadow = value
            if name in landed:
                cell.base = value
        if not landed:
            self.late |= {(link.id, name): sent for name, sent in write.values.items()}

    def acknowledge_all(self) -> None:
        """Every planned write is answered with what was sent."""
        for write in list(self.planned.writes):
            self.acknowledge(write.system)

    def settled_on(self, name: str, value: Any, *systems: System) -> Bench:
        """These systems (all by default) agree on a value from the start; others stay without a link."""
        for system in systems or SYSTEMS:
            self.show(system, name, self.maps[system][name].put(value, self.lexicons[system]))
        self.judge()
        return self

    def _read_alike(self, system: System, name: str, one: Any, other: Any) -> bool:
        try:
            read = [self.maps[system][name].get(value, None, self.lexicons[system]) for value in (one, other)]
        except BadInput:
            return False
        return bool(read[0] == read[1])

    # --- systems with holdings of their own ---------------------------------------------------------------------

    def hold(self, values: Mapping[System, Mapping[str, Any]]) -> None:
        """Give the systems something to hold; HubSpot spoils `code`."""
        for system, held in values.items():
            self.held[system] = Holding(dict(held), {"code": shout} if system is H else {})

    def edit(self, system: System, name: str, value: Any) -> None:
        """Somebody edits there."""
        self.held[system].values[name] = value

    def poll(self, system: System) -> None:
        """A full, fenced read."""
        for name, value in list(self.held[system].values.items()):
            self.show(system, name, copy.copy(value))

    def land(self, system: System, write: PlannedWrite) -> None:
        """A write arrives there."""
        holding = self.held[system]
        for name, value in write.values.items():
            if name in write.add:
                kept = (set(holding.values[name]) | set(write.add[name])) - set(write.remove[name])
                holding.values[name] = sorted(kept)
            else:
                holding.values[name] = holding.spoil.get(name, lambda same: same)(value)

    def push(self, system: System) -> bool:
        """Fenced read, judge, write, answer; whether something was written."""
        self.poll(system)
        self.judge()
        if self.write_for(system) is None:
            return False
        write = self.send(system)
        self.land(system, write)
        self.acknowledge(system, self.held[system].values)
        return True

    def round(self) -> tuple[int, int]:
        """Poll everybody, judge, write; gives (decisions, writes)."""
        before = len(self.decisions)
        for system in self.held:
            self.poll(system)
        self.judge()
        writes = sum(self.push(system) for system in self.held)
        self.judge()
        return len(self.decisions) - before, writes

    def quiesce(self, rounds_max: int = 6) -> None:
        """Rounds until nothing is decided or written; fails when that takes too long."""
        for _ in range(rounds_max):
            if self.round() == (0, 0):
                return
        raise AssertionError(f"not settled after {rounds_max} rounds: {self.owes()}")

    def state(self) -> Any:
        """Everything that a judgement may change, for comparison."""
        cells = {
            system: {name: cell.dump() for name, cell in link.cells.items()} for system, link in self.links.items()
        }
        return copy.deepcopy(
            (self.record.fields, self.record.decided, self.record.contests, self.record.reviews, cells, self.number)
        )


def with_field(policy: FieldPolicy) -> Bench:
    """A bench in which one field has another policy."""
    return Bench(policy=entity_policy({**FIELDS, policy.field: policy}))


def rules_of(decisions: Iterable[Decision]) -> list[tuple[str, str]]:
    """What was decided by which rule."""
    return [(decision.field, decision.rule) for decision in decisions]


def claimed(decision: Decision) -> set[tuple[System, Any]]:
    """Who claimed what, in the systems' own forms."""
    shown = {claim.system: claim.theirs for claim in decision.claims}
    return {(system, tuple(one) if isinstance(one, list) else one) for system, one in shown.items()}
