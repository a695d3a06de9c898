"""The JSON shapes of the twin of Gorgias: which keys an object has, in lists and in detail.

Objects were recorded from live accounts (late 2024 to early 2025). Legacy duplicates are there on purpose: a ticket's
`requester`, a channel's `user`, a customer's `customer` that is always null.
"""

import re
from collections.abc import Iterable
from typing import Any

from sync_platform.sandbox.gorgias.store import stamp, stamp_or_none

COMPACT = ("id", "email", "name", "firstname", "lastname", "meta")
# A customer as a ticket's detail shows it [recorded]: no times, no language, no custom fields.
IN_TICKET = (
    *COMPACT, "external_id", "note", "data", "channels", "customer", "integrations", "external_data", "ecommerce_data",
)  # fmt: skip
LIST_ONLY = ("excerpt", "integrations", "messages_count", "last_sent_message_not_delivered")
_TAG = re.compile(r"<[^>]*>")


def split_name(name: str | None) -> tuple[str, str]:
    """First and last name as the server derives them: the first word and the rest, "" without a name [recorded]."""
    first, _, rest = (name or "").strip().partition(" ")
    return first, rest.strip()


def customer(number: int, given: dict[str, Any], created: int, updated: int) -> dict[str, Any]:
    """A customer as its list row shows it: no channels, customer, integrations, external_data, ecommerce_data."""
    name = given.get("name")
    first, last = split_name(name)
    return {
        "id": number,
        "external_id": given.get("external_id"),
        "active": True,
        "email": given.get("email"),
        "name": name,
        "firstname": first,
        "lastname": last,
        "language": given.get("language"),
        "timezone": given.get("timezone"),
        "note": given.get("note"),
        "data": given.get("data"),
        "meta": given.get("meta"),
        "custom_fields": {},
        "created_datetime": stamp(created),
        "updated_datetime": stamp(updated),
    }


def channels(owner: dict[str, Any], rows: Iterable[tuple[int, str, str, int, int, int]]) -> list[dict[str, Any]]:
    """A customer's channels from (id, type, address, preferred, created, updated)."""
    whose = {"id": owner["id"], "name": owner["name"]}
    return [
        {
            "id": number,
            "type": kind,
            "address": address,
            "preferred": bool(preferred),
            "created_datetime": stamp(created),
            "updated_datetime": stamp(updated),
            "deleted_datetime": None,
            "user": whose,
            "customer": whose,
        }
        for number, kind, address, preferred, created, updated in rows
    ]


def customer_extra(shown: list[dict[str, Any]], integrations: dict[str, Any]) -> dict[str, Any]:
    """What only the detail of a customer shows."""
    return {
        "channels": shown,
        "customer": None,
        "integrations": integrations,
        "external_data": {},
        "ecommerce_data": {},
    }


def compact(owner: dict[str, Any]) -> dict[str, Any]:
    """A customer or user as other objects embed it."""
    return {key: owner[key] for key in COMPACT}


def in_ticket(owner: dict[str, Any]) -> dict[str, Any]:
    """A customer's detail as the detail of a ticket embeds it."""
    return {key: owner[key] for key in IN_TICKET if key in owner}


def user(number: int, email: str, name: str, *, role: str, at: int) -> dict[str, Any]:
    """A member of staff."""
    first, last = split_name(name)
    return {
        "id": number,
        "active": True,
        "bio": None,
        "country": None,
        "created_datetime": stamp(at),
        "updated_datetime": stamp(at),
        "deactivated_datetime": None,
        "email": email,
        "external_id": None,
        "firstname": first,
        "lastname": last,
        "name": name,
        "language": "en",
        "meta": {"name_set_via": "agent"},
        "role": {"name": role},
        "timezone": "UTC",
        "has_password": role != "bot",
        "has_2fa_enabled": False,
        "uri": f"/api/users/{number}/",
    }


