"""Gorgias's twin, fact by fact: what no other test of its objects says. The docstrings say how sure the rule is."""

from datetime import datetime, timedelta

import pytest

from sync_platform.sandbox.gorgias.fields import words
from tests.sandbox.gorgias_served import served_account
from tests.sandbox.test_gorgias_golden import Filled

TIMES = ("created_datetime:desc", "created_datetime:asc")
BOTH = (*TIMES, "updated_datetime:desc", "updated_datetime:asc")
MISSING = ["Missing data for required field."]
MESSAGE = {"channel": "api", "via": "api", "from_agent": False, "body_text": "Hi"}
CHANNELS = words(
    "aircall api chat contact_form email facebook facebook-mention facebook-messenger facebook-recommendations "
    "help-center instagram-ad-comment instagram-comment instagram-direct-message instagram-mention internal-note phone "
    "sms twitter twitter-direct-message whatsapp yotpo-review"
)
VIAS = [
    *CHANNELS, "form", "gorgias_chat", "helpdesk", "instagram", "offline_capture", "rule", "self_service", "shopify",
    "twilio", "yotpo", "zendesk",
]  # fmt: skip


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
    return gorgias.customer(name="Ada")


@pytest.fixture
def ticket(gorgias, ada):
    return gorgias.ticket(ada["id"])


@pytest.fixture(scope="module")
def stocked(tmp_path_factory):
    """An account that has one of everything and is only read."""
    with served_account(tmp_path_factory.mktemp("stocked")) as account:
        yield Filled(account)


# --- bodies and errors -----------------------------------------------------------------------------------------------


def test_the_uri_of_an_object_ends_in_a_slash_and_that_of_a_list_does_not(stocked):
    """[code] [rec]"""
    for path in ("tickets", "tags", "users", "teams", "views", "macros", "rules", "widgets", "jobs", "integrations"):
        page = stocked.api.get(path)
        assert page["uri"] == f"/api/{path}"
        assert page["data"][0]["uri"] == f"/api/{path}/{page['data'][0]['id']}/"


def test_a_form_is_no_body(gorgias):
    """[doc 2020] JSON only."""
    assert gorgias.http.post("/api/tags", data={"name": "vip"}).status_code == 400
    assert gorgias.get("tags")["data"] == []


def test_a_message_without_sender_and_channel_names_both(gorgias, ticket):
    """[doc 2020] the documentation's own example."""
    error = gorgias.post(f"tickets/{ticket['id']}/messages", {"via": "api", "from_agent": False}, 400)["error"]
    assert error == {"msg": "Failed to create message", "data": {"sender": MISSING, "channel": MISSING}}


def test_the_texts_of_validation_are_those_of_marshmallow(gorgias, ada):
    """[inferred]"""
    error = gorgias.put(f"customers/{ada['id']}", {"name": 5, "nope": 1}, 400)["error"]["data"]
    assert error == {"name": ["Not a valid string."], "nope": ["Unknown field."]}
    assert gorgias.get("tickets", 400, customer_id="x")["error"]["data"] == {"customer_id": ["Not a valid integer."]}


def test_only_validation_has_data_in_its_error(gorgias, ada):
    """[doc 2020] [rec 403]"""
    assert gorgias.get("customers/5", 404)["error"].keys() == {"msg"}
    body = {"channels": [{"type": "email", "address": ada["email"]}]}
    assert gorgias.post("customers", body, 409)["error"].keys() == {"msg"}
    assert gorgias.post("customers", {}, 400)["error"].keys() == {"msg", "data"}


def test_a_tag_that_a_rule_names_is_409(gorgias):
    """[doc]"""
    by_id, by_name, free = (gorgias.post("tags", {"name": name})["id"] for name in ("one", "two", "three"))
    code = f"Action('addTags', {{ids: [{by_id}], tags: 'zero, two'}})"
    rule = gorgias.post("rules", {"name": "R", "code": code})
    for number in (by_id, by_name):
        assert gorgias.delete(f"tags/{number}", status=409)["error"]["msg"] == "The resource already exists."
    gorgias.delete("tags", {"ids": [free, by_id]}, 409)
    gorgias.get(f"tags/{free}")
    gorgias.delete(f"rules/{rule['id']}")
    gorgias.delete("tags", {"ids": [free, by_id, by_name]})
    assert gorgias.get("tags")["data"] == []


