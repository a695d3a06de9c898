"""Every sequence of a few events over the pure core, with states that are the same visited once.

Two records never meet in the core, so the world is one record in three systems with two fields: one that HubSpot spoils
on write, and one that it does not. Ends in a quiet world: after each sequence all systems agree, and who alone edited a
field gets what they typed.
"""

import copy
import itertools
import json
import os

from sync_platform.core.records import SYSTEMS, Cell
from tests.core.harness import Bench, E, G, H

DEPTH = int(os.environ.get("SYNC_EXHAUSTIVE_DEPTH", "3"))
EDITS = [*itertools.product(SYSTEMS, ["title"], ["A", "B"]), *itertools.product(SYSTEMS, ["code"], ["c"])]
EVENTS = [
    *(("edit", *edit) for edit in EDITS),
    *((kind, system) for kind in ("poll", "push", "lost_landed", "lost_never", "settle") for system in SYSTEMS),
    ("crash",),
]


class World:
    """A bench with what happened on it."""

    def __init__(self):
        self.bench = Bench()
        self.bench.hold({system: {"title": "old", "code": "OLD"} for system in (G, H, E)})
        self.bench.quiesce()
        self.edits = {"title": set(), "code": set()}

    def copy(self):
        """Another world in the same state; policy and mappings never change and are shared."""
        bench = self.bench
        shared = [bench.policy, bench.maps, bench.lexicons, bench.decisions, bench.planned, *bench.sent.values()]
        return copy.deepcopy(self, {id(one): one for one in shared})

    def happens(self, event):
        kind, *rest = event
        return getattr(self, kind)(*rest)

    def edit(self, system, name, value):
        if self.bench.held[system].values[name].casefold() == value.casefold():
            return False
        self.bench.edit(system, name, value)
        self.edits[name].add((system, value))
        return True

    def poll(self, system):
        self.bench.poll(system)

    def push(self, system):
        if self.bench.link(system).unsettled:
            return False
        return self.bench.push(system)

    def _lost(self, system, *, landed):
        bench = self.bench
        if bench.link(system).unsettled:
            return False
        bench.poll(system)
        bench.judge()
        if bench.write_for(system) is None:
            return False
        write = bench.send(system)
        if landed:
            bench.land(system, write)
        return True

    def lost_landed(self, system):
        return self._lost(system, landed=True)

    def lost_never(self, system):
        return self._lost(system, landed=False)

    def settle(self, system):
        if not self.bench.link(system).unsettled:
            return False
        self.bench.settle(system, self.bench.held[system].values)
        return True

    def crash(self):
        """What is not in the ledger is gone: the plan, made anew. The cells come back as they were stored."""
        for link in self.bench.links.values():
            link.cells = {name: Cell.load(json.loads(json.dumps(cell.dump()))) for name, cell in link.cells.items()}
        self.bench.judge()

    def state(self):
        """What tells one state from another; numbers of decisions count by their order alone."""
        bench = self.bench
        cells = {s: {n: cell.dump() for n, cell in link.cells.items()} for s, link in bench.links.items()}
        held = {system: holding.values for system, holding in bench.held.items()}
        claims = {name: [claim.dump() for claim in found] for name, found in bench.record.contests.items()}
        numbers = sorted(
            {cell.seen for link in bench.links.values() for cell in link.cells.values()}
            | set(bench.record.decided.values())
            | {claim[key] for found in claims.values() for claim in found for key in ("number", "seen")}
        )
        rank = {number: place for place, number in enumerate(numbers)}
        for cell in (cell for of in cells.values() for cell in of.values()):
            if "n" in cell:
                cell["n"] = rank[cell["n"]]
        for claim in (claim for found in claims.values() for claim in found):
            claim["number"], claim["seen"] = rank[claim["number"]], rank[claim["seen"]]
        decided = {name: rank[number] for name, number in bench.record.decided.items()}
        sent = {system: write.values for system, write in bench.sent.items()}
        late = sorted((link, name, value) for (link, name), value in bench.late.items())
        edits = {name: sorted(found) for name, found in self.edits.items()}
        return json.dumps([cells, held, claims, bench.record.fields, decided, sent, late, edits], sort_keys=True)

    def settles_well(self):
        """After quiet: agreement, and no lone edit lost."""
        for system in SYSTEMS:
            self.settle(system)
        self.bench.quiesce(8)
        for name, edits in self.edits.items():
            shown = {self.bench.held[system].values[name].casefold() for system in SYSTEMS}
            assert len(shown) == 1, (name, shown)
            if len(edits) == 1:
                assert shown == {next(iter(edits))[1].casefold()}, (name, shown, edits)


def test_every_sequence_of_events_ends_in_agreement_and_loses_no_lone_edit(capsys):
    seen = set()
    frontier = [((), World())]
    visited = sequences = 0
    for depth in range(DEPTH + 1):
        reached = []
        for path, world in frontier:
            visited += 1
            ended = world.copy()
            try:
                ended.settles_well()
            except AssertionError as error:
                raise AssertionError(f"{path}: {error}") from None
            if depth == DEPTH:
                continue
            for event in EVENTS:
                sequences += 1
                after = world.copy()
                if after.happens(event) is False:
                    continue
                key = after.state()
                if key not in seen:
                    seen.add(key)
                    reached.append(((*path, event), after))
        frontier = reached
    with capsys.disabled():
        print(f"\n{visited} states, {sequences} steps, up to {DEPTH} events")
    assert visited > 200
