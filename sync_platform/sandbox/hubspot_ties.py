"""Associations between records: kept in both directions, moved by merges, dropped with a deleted record.

Facts: creating one that is there is idempotent [inferred]; a primary one also makes the unlabelled one [doc], and
there is one primary company per record; logging a note bumps the other side's activity fields [doc]; whether
associating bumps a modified date is a switch (`association_bumps`).
"""

# ruff: noqa: S608 - statements are put together from this package's own table and column names; values are bound

from collections.abc import Iterable

from sync_platform.sandbox.hubspot_kinds import KINDS, NOTES, TICKETS, Kind, Tie, ties
from sync_platform.sandbox.hubspot_records import Records
from sync_platform.sandbox.hubspot_store import Row
from sync_platform.sandbox.hubspot_wire import stamp

Edge = tuple[str, int, str, int, int]  # kind, id, kind, id, type id


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

    def add(self, left: Row, right: Row, wanted: Iterable[Tie], now_ms: int) -> bool:
        """Associate with these types; whether something new was made."""
        known = ties(left.kind, right.kind)
        types = list(wanted)
        if any(tie.label for tie in types):
            types.append(known[0])
            self._demote(left, right.kind, known)
        edges = [edge for tie in types for edge in _both(left, right, tie)]
        before = self._db.total_changes
        self._db.executemany("INSERT OR IGNORE INTO ties(a,a_id,b,b_id,type_id) VALUES(?,?,?,?,?)", edges)
        made = self._db.total_changes > before
        if made:
            self._bump(left, right, now_ms)
        return made

    def _demote(self, left: Row, other: Kind, known: list[Tie]) -> None:
        for tie in known:
            if tie.label == "Primary":
                for b_id, type_ids in self.of(left.kind, [left.id], other)[left.id].items():
                    if tie.type_id in type_ids:
                        self._drop(left.kind, left.id, other, b_id, tie)

    def _drop(self, a: Kind, a_id: int, b: Kind, b_id: int, tie: Tie) -> None:
        edges = [(a.name, a_id, b.name, b_id, tie.type_id), (b.name, b_id, a.name, a_id, tie.back_id)]
        self._db.executemany("DELETE FROM ties WHERE a=? AND a_id=? AND b=? AND b_id=? AND type_id=?", edges)

    def _bump(self, left: Row, right: Row, now_ms: int) -> None:
        policy = self._records.switch("association_bumps")
        for row, other in ((left, right), (right, left)):
            if other.kind is NOTES and row.kind is not NOTES:
                count = len(self.of(row.kind, [row.id], NOTES)[row.id])
                self._records.touch(row, now_ms, num_notes=str(count), notes_last_updated=stamp(now_ms))
            elif policy == "both" or (policy == "ticket" and row.kind is TICKETS):
                self._records.touch(row, now_ms)

    def remove(self, left: Row, right: Row, wanted: Iterable[Tie] | None, now_ms: int) -> None:
        """Drop these types, or all of them (None)."""
        before = self._db.total_changes
        for tie in ties(left.kind, right.kind) if wanted is None else wanted:
            self._drop(left.kind, left.id, right.kind, right.id, tie)
        if self._db.total_changes > before:
            self._bump(left, right, now_ms)

    def forget(self, row: Row) -> None:
        """Drop everything that a record is part of."""
        key = (row.kind.name, row.id)
        self._db.execute("DELETE FROM ties WHERE a=? AND a_id=?", key)
        for kind in KINDS:
            self._db.execute("DELETE FROM ties WHERE a=? AND b=? AND b_id=?", (kind, *key))

    def move(self, old: Row, new: Row) -> None:
        """Carry a merged record's associations over to the survivor."""
        key = (new.id, old.kind.name, old.id)
        self._db.execute("UPDATE OR IGNORE ties SET a_id=? WHERE a=? AND a_id=?", key)
        for kind in KINDS:
            self._db.execute("UPDATE OR IGNORE ties SET b_id=? WHERE b=? AND b_id=? AND a=?", (*key, kind))
        self.forget(old)


def _both(left: Row, right: Row, tie: Tie) -> list[Edge]:
    return [
        (left.kind.name, left.id, right.kind.name, right.id, tie.type_id),
        (right.kind.name, right.id, left.kind.name, left.id, tie.back_id),
    ]
