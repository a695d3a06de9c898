"""Webhook events: from a change to what is sent for each subscription, kept until a server has taken it.

Facts: the payload is a JSON array of up to 100 events; ids in it are numbers, while REST has strings [doc, recorded];
`attemptNumber` starts at 0, `eventId` isn't unique, `propertyValue` is a string; associationChange has no `objectId`
and fires for both directions, each for the subscriptions of its own side; a privacy deletion fires a deletion too; no
order, at least once, up to 10 retries over 24 hours, randomised [doc]. Not established, so switches: whether a creation
also fires propertyChange, whether the same value fires, which id a merge event has. That a merge fires propertyChange
for the values it moved is [inferred].
"""

import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sync_platform.sandbox.hubspot.changes import CALCULATED, MERGED, Change
from sync_platform.sandbox.hubspot.store import Source, Store, dump
from sync_platform.sandbox.hubspot.subscriptions import Subscriptions

BATCH_MAX, RETRIES_MAX, CALLS_KEPT = 100, 10, 1_000
# Seconds before each retry, before the draw: together under 24 hours even when every draw is the longest.
RETRY_AFTER_S = (60, 180, 600, 1_800, 3_600, 7_200, 10_800, 14_400, 18_000, 21_600)
DRAW = (0.6, 1.1)
_TABLES = """
CREATE TABLE IF NOT EXISTS webhook_events(seq INTEGER PRIMARY KEY, due INTEGER NOT NULL, taken INTEGER NOT NULL,
    attempt INTEGER NOT NULL, event TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS webhook_events_due ON webhook_events(taken, due);
CREATE TABLE IF NOT EXISTS webhook_calls(seq INTEGER PRIMARY KEY, doc TEXT NOT NULL);
"""
_VERBS = {"creation": "creation", "deletion": "deletion", "privacy": "privacyDeletion", "restore": "restore"}
Doc = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Batch:
    """What one call carries: (row, its attempts so far, event) each."""

    rows: tuple[tuple[int, int, Doc], ...]
    life: int  # of the store: what was taken before a reset is no row of the store any more

    def body(self) -> bytes:
        """The JSON array that is sent."""
        return dump([{**event, "attemptNumber": attempt} for _, attempt, event in self.rows]).encode()


