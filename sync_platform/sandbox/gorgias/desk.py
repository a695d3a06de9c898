"""What a person does in Gorgias's own UI, and the look at the whole store: the control port's side of the twin."""

# ruff: noqa: S608 - statements are put together from this package's own table and column names; values are bound

import json
from typing import Any

from sync_platform.sandbox.gorgias import customers, fields, messages, surveys, tags, teams, tickets, views
from sync_platform.sandbox.gorgias import desk_account as account
from sync_platform.sandbox.gorgias.customer_calls import channel
from sync_platform.sandbox.gorgias.embedded import remove_ticket, save_ticket
from sync_platform.sandbox.gorgias.http import not_found
from sync_platform.sandbox.gorgias.seed import SUPPORT
from sync_platform.sandbox.gorgias.store import Actor, Store, stamp
from sync_platform.sandbox.gorgias.ticket_calls import PRIORITIES, STATUSES

_STRINGS = fields.many(fields.text(shortest=1, longest=320, null=False))
_CUSTOMER: dict[str, fields.Check] = {
    "name": fields.text(),
    "email": fields.email(),
    "phone": fields.text(longest=320),
    "emails": fields.many(fields.email(null=False)),
    "phones": _STRINGS,
    "channels": fields.many(channel),
    "external_id": fields.text(),
    "language": fields.one_of(fields.LANGUAGES, null=True),
    "timezone": fields.timezone,
    "note": fields.text(),
    "data": fields.anything,
    "meta": fields.mapping,
    "integrations": fields.mapping,
    "custom_fields": fields.mapping,
}
_TICKET: dict[str, fields.Check] = {
    "subject": fields.text(longest=998),
    "status": fields.one_of(STATUSES),
    "priority": fields.one_of(PRIORITIES),
    "assignee": fields.anything,
    "team": fields.anything,
    "custom_fields": fields.mapping,
    "tags": fields.many(fields.text(shortest=1, longest=256, null=False)),
    "customer_id": fields.integer(null=True),
    "trashed": fields.boolean(),
    "spam": fields.boolean(),
    "channel": fields.slug_or(fields.CHANNELS),
    "external_id": fields.text(longest=255),
    "snooze_datetime": fields.moment(),
    "meta": fields.mapping,
}
_NEW_TICKET: dict[str, fields.Check] = {
    **_TICKET,
    "text": fields.text(),
    "html": fields.text(),
    "from_agent": fields.boolean(),
}
_MESSAGE: dict[str, fields.Check] = {
    "ticket_id": fields.integer(),
    "text": fields.text(),
    "html": fields.text(),
    "from_agent": fields.boolean(),
    "public": fields.boolean(),
}
_TAG: dict[str, fields.Check] = {
    "name": fields.text(shortest=1, longest=256, null=False),
    "description": fields.text(longest=1_024),
    "decoration": fields.mapping,
}
_SURVEY: dict[str, fields.Check] = {
    "ticket_id": fields.integer(),
    "score": fields.integer(low=1, high=5, null=True),
    "body_text": fields.text(longest=1_000),
}


def person(store: Store, by: str, owner_id: int | None) -> Actor:
    """The user behind `by`: an agent's e-mail, or the account's owner for "person"."""
    found = store.one("SELECT id FROM users WHERE email = ? AND deleted IS NULL", by)
    return Actor(found[0] if found else owner_id, by or "person")


def state(store: Store, kind: str, after: str | None, limit: int) -> tuple[list[dict[str, Any]], str | None]:
    """A part of the store by ascending id. Raises ValueError for a bad `after` or `limit`."""
    if after is not None and not (after.isascii() and after.isdigit()):
        raise ValueError("after must be an id")
    if not 1 <= limit <= 100_000:
        raise ValueError("limit must be from 1 to 100000")
    found = store.all(f"SELECT id FROM {kind} WHERE id > ? ORDER BY id LIMIT ?", int(after or -1), limit + 1)
    ids = [row[0] for row in found[:limit]]
    more = str(ids[-1]) if len(found) > limit else None
    return [whole(store, kind, number) for number in ids], more


def whole(store: Store, kind: str, number: int) -> dict[str, Any]:
    """One row in full vendor form, deleted or not, with `deleted_at` when it is. Raises ApiError 404."""
    extra = ", extra, merged_into" if kind == "customers" else ""
    found: Any
    if kind == "teams":
        team = teams.row_of(store, number)
        found = None if team is None else (team[1], team[0])
    elif kind == "tags":
        found = store.one(f"SELECT deleted, {', '.join(tags.COLUMNS)} FROM tags WHERE id = ?", number)
    else:
        found = store.one(f"SELECT deleted, row{extra} FROM {kind} WHERE id = ?", number)
    if found is None:
        raise not_found()
    row: dict[str, Any]
    if kind == "teams":
        row = found[1]
    elif kind == "views":
        row = views.shown(store, json.loads(found[1]))
    elif kind == "tags":
        row = tags.show(found[1:])
    elif kind == "customers":
        row = json.loads(customers.detail(found[1], found[2]))
    elif kind == "tickets":
        row = tickets.detail(store, json.loads(found[1]))
    else:
        row = json.loads(found[1])
    if found[0] is not None:
        row["deleted_at"] = stamp(found[0])
        if kind == "customers" and found[3] is not None:
            row["merged_into"] = found[3]
    return row


