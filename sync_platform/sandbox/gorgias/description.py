"""What the twin of Gorgias says of itself: OpenAPI 3.1 at /openapi.json, made of the routes that serve.

Queries and bodies are described by the checks that validate them, so a description and its server can't drift apart;
answers by `answers`. The vendor publishes no such file on an account's host: it is the sandbox's own addition,
needs no credentials, and counts against no limit.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sync_platform.sandbox.gorgias.access import AUTHORIZE, SCOPES, TOKEN
from sync_platform.sandbox.gorgias.answer_words import Json, ref
from sync_platform.sandbox.gorgias.answers import SCHEMAS
from sync_platform.sandbox.gorgias.app import GorgiasApp, Receive, Scope, Send
from sync_platform.sandbox.gorgias.fields import Check, schema_of
from sync_platform.sandbox.gorgias.http import Contract, Route, Routes, dump

PATH = "/openapi.json"
_PARTS = re.compile(r"\{[^}]*\}")
_ID: Json = {"type": "integer", "minimum": 0, "maximum": 10**18 - 1}
_CALLS = {"X-Gorgias-Account-Api-Call-Limit": {"$ref": "#/components/headers/CallLimit"}}
_MEANINGS = {
    200: "Done.",
    201: "Created.",
    202: "Taken over.",
    204: "Done; there is nothing to say.",
    301: "The resource was merged into another one.",
    400: "A value is missing, bad or unknown.",
    401: "No credentials, bad ones, or expired ones.",
    403: "The role or the token's scopes do not allow it, or a quota is used up.",
    404: "No such resource; mostly it was deleted.",
    409: "The identifier is in use.",
    413: "The body is too large.",
    429: "Too many calls.",
}
_ALWAYS = (400, 401, 403, 404, 429)


class Describing:
    """The application, and beside it the description."""

    def __init__(self, app: GorgiasApp, routes: Routes) -> None:
        self._app = app
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI scope."""
        if scope["type"] != "http" or scope["path"] != PATH or scope["method"] not in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        body = dump(document(self._routes)).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


def document(routes: Routes) -> Json:
    """The description under the switches as they stand. Raises TypeError for a check that says nothing of itself."""
    every = (Call(method, route) for methods in routes.values() for method, route in methods.items())
    calls = [call for call in every if call.route.contract is None or call.route.contract.answers]
    paths: dict[str, Json] = {}
    for call in calls:
        paths.setdefault(call.path, {})[call.method.lower()] = _operation(call, calls)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Gorgias, as the sandbox serves it",
            "version": "1",
            "description": "One invented account on loopback, built from published behaviour alone.",
        },
        "servers": [{"url": "/"}],
        "paths": {**dict(sorted(paths.items())), **_OAUTH},
        "components": {"schemas": SCHEMAS, "headers": _HEADERS, "securitySchemes": _SECURITY},
    }


def named(template: str) -> tuple[str, list[str]]:
    """A template whose parameters bear different names, and these: `/tickets/{ticket_id}/messages/{id}`."""
    parts = template.split("/")
    marked = [index for index, part in enumerate(parts) if _PARTS.fullmatch(part)]
    names = [parts[index - 1].rstrip("s").replace("-", "_") + "_id" for index in marked[:-1]] + ["id"] * bool(marked)
    for index, name in zip(marked, names, strict=True):
        parts[index] = f"{{{name}}}"
    return "/".join(parts), names


class Call:
    """A route under the names that the description gives it."""

    def __init__(self, method: str, route: Route) -> None:
        self.method = method
        self.route = route
        self.path, self.names = named(route.template)
        self.id = f"{method.lower()}{re.sub('[^a-z]+', '_', self.path.removeprefix('/api'))}".rstrip("_")

    def links(self, status: int, calls: Iterable["Call"]) -> dict[str, Json]:
        """Where the id of a new object, or of a list's first one, leads: the calls right below this path."""
        found = "$response.body#/id" if self.method == "POST" else "$response.body#/data/0/id"
        if status not in (200, 201) or self.method not in ("GET", "POST"):
            return {}
        carried = [f"$request.path.{name}" for name in self.names]
        return {
            call.id: {
                "operationId": call.id,
                "parameters": dict(zip(call.names, [*carried, found], strict=True)),
            }
            for call in calls
            if call.route.template.startswith(self.route.template + "/{") and len(call.names) == len(self.names) + 1
        }