# --- lists -----------------------------------------------------------------------------------------------------------


def test_a_list_has_thirty_rows_unless_told_and_a_hundred_at_most(gorgias):
    """[doc] default 30, 1 to 100."""
    for n in range(101):
        gorgias.post("teams", {"name": f"T{n}"})
    assert len(gorgias.get("teams")["data"]) == 30
    assert len(gorgias.get("teams", limit=1)["data"]) == 1
    page = gorgias.get("teams", limit=100)
    assert len(page["data"]) == 100
    last = gorgias.get("teams", limit=100, cursor=page["meta"]["next_cursor"])
    assert (len(last["data"]), last["meta"]["next_cursor"]) == (1, None)
    gorgias.get("teams", 400, limit=101)


@pytest.mark.parametrize("path", ["customers", "tickets", "messages", "users", "satisfaction-surveys", "views"])
def test_times_can_be_compared_on_events_alone(gorgias, path):
    """[doc]"""
    for name in ("created_datetime[gte]", "updated_datetime[gte]", "updated_since"):
        gorgias.get(path, 400, **{name: "2026-01-01T00:00:00Z"})
    gorgias.get("events", **{"created_datetime[gte]": "2026-01-01T00:00:00Z"})
    gorgias.get("events", 400, **{"updated_datetime[gte]": "2026-01-01T00:00:00Z"})


USER_ORDERS = [f"{name}:{way}" for name in ("name", "email") for way in ("asc", "desc")]
MACRO_ORDERS = [f"{name}:{way}" for name in ("name", "usage", "language") for way in ("asc", "desc")]
LISTS = {
    "customers": (BOTH, {
        "email": "ada@example.com", "external_id": "x", "name": "Ada", "language": "fr", "timezone": "Europe/Paris",
        "channel_type": "phone", "channel_address": "123",
    }),
    "tickets": (BOTH, {"customer_id": 1, "external_id": "x", "ticket_ids": [1, 2], "trashed": "false"}),
    "messages": (TIMES, {"ticket_id": 1}),
    "events": ((*TIMES, "created_datetime"), {
        "created_datetime[gt]": "2026-01-01", "created_datetime[gte]": "2026-01-01T00:00:00Z",
        "created_datetime[lt]": "2026-01-01", "created_datetime[lte]": "2026-01-01", "object_id": 1,
        "types": ["ticket-created", "ticket-updated"], "user_ids": 1,
    }),
    "users": ((*BOTH, *USER_ORDERS), {
        "email": "a@example.com", "external_id": "x", "roles": ["admin", "agent"], "search": "a",
        "available_first": "true",
    }),
    "satisfaction-surveys": (TIMES, {}),
    "tags": ((*TIMES, "name:asc", "name:desc", "usage:asc,name:asc", "usage:desc,name:desc"), {"search": "a"}),
    "teams": ((*TIMES, "name:asc", "name:desc"), {}),
    "views": (TIMES, {}),
    "macros": ((*BOTH, *MACRO_ORDERS), {
        "search": "a", "tags": "vip", "languages": "fr", "ticket_id": 1, "message_id": 1, "number_predictions": 3,
        "archived": "true",
    }),
    "integrations": (TIMES, {"type": "http"}),
    "jobs": (TIMES, {"status": "done", "type": "updateTicket"}),
    "rules": (TIMES, {}),
    "widgets": ((*TIMES, "order:asc", "order:desc"), {"integration_id": 1, "app_id": "x"}),
    "phone/voice-calls": ((), {"ticket_id": 1}),
    "phone/voice-call-events": ((), {"call_id": 1}),
    "phone/voice-call-recordings": ((), {"call_id": 1}),
}  # fmt: skip


@pytest.mark.parametrize("path", LISTS)
def test_a_list_takes_its_orders_the_first_by_default_and_no_other(stocked, path):
    """[doc] [code]; an order is a choice for each endpoint."""
    orders, _ = LISTS[path]
    ids = lambda **params: [row["id"] for row in stocked.api.walk(path, limit=100, **params)]
    for order in orders:
        assert sorted(ids(order_by=order)) == sorted(ids())
    if orders:
        assert ids(order_by=orders[0]) == ids()
    for wrong in ("closed_datetime:asc", "usage:desc", "created_datetime:down"):
        if wrong not in orders:
            assert "order_by" in stocked.api.get(path, 400, order_by=wrong)["error"]["data"]


