"""Verify: are the systems equal? Answered from fresh reads, independently of cursors and shadows.

Existence comes from full listings made now; what lists hide is read by id. The ledger only says which objects belong
together, and that claim is tested too: two live objects with one marker or one e-mail are doubled, an object that no
record knows is missing elsewhere. Fresh rows are spooled to a temporary file, so memory does not grow with the data.
"""

from __future__ import annotations

import json
import sqlite3
import tempfile
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sync_platform.connectors.protocol import Connector, Cursor
from sync_platform.core.mappings import FieldMap, Lexicon, Unmappable, match_keys, observe
from sync_platform.core.normalize import blank
from sync_platform.core.records import ENTITIES, SYSTEMS, UNSET, Entity, Json, Lane, LinkState, Record, System
from sync_platform.errors import BadInput
from sync_platform.ledger import journal, links
from sync_platform.settings import Settings
from sync_platform.sync.cycle import open_hub
from sync_platform.sync.hub import Customers, Hub, Progress
from sync_platform.sync.order import DETAILED

DIFFERENCES_MAX = 200
BATCH = 300


@dataclass(slots=True)
class _Found:
    """What was compared for one entity."""

    records: int = 0
    fields_compared: int = 0
    fields_differ: int = 0
    in_review: int = 0
    missing: dict[str, int] = field(default_factory=lambda: {str(s): 0 for s in SYSTEMS})
    doubled: dict[str, int] = field(default_factory=lambda: {str(s): 0 for s in SYSTEMS})
    unlinked: dict[str, int] = field(default_factory=lambda: {str(s): 0 for s in SYSTEMS})


