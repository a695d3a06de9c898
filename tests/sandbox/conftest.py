"""Sandboxes for the tests: a world on a temporary directory, single servers, and the whole thing."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest

from sync_platform.sandbox.faults import ASGIApp
from sync_platform.sandbox.serving import listening, server, url_of
from sync_platform.sandbox.world import World


@pytest.fixture
def world(tmp_path) -> World:
    """An empty world of seed 1 at true limits."""
    return World(tmp_path, seed=1)


@contextmanager
def served(app: ASGIApp) -> Iterator[str]:
    """Serve one app in a thread; yields its address."""
    with listening("test", 0) as sock:
        one = server(app)
        thread = threading.Thread(target=lambda: asyncio.run(one.serve([sock])), daemon=True)
        thread.start()
        try:
            yield url_of(sock)  # the socket listens already: a client that comes early waits in its backlog
        finally:
            one.should_exit = True
            thread.join(10)
            assert not thread.is_alive()


@pytest.fixture
def serve_app() -> Iterator[Callable[[ASGIApp], str]]:
    """Call with an app: it is served until the test ends; returns its address."""
    with ExitStack() as stack:
        yield lambda app: stack.enter_context(served(app))


@pytest.fixture
def running_sandbox(tmp_path) -> Iterator[dict]:
    """The whole sandbox, 30 people and 60 tickets, on free ports; yields the ready line."""
    from sync_platform.sandbox.server import Options, running

    options = Options(
        customers=30, tickets=60, data_dir=tmp_path / "sandbox", gorgias_port=0, hubspot_port=0, control_port=0
    )
    with running(options) as ready:
        yield ready
