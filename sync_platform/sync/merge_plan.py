"""Two records that turn out to be one, as a plan: a person sees what it means before the links change their record.

Its items are the links that move and the writes that follow. Approved, the links move in the ledger as `link` moves
them, exactly the payloads that the plan names pass the brake, and what moved since is refused. Nothing is created or
deleted anywhere, and `link` moves each of them back. Where both records have an object in one system, that system alone
can merge them: the plan names the two, and the platform follows once it is done there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select

from sync_platform.core.records import Entity, Link, LinkState, Record, System, payload_hash
from sync_platform.errors import BadInput, NotFound, Rejected
from sync_platform.ledger import acts, asks, holds, links
from sync_platform.ledger.tables import PersonActRow
from sync_platform.settings import Settings
from sync_platform.sync import plans
from sync_platform.sync.hub import Hub
from sync_platform.sync.names import find
from sync_platform.sync.offline import at_desk
from sync_platform.sync.plans import LINKS, Item, Refusal
from sync_platform.sync.relink import Move, rehearsal, twin_still
from sync_platform.sync.relink import _apply as apply_moves
from sync_platform.sync.relink import _merge_plan as merge_moves
from sync_platform.sync.relink import _no_longer_asked as no_longer_asked
from sync_platform.sync.undo import WHOLE, pass_of

SOURCE = "merge"
ACT = PersonActRow.__table__  # type: ignore[attr-defined]


def draft(
    settings: Settings, one: str, into: str, *, review: int | None = None, who: str, why: str | None = None
) -> dict[str, Any]:
    """Open a plan that makes two records one: `into` keeps its id and its values. Asks no system.

    Raises NotFound, BadInput (two kinds, the same record, none of the candidates) and Rejected where nothing can move.
    """
    with at_desk(settings) as hub, hub.ledger.begin() as conn:
        return draft_in(hub, conn, one, into, review=review, who=who, why=why)


def draft_in(
    hub: Hub,
    conn: Connection,
    one: str,
    into: str,
    *,
    review: int | None = None,
    who: str,
    why: str | None = None,
) -> dict[str, Any]:
    """The same in the caller's transaction. Raises as `draft`."""
    target = _record(conn, find(conn, into, hub.region))
    source = _record(conn, find(conn, one, hub.region))
    if review:
        _check_candidates(conn, review, str(source.id), str(target.id))
    if source.entity is not target.entity or source.id == target.id:
        raise BadInput("these are not two records of one kind", remedy="Name two customers, or two tickets.")
    moves, kept = merge_moves(conn, source, target)
    if not moves:
        raise Rejected(
            "each of its objects has one beside it there",
            remedy="Merge them in their systems; the platform follows.",
        )
    target.twin = twin_still(conn, target, str(source.id)) if not kept else target.twin
    items = [*(_item_of(move, review) for move in moves), *_writes(hub, conn, target, moves)]
    acts.add(conn, "plan", f"merge:{source.id} into {target.id}", who=who, why=why, at=hub.now())
    reason = f"record {source.id} is {target.id}"
    found = plans.open_plan(conn, source=SOURCE, items=items, reason=reason, policy=hub.policy.hash, at=hub.now())
    return found | {"links": len(moves), "kept_apart": kept}


def _check_candidates(conn: Connection, number: int, *records: str) -> None:
    row = asks.review(conn, number)
    if row is None or row.state != "open" or row.kind == "field":
        raise NotFound(f"no open question of identity {number}", remedy="`sync-platform reviews` lists what waits.")
    candidates = {claim["record"] for claim in row.claims or []} | {row.record_id}
    if not candidates.issuperset(records):
        raise BadInput("that record is none of the candidates", remedy=f"One of: {', '.join(sorted(candidates))}.")


def _record(conn: Connection, record_id: str) -> Record:
    return links.records_by_id(conn, [record_id])[record_id]


