"""What is owed: for each link the fields that are not agreed, for each system without a link a create.

Decides what to write and nothing else, and changes nothing: agreement is settled by the merge. Conditions that need
the ledger (was the target listed, does another record share a key) come in as facts.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from sync_platform.core.endings import to_delete
from sync_platform.core.mappings import AWAITS_CUSTOMER, NO_COUNTERPART
from sync_platform.core.normalize import blank, email
from sync_platform.core.policy import SystemPolicy
from sync_platform.core.records import UNSET, Entity, Json, Link, PlannedWrite, System, Verb, payload_hash
from sync_platform.core.scene import Scene
from sync_platform.errors import BadInput

# What Gorgias calls a ticket that is done [doc]; going there may make the account send a survey.
CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Facts:
    """What the ledger knows about one record: systems where it may be created now, systems that ever held a link,
    refused payloads by (system, field), whether something wants a `when_ticket` customer, systems in which a write of
    ours is unsettled (a create may have landed there), links whose objects an undo takes away, of which those in
    `unmade_later` wait for others to go first, e-mails that another record holds `elsewhere` as well."""

    creatable: Collection[System] = ()
    ever_linked: Collection[System] = ()
    parked: Mapping[tuple[System, str], str] = field(default_factory=dict)
    wanted: bool = False
    unsettled: Collection[System] = ()
    unmade: Collection[int] = ()
    unmade_later: bool = False
    elsewhere: Collection[str] = ()


@dataclass(slots=True)
class Planned:
    """Writes owed; `awaits` names systems where a create or a reference waits, with the reason; `gaps` fields whose
    value has no counterpart there, or may not be written."""

    writes: list[PlannedWrite] = field(default_factory=list)
    awaits: dict[System, str] = field(default_factory=dict)
    gaps: list[tuple[System, str]] = field(default_factory=list)


def plan(scene: Scene, facts: Facts) -> Planned:
    """The writes owed for one merged record; at most one for each system, none where one is unsettled."""
    out = Planned()
    if scene.record.tombstone:
        _plan_deletes(scene, facts, out)
        return out
    linked = {link.system: link for link in scene.links}
    for system, policy in scene.policy.systems.items():
        link = linked.get(system)
        if system in facts.unsettled or (link is not None and link.unsettled):
            continue
        if link is not None and link.id in facts.unmade:
            if not facts.unmade_later:
                _plan_delete(scene, link, facts, out)
        elif link is not None:
            _plan_update(scene, link, facts, out)
        elif system not in facts.ever_linked:
            _plan_create(scene, system, policy, facts, out)
    return out


def _plan_deletes(scene: Scene, facts: Facts, out: Planned) -> None:
    """What ended is not kept equal any more; where the policy says so, what is left of it is deleted as well."""
    for link in to_delete(scene.record.tombstone, scene.links):
        if not link.unsettled and link.system not in facts.unsettled:
            _plan_delete(scene, link, facts, out)


def _plan_delete(scene: Scene, link: Link, facts: Facts, out: Planned) -> None:
    if facts.parked.get((link.system, "*")) == payload_hash({}):
        return
    out.writes.append(
        PlannedWrite(
            record_id=scene.record.id,
            system=link.system,
            entity=link.entity,
            verb=Verb.DELETE,
            values={},
            pre={name: cell.shadow for name, cell in link.cells.items() if not cell.unread},
            numbers={"*": scene.record.decided.get("*", 0)},
            link_id=link.id,
            external_id=link.external_id,
        )
    )


def owed(scene: Scene, link: Link, name: str) -> bool:
    """Whether the field is not agreed: the record moved on, or the system moved away from what it held."""
    cell = link.cells.get(name)
    if cell is None or cell.apart or cell.unread or cell.changed or cell.base is UNSET:
        return False
    if name in scene.record.reviews or name not in scene.record.decided or scene.stands(link, name):
        return False
    value = scene.record.fields.get(name)
    return scene.put(link, name, value) is not UNSET and not scene.explains(value, link, name)


def _is_parked(facts: Facts, system: System, name: str, payload: Json) -> bool:
    """Whether the system refused this very payload."""
    parked = facts.parked.get((system, name))
    return parked is not None and parked == payload_hash(payload)


def _plan_update(scene: Scene, link: Link, facts: Facts, out: Planned) -> None:
    values: dict[str, Json] = {}
    for name, mapping in scene.maps[link.system].items():
        if name not in scene.policy.fields or mapping.mode != "both":
            continue
        if name not in link.cells or scene.stands(link, name):
            # Most fields of most links: nothing is owed, and no gap is open.
            continue
        if mapping.match and (scene.record.twin or _held_elsewhere(scene, link, name, facts)):
            # Somebody else may hold it there: what tells two people apart does not travel while that is asked.
            continue
        if owed(scene, link, name):
            image = scene.put(link, name, scene.record.fields.get(name))
            if _may_not_close(scene, link.system, name, image):
                out.gaps.append((link.system, name))
            elif not _is_parked(facts, link.system, name, image):
                values[name] = image
        else:
            _note_gap(scene, link, name, out)
    if not values or _is_parked(facts, link.system, "*", values):
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


def _held_elsewhere(scene: Scene, link: Link, name: str, facts: Facts) -> bool:
    """Whether a write would bring there what another record holds as well, or take it away."""
    if not facts.elsewhere:
        return False
    held = (scene.record.fields.get(name), link.cells[name].shadow if name in link.cells else None)
    return any(
        isinstance(one, str) and email(one) in facts.elsewhere
        for value in held
        for one in (value if isinstance(value, list) else [value])
    )


def _note_gap(scene: Scene, link: Link, name: str, out: Planned) -> None:
    """«No counterpart» stays; a reference that is not there yet is written when it is."""
    if name not in scene.record.decided or name in scene.record.reviews:
        return
    reason = scene.gap(link.system, name)
    if reason == NO_COUNTERPART:
        out.gaps.append((link.system, name))
    elif reason == AWAITS_CUSTOMER:
        out.awaits.setdefault(link.system, reason)


def _may_not_close(scene: Scene, system: System, name: str, image: Json) -> bool:
    """Closing a ticket in Gorgias may mail a survey to the customer: only where the policy allows it."""
    if system is not System.GORGIAS or scene.record.entity is not Entity.TICKET or name != "status":
        return False
    return image == CLOSED and not scene.policy.systems[system].allow_close


def _elements(
    scene: Scene, link: Link, values: Mapping[str, Json]
) -> tuple[dict[str, list[Json]], dict[str, list[Json]]]:
    add: dict[str, list[Json]] = {}
    remove: dict[str, list[Json]] = {}
    for name in values:
        if scene.maps[link.system][name].kind != "set":
            continue
        ours = set(scene.record.fields.get(name) or [])
        try:
            theirs = set(scene.get(link, name, link.cell(name).shadow, None) or [])
        except BadInput:
            theirs = set()
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
        value = record.fields.get(name)
        if mapping.mode == "read" or name not in scene.policy.fields or name in record.reviews or blank(value):
            continue
        reason = scene.gap(system, name)
        if reason == AWAITS_CUSTOMER:
            out.awaits[system] = reason
            return
        image = mapping.put(value, scene.lexicons[system]) if reason != NO_COUNTERPART else UNSET
        if image is UNSET or _may_not_close(scene, system, name, image):
            out.gaps.append((system, name))
        elif not _is_parked(facts, system, name, image):
            values[name] = image
    if _needs_customer(scene, system) and "customer" not in values:
        out.awaits[system] = "no_customer"
        return
    if not values or _is_parked(facts, system, "*", values):
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
