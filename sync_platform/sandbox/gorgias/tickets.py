"""What happens to tickets: created, changed, tagged, trashed, closed; the same for API calls and for people."""

import json
from typing import Any

from sync_platform.sandbox.gorgias import custom_fields, customers, language, messages, shapes, surveys, tags, teams
from sync_platform.sandbox.gorgias.embedded import save_ticket, show_tags
from sync_platform.sandbox.gorgias.fields import Invalid
from sync_platform.sandbox.gorgias.http import dump, not_found
from sync_platform.sandbox.gorgias.store import Actor, Store, stamp, stamp_or_none, unstamp

PLAIN = ("external_id", "status", "priority", "channel", "via", "from_agent", "spam", "language", "subject", "meta")
TIMES = (
    "opened_datetime", "closed_datetime", "trashed_datetime", "snooze_datetime", "last_message_datetime",
    "last_received_message_datetime",
)  # fmt: skip


def read(store: Store, ticket_id: int) -> dict[str, Any]:
    """A live ticket's list row. Raises ApiError 404."""
    found = store.one("SELECT row FROM tickets WHERE id = ? AND deleted IS NULL", ticket_id)
    if found is None:
        raise not_found()
    return dict(json.loads(found[0]))


def detail(store: Store, row: dict[str, Any]) -> dict[str, Any]:
    """A ticket as GET shows it."""
    owner: dict[str, Any] | None = row["customer"]
    if owner:
        found = store.one("SELECT row, extra FROM customers WHERE id = ? AND deleted IS NULL", owner["id"])
        owner = shapes.in_ticket(json.loads(customers.detail(*found))) if found else owner
    shown = store.all(
        "SELECT row FROM messages WHERE ticket_id = ? AND deleted IS NULL ORDER BY created, id", row["id"]
    )
    return shapes.ticket_detail(
        row, owner, [json.loads(text) for (text,) in shown], surveys.of_ticket(store, row["id"])
    )


def create(store: Store, given: dict[str, Any], actor: Actor) -> int:
    """A new ticket with its 1 to 500 messages; without `customer` it is the first message's: the sender of an incoming
    one, the receiver of an outgoing one [inferred]. Only here may created_datetime lie in the past [doc]."""
    messages.quota(store)
    first = given["messages"][0]
    owner_id = _owner_id(store, given, first, actor)
    _check_messages(given["messages"])
    number, now = store.new_id("tickets"), store.now()
    created = given.get("created_datetime") or now - 1_000
    honoured = given.get("updated_datetime") if store.on("written_updated_honoured") else None
    updated = honoured or now
    start = {
        "channel": first["channel"], "from_agent": first["from_agent"], "subject": first.get("subject"),
        **{key: value for key, value in given.items() if value is not None or key == "subject"},
        "customer": shapes.compact(customers.read(store, owner_id)[0]) if owner_id is not None else None,
        "assignee_user": assignee(store, given.get("assignee_user")), "tags": [],
    }  # fmt: skip
    if start.get("language") is None and store.switch("ticket_language") == "detected":
        start["language"] = language.of(entry.get("body_text") or entry.get("body_html") for entry in given["messages"])
    if start.get("status") == "closed" and start.get("closed_datetime") is None:
        start["closed_datetime"] = now
    row = shapes.ticket(number, start, created, updated)
    row["assignee_team"] = teams.embed(store, given.get("assignee_team"))
    row["custom_fields"] = custom_fields.written(store, "Ticket", {}, given.get("custom_fields") or [])
    store.run(
        "INSERT INTO tickets VALUES (?, ?, ?, ?, ?, ?, ?, NULL)",
        number, created, updated, owner_id, row["external_id"], int(row["trashed_datetime"] is not None), dump(row),
    )  # fmt: skip
    store.event("ticket-created", "Ticket", number, actor.user_id)
    for entry in given["messages"]:
        messages.apply(store, row, messages.add(store, number, entry, actor), fresh=True)
    row.update({name: stamp(given[name]) for name in TIMES[4:] if given.get(name) is not None})
    if honoured is None:  # not before its last message [in all recorded tickets]
        row["updated_datetime"] = stamp(store.now())
    save_ticket(store, row)
    names = [entry["name"] for entry in given.get("tags") or []]
    if names:
        tags.put_on(store, number, tags.named(store, names, actor), actor, replace=True, bump=False)
    _created_marks(store, row, actor)
    return number


