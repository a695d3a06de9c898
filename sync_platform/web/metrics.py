"""Figures for Prometheus, read from the ledger when they are asked for. No personal data.

What was done is summed over the runs of the last hours; the door has counted since its first call.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from sync_platform.sync.overview import overview
from sync_platform.web import frame, login

Sample = tuple[tuple[str, ...], float]


@dataclass(frozen=True, slots=True)
class Figure:
    """One metric: its name, what it means, its labels."""

    name: str
    meaning: str
    labels: tuple[str, ...] = ()


FIGURES: tuple[Figure, ...] = (
    Figure("sync_records", "Records that are alive, as the last run counted them.", ("entity",)),
    Figure("sync_links", "Active links, as the last run counted them.", ("system", "entity")),
    Figure("sync_dirty_records", "Records with something to judge.", ("entity",)),
    Figure("sync_open_intents", "Writes that are owed, by state.", ("system", "entity", "state")),
    Figure("sync_open_reviews", "Decisions that wait for a person.", ("entity", "kind")),
    Figure("sync_oldest_review_seconds", "Age of the oldest open review; 0 without one."),
    Figure("sync_parked", "Writes and rows that were refused and wait for a person.", ("system", "entity")),
    Figure("sync_oldest_parked_seconds", "Age of the oldest parked mark; 0 without one."),
    Figure("sync_open_holds", "What the brake holds back."),
    Figure("sync_open_plans", "Plans that wait for a person."),
    Figure("sync_lag_seconds", "Seconds since a system's news were looked for.", ("system",)),
    Figure("sync_budget_limit", "Calls that a limit allows in its window.", ("system", "limit")),
    Figure("sync_budget_used", "Calls of ours in the window that ends now.", ("system", "limit")),
    Figure("sync_budget_frozen_seconds", "Seconds for which a limit lets nothing pass.", ("system", "limit")),
    Figure("sync_calls_6h", "Calls of the runs of the last six hours.", ("system",)),
    Figure("sync_lower_bound_6h", "The fewest calls with which these runs' work could be done.", ("system",)),
    Figure("sync_rate_limited_6h", "Calls of these runs that a system refused for its limit.", ("system",)),
    Figure("sync_waited_seconds_6h", "Seconds that these runs waited for the budget.", ("system",)),
    Figure("sync_runs_6h", "Runs that ended in the last six hours.", ("outcome",)),
    Figure("sync_last_complete_run_seconds", "Seconds since a sync did all that there was to do; -1: never."),
    Figure("sync_inbox_depth", "Webhook deliveries that wait for a run."),
    Figure("sync_inbox_oldest_seconds", "Age of the oldest of these; 0 without one."),
    Figure(
        "sync_door_requests", "Requests at the door since its first one, by what became of them.", ("system", "code")
    ),
    Figure("sync_paused", "1 while a person has paused the platform."),
    Figure("sync_writes_on", "1 where writes are allowed."),
    Figure("sync_run_at_work", "1 while a run holds the lease."),
)


class Ledgers(Collector):
    """The figures of one look at the ledger."""

    def __init__(self, found: Mapping[str, Any]) -> None:
        self._found = found

    def collect(self) -> Iterator[Metric]:
        """Every figure, in the order of the reference."""
        samples = _samples(self._found)
        for figure in FIGURES:
            family = GaugeMetricFamily(figure.name, figure.meaning, labels=figure.labels)
            for labels, value in samples[figure.name]:
                family.add_metric(labels, value)
            yield family


def _samples(it: Mapping[str, Any]) -> dict[str, list[Sample]]:
    now, waits, systems = it["now"], it["waiting"], it["systems"]

    def age(at: Any, never: float = 0.0) -> list[Sample]:
        return [((), never if at is None else max((now - at).total_seconds(), 0.0))]

    def each(name: str) -> list[Sample]:
        return [((system,), float(one[name])) for system, one in systems.items() if one[name] is not None]

    def limits(name: str) -> list[Sample]:
        return [
            ((system, limit["name"]), float(limit[name])) for system, one in systems.items() for limit in one["limits"]
        ]

    standing = it["standing"] or {"records": {}, "links": {}}
    links: list[Sample] = [((s, e), float(n)) for e, by in standing["links"].items() for s, n in by.items()]
    return {
        "sync_records": [((entity,), float(n)) for entity, n in standing["records"].items()],
        "sync_links": links,
        "sync_dirty_records": [((entity,), float(n)) for entity, n in waits["dirty"].items()],
        "sync_open_intents": _rows(waits["intents"], ("system", "entity", "state")),
        "sync_open_reviews": _rows(waits["reviews"], ("entity", "kind")),
        "sync_oldest_review_seconds": age(waits["oldest_review_at"]),
        "sync_parked": _rows(waits["parked"], ("system", "entity")),
        "sync_oldest_parked_seconds": age(waits["oldest_parked_at"]),
        "sync_open_holds": [((), float(len(waits["holds"])))],
        "sync_open_plans": [((), float(len(waits["plans"])))],
        "sync_lag_seconds": each("lag_s"),
        "sync_budget_limit": limits("limit"),
        "sync_budget_used": limits("used"),
        "sync_budget_frozen_seconds": limits("frozen_s"),
        "sync_calls_6h": each("calls"),
        "sync_lower_bound_6h": each("lower_bound"),
        "sync_rate_limited_6h": each("rate_limited"),
        "sync_waited_seconds_6h": each("waited_s"),
        "sync_runs_6h": [((outcome,), float(n)) for outcome, n in sorted(it["runs"]["outcomes"].items())],
        "sync_last_complete_run_seconds": age(it["last_complete_at"], -1.0),
        "sync_inbox_depth": [((), float(it["inbox"]["depth"]))],
        "sync_inbox_oldest_seconds": age(it["inbox"]["oldest_at"]),
        "sync_door_requests": [(_door(name), float(n)) for name, n in sorted(it["inbox"]["door"].items())],
        "sync_paused": [((), float(it["paused"] is not None))],
        "sync_writes_on": [((), float(it["writes"] == "on"))],
        "sync_run_at_work": [((), float(it["lease"] is not None))],
    }


def _rows(rows: Iterable[Mapping[str, Any]], labels: tuple[str, ...]) -> list[Sample]:
    return [(tuple(str(row[label]) for label in labels), float(row["count"])) for row in rows]


def _door(name: str) -> tuple[str, ...]:
    system, _, code = name.partition(".")
    return system, code


def _text(request: Request) -> bytes:
    registry = CollectorRegistry()
    registry.register(Ledgers(overview(frame.ledger(request), request.app.state.settings)))
    return generate_latest(registry)


async def _metrics(request: Request) -> Response:
    """For a collector with a token of the pages as bearer, or somebody who is signed in."""
    known = await run_in_threadpool(lambda: login.by_bearer(request) or login.person(request) is not None)
    if not known:
        return PlainTextResponse(
            "a token of the pages is needed: Authorization: Bearer …\n", 401, {"www-authenticate": "Bearer"}
        )
    return Response(await run_in_threadpool(_text, request), media_type=CONTENT_TYPE_LATEST)


ROUTES: tuple[Route, ...] = (Route("/metrics", _metrics, methods=["GET"]),)
