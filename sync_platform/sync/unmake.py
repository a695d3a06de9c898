"""What we created and nobody touched since, taken away again: the deletes of an undo.

An approved delete stays with its record as what lets it through the brake, until the object is gone or somebody edits
it: then it stays. The id of what was taken away is kept as every gone one, so nothing is created there a second time.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, or_, select

from sync_platform.connectors.protocol import Outcome
from sync_platform.core.endings import ARCHIVES
from sync_platform.core.records import (
    Decision,
    Entity,
    IntentState,
    Json,
    Link,
    LinkState,
    System,
    Verb,
    payload_hash,
)
from sync_platform.core.scene import Scene
from sync_platform.ledger import holds, links
from sync_platform.ledger.database import in_chunks
from sync_platform.ledger.holds import APPROVED, INTENTS, WHOLE, Key
from sync_platform.ledger.journal import DECISION, RECEIPT
from sync_platform.ledger.outbox import INTENT
from sync_platform.sync.brake import Gate
from sync_platform.sync.hub import Hub
from sync_platform.sync.plans import Item, Refusal

SOURCE = "undo"
CHUNK = 300
NOTHING = payload_hash({})
# Decisions about what an object shows that no person made there.
_NO_EDIT = frozenset({"late", "unreadable", "coherent"})
UNHEARD = "its create had no answer, and it showed what we had not written: somebody may have typed that"


@dataclass(slots=True)
class Made:
    """Objects that creates of ours made: by record, those that may go, and why the others stay."""

    may_go: dict[str, list[Link]] = field(default_factory=dict)
    stays: list[Refusal] = field(default_factory=list)


# --- drafting ---------------------------------------------------------------------------------------------------


def made(hub: Hub, conn: Connection, *, run: str | None, born: Collection[str], of: str | None = None) -> Made:
    """What a run created, and what was created for records that are new: active objects that bear our marker.

    `of` narrows a run to one record.
    """
    creates: dict[tuple[str, str], Any] = {}
    columns = (INTENT.c.id, INTENT.c.record_id, INTENT.c.system, INTENT.c.entity, INTENT.c.marker)
    landed = select(*columns).where(INTENT.c.verb == str(Verb.CREATE), INTENT.c.state == str(IntentState.ACKNOWLEDGED))
    rows: list[Any] = []
    if run is not None:
        in_run = landed.where(INTENT.c.run == run)
        rows += conn.execute(in_run if of is None else in_run.where(INTENT.c.record_id == of))
    for chunk in in_chunks(sorted(born), CHUNK):
        rows += conn.execute(landed.where(INTENT.c.record_id.in_(chunk)))
    for row in sorted(rows, key=lambda one: one.id):
        creates[row.record_id, row.system] = row
    return _sorted_out(hub, conn, list(creates.values()))


def _sorted_out(hub: Hub, conn: Connection, creates: Sequence[Any]) -> Made:
    out = Made()
    found: list[Link] = []
    for chunk in in_chunks(sorted({row.record_id for row in creates}), CHUNK):
        theirs = links.links_of(conn, chunk)
        touched = edited(hub, conn, chunk)
        for row in (one for one in creates if one.record_id in theirs):
            link = _object(theirs[row.record_id], row)
            if link is None:
                continue
            reason = stays(link, touched)
            if reason is None:
                found.append(link)
            else:
                out.stays.append(Refusal(row.record_id, WHOLE, f"{link.system} {link.external_id}: {reason}"))
    there = _tickets(conn, found)
    going = {link.id for link in found}
    for link in found:
        if any(ticket.id not in going for ticket in there.get(link.id, ())):
            reason = f"{link.system} {link.external_id}: tickets there are theirs"
            out.stays.append(Refusal(str(link.record_id), WHOLE, reason))
        else:
            out.may_go.setdefault(str(link.record_id), []).append(link)
    return out


def _object(theirs: Sequence[Link], create: Any) -> Link | None:
    """The object of a create, while it is the record's there and bears the marker of that create."""
    for link in theirs:
        if link.state is LinkState.ACTIVE and str(link.system) == create.system and link.marker == create.marker:
            return link
    return None


def _tickets(conn: Connection, found: Sequence[Link]) -> dict[int, list[Link]]:
    """Tickets that show one of these customers as theirs, by the customer's link."""
    customers = {(one.system, one.external_id): one.id for one in found if one.entity is Entity.CUSTOMER}
    out: dict[int, list[Link]] = {}
    for ticket in links.referring(conn, sorted(customers)) if customers else ():
        shown = str(ticket.cells["customer"].shadow)
        if ticket.state is LinkState.ACTIVE and (ticket.system, shown) in customers:
            out.setdefault(customers[ticket.system, shown], []).append(ticket)
    return out


