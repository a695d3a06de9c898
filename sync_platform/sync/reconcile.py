"""Reconcile: every dirty record is identified, merged and planned; one transaction a batch.

The rules are pure and live in `core`; this module loads what a batch touches, calls them, and stores what they said.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Connection

from sync_platform.core.identity import Key, Known, Placement, place
from sync_platform.core.mappings import match_keys
from sync_platform.core.merge import Merged, Scene, merge
from sync_platform.core.plan import Facts, Planned, plan
from sync_platform.core.records import (
    Decision,
    Entity,
    Lane,
    Link,
    LinkState,
    PlannedWrite,
    Record,
    RecordId,
    System,
    Verb,
    payload_hash,
)
from sync_platform.errors import SyncError
from sync_platform.ledger import asks, journal, links, outbox, placing, work
from sync_platform.sync import asked, births, brake, endings, history, in_force, merges, pull, unmake
from sync_platform.sync.conditions import Conditions, key_reader, rounds_needed
from sync_platform.sync.hub import Customers, Feeds, Hub, Step
from sync_platform.sync.marks import standing

PLACE_BATCH = 500
JUDGE_BATCH = 300
MATCHED = frozenset({"email", "phone", "number"})
ADDRESSES = ("email", "email_2")


def reconcile(hub: Hub, entity: Entity) -> Step:
    """Work off everything that is to be identified or judged; one more round of news where a create needs it."""
    step = Step(f"records/{entity}s")
    in_force.notice(hub)
    in_force.take_part(hub, entity)
    asked.take_up(hub, entity)
    judge_all(hub, entity, step)
    rounds = rounds_needed(hub, entity)
    if rounds:
        look = Step(step.name)
        for system in sorted(rounds):
            hub.did(system, f"rounds:{entity}")
            try:
                pull.news(hub, system, entity, judge_now(hub, entity), look)
            except SyncError as error:
                pull.trouble(hub, step, system, entity, error)
        judge_all(hub, entity, step)
    return step


def judge_all(hub: Hub, entity: Entity, step: Step, waiting: work.Waiting | None = None) -> None:
    """Follow merges and identify, then judge in batches, until nothing is left that can be judged now.

    `waiting`: what is there to do, where the caller has asked just now.
    """
    if waiting is None:
        with hub.ledger.read() as conn:
            waiting = work.to_judge(conn, entity)
    if not waiting and not hub.asks:
        return
    if waiting.merges:
        merges.follow(hub, entity, step)
    if waiting.merges or waiting.objects:
        while _place_batch(hub, entity, step):
            pass
    _judge_dirty(hub, entity, step, watched=True)
    while hub.asks:
        history.read(hub, entity, step)
        _judge_dirty(hub, entity, step)


def _judge_dirty(hub: Hub, entity: Entity, step: Step, *, watched: bool = False) -> None:
    """Judge in batches; with `watched` the brake looks at all that waits before the first of it is judged.

    New records are judged when every system was listed once: then order of arrival decides nothing.
    """
    after = ""
    feeds: Feeds | None = None
    more, opened = True, False
    while more:
        with hub.ledger.begin() as conn:
            # Asked once: systems are listed by pulls, and none runs between the batches.
            feeds = feeds or hub.listed_and_polled(conn, entity)
            ready = all(feeds[0].values())
            # During a first load most records wait: those that nobody may judge yet are not even read.
            records = links.dirty_records(conn, entity, JUDGE_BATCH, after, settled=not ready)
            if watched and not after:
                all_seen = ready and len(records) < JUDGE_BATCH
                brake.watch_claims(hub, conn, entity, dirty=len(records) if all_seen else None)
            if not records:
                return
            after = str(records[-1].id)
            wanted = [record for record in records if hub.chosen is None or str(record.id) in hub.chosen]
            if wanted:
                opened |= _judge(hub, conn, entity, wanted, step, may_ask=not hub.rehearsal, feeds=feeds)
            more = bool(links.dirty_records(conn, entity, 1, after, settled=not ready))
        if opened and not more:
            # What was planned before a hold of this pass is held as well, before any of it is sent.
            after, more, opened = "", True, False
        hub.tell(step.name, rows=int(step.counts.get("judged", 0)))


def judge_now(hub: Hub, entity: Entity) -> pull.Judge:
    """A judge for changes that are about to be overtaken, inside the caller's transaction."""

    def judge(conn: Connection, record_ids: Iterable[str]) -> None:
        records = links.records_by_id(conn, sorted(record_ids))
        if records:
            _judge(hub, conn, entity, list(records.values()), Step(f"records/{entity}s"))

    return judge


