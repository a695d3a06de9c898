"""Single rows of the ledger as people open them: what was seen, decided, written and answered, each with its record."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select

from sync_platform.core.policy_words import rules_in_words
from sync_platform.core.records import Entity
from sync_platform.errors import NotFound
from sync_platform.ledger.journal import DECISION, OBSERVATION, RECEIPT
from sync_platform.ledger.links import LINK
from sync_platform.ledger.outbox import INTENT
from sync_platform.sync.cycle import utc
from sync_platform.sync.hub import Hub
from sync_platform.sync.lineage import policies_of

_GONE = "It never was, or `prune` took it away, or it belonged to somebody who was forgotten."


def observation(conn: Connection, number: int) -> dict[str, Any]:
    """What was seen of one object at one moment. Raises NotFound."""
    row = conn.execute(select(OBSERVATION).where(OBSERVATION.c.id == number)).first()
    if row is None:
        raise NotFound(f"there is no observation {number}", remedy=_GONE)
    of = LINK.c
    here = (of.system == row.system, of.entity == row.entity, of.external_id == row.external_id)
    record = conn.execute(select(of.record_id).where(*here)).scalar_one_or_none()
    return {
        "number": row.id,
        "record": record,
        "entity": row.entity,
        "system": row.system,
        "id": row.external_id,
        "channel": row.channel,
        "at": utc(row.observed_at),
        "stamp": utc(row.source_stamp),
        "version": row.row_version,
        "mapping": row.mapping_version,
        "taken": row.taken,
        "evidence": row.evidence,
        "fields": dict(sorted((row.fields or {}).items())),
        "run": row.run,
    }


def decision(hub: Hub, conn: Connection, number: int) -> dict[str, Any]:
    """One decision with all its claims. Raises NotFound."""
    row = conn.execute(select(DECISION).where(DECISION.c.id == number)).first()
    if row is None:
        raise NotFound(f"there is no decision {number}", remedy=_GONE)
    policy = policies_of(conn, hub.policy, {row.policy}).get(row.policy)
    field = policy.entities[Entity(row.entity)].fields.get(row.field) if policy is not None else None
    numbers = sorted({claim["link"] for claim in row.claims or ()})
    held = conn.execute(select(LINK.c.id, LINK.c.external_id).where(LINK.c.id.in_(numbers)))
    ids = {one.id: one.external_id for one in held}
    winner = row.winner["link"] if row.winner else None
    return {
        "number": row.id,
        "record": row.record_id,
        "entity": row.entity,
        "field": row.field,
        "value": row.value,
        "replaced": row.replaced,
        "rule": row.rule,
        "cause": row.cause,
        "at": utc(row.at),
        "policy": row.policy,
        "rules": rules_in_words(field.rules) if field is not None else None,
        "run": row.run,
        "claims": [
            {**claim, "id": ids.get(claim["link"]), "won": claim["link"] == winner} for claim in row.claims or ()
        ],
    }


def intent(conn: Connection, number: int) -> dict[str, Any]:
    """One write with its answers. Raises NotFound."""
    row = conn.execute(select(INTENT).where(INTENT.c.id == number)).first()
    if row is None:
        raise NotFound(f"there is no write {number}", remedy="A planned write is replaced by the next plan. " + _GONE)
    values = (row.payload or {}).get("values", {})
    answers = conn.execute(select(RECEIPT).where(RECEIPT.c.intent_id == number).order_by(RECEIPT.c.id)).all()
    external = conn.execute(select(LINK.c.external_id).where(LINK.c.id == row.link_id)).scalar_one_or_none()
    return {
        "number": row.id,
        "record": row.record_id,
        "entity": row.entity,
        "system": row.system,
        "id": external,
        "verb": row.verb,
        "state": row.state,
        "lane": row.lane,
        "tries": row.tries,
        "planned_at": utc(row.created_at),
        "due_at": utc(row.due_at),
        "sent_at": utc(row.sent_at),
        "settled_at": utc(row.settled_at),
        "run": row.run,
        "fields": [
            {"field": name, "was": (row.pre or {}).get(name), "value": values[name],
             "decision": (row.numbers or {}).get(name) or None}
            for name in sorted(values)
        ],
        "receipts": [
            {
                "number": one.id,
                "outcome": one.outcome,
                "status": one.status,
                "code": one.code,
                "correlation": one.correlation,
                "words": one.words,
                "fields": one.fields or [],
                "at": utc(one.at),
            }
            for one in answers
        ],
    }  # fmt: skip
