"""A sandbox in the hands of somebody who means harm: no crash, no hang, no silence, nothing of a customer told."""

import contextlib
import gzip
import json
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest

from tests.sandbox.receiver import receiving, wait_for

ROOT = Path(__file__).resolve().parents[2]
DEADLINE_S = 60
DEEP = b"[" * 100_000 + b"]" * 100_000
DEEP_OBJECT = b'{"a":' * 50_000 + b"1" + b"}" * 50_000
VAST = 10**30
SECRET = "tell.nobody@example.com"


class Sandboxes:
    """Sandboxes as processes of their own, whose stderr is kept."""

    def __init__(self, folder):
        self.folder = folder
        self.started, self.running = [], []

    def start(self, data_dir, *more):
        ports = ["--gorgias-port", "0", "--hubspot-port", "0", "--control-port", "0"]
        size = ["--customers", "10", "--tickets", "10", "--rate-scale", "1000"]
        with (self.folder / f"stderr{len(self.started)}").open("wb") as stderr:
            process = subprocess.Popen(
                [sys.executable, "-m", "sync_platform.sandbox", *size, *ports, "--data-dir", str(data_dir), *more],
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                cwd=ROOT,
            )
        self.started.append(process)
        line = process.stdout.readline()
        self.running.append(Running(process, json.loads(line) if line else None, Path(stderr.name)))
        return self.running[-1]

    def end(self):
        for one in self.running:
            one.close()
        for process in self.started:
            if process.poll() is None:
                process.kill()
            process.communicate()


class Running:
    """One of them, with a client for each port."""

    def __init__(self, process, ready, stderr):
        self.process, self.ready, self._stderr = process, ready, stderr
        if ready:
            gorgias, hubspot = ready["gorgias"], ready["hubspot"]
            self.control = httpx.Client(base_url=ready["control"]["url"], timeout=30)
            self.gorgias = httpx.Client(
                base_url=gorgias["url"], auth=(gorgias["email"], gorgias["api_key"]), timeout=30
            )
            self.hubspot = httpx.Client(
                base_url=hubspot["url"], headers={"authorization": f"Bearer {hubspot['access_token']}"}, timeout=30
            )

    def close(self):
        for client in (self.control, self.gorgias, self.hubspot) if self.ready else ():
            client.close()

    def said(self):
        return self._stderr.read_text(errors="replace")

    def alive(self):
        return self.process.poll() is None and self.control.get("/clock").status_code == 200

    def rows(self, system, kind):
        rows, after = [], ""
        while after is not None:
            page = self.control.get(f"/state/{system}/{kind}", params={"after": after, "limit": 1000}).json()
            rows, after = rows + page["rows"], page["next"]
        return rows

    def switch(self, **values):
        named = {name.replace("__", ".", 1): value for name, value in values.items()}
        self.control.put("/switches", json=named).raise_for_status()

    def integration(self, url, *, method="POST", trigger="ticket-updated", **http):
        given = {"url": url, "method": method, "triggers": {trigger: True}, **http}
        if method == "POST":
            given.setdefault("form", "{{context}}")
        answer = self.gorgias.post("/api/integrations", json={"name": "Hook", "type": "http", "http": given})
        assert answer.status_code == 201, answer.text
        return answer.json()["id"]

    def called(self, number):
        return [row for row in self.rows("gorgias", "integration_calls") if row["integration_id"] == number]


@pytest.fixture
def sandboxes(tmp_path):
    made = Sandboxes(tmp_path)
    yield made
    made.end()


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """One for all tests that leave it whole; at the end nothing has been said on stderr."""
    folder = tmp_path_factory.mktemp("hostile")
    made = Sandboxes(folder)
    one = made.start(folder / "kept")
    yield one
    assert one.alive()
    assert one.said() == ""
    made.end()


# what comes over the wire


