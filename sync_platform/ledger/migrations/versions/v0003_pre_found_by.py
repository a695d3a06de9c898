"""What people find records by: names, what waits for a person, what ended."""

from __future__ import annotations

import json
import unicodedata
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "v0003"
down_revision = "v0002"

PAGE = 1000


def upgrade() -> None:
    spelt = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    op.add_column("record", sa.Column("named", spelt, nullable=True))
    op.add_column("record", sa.Column("surnamed", spelt, nullable=True))
    _fill()
    op.create_index("ix_record_named", "record", ["named"], unique=False)
    op.create_index("ix_record_surnamed", "record", ["surnamed"], unique=False)
    op.create_index("ix_act_subject", "act", ["subject"], unique=False)
    for name, table, condition in (
        ("ix_record_ended", "record", "tombstone IS NOT NULL"),
        ("ix_parked_waiting", "parked", "lifted_at IS NULL"),
        ("ix_review_waiting", "review", "state = 'open'"),
    ):
        where = sa.text(condition)
        op.create_index(name, table, ["id"], unique=False, sqlite_where=where, postgresql_where=where)


def _fill() -> None:
    """Names of the records that are there, a page at a time."""
    conn = op.get_bind()
    page = sa.text("SELECT id, entity, fields FROM record WHERE id > :after ORDER BY id LIMIT :page")
    write = sa.text("UPDATE record SET named = :named, surnamed = :surnamed WHERE id = :id")
    after = ""
    while rows := conn.execute(page, {"after": after, "page": PAGE}).all():
        found = [{"id": row.id, **_names(row.entity, row.fields)} for row in rows]
        if wanted := [one for one in found if one["named"]]:
            conn.execute(write, wanted)
        after = rows[-1].id


def _names(entity: str, raw: Any) -> dict[str, str | None]:
    fields = (json.loads(raw) if isinstance(raw, str) else raw) or {}
    if entity == "ticket":
        return {"named": _spelling(fields.get("subject")), "surnamed": None}
    name = fields.get("name")
    named = _spelling(name.get("full") if isinstance(name, dict) else name)
    first, _, last = (named or "").rpartition(" ")
    return {"named": named, "surnamed": f"{last} {first}" if first else None}


def _spelling(text: Any) -> str | None:
    """As `core.names` spells at this version: history does not follow later changes."""
    if not isinstance(text, str):
        return None
    if not text.isascii():
        apart = unicodedata.normalize("NFKD", text.casefold())
        text = "".join(letter for letter in apart if not unicodedata.combining(letter))
    return " ".join(text.casefold().replace("\x00", "").split())[:120].rstrip() or None
