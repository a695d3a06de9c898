"""HubSpot's refusals in our own words.

Error bodies are {message, correlationId, category, errors[], context}; every field may be missing, and 5xx bodies may
be HTML [recorded]. `message` repeats values, so none of its text leaves this module: only codes, names of properties,
ids of records and correlation ids do. The status decides first; a 429 body differs by source, so its limit is read
from `policyName`, then from words [recorded, code]. A 423 lock lasts about two seconds, 477 carries Retry-After in
seconds [doc].
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sync_platform.connectors.hubspot_rows import CONTACT
from sync_platform.core.records import Json, System
from sync_platform.errors import (
    Misconfigured,
    NotAllowed,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    SyncError,
    Unavailable,
)

EXISTS, ASSOCIATION = "EXISTS", "INVALID_ASSOCIATION"
LOCK_S = 2.0
DAY_FREEZE_S = 300.0


@dataclass(frozen=True, slots=True)
class Complaint:
    """What an error body complains about; no text of HubSpot's own, as it repeats values."""

    code: str
    status: int | None = None
    fields: tuple[str, ...] = ()
    existing: str | None = None
    traces: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    correlation: str | None = None

    @property
    def words(self) -> str:
        """Code and names of properties."""
        return f"{self.code}: {', '.join(self.fields)}" if self.fields else self.code


class Refused(Rejected):
    """HubSpot refused the call; `complaint` says about what."""

    def __init__(self, complaint: Complaint) -> None:
        self.complaint = complaint
        super().__init__(
            complaint.words,
            system=System.HUBSPOT,
            code=complaint.code,
            status=complaint.status,
            correlation=complaint.correlation,
        )


def complained(error: Rejected) -> Complaint:
    """What a refused call of a single row complains about."""
    if isinstance(error, Refused):
        return error.complaint
    return Complaint(error.code or type(error).__name__, error.status, correlation=error.correlation)


_NAME = re.compile(r"^[a-z][a-z0-9_]{0,99}$")
_CODE = re.compile(r"^[A-Za-z][A-Za-z0-9_.]{0,79}$")
_LIST = re.compile(r"\[\{.*\}\]", re.DOTALL)
_BAD_ASSOCIATION = "One or more associations are invalid"
_EXISTING = re.compile(r"existing\s+id:?\s*([0-9]+)", re.IGNORECASE)


def _named(values: Json) -> list[str]:
    """Property names among `values`; whatever does not look like one could be a value and is left out."""
    listed = values if isinstance(values, list) else [values]
    return [one for one in listed if isinstance(one, str) and _NAME.match(one)]


def _coded(value: Json) -> str | None:
    return value if isinstance(value, str) and _CODE.match(value) else None


def complaint_of(body: Json, status: int | None) -> Complaint:
    """Read an error body or one entry of a batch's `errors`.

    The JSON list inside `message` may hold more rows than `errors` [recorded: 4 against 3], so both are read.
    """
    body = body if isinstance(body, dict) else {}
    message = body.get("message") if isinstance(body.get("message"), str) else ""
    codes: list[str] = []
    fields: list[str] = []
    for entry in body.get("errors") or ():
        if not isinstance(entry, dict):
            continue
        codes += [code for code in (_coded(entry.get("code")), _coded(entry.get("subCategory"))) if code]
        fields += _named((entry.get("context") or {}).get("propertyName") or [])
        fields += _named(entry.get("in") or [])
    match = _LIST.search(message)
    for entry in _rows(match.group()) if match else ():
        fields += _named(entry.get("name") or [])
        codes += [code for code in (_coded(entry.get("error")),) if code]
    context = body.get("context") if isinstance(body.get("context"), dict) else {}
    fields += _named(context.get("propertyName") or [])
    existing = [str(one) for one in context.get("existingId") or () if str(one).isdigit()]
    existing += _EXISTING.findall(message)
    category = _coded(body.get("category"))
    if existing or category == "CONFLICT":
        codes, fields = [EXISTS], fields or ["email"]
    elif "INVALID_OBJECT_IDS" in context or message.startswith(_BAD_ASSOCIATION):  # context and message [recorded]
        codes, fields = [ASSOCIATION], [CONTACT]
    return Complaint(
        code=codes[0] if codes else category or f"HTTP_{status or 'ROW'}",
        status=status or (409 if codes[:1] == [EXISTS] else None),
        fields=tuple(dict.fromkeys(fields)),
        existing=existing[0] if existing else None,
        traces=tuple(str(one) for one in context.get("objectWriteTraceId") or ()),
        ids=tuple(str(one) for one in context.get("ids") or ()),
        correlation=_correlation(body),
    )