def _item_of(move: Move, review: int | None) -> Item:
    """A link that moves: its record is what it holds, the other record what it would hold."""
    one = move.link
    return Item(
        record=str(move.target.id),
        entity=str(one.entity),
        system=str(one.system),
        verb=LINKS,
        fields=(WHOLE,),
        pre={WHOLE: _shown(one)},
        payload={WHOLE: payload_hash(str(move.target.id))},
        reason="the same one",
        facts={"link": one.external_id, "from": str(move.source.id), "review": review},
    )


def _shown(one: Link) -> str:
    """The hash of whose an object is and of all that it shows."""
    return payload_hash(
        {"of": str(one.record_id), "shows": {n: c.shadow for n, c in one.cells.items() if not c.unread}}
    )


def _writes(hub: Hub, conn: Connection, target: Record, moves: Sequence[Move]) -> list[Item]:
    _, planned = rehearsal(hub, conn, target, moves)
    shown = {one.system: one for one in [*_active(conn, target), *(move.link for move in moves)]}
    return [
        Item(
            record=str(target.id),
            entity=str(write.entity),
            system=str(write.system),
            verb=str(write.verb),
            fields=tuple(sorted(write.values)),
            pre={name: payload_hash(shown[write.system].cells[name].shadow) for name in write.values},
            payload={name: payload_hash(value) for name, value in write.values.items()},
            reason="the record that stays holds something else",
        )
        for write in planned.writes
    ]


def _active(conn: Connection, record: Record) -> list[Link]:
    return [one for one in links.links_of(conn, [str(record.id)])[str(record.id)] if one.state is LinkState.ACTIVE]


# --- carrying out -----------------------------------------------------------------------------------------------


def carry(hub: Hub, conn: Connection, plan: str, items: Sequence[Item]) -> list[Refusal]:
    """Move the links of an approved merge, all or none, and let the payloads that follow pass the brake."""
    moving = [item for item in items if item.verb == LINKS]
    records = links.records_by_id(conn, [moving[0].record, moving[0].facts["from"]])
    target, source = (records.get(one) for one in (moving[0].record, moving[0].facts["from"]))
    if target is None or source is None:
        return [Refusal(one.record, WHOLE, "a record of the two is gone") for one in items]
    reason = next((found for item in moving if (found := _moved(conn, item)) is not None), None)
    try:
        moves, kept = merge_moves(conn, source, target)
    except Rejected as error:
        reason = reason or error.message
    else:
        if {(str(m.link.system), m.link.external_id) for m in moves} != {(i.system, i.facts["link"]) for i in moving}:
            reason = reason or "other objects belong to these records since"
    if reason is not None:
        return [Refusal(one.record, WHOLE, reason) for one in items]
    said = _word(conn, plan)
    apply_moves(hub, conn, moves, "link", said["who"], said["why"], review=moving[0].facts["review"])
    if not kept:
        no_longer_asked(hub, conn, str(target.id), str(source.id), "resolved")
    passes = [pass_of(plan, one, name) for one in items if one.verb != LINKS for name in one.fields]
    holds.keep(conn, passes, hub.now())
    return []


def _moved(conn: Connection, item: Item) -> str | None:
    """Why a link is not moved: something about it is not what the plan saw."""
    found = links.links_by_external(conn, System(item.system), Entity(item.entity), [item.facts["link"]])
    one = found.get(item.facts["link"])
    if one is None or one.state is not LinkState.ACTIVE or str(one.record_id) != item.facts["from"]:
        return f"{item.system} {item.facts['link']} belongs to another record since"
    if _shown(one) != item.pre[WHOLE]:
        return f"{item.system} shows something else since"
    return None


def _word(conn: Connection, plan: str) -> Mapping[str, Any]:
    """Who approved the plan, and why."""
    said = select(ACT.c.who, ACT.c.why).where(ACT.c.verb == "approve", ACT.c.subject == f"plan:{plan}")
    row = conn.execute(said.order_by(ACT.c.id.desc()).limit(1)).first()
    return {"who": row.who, "why": row.why} if row else {"who": "", "why": None}


plans.CARRIERS[SOURCE] = carry
