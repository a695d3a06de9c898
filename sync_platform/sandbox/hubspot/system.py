"""HubSpot's side of the sandbox: the vendor API as an ASGI app, its store as the control port reads and edits it."""

import uuid
import zlib
from collections.abc import Iterable
from threading import RLock
from typing import Any

from sync_platform.sandbox.hubspot import switches as hubspot_switches
from sync_platform.sandbox.hubspot.account import Account, Pipelines
from sync_platform.sandbox.hubspot.admin import KINDS_OF_SETTINGS, Admin
from sync_platform.sandbox.hubspot.associations import Associations
from sync_platform.sandbox.hubspot.batch import Batch
from sync_platform.sandbox.hubspot.custom import CustomTypes
from sync_platform.sandbox.hubspot.dispatch import Parts
from sync_platform.sandbox.hubspot.feeds import KINDS as KINDS_OF_FEEDS
from sync_platform.sandbox.hubspot.feeds import Feeds
from sync_platform.sandbox.hubspot.http import Api
from sync_platform.sandbox.hubspot.kinds import CONTACTS, TICKETS, Kind, ties
from sync_platform.sandbox.hubspot.labels import Labels
from sync_platform.sandbox.hubspot.limits import Limits
from sync_platform.sandbox.hubspot.oauth import OAuth
from sync_platform.sandbox.hubspot.objects import Objects
from sync_platform.sandbox.hubspot.properties import Properties
from sync_platform.sandbox.hubspot.records import Records
from sync_platform.sandbox.hubspot.schema import Schema
from sync_platform.sandbox.hubspot.search import Search
from sync_platform.sandbox.hubspot.seed import USER_ID, Seeding
from sync_platform.sandbox.hubspot.store import ARCHIVED, LIVE, Row, Source, Store
from sync_platform.sandbox.hubspot.ties import Ties
from sync_platform.sandbox.hubspot.wire import Refusal, stamp, to_ms
from sync_platform.sandbox.people import Agent, Case, Person
from sync_platform.sandbox.world import World

_NAMESPACE = uuid.UUID("6f1b6a52-0d3e-4f3c-9d53-5d8a1c1b7a10")


