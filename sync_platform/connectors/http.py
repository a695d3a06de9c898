"""The one door to JSON over HTTP: one client, one retry layer, one table from status to error.

It decides what an answer or its absence means and whether the same call may be made again. It knows no vendor's
objects. Nothing that it raises or logs holds a URL's query, a body or a value of a person.
"""

from __future__ import annotations

import base64
import ipaddress
import json
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import urlsplit

import httpx
import stamina
import stamina.instrumentation

from sync_platform.connectors.protocol import Meter
from sync_platform.core.records import Json, Lane
from sync_platform.errors import (
    Conflict,
    Misconfigured,
    Moved,
    NotAllowed,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    SyncError,
    Unavailable,
)

TRIES_MAX = 5
WAIT_INITIAL_S = 0.5
WAIT_MAX_S = 20.0
# Said nowhere: how long to stay away after a 429 without Retry-After.
FREEZE_DEFAULT_S = 5.0
# A longer Retry-After than this is not waited for in one go; the next 429 says the rest.
FREEZE_MAX_S = 300.0
CALL_LIMIT_HEADER = "x-gorgias-account-api-call-limit"
SANDBOX_SERVER = "sync-platform-sandbox"

# stamina's default hooks write the arguments of the repeated call into the log, and those are customer data.
stamina.instrumentation.set_on_retry_hooks([])
for _name in ("httpx", "httpcore", "urllib3", "hubspot"):
    logging.getLogger(_name).setLevel(logging.WARNING)

Query = Sequence[tuple[str, str]]
Transport = httpx.BaseTransport


class Credentials(Protocol):
    """What proves who we are. `oauth` decides which of the account's limits holds."""

    oauth: bool

    def authorization(self) -> str:
        """The value of the Authorization header. May refresh a token that is about to end."""

    def renew(self) -> bool:
        """After a 401: read the secret again. False when there is nothing to read again."""


@dataclass(slots=True)
class BasicCredentials:
    """E-mail and API key. `read` gives both and is asked again once after a 401, so a rotated key needs no restart."""

    read: Callable[[], tuple[str, str]] = field(repr=False)
    oauth: bool = False
    _header: str | None = field(default=None, repr=False)

    def authorization(self) -> str:
        """The header, built once."""
        if self._header is None:
            self._header = basic_header(*self.read())
        return self._header

    def renew(self) -> bool:
        """Forget the header; the next call reads the secret again."""
        self._header = None
        return True


def basic_header(user: str, secret: str) -> str:
    """An HTTP Basic Authorization value."""
    return "Basic " + base64.b64encode(f"{user}:{secret}".encode()).decode("ascii")


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: status, lower-case header names, the JSON body (None where there is none), the correlation id."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: Json = field(repr=False)
    correlation: str | None


# Permanent is never tried again. Statuses that are not named fall to their hundred.
_BRANCHES: Mapping[int, type[SyncError]] = {
    301: Moved,
    308: Moved,
    401: NotAllowed,
    402: NotAllowed,
    403: NotAllowed,
    404: NotFound,
    407: NotAllowed,
    408: Unavailable,
    409: Conflict,
    410: NotFound,
    412: Conflict,
    423: Unavailable,
    425: Unavailable,
    429: RateLimited,
}


def branch(status: int, *, write: bool) -> type[SyncError]:
    """Which error a status is; the caller handles 2xx.

    A 5xx or 408 leaves a write in doubt: the server may have finished it before its answer was replaced on the way.
    """
    if write and (status >= 500 or status == 408):
        return OutcomeUnknown
    if status in _BRANCHES:
        return _BRANCHES[status]
    if status >= 500:
        return Unavailable
    return Rejected if status >= 400 else Misconfigured


class Refused(Exception):
    """A refusal with the system's body, for the connector that made the call. It is not an error of the family."""

    def __init__(self, answer: Answer, error: SyncError) -> None:
        super().__init__(str(error))
        self.answer = answer
        self.error = error


