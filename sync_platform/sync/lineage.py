"""Everything that the ledger knows about one record, gathered in a bounded number of statements.

However many fields and however long the history: of each kind the newest rows are read, and the decisions that set the
present values. What tells a field's story from it is `why`; what a moment in the past looked like, `as_of`.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, select, union_all
from sqlalchemy import Table as SaTable

from sync_platform.core.plan import Facts, Planned, plan
from sync_platform.core.policy import Policy, parse
from sync_platform.core.records import Entity, Json, Link, LinkState, Record, System
from sync_platform.core.scene import Scene
from sync_platform.errors import Misconfigured, NotFound
from sync_platform.ledger import holds, links
from sync_platform.ledger.acts import ACT
from sync_platform.ledger.journal import DECISION, OBSERVATION, PARKED, RECEIPT, REVIEW, VERSION
from sync_platform.ledger.outbox import INTENT
from sync_platform.ledger.retention import Checkpoint, checkpoint
from sync_platform.sync.hub import Hub
from sync_platform.sync.reconcile import customers_of

HISTORY_MAX = 500
OBSERVATIONS_MAX = 500
INTENTS_MAX = 200
# A chain of merges longer than this was never seen; it ends a circle that nothing should have made.
CHAIN_MAX = 20
MERGED = "merged"
Object = tuple[str, str, str]


@dataclass(slots=True)
class Story:
    """One record with its rows, newest first in each list. `asked` is the id that was asked for: another one than the
    record's where that was merged into it. `cut` names the lists of which older rows were left out."""

    asked: str
    scene: Scene
    links: list[Link]
    decisions: list[Any]
    observations: dict[Object, list[Any]]
    intents: list[Any]
    receipts: dict[int, list[Any]]
    parked: list[Any]
    reviews: list[Any]
    acts: list[Any]
    held: frozenset[tuple[str, str]]
    pruned: Checkpoint | None
    policies: Mapping[str, Policy | None]
    planned: Planned
    cut: frozenset[str] = frozenset()
    by_number: dict[int, Any] = field(default_factory=dict)

    @property
    def record(self) -> Record:
        """The record as it is now."""
        return self.scene.record

    def link(self, number: int | None) -> Link | None:
        """A link of any state by our own number; None for one that belongs to no or to another record now."""
        return next((one for one in self.links if one.id == number), None)

    def shown(self, link: Link) -> list[Any]:
        """What was seen of a link's object, newest first."""
        return self.observations.get((str(link.system), str(link.entity), link.external_id), [])


def gather(hub: Hub, conn: Connection, record_id: str) -> Story:
    """The story of a record, or of the one that it was merged into. Raises NotFound."""
    record = survivor(conn, record_id)
    found = links.links_of(conn, [str(record.id)])[str(record.id)]
    scene = _scene(hub, conn, record, found)
    decisions, cut_decisions = _decisions(conn, record)
    observations, cut_observations = _observations(conn, found)
    intents = _newest(conn, INTENT, INTENT.c.record_id == str(record.id), INTENTS_MAX)
    parked = list(
        conn.execute(select(PARKED).where(PARKED.c.record_id == str(record.id), PARKED.c.lifted_at.is_(None)))
    )
    reviews = list(
        conn.execute(select(REVIEW).where(REVIEW.c.record_id == str(record.id)).order_by(REVIEW.c.id.desc()))
    )
    held = {
        (one.key.system, one.key.field) for one in holds.items_of(conn, [str(record.id)]) if one.state == holds.HELD
    }
    cut = {"decisions": cut_decisions, "observations": cut_observations, "writes": len(intents) > INTENTS_MAX}
    return Story(
        asked=record_id,
        scene=scene,
        links=found,
        decisions=decisions,
        observations=observations,
        intents=intents[:INTENTS_MAX],
        receipts=_receipts(conn, [row.id for row in intents]),
        parked=parked,
        reviews=reviews,
        acts=_acts(conn, record, reviews, parked),
        held=frozenset(held),
        pruned=checkpoint(conn),
        planned=_planned(scene, found, parked),
        policies=policies_of(conn, hub.policy, {row.policy for row in decisions}),
        cut=frozenset(name for name, is_cut in cut.items() if is_cut),
        by_number={row.id: row for row in decisions},
    )


def survivor(conn: Connection, record_id: str) -> Record:
    """The record of this id, or the one that it was merged into. Raises NotFound."""
    wanted = record_id
    for _ in range(CHAIN_MAX):
        record = links.records_by_id(conn, [wanted]).get(wanted)
        if record is None:
            break
        into = (record.tombstone or {}).get("into")
        if not into or into == wanted:
            return record
        wanted = str(into)
    raise NotFound(
        "no record has this id", remedy="It was never here, or belonged to somebody who was forgotten: search for it."
    )


