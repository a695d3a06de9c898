"""Gorgias's twin: tickets, messages, mail, tags, surveys. The docstrings say how sure the rule is."""

import pytest

from tests.sandbox.gorgias_served import served_account

LIST_ONLY = {"excerpt", "integrations", "messages_count", "last_sent_message_not_delivered"}


@pytest.fixture(scope="module")
def account(tmp_path_factory):
    with served_account(tmp_path_factory.mktemp("gorgias")) as account:
        yield account


@pytest.fixture
def gorgias(account):
    """The account, reset, at default switches."""
    account.world.switches.restore()
    account.world.outbox.clear()
    account.side.reset()
    return account


@pytest.fixture
def ada(gorgias):
    return gorgias.customer("ada@example.com", name="Ada L")


def incoming(ada, **more):
    return {"channel": "api", "via": "api", "from_agent": False, "sender": {"id": ada["id"]}, "body_text": "Hi", **more}


def outgoing(**more):
    return {"channel": "api", "via": "api", "from_agent": True, "body_text": "Hello", **more}


def owner_id(gorgias):
    return gorgias.get("users/0")["id"]


def test_list_rows_are_compact_and_the_detail_is_full(gorgias, ada):
    """[rec]"""
    made = gorgias.ticket(ada["id"])
    row = gorgias.get("tickets")["data"][0]
    assert row.keys() - made.keys() == LIST_ONLY
    assert row["customer"].keys() == {"id", "email", "name", "firstname", "lastname", "meta"}
    assert "channels" in made["customer"]
    assert made["requester"] == made["customer"]
    assert [message["body_text"] for message in made["messages"]] == ["Hi"]
    assert (row["messages_count"], row["excerpt"]) == (1, "Hi")


def test_the_list_envelope_has_its_recorded_order_and_a_total_that_may_be_null(gorgias):
    """[rec] order; [doc] total."""
    page = gorgias.get("tickets")
    assert list(page) == ["object", "uri", "data", "meta"]
    assert page["meta"]["total_resources"] is None


def test_a_historical_phone_ticket_is_imported_as_recorded(gorgias, ada):
    """[rec]"""
    at = "2025-02-07T09:55:18.064Z"
    message = incoming(ada, channel="phone", created_datetime=at, attachments=[], external_id="m1")
    body = {
        "channel": "phone",
        "from_agent": False,
        "created_datetime": at,
        "opened_datetime": at,
        "messages": [message],
    }
    made = gorgias.post("tickets", {**body, "customer": {"id": ada["id"], "email": ada["email"]}})
    shown = "2025-02-07T09:55:18.064000+00:00"
    assert (made["via"], made["subject"], made["status"]) == ("api", None, "open")
    assert made["created_datetime"] == made["last_message_datetime"] == made["last_received_message_datetime"] == shown
    assert made["updated_datetime"] > made["created_datetime"]
    first = made["messages"][0]
    assert first["sent_datetime"] == first["created_datetime"] == shown
    assert (first["stripped_text"], first["attachments"], first["source"]) == (None, None, {"type": "phone"})
    assert gorgias.world.outbox == []


def test_an_unknown_e_mail_creates_the_customer(gorgias):
    """[doc 2020]"""
    message = {**outgoing(from_agent=False), "sender": {"email": "new@example.com", "name": "New One"}}
    made = gorgias.post("tickets", {"messages": [message]})
    assert made["customer"]["email"] == "new@example.com"
    assert ("customer-created", made["customer"]["id"]) in gorgias.events()


def test_an_id_with_other_fields_changes_that_customer_and_the_id_alone_does_not(gorgias, ada):
    """[doc 2020]"""
    gorgias.ticket(ada["id"])
    assert gorgias.get(f"customers/{ada['id']}")["updated_datetime"] == ada["updated_datetime"]
    gorgias.ticket(ada["id"], customer={"id": ada["id"], "name": "Other"})
    assert gorgias.get(f"customers/{ada['id']}")["name"] == "Other"


