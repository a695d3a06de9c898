"""Statements that are built once and run often, without what SQLAlchemy repeats at each run.

A cycle runs hundreds of small statements, and looking up their compiled text, checking their parameters and describing
their results costs several times what the database needs for them. Here the second run of a statement object teaches
how it is written, bound and read; from then on it goes to the driver as it is. What is run once, or is not understood,
goes SQLAlchemy's way, and so does everything on a connection that somebody listens to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import Any
from weakref import ref

from sqlalchemy import JSON, BindParameter, Connection, Delete, Engine, Insert, RootTransaction, Select, Update
from sqlalchemy.engine import CursorResult, Dialect, Row
from sqlalchemy.engine.result import IteratorResult, SimpleResultMetaData
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.sql import visitors
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import TypeEngine
from sqlmodel.sql.sqltypes import UTCDateTime

# Longer lists are rare, and each length is a text of its own.
LIST_MAX = 16
TIMES_MAX = 4096
_KINDS = (Select, Insert, Update, Delete)
_NO_COLUMNS = SimpleResultMetaData([])
_NONE: dict[str, Any] = {}

Process = Callable[[Any], Any] | None
Readers = tuple[Any, ...]
Given = Mapping[str, Any]


class Rows:
    """All rows of a statement, and how many it touched (-1 where the driver does not say); speaks as `Result` does."""

    __slots__ = ("_columns", "_rows", "rowcount")

    def __init__(self, columns: SimpleResultMetaData, rows: list[Any], rowcount: int = -1) -> None:
        self._columns = columns
        self._rows = rows
        self.rowcount = rowcount

    def __iter__(self) -> Iterator[Any]:
        return iter(self._rows)

    def all(self) -> list[Any]:
        """All rows."""
        return self._rows

    def first(self) -> Any:
        """The first row, or None."""
        return self._rows[0] if self._rows else None

    def one(self) -> Any:
        """The only row. Raises `NoResultFound` and `MultipleResultsFound`."""
        return self._rows[0] if len(self._rows) == 1 else self._result().one()

    def scalar(self) -> Any:
        """The first value of the first row, or None."""
        return self._rows[0][0] if self._rows else None

    def scalar_one(self) -> Any:
        """The first value of the only row. Raises `NoResultFound` and `MultipleResultsFound`."""
        return self._rows[0][0] if len(self._rows) == 1 else self._result().scalar_one()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._result(), name)

    def _result(self) -> IteratorResult[Any]:
        return IteratorResult(self._columns, iter(self._rows))


@dataclass(frozen=True, slots=True)
class Plan:
    """How one statement is sent and read where the caller gives parameters of these names.

    `fixed` are the driver's parameters, with the values that are always the same. The others are put at their places:
    as the caller gives them (`plain`: place, what the caller calls it), after something is done to them (`changed`), or
    as elements of a list (`listed`, with which of them). `row` makes a row of the driver's, None where there are none.
    """

    sql: str
    fixed: Any
    plain: tuple[tuple[Any, str], ...]
    changed: tuple[tuple[Any, str, Callable[[Any], Any]], ...]
    listed: tuple[tuple[Any, str, int, Process], ...]
    columns: SimpleResultMetaData
    row: Callable[[Any], Any] | None
    # How many parameters the caller gives.
    given: int = 0

    def bound(self, given: Given) -> Any:
        """The parameters as the driver takes them. Raises `KeyError` for one that is missing."""
        values = self.fixed.copy()
        for place, key in self.plain:
            values[place] = given[key]
        for place, key, process in self.changed:
            values[place] = process(given[key])
        for place, key, which, element in self.listed:
            value = given[key][which]
            values[place] = value if element is None else element(value)
        return values

    def read(self, cursor: Any) -> Rows:
        """What the driver's cursor holds."""
        if self.row is None:
            return Rows(_NO_COLUMNS, [], cursor.rowcount)
        return Rows(self.columns, list(map(self.row, cursor.fetchall())))


@dataclass(slots=True)
class Seen:
    """A statement object that was run before; `lists` names its parameters that are lists, once somebody looked.

    `plans` are by whether it is run for many rows, the names of the parameters, and the lengths of the lists; None:
    goes SQLAlchemy's way.
    """

    lists: tuple[str, ...] | None = None
    plans: dict[tuple[Any, ...], Plan | None] = field(default_factory=dict)
    # The plan of those that are always run for one row with the same parameters, as most are.
    only: Plan | None = None


class Plans(dict[int, tuple[Seen, ref[Any]]]):
    """What is known of statements, by the identity of each; one that nobody holds any more is forgotten."""

    def add(self, statement: Any) -> None:
        """Nothing is known yet; while an identity is in use its statement is held, so it names no other one."""
        key = id(statement)
        self[key] = (Seen(), ref(statement, lambda _gone: self.pop(key, None)))


def no_plans() -> Plans:
    """For the connections of one engine."""
    return Plans()


