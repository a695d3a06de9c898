"""Gorgias's twin: events, the seeded world, edits by people, the whole store."""

from datetime import datetime, timedelta

import pytest

from sync_platform.sandbox.people import generate
from tests.sandbox.gorgias_account import opened


@pytest.fixture
def gorgias(world):
    with opened(world) as account:
        yield account


@pytest.fixture
def seeded(gorgias):
    agents, people, cases = generate(1, 60, 90, 0.6)
    gorgias.people = list(people)
    gorgias.cases = cases
    gorgias.side.seed(gorgias.people, cases, agents)
    return gorgias


def edit(gorgias, kind, id, delete=False, **values):
    return gorgias.side.edit(kind, None if id is None else str(id), values, delete, "person")


def rows(gorgias, kind):
    return gorgias.side.state(kind, None, 100_000)[0]


def test_events_are_read_by_time_ascending(gorgias):
    """[doc] the only list with a filter by time."""
    first = gorgias.customer("a@example.com")
    gorgias.world.clock.advance(3600)
    edge = gorgias.world.clock.now()
    second = gorgias.customer("b@example.com")
    later = gorgias.walk("events", **{"created_datetime[gte]": edge.isoformat(), "order_by": "created_datetime:asc"})
    assert [row["object_id"] for row in later] == [second["id"]]
    before = gorgias.walk("events", **{"created_datetime[lt]": edge.isoformat()})
    assert [row["object_id"] for row in before] == [first["id"]]
    gorgias.get("events", 400, **{"created_datetime[since]": edge.isoformat()})
    gorgias.get("events", 400, **{"created_datetime[gte]": "soon"})


def test_an_object_type_needs_an_object_id(gorgias):
    """[code]"""
    made = gorgias.customer()
    gorgias.get("events", 400, object_type="Customer")
    gorgias.get("events", 400, object_type="customer", object_id=made["id"])
    found = gorgias.get("events", object_type="Customer", object_id=made["id"])["data"]
    assert [row["type"] for row in found] == ["customer-created"]
    assert gorgias.get(f"events/{found[0]['id']}") == found[0]


def test_events_are_filtered_by_types_and_one_user(gorgias):
    """[doc] repeatable types; [code] one user at most."""
    made = gorgias.customer()
    gorgias.put(f"customers/{made['id']}", {"name": "x"})
    gorgias.delete(f"customers/{made['id']}")
    kinds = lambda **params: [
        row["type"] for row in gorgias.get("events", order_by="created_datetime:asc", **params)["data"]
    ]
    assert kinds(types=["customer-created", "customer-deleted"]) == ["customer-created", "customer-deleted"]
    assert len(kinds(user_ids=gorgias.get("users/0")["id"])) == 3
    gorgias.get("events", 400, user_ids=[1, 2])


def test_events_of_one_write_share_a_context_and_a_message_event_bears_the_message(gorgias):
    """[doc] context; [code] object_id of ticket-message-created."""
    made = gorgias.ticket(gorgias.customer()["id"])
    found = [row for row in gorgias.walk("events") if row["type"].startswith("ticket")]
    assert len({row["context"] for row in found}) == 1
    assert {(row["object_type"], row["object_id"]) for row in found} == {
        ("Ticket", made["id"]),
        ("TicketMessage", made["messages"][0]["id"]),
    }


def test_users_are_listed_and_filtered(seeded):
    """[code]"""
    users = seeded.walk("users", limit=3, order_by="created_datetime:asc")
    assert {user["role"]["name"] for user in users} == {"admin", "bot", "agent"}
    agent = users[-1]
    found = lambda **params: [user["id"] for user in seeded.get("users", **params)["data"]]
    assert found(email=agent["email"]) == [agent["id"]]
    assert found(roles=["bot"]) != found(roles=["admin", "bot"])
    assert agent["id"] in found(search=agent["name"].split()[0].upper())
    assert seeded.get(f"users/{agent['id']}") == agent
    seeded.call("DELETE", "users", status=405)


def test_the_seeded_people_are_there_as_gorgias_shows_them(seeded):
    customers = {row["id"]: row for row in rows(seeded, "customers")}
    views = [person for person in seeded.people if "gorgias" in person.views]
    assert len(customers) == len(views)
    for person, row in zip(views, (customers[number] for number in sorted(customers)), strict=True):
        view = person.views["gorgias"]
        assert row["name"] == view.name
        assert row["email"] == (view.emails[0] if view.emails else None)
        assert [entry["address"] for entry in row["channels"] if entry["type"] == "phone"] == list(view.phones)
        assert datetime.fromisoformat(row["created_datetime"]) == view.created_at
    assert any(row["data"] for row in customers.values())
    assert any(row["external_id"] for row in customers.values())


