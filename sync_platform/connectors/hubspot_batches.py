"""Batch writes of HubSpot's objects: what is sent, and which input every part of the answer belongs to.

Facts relied upon: with a unique objectWriteTraceId on every row, good rows land and bad ones are named in a 207;
without, one bad row refuses the whole call [doc, recorded]. Results come in another order [observed live], so they
are matched by trace id, own unique property or id, never by position. An update of a merged-away id answers 200 and
leaves the row out [reported]: neither result nor error is a failure of its own, NOT_ANSWERED. The same id twice
refuses the call [recorded]. A new property is writable only after a moment [observed live].
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sync_platform.connectors.hubspot_calls import Answer, Calls, Repeat
from sync_platform.connectors.hubspot_errors import Complaint, Refused, complained, complaint_of
from sync_platform.connectors.hubspot_rows import ELSEWHERE, KIND, MARKER, TAGS, composed_tags, read_row, wire
from sync_platform.connectors.protocol import Change, Outcome, Receipt
from sync_platform.core.records import Channel, Entity, Lane, Row
from sync_platform.errors import NotFound, OutcomeUnknown, Retryable

PROPERTY_WAIT_S = 1.0
_NEW_PROPERTY = "PROPERTY_DOESNT_EXIST"
Input = dict[str, Any]


@dataclass(slots=True)
class Batch:
    """What became of the inputs of one batch, by token."""

    results: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    complaints: dict[str, Complaint] = field(default_factory=dict)
    troubles: dict[str, Retryable] = field(default_factory=dict)


@dataclass(slots=True)
class Batches:
    """Sends inputs of at most 100 to one account."""

    calls: Calls
    _waited: bool = False

    def send(self, entity: Entity, verb: str, inputs: Sequence[Input], lane: Lane) -> Batch:
        """Send inputs; a batch refused as a whole is halved until the bad row stands alone."""
        batch = Batch()
        self._into(batch, entity, verb, inputs, lane)
        late = {token for token, one in batch.complaints.items() if one.code == _NEW_PROPERTY}
        if late and not self._waited:
            self._waited = True
            self.calls.pause(PROPERTY_WAIT_S)
            for token in late:
                del batch.complaints[token]
            again = [one for one in inputs if one["objectWriteTraceId"] in late]
            self._into(batch, entity, verb, again, lane)
        return batch

    def _into(self, batch: Batch, entity: Entity, verb: str, inputs: Sequence[Input], lane: Lane) -> None:
        if not inputs:
            return
        call = getattr(getattr(self.calls.client.crm, KIND[entity]).batch_api, verb)
        tokens = [one["objectWriteTraceId"] for one in inputs]
        body = {"inputs": list(inputs)}
        try:
            answer = self.calls.run(call, body, lane=lane, purpose="write", repeat=Repeat.IDEMPOTENT)
        except (Refused, NotFound) as error:
            if len(inputs) > 1:
                half = len(inputs) // 2
                self._into(batch, entity, verb, inputs[:half], lane)
                self._into(batch, entity, verb, inputs[half:], lane)
            else:
                batch.complaints[tokens[0]] = complained(error)
        except Retryable as error:
            batch.troubles |= dict.fromkeys(tokens, error)
        else:
            _sort_answer(batch, answer, inputs)


def properties_of(change: Change) -> dict[str, str]:
    """Properties of a change, as texts."""
    properties = {name: wire(value) for name, value in change.set.items() if name not in ELSEWHERE}
    if TAGS not in change.set and (change.add or change.remove):
        add = [tag for tags in change.add.values() for tag in tags]
        remove = [tag for tags in change.remove.values() for tag in tags]
        properties[TAGS] = wire(composed_tags(change.was.get(TAGS) or (), add, remove))
    return properties


def update_input(change: Change) -> Input:
    """One row of a batch/update."""
    return {"id": change.external_id, "properties": properties_of(change), "objectWriteTraceId": change.token}


def create_input(change: Change) -> Input:
    """One row of a batch/create, marked as ours; blank values are left out."""
    properties = {name: text for name, text in properties_of(change).items() if text}
    return {"properties": properties | {MARKER: str(change.marker)}, "objectWriteTraceId": change.token}


def upsert_input(change: Change) -> Input:
    """One row of a batch/upsert by our own unique property."""
    return {"id": change.marker, "idProperty": MARKER, **create_input(change)}


def refusal(change: Change, external_id: str | None, complaint: Complaint, *fields: str) -> Receipt:
    """The receipt of what a complaint names; `fields` instead of those that it names itself."""
    return Receipt(
        change.token,
        Outcome.REJECTED,
        external_id,
        status=complaint.status,
        code=complaint.code,
        words=complaint.words,
        fields=fields or tuple(one for one in complaint.fields if one in properties_of(change)),
        existing=complaint.existing,
        correlation=complaint.correlation,
    )


def stopped(change: Change, trouble: Retryable) -> Receipt:
    """The receipt of a change whose call got no answer that says what became of it."""
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


def receipt_of(change: Change, batch: Batch) -> Receipt:
    """What a batch's answer says of one change."""
    trouble = batch.troubles.get(change.token)
    if trouble is not None:
        return stopped(change, trouble)
    complaint = batch.complaints.get(change.token)
    found = batch.results.get(change.token)
    if found is None:
        return refusal(change, change.external_id, complaint or Complaint("NOT_ANSWERED"))
    row: Row | None = read_row(change.entity, found, Channel.ANSWER)[0]
    return Receipt(change.token, Outcome.DONE, str(found["id"]), row=row)


def _sort_answer(batch: Batch, answer: Answer, inputs: Sequence[Input]) -> None:
    by_id = {str(one.get("id") or one["properties"][MARKER]): str(one["objectWriteTraceId"]) for one in inputs}
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
