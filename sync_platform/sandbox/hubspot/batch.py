"""The batch endpoints, with the semantics that most clients get wrong.

Facts: without a unique objectWriteTraceId on every row one bad row refuses the whole call and nothing is written; with
them the good rows land, the answer is 207 and each error's context names its row [doc, recorded]. An update answers 207
for unknown ids in any case, and leaves merged-away ids out silently [recorded, reported]. Results come in another order
than the inputs [observed live]. `numErrors` counts groups of errors, not ids [recorded].
"""

import random
from collections.abc import Callable
from typing import Any

from sync_platform.sandbox.hubspot.kinds import CONTACTS, Kind
from sync_platform.sandbox.hubspot.objects import HISTORY_MAX, Objects, values
from sync_platform.sandbox.hubspot.records import Records
from sync_platform.sandbox.hubspot.store import ARCHIVED, LIVE, MERGED, Row
from sync_platform.sandbox.hubspot.ties import Ties
from sync_platform.sandbox.hubspot.versions import completed
from sync_platform.sandbox.hubspot.wire import Answer, Call, Refusal, as_id, refuse

INPUTS_MAX = 100
Entry = dict[str, Any]
Shown = dict[str, Any]


class Batch:
    """Serves /objects/{type}/batch/{verb}."""

    def __init__(self, records: Records, objects: Objects, links: Ties, seed: int) -> None:
        self._records = records
        self._store = records.store
        self._objects = objects
        self._links = links
        self._shuffle = random.Random(f"batch order {seed}")

    def serve(self, call: Call, kind: Kind, verb: str) -> Answer:
        """Dispatch on the verb. Raises Refusal."""
        serve = {
            "create": self._create,
            "update": self._update,
            "upsert": self._upsert,
            "archive": self._archive,
        }.get(verb)
        if serve is None and verb != "read":
            refuse(404, "resource not found")
        body = call.fields("inputs")
        entries = body["inputs"]
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            refuse(400, "Invalid input JSON: inputs must be a list of objects", "VALIDATION_ERROR")
        if len(entries) > INPUTS_MAX:
            message = f"The maximum number of inputs supported in a batch request is {INPUTS_MAX}."
            refuse(400, message, "VALIDATION_ERROR")
        return serve(call, kind, entries) if serve else self._read(call, kind, body, entries)

    def answer(self, call: Call, status: int, results: list[Shown], errors: list[Shown]) -> Answer:
        """A batch's answer: results shuffled, 207 when there are errors."""
        self._shuffle.shuffle(results)
        return completed(call, status, results, errors, self._records.switch)

    # writes

    def _rows(self, entries: list[Entry], write: Callable[[Entry], Shown | None]) -> tuple[list[Shown], list[Shown]]:
        """Write row by row: with trace ids each for itself, otherwise all or nothing. Raises Refusal."""
        traces = [entry.get("objectWriteTraceId") for entry in entries]
        traced = all(isinstance(trace, str) and trace for trace in traces) and len(set(traces)) == len(traces)
        results: list[Shown] = []
        errors: list[Shown] = []
        with self._store.transaction():
            for entry, trace in zip(entries, traces, strict=True):
                try:
                    with self._store.transaction():
                        shown = write(entry)
                except Refusal as refusal:
                    if not traced:
                        raise _whole(refusal) from None
                    errors.append(refusal.row(objectWriteTraceId=[str(trace)]))
                    continue
                if shown is not None:
                    results.append({**shown, "objectWriteTraceId": trace} if trace else shown)
        return results, errors

    def _create(self, call: Call, kind: Kind, entries: list[Entry]) -> Answer:
        def write(entry: Entry) -> Shown:
            try:
                row = self._objects.make(kind, entry, call.now_ms)
            except Refusal as refusal:
                if refusal.status == 409:  # the recorded message of a batch names no id
                    refusal.message = refusal.message.partition(" Existing ID")[0].rstrip(".")
                raise
            return self._objects.show_written(row, entry["properties"])

        return self.answer(call, 201, *self._rows(entries, write))

    def _update(self, call: Call, kind: Kind, entries: list[Entry]) -> Answer:
        found = self._found(call, kind, entries)
        missing: list[str] = []

        def write(entry: Entry) -> Shown | None:
            row = found[_key(entry)]
            if row is None:
                values(entry)
                missing.append(str(entry["id"]))
                return None
            if row.state == MERGED:
                return None
            # Read again: an association or an earlier row of this batch may have moved it on.
            row = self._store.get(kind, row.id) or row
            row = self._objects.write(row, values(entry), call.now_ms)
            return self._objects.show_written(row, entry["properties"])

        results, errors = self._rows(entries, write)
        return self.answer(call, 200, results, errors + _not_found(kind, missing))

    def _found(self, call: Call, kind: Kind, entries: list[Entry]) -> dict[tuple[str, str], Row | None]:
        """The record of each input, by (idProperty, id). Raises Refusal(400) for the same record twice."""
        _require_ids(entries)
        found: dict[tuple[str, str], Row | None] = {}
        seen: set[object] = set()
        for entry in entries:
            key = _key(entry)
            row = self._lookup(call, kind, entry)
            mark: object = key if row is None else row.id
            if mark in seen or key in found:
                refuse(
                    400,
                    f"Duplicate IDs found in batch input: [{entry['id']}]. IDs must be unique",
                    "VALIDATION_ERROR",
                    context={"ids": [str(entry["id"])]},
                )
            seen.add(mark)
            found[key] = row
        return found

    def _lookup(self, call: Call, kind: Kind, entry: Entry) -> Row | None:
        by, text = entry.get("idProperty"), str(entry["id"])
        if by and by != "hs_object_id":
            row = self._records.by_property(kind, by, text, call.now_ms)
        else:
            row = self._by_id(kind, text)
        return row if row is not None and row.state in (LIVE, MERGED) else None

    def _by_id(self, kind: Kind, text: str) -> Row | None:
        id_ = as_id(text)
        return None if id_ is None else self._store.get(kind, id_)

    def _upsert(self, call: Call, kind: Kind, entries: list[Entry]) -> Answer:
        by_default = call.text("idProperty")  # the generic prose puts it in the query, the model in each input
        entries = [{"idProperty": by_default, **entry} if by_default else entry for entry in entries]
        found = self._found(call, kind, entries)
        partial = self._records.switch("partial_upsert_by_email")

        def write(entry: Entry) -> Shown:
            by, row, given = entry.get("idProperty"), found[_key(entry)], values(entry)
            if not by:
                refuse(
                    400, "Invalid input JSON: some of required attributes are not set [idProperty]", "VALIDATION_ERROR"
                )
            if by == "email" and kind is CONTACTS and partial == "refuse":
                refuse(400, "Partial upserts are not supported when using email as the id property", "VALIDATION_ERROR")
            if row is not None and row.state == MERGED:
                row = self._records.survivor(row) if self._records.switch("batch_merged_away") == "survivor" else None
            if row is None or row.state != LIVE:
                if by == "hs_object_id":
                    raise Refusal(
                        404, _MISSING.format(kind.upper), "OBJECT_NOT_FOUND", context={"ids": [str(entry["id"])]}
                    )
                row = self._objects.make(kind, {**entry, "properties": {by: entry["id"], **given}}, call.now_ms)
                return {**self._objects.show_written(row, [by, *given]), "new": True}
            row = self._store.get(kind, row.id) or row
            row = self._objects.write(row, given, call.now_ms)
            return {**self._objects.show_written(row, [by, *given]), "new": False}

        return self.answer(call, 200, *self._rows(entries, write))

    def _archive(self, call: Call, kind: Kind, entries: list[Entry]) -> Answer:
        _require_ids(entries)
        with self._store.transaction():
            for entry in entries:
                text = str(entry["id"])
                row = self._by_id(kind, text)
                if row is not None and row.state == LIVE:
                    self._records.archive(row, call.now_ms, self._links.shelve)
        return Answer(204)

    # read

    def _read(self, call: Call, kind: Kind, body: Entry, entries: list[Entry]) -> Answer:
        histories = body.get("propertiesWithHistory") or []
        if histories and len(entries) > HISTORY_MAX:
            message = (
                "The maximum number of inputs supported in a batch request for property histories is 50. "
                "Please reduce the number of items and try again"
            )
            refuse(400, message, "VALIDATION_ERROR")
        _require_ids(entries)
        asked = list(dict.fromkeys(str(entry["id"]) for entry in entries))
        rows = self._asked(call, kind, body.get("idProperty"), asked)
        state = ARCHIVED if call.flag("archived") else LIVE
        if state == ARCHIVED:
            self._records.empty_bin(kind, call.now_ms)
        there = {row.id: row for row in rows.values() if row is not None and row.state == state}
        missing = [text for text in asked if (row := rows[text]) is None or row.state != state]
        names = self._objects.wanted(kind, body.get("properties") or None, call.now_ms)
        results = []
        for row in there.values():
            shown = self._objects.show(row, names)
            if histories:
                self._objects.add_history(shown, row, histories, call.now_ms)
            results.append(shown)
        return self.answer(call, 200, results, _not_found(kind, missing))

    def _asked(self, call: Call, kind: Kind, by: str | None, asked: list[str]) -> dict[str, Row | None]:
        if by and by != "hs_object_id":
            return {text: self._records.by_property(kind, by, text, call.now_ms) for text in asked}
        ids = {text: id_ for text in asked if (id_ := as_id(text)) is not None}
        found = self._store.get_many(kind, ids.values())
        rows = {text: found.get(ids[text]) if text in ids else None for text in asked}
        if self._records.switch("batch_merged_away") == "survivor":
            rows = {text: self._records.survivor(row) for text, row in rows.items()}
        return rows


_MISSING = "Could not get some {} objects, they may be deleted or not exist. Check that ids are valid."


def _key(entry: Entry) -> tuple[str, str]:
    return str(entry.get("idProperty") or ""), str(entry["id"]).strip().lower()


def _require_ids(entries: list[Entry]) -> None:
    if any(entry.get("id") is None for entry in entries):
        refuse(400, "Invalid input JSON: some of required attributes are not set [id]", "VALIDATION_ERROR")


def _not_found(kind: Kind, ids: list[str]) -> list[Shown]:
    """All missing ids are one error."""
    if not ids:
        return []
    return [Refusal(404, _MISSING.format(kind.upper), "OBJECT_NOT_FOUND", context={"ids": ids}).row()]


def _whole(refusal: Refusal) -> Refusal:
    """The refusal of a whole call: 409 for conflicts, 400 for the rest."""
    refusal.status = 409 if refusal.status == 409 else 400
    return refusal
