"""Every source of plans, imported once so that its carrier is known to whoever approves or carries out."""

from __future__ import annotations

from sync_platform.sync import merge_plan, policy_plan, undo

SOURCES = (undo.SOURCE, merge_plan.SOURCE, policy_plan.SOURCE)
