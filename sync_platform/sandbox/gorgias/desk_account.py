"""What a person sets up in the account's own pages: users, teams, views and custom fields, for the control port."""

from collections.abc import Mapping
from typing import Any

from sync_platform.sandbox.gorgias import custom_fields, fields, teams, users, views
from sync_platform.sandbox.gorgias.other_calls import ROLES
from sync_platform.sandbox.gorgias.store import Actor, Store

_USER: dict[str, fields.Check] = {**users.BODY, "role": fields.one_of(ROLES), "name": fields.text()}
_TEAM: dict[str, fields.Check] = {**teams.BODY, "members": fields.many(fields.anything)}


def edit_user(store: Store, number: int | None, given: dict[str, Any], actor: Actor) -> int:
    """Create or change a user; `role` is a word. No password is asked of a person who is logged in."""
    asked = fields.load(given, _USER, ("email", "name") if number is None else ())
    if "name" in asked:
        asked["name"] = asked["name"] or ""
    if "role" in asked:
        asked["role"] = {"name": asked["role"]}
    if number is None:
        return users.create(store, {"role": {"name": "agent"}, **asked}, actor)
    users.change(store, number, asked, actor)
    return number


def delete_user(store: Store, number: int, actor: Actor) -> None:
    """Delete a user. Raises ValueError for the account's owner and its bot."""
    owner = store.one("SELECT min(id) FROM users")[0]
    if number == owner or users.read(store, number)["role"]["name"] == "bot":
        raise ValueError("the account's owner and its bot stay")
    users.delete(store, number, actor)


def edit_team(store: Store, number: int | None, given: dict[str, Any], actor: Actor) -> int:
    """Create or change a team; members by id or e-mail."""
    asked = fields.load(given, _TEAM, ("name",) if number is None else ())
    if "members" in asked:
        asked["members"] = [_user_id(store, value) for value in asked["members"]]
    if number is None:
        return teams.create(store, asked, actor)
    teams.change(store, number, asked, actor)
    return number


def edit_view(store: Store, number: int | None, given: dict[str, Any], actor: Actor) -> int:
    """Create or change a view."""
    asked = fields.load(given, views.BODY)
    if number is None:
        return views.create(store, asked, actor)
    views.change(store, number, asked, actor)
    return number


def edit_custom_field(store: Store, number: int | None, given: dict[str, Any], actor: Actor) -> int:
    """Create or change a definition."""
    asked = fields.load(given, custom_fields.BODY, custom_fields.REQUIRED if number is None else ())
    if number is None:
        return custom_fields.create(store, asked, actor)
    custom_fields.change(store, number, asked, actor)
    return number


def keep_custom_field(_store: Store, _number: int, _actor: Actor) -> None:
    """Definitions stay. Raises ValueError."""
    raise ValueError("custom fields can't be deleted, only deactivated: set deactivated_datetime")


def values_by_label(store: Store, object_type: str, given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """{label: value} as values by id; a label of digits may be the id itself. Raises Invalid for an unknown label."""
    found = []
    for label, value in given.items():
        known = store.one("SELECT 1 FROM custom_fields WHERE id = ? AND object_type = ?", label, object_type)
        number = int(label) if known else custom_fields.by_label(store, object_type, label)
        found.append({"id": number, "value": value})
    return found


def team_ref(store: Store, value: Any) -> dict[str, Any] | None:
    """A team by name or id, or none. Raises Invalid for an unknown one."""
    if value is None:
        return None
    found = store.one("SELECT id FROM teams WHERE (id = ? OR name = ?) AND deleted IS NULL", value, str(value))
    if found is None:
        raise fields.Invalid({"team": ["Team does not exist."]})
    return {"id": found[0]}


def _user_id(store: Store, value: Any) -> int:
    found = None
    if isinstance(value, int | str):
        found = store.one("SELECT id FROM users WHERE (id = ? OR email = ?) AND deleted IS NULL", value, str(value))
    if found is None:
        raise fields.Invalid({"members": ["User does not exist."]})
    return int(found[0])
