"""What the webhook journal is told to hold: its subscriptions with their filters, and snapshots.

Facts [spec]: subscriptions at `/webhooks-journal/subscriptions/2026-03` have a type (OBJECT, ASSOCIATION, EVENT,
APP_LIFECYCLE_EVENT, LIST_MEMBERSHIP, GDPR_PRIVACY_DELETION) and actions; the list isn't paged; a filter belongs to a
subscription; snapshots are asked for at `/webhooks-journal/snapshots/2026-03/crm` and told at status/{id}. Filters are
stored and don't narrow what is held [not established how they do]; events of apps and lists never happen here.
"""

import uuid
from collections.abc import Callable
from typing import Any

from sync_platform.sandbox.hubspot.changes import Change
from sync_platform.sandbox.hubspot.store import Store
from sync_platform.sandbox.hubspot.wire import Answer, Call, as_id, not_found, refuse, stamp

TYPES = ("OBJECT", "ASSOCIATION", "EVENT", "APP_LIFECYCLE_EVENT", "LIST_MEMBERSHIP", "GDPR_PRIVACY_DELETION")
ACTIONS = frozenset(
    (
        "CREATE", "UPDATE", "DELETE", "MERGE", "RESTORE", "ASSOCIATION_ADDED", "ASSOCIATION_REMOVED", "SNAPSHOT",
        "APP_INSTALL", "APP_UNINSTALL", "ADDED_TO_LIST", "REMOVED_FROM_LIST", "GDPR_DELETE",
    )
)  # fmt: skip
SNAPSHOTS_MAX = 100
_LISTS = ("actions", "properties", "objectIds", "associatedObjectTypeIds", "listIds")
_SECTION, _FILTERS, _STATUS = "journal_subscriptions", "journal_filters", "journal_status"
Doc = dict[str, Any]


