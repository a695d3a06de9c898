"""The fault gate in front of a small app, over a real connection."""

import json
import socket
import time
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import httpx
import pytest

from sync_platform.sandbox.fault_presets import preset, presets
from sync_platform.sandbox.faults import FAULT, SHAPE, STATUS, TRANSPORT, FaultGate

ROUNDS = 60
BODY = json.dumps({"rows": list(range(200))}).encode()


class Shop:
    """A vendor app that counts what reached it."""

    def __init__(self):
        self.handled = 0
        self.asked = []

    async def __call__(self, scope, receive, send):
        self.asked.append((scope.get(FAULT), scope.get(SHAPE), scope.get(STATUS)))
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


def drain(answer, into):
    for piece in answer.iter_raw():
        into.extend(piece)


@pytest.mark.parametrize(("at", "share"), [(0.0, 0), (0.25, 0.25), (1.0, 1)])
def test_a_truncated_answer_breaks_off_where_the_plan_says_and_is_never_whole(client, world, at, share):
    plan(world, "truncate", at=at)
    got = bytearray()
    with client.stream("GET", "/api/customers") as answer, pytest.raises(httpx.RemoteProtocolError):
        drain(answer, got)
    assert got == BODY[: min(int(len(BODY) * share), len(BODY) - 1)]


def test_a_slow_body_comes_in_pieces_over_the_time_and_is_whole(client, world):
    plan(world, "slow", ms=300)
    begin = time.monotonic()
    with client.stream("GET", "/api/customers") as answer:
        head_after_s = time.monotonic() - begin
        parts = list(answer.iter_raw())
    assert b"".join(parts) == BODY
    assert len(parts) > 3
    whole_after_s = time.monotonic() - begin
    assert whole_after_s >= 0.3
    assert whole_after_s - head_after_s > 0.05, "the head came with the body, and not before it"


def test_a_jump_of_the_clock_shows_in_the_answer_s_date_and_ends_with_it(client, world, serve_app):
    seen = []

    async def app(scope, receive, send):
        seen.append((world.clock.now(), world.clock.monotonic()))
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    url = serve_app(FaultGate(app, world, "gorgias"))
    ticks = world.clock.monotonic()
    for jump_s in (-3600, 7200):
        plan(world, "clock", jump_s=jump_s)
        date = parsedate_to_datetime(httpx.get(url).headers["date"])
        wanted = datetime.now(UTC) + timedelta(seconds=jump_s)
        assert abs(date - wanted) < timedelta(seconds=30)
        assert abs(seen[-1][0] - wanted) < timedelta(seconds=30)
        assert 0 <= seen[-1][1] - ticks < 60
    assert abs(parsedate_to_datetime(httpx.get(url).headers["date"]) - datetime.now(UTC)) < timedelta(seconds=30)
    assert abs(world.clock.now() - datetime.now(UTC)) < timedelta(seconds=30)


@pytest.mark.parametrize("kind", ["429", "423", "477"])
@pytest.mark.parametrize("shape", ["html", "empty"])
def test_a_refusal_can_come_as_a_page_or_without_a_body(client, world, shop, kind, shape):
    plan(world, kind, shape=shape, retry_after=7)
    answer = client.get("/api/customers/3")
    assert (answer.status_code, answer.headers["retry-after"], shop.handled) == (int(kind), "7", 0)
    assert answer.text.startswith("<html>") if shape == "html" else answer.content == b""
    assert world.calls.summary()["by"][0]["status"] == int(kind)


def test_the_vendor_is_asked_for_its_own_refusal_in_the_shape_of_the_plan(client, world, shop):
    for kind, more in (("429", {"shape": "recorded"}), ("423", {}), ("477", {"shape": "documented"})):
        plan(world, kind, **more)
        client.get("/api/customers")
    plan(world, "5xx", body="json", status=503)
    client.get("/api/customers")
    assert shop.asked == [
        ("429", "recorded", None),
        ("423", "vendor", None),
        ("477", "documented", None),
        ("5xx", None, 503),
    ]


