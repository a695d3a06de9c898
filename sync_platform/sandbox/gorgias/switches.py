"""The points on which Gorgias's behaviour is not established, each as a switch of the twin with its default.

A client of Gorgias has to be right under every setting; the defaults follow the documentation where it says anything.
"""

from typing import Any

from sync_platform.sandbox.world import Switches

ON_OFF = ("on", "off")

_SWITCHES: tuple[tuple[str, Any, tuple[Any, ...] | type, str], ...] = (
    (
        "plan_per_s",
        "off",
        ("off", 2, 10),
        "calls a second that lower and higher plans are said to allow beside the window",
    ),
    ("enterprise", "off", ON_OFF, "enterprise accounts have the same counts in windows of 10 s [doc]"),
    ("cursor_ttl_s", 86_400, int, "seconds after which a cursor is refused with 400; documented only as short-lived"),
    ("key_role", "admin", ("admin", "observer-agent"), "role of the API key's user; an observer's writes answer 403"),
    ("messaging_quota", "open", ("open", "exceeded"), "exceeded: creating tickets and messages answers 403 [recorded]"),
    (
        "refresh_rotation",
        "off",
        ("off", "on", "omit"),
        "new refresh token on each refresh; omit: kept, but left out of answers",
    ),
    (
        "put_status",
        200,
        (200, 202, "202-empty"),
        "answer of PUT on customers, tickets and surveys; documented only as success",
    ),
    ("delete_message_status", 204, (200, 204), "answer of DELETE on a message"),
    ("duplicate_status", 409, (409, 400), "creating a customer with an e-mail in use: 409 documented, 400 seen live"),
    ("email_case", "insensitive", ("insensitive", "sensitive"), "whether two spellings of one e-mail in case are one"),
    (
        "email_filter",
        "any",
        ("any", "primary"),
        "whether the filter `email` finds further e-mails or the primary one only",
    ),
    ("external_id_unique", "off", ON_OFF, "whether two customers may hold one external_id"),
    ("phone_channel_unique", "on", ON_OFF, "whether a phone address belongs to one customer only"),
    ("channels_required", "on", ON_OFF, "whether POST customers demands channels, as the specification says"),
    (
        "channel_type_alone",
        "on",
        ON_OFF,
        "whether channel_type filters customers without channel_address, or answers 400",
    ),
    ("note_writable", "on", ON_OFF, "whether a customer's note may be written, or is an unknown field"),
    ("email_change", "replace", ("replace", "keep"), "what a new primary e-mail does to the old one's channel"),
    ("merged_get", 301, (301, 404), "GET and PUT on a merged customer; DELETE and PUT data are documented as 301"),
    ("merged_location", "on", ON_OFF, "whether a 301 carries a Location header to the surviving customer"),
    ("merged_event_object", "source", ("source", "target"), "whose id a customer-merged event bears"),
    ("data_moves_updated", "on", ON_OFF, "whether PUT data moves the customer's updated_datetime"),
    ("unchanged_put_moves_updated", "on", ON_OFF, "whether a PUT that changes no value moves updated_datetime"),
    ("ticket_bumps_customer", "off", ON_OFF, "whether a new ticket moves its customer's updated_datetime"),
    (
        "customer_bumps_tickets",
        "off",
        ON_OFF,
        "whether a customer's new name or e-mail moves its tickets' updated_datetime",
    ),
    ("merge_bumps_tickets", "on", ON_OFF, "whether tickets that a merge moves get a new updated_datetime"),
    ("survey_bumps_ticket", "off", ON_OFF, "whether a new satisfaction score moves the ticket's updated_datetime"),
    ("written_updated_honoured", "off", ON_OFF, "whether an updated_datetime in a ticket's body is taken over"),
    ("unknown_customer_status", 400, (400, 404), "creating a ticket for a customer id that does not exist"),
    (
        "deleted_customer_tickets",
        "null",
        ("null", "keep", "delete"),
        "what becomes of tickets whose customer is deleted",
    ),
    (
        "ticket_body_creates_tags",
        "on",
        ON_OFF,
        "whether an unknown tag name in a ticket's body creates the tag, or answers 400",
    ),
    ("incoming_reopens", "on", ON_OFF, "whether a customer's new message opens a closed ticket again"),
    ("survey_after_close", "off", ON_OFF, "the account's setting that closing a ticket mails a satisfaction survey"),
    ("survey_when_created_closed", "off", ON_OFF, "whether that holds for tickets that are created closed, too"),
    (
        "custom_field_values",
        "replace",
        ("replace", "merge"),
        "whether a list of custom-field values replaces all (seen live) or sets those that it names (another client)",
    ),
    (
        "managed_field_omitted",
        "refuse",
        ("refuse", "clear"),
        "a list of values that leaves out a managed field's value: 400 (seen live) or cleared",
    ),
    (
        "custom_fields_shown",
        "always",
        ("always", "detail", "asked"),
        "where custom_fields stand: everywhere, not in list rows, or only with relationships=custom_fields",
    ),
    ("custom_fields_move_updated", "on", ON_OFF, "whether new custom-field values move updated_datetime"),
    ("custom_field_events", "on", ON_OFF, "whether definitions have events custom-field-created and -updated"),
    ("deleted_user_tickets", "unassign", ("unassign", "keep"), "what becomes of the tickets of a deleted user"),
    ("deleted_team_tickets", "unassign", ("unassign", "keep"), "what becomes of the tickets of a deleted team"),
    ("view_slug_required", "on", ON_OFF, "whether POST views demands slug, as the specification of 2026 says"),
    (
        "view_shared_as",
        "objects",
        ("objects", "ids"),
        "how a view shows the users and teams that it is shared with",
    ),
    (
        "view_hides",
        "spam-and-trash",
        ("spam-and-trash", "nothing"),
        "which tickets a view leaves out unless its filter names spam or trashed_datetime",
    ),
    ("view_lag_s", 0.0, float, "seconds by which views lie behind the writes; likely above 0 in real accounts"),
    (
        "snooze_end",
        "reopen",
        ("reopen", "event"),
        "the end of a snooze opens the ticket and clears snooze_datetime, or is an event alone",
    ),
    ("seeded_events", "on", ON_OFF, "whether what was seeded has its creation in the events feed"),
)

