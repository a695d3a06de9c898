"""What starts runs: the jobs, the sensor `news`, the nightly full run, and the word about a run that failed."""

# Dagster reads the annotation of an op's config at once, so annotations are not postponed here.
import json
import logging
import time
import urllib.error
import urllib.request
from typing import Any

import dagster as dg
from pydantic import Field

from sync_platform.errors import Halt, SyncError
from sync_platform.orchestration.assets import OUTCOME
from sync_platform.orchestration.resources import told, unexpected
from sync_platform.orchestration.tables import table
from sync_platform.settings import Settings

log = logging.getLogger(__name__)

# The daemon looks every five seconds whether a tick is to begin: one that ends just before leaves hardly a gap.
NEWS_WAIT_S = 14.5
LOOK_EVERY_S = 0.25
# A run that ended without finishing a cycle leaves its key as it was: the next one is asked for under the next attempt.
KEY_TAG = "sync/key"
RETRY_S = 5.0
RETRY_MAX_S = 300.0
ALERT_TIMEOUT_S = 5.0
UNDER_WAY = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
NIGHTLY = {"resources": {"cycle": {"config": {"full": True}}}}

sync_job = dg.define_asset_job(
    "sync",
    selection=dg.AssetSelection.assets(OUTCOME).upstream()
    & dg.AssetSelection.groups("pull", "reconcile", "push", "cycle"),
    tags={"sync/cycle": "one"},
    description="One cycle: pull, reconcile, push. The sensor `news` starts it when there is something to do.",
)


class PlanConfig(dg.Config):
    """What to look at."""

    only: list[str] = Field(
        default=[], description="`gorgias`, `customer`, `customer:<record id>`, `ticket:gorgias:123`"
    )


@dg.op(description="Reads the systems, keeps what it saw, and says what a cycle would write. Writes nothing.")
def preview(context: dg.OpExecutionContext, config: PlanConfig) -> None:
    """What a cycle would write, in words and as a table without any value of a person."""
    from sync_platform.sync.preview import plan, words

    failure = None
    try:
        found = plan(Settings.load(), only=tuple(config.only))
        text = words(found)
    except SyncError as error:
        failure = told(error)
    except Exception as error:  # noqa: BLE001 - its words could hold a customer's data
        failure = unexpected(error)
    if failure is not None:
        raise dg.Failure(description=failure, allow_retries=False)
    context.log.info(text)
    rows = [
        {"system": system, **{verb: str(n) for verb, n in verbs.items()}} for system, verbs in found["counts"].items()
    ]
    context.add_output_metadata(
        {
            "would_write": int(found["would_write"]),
            "seconds_estimated": float(found["seconds_estimated"]),
            "in_words": dg.MetadataValue.md(text),
            "counts": dg.MetadataValue.md(table(rows)),
        }
    )


@dg.job(name="plan", description="What would be written now, in words. Materializes nothing, writes nothing.")
def plan_job() -> None:
    """One op: it looks, and says."""
    preview()


class ApproveConfig(dg.Config):
    """Which plan or hold, and on whose word."""

    plan: str = Field(description="The id of a plan, or the number of a hold, as `sync-platform plan` lists them")
    who: str = Field(description="Who approves: it is recorded")
    why: str | None = Field(default=None, description="Why: it is recorded; no name or data of a customer")


@dg.op(description="Approves a plan, or what the brake holds; the next cycle carries it out.")
def approval(context: dg.OpExecutionContext, config: ApproveConfig) -> None:
    """A person's word, given in the UI."""
    from sync_platform.sync import plans, sources  # noqa: F401 - the sources register what carries their plans out

    failure = None
    try:
        found = plans.approve(Settings.load(), config.plan, who=config.who, why=config.why)
    except SyncError as error:
        failure = told(error)
    except Exception as error:  # noqa: BLE001 - its words could hold a customer's data
        failure = unexpected(error)
    if failure is not None:
        raise dg.Failure(description=failure, allow_retries=False)
    context.log.info("approved, %d items: the next cycle carries it out", int(found["items"]))
    context.add_output_metadata({"items": int(found["items"])})