# --- identify ---------------------------------------------------------------------------------------------------


def _place_batch(hub: Hub, entity: Entity, step: Step) -> bool:
    """Give a record to objects without one; False when there are none."""
    with hub.ledger.begin() as conn:
        matched = {name for maps in hub.maps(entity).values() for name, mapping in maps.items() if mapping.match}
        batch = placing.unplaced(conn, entity, PLACE_BATCH, matched)
        over = placing.ended(conn, entity, PLACE_BATCH, matched)
        if not batch and not over:
            return False
        seen = len(batch)
        keys_of = key_reader(hub, entity)
        keys = {link.id: keys_of(link) for link in [*batch, *over]}
        known = _known(conn, [key for found in keys.values() for key in found])
        born: dict[RecordId, Record] = {}
        names = births.Names.load(hub, conn, batch)
        former = births.Former.load(conn, [(link, keys[link.id]) for link in batch], names.ended)
        reviews: list[dict[str, Any]] = []
        deferred: list[int] = []
        taken: set[tuple[str, System]] = set()
        making = _being_made(conn, entity)
        for link in batch:
            placement = names.known(link, place(link.system, keys[link.id], known), known)
            if placement.kind == "new":
                placement = former.of(link, keys[link.id]) or placement
            if placement.kind == "new" and link.detail:
                # Not new until its phones and further e-mails were read: one of them may belong to a record.
                deferred.append(link.id)
                continue
            if placement.kind == "link" and (str(placement.record), link.system) in making:
                # What our create made there has that place, if it made anything: that is known first.
                continue
            if placement.kind == "twin":
                taken.add((str(placement.record), link.system))
            link.record_id = _settle_place(hub, link, placement, names, born, reviews)
            known.learn(link.record_id, link.system, keys[link.id])
            step.count("linked" if placement.kind == "link" else "born")
        placing.defer(conn, deferred)
        batch += _join_ended(conn, over, keys, known)
        batch = [link for link in batch if link.record_id is not None]
        links.insert_records(conn, born.values())
        former.revive(hub, conn)
        placing.place_links(conn, batch)
        placed = {str(link.record_id) for link in batch}
        links.mark_dirty(conn, placed)
        links.save_keys(conn, [(k, v, str(link.record_id)) for link in batch for k, v in keys[link.id] if k in MATCHED])
        journal.open_review(conn, reviews)
        # The id that holds the place may have been merged or deleted without a word: it is read.
        held = [link for found in links.links_of(conn, sorted({one for one, _ in taken})).values() for link in found]
        links.ask_again(
            conn, [o.id for o in held if o.state is LinkState.ACTIVE and (str(o.record_id), o.system) in taken]
        )
        if entity is Entity.CUSTOMER:
            links.mark_awaiting(conn, [f"{link.system}:{link.external_id}" for link in batch])
            links.mark_dirty_children(conn, placed - {str(record) for record in born})
    # What a batch leaves behind was deferred, or waits: only a full one can have more behind it.
    return seen == PLACE_BATCH and bool(placed or deferred)


def _being_made(conn: Connection, entity: Entity) -> set[tuple[str, System]]:
    """(record, system) of creates that may have landed, and of which no answer is known."""
    creates = (one for one in outbox.unsettled(conn, entity=entity) if one.verb is Verb.CREATE)
    return {(str(one.record_id), one.system) for one in creates}