def edited(hub: Hub, conn: Connection, record_ids: Sequence[str]) -> dict[int, str]:
    """Links that a person touched, or may have, with what was done: edited, or brought back after a delete.

    Where the answer to a create was lost, or is pruned, nobody can tell what was typed before the first look from what
    the system put there by itself.
    """
    columns = (DECISION.c.record_id, DECISION.c.entity, DECISION.c.field, DECISION.c.rule, DECISION.c.value)
    unheard = _unheard(conn, record_ids)
    back: set[tuple[str, str]] = set()
    out: dict[int, str] = {}
    told = or_(DECISION.c.cause.in_(("change", "first_link")), DECISION.c.rule == "restored")
    query = select(*columns, DECISION.c.claims, DECISION.c.cause)
    for row in conn.execute(query.where(DECISION.c.record_id.in_(record_ids), told)):
        if row.rule == "restored":
            back |= {(row.record_id, system) for system in (row.value or {}).get("restored_in", ())}
        elif row.cause == "change" and row.rule not in _NO_EDIT:
            out.update((claim["link"], "edited there since") for claim in row.claims or ())
        elif row.cause == "first_link":
            maps = hub.maps(Entity(row.entity))
            for claim in row.claims or ():
                mapping = maps[System(claim["system"])].get(row.field)
                # What can only be read there no person typed there.
                if (row.record_id, claim["system"]) in unheard and mapping is not None and mapping.mode != "read":
                    out.setdefault(claim["link"], UNHEARD)
    if back:
        found = links.links_of(conn, sorted({record for record, _ in back}))
        for link in (one for of in found.values() for one in of):
            if (str(link.record_id), str(link.system)) in back and link.state is LinkState.ACTIVE:
                out.setdefault(link.id, "brought back there since")
    return out


def _unheard(conn: Connection, record_ids: Sequence[str]) -> set[tuple[str, str]]:
    """(record, system) of creates that landed and of whose answer nothing is known."""
    answered = select(RECEIPT.c.intent_id).where(RECEIPT.c.intent_id == INTENT.c.id, RECEIPT.c.outcome == Outcome.DONE)
    landed = select(INTENT.c.record_id, INTENT.c.system).where(
        INTENT.c.record_id.in_(record_ids),
        INTENT.c.verb == Verb.CREATE,
        INTENT.c.state == IntentState.ACKNOWLEDGED,
        ~answered.exists(),
    )
    return {(row.record_id, row.system) for row in conn.execute(landed)}


def stays(link: Link, touched: Mapping[int, str]) -> str | None:
    """Why an object of ours is not taken away."""
    if link.id in touched:
        return touched[link.id]
    if any(cell.changed for cell in link.cells.values()):
        return "edited there since"
    if link.unsettled:
        return "a write is under way"
    return None


def items_of(found: Made) -> list[Item]:
    """The deletes of a plan."""
    return [_item(link) for record in sorted(found.may_go) for link in found.may_go[record]]


def _item(link: Link) -> Item:
    for_good = "" if link.system in ARCHIVES else "; for good"
    return Item(
        record=str(link.record_id),
        entity=str(link.entity),
        system=str(link.system),
        verb=str(Verb.DELETE),
        fields=(WHOLE,),
        pre={WHOLE: payload_hash(link.external_id)},
        payload={WHOLE: NOTHING},
        reason=f"it was created, and nobody touched it since{for_good}",
        facts={"link": link.external_id},
    )


# --- carrying out -----------------------------------------------------------------------------------------------


def decide(scene: Scene, item: Item, touched: Mapping[int, str]) -> str | None:
    """One decision that takes the object away; the reason why not, when somebody was faster."""
    link = next((one for one in scene.links if str(one.system) == item.system), None)
    if link is None or payload_hash(link.external_id) != item.pre[WHOLE]:
        return f"{item.system} has another object, or none, since"
    if scene.record.tombstone:
        return "the record ended since"
    reason = stays(link, touched)
    if reason is not None:
        return f"{link.system} {link.external_id}: {reason}"
    number = scene.add(WHOLE, {"removed_from": item.system}, SOURCE, cause=SOURCE)
    scene.record.decided[WHOLE] = number
    return None


# --- judging ----------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Doomed:
    """Links of one record whose objects an approved plan takes away: those to delete, and whether some wait."""

    links: set[int] = field(default_factory=set)
    waits: bool = False


def doomed(conn: Connection, gate: Gate, scene: Scene, decisions: Sequence[Decision]) -> Doomed:
    """After the merge: what an approved undo still takes away. What somebody edited meanwhile stays, and is said so."""
    out = Doomed()
    for link in scene.links if gate.known else ():
        key = Key(INTENTS, str(link.system), str(link.entity), str(Verb.DELETE), WHOLE)
        word = gate.known.get((key, str(scene.record.id), 0))
        if word is None or word.plan is None or word.state != APPROVED or word.pre != payload_hash(link.external_id):
            continue
        if _touched_now(link, decisions):
            scene.add(WHOLE, {"stays_in": str(link.system)}, "edit_wins", cause=SOURCE)
            continue
        tickets = [] if link.entity is Entity.TICKET else _tickets(conn, [link]).get(link.id, [])
        if tickets and not _going_too(conn, tickets):
            scene.add(WHOLE, {"stays_in": str(link.system)}, "edit_wins", cause=SOURCE)
            continue
        gate.seen.add(word.id)
        out.links.add(link.id)
        out.waits |= bool(tickets)
    return out


def _touched_now(link: Link, decisions: Sequence[Decision]) -> bool:
    if any(cell.changed for cell in link.cells.values()):
        return True
    return any(
        claim.link_id == link.id
        for one in decisions
        if one.cause == "change" and one.rule not in _NO_EDIT
        for claim in one.claims
    )


def _going_too(conn: Connection, tickets: Sequence[Link]) -> bool:
    """Whether every ticket of a customer is about to be taken away by a plan as well: then the customer goes after."""
    words = holds.items_of(conn, sorted({str(one.record_id) for one in tickets if one.record_id}))
    going: set[tuple[Json, System]] = {
        (one.record_id, System(one.key.system))
        for one in words
        if one.plan is not None and one.state == APPROVED and one.key.verb == Verb.DELETE
    }
    return all((one.record_id, one.system) in going for one in tickets)
