"""OAuth2 for Gorgias: `connect gorgias` once by a person, afterwards refresh by one process at a time.

Facts relied on: authorization code; authorize with `response_type, client_id, redirect_uri, scope, state, nonce`; the
token endpoint takes a form and client id and secret as HTTP Basic [doc, code]; access tokens live 24 h; a refresh token
needs the scope `offline` and has no expiry [doc]. Whether refresh tokens rotate is not established: a new one in the
answer replaces the old one, a missing one leaves it in place, and the store is written before anything is used.
"""

from __future__ import annotations

import base64
import hmac
import json
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Protocol
from urllib.parse import parse_qs, urlencode, urlsplit

from sync_platform.connectors.http import Transport, post_form
from sync_platform.core.records import Json, System
from sync_platform.errors import Misconfigured, NotAllowed, Unavailable

SCOPES = (
    "openid",
    "email",
    "profile",
    "offline",
    "account:read",
    "users:read",
    "customers:read",
    "customers:write",
    "tickets:read",
    "tickets:write",
    "events:read",
    "tags:read",
    "tags:write",
    "surveys:read",
)
TOKEN_LIFE_S = 24 * 3600.0
# Refreshed this long before its end, so that no call starts with a token that ends on the way.
REFRESH_EARLY_S = 300.0
RECONNECT = "Run `sync-platform connect gorgias` to give access again."


@dataclass(frozen=True, slots=True)
class Tokens:
    """What the token endpoint gave. `ends_at` is aware UTC."""

    access: str = field(repr=False)
    refresh: str | None = field(repr=False)
    ends_at: datetime

    def dump(self) -> dict[str, Json]:
        """For a store; holds secrets."""
        return {"access": self.access, "refresh": self.refresh, "ends_at": self.ends_at.isoformat()}

    @classmethod
    def load(cls, raw: dict[str, Json]) -> Tokens:
        """The inverse of `dump`."""
        return cls(str(raw["access"]), raw.get("refresh"), datetime.fromisoformat(raw["ends_at"]))


class TokenStore(Protocol):
    """Where tokens live, shared by all processes of this installation."""

    def load(self) -> Tokens | None:
        """The tokens, read anew; None before the first `connect`."""

    def save(self, tokens: Tokens) -> None:
        """Keep them durably before returning."""

    def lock(self) -> AbstractContextManager[object]:
        """Held by one process at a time, across processes; given back when its holder dies."""


@dataclass(frozen=True, slots=True)
class App:
    """An OAuth app of an account. `account_url` with or without `/api`; `secret` is read at each use."""

    account_url: str
    client_id: str
    secret: Callable[[], str] = field(repr=False)
    transport: Transport | None = field(default=None, repr=False)

    def url(self, path: str) -> str:
        """An address below the account's root."""
        return self.account_url.rstrip("/").removesuffix("/api").rstrip("/") + path


def utc_now() -> datetime:
    """The clock of the ends of tokens."""
    return datetime.now(UTC)


def ask_for_tokens(app: App, form: dict[str, str], *, old: Tokens | None, now: datetime) -> tuple[Tokens, Json]:
    """One call of the token endpoint: the tokens and the whole answer.

    Raises `NotAllowed` when the grant or the client is refused, and what `post_form` raises.
    """
    status, body = post_form(
        app.url("/oauth/token"),
        {**form, "client_id": app.client_id},
        user=app.client_id,
        secret=app.secret(),
        system=System.GORGIAS,
        transport=app.transport,
    )
    if 400 <= status < 500 and status not in (408, 429):
        raise NotAllowed("the token endpoint refused the grant", system=System.GORGIAS, status=status, remedy=RECONNECT)
    if not 200 <= status < 300:
        raise Unavailable("the token endpoint has trouble", system=System.GORGIAS, status=status)
    access = body.get("access_token") if isinstance(body, dict) else None
    if not isinstance(access, str) or not access:
        raise Unavailable("the token endpoint gave no token", system=System.GORGIAS, status=status)
    refresh = body.get("refresh_token") or (old.refresh if old else None)
    life_s = body.get("expires_in")
    life_s = float(life_s) if isinstance(life_s, int | float) and not isinstance(life_s, bool) else TOKEN_LIFE_S
    return Tokens(access, refresh, now + timedelta(seconds=life_s)), body