class _Spool:
    """Fresh rows on disk, by system, entity and id, with the keys by which doubles are found."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path)
        self._db.executescript(
            "CREATE TABLE row (system TEXT, entity TEXT, id TEXT, body TEXT, placed INT DEFAULT 0,"
            " PRIMARY KEY (system, entity, id)) WITHOUT ROWID;"
            "CREATE TABLE key (system TEXT, entity TEXT, kind TEXT, value TEXT, id TEXT);"
            "CREATE INDEX key_value ON key (system, entity, kind, value);"
        )

    def add(self, system: System, entity: Entity, external_id: str, attributes: Mapping[str, Json]) -> None:
        """Keep what a row shows; later rows of the same object add to it."""
        known = self.row(system, entity, external_id) or {}
        body = json.dumps({**known, **attributes})
        self._db.execute(
            "INSERT INTO row (system, entity, id, body) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (system, entity, id) DO UPDATE SET body = excluded.body",
            (system, entity, external_id, body),
        )

    def extend(self, system: System, entity: Entity, external_id: str, attributes: Mapping[str, Json]) -> None:
        """Add to an object that a listing showed; attributes of any other object are dropped."""
        if self.row(system, entity, external_id) is not None:
            self.add(system, entity, external_id, attributes)

    def drop(self, system: System, entity: Entity, external_id: str) -> None:
        """The object went away while we looked."""
        self._db.execute("DELETE FROM row WHERE system = ? AND entity = ? AND id = ?", (system, entity, external_id))

    def row(self, system: System, entity: Entity, external_id: str) -> dict[str, Json] | None:
        """What an object shows, or None where it does not exist."""
        found = self._db.execute(
            "SELECT body FROM row WHERE system = ? AND entity = ? AND id = ?", (system, entity, external_id)
        ).fetchone()
        return json.loads(found[0]) if found else None

    def pages(self, system: System, entity: Entity) -> Iterator[list[str]]:
        """Every id of a kind, page by page; rows may be changed or dropped meanwhile."""
        after = ""
        while True:
            rows = self._db.execute(
                "SELECT id FROM row WHERE system = ? AND entity = ? AND id > ? ORDER BY id LIMIT ?",
                (system, entity, after, BATCH),
            ).fetchall()
            if not rows:
                return
            yield [row[0] for row in rows]
            after = rows[-1][0]

    def count(self, system: System, entity: Entity) -> int:
        """How many objects of a kind there are."""
        found = self._db.execute("SELECT COUNT(*) FROM row WHERE system = ? AND entity = ?", (system, entity))
        return int(found.fetchone()[0])

    def key(self, system: System, entity: Entity, kind: str, value: str, external_id: str) -> None:
        """An object is found under a key."""
        self._db.execute("INSERT INTO key VALUES (?, ?, ?, ?, ?)", (system, entity, kind, value, external_id))

    def doubled(self, system: System, entity: Entity) -> int:
        """Live objects beyond the first with one marker or one e-mail."""
        found = self._db.execute(
            "SELECT COALESCE(SUM(n - 1), 0) FROM (SELECT COUNT(DISTINCT id) AS n FROM key"
            " WHERE system = ? AND entity = ? GROUP BY kind, value HAVING n > 1)",
            (system, entity),
        ).fetchone()
        return int(found[0])

    def place(self, system: System, entity: Entity, external_id: str) -> None:
        """A record knows this object."""
        self._db.execute(
            "UPDATE row SET placed = 1 WHERE system = ? AND entity = ? AND id = ?", (system, entity, external_id)
        )

    def unplaced(self, system: System, entity: Entity) -> int:
        """Objects that no record knows."""
        found = self._db.execute(
            "SELECT COUNT(*) FROM row WHERE system = ? AND entity = ? AND placed = 0", (system, entity)
        ).fetchone()
        return int(found[0])

    def close(self) -> None:
        """Give the file back."""
        self._db.close()


def verify(
    settings: Settings, *, show_values: bool = False, progress: Callable[[Progress], None] | None = None
) -> dict[str, Any]:
    """The `verify` object of the commands. Reads everything; writes nothing. Raises the Halt and Retryable families."""
    differences: list[dict[str, Any]] = []
    with (
        tempfile.TemporaryDirectory(prefix="sync-verify-") as folder,
        open_hub(settings, run=f"verify-{uuid.uuid4().hex[:24]}", progress=progress) as hub,
    ):
        spool = _Spool(Path(folder) / "rows.db")
        try:
            for system in SYSTEMS:
                _read_all(hub, spool, system)
            found = {entity: _compare(hub, spool, entity, differences, show_values) for entity in ENTITIES}
        finally:
            spool.close()
    return {
        "equal": all(_equal(one) for one in found.values()),
        "entities": {str(entity): _body(one) for entity, one in found.items()},
        "differences": differences[:DIFFERENCES_MAX],
        "truncated": len(differences) > DIFFERENCES_MAX,
    }


def _equal(found: _Found) -> bool:
    return not (
        found.fields_differ
        or sum(found.missing.values())
        or sum(found.doubled.values())
        or sum(found.unlinked.values())
    )


def _body(found: _Found) -> dict[str, Any]:
    return {
        "records": found.records,
        "fields_compared": found.fields_compared,
        "fields_differ": found.fields_differ,
        "missing": found.missing,
        "doubled": found.doubled,
        "unlinked": found.unlinked,
        "in_review": found.in_review,
    }


# --- reading ----------------------------------------------------------------------------------------------------


def _read_all(hub: Hub, spool: _Spool, system: System) -> None:
    hub.reach(system)
    side = hub.connectors[system]
    kinds = {feed.name: feed for feed in side.feeds()}
    full = [feed for feed in kinds.values() if feed.kind in {"list", "walk"}]
    for feed in full:
        first = not any(name in feed.name for name in ("messages", "surveys", ".phone"))
        if not first:
            continue
        for row in _pages(hub, side, feed):
            if row.evidence is None:
                spool.add(system, row.entity, row.external_id, row.attributes)
    for feed in full:
        if any(name in feed.name for name in ("messages", "surveys")):
            _read_parts(hub, spool, side, feed)
    for entity in ENTITIES:
        if (system, entity) in DETAILED:
            _read_details(hub, spool, side, entity)
        _index(hub, spool, system, entity)


def _pages(hub: Hub, side: Connector, feed: Any) -> Iterator[Any]:
    cursor = side.start(feed, Cursor(), now=hub.now())
    pages = rows = 0
    while True:
        page = side.pull(feed, cursor, lane=Lane.REPAIR)
        yield from page.rows
        pages, rows = pages + 1, rows + len(page.rows)
        hub.tell(f"verify {side.system} {feed.name}", system=side.system, pages=pages, rows=rows, total=page.total)
        cursor = page.cursor
        if page.complete:
            return


def _read_parts(hub: Hub, spool: _Spool, side: Connector, feed: Any) -> None:
    """Messages and scores belong to tickets; of messages the oldest one counts."""
    for row in _pages(hub, side, feed):
        known = spool.row(side.system, row.entity, row.external_id)
        if known is None:
            continue
        fresh = dict(row.attributes)
        old, new = known.get("first_message"), fresh.get("first_message")
        if isinstance(old, dict) and isinstance(new, dict) and (old["at"], old["id"]) <= (new["at"], new["id"]):
            fresh.pop("first_message")
        spool.extend(side.system, row.entity, row.external_id, fresh)


def _read_details(hub: Hub, spool: _Spool, side: Connector, entity: Entity) -> None:
    total = spool.count(side.system, entity)
    done = 0
    for ids in spool.pages(side.system, entity):
        for row in side.fetch(entity, ids, lane=Lane.REPAIR):
            if row.evidence is not None:
                spool.drop(side.system, entity, row.external_id)
            else:
                spool.extend(side.system, entity, row.external_id, row.attributes)
        done += len(ids)
        hub.tell(f"verify {side.system} details", system=side.system, rows=done, total=total)


def _index(hub: Hub, spool: _Spool, system: System, entity: Entity) -> None:
    lexicon = hub.lexicon(system, entity)
    for ids in spool.pages(system, entity):
        for external_id in ids:
            attributes = spool.row(system, entity, external_id) or {}
            for kind, value in match_keys(system, entity, attributes, lexicon):
                if kind in ("marker", "email"):
                    spool.key(system, entity, kind, value, external_id)


# --- comparing --------------------------------------------------------------------------------------------------


def _compare(hub: Hub, spool: _Spool, entity: Entity, differences: list[dict[str, Any]], show_values: bool) -> _Found:
    found = _Found()
    with hub.ledger.read() as conn:
        found.in_review = journal.count_reviews(conn).get(str(entity), 0)
    after = ""
    while True:
        with hub.ledger.read() as conn:
            records = _records(conn, entity, after)
            if not records:
                break
            after = str(records[-1].id)
            by_record = links.links_of(conn, [str(record.id) for record in records])
            fresh = {str(record.id): _fresh(spool, entity, by_record[str(record.id)]) for record in records}
            lexicons = hub.lexicons(conn, entity, _customers(records, fresh) if entity is Entity.TICKET else None)
            parked = journal.parked_of(conn, [str(record.id) for record in records])
            given_up = journal.given_up(conn, [str(record.id) for record in records])
        for record in records:
            _one(
                hub,
                entity,
                record,
                by_record[str(record.id)],
                fresh[str(record.id)],
                lexicons,
                found,
                differences,
                show_values,
                set(parked.get(str(record.id), {})),
                {(system, name) for one, system, name in given_up if one == str(record.id)},
            )
    for system in SYSTEMS:
        found.doubled[str(system)] = spool.doubled(system, entity)
        found.unlinked[str(system)] = spool.unplaced(system, entity)
    return found


def _records(conn: Any, entity: Entity, after: str) -> list[Record]:
    from sqlalchemy import select

    rows = conn.execute(
        select(links.RECORD)
        .where(links.RECORD.c.entity == entity, links.RECORD.c.id > after)
        .order_by(links.RECORD.c.id)
        .limit(BATCH)
    )
    return [links._record(row) for row in rows]  # noqa: SLF001 - one reading of a row for both


def _fresh(spool: _Spool, entity: Entity, of_record: Sequence[Any]) -> dict[System, dict[str, Json]]:
    out: dict[System, dict[str, Json]] = {}
    for link in of_record:
        if link.state is LinkState.ACTIVE:
            attributes = spool.row(link.system, entity, link.external_id)
            if attributes is not None:
                spool.place(link.system, entity, link.external_id)
                out[link.system] = attributes
    return out


def _customers(records: Sequence[Record], fresh: Mapping[str, Mapping[System, Mapping[str, Json]]]) -> Customers:
    wanted = Customers()
    names = {System.GORGIAS: "customer_id", System.HUBSPOT: "contact", System.ERP: "customer_id"}
    for record in records:
        if record.fields.get("customer"):
            wanted.records.add(str(record.fields["customer"]))
        for system, attributes in fresh[str(record.id)].items():
            wanted.refer(system, attributes.get(names[system]))
    return wanted


def _one(
    hub: Hub,
    entity: Entity,
    record: Record,
    of_record: Sequence[Any],
    fresh: Mapping[System, Mapping[str, Json]],
    lexicons: Mapping[System, Lexicon],
    found: _Found,
    differences: list[dict[str, Any]],
    show_values: bool,
    parked: Collection[tuple[System, str]],
    given_up: Collection[tuple[System, str]],
) -> None:
    if not fresh or record.tombstone:
        return
    found.records += 1
    maps = hub.maps(entity)
    ever = {link.system for link in of_record if link.state is not LinkState.ACTIVE}
    for system, policy in hub.policy.entities[entity].systems.items():
        owed = policy.create == "always" or (policy.create == "when_ticket" and record.wanted)
        if system not in fresh and system not in ever and owed and not record.twin:
            found.missing[str(system)] += 1
            _note(differences, {"record": str(record.id), "field": "*", "missing": str(system)})
    for name in hub.policy.entities[entity].fields:
        sides = {system: maps[system][name] for system in fresh if name in maps.get(system, {})}
        if len(sides) < 2:
            continue
        found.fields_compared += 1
        shown = {s: _theirs(s, entity, name, fresh[s]) for s in sides}
        if not _agree(record.fields.get(name), shown, sides, lexicons):
            found.fields_differ += 1
            fact: dict[str, Any] = {"record": str(record.id), "field": name}
            apart = {str(one.system) for one in of_record if name in one.cells and one.cells[name].apart}
            dropped = {str(s) for s, of in given_up if of in (name, "*")}
            reasons = {
                "parked": sorted({str(s) for s, of in parked if of in (name, "*")} - dropped),
                "apart": sorted(apart | dropped),
            }
            fact |= {reason: systems for reason, systems in reasons.items() if systems}
            if show_values:
                fact["values"] = {str(s): None if v is UNSET else v for s, v in shown.items()}
            _note(differences, fact)


def _note(differences: list[dict[str, Any]], fact: dict[str, Any]) -> None:
    """Keep what is shown, and one more, which says that there are others."""
    if len(differences) <= DIFFERENCES_MAX:
        differences.append(fact)


def _theirs(system: System, entity: Entity, name: str, attributes: Mapping[str, Json]) -> Json:
    """A field in the system's own form; UNSET where the system did not show it: unknown is not equal."""
    return observe(system, entity, attributes).get(name, UNSET)