@pytest.mark.parametrize("path", LISTS)
def test_a_list_takes_its_filters_and_no_other(stocked, path):
    """[doc] [code]"""
    for name, value in LISTS[path][1].items():
        stocked.api.call("GET", path, params={name: value})
    for wrong in ("status_is", "tag", "assignee", "since"):
        assert "Unknown field." in stocked.api.get(path, 400, **{wrong: "x"})["error"]["data"][wrong]


def test_definitions_are_ordered_by_priority_and_filtered_by_type_and_state(stocked):
    """[doc]"""
    for params in ({"search": "x"}, {"archived": "true"}, {"order_by": "priority:asc"}):
        stocked.api.get("custom-fields", object_type="Ticket", **params)
    stocked.api.get("custom-fields", 400, object_type="Ticket", order_by="created_datetime:asc")


def test_tickets_are_filtered_by_the_rule_that_was_executed_on_them(gorgias, ada, ticket):
    """[doc] the filter; [inferred] its meaning."""
    gorgias.switch(rule_tag_on_create="on")
    tagged = gorgias.ticket(ada["id"])
    (rule,) = gorgias.get("rules")["data"]
    assert [row["id"] for row in gorgias.get("tickets", rule_id=rule["id"])["data"]] == [tagged["id"]]
    gorgias.get("tickets", 404, rule_id=5)
    assert ticket["id"] != tagged["id"]


def test_messages_have_no_time_of_change(gorgias, ticket):
    """[doc] no updated_datetime, no order by it."""
    assert "updated_datetime" not in gorgias.get("messages")["data"][0]
    gorgias.get("messages", 400, order_by="updated_datetime:desc")
    assert ticket["messages"][0].keys() == gorgias.get("messages")["data"][0].keys()


def test_no_ticket_is_older_than_its_last_message(stocked):
    """[rec] updated ≥ last_message in all recorded tickets."""
    for row in stocked.api.walk("tickets", limit=100):
        assert datetime.fromisoformat(row["updated_datetime"]) >= datetime.fromisoformat(row["last_message_datetime"])


# --- customers -------------------------------------------------------------------------------------------------------


def test_a_fresh_customer_was_updated_a_millisecond_after_its_creation(gorgias, ada):
    """[rec]"""
    created, updated = (datetime.fromisoformat(ada[f"{name}_datetime"]) for name in ("created", "updated"))
    assert timedelta(0) < updated - created <= timedelta(milliseconds=5)
    assert ada["active"] is True


def test_a_customer_s_meta_says_who_set_the_name(gorgias, ada):
    """[rec] agent or email."""
    assert ada["meta"] == {"name_set_via": "agent"}
    message = {**MESSAGE, "sender": {"email": "new@example.com", "name": "New"}}
    made = gorgias.post("tickets", {"messages": [message]})
    assert made["customer"]["meta"] == {"name_set_via": "email"}


def test_an_address_has_at_most_320_characters(gorgias):
    """[doc]"""
    long = f"{'a' * 60}@{'.'.join(['b' * 60] * 5)}.example.com"
    assert len(long) > 320
    gorgias.post("customers", {"channels": [{"type": "phone", "address": "1" * 321}]}, 400)
    gorgias.post("customers", {"channels": [{"type": "email", "address": long}]}, 400)
    gorgias.get("customers", 400, channel_address="1" * 321)


@pytest.mark.parametrize(
    "kind",
    ["phone", "chat", "twitter", "facebook", "instagram", "instagram-direct-message", "whatsapp", "my-own-shop"],
)
def test_a_channel_is_of_a_known_type_or_a_slug_of_one_s_own(gorgias, kind):
    """[doc]; addresses are stored as given [rec]."""
    made = gorgias.post("customers", {"channels": [{"type": kind, "address": "0719 Ab"}]})
    assert [(entry["type"], entry["address"]) for entry in made["channels"]] == [(kind, "0719 Ab")]
    assert made["email"] is None
    gorgias.post("customers", {"channels": [{"type": "no slug", "address": "x"}]}, 400)


