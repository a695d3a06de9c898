"""Runs every benchmark, each in a process of its own, and writes docs/reference/figures.md.

`python -m tests.benchmarks.run` takes about an hour. With names only those run, and only their parts of the page are
written anew; with `--quick` sizes are small, figures are printed and the page stays as it is.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
PAGE = ROOT / "docs" / "reference" / "figures.md"
NAMES = ("budget", "calls", "records", "memory", "sandbox", "door", "webhooks", "quiet", "pages")
Found = Mapping[str, Any]

BUDGET = """\
How much of a limit is used by one and by four processes that share a credential, and the most calls that any window of
the limit's length saw. Bounds: no window above what is allowed; at least 95 % of a limit whose window is ten seconds or
longer, (N − 1)/N of a limit of N calls a second."""
CALLS = """\
Calls that a run counted, calls that the sandbox served (it does not see what is said to the ERP's database; identity
checks of a start are served, not counted), and the [lower bound](bounds.md) that follows from the data. *Look back* is
the first cycle after every margin passed: HubSpot's trailing second look shows our own last writes once more. *Idle*
is one call for each feed and look."""
RECORDS = """\
Generated sides, no network, a new SQLite ledger; seconds are the process's own. A record is one customer or ticket that
up to three systems show; *pulled* counts showings. Peer: plain inserts, by the same library in batches of the same
size, of the very rows that the ledger then holds."""
MEMORY = """\
A first load up to the plan from sides that keep no rows, each in a fresh process. Bound: the two peaks are less than
{bound_mb} MB apart."""

SANDBOX = """\
The sandbox answers over HTTP on one core, limits and call log on; its client has the other core and {connections}
connections. Medians of {rounds} rounds; {contacts:,} contacts are in HubSpot's store. The large world lies on disk: one
process seeds it, another serves every kind of call above from it; peaks are of the whole process."""


DOOR = """\
`sync-platform serve` as a process of its own, {per_s} signed deliveries a second over {connections} connections, nine
tickets of 4 kB to one call with ten events. From the moment at which a delivery was due to its answer, which comes
after the commit; *core* is the share of one core that the door used. The run that writes holds the ledger's write lock
for 40 ms of every 60."""


WEBHOOKS = """\
A person edits a ticket in the sandbox's Gorgias, {edits} times, {pause_s} s apart; Gorgias calls the door; one run
stays and drains. Seconds from the edit until the delivery was stored, was drained, and was written in the other two
systems, as their own stores tell. The sandbox's limits are raised; the first delivery after quiet waits for Dagster to
start a run as well, which is measured below."""

QUIET = """\
The same way through Dagster's daemon with this project's `dagster.yaml` and the sensor `news`: {edits} edits, each made
1 to 20 s after the last run had ended; polls are {poll_s:g} s apart. Seconds from the edit until each stage was over;
the load of the machine (15 minutes) was {load}. Most of it is a new process for the run that imports Dagster; a system
is polled after what was told is written."""


PAGES = """\
Every kind of page over HTTP from `sync-platform serve`, a process of its own, over a ledger of {records:,} records made
from the rows of a few real ones; {rounds} times each, milliseconds. Bound: each median under {bound_ms} ms."""


def measure(name: str, *, quick: bool) -> dict[str, Any]:
    """One benchmark's figures: the last line that it prints. Raises CalledProcessError when it fails."""
    command = [sys.executable, str(HERE / f"bench_{name}.py"), *(["--quick"] if quick and name != "budget" else [])]
    print(f"{name} …", file=sys.stderr, flush=True)
    began = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    print(f"{name}: {time.perf_counter() - began:.0f} s\n{json.dumps(found)}", file=sys.stderr, flush=True)
    return found


# --- the machine ------------------------------------------------------------------------------------------------


def machine() -> str:
    """Cores, processor, memory and Python in words."""
    pages = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return (
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores of {processor()},"
        f" {pages / 2**30:.0f} GB, Python {platform.python_version()}"
    )


def processor() -> str:
    """The model's name where the system tells it."""
    known = Path("/proc/cpuinfo")
    if known.exists():
        for line in known.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "an unnamed processor"


# --- the page ---------------------------------------------------------------------------------------------------


