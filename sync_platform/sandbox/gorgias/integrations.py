"""HTTP integrations: what an account calls when something happens. Here they are kept; `calling` calls.

Only the type `http` can be made [doc]. `http.hmac_secret` is write-only [doc]: it stands in a column of its own and in
no answer. An integration that a rule names can't be deleted: 409 [doc]; that a rule names one by its id in the code is
inferred. Re-enabling: PUT with deactivated_datetime null [doc].
"""

import re
from typing import Any

from sync_platform.sandbox.gorgias import fields, plain, rules
from sync_platform.sandbox.gorgias.customer_calls import put_reply
from sync_platform.sandbox.gorgias.fields import Invalid
from sync_platform.sandbox.gorgias.http import Reply, Request, Routes, dump, ok
from sync_platform.sandbox.gorgias.plain import shown
from sync_platform.sandbox.gorgias.store import Actor, Store, conflict, sorts, stamp

KIND = "integrations"
ORDERS = sorts("created")
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD")
DEPTH_MAX = 20  # of a form; rendering goes into each level
JSON_TYPE, FORM_TYPE = "application/json", "application/x-www-form-urlencoded"
TRIGGERS = (
    "ticket-created", "ticket-updated", "ticket-message-created", "ticket-self-unsnoozed", "ticket-message-failed",
    "ticket-assignment-updated", "ticket-status-updated", "ticket-handed-over",
)  # fmt: skip
# There is no trigger for customers [doc, and every client polls]; a switch adds them for those who want to try.
CUSTOMER_TRIGGERS = ("customer-created", "customer-updated")
_URL = fields.text(shortest=1, longest=2_000, null=False)
_COLUMNS = "secret TEXT, failures INTEGER NOT NULL DEFAULT 0, active INTEGER NOT NULL DEFAULT 1,"
_REQUIRED = ("name", "type", "http")
_FILTERS: dict[str, fields.Check] = {"type": fields.one_of(("http",))}


def prepare(store: Store) -> None:
    """The table; ids of integrations are keys of customers' data, so none is given twice."""
    plain.prepare(store, KIND, _COLUMNS)


def _url(value: Any) -> Any:
    found = _URL(value)
    if not re.match(r"(https?://[^/\s]|\{\{)", found):
        raise Invalid("Not a valid URL.")
    return found


@fields.described({"type": ["object", "string", "null"]})
def _form(value: Any) -> Any:
    """A dict of templates, a text, or null."""
    if (value is None or isinstance(value, dict | str)) and _depth(value) <= DEPTH_MAX:
        return value
    raise Invalid("Not a valid form.")


def _depth(value: Any) -> int:
    """How deeply a value is nested; stops counting beyond what is taken."""
    level, found = [value], 0
    while level and found <= DEPTH_MAX:
        inner = [entry for entry in level if isinstance(entry, dict | list)]
        level = [below for entry in inner for below in (entry.values() if isinstance(entry, dict) else entry)]
        found += bool(inner)
    return found


@fields.described({"type": ["object", "null"], "additionalProperties": {"type": "string"}})
def _headers(value: Any) -> Any:
    """Names and templates of values."""
    if value is None:
        return {}
    good = isinstance(value, dict) and all(
        isinstance(text, str) and re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,200}", name)
        for name, text in value.items()
    )
    if not good:
        raise Invalid("Not a valid mapping of headers.")
    return value


