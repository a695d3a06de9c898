"""Peak memory of a first load up to the plan, for few and for many generated records, each in a process of its own.

The sides keep no rows, so what grows between the two runs is held by the platform: less than 40 MB may be. Prints one
JSON object; about eight minutes, `--quick` half a minute.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

APART_MAX_MB = 40
FEW, MANY = 10_000, 200_000
QUICK_FEW, QUICK_MANY = 2_000, 12_000


def peak_mb() -> float:
    """The most memory that this process ever held."""
    status = Path("/proc/self/status")
    if status.exists():
        # What the system reports at the end counts what the parent held at the fork; this is ours alone.
        line = next(one for one in status.read_text(encoding="ascii").splitlines() if one.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 1024


def measure(records: int) -> dict[str, Any]:
    """Load so many records (half of them people) in this process."""
    from tests.benchmarks.bench_records import counted, generated_hub, load

    began = time.perf_counter()
    with (
        tempfile.TemporaryDirectory() as home,
        generated_hub(f"sqlite:///{home}/ledger.db", records // 2, records - records // 2) as hub,
    ):
        load(hub)
        rows = counted(hub.ledger)
    return {
        "records": rows["record"],
        "ledger_rows": sum(rows.values()),
        "peak_mb": round(peak_mb(), 1),
        "seconds": round(time.perf_counter() - began, 1),
    }


def measured_apart(records: int) -> dict[str, Any]:
    """The same in a fresh process."""
    done = subprocess.run(
        [sys.executable, __file__, "--records", str(records)], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    print(json.dumps(found), file=sys.stderr, flush=True)
    return found


def main() -> None:
    """Few, then many."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--records", type=int, help="measure in this process")
    arguments.add_argument("--quick", action="store_true")
    given = arguments.parse_args()
    if given.records:
        print(json.dumps(measure(given.records)))
        return
    sizes = (QUICK_FEW, QUICK_MANY) if given.quick else (FEW, MANY)
    loads = [measured_apart(size) for size in sizes]
    apart = round(loads[1]["peak_mb"] - loads[0]["peak_mb"], 1)
    print(
        json.dumps(
            {"benchmark": "memory", "apart_mb": apart, "bound_mb": APART_MAX_MB, "within": apart < APART_MAX_MB}
            | {"loads": loads}
        )
    )


if __name__ == "__main__":
    main()
