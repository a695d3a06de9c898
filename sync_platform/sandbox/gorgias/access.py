"""Who may call the twin of Gorgias: API key by Basic, and OAuth2 with codes, tokens, refresh and scopes.

An access token lives 24 h, a refresh token has no expiry and is given only with the scope `offline` [doc]. Whether
refresh tokens rotate is not established [switch refresh_rotation], nor are the body of a 401 [switch
unauthorized_reply] and the full list of scopes [switch unknown_scope]. Asked for access, the account's owner agrees at
once, unless the switch oauth_consent says otherwise. `nonce` belongs to the authorize call [documented] and has no
effect, as no identity token is served.
"""

import base64
import binascii
import hashlib
import secrets
from html import escape
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit, urlunsplit

from sync_platform.sandbox.gorgias.http import ApiError, Caller, Reply, Shaped, dump
from sync_platform.sandbox.gorgias.store import Store

TOKEN_LIFE_S = 24 * 3600
CODE_LIFE_S = 600
_BASIC_SCOPES = ("openid", "email", "profile", "offline", "write:all")
# Documented pairs first; those of tags and surveys exist under some name [inferred].
_PAIRS = (
    "account", "users", "customers", "tickets", "custom_fields", "events", "integrations", "jobs", "macros", "rules",
    "surveys", "tags", "statistics",
)  # fmt: skip
SCOPES = frozenset((*_BASIC_SCOPES, *(f"{name}:{right}" for name in _PAIRS for right in ("read", "write"))))
AUTHORIZE, TOKEN = "/oauth/authorize", "/oauth/token"


