"""Two records that are one, and one that is two: links change their record in the ledger, and nowhere anything else.

Nothing is created or deleted because of it. A link that moved is met as a link that is new: what its system shows
fills blanks and unites sets, the record's own values stay and are owed to it. Every move can be moved back.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection, select

from sync_platform.core.merge import Scene, merge
from sync_platform.core.plan import Facts, Planned, plan
from sync_platform.core.records import (
    ENTITIES,
    SYSTEMS,
    Cell,
    Decision,
    Entity,
    Link,
    LinkState,
    Record,
    RecordId,
    System,
)
from sync_platform.errors import BadInput, NotFound, Rejected
from sync_platform.ledger import asks, journal, links, outbox
from sync_platform.settings import Settings
from sync_platform.sync.endings import ENDED
from sync_platform.sync.hub import Customers, Hub
from sync_platform.sync.names import find
from sync_platform.sync.offline import at_desk

LINKED = "linked"


@dataclass(slots=True)
class Move:
    """One link on its way from one record to another; `emptied` where it was the last one there."""

    link: Link
    source: Record
    target: Record
    emptied: bool
    fresh: bool = False
    children: list[str] = field(default_factory=list)


def link(
    settings: Settings, what: str, to: str, *, dry_run: bool = False, who: str = "", why: str | None = None
) -> dict[str, Any]:
    """Give an object of a system to a record. Raises NotFound, BadInput, Rejected and AnotherCycleRuns."""
    with at_desk(settings, alone=not dry_run) as hub, hub.ledger.begin() as conn:
        return link_in(hub, conn, what, to, dry_run=dry_run, who=who, why=why)


def link_in(
    hub: Hub, conn: Connection, what: str, to: str, *, dry_run: bool = False, who: str = "", why: str | None = None
) -> dict[str, Any]:
    """The same in the caller's transaction, by a hub that owns the lease. Raises NotFound, BadInput and Rejected."""
    found = _object(conn, what)
    target = _record(conn, find(conn, to, hub.region))
    move = _move_to(conn, found, target)
    told = _told(hub, conn, [move])
    if not dry_run:
        _apply(hub, conn, [move], "link", who, why)
    return told | {"dry_run": dry_run}


def unlink(
    settings: Settings, what: str, *, dry_run: bool = False, who: str = "", why: str | None = None
) -> dict[str, Any]:
    """Make a record of its own of an object of a system; nothing is created anywhere for it. Raises as `link`."""
    with at_desk(settings, alone=not dry_run) as hub, hub.ledger.begin() as conn:
        return unlink_in(hub, conn, what, dry_run=dry_run, who=who, why=why)


def unlink_in(
    hub: Hub, conn: Connection, what: str, *, dry_run: bool = False, who: str = "", why: str | None = None
) -> dict[str, Any]:
    """The same in the caller's transaction, by a hub that owns the lease. Raises NotFound, BadInput and Rejected."""
    found = _object(conn, what)
    source = _record(conn, str(found.record_id))
    if not any(one.id != found.id for one in _active(conn, source)):
        raise Rejected(f"{what} is the only object of its record", remedy="There is nothing to part it from.")
    _free(conn, found, source)
    own = Record(RecordId(hub.new_id()), found.entity, born_at=hub.now(), twin=True)
    move = Move(found, source, own, emptied=False, fresh=True, children=_children(conn, found, source, all_=False))
    told = _told(hub, conn, [move])
    if dry_run:
        told["moves"][0]["to"] = "a new record"
    else:
        _apply(hub, conn, [move], "unlink", who, why)
    return told | {"dry_run": dry_run}


def resolve_identity(
    settings: Settings,
    number: int,
    *,
    choose: str | None,
    drop: bool,
    dry_run: bool = False,
    who: str = "",
    why: str | None = None,
) -> dict[str, Any]:
    """Answer whether records are one: `choose` names the record that keeps the links, `drop` says that they are two."""
    with at_desk(settings, alone=not dry_run) as hub, hub.ledger.begin() as conn:
        return resolve_identity_in(hub, conn, number, choose=choose, drop=drop, dry_run=dry_run, who=who, why=why)


