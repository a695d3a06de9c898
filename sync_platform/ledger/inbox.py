"""The inbox: webhook deliveries, each once, until a run has drained them; and counts of what the door turned away.

A delivery's body is there until it is drained; its name stays for some days, so that what is sent again is known.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Connection, Text, bindparam, cast, delete, event, exists, func, null, select, update

from sync_platform.core.records import Entity, Json, System
from sync_platform.errors import Unavailable
from sync_platform.ledger.database import META, Ledger, in_chunks, upsert
from sync_platform.ledger.tables import InboxRow

INBOX = InboxRow.__table__  # type: ignore[attr-defined]
# HubSpot sends again for a day; a name is kept somewhat longer.
KEPT = timedelta(days=3)
COUNT = "door:"
CHUNK = 400
# SQLite's own waiting sleeps for up to 100 ms at a time; a run leaves shorter gaps between its writes.
LOOK_AGAIN_S = 0.002
PATIENCE_S = 4.0

_PUT = upsert(INBOX, lambda new: new.on_conflict_do_nothing(index_elements=["delivery"]))
_COUNT = upsert(
    META,
    lambda new: new.on_conflict_do_update(
        index_elements=["key"],
        set_={"value": cast(cast(META.c.value, BigInteger) + cast(new.excluded.value, BigInteger), Text)},
    ),
)
_WAITING = (
    select(INBOX.c.id, INBOX.c.body)
    .where(
        INBOX.c.drained_at.is_(None),
        INBOX.c.system == bindparam("b_system"),
        INBOX.c.delivery.startswith(bindparam("b_prefix"), autoescape=False),
        INBOX.c.id > bindparam("b_after"),
    )
    .order_by(INBOX.c.id)
    .limit(bindparam("b_limit"))
)
_DRAINED = (
    update(INBOX)
    .where(INBOX.c.id.in_(bindparam("b_ids", expanding=True)))
    .values(drained_at=bindparam("b_at"), body=null())
)
_FORGET = delete(INBOX).where(INBOX.c.drained_at < bindparam("b_before"))
_NAMES = select(INBOX.c.delivery).where(INBOX.c.drained_at.is_(None)).limit(CHUNK)
_DEPTH = select(func.count()).select_from(INBOX).where(INBOX.c.drained_at.is_(None))


@dataclass(frozen=True, slots=True)
class Delivery:
    """One thing that a system told of one object, or of several of one entity.

    `name` is the same whenever the same thing is told again; `body` is what `waiting` gives back.
    """

    system: System
    entity: Entity
    name: str
    body: Json

    @property
    def key(self) -> str:
        """Unique over all systems and entities."""
        return f"{_prefix(self.system, self.entity)}{self.name}"


def _prefix(system: System, entity: Entity) -> str:
    return f"{system}:{entity}:"


def open_inbox(url: str) -> Ledger:
    """The ledger as the door needs it: made or migrated where it must be, and never asleep for long beside a run.

    Raises as `Ledger.open` does.
    """
    ledger = Ledger.open(url, migrate=True)
    if not ledger.postgres:
        ledger.engine.dispose()

        @event.listens_for(ledger.engine, "connect")
        def _impatient(connection: Any, _record: Any) -> None:
            connection.execute("PRAGMA busy_timeout=1")

    return ledger


def put(ledger: Ledger, deliveries: Sequence[Delivery], at: datetime, counts: Mapping[str, int] | None = None) -> int:
    """Store deliveries and add to counts, in one transaction; gives how many deliveries were new.

    Waits up to `PATIENCE_S` beside another writer. Raises `Unavailable` after that, `LedgerUnreachable`, `SyncError`.
    """
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            with ledger.begin() as conn:
                return _put(conn, deliveries, at, counts or {})
        except Unavailable:
            if time.monotonic() > deadline:
                raise
            time.sleep(LOOK_AGAIN_S)


def _put(conn: Connection, deliveries: Sequence[Delivery], at: datetime, counts: Mapping[str, int]) -> int:
    new = 0
    rows = [{"system": str(one.system), "delivery": one.key, "body": one.body, "received_at": at} for one in deliveries]
    for chunk in in_chunks(rows, CHUNK):
        new += max(conn.execute(_PUT(conn), list(chunk)).rowcount, 0)
    if counts:
        conn.execute(_COUNT(conn), [{"key": COUNT + name, "value": str(n)} for name, n in sorted(counts.items())])
    return new


def counts(conn: Connection) -> dict[str, int]:
    """What the door counted so far: `<system>.<what>` → how often."""
    rows = conn.execute(select(META).where(META.c.key.startswith(COUNT, autoescape=True)))
    return {row.key.removeprefix(COUNT): int(row.value) for row in rows}


def waiting(conn: Connection, system: System, entity: Entity, limit: int, after: int = 0) -> list[tuple[int, Json]]:
    """Deliveries about one entity of a system that no run has drained, oldest first: (number, body)."""
    values = {"b_system": system, "b_prefix": _prefix(system, entity), "b_limit": limit, "b_after": after}
    return [(row.id, row.body) for row in conn.execute(_WAITING, values)]


def drained(conn: Connection, numbers: Sequence[int], at: datetime) -> None:
    """These are done: their bodies go, their names stay."""
    for chunk in in_chunks(numbers, CHUNK):
        conn.execute(_DRAINED, {"b_ids": chunk, "b_at": at})


def forget_old(conn: Connection, now: datetime) -> None:
    """Let go of the names of what was drained days ago."""
    conn.execute(_FORGET, {"b_before": now - KEPT})


def told(conn: Connection) -> set[tuple[System, Entity]]:
    """Of which systems and entities deliveries wait."""
    names = [row.delivery for row in conn.execute(_NAMES)]
    return {(System(system), Entity(entity)) for system, entity, _ in (name.split(":", 2) for name in names)}


def depth(conn: Connection) -> int:
    """How many deliveries wait."""
    return int(conn.execute(_DEPTH).scalar_one())


def fresh(conn: Connection, since: datetime | None) -> bool:
    """Whether a delivery waits that came after `since` (None: whether any waits)."""
    of = select(INBOX.c.id).where(INBOX.c.drained_at.is_(None))
    if since is not None:
        of = of.where(INBOX.c.received_at > since)
    return bool(conn.execute(select(exists(of))).scalar_one())
