"""How much of a limit one and four processes reach, and what a take costs. Prints one JSON object; about 40 seconds.

Efficiency is calls made as a share of all that the limit allows, less the reserve; the worst window is the most calls
that any window of the limit's length saw. Neither may be above what is allowed.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from sync_platform.core.records import Lane
from sync_platform.ledger.budget import Budget
from sync_platform.ledger.database import Ledger
from tests.ledger import spending

SECONDS = 30.0
# What is limited, to how many calls, in how many seconds, and how many processes spend it.
CASES = (
    ("gorgias window", 40, 20.0, 1),
    ("gorgias window", 40, 20.0, 4),
    ("gorgias window x 10", 400, 20.0, 1),
    ("gorgias window x 10", 400, 20.0, 4),
    ("hubspot ten seconds", 190, 10.0, 1),
    ("hubspot ten seconds", 190, 10.0, 4),
    ("hubspot search", 5, 1.0, 4),
)
START = threading.Barrier(len(CASES))


def measure(url: str, case: tuple[str, int, float, int], into: list[dict[str, Any]]) -> None:
    """Let the processes of one case spend, and note what an observer would have counted."""
    name, allowed, window_s, processes = case
    limits = [(f"{name} {processes}", allowed, window_s)]
    # Nobody starts while others still load their modules: that would measure the machine.
    spent = spending.spend_in_processes(
        url, limits, lanes=["delta"] * processes, seconds=SECONDS, start=lambda: START.wait(timeout=60)
    )
    went = spent.went
    into.append(
        {
            "limit": name,
            "allowed": allowed,
            "window_s": window_s,
            "processes": processes,
            "worst_window": spending.worst_window(went, window_s),
            "efficiency": round(spending.efficiency(went, allowed, window_s, SECONDS), 4),
        }
    )


def cost_of_a_take(ledger: Ledger, count: int = 1000) -> dict[str, float]:
    """Milliseconds for a take that need not wait, on one limit and on two."""
    costs = {}
    limits = [("window", 10_000_000, 20.0), ("day", 1_000_000_000, 86_400.0)]
    with Budget(ledger, "gorgias", "cost", limits, reserve=0.0, run="cost") as budget:
        for names in (["window"], ["window", "day"]):
            spent = []
            for _ in range(count):
                began = time.perf_counter()
                budget.spend(names, lane=Lane.INTERACTIVE, purpose="read")
                spent.append(time.perf_counter() - began)
            costs[" + ".join(names)] = round(statistics.median(spent) * 1000, 3)
    return costs


def main() -> None:
    """All cases at once, each on limits of its own: they wait most of the time."""
    results: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as home:
        url = f"sqlite:///{home}/ledger.db"
        with Ledger.open(url, migrate=True) as ledger:
            cost = cost_of_a_take(ledger)
            threads = [threading.Thread(target=measure, args=(url, case, results)) for case in CASES]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    results.sort(key=lambda result: (result["limit"], result["processes"]))
    print(json.dumps({"benchmark": "budget", "store": "sqlite", "take_ms": cost, "limits": results}))


if __name__ == "__main__":
    main()
