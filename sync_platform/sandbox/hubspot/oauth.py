"""OAuth: consent, codes, tokens of half an hour, what a token may do, and what is told about it.

Facts: POST /oauth/v1/token (v3 and dated paths too) takes a form [spec] with `authorization_code`, `refresh_token` and,
from v3 on, `client_credentials`; access tokens live 1,800 s; refresh tokens neither expire nor rotate while the app
stays installed [doc]; a refused refresh is a 400 with status BAD_REFRESH_TOKEN and error invalid_grant, also
BAD_CLIENT_ID / invalid_client and BAD_HUB / access_denied [code]. The statuses BAD_AUTH_CODE, BAD_CLIENT_SECRET and
BAD_REDIRECT_URI are made alike [inferred]. There is no page to click on: the switch `oauth_consent` is the person.
"""

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from sync_platform.sandbox.hubspot.kinds import KINDS
from sync_platform.sandbox.hubspot.store import Store
from sync_platform.sandbox.hubspot.wire import Answer, Call, not_found, refuse

EXPIRES_S = 1_800
OWN_SCOPES = "developer."  # how the scopes begin that are an app's own, not an account's
_KEPT_MS = 7 * 86_400_000  # how long an expired token is still told apart from one that never was
_VERSIONS = ("v1", "v3", "2025-09", "2026-03", "2026-09")
_DATED = ("2025-09", "2026-03", "2026-09")  # HubSpot's own SDK of 2026 sends JSON there, not the documented form
_OBJECT_SCOPES = sorted({kind.scope for kind in KINDS.values()} | {"custom"})
SCOPES = (
    "oauth",
    "tickets",
    "crm.objects.owners.read",
    *(f"crm.objects.{name}.{verb}" for name in _OBJECT_SCOPES for verb in ("read", "write")),
    *(f"crm.schemas.{name}.{verb}" for name in _OBJECT_SCOPES for verb in ("read", "write")),
)
Doc = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Grant:
    """What an access token stands for."""

    scopes: frozenset[str]
    kind: str  # access_token | client_credentials


class Expired(Exception):
    """An access token whose half hour is over."""


