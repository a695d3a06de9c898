"""The HTTP calls on /api/customers."""

import json

from sync_platform.sandbox.gorgias import customers, fields, views
from sync_platform.sandbox.gorgias.custom_fields import VALUES, pruned
from sync_platform.sandbox.gorgias.http import Contract, Reply, Request, Routes, add, dump, not_found, ok
from sync_platform.sandbox.gorgias.store import Actor, Listing, Store, envelope, paging, refuse_orders, sorts

# Ordering by updated_datetime was added after 2024, several clients use it; the documentation's prose says «by name».
ORDERS = sorts("created", "updated")
FILTERS: dict[str, fields.Check] = {
    **paging(ORDERS),
    "email": fields.text(longest=320),
    "external_id": fields.text(),
    "name": fields.text(),
    "language": fields.one_of(fields.LANGUAGES),
    "timezone": fields.timezone,
    "view_id": fields.integer(),
    "channel_type": fields.slug_or(fields.CHANNELS),
    "channel_address": fields.text(longest=320),
}
_CHANNEL = fields.nested(
    {
        "type": fields.slug_or(fields.CHANNELS),
        "address": fields.text(shortest=1, longest=320, null=False),
        # Demanded by the specification, yet a POST without it was accepted [recorded].
        "preferred": fields.boolean(),
    },
    required=("type", "address"),
)


@fields.described(lambda: fields.schema_of(_CHANNEL))
def channel(value: object) -> object:
    """A channel of a body; e-mail channels need an e-mail address."""
    found = _CHANNEL(value)
    if found["type"] == "email":
        try:
            fields.email(null=False)(found["address"])
        except fields.Invalid as error:
            raise fields.Invalid({"address": error.messages}) from error
    return found


_PREFERRED = fields.nested(
    {
        "type": fields.slug_or(fields.CHANNELS),
        "address": fields.text(shortest=1, longest=320, null=False),
        "preferred": fields.boolean(),
    },
    required=("type", "address", "preferred"),
)


# firstname and lastname are derived from name; sending them is refused [seen in a working client].
BODY: dict[str, fields.Check] = {
    "channels": fields.many(channel),
    "email": fields.email(),
    "name": fields.text(),
    "external_id": fields.text(),
    "language": fields.one_of(fields.LANGUAGES, null=True),
    "timezone": fields.timezone,
    "note": fields.text(),
    "meta": fields.mapping,
    "data": fields.anything,
    "custom_fields": VALUES,
}
ONE: dict[str, fields.Check] = {"relationships": fields.one_of(("custom_fields",))}
IDS = fields.bulk("ids")
_ENDS: dict[str, fields.Check] = {"source_id": fields.integer(), "target_id": fields.integer()}
_DATA: dict[str, fields.Check] = {"data": fields.anything, "version": fields.moment()}