def _join_ended(conn: Connection, over: Sequence[Link], keys: Mapping[int, Sequence[Key]], known: Known) -> list[Link]:
    """What ended before it was part of a record belongs to who has its keys: so nobody is made anew there."""
    joined: list[Link] = []
    alone: list[int] = []
    merged: list[int] = []
    for link in over:
        placement = place(link.system, keys[link.id], known)
        if placement.kind == "link":
            link.record_id = placement.record
            joined.append(link)
            merged += [link.id] if link.state is LinkState.BARRED else []
        elif link.awaits != placing.SOMEBODY:
            alone.append(link.id)
    placing.left(conn, alone)
    links.ask_again(conn, merged)
    return joined


def _settle_place(
    hub: Hub,
    link: Link,
    placement: Placement,
    names: births.Names,
    born: dict[RecordId, Record],
    reviews: list[dict[str, Any]],
) -> RecordId:
    if placement.kind == "link" and placement.record is not None:
        return placement.record
    record = Record(names.of(link), link.entity, born_at=hub.now(), twin=placement.kind != "new")
    born[record.id] = record
    if placement.kind != "new":
        reviews.append(
            {
                "kind": placement.kind,
                "entity": str(link.entity),
                "record_id": str(record.id),
                "link_id": link.id,
                "field": None,
                "claims": [{"key": key, "record": candidate} for key, candidate in placement.evidence],
                "at": hub.now(),
            }
        )
    return record.id


def _known(conn: Connection, keys: Sequence[Key]) -> Known:
    by_key = links.records_by_key(conn, [key for key in keys if key[0] in MATCHED])
    candidates = {str(record) for records in by_key.values() for record in records}
    markers = [value for kind, value in keys if kind == "marker"]
    marked = links.records_by_id(conn, markers) if markers else {}
    existing = {one for one, record in marked.items() if not record.tombstone}
    candidates |= existing
    emails = {
        RecordId(record): {value for kind, value in found if kind == "email"}
        for record, found in links.keys_of(conn, candidates).items()
    }
    linked = {RecordId(record): found for record, found in links.active_systems(conn, candidates).items()}
    return Known(by_key, emails, linked, lambda record: str(record) in existing)


# --- judge ------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Batch:
    """What one transaction of decisions writes."""

    decisions: list[Decision] = field(default_factory=list)
    writes: list[PlannedWrite] = field(default_factory=list)
    reviews: list[dict[str, Any]] = field(default_factory=list)
    parked: list[dict[str, Any]] = field(default_factory=list)
    still_dirty: dict[str, bool] = field(default_factory=dict)
    wanted: set[str] = field(default_factory=set)
    ends: list[Link] = field(default_factory=list)
    unread: list[Link] = field(default_factory=list)


def _judge(
    hub: Hub,
    conn: Connection,
    entity: Entity,
    records: Sequence[Record],
    step: Step,
    *,
    may_ask: bool = False,
    feeds: Feeds | None = None,
) -> bool:
    ids = [str(record.id) for record in records]
    all_links, unsettled = links.links_and_unsettled(conn, ids)
    marks = work.marks_of(conn, entity, ids)
    active = {key: [link for link in found if link.state is LinkState.ACTIVE] for key, found in all_links.items()}
    ended = {str(record.id) for record in records if record.tombstone}
    keys = _refresh_keys(hub, conn, records, _bearing(records, all_links), ended) if entity is Entity.CUSTOMER else {}
    lexicons = hub.lexicons(conn, entity, customers_of(records, active) if entity is Entity.TICKET else None)
    late = journal.late_of(conn, [x.id for found in all_links.values() for x in found] if marks.late else [], hub.now())
    conditions = Conditions.load(hub, conn, entity, keys, feeds or hub.listed_and_polled(conn, entity), unsettled)
    if marks.parked:
        conditions.parked = journal.parked_of(conn, ids)
    gate = brake.Gate.load(hub, conn, entity, ids if marks.held else (), holding=marks.holding)
    answers = asks.answers_of(conn, ids) if marks.answered else {}
    batch = _Batch()
    still_landing = {key: value for key, (_, value) in late.items()}
    at = journal.next_decision(conn)
    maps, policy = hub.maps(entity), hub.judged(entity)
    policy_from, mapping_from = in_force.numbers(hub)
    sources = journal.winners_of(conn, records, mapping_from) if mapping_from else {}
    for record in records:
        scene = Scene(
            record,
            active[str(record.id)],
            policy,
            maps,
            lexicons,
            at,
            late=still_landing,
            answers=answers.get(str(record.id), {}),
            histories=hub.histories,
            may_ask=may_ask,
            policy_from=policy_from,
            mapping_from=mapping_from,
            sources=sources.get(str(record.id), {}),
        )
        seen_reviews = set(record.reviews)
        gate.claims(scene)
        ending = endings.before(record, all_links[str(record.id)], still_landing, partial(journal.answered, conn))
        ending.landing = bool(conditions.unsettled.get(str(record.id)))
        merged = merge(scene)
        ending.held = gate.ends(ending.pending, scene)
        endings.after(hub, ending, scene, merged, conditions.polled)
        gate.ended(ending.pending)
        gate.drops(scene)
        planned, facts, waits = _planned(conn, gate, scene, merged, ending, conditions, all_links[str(record.id)])
        at = scene.next_number
        batch.ends += ending.touched
        batch.unread += ending.unread
        if ending.waits or waits:
            batch.still_dirty[str(record.id)] = True
        _collect(hub, record, scene, merged, planned, conditions, batch, step)
        _lift(hub, conn, scene, facts)
        _close_reviews(hub, conn, record, seen_reviews - set(record.reviews), merged)
    _use_late(conn, late, batch.decisions)
    _store(hub, conn, records, active, batch, step)
    if entity is Entity.CUSTOMER:
        _keep_said(hub, conn, records, keys)
        _refresh_turned(hub, conn, records, all_links, ended)
    return gate.store(conn)


