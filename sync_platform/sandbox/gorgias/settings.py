"""Writing the account's settings. Those of surveys have an effect: closing a ticket then mails a survey."""

import json
from typing import Any

from sync_platform.sandbox.gorgias import fields, plain
from sync_platform.sandbox.gorgias.customer_calls import put_reply
from sync_platform.sandbox.gorgias.http import Contract, Reply, Request, Routes, add, dump, not_found, ok
from sync_platform.sandbox.gorgias.store import Store, conflict

KIND = "account_settings"
SURVEYS, HOURS = "satisfaction-surveys", "business-hours"
BUILT_IN = {1: SURVEYS, 2: HOURS}  # the settings that every account has from the start
TYPES = (
    SURVEYS, HOURS, "ticket-assignment", "views-ordering", "access", "views-visibility", "auto-merge",
    "default-integration",
)  # fmt: skip


@fields.described({"type": "object"})
def _data(value: Any) -> Any:
    """Free JSON, but an object."""
    if not isinstance(value, dict):
        raise fields.Invalid("Not a valid mapping type.")
    return value


_BODY: dict[str, fields.Check] = {"id": fields.integer(), "type": fields.one_of(TYPES), "data": _data}
_NEW = {name: _BODY[name] for name in ("type", "data")}


def prepare(store: Store) -> None:
    """The table: what was written over the settings that an account has from the start, and further ones."""
    plain.prepare(store, KIND, "type TEXT NOT NULL,")


def written(store: Store, settings: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The settings as they stand, given those of the start; what the sandbox acts on is told by its switches."""
    rows = [json.loads(text) for (text,) in store.all(f"SELECT row FROM {KIND} ORDER BY id")]  # noqa: S608
    by_type = {row["type"]: row for row in rows}
    found = [_merged(entry, by_type.pop(entry["type"], None)) for entry in settings]
    return found + list(by_type.values())


def _merged(entry: dict[str, Any], row: dict[str, Any] | None) -> dict[str, Any]:
    if row is None:
        return entry
    acting = {name: value for name, value in entry["data"].items() if name.startswith("send_survey_for_")}
    return {**entry, "data": {**row["data"], **acting}}


class SettingCalls:
    """Handlers of the writes on /api/account/settings."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def register(self, routes: Routes) -> None:
        """Add the routes."""
        path, failure = "/api/account/settings", "Failed to create account setting"
        new = Contract({201: "Setting"}, body=fields.nested(_NEW, required=tuple(_NEW)), errors=(409,))
        add(routes, "POST", path, self.create, scope="account", failure=failure, contract=new)
        path, failure = "/api/account/settings/{id}", "Failed to update account setting"
        put = Contract({200: "Setting", 202: None}, body=fields.nested(_BODY, required=("data",)))
        add(routes, "PUT", path, self.change, scope="account", failure=failure, contract=put)

    def create(self, request: Request) -> Reply:
        """POST: 201; one setting of each type, so that a second one is 409 [inferred]."""
        fields.no_query(request)
        given = fields.body(request, _NEW, tuple(_NEW))
        if given["type"] in BUILT_IN.values() or self._row(given["type"]):
            raise conflict()
        row = self._write(self.store.new_id(KIND), given["type"], given["data"], request.caller.user_id)
        return ok(dump(row), 201)

    def change(self, request: Request) -> Reply:
        """PUT: data replaces."""
        fields.no_query(request)
        number = request.ids[0]
        kind = BUILT_IN.get(number)
        if kind is None:
            kind = plain.read(self.store, KIND, number)["type"]
        given = fields.body(request, _BODY, ("data",))
        if given.get("type", kind) != kind or given.get("id", number) != number:
            raise not_found()
        return put_reply(self.store, dump(self._write(number, kind, given["data"], request.caller.user_id)))

    def _row(self, kind: str) -> Any:
        return self.store.one(f"SELECT id FROM {KIND} WHERE type = ?", kind)  # noqa: S608

    def _write(self, number: int, kind: str, data: dict[str, Any], user_id: int | None) -> dict[str, Any]:
        row = {"id": number, "type": kind, "data": data}
        is_new = self._row(kind) is None
        with self.store.writing():
            if is_new:
                plain.insert(self.store, KIND, row, type=kind)
            else:
                plain.save(self.store, KIND, row)
            event = "account-setting-created" if is_new and number not in BUILT_IN else "account-setting-updated"
            self.store.event(event, "AccountSetting", number, user_id)
        if kind == SURVEYS:
            mailed = any(data.get(f"send_survey_for_{way}") for way in ("chat", "email"))
            self.store.world.switches.set("gorgias.survey_after_close", "on" if mailed else "off")
        return row