class CustomerCalls:
    """Handlers of the customers' routes."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def register(self, routes: Routes) -> None:
        """Add the routes."""
        new = fields.late(lambda: fields.nested(self._body(), required=self._required()))
        change = fields.late(lambda: fields.nested(self._body()))
        ids, data = fields.nested(IDS, required=("ids",)), fields.nested(_DATA, required=("data",))
        page = Contract({200: "CustomerPage"}, FILTERS)
        create = Contract({201: "CreatedCustomer"}, body=new, errors=(409,))
        merge = Contract({200: "Customer", 202: None}, _ENDS, tuple(_ENDS), body=change, errors=(301, 409))
        get = Contract({200: "Customer"}, ONE, errors=(301,))
        put = Contract({200: "Customer", 202: None}, body=change, errors=(301, 409))
        for method, path, handler, verb, contract in (
            ("GET", "/api/customers", self.page, "list customers", page),
            ("POST", "/api/customers", self.create, "create customer", create),
            ("DELETE", "/api/customers", self.delete_many, "delete customers", Contract({204: None}, body=ids)),
            ("PUT", "/api/customers/merge", self.merge, "merge customers", merge),
            ("GET", "/api/customers/{id}", self.get, "get customer", get),
            ("PUT", "/api/customers/{id}", self.change, "update customer", put),
            ("DELETE", "/api/customers/{id}", self.delete, "delete customer", Contract({204: None}, errors=(301,))),
            (
                "PUT", "/api/customers/{id}/data", self.put_data, "update customer data",
                Contract({202: None}, body=data, errors=(301,)),
            ),
        ):  # fmt: skip
            add(routes, method, path, handler, scope="customers", failure=f"Failed to {verb}", contract=contract)

    def page(self, request: Request) -> Reply:
        """GET list: partial rows, without channels."""
        asked = fields.query(request, FILTERS)
        if not self.store.on("customer_order_updated"):
            refuse_orders(request, asked, "updated_datetime")
        wanted = self.store.listing("customers", ORDERS, asked)
        for name in ("external_id", "name", "language", "timezone"):
            if asked.get(name) is not None:
                wanted.add(f"{name} = ?", asked[name])
        if asked.get("view_id") is not None:
            condition, values = views.of_view(self.store, asked["view_id"], "customer", request.caller.user_id)
            wanted.add(condition, *values)
        self._by_channel(request, wanted, asked)
        page = self.store.page(request, wanted, ("row",))
        if self.store.switch("custom_fields_shown") != "always":
            page.rows = [(pruned(self.store, text, asked=False, listed=True),) for (text,) in page.rows]
        return ok(envelope(request, page, data_first=True))

    def _by_channel(self, request: Request, wanted: Listing, asked: dict[str, str]) -> None:
        if asked.get("email") is not None:
            self._owned(wanted, "email", asked["email"])
            if self.store.switch("email_filter") == "primary":
                wanted.add("lower(json_extract(row, '$.email')) = lower(?)", asked["email"])
        kind, address = asked.get("channel_type"), asked.get("channel_address")
        if address is not None and kind is not None:
            self._owned(wanted, kind, address)
        elif address is not None:
            folded = (address, address.lower())
            wanted.add("id IN (SELECT customer_id FROM channels WHERE folded IN (?, ?))", *folded)
        elif kind is not None:
            if not self.store.on("channel_type_alone"):
                raise request.invalid({"channel_address": [fields.MISSING]})
            wanted.add(
                "EXISTS (SELECT 1 FROM channels WHERE channels.customer_id = customers.id AND channels.type = ?)", kind
            )

    def _owned(self, wanted: Listing, kind: str, address: str) -> None:
        owners = customers.holders(self.store, kind, address)[:100]
        wanted.add(f"id IN ({', '.join('?' * len(owners))})", *owners)

    def create(self, request: Request) -> Reply:
        """POST: 201 with the customer, without external_data and ecommerce_data [recorded]."""
        fields.no_query(request)
        given = _named(fields.body(request, self._body(), self._required()))
        with self.store.writing():
            number = customers.create(self.store, given, _actor(request))
        shown = json.loads(self._text(number))
        del shown["external_data"], shown["ecommerce_data"]
        return ok(dump(shown), 201)

    def get(self, request: Request) -> Reply:
        """GET one: the stored body."""
        asked = fields.query(request, ONE) if request.raw_query else {}
        number = request.ids[0]
        found = self.store.one("SELECT row, extra FROM customers WHERE id = ? AND deleted IS NULL", number)
        if found is None:
            self._gone(number, by_switch=True)
        if self.store.switch("custom_fields_shown") == "asked":
            return ok(pruned(self.store, customers.detail(*found), asked="relationships" in asked, listed=False))
        return ok(customers.detail(*found))

    def change(self, request: Request) -> Reply:
        """PUT: partial, channels replace. 200 or 202 is not established [switch put_status]."""
        fields.no_query(request)
        self._check_live(request.ids[0], by_switch=True)
        given = _named(fields.body(request, self._body()))
        with self.store.writing():
            customers.change(self.store, request.ids[0], given, _actor(request))
        return put_reply(self.store, self._text(request.ids[0]))

    def delete(self, request: Request) -> Reply:
        """DELETE one: 204, irreversible; 301 for a merged one [doc]."""
        fields.no_query(request)
        self._check_live(request.ids[0], by_switch=False)
        with self.store.writing():
            customers.delete(self.store, request.ids[0], _actor(request))
        return Reply(204)

    def delete_many(self, request: Request) -> Reply:
        """DELETE with {"ids": […]}: 204; ids that are not there are passed over [inferred]."""
        fields.no_query(request)
        given = fields.body(request, IDS, ("ids",))
        with self.store.writing():
            for number in dict.fromkeys(given["ids"]):
                if self.store.one("SELECT 1 FROM customers WHERE id = ? AND deleted IS NULL", number):
                    customers.delete(self.store, number, _actor(request))
        return Reply(204)

    def merge(self, request: Request) -> Reply:
        """PUT merge: ids in the query, the target's new fields in the body, at least one [seen in a working client]."""
        ids = fields.query(request, _ENDS)
        missing = {name: [fields.MISSING] for name in _ENDS if name not in ids}
        if missing:
            raise request.invalid(missing)
        given = _named(fields.body(request, self._body()))
        if not given:
            raise request.invalid({"_schema": ["At least one field is required."]})
        with self.store.writing():
            customers.merge(self.store, ids["source_id"], ids["target_id"], given, _actor(request))
        return put_reply(self.store, self._text(ids["target_id"]))

    def put_data(self, request: Request) -> Reply:
        """PUT data: 202 and no body; replaces the whole of it [doc]."""
        fields.no_query(request)
        self._check_live(request.ids[0], by_switch=False)
        given = fields.body(request, _DATA, ("data",))
        with self.store.writing():
            customers.put_data(self.store, request.ids[0], given["data"], given.get("version"), _actor(request))
        return Reply(202)

    def _body(self) -> dict[str, fields.Check]:
        taken = dict(BODY)
        if not self.store.on("note_writable"):
            del taken["note"]
        if self.store.on("name_parts_accepted"):
            taken |= {"firstname": fields.text(), "lastname": fields.text()}
        if self.store.on("channel_preferred_required"):
            taken["channels"] = fields.many(_PREFERRED)
        return taken

    def _required(self) -> tuple[str, ...]:
        return ("channels",) if self.store.on("channels_required") else ()

    def _text(self, number: int) -> str:
        return customers.detail(*self.store.one("SELECT row, extra FROM customers WHERE id = ?", number))

    def _check_live(self, number: int, *, by_switch: bool) -> None:
        if not self.store.one("SELECT 1 FROM customers WHERE id = ? AND deleted IS NULL", number):
            self._gone(number, by_switch=by_switch)

    def _gone(self, number: int, *, by_switch: bool) -> None:
        moved = customers.moved(self.store, number)
        if moved is None or (by_switch and self.store.switch("merged_get") == 404):
            raise not_found()
        raise moved


def put_reply(store: Store, body: str) -> Reply:
    """The success of a PUT; clients must take any 2xx, an empty body included."""
    status = store.switch("put_status")
    if status == "202-empty":
        return Reply(202)
    return ok(body, status)


def _named(given: dict[str, object]) -> dict[str, object]:
    """A body whose name may come in two parts [switch name_parts_accepted]."""
    parts = [str(given.pop(part)) for part in ("firstname", "lastname") if given.get(part)]
    return {"name": " ".join(parts), **given} if parts else given


def _actor(request: Request) -> Actor:
    return Actor(request.caller.user_id)
