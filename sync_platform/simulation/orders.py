"""Order and pace: delivered in another order it settles in the same way (I5), and no window exceeds its limit (I17).

The same edits are played on from one moment twice, each time delivered otherwise, and the ends are compared. Limits are
kept by the real budget, whose waits pass in the world's time; what is counted is what arrived at the systems.
"""

from __future__ import annotations

import copy
import itertools
import json
import random
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import fields
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sync_platform.core.records import ENTITIES, SYSTEMS, Entity, Json, Lane, System
from sync_platform.errors import RateLimited
from sync_platform.ledger.budget import Budget
from sync_platform.simulation import invariants_acts, people
from sync_platform.simulation.operators import same, with_brake
from sync_platform.simulation.truth import Edit, broken, standing

if TYPE_CHECKING:
    from sync_platform.simulation.world import Step, World

WINDOW = "window"
WAITS_MAX = 100
# What a world keeps whatever is played: its ledger's file, the rules, and what was counted.
KEPT = ("shelf", "policy", "seed", "events", "evaluated", "violations", "trace", "pace")
_NUMBERS = itertools.count()

# (whose, field, system), or RECORD in the place of a system.
Settled = Mapping[tuple[str, str, str], Json]
RECORD, WAITS = "record", "waits for a person"
GIVEN = "customer_no"


# --- order (I5) --------------------------------------------------------------------------------------------------


def orders(world: World, edits: Sequence[Step], ways: Sequence[Sequence[Step]]) -> None:
    """Play these edits, then each way of delivering them from the same moment on, and compare what all settled on.

    Nothing is written before everything was delivered: nobody is shown a decision in one way and not in another.
    """
    if world.violations:
        return
    world.fault = None
    policy, world.policy = world.policy, with_brake(world.policy, 1000, 3600)
    begun = len(world.edits)
    for edit in edits:
        # The first names an object and a field; the others are about the same, in other systems.
        if len(edit) > 2:
            world.on_edit(*edit)
        else:
            same(world, *edit)
        world.on_wait(1)
    ends: list[Settled] = []
    with closing(sqlite3.connect(":memory:")) as kept:
        world.shelf.raw.backup(kept)
        before = _state(world)
        for turn, way in enumerate(ways):
            if turn:
                world.shelf.ledger.engine.dispose()
                kept.backup(world.shelf.raw)
                for name, value in copy.deepcopy(before, {id(world): world}).items():
                    setattr(world, name, value)
            ends.append(_settled(world, way))
    world.policy = policy
    _alike(world, ends, _shown_already(world, world.edits[begun : begun + len(edits)]))


def _shown_already(world: World, edits: Sequence[Edit]) -> set[tuple[str, str]]:
    """Fields of which one who edits was shown already what another one typed.

    Two states may be one word there, or a write there is held. Whether they knew depends on which is judged first.
    """
    out = set()
    for one in edits:
        versions = world.systems[one.system].things[one.entity, one.external_id].versions
        was = people.read(one.system, one.field, versions[one.place - 1].attributes)
        if any(
            (other.whose, other.field) == (one.whose, one.field)
            and other.system != one.system
            and people.alike(one.field, was, other.meaning)
            for other in edits
        ):
            out.add((one.whose, one.field))
    return out


def _state(world: World) -> dict[str, Any]:
    """Everything that moves, apart from the world that moves on."""
    moving = {one.name: getattr(world, one.name) for one in fields(world) if one.name not in KEPT}
    return copy.deepcopy(moving, {id(world): world})


def _settled(world: World, way: Sequence[Step]) -> Settled:
    world.say("  ", "delivered", *way)
    for kind, *rest in way:
        getattr(world, f"on_{kind}")(*rest)
    world.quiet()
    shown = {
        (one.whose, name, str(one.system)): people.read(one.system, name, one.thing.now.attributes)
        for one in standing(world.systems)
        for name in people.FIELDS[one.thing.entity]
    }
    # What waits for a person is not settled, and which write is held depends on which came first; the record does not.
    waits = {(whose, name, str(system)) for whose, name, system in invariants_acts.excused(world)}
    return {**_records(world), **shown, **dict.fromkeys(waits, WAITS)}


def _records(world: World) -> dict[tuple[str, str, str], Json]:
    """What each record holds, from the bare rows, by whose it is; who is who has names of its own in each ledger.

    A number that the ERP gives depends on who came there first: what is told of it is whose number it is.
    """
    bearers = {
        thing.now.attributes["customer_no"]: people.whose(entity, System.ERP, thing.now.attributes)
        for (entity, _), thing in world.systems[System.ERP].things.items()
        if thing.now.attributes.get("customer_no")
    }
    out: dict[tuple[str, str, str], Json] = {}
    rows = world.shelf.raw.execute(
        "SELECT l.system, l.entity, l.external_id, r.fields FROM link l JOIN record r ON r.id = l.record_id"
        " WHERE l.state = 'active' ORDER BY l.id"
    )
    for system, entity, external_id, values in rows:
        thing = world.systems[System(system)].things.get((Entity(entity), external_id))
        if thing is not None:
            whose = people.whose(thing.entity, System(system), thing.now.attributes)
            held = json.loads(values or "{}")
            held |= {GIVEN: f"of {bearers.get(held[GIVEN])}"} if held.get(GIVEN) else {}
            out |= {(whose, name, RECORD): value for name, value in held.items() if name != "customer"}
    return out


