"""Custom fields of the twin of Gorgias: definitions for tickets and customers, and what a value has to be.

A definition can't be deleted, only deactivated [doc]; its label is unique, a second one answers 400 [seen live]; taken
as unique for each of the two object types [inferred]. The server may override `priority` [doc]; this one does not.
"""

import json
from collections.abc import Mapping
from typing import Any

from sync_platform.sandbox.gorgias import fields
from sync_platform.sandbox.gorgias.fields import Invalid
from sync_platform.sandbox.gorgias.http import dump, not_found
from sync_platform.sandbox.gorgias.store import Actor, Store, stamp, stamp_or_none, unstamp

SCHEMA = """
CREATE TABLE IF NOT EXISTS custom_fields(id INTEGER PRIMARY KEY, created INTEGER NOT NULL, object_type TEXT NOT NULL,
  label TEXT NOT NULL, priority INTEGER NOT NULL, archived INTEGER NOT NULL, row TEXT NOT NULL, deleted INTEGER);
CREATE UNIQUE INDEX IF NOT EXISTS custom_fields_label ON custom_fields(object_type, label);
"""
OBJECT_TYPES = ("Ticket", "Customer")
DATA_TYPES = ("text", "number", "boolean")
INPUT_TYPES = ("input", "dropdown", "input_number")
REQUIREMENTS = ("required", "visible", "conditional")
# Of the `ai_*` types the full list is not established.
MANAGED = {
    "Ticket": fields.words(
        "contact_reason product resolution ai_intent ai_outcome ai_sales ai_discount managed_sentiment call_status"
    ),
    "Customer": fields.words("customer_type"),
}
_STANDARD: tuple[tuple[str, str, int, str | None, dict[str, Any]], ...] = (
    (
        "Ticket",
        "Contact reason",
        100,
        "contact_reason",
        {"input_type": "dropdown", "choices": ["Order::Status", "Order::Return", "Product::Question", "Other"]},
    ),
    ("Ticket", "Order number", 90, None, {"input_type": "input"}),
    (
        "Customer",
        "Customer tier",
        100,
        "customer_type",
        {"input_type": "dropdown", "choices": ["bronze", "silver", "gold"]},
    ),
)


def _is(kind: str, value: Any) -> bool:
    if kind == "number":
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, str if kind == "text" else bool)


@fields.described({"type": ["number", "null"]})
def _bound(value: Any) -> Any:
    if value is None or _is("number", value):
        return value
    raise Invalid("Not a valid number.")


_INPUT: dict[str, fields.Check] = {
    "input_type": fields.one_of(INPUT_TYPES),
    "choices": fields.many(fields.anything, shortest=1, longest=2_000),
    "default": fields.anything,
    "min": _bound,
    "max": _bound,
    "placeholder": fields.text(),
}
_WHOLE = fields.nested(
    {
        "data_type": fields.one_of(DATA_TYPES),
        "input_settings": fields.nested(_INPUT, required=("input_type",)),
    },
    required=("data_type", "input_settings"),
)


def _bad_choices(kind: str, settings: dict[str, Any]) -> dict[str, Any]:
    choices = settings.get("choices")
    if choices is None:
        return {"choices": [fields.MISSING]}
    if not all(_is(kind, choice) for choice in choices) or len({dump(choice) for choice in choices}) != len(choices):
        return {"choices": [f"Must be different values of the type {kind}."]}
    if settings.get("default") is not None and settings["default"] not in choices:
        return {"default": [f"Must be one of: {', '.join(str(choice) for choice in choices)}."]}
    return {}


@fields.described(lambda: fields.schema_of(_WHOLE))
def definition(value: Any) -> dict[str, Any]:
    """Check {data_type, input_settings}: choices for a dropdown, min and max for a number's input."""
    found: dict[str, Any] = _WHOLE(value)
    kind, settings = found["data_type"], found["input_settings"]
    input_type = settings["input_type"]
    allowed = {"text": ("input", "dropdown"), "number": ("input_number", "dropdown"), "boolean": ("dropdown",)}[kind]
    bad: dict[str, Any] = {}
    if input_type not in allowed:
        bad["input_type"] = [f"Must be one of: {', '.join(allowed)}."]
    for name, owner in (
        ("choices", "dropdown"),
        ("default", "dropdown"),
        ("min", "input_number"),
        ("max", "input_number"),
    ):
        if name in settings and input_type != owner:
            bad[name] = [fields.UNKNOWN]
    if input_type == "dropdown" and not bad:
        bad = _bad_choices(kind, settings)
    if settings.get("min") is not None and settings.get("max") is not None and settings["min"] > settings["max"]:
        bad["min"] = ["Must not be greater than max."]
    if bad:
        raise Invalid({"input_settings": bad})
    return found