def resolve_identity_in(
    hub: Hub,
    conn: Connection,
    number: int,
    *,
    choose: str | None,
    drop: bool,
    dry_run: bool = False,
    who: str = "",
    why: str | None = None,
) -> dict[str, Any]:
    """The same in the caller's transaction, by a hub that owns the lease. Raises NotFound, BadInput and Rejected."""
    row = asks.review(conn, number)
    if row is None or row.state != "open":
        raise NotFound(f"no open review {number}", remedy="`sync-platform reviews` lists what waits.")
    others = sorted({claim["record"] for claim in row.claims or []})
    if drop:
        if not dry_run:
            _told_two(hub, conn, row.record_id, others, number, who, why)
        return {"review": number, "record": row.record_id, "told_apart": others, "dry_run": dry_run}
    chosen = find(conn, choose or "", hub.region)
    if chosen not in {*others, row.record_id}:
        raise BadInput("that record is none of the candidates", remedy=f"Choose one of: {', '.join(others)}.")
    other = row.record_id if chosen != row.record_id else others[0]
    moves, kept = _merge_plan(conn, _record(conn, other), _record(conn, chosen))
    told = {"review": number, **_told(hub, conn, moves), "kept_apart": kept, "dry_run": dry_run}
    if not dry_run:
        _apply(hub, conn, moves, "link", who, why, review=number)
        if not kept:
            _no_longer_asked(hub, conn, chosen, other, "resolved")
    return told


def _merge_plan(conn: Connection, source: Record, target: Record) -> tuple[list[Move], list[dict[str, str]]]:
    """The links that can move, and those that cannot: where both records have an object, only their system merges."""
    _lives_or_may(target)
    _nothing_under_way(conn, source, target)
    taken = {one.system: one for one in _active(conn, target)}
    own = _active(conn, source)
    moving = [one for one in own if one.system not in taken]
    kept = [
        {
            "link": f"{one.system}:{one.external_id}",
            "beside": f"{one.system}:{taken[one.system].external_id}",
            "remedy": f"Merge the two in {one.system} itself; the platform follows.",
        }
        for one in own
        if one.system in taken
    ]
    moves = []
    for number, one in enumerate(moving, 1):
        _free(conn, one, source)
        emptied = not kept and number == len(moving)
        moves.append(Move(one, source, target, emptied, children=_children(conn, one, source, all_=emptied)))
    return moves, kept


# --- what is meant ----------------------------------------------------------------------------------------------


def _object(conn: Connection, what: str) -> Link:
    """`gorgias:5`, `customer:gorgias:5` or `ticket:erp:7`: an active link that has a record."""
    parts = what.split(":")
    entity = Entity(parts.pop(0)) if parts[0] in {str(one) for one in ENTITIES} else Entity.CUSTOMER
    if len(parts) != 2 or parts[0] not in {str(one) for one in SYSTEMS}:
        raise BadInput("an object is named by system:id or entity:system:id", remedy="For example customer:gorgias:5.")
    found = links.links_by_external(conn, System(parts[0]), entity, [parts[1]]).get(parts[1])
    if found is None or found.record_id is None or found.state is not LinkState.ACTIVE:
        raise NotFound(f"{what} has no record", remedy="`sync-platform why` knows an object once it was read.")
    return found


def _record(conn: Connection, record_id: str) -> Record:
    return links.records_by_id(conn, [record_id])[record_id]


def _active(conn: Connection, record: Record) -> list[Link]:
    return [one for one in links.links_of(conn, [str(record.id)])[str(record.id)] if one.state is LinkState.ACTIVE]


def _free(conn: Connection, one: Link, of: Record) -> None:
    """Raises Rejected while something about an object of this record is not known or not judged."""
    if one.unsettled:
        raise Rejected(
            f"what became of a write to {one.system}:{one.external_id} is not known yet",
            remedy="Try again when the next cycle has looked it up.",
        )
    if one.again:
        # It may be gone by now: whom its end would concern is not changed before that is known.
        raise Rejected(
            f"{one.system}:{one.external_id} is to be read again",
            remedy="Try again when the next cycle has read it.",
        )
    edited = any(cell.changed for name, cell in one.cells.items() if name not in of.reviews)
    if edited and conn.execute(select(links.RECORD.c.dirty).where(links.RECORD.c.id == str(of.id))).scalar_one():
        # It is met anew as what it shows then: an edit that nobody judged would be no edit any more.
        raise Rejected(
            f"an edit of {one.system}:{one.external_id} was read and is not judged yet",
            remedy="Try again after the next cycle.",
        )


