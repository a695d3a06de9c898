"""What must hold once a story over HTTP is quiet, seen from outside: the sandbox's own store and the bare ledger."""

from __future__ import annotations

import itertools
import json
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from sync_platform.core.mappings import Lexicon, field_maps, observe
from sync_platform.core.records import ENTITIES, SYSTEMS, UNSET, Entity, Json, System
from sync_platform.errors import BadInput
from sync_platform.simulation import people
from tests.simulation import over_http_rows as rows

if TYPE_CHECKING:
    from tests.simulation.over_http_world import HttpWorld, Typed

CHECKED = ("I1", "I2", "I3", "I8", "I9", "I10", "I17")
Groups = dict[tuple[Entity, str], dict[System, list[tuple[str, rows.Row]]]]


def check(world: HttpWorld) -> None:
    """Everything that must hold once nothing moves any more."""
    groups = _groups(world)
    apart = _told_apart(world)
    _agreement(world, groups, apart)
    _markers(world)
    _lone_edits(world, groups, apart)
    _typed_is_decided(world)
    _links(world)
    limits(world)
    _nothing_again(world)


def _groups(world: HttpWorld) -> Groups:
    out: Groups = defaultdict(lambda: defaultdict(list))
    for system, entity in itertools.product(SYSTEMS, ENTITIES):
        for external_id, row in world.living(system, entity):
            out[entity, rows.whose(system, entity, row)][system].append((external_id, row))
    return out


def _told_apart(world: HttpWorld) -> set[tuple[str, str]]:
    """(whose, field) that the ledger lists as parked or in review: these may differ, and somebody is told."""
    out = set()
    named = {
        (system, entity, external_id): rows.whose(system, entity, row)
        for system, entity in itertools.product(SYSTEMS, ENTITIES)
        for external_id, row in world.living(system, entity)
    }
    of_record = defaultdict(set)
    for record, system, entity, external_id in world.desk.ledger(
        "SELECT record_id, system, entity, external_id FROM link WHERE record_id IS NOT NULL"
    ):
        of_record[record].add(named.get((System(system), Entity(entity), external_id), ""))
    marks = world.desk.ledger("SELECT record_id, field FROM parked WHERE lifted_at IS NULL")
    marks += world.desk.ledger("SELECT record_id, field FROM review WHERE state = 'open'")
    for record, field in marks:
        out |= {(whose, str(field)) for whose in of_record[record]}
    return out


def _is_apart(apart: set[tuple[str, str]], whose: str, field: str) -> bool:
    return (whose, people.POLICY_FIELD.get(field, field)) in apart or (whose, "None") in apart or (whose, "*") in apart


def _agreement(world: HttpWorld, groups: Groups, apart: set[tuple[str, str]]) -> None:
    """All sides show the same of everybody, nobody is missing or there twice (I1, I9)."""
    with_ticket = _with_ticket(world)
    for (entity, whose), group in groups.items():
        if not whose:
            world.broken("I9", f"a {entity} of nobody stands in {sorted(group)}")
            continue
        for system in SYSTEMS:
            count = len(group.get(system, []))
            world.evaluated["I9"] += 1
            if count > 1 and whose not in world.ended:
                world.broken("I9", f"{whose} stands {count} times in {system}")
            needed = entity is Entity.TICKET or system is not System.GORGIAS or whose in with_ticket
            if needed and not count and whose not in world.ended and not _is_apart(apart, whose, "*"):
                world.broken("I1", f"{whose} is missing in {system}")
        for name in people.FIELDS[entity]:
            _equal(world, whose, name, entity, group, apart)


def _with_ticket(world: HttpWorld) -> set[str]:
    """Whose customers some ticket names."""
    out = set()
    for system in SYSTEMS:
        customers = dict(world.living(system, Entity.CUSTOMER))
        for _, row in world.living(system, Entity.TICKET):
            customer = customers.get(rows.customer_of(system, row))
            if customer is not None:
                out.add(rows.whose(system, Entity.CUSTOMER, customer))
    return out


def _equal(world: HttpWorld, whose: str, name: str, entity: Entity, group: Any, apart: set[tuple[str, str]]) -> None:
    if _is_apart(apart, whose, name):
        world.events["told_apart"] += 1
        return
    shown = {
        system: people.read(system, name, rows.attributes(system, entity, found[0][1]))
        for system, found in group.items()
    }
    for (one, value), (other, second) in itertools.pairwise(shown.items()):
        world.evaluated["I1"] += 1
        if not people.alike(name, value, second):
            world.broken("I1", f"{whose} {name}: {one} {value!r}, {other} {second!r}")


def _markers(world: HttpWorld) -> None:
    """One live object for each marker of ours (I9)."""
    for system, entity in itertools.product(SYSTEMS, ENTITIES):
        held = [
            rows.attributes(system, entity, row).get(rows.MARKER[system]) for _, row in world.living(system, entity)
        ]
        for marker, count in Counter(one for one in held if one).items():
            world.evaluated["I9"] += 1
            if count > 1:
                world.broken("I9", f"{count} live {entity}s of {system} bear the marker {marker}")


