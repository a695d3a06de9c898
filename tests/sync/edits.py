"""How each field is edited in each system, and how each system shows it: written from the vendors' forms alone.

Shares nothing with the platform's own mappings, so that a misreading cannot agree with itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

Row = dict[str, Any]
Trio = Mapping[str, Row]  # one customer or ticket as each system shows it

STAGES = {"1": "new", "2": "waiting", "3": "open", "4": "closed"}
ERP_STATUS = {"new": "new", "in_progress": "open", "waiting": "waiting", "resolved": "resolved", "closed": "closed"}
PRIORITIES = {"LOW": "low", "MEDIUM": "normal", "HIGH": "high", "URGENT": "critical"}
SYNC_DATA = {"company", "customer_no", "marketing_opt_out", "credit_status", "lifetime_value", "order_count"}
SYNC_PROPERTIES = {
    "customer_no", "note", "marketing_opt_out", "credit_status", "lifetime_value", "order_count",
    "channel", "message_count", "last_message_at", "satisfaction",
}  # fmt: skip
# What nobody can edit there, with the reason.
NO_EDIT = {
    ("gorgias", "created_at"): "the helpdesk sets it at creation",
    ("gorgias", "first_text"): "a message that was sent is never changed",
}


@dataclass(frozen=True)
class Edit:
    """kind, id and values of one edit in the vendor's form, and what each system should show of the field then."""

    kind: str
    id: str | None
    values: dict[str, Any]
    expected: dict[str, Any]


@dataclass(frozen=True)
class World:
    """What an edit may need to know: agents and owners by e-mail, customers by record, surveys by ticket."""

    users: Mapping[str, str]
    owners: Mapping[str, str]
    customers: Mapping[str, Mapping[str, str]]
    scores: Mapping[str, int]


# --- how a system shows a field ---------------------------------------------------------------------------------


def shows(system: str, field: str, row: Row, world: World) -> Any:
    """The field's value in neutral form; several numbers or further addresses as a set."""
    reader = _READERS.get((system, field))
    if reader is not None:
        return reader(row, world)
    if system == "gorgias":
        plain = ((row["data"] or {}).get("sync") or {}) if field in SYNC_DATA else row
        return neutral(field, plain.get(_GORGIAS_NAMES.get(field, field)))
    if system == "hubspot":
        own = f"sync_{field}" if field in SYNC_PROPERTIES else field
        return neutral(field, row["properties"].get(_HUBSPOT_NAMES.get(field, own)))
    return neutral(field, row.get(field))


_GORGIAS_NAMES = {
    "created_at": "created_datetime",
    "closed_at": "closed_datetime",
    "last_message_at": "last_message_datetime",
    "message_count": "messages_count",
}
_HUBSPOT_NAMES = {
    "language": "hs_language",
    "created_at": "createdate",
    "closed_at": "closed_date",
    "first_text": "content",
}


def _channels(row: Row, kind: str) -> list[str]:
    return [channel["address"] for channel in row["channels"] if channel["type"] == kind]


def _name_of(agents: Mapping[str, str], agent_id: object) -> str | None:
    return next((mail for mail, known in agents.items() if known == str(agent_id)), None)


def _split(text: str | None) -> list[str]:
    return [part.replace("\\;", ";") for part in re.split(r"(?<!\\);", text or "") if part]


def _contact(row: Row, world: World) -> str | None:
    ids = {one["id"] for one in row.get("associations", {}).get("contacts", {}).get("results", [])}
    assert len(ids) <= 1, "a ticket has one contact"
    return _owner("hubspot", ids.pop() if ids else "", world)


def _joined(row: Row, _world: World) -> str | None:
    parts = (row["properties"].get("firstname"), row["properties"].get("lastname"))
    return " ".join(part for part in parts if part) or None