BODY: dict[str, fields.Check] = {
    "object_type": fields.one_of(OBJECT_TYPES),
    "label": fields.text(shortest=1, longest=255, null=False),
    "description": fields.text(longest=1_024),
    "external_id": fields.text(longest=255),
    "priority": fields.integer(high=5_000),
    "required": fields.boolean(),
    "requirement_type": fields.one_of(REQUIREMENTS),
    "managed_type": fields.one_of(MANAGED["Ticket"] | MANAGED["Customer"], null=True),
    "definition": definition,
    "deactivated_datetime": fields.moment(),
}
REQUIRED = ("object_type", "label", "definition")
# Values as bodies write them: [{id, value}].
VALUE: dict[str, fields.Check] = {"id": fields.integer(), "value": fields.anything}
VALUES = fields.many(fields.nested(VALUE, required=("id", "value")))


def prepare(store: Store) -> None:
    """The table of definitions."""
    store.extend(SCHEMA, ("custom_fields",), {"custom_fields": 40_000})


def defaults(store: Store) -> None:
    """The definitions that the account starts with, unless it has some."""
    if store.one("SELECT 1 FROM custom_fields"):
        return
    at = int(store.fact("created") or store.now())
    for object_type, label, priority, managed, settings in _STANDARD:
        given = {
            "object_type": object_type, "label": label, "priority": priority, "managed_type": managed,
            "definition": {"data_type": "text", "input_settings": settings},
        }  # fmt: skip
        _insert(store, store.new_id("custom_fields"), given, at)


def read(store: Store, field_id: int) -> dict[str, Any]:
    """A definition, deactivated or not. Raises ApiError 404."""
    found = store.one("SELECT row FROM custom_fields WHERE id = ?", field_id)
    if found is None:
        raise not_found()
    return dict(json.loads(found[0]))


def create(store: Store, given: dict[str, Any], actor: Actor) -> int:
    """A new definition. Raises Invalid for a label in use or a managed type of the other object."""
    _check(store, given, None)
    number = store.new_id("custom_fields")
    _insert(store, number, given, store.now())
    _tell(store, "custom-field-created", number, actor)
    return number


def change(store: Store, field_id: int, given: dict[str, Any], actor: Actor) -> None:
    """Set fields of a definition; `deactivated_datetime` archives it and null brings it back.

    Object type and data type stay [inferred]: values of another type could not be read any more.
    """
    row = read(store, field_id)
    new = {**row, **given}
    if new["object_type"] != row["object_type"]:
        raise Invalid({"object_type": ["Can not be changed."]})
    if new["definition"]["data_type"] != row["definition"]["data_type"]:
        raise Invalid({"definition": {"data_type": ["Can not be changed."]}})
    _check(store, new, field_id)
    if "deactivated_datetime" in given:
        new["deactivated_datetime"] = stamp_or_none(given["deactivated_datetime"])
    new["updated_datetime"] = stamp(store.now())
    store.run(
        "UPDATE custom_fields SET label = ?, priority = ?, archived = ?, row = ? WHERE id = ?",
        new["label"], new["priority"], int(new["deactivated_datetime"] is not None), dump(new), field_id,
    )  # fmt: skip
    _tell(store, "custom-field-updated", field_id, actor)


def by_label(store: Store, object_type: str, label: str) -> int:
    """The id of a definition by its label. Raises Invalid for an unknown one."""
    found = store.one("SELECT id FROM custom_fields WHERE object_type = ? AND label = ?", object_type, label)
    if found is None:
        raise Invalid({"custom_fields": [f"No custom field has the label {label!r}."]})
    return int(found[0])


def fit(row: Mapping[str, Any], value: Any) -> Any:
    """A value as the definition allows it; null clears. Raises Invalid; a wrong choice's message lists the choices."""
    if value is None:
        return None
    kind, settings = row["definition"]["data_type"], row["definition"]["input_settings"]
    if not _is(kind, value):
        raise Invalid(f"Not a valid {'string' if kind == 'text' else kind}.")
    choices = settings.get("choices")
    if choices is not None and value not in choices:
        raise Invalid(f"Must be one of: {', '.join(str(choice) for choice in choices)}.")
    low, high = settings.get("min"), settings.get("max")
    if (low is not None and value < low) or (high is not None and value > high):
        raise Invalid(f"Must be between {'any' if low is None else low} and {'any' if high is None else high}.")
    return value


