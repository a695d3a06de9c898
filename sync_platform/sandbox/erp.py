"""The sandbox's ERP: plain SQL tables that any program may edit, on SQLite or PostgreSQL."""

# ruff: noqa: S608 - statements are put together from this package's own table and column names; values are bound

import contextlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from itertools import islice
from pathlib import Path
from typing import Any

from sync_platform.sandbox import erp_schema as schema
from sync_platform.sandbox.people import Agent, Case, Person
from sync_platform.sandbox.world import World, iso

BUSY_S = 10
CHUNK = 2000
STATUS = {"new": "new", "open": "in_progress", "waiting": "waiting", "resolved": "resolved", "closed": "closed"}
_TABLE = {"customers": "erp_customers", "tickets": "erp_tickets", "changes": "erp_changes"}
_READ_ONLY = ("id",)


class ErpSandbox:
    """The ERP database of one world: `erp.db` in its data directory, or the PostgreSQL database of `world.erp_url`."""

    kinds: tuple[str, ...] = ("customers", "tickets", "changes")

    def __init__(self, world: World) -> None:
        self._world = world
        url = world.erp_url
        if url is not None and url.split(":", 1)[0].split("+")[0] not in ("postgresql", "postgres", "sqlite"):
            raise ValueError("the ERP's URL must begin with postgresql:// or sqlite:///")
        self._postgres = url is not None and not url.startswith("sqlite")
        self._path = Path(url.split(":///", 1)[1]) if url and not self._postgres else world.data_dir / "erp.db"
        self.dialect = "postgresql" if self._postgres else "sqlite"
        self._refuse_a_foreign_database()
        with self._connection() as run:
            for statement in schema.tables(self.dialect) + schema.triggers(self.dialect):
                run(statement)

    def identity(self) -> str:
        """The database's URL."""
        if self._postgres:
            return str(self._world.erp_url)
        return f"sqlite:///{self._path.resolve()}"

    def credentials(self) -> dict[str, Any]:
        """The ERP's part of the ready line."""
        return {"url": self.identity()}

    def seed(self, people: Iterable[Person], cases: Iterable[Case], agents: Iterable[Agent]) -> None:
        """Fill an empty ERP. These rows were there before anybody logged changes: erp_changes stays empty."""
        emails = {agent.n: agent.email for agent in agents}
        customers = (_customer_row(person) for person in people if "erp" in person.views)
        tickets = (_ticket_row(case, emails) for case in cases if case.system == "erp")
        with self._connection() as run:
            for trigger, table in schema.trigger_names():
                run(f"DROP TRIGGER IF EXISTS {trigger}" + (f" ON {table}" if self._postgres else ""))
            run("INSERT INTO sandbox_world (seed) VALUES (?)", (self._world.seed,))
            for table, rows in (("erp_customers", customers), ("erp_tickets", tickets)):
                self._fill(run, table, rows)
            for statement in schema.triggers(self.dialect):
                run(statement)

    def state(self, kind: str, after: str | None, limit: int) -> tuple[list[dict[str, Any]], str | None]:
        """Rows by ascending id (seq for changes) after `after`, deleted ones among them with `deleted_at`."""
        table = self._table(kind)
        start = _row_id(after) if after is not None else 0
        key = schema.COLUMNS[table][0]
        with self._connection(write=False) as run:
            live = run(
                f"SELECT {', '.join(schema.COLUMNS[table])} FROM {table} WHERE {key} > ? ORDER BY {key} LIMIT ?",
                (start, limit + 1),
            )
            gone = run(
                "SELECT row_id, body, deleted_at FROM sandbox_deleted WHERE table_name = ? AND row_id > ?"
                " ORDER BY row_id LIMIT ?",
                (table, start, limit + 1),
            )
        rows = [_shown(table, row) for row in live]
        for _, body, at in gone:
            kept = json.loads(body)
            shown = _shown(table, [kept.get(name) for name in schema.COLUMNS[table]])
            rows.append({**shown, "deleted_at": _time_out(at)})
        rows.sort(key=lambda row: int(row[key]))
        page = rows[:limit]
        return page, str(page[-1][key]) if len(rows) > limit and page else None

    def edit(self, kind: str, id: str | None, set: dict[str, Any], delete: bool, by: str) -> dict[str, Any]:  # noqa: ARG002 - ERP rows have no author
        """Change, create (id None) or delete one row over an own short connection, as a program beside us would.

        Raises KeyError for an unknown kind or id, ValueError for unknown columns or values the database refuses.
        """
        table = self._table(kind)
        if table == "erp_changes":
            raise ValueError("erp_changes is written by the database's triggers only")
        if id is None and delete:
            raise ValueError("a row that is deleted needs an id")
        values = self._encoded(table, set)
        with self._refused_as_value_error(), self._connection() as run:
            if delete:
                return self._deleted(run, table, _row_id(id))
            now = self._time_in(self._world.clock.now())
            values = (
                {"updated_at": now, **values} if id is not None else {"created_at": now, "updated_at": now, **values}
            )
            if id is None:
                marks = ", ".join("?" for _ in values)
                names = ", ".join(values)
                found = run(f"INSERT INTO {table} ({names}) VALUES ({marks}) RETURNING id", tuple(values.values()))
                row_id = found[0][0]
            else:
                row_id = _row_id(id)
                marks = ", ".join(f"{name} = ?" for name in values)
                run(f"UPDATE {table} SET {marks} WHERE id = ?", (*values.values(), row_id))
            # Read again: the triggers have filled in numbers and versions.
            return self._one(run, table, row_id)

    def merge(self, kind: str, from_id: str, into_id: str) -> dict[str, Any]:  # noqa: ARG002
        """The ERP has no merge: raises ValueError."""
        raise ValueError("the ERP does not merge rows")

    def reset(self) -> None:
        """Empty all tables, the change log and the memory of deleted rows; ids begin at 1 again."""
        names = ("erp_tickets", "erp_customers", "erp_changes", "sandbox_deleted", "sandbox_world")
        with self._connection() as run:
            if self._postgres:
                run(f"TRUNCATE {', '.join(names)} RESTART IDENTITY")
                return
            for trigger, _ in schema.trigger_names():
                run(f"DROP TRIGGER IF EXISTS {trigger}")
            for name in names:
                run(f"DELETE FROM {name}")
                run("DELETE FROM sqlite_sequence WHERE name = ?", (name,))
            for statement in schema.triggers(self.dialect):
                run(statement)

    def _refuse_a_foreign_database(self) -> None:
        """A database with an ERP's rows that no sandbox made is somebody's: stop before touching it."""
        with self._connection() as run:
            if self._postgres:
                names = "(to_regclass('erp_customers'), to_regclass('sandbox_world'))"
                probe = f"SELECT relname FROM pg_class WHERE oid IN {names}"
            else:
                probe = "SELECT name FROM sqlite_master WHERE name IN ('erp_customers', 'sandbox_world')"
            tables = {row[0] for row in run(probe)}
            if tables == {"erp_customers"} and run("SELECT id FROM erp_customers LIMIT 1"):
                raise ValueError(
                    "this database holds an ERP that no sandbox made; give the sandbox an empty database of its own"
                )

    def _fill(self, run: "Run", table: str, rows: Iterable[tuple[Any, ...]]) -> None:
        columns = schema.COLUMNS[table]
        statement = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' for _ in columns)})"
        stream = iter(rows)
        while chunk := list(islice(stream, CHUNK)):
            run.many(statement, [self._stored(columns, row) for row in chunk])
        if self._postgres:
            run(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), greatest((SELECT max(id) FROM {table}), 1))")

    def _stored(self, columns: Sequence[str], row: Sequence[Any]) -> tuple[Any, ...]:
        return tuple(self._encode(name, value) for name, value in zip(columns, row, strict=True))

    def _encoded(self, table: str, values: Mapping[str, Any]) -> dict[str, Any]:
        known = [name for name in schema.COLUMNS[table] if name not in _READ_ONLY]
        unknown = values.keys() - set(known)
        if unknown:
            raise ValueError(f"{table} has no writable column {', '.join(sorted(unknown))}; known: {', '.join(known)}")
        return {name: self._encode(name, _parsed(name, value)) for name, value in values.items()}

    def _encode(self, name: str, value: Any) -> Any:
        if isinstance(value, datetime):
            return self._time_in(value)
        if name == "tags" and value is not None:
            return json.dumps(list(value), ensure_ascii=False)
        if self._postgres:
            return value
        return float(value) if isinstance(value, Decimal) else int(value) if isinstance(value, bool) else value

    def _time_in(self, moment: datetime) -> Any:
        return moment if self._postgres else moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")

    def _table(self, kind: str) -> str:
        if kind not in _TABLE:
            raise KeyError(f"the ERP has no {kind!r}; known: {', '.join(self.kinds)}")
        return _TABLE[kind]

    def _one(self, run: "Run", table: str, row_id: int) -> dict[str, Any]:
        found = run(f"SELECT {', '.join(schema.COLUMNS[table])} FROM {table} WHERE id = ?", (row_id,))
        if not found:
            raise KeyError(f"{table} has no row {row_id}")
        return _shown(table, found[0])

    def _deleted(self, run: "Run", table: str, row_id: int) -> dict[str, Any]:
        row = self._one(run, table, row_id)
        run(f"DELETE FROM {table} WHERE id = ?", (row_id,))
        return {**row, "deleted_at": iso(self._world.clock.now())}

    @contextlib.contextmanager
    def _refused_as_value_error(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            # psycopg is an optional import: its errors are told by the module that they come from.
            if isinstance(error, sqlite3.Error) or type(error).__module__.startswith("psycopg"):
                raise ValueError(f"the database refused: {type(error).__name__}") from None
            raise

    @contextlib.contextmanager
    def _connection(self, *, write: bool = True) -> Iterator["Run"]:
        """One short transaction: commit at the end, roll back on any error, always close."""
        connection = self._connect(write)
        try:
            yield Run(connection, self._postgres)
            connection.commit()
        except BaseException:
            connection.rollback()
            raise
        finally:
            connection.close()

    def _connect(self, write: bool) -> Any:
        if self._postgres:
            import psycopg

            url = self.identity()
            return psycopg.connect("postgresql:" + url.split(":", 1)[1], connect_timeout=BUSY_S)
        connection = sqlite3.connect(self._path, timeout=BUSY_S, isolation_level=None)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")
        return connection


class Run:
    """Runs statements with `?` places on one open connection and returns all rows."""

    def __init__(self, connection: Any, postgres: bool) -> None:
        self._connection = connection
        self._postgres = postgres

    def __call__(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        """Run one statement."""
        if self._postgres:
            cursor = self._connection.execute(self._placed(statement) if values else statement, values or None)
            return list(cursor.fetchall()) if cursor.description else []
        return list(self._connection.execute(statement, values).fetchall())

    def many(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run one statement for every row of values."""
        if self._postgres:
            self._connection.cursor().executemany(self._placed(statement), rows)
        else:
            self._connection.executemany(statement, rows)

    @staticmethod
    def _placed(statement: str) -> str:
        return statement.replace("?", "%s")


def _customer_row(person: Person) -> tuple[Any, ...]:
    view = person.views["erp"]
    return (
        person.n,
        person.customer_no,
        view.name,
        view.first,
        view.last,
        view.emails[0] if view.emails else None,
        view.emails[1] if len(view.emails) > 1 else None,
        view.phones[0] if view.phones else None,
        view.company,
        view.language,
        person.credit_status,
        person.lifetime_value,
        person.order_count,
        view.opt_out,
        view.note,
        None,
        1,
        view.created_at,
        view.updated_at,
    )


def _ticket_row(case: Case, emails: Mapping[int, str]) -> tuple[Any, ...]:
    return (
        case.n,
        case.reference or f"T-{case.n:06d}",
        case.person,
        case.subject,
        STATUS[case.status],
        case.priority,
        case.channel,
        emails.get(case.agent) if case.agent is not None else None,
        case.tags,
        case.messages[0].text,
        len(case.messages),
        case.messages[-1].at,
        case.score,
        None,
        1,
        case.created_at,
        case.closed_at,
        case.updated_at,
    )


def _row_id(text: str | None) -> int:
    if text is None or not str(text).isdecimal():
        raise KeyError("ids of the ERP are whole numbers")
    return int(text)


def _parsed(name: str, value: Any) -> Any:
    """A JSON value as Python's: times from ISO 8601, money as Decimal. Raises ValueError."""
    if value is None:
        return None
    if name in schema.TIMES:
        try:
            moment = datetime.fromisoformat(str(value))
        except ValueError:
            raise ValueError(f"{name} must be a time in ISO 8601") from None
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if name == "lifetime_value":
        try:
            return Decimal(str(value)).quantize(Decimal("0.01"))
        except InvalidOperation:
            raise ValueError("lifetime_value must be a number") from None
    if name == "tags" and not (isinstance(value, list) and all(isinstance(tag, str) for tag in value)):
        raise ValueError("tags must be a list of strings")
    if isinstance(value, dict) or (isinstance(value, list) and name != "tags"):
        raise ValueError(f"{name} must be a single value")
    return value


def _shown(table: str, values: Iterable[Any]) -> dict[str, Any]:
    """A row as JSON: times as ISO 8601 with Z, money as text with two decimals, tags as a list, flags as booleans."""
    row = dict(zip(schema.COLUMNS[table], values, strict=True))
    for name, value in row.items():
        if value is None:
            continue
        if name in schema.TIMES:
            row[name] = _time_out(value)
        elif name == "lifetime_value":
            row[name] = f"{Decimal(str(value)):.2f}"
        elif name == "tags":
            row[name] = json.loads(value) if isinstance(value, str) else value
        elif name == "marketing_opt_out":
            row[name] = bool(value)
    return row


def _time_out(value: Any) -> str:
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
