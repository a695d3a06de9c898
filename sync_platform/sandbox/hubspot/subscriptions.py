"""An app's webhook settings and subscriptions: its endpoints, and which subscription wants which event.

Facts: `{targetUrl, throttling:{maxConcurrentRequests}}` and `{eventType, propertyName?, objectTypeId?, active}`, kept
with the developer API key (`hapikey`) [spec]; a new subscription starts paused, and settings are cached for about five
minutes [doc] (switch `webhook_cache_s`: what was read at an event is used until then). `hs_lastmodifieddate` can't be
subscribed [doc]; `lastmodifieddate` neither [inferred]. Private apps have at most 1,000 subscriptions [doc] and make
them in the UI: here, on the control port. Whether a bearer token serves as well is not established for v3 (switch
`webhook_settings_auth`); the dated paths take either [inferred].
"""

import hmac
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

from sync_platform.sandbox.hubspot.absent import absent
from sync_platform.sandbox.hubspot.kinds import KINDS, Kind
from sync_platform.sandbox.hubspot.store import Store
from sync_platform.sandbox.hubspot.wire import Answer, Call, Refusal, as_id, not_found, refuse, stamp
from sync_platform.sandbox.world import Switches

CONCURRENT_DEFAULT, SUBSCRIPTIONS_MAX, BATCH_MAX = 10, 1_000, 100
NAMED = ("contacts", "companies", "deals", "tickets", "line_items", "products")
EVENTS = ("creation", "deletion", "merge", "restore", "propertyChange", "associationChange")
TYPES = frozenset(
    f"{name}.{event}"
    for name in ("object", *(KINDS[kind].singular for kind in NAMED))
    for event in EVENTS
    if (name, event) != ("product", "associationChange")
) | {
    "contact.privacyDeletion",
    # There are no conversations here: these can be subscribed to, and nothing ever fires them.
    *(f"conversation.{event}" for event in ("creation", "deletion", "newMessage", "privacyDeletion", "propertyChange")),
}
_DATED = ("2026-03", "2026-09")
_NEVER = ("hs_lastmodifieddate", "lastmodifieddate")
_SETTINGS, _SUBSCRIPTIONS = "webhook_settings", "webhook_subscriptions"
Doc = dict[str, Any]


def register(switches: Switches) -> None:
    """Declare the switches of webhooks."""
    for name, default, choices, doc in _SWITCHES:
        switches.register(f"hubspot.{name}", default, choices, doc)


_SWITCHES: tuple[tuple[str, object, tuple[object, ...] | type, str], ...] = (
    ("webhook_cache_s", 300.0, float, "how long webhook settings and subscriptions are cached once read: about 5 min"),
    (
        "webhook_settings_auth",
        "developer_key",
        ("developer_key", "either"),
        "what /webhooks/v3 takes: the developer API key (hapikey), or a bearer token too; not established",
    ),
    (
        "webhook_signatures",
        "v1+v3",
        ("v1", "v2", "v3", "v1+v3", "v2+v3"),
        "signatures of a webhook call: v1 is documented for private apps, v3 beside it is not established",
    ),
    ("webhook_delay_s", 1.0, float, "time in which events are gathered before they are sent: not established"),
    ("webhook_late_share", 0.05, float, "share of events that are held back, so that order is lost"),
    ("webhook_late_s", 20.0, float, "the longest time for which an event is held back"),
    ("webhook_duplicate_share", 0.02, float, "share of events that are sent twice: delivery is at least once [doc]"),
    ("webhook_event_id_reuse", 0.02, float, "share of events whose eventId another has: it isn't unique [doc]"),
    ("webhook_same_value", "off", ("off", "on"), "whether writing the value that is there fires: not established"),
    (
        "webhook_creation_properties",
        "on",
        ("on", "off"),
        "whether a creation also fires propertyChange for its values: not established",
    ),
    ("webhook_creation_flag", "CREATED", ("CREATED", "NEW"), "changeFlag of a creation: both are told"),
    (
        "webhook_source_id",
        "app",
        ("app", "none"),
        "sourceId of webhooks from the app's own writes: its id [inferred], or none",
    ),
    (
        "webhook_merge_object_id",
        "survivor",
        ("survivor", "primary"),
        "objectId of a merge event: not established",
    ),
)