def _nothing_under_way(conn: Connection, *records: Record) -> None:
    """What a create without an answer made belongs to its record, which must have room for it when it shows up."""
    unsettled = outbox.unsettled_of(conn, [str(one.id) for one in records])
    for record in records:
        made = unsettled.get(str(record.id), set()) - {one.system for one in _active(conn, record)}
        if made:
            raise Rejected(
                f"what became of an object that was to be made in {min(made)} is not known yet",
                remedy="Try again when the next cycle has looked it up.",
            )


def _lives_or_may(target: Record) -> None:
    """A record that ended by a delete, or was emptied, can take objects again; who was forgotten or merged cannot."""
    cause = (target.tombstone or {}).get("cause", LINKED)
    if cause not in {LINKED, *ENDED}:
        raise Rejected(f"that record is no more ({cause})", remedy="`sync-platform why RECORD` says what became of it.")


def _move_to(conn: Connection, found: Link, target: Record) -> Move:
    if target.entity is not found.entity:
        raise BadInput(f"that record is a {target.entity}", remedy="Name a record of the same kind.")
    _lives_or_may(target)
    if found.record_id == target.id:
        raise Rejected("it belongs to that record already", remedy="Nothing is left to do.")
    beside = next((one for one in _active(conn, target) if one.system == found.system), None)
    if beside is not None:
        raise Rejected(
            f"that record has {beside.system}:{beside.external_id} already",
            remedy=f"Unlink that one first, or merge the two in {beside.system} itself.",
        )
    source = _record(conn, str(found.record_id))
    _free(conn, found, source)
    _nothing_under_way(conn, source, target)
    emptied = all(one.id == found.id for one in _active(conn, source))
    return Move(found, source, target, emptied, children=_children(conn, found, source, all_=emptied))


def _children(conn: Connection, found: Link, source: Record, *, all_: bool) -> list[str]:
    """Tickets that follow: those that show this object as their customer, or all of a record that is left empty."""
    if found.entity is not Entity.CUSTOMER:
        return []
    rows = conn.execute(select(links.RECORD.c.id).where(links.RECORD.c.parent == str(source.id)))
    ids = [str(row.id) for row in rows]
    if all_:
        return sorted(ids)
    shown = links.links_of(conn, ids)
    return sorted(one for one, of in shown.items() if any(_shows(link, found) for link in of))


def _shows(ticket: Link, found: Link) -> bool:
    cell = ticket.cells.get("customer")
    return ticket.system == found.system and cell is not None and str(cell.shadow) == found.external_id


# --- what it means ----------------------------------------------------------------------------------------------


def _told(hub: Hub, conn: Connection, moves: Sequence[Move]) -> dict[str, Any]:
    """What the moves do, worked out by the rules themselves on copies: fields decided, writes owed."""
    decided: Counter[str] = Counter()
    owed: Counter[str] = Counter()
    for target in {str(move.target.id): move.target for move in moves}.values():
        fields, writes = _rehearsed(hub, conn, target, [move for move in moves if move.target.id == target.id])
        decided.update(fields)
        owed.update(writes)
    return {
        "moves": [
            {
                "link": f"{move.link.entity}:{move.link.system}:{move.link.external_id}",
                "from": str(move.source.id),
                "to": str(move.target.id),
                "emptied": move.emptied,
                "tickets": len(move.children),
            }
            for move in moves
        ],
        "fields": dict(sorted(decided.items())),
        "would_write": dict(sorted(owed.items())),
        "created": 0,
        "deleted": 0,
        "back": [
            f"sync-platform link {move.link.entity}:{move.link.system}:{move.link.external_id} {move.source.id}"
            for move in moves
        ],
    }


def _rehearsed(hub: Hub, conn: Connection, target: Record, moves: Sequence[Move]) -> tuple[list[str], list[str]]:
    decided, planned = rehearsal(hub, conn, target, moves)
    return decided, [f"{write.system}.{name}" for write in planned.writes for name in write.values]


def rehearsal(hub: Hub, conn: Connection, target: Record, moves: Sequence[Move]) -> tuple[list[str], Planned]:
    """Fields that would be decided, and writes that would be owed, were these links its own already."""
    record = copy.deepcopy(target)
    own = [] if moves[0].fresh else _active(conn, record)
    moved = [_met_anew(copy.deepcopy(move.link), record.id) for move in moves]
    entity = record.entity
    customers = Customers()
    for one in [*own, *moved] if entity is Entity.TICKET else ():
        if "customer" in one.cells and not one.cells["customer"].unread:
            customers.refer(one.system, one.cells["customer"].shadow)
    lexicons = hub.lexicons(conn, entity, customers if entity is Entity.TICKET else None)
    number = journal.next_decision(conn)
    scene = Scene(record, [*own, *moved], hub.policy.entities[entity], hub.maps(entity), lexicons, number)
    decided = [one.field for one in merge(scene).decisions if one.field != "*"]
    return decided, plan(scene, Facts(ever_linked=set(SYSTEMS)))


