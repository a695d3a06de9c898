"""The ERP as one side: SQL tables on SQLite or PostgreSQL, with a change log as feed.

It knows the tables and nothing of records, decisions or the other systems. There is no rate limit; one `spend` counts
one statement (a page of writes counts as one).

On PostgreSQL numbers of the log are drawn before their transactions commit, in any order, so the log is read by
(transaction id, number) and only below the oldest transaction that still runs: what is not visible yet comes later in
that order. On SQLite there is one writer, and the number alone is the order.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    create_engine,
    event,
    func,
    insert,
    inspect,
    or_,
    select,
    text,
    tuple_,
)
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from sync_platform.connectors.erp_rows import TABLE, row_of
from sync_platform.connectors.erp_tables import CHOICES, LOGGED, ErpIdentity, ErpModel, columns_of, trigger_ddl
from sync_platform.connectors.erp_writes import PageWriter, raw
from sync_platform.connectors.protocol import (
    Account,
    Change,
    Cursor,
    Directory,
    Feed,
    Finding,
    Known,
    Limit,
    Meter,
    Page,
    Receipt,
    Wanted,
)
from sync_platform.core.records import ENTITIES, Channel, Entity, Evidence, Lane, Row, System, Verb
from sync_platform.errors import BadInput, Misconfigured, NotAllowed, Unavailable

CHANGES_PAGE = 500
LIST_PAGE = 1_000
WRITE_PAGE = 500
READ_PAGE = 500
BUSY_S = 10
PHONE_DIGITS = 7
_FEEDS = (
    Feed("customers.changes", Entity.CUSTOMER, "ascending"),
    Feed("customers.list", Entity.CUSTOMER, "list", first_load=True),
    Feed("tickets.changes", Entity.TICKET, "ascending"),
    Feed("tickets.list", Entity.TICKET, "list", first_load=True),
)
_CHANGES = ErpModel.metadata.tables["erp_changes"]


class ErpConnector:
    """One ERP database. `url` is a SQLAlchemy URL; `postgresql://` means psycopg 3."""

    system = System.ERP
    limits: tuple[Limit, ...] = ()
    batch_size: Mapping[tuple[Entity, Verb], int] = {(entity, verb): WRITE_PAGE for entity in ENTITIES for verb in Verb}
    page_size: Mapping[str, int] = {feed.name: LIST_PAGE if feed.kind == "list" else CHANGES_PAGE for feed in _FEEDS}

    def __init__(self, url: str, meter: Meter) -> None:
        self._meter = meter
        self._engine = _engine(url)
        self._postgres = self._engine.dialect.name == "postgresql"

    def close(self) -> None:
        """Give back connections."""
        self._engine.dispose()

    @contextmanager
    def _reading(self, lane: Lane, purpose: str = "read") -> Iterator[Connection]:
        """A connection for one statement or two, its errors translated without their cause."""
        trouble: Exception | None = None
        self._meter.spend((), lane=lane, purpose=purpose)
        try:
            with self._engine.connect() as conn:
                yield conn
        except DBAPIError as error:
            trouble = _database_error(error)
        if trouble is not None:
            raise trouble from None

    # who and what

    def account(self) -> Account:
        """The id that set-up wrote ("" before), and whether a sandbox made this database."""
        with self._reading(Lane.INTERACTIVE, "setup") as conn:
            there = set(inspect(conn).get_table_names())
            found = conn.execute(text("SELECT id FROM erp_identity")).scalar() if "erp_identity" in there else None
        facts = {"database": self._engine.dialect.name}
        return Account(System.ERP, str(found or ""), "sandbox_world" in there, facts)

    def directory(self) -> Directory:
        """The ERP has no lists of its own but its choices."""
        return Directory(options={name: list(values) for name, values in CHOICES.items()})

    def feeds(self) -> tuple[Feed, ...]:
        """The change log before the list, so that nothing falls between them at a first load."""
        return _FEEDS

    def start(self, feed: Feed, cursor: Cursor | None, *, now: datetime) -> Cursor:  # noqa: ARG002  # the protocol's
        """A new walk, or the one under way."""
        return cursor or Cursor()

    def pull(
        self,
        feed: Feed,
        cursor: Cursor,
        *,
        lane: Lane,
        known: Known | None = None,  # noqa: ARG002  # pages are whole
    ) -> Page:
        """One page: one statement for the log and, when it shows something, one for the rows."""
        if feed.kind == "list":
            return self._listed(feed.entity, cursor, lane)
        if cursor.watermark is None:
            return Page((), Cursor(self._log_end(lane)), complete=True)
        return self._changed(feed.entity, cursor.watermark, lane)

    def _log_end(self, lane: Lane) -> str:
        """A position that nothing uncommitted lies before."""
        if self._postgres:
            query = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint, 0"
        else:
            query = "SELECT 0, coalesce(max(seq), 0) FROM erp_changes"
        with self._reading(lane) as conn:
            found = conn.execute(text(query)).one()
        return json.dumps([int(found[0]), int(found[1])])

    def _changed(self, entity: Entity, watermark: str, lane: Lane) -> Page:
        xid, seq = json.loads(watermark)
        log = _CHANGES.c
        query = select(log.seq, log.row_id, log.xid).where(log.table_name == TABLE[entity])
        if self._postgres:
            running = text("xid < pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
            query = query.where(tuple_(log.xid, log.seq) > tuple_(xid, seq), running).order_by(log.xid, log.seq)
        else:
            query = query.where(log.seq > seq).order_by(log.seq)
        with self._reading(lane) as conn:
            found = conn.execute(query.limit(CHANGES_PAGE)).all()
        if not found:
            return Page((), Cursor(watermark), complete=True)
        rows, bad = self._read(entity, [str(one) for one in dict.fromkeys(row[1] for row in found)], Channel.LIST, lane)
        position = json.dumps([int(found[-1][2]) if self._postgres else 0, int(found[-1][0])])
        complete = len(found) < CHANGES_PAGE
        return Page(rows, Cursor(position, None if complete else {"more": True}), complete, bad=bad)

    def _listed(self, entity: Entity, cursor: Cursor, lane: Lane) -> Page:
        after = int(cursor.walk["after"]) if cursor.walk else 0
        table = ErpModel.metadata.tables[TABLE[entity]]
        query = select(*raw(table.name)).select_from(table).where(table.c.id > after).order_by(table.c.id)
        with self._reading(lane) as conn:
            found = [one._asdict() for one in conn.execute(query.limit(LIST_PAGE))]
        rows, bad = _rows(entity, found, Channel.LIST)
        if len(found) < LIST_PAGE:
            return Page(rows, Cursor("listed"), complete=True, bad=bad)
        return Page(rows, Cursor(cursor.watermark, {"after": int(found[-1]["id"])}), complete=False, bad=bad)

    # reads

    def fetch(self, entity: Entity, ids: Sequence[str], *, lane: Lane) -> Iterator[Row]:
        """Read by id; a row that isn't there is a deleted one, as ids are never given twice."""
        for start in range(0, len(ids), READ_PAGE):
            rows, bad = self._read(entity, ids[start : start + READ_PAGE], Channel.BY_ID, lane)
            yield from rows
            for external_id, reason in bad:
                raise BadInput(reason, field=external_id, system=System.ERP)

    def _read(
        self, entity: Entity, ids: Sequence[str], channel: Channel, lane: Lane
    ) -> tuple[list[Row], list[tuple[str, str]]]:
        table = ErpModel.metadata.tables[TABLE[entity]]
        numbers = [int(one) for one in ids if one.isdigit() and len(one) < 19]
        query = select(*raw(table.name)).select_from(table).where(table.c.id.in_(numbers))
        with self._reading(lane) as conn:
            found = [one._asdict() for one in conn.execute(query)]
        rows, bad = _rows(entity, found, channel)
        there = {row.external_id for row in rows} | {one for one, _ in bad}
        gone = [one for one in dict.fromkeys(ids) if one not in there]
        rows += [Row(System.ERP, entity, one, {}, channel, evidence=Evidence("deleted")) for one in gone]
        return rows, bad

    def lookup(self, entity: Entity, keys: Sequence[tuple[str, str]], *, lane: Lane) -> Iterator[tuple[int, Row]]:
        """By marker, e-mail (both columns, any case) and phone.

        Phones are free text here: rows are given whose last digits are those of the key, whatever stands between
        them; the caller compares normalised numbers.
        """
        table = ErpModel.metadata.tables[TABLE[entity]]
        for start in range(0, len(keys), READ_PAGE):
            part = list(enumerate(keys))[start : start + READ_PAGE]
            conditions = _conditions(entity, [key for _, key in part], table.c)
            if not conditions:
                continue
            query = select(*raw(table.name)).select_from(table).where(or_(*conditions)).order_by(table.c.id)
            with self._reading(lane) as conn:
                found = [one._asdict() for one in conn.execute(query)]
            for row in _rows(entity, found, Channel.BY_ID)[0]:
                for index, key in part:
                    if _holds(row, *key):
                        yield index, row

    def apply(self, changes: Sequence[Change], *, lane: Lane) -> Iterator[Receipt]:
        """Write in pages, each in one transaction."""
        groups: dict[tuple[Entity, Verb], list[Change]] = {}
        for change in changes:
            groups.setdefault((change.entity, change.verb), []).append(change)
        for (entity, verb), group in groups.items():
            writer = PageWriter(self._engine, entity, verb)
            for start in range(0, len(group), WRITE_PAGE):
                self._meter.spend((), lane=lane, purpose="write")
                yield from writer.write(group[start : start + WRITE_PAGE])

    # set-up and doctor

    def prepare(self, wanted: Iterable[Wanted]) -> list[Finding]:  # noqa: ARG002  # columns are fixed
        """Make tables, triggers and identity that are missing; nothing that is there is changed."""
        trouble: Exception | None = None
        findings: list[Finding] = []
        self._meter.spend((), lane=Lane.INTERACTIVE, purpose="setup")
        try:
            with self._engine.connect().execution_options(write=True) as conn:
                before = set(inspect(conn).get_table_names())
                ErpModel.metadata.create_all(conn)
                findings += [
                    Finding(f"erp.table.{table}", ok=True, found="there" if table in before else "made")
                    for table in ErpModel.metadata.tables
                ]
                for index in (index for table in ErpModel.metadata.tables.values() for index in table.indexes):
                    index.create(conn, checkfirst=True)
                findings += self._make_triggers(conn)
                if conn.execute(text("SELECT count(*) FROM erp_identity")).scalar() == 0:
                    conn.execute(insert(ErpIdentity).values(id=str(uuid.uuid4())))
                conn.commit()
        except DBAPIError as error:
            trouble = _database_error(error)
        if trouble is not None:
            raise trouble from None
        return findings

    def _triggers(self, conn: Connection) -> set[str]:
        if self._postgres:
            query = "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal"
        else:
            query = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        return set(conn.execute(text(query)).scalars())

    def _make_triggers(self, conn: Connection) -> list[Finding]:
        there = self._triggers(conn)
        findings = []
        for name, _, statements in trigger_ddl(self._engine.dialect.name):
            if name not in there:
                for statement in statements:
                    conn.exec_driver_sql(statement)
            findings.append(Finding(f"erp.trigger.{name}", ok=True, found="there" if name in there else "made"))
        return findings

    def examine(self, wanted: Iterable[Wanted]) -> list[Finding]:  # noqa: ARG002  # columns are fixed
        """Reachable, tables and columns, triggers, identity."""
        try:
            with self._reading(Lane.INTERACTIVE, "setup") as conn:
                looked = inspect(conn)
                tables = {name: {one["name"] for one in looked.get_columns(name)} for name in looked.get_table_names()}
                triggers = self._triggers(conn)
        except (Unavailable, NotAllowed) as error:
            return [Finding("erp.database", ok=False, found=str(error), remedy="Check ERP_DATABASE_URL.")]
        remedy = "Run `sync-platform setup`."
        findings = [Finding("erp.database", ok=True, found=self._engine.dialect.name)]
        for table in LOGGED:
            lacking = [name for name in columns_of(table) if name not in tables.get(table, set())]
            said = "there" if not lacking else "missing" if table not in tables else f"lacks {', '.join(lacking)}"
            findings.append(Finding(f"erp.table.{table}", ok=not lacking, found=said, remedy=remedy if lacking else ""))
        for name, _, _ in trigger_ddl(self._engine.dialect.name):
            ok = name in triggers
            found = "there" if ok else "missing"
            findings.append(Finding(f"erp.trigger.{name}", ok=ok, found=found, remedy="" if ok else remedy))
        known = "erp_identity" in tables
        found = "there" if known else "missing"
        findings.append(Finding("erp.identity", ok=known, found=found, remedy="" if known else remedy))
        return findings


