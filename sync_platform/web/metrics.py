"""Figures for Prometheus. No personal data."""

from __future__ import annotations

from starlette.routing import Route

ROUTES: tuple[Route, ...] = ()
