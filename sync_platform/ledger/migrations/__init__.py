"""The history of the ledger's tables: which revisions this version knows, and how to bring a ledger up to the last.

One file for each revision in `versions/`, named `v<number>_<pre|post>_<what>.py`: `pre` runs before the new version is
deployed, `post` after the old one is gone. A ledger is never migrated backwards. A new revision is drafted with
`python -m sync_platform.ledger.migrations pre_<what>` after `tables.py` was changed.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Column, Connection, MetaData, PrimaryKeyConstraint, String, Table, inspect, select

if TYPE_CHECKING:
    from alembic.config import Config

HERE = Path(__file__).parent
# Not alembic's usual name: the ledger may share a database with somebody who uses alembic too.
VERSION_TABLE = "ledger_version"
_VERSION = Table(
    VERSION_TABLE,
    MetaData(),
    Column("version_num", String(32), nullable=False),
    # The name that alembic gives it.
    PrimaryKeyConstraint("version_num", name=f"{VERSION_TABLE}_pkc"),
)


@lru_cache(maxsize=1)
def known() -> tuple[str, ...]:
    """Every revision, the oldest first."""
    return tuple(sorted(path.name.split("_")[0] for path in (HERE / "versions").glob("v*.py")))


def version(conn: Connection) -> str | None:
    """The revision of this database; None when it holds no ledger."""
    if not inspect(conn).has_table(VERSION_TABLE):
        return None
    found: str | None = conn.execute(select(_VERSION.c.version_num)).scalar()
    return found


def stamp(conn: Connection) -> None:
    """Say that this database is at the last revision (its tables were just made from their declaration)."""
    _VERSION.create(conn)
    conn.execute(_VERSION.insert().values(version_num=known()[-1]))


def upgrade(conn: Connection, to: str = "head") -> None:
    """Run every revision that is missing, in the transaction of `conn`."""
    from alembic import command  # noqa: PLC0415 - only an older ledger pays for the import

    command.upgrade(config(conn), to)


def config(conn: Connection) -> Config:
    """Alembic's settings, without a file."""
    from alembic.config import Config  # noqa: PLC0415 - see above

    settings = Config()
    settings.set_main_option("script_location", str(HERE).replace("%", "%%"))
    settings.set_main_option("path_separator", "os")
    settings.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    settings.attributes["connection"] = conn
    return settings
