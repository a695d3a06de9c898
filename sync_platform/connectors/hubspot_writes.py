"""Writes to HubSpot: batches of 100 with a receipt for each change.

Facts relied upon: with a unique objectWriteTraceId on every row, good rows land and bad ones are named in a 207;
without, one bad row refuses the whole call [doc, recorded]. Results come in another order [observed live], so they
are matched by trace id, own unique property or id, never by position. An update of a merged-away id answers 200 and
leaves the row out [reported]: neither result nor error is a failure of its own, NOT_ANSWERED. The same id twice
refuses the call [recorded]. A new property is writable only after a moment [observed live]. Further addresses of a
contact are written one by one at a legacy address [doc]; associating what is associated already changes nothing [doc,
inferred].

Creates are upserts by our own unique property, so a repeated one makes no double.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

from sync_platform.connectors.hubspot_calls import Answer, Calls, Repeat
from sync_platform.connectors.hubspot_errors import Complaint, Refused, complaint_of
from sync_platform.connectors.hubspot_rows import (
    CONTACT,
    ELSEWHERE,
    EMAILS,
    KIND,
    MARKER,
    TAGS,
    composed_tags,
    wire,
)
from sync_platform.connectors.hubspot_search import chunks, read_row
from sync_platform.connectors.protocol import Change, Outcome, Receipt
from sync_platform.core.records import Channel, Entity, Json, Lane, Row, Verb
from sync_platform.errors import NotFound, OutcomeUnknown, Rejected, Retryable

BATCH_MAX = 100
PROPERTY_WAIT_S = 1.0
_NEW_PROPERTY = "PROPERTY_DOESNT_EXIST"


@dataclass(slots=True)
class Batch:
    """What became of the inputs of one batch, by token."""

    results: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    complaints: dict[str, Complaint] = field(default_factory=dict)
    troubles: dict[str, Retryable] = field(default_factory=dict)


@dataclass(slots=True)
class Writes:
    """Carries out changes of one account."""

    calls: Calls
    _waited: bool = False

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
                if verb is Verb.DELETE:
                    yield from self._archive(entity, chunk, lane)
                else:
                    yield from self._write(entity, verb, chunk, lane)

    def _write(self, entity: Entity, verb: Verb, chunk: Sequence[Change], lane: Lane) -> Iterator[Receipt]:
        receipts: dict[str, Receipt] = {}
        for change in chunk:  # a removed address may become the main one in the same change
            if verb is Verb.UPDATE and EMAILS in change.set:
                receipts |= self._addresses(change, change.external_id, "DELETE", lane)
        todo = [change for change in chunk if change.token not in receipts]
        direct = [change for change in todo if verb is Verb.CREATE or _properties(change)]
        batch = self._send(entity, verb, [_input(change) for change in direct], lane)
        for change in todo:
            if change in direct:
                receipts[change.token] = _receipt(change, batch)
            else:
                receipts[change.token] = Receipt(change.token, Outcome.DONE, change.external_id)
        for change in todo:
            done = receipts[change.token]
            if done.outcome is Outcome.DONE and change.set.get(EMAILS):
                failed = self._addresses(change, done.external_id, "PUT", lane)
                receipts |= {token: replace(one, row=done.row) for token, one in failed.items()}
        if entity is Entity.TICKET:
            self._associate([change for change in todo if CONTACT in change.set], receipts, lane)
        yield from receipts.values()

    # properties

    def _send(self, entity: Entity, verb: Verb, inputs: list[dict[str, Any]], lane: Lane) -> Batch:
        """Send inputs; a batch refused as a whole is halved until the bad row stands alone."""
        batch = Batch()
        self._send_into(batch, entity, verb, inputs, lane)
        late = {token for token, one in batch.complaints.items() if one.code == _NEW_PROPERTY}
        if late and not self._waited:
            self._waited = True
            self.calls.pause(PROPERTY_WAIT_S)
            for token in late:
                del batch.complaints[token]
            again = [one for one in inputs if one["objectWriteTraceId"] in late]
            self._send_into(batch, entity, verb, again, lane)
        return batch

    def _send_into(self, batch: Batch, entity: Entity, verb: Verb, inputs: list[dict[str, Any]], lane: Lane) -> None:
        if not inputs:
            return
        api = getattr(self.calls.client.crm, KIND[entity]).batch_api
        call = api.upsert if verb is Verb.CREATE else api.update
        tokens = [one["objectWriteTraceId"] for one in inputs]
        try:
            answer = self.calls.run(call, {"inputs": inputs}, lane=lane, purpose="write", repeat=Repeat.IDEMPOTENT)
        except (Refused, NotFound) as error:
            if len(inputs) > 1:
                half = len(inputs) // 2
                self._send_into(batch, entity, verb, inputs[:half], lane)
                self._send_into(batch, entity, verb, inputs[half:], lane)
            else:
                batch.complaints[tokens[0]] = _complaint(error)
        except Retryable as error:
            batch.troubles |= dict.fromkeys(tokens, error)
        else:
            _sort_answer(batch, answer, inputs)

    def _archive(self, entity: Entity, chunk: Sequence[Change], lane: Lane) -> Iterator[Receipt]:
        api = getattr(self.calls.client.crm, KIND[entity]).batch_api
        body = {"inputs": [{"id": change.external_id} for change in chunk]}
        batch = Batch()
        try:
            self.calls.run(api.archive, body, lane=lane, purpose="write", repeat=Repeat.IDEMPOTENT)
        except Rejected as error:
            batch.complaints |= {change.token: _complaint(error) for change in chunk}
        except Retryable as error:
            batch.troubles |= {change.token: error for change in chunk}
        for change in chunk:
            if change.token in batch.complaints or change.token in batch.troubles:
                yield _receipt(change, batch)
            else:
                yield Receipt(change.token, Outcome.DONE, change.external_id)

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
                return {change.token: _refusal(change, contact, Complaint("NOT_FOUND", 404), EMAILS)}
            except Rejected as error:
                return {change.token: _refusal(change, contact, _complaint(error), EMAILS)}
            except Retryable as error:
                # Something before this call may have landed: the whole change is settled by a read.
                return {change.token: Receipt(change.token, Outcome.UNKNOWN, contact, code=error.code)}
        return {}

    # the contact of a ticket

    def _associate(self, changes: Sequence[Change], receipts: dict[str, Receipt], lane: Lane) -> None:
        """Tie tickets to their contacts and untie the former ones; corrects the receipts."""
        done = [change for change in changes if receipts[change.token].outcome is Outcome.DONE]
        by_ticket = {str(receipts[change.token].external_id): change for change in done}
        tie = {ticket: str(one.set[CONTACT]) for ticket, one in by_ticket.items() if one.set[CONTACT]}
        untie = {
            ticket: str(one.was[CONTACT])
            for ticket, one in by_ticket.items()
            if one.was.get(CONTACT) and one.was[CONTACT] != one.set[CONTACT]
        }
        failed: dict[str, Complaint | Retryable] = {}
        self._tie(tie, failed, lane)
        self._untie({ticket: old for ticket, old in untie.items() if ticket not in failed}, failed, lane)
        for ticket, change in by_ticket.items():
            receipt, trouble = receipts[change.token], failed.get(ticket)
            if isinstance(trouble, Complaint):
                receipts[change.token] = replace(_refusal(change, ticket, trouble, CONTACT), row=receipt.row)
            elif trouble is not None:
                receipts[change.token] = Receipt(change.token, Outcome.UNKNOWN, ticket, code=trouble.code)
            elif receipt.row is not None:
                shown = {**receipt.row.attributes, CONTACT: tie.get(ticket)}
                receipts[change.token] = replace(receipt, row=replace(receipt.row, attributes=shown))

    def _tie(self, pairs: Mapping[str, str], failed: dict[str, Complaint | Retryable], lane: Lane) -> None:
        if not pairs:
            return
        api = self.calls.client.crm.associations.v4.batch_api
        body = {"inputs": [{"from": {"id": ticket}, "to": {"id": contact}} for ticket, contact in pairs.items()]}
        try:
            answer = self.calls.run(
                api.create_default, "tickets", "contacts", body, lane=lane, purpose="write", repeat=Repeat.IDEMPOTENT
            )
        except (Refused, NotFound) as error:
            if len(pairs) == 1:
                failed |= dict.fromkeys(pairs, _complaint(error))
            else:
                for part in _halves(pairs):
                    self._tie(part, failed, lane)
        except Retryable as error:
            failed |= dict.fromkeys(pairs, error)
        else:
            # Results show both directions; ids come as numbers or texts [recorded, spec].
            tied = {frozenset((str(one["from"]["id"]), str(one["to"]["id"]))) for one in answer.body.get("results", ())}
            errors = [complaint_of(one, None) for one in answer.body.get("errors", ())]
            complaint = errors[0] if errors else Complaint("NOT_ANSWERED")
            failed |= {one: complaint for one, to in pairs.items() if frozenset((one, to)) not in tied}

    def _untie(self, pairs: Mapping[str, str], failed: dict[str, Complaint | Retryable], lane: Lane) -> None:
        if not pairs:
            return
        api = self.calls.client.crm.associations.v4.batch_api
        body = {"inputs": [{"from": {"id": ticket}, "to": [{"id": contact}]} for ticket, contact in pairs.items()]}
        try:
            self.calls.run(
                api.archive, "tickets", "contacts", body, lane=lane, purpose="write", repeat=Repeat.IDEMPOTENT
            )
        except (Refused, NotFound) as error:
            if len(pairs) == 1:
                failed |= dict.fromkeys(pairs, _complaint(error))
            else:
                for part in _halves(pairs):
                    self._untie(part, failed, lane)
        except Retryable as error:
            failed |= dict.fromkeys(pairs, error)


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


def _halves(pairs: Mapping[str, str]) -> list[dict[str, str]]:
    listed = list(pairs.items())
    half = len(listed) // 2
    return [dict(listed[:half]), dict(listed[half:])]


def _folded(addresses: Json) -> dict[str, str]:
    return {str(one).casefold(): str(one) for one in addresses or ()}


def _properties(change: Change) -> dict[str, str]:
    """Properties of a change, as texts."""
    properties = {name: wire(value) for name, value in change.set.items() if name not in ELSEWHERE}
    if TAGS not in change.set and (change.add or change.remove):
        add = [tag for tags in change.add.values() for tag in tags]
        remove = [tag for tags in change.remove.values() for tag in tags]
        properties[TAGS] = wire(composed_tags(change.was.get(TAGS) or (), add, remove))
    return properties


def _input(change: Change) -> dict[str, Any]:
    if change.verb is Verb.UPDATE:
        return {"id": change.external_id, "properties": _properties(change), "objectWriteTraceId": change.token}
    properties = {name: text for name, text in _properties(change).items() if text}
    properties[MARKER] = str(change.marker)
    return {"id": change.marker, "idProperty": MARKER, "properties": properties, "objectWriteTraceId": change.token}


def _sort_answer(batch: Batch, answer: Answer, inputs: Sequence[Mapping[str, Any]]) -> None:
    by_id = {str(one["id"]): str(one["objectWriteTraceId"]) for one in inputs}
    tokens = set(by_id.values())
    for found in answer.body.get("results", ()):
        names = (found.get("properties") or {}).get(MARKER), str(found.get("id"))
        trace = found.get("objectWriteTraceId")
        token = trace if trace in tokens else next((by_id[one] for one in names if one in by_id), None)
        if token is not None:
            batch.results[token] = found
    for error in answer.body.get("errors", ()):
        complaint = complaint_of(error, None)
        named = [one for one in complaint.traces if one in tokens]
        named += [by_id[one] for one in complaint.ids if one in by_id]
        for token in named or (tokens if len(tokens) == 1 else ()):
            batch.complaints[token] = complaint


def _complaint(error: Rejected) -> Complaint:
    if isinstance(error, Refused):
        return error.complaint
    return Complaint(error.code or type(error).__name__, error.status, correlation=error.correlation)


def _refusal(change: Change, external_id: str | None, complaint: Complaint, *fields: str) -> Receipt:
    return Receipt(
        change.token,
        Outcome.REJECTED,
        external_id,
        status=complaint.status,
        code=complaint.code,
        words=complaint.words,
        fields=fields or tuple(one for one in complaint.fields if one in _properties(change)),
        existing=complaint.existing,
        correlation=complaint.correlation,
    )


def _receipt(change: Change, batch: Batch) -> Receipt:
    trouble = batch.troubles.get(change.token)
    if trouble is not None:
        outcome = Outcome.UNKNOWN if isinstance(trouble, OutcomeUnknown) else Outcome.RETRY
        return Receipt(
            change.token,
            outcome,
            change.external_id,
            status=trouble.status,
            code=trouble.code,
            correlation=trouble.correlation,
            wait_s=trouble.wait_s,
        )
    complaint = batch.complaints.get(change.token)
    found = batch.results.get(change.token)
    if found is None:
        return _refusal(change, change.external_id, complaint or Complaint("NOT_ANSWERED"))
    row: Row | None = read_row(change.entity, found, Channel.ANSWER)[0]
    return Receipt(change.token, Outcome.DONE, str(found["id"]), row=row)
