"""Records: search, and the story of one, field by field."""

from __future__ import annotations

from starlette.routing import Route

ROUTES: tuple[Route, ...] = ()
