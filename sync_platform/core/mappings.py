"""Each field of each system: where it stands there, how it is read and how it is written.

A field's canonical value is the record's; «theirs» is the system's own form in the attributes of its connector. Where
a system has no attribute of its own for a field, the platform brings one: HubSpot properties `sync_…`, and the key
`sync` inside the `data` of a Gorgias customer (attributes `sync.…`). Nothing here knows which system is right.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from sync_platform.core import mappings_forms as form
from sync_platform.core import normalize
from sync_platform.core.mappings_forms import Form
from sync_platform.core.mappings_shapes import (
    AWAITS_CUSTOMER,
    NO_COUNTERPART,
    NOT_WRITABLE,
    FieldMap,
    Lexicon,
    Property,
    Unmappable,
    words_of,
)
from sync_platform.core.records import UNSET, Entity, Json, System

if TYPE_CHECKING:
    from sync_platform.core.policy import Policy

__all__ = [
    "AWAITS_CUSTOMER",
    "FIELDS",
    "NOT_WRITABLE",
    "NO_COUNTERPART",
    "PRIORITIES",
    "SETS",
    "STATUSES",
    "VERSION",
    "FieldMap",
    "Lexicon",
    "Property",
    "Unmappable",
    "attributes_of",
    "coherent",
    "constants",
    "field_maps",
    "match_keys",
    "observe",
    "replaced",
    "wanted",
]

VERSION = "1"

STATUSES: tuple[str, ...] = ("new", "open", "waiting", "resolved", "closed")
PRIORITIES: tuple[str, ...] = ("low", "normal", "high", "critical")

# Longest values that the vendors document: a ticket's subject in Gorgias, a string property in HubSpot [doc].
GORGIAS_SUBJECT_MAX = 998
HUBSPOT_STRING_MAX = 65_536

_MARKER = re.compile(r"^[0-9a-f]{32}$")

_Row = tuple[str, str | tuple[str, ...], Form]


def _maps(rows: Iterable[_Row], **modes: str) -> Mapping[str, FieldMap]:
    """Field maps of one system and entity; `modes` names the fields whose mode is not `both`."""
    out: dict[str, FieldMap] = {}
    for name, attributes, made in rows:
        out[name] = FieldMap(
            field=name,
            attributes=(attributes,) if isinstance(attributes, str) else attributes,
            get=made.get,
            put=made.put,
            mode=modes.get(name, "both"),
            kind=_KINDS.get(name, "scalar"),
            keep=form.older_stays if attributes == "first_message" else None,
            loses=made.loses,
            match=_MATCHES.get(name),
            one_of=attributes in {"emails", "phones", "hs_additional_emails"},
        )
    return MappingProxyType(out)


_KINDS = {"tags": "set", "customer": "reference"}
_MATCHES = {"email": "email", "email_2": "email", "phone": "phone", "customer_no": "number"}

_GORGIAS_CUSTOMER = _maps(
    [
        ("email", "email", form.email("email")),
        ("email_2", "emails", form.emails("email_2")),
        ("phone", "phones", form.phones("phone")),
        ("name", "name", form.name_whole("name")),
        ("language", "language", form.language("language")),
        ("company", "sync.company", form.text("company")),
        ("customer_no", "sync.customer_no", form.text("customer_no")),
        ("note", "note", form.text("note")),
        ("marketing_opt_out", "sync.marketing_opt_out", form.flag("marketing_opt_out")),
        ("credit_status", "sync.credit_status", form.text("credit_status")),
        ("lifetime_value", "sync.lifetime_value", form.money("lifetime_value")),
        ("order_count", "sync.order_count", form.number("order_count")),
    ]
)

_HUBSPOT_CUSTOMER = _maps(
    [
        ("email", "email", form.email("email")),
        ("email_2", "hs_additional_emails", form.emails("email_2")),
        ("phone", "phone", form.phone("phone")),
        ("name", ("firstname", "lastname"), form.name_parts("name", "firstname", "lastname")),
        ("language", "hs_language", form.language("language")),
        ("company", "company", form.text("company", HUBSPOT_STRING_MAX)),
        ("customer_no", "sync_customer_no", form.text("customer_no")),
        ("note", "sync_note", form.text("note", HUBSPOT_STRING_MAX)),
        ("marketing_opt_out", "sync_marketing_opt_out", form.flag("marketing_opt_out", as_text=True)),
        ("credit_status", "sync_credit_status", form.text("credit_status")),
        ("lifetime_value", "sync_lifetime_value", form.money("lifetime_value")),
        ("order_count", "sync_order_count", form.number("order_count", as_text=True)),
    ]
)

_ERP_NAME = ("full_name", "first_name", "last_name")
_ERP_CUSTOMER = _maps(
    [
        ("email", "email", form.email("email")),
        ("email_2", "email_2", form.email("email_2")),
        ("phone", "phone", form.phone("phone")),
        ("name", _ERP_NAME, form.name_full("name", *_ERP_NAME)),
        ("language", "language", form.language("language")),
        ("company", "company", form.text("company")),
        ("customer_no", "customer_no", form.text("customer_no")),
        ("note", "note", form.text("note")),
        ("marketing_opt_out", "marketing_opt_out", form.flag("marketing_opt_out")),
        ("credit_status", "credit_status", form.text("credit_status")),
        ("lifetime_value", "lifetime_value", form.money("lifetime_value")),
        ("order_count", "order_count", form.number("order_count")),
    ],
    customer_no="read",
)

# Gorgias takes the time of creation, the channel and the first message at creation only [doc]; the time of closing
# follows from the status afterwards. Counts, the last message's time and scores are its own conclusions.
_GORGIAS_TICKET = _maps(
    [
        ("subject", "subject", form.text("subject", GORGIAS_SUBJECT_MAX)),
        ("status", "status", form.word("status")),
        ("priority", "priority", form.word("priority")),
        ("channel", "channel", form.text("channel")),
        ("assignee", "assignee_user_id", form.agent("assignee")),
        ("tags", "tags", form.elements("tags")),
        ("customer", "customer_id", form.customer_reference("customer")),
        ("created_at", "created_datetime", form.time("created_at")),
        ("closed_at", "closed_datetime", form.time("closed_at")),
        ("first_text", "first_message", form.first_message("first_text")),
        ("message_count", "messages_count", form.number("message_count")),
        ("last_message_at", "last_message_datetime", form.time("last_message_at")),
        ("satisfaction", "score", form.number("satisfaction")),
    ],
    channel="create",
    created_at="create",
    closed_at="create",
    first_text="create",
    message_count="read",
    last_message_at="read",
    satisfaction="read",
)

_HUBSPOT_TICKET = _maps(
    [
        ("subject", "subject", form.text("subject", HUBSPOT_STRING_MAX)),
        ("status", "hs_pipeline_stage", form.word("status")),
        ("priority", "hs_ticket_priority", form.word("priority")),
        ("channel", "sync_channel", form.text("channel")),
        ("assignee", "hubspot_owner_id", form.agent("assignee")),
        ("tags", "sync_tags", form.elements("tags")),
        ("customer", "contact", form.customer_reference("customer")),
        ("created_at", "createdate", form.time_ms("created_at")),
        ("closed_at", "closed_date", form.time_ms("closed_at")),
        ("first_text", "content", form.text("first_text", HUBSPOT_STRING_MAX)),
        ("message_count", "sync_message_count", form.number("message_count", as_text=True)),
        ("last_message_at", "sync_last_message_at", form.time_ms("last_message_at")),
        ("satisfaction", "sync_satisfaction", form.number("satisfaction", as_text=True)),
    ]
)

_ERP_TICKET = _maps(
    [
        ("subject", "subject", form.text("subject")),
        ("status", "status", form.word("status")),
        ("priority", "priority", form.word("priority")),
        ("channel", "channel", form.text("channel")),
        ("assignee", "owner_email", form.agent_by_email("assignee")),
        ("tags", "tags", form.elements("tags")),
        ("customer", "customer_id", form.customer_reference("customer")),
        ("created_at", "created_at", form.time("created_at")),
        ("closed_at", "closed_at", form.time("closed_at")),
        ("first_text", "first_text", form.text("first_text")),
        ("message_count", "message_count", form.number("message_count")),
        ("last_message_at", "last_message_at", form.time("last_message_at")),
        ("satisfaction", "satisfaction", form.number("satisfaction")),
    ]
)

_MAPS: Mapping[tuple[System, Entity], Mapping[str, FieldMap]] = {
    (System.GORGIAS, Entity.CUSTOMER): _GORGIAS_CUSTOMER,
    (System.HUBSPOT, Entity.CUSTOMER): _HUBSPOT_CUSTOMER,
    (System.ERP, Entity.CUSTOMER): _ERP_CUSTOMER,
    (System.GORGIAS, Entity.TICKET): _GORGIAS_TICKET,
    (System.HUBSPOT, Entity.TICKET): _HUBSPOT_TICKET,
    (System.ERP, Entity.TICKET): _ERP_TICKET,
}

FIELDS: Mapping[Entity, tuple[str, ...]] = {
    Entity.CUSTOMER: tuple(_ERP_CUSTOMER),
    Entity.TICKET: tuple(_ERP_TICKET),
}
SETS: Mapping[Entity, frozenset[str]] = {
    entity: frozenset(name for name in names if _KINDS.get(name) == "set") for entity, names in FIELDS.items()
}


def field_maps(system: System, entity: Entity) -> Mapping[str, FieldMap]:
    """Every field of an entity that this system has, by field."""
    return _MAPS[system, entity]


def observe(system: System, entity: Entity, attributes: Mapping[str, Json]) -> dict[str, Json]:
    """Field → theirs, for the fields whose attributes are all shown; a field that is not shown is absent, not empty."""
    out: dict[str, Json] = {}
    for name, one in field_maps(system, entity).items():
        names = one.attributes
        if len(names) == 1:
            if names[0] in attributes:
                out[name] = attributes[names[0]]
        elif all(attribute in attributes for attribute in names):
            out[name] = {attribute: attributes[attribute] for attribute in names}
    return out


def attributes_of(one: FieldMap, theirs: Json) -> dict[str, Json]:
    """The attributes that hold a field's value there: the inverse of `observe`, for a change."""
    if len(one.attributes) > 1:
        return {attribute: theirs[attribute] for attribute in one.attributes}
    return {one.attributes[0]: theirs}


