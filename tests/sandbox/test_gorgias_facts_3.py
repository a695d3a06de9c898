"""Gorgias's twin: the switches of its integrations, each under settings that do different things."""

import hashlib
import hmac

import httpx
import pytest

from sync_platform.sandbox.server import Options, running
from tests.sandbox.receiver import receiving, wait_for
from tests.sandbox.test_gorgias_integrations import MESSAGE, Desk


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    options = Options(
        customers=3, tickets=0, rate_scale=1_000.0, data_dir=tmp_path_factory.mktemp("world"),
        gorgias_port=0, hubspot_port=0, control_port=0,
    )  # fmt: skip
    with receiving() as receiver, running(options) as ready:
        desk = Desk(ready, receiver)
        yield desk
        desk.api.close()
        desk.control.close()


@pytest.fixture
def desk(whole):
    assert whole.control.post("/reset", json={}).status_code == 200
    whole.receiver.reset()
    return whole


def tries(desk):
    rows = desk.log()
    return len(rows[0]["tries"]) if rows else 0


@pytest.mark.parametrize("taken", ["on", "off"])
def test_triggers_with_underscores_are_taken_or_refused(desk, taken):
    """⚠ an old sample of the documentation spells them so."""
    desk.switch(trigger_underscores=taken)
    http = {"url": "https://e.example.com", "triggers": {"ticket_created": True}}
    body = {"name": "Old", "type": "http", "http": http}
    made = desk.call("POST", "integrations", body, 201 if taken == "on" else 400)
    assert (made.get("http", {}).get("triggers", {}).get("ticket-created") is True) == (taken == "on")


@pytest.mark.parametrize("fires", ["on", "off"])
def test_whether_a_message_fires_ticket_updated_is_a_switch(desk, fires):
    """Not established."""
    desk.switch(message_fires_ticket_updated=fires)
    ticket = desk.ticket()
    desk.integration("ticket-updated", "ticket-message-created")
    desk.call("POST", f"tickets/{ticket['id']}/messages", {**MESSAGE, "sender": {"email": "ada@example.com"}}, 201)
    desk.settled(2 if fires == "on" else 1)
    wanted = ["ticket-message-created", *(["ticket-updated"] if fires == "on" else [])]
    assert sorted(row["trigger"] for row in desk.log()) == wanted


@pytest.mark.parametrize("shape", ["full", "slim"])
def test_the_context_is_the_recorded_one_or_the_documented_one(desk, shape):
    """[rec] full ⚠ [doc] slim."""
    desk.switch(integration_context=shape)
    desk.integration("ticket-created")
    made = desk.ticket()
    ticket = desk.came()[0].json()["ticket"]
    if shape == "full":
        assert {"messages", "requester", "first_message", "last_message", "account"} <= ticket.keys()
        return
    assert ticket["customer_id"] == made["customer"]["id"]
    assert ticket.keys() == {
        "id", "external_id", "status", "channel", "via", "spam", "from_agent", "customer_id", "assignee_user_id",
        "assignee_team_id", "subject", "meta", "language", "custom_fields", "tags", "created_datetime",
        "opened_datetime", "closed_datetime", "trashed_datetime", "snooze_datetime", "updated_datetime",
        "last_message_datetime", "last_received_message_datetime", "processed_datetime",
    }  # fmt: skip


@pytest.mark.parametrize(("timeout_s", "given_up"), [(5, True), (60, False)])
def test_a_server_has_so_many_seconds_to_answer(desk, timeout_s, given_up):
    """⚠ the value is not published."""
    desk.switch(integration_tries=1, integration_timeout_s=timeout_s)
    desk.receiver.hold.clear()
    desk.integration("ticket-created")
    desk.ticket()
    desk.came()
    desk.advance(10)
    if given_up:
        assert desk.settled(1)[0]["tries"][0]["error"] == "timeout"
        return
    desk.receiver.hold.set()
    assert desk.settled(1)[0]["status"] == "delivered"


@pytest.mark.parametrize("count", [1, 2])
def test_a_call_is_tried_so_often(desk, count):
    """⚠ three by a guide of 2026."""
    desk.switch(integration_tries=count)
    desk.receiver.status = 500
    desk.integration("ticket-created")
    desk.ticket()
    for n in range(1, count + 1):
        wait_for(lambda n=n: tries(desk) == n)
        desk.advance(100)
    (row,) = desk.settled(1)
    assert [one["status_code"] for one in row["tries"]] == [500] * count


