"""What is counted in every cycle is counted by indexes that hold all that the count asks."""

from __future__ import annotations

from alembic import op

revision = "v0004"
down_revision = "v0003"


def upgrade() -> None:
    op.create_index("ix_record_born", "record", ["born_at", "entity"], unique=False)
    op.create_index("ix_link_standing", "link", ["id", "entity", "system", "state"], unique=False)
