"""The normal form of property values: every value is a string on the wire, and each type accepts certain inputs.

Numbers come back in a form that may differ from the input (here: without trailing zeros), dates as YYYY-MM-DD, times as
ISO 8601 with a Z, e-mails trimmed and in lower case [doc; the form of numbers is inferred].
"""

import json
import re
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from sync_platform.sandbox.hubspot.wire import Refusal, epoch_ms, stamp

STRING_MAX = 65_536
_EMAIL = re.compile(r"[^@\s,;:<>()\"]+@[^@\s,;:<>()\"]+\.[^@\s.,;:<>()\"]{2,}")
_DAY_MS = 86_400_000
# Calling codes that the search twin of a phone number leaves out [inferred: the documentation names no list].
_CALLING_CODES = ("972", "420", "1", "44", "33", "34", "39", "49", "61", "81", "86", "91")


class ValueProblem(Exception):
    """One value that a property doesn't take."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Property:
    """What writing and searching need to know of one property; `doc` is what GET shows."""

    name: str
    type: str
    field_type: str
    unique: bool
    read_only: bool
    options: frozenset[str]
    ready_ms: int
    archived: bool
    doc: dict[str, Any]

    @property
    def multiple(self) -> bool:
        """Whether a value is a list."""
        return self.field_type == "checkbox"

    @classmethod
    def of(cls, doc: dict[str, Any], ready_ms: int) -> "Property":
        """From its document."""
        return cls(
            doc["name"],
            doc["type"],
            doc["fieldType"],
            bool(doc.get("hasUniqueValue")),
            bool(doc["modificationMetadata"]["readOnlyValue"]),
            frozenset(option["value"] for option in doc["options"]),
            ready_ms,
            bool(doc["archived"]),
            doc,
        )


def as_text(raw: Any) -> str:
    """A JSON input as the string that HubSpot sees: true -> "true", 12 -> "12"."""
    if isinstance(raw, str):
        return raw
    if isinstance(raw, bool):
        return "true" if raw else "false"
    if isinstance(raw, int | float):
        return str(raw)
    raise ValueProblem("INVALID_VALUE", "a property value must be a string, a number or a boolean")


def normal(prop: Property, raw: Any, old: str | None = None) -> str:
    """The stored form of a value; "" clears. Raises ValueProblem."""
    text = as_text(raw)
    if text == "":
        return ""
    if prop.name == "email":
        return email(text)
    match prop.type:
        case "number":
            return _number(text)
        case "date":
            return _date(text)
        case "datetime":
            return _datetime(text)
        case "bool":
            return _option(prop, text.lower())
        case "enumeration":
            return _several(prop, text, old) if prop.multiple else _option(prop, text)
    if len(text) > STRING_MAX:
        raise ValueProblem("VALUE_TOO_LONG", f"the value is longer than {STRING_MAX} characters")
    return text


def email(text: str) -> str:
    """An address trimmed and in lower case. Raises ValueProblem(INVALID_EMAIL)."""
    address = text.strip().lower()
    if not _EMAIL.fullmatch(address):
        raise ValueProblem("INVALID_EMAIL", f"Email address {text} is invalid")
    return address


def _number(text: str) -> str:
    try:
        number = Decimal(text.strip())
    except InvalidOperation:
        raise ValueProblem("INVALID_INTEGER", f"{text} was not a valid number.") from None
    if not number.is_finite() or abs(number.adjusted()) > 300:
        raise ValueProblem("INVALID_INTEGER", f"{text} was not a valid number.")
    plain = format(number, "f")
    if "." in plain:
        plain = plain.rstrip("0").rstrip(".")
    return "0" if plain in ("-0", "") else plain


def _date(text: str) -> str:
    try:
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
            return date.fromisoformat(text).isoformat()
        ms = int(text)
        day = stamp(epoch_ms(text))[:10]
    except ValueError:
        raise ValueProblem("INVALID_DATE", f"{text} was not a valid date.") from None
    if ms % _DAY_MS:
        raise ValueProblem("INVALID_DATE", f"{text} is not at midnight UTC.")
    return day


def _datetime(text: str) -> str:
    try:
        if len(text) == 10 and not text.isdigit():
            datetime.fromisoformat(text)
        return stamp(epoch_ms(text))
    except (ValueError, OverflowError):
        raise ValueProblem("INVALID_LONG", f"{text} was not a valid long.") from None


def _option(prop: Property, value: str) -> str:
    if value not in prop.options:
        listed = ", ".join(f'label: "{row["label"]}" value: "{row["value"]}"' for row in prop.doc["options"][:50])
        raise ValueProblem("INVALID_OPTION", f"{value} was not one of the allowed options: [{listed}]")
    return value


def _several(prop: Property, text: str, old: str | None) -> str:
    """A `;`-list; a leading `;` appends to what is there [doc]."""
    parts = [part.strip() for part in text.split(";") if part.strip()]
    if text.startswith(";") and old:
        parts = old.split(";") + parts
    # A list without options is free (merged ids, additional e-mails).
    return ";".join(dict.fromkeys(_option(prop, part) if prop.options else part for part in parts))


def formatted_phone(text: str) -> str:
    """A number as an account with automatic formatting keeps it: its digits after a plus; others stay as they are."""
    digits = re.sub(r"\D", "", text)
    return f"+{digits}" if text.strip().startswith("+") and digits else text


def searchable_phone(text: str | None) -> str | None:
    """The digits of a number without its country code, as HubSpot's search twin of a phone property holds them."""
    if not text:
        return text
    digits = re.sub(r"\D", "", text)
    international = text.strip().startswith("+") or digits.startswith("00")
    digits = digits.removeprefix("00") if international else digits
    if international:
        code = next((code for code in _CALLING_CODES if digits.startswith(code)), "")
        return digits.removeprefix(code)
    if len(digits) == 11 and digits.startswith("1"):
        return digits[1:]
    return digits.removeprefix("0")


def invalid(problems: list[tuple[str, str, str]], portal_id: int) -> Refusal:
    """The 400 of property values: (name, code, message) each; a JSON list inside the message [recorded]."""
    rows = [
        {
            "isValid": False,
            "message": message,
            "error": code,
            "name": name,
            "localizedErrorMessage": message,
            "portalId": portal_id,
        }
        for name, code, message in problems
    ]
    errors = [
        {"message": message, "code": code, "context": {"propertyName": [name]}} for name, code, message in problems
    ]
    text = json.dumps(rows, ensure_ascii=False, separators=(",", ":"))
    return Refusal(400, f"Property values were not valid: {text}", "VALIDATION_ERROR", errors=errors)
