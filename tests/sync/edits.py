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
    return {"gorgias": _gorgias, "hubspot": _hubspot, "erp": _erp}[system](field, row, world)


def _gorgias(field: str, row: Row, world: World) -> Any:
    if field == "email":
        return _lower(row["email"])
    if field == "email_2":
        mine = [c["address"].lower() for c in row["channels"] if c["type"] == "email"]
        return frozenset(mine) - {_lower(row["email"])}
    if field == "phone":
        return frozenset(digits(c["address"]) for c in row["channels"] if c["type"] == "phone")
    if field in SYNC_DATA:
        return neutral(field, ((row["data"] or {}).get("sync") or {}).get(field))
    if field == "assignee":
        return next((mail for mail, user in world.users.items() if user == str((row["assignee_user"] or {}).get("id"))), None)
    if field == "tags":
        return frozenset(tag["name"] for tag in row["tags"])
    if field == "customer":
        return _owner("gorgias", str((row["customer"] or {}).get("id")), world)
    if field == "satisfaction":
        return world.scores.get(str(row["id"]))
    name = {
        "created_at": "created_datetime", "closed_at": "closed_datetime", "last_message_at": "last_message_datetime",
        "message_count": "messages_count",
    }.get(field, field)  # fmt: skip
    return neutral(field, row.get(name))


def _hubspot(field: str, row: Row, world: World) -> Any:
    props = row["properties"]
    if field == "email_2":
        return frozenset(one.lower() for one in (props.get("hs_additional_emails") or "").split(";") if one)
    if field == "phone":
        return frozenset({digits(props["phone"])} if props.get("phone") else ())
    if field == "name":
        return " ".join(part for part in (props.get("firstname"), props.get("lastname")) if part) or None
    if field == "status":
        return STAGES[props["hs_pipeline_stage"]]
    if field == "priority":
        return PRIORITIES.get(props.get("hs_ticket_priority") or "")
    if field == "assignee":
        return next((mail for mail, owner in world.owners.items() if owner == props.get("hubspot_owner_id")), None)
    if field == "tags":
        return frozenset(tag.replace("\\;", ";") for tag in re.split(r"(?<!\\);", props.get("sync_tags") or "") if tag)
    if field == "customer":
        found = row.get("associations", {}).get("contacts", {}).get("results", [])
        ids = {one["id"] for one in found}
        assert len(ids) <= 1, "a ticket has one contact"
        return _owner("hubspot", ids.pop() if ids else "", world)
    name = {"language": "hs_language", "created_at": "createdate", "closed_at": "closed_date", "first_text": "content"}
    own = f"sync_{field}" if field in SYNC_PROPERTIES else field
    return neutral(field, props.get(name.get(field, own)))


def _erp(field: str, row: Row, world: World) -> Any:
    if field == "email_2":
        return frozenset({row["email_2"].lower()} if row["email_2"] else ())
    if field == "phone":
        return frozenset({digits(row["phone"])} if row["phone"] else ())
    if field == "name":
        return row["full_name"]
    if field == "status":
        return ERP_STATUS[row["status"]]
    if field == "assignee":
        return _lower(row["owner_email"])
    if field == "tags":
        return frozenset(row["tags"] or ())
    if field == "customer":
        return _owner("erp", str(row["customer_id"]), world)
    return neutral(field, row.get(field))


def _owner(system: str, external_id: str, world: World) -> str | None:
    return next((record for record, ids in world.customers.items() if ids.get(system) == external_id), None)


def neutral(field: str, value: Any) -> Any:
    """One spelling for numbers, times, truth values and blanks."""
    if value is None or value == "":
        return None
    if field.endswith("_at"):
        at = datetime.fromisoformat(str(value).replace("Z", "+00:00"))
        at = at.replace(tzinfo=at.tzinfo or UTC).astimezone(UTC)
        return at.replace(microsecond=at.microsecond // 1000 * 1000)
    if field in ("lifetime_value", "order_count", "message_count", "satisfaction"):
        return float(value)
    if field == "marketing_opt_out":
        return str(value).lower() in ("true", "1")
    if field == "language":
        return str(value).lower().split("-")[0]
    if field == "email":
        return str(value).lower()
    return str(value).strip().replace("\r\n", "\n")


def digits(phone: str) -> str:
    """The last nine digits: enough to tell the seeded numbers apart, whatever the spelling."""
    return re.sub(r"\D", "", phone)[-9:]


def _lower(value: str | None) -> str | None:
    return value.lower() if value else None


# --- how a field is edited --------------------------------------------------------------------------------------


def wants(system: str, field: str, trio: Trio, world: World) -> bool:
    """Whether this customer or ticket is one on which the edit means something."""
    if field in ("message_count", "last_message_at", "closed_at", "status"):
        return bool(trio["gorgias"]["status"] == "open" and trio["hubspot"]["properties"]["hs_pipeline_stage"] != "2")
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
    match field:
        case "email":
            return f"moved{n}@example.org"
        case "phone":
            return f"+1646555{1000 + n}"
        case "language":
            return "de" if now != "de" else "fr"
        case "marketing_opt_out":
            return not now
        case "credit_status":
            return "blocked" if now != "blocked" else "hold"
        case "lifetime_value":
            return f"{7000 + n}.25"
        case "order_count" | "message_count":
            return 4000 + n
        case "satisfaction":
            return 3
        case "priority":
            return "critical" if now != "critical" else "low"
        case "channel":
            return "phone" if now != "phone" else "sms"
        case "created_at" | "closed_at" | "last_message_at":
            return f"2026-02-03T04:05:{n % 60:02d}.678000+00:00"
        case "assignee":
            return next(mail for mail in sorted(world.users) if mail in world.owners and mail != now)
        case _:
            return f"Edited {field} {n}"


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
    names = {"language": "hs_language", "created_at": "createdate", "closed_at": "closed_date", "first_text": "content"}
    own = f"sync_{field}" if field in SYNC_PROPERTIES else field
    if field.endswith("_at"):
        value = f"{value[:23]}Z"
    return {names.get(field, own): str(value).lower() if isinstance(value, bool) else str(value)}


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
