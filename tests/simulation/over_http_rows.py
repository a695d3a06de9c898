"""What the sandbox's own store shows of an object, and what a person has to send to its control port to edit it.

Both in the words of `simulation/people.py`; nothing of the connectors is used, which are under test.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sync_platform.core.records import Entity, Json, System
from sync_platform.simulation import people

G, H, E = System.GORGIAS, System.HUBSPOT, System.ERP
KINDS = {
    (G, Entity.CUSTOMER): "customers",
    (H, Entity.CUSTOMER): "contacts",
    (E, Entity.CUSTOMER): "customers",
    (G, Entity.TICKET): "tickets",
    (H, Entity.TICKET): "tickets",
    (E, Entity.TICKET): "tickets",
}
MARKER = {G: "external_id", H: "sync_id", E: "sync_marker"}
_TICKET = re.compile(r"^(t\d+(?:x\d+)?) ")
Row = Mapping[str, Any]


def attributes(system: System, entity: Entity, row: Row) -> dict[str, Json]:
    """A row of the store with the attributes that `people.read` knows."""
    if system is H:
        out: dict[str, Json] = {name: value or None for name, value in row["properties"].items()}
        if entity is Entity.TICKET:
            out["sync_tags"] = [one for one in (out.get("sync_tags") or "").split(";") if one]
            found = row.get("associations", {}).get("contacts", {}).get("results", [])
            out["contact"] = found[0]["id"] if found else None
        return out
    out = dict(row)
    if system is G and entity is Entity.CUSTOMER:
        ours = (row["data"] or {}).get("sync") or {}
        out |= {f"sync.{name}": value for name, value in ours.items()}
        live = [one for one in row["channels"] if not one["deleted_datetime"]]
        out["phones"] = [one["address"] for one in live if one["type"] == "phone"]
    elif system is G:
        out["tags"] = [one["name"] for one in row["tags"]]
        out["customer_id"] = row["customer"]["id"] if row["customer"] else None
    return out


def whose(system: System, entity: Entity, row: Row) -> str:
    """Whose object this is: a person's e-mail and a ticket's subject begin with it; empty where neither does."""
    held = attributes(system, entity, row)
    if entity is Entity.CUSTOMER:
        return people.whose(entity, system, held)
    found = _TICKET.match(str(held.get("subject") or ""))
    return found.group(1) if found else ""


def customer_of(system: System, row: Row) -> str:
    """The id of the customer that a ticket names; empty for none."""
    return str(attributes(system, Entity.TICKET, row).get(people.REFERENCE[system]) or "")


def typed(system: System, field: str, number: int, row: Row, name: str) -> people.Typed:
    """What a person types as edit `number`; a ticket keeps its name at the front of its subject."""
    if field == "subject":
        text = f"{name} Subject {number}"
        return people.Typed({"subject": text}, text.casefold())
    entity = Entity.TICKET if field in people.FIELDS[Entity.TICKET] else Entity.CUSTOMER
    return people.typed(system, field, number, attributes(system, entity, row) if row else {})


def body(system: System, attributes_typed: Mapping[str, Json], row: Row | None) -> dict[str, Json]:
    """The `set` of POST /edit for these attributes."""
    out: dict[str, Json] = {}
    ours: dict[str, Json] = {}
    for name, value in attributes_typed.items():
        if name.startswith("sync."):
            ours[name.removeprefix("sync.")] = value
        elif system is H:
            out[name] = ";".join(value) if isinstance(value, list) else "" if value is None else str(value)
        else:
            out[name] = value
    if ours:
        data = dict((row or {}).get("data") or {})
        out["data"] = {**data, "sync": {**(data.get("sync") or {}), **ours}}
    return out
