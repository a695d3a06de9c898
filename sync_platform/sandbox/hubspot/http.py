"""HubSpot as an ASGI app: authentication, limits, planned faults, the call log.

Facts: a token that isn't known is a 401 INVALID_AUTHENTICATION [recorded]; with white space in it a 530 of the gateway
was reported (switch `malformed_token`); every answer has a correlation id [recorded].
"""

import hmac
import logging
import traceback
from collections.abc import Awaitable, Callable, MutableMapping
from threading import RLock
from typing import Any

from sync_platform.sandbox.hubspot.description import PATH as DESCRIPTION
from sync_platform.sandbox.hubspot.description import answer as description
from sync_platform.sandbox.hubspot.dispatch import Parts
from sync_platform.sandbox.hubspot.faults import MOVING_S, Planned, planned
from sync_platform.sandbox.hubspot.feeds import AREAS
from sync_platform.sandbox.hubspot.limits import Limits
from sync_platform.sandbox.hubspot.oauth import Expired
from sync_platform.sandbox.hubspot.paths import bucket as bucket_of
from sync_platform.sandbox.hubspot.paths import canonical, template
from sync_platform.sandbox.hubspot.wire import Answer, Call, Refusal, correlation, encode, refuse, to_ms
from sync_platform.sandbox.world import World

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Header = tuple[bytes, bytes]

URL_MAX = 16_000  # longer ones are a 414; clients in the wild cut at 5,000 to 15,000 characters
_log = logging.getLogger(__name__)
_PLAIN = ((b"content-type", b"application/json;charset=utf-8"),)
_401 = (
    "Authentication credentials not found. This API supports OAuth 2.0 authentication and you can find more details at "
    "https://developers.hubspot.com/docs/methods/auth/oauth-overview"
)
_EXPIRED = "The OAuth token used to make this call expired."


class Api:
    """The app. `serve` is the whole of a call without its transport."""

    def __init__(self, world: World, token: str, lock: RLock, limits: Limits, parts: Parts) -> None:
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
        bucket = bucket_of(call.parts)
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
