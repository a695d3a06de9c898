"""Custom-field values on tickets and customers, and the HTTP calls on definitions and values.

Written as a list [{id, value}], read in the object as a dict keyed by the definition's id {id, value, prediction} and
from the object's own endpoint as {"data": [{field, value, prediction}]} [doc, seen in clients]. Whether the list
replaces all values or changes those it names is disputed [switch custom_field_values].
"""

from typing import Any

from sync_platform.sandbox.gorgias import custom_fields as definitions
from sync_platform.sandbox.gorgias import customers, fields, tickets
from sync_platform.sandbox.gorgias.fields import Invalid
from sync_platform.sandbox.gorgias.http import Contract, Reply, Request, Routes, add, dump, not_found, ok
from sync_platform.sandbox.gorgias.store import Actor, Sort, Store, envelope, paging, short_list

ORDERS = {"priority:desc": Sort(("priority",), True), "priority:asc": Sort(("priority",), False)}
_CUSTOMERS, _TICKETS = "/api/customers/{id}/custom-fields", "/api/tickets/{id}/custom-fields"
LIST: dict[str, fields.Check] = {
    **paging(ORDERS),
    "object_type": fields.one_of(definitions.OBJECT_TYPES),
    "search": fields.text(),
    "archived": fields.boolean(),
}
_CHANGES = fields.many(fields.nested({**definitions.BODY, "id": fields.integer()}, required=("id",)), longest=500)


