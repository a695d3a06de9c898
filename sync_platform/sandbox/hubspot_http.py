"""HubSpot as an ASGI app: authentication, scopes, limits, versions of paths, dispatch, the call log.

Facts: v3 and v4 paths and the dated ones (2026-03, 2026-09) name the same calls in two orders of segments [doc]; a
token that isn't known is a 401 INVALID_AUTHENTICATION, a scope that lacks a 403 MISSING_SCOPES [both recorded].
"""

import hmac
import logging
import re
import traceback
from collections.abc import Awaitable, Callable, MutableMapping
from threading import RLock
from typing import Any
from urllib.parse import unquote

from sync_platform.sandbox.hubspot_absent import absent
from sync_platform.sandbox.hubspot_account import Account, Pipelines
from sync_platform.sandbox.hubspot_associations import Associations
from sync_platform.sandbox.hubspot_batch import Batch
from sync_platform.sandbox.hubspot_custom import CustomTypes
from sync_platform.sandbox.hubspot_description import PATH as DESCRIPTION
from sync_platform.sandbox.hubspot_description import answer as description
from sync_platform.sandbox.hubspot_faults import MOVING_S, Planned, planned
from sync_platform.sandbox.hubspot_feeds import AREAS, Feeds
from sync_platform.sandbox.hubspot_kinds import CONTACTS, Kind, names_a_kind
from sync_platform.sandbox.hubspot_labels import Labels
from sync_platform.sandbox.hubspot_limits import Limits
from sync_platform.sandbox.hubspot_oauth import Expired, OAuth
from sync_platform.sandbox.hubspot_objects import Objects
from sync_platform.sandbox.hubspot_properties import Properties
from sync_platform.sandbox.hubspot_schema import Schema
from sync_platform.sandbox.hubspot_search import Search
from sync_platform.sandbox.hubspot_wire import Answer, Call, Refusal, correlation, encode, refuse, to_ms
from sync_platform.sandbox.world import World

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Header = tuple[bytes, bytes]

URL_MAX = 16_000  # longer ones are a 414; clients in the wild cut at 5,000 to 15,000 characters
_log = logging.getLogger(__name__)
_VERSION = r"v3|v4|2025-09|2026-03|2026-09"
_AREAS = "objects|properties|pipelines|owners|associations|schemas|limits"
_AREA_NAMES = frozenset(_AREAS.split("|"))
_OLD = re.compile(rf"/crm/({_VERSION})/({_AREAS})(/.*)?")
_NEW = re.compile(rf"/crm/({_AREAS})/({_VERSION})(/.*)?")
_SCHEMAS = re.compile(rf"/crm-object-schemas/({_VERSION})/(schemas)(/.*)?")
_BATCH_VERBS = ("create", "read", "update", "upsert", "archive")
_TOKEN = "/oauth/v2/private-apps/get/access-token-info"
_WORDS = frozenset(
    (
        "batch", "create", "read", "update", "upsert", "archive", "search", "merge", "gdpr-delete", "associations",
        "default", "labels", "associate", "groups", "stages", "audit", "details", "get", "email", "secondary-email",
        "access-token-info", "token", "introspect", "revoke", "settings", "subscriptions", "journal", "journal-local",
        "earliest", "latest", "next", "offset", "status", "snapshots", "crm", "filters", "subscription", "portals",
    )
)  # fmt: skip
# How many segments of a path without its version are no id.
_LITERAL = {
    "objects": 2,
    "properties": 2,
    "pipelines": 2,
    "associations": 3,
    "owners": 1,
    "account-info": 3,
    "contacts": 3,
    "oauth": 3,
    "schemas": 1,
    "limits": 2,
    "webhooks": 2,
    "app-webhooks": 2,
    "webhooks-journal": 3,
}
_PLAIN = ((b"content-type", b"application/json;charset=utf-8"),)
_401 = (
    "Authentication credentials not found. This API supports OAuth 2.0 authentication and you can find more details at "
    "https://developers.hubspot.com/docs/methods/auth/oauth-overview"
)
_403_ERROR = "One or more of the following scopes are required."
_EXPIRED = "The OAuth token used to make this call expired."
_403 = (
    "This app hasn't been granted all required scopes to make this call. Read more about required scopes here: "
    "https://developers.hubspot.com/scopes."
)