def table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table; columns of numbers stand to the right."""
    numeric = [all(isinstance(row[column], int | float) for row in rows) for column in range(len(heads))]
    lines = [heads, ["--:" if right else "---" for right in numeric]]
    lines += [["—" if cell is None else str(cell) for cell in row] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def verdict(met: bool) -> str:
    """Whether a bound is kept."""
    return "kept" if met else "**missed**"


def least_efficiency(allowed: int, window_s: float) -> float:
    """The share of a limit that has to be reached."""
    return 0.95 if window_s >= 10 else (allowed - 1) / allowed


def budget_part(found: Found) -> str:
    """Efficiency by limit and number of processes."""
    rows = []
    for one in found["limits"]:
        least = least_efficiency(one["allowed"], one["window_s"])
        met = one["efficiency"] >= least and one["worst_window"] <= one["allowed"]
        limit = f"{one['limit']}: {one['allowed']} in {one['window_s']:g} s"
        rows.append((limit, one["processes"], percent(one["efficiency"]), percent(least), one["worst_window"],
                     verdict(met)))  # fmt: skip
    costs = ", ".join(f"{cost} ms for {limits}" for limits, cost in found["take_ms"].items())
    return (
        table(("limit", "processes", "reached", "bound", "worst window", ""), rows)
        + f"\n\nA take that need not wait costs (median, {found['store']}): {costs}; bound 1 ms."
    )


def percent(share: float) -> str:
    """A share in words."""
    return f"{share * 100:.1f} %"


def calls_part(found: Found) -> str:
    """Calls by phase and system."""
    columns = ("phase", "system", "read", "write", "calls", "served", "lower_bound", "ratio")
    rows = [[one[column] for column in columns] for one in found["calls"]]
    heads = [column.replace("_", " ") for column in columns]
    world = f"{found['customers']} customers, {found['tickets']} tickets, {found['edits']} edits on all sides"
    return f"World: {world}. Mails sent: {found['mails_sent']}.\n\n{table(heads, rows)}"


def records_part(found: Found) -> str:
    """Records a second beside the peer's."""
    met = found["reconciled_records_per_s"] >= found["aim_records_per_s"]
    rows = [
        ("rows pulled a second", found["pulled_rows_per_s"], ""),
        ("records reconciled a second", found["reconciled_records_per_s"],
         f"aim {found['aim_records_per_s']}: {'reached' if met else 'not reached'}"),
        ("records a second, both together", found["whole_records_per_s"], ""),
        ("peer: records a second", found["peer_records_per_s"], ""),
        ("time of both together ÷ time of the peer", found["ratio_to_peer"], ""),
    ]  # fmt: skip
    size = f"{found['records']:g} records, {found['objects']:g} objects, {found['ledger_rows']:g} rows in the ledger"
    return f"{size}; medians of {found['loads']} loads.\n\n{table(('figure', 'value', ''), rows)}"


def memory_part(found: Found) -> str:
    """Both peaks."""
    columns = ("records", "ledger_rows", "peak_mb", "seconds")
    rows = [[one[column] for column in columns] for one in found["loads"]]
    heads = ("records", "rows in the ledger", "peak MB", "seconds")
    return f"{table(heads, rows)}\n\n{found['apart_mb']} MB apart: {verdict(found['within'])}."


def sandbox_part(found: Found) -> str:
    """Speeds of the sandbox, its start, and its memory with a large world."""
    rows = [
        (f"{one['what']}, {one['system']}", one["per_s"], one["bound_per_s"],
         round(one["per_s"] / one["bound_per_s"], 1), verdict(one["per_s"] >= one["bound_per_s"]))
        for one in found["speeds"]
    ]  # fmt: skip
    large = found["large"]
    sizes = [
        (f"{large['people']:,} people, {large['tickets']:,} tickets: {name}", large[key]["seconds"],
         large[key]["peak_mb"])
        for key, name in (("seeded", "seeded"), ("served", "opened and served"))
    ]  # fmt: skip
    met = found["ready_s"] < found["ready_bound_s"]
    start = (
        f"{found['ready_people']:,} people: {found['ready_s']} s from the command to the ready line; bound"
        f" {found['ready_bound_s']:g} s: {verdict(met)}."
    )
    return "\n\n".join(
        (
            table(("what", "a second", "bound", "ratio", ""), rows),
            start,
            table(("world", "seconds until ready", "peak MB"), sizes),
            f"{large['disk_mb']:,} MB on disk; bound {large['bound_mb']:,} MB of memory: {verdict(large['within'])}.",
        )
    )


def door_part(found: Found) -> str:
    """Times of answers by ledger."""
    rows = [
        (one["ledger"], one["per_s"], one["cpu_share"], one["median_ms"], one["p99_ms"], one["bound_ms"],
         verdict(one["p99_ms"] < one["bound_ms"]))
        for one in found["ledgers"]
    ]  # fmt: skip
    return table(("ledger", "a second", "core", "median ms", "99 % under, ms", "bound ms", ""), rows)