def test_the_seeded_tickets_agree_with_their_messages(seeded):
    tickets, messages = rows(seeded, "tickets"), rows(seeded, "messages")
    cases = [case for case in seeded.cases if case.system == "gorgias"]
    assert len(tickets) == len(cases)
    assert len(messages) == sum(len(case.messages) for case in cases)
    listed = {row["id"]: row for row in seeded.walk("tickets", limit=100)}
    for ticket in tickets:
        assert listed[ticket["id"]]["messages_count"] == len(ticket["messages"])
        assert ticket["customer"]["id"] == ticket["requester"]["id"]
    scores = {row["ticket_id"]: row["score"] for row in seeded.walk("satisfaction-surveys")}
    assert sorted(scores.values()) == sorted(case.score for case in cases if case.score is not None)
    assert seeded.world.outbox == []


def test_what_is_created_after_the_seed_has_new_ids(seeded):
    known = {kind: {row["id"] for row in rows(seeded, kind)} for kind in ("customers", "tickets", "messages")}
    made = seeded.ticket(seeded.customer("new.one@example.com")["id"], tags=[{"name": "brand new"}])
    assert made["id"] not in known["tickets"]
    assert made["customer"]["id"] not in known["customers"]
    assert made["messages"][0]["id"] not in known["messages"]


def test_a_reopened_folder_keeps_rows_credentials_and_tokens(world):
    with opened(world) as account:
        made = account.customer(phone="123")
        keys = account.keys
    with opened(type(world)(world.data_dir, seed=2)) as again:
        assert again.keys == keys
        assert again.get(f"customers/{made['id']}")["email"] == made["email"]
        gone = again.get("customers", channel_type="phone")["data"]
        assert [row["id"] for row in gone] == [made["id"]]


def test_a_reset_empties_the_store_and_it_can_be_seeded_again(seeded):
    before = rows(seeded, "customers")
    seeded.side.reset()
    assert rows(seeded, "customers") == rows(seeded, "tickets") == rows(seeded, "events") == []
    agents, people, cases = generate(1, 60, 90, 0.6)
    seeded.side.seed(people, cases, agents)
    assert rows(seeded, "customers") == before


def test_the_state_is_paged_and_shows_deleted_and_merged_rows(gorgias):
    made = [gorgias.customer(f"c{n}@example.com")["id"] for n in range(3)]
    gorgias.delete(f"customers/{made[0]}")
    gorgias.side.merge("customers", str(made[1]), str(made[2]))
    first, after = gorgias.side.state("customers", None, 2)
    second, end = gorgias.side.state("customers", after, 2)
    assert [row["id"] for row in first + second] == made
    assert end is None
    assert ["deleted_at" in row for row in first + second] == [True, True, False]
    assert first[1]["merged_into"] == made[2]


def test_the_control_side_refuses_what_does_not_exist(gorgias):
    for call in (
        lambda: gorgias.side.state("people", None, 5),
        lambda: edit(gorgias, "customers", 5, name="x"),
        lambda: edit(gorgias, "people", None, name="x"),
        lambda: edit(gorgias, "customers", "abc", name="x"),
        lambda: gorgias.side.merge("customers", "1", "2"),
    ):
        with pytest.raises(KeyError):
            call()
    for call in (
        lambda: gorgias.side.state("customers", "x", 5),
        lambda: gorgias.side.state("customers", None, 0),
        lambda: edit(gorgias, "events", None),
        lambda: edit(gorgias, "customers", None, nope=1),
        lambda: edit(gorgias, "customers", None, delete=True),
        lambda: gorgias.side.merge("tickets", "1", "2"),
    ):
        with pytest.raises(ValueError):
            call()


