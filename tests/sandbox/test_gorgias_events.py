"""Gorgias's twin: which events follow from which change. Types and data keys are [doc], which follow is [inferred]."""

from datetime import timedelta

import pytest

from sync_platform.sandbox.people import generate
from tests.sandbox.gorgias_served import served_account

SOON = "2099-01-01T00:00:00+00:00"


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


class Stage:
    """Objects to change, and what their changes are called."""

    def __init__(self, gorgias):
        self.api = gorgias
        self.ada = gorgias.customer("ada@example.com", name="Ada")
        self.bob = gorgias.customer("bob@example.com", name="Bob")
        self.ticket = gorgias.ticket(self.ada["id"], subject="One")
        self.una = gorgias.post("users", {"name": "Una", "email": "una@example.com", "role": {"name": "agent"}})
        self.team = gorgias.post("teams", {"name": "Night"})
        self.tag = gorgias.post("tags", {"name": "vip"})
        self.view = gorgias.post("views", {"slug": "v", "name": "V"})
        self.field = gorgias.get("custom-fields", object_type="Ticket")["data"][-1]
        self.seen = {row["id"] for row in gorgias.walk("events", limit=100)}

    def put(self, **values):
        return self.api.put(f"tickets/{self.ticket['id']}", values)

    def edit(self, kind, id, **values):
        return self.api.side.edit(kind, str(id), values, False, "person")

    def fresh(self):
        rows = self.api.walk("events", limit=100, order_by="created_datetime:asc")
        return [row for row in rows if row["id"] not in self.seen]

    def message(self, **values):
        body = {"channel": "api", "via": "api", "from_agent": False, "sender": {"id": self.ada["id"]}, "body_text": "x"}
        return self.api.post(f"tickets/{self.ticket['id']}/messages", {**body, **values})


@pytest.fixture
def stage(gorgias):
    return Stage(gorgias)


