"""Which call of HubSpot's API is for which part of the twin, and the scopes that it needs.

A scope that lacks is a 403 MISSING_SCOPES [recorded]; an association call needs scopes on both sides [doc].
"""

import re
from collections.abc import Callable
from typing import Any

from sync_platform.sandbox.hubspot.absent import absent
from sync_platform.sandbox.hubspot.account import Account, Pipelines
from sync_platform.sandbox.hubspot.associations import Associations
from sync_platform.sandbox.hubspot.batch import Batch
from sync_platform.sandbox.hubspot.custom import CustomTypes
from sync_platform.sandbox.hubspot.feeds import Feeds
from sync_platform.sandbox.hubspot.kinds import CONTACTS, Kind
from sync_platform.sandbox.hubspot.labels import Labels
from sync_platform.sandbox.hubspot.oauth import OAuth
from sync_platform.sandbox.hubspot.objects import Objects
from sync_platform.sandbox.hubspot.paths import VERSION
from sync_platform.sandbox.hubspot.properties import Properties
from sync_platform.sandbox.hubspot.schema import Schema
from sync_platform.sandbox.hubspot.search import Search
from sync_platform.sandbox.hubspot.wire import Answer, Call, Refusal, refuse

_BATCH_VERBS = ("create", "read", "update", "upsert", "archive")
_TOKEN = "/oauth/v2/private-apps/get/access-token-info"
_403_ERROR = "One or more of the following scopes are required."
_403 = (
    "This app hasn't been granted all required scopes to make this call. Read more about required scopes here: "
    "https://developers.hubspot.com/scopes."
)


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
            case ("account-info", version, "details") if re.fullmatch(VERSION, version) and call.method == "GET":
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
