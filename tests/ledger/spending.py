"""Several processes that spend one budget as fast as it lets them, and what an observer of the account would count.

Run as a script it is one of these processes: it says «ready», waits for a line, spends, and prints when its calls went.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
Limits = list[tuple[str, int, float]]


def spend(url: str, limits: Limits, lane: str, seconds: float, reserve: float) -> list[float]:
    """When each call of one process went, on the clock of this host."""
    from sync_platform.core.records import Lane
    from sync_platform.ledger.budget import Budget
    from sync_platform.ledger.database import Ledger

    went = []
    with (
        Ledger.open(url, migrate=False) as ledger,
        Budget(ledger, "gorgias", "hash", limits, reserve=reserve, run="run") as budget,
    ):
        names = [name for name, _, _ in limits]
        print("ready", flush=True)
        sys.stdin.readline()
        end = time.time() + seconds
        while time.time() < end:
            budget.spend(names, lane=Lane(lane), purpose="read")
            went.append(time.time())
    return [at for at in went if at < end]


def spend_in_processes(
    url: str,
    limits: Limits,
    *,
    lanes: list[str],
    seconds: float,
    reserve: float = 0.0,
    start: Callable[[], object] = lambda: None,
) -> list[float]:
    """When the calls of all processes went: one for each of `lanes`, set going together once `start` returns."""
    children = [
        subprocess.Popen(
            [sys.executable, __file__, json.dumps([url, limits, lane, seconds, reserve])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        for lane in lanes
    ]
    try:
        for child in children:
            assert child.stdout is not None
            assert child.stdout.readline() == "ready\n"
        start()
        for child in children:
            assert child.stdin is not None
            child.stdin.write("go\n")
            child.stdin.flush()
        return [at for child in children for at in json.loads(child.communicate(timeout=seconds + 60)[0])]
    finally:
        for child in children:
            child.kill()
            child.wait()


def worst_window(went: list[float], window_s: float) -> int:
    """The most calls in any window of this length."""
    ordered, worst, first = sorted(went), 0, 0
    for last, at in enumerate(ordered):
        while at - ordered[first] >= window_s:
            first += 1
        worst = max(worst, last - first + 1)
    return worst


def efficiency(went: list[float], allowed: int, window_s: float, seconds: float) -> float:
    """Calls as a share of all that the limit would have allowed."""
    return len(went) / (allowed * seconds / window_s)


def main(argument: str) -> None:
    """One spending process."""
    arguments: list[Any] = json.loads(argument)
    print(json.dumps(spend(*arguments)), flush=True)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main(sys.argv[1])