def _planned(
    conn: Connection,
    gate: brake.Gate,
    scene: Scene,
    merged: Merged,
    ending: endings.Ending,
    conditions: Conditions,
    all_links: Sequence[Link],
) -> tuple[Planned, Facts, bool]:
    """What is to be written, upon which facts, and whether the end of something that nobody should have made waits."""
    if conditions.keyed and any(one.field in ADDRESSES for one in merged.decisions):
        conditions.said(conn, str(scene.record.id), _said(conditions.hub, scene.record))
    doomed = unmake.doomed(conn, gate, scene, merged.decisions)
    facts = conditions.facts(scene.record, all_links, ending, endings.came_back_for(ending.links, scene))
    facts = replace(facts, unmade=doomed.links, unmade_later=doomed.waits) if doomed.links else facts
    planned = plan(scene, facts)
    gate.writes(scene, planned, facts.unsettled)
    return planned, facts, bool(doomed.waits)


def _lift(hub: Hub, conn: Connection, scene: Scene, facts: Facts) -> None:
    """Marks of values that moved on since."""
    for system, name in facts.parked:
        if name != "*":
            journal.lift(conn, str(scene.record.id), system, name, standing(scene, system, name), hub.now())


def _close_reviews(hub: Hub, conn: Connection, record: Record, closed: Collection[str], merged: Merged) -> None:
    for name in closed:
        state = "resolved" if name in merged.resolved else "agreed"
        journal.close_review(conn, str(record.id), name, hub.now(), state)
    asks.ask_again(conn, str(record.id), merged.stale)


def _use_late(conn: Connection, late: Mapping[tuple[int, str], tuple[int, Any]], decisions: Sequence[Decision]) -> None:
    for (link_id, name), (late_id, _) in late.items():
        recognised = (d for d in decisions if d.rule == "late" and d.field == name and d.claims)
        if any(d.claims[0].link_id == link_id for d in recognised):
            journal.use_late(conn, late_id, name)


def _bearing(records: Sequence[Record], all_links: Mapping[str, Sequence[Link]]) -> dict[str, list[Link]]:
    """The links by which each record is found: the active ones; of a record that ended by a delete, all it had."""
    out: dict[str, list[Link]] = {}
    for record in records:
        cause = (record.tombstone or {}).get("cause")
        found = all_links[str(record.id)] if cause is None or cause in endings.ENDED else ()
        out[str(record.id)] = [link for link in found if cause is not None or link.state is LinkState.ACTIVE]
    return out


