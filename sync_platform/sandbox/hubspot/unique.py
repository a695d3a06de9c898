"""Values that only one record may have: a contact's addresses and the properties with unique values.

Facts: a contact's e-mail is unique over primary and secondary addresses (409 with the existing id in the message)
[recorded]; `hasUniqueValue` properties are unique over their kind, the body of the clash isn't established (switch
`unique_clash_status`). Privacy deletion block-lists addresses [doc].
"""

from collections.abc import Callable, Mapping
from typing import Any

from sync_platform.sandbox.hubspot.kinds import CONTACTS, Kind
from sync_platform.sandbox.hubspot.schema import Schema
from sync_platform.sandbox.hubspot.store import Row, Store
from sync_platform.sandbox.hubspot.values import invalid
from sync_platform.sandbox.hubspot.wire import Refusal, refuse


class Unique:
    """Who has which unique value. Every method runs inside the caller's transaction."""

    def __init__(self, store: Store, schema: Schema, switch: Callable[[str], Any], portal_id: int) -> None:
        self._store = store
        self._schema = schema
        self._switch = switch
        self._portal_id = portal_id

    def check(self, kind: Kind, name: str, value: str, own_id: int | None) -> None:
        """Raises Refusal(409 or 400) when another record has this value already."""
        addresses = [value]
        if kind is CONTACTS and name == "hs_additional_emails":
            name, addresses = "email", value.split(";")
        for address in filter(None, addresses):
            found = self._store.owner_of(kind, name, address)
            if found is None or found[0] == own_id:
                if name == "email" and found is None:
                    self._refuse_blocked(address)
                continue
            if name == "email":
                refuse(
                    409,
                    f"Contact already exists. Existing ID: {found[0]}",
                    "CONFLICT",
                    context={"existingId": [str(found[0])]},
                )
            raise self._clash(kind, name, value, own_id, found[0])

    def _refuse_blocked(self, address: str) -> None:
        """What happens to an address on the block list isn't established: switch `blocked_email`."""
        if self._switch("blocked_email") == "accept":
            return
        found = self._store.db.execute("SELECT 1 FROM blocked WHERE email=?", (address,)).fetchone()
        if found:
            raise invalid([("email", "INVALID_EMAIL", f"Email address {address} is blocked")], self._portal_id)

    def block(self, address: str) -> None:
        """Put an address on the block list of privacy deletion."""
        if address.strip():
            self._store.db.execute("INSERT OR IGNORE INTO blocked VALUES(?)", (address.strip().lower(),))

    def _clash(self, kind: Kind, name: str, value: str, own_id: int | None, other_id: int) -> Refusal:
        message = (
            f"Cannot set PropertyValueCoordinates{{portalId={self._portal_id}, objectTypeId={kind.type_id}, "
            f"propertyName={name}, value={value}}} on {own_id or 'a new record'}. {other_id} already has that value."
        )
        refusal = invalid([(name, "CONFLICTING_UNIQUE_VALUE", message)], self._portal_id)
        refusal.status = int(self._switch("unique_clash_status"))
        refusal.context = {"existingId": [str(other_id)]}
        return refusal

    def claim(self, row: Row, changes: Mapping[str, str]) -> None:
        """The values just written are this record's."""
        unique = set(self._schema.unique_names(row.kind))
        if row.kind is CONTACTS:
            unique.add("email")
            for address in filter(None, changes.get("hs_additional_emails", "").split(";")):
                self._store.claim(row.kind, "email", address, row.id, secondary=True)
        for name in unique & changes.keys():
            if changes[name]:
                self._store.claim(row.kind, name, changes[name], row.id)

    def release(self, row: Row, before: Mapping[str, str], changes: Mapping[str, str]) -> None:
        """The values that were written over are free again."""
        unique = set(self._schema.unique_names(row.kind)) | ({"email"} if row.kind is CONTACTS else set())
        for name in unique & changes.keys():
            if before.get(name) and before[name] != changes[name]:
                self._store.release(row.kind, name, before[name])
        if "hs_additional_emails" in changes:
            for address in filter(None, before.get("hs_additional_emails", "").split(";")):
                self._store.release(row.kind, "email", address)
