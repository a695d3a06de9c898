"""A door in front of a sandbox through which a sync under test goes: it can hold an answer back, forge one, or cut
the line.

The sandbox has answered what is held: the write is there, and the sync does not know. Who is killed at that moment
leaves a write between its arrival and our receipt.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import urlsplit

HELD_MAX_S = 60.0
READS = ("/search", "/batch/read", "/ready")
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}

Answer = tuple[int, Mapping[str, str], bytes]
Forge = Callable[[str, str, bytes], Answer | None]
"""(method, path, body) → an answer in place of the sandbox's, or None for the sandbox's own."""


class Gate:
    """Stands before both vendors and the ready line of one sandbox; `control_url` is what a sync is told."""

    def __init__(self, ready: Mapping[str, Any]) -> None:
        self._ready = ready
        self._lock = threading.Lock()
        self._countdown = 0
        self._path = ""
        self._held = threading.Event()
        self._release = threading.Event()
        self.cut = threading.Event()
        self.forge: Forge | None = None
        self.calls = 0
        self.writes = 0
        self.servers = {name: _Relay(self, ready[name]["url"]) for name in ("gorgias", "hubspot", "control")}
        self.control_url = self.servers["control"].url

    def __enter__(self) -> Self:
        for server in self.servers.values():
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.let_go()
        for server in self.servers.values():
            server.shutdown()
            server.server_close()

    def hold(self, nth: int, path: str = "") -> None:
        """From now on, hold the answer of the nth write that is done (of those with `path` in their path)."""
        with self._lock:
            self._path = path
            self._held.clear()
            self._release.clear()
            self._countdown = nth

    def holds(self) -> bool:
        """Whether an answer is held back at this moment."""
        return self._held.is_set()

    def let_go(self) -> None:
        """Nothing is held any more: a held answer is dropped with its connection."""
        with self._lock:
            self._countdown = 0
            self._held.clear()
            self._release.set()

    def ready_line(self) -> bytes:
        """The sandbox's own, with the addresses of this door."""
        names = ("gorgias", "hubspot", "control")
        return json.dumps(
            {**self._ready, **{name: {**self._ready[name], "url": self.servers[name].url} for name in names}}
        ).encode()

    def passes(self, method: str, path: str, status: int) -> bool:
        """Called with each answer of a vendor; False when it must not go on to the one who asked."""
        with self._lock:
            self.calls += 1
            if method == "GET" or status >= 300 or path.partition("?")[0].rstrip("/").endswith(READS):
                return True
            self.writes += 1
            if self._path not in path:
                return True
            self._countdown -= 1
            if self._countdown != 0:
                return True
            self._held.set()
        self._release.wait(HELD_MAX_S)
        return False


class _Relay(ThreadingHTTPServer):
    """Passes every call on to one address."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, gate: Gate, url: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.gate = gate
        self.target = urlsplit(url).netloc
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, _request: Any, _client: Any) -> None:
        """Who was killed does not wait for the answer."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Relay

    def setup(self) -> None:
        super().setup()
        self._behind = http.client.HTTPConnection(self.server.target, timeout=30)

    def finish(self) -> None:
        self._behind.close()
        with contextlib.suppress(OSError):
            super().finish()

    def do_any(self) -> None:
        gate = self.server.gate
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if gate.cut.is_set():
            self._hang_up()
            return
        if self.path == "/ready":
            self._reply(200, {"content-type": "application/json"}, gate.ready_line())
            return
        forged = gate.forge(self.command, self.path, body) if gate.forge is not None else None
        if forged is not None:
            self._reply(*forged)
            return
        try:
            status, headers, answer = self._ask(body)
        except (OSError, http.client.HTTPException):
            self._hang_up()
            return
        if gate.passes(self.command, self.path, status):
            self._reply(status, headers, answer)
        else:
            self._hang_up()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_any  # noqa: N815 - http.server's own names

    def _ask(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        self._behind.request(self.command, self.path, body=body or None, headers=dict(self.headers))
        with self._behind.getresponse() as got:
            answer = got.read()
            kept = {name: value for name, value in got.getheaders() if name.lower() not in HOP_BY_HOP}
        return got.status, kept, answer

    def _reply(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _hang_up(self) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *_: object) -> None:
        """Nothing is printed."""


@contextlib.contextmanager
def gate_before(ready: Mapping[str, Any]) -> Iterator[Gate]:
    """A gate for as long as the block runs."""
    with Gate(ready) as gate:
        yield gate
