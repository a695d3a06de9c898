"""A server on loopback that keeps what it is sent, and answers as it is told: where integrations call to."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Received:
    """One request: header names in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Receiver:
    """What came in; `statuses` are used up one by one, then `status` holds."""

    url: str = ""
    status: int = 200
    statuses: list[int] = field(default_factory=list)
    answer: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    got: list[Received] = field(default_factory=list)
    hold: threading.Event = field(default_factory=threading.Event)  # unset: answers wait

    def reset(self) -> None:
        self.status, self.answer = 200, b"{}"
        self.statuses.clear()
        self.headers.clear()
        self.got.clear()
        self.hold.set()


def wait_for(condition: Any, limit_s: float = 10.0) -> Any:
    """The first true value of a condition; fails after the limit."""
    end = time.monotonic() + limit_s
    while not (found := condition()):
        assert time.monotonic() < end, "nothing came within the limit"
        time.sleep(0.01)
    return found


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver that serves for as long as the block runs."""
    state = Receiver()
    state.hold.set()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            state.got.append(Received(self.command, self.path, headers, body))
            state.hold.wait(20)
            status = state.statuses.pop(0) if state.statuses else state.status
            self.send_response(status)
            for name, value in state.headers.items():
                self.send_header(name, value)
            if status != 204:
                self.send_header("content-length", str(len(state.answer)))
            self.end_headers()
            if self.command != "HEAD" and status != 204:
                self.wfile.write(state.answer)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = handle_any  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Silent."""

        def handle(self) -> None:
            try:
                super().handle()
            except ConnectionError:
                """The caller has given up: a case of its own, not a trouble of this server."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        state.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield state
        finally:
            state.hold.set()
            server.shutdown()
            thread.join(10)
