"""Settling: answers become facts, refusals are parked, and what may have landed is looked up.

The written fields of an acknowledged intent agree at what was read back; every other field of an answer is an ordinary
observation. An unknown outcome is settled before anything else is done for its record: a create by its marker, an
update by a fenced read, field by field.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection

from sync_platform.connectors.protocol import Outcome, Receipt
from sync_platform.core.mappings import FieldMap, Unmappable, observe
from sync_platform.core.normalize import blank, respelt
from sync_platform.core.records import (
    UNSET,
    Channel,
    Entity,
    IntentState,
    Json,
    Lane,
    Link,
    LinkState,
    Row,
    System,
    Verb,
)
from sync_platform.errors import SyncError
from sync_platform.ledger import journal, links, outbox
from sync_platform.ledger.database import number
from sync_platform.ledger.outbox import Intent
from sync_platform.sync import endless, order, pull, refusals, unanswered, vanished
from sync_platform.sync.endings import WHOLE
from sync_platform.sync.hub import Hub, Step
from sync_platform.sync.order import MARKERS
from sync_platform.sync.reconcile import judge_now

TRIES_MAX = 8
ENDS = (Verb.DELETE, Verb.ERASE)


@dataclass(slots=True)
class Settled:
    """What a batch of receipts writes."""

    links: list[Link] = field(default_factory=list)
    states: list[tuple[int, IntentState, Any, Any]] = field(default_factory=list)
    receipts: list[dict[str, Any]] = field(default_factory=list)
    parked: list[dict[str, Any]] = field(default_factory=list)
    dirty: set[str] = field(default_factory=set)
    children: set[str] = field(default_factory=set)
    references: list[str] = field(default_factory=list)
    observations: list[dict[str, Any]] = field(default_factory=list)
    refetch: list[str] = field(default_factory=list)
    existing: list[str] = field(default_factory=list)


def settle(
    hub: Hub, system: System, entity: Entity, by_token: dict[str, Intent], receipts: Sequence[Receipt], step: Step
) -> None:
    """Answers become facts, in one transaction; refused values are parked; what moved is read again."""
    if not receipts:
        return
    out = Settled()
    with hub.ledger.begin() as conn:
        fence = number(conn)
        intents = [by_token[receipt.token] for receipt in receipts]
        known = links.links_by_id(conn, [intent.link_id for intent in intents if intent.link_id is not None])
        for receipt, intent in zip(receipts, intents, strict=True):
            _settle_one(hub, conn, intent, receipt, known.get(intent.link_id or 0), fence, out, step)
        links.save_links(conn, out.links)
        outbox.set_states(conn, out.states)
        journal.add_receipts(conn, out.receipts)
        journal.add_observations(conn, out.observations)
        journal.park(conn, out.parked)
        links.mark_dirty(conn, out.dirty)
        if entity is Entity.CUSTOMER:
            links.mark_dirty_children(conn, out.children)
            links.mark_awaiting(conn, out.references)
    if out.refetch or out.existing:
        ids = sorted({*out.refetch, *out.existing})
        pull.fetch(hub, system, entity, ids, judge_now(hub, entity), lane=Lane.DELTA)


def _settle_one(
    hub: Hub,
    conn: Connection,
    intent: Intent,
    receipt: Receipt,
    link: Link | None,
    fence: int,
    out: Settled,
    step: Step,
) -> None:
    now = hub.now()
    out.receipts.append(
        {
            "intent_id": intent.id,
            "outcome": str(receipt.outcome),
            "status": receipt.status,
            "code": receipt.code,
            "words": receipt.words or None,
            "correlation": receipt.correlation,
            "fields": list(receipt.fields) or None,
            "at": now,
        }
    )
    landed = receipt.external_id is not None and (intent.verb is not Verb.CREATE or receipt.existing is None)
    in_part = receipt.outcome is Outcome.DONE or (receipt.outcome is Outcome.REJECTED and receipt.row is not None)
    if receipt.fields and landed and in_part:
        _land_in_part(hub, conn, intent, receipt, link, fence, out, step)
        return
    match receipt.outcome:
        case Outcome.DONE if intent.verb in ENDS and link is not None:
            _deleted(hub, intent, link, fence, out)
            step.count("deleted")
        case Outcome.RETRY | Outcome.MOVED if intent.verb is Verb.ERASE:
            # `forget` is repeated by whoever asked for it, not by the plan.
            out.states.append((intent.id, IntentState.DROPPED, None, now))
        case Outcome.DONE:
            endless.carried_out(hub, intent)
            _acknowledge(hub, conn, intent, receipt.row, receipt.external_id, link, fence, out, step)
        case Outcome.UNKNOWN:
            out.states.append((intent.id, IntentState.UNKNOWN, hub.settle_due(), None))
            step.count("unknown")
        case Outcome.RETRY if intent.tries + 1 < TRIES_MAX:
            wait = timedelta(seconds=receipt.wait_s or min(2**intent.tries, 60))
            out.states.append((intent.id, IntentState.PLANNED, now + wait, None))
            step.count("retried")
        case Outcome.MOVED:
            endless.outrun(hub, intent)
            out.states.append((intent.id, IntentState.DROPPED, None, now))
            out.dirty.add(str(intent.record_id))
            if intent.verb is not Verb.CREATE and link is not None:
                out.refetch.append(link.external_id)
            step.count("moved")
        case _:
            refusals.parked(hub, conn, intent, receipt, link, out, step)


def _land_in_part(
    hub: Hub,
    conn: Connection,
    intent: Intent,
    receipt: Receipt,
    link: Link | None,
    fence: int,
    out: Settled,
    step: Step,
) -> None:
    """A change of several calls of which one was refused: the refused fields are parked, the others are there."""
    maps = hub.maps(intent.entity)[intent.system]
    refused = {name for name in intent.values if set(maps[name].attributes) & set(receipt.fields)}
    for name in sorted(refused):
        code = receipt.code or "REJECTED"
        out.parked.append(refusals.mark(hub, intent, name, intent.values[name], code, receipt.words))
    step.count("parked", len(refused))
    rest = replace(intent, values={name: value for name, value in intent.values.items() if name not in refused})
    _acknowledge(hub, conn, rest, receipt.row, receipt.external_id, link, fence, out, step)


def _acknowledge(
    hub: Hub,
    conn: Connection,
    intent: Intent,
    row: Row | None,
    external_id: str | None,
    link: Link | None,
    fence: int,
    out: Settled,
    step: Step,
) -> None:
    """The written fields are agreed at what was read back; everything else in the answer is an ordinary observation."""
    now = hub.now()
    maps = hub.maps(intent.entity)[intent.system]
    shown = (
        {name: theirs for name, theirs in observe(row.system, row.entity, row.attributes).items() if name in maps}
        if row is not None
        else {}
    )
    if link is None:
        if external_id is None:
            raise ValueError("an acknowledged create names its external id")
        known = links.links_by_external(conn, intent.system, intent.entity, [external_id])
        link = known.get(external_id) or Link(0, intent.record_id, intent.system, intent.entity, external_id)
        link.marker = link.marker or intent.marker
        link.record_id = link.record_id or intent.record_id
        link.created_at = link.created_at or now
        out.children.add(str(intent.record_id))
        out.references.append(f"{intent.system}:{external_id}")
        step.count("created")
    else:
        step.count("updated")
    for name, sent in intent.values.items():
        _acknowledge_field(hub, intent, link, name, sent, shown, maps, out)
    if intent.verb is Verb.CREATE:
        _blank_from_birth(hub, intent, link, shown, maps)
    for name, theirs in shown.items():
        cell = link.cell(name)
        if name in intent.values or cell.shadow == theirs:
            continue
        if order.stays(maps[name], cell.shadow, theirs):
            continue
        cell.move(theirs, link.stamp, row.stamp if row is not None else None)
        out.dirty.add(str(intent.record_id))
    if row is not None:
        out.observations.append(_observed(hub, row, shown))
        link.stamp = row.stamp or link.stamp
        link.version = row.version if row.version is not None else link.version
        link.carry = row.carry if row.carry is not None else link.carry
        link.read_at = now
    link.fence = fence
    if (intent.system, intent.entity) in order.DETAILED and intent.verb is Verb.CREATE:
        link.detail = 0
    out.links.append(link)
    out.dirty.add(str(intent.record_id))
    out.states.append((intent.id, IntentState.ACKNOWLEDGED, None, now))
    step.show(
        record=str(intent.record_id), system=str(intent.system), verb=str(intent.verb), fields=sorted(intent.values)
    )


def _deleted(hub: Hub, intent: Intent, link: Link, fence: int, out: Settled) -> None:
    """What we deleted is gone, and its id stays known; nothing follows from an end that is our own."""
    now = hub.now()
    link.state, link.fence, link.read_at = LinkState.GONE, fence, now
    link.detail, link.again = 0, False
    link.gone = {"kind": "by_us", "at": now.isoformat(), "run": hub.run, "judged": "keep"}
    out.links.append(link)
    out.dirty.add(str(intent.record_id))
    out.states.append((intent.id, IntentState.ACKNOWLEDGED, None, now))


def _blank_from_birth(hub: Hub, intent: Intent, link: Link, shown: dict[str, Json], maps: dict[str, FieldMap]) -> None:
    """What we made without a value is blank there, though no answer shows it; without a base it claims nothing."""
    lexicon = hub.lexicon(intent.system, intent.entity)
    for name, mapping in maps.items():
        if name in intent.values or name in shown or mapping.mode == "read" or not link.cell(name).unread:
            continue
        try:
            link.cell(name).shadow = mapping.put([] if mapping.kind == "set" else None, lexicon)
        except Unmappable:
            continue


def _acknowledge_field(
    hub: Hub,
    intent: Intent,
    link: Link,
    name: str,
    sent: Json,
    shown: dict[str, Json],
    maps: dict[str, FieldMap],
    out: Settled,
) -> None:
    cell = link.cell(name)
    read = shown.get(name, sent)
    before = intent.pre.get(name, UNSET)
    if name in shown and read == before and read != sent and not _ours(hub, intent, maps[name], read, sent):
        # The system answered «done» and still shows what it had, which is not our value as it spells it: not an
        # agreement, and not somebody's edit.
        cell.shadow = cell.base = read
        out.parked.append(refusals.mark(hub, intent, name, sent, "NOT_TAKEN", "accepted but not taken"))
        return
    cell.shadow = cell.base = cell.held = read
    cell.image = sent
    cell.seen = intent.numbers.get(name, 0)
    if maps[name].kind == "set" and intent.verb is Verb.UPDATE and read != sent:
        cell.base = cell.held = _without_others(hub, intent, maps[name], name, read, sent)


def _without_others(hub: Hub, intent: Intent, mapping: FieldMap, name: str, read: Json, sent: Json) -> Json:
    """What the set would be if nobody else had touched it meanwhile: what others added or took is an ordinary change.

    Where an element that we added is not there as it was sent, the system spells elements its own way: then the answer
    says nothing about others.
    """
    lexicon = hub.lexicon(intent.system, intent.entity)
    try:
        shown, ours, before = (set(mapping.get(one, None, lexicon)) for one in (read, sent, intent.pre.get(name) or []))
        if not ours - before <= shown:
            return read
        return mapping.put(sorted(ours), lexicon)
    except (SyncError, Unmappable):
        return read


def _equal(hub: Hub, intent: Intent, mapping: FieldMap, one: Json, other: Json) -> bool:
    lexicon = hub.lexicon(intent.system, intent.entity)
    try:
        return bool(mapping.get(one, None, lexicon) == mapping.get(other, None, lexicon))
    except SyncError:
        return False


def _ours(hub: Hub, intent: Intent, mapping: FieldMap, shown: Json, sent: Json) -> bool:
    """Whether what stands there after a lost answer is what we sent, as that system spells it.

    Taken for somebody's edit, our own value would win over what people typed since; taken for ours, at worst an edit of
    capitals and blanks alone is written over once.
    """
    return _equal(hub, intent, mapping, shown, sent) or respelt(shown, sent)


def _observed(hub: Hub, row: Row, fields: dict[str, Json]) -> dict[str, Any]:
    return {
        "system": str(row.system),
        "entity": str(row.entity),
        "external_id": row.external_id,
        "fields": fields,
        "mapping_version": hub.mapping_version,
        "source_stamp": row.stamp,
        "row_version": row.version,
        "observed_at": hub.now(),
        "channel": str(Channel.ANSWER),
        "evidence": None,
        "taken": True,
        "run": hub.run,
    }


# --- unknown outcomes -------------------------------------------------------------------------------------------


def settle_unknown(hub: Hub, system: System, entity: Entity, step: Step) -> None:
    """Every write that may have landed is looked up once the system can no longer be at work on it."""
    now = hub.now()
    wait = timedelta(seconds=hub.timing.settle_s)
    with hub.ledger.read() as conn:
        open_ = outbox.unsettled(conn, system, entity)
    due = [i for i in open_ if (i.due_at or (i.sent_at or now) + wait) <= now]
    if len(due) < len(open_):
        step.complete = False
    creates = [intent for intent in due if intent.verb is Verb.CREATE]
    updates = [intent for intent in due if intent.verb is not Verb.CREATE]
    if creates:
        settle_creates(hub, system, entity, creates, step)
    if updates:
        _settle_updates(hub, system, entity, updates, step)


def settle_creates(hub: Hub, system: System, entity: Entity, intents: Sequence[Intent], step: Step) -> None:
    """By marker, never through a search index; re-planned only when proven absent."""
    keys = [("marker", str(intent.marker)) for intent in intents]
    found = dict(hub.connectors[system].lookup(entity, keys, lane=Lane.REPAIR))
    out = Settled()
    with hub.ledger.begin() as conn:
        fence = number(conn)
        for index, intent in enumerate(intents):
            row = found.get(index)
            until = unanswered.may_appear(hub, intent)
            if row is not None:
                _acknowledge_found(hub, conn, intent, row, fence, out, step)
            elif until is not None:
                out.states.append((intent.id, IntentState.UNKNOWN, until, None))
            else:
                out.states.append((intent.id, IntentState.DROPPED, None, hub.now()))
            out.dirty.add(str(intent.record_id))
        _keep_found(conn, entity, out)
    step.count("settled", sum(1 for _, state, _, _ in out.states if state is not IntentState.UNKNOWN))


def settle_shown(hub: Hub, conn: Connection, system: System, entity: Entity, rows: Sequence[Row]) -> set[str]:
    """Objects that are shown for the first time and bear the marker of a create that nobody answered: they prove it.

    Settled in the caller's transaction, before anything of the row is taken: what stands there and is not what was sent
    is somebody's edit, and a later row is judged against it. Gives their external ids.
    """
    by_marker = {str(row.attributes[MARKERS[system]]): row for row in rows}
    out = Settled()
    fence = number(conn)
    step = Step("shown")
    for intent in outbox.unsettled_creates(conn, system, entity, sorted(by_marker)):
        row = by_marker.pop(str(intent.marker), None)
        if row is None:
            continue
        _acknowledge_found(hub, conn, intent, row, fence, out, step)
        out.dirty.add(str(intent.record_id))
        if (system, entity) in order.DETAILED and row.channel not in (Channel.BY_ID, Channel.ANSWER):
            out.links[-1].detail = order.UPDATED
    _keep_found(conn, entity, out)
    return {link.external_id for link in out.links}


def _keep_found(conn: Connection, entity: Entity, out: Settled) -> None:
    """Write what creates turned out to have made."""
    links.save_links(conn, out.links)
    outbox.set_states(conn, out.states)
    journal.add_observations(conn, out.observations)
    links.mark_dirty(conn, out.dirty)
    if entity is Entity.CUSTOMER:
        links.mark_dirty_children(conn, out.children)
        links.mark_awaiting(conn, out.references)


def _acknowledge_found(
    hub: Hub, conn: Connection, intent: Intent, row: Row, fence: int, out: Settled, step: Step
) -> None:
    """A create may be several calls, and a crash can stop it between them: what is still blank there is owed as before.
    Anything else that is not what we sent was edited there since, or is what an earlier create sent that landed late.
    """
    maps = hub.maps(intent.entity)[intent.system]
    shown = observe(row.system, row.entity, row.attributes)
    other = {
        name
        for name, sent in intent.values.items()
        if name in shown and shown[name] != sent and not _ours(hub, intent, maps[name], shown[name], sent)
    }
    landed = {name: sent for name, sent in intent.values.items() if name not in other}
    _acknowledge(hub, conn, replace(intent, values=landed), row, row.external_id, None, fence, out, step)
    link = out.links[-1]
    before = unanswered.sent_before(hub, conn, intent) if other else {}
    for name in other:
        cell = link.cell(name)
        cell.shadow = cell.base = shown[name]
        late = any(_ours(hub, intent, maps[name], shown[name], sent) for sent in before.get(name, ()))
        if not blank(shown[name]) and not late:
            cell.base = cell.held = cell.image = intent.values[name]
            cell.seen = intent.numbers.get(name, 0)


def _settle_updates(hub: Hub, system: System, entity: Entity, intents: Sequence[Intent], step: Step) -> None:
    """By a fenced read, field by field: one field that shows our value proves the call."""
    with hub.ledger.begin() as conn:
        fence = number(conn)
        known = links.links_by_id(conn, [intent.link_id for intent in intents if intent.link_id is not None])
    ids = sorted({link.external_id for link in known.values()})
    connector = hub.connectors[system]
    # What is not found may have been merged away meanwhile: then it was not we who ended it.
    shown = vanished.traced(hub, connector, entity, list(connector.fetch(entity, ids, lane=Lane.REPAIR)))
    rows = {row.external_id: row for row in shown}
    out = Settled()
    maps = hub.maps(entity)[system]
    with hub.ledger.begin() as conn:
        for intent in intents:
            link = known.get(intent.link_id or 0)
            row = rows.get(link.external_id) if link is not None else None
            out.dirty.add(str(intent.record_id))
            if intent.verb in ENDS and link is not None and row is not None:
                _settle_delete(hub, conn, intent, link, row, fence, out)
                continue
            if link is None or row is None or row.evidence is not None:
                out.states.append((intent.id, IntentState.DROPPED, None, hub.now()))
                if link is not None:
                    # It may have landed before the end: should the object be there after all, that is no edit.
                    _may_land(hub, conn, intent, link)
                    link.again = True
                    out.links.append(link)
                continue
            _settle_update(hub, conn, intent, link, row, maps, fence, out)
        links.save_links(conn, out.links)
        outbox.set_states(conn, out.states)
        journal.add_observations(conn, out.observations)
        links.mark_dirty(conn, out.dirty)
    step.count("settled", len(intents))


def _may_land(hub: Hub, conn: Connection, intent: Intent, link: Link, values: Mapping[str, Json] | None = None) -> None:
    """What a write without an answer may still show there is ours."""
    until = hub.now() + timedelta(seconds=hub.timing.late_s)
    journal.add_late(conn, link.id, intent.id, dict(intent.values if values is None else values), until)


def _settle_delete(hub: Hub, conn: Connection, intent: Intent, link: Link, row: Row, fence: int, out: Settled) -> None:
    """Gone: it landed. Still there: planned anew, and should it land late, that is not somebody's delete."""
    if row.evidence is not None and row.evidence.kind != "merged":
        _deleted(hub, intent, link, fence, out)
        return
    link.again = True
    out.links.append(link)
    out.states.append((intent.id, IntentState.DROPPED, None, hub.now()))
    _may_land(hub, conn, intent, link, {WHOLE: None})


