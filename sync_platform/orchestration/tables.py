"""Tables in Markdown: where each field comes from and goes to. The open-source UI stores column lineage without drawing
it, so it is shown as a table as well. Only names are in them, never a value of a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sync_platform.core import mappings
from sync_platform.core.policy import Policy
from sync_platform.core.records import SYSTEMS, Entity, System

# The only keys of a step's rows that may be shown.
ROW_KEYS = ("record", "system", "verb", "fields", "field", "rule", "state", "code", "reason", "count")
WAYS: Mapping[str, str] = {"both": "↔", "read": "→", "create": "→ (← when created)"}


def columns(policy: Policy, entity: Entity, system: System | None = None) -> str:
    """Field by field: the attributes of each system (or of one), who may write, which rules decide."""
    systems = SYSTEMS if system is None else (system,)
    maps = {one: mappings.field_maps(one, entity) for one in systems}
    rows = []
    for name, rule in policy.entities[entity].fields.items():
        row = {"field": name}
        for one in systems:
            fm = maps[one].get(name)
            row[str(one)] = "–" if fm is None else f"`{', '.join(fm.attributes)}` {WAYS.get(fm.mode, fm.mode)}"
        row["written by"] = ", ".join(str(w) for w in SYSTEMS if w in rule.writers) or "nobody"
        row["rules"] = ", ".join(r.name or r.kind for r in rule.rules)
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
