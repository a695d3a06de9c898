"""The tables by their history and by their declaration are the same, and only forwards is a way."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect, make_url, text

from sync_platform.errors import LedgerTooNew, Misconfigured, NotSetUp
from sync_platform.ledger import migrations
from sync_platform.ledger.database import Ledger
from sync_platform.ledger.tables import LedgerModel

OPEN = """
import sys
from sync_platform.ledger.database import Ledger, ledger_id
with Ledger.open(sys.argv[1], migrate=True) as ledger, ledger.read() as conn:
    print(ledger_id(conn))
"""


def engine_of(url):
    return create_engine(url.replace("postgresql://", "postgresql+psycopg://"))


def declared(engine):
    with engine.begin() as conn:
        LedgerModel.metadata.create_all(conn)
        migrations.stamp(conn)


def migrated(engine):
    with engine.begin() as conn:
        migrations.upgrade(conn)


def shape_of(conn):
    """Every table, column, default, constraint and index as the database itself describes it."""
    if conn.dialect.name == "sqlite":
        ddl = conn.execute(text("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")).all()
        return {name: "".join(sql.split()) for name, sql in ddl if name != migrations.VERSION_TABLE}
    found = inspect(conn)
    shape = {
        table: [str(column) for column in found.get_columns(table)]
        + [str(found.get_pk_constraint(table)), str(found.get_unique_constraints(table))]
        for table in found.get_table_names()
        if table != migrations.VERSION_TABLE
    }
    return shape | dict(
        conn.execute(text("SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'")).all()
    )


def test_the_history_makes_exactly_what_is_declared(ledger_url, tmp_path):
    engine = engine_of(ledger_url)
    migrated(engine)
    with engine.begin() as conn:
        by_history = shape_of(conn)
        assert (
            compare_metadata(
                MigrationContext.configure(
                    conn, opts={"compare_type": True, "version_table": migrations.VERSION_TABLE}
                ),
                LedgerModel.metadata,
            )
            == []
        )
        LedgerModel.metadata.drop_all(conn)
        conn.execute(text(f"DROP TABLE {migrations.VERSION_TABLE}"))
    declared(engine)
    with engine.begin() as conn:
        by_declaration = shape_of(conn)
    engine.dispose()
    assert set(by_history) == set(by_declaration)
    for name, described in by_history.items():
        assert described == by_declaration[name], name


def test_both_ways_say_the_same_version(tmp_path):
    versions = []
    for name, way in (("a", declared), ("b", migrated)):
        engine = create_engine(f"sqlite:///{tmp_path / name}.db")
        way(engine)
        with engine.connect() as conn:
            versions.append(migrations.version(conn))
        engine.dispose()
    assert versions == [migrations.known()[-1]] * 2


def test_the_history_is_one_line_without_gaps():
    with create_engine("sqlite://").connect() as conn:
        script = ScriptDirectory.from_config(migrations.config(conn))
        walked = [revision.revision for revision in script.walk_revisions()]
    assert tuple(reversed(walked)) == migrations.known()
    assert list(migrations.known()) == [f"v{n:04d}" for n in range(1, len(walked) + 1)]


def test_every_migration_says_when_it_is_deployed():
    names = [path.stem for path in (migrations.HERE / "versions").glob("v*.py")]
    assert names
    assert all(name.split("_")[1] in {"pre", "post"} for name in names)


def test_a_migrated_ledger_opens(ledger_url):
    engine = engine_of(ledger_url)
    migrated(engine)
    engine.dispose()
    with Ledger.open(ledger_url, migrate=True) as ledger, ledger.read() as conn:
        assert migrations.version(conn) == migrations.known()[-1]


def test_a_ledger_of_a_newer_version_is_refused(ledger, ledger_url):
    with ledger.begin() as conn:
        conn.execute(text(f"UPDATE {migrations.VERSION_TABLE} SET version_num = 'v9999'"))
    for migrate in (True, False):
        with pytest.raises(LedgerTooNew, match="v9999"):
            Ledger.open(ledger_url, migrate=migrate)


def test_a_database_without_a_ledger_is_not_set_up(ledger_url):
    with pytest.raises(NotSetUp):
        Ledger.open(ledger_url, migrate=False)
    url = make_url(ledger_url)
    assert url.get_backend_name() == "postgresql" or not Path(url.database).exists()


def test_a_database_with_tables_of_somebody_else_is_left_alone(ledger_url):
    engine = engine_of(ledger_url)
    with engine.begin() as conn:
        conn.execute(text("CREATE TABLE record (id INTEGER PRIMARY KEY)"))
    engine.dispose()
    with pytest.raises(Misconfigured, match="record"):
        Ledger.open(ledger_url, migrate=True)


def test_processes_that_come_together_make_one_ledger(ledger_url):
    children = [
        subprocess.Popen([sys.executable, "-c", OPEN, ledger_url], stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    ids = {child.communicate(timeout=60)[0] for child in children}
    assert [child.returncode for child in children] == [0, 0, 0]
    assert len(ids) == 1


def test_records_of_an_older_ledger_are_found_by_their_names_afterwards(ledger_url):
    engine = engine_of(ledger_url)
    with engine.begin() as conn:
        migrations.upgrade(conn, "v0002")
        add = text(
            "INSERT INTO record (id, entity, fields, settled, dirty, wanted, twin, born_at)"
            " VALUES (:id, :entity, :fields, true, false, false, false, '2026-03-01 00:00:00+00:00')"
        )
        name = {"full": "Zoë  van Dam", "first": "Zoë", "last": "van Dam"}
        for record, entity, fields in (("a", "customer", {"name": name}), ("b", "ticket", {"subject": "Where is IT?"})):
            conn.execute(add, {"id": record, "entity": entity, "fields": json.dumps(fields)})
        conn.execute(add, {"id": "c", "entity": "customer", "fields": None})
    engine.dispose()
    with Ledger.open(ledger_url, migrate=True) as ledger, ledger.read() as conn:
        found = conn.execute(text("SELECT id, named, surnamed FROM record ORDER BY id")).all()
    assert [tuple(row) for row in found] == [
        ("a", "zoe van dam", "dam zoe van"),
        ("b", "where is it?", None),
        ("c", None, None),
    ]