class OAuth:
    """Serves /oauth/authorize and /oauth/{version}/…; tells the grant of an access token."""

    def __init__(self, store: Store, switch: Callable[[str], Any], app: Doc) -> None:
        self._store = store
        self._switch = switch
        self._app = app  # client_id, client_secret, app_id, hub_id, user_id
        self.load()

    def load(self) -> None:
        """Read the tokens that were given out."""
        self._access = {name: doc for _, name, doc, _ in self._store.settings("oauth_access")}
        self._grants: dict[str, Grant] = {}

    # the API's side

    def grant(self, credential: bytes | None, now_ms: int) -> Grant | None:
        """The grant of a bearer token; None for an unknown one. Raises Expired."""
        if not credential or not self._access:
            return None
        scheme, _, token = credential.decode("latin-1").partition(" ")
        doc = self._access.get(token) if scheme.lower() == "bearer" else None
        if doc is None:
            return None
        if doc["expires"] <= now_ms:
            raise Expired
        found = self._grants.get(token)
        if found is None:
            found = self._grants[token] = Grant(frozenset(doc["scopes"]), doc["use"])
        return found

    # endpoints

    def serves(self, parts: tuple[str, ...]) -> bool:
        """Whether a path is one of these; they need no access token and count in no limit."""
        if parts[-1] == "authorize":
            return len(parts) in (2, 3)
        return len(parts) > 2 and parts[1] in _VERSIONS and parts[2] in ("token", "access-tokens", "refresh-tokens")

    def serve(self, call: Call) -> Answer:
        """Answer one call. Raises Refusal."""
        version, rest = call.parts[1], call.parts[2:]
        match (call.method, *rest):
            case ("GET", *_) if call.parts[-1] == "authorize":
                return self._authorize(call)
            case ("POST", "token"):
                return self._token(call, version)
            case ("POST", "token", "introspect") if version != "v1":
                return self._introspect(call)
            case ("POST", "token", "revoke") if version != "v1":
                return self._revoke(call)
            case ("GET", "access-tokens", token) if version == "v1":
                return self._access_info(call, token)
            case ("GET", "refresh-tokens", token) if version == "v1":
                return Answer(200, self._refresh_info(token))
            case ("DELETE", "refresh-tokens", token) if version == "v1":
                self._refresh_info(token)
                self._store.drop_setting("oauth_refresh", "", token)
                return Answer(204)
        if rest and rest[-1] in ("token", "introspect", "revoke"):
            refuse(405, "HTTP 405 Method Not Allowed")
        raise not_found()

    def _authorize(self, call: Call) -> Answer:
        """GET /oauth/authorize: straight back to `redirect_uri` with `code` and `state`."""
        uri, state = call.text("redirect_uri") or "", call.text("state")
        if call.text("client_id") != self._app["client_id"]:
            refuse(400, "The client id doesn't belong to an app", "VALIDATION_ERROR")
        where = urlsplit(uri)
        local = where.hostname in ("localhost", "127.0.0.1", "::1")
        if not where.hostname or where.scheme not in (("http", "https") if local else ("https",)):
            refuse(400, "redirect_uri must be an https address, or one of this machine", "VALIDATION_ERROR")
        wanted, optional = (call.text("scope") or "").split(), (call.text("optional_scope") or "").split()
        # A person can't really grant what is the app's own; whether such a token reads the journal is a switch.
        unknown = [scope for scope in wanted if not _known(scope) and not scope.startswith(OWN_SCOPES)]
        if unknown or not wanted:
            refuse(400, "Authorization failed: unknown or no scopes", "VALIDATION_ERROR", context={"scopes": unknown})
        if self._switch("oauth_consent") == "deny":
            back = {"error": "access_denied", "error_description": "The user denied the request"}
        else:
            # An optional scope that the account can't give is left out without a word [doc].
            scopes = list(dict.fromkeys(["oauth", *wanted, *filter(self._available, optional)]))
            code = secrets.token_urlsafe(24)
            doc = {"uri": uri, "scopes": scopes, "challenge": call.text("code_challenge")}
            doc["expires"] = call.now_ms + self._switch("oauth_code_s") * 1000
            self._store.put_setting("oauth_code", "", code, doc)
            back = {"code": code}
        if state is not None:
            back["state"] = state
        location = f"{uri}{'&' if where.query else '?'}{urlencode(back)}"
        return Answer(302, None, ((b"location", location.encode()),))

    def _available(self, scope: str) -> bool:
        missing = {part.strip() for part in self._switch("missing_scopes").split(",")}
        return _known(scope) and scope not in missing

    def _token(self, call: Call, version: str) -> Answer:
        form = _form(call)
        refused = self._check_app(form)
        if refused:
            return refused
        match form.get("grant_type"):
            case "authorization_code":
                return self._by_code(call, form, version)
            case "refresh_token":
                found = self._document("oauth_refresh", form.get("refresh_token"))
                if found is None:
                    return _bad("BAD_REFRESH_TOKEN", "missing or invalid refresh token", "invalid_grant")
                if self._switch("oauth_hub") == "uninstalled":
                    return _bad("BAD_HUB", "the app isn't installed in this account", "access_denied")
                return self._issue(call, version, found["scopes"], form["refresh_token"])
            case "client_credentials" if version != "v1":
                scopes = form.get("scope", "").split()
                unknown = [scope for scope in scopes if not _known(scope) and not scope.startswith(OWN_SCOPES)]
                if not scopes or unknown:
                    return _bad("BAD_SCOPE", "missing or unknown scope", "invalid_scope")
                return self._issue(call, version, scopes, None)
        return _bad("BAD_GRANT_TYPE", "missing or unknown grant type", "unsupported_grant_type")

    def _check_app(self, form: dict[str, str]) -> Answer | None:
        if form.get("client_id") != self._app["client_id"]:
            return _bad("BAD_CLIENT_ID", "missing or unknown client id", "invalid_client")
        if not hmac.compare_digest(form.get("client_secret", "").encode(), self._app["client_secret"].encode()):
            return _bad("BAD_CLIENT_SECRET", "missing or invalid client secret", "invalid_client")
        return None

    def _by_code(self, call: Call, form: dict[str, str], version: str) -> Answer:
        code = form.get("code", "")
        found = self._document("oauth_code", code)
        if found is not None:
            self._store.drop_setting("oauth_code", "", code)  # good for one try
        if found is None or found["expires"] <= call.now_ms:
            return _bad("BAD_AUTH_CODE", "missing or unknown auth code", "invalid_grant")
        if form.get("redirect_uri") != found["uri"]:
            return _bad("BAD_REDIRECT_URI", "missing or unknown redirect uri", "invalid_grant")
        if found["challenge"]:
            digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
            if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != found["challenge"].rstrip("="):
                return _bad("BAD_CODE_VERIFIER", "missing or invalid code verifier", "invalid_grant")
        refresh = f"na1-{secrets.token_hex(16)}"
        self._store.put_setting("oauth_refresh", "", refresh, {"scopes": found["scopes"]})
        return self._issue(call, version, found["scopes"], refresh)

    def _issue(self, call: Call, version: str, scopes: list[str], refresh: str | None) -> Answer:
        use = "client_credentials" if refresh is None else "access_token"
        token = secrets.token_urlsafe(48)
        doc = {"expires": call.now_ms + EXPIRES_S * 1000, "scopes": scopes, "use": use}
        for old in [name for name, one in self._access.items() if one["expires"] + _KEPT_MS < call.now_ms]:
            del self._access[old]
            self._grants.pop(old, None)
            self._store.drop_setting("oauth_access", "", old)
        self._store.put_setting("oauth_access", "", token, doc)
        self._access[token] = doc
        body: Doc = {"token_type": "bearer", "access_token": token, "expires_in": EXPIRES_S}
        if refresh is not None:
            body["refresh_token"] = refresh
        if version != "v1":
            hub, user = self._app["hub_id"], self._app["user_id"]
            body |= {"token_use": use, "hub_id": hub, "user_id": user, "scopes": scopes}
        return Answer(200, body)

    # what is told about tokens

    def _document(self, section: str, name: str | None) -> Doc | None:
        if not name:
            return None
        sql = "SELECT doc FROM settings WHERE section=? AND kind='' AND name=?"
        found = self._store.db.execute(sql, (section, name)).fetchone()
        return None if found is None else dict(json.loads(found[0]))

    def _about(self, token: str, scopes: list[str]) -> Doc:
        return {
            "token": token,
            "user": "admin@example.com",
            "hub_domain": "sandbox.example.com",
            "scopes": scopes,
            "hub_id": self._app["hub_id"],
            "user_id": self._app["user_id"],
        }

    def _access_info(self, call: Call, token: str) -> Answer:
        """GET /oauth/v1/access-tokens/{token}; what an unknown one answers isn't established (404 here)."""
        doc = self._access.get(token)
        if doc is None or doc["expires"] <= call.now_ms:
            refuse(404, "The access token is expired or invalid", "OBJECT_NOT_FOUND")
        left_s = (doc["expires"] - call.now_ms) // 1000
        more = {"app_id": self._app["app_id"], "expires_in": left_s, "token_type": "access"}
        return Answer(200, self._about(token, doc["scopes"]) | more)

    def _refresh_info(self, token: str) -> Doc:
        doc = self._document("oauth_refresh", token)
        if doc is None:
            refuse(404, "The refresh token is unknown", "OBJECT_NOT_FOUND")
        return self._about(token, doc["scopes"]) | {"client_id": self._app["client_id"], "token_type": "refresh"}

    def _introspect(self, call: Call) -> Answer:
        form = _form(call)
        refused = self._check_app(form)
        if refused:
            return refused
        token = form.get("token", "")
        access, refresh = self._access.get(token), self._document("oauth_refresh", token)
        if access is None and refresh is None:
            return Answer(200, {"active": False})
        more: Doc = {"active": True, "app_id": self._app["app_id"], "client_id": self._app["client_id"]}
        if refresh is not None:
            return Answer(200, self._refresh_info(token) | more | {"token_use": "refresh_token"})
        assert access is not None  # noqa: S101 - one of the two is there
        left_s = max(0, (access["expires"] - call.now_ms) // 1000)
        more |= {
            "active": left_s > 0,
            "expires_in": left_s,
            "token_type": "access",
            "token_use": access["use"],
            "is_private_distribution": False,
            "signed_access_token": self._signed(access),
        }
        return Answer(200, self._about(token, access["scopes"]) | more)

    def _signed(self, doc: Doc) -> Doc:
        """What HubSpot's own services make of an access token; the fields are those that its SDK knows."""
        mark = hashlib.sha256(f"{self._app['client_secret']} {doc['expires']}".encode()).hexdigest()
        return {
            "expiresAt": doc["expires"],
            "scopes": " ".join(doc["scopes"]),
            "hubId": self._app["hub_id"],
            "userId": self._app["user_id"],
            "installingUserId": self._app["user_id"],
            "appId": self._app["app_id"],
            "signature": mark,
            "newSignature": mark,
            "scopeToScopeGroupPks": "",
            "trialScopes": "",
            "trialScopeToScopeGroupPks": "",
            "hublet": "na1",
            "isUserLevel": False,
            "isPrivateDistribution": False,
            "isServiceAccount": doc["use"] == "client_credentials",
        }

    def _revoke(self, call: Call) -> Answer:
        form = _form(call)
        refused = self._check_app(form)
        if refused:
            return refused
        token = form.get("token", "")
        self._store.drop_setting("oauth_refresh", "", token)
        self._store.drop_setting("oauth_access", "", token)
        self._access.pop(token, None)
        self._grants.pop(token, None)
        return Answer(204)


def _known(scope: str) -> bool:
    return scope in SCOPES


def _form(call: Call) -> dict[str, str]:
    """The fields of a form. Raises Refusal(400) for one that isn't text."""
    if call.raw_body[:1] == b"{" and call.parts[1] in _DATED:
        return {name: str(value) for name, value in call.fields().items() if value is not None}
    try:
        found = parse_qs(call.raw_body.decode(), keep_blank_values=True, max_num_fields=50)
    except (UnicodeDecodeError, ValueError):
        refuse(400, "The body must be a form", "VALIDATION_ERROR")
    return {name: values[-1] for name, values in found.items()}


def _bad(status: str, message: str, error: str) -> Answer:
    """A refusal in OAuth's own form."""
    return Answer(400, {"status": status, "message": message, "error": error, "error_description": message})
