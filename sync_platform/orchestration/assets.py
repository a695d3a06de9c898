"""The assets: what each system shows, the records made of it, what each system is told, and how the cycle ended.

The data goes in circles, Dagster's graph does not: a system is drawn once, where it is read; `written/…` says in its
description and metadata which system it changes. Bodies are a few lines; the work is in `sync`.
"""

# Dagster reads the annotation of `context` at once, so annotations are not postponed here.
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg

from sync_platform.core.records import ENTITIES, SYSTEMS, THINGS, Entity, System
from sync_platform.orchestration import checks
from sync_platform.orchestration.resources import quiet
from sync_platform.orchestration.tables import columns, markdown
from sync_platform.settings import Settings

if TYPE_CHECKING:
    from sync_platform.sync.hub import Step

NAMES: Mapping[System, str] = {System.GORGIAS: "Gorgias", System.HUBSPOT: "HubSpot", System.ERP: "ERP"}
KINDS: Mapping[System, set[str]] = {System.GORGIAS: {"gorgias"}, System.HUBSPOT: {"hubspot"}, System.ERP: {"sql"}}
RECORDS: Mapping[Entity, str] = {Entity.CUSTOMER: "customers", Entity.TICKET: "tickets"}
NUMBERS = (
    "observed",
    "created",
    "updated",
    "deleted",
    "reverted",
    "conflicts",
    "in_review",
    "parked",
    "calls",
    "lower_bound",
    "ratio",
    "rate_limited",
    "waited_s",
    "lag_s",
    "read_to_write_s",
)

COUNTED = ("observed", "reverted", "conflicts", "in_review", "parked")
VERBS = ("created", "updated", "deleted")


def source_key(system: System, entity: Entity) -> dg.AssetKey:
    """`gorgias/customers`: the system itself."""
    return dg.AssetKey([str(system), THINGS[system, entity]])


def observed_key(system: System, entity: Entity) -> dg.AssetKey:
    """`observed/gorgias_customers`."""
    return dg.AssetKey(["observed", f"{system}_{THINGS[system, entity]}"])


def records_key(entity: Entity) -> dg.AssetKey:
    """`records/customers`."""
    return dg.AssetKey(["records", RECORDS[entity]])


def written_key(system: System, entity: Entity) -> dg.AssetKey:
    """`written/gorgias_customers`."""
    return dg.AssetKey(["written", f"{system}_{THINGS[system, entity]}"])


OUTCOME = dg.AssetKey(["cycle", "outcome"])


def source(system: System, entity: Entity) -> dg.AssetSpec:
    """The things of a system, which nobody materializes."""
    written = written_key(system, entity).to_user_string()
    return dg.AssetSpec(
        source_key(system, entity),
        group_name="systems",
        kinds=KINDS[system],
        description=(
            f"{THINGS[system, entity].capitalize()} as people see them in {NAMES[system]}. Read by "
            f"`{observed_key(system, entity).to_user_string()}`, changed by `{written}`: the way back is not drawn, "
            "because the graph has no circles."
        ),
        metadata={"read_by": observed_key(system, entity), "written_by": written_key(system, entity)},
    )