def _engine(url: str) -> Engine:
    """An engine that never shows parameters. Raises Misconfigured."""
    url = re.sub(r"^postgres(ql)?(\+psycopg)?://", "postgresql+psycopg://", url)
    trouble = ""
    try:
        engine = create_engine(url, hide_parameters=True)
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        trouble = type(error).__name__
    if trouble or engine.dialect.name not in ("sqlite", "postgresql"):
        remedy = "ERP_DATABASE_URL begins with sqlite:/// or postgresql://."
        raise Misconfigured("the ERP's database URL is not usable", system=System.ERP, code=trouble, remedy=remedy)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _on_sqlite_connect)
        event.listen(engine, "begin", _on_sqlite_begin)
    return engine


def _on_sqlite_connect(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # transactions begin below, at once, not at the first write
    for pragma in (f"busy_timeout={BUSY_S * 1000}", "journal_mode=WAL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _on_sqlite_begin(conn: Connection) -> None:
    """A writer takes the lock at once: a read that turns into a write can fail with "database is locked"."""
    conn.exec_driver_sql("BEGIN IMMEDIATE" if conn.get_execution_options().get("write") else "BEGIN")


def _database_error(error: DBAPIError) -> Exception:
    code = type(error.orig).__name__
    state = getattr(error.orig, "sqlstate", None) or ""
    if state.startswith("28") or state == "42501":
        return NotAllowed("the database refuses the user", system=System.ERP, code=code)
    if state == "42P01" or "no such table" in str(error.orig):
        remedy = "Run `sync-platform setup`."
        return Misconfigured("the ERP's tables are missing", system=System.ERP, code=code, remedy=remedy)
    return Unavailable("the ERP's database did not answer", system=System.ERP, code=code)


def _rows(
    entity: Entity, found: Iterable[Mapping[str, Any]], channel: Channel
) -> tuple[list[Row], list[tuple[str, str]]]:
    rows: list[Row] = []
    bad: list[tuple[str, str]] = []
    for one in found:
        try:
            rows.append(row_of(entity, one, channel))
        except BadInput as error:
            bad.append((str(one["id"]), error.message))
    return rows, bad


def _digits(value: str | None) -> str:
    return "".join(one for one in value or "" if one.isdigit())[-PHONE_DIGITS:]


def _conditions(entity: Entity, keys: Sequence[tuple[str, str]], columns: Any) -> list[ColumnElement[bool]]:
    markers = [value for kind, value in keys if kind == "marker"]
    conditions: list[ColumnElement[bool]] = [columns.sync_marker.in_(markers)] if markers else []
    if entity is not Entity.CUSTOMER:
        return conditions
    emails = [value.strip().lower() for kind, value in keys if kind == "email"]
    if emails:
        conditions += [func.lower(columns.email).in_(emails), func.lower(columns.email_2).in_(emails)]
    for kind, value in keys:
        if kind == "phone" and len(_digits(value)) == PHONE_DIGITS:
            conditions.append(columns.phone.like(f"%{'%'.join(_digits(value))}%"))
    return conditions


def _holds(row: Row, kind: str, value: str) -> bool:
    shown = row.attributes
    if kind == "marker":
        return bool(shown.get("sync_marker") == value)
    if kind == "email":
        held = {str(shown.get(name) or "").strip().lower() for name in ("email", "email_2")}
        return value.strip().lower() in held
    return kind == "phone" and bool(_digits(value)) and _digits(shown.get("phone")) == _digits(value)
