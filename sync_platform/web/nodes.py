"""What the steps of a way open: an observation, a decision, a write with its answers."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sync_platform.sync import nodes
from sync_platform.sync.offline import over
from sync_platform.web import frame


def _observation(request: Request) -> Response:
    with frame.ledger(request).read() as conn:
        found = nodes.observation(conn, _number(request))
    return frame.page(request, "observation.html", one=found)


def _decision(request: Request) -> Response:
    hub = over(frame.ledger(request), request.app.state.settings)
    with frame.ledger(request).read() as conn:
        found = nodes.decision(hub, conn, _number(request))
    return frame.page(request, "decision.html", one=found)


def _intent(request: Request) -> Response:
    with frame.ledger(request).read() as conn:
        found = nodes.intent(conn, _number(request))
    return frame.page(request, "intent.html", one=found)


def _number(request: Request) -> int:
    """What the route lets through is a whole number; a larger one than any row's is nobody's."""
    return min(int(request.path_params["number"]), 2**62)


ROUTES: tuple[Route, ...] = (
    Route("/observations/{number:int}", frame.seen(_observation), methods=["GET"]),
    Route("/decisions/{number:int}", frame.seen(_decision), methods=["GET"]),
    Route("/intents/{number:int}", frame.seen(_intent), methods=["GET"]),
)
