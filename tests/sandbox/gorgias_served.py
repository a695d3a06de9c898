"""A Gorgias account for the tests of a whole module: one server, a thousand times the limits."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sync_platform.sandbox.world import World
from tests.sandbox.gorgias_account import Account, served


@contextmanager
def served_account(folder: Path, *, rate_scale: float = 1_000.0) -> Iterator[Account]:
    """An empty account behind a port."""
    with served(Account(World(folder, seed=1, rate_scale=rate_scale))) as account:
        yield account
