"""Names that people give to records: an id, an e-mail, a phone number, a system's own id."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection

from sync_platform.core import normalize
from sync_platform.core.records import ENTITIES, SYSTEMS, Entity, System
from sync_platform.errors import NotFound
from sync_platform.ledger import links

_ONLY = "gorgias, hubspot, erp, customer, ticket, customer:<e-mail> or ticket:<system>:<id>"


def chosen(conn: Connection, only: Iterable[str], region: str) -> frozenset[str] | None:
    """The records that `--only` words name, or None when no word names a record. Raises NotFound for an unknown one."""
    only = tuple(only)
    plain = {*(str(one) for one in SYSTEMS), *(str(one) for one in ENTITIES)}
    if any(":" not in word and word not in plain for word in only):
        # A word that narrows nothing would let everything through, writes included.
        raise NotFound("`--only` names no system, entity or record that there is", remedy=f"Write {_ONLY}.")
    words = [word for word in only if ":" in word]
    return frozenset(find(conn, word, region) for word in words) if words else None


def find(conn: Connection, what: str, region: str) -> str:
    """The record that somebody means."""
    if ":" not in what:
        if links.records_by_id(conn, [what]):
            return what
        what = f"customer:{what}"
    kind, rest = what.split(":", 1)
    if kind not in {str(entity) for entity in ENTITIES}:
        raise NotFound("a record is named by its id, customer:<e-mail> or ticket:<system>:<id>")
    system, _, external_id = rest.partition(":")
    if external_id and system in {str(s) for s in System}:
        found = links.links_by_external(conn, System(system), Entity(kind), [external_id])
        for link in found.values():
            if link.record_id is not None:
                return str(link.record_id)
        raise _unknown()
    candidates = [("email", normalize.email(rest)), ("phone", normalize.phone(rest, region)), ("number", rest)]
    keys = [(name, value) for name, value in candidates if value]
    for records in links.records_by_key(conn, keys).values():
        return str(min(records))
    raise _unknown()


def _unknown() -> NotFound:
    return NotFound("no record is known under that name", remedy="Try its e-mail, phone, number, or system:id.")