def test_data_may_stand_in_a_customer_s_body(gorgias):
    """[doc] deprecated there."""
    made = gorgias.customer(data={"orders": [1]})
    assert made["data"] == {"orders": [1]}


def test_there_is_no_get_of_a_customer_s_data_alone(gorgias, ada):
    """[doc]"""
    gorgias.get(f"customers/{ada['id']}/data", 405)


def test_a_customer_in_a_ticket_is_shown_in_part(gorgias, ada, ticket):
    """[rec] compact in lists; channels and data in detail, but no times."""
    compact = {"id", "email", "name", "firstname", "lastname", "meta"}
    more = {"channels", "data", "customer", "integrations", "external_id", "note", "external_data", "ecommerce_data"}
    assert gorgias.get("tickets")["data"][0]["customer"].keys() == compact
    assert gorgias.get(f"tickets/{ticket['id']}")["customer"].keys() == compact | more


# --- tickets and messages --------------------------------------------------------------------------------------------


def test_a_ticket_is_open_or_closed_and_of_one_of_four_priorities(gorgias, ticket):
    """[doc] a snoozed one is open or closed, too."""
    path = f"tickets/{ticket['id']}"
    assert (ticket["status"], ticket["priority"], ticket["spam"]) == ("open", "normal", False)
    for name, values in {"status": ("closed", "open"), "priority": ("critical", "high", "normal", "low")}.items():
        for value in values:
            assert gorgias.put(path, {name: value})[name] == value
    for wrong in ({"status": "snoozed"}, {"priority": "urgent"}):
        gorgias.put(path, wrong, 400)
    snoozed = gorgias.put(path, {"snooze_datetime": "2099-01-01T00:00:00Z"})
    assert (snoozed["status"], snoozed["snooze_datetime"]) == ("open", "2099-01-01T00:00:00+00:00")


def test_channel_and_via_are_documented_words_or_slugs(gorgias, ticket):
    """[doc]"""
    path = f"tickets/{ticket['id']}"
    for channel in (*CHANNELS, "my-shop"):
        assert gorgias.put(path, {"channel": channel})["channel"] == channel
    for via in VIAS:
        assert gorgias.put(path, {"via": via})["via"] == via
    gorgias.put(path, {"channel": "not a slug"}, 400)
    assert ticket["via"] == "api"


def test_texts_of_a_ticket_have_their_lengths(gorgias, ada, ticket):
    """[doc] subject 998, external_id 255, a tag's name 256."""
    path = f"tickets/{ticket['id']}"
    for name, longest in (("subject", 998), ("external_id", 255)):
        assert gorgias.put(path, {name: "x" * longest})[name] == "x" * longest
        gorgias.put(path, {name: "x" * (longest + 1)}, 400)
    gorgias.put(path, {"tags": [{"name": "x" * 257}]}, 400)
    assert gorgias.ticket(ada["id"])["subject"] is None


def test_two_tickets_may_bear_one_external_id(gorgias, ada):
    """[doc] not unique."""
    for _ in range(2):
        gorgias.ticket(ada["id"], external_id="order-7")
    assert len(gorgias.get("tickets", external_id="order-7")["data"]) == 2


def test_a_ticket_s_creation_can_lie_in_the_past_only_when_it_is_created(gorgias, ada):
    """[doc] back-dating only at creation; its updated_datetime is now."""
    made = gorgias.ticket(ada["id"], created_datetime="2020-01-01T00:00:00Z")
    assert made["created_datetime"] == "2020-01-01T00:00:00+00:00"
    assert made["updated_datetime"] > "2026"
    error = gorgias.put(f"tickets/{made['id']}", {"created_datetime": "2019-01-01T00:00:00Z"}, 400)["error"]
    assert error["data"] == {"created_datetime": ["Unknown field."]}


@pytest.mark.parametrize("name", ["opened", "closed", "trashed", "snooze", "last_message", "last_received_message"])
def test_a_time_of_a_ticket_can_be_written(gorgias, ticket, name):
    """[doc]"""
    at = "2026-03-01T10:00:00.500000+00:00"
    assert gorgias.put(f"tickets/{ticket['id']}", {f"{name}_datetime": at})[f"{name}_datetime"] == at


