"""Batch reads of HubSpot's objects, by id or by a unique property; they know of a write at once, unlike search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sync_platform.connectors.hubspot_calls import Calls
from sync_platform.connectors.hubspot_rows import KIND, read_row, wanted_properties
from sync_platform.connectors.hubspot_ties import Ties
from sync_platform.core.records import Channel, Entity, Lane, Row

BATCH_MAX = 100


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

    def tied(self, entity: Entity, rows: list[Row], lane: Lane) -> list[Row]:
        """Rows of tickets with their contacts, other rows as they are."""
        return self.ties.shown(rows, lane)[0] if entity is Entity.TICKET else rows
