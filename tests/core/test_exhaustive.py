"""Every sequence of a few events over the pure core: two records in three systems with two fields.

One field is spoiled by HubSpot on write, one is not. After each sequence the world is left alone and must come to rest:
what stands agrees, who alone edited a field gets what they typed, what was deleted for everybody stands nowhere, and
nothing was deleted or created by anything else.

Which states are taken for the same: those that differ in the numbers of decisions and in times alone, not in their
order; the two records, which are interchangeable; how many versions of an object nobody read, above two. Two records
meet in a merge alone; until there is one, the state of the pair is the pair of their states, and what follows from one
of them is worked out once, whatever the other one does meanwhile.
"""

import itertools
import os
from dataclasses import dataclass, field, replace

import pytest

from sync_platform.core.records import SYSTEMS
from tests.core.pair import Half, follow, merged_away, orders, to_follow, unfollowed

DEPTH = int(os.environ.get("SYNC_EXHAUSTIVE_DEPTH", "4"))
ROUNDS_MAX = 8
EDITS = [*itertools.product(SYSTEMS, ["title"], ["A", "B"]), *itertools.product(SYSTEMS, ["code"], ["c"])]
EVENTS = [
    *(("edit", *edit) for edit in EDITS),
    *(
        (kind, system)
        for kind in ("delete", "poll", "push", "lost_landed", "lost_never", "settle", "reorder")
        for system in SYSTEMS
    ),
    ("crash",),
]
NOBODY = -1


@dataclass
class Walk:
    """States of one record by number, what follows from each, and which pairs of them were come by."""

    halves: list[Half] = field(default_factory=list)
    numbers: dict[object, int] = field(default_factory=dict)
    following: dict[tuple[int, object], int] = field(default_factory=dict)
    fine: set[object] = field(default_factory=set)
    steps: int = 0

    def number(self, half):
        key = half.key()
        if key not in self.numbers:
            self.numbers[key] = len(self.halves)
            self.halves.append(half)
        return self.numbers[key]

    def after(self, one, event):
        """The state of one record after an event."""
        if (one, event) not in self.following:
            half = self.halves[one].copy()
            kind, *rest = event
            getattr(half, f"on_{kind}")(*rest)
            self.following[one, event] = self.number(half)
        return self.following[one, event]

    def pairs_after(self, pair):
        """(event, pair) for everything that can happen to two records."""
        for place, one in enumerate(pair):
            other = pair[1 - place]
            if one == NOBODY or (place and one == other):
                continue
            for event in EVENTS:
                self.steps += 1
                for after in self.followed(self.after(one, event), other):
                    yield (place, *event), after
            if other == NOBODY or unfollowed(self.halves[one]) or unfollowed(self.halves[other]):
                continue
            for system in SYSTEMS:
                self.steps += 1
                lost = merged_away(self.halves[one], self.halves[other], system)
                if lost is not None:
                    yield (place, "merge", system), (self.number(lost), other)

    def followed(self, one, other):
        """The pair once a merge that the ledger knows of is followed: whichever of the two is the elder."""
        if other == NOBODY:
            return [(one, other)]
        for lost, kept in ((one, other), (other, one)):
            if to_follow(self.halves[lost]) is None:
                continue
            pair = self.halves[lost], self.halves[kept]
            found = [follow(*pair, elder_first=elder) for elder in orders(*pair)]
            return [
                (self.number(both[0]), self.number(both[1]) if both[1] is not None else NOBODY)
                for both in found
                if both is not None
            ] or [(one, other)]
        return [(one, other)]

    # --- rest ---------------------------------------------------------------------------------------------------

    def rests(self, pair):
        """Left alone, the pair comes to rest in a state that holds what is promised."""
        together = NOBODY not in pair and any(unfollowed(self.halves[one]) for one in pair)
        for whole in [pair] if together else [(one, NOBODY) for one in pair if one != NOBODY]:
            self._rests(whole)

    def _rests(self, pair):
        passed = []
        todo = [(pair, 0)]
        while todo:
            pair, rounds = todo.pop()
            if pair in self.fine:
                continue
            assert rounds < ROUNDS_MAX, "it does not come to rest"
            passed.append(pair)
            after, moved = self._round(pair)
            if not moved and after == [pair]:
                for one in pair:
                    if one != NOBODY:
                        self.halves[one].hold_true()
            else:
                todo += [(tuple(one), rounds + 1) for one in after]
        self.fine.update(passed)

    def _round(self, pair):
        """Every outcome is looked up, and everybody is read, judged and written to."""
        moved = False
        now = []
        for one in pair:
            if one == NOBODY:
                now.append(one)
                continue
            half = self.halves[one].copy()
            for system in SYSTEMS:
                if system in half.links:
                    half.on_settle(system)
            moved = half.round() != (0, 0) or moved
            now.append(self.number(half))
        return self.followed(*now), moved


def walk(depth, kind=Half):
    """All pairs up to so many events; (pairs, steps, states of one record, of these pairs those with a merge)."""
    made = Walk()
    start = made.number(kind.settled_world())
    seen = {(start, start)}
    merged = set()
    frontier = [((), (start, start))]
    for length in range(depth + 1):
        reached = []
        for path, pair in frontier:
            try:
                made.rests(pair)
                following = list(made.pairs_after(pair)) if length < depth else []
            except AssertionError as error:
                raise AssertionError(f"{path}: {error}") from error
            for event, after in following:
                same = tuple(sorted(after))
                if same not in seen:
                    seen.add(same)
                    reached.append(((*path, event), same))
                    if event[1] == "merge" or pair in merged:
                        merged.add(same)
        frontier = reached
    return len(seen), made.steps, len(made.halves), len(merged)


def test_every_sequence_of_events_ends_in_agreement_and_loses_no_lone_edit(capsys):
    pairs, steps, states, merged = walk(DEPTH)
    with capsys.disabled():
        print(f"\n{pairs} states of two records ({merged} of them after a merge), {states} of one,", end=" ")
        print(f"{steps} steps, up to {DEPTH} events")
    assert pairs > 200
    assert merged > 50


class TakesAllForJudged(Half):
    """Whatever is seen counts as judged: an edit is no change any more."""

    def judge(self):
        for link in self.links.values():
            for cell in link.cells.values():
                cell.base = cell.shadow
        return super().judge()


class TakesGoneForMissing(Half):
    """What was deleted counts as never created."""

    def facts_now(self):
        return replace(super().facts_now(), ever_linked={system for system in SYSTEMS if self.active(system)})


class NeverLooksUp(Half):
    """The outcome of a write whose answer was lost stays open."""

    def on_settle(self, system):
        pass


@pytest.mark.parametrize(
    ("kind", "depth", "words"),
    [
        (TakesAllForJudged, 1, "title"),
        (TakesGoneForMissing, 1, "brought a create"),
        (NeverLooksUp, 3, "lost_"),
    ],
)
def test_the_walk_notices_a_mistake(kind, depth, words):
    with pytest.raises(AssertionError, match=words):
        walk(depth, kind)