class Webhooks:
    """Takes changes, keeps events. Methods run under the account's lock."""

    def __init__(
        self, store: Store, switch: Callable[[str], Any], subscriptions: Subscriptions, app_id: int, portal_id: int
    ) -> None:
        self._db = store.db
        self._store = store
        self._switch = switch
        self._subscriptions = subscriptions
        self._app_id, self._portal_id = app_id, portal_id
        self._draw = random.Random(f"webhooks {portal_id}")
        self._last_event_id = 1
        self._life = 0
        self.on_note: Callable[[], object] = lambda: None
        for statement in filter(str.strip, _TABLES.split(";")):
            self._db.execute(statement)
        # What was on its way when an earlier run ended may have arrived or not: at least once.
        self._db.execute("UPDATE webhook_events SET taken=0 WHERE taken=1")

    def clear(self) -> None:
        """Forget events and calls."""
        self._life += 1
        self._db.execute("DELETE FROM webhook_events")
        self._db.execute("DELETE FROM webhook_calls")

    # taking changes

    @property
    def active(self) -> bool:
        """Whether any subscription may want something."""
        return self._subscriptions.active

    @property
    def wants_same(self) -> bool:
        """Whether a write of the value that is there counts."""
        return self.active and self._switch("webhook_same_value") == "on"

    def note(self, change: Change) -> None:
        """Keep the events of a change; part of the writer's transaction."""
        events = list(self._events(change))
        if events:
            self._db.executemany(
                "INSERT INTO webhook_events(due,taken,attempt,event) VALUES(?,0,0,?)",
                [(due, dump(event)) for event in events for due in self._dues(change.at_ms)],
            )
            self.on_note()

    def _dues(self, at_ms: int) -> list[int]:
        """When an event is sent first; some are held back, some sent twice."""
        due = at_ms + int(self._switch("webhook_delay_s") * 1000)
        late_ms = self._switch("webhook_late_s") * 1000
        if self._draw.random() < self._switch("webhook_late_share"):
            due += int(late_ms * self._draw.random())
        if self._draw.random() < self._switch("webhook_duplicate_share"):
            return [due, due + int(late_ms * self._draw.random())]
        return [due]

    def _events(self, change: Change) -> Iterator[Doc]:
        wanting = self._subscriptions.wanting
        match change.what:
            case "association":
                for row in wanting(change.kind, "associationChange", change.at_ms):
                    yield {**self._head(row, change), **_association(change)}
            case "merge":
                for row in wanting(change.kind, "merge", change.at_ms):
                    yield {**self._head(row, change), **self._merge(change)}
            case "change":
                pass
            case _:
                for row in wanting(change.kind, _VERBS[change.what], change.at_ms):
                    event = {**self._head(row, change), "objectId": change.id}
                    if change.what == "creation":
                        event["changeFlag"] = self._switch("webhook_creation_flag")
                    elif change.what != "restore":
                        event["changeFlag"] = "DELETED"
                    yield event
        if change.values and (change.what != "creation" or self._switch("webhook_creation_properties") == "on"):
            yield from self._property_events(change)

    def _property_events(self, change: Change) -> Iterator[Doc]:
        for row in self._subscriptions.wanting(change.kind, "propertyChange", change.at_ms):
            name = row["propertyName"]
            if name not in change.values:
                continue
            source = CALCULATED if name in change.calculated else change.source
            yield {
                **self._head(row, change, MERGED if change.what == "merge" else source),
                "objectId": change.survivor or change.id,
                "propertyName": name,
                "propertyValue": change.values[name],
                "isSensitive": False,
            }

    def _head(self, row: Doc, change: Change, source: Source | None = None) -> Doc:
        """What every event has."""
        if self._draw.random() >= self._switch("webhook_event_id_reuse"):
            self._last_event_id = self._draw.randrange(1, 2**31)
        head: Doc = {
            "eventId": self._last_event_id,
            "subscriptionId": int(row["id"]),
            "portalId": self._portal_id,
            "appId": self._app_id,
            "occurredAt": change.at_ms,
            "subscriptionType": row["eventType"],
            "attemptNumber": 0,
        }
        if "objectTypeId" in row:
            head["objectTypeId"] = row["objectTypeId"]
        writer = change.source if source is None else source
        head["changeSource"] = writer.get("sourceType", "API")
        own = head["changeSource"] == "INTEGRATION" and self._switch("webhook_source_id") == "none"
        if writer.get("sourceId") and not own:
            head["sourceId"] = writer["sourceId"]
        return head

    def _merge(self, change: Change) -> Doc:
        primary = self._switch("webhook_merge_object_id") == "primary"
        return {
            "objectId": change.id if primary else change.survivor,
            "primaryObjectId": change.id,
            "mergedObjectIds": list(change.merged),
            "newObjectId": change.survivor,
            "numberOfPropertiesMoved": len(change.values),
        }

    # sending

    def target(self, now_ms: int) -> tuple[str, int] | None:
        """Address and calls at a time; None without settings."""
        return self._subscriptions.target(now_ms)

    def signatures(self) -> str:
        """Which versions sign a call."""
        return str(self._switch("webhook_signatures"))

    def due(self, now_ms: int, batches: int) -> list[Batch]:
        """Take up to so many batches that are due; inside a batch there is no order."""
        found = self._db.execute(
            "SELECT seq, attempt, event FROM webhook_events WHERE taken=0 AND due<=? ORDER BY due, seq LIMIT ?",
            (now_ms, batches * BATCH_MAX),
        ).fetchall()
        self._db.executemany("UPDATE webhook_events SET taken=1 WHERE seq=?", [(row[0],) for row in found])
        taken = []
        for start in range(0, len(found), BATCH_MAX):
            rows = [(seq, attempt, json.loads(event)) for seq, attempt, event in found[start : start + BATCH_MAX]]
            if self._switch("webhook_late_share") > 0:
                self._draw.shuffle(rows)
            taken.append(Batch(tuple(rows), self._life))
        return taken

    def next_due(self) -> int | None:
        """When the next event that isn't on its way falls due."""
        (due,) = self._db.execute("SELECT min(due) FROM webhook_events WHERE taken=0").fetchone()
        return None if due is None else int(due)

    def drop(self, batch: Batch) -> None:
        """Events that a server has taken, or that nobody wants any more."""
        if batch.life == self._life:
            self._db.executemany("DELETE FROM webhook_events WHERE seq=?", [(seq,) for seq, *_ in batch.rows])

    def failed(self, batch: Batch, now_ms: int) -> None:
        """Put events off to their next try; after the tenth retry an event is given up [doc]."""
        if batch.life != self._life:
            return
        factor = self._draw.uniform(*DRAW)
        later = [
            (now_ms + int(RETRY_AFTER_S[attempt] * factor * 1000), attempt + 1, seq)
            for seq, attempt, _ in batch.rows
            if attempt < RETRIES_MAX
        ]
        with self._store.transaction():
            self._db.executemany("UPDATE webhook_events SET taken=0, due=?, attempt=? WHERE seq=?", later)
            self._db.executemany(
                "DELETE FROM webhook_events WHERE seq=?",
                [(seq,) for seq, attempt, _ in batch.rows if attempt >= RETRIES_MAX],
            )

    def log(self, call: Doc) -> None:
        """Keep a call that was made; the last thousand are kept."""
        cursor = self._db.execute("INSERT INTO webhook_calls(doc) VALUES(?)", (dump(call),))
        self._db.execute("DELETE FROM webhook_calls WHERE seq<=?", ((cursor.lastrowid or 0) - CALLS_KEPT,))

    # the control port

    def calls(self, after: int, limit: int) -> tuple[list[Doc], str | None]:
        """Calls that were made: {id, at, url, status, error, ms, headers, events}."""
        found = self._db.execute(
            "SELECT seq, doc FROM webhook_calls WHERE seq>? ORDER BY seq LIMIT ?", (after, limit + 1)
        ).fetchall()
        return _paged([{"id": str(seq), **json.loads(doc)} for seq, doc in found], limit)

    def waiting(self, after: int, limit: int) -> tuple[list[Doc], str | None]:
        """Events that no server has taken yet, with their time in epoch milliseconds."""
        found = self._db.execute(
            "SELECT seq, due, attempt, taken, event FROM webhook_events WHERE seq>? ORDER BY seq LIMIT ?",
            (after, limit + 1),
        ).fetchall()
        rows = [
            {
                "id": str(seq),
                "due": due,
                "sending": bool(taken),
                "event": {**json.loads(event), "attemptNumber": attempt},
            }
            for seq, due, attempt, taken, event in found
        ]
        return _paged(rows, limit)


def _association(change: Change) -> Doc:
    far = change.other
    return {
        "associationType": f"{change.kind.upper}_TO_{far.upper if far else ''}",
        "fromObjectId": change.id,
        "toObjectId": change.other_id,
        "associationRemoved": change.removed,
        "isPrimaryAssociation": change.primary,
    }


def _paged(rows: Sequence[Doc], limit: int) -> tuple[list[Doc], str | None]:
    return list(rows[:limit]), rows[limit - 1]["id"] if len(rows) > limit else None
