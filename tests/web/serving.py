"""`sync-platform serve` as a process, and a client that keeps its connections."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.web.calls import CLIENT, KEYED, SHARED

ROOT = Path(__file__).resolve().parents[2]
SECRETS = {"GORGIAS_WEBHOOK_SECRET": SHARED, "GORGIAS_HMAC_SECRET": KEYED, "HUBSPOT_CLIENT_SECRET": CLIENT}


class Served:
    """A running `serve`."""

    def __init__(self, process: subprocess.Popen[str], ready: Mapping[str, Any]) -> None:
        self.process = process
        self.ready = ready
        # All that it printed, once it is over.
        self.said = ""
        parts = urlsplit(ready["door"])
        self.address = (parts.hostname or "", parts.port or 0)

    def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, Any]:
        connection = http.client.HTTPConnection(*self.address, timeout=30)
        try:
            connection.request("POST", path, body, dict(headers))
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def raw(self, data: bytes) -> bytes:
        """What comes back for these bytes until the other side hangs up."""
        with socket.create_connection(self.address, timeout=30) as sock:
            sock.sendall(data)
            found = b""
            while part := sock.recv(65_536):
                found += part
        return found

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(30)


@contextmanager
def served(root: Path, ledger_url: str, **env: str) -> Iterator[Served]:
    """Nothing of a system is set and no sandbox answers: the door needs neither."""
    keep = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    given = keep | SECRETS | {
        "PYTHONPATH": str(ROOT),
        "SYNC_ROOT": str(root),
        "LEDGER_DATABASE_URL": ledger_url,
        "SANDBOX_CONTROL_URL": "http://127.0.0.1:9",
    } | env  # fmt: skip
    command = [
        sys.executable,
        "-m",
        "sync_platform",
        "serve",
        "--port",
        "0",
        "--host",
        "127.0.0.1",
        "--pages-port",
        "0",
    ]
    process = subprocess.Popen(command, cwd=root, env=given, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        line = process.stdout.readline() if process.stdout else ""
        if not line:
            raise AssertionError(process.stderr.read() if process.stderr else "")
        one = Served(process, json.loads(line))
        yield one
        process.terminate()
        one.said = line + "".join(process.communicate(timeout=30))
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()