def observed(system: System, entity: Entity) -> dg.AssetsDefinition:
    """Pull: what a system showed since the last time."""
    key = observed_key(system, entity)

    @dg.asset(
        key=key,
        group_name="pull",
        deps=[source_key(system, entity)],
        kinds=KINDS[system],
        check_specs=checks.specs(key, ["complete"]),
        required_resource_keys={str(system), "ledger", "cycle"},
        description=f"What {NAMES[system]} showed: each page is stored with its cursor, so a crash costs nothing.",
    )
    def pull(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        step = context.resources.cycle.step(context, lambda cycle: cycle.pull(system, entity))
        if step is None:
            return nothing_done(key, ["complete"])
        return materialized(context, key, step, [checks.complete(key, step)], (entity, system))

    return pull


def records(entity: Entity) -> dg.AssetsDefinition:
    """Reconcile: which objects are one person or ticket, and which value wins for each field."""
    key = records_key(entity)
    before = [] if entity is Entity.CUSTOMER else [records_key(Entity.CUSTOMER)]

    @dg.asset(
        key=key,
        group_name="reconcile",
        deps=[*(observed_key(system, entity) for system in SYSTEMS), *before],
        kinds={"python"},
        check_specs=checks.specs(key, ["agreement", "no_doubles"]),
        required_resource_keys={"ledger", "cycle"},
        description="One record for each person or ticket, with a decision for each field; pure rules, no call.",
    )
    def reconcile(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        step = context.resources.cycle.step(context, lambda cycle: cycle.reconcile(entity))
        if step is None:
            return nothing_done(key, ["agreement", "no_doubles"])
        found = [checks.agreement(key, step), checks.no_doubles(key, step)]
        return materialized(context, key, step, found, (entity, None))

    return reconcile


def written(system: System, entity: Entity) -> dg.AssetsDefinition:
    """Push: what a system is owed."""
    key = written_key(system, entity)
    before = [] if entity is Entity.CUSTOMER else [written_key(system, Entity.CUSTOMER)]

    @dg.asset(
        key=key,
        group_name="push",
        deps=[records_key(entity), *before],
        kinds=KINDS[system],
        check_specs=checks.specs(key, ["complete", "nothing_parked"]),
        required_resource_keys={str(system), "ledger", "cycle"},
        description=(
            f"What {NAMES[system]} was told, one intent and one receipt for each write. It changes "
            f"`{source_key(system, entity).to_user_string()}`. With SYNC_WRITES=off nothing is written."
        ),
        metadata={"changes": source_key(system, entity)},
    )
    def push(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        step = context.resources.cycle.step(context, lambda cycle: cycle.push(system, entity))
        if step is None:
            return nothing_done(key, ["complete", "nothing_parked"])
        found = [checks.complete(key, step), checks.nothing_parked(key, step)]
        return materialized(context, key, step, found, (entity, system))

    return push


def outcome() -> dg.AssetsDefinition:
    """The end of a cycle: its numbers, and the one place where trouble fails the run."""

    @dg.asset(
        key=OUTCOME,
        group_name="cycle",
        deps=[written_key(system, entity) for system in SYSTEMS for entity in ENTITIES],
        kinds={"python"},
        check_specs=checks.specs(OUTCOME, ["budget", "lag"]),
        required_resource_keys={"cycle"},
        description="Calls against their lower bound, and every trouble of the cycle with its remedy.",
    )
    def finish(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult]:
        summary = context.resources.cycle.outcome(context)
        if summary is None:
            yield nothing_done(OUTCOME, ["budget", "lag"])
            return
        yield dg.MaterializeResult(
            asset_key=OUTCOME,
            metadata=summed(summary) | page(context),
            check_results=[checks.budget(OUTCOME, summary), checks.lag(OUTCOME, summary)],
        )
        if summary.get("errors"):
            raise dg.Failure(description=checks.told(summary["errors"]), allow_retries=False)

    return finish


def all_assets() -> list[dg.AssetsDefinition | dg.AssetSpec]:
    """Every asset of the platform, systems included."""
    pairs = [(system, entity) for system in SYSTEMS for entity in ENTITIES]
    return [
        *(source(*pair) for pair in pairs),
        *(observed(*pair) for pair in pairs),
        *(records(entity) for entity in ENTITIES),
        *(written(*pair) for pair in pairs),
        outcome(),
    ]


@quiet
def materialized(
    context: dg.AssetExecutionContext,
    key: dg.AssetKey,
    step: "Step",
    found: Sequence[dg.AssetCheckResult],
    of: tuple[Entity, System | None],
) -> dg.MaterializeResult:
    """A step as Dagster shows it: numbers that plot, tables without any value of a person, a link."""
    from sync_platform.sync.cycle import load_policy

    numbers = {name: step.counts.get(name, 0) for name in NUMBERS if name in step.counts}
    more = {name: value for name, value in step.counts.items() if name not in NUMBERS and name != "rows"}
    rows = step.counts.get("rows")
    return dg.MaterializeResult(
        asset_key=key,
        metadata={
            **numbers,
            **more,
            **({} if rows is None else {"dagster/row_count": int(rows)}),
            "complete": int(step.complete),
            "outcome": "partial" if step.trouble else "ok",
            "columns": dg.MetadataValue.md(columns(load_policy(Settings.load()), *of)),
            **({"fields": dg.MetadataValue.md(markdown(step.rows))} if step.rows else {}),
            **page(context),
        },
        check_results=list(found),
    )


def nothing_done(key: dg.AssetKey, names: Sequence[str]) -> dg.MaterializeResult:
    """Another cycle was running: the run ends green and says so."""
    return dg.MaterializeResult(
        asset_key=key,
        metadata={"outcome": "skipped", "reason": "another cycle is running"},
        check_results=checks.skipped(key, names),
    )


@quiet
def summed(summary: Mapping[str, Any]) -> dict[str, Any]:
    """The cycle's summary as numbers over all systems and entities, and the calls and ratios of each system."""
    entities, systems = summary.get("entities", {}).values(), summary.get("systems", {})
    out: dict[str, Any] = {name: sum(counts.get(name, 0) for counts in entities) for name in COUNTED}
    out |= {verb: sum(sum(counts.get(verb, {}).values()) for counts in entities) for verb in VERBS}
    made = {name: sum(cost.get("calls", {}).values()) for name, cost in systems.items()}
    calls, bound = sum(made.values()), sum(cost.get("lower_bound", 0) for cost in systems.values())
    out |= {word: sum(cost.get(word, 0) for cost in systems.values()) for word in ("rate_limited", "waited_s")}
    out |= {f"calls_{name}": count for name, count in made.items()}
    out |= {f"ratio_{name}": cost.get("ratio", 0) for name, cost in systems.items()}
    lags = [cost["lag_s"] for cost in systems.values() if cost.get("lag_s") is not None]
    blind = [window["max"] for cost in systems.values() if (window := cost.get("read_to_write_s"))]
    return out | {
        **({"lag_s": max(lags)} if lags else {}),
        **({"read_to_write_s": max(blind)} if blind else {}),
        "calls": calls,
        "lower_bound": bound,
        "ratio": round(calls / bound, 3) if bound else 1.0,
        "complete": int(bool(summary.get("complete"))),
        "outcome": str(summary.get("outcome", "ok")),
        "seconds": float(summary.get("seconds", 0)),
    }


def page(context: dg.AssetExecutionContext) -> dict[str, Any]:
    """A link to the run on the platform's own pages."""
    return {"page": dg.MetadataValue.url(f"{Settings.load().pages_url}/runs/{context.run.run_id}")}
