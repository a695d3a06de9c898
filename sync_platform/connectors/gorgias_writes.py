"""Writing to Gorgias: one change at a time, one receipt for each.

It decides which calls a change needs and what their answers mean together. Gorgias has no idempotency keys and no
compare-and-set [doc: none named]: a call whose answer is lost is never made again here, the caller settles it. Several
calls of one change: when any of them is in doubt, the change is in doubt.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from sync_platform.connectors.gorgias_bodies import (
    ADDRESSES,
    Channels,
    changed_customer,
    changed_ticket,
    complained,
    data_of,
    new_customer,
    new_ticket,
    ours,
    tag_changes,
    texts,
    touches_addresses,
)
from sync_platform.connectors.gorgias_shapes import SYNC_PREFIX, customer_row, ticket_row
from sync_platform.connectors.http import Answer, JsonApi, Refused, safe_words
from sync_platform.connectors.protocol import Change, Outcome, Receipt
from sync_platform.core.records import Channel, Entity, Json, Lane, Row, Verb
from sync_platform.errors import BadInput, Moved, OutcomeUnknown, Retryable, Unavailable

Holder = Callable[[str, str], str | None]
"""The id of the customer that holds a key ("email" | "phone", value), or None."""

_CODES: Mapping[int, str] = {
    400: "VALIDATION",
    403: "FORBIDDEN",
    404: "NOT_FOUND",
    405: "METHOD",
    409: "CONFLICT",
    410: "NOT_FOUND",
    413: "TOO_LARGE",
    422: "VALIDATION",
}
_PATHS: Mapping[Entity, str] = {Entity.CUSTOMER: "/customers", Entity.TICKET: "/tickets"}


@dataclass(slots=True)
class Writer:
    """Carries out changes over one API; `holder` looks up who has an address, for refusals of duplicates."""

    api: JsonApi
    holder: Holder
    lane: Lane
    _landed: bool = field(default=False, init=False)

    def carry_out(self, change: Change) -> Receipt:
        """One change, one receipt. Raises the `Halt` branch only."""
        steps: Mapping[tuple[Entity, Verb], Callable[[Change], Receipt]] = {
            (Entity.CUSTOMER, Verb.CREATE): self._new_customer,
            (Entity.CUSTOMER, Verb.UPDATE): self._changed_customer,
            (Entity.TICKET, Verb.CREATE): self._new_ticket,
            (Entity.TICKET, Verb.UPDATE): self._changed_ticket,
            (Entity.CUSTOMER, Verb.DELETE): self._delete,
            (Entity.TICKET, Verb.DELETE): self._delete,
            # A delete is for good here [doc].
            (Entity.CUSTOMER, Verb.ERASE): self._delete,
            (Entity.TICKET, Verb.ERASE): self._delete,
        }
        self._landed = False
        try:
            return steps[change.entity, change.verb](change)
        except Retryable as error:
            return Receipt(
                change.token,
                # «retry» promises that nothing was done: not so after an earlier call of the same change.
                Outcome.UNKNOWN if self._landed or isinstance(error, OutcomeUnknown) else Outcome.RETRY,
                change.external_id,
                status=error.status,
                code=error.code,
                correlation=error.correlation,
                wait_s=error.wait_s,
            )

    def _write(self, method: str, path: str, body: Json) -> Answer:
        """One call. The later ones of a change are patient with a 429: half a change is worse than a slow one."""
        answer = self.api.write(method, path, body, lane=self.lane, patient=self._landed)
        self._landed = True
        return answer

    def _new_customer(self, change: Change) -> Receipt:
        body, channels = new_customer(change)
        try:
            answer = self._write("POST", "/customers", body)
        except Refused as refused:
            return self._rejected(change, refused, channels)
        row = _shown(answer, customer_row)
        if row is None:
            # Landed, but under which id only a look-up by the marker can tell.
            return Receipt(change.token, Outcome.UNKNOWN, status=answer.status, correlation=answer.correlation)
        done = _done(change, answer, row)
        if not any(value is not None for value in ours(change).values()):
            return done
        second = self._data(change, row.external_id, _held(row), first=done)
        if second.outcome is Outcome.REJECTED:
            # The customer is there all the same; what was refused is missing from its row.
            return replace(second, outcome=Outcome.DONE, external_id=row.external_id)
        return second

    def _changed_customer(self, change: Change) -> Receipt:
        external_id = str(change.external_id)
        try:
            carry = self._carry(change, external_id)
        except Refused as refused:
            return self._rejected(change, refused, None)
        body, channels = changed_customer(change, carry.get("channels") or ())
        data = carry.get("data")
        done = Receipt(change.token, Outcome.DONE, external_id)
        if ours(change) and not _is_ours_to_write(data):
            return _foreign_data(change)
        # The data first: the answer to the second call then shows both, and nothing has to be read back.
        if ours(change):
            done = self._data(change, external_id, data, first=done, read_back=not body)
            if done.outcome is not Outcome.DONE:
                return done
        if not body:
            return done
        try:
            answer = self._write("PUT", f"/customers/{external_id}", body)
        except Refused as refused:
            return self._rejected(change, refused, channels)
        return _done(change, answer, _shown(answer, customer_row))

    def _carry(self, change: Change, external_id: str) -> Mapping[str, Json]:
        """All channels and the whole data as last read; read now when the change needs them and does not bring them."""
        carry = change.carry if isinstance(change.carry, dict) else {}
        needed = ({"channels"} if touches_addresses(change) else set()) | ({"data"} if ours(change) else set())
        if needed <= set(carry):
            return carry
        answer = self.api.read(f"/customers/{external_id}", lane=self.lane)
        row = _shown(answer, customer_row)
        if row is None or not isinstance(row.carry, dict):
            raise Unavailable("the answer is not a customer", system=self.api.system, correlation=answer.correlation)
        return row.carry

    def _data(
        self, change: Change, external_id: str, present: Json, *, first: Receipt, read_back: bool = True
    ) -> Receipt:
        """Write the whole data. The answer is 202 without a body [doc], and an older version is dropped in silence
        [doc]: so what is there afterwards is read back, unless a later call of the change shows it."""
        data = data_of(change, present)
        try:
            answer = self._write("PUT", f"/customers/{external_id}/data", {"data": data})
        except Refused as refused:
            refusal = self._rejected(change, refused, None)
            named = refusal.fields or tuple(name for name in change.set if name.startswith(SYNC_PREFIX))
            return replace(refusal, row=first.row, fields=named)
        row = self._read_back(external_id) if read_back else None
        if row is None and first.row is not None:
            row = first.row
            shown = {name: value for name, value in row.attributes.items() if not name.startswith(SYNC_PREFIX)}
            carry = {**row.carry, "data": data} if isinstance(row.carry, dict) else None
            row = replace(row, attributes=shown, carry=carry)
        return replace(first, external_id=external_id, row=row, status=answer.status, correlation=answer.correlation)

    def _read_back(self, external_id: str) -> Row | None:
        """The customer as it is now; None where it cannot be read at once: a later read tells."""
        try:
            return _shown(self.api.read(f"/customers/{external_id}", lane=self.lane), customer_row)
        except (Refused, Retryable):
            return None

    def _new_ticket(self, change: Change) -> Receipt:
        if not change.set.get("customer_id"):
            words = "a ticket needs its customer"
            return Receipt(change.token, Outcome.REJECTED, code="NO_CUSTOMER", fields=("customer_id",), words=words)
        body = new_ticket(change, now=datetime.now(UTC))
        try:
            try:
                answer = self._write("POST", "/tickets", body)
            except Refused as refused:
                # Whether an unknown tag in a ticket's body makes the tag is not established.
                if "tags" not in body or self._rejected(change, refused, None).fields != ("tags",):
                    raise
                self._make_tags([tag["name"] for tag in body["tags"]])
                answer = self._write("POST", "/tickets", body)
        except Refused as refused:
            return self._rejected(change, refused, None)
        row = _shown(answer, ticket_row)
        if row is None:
            return Receipt(change.token, Outcome.UNKNOWN, status=answer.status, correlation=answer.correlation)
        return _done(change, answer, row)

    def _changed_ticket(self, change: Change) -> Receipt:
        """Tags first: the answer to the PUT shows the ticket after everything."""
        external_id = str(change.external_id)
        add, remove = tag_changes(change)
        body = changed_ticket(change)
        done = Receipt(change.token, Outcome.DONE, external_id)
        try:
            if add:
                done = _done(change, self._add_tags(external_id, add), None)
            if remove:
                done = _done(change, self._remove_tags(external_id, remove), None)
        except Refused as refused:
            refusal = self._rejected(change, refused, None)
            return replace(refusal, fields=refusal.fields or ("tags",)) if refusal.status == 400 else refusal
        if not body:
            return done
        try:
            answer = self._write("PUT", f"/tickets/{external_id}", body)
        except Refused as refused:
            return self._rejected(change, refused, None)
        return _done(change, answer, _shown(answer, ticket_row))

    def _add_tags(self, ticket_id: str, names: list[str]) -> Answer:
        """Tags must exist before a ticket can bear them [code]: on a refusal they are made, then added once more."""
        path, body = f"/tickets/{ticket_id}/tags", {"names": names}
        try:
            return self._write("POST", path, body)
        except Refused as refused:
            if refused.answer.status not in (400, 404):
                raise
        self._make_tags(names)
        return self._write("POST", path, body)

    def _make_tags(self, names: list[str]) -> None:
        """Make sure that tags exist. It changes no customer and no ticket, so that the change itself has not begun."""
        landed = self._landed
        for name in names:
            try:
                self._write("POST", "/tags", {"name": name})
            except Refused as refused:
                # There already (409 or 400): the second attempt of the caller tells whether that is so.
                if refused.answer.status not in (400, 409):
                    raise
        self._landed = landed

    def _remove_tags(self, ticket_id: str, names: list[str]) -> Answer:
        """A tag that no longer exists is refused by name [code]: then the ticket is asked which of them it bears."""
        path = f"/tickets/{ticket_id}/tags"
        try:
            return self._write("DELETE", path, {"names": names})
        except Refused as refused:
            if refused.answer.status not in (400, 404):
                raise
        answer = self.api.read(path, lane=self.lane)
        held = answer.body.get("data") if isinstance(answer.body, dict) else answer.body
        borne = {tag.get("name") for tag in held or () if isinstance(tag, dict)}
        left = [name for name in names if name in borne]
        return self._write("DELETE", path, {"names": left}) if left else answer

    def _delete(self, change: Change) -> Receipt:
        path = f"{_PATHS[change.entity]}/{change.external_id}"
        try:
            answer = self._write("DELETE", path, None)
        except Refused as refused:
            if refused.answer.status in (404, 410):
                return Receipt(change.token, Outcome.DONE, change.external_id, status=refused.answer.status)
            return self._rejected(change, refused, None)
        return _done(change, answer, None)

    def _rejected(self, change: Change, refused: Refused, channels: Channels | None) -> Receipt:
        answer = refused.answer
        receipt = Receipt(
            change.token,
            Outcome.REJECTED,
            change.external_id,
            status=answer.status,
            code=_CODES.get(answer.status, f"HTTP_{answer.status}"),
            correlation=answer.correlation,
        )
        if isinstance(refused.error, Moved):
            # Merged away: a read of the id tells into whom.
            return replace(receipt, outcome=Outcome.MOVED, code="MOVED", existing=merged_into(answer))
        error = answer.body.get("error") if isinstance(answer.body, dict) else None
        error = error if isinstance(error, dict) else {}
        named = complained(change, error.get("data"), channels)
        receipt = replace(receipt, fields=named, words=_words(error))
        if change.entity is Entity.CUSTOMER and _may_be_taken(answer.status, error, named):
            return self._taken(change, receipt)
        return receipt

    def _taken(self, change: Change, receipt: Receipt) -> Receipt:
        """Whether an address of this change belongs to another customer. A duplicate is 409 by the documentation and
        400 in live notes, so the answer alone does not tell: the addresses are looked up."""
        for name in ADDRESSES:
            for address in texts(change.set.get(name)):
                try:
                    holder = self.holder("phone" if name == "phones" else "email", address)
                except Retryable:
                    return receipt
                if holder is not None and holder != change.external_id:
                    return replace(receipt, code="EXISTS", fields=(name,), existing=holder)
        return receipt


def _may_be_taken(status: int, error: Mapping[str, Json], named: tuple[str, ...]) -> bool:
    if status == 409:
        return True
    said = str(error.get("msg", "")).casefold()
    return status in (400, 422) and (bool(set(named) & set(ADDRESSES)) or "email" in said or "channel" in said)


def _is_ours_to_write(data: Json) -> bool:
    """Data is free JSON: a list or a text of somebody else has no place for our key."""
    return data is None or isinstance(data, dict)


def _foreign_data(change: Change) -> Receipt:
    fields = tuple(name for name in change.set if name.startswith(SYNC_PREFIX))
    words = "the customer's data is not an object, so there is no place for our key"
    return Receipt(change.token, Outcome.REJECTED, change.external_id, code="FOREIGN_DATA", fields=fields, words=words)


def _held(row: Row) -> Json:
    """The data that a new customer holds already; anything but an object cannot take our key and is not there."""
    data = row.carry.get("data") if isinstance(row.carry, dict) else None
    return data if isinstance(data, dict) else None


def _done(change: Change, answer: Answer, row: Row | None) -> Receipt:
    external_id = row.external_id if row is not None else change.external_id
    return Receipt(change.token, Outcome.DONE, external_id, row, answer.status, correlation=answer.correlation)


def _shown(answer: Answer, shape: Callable[[Json, Channel], Row]) -> Row | None:
    """The row of an answer; None where it has no body (202, 204) or none that can be read."""
    if not isinstance(answer.body, dict):
        return None
    try:
        return shape(answer.body, Channel.ANSWER)
    except BadInput:
        return None


def _words(error: Mapping[str, Json]) -> str:
    """The system's words without values: its message, then what it says of each field."""
    said = [safe_words(error.get("msg"))]
    data = error.get("data")
    if isinstance(data, dict):
        said += [safe_words(text) for text in _leaves(data)]
    return " ".join(dict.fromkeys(part for part in said if part))[:300]


def _leaves(value: Json, depth: int = 6) -> list[str]:
    if isinstance(value, str):
        return [value]
    if depth == 0 or not isinstance(value, dict | list):
        return []
    inner = value.values() if isinstance(value, dict) else value
    return [text for one in list(inner)[:20] for text in _leaves(one, depth - 1)]


def merged_into(answer: Answer) -> str | None:
    """The survivor that a 301 names, in its Location or in its body; neither is documented."""
    parts = [part for part in answer.headers.get("location", "").split("?")[0].split("/") if part]
    for part in reversed(parts):
        if part.isdigit():
            return part
    found = answer.body if isinstance(answer.body, dict) else {}
    for name in ("id", "target_id", "customer_id", "merged_into"):
        value = found.get(name)
        if isinstance(value, int | str) and not isinstance(value, bool) and value:
            return str(value)
    return None
