"""Push: planned intents become calls, answers become facts.

For each link, one lane: fenced read where the shadow is too old; commit `sent`; call; settle. What may have landed is
settled before anything else is done for that record. A refusal parks what was refused and blocks nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from sync_platform.connectors.protocol import Change, Receipt
from sync_platform.core.mappings import (
    FieldMap,
    Lexicon,
    attributes_of,
    constants,
    match_keys,
    replaced,
)
from sync_platform.core.merge import unjudged
from sync_platform.core.records import (
    UNSET,
    Cell,
    Entity,
    IntentState,
    Json,
    Lane,
    Link,
    Row,
    System,
    Verb,
)
from sync_platform.errors import SyncError
from sync_platform.ledger import links, outbox, work
from sync_platform.ledger.database import number
from sync_platform.ledger.outbox import Intent
from sync_platform.sync import brake, endless, in_force, pull
from sync_platform.sync.hub import Hub, Step
from sync_platform.sync.order import MARKERS
from sync_platform.sync.reconcile import judge_all, judge_now
from sync_platform.sync.settle import settle, settle_unknown

# A batch is also what a crash may leave unsettled: small where calls are single.
BATCH = {System.GORGIAS: 10, System.HUBSPOT: 100, System.ERP: 500}
# Written whole from what the last read by id showed, so that read must be fresh [Gorgias: channels and data replace].
WHOLE = {"emails", "phones", "email"}


def push(hub: Hub, system: System, entity: Entity) -> Step:
    """Write everything that is planned and due for one system and entity."""
    step = Step(f"written/{system}_{entity}")
    in_force.notice(hub)
    try:
        hub.reach(system)
        if _to_send(hub, system, entity, step):
            _push_all(hub, system, entity, step)
    except SyncError as error:
        pull.trouble(hub, step, system, entity, error)
    for name in ("judged", "decisions", "linked", "born", "gaps"):
        step.counts.pop(name, None)
    return step


def _to_send(hub: Hub, system: System, entity: Entity, step: Step) -> bool:
    """Settle and judge what waits for it; whether anything is planned then."""
    with hub.ledger.read() as conn:
        owed = work.owed(conn, system, entity)
    if owed.settle:
        settle_unknown(hub, system, entity, step)
        return _judged(hub, system, entity, step)
    return _judged(hub, system, entity, step, owed)


def _judged(hub: Hub, system: System, entity: Entity, step: Step, owed: work.Owed | None = None) -> bool:
    """Judge what waits for it (`owed`, where it was asked just now); whether anything may be sent then."""
    if owed is None:
        with hub.ledger.read() as conn:
            owed = work.owed(conn, system, entity)
    if owed.judge or hub.asks:
        judge_all(hub, entity, step, owed.judge)
        with hub.ledger.read() as conn:
            owed = work.owed(conn, system, entity)
    return hub.writes and owed.send


def _push_all(hub: Hub, system: System, entity: Entity, step: Step) -> None:
    if brake.watch_writes(hub, system, entity):
        judge_all(hub, entity, step)
    while _push_batch(hub, system, entity, step) and _judged(hub, system, entity, step):
        if hub.over():
            step.complete = False
            break


def _push_batch(hub: Hub, system: System, entity: Entity, step: Step) -> bool:
    """One batch of intents, after which there may be changes to judge; False when nothing is due."""
    now = hub.now()
    with hub.ledger.read() as conn:
        intents = outbox.planned(conn, system, entity, now=now, limit=BATCH[system], only=hub.chosen, but=hub.left)
    if not intents:
        return False
    if endless.leave(hub, system, entity, intents, step):
        judge_all(hub, entity, step)
        return True
    if intents[0].lane is Lane.BACKFILL and step.counts.get("sent") and hub.news_waits():
        step.complete = False
        return False
    if _read_first(hub, system, entity, intents, step) or _read_before_delete(hub, system, entity, intents, step):
        return True
    intents = _look_up_creates(hub, system, entity, intents, step)
    if intents:
        _send(hub, system, entity, intents, step)
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
        seen = _seen_at(hub, intent, link, polled)
        if seen is None or seen < limit or (link.carry is None and _composed(hub, intent)) or link.again:
            stale.append(link.external_id)
    if not stale:
        return False
    hub.did(system, f"fenced:{entity}", len(stale))
    step.count("fenced_reads", pull.fetch(hub, system, entity, stale, judge_now(hub, entity), lane=Lane.DELTA))
    return True


def _seen_at(hub: Hub, intent: Intent, link: Link, polled: datetime | None) -> datetime | None:
    """When what an update takes the place of was last read: by id, or by a look that found no news of it."""
    seen = link.read_at
    if polled is not None and not _composed(hub, intent):
        seen = max(polled, seen) if seen else polled
    return seen


def _blind(hub: Hub, system: System, intent: Intent, known: Mapping[int, Link], polled: datetime | None) -> None:
    """An update was answered: how long ago we had looked at what it took the place of."""
    link = known.get(intent.link_id or 0)
    if link is None or intent.verb is not Verb.UPDATE:
        return
    seen = _seen_at(hub, intent, link, polled)
    if seen is not None:
        hub.unseen_for(system, (hub.now() - seen).total_seconds())


def _read_before_delete(hub: Hub, system: System, entity: Entity, intents: Sequence[Intent], step: Step) -> bool:
    """A delete goes out right after a fenced read that equals the shadow; True when the read showed something else."""
    doomed = [intent.link_id for intent in intents if intent.verb is Verb.DELETE and intent.link_id is not None]
    if not doomed:
        return False
    with hub.ledger.read() as conn:
        before = links.links_by_id(conn, doomed)
    ids = [link.external_id for link in before.values()]
    hub.did(system, f"fenced:{entity}", len(ids))
    step.count("fenced_reads", pull.fetch(hub, system, entity, ids, judge_now(hub, entity), lane=Lane.DELTA))
    with hub.ledger.read() as conn:
        now = links.links_by_id(conn, doomed)
    return any(_moved(link, now.get(number)) for number, link in before.items())


def _moved(before: Link, now: Link | None) -> bool:
    if now is None or now.state is not before.state or now.again or now.gone:
        return True
    shown = {name: cell.shadow for name, cell in before.cells.items()}
    return shown != {name: cell.shadow for name, cell in now.cells.items()}


def _composed(hub: Hub, intent: Intent) -> bool:
    """Whether the write is composed from what only a read by id shows."""
    if intent.system is not System.GORGIAS or intent.entity is not Entity.CUSTOMER:
        return False
    maps = hub.maps(intent.entity)[intent.system]
    names = {attribute for name in intent.values if name in maps for attribute in maps[name].attributes}
    return any(name in WHOLE or name.startswith("sync.") for name in names)


def _look_up_creates(hub: Hub, system: System, entity: Entity, intents: Sequence[Intent], step: Step) -> list[Intent]:
    """A create needs a look-up by key that found nothing; what it finds is an observation, and the plan starts anew."""
    creates = [intent for intent in intents if intent.verb is Verb.CREATE]
    if not creates or (entity is not Entity.CUSTOMER and hub.restored_at is None):
        return list(intents)
    maps = hub.maps(entity)[system]
    known = _maybe_made_before(hub, creates)
    keys: list[tuple[str, str]] = [("marker", str(intent.marker)) for intent in known]
    owners: list[int] = [intent.id for intent in known]
    for intent in creates if entity is Entity.CUSTOMER else ():
        for name, theirs in intent.values.items():
            mapping = maps.get(name)
            if mapping and mapping.match in ("email", "phone"):
                for value in _texts(attributes_of(mapping, theirs)):
                    keys.append((mapping.match, value))
                    owners.append(intent.id)
    if not keys:
        return list(intents)
    hub.did(system, "lookups", len(set(owners)))
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


def _maybe_made_before(hub: Hub, creates: Sequence[Intent]) -> list[Intent]:
    """Creates that an earlier life of this ledger may have carried out already."""
    if hub.restored_at is None:
        return []
    with hub.ledger.read() as conn:
        found = links.links_of(conn, sorted({str(intent.record_id) for intent in creates}))
        records = links.records_by_id(conn, sorted(found))
    # What a record is born of may have been there before, and may have been born before: under the same name.
    since = {one: [records[one].born_at, *(link.created_at for link in found[one])] for one in records}
    return [
        one
        for one in creates
        if any(at is None or at <= hub.restored_at for at in since.get(str(one.record_id), [None]))
    ]


def _holds(hub: Hub, row: Row, key: tuple[str, str]) -> bool:
    """A side may answer a look-up with rows that only resemble the key; equal means equal when normalised."""
    if key[0] == "marker":
        return row.evidence is None and row.attributes.get(MARKERS[row.system]) == key[1]
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
    """`sent` commits before the call: after a crash the intent is looked up, never repeated blindly."""
    with hub.ledger.begin() as conn:
        known = links.links_by_id(conn, [intent.link_id for intent in intents if intent.link_id is not None])
        intents = [intent for intent in intents if not _unjudged(hub, intent, known)]
        polled = hub.polled(conn, entity).get(system)
        outbox.mark_sent(conn, intents, hub.now(), hub.run)
        brake.count_sent(hub, conn, intents)
    endless.sent(hub, intents)
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
            _blind(hub, system, by_token[receipt.token], known, polled)
            pending.append(receipt)
            if single:
                settle(hub, system, entity, by_token, pending, step)
                pending = []
    finally:
        settle(hub, system, entity, by_token, pending, step)
        left = [intent for token, intent in by_token.items() if token not in answered]
        if left:
            with hub.ledger.begin() as conn:
                due = hub.settle_due()
                outbox.set_states(conn, [(intent.id, IntentState.UNKNOWN, due, None) for intent in left])
    step.count("sent", len(intents))
    sent = int(step.counts["sent"])
    if step.total is None:
        # Counted once a step: a count for each batch would cost the square of a first load.
        with hub.ledger.read() as conn:
            step.total = sent + outbox.count_planned(conn, system, entity)
    hub.tell(step.name, system=system, rows=sent, total=max(step.total, sent))


def _unjudged(hub: Hub, intent: Intent, known: dict[int, Link]) -> bool:
    """No send for a link with a change that nobody judged; one that cannot be read yet holds nothing else up."""
    link = known.get(intent.link_id or 0)
    if link is None or not any(cell.changed for cell in link.cells.values()):
        return False
    return unjudged(link, hub.maps(intent.entity)[intent.system], hub.lexicon(intent.system, intent.entity))


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
