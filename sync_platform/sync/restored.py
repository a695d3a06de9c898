"""A ledger that comes from a backup: it does not know what was made since, so markers are looked up before any create.

How often a ledger was opened for a cycle is counted in it and noted beside it (`.sync/opened.json`): one that counts
less than the note was put back. Where the note went back as well, a person says so (`sync-platform restored`).
"""

from __future__ import annotations

import json
import os
from datetime import datetime
from pathlib import Path

from sync_platform.ledger.database import Ledger, get_meta, ledger_id, set_meta

OPENED, RESTORED = "opened", "restored_at"
NOTE = "opened.json"


def notice(ledger: Ledger, folder: Path, now: datetime) -> bool:
    """Count this opening; whether the ledger turns out to be a backup that was put back."""
    path = folder / NOTE
    noted = _read(path)
    with ledger.begin() as conn:
        name = ledger_id(conn)
        count = int(get_meta(conn, OPENED) or 0)
        back = count < noted.get(name, 0)
        if back:
            set_meta(conn, RESTORED, now.isoformat())
        count = max(count, noted.get(name, 0)) + 1
        set_meta(conn, OPENED, str(count))
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps({**noted, name: count}), encoding="utf-8")
    os.replace(fresh, path)  # noqa: PTH105 - atomic, and says so
    return back


def say(ledger: Ledger, now: datetime) -> None:
    """A person knows that this ledger was put back."""
    with ledger.begin() as conn:
        set_meta(conn, RESTORED, now.isoformat())


def restored_at(ledger: Ledger) -> datetime | None:
    """When this ledger was found to come from a backup: older records may have objects that it does not know."""
    with ledger.read() as conn:
        at = get_meta(conn, RESTORED)
    return datetime.fromisoformat(at) if at else None


def _read(path: Path) -> dict[str, int]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(name): int(count) for name, count in found.items()} if isinstance(found, dict) else {}