def webhooks_part(found: Found) -> str:
    """The way of a delivery while a run drains."""
    names = {"stored_s": "stored", "drained_s": "drained", "written_s": "written in the other two systems"}
    rows = [(name, found["draining"][key]["median_s"], found["draining"][key]["p95_s"]) for key, name in names.items()]
    return f"{table(('until', 'median s', '95 % under, s'), rows)}\n\n{bound_of(found, found['draining'])}"


def quiet_part(found: Found) -> str:
    """The way of a delivery for which a run has to be started."""
    names = {
        "stored_s": "stored by the door",
        "asked_s": "seen by the sensor, which asks for a run",
        "launched_s": "taken from the queue",
        "started_s": "the run's process is there",
        "drained_s": "drained",
        "judged_s": "decided",
        "first_s": "written in one of the other two systems",
        "written_s": "written in both",
    }
    rows = [(name, found["quiet"][key]["median_s"], found["quiet"][key]["p95_s"]) for key, name in names.items()]
    return f"{table(('until', 'median s', '95 % under, s'), rows)}\n\n{bound_of(found, found['quiet'])}"


def bound_of(found: Found, stages: Found) -> str:
    """Whether the whole way is as short as it has to be."""
    whole = stages["written_s"]
    met = whole["median_s"] < found["median_bound_s"] and whole["p95_s"] < found["p95_bound_s"]
    return f"Bound: median {found['median_bound_s']} s, 95 % under {found['p95_bound_s']} s: {verdict(met)}."


def pages_part(found: Found) -> str:
    """Each page on both databases."""
    lite, other = found["ledgers"]
    rows = [
        (one["page"], one["median_ms"], one["most_ms"], two["median_ms"], two["most_ms"])
        for one, two in zip(lite["pages"], other["pages"], strict=True)
    ]
    met = all(row[1] < found["bound_ms"] and row[3] < found["bound_ms"] for row in rows)
    heads = ("page", f"{lite['ledger']}: median", "most", f"{other['ledger']}: median", "most")
    return f"{table(heads, rows)}\n\nBound: {verdict(met)}."


PARTS: Mapping[str, tuple[str, str, Callable[[Found], str]]] = {
    "budget": ("Budget", BUDGET, budget_part),
    "calls": ("Calls against the bound", CALLS, calls_part),
    "records": ("Records a second", RECORDS, records_part),
    "memory": ("Peak memory", MEMORY, memory_part),
    "sandbox": ("The sandbox", SANDBOX, sandbox_part),
    "door": ("The door", DOOR, door_part),
    "webhooks": ("From a webhook to the other systems", WEBHOOKS, webhooks_part),
    "quiet": ("The first webhook after quiet", QUIET, quiet_part),
    "pages": ("Pages over a million records", PAGES, pages_part),
}
HEAD = """\
# Figures

By `python -m tests.benchmarks.run`; each part says when and on which machine it was measured. Compare ratios, not
seconds: others used the machine as well."""


def page(found: Mapping[str, Found], at: datetime, before: str) -> str:
    """The whole page: what was measured now, and the other parts as they stand in the page before."""
    kept = {part.partition("\n")[0]: part for part in before.split("\n## ")[1:]}
    parts = [HEAD]
    for name, (title, words, body) in PARTS.items():
        if name in found:
            measured = f"Measured {at:%Y-%m-%d %H:%M} UTC on {machine()}."
            parts.append("\n\n".join((f"## {title}", measured, words.format(**found[name]), body(found[name]))))
        elif title in kept:
            parts.append(f"## {kept[title].strip()}")
    return "\n\n".join(parts) + "\n"


def main() -> int:
    """Run them, write the page."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--quick", action="store_true", help="small sizes; the page stays as it is")
    arguments.add_argument("names", nargs="*", help=f"of {', '.join(NAMES)}; their parts of the page are written anew")
    given = arguments.parse_args()
    unknown = set(given.names) - set(NAMES)
    if unknown:
        arguments.error(f"there is no benchmark {', '.join(sorted(unknown))}: choose of {', '.join(NAMES)}")
    found = {name: measure(name, quick=given.quick) for name in NAMES if not given.names or name in given.names}
    if given.quick:
        print(json.dumps(found, indent=1, ensure_ascii=False))
        return 0
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    before = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    PAGE.write_text(page(found, datetime.now(UTC), before), encoding="utf-8")
    print(f"wrote {PAGE.relative_to(ROOT)}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