# --- parts ------------------------------------------------------------------------------------------------------


def _scene(hub: Hub, conn: Connection, record: Record, found: Sequence[Link]) -> Scene:
    active = [link for link in found if link.state is LinkState.ACTIVE]
    customers = customers_of([record], {str(record.id): active}) if record.entity is Entity.TICKET else None
    lexicons = hub.lexicons(conn, record.entity, customers)
    return Scene(record, active, hub.policy.entities[record.entity], hub.maps(record.entity), lexicons, 0)


def _planned(scene: Scene, found: Sequence[Link], parked: Iterable[Any]) -> Planned:
    """What the next plan would write to the links that are there; creates need more facts than these."""
    marks = {(System(row.system), row.field): row.hash for row in parked}
    return plan(scene, Facts(ever_linked=set(System), parked=marks, unsettled={o.system for o in found if o.unsettled}))


def _decisions(conn: Connection, record: Record) -> tuple[list[Any], bool]:
    """The newest, and those that set what stands now."""
    newest = _newest(conn, DECISION, DECISION.c.record_id == str(record.id), HISTORY_MAX)
    cut = len(newest) > HISTORY_MAX
    there = {row.id for row in newest}
    older = sorted({number for number in record.decided.values() if number not in there})
    rows = conn.execute(select(DECISION).where(DECISION.c.id.in_(older))).all() if older else []
    return sorted([*newest[:HISTORY_MAX], *rows], key=lambda row: -row.id), cut


def _newest(conn: Connection, table: SaTable, where: Any, limit: int) -> list[Any]:
    return list(conn.execute(select(table).where(where).order_by(table.c.id.desc()).limit(limit + 1)))


def _observations(conn: Connection, found: Iterable[Link]) -> tuple[dict[Object, list[Any]], bool]:
    """Of every object its newest showings, in one statement, each by its own walk along the index."""
    objects = [(str(link.system), str(link.entity), link.external_id) for link in found]
    out: dict[Object, list[Any]] = {one: [] for one in objects}
    for row in seen_of(conn, objects, OBSERVATIONS_MAX + 1):
        out[row.system, row.entity, row.external_id].append(row)
    return out, any(len(rows) > OBSERVATIONS_MAX for rows in out.values())


def seen_of(conn: Connection, objects: Collection[Object], limit: int, until: datetime | None = None) -> list[Any]:
    """What was seen of each of these objects: the newest `limit`, up to a moment; newest first."""
    parts = []
    for system, entity, external_id in objects:
        where = [
            OBSERVATION.c.system == system,
            OBSERVATION.c.entity == entity,
            OBSERVATION.c.external_id == external_id,
        ]
        if until is not None:
            where.append(OBSERVATION.c.observed_at <= until)
        part = select(OBSERVATION).where(*where).order_by(OBSERVATION.c.id.desc()).limit(limit).subquery()
        parts.append(select(part))
    if not parts:
        return []
    return sorted(conn.execute(union_all(*parts)).all(), key=lambda row: -row.id)


def _receipts(conn: Connection, intents: Sequence[int]) -> dict[int, list[Any]]:
    """Answers by intent, oldest first."""
    out: dict[int, list[Any]] = {}
    if intents:
        for row in conn.execute(select(RECEIPT).where(RECEIPT.c.intent_id.in_(intents)).order_by(RECEIPT.c.id)):
            out.setdefault(row.intent_id, []).append(row)
    return out


def _acts(conn: Connection, record: Record, reviews: Iterable[Any], parked: Iterable[Any]) -> list[Any]:
    subjects = [
        f"record {record.id}",
        *(f"review:{row.id}" for row in reviews),
        *(f"parked:{row.id}" for row in parked),
    ]
    return list(conn.execute(select(ACT).where(ACT.c.subject.in_(subjects)).order_by(ACT.c.id.desc())))


# --- policies ---------------------------------------------------------------------------------------------------


def policies_of(conn: Connection, present: Policy, wanted: Collection[str]) -> dict[str, Policy | None]:
    """Policies by hash, as they were kept; None for one that is not kept or that nobody can read any more."""
    out: dict[str, Policy | None] = {present.hash: present}
    older = sorted(set(wanted) - set(out))
    if older:
        for row in conn.execute(select(VERSION.c.hash, VERSION.c.body).where(VERSION.c.hash.in_(older))):
            out[row.hash] = _parsed(row.body)
    return out


@lru_cache(maxsize=32)
def _parsed(body: str) -> Policy | None:
    try:
        return parse(body)
    except Misconfigured:
        return None


def spelt(value: Json) -> str:
    """One text for equal values."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


__all__ = ["MERGED", "Object", "Story", "gather", "policies_of", "seen_of", "spelt", "survivor"]
