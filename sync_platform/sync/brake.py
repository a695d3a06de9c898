"""The brake: a change that is too large to be everybody's wish waits for a person, while everything else goes on.

Twice: on claims before they are judged (source, field; a value that becomes blank, an object that is deleted where the
policy lets something follow from it), and on writes before they are sent
(system, verb, field). Counted over a rolling window in the ledger. Over the limit one hold for each key takes all that
is owed under it, recomputed with every judgement of a record; an approval names payload hashes, so what changed since
stays held; what is dropped is left apart. What a first load creates and links is not counted: `plan` has shown it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Select, bindparam, func, select

from sync_platform.core import endings
from sync_platform.core.mappings import FieldMap, Lexicon
from sync_platform.core.normalize import blank
from sync_platform.core.plan import Planned
from sync_platform.core.records import (
    UNSET,
    Cell,
    Claim,
    Decision,
    Entity,
    Json,
    Lane,
    Link,
    LinkState,
    PlannedWrite,
    System,
    Verb,
    payload_hash,
)
from sync_platform.core.scene import Scene
from sync_platform.errors import BadInput
from sync_platform.ledger import holds, journal, links
from sync_platform.ledger.holds import APPROVED, CLAIMS, DROPPED, HELD, INTENTS, WHOLE, Item, Key
from sync_platform.ledger.outbox import INTENT, IS_OPEN, IS_PLANNED, Intent
from sync_platform.sync import shrunk
from sync_platform.sync.hub import Hub

BLANKED, DELETED = "blanked", "deleted"
SCAN_BATCH = 300
_ROWS_OF = (
    select(links.LINK.c.system, func.count())
    .where(links.LINK.c.entity == bindparam("b_entity"), links.IS_ACTIVE)
    .group_by(links.LINK.c.system)
)


# --- counting ---------------------------------------------------------------------------------------------------


def watch(hub: Hub, conn: Connection, stage: str, entity: Entity, pending: Mapping[Key, int]) -> list[Key]:
    """Open a hold for every key over its limit; `pending` is what would pass now. Gives the keys newly held."""
    since = hub.now() - timedelta(seconds=hub.policy.entities[entity].brake.window_s)
    passed = holds.passed_since(conn, stage, entity, since)
    held = holds.open_holds(conn, stage, entity)
    known = {row[0]: int(row[1]) for row in conn.execute(_ROWS_OF, {"b_entity": entity})}
    over: list[Key] = []
    for key, count in sorted(pending.items()):
        # What is deleted does not stand among the rows any more.
        rows = known.get(key.system, 0) + (count if key.verb == DELETED else 0)
        if key not in held and count + passed[key] > hub.policy.entities[entity].brake.limit(rows):
            holds.open_hold(conn, key, rows, hub.now())
            over.append(key)
    return over


def _most(hub: Hub, conn: Connection, stage: str, entity: Entity) -> int:
    """How many more may pass before any key could be over its limit."""
    brake = hub.policy.entities[entity].brake
    return brake.absolute - holds.most_passed(conn, stage, entity, hub.now() - timedelta(seconds=brake.window_s))


def watch_claims(hub: Hub, conn: Connection, entity: Entity, *, dirty: int | None = None) -> None:
    """Count values that became blank and objects that ended, not judged yet, before the first of them is.

    `dirty`: how many records wait, where the caller knows it.
    """
    if dirty is None:
        dirty = links.count_dirty(conn, entity)
    if dirty <= _most(hub, conn, CLAIMS, entity):
        return
    pending: Counter[Key] = Counter()
    lexicons = {system: hub.lexicon(system, entity) for system in hub.connectors}
    maps = hub.maps(entity)
    after = ""
    while records := links.dirty_records(conn, entity, SCAN_BATCH, after, settled=True):
        after = str(records[-1].id)
        found = links.links_of(conn, [str(record.id) for record in records])
        known = {item.place: item for item in holds.items_of(conn, list(found))}
        for link in (one for of in found.values() for one in endings.pending(of) if _follows(hub, entity, one)):
            key = Key(CLAIMS, str(link.system), str(entity), DELETED, WHOLE)
            if (key, str(link.record_id), link.id) not in known:
                pending[key] += 1
        for link in (one for of in found.values() for one in of if one.state is LinkState.ACTIVE):
            for name in _blanked(link, maps[link.system], lexicons[link.system]):
                key = Key(CLAIMS, str(link.system), str(entity), BLANKED, name)
                item = known.get((key, str(link.record_id), link.id))
                if item is None or item.hash != payload_hash(link.cells[name].shadow):
                    pending[key] += 1
    watch(hub, conn, CLAIMS, entity, pending)


def _follows(hub: Hub, entity: Entity, link: Link) -> bool:
    """Whether an end that nobody judged yet claims anything: an edit elsewhere or the policy may say otherwise."""
    gone = link.gone or {}
    means = hub.policy.entities[entity].systems[link.system].delete
    return means != "ignore" and gone.get("kind") not in endings.SETTLED and not gone.get("edited")


def _blanked(link: Link, maps: Mapping[str, FieldMap], lexicon: Lexicon) -> list[str]:
    """Fields in which this link shows an unjudged blank where a value was judged before."""
    return [
        name
        for name, cell in link.cells.items()
        if cell.changed and name in maps and _is_blank(maps[name], cell, lexicon)
    ]


def _is_blank(mapping: FieldMap, cell: Cell, lexicon: Lexicon) -> bool:
    if mapping.kind == "reference":
        return blank(cell.shadow) and not blank(cell.base)
    try:
        return blank(mapping.get(cell.shadow, None, lexicon)) and not blank(mapping.get(cell.base, None, lexicon))
    except BadInput:
        return False


def _waiting(*, loaded: bool) -> tuple[Select[Any], Select[Any]]:
    """What is planned by people's changes: how many, and which; creates of a first load are not among them."""
    where: list[Any] = [
        IS_OPEN,
        IS_PLANNED,
        INTENT.c.system == bindparam("b_system"),
        INTENT.c.entity == bindparam("b_entity"),
        INTENT.c.lane == str(Lane.INTERACTIVE),
    ]
    if not loaded:
        where.append(INTENT.c.verb != str(Verb.CREATE))
    columns = (INTENT.c.id, INTENT.c.record_id, INTENT.c.verb, INTENT.c.payload)
    return select(func.count()).select_from(INTENT).where(*where), select(*columns).where(*where)


