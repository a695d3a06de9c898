"""One HubSpot call, start to end: client, budget, time-outs, path version, retries, errors in our own words.

`hubspot-api-client` 12.0.0 composes paths and bodies; this module carries them. Its `api_factory` hook gets one cached
API object per class (each attribute access of the client would build a new connection pool), all of them on one urllib3
pool with time-outs, without redirects and without urllib3's own retries. Answers stay raw JSON: the client's models cost
ten times as much as `json.loads` [measured].

Facts relied upon: bearer token in every call [doc]; error bodies are {message, correlationId, category, errors[],
context} where every field may be missing, and 5xx bodies may be HTML [recorded]; a 429 has no dependable Retry-After,
and its body differs by source, so the status decides first, then `policyName`, then words [recorded, code]; 423 locks
last about two seconds [doc]; 477 carries Retry-After in seconds [doc]. v3 and v4 paths are the ones the client knows; a
dated `api_version` rewrites them here, in one place [spec].
"""

from __future__ import annotations

import email.utils
import json
import logging
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, cast
from urllib.parse import urlencode, urlsplit

import stamina
import urllib3
from hubspot import HubSpot

from sync_platform.connectors.protocol import Meter
from sync_platform.core.records import Json, Lane, System
from sync_platform.errors import (
    Misconfigured,
    NotAllowed,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    Retryable,
    SyncError,
    Unavailable,
)

REAL_URL = "https://api.hubapi.com"
TWIN_SERVER = "sync-platform-sandbox"
TRIES_MAX = 4
WAIT_MAX_S = 10.0
LOCK_S = 2.0
DAY_FREEZE_S = 300.0
SEARCH = ("search", "day")
PLAIN = ("ten_seconds", "day")

# The default hook of stamina writes the arguments of the call, which are customer data, into the log.
stamina.instrumentation.set_on_retry_hooks([])
for _name in ("urllib3", "hubspot"):
    logging.getLogger(_name).setLevel(logging.WARNING)


class Repeat(StrEnum):
    """What may be sent again: read: anything; idempotent: after any answer that isn't a success; once: only what was
    not taken (a 429, a lock, a refused connection)."""

    READ = "read"
    IDEMPOTENT = "idempotent"
    ONCE = "once"


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


@dataclass(frozen=True, slots=True)
class Answer:
    """A 2xx answer: `body` is {} when there was none."""

    status: int
    body: Mapping[str, Json]
    headers: Mapping[str, str]


