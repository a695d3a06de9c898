"""The real ledger for one world after the other: opened once, emptied for each, with seams for a death."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, cast

from sqlalchemy import Connection, Engine, event

from sync_platform.ledger.database import Ledger, Write
from sync_platform.ledger.prepared import Prepared


class _Lent:
    """A connection that goes back among the idle ones."""

    __slots__ = ("conn", "idle")

    def __init__(self, idle: list[Connection], conn: Connection) -> None:
        self.idle, self.conn = idle, conn

    def __enter__(self) -> Connection:
        return self.conn

    def __exit__(self, *_: object) -> None:
        self.idle.append(self.conn)


class _Seamed(Write):
    """A write transaction with its seams."""

    __slots__ = ("before", "conn", "ledger", "seam")

    def __init__(self, ledger: SimulatedLedger) -> None:
        super().__init__(ledger)
        self.ledger = ledger
        self.seam = ledger.seam

    def __enter__(self) -> Connection:
        try:
            self.seam("begin")
        except BaseException as died:
            self.lent.__exit__(type(died), died, died.__traceback__)
            raise
        self.conn = super().__enter__()
        self.before = _changes(self.conn)
        return self.conn

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            super().__exit__(kind, error, trace)
            return
        try:
            self.seam("commit")
        except BaseException as died:
            super().__exit__(type(died), died, died.__traceback__)
            raise
        super().__exit__(None, None, None)
        self.ledger.wrote = _changes(self.conn) != self.before
        self.seam("committed")


class SimulatedLedger(Ledger):
    """The real ledger, with a seam at both sides of every commit and the world's clock."""

    seam: Callable[[str], None] = staticmethod(lambda _name: None)
    clock: Callable[[], datetime] = staticmethod(lambda: datetime.now(UTC))

    def __init__(self, engine: Engine, pacing_engine: Engine) -> None:
        super().__init__(engine, pacing_engine)
        self.idle: list[Connection] = []
        # Whether the last write transaction changed any row.
        self.wrote = True

    def begin(self) -> AbstractContextManager[Connection]:
        """A write transaction; the process may die before and after its commit."""
        return _Seamed(self)

    def _connected(self) -> AbstractContextManager[Connection]:
        """The connection of the transaction before: fetching one from a pool costs more than a read."""
        return _Lent(self.idle, self.idle.pop() if self.idle else Prepared(self.engine, self._plans))

    def ask(self, sql: str) -> list[Any]:
        """Rows of what was committed, over a connection that knows it; another one would read all of it anew."""
        if not self.idle:
            with self.read():
                pass
        raw: Any = self.idle[-1].connection.dbapi_connection
        rows: list[Any] = raw.execute(sql).fetchall()
        return rows

    def part(self) -> None:
        """Close all connections: the file is about to be replaced under them."""
        while self.idle:
            self.idle.pop().close()
        self.engine.dispose()

    def now(self, conn: Connection) -> datetime:  # noqa: ARG002  # the ledger's
        """The world's time."""
        return self.clock()


class Shelf:
    """One ledger file that is used again and again: compiled statements stay with its engine, its rows do not."""

    def __init__(self) -> None:
        base = Path("/dev/shm")  # noqa: S108  # a file in memory, where there is such a place
        self.folder = Path(tempfile.mkdtemp(prefix="sync-simulate-", dir=base if base.is_dir() else None))
        self.path = self.folder / "ledger.db"
        self.ledger = cast("SimulatedLedger", SimulatedLedger.open(f"sqlite:///{self.path}", migrate=True))
        self.ledger.part()
        event.listen(self.ledger.engine, "connect", _careless)
        self.raw = sqlite3.connect(self.path)
        _careless(self.raw, None)
        tables = self.raw.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        self.first = {name: self.raw.execute(f'SELECT * FROM "{name}"').fetchall() for (name,) in tables}  # noqa: S608

    def fresh(self) -> SimulatedLedger:
        """The ledger as it was created; emptied, not replaced, so that what was prepared for it stays so."""
        with self.raw:
            for name, rows in self.first.items():
                self.raw.execute(f'DELETE FROM "{name}"')  # noqa: S608  # a table of ours
                for row in rows:
                    places = ",".join("?" * len(row))
                    self.raw.execute(f'INSERT INTO "{name}" VALUES ({places})', row)  # noqa: S608  # same
        return self.ledger

    def copy(self, other: Shelf) -> None:
        """Hold what another shelf holds."""
        self.ledger.part()
        other.raw.backup(self.raw)

    def close(self) -> None:
        """Remove the file."""
        self.raw.close()
        self.ledger.part()
        self.ledger.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def _changes(conn: Connection) -> int:
    """How many rows were changed over this connection so far."""
    raw: Any = conn.connection.dbapi_connection
    return int(raw.total_changes)


def _careless(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA synchronous=OFF")