def canonical(path: str) -> tuple[str, tuple[str, ...]]:
    """(version, segments) of a path, the segments alike for all versions: ("objects", "contacts", "1")."""
    if found := _OLD.fullmatch(path) or _SCHEMAS.fullmatch(path):
        version, area, rest = found.groups()
    elif found := _NEW.fullmatch(path):
        area, version, rest = found.groups()
    else:
        plain = tuple(unquote(part) for part in path.strip("/").split("/"))
        # A legacy path such as /properties/v2/contacts is none of these areas.
        return "", ("", *plain) if plain[0] in _AREA_NAMES else plain
    return version, (area, *(unquote(part) for part in (rest or "").strip("/").split("/") if part))


def template(path: str, parts: tuple[str, ...]) -> str:
    """The path with its ids left out; types and verbs stay."""
    segments = path.strip("/").split("/")
    head = len(segments) - len(parts) + _LITERAL.get(parts[0], 2)
    shown = [
        part if n < head or part in _WORDS or (n > head and names_a_kind(part)) else "{id}"
        for n, part in enumerate(segments)
    ]
    return "/" + "/".join(shown)


class Api:
    """The app. `serve` is the whole of a call without its transport."""

    def __init__(self, world: World, token: str, lock: RLock, limits: Limits, parts: "Parts") -> None:
        self._world = world
        self._token = f"Bearer {token}".encode()
        self._lock = lock
        self._limits = limits
        self._parts = parts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        if scope["type"] != "http":
            return
        body = b""
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        described = scope["path"] == DESCRIPTION and scope["method"] == "GET"
        status, headers, content = description() if described else self.serve(scope, body)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    def serve(self, scope: Scope, body: bytes) -> tuple[int, list[Header], bytes]:
        """(status, headers, content) of a request; counts it in the call log."""
        method = scope["method"]
        raw = scope.get("raw_path") or scope["path"].encode()
        path = raw.split(b"?")[0].decode("latin-1")
        version, parts = canonical(path)
        given = dict(scope["headers"])
        call = Call(
            method,
            path,
            parts,
            version,
            scope["query_string"].decode("latin-1"),
            body,
            given.get(b"host", b"127.0.0.1").decode("latin-1"),
            to_ms(self._world.clock.now()),
        )
        correlation_id = correlation()
        headers: list[Header] = [(b"x-hubspot-correlation-id", correlation_id.encode())]
        with self._lock:
            fault = planned(scope)
            status, content = self._answered(call, given.get(b"authorization"), headers, correlation_id, fault=fault)
        headers.append((b"content-length", str(len(content)).encode()))
        if content and not content.startswith(b"<"):
            headers += _PLAIN
        shown = template(path, parts)
        # An OAuth path may hold a token, which no log keeps.
        self._world.calls.record("hubspot", method, shown, status, path=shown if parts[0] == "oauth" else path)
        return status, headers, content

    def _answered(
        self, call: Call, credential: bytes | None, headers: list[Header], correlation_id: str, *, fault: Planned | None
    ) -> tuple[int, bytes]:
        try:
            return self._admitted(call, credential, headers, correlation_id, fault=fault)
        except Refusal as refusal:
            return refusal.status, encode(refusal.body(correlation_id))
        except Expired:
            category = self._parts.switch("expired_token_category")
            return 401, encode(Refusal(401, _EXPIRED, category).body(correlation_id))
        except UnicodeEncodeError:
            # Half a surrogate pair, which no database takes.
            odd = Refusal(400, "Invalid input JSON on line 1, column 1: invalid characters", "VALIDATION_ERROR")
            return 400, encode(odd.body(correlation_id))
        except Exception as error:  # noqa: BLE001 - a fault of the sandbox is an answer that is counted, not silence
            frame = traceback.extract_tb(error.__traceback__)[-1]
            # No text of the exception: it may quote a customer.
            where = f"{frame.filename.rpartition('/')[2]}:{frame.lineno}"
            _log.error("%s %s broke: %s in %s", call.method, call.parts[0], type(error).__name__, where)
            return 500, encode(Refusal(500, "internal error").body(correlation_id))

    def _admitted(
        self, call: Call, credential: bytes | None, headers: list[Header], correlation_id: str, *, fault: Planned | None
    ) -> tuple[int, bytes]:
        """The way of a call through authentication and limits to its endpoint. Raises Refusal, Expired."""
        if call.parts[0] == "oauth" and self._parts.oauth.serves(call.parts):
            return _sent(self._parts.oauth.serve(call), headers)
        if call.parts[0] in AREAS and (unlocked := self._parts.feeds.unlocked(call)) is not None:
            return _sent(unlocked, headers)
        if not self._authenticated(call, credential):
            return self._unauthenticated(credential, correlation_id, headers)
        bucket = _bucket(call.parts)
        policy, limit_headers = self._limits.admit(bucket, oauth=call.grant is not None)
        if not (policy or fault) or self._parts.switch("limit_headers_on_429") == "on":
            headers += limit_headers
        if fault and (refusal := fault.refusal()):
            if refusal.status == 477:
                headers.append((b"retry-after", str(MOVING_S).encode()))
            raise refusal
        if fault:
            policy = "SECONDLY" if bucket == "search" else "TEN_SECONDLY_ROLLING"
        if policy:
            wait_s = self._parts.switch("retry_after_s")
            if wait_s:
                headers.append((b"retry-after", str(wait_s).encode()))
            return 429, encode(self._limits.body(policy, bucket, correlation_id, shape=fault and fault.shape))
        if len(call.path) + len(call.raw_query) > URL_MAX:
            refuse(414, "URI Too Long")
        return _sent(self._parts.dispatch(call), headers)

    def _authenticated(self, call: Call, credential: bytes | None) -> bool:
        """Whether the credential is known; an OAuth token leaves its grant. Raises Expired."""
        if credential and hmac.compare_digest(credential, self._token):
            return True
        call.grant = self._parts.oauth.grant(credential, call.now_ms)
        return call.grant is not None

    def _unauthenticated(
        self, credential: bytes | None, correlation_id: str, headers: list[Header]
    ) -> tuple[int, bytes]:
        odd = credential is not None and len(credential.split()) > 2
        if odd and self._parts.switch("malformed_token") == 530:
            headers.append((b"content-type", b"text/html; charset=UTF-8"))
            return 530, b"<html><head><title>530</title></head><body>error code: 1016</body></html>"
        return 401, encode(Refusal(401, _401, "INVALID_AUTHENTICATION").body(correlation_id))


