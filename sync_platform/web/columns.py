"""Column lineage of the whole platform, from the mappings and the policy."""

from __future__ import annotations

from starlette.routing import Route

ROUTES: tuple[Route, ...] = ()
