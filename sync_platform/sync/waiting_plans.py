"""Plans and holds as pages show them: counts, and items with what is there now and what would be written.

An item names hashes; the values are worked out anew, as they will be when it is carried out. Where they do not give the
hash any more, something moved since, and the item will be refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select

from sync_platform.core.records import UNSET, Json, Link, LinkState, System, Verb, payload_hash
from sync_platform.core.scene import Scene
from sync_platform.errors import NotFound, Rejected
from sync_platform.ledger import holds, links
from sync_platform.ledger.holds import HOLD, WHOLE
from sync_platform.ledger.holds import ITEM as HELD_ITEM
from sync_platform.ledger.journal import DECISION
from sync_platform.ledger.spans import decided_in
from sync_platform.sync import acting, merge_plan, plans, policy_plan, undo
from sync_platform.sync.cycle import utc
from sync_platform.sync.hub import Hub
from sync_platform.sync.plans import PLAN, Item
from sync_platform.sync.relink import _merge_plan, rehearsal, twin_still
from sync_platform.sync.undo import scenes_of
from sync_platform.sync.waiting import LINES, title, titles

ANSWERED_SHOWN = 20
# (record, system, field) → what that system would be sent.
Written = Mapping[tuple[str, str, str], Json]


def waiting(conn: Connection) -> dict[str, Any]:
    """Open holds and plans, and what was answered of late."""
    plan = PLAN.c
    columns = (plan.id, plan.source, plan.state, plan.summary, plan.at, plan.closed_at, plan.carried_at)
    rows = select(*columns).where(plan.source.in_(sorted(plans.CARRIERS)))
    open_rows = conn.execute(rows.where(plan.state == "open").order_by(plan.at).limit(LINES)).all()
    past = conn.execute(
        rows.where(plan.closed_at.is_not(None)).order_by(plan.closed_at.desc()).limit(ANSWERED_SHOWN)
    ).all()
    held = select(HOLD).where(HOLD.c.state.in_((holds.APPROVED, holds.DROPPED))).order_by(HOLD.c.id.desc())
    found = conn.execute(select(HOLD).where(HOLD.c.state == "open", HOLD.c["count"] > 0).order_by(HOLD.c.id)).all()
    return {
        "holds": [_hold_line(row) for row in found],
        "plans": [_plan_line(row) for row in open_rows],
        "past_plans": [_plan_line(row) for row in past],
        "past_holds": [_hold_line(row) for row in conn.execute(held.limit(ANSWERED_SHOWN))],
    }


def _plan_line(row: Any) -> dict[str, Any]:
    summary = row.summary or {}
    return {
        "plan": row.id,
        "source": row.source,
        "state": row.state,
        "reason": summary.get("reason", ""),
        "would_write": summary.get("would_write", 0),
        "at": utc(row.at),
        "closed_at": utc(row.closed_at),
        "carried_at": utc(row.carried_at),
        "refused": len(summary.get("refused", ())),
    }


def _hold_line(row: Any) -> dict[str, Any]:
    names = ("stage", "system", "entity", "verb", "field", "count", "known", "state")
    times = {name: utc(getattr(row, name)) for name in ("at", "closed_at", "carried_at")}
    return {"hold": row.id} | {name: row._mapping[name] for name in names} | times  # noqa: SLF001


# --- a plan -----------------------------------------------------------------------------------------------------


def plan(hub: Hub, conn: Connection, name: str, *, start: int = 0) -> dict[str, Any]:
    """A plan: its summary, and items from number `start` on with values. Raises NotFound."""
    row = conn.execute(select(PLAN).where(PLAN.c.id == name)).first()
    if row is None or row.source not in plans.CARRIERS:
        raise NotFound("no plan has this name", remedy="The page of plans lists what waits.")
    every = row.items or []
    shown = [Item.load(raw) for raw in every[start : start + LINES]]
    summary = row.summary or {}
    line: dict[str, Any] = _plan_line(row)
    return line | {
        "summary": summary,
        "items": _with_values(hub, conn, row.source, row.policy, shown) if row.state == "open" else _bare(conn, shown),
        "count": len(every),
        "start": start,
        "next": start + LINES if start + LINES < len(every) else None,
        "skipped": summary.get("skipped", [])[:LINES],
        "skipped_count": len(summary.get("skipped", ())),
        "refusals": summary.get("refused", [])[:LINES],
        "seen": acting.plan_seen(conn, name),
        "acts": acting.acts_on(conn, f"plan:{name}"),
    }


def _bare(conn: Connection, items: Sequence[Item]) -> list[dict[str, Any]]:
    """Items of a plan that was answered: what their fields held then is told by the records' own history."""
    called = titles(conn, [one.record for one in items])
    return [
        _item_line(one, called.get(one.record, ""), [{"field": name, "moved": False} for name in one.fields])
        for one in items
    ]


