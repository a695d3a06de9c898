"""`forget`: the command. What it begins, cycles carry on with until it is done (`erasing`)."""

from __future__ import annotations

import uuid
from typing import Any

from sync_platform.errors import Misconfigured
from sync_platform.ledger import erasure
from sync_platform.ledger.database import Ledger
from sync_platform.ledger.lease import Lease
from sync_platform.settings import Settings
from sync_platform.sync.cycle import open_hub
from sync_platform.sync.erasing import Forgetting
from sync_platform.sync.keep_out import KEY

__all__ = ["Forgetting", "forget"]


def forget(settings: Settings, what: str, *, sure: bool) -> dict[str, Any]:
    """Erase `customer:<e-mail>` or a record's person; without `sure` only say what would be done.

    Raises Misconfigured without SYNC_ERASURE_KEY, or where writing is off and the policy lets something be deleted;
    NotFound for a name that is no e-mail and nobody's; AnotherCycleRuns.
    """
    key = settings.secret(KEY)
    if not key:
        raise Misconfigured(
            f"{KEY} is not set", remedy=f"Set {KEY} to a long random text and keep it: it is needed for good."
        )
    run = uuid.uuid4().hex
    ledger = Ledger.open(settings.ledger_url, migrate=False)
    try:
        with ledger.read() as conn:
            if not erasure.same_key(conn, key):
                raise Misconfigured(f"{KEY}: the key is another one", remedy=f"Set {KEY} to the key used before.")
        lease = Lease.take(ledger, run, wait_s=5.0)
        try:
            with open_hub(settings, run=run, ledger=ledger) as hub:
                return Forgetting(hub, key).carry_out(what, settings.sync_phone_region, sure=sure)
        finally:
            lease.release()
    finally:
        ledger.close()