# Integrations, rules and the application itself.
_SWITCHES += (
    ("unknown_path", 501, (501, 404), "answer of a path unknown to the sandbox: 501 names it, 404 is documented"),
    (
        "unauthorized_reply",
        "error",
        ("error", "text", "empty"),
        "body of a 401: the common error shape, a plain text, or nothing",
    ),
    ("unknown_scope", "ignored", ("ignored", "refused"), "a scope outside the known list when an app asks for access"),
    (
        "oauth_consent",
        "agree",
        ("agree", "refuse", "page"),
        "what a person says to an app that asks for access; page: shows the question and waits for a click",
    ),
    ("message_sending", "ok", ("ok", "fails"), "whether outgoing messages are sent, or fail with an event"),
    ("message_send_s", 0, int, "seconds after which an outgoing message counts as sent"),
    ("customer_triggers", "off", ON_OFF, "integrations may listen to customers, too; documented: they may not"),
    ("trigger_underscores", "off", ON_OFF, "whether triggers may be spelled with underscores, as in an old sample"),
    (
        "message_fires_ticket_updated",
        "off",
        ON_OFF,
        "whether a message fires ticket-updated beside ticket-message-created",
    ),
    (
        "integration_context",
        "full",
        ("full", "slim"),
        "the ticket in an integration's context: as recorded, or the documented slim one",
    ),
    ("integration_timeout_s", 5, int, "seconds an integration's server has to answer"),
    ("integration_tries", 3, int, "how often a call of an integration is tried"),
    ("integration_backoff_s", 10, int, "seconds until the second try; doubles with each"),
    (
        "integration_failures_max",
        100,
        int,
        "calls in a row that fail until an integration is disabled: 100 in an older article, 500 in a guide of 2026",
    ),
    ("integration_disorder", 0.0, float, "share of calls that are up to 3 s late, so that others overtake them"),
    ("integration_duplicates", 0.0, float, "share of calls that are made twice"),
    (
        "integration_data_moves_updated",
        "off",
        ON_OFF,
        "whether data that an integration brings moves the customer's updated_datetime",
    ),
    ("hmac_header", "X-Gorgias-Hmac-SHA256", str, "header that carries the signature of an integration's call"),
    ("hmac_encoding", "base64", ("base64", "hex", "unsigned"), "how the signature is written, or that there is none"),
    ("rule_tag_on_create", "off", ON_OFF, "a built-in rule that tags every new ticket right after it was created"),
    ("search_reply", "list", ("list", "bare"), "POST search answers {data, meta} or a bare list"),
)

# What sources say two things about, or clients do without the documentation's word.
_SWITCHES += (
    ("retry_after", "429", ("429", "always"), "Retry-After on 429 alone, as recorded, or on every answer [doc]"),
    ("limit_reply", "error", ("error", "text", "empty"), "body of a 429: the common error shape, a text, or nothing"),
    ("body_max_bytes", 10_485_760, int, "size from which a body answers 413; a limit is documented, its size is not"),
    ("total_resources", "null", ("null", "count"), "meta.total_resources of the lists that have it [doc: may be null]"),
    (
        "short_lists",
        "data",
        ("data", "bare"),
        "settings, a ticket's tags, field values: {data} [recorded] or bare [spec]",
    ),
    ("customer_order_updated", "on", ON_OFF, "whether customers can be ordered by updated_datetime; not before 2024"),
    ("user_order_name", "on", ON_OFF, "whether users can be ordered by name and e-mail, as some clients do"),
    (
        "macro_orders",
        "all",
        ("all", "created"),
        "orders of the list of macros: as tabled, or by created_datetime alone",
    ),
    ("voice_call_order", "desc", ("desc", "asc"), "whether the newest or the oldest voice call comes first"),
    ("name_parts_accepted", "off", ON_OFF, "whether firstname and lastname may be sent, or are unknown fields"),
    ("customer_timezone", "null", ("null", "UTC"), "timezone of a customer created without one: recorded, documented"),
    ("channel_preferred_required", "off", ON_OFF, "whether a channel needs `preferred`: required by the specification"),
    ("ticket_via_required", "off", ON_OFF, "whether POST tickets demands `via`, as one version of the specification"),
    ("value_body_id", "optional", ("optional", "required"), "`id` in the body of PUT on one custom-field value"),
    (
        "missing_receiver",
        "bot",
        ("bot", "customer"),
        "receiver of an outgoing message that names none: the bot [doc], or the ticket's customer",
    ),
    ("ticket_language", "detected", ("detected", "null"), "language of a ticket created without one; detected [doc]"),
    ("message_by_id", "off", ON_OFF, "whether GET /messages/{id} exists, which two clients assume"),
    ("trash_kept_days", 0, int, "days after which a ticket in the trash is deleted for good; 0: never"),
    ("merge_moves_updated", "on", ON_OFF, "whether a merge moves the surviving customer's updated_datetime"),
)


def register(switches: Switches) -> None:
    """Declare every switch under `gorgias.`."""
    for name, default, choices, doc in _SWITCHES:
        switches.register(f"gorgias.{name}", default, choices, doc)
