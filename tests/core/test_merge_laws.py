"""Laws of the merge over random schedules: it settles, stays settled, loses nothing unsaid, and echoes never win."""

from __future__ import annotations

import copy
from itertools import permutations

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from sync_platform.core.merge import merge
from sync_platform.core.plan import owed
from sync_platform.core.records import SYSTEMS, UNSET, Decision
from tests.core.harness import FIELDS, LEVELS, STATES, Bench, E, G, H, entity_policy, owned

TEXTS = ("title", "note", "code", "credit", "asked")
ONCE = settings(deadline=None, suppress_health_check=list(HealthCheck))
systems = st.sampled_from(SYSTEMS)
tags = st.lists(st.sampled_from("abcd"), max_size=3).map(lambda found: sorted(set(found)))


def in_words(system, name, value):
    """A canonical value as a system holds it."""
    return STATES[system][value] if name == "status" and value is not None else value


class Schedules(RuleBasedStateMachine):
    """People edit three systems; reads are late, repeated or partial; writes are answered, lost, or land late."""

    def __init__(self):
        super().__init__()
        self.bench = Bench()
        self.edits = 0
        self.typed = {}
        self.history = {}
        self.read = {}
        self.late_writes = {}

    # --- what happens ---

    @initialize(data=st.data())
    def begin(self, data):
        held = {}
        for system in SYSTEMS:
            held[system] = {name: self._new(data, system, name) for name in FIELDS}
        self.bench.hold(held)
        for system in SYSTEMS:
            self._keep(system)
            shown = data.draw(st.sets(st.sampled_from(sorted(FIELDS)), min_size=3))
            for name in sorted(shown):
                self.bench.show(system, name, copy.copy(held[system][name]))
        self._judge()

    @rule(system=systems, name=st.sampled_from(sorted(FIELDS)), data=st.data())
    def edit(self, system, name, data):
        self.bench.edit(system, name, self._new(data, system, name))
        self._keep(system)

    @rule(system=systems, age=st.integers(0, 3))
    def poll(self, system, age):
        """A read that may be behind, but never older than the last one taken: the order of rows sees to that."""
        seen = self.history[system]
        at = max(len(seen) - 1 - age, self.read.get(system, 0))
        self.read[system] = at
        for name, value in seen[at].items():
            self._show(system, name, value)

    @rule()
    def judge(self):
        self._judge()

    @rule(system=systems, foreign=st.none() | st.sampled_from(sorted(FIELDS)), data=st.data())
    def push(self, system, foreign, data):
        write = self._ready(system)
        if write is None:
            return
        self.bench.send(system)
        if foreign is not None and foreign not in write.values:
            self.bench.edit(system, foreign, self._new(data, system, foreign))
        self.bench.land(system, write)
        self._keep(system)
        self.read[system] = len(self.history[system]) - 1
        self.bench.acknowledge(system, copy.deepcopy(self.bench.held[system].values))
        self._judge()

    @rule(system=systems, landed=st.booleans(), meanwhile=st.lists(systems, max_size=2))
    def lose_the_answer(self, system, landed, meanwhile):
        write = self._ready(system)
        if write is None or (system is H and "code" in write.values):
            return
        self.bench.send(system)
        if landed:
            self.bench.land(system, write)
            self._keep(system)
        for other in meanwhile:
            self.poll(other, 0)
        self._judge()
        self._fenced(system, settle=True)
        if not landed:
            self.late_writes[system] = write
        self._judge()

    @precondition(lambda self: self.late_writes)
    @rule(data=st.data())
    def a_given_up_write_lands_after_all(self, data):
        system = data.draw(st.sampled_from(sorted(self.late_writes)))
        self.bench.land(system, self.late_writes.pop(system))
        self._keep(system)

    @invariant()
    def nothing_is_planned_that_is_not_owed(self):
        for write in self.bench.planned.writes:
            link = self.bench.link(write.system)
            for name in write.values:
                assert name not in self.bench.record.reviews
                assert link.unsettled or link.cell(name).changed or owed(self.bench.scene(), link, name)

    def teardown(self):
        if not self.bench.held:
            return
        for system in SYSTEMS:
            self.read[system] = len(self.history[system]) - 1
        for _ in range(8):
            before = len(self.bench.decisions)
            writes = [system for system in SYSTEMS if self._round(system)]
            if not writes and len(self.bench.decisions) == before:
                break
        else:
            raise AssertionError(f"still writing: {self.bench.owes()}")
        assert [system for system in SYSTEMS if self._round(system)] == []
        assert len(self.bench.decisions) == before
        self._equal()

    # --- how it is done ---

    def _new(self, data, system, name):
        self.edits += 1
        if name == "tags":
            return data.draw(tags)
        if name in ("status", "level"):
            words = sorted(STATES[G]) if name == "status" else LEVELS
            value = in_words(system, name, data.draw(st.none() | st.sampled_from(words)))
        else:
            value = None if data.draw(st.integers(0, 5)) == 0 else f"v{self.edits}"
        self.typed.setdefault((system, name), []).append(value)
        return value

    def _keep(self, system):
        self.history.setdefault(system, []).append(copy.deepcopy(self.bench.held[system].values))

    def _show(self, system, name, value):
        cell = self.bench.cell(system, name)
        if cell.changed and cell.shadow != value and not self.bench.link(system).unsettled:
            self._judge()
        self.bench.show(system, name, copy.copy(value))

    def _fenced(self, system, settle=False):
        self.read[system] = len(self.history[system]) - 1
        if settle:
            self.bench.settle(system, copy.deepcopy(self.bench.held[system].values))
        else:
            for name, value in self.bench.held[system].values.items():
                self._show(system, name, value)

    def _ready(self, system):
        self._fenced(system)
        self._judge()
        return self.bench.write_for(system)

    def _round(self, system):
        write = self._ready(system)
        if write is not None:
            self.bench.send(system)
            self.bench.land(system, write)
            self._keep(system)
            self._fenced_answer(system)
            self._judge()
        return write is not None

    def _fenced_answer(self, system):
        self.read[system] = len(self.history[system]) - 1
        self.bench.acknowledge(system, copy.deepcopy(self.bench.held[system].values))

    def _judge(self):
        bench = self.bench
        news = [
            (link, name, cell.shadow, cell.base)
            for link in bench.links.values()
            for name, cell in link.cells.items()
            if not link.unsettled and not cell.unread and (cell.changed or cell.base is UNSET)
        ]
        values = dict(bench.record.fields)
        decisions = bench.judge()
        for link, name, shown, base in news:
            if name == "tags":
                gained = set(shown) - set(base or [])
                said = {one for d in decisions if d.field == name for claim in d.claims for one in claim.value}
                assert gained <= set(bench.record.fields["tags"]) | said
            else:
                self._was_said(link, name, shown, values.get(name), decisions)
        for decision in decisions:
            self._somebody_said(decision)
        again = bench.state()
        assert bench.judge() == []
        assert bench.state() == again

    def _was_said(self, link, name, shown, before, decisions):
        """Every showing is in a decision or a review, or one of the record's values looked like it."""
        scene = self.bench.scene()
        claims = [claim for decision in decisions if decision.field == name for claim in decision.claims]
        claims += self.bench.record.reviews.get(name, [])
        if any(claim.link_id == link.id and claim.theirs == shown for claim in claims):
            return
        values = [before, self.bench.record.fields.get(name)]
        values += [claim.value for claim in claims]
        blank = shown in (None, [])
        assert (
            blank
            or any(scene.accounts_for(value, link.system, name, shown) for value in values)
            or (link.cell(name).held == shown)
        ), (link.system, name, shown, decisions)

    def _somebody_said(self, decision: Decision):
        """A value that only we brought to a system never wins."""
        if decision.winner is not None and decision.field in TEXTS:
            winner = decision.winner
            assert winner.theirs in self.typed[winner.system, decision.field], decision
        if decision.field == "credit" and decision.value is not None:
            assert decision.value in self.typed[E, "credit"]

    def _equal(self):
        scene = self.bench.scene()
        for link in self.bench.links.values():
            for name, cell in link.cells.items():
                if name in self.bench.record.reviews or cell.unread or (link.system, name) in self.bench.parked:
                    continue
                assert scene.explains(self.bench.record.fields.get(name), link, name), (link.system, name)
        assert not set(self.bench.record.contests) - set(self.bench.record.reviews) - {n for _, n in self.bench.parked}


