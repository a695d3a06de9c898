"""Jobs: work on many tickets at once, on the sandbox's clock. Scheduled at most 60 minutes ahead [documented].

updateTicket, deleteTicket and applyMacro on `ticket_ids` are carried out, each ticket as a change of its own; every
other type, and a choice of tickets by view, ends as errored and says so in `info`.
"""

# ruff: noqa: S608 - statements are put together from this package's own table and column names; values are bound

import json
from typing import Any

from sync_platform.sandbox.gorgias import fields, plain, tags, tickets
from sync_platform.sandbox.gorgias.customer_calls import put_reply
from sync_platform.sandbox.gorgias.embedded import remove_ticket
from sync_platform.sandbox.gorgias.fields import Invalid
from sync_platform.sandbox.gorgias.http import ApiError, Reply, Request, Routes, dump, ok
from sync_platform.sandbox.gorgias.store import Actor, Store, sorts, stamp
from sync_platform.sandbox.gorgias.ticket_calls import CHANGE

KIND = "jobs"
AHEAD_MAX_S = 3_600
ORDERS = sorts("created")
TYPES = (
    "applyMacro", "deleteTicket", "exportMacro", "exportTicket", "exportTicketDrilldown", "importMacro", "updateTicket",
)  # fmt: skip
STATUSES = (
    "pending", "scheduled", "running", "done", "cancel_requested", "canceled", "errored", "fatal_errored",
)  # fmt: skip
OPEN = ("pending", "scheduled")
_TIMES = (
    "scheduled_datetime", "started_datetime", "ended_datetime", "failed_datetime", "locked_datetime",
    "cancel_requested_datetime", "canceled_datetime",
)  # fmt: skip
_PARAMS = fields.nested(
    {
        "ticket_ids": fields.many(fields.integer(), shortest=1, longest=100, null=True),
        "view_id": fields.integer(null=True),
        "view": fields.mapping,
        "updates": fields.mapping,
        "macro_id": fields.integer(null=True),
        "apply_and_close": fields.boolean(null=True),
        "context": fields.mapping,
        "url": fields.text(),
        "start_datetime": fields.moment(),
        "end_datetime": fields.moment(),
    }
)
_BODY: dict[str, fields.Check] = {
    "type": fields.one_of(TYPES),
    "params": _PARAMS,
    "meta": fields.mapping,
    "scheduled_datetime": fields.moment(),
}
_REQUIRED = ("type", "params")
_FILTERS: dict[str, fields.Check] = {"status": fields.one_of(STATUSES), "type": fields.one_of(TYPES)}


def prepare(store: Store) -> None:
    """The table; a reopened file's open jobs go on."""
    plain.prepare(store, KIND, "type TEXT NOT NULL, status TEXT NOT NULL, due INTEGER,")
    store.db.execute(f"CREATE INDEX IF NOT EXISTS {KIND}_due ON {KIND}(due) WHERE due IS NOT NULL")
    store.chores[KIND] = lambda: run(store)


