"""HTTP serving on loopback: several uvicorn servers in one loop, whose connections faults can break."""

import contextlib
import logging
import socket
from collections.abc import Iterator
from typing import Any

import uvicorn
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from sync_platform.sandbox.faults import TRANSPORT, ASGIApp, Receive, Scope, Send

HOST = "127.0.0.1"
SERVER_NAME = "sync-platform-sandbox"


class Protocol(AutoHTTPProtocol):  # type: ignore[misc, valid-type]  # uvicorn picks the class when it is imported
    """uvicorn's HTTP protocol, which also lets the app reach its connection: faults must be able to break it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        inner: ASGIApp = self.config.loaded_app

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            scope[TRANSPORT] = self.transport
            await inner(scope, receive, send)

        self.app = app

    def connection_made(self, transport: Any) -> None:
        """Send small answers at once: waiting for the client's acknowledgement would cost 40 ms a call."""
        sock = transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().connection_made(transport)


class Server(uvicorn.Server):
    """A server among several: who listens for signals is decided by who runs them."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield


def server(app: ASGIApp) -> Server:
    """An HTTP/1.1 server for `app`, quiet, with the sandbox's name in every answer."""
    config = uvicorn.Config(
        app,
        http=Protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level=logging.ERROR,  # a warning tells of a caller that speaks no HTTP, which has its 400 already
        access_log=False,
        server_header=False,
        date_header=False,
        headers=[("server", SERVER_NAME)],
        timeout_keep_alive=75,
        timeout_graceful_shutdown=2,
    )
    return Server(config)


def listening(name: str, port: int) -> socket.socket:
    """A socket on loopback, port 0 = any free one. Raises OSError naming the port when it is taken."""
    try:
        return socket.create_server((HOST, port), backlog=512)
    except OSError as error:
        raise OSError(error.errno, f"port {port} for the sandbox's {name} is taken; choose another or 0") from None


def url_of(sock: socket.socket) -> str:
    """The address that a client of this socket uses."""
    return f"http://{HOST}:{sock.getsockname()[1]}"
