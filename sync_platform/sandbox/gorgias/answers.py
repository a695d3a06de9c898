"""What the twin of Gorgias answers, in strict JSON Schema: the components of its own description.

Which fields an object has, and which may be null, is as recorded from live accounts (late 2024 to early 2025) for
customers, tickets, messages and events, as documented for the others. They are written down here and not taken from
the code that makes the answers, so that either can be held against the other.
"""

from sync_platform.sandbox.gorgias import answers_plain as gorgias_answers_plain
from sync_platform.sandbox.gorgias.answer_words import (
    FLAG,
    FREE,
    ID,
    INT,
    MAP,
    SLUG,
    TEXT,
    Json,
    data_of,
    keyed,
    many,
    null_times,
    page,
    ref,
    times,
    uri,
    whole,
    words,
)
from sync_platform.sandbox.gorgias.fields import or_null
from sync_platform.sandbox.gorgias.other_calls import OBJECT_TYPES, ROLES

_NAMED: Json = {"id": ID, "name": or_null(TEXT)}
_COMPACT: Json = {
    "id": ID,
    "email": or_null(TEXT),
    "name": or_null(TEXT),
    "firstname": TEXT,
    "lastname": TEXT,
    "meta": or_null(MAP),
}
_CUSTOMER_ROW: Json = {
    "id": ID,
    "external_id": or_null(TEXT),
    "active": FLAG,
    "email": or_null({"type": "string", "maxLength": 320}),
    "name": or_null(TEXT),
    "firstname": TEXT,
    "lastname": TEXT,
    "language": or_null(TEXT),
    "timezone": or_null(TEXT),
    "note": or_null(TEXT),
    "data": FREE,
    "meta": or_null(MAP),
    "custom_fields": keyed(ref("FieldValue")),
    **times("created", "updated"),
}
_CUSTOMER_MORE: Json = {
    "channels": many(ref("Channel")),
    "customer": {"type": "null"},
    "integrations": MAP,
}
_CUSTOMER_LATE: Json = {"external_data": MAP, "ecommerce_data": MAP}
_TICKET_CUSTOMER: Json = {
    **_COMPACT,
    "external_id": or_null(TEXT),
    "note": or_null(TEXT),
    "data": FREE,
    **_CUSTOMER_MORE,
    **_CUSTOMER_LATE,
}
_TICKET: Json = {
    "id": ID,
    "uri": uri("tickets"),
    "external_id": or_null({"type": "string", "maxLength": 255}),
    "status": words("open", "closed"),
    "priority": words("critical", "high", "normal", "low"),
    "channel": SLUG,
    "via": SLUG,
    "from_agent": FLAG,
    "spam": FLAG,
    "imported": FLAG,
    "assignee_user": or_null(ref("Assignee")),
    "assignee_team": or_null(ref("AssigneeTeam")),
    "language": or_null(TEXT),
    "subject": or_null({"type": "string", "maxLength": 998}),
    "summary": or_null(FREE),
    "meta": or_null(MAP),
    "tags": many(ref("TicketTag")),
    "custom_fields": keyed(ref("FieldValue")),
    "is_unread": FLAG,
    **times("created", "updated"),
    **null_times("opened", "closed", "trashed", "snooze", "last_message", "last_received_message"),
}
_MESSAGE: Json = {
    "id": ID,
    "uri": uri("tickets", "messages"),
    "message_id": or_null(TEXT),
    "ticket_id": ID,
    "external_id": or_null({"type": "string", "maxLength": 255}),
    "public": FLAG,
    "channel": SLUG,
    "via": SLUG,
    "source": ref("Source"),
    "sender": or_null(ref("Compact")),
    "receiver": or_null(ref("Compact")),
    "integration_id": or_null(ID),
    "intents": many(FREE),
    "rule_id": or_null(ID),
    "from_agent": FLAG,
    "subject": or_null({"type": "string", "maxLength": 998}),
    "body_text": or_null(TEXT),
    "body_html": or_null(TEXT),
    "stripped_text": or_null(TEXT),
    "stripped_html": or_null(TEXT),
    "stripped_signature": or_null(TEXT),
    "attachments": or_null(many(ref("Attachment"))),
    "macros": or_null(many(FREE)),
    "actions": or_null(many(FREE)),
    "headers": or_null(MAP),
    "meta": or_null(MAP),
    **times("created"),
    **null_times("sent", "failed", "deleted", "opened"),
    "last_sending_error": or_null(MAP),
    "is_retriable": FLAG,
}
_ADDRESS = or_null(whole({"name": or_null(TEXT), "address": or_null(TEXT)}, optional=("name", "address")))
_SOURCE: Json = {
    "type": or_null(TEXT),
    "from": _ADDRESS,
    "to": or_null(many(_ADDRESS)),
    "cc": or_null(many(_ADDRESS)),
    "bcc": or_null(many(_ADDRESS)),
    "extra": or_null(MAP),
}
_ATTACHMENT: Json = {
    "url": TEXT,
    "name": or_null(TEXT),
    "size": or_null(INT),
    "content_type": or_null(TEXT),
    "public": {"const": True},
}
_USER: Json = {
    "id": ID,
    "active": FLAG,
    "bio": or_null(TEXT),
    "country": or_null(TEXT),
    **times("created", "updated"),
    **null_times("deactivated"),
    "email": TEXT,
    "external_id": or_null(TEXT),
    "firstname": TEXT,
    "lastname": TEXT,
    "name": or_null(TEXT),
    "language": or_null(TEXT),
    "meta": or_null(MAP),
    "role": whole({"name": words(*ROLES)}),
    "timezone": or_null(TEXT),
    "has_password": FLAG,
    "has_2fa_enabled": FLAG,
    "uri": uri("users"),
}