@pytest.mark.parametrize("status", [400, 404])
def test_an_unknown_customer_id_is_an_error(gorgias, status):
    """Not established: switch unknown_customer_status."""
    gorgias.switch(unknown_customer_status=status)
    gorgias.post(
        "tickets", {"customer": {"id": 5}, "messages": [outgoing(sent_datetime="2026-01-01T00:00:00Z")]}, status
    )
    assert gorgias.get("tickets")["data"] == []


def test_an_external_id_alone_names_no_customer(gorgias, ada):
    """[inferred] not documented as a look-up key."""
    gorgias.post("tickets", {"customer": {"external_id": "x"}, "messages": [incoming(ada)]}, 400)


@pytest.mark.parametrize("name", ["channel", "via", "from_agent"])
def test_a_message_needs_channel_via_and_direction(gorgias, ada, name):
    """[doc]"""
    message = incoming(ada)
    del message[name]
    error = gorgias.post("tickets", {"messages": [message]}, 400)["error"]
    assert error["msg"] == "Failed to create ticket"
    assert error["data"]["messages"]["0"][name] == ["Missing data for required field."]


def test_a_ticket_needs_one_to_five_hundred_messages(gorgias, ada):
    """[doc]"""
    gorgias.post("tickets", {}, 400)
    gorgias.post("tickets", {"messages": []}, 400)
    gorgias.post("tickets", {"messages": [incoming(ada)] * 501}, 400)


@pytest.mark.parametrize(
    "body",
    [
        {"status": "solved"},
        {"priority": "urgent"},
        {"subject": "x" * 999},
        {"external_id": "x" * 256},
        {"assignee_user": {"id": 5}},
        {"assignee_user": {"email": "a@example.com"}},
        {"assignee_team": {"id": 5}},
        {"tags": ["vip"]},
        {"created_datetime": "2026-01-01T00:00:00Z"},
        {"messages": []},
        {"requester": None},
        {"trashed_datetime": "yesterday"},
        {"trashed_datetime": "9999-12-31T23:59:59-12:00"},
    ],
)
def test_bad_changes_of_a_ticket_are_400(gorgias, ada, body):
    """[doc] created_datetime only at creation, no «urgent»."""
    made = gorgias.ticket(ada["id"])
    error = gorgias.put(f"tickets/{made['id']}", body, 400)["error"]
    assert error["data"].keys() == body.keys()
    assert gorgias.get(f"tickets/{made['id']}") == made


def test_a_put_is_partial_and_its_tags_replace_all(gorgias, ada):
    """[doc]"""
    made = gorgias.ticket(ada["id"], tags=[{"name": "a"}, {"name": "b"}], subject="S", priority="high")
    changed = gorgias.put(f"tickets/{made['id']}", {"tags": [{"name": "b"}, {"name": "c"}]})
    assert sorted(tag["name"] for tag in changed["tags"]) == ["b", "c"]
    assert (changed["subject"], changed["priority"]) == ("S", "high")
    usage = {tag["name"]: tag["usage"] for tag in gorgias.get("tags")["data"]}
    assert usage == {"a": 0, "b": 1, "c": 1}


def test_unknown_tag_names_in_a_tickets_body_are_400_by_switch(gorgias, ada):
    """Not established: switch ticket_body_creates_tags."""
    gorgias.switch(ticket_body_creates_tags="off")
    made = gorgias.ticket(ada["id"])
    gorgias.put(f"tickets/{made['id']}", {"tags": [{"name": "new"}]}, 400)


def test_closing_and_opening_set_the_time_and_tell_events(gorgias, ada):
    """[doc] events."""
    made = gorgias.ticket(ada["id"])
    closed = gorgias.put(f"tickets/{made['id']}", {"status": "closed"})
    assert closed["closed_datetime"] is not None
    assert gorgias.put(f"tickets/{made['id']}", {"status": "open"})["closed_datetime"] is None
    told = [kind for kind, number in gorgias.events() if number == made["id"]]
    assert told == ["ticket-created", "ticket-updated", "ticket-closed", "ticket-updated", "ticket-reopened"]


