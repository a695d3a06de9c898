"""The Dagster entry point: `defs`. It loads without credentials and calls nobody."""

from __future__ import annotations

import dagster as dg

from sync_platform.orchestration.assets import all_assets
from sync_platform.orchestration.resources import resources
from sync_platform.orchestration.triggers import approve_job, news_sensor, nightly_full, plan_job, run_failed, sync_job
from sync_platform.orchestration.upkeep import audit_job, audit_sweep, equality, nightly_prune, prune_job

defs = dg.Definitions(
    assets=[*all_assets(), equality],
    jobs=[sync_job, plan_job, approve_job, audit_job, prune_job],
    sensors=[news_sensor, run_failed],
    schedules=[nightly_full, audit_sweep, nightly_prune],
    resources=resources(),
    # All steps of a run share one cycle, and a process of its own would cost each step seconds.
    executor=dg.in_process_executor,
)
