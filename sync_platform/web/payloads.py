"""From the bytes of a call to deliveries for the inbox. Pure: a clock's reading is given where one is needed.

What is kept of a call: Gorgias's ticket as it came (it may be complete, then it saves a read), else an id; of each
event of HubSpot the ids, the moment, and the property that changed. Everything is a hint, which a run checks.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NoReturn

from sync_platform.core.records import Entity, Json, System
from sync_platform.ledger.inbox import Delivery

BYTES_MAX = 1 << 20
DEPTH_MAX = 32
EVENTS_MAX = 100
ID_MAX = 2**63

_OPENS = frozenset(b"[{")
_PLAIN = bytes(byte for byte in range(256) if byte not in b"[]{}")
_TEXT = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
_ENTITIES = {"contact": Entity.CUSTOMER, "ticket": Entity.TICKET, "0-1": Entity.CUSTOMER, "0-5": Entity.TICKET}
_MERGED = ("objectId", "primaryObjectId", "newObjectId")


class Refused(Exception):
    """A call that is turned away: `status` and the `code` of its answer."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status = status
        self.code = code


def parsed(body: bytes) -> Json:
    """The JSON value of a body in UTF-8. Raises Refused: too_deep, not_json (also for numbers and texts that no
    database can hold)."""
    if too_deep(body):
        raise Refused(400, "too_deep")
    try:
        found: Json = json.loads(body.decode("utf-8"), parse_constant=_no_number)
        # Half a surrogate pair is JSON and no text.
        json.dumps(found, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        raise Refused(400, "not_json") from None
    return found


def too_deep(body: bytes) -> bool:
    """Whether lists and objects are nested deeper than `DEPTH_MAX`, found without building any of them."""
    depth = 0
    for byte in _TEXT.sub(b"", body).translate(None, _PLAIN):
        depth += 1 if byte in _OPENS else -1
        if depth > DEPTH_MAX:
            return True
    return False


def _no_number(_word: str) -> NoReturn:
    raise ValueError("not a number of JSON")


def gorgias(payload: Json, body: bytes, received: int) -> list[Delivery]:
    """The ticket, or else the customer, of a call of Gorgias. `received` tells apart calls that bear no time.

    Raises Refused(not_a_delivery) where neither has an id.
    """
    whole = payload if isinstance(payload, dict) else {}
    for name, entity in (("ticket", Entity.TICKET), ("customer", Entity.CUSTOMER)):
        about = whole.get(name)
        number = _id(about.get("id")) if isinstance(about, dict) else _id(whole.get(f"{name}_id"))
        if number is None:
            continue
        about = about if isinstance(about, dict) else {}
        digest = hashlib.sha256(body).hexdigest()[:40]
        # A call that shows no time is the same text at the next edit, which must not be taken for a repetition.
        if not isinstance(about.get("updated_datetime"), str):
            digest = f"{digest}:{received}"
        kept = {"id": number, "at": about.get("updated_datetime")}
        if entity is Entity.TICKET and about:
            kept["ticket"] = about
        return [Delivery(System.GORGIAS, entity, digest, kept)]
    raise Refused(400, "not_a_delivery")


def hubspot(payload: Json) -> list[Delivery]:
    """The events of a call of HubSpot that speak of contacts and tickets; others are taken and dropped.

    Raises Refused: not_a_delivery (no list of objects), too_many_events.
    """
    if not isinstance(payload, list) or not payload or not all(isinstance(event, dict) for event in payload):
        raise Refused(400, "not_a_delivery")
    if len(payload) > EVENTS_MAX:
        raise Refused(400, "too_many_events")
    found = {one.key: one for event in payload for one in _event(event)}
    return list(found.values())


def _event(event: Mapping[str, Any]) -> Iterator[Delivery]:
    kind, _, what = str(event.get("subscriptionType") or event.get("eventType") or "").partition(".")
    if what == "associationChange":
        entity, ids = Entity.TICKET, _tied(event)
    else:
        named = _ENTITIES.get(str(event.get("objectTypeId")) if kind == "object" else kind)
        if named is None:
            return
        entity, ids = named, _ids(event)
    if not ids:
        return
    told = {name: value for name, value in event.items() if name != "attemptNumber"}
    digest = hashlib.sha256(json.dumps(told, sort_keys=True, separators=(",", ":")).encode()).hexdigest()[:40]
    at = event.get("occurredAt")
    kept: dict[str, Json] = {
        "ids": ids,
        "what": what,
        "portal": _id(event.get("portalId")),
        "at": at if isinstance(at, int) and not isinstance(at, bool) and 0 <= at < ID_MAX else None,
    }
    if what == "propertyChange" and isinstance(event.get("propertyName"), str):
        kept |= {"name": event["propertyName"], "value": event.get("propertyValue")}
    yield Delivery(System.HUBSPOT, entity, digest, kept)


def _ids(event: Mapping[str, Any]) -> list[str]:
    """All objects that an event names: of a merge the survivor and the merged ones."""
    merged = event.get("mergedObjectIds")
    values: Sequence[Any] = [event.get(name) for name in _MERGED]
    values = [*values, *(merged[:EVENTS_MAX] if isinstance(merged, list) else [])]
    return sorted({number for value in values if (number := _id(value)) is not None})


def _tied(event: Mapping[str, Any]) -> list[str]:
    """The ticket of an association of a ticket and a contact; it is told once for each direction."""
    ends = {
        "TICKET_TO_CONTACT": event.get("fromObjectId"),
        "CONTACT_TO_TICKET": event.get("toObjectId"),
    }
    number = _id(ends.get(str(event.get("associationType"))))
    return [] if number is None else [number]


def _id(value: Any) -> str | None:
    """An id as text; a template may have made a text of the number."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        value = int(value)
    return str(value) if isinstance(value, int) and not isinstance(value, bool) and 0 < value < ID_MAX else None