_NAME = re.compile(r"^[a-z][a-z0-9_]{0,99}$")
_CODE = re.compile(r"^[A-Za-z][A-Za-z0-9_.]{0,79}$")
_LIST = re.compile(r"\[\{.*\}\]", re.DOTALL)
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
        codes, fields = ["EXISTS"], fields or ["email"]
    return Complaint(
        code=codes[0] if codes else category or f"HTTP_{status or 'ROW'}",
        status=status or (409 if codes[:1] == ["EXISTS"] else None),
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
        return NotAllowed("the access token is refused", system=system, code=code, status=status, correlation=correlation)
    if status == 403:
        scopes = scopes_missing(body)
        words = f"the access token lacks {', '.join(scopes)}" if scopes else "the access token lacks a right"
        return NotAllowed(words, system=system, code=code, status=status, correlation=correlation)
    if status == 404:
        return NotFound("not found", system=system, code=code, status=status, correlation=correlation)
    if status == 429:
        return RateLimited(wait_s=wait_s, system=system, code=code, status=status, correlation=correlation)
    if status in (408, 423, 477, 503):
        wait = LOCK_S if status == 423 else _seconds(headers)
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


def _seconds(headers: Mapping[str, str]) -> float | None:
    text = headers.get("retry-after", "")
    return float(text) if text.isdigit() else None


_VERSIONED = re.compile(r"/(crm)/v[34]/(objects|properties|pipelines|owners|associations)(?=/|$)")


def dated(path: str, version: str | None) -> str:
    """Rewrite a v3 or v4 path to its dated form, `/crm/v3/objects/x` → `/crm/objects/<version>/x`."""
    if version is None:
        return path
    path = path.replace("/account-info/v3/", f"/account-info/{version}/")
    return _VERSIONED.sub(rf"/\1/\2/{version}", path)


@dataclass(slots=True)
class _Wire:
    """Stands in for the client's own REST object: one pool for all, our own errors, the token of this moment."""

    calls: Calls

    def _send(self, method: str, url: str, **given: Any) -> Answer:
        return self.calls.exchange(method, url, given.get("query_params"), given.get("headers"), given.get("body"))

    def __getattr__(self, method: str) -> Callable[..., Answer]:
        if not method.isupper():
            raise AttributeError(method)
        return lambda url, **given: self._send(method, url, **given)


@dataclass(slots=True)
class Calls:
    """Everything that goes over the wire to one account.

    `server_at` is the newest time that the account's servers showed (their Date header and stamps of rows): the only
    clock that watermarks are compared with.
    """

    base_url: str
    token: Callable[[], str]
    meter: Meter
    timeout_s: float = 30.0
    api_version: str | None = None
    pause: Callable[[float], None] = time.sleep
    server_at: datetime | None = None
    twin: bool = False
    client: Any = None
    _known: dict[tuple[int, str], Any] = field(default_factory=dict)
    _pool: Any = None
    _secret: str = ""
    _limits: tuple[str, ...] = PLAIN
    _write: bool = False

    def __post_init__(self) -> None:
        self.base_url = self.base_url.rstrip("/")
        self._pool = urllib3.PoolManager(num_pools=2, maxsize=4, retries=False)
        self._secret = self.token().strip()
        self.client = HubSpot(access_token="-", api_factory=self._api)

    def _api(self, package: Any, name: str, config: Mapping[str, Any]) -> Any:
        """The client's hook: one API object for each class of each of its packages."""
        key = (id(package), name)
        if key not in self._known:
            configuration = package.Configuration()
            configuration.host = self.base_url
            configuration.client_side_validation = False
            carrier = package.ApiClient(configuration=configuration)
            carrier.rest_client.pool_manager.clear()
            carrier.rest_client = _Wire(self)
            self._known[key] = getattr(package, name)(api_client=carrier)
        return self._known[key]

    def close(self) -> None:
        """Give back connections."""
        self._pool.clear()

    def run(
        self,
        call: Callable[..., Any],
        *args: Any,
        lane: Lane,
        purpose: str = "read",
        limits: tuple[str, ...] = PLAIN,
        repeat: Repeat = Repeat.READ,
        **named: Any,
    ) -> Answer:
        """Spend, send, learn, and send again where `repeat` allows it. Raises our own errors only."""

        def worth(error: Exception) -> bool | float:
            return _worth(error, repeat)

        def once() -> Answer:
            self.meter.spend(limits, lane=lane, purpose=purpose)
            self._limits, self._write = limits, repeat is not Repeat.READ
            return cast("Answer", call(*args, _preload_content=False, **named))

        for attempt in stamina.retry_context(
            on=worth, attempts=TRIES_MAX, timeout=90.0, wait_initial=0.3, wait_max=WAIT_MAX_S, wait_jitter=0.5
        ):
            with attempt:
                try:
                    return once()
                except NotAllowed as error:
                    if error.status != 401 or not self._another_token():
                        raise
                    return once()
        raise AssertionError("the retry loop always returns or raises")

    def path(self, method: str, path: str, body: Json = None, *, lane: Lane, **named: Any) -> Answer:
        """A call that the client does not know."""

        def call(*, _preload_content: bool) -> Answer:
            return self.exchange(method, self.base_url + path, None, None, body)

        return self.run(call, lane=lane, **named)

    def _another_token(self) -> bool:
        """Read the token again; True when it is another one than the refused one."""
        before, self._secret = self._secret, self.token().strip()
        return before != self._secret

    def exchange(
        self, method: str, url: str, query: Json = None, headers: Mapping[str, str] | None = None, body: Json = None
    ) -> Answer:
        """One HTTP exchange. Raises our errors, never with their cause: causes hold addresses and bodies."""
        where = urlsplit(url)
        target = f"{where.scheme}://{where.netloc}{dated(where.path, self.api_version)}"
        target += f"?{urlencode(query)}" if query else ""
        sent = {**(headers or {}), "Authorization": f"Bearer {self._secret}", "Accept": "application/json"}
        data = None
        if body is not None:
            data = json.dumps(body, ensure_ascii=False).encode()
            sent["Content-Type"] = "application/json"
        trouble: SyncError | None = None
        try:
            answer = self._pool.request(
                method,
                target,
                body=data,
                headers=sent,
                redirect=False,
                timeout=urllib3.Timeout(connect=min(10.0, self.timeout_s), read=self.timeout_s),
            )
        except urllib3.exceptions.HTTPError as error:
            trouble = _transport_error(error, write=self._write)
        if trouble is not None:
            raise trouble
        return self._read(answer)

    def _read(self, answer: Any) -> Answer:
        headers = {name.lower(): value for name, value in answer.headers.items()}
        self._note(answer.headers)
        body = _json(answer.data)
        if 200 <= answer.status < 300:
            if body is None and answer.data:
                raise (OutcomeUnknown if self._write else Unavailable)("the answer is no JSON", system=System.HUBSPOT)
            return Answer(answer.status, body if isinstance(body, dict) else {"results": body or []}, headers)
        wait_s = 1.0
        if answer.status == 429:
            limit, wait_s = frozen_limit(body, self._limits)
            wait_s = _seconds(headers) or wait_s
            self.meter.learn(limit, frozen_s=wait_s)
        raise error_of(answer.status, body, headers, write=self._write, wait_s=wait_s)

    def _note(self, headers: Any) -> None:
        """Learn limits and the server's time from an answer's headers."""
        self.twin = headers.get("server") == TWIN_SERVER
        for text in headers.getlist("date"):
            try:
                self.saw(email.utils.parsedate_to_datetime(text))
            except ValueError:
                continue
        for limit, allowed, left, window_ms in (
            ("ten_seconds", "Max", "Remaining", "Interval-Milliseconds"),
            ("day", "Daily", "Daily-Remaining", None),
        ):
            most, rest = _whole(headers, allowed), _whole(headers, left)
            window = _whole(headers, window_ms) if window_ms else 86_400_000
            if most is not None and rest is not None:
                window_s = window / 1000 if window else None
                self.meter.learn(limit, used=most - rest, allowed=most, window_s=window_s)

    def saw(self, moment: datetime) -> None:
        """A time that the server showed."""
        moment = moment.astimezone(UTC)
        if self.server_at is None or moment > self.server_at:
            self.server_at = moment


def _worth(error: Exception, repeat: Repeat) -> bool | float:
    """Whether (and after how many seconds) the one retry layer sends again."""
    if not isinstance(error, Retryable) or (error.wait_s is not None and error.wait_s > WAIT_MAX_S):
        return False  # a day's limit or an account on the move: the next cycle, not this call
    if isinstance(error, OutcomeUnknown) and (
        repeat is Repeat.ONCE or (repeat is Repeat.IDEMPOTENT and error.status is None)
    ):
        return False  # without an answer it may still be under way: the caller settles it
    return error.wait_s if error.wait_s is not None else True


def _transport_error(error: urllib3.exceptions.HTTPError, *, write: bool) -> SyncError:
    """Refused before anything was sent, or no answer: then a write may have landed."""
    not_sent = (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError)
    kind = type(error).__name__
    if isinstance(error, not_sent) or not write:
        return Unavailable("no connection", system=System.HUBSPOT, code=kind)
    return OutcomeUnknown("no answer", system=System.HUBSPOT, code=kind)


def _json(data: bytes) -> Json:
    try:
        return json.loads(data) if data else None
    except ValueError:
        return None


def _whole(headers: Mapping[str, str], name: str) -> int | None:
    text = headers.get(f"X-HubSpot-RateLimit-{name}", "")
    return int(text) if text.isdigit() else None
