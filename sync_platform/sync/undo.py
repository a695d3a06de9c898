"""Undo: a plan that gives fields back what they held before a run, or before one decision, on every side.

Only what nobody touched since is restored: a field that was decided again, or that a system shows otherwise, stays. The
values are read from the decisions themselves when the plan is carried out. What we created is taken away again where
nobody edited it there (`unmake`); what people made is never.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, func, select

from sync_platform.connectors.protocol import Directory
from sync_platform.core.policy import Policy
from sync_platform.core.records import (
    NUMBER_MAX,
    SYSTEMS,
    UNSET,
    Entity,
    Json,
    Link,
    LinkState,
    Record,
    System,
    Verb,
    payload_hash,
)
from sync_platform.core.scene import Scene, same
from sync_platform.errors import NotFound
from sync_platform.ledger import acts, directory, holds, journal, links
from sync_platform.ledger.database import Ledger, in_chunks
from sync_platform.ledger.holds import INTENTS, Key
from sync_platform.ledger.journal import DECISION
from sync_platform.ledger.scrub import lost_words
from sync_platform.ledger.spans import decided_in
from sync_platform.ledger.tables import RunRow
from sync_platform.settings import Settings
from sync_platform.sync import plans, unmake
from sync_platform.sync.hub import Hub
from sync_platform.sync.names import find
from sync_platform.sync.plans import Item, Refusal
from sync_platform.sync.reconcile import customers_of

RUN = RunRow.__table__  # type: ignore[attr-defined]
SOURCE = "undo"
WHOLE = "*"
CHUNK = 300
DIRECTORY_AGE_S = float("inf")


def undo(settings: Settings, what: str, policy: Policy, *, who: str, why: str | None = None) -> dict[str, Any]:
    """Open a plan that undoes a run, a decision (its number), or what the last run decided about a record.

    Asks no system. Raises NotFound for a name that nobody knows.
    """
    ledger = Ledger.open(settings.ledger_url, migrate=False)
    try:
        directories = {s: Directory(**body) for s in SYSTEMS if (body := directory.load(ledger, s, DIRECTORY_AGE_S))}
        hub = Hub(
            ledger, {}, policy, "undo", region=settings.sync_phone_region, directories=directories, heeds_pause=False
        )
        with ledger.begin() as conn:
            return draft(hub, conn, what, who=who, why=why)
    finally:
        ledger.close()


def draft(hub: Hub, conn: Connection, what: str, *, who: str, why: str | None = None) -> dict[str, Any]:
    """The plan itself, in the caller's transaction; the open one, where the same was asked before."""
    reason, rows, run = _decisions(hub, conn, what)
    born = {row.record_id for row in rows if row.field == WHOLE and row.rule == "birth"}
    of = rows[0].record_id if reason.startswith("record ") and rows else None
    found = unmake.made(hub, conn, run=run, born=born, of=of)
    gone = {link.id for of_record in found.may_go.values() for link in of_record}
    items, skipped = _items(hub, conn, rows, gone)
    items, skipped = [*unmake.items_of(found), *items], [*found.stays, *skipped]
    acts.add(conn, SOURCE, reason, who=who, why=why, at=hub.now())
    reason = f"undo of {reason}"
    if (asked := plans.standing(conn, SOURCE, reason, hub.policy.hash, items)) is not None:
        return asked
    return plans.open_plan(
        conn,
        source=SOURCE,
        items=items,
        reason=reason,
        policy=hub.policy.hash,
        at=hub.now(),
        skipped=skipped,
        name=hub.new_id(),
    )


def _decisions(hub: Hub, conn: Connection, what: str) -> tuple[str, Sequence[Any], str | None]:
    """What is meant, its decisions, oldest first, and the run whose creates are meant as well."""
    every = select(DECISION).order_by(DECISION.c.id)
    if what.isdecimal():
        rows = conn.execute(every.where(DECISION.c.id == int(what))).all() if int(what) <= NUMBER_MAX else ()
        if not rows:
            raise NotFound("no decision has this number", remedy="`sync-platform why` names decisions.")
        return f"decision {what}", rows, None
    if conn.execute(select(RUN.c.id).where(RUN.c.id == what)).first() is not None:
        return f"run {what}", conn.execute(every.where(decided_in(conn, what))).all(), what
    record = find(conn, what, hub.region)
    last = select(func.max(DECISION.c.id)).where(DECISION.c.record_id == record)
    run = conn.execute(select(DECISION.c.run).where(DECISION.c.id == last.scalar_subquery())).scalar_one_or_none()
    rows = conn.execute(every.where(DECISION.c.record_id == record, DECISION.c.run == run)).all()
    return f"record {record}", rows, run


