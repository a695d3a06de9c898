"""Finding records: by an address, a number, a name or a system's own id; or by what is the matter with them.

What is typed is looked up in indexes only, never in values: exact e-mail addresses (any of a person's), phone numbers,
customer numbers, ids in a system, record ids, and names from the beginning of the first or the last word on (a ticket's
subject from its first). Each list is bounded and says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Text, func, or_, select, text, union
from sqlalchemy import cast as sa_cast

from sync_platform.core import normalize
from sync_platform.core.names import spelling
from sync_platform.core.records import SYSTEMS, Entity, LinkState, System
from sync_platform.errors import BadInput
from sync_platform.ledger import links
from sync_platform.ledger.journal import DECISION, PARKED, REVIEW
from sync_platform.ledger.links import LINK, RECORD

PAGE = 50
# How many decisions are looked through for one page of the records that they are about.
DECISIONS_MAX = 1000
NAME_LEAST = 2
WHAT = ("changed", "review", "parked", "deleted", "merged")
IS_WAITING = text("parked.lifted_at IS NULL")
IS_ASKED = text("review.state = 'open'")
_RECORD_ID = re.compile(r"[0-9a-f]{32}")
_NUMBER = re.compile(r"\d{1,15}")


@dataclass(slots=True)
class Hit:
    """One record in a list. `links`: (system, external id, state); `marks`: what is the matter with it; `by`: what it
    was found by."""

    record: str
    entity: Entity
    name: str
    links: list[tuple[System, str, LinkState]] = field(default_factory=list)
    marks: list[str] = field(default_factory=list)
    by: str = ""
    changed_at: datetime | None = None


@dataclass(slots=True)
class Found:
    """A list of records; `after` is the key at which it goes on, None at its end; `cut`: more fit than are shown."""

    hits: list[Hit]
    after: str | None = None
    cut: bool = False


# --- search -----------------------------------------------------------------------------------------------------


def search(conn: Connection, typed: str, region: str) -> Found:
    """Records that what was typed names, the surest first; at most PAGE of them. Raises BadInput for too little."""
    said = " ".join(typed.split())
    kind, _, rest = said.partition(":")
    if kind in {str(one) for one in Entity} and rest:
        said = rest.strip()
    system, _, external_id = said.partition(":")
    by: dict[str, str] = {}
    cut = False
    if system in {str(one) for one in SYSTEMS} and external_id:
        _note(by, f"id in {system}", _by_id(conn, external_id.strip(), System(system)))
    else:
        if len(said) < NAME_LEAST and not said.isdecimal():
            raise BadInput("too little to look for", remedy=f"Type at least {NAME_LEAST} characters.")
        cut = _look_up(conn, said, region, by)
    ids = list(by)
    hits = described(conn, ids[:PAGE])
    for hit in hits:
        hit.by = by[hit.record]
    return Found(hits, cut=cut or len(ids) > PAGE)


def _look_up(conn: Connection, said: str, region: str, by: dict[str, str]) -> bool:
    if _RECORD_ID.fullmatch(said.lower()):
        _note(by, "record id", links.records_by_id(conn, [said.lower()]))
    keys = {
        ("email", normalize.email(said)): "e-mail",
        ("phone", normalize.phone(said, region)): "phone",
        ("number", said): "number",
    }
    wanted = [(kind, value) for kind, value in keys if value]
    held = links.records_by_key(conn, wanted)
    for key in wanted:
        _note(by, keys[key], sorted(str(one) for one in held.get(key, ())))
    if "@" not in said:
        _note(by, "id in a system", _by_id(conn, said))
    named = _by_name(conn, spelling(said))
    _note(by, "name", named)
    return len(named) > PAGE


def _note(by: dict[str, str], how: str, records: Iterable[str]) -> None:
    for one in records:
        by.setdefault(str(one), how)


def _by_id(conn: Connection, external_id: str, system: System | None = None) -> list[str]:
    """By a system's own id: one look into the index for each system and entity, in one statement."""
    pairs = [(s, e) for s in SYSTEMS for e in Entity if system in (None, s)]
    where = [
        (LINK.c.system == str(s)) & (LINK.c.entity == str(e)) & (LINK.c.external_id == external_id) for s, e in pairs
    ]
    rows = conn.execute(select(LINK.c.record_id).where(or_(*where), LINK.c.record_id.is_not(None)))
    return sorted({row.record_id for row in rows})


def _by_name(conn: Connection, said: str) -> list[str]:
    """Names that begin so, from the first word or from the last one on; at most PAGE and one more."""
    if len(said) < NAME_LEAST:
        return []
    parts = [
        select(RECORD.c.id, column.label("spelt")).where(*_begins(column, said)).order_by(column).limit(PAGE + 1)
        for column in (RECORD.c.named, RECORD.c.surnamed)
    ]
    both = union(*(select(part.subquery()) for part in parts)).subquery()
    rows = conn.execute(select(both.c.id, both.c.spelt).order_by(both.c.spelt, both.c.id)).all()
    return list(dict.fromkeys(row.id for row in rows))[: PAGE + 1]


