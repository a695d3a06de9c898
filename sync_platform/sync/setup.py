"""Set-up and examination: what the accounts must hold for the sync to work, and what to do about what is missing."""

from __future__ import annotations

import uuid

from sync_platform.connectors.protocol import Connector, Finding, Wanted
from sync_platform.core.mappings import wanted
from sync_platform.core.policy import Policy
from sync_platform.core.records import ENTITIES, SYSTEMS, Entity, System
from sync_platform.errors import SyncError
from sync_platform.ledger import accounts as stamps
from sync_platform.ledger.database import Ledger
from sync_platform.settings import Settings
from sync_platform.sync import through, webhooks
from sync_platform.sync.cycle import load_policy
from sync_platform.sync.sides import open_sides, read_directories, remember_asked


def setup(settings: Settings, *, webhooks_url: str | None = None) -> list[Finding]:
    """Create what is missing (ledger, ERP tables, HubSpot properties), stamp the ledger; safe to repeat.

    With `webhooks_url`, where the door is reached, also what makes the systems call it.

    Raises WrongAccount when the ledger belongs to other accounts, and the Halt and Retryable families.
    """
    policy = load_policy(settings)
    ledger = Ledger.open(settings.ledger_url, migrate=True)
    found = [Finding("ledger", True, "tables are up to date")]
    try:
        with open_sides(settings, ledger, run=f"setup-{uuid.uuid4().hex[:12]}") as sides:
            for system in SYSTEMS:
                found += sides[system].prepare(_wanted(system, policy))
            known = {str(system): side.account() for system, side in sides.items()}
            stamps.stamp(ledger, {name: (account.identity, account.sandbox) for name, account in known.items()})
            remember_asked(settings, ledger)
            found.append(
                Finding(
                    "stamp",
                    True,
                    ", ".join(f"{name} {'sandbox' if a.sandbox else a.identity}" for name, a in known.items()),
                )
            )
            read_directories(ledger, sides, max_age_s=0.0)
            if webhooks_url is not None:
                found += webhooks.listen(settings, sides[System.GORGIAS], webhooks_url)
    finally:
        ledger.close()
    return found


def doctor(settings: Settings, *, webhooks_url: str | None = None) -> list[Finding]:
    """What is reachable, with which rights and limits, what is missing; the remedy beside each. Changes nothing.

    With `webhooks_url`, where the door is reached, a test delivery is sent through it and timed.
    """
    found: list[Finding] = []
    try:
        policy = load_policy(settings)
        found.append(Finding("policy", True, f"{policy.hash[:12]}"))
        ledger = Ledger.open(settings.ledger_url, migrate=False)
    except SyncError as error:
        return [*found, Finding("ledger", False, error.message, error.remedy)]
    try:
        found.append(Finding("ledger", True, "reachable"))
        for system in SYSTEMS:
            found += _examine(settings, ledger, system, policy)
        found += webhooks.examine(settings, ledger)
        if webhooks_url is not None:
            found.append(through.send_through(settings, ledger, webhooks_url))
    finally:
        ledger.close()
    return found


def _examine(settings: Settings, ledger: Ledger, system: System, policy: Policy) -> list[Finding]:
    try:
        with open_sides(settings, ledger, run="doctor") as sides:
            side = sides[system]
            found = side.examine(_wanted(system, policy))
            return [*found, *_vocabulary(side, system, policy), *_closing(side, system, policy)]
    except SyncError as error:
        return [Finding(f"{system}.reachable", False, error.message, error.remedy)]


def _wanted(system: System, policy: Policy) -> list[Wanted]:
    return [
        Wanted(p.entity, p.attribute, p.label, p.type, tuple(p.options), p.unique)
        for entity in ENTITIES
        for p in wanted(system, entity, policy)
    ]


def _vocabulary(side: Connector, system: System, policy: Policy) -> list[Finding]:
    """The policy's words for stages and options must exist in the account."""
    if system is not System.HUBSPOT:
        return []
    directory = side.directory()
    vocabulary = policy.vocabulary.get(Entity.TICKET, {})
    stages = {stage for pipeline in directory.stages.values() for stage in pipeline}
    out: list[Finding] = []
    known = {"status": stages, "priority": set(directory.options.get("hs_ticket_priority", ()))}
    for name, there in known.items():
        for canonical, theirs in vocabulary.get(name, {}).items():
            words = theirs.get(system)
            for word in words if isinstance(words, (list, tuple)) else [words]:
                ok = word is None or str(word) in there
                remedy = "" if ok else f"Add it in HubSpot, or change vocabulary.{name}.{canonical} in the policy."
                out.append(Finding(f"hubspot.{name}.{canonical}", ok, str(word), remedy))
    return out


def _closing(side: Connector, system: System, policy: Policy) -> list[Finding]:
    """Closing a ticket in Gorgias can send a survey: the policy and the account's setting are compared."""
    if system is not System.GORGIAS:
        return []
    allowed = policy.entities[Entity.TICKET].systems[System.GORGIAS].allow_close
    sends = side.account().facts.get("surveys")
    if not allowed:
        return [Finding("gorgias.allow_close", True, "the policy never closes a ticket in Gorgias")]
    ok = not sends
    return [
        Finding(
            "gorgias.allow_close",
            ok,
            "closing sends no survey" if ok else "the account sends a survey when a ticket is closed",
            "" if ok else "Switch the survey off in Gorgias, or set allow_close: false in the policy.",
        )
    ]