def test_the_trash_is_a_time_that_can_be_taken_back_and_lists_hold_it_by_default(gorgias, ada):
    """[doc] trashed defaults to true."""
    made = gorgias.ticket(ada["id"])
    gorgias.put(f"tickets/{made['id']}", {"trashed_datetime": "2026-01-01T00:00:00Z"})
    assert len(gorgias.get("tickets")["data"]) == len(gorgias.get("tickets", trashed="true")["data"]) == 1
    assert gorgias.get("tickets", trashed="false")["data"] == []
    gorgias.put(f"tickets/{made['id']}", {"trashed_datetime": None})
    assert len(gorgias.get("tickets", trashed="false")["data"]) == 1
    assert {"ticket-trashed", "ticket-untrashed"} <= {kind for kind, _ in gorgias.events()}


def test_assigning_and_unassigning(gorgias, ada):
    """[doc] null or {id: null} unassigns."""
    made = gorgias.ticket(ada["id"], assignee_user={"id": owner_id(gorgias)})
    assert made["assignee_user_id"] == owner_id(gorgias)
    for nobody in (None, {"id": None}):
        gorgias.put(f"tickets/{made['id']}", {"assignee_user": {"id": owner_id(gorgias)}})
        assert gorgias.put(f"tickets/{made['id']}", {"assignee_user": nobody})["assignee_user"] is None


def test_changing_customer_and_subject_tell_old_and_new(gorgias, ada):
    """[doc]"""
    bob = gorgias.customer("bob@example.com")
    made = gorgias.ticket(ada["id"])
    gorgias.put(f"tickets/{made['id']}", {"customer": {"id": bob["id"]}, "subject": "New"})
    rows = {row["type"]: row["data"] for row in gorgias.walk("events")}
    assert rows["ticket-customer-updated"]["new_customer"]["id"] == bob["id"]
    assert rows["ticket-subject-updated"]["new_subject"] == "New"


def test_ticket_filters(gorgias, ada):
    """[doc] repeated keys for arrays."""
    bob = gorgias.customer("bob@example.com")
    first, second = gorgias.ticket(ada["id"], external_id="x1"), gorgias.ticket(bob["id"])
    ids = lambda **params: [row["id"] for row in gorgias.get("tickets", **params)["data"]]
    assert ids(customer_id=ada["id"]) == ids(external_id="x1") == [first["id"]]
    assert ids(ticket_ids=[first["id"], second["id"]]) == [second["id"], first["id"]]
    assert ids(ticket_ids=[]) == [second["id"], first["id"]]
    gorgias.get("tickets", 400, ticket_ids=list(range(101)))
    gorgias.get("tickets?status=open", 400)


def test_a_written_updated_datetime_has_an_effect_only_by_switch(gorgias, ada):
    """Not established: switch written_updated_honoured."""
    old = "2020-01-01T00:00:00+00:00"
    assert gorgias.ticket(ada["id"], updated_datetime=old)["updated_datetime"] != old
    gorgias.switch(written_updated_honoured="on")
    assert gorgias.ticket(ada["id"], updated_datetime=old)["updated_datetime"] == old


def test_a_deleted_ticket_is_gone_with_messages_and_tags(gorgias, ada):
    """[code] a hard delete, not the trash."""
    made = gorgias.ticket(ada["id"], tags=[{"name": "a"}])
    gorgias.delete(f"tickets/{made['id']}")
    gorgias.get(f"tickets/{made['id']}", 404)
    assert gorgias.get("messages")["data"] == []
    assert gorgias.get("tags")["data"][0]["usage"] == 0
    assert ("ticket-deleted", made["id"]) in gorgias.events()


def test_an_outgoing_message_without_sent_datetime_is_mailed(gorgias, ada):
    """[doc] sent asynchronously: null first."""
    made = gorgias.ticket(ada["id"])
    sent = gorgias.post(f"tickets/{made['id']}/messages", outgoing())
    assert sent["sent_datetime"] is None
    mail = gorgias.world.outbox[0]
    assert (mail["ticket_id"], mail["to"], mail["kind"]) == (made["id"], ["ada@example.com"], "message")
    assert gorgias.get(f"tickets/{made['id']}/messages/{sent['id']}")["sent_datetime"] is not None


