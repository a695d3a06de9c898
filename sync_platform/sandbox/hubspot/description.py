"""What the twin of HubSpot says of itself: OpenAPI 3.1 at /openapi.json, for every version of every path it serves.

The calls are those of one table (`served`), what they take and answer stands in strict components
(`answers`). HubSpot publishes no such file on the API's host: it is the sandbox's own addition, needs no
credentials, and counts against no limit.
"""

import json
import re
from collections.abc import Iterable
from functools import cache
from typing import Any

from sync_platform.sandbox.hubspot.answers import SCHEMAS
from sync_platform.sandbox.hubspot.kinds import KINDS
from sync_platform.sandbox.hubspot.schemata import FLAG, TEXT, Json, many, ref
from sync_platform.sandbox.hubspot.served import Served, served
from sync_platform.sandbox.hubspot.store import FIRST_ID

PATH = "/openapi.json"
_MARK = re.compile(r"\{(\w+)\}")
# the document

_KIND_NAMES = sorted({name for kind in KINDS.values() for name in (kind.name, kind.singular, kind.type_id)})
_KIND: Json = {"anyOf": [{"enum": _KIND_NAMES}, {"type": "string", "pattern": "^2-[0-9]{8}$"}]}
_NUMBER: Json = {"type": "string", "pattern": "^[0-9]{1,12}$"}
_FIRST_IDS = [str(id_) for id_ in range(FIRST_ID, FIRST_ID + 9)]
_WORD: Json = {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,40}$"}


def _like(schema: Json, *known: str) -> Json:
    """Values that an account has from its start, or any other of this form."""
    return {"anyOf": [{"enum": list(known)}, schema]}


# Schema and an example of each part of a path.
_PARTS: dict[str, tuple[Json, Any]] = {
    "objectType": (_KIND, "contacts"),
    "fromObjectType": (_KIND, "contacts"),
    "toObjectType": (_KIND, "companies"),
    "customType": ({"type": "string", "pattern": "^2-[0-9]{8}$"}, "2-41000001"),
    "objectId": (_like(_WORD, *_FIRST_IDS), str(FIRST_ID)),
    "toObjectId": (_like(_NUMBER, *_FIRST_IDS), str(FIRST_ID)),
    "vid": (_like(_NUMBER, *_FIRST_IDS), str(FIRST_ID)),
    "ownerId": (_NUMBER, "1"),
    "associationTypeId": (_NUMBER, "1"),
    "propertyName": (_like(_WORD, "email", "phone", "subject", "name", "hs_object_id"), "email"),
    "groupName": (_like(_WORD, "contactinformation", "ticketinformation"), "contactinformation"),
    "pipelineId": (_like(_WORD, "0", "default"), "0"),
    "stageId": (_like(_WORD, "1", "4", "closedwon"), "1"),
    "email": ({"type": "string", "pattern": r"^[a-z]{1,9}@example\.(com|org)$"}, "second@example.com"),
    "token": (_WORD, "unknown"),
    "appId": (_NUMBER, "8100001"),
    "subscriptionId": (_like(_NUMBER, "2500001", "2500002"), "2500001"),
    "offset": (_WORD, "unknown"),
    "count": ({"type": "string", "pattern": "^[1-9][0-9]?$"}, "10"),
    "statusId": (_WORD, "unknown"),
    "journalId": (_like(_NUMBER, "9001", "9002"), "9001"),
    "filterId": (_like(_NUMBER, "70001"), "70001"),
    "portalId": (_NUMBER, "48000001"),
}
_NAMES: Json = many({"type": "string", "minLength": 1})
_QUERY: dict[str, Json] = {
    "limit": {"type": "integer", "minimum": 1, "maximum": 100},
    "limit_500": {"type": "integer", "minimum": 1, "maximum": 500},
    "after": _NUMBER,
    "properties": _NAMES,
    "propertiesWithHistory": _NAMES,
    "associations": many({"enum": ["contacts", "companies", "tickets", "notes"]}),
    "archived": FLAG,
    "idProperty": {"enum": ["hs_object_id", "email"]},
    "ownerIdProperty": {"enum": ["id", "userId"]},
}
_NAMED = {"limit_500": "limit", "ownerIdProperty": "idProperty"}
_MEANINGS = {
    200: "Done.",
    201: "Created.",
    204: "Done; there is nothing to say.",
    207: "Done in part: `errors` says what was not.",
    302: "Back to the app, with a code or an error.",
    400: "A value, a name or the body is wrong.",
    401: "No credentials, unknown ones, or expired ones.",
    403: "The token lacks a scope.",
    404: "No such record or path.",
    405: "This kind of record can't be written.",
    409: "There is one already.",
    414: "The address is too long, or the record was merged too often.",
    423: "The record is locked for about two seconds.",
    429: "Too many calls.",
    477: "The account is moving; `Retry-After` says how many seconds to wait.",
    500: "A date filter at epoch 0, as was reported (a switch).",
}
_REFUSALS = (400, 401, 403, 404, 405, 409, 414, 423, 429, 477)
_LIMITS = ("Daily", "Daily-Remaining", "Interval-Milliseconds", "Max", "Remaining", "Secondly", "Secondly-Remaining")


