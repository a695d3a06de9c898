"""What else happens in the middle of a story: the mappings get another version, somebody parts and joins objects.

Drawn apart from everything else, so that stories without it stay as they are.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING

from sync_platform.simulation.truth import broken

if TYPE_CHECKING:
    from sync_platform.simulation.world import Step, World


def remap(world: World) -> None:
    """From the next run on the mappings have another version, which reads and writes as the one before."""
    world.mapping_version = f"{world.mapping_version}+"
    world.events["mapping_change"] += 1


def check(world: World) -> None:
    """I15 after a quiet: a mapping of the same meaning reads what it read before, so nothing is decided about it."""
    if not world.events["mapping_change"]:
        return
    world.evaluated["I15"] += 1
    found = world.shelf.raw.execute(
        "SELECT record_id, field FROM decision WHERE cause = 'mapping' ORDER BY id"
    ).fetchone()
    if found is not None:
        broken(world, "I15", f"{found[1]} of {found[0]} was read otherwise by a mapping of the same meaning")


STEPS: dict[str, Callable[..., None]] = {"remap": remap}


def added(seed: int, turns: list[Step]) -> list[Step]:
    """In one story of seven the mappings change once or twice; in one of eight somebody parts one and joins it."""
    rng = random.Random(f"changes of {seed}")  # noqa: S311  # a story, not a secret
    extra: list[Step] = []
    if seed % 7 == 3:
        extra += [["remap"]] * rng.choice((1, 2))
    if seed % 8 == 6:
        extra.append(["part", rng.randrange(20)])
    for step in extra:
        place = rng.randrange(len(turns) + 1)
        turns = [*turns[:place], step, *turns[place:]]
    return turns