def test_history_with_sent_datetime_and_incoming_messages_are_never_mailed(gorgias, ada):
    """[doc]"""
    made = gorgias.ticket(ada["id"])
    for message in (
        outgoing(sent_datetime="2026-01-01T00:00:00Z"),
        incoming(ada),
        outgoing(channel="internal-note"),
        outgoing(public=False),
    ):
        gorgias.post(f"tickets/{made['id']}/messages", message)
    assert gorgias.world.outbox == []


def test_a_refused_write_mails_nothing(gorgias, ada):
    bad = outgoing(receiver={"id": 5})
    gorgias.post("tickets", {"customer": {"id": ada["id"]}, "messages": [outgoing(), bad]}, 400)
    assert gorgias.world.outbox == []
    assert gorgias.get("tickets")["data"] == []


@pytest.mark.parametrize(
    ("message", "bad"),
    [
        ({"from_agent": False}, "sender"),
        ({"from_agent": True, "sender": {"id": 5}}, "sender"),
        ({"from_agent": False, "sender": {"email": "a@example.com"}, "receiver": {"id": 5}}, "receiver"),
        ({"from_agent": True, "channel": "internal-note", "receiver": {"id": 5}}, "receiver"),
        ({"from_agent": False, "channel": "internal-note", "sender": {"email": "a@example.com"}}, "from_agent"),
        ({"from_agent": True, "channel": "internal-note", "public": True}, "public"),
        ({"from_agent": True, "channel": "email"}, "source"),
        ({"from_agent": True, "updated_datetime": None}, "updated_datetime"),
    ],
)
def test_messages_obey_the_rules_of_sender_and_receiver(gorgias, ada, message, bad):
    """[doc] since 9 February 2023; [code] e-mail needs its envelope."""
    made = gorgias.ticket(ada["id"])
    error = gorgias.post(f"tickets/{made['id']}/messages", {"channel": "api", "via": "api", **message}, 400)["error"]
    assert bad in error["data"]


def test_a_missing_sender_is_the_bot(gorgias, ada):
    """[doc]"""
    made = gorgias.ticket(ada["id"])
    sent = gorgias.post(f"tickets/{made['id']}/messages", outgoing(sent_datetime="2026-01-01T00:00:00Z"))
    assert sent["sender"]["name"] == "Gorgias Bot"


def test_a_message_moves_its_ticket_and_reopens_it_by_switch(gorgias, ada):
    """[inferred]; switch incoming_reopens."""
    made = gorgias.ticket(ada["id"], status="closed")
    message = gorgias.post(f"tickets/{made['id']}/messages", incoming(ada, body_text="again"))
    row = gorgias.get("tickets")["data"][0]
    assert (row["status"], row["messages_count"], row["excerpt"]) == ("open", 2, "again")
    assert row["last_message_datetime"] == message["created_datetime"]
    assert row["updated_datetime"] > made["updated_datetime"]
    gorgias.switch(incoming_reopens="off")
    gorgias.put(f"tickets/{made['id']}", {"status": "closed"})
    gorgias.post(f"tickets/{made['id']}/messages", incoming(ada))
    assert gorgias.get(f"tickets/{made['id']}")["status"] == "closed"


def test_changing_the_text_of_a_message_leaves_its_html(gorgias, ada):
    """[code]; [doc] 202 and the required fields."""
    made = gorgias.ticket(ada["id"])
    path = f"tickets/{made['id']}/messages/{made['messages'][0]['id']}"
    gorgias.put(path, {"body_text": "x"}, 400)
    gorgias.put(path, {"channel": "api", "via": "api", "from_agent": False, "body_html": "<p>Hi</p>"}, 202)
    changed = gorgias.put(path, {"channel": "api", "via": "api", "from_agent": False, "body_text": "Bye"}, 202)
    assert (changed["body_text"], changed["body_html"], changed["sender"]["id"]) == ("Bye", "<p>Hi</p>", ada["id"])


