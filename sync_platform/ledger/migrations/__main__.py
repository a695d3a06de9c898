"""Draft the next revision: what `tables.py` says now against what the revisions make. Read it before you keep it."""

from __future__ import annotations

import sys

from alembic import command
from sqlalchemy import create_engine

from sync_platform.ledger.migrations import config, known, upgrade


def draft(slug: str) -> None:
    """Write `versions/v<next>_<slug>.py` from the difference."""
    engine = create_engine("sqlite://")
    revisions = known()
    with engine.begin() as conn:
        if revisions:
            upgrade(conn)
        number = int(revisions[-1][1:]) + 1 if revisions else 1
        command.revision(config(conn), message=slug, autogenerate=True, rev_id=f"v{number:04d}")


if __name__ == "__main__":
    if len(sys.argv) != 2 or not sys.argv[1].startswith(("pre_", "post_")):
        sys.exit("usage: python -m sync_platform.ledger.migrations pre_<what> | post_<what>")
    draft(sys.argv[1])
