"""What the brake holds: holds, their items, and how much passed in a rolling window.

One open hold for each key; its items name payloads by hash and are gone when nothing is owed any more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update
from sqlalchemy import Table as SaTable

from sync_platform.ledger.database import ForIds, in_chunks, upsert
from sync_platform.ledger.tables import HoldItemRow, HoldRow, PassedRow

HOLD: SaTable = HoldRow.__table__  # type: ignore[attr-defined]
ITEM: SaTable = HoldItemRow.__table__  # type: ignore[attr-defined]
PASSED: SaTable = PassedRow.__table__  # type: ignore[attr-defined]
CHUNK = 400
CLAIMS, INTENTS = "claims", "intents"
HELD, APPROVED, DROPPED = "held", "approved", "dropped"
WHOLE = "*"
# Statements are built once: building one, and the key under which its text is kept, costs more than running it.
_ITEMS_OF = ForIds(ITEM.c.record_id, lambda given: select(ITEM).where(given))
_PASSED_SINCE = (
    select(PASSED.c.system, PASSED.c.verb, PASSED.c.field, func.sum(PASSED.c["count"]))
    .where(
        PASSED.c.stage == bindparam("b_stage"),
        PASSED.c.entity == bindparam("b_entity"),
        PASSED.c.minute >= bindparam("b_minute"),
    )
    .group_by(PASSED.c.system, PASSED.c.verb, PASSED.c.field)
)
_SUMS = _PASSED_SINCE.with_only_columns(func.sum(PASSED.c["count"]).label("passed")).subquery()
_MOST_PASSED = select(func.coalesce(func.max(_SUMS.c.passed), 0))
_ADD_PASSED = upsert(
    PASSED,
    lambda new: new.on_conflict_do_update(
        index_elements=["stage", "system", "entity", "verb", "field", "minute"],
        set_={"count": PASSED.c["count"] + new.excluded["count"]},
    ),
)
_CLOSED = select(HOLD.c.id).where(HOLD.c.state.in_((APPROVED, DROPPED)), HOLD.c.carried_at.is_(None))
_FORGET_PASSED = delete(PASSED).where(PASSED.c.minute < bindparam("b_minute"))
_COUNT_HELD = select(func.count()).select_from(ITEM).where(ITEM.c.hold_id == bindparam("b_hold"), ITEM.c.state == HELD)
_ONE_OPEN = update(HOLD).where(HOLD.c.id == bindparam("b_hold"), HOLD.c.state == "open")
_REMOVE = ForIds(ITEM.c.id, lambda given: delete(ITEM).where(given))
_ADD_ITEM = insert(ITEM)
_ADD_HOLD = insert(HOLD).returning(HOLD.c.id)
_CLOSE = _ONE_OPEN.values(state=bindparam("b_state"), closed_at=bindparam("b_at"))
_SAY_ITEMS = (
    update(ITEM).where(ITEM.c.hold_id == bindparam("b_hold"), ITEM.c.state == HELD).values(state=bindparam("b_state"))
)
_CARRY = update(HOLD).where(HOLD.c.id == bindparam("b_hold")).values(carried_at=bindparam("b_at"))
_RECORDS_UNDER = select(ITEM.c.record_id).where(ITEM.c.hold_id == bindparam("b_hold")).distinct()
_LISTED = select(HOLD).where(HOLD.c.state == "open", HOLD.c["count"] > 0).order_by(HOLD.c.id)
_OPEN = select(HOLD).where(HOLD.c.state == "open")
_OPEN_OF = _OPEN.where(HOLD.c.entity == bindparam("b_entity"))
_OPEN_AT = _OPEN.where(HOLD.c.stage == bindparam("b_stage"), HOLD.c.entity == bindparam("b_entity"))


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """What the brake counts. `stage` claims: `system` is the source, `verb` is blanked or deleted; `stage` intents:
    `system` is the target, `verb` is create, update or delete. `field` is `*` for a whole object."""

    stage: str
    system: str
    entity: str
    verb: str
    field: str


@dataclass(frozen=True, slots=True)
class Item:
    """One claim or write under a key: the payload's hash, and that of what it would take the place of."""

    key: Key
    record_id: str
    link_id: int
    hash: str
    pre: str | None = None
    state: str = HELD
    hold_id: int | None = None
    id: int = 0
    plan: str | None = None

    @property
    def place(self) -> tuple[Key, str, int]:
        """What it is about, whatever its payload."""
        return self.key, self.record_id, self.link_id


def _item(row: Any) -> Item:
    key = Key(row.stage, row.system, row.entity, row.verb, row.field)
    return Item(key, row.record_id, row.link_id, row.hash, row.pre, row.state, row.hold_id, row.id, row.plan)


# --- holds ------------------------------------------------------------------------------------------------------


def open_holds(conn: Connection, stage: str | None = None, entity: str | None = None) -> dict[Key, int]:
    """Open holds by key; those of a stage need its entity."""
    if stage:
        rows = conn.execute(_OPEN_AT, {"b_stage": stage, "b_entity": str(entity)})
    else:
        rows = conn.execute(_OPEN_OF, {"b_entity": str(entity)}) if entity else conn.execute(_OPEN)
    return {Key(row.stage, row.system, row.entity, row.verb, row.field): row.id for row in rows}