def ticket(number: int, given: dict[str, Any], created: int, updated: int) -> dict[str, Any]:
    """A ticket's list row, before messages, tags and assignee are set."""
    return {
        "id": number,
        "uri": f"/api/tickets/{number}/",
        "external_id": given.get("external_id"),
        "status": given.get("status", "open"),
        "priority": given.get("priority", "normal"),
        "channel": given["channel"],
        "via": given.get("via", "api"),
        "from_agent": given["from_agent"],
        "spam": given.get("spam", False),
        "imported": given.get("imported", False),
        "customer": given.get("customer"),
        "assignee_user": given.get("assignee_user"),
        "assignee_team": None,
        "language": given.get("language"),
        "subject": given.get("subject"),
        "excerpt": given.get("excerpt", ""),
        "integrations": [],
        "messages_count": given.get("messages_count", 0),
        "summary": None,
        "meta": given.get("meta"),
        "tags": given.get("tags", []),
        "custom_fields": {},
        "is_unread": given.get("is_unread", True),
        "created_datetime": stamp(created),
        "opened_datetime": stamp_or_none(given.get("opened_datetime")),
        "last_received_message_datetime": stamp_or_none(given.get("last_received_message_datetime")),
        "last_message_datetime": stamp_or_none(given.get("last_message_datetime")),
        "updated_datetime": stamp(updated),
        "closed_datetime": stamp_or_none(given.get("closed_datetime")),
        "trashed_datetime": stamp_or_none(given.get("trashed_datetime")),
        "snooze_datetime": stamp_or_none(given.get("snooze_datetime")),
        "last_sent_message_not_delivered": False,
    }


def ticket_detail(
    row: dict[str, Any],
    owner: dict[str, Any] | None,
    messages: list[dict[str, Any]],
    survey: dict[str, Any] | None,
) -> dict[str, Any]:
    """GET of one ticket: the row without its list-only keys, the whole customer, the messages, and legacy copies."""
    shown = {key: value for key, value in row.items() if key not in LIST_ONLY}
    assignee, team = row["assignee_user"], row["assignee_team"]
    answerable = {"answerable": bool(owner and owner.get("email"))}
    by_phone = {"answerable": any(entry["type"] == "phone" for entry in (owner or {}).get("channels", []))}
    return {
        **shown,
        "customer": owner,
        "requester": owner,
        "assignee_user_id": assignee["id"] if assignee else None,
        "assignee_team_id": team["id"] if team else None,
        "messages": messages,
        "events": [],
        "satisfaction_survey": survey,
        "reply_options": {"email": answerable, "internal-note": {"answerable": True}, "phone": by_phone},
        "processed_datetime": None,
    }


def attachments(given: list[dict[str, Any]] | None) -> list[dict[str, Any]] | None:
    """Attachments as answers show them: each gains `public`, an empty list comes back as null [recorded]."""
    return [{**entry, "public": True} for entry in given or []] or None


def message(number: int, ticket_id: int, given: dict[str, Any], created: int) -> dict[str, Any]:
    """A message; it has no updated_datetime. Imported ones keep `stripped_*` null [recorded]."""
    html, plain = given.get("body_html"), given.get("body_text")
    if plain is None and html is not None:
        plain = " ".join(_TAG.sub(" ", html).split())
    return {
        "id": number,
        "uri": f"/api/tickets/{ticket_id}/messages/{number}/",
        "message_id": given.get("message_id"),
        "ticket_id": ticket_id,
        "external_id": given.get("external_id"),
        "public": given["public"],
        "channel": given["channel"],
        "via": given["via"],
        "source": given.get("source") or {"type": given["channel"]},
        "sender": given["sender"],
        "receiver": given["receiver"],
        "integration_id": given.get("integration_id"),
        "intents": [],
        "rule_id": given.get("rule_id"),
        "from_agent": given["from_agent"],
        "subject": given.get("subject"),
        "body_text": plain,
        "body_html": html,
        "stripped_text": None,
        "stripped_html": None,
        "stripped_signature": None,
        "attachments": attachments(given.get("attachments")),
        "macros": None,
        "actions": given.get("actions"),
        "headers": given.get("headers"),
        "meta": given.get("meta"),
        "created_datetime": stamp(created),
        "sent_datetime": stamp_or_none(given.get("sent_datetime")),
        "failed_datetime": stamp_or_none(given.get("failed_datetime")),
        "deleted_datetime": None,
        "opened_datetime": stamp_or_none(given.get("opened_datetime")),
        "last_sending_error": given.get("last_sending_error"),
        "is_retriable": False,
    }


def survey(number: int, given: dict[str, Any], created: int) -> dict[str, Any]:
    """A satisfaction survey; `given` holds times in microseconds."""
    return {
        "id": number,
        "ticket_id": given["ticket_id"],
        "customer_id": given["customer_id"],
        "score": given.get("score"),
        "body_text": given.get("body_text"),
        "meta": given.get("meta"),
        "created_datetime": stamp(created),
        "scored_datetime": stamp_or_none(given.get("scored_datetime")),
        "sent_datetime": stamp_or_none(given.get("sent_datetime")),
        "should_send_datetime": stamp_or_none(given.get("should_send_datetime")),
        "uri": f"/api/satisfaction-surveys/{number}/",
    }
