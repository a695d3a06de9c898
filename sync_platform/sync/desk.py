"""The desk: what waits for a person, told with its evidence and a remedy, and what the person does about it.

An act notes what is wanted and nothing else; the next cycle takes it up, and nothing waits for it. Values of people
are shown only on demand.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, select

from sync_platform.core.answers import APART, CHOOSE, LEAVE, VALUE, Answer
from sync_platform.core.mappings import Unmappable
from sync_platform.core.policy_words import rules_in_words
from sync_platform.core.records import UNSET, Claim, Entity, Json, Record, System
from sync_platform.errors import BadInput, NotFound, Rejected
from sync_platform.ledger import asks, links
from sync_platform.ledger.journal import RECEIPT
from sync_platform.ledger.outbox import INTENT
from sync_platform.settings import Settings
from sync_platform.sync.cycle import utc
from sync_platform.sync.hub import Hub
from sync_platform.sync.names import find
from sync_platform.sync.offline import at_desk

SHOWN_MAX = 1000
_REMEDIES = {
    "field": "Choose a system or write a value: `sync-platform reviews resolve {id} --choose SYSTEM | --value V`;"
    " `--drop` leaves each side as it is. Or make the systems agree: the next cycle closes it.",
    "twin": "One person: `sync-platform reviews resolve {id} --choose RECORD --dry-run`. Two people: `--drop`.",
    "ambiguous": "Say whose it is: `sync-platform reviews resolve {id} --choose RECORD --dry-run`."
    " None of them: `--drop`.",
}


# --- reviews ----------------------------------------------------------------------------------------------------


def reviews(settings: Settings) -> dict[str, Any]:
    """The `reviews` object: what waits, oldest first, without values."""
    with at_desk(settings) as hub, hub.ledger.read() as conn:
        rows = asks.open_reviews(conn, limit=SHOWN_MAX + 1)
        return {
            "open": len(rows[:SHOWN_MAX]),
            "reviews": [review_line(row) for row in rows[:SHOWN_MAX]],
            "truncated": len(rows) > SHOWN_MAX,
        }


def review(settings: Settings, number: int, *, show_values: bool = False) -> dict[str, Any]:
    """One review with its evidence. Raises NotFound."""
    with at_desk(settings) as hub, hub.ledger.read() as conn:
        return review_in(hub, conn, number, show_values=show_values)


def review_in(hub: Hub, conn: Connection, number: int, *, show_values: bool = False) -> dict[str, Any]:
    """The same in the caller's transaction. Raises NotFound."""
    row = asks.review(conn, number)
    if row is None:
        raise _no_review(number)
    told = review_line(row) | {"remedy": _REMEDIES.get(row.kind, "").format(id=number)}
    if row.kind != "field":
        return told | {"evidence": [_candidate(conn, one) for one in row.claims or []]}
    record = links.records_by_id(conn, [row.record_id])[row.record_id]
    field = hub.policy.entities[record.entity].fields.get(row.field)
    told["rules"] = rules_in_words(field.rules) if field is not None else "the policy has no such field any more"
    if show_values:
        told["value"] = record.fields.get(row.field)
    claims = [Claim.load(raw) for raw in row.claims or []]
    found = links.links_by_id(conn, [claim.link_id for claim in claims])
    told["claims"] = [
        {
            "system": str(claim.system),
            "id": found[claim.link_id].external_id if claim.link_id in found else None,
            "after": claim.since,
            "until": claim.stamp,
        }
        | ({"value": claim.value, "theirs": claim.theirs} if show_values else {})
        for claim in claims
    ]
    return told


def review_line(row: Any) -> dict[str, Any]:
    """A review without values, as lists show it."""
    claims = row.claims or []
    return {
        "id": row.id,
        "kind": row.kind,
        "entity": row.entity,
        "record": row.record_id,
        "field": row.field,
        "systems": sorted({claim["system"] for claim in claims if "system" in claim}),
        "candidates": sorted({claim["record"] for claim in claims if "record" in claim}),
        "state": row.state,
        "answered": row.answer["kind"] if row.answer else None,
        "asked": row.asked,
        "at": utc(row.at),
    }


def _candidate(conn: Connection, claim: Mapping[str, Any]) -> dict[str, Any]:
    key = claim["key"]
    found = links.links_of(conn, [claim["record"]])[claim["record"]]
    return {
        "record": claim["record"],
        "shares": key[0] if isinstance(key, list) else key,
        "links": sorted(f"{link.system}:{link.external_id}" for link in found),
    }


