"""What is owed: for each link the fields that are not agreed, for each system without a link a create.

Decides what to write and nothing else; conditions that need the ledger (was the target listed, does another record
share a key) come in as facts. Also settles the cells that agree in canonical form, so that reformatting cannot loop.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from sync_platform.core.mappings import FieldMap, Unmappable
from sync_platform.core.merge import Scene
from sync_platform.core.normalize import blank
from sync_platform.core.policy import SystemPolicy
from sync_platform.core.records import UNSET, Cell, Json, Link, PlannedWrite, System, Verb, payload_hash


@dataclass(frozen=True, slots=True)
class Facts:
    """What the ledger knows about one record: systems where it may be created now, systems that ever held a link,
    refused payloads by (system, field), and whether something wants a `when_ticket` customer."""

    creatable: Collection[System] = ()
    ever_linked: Collection[System] = ()
    parked: Mapping[tuple[System, str], str] = field(default_factory=dict)
    wanted: bool = False


@dataclass(slots=True)
class Planned:
    """Writes owed; `awaits` names systems where a create waits, with the reason; `gaps` fields with no counterpart."""

    writes: list[PlannedWrite] = field(default_factory=list)
    awaits: dict[System, str] = field(default_factory=dict)
    gaps: list[tuple[System, str]] = field(default_factory=list)


def plan(scene: Scene, facts: Facts) -> Planned:
    """The writes owed for one merged record; at most one for each system."""
    out = Planned()
    linked = {link.system: link for link in scene.links}
    for system, policy in scene.policy.systems.items():
        link = linked.get(system)
        if link is not None:
            if not link.unsettled:
                _plan_update(scene, link, facts, out)
        elif system not in facts.ever_linked:
            _plan_create(scene, system, policy, facts, out)
    return out


def owed(scene: Scene, link: Link, name: str) -> bool:
    """Whether the field is not agreed: the record moved on, or the system moved away from what it held."""
    cell = link.cell(name)
    if cell.apart or cell.unread or cell.changed or name in scene.record.reviews or cell.base is UNSET:
        return False
    image = scene.put(link, name, scene.record.fields.get(name))
    if image is UNSET:
        return False
    return bool(image != cell.image or cell.shadow != cell.held)


def _plan_update(scene: Scene, link: Link, facts: Facts, out: Planned) -> None:
    values: dict[str, Json] = {}
    for name, mapping in scene.maps[link.system].items():
        if name not in scene.policy.fields or name not in scene.record.decided or mapping.mode != "both":
            if mapping.mode != "both" and name in link.cells:
                _rest(link.cells[name])
            continue
        if not owed(scene, link, name):
            if _has_no_counterpart(scene, mapping, link.system, name):
                out.gaps.append((link.system, name))
            continue
        if _canonically_equal(scene, link, name):
            _settle(scene, link, name)
            continue
        image = scene.put(link, name, scene.record.fields.get(name))
        if facts.parked.get((link.system, name)) == payload_hash(image):
            continue
        values[name] = image
    if not values or facts.parked.get((link.system, "*")) == payload_hash(values):
        return
    add, remove = _elements(scene, link, values)
    out.writes.append(
        PlannedWrite(
            record_id=scene.record.id,
            system=link.system,
            entity=link.entity,
            verb=Verb.UPDATE,
            values=values,
            pre={name: link.cell(name).shadow for name in values},
            numbers={name: scene.record.decided.get(name, 0) for name in values},
            link_id=link.id,
            external_id=link.external_id,
            add=add,
            remove=remove,
        )
    )


def _rest(cell: Cell) -> None:
    """A field that is never written there: what it shows is judged, nothing is owed."""
    if cell.base is not UNSET:
        cell.held = cell.shadow


def _has_no_counterpart(scene: Scene, mapping: FieldMap, system: System, name: str) -> bool:
    try:
        mapping.put(scene.record.fields.get(name), scene.lexicons[system])
    except Unmappable as gap:
        return gap.reason == "no_counterpart"
    return False


def _canonically_equal(scene: Scene, link: Link, name: str) -> bool:
    current = scene.record.fields.get(name)
    shown = scene.get(link, name, link.cell(name).shadow, current)
    ours = scene.get(link, name, scene.put(link, name, current), current)
    if shown is UNSET or ours is UNSET:
        return False
    return bool(shown == ours or (blank(shown) and blank(ours)))


def _settle(scene: Scene, link: Link, name: str) -> None:
    cell = link.cell(name)
    cell.base = cell.held = cell.shadow
    cell.image = scene.put(link, name, scene.record.fields.get(name))
    cell.seen = scene.record.decided.get(name, 0)


def _elements(
    scene: Scene, link: Link, values: Mapping[str, Json]
) -> tuple[dict[str, list[Json]], dict[str, list[Json]]]:
    add: dict[str, list[Json]] = {}
    remove: dict[str, list[Json]] = {}
    for name in values:
        if scene.maps[link.system][name].kind != "set":
            continue
        ours = set(scene.record.fields.get(name) or [])
        theirs = set(scene.get(link, name, link.cell(name).shadow, None) or [])
        add[name] = sorted(ours - theirs)
        remove[name] = sorted(theirs - ours)
    return add, remove


def _plan_create(scene: Scene, system: System, policy: SystemPolicy, facts: Facts, out: Planned) -> None:
    record = scene.record
    if policy.create == "never" or (policy.create == "when_ticket" and not facts.wanted):
        return
    if record.twin or record.tombstone or not record.settled:
        return
    values: dict[str, Json] = {}
    for name, mapping in scene.maps[system].items():
        if mapping.mode == "read" or name not in scene.policy.fields or name in record.reviews:
            continue
        value = record.fields.get(name)
        if blank(value):
            continue
        try:
            image = mapping.put(value, scene.lexicons[system])
        except Unmappable as gap:
            if mapping.kind == "reference":
                out.awaits[system] = gap.reason
                return
            out.gaps.append((system, name))
            continue
        if facts.parked.get((system, name)) != payload_hash(image):
            values[name] = image
    if _needs_customer(scene, system) and "customer" not in values:
        out.awaits[system] = "no_customer"
        return
    if not values or facts.parked.get((system, "*")) == payload_hash(values):
        return
    if system not in facts.creatable:
        out.awaits[system] = "not_read_yet"
        return
    out.writes.append(
        PlannedWrite(
            record_id=record.id,
            system=system,
            entity=record.entity,
            verb=Verb.CREATE,
            values=values,
            numbers={name: record.decided.get(name, 0) for name in values},
            marker=str(record.id),
        )
    )


def _needs_customer(scene: Scene, system: System) -> bool:
    """A helpdesk ticket has a sender; without one nothing can be created there."""
    return system is System.GORGIAS and "customer" in scene.maps[system]
