"""Tags and the tickets that bear them. Names are case-sensitive, 1 to 256 characters [doc]."""

# ruff: noqa: S608 - statements are put together from this package's own table and column names; values are bound

import json
from collections.abc import Iterable
from typing import Any

from sync_platform.sandbox.gorgias import embedded
from sync_platform.sandbox.gorgias.fields import Invalid
from sync_platform.sandbox.gorgias.http import dump, not_found
from sync_platform.sandbox.gorgias.store import Actor, Store, conflict, stamp

COLUMNS = ("id", "name", "description", "decoration", "usage", "created", "deleted")


def show(values: Iterable[Any]) -> dict[str, Any]:
    """A tag from its columns."""
    number, name, description, decoration, usage, created, deleted = values
    return {
        "id": number,
        "name": name,
        "description": description,
        "decoration": json.loads(decoration) if decoration else None,
        "usage": usage,
        "uri": f"/api/tags/{number}/",
        "created_datetime": stamp(created),
        "deleted_datetime": None if deleted is None else stamp(deleted),
    }


def read(store: Store, tag_id: int) -> dict[str, Any]:
    """A live tag. Raises ApiError 404."""
    found = store.one(f"SELECT {', '.join(COLUMNS)} FROM tags WHERE id = ? AND deleted IS NULL", tag_id)
    if found is None:
        raise not_found()
    return show(found)


def create(store: Store, given: dict[str, Any], actor: Actor) -> int:
    """A new tag. Raises ApiError 409 when the name is in use."""
    if store.one("SELECT 1 FROM tags WHERE name = ? AND deleted IS NULL", given["name"]):
        raise conflict()
    number = store.new_id("tags")
    decoration = dump(given["decoration"]) if given.get("decoration") else None
    store.run(
        "INSERT INTO tags VALUES (?, ?, ?, ?, ?, 0, NULL)",
        number, store.now(), given["name"], given.get("description"), decoration,
    )  # fmt: skip
    store.event("tag-created", "Tag", number, actor.user_id)
    return number


def change(store: Store, tag_id: int, given: dict[str, Any], actor: Actor) -> None:
    """Set name, description, decoration; tickets show the new name at once."""
    old = read(store, tag_id)
    new = {**old, **given}
    if new["name"] != old["name"] and store.one("SELECT 1 FROM tags WHERE name = ? AND deleted IS NULL", new["name"]):
        raise conflict()
    decoration = dump(new["decoration"]) if new["decoration"] else None
    store.run(
        "UPDATE tags SET name = ?, description = ?, decoration = ? WHERE id = ?",
        new["name"], new["description"], decoration, tag_id,
    )  # fmt: skip
    store.event("tag-renamed" if new["name"] != old["name"] else "tag-updated", "Tag", tag_id, actor.user_id)
    _show_again(store, _bearers(store, tag_id))


def delete(store: Store, tag_id: int, actor: Actor) -> None:
    """Remove a tag, also from every ticket."""
    read(store, tag_id)
    bearers = _bearers(store, tag_id)
    store.run("DELETE FROM ticket_tags WHERE tag_id = ?", tag_id)
    store.run("UPDATE tags SET deleted = ?, usage = 0 WHERE id = ?", store.now(), tag_id)
    store.event("tag-deleted", "Tag", tag_id, actor.user_id)
    _show_again(store, bearers)


def merge(store: Store, into_id: int, source_ids: list[int], actor: Actor) -> None:
    """Tickets of the sources bear the destination; the sources are deleted."""
    read(store, into_id)
    for source_id in source_ids:
        if source_id == into_id:
            raise Invalid({"source_tags_ids": ["Must not hold the destination."]})
        read(store, source_id)
        bearers = _bearers(store, source_id)
        store.run(
            "INSERT OR IGNORE INTO ticket_tags SELECT ticket_id, ? FROM ticket_tags WHERE tag_id = ?",
            into_id,
            source_id,
        )
        store.run("DELETE FROM ticket_tags WHERE tag_id = ?", source_id)
        store.run("UPDATE tags SET deleted = ?, usage = 0 WHERE id = ?", store.now(), source_id)
        store.event("tag-merged", "Tag", source_id, actor.user_id, {"destination_id": into_id})
        _show_again(store, bearers)
    _count(store, into_id)


def named(store: Store, names: Iterable[str], actor: Actor) -> list[int]:
    """Tags of a ticket's body; whether an unknown name creates the tag is a switch [inferred: it does]."""
    found: list[int] = []
    for name in names:
        row = store.one("SELECT id FROM tags WHERE name = ? AND deleted IS NULL", name)
        if row is None and not store.on("ticket_body_creates_tags"):
            raise Invalid({"tags": [f"Tag {name!r} does not exist."]})
        found.append(row[0] if row else create(store, {"name": name}, actor))
    return found


def existing(store: Store, given: dict[str, Any]) -> list[int]:
    """Tags of the ticket's tag endpoints, by ids and names; there they must exist [seen in a working client]."""
    found: list[int] = []
    for column, values in (("id", given.get("ids") or []), ("name", given.get("names") or [])):
        for value in values:
            row = store.one(f"SELECT id FROM tags WHERE {column} = ? AND deleted IS NULL", value)
            if row is None:
                raise Invalid({f"{column}s": ["Tag does not exist."]})
            found.append(row[0])
    return found


def put_on(store: Store, ticket_id: int, wanted: list[int], actor: Actor, *, replace: bool, bump: bool = True) -> None:
    """Add tags to a ticket, or make them its whole set."""
    old = {row[0] for row in store.all("SELECT tag_id FROM ticket_tags WHERE ticket_id = ?", ticket_id)}
    new = set(wanted) if replace else old | set(wanted)
    _set(store, ticket_id, old, new, actor, bump=bump)


def take_off(store: Store, ticket_id: int, gone: list[int], actor: Actor) -> None:
    """Remove tags from a ticket."""
    old = {row[0] for row in store.all("SELECT tag_id FROM ticket_tags WHERE ticket_id = ?", ticket_id)}
    _set(store, ticket_id, old, old - set(gone), actor, bump=True)


def _set(store: Store, ticket_id: int, old: set[int], new: set[int], actor: Actor, *, bump: bool) -> None:
    for tag_id in new - old:
        store.run("INSERT INTO ticket_tags VALUES (?, ?)", ticket_id, tag_id)
        store.run("UPDATE tags SET usage = usage + 1 WHERE id = ?", tag_id)
    for tag_id in old - new:
        store.run("DELETE FROM ticket_tags WHERE ticket_id = ? AND tag_id = ?", ticket_id, tag_id)
        store.run("UPDATE tags SET usage = usage - 1 WHERE id = ?", tag_id)
    for kind, ids in (("ticket-tags-added", new - old), ("ticket-tags-removed", old - new)):
        if ids:
            store.event(kind, "Ticket", ticket_id, actor.user_id, {"tags": [{"id": entry} for entry in sorted(ids)]})
    embedded.show_tags(store, ticket_id, bump=bump and (old != new or store.on("unchanged_put_moves_updated")))


def _bearers(store: Store, tag_id: int) -> list[int]:
    return [row[0] for row in store.all("SELECT ticket_id FROM ticket_tags WHERE tag_id = ?", tag_id)]


def _show_again(store: Store, ticket_ids: list[int]) -> None:
    for ticket_id in ticket_ids:
        embedded.show_tags(store, ticket_id, bump=False)


def _count(store: Store, tag_id: int) -> None:
    store.run(
        "UPDATE tags SET usage = (SELECT count(*) FROM ticket_tags WHERE tag_id = ?) WHERE id = ?", tag_id, tag_id
    )