def replaced(one: FieldMap, shadow: Json, current: Json, lexicon: Lexicon) -> Json:
    """What a write takes the place of, for `Change.was`.

    Where theirs is a list of which the record holds one element (`one_of`), that is the element as it is spelt there
    (`current` is the canonical value before the write); the other elements are not ours to touch. Else the shadow.
    """
    if not one.one_of or not isinstance(shadow, list):
        return shadow
    held = one.get(shadow, current, lexicon)
    return [element for element in shadow if held is not None and one.get([element], None, lexicon) == held]


_Normalise = Callable[[Json, Lexicon], str | None]


def _marker(value: Json, _lexicon: Lexicon) -> str | None:
    return value if isinstance(value, str) and _MARKER.match(value) else None


def _number(value: Json, _lexicon: Lexicon) -> str | None:
    return normalize.text(value)


def _email(value: Json, _lexicon: Lexicon) -> str | None:
    return normalize.email(value)


def _phone(value: Json, lexicon: Lexicon) -> str | None:
    return normalize.phone(value, lexicon.region)


_MARKERS: Mapping[str, tuple[str, _Normalise]] = dict.fromkeys(
    ("external_id", "sync_id", "sync_marker"), ("marker", _marker)
)
_KEYS: Mapping[Entity, Mapping[str, tuple[str, _Normalise]]] = {
    Entity.CUSTOMER: {
        **dict.fromkeys(("email", "emails", "email_2", "hs_additional_emails"), ("email", _email)),
        **dict.fromkeys(("phone", "phones"), ("phone", _phone)),
        **dict.fromkeys(("customer_no", "sync.customer_no", "sync_customer_no"), ("number", _number)),
        **_MARKERS,
    },
    Entity.TICKET: _MARKERS,
}


