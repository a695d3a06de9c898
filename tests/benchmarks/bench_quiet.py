"""From a delivery to «written in the other two systems», first after quiet: Dagster has to start a run for it.

A sandbox whose Gorgias calls the door, the door as a process of its own, and Dagster's daemon with the sensors and the
`dagster.yaml` of this project, in a folder of its own. Each time no run is under way, and somewhere between two polls a
person edits a ticket in Gorgias. The clock runs from the edit until the ERP and HubSpot hold it, as their own stores
tell. The breakdown comes from the ledger and from Dagster's storage. One JSON object, last on stdout.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg

from sync_platform.cli_demo import HOME_FILES, clean_environment
from sync_platform.orchestration.triggers import UNDER_WAY
from sync_platform.sync.setup import setup
from tests.sync.desk import Desk, opened, settings_of
from tests.web.calls import SHARED
from tests.web.serving import ROOT, served

BOUND_S = {"median_bound_s": 6.0, "p95_bound_s": 9.0}
# As with real accounts; a sandbox is polled every ten seconds, which would hardly ever leave it quiet.
POLL_S = 30.0
REST_S = (1.0, 20.0)
GIVE_UP_S = 90.0
STAGES = ("stored_s", "asked_s", "launched_s", "started_s", "drained_s", "judged_s", "first_s", "written_s")


@contextmanager
def daemon(desk: Desk) -> Iterator[Path]:
    """Dagster's daemon on an instance of its own, with the code location that it starts by itself; gives its log."""
    places = {"working_directory: .": f"working_directory: {json.dumps(str(ROOT))}", ".sync/": f"{desk.root}/.sync/"}
    for name in HOME_FILES:
        text = (ROOT / name).read_text(encoding="utf-8")
        for here, there in places.items():
            text = text.replace(here, there)
        (desk.root / name).write_text(text, encoding="utf-8")
    workspace = desk.root / "workspace.yaml"
    given = {
        "DAGSTER_HOME": str(desk.root),
        "PYTHONPATH": str(ROOT),
        "PYTHONWARNINGS": "ignore",
        "SYNC_ROOT": str(desk.root),
        "SYNC_POLL_S": str(POLL_S),
        "SANDBOX_CONTROL_URL": str(desk.ready["control"]["url"]),
        "LEDGER_DATABASE_URL": desk.settings.ledger_url,
    }
    log = desk.root / "daemon.log"
    command = [sys.executable, "-m", "dagster._daemon", "run", "-w", str(workspace)]
    with log.open("wb") as out:
        child = subprocess.Popen(
            command, cwd=desk.root, env=clean_environment(**given), stdout=out, stderr=out, start_new_session=True
        )
    try:
        yield log
    finally:
        end(child)


def end(child: subprocess.Popen[bytes]) -> None:
    """The daemon and whatever it started: first asked, then made to."""
    for number, patience_s in ((signal.SIGTERM, 15.0), (signal.SIGKILL, 5.0)):
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline:
            try:
                os.killpg(child.pid, number if child.poll() is None else signal.SIGKILL)
            except ProcessLookupError:
                return
            time.sleep(0.2)


def runs(instance: dg.DagsterInstance) -> int:
    """How many cycles are queued or at work."""
    return instance.get_runs_count(dg.RunsFilter(job_name="sync", statuses=UNDER_WAY))


def quiet(instance: dg.DagsterInstance, rest_s: float) -> None:
    """Wait until no cycle is under way, and then so long, if none began meanwhile."""
    deadline = time.monotonic() + 4 * GIVE_UP_S
    since = time.monotonic()
    while time.monotonic() < deadline:
        if runs(instance):
            since = time.monotonic()
        elif time.monotonic() - since >= rest_s:
            return
        time.sleep(0.2)
    raise AssertionError("the platform never came to rest")


