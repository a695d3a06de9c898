"""An id that is not found is first tested as a merge: whoever holds its addresses now took it in.

Gorgias tells merges by an event and by a 301 [doc for DELETE and PUT data; for GET not established]. Where it tells
neither, the absorbed customer's channels are at the survivor [inferred: the purpose of a merge].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sync_platform.connectors.protocol import Connector
from sync_platform.core.mappings import attributes_of
from sync_platform.core.records import Entity, Evidence, Lane, Link, Row, System
from sync_platform.ledger import links
from sync_platform.sync.hub import Hub

TRACED = {(System.GORGIAS, Entity.CUSTOMER)}
_UNTOLD = ("missing", "merged")


def traced(hub: Hub, connector: Connector, entity: Entity, rows: Sequence[Row]) -> list[Row]:
    """Rows in which what is missing without a word is said to be merged, where its addresses tell into whom."""
    lost = [row for row in rows if _untold(row)]
    if not lost or (connector.system, entity) not in TRACED:
        return list(rows)
    with hub.ledger.read() as conn:
        known = links.links_by_external(conn, connector.system, entity, [row.external_id for row in lost])
    owners: list[str] = []
    keys: list[tuple[str, str]] = []
    for external_id, link in known.items():
        for key in _addresses(hub, link):
            owners.append(external_id)
            keys.append(key)
    into: dict[str, set[str]] = {}
    for index, found in connector.lookup(entity, keys, lane=Lane.DELTA) if keys else ():
        if found.evidence is None and found.external_id != owners[index]:
            into.setdefault(owners[index], set()).add(found.external_id)
    return [_named(row, into.get(row.external_id, set())) for row in rows]


def _untold(row: Row) -> bool:
    return row.evidence is not None and row.evidence.kind in _UNTOLD and row.evidence.into is None


def _addresses(hub: Hub, link: Link) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for name, mapping in hub.maps(link.entity)[link.system].items():
        cell = link.cells.get(name)
        if mapping.match != "email" or cell is None or cell.unread:
            continue
        for value in attributes_of(mapping, cell.shadow).values():
            found += [("email", one) for one in (value if isinstance(value, list) else [value]) if one]
    return list(dict.fromkeys(found))


def _named(row: Row, into: set[str]) -> Row:
    """One holder is the survivor; several are no evidence for any of them. An id without a survivor is missing."""
    if not _untold(row):
        return row
    evidence = Evidence("merged", next(iter(into))) if len(into) == 1 else Evidence("missing")
    return replace(row, evidence=evidence)
