"""Messages of tickets: who may send and receive, what is mailed to a customer, and what a message does to its ticket.

Rules enforced since 9 February 2023 [doc]: public outgoing: sender an existing user, receiver a customer if given;
public incoming: sender a customer, no receiver; internal note: sender a user, no receiver. A missing sender of an
outgoing message is the bot user. An outgoing public message without sent_datetime is really sent [doc].
"""

import json
from typing import Any

from sync_platform.sandbox.gorgias import customers, shapes
from sync_platform.sandbox.gorgias.embedded import save_ticket
from sync_platform.sandbox.gorgias.fields import MISSING, Invalid
from sync_platform.sandbox.gorgias.http import ApiError, dump, not_found
from sync_platform.sandbox.gorgias.store import Actor, Store, stamp, unstamp

EXCERPT = 200


def read(store: Store, ticket_id: int, message_id: int) -> dict[str, Any]:
    """A live message. Raises ApiError 404."""
    found = store.one(
        "SELECT row FROM messages WHERE id = ? AND ticket_id = ? AND deleted IS NULL", message_id, ticket_id
    )
    if found is None:
        raise not_found()
    return dict(json.loads(found[0]))


def check(given: dict[str, Any]) -> None:
    """The rules that need no look-up; sets `public`. Raises Invalid."""
    note = given["channel"] == "internal-note"
    public = given.setdefault("public", not note)
    bad: dict[str, Any] = {}
    if note and public:
        bad["public"] = ["An internal note is not public."]
    if (note or not public) and not given["from_agent"]:
        bad["from_agent"] = ["An internal note comes from an agent."]
    if given.get("receiver") and (not given["from_agent"] or not public):
        bad["receiver"] = ["Must not be set."]
    if not given["from_agent"] and not given.get("sender"):
        bad["sender"] = [MISSING]
    if given["channel"] == "email":
        envelope = given.get("source") or {}
        if not envelope.get("from") or not envelope.get("to"):
            bad["source"] = [MISSING]
    if bad:
        raise Invalid(bad)


def quota(store: Store) -> None:
    """403 when the account's message allowance is used up [recorded on POST tickets]."""
    if store.switch("messaging_quota") == "exceeded":
        raise ApiError(403, "Messaging quota exceeded")


def add(store: Store, ticket_id: int, given: dict[str, Any], actor: Actor, *, cancel: bool = False) -> dict[str, Any]:
    """Store a message that passed `check`, send it when it is to be sent; the ticket's row is the caller's part."""
    number, now = store.new_id("messages"), store.now()
    created = given.get("created_datetime") or now
    owner = _owner(store, ticket_id)
    sender, receiver = _ends(store, given, owner, actor)
    outgoing = given["from_agent"] and given["public"]
    sent = given.get("sent_datetime")
    if sent is None and not given["from_agent"]:
        sent = created  # recorded: an incoming message came back with both times equal
    row = shapes.message(
        number, ticket_id, {**given, "sender": sender, "receiver": receiver, "sent_datetime": sent}, created
    )
    store.run("INSERT INTO messages VALUES (?, ?, ?, ?, NULL)", number, created, ticket_id, dump(row))
    store.event("ticket-message-created", "TicketMessage", number, actor.user_id)
    if row["failed_datetime"]:
        store.event("ticket-message-failed", "TicketMessage", number, actor.user_id)
    if outgoing and sent is None and given.get("failed_datetime") is None and not cancel:
        _send(store, row, receiver if given.get("receiver") else owner, actor)
    return row


def _send(store: Store, row: dict[str, Any], owner: dict[str, Any] | None, actor: Actor) -> None:
    """To the outbox at the commit; `sent_datetime` is null first, as sending is asynchronous [doc]."""
    addressed = [entry.get("address") for entry in (row["source"].get("to") or []) if isinstance(entry, dict)]
    known = (owner or {}).get("email")
    to = [address for address in addressed if address] or ([known] if known else [])
    store.mail(
        {"at": stamp(store.now()), "ticket_id": row["ticket_id"], "to": to, "kind": "message", "message_id": row["id"],
         "by": actor.by}
    )  # fmt: skip
    store.unsent.append(row["id"])


def settle(store: Store) -> None:
    """Give the messages that were sent meanwhile their sent_datetime, or their failure [switch message_sending]."""
    wait, now = store.switch("message_send_s") * 1_000_000, store.now()
    early, due = [], []
    for number in store.unsent:
        found = store.one("SELECT created, row FROM messages WHERE id = ?", number)
        if found and found[0] + wait > now and wait:
            early.append(number)
        elif found:
            due.append((found[0] + wait if wait else now, json.loads(found[1])))
    store.unsent = early
    if due:
        with store.writing():
            for at, row in due:
                _sent(store, row, at)


def _sent(store: Store, row: dict[str, Any], at: int) -> None:
    if store.switch("message_sending") == "fails":
        row.update(failed_datetime=stamp(at), last_sending_error={"error": "The message could not be delivered."})
        store.event("ticket-message-failed", "TicketMessage", row["id"], None)
    else:
        row["sent_datetime"] = stamp(at)
    store.run("UPDATE messages SET row = ? WHERE id = ?", dump(row), row["id"])


