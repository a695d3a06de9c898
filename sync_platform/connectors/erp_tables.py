"""The ERP's tables and the triggers that make every edit by any program visible, on SQLite and PostgreSQL.

The triggers write one row in erp_changes for each insert, update and delete, and raise row_version and updated_at
where the writer did neither. On SQLite they watch the data columns only, so that their own UPDATE never fires them
again, and times are ISO text `YYYY-MM-DD HH:MM:SS.ffffff` in UTC. On PostgreSQL serial numbers commit out of order,
so that the log holds the transaction's id as well.
"""

# ruff: noqa: S608  # names of our own tables and columns; no value is ever put into a statement's text

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Numeric,
    Text,
    text,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine, UserDefinedType
from sqlmodel import Field, SQLModel

CREDIT = ("ok", "hold", "blocked")
STATUS = ("new", "in_progress", "waiting", "resolved", "closed")
PRIORITY = ("low", "normal", "high", "critical")
CHOICES: Mapping[str, tuple[str, ...]] = {"credit_status": CREDIT, "status": STATUS, "priority": PRIORITY}

Big = BigInteger().with_variant(Integer(), "sqlite")
NOW_SQLITE = "strftime('%Y-%m-%d %H:%M:%f', 'now') || '000'"


class ErpModel(SQLModel):
    """Base of the ERP's tables; their metadata never mixes with the ledger's."""

    metadata = MetaData(naming_convention={"ck": "ck_%(table_name)s_%(constraint_name)s", "pk": "pk_%(table_name)s"})


class _IsoText(UserDefinedType[Any]):
    """A column that SQLite calls DATETIME and that holds text."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        """The name in DDL."""
        return "DATETIME"


class Moment(TypeDecorator[datetime]):
    """Aware UTC: timestamptz on PostgreSQL, ISO text on SQLite."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """The database's own type."""
        own: TypeEngine[Any] = _IsoText() if dialect.name == "sqlite" else DateTime(timezone=True)
        return dialect.type_descriptor(own)

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """An aware time as the database stores it."""
        if value is None or dialect.name != "sqlite":
            return value
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ARG002  # SQLAlchemy's
        """Aware UTC again."""
        if value is None:
            return None
        at = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)


class _Now(FunctionElement[datetime]):
    """The database's own present, as a column default for writers that leave a time out."""

    inherit_cache = True


@compiles(_Now, "sqlite")
def _now_on_sqlite(*_: Any, **__: Any) -> str:
    return f"({NOW_SQLITE})"


@compiles(_Now, "postgresql")
def _now_on_postgresql(*_: Any, **__: Any) -> str:
    return "clock_timestamp()"


def _moment(*, nullable: bool = True) -> Any:
    default = None if nullable else _Now()
    return Field(default=None, sa_column=Column(Moment(), nullable=nullable, server_default=default))


def _id() -> Any:
    return Field(default=None, sa_column=Column(Big, primary_key=True, autoincrement=True))


def _one_of(column: str) -> CheckConstraint:
    listed = ", ".join(f"'{one}'" for one in CHOICES[column])
    return CheckConstraint(f"{column} IN ({listed})", name=column)


def _counter(default: int = 0) -> Any:
    return Field(default=default, sa_column=Column(Integer, nullable=False, server_default=text(str(default))))


class ErpCustomer(ErpModel, table=True):
    """One customer of the ERP."""

    __tablename__ = "erp_customers"
    __table_args__ = (
        _one_of("credit_status"),
        Index("erp_customers_by_email", "email"),
        {"sqlite_autoincrement": True},
    )
    id: int | None = _id()
    customer_no: str | None = Field(default=None, unique=True)
    full_name: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    email_2: str | None = None
    phone: str | None = None
    company: str | None = None
    language: str | None = None
    credit_status: str = Field(default="ok", sa_column_kwargs={"server_default": "ok"})
    lifetime_value: Decimal = Field(
        default=Decimal(0), sa_column=Column(Numeric(14, 2), nullable=False, server_default=text("0"))
    )
    order_count: int = _counter()
    marketing_opt_out: bool | None = None
    note: str | None = Field(default=None, sa_column=Column(Text))
    sync_marker: str | None = Field(default=None, unique=True)
    row_version: int = _counter(1)
    created_at: datetime = _moment(nullable=False)
    updated_at: datetime = _moment(nullable=False)


class ErpTicket(ErpModel, table=True):
    """One ticket of the ERP."""

    __tablename__ = "erp_tickets"
    __table_args__ = (
        _one_of("status"),
        _one_of("priority"),
        Index("erp_tickets_by_customer", "customer_id"),
        {"sqlite_autoincrement": True},
    )
    id: int | None = _id()
    ticket_no: str | None = Field(default=None, unique=True)
    customer_id: int | None = Field(
        default=None, sa_column=Column(Big, ForeignKey("erp_customers.id", ondelete="SET NULL"))
    )
    subject: str | None = None
    status: str = Field(default="new", sa_column_kwargs={"server_default": "new"})
    priority: str = Field(default="normal", sa_column_kwargs={"server_default": "normal"})
    channel: str | None = None
    owner_email: str | None = None
    tags: list[str] = Field(default_factory=list, sa_column=Column(JSON, nullable=False, server_default=text("'[]'")))
    first_text: str | None = Field(default=None, sa_column=Column(Text))
    message_count: int = _counter()
    last_message_at: datetime | None = _moment()
    satisfaction: int | None = None
    sync_marker: str | None = Field(default=None, unique=True)
    row_version: int = _counter(1)
    created_at: datetime = _moment(nullable=False)
    closed_at: datetime | None = _moment()
    updated_at: datetime = _moment(nullable=False)


