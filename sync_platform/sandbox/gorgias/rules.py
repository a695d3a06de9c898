"""Rules: stored as they are sent, in order of priority; only the built-in one «Tag on create» is ever carried out.

It stands for all that changes a ticket right after a write (rules, auto-assignment, auto-merge): with the switch
rule_tag_on_create a new ticket gets a tag a moment later, by nobody (user_id null) and with the event rule-executed. A
client that tells its own changes by their time alone will take that for its own.
"""

import json
import re
from typing import Any

from sync_platform.sandbox.gorgias import fields, plain, tags
from sync_platform.sandbox.gorgias.customer_calls import put_reply
from sync_platform.sandbox.gorgias.fields import Invalid
from sync_platform.sandbox.gorgias.http import Contract, Reply, Request, Routes, add, dump, ok
from sync_platform.sandbox.gorgias.store import Actor, Store, sorts, stamp

KIND = "rules"
BUILT_IN, TAG = "Tag on create", "new-ticket"
ORDERS = sorts("created")
EVENT_TYPES = (
    "ticket-created", "ticket-updated", "ticket-message-created", "ticket-assigned", "ticket-self-unsnoozed",
    "satisfaction-survey-responded",
)  # fmt: skip
_NOBODY = Actor(None, "rule")
_CODE = f"if (eq(event.type, 'ticket-created')) {{ Action('addTags', {{tags: '{TAG}'}}) }}"


def prepare(store: Store) -> None:
    """The table."""
    plain.prepare(store, KIND, "name TEXT NOT NULL,")


@fields.described({"type": ["string", "null"]})
def _event_types(value: Any) -> Any:
    """Names of events, with commas between."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise Invalid("Not a valid string.")
    names = [name.strip() for name in value.split(",")]
    if not all(name in EVENT_TYPES for name in names):
        raise Invalid(f"Must be some of: {', '.join(EVENT_TYPES)}.")
    return ",".join(names)


_BODY: dict[str, fields.Check] = {
    "name": fields.text(shortest=1, longest=255, null=False),
    "code": fields.text(null=False),
    "code_ast": fields.mapping,
    "description": fields.text(longest=1_024),
    "event_types": _event_types,
    "priority": fields.integer(low=-1_000_000, high=1_000_000),
    "deactivated_datetime": fields.moment(),
}
_REQUIRED = ("name", "code")
_PRIORITIES = fields.many(
    fields.nested(
        {"id": fields.integer(), "priority": fields.integer(low=-1_000_000, high=1_000_000)},
        required=("id", "priority"),
    ),
    shortest=1,
)
_ORDER: dict[str, fields.Check] = {"priorities": _PRIORITIES}


class RuleCalls:
    """Handlers of /api/rules."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def register(self, routes: Routes) -> None:
        """Add the routes."""
        handlers = {
            "list": self.page, "create": self.create, "get": self.get, "update": self.change, "delete": self.delete,
        }  # fmt: skip
        new, given = fields.nested(_BODY, required=_REQUIRED), fields.nested(_BODY)
        told = plain.contracts("Rule", plain.asks(ORDERS, {}), new, given)
        plain.routes(routes, "rules", "/api/rules", "rule", handlers, told)
        order = Contract({204: None}, body=fields.nested(_ORDER, required=("priorities",)))
        path, failure = "/api/rules/priorities", "Failed to update rules priorities"
        add(routes, "POST", path, self.priorities, scope="rules", failure=failure, contract=order)

    def page(self, request: Request) -> Reply:
        """GET list; its limit is 100 when none is asked for [seen in working clients]."""
        return plain.page(self.store, request, KIND, ORDERS, {}, limit=100)

    def get(self, request: Request) -> Reply:
        """GET one."""
        return plain.one(self.store, request, KIND)

    def create(self, request: Request) -> Reply:
        """POST: 201."""
        fields.no_query(request)
        given = fields.body(request, _BODY, _REQUIRED)
        with self.store.writing():
            row = create(self.store, given, request.caller.user_id)
        return ok(dump(row), 201)

    def change(self, request: Request) -> Reply:
        """PUT: partial."""
        fields.no_query(request)
        row = plain.read(self.store, KIND, request.ids[0])
        given = fields.body(request, _BODY)
        if "deactivated_datetime" in given:
            given["deactivated_datetime"] = plain.shown(given["deactivated_datetime"])
        row |= {**given, "updated_datetime": stamp(self.store.now())}
        with self.store.writing():
            plain.save(self.store, KIND, row, name=row["name"])
            self.store.event("rule-updated", "Rule", row["id"], request.caller.user_id)
        return put_reply(self.store, dump(row))

    def delete(self, request: Request) -> Reply:
        """DELETE: 204."""
        fields.no_query(request)
        plain.read(self.store, KIND, request.ids[0])
        with self.store.writing():
            plain.remove(self.store, KIND, request.ids[0])
            self.store.event("rule-deleted", "Rule", request.ids[0], request.caller.user_id)
        return Reply(204)

    def priorities(self, request: Request) -> Reply:
        """POST: the order of several rules at once, all or none; 204 [inferred]."""
        fields.no_query(request)
        given = fields.body(request, _ORDER, ("priorities",))
        with self.store.writing():
            for entry in given["priorities"]:
                row = plain.read(self.store, KIND, entry["id"])
                row.update(priority=entry["priority"], updated_datetime=stamp(self.store.now()))
                plain.save(self.store, KIND, row)
                self.store.event("rule-updated", "Rule", row["id"], request.caller.user_id)
        return Reply(204)


