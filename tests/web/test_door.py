"""The door: what it takes, what it turns away and how, that it stores once, and nothing of what it refused."""

import asyncio
import hashlib
import json
import time

import pytest

from sync_platform.ledger.database import Ledger
from tests.web.calls import (
    CLIENT,
    ENV,
    PUBLIC,
    door_at,
    dumped,
    event,
    gorgias_headers,
    ticket,
    v3_headers,
)

MIB = 1 << 20


@pytest.fixture
def door(tmp_path):
    with door_at(tmp_path, f"sqlite:///{tmp_path / 'ledger.db'}") as one:
        yield one


def only(door, status, code):
    """The answer, and that nothing is stored."""
    return lambda found: found == (status, {"error": code}) and door.rows() == []


def test_a_ticket_of_gorgias_is_stored_before_it_is_answered(door):
    assert door.gorgias(ticket(5)) == (200, {"ok": True})
    (row,) = door.rows()
    assert (row.system, json.loads(row.body)["id"], row.drained_at) == ("gorgias", "5", None)


def test_events_of_hubspot_are_stored_one_by_one(door):
    assert door.hubspot([event(1), event(2), event(3, subscriptionType="company.creation")]) == (200, {"ok": True})
    assert [json.loads(row.body)["ids"] for row in door.rows()] == [["1"], ["2"]]


@pytest.mark.parametrize("encoding", ["base64", "hex"])
def test_either_spelling_of_the_hmac_is_taken(door, encoding):
    body = dumped(ticket(5))
    assert door.call("/hooks/gorgias", body, gorgias_headers(body, encoding=encoding))[0] == 200


def test_what_comes_again_is_answered_alike_and_stored_once(door):
    answers = {door.gorgias(ticket(5))[0] for _ in range(5)} | {door.hubspot([event(1)])[0] for _ in range(5)}
    assert answers == {200}
    assert door.hubspot([event(1, attemptNumber=3), event(2)])[0] == 200
    assert len(door.rows()) == 3
    found = door.counts()
    assert (found["gorgias.accepted"], found["hubspot.accepted"]) == (5, 6)
    assert found["inbox.repeated"] == 9


def test_deliveries_of_one_moment_share_a_commit_and_all_are_stored(door, monkeypatch):
    commits = []
    begin = Ledger.begin
    monkeypatch.setattr(Ledger, "begin", lambda self: commits.append(1) or begin(self))

    async def many():
        bodies = [dumped(ticket(n)) for n in range(1, 201)]
        return await asyncio.gather(*(door.acall("/hooks/gorgias", b, gorgias_headers(b)) for b in bodies))

    answers = door.loop.run_until_complete(many())
    assert {status for status, _ in answers} == {200}
    assert len(door.rows()) == 200
    assert len(commits) <= 10


@pytest.mark.parametrize(
    "change",
    [
        lambda h: {},
        lambda h: h | {"X-Sync-Secret": "wrong"},
        lambda h: h | {"X-Sync-Secret": ""},
        lambda h: h | {"X-Sync-Secret": "sch\xfctzling"},
        lambda h: {k: v for k, v in h.items() if k != "X-Gorgias-Hmac-SHA256"},
        lambda h: {k: v for k, v in h.items() if k != "X-Sync-Secret"},
        lambda h: h | {"X-Gorgias-Hmac-SHA256": "AAAA"},
        lambda h: [*h.items(), *h.items()],
    ],
)
def test_an_unsigned_or_forged_call_of_gorgias_is_refused(door, change):
    body = dumped(ticket(5))
    assert only(door, 403, "not_signed")(door.call("/hooks/gorgias", body, change(gorgias_headers(body))))


def test_a_signature_belongs_to_its_body(door):
    body = dumped(ticket(5))
    assert only(door, 403, "not_signed")(door.call("/hooks/gorgias", dumped(ticket(6)), gorgias_headers(body)))
    assert only(door, 403, "not_signed")(door.call("/hooks/hubspot", dumped([event(6)]), v3_headers(body)))


@pytest.mark.parametrize("apart_s", [-301, 301, -86_400, 86_400])
def test_a_signed_call_of_hubspot_out_of_its_time_is_refused(door, apart_s):
    body = dumped([event(1)])
    found = door.call("/hooks/hubspot", body, v3_headers(body, at_s=time.time() + apart_s))
    assert only(door, 403, "out_of_time")(found)


