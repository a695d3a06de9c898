"""The histories that judgements wait for: read in batches, kept for the run; without an answer the stamps must do."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sync_platform.connectors.protocol import Historian, Past
from sync_platform.core.mappings import FieldMap, observe
from sync_platform.core.records import Entity, Json, Lane, Link, System
from sync_platform.errors import SyncError
from sync_platform.ledger import links
from sync_platform.sync.hub import Hub, Step

Timeline = list[tuple[Json, str]]


def read(hub: Hub, entity: Entity, step: Step) -> None:
    """Ask for what `hub.asks` names; afterwards nothing is left to ask, whatever became of it."""
    asks = sorted(hub.asks)
    hub.asks.clear()
    for ask in asks:
        hub.histories[ask] = None
    with hub.ledger.read() as conn:
        found = links.links_by_id(conn, sorted({link_id for link_id, _, _ in asks}))
    for system in sorted({link.system for link in found.values()}):
        maps = hub.maps(entity)[system]
        fields: dict[str, tuple[Link, set[str]]] = {}
        for link_id, name, _ in asks:
            link = found.get(link_id)
            if link is not None and link.system == system and name in maps:
                fields.setdefault(link.external_id, (link, set()))[1].add(name)
        try:
            pasts = _asked(hub, system, entity, fields, maps)
        except SyncError:
            step.count("histories_failed", len(fields))
            continue
        told = {
            (link.id, name): _timeline(system, entity, maps[name], pasts.get(external_id, {}))
            for external_id, (link, names) in fields.items()
            for name in names
        }
        hub.histories |= {ask: told.get(ask[:2]) for ask in asks if ask[:2] in told}
        step.count("histories", len(fields))


def _asked(
    hub: Hub, system: System, entity: Entity, fields: Mapping[str, tuple[Link, set[str]]], maps: Mapping[str, FieldMap]
) -> dict[str, dict[str, Past]]:
    side = hub.connectors[system]
    hub.reach(system)
    if not isinstance(side, Historian):
        return {}
    wanted = {
        external_id: [attribute for name in sorted(names) for attribute in maps[name].attributes]
        for external_id, (_, names) in fields.items()
    }
    out: dict[str, dict[str, Past]] = {}
    hub.did(system, f"history:{entity}", len(wanted))
    for past in side.history(entity, wanted, lane=Lane.DELTA):
        out.setdefault(past.external_id, {})[past.attribute] = past
    return out


def _timeline(system: System, entity: Entity, mapping: FieldMap, pasts: Mapping[str, Past]) -> Timeline | None:
    """What the field showed from when on, newest first: the states between the changes of its attributes.

    An attribute without a past was never filled.
    """
    known = [one for one in mapping.attributes if one in pasts]
    changes: list[tuple[datetime, str, Json]] = sorted(
        ((at, one, value) for one in known for value, at in pasts[one].entries), key=lambda one: one[:2]
    )
    state: dict[str, Json] = dict.fromkeys(mapping.attributes)
    out: Timeline = []
    for at, attribute, value in changes:
        state[attribute] = value
        theirs = observe(system, entity, state).get(mapping.field)
        if not out or out[-1][0] != theirs:
            out.append((theirs, at.isoformat()))
    return out[::-1] or None
