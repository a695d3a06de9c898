"""A hub without systems: the ledger, the policy and the account's slow lists, for what a person does at a desk."""

from __future__ import annotations

import math
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


def desk_hub(settings: Settings, ledger: Ledger, policy: Policy) -> Hub:
    """A hub that can call nobody, over an open ledger that others may use as well."""
    hub = Hub(ledger, {}, policy, f"desk-{uuid.uuid4().hex[:24]}", region=settings.sync_phone_region)
    for system in SYSTEMS:
        hub.directories[system] = Directory(**(directory.load(ledger, system, math.inf) or {}))
    return hub


@contextmanager
def at_desk(settings: Settings, *, alone: bool = False, policy: Policy | None = None) -> Iterator[Hub]:
    """A hub that can call nobody. With `alone` no cycle runs meanwhile. Raises NotSetUp, AnotherCycleRuns."""
    # A cycle carries out plans that were drawn up here, so it comes after this module.
    from sync_platform.sync.cycle import load_policy

    ledger = Ledger.open(settings.ledger_url, migrate=False)
    try:
        hub = desk_hub(settings, ledger, policy or load_policy(settings))
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