def merge(store: Store, kind: str, from_id: int, into_id: int, actor: Actor) -> dict[str, Any]:
    """Customers and tags can be merged. Raises ValueError for other kinds."""
    if kind not in ("customers", "tags"):
        raise ValueError(f"{kind} can't be merged")
    with store.writing():
        if kind == "customers":
            customers.merge(store, from_id, into_id, {}, actor)
        else:
            tags.merge(store, into_id, [from_id], actor)
    return whole(store, kind, into_id)


def edit(
    store: Store, kind: str, number: int | None, given: dict[str, Any], *, delete: bool, actor: Actor
) -> dict[str, Any]:
    """One edit in the UI; gives the row as it stands then."""
    doors = {
        "customers": (_edit_customer, customers.delete),
        "tickets": (_edit_ticket, remove_ticket),
        "messages": (_edit_message, _delete_message),
        "tags": (_edit_tag, tags.delete),
        "surveys": (_edit_survey, _delete_survey),
        "users": (account.edit_user, account.delete_user),
        "teams": (account.edit_team, teams.delete),
        "views": (account.edit_view, views.delete),
        "custom_fields": (account.edit_custom_field, account.keep_custom_field),
    }
    if kind not in doors:
        raise ValueError(f"{kind} can't be edited")
    change, remove = doors[kind]
    with store.writing():
        if number is not None:
            _check_live(store, kind, number)
        if delete:
            if number is None:
                raise ValueError("delete needs an id")
            remove(store, number, actor)
        else:
            number = change(store, number, given, actor)
    return whole(store, kind, number)


def _check_live(store: Store, kind: str, number: int) -> None:
    if not store.one(f"SELECT 1 FROM {kind} WHERE id = ? AND deleted IS NULL", number):
        raise not_found()


def _edit_customer(store: Store, number: int | None, given: dict[str, Any], actor: Actor) -> int:
    """`email` or `emails` and `phone` or `phones` replace all channels of their type; other channels stay."""
    asked = fields.load(given, _CUSTOMER)
    chosen = account.values_by_label(store, "Customer", asked.pop("custom_fields", None) or {})
    lists = {"email": asked.pop("emails", None), "phone": asked.pop("phones", None)}
    if "phone" in asked:
        phone = asked.pop("phone")
        lists["phone"] = [phone] if phone else []
    if number is None and "email" in asked and lists["email"] is None:
        lists["email"] = [asked["email"]] if asked["email"] else []
    if any(values is not None for values in lists.values()):
        shown = customers.read(store, number)[1]["channels"] if number is not None else []
        kept = [{key: entry[key] for key in ("type", "address", "preferred")} for entry in shown]
        for kind, values in lists.items():
            if values is not None:
                kept = [entry for entry in kept if entry["type"] != kind]
                kept += [{"type": kind, "address": value, "preferred": i == 0} for i, value in enumerate(values)]
        if lists["email"] is not None:
            asked["email"] = lists["email"][0] if lists["email"] else None
        asked["channels"] = kept
    if asked.get("integrations", {}) is None:
        asked["integrations"] = {}
    if number is None:
        return customers.create(store, {**asked, "custom_fields": chosen}, actor)
    if chosen:
        asked["custom_values"] = chosen
    if "email" in asked and "channels" in asked and lists["email"] is None:
        # An e-mail alone beside phones: first the phones, then the usual change of the primary e-mail.
        customers.change(store, number, {"channels": asked.pop("channels")}, actor)
    customers.change(store, number, asked, actor)
    return number


def _edit_ticket(store: Store, number: int | None, given: dict[str, Any], actor: Actor) -> int:
    asked = fields.load(given, _TICKET if number is not None else _NEW_TICKET)
    if "tags" in asked:
        asked["tags"] = [{"name": name} for name in asked["tags"]]
    values = account.values_by_label(store, "Ticket", asked.pop("custom_fields", None) or {})
    if values:
        asked["custom_values" if number is not None else "custom_fields"] = values
    if "team" in asked:
        asked["assignee_team"] = account.team_ref(store, asked.pop("team"))
    if "assignee" in asked:
        asked["assignee_user"] = _user_ref(store, asked.pop("assignee"))
    if "trashed" in asked:
        asked["trashed_datetime"] = store.now() if asked.pop("trashed") else None
    owner_id = asked.pop("customer_id", None)
    if owner_id is not None:
        asked["customer"] = {"id": owner_id}
    if number is not None:
        tickets.change(store, number, asked, actor)
        return number
    if owner_id is None:
        raise fields.Invalid({"customer_id": [fields.MISSING]})
    inner = {name: asked.pop(name, None) for name in ("text", "html")}
    from_agent = asked.pop("from_agent", False)
    message = _message(
        store, owner_id, inner, actor, from_agent=from_agent, public=True, kind=asked.get("channel", "email")
    )
    return tickets.create(store, {**asked, "via": "helpdesk", "messages": [message]}, actor)


