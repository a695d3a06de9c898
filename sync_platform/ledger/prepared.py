"""Statements that are built once and run often, without what SQLAlchemy repeats at each run.

A cycle runs hundreds of small statements, and looking up their compiled text, checking their parameters and describing
their results costs several times what the database needs for them. Here the second run of a statement object teaches
how it is written, bound and read; from then on it goes to the driver as it is. What is run once, or is not understood,
goes SQLAlchemy's way, and so does everything on a connection that somebody listens to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import BindParameter, Connection, Delete, Engine, Insert, Select, Update
from sqlalchemy.engine import CursorResult, Dialect
from sqlalchemy.engine.result import IteratorResult, SimpleResultMetaData
from sqlalchemy.sql import visitors
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import TypeEngine

# Longer lists are rare, and each length is a text of its own.
LIST_MAX = 16
_KINDS = (Select, Insert, Update, Delete)
_NO_COLUMNS = SimpleResultMetaData([])

Process = Callable[[Any], Any] | None
Readers = tuple[tuple[int, Callable[[Any], Any]], ...]
Given = Mapping[str, Any]


class Rows(IteratorResult[Any]):
    """All rows of a statement, and how many it touched (-1 where the driver does not say)."""

    rowcount: int = -1


@dataclass(frozen=True, slots=True)
class Plan:
    """How one statement is sent and read where the caller gives parameters of these names.

    `slots` has for each parameter of the driver its name, what the caller calls it (None: it is always the same), what
    is done to it, and the value that is always the same. `lists` are lists that the caller gives, with the names of
    their elements; `columns` are those of the rows, None where there are none; `readers` what is done to a value.
    """

    sql: str
    slots: tuple[tuple[str, str | None, Process, Any], ...]
    positional: bool
    lists: tuple[tuple[str, tuple[str, ...]], ...]
    columns: SimpleResultMetaData | None
    readers: Readers

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
        if self.columns is None:
            out = Rows(_NO_COLUMNS, iter(()))
            out.rowcount = cursor.rowcount
            return out
        rows = cursor.fetchall()
        if self.readers:
            rows = [self._row(row) for row in rows]
        return Rows(self.columns, iter(rows))

    def _row(self, row: Sequence[Any]) -> tuple[Any, ...]:
        out = list(row)
        for place, read in self.readers:
            out[place] = read(out[place])
        return tuple(out)


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
        if not isinstance(statement, _KINDS) or execution_options or self._listened or not self.in_transaction():
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

    @property
    def _listened(self) -> bool:
        return self._has_events or self._echo

    def _send(self, plan: Plan, bound: Any, *, several: bool) -> Rows:
        cursor = None
        try:
            cursor = self.connection.cursor()
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
        return Plan(state.statement, slots, bool(compiled.positional), tuple(lists), None, ())
    readers = _readers(statement, dialect, result)
    if readers is None:
        return None
    columns = SimpleResultMetaData(list(result.keys()))
    return Plan(state.statement, slots, bool(compiled.positional), tuple(lists), columns, readers)


def _slot(
    name: str, key: str | None, type_: TypeEngine[Any], dialect: Dialect, values: Given
) -> tuple[str, str | None, Process, Any]:
    process = type_.dialect_impl(dialect).bind_processor(dialect)
    if key is not None:
        return name, key, process, None
    return name, None, None, process(values[name]) if process else values[name]


def _readers(statement: Any, dialect: Dialect, result: CursorResult[Any]) -> Readers | None:
    """What is done to the driver's values, by place; None where it cannot be known."""
    types = [column.type for column in statement.exported_columns]
    if result.cursor is None or len(types) != len(result.cursor.description):
        return None
    made = [
        type_.dialect_impl(dialect).result_processor(dialect, described[1])
        for type_, described in zip(types, result.cursor.description, strict=True)
    ]
    return tuple((place, read) for place, read in enumerate(made) if read is not None)