_WAITING = {loaded: _waiting(loaded=loaded) for loaded in (False, True)}


def watch_writes(hub: Hub, system: System, entity: Entity) -> bool:
    """Count what is planned for one system before the first of it is sent; True when a hold was opened.

    Records under a new hold are judged once more, which takes the held fields out of their writes.
    """
    with hub.ledger.begin() as conn:
        counted, rows = _WAITING[hub.loaded(conn)]
        asked = {"b_system": system, "b_entity": entity}
        if conn.execute(counted, asked).scalar_one() <= _most(hub, conn, INTENTS, entity):
            return False
        owed = {row.id: row for row in conn.execute(rows, asked)}
        approved = _approved(conn, sorted({row.record_id for row in owed.values()}))
        pending: Counter[Key] = Counter()
        records: dict[Key, set[str]] = {}
        for row in owed.values():
            for name, digest in _payloads(row.verb, (row.payload or {}).get("values", {})):
                key = Key(INTENTS, str(system), str(entity), row.verb, name)
                if (key, row.record_id, digest) not in approved:
                    pending[key] += 1
                    records.setdefault(key, set()).add(row.record_id)
        over = watch(hub, conn, INTENTS, entity, pending)
        links.mark_dirty(conn, {record for key in over for record in records[key]})
        return bool(over)


