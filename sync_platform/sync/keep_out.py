"""Who was forgotten stays out: rows of theirs are dropped before anything of them is stored."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from sync_platform.core.mappings import Lexicon, match_keys, observe
from sync_platform.core.records import Entity, Row, System
from sync_platform.errors import Misconfigured
from sync_platform.ledger import erasure, links
from sync_platform.ledger.database import Ledger
from sync_platform.sync.order import MARKERS

KEY = "SYNC_ERASURE_KEY"


@dataclass(slots=True)
class KeepOut:
    """The hashes of the forgotten, and the key under which they were made."""

    key: str
    hashes: set[str]

    def let_in(
        self, conn: Connection, rows: Sequence[Row], lexicon: Callable[[System, Entity], Lexicon], at: datetime
    ) -> list[Row]:
        """The rows that are nobody's who was forgotten. That an object is gone says nothing of a person, but of one of
        theirs that was purged not even the id is kept again.

        Whoever comes back under an address of theirs has a new id: it is kept out from now on, because tickets name
        their customer by the id alone; tickets that were read before it are forgotten next.
        """
        out: list[Row] = []
        again: list[Row] = []
        purged = self._purged(conn, [row for row in rows if row.evidence is not None])
        for row in rows:
            if row.evidence is not None:
                out += [] if (row.system, row.entity, row.external_id) in purged else [row]
            elif self._by_id(row):
                continue
            elif self._by_address(row, lexicon):
                again.append(row)
            else:
                out.append(row)
        if again:
            self._learn(conn, again, at)
        return out

    def _purged(self, conn: Connection, rows: Sequence[Row]) -> set[tuple[System, Entity, str]]:
        """Objects of the forgotten among these of which the ledger knows nothing any more."""
        theirs: dict[tuple[System, Entity], set[str]] = defaultdict(set)
        for row in rows:
            if self._is_theirs(row):
                theirs[row.system, row.entity].add(row.external_id)
        return {
            (system, entity, one)
            for (system, entity), ids in theirs.items()
            for one in ids - set(links.links_by_external(conn, system, entity, sorted(ids)))
        }

    def _is_theirs(self, row: Row) -> bool:
        return erasure.object_hash(self.key, row.system, row.entity, row.external_id) in self.hashes

    def _by_id(self, row: Row) -> bool:
        if self._is_theirs(row):
            return True
        marker = row.attributes.get(MARKERS[row.system])
        if isinstance(marker, str) and erasure.marker_hash(self.key, marker) in self.hashes:
            return True
        if row.entity is not Entity.TICKET:
            return False
        customer = observe(row.system, row.entity, row.attributes).get("customer")
        if not isinstance(customer, str | int):
            return False
        return erasure.object_hash(self.key, row.system, Entity.CUSTOMER, str(customer)) in self.hashes

    def _by_address(self, row: Row, lexicon: Callable[[System, Entity], Lexicon]) -> bool:
        if row.entity is Entity.TICKET:
            return False
        keys = match_keys(row.system, row.entity, row.attributes, lexicon(row.system, row.entity))
        return any(erasure.keyed(self.key, kind, value) in self.hashes for kind, value in keys if kind == "email")

    def _learn(self, conn: Connection, rows: Sequence[Row], at: datetime) -> None:
        fresh = {erasure.object_hash(self.key, row.system, row.entity, row.external_id) for row in rows}
        erasure.keep_out(conn, self.key, fresh, at)
        self.hashes |= fresh
        named = [(row.system, row.external_id) for row in rows]
        found = {(link.system, str(link.cell("customer").shadow)) for link in links.referring(conn, named)}
        if found:
            customers = [(str(system), one) for system, one in sorted(found)]
            again = erasure.UnderWay(uuid.uuid4().hex, at.isoformat(), customers=customers, theirs_stay=True)
            erasure.keep_under_way(conn, again)


def load(ledger: Ledger, key: str | None) -> KeepOut | None:
    """Who stays out; None while nobody was forgotten. Raises Misconfigured when the key is missing or another one."""
    with ledger.read() as conn:
        hashes = erasure.kept_out(conn)
        if not hashes:
            return None
        if key and erasure.same_key(conn, key):
            return KeepOut(key, set(hashes))
    what = "is another one than that of the hashes in this ledger" if key else "is missing, and people were forgotten"
    raise Misconfigured(f"{KEY}: the key {what}", remedy=f"Set {KEY} to the key with which `forget` was used.")
