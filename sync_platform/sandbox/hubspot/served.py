"""The table of the calls that HubSpot's twin serves, without their version; their paths follow from it.

Facts: v3 and v4 stand before the area, dated versions behind it: /crm/v3/objects/… is /crm/objects/2026-03/… [doc]; v4
has the associations that v3 lacks [spec]. `answers` and `body` are names of components of the description.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from sync_platform.sandbox.hubspot.journal import FILES

DATED = ("2025-09", "2026-03", "2026-09")
ALL = ("v3", "v4", *DATED)
PLAIN = ("v3", *DATED)
_SINCE_V4 = ("v4", *DATED)


@dataclass(frozen=True)
class Served:
    """One call: `answers` are component names by status (None: no body); `path` starts with its area."""

    method: str
    path: str
    answers: dict[int, str | None]
    body: str | None = None
    query: tuple[str, ...] = ()
    versions: tuple[str, ...] = ALL
    form: bool = False
    free: bool = False  # needs no credentials
    keyed: bool = False  # takes the developer API key
    errors: str = "Error"
    headers: tuple[str, ...] = field(default=())

    def paths(self) -> Iterator[str]:
        """The path in each of its versions: /crm/v3/objects/…, /crm/objects/2026-03/…; others stand as they are."""
        area, slash, rest = self.path.lstrip("/").partition("/")
        if area not in _AREAS:
            for version in self.versions if "{version}" in self.path else [""]:
                yield self.path.replace("{version}", version)
            return
        rest = slash + rest
        for version in self.versions:
            if version in DATED and area == "schemas":
                yield f"/crm-object-schemas/{version}/schemas{rest}"
            else:
                yield f"/crm/{area}/{version}{rest}" if version in DATED else f"/crm/{version}/{area}{rest}"


_AREAS = ("objects", "associations", "properties", "pipelines", "owners", "schemas", "limits")
_READS = ("properties", "propertiesWithHistory", "associations", "archived")
_ONE = "/objects/{objectType}/{objectId}"
_TIES = "/objects/{objectType}/{objectId}/associations"
_PAIR = "/associations/{fromObjectType}/{toObjectType}"
_PROPS = "/properties/{objectType}"
_LINES = "/pipelines/{objectType}"
_STAGES = "/pipelines/{objectType}/{pipelineId}/stages"
_LABELS_V4 = "/crm/associations/v4/{fromObjectType}/{toObjectType}/labels"
_SECONDARY = "/contacts/v1/secondary-email/{vid}"


def _batches(base: str, name: str, verbs: dict[str, tuple[str, int]], versions: tuple[str, ...]) -> Iterator[Served]:
    for verb, (body, status) in verbs.items():
        answers: dict[int, str | None] = (
            {204: None} if status == 204 else {status: f"BatchOf{name}", 207: f"PartOf{name}"}
        )
        if status == 201:
            answers[200] = f"BatchOf{name}"  # whether a batch without a new row is a 200 differs by source
        yield Served("POST", f"{base}/batch/{verb}", answers, body, versions=versions)


def _objects() -> Iterator[Served]:
    base = "/objects/{objectType}"
    yield Served("GET", base, {200: "PageOfRecordWithAssociations"}, query=("limit", "after", *_READS))
    yield Served("POST", base, {201: "Record"}, "NewRecord", headers=("Location",))
    yield Served("GET", _ONE, {200: "RecordWithAssociations"}, query=(*_READS, "idProperty"))
    yield Served("PATCH", _ONE, {200: "Record"}, "Change", query=("idProperty",))
    yield Served("DELETE", _ONE, {204: None})
    yield Served("POST", f"{base}/batch/read", {200: "BatchOfRecord", 207: "PartOfRecord"}, "Asked", ("archived",))
    yield from _batches(base, "Record", {"create": ("NewRecords", 201), "update": ("Changes", 200)}, ALL)
    yield from _batches(base, "UpsertedRecord", {"upsert": ("Upserts", 200), "archive": ("Ids", 204)}, ALL)
    yield Served("POST", f"{base}/search", {200: "Found"}, "Query")
    yield Served("POST", f"{base}/merge", {200: "Record"}, "Merge")
    yield Served("POST", "/objects/contacts/gdpr-delete", {204: None}, "Forget")


def _associations() -> Iterator[Served]:
    since: dict[str, Any] = {"versions": _SINCE_V4}
    yield Served("GET", f"{_TIES}/{{toObjectType}}", {200: "PageOfAssociated"}, None, ("limit_500", "after"), _SINCE_V4)
    yield Served("PUT", f"{_TIES}/default/{{toObjectType}}/{{toObjectId}}", {200: "BatchOfDefaultTie"}, **since)
    yield Served("PUT", f"{_TIES}/{{toObjectType}}/{{toObjectId}}", {201: "Tie"}, "Types", **since)
    yield Served("DELETE", f"{_TIES}/{{toObjectType}}/{{toObjectId}}", {204: None}, **since)
    yield from _batches(_PAIR, "Tie", {"create": ("TypedPairs", 201)}, _SINCE_V4)
    yield from _batches(_PAIR, "DefaultTie", {"associate/default": ("Pairs", 201)}, _SINCE_V4)
    yield from _batches(
        _PAIR,
        "AssociatedOfOne",
        {"read": ("From", 200), "archive": ("OneToMany", 204), "labels/archive": ("TypedPairs", 204)},
        _SINCE_V4,
    )
    for path in (f"{_PAIR}/labels", _LABELS_V4):
        yield Served("GET", path, {200: "Labels"})
        yield Served("POST", path, {200: "Labels"}, "NewLabel")
        yield Served("PUT", path, {204: None}, "LabelChange")
        yield Served("DELETE", f"{path}/{{associationTypeId}}", {204: None})


def _properties() -> Iterator[Served]:
    plain: dict[str, Any] = {"versions": PLAIN}
    yield Served("GET", _PROPS, {200: "Properties"}, query=("archived",), **plain)
    yield Served("POST", _PROPS, {201: "Property"}, "NewProperty", headers=("Location",), **plain)
    yield Served("GET", f"{_PROPS}/{{propertyName}}", {200: "Property"}, query=("archived",), **plain)
    yield Served("PATCH", f"{_PROPS}/{{propertyName}}", {200: "Property"}, "PropertyChange", **plain)
    yield Served("DELETE", f"{_PROPS}/{{propertyName}}", {204: None}, **plain)
    verbs = {"create": ("NewProperties", 201), "read": ("Names", 200), "archive": ("Names", 204)}
    yield from _batches(_PROPS, "Property", verbs, PLAIN)
    yield Served("GET", f"{_PROPS}/groups", {200: "Groups"}, **plain)
    yield Served("POST", f"{_PROPS}/groups", {201: "Group"}, "NewGroup", headers=("Location",), **plain)
    yield Served("GET", f"{_PROPS}/groups/{{groupName}}", {200: "Group"}, **plain)
    yield Served("PATCH", f"{_PROPS}/groups/{{groupName}}", {200: "Group"}, "GroupChange", **plain)
    yield Served("DELETE", f"{_PROPS}/groups/{{groupName}}", {204: None}, **plain)


def _pipelines() -> Iterator[Served]:
    plain: dict[str, Any] = {"versions": PLAIN}
    one, stage = f"{_LINES}/{{pipelineId}}", f"{_STAGES}/{{stageId}}"
    yield Served("GET", _LINES, {200: "Pipelines"}, **plain)
    yield Served("POST", _LINES, {201: "Pipeline"}, "NewPipeline", **plain)
    yield Served("GET", _STAGES, {200: "Stages"}, **plain)
    yield Served("POST", _STAGES, {201: "Stage"}, "NewStage", **plain)
    for path, answer, new, change in (
        (one, "Pipeline", "NewPipeline", "PipelineChange"),
        (stage, "Stage", "NewStage", "StageChange"),
    ):
        yield Served("GET", path, {200: answer}, **plain)
        yield Served("PUT", path, {200: answer}, new, **plain)
        yield Served("PATCH", path, {200: answer}, change, **plain)
        yield Served("DELETE", path, {204: None}, **plain)
        yield Served("GET", f"{path}/audit", {200: "Audit"}, **plain)


def _account() -> Iterator[Served]:
    plain: dict[str, Any] = {"versions": PLAIN}
    for path in ("/owners", "/owners/"):  # HubSpot's own client sends the slash
        yield Served("GET", path, {200: "PageOfOwner"}, query=("email", "after", "limit_500", "archived"), **plain)
    yield Served("GET", "/owners/{ownerId}", {200: "Owner"}, query=("ownerIdProperty", "archived"), **plain)
    yield Served("GET", "/account-info/{version}/details", {200: "Details"}, **plain)
    yield Served("GET", _SECONDARY, {200: "SecondaryEmails"})
    yield Served("PUT", f"{_SECONDARY}/email/{{email}}", {200: "SecondaryEmails"})
    yield Served("DELETE", f"{_SECONDARY}/email/{{email}}", {204: None})
    yield Served("GET", "/limits/custom-properties", {200: "CustomPropertyLimits"}, versions=DATED)
    yield Served("GET", "/schemas", {200: "CustomTypes"}, query=("archived",), **plain)
    yield Served("POST", "/schemas", {201: "CustomType"}, "NewCustomType", **plain)
    yield Served("GET", "/schemas/{customType}", {200: "CustomType"}, **plain)
    yield Served("PATCH", "/schemas/{customType}", {200: "CustomType"}, "CustomTypeChange", **plain)
    yield Served("DELETE", "/schemas/{customType}", {204: None}, **plain)


def _oauth() -> Iterator[Served]:
    free: dict[str, Any] = {"free": True, "form": True, "errors": "OAuthError"}
    later = ("v3", *DATED)
    yield Served("POST", "/oauth/v2/private-apps/get/access-token-info", {200: "TokenInfo"}, "TokenKey")
    asked = ("client_id", "redirect_uri", "scope", "optional_scope", "state")
    yield Served("GET", "/oauth/authorize", {302: None}, query=asked, free=True, headers=("Location",))
    yield Served("POST", "/oauth/{version}/token", {200: "Tokens"}, "TokenForm", versions=("v1", *later), **free)
    yield Served("POST", "/oauth/{version}/token/introspect", {200: "AboutToken"}, "TokenOnly", versions=later, **free)
    yield Served("POST", "/oauth/{version}/token/revoke", {204: None}, "TokenOnly", versions=later, **free)
    yield Served("GET", "/oauth/v1/access-tokens/{token}", {200: "AboutToken"}, free=True)
    yield Served("GET", "/oauth/v1/refresh-tokens/{token}", {200: "AboutToken"}, free=True)
    yield Served("DELETE", "/oauth/v1/refresh-tokens/{token}", {204: None}, free=True)


def _feeds() -> Iterator[Served]:
    for base, versions in (("/webhooks/{version}/{appId}", ("v3", "2026-03")), ("/app-webhooks/2026-09/{appId}", ALL)):
        keyed: dict[str, Any] = {"versions": versions, "keyed": True}
        one = f"{base}/subscriptions/{{subscriptionId}}"
        yield Served("GET", f"{base}/settings", {200: "WebhookSettings"}, **keyed)
        yield Served("PUT", f"{base}/settings", {200: "WebhookSettings"}, "NewWebhookSettings", **keyed)
        yield Served("DELETE", f"{base}/settings", {204: None}, **keyed)
        yield Served("GET", f"{base}/subscriptions", {200: "Subscriptions"}, **keyed)
        yield Served("POST", f"{base}/subscriptions", {201: "Subscription"}, "NewSubscription", **keyed)
        changed: dict[int, str | None] = {200: "BatchOfSubscription", 207: "PartOfSubscription"}
        yield Served("POST", f"{base}/subscriptions/batch/update", changed, "SubscriptionChanges", **keyed)
        yield Served("GET", one, {200: "Subscription"}, **keyed)
        yield Served("PATCH", one, {200: "Subscription"}, "SubscriptionChange", **keyed)
        yield Served("DELETE", one, {204: None}, **keyed)


def _journal() -> Iterator[Served]:
    entry: dict[int, str | None] = {200: "JournalEntry", 204: None}
    some: dict[int, str | None] = {200: "BatchOfJournalEntry"}
    for tree in ("journal", "journal-local"):
        base = f"/webhooks-journal/{tree}/2026-03"
        for rest in ("", "/earliest", "/latest", "/offset/{offset}/next"):
            yield Served("GET", base + rest, entry)
        for rest in ("/earliest/{count}", "/latest/{count}", "/{offset}/next/{count}"):
            yield Served("GET", f"{base}/batch{rest}", some)
        yield Served("POST", f"{base}/batch/read", {**some, 207: "PartOfJournalEntry"}, "Offsets")
        yield Served("GET", f"{base}/status/{{statusId}}", {200: "SnapshotStatus"})
    yield Served("GET", f"/{FILES}/{{offset}}", {200: "JournalFile"}, query=("expires", "signature"), free=True)
    base = "/webhooks-journal/subscriptions/2026-03"
    yield Served("GET", base, {200: "JournalSubscriptions"})
    yield Served("POST", base, {201: "JournalSubscription"}, "NewJournalSubscription")
    yield Served("GET", f"{base}/{{journalId}}", {200: "JournalSubscription"})
    yield Served("DELETE", f"{base}/{{journalId}}", {204: None})
    yield Served("DELETE", f"{base}/portals/{{portalId}}", {204: None})
    yield Served("POST", f"{base}/filters", {201: "JournalFilterMade"}, "NewJournalFilter")
    yield Served("GET", f"{base}/filters/subscription/{{journalId}}", {200: "JournalFilters"})
    yield Served("GET", f"{base}/filters/{{filterId}}", {200: "JournalFilter"})
    yield Served("DELETE", f"{base}/filters/{{filterId}}", {204: None})
    yield Served("POST", "/webhooks-journal/snapshots/2026-03/crm", {200: "Snapshots"}, "SnapshotRequests")


def served() -> Iterator[Served]:
    """Every call that the twin answers in earnest."""
    for part in (_objects, _associations, _properties, _pipelines, _account, _oauth, _feeds, _journal):
        yield from part()
