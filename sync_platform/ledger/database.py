"""The ledger's database: opening, migrating, one write transaction, one read, and the few statements that differ.

Two stores behind one URL. The *ledger* holds what was seen, decided and owed. The *pacing store* holds what must never
wait for a long write of the ledger: budgets, calls and leases. On PostgreSQL both are the same database, with rows
locked singly. SQLite allows one writer in each file, so there the pacing store is a second file beside the first
(`ledger.db` → `ledger.budget.db`); it can be deleted at any time while nothing runs, and costs one window of calls.

No statement's parameters ever enter an error: engines hide them, and errors of the driver are raised again without
their cause (PostgreSQL quotes values in its details).
"""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import time
import uuid
import zlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from sqlalchemy import (
    URL,
    BigInteger,
    ColumnElement,
    Connection,
    CursorResult,
    Engine,
    Executable,
    RootTransaction,
    Table,
    Text,
    bindparam,
    cast,
    create_engine,
    event,
    func,
    insert,
    inspect,
    make_url,
    select,
    text,
)
from sqlalchemy import exc as sa_exc
from sqlalchemy.dialects import postgresql, registry, sqlite
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.schema import CreateIndex, CreateTable

from sync_platform.core.records import encoder
from sync_platform.errors import (
    LedgerTooNew,
    LedgerUnreachable,
    Misconfigured,
    NotSetUp,
    SyncError,
    Unavailable,
)
from sync_platform.ledger import migrations
from sync_platform.ledger.prepared import Plans, Prepared, Spoken, no_plans
from sync_platform.ledger.tables import BudgetRow, CallRow, LeaseRow, LedgerModel, Meta

T = TypeVar("T")

BUSY_TIMEOUT_S = 10.0
# Statements that a connection to SQLite keeps prepared: a cycle asks more than the driver's 128.
PREPARED_MAX = 512
CONNECT_TIMEOUT_S = 10
# Any constant will do: it names the lock under which only one process creates or migrates.
MIGRATION_LOCK = 0x5E_1E_D6_E7
# A budget that a stalled host holds locked would stop everybody else: the server ends such a session.
_PACING_OPTIONS = "-c synchronous_commit=off -c idle_in_transaction_session_timeout=5000 -c lock_timeout=10000"
# At a connection: its next transaction only reads.
READS = "ledger_read"
# How a transaction of SQLite begins, by whether it only reads: a writer takes the only writer's place at once.
BEGIN = {False: "BEGIN IMMEDIATE", True: "BEGIN"}
_BUSY = ("SQLITE_BUSY", "SQLITE_LOCKED", "40001", "40P01", "55P03", "25P03")
_BROKEN_SQLITE = ("CANTOPEN", "IOERR", "FULL", "READONLY", "NOTADB", "CORRUPT", "PERM", "AUTH", "PROTOCOL")
_BROKEN_POSTGRES = ("08", "28", "3D", "53", "57", "58")

META: Table = Meta.__table__  # type: ignore[attr-defined]
PACING: tuple[Table, ...] = (
    BudgetRow.__table__,  # type: ignore[attr-defined]
    CallRow.__table__,  # type: ignore[attr-defined]
    LeaseRow.__table__,  # type: ignore[attr-defined]
)


# JSON as the ledger stores it: compact, letters of all scripts as they are.
dump_json = encoder()


_decode = json.JSONDecoder().raw_decode


def _load_json(text: str) -> Any:
    """What `dump_json` wrote: nothing stands before or after it."""
    return _decode(text)[0]


def in_chunks(items: Sequence[T], size: int) -> Sequence[Sequence[T]]:
    """The items in pieces of at most `size`: databases bound the number of parameters of one statement."""
    if size < 1:
        raise ValueError("a chunk holds at least one item")
    if len(items) <= size:
        return (items,) if items else ()
    return [items[start : start + size] for start in range(0, len(items), size)]


def insert_for(conn: Connection, table: Any) -> Any:
    """The dialect's own insert, which knows `on_conflict_do_nothing` and `on_conflict_do_update`."""
    if conn.dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)


