"""What another policy would have decided over the recorded history: every judgement anew, and not one call."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select, tuple_

from sync_platform.core.policy import Policy, parse
from sync_platform.core.records import ENTITIES, UNSET, Claim, Entity, RecordId
from sync_platform.core.replay import KEPT, PERSON, Court, Judgement, Outcome, Row
from sync_platform.errors import Misconfigured
from sync_platform.ledger.journal import DECISION
from sync_platform.ledger.tables import VersionRow
from sync_platform.settings import Settings
from sync_platform.sync.cycle import utc
from sync_platform.sync.hub import Customers, Hub, Progress
from sync_platform.sync.offline import at_desk
from sync_platform.sync.policy_desk import read_policy

VERSION = VersionRow.__table__  # type: ignore[attr-defined]
PAGE = 2000
ITEMS_MAX = 1000


def diff(
    settings: Settings,
    file: Path,
    *,
    show_values: bool = False,
    items_max: int = ITEMS_MAX,
    progress: Callable[[Progress], None] | None = None,
) -> dict[str, Any]:
    """The `policy diff` object: counts are whole, items bounded. Raises Misconfigured and the ledger's errors."""
    other = read_policy(file)
    counts: Counter[str] = Counter()
    by: Counter[tuple[str, str, str, str]] = Counter()
    items: list[dict[str, Any]] = []
    with at_desk(settings, policy=other) as hub:
        if progress is not None:
            hub.progress = progress
        for judgement, at, would in _decided_again(hub, counts):
            was = judgement.was
            if was.like(would):
                counts["same"] += 1
                counts["same_by_another_rule"] += was.rule != would.rule
                continue
            counts["differ"] += 1
            by[str(judgement.entity), judgement.field, was.rule, would.rule] += 1
            if len(items) < items_max:
                items.append(_item(judgement, at, was, would, show_values=show_values))
    return {
        "policy": other.hash,
        "decisions": counts["decisions"],
        "judged_again": counts["same"] + counts["differ"],
        "not_by_policy": counts["not_by_policy"],
        "differ": counts["differ"],
        "same_by_another_rule": counts["same_by_another_rule"],
        "by": [
            {"entity": entity, "field": field, "was": was, "would": would, "count": count}
            for (entity, field, was, would), count in sorted(by.items())
        ],
        "items": items,
        "items_truncated": counts["differ"] > len(items),
    }


def _item(judgement: Judgement, at: Any, was: Outcome, would: Outcome, *, show_values: bool) -> dict[str, Any]:
    def told(one: Outcome) -> dict[str, Any]:
        fact: dict[str, Any] = {"kind": one.kind, "rule": one.rule, "system": str(one.system) if one.system else None}
        if show_values and one.kind != PERSON:
            fact["value"] = None if one.value is UNSET else one.value
        return fact

    return {
        "record": str(judgement.record_id),
        "entity": str(judgement.entity),
        "field": judgement.field,
        "decision": judgement.by_policy[-1].number,
        "at": utc(at),
        "was": told(was),
        "would": told(would),
    }


def _decided_again(hub: Hub, counts: Counter[str]) -> Iterator[tuple[Judgement, Any, Outcome]]:
    """Judgement, its time, and what the hub's policy says of it, in order of records and fields."""
    courts = _Courts(hub)
    for (record_id, name), rows in groupby(_rows(hub, counts), key=lambda row: (row.record_id, row.field)):
        waits = False
        for at, of_one in groupby(rows, key=lambda row: row.at):
            found = list(of_one)
            entity = Entity(found[0].entity)
            judgement = Judgement(RecordId(record_id), entity, name, [_row(row) for row in found])
            if not judgement.by_policy:
                counts["not_by_policy"] += 1
                waits = waits and judgement.rows[-1].cause != "person"
                continue
            would = courts.of(judgement).decide(judgement, waits=waits)
            waits = would.kind == PERSON or (waits and would.kind == KEPT)
            yield judgement, at, would


def _rows(hub: Hub, counts: Counter[str]) -> Iterator[Any]:
    """Decisions about single fields, a page at a time, by the index of records and fields."""
    position = (DECISION.c.record_id, DECISION.c.field, DECISION.c.id)
    after: tuple[str, str, int] = ("", "", 0)
    while True:
        with hub.ledger.read() as conn:
            statement = select(DECISION).where(tuple_(*position) > tuple_(*after)).order_by(*position).limit(PAGE)
            page = list(conn.execute(statement))
        for row in page:
            counts["decisions"] += 1
            if row.field != "*":
                yield row
        hub.tell("policy diff", rows=counts["decisions"])
        if len(page) < PAGE:
            return
        after = (page[-1].record_id, page[-1].field, page[-1].id)


def _row(row: Any) -> Row:
    return Row(
        number=row.id,
        rule=row.rule,
        cause=row.cause,
        value=row.value,
        replaced=row.replaced,
        winner=Claim.load(row.winner) if row.winner else None,
        claims=tuple(Claim.load(raw) for raw in row.claims or ()),
        policy=row.policy,
    )


class _Courts:
    """Courts by the policy of the day, made once; tickets' customers are looked up where a claim names one."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._moved: dict[tuple[str, Entity], frozenset[str]] = {}
        self._maps = {entity: hub.maps(entity) for entity in ENTITIES}
        self._lexicons = {e: {s: hub.lexicon(s, e) for s in hub.policy.entities[e].systems} for e in ENTITIES}

    def of(self, judgement: Judgement) -> Court:
        """The court for one judgement."""
        entity = judgement.entity
        lexicons = self._lexicons[entity]
        with self._hub.ledger.read() as conn:
            if entity is Entity.TICKET and judgement.field == "customer":
                lexicons = self._hub.lexicons(conn, entity, _customers(judgement))
            moved = self._words_moved(conn, judgement.by_policy[-1].policy, entity)
        return Court(self._hub.policy.entities[entity], self._maps[entity], lexicons, moved)

    def _words_moved(self, conn: Connection, policy: str, entity: Entity) -> frozenset[str]:
        if (policy, entity) not in self._moved:
            body = conn.execute(select(VERSION.c.body).where(VERSION.c.hash == policy)).scalar_one_or_none()
            self._moved[policy, entity] = _differing(body, self._hub.policy, entity)
        return self._moved[policy, entity]


def _differing(body: str | None, other: Policy, entity: Entity) -> frozenset[str]:
    """Fields whose table of words differs; a policy that is not kept or not read any more says nothing."""
    try:
        then = parse(body or "").vocabulary.get(entity, {})
    except Misconfigured:
        return frozenset()
    now = other.vocabulary.get(entity, {})
    return frozenset(name for name in now if then.get(name) != now[name])


def _customers(judgement: Judgement) -> Customers:
    wanted = Customers()
    for claim in judgement.claims():
        wanted.refer(claim.system, claim.theirs)
        if claim.value:
            wanted.records.add(str(claim.value))
    return wanted
