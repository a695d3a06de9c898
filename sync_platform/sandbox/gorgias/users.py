"""Users of the twin of Gorgias: members of staff, created, changed and deleted through the API or by a person.

What becomes of the tickets of a deleted user is not established [switch deleted_user_tickets].
"""

import json
from typing import Any

from sync_platform.sandbox.gorgias import embedded, fields, shapes, teams
from sync_platform.sandbox.gorgias.customer_calls import put_reply
from sync_platform.sandbox.gorgias.http import (
    FORBIDDEN,
    ApiError,
    Contract,
    Reply,
    Request,
    Routes,
    add,
    dump,
    not_found,
    ok,
)
from sync_platform.sandbox.gorgias.other_calls import ROLES
from sync_platform.sandbox.gorgias.store import (
    Actor,
    Sort,
    Store,
    conflict,
    envelope,
    paging,
    refuse_orders,
    sorts,
    stamp,
)

# Orders by name and e-mail were seen in clients only.
ORDERS = {
    **sorts("created", "updated"),
    "name:asc": Sort(("coalesce(name, '')",), False),
    "name:desc": Sort(("coalesce(name, '')",), True),
    "email:asc": Sort(("email",), False),
    "email:desc": Sort(("email",), True),
}
BODY: dict[str, fields.Check] = {
    "name": fields.text(longest=255, null=False),
    "email": fields.email(null=False),
    "role": fields.nested({"name": fields.one_of(ROLES)}, required=("name",)),
    "active": fields.boolean(),
    "bio": fields.text(),
    "country": fields.text(longest=2),
    "external_id": fields.text(longest=255),
    "language": fields.one_of(("en", "fr")),
    "timezone": fields.timezone,
    "meta": fields.mapping,
}
CREATE: dict[str, fields.Check] = {name: check for name, check in BODY.items() if name != "active"}
CHANGE: dict[str, fields.Check] = {**BODY, "password_confirmation": fields.text(shortest=1, null=False)}
LIST: dict[str, fields.Check] = {
    **paging(ORDERS),
    "email": fields.text(longest=320),
    "external_id": fields.text(),
    "roles": fields.many(fields.one_of(ROLES), longest=100),
    "search": fields.text(),
    "available_first": fields.boolean(),
}
REQUIRED = ("name", "email", "role")
_SET = ("name", "email", "role", "active", "bio", "country", "external_id", "language", "timezone", "meta")


