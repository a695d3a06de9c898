"""Writes of HubSpot's tickets: properties in batches, and the contact by associations.

A create carries its contact and our marker: one call, and the modified date of its answer is final (whether HubSpot
bumps it once more for an association inside a create is not established; then the next page reads the contact once
more). The marker is unique, so a create that is sent again is refused and makes no double: what holds it is ours.

An update moves the contact first, since associating bumps the modified date, and then writes properties, whose answer
shows the final date. That date would hide what a person did to the contact just before us, as no property shows it:
the contacts are therefore read after the write, in one call for the batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sync_platform.connectors.hubspot_batches import (
    Batches,
    Input,
    create_input,
    properties_of,
    receipt_of,
    refusal,
    stopped,
    update_input,
)
from sync_platform.connectors.hubspot_errors import ASSOCIATION, EXISTS, Complaint
from sync_platform.connectors.hubspot_reads import Reads
from sync_platform.connectors.hubspot_rows import CONTACT, MARKER, wire
from sync_platform.connectors.hubspot_ties import Failed, Ties, inline, with_contact
from sync_platform.connectors.protocol import Change, Outcome, Receipt
from sync_platform.core.records import Entity, Lane, Row, Verb
from sync_platform.errors import Rejected, Retryable

Receipts = dict[str, Receipt]


@dataclass(slots=True)
class Tickets:
    """Creates and updates tickets of one account, at most 100 at a time."""

    batches: Batches
    ties: Ties
    reads: Reads

    # creates

    def create(self, changes: Sequence[Change], lane: Lane) -> Receipts:
        """One receipt for each change. Raises `NotAllowed` only."""
        batch = self.batches.send(Entity.TICKET, "create", [_with_tie(change) for change in changes], lane)
        alone = [change for change in changes if _code(batch.complaints.get(change.token)) == ASSOCIATION]
        if alone:  # the ticket shall be there, whatever is wrong with its contact
            for change in alone:
                del batch.complaints[change.token]
            again = self.batches.send(Entity.TICKET, "create", [create_input(change) for change in alone], lane)
            batch.results |= again.results
            batch.complaints |= again.complaints
            batch.troubles |= again.troubles
        receipts = {change.token: _showing(receipt_of(change, batch), change) for change in changes}
        failed = self._tie([change for change in alone if receipts[change.token].row], receipts, lane)
        for change in alone:
            if change.token in failed:
                receipts[change.token] = _half_done(change, receipts[change.token], failed[change.token])
        clashing = [change for change in changes if _clashes(batch.complaints.get(change.token))]
        return receipts | self._found(clashing, lane)

    def _tie(self, changes: Sequence[Change], receipts: Receipts, lane: Lane) -> Failed:
        """Associate what is there already; what failed, by token."""
        tokens = {str(receipts[change.token].external_id): change.token for change in changes}
        pairs = {ticket: str(change.set[CONTACT]) for ticket, change in zip(tokens, changes, strict=True)}
        return {tokens[ticket]: trouble for ticket, trouble in self.ties.tie(pairs, lane).items()}

    def _found(self, changes: Sequence[Change], lane: Lane) -> Receipts:
        """Creates whose marker is taken: an earlier sending landed. What it wrote otherwise is written now."""
        if not changes:
            return {}
        try:
            rows = self.reads.whole(Entity.TICKET, [str(change.marker) for change in changes], lane, MARKER)
        except (Rejected, Retryable) as error:
            return {one.token: Receipt(one.token, Outcome.UNKNOWN, code=error.code) for one in changes}
        there = {str(row.attributes.get(MARKER)): row for row in rows}
        receipts: Receipts = {}
        other: list[Change] = []
        for change in changes:
            row = there.get(str(change.marker))
            if row is None:
                continue  # it is another property that clashed: the refusal stands
            receipts[change.token] = Receipt(
                change.token, Outcome.DONE, row.external_id, row=row, existing=row.external_id
            )
            different = {name: value for name, value in change.set.items() if not _same(value, row, name)}
            if different:
                was = dict(row.attributes)
                other.append(Change(change.token, Entity.TICKET, Verb.UPDATE, row.external_id, set=different, was=was))
        for token, receipt in self.update(other, lane).items():
            done = receipt.outcome is Outcome.DONE
            receipts[token] = replace(receipt, existing=receipt.external_id) if done else receipt
        return receipts

    # updates

    def update(self, changes: Sequence[Change], lane: Lane) -> Receipts:
        """One receipt for each change. Raises `NotAllowed` only."""
        receipts: Receipts = {}
        failed = self._move(changes, receipts, lane)
        todo = [change for change in changes if change.token not in receipts]
        direct = [change for change in todo if properties_of(change)]
        batch = self.batches.send(Entity.TICKET, "update", [update_input(change) for change in direct], lane)
        for change in todo:
            plain = Receipt(change.token, Outcome.DONE, change.external_id)
            receipts[change.token] = receipt_of(change, batch) if properties_of(change) else plain
        written = [
            change
            for change in todo
            if receipts[change.token].outcome is Outcome.DONE
            and (receipts[change.token].row or (CONTACT in change.set and change.token not in failed))
        ]
        self._read_back(written, failed, receipts, lane)
        for change in todo:
            complaint = failed.get(change.token)
            if complaint is not None and receipts[change.token].outcome is Outcome.DONE:
                receipts[change.token] = _half_done(change, receipts[change.token], complaint)
        return receipts

    def _move(self, changes: Sequence[Change], receipts: Receipts, lane: Lane) -> Failed:
        """Tie tickets to their contacts and untie the former ones.

        Gives complaints by token; a change that got no clear answer goes no further and has its receipt.
        """
        moving = {str(change.external_id): change for change in changes if CONTACT in change.set}
        tie = {ticket: str(one.set[CONTACT]) for ticket, one in moving.items() if one.set[CONTACT]}
        untie = {
            ticket: str(one.was[CONTACT])
            for ticket, one in moving.items()
            if one.was.get(CONTACT) and one.was[CONTACT] != one.set[CONTACT]
        }
        failed = self.ties.tie(tie, lane)
        for ticket, trouble in failed.items():
            if isinstance(trouble, Retryable):
                receipts[moving[ticket].token] = stopped(moving[ticket], trouble)
        late = self.ties.untie({ticket: old for ticket, old in untie.items() if ticket not in failed}, lane)
        for ticket, trouble in late.items():
            if isinstance(trouble, Retryable):  # the new contact is there: settled by a read
                receipts[moving[ticket].token] = _unclear(moving[ticket], trouble.code)
        return {moving[ticket].token: trouble for ticket, trouble in (failed | late).items()}

    def _read_back(self, changes: Sequence[Change], failed: Failed, receipts: Receipts, lane: Lane) -> None:
        """Complete the receipts' rows with the contacts of now; a contact that is not the one sent stays unsettled."""
        bare = [str(change.external_id) for change in changes if receipts[change.token].row is None]
        try:
            rows = {row.external_id: row for row in self.reads.plain(Entity.TICKET, bare, lane)}
            held = self.ties.of([str(change.external_id) for change in changes], lane)
        except (Rejected, Retryable) as error:
            for change in changes:
                receipts[change.token] = _unclear(change, error.code)
            return
        for change in changes:
            receipt, ticket = receipts[change.token], str(change.external_id)
            row = receipt.row or rows.get(ticket)
            if row is not None and ticket in held.contacts:
                row = with_contact(row, held.contacts[ticket])
            receipts[change.token] = replace(receipt, row=row)
            if ticket in held.unread or (change.token not in failed and _another(change, row)):
                receipts[change.token] = _unclear(change, "CONTACT_NOT_AS_SENT")


