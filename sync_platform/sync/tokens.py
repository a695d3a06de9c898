"""OAuth tokens of Gorgias: one file below `.sync/`, readable by its owner alone, refreshed by one process at a time."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from sync_platform.connectors.oauth import App, Tokens
from sync_platform.errors import Misconfigured
from sync_platform.settings import Settings


class TokenFile:
    """Where `connect gorgias` puts the tokens and where a run finds them. Fits `connectors.oauth.TokenStore`."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "gorgias-tokens.json"
        self._lock = FileLock(str(self._path) + ".lock", timeout=60)

    def load(self) -> Tokens | None:
        """The tokens as they are now, or None before `connect gorgias`."""
        try:
            return Tokens.load(json.loads(self._path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None

    def save(self, tokens: Tokens) -> None:
        """Replace the tokens in one step; a reader sees the old ones or the new ones."""
        fresh = self._path.with_suffix(".new")
        with os.fdopen(os.open(fresh, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            json.dump(tokens.dump(), file)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._path)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Only one process refreshes; the others wait and read what it got."""
        with self._lock:
            yield


def gorgias_app(settings: Settings) -> App:
    """The OAuth app that the settings name. Raises Misconfigured when there is none."""
    access = settings.gorgias()
    if access.client_id is None or access.client_secret is None:
        raise Misconfigured(
            "no OAuth app is set",
            system="gorgias",
            remedy="Set GORGIAS_BASE_URL, GORGIAS_CLIENT_ID and GORGIAS_CLIENT_SECRET.",
        )

    def secret() -> str:
        now = settings.gorgias(fresh=True).client_secret
        return now.get_secret_value() if now else ""

    return App(access.base_url, access.client_id, secret)
