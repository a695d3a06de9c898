"""What goes over HubSpot's wire: one call in, one answer out, refusals in its error envelope, its forms of time.

Facts used here: the envelope is {status, message, correlationId, category?, subCategory?, errors?, context?, links?}
and any field but the first three may be missing [recorded]; times are ISO 8601 in UTC with milliseconds and a Z, but
the fraction is left out when it is zero [recorded].
"""

import json
import re
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import parse_qs, quote

if TYPE_CHECKING:
    from sync_platform.sandbox.hubspot.oauth import Grant

Json = Any
MS_MAX = 253_402_300_799_999  # the last millisecond of the year 9999


class Refusal(Exception):
    """A call or a row that HubSpot turns down. `context` values are lists of strings, as HubSpot sends them."""

    def __init__(
        self,
        status: int,
        message: str,
        category: str | None = None,
        *,
        sub: str | None = None,
        errors: list[dict[str, Any]] | None = None,
        context: Mapping[str, list[str]] | None = None,
        links: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{status} {category or ''}")
        self.status = status
        self.message = message
        self.category = category
        self.sub = sub
        self.errors = errors
        self.context = dict(context or {})
        self.links = links

    def body(self, correlation_id: str) -> dict[str, Any]:
        """The body of a whole call that was refused."""
        body: dict[str, Any] = {"status": "error", "message": self.message, "correlationId": correlation_id}
        optional = {
            "category": self.category,
            "subCategory": self.sub,
            "errors": self.errors,
            "context": self.context,
            "links": self.links,
        }
        body.update({name: value for name, value in optional.items() if value})
        return body

    def row(self, **context: list[str]) -> dict[str, Any]:
        """One entry of `errors` in a 207; the SDK's model requires each of these fields."""
        row: dict[str, Any] = {
            "status": "error",
            "category": self.category or "VALIDATION_ERROR",
            "message": self.message,
            "errors": self.errors or [],
            "context": {**self.context, **context},
            "links": dict(self.links or {}),
        }
        if self.sub:
            row["subCategory"] = self.sub
        return row


@dataclass(slots=True)
class Answer:
    """Status, a JSON value (None = no body) and further headers."""

    status: int
    body: Json = None
    headers: tuple[tuple[bytes, bytes], ...] = ()


@dataclass(slots=True)
class Call:
    """One HTTP request, already authenticated. `parts` is the path without its version."""

    method: str
    path: str
    parts: tuple[str, ...]
    version: str
    raw_query: str
    raw_body: bytes
    host: str
    now_ms: int
    grant: "Grant | None" = None  # what an OAuth token stands for; None = the private app's token
    _query: dict[str, list[str]] | None = field(default=None)

    def query(self) -> dict[str, list[str]]:
        """The query string; blank values are kept."""
        if self._query is None:
            self._query = parse_qs(self.raw_query, keep_blank_values=True) if self.raw_query else {}
        return self._query

    def text(self, name: str, default: str | None = None) -> str | None:
        """The last value of a parameter."""
        values = self.query().get(name)
        return values[-1] if values else default

    def names(self, name: str) -> list[str] | None:
        """A list parameter: repeated, separated by commas, or both (all work [doc]); None when not given."""
        values = self.query().get(name)
        if values is None:
            return None
        return [part.strip() for value in values for part in value.split(",") if part.strip()]

    def flag(self, name: str) -> bool:
        """A boolean in any case: the SDK sends `False` with a capital letter."""
        return (self.text(name) or "false").strip().lower() == "true"

    def number(self, name: str, default: int, most: int) -> int:
        """A whole number from 1 to `most`. Raises Refusal(400)."""
        text = self.text(name)
        if text is None:
            return default
        if not re.fullmatch(r"[0-9]{1,9}", text) or not 1 <= int(text) <= most:
            refuse(400, f"Invalid value for {name}: it must be a number from 1 to {most}", "VALIDATION_ERROR")
        return int(text)

    def json(self) -> Json:
        """The JSON body. Raises Refusal(400) in HubSpot's words."""
        try:
            return json.loads(self.raw_body, parse_constant=_no_json)
        except json.JSONDecodeError as error:
            refuse(
                400,
                f"Invalid input JSON on line {error.lineno}, column {error.colno}: {error.msg}",
                "VALIDATION_ERROR",
            )
        except UnicodeDecodeError:
            refuse(400, "Invalid input JSON on line 1, column 1: invalid UTF-8", "VALIDATION_ERROR")
        except (RecursionError, ValueError):  # nested too deep, a number of thousands of digits, NaN
            refuse(400, "Invalid input JSON on line 1, column 1: too deep, or no number", "VALIDATION_ERROR")

    def fields(self, *required: str) -> dict[str, Any]:
        """The JSON body as an object that has these attributes. Raises Refusal(400)."""
        body = self.json()
        if not isinstance(body, dict):
            refuse(400, "Invalid input JSON on line 1, column 1: an object is expected", "VALIDATION_ERROR")
        missing = [name for name in required if body.get(name) is None]
        if missing:
            refuse(
                400,
                f"Invalid input JSON: some of required attributes are not set [{', '.join(missing)}]",
                "VALIDATION_ERROR",
            )
        return body

    def link(self, after: str) -> str:
        """The address of the next page on this very host (some clients follow it as it is)."""
        rest = [
            f"{quote(name)}={quote(value, safe=',')}"
            for name, values in self.query().items()
            if name != "after"
            for value in values
        ]
        return f"http://{self.host}{self.path}?" + "&".join([*rest, f"after={quote(after)}"])


def refuse(status: int, message: str, category: str | None = None, **more: Any) -> NoReturn:
    """Raise a Refusal."""
    raise Refusal(status, message, category, **more)


def not_found(context: Mapping[str, list[str]] | None = None) -> Refusal:
    """The 404 of a record that isn't there; it has no category [recorded answers]."""
    return Refusal(404, "resource not found", context=context)


def _no_json(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


def as_id(text: Any) -> int | None:
    """A record's id, or None for what can't be one."""
    return int(text) if re.fullmatch(r"[0-9]{1,18}", str(text)) else None


def record_id(text: Any) -> int:
    """A record's id from a path or body. Raises Refusal(404) for one that isn't a number."""
    id_ = as_id(text)
    if id_ is None:
        raise Refusal(404, "Object not found.  objectId are usually numeric.", context={"id": [str(text)]})
    return id_


def correlation() -> str:
    """A fresh correlation id."""
    return str(uuid.uuid4())


def encode(body: Json) -> bytes:
    """JSON as bytes; characters stay as they are."""
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()


def stamp(ms: int) -> str:
    """Epoch milliseconds as ISO 8601; the fraction is left out when it is zero."""
    seconds, rest = divmod(ms, 1000)
    days, seconds = divmod(seconds, 86_400)
    minutes, seconds = divmod(seconds, 60)
    head = f"{_date(days)}T{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}"
    return f"{head}.{rest:03d}Z" if rest else f"{head}Z"


@lru_cache(maxsize=8_192)
def _date(days: int) -> str:
    """A day since 1970: a page of rows shares few of them."""
    moment = time.gmtime(days * 86_400)
    return f"{moment[0]:04d}-{moment[1]:02d}-{moment[2]:02d}"


def epoch_ms(text: str) -> int:
    """Epoch milliseconds from the same as text, or from ISO 8601 (without a zone: UTC). Raises ValueError."""
    if re.fullmatch(r"-?[0-9]{1,15}", text):
        ms = int(text)
    else:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        ms = round(moment.timestamp() * 1000)
    if not -62_135_596_800_000 <= ms <= MS_MAX:
        raise ValueError("time out of range")
    return ms


def to_ms(moment: datetime) -> int:
    """Epoch milliseconds of an aware time."""
    return int(moment.timestamp() * 1000)
