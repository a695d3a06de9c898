"""From changes to calls: which integrations an event concerns, and what stands in their queue.

The queue is a table that is written in the transaction of the change itself, so no call is lost and none tells of a
change that never happened. Every change counts, those through the API included: a client receives its own [inferred; no
exclusion is documented]. One write fires a trigger once for each ticket, and for each message.
"""

# ruff: noqa: S608 - statements are put together from this package's own table and column names; values are bound

import json
import random
from collections.abc import Callable, Iterator
from typing import Any

from sync_platform.sandbox.gorgias import context as contexts
from sync_platform.sandbox.gorgias import plain
from sync_platform.sandbox.gorgias.http import dump
from sync_platform.sandbox.gorgias.store import Store, stamp

KIND = "integration_calls"
DISORDER_MAX_S = 3.0
_BY_EVENT = {
    "ticket-created": "ticket-created",
    "ticket-message-created": "ticket-message-created",
    "ticket-message-failed": "ticket-message-failed",
    "ticket-self-unsnoozed": "ticket-self-unsnoozed",
    "ticket-assigned": "ticket-assignment-updated",
    "ticket-unassigned": "ticket-assignment-updated",
    "ticket-team-assigned": "ticket-assignment-updated",
    "ticket-team-unassigned": "ticket-assignment-updated",
    "ticket-closed": "ticket-status-updated",
    "ticket-reopened": "ticket-status-updated",
    "customer-created": "customer-created",
    "customer-updated": "customer-updated",
}
_NO_UPDATE = ("ticket-created", "ticket-deleted")
_COLUMNS = "integration_id INTEGER NOT NULL, due INTEGER,"


def prepare(store: Store) -> None:
    """The queue, which is also the log of what was called."""
    plain.prepare(store, KIND, _COLUMNS)
    store.db.execute(f"CREATE INDEX IF NOT EXISTS {KIND}_due ON {KIND}(due, id) WHERE due IS NOT NULL")
    store.db.execute(f"CREATE INDEX IF NOT EXISTS {KIND}_of ON {KIND}(integration_id) WHERE due IS NOT NULL")


class Calling:
    """Told of every event of the store; with no active integration it does nothing."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._told: list[dict[str, Any]] = []
        self._active: list[dict[str, Any]] = []
        self._stale = False
        self.followers: list[Callable[[list[dict[str, Any]]], None]] = []  # told of all events of a write that stands
        self.wake: Callable[[], None] | None = None
        self.refresh()

    def refresh(self) -> None:
        """Read anew which integrations listen."""
        found = self._store.all("SELECT row FROM integrations WHERE deleted IS NULL AND active = 1 ORDER BY id")
        rows = [json.loads(text) for (text,) in found]
        self._active = [row for row in rows if any(row["http"]["triggers"].values())]
        self._stale = False

    def begin(self) -> None:
        """A write begins."""
        if self._told:
            self._told = []

    def told(self, event: dict[str, Any]) -> None:
        """An event of the write."""
        self._told.append(event)
        if event["object_type"] == "Integration":
            self._stale = True

    def closing(self) -> None:
        """Put the calls of this write into the queue."""
        if not self._active or not self._told:
            return
        built: dict[tuple[int, int | None], dict[str, Any] | None] = {}
        for trigger, event, object_id, message_id in self._fires():
            listening = [row for row in self._active if row["http"]["triggers"].get(trigger)]
            if not listening:
                continue
            key = (object_id, message_id)
            if key not in built:
                built[key] = contexts.build(self._store, event, object_id, message_id)
            context = built[key]
            if context is None:
                continue
            for row in listening:
                self._queue(row, trigger, {**context, "event": event}, object_id)

    def committed(self) -> None:
        """The write stands: what follows from it may start."""
        if self._stale:
            self.refresh()
        told, self._told = self._told, []
        for follow in self.followers:
            follow(told)
        if self.wake:
            self.wake()

    def _fires(self) -> Iterator[tuple[str, dict[str, Any], int, int | None]]:
        """(trigger, event, id of the ticket or customer, id of the message), each once."""
        created = {event["object_id"] for event in self._told if event["type"] == "ticket-created"}
        seen = set()
        for event in self._told:
            for trigger, object_id, message_id in self._of(event, created):
                if (trigger, object_id, message_id) not in seen:
                    seen.add((trigger, object_id, message_id))
                    yield trigger, event, object_id, message_id

    def _of(self, event: dict[str, Any], created: set[int]) -> Iterator[tuple[str, int, int | None]]:
        kind, object_id = event["type"], event["object_id"]
        trigger = _BY_EVENT.get(kind)
        if event["object_type"] == "TicketMessage":
            found = self._store.one("SELECT ticket_id FROM messages WHERE id = ?", object_id)
            if found is None:
                return
            if trigger:
                yield trigger, found[0], object_id
            if found[0] not in created and self._store.on("message_fires_ticket_updated"):
                yield "ticket-updated", found[0], None
            return
        if trigger:
            yield trigger, object_id, None
        if event["object_type"] != "Ticket":
            return
        if kind not in _NO_UPDATE and object_id not in created:
            yield "ticket-updated", object_id, None
        # What hands a ticket over is not documented: taken for the bot user's tickets going to someone else [inferred].
        before = (event["data"] or {}).get("old_assignee_user_id") if trigger == "ticket-assignment-updated" else None
        if before and self._store.one("SELECT 1 FROM users WHERE id = ? AND role = 'bot'", before):
            yield "ticket-handed-over", object_id, None

    def _queue(self, row: dict[str, Any], trigger: str, context: dict[str, Any], object_id: int) -> None:
        """One call; by the switches some come late, and some twice."""
        customer = context["customer"] if "customer" in context else context["ticket"].get("customer")
        call = {
            "integration_id": row["id"], "trigger": trigger, "event": context["event"], "object_id": object_id,
            "customer_id": customer["id"] if customer else None, **contexts.request(row["http"], context),
            "status": "waiting", "status_code": None, "tries": [],
        }  # fmt: skip
        dice = self._insert(call)
        if dice.random() < self._store.switch("integration_duplicates"):
            self._insert(call)

    def _insert(self, call: dict[str, Any]) -> random.Random:
        """A row of the queue; gives the generator that decides about it, made of the seed and its id."""
        store = self._store
        number, now = store.new_id(KIND), store.now()
        dice = random.Random(f"{store.world.seed}:integrations:{number}")
        due = now
        if dice.random() < store.switch("integration_disorder"):
            due += int(dice.uniform(0.1, DISORDER_MAX_S) * 1e6)
        store.run(
            f"INSERT INTO {KIND}(id, created, updated, integration_id, due, row) VALUES (?, ?, ?, ?, ?, ?)",
            number, now, now, call["integration_id"], due,
            dump({"id": number, **call, "created_datetime": stamp(now), "finished_datetime": None}),
        )  # fmt: skip
        return dice
