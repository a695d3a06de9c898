"""What happens to customers: created, changed, given data, merged, deleted; the same for API calls and for people.

An e-mail is unique across customers [doc], and by extension a (type, address) channel belongs to one customer
[inferred].
"""

# ruff: noqa: S608 - statements are put together from this package's own table and column names; values are bound

import json
from typing import Any

from sync_platform.sandbox.gorgias import custom_fields, embedded, shapes
from sync_platform.sandbox.gorgias.fields import Invalid
from sync_platform.sandbox.gorgias.http import ApiError, dump, not_found
from sync_platform.sandbox.gorgias.store import Actor, Store, conflict, stamp

Channel = dict[str, Any]  # type, address, and preferred unless the server shall choose
SCALARS = ("external_id", "name", "language", "timezone", "note", "meta", "data")


def fold(kind: str, address: str) -> str:
    """An address as it is compared: e-mails without regard to case [switch email_case], all others as stored."""
    return address.lower() if kind == "email" else address


def read(store: Store, customer_id: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """A live customer's list row and its detail-only part. Raises ApiError 404."""
    found = store.one("SELECT row, extra FROM customers WHERE id = ? AND deleted IS NULL", customer_id)
    if found is None:
        raise not_found()
    return json.loads(found[0]), json.loads("{" + found[1][1:] + "}")


def detail(row: str, extra: str) -> str:
    """The body of one customer from its stored parts."""
    return row[:-1] + extra + "}"


def holders(store: Store, kind: str, address: str) -> list[int]:
    """The customers who own a channel."""
    exact = " AND address = ?" if store.switch("email_case") == "sensitive" else ""
    values = (fold(kind, address), kind, *((address,) if exact else ()))
    return [
        row[0] for row in store.all(f"SELECT customer_id FROM channels WHERE folded = ? AND type = ?{exact}", *values)
    ]


def create(store: Store, given: dict[str, Any], actor: Actor, *, origin: str = "agent") -> int:
    """A new customer; raises ApiError 409 (or Invalid, by switch) when a channel is taken."""
    wanted, email = _wanted(given.get("channels") or [], given.get("email"))
    _check_free(store, wanted, given.get("external_id"), own=None)
    if store.switch("customer_timezone") == "UTC":
        given = {"timezone": "UTC", **given}
    number, now = store.new_id("customers"), store.now()
    # A fresh row's updated_datetime was recorded about a millisecond after its created_datetime.
    created = now - 1_000
    meta = given.get("meta", {"name_set_via": origin})
    row = shapes.customer(number, {**given, "email": email, "meta": meta}, created, now)
    row["custom_fields"] = custom_fields.written(store, "Customer", {}, given.get("custom_fields") or [])
    store.run(
        "INSERT INTO customers VALUES (?, ?, ?, ?, ?, ?, ?, NULL, ?, ',', NULL, NULL)",
        number, created, now, row["external_id"], row["name"], row["language"], row["timezone"], dump(row),
    )  # fmt: skip
    _write_channels(store, number, wanted, created)
    save(store, row, given.get("integrations") or {})
    store.event("customer-created", "Customer", number, actor.user_id)
    return number


def change(store: Store, customer_id: int, given: dict[str, Any], actor: Actor, *, nested: bool = False) -> None:
    """Set fields: partial for scalars; channels replace the whole list. `nested`: inside another object's body."""
    row, extra = read(store, customer_id)
    before = dump([row, [(c["type"], c["address"], c["preferred"]) for c in extra["channels"]], extra["integrations"]])
    identity = (row["name"], row["email"])
    row.update({key: given[key] for key in SCALARS if key in given})
    row["firstname"], row["lastname"] = shapes.split_name(row["name"])
    values_alone = given.keys() <= {"custom_fields", "custom_values"}
    for key in ("custom_fields", "custom_values"):  # the list replaces by switch, `custom_values` is always partial
        if key in given:
            row["custom_fields"] = custom_fields.written(
                store, "Customer", row["custom_fields"], given[key], partial=key == "custom_values"
            )
    if "channels" in given or ("email" in given and given["email"] != row["email"]):
        wanted, row["email"] = _next_channels(store, row["email"], extra["channels"], given)
        _check_free(store, wanted, None, own=customer_id)
        _write_channels(store, customer_id, wanted, store.now())
    if "external_id" in given:
        _check_free(store, [], given["external_id"], own=customer_id)
    integrations = given.get("integrations", extra["integrations"])
    after = dump([row, _triples(store, customer_id), integrations])
    if after != before or (not nested and store.on("unchanged_put_moves_updated")):
        if not values_alone or store.on("custom_fields_move_updated"):
            row["updated_datetime"] = stamp(store.now())
        save(store, row, integrations)
        store.event("customer-updated", "Customer", customer_id, actor.user_id)
    if (row["name"], row["email"]) != identity:
        embedded.show_customer(store, row, bump=store.on("customer_bumps_tickets"))


def save(store: Store, row: dict[str, Any], integrations: dict[str, Any]) -> None:
    """Store a customer's row and render its channels; the row says which times are shown."""
    found = store.all(
        "SELECT id, type, address, preferred, created, updated FROM channels WHERE customer_id = ? ORDER BY id",
        row["id"],
    )
    extra = shapes.customer_extra(shapes.channels(row, found), integrations)
    store.run(
        "UPDATE customers SET updated = ?, external_id = ?, name = ?, language = ?, timezone = ?, row = ?, extra = ? "
        "WHERE id = ?",
        embedded.us(row["updated_datetime"]), row["external_id"], row["name"], row["language"], row["timezone"],
        dump(row), "," + dump(extra)[1:-1], row["id"],
    )  # fmt: skip


def put_data(store: Store, customer_id: int, data: Any, version: int | None, actor: Actor) -> None:
    """Replace the free JSON; a version older than the stored one is ignored in silence [doc]."""
    row, extra = read(store, customer_id)
    stored = store.one("SELECT data_version FROM customers WHERE id = ?", customer_id)[0]
    if version is not None and stored is not None and stored > version:
        return
    row["data"] = data
    if store.on("data_moves_updated"):
        row["updated_datetime"] = stamp(store.now())
    save(store, row, extra["integrations"])
    if version is not None:
        store.run("UPDATE customers SET data_version = ? WHERE id = ?", version, customer_id)
    store.event("customer-updated", "Customer", customer_id, actor.user_id)


def delete(store: Store, customer_id: int, actor: Actor) -> None:
    """Gone for good; what becomes of the tickets is not established [switch deleted_customer_tickets]."""
    read(store, customer_id)
    store.run("UPDATE customers SET deleted = ? WHERE id = ?", store.now(), customer_id)
    store.run("DELETE FROM channels WHERE customer_id = ?", customer_id)
    embedded.customer_gone(store, customer_id, actor)
    store.event("customer-deleted", "Customer", customer_id, actor.user_id)


def merge(store: Store, source_id: int, target_id: int, given: dict[str, Any], actor: Actor) -> None:
    """The source is absorbed, its channels and tickets move to the target [inferred]; its id answers 301 from now on.

    Raises ApiError 409 when both hold data of one integration [doc], Invalid when both ids are the same.
    """
    if source_id == target_id:
        raise Invalid({"source_id": ["Must differ from target_id."]})
    source, source_extra = read(store, source_id)
    target, target_extra = read(store, target_id)
    if source_extra["integrations"].keys() & target_extra["integrations"].keys():
        raise conflict()
    now = store.now()
    store.run("UPDATE customers SET deleted = ?, merged_into = ? WHERE id = ?", now, target_id, source_id)
    kept = {(c["type"], fold(c["type"], c["address"])) for c in target_extra["channels"]}
    types = {c["type"] for c in target_extra["channels"]}
    for entry in source_extra["channels"]:
        if (entry["type"], fold(entry["type"], entry["address"])) in kept:
            store.run("DELETE FROM channels WHERE id = ?", entry["id"])
            continue
        preferred = entry["preferred"] and entry["type"] not in types
        store.run(
            "UPDATE channels SET customer_id = ?, preferred = ?, updated = ? WHERE id = ?",
            target_id, preferred, now, entry["id"],
        )  # fmt: skip
    target["email"] = target["email"] or source["email"]
    moves, seen = store.on("merge_moves_updated"), target["updated_datetime"]
    target["updated_datetime"] = stamp(now) if moves else seen
    save(store, target, {**source_extra["integrations"], **target_extra["integrations"]})
    embedded.move_customer(store, source_id, target)
    named = source_id if store.switch("merged_event_object") == "source" else target_id
    store.event("customer-merged", "Customer", named, actor.user_id, {"source_id": source_id, "target_id": target_id})
    change(store, target_id, given, actor, nested=True)
    if not moves:
        row, extra = read(store, target_id)
        save(store, {**row, "updated_datetime": seen}, extra["integrations"])


def refer(store: Store, ref: dict[str, Any], actor: Actor) -> int:
    """The customer whom a nested object means. An unknown e-mail creates one; an id plus other fields changes that
    customer [doc 2020]; an unknown id is an error whose status is not established [switch unknown_customer_status]."""
    if ref.get("id") is not None:
        found = store.one("SELECT deleted FROM customers WHERE id = ?", ref["id"])
        if found is None or found[0] is not None:
            if store.switch("unknown_customer_status") == 404:
                raise not_found()
            raise Invalid({"customer": {"id": ["Customer does not exist."]}})
        change(store, ref["id"], {key: value for key, value in ref.items() if key != "id"}, actor, nested=True)
        return int(ref["id"])
    if not ref.get("email"):
        raise Invalid({"customer": {"id": ["Missing data for required field."]}})
    owners = holders(store, "email", ref["email"])
    if owners:
        return owners[0]
    return create(store, ref, actor, origin="email")


def _wanted(given: list[Channel], email: str | None) -> tuple[list[Channel], str | None]:
    """All channels of a body and the primary e-mail: when only channels are sent, the e-mail channel becomes it."""
    wanted = list(given)
    if email is None:
        mails = [entry for entry in wanted if entry["type"] == "email"]
        first = next((entry for entry in mails if entry.get("preferred")), mails[0] if mails else None)
        return wanted, first["address"] if first else None
    if not any(entry["type"] == "email" and entry["address"].lower() == email.lower() for entry in wanted):
        wanted.insert(0, {"type": "email", "address": email, "preferred": True})
    return wanted, email


def _next_channels(
    store: Store, old_email: str | None, shown: list[dict[str, Any]], given: dict[str, Any]
) -> tuple[list[Channel], str | None]:
    """The channels after a change: a given list replaces; a new e-mail alone takes the old one's place by switch."""
    if "channels" in given:
        email = given.get("email")
        addresses = [c["address"] for c in given["channels"] if c["type"] == "email"]
        if "email" not in given and old_email in addresses:
            email = old_email
        return _wanted(given["channels"], email)
    kept = [{key: entry[key] for key in ("type", "address", "preferred")} for entry in shown]
    if store.switch("email_change") == "replace" or given["email"] is None:
        kept = [c for c in kept if not (c["type"] == "email" and c["address"].lower() == (old_email or "").lower())]
    for entry in kept:
        entry["preferred"] = entry["preferred"] and entry["type"] != "email"
    if given["email"] is None:
        return kept, None
    return _wanted(kept, given["email"])


def _check_free(store: Store, wanted: list[Channel], external_id: str | None, *, own: int | None) -> None:
    for entry in wanted:
        if entry["type"] == "phone" and not store.on("phone_channel_unique"):
            continue
        if any(owner != own for owner in holders(store, entry["type"], entry["address"])):
            raise _taken(store, "email" if entry["type"] == "email" else "channels")
    if external_id is not None and store.on("external_id_unique"):
        same = store.all("SELECT id FROM customers WHERE external_id = ? AND deleted IS NULL", external_id)
        if any(row[0] != own for row in same):
            raise _taken(store, "external_id")


def _taken(store: Store, name: str) -> Exception:
    """409 is documented for a duplicate, 400 was seen live [switch duplicate_status]."""
    if store.switch("duplicate_status") == 409:
        return conflict()
    return Invalid({name: [f"A customer with this {name} already exists."]})


def _write_channels(store: Store, customer_id: int, wanted: list[Channel], at: int) -> None:
    """Make a customer's channels the wanted ones; those that stay keep their ids. One per type is preferred."""
    rows = store.all("SELECT id, type, folded, address, preferred FROM channels WHERE customer_id = ?", customer_id)
    old = {(kind, folded): (number, address, preferred) for number, kind, folded, address, preferred in rows}
    seen: set[tuple[str, str]] = set()
    chosen = {entry["type"] for entry in wanted if entry.get("preferred")}
    done: set[str] = set()
    for entry in wanted:
        kind, address = entry["type"], entry["address"]
        key = (kind, fold(kind, address))
        if key in seen:
            continue
        seen.add(key)
        # Recorded: without `preferred` in the body the one channel of each type came back preferred.
        preferred = kind not in done and (bool(entry.get("preferred")) if kind in chosen else True)
        done |= {kind} if preferred else set()
        if key not in old:
            store.run(
                "INSERT INTO channels VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                store.new_id("channels"), customer_id, kind, address, key[1], preferred, at, at,
            )  # fmt: skip
        elif old[key][1:] != (address, int(preferred)):
            store.run(
                "UPDATE channels SET address = ?, preferred = ?, updated = ? WHERE id = ?",
                address, preferred, at, old[key][0],
            )  # fmt: skip
    for key, (number, _, _) in old.items():
        if key not in seen:
            store.run("DELETE FROM channels WHERE id = ?", number)


def _triples(store: Store, customer_id: int) -> list[tuple[str, str, bool]]:
    rows = store.all("SELECT type, address, preferred FROM channels WHERE customer_id = ? ORDER BY id", customer_id)
    return [(kind, address, bool(preferred)) for kind, address, preferred in rows]


def moved(store: Store, customer_id: int) -> ApiError | None:
    """The 301 for a merged customer, or None; its Location header is not documented [switch merged_location]."""
    found = store.one("SELECT merged_into FROM customers WHERE id = ?", customer_id)
    if found is None or found[0] is None:
        return None
    place = [(b"location", f"/api/customers/{found[0]}/".encode())] if store.on("merged_location") else []
    return ApiError(301, "The resource has been merged into another one.", headers=place)