class JournalSubscriptions:
    """Serves subscriptions, filters and the status of snapshots; says what is wanted of a change."""

    def __init__(self, store: Store, app_id: int, portal_id: int) -> None:
        self._store = store
        self._app_id, self._portal_id = app_id, portal_id
        self.load()

    def load(self) -> None:
        """Read what is kept."""
        self.rows = {int(name): doc for _, name, doc, _ in self._store.settings(_SECTION)}
        self._filters = {int(name): doc for _, name, doc, _ in self._store.settings(_FILTERS)}
        self.active = bool(self.rows)

    # matching

    def _of(self, type_: str, type_id: str, action: str) -> list[Doc]:
        return [
            row
            for row in self.rows.values()
            if row["subscriptionType"] == type_
            and row["objectTypeId"] == type_id
            and (not row["actions"] or action in row["actions"])
        ]

    def wanted(self, change: Change, action: str) -> frozenset[str] | None:
        """The properties that are held of this change (empty = all); None when no subscription wants it."""
        ids = {change.id, change.survivor}
        found = [
            row
            for row in self._of("OBJECT", change.kind.type_id, action)
            if not row.get("objectIds") or not ids.isdisjoint(row["objectIds"])
        ]
        if not found:
            return None
        if any(not row.get("properties") for row in found):
            return frozenset()
        return frozenset(name for row in found for name in row["properties"])

    def wants_tie(self, change: Change, action: str) -> bool:
        """Whether an association's change is held; one in this direction."""
        far = change.other.type_id if change.other else ""
        return any(
            far in (row.get("associatedObjectTypeIds") or [far])
            and (not row.get("objectIds") or change.id in row["objectIds"])
            for row in self._of("ASSOCIATION", change.kind.type_id, action)
        )

    def wants_privacy(self, change: Change) -> bool:
        """Whether a privacy deletion is held."""
        return bool(self._of("GDPR_PRIVACY_DELETION", change.kind.type_id, "GDPR_DELETE"))

    # endpoints

    def serve(self, call: Call, rest: tuple[str, ...]) -> Answer | None:  # noqa: PLR0911 - one for each call
        """Serve what is below /webhooks-journal/subscriptions/2026-03; None for a path that isn't there."""
        match (call.method, *rest):
            case ("GET",):
                return Answer(200, {"results": list(self.rows.values())})
            case ("POST",):
                return Answer(201, self._create(call))
            case ("POST", "filters"):
                return self._create_filter(call)
            case ("GET", "filters", "subscription", id_):
                return Answer(200, self._filters_of(int(self._found(id_)["id"])))
            case ("GET", "filters", id_):
                return Answer(200, _shown_filter(self._filter(id_)))
            case ("DELETE", "filters", id_):
                self._drop_filter(self._filter(id_))
                return Answer(204)
            case ("DELETE", "portals", portal):
                if portal != str(self._portal_id):
                    raise not_found()
                for row in list(self.rows.values()):
                    self._drop(row)
                return Answer(204)
            case ("GET", id_):
                return Answer(200, self._found(id_))
            case ("DELETE", id_):
                self._drop(self._found(id_))
                return Answer(204)
        return None

    def _found(self, text: str) -> Doc:
        row = self.rows.get(as_id(text) or 0)
        if row is None:
            raise not_found()
        return row

    def _create(self, call: Call) -> Doc:
        given = call.fields("subscriptionType")
        type_ = given["subscriptionType"]
        if type_ not in TYPES:
            refuse(400, f"Unknown subscription type: {type_}", "VALIDATION_ERROR")
        if not given.get("objectTypeId") and type_ in ("OBJECT", "ASSOCIATION", "GDPR_PRIVACY_DELETION"):
            refuse(
                400, "Invalid input JSON: some of required attributes are not set [objectTypeId]", "VALIDATION_ERROR"
            )
        for name in _LISTS:
            if not isinstance(given.get(name) or [], list):
                refuse(400, f"{name} must be a list", "VALIDATION_ERROR")
        if unknown := [str(one) for one in given.get("actions") or () if one not in ACTIONS]:
            refuse(400, f"Unknown actions: {', '.join(unknown)}", "VALIDATION_ERROR")
        if given.get("portalId") not in (None, self._portal_id):
            refuse(403, "The app isn't installed in this account", "MISSING_SCOPES")
        id_, at = max([*self.rows, 9_000]) + 1, stamp(call.now_ms)
        row: Doc = {"id": id_, "subscriptionType": type_, "objectTypeId": str(given.get("objectTypeId") or "")}
        row |= {"actions": given.get("actions") or [], "appId": self._app_id, "portalId": self._portal_id}
        row |= {name: given[name] for name in _LISTS[1:] if given.get(name)}
        row |= {"createdAt": at, "updatedAt": at}
        self._store.put_setting(_SECTION, "", str(id_), row)
        self.rows[id_] = row
        self.active = True
        return row

    def _drop(self, row: Doc) -> None:
        self._store.drop_setting(_SECTION, "", str(row["id"]))
        del self.rows[row["id"]]
        self.active = bool(self.rows)
        for one in [one for one in self._filters.values() if one["subscriptionId"] == row["id"]]:
            self._drop_filter(one)

    def _create_filter(self, call: Call) -> Answer:
        given = call.fields("filter", "subscriptionId")
        conditions = given["filter"].get("conditions") if isinstance(given["filter"], dict) else None
        if not isinstance(conditions, list) or not conditions:
            refuse(400, "Invalid input JSON: some of required attributes are not set [conditions]", "VALIDATION_ERROR")
        row = self._found(str(given["subscriptionId"]))
        id_ = max([*self._filters, 70_000]) + 1
        doc = {"id": id_, "subscriptionId": row["id"], "createdAt": call.now_ms, "filter": {"conditions": conditions}}
        self._store.put_setting(_FILTERS, "", str(id_), doc)
        self._filters[id_] = doc
        return Answer(201, {"filterId": id_})

    def _filters_of(self, id_: int) -> list[Doc]:
        return [_shown_filter(one) for one in self._filters.values() if one["subscriptionId"] == id_]

    def _filter(self, text: str) -> Doc:
        found = self._filters.get(as_id(text) or 0)
        if found is None:
            raise not_found()
        return found

    def _drop_filter(self, doc: Doc) -> None:
        self._store.drop_setting(_FILTERS, "", str(doc["id"]))
        del self._filters[doc["id"]]

    # snapshots

    def snapshot(self, call: Call, take: Callable[[str, int, list[str], int], bool]) -> Answer:
        """POST snapshots/2026-03/crm; `take` writes one record's state to the journal, False = no such record."""
        wanted = call.fields("snapshotRequests")["snapshotRequests"]
        if not isinstance(wanted, list) or not 0 < len(wanted) <= SNAPSHOTS_MAX:
            refuse(400, f"snapshotRequests must be a list of 1 to {SNAPSHOTS_MAX}", "VALIDATION_ERROR")
        shown = []
        for one in wanted:
            if not isinstance(one, dict) or as_id(one.get("objectId")) is None or not one.get("objectTypeId"):
                refuse(
                    400,
                    "Invalid input JSON: some of required attributes are not set [objectId, objectTypeId]",
                    "VALIDATION_ERROR",
                )
            names = [str(name) for name in one.get("properties") or ()]
            done = take(str(one["objectTypeId"]), int(one["objectId"]), names, call.now_ms)
            status: Doc = {"id": str(uuid.uuid4()), "initiatedAt": call.now_ms, "completedAt": call.now_ms}
            status |= {"status": "COMPLETED"} if done else {"status": "FAILED", "errorCode": "VALIDATION_ERROR"}
            self._store.put_setting(_STATUS, "", status["id"], status)
            shown.append(
                {
                    "portalId": self._portal_id,
                    "objectTypeId": str(one["objectTypeId"]),
                    "objectId": int(one["objectId"]),
                    "snapshotStatusId": status["id"],
                }
            )
        return Answer(200, {"snapshotResponses": shown})

    def status(self, id_: str) -> Answer:
        """GET journal/2026-03/status/{id}. Raises Refusal(404)."""
        found = next((doc for _, name, doc, _ in self._store.settings(_STATUS) if name == id_), None)
        if found is None:
            raise not_found()
        return Answer(200, found)


def _shown_filter(doc: Doc) -> Doc:
    return {name: doc[name] for name in ("id", "createdAt", "filter")}