def raw(url, *parts, wait_s=20):
    """Send bytes as they are; everything that is answered until the other side closes."""
    host, _, port = url.removeprefix("http://").partition(":")
    out = b""
    with socket.create_connection((host, int(port)), timeout=wait_s) as sock, contextlib.suppress(ConnectionError):
        for part in parts:
            sock.sendall(part)
        while found := sock.recv(65_536):
            out += found
    return out


def door(shared, system):
    """(address, path that lists something, its authorization header)."""
    if system == "control":
        return shared.ready["control"]["url"], "/calls", b""
    client = getattr(shared, system)
    path = {"gorgias": "/api/customers", "hubspot": "/crm/v3/objects/contacts"}[system]
    given = client.build_request("GET", path)
    found = next(client.auth.sync_auth_flow(given)) if client.auth else given
    return shared.ready[system]["url"], path, b"Authorization: " + found.headers["authorization"].encode() + b"\r\n"


@pytest.mark.parametrize("system", ["gorgias", "hubspot", "control"])
def test_odd_http_is_answered_and_never_with_a_crash(shared, system):
    url, path, authorization = door(shared, system)
    head = b"Host: 127.0.0.1\r\nConnection: close\r\n" + authorization
    get = b"GET " + path.encode() + b" HTTP/1.1\r\n" + head
    odd = {
        "HEAD": b"HEAD" + get[3:] + b"\r\n",
        "OPTIONS": b"OPTIONS" + get[3:] + b"\r\n",
        "no such method": b"FOO" + get[3:] + b"\r\n",
        "CONNECT": b"CONNECT" + get[3:] + b"\r\n",
        "a header of 2 MB": get + b"X-Big: " + b"a" * 2_000_000 + b"\r\n\r\n",
        "3000 headers": get + b"".join(b"X-%d: 1\r\n" % n for n in range(3000)) + b"\r\n",
        "bytes in the path": get.replace(b" HTTP", b"\xff\xfe HTTP", 1) + b"\r\n",
        "invalid UTF-8 in the path": get.replace(b" HTTP", b"/%ff%fe%00 HTTP", 1) + b"\r\n",
        "invalid UTF-8 in the query": get.replace(b" HTTP", b"?limit=%ff&%00=%f0&after=%00&email=%ff HTTP", 1)
        + b"\r\n",
        "vast numbers": get.replace(b" HTTP", b"?limit=%d&recent=%d HTTP" % (VAST, VAST), 1) + b"\r\n",
        "a path of 100 kB": b"GET /" + b"a/" * 50_000 + b" HTTP/1.1\r\n" + head + b"\r\n",
        "a websocket": get + b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n",
        "a bad chunk": b"POST" + get[3:] + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n",
        "two lengths": b"POST" + get[3:] + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nabc",
        "TLS": b"\x16\x03\x01\x02\x00\x01\x00" * 20,
        "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    }
    for name, sent in odd.items():
        answered = raw(url, sent)
        assert answered.startswith(b"HTTP/1.1 "), name
        assert not answered.startswith(b"HTTP/1.1 500"), name
    assert shared.alive()


@pytest.mark.parametrize("system", ["gorgias", "hubspot", "control"])
def test_fifty_calls_in_one_write_get_fifty_answers(shared, system):
    url, path, authorization = door(shared, system)
    one = b"GET " + path.encode() + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n" + authorization
    answered = raw(url, (one + b"\r\n") * 49 + one + b"Connection: close\r\n\r\n")
    assert answered.count(b"HTTP/1.1 200 OK") == 50


BODIES = {
    "deep": DEEP,
    "deep object": DEEP_OBJECT,
    "deep value": b'{"properties":{"email":' + DEEP + b'},"name":' + DEEP + b"}",
    "number of 5000 digits": b'{"name":' + b"9" * 5_000 + b',"properties":{}}',
    "invalid UTF-8": b'{"name":"\xff"}',
    "half a pair": b'{"name":"\\ud800","properties":{"firstname":"\\ud800"}}',
    "infinite": b'{"name":Infinity,"properties":{"firstname":NaN}}',
    "list": b"[]",
    "null": b"null",
    "nothing": b"",
    "zero": b"\x00",
    "11 MB": b'{"name":"' + b"x" * 11_000_000 + b'"}',
}


@pytest.mark.parametrize("name", BODIES)
def test_rubbish_as_a_body_is_refused_and_never_a_crash(shared, name):
    content, kind = BODIES[name], {"content-type": "application/json"}
    calls = [
        shared.gorgias.build_request("POST", "/api/customers", content=content, headers=kind),
        shared.hubspot.build_request("POST", "/crm/v3/objects/contacts", content=content, headers=kind),
        shared.control.build_request("POST", "/edit", content=content, headers=kind),
        shared.control.build_request("PUT", "/faults", content=content, headers=kind),
        shared.control.build_request("PUT", "/switches", content=content, headers=kind),
    ]
    clients = (shared.gorgias, shared.hubspot, shared.control, shared.control, shared.control)
    for client, request in zip(clients, calls, strict=True):
        answer = client.send(request)
        accepted = request.url.path == "/switches" and content in (b"", b"[]")  # nothing to set
        accepted |= request.url.path == "/faults" and content == b"[]"
        assert 400 <= answer.status_code < 500 or accepted, (request.url.path, answer.text[:200])
    assert shared.control.get("/faults").json() == []


def test_a_body_that_is_cut_off_changes_nothing_and_says_nothing(shared):
    before = {kind: len(shared.rows("gorgias", kind)) for kind in ("customers", "tickets")}
    shared.control.delete("/calls").raise_for_status()
    for system in ("gorgias", "hubspot", "control"):
        url, path, authorization = door(shared, system)
        path = {"control": "/edit"}.get(system, path)
        host, _, port = url.removeprefix("http://").partition(":")
        with socket.create_connection((host, int(port)), timeout=5) as sock:
            head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 500\r\n".encode() + authorization
            sock.sendall(head + b'\r\n{"name":"Half"}')
    assert shared.alive()
    assert {kind: len(shared.rows("gorgias", kind)) for kind in before} == before
    assert shared.control.get("/calls").json()["by"] == []


@pytest.mark.parametrize("number", [VAST, str(VAST), -VAST, 2**63])
def test_numbers_beyond_any_database_are_refused_on_the_control_port(shared, number):
    asked = [
        shared.control.get(f"/state/{system}/{kind}", params={"after": number})
        for system, kind in (
            ("gorgias", "customers"), ("hubspot", "contacts"), ("hubspot", "associations"), ("erp", "customers")
        )
    ]  # fmt: skip
    for system, kind in (("gorgias", "customers"), ("hubspot", "contacts"), ("erp", "customers")):
        edit = {"system": system, "kind": kind, "id": number, "set": {}}
        asked.append(shared.control.post("/edit", json=edit))
        asked.append(shared.control.get(f"/rows/{system}/{kind}", params={"q": number, "offset": number}))
    asked.append(
        shared.control.post("/merge", json={"system": "hubspot", "kind": "contacts", "from": 1, "into": number})
    )
    asked.append(shared.control.post("/import", params={"customers": number}, content=b"id,email,subject\n1,a@b.c,x\n"))
    asked.append(shared.control.put("/switches", json={"hubspot.search_lag_s": number}))
    asked.append(shared.control.put("/switches", json=[{"name": number, "value": 1}]))
    asked.append(shared.control.put("/faults", json=[{"kind": "429", "share": number}]))
    assert {answer.status_code // 100 for answer in asked} <= {2, 4}, [answer.text[:80] for answer in asked]
    refused = [answer for answer in asked if answer.status_code >= 400]
    assert len(refused) >= 10
    assert all(answer.json()["error"] for answer in refused)


NONSENSE = [
    {"kind": "429", "path": ["x"]}, {"kind": ["429"]}, {"kind": None}, {}, [], None, 7, "429", {"kind": "boom"},
    {"kind": "429", "share": 2}, {"kind": "429", "share": "half"}, {"kind": "5xx", "status": 200},
    {"kind": "slow", "p50": 1},
    {"kind": "latency", "low": 9, "high": 1}, {"kind": "429", "times": -1}, {"kind": "429", "nothing": 1},
    {"kind": "clock", "jump_s": 1e300}, {"kind": "truncate", "at": 1.5}, {"preset": ["bad-night"]}, {"preset": "no"},
]  # fmt: skip


def test_nonsense_as_a_plan_of_faults_is_refused_and_the_old_plan_stays(shared):
    plan = [{"system": "hubspot", "path": "/nowhere", "kind": "429", "times": 1}]
    before = shared.control.put("/faults", json=plan).json()
    for one in NONSENSE:
        answer = shared.control.put("/faults", json=one if isinstance(one, dict) and "preset" in one else [one])
        taken = answer.status_code == 200
        assert not taken or one == {"kind": "429", "path": ["x"]}, one
        if taken:
            shared.control.put("/faults", json=plan)
    assert shared.control.get("/faults").json() == before
    shared.control.put("/faults", json=[]).raise_for_status()


# time


def test_ten_years_ahead_everything_still_answers(sandboxes, tmp_path):
    one = sandboxes.start(tmp_path / "kept")
    for _ in range(3):
        assert one.control.post("/clock", json={"advance_s": 10 * 365 * 86_400}).status_code == 200
        for client, path in (
            (one.gorgias, "/api/tickets"), (one.gorgias, "/api/events"),
            (one.hubspot, "/crm/v3/objects/contacts?propertiesWithHistory=email"), (one.control, "/overview"),
            (one.control, "/calls/series"),
        ):  # fmt: skip
            assert client.get(path).status_code == 200, path
        email = {"type": "email", "address": f"late{time.monotonic_ns()}@example.com", "preferred": True}
        assert one.gorgias.post("/api/customers", json={"channels": [email]}).status_code == 201
    for jump_s in (-3650 * 86_400, 3650 * 86_400):
        one.control.put("/faults", json=[{"kind": "clock", "jump_s": jump_s}]).raise_for_status()
        assert one.gorgias.get("/api/tickets").status_code == 200
        assert one.hubspot.get("/crm/v3/objects/contacts").status_code == 200
    assert one.said() == ""


def test_the_script_goes_on_after_a_reset(sandboxes, tmp_path):
    one = sandboxes.start(tmp_path / "kept")
    first = one.control.post("/script/next").json()
    assert first["event"]["n"] == 1
    for seed in (2, 3):
        one.control.post("/reset", json={"seed": seed}).raise_for_status()
        again = one.control.post("/script/next").json()
        assert again["event"]["n"] == 1
        day = one.control.post("/script/day", json={"hours": 24}).json()
        assert (day["left"], day["skipped"]) == (0, 0)
        assert one.control.post("/script/next").json() == {"event": None, "left": 0}
    assert one.said() == ""


# where it calls to


@contextlib.contextmanager
def target(behave):
    """A server on loopback that does to each connection what `behave` says."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    threading.Thread(target=one, args=(connection,), daemon=True).start()

        def one(connection):
            with connection, contextlib.suppress(OSError):
                connection.recv(65_536)
                behave(connection)

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/hook"


def endless(connection):
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        connection.sendall(b"x" * 100_000)


def answers(content, head=b"", status=b"200 OK"):
    length = b"content-length: %d\r\n" % len(content)
    return lambda connection: connection.sendall(b"HTTP/1.1 " + status + b"\r\n" + head + length + b"\r\n" + content)


def silent(connection):
    connection.settimeout(60)
    connection.recv(1)


TARGETS = {
    "answers without end": endless,
    "closes": lambda _: None,
    "says nothing": silent,
    "speaks no HTTP": lambda connection: connection.sendall(b"\xff\x00garbage\r\n\r\n"),
    "sends a bomb": answers(gzip.compress(b"0" * 50_000_000), b"content-encoding: gzip\r\n"),
    "lies about gzip": answers(b"abc", b"content-encoding: gzip\r\n"),
    "breaks off": lambda connection: connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 300\r\n\r\nabc"),
    "redirects to itself": answers(b"", b"location: /hook\r\n", b"302 Found"),
    "redirects nowhere": answers(b"", b"location: http://[::bad\xff\r\n", b"302 Found"),
    "switches protocols": answers(b"", b"upgrade: x\r\n", b"101 Switching Protocols"),
    "sends deep JSON": answers(DEEP),
    "sends a deep object": answers(DEEP_OBJECT),
    "sends half a pair": answers(b'{"a":"\\ud800"}'),
    "sends what is no number": answers(b'{"a":NaN,"b":' + b"9" * 6_000 + b"}"),
    "sets odd cookies": answers(b"{}", b"set-cookie: \xff=\xfe; domain=..; expires=z\r\nset-cookie: a\r\n"),
    "has an unknown charset": answers(b"\xff\xfe", b"content-type: text/plain; charset=nope\r\n"),
}


@pytest.mark.parametrize("name", TARGETS)
def test_whatever_an_integration_meets_the_sandbox_goes_on(shared, name):
    shared.switch(gorgias__integration_tries=1)
    ticket = shared.rows("gorgias", "tickets")[0]["id"]
    with target(TARGETS[name]) as url:
        numbers = [shared.integration(url, method=method) for method in ("POST", "GET")]
        shared.gorgias.put(f"/api/tickets/{ticket}", json={"subject": f"It {name}"}).raise_for_status()
        wait_for(lambda: [len(shared.called(number)) for number in numbers] == [1, 1])
        if name == "says nothing":
            assert shared.alive()
            time.sleep(0.3)  # a step of the clock alone fails no call
            shared.control.post("/clock", json={"advance_s": 10})
        wait_for(lambda: all(shared.called(number)[0]["status"] in ("delivered", "failed") for number in numbers), 20)
    for number in numbers:
        shared.gorgias.delete(f"/api/integrations/{number}").raise_for_status()
    assert shared.alive()


@pytest.mark.parametrize("name", TARGETS)
def test_whatever_a_webhook_meets_the_sandbox_goes_on(shared, name):
    shared.switch(
        hubspot__webhook_delay_s=0.0, hubspot__webhook_late_share=0.0, hubspot__webhook_duplicate_share=0.0,
        hubspot__webhook_cache_s=0.0,
    )  # fmt: skip
    ready = shared.ready["hubspot"]
    key, app = {"hapikey": ready["developer_api_key"]}, ready["app_id"]
    with target(TARGETS[name]) as url, httpx.Client(base_url=ready["url"], timeout=30) as plain:
        plain.put(f"/webhooks/v3/{app}/settings", params=key, json={"targetUrl": url}).raise_for_status()
        subscriptions = f"/webhooks/v3/{app}/subscriptions"
        made = plain.post(subscriptions, params=key, json={"eventType": "contact.creation"}).raise_for_status()
        one = f"{subscriptions}/{made.json()['id']}"
        plain.patch(one, params=key, json={"active": True}).raise_for_status()
        before = len(shared.rows("hubspot", "webhook_calls"))
        email = f"hook{time.monotonic_ns()}@example.com"
        body = {"properties": {"email": email}}
        assert shared.hubspot.post("/crm/v3/objects/contacts", json=body).status_code == 201
        if name == "says nothing":
            time.sleep(0.7)
            shared.control.post("/clock", json={"advance_s": 10})
        try:
            wait_for(lambda: len(shared.rows("hubspot", "webhook_calls")) > before, 20)
        finally:
            plain.delete(one, params=key).raise_for_status()
    assert shared.alive()


def test_an_integration_that_changes_the_ticket_that_fired_it_is_held_by_the_limits(sandboxes, tmp_path):
    one = sandboxes.start(tmp_path / "kept", "--rate-scale", "1")
    ticket = one.rows("gorgias", "tickets")[0]["id"]
    authorization = door(one, "gorgias")[2].decode().partition(": ")[2].strip()
    number = one.integration(
        f"{one.ready['gorgias']['url']}/api/tickets/{ticket}", method="PUT", form={"subject": "again {{ticket.id}}"},
        headers={"authorization": authorization},
    )  # fmt: skip
    one.gorgias.put(f"/api/tickets/{ticket}", json={"subject": "go"}).raise_for_status()
    wait_for(lambda: one.control.get("/calls").json()["rate_limited"] > 0, 30)
    took = []
    for _ in range(20):
        began = time.monotonic()
        assert one.control.get("/clock").status_code == 200
        took.append(time.monotonic() - began)
    assert sorted(took)[10] < 1
    used = one.control.get("/calls").json()["window_max"]["gorgias.api_key"]
    assert used <= 40
    delivered = [call for call in one.called(number) if call["status"] == "delivered"]
    assert 0 < len(delivered) <= 40
    assert one.said() == ""


def test_queued_calls_outlive_a_kill_and_are_all_delivered(sandboxes, tmp_path):
    folder = tmp_path / "kept"
    one = sandboxes.start(folder)
    with receiving() as receiver:
        one.integration(receiver.url, trigger="ticket-message-created", form={"id": "{{message.id}}"})
        receiver.hold.clear()
        row = one.rows("gorgias", "tickets")[0]
        ticket, sender = row["id"], {"id": row["customer"]["id"]}
        message = {"channel": "api", "via": "api", "from_agent": False, "body_text": SECRET, "sender": sender}
        with httpx.Client(base_url=one.ready["gorgias"]["url"], auth=one.gorgias.auth, timeout=30) as client:
            for _ in range(200):
                answer = client.post(f"/api/tickets/{ticket}/messages", json=message)
                assert answer.status_code == 201, answer.text
        made = {row["id"] for row in one.rows("gorgias", "messages")}
        one.process.send_signal(signal.SIGKILL)
        one.process.wait(DEADLINE_S)
        receiver.hold.set()
        two = sandboxes.start(folder)
        kept = {row["id"] for row in two.rows("gorgias", "messages")}
        assert kept == made
        wait_for(
            lambda: (
                two.alive() and not [c for c in two.rows("gorgias", "integration_calls") if c["status"] == "waiting"]
            ),
            60,
        )
        got = {json.loads(call.body)["id"] for call in receiver.got}
        assert len(got) == 200
        fresh = two.gorgias.post(f"/api/tickets/{ticket}/messages", json=message).json()["id"]
        assert fresh > max(made)
        assert SECRET not in two.said()


# its files


def test_a_kill_under_load_leaves_whole_stores_and_no_id_is_given_twice(sandboxes, tmp_path):
    folder = tmp_path / "kept"
    acknowledged = {"gorgias": set(), "hubspot": set()}
    for round_ in range(2):
        one = sandboxes.start(folder)
        stop = threading.Event()

        def write(system, one=one, stop=stop, round_=round_):
            for n in range(10_000):
                if stop.is_set():
                    return
                email = f"{system}{round_}x{n}@example.com"
                with contextlib.suppress(httpx.HTTPError):
                    if system == "gorgias":
                        body = {"channels": [{"type": "email", "address": email, "preferred": True}]}
                        answer = one.gorgias.post("/api/customers", json=body)
                    else:
                        answer = one.hubspot.post("/crm/v3/objects/contacts", json={"properties": {"email": email}})
                    if answer.status_code == 201:
                        number = str(answer.json()["id"])
                        assert number not in acknowledged[system]
                        acknowledged[system].add(number)

        threads = [threading.Thread(target=write, args=(system,)) for system in acknowledged]
        for thread in threads:
            thread.start()
        enough = 30 * (round_ + 1)
        wait_for(lambda enough=enough: all(len(found) >= enough for found in acknowledged.values()), 60)
        one.process.send_signal(signal.SIGKILL)
        one.process.wait(DEADLINE_S)
        stop.set()
        for thread in threads:
            thread.join(DEADLINE_S)
    last = sandboxes.start(folder)
    for system, kind in (("gorgias", "customers"), ("hubspot", "contacts")):
        stored = [str(row["id"]) for row in last.rows(system, kind)]
        assert len(stored) == len(set(stored))
        assert acknowledged[system] <= set(stored)
    assert last.said() == ""


@pytest.fixture(scope="module")
def left_behind(tmp_path_factory):
    """The directory of a sandbox that has ended."""
    root = tmp_path_factory.mktemp("left")
    made = Sandboxes(root)
    one = made.start(root / "kept")
    assert one.control.get("/clock").status_code == 200
    one.process.terminate()
    assert one.process.wait(DEADLINE_S) == 0
    made.end()
    return root / "kept"


@pytest.mark.parametrize("content", [b"\x00garbage\xff" * 500, b"", b"{}"], ids=["garbage", "empty", "{}"])
@pytest.mark.parametrize("name", ["gorgias.db", "hubspot.db", "erp.db", "world.json", "state.json"])
def test_a_broken_file_is_named_with_the_ways_out(left_behind, sandboxes, tmp_path, name, content):
    folder = shutil.copytree(left_behind, tmp_path / "kept")
    (folder / name).write_bytes(content)
    one = sandboxes.start(folder)
    assert one.ready is None
    assert one.process.wait(DEADLINE_S) == 1
    assert one.said().count("\n") == 1
    assert f"{folder / name} cannot be read" in one.said()
    assert "begin anew" in one.said()


# --- rubbish instead of an export

IMPORTS = {
    "binary": bytes(range(256)) * 400,
    "empty": b"",
    "one line of 50 MB": b"a" * 50_000_000,
    "a header of a million columns": b",".join(b"c%d" % n for n in range(300_000)) + b"\n1\n",
    "zeroes": b"\x00" * 100_000,
    "an open quote": b'id,email,subject\n1,"' + b"x" * 6_000_000,
    "no such columns": b"a,b,c\n1,2,3\n",
}


@pytest.mark.parametrize("name", IMPORTS)
def test_rubbish_as_an_import_is_refused_in_few_words_and_the_world_stays(shared, name):
    before = shared.rows("gorgias", "customers")
    answer = shared.control.post("/import", content=IMPORTS[name])
    if answer.status_code == 200:  # a header that can be read: then no row may have been taken in silence
        assert name == "an open quote"
        assert answer.json()["left_out"] == 1
        shared.control.post("/reset", json={"seed": 1}).raise_for_status()
        return
    assert answer.status_code == 400
    assert len(answer.text) < 3_000
    assert shared.rows("gorgias", "customers") == before


def test_ten_thousand_queued_calls_leave_the_sandbox_responsive_and_all_arrive(sandboxes, tmp_path):
    one = sandboxes.start(tmp_path / "kept")
    with receiving() as receiver:
        for _ in range(50):
            one.integration(receiver.url, trigger="ticket-updated", form={"id": "{{ticket.id}}"})
        tickets = [row["id"] for row in one.rows("gorgias", "tickets")][:10]
        receiver.hold.clear()
        for n in range(200):
            path = f"/api/tickets/{tickets[n % len(tickets)]}"
            one.gorgias.put(path, json={"subject": f"It {n}"}).raise_for_status()
        began = time.monotonic()
        assert one.control.get("/overview").status_code == 200
        assert one.gorgias.get("/api/tickets").status_code == 200
        assert time.monotonic() - began < 5
        receiver.hold.set()
        wait_for(lambda: len(receiver.got) >= 10_000, 150)
    assert len(receiver.got) == 10_000
    assert one.said() == ""
