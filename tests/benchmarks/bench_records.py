"""Records per second without a network: pages pulled, objects identified, judged and planned, into a SQLite ledger.

The peer is what the database alone needs: plain inserts of the very rows that the ledger then holds, in the same run.
Prints one JSON object; `--profile` prints where the time goes instead.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import pstats
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from importlib.resources import files

from sqlalchemy import Table, func, insert, select

from sync_platform.core.policy import parse
from sync_platform.core.records import ENTITIES, SYSTEMS
from sync_platform.ledger import journal, links, outbox
from sync_platform.ledger.database import Ledger
from sync_platform.sync import pull, reconcile
from sync_platform.sync.hub import Hub, Timing
from tests.benchmarks.generated import GeneratedSystem

TABLES: tuple[Table, ...] = (
    journal.OBSERVATION,
    links.RECORD,
    links.LINK,
    links.KEY,
    journal.DECISION,
    outbox.INTENT,
)
PEER_BATCH = 300
# Records reconciled a second that are aimed at.
AIM = 2000


@contextmanager
def generated_hub(url: str, people: int, tickets: int) -> Iterator[Hub]:
    """A hub on a new ledger and three generated sides."""
    policy = parse(files("sync_platform").joinpath("policy.yaml").read_text(encoding="utf-8"), "policy.yaml")
    with Ledger.open(url, migrate=True) as ledger:
        yield Hub(
            ledger=ledger,
            connectors={system: GeneratedSystem(system, people, tickets) for system in SYSTEMS},
            policy=policy,
            run="bench",
            # One slice that never asks to stop: how long it takes is what is measured.
            timing=Timing(poll_s=1e9, run_max_s=1e9),
            writes=False,
        )


def load(hub: Hub) -> tuple[float, float]:
    """A first load up to the plan; seconds of this process's own time spent in pulling and in reconciling.

    Own time, not the clock's: on a machine that others use as well it is the steadier figure, here and for the peer.
    """
    began = time.process_time()
    for entity in ENTITIES:
        for system in SYSTEMS:
            pull.pull(hub, system, entity, reconcile.judge_now(hub, entity))
    pulled = time.process_time()
    for entity in ENTITIES:
        reconcile.reconcile(hub, entity)
    return pulled - began, time.process_time() - pulled


def counted(ledger: Ledger) -> dict[str, int]:
    """Rows of each table."""
    with ledger.read() as conn:
        return {table.name: int(conn.execute(select(func.count()).select_from(table)).scalar_one()) for table in TABLES}


def peer_s(source: Ledger, url: str) -> float:
    """Seconds for plain inserts of the same rows into an empty ledger; reading them is not counted."""
    spent = 0.0
    with Ledger.open(url, migrate=True) as target:
        for table in TABLES:
            with source.read() as conn:
                found = conn.execution_options(yield_per=PEER_BATCH).execute(select(table))
                for page in found.mappings().partitions(PEER_BATCH):
                    rows = [dict(row) for row in page]
                    began = time.process_time()
                    with target.begin() as into:
                        into.execute(insert(table), rows)
                    spent += time.process_time() - began
    return spent


def profiled(work: Callable[[], Any]) -> None:
    """Where the time goes."""
    profile = cProfile.Profile()
    profile.runcall(work)
    pstats.Stats(profile).sort_stats("cumtime").print_stats(75)


def measured(people: int, tickets: int) -> dict[str, Any]:
    """Load once, then insert the same rows."""
    with tempfile.TemporaryDirectory() as home, generated_hub(f"sqlite:///{home}/ledger.db", people, tickets) as hub:
        pulled_s, reconciled_s = load(hub)
        rows = counted(hub.ledger)
        baseline_s = peer_s(hub.ledger, f"sqlite:///{home}/peer.db")
    total_s = pulled_s + reconciled_s
    return {
        "records": rows["record"],
        "objects": rows["link"],
        "ledger_rows": sum(rows.values()),
        "pulled_rows_per_s": round(rows["observation"] / pulled_s),
        "reconciled_records_per_s": round(rows["record"] / reconciled_s),
        "whole_records_per_s": round(rows["record"] / total_s),
        "peer_records_per_s": round(rows["record"] / baseline_s),
        "ratio_to_peer": round(total_s / baseline_s, 2),
    }


def main() -> None:
    """Several loads, each into a ledger of its own; the figures are the medians."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--people", type=int, default=4000)
    arguments.add_argument("--tickets", type=int, default=4000)
    arguments.add_argument("--loads", type=int, default=3)
    arguments.add_argument("--profile", action="store_true")
    arguments.add_argument("--quick", action="store_true")
    given = arguments.parse_args()
    people, tickets, loads = (500, 500, 1) if given.quick else (given.people, given.tickets, given.loads)
    if given.profile:
        with tempfile.TemporaryDirectory() as home, generated_hub(f"sqlite:///{home}/l.db", people, tickets) as hub:
            profiled(lambda: load(hub))
        return
    found = [measured(people, tickets) for _ in range(loads)]
    figures = {name: statistics.median(one[name] for one in found) for name in found[0]}
    print(json.dumps({"benchmark": "records", "loads": loads, "aim_records_per_s": AIM} | figures))


if __name__ == "__main__":
    main()
