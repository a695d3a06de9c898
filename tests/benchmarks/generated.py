"""A side that makes its rows as they are asked for and keeps none: what grows with the data is then the platform's own.

Everything about an object follows from its number, so a page, a read by id and a second run show the same. People are
spread over the systems as in a real first load: most are known to several, with another spelling of the phone number
and capitals in the e-mail; about one in ten has a field about which two systems differ. Tickets are known to one
system each.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sync_platform.connectors.protocol import (
    Account,
    Change,
    Cursor,
    Directory,
    Feed,
    Finding,
    Known,
    Limit,
    Page,
    Receipt,
    Wanted,
)
from sync_platform.core.records import ENTITIES, THINGS, Channel, Entity, Evidence, Json, Lane, Row, System, Verb

BEGIN_AT = datetime(2026, 1, 1, tzinfo=UTC)
PAGES: Mapping[System, int] = {System.GORGIAS: 100, System.HUBSPOT: 100, System.ERP: 1000}
# Of ten people (and of ten tickets), the ones that a system knows.
KNOWS: Mapping[tuple[System, Entity], tuple[int, ...]] = {
    (System.GORGIAS, Entity.CUSTOMER): (0, 1, 2, 3, 4, 5),
    (System.HUBSPOT, Entity.CUSTOMER): (0, 1, 2, 3, 4, 6, 7),
    (System.ERP, Entity.CUSTOMER): (0, 1, 2, 5, 6, 8, 9),
    (System.GORGIAS, Entity.TICKET): (0, 1, 2, 3, 4, 5, 6, 7),
    (System.HUBSPOT, Entity.TICKET): (8,),
    (System.ERP, Entity.TICKET): (9,),
}
OWNER_OF: Mapping[System, int] = {System.GORGIAS: 0, System.HUBSPOT: 1, System.ERP: 2}
FIRST = ("Ada", "Bo", "Chen", "Dina", "Emre", "Fay", "Goran", "Hana", "Ivo", "Jun")
LAST = ("Abel", "Berg", "Costa", "Diaz", "Eriksen", "Fischer", "Gruber")
LANGUAGES = ("en", "de", "fr", "es")


def people_of(system: System, people: int) -> int:
    """How many of so many people a system knows."""
    return rows_of(system, Entity.CUSTOMER, people)


def rows_of(system: System, entity: Entity, count: int) -> int:
    """How many of so many objects a system knows."""
    known = KNOWS[system, entity]
    return count // 10 * len(known) + sum(1 for place in known if place < count % 10)


def _number(system: System, entity: Entity, place: int) -> int:
    """The object that stands at a place of a system's listing."""
    known = KNOWS[system, entity]
    return place // len(known) * 10 + known[place % len(known)]


def _email(person: int) -> str:
    return f"{FIRST[person % 10].lower()}.{LAST[person % 7].lower()}.{person}@example.com"


def _gorgias_customer(person: int) -> dict[str, Json]:
    return {
        "name": f"{FIRST[person % 10]} {LAST[person % 7]}",
        "email": _email(person).title() if person % 4 == 0 else _email(person),
        "language": LANGUAGES[person % 4],
        "external_id": None,
        "note": f"Prefers the morning, order {person}." if person % 3 == 0 else None,
    }


def _gorgias_details(person: int) -> dict[str, Json]:
    return {
        "emails": [],
        "phones": [f"+1 (212) {2000000 + person % 7_000_000}"] if person % 2 else [],
        "sync.company": None,
        "sync.customer_no": None,
        "sync.marketing_opt_out": None,
        "sync.credit_status": None,
        "sync.lifetime_value": None,
        "sync.order_count": None,
    }