class ForIds:
    """A statement about a list of ids, built once: for one id, which is what most steps ask, and for several.

    `make` gets the condition that `column` is one of the ids and gives the statement. Call it with a chunk of ids and
    the statement's other parameters.
    """

    def __init__(self, column: Any, make: Callable[[ColumnElement[bool]], Executable]) -> None:
        self.one = make(column == bindparam("b_one"))
        self.many = make(column.in_(bindparam("b_ids", expanding=True)))

    def __call__(self, conn: Connection, ids: Sequence[Any], **more: Any) -> CursorResult[Any]:
        """Run it."""
        if len(ids) == 1:
            return conn.execute(self.one, {"b_one": ids[0], **more})
        return conn.execute(self.many, {"b_ids": ids, **more})


def upsert(table: Any, make: Callable[[Any], Any]) -> Callable[[Connection], Any]:
    """An insert that differs by dialect, made once for each: `make` adds its `on_conflict…` to the bare insert."""
    made = {"postgresql": make(postgresql.insert(table)), "sqlite": make(sqlite.insert(table))}
    return lambda conn: made[conn.dialect.name]


_META_OF = select(META.c.value).where(META.c.key == bindparam("key"))
_SET_META = upsert(
    META, lambda new: new.on_conflict_do_update(index_elements=["key"], set_={"value": new.excluded.value})
)
_NUMBER = upsert(
    META,
    lambda new: (
        new.values(key="number", value="1")
        .on_conflict_do_update(index_elements=["key"], set_={"value": cast(cast(META.c.value, BigInteger) + 1, Text)})
        .returning(META.c.value)
    ),
)


def get_meta(conn: Connection, key: str) -> str | None:
    """One fact about this ledger."""
    value: str | None = conn.execute(_META_OF, {"key": key}).scalar()
    return value


def set_meta(conn: Connection, key: str, value: str) -> None:
    """Write one fact about this ledger, replacing what was there."""
    conn.execute(_SET_META(conn), {"key": key, "value": value})


def ledger_id(conn: Connection) -> str:
    """The id (32 hex characters) that was drawn when this ledger was created."""
    found = get_meta(conn, "ledger_id")
    if found is None:
        raise NotSetUp("The ledger has no id.")
    return found


def number(conn: Connection) -> int:
    """The next number of this ledger, from 1: unique, and growing in the order in which transactions commit.

    Until its transaction ends, other transactions that ask for a number wait.
    """
    return int(conn.execute(_NUMBER(conn)).scalar_one())


@lru_cache(maxsize=1)
def host_name() -> str:
    """This host as far as process ids mean something: name, boot, and the namespace of process ids (containers)."""
    parts = [socket.gethostname()]
    # Where there is no /proc the name must do.
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()[:8])
    with suppress(OSError):
        parts.append(Path("/proc/self/ns/pid").readlink().name)
    return "/".join(parts)


