"""The v4 association endpoints.

Facts: `toObjectId` comes as a JSON number although newer models say string [recorded]; a batch read of a record that
has none is a 207 with NO_ASSOCIATIONS_FOUND, not an empty row [recorded]; DELETE removes all types between the pair
[doc].
"""

from typing import Any

from sync_platform.sandbox.hubspot.kinds import Kind, Tie, ties
from sync_platform.sandbox.hubspot.records import Records
from sync_platform.sandbox.hubspot.store import LIVE, Row
from sync_platform.sandbox.hubspot.ties import Ties
from sync_platform.sandbox.hubspot.versions import completed
from sync_platform.sandbox.hubspot.wire import Answer, Call, Refusal, as_id, record_id, refuse, stamp

PAGE_MAX, WRITES_MAX, READS_MAX = 500, 2_000, 1_000


class Associations:
    """Serves /objects/{a}/{id}/associations/… and /associations/{a}/{b}/…."""

    def __init__(self, records: Records, links: Ties) -> None:
        self._records = records
        self._store = records.store
        self._links = links

    # one record

    def page(self, call: Call, a: Kind, text: str, b: Kind) -> Answer:
        """GET …/associations/{b}."""
        row = self._records.live(a, record_id(text))
        limit, after = call.number("limit", PAGE_MAX, PAGE_MAX), call.text("after") or "0"
        shown, following = self._shown(a, row.id, b, as_id(after) or 0, limit)
        body: dict[str, Any] = {"results": shown}
        if following:
            body["paging"] = {"next": {"after": following, "link": call.link(following)}}
        return Answer(200, body)

    def _shown(self, a: Kind, id_: int, b: Kind, after: int, limit: int) -> tuple[list[dict[str, Any]], str | None]:
        found = sorted(self._links.of(a, [id_], b)[id_].items())
        page = [(to_id, type_ids) for to_id, type_ids in found if to_id > after]
        known = {tie.type_id: tie for tie in self._records.schema.ties(a, b)}
        shown = [
            {"toObjectId": self._id(to_id), "associationTypes": [known[type_id].shown() for type_id in type_ids]}
            for to_id, type_ids in page[:limit]
        ]
        return shown, str(page[limit - 1][0]) if len(page) > limit else None

    def _id(self, number: int) -> int | str:
        """A record's id as this account's answers have it."""
        return str(number) if self._records.switch("association_ids") == "string" else number

    def put(self, call: Call, a: Kind, text: str, b: Kind, other: str) -> Answer:
        """PUT …/associations/{b}/{id} with a list of types."""
        specs = call.json()
        if not isinstance(specs, list) or not specs:
            refuse(400, "Invalid input JSON: a list of association types is expected", "VALIDATION_ERROR")
        wanted = [self._tie(a, b, spec) for spec in specs]
        with self._store.transaction():
            left, right = self._records.live(a, record_id(text)), self._records.live(b, record_id(other))
            self._links.add(left, right, wanted, call.now_ms)
        return Answer(201, self._pair_shown(left, right, wanted))

    def put_default(self, call: Call, a: Kind, text: str, b: Kind, other: str) -> Answer:
        """PUT …/associations/default/{b}/{id}."""
        with self._store.transaction():
            left, right = self._records.live(a, record_id(text)), self._records.live(b, record_id(other))
            self._links.add(left, right, self._records.schema.ties(a, b)[:1], call.now_ms)
        return Answer(200, _complete(call, _both_shown(left, right)))

    def delete(self, call: Call, a: Kind, text: str, b: Kind, other: str) -> Answer:
        """DELETE …/associations/{b}/{id}."""
        with self._store.transaction():
            left, right = self._records.live(a, record_id(text)), self._records.live(b, record_id(other))
            self._links.remove(left, right, None, call.now_ms)
        return Answer(204)

    def _tie(self, a: Kind, b: Kind, spec: Any) -> Tie:
        if not isinstance(spec, dict) or spec.get("associationTypeId") is None:
            refuse(400, "Invalid input JSON: some of required attributes are not set [associationTypeId]")
        return self._records.schema.tie_of(a, b, spec)

    def _pair_shown(self, left: Row, right: Row, wanted: list[Tie]) -> dict[str, Any]:
        return {
            "fromObjectTypeId": left.kind.type_id,
            "fromObjectId": self._id(left.id),
            "toObjectTypeId": right.kind.type_id,
            "toObjectId": self._id(right.id),
            "labels": [tie.label for tie in wanted if tie.label],
        }

    # batches

    def batch(self, call: Call, a: Kind, b: Kind, verb: str) -> Answer:
        """POST /associations/{a}/{b}/batch/…. Raises Refusal."""
        serve = {
            "read": self._read,
            "create": self._create,
            "associate/default": self._create_default,
            "archive": self._archive,
            "labels/archive": self._archive_labels,
        }.get(verb)
        if serve is None:
            refuse(404, "resource not found")
        entries = call.fields("inputs")["inputs"]
        most = READS_MAX if verb == "read" else WRITES_MAX
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            refuse(400, "Invalid input JSON: inputs must be a list of objects", "VALIDATION_ERROR")
        if len(entries) > most:
            refuse(400, f"The maximum number of inputs supported in a batch request is {most}.", "VALIDATION_ERROR")
        self._records.schema.ties(a, b)
        return serve(call, a, b, entries)

    def _read(self, call: Call, a: Kind, b: Kind, entries: list[dict[str, Any]]) -> Answer:
        results, errors = [], []
        for entry in entries:
            text = str(entry.get("id"))
            row = self._live(a, text)
            if row is None:
                errors.append(_missing_from(a, text).row())
                continue
            after = str(entry.get("after") or "0")
            shown, following = self._shown(a, row.id, b, as_id(after) or 0, PAGE_MAX)
            if not shown:
                errors.append(_none_found(a, b, text).row())
                continue
            result: dict[str, Any] = {"from": {"id": text}, "to": shown}
            if following:
                result["paging"] = {"next": {"after": following}}
            results.append(result)
        return self._answer(call, 200, results, errors)

    def _answer(self, call: Call, status: int, results: list[Any], errors: list[dict[str, Any]]) -> Answer:
        return completed(call, status, results, errors, self._records.switch)

    def _create(self, call: Call, a: Kind, b: Kind, entries: list[dict[str, Any]]) -> Answer:
        results, errors = [], []
        with self._store.transaction():
            for entry in entries:
                wanted = [self._tie(a, b, spec) for spec in _types(entry)] or self._records.schema.ties(a, b)[:1]
                try:
                    left, right = self._ends(a, b, entry)
                except Refusal as refusal:
                    if refusal.status == 400:  # an input without its ends is no row: the call is malformed
                        raise
                    errors.append(refusal.row())
                    continue
                self._links.add(left, right, wanted, call.now_ms)
                results.append(self._pair_shown(left, right, wanted))
        return self._answer(call, 201, results, errors)

    def _create_default(self, call: Call, a: Kind, b: Kind, entries: list[dict[str, Any]]) -> Answer:
        results: list[dict[str, Any]] = []
        errors = []
        with self._store.transaction():
            for entry in entries:
                try:
                    left, right = self._ends(a, b, entry)
                except Refusal as refusal:
                    if refusal.status == 400:  # an input without its ends is no row: the call is malformed
                        raise
                    errors.append(refusal.row())
                    continue
                self._links.add(left, right, self._records.schema.ties(a, b)[:1], call.now_ms)
                results += _both_shown(left, right)
        return self._answer(call, 200, results, errors)

    def _archive(self, call: Call, a: Kind, b: Kind, entries: list[dict[str, Any]]) -> Answer:
        with self._store.transaction():
            for entry in entries:
                left = self._live(a, _id_of(entry.get("from")))
                targets = entry.get("to")
                for target in targets if isinstance(targets, list) else [targets]:
                    right = self._live(b, _id_of(target))
                    if left is not None and right is not None:
                        self._links.remove(left, right, None, call.now_ms)
        return Answer(204)

    def _archive_labels(self, call: Call, a: Kind, b: Kind, entries: list[dict[str, Any]]) -> Answer:
        with self._store.transaction():
            for entry in entries:
                wanted = [self._tie(a, b, spec) for spec in _types(entry)]
                left, right = self._live(a, _id_of(entry.get("from"))), self._live(b, _id_of(entry.get("to")))
                if left is not None and right is not None:
                    self._links.remove(left, right, wanted, call.now_ms)
        return Answer(204)

    def _ends(self, a: Kind, b: Kind, entry: dict[str, Any]) -> tuple[Row, Row]:
        left_id, right_id = _id_of(entry.get("from")), _id_of(entry.get("to"))
        left, right = self._live(a, left_id), self._live(b, right_id)
        if left is None:
            raise _missing_from(a, left_id)
        if right is None:
            raise Refusal(
                404,
                f"No {b.singular} with ID {right_id} exists",
                "OBJECT_NOT_FOUND",
                sub="crm.associations.TO_OBJECT_NOT_FOUND",
                context={"toObjectId": [right_id], "fromObjectId": [left_id]},
            )
        return left, right

    def _live(self, kind: Kind, text: str) -> Row | None:
        id_ = as_id(text)
        row = None if id_ is None else self._records.survivor(self._store.get(kind, id_))
        return row if row is not None and row.state == LIVE else None