def test_a_v3_that_does_not_hold_is_not_made_good_by_an_older_signature(door):
    body = dumped([event(1)])
    v1 = {
        "X-HubSpot-Signature": hashlib.sha256(CLIENT.encode() + body).hexdigest(),
        "X-HubSpot-Signature-Version": "v1",
    }
    assert door.call("/hooks/hubspot", body, v1 | v3_headers(body))[0] == 200
    assert door.call("/hooks/hubspot", body, v1)[0] == 200
    for wrong in (v3_headers(body, secret="x"), {"X-HubSpot-Signature-v3": ""}, v3_headers(body, at_s=1.0)):
        assert door.call("/hooks/hubspot", body, v1 | wrong)[0] == 403


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_older_signatures_are_taken_where_v3_is_absent(door, version):
    body = dumped([event(1)])
    source = b"" if version == "v1" else b"POST" + PUBLIC.encode() + b"/hooks/hubspot"
    digest = hashlib.sha256(CLIENT.encode() + source + body).hexdigest()
    headers = {"X-HubSpot-Signature": digest, "X-HubSpot-Signature-Version": version}
    assert door.call("/hooks/hubspot", body, headers | {"X-HubSpot-Signature-Version": "v4"})[0] == 403
    assert door.call("/hooks/hubspot", body, headers)[0] == 200


def test_the_address_is_that_of_the_public_url_whatever_the_host_header_says(door):
    body = dumped([event(1)])
    headers = v3_headers(body, uri="http://evil.example.com/hooks/hubspot") | {"host": "evil.example.com"}
    assert only(door, 403, "not_signed")(door.call("/hooks/hubspot", body, headers))
    assert door.call("/hooks/hubspot", body, v3_headers(body) | {"host": "evil.example.com"})[0] == 200


def test_the_query_belongs_to_the_signed_address_with_some_codes_decoded(door):
    body = dumped([event(1)])
    headers = v3_headers(body, uri=f"{PUBLIC}/hooks/hubspot?to=a:b%20c")
    assert door.call("/hooks/hubspot", body, headers, query="to=a%3Ab%20c")[0] == 200
    assert door.call("/hooks/hubspot", body, headers, query="to=a%3Ab%20d")[0] == 403


def test_without_a_public_url_the_address_is_the_one_that_was_called(tmp_path):
    env = {name: value for name, value in ENV.items() if name != "SYNC_PUBLIC_URL"}
    with door_at(tmp_path, f"sqlite:///{tmp_path / 'ledger.db'}", env) as door:
        body = dumped([event(1)])
        headers = v3_headers(body, uri="http://127.0.0.1:8080/hooks/hubspot")
        assert door.call("/hooks/hubspot", body, headers | {"Host": "127.0.0.1:8080"})[0] == 200


def test_a_system_without_a_secret_takes_nothing(tmp_path):
    with door_at(tmp_path, f"sqlite:///{tmp_path / 'ledger.db'}", {}) as door:
        assert only(door, 403, "no_secret")(door.gorgias(ticket(5)))
        assert only(door, 403, "no_secret")(door.hubspot([event(1)]))
        assert door.counts() == {"gorgias.no_secret": 1, "hubspot.no_secret": 1}


@pytest.mark.parametrize("left_out", ["GORGIAS_WEBHOOK_SECRET", "GORGIAS_HMAC_SECRET"])
def test_of_the_two_secrets_of_gorgias_one_is_enough_and_is_then_required(tmp_path, left_out):
    env = {name: value for name, value in ENV.items() if name != left_out}
    header = {"GORGIAS_WEBHOOK_SECRET": "X-Sync-Secret", "GORGIAS_HMAC_SECRET": "X-Gorgias-Hmac-SHA256"}[left_out]
    with door_at(tmp_path, f"sqlite:///{tmp_path / 'ledger.db'}", env) as door:
        body = dumped(ticket(5))
        kept = {name: value for name, value in gorgias_headers(body).items() if name != header}
        assert door.call("/hooks/gorgias", body, {})[0] == 403
        assert door.call("/hooks/gorgias", body, kept)[0] == 200


