"""What waits for a person, as pages of the desk show it: bounded lists by key, evidence side by side, with values.

Reads only, in the caller's transaction. Values of people are in what this gives: it is for those who may see them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, func, select

from sync_platform.core.records import SYSTEMS, UNSET, Json, Link, LinkState, Record, System
from sync_platform.errors import BadInput
from sync_platform.ledger import links
from sync_platform.ledger.journal import PARKED, REVIEW
from sync_platform.sync import acting, desk
from sync_platform.sync.cycle import utc
from sync_platform.sync.hub import Hub
from sync_platform.sync.undo import scenes_of

LINES = 50
TICKETS_COUNTED = 1000
# The field by which people call a record.
CALLED = ("name", "subject", "email", "customer_no")


def titles(conn: Connection, record_ids: Iterable[str | None]) -> dict[str, str]:
    """What people call records: a name, a subject, an address; the start of the id where they have none."""
    found = links.records_by_id(conn, sorted({one for one in record_ids if one}))
    return {key: title(record) for key, record in found.items()}


def title(record: Record) -> str:
    """What people call one record."""
    for name in CALLED:
        value = record.fields.get(name)
        if isinstance(value, Mapping):
            value = value.get("full") or " ".join(str(value[part]) for part in ("first", "last") if value.get(part))
        if isinstance(value, str) and value.strip():
            return value
    return f"{record.entity} {str(record.id)[:8]}"


# --- reviews ----------------------------------------------------------------------------------------------------


def reviews(conn: Connection, *, after: int | None = None, closed: bool = False) -> dict[str, Any]:
    """`lines` of reviews: open ones, oldest first, or closed ones, newest first; `next` is the key of the next page."""
    review = REVIEW.c
    asked = select(REVIEW).limit(LINES + 1)
    if closed:
        asked = asked.where(review.state != "open").order_by(review.id.desc())
        asked = asked if after is None else asked.where(review.id < after)
    else:
        asked = asked.where(review.state == "open").order_by(review.id)
        asked = asked if after is None else asked.where(review.id > after)
    rows = conn.execute(asked).all()
    return _lines(conn, [desk.review_line(row) | {"closed_at": utc(row.closed_at)} for row in rows])


def _lines(conn: Connection, lines: list[dict[str, Any]]) -> dict[str, Any]:
    shown = lines[:LINES]
    called = titles(conn, [one["record"] for one in shown])
    for one in shown:
        one["title"] = called.get(one["record"] or "", "")
    return {"lines": shown, "next": shown[-1]["id"] if len(lines) > LINES else None}


def review(hub: Hub, conn: Connection, number: int) -> dict[str, Any]:
    """One review with its evidence: of a field what each system holds, of identity the records. Raises NotFound."""
    told = desk.review_in(hub, conn, number, show_values=True)
    told |= {"seen": acting.review_seen(conn, number), "acts": acting.acts_on(conn, f"review:{number}")}
    if told["kind"] != "field":
        return told | _identity(conn, number, told)
    scene = scenes_of(hub, conn, [told["record"]]).get(told["record"])
    claims = {one["system"]: one for one in told["claims"]}
    sides = []
    for system in SYSTEMS:
        link = next((one for one in scene.links if one.system is system), None) if scene else None
        sides.append(_side(hub, link, system, told["field"], claims.get(str(system)), scene))
    return told | {"sides": sides, "title": title(scene.record) if scene else ""}


def _side(
    hub: Hub, link: Link | None, system: System, name: str, claim: Mapping[str, Any] | None, scene: Any
) -> dict[str, Any]:
    """What one system holds of a field, and what it claims, if it does."""
    side: dict[str, Any] = {"system": str(system), "claims": claim is not None, "state": "none", "id": None}
    side["moved"] = False
    if claim is not None:
        side |= {"state": "shown", "theirs": claim["theirs"], "value": claim["value"], "id": claim["id"]}
        side |= {"after": claim["after"], "until": claim["until"]}
    if link is None:
        return side
    side["id"] = link.external_id
    cell = link.cells.get(name)
    if claim is not None:
        # The answer goes by the claim; what the system shows by now is told beside it.
        side["moved"] = cell is not None and not cell.unread and cell.shadow != claim["theirs"]
        return side
    if name not in hub.maps(link.entity)[system]:
        return side | {"state": "unknown"}
    if cell is None or cell.unread:
        return side | {"state": "unread"}
    return side | {"state": "shown", "theirs": cell.shadow, "value": _canonical(scene, link, name, cell.shadow)}


def _canonical(scene: Any, link: Link, name: str, theirs: Json) -> Json:
    try:
        value = scene.get(link, name, theirs, scene.record.fields.get(name))
    except BadInput:
        return None
    return None if value is UNSET else value


def _identity(conn: Connection, number: int, told: Mapping[str, Any]) -> dict[str, Any]:
    """The records of which it is asked whether they are one: values side by side, objects, tickets."""
    shares: dict[str, list[str]] = {}
    for one in told["evidence"]:
        shares.setdefault(one["record"], []).append(str(one["shares"]))
    ids = [told["record"], *(one for one in shares if one != told["record"])]
    records = links.records_by_id(conn, ids)
    objects = links.links_of(conn, ids)
    sides = [
        {
            "record": key,
            "title": title(records[key]),
            "asked": key == told["record"],
            "shares": shares.get(key, []),
            "born_at": utc(records[key].born_at),
            "ended": records[key].tombstone is not None,
            "objects": _objects(objects.get(key, ())),
            "tickets": _tickets(conn, key),
        }
        for key in ids
        if key in records
    ]
    names = sorted({name for record in records.values() for name in record.fields})
    rows: list[dict[str, Any]] = []
    for name in names:
        values = [records[one["record"]].fields.get(name) for one in sides]
        rows.append({"field": name, "values": values, "differs": any(value != values[0] for value in values)})
    plans = acting.merge_plans(conn, number)
    return {"sides": sides, "fields": rows, "plans": plans, "title": sides[0]["title"] if sides else ""}


def _objects(found: Sequence[Link]) -> list[dict[str, str]]:
    ordered = sorted(found, key=lambda link: (SYSTEMS.index(link.system), link.external_id))
    return [{"system": str(one.system), "id": one.external_id, "state": str(one.state)} for one in ordered]


def _tickets(conn: Connection, record_id: str) -> int:
    """How many tickets a customer has, up to a thousand."""
    some = select(links.RECORD.c.id).where(links.RECORD.c.parent == record_id).limit(TICKETS_COUNTED).subquery()
    return int(conn.execute(select(func.count()).select_from(some)).scalar_one())


# --- parked -----------------------------------------------------------------------------------------------------


def parked(conn: Connection, *, after: int | None = None) -> dict[str, Any]:
    """`lines` of marks that wait, oldest first, with the system's own words; `next` is the key of the next page."""
    mark = PARKED.c
    asked = select(PARKED).where(mark.lifted_at.is_(None), mark.dropped_at.is_(None)).order_by(mark.id)
    rows = conn.execute((asked if after is None else asked.where(mark.id > after)).limit(LINES + 1)).all()
    return _lines(conn, [desk.mark_line(row) for row in rows])


def parked_mark(conn: Connection, number: int) -> dict[str, Any]:
    """One mark: what was sent, what the system holds, its answers. Raises NotFound."""
    told = desk.mark_in(conn, number, show_values=True)
    told |= {"seen": acting.mark_seen(conn, number), "acts": acting.acts_on(conn, f"parked:{number}")}
    told["title"] = titles(conn, [told["record"]]).get(told["record"] or "", "")
    found = links.links_of(conn, [told["record"]])[told["record"]] if told["record"] else []
    there = next((one for one in found if one.system == told["system"] and one.state is LinkState.ACTIVE), None)
    told["object"] = told["object"] or (there.external_id if there is not None else None)
    return told