@dataclass(slots=True)
class OAuthCredentials:
    """Bearer tokens from a store, refreshed by whoever gets the lock first; the others read the result."""

    app: App
    store: TokenStore
    now: Callable[[], datetime] = utc_now
    oauth: bool = True
    _tokens: Tokens | None = field(default=None, repr=False)
    _gate: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def authorization(self) -> str:
        """The Bearer header. Refreshes a token about to end; raises `NotAllowed` when there is none to refresh."""
        with self._gate:
            if self._tokens is None or self._ends_soon(self._tokens):
                self._tokens = self._fresh(self._tokens, refused=False)
            return f"Bearer {self._tokens.access}"

    def renew(self) -> bool:
        """After a 401: take a newer token from the store, or refresh the one that was refused."""
        with self._gate:
            self._tokens = self._fresh(self._tokens, refused=True)
        return True

    def _ends_soon(self, tokens: Tokens) -> bool:
        return tokens.ends_at - timedelta(seconds=REFRESH_EARLY_S) <= self.now()

    def _fresh(self, mine: Tokens | None, *, refused: bool) -> Tokens:
        """Lock, read again, and refresh only what nobody else has refreshed in the meantime."""
        stored = self.store.load()
        if stored is not None and self._usable(stored, mine, refused=refused):
            return stored
        with self.store.lock():
            stored = self.store.load()
            if stored is None:
                raise NotAllowed("not connected yet", system=System.GORGIAS, remedy=RECONNECT)
            if self._usable(stored, mine, refused=refused):
                return stored
            if not stored.refresh:
                raise NotAllowed("the token ended and cannot be refreshed", system=System.GORGIAS, remedy=RECONNECT)
            form = {"grant_type": "refresh_token", "refresh_token": stored.refresh}
            tokens, _ = ask_for_tokens(self.app, form, old=stored, now=self.now())
            # Before its first use: a rotated refresh token that is not kept would lock us out.
            self.store.save(tokens)
            return tokens

    def _usable(self, stored: Tokens, mine: Tokens | None, *, refused: bool) -> bool:
        if self._ends_soon(stored):
            return False
        return not refused or mine is None or stored.access != mine.access


@dataclass(slots=True)
class _Callback:
    """What came back to the loopback address."""

    state: str
    code: str | None = None
    error: str | None = None
    arrived: bool = False


def connect(
    app: App,
    store: TokenStore,
    *,
    show: Callable[[str], None],
    scopes: Sequence[str] = SCOPES,
    port: int = 0,
    timeout_s: float = 300.0,
    now: Callable[[], datetime] = utc_now,
) -> Tokens:
    """Ask a person for access and keep the tokens.

    `show` gets the address to open in a browser. The answer comes to a loopback server (any free port when 0).
    Raises `NotAllowed` when the person refuses, the state or the nonce does not fit, or nobody answers in `timeout_s`.
    """
    callback = _Callback(secrets.token_urlsafe(24))
    nonce = secrets.token_urlsafe(24)
    server = HTTPServer(("127.0.0.1", port), _handler(callback))
    try:
        redirect = f"http://127.0.0.1:{server.server_address[1]}/callback"
        query = {
            "response_type": "code",
            "client_id": app.client_id,
            "redirect_uri": redirect,
            "scope": " ".join(scopes),
            "state": callback.state,
            "nonce": nonce,
        }
        show(app.url("/oauth/authorize") + "?" + urlencode(query))
        _wait_for(server, callback, timeout_s)
    finally:
        server.server_close()
    if callback.code is None:
        said = "access was refused" if callback.arrived else "nobody answered in time"
        raise NotAllowed(said, system=System.GORGIAS, remedy=RECONNECT)
    form = {"grant_type": "authorization_code", "code": callback.code, "redirect_uri": redirect}
    with store.lock():
        tokens, body = ask_for_tokens(app, form, old=None, now=now())
        _check_nonce(body, nonce)
        if tokens.refresh is None:
            raise Misconfigured(
                "the app gives no refresh token", system=System.GORGIAS, remedy="Allow the app the scope `offline`."
            )
        store.save(tokens)
    return tokens


def _wait_for(server: HTTPServer, callback: _Callback, timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while not callback.arrived and (left := deadline - time.monotonic()) > 0:
        server.timeout = min(left, 1.0)
        server.handle_request()


def _check_nonce(body: Json, nonce: str) -> None:
    """The id token, where there is one, must carry our nonce. It came straight from the token endpoint, so its
    signature adds nothing here."""
    token = body.get("id_token") if isinstance(body, dict) else None
    if token is None:
        return
    try:
        part = str(token).split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        found = claims.get("nonce")
    except (IndexError, ValueError, AttributeError):
        found = None
    if not isinstance(found, str) or not hmac.compare_digest(found.encode(), nonce.encode()):
        raise NotAllowed("the answer belongs to another request", system=System.GORGIAS, remedy=RECONNECT)


def _handler(callback: _Callback) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 10

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            fits = hmac.compare_digest(query.get("state", "").encode(), callback.state.encode())
            if parts.path != "/callback" or not fits:
                # Not an answer to our request: another page may be trying.
                self._say(400, "This is not the answer that was waited for.")
                return
            callback.code, callback.error = query.get("code"), query.get("error")
            callback.arrived = True
            self._say(200, "Done. You may close this page." if callback.code else "Access was not given.")

        def _say(self, status: int, words: str) -> None:
            body = words.encode()
            self.send_response(status)
            self.send_header("content-type", "text/plain; charset=utf-8")
            self.send_header("content-length", str(len(body)))
            self.send_header("cache-control", "no-store")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: the request line holds the code."""

    return Handler
