"""From a delivery to «written in the other two systems», while a run drains.

A sandbox whose Gorgias calls the door, the door as a process of its own, and one run that stays. A person edits one
ticket after the other in Gorgias; the clock runs from the edit until the ERP and HubSpot hold it, as their own stores
tell. The breakdown comes from the ledger: stored by the door, drained by the run. One JSON object, last on stdout.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sync_platform.core.records import ENTITIES, SYSTEMS
from sync_platform.sync.cycle import open_cycle
from sync_platform.sync.setup import setup
from tests.sync.desk import Desk, opened, settings_of
from tests.web.calls import SHARED
from tests.web.serving import served

BOUND_S = {"median_bound_s": 1.5, "p95_bound_s": 3.0}
PAUSE_S = 0.7
GIVE_UP_S = 30.0


def run(desk: Desk, stop: threading.Event) -> None:
    """Runs that stay, one after the other, as the sensor starts them."""
    while not stop.is_set():
        with open_cycle(desk.settings, stay_s=20.0) as cycle:
            for entity in ENTITIES:
                for system in SYSTEMS:
                    cycle.pull(system, entity)
            cycle.settle()
            if not stop.is_set():
                cycle.finish()


def edit(desk: Desk, number: int, ids: dict[str, str]) -> dict[str, float]:
    """One edit, and the seconds until each stage of its way was over."""
    subject = f"Edited for the {number}th time"
    began, at = time.perf_counter(), datetime.now(UTC)
    desk.edit("gorgias", "tickets", ids["gorgias"], subject=subject)
    while time.perf_counter() - began < GIVE_UP_S:
        time.sleep(0.02)
        (erp,) = desk.sql("SELECT subject FROM erp_tickets WHERE id = :id", id=int(ids["erp"]))
        if erp.subject != subject:
            continue
        page = desk.call("GET", f"/state/hubspot/tickets?after={int(ids['hubspot']) - 1}&limit=1")
        if page["rows"][0]["properties"]["subject"] == subject:
            break
    else:
        raise AssertionError(f"edit {number} did not arrive within {GIVE_UP_S} s")
    written_s = time.perf_counter() - began
    (row,) = desk.ledger("SELECT received_at, drained_at FROM inbox ORDER BY id DESC LIMIT 1")
    stages = [datetime.fromisoformat(str(one)).replace(tzinfo=UTC) for one in row]
    return {
        "stored_s": (stages[0] - at).total_seconds(),
        "drained_s": (stages[1] - at).total_seconds(),
        "written_s": written_s,
    }


def main() -> None:
    """A warm-up, then the edits that count."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--quick", action="store_true", help="eight edits")
    count = 8 if arguments.parse_args().quick else 100
    found: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory() as folder, opened(Path(folder)) as desk:
        env = {"GORGIAS_WEBHOOK_SECRET": SHARED}
        desk.settings = settings_of(desk.ready, desk.root, env)
        trios = list(desk.trios("ticket").values())
        with served(desk.root, desk.settings.ledger_url, **(env | {"GORGIAS_HMAC_SECRET": ""})) as door:
            setup(desk.settings, webhooks_url=door.ready["door"])
            stop = threading.Event()
            thread = threading.Thread(target=run, args=(desk, stop), daemon=True)
            thread.start()
            try:
                for number in range(count + 2):
                    found.append(edit(desk, number, trios[number % len(trios)]))
                    time.sleep(PAUSE_S)
            finally:
                stop.set()
                thread.join(60)
    print(json.dumps({"edits": count, "pause_s": PAUSE_S, "draining": figures(found[2:])} | BOUND_S))


def figures(found: list[dict[str, float]]) -> dict[str, Any]:
    """Median and 95 % of each stage, in seconds since the edit."""
    out: dict[str, Any] = {}
    for stage in ("stored_s", "drained_s", "written_s"):
        values = sorted(one[stage] for one in found)
        out[stage] = {
            "median_s": round(values[len(values) // 2], 2),
            "p95_s": round(values[len(values) * 95 // 100], 2),
        }
    return out


if __name__ == "__main__":
    main()
