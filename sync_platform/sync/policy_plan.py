"""A changed policy as a plan: what would be written if every record were held against it, for a person to approve.

A policy that is put in force settles nothing again by itself: a record meets it when something about the record
changes. The plan says what the rest would mean, field by field, without a call; approved, once that policy is in force,
each field is one decision with this cause, and exactly the payloads that the plan names pass the brake.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select

from sync_platform.core.merge import merge
from sync_platform.core.plan import Facts, plan
from sync_platform.core.policy import Policy
from sync_platform.core.records import SYSTEMS, PlannedWrite, Verb, payload_hash
from sync_platform.core.scene import Scene
from sync_platform.ledger import acts, holds, journal, links
from sync_platform.ledger.database import in_chunks
from sync_platform.sync import plans
from sync_platform.sync.hub import Hub
from sync_platform.sync.plans import Item, Refusal
from sync_platform.sync.undo import WHOLE, pass_of, scenes_of, store

SOURCE = "policy"
CHUNK = 300


def draft(hub: Hub, present: Policy, *, who: str, why: str | None = None) -> dict[str, Any]:
    """Open the plan for the hub's policy, against the one in force; as commands show it. Asks no system.

    Objects that would be created are not in it: a new rule of creation is shown by `sync-platform plan`.
    """
    other = hub.policy
    items = list(_items(hub, present))
    with hub.ledger.begin() as conn:
        journal.keep_version(conn, "policy", other.hash, other.text, hub.now())
        acts.add(conn, "plan", f"policy:{other.hash}", who=who, why=why, at=hub.now())
        return plans.open_plan(
            conn, source=SOURCE, items=items, reason=f"policy {other.hash[:12]}", policy=other.hash, at=hub.now()
        )


def _items(hub: Hub, present: Policy) -> Iterator[Item]:
    """What is owed under the other policy and not under the present one, in order of records."""
    today = Hub(hub.ledger, {}, present, hub.run, region=hub.region, directories=hub.directories)
    after, seen = "", 0
    while True:
        with hub.ledger.read() as conn:
            ids = _page(conn, after)
            if not ids:
                return
            before = {key: owed(scene) for key, scene in scenes_of(today, conn, ids).items()}
            found = scenes_of(hub, conn, ids)
        after, seen = ids[-1], seen + len(ids)
        hub.tell("policy plan", rows=seen)
        for key in sorted(found):
            known = {(write.system, name): payload_hash(v) for write in before[key] for name, v in write.values.items()}
            for write in owed(found[key]):
                item = _item(found[key], write, known)
                if item is not None:
                    yield item


def _page(conn: Connection, after: str) -> list[str]:
    record = links.RECORD.c
    rows = select(record.id).where(record.id > after, record.settled, record.tombstone.is_(None))
    return list(conn.execute(rows.order_by(record.id).limit(CHUNK)).scalars())


def owed(scene: Scene) -> list[PlannedWrite]:
    """What this policy owes: worked out by the rules themselves, on a copy."""
    rehearsed = copy.deepcopy(scene)
    merge(rehearsed)
    return [one for one in plan(rehearsed, Facts(ever_linked=set(SYSTEMS))).writes if one.verb is Verb.UPDATE]


def _item(scene: Scene, write: PlannedWrite, known: Mapping[Any, str]) -> Item | None:
    """One write of the plan: the fields that are owed because of the other policy alone."""
    link = next(one for one in scene.links if one.system is write.system)
    payload = {
        name: digest
        for name, value in write.values.items()
        if known.get((write.system, name)) != (digest := payload_hash(value))
    }
    if not payload:
        return None
    return Item(
        record=str(write.record_id),
        entity=str(write.entity),
        system=str(write.system),
        verb=str(write.verb),
        fields=tuple(sorted(payload)),
        pre={name: payload_hash(link.cells[name].shadow) for name in payload},
        payload=payload,
        reason="the policy says it otherwise",
    )


# --- carrying out -----------------------------------------------------------------------------------------------


def carry(hub: Hub, conn: Connection, plan_id: str, items: Sequence[Item]) -> list[Refusal]:
    """Decide each field of an approved change of policy once, and let exactly its payloads through the brake."""
    in_force = (
        conn.execute(select(plans.PLAN.c.policy).where(plans.PLAN.c.id == plan_id)).scalar_one() == hub.policy.hash
    )
    if not in_force:
        reason = "another policy is in force: set SYNC_POLICY first, then plan again"
        return [Refusal(item.record, WHOLE, reason) for item in items]
    by_record: dict[str, list[Item]] = {}
    for item in items:
        by_record.setdefault(item.record, []).append(item)
    refused: list[Refusal] = []
    for chunk in in_chunks(sorted(by_record), CHUNK):
        number = journal.next_decision(conn)
        scenes = scenes_of(hub, conn, chunk)
        passes: list[holds.Item] = []
        for record in chunk:
            scene = scenes.get(record)
            if scene is None or scene.record.tombstone:
                refused.append(Refusal(record, WHOLE, "the record is gone"))
                continue
            scene.next_number = number
            refused += _decide(plan_id, scene, by_record[record], passes)
            number = scene.next_number
        store(hub, conn, scenes, passes)
    return refused


def _decide(plan_id: str, scene: Scene, items: Sequence[Item], passes: list[holds.Item]) -> list[Refusal]:
    """One decision for each field whose writes are still those of the plan."""
    now = {(str(one.system), name): payload_hash(v) for one in owed(scene) for name, v in one.values.items()}
    shown = {str(link.system): link for link in scene.links}
    refused: list[Refusal] = []
    for name in sorted({name for item in items for name in item.fields}):
        of = [item for item in items if name in item.fields]
        moved = [
            item.system
            for item in of
            if (link := shown.get(item.system)) is None
            or name not in link.cells
            or payload_hash(link.cells[name].shadow) != item.pre[name]
            or now.get((item.system, name)) != item.payload[name]
        ]
        if moved:
            reason = f"another value would be written to {', '.join(moved)} now"
            refused.append(Refusal(str(scene.record.id), name, reason))
            continue
        value = scene.record.fields.get(name)
        number = scene.add(name, value, SOURCE, replaced=value, cause=SOURCE)
        scene.decided(name, value, number)
        passes += [pass_of(plan_id, item, name) for item in of]
    return refused


plans.CARRIERS[SOURCE] = carry
