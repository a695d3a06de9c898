"""Runs: the latest, and what one of them saw, decided and wrote; Dagster's page of it is a link away."""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sync_platform.errors import NotFound
from sync_platform.sync import runs
from sync_platform.web import frame
from sync_platform.web.desk_words import key

# Runs that Dagster started bear its number.
_DAGSTERS = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_NUMBER = re.compile(r"[0-9a-z-]{1,64}")
LISTS = ("saw", "decided", "wrote")


def _runs(request: Request) -> Response:
    given = request.query_params.get("after", "")
    after = given if _NUMBER.fullmatch(given) else None
    return frame.page(request, "runs.html", **runs.latest(frame.ledger(request), after=after), first=after is None)


def _run(request: Request) -> Response:
    number = request.path_params["run"]
    if not _NUMBER.fullmatch(number):
        raise NotFound("no run has this number", remedy="`/runs` lists those that are kept.")
    found = runs.run(frame.ledger(request), number, {name: key(request, name) for name in LISTS})
    dagster = request.app.state.settings.sync_dagster_url if _DAGSTERS.fullmatch(number) else None
    return frame.page(request, "run.html", one=found, dagster=dagster and f"{dagster}/runs/{number}")


ROUTES: tuple[Route, ...] = (
    Route("/runs", frame.seen(_runs), methods=["GET"]),
    Route("/runs/{run}", frame.seen(_run), methods=["GET"]),
)