def match_keys(
    system: System, entity: Entity, attributes_or_fields: Mapping[str, Json], lexicon: Lexicon
) -> list[tuple[str, str]]:
    """What an object can be recognised by: ("email" | "phone" | "marker" | "number", normalised value), each once.

    Takes attributes or fields in the system's own form. All e-mails and phones count, not only the ones that the
    record holds. A marker is the record id that we wrote: 32 hexadecimal characters; any other filled `external_id`
    belongs to somebody else and is no key.
    """
    if (system, entity) not in _MAPS:
        raise KeyError((system, entity))
    found: dict[tuple[str, str], None] = {}
    for name, (kind, normalise) in _KEYS[entity].items():
        for value in _each(attributes_or_fields.get(name)):
            key = normalise(value, lexicon)
            if key is not None:
                found[kind, key] = None
    return list(found)


def _each(value: Json) -> Iterator[Json]:
    if isinstance(value, list):
        yield from value
    elif value is not None and value is not UNSET:
        yield value


def coherent(entity: Entity, fields: Mapping[str, Json], others: Iterable[Json] = ()) -> dict[str, Json]:
    """Fields that must be different for a record to hold together, with their values; empty where it does.

    The second e-mail is never the first one again: one system's primary address is often another's second. Then the
    first of `others` (further addresses seen, such as the primary one that lost) takes its place, else nothing does.
    """
    first = normalize.email(fields.get("email"))
    if entity is not Entity.CUSTOMER or first is None or normalize.email(fields.get("email_2")) != first:
        return {}
    spare = (normalize.email_text(other) for other in others)
    return {"email_2": next((one for one in spare if one is not None and normalize.email(one) != first), None)}