def _operation(call: Call, calls: Iterable[Call]) -> Json:
    route, contract = call.route, call.route.contract
    made: Json = {
        "operationId": call.id,
        "summary": route.failure.removeprefix("Failed to ").capitalize(),
        "description": " ".join((route.handler.__doc__ or "").split()),
        "tags": [call.path.split("/")[2]],
        "security": [{"key": []}, {"token": [route.scope]}],
        "parameters": [{"name": name, "in": "path", "required": True, "schema": _ID} for name in call.names],
    }
    if contract is None:
        return {**made, "responses": {"default": {"description": "Not described."}}}
    made["parameters"] += list(_query(contract))
    if contract.body is not None:
        content = {"application/json": {"schema": schema_of(contract.body)}}
        made["requestBody"] = {"required": True, "content": content}
    made["responses"] = _answers(contract)
    for status in contract.answers:
        links = call.links(status, calls)
        if links:
            made["responses"][str(status)]["links"] = links
    return made


def _query(contract: Contract) -> Iterator[Json]:
    for name, check in contract.query.items():
        yield {"name": name, "in": "query", "required": name in contract.needed, "schema": _plain(check)}


def _plain(check: Check) -> Json:
    """The schema without null, which a query can't say."""
    schema = schema_of(check)
    if isinstance(schema.get("type"), list):
        kind = next(entry for entry in schema["type"] if entry != "null")
        choices = {"enum": [entry for entry in schema["enum"] if entry is not None]} if "enum" in schema else {}
        return {**schema, "type": kind, **choices}
    return schema


def _answers(contract: Contract) -> dict[str, Json]:
    found = {status: _answer(status, name) for status, name in contract.answers.items()}
    wrong = (*_ALWAYS, *contract.errors, *((413,) if contract.body else ()))
    found |= {status: _answer(status, "Error") for status in wrong}
    return {str(status): found[status] for status in sorted(found)}


def _answer(status: int, schema: str | None) -> Json:
    headers: Mapping[str, Json] = _CALLS
    if status == 429:
        headers = {**_CALLS, "Retry-After": {"$ref": "#/components/headers/RetryAfter"}}
    content = {} if schema is None else {"content": {"application/json": {"schema": ref(schema)}}}
    return {"description": _MEANINGS[status], "headers": headers, **content}


_HEADERS: Json = {
    "CallLimit": {
        "description": "Calls of the window so far and its limit; on every answer, errors included.",
        "required": True,
        "schema": {"type": "string", "pattern": "^[0-9]+/[0-9]+$"},
    },
    "RetryAfter": {
        "description": "Whole seconds to wait.",
        "required": True,
        "schema": {"type": "integer", "minimum": 1},
    },
}
_SECURITY: Json = {
    "key": {"type": "http", "scheme": "basic", "description": "A user's e-mail and an API key."},
    "client": {"type": "http", "scheme": "basic", "description": "An app's client id and secret."},
    "token": {
        "type": "oauth2",
        "flows": {
            "authorizationCode": {
                "authorizationUrl": AUTHORIZE,
                "tokenUrl": TOKEN,
                "refreshUrl": TOKEN,
                "scopes": dict.fromkeys(sorted(SCOPES), ""),
            }
        },
    },
}


def _text(name: str, *, required: bool = False, **more: Any) -> Json:
    return {"name": name, "in": "query", "required": required, "schema": {"type": "string", **more}}


_FORM: Json = {
    "type": "object",
    "properties": {
        "grant_type": {"type": "string", "enum": ["authorization_code", "refresh_token"]},
        **{
            name: {"type": "string"} for name in ("code", "refresh_token", "redirect_uri", "client_id", "client_secret")
        },
    },
    "required": ["grant_type"],
}
_OAUTH: dict[str, Json] = {
    AUTHORIZE: {
        "get": {
            "operationId": "authorize",
            "summary": "Ask the account for its consent",
            "description": "The consent page, which agrees by itself.",
            "tags": ["oauth"],
            "security": [],
            "parameters": [
                _text("response_type", required=True, enum=["code"]),
                _text("client_id", required=True),
                _text("redirect_uri", required=True),
                _text("scope", required=True),
                _text("state"),
                _text("nonce"),
            ],
            "responses": {
                "302": {"description": "Back to redirect_uri with a code, or with an error.", "headers": _CALLS},
                "400": _answer(400, "OAuthError"),
            },
        }
    },
    TOKEN: {
        "post": {
            "operationId": "token",
            "summary": "A code or a refresh token for an access token",
            "tags": ["oauth"],
            "security": [{"client": []}],
            "requestBody": {
                "required": True,
                "content": {"application/x-www-form-urlencoded": {"schema": _FORM}},
            },
            "responses": {
                "200": _answer(200, "Token"),
                "400": _answer(400, "OAuthError"),
                "401": _answer(401, "OAuthError"),
            },
        }
    },
}