@pytest.mark.parametrize("status", [200, 204])
def test_a_message_is_deleted(gorgias, ada, status):
    """Not established: switch delete_message_status."""
    gorgias.switch(delete_message_status=status)
    made = gorgias.ticket(ada["id"])
    gorgias.delete(f"tickets/{made['id']}/messages/{made['messages'][0]['id']}", status=status)
    assert gorgias.get(f"tickets/{made['id']}")["messages"] == []


def test_messages_are_listed_by_ticket_in_both_orders(gorgias, ada):
    """[code]"""
    made, other = gorgias.ticket(ada["id"]), gorgias.ticket(ada["id"])
    for n in range(3):
        gorgias.post(f"tickets/{made['id']}/messages", incoming(ada, body_text=str(n)))
    texts = lambda path, **params: [row["body_text"] for row in gorgias.walk(path, limit=2, **params)]
    assert texts("messages", ticket_id=made["id"], order_by="created_datetime:asc") == ["Hi", "0", "1", "2"]
    assert texts("messages", ticket_id=made["id"]) == ["2", "1", "0", "Hi"]
    assert texts(f"tickets/{made['id']}/messages") == ["Hi", "0", "1", "2"]
    assert len(texts("messages")) == 5
    assert other["id"] != made["id"]


def test_a_spent_messaging_quota_is_403(gorgias, ada):
    """[rec]"""
    gorgias.switch(messaging_quota="exceeded")
    error = gorgias.post("tickets", {"customer": {"id": ada["id"]}, "messages": [incoming(ada)]}, 403)["error"]
    assert error["msg"] == "Messaging quota exceeded"


def test_the_tag_endpoints_of_a_ticket(gorgias, ada):
    """[doc] statuses; [code] tags must exist."""
    made = gorgias.ticket(ada["id"])
    path = f"tickets/{made['id']}/tags"
    a, b = gorgias.post("tags", {"name": "a"}), gorgias.post("tags", {"name": "b"})
    names = lambda: [tag["name"] for tag in gorgias.get(path)["data"]]
    assert gorgias.post(path, {"ids": [a["id"]]}) is None
    gorgias.post(path, {"names": ["b"]})
    assert names() == ["a", "b"]
    gorgias.delete(path, {"ids": [b["id"]]})
    assert names() == ["a"]
    gorgias.put(path, {"names": ["b"]}, 202)
    assert names() == ["b"]
    gorgias.put(path, {}, 202)
    assert names() == []
    gorgias.post(path, {"names": ["unknown"]}, 400)
    assert {"ticket-tags-added", "ticket-tags-removed"} <= {kind for kind, _ in gorgias.events()}


def test_tags_are_unique_by_name_with_regard_to_case(gorgias):
    """[doc]"""
    gorgias.post("tags", {"name": "VIP"})
    gorgias.post("tags", {"name": "vip"})
    gorgias.post("tags", {"name": "vip"}, 409)
    gorgias.post("tags", {"name": ""}, 400)
    gorgias.post("tags", {"name": "x" * 257}, 400)


def test_tags_are_listed_searched_and_ordered(gorgias, ada):
    """[code live] a bare usage order is refused."""
    gorgias.ticket(ada["id"], tags=[{"name": "beta"}])
    gorgias.post("tags", {"name": "alpha"})
    names = lambda **params: [tag["name"] for tag in gorgias.walk("tags", limit=1, **params)]
    assert names(order_by="name:asc") == ["alpha", "beta"]
    assert names(order_by="usage:desc,name:desc") == ["beta", "alpha"]
    assert names(search="ALP") == ["alpha"]
    gorgias.get("tags", 400, order_by="usage:desc")


