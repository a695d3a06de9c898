"""Two listeners in one process: the door, which may face the internet, and the pages, else on loopback.

Nothing here needs a system to be reachable. SIGTERM and SIGINT stop both: what was accepted is answered first.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from sync_platform.errors import Misconfigured
from sync_platform.ledger import inbox
from sync_platform.settings import Settings
from sync_platform.web import pages
from sync_platform.web.collector import Collector
from sync_platform.web.door import Door

HEAD_BYTES_MAX = 32 * 1024
HEAD_S = 5.0
IDLE_S = 75
BACKLOG = 2048
STOP_S = 5
_BAD_REQUEST = b'{"error":"not_http"}'


class Protocol(H11Protocol):
    """uvicorn's strict HTTP: the head of a request is bounded in size and time, and what is no HTTP has our answer."""

    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """A connection that never sends a request ends like one that sends half of one."""
        sock = transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().connection_made(transport)
        self._begin_head()

    def data_received(self, data: bytes) -> None:
        """Bytes of a request: the clock runs until its head is whole."""
        if self._head_timer is None and self.conn.their_state is h11.IDLE:
            self._begin_head()
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._end_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """The peer is gone."""
        self._end_head()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP is refused as everything else is."""
        del msg
        self._end_head()
        with contextlib.suppress(h11.LocalProtocolError):
            headers = [("content-type", "application/json"), ("content-length", str(len(_BAD_REQUEST)))]
            head = h11.Response(status_code=400, headers=[*headers, ("connection", "close")])
            for event in (head, h11.Data(data=_BAD_REQUEST), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _begin_head(self) -> None:
        self._head_timer = self.loop.call_later(HEAD_S, self.transport.close)

    def _end_head(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None


class Listener(uvicorn.Server):
    """A server among several: who runs them listens for signals."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield


def listener(app: Any) -> Listener:
    """A quiet HTTP/1.1 server; nothing of a request enters a log."""
    return Listener(
        uvicorn.Config(
            app,
            http=Protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            log_level=logging.ERROR,
            access_log=False,
            server_header=False,
            date_header=False,
            proxy_headers=False,
            h11_max_incomplete_event_size=HEAD_BYTES_MAX,
            timeout_keep_alive=IDLE_S,
            timeout_graceful_shutdown=STOP_S,
        )
    )


def serve(
    settings: Settings,
    *,
    host: str = "0.0.0.0",  # noqa: S104 - the door is there to be reached
    port: int = 8080,
    pages_host: str = "127.0.0.1",
    pages_port: int = 8081,
    on_ready: Callable[[Mapping[str, Any]], None],
) -> None:
    """Listen until a signal. `on_ready` is told `{"ready", "door", "pages"}`; port 0 is any free one.

    Makes or migrates the ledger. Raises Misconfigured for a port that is taken, and what `Ledger.open` raises.
    """
    with contextlib.ExitStack() as stack:
        ledger = inbox.open_inbox(settings.ledger_url)
        stack.callback(ledger.close)
        doors = stack.enter_context(contextlib.closing(_listening(host, port)))
        desk = stack.enter_context(contextlib.closing(_listening(pages_host, pages_port)))
        shown = pages.app(settings)
        stack.callback(shown.state.shelf.close)
        asyncio.run(_run(settings, Collector(ledger), doors, [("pages", shown, desk)], on_ready))


async def _run(
    settings: Settings,
    collector: Collector,
    doors: socket.socket,
    apps: list[tuple[str, Any, socket.socket]],
    on_ready: Callable[[Mapping[str, Any]], None],
) -> None:
    every = [("door", Door(settings, collector), doors), *apps]
    servers = [(listener(app), sock) for _, app, sock in every]
    loop = asyncio.get_running_loop()

    def stop() -> None:
        for server, _ in servers:
            server.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    tasks = [loop.create_task(server.serve(sockets=[sock])) for server, sock in servers]
    try:
        # The sockets listen since they were made: whoever calls now is answered as soon as the loop runs.
        on_ready({"ready": True} | {name: _url(sock) for name, _, sock in every})
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        stop()
        await asyncio.gather(*tasks)
    finally:
        await collector.close()


def _listening(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), backlog=BACKLOG)
    except OSError as error:
        raise Misconfigured(
            f"cannot listen on {host} port {port} ({error.strerror})", remedy="Choose another port, or 0 for any."
        ) from None


def _url(sock: socket.socket) -> str:
    host, port = sock.getsockname()[:2]
    return f"http://{'127.0.0.1' if host == '0.0.0.0' else host}:{port}"  # noqa: S104 - what it was bound to