@pytest.mark.parametrize(("wait_s", "tried"), [(10, 2), (100, 1)])
def test_the_second_try_comes_after_so_many_seconds(desk, wait_s, tried):
    """Not established."""
    desk.switch(integration_backoff_s=wait_s)
    desk.receiver.status = 500
    desk.integration("ticket-created")
    desk.ticket()
    wait_for(lambda: tries(desk) == 1)
    desk.advance(12)
    if tried == 2:
        wait_for(lambda: tries(desk) == 2)
        return
    desk.advance(70)
    assert len(desk.receiver.got) == 1
    desk.advance(30)
    wait_for(lambda: tries(desk) == 2)


@pytest.mark.parametrize(("limit", "disabled"), [(2, True), (4, False)])
def test_so_many_failures_in_a_row_disable_an_integration(desk, limit, disabled):
    """[doc, older] 100 ⚠ 500 in a guide of 2026."""
    desk.switch(integration_tries=1, integration_failures_max=limit)
    desk.receiver.status = 500
    number = desk.integration("ticket-created")["id"]
    for count in (1, 2):
        desk.ticket()
        desk.settled(count)
    shown = desk.call("GET", f"integrations/{number}")
    assert (shown["deactivated_datetime"] is not None) == disabled


@pytest.mark.parametrize(("share", "calls"), [(0.0, 1), (1.0, 2)])
def test_a_call_may_come_twice(desk, share, calls):
    """[inferred] no delivery id is documented."""
    desk.switch(integration_duplicates=share)
    desk.integration("ticket-created")
    desk.ticket()
    desk.came(calls)
    desk.advance(10)
    desk.settled(calls)
    assert len(desk.receiver.got) == calls


@pytest.mark.parametrize(("share", "late"), [(0.0, False), (1.0, True)])
def test_a_call_may_come_late(desk, share, late):
    """[inferred] order is not guaranteed."""
    desk.switch(integration_disorder=share)
    desk.integration("ticket-created")
    desk.ticket()
    if late:
        assert desk.receiver.got == []
        desk.advance(4)
    assert len(desk.came()) == 1


@pytest.mark.parametrize("header", ["X-Gorgias-Hmac-SHA256", "X-Signed"])
def test_the_signature_stands_in_the_named_header(desk, header):
    """⚠ seen in receivers of third parties."""
    desk.switch(hmac_header=header, hmac_encoding="hex")
    desk.integration("ticket-created", hmac_secret="key")
    desk.ticket()
    (call,) = desk.came()
    assert call.headers[header.lower()] == hmac.new(b"key", call.body, hashlib.sha256).hexdigest()
    assert [name for name in call.headers if "signed" in name.lower() or "hmac" in name.lower()] == [header.lower()]


@pytest.mark.parametrize("taken", ["on", "off"])
def test_whether_integrations_may_listen_to_customers_is_a_switch(desk, taken):
    """[doc] they may not."""
    desk.switch(customer_triggers=taken)
    http = {"url": desk.receiver.url + "/hook", "method": "POST", "triggers": {"customer-created": True}}
    body = {"name": "C", "type": "http", "http": {**http, "form": "{{context}}"}}
    desk.call("POST", "integrations", body, 201 if taken == "on" else 400)
    if taken == "on":
        made = desk.customer()
        assert desk.came()[0].json()["customer"]["id"] == made["id"]


def test_a_provider_that_fails_is_a_503_with_its_text(desk):
    """[doc 2020] 503: an external service."""
    fault = {"system": "gorgias", "path": "*", "kind": "5xx", "status": 503, "body": "json", "times": 1}
    put = desk.control.put("/faults", json=[fault])
    assert put.status_code == 200, put.text
    answer = desk.api.get("account")
    assert answer.status_code == 503
    assert answer.json() == {"error": {"msg": "An external service had an issue."}}
    assert desk.api.get("account").status_code == 200


def test_the_api_lies_under_api_of_one_host_for_one_account(desk):
    """[doc] one sub-domain for each account."""
    base = str(desk.api.base_url)
    assert base.endswith("/api/")
    assert httpx.get(base.removesuffix("api/") + "account", auth=desk.api.auth).status_code == 404
    assert desk.call("GET", "account")["domain"] == "sandbox"
