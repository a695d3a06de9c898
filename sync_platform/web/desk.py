"""The desk: reviews, parked writes and plans, with their evidence and what a person does about them."""

from __future__ import annotations

from starlette.routing import Route

ROUTES: tuple[Route, ...] = ()
