"""The ERP's columns as attributes, and attributes as column values.

Rows are read without types, as other programs write these tables too: SQLite gives text and numbers, PostgreSQL gives
times, decimals and lists. Attributes are JSON: times as ISO text in UTC with microseconds, `lifetime_value` as a
decimal text with two places, ids as text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from sync_platform.connectors.erp_tables import CHOICES, columns_of
from sync_platform.core.records import Channel, Entity, Json, Row, System
from sync_platform.errors import BadInput

TABLE: Mapping[Entity, str] = {Entity.CUSTOMER: "erp_customers", Entity.TICKET: "erp_tickets"}
NUMBER: Mapping[Entity, tuple[str, str]] = {Entity.CUSTOMER: ("customer_no", "C-"), Entity.TICKET: ("ticket_no", "T-")}
TAGS = "tags"
_TIMES = frozenset({"created_at", "updated_at", "closed_at", "last_message_at"})
_INTS = frozenset({"order_count", "message_count", "satisfaction"})
_OWN = frozenset({"id", "row_version", "updated_at"})  # kept in Row itself, never written by a change
_WHEN_BLANK: Mapping[str, Json] = {
    "credit_status": "ok",
    "lifetime_value": Decimal(0),
    "order_count": 0,
    "status": "new",
    "priority": "normal",
    TAGS: [],
    "message_count": 0,
}


def moment(value: Any) -> datetime | None:
    """A time of either database as aware UTC. Raises ValueError."""
    if value is None or value == "":
        return None
    at = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)


def _shown(name: str, value: Any) -> Json:
    if name == TAGS:
        listed = json.loads(value) if isinstance(value, str) else value
        return sorted(str(one) for one in listed or ())
    if value is None:
        return None
    if name in _TIMES:
        at = moment(value)
        return at.isoformat(timespec="microseconds") if at else None
    if name == "lifetime_value":
        return str(Decimal(str(value)).quantize(Decimal("0.01")))
    if name == "marketing_opt_out":
        return bool(value)
    if name == "customer_id":
        return str(value)
    return int(value) if name in _INTS else value


def attribute_names(entity: Entity) -> tuple[str, ...]:
    """Columns that are attributes."""
    return tuple(name for name in columns_of(TABLE[entity]) if name not in _OWN)


def row_of(entity: Entity, found: Mapping[str, Any], channel: Channel) -> Row:
    """One row. Raises BadInput naming the column that nobody can read."""
    attributes: dict[str, Json] = {}
    name = "updated_at"
    try:
        stamp, born = moment(found["updated_at"]), moment(found["created_at"])
        for name in attribute_names(entity):
            attributes[name] = _shown(name, found[name])
    except (ValueError, TypeError, InvalidOperation):
        trouble = BadInput(f"unreadable column {name}", field=name, system=System.ERP)
    else:
        return Row(
            System.ERP,
            entity,
            str(found["id"]),
            attributes,
            channel,
            stamp=stamp,
            version=int(found["row_version"]),
            created_at=born,
        )
    raise trouble


def column_value(name: str, value: Json) -> Any:
    """An attribute as a column value. Raises BadInput naming the attribute, never with the value."""
    if value is None:
        return _WHEN_BLANK.get(name)
    try:
        return _converted(name, value)
    except (ValueError, TypeError, InvalidOperation):
        trouble = BadInput(f"{name} cannot hold this value", field=name, code="INVALID_VALUE", system=System.ERP)
    raise trouble


def _converted(name: str, value: Json) -> Any:
    """Raises ValueError, TypeError or InvalidOperation for what the column cannot hold."""
    if name in CHOICES and value not in CHOICES[name]:
        raise ValueError
    if name in _TIMES:
        return moment(value)
    if name == "lifetime_value":
        return Decimal(str(value)).quantize(Decimal("0.01"))
    if name in _INTS or name == "customer_id":
        return int(value)
    if name == "marketing_opt_out":
        if not isinstance(value, bool):
            raise TypeError
        return value
    if name == TAGS:
        return sorted({str(one) for one in value})
    text = str(value)
    if "\x00" in text:  # PostgreSQL has no place for it
        raise ValueError
    return text
