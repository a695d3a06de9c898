"""The HTTP calls on /api/tickets and /api/messages."""

# ruff: noqa: S608 - statements are put together from this package's own table and column names; values are bound

from sync_platform.sandbox.gorgias import fields, messages, plain, tags, tickets, views
from sync_platform.sandbox.gorgias.custom_fields import VALUES, pruned
from sync_platform.sandbox.gorgias.customer_calls import ONE, channel, put_reply
from sync_platform.sandbox.gorgias.embedded import remove_ticket, save_ticket
from sync_platform.sandbox.gorgias.http import Contract, Reply, Request, Routes, add, dump, not_found, ok
from sync_platform.sandbox.gorgias.store import PAGING, Actor, Store, envelope, paging, short_list, sorts, stamp
from sync_platform.sandbox.gorgias.unserved import absent

ORDERS = sorts("created", "updated")
MESSAGE_ORDERS = sorts("created")
STATUSES = ("open", "closed")
PRIORITIES = ("critical", "high", "normal", "low")

_CUSTOMER = fields.nested(
    {
        "id": fields.integer(null=True),
        "email": fields.email(),
        "name": fields.text(),
        "external_id": fields.text(),
        "language": fields.one_of(fields.LANGUAGES, null=True),
        "timezone": fields.timezone,
        "channels": fields.many(channel),
    },
    null=True,
)
_END = fields.nested({"id": fields.integer(null=True), "email": fields.email(), "name": fields.text()}, null=True)
_ADDRESS = fields.nested({"name": fields.text(), "address": fields.text(longest=320)}, null=True)
_SOURCE = fields.nested(
    {
        "type": fields.text(),
        "from": _ADDRESS,
        "to": fields.many(_ADDRESS, null=True),
        "cc": fields.many(_ADDRESS, null=True),
        "bcc": fields.many(_ADDRESS, null=True),
        "extra": fields.mapping,
    },
    null=True,
)
_ATTACHMENT = fields.nested(
    {
        "url": fields.text(null=False),
        "name": fields.text(),
        "size": fields.integer(null=True),
        "content_type": fields.text(),
        "public": fields.boolean(),
    },
    required=("url",),
)
MESSAGE: dict[str, fields.Check] = {
    "channel": fields.slug_or(fields.CHANNELS),
    "via": fields.slug_or(fields.VIAS),
    "from_agent": fields.boolean(),
    "public": fields.boolean(),
    "sender": _END,
    "receiver": _END,
    "source": _SOURCE,
    "subject": fields.text(longest=998),
    "body_text": fields.text(),
    "body_html": fields.text(),
    "external_id": fields.text(longest=255),
    "message_id": fields.text(),
    "integration_id": fields.integer(null=True),
    "rule_id": fields.integer(null=True),
    "attachments": fields.many(_ATTACHMENT, null=True),
    "actions": fields.many(fields.anything, null=True),
    "headers": fields.mapping,
    "meta": fields.mapping,
    "last_sending_error": fields.mapping,
    "created_datetime": fields.moment(),
    "sent_datetime": fields.moment(),
    "failed_datetime": fields.moment(),
    "opened_datetime": fields.moment(),
}
MESSAGE_REQUIRED = ("channel", "via", "from_agent")
CHANGE: dict[str, fields.Check] = {
    "external_id": fields.text(longest=255),
    "status": fields.one_of(STATUSES),
    "priority": fields.one_of(PRIORITIES),
    "channel": fields.slug_or(fields.CHANNELS),
    "via": fields.slug_or(fields.VIAS),
    "from_agent": fields.boolean(),
    "spam": fields.boolean(),
    "customer": _CUSTOMER,
    "assignee_user": fields.nested({"id": fields.integer(null=True)}, null=True),
    "assignee_team": fields.nested({"id": fields.integer(null=True)}, null=True),
    "language": fields.one_of(fields.LANGUAGES, null=True),
    "subject": fields.text(longest=998),
    "meta": fields.mapping,
    "tags": fields.many(
        fields.nested({"name": fields.text(shortest=1, longest=256, null=False)}, required=("name",)), null=True
    ),
    "custom_fields": VALUES,
    "is_unread": fields.boolean(),
    **{name: fields.moment() for name in tickets.TIMES},
    # In the write schemas [doc]; whether it has an effect is a switch.
    "updated_datetime": fields.moment(),
}
CREATE: dict[str, fields.Check] = {
    **{name: check for name, check in CHANGE.items() if name != "is_unread"},
    "imported": fields.boolean(),
    "created_datetime": fields.moment(),
    "messages": fields.many(fields.nested(MESSAGE, required=MESSAGE_REQUIRED), shortest=1, longest=500),
}
LIST: dict[str, fields.Check] = {
    **paging(ORDERS),
    "customer_id": fields.integer(),
    "external_id": fields.text(),
    "view_id": fields.integer(),
    "rule_id": fields.integer(),
    "ticket_ids": fields.many(fields.integer(), shortest=1, longest=100),
    "trashed": fields.boolean(),
}
_TAG_BODY: dict[str, fields.Check] = {
    "ids": fields.many(fields.integer()),
    "names": fields.many(fields.text(shortest=1, longest=256, null=False)),
}
_RULED = "id IN (SELECT object_id FROM events WHERE type = 'rule-executed' AND json_extract(row, '$.data.id') = ?)"
_ACTION: dict[str, fields.Check] = {"action": fields.one_of(("force", "retry", "cancel"))}
MESSAGES: dict[str, fields.Check] = {**paging(MESSAGE_ORDERS), "ticket_id": fields.integer()}


