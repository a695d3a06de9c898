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
)


def register(switches: Switches) -> None:
    """Declare every switch under `gorgias.`."""
    for name, default, choices, doc in _SWITCHES:
        switches.register(f"gorgias.{name}", default, choices, doc)
