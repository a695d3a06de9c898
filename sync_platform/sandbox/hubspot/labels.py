"""The account's own association labels.

Facts: GET, POST, PUT and DELETE at …/associations/{a}/{b}/labels [doc]; a label is USER_DEFINED, has its own id in each
direction, and setting it also makes the unlabelled association [doc]; the number of labels between two kinds is
limited by plan (switch `labels_max`). HubSpot's own types are listed beside them and can't be changed.
"""

from typing import Any

from sync_platform.sandbox.hubspot.kinds import Kind
from sync_platform.sandbox.hubspot.records import Records
from sync_platform.sandbox.hubspot.wire import Answer, Call, Refusal, as_id, not_found, refuse

Doc = dict[str, Any]


class Labels:
    """Serves /associations/{a}/{b}/labels…."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._schema = records.schema

    def serve(self, call: Call, a: Kind, b: Kind, rest: list[str]) -> Answer:
        """Dispatch below …/labels. Raises Refusal."""
        match (call.method, *rest):
            case ("GET",):
                return Answer(200, {"results": [tie.shown() for tie in self._schema.ties(a, b)]})
            case ("POST",):
                return self._create(call, a, b)
            case ("PUT",):
                return self._change(call, a, b)
            case ("DELETE", text):
                return self._delete(a, b, as_id(text))
        if rest[1:]:
            raise not_found()
        raise Refusal(405, "HTTP 405 Method Not Allowed")

    def _create(self, call: Call, a: Kind, b: Kind) -> Answer:
        given = call.fields("label", "name")
        self._schema.ties(a, b)
        label, name = _word(given, "label"), _word(given, "name")
        known = [*self._schema.labels(a, b).values(), *self._schema.labels(b, a).values()]
        most = self._records.switch("labels_max")
        if len(self._schema.labels(a, b)) >= most:
            refuse(400, f"There can be at most {most} association labels between two objects", "VALIDATION_ERROR")
        if any(doc["name"] == name or doc["label"] == label for doc in known):
            refuse(400, f"An association label named '{label}' already exists", "VALIDATION_ERROR")
        inverse = _word(given, "inverseLabel") if given.get("inverseLabel") else label
        there = self._schema.next_label_id()
        # Between records of one kind a label without a twin is the same in both directions.
        back = there if a is b and inverse == label else there + 1
        with self._records.store.transaction():
            self._schema.put_label(a, b, _doc(there, back, label, name))
            if back != there:
                self._schema.put_label(b, a, _doc(back, there, inverse, name))
        specs = [_spec(there, label)] + ([_spec(back, inverse)] if back != there else [])
        return Answer(200, {"results": specs})

    def _change(self, call: Call, a: Kind, b: Kind) -> Answer:
        given = call.fields("associationTypeId", "label")
        doc = self._own(a, b, as_id(given["associationTypeId"]))
        twin = self._schema.labels(b, a).get(doc["backId"])
        with self._records.store.transaction():
            self._schema.put_label(a, b, {**doc, "label": _word(given, "label")})
            if twin is not None and twin is not doc and given.get("inverseLabel"):
                self._schema.put_label(b, a, {**twin, "label": _word(given, "inverseLabel")})
        return Answer(204)

    def _delete(self, a: Kind, b: Kind, type_id: int | None) -> Answer:
        doc = self._own(a, b, type_id)
        with self._records.store.transaction():
            for one, other, id_ in ((a, b, doc["typeId"]), (b, a, doc["backId"])):
                self._records.store.db.execute(
                    "DELETE FROM ties WHERE a=? AND b=? AND type_id=?", (one.name, other.name, id_)
                )
                self._schema.drop_label(one, other, id_)
        return Answer(204)

    def _own(self, a: Kind, b: Kind, type_id: int | None) -> Doc:
        """A label of the account's. Raises Refusal: 400 for HubSpot's own type, 404 for an unknown one."""
        doc = self._schema.labels(a, b).get(type_id) if type_id is not None else None
        if doc is None and any(tie.type_id == type_id for tie in self._schema.ties(a, b)):
            refuse(400, f"Association type {type_id} is defined by HubSpot and can't be changed", "VALIDATION_ERROR")
        if doc is None:
            raise not_found()
        return doc


def _word(given: Doc, name: str) -> str:
    text = given[name]
    if not isinstance(text, str) or not text.strip():
        refuse(400, f"Invalid input JSON: {name} must be a text", "VALIDATION_ERROR")
    return text


def _doc(type_id: int, back_id: int, label: str, name: str) -> Doc:
    return {"typeId": type_id, "backId": back_id, "label": label, "name": name}


def _spec(type_id: int, label: str) -> Doc:
    return {"category": "USER_DEFINED", "typeId": type_id, "label": label}
