"""Where a record stands in its systems: the address of its page there."""

from __future__ import annotations

from collections.abc import Callable

from sync_platform.core.records import ENTITIES, THINGS, Entity, System
from sync_platform.ledger import accounts
from sync_platform.ledger.database import Ledger
from sync_platform.settings import Settings

Address = Callable[[System, Entity, str], str | None]
# HubSpot's own numbers of its kinds of objects, as its addresses carry them.
HUBSPOT_KINDS = {Entity.CUSTOMER: "0-1", Entity.TICKET: "0-5"}


def addresses(settings: Settings, ledger: Ledger) -> Address:
    """A function that gives the page of an object, by system, entity and id; None where there is none.

    In a sandbox it is the row in the sandbox's own store.
    """
    known = {system: accounts.stamped(ledger, str(system)) for system in System}

    def of(system: System, entity: Entity, external_id: str) -> str | None:
        identity, sandbox = known[system] or ("", False)
        if sandbox:
            return _in_sandbox(settings, system, entity, external_id)
        if not external_id.isdecimal():
            return None
        if system is System.GORGIAS and settings.gorgias_base_url:
            return f"{settings.gorgias_base_url}/app/{entity}/{external_id}"
        if system is System.HUBSPOT and identity.isdecimal():
            return f"https://app.hubspot.com/contacts/{identity}/record/{HUBSPOT_KINDS[entity]}/{external_id}"
        return None

    return of


def _in_sandbox(settings: Settings, system: System, entity: Entity, external_id: str) -> str | None:
    if not external_id.isdecimal() or entity not in ENTITIES:
        return None
    kind = THINGS[system, entity]
    return f"{settings.sandbox_control_url}/state/{system}/{kind}?after={int(external_id) - 1}&limit=1"