T = "ticket-updated"
CHANGES = {
    "a ticket's subject": (lambda s: s.put(subject="Two"), [(T, "Ticket"), ("ticket-subject-updated", "Ticket")]),
    "closing": (lambda s: s.put(status="closed"), [(T, "Ticket"), ("ticket-closed", "Ticket")]),
    "spam": (lambda s: s.put(spam=True), [(T, "Ticket"), ("ticket-marked-spam", "Ticket")]),
    "trash": (lambda s: s.put(trashed_datetime=SOON), [(T, "Ticket"), ("ticket-trashed", "Ticket")]),
    "snooze": (lambda s: s.put(snooze_datetime=SOON), [(T, "Ticket"), ("ticket-snoozed", "Ticket")]),
    "assignee": (
        lambda s: s.put(assignee_user={"id": s.una["id"]}),
        [(T, "Ticket"), ("ticket-assigned", "Ticket")],
    ),
    "team": (lambda s: s.put(assignee_team={"id": s.team["id"]}), [(T, "Ticket"), ("ticket-team-assigned", "Ticket")]),
    "customer": (lambda s: s.put(customer={"id": s.bob["id"]}), [(T, "Ticket"), ("ticket-customer-updated", "Ticket")]),
    "priority": (lambda s: s.put(priority="high"), [(T, "Ticket")]),
    "a ticket's custom field": (
        lambda s: s.put(custom_fields=[{"id": s.field["id"], "value": "7"}]),
        [(T, "Ticket")],
    ),
    "a customer": (lambda s: s.api.put(f"customers/{s.ada['id']}", {"note": "x"}), [("customer-updated", "Customer")]),
    "a customer's data": (
        lambda s: s.api.put(f"customers/{s.ada['id']}/data", {"data": 1}, 202),
        [("customer-updated", "Customer")],
    ),
    "deleting a customer": (lambda s: s.api.delete(f"customers/{s.bob['id']}"), [("customer-deleted", "Customer")]),
    "merging customers": (
        lambda s: s.api.side.merge("customers", str(s.bob["id"]), str(s.ada["id"])),
        [("customer-merged", "Customer")],
    ),
    "a message": (lambda s: s.message(), [("ticket-message-created", "TicketMessage")]),
    "a message that failed": (
        lambda s: s.message(failed_datetime=SOON),
        [("ticket-message-created", "TicketMessage"), ("ticket-message-failed", "TicketMessage")],
    ),
    "deleting a ticket": (lambda s: s.api.delete(f"tickets/{s.ticket['id']}"), [("ticket-deleted", "Ticket")]),
    "a survey that is sent": (
        lambda s: s.api.post(
            "satisfaction-surveys",
            {"ticket_id": s.ticket["id"], "customer_id": s.ada["id"], "sent_datetime": SOON},
        ),
        [("satisfaction-survey-sent", "SatisfactionSurvey")],
    ),
    "a survey that is answered": (
        lambda s: s.api.side.edit("surveys", None, {"ticket_id": s.ticket["id"], "score": 4}, False, "person"),
        [("satisfaction-survey-responded", "SatisfactionSurvey")],
    ),
    "a tag's name": (lambda s: s.api.put(f"tags/{s.tag['id']}", {"name": "VIP"}), [("tag-renamed", "Tag")]),
    "a tag's description": (lambda s: s.api.put(f"tags/{s.tag['id']}", {"description": "x"}), [("tag-updated", "Tag")]),
    "deleting a tag": (lambda s: s.api.delete(f"tags/{s.tag['id']}"), [("tag-deleted", "Tag")]),
    "a user": (lambda s: s.api.put(f"users/{s.una['id']}", {"bio": "x"}), [("user-updated", "User")]),
    "deleting a user": (lambda s: s.api.delete(f"users/{s.una['id']}"), [("user-deleted", "User")]),
    "a team": (lambda s: s.api.put(f"teams/{s.team['id']}", {"name": "Day"}), [("team-updated", "Team")]),
    "deleting a team": (lambda s: s.api.delete(f"teams/{s.team['id']}"), [("team-deleted", "Team")]),
    "a view": (lambda s: s.api.put(f"views/{s.view['id']}", {"name": "W"}), [("view-updated", "View")]),
    "deleting a view": (lambda s: s.api.delete(f"views/{s.view['id']}"), [("view-deleted", "View")]),
    "a custom field": (
        lambda s: s.api.put("custom-fields", [{"id": s.field["id"], "priority": 3}]),
        [("custom-field-updated", "CustomField")],
    ),
    "a person's edit": (
        lambda s: s.edit("tickets", s.ticket["id"], subject="Three"),
        [(T, "Ticket"), ("ticket-subject-updated", "Ticket")],
    ),
}
BACK = {
    "ticket-reopened": ({"status": "closed"}, {"status": "open"}),
    "ticket-untrashed": ({"trashed_datetime": SOON}, {"trashed_datetime": None}),
    "ticket-unmarked-spam": ({"spam": True}, {"spam": False}),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_has_its_events(stage, name):
    act, wanted = CHANGES[name]
    act(stage)
    rows = stage.fresh()
    assert [(row["type"], row["object_type"]) for row in rows] == wanted
    assert len({row["context"] for row in rows}) == 1


@pytest.mark.parametrize("kind", BACK)
def test_a_change_back_has_its_event(stage, kind):
    there, back = BACK[kind]
    stage.put(**there)
    stage.seen = {row["id"] for row in stage.api.walk("events")}
    stage.put(**back)
    assert [row["type"] for row in stage.fresh()] == [T, kind]


@pytest.mark.parametrize("role", ["user", "team"])
def test_unassigning_and_reassigning_have_events(stage, role):
    ref = {"user": stage.una, "team": stage.team}[role]
    prefix = {"user": "ticket-", "team": "ticket-team-"}[role]
    stage.put(**{f"assignee_{role}": {"id": ref["id"]}})
    stage.put(**{f"assignee_{role}": None})
    types = [row["type"] for row in stage.fresh()]
    assert types == [T, f"{prefix}assigned", T, f"{prefix}unassigned"]


def test_a_customer_change_names_the_old_and_the_new_one(stage):
    """[doc] data: new_customer, old_customer."""
    stage.put(customer={"id": stage.bob["id"]})
    data = next(row["data"] for row in stage.fresh() if row["type"] == "ticket-customer-updated")
    assert (data["old_customer"]["id"], data["new_customer"]["id"]) == (stage.ada["id"], stage.bob["id"])


def test_a_subject_change_names_the_new_one(stage):
    """[doc] data.new_subject."""
    stage.put(subject="Two")
    data = next(row["data"] for row in stage.fresh() if row["type"] == "ticket-subject-updated")
    assert data == {"old_subject": "One", "new_subject": "Two"}


def test_tags_that_come_and_go_have_their_events(stage):
    path = f"tickets/{stage.ticket['id']}/tags"
    stage.api.post(path, {"ids": [stage.tag["id"]]})
    stage.api.put(path, {}, 202)
    rows = stage.fresh()
    assert [row["type"] for row in rows] == ["ticket-tags-added", "ticket-tags-removed"]
    assert all(row["data"] == {"tags": [{"id": stage.tag["id"]}]} for row in rows)


def test_a_new_ticket_has_an_event_for_each_mark_it_is_born_with(stage):
    stage.api.ticket(
        stage.ada["id"], spam=True, trashed_datetime=SOON, status="closed", assignee_user={"id": stage.una["id"]},
        assignee_team={"id": stage.team["id"]}, tags=[{"name": "vip"}], snooze_datetime=SOON,
    )  # fmt: skip
    assert {row["type"] for row in stage.fresh()} == {
        "ticket-created", "ticket-message-created", "ticket-tags-added", "ticket-assigned", "ticket-team-assigned",
        "ticket-marked-spam", "ticket-trashed", "ticket-snoozed", "ticket-closed",
    }  # fmt: skip


@pytest.mark.parametrize(("path", "body", "wanted"), [
    ("users", {"name": "B", "email": "b@example.org", "role": {"name": "agent"}}, ("user-created", "User")),
    ("teams", {"name": "Day"}, ("team-created", "Team")),
    ("views", {"slug": "w"}, ("view-created", "View")),
    ("tags", {"name": "new"}, ("tag-created", "Tag")),
    ("customers", {"channels": [], "name": "Cy"}, ("customer-created", "Customer")),
])  # fmt: skip
def test_a_new_object_has_an_event_with_its_id(stage, path, body, wanted):
    made = stage.api.post(path, body)
    assert [(row["type"], row["object_type"], row["object_id"]) for row in stage.fresh()] == [(*wanted, made["id"])]


def test_a_merged_tag_names_its_destination(stage):
    other = stage.api.post("tags", {"name": "gold"})
    stage.api.put(f"tags/{other['id']}/merge", {"source_tags_ids": [stage.tag["id"]]})
    row = stage.fresh()[-1]
    assert (row["type"], row["object_id"], row["data"]) == (
        "tag-merged", stage.tag["id"], {"destination_id": other["id"]},
    )  # fmt: skip


def test_messages_that_change_and_go_have_events(stage):
    made = stage.message()
    stage.seen = {row["id"] for row in stage.api.walk("events")}
    path = f"tickets/{stage.ticket['id']}/messages/{made['id']}"
    stage.api.put(path, {"channel": "api", "via": "api", "from_agent": False, "failed_datetime": SOON}, 202)
    stage.api.delete(path)
    assert [row["type"] for row in stage.fresh()] == [
        "ticket-message-updated", "ticket-message-failed", "ticket-message-deleted",
    ]  # fmt: skip


@pytest.mark.parametrize("end", ["reopen", "event"])
def test_a_snooze_ends_by_the_clock(stage, end):
    """[doc] ticket-self-unsnoozed; what it does to the ticket is not established."""
    stage.api.switch(snooze_end=end)
    clock = stage.api.world.clock
    stage.put(status="closed", snooze_datetime=(clock.now() + timedelta(hours=5)).isoformat())
    clock.advance(4 * 3600)
    assert stage.api.get(f"tickets/{stage.ticket['id']}")["snooze_datetime"] is not None
    assert "ticket-self-unsnoozed" not in [row["type"] for row in stage.fresh()]
    clock.advance(2 * 3600)
    last = [row for row in stage.fresh() if row["user_id"] is None]
    row = stage.api.get(f"tickets/{stage.ticket['id']}")
    if end == "reopen":
        assert [entry["type"] for entry in last] == ["ticket-reopened", "ticket-self-unsnoozed"]
        assert (row["status"], row["snooze_datetime"], row["closed_datetime"]) == ("open", None, None)
    else:
        assert [entry["type"] for entry in last] == ["ticket-self-unsnoozed"]
        assert row["status"] == "closed"


def test_a_snooze_that_was_taken_back_does_not_end(stage):
    clock = stage.api.world.clock
    stage.put(snooze_datetime=(clock.now() + timedelta(hours=1)).isoformat())
    stage.put(snooze_datetime=None)
    clock.advance(2 * 3600)
    assert "ticket-self-unsnoozed" not in [row["type"] for row in stage.fresh()]


@pytest.mark.parametrize("seeded", ["on", "off"])
def test_seeded_rows_have_their_creation_in_the_feed_by_switch(gorgias, seeded):
    gorgias.switch(seeded_events=seeded)
    agents, people, cases = generate(1, 20, 30, 0.6)
    gorgias.side.seed(people, cases, agents)
    found = {(row["type"], row["object_id"]): row for row in gorgias.walk("events", limit=100)}
    if seeded == "off":
        assert not found
        return
    for kind, path in (("customer-created", "customers"), ("ticket-created", "tickets")):
        rows = gorgias.walk(path, limit=100)
        assert {number for type_, number in found if type_ == kind} == {row["id"] for row in rows}
        assert all(found[kind, row["id"]]["created_datetime"] == row["created_datetime"] for row in rows)
    made = gorgias.customer("late@example.com")
    assert gorgias.get("events")["data"][0]["object_id"] == made["id"]
