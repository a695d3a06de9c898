"""What people type, and how an onlooker reads it back: the simulation's own words for values, apart from the mappings.

A person is `p1`, `p2`, …; a ticket is `t1`, `t2`, …. The name of a person is in every e-mail address of theirs, the
name of a ticket is its channel, which nobody edits: so every object tells whose it is, whoever made it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from sync_platform.core.records import Entity, Json, System

G, H, E = System.GORGIAS, System.HUBSPOT, System.ERP
FIELDS: Mapping[Entity, tuple[str, ...]] = {
    Entity.CUSTOMER: ("name", "phone", "company", "note", "language", "opt_out", "credit", "orders"),
    Entity.TICKET: ("subject", "status", "priority", "tags"),
}
# The words of the policy's own fields.
POLICY_FIELD = {"opt_out": "marketing_opt_out", "credit": "credit_status", "orders": "order_count"}
LANGUAGES = ("en", "de", "fr", "es", "it")
CREDIT = ("ok", "hold", "blocked")
STATES = {
    G: {"open": "open", "new": "open", "waiting": "open", "closed": "closed", "resolved": "closed"},
    H: {"open": "3", "new": "1", "waiting": "2", "closed": "4", "resolved": "4"},
    E: {"open": "in_progress", "new": "new", "waiting": "waiting", "closed": "closed", "resolved": "resolved"},
}
PRIORITIES = {
    G: ("low", "normal", "high", "critical"),
    H: ("LOW", "MEDIUM", "HIGH", "URGENT"),
    E: ("low", "normal", "high", "critical"),
}
PLAIN = {
    "company": {G: "sync.company", H: "company", E: "company"},
    "note": {G: "note", H: "sync_note", E: "note"},
    "language": {G: "language", H: "hs_language", E: "language"},
    "opt_out": {G: "sync.marketing_opt_out", H: "sync_marketing_opt_out", E: "marketing_opt_out"},
    "credit": {G: "sync.credit_status", H: "sync_credit_status", E: "credit_status"},
    "orders": {G: "sync.order_count", H: "sync_order_count", E: "order_count"},
    "subject": {G: "subject", H: "subject", E: "subject"},
    "status": {G: "status", H: "hs_pipeline_stage", E: "status"},
    "priority": {G: "priority", H: "hs_ticket_priority", E: "priority"},
    "tags": {G: "tags", H: "sync_tags", E: "tags"},
}
CHANNEL = {G: "channel", H: "sync_channel", E: "channel"}
REFERENCE = {G: "customer_id", H: "contact", E: "customer_id"}
# What these systems refuse, wherever it comes from.
REFUSED = {(H, "note"): "Unfit", (E, "company"): "Unfit"}
_WHOSE = re.compile(r"^(p\d+)[.@]")


@dataclass(frozen=True, slots=True)
class Typed:
    """Attributes as a person types them, and what they mean."""

    attributes: Mapping[str, Json]
    meaning: Json


def attributes_for(system: System, field: str) -> tuple[str, ...]:
    """The attributes that hold a field there."""
    if field == "name":
        return {G: ("name",), H: ("firstname", "lastname"), E: ("full_name", "first_name", "last_name")}[system]
    if field == "phone":
        return ("phones",) if system is G else ("phone",)
    return (PLAIN[field][system],)


def blanks(system: System, entity: Entity) -> dict[str, Json]:
    """What an object shows of which nothing is known."""
    out: dict[str, Json] = {}
    for field in FIELDS[entity]:
        out |= dict.fromkeys(attributes_for(system, field))
    if entity is Entity.TICKET:
        return out | {PLAIN["tags"][system]: [], REFERENCE[system]: None}
    further = {G: "emails", H: "hs_additional_emails", E: "email_2"}[system]
    out |= {further: None if system is E else [], "email": None}
    return out | ({"phones": [], "sync.customer_no": None} if system is G else {})


# Codes before the numbers that belong to nobody: no two acts give one phone to two people.
AREAS = (202, 212, 213, 214, 215, 216, 217, 218, 219, 301, 302, 303, 304, 305, 307, 308, 309, 310, 312, 313)
# Keeps what depends on a number's remainders.
FROM_BIRTH = 110000


def typed(system: System, field: str, number: int, held: Mapping[str, Json]) -> Typed:
    """What a person types as their edit number `number`; some numbers blank a field, some are refused elsewhere."""
    if field == "tags":
        return _tags(system, number, held)
    if number % 11 == 0 and field in ("name", "phone", "company", "note"):
        return Typed(
            dict.fromkeys(attributes_for(system, field), [] if (system, field) == (G, "phone") else None), None
        )
    if field == "name":
        first, last = "Ada", f"Case{number}"
        parts = {G: (f"{first} {last}",), H: (first, last), E: (f"{first} {last}", first, last)}[system]
        return Typed(dict(zip(attributes_for(system, field), parts, strict=True)), f"{first} {last}".casefold())
    if field == "phone":
        digits = f"{AREAS[number // 10000 % len(AREAS)]}555{number % 10000:04d}"
        spelt = (f"+1{digits}", f"({digits[:3]}) {digits[3:6]}-{digits[6:]}")[number % 2]
        return Typed({attributes_for(system, field)[0]: [spelt] if system is G else spelt}, digits)
    value, meaning = _plain(system, field, number)
    return Typed({PLAIN[field][system]: value}, meaning)


def _plain(system: System, field: str, number: int) -> tuple[Json, Json]:
    if field in ("company", "note", "subject"):
        text = f"{'Unfit' if number % 13 == 0 and field != 'subject' else field.title()} {number}"
        return text, text.casefold()
    if field == "language":
        return LANGUAGES[number % 5], LANGUAGES[number % 5]
    if field == "opt_out":
        said = number % 2 == 0
        return (str(said).lower() if system is H else said), said
    if field == "credit":
        return CREDIT[number % 3], CREDIT[number % 3]
    if field == "orders":
        return (str(number) if system is H else number), number
    if field == "status":
        ours = tuple(STATES[E])[number % 5]
        return STATES[system][ours], {ours} | {one for one in STATES[E] if STATES[system][one] == STATES[system][ours]}
    return PRIORITIES[system][number % 4], number % 4


def _tags(system: System, number: int, held: Mapping[str, Json]) -> Typed:
    now = list(held.get(PLAIN["tags"][system]) or [])
    if now and number % 3 == 0:
        gone = now[number % len(now)]
        return Typed({PLAIN["tags"][system]: [one for one in now if one != gone]}, ("-", gone))
    return Typed({PLAIN["tags"][system]: sorted({*now, f"tag{number}"})}, ("+", f"tag{number}"))


def read(system: System, field: str, attributes: Mapping[str, Json]) -> Json:
    """What an onlooker reads: blanks are None, spelling does not count; a state is the set of states it may mean."""
    shown = [attributes.get(one) for one in attributes_for(system, field)]
    if field == "name":
        name = shown[0] if system in (G, E) else " ".join(str(one) for one in shown if one)
        return str(name).casefold() if name else None
    if field == "phone":
        found = shown[0] if isinstance(shown[0], list) else [shown[0]]
        return [re.sub(r"\D", "", str(one))[-10:] for one in found if one] or None
    value = shown[0]
    if field == "tags":
        return sorted(value or [])
    if value is None or value == "":
        return None
    if field == "opt_out":
        return str(value).lower() == "true"
    if field == "orders":
        return int(value)
    if field == "status":
        return {one for one in STATES[E] if STATES[system][one] == value}
    return PRIORITIES[system].index(value) if field == "priority" else str(value).casefold()


def alike(field: str, one: Json, other: Json) -> bool:
    """Whether two readings can be of one value."""
    if field in ("phone", "status"):
        return (one is None and other is None) or bool(set(_several(one)) & set(_several(other)))
    return bool(one == other)


def _several(value: Json) -> list[Json]:
    return [] if value is None else list(value) if isinstance(value, (list, set)) else [value]


def refused(system: System, field: str, meaning: Json) -> bool:
    """Whether a system will not take this."""
    word = REFUSED.get((system, field))
    return word is not None and isinstance(meaning, str) and meaning.startswith(word.casefold())


def whose(entity: Entity, system: System, attributes: Mapping[str, Json]) -> str:
    """Whose object this is; empty where it does not say."""
    if entity is Entity.TICKET:
        return str(attributes.get(CHANNEL[system]) or "")
    found = _WHOSE.match(str(attributes.get("email") or ""))
    return found.group(1) if found else ""