class TicketCalls:
    """Handlers of the tickets' and messages' routes."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def register(self, routes: Routes) -> None:
        """Add the routes."""
        one, theirs = "/api/tickets/{id}", "/api/tickets/{id}/messages"
        new = fields.late(lambda: fields.nested(CREATE, required=self._required()))
        tags = fields.nested(_TAG_BODY)
        message = fields.nested(MESSAGE, required=MESSAGE_REQUIRED)
        put = Contract({200: "Ticket", 202: None}, body=fields.nested(CHANGE), errors=(409,))
        gone = Contract({200: None, 204: None})
        for method, path, handler, verb, contract in (
            ("GET", "/api/tickets", self.page, "list tickets", Contract({200: "TicketPage"}, LIST)),
            ("POST", "/api/tickets", self.create, "create ticket", Contract({201: "Ticket"}, body=new, errors=(409,))),
            ("GET", one, self.get, "get ticket", Contract({200: "Ticket"}, ONE)),
            ("PUT", one, self.change, "update ticket", put),
            ("DELETE", one, self.delete, "delete ticket", Contract({204: None})),
            ("GET", f"{one}/tags", self.tags, "list ticket tags", Contract({200: "TagSet"})),
            ("POST", f"{one}/tags", self.add_tags, "add ticket tags", Contract({201: None}, body=tags)),
            ("PUT", f"{one}/tags", self.set_tags, "set ticket tags", Contract({202: None}, body=tags)),
            ("DELETE", f"{one}/tags", self.remove_tags, "remove ticket tags", Contract({204: None}, body=tags)),
            ("GET", "/api/messages", self.all_messages, "list messages", Contract({200: "MessagePage"}, MESSAGES)),
            # Not documented, and not described: two clients assume it [switch message_by_id].
            ("GET", "/api/messages/{id}", self.message_by_id, "get message", Contract({})),
            ("GET", theirs, self.messages, "list messages", Contract({200: "MessagePage"}, PAGING)),
            (
                "POST", theirs, self.add_message, "create message",
                Contract({201: "Message"}, _ACTION, body=message, errors=(409,)),
            ),
            ("GET", theirs + "/{id}", self.get_message, "get message", Contract({200: "Message"})),
            (
                "PUT", theirs + "/{id}", self.change_message, "update message",
                Contract({202: "Message"}, _ACTION, body=message, errors=(409,)),
            ),
            ("DELETE", theirs + "/{id}", self.delete_message, "delete message", gone),
        ):  # fmt: skip
            add(routes, method, path, handler, scope="tickets", failure=f"Failed to {verb}", contract=contract)

    def page(self, request: Request) -> Reply:
        """GET list: compact rows; trashed tickets are in unless trashed=false [doc], spam always (a flag)."""
        asked = fields.query(request, LIST, repeated=("ticket_ids",))
        wanted = self.store.listing("tickets", ORDERS, asked)
        if asked.get("view_id") is not None:
            condition, values = views.of_view(self.store, asked["view_id"], "ticket", request.caller.user_id)
            wanted.add(condition, *values)
        if asked.get("rule_id") is not None:  # those that the rule was executed on [inferred]
            plain.read(self.store, "rules", asked["rule_id"])
            wanted.add(_RULED, asked["rule_id"])
        for name in ("customer_id", "external_id"):
            if asked.get(name) is not None:
                wanted.add(f"{name} = ?", asked[name])
        if "ticket_ids" in asked:
            wanted.add(f"id IN ({', '.join('?' * len(asked['ticket_ids']))})", *asked["ticket_ids"])
        if asked.get("trashed") is False:
            wanted.add("trashed = 0")
        page = self.store.page(request, wanted, ("row",))
        if self.store.switch("custom_fields_shown") != "always":
            page.rows = [(pruned(self.store, text, asked=False, listed=True),) for (text,) in page.rows]
        return ok(envelope(request, page, total=True))

    def create(self, request: Request) -> Reply:
        """POST: 201 with the whole ticket."""
        fields.no_query(request)
        given = fields.body(request, CREATE, self._required())
        with self.store.writing():
            number = tickets.create(self.store, given, _actor(request))
        return ok(self._text(number), 201)

    def _required(self) -> tuple[str, ...]:
        return ("messages", "via") if self.store.on("ticket_via_required") else ("messages",)

    def get(self, request: Request) -> Reply:
        """GET one, with customer and messages."""
        asked = fields.query(request, ONE)
        text = self._text(request.ids[0])
        if self.store.switch("custom_fields_shown") == "asked":
            text = pruned(self.store, text, asked="relationships" in asked, listed=False)
        return ok(text)

    def change(self, request: Request) -> Reply:
        """PUT: partial; tags replace; trashed_datetime moves to the trash and null brings back."""
        fields.no_query(request)
        tickets.read(self.store, request.ids[0])
        given = fields.body(request, CHANGE)
        with self.store.writing():
            tickets.change(self.store, request.ids[0], given, _actor(request))
        return put_reply(self.store, self._text(request.ids[0]))

    def delete(self, request: Request) -> Reply:
        """DELETE: 204; a hard delete with messages and tags, not the trash."""
        fields.no_query(request)
        tickets.read(self.store, request.ids[0])
        with self.store.writing():
            remove_ticket(self.store, request.ids[0], _actor(request))
        return Reply(204)

    def tags(self, request: Request) -> Reply:
        """GET tags of a ticket: {"data": […]}, not paged [recorded]."""
        fields.no_query(request)
        tickets.read(self.store, request.ids[0])
        found = self.store.all(
            f"SELECT {', '.join(tags.COLUMNS)} FROM tags JOIN ticket_tags ON tag_id = id "
            "WHERE ticket_id = ? ORDER BY id",
            request.ids[0],
        )
        return ok(short_list(self.store, [tags.show(row) for row in found]))

    def add_tags(self, request: Request) -> Reply:
        """POST tags: adds; 201 without a body."""
        wanted = self._wanted_tags(request)
        with self.store.writing():
            tags.put_on(self.store, request.ids[0], wanted, _actor(request), replace=False)
        return Reply(201)

    def set_tags(self, request: Request) -> Reply:
        """PUT tags: replaces, {} clears; 202 without a body [doc]."""
        wanted = self._wanted_tags(request)
        with self.store.writing():
            tags.put_on(self.store, request.ids[0], wanted, _actor(request), replace=True)
        return Reply(202)

    def remove_tags(self, request: Request) -> Reply:
        """DELETE tags: 204."""
        wanted = self._wanted_tags(request)
        with self.store.writing():
            tags.take_off(self.store, request.ids[0], wanted, _actor(request))
        return Reply(204)

    def _wanted_tags(self, request: Request) -> list[int]:
        fields.no_query(request)
        tickets.read(self.store, request.ids[0])
        return tags.existing(self.store, fields.body(request, _TAG_BODY))

    def all_messages(self, request: Request) -> Reply:
        """GET /messages, by ticket_id or all."""
        asked = fields.query(request, MESSAGES)
        wanted = self.store.listing("messages", MESSAGE_ORDERS, asked)
        if asked.get("ticket_id") is not None:
            wanted.add("ticket_id = ?", asked["ticket_id"])
        return ok(envelope(request, self.store.page(request, wanted, ("row",)), total=True))

    def messages(self, request: Request) -> Reply:
        """GET messages of a ticket (deprecated in favour of /messages); oldest first [inferred]."""
        asked = fields.query(request, PAGING)
        tickets.read(self.store, request.ids[0])
        wanted = self.store.listing("messages", MESSAGE_ORDERS, asked, fallback="created_datetime:asc")
        wanted.add("ticket_id = ?", request.ids[0])
        return ok(envelope(request, self.store.page(request, wanted, ("row",)), total=True))

    def get_message(self, request: Request) -> Reply:
        """GET one message."""
        fields.no_query(request)
        tickets.read(self.store, request.ids[0])
        return ok(dump(messages.read(self.store, request.ids[0], request.ids[1])))

    def message_by_id(self, request: Request) -> Reply:
        """GET one message without its ticket, by switch."""
        fields.no_query(request)
        if not self.store.on("message_by_id"):
            raise absent(self.store, request.method, request.path)
        found = self.store.one("SELECT row FROM messages WHERE id = ? AND deleted IS NULL", request.ids[0])
        if found is None:
            raise not_found()
        return ok(found[0])

    def add_message(self, request: Request) -> Reply:
        """POST: 201 with the message; it is sent later, so sent_datetime may be null."""
        asked = fields.query(request, _ACTION)
        row = tickets.read(self.store, request.ids[0])
        sent = request.json()
        incoming = isinstance(sent, dict) and sent.get("from_agent") is not True
        # A missing sender is named beside a missing channel [the documentation's own example, 2020].
        given = fields.body(request, MESSAGE, (*MESSAGE_REQUIRED, *(("sender",) if incoming else ())))
        actor = _actor(request)
        with self.store.writing():
            messages.quota(self.store)
            messages.check(given)
            made = messages.add(self.store, row["id"], given, actor, cancel=asked.get("action") == "cancel")
            row = tickets.read(self.store, row["id"])  # an unknown sender may have changed what the ticket embeds
            messages.apply(self.store, row, made)
            row["updated_datetime"] = stamp(self.store.now())
            save_ticket(self.store, row)
        return ok(dump(made), 201)

    def change_message(self, request: Request) -> Reply:
        """PUT: channel, from_agent and via are required; 202 with the message."""
        fields.query(request, _ACTION)
        row = tickets.read(self.store, request.ids[0])
        messages.read(self.store, row["id"], request.ids[1])
        given = fields.body(request, MESSAGE, MESSAGE_REQUIRED)
        with self.store.writing():
            made = messages.change(self.store, row, request.ids[1], given, _actor(request))
        return ok(dump(made), 202)

    def delete_message(self, request: Request) -> Reply:
        """DELETE: 200 or 204, not established [switch delete_message_status]."""
        fields.no_query(request)
        row = tickets.read(self.store, request.ids[0])
        with self.store.writing():
            messages.delete(self.store, row, request.ids[1], _actor(request))
        return Reply(self.store.switch("delete_message_status"))

    def _text(self, number: int) -> str:
        return dump(tickets.detail(self.store, tickets.read(self.store, number)))


def _actor(request: Request) -> Actor:
    return Actor(request.caller.user_id)
