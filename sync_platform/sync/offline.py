"""A hub without systems: the ledger, the policy and the account's slow lists, for what a person does at a desk."""

from __future__ import annotations

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


def over(ledger: Ledger, settings: Settings, policy: Policy | None = None) -> Hub:
    """A hub that can call nobody, over a ledger that is open already; for one request. Raises Misconfigured."""
    rules = policy or _policy(settings)
    hub = Hub(ledger, {}, rules, f"desk-{uuid.uuid4().hex[:24]}", region=settings.sync_phone_region)
    with ledger.read() as conn:
        bodies = directory.load_all(conn)
    hub.directories = {system: Directory(**bodies.get(str(system), {})) for system in SYSTEMS}
    return hub


def _policy(settings: Settings) -> Policy:
    """Read again when its file changed: parsing costs more than all that a page asks."""
    # A cycle carries out plans that were drawn up here, so it comes after this module.
    from sync_platform.sync.cycle import load_policy

    file = settings.policy_file
    found = file.stat() if file is not None and file.exists() else None
    key = (str(file), (found.st_mtime_ns, found.st_size) if found else None)
    with _LOCK:
        if key not in _POLICIES:
            _POLICIES.clear()
            _POLICIES[key] = load_policy(settings)
        return _POLICIES[key]


_LOCK = threading.Lock()
_POLICIES: dict[tuple[str, tuple[int, int] | None], Policy] = {}


@contextmanager
def at_desk(settings: Settings, *, alone: bool = False, policy: Policy | None = None) -> Iterator[Hub]:
    """A hub that can call nobody. With `alone` no cycle runs meanwhile. Raises NotSetUp, AnotherCycleRuns."""
    ledger = Ledger.open(settings.ledger_url, migrate=False)
    try:
        hub = over(ledger, settings, policy)
        if not alone:
            yield hub
            return
        with Lease.take(ledger, hub.run, wait_s=WAIT_S) as lease:
            ledger.check_owner = lease.check
            try:
                yield hub
            finally:
                ledger.check_owner = lambda: None
    finally:
        ledger.close()
