"""`sync-platform init`: a `.env` with a comment for each line, and a copy of the policy to edit."""

from __future__ import annotations

import os
from importlib import resources
from pathlib import Path

from sync_platform.errors import Misconfigured
from sync_platform.settings import Settings, secret_names

HEAD = """\
# Settings of sync-platform. A system of which nothing is set is the sandbox.
# Lines that begin with # are not in force: take the # away and fill in.
# Each secret can come from a file instead: NAME_FILE=/path (secret managers mount files).
"""
GROUPS: tuple[tuple[str, str], ...] = (
    ("Gorgias: the address, and either e-mail and key or client id and secret", "GORGIAS_"),
    ("HubSpot: the access token of a private app", "HUBSPOT_"),
    ("ERP: the database that holds erp_customers and erp_tickets", "ERP_"),
    ("The platform's own ledger", "LEDGER_"),
    ("The platform", "SYNC_"),
    ("The sandbox", "SANDBOX_"),
)
ACTIVE = {"SYNC_POLICY": "policy.yaml", "SYNC_WRITES": "off"}
LEFT_OUT = {"SYNC_ROOT"}


def write_files(folder: Path) -> list[Path]:
    """Write `.env` (0600) and `policy.yaml` into `folder`. Raises Misconfigured if one is there already."""
    env, policy = folder / ".env", folder / "policy.yaml"
    there = [path.name for path in (env, policy) if path.exists()]
    if there:
        raise Misconfigured(
            f"{' and '.join(there)} would be overwritten", remedy="Move it away, or name another folder."
        )
    _create(env, env_text(), mode=0o600)
    _create(policy, policy_text(), mode=0o644)
    return [env, policy]


def env_text() -> str:
    """The `.env` to fill in."""
    lines = [HEAD]
    for title, prefix in GROUPS:
        lines.append(f"# --- {title}\n")
        for name, info in Settings.model_fields.items():
            key = name.upper()
            if key.startswith(prefix) and key not in LEFT_OUT:
                secret = " Secret." if key in secret_names() else ""
                value = f"{key}={ACTIVE[key]}" if key in ACTIVE else f"# {key}="
                lines.append(f"# {info.description}.{secret}\n{value}\n")
    return "\n".join(lines)


def policy_text() -> str:
    """The policy that ships."""
    return resources.files("sync_platform").joinpath("policy.yaml").read_text(encoding="utf-8")


def _create(path: Path, text: str, *, mode: int) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
