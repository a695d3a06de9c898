"""Writes to HubSpot: a receipt for each change, contacts here, tickets in `hubspot_tickets`.

Facts relied upon: further addresses of a contact are written one by one at a legacy address [doc]. The same id twice
refuses a batch [recorded].

Creates of contacts are upserts by our own unique property, so a repeated one makes no double.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from urllib.parse import quote

from sync_platform.connectors.hubspot_batches import (
    Batch,
    Batches,
    properties_of,
    receipt_of,
    refusal,
    stopped,
    update_input,
    upsert_input,
)
from sync_platform.connectors.hubspot_calls import Calls, Repeat
from sync_platform.connectors.hubspot_errors import Complaint, complained
from sync_platform.connectors.hubspot_reads import BATCH_MAX
from sync_platform.connectors.hubspot_rows import EMAILS, KIND, TAGS, chunks
from sync_platform.connectors.hubspot_tickets import Tickets
from sync_platform.connectors.protocol import Change, Outcome, Receipt
from sync_platform.core.records import Entity, Json, Lane, Verb
from sync_platform.errors import NotFound, Rejected, Retryable


@dataclass(slots=True)
class Writes:
    """Carries out changes of one account."""

    calls: Calls
    batches: Batches
    tickets: Tickets

    def apply(self, changes: Sequence[Change], *, lane: Lane) -> Iterator[Receipt]:
        """One receipt for each change. Raises `NotAllowed` only."""
        groups: dict[tuple[Entity, Verb], list[Change]] = {}
        for change in changes:
            problem = _problem(change)
            if problem:
                yield Receipt(change.token, Outcome.REJECTED, change.external_id, code=problem, words=problem)
            else:
                groups.setdefault((change.entity, change.verb), []).append(change)
        for (entity, verb), group in groups.items():
            for chunk in _distinct(group):
                if verb is Verb.ERASE and entity is Entity.CUSTOMER:
                    yield from (self._erase(change, lane) for change in chunk)
                elif verb in (Verb.DELETE, Verb.ERASE):
                    yield from self._archive(entity, chunk, lane)
                elif entity is Entity.CUSTOMER:
                    yield from self._write_contacts(verb, chunk, lane)
                elif verb is Verb.CREATE:
                    yield from self.tickets.create(chunk, lane).values()
                else:
                    yield from self.tickets.update(chunk, lane).values()

    def _write_contacts(self, verb: Verb, chunk: Sequence[Change], lane: Lane) -> Iterator[Receipt]:
        receipts: dict[str, Receipt] = {}
        for change in chunk:  # a removed address may become the main one in the same change
            if verb is Verb.UPDATE and EMAILS in change.set:
                receipts |= self._addresses(change, change.external_id, "DELETE", lane)
        todo = [change for change in chunk if change.token not in receipts]
        direct = [change for change in todo if verb is Verb.CREATE or properties_of(change)]
        shape, call = (upsert_input, "upsert") if verb is Verb.CREATE else (update_input, "update")
        batch = self.batches.send(Entity.CUSTOMER, call, [shape(change) for change in direct], lane)
        for change in todo:
            if change in direct:
                receipts[change.token] = receipt_of(change, batch)
            else:
                receipts[change.token] = Receipt(change.token, Outcome.DONE, change.external_id)
        for change in todo:
            done = receipts[change.token]
            if done.outcome is Outcome.DONE and change.set.get(EMAILS):
                failed = self._addresses(change, done.external_id, "PUT", lane)
                receipts |= {token: replace(one, row=done.row) for token, one in failed.items()}
        yield from receipts.values()

    def _archive(self, entity: Entity, chunk: Sequence[Change], lane: Lane) -> Iterator[Receipt]:
        api = getattr(self.calls.client.crm, KIND[entity]).batch_api
        body = {"inputs": [{"id": change.external_id} for change in chunk]}
        batch = Batch()
        try:
            self.calls.run(api.archive, body, lane=lane, purpose="write", repeat=Repeat.IDEMPOTENT)
        except Rejected as error:
            batch.complaints |= {change.token: complained(error) for change in chunk}
        except Retryable as error:
            batch.troubles |= {change.token: error for change in chunk}
        for change in chunk:
            if change.token in batch.complaints or change.token in batch.troubles:
                yield receipt_of(change, batch)
            else:
                yield Receipt(change.token, Outcome.DONE, change.external_id)

    def _erase(self, change: Change, lane: Lane) -> Receipt:
        """For good, past the recycle bin; contacts only [spec]. An id that is unknown already is what was asked for."""
        api = self.calls.client.crm.contacts.basic_api
        body = {"objectId": change.external_id}
        try:
            self.calls.run(api.purge, body, lane=lane, purpose="write", repeat=Repeat.IDEMPOTENT)
        except NotFound:
            pass
        except Rejected as error:
            return refusal(change, change.external_id, complained(error))
        except Retryable as error:
            return stopped(change, error)
        return Receipt(change.token, Outcome.DONE, change.external_id)

    # further addresses

    def _addresses(self, change: Change, contact: str | None, method: str, lane: Lane) -> dict[str, Receipt]:
        """Add or remove a contact's further addresses; a receipt under the change's token if one failed."""
        wanted, held = _folded(change.set.get(EMAILS)), _folded(change.was.get(EMAILS))
        todo = [held[one] for one in held if one not in wanted] if method == "DELETE" else []
        todo += [wanted[one] for one in wanted if one not in held] if method == "PUT" else []
        for address in todo:
            path = f"/contacts/v1/secondary-email/{contact}/email/{quote(address, safe='')}"
            try:
                self.calls.path(method, path, lane=lane, purpose="write", repeat=Repeat.IDEMPOTENT)
            except NotFound:
                if method == "DELETE":
                    continue  # it is gone already
                return {change.token: refusal(change, contact, Complaint("NOT_FOUND", 404), EMAILS)}
            except Rejected as error:
                return {change.token: refusal(change, contact, complained(error), EMAILS)}
            except Retryable as error:
                # Something before this call may have landed: the whole change is settled by a read.
                return {change.token: Receipt(change.token, Outcome.UNKNOWN, contact, code=error.code)}
        return {}


def _problem(change: Change) -> str:
    """Why a change cannot even be composed."""
    if change.verb is Verb.CREATE:
        return "" if change.marker else "NO_MARKER"
    if change.external_id is None:
        return "NO_ID"
    element_wise = TAGS not in change.set and (change.add or change.remove)
    return "NO_BASE" if element_wise and TAGS not in change.was else ""


def _distinct(changes: Iterable[Change]) -> Iterator[Sequence[Change]]:
    """Batches in which no object occurs twice, in the order given."""
    rest = list(changes)
    while rest:
        seen: set[str | None] = set()
        now: list[Change] = []
        later: list[Change] = []
        for change in rest:
            key = change.marker if change.verb is Verb.CREATE else change.external_id
            (later if key in seen else now).append(change)
            seen.add(key)
        yield from chunks(now, BATCH_MAX)
        rest = later


def _folded(addresses: Json) -> dict[str, str]:
    return {str(one).casefold(): str(one) for one in addresses or ()}