@pytest.mark.parametrize(
    ("wait", "header"), [({"retry_after": None}, None), ({"retry_after": 86_400}, "86400"), ({}, "3")]
)
def test_retry_after_is_the_plan_s_or_none_or_the_vendor_s(world, serve_app, wait, header):
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 429, "headers": [(b"retry-after", b"3")]})
        await send({"type": "http.response.body", "body": b""})

    plan(world, "429", **wait)
    answer = httpx.get(serve_app(FaultGate(app, world, "gorgias")))
    assert answer.headers.get("retry-after") == header


def test_a_504_can_come_after_the_write_has_landed(client, world, shop):
    plan(world, "5xx", status=504, landed=True)
    answer = client.post("/api/customers", json={"name": "x"})
    assert (answer.status_code, answer.text[:6], shop.handled) == (504, "<html>", 1)


def test_latency_can_be_drawn_from_a_distribution(world):
    plan(world, "latency", p50=100, p95=400, times=5000)
    drawn = sorted(one.amount_ms() for _ in range(4000) for one in world.faults.draw("gorgias", "GET", "/x"))
    assert drawn[2000] == pytest.approx(100, rel=0.1)
    assert drawn[3800] == pytest.approx(400, rel=0.15)
    plan(world, "latency", low=20, high=40, times=500)
    drawn = [one.amount_ms() for _ in range(500) for one in world.faults.draw("gorgias", "GET", "/x")]
    assert 20 <= min(drawn) < 22
    assert 38 < max(drawn) <= 40


def test_each_call_waits_as_long_as_was_drawn_for_it(client, world):
    plan(world, "latency", low=20, high=60, times=100)
    taken = []
    for _ in range(12):
        begin = time.monotonic()
        assert client.get("/api/customers").status_code == 200
        taken.append(time.monotonic() - begin)
    assert min(taken) >= 0.02
    assert max(taken) - min(taken) > 0.005


def run(client, world, rows):
    """What 60 calls of one client meet: status and length, or how the connection broke."""
    world.faults.put(rows)
    seen = []
    for n in range(ROUNDS):
        try:
            answer = client.request(("GET", "POST", "PATCH")[n % 3], f"/crm/v3/objects/contacts/{n}")
            seen.append((answer.status_code, len(answer.content), answer.headers.get("retry-after")))
        except httpx.TransportError as error:
            seen.append(type(error).__name__)
    return seen, world.faults.listing()


@pytest.fixture
def hubspot(world, shop, serve_app):
    with httpx.Client(base_url=serve_app(FaultGate(shop, world, "hubspot")), timeout=10) as made:
        yield made


def test_the_same_plan_seed_and_order_of_calls_meet_the_same_faults(hubspot, world):
    rows = [{**row, "share": 0.2} for row in preset("bad-night", 7) if row["kind"] != "latency"]
    rows.append({"system": "*", "path": "*", "kind": "latency", "p50": 1, "p95": 2, "seed": 7})
    first, second = run(hubspot, world, rows), run(hubspot, world, rows)
    assert first == second
    assert len({str(one) for one in first[0]}) > 4
    assert run(hubspot, world, [{**row, "seed": row["seed"] + 1} for row in rows])[0] != first[0]


@pytest.mark.parametrize("row", presets(), ids=lambda row: row["name"])
def test_each_preset_is_a_plan_that_says_what_it_does(world, row):
    assert len(row["does"]) > 30
    world.faults.put(preset(row["name"], 3))
    shown = world.faults.listing()
    assert [one["kind"] for one in shown] == [one["kind"] for one in row["faults"]]
    assert len({one["seed"] for one in shown}) == len(shown)


def test_a_preset_that_nobody_knows_names_the_known_ones():
    with pytest.raises(ValueError, match="bad-night"):
        preset("good-night")
    with pytest.raises(ValueError, match="whole number"):
        preset("bad-night", "seven")