def _with_values(hub: Hub, conn: Connection, source: str, policy: str, items: Sequence[Item]) -> list[dict[str, Any]]:
    records = sorted({one.record for one in items})
    scenes = scenes_of(hub, conn, records)
    written = WRITTEN.get(source, _nothing)(hub, conn, policy, items, scenes)
    called = titles(conn, records)
    own = {(key, link.system): link for key, scene in scenes.items() for link in scene.links}
    moving = _moving(conn, items)
    lines = []
    for one in items:
        link = own.get((one.record, System(one.system))) or moving.get((one.record, one.system))
        fields = [_field_line(one, name, link, written) for name in one.fields]
        lines.append(_item_line(one, called.get(one.record, ""), fields))
    return lines


def _item_line(item: Item, called: str, fields: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "record": item.record,
        "title": called,
        "system": item.system,
        "verb": item.verb,
        "reason": item.reason,
        "fields": fields,
        "facts": {name: item.facts[name] for name in ("link", "from") if name in item.facts},
    }


def _field_line(item: Item, name: str, link: Link | None, written: Written) -> dict[str, Any]:
    """What is there and what would be written; `moved` where either is not what the plan saw."""
    line: dict[str, Any] = {"field": name, "moved": False}
    if name == WHOLE:
        return line
    cell = link.cells.get(name) if link is not None else None
    if cell is None or cell.unread:
        return line | {"moved": True}
    after = written.get((item.record, item.system, name), UNSET)
    line |= {"before": cell.shadow, "moved": payload_hash(cell.shadow) != item.pre.get(name)}
    if after is UNSET or payload_hash(after) != item.payload.get(name):
        return line | {"moved": True}
    return line | {"after": after}


def _moving(conn: Connection, items: Sequence[Item]) -> dict[tuple[str, str], Link]:
    """Links that a plan gives to a record: what they show is what it would write over."""
    sources = sorted({one.facts["from"] for one in items if one.verb == plans.LINKS})
    found = links.links_of(conn, sources) if sources else {}
    into = {(one.facts["from"], one.system): one.record for one in items if one.verb == plans.LINKS}
    return {
        (into[key, str(link.system)], str(link.system)): link
        for key, of in found.items()
        for link in of
        if link.state is LinkState.ACTIVE and (key, str(link.system)) in into
    }


# --- what a source would write ----------------------------------------------------------------------------------


def _nothing(
    _hub: Hub, _conn: Connection, _policy: str, _items: Sequence[Item], _scenes: Mapping[str, Scene]
) -> Written:
    return {}


def _undone(_hub: Hub, conn: Connection, _policy: str, items: Sequence[Item], scenes: Mapping[str, Scene]) -> Written:
    """The values that the decisions replaced, as each system would be sent them."""
    numbers = sorted({one.facts[name]["restores"] for one in items for name in one.fields if name in one.facts})
    rows = conn.execute(select(DECISION.c.id, DECISION.c.replaced).where(DECISION.c.id.in_(numbers)))
    replaced = {row.id: row.replaced for row in rows}
    out: dict[tuple[str, str, str], Json] = {}
    for one in items:
        scene = scenes.get(one.record)
        link = next((link for link in scene.links if link.system == one.system), None) if scene else None
        for name in one.fields:
            if scene is not None and link is not None and name in one.facts:
                out[one.record, one.system, name] = scene.put(link, name, replaced.get(one.facts[name]["restores"]))
    return out