class IntegrationCalls:
    """Handlers of /api/integrations."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def register(self, routes: Routes) -> None:
        """Add the routes."""
        handlers = {
            "list": self.page, "create": self.create, "get": self.get, "update": self.change, "delete": self.delete,
        }  # fmt: skip
        new = fields.late(lambda: fields.nested(self._body(), required=_REQUIRED))
        given = fields.late(lambda: fields.nested(self._change()))
        told = plain.contracts("Integration", plain.asks(ORDERS, _FILTERS), new, given)
        plain.routes(routes, "integrations", "/api/integrations", "integration", handlers, told)

    def page(self, request: Request) -> Reply:
        """GET list; the filter `type` takes only `http` [seen in working clients]."""
        return plain.page(self.store, request, KIND, ORDERS, _FILTERS, lambda _wanted, _asked: None)

    def get(self, request: Request) -> Reply:
        """GET one."""
        return plain.one(self.store, request, KIND)

    def create(self, request: Request) -> Reply:
        """POST: 201. Method and content types have defaults [doc], so the address is all that http needs."""
        fields.no_query(request)
        given = fields.body(request, self._body(), _REQUIRED)
        if "url" not in given["http"]:
            raise request.invalid({"http": {"url": [fields.MISSING]}})
        with self.store.writing():
            number = create(self.store, given, plain.actor(request))
        return ok(dump(plain.read(self.store, KIND, number)), 201)

    def change(self, request: Request) -> Reply:
        """PUT: partial, also within `http`; headers and form replace."""
        fields.no_query(request)
        plain.read(self.store, KIND, request.ids[0])
        given = fields.body(request, self._change())
        with self.store.writing():
            change(self.store, request.ids[0], given, plain.actor(request))
        return put_reply(self.store, dump(plain.read(self.store, KIND, request.ids[0])))

    def delete(self, request: Request) -> Reply:
        """DELETE: 204, or 409 while a rule names it [doc]."""
        fields.no_query(request)
        number = request.ids[0]
        plain.read(self.store, KIND, number)
        if rules.names(self.store, number):
            raise conflict()
        with self.store.writing():
            plain.remove(self.store, KIND, number)
            self.store.event("integration-deleted", "Integration", number, request.caller.user_id)
        return Reply(204)

    def _change(self) -> dict[str, fields.Check]:
        return {**self._body(), "deactivated_datetime": fields.moment()}

    def _body(self) -> dict[str, fields.Check]:
        names = triggers(self.store)
        known = {name: fields.boolean() for name in names}
        if self.store.on("trigger_underscores"):
            known |= {name.replace("-", "_"): fields.boolean() for name in names}
        http = fields.nested(
            {
                "url": fields.described({"type": "string", "pattern": "^(https?://|\\{\\{)"})(_url),
                "method": fields.one_of(METHODS),
                "request_content_type": fields.one_of((JSON_TYPE, FORM_TYPE)),
                "response_content_type": fields.one_of((JSON_TYPE,)),
                "headers": _headers,
                "form": _form,
                "hmac_secret": fields.text(longest=1_000),
                "oauth2": fields.mapping,
                "triggers": fields.nested(known),
            }
        )
        return {
            "name": fields.text(shortest=1, longest=255, null=False),
            "type": fields.one_of(("http",)),
            "description": fields.text(longest=1_024),
            "http": http,
            "application_id": fields.text(),
            "managed": fields.boolean(),
            "business_hours_id": fields.integer(null=True),
        }


def triggers(store: Store) -> tuple[str, ...]:
    """The triggers that can be set."""
    return (*TRIGGERS, *CUSTOMER_TRIGGERS) if store.on("customer_triggers") else TRIGGERS


def create(store: Store, given: dict[str, Any], actor: Actor) -> int:
    """A new integration."""
    number, at = store.new_id(KIND), stamp(store.now())
    http: dict[str, Any] = {
        "id": number, "url": None, "method": "GET", "request_content_type": JSON_TYPE,
        "response_content_type": JSON_TYPE, "headers": {}, "form": None, "oauth2": None, "triggers": {},
    }  # fmt: skip
    row = {
        "id": number, "name": given["name"], "type": "http", "description": given.get("description"),
        "http": http, "application_id": given.get("application_id"), "managed": given.get("managed", False),
        "business_hours_id": given.get("business_hours_id"), "user": {"id": actor.user_id},
        "uri": f"/api/integrations/{number}/", "created_datetime": at, "updated_datetime": at,
        "deactivated_datetime": None,
    }  # fmt: skip
    plain.insert(store, KIND, row)
    _set_http(store, row, given["http"])
    plain.save(store, KIND, row)
    store.event("integration-created", "Integration", number, actor.user_id)
    return number


def change(store: Store, number: int, given: dict[str, Any], actor: Actor) -> None:
    """Set fields; a deactivated_datetime switches it off, null on again, with no failures counted."""
    row = plain.read(store, KIND, number)
    was_off = row["deactivated_datetime"] is not None
    for name in ("name", "description", "application_id", "managed", "business_hours_id"):
        if name in given:
            row[name] = given[name]
    _set_http(store, row, given.get("http") or {})
    if "deactivated_datetime" in given:
        row["deactivated_datetime"] = shown(given["deactivated_datetime"])
    is_off = row["deactivated_datetime"] is not None
    row["updated_datetime"] = stamp(store.now())
    plain.save(store, KIND, row, active=int(not is_off))
    if not is_off and (was_off or "deactivated_datetime" in given):
        store.run("UPDATE integrations SET failures = 0 WHERE id = ?", number)
    store.event("integration-updated", "Integration", number, actor.user_id)
    if was_off != is_off:
        kind = "integration-deactivated" if is_off else "integration-reactivated"
        store.event(kind, "Integration", number, actor.user_id)


def deactivate(store: Store, row: dict[str, Any], owner: str) -> None:
    """Switched off after too many failures, with a mail to the account [doc, older]."""
    at = stamp(store.now())
    row.update(deactivated_datetime=at, updated_datetime=at)
    plain.save(store, KIND, row, active=0)
    store.event("integration-deactivated", "Integration", row["id"], None)
    store.mail(
        {"at": at, "ticket_id": None, "to": [owner], "kind": "integration-deactivated", "message_id": None,
         "integration_id": row["id"], "by": "automatic"}
    )  # fmt: skip


def _set_http(store: Store, row: dict[str, Any], given: dict[str, Any]) -> None:
    """Take over the parts of `http` that were sent; named triggers change, the others stay."""
    http = row["http"]
    if "hmac_secret" in given:
        store.run("UPDATE integrations SET secret = ? WHERE id = ?", given["hmac_secret"], row["id"])
    for name, value in given.items():
        if name not in ("hmac_secret", "triggers"):
            http[name] = value
    wanted = {name.replace("_", "-"): value for name, value in (given.get("triggers") or {}).items()}
    names = (*triggers(store), *(name for name in http["triggers"] if name in CUSTOMER_TRIGGERS))
    http["triggers"] = {name: wanted.get(name, http["triggers"].get(name, False)) for name in dict.fromkeys(names)}
