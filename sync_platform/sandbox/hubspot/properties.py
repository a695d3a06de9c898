"""The endpoints for properties and their groups.

Facts: 201 with Location on create; a name that is taken is a 409 OBJECT_ALREADY_EXISTS [recorded]; creating an archived
one restores it [observed live]; at most 10 unique properties per kind, only at creation, PATCH ignores it [doc]; a bool
needs exactly the options true and false [observed live]; PATCH of options replaces the list [doc]; an archived property
in use is refused, so is a group with live properties [observed live]; a new one exists for callers after 0.25 to 0.7 s.
"""

# ruff: noqa: S608 - statements are put together from this package's own table and column names; values are bound

import re
from typing import Any
from urllib.parse import quote

from sync_platform.sandbox.hubspot.kinds import NOTES, PRODUCTS, Kind
from sync_platform.sandbox.hubspot.records import Records
from sync_platform.sandbox.hubspot.store import LIVE
from sync_platform.sandbox.hubspot.values import Property
from sync_platform.sandbox.hubspot.versions import completed
from sync_platform.sandbox.hubspot.wire import Answer, Call, Refusal, not_found, refuse, stamp

UNIQUE_MAX, CUSTOM_MAX, ACCOUNT_MAX = 10, 1_000, 10_000
TYPES = ("bool", "date", "datetime", "enumeration", "number", "phone_number", "string")
FIELD_TYPES = (
    "booleancheckbox", "calculation_equation", "checkbox", "date", "file", "html", "number", "phonenumber", "radio",
    "select", "text", "textarea",
)  # fmt: skip
_CHANGEABLE = (
    "label", "type", "fieldType", "groupName", "description", "options", "displayOrder", "hidden", "formField",
    "calculationFormula", "externalOptions", "referencedObjectType",
)  # fmt: skip
Doc = dict[str, Any]


