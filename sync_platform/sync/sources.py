"""Every source of plans, imported once so that its carrier is known to whoever approves or carries out."""

from __future__ import annotations

from sync_platform.sync import policy_plan, undo

SOURCES = (undo.SOURCE, policy_plan.SOURCE)
