"""Marks of refused values: which of them still say something."""

from __future__ import annotations

from sync_platform.core.mappings import Unmappable
from sync_platform.core.records import System, payload_hash
from sync_platform.core.scene import Scene
from sync_platform.errors import BadInput


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
