"""Push: planned intents become calls, answers become facts.

For each link, one lane: fenced read where the shadow is too old; commit `sent`; call; settle. What may have landed is
settled before anything else is done for that record. A refusal parks what was refused and blocks nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection

from sync_platform.connectors.protocol import Change, Outcome, Receipt
from sync_platform.core.mappings import FieldMap, Lexicon, Unmappable, attributes_of, constants, match_keys, observe, replaced
from sync_platform.core.records import (
    UNSET,
    Cell,
    Channel,
    Entity,
    IntentState,
    Json,
    Lane,
    Link,
    Row,
    System,
    Verb,
    payload_hash,
)
from sync_platform.errors import SyncError
from sync_platform.ledger import journal, links, outbox
from sync_platform.ledger.database import number
from sync_platform.ledger.outbox import Intent
from sync_platform.sync import pull
from sync_platform.sync.hub import Hub, Progress, Step
from sync_platform.sync.reconcile import judge_all, judge_now

# A batch is also what a crash may leave unsettled: small where calls are single.
BATCH = {System.GORGIAS: 10, System.HUBSPOT: 100, System.ERP: 500}
TRIES_MAX = 8
# Written whole from what the last read by id showed, so that read must be fresh [Gorgias: channels and data replace].
WHOLE = {"emails", "phones", "email"}


def push(hub: Hub, system: System, entity: Entity) -> Step:
    """Write everything that is planned and due for one system and entity."""
    step = Step(f"written/{system}_{entity}")
    try:
        settle_unknown(hub, system, entity, step)
        judge_all(hub, entity, step)
        while _push_batch(hub, system, entity, step):
            if hub.over():
                step.complete = False
                break
    except SyncError as error:
        pull._trouble(hub, step, system, entity, error)  # noqa: SLF001
    for name in ("judged", "decisions", "linked", "born", "gaps"):
        step.counts.pop(name, None)
    return step


def _push_batch(hub: Hub, system: System, entity: Entity, step: Step) -> bool:
    """One batch of intents; False when nothing is due (or nothing may be written)."""
    if not hub.writes:
        return False
    now = hub.now()
    with hub.ledger.read() as conn:
        intents = outbox.planned(conn, system, entity, now=now, limit=BATCH[system])
    if not intents:
        return False
    if intents[0].lane is Lane.BACKFILL and step.counts.get("sent") and hub.news_waits():
        step.complete = False
        return False
    if _read_first(hub, system, entity, intents, step):
        judge_all(hub, entity, step)
        return True
    intents = _look_up_creates(hub, system, entity, intents, step)
    if not intents:
        judge_all(hub, entity, step)
        return True
    _send(hub, system, entity, intents, step)
    judge_all(hub, entity, step)
    return True


def _read_first(hub: Hub, system: System, entity: Entity, intents: Sequence[Intent], step: Step) -> bool:
    """Fenced reads for shadows older than their limit; True when something moved or was re-read."""
    updates = [intent for intent in intents if intent.link_id is not None]
    limit = hub.now() - timedelta(seconds=hub.timing.fresh_s)
    with hub.ledger.read() as conn:
        known = links.links_by_id(conn, [intent.link_id for intent in updates if intent.link_id is not None])
        polled = hub.polled(conn, entity).get(system)
    stale = []
    for intent in updates:
        link = known.get(intent.link_id or 0)
        if link is None:
            continue
        seen = link.read_at
        if polled is not None and not _composed(hub, intent):
            seen = max(polled, seen) if seen else polled
        if seen is None or seen < limit or (link.carry is None and _composed(hub, intent)) or link.again:
            stale.append(link.external_id)
    if not stale:
        return False
    hub.did(system, f"fenced:{entity}", len(stale))
    step.count("fenced_reads", pull.fetch(hub, system, entity, stale, judge_now(hub, entity), lane=Lane.DELTA))
    return True


def _composed(hub: Hub, intent: Intent) -> bool:
    """Whether the write is composed from what only a read by id shows."""
    if intent.system is not System.GORGIAS or intent.entity is not Entity.CUSTOMER:
        return False
    maps = hub.maps(intent.entity)[intent.system]
    names = {attribute for name in intent.values if name in maps for attribute in maps[name].attributes}
    return any(name in WHOLE or name.startswith("sync.") for name in names)


def _look_up_creates(
    hub: Hub, system: System, entity: Entity, intents: Sequence[Intent], step: Step
) -> list[Intent]:
    """A create needs a look-up by key that found nothing; what it finds is an observation, and the plan starts anew."""
    creates = [intent for intent in intents if intent.verb is Verb.CREATE]
    if not creates or entity is not Entity.CUSTOMER:
        return list(intents)
    maps = hub.maps(entity)[system]
    keys: list[tuple[str, str]] = []
    owners: list[int] = []
    for intent in creates:
        for name, theirs in intent.values.items():
            mapping = maps.get(name)
            if mapping and mapping.match in ("email", "phone"):
                for value in _texts(attributes_of(mapping, theirs)):
                    keys.append((mapping.match, value))
                    owners.append(intent.id)
    if not keys:
        return list(intents)
    hub.did(system, "lookups", len({owner for owner in owners}))
    found = [
        (index, row)
        for index, row in hub.connectors[system].lookup(entity, keys, lane=Lane.DELTA)
        if _holds(hub, row, keys[index])
    ]
    if not found:
        return list(intents)
    hit = {owners[index] for index, _ in found}
    rows = list({row.external_id: row for _, row in found}.values())
    with hub.ledger.begin() as conn:
        pull.take(hub, conn, system, rows, judge_now(hub, entity), begun=number(conn))
        outbox.drop_planned(conn, sorted(hit))
        links.mark_dirty(conn, [str(intent.record_id) for intent in creates if intent.id in hit])
    step.count("found_by_key", len(hit))
    return [intent for intent in intents if intent.id not in hit]


def _holds(hub: Hub, row: Row, key: tuple[str, str]) -> bool:
    """A side may answer a look-up with rows that only resemble the key; equal means equal when normalised."""
    lexicon = hub.lexicon(row.system, row.entity)
    wanted = set(match_keys(row.system, row.entity, {key[0]: key[1]}, lexicon))
    return row.evidence is None and bool(wanted & set(match_keys(row.system, row.entity, row.attributes, lexicon)))


def _texts(attributes: dict[str, Json]) -> list[str]:
    out: list[str] = []
    for value in attributes.values():
        out += [item for item in (value if isinstance(value, list) else [value]) if isinstance(item, str) and item]
    return out


# --- sending ----------------------------------------------------------------------------------------------------


def _send(hub: Hub, system: System, entity: Entity, intents: Sequence[Intent], step: Step) -> None:
    """`sent` commits before the call: a crash from here on leaves an intent that is looked up, never repeated blindly."""
    with hub.ledger.begin() as conn:
        known = links.links_by_id(conn, [intent.link_id for intent in intents if intent.link_id is not None])
        intents = [intent for intent in intents if not _unjudged(hub, intent, known)]
        outbox.mark_sent(conn, intents, hub.now(), hub.run)
    if not intents:
        return
    changes = [_change(hub, intent, known.get(intent.link_id or 0)) for intent in intents]
    _bound(hub, system, entity, intents)
    by_token = {str(intent.id): intent for intent in intents}
    answered: set[str] = set()
    pending: list[Receipt] = []
    single = hub.connectors[system].batch_size.get((entity, Verb.UPDATE), 1) == 1
    lane = intents[0].lane
    try:
        for receipt in hub.connectors[system].apply(changes, lane=lane):
            answered.add(receipt.token)
            pending.append(receipt)
            if single:
                _settle(hub, system, entity, by_token, pending, step)
                pending = []
    finally:
        _settle(hub, system, entity, by_token, pending, step)
        left = [intent for token, intent in by_token.items() if token not in answered]
        if left:
            with hub.ledger.begin() as conn:
                due = hub.settle_due()
                outbox.set_states(conn, [(intent.id, IntentState.UNKNOWN, due, None) for intent in left])
    step.count("sent", len(intents))
    hub.progress(Progress(step.name, rows=int(step.counts["sent"])))


def _unjudged(hub: Hub, intent: Intent, known: dict[int, Link]) -> bool:
    """No send for a link with a change that nobody judged."""
    link = known.get(intent.link_id or 0)
    return link is not None and any(cell.changed for cell in link.cells.values())


def _change(hub: Hub, intent: Intent, link: Link | None) -> Change:
    maps = hub.maps(intent.entity)[intent.system]
    to_set: dict[str, Json] = {}
    was: dict[str, Json] = {}
    add: dict[str, list[Json]] = {}
    remove: dict[str, list[Json]] = {}
    lexicon = hub.lexicon(intent.system, intent.entity)
    for name, theirs in intent.values.items():
        mapping = maps[name]
        to_set |= attributes_of(mapping, theirs)
        if link is not None and name in link.cells and not link.cells[name].unread:
            was |= attributes_of(mapping, _was(mapping, link.cells[name], lexicon))
        if mapping.kind == "set" and intent.verb is Verb.UPDATE:
            add[mapping.attributes[0]] = intent.add.get(name, [])
            remove[mapping.attributes[0]] = intent.remove.get(name, [])
    if intent.verb is Verb.CREATE:
        to_set = constants(intent.system, intent.entity, lexicon) | to_set
    return Change(
        token=str(intent.id),
        entity=intent.entity,
        verb=intent.verb,
        external_id=link.external_id if link else None,
        set=to_set,
        was=was,
        add=add,
        remove=remove,
        marker=intent.marker,
        version=link.version if link else None,
        carry=link.carry if link else None,
    )


def _was(mapping: FieldMap, cell: Cell, lexicon: Lexicon) -> Json:
    """What the write takes the place of; of several elements only the one that the record held."""
    if not mapping.one_of:
        return cell.shadow
    agreed = cell.image if cell.image is not UNSET else cell.shadow
    return replaced(mapping, cell.shadow, mapping.get(agreed, None, lexicon), lexicon)


def _bound(hub: Hub, system: System, entity: Entity, intents: Iterable[Intent]) -> None:
    """Counts for the lower bound, from what is to be written alone."""
    for intent in intents:
        maps = hub.maps(entity)[system]
        names = {a for name in intent.values if name in maps for a in maps[name].attributes}
        ours = any(name.startswith("sync.") for name in names)
        plain = any(not name.startswith("sync.") and name != "tags" for name in names)
        verb = str(intent.verb)
        hub.did(system, f"{verb}:{entity}")
        if ours:
            hub.did(system, f"{verb}:{entity}:data")
        if plain:
            hub.did(system, f"{verb}:{entity}:plain")
        if ours and (intent.verb is Verb.CREATE or not plain):
            hub.did(system, "read_back")
        if intent.verb is Verb.UPDATE and intent.add.get("tags"):
            hub.did(system, f"{verb}:{entity}:tags_added")
        if intent.verb is Verb.UPDATE and intent.remove.get("tags"):
            hub.did(system, f"{verb}:{entity}:tags_removed")
        if "hs_additional_emails" in names:
            hub.did(system, f"{verb}:{entity}:further_emails")
        if "contact" in names:
            hub.did(system, f"{verb}:{entity}:contact")


# --- settling ---------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Settled:
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


def _settle(
    hub: Hub, system: System, entity: Entity, by_token: dict[str, Intent], receipts: Sequence[Receipt], step: Step
) -> None:
    """Answers become facts, in one transaction; refused values are parked; what moved is read again."""
    if not receipts:
        return
    out = _Settled()
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
    out: _Settled,
    step: Step,
) -> None:
    now = hub.now()
    out.receipts.append(
        {
            "intent_id": intent.id, "outcome": str(receipt.outcome), "status": receipt.status, "code": receipt.code,
            "words": receipt.words or None, "correlation": receipt.correlation, "fields": list(receipt.fields) or None,
            "at": now,
        }
    )
    landed = receipt.external_id is not None and (intent.verb is not Verb.CREATE or receipt.existing is None)
    if receipt.fields and landed and receipt.outcome in (Outcome.DONE, Outcome.REJECTED):
        if receipt.row is not None or receipt.outcome is Outcome.DONE:
            _land_in_part(hub, conn, intent, receipt, link, fence, out, step)
            return
    match receipt.outcome:
        case Outcome.DONE:
            _acknowledge(hub, conn, intent, receipt.row, receipt.external_id, link, fence, out, step)
        case Outcome.UNKNOWN:
            out.states.append((intent.id, IntentState.UNKNOWN, hub.settle_due(), None))
            step.count("unknown")
        case Outcome.RETRY if intent.tries + 1 < TRIES_MAX:
            wait = timedelta(seconds=receipt.wait_s or min(2**intent.tries, 60))
            out.states.append((intent.id, IntentState.PLANNED, now + wait, None))
            step.count("retried")
        case Outcome.MOVED:
            out.states.append((intent.id, IntentState.DROPPED, None, now))
            out.dirty.add(str(intent.record_id))
            if intent.verb is Verb.UPDATE and link is not None:
                out.refetch.append(link.external_id)
            step.count("moved")
        case _:
            _reject(hub, intent, receipt, link, out, step)


def _land_in_part(
    hub: Hub,
    conn: Connection,
    intent: Intent,
    receipt: Receipt,
    link: Link | None,
    fence: int,
    out: _Settled,
    step: Step,
) -> None:
    """A change of several calls of which one was refused: the refused fields are parked, the others are there."""
    maps = hub.maps(intent.entity)[intent.system]
    refused = {name for name in intent.values if set(maps[name].attributes) & set(receipt.fields)}
    for name in sorted(refused):
        code = receipt.code or "REJECTED"
        out.parked.append(_mark(hub, intent, name, intent.values[name], code, receipt.words))
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
    out: _Settled,
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
        if pull.stays(maps[name], cell.shadow, theirs):
            continue
        cell.shadow = theirs
        out.dirty.add(str(intent.record_id))
    if row is not None:
        out.observations.append(_observed(hub, row, shown))
        link.stamp = row.stamp or link.stamp
        link.version = row.version if row.version is not None else link.version
        link.carry = row.carry if row.carry is not None else link.carry
        link.read_at = now
    link.fence = fence
    if (intent.system, intent.entity) in pull.DETAILED and intent.verb is Verb.CREATE:
        link.detail = 0
    out.links.append(link)
    out.dirty.add(str(intent.record_id))
    out.states.append((intent.id, IntentState.ACKNOWLEDGED, None, now))
    step.show(record=str(intent.record_id), system=str(intent.system), verb=str(intent.verb), fields=sorted(intent.values))


def _blank_from_birth(
    hub: Hub, intent: Intent, link: Link, shown: dict[str, Json], maps: dict[str, FieldMap]
) -> None:
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
    out: _Settled,
) -> None:
    cell = link.cell(name)
    read = shown.get(name, sent)
    before = intent.pre.get(name, UNSET)
    if name in shown and read == before and read != sent and not _equal(hub, intent, maps[name], read, sent):
        # The system answered «done» and still shows what it had: not an agreement, and not somebody's edit.
        cell.shadow = cell.base = read
        out.parked.append(_mark(hub, intent, name, sent, "NOT_TAKEN", "accepted but not taken"))
        return
    cell.shadow = cell.base = cell.held = read
    cell.image = sent
    cell.seen = intent.numbers.get(name, 0)


def _equal(hub: Hub, intent: Intent, mapping: FieldMap, one: Json, other: Json) -> bool:
    lexicon = hub.lexicon(intent.system, intent.entity)
    try:
        return bool(mapping.get(one, None, lexicon) == mapping.get(other, None, lexicon))
    except SyncError:
        return False


def _observed(hub: Hub, row: Row, fields: dict[str, Json]) -> dict[str, Any]:
    return {
        "system": str(row.system), "entity": str(row.entity), "external_id": row.external_id, "fields": fields,
        "mapping_version": hub.mapping_version, "source_stamp": row.stamp, "row_version": row.version,
        "observed_at": hub.now(), "channel": str(Channel.ANSWER), "evidence": None, "taken": True, "run": hub.run,
    }


def _mark(hub: Hub, intent: Intent, name: str, value: Json, code: str, words: str) -> dict[str, Any]:
    return {
        "system": str(intent.system), "entity": str(intent.entity), "record_id": str(intent.record_id),
        "link_id": intent.link_id, "external_id": None, "field": name, "hash": payload_hash(value), "code": code,
        "words": words, "remedy": _REMEDIES.get(code, "Correct the value in the system that it comes from, or retry."),
        "intent_id": intent.id, "at": hub.now(),
    }


_REMEDIES = {
    "NOT_TAKEN": "The system keeps another value: look for a rule or a validation there.",
    "NOT_ANSWERED": "The system named this row neither as done nor as failed: retry.",
    "INVALID_OPTION": "Add the option to the property there, or change the vocabulary of the policy.",
    "MISSING_SCOPES": "Grant the right that `sync-platform doctor` names.",
}


def _reject(hub: Hub, intent: Intent, receipt: Receipt, link: Link | None, out: _Settled, step: Step) -> None:
    """Only what was refused is parked: the other fields go without it in the next plan."""
    out.states.append((intent.id, IntentState.REJECTED, None, hub.now()))
    out.dirty.add(str(intent.record_id))
    if receipt.existing is not None and intent.verb is Verb.CREATE:
        out.existing.append(receipt.existing)
        step.count("found_by_key")
        return
    if receipt.code == "NOT_FOUND" and link is not None:
        link.again = True
        out.links.append(link)
        return
    maps = hub.maps(intent.entity)[intent.system]
    refused = {n for n in intent.values if set(maps[n].attributes) & set(receipt.fields)}
    code = receipt.code or "REJECTED"
    for name in sorted(refused):
        out.parked.append(_mark(hub, intent, name, intent.values[name], code, receipt.words))
    if not refused:
        out.parked.append(_mark(hub, intent, "*", intent.values, code, receipt.words))
    step.count("parked", max(1, len(refused)))


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
        _settle_creates(hub, system, entity, creates, step)
    if updates:
        _settle_updates(hub, system, entity, updates, step)


def _settle_creates(hub: Hub, system: System, entity: Entity, intents: Sequence[Intent], step: Step) -> None:
    """By marker, never through a search index; re-planned only when proven absent."""
    keys = [("marker", str(intent.marker)) for intent in intents]
    found = {index: row for index, row in hub.connectors[system].lookup(entity, keys, lane=Lane.REPAIR)}
    out = _Settled()
    with hub.ledger.begin() as conn:
        fence = number(conn)
        for index, intent in enumerate(intents):
            row = found.get(index)
            if row is not None:
                _acknowledge(hub, conn, intent, row, row.external_id, None, fence, out, step)
            else:
                out.states.append((intent.id, IntentState.DROPPED, None, hub.now()))
            out.dirty.add(str(intent.record_id))
        links.save_links(conn, out.links)
        outbox.set_states(conn, out.states)
        journal.add_observations(conn, out.observations)
        links.mark_dirty(conn, out.dirty)
        if entity is Entity.CUSTOMER:
            links.mark_dirty_children(conn, out.children)
            links.mark_awaiting(conn, out.references)
    step.count("settled", len(intents))


def _settle_updates(hub: Hub, system: System, entity: Entity, intents: Sequence[Intent], step: Step) -> None:
    """By a fenced read, field by field: one field that shows our value proves the call."""
    with hub.ledger.begin() as conn:
        fence = number(conn)
        known = links.links_by_id(conn, [intent.link_id for intent in intents if intent.link_id is not None])
    ids = sorted({link.external_id for link in known.values()})
    rows = {row.external_id: row for row in hub.connectors[system].fetch(entity, ids, lane=Lane.REPAIR)}
    out = _Settled()
    maps = hub.maps(entity)[system]
    with hub.ledger.begin() as conn:
        for intent in intents:
            link = known.get(intent.link_id or 0)
            row = rows.get(link.external_id) if link is not None else None
            out.dirty.add(str(intent.record_id))
            if link is None or row is None or row.evidence is not None:
                out.states.append((intent.id, IntentState.DROPPED, None, hub.now()))
                if link is not None:
                    link.again = True
                    out.links.append(link)
                continue
            _settle_update(hub, conn, intent, link, row, maps, fence, out)
        links.save_links(conn, out.links)
        outbox.set_states(conn, out.states)
        journal.add_observations(conn, out.observations)
        links.mark_dirty(conn, out.dirty)
    step.count("settled", len(intents))


def _settle_update(
    hub: Hub,
    conn: Connection,
    intent: Intent,
    link: Link,
    row: Row,
    maps: dict[str, FieldMap],
    fence: int,
    out: _Settled,
) -> None:
    shown = {name: v for name, v in observe(row.system, row.entity, row.attributes).items() if name in maps}
    landed = {
        name
        for name, sent in intent.values.items()
        if name in shown and (shown[name] == sent or _equal(hub, intent, maps[name], shown[name], sent))
        and shown[name] != intent.pre.get(name, UNSET)
    }
    for name, theirs in shown.items():
        cell = link.cell(name)
        if pull.stays(maps[name], cell.shadow, theirs):
            continue
        cell.shadow = theirs
        if name in landed:
            cell.base = theirs
    if not landed:
        until = hub.now() + timedelta(seconds=hub.timing.late_s)
        journal.add_late(conn, link.id, intent.id, dict(intent.values), until)
    link.stamp, link.version = row.stamp or link.stamp, row.version if row.version is not None else link.version
    link.carry = row.carry if row.carry is not None else link.carry
    link.fence, link.read_at = fence, hub.now()
    out.links.append(link)
    out.observations.append(_observed(hub, row, shown))
    state = IntentState.ACKNOWLEDGED if landed else IntentState.DROPPED
    out.states.append((intent.id, state, None, hub.now()))
