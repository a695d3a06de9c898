"""Why is this value here? Answered from decisions, observations, intents and receipts, and from nothing else."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select

from sync_platform.core import normalize
from sync_platform.core.records import LinkState
from sync_platform.errors import NotFound
from sync_platform.ledger import links
from sync_platform.ledger.database import Ledger
from sync_platform.ledger.journal import DECISION, OBSERVATION
from sync_platform.ledger.outbox import INTENT
from sync_platform.ledger.retention import checkpoint
from sync_platform.settings import Settings
from sync_platform.sync.cycle import utc
from sync_platform.sync.names import find


def why(settings: Settings, what: str, field: str | None = None) -> dict[str, Any] | list[dict[str, Any]]:
    """The story of one field (a dict) or of all fields (a list) of a record.

    `what` is a record id, `customer:<e-mail, phone or number>`, `ticket:<system>:<id>` or `customer:<system>:<id>`.
    Raises NotFound when nothing is known under that name.
    """
    ledger = Ledger.open(settings.ledger_url, migrate=False)
    try:
        with ledger.read() as conn:
            record_id = find(conn, what, settings.sync_phone_region)
            record = links.records_by_id(conn, [record_id])[record_id]
            names = [field] if field else sorted(record.decided)
            if field and field not in record.decided:
                raise NotFound(
                    f"no decision about the field {field} of this record",
                    remedy=f"Fields with a decision: {', '.join(sorted(record.decided))}.",
                )
            stories = [_story(conn, record_id, name, record.fields.get(name), record.decided[name]) for name in names]
    finally:
        ledger.close()
    return stories[0] if field else stories


def _story(conn: Connection, record_id: str, name: str, value: Any, number: int) -> dict[str, Any]:
    decision = conn.execute(select(DECISION).where(DECISION.c.id == number)).first()
    by_link = {link.id: link for link in links.links_of(conn, [record_id])[record_id]}
    winner = decision.winner if decision is not None else None
    claims = (decision.claims or []) if decision is not None else []
    lost = [
        {"system": claim["system"], "value": claim["value"], "at": _seen_at(conn, by_link, claim, name)}
        for claim in claims
        if winner is None or claim["link"] != winner["link"]
    ]
    return {
        "record": record_id,
        "field": name,
        "value": value,
        "from": _origin(conn, by_link, winner, name, value),
        "rule": decision.rule if decision is not None else None,
        "cause": decision.cause if decision is not None else None,
        "decision": number,
        "at": utc(decision.at) if decision is not None else None,
        "policy": decision.policy if decision is not None else None,
        "lost": lost,
        "written": _written(conn, record_id, name),
        "agrees": {
            str(link.system): link.cells[name].shadow == link.cells[name].held
            for link in by_link.values()
            if link.state is LinkState.ACTIVE and name in link.cells and not link.cells[name].unread
        },
        "history": _history(conn, record_id, name),
        "pruned_before": point.before if (point := checkpoint(conn)) else None,
    }


def _origin(conn: Connection, by_link: dict[int, Any], winner: Any, name: str, value: Any) -> dict[str, Any] | None:
    """The observation that brought the value; at birth, where nobody objected, the first that showed the field."""
    chosen = (
        [by_link[winner["link"]]]
        if winner and winner["link"] in by_link
        else sorted(by_link.values(), key=lambda link: link.id)
    )
    for link in chosen:
        rows = conn.execute(
            select(OBSERVATION.c.id, OBSERVATION.c.observed_at, OBSERVATION.c.fields, OBSERVATION.c.channel)
            .where(
                OBSERVATION.c.system == link.system,
                OBSERVATION.c.entity == link.entity,
                OBSERVATION.c.external_id == link.external_id,
            )
            .order_by(OBSERVATION.c.id.desc())
        )
        for row in rows:
            shown = row.fields or {}
            if name not in shown or row.channel == "answer":
                continue
            if winner is not None and shown[name] != winner["theirs"]:
                continue
            if winner is None and normalize.blank(shown[name]) and not normalize.blank(value):
                continue
            return {
                "system": str(link.system),
                "id": link.external_id,
                "observation": row.id,
                "at": utc(row.observed_at),
            }
    return None


def _seen_at(conn: Connection, by_link: dict[int, Any], claim: Any, name: str) -> str | None:
    link = by_link.get(claim["link"])
    if link is None:
        return None
    rows = conn.execute(
        select(OBSERVATION.c.observed_at, OBSERVATION.c.fields)
        .where(
            OBSERVATION.c.system == link.system,
            OBSERVATION.c.entity == link.entity,
            OBSERVATION.c.external_id == link.external_id,
        )
        .order_by(OBSERVATION.c.id.desc())
    )
    return next((utc(row.observed_at) for row in rows if (row.fields or {}).get(name) == claim["theirs"]), None)


def _written(conn: Connection, record_id: str, name: str) -> list[dict[str, Any]]:
    rows = conn.execute(
        select(INTENT.c.id, INTENT.c.system, INTENT.c.state, INTENT.c.payload, INTENT.c.settled_at, INTENT.c.created_at)
        .where(INTENT.c.record_id == record_id)
        .order_by(INTENT.c.id)
    )
    return [
        {"system": row.system, "intent": row.id, "state": row.state, "at": utc(row.settled_at or row.created_at)}
        for row in rows
        if name in (row.payload or {}).get("values", {})
    ]


def _history(conn: Connection, record_id: str, name: str) -> list[dict[str, Any]]:
    rows = conn.execute(
        select(DECISION.c.id, DECISION.c.rule, DECISION.c.value, DECISION.c.at, DECISION.c.cause, DECISION.c.winner)
        .where(DECISION.c.record_id == record_id, DECISION.c.field == name)
        .order_by(DECISION.c.id)
    )
    return [
        {
            "decision": row.id,
            "rule": row.rule,
            "cause": row.cause,
            "value": row.value,
            "system": row.winner["system"] if row.winner else None,
            "at": utc(row.at),
        }
        for row in rows
    ]