@cache
def document() -> Json:
    """The description as an OpenAPI 3.1 document."""
    paths: dict[str, Json] = {}
    for call in served():
        for path in call.paths():
            paths.setdefault(path, {})[call.method.lower()] = _operation(call, path)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "HubSpot, as the sandbox serves it",
            "version": "1",
            "description": "One invented account on loopback, built from published behaviour alone.",
        },
        "servers": [{"url": "/"}],
        "security": [{"token": []}],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": SCHEMAS,
            "responses": {
                _name(call, status): _answer(call, status) for call in served() for status in _statuses(call)
            },
            "headers": {
                "Correlation": {"required": True, "schema": {"type": "string", "format": "uuid"}},
                "Limit": {"schema": {"type": "string", "pattern": "^[0-9]+$"}},
                "Location": {"required": True, "schema": {"type": "string", "format": "uri"}},
            },
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "developer_key": {"type": "apiKey", "in": "query", "name": "hapikey"},
            },
        },
    }


def _operation(call: Served, path: str) -> Json:
    shown: Json = {
        "operationId": _identifier(call.method, path),
        "parameters": [*_path_parameters(path), *_query_parameters(call.query)],
        "responses": {
            str(status): {"$ref": f"#/components/responses/{_name(call, status)}"} for status in _statuses(call)
        },
    }
    if call.body:
        kind = "application/x-www-form-urlencoded" if call.form else "application/json"
        shown["requestBody"] = {"required": True, "content": {kind: {"schema": ref(call.body)}}}
    if call.free:
        shown["security"] = []
    if call.keyed:
        shown["security"] = [{"developer_key": []}, {"token": []}]
    return shown


def _identifier(method: str, path: str) -> str:
    words = re.sub(r"[^A-Za-z0-9]+", "_", path).strip("_")
    return f"{method.lower()}_{words}{'_' if path.endswith('/') else ''}"


def _statuses(call: Served) -> list[int]:
    return sorted({*call.answers, *_refusals(call)})


def _refusals(call: Served) -> Iterable[int]:
    if call.free:
        return (400, 403, 404, 405)
    return (*_REFUSALS, 500) if call.path.endswith("/search") else _REFUSALS


def _path_parameters(path: str) -> list[Json]:
    return [
        {"name": name, "in": "path", "required": True, "schema": _PARTS[name][0], "example": _PARTS[name][1]}
        for name in _MARK.findall(path)
    ]


def _query_parameters(names: tuple[str, ...]) -> list[Json]:
    return [{"name": _NAMED.get(name, name), "in": "query", "schema": _QUERY.get(name, TEXT)} for name in names]


def _name(call: Served, status: int) -> str:
    """The component of an answer; many calls share one."""
    if status in call.answers:
        return "-".join([str(status), call.answers[status] or "None", *call.headers, *(["Free"] if call.free else [])])
    return f"{status}-{call.errors}{'-Free' if call.free else ''}"


def _answer(call: Served, status: int) -> Json:
    headers: Json = {"X-HubSpot-Correlation-Id": {"$ref": "#/components/headers/Correlation"}}
    if not call.free:
        headers |= {f"X-HubSpot-RateLimit-{name}": {"$ref": "#/components/headers/Limit"} for name in _LIMITS}
    shown: Json = {"description": _MEANINGS[status], "headers": headers}
    schema: Json | None = ref("Error")
    if status in call.answers:
        headers |= {name: {"$ref": f"#/components/headers/{name}"} for name in call.headers}
        name = call.answers[status]
        schema = None if name is None else ref(name)
    elif call.errors != "Error":
        schema = {"anyOf": [ref("Error"), ref(call.errors)]}
    return shown if schema is None else {**shown, "content": {"application/json": {"schema": schema}}}


@cache
def answer() -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """(status, headers, content) of GET /openapi.json."""
    content = json.dumps(document(), separators=(",", ":")).encode()
    length = str(len(content)).encode()
    return 200, [(b"content-type", b"application/json;charset=utf-8"), (b"content-length", length)], content
