"""Tables in Markdown: where each field comes from and goes to. The open-source UI stores column lineage without drawing
it, so it is shown as a table as well. Only names are in them, never a value of a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sync_platform.core.columns import lines
from sync_platform.core.policy import Policy
from sync_platform.core.records import SYSTEMS, Entity, System

# The only keys of a step's rows that may be shown.
ROW_KEYS = ("record", "system", "verb", "fields", "field", "rule", "state", "code", "reason", "count")
WAYS: Mapping[str, str] = {"both": "↔", "never": "→", "create": "→ (← when created)"}


def columns(policy: Policy, entity: Entity, system: System | None = None) -> str:
    """Field by field: the attributes of each system (or of one), who may write, which rules decide."""
    systems = SYSTEMS if system is None else (system,)
    rows = []
    for line in lines(policy, entity):
        row = {"field": line.field}
        for one in systems:
            place = line.places.get(one)
            row[str(one)] = "–" if place is None else f"`{', '.join(place.attributes)}` {WAYS[place.written]}"
        setters = [str(one) for one in SYSTEMS if one in line.places and line.places[one].sets]
        row["written by"] = ", ".join(setters) or "nobody"
        row["rules"] = ", ".join(line.rules)
        rows.append(row)
    return table(rows)


def markdown(rows: Sequence[Mapping[str, object]]) -> str:
    """A step's rows as a table of the columns that may be shown."""
    return table([{key: _shown(row[key]) for key in ROW_KEYS if key in row} for row in rows])


def table(rows: Sequence[Mapping[str, str]]) -> str:
    """Rows as a Markdown table; columns in order of first appearance."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    if not names:
        return "–"
    lines = [" | ".join(names), " | ".join("---" for _ in names)]
    lines += [" | ".join(row.get(name, "").replace("|", "\\|").replace("\n", " ") for name in names) for row in rows]
    return "\n".join(f"| {line} |" for line in lines)


def _shown(value: object) -> str:
    if isinstance(value, list | tuple | set | frozenset):
        return ", ".join(str(part) for part in value)
    return str(value)
