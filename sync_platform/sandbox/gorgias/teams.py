"""Teams of the twin of Gorgias: groups of users that tickets are assigned to; `members` of a body replaces the list.

What becomes of the tickets of a deleted team is not established [switch deleted_team_tickets].
"""

import json
from typing import Any

from sync_platform.sandbox.gorgias import embedded, fields
from sync_platform.sandbox.gorgias.fields import Invalid
from sync_platform.sandbox.gorgias.http import dump, not_found
from sync_platform.sandbox.gorgias.store import Actor, Store, stamp

SCHEMA = """
CREATE TABLE IF NOT EXISTS teams(id INTEGER PRIMARY KEY, created INTEGER NOT NULL, name TEXT NOT NULL,
  description TEXT, decoration TEXT, members TEXT NOT NULL, deleted INTEGER);
"""
COLUMNS = ("id", "created", "name", "description", "decoration", "members")
_DECORATION = fields.nested({"emoji": fields.text(longest=32), "color": fields.text(longest=32)}, null=True)


_MEMBER = fields.nested({"id": fields.integer()}, required=("id",))


@fields.described(lambda: {"anyOf": [fields.schema_of(_MEMBER), fields.schema_of(fields.integer())]})
def member(value: Any) -> int:
    """A user or team of a list, as {id} or a bare id [inferred]; gives the id."""
    found = _MEMBER(value)["id"] if isinstance(value, dict) else value
    return int(fields.integer()(found))


BODY: dict[str, fields.Check] = {
    "name": fields.text(shortest=1, longest=255, null=False),
    "description": fields.text(longest=1_024),
    "decoration": _DECORATION,
    "members": fields.many(member, longest=1_000),
}


def prepare(store: Store) -> None:
    """The table of teams."""
    store.extend(SCHEMA, ("teams",), {"teams": 7_000})


def show(store: Store, values: Any) -> dict[str, Any]:
    """A team from its columns; members as {id, name, email, meta}."""
    number, created, name, description, decoration, members = values
    ids = json.loads(members)
    found = store.all(
        f"SELECT id, row FROM users WHERE id IN ({', '.join('?' * len(ids))})",  # noqa: S608 - question marks alone
        *ids,
    )
    users = {user_id: json.loads(row) for user_id, row in found}
    return {
        "id": number,
        "uri": f"/api/teams/{number}/",
        "name": name,
        "description": description,
        "decoration": json.loads(decoration) if decoration else None,
        "members": [{key: users[one][key] for key in ("id", "name", "email", "meta")} for one in ids if one in users],
        "created_datetime": stamp(created),
    }


def row_of(store: Store, team_id: int) -> tuple[dict[str, Any], int | None] | None:
    """A team and when it was deleted, or None."""
    found = store.one(f"SELECT deleted, {', '.join(COLUMNS)} FROM teams WHERE id = ?", team_id)  # noqa: S608 - own names
    return (show(store, found[1:]), found[0]) if found else None


def read(store: Store, team_id: int) -> dict[str, Any]:
    """A live team. Raises ApiError 404."""
    found = row_of(store, team_id)
    if found is None or found[1] is not None:
        raise not_found()
    return found[0]


def embed(store: Store, ref: dict[str, Any] | None) -> dict[str, Any] | None:
    """A team as a ticket embeds it; null or {id: null} unassigns. Raises Invalid for an unknown team."""
    if not ref or ref.get("id") is None:
        return None
    found = store.one("SELECT id, name, decoration FROM teams WHERE id = ? AND deleted IS NULL", ref["id"])
    if found is None:
        raise Invalid({"assignee_team": {"id": ["Team does not exist."]}})
    return {"id": found[0], "name": found[1], "decoration": json.loads(found[2]) if found[2] else None}


def create(store: Store, given: dict[str, Any], actor: Actor) -> int:
    """A new team. Raises Invalid for unknown members."""
    number = insert(store, given, store.now())
    store.event("team-created", "Team", number, actor.user_id)
    return number


def insert(store: Store, given: dict[str, Any], at: int) -> int:
    """A team's row alone."""
    members = _members(store, given.get("members") or [])
    number = store.new_id("teams")
    decoration = dump(given["decoration"]) if given.get("decoration") else None
    store.run(
        "INSERT INTO teams VALUES (?, ?, ?, ?, ?, ?, NULL)",
        number, at, given["name"], given.get("description"), decoration, dump(members),
    )  # fmt: skip
    return number


def change(store: Store, team_id: int, given: dict[str, Any], actor: Actor) -> None:
    """Set fields; tickets show a new name or decoration at once."""
    old = read(store, team_id)
    new = {**old, "members": [member["id"] for member in old["members"]], **given}
    store.run(
        "UPDATE teams SET name = ?, description = ?, decoration = ?, members = ? WHERE id = ?",
        new["name"], new["description"], dump(new["decoration"]) if new["decoration"] else None,
        dump(_members(store, new["members"])), team_id,
    )  # fmt: skip
    store.event("team-updated", "Team", team_id, actor.user_id)
    if (old["name"], old["decoration"]) != (new["name"], new["decoration"]):
        shown = embed(store, {"id": team_id})
        for ticket in embedded.assigned(store, "assignee_team", team_id):
            embedded.save_ticket(store, {**ticket, "assignee_team": shown})


def delete(store: Store, team_id: int, actor: Actor) -> None:
    """Gone; its tickets are unassigned, or keep it, by switch."""
    read(store, team_id)
    store.run("UPDATE teams SET deleted = ? WHERE id = ?", store.now(), team_id)
    store.event("team-deleted", "Team", team_id, actor.user_id)
    if store.switch("deleted_team_tickets") == "unassign":
        embedded.unassign(store, "assignee_team", team_id, "ticket-team-unassigned", actor)


def forget_member(store: Store, user_id: int) -> None:
    """Take a deleted user out of every team."""
    for team_id, members in store.all("SELECT id, members FROM teams WHERE deleted IS NULL"):
        ids = json.loads(members)
        if user_id in ids:
            store.run("UPDATE teams SET members = ? WHERE id = ?", dump([i for i in ids if i != user_id]), team_id)


def _members(store: Store, ids: list[int]) -> list[int]:
    wanted = list(dict.fromkeys(ids))
    bad = {
        str(index): {"id": ["User does not exist."]}
        for index, number in enumerate(wanted)
        if not store.one("SELECT 1 FROM users WHERE id = ? AND deleted IS NULL", number)
    }
    if bad:
        raise Invalid({"members": bad})
    return wanted