_OPTIONAL = ("custom_fields",)  # rows may come without their values [doc]

_PEOPLE: dict[str, Json] = {
    "Compact": whole(_COMPACT),
    "Channel": whole(
        {
            "id": ID,
            "type": SLUG,
            "address": {"type": "string", "maxLength": 320},
            "preferred": FLAG,
            **times("created", "updated"),
            **null_times("deleted"),
            "user": whole(_NAMED),
            "customer": whole(_NAMED),
        }
    ),
    "CustomerRow": whole(_CUSTOMER_ROW, optional=_OPTIONAL),
    "CreatedCustomer": whole({**_CUSTOMER_ROW, **_CUSTOMER_MORE}, optional=_OPTIONAL),
    "Customer": whole({**_CUSTOMER_ROW, **_CUSTOMER_MORE, **_CUSTOMER_LATE}, optional=_OPTIONAL),
    "CustomerPage": page("CustomerRow"),
    "TicketCustomer": whole(_TICKET_CUSTOMER),
    "User": whole(_USER),
    "UserPage": page("User"),
}
_TICKETS: dict[str, Json] = {
    "Assignee": whole({**_COMPACT, "bio": or_null(TEXT)}),
    "AssigneeTeam": whole({"id": ID, "name": TEXT, "decoration": or_null(MAP)}),
    "TicketTag": whole({"id": ID, "name": TEXT, "decoration": or_null(MAP)}),
    "TicketRow": whole(
        {
            **_TICKET,
            "customer": or_null(ref("Compact")),
            "excerpt": {"type": "string", "maxLength": 200},
            "integrations": many(FREE),
            "messages_count": {"type": "integer", "minimum": 0},
            "last_sent_message_not_delivered": FLAG,
        },
        optional=_OPTIONAL,
    ),
    "Ticket": whole(
        {
            **_TICKET,
            "customer": {"anyOf": [ref("TicketCustomer"), ref("Compact"), {"type": "null"}]},
            "requester": {"anyOf": [ref("TicketCustomer"), ref("Compact"), {"type": "null"}]},
            "assignee_user_id": or_null(ID),
            "assignee_team_id": or_null(ID),
            "messages": many(ref("Message")),
            "events": {"type": "array", "maxItems": 0},
            "satisfaction_survey": or_null(ref("Survey")),
            "reply_options": {"type": "object", "additionalProperties": whole({"answerable": FLAG})},
            **null_times("processed"),
        },
        optional=_OPTIONAL,
    ),
    "TicketPage": page("TicketRow", total=True),
    "Source": whole(_SOURCE, optional=_SOURCE),
    "Attachment": whole(_ATTACHMENT, optional=("name", "size", "content_type")),
    "Message": whole(_MESSAGE),
    "MessagePage": page("Message", total=True),
    "Tag": whole(
        {
            "id": ID,
            "name": {"type": "string", "minLength": 1, "maxLength": 256},
            "description": or_null({"type": "string", "maxLength": 1_024}),
            "decoration": or_null(MAP),
            "usage": {"type": "integer", "minimum": 0},
            "uri": uri("tags"),
            **times("created"),
            **null_times("deleted"),
        }
    ),
    "TagPage": page("Tag", total=True),
    "TagSet": data_of("Tag"),
    "Survey": whole(
        {
            "id": ID,
            "ticket_id": ID,
            "customer_id": ID,
            "score": or_null({"type": "integer", "minimum": 1, "maximum": 5}),
            "body_text": or_null({"type": "string", "maxLength": 1_000}),
            "meta": or_null(MAP),
            **times("created"),
            **null_times("scored", "sent", "should_send"),
            "uri": uri("satisfaction-surveys"),
        }
    ),
    "SurveyPage": page("Survey"),
}
_ACCOUNT: dict[str, Json] = {
    "Setting": whole({"id": ID, "type": TEXT, "data": FREE}),
    "SettingSet": data_of("Setting"),
    "Account": whole(
        {
            "domain": TEXT,
            "status": MAP,
            "settings": many(ref("Setting")),
            **times("created"),
            **null_times("deactivated"),
        }
    ),
    "Event": whole(
        {
            "id": ID,
            "context": {"type": "string", "format": "uuid"},
            **times("created"),
            "data": or_null(MAP),
            "object_id": ID,
            "object_type": words(*OBJECT_TYPES),
            "type": SLUG,
            "user_id": or_null(ID),
            "uri": uri("events"),
        }
    ),
    "EventPage": page("Event"),
}
_ERRORS: dict[str, Json] = {
    "Error": whole({"error": whole({"msg": TEXT, "data": MAP}, optional=("data",))}),
    "OAuthError": whole({"error": TEXT}),
    "Token": whole(
        {
            "access_token": TEXT,
            "token_type": {"type": "string", "const": "Bearer"},
            "expires_in": INT,
            "scope": TEXT,
            "refresh_token": TEXT,
        },
        optional=("refresh_token",),
    ),
}

SCHEMAS: dict[str, Json] = {**_PEOPLE, **_TICKETS, **_ACCOUNT, **gorgias_answers_plain.SCHEMAS, **_ERRORS}