_READERS: Mapping[tuple[str, str], Callable[[Row, World], Any]] = {
    ("gorgias", "email_2"): lambda row, _: frozenset(map(_lower, _channels(row, "email"))) - {_lower(row["email"])},
    ("gorgias", "phone"): lambda row, _: frozenset(map(digits, _channels(row, "phone"))),
    ("gorgias", "assignee"): lambda row, world: _name_of(world.users, (row["assignee_user"] or {}).get("id")),
    ("gorgias", "tags"): lambda row, _: frozenset(tag["name"] for tag in row["tags"]),
    ("gorgias", "customer"): lambda row, world: _owner("gorgias", str((row["customer"] or {}).get("id")), world),
    ("gorgias", "satisfaction"): lambda row, world: world.scores.get(str(row["id"])),
    ("hubspot", "email_2"): lambda row, _: frozenset(
        map(_lower, _split(row["properties"].get("hs_additional_emails")))
    ),
    ("hubspot", "phone"): lambda row, _: frozenset(map(digits, filter(None, [row["properties"].get("phone")]))),
    ("hubspot", "name"): _joined,
    ("hubspot", "status"): lambda row, _: STAGES[row["properties"]["hs_pipeline_stage"]],
    ("hubspot", "priority"): lambda row, _: PRIORITIES.get(row["properties"].get("hs_ticket_priority") or ""),
    ("hubspot", "assignee"): lambda row, world: _name_of(world.owners, row["properties"].get("hubspot_owner_id")),
    ("hubspot", "tags"): lambda row, _: frozenset(_split(row["properties"].get("sync_tags"))),
    ("hubspot", "customer"): _contact,
    ("erp", "email_2"): lambda row, _: frozenset(map(_lower, filter(None, [row["email_2"]]))),
    ("erp", "phone"): lambda row, _: frozenset(map(digits, filter(None, [row["phone"]]))),
    ("erp", "name"): lambda row, _: row["full_name"],
    ("erp", "status"): lambda row, _: ERP_STATUS[row["status"]],
    ("erp", "assignee"): lambda row, _: _lower(row["owner_email"]),
    ("erp", "tags"): lambda row, _: frozenset(row["tags"] or ()),
    ("erp", "customer"): lambda row, world: _owner("erp", str(row["customer_id"]), world),
}


def _owner(system: str, external_id: str, world: World) -> str | None:
    return next((record for record, ids in world.customers.items() if ids.get(system) == external_id), None)


