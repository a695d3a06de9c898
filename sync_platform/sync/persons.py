"""Everything in the ledger that is one person's: found by a name that somebody gives, or by records of theirs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select

from sync_platform.core import normalize
from sync_platform.core.records import Entity, Link
from sync_platform.errors import NotFound
from sync_platform.ledger import journal, links
from sync_platform.ledger.erasure import Person
from sync_platform.sync.names import find

ADDRESSES = frozenset({"email", "email_2", "phone"})
SHORTEST = 6


def email_of(what: str) -> str | None:
    """The e-mail that somebody gave as a name, normalised; None for a name of another kind."""
    kind, _, rest = what.rpartition(":")
    return normalize.email(rest) if kind in ("", "customer") and "@" in rest else None


def named(conn: Connection, what: str, region: str) -> Person:
    """The person of an e-mail, a record's id or a system's id; an e-mail may be nobody's. Raises NotFound else."""
    email = email_of(what)
    try:
        records = [find(conn, what, region)]
    except NotFound:
        if email is None:
            raise
        records = []
    return whole(conn, records, {email} if email else set())


def whole(conn: Connection, records: Sequence[str], emails: Iterable[str] = ()) -> Person:
    """The person of these records: with what became one of them, their tickets, and every other record whose own e-mail
    is one of theirs, also one that ended before."""
    addresses = set(emails)
    ended = _ended(conn)
    known: list[str] = []
    found: list[Link] = []
    fresh = sorted(set(records) | _under(conn, ended, addresses))
    while fresh:
        known, found = _with_theirs(conn, [*known, *fresh], ended)
        held = links.records_by_id(conn, known).values()
        addresses |= {one for record in held if (one := _email(record.fields))}
        fresh = sorted(_under(conn, ended, addresses) - set(known))
    alone = _unplaced(conn, addresses)
    further, of_tickets = _tickets_of(conn, alone, known)
    known, found = [*known, *further], [*found, *alone, *of_tickets]
    return Person(known, found, addresses | _texts(conn, known, found))


def _unplaced(conn: Connection, addresses: Collection[str]) -> list[Link]:
    """Customers that have no record, or ended before they had one: nothing leads to them but their own e-mail."""
    table = links.LINK
    alone = select(table.c.id).where(table.c.record_id.is_(None), table.c.entity == Entity.CUSTOMER)
    numbers = list(conn.execute(alone).scalars())
    shown = (
        (link, link.cells["email"].shadow)
        for link in links.links_by_id(conn, numbers).values()
        if link.cells.get("email")
    )
    return [link for link, value in shown if isinstance(value, str) and normalize.email(value) in addresses]


# A record that ended: its id, what it became one with, its e-mail.
_Ended = Sequence[tuple[str, str | None, str | None]]


def _ended(conn: Connection) -> _Ended:
    table = links.RECORD
    rows = conn.execute(select(table.c.id, table.c.tombstone, table.c.fields).where(table.c.tombstone.is_not(None)))
    return [(row.id, (row.tombstone or {}).get("into"), _email(row.fields or {})) for row in rows]


def _email(fields: Mapping[str, Any]) -> str | None:
    value = fields.get("email")
    return normalize.email(value) if isinstance(value, str) else None


def _under(conn: Connection, ended: _Ended, addresses: Collection[str]) -> set[str]:
    """Records with one of these as their own e-mail; what ended holds no key, and a further e-mail may be shared."""
    keys = [("email", one) for one in sorted(addresses)]
    holders = {str(record) for records in links.records_by_key(conn, keys).values() for record in records}
    living = {
        str(one.id) for one in links.records_by_id(conn, sorted(holders)).values() if _email(one.fields) in addresses
    }
    return living | {record for record, into, email in ended if into is None and email in addresses}


def _with_theirs(conn: Connection, start: Sequence[str], ended: _Ended) -> tuple[list[str], list[Link]]:
    """These records, what became one of them, their tickets; and the links of all of them."""
    table = links.RECORD
    records = list(dict.fromkeys(start))
    records += [one for one, into, _ in ended if into in records and one not in records]
    children = conn.execute(select(table.c.id).where(table.c.parent.in_(records))).scalars()
    records += [one for one in children if one not in records]
    found = [link for some in links.links_of(conn, records).values() for link in some]
    further, of_tickets = _tickets_of(conn, found, records)
    return [*records, *further], [*found, *of_tickets]


def _tickets_of(conn: Connection, found: Sequence[Link], known: Sequence[str]) -> tuple[list[str], list[Link]]:
    """Tickets that show one of these customers as theirs, but for those of known records: further records, and links. A
    ticket that was read before its customer has no other way to them."""
    customers = [(link.system, link.external_id) for link in found if link.entity is Entity.CUSTOMER]
    of_tickets = links.referring(conn, customers)
    further = sorted({str(link.record_id) for link in of_tickets if link.record_id} - set(known))
    theirs = [link for some in links.links_of(conn, further).values() for link in some]
    return further, theirs + [link for link in of_tickets if not link.record_id]


def _texts(conn: Connection, records: Sequence[str], found: Sequence[Link]) -> set[str]:
    """Addresses that the ledger ever held of this person: what is shown now, and what was decided."""
    out = {
        value for some in links.keys_of(conn, records).values() for kind, value in some if kind in ("email", "phone")
    }
    for link in found:
        for name in ADDRESSES & set(link.cells):
            cell = link.cells[name]
            out |= set(_words([cell.shadow, cell.base, cell.held, cell.image]))
    for record in links.records_by_id(conn, records).values():
        out |= set(_words([record.fields.get(name) for name in sorted(ADDRESSES)]))
    decision = journal.DECISION
    rows = conn.execute(
        select(decision.c.value, decision.c.replaced).where(
            decision.c.record_id.in_(records), decision.c.field.in_(ADDRESSES)
        )
    )
    for row in rows:
        out |= set(_words([row.value, row.replaced]))
    return {text for text in out if len(text) >= SHORTEST}


def _words(values: Iterable[Any]) -> Iterable[str]:
    for value in values:
        if isinstance(value, str):
            yield value
        elif isinstance(value, list):
            yield from _words(value)
