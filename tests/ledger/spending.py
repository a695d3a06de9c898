"""Several processes that spend one budget as fast as it lets them, and what an observer of the account would count.

Run as a script it is one of these processes: it says «ready», waits for a line, spends, and prints when its calls went.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
Limits = list[tuple[str, int, float]]


@dataclass
class Spent:
    """For all processes: when their calls went on this host's clock, and for which moments the budget granted them.

    On a busy machine a call goes later than granted; what was granted must keep the limit whatever the machine does.
    """

    went: list[float]
    granted: list[float]


def spend(url: str, limits: Limits, lane: str, seconds: float, reserve: float) -> dict[str, list[float]]:
    """What one process spends."""
    from sync_platform.core.records import Lane
    from sync_platform.ledger.budget import Budget
    from sync_platform.ledger.database import Ledger

    class Observed(Budget):
        """Notes the moment of each grant by the budget's own clock."""

        def _take(self, *args: Any, **options: Any) -> Any:
            read, self._clock = self._clock, self._read
            self._read_clock = read
            try:
                taken = super()._take(*args, **options)
            finally:
                self._clock = read
            if taken[0].granted:
                granted.append(self._seen + taken[0].wait_s)
            return taken

        def _read(self, conn: Any) -> float:
            self._seen = self._read_clock(conn)
            return self._seen

    went: list[float] = []
    granted: list[float] = []
    with (
        Ledger.open(url, migrate=False) as ledger,
        Observed(ledger, "gorgias", "hash", limits, reserve=reserve, run="run") as budget,
    ):
        names = [name for name, _, _ in limits]
        print("ready", flush=True)
        sys.stdin.readline()
        end = time.time() + seconds
        while time.time() < end:
            budget.spend(names, lane=Lane(lane), purpose="read")
            went.append(time.time())
    return {"went": [at for at in went if at < end], "granted": granted}


def spend_in_processes(
    url: str,
    limits: Limits,
    *,
    lanes: list[str],
    seconds: float,
    reserve: float = 0.0,
    start: Callable[[], object] = lambda: None,
) -> Spent:
    """What all processes spent: one for each of `lanes`, set going together once `start` returns."""
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
        spent = [json.loads(child.communicate(timeout=seconds + 60)[0]) for child in children]
        return Spent(*([at for one in spent for at in one[name]] for name in ("went", "granted")))
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