def _alike(world: World, ends: Sequence[Settled], apart: set[tuple[str, str]]) -> None:
    first = ends[0]
    for other in ends[1:]:
        for key in sorted({*first, *other}):
            if WAITS in (first.get(key), other.get(key)) or key[:2] in apart:
                continue
            world.evaluated["I5"] += 1
            if first.get(key) != other.get(key):
                broken(world, "I5", f"{key}: {first.get(key)!r} in one order, {other.get(key)!r} in another")


def drawn(rng: random.Random, turn: int) -> list[Step]:
    """A few edits of one field or two in several systems, and two ways of delivering them."""
    entity = str(rng.choice(ENTITIES))
    one, *others = (str(system) for system in rng.sample(SYSTEMS, 3))
    number = 100 + turn * 7
    edits: list[Step] = [[one, entity, rng.randrange(3), rng.randrange(60), number]]
    edits += [[other, number + 3 * place] for place, other in enumerate(others[: rng.randint(1, 2)], 1)]
    return [["quiet"], ["orders", edits, [_way(rng, entity), _way(rng, entity)]], ["quiet"]]


def _way(rng: random.Random, entity: str) -> list[Step]:
    out: list[Step] = []
    for system in rng.sample([str(one) for one in SYSTEMS], 3):
        if rng.random() < 0.4:
            out.append(["view", system, rng.choice((0, 1, 2)), rng.choice((0, 3)), 0, rng.randrange(5)])
        if rng.random() < 0.7:
            out.append(["pull", system, entity])
        if rng.random() < 0.6:
            out.append(["reconcile", entity])
    return out


# --- pace (I17) --------------------------------------------------------------------------------------------------


class Pace:
    """The budget of each system while limits hold, and when its calls arrived."""

    def __init__(self) -> None:
        self.meters: dict[System, Budget] = {}
        self.allowed, self.window_s = 0, 0.0
        self.arrived: dict[System, list[datetime]] = {}


def limits(world: World, allowed: int, window_s: float) -> None:
    """From here on each system takes so many calls in a window; 0: as many as they like."""
    for meter in world.pace.meters.values():
        meter.close()
    world.pace = Pace()
    if not allowed:
        return
    world.pace.allowed, world.pace.window_s = allowed, window_s
    for system in SYSTEMS:
        # Another account each time: what was left over by an earlier story says nothing here.
        name = f"simulated{next(_NUMBERS)}"
        world.pace.meters[system] = Budget(
            world.shelf.ledger,
            str(system),
            name,
            [(WINDOW, allowed, window_s)],
            reserve=0.1,
            run=name,
            wait_max_s=0.0,
        )


def spend(world: World, system: System, kind: str) -> None:
    """Wait in the world's time until the budget lets a call go."""
    meter = world.pace.meters.get(system)
    if meter is None:
        return
    for _ in range(WAITS_MAX):
        try:
            meter.spend([WINDOW], lane=Lane.INTERACTIVE if kind == "write" else Lane.DELTA, purpose=kind)
        except RateLimited as wait:
            world.now_at += timedelta(seconds=(wait.wait_s or 0.0) + 0.001)
        else:
            return
    broken(world, "I17", f"the budget of {system} lets nothing go")


def arrives(world: World, system: System) -> None:
    """A call arrives: with those of the window before it there are no more than the limit."""
    pace = world.pace
    if system not in pace.meters:
        return
    calls = pace.arrived.setdefault(system, [])
    calls.append(world.now_at)
    since = world.now_at - timedelta(seconds=pace.window_s)
    world.evaluated["I17"] += 1
    found = sum(1 for at in calls if at > since)
    if found > pace.allowed:
        broken(world, "I17", f"{found} calls of {system} in {pace.window_s} s, {pace.allowed} are allowed")


STEPS: dict[str, Callable[..., None]] = {"orders": orders, "limits": limits}


def added(rng: random.Random, seed: int, turns: list[Step]) -> list[Step]:
    """Some stories are delivered in two orders, some have limits for a while."""
    if seed % 5 == 1:
        place = rng.randrange(len(turns) + 1)
        turns = [*turns[:place], *drawn(rng, len(turns)), *turns[place:]]
    if seed % 5 == 2:
        place = rng.randrange(len(turns) + 1)
        tight: Step = ["limits", rng.choice((5, 10, 20)), rng.choice((2.0, 10.0, 20.0))]
        turns = [*turns[:place], tight, *turns[place : place + 30], ["limits", 0, 0.0], *turns[place + 30 :]]
    return turns