def edit(desk: Desk, number: int, ids: Mapping[str, str]) -> dict[str, Any]:
    """One edit, and the moments at which it stood in each of the other systems."""
    subject = f"Edited for the {number}th time"
    at = datetime.now(UTC)
    desk.edit("gorgias", "tickets", ids["gorgias"], subject=subject)
    arrived: dict[str, datetime] = {}
    deadline = time.monotonic() + GIVE_UP_S
    while len(arrived) < 2:
        if time.monotonic() > deadline:
            raise AssertionError(f"edit {number} did not arrive within {GIVE_UP_S} s")
        time.sleep(0.02)
        if "erp" not in arrived:
            (erp,) = desk.sql("SELECT subject FROM erp_tickets WHERE id = :id", id=int(ids["erp"]))
            if erp.subject == subject:
                arrived["erp"] = datetime.now(UTC)
        if "hubspot" not in arrived:
            page = desk.call("GET", f"/state/hubspot/tickets?after={int(ids['hubspot']) - 1}&limit=1")
            if page["rows"][0]["properties"]["subject"] == subject:
                arrived["hubspot"] = datetime.now(UTC)
    return {"at": at, "arrived": sorted(arrived.values())}


def stages(desk: Desk, instance: dg.DagsterInstance, found: Mapping[str, Any]) -> dict[str, float]:
    """Seconds since the edit until each stage of its way was over."""
    inbox = next(
        row
        for row in desk.ledger("SELECT received_at, drained_at FROM inbox ORDER BY id")
        if aware(row.received_at) >= found["at"]
    )
    (decided,) = desk.ledger("SELECT run, at FROM decision WHERE field = 'subject' ORDER BY id DESC LIMIT 1")
    (record,) = instance.get_run_records(dg.RunsFilter(run_ids=[decided.run]))
    (launched,) = instance.get_records_for_run(decided.run, of_type=dg.DagsterEventType.PIPELINE_STARTING).records
    moments = {
        "stored_s": aware(inbox.received_at),
        "asked_s": record.create_timestamp.replace(tzinfo=UTC),
        "launched_s": datetime.fromtimestamp(launched.timestamp, UTC),
        "started_s": datetime.fromtimestamp(record.start_time or 0.0, UTC),
        "drained_s": aware(inbox.drained_at),
        "judged_s": aware(decided.at),
        "first_s": found["arrived"][0],
        "written_s": found["arrived"][1],
    }
    return {name: (moment - found["at"]).total_seconds() for name, moment in moments.items()}


def aware(value: object) -> datetime:
    """A time of the ledger."""
    at = datetime.fromisoformat(str(value))
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def measured(desk: Desk, count: int, seed: int) -> list[dict[str, float]]:
    """Edits, each after quiet; the first one warms up and is left out."""
    rest = random.Random(seed)
    trios = list(desk.trios("ticket").values())
    out = []
    with daemon(desk), dg.DagsterInstance.from_config(str(desk.root)) as instance:
        for number in range(count + 1):
            quiet(instance, rest.uniform(*REST_S))
            found = edit(desk, number, trios[number % len(trios)])
            out.append(stages(desk, instance, found))
            print(json.dumps({name: round(value, 2) for name, value in out[-1].items()}), file=sys.stderr, flush=True)
    return out[1:]


def main() -> None:
    """Set up, measure, print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--quick", action="store_true", help="three edits")
    arguments.add_argument("--seed", type=int, default=1, help="of the rests between the edits")
    given = arguments.parse_args()
    count = 3 if given.quick else 16
    with tempfile.TemporaryDirectory() as folder, opened(Path(folder)) as desk:
        env = {"GORGIAS_WEBHOOK_SECRET": SHARED}
        desk.settings = settings_of(desk.ready, desk.root, env)
        with served(desk.root, desk.settings.ledger_url, **(env | {"GORGIAS_HMAC_SECRET": ""})) as door:
            setup(desk.settings, webhooks_url=door.ready["door"])
            found = measured(desk, count, given.seed)
    load = round(os.getloadavg()[2], 1)
    print(json.dumps({"edits": count, "poll_s": POLL_S, "load": load, "quiet": figures(found)} | BOUND_S))


def figures(found: list[dict[str, float]]) -> dict[str, Any]:
    """Median and 95 % of each stage, in seconds since the edit."""
    out: dict[str, Any] = {}
    for stage in STAGES:
        values = sorted(one[stage] for one in found)
        out[stage] = {
            "median_s": round(values[len(values) // 2], 2),
            "p95_s": round(values[len(values) * 95 // 100], 2),
        }
    return out


if __name__ == "__main__":
    main()
