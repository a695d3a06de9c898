"""What is examined about each step, and told as a non-blocking check: a system's trouble never stops the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg

if TYPE_CHECKING:
    from sync_platform.sync.hub import Step

# The lag that nobody should see: several polls and a run's start; below it everything is as it should be.
LAG_MAX_S = 300.0

COMPLETE = (
    "The step did all that there was to do, and no system had trouble. Backfill that goes on in the next slice passes."
)
AGREEMENT = "Every field is equal on all sides, or left different on purpose; what waits for a person is counted here."
NO_DOUBLES = "No two objects of one system belong to one person or ticket, and no match was ambiguous."
NOTHING_PARKED = "No write was refused for good. What is parked has the system's words and a remedy; the rest goes on."
BUDGET = "No call was refused for its rate: the shared budget waited instead."
LAG = f"No system is read later than {LAG_MAX_S:.0f} seconds behind."

EQUALITY = (
    "Fresh reads show what is believed, field by field. What differs was told by no feed; the next cycle judges it."
)

SPECS: Mapping[str, str] = {
    "complete": COMPLETE,
    "agreement": AGREEMENT,
    "no_doubles": NO_DOUBLES,
    "nothing_parked": NOTHING_PARKED,
    "budget": BUDGET,
    "lag": LAG,
    "equality": EQUALITY,
}


def specs(key: dg.AssetKey, names: Sequence[str]) -> list[dg.AssetCheckSpec]:
    """Check specifications of one asset."""
    return [dg.AssetCheckSpec(name, asset=key, description=SPECS[name]) for name in names]


def skipped(key: dg.AssetKey, names: Sequence[str]) -> list[dg.AssetCheckResult]:
    """Nothing was examined: another cycle was running."""
    return [
        dg.AssetCheckResult(passed=True, asset_key=key, check_name=name, metadata={"outcome": "skipped"})
        for name in names
    ]


def complete(key: dg.AssetKey, step: Step) -> dg.AssetCheckResult:
    """Trouble of the system fails it; an unfinished slice alone does not: the sensor starts the next one."""
    return dg.AssetCheckResult(
        passed=not step.trouble,
        asset_key=key,
        check_name="complete",
        severity=dg.AssetCheckSeverity.ERROR,
        description=told(step.trouble),
        metadata={
            "complete": int(step.complete),
            "trouble": sum(int(_number(t.get("count", 1))) for t in step.trouble),
        },
    )


def agreement(key: dg.AssetKey, step: Step) -> dg.AssetCheckResult:
    """Fields in review wait for a person."""
    return _counted(key, "agreement", step, ("in_review", "unread"), failing=("in_review",))


def no_doubles(key: dg.AssetKey, step: Step) -> dg.AssetCheckResult:
    """Doubled objects and ambiguous matches wait for a person."""
    return _counted(key, "no_doubles", step, ("doubled", "ambiguous"), failing=("doubled", "ambiguous"))


def nothing_parked(key: dg.AssetKey, step: Step) -> dg.AssetCheckResult:
    """Refused writes."""
    return _counted(key, "nothing_parked", step, ("parked",), failing=("parked",))


def budget(key: dg.AssetKey, summary: Mapping[str, Any]) -> dg.AssetCheckResult:
    """429s of the whole run."""
    limited = {name: int(s.get("rate_limited", 0)) for name, s in summary.get("systems", {}).items()}
    return dg.AssetCheckResult(
        passed=not any(limited.values()),
        asset_key=key,
        check_name="budget",
        severity=dg.AssetCheckSeverity.WARN,
        metadata={f"rate_limited_{name}": count for name, count in limited.items()},
    )


def lag(key: dg.AssetKey, summary: Mapping[str, Any]) -> dg.AssetCheckResult:
    """The age of what was seen last, the oldest of the systems that say it."""
    lags = {n: float(s["lag_s"]) for n, s in summary.get("systems", {}).items() if s.get("lag_s") is not None}
    return dg.AssetCheckResult(
        passed=all(value <= LAG_MAX_S for value in lags.values()),
        asset_key=key,
        check_name="lag",
        severity=dg.AssetCheckSeverity.WARN,
        metadata={f"lag_s_{name}": value for name, value in lags.items()},
    )


def told(trouble: Sequence[Mapping[str, Any]]) -> str | None:
    """Every trouble with its remedy, in one line each."""
    return "\n".join(_line(fact) for fact in trouble) or None


def _line(fact: Mapping[str, Any]) -> str:
    where = " ".join(str(fact[key]) for key in ("system", "entity") if fact.get(key))
    return f"{where}: {fact.get('code')} × {fact.get('count', 1)} — {fact.get('remedy') or ''}"


def _counted(
    key: dg.AssetKey, name: str, step: Step, shown: Sequence[str], *, failing: Sequence[str]
) -> dg.AssetCheckResult:
    counts = {word: _number(step.counts.get(word, 0)) for word in shown}
    return dg.AssetCheckResult(
        passed=not any(counts[word] for word in failing),
        asset_key=key,
        check_name=name,
        severity=dg.AssetCheckSeverity.WARN,
        metadata=counts,
    )


def _number(value: Any) -> float | int:
    return value if isinstance(value, int | float) else 0


def equality(key: dg.AssetKey, found: Mapping[str, Any]) -> dg.AssetCheckResult:
    """Fields compared, differing, and the age of the oldest comparison, of each system."""
    facts: dict[str, float] = {}
    for name, one in found["systems"].items():
        facts |= {f"{word}_{name}": one[word] for word in ("fields_compared", "fields_differ", "never_compared")}
        if one["oldest_comparison_s"] is not None:
            facts[f"oldest_comparison_s_{name}"] = one["oldest_comparison_s"]
    return dg.AssetCheckResult(
        passed=not found["fields_differ"] and not found["errors"],
        asset_key=key,
        check_name="equality",
        severity=dg.AssetCheckSeverity.WARN,
        description=told(found["errors"]),
        metadata=facts,
    )