class Ledger:
    """An open ledger. Safe to share between threads; never between processes (open it again after a fork)."""

    def __init__(self, engine: Engine, pacing_engine: Engine) -> None:
        self.engine = engine
        self.pacing_engine = pacing_engine
        self.postgres = engine.dialect.name == "postgresql"
        self._plans, self._pacing_plans = no_plans(), no_plans()
        # Asked at both ends of each write transaction; raises where another process may be at work by now.
        self.check_owner: Callable[[], None] = lambda: None

    @classmethod
    def open(cls, url: str, *, migrate: bool) -> Ledger:
        """Open the ledger at `url` (`sqlite:///path` or `postgresql://…`).

        With `migrate` an empty database gets the tables and an older ledger is brought up to date; without it both
        raise `NotSetUp`. Raises `LedgerTooNew`, `LedgerUnreachable`, and `Misconfigured` for a URL that is none.
        """
        parsed = _parse(url)
        if parsed.get_backend_name() == "sqlite":
            ledger = _open_sqlite(cls, Path(parsed.database or ""), migrate=migrate)
        else:
            options = " ".join(filter(None, (str(parsed.query.get("options", "")), _PACING_OPTIONS)))
            pacing = parsed.update_query_dict({"options": options})
            ledger = cls(_postgres_engine(parsed), _postgres_engine(pacing))
        try:
            with _Guard():
                ledger._ready(migrate=migrate)
        except BaseException:
            ledger.close()
            raise
        return ledger

    def begin(self) -> AbstractContextManager[Connection]:
        """One write transaction: commits at the end, rolls back when the body raises.

        On SQLite it holds the only writer's place from its first moment, so a read in it is never out of date.
        Raises `Unavailable` when the ledger stays busy, `LedgerUnreachable`, `SyncError` for a refused statement, and
        whatever `check_owner` raises.
        """
        return Write(self)

    def read(self) -> AbstractContextManager[Connection]:
        """One read transaction; on SQLite it sees one moment and waits for nobody."""
        return _Transaction(self._connected(), reads=True)

    def pacing(self) -> AbstractContextManager[Connection]:
        """One short write transaction in the pacing store (budgets, calls, leases)."""
        return _Transaction(_Pooled(self.pacing_engine, self._pacing_plans))

    def pacing_read(self) -> AbstractContextManager[Connection]:
        """One read in the pacing store."""
        return _Transaction(_Pooled(self.pacing_engine, self._pacing_plans), reads=True)

    def _connected(self) -> AbstractContextManager[Connection]:
        """A connection for one transaction."""
        return _Pooled(self.engine, self._plans)

    def now(self, conn: Connection) -> datetime:
        """The time that all processes on this ledger share: PostgreSQL's own clock, or this host's."""
        if self.postgres:
            at: datetime = conn.execute(select(func.clock_timestamp())).scalar_one()
            return at.astimezone(UTC)
        return datetime.now(UTC)

    def close(self) -> None:
        """Give back all connections."""
        self.engine.dispose()
        self.pacing_engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ready(self, *, migrate: bool) -> None:
        with self.read() as conn:
            current = _is_current(conn, migrate=migrate)
        if not current:
            with self.begin() as conn:
                if self.postgres:
                    conn.execute(select(func.pg_advisory_xact_lock(MIGRATION_LOCK)))
                _bring_up_to_date(conn)
        if not self.postgres:
            with self.pacing() as conn:
                _prepare_pacing(conn)


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
        backend = parsed.get_backend_name()
    except (sa_exc.ArgumentError, ValueError):
        raise _bad_url("it is not a URL") from None
    if backend == "sqlite":
        if not parsed.database or parsed.database == ":memory:" or parsed.database.startswith("file:"):
            raise _bad_url("SQLite needs a file")
        return parsed
    if backend in {"postgresql", "postgres"}:
        return parsed.set(drivername="postgresql+psycopg")
    raise _bad_url(f"{backend} is not supported")


def _bad_url(reason: str) -> Misconfigured:
    # The URL itself may hold a password: it stays out of the message.
    return Misconfigured(
        f"LEDGER_DATABASE_URL: {reason}.",
        remedy="Use sqlite:///path/to/ledger.db or postgresql://user:password@host/database.",
    )


def _open_sqlite(cls: type[Ledger], path: Path, *, migrate: bool) -> Ledger:
    # One spelling for one file: processes that reach it by different paths must share one pacing store.
    path = Path(os.path.realpath(path))
    if not migrate and not path.exists():
        raise NotSetUp("There is no ledger yet.")
    pacing = path.with_name(f"{path.stem}.budget{path.suffix or '.db'}")
    for file in (path, pacing):
        _create_file(file)
    return cls(_sqlite_engine(path), _sqlite_engine(pacing))


def _create_file(path: Path) -> None:
    """Make the file before SQLite does, for the owner's eyes only; its journals inherit the mode."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        return
    except OSError as error:
        raise LedgerUnreachable(
            f"The ledger's file cannot be created: {error.strerror}.", code=type(error).__name__
        ) from None


class LedgerSqlite(SQLiteDialect_pysqlite):
    """SQLite whose transactions begin where they are opened; no event at every statement is needed for that."""

    supports_statement_cache = True

    def do_begin(self, dbapi_connection: Any) -> None:
        """Writers take the only writer's place at once, readers take none."""
        dbapi_connection.dbapi_connection.execute(BEGIN[bool(dbapi_connection.info.pop(READS, False))])

    def do_commit(self, dbapi_connection: Any) -> None:
        """By the statement, which stays prepared; the driver's own method spells it anew each time."""
        dbapi_connection.dbapi_connection.execute("COMMIT")


