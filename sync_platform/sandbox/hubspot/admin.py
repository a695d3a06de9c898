"""What an administrator does in HubSpot's settings, for the control port: owners come and go, rules are set.

Facts: an archived owner keeps his id, loses `userId` and keeps `userIdIncludingInactive` [spec of the model]; since
2026-09 rules that an admin sets for properties are enforced on every write path [doc], so that a write that was valid
yesterday is a lasting 400 today.
"""

from typing import Any

from sync_platform.sandbox.hubspot.schema import Schema
from sync_platform.sandbox.hubspot.seed import owner
from sync_platform.sandbox.hubspot.wire import stamp

KINDS_OF_SETTINGS = ("owners", "rules")
_OWNER = ("email", "firstName", "lastName", "teams")
Doc = dict[str, Any]


class Admin:
    """Edits settings. Every method raises KeyError for an unknown id, ValueError for values that make no sense."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema

    def edit(self, kind: str, id_: str | None, given: Doc, now_ms: int, *, delete: bool) -> Doc:
        """Create (no id), change or remove an owner or a rule; a rule's id is <object type>.<property>."""
        if kind == "owners":
            return self._owner(id_, given, now_ms, delete=delete)
        return self._drop_rule(id_) if delete else self._rule(given)

    def _owner(self, id_: str | None, given: Doc, now_ms: int, *, delete: bool) -> Doc:
        if unknown := set(given) - set(_OWNER):
            raise ValueError(f"an owner has no {', '.join(sorted(unknown))}; settable: {', '.join(_OWNER)}")
        at = stamp(now_ms)
        if id_ is None:
            if not given.get("email"):
                raise ValueError("an owner needs an email")
            n = len(self._schema.owners) + 1
            doc = owner(n, str(given["email"]), "", at)
            while doc["id"] in self._schema.owners:
                n += 1
                doc = owner(n, str(given["email"]), "", at)
        elif id_ in self._schema.owners:
            doc = self._schema.owners[id_]
        else:
            raise KeyError("hubspot has no owner with this id")
        doc = {**doc, **given, "archived": delete, "updatedAt": at}
        if delete:
            doc.pop("userId", None)
        else:
            doc["userId"] = doc["userIdIncludingInactive"]
        self._schema.put_owner(doc)
        return doc

    def rules(self) -> list[Doc]:
        """All rules as the control port shows them."""
        rows = [{"id": f"{kind}.{doc['property']}", **doc} for kind, docs in self._schema.rules.items() for doc in docs]
        return sorted(rows, key=lambda row: str(row["id"]))

    def _rule(self, given: Doc) -> Doc:
        kind = self._schema.kinds.by_name.get(str(given.get("objectType")))
        name, when = given.get("property"), given.get("when") or {}
        if kind is None or not isinstance(name, str) or self._schema.stored(kind, name) is None:
            raise ValueError("a rule needs objectType and property, both known; when = {property: value} is optional")
        if not isinstance(when, dict) or not all(isinstance(value, str) for value in when.values()):
            raise ValueError("when must be an object of property names and values")
        doc = {"objectType": kind.name, "property": name, "when": when}
        self._schema.put_rule(kind, doc)
        return {"id": f"{kind.name}.{name}", **doc}

    def _drop_rule(self, id_: str | None) -> Doc:
        found = next((row for row in self.rules() if row["id"] == id_), None)
        if found is None:
            raise KeyError("hubspot has no rule with this id")
        self._schema.drop_rule(self._schema.kinds.by_name[found["objectType"]], found["property"])
        return found
