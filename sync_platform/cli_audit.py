"""The commands that look after the platform itself: audit, prune."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from sync_platform import cli_words as words
from sync_platform.settings import Settings

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on one line, last on stdout.")]


def register(app: typer.Typer) -> None:
    """Hang the commands on the door."""
    app.command(epilog="Examples: sync-platform audit · sync-platform audit --max 1000 --json")(audit)
    app.command(epilog="Examples: sync-platform prune --dry-run · sync-platform prune --keep-days 90")(prune)


def audit(
    objects_max: Annotated[
        int | None,
        typer.Option("--max", min=1, help="Objects of each system, at most; SYNC_AUDIT_CALLS bounds it too."),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Read objects anew, the oldest comparison first, and compare them with what is believed. 3 when fields differ."""
    from sync_platform.sync.audit import run_audit

    progress = words.ProgressLine()
    try:
        found = run_audit(Settings.load(), objects_max=objects_max, progress=progress)
    finally:
        progress.close()
    words.answer(found, _audit_text(found), as_json=as_json)
    if found["errors"]:
        return words.FAILED
    return words.DIFFERENT if found["fields_differ"] else words.DONE


def _audit_text(found: Mapping[str, Any]) -> str:
    lines = [f"{found['fields_compared']:,} fields compared, {found['fields_differ']:,} differ"]
    for system, facts in found["systems"].items():
        oldest = facts["oldest_comparison_s"]
        rest = [
            f"{facts[name]} {word}"
            for name, word in (("edited_since", "edited since"), ("unsettled", "unsettled"), ("gone", "gone"))
            if facts[name]
        ]
        lines.append(
            f"  {system}: {facts['compared']:,} of {facts['objects']:,} objects in {facts['calls']} calls,"
            f" {facts['fields_compared']:,} fields, "
            + ", ".join(
                [
                    f"{facts['fields_differ']} differ",
                    *rest,
                    f"{facts['never_compared']:,} never compared",
                    "no comparison yet" if oldest is None else f"the oldest comparison {oldest:.0f} s ago",
                ]
            )
        )
    lines += [
        f"  differs: {one['system']} {one['entity']}, record {one['record']}: {', '.join(one['fields'])}"
        for one in found["differences"]
    ]
    if found["fields_differ"]:
        lines.append("the next cycle judges what differs, like any other change")
    if not found["complete"] and not found["errors"]:
        lines.append("not all that was due: the next run goes on with what was not looked at for longest")
    return "\n".join(lines + words.trouble_lines(found["errors"]))


def prune(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go, and take nothing away.")] = False,
    keep_days: Annotated[
        int | None, typer.Option(min=7, max=36_500, help="Days to keep; else SYNC_KEEP_DAYS. At least a week.")
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Take away what is old and what nothing needs any more: deliveries, receipts, observations, counts of calls."""
    from sync_platform.sync.prune import run_prune

    progress = words.ProgressLine()
    try:
        found = run_prune(Settings.load(), keep_days=keep_days, dry_run=dry_run, progress=progress)
    finally:
        progress.close()
    words.answer(found, _prune_text(found), as_json=as_json)
    return words.DONE


def _prune_text(found: Mapping[str, Any]) -> str:
    verb = "would go" if found["dry_run"] else "gone"
    lines = [f"older than {found['before']}, {verb}:"]
    lines += [f"  {count:,} {name}" for name, count in found["rows"].items()]
    lines.append(f"  {found['kept']:,} observations as old stay: a decision, a review or a present value names them")
    point = found["checkpoint"]
    if point is not None:
        lines.append(f"observations are whole from number {point['observation'] + 1} on; before it only these are left")
    return "\n".join(lines)