class JobCalls:
    """Handlers of /api/jobs."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def register(self, routes: Routes) -> None:
        """Add the routes."""
        handlers = {
            "list": self.page, "create": self.create, "get": self.get, "update": self.change, "delete": self.cancel,
        }  # fmt: skip
        new, given = fields.nested(_BODY, required=_REQUIRED), fields.nested(_BODY)
        told = plain.contracts("Job", plain.asks(ORDERS, _FILTERS), new, given)
        plain.routes(routes, "jobs", "/api/jobs", "job", handlers, told)

    def page(self, request: Request) -> Reply:
        """GET list."""
        return plain.page(self.store, request, KIND, ORDERS, _FILTERS)

    def get(self, request: Request) -> Reply:
        """GET one."""
        return plain.one(self.store, request, KIND)

    def create(self, request: Request) -> Reply:
        """POST: 201, pending or scheduled; it runs when the answer has been given."""
        fields.no_query(request)
        given = self._checked(request, _REQUIRED)
        store, number, at = self.store, self.store.new_id(KIND), self.store.now()
        row = {
            "id": number, "type": given["type"], "status": "pending", "params": given["params"], "info": None,
            "meta": given.get("meta"), "user_id": request.caller.user_id, "uri": f"/api/jobs/{number}/",
            "created_datetime": stamp(at), **dict.fromkeys(_TIMES),
        }  # fmt: skip
        due = self._schedule(row, given)
        with store.writing():
            plain.insert(store, KIND, row, type=row["type"], status=row["status"], due=due)
        store.chores[KIND] = lambda: run(store)
        return ok(dump(row), 201)

    def change(self, request: Request) -> Reply:
        """PUT: only a job that has not begun."""
        fields.no_query(request)
        row = plain.read(self.store, KIND, request.ids[0])
        given = self._checked(request, ())
        if row["status"] not in OPEN:
            raise request.invalid({"status": ["The job has begun."]})
        row |= {name: given[name] for name in ("type", "params", "meta") if name in given}
        due = self._schedule(row, given) if "scheduled_datetime" in given else None
        with self.store.writing():
            plain.save(self.store, KIND, row, type=row["type"], status=row["status"])
            if due is not None:
                self.store.run(f"UPDATE {KIND} SET due = ? WHERE id = ?", due, row["id"])
        return put_reply(self.store, dump(row))

    def cancel(self, request: Request) -> Reply:
        """DELETE: cancels, 204; what has begun is done at once here, so that it stays as it is."""
        fields.no_query(request)
        row = plain.read(self.store, KIND, request.ids[0])
        if row["status"] in OPEN:
            at = stamp(self.store.now())
            row.update(status="canceled", cancel_requested_datetime=at, canceled_datetime=at)
            with self.store.writing():
                plain.save(self.store, KIND, row, status="canceled", due=None)
        return Reply(204)

    def _checked(self, request: Request, required: tuple[str, ...]) -> dict[str, Any]:
        given = fields.body(request, _BODY, required)
        for name in ("start_datetime", "end_datetime"):
            if (given.get("params") or {}).get(name) is not None:
                given["params"][name] = stamp(given["params"][name])
        at = given.get("scheduled_datetime")
        if at is not None and at > self.store.now() + AHEAD_MAX_S * 1_000_000:
            raise request.invalid({"scheduled_datetime": ["Must be at most 60 minutes ahead."]})
        return given

    def _schedule(self, row: dict[str, Any], given: dict[str, Any]) -> int:
        at = given.get("scheduled_datetime")
        row.update(status="pending" if at is None else "scheduled", scheduled_datetime=plain.shown(at))
        return self.store.now() if at is None else int(at)


def run(store: Store) -> int | None:
    """Do the jobs that are due; gives when the next is."""
    for number, text in store.all(
        f"SELECT id, row FROM {KIND} WHERE due <= ? AND deleted IS NULL ORDER BY due, id", store.now()
    ):
        row = json.loads(text)
        row.update(started_datetime=stamp(store.now()), locked_datetime=stamp(store.now()))
        info = _work(store, row)
        failed = info.pop("failed", False)
        at = stamp(store.now())
        row.update(status="errored" if failed else "done", info=info, ended_datetime=at)
        row["failed_datetime"] = at if failed else None
        with store.writing():
            plain.save(store, KIND, {**row, "id": number}, status=row["status"], due=None)
    following = store.one(f"SELECT min(due) FROM {KIND} WHERE due IS NOT NULL")[0]
    return None if following is None else int(following)


def _work(store: Store, row: dict[str, Any]) -> dict[str, Any]:
    """Carry a job out, ticket by ticket; gives its info."""
    params, actor = row["params"], Actor(row["user_id"])
    ids = params.get("ticket_ids")
    if row["type"] not in ("updateTicket", "deleteTicket", "applyMacro") or not ids:
        return {"failed": True, "msg": f"The sandbox does not carry out {row['type']} on what params name."}
    done: list[int] = []
    bad: dict[str, Any] = {}
    for ticket_id in dict.fromkeys(ids):
        try:
            with store.writing():
                tickets.read(store, ticket_id)
                if row["type"] == "deleteTicket":
                    remove_ticket(store, ticket_id, actor)
                elif row["type"] == "updateTicket":
                    tickets.change(store, ticket_id, fields.load(params.get("updates") or {}, CHANGE), actor)
                else:
                    _apply(store, ticket_id, params, actor)
            done.append(ticket_id)
        except ApiError as error:
            bad[str(ticket_id)] = error.msg
        except Invalid as error:
            bad[str(ticket_id)] = error.messages
    return {"failed": not done, "ticket_ids": done, **({"errors": bad} if bad else {})}


def _apply(store: Store, ticket_id: int, params: dict[str, Any], actor: Actor) -> None:
    """A macro's actions on one ticket: status, priority, subject, assignee and tags. Raises Invalid for others."""
    macro = plain.read(store, "macros", params.get("macro_id") or 0)
    change: dict[str, Any] = {}
    names: list[str] = []
    for action in macro["actions"]:
        given = action.get("arguments") or {}
        if action["name"] == "addTags":
            names += [name.strip() for name in str(given.get("tags", "")).split(",") if name.strip()]
        elif action["name"] in _SETS:
            field = _SETS[action["name"]]
            change[field] = given.get(field)
        else:
            raise Invalid({"actions": [f"The sandbox does not carry out {action['name']}."]})
    if params.get("apply_and_close"):
        change["status"] = "closed"
    if names:
        tags.put_on(store, ticket_id, tags.named(store, names, actor), actor, replace=False)
    if change:
        tickets.change(store, ticket_id, fields.load(change, CHANGE), actor)
    macro["usage"] += 1
    plain.save(store, "macros", macro, usage=macro["usage"])


_SETS = {
    "setStatus": "status",
    "setPriority": "priority",
    "setSubject": "subject",
    "setAssignee": "assignee_user",
    "setTeamAssignee": "assignee_team",
}