registry.register("sqlite.ledger", __name__, LedgerSqlite.__name__)


def _sqlite_engine(path: Path) -> Engine:
    engine = create_engine(
        URL.create("sqlite+ledger", database=str(path)),
        hide_parameters=True,
        json_serializer=dump_json,
        json_deserializer=_load_json,
        connect_args={"timeout": BUSY_TIMEOUT_S, "cached_statements": PREPARED_MAX},
    )

    @event.listens_for(engine, "connect")
    def _connected(connection: Any, _record: Any) -> None:
        # The driver begins a transaction only at the first write; then a read before it may be out of date and the
        # write fails with «locked» at once. So transactions are ours alone.
        connection.isolation_level = None
        _use_wal(connection)
        connection.execute("PRAGMA synchronous=NORMAL")

    return engine


def _use_wal(connection: Any) -> None:
    """Switch the file to write-ahead logging; while another process does the same, SQLite refuses without waiting."""
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL").fetchone()
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _postgres_engine(url: URL) -> Engine:
    return create_engine(
        url,
        hide_parameters=True,
        json_serializer=dump_json,
        pool_pre_ping=True,
        connect_args={"connect_timeout": CONNECT_TIMEOUT_S},
    )


def _is_current(conn: Connection, *, migrate: bool) -> bool:
    version = migrations.version(conn)
    known = migrations.known()
    if version == known[-1]:
        return True
    if version is not None and version not in known:
        raise LedgerTooNew(f"This ledger has schema {version}; this version knows up to {known[-1]}.")
    if not migrate:
        found = "has no tables" if version is None else f"has schema {version}, and {known[-1]} is needed"
        raise NotSetUp(f"The ledger {found}.")
    return False


def _bring_up_to_date(conn: Connection) -> None:
    # Looked at again under the lock: another process may just have done it.
    if _is_current(conn, migrate=True):
        return
    if migrations.version(conn) is not None:
        migrations.upgrade(conn)
        return
    taken = set(inspect(conn).get_table_names()) & set(LedgerModel.metadata.tables)
    if taken:
        raise Misconfigured(
            f"LEDGER_DATABASE_URL: this database has a table {min(taken)} that is not the ledger's.",
            remedy="Give the ledger a database of its own.",
        )
    # Far faster than walking through the history, and the tests hold both equal.
    LedgerModel.metadata.create_all(conn)
    migrations.stamp(conn)
    conn.execute(insert(META).values(key="ledger_id", value=uuid.uuid4().hex))


def _prepare_pacing(conn: Connection) -> None:
    """Make the second file's tables; a file of another version is emptied (nothing in it outlives a window)."""
    ddl = [str(CreateTable(table).compile(dialect=conn.dialect)) for table in PACING]
    ddl += [str(CreateIndex(index).compile(dialect=conn.dialect)) for table in PACING for index in table.indexes]
    wanted = zlib.crc32("".join(ddl).encode()) & 0x7FFFFFFF
    if conn.exec_driver_sql("PRAGMA user_version").scalar() == wanted:
        return
    for table in PACING:
        table.drop(conn, checkfirst=True)
        table.create(conn)
    conn.execute(text(f"PRAGMA user_version={wanted}"))


class _Guard:
    """Gives the driver's errors as ours; a generator would cost as much as a small statement."""

    __slots__ = ()

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, sa_exc.SQLAlchemyError) and (ours := _ours(error)) is not error:
            raise ours from None


def _ours(error: sa_exc.SQLAlchemyError) -> Exception:
    """The driver's error, or the pool's, as one of ours; any other as it is."""
    if isinstance(error, sa_exc.DBAPIError):
        return _translated(error)
    if isinstance(error, sa_exc.TimeoutError):
        return Unavailable("All connections to the ledger are in use.", wait_s=1.0, code="pool")
    return error


