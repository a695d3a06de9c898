"""The words in which the answers of the twin of Gorgias are described: small pieces of JSON Schema."""

from collections.abc import Collection
from typing import Any

from sync_platform.sandbox.gorgias.fields import or_null

Json = dict[str, Any]

INT: Json = {"type": "integer"}
ID: Json = {"type": "integer", "minimum": 0, "maximum": 2**63 - 1}
TEXT: Json = {"type": "string"}
FLAG: Json = {"type": "boolean"}
FREE: Json = {}
MAP: Json = {"type": "object"}
# +00:00 always, and no fraction at all when the microseconds are 0 [recorded].
TIME: Json = {
    "type": "string",
    "format": "date-time",
    "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{6})?\+00:00$",
}
SLUG: Json = {"type": "string", "pattern": "^[a-z0-9][a-z0-9_-]*$"}


def ref(name: str) -> Json:
    """One of the components."""
    return {"$ref": f"#/components/schemas/{name}"}


def many(items: Json) -> Json:
    """A list."""
    return {"type": "array", "items": items}


def keyed(values: Json) -> Json:
    """An object whose keys are ids as text."""
    return {"type": "object", "patternProperties": {"^[0-9]+$": values}, "additionalProperties": False}


def words(*choices: str) -> Json:
    """One of some words."""
    return {"type": "string", "enum": sorted(choices)}


def whole(fields: Json, *, optional: Collection[str] = ()) -> Json:
    """An object with these fields and no other; all are there but the optional ones."""
    needed = [name for name in fields if name not in optional]
    return {"type": "object", "properties": fields, "required": needed, "additionalProperties": False}


def uri(*parts: str) -> Json:
    """The `uri` of an object: it ends in a slash [recorded]."""
    return {"type": "string", "pattern": f"^/api/{'/'.join(part + '/[0-9]+' for part in parts)}/$"}


def times(*names: str) -> Json:
    """Times that are always there."""
    return {f"{name}_datetime": TIME for name in names}


def null_times(*names: str) -> Json:
    """Times that may be null."""
    return {f"{name}_datetime": or_null(TIME) for name in names}


def page(row: str, *, total: bool = False) -> Json:
    """A list: `uri` echoes path and query, the last page has next_cursor null [recorded]; newer endpoints add
    meta.total_resources, which may be null [doc]."""
    meta: Json = {"prev_cursor": or_null(TEXT), "next_cursor": or_null(TEXT)}
    if total:
        meta["total_resources"] = or_null(INT)
    return whole(
        {"object": {"type": "string", "const": "list"}, "uri": TEXT, "data": many(ref(row)), "meta": whole(meta)}
    )


def data_of(row: str) -> Json:
    """The lists that are not paged: {"data": […]} [recorded], or a bare list by the switch short_lists."""
    return {"anyOf": [whole({"data": many(ref(row))}), many(ref(row))]}