def _judge_again(conn: Connection, key: Key) -> None:
    """What was planned under a key before its hold was opened is planned once more, and held."""
    if key.stage != INTENTS:
        return
    rows = conn.execute(_WAITING[True][1], {"b_system": key.system, "b_entity": key.entity})
    under = (row for row in rows if row.verb == key.verb)
    of = {row.record_id for row in under if key.field in (WHOLE, *(row.payload or {}).get("values", {}))}
    links.mark_dirty(conn, of)


def _approved(conn: Connection, record_ids: Sequence[str]) -> set[tuple[Key, str, str]]:
    return {(one.key, one.record_id, one.hash) for one in holds.items_of(conn, record_ids) if one.state == APPROVED}


def _payloads(verb: str, values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(field, hash) of what a write carries; an object that comes or goes is one payload."""
    if verb != Verb.UPDATE:
        return [(WHOLE, payload_hash(dict(values)))]
    return [(name, payload_hash(value)) for name, value in values.items()]


def count_sent(hub: Hub, conn: Connection, intents: Iterable[Intent]) -> None:
    """Writes that go out now count in the window, but for those that a person approved and those of a first load."""
    loaded = hub.loaded(conn)
    fresh = [
        one
        for one in intents
        if one.tries == 0 and one.lane is Lane.INTERACTIVE and (loaded or one.verb is not Verb.CREATE)
    ]
    if not fresh:
        return
    approved = _approved(conn, sorted({str(one.record_id) for one in fresh}))
    counts: Counter[Key] = Counter()
    for one in fresh:
        for name, digest in _payloads(str(one.verb), one.values):
            key = Key(INTENTS, str(one.system), str(one.entity), str(one.verb), name)
            if (key, str(one.record_id), digest) not in approved:
                counts[key] += 1
    holds.add_passed(conn, counts, hub.now())


def release(hub: Hub) -> int:
    """Take note of what people said about holds: their records are judged again. Gives how many holds."""
    with hub.ledger.begin() as conn:
        windows = (one.brake.window_s for one in hub.policy.entities.values())
        holds.forget_passed(conn, hub.now() - timedelta(seconds=2 * max(windows)))
        closed = holds.closed_holds(conn)
        for hold_id in closed:
            links.mark_dirty(conn, holds.carried(conn, hold_id, hub.now()))
            shrunk.read_by_id(conn, hold_id)
        return len(closed)


# --- judging ----------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Gate:
    """What is held for a batch of records, and what their judgement makes of it."""

    hub: Hub
    entity: Entity
    loaded: bool
    open: dict[Key, int]
    known: dict[tuple[Key, str, int], Item]
    held: list[Item] = field(default_factory=list)
    done: list[int] = field(default_factory=list)
    seen: set[int] = field(default_factory=set)
    passed: Counter[Key] = field(default_factory=Counter)

    @classmethod
    def load(
        cls, hub: Hub, conn: Connection, entity: Entity, record_ids: Sequence[str], *, holding: bool = True
    ) -> Gate:
        """Two statements; `holding`: whether any hold is open, where the caller knows."""
        known = {item.place: item for item in holds.items_of(conn, record_ids)}
        return cls(hub, entity, hub.loaded(conn), holds.open_holds(conn, entity=entity) if holding else {}, known)

    def claims(self, scene: Scene) -> None:
        """Before the merge: blanks under a hold are marked, so that nothing judges them; dropped ones are apart."""
        for link in scene.links:
            if link.unsettled:
                self._leave(CLAIMS, scene, link)
                continue
            now = set(_blanked(link, scene.maps[link.system], scene.lexicons[link.system]))
            for name, cell in link.cells.items():
                cell.braked = False
                if name in now and name in scene.policy.fields:
                    self._claim(scene, link, name, cell)

    def _claim(self, scene: Scene, link: Link, name: str, cell: Cell) -> None:
        key = Key(CLAIMS, str(link.system), str(self.entity), BLANKED, name)
        digest = payload_hash(cell.shadow)
        item = self.known.get((key, str(scene.record.id), link.id))
        word = item.state if item is not None and item.hash == digest else None
        if word == APPROVED:
            return
        if word == DROPPED:
            _leave_apart(scene, link, name)
        elif item is not None or key in self.open:
            cell.braked = True
            self._hold(Item(key, str(scene.record.id), link.id, digest, payload_hash(cell.base)), item)
        else:
            self.passed[key] += 1

    def ends(self, pending: Sequence[Link], scene: Scene) -> list[Link]:
        """Before ends are judged: gives those under a hold; of those that a person dropped nothing follows."""
        held: list[Link] = []
        for link in pending:
            item = self.known.get(self._end(link))
            if item is not None and item.state == DROPPED:
                link.gone = {**(link.gone or {}), "judged": "keep"}
                scene.add(WHOLE, {"deleted_in": str(link.system), "means": "keep"}, "dropped", cause="brake")
            elif not _follows(self.hub, self.entity, link) or (item is not None and item.state == APPROVED):
                continue
            elif item is not None or self._end(link)[0] in self.open:
                self._hold(Item(*self._end(link), payload_hash(link.external_id)), item)
                held.append(link)
        return held

    def ended(self, pending: Sequence[Link]) -> None:
        """After ends were judged: what passed counts; an approval lasts until the end it is about is judged."""
        for link in pending:
            item = self.known.get(self._end(link))
            judged = (link.gone or {}).get("judged")
            if item is not None and item.state == APPROVED and not judged:
                self.seen.add(item.id)
            elif item is None and judged not in (None, "keep"):
                self.passed[self._end(link)[0]] += 1

    def _end(self, link: Link) -> tuple[Key, str, int]:
        return Key(CLAIMS, str(link.system), str(self.entity), DELETED, WHOLE), str(link.record_id), link.id

    def drops(self, scene: Scene) -> None:
        """Before the plan: a write that a person dropped leaves the field apart until record or system move."""
        if not any(item.state == DROPPED for item in self.known.values()):
            return
        for link in scene.links:
            for name, cell in link.cells.items():
                key = Key(INTENTS, str(link.system), str(self.entity), str(Verb.UPDATE), name)
                item = self.known.get((key, str(scene.record.id), 0))
                if item is None or item.state != DROPPED or cell.changed or name not in scene.maps[link.system]:
                    continue
                if item.pre != payload_hash(cell.shadow):
                    # What stood there at that word is not what stands there now.
                    continue
                image = scene.put(link, name, scene.record.fields.get(name))
                if image is not UNSET and payload_hash(image) == item.hash and not cell.apart:
                    _leave_apart(scene, link, name)

    def writes(self, scene: Scene, planned: Planned, unsettled: Iterable[System]) -> None:
        """After the plan: what is held is taken out of the writes; what nobody owes any more is forgotten."""
        news = self.loaded or any(one.cause == "change" for one in scene.out.decisions)
        planned.writes = [left for write in planned.writes if (left := self._let(write, news=news)) is not None]
        waits = {str(system) for system in unsettled} | {str(link.system) for link in scene.links if link.unsettled}
        # Not judged before a system was asked how old its value is: what is held stays held until then.
        asked = {name for _, name, _ in scene.out.asks}
        for (key, record_id, _), item in self.known.items():
            if record_id != str(scene.record.id) or item.id in self.seen or key.verb == shrunk.MISSING:
                continue
            if not (key.stage == INTENTS and (key.system in waits or key.field in asked)):
                self.done.append(item.id)

    def _let(self, write: PlannedWrite, *, news: bool) -> PlannedWrite | None:
        if not self.known and not (news and self.open):
            # Nothing was ever held here: no payload needs its hash.
            return write
        stays: set[str] = set()
        for name, digest in _payloads(str(write.verb), write.values):
            key = Key(INTENTS, str(write.system), str(self.entity), str(write.verb), name)
            item = self.known.get((key, str(write.record_id), 0))
            same = item is not None and item.hash == digest
            pre = payload_hash(write.pre.get(name)) if write.verb is Verb.UPDATE else None
            if item is not None and same and item.state == APPROVED:
                self.seen.add(item.id)
            elif item is not None and same and item.state == DROPPED and item.pre == pre:
                self.seen.add(item.id)
                stays.add(name)
            elif item is not None or (news and key in self.open):
                stays.add(name)
                self._hold(Item(key, str(write.record_id), 0, digest, pre), item)
        if not stays:
            return write
        left = {name: value for name, value in write.values.items() if name not in stays}
        if WHOLE in stays or not left:
            return None
        return replace(
            write,
            values=left,
            pre={name: value for name, value in write.pre.items() if name in left},
            numbers={name: value for name, value in write.numbers.items() if name in left},
            add={name: value for name, value in write.add.items() if name in left},
            remove={name: value for name, value in write.remove.items() if name in left},
        )

    def _hold(self, item: Item, before: Item | None) -> None:
        known = before is not None and (before.state, before.hash, before.pre) == (HELD, item.hash, item.pre)
        if before is not None and known and item.key in self.open:
            self.seen.add(before.id)
        else:
            self.held.append(item)

    def _leave(self, stage: str, scene: Scene, link: Link) -> None:
        places = ((key, link_id) for key, record, link_id in self.known if record == str(scene.record.id))
        for key, link_id in places:
            if key.stage == stage and link_id == link.id:
                self.seen.add(self.known[key, str(scene.record.id), link_id].id)

    def store(self, conn: Connection) -> bool:
        """Write what the judgement of the batch made of the holds; whether one was opened."""
        now = self.hub.now()
        holds.remove(conn, self.done)
        touched = {item.hold_id for item in self.known.values() if item.id in set(self.done) and item.hold_id}
        fresh: list[Item] = []
        before = len(self.open)
        for item in self.held:
            hold_id = self.open.get(item.key)
            if hold_id is None:
                # What somebody held, and what moved on after an approval, stays held though its key is not.
                hold_id = self.open[item.key] = holds.open_hold(conn, item.key, 0, now)
                _judge_again(conn, item.key)
            fresh.append(replace(item, hold_id=hold_id))
        holds.keep(conn, fresh, now)
        holds.recount(conn, touched | {item.hold_id for item in fresh if item.hold_id}, now)
        holds.add_passed(conn, self.passed, now)
        return len(self.open) > before


def _leave_apart(scene: Scene, link: Link, name: str) -> None:
    cell = link.cell(name)
    claim = scene.claim(link, name)
    cell.base, cell.apart = cell.shadow, True
    number = scene.add(name, scene.record.fields.get(name), "dropped", claims=[claim] if claim else (), cause="brake")
    scene.record.decided.setdefault(name, number)


def overtaken(hub: Hub, conn: Connection, entity: Entity, found: Sequence[tuple[Link, str, Json]]) -> None:
    """Held changes that their own systems replaced before anybody said a word: recorded, and no claims any more."""
    if not found:
        return
    records = links.records_by_id(conn, sorted({str(link.record_id) for link, _, _ in found}))
    number = journal.next_decision(conn)
    decisions: list[Decision] = []
    for link, name, theirs in found:
        record = records[str(link.record_id)]
        claim = Claim(link.system, link.id, None, theirs, number, link.cell(name).seen)
        value = record.fields.get(name)
        decisions.append(Decision(record.id, entity, name, value, "overtaken", number, None, (claim,), None, "brake"))
        number += 1
    journal.add_decisions(conn, decisions, policy=hub.policy.hash, at=hub.now(), run=hub.run)


__all__ = ["BLANKED", "DELETED", "Gate", "count_sent", "overtaken", "release", "watch", "watch_claims", "watch_writes"]