def _refresh_turned(
    hub: Hub, conn: Connection, records: Sequence[Record], all_links: Mapping[str, Sequence[Link]], ended: set[str]
) -> None:
    """Who lives on after all is found again at once by what tells people apart; who ended is not."""
    now = {str(record.id) for record in records if record.tombstone and record.entity is Entity.CUSTOMER}
    before = {str(record.id) for record in records if str(record.id) in ended and record.entity is Entity.CUSTOMER}
    if turned := now ^ before:
        bearing = _bearing(records, all_links)
        _refresh_keys(hub, conn, records, {one: bearing[one] for one in sorted(turned)}, now)


def _collect(
    hub: Hub,
    record: Record,
    scene: Scene,
    merged: Merged,
    planned: Planned,
    conditions: Conditions,
    batch: _Batch,
    step: Step,
) -> None:
    batch.decisions += merged.decisions
    batch.writes += planned.writes
    now = hub.now()
    for name in merged.reviews:
        claims = [claim.dump() for claim in record.reviews.get(name, [])]
        batch.reviews.append(
            {
                "kind": "field",
                "entity": str(record.entity),
                "record_id": str(record.id),
                "link_id": None,
                "field": name,
                "claims": claims,
                "at": now,
            }
        )
    for bad in merged.unreadable:
        shadow = next(link.cell(bad.field).shadow for link in scene.links if link.id == bad.link_id)
        batch.parked.append(
            {
                "system": str(bad.system),
                "entity": str(record.entity),
                "record_id": str(record.id),
                "link_id": bad.link_id,
                "external_id": None,
                "field": bad.field,
                "hash": payload_hash(shadow),
                "code": "UNREADABLE",
                "words": bad.reason,
                "at": now,
                "remedy": "Correct the value in its system; the next read takes it.",
            }
        )
    if "not_read_yet" in planned.awaits.values() and str(record.id) in conditions.rounds:
        batch.still_dirty[str(record.id)] = True
    if merged.asks:
        hub.asks.update(merged.asks)
        batch.still_dirty[str(record.id)] = True
    batch.reviews += _twins(record, conditions, now)
    for link in scene.links:
        link.awaits = _awaits(record, link, merged)
    customer = record.fields.get("customer")
    if record.entity is Entity.TICKET and customer:
        batch.wanted.add(str(customer))
    step.count("judged")
    step.count("conflicts", sum(1 for d in merged.decisions if len(d.claims) > 1))
    step.count("reverted", sum(1 for d in merged.decisions if d.rule in ("refused", "empty_keeps")))
    step.count("gaps", len(planned.gaps))
    for decision in merged.decisions:
        step.show(record=str(record.id), field=decision.field, rule=decision.rule, cause=decision.cause)


def _twins(record: Record, conditions: Conditions, at: datetime) -> list[dict[str, Any]]:
    """The question whether this record is one with those that share a key, but for those that were told apart."""
    told = conditions.told_apart.get(str(record.id), set())
    others = {(key, other) for key, other in conditions.shared.get(str(record.id), set()) if other not in told}
    if others and record.twin:
        # It was asked about before, or parted by a person: with whom it shares a key since is another question.
        asked = conditions.asked_of(str(record.id))
        others = {(key, other) for key, other in others if other not in asked}
    if not others:
        return []
    return [
        {
            "kind": "twin",
            "entity": str(record.entity),
            "record_id": str(record.id),
            "link_id": None,
            "field": None,
            "claims": [{"key": key, "record": other} for key, other in sorted(others)],
            "at": at,
        }
    ]


def _awaits(record: Record, link: Link, merged: Merged) -> str | None:
    """A ticket that shows a customer nobody knows yet is judged again when that customer gets a record."""
    if record.entity is not Entity.TICKET or "customer" not in merged.waiting or "customer" not in link.cells:
        return None
    shadow = link.cells["customer"].shadow
    return f"{link.system}:{shadow}" if shadow else None


def customers_of(records: Sequence[Record], active: Mapping[str, Sequence[Link]]) -> Customers:
    """The customers that these tickets and their links name."""
    wanted = Customers()
    for record in records:
        if record.fields.get("customer"):
            wanted.records.add(str(record.fields["customer"]))
        for link in active[str(record.id)]:
            cell = link.cells.get("customer")
            if cell is not None and not cell.unread:
                wanted.refer(link.system, cell.shadow)
                wanted.refer(link.system, cell.base or None)
    return wanted


