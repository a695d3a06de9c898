"""Many seeds, one report."""

from __future__ import annotations

import gc
import os
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from importlib.resources import files
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from sync_platform.core.policy import Policy, parse
from sync_platform.simulation.invariants import ABSENT, PRESENT
from sync_platform.simulation.planted import PLANTS
from sync_platform.simulation.script import as_test, draw, shorten
from sync_platform.simulation.shelf import Shelf
from sync_platform.simulation.truth import Violation
from sync_platform.simulation.world import Step, World

STEPS = 120
SEEDS = 300
# Seeds that one process plays in a row, and from how many on a run tells how far it is.
PIECE = 10
TOLD_FROM = 20
# Objects made before the collector looks at the young ones, and how often it then looks at older ones.
RARELY = (50_000, 20, 50)


@dataclass(slots=True)
class Played:
    """What one script showed."""

    violations: list[Violation]
    trace: list[str]
    evaluated: Counter[str]
    events: Counter[str]
    residue: int


@dataclass(slots=True)
class Stage:
    """A ledger to play on, again and again, and the policy that holds there."""

    policy: Policy
    shelf: Shelf = field(default_factory=Shelf)

    def play(self, script: Sequence[Step], *, seed: int = 0, plant: str | None = None) -> Played:
        """One script in a new world, to its end or to the first violation."""
        world = World(self.shelf, self.policy, seed)
        with PLANTS[plant].grown() if plant else nullcontext():
            for step in script:
                world.do(step)
                if world.violations:
                    break
        return Played(world.violations, world.trace, world.evaluated, world.events, world.residue)


@contextmanager
def staged(policy: Path | None = None) -> Iterator[Stage]:
    """A stage; its ledger goes away at the end."""
    if policy is None:
        text = files("sync_platform").joinpath("policy.yaml").read_text(encoding="utf-8")
        stage = Stage(parse(text, "policy.yaml"))
    else:
        stage = Stage(parse(policy.read_text(encoding="utf-8"), policy.name))
    try:
        with _unhurried():
            yield stage
    finally:
        stage.shelf.close()


@contextmanager
def _unhurried() -> Iterator[None]:
    """Look for cycles among objects rarely: what stays is set apart, and what one seed leaves behind is small."""
    threshold = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*RARELY)
    try:
        yield
    finally:
        gc.set_threshold(*threshold)
        gc.unfreeze()


def cores() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def simulate(
    seeds: Sequence[int],
    steps: int = STEPS,
    *,
    policy: Path | None = None,
    plant: str | None = None,
    jobs: int = 1,
    told: Callable[[str], None] = lambda _line: None,
) -> dict[str, Any]:
    """Play the seeds in `jobs` processes; gives the `simulate` object, which does not depend on how many they are.

    The first failing seed is shortened. With a plant the engine has that fault, and the first seed that notices it
    ends the run. `told` gets a line for each failing seed, and now and then how far the run is.
    """
    began = time.monotonic()
    total = _Total(len(seeds), told)
    with closing(_played(list(seeds), steps, policy, plant, jobs)) as played:
        for seed, found in played:
            total.add(seed, found)
            if plant and found.violations:
                break
    script = None
    if total.failing is not None and not plant:
        with staged(policy) as stage:
            script = _shortest(stage, draw(total.failing, steps), total.failing, total.broke)
    evaluated, violated = total.evaluated, total.violated
    return {
        "seeds": total.seeds,
        "steps": total.seeds * steps,
        "violations": sum(violated.values()),
        "invariants": {name: {"evaluated": evaluated[name], "violated": violated[name]} for name in PRESENT},
        "never_evaluated": [name for name in PRESENT if not evaluated[name]],
        "absent": ABSENT,
        "events": dict(sorted(total.events.items())),
        "residue": total.residue,
        "plant": plant,
        "failing_seed": total.failing,
        "script": script,
        "seconds": round(time.monotonic() - began, 1),
    }


@dataclass(slots=True)
class _Total:
    """What the seeds showed together; they are added in their order."""

    wanted: int
    told: Callable[[str], None]
    seeds: int = 0
    residue: int = 0
    evaluated: Counter[str] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)
    violated: Counter[str] = field(default_factory=Counter)
    failing: int | None = None
    broke: str = ""

    def add(self, seed: int, found: Played) -> None:
        """One more seed."""
        self.seeds += 1
        self.residue += found.residue
        self.evaluated += found.evaluated
        self.events += found.events
        if found.violations:
            first = found.violations[0]
            self.violated[first.invariant] += 1
            self.told(f"seed {seed}: {first}")
            if self.failing is None:
                self.failing, self.broke = seed, first.invariant
        if self.wanted >= TOLD_FROM and self.seeds * 10 // self.wanted > (self.seeds - 1) * 10 // self.wanted:
            self.told(f"{self.seeds} of {self.wanted} seeds, {sum(self.violated.values())} violations")


def _played(
    seeds: list[int], steps: int, policy: Path | None, plant: str | None, jobs: int
) -> Generator[tuple[int, Played]]:
    """Each seed with what it showed, in their order, whichever process played it."""
    # A planted fault is noticed by the first seeds: other processes would play for nothing.
    jobs = 1 if plant else min(jobs, len(seeds))
    if jobs <= 1:
        with staged(policy) as stage:
            for seed in seeds:
                yield seed, stage.play(draw(seed, steps), seed=seed, plant=plant)
        return
    size = max(1, min(PIECE, len(seeds) // (2 * jobs)))
    pieces = [seeds[start : start + size] for start in range(0, len(seeds), size)]
    # Started afresh: a copy of a process that has threads and open files may hang.
    pool = ProcessPoolExecutor(jobs, mp_context=get_context("spawn"))
    try:
        for piece, found in zip(pieces, pool.map(_piece, pieces, repeat(steps), repeat(policy)), strict=True):
            yield from zip(piece, found, strict=True)
    finally:
        pool.shutdown(cancel_futures=True)


def _piece(seeds: Sequence[int], steps: int, policy: Path | None) -> list[Played]:
    """Some seeds on a stage of their own, in another process; their traces stay there."""
    with staged(policy) as stage:
        return [replace(stage.play(draw(seed, steps), seed=seed), trace=[]) for seed in seeds]


def trace(seed: int, steps: int = STEPS, *, policy: Path | None = None) -> list[str]:
    """The story of one seed, line by line."""
    with staged(policy) as stage:
        return stage.play(draw(seed, steps), seed=seed).trace


def play(script: Sequence[Step], seed: int = 0) -> Played:
    """One script on a stage of its own: what a shortened seed prints as a test calls this."""
    with staged() as stage:
        return stage.play(script, seed=seed)


def _shortest(stage: Stage, story: list[Step], seed: int, invariant: str) -> str:
    def fails(script: list[Step]) -> bool:
        return any(one.invariant == invariant for one in stage.play(script, seed=seed).violations)

    return as_test(shorten(story, fails), invariant, seed)