class Subscriptions:
    """The endpoints below /webhooks/v3/{appId}, and the cached view that events are matched with."""

    def __init__(self, store: Store, switch: Callable[[str], Any], app_id: int, key: str) -> None:
        self._store = store
        self._switch = switch
        self._app_id = str(app_id)
        self.key = key
        self.load()

    def load(self) -> None:
        """Read what is kept; the cache is empty again."""
        self.settings: Doc | None = next((doc for *_, doc, _ in self._store.settings(_SETTINGS)), None)
        found = self._store.settings(_SUBSCRIPTIONS)
        self.rows: dict[int, Doc] = dict(sorted((int(name), doc) for _, name, doc, _ in found))
        self._cached_at: int | None = None
        self._cached: tuple[Doc | None, dict[str, list[Doc]]] = (None, {})
        self._refresh()

    def _refresh(self) -> None:
        """Whether there is anything for an event to do, so that without subscriptions a write costs nothing more."""
        self.active = bool(self._cached[1]) or any(row["active"] for row in self.rows.values())

    # matching

    def _view(self, now_ms: int) -> tuple[Doc | None, dict[str, list[Doc]]]:
        keep_ms = self._switch("webhook_cache_s") * 1000
        if self._cached_at is None or now_ms - self._cached_at >= keep_ms:
            by_type: dict[str, list[Doc]] = {}
            for row in self.rows.values():
                if row["active"]:
                    by_type.setdefault(row["eventType"], []).append(dict(row))
            self._cached, self._cached_at = (self.settings, by_type), now_ms
            self._refresh()
        return self._cached

    def target(self, now_ms: int) -> tuple[str, int] | None:
        """(address, calls at a time) that hold now; None when nothing is set."""
        settings, _ = self._view(now_ms)
        if settings is None:
            return None
        return settings["targetUrl"], settings["throttling"]["maxConcurrentRequests"]

    def wanting(self, kind: Kind, event: str, now_ms: int) -> list[Doc]:
        """The active subscriptions for an event of a kind; those to a property's change whatever its name."""
        settings, by_type = self._view(now_ms)
        if settings is None:
            return []
        named = by_type.get(f"{kind.singular}.{event}", []) if kind.name in NAMED else []
        generic = [row for row in by_type.get(f"object.{event}", ()) if row["objectTypeId"] == kind.type_id]
        return [*named, *generic]

    # endpoints

    def admits(self, call: Call, *, bearer: bool) -> bool:
        """Whether a call below /webhooks may be served; `bearer` tells that it came with a valid token."""
        key = call.text("hapikey")
        if key is not None and hmac.compare_digest(key.encode(), self.key.encode()):
            return True
        return bearer and (call.parts[1] in _DATED or self._switch("webhook_settings_auth") == "either")

    def serve(self, call: Call) -> Answer:
        """Serve /webhooks/{version}/{appId}/… (also /app-webhooks/2026-09/…). Raises Refusal."""
        app_id, *rest = call.parts[2:]
        if app_id != self._app_id:
            raise not_found()
        match (call.method, *rest):
            case ("GET", "settings"):
                return Answer(200, self._shown_settings())
            case ("PUT", "settings"):
                return Answer(200, self._put_settings(call.fields("targetUrl"), call.now_ms))
            case ("DELETE", "settings"):
                self._shown_settings()
                self._store.drop_setting(_SETTINGS, "", self._app_id)
                self.settings = None
                return Answer(204)
            case ("GET", "subscriptions"):
                return Answer(200, {"results": list(self.rows.values())})
            case ("POST", "subscriptions"):
                return Answer(201, self.create(call.fields("eventType"), call.now_ms))
            case ("POST", "subscriptions", "batch", "update"):
                return self._batch(call)
            case (_, "subscriptions", id_):
                return self._one(call, id_)
        if rest[0] not in ("settings", "subscriptions"):
            raise absent(call, self._switch)
        raise Refusal(405, "HTTP 405 Method Not Allowed")

    def _one(self, call: Call, text: str) -> Answer:
        row = self._found(text)
        if call.method == "GET":
            return Answer(200, row)
        if call.method == "DELETE":
            self.drop(row)
            return Answer(204)
        if call.method == "PATCH":
            return Answer(200, self.switch_on(row, call.fields("active")["active"], call.now_ms))
        raise Refusal(405, "HTTP 405 Method Not Allowed")

    def _found(self, text: Any) -> Doc:
        row = self.rows.get(as_id(text) or 0)
        if row is None:
            raise not_found()
        return row

    def _batch(self, call: Call) -> Answer:
        inputs = call.fields("inputs")["inputs"]
        if not isinstance(inputs, list) or len(inputs) > BATCH_MAX:
            refuse(400, f"inputs must be a list of at most {BATCH_MAX}", "VALIDATION_ERROR")
        results, missing = [], []
        for one in inputs:
            if not isinstance(one, dict) or one.get("id") is None or not isinstance(one.get("active"), bool):
                refuse(
                    400, "Invalid input JSON: some of required attributes are not set [active, id]", "VALIDATION_ERROR"
                )
            if as_id(one["id"]) in self.rows:
                results.append(self.switch_on(self._found(one["id"]), one["active"], call.now_ms))
            else:
                missing.append(str(one["id"]))
        at = stamp(call.now_ms)
        body: Doc = {"status": "COMPLETE", "results": results, "startedAt": at, "completedAt": at}
        if not missing:
            return Answer(200, body)
        error = Refusal(404, "Some subscriptions were not found", "OBJECT_NOT_FOUND", context={"ids": missing}).row()
        return Answer(207, body | {"numErrors": 1, "errors": [error]})

    def _shown_settings(self) -> Doc:
        if self.settings is None:
            raise not_found()
        return self.settings

    def _put_settings(self, given: Doc, now_ms: int) -> Doc:
        url = str(given["targetUrl"])
        try:
            parts = urlsplit(url)
            usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
        except ValueError:
            usable = False
        throttling = given.get("throttling") or {}
        most = throttling.get("maxConcurrentRequests", CONCURRENT_DEFAULT) if isinstance(throttling, dict) else None
        if not usable:
            refuse(400, "targetUrl must be the full address of a server", "VALIDATION_ERROR")
        if not isinstance(most, int) or isinstance(most, bool) or not 1 <= most <= 1_000:
            refuse(400, "maxConcurrentRequests must be a number from 1 to 1000", "VALIDATION_ERROR")
        at = stamp(now_ms)
        doc = {
            "targetUrl": url,
            "throttling": {"maxConcurrentRequests": most},
            "createdAt": self.settings["createdAt"] if self.settings else at,
            "updatedAt": at,
        }
        self._store.put_setting(_SETTINGS, "", self._app_id, doc)
        self.settings = doc
        return doc

    def create(self, given: Doc, now_ms: int) -> Doc:
        """A new subscription, paused whatever `active` says [doc]. Raises Refusal(400 or 409)."""
        doc = self._checked(given)
        if len(self.rows) >= SUBSCRIPTIONS_MAX:
            refuse(400, f"An app can't have more than {SUBSCRIPTIONS_MAX} subscriptions", "VALIDATION_ERROR")
        if any(doc.items() <= row.items() for row in self.rows.values() if row.keys() - doc.keys() == _OWN):
            refuse(409, "The subscription already exists", "CONFLICT")
        at = stamp(now_ms)
        id_ = max([*self.rows, 2_500_000]) + 1
        row = {"id": str(id_), **doc, "active": False, "createdAt": at, "updatedAt": at}
        self._keep(id_, row)
        return row

    def _checked(self, given: Doc) -> Doc:
        event, name, type_id = given.get("eventType"), given.get("propertyName"), given.get("objectTypeId")
        if event not in TYPES:
            refuse(400, f"Unknown subscription type: {event}", "VALIDATION_ERROR")
        doc: Doc = {"eventType": event}
        if str(event).endswith(".propertyChange"):
            if not isinstance(name, str) or not name:
                refuse(400, "propertyName is required for a propertyChange subscription", "VALIDATION_ERROR")
            if name in _NEVER:
                refuse(400, f"{name} can't be used in a webhook subscription", "VALIDATION_ERROR")
            doc["propertyName"] = name
        if str(event).startswith("object."):
            if not isinstance(type_id, str) or not type_id:
                refuse(400, "objectTypeId is required for an object subscription", "VALIDATION_ERROR")
            doc["objectTypeId"] = type_id
        return doc

    def switch_on(self, row: Doc, active: Any, now_ms: int) -> Doc:
        """Start or pause a subscription. Raises Refusal(400)."""
        if not isinstance(active, bool):
            refuse(400, "active must be true or false", "VALIDATION_ERROR")
        new = {**row, "active": active, "updatedAt": stamp(now_ms)}
        self._keep(int(row["id"]), new)
        return new

    def _keep(self, id_: int, row: Doc) -> None:
        self._store.put_setting(_SUBSCRIPTIONS, "", str(id_), row)
        self.rows[id_] = row
        self._refresh()

    def drop(self, row: Doc) -> None:
        """Remove a subscription; while the cache holds, its events still come."""
        self._store.drop_setting(_SUBSCRIPTIONS, "", row["id"])
        del self.rows[int(row["id"])]
        self._refresh()

    # the control port: an app's UI

    def edit(self, id_: str | None, given: Doc, now_ms: int, *, delete: bool) -> Doc:
        """Set up as on an app's own page: `targetUrl` and `maxConcurrentRequests` go to the settings.

        Raises KeyError for an unknown id, ValueError for what is refused.
        """
        given = dict(given)
        try:
            self._edit_settings(given, now_ms)
            if id_ is None and "eventType" not in given:
                return {} if self.settings is None else self.settings
            row = self.create(given, now_ms) if id_ is None else self._found(id_)
            if delete:
                self.drop(row)
            elif "active" in given or id_ is None:
                row = self.switch_on(row, given.get("active", True), now_ms)
        except Refusal as refusal:
            if refusal.status == 404:
                raise KeyError("hubspot has no such subscription") from None
            raise ValueError(refusal.message) from None
        return row

    def _edit_settings(self, given: Doc, now_ms: int) -> None:
        url, most = given.pop("targetUrl", None), given.pop("maxConcurrentRequests", None)
        if url is not None or most is not None:
            old = self.settings or {"targetUrl": "", "throttling": {"maxConcurrentRequests": CONCURRENT_DEFAULT}}
            throttling = old["throttling"] if most is None else {"maxConcurrentRequests": most}
            self._put_settings(
                {"targetUrl": old["targetUrl"] if url is None else url, "throttling": throttling}, now_ms
            )

    def state(self) -> Sequence[Doc]:
        """Rows for the control port: every subscription with the settings that it goes by."""
        settings = self.settings or {}
        return [
            {**row, "targetUrl": settings.get("targetUrl"), "throttling": settings.get("throttling")}
            for row in self.rows.values()
        ]


_OWN = {"id", "active", "createdAt", "updatedAt"}
