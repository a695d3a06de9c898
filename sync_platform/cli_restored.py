"""`restored`: the ledger was put back from a backup."""

from __future__ import annotations

from datetime import UTC, datetime

import typer

from sync_platform import cli_words as words
from sync_platform.settings import Settings


def register(app: typer.Typer) -> None:
    """Put the command on the door."""
    app.command(epilog="Example: sync-platform restored && sync-platform sync --full")(restored)


def restored() -> int:
    """Say that the ledger was put back from a backup: markers are then looked up before anything is created.

    A ledger that is older than the note beside it is found out without this.
    """
    from sync_platform.ledger.database import Ledger
    from sync_platform.sync.restored import say

    ledger = Ledger.open(Settings.load().ledger_url, migrate=False)
    try:
        say(ledger, datetime.now(UTC))
    finally:
        ledger.close()
    words.say("From now on every create looks up its marker first. Run `sync-platform sync --full`.")
    return words.DONE