def _agree(
    canonical: Json,
    shown: Mapping[System, Json],
    sides: Mapping[System, FieldMap],
    lexicons: Mapping[System, Lexicon],
) -> bool:
    """Whether one value, the record's or one that a system shows, is what every system shows in its own form."""
    if any(value is UNSET for value in shown.values()):
        return all(_absent(sides[s], value) for s, value in shown.items())
    values = [canonical]
    for system, theirs in shown.items():
        try:
            values.append(sides[system].get(theirs, canonical, lexicons[system]))
        except BadInput:
            return False
    return any(
        value is not UNSET and all(_explains(value, shown[s], sides[s], lexicons[s]) for s in shown) for value in values
    )


def _absent(mapping: FieldMap, value: Json) -> bool:
    """A part that a ticket never had (no message, no survey) is absent everywhere."""
    return (value is UNSET and mapping.attributes[0] in ("score", "first_message")) or (
        value is not UNSET and blank(value)
    )


def _explains(value: Json, theirs: Json, mapping: FieldMap, lexicon: Lexicon) -> bool:
    try:
        if mapping.put(value, lexicon) == theirs:
            return True
    except Unmappable as gap:
        if gap.reason == "no_counterpart":
            return blank(theirs)
    try:
        read = mapping.get(theirs, value, lexicon)
    except BadInput:
        return False
    return read is not UNSET and (read == value or (blank(read) and blank(value)))
