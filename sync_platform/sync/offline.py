"""A hub without systems: the ledger, the policy and the account's slow lists, for what a person does at a desk."""

from __future__ import annotations

import math
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from sync_platform.connectors.protocol import Directory
from sync_platform.core.policy import Policy
from sync_platform.core.records import SYSTEMS
from sync_platform.ledger import directory
from sync_platform.ledger.database import Ledger
from sync_platform.ledger.lease import Lease
from sync_platform.settings import Settings
from sync_platform.sync.hub import Hub

WAIT_S = 30.0


def over(ledger: Ledger, settings: Settings) -> Hub:
    """A hub that can call nobody, over a ledger that is open already; for one request. Raises Misconfigured."""
    file = settings.policy_file
    stamp = file.stat().st_mtime_ns if file is not None and file.exists() else 0
    hub = Hub(ledger, {}, _policy(settings, stamp), f"desk-{uuid.uuid4().hex[:24]}", region=settings.sync_phone_region)
    with ledger.read() as conn:
        bodies = directory.load_all(conn)
    hub.directories = {system: Directory(**bodies.get(str(system), {})) for system in SYSTEMS}
    return hub


def _policy(settings: Settings, stamp: int) -> Policy:
    """Read again when its file changed: parsing costs more than all that a page asks."""
    from sync_platform.sync.cycle import load_policy

    key = (str(settings.policy_file), stamp)
    with _LOCK:
        if key not in _POLICIES:
            _POLICIES.clear()
            _POLICIES[key] = load_policy(settings)
        return _POLICIES[key]


_LOCK = threading.Lock()
_POLICIES: dict[tuple[str, int], Policy] = {}


@contextmanager
def at_desk(settings: Settings, *, alone: bool = False, policy: Policy | None = None) -> Iterator[Hub]:
    """A hub that can call nobody. With `alone` no cycle runs meanwhile. Raises NotSetUp, AnotherCycleRuns."""
    # A cycle carries out plans that were drawn up here, so it comes after this module.
    from sync_platform.sync.cycle import load_policy

    run = f"desk-{uuid.uuid4().hex[:24]}"
    ledger = Ledger.open(settings.ledger_url, migrate=False)
    try:
        hub = Hub(ledger, {}, policy or load_policy(settings), run, region=settings.sync_phone_region)
        for system in SYSTEMS:
            body = directory.load(ledger, system, math.inf)
            hub.directories[system] = Directory(**(body or {}))
        if not alone:
            yield hub
            return
        with Lease.take(ledger, run, wait_s=WAIT_S) as lease:
            ledger.check_owner = lease.check
            try:
                yield hub
            finally:
                ledger.check_owner = lambda: None
    finally:
        ledger.close()
