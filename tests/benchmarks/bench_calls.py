"""Calls against their lower bound by system: a first load, a delta after edits on all sides, then cycles without news.

The first of those («look back») sees our own last writes once more in HubSpot's trailing second look; «idle» is the
next one, which is one call for each feed and look.

On the sandbox, with its limits widened: how many calls are made doesn't depend on how fast they may be made. `served`
is the sandbox's own count. Prints one JSON object; about a minute and a half.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from sync_platform.core.records import SYSTEMS
from sync_platform.sandbox.server import Options, running
from sync_platform.settings import Settings
from sync_platform.sync.cycle import run_until_complete
from sync_platform.sync.setup import setup

RATE_SCALE = 50
EDITS = 60
# Past every margin, search lag and second look.
DELTA_AFTER_S, IDLE_AFTER_S = 60, 7200


class Control:
    """The sandbox's control port."""

    def __init__(self, url: str) -> None:
        self._url = url

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """One request; gives the JSON of the answer."""
        request = urllib.request.Request(
            self._url + path,
            method=method,
            data=json.dumps(body).encode() if body is not None else None,
            headers={"content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)


def phase(name: str, settings: Settings, control: Control) -> list[dict[str, Any]]:
    """Cycles until nothing is left to do: one row for each system."""
    control.ask("DELETE", "/calls")
    began = time.perf_counter()
    found = run_until_complete(settings)
    seconds = round(time.perf_counter() - began, 1)
    served = control.ask("GET", "/calls")
    rows = []
    for system in SYSTEMS:
        facts = found["systems"][str(system)]
        rows.append(
            {
                "phase": name,
                "system": str(system),
                **facts["calls"],
                "calls": sum(facts["calls"].values()),
                "served": served_by(served, str(system)),
                "lower_bound": facts["lower_bound"],
                "ratio": facts["ratio"],
            }
        )
        print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    print(f"{name}: {found['outcome']}, complete: {found['complete']}, {seconds} s", file=sys.stderr, flush=True)
    return rows


def served_by(served: dict[str, Any], system: str) -> int | None:
    """The sandbox's own count; it doesn't see what is said to the ERP's database."""
    if system == "erp":
        return None
    return sum(int(row["count"]) for row in served["by"] if row["system"] == system)


def main() -> None:
    """The three phases in one world."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--customers", type=int, default=300)
    arguments.add_argument("--tickets", type=int, default=600)
    arguments.add_argument("--quick", action="store_true")
    given = arguments.parse_args()
    customers, tickets = (40, 60) if given.quick else (given.customers, given.tickets)
    options = Options(
        customers=customers,
        tickets=tickets,
        rate_scale=RATE_SCALE,
        gorgias_port=0,
        hubspot_port=0,
        control_port=0,
    )
    with tempfile.TemporaryDirectory() as home, running(options) as ready:
        url = ready["control"]["url"]
        control = Control(url)
        words = {"SANDBOX_CONTROL_URL": url, "LEDGER_DATABASE_URL": f"sqlite:///{home}/ledger.db"}
        settings = Settings.load(words, root=Path(home))
        setup(settings)
        rows = phase("first load", settings, control)
        for _ in range(EDITS):
            control.ask("POST", "/script/next", {})
        control.ask("POST", "/clock", {"advance_s": DELTA_AFTER_S})
        rows += phase("delta", settings, control)
        control.ask("POST", "/clock", {"advance_s": IDLE_AFTER_S})
        rows += phase("look back", settings, control)
        control.ask("POST", "/clock", {"advance_s": IDLE_AFTER_S})
        rows += phase("idle", settings, control)
        outbox = len(control.ask("GET", "/outbox"))
    print(
        json.dumps(
            {
                "benchmark": "calls",
                "customers": customers,
                "tickets": tickets,
                "edits": EDITS,
                "mails_sent": outbox,
                "calls": rows,
            }
        )
    )


if __name__ == "__main__":
    main()