# --- drafting ---------------------------------------------------------------------------------------------------


def _items(hub: Hub, conn: Connection, rows: Sequence[Any], gone: Collection[int]) -> tuple[list[Item], list[Refusal]]:
    fields: dict[str, dict[str, list[Any]]] = {}
    for row in rows:
        fields.setdefault(row.record_id, {}).setdefault(row.field, []).append(row)
    items: list[Item] = []
    skipped: list[Refusal] = []
    for chunk in in_chunks(sorted(fields), CHUNK):
        for scene in scenes_of(hub, conn, chunk).values():
            _items_of(scene, fields[str(scene.record.id)], gone, items, skipped)
    return items, skipped


def _items_of(
    scene: Scene,
    fields: Mapping[str, Sequence[Any]],
    gone: Collection[int],
    items: list[Item],
    skipped: list[Refusal],
) -> None:
    """Fields of one record; what is in `gone` is taken away as a whole."""
    record = str(scene.record.id)
    by_system: dict[System, dict[str, tuple[str, str]]] = {}
    facts: dict[str, dict[str, int]] = {}
    for name, decided in fields.items():
        first, last = decided[0], decided[-1]
        if name == WHOLE:
            if first.rule == "birth":
                skipped.append(Refusal(record, name, "it was new: what people made of it stays"))
            continue
        if first.cause == "birth":
            continue
        if same(first.replaced, scene.record.fields.get(name)):
            continue
        reason = _moved(scene, name, last.id) or _nothing_to_restore(scene, name, first.replaced)
        if reason is not None:
            skipped.append(Refusal(record, name, reason))
            continue
        facts[name] = {"restores": first.id, "decided": last.id}
        for link in (one for one in scene.links if one.id not in gone):
            image = _image(scene, link, name, first.replaced)
            if image is not UNSET:
                hashes = (payload_hash(link.cells[name].shadow), payload_hash(image))
                by_system.setdefault(link.system, {})[name] = hashes
    for system, found in by_system.items():
        items.append(
            Item(
                record=record,
                entity=str(scene.record.entity),
                system=str(system),
                verb=str(Verb.UPDATE),
                fields=tuple(sorted(found)),
                pre={name: pre for name, (pre, _) in found.items()},
                payload={name: payload for name, (_, payload) in found.items()},
                reason="restores what it held before",
                facts={name: facts[name] for name in found},
            )
        )


def _moved(scene: Scene, name: str, number: int) -> str | None:
    """Why a field is not restored: somebody touched it since."""
    record = scene.record
    if record.decided.get(name) != number:
        return "decided again since"
    if name in record.reviews:
        return "in review"
    for link in scene.links:
        cell = link.cells.get(name)
        if cell is not None and cell.changed:
            return f"edited in {link.system} since"
        if link.unsettled:
            return f"a write to {link.system} is under way"
    return None


def _nothing_to_restore(scene: Scene, name: str, value: Json) -> str | None:
    if lost_words(value):
        return "what it held before was erased"
    # A ticket of nobody is none that any helpdesk keeps, and no erasure of its customer would find it.
    if value is None and scene.kind(name) == "reference":
        return f"it had no {name} before, and keeps the one it has"
    return None


def _image(scene: Scene, link: Link, name: str, value: Json) -> Json:
    """What this system would be sent for a field to hold `value`; UNSET where nothing is to be written."""
    mapping = scene.field_map(link, name)
    cell = link.cells.get(name)
    if mapping is None or mapping.mode != "both" or cell is None or cell.unread:
        return UNSET
    if scene.accounts_for(value, link.system, name, cell.shadow):
        return UNSET
    return scene.put(link, name, value)


def scenes_of(hub: Hub, conn: Connection, record_ids: Sequence[str]) -> dict[str, Scene]:
    """Records with their active links, as the hub's policy sees them."""
    records = links.records_by_id(conn, record_ids)
    found = links.links_of(conn, sorted(records))
    active = {key: [link for link in of if link.state is LinkState.ACTIVE] for key, of in found.items()}
    out: dict[str, Scene] = {}
    for entity in Entity:
        of: list[Record] = [record for record in records.values() if record.entity is entity]
        if not of:
            continue
        customers = customers_of(of, active) if entity is Entity.TICKET else None
        lexicons = hub.lexicons(conn, entity, customers)
        maps, policy = hub.maps(entity), hub.policy.entities[entity]
        for record in of:
            out[str(record.id)] = Scene(record, active[str(record.id)], policy, maps, lexicons, 0)
    return out


