"""`restored`: the ledger was put back from a backup."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from sync_platform import cli_words as words
from sync_platform.settings import Settings

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on one line, last on stdout.")]


def register(app: typer.Typer) -> None:
    """Put the command on the door."""
    app.command(epilog="Example: sync-platform restored && sync-platform sync --full")(restored)


def restored(as_json: AsJson = False) -> int:
    """Say that the ledger was put back from a backup: markers are then looked up before anything is created.

    A ledger that is older than the note beside it is found out without this.
    """
    from sync_platform.ledger.database import Ledger
    from sync_platform.sync.restored import say

    ledger = Ledger.open(Settings.load().ledger_url, migrate=False)
    try:
        at = datetime.now(UTC)
        say(ledger, at)
    finally:
        ledger.close()
    said = "From now on every create looks up its marker first. Run `sync-platform sync --full`."
    words.answer({"restored_at": at.isoformat(timespec="seconds")}, said, as_json=as_json)
    return words.DONE
