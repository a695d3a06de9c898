"""Turns seeded people, tickets and agents into HubSpot's rows, in bulk: no rule is asked, all rows are search-ready."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from sync_platform.sandbox.hubspot.kinds import CONTACTS, TICKETS, USERS
from sync_platform.sandbox.hubspot.records import Records
from sync_platform.sandbox.hubspot.standard import LANGUAGES
from sync_platform.sandbox.hubspot.store import FIRST_ID, Row, Source
from sync_platform.sandbox.hubspot.values import searchable_phone
from sync_platform.sandbox.hubspot.wire import epoch_ms, stamp, to_ms
from sync_platform.sandbox.people import Agent, Case, Person, View

OWNER_ID, USER_ID = 70_000_000, 500_000  # plus the agent's number: an owner's id isn't his user id
_CHUNK = 5_000
_EARLY = "2020-01-01T00:00:00Z"
_TEAMS = (
    {"id": "7001", "name": "Support", "primary": True},
    {"id": "7002", "name": "Billing", "primary": True},
)
_STAGE = {"new": "1", "waiting": "2", "open": "3", "resolved": "4", "closed": "4"}
_PRIORITY = {"low": "LOW", "normal": "MEDIUM", "high": "HIGH", "critical": "URGENT"}
_SOURCE = {"email": "EMAIL", "chat": "CHAT", "phone": "PHONE"}
_SEEDED: Source = {"sourceType": "CRM_UI", "sourceId": f"userId:{USER_ID}", "updatedByUserId": USER_ID}


def owner(n: int, email: str, name: str, at: str) -> dict[str, Any]:
    """An owner as the API shows him."""
    first, _, last = name.partition(" ")
    return {
        "id": str(OWNER_ID + n),
        "email": email,
        "type": "PERSON",
        "firstName": first,
        "lastName": last,
        "userId": USER_ID + n,
        "userIdIncludingInactive": USER_ID + n,
        "createdAt": at,
        "updatedAt": at,
        "archived": False,
        "teams": [],
    }


class Seeding:
    """Fills an empty store."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._store = records.store
        self._contact_of: dict[int, int] = {}  # person -> contact

    def run(self, people: Iterable[Person], cases: Iterable[Case], agents: Iterable[Agent]) -> None:
        """Everything in one transaction."""
        with self._store.transaction():
            for agent in agents:
                doc = owner(agent.n, agent.email, agent.name, _EARLY)
                doc["teams"] = [dict(_TEAMS[agent.n % len(_TEAMS)])]
                self._records.schema.put_owner(doc)
                self._store.insert(self._user(doc, agent.n))
            contacts = self._contacts(people)
            while chunk := list(islice(contacts, _CHUNK)):
                self._store.insert_many(CONTACTS, chunk)
                self._claim(chunk)
            tickets = self._tickets(cases)
            while pairs := list(islice(tickets, _CHUNK)):
                self._store.insert_many(TICKETS, [row for row, _ in pairs])
                self._tie(pairs)

    def _user(self, doc: dict[str, Any], n: int) -> Row:
        """The record of a user: its id is neither the owner's nor the user's."""
        props = {
            "hs_email": doc["email"],
            "hs_given_name": doc["firstName"],
            "hs_family_name": doc["lastName"],
            "hs_internal_user_id": str(doc["userId"]),
            "hubspot_owner_id": doc["id"],
        }
        at = epoch_ms(_EARLY)
        row = Row(USERS, FIRST_ID + n, props, at, at, valued=at, origin=_SEEDED)
        self._records.complete(row)
        return row

    def _contacts(self, people: Iterable[Person]) -> Iterator[Row]:
        id_ = FIRST_ID
        for person in people:
            view = person.views.get("hubspot")
            if view is None:
                continue
            created, updated = to_ms(view.created_at), to_ms(view.updated_at)
            row = Row(CONTACTS, id_, _contact(view), created, updated, valued=updated, origin=_SEEDED)
            self._records.complete(row)
            self._contact_of[person.n] = id_
            id_ += 1
            yield row

    def _claim(self, rows: list[Row]) -> None:
        values = []
        for row in rows:
            if row.props.get("email"):
                values.append(("contacts", "email", row.props["email"], row.id, 0))
            others = filter(None, row.props.get("hs_additional_emails", "").split(";"))
            values += [("contacts", "email", address, row.id, 1) for address in others]
        self._store.db.executemany("INSERT INTO uniques VALUES(?,?,?,?,?)", values)

    def _tickets(self, cases: Iterable[Case]) -> Iterator[tuple[Row, int | None]]:
        id_ = FIRST_ID
        for case in cases:
            if case.system != "hubspot":
                continue
            created, updated = to_ms(case.created_at), to_ms(case.updated_at)
            row = Row(TICKETS, id_, _ticket(case), created, updated, valued=updated, origin=_SEEDED)
            self._records.complete(row)
            id_ += 1
            yield row, self._contact_of.get(case.person)

    def _tie(self, pairs: list[tuple[Row, int | None]]) -> None:
        edges = []
        for row, contact_id in pairs:
            if contact_id is not None:
                edges.append(("tickets", row.id, "contacts", contact_id, 16))
                edges.append(("contacts", contact_id, "tickets", row.id, 15))
        self._store.db.executemany("INSERT INTO ties(a,a_id,b,b_id,type_id) VALUES(?,?,?,?,?)", edges)


def _contact(view: View) -> dict[str, str]:
    emails = list(dict.fromkeys(address.strip().lower() for address in view.emails))
    phones = (*view.phones, None, None)
    language = (view.language or "").lower()
    props = {
        "firstname": view.first or None,
        "lastname": view.last or None,
        "email": emails[0] if emails else None,
        "hs_additional_emails": ";".join(emails[1:]) or None,
        "hs_email_domain": emails[0].rpartition("@")[2] if emails else None,
        "phone": phones[0],
        "mobilephone": phones[1],
        "hs_searchable_calculated_phone_number": searchable_phone(phones[0]),
        "hs_searchable_calculated_mobile_number": searchable_phone(phones[1]),
        "company": view.company,
        "hs_language": language if language in LANGUAGES else None,
        "hs_email_optout": None if view.opt_out is None else str(view.opt_out).lower(),
        "lifecyclestage": "customer",
    }
    return {name: value for name, value in props.items() if value is not None}


def _ticket(case: Case) -> dict[str, str]:
    first = case.messages[0].text if case.messages else None
    props = {
        "subject": case.subject,
        "content": first,
        "hs_pipeline": "0",
        "hs_pipeline_stage": _STAGE[case.status],
        "hs_ticket_priority": _PRIORITY[case.priority],
        "source_type": _SOURCE.get(case.channel, "FORM"),
        "hubspot_owner_id": None if case.agent is None else str(OWNER_ID + case.agent),
        "closed_date": None if case.closed_at is None else stamp(to_ms(case.closed_at)),
    }
    return {name: value for name, value in props.items() if value is not None}
