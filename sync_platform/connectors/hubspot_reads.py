"""Batch reads of HubSpot's objects, by id or by a unique property; they know of a write at once, unlike search."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sync_platform.connectors.hubspot_calls import Calls
from sync_platform.connectors.hubspot_rows import (
    ATTRIBUTES,
    KIND,
    attributes_of,
    chunks,
    moment,
    read_row,
    wanted_properties,
)
from sync_platform.connectors.hubspot_ties import Ties
from sync_platform.connectors.protocol import Past
from sync_platform.core.records import Channel, Entity, Json, Lane, Row

BATCH_MAX = 100
# Inputs of a batch read that asks for histories [doc; a larger one is refused].
HISTORY_MAX = 50


@dataclass(slots=True)
class Reads:
    """Reads of one account. Ids and keys are at most 100 a call; no id, no call."""

    calls: Calls
    ties: Ties

    def plain(self, entity: Entity, ids: Sequence[str], lane: Lane, by: str | None = None) -> list[Row]:
        """What is there, without the contacts of tickets. `by` names the unique property that `ids` are values of."""
        if not ids:
            return []
        body: dict[str, Any] = {
            "inputs": [{"id": one} for one in ids],
            "properties": wanted_properties(entity),
            "propertiesWithHistory": [],
        }
        if by:
            body["idProperty"] = by
        api = getattr(self.calls.client.crm, KIND[entity]).batch_api
        answer = self.calls.run(api.read, body, lane=lane)
        rows = (read_row(entity, one, Channel.BY_ID)[0] for one in answer.body.get("results", ()))
        return [row for row in rows if row is not None]

    def whole(self, entity: Entity, ids: Sequence[str], lane: Lane, by: str | None = None) -> list[Row]:
        """The same, tickets with their contacts: read afterwards, so never older than the row's stamp."""
        return self.tied(entity, self.plain(entity, ids, lane, by), lane)

    def history(self, entity: Entity, wanted: Mapping[str, Sequence[str]], lane: Lane) -> Iterator[Past]:
        """What properties held from when on, newest first [doc]. Associations and what is merged away have none."""
        api = getattr(self.calls.client.crm, KIND[entity]).batch_api
        for chunk in chunks(sorted(wanted), HISTORY_MAX):
            names = sorted({name for one in chunk for name in wanted[one] if name in ATTRIBUTES[entity]})
            if not names:
                continue
            inputs = [{"id": one} for one in chunk]
            body = {"inputs": inputs, "properties": names, "propertiesWithHistory": names}
            answer = self.calls.run(api.read, body, lane=lane, purpose="history")
            for found in answer.body.get("results", ()):
                for name, entries in (found.get("propertiesWithHistory") or {}).items():
                    yield Past(str(found.get("id")), name, _entries(entity, name, entries))

    def tied(self, entity: Entity, rows: list[Row], lane: Lane) -> list[Row]:
        """Rows of tickets with their contacts, other rows as they are."""
        return self.ties.shown(rows, lane)[0] if entity is Entity.TICKET else rows


def _entries(entity: Entity, name: str, entries: Iterable[Any]) -> list[tuple[Json, datetime]]:
    """Value and time of each entry, newest first; entries without a time are left out."""
    out: list[tuple[Json, datetime]] = []
    for one in entries:
        at = moment(one.get("timestamp")) if isinstance(one, dict) else None
        if at is not None:
            out.append((attributes_of(entity, {name: one.get("value")}).get(name), at))
    return sorted(out, key=lambda entry: entry[1], reverse=True)