def _id_of(end: Any) -> str:
    if not isinstance(end, dict) or end.get("id") is None:
        refuse(400, "Invalid input JSON: some of required attributes are not set [from, to]", "VALIDATION_ERROR")
    return str(end["id"])


def _types(entry: dict[str, Any]) -> list[Any]:
    types = entry.get("types") or []
    if not isinstance(types, list):
        refuse(400, "Invalid input JSON: types must be a list", "VALIDATION_ERROR")
    return types


def _missing_from(a: Kind, text: str) -> Refusal:
    return Refusal(
        404,
        f"No {a.singular} with ID {text} exists",
        "OBJECT_NOT_FOUND",
        sub="crm.associations.FROM_OBJECT_NOT_FOUND",
        context={"fromObjectId": [text], "fromObjectType": [a.singular]},
    )


def _none_found(a: Kind, b: Kind, text: str) -> Refusal:
    return Refusal(
        404,
        f"No {b.singular} is associated with {a.singular} {text}.",
        "OBJECT_NOT_FOUND",
        sub="crm.associations.NO_ASSOCIATIONS_FOUND",
        context={"fromObjectId": [text], "fromObjectType": [a.singular], "toObjectType": [b.singular]},
    )


def _both_shown(left: Row, right: Row) -> list[dict[str, Any]]:
    return [
        {
            "from": {"id": str(one.id)},
            "to": {"id": str(other.id)},
            "associationSpec": ties(one.kind, other.kind)[0].spec(),
        }
        for one, other in ((left, right), (right, left))
    ]


def _complete(call: Call, results: list[Any]) -> dict[str, Any]:
    at = stamp(call.now_ms)
    return {"status": "COMPLETE", "results": results, "startedAt": at, "completedAt": at}
