"""Scripts: a seed becomes a list of steps, a failing list becomes a short one, a short one becomes a test."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence

from sync_platform.core.records import ENTITIES, SYSTEMS
from sync_platform.simulation import changes, endings, identity, operators, orders, pruning
from sync_platform.simulation.world import Step

FAULTS = (
    "die_before_commit",
    "die_after_commit",
    "die_before_call",
    "die_after_call",
    "unavailable",
    "limited",
    "lost_landed",
    "lost_never",
    "lost_late",
    "lost_batch",
    "busy",
    "unnamed",
    "second_run",
)
LOSSES = ("lost_landed", "lost_never", "lost_late", "unnamed", "die_after_call", "lost_batch", "busy")
WEIGHTS = {
    "edit": 30,
    "pull": 15,
    "push": 12,
    "reconcile": 7,
    "fault": 9,
    "view": 6,
    "wait": 5,
    "cycle": 2,
    "sweep": 1,
    "ticket": 1,
    "race": 5,
    "loss": 4,
    "birth": 3,
}
FIRST_TICKET = 1000
FIRST_PERSON = 100


def draw(seed: int, steps: int) -> list[Step]:
    """The script of a seed: people, a quiet beginning, `steps` steps, a quiet end."""
    rng = random.Random(seed)  # noqa: S311  # the same story for the same seed
    out: list[Step] = []
    for number in range(1, rng.randint(2, 4)):
        where = [str(one) for one in rng.sample(SYSTEMS, rng.randint(1, 3))]
        out.append(["person", number, where, [rng.choice(where) for _ in range(rng.randint(0, 1))]])
    if rng.random() < 0.8:
        out.append(["quiet"])
    out = [*endings.policy_of(rng), *out]
    kinds = WEIGHTS | endings.WEIGHTS
    acted = operators.take_part(seed)
    if acted:
        out = [*operators.opening(rng), *out]
        kinds |= operators.WEIGHTS
    turns: list[Step] = []
    while len(turns) < steps:
        kind = rng.choices(list(kinds), list(kinds.values()))[0]
        turns += (
            _knot(rng, kind, len(turns))
            if kind in ("race", "loss", "birth", "end", "join", *operators.KNOTS)
            else [[kind, *_details(rng, kind, len(turns))]]
        )
    turns = identity.added(seed, changes.added(seed, orders.added(rng, seed, turns[:steps])))
    turns = pruning.added(seed, turns)
    return [*out, *turns, ["quiet"], *([["clear"], ["quiet"]] if acted else [])]


def _knot(rng: random.Random, kind: str, turn: int) -> list[Step]:
    """Steps that are worth most together: an edit that is on its way while its target is edited, or is lost there."""
    if kind in operators.KNOTS:
        return operators.knot(rng, kind, turn)
    if kind in ("end", "join"):
        return endings.knot(rng, kind, turn, LOSSES)
    one, other = (str(system) for system in rng.sample(SYSTEMS, 2))
    entity, which = str(rng.choice(ENTITIES)), rng.randrange(3)
    first, second = rng.randrange(60), rng.randrange(60)
    number = 100 + turn * 7
    if kind == "birth":
        born: Step = ["ticket", one, which, FIRST_TICKET + turn]
        if rng.random() < 0.5:
            born = ["person", FIRST_PERSON + turn, [one, other], []]
        entity = str(born[0]).replace("person", "customer")
        fault: Step = ["fault", rng.choice(("lost_landed", "unnamed", "die_after_call", "lost_batch")), 0]
        target = str(rng.choice(SYSTEMS))
        return [born, ["pull", one, entity], ["reconcile", entity], fault, ["push", target, entity]]
    steps: list[Step] = [["edit", one, entity, which, first, number], ["pull", one, entity]]
    edit: Step = ["edit", other, entity, which, second, number + 7]
    if kind == "race":
        return [*steps, edit, ["push", other, entity]]
    lost: Step = ["fault", rng.choice(LOSSES), 0]
    return [*steps, lost, ["push", other, entity], edit, ["pull", other, entity], ["wait", rng.choice((1, 70, 130))]]


def _details(rng: random.Random, kind: str, turn: int) -> list[object]:
    system, entity = str(rng.choice(SYSTEMS)), str(rng.choice(ENTITIES))
    big = rng.randrange(1000)
    if kind in operators.WEIGHTS:
        return operators.details(rng, kind, big)
    if kind in endings.WEIGHTS:
        return endings.details(rng, kind, big)
    made: dict[str, Callable[[], list[object]]] = {
        "edit": lambda: [system, entity, big % 5, rng.randrange(60), 100 + turn * 7 + big % 7],
        "pull": lambda: [system, entity],
        "push": lambda: [system, entity],
        "sweep": lambda: [system, entity],
        "reconcile": lambda: [entity],
        "fault": lambda: [rng.choice(FAULTS), rng.choice((0, 0, 0, 1, 1, 2, 3, 5, 8))],
        "view": lambda: [system, rng.choice((0, 0, 1, 2, 4)), rng.choice((0, 1, 3, 9)), rng.choice((0, 0, 1, 2)), big],
        "wait": lambda: [rng.choice((0, 1, 1, 5, 31, 70, 130, 400))],
        "cycle": list,
        "ticket": lambda: [system, big, FIRST_TICKET + turn],
    }
    return made[kind]()


def shorten(script: list[Step], fails: Callable[[list[Step]], bool], tries_max: int = 150) -> list[Step]:
    """The script without steps that it fails without; pieces are left out by halves, quarters, … single steps."""
    tries = 0
    size = max(1, len(script) // 2)
    while size:
        place = 0
        while place < len(script) and tries < tries_max:
            shorter = script[:place] + script[place + size :]
            tries += 1
            if shorter and fails(shorter):
                script = shorter
            else:
                place += size
        size //= 2
    return script


def as_test(script: Sequence[Step], invariant: str, seed: int) -> str:
    """The text of a test that plays a script."""
    lines = "\n".join(f"        {json.dumps(step)}," for step in script)
    return (
        f"def test_seed_{seed}_keeps_{invariant.lower()}() -> None:\n"
        f"    script = [\n{lines}\n    ]\n"
        f"    assert play(script, seed={seed}).violations == []\n"
    )
