"""Writes to the ERP: a page of changes in one transaction, each compared with its row version.

A create carries `sync_marker`, which is unique, and a number made from it: sent twice, it finds its own row. An
update names the row version that it was planned on; when the row has moved on, nothing is written and the receipt
says so. A page is first written in one go; when the database refuses something, the page is rolled back and written
row by row under savepoints.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Engine, Table, delete, literal_column, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from sync_platform.connectors.erp_rows import NUMBER, TABLE, TAGS, attribute_names, column_value, row_of
from sync_platform.connectors.erp_tables import ErpModel, columns_of
from sync_platform.connectors.protocol import Change, Outcome, Receipt
from sync_platform.core.records import Channel, Entity, Json, Verb
from sync_platform.errors import BadInput

Values = dict[str, Any]


def raw(table: str) -> list[Any]:
    """The columns of a table without their types: what the database driver gives."""
    return [literal_column(f"{table}.{name}").label(name) for name in columns_of(table)]


@dataclass(slots=True)
class PageWriter:
    """Writes one page for one entity and verb over one connection."""

    engine: Engine
    entity: Entity
    verb: Verb

    def write(self, changes: Sequence[Change]) -> Iterator[Receipt]:
        """One receipt for each change. Database trouble is an outcome, never raised."""
        ready: list[tuple[Change, Values]] = []
        for change in changes:
            try:
                ready.append((change, _values(change)))
            except BadInput as error:
                name = (error.field,) if error.field else ()
                yield _refusal(change, error.code, name, None)
        if ready:
            yield from self._page(ready)

    def _page(self, ready: list[tuple[Change, Values]]) -> Iterator[Receipt]:
        sent = False
        try:
            with self.engine.connect().execution_options(write=True) as conn:
                try:
                    receipts = self._in_one_go(conn, ready)
                except IntegrityError:
                    conn.rollback()
                    receipts = self._one_by_one(conn, ready)
                except DBAPIError as error:
                    if error.connection_invalidated or isinstance(error, OperationalError):
                        raise
                    conn.rollback()
                    receipts = self._one_by_one(conn, ready)
                sent = True
                conn.commit()
        except DBAPIError as error:
            outcome = Outcome.UNKNOWN if sent else Outcome.RETRY  # a commit without an answer may have landed
            code = type(error.orig).__name__
            receipts = [Receipt(change.token, outcome, change.external_id, code=code) for change, _ in ready]
        yield from receipts

    def _in_one_go(self, conn: Connection, ready: list[tuple[Change, Values]]) -> list[Receipt]:
        if self.verb is Verb.CREATE:
            return self._insert(conn, ready)
        one = self._update if self.verb is Verb.UPDATE else self._delete
        return [one(conn, change, values) for change, values in ready]

    def _one_by_one(self, conn: Connection, ready: list[tuple[Change, Values]]) -> list[Receipt]:
        receipts: list[Receipt] = []
        for pair in ready:
            try:
                with conn.begin_nested():
                    receipts += self._in_one_go(conn, [pair])
            except IntegrityError as error:
                receipts.append(_refusal(pair[0], *_complaint(error, pair[0])))
            except DBAPIError as error:
                if error.connection_invalidated or isinstance(error, OperationalError):
                    raise
                receipts.append(_refusal(pair[0], *_complaint(error, pair[0])))
        return receipts

    @property
    def _table(self) -> Table:
        return ErpModel.metadata.tables[TABLE[self.entity]]

    def _insert(self, conn: Connection, ready: list[tuple[Change, Values]]) -> list[Receipt]:
        """Insert; a marker that is there already gives its own row."""
        build: Callable[..., Any] = postgresql.insert if conn.dialect.name == "postgresql" else sqlite.insert
        names = sorted({name for _, values in ready for name in values})
        shapes: dict[tuple[str, ...], list[Values]] = {}
        for _, values in ready:  # rows of one shape share a statement; defaults fill what a shape leaves out
            shapes.setdefault(tuple(name for name in names if name in values), []).append(values)
        for rows in shapes.values():
            conn.execute(build(self._table).on_conflict_do_nothing(index_elements=["sync_marker"]), rows)
        markers = [values["sync_marker"] for _, values in ready]
        query = select(*raw(self._table.name)).select_from(self._table).where(self._table.c.sync_marker.in_(markers))
        found = {str(row.sync_marker): row._asdict() for row in conn.execute(query)}
        return [_receipt(change, self.entity, found[values["sync_marker"]]) for change, values in ready]

    def _update(self, conn: Connection, change: Change, values: Values) -> Receipt:
        table = self._table
        statement = update(table).where(table.c.id == _number(change.external_id))
        if change.version is not None:
            statement = statement.where(table.c.row_version == change.version)
        statement = statement.values(**values, row_version=table.c.row_version + 1, updated_at=datetime.now(UTC))
        row = conn.execute(statement.returning(*raw(table.name))).first()
        if row is not None:
            return _receipt(change, self.entity, row._asdict())
        return self._not_there(conn, change)

    def _delete(self, conn: Connection, change: Change, _: Values) -> Receipt:
        table = self._table
        statement = delete(table).where(table.c.id == _number(change.external_id))
        if change.version is not None:
            statement = statement.where(table.c.row_version == change.version)
        if conn.execute(statement).rowcount:
            return Receipt(change.token, Outcome.DONE, change.external_id)
        return self._not_there(conn, change)

    def _not_there(self, conn: Connection, change: Change) -> Receipt:
        """No row took the write: it has another version by now, or it is gone."""
        query = select(*raw(self._table.name)).select_from(self._table)
        row = conn.execute(query.where(self._table.c.id == _number(change.external_id))).first()
        if row is None:
            return _refusal(change, "NOT_FOUND", (), None)
        shown = row_of(self.entity, row._asdict(), Channel.ANSWER)
        return Receipt(change.token, Outcome.MOVED, change.external_id, row=shown)


def _number(external_id: str | None) -> int:
    return int(external_id) if external_id and external_id.isdigit() and len(external_id) < 19 else -1


def _values(change: Change) -> Values:
    """Column values of a change. Raises BadInput."""
    known = frozenset(attribute_names(change.entity))
    wanted: dict[str, Json] = dict(change.set)
    if TAGS not in wanted and (change.add or change.remove):
        if TAGS not in change.was:
            raise BadInput(field=TAGS, code="NO_BASE")
        add = [tag for tags in change.add.values() for tag in tags]
        remove = {tag for tags in change.remove.values() for tag in tags}
        wanted[TAGS] = [one for one in change.was[TAGS] or () if one not in remove] + add
    for name in wanted:
        if name not in known:
            raise BadInput(field=name, code="UNKNOWN_ATTRIBUTE")
    values = {name: column_value(name, value) for name, value in wanted.items()}
    if change.verb is not Verb.CREATE:
        return values
    if not change.marker:
        raise BadInput(field="sync_marker", code="NO_MARKER")
    now = datetime.now(UTC)
    column, prefix = NUMBER[change.entity]
    values = {name: value for name, value in values.items() if value is not None}
    return {
        "created_at": now,
        "updated_at": now,
        column: f"{prefix}{change.marker[:12].upper()}",
        **values,
        "sync_marker": change.marker,
    }


def _receipt(change: Change, entity: Entity, row: Mapping[str, Any]) -> Receipt:
    shown = row_of(entity, row, Channel.ANSWER)
    return Receipt(change.token, Outcome.DONE, shown.external_id, row=shown)


def _refusal(change: Change, code: str, fields: tuple[str, ...], status: int | None) -> Receipt:
    words = f"{code}: {', '.join(fields)}" if fields else code
    return Receipt(
        change.token, Outcome.REJECTED, change.external_id, status=status, code=code, words=words, fields=fields
    )


def _complaint(error: DBAPIError, change: Change) -> tuple[str, tuple[str, ...], None]:
    """What a refusal is about, from names of constraints and columns only."""
    diag = getattr(error.orig, "diag", None)
    # SQLite's own text names the constraint or the column, never a value.
    said = str(error.orig) if diag is None else " ".join(filter(None, (diag.constraint_name, diag.column_name)))
    written = set(change.set) | ({TAGS} if change.add or change.remove else set())
    named = tuple(sorted(name for name in written if name in said))
    if not named and "FOREIGN KEY" in said and "customer_id" in written:
        named = ("customer_id",)
    return type(error.orig).__name__, named, None
