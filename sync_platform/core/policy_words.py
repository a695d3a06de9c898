"""A policy told back in plain words, line by line, so that a person can check what a file means."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from sync_platform.core.records import Json, System

if TYPE_CHECKING:
    from sync_platform.core.policy import EntityPolicy, FieldPolicy, Policy, Rule

CALLED: Mapping[str, str] = {System.GORGIAS: "Gorgias", System.HUBSPOT: "HubSpot", System.ERP: "the ERP"}

_CREATED = {
    "always": "every one is created there",
    "when_ticket": "one is created there when a ticket needs it",
    "never": "none is created there",
}
_DELETED = {
    "ignore": "a delete there changes nothing elsewhere",
    "unlink": "after a delete there the others stay as they are and are kept equal no more",
    "archive": "after a delete there HubSpot puts it into its bin, the others are kept equal no more",
    "delete": "a delete there deletes it elsewhere, unless somebody edited it there",
}


def explain(policy: Policy) -> str:
    """The whole policy in words: one line for each field, system and table."""
    lines: list[str] = []
    for entity, one in policy.entities.items():
        lines.append(f"{entity}s")
        lines.extend(f"  {_field(field)}" for field in one.fields.values())
        lines.extend(f"  {line}" for line in _systems(one))
        brake = one.brake
        lines.append(
            f"  a change of more than {brake.absolute} rows and {brake.share * 100:g}% of all rows within"
            f" {brake.window_s / 60:g} minutes waits for a person"
        )
        for name, table in policy.vocabulary.get(entity, {}).items():
            lines.append(f"  words of {name}")
            lines.extend(f"    {_row(canonical, cells)}" for canonical, cells in table.items())
    lines.append(f"times closer than {policy.tolerance_s:g} s count as the same time")
    lines.append(f"policy {policy.hash}")
    return "\n".join(lines)


def _listed(systems: Iterable[str], joint: str = "and") -> str:
    names = [CALLED[one] for one in systems]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {joint} {names[-1]}"


def _field(field: FieldPolicy) -> str:
    writers = [system for system in field.order if system in field.writers]
    parts = [f"{field.field}: {_listed(writers)} may write it"]
    if field.at_birth:
        births = [system for system in field.order if system in field.at_birth]
        parts.append(f"{_listed(births)} only with a record that is new")
    if len(writers) > 1 or field.rules[0].kind == "union":
        parts.append(rules_in_words(field.rules))
    clearing = [system for system in writers if field.blank_clears(system)]
    if clearing and len(clearing) < len(writers):
        parts.append(f"a blank of {_listed(clearing)} clears it, another one keeps the value")
    else:
        parts.append("a blank clears it" if clearing else "a blank keeps the value")
    if field.first_link == "review":
        parts.append("at a first link a person decides")
    elif field.first_link != field.order:
        parts.append(f"at a first link {_listed(field.first_link, 'then')}")
    return "; ".join(parts)


def rules_in_words(rules: Iterable[Rule]) -> str:
    """What happens when the systems differ."""
    said = [_rule(rule) for rule in rules]
    if said[-1] not in {"a person decides", "additions and removals of all sides are applied"}:
        said.append("a person decides")
    return "when they differ: " + ", else ".join(said)


def _rule(rule: Rule) -> str:
    order = _listed(rule.order, "then") if rule.order else ""
    said = {
        "owner": f"the first of {order}" + (" that is not blank" if rule.unless_blank else ""),
        "rank": f"by rank {order}",
        "max": f"the highest of {' < '.join(rule.scale)}",
        "newest": "the newest",
        "opt_out": "opt-out wins",
        "union": "additions and removals of all sides are applied",
        "own": f"the rule {rule.name}",
    }
    return said.get(rule.kind, "a person decides")


def _systems(one: EntityPolicy) -> Iterable[str]:
    for system, said in one.systems.items():
        closing = "; tickets may be closed there, which can send a survey" if said.allow_close else ""
        anew = "; it is made anew there for a later edit elsewhere" if said.recreate == "later_edit" else ""
        kept = "; `forget` deletes nothing there" if said.erase == "ledger" else ""
        yield f"{CALLED[system]}: {_CREATED[said.create]}; {_DELETED[said.delete]}{anew}{kept}{closing}"


def _row(canonical: str, cells: Mapping[System, Json]) -> str:
    said = [f"{CALLED[one]} {words if isinstance(words, str) else ' or '.join(words)}" for one, words in cells.items()]
    return f"{canonical}: {', '.join(said)}"