class UserCalls:
    """Handlers of the users' routes; there is no bulk delete [doc]."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def register(self, routes: Routes) -> None:
        """Add the routes."""
        new = Contract({201: "User"}, body=fields.nested(CREATE, required=REQUIRED), errors=(409,))
        put = Contract({200: "User", 202: None}, body=fields.nested(CHANGE), errors=(409,))
        for method, path, handler, verb, contract in (
            ("GET", "/api/users", self.page, "list users", Contract({200: "UserPage"}, LIST)),
            ("POST", "/api/users", self.create, "create user", new),
            ("GET", "/api/users/{id}", self.get, "get user", Contract({200: "User"})),
            ("PUT", "/api/users/{id}", self.change, "update user", put),
            ("DELETE", "/api/users/{id}", self.delete, "delete user", Contract({204: None})),
        ):
            add(routes, method, path, handler, scope="users", failure=f"Failed to {verb}", contract=contract)

    def page(self, request: Request) -> Reply:
        """GET users; `available_first` is taken, everybody of this account is available."""
        asked = fields.query(request, LIST, repeated=("roles",))
        if not self.store.on("user_order_name"):
            refuse_orders(request, asked, "name", "email")
        wanted = self.store.listing("users", ORDERS, asked)
        for name in ("email", "external_id"):
            if asked.get(name) is not None:
                wanted.add(f"{name} = ?", asked[name])
        if asked.get("roles"):
            wanted.add(f"role IN ({', '.join('?' * len(asked['roles']))})", *asked["roles"])
        if asked.get("search"):
            wanted.add("(instr(lower(name), lower(?)) OR instr(lower(email), lower(?)))", *[asked["search"]] * 2)
        return ok(envelope(request, self.store.page(request, wanted, ("row",))))

    def create(self, request: Request) -> Reply:
        """POST: name, email and role are required; 201, 409 for an e-mail in use."""
        fields.no_query(request)
        given = fields.body(request, CREATE, REQUIRED)
        with self.store.writing():
            number = create(self.store, given, _actor(request))
        return ok(dump(read(self.store, number)), 201)

    def get(self, request: Request) -> Reply:
        """GET one; 0 is the caller [doc]."""
        fields.no_query(request)
        return ok(dump(read(self.store, self._number(request))))

    def change(self, request: Request) -> Reply:
        """PUT: partial; a new e-mail needs password_confirmation [doc], whose value any text satisfies here."""
        fields.no_query(request)
        number = self._number(request)
        old = read(self.store, number)
        given = fields.body(request, CHANGE)
        if given.get("email", old["email"]) != old["email"] and "password_confirmation" not in given:
            raise request.invalid({"password_confirmation": [fields.MISSING]})
        with self.store.writing():
            change(self.store, number, given, _actor(request))
        return put_reply(self.store, dump(read(self.store, number)))

    def delete(self, request: Request) -> Reply:
        """DELETE: 204; the caller and the bot stay: 403 [inferred]."""
        fields.no_query(request)
        number = self._number(request)
        user = read(self.store, number)
        if number == request.caller.user_id or user["role"]["name"] == "bot":
            raise ApiError(403, FORBIDDEN)
        with self.store.writing():
            delete(self.store, number, _actor(request))
        return Reply(204)

    def _number(self, request: Request) -> int:
        return request.ids[0] or request.caller.user_id or 0


def read(store: Store, user_id: int) -> dict[str, Any]:
    """A live user. Raises ApiError 404."""
    found = store.one("SELECT row FROM users WHERE id = ? AND deleted IS NULL", user_id)
    if found is None:
        raise not_found()
    return dict(json.loads(found[0]))


def create(store: Store, given: dict[str, Any], actor: Actor) -> int:
    """A new user. Raises ApiError 409 for an e-mail in use."""
    _check_free(store, given["email"], None)
    number, now = store.new_id("users"), store.now()
    row = shapes.user(number, given["email"], given["name"], role=given["role"]["name"], at=now)
    row.update({name: given[name] for name in _SET if name in given})
    store.run(
        "INSERT INTO users VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL)",
        number, now, now, row["email"], row["name"], row["role"]["name"], row["external_id"], dump(row),
    )  # fmt: skip
    store.event("user-created", "User", number, actor.user_id)
    return number


def change(store: Store, user_id: int, given: dict[str, Any], actor: Actor) -> None:
    """Set fields; tickets show a new name or e-mail of their assignee at once. Raises ApiError 409."""
    row = read(store, user_id)
    before = shapes.compact(row), row["bio"]
    if "email" in given:
        _check_free(store, given["email"], user_id)
    row.update({name: given[name] for name in _SET if name in given})
    row["firstname"], row["lastname"] = shapes.split_name(row["name"])
    now = store.now()
    row["updated_datetime"] = stamp(now)
    if "active" in given:
        row["deactivated_datetime"] = None if row["active"] else row["deactivated_datetime"] or stamp(now)
    store.run(
        "UPDATE users SET email = ?, name = ?, role = ?, external_id = ?, updated = ?, row = ? WHERE id = ?",
        row["email"], row["name"], row["role"]["name"], row["external_id"], now, dump(row), user_id,
    )  # fmt: skip
    store.event("user-updated", "User", user_id, actor.user_id)
    if (shapes.compact(row), row["bio"]) != before:
        shown = {**shapes.compact(row), "bio": row["bio"]}
        for ticket in embedded.assigned(store, "assignee_user", user_id):
            embedded.save_ticket(store, {**ticket, "assignee_user": shown})


def delete(store: Store, user_id: int, actor: Actor) -> None:
    """Gone, also from its teams; its tickets are unassigned, or keep it, by switch."""
    read(store, user_id)
    store.run("UPDATE users SET deleted = ? WHERE id = ?", store.now(), user_id)
    store.event("user-deleted", "User", user_id, actor.user_id)
    teams.forget_member(store, user_id)
    if store.switch("deleted_user_tickets") == "unassign":
        embedded.unassign(store, "assignee_user", user_id, "ticket-unassigned", actor)


def _check_free(store: Store, email: str, own: int | None) -> None:
    same = store.one("SELECT id FROM users WHERE email = ? AND deleted IS NULL", email)
    if same and same[0] != own:
        raise conflict()


def _actor(request: Request) -> Actor:
    return Actor(request.caller.user_id)