def neutral(field: str, value: Any) -> Any:
    """One spelling for numbers, times, truth values and blanks."""
    if value is None or value == "":
        return None
    if field.endswith("_at"):
        at = datetime.fromisoformat(str(value))
        at = at.replace(tzinfo=at.tzinfo or UTC).astimezone(UTC)
        return at.replace(microsecond=at.microsecond // 1000 * 1000)
    if field in ("lifetime_value", "order_count", "message_count", "satisfaction"):
        return float(value)
    text = str(value).strip().replace("\r\n", "\n")
    spelt = {
        "marketing_opt_out": text.lower() in ("true", "1"),
        "language": text.lower().split("-")[0],
        "email": text.lower(),
    }
    return spelt.get(field, text)


def digits(phone: str) -> str:
    """The last nine digits: enough to tell the seeded numbers apart, whatever the spelling."""
    return re.sub(r"\D", "", phone)[-9:]


def _lower(value: str | None) -> str | None:
    return value.lower() if value else None


# --- how a field is edited --------------------------------------------------------------------------------------


def wants(system: str, field: str, trio: Trio, world: World) -> bool:
    """Whether this customer or ticket is one on which the edit means something."""
    if field in ("message_count", "last_message_at", "closed_at", "status"):
        helpdesk = trio["gorgias"]
        talks = helpdesk["status"] == "open" and helpdesk["channel"] != "internal-note"
        return bool(talks and trio["hubspot"]["properties"]["hs_pipeline_stage"] != "2")
    if field == "satisfaction":
        return str(trio["gorgias"]["id"]) not in world.scores
    if field in ("email", "email_2"):
        mails = {shows(s, "email", trio[s], world) for s in trio}
        return len(mails) == 1 and None not in mails and not any(shows(s, "email_2", trio[s], world) for s in trio)
    return True


def edit_of(system: str, field: str, n: int, trio: Trio, world: World) -> Edit:
    """The n-th edit of a field in a system, as a person or program there makes it."""
    row = trio[system]
    kind = {"gorgias": "customers", "hubspot": "contacts", "erp": "customers"}
    if "subject" in trio["erp"]:
        kind = dict.fromkeys(kind, "tickets")
    special = _SPECIAL.get((system, field))
    if special is not None:
        special_kind, values, shown = special(n, trio, world)
        target = None if special_kind else str(row["id"])
        return Edit(special_kind or kind[system], target, values, dict.fromkeys(trio, shown))
    value = _value(field, n, shows(system, field, row, world), world)
    expected = frozenset({digits(value)}) if field == "phone" else neutral(field, value)
    return Edit(kind[system], str(row["id"]), _FORMS[system](field, value, row), dict.fromkeys(trio, expected))


def _value(field: str, n: int, now: Any, world: World) -> Any:
    """A value that the field does not have now."""
    if field in _EITHER:
        one, other = _EITHER[field]
        return one if now != one else other
    if field == "marketing_opt_out":
        return not now
    if field == "assignee":
        return next(mail for mail in sorted(world.users) if mail in world.owners and mail != now)
    if field in ("created_at", "closed_at", "last_message_at"):
        return f"2026-02-03T04:05:{n % 60:02d}.678000+00:00"
    fresh = {"email": f"moved{n}@example.org", "phone": f"+1646555{1000 + n}", "lifetime_value": f"{7000 + n}.25"}
    counts = {"order_count": 4000 + n, "message_count": 4000 + n, "satisfaction": 3}
    return fresh.get(field) or counts.get(field) or f"Edited {field} {n}"


_EITHER = {
    "language": ("de", "fr"),
    "credit_status": ("blocked", "hold"),
    "priority": ("critical", "low"),
    "channel": ("phone", "sms"),
}


def _in_gorgias(field: str, value: Any, row: Row) -> dict[str, Any]:
    if field in SYNC_DATA:
        data = row["data"] or {}
        return {"data": {**data, "sync": {**data.get("sync", {}), field: value}}}
    return {field: value}


def _in_hubspot(field: str, value: Any, _row: Row) -> dict[str, Any]:
    if field == "name":
        first, last = value.split(" ", 1)
        return {"firstname": first, "lastname": last}
    if field == "priority":
        return {"hs_ticket_priority": {v: k for k, v in PRIORITIES.items()}[value]}
    own = f"sync_{field}" if field in SYNC_PROPERTIES else field
    if field.endswith("_at"):
        value = f"{value[:23]}Z"
    return {_HUBSPOT_NAMES.get(field, own): str(value).lower() if isinstance(value, bool) else str(value)}


def _in_erp(field: str, value: Any, _row: Row) -> dict[str, Any]:
    if field == "name":
        first, last = value.split(" ", 1)
        return {"full_name": value, "first_name": first, "last_name": last}
    return {"owner_email" if field == "assignee" else field: value}


_FORMS: Mapping[str, Callable[[str, Any, Row], dict[str, Any]]] = {
    "gorgias": _in_gorgias,
    "hubspot": _in_hubspot,
    "erp": _in_erp,
}


def _status(system: str, word: str, meaning: str) -> Callable[..., tuple[str | None, dict[str, Any], Any]]:
    name = {"gorgias": "status", "hubspot": "hs_pipeline_stage", "erp": "status"}[system]
    return lambda _n, _trio, _world: (None, {name: word}, meaning)


def _further(system: str) -> Callable[..., tuple[str | None, dict[str, Any], Any]]:
    def edit(n: int, trio: Trio, world: World) -> tuple[str | None, dict[str, Any], Any]:
        mail = f"further{n}@example.org"
        values: dict[str, Any] = {"email_2": mail}
        if system == "gorgias":
            values = {"emails": [trio["gorgias"]["email"], mail]}
        if system == "hubspot":
            values = {"hs_additional_emails": mail}
        return None, values, frozenset({mail})

    return edit


def _tag(system: str) -> Callable[..., tuple[str | None, dict[str, Any], Any]]:
    def edit(n: int, trio: Trio, world: World) -> tuple[str | None, dict[str, Any], Any]:
        after = {*shows(system, "tags", trio[system], world), f"edited; {n}"}
        value: Any = sorted(after)
        if system == "hubspot":
            return None, {"sync_tags": ";".join(tag.replace(";", "\\;") for tag in value)}, frozenset(after)
        return None, {"tags": value}, frozenset(after)

    return edit


def _other_customer(system: str) -> Callable[..., tuple[str | None, dict[str, Any], Any]]:
    def edit(_n: int, trio: Trio, world: World) -> tuple[str | None, dict[str, Any], Any]:
        now = shows(system, "customer", trio[system], world)
        record = next(one for one in sorted(world.customers) if one != now)
        name = {"gorgias": "customer_id", "hubspot": "contact", "erp": "customer_id"}[system]
        there = world.customers[record][system]
        return None, {name: there if system == "hubspot" else int(there)}, record

    return edit


def _assigned(n: int, trio: Trio, world: World) -> tuple[str | None, dict[str, Any], Any]:
    mail = _value("assignee", n, shows("hubspot", "assignee", trio["hubspot"], world), world)
    return None, {"hubspot_owner_id": world.owners[mail]}, mail


def _message(n: int, trio: Trio, _world: World) -> tuple[str | None, dict[str, Any], Any]:
    values = {"ticket_id": int(trio["gorgias"]["id"]), "text": f"Another word {n}", "from_agent": False}
    return "messages", values, ...


def _score(_n: int, trio: Trio, _world: World) -> tuple[str | None, dict[str, Any], Any]:
    return "surveys", {"ticket_id": int(trio["gorgias"]["id"]), "score": 4}, 4.0


# `...` as what is expected: whatever the origin shows afterwards.
_SPECIAL: Mapping[tuple[str, str], Callable[..., tuple[str | None, dict[str, Any], Any]]] = {
    ("gorgias", "status"): _status("gorgias", "closed", "closed"),
    ("hubspot", "status"): _status("hubspot", "2", "waiting"),
    ("erp", "status"): _status("erp", "resolved", "resolved"),
    ("gorgias", "closed_at"): lambda _n, _t, _w: (None, {"status": "closed"}, ...),
    ("gorgias", "message_count"): _message,
    ("gorgias", "last_message_at"): _message,
    ("gorgias", "satisfaction"): _score,
    ("hubspot", "assignee"): _assigned,
    **{(system, "email_2"): _further(system) for system in ("gorgias", "hubspot", "erp")},
    **{(system, "tags"): _tag(system) for system in ("gorgias", "hubspot", "erp")},
    **{(system, "customer"): _other_customer(system) for system in ("gorgias", "hubspot", "erp")},
}

# What a system can show of a finer state: its own word for it.
COARSE = {
    "gorgias": {"new": "open", "waiting": "open", "open": "open", "resolved": "closed", "closed": "closed"},
    "hubspot": {"resolved": "closed"},
}


def coarse(system: str, field: str, value: Any) -> Any:
    return COARSE.get(system, {}).get(value, value) if field == "status" else value


def sql_value(name: str, value: Any, *, postgres: bool) -> Any:
    """A value as a program beside us writes it into the ERP by SQL."""
    if name == "tags":
        return json.dumps(value)
    if name.endswith("_at"):
        at = datetime.fromisoformat(value)
        return at if postgres else at.strftime("%Y-%m-%d %H:%M:%S.%f")
    return value
