"""How it stands: agreement, lag, budget, inbox, what waits."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sync_platform.sync.overview import PAST, overview
from sync_platform.web import frame, plot

PARTS = 72


def _status(request: Request) -> Response:
    found = overview(frame.ledger(request), request.app.state.settings)
    now = found["now"]
    plots = {name: _plot(name, one, now) for name, one in found["systems"].items()}
    waits = found["waiting"]
    return frame.page(
        request,
        "status.html",
        it=found,
        plots=plots,
        hours=round(PAST / timedelta(hours=1)),
        reviews=sum(one["count"] for one in waits["reviews"]),
        parked=sum(one["count"] for one in waits["parked"]),
        pending=sum(one["count"] for one in waits["intents"]),
        dirty=sum(waits["dirty"].values()),
        refused={name: n for name, n in sorted(found["inbox"]["door"].items()) if not name.endswith(".accepted")},
        taken={name: n for name, n in sorted(found["inbox"]["door"].items()) if name.endswith(".accepted")},
        ages={"parked": _age(waits["oldest_parked_at"], now), "review": _age(waits["oldest_review_at"], now)}
        | {"delivery": _age(found["inbox"]["oldest_at"], now), "complete": _age(found["last_complete_at"], now)},
    )


def _plot(name: str, one: Mapping[str, Any], now: datetime) -> Markup:
    """Calls a minute over the last hours, with what the tightest limit allows."""
    minutes = PAST / PARTS / timedelta(minutes=1)
    values = [n / minutes for n in plot.spread(one["course"], now, PAST, PARTS)]
    # A limit of searches alone says nothing of the other calls.
    general = [limit for limit in one["limits"] if limit["limit"] and limit["name"] != "search"]
    allowed = [limit["limit"] * 60 / limit["window_s"] for limit in general]
    limit = min(allowed) if allowed else None
    said = f"Calls a minute: at most {max(values):.0f}" + (f", allowed {limit:.0f}" if limit is not None else "")
    ends = f"{round(PAST / timedelta(hours=1))} h ago", "now"
    return plot.draw(name, values, limit, said, ends, name)


def _age(at: datetime | None, now: datetime) -> str | None:
    """How long ago, as people say it."""
    if at is None:
        return None
    seconds = max((now - at).total_seconds(), 0.0)
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


ROUTES: tuple[Route, ...] = (Route("/status", frame.seen(_status), methods=["GET"]),)