def _with_tie(change: Change) -> Input:
    contact = change.set.get(CONTACT)
    return create_input(change) | ({"associations": inline(str(contact))} if contact else {})


def _code(complaint: Complaint | None) -> str | None:
    return complaint.code if complaint else None


def _clashes(complaint: Complaint | None) -> bool:
    """The body of a clash of unique properties is not established: any of its signs leads to a read by our marker."""
    return complaint is not None and (complaint.code == EXISTS or MARKER in complaint.fields)


def _showing(receipt: Receipt, change: Change) -> Receipt:
    """A create's answer shows no association: its contact is the one that was sent."""
    if receipt.row is None or CONTACT not in change.set:
        return receipt
    contact = change.set[CONTACT]
    return replace(receipt, row=with_contact(receipt.row, [str(contact)] if contact else []))


def _half_done(change: Change, receipt: Receipt, trouble: Complaint | Retryable) -> Receipt:
    """The ticket is there, its contact is not."""
    if isinstance(trouble, Complaint):
        return replace(refusal(change, receipt.external_id, trouble, CONTACT), row=receipt.row)
    return Receipt(change.token, Outcome.UNKNOWN, receipt.external_id, code=trouble.code)


def _unclear(change: Change, code: str | None) -> Receipt:
    return Receipt(change.token, Outcome.UNKNOWN, change.external_id, code=code)


def _another(change: Change, row: Row | None) -> bool:
    return row is not None and CONTACT in change.set and not _same(change.set[CONTACT], row, CONTACT)


def _same(value: object, row: Row, name: str) -> bool:
    return wire(value) == wire(row.attributes.get(name))
