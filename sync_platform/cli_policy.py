"""The policy's commands: check, explain, diff."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from sync_platform import cli_words as words
from sync_platform.settings import Settings

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on one line, last on stdout.")]
File = Annotated[Path | None, typer.Argument(help="A policy file; else the one in force.")]
SHOWN_MAX = 40

policy = typer.Typer(help="Who may write what and who wins: check a file, have it told, see what it would change.")


def register(app: typer.Typer) -> None:
    """Hang the commands on the door."""
    app.add_typer(policy, name="policy", no_args_is_help=True, epilog="Example: sync-platform policy explain")


@policy.command(epilog="Example: sync-platform policy check policy.yaml")
def check(file: File = None, as_json: AsJson = False) -> int:
    """Say every mistake of a policy with line, key and remedy. Exit code 1 when there is one."""
    from sync_platform.sync.policy_desk import check as run

    found = run(Settings.load(), file)
    lines = [f"{found['file']}: {'in order, policy ' + found['policy'] if found['ok'] else 'not in order'}"]
    lines += [f"  {_place(p)}: {p['what']} → {p['remedy']}" for p in found["problems"]]
    words.answer(found, "\n".join(lines), as_json=as_json)
    return words.DONE if found["ok"] else words.FAILED


@policy.command(epilog="Example: sync-platform policy explain")
def explain(file: File = None, as_json: AsJson = False) -> int:
    """Tell a policy back in plain words, field by field."""
    from sync_platform.sync.policy_desk import words as run

    found = run(Settings.load(), file)
    words.answer(found, "\n".join(found["words"]), as_json=as_json)
    return words.DONE


@policy.command(epilog="Example: sync-platform policy diff new.yaml --json")
def diff(
    file: Annotated[Path, typer.Argument(help="The other policy.")],
    show_values: Annotated[bool, typer.Option("--show-values", help="Show the values: data of customers.")] = False,
    limit: Annotated[int, typer.Option(min=0, help="How many single differences to list; counts are whole.")] = 1000,
    as_json: AsJson = False,
) -> int:
    """Decide the recorded history again under another policy, without any call. Exit code 3 when something differs."""
    from sync_platform.sync.counterfactual import diff as run

    progress = words.ProgressLine()
    try:
        found = run(Settings.load(), file, show_values=show_values, items_max=limit, progress=progress)
    finally:
        progress.close()
    words.answer(found, _diff_text(found), as_json=as_json)
    return words.DIFFERENT if found["differ"] else words.DONE


@policy.command(epilog='Example: sync-platform policy plan new.yaml --why "priorities have new words"')
def plan(
    file: Annotated[Path, typer.Argument(help="The other policy.")],
    why: Annotated[str | None, typer.Option("--why", help="A reason, kept with the act.")] = None,
    as_json: AsJson = False,
) -> int:
    """Draw up a plan of what another policy would write, without any call. Exit code 4: it waits for you.

    Put that policy in force first (SYNC_POLICY), then approve: until then an approval is refused.
    """
    from sync_platform.cli_desk import who
    from sync_platform.cli_plans import plan_text
    from sync_platform.sync.policy_desk import plan as run

    progress = words.ProgressLine()
    try:
        found = run(Settings.load(), file, who=who(), why=why, progress=progress)
    finally:
        progress.close()
    lines = [plan_text(found)]
    if found["would_write"]:
        lines.append("put the policy in force (SYNC_POLICY) before you approve")
    words.answer(found, "\n".join(lines), as_json=as_json)
    return words.WAITS if found["would_write"] else words.DONE


def _diff_text(found: Mapping[str, Any]) -> str:
    again, differ, alike = found["judged_again"], found["differ"], found["same_by_another_rule"]
    lines = [f"{again:,} judgements again: {differ:,} come out differently, {alike:,} the same by another rule"]
    lines += [
        f"  {one['entity']}.{one['field']}: {one['was']} → {one['would']} × {one['count']:,}" for one in found["by"]
    ]
    if found["items"]:
        lines.append(f"{'record':32}  {'field':24}  {'was':32}  would have been")
    lines += [
        f"{one['record']:32}  {one['field']:24}  {_told(one['was']):32}  {_told(one['would'])}"
        for one in found["items"][:SHOWN_MAX]
    ]
    if found["differ"] > SHOWN_MAX:
        lines.append("… and more: --json lists them")
    return "\n".join(lines)


def _place(problem: Mapping[str, Any]) -> str:
    line = f"line {problem['line']}: " if problem["line"] else ""
    return f"{line}{problem['key'] or 'file'}"


def _told(one: Mapping[str, Any]) -> str:
    value = f" {one['value']!r}" if "value" in one else ""
    whose = f" {one['system']}" if one["system"] else ""
    return {"person": "a person decides", "kept": f"kept{value} ({one['rule']})"}.get(
        one["kind"], f"{whose.strip() or 'all'}{value} ({one['rule']})"
    )