def test_a_secret_that_was_rotated_in_its_file_holds_without_a_restart(tmp_path):
    file = tmp_path / "secret"
    file.write_text("old")
    env = {"GORGIAS_WEBHOOK_SECRET_FILE": str(file)}
    with door_at(tmp_path, f"sqlite:///{tmp_path / 'ledger.db'}", env) as door:
        assert door.call("/hooks/gorgias", dumped(ticket(1)), {"X-Sync-Secret": "old"})[0] == 200
        file.write_text("new")
        assert door.call("/hooks/gorgias", dumped(ticket(2)), {"X-Sync-Secret": "new"})[0] == 200
        assert door.call("/hooks/gorgias", dumped(ticket(3)), {"X-Sync-Secret": "old"})[0] == 403


@pytest.mark.parametrize("path", ["/", "/hooks", "/hooks/gorgias/", "/hooks/erp", "/HEALTH", "/../hooks/gorgias", "//"])
def test_other_addresses_are_not_there(door, path):
    assert only(door, 404, "not_found")(door.call(path, b"{}"))


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "BREW"])
def test_the_door_is_posted_to(door, method):
    assert only(door, 405, "wrong_method")(door.call("/hooks/gorgias", method=method))
    if method not in ("GET", "HEAD"):
        assert only(door, 405, "wrong_method")(door.call("/health", method=method))


@pytest.mark.parametrize("length", [None, str(MIB + 1), "9" * 30, "-1", "x", ""])
def test_a_body_over_one_mebibyte_is_refused_whatever_its_length_says(door, length):
    body = b"[" + b" " * MIB + b"]"
    headers = gorgias_headers(body) | ({} if length is None else {"content-length": length})
    parts = [body[at : at + 65_536] for at in range(0, len(body), 65_536)]
    assert only(door, 413, "too_large")(door.call("/hooks/gorgias", parts, headers))


def test_a_body_of_one_mebibyte_is_taken(door):
    body = dumped(ticket(5))
    body += b" " * (MIB - len(body))
    assert door.call("/hooks/gorgias", body, gorgias_headers(body) | {"content-length": str(MIB)})[0] == 200


def test_a_body_that_takes_its_time_is_given_up(door, monkeypatch):
    monkeypatch.setattr("sync_platform.web.door.READ_S", 0.05)
    body = dumped(ticket(5))
    found = door.call("/hooks/gorgias", [body[:9], body[9:]], gorgias_headers(body), pause_s=0.04)
    assert only(door, 408, "too_slow")(found)


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate, gzip", "IDENTITY;q=1"])
def test_a_packed_body_is_refused_unread(door, encoding):
    body = dumped(ticket(5))
    found = door.call("/hooks/gorgias", body, gorgias_headers(body) | {"content-encoding": encoding})
    assert only(door, 415, "encoded")(found)


@pytest.mark.parametrize(
    ("body", "code"),
    [(b"", "not_json"), (b"[" * 40 + b"]" * 40, "too_deep"), (b"{}", "not_a_delivery"), (b"\xff", "not_json"),
     ('{"ticket":{"id":1}}'.encode("utf-16"), "not_json")],
)  # fmt: skip
def test_signed_rubbish_is_refused_as_rubbish(door, body, code):
    assert only(door, 400, code)(door.call("/hooks/gorgias", body, gorgias_headers(body)))


def test_health_says_whether_the_ledger_answers(door):
    assert door.call("/health", method="GET") == (200, {"ok": True})


def test_a_ledger_that_is_gone_is_a_503_and_the_caller_comes_again(door):
    with door.ledger.begin() as conn:
        conn.exec_driver_sql("DROP TABLE inbox")
    assert door.gorgias(ticket(5)) == (503, {"error": "ledger_unavailable"})


def test_a_run_that_writes_holds_a_delivery_up_only_as_long_as_it_writes(door):
    other = Ledger.open(door.settings.ledger_url, migrate=False)

    async def beside():
        body = dumped(ticket(5))
        with other.begin():
            waiting = asyncio.ensure_future(door.acall("/hooks/gorgias", body, gorgias_headers(body)))
            await asyncio.sleep(0.1)
            assert not waiting.done()
        return await waiting

    assert door.loop.run_until_complete(beside())[0] == 200
    other.close()


def test_counts_name_the_system_and_the_reason(door):
    door.call("/hooks/gorgias", b"{}", {})
    door.call("/nowhere", b"{}", {})
    door.gorgias({})
    assert door.counts() == {"gorgias.not_signed": 1, "none.not_found": 1, "gorgias.not_a_delivery": 1}
