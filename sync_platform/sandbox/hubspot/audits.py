"""Who changed a pipeline or a stage, and when: GET …/audit.

Facts: both audits are there, newest first, not paged; an entry has `identifier`, `action` and `portalId` at least
[spec]. The words of `action`, and whether an audit outlives its pipeline, are not established: CREATE, UPDATE, DELETE,
and it does here.
"""

from collections.abc import Sequence
from typing import Any

from sync_platform.sandbox.hubspot.kinds import Kind
from sync_platform.sandbox.hubspot.store import Store
from sync_platform.sandbox.hubspot.wire import Answer, not_found, stamp

KEPT = 50  # entries of one pipeline or stage
USER_ID = 500_000
_ACTIONS = {"POST": "CREATE", "DELETE": "DELETE"}
Doc = dict[str, Any]


class Audits:
    """The entries of all pipelines and stages, in the account's settings."""

    def __init__(self, store: Store, portal_id: int) -> None:
        self._store = store
        self._portal_id = portal_id

    def note(self, method: str, kind: Kind, rest: Sequence[str], body: Any, now_ms: int) -> None:
        """Keep that a write below /pipelines/{type} succeeded; `body` is its answer."""
        path = list(rest) if method != "POST" else [*rest, body["id"]]
        self._add(kind, path, _ACTIONS.get(method, "UPDATE"), body, now_ms)
        if len(path) == 1 and method in ("POST", "PUT"):
            for stage in body["stages"]:
                self._add(kind, [*path, "stages", stage["id"]], "CREATE", stage, now_ms)

    def _add(self, kind: Kind, path: Sequence[str], action: str, body: Any, now_ms: int) -> None:
        name, entries = "/".join(path), self._entries(kind, path)
        entry = {
            "portalId": self._portal_id,
            "identifier": f"{path[-1]}-{entries[0]['number'] + 1 if entries else 1}",
            "action": action,
            "timestamp": stamp(now_ms),
            "fromUserId": USER_ID,
            "rawObject": body,
            "number": entries[0]["number"] + 1 if entries else 1,
        }
        self._store.put_setting("audit", kind.name, name, {"entries": [entry, *entries][:KEPT]})

    def _entries(self, kind: Kind, path: Sequence[str]) -> list[Doc]:
        wanted = (kind.name, "/".join(path))
        rows = [doc for of, name, doc, _ in self._store.settings("audit") if (of, name) == wanted]
        return rows[0]["entries"] if rows else []

    def page(self, kind: Kind, path: Sequence[str], *, known: bool) -> Answer:
        """GET …/audit of a pipeline or stage. Raises Refusal(404) for one that never was."""
        entries = self._entries(kind, path)
        if not entries and not known:
            raise not_found()
        shown = [{name: value for name, value in entry.items() if name != "number"} for entry in entries]
        return Answer(200, {"results": shown})