def _rows(text: str) -> list[dict[str, Any]]:
    try:
        found = json.loads(text)
    except ValueError:
        return []
    return [one for one in found if isinstance(one, dict)]


def _correlation(body: Json) -> str | None:
    value = body.get("correlationId") if isinstance(body, dict) else None
    return value if isinstance(value, str) and re.fullmatch(r"[0-9a-fA-F-]{8,64}", value) else None


def scopes_missing(body: Json) -> list[str]:
    """Scopes named by a 403, in either of the two recorded shapes."""
    holders = [body, *(body.get("errors") or [])] if isinstance(body, dict) else []
    found: list[str] = []
    for holder in holders:
        context = holder.get("context") if isinstance(holder, dict) else None
        for key in ("requiredGranularScopes", "requiredScopes"):
            source = context if isinstance(context, dict) and context.get(key) else holder
            values = source.get(key) if isinstance(source, dict) else None
            found += [one for one in values or () if isinstance(one, str) and re.fullmatch(r"[a-z0-9._-]+", one)]
    return list(dict.fromkeys(found))


def frozen_limit(body: Json, limits: Sequence[str]) -> tuple[str, float]:
    """Which limit a 429 speaks of and for how many seconds to stay away."""
    body = body if isinstance(body, dict) else {}
    said = f"{body.get('policyName') or ''} {body.get('message') or ''}".upper()
    if "DAILY" in said:
        return "day", DAY_FREEZE_S
    if "TEN_SECONDLY" in said:
        return ("ten_seconds", 10.0) if "ten_seconds" in limits else (limits[0], 1.0)
    return (limits[0], 1.0) if "search" in limits else ("ten_seconds", 1.0 if "SECONDLY" in said else 10.0)


def error_of(status: int, body: Json, headers: Mapping[str, str], *, write: bool, wait_s: float = 1.0) -> SyncError:
    """The one table from an answer's status to our errors."""
    code = _coded(body.get("category")) if isinstance(body, dict) else None
    correlation = _correlation(body) or _header_id(headers)
    system, code = System.HUBSPOT, code or f"HTTP_{status}"
    if status == 401:
        return NotAllowed(
            "the access token is refused", system=system, code=code, status=status, correlation=correlation
        )
    if status == 403:
        scopes = scopes_missing(body)
        words = f"the access token lacks {', '.join(scopes)}" if scopes else "the access token lacks a right"
        return NotAllowed(words, system=system, code=code, status=status, correlation=correlation)
    if status == 404:
        return NotFound("not found", system=system, code=code, status=status, correlation=correlation)
    if status == 429:
        return RateLimited(wait_s=wait_s, system=system, code=code, status=status, correlation=correlation)
    if status in (408, 423, 477, 503):
        wait = LOCK_S if status == 423 else seconds_of(headers)
        return Unavailable(wait_s=wait, system=system, code=code, status=status, correlation=correlation)
    if status >= 500:
        kind = OutcomeUnknown if write else Unavailable
        return kind(wait_s=None, system=system, code=code, status=status, correlation=correlation)
    if 300 <= status < 400:
        remedy = "Correct HUBSPOT_BASE_URL: the API itself never redirects."
        return Misconfigured("the base URL redirects", system=system, code=code, status=status, remedy=remedy)
    return Refused(complaint_of(body, status))


def _header_id(headers: Mapping[str, str]) -> str | None:
    value = headers.get("x-hubspot-correlation-id", "")
    return value if re.fullmatch(r"[0-9a-fA-F-]{8,64}", value) else None


def seconds_of(headers: Mapping[str, str]) -> float | None:
    """Retry-After, where it is a number of seconds."""
    text = headers.get("retry-after", "")
    return float(text) if text.isdigit() else None
