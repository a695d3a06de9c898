"""How attributes become the bodies of Gorgias's calls. Pure.

Facts relied on: PUT is partial for scalars and replaces whole lists, so channels go whole or not at all [code];
unknown body fields are refused with 400, so a read body is never sent back [doc]; `PUT /customers/{id}/data` replaces
the whole JSON [doc]; `firstname` and `lastname` are derived, `name` is written [recorded].
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sync_platform.connectors.gorgias_shapes import SYNC_PREFIX, sync_part
from sync_platform.connectors.protocol import Change
from sync_platform.core.records import Json

ADDRESSES = ("email", "emails", "phones")
_CUSTOMER_SCALARS = ("name", "language", "note")
_TICKET_SCALARS = ("subject", "status", "priority", "channel", "closed_datetime")


@dataclass(frozen=True, slots=True)
class Channels:
    """A composed channel list and, for each place in it, the attribute that it came from (None: kept as it was)."""

    items: tuple[dict[str, Json], ...]
    sources: tuple[str | None, ...]


def texts(value: Json) -> list[str]:
    """One address or a list of them as a list without blanks."""
    values = value if isinstance(value, list | tuple) else [value]
    return [str(one) for one in values if one not in (None, "")]


def _key(kind: Json, address: Json) -> tuple[str, str]:
    text = str(address)
    return str(kind), text.casefold() if kind == "email" else text


def _wanted(values: Mapping[str, Json]) -> list[tuple[str, str, str]]:
    """(attribute, channel type, address) for each address named, the primary e-mail first."""
    return [
        (name, "phone" if name == "phones" else "email", address)
        for name in ADDRESSES
        if name in values
        for address in texts(values[name])
    ]


def channels_of(change: Change, present: Sequence[Mapping[str, Json]]) -> Channels:
    """The whole channel list: what is there, with the addresses in `was` replaced by those in `set`.

    Channels of other kinds, and addresses that the change does not name, stay. `preferred` is true for one channel of
    each type: the primary e-mail, the first phone.
    """
    wanted = _wanted(change.set)
    before = {name: change.was.get(name) for name in ADDRESSES if name in change.set}
    goes = {_key(kind, address) for _, kind, address in _wanted(before)}
    stays = {_key(kind, address) for _, kind, address in wanted}
    items: list[dict[str, Json]] = []
    sources: list[str | None] = []
    seen: set[tuple[str, str]] = set()
    for channel in present:
        key = _key(channel["type"], channel["address"])
        # A new spelling of an address that is there already takes its place.
        if key in stays or key in goes or key in seen:
            continue
        seen.add(key)
        items.append(dict(channel))
        sources.append(None)
    for name, kind, address in wanted:
        if _key(kind, address) in seen:
            continue
        seen.add(_key(kind, address))
        items.append({"type": kind, "address": address, "preferred": False})
        sources.append(name)
    _prefer(items, change.set.get("email") if "email" in change.set else None)
    return Channels(tuple(items), tuple(sources))


def _prefer(items: Sequence[dict[str, Json]], primary: Json) -> None:
    """Exactly one preferred e-mail and phone; other kinds are left alone."""
    for kind in ("email", "phone"):
        its = [item for item in items if item["type"] == kind]
        if not its:
            continue
        named = [
            item for item in its if kind == "email" and primary and _key(kind, primary) == _key(kind, item["address"])
        ]
        chosen = next(iter(named or [item for item in its if item.get("preferred")] or its))
        for item in its:
            item["preferred"] = item is chosen


def touches_addresses(change: Change) -> bool:
    """Whether the change writes e-mails or phones, so that the channel list is needed."""
    return any(name in change.set for name in ADDRESSES)


def ours(change: Change) -> dict[str, Json]:
    """The values that live in the customer's data, by key."""
    return {name.removeprefix(SYNC_PREFIX): value for name, value in change.set.items() if name.startswith(SYNC_PREFIX)}


def data_of(change: Change, present: Json) -> dict[str, Json]:
    """The customer's whole data with our key merged in; None takes a key away. `present` must be an object or null."""
    merged = {**sync_part(present), **ours(change)}
    return {**(present or {}), "sync": {key: value for key, value in merged.items() if value is not None}}


def new_customer(change: Change) -> tuple[dict[str, Json], Channels]:
    """The body of POST /customers. `channels` is demanded by the specification, even when it is empty [doc]."""
    channels = channels_of(change, ())
    body: dict[str, Json] = {"channels": list(channels.items)}
    if change.set.get("email"):
        body["email"] = change.set["email"]
    body |= {name: change.set[name] for name in _CUSTOMER_SCALARS if change.set.get(name) is not None}
    if change.marker:
        body["external_id"] = change.marker
    return body, channels


