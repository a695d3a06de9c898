"""Who was forgotten stays out: rows of theirs are dropped before anything of them is stored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sync_platform.core.mappings import Lexicon, match_keys, observe
from sync_platform.core.records import Entity, Row, System
from sync_platform.errors import Misconfigured
from sync_platform.ledger import erasure
from sync_platform.ledger.database import Ledger

KEY = "SYNC_ERASURE_KEY"


@dataclass(frozen=True, slots=True)
class KeepOut:
    """The hashes of the forgotten, and the key under which they were made."""

    key: str
    hashes: frozenset[str]

    def let_in(self, rows: Sequence[Row], lexicon: Callable[[System, Entity], Lexicon]) -> list[Row]:
        """The rows that are nobody's who was forgotten; evidence that an object is gone says nothing of a person."""
        return [row for row in rows if row.evidence is not None or not self._theirs(row, lexicon)]

    def _theirs(self, row: Row, lexicon: Callable[[System, Entity], Lexicon]) -> bool:
        if erasure.object_hash(self.key, row.system, row.entity, row.external_id) in self.hashes:
            return True
        if row.entity is Entity.TICKET:
            customer = observe(row.system, row.entity, row.attributes).get("customer")
            if not isinstance(customer, str | int):
                return False
            return erasure.object_hash(self.key, row.system, Entity.CUSTOMER, str(customer)) in self.hashes
        keys = match_keys(row.system, row.entity, row.attributes, lexicon(row.system, row.entity))
        return any(erasure.keyed(self.key, kind, value) in self.hashes for kind, value in keys if kind == "email")


def load(ledger: Ledger, key: str | None) -> KeepOut | None:
    """Who stays out; None while nobody was forgotten. Raises Misconfigured when the key is missing or another one."""
    with ledger.read() as conn:
        hashes = erasure.kept_out(conn)
        if not hashes:
            return None
        if key and erasure.same_key(conn, key):
            return KeepOut(key, hashes)
    what = "is another one than that of the hashes in this ledger" if key else "is missing, and people were forgotten"
    raise Misconfigured(f"{KEY}: the key {what}", remedy=f"Set {KEY} to the key with which `forget` was used.")