def _met_anew(one: Link, record_id: RecordId) -> Link:
    """Known only by what it shows: no base, no agreement."""
    one.record_id = record_id
    one.cells = {name: Cell(shadow=cell.shadow) for name, cell in one.cells.items()}
    one.awaits = None
    return one


def _merged_into(conn: Connection, source: Record, one: Link) -> list[Link]:
    """What was merged into an object there leads to it wherever it belongs: these links go with it."""
    own = [link for link in links.links_of(conn, [str(source.id)])[str(source.id)] if link.state is LinkState.BARRED]
    ids, found = {one.external_id}, 0
    while found < len(ids):
        found = len(ids)
        ids |= {link.external_id for link in own if link.system == one.system and link.into in ids}
    return [link for link in own if link.system == one.system and link.external_id in ids]


def _left_behind(conn: Connection, source: Record, target: Record, one: Link) -> list[Link]:
    """What ended as part of a record goes with its last object: nobody is made anew there. Nothing follows
    from these ends for who was not part of the record when they were told.
    """
    own = [link for link in links.links_of(conn, [str(source.id)])[str(source.id)] if link.id != one.id]
    return [
        replace(link, record_id=target.id, gone={**link.gone, "judged": link.gone.get("judged") or "keep"})
        if link.gone
        else replace(link, record_id=target.id)
        for link in own
        if link.state is not LinkState.ACTIVE
    ]


def _back_again(conn: Connection, source: Record, target: Record) -> list[Link]:
    """What ended of a record that was emptied, and takes an object back now, where that went with the last one."""
    numbers = (target.tombstone or {}).get("ended", ())
    own = links.links_of(conn, [str(source.id)])[str(source.id)] if numbers else []
    ended = [one for one in own if one.id in numbers and one.state is not LinkState.ACTIVE]
    return [replace(one, record_id=target.id) for one in ended]


def _apply(
    hub: Hub, conn: Connection, moves: Sequence[Move], verb: str, who: str, why: str | None, review: int | None = None
) -> None:
    now = hub.now()
    decisions: list[Decision] = []
    for move in moves:
        source, target, one = move.source, move.target, move.link
        if move.fresh:
            links.insert_records(conn, [target])
            asks.tell_apart(conn, str(source.id), str(target.id), now)
        else:
            asks.take_back(conn, str(source.id), str(target.id))
        _drop_planned(conn, source, one.system)
        links.save_links(conn, _back_again(conn, source, target))
        merged_into = [replace(link, record_id=target.id) for link in _merged_into(conn, source, one)]
        if move.emptied:
            merged_into = _left_behind(conn, source, target, one)
        links.save_links(conn, [_met_anew(one, target.id), *merged_into])
        # Those of other records, which were merged into it, are followed anew.
        links.follow_again(conn, one)
        # Whoever belongs to a record that ended is not ended by that: it lives on with them.
        target.tombstone = None
        target.wanted = target.wanted or source.wanted
        if move.emptied:
            source.tombstone = {"cause": LINKED, "into": str(target.id), "at": now.isoformat()}
            source.tombstone["ended"] = [link.id for link in merged_into]
        decisions += _noted(conn, move, verb, len(decisions))
        subject = f"{one.entity}:{one.system}:{one.external_id} from {source.id} to {target.id}"
        asks.add_act(conn, verb, subject if review is None else f"{subject} review:{review}", who=who, why=why, at=now)
    journal.add_decisions(conn, decisions, policy=hub.policy.hash, at=now, run=hub.run)
    touched = {str(record.id): record for move in moves for record in (move.source, move.target)}
    links.save_records(conn, touched.values(), dirty=dict.fromkeys(touched, True))
    for move in moves:
        if move.target.wanted:
            links.mark_wanted(conn, [str(move.target.id)])
        if move.emptied:
            _no_longer_asked(hub, conn, str(move.source.id), None, "resolved")
        links.mark_dirty(conn, move.children)
        links.mark_awaiting(conn, [f"{move.link.system}:{move.link.external_id}"])


