"""Associations between records: kept in both directions, moved by merges, dropped with a deleted record.

Facts: creating one that is there is idempotent [inferred]; a primary one also makes the unlabelled one [doc], and
there is one primary company per record; logging a note bumps the other side's activity fields [doc]; whether
associating bumps a modified date is a switch (`association_bumps`).
"""

# ruff: noqa: S608 - statements are put together from this package's own table and column names; values are bound

from collections.abc import Iterable

from sync_platform.sandbox.hubspot.kinds import KINDS, TICKETS, Kind, Tie
from sync_platform.sandbox.hubspot.records import Records
from sync_platform.sandbox.hubspot.store import LIVE, Row
from sync_platform.sandbox.hubspot.wire import stamp

Edge = tuple[str, int, str, int, int]  # kind, id, kind, id, type id
_ACTIVITIES = ("notes", "calls", "emails", "meetings", "communications")
_WITH_ACTIVITIES = frozenset({"contacts", "companies", "tickets", "deals"})


class Ties:
    """Reads and writes the associations; writes run inside the caller's transaction."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._db = records.store.db

    def of(self, a: Kind, ids: Iterable[int], b: Kind) -> dict[int, dict[int, list[int]]]:
        """{from id: {to id: [type ids]}} in the order in which they were made."""
        wanted = list(ids)
        found: dict[int, dict[int, list[int]]] = {id_: {} for id_ in wanted}
        for start in range(0, len(wanted), 500):
            part = wanted[start : start + 500]
            marks = ",".join("?" * len(part))
            rows = self._db.execute(
                f"SELECT a_id, b_id, type_id FROM ties WHERE a=? AND b=? AND a_id IN ({marks}) ORDER BY seq",
                [a.name, b.name, *part],
            )
            for a_id, b_id, type_id in rows:
                found[a_id].setdefault(b_id, []).append(type_id)
        return found

    def every(self, a: Kind, ids: Iterable[int]) -> dict[int, dict[str, dict[int, list[int]]]]:
        """{from id: {kind: {to id: [type ids]}}}: whatever the records are associated with."""
        wanted = list(ids)
        found: dict[int, dict[str, dict[int, list[int]]]] = {id_: {} for id_ in wanted}
        for start in range(0, len(wanted), 500):
            part = wanted[start : start + 500]
            marks = ",".join("?" * len(part))
            rows = self._db.execute(
                f"SELECT a_id, b, b_id, type_id FROM ties WHERE a=? AND a_id IN ({marks}) ORDER BY seq", [a.name, *part]
            )
            for a_id, b, b_id, type_id in rows:
                found[a_id].setdefault(b, {}).setdefault(b_id, []).append(type_id)
        return found

    def add(self, left: Row, right: Row, wanted: Iterable[Tie], now_ms: int) -> bool:
        """Associate with these types; whether something new was made."""
        known = self._records.schema.ties(left.kind, right.kind)
        types = list(wanted)
        if any(tie.label for tie in types):
            types.append(known[0])
            if any(tie.label == "Primary" and tie.category == "HUBSPOT_DEFINED" for tie in types):
                self._demote(left, right.kind, known)
        edges = [edge for tie in types for edge in _both(left, right, tie)]
        there = self._there(left, right)
        before = self._db.total_changes
        self._db.executemany("INSERT OR IGNORE INTO ties(a,a_id,b,b_id,type_id) VALUES(?,?,?,?,?)", edges)
        made = self._db.total_changes > before
        if there is not None:
            for tie in dict.fromkeys(types):
                if tie.type_id not in there:
                    self._records.changes.tied(left, right, tie, removed=False)
        if made:
            self._bump(left, right, now_ms)
        return made

    def _there(self, left: Row, right: Row) -> list[int] | None:
        """The types that are there already; None when nobody listens to changes."""
        if not self._records.changes.active:
            return None
        return self.of(left.kind, [left.id], right.kind)[left.id].get(right.id, [])

    def _demote(self, left: Row, other: Kind, known: list[Tie]) -> None:
        for tie in known:
            if tie.label == "Primary":
                for b_id, type_ids in self.of(left.kind, [left.id], other)[left.id].items():
                    if tie.type_id in type_ids:
                        self._drop(left.kind, left.id, other, b_id, tie)

    def _drop(self, a: Kind, a_id: int, b: Kind, b_id: int, tie: Tie) -> None:
        edges = [(a.name, a_id, b.name, b_id, tie.type_id), (b.name, b_id, a.name, a_id, tie.back_id)]
        before = self._db.total_changes
        self._db.executemany("DELETE FROM ties WHERE a=? AND a_id=? AND b=? AND b_id=? AND type_id=?", edges)
        if self._db.total_changes > before:
            self._records.changes.tied((a, a_id), (b, b_id), tie, removed=True)

    def _bump(self, left: Row, right: Row, now_ms: int) -> None:
        policy = self._records.switch("association_bumps")
        for row, other in ((left, right), (right, left)):
            if other.kind.name in _ACTIVITIES and row.kind.name in _WITH_ACTIVITIES:
                count = sum(len(self.of(row.kind, [row.id], KINDS[name])[row.id]) for name in _ACTIVITIES)
                self._records.touch(row, now_ms, num_notes=str(count), notes_last_updated=stamp(now_ms))
            elif policy == "both" or (policy == "ticket" and row.kind is TICKETS):
                self._records.touch(row, now_ms)

    def remove(self, left: Row, right: Row, wanted: Iterable[Tie] | None, now_ms: int) -> None:
        """Drop these types, or all of them (None)."""
        before = self._db.total_changes
        for tie in self._records.schema.ties(left.kind, right.kind) if wanted is None else wanted:
            self._drop(left.kind, left.id, right.kind, right.id, tie)
        if self._db.total_changes > before:
            self._bump(left, right, now_ms)

    def forget(self, row: Row) -> None:
        """Drop everything that a record is part of."""
        key = (row.kind.name, row.id)
        for (kind,) in self._db.execute("SELECT DISTINCT b FROM ties WHERE a=? AND a_id=?", key).fetchall():
            self._db.execute("DELETE FROM ties WHERE a=? AND b=? AND b_id=?", (kind, *key))
        self._db.execute("DELETE FROM ties WHERE a=? AND a_id=?", key)

    def shelve(self, row: Row) -> None:
        """Drop everything that an archived record is part of, and keep it for a restore."""
        self._db.execute(
            "INSERT OR IGNORE INTO resting(a,a_id,b,b_id,type_id) "
            "SELECT t.a, t.a_id, t.b, t.b_id, t.type_id FROM ties t WHERE t.a=? AND t.a_id=?",
            (row.kind.name, row.id),
        )
        self.forget(row)

    def unshelve(self, row: Row, now_ms: int) -> None:
        """Bring back the associations of a restored record whose other end lives."""
        key = (row.kind.name, row.id)
        rows = self._db.execute("SELECT b, b_id, type_id FROM resting WHERE a=? AND a_id=?", key).fetchall()
        self._db.execute("DELETE FROM resting WHERE a=? AND a_id=?", key)
        for b, b_id, type_id in rows:
            kind = self._records.schema.kinds.by_name.get(b)
            found = None if kind is None else self._records.survivor(self._records.store.get(kind, b_id))
            if kind is None or found is None or found.state != LIVE:
                continue
            for tie in self._records.schema.ties(row.kind, kind):
                if tie.type_id == type_id:
                    self.add(row, found, [tie], now_ms)

    def move(self, old: Row, new: Row) -> None:
        """Carry a merged record's associations over to the survivor."""
        key = (new.id, old.kind.name, old.id)
        self._db.execute("UPDATE OR IGNORE ties SET a_id=? WHERE a=? AND a_id=?", key)
        sql = "SELECT DISTINCT b FROM ties WHERE a=? AND a_id IN (?, ?)"
        for (kind,) in self._db.execute(sql, (old.kind.name, old.id, new.id)).fetchall():
            self._db.execute("UPDATE OR IGNORE ties SET b_id=? WHERE b=? AND b_id=? AND a=?", (*key, kind))
        self.forget(old)


def _both(left: Row, right: Row, tie: Tie) -> list[Edge]:
    return [
        (left.kind.name, left.id, right.kind.name, right.id, tie.type_id),
        (right.kind.name, right.id, left.kind.name, left.id, tie.back_id),
    ]