def apply(store: Store, ticket: dict[str, Any], message: dict[str, Any], *, fresh: bool = False) -> None:
    """What a new message does to its ticket's row; `fresh`: the ticket is being created with it."""
    at = unstamp(message["created_datetime"])
    ticket["messages_count"] += 1
    incoming = message["public"] and not message["from_agent"]
    last = ticket["last_message_datetime"]
    if last is None or at >= unstamp(last):
        ticket["last_message_datetime"] = message["created_datetime"]
        ticket["excerpt"] = (message["body_text"] or "")[:EXCERPT]
    received = ticket["last_received_message_datetime"]
    if incoming and (received is None or at >= unstamp(received)):
        ticket["last_received_message_datetime"] = message["created_datetime"]
    if incoming and not fresh:
        ticket["is_unread"] = True
        if ticket["status"] == "closed" and store.on("incoming_reopens"):
            ticket["status"], ticket["closed_datetime"] = "open", None
            store.event("ticket-reopened", "Ticket", ticket["id"], None)


def recount(store: Store, ticket: dict[str, Any]) -> None:
    """Count and last times anew after a message changed or went."""
    rows = [
        json.loads(text)
        for (text,) in store.all(
            "SELECT row FROM messages WHERE ticket_id = ? AND deleted IS NULL ORDER BY created, id", ticket["id"]
        )
    ]
    received = [row for row in rows if row["public"] and not row["from_agent"]]
    ticket["messages_count"] = len(rows)
    ticket["excerpt"] = (rows[-1]["body_text"] or "")[:EXCERPT] if rows else ""
    ticket["last_message_datetime"] = rows[-1]["created_datetime"] if rows else None
    ticket["last_received_message_datetime"] = received[-1]["created_datetime"] if received else None
    ticket["updated_datetime"] = stamp(store.now())
    save_ticket(store, ticket)


def change(
    store: Store, ticket: dict[str, Any], message_id: int, given: dict[str, Any], actor: Actor
) -> dict[str, Any]:
    """Change a message; a new body_text does not refresh body_html [seen in a working client]."""
    row = read(store, ticket["id"], message_id)
    given.setdefault("public", row["public"])
    if not given["from_agent"]:
        given.setdefault("sender", row["sender"])
    given.setdefault("source", row["source"])
    check(given)
    sender, receiver = _ends(store, {**_kept_ends(store, row, given), **given}, _owner(store, ticket["id"]), actor)
    times = ("created_datetime", "sent_datetime", "failed_datetime", "opened_datetime")
    failed_before = row["failed_datetime"]
    for name, value in given.items():
        if value is None and name in ("created_datetime", "source"):
            continue  # both are always there
        if name in times:
            row[name] = stamp(value) if value is not None else None
        elif name == "attachments":
            row[name] = shapes.attachments(value)
        elif name not in ("sender", "receiver"):
            row[name] = value
    row.update(sender=sender, receiver=receiver)
    store.run(
        "UPDATE messages SET created = ?, row = ? WHERE id = ?", unstamp(row["created_datetime"]), dump(row), message_id
    )
    store.event("ticket-message-updated", "TicketMessage", message_id, actor.user_id)
    if row["failed_datetime"] and not failed_before:
        store.event("ticket-message-failed", "TicketMessage", message_id, actor.user_id)
    recount(store, ticket)
    return row


def delete(store: Store, ticket: dict[str, Any], message_id: int, actor: Actor) -> None:
    """Remove a message."""
    read(store, ticket["id"], message_id)
    store.run("UPDATE messages SET deleted = ? WHERE id = ?", store.now(), message_id)
    store.event("ticket-message-deleted", "TicketMessage", message_id, actor.user_id)
    recount(store, ticket)


def _kept_ends(store: Store, row: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Sender and receiver that a change does not name, when they still fit its direction."""
    if given["from_agent"] != row["from_agent"]:
        return {}
    kept = {role: {"id": row[role]["id"]} for role in ("sender", "receiver") if row[role]}
    if "receiver" in kept and not store.one("SELECT 1 FROM customers WHERE id = ?", kept["receiver"]["id"]):
        del kept["receiver"]  # the bot, which no body names
    return kept


def _owner(store: Store, ticket_id: int) -> dict[str, Any] | None:
    found = store.one("SELECT row FROM tickets WHERE id = ?", ticket_id)
    owner = json.loads(found[0])["customer"] if found else None
    return dict(owner) if owner else None


def _ends(
    store: Store, given: dict[str, Any], owner: dict[str, Any] | None, actor: Actor
) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    if not given["from_agent"]:
        return _customer(store, given["sender"], actor), None
    sender = staff(store, given.get("sender"))
    if given.get("receiver"):
        return sender, _customer(store, given["receiver"], actor)
    if not given["public"]:
        return sender, None
    return sender, staff(store, None) if store.switch("missing_receiver") == "bot" else owner


def _customer(store: Store, ref: dict[str, Any], actor: Actor) -> dict[str, Any]:
    ref = {"id": ref["id"]} if ref.get("id") is not None else ref
    return shapes.compact(customers.read(store, customers.refer(store, ref, actor))[0])


def staff(store: Store, ref: dict[str, Any] | None) -> dict[str, Any]:
    """The user whom a nested object means, the bot when there is none. Raises Invalid for an unknown one."""
    if not ref:
        found = store.one("SELECT row FROM users WHERE role = 'bot' AND deleted IS NULL ORDER BY id")
    elif ref.get("id") is not None:
        found = store.one("SELECT row FROM users WHERE id = ? AND deleted IS NULL", ref["id"])
    else:
        found = store.one("SELECT row FROM users WHERE email = ? AND deleted IS NULL", ref.get("email"))
    if found is None:
        raise Invalid({"sender": ["Must be an existing user."]})
    return shapes.compact(json.loads(found[0]))
