"""How fast the sandbox answers, on one core with limits and call log on, and what a million rows cost it.

The server has one core for itself, the client another. Bounds: 1,500 reads of one object a second, 300 pages of 100
rows a second, 50 searches with two filters a second among 100,000 contacts, 1,000 people ready in a second, a million
contacts and tickets served in less than 1 GB of memory. Prints one JSON object; about twenty-five minutes, `--quick`
one.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import selectors
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[2]
RATE_SCALE = 100_000  # windows are counted as ever, but never full
CONNECTIONS = 4
ROUNDS = 5
BOUNDS = {"reads of one object": 1_500, "pages of 100": 300, "searches with two filters": 50}
READY_MAX_S = 1.0
MEMORY_MAX_MB = 1_024
CONTACT_SHARE = 0.7  # of the seeded people are HubSpot contacts, at the least


@contextmanager
def sandbox(people: int, tickets: int, folder: Path) -> Iterator[tuple[dict[str, Any], int, float]]:
    """A sandbox process on a core of its own; yields its ready line, its process id and the seconds until ready."""
    command = [sys.executable, "-m", "sync_platform.sandbox", "--customers", str(people), "--tickets", str(tickets)]
    command += ["--rate-scale", str(RATE_SCALE), "--data-dir", str(folder)]
    command += [part for name in ("gorgias", "hubspot", "control") for part in (f"--{name}-port", "0")]
    began = time.perf_counter()
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        pin(process.pid, 0)
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        try:
            yield ready, process.pid, time.perf_counter() - began
        finally:
            process.terminate()


def pin(pid: int, core: int) -> None:
    """Give a process one core, where the system can."""
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(pid, {cores[core % len(cores)]})


# --- a client that costs little ---------------------------------------------------------------------------------


def message(method: str, url: str, authorization: str, body: dict[str, Any] | None = None) -> bytes:
    """One request as it goes over the wire."""
    parts = urlsplit(url)
    content = b"" if body is None else json.dumps(body).encode()
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    lines = [f"{method} {target} HTTP/1.1", f"host: {parts.netloc}", f"authorization: {authorization}"]
    if body is not None:
        lines += ["content-type: application/json", f"content-length: {len(content)}"]
    return "\r\n".join([*lines, "", ""]).encode() + content


class Connection:
    """One kept connection with at most one request under way."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.sock = socket.create_connection(address)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._got = bytearray()

    def send(self, request: bytes) -> None:
        """Begin a call."""
        self._got.clear()
        self.sock.sendall(request)

    def answered(self) -> bool:
        """Read what is there; whether the answer is whole. Raises RuntimeError for any status but 200."""
        self._got += self.sock.recv(1 << 18)
        head, separator, body = self._got.partition(b"\r\n\r\n")
        if not separator:
            return False
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"not answered: {bytes(self._got[:400])!r}")
        length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.startswith(b"content-length"))
        return len(body) >= length


def rate(requests: Sequence[bytes], base: str, seconds: float) -> float:
    """Answers a second over some connections, each with one call at a time."""
    parts = urlsplit(base)
    waiting = selectors.DefaultSelector()
    following = cycle(requests)
    connections = [Connection((str(parts.hostname), int(parts.port or 80))) for _ in range(CONNECTIONS)]
    for one in connections:
        waiting.register(one.sock, selectors.EVENT_READ, one)
        one.send(next(following))
    done, began = 0, time.perf_counter()
    while (passed := time.perf_counter() - began) < seconds:
        for key, _ in waiting.select(5):
            if key.data.answered():
                done += 1
                key.data.send(next(following))
    for one in connections:
        one.sock.close()
    return done / passed


# --- what is asked ----------------------------------------------------------------------------------------------


def gorgias_access(ready: dict[str, Any]) -> str:
    """The Basic credential."""
    plain = f"{ready['gorgias']['email']}:{ready['gorgias']['api_key']}"
    return f"Basic {base64.b64encode(plain.encode()).decode()}"


def ids(ready: dict[str, Any], system: str, kind: str, count: int) -> list[str]:
    """Ids of some rows of the store."""
    import httpx

    answer = httpx.get(f"{ready['control']['url']}/state/{system}/{kind}", params={"limit": count}, timeout=60)
    return [str(row["id"]) for row in answer.json()["rows"]]


def gorgias_pages(ready: dict[str, Any], count: int) -> list[str]:
    """The addresses of the first pages of a walk over all customers."""
    import httpx

    base, cursor, found = ready["gorgias"]["url"], None, []
    headers = {"authorization": gorgias_access(ready)}
    while len(found) < count and (cursor or not found):
        found.append(f"{base}/api/customers?limit=100" + (f"&cursor={cursor}" if cursor else ""))
        cursor = httpx.get(found[-1], headers=headers, timeout=60).json()["meta"]["next_cursor"]
    return found