@dg.job(name="approve", description="Approves a plan or a hold by its id. The next cycle carries it out.")
def approve_job() -> None:
    """One op: it records the word."""
    approval()


@dg.sensor(
    name="news",
    job=sync_job,
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=1,
    description="Starts a cycle when the ledger says that there is something to do: a webhook, a change in the ERP, a "
    "write that is due, a poll that is due, a walk that was not finished. It never calls a system.",
)
def news_sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """One run if none is queued or started and the ledger knows of work; waits for either within its tick."""
    deadline = time.monotonic() + NEWS_WAIT_S
    while True:
        found = look(context.instance, deadline)
        if not isinstance(found, str):
            return dg.SensorResult(run_requests=[found])
        if time.monotonic() >= deadline:
            return dg.SkipReason(found)
        time.sleep(min(LOOK_EVERY_S, max(deadline - time.monotonic(), 0.0)))


def look(instance: dg.DagsterInstance, deadline: float) -> dg.RunRequest | str:
    """The run to ask for, or in words why there is none now. Looks into the ledger until `deadline` (monotonic)."""
    from sync_platform.sync.news import news

    under_way = dg.RunsFilter(job_name="sync", statuses=UNDER_WAY)
    if instance.get_runs_count(under_way):
        return "a cycle is queued or running"
    try:
        found = news(Settings.load(), wait_s=max(deadline - time.monotonic(), 0.0))
    except Halt as error:
        return told(error)
    if not found.due:
        return ", ".join(found.reasons) or "nothing to do"
    if instance.get_runs_count(under_way):
        return "a cycle was started meanwhile"
    attempts = dg.RunsFilter(job_name="sync", tags={KEY_TAG: found.run_key})
    tried = instance.get_runs_count(attempts)
    if tried:
        (last,) = instance.get_run_records(attempts, limit=1)
        pause_s = min(RETRY_S * 2 ** (tried - 1), RETRY_MAX_S)
        if (last.end_time or 0.0) + pause_s > time.time():
            return f"the last run ended without finishing a cycle; the next one starts after {pause_s:.0f} s"
    tags = {"sync/reasons": ", ".join(found.reasons)[:250], KEY_TAG: found.run_key}
    return dg.RunRequest(run_key=f"{found.run_key}-{tried}" if tried else found.run_key, tags=tags)


nightly_full = dg.ScheduleDefinition(
    name="nightly_full",
    job=sync_job,
    cron_schedule="0 2 * * *",
    execution_timezone="UTC",
    run_config=NIGHTLY,
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Lists everything again, so that what a feed never showed is found.",
)


@dg.run_failure_sensor(
    name="run_failed",
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Logs a failed run, and tells SYNC_ALERT_URL when that is set: the run, the job, the steps.",
)
def run_failed(context: dg.RunFailureSensorContext) -> None:
    """Say it once: names of the run, the job and the steps, nothing else."""
    steps = sorted({event.step_key for event in context.get_step_failure_events() if event.step_key})
    run = context.dagster_run
    where = ", ".join(steps) or "its start"
    text = f"Run {run.run_id} of job {run.job_name} failed in {where}. Its page names the remedy."
    context.log.warning(text)
    address = Settings.load().secret("SYNC_ALERT_URL")
    if address:
        tell(address, {"text": text, "run": run.run_id, "job": run.job_name, "steps": steps})


def tell(address: str, body: dict[str, Any]) -> bool:
    """POST a JSON body; a failure is logged without the address, which is a secret. True when it was taken."""
    if not address.startswith(("https://", "http://")):
        log.warning("the alert was not sent: SYNC_ALERT_URL is not an http(s) address")
        return False
    request = urllib.request.Request(  # noqa: S310 - the scheme was checked above
        address, data=json.dumps(body).encode(), headers={"content-type": "application/json"}, method="POST"
    )
    try:
        with urllib.request.urlopen(request, timeout=ALERT_TIMEOUT_S):  # noqa: S310 - same
            return True
    except (OSError, urllib.error.URLError) as error:
        log.warning("the alert was not sent: %s", type(error).__name__)
        return False