class ErpChange(ErpModel, table=True):
    """One change of one row, by whomever; `xid` is PostgreSQL's transaction id."""

    __tablename__ = "erp_changes"
    __table_args__ = (Index("erp_changes_by_order", "table_name", "xid", "seq"), {"sqlite_autoincrement": True})
    seq: int | None = _id()
    table_name: str
    row_id: int = Field(sa_column=Column(Big, nullable=False))
    op: str = Field(max_length=1)
    row_version: int | None = None
    xid: int | None = Field(default=None, sa_column=Column(BigInteger))
    at: datetime = _moment(nullable=False)


class ErpIdentity(ErpModel, table=True):
    """The id that set-up writes once: by it a ledger knows its ERP again."""

    __tablename__ = "erp_identity"
    id: str = Field(primary_key=True)


LOGGED = {"erp_customers": ErpCustomer, "erp_tickets": ErpTicket}


def columns_of(table: str) -> tuple[str, ...]:
    """Names of a table's columns, in their order."""
    return tuple(column.name for column in ErpModel.metadata.tables[table].columns)


def trigger_ddl(dialect: str) -> Iterator[tuple[str, str, list[str]]]:
    """(trigger, table, statements) for each trigger of each logged table."""
    for table in LOGGED:
        make = _sqlite_triggers if dialect == "sqlite" else _postgres_triggers
        for name, statements in make(table).items():
            yield name, table, statements


def _sqlite_triggers(table: str) -> dict[str, list[str]]:
    data = ", ".join(one for one in columns_of(table) if one not in ("id", "row_version", "updated_at"))
    log = "INSERT INTO erp_changes (table_name, row_id, op, row_version, at)"
    version = f"(SELECT row_version FROM {table} WHERE id = NEW.id)"
    return {
        f"{table}_ins": [
            f"""CREATE TRIGGER {table}_ins AFTER INSERT ON {table} FOR EACH ROW BEGIN
    {log} VALUES ('{table}', NEW.id, 'I', NEW.row_version, {NOW_SQLITE});
END"""
        ],
        f"{table}_upd": [
            f"""CREATE TRIGGER {table}_upd AFTER UPDATE OF {data} ON {table} FOR EACH ROW BEGIN
    UPDATE {table} SET row_version = OLD.row_version + 1 WHERE id = NEW.id AND NEW.row_version <= OLD.row_version;
    UPDATE {table} SET updated_at = {NOW_SQLITE} WHERE id = NEW.id AND NEW.updated_at IS OLD.updated_at;
    {log} VALUES ('{table}', NEW.id, 'U', {version}, {NOW_SQLITE});
END"""
        ],
        f"{table}_del": [
            f"""CREATE TRIGGER {table}_del AFTER DELETE ON {table} FOR EACH ROW BEGIN
    {log} VALUES ('{table}', OLD.id, 'D', OLD.row_version, {NOW_SQLITE});
END"""
        ],
    }


def _postgres_triggers(table: str) -> dict[str, list[str]]:
    log = "INSERT INTO erp_changes (table_name, row_id, op, row_version, xid, at) VALUES (TG_TABLE_NAME,"
    tail = "pg_current_xact_id()::text::bigint, clock_timestamp())"
    raised = (
        "IF NEW.row_version <= OLD.row_version THEN NEW.row_version := OLD.row_version + 1; END IF; "
        "IF NEW.updated_at IS NOT DISTINCT FROM OLD.updated_at THEN NEW.updated_at := clock_timestamp(); END IF; "
    )
    # An insert is logged after the row landed: a BEFORE trigger also fires for rows that ON CONFLICT skips.
    bodies = {
        "ins": ("AFTER INSERT", f"{log} NEW.id, 'I', NEW.row_version, {tail}; RETURN NULL;"),
        "upd": ("BEFORE UPDATE", f"{raised}{log} NEW.id, 'U', NEW.row_version, {tail}; RETURN NEW;"),
        "del": ("AFTER DELETE", f"{log} OLD.id, 'D', OLD.row_version, {tail}; RETURN NULL;"),
    }
    made: dict[str, list[str]] = {}
    for op, (when, body) in bodies.items():
        name = f"{table}_{op}"
        made[name] = [
            f"CREATE OR REPLACE FUNCTION {name}_logged() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$",
            f"CREATE TRIGGER {name} {when} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}_logged()",
        ]
    return made