class Spoken(RootTransaction):
    """A transaction of SQLite whose begin and end go to the driver as they are; a rollback goes SQLAlchemy's way."""

    __slots__ = ("raw",)

    def __init__(self, connection: Connection, begin: str) -> None:
        if connection._transaction is not None:  # noqa: SLF001  # what it is that is opened here
            raise InvalidRequestError("a transaction is open")
        self.connection = connection
        raw: Any = connection.connection.dbapi_connection
        self.raw = raw
        try:
            raw.execute(begin)
        except BaseException as error:  # noqa: BLE001  # raised again, as by every connection
            connection._handle_dbapi_exception(error, None, None, None, None)  # noqa: SLF001
        connection._transaction = self  # noqa: SLF001
        self.is_active = True

    def end(self) -> None:
        """Commit; what keeps it from that rolls back."""
        connection = self.connection
        if not self.is_active or connection._nested_transaction is not None:  # noqa: SLF001
            self.__exit__(None, None, None)
            return
        try:
            # The statement stays prepared; the driver's own method spells it anew each time.
            self.raw.execute("COMMIT")
        except BaseException as error:  # noqa: BLE001  # raised again, as by every connection
            try:
                connection._handle_dbapi_exception(error, None, None, None, None)  # noqa: SLF001
            finally:
                self.rollback()
        connection._transaction = None  # noqa: SLF001
        self.is_active = False


class Prepared(Connection):
    """A connection that sends statements which it knows as they are.

    All rows of such a statement are fetched at once: what reads without bound is built anew where it is run.
    """

    def __init__(self, engine: Engine, plans: Plans) -> None:
        super().__init__(engine)
        self._plans = plans
        self._sqlite = engine.dialect.name == "sqlite"

    @property
    def spoken_to(self) -> bool:
        """Whether a transaction may begin and end without telling anybody."""
        return self._sqlite and not (self._has_events or self._echo)

    def execute(self, statement: Any, parameters: Any = None, *, execution_options: Any = None) -> Any:
        """As `Connection.execute`, for any statement."""
        open_ = self._transaction
        if execution_options or self._has_events or self._echo or open_ is None or not open_.is_active:
            return super().execute(statement, parameters, execution_options=execution_options)
        known = self._plans.get(id(statement))
        if known is None:
            if isinstance(statement, _KINDS):
                self._plans.add(statement)
            return super().execute(statement, parameters)
        seen = known[0]
        plan, first = seen.only, _NONE if parameters is None else parameters
        if type(first) is list and len(first) == 1:
            first = first[0]
        if plan is None or type(first) is not dict or len(first) != plan.given:
            return self._find(statement, parameters, seen)
        try:
            # A name that is not among those it takes means that one of them is missing.
            bound = plan.bound(first)
        except Exception:  # noqa: BLE001  # another plan, or SQLAlchemy says what is wrong
            return self._find(statement, parameters, seen)
        return self._send(plan, bound, several=False)

    def _find(self, statement: Any, parameters: Any, seen: Seen) -> Any:
        several = False
        first = parameters or {}
        if isinstance(parameters, list):
            several = len(parameters) > 1
            first = parameters[0] if parameters else {}
        if seen.lists is None:
            seen.lists = _lists(statement)
        key = (several, *first)
        if seen.lists:
            key += tuple([len(first.get(name, ())) for name in seen.lists])
        plan = seen.plans.get(key)
        if plan is None:
            return self._learn(statement, parameters, first, seen, key)
        try:
            bound = [plan.bound(row) for row in parameters] if several else plan.bound(first)
        except Exception:  # noqa: BLE001  # SQLAlchemy says what is wrong, in the words that everybody knows
            return super().execute(statement, parameters)
        return self._send(plan, bound, several=several)

    def _send(self, plan: Plan, bound: Any, *, several: bool) -> Rows:
        cursor = None
        try:
            raw: Any = self.connection.dbapi_connection
            if several:
                cursor = raw.cursor()
                cursor.executemany(plan.sql, bound)
            else:
                cursor = raw.execute(plan.sql, bound)
            return plan.read(cursor)
        except BaseException as error:  # noqa: BLE001  # raised again, as by every connection
            self._handle_dbapi_exception(error, plan.sql, None, cursor, None)

    def _learn(self, statement: Any, parameters: Any, first: Given, seen: Seen, key: tuple[Any, ...]) -> Any:
        result = super().execute(statement, parameters)
        if key not in seen.plans:
            lengths = [len(first.get(name, ())) for name in seen.lists or ()]
            fits = all(0 < one <= LIST_MAX for one in lengths) and not (key[0] and lengths)
            plan = _plan(statement, self.dialect, first, result, several=key[0]) if fits else None
            seen.plans[key] = plan
            seen.only = plan if len(seen.plans) == 1 and not (key[0] or lengths) else None
        return result


def _lists(statement: Any) -> tuple[str, ...]:
    return tuple(
        {
            one.key: None
            for one in visitors.iterate(statement)
            if isinstance(one, BindParameter) and one.expanding and one.required
        }
    )