class CustomFieldCalls:
    """Handlers of the routes of definitions and values."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def register(self, routes: Routes) -> None:
        """Add the routes; there is no DELETE of a definition [doc]."""
        defined = fields.nested(definitions.BODY, required=definitions.REQUIRED)
        one = fields.nested(definitions.VALUE, required=("value",))
        page = Contract({200: "CustomFieldPage"}, LIST, ("object_type",))
        new, put = (Contract({status: "CustomField"}, body=defined) for status in (201, 200))
        many = Contract({200: "CustomFieldSet"}, body=_CHANGES)
        held = Contract({200: "FieldEntrySet"}, errors=(301,))
        set_all = Contract({200: "FieldEntrySet"}, body=definitions.VALUES, errors=(301,))
        set_one = Contract({200: "FieldEntry"}, body=one, errors=(301,))
        gone = Contract({204: None}, errors=(301,))
        owned, borne = f"{_CUSTOMERS}/{{field_id}}", f"{_TICKETS}/{{field_id}}"
        for scope, method, path, handler, verb, contract in (
            ("custom_fields", "GET", "/api/custom-fields", self.page, "list custom fields", page),
            ("custom_fields", "POST", "/api/custom-fields", self.create, "create custom field", new),
            ("custom_fields", "PUT", "/api/custom-fields", self.change_many, "update custom fields", many),
            (
                "custom_fields", "GET", "/api/custom-fields/{id}", self.get, "get custom field",
                Contract({200: "CustomField"}),
            ),
            ("custom_fields", "PUT", "/api/custom-fields/{id}", self.change, "update custom field", put),
            ("customers", "GET", _CUSTOMERS, self.of_customer, "list customer custom fields", held),
            ("customers", "PUT", _CUSTOMERS, self.set_customer, "update customer custom fields", set_all),
            ("customers", "PUT", owned, self.set_customer_one, "update customer custom field", set_one),
            ("customers", "DELETE", owned, self.drop_customer, "delete customer custom field", gone),
            ("tickets", "GET", _TICKETS, self.of_ticket, "list ticket custom fields", held),
            ("tickets", "PUT", _TICKETS, self.set_ticket, "update ticket custom fields", set_all),
            ("tickets", "PUT", borne, self.set_ticket_one, "update ticket custom field", set_one),
            ("tickets", "DELETE", borne, self.drop_ticket, "delete ticket custom field", gone),
        ):  # fmt: skip
            add(routes, method, path, handler, scope=scope, failure=f"Failed to {verb}", contract=contract)

    def page(self, request: Request) -> Reply:
        """GET definitions: object_type is required [doc]; without `archived` the active ones [inferred]."""
        asked = fields.query(request, LIST)
        if "object_type" not in asked:
            raise request.invalid({"object_type": [fields.MISSING]})
        wanted = self.store.listing("custom_fields", ORDERS, asked)
        wanted.add("object_type = ?", asked["object_type"])
        wanted.add("archived = ?", int(asked.get("archived", False)))
        if asked.get("search"):
            wanted.add("instr(lower(label), lower(?))", asked["search"])
        return ok(envelope(request, self.store.page(request, wanted, ("row",))))

    def create(self, request: Request) -> Reply:
        """POST definition: 201, 400 for a label in use [seen live]."""
        fields.no_query(request)
        given = fields.body(request, definitions.BODY, definitions.REQUIRED)
        with self.store.writing():
            number = definitions.create(self.store, given, _actor(request))
        return ok(dump(definitions.read(self.store, number)), 201)

    def get(self, request: Request) -> Reply:
        """GET one definition."""
        fields.no_query(request)
        return ok(dump(definitions.read(self.store, request.ids[0])))

    def change(self, request: Request) -> Reply:
        """PUT one definition: object_type, label and definition are required [doc]."""
        fields.no_query(request)
        definitions.read(self.store, request.ids[0])
        given = fields.body(request, definitions.BODY, definitions.REQUIRED)
        with self.store.writing():
            definitions.change(self.store, request.ids[0], given, _actor(request))
        return ok(dump(definitions.read(self.store, request.ids[0])))

    def change_many(self, request: Request) -> Reply:
        """PUT an array of definitions: `id` and what changes [inferred]; all or none."""
        fields.no_query(request)
        given = _CHANGES(request.json())
        with self.store.writing():
            for entry in given:
                definitions.change(
                    self.store, entry["id"], {key: entry[key] for key in entry if key != "id"}, _actor(request)
                )
        return ok(dump({"data": [definitions.read(self.store, entry["id"]) for entry in given]}))

    def of_customer(self, request: Request) -> Reply:
        """GET a customer's values: {"data": […]}, not paged."""
        fields.no_query(request)
        return self._values(self._customer(request.ids[0])["custom_fields"])

    def set_customer(self, request: Request) -> Reply:
        """PUT a customer's values: a bare array [{id, value}]."""
        self._customer(request.ids[0])
        return self._set_customer(request, _array(request))

    def set_customer_one(self, request: Request) -> Reply:
        """PUT one of a customer's values: {id, value}; the exact body is not established."""
        self._customer(request.ids[0])
        given = _single(self.store, request)
        self._set_customer(request, [given], partial=True)
        return self._one(self._customer(request.ids[0])["custom_fields"], given["id"])

    def drop_customer(self, request: Request) -> Reply:
        """DELETE one of a customer's values: 204, 404 when it has none."""
        fields.no_query(request)
        _held(self._customer(request.ids[0])["custom_fields"], request.ids[1])
        self._set_customer(request, [{"id": request.ids[1], "value": None}], partial=True)
        return Reply(204)

    def of_ticket(self, request: Request) -> Reply:
        """GET a ticket's values: {"data": […]}, not paged."""
        fields.no_query(request)
        return self._values(tickets.read(self.store, request.ids[0])["custom_fields"])

    def set_ticket(self, request: Request) -> Reply:
        """PUT a ticket's values: a bare array [{id, value}]."""
        tickets.read(self.store, request.ids[0])
        return self._set_ticket(request, _array(request))

    def set_ticket_one(self, request: Request) -> Reply:
        """PUT one of a ticket's values: {id, value}; the exact body is not established."""
        tickets.read(self.store, request.ids[0])
        given = _single(self.store, request)
        self._set_ticket(request, [given], partial=True)
        return self._one(tickets.read(self.store, request.ids[0])["custom_fields"], given["id"])

    def drop_ticket(self, request: Request) -> Reply:
        """DELETE one of a ticket's values: 204, 404 when it has none."""
        fields.no_query(request)
        _held(tickets.read(self.store, request.ids[0])["custom_fields"], request.ids[1])
        self._set_ticket(request, [{"id": request.ids[1], "value": None}], partial=True)
        return Reply(204)

    def _customer(self, number: int) -> dict[str, Any]:
        """A live customer's row. Raises ApiError 301 or 404."""
        if not self.store.one("SELECT 1 FROM customers WHERE id = ? AND deleted IS NULL", number):
            moved = customers.moved(self.store, number)
            raise moved if moved and self.store.switch("merged_get") == 301 else not_found()
        return customers.read(self.store, number)[0]

    def _set_customer(self, request: Request, given: list[dict[str, Any]], *, partial: bool = False) -> Reply:
        key = "custom_values" if partial else "custom_fields"
        with self.store.writing():
            customers.change(self.store, request.ids[0], {key: given}, _actor(request))
        return self._values(self._customer(request.ids[0])["custom_fields"])

    def _set_ticket(self, request: Request, given: list[dict[str, Any]], *, partial: bool = False) -> Reply:
        key = "custom_values" if partial else "custom_fields"
        with self.store.writing():
            tickets.change(self.store, request.ids[0], {key: given}, _actor(request))
        return self._values(tickets.read(self.store, request.ids[0])["custom_fields"])

    def _values(self, held: dict[str, Any]) -> Reply:
        return ok(short_list(self.store, [self._shown(entry) for entry in held.values()]))

    def _one(self, held: dict[str, Any], number: int) -> Reply:
        entry = held.get(str(number), {"id": number, "value": None, "prediction": None})
        return ok(dump(self._shown(entry)))

    def _shown(self, entry: dict[str, Any]) -> dict[str, Any]:
        return {
            "field": definitions.read(self.store, entry["id"]),
            "value": entry["value"],
            "prediction": entry["prediction"],
        }


def _array(request: Request) -> list[dict[str, Any]]:
    fields.no_query(request)
    found: list[dict[str, Any]] = definitions.VALUES(request.json())
    return found


def _single(store: Store, request: Request) -> dict[str, Any]:
    """{id, value}; whether the id may be left out, as it stands in the path, is not established [value_body_id]."""
    fields.no_query(request)
    needed = ("value", "id") if store.switch("value_body_id") == "required" else ("value",)
    given = {"id": request.ids[1], **fields.body(request, definitions.VALUE, needed)}
    if given["id"] != request.ids[1]:
        raise Invalid({"id": ["Must be the id in the path."]})
    return given


def _held(values: dict[str, Any], number: int) -> None:
    if str(number) not in values:
        raise not_found()


def _actor(request: Request) -> Actor:
    return Actor(request.caller.user_id)
