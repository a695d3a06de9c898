"""`forget`: somebody wants to be forgotten."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from sync_platform import cli_words as words
from sync_platform.settings import Settings


def register(app: typer.Typer) -> None:
    """Put the command on the door."""
    app.command(
        epilog="Examples: sync-platform forget customer:ada@example.com · "
        "sync-platform forget customer:ada@example.com --yes --json"
    )(forget)


def forget(
    what: Annotated[str, typer.Argument(help="customer:<e-mail>, a record id, or customer:<system>:<id>.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do it. Without it: say what would be done, exit code 4.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on one line, last on stdout.")] = False,
) -> int:
    """Erase a person and their tickets in every system that the policy names and in the ledger, and keep them out."""
    from sync_platform.sync.forget import forget as run

    found = run(Settings.load(), what, sure=yes)
    words.answer(found, _text(found), as_json=as_json)
    if found.get("waits"):
        return words.WAITS
    return words.DONE if found["done"] else words.FAILED


def _text(found: dict[str, Any]) -> str:
    lines = [f"{one['system']}: {one['count']} of kind {one['entity']} to delete" for one in found["objects"]]
    if found.get("waits"):
        lines += [
            f"{found['records']} records in the ledger",
            "Nothing was done. Add --yes to do it; there is no way back.",
        ]
    else:
        lines = [
            f"{one['system']}: {one['erased']} {one['entity']} erased, {one['left']} left" for one in found["systems"]
        ]
        lines += [f"ledger: {rows} rows of {name}" for name, rows in found["purged"].items()]
        lines.append(
            f"mentions left in the ledger: {found['mentions_left']}; kept out by {found['kept_out_by']} hashes"
        )
        if not found["done"]:
            lines.append(
                "Not done: the ledger is not purged yet. Every cycle carries on with it; `status` says what is left."
            )
    left = ", ".join(f"{one['system']} ({one['entity']})" for one in found["only_in_ledger"])
    return "\n".join([*lines, *([f"Not touched, by policy: {left}. Erase there by hand."] if left else [])])