def resolve(
    settings: Settings,
    number: int,
    *,
    choose: str | None = None,
    value: str | None = None,
    drop: bool = False,
    who: str = "",
    why: str | None = None,
) -> dict[str, Any]:
    """Answer the review of a field; the next cycle takes it up. Raises NotFound, BadInput and Rejected.

    The answer holds for the claims that the review shows now: when they move before it is taken up, it is asked again.
    """
    with at_desk(settings) as hub, hub.ledger.begin() as conn:
        return resolve_in(hub, conn, number, choose=choose, value=value, drop=drop, who=who, why=why)


def resolve_in(
    hub: Hub,
    conn: Connection,
    number: int,
    *,
    choose: str | None = None,
    value: str | None = None,
    drop: bool = False,
    who: str = "",
    why: str | None = None,
) -> dict[str, Any]:
    """The answer itself, in the caller's transaction. Raises as `resolve`."""
    row = _open_review(conn, number)
    if row.kind != "field":
        raise BadInput("this review is about who is who, not about a value")
    record = links.records_by_id(conn, [row.record_id])[row.record_id]
    claims = tuple(record.reviews.get(row.field, ()))
    if choose is not None:
        said = Answer(CHOOSE, claims, system=_claimant(choose, claims))
    elif value is not None:
        said = Answer(VALUE, claims, value=_read_value(hub, conn, record, row.field, value, claims))
    elif drop:
        said = Answer(LEAVE, claims)
    else:
        raise BadInput("an answer chooses a system, gives a value or drops the question")
    asks.answer(conn, number, said)
    asks.add_act(conn, f"resolve:{said.kind}", f"review:{number}", who=who, why=why, at=hub.now())
    links.mark_dirty(conn, [row.record_id])
    return {"review": number, "record": row.record_id, "field": row.field, "answered": said.kind}


def tell_apart_in(hub: Hub, conn: Connection, number: int, *, who: str = "", why: str | None = None) -> dict[str, Any]:
    """Note that the records of a question of identity are not one; the next cycle takes it up, and waits for nobody.

    Raises NotFound, Rejected, and BadInput for the review of a field.
    """
    row = _open_review(conn, number)
    if row.kind == "field":
        raise BadInput("this review is about a value, not about who is who")
    said = Answer(APART, ())
    asks.answer(conn, number, said)
    asks.add_act(conn, f"resolve:{said.kind}", f"review:{number}", who=who, why=why, at=hub.now())
    links.mark_dirty(conn, [row.record_id])
    return {"review": number, "record": row.record_id, "answered": said.kind}


def kind_of(settings: Settings, number: int) -> str:
    """field, twin or ambiguous. Raises NotFound and Rejected."""
    with at_desk(settings) as hub, hub.ledger.read() as conn:
        return str(_open_review(conn, number).kind)


def _open_review(conn: Connection, number: int) -> Any:
    row = asks.review(conn, number)
    if row is None:
        raise _no_review(number)
    if row.state != "open":
        raise Rejected(f"review {number} is closed ({row.state})", remedy="Nothing is left to do.")
    return row


def _no_review(number: int) -> NotFound:
    return NotFound(f"no review {number}", remedy="`sync-platform reviews` lists what waits.")


def _claimant(word: str, claims: tuple[Claim, ...]) -> System:
    there = {str(claim.system): claim.system for claim in claims}
    if word not in there:
        raise BadInput(f"{word} claims nothing here", remedy=f"Choose one of: {', '.join(sorted(there))}.")
    return there[word]


def _read_value(hub: Hub, conn: Connection, record: Record, field: str, text: str, claims: tuple[Claim, ...]) -> Json:
    """A canonical value from what a person typed; some system must be able to hold it as it is."""
    known = [claim.value for claim in claims] + [record.fields.get(field)]
    kinds = {type(value) for value in known if value is not None}
    value: Json = text
    if field == "customer" and record.entity is Entity.TICKET:
        value = find(conn, text, hub.region)
    elif str not in kinds:
        try:
            value = json.loads(text)
        except ValueError:
            raise BadInput(f"{field} is no text; write it as JSON", field=field) from None
    if value == "":
        value = None
    lexicons = hub.lexicons(conn, record.entity)
    for system, maps in hub.maps(record.entity).items():
        mapping = maps.get(field)
        if mapping is None or mapping.mode == "read" or field == "customer":
            continue
        try:
            if mapping.get(mapping.put(value, lexicons[system]), value, lexicons[system]) == value:
                return value
        except (Unmappable, BadInput, TypeError, ValueError, AttributeError):
            continue
    if field == "customer":
        return value
    raise BadInput(
        f"no system can hold this value of {field}",
        field=field,
        remedy="Write it in the platform's own form, as `reviews show ID --show-values` shows the others.",
    )


# --- parked -----------------------------------------------------------------------------------------------------


