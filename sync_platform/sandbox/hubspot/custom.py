"""Types of the account's own: their schemas, made and removed through the API.

Facts: a custom type has the id 2-N and the qualified name p<portal>_<name> [doc]; the body names its properties, which
of them are required, searched and displayed, and what it is associated with [spec of the schemas]. A type whose records
are not all archived can't be deleted [doc]; at most 10 types here [general knowledge: depends on the plan].
"""

# ruff: noqa: S608 - statements are put together from this package's own table and column names; values are bound

import re
from typing import Any

from sync_platform.sandbox.hubspot.kinds import Kind
from sync_platform.sandbox.hubspot.properties import Properties
from sync_platform.sandbox.hubspot.records import Records
from sync_platform.sandbox.hubspot.store import LIVE
from sync_platform.sandbox.hubspot.wire import Answer, Call, Refusal, not_found, refuse, stamp

TYPES_MAX = 10
_LISTS = ("requiredProperties", "searchableProperties", "secondaryDisplayProperties")
Doc = dict[str, Any]


class CustomTypes:
    """Serves /schemas…."""

    def __init__(self, records: Records, properties: Properties) -> None:
        self._records = records
        self._schema = records.schema
        self._properties = properties

    def serve(self, call: Call, rest: list[str]) -> Answer:
        """Dispatch below /schemas. Raises Refusal."""
        match (call.method, *rest):
            case ("GET",):
                kinds = [] if call.flag("archived") else [self._schema.kinds.by_name[name] for name in self._customs()]
                return Answer(200, {"results": [self._shown(kind) for kind in kinds]})
            case ("POST",):
                return Answer(201, self._create(call))
            case ("GET", text):
                return Answer(200, self._shown(self._kind(text)))
            case ("PATCH", text):
                return Answer(200, self._change(call, self._kind(text)))
            case ("DELETE", text):
                self._delete(self._kind(text))
                return Answer(204)
        if not rest or len(rest) == 1:
            raise Refusal(405, "HTTP 405 Method Not Allowed")
        raise not_found()

    def _customs(self) -> list[str]:
        return sorted(self._schema.customs)

    def _kind(self, text: str) -> Kind:
        kind = self._schema.kinds.of(text)
        if not kind.custom:
            refuse(400, f"{text} is not a custom object type", "VALIDATION_ERROR")
        return kind

    def _create(self, call: Call) -> Doc:
        given = call.fields("name", "labels", "properties", "requiredProperties")
        name, names = given["name"], self._check(given)
        customs = self._schema.customs.values()
        if any(doc["name"] == name for doc in customs):
            refuse(409, f"A custom object type named '{name}' already exists.", "OBJECT_ALREADY_EXISTS")
        if len(customs) >= TYPES_MAX:
            refuse(400, f"The limit of {TYPES_MAX} custom object types is reached", "VALIDATION_ERROR")
        at = stamp(call.now_ms)
        doc = {
            "number": 1 + max((one["number"] for one in customs), default=-1),
            "name": name,
            "labels": given["labels"],
            "description": given.get("description"),
            "primaryDisplayProperty": given.get("primaryDisplayProperty") or names[0],
            "associatedObjects": [self._schema.kinds.of(str(one)).name for one in given.get("associatedObjects") or ()],
            "createdAt": at,
            "updatedAt": at,
            **{key: list(given.get(key) or ()) for key in _LISTS},
        }
        try:
            with self._records.store.transaction():
                kind = self._schema.put_custom(doc, at)
                for prop in given["properties"]:
                    whole = {"groupName": "objectinformation", **prop}
                    self._properties.create(call, kind, whole, at_once=True)
        except Refusal:
            self._schema.forget_unsaved(name)
            raise
        return self._shown(kind)

    def _check(self, given: Doc) -> list[str]:
        """The names of the properties. Raises Refusal(400)."""
        if not isinstance(given["name"], str) or not re.fullmatch(r"[a-z][a-z0-9_]{0,49}", given["name"]):
            refuse(400, "A name starts with a letter and has letters, digits and underscores", "VALIDATION_ERROR")
        rows = given["properties"]
        if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
            refuse(400, "Invalid input JSON: properties must be a list of objects", "VALIDATION_ERROR")
        if not isinstance(given["labels"], dict):
            refuse(400, "Invalid input JSON: labels must be an object", "VALIDATION_ERROR")
        names = [str(row.get("name")) for row in rows]
        listed = [name for key in _LISTS for name in _texts(given, key)]
        if given.get("primaryDisplayProperty"):
            listed.append(str(given["primaryDisplayProperty"]))
        unknown = sorted(set(listed) - set(names))
        if unknown:
            refuse(400, f"Properties that the schema doesn't define: {', '.join(unknown)}", "VALIDATION_ERROR")
        _texts(given, "associatedObjects")
        return names

    def _change(self, call: Call, kind: Kind) -> Doc:
        given, doc = call.fields(), dict(self._schema.customs[kind.name])
        known = {prop.name for prop in self._schema.every(kind)}
        for key in _LISTS:
            if given.get(key) is not None:
                if unknown := set(_texts(given, key)) - known:
                    refuse(400, f"Unknown properties: {', '.join(sorted(unknown))}", "VALIDATION_ERROR")
                doc[key] = list(given[key])
        if isinstance(given.get("labels"), dict):
            doc["labels"] = {**doc["labels"], **given["labels"]}
        if given.get("primaryDisplayProperty") in known:
            doc["primaryDisplayProperty"] = given["primaryDisplayProperty"]
        if "description" in given:
            doc["description"] = given["description"]
        doc["updatedAt"] = stamp(call.now_ms)
        with self._records.store.transaction():
            return self._shown(self._schema.put_custom(doc, doc["updatedAt"]))

    def _delete(self, kind: Kind) -> None:
        found = self._records.store.db.execute(f"SELECT 1 FROM {kind.name} WHERE state={LIVE} LIMIT 1").fetchone()
        if found:
            refuse(400, f"{kind.name} has records and can't be deleted", "VALIDATION_ERROR")
        with self._records.store.transaction():
            self._records.store.db.execute("DELETE FROM ties WHERE a=? OR b=?", (kind.name, kind.name))
            self._schema.drop_custom(kind)

    def _shown(self, kind: Kind) -> Doc:
        doc = {key: value for key, value in self._schema.customs[kind.name].items() if value is not None}
        for key in ("number", "associatedObjects"):
            doc.pop(key, None)
        props = [prop.doc for prop in self._schema.every(kind) if not prop.archived]
        return doc | {
            "id": kind.type_id,
            "objectTypeId": kind.type_id,
            "fullyQualifiedName": kind.name,
            "archived": False,
            "properties": props,
            "associations": self._associations(kind),
        }

    def _associations(self, kind: Kind) -> list[Doc]:
        doc, rows = self._schema.customs[kind.name], []
        # Activities can be logged on every custom type [doc].
        for name in dict.fromkeys([*doc["associatedObjects"], "notes", "calls", "emails", "meetings", "tasks"]):
            other = self._schema.kinds.by_name.get(name)
            if other is None:
                continue
            for a, b in ((kind, other), (other, kind)):
                tie = self._schema.ties(a, b)[0]
                row = {"id": str(tie.type_id), "fromObjectTypeId": a.type_id, "toObjectTypeId": b.type_id}
                rows.append(row | {"name": f"{a.singular}_to_{b.singular}", "createdAt": doc["createdAt"]})
        return rows


def _texts(given: Doc, key: str) -> list[str]:
    found = given.get(key) or []
    if not isinstance(found, list):
        refuse(400, f"Invalid input JSON: {key} must be a list", "VALIDATION_ERROR")
    return [str(one) for one in found]