def _check(store: Store, given: dict[str, Any], own: int | None) -> None:
    managed = given.get("managed_type")
    if managed is not None and managed not in MANAGED[given["object_type"]]:
        raise Invalid({"managed_type": [f"Must be one of: {', '.join(sorted(MANAGED[given['object_type']]))}."]})
    same = store.one(
        "SELECT id FROM custom_fields WHERE object_type = ? AND label = ?", given["object_type"], given["label"]
    )
    if same and same[0] != own:
        raise Invalid({"label": ["A custom field with this label already exists."]})


def _insert(store: Store, number: int, given: dict[str, Any], at: int) -> None:
    required = given.get("required", False)
    row = {
        "id": number,
        "external_id": given.get("external_id"),
        "object_type": given["object_type"],
        "label": given["label"],
        "description": given.get("description"),
        "priority": given.get("priority", 0),
        "required": required,
        "requirement_type": given.get("requirement_type", "required" if required else "visible"),
        "managed_type": given.get("managed_type"),
        "definition": given["definition"],
        "created_datetime": stamp(at),
        "updated_datetime": stamp(at),
        "deactivated_datetime": stamp_or_none(given.get("deactivated_datetime")),
    }
    store.run(
        "INSERT INTO custom_fields VALUES (?, ?, ?, ?, ?, ?, ?, NULL)",
        number, unstamp(row["created_datetime"]), row["object_type"], row["label"], row["priority"],
        int(row["deactivated_datetime"] is not None), dump(row),
    )  # fmt: skip


def _tell(store: Store, kind: str, number: int, actor: Actor) -> None:
    """The object type CustomField is listed [doc], the names of its events are formed like the others [inferred]."""
    if store.on("custom_field_events"):
        store.event(kind, "CustomField", number, actor.user_id)


def written(
    store: Store, object_type: str, held: dict[str, Any], given: list[dict[str, Any]], *, partial: bool = False
) -> dict[str, Any]:
    """An object's values after a write of [{id, value}]: all of them, or with `partial` those it names.

    Raises Invalid, keyed by the index of the entry: for an unknown, deactivated or foreign definition, a value that
    does not fit, and (by switch managed_field_omitted; «can answer 400», seen live) for leaving out a managed field's
    value.
    """
    keep = partial or store.switch("custom_field_values") == "merge"
    values = dict(held) if keep else {}
    bad: dict[str, Any] = {}
    for index, entry in enumerate(given):
        try:
            row = _open(store, object_type, entry["id"])
            value = fit(row, entry["value"])
        except Invalid as error:
            bad[str(index)] = error.messages
            continue
        if value is None:
            values.pop(str(row["id"]), None)
        else:
            old = held.get(str(row["id"]))
            values[str(row["id"])] = {
                "id": row["id"],
                "value": value,
                "prediction": old["prediction"] if old else None,
            }
    if bad:
        raise Invalid({"custom_fields": bad})
    if not keep and store.switch("managed_field_omitted") == "refuse":
        _check_managed(store, held, {str(entry["id"]) for entry in given})
    return {key: values[key] for key in sorted(values, key=int)}


def _open(store: Store, object_type: str, number: int) -> dict[str, Any]:
    """A definition that takes values. Raises Invalid."""
    found = store.one("SELECT row FROM custom_fields WHERE id = ? AND object_type = ?", number, object_type)
    if found is None:
        raise Invalid("Custom field does not exist.")
    row = dict(json.loads(found[0]))
    if row["deactivated_datetime"] is not None:
        raise Invalid("Custom field is deactivated.")
    return row


def _check_managed(store: Store, held: dict[str, Any], named: set[str]) -> None:
    for key in held.keys() - named:
        row = read(store, int(key))
        if row["managed_type"] is not None and row["deactivated_datetime"] is None:
            raise Invalid({"custom_fields": [f"The managed field {row['label']!r} can not be left out."]})


def pruned(store: Store, text: str, *, asked: bool, listed: bool) -> str:
    """An object's JSON without its custom_fields where the switch custom_fields_shown leaves them out."""
    shown = store.switch("custom_fields_shown")
    if shown == "always" or asked or (shown == "detail" and not listed):
        return text
    row = json.loads(text)
    row.pop("custom_fields", None)
    return dump(row)
