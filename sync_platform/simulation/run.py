"""Many seeds, one report."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from importlib.resources import files
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
        yield stage
    finally:
        stage.shelf.close()


def simulate(
    seeds: Sequence[int],
    steps: int = STEPS,
    *,
    policy: Path | None = None,
    plant: str | None = None,
    told: Callable[[str], None] = lambda _line: None,
) -> dict[str, Any]:
    """Play the seeds; gives the `simulate` object. The first failing seed is shortened.

    With a plant the engine has that fault, and the first seed that notices it ends the run.
    """
    began = time.monotonic()
    evaluated: Counter[str] = Counter()
    events: Counter[str] = Counter()
    violated: Counter[str] = Counter()
    residue = played = 0
    failing: int | None = None
    script: str | None = None
    with staged(policy) as stage:
        for seed in seeds:
            story = draw(seed, steps)
            found = stage.play(story, seed=seed, plant=plant)
            played += 1
            evaluated += found.evaluated
            events += found.events
            residue += found.residue
            if found.violations:
                first = found.violations[0]
                violated[first.invariant] += 1
                told(f"seed {seed}: {first}")
                if failing is None:
                    failing = seed
                    script = None if plant else _shortest(stage, story, seed, first.invariant)
                if plant:
                    break
    invariants = {name: {"evaluated": evaluated[name], "violated": violated[name]} for name in PRESENT}
    return {
        "seeds": played,
        "steps": played * steps,
        "violations": sum(violated.values()),
        "invariants": invariants,
        "never_evaluated": [name for name in PRESENT if not evaluated[name]],
        "absent": ABSENT,
        "events": dict(sorted(events.items())),
        "residue": residue,
        "plant": plant,
        "failing_seed": failing,
        "script": script,
        "seconds": round(time.monotonic() - began, 1),
    }


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
