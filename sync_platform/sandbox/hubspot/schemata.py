"""How the description of HubSpot's twin writes JSON Schema: plain types, closed objects, pages and batches."""

from typing import Any

Json = dict[str, Any]

TEXT: Json = {"type": "string"}
FLAG: Json = {"type": "boolean"}
WHOLE: Json = {"type": "integer"}
MAYBE: Json = {"type": ["string", "null"]}
# ISO 8601 with a Z; three digits of fraction, or none when it is zero [recorded].
TIME: Json = {
    "type": "string",
    "format": "date-time",
    "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{3})?Z$",
}
ID: Json = {"type": "string", "pattern": "^[0-9]+$"}
EITHER_ID: Json = {"type": ["integer", "string"]}
TYPE_ID: Json = {"type": "string", "pattern": "^[0-9]+-[0-9]+$"}
CONTEXT: Json = {"type": "object", "additionalProperties": {"type": "array", "items": TEXT}}
VALUE: Json = {"type": ["string", "number", "boolean", "null"]}


def ref(name: str) -> Json:
    """One of the components."""
    return {"$ref": f"#/components/schemas/{name}"}


def many(items: Json, most: int | None = None) -> Json:
    """A list."""
    return {"type": "array", "items": items} | ({} if most is None else {"maxItems": most})


def closed(required: str, **fields: Json) -> Json:
    """An object that has no other fields; `required` are names parted by spaces, * for all."""
    names = list(fields) if required == "*" else required.split()
    return {"type": "object", "properties": fields, "additionalProperties": False} | (
        {"required": names} if names else {}
    )


def of(fields: Json, *required: str) -> Json:
    """The same for names that Python can't write, or that come from elsewhere."""
    return {"type": "object", "properties": fields, "required": list(required), "additionalProperties": False}


def given(required: str, **fields: Json) -> Json:
    """A body: HubSpot ignores fields that it doesn't know."""
    return {"type": "object", "properties": fields, "required": required.split()}


PAGING: Json = {"paging": {"$ref": "#/components/schemas/Paging"}}


def batch(name: str) -> dict[str, Json]:
    """The two answers to a batch: all well, and a 207 with groups of errors (2026-09 has both fields always)."""
    fields: Json = {
        "status": {"enum": ["PENDING", "PROCESSING", "CANCELED", "COMPLETE"]},
        "results": many(ref(name)),
        "startedAt": TIME,
        "completedAt": TIME,
        "requestedAt": TIME,
        "links": {"type": "object", "additionalProperties": TEXT},
        "numErrors": {"type": "integer", "minimum": 0},
        "errors": many(ref("RowError")),
    }
    least = ("status", "results", "startedAt", "completedAt")
    return {f"BatchOf{name}": of(fields, *least), f"PartOf{name}": of(fields, *least, "numErrors", "errors")}


def page(name: str) -> dict[str, Json]:
    """A page of a list; the last one has no `paging`."""
    return {f"PageOf{name}": of({"results": many(ref(name)), **PAGING}, "results")}


def inputs(row: Json, most: int, **fields: Json) -> Json:
    """The body of a batch."""
    return given("inputs", inputs=many(row, most), **fields)


_TYPES = ["bool", "date", "datetime", "enumeration", "number", "phone_number", "string"]
_FIELD_TYPES = [
    "booleancheckbox", "calculation_equation", "checkbox", "date", "file", "html", "number", "phonenumber", "radio",
    "select", "text", "textarea",
]  # fmt: skip
_OPTION_BODY = given("label value", label=TEXT, value=TEXT, displayOrder=WHOLE, hidden=FLAG, description=TEXT)
PROPERTY_BODY: Json = {
    "label": TEXT,
    "type": {"enum": _TYPES},
    "fieldType": {"enum": _FIELD_TYPES},
    "groupName": TEXT,
    "description": TEXT,
    "options": many(_OPTION_BODY),
    "displayOrder": WHOLE,
    "hidden": FLAG,
    "formField": FLAG,
    "calculationFormula": TEXT,
    "externalOptions": FLAG,
    "referencedObjectType": TEXT,
}