class _Pooled:
    """A connection of a pool, fetched where it is entered."""

    __slots__ = ("conn", "engine", "plans")

    def __init__(self, engine: Engine, plans: Plans) -> None:
        self.engine, self.plans = engine, plans

    def __enter__(self) -> Connection:
        self.conn = Prepared(self.engine, self.plans)
        return self.conn

    def __exit__(self, *_: object) -> None:
        self.conn.close()


class _Transaction:
    """A transaction on a connection that is lent for it; the driver's errors come as ours.

    Written out: as generators within each other it would cost as much as a small statement.
    """

    __slots__ = ("begun", "lent", "reads")
    begun: RootTransaction

    def __init__(self, lent: AbstractContextManager[Connection], *, reads: bool = False) -> None:
        self.lent, self.reads = lent, reads

    def __enter__(self) -> Connection:
        try:
            conn = self.lent.__enter__()
            try:
                if isinstance(conn, Prepared) and conn.spoken_to:
                    self.begun = Spoken(conn, BEGIN[self.reads])
                    return conn
                if self.reads:
                    conn.info[READS] = True
                self.begun = conn.begin()
            except BaseException as error:
                self.lent.__exit__(type(error), error, error.__traceback__)
                raise
        except sa_exc.SQLAlchemyError as error:
            raise _ours(error) from None
        return conn

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            try:
                if kind is None and isinstance(self.begun, Spoken):
                    self.begun.end()
                else:
                    self.begun.__exit__(kind, error, trace)
            finally:
                self.lent.__exit__(kind, error, trace)
        except sa_exc.SQLAlchemyError as refused:
            raise _ours(refused) from None
        if isinstance(error, sa_exc.SQLAlchemyError) and (ours := _ours(error)) is not error:
            raise ours from None


class Write(_Transaction):
    """A write transaction of a ledger: whose it is, is asked at both ends."""

    __slots__ = ("check_owner",)

    def __init__(self, ledger: Ledger) -> None:
        super().__init__(ledger._connected())  # noqa: SLF001  # the ledger's own
        self.check_owner = ledger.check_owner

    def __enter__(self) -> Connection:
        conn = super().__enter__()
        self._check()
        return conn

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._check()
        super().__exit__(kind, error, trace)

    def _check(self) -> None:
        try:
            self.check_owner()
        except BaseException as refused:
            super().__exit__(type(refused), refused, refused.__traceback__)
            raise


def _translated(error: sa_exc.DBAPIError) -> SyncError:
    """The driver's error as one of ours: only its class or state, never its words, which may quote values."""
    origin = error.orig
    state = getattr(origin, "sqlstate", None) or getattr(origin, "sqlite_errorname", None)
    code = str(state or type(origin).__name__)
    if code.startswith(_BUSY):
        return Unavailable("The ledger is busy.", wait_s=1.0, code=code)
    sqlite_trouble = code.removeprefix("SQLITE_").startswith(_BROKEN_SQLITE) and code.startswith("SQLITE_")
    postgres_trouble = state is not None and not code.startswith("SQLITE_") and code.startswith(_BROKEN_POSTGRES)
    unconnected = state is None and isinstance(error, sa_exc.OperationalError | sa_exc.InterfaceError)
    if error.connection_invalidated or sqlite_trouble or postgres_trouble or unconnected:
        return LedgerUnreachable(f"The ledger's database does not answer ({code}).", code=code)
    name = getattr(getattr(origin, "diag", None), "constraint_name", None)
    return SyncError(f"The ledger refused a statement ({code}{', ' + name if name else ''}).", code=code)


def epoch(ledger: Ledger) -> Callable[[Connection], float]:
    """The same clock as `Ledger.now`, in seconds."""
    if ledger.postgres:
        statement = text("SELECT extract(epoch FROM clock_timestamp())::float8")
        return lambda conn: float(conn.execute(statement).scalar_one())
    return lambda conn: ledger.now(conn).timestamp()
