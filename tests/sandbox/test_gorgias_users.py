"""Gorgias's twin: users over HTTP. The docstrings say how sure the rule is."""

import pytest

from tests.sandbox.gorgias_served import served_account

UNA = {"name": "Una Agent", "email": "una@support.example.com", "role": {"name": "agent"}}


@pytest.fixture(scope="module")
def account(tmp_path_factory):
    with served_account(tmp_path_factory.mktemp("gorgias")) as account:
        yield account


@pytest.fixture
def gorgias(account):
    """The account, reset, at default switches."""
    account.world.switches.restore()
    account.side.reset()
    return account


def test_a_user_is_created_from_name_email_and_role(gorgias):
    """[doc] the required ones; 201 [inferred]."""
    made = gorgias.post("users", {**UNA, "language": "fr", "timezone": "Europe/Paris", "external_id": "e1"})
    assert made.keys() == {
        "id", "active", "bio", "country", "created_datetime", "updated_datetime", "deactivated_datetime", "email",
        "external_id", "firstname", "lastname", "name", "language", "meta", "role", "timezone", "has_password",
        "has_2fa_enabled", "uri",
    }  # fmt: skip
    assert (made["firstname"], made["lastname"], made["language"]) == ("Una", "Agent", "fr")
    assert made["role"] == {"name": "agent"}
    assert gorgias.get(f"users/{made['id']}") == made
    assert [row["id"] for row in gorgias.get("users", external_id="e1")["data"]] == [made["id"]]
    refused = gorgias.post("users", {}, 400)
    assert refused["error"]["data"].keys() == {"name", "email", "role"}


def test_roles_are_the_documented_ones(gorgias):
    """[doc]"""
    for n, role in enumerate(("admin", "agent", "basic-agent", "internal-agent", "lite-agent", "observer-agent")):
        gorgias.post("users", {**UNA, "email": f"u{n}@example.com", "role": {"name": role}})
    gorgias.post("users", {**UNA, "role": {"name": "owner"}}, 400)
    gorgias.post("users", {**UNA, "firstname": "Una"}, 400)
    lite = gorgias.get("users", roles=["lite-agent", "admin"])["data"]
    assert {row["role"]["name"] for row in lite} == {"admin", "lite-agent"}
    gorgias.get("users", 400, roles="owner")


def test_an_e_mail_in_use_is_a_conflict(gorgias):
    """[doc] 409 for an identifier in use."""
    made = gorgias.post("users", UNA)
    gorgias.post("users", UNA, 409)
    other = gorgias.post("users", {**UNA, "email": "b@example.com"})
    gorgias.put(f"users/{other['id']}", {"email": made["email"], "password_confirmation": "x"}, 409)


def test_a_new_e_mail_needs_the_password_confirmation(gorgias):
    """[doc]"""
    made = gorgias.post("users", UNA)
    refused = gorgias.put(f"users/{made['id']}", {"email": "new@example.com"}, 400)
    assert refused["error"]["data"] == {"password_confirmation": ["Missing data for required field."]}
    gorgias.put(f"users/{made['id']}", {"email": made["email"], "bio": "Same e-mail"})
    body = {"email": "new@example.com", "password_confirmation": "secret"}
    assert gorgias.put(f"users/{made['id']}", body)["email"] == "new@example.com"


def test_zero_is_the_calling_user(gorgias):
    """[doc] GET; PUT likewise."""
    me = gorgias.get("users/0")
    assert me["email"] == gorgias.keys["email"]
    assert gorgias.put("users/0", {"bio": "It's me"})["id"] == me["id"]
    gorgias.delete("users/0", status=403)


def test_a_user_is_changed_in_part_and_tickets_show_the_new_name(gorgias):
    """[doc] partial; [inferred] the copies."""
    made = gorgias.post("users", UNA)
    ticket = gorgias.ticket(gorgias.customer()["id"], assignee_user={"id": made["id"]})
    changed = gorgias.put(f"users/{made['id']}", {"name": "Uma Agent", "role": {"name": "lite-agent"}})
    assert (changed["firstname"], changed["email"]) == ("Uma", made["email"])
    assert gorgias.get(f"tickets/{ticket['id']}")["assignee_user"]["name"] == "Uma Agent"
    off = gorgias.put(f"users/{made['id']}", {"active": False})
    assert off["deactivated_datetime"] is not None
    assert gorgias.put(f"users/{made['id']}", {"active": True})["deactivated_datetime"] is None


def test_there_is_no_bulk_delete_of_users(gorgias):
    """[doc]"""
    gorgias.delete("users", {"ids": [1]}, 405)


@pytest.mark.parametrize("fate", ["unassign", "keep"])
def test_what_becomes_of_a_deleted_user_s_tickets_is_a_switch(gorgias, fate):
    """Not established."""
    gorgias.switch(deleted_user_tickets=fate)
    made = gorgias.post("users", UNA)
    ticket = gorgias.ticket(gorgias.customer()["id"], assignee_user={"id": made["id"]})
    team = gorgias.post("teams", {"name": "T", "members": [{"id": made["id"]}]})
    gorgias.delete(f"users/{made['id']}")
    gorgias.get(f"users/{made['id']}", 404)
    shown = gorgias.get(f"tickets/{ticket['id']}")["assignee_user"]
    assert (shown is None) == (fate == "unassign")
    assert (("ticket-unassigned", ticket["id"]) in gorgias.events()) == (fate == "unassign")
    assert gorgias.get(f"teams/{team['id']}")["members"] == []


def test_the_bot_stays(gorgias):
    """[inferred]"""
    bot = gorgias.get("users", roles="bot")["data"][0]
    gorgias.delete(f"users/{bot['id']}", status=403)


@pytest.mark.parametrize("order", ["created_datetime", "updated_datetime", "name", "email"])
def test_users_are_ordered_both_ways(gorgias, order):
    """[code PostHog] times; ⚠ name and e-mail."""
    for name in ("Bo", "Al", "Cy"):
        gorgias.post("users", {**UNA, "name": name, "email": f"{name.lower()}@example.com"})
    up = [row[order] for row in gorgias.walk("users", order_by=f"{order}:asc", limit=2)]
    down = [row[order] for row in gorgias.walk("users", order_by=f"{order}:desc", limit=2)]
    assert up == sorted(up)
    assert down == up[::-1]


def test_users_are_searched_and_available_first_is_taken(gorgias):
    """[doc]"""
    made = gorgias.post("users", UNA)
    for params in ({"search": "una ag"}, {"search": "UNA@"}, {"email": UNA["email"], "available_first": True}):
        assert [row["id"] for row in gorgias.get("users", **params)["data"]] == [made["id"]]
    gorgias.get("users", 400, name="Una")


def test_a_person_edits_users_too(gorgias):
    edit = lambda number, delete=False, **values: gorgias.side.edit("users", number, values, delete, "person")
    made = edit(None, name="Una", email="una@example.com", role="lite-agent")
    assert gorgias.get(f"users/{made['id']}")["role"]["name"] == "lite-agent"
    assert edit(str(made["id"]), email="uma@example.com")["email"] == "uma@example.com"
    assert "deleted_at" in edit(str(made["id"]), delete=True)
    with pytest.raises(ValueError, match="stay"):
        edit(str(gorgias.get("users/0")["id"]), delete=True)