def test_deleting_and_merging_tags_shows_in_tickets(gorgias, ada):
    """[doc] the calls; [inferred] the tickets."""
    made = gorgias.ticket(ada["id"], tags=[{"name": "a"}, {"name": "b"}])
    ids = {tag["name"]: tag["id"] for tag in made["tags"]}
    merged = gorgias.put(f"tags/{ids['a']}/merge", {"source_tags_ids": [ids["b"]]})
    assert merged["usage"] == 1
    assert [tag["name"] for tag in gorgias.get("tickets")["data"][0]["tags"]] == ["a"]
    gorgias.put(f"tags/{ids['a']}", {"name": "c"})
    assert [tag["name"] for tag in gorgias.get("tickets")["data"][0]["tags"]] == ["c"]
    gorgias.delete("tags", {"ids": [ids["a"]]})
    assert gorgias.get(f"tickets/{made['id']}")["tags"] == []
    gorgias.get(f"tags/{ids['b']}", 404)


def test_closing_mails_no_survey_unless_the_account_says_so(gorgias, ada):
    """[doc] the setting; off here by default."""
    made = gorgias.ticket(ada["id"])
    gorgias.put(f"tickets/{made['id']}", {"status": "closed"})
    assert gorgias.world.outbox == []
    gorgias.switch(survey_after_close="on")
    gorgias.ticket(ada["id"], status="closed")
    assert gorgias.world.outbox == []
    gorgias.put(f"tickets/{made['id']}", {"status": "open"})
    gorgias.put(f"tickets/{made['id']}", {"status": "closed"})
    assert [(mail["kind"], mail["to"]) for mail in gorgias.world.outbox] == [("survey", ["ada@example.com"])]
    found = gorgias.get("satisfaction-surveys")["data"][0]
    assert (found["ticket_id"], found["score"]) == (made["id"], None)
    gorgias.put(f"tickets/{made['id']}", {"status": "open"})
    gorgias.put(f"tickets/{made['id']}", {"status": "closed"})
    assert len(gorgias.world.outbox) == 1


def test_a_survey_can_be_mailed_for_a_ticket_that_is_created_closed(gorgias, ada):
    """Not established: switch survey_when_created_closed."""
    gorgias.switch(survey_after_close="on", survey_when_created_closed="on")
    gorgias.ticket(ada["id"], status="closed")
    assert [mail["kind"] for mail in gorgias.world.outbox] == ["survey"]


def test_surveys_are_one_for_a_ticket_and_a_put_replaces_them_whole(gorgias, ada):
    """[doc] one, score 1 to 5; [code] full replacement."""
    ticket = gorgias.ticket(ada["id"])
    ends = {"ticket_id": ticket["id"], "customer_id": ada["id"]}
    made = gorgias.post("satisfaction-surveys", {**ends, "body_text": "fine"})
    gorgias.post("satisfaction-surveys", ends, 409)
    path = f"satisfaction-surveys/{made['id']}"
    gorgias.put(path, {"score": 4}, 400)
    gorgias.put(path, {**ends, "score": 6}, 400)
    scored = gorgias.put(path, {**ends, "score": 4})
    assert (scored["score"], scored["body_text"]) == (4, None)
    assert scored["scored_datetime"] is not None
    assert gorgias.get(f"tickets/{ticket['id']}")["satisfaction_survey"] == scored == gorgias.get(path)
    assert gorgias.events()[-1] == ("satisfaction-survey-responded", made["id"])


def test_a_score_moves_the_ticket_by_switch(gorgias, ada):
    """Not established: switch survey_bumps_ticket."""
    ticket = gorgias.ticket(ada["id"])
    gorgias.switch(survey_bumps_ticket="on")
    gorgias.post("satisfaction-surveys", {"ticket_id": ticket["id"], "customer_id": ada["id"], "score": 5})
    assert gorgias.get(f"tickets/{ticket['id']}")["updated_datetime"] > ticket["updated_datetime"]


def test_a_new_ticket_moves_its_customer_by_switch(gorgias, ada):
    """Not established: switch ticket_bumps_customer."""
    gorgias.switch(ticket_bumps_customer="on")
    gorgias.ticket(ada["id"])
    assert gorgias.get(f"customers/{ada['id']}")["updated_datetime"] > ada["updated_datetime"]
