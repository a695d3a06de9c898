"""How it stands: agreement, lag, budget, inbox, what waits."""

from __future__ import annotations

from starlette.routing import Route

ROUTES: tuple[Route, ...] = ()
