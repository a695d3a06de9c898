"""Customers and tags as they stand inside stored tickets and messages: one change there, all copies here."""

import json
from typing import Any

from sync_platform.sandbox.gorgias import shapes
from sync_platform.sandbox.gorgias.http import dump
from sync_platform.sandbox.gorgias.store import Actor, Store, stamp, unstamp


def us(text: str) -> int:
    """Microseconds of a shown time."""
    return unstamp(text)


def save_ticket(store: Store, row: dict[str, Any]) -> None:
    """Store a ticket's row with the columns that lists filter and order by."""
    owner = row["customer"]
    store.run(
        "UPDATE tickets SET updated = ?, customer_id = ?, external_id = ?, trashed = ?, row = ? WHERE id = ?",
        unstamp(row["updated_datetime"]), owner["id"] if owner else None, row["external_id"],
        int(row["trashed_datetime"] is not None), dump(row), row["id"],
    )  # fmt: skip


def show_customer(store: Store, owner: dict[str, Any], *, bump: bool) -> None:
    """A customer's new name or e-mail in its tickets and their messages."""
    _rewrite(store, owner["id"], shapes.compact(owner), bump=bump)


def move_customer(store: Store, source_id: int, target: dict[str, Any]) -> None:
    """Tickets and surveys of a merged customer go to the survivor."""
    _rewrite(store, source_id, shapes.compact(target), bump=store.on("merge_bumps_tickets"))
    for number, text in store.all("SELECT id, row FROM surveys WHERE customer_id = ? AND deleted IS NULL", source_id):
        row = {**json.loads(text), "customer_id": target["id"]}
        store.run("UPDATE surveys SET customer_id = ?, row = ? WHERE id = ?", target["id"], dump(row), number)


def customer_gone(store: Store, customer_id: int, actor: Actor) -> None:
    """Tickets of a deleted customer: without customer, as they were, or deleted too [not established: switch]."""
    fate = store.switch("deleted_customer_tickets")
    if fate == "keep":
        return
    for number, text in store.all(
        "SELECT id, row FROM tickets WHERE customer_id = ? AND deleted IS NULL ORDER BY id", customer_id
    ):
        if fate == "delete":
            remove_ticket(store, number, actor)
        else:
            save_ticket(store, {**json.loads(text), "customer": None})


def index(store: Store, path: str) -> None:
    """An index on a part of the tickets' rows: made when first asked for, so that who asks for none pays for none."""
    name = path.replace(".", "_")
    store.run(
        f"CREATE INDEX IF NOT EXISTS tickets_by_{name} ON tickets(json_extract(row, '$.{path}'), updated) "
        "WHERE deleted IS NULL"
    )


def assigned(store: Store, role: str, number: int) -> list[dict[str, Any]]:
    """The live tickets whose assignee_user or assignee_team has an id."""
    index(store, f"{role}.id")
    found = store.all(
        f"SELECT row FROM tickets WHERE json_extract(row, '$.{role}.id') = ? AND deleted IS NULL ORDER BY id",  # noqa: S608 - one of two roles
        number,
    )
    return [json.loads(text) for (text,) in found]


def unassign(store: Store, role: str, number: int, kind: str, actor: Actor) -> None:
    """Take a deleted user or team off its tickets."""
    for ticket in assigned(store, role, number):
        save_ticket(store, {**ticket, role: None, "updated_datetime": stamp(store.now())})
        store.event("ticket-updated", "Ticket", ticket["id"], actor.user_id)
        store.event(kind, "Ticket", ticket["id"], actor.user_id)


def remove_ticket(store: Store, ticket_id: int, actor: Actor) -> None:
    """Delete a ticket with its messages, tags and survey: not the trash, gone."""
    now = store.now()
    store.run("UPDATE tickets SET deleted = ? WHERE id = ?", now, ticket_id)
    store.run("UPDATE messages SET deleted = ? WHERE ticket_id = ? AND deleted IS NULL", now, ticket_id)
    store.run("UPDATE surveys SET deleted = ? WHERE ticket_id = ? AND deleted IS NULL", now, ticket_id)
    store.run(
        "UPDATE tags SET usage = usage - 1 WHERE id IN (SELECT tag_id FROM ticket_tags WHERE ticket_id = ?)", ticket_id
    )
    store.run("DELETE FROM ticket_tags WHERE ticket_id = ?", ticket_id)
    store.event("ticket-deleted", "Ticket", ticket_id, actor.user_id)


def show_tags(store: Store, ticket_id: int, *, bump: bool) -> dict[str, Any]:
    """Render a ticket's tags again; gives its row."""
    row: dict[str, Any] = json.loads(store.one("SELECT row FROM tickets WHERE id = ?", ticket_id)[0])
    found = store.all(
        "SELECT id, name, decoration FROM tags JOIN ticket_tags ON tag_id = id WHERE ticket_id = ? ORDER BY id",
        ticket_id,
    )
    row["tags"] = [
        {"id": number, "name": name, "decoration": json.loads(decoration) if decoration else None}
        for number, name, decoration in found
    ]
    if bump:
        row["updated_datetime"] = stamp(store.now())
    save_ticket(store, row)
    return row


def _rewrite(store: Store, customer_id: int, owner: dict[str, Any], *, bump: bool) -> None:
    """Put `owner` wherever the customer `customer_id` stands in its tickets and their messages."""
    for number, text in store.all("SELECT id, row FROM tickets WHERE customer_id = ? AND deleted IS NULL", customer_id):
        row = {**json.loads(text), "customer": owner}
        if bump:
            row["updated_datetime"] = stamp(store.now())
        save_ticket(store, row)
        for message_id, body in store.all(
            "SELECT id, row FROM messages WHERE ticket_id = ? AND deleted IS NULL", number
        ):
            message = json.loads(body)
            for role in ("sender", "receiver"):
                if message[role] and message[role]["id"] == customer_id:
                    message[role] = owner
            store.run("UPDATE messages SET row = ? WHERE id = ?", dump(message), message_id)
