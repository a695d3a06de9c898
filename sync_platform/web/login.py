"""Who looks: a token opens the pages for reading, another one for acting as well; a trusted proxy may name the person.

The session is in a cookie that only this process's tokens can have made: another token ends it. Nothing is stored.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import json
import re
import secrets
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from sync_platform.settings import Settings
from sync_platform.web import frame

COOKIE = "__Host-sync"
# The header by which common authenticating proxies name who signed in there.
USER_HEADER = "x-forwarded-user"
SESSION_S = 12 * 3600
TRIES_MAX, TRIES_WINDOW_S = 10, 60.0
ADDRESSES_MAX = 10_000
NAME_MAX = 80
VIEWER, OPERATOR = "SYNC_WEB_TOKEN", "SYNC_WEB_OPERATOR_TOKEN"
_PATH = re.compile(r"/[A-Za-z0-9/_.:-]*")


@dataclass(frozen=True, slots=True)
class Person:
    """Who is signed in. `acts`: may do more than read; `guard` is what each of this person's forms must carry."""

    name: str
    acts: bool
    guard: str


def person(request: Request) -> Person | None:
    """Who sends this request; None: nobody that is known."""
    settings: Settings = request.app.state.settings
    session = _session(settings, request.cookies.get(COOKIE, ""))
    proxied = _proxied(settings, request)
    if proxied is None:
        return session
    # A session that somebody else began in the same browser gives this person no right to act.
    if session is not None and session.name == proxied:
        return session
    return Person(proxied, acts=False, guard=_mac(b"proxied", proxied.encode(), request.app.state.own_key))


def by_bearer(request: Request) -> bool:
    """Whether a program that reads, as a collector of metrics, sent one of the tokens; guesses are counted here too."""
    kind, _, given = request.headers.get("authorization", "").partition(" ")
    settings: Settings = request.app.state.settings
    tries: Tries = request.app.state.tries
    host = request.client.host if request.client else ""
    if kind.lower() != "bearer" or tries.too_many(host):
        return False
    known = _role(settings, given.strip()) is not None
    if not known:
        tries.wrong(host)
    return known


# --- sessions


def _session(settings: Settings, cookie: str) -> Person | None:
    body, _, given = cookie.partition(".")
    for setting in (VIEWER, OPERATOR):
        token = settings.secret(setting)
        # Nothing of a cookie is read before it is known that these pages wrote it.
        if token and hmac.compare_digest(_mac(b"session", body.encode(), token).encode(), given.encode()):
            told = json.loads(base64.urlsafe_b64decode(body.encode() + b"=="))
            if told["by"] == setting and told["until"] >= time.time():
                return Person(told["name"], acts=setting == OPERATOR, guard=_mac(b"guard", body.encode(), token))
    return None


def _begin(settings: Settings, name: str, setting: str) -> str:
    told = {"name": name, "by": setting, "until": int(time.time() + SESSION_S), "id": secrets.token_hex(8)}
    body = base64.urlsafe_b64encode(json.dumps(told).encode()).decode().rstrip("=")
    return f"{body}.{_mac(b'session', body.encode(), settings.secret(setting) or '')}"


def _mac(purpose: bytes, body: bytes, key: str) -> str:
    return hmac.new(hashlib.sha256(purpose + key.encode()).digest(), body, "sha256").hexdigest()


def _role(settings: Settings, given: str) -> str | None:
    """The setting whose token this is. Both are compared, so that time tells nothing."""
    found = None
    for setting in (VIEWER, OPERATOR):
        token = settings.secret(setting)
        if token and hmac.compare_digest(token.encode(), given.encode()):
            found = setting
    return found


def _proxied(settings: Settings, request: Request) -> str | None:
    """The person whom a trusted proxy names; what anybody else sends in that header counts for nothing."""
    given = request.headers.get(USER_HEADER, "").strip()[:NAME_MAX]
    if not given or not settings.sync_trusted_proxy or request.client is None:
        return None
    try:
        peer = ipaddress.ip_address(request.client.host)
        trusted = [ipaddress.ip_network(one.strip()) for one in settings.sync_trusted_proxy.split(",")]
    except ValueError:
        return None
    return given if any(peer in network for network in trusted) else None


class Tries:
    """How often somebody guessed wrong of late, by the address that it came from."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._at: dict[str, deque[float]] = {}

    def too_many(self, host: str) -> bool:
        """Whether this address has to wait."""
        with self._lock:
            found, now = self._at.get(host), time.monotonic()
            while found and found[0] < now - TRIES_WINDOW_S:
                found.popleft()
            return len(found or ()) >= TRIES_MAX

    def wrong(self, host: str) -> None:
        """One more wrong guess."""
        with self._lock:
            if len(self._at) > ADDRESSES_MAX:
                self._at.pop(next(iter(self._at)))
            self._at.setdefault(host, deque()).append(time.monotonic())


# --- the page


def _form(request: Request) -> Response:
    return _asked(request, onward=request.query_params.get("next", "/"), lost="lost" in request.query_params)


def _asked(request: Request, *, onward: str, wrong: str = "", status: int = 200, lost: bool = False) -> Response:
    settings: Settings = request.app.state.settings
    return frame.page(
        request,
        "login.html",
        status=status,
        onward=_safe(onward),
        wrong=wrong,
        lost=lost,
        ready={setting: bool(settings.secret(setting)) for setting in (VIEWER, OPERATOR)},
        proxied=_proxied(settings, request),
    )


def _sign_in(request: Request, form: Mapping[str, str]) -> Response:
    settings: Settings = request.app.state.settings
    tries: Tries = request.app.state.tries
    # Behind a proxy everybody comes from its address: there a guess counts against whom it names.
    host = _proxied(settings, request) or (request.client.host if request.client else "")
    onward = form.get("next", "/")
    if tries.too_many(host):
        return _asked(request, onward=onward, wrong="Too many wrong tokens: wait a minute.", status=429)
    setting = _role(settings, form.get("token", "").strip())
    if setting is None:
        tries.wrong(host)
        return _asked(request, onward=onward, wrong="This is not a token of these pages.", status=403)
    name = _proxied(settings, request) or " ".join(form.get("name", "").split())[:NAME_MAX]
    if not name:
        return _asked(request, onward=onward, wrong="Say who you are: it is kept with what you do.", status=400)
    answer = RedirectResponse(_safe(onward), status_code=303)
    cookie: dict[str, Any] = {"httponly": True, "secure": True, "samesite": "strict", "path": "/"}
    answer.set_cookie(COOKIE, _begin(settings, name, setting), max_age=SESSION_S, **cookie)
    return answer


def _sign_out(_request: Request, _form: Mapping[str, str]) -> Response:
    answer = RedirectResponse("/login", status_code=303)
    answer.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="strict")
    return answer


def _safe(onward: str) -> str:
    """A path of these pages, whatever was asked for."""
    return onward if _PATH.fullmatch(onward) and not onward.startswith("//") else "/"


ROUTES = (
    Route("/login", _form, methods=["GET"]),
    Route("/login", frame.open_form(_sign_in), methods=["POST"]),
    Route("/logout", frame.open_form(_sign_out), methods=["POST"]),
)