def _sent(answer: Answer, headers: list[Header]) -> tuple[int, bytes]:
    headers += answer.headers
    return answer.status, b"" if answer.body is None else encode(answer.body)


def _bucket(parts: tuple[str, ...]) -> str:
    if parts[0] == "webhooks-journal":
        return "exempt"
    if parts[0] == "objects" and parts[-1] == "search" and len(parts) == 3:
        return "search"
    if parts[0] == "associations" or (parts[0] == "objects" and "associations" in parts[3:4]):
        return "associations"
    return "burst"


class Parts:
    """All endpoints, and which call is for which."""

    def __init__(
        self,
        objects: Objects,
        batch: Batch,
        search: Search,
        associations: Associations,
        properties: Properties,
        pipelines: Pipelines,
        account: Account,
        switch: Callable[[str], Any],
        schema: Schema,
        oauth: OAuth,
        labels: Labels,
        customs: CustomTypes,
        feeds: Feeds,
    ) -> None:
        self.feeds = feeds
        self.oauth = oauth
        self._schema = schema
        self._labels = labels
        self._customs = customs
        self._granted: frozenset[str] | None = None  # the scopes of this call's OAuth token
        self._objects = objects
        self._batch = batch
        self._search = search
        self._associations = associations
        self._properties = properties
        self._pipelines = pipelines
        self._account = account
        self.switch = switch

    def dispatch(self, call: Call) -> Answer:
        """Serve a call. Raises Refusal: 404 for a path that isn't served."""
        self._granted = None if call.grant is None else call.grant.scopes
        kind_of = self._schema.kinds.of
        match call.parts:
            case ("objects", type_, *rest):
                return self._of_objects(call, kind_of(type_), rest)
            case ("associations", "usage" | "definitions", *_):
                raise absent(call, self.switch)
            case ("associations", a, b, *rest) if call.version != "v3" or "labels" in rest:
                return self._of_associations(call, a, b, rest)
            case ("properties", type_, *rest):
                kind = kind_of(type_)
                self._need(_schema_scope(kind, call.method, rest))
                return self._properties.serve(call, kind, tuple(rest))
            case ("pipelines", type_, *rest):
                kind = kind_of(type_)
                self._need(_object_scopes(kind, write=call.method != "GET"))
                return self._pipelines.serve(call, kind, rest)
            case ("owners", *rest) if call.method == "GET" and len(rest) < 2:
                self._need(["crm.objects.owners.read"])
                return self._account.owners(call, rest)
            case ("schemas", *rest):
                self._need([f"crm.schemas.custom.{'read' if call.method == 'GET' else 'write'}"])
                return self._customs.serve(call, rest)
        return self._of_account(call)

    def _of_account(self, call: Call) -> Answer:
        match call.parts:
            case ("limits", "custom-properties") if call.method == "GET" and call.version not in ("v3", "v4"):
                return self._properties.limits()
            case ("account-info", version, "details") if re.fullmatch(_VERSION, version) and call.method == "GET":
                return self._account.details(call)
            case ("contacts", "v1", "secondary-email", *rest) if rest:
                self._need(_object_scopes(CONTACTS, write=call.method != "GET"))
                return self._account.secondary(call, rest)
            case ("webhooks" | "app-webhooks" | "webhooks-journal", *_):
                return self.feeds.serve(call)
        if call.path == _TOKEN and call.method == "POST":
            return self._account.token_info(call)
        raise absent(call, self.switch)

    def _of_objects(self, call: Call, kind: Kind, rest: list[str]) -> Answer:  # noqa: PLR0911 - one for each call
        objects = self._objects
        if len(rest) >= 3 and rest[1] == "associations" and call.version != "v3":
            return self._of_one_associations(call, kind, rest)
        reads = call.method == "GET" or rest in (["search"], ["batch", "read"])
        if not (reads or kind.writable):
            raise Refusal(405, "HTTP 405 Method Not Allowed")
        self._need(_object_scopes(kind, write=not reads))
        match (call.method, *rest):
            case ("GET",):
                return objects.page(call, kind)
            case ("POST",):
                return objects.create(call, kind)
            case ("POST", "search"):
                return self._search.serve(call, kind)
            case ("POST", "batch", verb) if verb in _BATCH_VERBS:
                return self._batch.serve(call, kind, verb)
            case ("POST", "merge"):
                return objects.merge(call, kind)
            case ("POST", "gdpr-delete"):
                return objects.purge(call, kind)
            case ("GET", id_):
                return objects.read(call, kind, id_)
            case ("PATCH", id_):
                return objects.change(call, kind, id_)
            case ("DELETE", id_):
                return objects.archive(call, kind, id_)
        raise absent(call, self.switch)

    def _of_one_associations(self, call: Call, a: Kind, rest: list[str]) -> Answer:
        ends = self._associations
        id_, _, *more = rest
        write = call.method != "GET"
        b = self._schema.kinds.of(more[1] if more[0] == "default" and len(more) > 1 else more[0])
        self._need([*_object_scopes(a, write=write), *_object_scopes(b, write=write)])
        match (call.method, *more):
            case ("GET", _):
                return ends.page(call, a, id_, b)
            case ("PUT", "default", _, other):
                return ends.put_default(call, a, id_, b, other)
            case ("PUT", _, other):
                return ends.put(call, a, id_, b, other)
            case ("DELETE", _, other):
                return ends.delete(call, a, id_, b, other)
        raise absent(call, self.switch)

    def _of_associations(self, call: Call, a_text: str, b_text: str, rest: list[str]) -> Answer:
        a, b = self._schema.kinds.of(a_text), self._schema.kinds.of(b_text)
        write = rest != ["batch", "read"] and not (rest == ["labels"] and call.method == "GET")
        self._need([*_object_scopes(a, write=write), *_object_scopes(b, write=write)])
        if rest[:1] == ["labels"]:
            return self._labels.serve(call, a, b, rest[1:])
        if rest[:1] == ["batch"] and call.method == "POST":
            return self._associations.batch(call, a, b, "/".join(rest[1:]))
        raise absent(call, self.switch)

    def _alternatives(self, scope: str) -> tuple[str, ...]:
        """For tickets one source names the legacy scope, another the new ones: switch `ticket_scope`."""
        if ".tickets." not in scope:
            return (scope,)
        found = {"either": ("tickets", scope), "legacy": ("tickets",), "granular": (scope,)}
        return found[self.switch("ticket_scope")]

    def _need(self, scopes: list[str]) -> None:
        """Raises Refusal(403) when the token lacks one of them."""
        granted = self._granted
        if granted is None:
            if not self.switch("missing_scopes"):
                return
            granted = frozenset(self._account.scopes())
        missing = sorted({scope for scope in scopes if granted.isdisjoint(self._alternatives(scope))})
        if missing:
            which = {"requiredGranularScopes": missing}
            error = {"message": _403_ERROR, "context": which}
            if self.switch("missing_scopes_body") == "top_level":
                refuse(403, _403_ERROR, "MISSING_SCOPES", context=which)
            refuse(
                403,
                _403,
                "MISSING_SCOPES",
                errors=[error],
                links={"scopes": "https://developers.hubspot.com/scopes"},
            )


def _object_scopes(kind: Kind, *, write: bool) -> list[str]:
    return [f"crm.objects.{kind.scope}.{'write' if write else 'read'}"]


def _schema_scope(kind: Kind, method: str, rest: list[str]) -> list[str]:
    verb = "read" if method == "GET" or rest == ["batch", "read"] else "write"
    return [f"crm.schemas.{kind.scope}.{verb}"]