def constants(system: System, entity: Entity, lexicon: Lexicon) -> dict[str, Json]:
    """Attributes that a create sets beside the fields: HubSpot's stage belongs to a pipeline, named at birth."""
    if system is System.HUBSPOT and entity is Entity.TICKET:
        pipeline = words_of(lexicon.vocabulary.get("pipeline", {}).get("default"))
        return {"hs_pipeline": pipeline[0]} if pipeline else {}
    return {}


# Our own properties in HubSpot: label and type.
_PROPERTIES: Mapping[str, tuple[str, str]] = {
    "sync_customer_no": ("Customer number", "text"),
    "sync_note": ("Note", "text"),
    "sync_marketing_opt_out": ("Marketing opt-out", "bool"),
    "sync_credit_status": ("Credit status", "text"),
    "sync_lifetime_value": ("Lifetime value", "number"),
    "sync_order_count": ("Order count", "number"),
    "sync_channel": ("Channel", "text"),
    "sync_tags": ("Tags", "list"),
    "sync_message_count": ("Message count", "number"),
    "sync_last_message_at": ("Last message", "datetime"),
    "sync_satisfaction": ("Satisfaction", "number"),
}


def wanted(system: System, entity: Entity, policy: Policy) -> list[Property]:
    """What set-up must find or make in the account for the fields of the policy: our own properties in HubSpot."""
    if system is not System.HUBSPOT:
        return []
    out = [Property(entity, "sync_id", "Sync record id", "text", unique=True)]
    for name, one in field_maps(system, entity).items():
        if name in policy.entities[entity].fields:
            own = [attribute for attribute in one.attributes if attribute in _PROPERTIES]
            out.extend(Property(entity, attribute, *_PROPERTIES[attribute]) for attribute in own)
    return out