def _joined(hub: Hub, conn: Connection, _policy: str, items: Sequence[Item], _scenes: Mapping[str, Scene]) -> Written:
    """What follows when the links belong to the record that stays."""
    pair = next(((one.facts["from"], one.record) for one in items if one.verb == plans.LINKS), None)
    found = links.records_by_id(conn, list(pair)) if pair else {}
    if pair is None or len(found) < len(pair):
        return {}
    source, target = found[pair[0]], found[pair[1]]
    try:
        moves, kept = _merge_plan(conn, source, target)
        target.twin = twin_still(conn, target, pair[0]) if not kept else target.twin
        _, planned = rehearsal(hub, conn, target, moves)
    except Rejected:
        return {}
    return {
        (str(one.record_id), str(one.system), name): value
        for one in planned.writes
        for name, value in one.values.items()
    }


def _by_policy(
    hub: Hub, _conn: Connection, policy: str, _items: Sequence[Item], scenes: Mapping[str, Scene]
) -> Written:
    """What the plan's policy owes; nothing while another one is in force."""
    if hub.policy.hash != policy:
        return {}
    return {
        (key, str(one.system), name): value
        for key, scene in scenes.items()
        for one in policy_plan.owed(scene)
        for name, value in one.values.items()
    }


WRITTEN: Mapping[str, Callable[[Hub, Connection, str, Sequence[Item], Mapping[str, Scene]], Written]] = {
    undo.SOURCE: _undone,
    merge_plan.SOURCE: _joined,
    policy_plan.SOURCE: _by_policy,
}


# --- a hold -----------------------------------------------------------------------------------------------------


def hold(hub: Hub, conn: Connection, number: int, *, after: int = 0) -> dict[str, Any]:
    """A hold: what it holds, with values, a page by key. Raises NotFound."""
    row = conn.execute(select(HOLD).where(HOLD.c.id == number)).first()
    if row is None:
        raise NotFound("no hold has this number", remedy="The page of plans lists what waits.")
    asked = select(HELD_ITEM).where(HELD_ITEM.c.hold_id == number, HELD_ITEM.c.id > after)
    rows = conn.execute(asked.order_by(HELD_ITEM.c.id).limit(LINES + 1)).all()
    scenes = scenes_of(hub, conn, sorted({one.record_id for one in rows[:LINES]}))
    return _hold_line(row) | {
        "items": [_held_line(one, scenes.get(one.record_id)) for one in rows[:LINES]],
        "next": rows[LINES - 1].id if len(rows) > LINES else None,
        "after": after,
        "seen": acting.hold_seen(conn, number),
        "acts": acting.acts_on(conn, f"hold:{number}"),
    }


def _held_line(row: Any, scene: Scene | None) -> dict[str, Any]:
    line = {"record": row.record_id, "title": title(scene.record) if scene else "", "moved": False, "state": row.state}
    if scene is None:
        return line | {"moved": True}
    if row.stage == holds.INTENTS and row.verb != Verb.UPDATE:
        return line | {"whole": scene.record.fields}
    link = next((one for one in scene.links if row.link_id in (0, one.id) and one.system == row.system), None)
    cell = link.cells.get(row.field) if link is not None else None
    if link is None or cell is None:
        # An object that was deleted over there has no active link any more: what follows from that is what is held.
        return line | ({"deleted": True} if row.field == WHOLE else {"moved": True})
    before, after = (cell.base, cell.shadow) if row.stage == holds.CLAIMS else (cell.shadow, _sent(scene, link, row))
    moved = after is UNSET or payload_hash(after) != row.hash
    return line | {"before": None if before is UNSET else before, "after": None if moved else after, "moved": moved}


def _sent(scene: Scene, link: Link, row: Any) -> Json:
    return scene.put(link, row.field, scene.record.fields.get(row.field))


# --- undo, before it is kept ------------------------------------------------------------------------------------


DECISIONS_PREVIEWED = 5000


def undo_preview(hub: Hub, what: str) -> dict[str, Any]:
    """What undoing would open a plan of, with values; nothing is kept. Raises NotFound.

    Of a run that decided more than some thousand things only that is said: {large}.
    """
    with hub.ledger.read() as conn:
        decided = select(DECISION.c.id).where(decided_in(conn, what)).limit(DECISIONS_PREVIEWED + 1)
        if len(conn.execute(decided).all()) > DECISIONS_PREVIEWED:
            return {"large": DECISIONS_PREVIEWED}
    with hub.ledger.begin() as conn:
        drafted = undo.draft(hub, conn, what, who="")
        found = plan(hub, conn, drafted["plan"])
        conn.rollback()
    return found