class Access:
    """Credentials of one account, kept in its store, so that a reopened sandbox knows its tokens again."""

    def __init__(self, store: Store, seed: int) -> None:
        self._store = store
        self.email = "owner@gorgias-sandbox.test"
        self.api_key = self._kept("api_key", seed)
        self.client_id = self._kept("client_id", seed)[:24]
        self.client_secret = self._kept("client_secret", seed)
        self._key_header = _basic(self.email, self.api_key)
        self._client_header = _basic(self.client_id, self.client_secret)
        self._tokens: dict[str, tuple[float, Caller]] = {}
        self.user_id: int | None = None

    def _kept(self, name: str, seed: int) -> str:
        """A credential derived from the seed at first, then read from the store."""
        value = self._store.fact(name)
        if value is None:
            value = hashlib.sha256(f"gorgias:{seed}:{name}".encode()).hexdigest()[:40]
            self._store.set_fact(name, value)
        return value

    def caller(self, authorization: bytes) -> Caller:
        """Who calls, by the header. Raises ApiError 401."""
        if authorization == self._key_header:
            return Caller(self.user_id, "api_key")
        kind, _, rest = authorization.partition(b" ")
        if kind.lower() == b"bearer":
            return self._bearer(rest.strip().decode("latin-1"))
        if kind.lower() == b"basic" and _unbasic(rest) == (self.email.lower(), self.api_key):
            return Caller(self.user_id, "api_key")
        raise self._unauthorized()

    def _bearer(self, token: str) -> Caller:
        now = self._store.world.clock.now().timestamp()
        known = self._tokens.get(token)
        if known is None:
            row = self._store.one("SELECT expires, scopes FROM tokens WHERE token = ? AND kind = 'access'", token)
            if row is None:
                raise self._unauthorized()
            known = self._tokens[token] = (row[0], Caller(self.user_id, "oauth", frozenset(row[1].split())))
        if known[0] <= now:
            raise self._unauthorized()
        return known[1]

    def check(self, caller: Caller, right: str, method: str) -> None:
        """Raises ApiError 403 for a token without the scope, or a role that may not write."""
        allowed = caller.scopes is None or right in caller.scopes or "write:all" in caller.scopes
        if allowed and method != "GET" and self._store.switch("key_role") == "observer-agent":
            allowed = caller.kind != "api_key"
        if not allowed:
            raise forbidden()

    def oauth(self, method: str, path: str, raw_query: str, authorization: bytes, body: bytes) -> Reply:
        """The two OAuth endpoints, which lie beside /api."""
        if path == AUTHORIZE:
            return self._authorize(raw_query) if method == "GET" else Reply(405)
        return self._token(authorization, body) if method == "POST" else Reply(405)

    def _authorize(self, raw_query: str) -> Reply:
        """What a person's browser opens: back to redirect_uri with a code and the state, or with an error.

        A wrong client or address is told on the spot, for nothing may be sent to an address that is not trusted.
        """
        asked = dict(parse_qsl(raw_query))
        try:
            target = urlsplit(asked.get("redirect_uri", ""))
        except ValueError:
            return _oauth_error(400, "invalid_request")
        if asked.get("client_id") != self.client_id:
            return _oauth_error(400, "invalid_client")
        if target.scheme not in ("http", "https") or not target.netloc:
            return _oauth_error(400, "invalid_request")
        consent = self._store.switch("oauth_consent")
        if consent == "page" and "decision" not in asked:
            return _question(asked)
        refused = consent == "refuse" or asked.get("decision") == "deny"
        answer = {"state": asked["state"]} if "state" in asked else {}
        answer |= {"error": "access_denied"} if refused else self._decided(asked)
        query = "&".join(part for part in (target.query, urlencode(answer)) if part)
        place = urlunsplit((target.scheme, target.netloc, target.path, query, target.fragment))
        return Reply(302, headers=[(b"location", place.encode())])

    def _decided(self, asked: dict[str, str]) -> dict[str, str]:
        """A code, or what is wrong with the call."""
        wanted = set(asked.get("scope", "").split())
        unknown = wanted - SCOPES and self._store.switch("unknown_scope") == "refused"
        if asked.get("response_type") != "code":
            return {"error": "unsupported_response_type"}
        if not wanted & SCOPES or unknown:
            return {"error": "invalid_scope"}
        return {"code": self._give("code", SCOPES & wanted, CODE_LIFE_S, asked["redirect_uri"])}

    def _token(self, authorization: bytes, body: bytes) -> Reply:
        """Code or refresh token for an access token. The client proves itself by Basic [seen in a working client], or
        by client_id and client_secret in the form [OAuth 2 allows it]; the body is a form."""
        form = {name: values[-1] for name, values in parse_qs(body.decode("utf-8", "replace")).items()}
        if not self._is_client(authorization, form):
            return _oauth_error(401, "invalid_client")
        grant = form.get("grant_type")
        if grant == "authorization_code":
            return self._by_code(form)
        if grant == "refresh_token":
            return self._by_refresh(form)
        return _oauth_error(400, "unsupported_grant_type" if grant else "invalid_request")

    def _is_client(self, authorization: bytes, form: dict[str, str]) -> bool:
        if form.get("client_id", self.client_id) != self.client_id:
            return False
        if authorization:
            kind, _, rest = authorization.partition(b" ")
            known = (self.client_id.lower(), self.client_secret)
            return authorization == self._client_header or (kind.lower() == b"basic" and _unbasic(rest) == known)
        return "client_id" in form and form.get("client_secret") == self.client_secret

    def _unauthorized(self) -> ApiError:
        """The 401 answer for no, bad or expired credentials."""
        text = "Authentication is required to access this resource."
        return Shaped(401, text, str(self._store.switch("unauthorized_reply")))

    def _by_code(self, form: dict[str, str]) -> Reply:
        """A code works once, within ten minutes, with the redirect_uri it was given for."""
        code = form.get("code", "")
        row = self._store.one(
            "SELECT scopes, expires, redirect_uri FROM tokens WHERE token = ? AND kind = 'code'", code
        )
        self._store.run("DELETE FROM tokens WHERE token = ? AND kind = 'code'", code)
        if row is None or row[1] <= self._store.world.clock.now().timestamp() or row[2] != form.get("redirect_uri"):
            return _oauth_error(400, "invalid_grant")
        scopes = frozenset(row[0].split())
        refresh = self._give("refresh", scopes, None) if "offline" in scopes else None
        return self._grant(scopes, refresh)

    def _by_refresh(self, form: dict[str, str]) -> Reply:
        old = form.get("refresh_token", "")
        row = self._store.one("SELECT scopes FROM tokens WHERE token = ? AND kind = 'refresh'", old)
        if row is None:
            return _oauth_error(400, "invalid_grant")
        scopes, rotation = frozenset(row[0].split()), self._store.switch("refresh_rotation")
        if rotation == "on":
            self._store.run("DELETE FROM tokens WHERE token = ?", old)
            old = self._give("refresh", scopes, None)
        return self._grant(scopes, None if rotation == "omit" else old)

    def _grant(self, scopes: frozenset[str], refresh: str | None) -> Reply:
        answer = {
            "access_token": self._give("access", scopes, TOKEN_LIFE_S),
            "token_type": "Bearer",
            "expires_in": TOKEN_LIFE_S,
            "scope": " ".join(sorted(scopes)),
        }
        if refresh is not None:
            answer["refresh_token"] = refresh
        return Reply(200, dump(answer).encode(), [(b"cache-control", b"no-store")])

    def _give(self, kind: str, scopes: frozenset[str], life_s: float | None, redirect_uri: str | None = None) -> str:
        token = secrets.token_urlsafe(32)
        expires = None if life_s is None else self._store.world.clock.now().timestamp() + life_s
        self._store.run(
            "INSERT INTO tokens VALUES (?, ?, ?, ?, ?)", token, kind, " ".join(sorted(scopes)), expires, redirect_uri
        )
        return token


def forbidden() -> ApiError:
    """The 403 answer; the beginning of its text is recorded."""
    return ApiError(403, "You do not have enough permissions to perform this action.")


def _basic(name: str, secret: str) -> bytes:
    return b"Basic " + base64.b64encode(f"{name}:{secret}".encode())


def _unbasic(encoded: bytes) -> tuple[str, str] | None:
    try:
        name, _, secret = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (ValueError, binascii.Error):
        return None
    return name.lower(), secret


def _question(asked: dict[str, str]) -> Reply:
    """The page that asks a person whether the app may do what it wants."""
    kept = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(text)}">' for name, text in asked.items()
    )
    scopes = "".join(f"<li>{escape(name)}</li>" for name in asked.get("scope", "").split())
    page = (
        "<!doctype html><html lang=en><title>Allow access?</title><h1>Allow access?</h1>"
        f"<p>An app asks to use this Gorgias account for:</p><ul>{scopes}</ul><form action={AUTHORIZE}>{kept}"
        "<button name=decision value=allow>Allow</button> <button name=decision value=deny>Deny</button></form></html>"
    )
    return Reply(200, page.encode(), [(b"content-type", b"text/html; charset=utf-8")])


def _oauth_error(status: int, code: str) -> Reply:
    return Reply(status, dump({"error": code}).encode())
