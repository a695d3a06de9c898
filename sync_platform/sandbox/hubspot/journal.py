"""The webhook journal: changes as files at offsets, read at the reader's own pace.

Facts [spec]: `/webhooks-journal/journal/2026-03/` has earliest, latest, offset/{uuid}/next,
batch/{earliest|latest}/{count}, batch/{uuid}/next/{count} and status/{id}, `journal-local` beside it; each answers
`{url, expiresAt, currentOffset}`, and the file at `url` is `{offset, publishedAt, journalEvents[]}`. Offsets are
ordered and can be read again. Not established, so switches: what an empty journal answers, how long an address is good,
how long until a change is published. The fields of one event are [general knowledge].
"""

import hashlib
import hmac
import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

from sync_platform.sandbox.hubspot.changes import Change
from sync_platform.sandbox.hubspot.journal_subscriptions import JournalSubscriptions
from sync_platform.sandbox.hubspot.store import Store, dump
from sync_platform.sandbox.hubspot.wire import Answer, Call, Refusal, not_found, refuse, stamp
from sync_platform.sandbox.world import Switches

FILE_MAX, COUNT_MAX, READ_MAX = 100, 100, 100
FILES = "webhooks-journal-files"
_TABLES = """
CREATE TABLE IF NOT EXISTS journal_events(seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, event TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS journal_files(seq INTEGER PRIMARY KEY, offset TEXT NOT NULL UNIQUE,
    published INTEGER NOT NULL, events TEXT NOT NULL);
"""
_ACTIONS = {"creation": "CREATE", "change": "UPDATE", "deletion": "DELETE", "restore": "RESTORE", "merge": "MERGE"}
_SPACE = uuid.UUID("b7d5c6f0-93a5-4c62-8a36-7ad0a8b9f1c4")
Doc = dict[str, Any]


def register(switches: Switches) -> None:
    """Declare the journal's switches."""
    for name, default, choices, doc in _SWITCHES:
        switches.register(f"hubspot.{name}", default, choices, doc)


_SWITCHES: tuple[tuple[str, object, tuple[object, ...] | type, str], ...] = (
    ("journal_empty", 204, (204, 404), "answer of the webhook journal when there is nothing more: not established"),
    ("journal_url_s", 3600, int, "how long the address of a journal file is good, in seconds: not established"),
    ("journal_delay_s", 1.0, float, "time until a change is published in the webhook journal: not established"),
    (
        "journal_token",
        "client_credentials",
        ("client_credentials", "any"),
        "tokens that may read the webhook journal: those of client credentials, or any; both need a journal scope",
    ),
)