def _hubspot_customer(person: int) -> dict[str, Json]:
    return {
        "email": _email(person),
        "hs_additional_emails": [],
        "phone": f"(212) {2000000 + person % 7_000_000}",
        "firstname": FIRST[person % 10],
        "lastname": LAST[person % 7] if person % 10 else f"{LAST[person % 7]}-{LAST[person % 5]}",
        "hs_language": LANGUAGES[person % 4],
        "company": f"Company {person % 997}",
        "sync_customer_no": None,
        "sync_note": None,
        "sync_marketing_opt_out": "false" if person % 5 else None,
        "sync_credit_status": None,
        "sync_lifetime_value": None,
        "sync_order_count": None,
        "sync_id": None,
    }


def _erp_customer(person: int) -> dict[str, Json]:
    first, last = FIRST[person % 10], LAST[person % 7]
    return {
        "email": _email(person),
        "email_2": None,
        "phone": f"+1212{2000000 + person % 7_000_000}",
        "full_name": f"{first} {last}",
        "first_name": first,
        "last_name": last,
        "language": LANGUAGES[person % 4],
        "company": f"Company {person % 997}",
        "customer_no": f"C{person:08d}",
        "note": None,
        "marketing_opt_out": False,
        "credit_status": "good",
        "lifetime_value": f"{person % 9000}.50",
        "order_count": person % 40,
        "sync_marker": None,
    }


def _at(number: int, minutes: int = 0) -> str:
    return (BEGIN_AT + timedelta(seconds=number % 10_000_000, minutes=minutes)).isoformat(timespec="microseconds")


def _gorgias_ticket(ticket: int, customer: str) -> dict[str, Json]:
    closed = ticket % 3 == 0
    return {
        "subject": f"Question about order {ticket}",
        "status": "closed" if closed else "open",
        "priority": ("low", "normal", "high")[ticket % 3],
        "channel": "email",
        "assignee_user_id": None,
        "tags": ["vip", "refund"][: ticket % 3],
        "customer_id": customer,
        "created_datetime": _at(ticket),
        "closed_datetime": _at(ticket, 90) if closed else None,
        "first_message": {"id": str(ticket), "at": _at(ticket), "text": f"Where is my order {ticket}? " * 4},
        "messages_count": 1 + ticket % 7,
        "last_message_datetime": _at(ticket, 60),
        "score": None,
        "external_id": None,
    }


def _hubspot_ticket(ticket: int, customer: str) -> dict[str, Json]:
    return {
        "subject": f"Call back {ticket}",
        "hs_pipeline_stage": "1",
        "hs_ticket_priority": "LOW",
        "hubspot_owner_id": None,
        "contact": customer,
        "createdate": f"{_at(ticket)[:23]}Z",
        "closed_date": None,
        "content": f"Asked for a call, number {ticket}.",
        "sync_channel": None,
        "sync_tags": [],
        "sync_message_count": None,
        "sync_last_message_at": None,
        "sync_satisfaction": None,
        "sync_id": None,
    }


def _erp_ticket(ticket: int, customer: str) -> dict[str, Json]:
    return {
        "subject": f"Return {ticket}",
        "status": "new",
        "priority": "normal",
        "channel": "phone",
        "owner_email": None,
        "tags": [],
        "customer_id": customer,
        "created_at": _at(ticket),
        "closed_at": None,
        "first_text": f"Wants to return parcel {ticket}.",
        "message_count": 1,
        "last_message_at": None,
        "satisfaction": None,
        "sync_marker": None,
    }


_CUSTOMERS = {
    System.GORGIAS: _gorgias_customer,
    System.HUBSPOT: _hubspot_customer,
    System.ERP: _erp_customer,
}
_TICKETS = {System.GORGIAS: _gorgias_ticket, System.HUBSPOT: _hubspot_ticket, System.ERP: _erp_ticket}


