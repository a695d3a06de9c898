"""Which contact a HubSpot ticket has: associations, read and written in batches.

Facts relied upon: reads take 1,000 tickets a call, writes 2,000 [doc]; a ticket without contacts is not an empty row
but an error entry of a 207, NO_ASSOCIATIONS_FOUND [recorded]; associating what is associated already changes nothing
[doc, inferred]; associating usually bumps the ticket's modified date, without a promise [inferred].
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sync_platform.connectors.hubspot_calls import Calls, Repeat
from sync_platform.connectors.hubspot_errors import Complaint, Refused, complained, complaint_of
from sync_platform.connectors.hubspot_rows import CONTACT, chunks
from sync_platform.connectors.protocol import Known
from sync_platform.core.records import Entity, Json, Lane, Row
from sync_platform.errors import NotFound, Retryable

READ_MAX = 1_000
TICKET_TO_CONTACT = 16  # type ids are directional: 15 is contact to ticket [doc, recorded]
Failed = dict[str, Complaint | Retryable]


@dataclass(slots=True)
class Held:
    """Contacts by ticket. A ticket in neither part is gone."""

    contacts: dict[str, list[str]] = field(default_factory=dict)
    unread: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Ties:
    """Associations of tickets with contacts in one account."""

    calls: Calls

    def of(self, tickets: Iterable[str], lane: Lane) -> Held:
        """Contacts of each ticket, in one call for 1,000; no ticket, no call."""
        held = Held()
        api = self.calls.client.crm.associations.v4.batch_api
        for ids in chunks(list(dict.fromkeys(tickets)), READ_MAX):
            body = {"inputs": [{"id": one} for one in ids]}
            answer = self.calls.run(api.get_page, "tickets", "contacts", body, lane=lane)
            for found in answer.body.get("results", ()):
                held.contacts[str(found["from"]["id"])] = [str(to["toObjectId"]) for to in found.get("to", ())]
            gone: set[str] = set()
            for error in answer.body.get("errors", ()):
                kind = str(error.get("subCategory") or "").rpartition(".")[2]
                named = [str(one) for one in (error.get("context") or {}).get("fromObjectId") or ()]
                if kind == "NO_ASSOCIATIONS_FOUND":
                    held.contacts = {one: [] for one in named} | held.contacts
                elif kind == "FROM_OBJECT_NOT_FOUND":
                    gone |= set(named)
            held.unread |= {one for one in ids if one not in held.contacts and one not in gone}
        return held

    def shown(self, rows: Sequence[Row], lane: Lane, known: Known | None = None) -> tuple[list[Row], set[str]]:
        """Ticket rows with their contacts, and the ids whose contacts could not be read.

        Rows that `known` names are as they were when their contact was read: they are not asked, and do not show it.
        """
        stamps = {row.external_id: row.stamp for row in rows if row.stamp is not None}
        left = set(known(Entity.TICKET, stamps)) if known and stamps else set()
        held = self.of([row.external_id for row in rows if row.external_id not in left], lane)
        found = held.contacts
        return [with_contact(row, found[row.external_id]) if row.external_id in found else row for row in rows], (
            held.unread
        )

    def tie(self, pairs: Mapping[str, str], lane: Lane) -> Failed:
        """Associate tickets with contacts, {ticket: contact}; what failed, by ticket. Repeating it changes nothing."""
        failed: Failed = {}
        if not pairs:
            return failed
        api = self.calls.client.crm.associations.v4.batch_api
        body = {"inputs": [{"from": {"id": ticket}, "to": {"id": contact}} for ticket, contact in pairs.items()]}
        try:
            answer = self.calls.run(
                api.create_default, "tickets", "contacts", body, lane=lane, purpose="write", repeat=Repeat.IDEMPOTENT
            )
        except (Refused, NotFound) as error:
            if len(pairs) == 1:
                return dict.fromkeys(pairs, complained(error))
            for part in _halves(pairs):
                failed |= self.tie(part, lane)
        except Retryable as error:
            failed |= dict.fromkeys(pairs, error)
        else:
            # Results show both directions; ids come as numbers or texts [recorded, spec].
            tied = {frozenset((str(one["from"]["id"]), str(one["to"]["id"]))) for one in answer.body.get("results", ())}
            errors = [complaint_of(one, None) for one in answer.body.get("errors", ())]
            complaint = errors[0] if errors else Complaint("NOT_ANSWERED")
            failed |= {one: complaint for one, to in pairs.items() if frozenset((one, to)) not in tied}
        return failed

    def untie(self, pairs: Mapping[str, str], lane: Lane) -> Failed:
        """Take associations away, {ticket: contact}; what failed, by ticket. Repeating it changes nothing."""
        failed: Failed = {}
        if not pairs:
            return failed
        api = self.calls.client.crm.associations.v4.batch_api
        body = {"inputs": [{"from": {"id": ticket}, "to": [{"id": contact}]} for ticket, contact in pairs.items()]}
        try:
            self.calls.run(
                api.archive, "tickets", "contacts", body, lane=lane, purpose="write", repeat=Repeat.IDEMPOTENT
            )
        except (Refused, NotFound) as error:
            if len(pairs) == 1:
                return dict.fromkeys(pairs, complained(error))
            for part in _halves(pairs):
                failed |= self.untie(part, lane)
        except Retryable as error:
            failed |= dict.fromkeys(pairs, error)
        return failed


def inline(contact: str) -> list[dict[str, Json]]:
    """The associations of a ticket that is created with its contact."""
    kind = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": TICKET_TO_CONTACT}
    return [{"to": {"id": contact}, "types": [kind]}]


def with_contact(row: Row, contacts: Sequence[str]) -> Row:
    """The row with its contact: the lowest id, as HubSpot knows no order among several."""
    numbers = sorted({one for one in contacts if one.isdigit()}, key=int)
    return replace(row, attributes={**row.attributes, CONTACT: numbers[0] if numbers else None})


def _halves(pairs: Mapping[str, str]) -> list[dict[str, str]]:
    listed = list(pairs.items())
    half = len(listed) // 2
    return [dict(listed[:half]), dict(listed[half:])]