def create(store: Store, given: dict[str, Any], user_id: int | None) -> dict[str, Any]:
    """A new rule."""
    number, at = store.new_id(KIND), stamp(store.now())
    row = {
        "id": number, "name": given["name"], "code": given["code"], "code_ast": given.get("code_ast"),
        "description": given.get("description"), "event_types": given.get("event_types"),
        "priority": given.get("priority", 0), "uri": f"/api/rules/{number}/", "created_datetime": at,
        "updated_datetime": at, "deactivated_datetime": plain.shown(given.get("deactivated_datetime")),
    }  # fmt: skip
    plain.insert(store, KIND, row, name=row["name"])
    store.event("rule-created", "Rule", number, user_id)
    return row


def names(store: Store, number: int, name: str | None = None) -> bool:
    """Whether a live rule's code holds an id as a whole number, or a name in quotes, alone or between commas: what it
    names can't be deleted [409 documented]."""
    pattern = re.compile(rf"(?<![0-9]){number}(?![0-9])")
    if name is not None:
        pattern = re.compile(rf"""{pattern.pattern}|(?<=['",])\s*{re.escape(name)}\s*(?=['",])""")
    rows = store.all("SELECT row FROM rules WHERE deleted IS NULL")
    found = (json.loads(text) for (text,) in rows)
    return any(pattern.search(f"{row['code']} {dump(row['code_ast'])}") for row in found)


class TagOnCreate:
    """The built-in rule: waits for tickets that were created, and tags them after the answer has been given."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: list[tuple[int, str]] = []

    def follow(self, events: list[dict[str, Any]]) -> None:
        """Told of every write that stands."""
        for event in events:
            if event["type"] == "ticket-created" and self._store.on("rule_tag_on_create"):
                self._waiting.append((event["object_id"], event["context"]))
                self._store.chores["rules"] = self.run

    def run(self) -> int | None:
        """Tag what waits."""
        waiting, self._waiting = self._waiting, []
        for ticket_id, context in waiting:
            if self._store.one("SELECT 1 FROM tickets WHERE id = ? AND deleted IS NULL", ticket_id):
                with self._store.writing(context):
                    self._tag(ticket_id)
        return None

    def _tag(self, ticket_id: int) -> None:
        store = self._store
        found = store.one("SELECT id FROM rules WHERE name = ? AND deleted IS NULL", BUILT_IN)
        number = found[0] if found else create(store, _RULE, None)["id"]
        tag = store.one("SELECT id FROM tags WHERE name = ? AND deleted IS NULL", TAG)
        tag_id = tag[0] if tag else tags.create(store, {"name": TAG}, _NOBODY)
        tags.put_on(store, ticket_id, [tag_id], _NOBODY, replace=False)
        store.event("rule-executed", "Ticket", ticket_id, None, {"id": number, "name": BUILT_IN})


_RULE = {"name": BUILT_IN, "code": _CODE, "event_types": "ticket-created", "description": "Built into the sandbox."}
