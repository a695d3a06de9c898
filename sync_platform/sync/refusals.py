"""What a system refused is parked, with its own words and a remedy; the rest goes without it in the next plan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection

from sync_platform.connectors.protocol import Receipt
from sync_platform.core.records import IntentState, Json, Link, LinkState, Verb
from sync_platform.ledger import links
from sync_platform.ledger.outbox import Intent
from sync_platform.sync import endless, marks
from sync_platform.sync.hub import Hub, Step

if TYPE_CHECKING:
    from sync_platform.sync.settle import Settled


_REMEDIES = {
    "NOT_TAKEN": "The system keeps another value: look for a rule or a validation there.",
    "NOT_ANSWERED": "The system named this row neither as done nor as failed: retry.",
    "ANOTHERS": "Say whether the two records are one (`sync-platform reviews`), then retry.",
    "INVALID_OPTION": "Add the option to the property there, or change the vocabulary of the policy.",
    "MISSING_SCOPES": "Grant the right that `sync-platform doctor` names.",
}


def mark(hub: Hub, intent: Intent, name: str, value: Json, code: str, words: str) -> dict[str, Any]:
    """The row that parks one value of a write (`*`: all of it), with the system's own words and a remedy."""
    remedy = _REMEDIES.get(code, "Correct the value in the system that it comes from, or retry.")
    return marks.row(hub, intent, name, value, code=code, words=words, remedy=remedy)


def parked(
    hub: Hub, conn: Connection, intent: Intent, receipt: Receipt, link: Link | None, out: Settled, step: Step
) -> None:
    """Only what was refused is parked: the other fields go without it in the next plan."""
    out.states.append((intent.id, IntentState.REJECTED, None, hub.now()))
    out.dirty.add(str(intent.record_id))
    if receipt.existing is not None and intent.verb is Verb.CREATE:
        found = links.links_by_external(conn, intent.system, intent.entity, [receipt.existing]).get(receipt.existing)
        if found is not None and found.state is LinkState.ACTIVE and found.record_id not in (None, intent.record_id):
            # To ask again would be answered in the same way for as long as the two are not told to be one.
            words = f"{intent.system}:{receipt.existing} is there, and part of record {found.record_id}"
            out.parked.append(mark(hub, intent, "*", intent.values, "ANOTHERS", words))
            step.count("parked")
            return
        endless.carried_out(hub, intent)
        out.existing.append(receipt.existing)
        step.count("found_by_key")
        return
    if receipt.code == "NOT_FOUND" and link is not None:
        link.again = True
        out.links.append(link)
        return
    maps = hub.maps(intent.entity)[intent.system]
    refused = {n for n in intent.values if set(maps[n].attributes) & set(receipt.fields)}
    code = receipt.code or "REJECTED"
    for name in sorted(refused):
        out.parked.append(mark(hub, intent, name, intent.values[name], code, receipt.words))
    if not refused:
        out.parked.append(mark(hub, intent, "*", intent.values, code, receipt.words))
    step.count("parked", max(1, len(refused)))