def _landed_elements(hub: Hub, intent: Intent, mapping: FieldMap, name: str, read: Json) -> Json | None:
    """The set as our unanswered write left it, where one element shows that it landed; None where none does.

    Elements are added by one call and taken away by a later one: one added element proves all of them, one that is
    gone proves both calls. What then differs is somebody's later edit.
    """
    lexicon = hub.lexicon(intent.system, intent.entity)
    try:
        shown, sent, before = (
            set(mapping.get(one, None, lexicon)) for one in (read, intent.values[name], intent.pre.get(name) or [])
        )
        took = bool((before - sent) - shown)
        if not took and not (sent - before) & shown:
            return None
        return mapping.put(sorted(sent if took else before | sent), lexicon)
    except (SyncError, Unmappable):
        return None


def _settle_update(
    hub: Hub,
    conn: Connection,
    intent: Intent,
    link: Link,
    row: Row,
    maps: dict[str, FieldMap],
    fence: int,
    out: Settled,
) -> None:
    shown = {name: v for name, v in observe(row.system, row.entity, row.attributes).items() if name in maps}
    landed = {
        name
        for name, sent in intent.values.items()
        if name in shown
        and (shown[name] == sent or _ours(hub, intent, maps[name], shown[name], sent))
        and shown[name] != intent.pre.get(name, UNSET)
    }
    # Elements may be there by chance; a field of the same call that still shows what it had says that it did not land.
    unmoved = not landed and any(
        name in shown and shown[name] != sent and shown[name] == intent.pre.get(name, UNSET)
        for name, sent in intent.values.items()
    )
    for name, theirs in shown.items():
        cell = link.cell(name)
        if order.stays(maps[name], cell.shadow, theirs):
            continue
        cell.move(theirs, link.stamp, row.stamp)
        if name in landed:
            cell.base = theirs
        elif name in intent.values and maps[name].kind == "set" and not unmoved:
            known = _landed_elements(hub, intent, maps[name], name, theirs)
            if known is not None:
                cell.base = known
                landed.add(name)
    # Where a write is compared with the row's version, it can land no more once that version is past.
    too_late = row.version is not None and link.version is not None and row.version != link.version
    if not landed and not too_late:
        _may_land(hub, conn, intent, link)
    link.stamp, link.version = row.stamp or link.stamp, row.version if row.version is not None else link.version
    link.carry = row.carry if row.carry is not None else link.carry
    link.fence, link.read_at = fence, hub.now()
    out.links.append(link)
    out.observations.append(_observed(hub, row, shown))
    out.states.append((intent.id, IntentState.ACKNOWLEDGED if landed else IntentState.DROPPED, None, hub.now()))
