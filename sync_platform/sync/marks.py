"""Marks of values that are not written: their rows, and which of them still say something."""

from __future__ import annotations

from typing import Any

from sync_platform.core.mappings import Unmappable
from sync_platform.core.records import Json, System, payload_hash
from sync_platform.core.scene import Scene
from sync_platform.errors import BadInput
from sync_platform.ledger.outbox import Intent
from sync_platform.sync.hub import Hub


def row(hub: Hub, intent: Intent, name: str, value: Json, *, code: str, words: str, remedy: str) -> dict[str, Any]:
    """The row that parks one value of a write (`*`: all of it)."""
    return {
        "system": str(intent.system),
        "entity": str(intent.entity),
        "record_id": str(intent.record_id),
        "link_id": intent.link_id,
        "external_id": None,
        "field": name,
        "hash": payload_hash(value),
        "code": code,
        "words": words,
        "remedy": remedy,
        "intent_id": intent.id,
        "at": hub.now(),
    }


def standing(scene: Scene, system: System, name: str) -> set[str]:
    """Payloads of a field for which a mark still says something: what we would write, what nobody can read."""
    if name not in scene.maps[system]:
        return set()
    link = next((link for link in scene.links if link.system == system), None)
    out: set[str] = set()
    try:
        image = scene.maps[system][name].put(scene.record.fields.get(name), scene.lexicons[system])
        if link is None or link.cell(name).shadow != image:
            out.add(payload_hash(image))
    except Unmappable:
        pass
    if link is not None and not link.cell(name).unread:
        try:
            scene.maps[system][name].get(link.cell(name).shadow, None, scene.lexicons[system])
        except BadInput:
            out.add(payload_hash(link.cell(name).shadow))
    return out
