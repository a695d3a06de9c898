"""HubSpot's own words about itself: who the account is, its slow lists, what set-up makes and what doctor looks at.

Facts relied upon: a property's name can't be changed, a duplicate answers 409, and `hasUniqueValue` exists only at
creation, at most ten times for each object type [doc]; a bool needs exactly the options true and false [observed live];
creating with the name of an archived property brings that one back [observed live]. Owner id is not user id [spec].
Token info names app, portal and scopes for private apps [code]; for service keys it is not established, so scopes are
probed by calls as well.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from sync_platform.connectors.hubspot_calls import Answer, Calls, Repeat
from sync_platform.connectors.hubspot_errors import Refused
from sync_platform.connectors.hubspot_rows import ATTRIBUTES, KIND, MARKER
from sync_platform.connectors.protocol import Account, Directory, Finding, Limit, Wanted
from sync_platform.core.records import ENTITIES, Entity, Json, Lane, System
from sync_platform.errors import NotAllowed, Rejected, SyncError

GROUP = "sync_platform"
OWNERS_PAGE = 100
VISIBLE_TRIES = 20
VISIBLE_PAUSE_S = 0.25
_TYPES: Mapping[str, tuple[str, str]] = {
    "text": ("string", "text"),
    "number": ("number", "number"),
    "bool": ("bool", "booleancheckbox"),
    "datetime": ("datetime", "date"),
    "choice": ("enumeration", "select"),
    "list": ("string", "textarea"),
}
_REMEDY_SCOPE = "Add the scope to the HubSpot app (Settings, Integrations), then use its new token."
_Call = Callable[..., Any]


@dataclass(slots=True)
class SetUp:
    """Set-up and description of one account."""

    calls: Calls
    limits: tuple[Limit, ...]

    def _ask(self, call: _Call, *args: Any, repeat: Repeat = Repeat.READ, **named: Any) -> Answer:
        return self.calls.run(call, *args, lane=Lane.INTERACTIVE, purpose="setup", repeat=repeat, **named)

    def account(self) -> Account:
        """Portal id, and whether this is the twin: a loopback address whose answers name it."""
        answer = self.calls.path("GET", "/account-info/v3/details", lane=Lane.INTERACTIVE, purpose="setup")
        twin = self.calls.twin and _loopback(self.calls.base_url)
        names = ("accountType", "timeZone", "dataHostingLocation", "uiDomain")
        facts = {name: answer.body[name] for name in names if name in answer.body}
        return Account(System.HUBSPOT, str(answer.body["portalId"]), twin, facts)

    def token_info(self) -> Mapping[str, Json]:
        """App id, portal and scopes of a private app's token. Raises `Rejected` for other kinds of token."""
        body = {"tokenKey": self.calls.token().strip()}
        path = "/oauth/v2/private-apps/get/access-token-info"
        return self.calls.path("POST", path, body, lane=Lane.INTERACTIVE, purpose="setup").body

    def directory(self) -> Directory:
        """Owners by id (e-mail in small letters), stages of each ticket pipeline with OPEN or CLOSED, options."""
        stages = {pipeline: dict(found) for pipeline, found in self._pipelines().items()}
        options = {
            name: tuple(str(one["value"]) for one in definition.get("options") or ())
            for entity in ENTITIES
            for name, definition in self._definitions(entity).items()
            if name in ATTRIBUTES[entity] and definition.get("type") == "enumeration" and definition.get("options")
        }
        return Directory(agents=self._owners(), stages=stages, options=options)

    def _owners(self) -> dict[str, str]:
        owners: dict[str, str] = {}
        after: str | None = None
        while True:
            named: dict[str, Any] = {"limit": OWNERS_PAGE, **({"after": after} if after else {})}
            answer = self._ask(self.calls.client.crm.owners.owners_api.get_page, **named)
            for one in answer.body.get("results", ()):
                if one.get("email"):
                    owners[str(one["id"])] = str(one["email"]).lower()
            after = ((answer.body.get("paging") or {}).get("next") or {}).get("after")
            if after is None:
                return owners

    def _pipelines(self) -> dict[str, dict[str, str]]:
        answer = self._ask(self.calls.client.crm.pipelines.pipelines_api.get_all, "tickets")
        return {
            str(one["id"]): {
                str(stage["id"]): str((stage.get("metadata") or {}).get("ticketState") or "OPEN").upper()
                for stage in one.get("stages", ())
            }
            for one in answer.body.get("results", ())
        }

    def _definitions(self, entity: Entity) -> dict[str, Mapping[str, Any]]:
        answer = self._ask(self.calls.client.crm.properties.core_api.get_all, KIND[entity])
        return {str(one["name"]): one for one in answer.body.get("results", ())}

    # set-up

    def prepare(self, wanted: Iterable[Wanted]) -> list[Finding]:
        """Make the group, `sync_id` and every wanted property that is missing; compare those that are there."""
        findings = []
        made: dict[Entity, set[str]] = {}
        listed = list(wanted)
        for entity in ENTITIES:
            needed = [Wanted(entity, MARKER, "Sync id", "text", unique=True)]
            needed += [one for one in listed if one.entity is entity and one.attribute != MARKER]
            findings.append(self._group(entity))
            there = self._definitions(entity)
            for one in needed:
                if one.attribute in there:
                    findings.append(_compared(one, there[one.attribute]))
                else:
                    findings.append(self._make(one))
            made[entity] = {one.attribute for one in needed} - there.keys()
        for entity, names in made.items():
            self._await(entity, names)
        return findings

    def _await(self, entity: Entity, made: set[str]) -> None:
        """Wait until new properties are there for everybody: 0.25 to 0.7 s after creation [observed live].

        A list that is read before shows their objects without them, and what was not shown stays unread.
        """
        for _ in range(VISIBLE_TRIES if made else 0):
            if made <= self._definitions(entity).keys():
                return
            self.calls.pause(VISIBLE_PAUSE_S)

    def _group(self, entity: Entity) -> Finding:
        name = f"hubspot.{KIND[entity]}.group.{GROUP}"
        api = self.calls.client.crm.properties.groups_api
        found = self._ask(api.get_all, KIND[entity])
        if any(one.get("name") == GROUP for one in found.body.get("results", ())):
            return Finding(name, ok=True, found="there")
        body = {"name": GROUP, "label": "Sync platform", "displayOrder": -1}
        try:
            self._ask(api.create, KIND[entity], body, repeat=Repeat.ONCE)
        except Refused as error:
            return Finding(
                name, ok=error.status == 409, found="there" if error.status == 409 else error.complaint.words
            )
        return Finding(name, ok=True, found="made")

    def _make(self, wanted: Wanted) -> Finding:
        api, kind = self.calls.client.crm.properties.core_api, KIND[wanted.entity]
        name = f"hubspot.{kind}.property.{wanted.attribute}"
        try:
            self._ask(api.create, kind, _definition(wanted), repeat=Repeat.ONCE)
        except Refused as error:
            if error.status != 409:
                remedy = f"Create the {wanted.type} property `{wanted.attribute}` on {kind} by hand."
                return Finding(name, ok=False, found=error.complaint.words, remedy=remedy)
            return _compared(wanted, self._ask(api.get_by_name, kind, wanted.attribute).body)
        return Finding(name, ok=True, found="made")

    # doctor

    def examine(self, wanted: Iterable[Wanted]) -> list[Finding]:
        """Account, rights, properties, stages, owners and limits, each with its remedy."""
        try:
            account = self.account()
        except SyncError as error:
            return [Finding("hubspot.account", ok=False, found=str(error), remedy=error.remedy)]
        what = "sandbox" if account.sandbox else "portal"
        findings = [Finding("hubspot.account", ok=True, found=f"{what} {account.identity}"), self._token()]
        findings += self._rights()
        listed = list(wanted)
        for entity in ENTITIES:
            unique = Wanted(entity, MARKER, "Sync id", "text", unique=True)
            needed = [unique, *(one for one in listed if one.entity is entity and one.attribute != MARKER)]
            findings += self._guarded(f"hubspot.{KIND[entity]}.properties", partial(self._present, entity, needed))
        findings += self._guarded("hubspot.tickets.stages", self._stages)
        findings += self._guarded("hubspot.owners", self._owner_count)
        for limit in self.limits:
            found = f"{limit.allowed} calls in {limit.window_s:g} s at the start; answers correct it"
            findings.append(Finding(f"hubspot.limit.{limit.name}", ok=True, found=found))
        return findings

    def _guarded(self, name: str, look: Callable[[], list[Finding]]) -> list[Finding]:
        try:
            return look()
        except SyncError as error:
            return [Finding(name, ok=False, found=str(error), remedy=error.remedy)]

    def _token(self) -> Finding:
        try:
            info = self.token_info()
        except Rejected:
            return Finding("hubspot.token", ok=True, found="kind of token without information about itself")
        except NotAllowed as error:
            return Finding("hubspot.token", ok=False, found=str(error), remedy=error.remedy)
        scopes = sorted(str(one) for one in info.get("scopes") or ())
        found = f"app {info.get('appId')}; scopes: {', '.join(scopes) or 'unnamed'}"
        return Finding("hubspot.token", ok=True, found=found)

    def _rights(self) -> list[Finding]:
        """Read each kind once, and write an empty batch: a token without the right is refused before it is read."""
        crm = self.calls.client.crm
        empty: dict[str, Json] = {"inputs": []}
        probes: list[tuple[str, _Call, tuple[Any, ...], dict[str, Any]]] = [
            ("contacts.read", crm.contacts.basic_api.get_page, (), {"limit": 1}),
            ("contacts.write", crm.contacts.batch_api.update, (empty,), {}),
            ("tickets.read", crm.tickets.basic_api.get_page, (), {"limit": 1}),
            ("tickets.write", crm.tickets.batch_api.update, (empty,), {}),
            ("associations", crm.associations.v4.batch_api.get_page, ("tickets", "contacts", empty), {}),
            ("properties", crm.properties.core_api.get_all, ("contacts",), {}),
            ("owners.read", crm.owners.owners_api.get_page, (), {"limit": 1}),
        ]
        findings = []
        for name, call, args, named in probes:
            try:
                self._ask(call, *args, **named)
            except NotAllowed as error:
                findings.append(Finding(f"hubspot.scope.{name}", ok=False, found=str(error), remedy=_REMEDY_SCOPE))
            except Rejected:
                findings.append(Finding(f"hubspot.scope.{name}", ok=True, found="allowed"))
            except SyncError as error:
                findings.append(Finding(f"hubspot.scope.{name}", ok=False, found=str(error), remedy=error.remedy))
            else:
                findings.append(Finding(f"hubspot.scope.{name}", ok=True, found="allowed"))
        return findings

    def _present(self, entity: Entity, needed: list[Wanted]) -> list[Finding]:
        there = self._definitions(entity)
        findings = []
        for one in needed:
            name = f"hubspot.{KIND[entity]}.property.{one.attribute}"
            if one.attribute in there:
                findings.append(_compared(one, there[one.attribute]))
            else:
                findings.append(Finding(name, ok=False, found="missing", remedy="Run `sync-platform setup`."))
        return findings

    def _stages(self) -> list[Finding]:
        findings = []
        for pipeline, stages in self._pipelines().items():
            states = set(stages.values())
            remedy = "" if {"OPEN", "CLOSED"} <= states else "Give the pipeline an open and a closed stage."
            found = ", ".join(f"{stage} {state}" for stage, state in stages.items())
            findings.append(Finding(f"hubspot.tickets.pipeline.{pipeline}", ok=not remedy, found=found, remedy=remedy))
        return findings

    def _owner_count(self) -> list[Finding]:
        return [Finding("hubspot.owners", ok=True, found=f"{len(self._owners())} with an e-mail")]