def is_loopback(url: str) -> bool:
    """True for a URL whose host is this machine by name or address."""
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class JsonApi:
    """Calls of one system. Reads are repeated on trouble; a write that may have landed never is.

    `limits` are the names spent by each call. Raises `Refused` for 3xx and 4xx (except 401, 429 and such), and of the
    family: `Unavailable`, `RateLimited`, `OutcomeUnknown`, `NotAllowed`, `Misconfigured`.
    """

    def __init__(
        self,
        base_url: str,
        credentials: Credentials,
        meter: Meter,
        *,
        system: str,
        limits: Sequence[str],
        timeout_s: float = 30.0,
        transport: Transport | None = None,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.system = system
        self.sandbox = False
        self._loopback = is_loopback(base_url)
        self._credentials = credentials
        self._meter = meter
        self._limits = tuple(limits)
        self._client = httpx.Client(
            timeout=httpx.Timeout(timeout_s, connect=min(10.0, timeout_s)),
            follow_redirects=False,
            # Shorter than the servers keep idle connections, or a POST meets one that is just being closed.
            limits=httpx.Limits(max_connections=10, keepalive_expiry=3.0),
            headers={"accept": "application/json", "user-agent": "sync-platform"},
            # A proxy of the environment must not see loopback traffic.
            trust_env=not self._loopback,
            transport=transport,
        )

    def read(self, path: str, query: Query = (), *, lane: Lane, purpose: str = "read") -> Answer:
        """GET, repeated on `Unavailable` and `RateLimited` up to `TRIES_MAX` times."""

        def once() -> Answer:
            return self._call("GET", path, query, None, lane=lane, purpose=purpose, write=False)

        return _repeat(_worth_a_read, once)

    def write(
        self, method: str, path: str, body: Json, *, lane: Lane, query: Query = (), patient: bool = False
    ) -> Answer:
        """POST, PUT or DELETE, sent at most once.

        Repeated only where nothing was sent (no connection) and, when `patient`, after a 429, which executes nothing:
        the later calls of one change are patient, because half a change is worse than a slow one.
        """

        def once() -> Answer:
            return self._call(method, path, query, body, lane=lane, purpose="write", write=True)

        return _repeat(_worth_a_patient_write if patient else _worth_a_write, once)

    def close(self) -> None:
        """Give back the connections."""
        self._client.close()

    def _call(
        self, method: str, path: str, query: Query, body: Json, *, lane: Lane, purpose: str, write: bool
    ) -> Answer:
        answer = self._send(method, path, query, body, lane=lane, purpose=purpose, write=write)
        # A 401 executes nothing, so that even a write may be made again with the secret read anew.
        if answer.status == 401 and self._credentials.renew():
            answer = self._send(method, path, query, body, lane=lane, purpose=purpose, write=write)
        if 200 <= answer.status < 300:
            return answer
        raise self._refusal(answer, write=write) from None

    def _refusal(self, answer: Answer, *, write: bool) -> Exception:
        kind = branch(answer.status, write=write)
        if issubclass(kind, RateLimited | Unavailable | OutcomeUnknown):
            wait_s = retry_after_s(answer.headers)
            return kind(wait_s=wait_s, system=self.system, status=answer.status, correlation=answer.correlation)
        if kind is Misconfigured:
            return Misconfigured(
                "the address answers with a redirect",
                system=self.system,
                status=answer.status,
                remedy="Check the base URL: it must be the API itself.",
            )
        if answer.status in (401, 402, 407):
            return NotAllowed(system=self.system, status=answer.status, correlation=answer.correlation)
        return Refused(answer, kind(system=self.system, status=answer.status, correlation=answer.correlation))

    def _send(
        self, method: str, path: str, query: Query, body: Json, *, lane: Lane, purpose: str, write: bool
    ) -> Answer:
        headers = {"authorization": self._credentials.authorization()}
        content = None
        if body is not None:
            # Escaped, so that no odd character can fail here: what is acceptable is the system's to say.
            content = json.dumps(body, separators=(",", ":")).encode("ascii")
            headers["content-type"] = "application/json"
        self._meter.spend(self._limits, lane=lane, purpose=purpose)
        failure: SyncError
        try:
            response = self._client.request(
                method, self.base_url + path, params=list(query) or None, content=content, headers=headers
            )
        except Exception as error:
            # Raised below, outside this block: the library's error holds the URL and must not hang on as context.
            if not isinstance(error, httpx.HTTPError | httpx.InvalidURL | httpx.StreamError | ValueError):
                raise
            failure = translate(error, system=self.system, write=write)
        else:
            return self._received(response, write=write)
        raise failure

    def _received(self, response: httpx.Response, *, write: bool) -> Answer:
        headers = {name.lower(): value for name, value in response.headers.items()}
        self._note(response.status_code, headers)
        try:
            body = response.json() if response.content.strip() else None
        except ValueError:
            body = None
            unreadable = True
        else:
            unreadable = False
        answer = Answer(response.status_code, headers, body, headers.get("x-request-id"))
        if unreadable and 200 <= answer.status < 300:
            # Something between us and the API answered in its place.
            kind = OutcomeUnknown if write else Unavailable
            raise kind(
                "the answer is not JSON", system=self.system, status=answer.status, correlation=answer.correlation
            )
        return answer

    def _note(self, status: int, headers: Mapping[str, str]) -> None:
        """Tell the budget what the answer said: `used/limit` on each, whole seconds to stay away on a 429 [doc]."""
        if self._loopback and headers.get("server") == SANDBOX_SERVER:
            self.sandbox = True
        used = allowed = None
        match = re.fullmatch(r"\s*(\d+)\s*/\s*(\d+)\s*", headers.get(CALL_LIMIT_HEADER, ""))
        if match and self._limits:
            used, allowed = int(match[1]), int(match[2])
            self._meter.learn(self._limits[0], used=used, allowed=allowed)
        if status == 429 and self._limits:
            # A window that is not used up refuses nothing: then it was the limit per second, where there is one.
            spare = used is not None and allowed is not None and used < allowed
            name = self._limits[-1] if spare else self._limits[0]
            wait_s = retry_after_s(headers)
            self._meter.learn(name, frozen_s=FREEZE_DEFAULT_S if wait_s is None else wait_s)


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds of a Retry-After in numbers, at most `FREEZE_MAX_S`; None for anything else."""
    value = headers.get("retry-after", "").strip()
    if not re.fullmatch(r"\d+(\.\d+)?", value):
        return None
    return min(float(value), FREEZE_MAX_S)


# Before the first byte of the request: nothing can have landed.
_UNSENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
_WRONG = (httpx.UnsupportedProtocol, httpx.InvalidURL, httpx.LocalProtocolError)


def translate(error: Exception, *, system: str, write: bool) -> SyncError:
    """The family's error for one of the HTTP library's, without its text (it may hold the address)."""
    if isinstance(error, _UNSENT):
        return Unavailable("no connection", system=system)
    if isinstance(error, _WRONG) or not isinstance(error, httpx.HTTPError | httpx.StreamError):
        return Misconfigured(
            "the call cannot be made",
            system=system,
            remedy="Check the base URL and the credentials for characters that do not belong there.",
        )
    if write:
        return OutcomeUnknown(system=system)
    return Unavailable("the answer did not arrive", system=system)


def _repeat(worth: Callable[[Exception], bool], call: Callable[[], Answer]) -> Answer:
    """The one retry layer. The budget waits for the end of a freeze; these waits are for everything else."""
    for attempt in stamina.retry_context(
        on=worth,
        attempts=TRIES_MAX,
        timeout=None,
        wait_initial=WAIT_INITIAL_S,
        wait_max=WAIT_MAX_S,
    ):
        with attempt:
            return call()
    raise AssertionError("stamina either returns or raises")


def _worth_a_read(error: Exception) -> bool:
    return isinstance(error, Unavailable | RateLimited)


def _worth_a_write(error: Exception) -> bool:
    # `Unavailable` of a write means that nothing was sent or that the system says it took nothing.
    return isinstance(error, Unavailable)


def _worth_a_patient_write(error: Exception) -> bool:
    return isinstance(error, Unavailable | RateLimited)


def post_form(
    url: str,
    form: Mapping[str, str],
    *,
    user: str,
    secret: str,
    system: str,
    timeout_s: float = 30.0,
    transport: Transport | None = None,
) -> tuple[int, Json]:
    """One form-encoded POST with Basic client authentication, as token endpoints want it: (status, JSON or None).

    Raises `Unavailable` (nothing sent), `OutcomeUnknown` (no answer) or `Misconfigured`; any status is returned.
    """
    failure: SyncError
    client = httpx.Client(
        timeout=timeout_s, follow_redirects=False, trust_env=not is_loopback(url), transport=transport
    )
    with client:
        try:
            response = client.post(
                url,
                data=dict(form),
                headers={"authorization": basic_header(user, secret), "accept": "application/json"},
            )
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            failure = translate(error, system=system, write=True)
        else:
            try:
                return response.status_code, response.json()
            except ValueError:
                return response.status_code, None
    raise failure


# A system's message may name a person. Only these words, none of them a name, pass into receipts.
_SAFE_WORDS_TEXT = """
a action again all allowed already an and another any are as at be been before body by can cannot channel channels
characters choice choices closed conflict could create created customer customers data date datetime delete deleted
does due duplicate email empty enough error exceeded existing exist exists external failed field fields for format
found from greater has have id identifier in input integer internal invalid is it language length less list longer
many maximum message messages messaging method minimum missing more must name names no not null number object of on
one only open operation option or other parameter perform permission permissions phone please priority property quota
range receiver refused required resource right schema sender service set shorter should status string subject supported
tag tags taken text than that the their there these this ticket tickets timezone to too type unique unknown update
updated url use used user users valid validation value values was were with your you account api address http json
An Cannot Could Duplicate Failed Field Invalid Messaging Missing Must No Not Resource Shorter The There This Unknown You
"""
_SAFE_WORDS = frozenset(_SAFE_WORDS_TEXT.split())


def safe_words(text: Json) -> str:
    """A system's words with everything that might be a value replaced by «…»."""
    if not isinstance(text, str):
        return ""
    out: list[str] = []
    for token in text[:400].split():
        core = token.strip(".,:;!?()")
        out.append(token if core in _SAFE_WORDS else "…")
    return re.sub(r"…(?: …)+", "…", " ".join(out))
