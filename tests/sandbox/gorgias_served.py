"""A Gorgias account whose application is served on a port: every call of a test goes over HTTP."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from sync_platform.sandbox.serving import listening, server, url_of
from sync_platform.sandbox.world import World
from tests.sandbox.gorgias_account import Account


@contextmanager
def served_account(folder: Path, *, rate_scale: float = 1_000.0) -> Iterator[Account]:
    """An empty account behind a real port, at a thousand times the limits."""
    account = Account(World(folder, seed=1, rate_scale=rate_scale))
    with listening("gorgias", 0) as sock:
        one = server(account.app)
        thread = threading.Thread(target=lambda: asyncio.run(one.serve([sock])), daemon=True)
        thread.start()
        account.http.close()
        account.http = httpx.Client(base_url=url_of(sock), auth=(account.keys["email"], account.keys["api_key"]))
        try:
            yield account
        finally:
            account.http.close()
            one.should_exit = True
            thread.join(10)
            account.side.close()