class HubSpotSandbox:
    """One HubSpot account. Control calls may come from another thread than the app's."""

    def __init__(self, world: World) -> None:
        self._world = world
        hubspot_switches.register(world.switches)
        seed = world.seed
        self.portal_id, self.app_id = 48_000_000 + seed % 1_000_000, 8_100_000 + seed % 100_000
        self._token = f"pat-na1-{uuid.uuid5(_NAMESPACE, f'token {seed}')}"
        self._client_secret = str(uuid.uuid5(_NAMESPACE, f"client secret {seed}"))
        self._lock = RLock()
        self._store = Store(world.data_dir / "hubspot.db", seed)
        self._schema = Schema(self._store, self.portal_id, lambda: int(world.clock.seconds() * 1000))
        self._records = Records(world, self._store, self._schema, self.portal_id)
        self._links = Ties(self._records)
        self._objects = Objects(self._records, self._links, self.app_id)
        self._limits = Limits(world, self._records.switch)
        self._admin = Admin(self._schema)
        self._client_id = str(uuid.uuid5(_NAMESPACE, f"client id {seed}"))
        self._oauth = OAuth(
            self._store,
            self._records.switch,
            {
                "client_id": self._client_id,
                "client_secret": self._client_secret,
                "app_id": self.app_id,
                "hub_id": self.portal_id,
                "user_id": USER_ID,
            },
        )

        app = {"app_id": self.app_id, "portal_id": self.portal_id, "client_secret": self._client_secret}
        self._feeds = Feeds(world, self._lock, self._records, self._objects, app)

    def app(self) -> Api:
        """The vendor API: authentication, limits, call log and all."""
        records, objects = self._records, self._objects
        properties = Properties(records)
        parts = Parts(
            objects,
            Batch(records, objects, self._links, self._world.seed),
            Search(records, objects),
            Associations(records, self._links),
            properties,
            Pipelines(records),
            Account(records, objects, self._token, self.app_id),
            records.switch,
            self._schema,
            self._oauth,
            Labels(records),
            CustomTypes(records, properties),
            self._feeds,
        )
        return Api(self._world, self._token, self._lock, self._limits, parts)

    def credentials(self) -> dict[str, Any]:
        """HubSpot's part of the ready line."""
        return {
            "access_token": self._token,
            "portal_id": self.portal_id,
            "app_id": self.app_id,
            "client_id": self._client_id,
            "client_secret": self._client_secret,
            "developer_api_key": self._feeds.developer_api_key,
        }

    async def call_out(self) -> None:
        """Carry out calls to other servers as they fall due, until cancelled."""
        await self._feeds.run()

    def identity(self) -> str:
        """The portal id."""
        return str(self.portal_id)

    def seed(self, people: Iterable[Person], cases: Iterable[Case], agents: Iterable[Agent]) -> None:
        """Fill the empty store."""
        with self._lock:
            Seeding(self._records).run(people, cases, agents)

    def reset(self) -> None:
        """Empty the store: no record, no custom property, no owner; full limits."""
        with self._lock:
            self._store.clear()
            self._schema.load()
            self._limits.clear()
            self._oauth.load()
            self._feeds.clear()

    def close(self) -> None:
        """Close the store's file."""
        with self._lock:
            self._store.close()

    # the control port

    @property
    def kinds(self) -> tuple[str, ...]:
        """What the store holds: records of every kind, then settings."""
        first = ("contacts", "tickets", "companies", "notes")
        others = (name for name in self._schema.kinds.by_name if name not in first)
        return (*first, *others, "owners", "pipelines", "properties", "associations", "rules", *KINDS_OF_FEEDS)

    def state(self, kind: str, after: str | None, limit: int) -> tuple[list[dict[str, Any]], str | None]:
        """The store without lag or limits: (rows by ascending id, where the next page starts after).

        Raises KeyError for an unknown kind, ValueError for an `after` that isn't a number.
        """
        if kind not in self.kinds:
            raise KeyError(f"hubspot has no kind {kind!r}; kinds: {', '.join(self.kinds)}")
        try:
            start = int(after or 0)
        except ValueError:
            raise ValueError("after must be the id of a row") from None
        with self._lock:
            if kind in self._schema.kinds.by_name:
                return self._record_state(self._schema.kinds.by_name[kind], start, limit)
            if kind == "associations":
                return self._tie_state(start, limit)
            if kind in KINDS_OF_FEEDS:
                return self._feeds.state(kind, start, limit)
            rows = self._setting_state(kind)
        page = rows[start : start + limit]
        return page, str(start + limit) if start + limit < len(rows) else None

    def _record_state(self, kind: Kind, start: int, limit: int) -> tuple[list[dict[str, Any]], str | None]:
        rows = self._store.page(kind, start, limit + 1, None)
        shown = [self._detail(row) for row in rows[:limit]]
        self._objects.add_all_associations(shown, kind)
        return shown, str(rows[limit - 1].id) if len(rows) > limit else None

    def _detail(self, row: Row) -> dict[str, Any]:
        shown = self._objects.show(row, sorted(row.props))
        if row.state != LIVE:
            shown["deleted_at"] = stamp(row.ended or 0)
        if row.successor is not None:
            shown["merged_into"] = str(row.successor)
        return shown

    def _tie_state(self, start: int, limit: int) -> tuple[list[dict[str, Any]], str | None]:
        found = self._store.db.execute(
            "SELECT seq, a, a_id, b, b_id, type_id FROM ties WHERE seq>? ORDER BY seq LIMIT ?", (start, limit + 1)
        ).fetchall()
        kinds = self._schema.kinds.by_name
        rows = [
            {
                "id": str(seq),
                "fromObjectTypeId": kinds[a].type_id,
                "fromObjectId": str(a_id),
                "toObjectTypeId": kinds[b].type_id,
                "toObjectId": str(b_id),
                "associationTypeId": type_id,
            }
            for seq, a, a_id, b, b_id, type_id in found[:limit]
        ]
        return rows, rows[-1]["id"] if len(found) > limit else None

    def _setting_state(self, kind: str) -> list[dict[str, Any]]:
        if kind == "owners":
            return [doc for _, doc in sorted(self._schema.owners.items(), key=lambda item: int(item[0]))]
        if kind == "pipelines":
            lines = self._schema.pipelines
            return [doc for name in ("tickets", "deals") for _, doc in sorted(lines[name].items())]
        if kind == "rules":
            return self._admin.rules()
        by_name = self._schema.kinds.by_name
        return [{**prop.doc, "objectType": name} for name, one in by_name.items() for prop in self._schema.every(one)]

    def edit(self, kind: str, id: str | None, set: dict[str, Any], delete: bool, by: str) -> dict[str, Any]:
        """Create, change or archive a record as a person in HubSpot's UI (history: CRM_UI with a user id).

        `set` holds properties; "contact" (for tickets) the id of the one associated contact, None for nobody;
        {"restore": true} takes an archived record out of the recycle bin, as only a person can. The kinds owners and
        rules are the administrator's settings.
        Raises KeyError for an unknown kind or id, ValueError for values that HubSpot refuses.
        """
        if kind in KINDS_OF_SETTINGS:
            with self._lock, self._store.transaction():
                return self._admin.edit(kind, id, set, to_ms(self._world.clock.now()), delete=delete)
        if kind == "subscriptions":
            with self._lock, self._store.transaction():
                return self._feeds.edit(id, set, delete=delete)
        found = self._schema.kinds.by_name.get(kind)
        if found is None:
            raise KeyError(f"hubspot can't edit {kind!r}; editable: {', '.join(self._schema.kinds.by_name)}")
        now_ms, source, props = to_ms(self._world.clock.now()), _person(by), dict(set)
        has_contact, contact = "contact" in props, props.pop("contact", None)
        if has_contact and found is not TICKETS:
            raise ValueError("only a ticket has a contact")
        try:
            with self._lock, self._store.transaction(), self._feeds.changes.by(source):
                restored = props.pop("restore", False)
                row = self._restored(found, id, now_ms) if restored else self._wanted(found, id)
                if delete:
                    if row is None:
                        raise ValueError("nothing to delete: no id")
                    self._records.archive(row, now_ms, self._links.shelve)
                    return self._detail(row)
                if row is None:
                    row = self._records.create(found, self._completed(found, props), source, now_ms, ui=True)
                else:
                    self._records.change(row, props, source, now_ms, ui=True)
                if has_contact:
                    self._set_contact(row, contact, now_ms)
                return self._shown(found, row.id)
        except Refusal as refusal:
            raise ValueError(refusal.message) from None

    def _shown(self, kind: Kind, id_: int) -> dict[str, Any]:
        (row,), _ = self._record_state(kind, id_ - 1, 1)
        return row

    def _completed(self, kind: Kind, props: dict[str, Any]) -> dict[str, Any]:
        """What the UI's form fills in by itself."""
        if kind is TICKETS:
            return {"hs_pipeline": "0", "hs_pipeline_stage": "1", **props}
        if "hs_timestamp" in kind.required:
            return {"hs_timestamp": str(to_ms(self._world.clock.now())), **props}
        return props

    def _wanted(self, kind: Kind, text: str | None) -> Row | None:
        return None if text is None else self._live(kind, text)

    def _restored(self, kind: Kind, text: str | None, now_ms: int) -> Row:
        self._records.empty_bin(kind, now_ms)
        row = self._store.get(kind, int(text)) if text is not None and text.isdigit() else None
        if row is None or row.state != ARCHIVED:
            raise KeyError(f"hubspot has no archived record with this id among {kind.name}")
        return self._records.restore(row, now_ms, self._links.unshelve)

    def _live(self, kind: Kind, text: str) -> Row:
        row = self._store.get(kind, int(text)) if text.isdigit() else None
        if row is None or row.state != LIVE:
            raise KeyError(f"hubspot has no live record with this id among {kind.name}")
        return row

    def _set_contact(self, ticket: Row, contact: Any, now_ms: int) -> None:
        wanted = None if contact is None else self._live(CONTACTS, str(contact))
        for other_id in self._links.of(TICKETS, [ticket.id], CONTACTS)[ticket.id]:
            if wanted is None or other_id != wanted.id:
                other = self._store.get(CONTACTS, other_id)
                if other is not None:
                    self._links.remove(ticket, other, None, now_ms)
        if wanted is not None:
            self._links.add(ticket, wanted, ties(TICKETS, CONTACTS)[:1], now_ms)

    def merge(self, kind: str, from_id: str, into_id: str) -> dict[str, Any]:
        """Merge two records as a person in the UI; the answer is the survivor. Raises KeyError, ValueError."""
        found = self._schema.kinds.by_name.get(kind)
        if found is None or not found.mergeable:
            raise KeyError(f"hubspot can't merge {kind!r}")
        now_ms = to_ms(self._world.clock.now())
        with self._lock:
            into, from_ = self._live(found, into_id), self._live(found, from_id)
            try:
                with self._feeds.changes.by(_person("person")):
                    return self._detail(self._objects.merge_rows(found, into.id, from_.id, now_ms))
            except Refusal as refusal:
                raise ValueError(refusal.message) from None


def _person(by: str) -> Source:
    """A person's mark in the history: the same name always has the same user id."""
    user_id = USER_ID + 1 + zlib.crc32(by.encode()) % 90_000
    return {"sourceType": "CRM_UI", "sourceId": f"userId:{user_id}", "updatedByUserId": user_id}
