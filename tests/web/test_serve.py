"""`sync-platform serve` as a process: it needs a ledger and nothing else, and loses nothing that it acknowledged."""

import hashlib
import http.client
import signal
import socket
import threading
import time

import httpx
import pytest
from sqlalchemy import text

from sync_platform.errors import Misconfigured
from sync_platform.ledger.database import Ledger
from sync_platform.settings import Settings
from sync_platform.web.server import serve
from tests.web.calls import dumped, event, gorgias_headers, ticket, v3_headers
from tests.web.serving import served


def stored(url):
    with Ledger.open(url, migrate=False) as ledger, ledger.read() as conn:
        return {row.delivery for row in conn.execute(text("SELECT delivery FROM inbox"))}


def test_serve_makes_the_ledger_takes_deliveries_and_stops_at_a_signal(tmp_path, ledger_url):
    with served(tmp_path, ledger_url) as one:
        body = dumped(ticket(5))
        assert one.post("/hooks/gorgias", body, gorgias_headers(body)) == (200, {"ok": True})
        body = dumped([event(5)])
        uri = one.ready["door"] + "/hooks/hubspot"
        assert one.post("/hooks/hubspot", body, v3_headers(body, uri=uri)) == (200, {"ok": True})
        assert one.post("/hooks/gorgias", body, {}) == (403, {"error": "not_signed"})
        assert b'{"ok":true}' in one.raw(b"GET /health HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
        assert one.stop(signal.SIGTERM) == 0
    assert len(stored(ledger_url)) == 2


def test_serve_shows_the_pages_on_a_port_of_their_own_and_the_door_knows_none_of_them(tmp_path):
    with served(tmp_path, f"sqlite:///{tmp_path / 'ledger.db'}", SYNC_WEB_TOKEN="look") as one:
        pages = httpx.get(one.ready["pages"] + "/login")
        assert pages.status_code == 200
        assert "Sign in" in pages.text
        assert httpx.get(one.ready["pages"] + "/hooks/gorgias").status_code == 404
        assert httpx.get(one.ready["door"] + "/login").json() == {"error": "not_found"}


def test_what_is_no_http_and_heads_without_end_are_refused_as_everything_else_is(tmp_path):
    with served(tmp_path, f"sqlite:///{tmp_path / 'ledger.db'}") as one:
        for data in (
            b"rubbish\r\n\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
            b"POST /hooks/gorgias HTTP/1.1\r\n\r\n",
            b"GET / HTTP/1.1\r\nhost: a\r\nx: " + b"a" * 40_000,
            b"POST /hooks/gorgias HTTP/1.1\r\nhost: a\r\ncontent-length: -5\r\n\r\n",
        ):
            found = one.raw(data)
            assert found.startswith(b"HTTP/1.1 400"), (data[:40], found[:200])
            assert found.endswith(b'{"error":"not_http"}')
        assert one.process.poll() is None


def test_a_connection_that_never_ends_its_head_or_its_body_is_closed_after_five_seconds(tmp_path):
    with served(tmp_path, f"sqlite:///{tmp_path / 'ledger.db'}") as one:
        began = time.monotonic()
        half = {"head": b"POST /hooks/gorgias HTTP/1.1\r\nhost:", "silence": b"",
                "body": b"POST /hooks/gorgias HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nabc"}  # fmt: skip
        socks = {name: socket.create_connection(one.address, timeout=30) for name in half}
        found = {}
        for name, sock in socks.items():
            sock.sendall(half[name])
        for name, sock in socks.items():
            found[name] = b""
            while part := sock.recv(1000):
                found[name] += part
            sock.close()
        assert found["head"] == found["silence"] == b""
        assert found["body"].endswith(b'{"error":"too_slow"}')
        assert 4 < time.monotonic() - began < 20


def hammer(one, number, acknowledged, stop):
    """Post one ticket after the other until the door is gone."""
    at = 0
    while not stop.is_set():
        at += 1
        body = dumped(ticket(number * 1_000_000 + at))
        try:
            status, _ = one.post("/hooks/gorgias", body, gorgias_headers(body))
        except (OSError, http.client.HTTPException, ValueError):  # no answer, or half of one
            return
        if status == 200:
            acknowledged.append(body)


@pytest.mark.parametrize("after", [40, 90, 150])
def test_a_door_that_is_killed_under_load_has_every_delivery_that_it_acknowledged(tmp_path, ledger_url, after):
    acknowledged, stop = [], threading.Event()
    with served(tmp_path, ledger_url) as one:
        threads = [threading.Thread(target=hammer, args=(one, n, acknowledged, stop)) for n in range(1, 7)]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + 60
        while len(acknowledged) < after and time.monotonic() < deadline:
            time.sleep(0.001)
        one.stop(signal.SIGKILL)
        stop.set()
        for thread in threads:
            thread.join(30)
    assert len(acknowledged) >= after
    wanted = {f"gorgias:ticket:{hashlib.sha256(body).hexdigest()[:40]}" for body in acknowledged}
    assert wanted <= stored(ledger_url)


def test_a_port_that_is_taken_is_said_with_a_remedy(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = Settings.load({"LEDGER_DATABASE_URL": f"sqlite:///{tmp_path / 'l.db'}"}, root=tmp_path)
        with pytest.raises(Misconfigured, match="cannot listen"):
            serve(settings, host="127.0.0.1", port=taken.getsockname()[1], on_ready=lambda ready: None)
