"""One HubSpot call, start to end: client, budget, time-outs, path version, retries, errors in our own words.

`hubspot-api-client` 12.0.0 composes paths and bodies; this module carries them. Its `api_factory` hook gets one
cached API object per class (each attribute access of the client would build a new connection pool), all of them on
one urllib3 pool with time-outs, without redirects and without urllib3's own retries. Answers stay raw JSON: the
client's models cost ten times as much as `json.loads` [measured].

Facts relied upon: bearer token in every call [doc]; a 429 has no dependable Retry-After [recorded, code]. v3 and v4
paths are the ones the client knows; a dated `api_version` rewrites them here, in one place [spec].
"""

from __future__ import annotations

import email.utils
import json
import logging
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, cast
from urllib.parse import urlencode, urlsplit

import stamina
import urllib3
from hubspot import HubSpot

from sync_platform.connectors.hubspot_errors import error_of, frozen_limit, seconds_of
from sync_platform.connectors.protocol import Meter
from sync_platform.core.records import Json, Lane, System
from sync_platform.errors import (
    NotAllowed,
    OutcomeUnknown,
    Retryable,
    SyncError,
    Unavailable,
)

REAL_URL = "https://api.hubapi.com"
TWIN_SERVER = "sync-platform-sandbox"
TRIES_MAX = 4
WAIT_MAX_S = 10.0
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
class Answer:
    """A 2xx answer: `body` is {} when there was none."""

    status: int
    body: Mapping[str, Json]
    headers: Mapping[str, str]


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
        self.client = HubSpot(api_factory=self._api)

    def _api(self, package: Any, name: str, _: Mapping[str, Any]) -> Any:
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
            wait_s = seconds_of(headers) or wait_s
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
