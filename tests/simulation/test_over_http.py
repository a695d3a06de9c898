"""The same machine over the real HTTP clients and the sandbox: stories with disturbances, deaths and every switch."""

from __future__ import annotations

import json

import pytest

from sync_platform.sandbox.gorgias import switches as gorgias
from sync_platform.sandbox.hubspot import switches as hubspot
from sync_platform.sandbox.switches import Switches
from tests.simulation.over_http_checks import CHECKED
from tests.simulation.over_http_script import (
    DEATHS,
    NEVER_MET,
    PLANS,
    PREFIX_NEVER_MET,
    SHOWN_AT_ENDS,
    dealt,
    draw,
    met,
)
from tests.simulation.over_http_world import HttpWorld
from tests.sync.desk import opened

PLAIN, ENDING = 20, 6
SEEDS = PLAIN + ENDING
STEPS = 36


def story(seed):
    """The first stories have every switch among them, the others deletes, merges, and how a vendor shows these."""
    if seed < PLAIN:
        return draw(seed, STEPS, dealt(PLAIN, met())[seed])
    shown = [one for one in met() if one[0] in SHOWN_AT_ENDS]
    return draw(seed, STEPS, dealt(ENDING, shown)[seed - PLAIN], ends=True)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_story_over_http_ends_in_equality(seed, tmp_path):
    script = story(seed)
    with opened(tmp_path, load=False, customers=0, tickets=0) as desk:
        world = HttpWorld(desk, seed)
        world.play(script)
    told = [f"seed {seed}; again: pytest tests/simulation/test_over_http.py -k 'equality and {seed}]'", "as a script:"]
    told += [*(f"    {json.dumps(step)}," for step in script), "what happened:", *world.trace]
    assert world.violations == [], "\n".join(told)
    assert [name for name in CHECKED if not world.evaluated[name]] == []


def test_every_switch_that_the_sync_meets_is_turned_in_some_story():
    turned = {step[1] for seed in range(SEEDS) for step in story(seed) if step[0] == "switch"}
    known = Switches()
    gorgias.register(known)
    hubspot.register(known)
    names = {row["name"] for row in known.listing()}
    assert names >= NEVER_MET
    assert turned == {name for name in names - NEVER_MET if not name.startswith(PREFIX_NEVER_MET)}


def test_the_same_seed_is_the_same_story():
    assert [story(seed) for seed in range(SEEDS)] == [story(seed) for seed in range(SEEDS)]


def test_stories_have_every_kind_of_trouble():
    kinds = {step[0] for seed in range(SEEDS) for step in story(seed)}
    assert kinds >= {"edit", "delete", "merge", "fault", "disturb", "switch", "wait", "sweep", "quiet"}
    assert len({step[1] for seed in range(SEEDS) for step in story(seed) if step[0] == "disturb"}) > len(PLANS) / 2
    assert {step[1] for seed in range(SEEDS) for step in story(seed) if step[0] == "fault"} == set(DEATHS)
