"""`kill -9` at any moment of a first load and of a delta: it goes on without a double and without a loss.

The sync is a process of its own and is killed from outside. Moments are drawn over the whole wall time of an
undisturbed load and delta (measured first), by a seed that is printed: more than 50 on SQLite in all. Some are aimed at
the window between a write's arrival at a system and our receipt; whether they hit is read from the ledger (`sent`) and
from the sandbox's own store.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path

import pytest

from tests.sync.crash_day import assert_edits_arrived, created, play_day
from tests.sync.crash_world import (
    CASES,
    PEOPLE,
    Kill,
    Store,
    World,
    assert_nothing_doubled,
    assert_nothing_gone,
    content,
    crash_world,
    kill_after,
    kill_at_erp_write,
    kill_at_write,
    store,
)

WORLD = 11  # the seed of the people and of their day; the seeds below draw the moments
WORLDS_MAX = 5
STORM_MAX = 8
# How the kills of one storm are aimed, in this order: a moment of the whole wall time (at first of its earlier half, so
# that something is left for the others), the window after a write to a vendor, the one after rows came to the ERP.
AIMS = ("early", "write", "moment", "erp", "moment", "write", "moment")


Enough = Callable[[list[Kill]], bool]  # told the kills of the world at hand


@dataclass(frozen=True)
class Pace:
    """An undisturbed run: its whole wall time, its writes to the vendors, and what came of it."""

    whole_s: float
    writes: int
    content: list[str] = field(repr=False)


@pytest.fixture(scope="module")
def calm(tmp_path_factory) -> list[Pace]:
    """What an undisturbed first load and an undisturbed delta take and give."""
    with crash_world(tmp_path_factory.mktemp("calm"), seed=WORLD) as world:
        first_load = paced(world)
        play_day(world.desk)
        return [first_load, paced(world)]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [11, 12, 13, 14])
def test_killed_at_any_moment_it_goes_on_without_a_double_or_a_loss(tmp_path, calm, seed):
    killed_and_started_again(tmp_path, seed, calm, kills_min=13, landed_min=4)


@pytest.mark.slow
@pytest.mark.postgres
def test_killed_at_any_moment_it_goes_on_on_postgresql_too(tmp_path, calm, postgres_server):
    killed_and_started_again(tmp_path, 15, calm, kills_min=13, landed_min=4, postgres=postgres_server)


def killed_and_started_again(
    root: Path, seed: int, paces: list[Pace], *, kills_min: int, landed_min: int, postgres: str | None = None
) -> None:
    """Worlds are loaded and changed under kills until there were enough; each of them is whole at the end."""
    print(f"seed {seed}", *paces, sep="\n")
    draw = random.Random(seed)
    kills: list[Kill] = []

    def enough(fresh: list[Kill]) -> bool:
        landed = [kill for kill in (*kills, *fresh) if kill.landed]
        return len(kills) + len(fresh) >= kills_min and len(landed) >= landed_min

    for number in range(WORLDS_MAX):
        with crash_world(root / f"world{number}", seed=WORLD, postgres=postgres) as world:
            stormy_life(world, draw, paces, enough)
            kills += world.kills
        if enough([]):
            break
    landed = [kill for kill in kills if kill.landed]
    print(*kills, sep="\n")
    print(f"{len(kills)} kills, {len(landed)} of them between a write's arrival and our receipt")
    assert len(kills) >= kills_min
    assert len(landed) >= landed_min
    assert {kill.aim for kill in landed} >= {"write", "erp"}


def paced(world: World) -> Pace:
    """Run undisturbed and measure."""
    writes, began = world.gate.writes, time.monotonic()
    assert world.run("sync")["complete"]
    whole_s = time.monotonic() - began
    world.desk.advance(7200)
    world.sync()
    return Pace(whole_s, world.gate.writes - writes, content(store(world.desk)))


def stormy_life(world: World, draw: random.Random, paces: list[Pace], enough: Enough) -> None:
    """A first load and a delta under kills, each ended in peace and then examined."""
    before = store(world.desk)
    storm(world, draw, paces[0], enough)
    world.sync()
    assert_whole(world, before, PEOPLE, CASES, paces[0].content)
    events = play_day(world.desk)
    edited = store(world.desk)
    storm(world, draw, paces[1], enough)
    world.sync()
    people, cases = created(events)
    after = assert_whole(world, edited, PEOPLE + people, CASES + cases, paces[1].content)
    assert_edits_arrived(events, after)


def storm(world: World, draw: random.Random, pace: Pace, enough: Enough) -> None:
    """Start and kill again and again, until it was enough or a sync comes to its end before it is killed."""
    first = world.gate.writes
    for aim in islice(cycle(AIMS), STORM_MAX):
        if aim == "erp":
            alive = kill_at_erp_write(world)
        elif aim == "write":
            left = pace.writes - (world.gate.writes - first)
            alive = kill_at_write(world, draw.randint(1, max(1, left // 2)))
        else:
            alive = kill_after(world, draw.uniform(0, pace.whole_s / (2 if aim == "early" else 1)))
        if not alive or enough(world.kills):
            return


def assert_whole(world: World, before: Store, people: int, cases: int, calm: list[str]) -> Store:
    """Past every wait: equal, nothing doubled or lost, no more and no fewer than there should be, and the same values
    that came of an undisturbed run."""
    world.desk.advance(7200)
    world.sync()
    found = world.run("verify", "--show-values")
    assert found["equal"], found
    after = store(world.desk)
    assert_nothing_doubled(after)
    assert_nothing_gone(before, after)
    assert content(after) == calm
    assert {len(after[system, "ticket"]) for system in ("gorgias", "hubspot", "erp")} == {cases}
    assert {len(after[system, "customer"]) for system in ("hubspot", "erp")} == {people}
    assert not world.sent()
    assert world.desk.outbox() == []
    return after
