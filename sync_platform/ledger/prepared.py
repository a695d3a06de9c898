"""Statements that are built once and run often, without what SQLAlchemy repeats at each run.

A cycle runs hundreds of small statements, and looking up their compiled text, checking their parameters and describing
their results costs several times what the database needs for them. Here the second run of a statement object teaches
how it is written, bound and read; from then on it goes to the driver as it is. What is run once, or is not understood,
goes SQLAlchemy's way, and so does everything on a connection that somebody listens to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import BindParameter, Connection, Delete, Engine, Insert, Select, Update
from sqlalchemy.engine import CursorResult, Dialect, Row
from sqlalchemy.engine.result import IteratorResult, SimpleResultMetaData
from sqlalchemy.sql import visitors
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import TypeEngine

# Longer lists are rare, and each length is a text of its own.
LIST_MAX = 16
_KINDS = (Select, Insert, Update, Delete)
_NO_COLUMNS = SimpleResultMetaData([])

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

    `slots` has for each parameter of the driver its name, what the caller calls it (None: it is always the same), what
    is done to it, and the value that is always the same. `lists` are lists that the caller gives, with the names of
    their elements; `columns` are those of the rows, None where there are none; `readers` what is done to each value.
    """

    sql: str
    slots: tuple[tuple[str, str | None, Process, Any], ...]
    positional: bool
    lists: tuple[tuple[str, tuple[str, ...]], ...]
    columns: SimpleResultMetaData | None
    readers: Readers | None

    def bound(self, given: Given) -> Any:
        """The parameters as the driver takes them. Raises `KeyError` for one that is missing."""
        if self.lists:
            given = dict(given)
            for name, elements in self.lists:
                given.update(zip(elements, given[name], strict=True))
        values = [
            value if key is None else given[key] if process is None else process(given[key])
            for _, key, process, value in self.slots
        ]
        return values if self.positional else dict(zip([slot[0] for slot in self.slots], values, strict=True))

    def read(self, cursor: Any) -> Rows:
        """What the driver's cursor holds."""
        columns, readers = self.columns, self.readers
        if columns is None:
            return Rows(_NO_COLUMNS, [], cursor.rowcount)
        places = columns._key_to_index  # noqa: SLF001  # as a result of SQLAlchemy makes its rows
        return Rows(columns, [Row(columns, readers, places, row) for row in cursor.fetchall()])


@dataclass(slots=True)
class Seen:
    """A statement object that was run before; `lists` names its parameters that are lists, once somebody looked.

    `plans` are by whether it is run for many rows, the names of the parameters, and the lengths of the lists; None:
    goes SQLAlchemy's way.
    """

    lists: tuple[str, ...] | None = None
    plans: dict[tuple[Any, ...], Plan | None] = field(default_factory=dict)


Plans = MutableMapping[Any, Seen]


def no_plans() -> Plans:
    """For the connections of one engine; a statement that nobody holds any more is forgotten."""
    return WeakKeyDictionary()


class Prepared(Connection):
    """A connection that sends statements which it knows as they are.

    All rows of such a statement are fetched at once: what reads without bound is built anew where it is run.
    """

    def __init__(self, engine: Engine, plans: Plans) -> None:
        super().__init__(engine)
        self._plans = plans

    def execute(self, statement: Any, parameters: Any = None, *, execution_options: Any = None) -> Any:
        """As `Connection.execute`, for any statement."""
        heard = self._has_events or self._echo
        if not isinstance(statement, _KINDS) or execution_options or heard or not self.in_transaction():
            return super().execute(statement, parameters, execution_options=execution_options)
        seen = self._plans.get(statement)
        if seen is None:
            self._plans[statement] = Seen()
            return super().execute(statement, parameters)
        several = isinstance(parameters, list) and len(parameters) > 1
        first = (parameters[0] if isinstance(parameters, list) and parameters else parameters) or {}
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
            cursor = self.connection.dbapi_connection.cursor()  # type: ignore[union-attr]  # open: in a transaction
            if several:
                cursor.executemany(plan.sql, bound)
            else:
                cursor.execute(plan.sql, bound)
            return plan.read(cursor)
        except BaseException as error:  # noqa: BLE001  # raised again, as by every connection
            self._handle_dbapi_exception(error, plan.sql, None, cursor, None)

    def _learn(self, statement: Any, parameters: Any, first: Given, seen: Seen, key: tuple[Any, ...]) -> Any:
        result = super().execute(statement, parameters)
        if key not in seen.plans:
            lengths = [len(first.get(name, ())) for name in seen.lists or ()]
            fits = all(0 < one <= LIST_MAX for one in lengths) and not (key[0] and lengths)
            seen.plans[key] = _plan(statement, self.dialect, first, result, several=key[0]) if fits else None
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
    asked: dict[str, tuple[str | None, TypeEngine[Any]]] = {}
    lists: list[tuple[str, tuple[str, ...]]] = []
    for parameter, name in compiled.bind_names.items():
        key = next((one for one in (parameter.key, name) if one in given), None)
        elements = state.parameter_expansion.get(name)
        if elements is None:
            asked[name] = (key, parameter.type)
            continue
        if key is not None:
            lists.append((key, tuple(elements)))
        asked |= {one: (one if key is not None else None, parameter.type) for one in elements}
    names = state.positiontup if compiled.positional else list(state.parameters)
    slots = tuple(_slot(name, *asked[name], dialect, state.parameters) for name in names or ())
    if not result.returns_rows:
        return Plan(state.statement, slots, bool(compiled.positional), tuple(lists), None, None)
    readers = _readers(statement, dialect, result)
    if readers is None:
        return None
    columns = SimpleResultMetaData(list(result.keys()))
    done = readers if any(readers) else None
    return Plan(state.statement, slots, bool(compiled.positional), tuple(lists), columns, done)


def _slot(
    name: str, key: str | None, type_: TypeEngine[Any], dialect: Dialect, values: Given
) -> tuple[str, str | None, Process, Any]:
    process = type_.dialect_impl(dialect).bind_processor(dialect)
    if key is not None:
        return name, key, process, None
    return name, None, None, process(values[name]) if process else values[name]


def _readers(statement: Any, dialect: Dialect, result: CursorResult[Any]) -> Readers | None:
    """What is done to each of the driver's values; None where it cannot be known."""
    types = [column.type for column in statement.exported_columns]
    if result.cursor is None or len(types) != len(result.cursor.description):
        return None
    return tuple(
        type_.dialect_impl(dialect).result_processor(dialect, described[1])
        for type_, described in zip(types, result.cursor.description, strict=True)
    )
