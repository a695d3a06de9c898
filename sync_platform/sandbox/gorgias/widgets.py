"""Sidebar widgets: how data of a customer is shown to agents; kept, and its template checked.

`type` http shows what an integration's calls brought (customer.integrations), custom shows customer.data, and
customer_external_data belongs to an app. A template's root is a wrapper [seen in a working client]; within it cards and
lists may be nested, with text, date, boolean, url and array as leaves.
"""

from typing import Any

from sync_platform.sandbox.gorgias import fields, plain
from sync_platform.sandbox.gorgias.customer_calls import put_reply
from sync_platform.sandbox.gorgias.fields import Invalid
from sync_platform.sandbox.gorgias.http import Reply, Request, Routes, dump, ok
from sync_platform.sandbox.gorgias.store import Sort, Store, sorts, stamp

KIND = "widgets"
TYPES = ("http", "custom", "customer_external_data")
CONTEXTS = ("ticket", "customer", "user")  # user is deprecated
ORDERS = {
    **sorts("created"),
    "order:asc": Sort(("position",), False),
    "order:desc": Sort(("position",), True),
}
DEPTH_MAX = 20


def prepare(store: Store) -> None:
    """The table."""
    plain.prepare(store, KIND, "position INTEGER NOT NULL, integration_id INTEGER, app_id TEXT,")


@fields.described(
    {
        "type": "object",
        "required": ["type"],
        "properties": {"type": {"const": "wrapper"}, "widgets": {"type": "array", "items": {"type": "object"}}},
    }
)
def _template(value: Any) -> Any:
    """A tree of nodes whose root is a wrapper."""
    if not isinstance(value, dict):
        raise Invalid("Not a valid mapping type.")
    if value.get("type") != "wrapper":
        raise Invalid({"type": ["Must be one of: wrapper."]})
    _check_nodes(value, DEPTH_MAX)
    return value


def _check_nodes(node: dict[str, Any], depth: int) -> None:
    inner = node.get("widgets", [])
    if not isinstance(inner, list) or not all(isinstance(entry, dict) and entry.get("type") for entry in inner):
        raise Invalid({"widgets": ["Not a valid list."]})
    if depth == 0:
        raise Invalid({"widgets": ["Nested too deeply."]})
    for entry in inner:
        _check_nodes(entry, depth - 1)


_BODY: dict[str, fields.Check] = {
    "type": fields.one_of(TYPES),
    "context": fields.one_of(CONTEXTS),
    "order": fields.integer(high=1_000_000),
    "integration_id": fields.integer(null=True),
    "app_id": fields.text(longest=255),
    "template": _template,
    "deactivated_datetime": fields.moment(),
}
_REQUIRED = ("type", "template")
_FILTERS: dict[str, fields.Check] = {"integration_id": fields.integer(), "app_id": fields.text(longest=255)}


class WidgetCalls:
    """Handlers of /api/widgets."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def register(self, routes: Routes) -> None:
        """Add the routes. No pair of scopes is documented for widgets: those of integrations [inferred]."""
        handlers = {
            "list": self.page, "create": self.create, "get": self.get, "update": self.change, "delete": self.delete,
        }  # fmt: skip
        new, given = fields.nested(_BODY, required=_REQUIRED), fields.nested(_BODY)
        told = plain.contracts("Widget", plain.asks(ORDERS, _FILTERS), new, given)
        plain.routes(routes, "integrations", "/api/widgets", "widget", handlers, told)

    def page(self, request: Request) -> Reply:
        """GET list."""
        return plain.page(self.store, request, KIND, ORDERS, _FILTERS)

    def get(self, request: Request) -> Reply:
        """GET one."""
        return plain.one(self.store, request, KIND)

    def create(self, request: Request) -> Reply:
        """POST: 201."""
        fields.no_query(request)
        given = self._checked(request, _REQUIRED)
        number, at = self.store.new_id(KIND), stamp(self.store.now())
        row = {
            "id": number, "type": given["type"], "context": given.get("context", "ticket"),
            "order": given.get("order", 0), "integration_id": given.get("integration_id"),
            "app_id": given.get("app_id"), "template": given["template"], "created_datetime": at,
            "updated_datetime": at, "deactivated_datetime": given.get("deactivated_datetime"),
            "uri": f"/api/widgets/{number}/",
        }  # fmt: skip
        with self.store.writing():
            plain.insert(
                self.store, KIND, row,
                position=row["order"], integration_id=row["integration_id"], app_id=row["app_id"],
            )  # fmt: skip
            self.store.event("widget-created", "Widget", number, request.caller.user_id)
        return ok(dump(row), 201)

    def change(self, request: Request) -> Reply:
        """PUT: partial; the template replaces."""
        fields.no_query(request)
        row = plain.read(self.store, KIND, request.ids[0])
        row |= {**self._checked(request, ()), "updated_datetime": stamp(self.store.now())}
        with self.store.writing():
            plain.save(
                self.store, KIND, row,
                position=row["order"], integration_id=row["integration_id"], app_id=row["app_id"],
            )  # fmt: skip
            self.store.event("widget-updated", "Widget", row["id"], request.caller.user_id)
        return put_reply(self.store, dump(row))

    def delete(self, request: Request) -> Reply:
        """DELETE: 204."""
        fields.no_query(request)
        plain.read(self.store, KIND, request.ids[0])
        with self.store.writing():
            plain.remove(self.store, KIND, request.ids[0])
            self.store.event("widget-deleted", "Widget", request.ids[0], request.caller.user_id)
        return Reply(204)

    def _checked(self, request: Request, required: tuple[str, ...]) -> dict[str, Any]:
        """The body; an integration that it names has to be there [inferred]."""
        given = fields.body(request, _BODY, required)
        number = given.get("integration_id")
        if number is not None and not self.store.one(
            "SELECT 1 FROM integrations WHERE id = ? AND deleted IS NULL", number
        ):
            raise request.invalid({"integration_id": ["Integration does not exist."]})
        if "deactivated_datetime" in given:
            given["deactivated_datetime"] = plain.shown(given["deactivated_datetime"])
        return given
