"""What the twin of Gorgias answers on everything beside customers and tickets: see `answers`."""

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

_ITEMS: Json = {"type": "string", "pattern": r"^/api/views/[0-9]+/items\?"}
_NAMED: Json = {"id": ID, "name": or_null(TEXT)}
_DEFINITION: Json = {
    "data_type": words("text", "number", "boolean"),
    "input_settings": whole(
        {
            "input_type": words("input", "dropdown", "input_number"),
            "choices": many(FREE),
            "default": FREE,
            "min": or_null({"type": "number"}),
            "max": or_null({"type": "number"}),
            "placeholder": or_null(TEXT),
        },
        optional=("choices", "default", "min", "max", "placeholder"),
    ),
}
_FIELDS: dict[str, Json] = {
    # As objects hold it, keyed by the id of its definition.
    "FieldValue": whole({"id": ID, "value": FREE, "prediction": or_null(MAP)}),
    "FieldEntry": whole({"field": ref("CustomField"), "value": FREE, "prediction": or_null(MAP)}),
    "FieldEntrySet": data_of("FieldEntry"),
    "CustomField": whole(
        {
            "id": ID,
            "external_id": or_null(TEXT),
            "object_type": words("Ticket", "Customer"),
            "label": {"type": "string", "minLength": 1, "maxLength": 255},
            "description": or_null({"type": "string", "maxLength": 1_024}),
            "priority": {"type": "integer", "minimum": 0, "maximum": 5_000},
            "required": FLAG,
            "requirement_type": TEXT,
            "managed_type": or_null(TEXT),
            "definition": whole(_DEFINITION),
            **times("created", "updated"),
            **null_times("deactivated"),
        }
    ),
    "CustomFieldPage": page("CustomField"),
    "CustomFieldSet": data_of("CustomField"),
}
_GROUPS: dict[str, Json] = {
    "Member": whole({"id": ID, "name": or_null(TEXT), "email": TEXT, "meta": or_null(MAP)}),
    "Team": whole(
        {
            "id": ID,
            "uri": uri("teams"),
            "name": {"type": "string", "minLength": 1},
            "description": or_null({"type": "string", "maxLength": 1_024}),
            "decoration": or_null(MAP),
            "members": many(ref("Member")),
            **times("created"),
        }
    ),
    "TeamPage": page("Team"),
    "View": whole(
        {
            "id": ID,
            "uri": uri("views"),
            "slug": {"type": "string", "minLength": 1},
            "name": TEXT,
            "type": words("ticket-list", "customer-list"),
            "category": words("user", "system"),
            "filters": TEXT,
            "order_by": TEXT,
            "order_dir": words("asc", "desc"),
            "fields": many(TEXT),
            "search": or_null(TEXT),
            "visibility": words("public", "shared", "private"),
            "shared_with_users": many({"anyOf": [ref("Member"), ID]}),
            "shared_with_teams": many({"anyOf": [whole({"id": ID, "name": TEXT}), ID]}),
            "decoration": or_null(MAP),
            **times("created"),
            **null_times("deactivated"),
        }
    ),
    "ViewPage": page("View", total=True),
    # The exception among lists: next_items and prev_items are relative addresses [doc, seen in clients].
    "ItemPage": whole(
        {
            "object": {"type": "string", "const": "list"},
            "uri": TEXT,
            "data": many({"anyOf": [ref("TicketRow"), ref("CustomerRow")]}),
            "meta": whole(
                {"current_cursor": or_null(TEXT), "next_items": or_null(_ITEMS), "prev_items": or_null(_ITEMS)},
            ),
        }
    ),
}
_HTTP: Json = {
    "id": ID,
    "url": TEXT,
    "method": words("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"),
    "request_content_type": words("application/json", "application/x-www-form-urlencoded"),
    "response_content_type": words("application/json"),
    "headers": {"type": "object", "additionalProperties": TEXT},
    "form": {"type": ["object", "string", "null"]},
    "oauth2": or_null(MAP),
    "triggers": {"type": "object", "additionalProperties": FLAG},
}
_PLAIN: dict[str, Json] = {
    # http.hmac_secret is write-only [doc]: it stands in no answer.
    "Integration": whole(
        {
            "id": ID,
            "name": TEXT,
            "type": TEXT,
            "description": or_null(TEXT),
            "http": whole(_HTTP),
            "application_id": or_null(TEXT),
            "managed": FLAG,
            "business_hours_id": or_null(ID),
            "user": whole({"id": or_null(ID)}),
            "uri": uri("integrations"),
            **times("created", "updated"),
            **null_times("deactivated"),
        }
    ),
    "Macro": whole(
        {
            "id": ID,
            "external_id": or_null(TEXT),
            "name": TEXT,
            "intent": or_null(TEXT),
            "language": or_null(TEXT),
            "usage": {"type": "integer", "minimum": 0},
            "actions": many(MAP),
            **times("created", "updated"),
            **null_times("archived"),
            "uri": uri("macros"),
        }
    ),
    "ArchiveResult": whole({"data": many(whole({"id": ID, "status": words("success", "not_found")}))}),
    "Rule": whole(
        {
            "id": ID,
            "name": TEXT,
            "code": TEXT,
            "code_ast": or_null(MAP),
            "description": or_null(TEXT),
            "event_types": or_null(TEXT),
            "priority": INT,
            "uri": uri("rules"),
            **times("created", "updated"),
            **null_times("deactivated"),
        }
    ),
    "Widget": whole(
        {
            "id": ID,
            "type": TEXT,
            "context": words("ticket", "customer", "user"),
            "order": INT,
            "integration_id": or_null(ID),
            "app_id": or_null(TEXT),
            "template": MAP,
            **times("created", "updated"),
            **null_times("deactivated"),
            "uri": uri("widgets"),
        }
    ),
    "Job": whole(
        {
            "id": ID,
            "type": TEXT,
            "status": words(
                "pending", "scheduled", "running", "done", "cancel_requested", "canceled", "errored", "fatal_errored"
            ),
            "params": MAP,
            "info": or_null(MAP),
            "meta": or_null(MAP),
            "user_id": or_null(ID),
            "uri": uri("jobs"),
            **times("created"),
            **null_times("scheduled", "started", "ended", "failed", "locked", "cancel_requested", "canceled"),
        }
    ),
}
_FOUND_ROW: Json = {
    "anyOf": [ref(name) for name in ("CustomerRow", "User", "Team", "Tag", "Integration", "FoundChannel")]
}
_PHONE: dict[str, Json] = {
    "VoiceCall": whole(
        {
            "id": ID,
            "integration_id": or_null(ID),
            "ticket_id": or_null(ID),
            "phone_number_id": or_null(ID),
            "external_id": TEXT,
            "provider": TEXT,
            "status": TEXT,
            "direction": words("inbound", "outbound"),
            "phone_number_source": TEXT,
            "phone_number_destination": TEXT,
            "country_source": or_null(TEXT),
            "country_destination": or_null(TEXT),
            "duration": or_null(INT),
            **times("started", "created", "updated"),
            "initiated_by_agent_id": or_null(ID),
            "last_answered_by_agent_id": or_null(ID),
            "customer_id": or_null(ID),
            "has_voicemail": FLAG,
            "has_call_recording": FLAG,
            "uri": uri("phone/voice-calls"),
        }
    ),
    "VoiceEvent": whole(
        {
            "id": ID,
            "call_id": ID,
            "type": SLUG,
            "user_id": or_null(ID),
            "meta": or_null(MAP),
            **times("created"),
            "uri": uri("phone/voice-call-events"),
        }
    ),
    "VoiceRecording": whole(
        {
            "id": ID,
            "call_id": ID,
            "external_id": TEXT,
            "type": TEXT,
            "duration": INT,
            "url": TEXT,
            **times("created"),
            **null_times("deleted"),
            "uri": uri("phone/voice-call-recordings"),
        }
    ),
}
_FOUND: Json = {
    "FoundChannel": whole({"id": ID, "type": SLUG, "address": TEXT, "customer": whole(_NAMED)}),
    # An envelope or a bare list, by the switch search_reply.
    "Found": {
        "anyOf": [
            whole(
                {"data": many(_FOUND_ROW), "meta": whole({"prev_cursor": or_null(TEXT), "next_cursor": or_null(TEXT)})}
            ),
            many(_FOUND_ROW),
        ]
    },
}
_PLAIN_PAGES = {f"{name}Page": page(name) for name in (*_PLAIN, *_PHONE) if name != "ArchiveResult"}

SCHEMAS: dict[str, Json] = {**_FIELDS, **_GROUPS, **_PLAIN, **_PHONE, **_FOUND, **_PLAIN_PAGES}