def test_any_schedule_settles_and_says_what_became_of_every_value():
    run_state_machine_as_test(Schedules, settings=settings(ONCE, max_examples=60, stateful_step_count=25))


# --- order ------------------------------------------------------------------------------------------------------

VALUES = {
    "title": ("x", "y", "z", None),
    "note": ("x", "y", "z", None),
    "level": (*LEVELS, "odd", None),
    "code": ("x", "y", "z"),
}


def arrive(name, edits, order, pushed, first="old", policy=None):
    """The record after the edits were seen one by one in an order, with writes to the others in between."""
    bench = Bench(policy=policy or entity_policy())
    bench.hold({system: {name: first} for system in SYSTEMS})
    for system in SYSTEMS:
        bench.poll(system)
    bench.judge()
    for system, value in edits.items():
        bench.edit(system, name, value)
    waiting = dict(edits)
    for system in order:
        bench.poll(system)
        bench.judge()
        waiting.pop(system, None)
        for other in SYSTEMS:
            if other in pushed and other not in waiting and bench.write_for(other) is not None:
                write = bench.send(other)
                bench.land(other, write)
                bench.acknowledge(other, bench.held[other].values)
                bench.judge()
    bench.quiesce()
    return bench.record.fields.get(name)


@given(
    name=st.sampled_from(sorted(VALUES)),
    picks=st.lists(st.none() | st.integers(0, 4), min_size=3, max_size=3),
    pushed=st.sets(systems),
    ranks=st.permutations(SYSTEMS),
)
@settings(ONCE, max_examples=100)
def test_the_order_in_which_edits_are_seen_decides_nothing(name, picks, pushed, ranks):
    choices = VALUES[name]
    edits = {s: choices[p % len(choices)] for s, p in zip(SYSTEMS, picks, strict=True) if p is not None}
    policy = entity_policy({name: owned(name, ranks, rules=FIELDS[name].rules, empty=FIELDS[name].empty)})
    results = {arrive(name, edits, order, pushed, policy=policy) for order in permutations(SYSTEMS)}
    results |= {arrive(name, edits, order, (), policy=policy) for order in permutations(SYSTEMS)}
    assert len(results) == 1, (edits, results)


