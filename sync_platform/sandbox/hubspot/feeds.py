"""Everything by which HubSpot tells of changes: webhooks that call out and the journal that is read.

Facts: webhook settings go with the developer API key [spec]; the journal needs the token of an app's client credentials
with journal scopes [spec], whose names are [general knowledge]: `developer.webhooks_journal…`.
"""

import uuid
from threading import RLock
from typing import Any

from sync_platform.sandbox.hubspot import absent as hubspot_absent
from sync_platform.sandbox.hubspot import journal as hubspot_journal
from sync_platform.sandbox.hubspot import subscriptions as hubspot_subscriptions
from sync_platform.sandbox.hubspot.calling import Caller
from sync_platform.sandbox.hubspot.journal import FILES, Journal
from sync_platform.sandbox.hubspot.journal_subscriptions import JournalSubscriptions
from sync_platform.sandbox.hubspot.objects import Objects
from sync_platform.sandbox.hubspot.records import Records
from sync_platform.sandbox.hubspot.store import LIVE
from sync_platform.sandbox.hubspot.subscriptions import Subscriptions
from sync_platform.sandbox.hubspot.webhooks import Webhooks
from sync_platform.sandbox.hubspot.wire import Answer, Call, Refusal, refuse, stamp, to_ms
from sync_platform.sandbox.world import Switches, World

KINDS = ("subscriptions", "webhook_calls", "webhook_events")
AREAS = ("webhooks", "app-webhooks", "webhooks-journal", FILES)
_VERSIONS = {"webhooks": ("v3", "2026-03"), "app-webhooks": ("2026-09",)}
_JOURNAL = "2026-03"
_SCOPE = "developer.webhooks_journal"
_NAMESPACE = uuid.UUID("0d9a8c52-43e1-4b57-9d2b-5f4c8a6f0b3e")
Doc = dict[str, Any]


def register(switches: Switches) -> None:
    """Declare the switches of all of them."""
    for part in (hubspot_subscriptions, hubspot_journal, hubspot_absent):
        part.register(switches)


class Feeds:
    """Listens to the records' changes, serves the endpoints, calls out."""

    def __init__(
        self, world: World, lock: RLock, records: Records, objects: Objects, app: Doc
    ) -> None:  # app: app_id, portal_id, client_secret
        store, switch, app_id, portal_id = records.store, records.switch, app["app_id"], app["portal_id"]
        self._world = world
        self._records = records
        self.developer_api_key = str(uuid.uuid5(_NAMESPACE, f"developer key {world.seed}"))
        self.changes = records.changes
        self.changes.own = lambda: objects.source
        self._subscriptions = Subscriptions(store, switch, app_id, self.developer_api_key)
        self._webhooks = Webhooks(store, switch, self._subscriptions, app_id, portal_id)
        self._journal_subscriptions = JournalSubscriptions(store, app_id, portal_id)
        self._journal = Journal(store, switch, self._journal_subscriptions, portal_id, app["client_secret"])
        self._caller = Caller(world, lock, self._webhooks, app["client_secret"])
        self.changes.listen(self._webhooks)
        self.changes.listen(self._journal)

    async def run(self) -> None:
        """Call out until cancelled."""
        await self._caller.run()

    def clear(self) -> None:
        """No subscription, no event."""
        self._webhooks.clear()
        self._journal.clear()
        self._subscriptions.load()
        self._journal_subscriptions.load()

    # the API

    def unlocked(self, call: Call) -> Answer | None:
        """The answer to a call that needs no token: with the developer key, or to a journal file's address."""
        if call.parts[0] == FILES and len(call.parts) == 2:
            return self._journal.file(call)
        if self._of_webhooks(call) and self._subscriptions.admits(call, bearer=False):
            return self._subscriptions.serve(call)
        return None

    @staticmethod
    def _of_webhooks(call: Call) -> bool:
        return len(call.parts) >= 4 and call.parts[1] in _VERSIONS.get(call.parts[0], ())

    def serve(self, call: Call) -> Answer:
        """Serve a call that came with a valid token. Raises Refusal."""
        if self._of_webhooks(call):
            if not self._subscriptions.admits(call, bearer=True):
                refuse(401, "This call needs the developer API key (hapikey)", "INVALID_AUTHENTICATION")
            return self._subscriptions.serve(call)
        match call.parts:
            case ("webhooks-journal", "subscriptions", version, *rest) if version == _JOURNAL:
                self._need_journal(call)
                answer = self._journal_subscriptions.serve(call, tuple(rest))
            case ("webhooks-journal", "journal" | "journal-local", version, "status", id_) if version == _JOURNAL:
                self._need_journal(call)
                answer = self._journal_subscriptions.status(id_) if call.method == "GET" else None
            case ("webhooks-journal", "journal" | "journal-local", version, *rest) if version == _JOURNAL:
                self._need_journal(call)
                answer = self._journal.serve(call, tuple(rest))
            case ("webhooks-journal", "snapshots", version, "crm") if version == _JOURNAL and call.method == "POST":
                self._need_journal(call)
                answer = self._journal_subscriptions.snapshot(call, self._snapshot)
            case _:
                raise hubspot_absent.absent(call, self._records.switch)
        if answer is None:
            raise Refusal(405, "HTTP 405 Method Not Allowed")
        return answer

    def _need_journal(self, call: Call) -> None:
        grant = call.grant
        strict = self._records.switch("journal_token") == "client_credentials"
        scoped = grant is not None and any(scope.startswith(_SCOPE) for scope in grant.scopes)
        if grant is None or not scoped or (strict and grant.kind != "client_credentials"):
            needed = [f"{_SCOPE}.read"]
            refuse(
                403,
                "One or more of the following scopes are required.",
                "MISSING_SCOPES",
                context={"requiredGranularScopes": needed},
            )

    def _snapshot(self, type_id: str, id_: int, names: list[str], now_ms: int) -> bool:
        try:
            kind = self._records.schema.kinds.of(type_id)
        except Refusal:
            return False
        row = self._records.store.get(kind, id_)
        if row is None or row.state != LIVE:
            return False
        event = {
            "type": "crmObject",
            "portalId": self._records.portal_id,
            "occurredAt": stamp(now_ms),
            "action": "SNAPSHOT",
            "objectTypeId": kind.type_id,
            "objectId": row.id,
            "propertyChanges": {name: row.props.get(name) for name in names or sorted(row.props)},
        }
        self._journal.add(now_ms, event)
        return True

    # the control port

    def state(self, kind: str, after: int, limit: int) -> tuple[list[Doc], str | None]:
        """A page of subscriptions, of calls that were made, or of events that wait."""
        if kind == "webhook_calls":
            return self._webhooks.calls(after, limit)
        if kind == "webhook_events":
            return self._webhooks.waiting(after, limit)
        rows = [row for row in self._subscriptions.state() if int(row["id"]) > after]
        return rows[:limit], rows[limit - 1]["id"] if len(rows) > limit else None

    def edit(self, id_: str | None, given: Doc, *, delete: bool) -> Doc:
        """Set up a subscription as on the app's own page. Raises KeyError, ValueError."""
        return self._subscriptions.edit(id_, given, to_ms(self._world.clock.now()), delete=delete)