def _plan(statement: Any, dialect: Dialect, given: Given, result: CursorResult[Any], *, several: bool) -> Plan | None:
    """What a run has shown; None for what is better left to SQLAlchemy."""
    compiled = statement.compile(dialect=dialect, column_keys=sorted(given), for_executemany=several)
    # Values that Python makes for columns, and options, are SQLAlchemy's affair.
    if not isinstance(compiled, SQLCompiler) or compiled.prefetch or statement.get_execution_options():
        return None
    if compiled.escaped_bind_names or any(one.callable for one in compiled.bind_names):
        return None
    state = compiled.construct_expanded_state(given)
    names = list((state.positiontup if compiled.positional else state.parameters) or ())
    # One parameter may stand at several places.
    places: dict[str, list[Any]] = {}
    for place, name in enumerate(names):
        places.setdefault(name, []).append(place if compiled.positional else name)
    fixed = dict(state.parameters)
    plain: list[tuple[Any, str]] = []
    changed: list[tuple[Any, str, Callable[[Any], Any]]] = []
    listed: list[tuple[Any, str, int, Process]] = []
    for parameter, name in compiled.bind_names.items():
        key = next((one for one in (parameter.key, name) if one in given), None)
        process = _binds(parameter.type, dialect)
        elements = state.parameter_expansion.get(name)
        if key is None:
            for one in (name,) if elements is None else elements:
                fixed[one] = process(fixed[one]) if process else fixed[one]
        elif elements is not None:
            listed += [(place, key, which, process) for which, one in enumerate(elements) for place in places[one]]
        elif process:
            changed += [(place, key, process) for place in places[name]]
        else:
            plain += [(place, key) for place in places[name]]
    columns, row = _NO_COLUMNS, None
    if result.returns_rows:
        readers = _readers(statement, dialect, result)
        if readers is None:
            return None
        columns = SimpleResultMetaData(list(result.keys()))
        # As a result of SQLAlchemy makes its rows.
        row = partial(Row, columns, readers if any(readers) else None, columns._key_to_index)  # noqa: SLF001
    values = [fixed[name] for name in names] if compiled.positional else fixed
    return Plan(state.statement, values, tuple(plain), tuple(changed), tuple(listed), columns, row, len(given))


def _binds(type_: TypeEngine[Any], dialect: Dialect) -> Process:
    """What is done to a value before the driver gets it."""
    if _is_time(type_, dialect):
        return _spelt
    if isinstance(type_, JSON) and type_.none_as_null and dialect.name == "sqlite":
        return _json_spelt(type_, dialect)
    return type_.dialect_impl(dialect).bind_processor(dialect)


def _is_time(type_: TypeEngine[Any], dialect: Dialect) -> bool:
    """Whether these are the ledger's times as SQLite holds them: texts, which the general way takes in four steps."""
    return isinstance(type_, UTCDateTime) and dialect.name == "sqlite"


def _json_spelt(type_: JSON, dialect: Any) -> Callable[[Any], Any]:
    """What SQLAlchemy does, for what nearly every value is."""
    dump: Callable[[Any], str] = dialect._json_serializer  # noqa: SLF001  # the one that the engine was made with
    every: Any = type_.dialect_impl(dialect).bind_processor(dialect)

    def spelt(value: Any) -> Any:
        return dump(value) if isinstance(value, dict | list) else every(value)

    return spelt


def _json_told(every: Any, dialect: Any) -> Callable[[Any], Any]:
    """The same for what is read; SQLite gives a lone number as such."""
    load: Callable[[str], Any] = dialect._json_deserializer  # noqa: SLF001  # the one that the engine was made with

    def told(value: Any) -> Any:
        return load(value) if type(value) is str else every(value)

    return told


# The same few times are written and read again and again: of a run, of a page, of the records of one batch.
@lru_cache(maxsize=TIMES_MAX)
def _spelt(at: datetime | None) -> str | None:
    if at is None:
        return None
    if at.tzinfo is None:
        raise ValueError("a time without a zone")
    return at.astimezone(UTC).isoformat(" ", "microseconds")[:-6]


@lru_cache(maxsize=TIMES_MAX)
def _told(spelt: str | None) -> datetime | None:
    return None if spelt is None else datetime.fromisoformat(spelt + "+00:00")


def _readers(statement: Any, dialect: Dialect, result: CursorResult[Any]) -> Readers | None:
    """What is done to each of the driver's values; None where it cannot be known."""
    types = [column.type for column in statement.exported_columns]
    if result.cursor is None or len(types) != len(result.cursor.description):
        return None
    return tuple(
        _reads(type_, dialect, described[1]) for type_, described in zip(types, result.cursor.description, strict=True)
    )


def _reads(type_: TypeEngine[Any], dialect: Any, described: Any) -> Process:
    """What is done to a value that the driver gave."""
    if _is_time(type_, dialect):
        return _told
    every = type_.dialect_impl(dialect).result_processor(dialect, described)
    return _json_told(every, dialect) if isinstance(type_, JSON) and dialect.name == "sqlite" else every
