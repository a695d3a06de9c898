"""Policies as files: read, checked, told back in words."""

from __future__ import annotations

from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

from sync_platform.core.policy import Policy, explain, parse
from sync_platform.core.policy_nodes import PolicyWrong
from sync_platform.errors import Misconfigured
from sync_platform.settings import Settings
from sync_platform.sync import policy_plan
from sync_platform.sync.cycle import load_policy
from sync_platform.sync.hub import Progress
from sync_platform.sync.offline import at_desk
from sync_platform.sync.own_rules import bound

SHIPPED = "policy.yaml"


def read_policy(path: Path | None) -> Policy:
    """The policy of a file (None: the one that ships), with its own rules bound. Raises Misconfigured."""
    name, text = _text(path)
    return bound(parse(text, name))


def check(settings: Settings, file: Path | None = None) -> dict[str, Any]:
    """The `policy check` object: every problem with line, key and remedy; the policy in force unless a file is named.

    Raises Misconfigured where the file cannot be read at all.
    """
    name, text = _text(file or settings.policy_file)
    try:
        policy = bound(parse(text, name))
    except PolicyWrong as error:
        problems = [{"line": p.line, "key": p.path, "what": p.what, "remedy": p.remedy} for p in error.problems]
        return {"ok": False, "file": name, "policy": None, "problems": problems}
    except Misconfigured as error:
        problem = {"line": None, "key": None, "what": error.message, "remedy": error.remedy}
        return {"ok": False, "file": name, "policy": None, "problems": [problem]}
    return {"ok": True, "file": name, "policy": policy.hash, "problems": []}


def words(settings: Settings, file: Path | None = None) -> dict[str, Any]:
    """The `policy explain` object: what a policy means, line by line. Raises Misconfigured."""
    policy = read_policy(file or settings.policy_file)
    return {"policy": policy.hash, "words": explain(policy).splitlines()}


def plan(
    settings: Settings,
    file: Path,
    *,
    who: str,
    why: str | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> dict[str, Any]:
    """Open a plan of what a policy would write, were it in force; the `policy plan` object. Raises Misconfigured."""
    with at_desk(settings, policy=read_policy(file)) as hub:
        hub.progress = progress or hub.progress
        return policy_plan.draft(hub, load_policy(settings), who=who, why=why)


def _text(path: Path | None) -> tuple[str, str]:
    if path is None:
        return SHIPPED, resources.files("sync_platform").joinpath(SHIPPED).read_text(encoding="utf-8")
    try:
        return path.name, path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(
            f"{path.name} cannot be read ({type(error).__name__})", remedy="Check the path, and SYNC_POLICY."
        ) from None