def open_hold(conn: Connection, key: Key, known: int, at: datetime) -> int:
    """The open hold of a key; a new one where there is none. `known`: rows of that system, for the share."""
    found = open_holds(conn, key.stage, key.entity).get(key)
    if found is not None:
        return found
    row = {
        "stage": key.stage,
        "system": key.system,
        "entity": key.entity,
        "verb": key.verb,
        "field": key.field,
        "count": 0,
        "known": known,
        "state": "open",
        "at": at,
    }
    return int(conn.execute(_ADD_HOLD, row).scalar_one())


def holding(conn: Connection, record_ids: Sequence[str]) -> set[int]:
    """Holds under which something of these records stands."""
    out: set[int] = set()
    for chunk in in_chunks(record_ids, CHUNK):
        rows = conn.execute(select(ITEM.c.hold_id).where(ITEM.c.record_id.in_(chunk), ITEM.c.hold_id.is_not(None)))
        out |= set(rows.scalars())
    return out


def recount(conn: Connection, hold_ids: Iterable[int], at: datetime) -> None:
    """The count of open holds follows their items; one with nothing left ends by itself."""
    for hold_id in sorted(set(hold_ids)):
        count = int(conn.execute(_COUNT_HELD, {"b_hold": hold_id}).scalar_one())
        values: dict[str, Any] = {"count": count}
        if not count:
            values |= {"state": "emptied", "closed_at": at, "carried_at": at}
        conn.execute(_ONE_OPEN, {"b_hold": hold_id, **values})


def close_hold(conn: Connection, hold_id: int, state: str, at: datetime) -> int:
    """A person's word on an open hold: its items, as they are now, are approved or dropped. Gives how many."""
    if not conn.execute(_CLOSE, {"b_hold": hold_id, "b_state": state, "b_at": at}).rowcount:
        return 0
    return conn.execute(_SAY_ITEMS, {"b_hold": hold_id, "b_state": state}).rowcount


def closed_holds(conn: Connection) -> list[int]:
    """Holds that a person closed and no cycle has looked at since."""
    return [row.id for row in conn.execute(_CLOSED)]


def carried(conn: Connection, hold_id: int, at: datetime) -> list[str]:
    """A cycle took note of a closed hold; gives its records."""
    conn.execute(_CARRY, {"b_hold": hold_id, "b_at": at})
    return [row.record_id for row in conn.execute(_RECORDS_UNDER, {"b_hold": hold_id})]


def listed(conn: Connection) -> list[dict[str, Any]]:
    """Open holds as people see them; no value, and no name of a person."""
    rows = conn.execute(_LISTED)
    names = ("stage", "system", "entity", "verb", "field", "count", "known")
    return [{"hold": row.id} | {name: row._mapping[name] for name in names} for row in rows]  # noqa: SLF001


# --- items ------------------------------------------------------------------------------------------------------


def items_of(conn: Connection, record_ids: Sequence[str]) -> list[Item]:
    """Items of records, oldest first."""
    out: list[Item] = []
    for chunk in in_chunks(record_ids, CHUNK):
        out += [_item(row) for row in _ITEMS_OF(conn, chunk)]
    # Ordered here: asked for the order of ids, a database may walk over all items.
    return sorted(out, key=lambda item: item.id)


def keep(conn: Connection, items: Iterable[Item], at: datetime) -> None:
    """Store items; the place of each is free."""
    rows = [
        {
            "hold_id": item.hold_id,
            "plan": item.plan,
            "stage": item.key.stage,
            "system": item.key.system,
            "entity": item.key.entity,
            "verb": item.key.verb,
            "field": item.key.field,
            "record_id": item.record_id,
            "link_id": item.link_id,
            "pre": item.pre,
            "hash": item.hash,
            "state": item.state,
            "at": at,
        }
        for item in items
    ]
    if rows:
        conn.execute(_ADD_ITEM, rows)


def remove(conn: Connection, ids: Iterable[int]) -> None:
    """Items about which nothing is owed any more, or that are replaced."""
    for chunk in in_chunks(sorted(set(ids)), CHUNK):
        _REMOVE(conn, chunk)


# --- the window -------------------------------------------------------------------------------------------------


def minute_of(at: datetime) -> int:
    """The window's slot of a moment."""
    return int(at.timestamp()) // 60


def passed_since(conn: Connection, stage: str, entity: str, since: datetime) -> Counter[Key]:
    """What passed by key since a moment, to the minute."""
    asked = {"b_stage": stage, "b_entity": str(entity), "b_minute": minute_of(since)}
    rows = conn.execute(_PASSED_SINCE, asked)
    return Counter({Key(stage, row[0], str(entity), row[1], row[2]): int(row[3]) for row in rows})


def most_passed(conn: Connection, stage: str, entity: str, since: datetime) -> int:
    """The largest of what `passed_since` gives; 0 where nothing passed."""
    asked = {"b_stage": stage, "b_entity": str(entity), "b_minute": minute_of(since)}
    return int(conn.execute(_MOST_PASSED, asked).scalar_one())


def add_passed(conn: Connection, counts: Mapping[Key, int], at: datetime) -> None:
    """Count what passed."""
    minute = minute_of(at)
    rows = [asdict(key) | {"minute": minute, "count": count} for key, count in sorted(counts.items())]
    if rows:
        conn.execute(_ADD_PASSED(conn), rows)


def forget_passed(conn: Connection, before: datetime) -> None:
    """Drop slots that no window reaches back to."""
    conn.execute(_FORGET_PASSED, {"b_minute": minute_of(before)})
