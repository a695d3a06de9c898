"""Gorgias's twin: what every answer has, methods, crashes, and messages that are sent in time."""

import re

import pytest

from tests.sandbox.gorgias_served import served_account


@pytest.fixture(scope="module")
def account(tmp_path_factory):
    with served_account(tmp_path_factory.mktemp("gorgias")) as account:
        yield account


@pytest.fixture
def gorgias(account):
    account.world.switches.restore()
    account.side.reset()
    return account


def test_answers_bear_the_recorded_headers(gorgias):
    """[rec]; the value of strict-transport-security was not."""
    headers = gorgias.http.get("/api/account").headers
    assert headers["content-type"] == "application/json"
    assert headers["vary"] == "Cookie, Accept-Encoding"
    assert headers["via"] == "1.1 google"
    assert headers["access-control-allow-origin"] == "https://developers.gorgias.com"
    assert "strict-transport-security" in headers
    assert re.fullmatch("[0-9a-f]{32}", headers["x-request-id"])
    assert re.fullmatch("[0-9a-f]{40}", headers["x-gorgias-release"])


def test_head_is_get_without_its_body(gorgias):
    """[inferred]"""
    made = gorgias.customer()
    path = f"/api/customers/{made['id']}"
    whole, head = gorgias.http.get(path), gorgias.http.head(path)
    assert head.status_code == 200
    assert head.content == b""
    assert head.headers["content-length"] == str(len(whole.content))
    assert gorgias.http.head("/api/customers/5").status_code == 404


def test_options_names_the_methods_of_a_path(gorgias):
    """[inferred]"""
    answer = gorgias.http.options("/api/customers/1")
    assert answer.status_code == 200
    assert answer.headers["allow"] == "DELETE, GET, HEAD, OPTIONS, PUT"


def test_a_wrong_method_on_a_known_path_is_405(gorgias):
    """[doc] status and text."""
    for method, path in (("PATCH", "customers"), ("DELETE", "events"), ("POST", "users/0"), ("PUT", "search")):
        answer = gorgias.call(method, path, {}, 405)
        assert answer["error"]["msg"] == "The specified HTTP method is not allowed."


def test_a_crash_is_a_counted_500_told_once_without_the_data(gorgias, capsys):
    """Ours: a fault of the sandbox must show, not hide."""
    made = gorgias.customer()
    with gorgias.side._store.writing():  # damage that no call can do
        gorgias.side._store.run("UPDATE customers SET extra = ',broken Ada King' WHERE id = ?", made["id"])
    gorgias.world.calls.clear()
    for _ in range(2):
        error = gorgias.call("PUT", f"customers/{made['id']}", {"name": "Eva"}, 500)["error"]
        assert error == {"msg": "An internal error occurred."}
    told = capsys.readouterr().err
    assert told.count("answered 500") == 1
    assert "gorgias/customers.py" in told
    assert "Ada King" not in told
    (row,) = gorgias.world.calls.summary()["by"]
    assert (row["status"], row["count"]) == (500, 2)
    gorgias.customer("eva@example.com")


def outgoing(gorgias):
    ticket = gorgias.ticket(gorgias.customer()["id"])
    body = {"channel": "api", "via": "api", "from_agent": True, "body_text": "Soon"}
    return gorgias.post(f"tickets/{ticket['id']}/messages", body)


def test_a_message_is_sent_after_the_answer(gorgias):
    """[doc] sending is asynchronous."""
    made = outgoing(gorgias)
    assert made["sent_datetime"] is None
    assert gorgias.get(made["uri"].removeprefix("/api/"))["sent_datetime"]


def test_a_message_is_sent_on_the_sandboxs_clock(gorgias):
    """Ours: switch message_send_s."""
    gorgias.switch(message_send_s=60)
    made = outgoing(gorgias)
    path = made["uri"].removeprefix("/api/")
    assert gorgias.get(path)["sent_datetime"] is None
    gorgias.world.clock.advance(61)
    sent = gorgias.get(path)
    assert sent["created_datetime"] < sent["sent_datetime"]


def test_a_message_that_fails_says_so(gorgias):
    """[rec] the fields; failing is a switch."""
    gorgias.switch(message_sending="fails")
    made = outgoing(gorgias)
    shown = gorgias.get(made["uri"].removeprefix("/api/"))
    assert shown["sent_datetime"] is None
    assert shown["failed_datetime"]
    assert shown["last_sending_error"]["error"]
    assert ("ticket-message-failed", made["id"]) in gorgias.events()