def _noted(conn: Connection, move: Move, verb: str, drawn: int) -> list[Decision]:
    """Decisions that say it: one for each record, one for each ticket that follows an emptied record."""
    number = journal.next_decision(conn) + drawn
    fact = {"link": f"{move.link.system}:{move.link.external_id}", "from": str(move.source.id)}
    out = [
        Decision(one.id, one.entity, "*", fact | {"to": str(move.target.id)}, verb, number + n, cause="person")
        for n, one in enumerate((move.source, move.target))
    ]
    tickets = links.records_by_id(conn, move.children)
    for ticket_id, ticket in sorted(tickets.items()):
        if move.emptied:
            out.append(
                Decision(
                    RecordId(ticket_id),
                    Entity.TICKET,
                    "customer",
                    str(move.target.id),
                    verb,
                    number + len(out),
                    replaced=str(move.source.id),
                    cause="person",
                )
            )
            ticket.fields["customer"] = str(move.target.id)
            ticket.decided["customer"] = out[-1].number
    if move.emptied:
        links.save_records(conn, tickets.values(), dirty=dict.fromkeys(tickets, True))
        return out
    # The object is somebody else's now: where a ticket shows it, that is judged as the change that it is.
    for of in links.links_of(conn, sorted(tickets)).values():
        follow = [one for one in of if _shows(one, move.link)]
        for one in follow:
            one.cells["customer"] = replace(one.cells["customer"], base=None)
        links.save_judged(conn, follow)
    return out


def _drop_planned(conn: Connection, record: Record, system: System) -> None:
    """What was planned for the object as part of its old record is planned no more."""
    intent = outbox.INTENT
    rows = conn.execute(
        select(intent.c.id).where(
            intent.c.record_id == str(record.id), intent.c.system == system, intent.c.state == "planned"
        )
    )
    outbox.drop_planned(conn, [row.id for row in rows])


# --- questions of identity --------------------------------------------------------------------------------------


def take_up(hub: Hub, conn: Connection, entity: Entity) -> None:
    """Records of which a person said that they are not one are told apart, by the cycle that owns the lease."""
    for row in asks.told_two(conn, entity):
        others = sorted({claim["record"] for claim in row.claims or []})
        _tell_two(hub, conn, row.record_id, others, row.id)


def _told_two(
    hub: Hub, conn: Connection, record_id: str, others: Sequence[str], number: int, who: str, why: str | None
) -> None:
    _tell_two(hub, conn, record_id, others, number)
    asks.add_act(conn, "tell_apart", f"review:{number} record {record_id}", who=who, why=why, at=hub.now())


def _tell_two(hub: Hub, conn: Connection, record_id: str, others: Sequence[str], number: int) -> None:
    now = hub.now()
    for other in others:
        asks.tell_apart(conn, record_id, other, now)
        _no_longer_asked(hub, conn, record_id, other, "told_apart")
    asks.end_review(conn, number, (), "told_apart", now)
    record = _record(conn, record_id)
    record.twin = False
    links.save_records(conn, [record], dirty={record_id: True})


def _no_longer_asked(hub: Hub, conn: Connection, one: str, other: str | None, state: str) -> None:
    """Take a pair (or all about one record) out of the open questions of identity."""
    for row in asks.identity_reviews(conn, [one] if other is None else [one, other]):
        partner = {one, other} - {row.record_id}
        left = [] if other is None else [claim for claim in row.claims or [] if claim["record"] not in partner]
        if len(left) != len(row.claims or []) or other is None:
            asks.end_review(conn, row.id, left, state, hub.now())
    if other is not None and state == "resolved":
        _no_twin_any_more(conn, one, other)


def _no_twin_any_more(conn: Connection, one: str, other: str) -> None:
    """What tells two people apart travels again once the two are one."""
    kept = _record(conn, one)
    if kept.twin and not twin_still(conn, kept, other):
        kept.twin = False
        links.save_records(conn, [kept], dirty={one: True})


def twin_still(conn: Connection, record: Record, other: str) -> bool:
    """Whether a record, once it and another are one, still shares a key with a third that may be somebody else."""
    rows = asks.identity_reviews(conn, [str(record.id)])
    asked = any(claim["record"] != other for row in rows for claim in row.claims or ())
    apart = asks.told_apart(conn, [str(record.id)]).get(str(record.id), set()) - {other}
    return record.twin and (asked or bool(apart))
