"""Alembic's door: always on a connection that the caller opened, in the caller's transaction."""

from __future__ import annotations

from alembic import context

from sync_platform.ledger.migrations import VERSION_TABLE
from sync_platform.ledger.tables import LedgerModel


def run() -> None:
    """Run what alembic was asked for."""
    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=LedgerModel.metadata,
        version_table=VERSION_TABLE,
        # SQLite changes a column only by copying its table.
        render_as_batch=True,
        compare_type=True,
    )
    with context.begin_transaction():
        context.run_migrations()


run()