def test_is_unread_is_written_on_change_alone(gorgias, ada, ticket):
    """[doc]"""
    assert gorgias.put(f"tickets/{ticket['id']}", {"is_unread": False})["is_unread"] is False
    body = {"is_unread": False, "messages": [{**MESSAGE, "sender": {"id": ada["id"]}}]}
    assert "is_unread" in gorgias.post("tickets", body, 400)["error"]["data"]


def test_imported_is_a_flag_of_creation_alone(gorgias, ada):
    """[doc spec 2026]"""
    made = gorgias.ticket(ada["id"], imported=True)
    assert made["imported"] is True
    gorgias.put(f"tickets/{made['id']}", {"imported": False}, 400)


def test_a_ticket_is_from_whoever_wrote_its_first_message(gorgias, ada):
    """[doc]"""
    out = {**MESSAGE, "from_agent": True, "sent_datetime": "2026-01-01T00:00:00Z"}
    for first in (out, {**MESSAGE, "sender": {"id": ada["id"]}}):
        made = gorgias.post("tickets", {"customer": {"id": ada["id"]}, "messages": [first, out]})
        assert made["from_agent"] is first["from_agent"]


def test_without_a_customer_a_ticket_is_its_first_message_s(gorgias, ada):
    """[inferred] the sender of an incoming one, the receiver of an outgoing one."""
    incoming = {**MESSAGE, "sender": {"id": ada["id"]}}
    out = {**MESSAGE, "from_agent": True, "receiver": {"id": ada["id"]}, "sent_datetime": "2026-01-01T00:00:00Z"}
    for first in (incoming, out):
        assert gorgias.post("tickets", {"messages": [first]})["customer"]["id"] == ada["id"]


def test_an_excerpt_is_the_beginning_of_the_last_message(gorgias, ada, ticket):
    """[rec] about 200 characters."""
    body = {**MESSAGE, "sender": {"id": ada["id"]}, "body_text": "x" * 500}
    gorgias.post(f"tickets/{ticket['id']}/messages", body)
    assert gorgias.get("tickets")["data"][0]["excerpt"] == "x" * 200


def test_reply_options_say_how_the_customer_can_be_answered(gorgias):
    """[rec] the keys; [inferred] the values."""
    for email, phone in ((True, False), (False, True)):
        kind, address = ("email", "a@example.com") if email else ("phone", "123")
        made = gorgias.post("customers", {"channels": [{"type": kind, "address": address}]})
        assert gorgias.ticket(made["id"])["reply_options"] == {
            "email": {"answerable": email}, "internal-note": {"answerable": True}, "phone": {"answerable": phone},
        }  # fmt: skip


def test_a_message_takes_an_action_of_three(gorgias, ticket):
    """[doc] force, retry, cancel."""
    path = f"tickets/{ticket['id']}/messages"
    out = {**MESSAGE, "from_agent": True}
    for action in ("force", "retry"):
        gorgias.post(f"{path}?action={action}", out)
    before = len(gorgias.world.outbox)
    gorgias.post(f"{path}?action=cancel", out)
    assert len(gorgias.world.outbox) == before == 2
    gorgias.post(f"{path}?action=other", out, 400)


def test_attachments_gain_public_and_none_at_all_is_null(gorgias, ada, ticket):
    """[rec]"""
    given = [{"url": "https://files.example.com/a.pdf", "name": "a.pdf", "size": 3, "content_type": "application/pdf"}]
    path = f"tickets/{ticket['id']}/messages"
    for sent, shown in ((given, [{**given[0], "public": True}]), ([], None)):
        made = gorgias.post(path, {**MESSAGE, "sender": {"id": ada["id"]}, "attachments": sent})
        assert made["attachments"] == shown


# --- other objects ---------------------------------------------------------------------------------------------------


OBJECT_TYPES = words(
    "Account Macro Tag Customer Team View Widget User TicketMessage Ticket Rule Integration SatisfactionSurvey "
    "AccountSetting CustomField CustomFieldCondition CustomUserAvailabilityStatus CustomerExternalData Order Role "
    "Shopper ShopperAddress Subscription UserSetting"
)