def test_a_person_edits_a_customer(gorgias):
    made = gorgias.customer("ada@example.com", "123", name="Ada")
    row = edit(gorgias, "customers", made["id"], phone="+44 20 7946 0018", note="moved", data={"x": 1})
    assert [entry["address"] for entry in row["channels"]] == ["ada@example.com", "+44 20 7946 0018"]
    assert (row["email"], row["note"], row["data"]) == ("ada@example.com", "moved", {"x": 1})
    row = edit(gorgias, "customers", made["id"], emails=["b@example.com", "c@example.com"])
    assert (row["email"], [entry["address"] for entry in row["channels"] if entry["type"] == "email"]) == (
        "b@example.com",
        ["b@example.com", "c@example.com"],
    )
    row = edit(gorgias, "customers", made["id"], email="d@example.com", phones=[])
    assert (row["email"], [entry["type"] for entry in row["channels"] if entry["type"] == "phone"]) == (
        "d@example.com",
        [],
    )
    assert gorgias.get(f"customers/{made['id']}") == row


def test_a_person_creates_and_deletes_a_customer(gorgias):
    row = edit(gorgias, "customers", None, name="Bo", email="bo@example.com", phone="1")
    assert gorgias.get(f"customers/{row['id']}") == row
    assert "deleted_at" in edit(gorgias, "customers", row["id"], delete=True)
    gorgias.get(f"customers/{row['id']}", 404)


def test_a_person_edits_a_ticket(seeded):
    ticket = next(row for row in rows(seeded, "tickets") if row["status"] == "open")
    agent = seeded.get("users", roles=["agent"])["data"][0]
    values = {"subject": "S", "status": "closed", "priority": "high", "tags": ["one", "two"], "trashed": True}
    row = edit(seeded, "tickets", ticket["id"], assignee=agent["email"], **values)
    assert row["closed_datetime"] is not None
    assert row["trashed_datetime"] is not None
    assert row["assignee_user"]["id"] == agent["id"]
    assert sorted(tag["name"] for tag in row["tags"]) == ["one", "two"]
    row = edit(seeded, "tickets", ticket["id"], assignee=None, trashed=False, tags=[])
    assert (row["assignee_user"], row["trashed_datetime"], row["tags"]) == (None, None, [])


def test_a_person_writes_messages(gorgias):
    ada = gorgias.customer()
    ticket = edit(gorgias, "tickets", None, customer_id=ada["id"], subject="Help", text="Please", channel="email")
    assert ticket["messages"][0]["source"]["from"]["address"] == "ada@example.com"
    assert gorgias.world.outbox == []
    edit(gorgias, "messages", None, ticket_id=ticket["id"], text="Done", from_agent=True)
    assert [(mail["to"], mail["by"]) for mail in gorgias.world.outbox] == [(["ada@example.com"], "person")]
    note = edit(gorgias, "messages", None, ticket_id=ticket["id"], text="hm", from_agent=True, public=False)
    assert note["channel"] == "internal-note"
    assert len(gorgias.get(f"tickets/{ticket['id']}")["messages"]) == 3
    assert "deleted_at" in edit(gorgias, "messages", note["id"], delete=True)


def test_a_customer_answers_a_survey(gorgias):
    ticket = gorgias.ticket(gorgias.customer()["id"])
    made = edit(gorgias, "surveys", None, ticket_id=ticket["id"], score=3)
    again = edit(gorgias, "surveys", None, ticket_id=ticket["id"], score=5)
    assert (again["id"], again["score"]) == (made["id"], 5)
    assert gorgias.get("satisfaction-surveys")["data"] == [again]


def test_tags_and_users_are_edited_too(gorgias):
    tag = edit(gorgias, "tags", None, name="vip")
    assert edit(gorgias, "tags", tag["id"], name="VIP")["name"] == "VIP"
    user = edit(gorgias, "users", None, name="Una Agent", email="una@support.example.com")
    assert gorgias.get(f"users/{user['id']}")["lastname"] == "Agent"
    assert edit(gorgias, "users", user["id"], active=False)["deactivated_datetime"] is not None
    assert "deleted_at" in edit(gorgias, "users", user["id"], delete=True)


def test_times_follow_the_worlds_clock(gorgias):
    before = gorgias.world.clock.now()
    gorgias.world.clock.advance(86_400)
    made = gorgias.customer()
    assert datetime.fromisoformat(made["updated_datetime"]) - before >= timedelta(days=1)


def test_every_switch_has_a_text_and_takes_each_of_its_choices(gorgias):
    for entry in gorgias.world.switches.listing():
        assert entry["doc"]
        for choice in entry["choices"] if isinstance(entry["choices"], list) else []:
            gorgias.world.switches.set(entry["name"], choice)
            gorgias.world.switches.set(entry["name"], entry["default"])
    assert gorgias.customer()["email"] == "ada@example.com"