class Properties:
    """Serves /properties/{type}…."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._schema = records.schema

    def serve(self, call: Call, kind: Kind, rest: tuple[str, ...]) -> Answer:
        """Dispatch below /properties/{type}. Raises Refusal."""
        match (call.method, *rest):
            case ("GET",):
                archived = call.flag("archived")
                shown = [
                    prop.doc
                    for prop in self._schema.every(kind)
                    if prop.archived == archived and self._schema.ready(prop, call.now_ms)
                ]
                return Answer(200, {"results": shown})
            case ("POST",):
                doc = self.create(call, kind, call.fields())
                return Answer(201, doc, (_location(call, doc["name"]),))
            case ("POST", "batch", verb):
                return self._batch(call, kind, verb)
            case (_, "groups", *more):
                return self._groups(call, kind, more)
            case ("GET", name):
                return Answer(200, self._find(call, kind, name, archived=call.flag("archived")).doc)
            case ("PATCH", name):
                return Answer(200, self._change(call, kind, name, call.fields()))
            case ("DELETE", name):
                self._archive(call, kind, name)
                return Answer(204)
        raise not_found()

    # properties

    def _find(self, call: Call, kind: Kind, name: str, *, archived: bool = False) -> Property:
        prop = self._schema.stored(kind, name)
        if prop is None or prop.archived != archived or not self._schema.ready(prop, call.now_ms):
            raise Refusal(404, f'Property "{name}" does not exist', "OBJECT_NOT_FOUND", context={"name": [name]})
        return prop

    def create(self, call: Call, kind: Kind, given: Doc, *, at_once: bool = False) -> Doc:
        """A new property, or an archived one restored; exists for callers after a delay. Raises Refusal."""
        self._check_new(kind, given)
        name = given["name"]
        old = self._schema.stored(kind, name)
        if old is not None and not old.archived:
            refuse(
                409,
                f"A property named '{name}' already exists.",
                "OBJECT_ALREADY_EXISTS",
                sub="Properties.PROPERTY_WITH_NAME_EXISTS",
                context={"name": [name]},
            )
        doc = self._document(call, given)
        if old is not None:  # restored: its values come back, and what is settled at creation stays
            doc |= {key: old.doc[key] for key in ("createdAt", "createdUserId", "hasUniqueValue") if key in old.doc}
        ready_ms = self._schema.present_ms() + (0 if at_once else int(self._records.switch("property_delay_s") * 1000))
        with self._records.store.transaction():
            self._schema.put_property(kind, doc, ready_ms)
        return doc

    def _check_new(self, kind: Kind, given: Doc) -> None:
        missing = [name for name in ("name", "label", "type", "fieldType", "groupName") if not given.get(name)]
        if missing:
            attributes = ", ".join(missing)
            refuse(
                400, f"Invalid input JSON: some of required attributes are not set [{attributes}]", "VALIDATION_ERROR"
            )
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,99}", str(given["name"])):
            message = f"{given['name']} is not a valid property name: lower case letters, digits and underscores only"
            refuse(400, message, "VALIDATION_ERROR")
        if given["type"] not in TYPES or given["fieldType"] not in FIELD_TYPES:
            refuse(400, f"Invalid type {given['type']} or fieldType {given['fieldType']}", "VALIDATION_ERROR")
        if given["groupName"] not in self._schema.groups[kind.name]:
            refuse(400, f"Property group {given['groupName']} does not exist", "VALIDATION_ERROR")
        self._check_options(given["type"], given.get("options") or [])
        old = self._schema.stored(kind, given["name"])
        if given.get("hasUniqueValue") and (old is None or not old.unique):
            self._check_unique(kind, given)
        if self._custom_count(kind) >= CUSTOM_MAX:
            refuse(400, f"The limit of {CUSTOM_MAX} custom properties is reached", "VALIDATION_ERROR")
        if sum(map(self._custom_count, self._schema.kinds.by_name.values())) >= ACCOUNT_MAX:
            refuse(400, f"The account's limit of {ACCOUNT_MAX} custom properties is reached", "VALIDATION_ERROR")

    def _check_unique(self, kind: Kind, given: Doc) -> None:
        if kind is PRODUCTS or (kind is NOTES and self._records.switch("unique_on_notes") == "off"):
            refuse(400, "Properties with unique values are not supported for this object type", "VALIDATION_ERROR")
        if given["type"] not in ("string", "number"):
            refuse(400, "Only text and number properties can have unique values", "VALIDATION_ERROR")
        if len(self._schema.unique_names(kind)) >= UNIQUE_MAX:
            refuse(400, f"There can be at most {UNIQUE_MAX} properties with unique values", "VALIDATION_ERROR")

    def _check_options(self, type_: str, options: list[Doc]) -> None:
        if not isinstance(options, list) or not all(isinstance(option, dict) for option in options):
            refuse(400, "Invalid input JSON: options must be a list of objects", "VALIDATION_ERROR")
        values = [option.get("value") for option in options]
        if type_ == "bool" and sorted(map(str, values)) != ["false", "true"]:
            message = "Boolean properties must have exactly two options, with the values true and false"
            refuse(400, message, "VALIDATION_ERROR", sub="INVALID_BOOLEAN_OPTION")
        if len(set(values)) < len(values) or any(value is None or not option.get("label") for value, option in zip(
            values, options, strict=True
        )):  # fmt: skip
            refuse(400, "Property options must have labels and different values", "VALIDATION_ERROR")

    def _document(self, call: Call, given: Doc) -> Doc:
        at = stamp(call.now_ms)
        doc = {
            "name": given["name"],
            "description": "",
            "options": [],
            "displayOrder": -1,
            "externalOptions": False,
            "hidden": False,
            "formField": False,
            "dataSensitivity": given.get("dataSensitivity", "non_sensitive"),
            "hasUniqueValue": bool(given.get("hasUniqueValue")),
            "calculated": given.get("fieldType") == "calculation_equation",
            "hubspotDefined": False,
            "archived": False,
            "createdAt": at,
            "updatedAt": at,
            "createdUserId": "500000",
            "updatedUserId": "500000",
            "modificationMetadata": {
                "archivable": True,
                "readOnlyDefinition": False,
                "readOnlyValue": given.get("fieldType") == "calculation_equation",
            },
        }
        doc |= {name: given[name] for name in _CHANGEABLE if given.get(name) is not None}
        doc["options"] = _complete_options(doc["options"])
        return doc

    def _change(self, call: Call, kind: Kind, name: str, given: Doc) -> Doc:
        prop = self._find(call, kind, name)
        metadata = prop.doc["modificationMetadata"]
        changes = {key: given[key] for key in _CHANGEABLE if given.get(key) is not None}
        only_options = set(changes) <= {"options"} and not metadata.get("readOnlyOptions")
        if metadata["readOnlyDefinition"] and changes and not only_options:
            refuse(400, f"The definition of {name} is read only", "VALIDATION_ERROR")
        doc = {**prop.doc, **changes, "updatedAt": stamp(call.now_ms)}
        if "options" in changes:
            self._check_options(doc["type"], doc["options"])
            doc["options"] = _complete_options(doc["options"])
        with self._records.store.transaction():
            self._schema.put_property(kind, doc, prop.ready_ms)
        return doc

    def _archive(self, call: Call, kind: Kind, name: str) -> None:
        prop = self._find(call, kind, name)
        if not prop.doc["modificationMetadata"]["archivable"]:
            refuse(400, f"The property {name} can't be archived", "VALIDATION_ERROR")
        if self._in_use(kind, prop):
            refuse(
                400,
                f"The property {name} is in use",
                "VALIDATION_ERROR",
                sub="PropertyValidationError.CANNOT_DELETE_PROPERTY_IN_USE",
            )
        doc = {**prop.doc, "archived": True, "archivedAt": stamp(call.now_ms)}
        with self._records.store.transaction():
            self._schema.put_property(kind, doc, prop.ready_ms)

    def _in_use(self, kind: Kind, prop: Property) -> bool:
        """An admin's rule always counts; which values do isn't established: switch `property_in_use`."""
        ruled = self._schema.rules.get(kind.name, ())
        if any(rule["property"] == prop.name or prop.name in (rule.get("when") or {}) for rule in ruled):
            return True
        policy = self._records.switch("property_in_use")
        if policy == "rules" or (policy == "unique_values" and not prop.unique):
            return False
        sql = f"SELECT 1 FROM {kind.name} WHERE state={LIVE} AND json_extract(props,'$.{prop.name}')<>'' LIMIT 1"
        return self._records.store.db.execute(sql).fetchone() is not None

    def _batch(self, call: Call, kind: Kind, verb: str) -> Answer:
        entries = call.fields("inputs")["inputs"]
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            refuse(400, "Invalid input JSON: inputs must be a list of objects", "VALIDATION_ERROR")
        if len(entries) > 100:
            refuse(400, "The maximum number of inputs supported in a batch request is 100.", "VALIDATION_ERROR")
        results: list[Doc] = []
        errors: list[Doc] = []
        for entry in entries:
            name = str(entry.get("name"))
            try:
                if verb == "create":
                    results.append(self.create(call, kind, entry))
                elif verb == "read":
                    results.append(self._find(call, kind, name, archived=bool(call.json().get("archived"))).doc)
                elif verb == "archive":
                    self._archive(call, kind, name)
                else:
                    refuse(404, "resource not found")
            except Refusal as refusal:
                if verb == "archive" and refusal.status == 404:
                    continue
                if refusal.status not in (404, 409) or verb not in ("create", "read"):
                    raise
                errors.append(refusal.row(name=[name]))
        if verb == "archive":
            return Answer(204)
        return completed(call, 201 if verb == "create" else 200, results, errors, self._records.switch)

    def limits(self) -> Answer:
        """GET /crm/limits/{dated}/custom-properties: limits and use, by kind and in all."""
        rows = []
        total = 0
        for kind in self._schema.kinds.by_name.values():
            used = self._custom_count(kind)
            total += used
            rows.append(
                {
                    "objectTypeId": kind.type_id,
                    "singularLabel": kind.singular.replace("_", " ").capitalize(),
                    "pluralLabel": kind.name.replace("_", " ").capitalize(),
                    "limit": CUSTOM_MAX,
                    "usage": used,
                    "percentage": 100 * used / CUSTOM_MAX,
                }
            )
        body = {"overallLimit": ACCOUNT_MAX, "overallUsage": total, "overallPercentage": 100 * total / ACCOUNT_MAX}
        return Answer(200, body | {"byObjectType": rows})

    def _custom_count(self, kind: Kind) -> int:
        """Properties that the account made: archived ones don't count."""
        return len([prop for prop in self._schema.every(kind) if not (prop.doc["hubspotDefined"] or prop.archived)])

    # groups

    def _groups(self, call: Call, kind: Kind, rest: list[str]) -> Answer:
        groups = self._schema.groups[kind.name]
        match (call.method, *rest):
            case ("GET",):
                return Answer(200, {"results": [doc for doc in groups.values() if not doc["archived"]]})
            case ("POST",):
                return self._create_group(call, kind)
        group = groups.get(rest[0]) if len(rest) == 1 else None
        if group is None or group["archived"]:
            refuse(404, "resource not found")
        if call.method == "PATCH":
            given = call.fields()
            group = {**group, **{key: given[key] for key in ("label", "displayOrder") if key in given}}
            self._schema.put_group(kind, group)
        elif call.method == "DELETE":
            if any(prop.doc["groupName"] == rest[0] and not prop.archived for prop in self._schema.every(kind)):
                refuse(
                    400, f"The group {rest[0]} has properties", "VALIDATION_ERROR", sub="GROUP_WITH_ACTIVE_PROPERTIES"
                )
            self._schema.put_group(kind, {**group, "archived": True})
            return Answer(204)
        return Answer(200, group)

    def _create_group(self, call: Call, kind: Kind) -> Answer:
        given = call.fields("name", "label")
        name = str(given["name"])
        old = self._schema.groups[kind.name].get(name)
        if old is not None and not old["archived"]:
            refuse(
                409,
                f"A property group named '{name}' already exists.",
                "OBJECT_ALREADY_EXISTS",
                sub="Properties.PROPERTY_GROUP_WITH_NAME_EXISTS",
            )
        doc = {
            "name": name,
            "label": str(given["label"]),
            "displayOrder": int(given.get("displayOrder") or -1),
            "archived": False,
        }
        self._schema.put_group(kind, doc)
        return Answer(201, doc, (_location(call, name),))


def _complete_options(options: list[Doc]) -> list[Doc]:
    return [
        {
            "label": str(option["label"]),
            "value": str(option["value"]),
            "displayOrder": option.get("displayOrder", n),
            "hidden": bool(option.get("hidden")),
            "description": option.get("description") or "",
        }
        for n, option in enumerate(options)
    ]


def _location(call: Call, name: str) -> tuple[bytes, bytes]:
    return b"location", f"http://{call.host}{call.path.rstrip('/')}/{quote(name, safe='')}".encode()