@dataclass(slots=True)
class GeneratedSystem:
    """One system with `people` and `tickets` in all, of which it knows its share. Nothing can be written."""

    system: System
    people: int
    tickets: int
    calls: int = 0
    limits: tuple[Limit, ...] = ()
    batch_size: Mapping[tuple[Entity, Verb], int] = field(
        default_factory=lambda: {(entity, verb): 100 for entity in ENTITIES for verb in Verb}
    )
    page_size: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.page_size = {feed.name: PAGES[self.system] for feed in self.feeds()}

    def account(self) -> Account:
        """Always a sandbox."""
        return Account(self.system, f"generated-{self.system}", sandbox=True)

    def directory(self) -> Directory:
        """No agents."""
        return Directory()

    def feeds(self) -> tuple[Feed, ...]:
        """Changes (there are none) and a list for each entity."""
        found: list[Feed] = []
        for entity in ENTITIES:
            found.append(Feed(f"{THINGS[self.system, entity]}.changes", entity, "ascending"))
            found.append(Feed(f"{THINGS[self.system, entity]}.list", entity, "list", first_load=True))
        return tuple(found)

    def start(self, feed: Feed, cursor: Cursor | None, *, now: datetime) -> Cursor:
        """A new walk, or the one under way."""
        return cursor or Cursor()

    def pull(self, feed: Feed, cursor: Cursor, *, lane: Lane, known: Known | None = None) -> Page:
        """One page of a listing."""
        self.calls += 1
        if feed.kind != "list":
            return Page((), Cursor("0"), complete=True)
        total = rows_of(self.system, feed.entity, self.people if feed.entity is Entity.CUSTOMER else self.tickets)
        begin = int(cursor.walk["after"]) if cursor.walk else 0
        end = min(begin + PAGES[self.system], total)
        rows = [
            self.row(feed.entity, _number(self.system, feed.entity, place), Channel.LIST) for place in range(begin, end)
        ]
        if end == total:
            return Page(rows, Cursor("listed"), complete=True, total=total)
        return Page(rows, Cursor(cursor.watermark, {"after": end}), complete=False, total=total)

    def row(self, entity: Entity, number: int, channel: Channel) -> Row:
        """What this system shows of one object; a listing of Gorgias hides phones and what we keep there."""
        carry: Json = None
        if entity is Entity.CUSTOMER:
            attributes = _CUSTOMERS[self.system](number)
            if self.system is System.GORGIAS and channel is Channel.BY_ID:
                attributes |= _gorgias_details(number)
                carry = {"data": None, "channels": [{"id": number, "type": "email", "address": _email(number)}]}
        else:
            owner = (number // 10 * 10 + OWNER_OF[self.system]) % max(10, self.people // 10 * 10)
            attributes = _TICKETS[self.system](number, str(owner))
        stamp = BEGIN_AT + timedelta(seconds=number)
        version = 1 if self.system is System.ERP else None
        return Row(
            self.system,
            entity,
            str(number),
            attributes,
            channel,
            stamp=stamp,
            version=version,
            carry=carry,
            created_at=stamp,
        )

    def fetch(self, entity: Entity, ids: Sequence[str], *, lane: Lane) -> Iterator[Row]:
        """A row for each id that this system knows."""
        self.calls += 1
        for one in ids:
            if int(one) % 10 in KNOWS[self.system, entity]:
                yield self.row(entity, int(one), Channel.BY_ID)
            else:
                yield Row(self.system, entity, one, {}, Channel.BY_ID, evidence=Evidence("missing"))

    def lookup(self, entity: Entity, keys: Sequence[tuple[str, str]], *, lane: Lane) -> Iterator[tuple[int, Row]]:
        """Nobody beyond those that are listed."""
        self.calls += 1
        return iter(())

    def apply(self, changes: Sequence[Change], *, lane: Lane) -> Iterator[Receipt]:
        """Raises always: what is measured with this side ends at the plan."""
        raise NotImplementedError("a generated side takes no writes")

    def prepare(self, wanted: Iterable[Wanted]) -> list[Finding]:
        """Nothing to make."""
        return []

    def examine(self, wanted: Iterable[Wanted]) -> list[Finding]:
        """Nothing to look at."""
        return []

    def close(self) -> None:
        """Nothing to give back."""