# --- carrying out -----------------------------------------------------------------------------------------------


def carry(hub: Hub, conn: Connection, plan: str, items: Sequence[Item]) -> list[Refusal]:
    """Decide each field of an approved undo once, and let exactly its payloads through the brake."""
    by_record: dict[str, list[Item]] = {}
    for item in items:
        by_record.setdefault(item.record, []).append(item)
    refused: list[Refusal] = []
    for chunk in in_chunks(sorted(by_record), CHUNK):
        number = journal.next_decision(conn)
        scenes = scenes_of(hub, conn, chunk)
        touched = unmake.edited(hub, conn, chunk)
        passes: list[holds.Item] = []
        for record_id in chunk:
            scene = scenes.get(record_id)
            if scene is None:
                refused.append(Refusal(record_id, WHOLE, "the record is gone"))
                continue
            scene.next_number = number
            refused += _carry_one(conn, scene, plan, by_record[record_id], touched, passes)
            number = scene.next_number
        store(hub, conn, scenes, passes)
    return refused


def _carry_one(
    conn: Connection,
    scene: Scene,
    plan: str,
    items: Sequence[Item],
    touched: Mapping[int, str],
    passes: list[holds.Item],
) -> list[Refusal]:
    """The items of one record: objects that are taken away, then fields."""
    record = str(scene.record.id)
    refused: list[Refusal] = []
    for item in (one for one in items if one.verb == Verb.DELETE):
        reason = unmake.decide(scene, item, touched)
        if reason is not None:
            refused.append(Refusal(record, WHOLE, reason))
        else:
            passes.append(pass_of(plan, item, WHOLE))
    updates = [one for one in items if one.verb == Verb.UPDATE]
    for name in sorted({name for item in updates for name in item.fields}):
        of = [item for item in updates if name in item.fields]
        reason = _restore(conn, scene, name, of)
        if reason is not None:
            refused.append(Refusal(record, name, reason))
        else:
            passes += [pass_of(plan, item, name) for item in of]
    return refused


def _restore(conn: Connection, scene: Scene, name: str, items: Sequence[Item]) -> str | None:
    """One decision that brings the earlier value back; the reason why not, when anything about the field moved."""
    facts = items[0].facts[name]
    value = conn.execute(select(DECISION.c.replaced).where(DECISION.c.id == facts["restores"])).scalar_one_or_none()
    if name not in scene.policy.fields:
        return "no longer in the policy"
    reason = _moved(scene, name, facts["decided"]) or _nothing_to_restore(scene, name, value)
    if reason is not None:
        return reason
    shown = {str(link.system): link for link in scene.links}
    for item in items:
        link = shown.get(item.system)
        if link is None or name not in link.cells or payload_hash(link.cells[name].shadow) != item.pre[name]:
            return f"{item.system} shows something else since"
        image = _image(scene, link, name, value)
        if image is UNSET or payload_hash(image) != item.payload[name]:
            return f"another value would be written to {item.system} now"
    number = scene.add(name, value, SOURCE, replaced=scene.record.fields.get(name), cause=SOURCE)
    scene.decided(name, value, number)
    scene.record.contests.pop(name, None)
    return None


def pass_of(plan: str, item: Item, name: str) -> holds.Item:
    """What lets exactly this payload of an approved plan through the brake."""
    key = Key(INTENTS, item.system, item.entity, item.verb, name)
    return holds.Item(key, item.record, 0, item.payload[name], item.pre[name], holds.APPROVED, plan=plan)


def store(hub: Hub, conn: Connection, scenes: Mapping[str, Scene], passes: Sequence[holds.Item]) -> None:
    """Keep what was decided, and what may pass; the records are judged in this cycle."""
    now = hub.now()
    decisions = [one for scene in scenes.values() for one in scene.out.decisions]
    journal.add_decisions(conn, decisions, policy=hub.policy.hash, at=now, run=hub.run)
    touched = [scene for scene in scenes.values() if scene.out.decisions]
    links.save_records(conn, [scene.record for scene in touched], dirty={str(s.record.id): True for s in touched})
    links.save_judged(conn, [link for scene in touched for link in scene.links])
    places = {item.place for item in passes}
    known = holds.items_of(conn, sorted({item.record_id for item in passes}))
    stale = [item for item in known if item.place in places]
    holds.remove(conn, [item.id for item in stale])
    holds.recount(conn, {item.hold_id for item in stale if item.hold_id}, now)
    holds.keep(conn, passes, now)


plans.CARRIERS[SOURCE] = carry