@pytest.mark.parametrize("kind", sorted(OBJECT_TYPES))
def test_events_are_filtered_by_each_documented_object_type(stocked, kind):
    """[doc] case-sensitive; the newer ones [doc spec]."""
    stocked.api.get("events", object_type=kind, object_id=1)
    stocked.api.get("events", 400, object_type=kind.lower(), object_id=1)


def test_events_can_not_be_written(gorgias, ticket):
    """[doc] read-only."""
    number = gorgias.get("events")["data"][0]["id"]
    for method, path in (("POST", "events"), ("PUT", f"events/{number}"), ("DELETE", f"events/{number}")):
        gorgias.call(method, path, {}, 405)
    assert ticket["events"] == []


def test_texts_of_tags_surveys_and_definitions_have_their_lengths(gorgias, ada, ticket):
    """[doc] 1024, 1000, 255 and 1024; a priority is 0 to 5000."""
    tag = gorgias.post("tags", {"name": "x", "description": "x" * 1_024})
    gorgias.put(f"tags/{tag['id']}", {"description": "x" * 1_025}, 400)
    ends = {"ticket_id": ticket["id"], "customer_id": ada["id"]}
    gorgias.post("satisfaction-surveys", {**ends, "body_text": "x" * 1_001}, 400)
    gorgias.post("satisfaction-surveys", {**ends, "body_text": "x" * 1_000})
    definition = {"data_type": "text", "input_settings": {"input_type": "input"}}
    field = {"object_type": "Ticket", "label": "x" * 255, "definition": definition}
    for wrong in ({"label": ""}, {"label": "x" * 256}, {"description": "x" * 1_025}, {"priority": 5_001}):
        gorgias.post("custom-fields", {**field, **wrong}, 400)
    gorgias.post("custom-fields", field)


def test_there_is_no_call_that_merges_tickets(gorgias, ticket):
    """[doc] bulk work goes through jobs."""
    gorgias.call("PUT", f"tickets/merge?source_id={ticket['id']}&target_id=1", {"subject": "x"}, 404)
    gorgias.call("DELETE", "tickets", {"ids": [ticket["id"]]}, 405)


def test_there_is_no_bulk_write_of_customers(gorgias, ada):
    """[doc] one call for each record."""
    gorgias.call("PUT", "customers", [{"id": ada["id"], "name": "x"}], 405)
    gorgias.post("customers", [{"channels": []}, {"channels": []}], 400)


def test_a_body_of_get_can_not_be_sent_back(gorgias, ada, ticket):
    """[doc] unknown fields are 400."""
    gorgias.put(f"customers/{ada['id']}", gorgias.get(f"customers/{ada['id']}"), 400)
    gorgias.put(f"tickets/{ticket['id']}", gorgias.get(f"tickets/{ticket['id']}"), 400)


def test_a_second_post_makes_a_second_object(gorgias, ada):
    """[doc] no keys of idempotency, no ETag."""
    body = {"messages": [{**MESSAGE, "sender": {"id": ada["id"]}}]}
    keys = {"idempotency-key": "k1", "if-none-match": "*"}
    made = [gorgias.http.post("/api/tickets", json=body, headers=keys) for _ in range(2)]
    assert made[0].json()["id"] != made[1].json()["id"]
    assert "etag" not in gorgias.http.get(f"/api/tickets/{made[0].json()['id']}").headers


def test_a_widget_has_nested_cards_and_lists(gorgias):
    """[code] kinds of nodes; context ticket by default."""
    leaves = [{"path": kind, "title": kind, "type": kind} for kind in ("text", "date", "boolean", "url", "array")]
    card = {"type": "card", "title": "Order {{number}}", "widgets": leaves}
    meta = {"limit": "5", "orderBy": "-date"}
    template = {"type": "wrapper", "widgets": [{"type": "list", "path": "orders", "meta": meta, "widgets": [card]}]}
    made = gorgias.post("widgets", {"type": "custom", "template": template})
    assert (made["template"], made["context"]) == (template, "ticket")
    for context in ("customer", "user"):
        assert (
            gorgias.post("widgets", {"type": "custom", "template": template, "context": context})["context"] == context
        )
    gorgias.post("widgets", {"type": "custom", "template": template, "context": "order"}, 400)