def _definition(wanted: Wanted) -> dict[str, Any]:
    type_, field_type = _TYPES[wanted.type]
    body: dict[str, Any] = {
        "name": wanted.attribute,
        "label": wanted.label,
        "type": type_,
        "fieldType": field_type,
        "groupName": GROUP,
    }
    options = [("Yes", "true"), ("No", "false")] if wanted.type == "bool" else [(one, one) for one in wanted.options]
    if options and type_ in ("bool", "enumeration"):
        body["options"] = [
            {"label": label, "value": value, "displayOrder": place, "hidden": False}
            for place, (label, value) in enumerate(options)
        ]
    if wanted.unique:
        body["hasUniqueValue"] = True
    return body


def _compared(wanted: Wanted, there: Mapping[str, Any]) -> Finding:
    """A property that exists: does it hold what we mean to write?"""
    name = f"hubspot.{KIND[wanted.entity]}.property.{wanted.attribute}"
    type_, _ = _TYPES[wanted.type]
    problems = []
    if there.get("type") != type_:
        problems.append(f"type {there.get('type')} instead of {type_}")
    if wanted.unique and not there.get("hasUniqueValue"):
        problems.append("values are not unique")
    if (there.get("modificationMetadata") or {}).get("readOnlyValue"):
        problems.append("read only")
    values = {str(one.get("value")) for one in there.get("options") or ()}
    lacking = [one for one in wanted.options if one not in values]
    if lacking and type_ == "enumeration":
        problems.append(f"options missing: {', '.join(lacking)}")
    remedy = "Rename or archive that property in HubSpot, then run `sync-platform setup`." if problems else ""
    return Finding(name, ok=not problems, found="; ".join(problems) or "there", remedy=remedy)


def _loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