@given(
    picks=st.lists(st.none() | st.sampled_from(["new", "open", "waiting"]), min_size=3, max_size=3),
    pushed=st.sets(systems),
    ranks=st.permutations(SYSTEMS),
)
@settings(ONCE, max_examples=60)
def test_order_decides_nothing_about_words_that_one_system_cannot_tell_apart(picks, pushed, ranks):
    """A reopened ticket; nobody edits to a word that his system showed already."""
    edits = {s: in_words(s, "status", pick) for s, pick in zip(SYSTEMS, picks, strict=True) if pick is not None}
    policy = entity_policy({"status": owned("status", ranks)})
    results = {arrive_words(edits, order, pushed, policy) for order in permutations(SYSTEMS)}
    assert len(results) == 1, (edits, results)


def arrive_words(edits, order, pushed, policy):
    bench = Bench(policy=policy)
    bench.hold({system: {"status": STATES[system]["resolved"]} for system in SYSTEMS})
    for system in (E, G, H):
        bench.poll(system)
    bench.judge()
    for system, value in edits.items():
        bench.edit(system, "status", value)
    waiting = dict(edits)
    for system in order:
        bench.poll(system)
        bench.judge()
        waiting.pop(system, None)
        for other in SYSTEMS:
            if other in pushed and other not in waiting and bench.write_for(other) is not None:
                write = bench.send(other)
                bench.land(other, write)
                bench.acknowledge(other, bench.held[other].values)
                bench.judge()
    bench.quiesce()
    return bench.record.fields.get("status")


@given(
    name=st.sampled_from(("asked", "asked", "title", "note")),
    known=systems,
    told=st.sets(systems, max_size=1),
    picks=st.lists(st.sampled_from(["x", "y", None, False]), min_size=3, max_size=3),
)
@settings(ONCE, max_examples=200)
def test_a_field_that_goes_to_a_person_holds_the_same_and_asks_the_same_in_every_order(name, known, told, picks):
    """One edit is decided, and some are shown what; then others edit. `False`: nothing is typed there.

    Who blanks what he claimed himself takes his claim out of a question, so that is left out.
    """
    edits = {system: pick for system, pick in zip(SYSTEMS, picks, strict=True) if pick is not False}
    assume(edits.get(known, "") is not None)
    orders = [[[system] for system in order] for order in permutations(edits)]
    found = [arrive_after(name, known, told, edits, order) for order in [[list(edits)], *orders]]
    assert all(one == found[0] for one in found), (edits, found)


def arrive_after(name, known, told, edits, batches):
    """The record and who is asked about what, after edits were seen in batches; `told` had been shown one before."""
    bench = Bench()
    bench.hold({system: {name: "old"} for system in SYSTEMS})
    for system in SYSTEMS:
        bench.poll(system)
    bench.judge()
    bench.edit(known, name, "known")
    bench.poll(known)
    bench.judge()
    for system in sorted(told):
        bench.push(system)
    bench.judge()
    for system, value in edits.items():
        bench.edit(system, name, value)
    for batch in batches:
        for system in batch:
            bench.poll(system)
        bench.judge()
    asked = {(claim.system, claim.theirs) for claim in bench.record.reviews.get(name, [])}
    return bench.record.fields.get(name), asked


@given(order=st.permutations(SYSTEMS), values=st.lists(st.sampled_from("abc"), min_size=3, max_size=3))
@settings(ONCE, max_examples=30)
def test_links_given_in_any_order_are_judged_alike(order, values):
    def judged(links):
        bench = Bench().settled_on("title", "old").settled_on("asked", "old")
        born = Bench()
        for system, value in zip(SYSTEMS, values, strict=True):
            for name in ("title", "asked", "note"):
                bench.show(system, name, value)
            for name in ("title", "credit"):
                born.show(system, name, value)
            born.show(system, "tags", [value])
        found = []
        for one in (bench, born):
            scene = one.scene([one.link(system) for system in links])
            found.append((merge(scene).decisions, one.state()))
        return found

    assert judged(order) == judged(SYSTEMS)
