"""The platform's own pages: why a value is here, and the desk. One listener of its own, on loopback unless said."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import RedirectResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from sync_platform.errors import SyncError
from sync_platform.web import columns, desk, frame, login, metrics, records, runs, status

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from sync_platform.settings import Settings


def _home(_request: Request) -> Response:
    return RedirectResponse("/status", status_code=303)


def app(settings: Settings) -> Starlette:
    """The pages as an ASGI application over the ledger of these settings. Who serves it closes `state.shelf`."""
    made = Starlette(
        routes=[
            Route("/", frame.seen(_home)),
            *login.ROUTES,
            *records.ROUTES,
            *columns.ROUTES,
            *runs.ROUTES,
            *desk.ROUTES,
            *status.ROUTES,
            *metrics.ROUTES,
            Mount("/static", StaticFiles(directory=frame.HERE / "static")),
        ],
        middleware=[Middleware(frame.Headed)],
        exception_handlers={
            SyncError: frame.on_error,
            HTTPException: frame.on_missing,
        },
    )
    made.state.settings = settings
    made.state.shelf = frame.Shelf(settings)
    made.state.person_of = login.person
    made.state.tries = login.Tries()
    made.state.own_key = secrets.token_hex(32)
    return made
