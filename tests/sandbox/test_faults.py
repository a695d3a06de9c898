"""The fault gate in front of a small app, over a real connection."""

import json
import socket
import time

import httpx
import pytest

from sync_platform.sandbox.faults import FAULT, TRANSPORT, FaultGate

BODY = json.dumps({"rows": list(range(200))}).encode()


class Shop:
    """A vendor app that counts what reached it."""

    def __init__(self):
        self.handled = 0

    async def __call__(self, scope, receive, send):
        limited = scope.get(FAULT) == "429"
        self.handled += not limited
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(BODY)).encode())]
        await send({"type": "http.response.start", "status": 429 if limited else 200, "headers": headers})
        await send({"type": "http.response.body", "body": BODY})


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
def client(world, shop, serve_app):
    with httpx.Client(base_url=serve_app(FaultGate(shop, world, "gorgias")), timeout=10) as made:
        yield made


def plan(world, kind, **more):
    world.faults.put([{"system": "gorgias", "path": "*", "kind": kind, "times": 1, **more}])


def test_without_faults_the_app_answers_under_the_sandbox_s_name(client, shop):
    answer = client.get("/api/customers")
    assert (answer.status_code, answer.content, shop.handled) == (200, BODY, 1)
    assert answer.headers.get_list("server") == ["sync-platform-sandbox"]


def test_a_reset_before_closes_the_connection_and_the_app_never_ran(client, world, shop):
    plan(world, "reset_before")
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        client.post("/api/customers/12", json={"name": "x"})
    assert shop.handled == 0
    assert world.calls.summary()["by"] == [
        {"system": "gorgias", "method": "POST", "path": "/api/customers/{id}", "status": 0, "count": 1}
    ]
    assert client.get("/api/customers").status_code == 200


def test_a_reset_after_loses_the_answer_of_a_write_that_landed(client, world, shop):
    plan(world, "reset_after")
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        client.post("/api/customers", json={"name": "x"})
    assert shop.handled == 1
    assert client.get("/api/customers").status_code == 200


def test_a_reset_reaches_the_client_as_a_reset_of_the_connection(client, world):
    plan(world, "reset_before")
    with pytest.raises(httpx.ReadError, match="reset"):
        client.get("/api/customers")


def test_a_truncated_answer_promises_more_than_it_gives(client, world, shop):
    plan(world, "truncate")
    with client.stream("GET", "/api/customers") as answer:
        assert answer.headers["content-length"] == str(len(BODY))
        chunks = answer.iter_raw()
        got = next(chunks)
        with pytest.raises(httpx.RemoteProtocolError, match="complete message body"):
            next(chunks)
    assert got == BODY[: len(BODY) // 2]
    assert shop.handled == 1


def test_a_5xx_is_the_gateway_s_page_and_the_app_never_ran(client, world, shop):
    plan(world, "5xx")
    answer = client.get("/api/customers/3")
    assert (answer.status_code, answer.headers["content-type"]) == (502, "text/html; charset=utf-8")
    assert answer.text.startswith("<html>")
    assert shop.handled == 0
    plan(world, "5xx", status=503)
    assert client.get("/api/customers/3").status_code == 503


def test_a_429_is_the_vendor_s_own(client, world, shop):
    plan(world, "429")
    assert client.get("/api/customers").status_code == 429
    assert shop.handled == 0


def test_latency_delays_and_then_answers(client, world):
    plan(world, "latency", ms=150)
    begin = time.monotonic()
    assert client.get("/api/customers").status_code == 200
    assert time.monotonic() - begin >= 0.15


def test_the_latency_of_the_world_holds_for_every_call(client, world):
    world.latency_ms = 60
    begin = time.monotonic()
    assert client.get("/api/customers").status_code == 200
    assert time.monotonic() - begin >= 0.06


def test_latency_and_a_reset_can_hit_one_call(client, world, shop):
    world.faults.put(
        [
            {"system": "gorgias", "path": "/api", "kind": "latency", "ms": 80, "times": 1},
            {"system": "gorgias", "path": "/api/customers", "kind": "reset_before", "times": 1},
        ]
    )
    begin = time.monotonic()
    with pytest.raises(httpx.TransportError):
        client.get("/api/customers")
    assert time.monotonic() - begin >= 0.08
    assert shop.handled == 0


def test_answers_are_sent_at_once_not_after_the_client_s_acknowledgement(serve_app):
    delays = []

    async def app(scope, receive, send):
        sock = scope[TRANSPORT].get_extra_info("socket")
        delays.append(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    assert httpx.get(serve_app(app)).status_code == 204
    assert delays != [0]
