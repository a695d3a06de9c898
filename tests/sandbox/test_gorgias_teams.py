"""Gorgias's twin: teams over HTTP. The docstrings say how sure the rule is."""

import pytest

from tests.sandbox.gorgias_served import served_account


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


@pytest.fixture
def una(gorgias):
    return gorgias.post("users", {"name": "Una", "email": "una@example.com", "role": {"name": "agent"}})


def test_a_team_is_created_from_a_name(gorgias, una):
    """[doc]"""
    body = {"name": "Night", "description": "after ten", "decoration": {"emoji": ":moon:"}}
    made = gorgias.post("teams", {**body, "members": [{"id": una["id"]}]})
    assert made == {
        "id": made["id"],
        "uri": f"/api/teams/{made['id']}/",
        **body,
        "members": [{key: una[key] for key in ("id", "name", "email", "meta")}],
        "created_datetime": made["created_datetime"],
    }
    assert gorgias.get(f"teams/{made['id']}") == made
    assert gorgias.post("teams", {}, 400)["error"]["data"] == {"name": ["Missing data for required field."]}
    gorgias.post("teams", {"name": "x", "members": [{"id": 5}]}, 400)


def test_members_of_a_put_replace_the_list(gorgias, una):
    """[doc]"""
    me = gorgias.get("users/0")
    made = gorgias.post("teams", {"name": "Night", "members": [{"id": una["id"]}]})
    changed = gorgias.put(f"teams/{made['id']}", {"members": [{"id": me["id"]}]})
    assert ([row["id"] for row in changed["members"]], changed["name"]) == ([me["id"]], "Night")
    assert gorgias.put(f"teams/{made['id']}", {"description": "x"})["members"] == changed["members"]
    assert gorgias.put(f"teams/{made['id']}", {"members": []})["members"] == []


@pytest.mark.parametrize("order", ["created_datetime", "name"])
def test_teams_are_ordered_both_ways(gorgias, order):
    """[doc]"""
    for name in ("B", "A", "C"):
        gorgias.post("teams", {"name": name})
    up = [row[order] for row in gorgias.walk("teams", order_by=f"{order}:asc", limit=2)]
    down = [row[order] for row in gorgias.walk("teams", order_by=f"{order}:desc", limit=2)]
    assert up == sorted(up)
    assert (down, len(up)) == (up[::-1], 3)
    gorgias.get("teams", 400, search="A")


def test_a_ticket_shows_its_team_in_lists_and_in_detail(gorgias):
    """[rec] id, name, decoration; assignee_team_id in detail."""
    team = gorgias.post("teams", {"name": "Night", "decoration": {"emoji": ":moon:"}})
    ticket = gorgias.ticket(gorgias.customer()["id"], assignee_team={"id": team["id"]})
    assert ticket["assignee_team"] == {"id": team["id"], "name": "Night", "decoration": {"emoji": ":moon:"}}
    assert ticket["assignee_team_id"] == team["id"]
    assert gorgias.get("tickets")["data"][0]["assignee_team"] == ticket["assignee_team"]
    gorgias.put(f"teams/{team['id']}", {"name": "Day"})
    assert gorgias.get(f"tickets/{ticket['id']}")["assignee_team"]["name"] == "Day"
    gorgias.put(f"tickets/{ticket['id']}", {"assignee_team": {"id": 5}}, 400)
    for nobody in (None, {"id": None}):
        gorgias.put(f"tickets/{ticket['id']}", {"assignee_team": {"id": team["id"]}})
        assert gorgias.put(f"tickets/{ticket['id']}", {"assignee_team": nobody})["assignee_team"] is None


@pytest.mark.parametrize("fate", ["unassign", "keep"])
def test_what_becomes_of_a_deleted_team_s_tickets_is_a_switch(gorgias, fate):
    """Not established."""
    gorgias.switch(deleted_team_tickets=fate)
    team = gorgias.post("teams", {"name": "Night"})
    ticket = gorgias.ticket(gorgias.customer()["id"], assignee_team={"id": team["id"]})
    gorgias.delete(f"teams/{team['id']}")
    gorgias.get(f"teams/{team['id']}", 404)
    gorgias.delete(f"teams/{team['id']}", status=404)
    assert (gorgias.get(f"tickets/{ticket['id']}")["assignee_team"] is None) == (fate == "unassign")


def test_a_person_edits_teams_and_assigns_them_by_name(gorgias, una):
    edit = lambda kind, number, delete=False, **values: gorgias.side.edit(kind, number, values, delete, "person")
    team = edit("teams", None, name="Night", members=[una["email"]])
    assert gorgias.get(f"teams/{team['id']}") == team
    ticket = gorgias.ticket(gorgias.customer()["id"])
    assert edit("tickets", str(ticket["id"]), team="Night")["assignee_team"]["id"] == team["id"]
    assert edit("tickets", str(ticket["id"]), team=None)["assignee_team"] is None
    assert "deleted_at" in edit("teams", str(team["id"]), delete=True)
    rows, _ = gorgias.side.state("teams", None, 10)
    assert ["deleted_at" in row for row in rows] == [True]