def _user_ref(store: Store, value: Any) -> dict[str, Any] | None:
    """An assignee by e-mail or id, or nobody."""
    if value is None:
        return None
    column = "id" if isinstance(value, int) or (isinstance(value, str) and value.isdigit()) else "email"
    found = store.one(f"SELECT id FROM users WHERE {column} = ? AND deleted IS NULL", value)
    if found is None:
        raise fields.Invalid({"assignee": ["User does not exist."]})
    return {"id": found[0]}


def _message(
    store: Store,
    owner_id: int | None,
    inner: dict[str, Any],
    actor: Actor,
    *,
    from_agent: bool,
    public: bool,
    kind: str,
) -> dict[str, Any]:
    """A message as the UI or a customer's mail programme makes it."""
    text = inner.get("text") or ""
    made: dict[str, Any] = {
        "channel": kind if public else "internal-note",
        "via": "helpdesk" if from_agent else (kind if kind in fields.VIAS else "api"),
        "from_agent": from_agent,
        "public": public,
        "body_text": text,
        "body_html": inner.get("html") or f"<div>{text}</div>",
        "sender": {"id": actor.user_id if from_agent else owner_id},
    }
    if made["channel"] == "email":
        owner = customers.read(store, owner_id)[0]["email"] if owner_id is not None else None
        ends = [{"address": owner, "name": None}, {"address": SUPPORT, "name": None}]
        made["source"] = {"type": "email", "from": ends[int(from_agent)], "to": [ends[1 - int(from_agent)]]}
    return made


def _edit_message(store: Store, number: int | None, given: dict[str, Any], actor: Actor) -> int:
    asked = fields.load(given, _MESSAGE, () if number is not None else ("ticket_id",))
    if number is not None:
        raise fields.Invalid({"id": ["Messages can only be added or deleted."]})
    row = tickets.read(store, asked["ticket_id"])
    owner_id = row["customer"]["id"] if row["customer"] else None
    from_agent, public = asked.get("from_agent", False), asked.get("public", True)
    if owner_id is None and not from_agent:
        raise fields.Invalid({"ticket_id": ["The ticket has no customer who could write."]})
    message = _message(store, owner_id, asked, actor, from_agent=from_agent, public=public, kind=row["channel"])
    messages.check(message)
    made = messages.add(store, row["id"], message, actor)
    messages.apply(store, row, made)
    row["updated_datetime"] = stamp(store.now())
    save_ticket(store, row)
    return int(made["id"])


def _delete_message(store: Store, number: int, actor: Actor) -> None:
    ticket_id = store.one("SELECT ticket_id FROM messages WHERE id = ?", number)[0]
    messages.delete(store, tickets.read(store, ticket_id), number, actor)


def _edit_tag(store: Store, number: int | None, given: dict[str, Any], actor: Actor) -> int:
    asked = fields.load(given, _TAG, ("name",) if number is None else ())
    if number is None:
        return tags.create(store, asked, actor)
    tags.change(store, number, asked, actor)
    return number


def _edit_survey(store: Store, number: int | None, given: dict[str, Any], actor: Actor) -> int:
    """A customer's answer: to the survey of the ticket, which is made when there is none."""
    asked = fields.load(given, _SURVEY, ("ticket_id",) if number is None else ())
    old = surveys.read(store, number) if number is not None else surveys.of_ticket(store, asked["ticket_id"])
    nobody = Actor(None, actor.by)
    if old is None:
        ticket = tickets.read(store, asked["ticket_id"])
        if not ticket["customer"]:
            raise fields.Invalid({"ticket_id": ["The ticket has no customer."]})
        return surveys.create(store, {**asked, "customer_id": ticket["customer"]["id"]}, nobody)
    times = ("created_datetime", "sent_datetime", "should_send_datetime")
    kept = {name: fields.moment()(old[name]) for name in times}
    same = {name: old[name] for name in ("ticket_id", "customer_id", "score", "body_text", "meta")}
    surveys.change(store, old["id"], {**same, **kept, **asked}, nobody)
    return int(old["id"])


def _delete_survey(store: Store, number: int, _actor: Actor) -> None:
    store.run("UPDATE surveys SET deleted = ? WHERE id = ?", store.now(), number)