def change(store: Store, ticket_id: int, given: dict[str, Any], actor: Actor) -> None:
    """Set fields: partial for scalars; `tags` replaces all."""
    row = read(store, ticket_id)
    before = dict(row)
    row.update({key: given[key] for key in (*PLAIN, "is_unread") if key in given})
    row.update({key: stamp_or_none(given[key]) for key in TIMES if key in given})
    if "assignee_user" in given:
        row["assignee_user"] = assignee(store, given["assignee_user"])
    if "assignee_team" in given:
        row["assignee_team"] = teams.embed(store, given["assignee_team"])
    for key in ("custom_fields", "custom_values"):  # the list replaces by switch, `custom_values` is always partial
        if key in given:
            row["custom_fields"] = custom_fields.written(
                store, "Ticket", row["custom_fields"], given[key], partial=key == "custom_values"
            )
    if given.get("customer"):
        row["customer"] = shapes.compact(customers.read(store, customers.refer(store, given["customer"], actor))[0])
    now = store.now()
    if row["status"] != before["status"] and "closed_datetime" not in given:
        row["closed_datetime"] = stamp(now) if row["status"] == "closed" else None
    save_ticket(store, row)
    if "tags" in given:
        wanted = tags.named(store, [entry["name"] for entry in given["tags"] or []], actor)
        tags.put_on(store, ticket_id, wanted, actor, replace=True, bump=False)
        row["tags"] = show_tags(store, ticket_id, bump=False)["tags"]
    if row != before or store.on("unchanged_put_moves_updated"):
        honoured = given.get("updated_datetime") if store.on("written_updated_honoured") else None
        if not given.keys() <= {"custom_fields", "custom_values"} or store.on("custom_fields_move_updated"):
            row["updated_datetime"] = stamp(honoured or now)
        save_ticket(store, row)
        _events(store, before, row, actor)
    if row["status"] == "closed" and before["status"] != "closed":
        surveys.after_close(store, row, actor)


def assignee(store: Store, ref: dict[str, Any] | None) -> dict[str, Any] | None:
    """A user as a ticket embeds it; null or {id: null} unassigns. Raises Invalid for an unknown user."""
    if not ref or ref.get("id") is None:
        return None
    found = store.one("SELECT row FROM users WHERE id = ? AND deleted IS NULL", ref["id"])
    if found is None:
        raise Invalid({"assignee_user": {"id": ["User does not exist."]}})
    user = json.loads(found[0])
    return {**shapes.compact(user), "bio": user["bio"]}


def _owner_id(store: Store, given: dict[str, Any], first: dict[str, Any], actor: Actor) -> int | None:
    if given.get("customer"):
        return customers.refer(store, given["customer"], actor)
    end = first.get("receiver") if first["from_agent"] else first.get("sender")
    return customers.refer(store, end, actor) if end else None


def _check_messages(given: list[dict[str, Any]]) -> None:
    """Check every message; the messages of bad ones are keyed by index."""
    bad: dict[str, Any] = {}
    for index, entry in enumerate(given):
        try:
            messages.check(entry)
        except Invalid as error:
            bad[str(index)] = error.messages
    if bad:
        raise Invalid({"messages": bad})


def _created_marks(store: Store, row: dict[str, Any], actor: Actor) -> None:
    """What a new ticket sets off beside itself."""
    if row["customer"] and store.on("ticket_bumps_customer"):
        owner, extra = customers.read(store, row["customer"]["id"])
        owner["updated_datetime"] = stamp(store.now())
        customers.save(store, owner, extra["integrations"])
    for name, kind in _MARKS.items():
        if row[name]:
            store.event(kind, "Ticket", row["id"], actor.user_id)
    if row["snooze_datetime"] and unstamp(row["snooze_datetime"]) > store.now():  # an import's may be over: it stays
        store.snoozed(row["id"], unstamp(row["snooze_datetime"]))
    if row["status"] == "closed":
        store.event("ticket-closed", "Ticket", row["id"], actor.user_id)
        if store.on("survey_when_created_closed"):
            surveys.after_close(store, row, actor)


_MARKS = {
    "assignee_user": "ticket-assigned",
    "assignee_team": "ticket-team-assigned",
    "spam": "ticket-marked-spam",
    "trashed_datetime": "ticket-trashed",
    "snooze_datetime": "ticket-snoozed",
}


def _id(embedded: dict[str, Any] | None) -> int | None:
    return embedded["id"] if embedded else None


def _events(store: Store, before: dict[str, Any], row: dict[str, Any], actor: Actor) -> None:
    """One event for each kind of change, and ticket-updated."""

    def tell(kind: str, data: dict[str, Any] | None = None) -> None:
        store.event(kind, "Ticket", row["id"], actor.user_id, data)

    tell("ticket-updated")
    if before["status"] != row["status"]:
        tell("ticket-closed" if row["status"] == "closed" else "ticket-reopened")
    if bool(before["trashed_datetime"]) != bool(row["trashed_datetime"]):
        tell("ticket-trashed" if row["trashed_datetime"] else "ticket-untrashed")
    if before["spam"] != row["spam"]:
        tell("ticket-marked-spam" if row["spam"] else "ticket-unmarked-spam")
    if row["snooze_datetime"] and before["snooze_datetime"] != row["snooze_datetime"]:
        tell("ticket-snoozed")
        store.snoozed(row["id"], unstamp(row["snooze_datetime"]))
    if before["subject"] != row["subject"]:
        tell("ticket-subject-updated", {"old_subject": before["subject"], "new_subject": row["subject"]})
    if _id(before["assignee_user"]) != _id(row["assignee_user"]):
        ends = {"old_assignee_user_id": _id(before["assignee_user"]), "new_assignee_user_id": _id(row["assignee_user"])}
        tell("ticket-assigned" if row["assignee_user"] else "ticket-unassigned", ends)
    if _id(before["assignee_team"]) != _id(row["assignee_team"]):
        tell("ticket-team-assigned" if row["assignee_team"] else "ticket-team-unassigned")
    old, new = before["customer"], row["customer"]
    if (old or {}).get("id") != (new or {}).get("id"):
        tell("ticket-customer-updated", {"old_customer": old, "new_customer": new})