def changed_customer(change: Change, present: Sequence[Mapping[str, Json]]) -> tuple[dict[str, Json], Channels | None]:
    """The body of PUT /customers/{id}: what the change names, and the channel list only when addresses change."""
    body: dict[str, Json] = {name: change.set[name] for name in _CUSTOMER_SCALARS if name in change.set}
    if not touches_addresses(change):
        return body, None
    channels = channels_of(change, present)
    if "email" in change.set:
        body["email"] = change.set["email"] or None
    body["channels"] = list(channels.items)
    return body, channels


def _number(external_id: Json) -> Json:
    """Ids are integers there."""
    text = str(external_id)
    return int(text) if text.isascii() and text.isdigit() else text


def new_ticket(change: Change, *, now: datetime) -> dict[str, Json]:
    """The body of POST /tickets: an incoming message of the customer, which no setting turns into mail.

    An outgoing message without `sent_datetime` is really sent [doc]; this one is incoming and carries the time as well.
    Historic creation times are accepted at creation only [recorded].
    """
    wanted = change.set
    customer = {"id": _number(wanted["customer_id"])}
    created = wanted.get("created_datetime")
    first = wanted.get("first_message")
    text = first.get("text") if isinstance(first, dict) else first
    at = (first.get("at") if isinstance(first, dict) else None) or created
    message: dict[str, Json] = {
        "channel": "api",
        "via": "api",
        "from_agent": False,
        "sender": customer,
        "body_text": text or wanted.get("subject") or "-",
        "sent_datetime": at or now.astimezone(UTC).isoformat(timespec="milliseconds"),
    }
    if at:
        message["created_datetime"] = at
    body: dict[str, Json] = {
        "customer": customer,
        "channel": wanted.get("channel") or "api",
        "via": "api",
        "from_agent": False,
        "messages": [message],
    }
    body |= {name: wanted[name] for name in _TICKET_SCALARS if name != "channel" and wanted.get(name) is not None}
    if created:
        body["created_datetime"] = created
    tags = sorted({*texts(wanted.get("tags", [])), *texts(list(change.add.get("tags", ())))})
    if tags:
        body["tags"] = [{"name": name} for name in tags]
    if wanted.get("assignee_user_id"):
        body["assignee_user"] = {"id": _number(wanted["assignee_user_id"])}
    if change.marker:
        body["external_id"] = change.marker
    return body


def changed_ticket(change: Change) -> dict[str, Json]:
    """The body of PUT /tickets/{id}; null takes the assignee away. Tags go element by element, never here."""
    body: dict[str, Json] = {name: change.set[name] for name in _TICKET_SCALARS if name in change.set}
    if "assignee_user_id" in change.set:
        assignee = change.set["assignee_user_id"]
        body["assignee_user"] = {"id": _number(assignee)} if assignee else None
    if change.set.get("customer_id"):
        body["customer"] = {"id": _number(change.set["customer_id"])}
    return body


def tag_changes(change: Change) -> tuple[list[str], list[str]]:
    """Tags to add and to remove, from the elements named or from the whole set against what it was."""
    add, remove = set(texts(list(change.add.get("tags", ())))), set(texts(list(change.remove.get("tags", ()))))
    if "tags" in change.set:
        after, before = set(texts(change.set["tags"] or [])), set(texts(change.was.get("tags") or []))
        add |= after - before
        remove |= before - after
    return sorted(add), sorted(remove - add)


_FIELD_NAMES: Mapping[str, str] = {
    "assignee_user": "assignee_user_id",
    "customer": "customer_id",
    "messages": "first_message",
    "external_id": "external_id",
}


def complained(change: Change, data: Json, channels: Channels | None) -> tuple[str, ...]:
    """The attributes of this change that a 400 complains about: its `data` has the field names as keys [doc]."""
    if not isinstance(data, dict):
        return ()
    named: list[str] = []
    for key, detail in data.items():
        if key == "channels":
            named += _channel_sources(detail, channels)
        elif key == "data":
            named += [name for name in change.set if name.startswith(SYNC_PREFIX)]
        elif key == "email":
            named += ["email"] if "email" in change.set else [name for name in ADDRESSES if name in change.set]
        else:
            named.append(_FIELD_NAMES.get(str(key), str(key)))
    written = {*change.set, *change.add, *change.remove}
    return tuple(dict.fromkeys(name for name in named if name in written))


def _channel_sources(detail: Json, channels: Channels | None) -> list[str]:
    """Which attributes the complaint about `channels` means: by index where it has one, else all addresses."""
    if channels is None:
        return []
    every = [name for name in channels.sources if name is not None]
    if not isinstance(detail, dict):
        return every
    places = [int(key) for key in detail if str(key).isdigit() and int(key) < len(channels.sources)]
    return [name for place in places if (name := channels.sources[place]) is not None] or every