class Journal:
    """Takes changes and serves them. Methods run under the account's lock."""

    def __init__(
        self, store: Store, switch: Callable[[str], Any], subscriptions: JournalSubscriptions, portal_id: int, key: str
    ) -> None:
        self._db = store.db
        self._store = store
        self._switch = switch
        self._subscriptions = subscriptions
        self._portal_id = portal_id
        self._key = key.encode()
        for statement in filter(str.strip, _TABLES.split(";")):
            self._db.execute(statement)

    def clear(self) -> None:
        """An empty journal."""
        self._db.execute("DELETE FROM journal_events")
        self._db.execute("DELETE FROM journal_files")

    # taking changes

    @property
    def active(self) -> bool:
        """Whether there is any subscription."""
        return self._subscriptions.active

    def note(self, change: Change) -> None:
        """Keep the event of a change; part of the writer's transaction."""
        for event in self._events(change):
            self.add(change.at_ms, event)

    def add(self, at_ms: int, event: Doc) -> None:
        """Append one event."""
        self._db.execute("INSERT INTO journal_events(at,event) VALUES(?,?)", (at_ms, dump(event)))

    def _events(self, change: Change) -> Iterator[Doc]:
        head = {"portalId": self._portal_id, "occurredAt": stamp(change.at_ms)}
        type_id = change.kind.type_id
        if change.what == "association":
            action = "ASSOCIATION_REMOVED" if change.removed else "ASSOCIATION_ADDED"
            far = change.other
            if far is not None and self._subscriptions.wants_tie(change, action):
                ends = {"fromObjectTypeId": type_id, "fromObjectId": change.id}
                ends |= {"toObjectTypeId": far.type_id, "toObjectId": change.other_id}
                yield {"type": "association", **head, "action": action, **ends, "associationTypeId": change.type_id}
        elif change.what == "privacy":
            if self._subscriptions.wants_privacy(change):
                yield {**self._object(change, head), "type": "gdprPrivacyDeletion", "action": "GDPR_DELETE"}
        elif (names := self._subscriptions.wanted(change, _ACTIONS[change.what])) is not None:
            values = {name: value for name, value in change.values.items() if not names or name in names}
            if change.what == "change" and not values:
                return
            event = {**self._object(change, head), "type": "crmObject", "action": _ACTIONS[change.what]}
            if change.what == "merge":
                event |= {"objectId": change.survivor, "mergedObjectIds": list(change.merged)}
            yield {**event, "propertyChanges": values}

    @staticmethod
    def _object(change: Change, head: Doc) -> Doc:
        return {**head, "objectTypeId": change.kind.type_id, "objectId": change.id}

    # publishing

    def _publish(self, now_ms: int) -> None:
        """Put what is old enough into files."""
        until = now_ms - int(self._switch("journal_delay_s") * 1000)
        found = self._db.execute("SELECT seq, event FROM journal_events WHERE at<=? ORDER BY seq", (until,)).fetchall()
        if not found:
            return
        with self._store.transaction():
            (last,) = self._db.execute("SELECT coalesce(max(seq), 0) FROM journal_files").fetchone()
            for n, start in enumerate(range(0, len(found), FILE_MAX), last + 1):
                events = "[" + ",".join(event for _, event in found[start : start + FILE_MAX]) + "]"
                offset = str(uuid.uuid5(_SPACE, f"{self._portal_id} {n}"))
                self._db.execute("INSERT INTO journal_files VALUES(?,?,?,?)", (n, offset, now_ms, events))
            self._db.executemany("DELETE FROM journal_events WHERE seq=?", [(seq,) for seq, _ in found])

    def _seq(self, offset: str) -> int:
        found = self._db.execute("SELECT seq FROM journal_files WHERE offset=?", (offset,)).fetchone()
        if found is None:
            refuse(404, "No journal entry has this offset", "OBJECT_NOT_FOUND", context={"offset": [offset]})
        return int(found[0])

    def _files(self, after: int, count: int) -> list[str]:
        sql = "SELECT offset FROM journal_files WHERE seq>? ORDER BY seq LIMIT ?"
        return [offset for (offset,) in self._db.execute(sql, (after, count))]

    def _latest(self, count: int) -> list[str]:
        sql = "SELECT offset FROM journal_files ORDER BY seq DESC LIMIT ?"
        return [offset for (offset,) in self._db.execute(sql, (count,))][::-1]

    # endpoints

    def serve(self, call: Call, rest: tuple[str, ...]) -> Answer | None:
        """Serve what is below /webhooks-journal/journal/2026-03; None for a path that isn't there. Raises Refusal."""
        self._publish(call.now_ms)
        match (call.method, *rest):
            case ("GET",) | ("GET", "earliest"):
                return self._one(call, self._files(0, 1))
            case ("GET", "latest"):
                return self._one(call, self._latest(1))
            case ("GET", "offset", offset, "next"):
                return self._one(call, self._files(self._seq(offset), 1))
            case ("GET", "batch", "earliest", count):
                return self._batch(call, self._files(0, _count(count)), [])
            case ("GET", "batch", "latest", count):
                return self._batch(call, self._latest(_count(count)), [])
            case ("GET", "batch", offset, "next", count):
                return self._batch(call, self._files(self._seq(offset), _count(count)), [])
            case ("POST", "batch", "read"):
                return self._read(call)
        return None

    def _one(self, call: Call, offsets: list[str]) -> Answer:
        if offsets:
            return Answer(200, self._entry(call, offsets[0]))
        if self._switch("journal_empty") == 404:
            refuse(404, "There is no such journal entry", "OBJECT_NOT_FOUND")
        return Answer(204)

    def _read(self, call: Call) -> Answer:
        inputs = call.fields("inputs")["inputs"]
        if not isinstance(inputs, list) or len(inputs) > READ_MAX or not all(isinstance(one, str) for one in inputs):
            refuse(400, f"inputs must be a list of at most {READ_MAX} offsets", "VALIDATION_ERROR")
        known = {offset for one in inputs for (offset,) in self._db.execute(_BY_OFFSET, (one,))}
        return self._batch(call, [one for one in inputs if one in known], [one for one in inputs if one not in known])

    def _batch(self, call: Call, offsets: list[str], missing: list[str]) -> Answer:
        at = stamp(call.now_ms)
        results = [self._entry(call, offset) for offset in offsets]
        body: Doc = {"status": "COMPLETE", "results": results, "startedAt": at, "completedAt": at}
        if not missing:
            return Answer(200, body)
        error = Refusal(404, "Some offsets were not found", "OBJECT_NOT_FOUND", context={"ids": missing}).row()
        return Answer(207, body | {"numErrors": 1, "errors": [error]})

    def _entry(self, call: Call, offset: str) -> Doc:
        expires = call.now_ms + self._switch("journal_url_s") * 1000
        query = f"expires={expires}&signature={self._mark(offset, str(expires))}"
        return {
            "url": f"http://{call.host}/{FILES}/{offset}?{query}",
            "expiresAt": stamp(expires),
            "currentOffset": offset,
        }

    def _mark(self, offset: str, expires: str) -> str:
        return hmac.new(self._key, f"{offset} {expires}".encode(), hashlib.sha256).hexdigest()

    def file(self, call: Call) -> Answer:
        """GET the file at `url`: its address is its only key, and runs out. Raises Refusal(403 or 404)."""
        offset, expires = call.parts[-1], call.text("expires") or ""
        good = hmac.compare_digest((call.text("signature") or "").encode(), self._mark(offset, expires).encode())
        if not good or call.now_ms >= int(expires):
            refuse(403, "The address of the journal file is expired or was altered")
        found = self._db.execute(_FILE, (offset,)).fetchone()
        if found is None or call.method != "GET":
            raise not_found()
        published, events = found
        return Answer(200, {"offset": offset, "publishedAt": stamp(published), "journalEvents": json.loads(events)})


_BY_OFFSET = "SELECT offset FROM journal_files WHERE offset=?"
_FILE = "SELECT published, events FROM journal_files WHERE offset=?"


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= COUNT_MAX:
        refuse(400, f"count must be a number from 1 to {COUNT_MAX}", "VALIDATION_ERROR")
    return int(text)