def asked(ready: dict[str, Any]) -> Iterator[tuple[str, str, str, list[bytes]]]:
    """(what, system, address, requests) of everything that is measured."""
    gorgias, hubspot = ready["gorgias"]["url"], ready["hubspot"]["url"]
    basic, bearer = gorgias_access(ready), f"Bearer {ready['hubspot']['access_token']}"
    one, pages, searches = BOUNDS
    rows = [f"{gorgias}/api/customers/{id_}" for id_ in ids(ready, "gorgias", "customers", 500)]
    yield one, "Gorgias", gorgias, [message("GET", url, basic) for url in rows]
    names = "email,firstname,lastname,phone,company,hs_language,lifecyclestage,hs_object_id"
    contacts = ids(ready, "hubspot", "contacts", 2_000)
    rows = [f"{hubspot}/crm/v3/objects/contacts/{id_}?properties={names}" for id_ in contacts[:500]]
    yield one, "HubSpot", hubspot, [message("GET", url, bearer) for url in rows]
    yield pages, "Gorgias", gorgias, [message("GET", url, basic) for url in gorgias_pages(ready, 50)]
    starts = contacts[::40]
    rows = [f"{hubspot}/crm/v3/objects/contacts?limit=100&properties={names}&after={id_}" for id_ in starts]
    yield pages, "HubSpot", hubspot, [message("GET", url, bearer) for url in rows]
    url = f"{hubspot}/crm/v3/objects/contacts/search"
    yield searches, "HubSpot", hubspot, [message("POST", url, bearer, body) for body in islice(found_by(), 100)]


def found_by() -> Iterator[dict[str, Any]]:
    """Searches with two filters: a window of the modified date as a sync reads it, and values of two properties."""
    names = ["email", "firstname", "lastname", "phone"]
    for n in range(50):
        begin = 1_762_000_000_000 + n * 500_000_000
        yield {
            "filterGroups": [{"filters": [
                {"propertyName": "lastmodifieddate", "operator": "GTE", "value": str(begin)},
                {"propertyName": "lastmodifieddate", "operator": "LT", "value": str(begin + 86_400_000)},
            ]}],
            "sorts": [{"propertyName": "lastmodifieddate", "direction": "ASCENDING"}],
            "properties": names, "limit": 100,
        }  # fmt: skip
        yield {
            "filterGroups": [{"filters": [
                {"propertyName": "lifecyclestage", "operator": "EQ", "value": "customer"},
                {"propertyName": "createdate", "operator": "GTE", "value": str(begin)},
            ]}],
            "properties": names, "limit": 100,
        }  # fmt: skip


def speeds(people: int, seconds: float) -> list[dict[str, Any]]:
    """Answers a second of everything that is measured, medians of some rounds."""
    with (
        tempfile.TemporaryDirectory() as home,
        sandbox(people, people // 10, Path(home) / "world") as (ready, _, _),
    ):
        found = []
        for what, system, base, requests in asked(ready):
            rounds = [rate(requests, base, seconds) for _ in range(ROUNDS)]
            found.append({"what": what, "system": system, "per_s": round(statistics.median(rounds)),
                          "bound_per_s": BOUNDS[what]})  # fmt: skip
            print(json.dumps(found[-1]), file=sys.stderr, flush=True)
        return found


def start_s(people: int) -> float:
    """Seconds from the command to the ready line, median of some starts."""
    taken = []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as home, sandbox(people, 0, Path(home) / "world") as (_, _, seconds):
            taken.append(seconds)
    return round(statistics.median(taken), 2)


def peak_mb(pid: int) -> float | None:
    """The most memory that a process ever held, where the system tells."""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        return None
    line = next(one for one in status.read_text(encoding="ascii").splitlines() if one.startswith("VmHWM"))
    return round(int(line.split()[1]) / 1024, 1)


def large(people: int, tickets: int) -> dict[str, Any]:
    """A large world on disk: seeded by one process, then served by another through every list and search."""
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home) / "world"
        with sandbox(people, tickets, folder) as (_, pid, seconds):
            seeded = {"seconds": round(seconds, 1), "peak_mb": peak_mb(pid)}
        with sandbox(people, tickets, folder) as (ready, pid, seconds):
            asks: list[Callable[[], float]] = [
                lambda base=base, requests=requests: rate(requests, base, 2.0) for *_, base, requests in asked(ready)
            ]
            for ask in asks:
                ask()
            served = {"seconds": round(seconds, 2), "peak_mb": peak_mb(pid)}
        disk = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    peaks = [part["peak_mb"] for part in (seeded, served) if part["peak_mb"] is not None]
    return {"people": people, "tickets": tickets, "seeded": seeded, "served": served,
            "disk_mb": round(disk / 2**20), "bound_mb": MEMORY_MAX_MB,
            "within": bool(peaks) and max(peaks) < MEMORY_MAX_MB}  # fmt: skip


def main() -> None:
    """Speeds, start, memory."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--quick", action="store_true")
    given = arguments.parse_args()
    pin(os.getpid(), 1)
    contacts = 5_000 if given.quick else 100_000
    people = round(contacts / CONTACT_SHARE)
    many = 20_000 if given.quick else 1_000_000
    print(
        json.dumps(
            {
                "benchmark": "sandbox",
                "contacts": contacts,
                "connections": CONNECTIONS,
                "rounds": ROUNDS,
                "speeds": speeds(people, 0.5 if given.quick else 3.0),
                "ready_people": 1_000,
                "ready_s": start_s(1_000),
                "ready_bound_s": READY_MAX_S,
                "large": large(many, many),
            }
        )
    )


if __name__ == "__main__":
    main()
