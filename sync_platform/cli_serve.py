"""`serve`: the door for webhooks, and the pages."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from sync_platform import cli_words as words
from sync_platform.settings import Settings

Port = Annotated[int, typer.Option(min=0, max=65535, help="Port of the door; 0: any free one.")]
PagesPort = Annotated[int, typer.Option(min=0, max=65535, help="Port of the pages; 0: any free one.")]


def register(app: typer.Typer) -> None:
    """Put the command on the door."""
    app.command(epilog="Examples: sync-platform serve · sync-platform serve --host 127.0.0.1 --port 0")(serve)


def serve(
    port: Port = 8080,
    host: Annotated[str, typer.Option(help="Address on which the door listens.")] = "0.0.0.0",  # noqa: S104 - see help
    pages_port: PagesPort = 8081,
    pages_host: Annotated[str, typer.Option(help="Address on which the pages listen.")] = "127.0.0.1",
) -> int:
    """Take webhooks in and show the pages, until it is stopped. Needs the ledger, no system. Prints a ready line."""
    from sync_platform.web.server import serve as run

    run(
        Settings.load(),
        host=host,
        port=port,
        pages_host=pages_host,
        pages_port=pages_port,
        on_ready=lambda ready: print(json.dumps(ready), flush=True),
    )
    words.say("stopped")
    return words.DONE