def _lone_edits(world: HttpWorld, groups: Groups, apart: set[tuple[str, str]]) -> None:
    """Who alone edits a field gets what they typed, everywhere (I3)."""
    edits: dict[tuple[Entity, str, str], list[Typed]] = defaultdict(list)
    for edit in world.edits:
        if edit.epoch == world.epoch and edit.field != "tags":
            edits[edit.entity, edit.whose, edit.field].append(edit)
    for (entity, whose, name), found in edits.items():
        last = found[-1]
        may_write = name not in ("credit", "orders") or last.system is System.ERP
        alone = len({edit.system for edit in found}) == 1
        if whose not in world.known - world.ended or not alone or not may_write or _is_apart(apart, whose, name):
            continue
        if last.meaning is None and name != "note":
            continue
        if not _was_shown(world, last):
            # Typed after our last read and before our write. What stands there still must be everywhere, by I1.
            world.events["never_shown"] += 1
            continue
        world.evaluated["I3"] += 1
        for system, there in groups[entity, whose].items():
            shown = people.read(system, name, rows.attributes(system, entity, there[0][1]))
            if not people.alike(name, shown, last.meaning):
                words = f"{last.system} alone typed {last.meaning!r}, {system} shows {shown!r}"
                world.broken("I3", f"{whose} {name}: {words}")


def _theirs(edit: Typed) -> Json:
    """What an observation of this edit holds for its field."""
    shown = observe(edit.system, edit.entity, edit.attributes)
    return shown.get(people.POLICY_FIELD.get(edit.field, edit.field), UNSET)


def _was_shown(world: HttpWorld, edit: Typed) -> bool:
    name, theirs = people.POLICY_FIELD.get(edit.field, edit.field), _theirs(edit)
    found = world.desk.ledger(
        "SELECT fields FROM observation WHERE system = :system AND entity = :entity AND external_id = :external_id"
        " AND id > :after",
        system=edit.system,
        entity=edit.entity,
        external_id=edit.external_id,
        after=edit.observations_before,
    )
    return any(json.loads(fields or "{}").get(name, UNSET) == theirs for (fields,) in found)


def _typed_is_decided(world: HttpWorld) -> None:
    """Each value that a person typed and an observation showed is in a decision, in whatever part (I3)."""
    for edit in world.edits:
        if edit.epoch != world.epoch or edit.whose not in world.known - world.ended or edit.meaning is None:
            continue
        if edit.field == "tags" or not _was_shown(world, edit):
            continue
        world.evaluated["I3"] += 1
        name, theirs = people.POLICY_FIELD.get(edit.field, edit.field), _theirs(edit)
        decisions = world.desk.ledger(
            "SELECT d.value, d.replaced, d.claims, d.field FROM decision d JOIN link l ON l.record_id = d.record_id"
            " WHERE l.system = :system AND l.entity = :entity AND l.external_id = :external_id"
            " AND d.field IN (:name, '*')",
            system=edit.system,
            entity=edit.entity,
            external_id=edit.external_id,
            name=name,
        )
        if not any(_speaks_of(edit, name, theirs, *one) for one in decisions):
            words = f"{name} was typed, was shown and is in no decision"
            world.broken("I3", f"{edit.system} {edit.entity} {edit.external_id}: {words}")


def _speaks_of(edit: Typed, name: str, theirs: Json, *decision: Any) -> bool:
    *stored, field = decision
    value, replaced, claims = (json.loads(one) if isinstance(one, str) else one for one in stored)
    if any(claim["theirs"] == theirs for claim in claims or ()):
        return True
    said = [value.get(name)] if field == "*" and isinstance(value, dict) else [value, replaced]
    return any(_reads(edit, name, theirs, one) == one for one in said if one is not None)


def _reads(edit: Typed, name: str, theirs: Json, current: Json) -> Json:
    words = {
        "status": people.STATES[edit.system],
        "priority": dict(zip(people.PRIORITIES[people.G], people.PRIORITIES[edit.system], strict=True)),
    }
    try:
        return field_maps(edit.system, edit.entity)[name].get(theirs, current, Lexicon(vocabulary=words))
    except BadInput:
        return UNSET


def _links(world: HttpWorld) -> None:
    """One active link for each record and system and for each object (I8), one open intent for each link (I10)."""
    active = world.desk.ledger(
        "SELECT record_id, system, entity, external_id FROM link WHERE state = 'active' AND record_id IS NOT NULL"
    )
    world.evaluated["I8"] += len(active)
    for keys in ([(row[0], row[1]) for row in active], [tuple(row[1:]) for row in active]):
        for key, count in Counter(keys).items():
            if count > 1:
                world.broken("I8", f"{key} has {count} active links")
    intents = world.desk.ledger(
        "SELECT record_id, system, count(*) FROM intent WHERE state IN ('sent', 'unknown') GROUP BY record_id, system"
    )
    world.evaluated["I10"] += 1
    for record, system, count in intents:
        world.broken("I10", f"{record}: {count} unsettled intents for {system} in a quiet world")
    twice = world.desk.ledger(
        "SELECT a.id FROM intent a JOIN intent b ON b.record_id = a.record_id AND b.system = a.system AND b.id > a.id"
        " AND b.sent_at >= a.sent_at AND b.sent_at < a.settled_at"
    )
    if twice:
        world.broken("I10", f"intents {twice} were open while another one of their link was")


def limits(world: HttpWorld) -> None:
    """Nothing was refused for its limit but what the plan of disturbance refused, since the calls were forgotten (I17).

    The sandbox refuses what goes over a limit, so a refusal that nobody planned is a window that was overrun.
    """
    summary = world.desk.call("GET", "/calls")
    world.evaluated["I17"] += len(summary["window_max"])
    by_limit = sum(one["count"] for one in summary["by"] if one["status"] == 429)
    planned = world.refusals_planned()
    if by_limit > planned:
        world.broken("I17", f"{by_limit} calls were refused for a limit, {planned} of them planned")


def _nothing_again(world: HttpWorld) -> None:
    """A full read of a quiet world: no observation, no decision, no write (I2)."""
    world.wait(7200)
    before = world.counts()
    world.round(full=True)
    world.evaluated["I2"] += 1
    if world.counts() != before:
        world.broken("I2", f"a quiet world moved: {before} became {world.counts()}")