def parked(settings: Settings) -> dict[str, Any]:
    """The `parked` object: what was refused or cannot be read, with the system's words."""
    with at_desk(settings) as hub, hub.ledger.read() as conn:
        rows = asks.parked(conn, limit=SHOWN_MAX + 1)
        return {
            "open": len(rows[:SHOWN_MAX]),
            "parked": [mark_line(row) for row in rows[:SHOWN_MAX]],
            "truncated": len(rows) > SHOWN_MAX,
        }


def parked_mark(settings: Settings, number: int, *, show_values: bool = False) -> dict[str, Any]:
    """One mark with the answer that the system gave. Raises NotFound."""
    with at_desk(settings) as hub, hub.ledger.read() as conn:
        return mark_in(conn, number, show_values=show_values)


def mark_in(conn: Connection, number: int, *, show_values: bool = False) -> dict[str, Any]:
    """The same in the caller's transaction. Raises NotFound."""
    row = asks.parked_mark(conn, number)
    if row is None:
        raise _no_mark(number)
    told = mark_line(row) | {"answers": _answers(conn, row.intent_id)}
    if row.record_id is None:
        return told
    found = links.links_of(conn, [row.record_id])[row.record_id]
    told["links"] = sorted(f"{link.system}:{link.external_id}" for link in found)
    if show_values:
        told |= _values(conn, row)
    return told


def mark_line(row: Any) -> dict[str, Any]:
    """A mark without values, as lists show it."""
    return {
        "id": row.id,
        "system": row.system,
        "entity": row.entity,
        "record": row.record_id,
        "object": row.external_id,
        "field": row.field,
        "code": row.code,
        "words": row.words,
        "remedy": row.remedy,
        "state": "lifted" if row.lifted_at else "dropped" if row.dropped_at else "retry" if row.retry_at else "open",
        "at": utc(row.at),
    }


def _answers(conn: Connection, intent_id: int | None) -> list[dict[str, Any]]:
    if intent_id is None:
        return []
    rows = conn.execute(select(RECEIPT).where(RECEIPT.c.intent_id == intent_id).order_by(RECEIPT.c.id))
    return [
        {"outcome": r.outcome, "status": r.status, "code": r.code, "correlation": r.correlation, "at": utc(r.at)}
        for r in rows
    ]


def _values(conn: Connection, row: Any) -> dict[str, Any]:
    """What was sent, what we believe the system holds, and the record's own value."""
    record = links.records_by_id(conn, [row.record_id])[row.record_id]
    sent = conn.execute(select(INTENT.c.payload).where(INTENT.c.id == row.intent_id)).scalar_one_or_none()
    values = (sent or {}).get("values", {})
    link = next((one for one in links.links_of(conn, [row.record_id])[row.record_id] if one.system == row.system), None)
    shadow = link.cells[row.field].shadow if link is not None and row.field in link.cells else UNSET
    return {
        "sent": values if row.field == "*" else values.get(row.field),
        "held": None if shadow is UNSET else shadow,
        "value": record.fields if row.field == "*" else record.fields.get(row.field),
    }


def retry(settings: Settings, number: int, *, who: str = "", why: str | None = None) -> dict[str, Any]:
    """Lift a mark in the next cycle: the record is planned anew, and what is still owed is tried again."""
    return _act(settings, number, "retry", who, why)


def drop(settings: Settings, number: int, *, who: str = "", why: str | None = None) -> dict[str, Any]:
    """Give up: the value is left as it is over there until it moves on either side, and waits for nobody."""
    return _act(settings, number, "drop", who, why)


def _act(settings: Settings, number: int, verb: str, who: str, why: str | None) -> dict[str, Any]:
    with at_desk(settings) as hub, hub.ledger.begin() as conn:
        return act_in(hub, conn, number, verb, who=who, why=why)


def act_in(
    hub: Hub, conn: Connection, number: int, verb: str, *, who: str = "", why: str | None = None
) -> dict[str, Any]:
    """Retry or drop a mark, in the caller's transaction. Raises NotFound and Rejected."""
    row = asks.parked_mark(conn, number)
    if row is None:
        raise _no_mark(number)
    if row.lifted_at is not None:
        raise Rejected(f"mark {number} is lifted already", remedy="Nothing is left to do.")
    now = hub.now()
    asks.mark_parked(conn, number, **({"retry_at": now} if verb == "retry" else {"dropped_at": now}))
    asks.add_act(conn, verb, f"parked:{number}", who=who, why=why, at=now)
    if row.record_id is not None and verb == "retry":
        links.mark_dirty(conn, [row.record_id])
    return {"parked": number, "record": row.record_id, "field": row.field, "done": verb}


def _no_mark(number: int) -> NotFound:
    return NotFound(f"nothing is parked under {number}", remedy="`sync-platform parked` lists what waits.")