def _refresh_keys(
    hub: Hub,
    conn: Connection,
    records: Sequence[Record],
    bearing: Mapping[str, Sequence[Link]],
    ended: Collection[str],
) -> dict[str, set[Key]]:
    """Match keys follow what the links show and the record says: new ones are added, ones of nobody any more go.

    A record that ended holds none: who turns up with one of its keys is somebody new, unless they were there before it
    ended; therefore they stay under a kind of their own.
    """
    stored = links.keys_of(conn, bearing)
    keys_of = key_reader(hub, Entity.CUSTOMER)
    now: dict[str, set[Key]] = {}
    lasts = endings.ENDED | {None}
    said = {str(one.id): _said(hub, one) for one in records if (one.tombstone or {}).get("cause") in lasts}
    for record_id, found in bearing.items():
        shown = {key for link in found for key in keys_of(link) if key[0] in MATCHED} | said.get(record_id, set())
        now[record_id] = {(births.WAS + kind, value) for kind, value in shown} if record_id in ended else shown
    links.save_keys(conn, [(k, v, r) for r, keys in now.items() for k, v in keys - stored.get(r, set())])
    dropped = [(k, v, r) for r, keys in stored.items() for k, v in keys - now.get(r, set())]
    links.drop_keys(conn, dropped)
    freed = links.records_by_key(conn, [(kind, value) for kind, value, _ in dropped])
    links.mark_dirty(conn, {str(r) for records in freed.values() for r in records} - set(bearing))
    if freed:
        # Whose what ended unplaced was may be clear now.
        placing.look_again(conn, Entity.CUSTOMER)
    return now


def _said(hub: Hub, record: Record) -> set[Key]:
    """The keys that a record itself says, before every system shows them: they are owed there."""
    own = {name: record.fields.get(name) for name in ("email", "email_2", "phone", "customer_no")}
    return set(match_keys(System.ERP, record.entity, own, hub.lexicon(System.ERP, record.entity)))


def _keep_said(hub: Hub, conn: Connection, records: Sequence[Record], keys: Mapping[str, set[Key]]) -> None:
    """Keys that a record says since this judgement: whoever turns up with one before it is written finds it."""
    fresh = [
        (kind, value, str(record.id))
        for record in records
        if not record.tombstone
        for kind, value in sorted(_said(hub, record) - keys.get(str(record.id), set()))
    ]
    links.save_keys(conn, fresh)


def _store(
    hub: Hub,
    conn: Connection,
    records: Sequence[Record],
    active: Mapping[str, Sequence[Link]],
    batch: _Batch,
    step: Step,
) -> None:
    now = hub.now()
    journal.add_decisions(conn, batch.decisions, policy=hub.policy.hash, at=now, run=hub.run)
    links.save_records(conn, records, dirty=batch.still_dirty)
    links.save_judged(conn, [link for found in active.values() for link in found])
    links.save_gone(conn, batch.ends)
    links.ask_again(conn, [link.id for link in batch.unread])
    _plan_by_lane(hub, conn, {str(record.id) for record in records}, batch)
    journal.open_review(conn, batch.reviews)
    journal.park(conn, batch.parked)
    links.mark_wanted(conn, batch.wanted)
    step.count("in_review", len(batch.reviews))
    step.count("decisions", len(batch.decisions))


def _plan_by_lane(hub: Hub, conn: Connection, record_ids: set[str], batch: _Batch) -> None:
    """What a first load owes gives way to what people changed meanwhile."""
    urgent = record_ids
    if not hub.loaded(conn):
        urgent = {str(one.record_id) for one in batch.decisions if one.cause == "change"} & record_ids
    for lane, ids in ((Lane.INTERACTIVE, urgent), (Lane.BACKFILL, record_ids - urgent)):
        writes = [write for write in batch.writes if str(write.record_id) in ids]
        outbox.replace_planned(conn, sorted(ids), writes, at=hub.now(), run=hub.run, lane=lane)