def _begins(column: ColumnElement[Any], said: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """A range of the index: spelt by code points, what begins so lies between it and its next neighbour."""
    return column >= said, column < said[:-1] + chr(min(ord(said[-1]) + 1, 0x10FFFF))


# --- lists ------------------------------------------------------------------------------------------------------


def listed(conn: Connection, what: str, after: str | None = None) -> Found:
    """Records by what is the matter with them. `what` is one of WHAT; `after` the key that the page before gave.

    Raises BadInput for another word or key.
    """
    if what not in _LISTS:
        raise BadInput(f"there is no list of what is {what}", remedy=f"One of: {', '.join(WHAT)}.")
    ids, onward = _LISTS[what](conn, after)
    return Found(described(conn, ids), onward)


def _changed(conn: Connection, after: str | None) -> tuple[list[str], str | None]:
    """Those about which something was decided last."""
    return _by_rows(conn, DECISION, DECISION.c.entity.is_not(None), after, newest=True)


def _review(conn: Connection, after: str | None) -> tuple[list[str], str | None]:
    return _by_rows(conn, REVIEW, IS_ASKED, after)


def _parked(conn: Connection, after: str | None) -> tuple[list[str], str | None]:
    return _by_rows(conn, PARKED, IS_WAITING, after)


def _by_rows(
    conn: Connection, table: Any, where: Any, after: str | None, *, newest: bool = False
) -> tuple[list[str], str | None]:
    """Records of rows in the order of their numbers; the key is the number of the last row looked at."""
    number = table.c.id
    statement = select(number, table.c.record_id).where(where)
    if after is not None:
        if not _NUMBER.fullmatch(after):
            raise BadInput("this is no place in a list", remedy="Begin the list anew.")
        statement = statement.where(number < int(after) if newest else number > int(after))
    rows = conn.execute(statement.order_by(number.desc() if newest else number).limit(DECISIONS_MAX)).all()
    out: dict[str, None] = {}
    for place, row in enumerate(rows):
        if row.record_id is not None:
            out[row.record_id] = None
        if len(out) == PAGE:
            return list(out), str(row.id) if place + 1 < len(rows) or len(rows) == DECISIONS_MAX else None
    return list(out), str(rows[-1].id) if len(rows) == DECISIONS_MAX else None


def _ended(cause: Callable[[ColumnElement[Any]], ColumnElement[bool]]) -> Callable[..., tuple[list[str], str | None]]:
    def of(conn: Connection, after: str | None) -> tuple[list[str], str | None]:
        said = RECORD.c.tombstone["cause"].as_string()
        statement = select(RECORD.c.id).where(links.IS_ENDED, RECORD.c.id > (after or ""), cause(said))
        ids = list(conn.execute(statement.order_by(RECORD.c.id).limit(PAGE + 1)).scalars())
        return ids[:PAGE], ids[PAGE - 1] if len(ids) > PAGE else None

    return of


_LISTS: dict[str, Callable[..., tuple[list[str], str | None]]] = {
    "changed": _changed,
    "review": _review,
    "parked": _parked,
    "deleted": _ended(lambda said: said.not_in(("merged", "linked"))),
    "merged": _ended(lambda said: said.in_(("merged", "linked"))),
}


# --- what a list shows of a record ------------------------------------------------------------------------------


def described(conn: Connection, ids: Sequence[str]) -> list[Hit]:
    """Records as lists show them, in the order of their ids here; three statements."""
    if not ids:
        return []
    of = RECORD.c
    rows = conn.execute(
        select(of.id, of.entity, of.fields["name"].label("name"), of.fields["subject"].label("subject"), of.tombstone,
               of.twin, sa_cast(of.reviews, Text).label("reviews")).where(of.id.in_(ids))
    ).all()  # fmt: skip
    hits = {row.id: Hit(row.id, Entity(row.entity), _title(row), marks=_marks(row)) for row in rows}
    found = select(LINK.c.record_id, LINK.c.system, LINK.c.external_id, LINK.c.state).where(LINK.c.record_id.in_(ids))
    for row in conn.execute(found.order_by(LINK.c.id)):
        if row.record_id in hits:
            hits[row.record_id].links.append((System(row.system), row.external_id, LinkState(row.state)))
    for hit in hits.values():
        hit.links.sort(key=lambda one: SYSTEMS.index(one[0]))
    waits = select(PARKED.c.record_id).where(PARKED.c.record_id.in_(ids), PARKED.c.lifted_at.is_(None)).distinct()
    for one in conn.execute(waits).scalars():
        hits[one].marks.append("parked")
    last = select(DECISION.c.record_id, func.max(DECISION.c.at)).where(DECISION.c.record_id.in_(ids))
    for record, at in conn.execute(last.group_by(DECISION.c.record_id)):
        hits[record].changed_at = at
    return [hits[one] for one in ids if one in hits]


def _title(row: Any) -> str:
    name = row.name["full"] if isinstance(row.name, dict) else row.name
    return str((row.subject if row.entity == str(Entity.TICKET) else name) or "")


def _marks(row: Any) -> list[str]:
    out = []
    if row.tombstone:
        out.append({"merged": "merged", "linked": "merged"}.get(row.tombstone.get("cause"), "deleted"))
    if row.reviews not in (None, "null", "{}"):
        out.append("review")
    if row.twin and not row.tombstone:
        out.append("twin")
    return out


def tickets_of(conn: Connection, customer: str, limit: int) -> list[str]:
    """Records of a customer's tickets, at most so many."""
    of = select(RECORD.c.id).where(RECORD.c.parent == customer).order_by(RECORD.c.id).limit(limit)
    return list(conn.execute(of).scalars())
