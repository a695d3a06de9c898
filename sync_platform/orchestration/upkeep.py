"""What looks after the platform: the equality audit, and the pruning of the ledger and of Dagster's own runs."""

# Dagster reads the annotation of `context` at once, so annotations are not postponed here.
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
from pydantic import Field

from sync_platform.errors import AnotherCycleRuns, SyncError
from sync_platform.orchestration import checks
from sync_platform.orchestration.resources import told, unexpected
from sync_platform.settings import Settings

EQUALITY = dg.AssetKey(["audit", "equality"])
NAMES = ("fields_compared", "fields_differ", "oldest_comparison_s")
ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
RUNS_AT_ONCE = 100


@dg.asset(
    key=EQUALITY,
    group_name="audit",
    kinds={"python"},
    check_specs=checks.specs(EQUALITY, ["equality"]),
    description="Fresh reads against what is believed, the oldest comparison first, in the lowest lane of the budget: "
    "it trusts no feed. What differs is judged by the next cycle, like any other change.",
)
def equality(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    """One bounded run of the audit; a cycle at work goes first, then this run ends green."""
    from sync_platform.sync.audit import run_audit

    failure = None
    try:
        found = run_audit(Settings.load(), run=context.run.run_id)
    except AnotherCycleRuns:
        return dg.MaterializeResult(
            asset_key=EQUALITY,
            metadata={"outcome": "skipped", "reason": "another cycle is running"},
            check_results=checks.skipped(EQUALITY, ["equality"]),
        )
    except SyncError as error:
        failure = told(error)
    except Exception as error:  # noqa: BLE001 - its words could hold a customer's data
        failure = unexpected(error)
    if failure is not None:
        raise dg.Failure(description=failure, allow_retries=False)
    return dg.MaterializeResult(
        asset_key=EQUALITY, metadata=numbers(found), check_results=[checks.equality(EQUALITY, found)]
    )


def numbers(found: Mapping[str, Any]) -> dict[str, Any]:
    """The audit's figures, over all systems and of each."""
    oldest = [one["oldest_comparison_s"] for one in found["systems"].values() if one["oldest_comparison_s"] is not None]
    return {
        "fields_compared": int(found["fields_compared"]),
        "fields_differ": int(found["fields_differ"]),
        **({"oldest_comparison_s": max(oldest)} if oldest else {}),
        **{f"calls_{name}": int(one["calls"]) for name, one in found["systems"].items()},
        "complete": int(bool(found["complete"])),
        "outcome": str(found["outcome"]),
    }


audit_job = dg.define_asset_job(
    "audit",
    selection=dg.AssetSelection.assets(EQUALITY),
    description="Compares a bounded number of objects with fresh reads. Starts by the schedule `audit_sweep`.",
)
audit_sweep = dg.ScheduleDefinition(
    name="audit_sweep",
    job=audit_job,
    cron_schedule="*/15 * * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every quarter of an hour, SYNC_AUDIT_CALLS calls to each system: everything is compared in turn.",
)


class PruneConfig(dg.Config):
    """What to keep."""

    keep_days: int | None = Field(
        default=None, ge=7, le=36_500, description="Days to keep, at least 7; else SYNC_KEEP_DAYS"
    )


@dg.op(description="Takes old rows that nothing needs from the ledger, and old runs from Dagster.")
def pruning(context: dg.OpExecutionContext, config: PruneConfig) -> None:
    """The ledger first, then Dagster's own runs of the same age."""
    from sync_platform.sync.prune import run_prune

    failure = None
    try:
        settings = Settings.load()
        found = run_prune(settings, keep_days=config.keep_days)
        runs = delete_runs(context.instance, config.keep_days or settings.sync_keep_days)
    except SyncError as error:
        failure = told(error)
    except Exception as error:  # noqa: BLE001 - its words could hold a customer's data
        failure = unexpected(error)
    if failure is not None:
        raise dg.Failure(description=failure, allow_retries=False)
    rows = {name.replace(" ", "_"): int(count) for name, count in found["rows"].items()}
    context.add_output_metadata({**rows, "dagster_runs": runs, "kept": int(found["kept"])})
    context.log.info("pruned: %d rows of the ledger, %d of Dagster's runs", sum(rows.values()), runs)


def delete_runs(instance: dg.DagsterInstance, keep_days: int) -> int:
    """Delete Dagster's runs that ended and are older than so many days; gives how many. The last run of each job stays.

    A run takes its events and logs with it; what the ledger knows of the cycle stays there.
    """
    created_before = datetime.now(UTC) - timedelta(days=keep_days)
    last: dict[str, str] = {}
    gone = 0
    cursor = None
    while True:
        found = instance.get_runs(
            dg.RunsFilter(statuses=ENDED, created_before=created_before), cursor=cursor, limit=RUNS_AT_ONCE
        )
        for run in found:
            cursor = run.run_id
            if run.job_name not in last:
                newest = instance.get_runs(dg.RunsFilter(job_name=run.job_name), limit=1)
                last[run.job_name] = newest[0].run_id if newest else ""
        doomed = [run.run_id for run in found if last[run.job_name] != run.run_id]
        for run_id in doomed:
            instance.delete_run(run_id)
        gone += len(doomed)
        if len(found) < RUNS_AT_ONCE:
            return gone
        # What was deleted is no position any more; what stays of it is at most one run of each job.
        if doomed:
            cursor = None


@dg.job(name="prune", description="Takes what is old and what nothing needs from the ledger and from Dagster.")
def prune_job() -> None:
    """One op."""
    pruning()


nightly_prune = dg.ScheduleDefinition(
    name="nightly_prune",
    job=prune_job,
    cron_schedule="30 3 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="What is older than SYNC_KEEP_DAYS and what nothing needs goes at night.",
)
