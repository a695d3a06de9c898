"""The seeded world as rows of the twin of Gorgias, written in bulk.

Some customers came from elsewhere already: every fifth has foreign keys in `data`, every seventh an `external_id` of
another integration; a writer has to keep both. Of the history before the start of the sandbox the feed knows the
creation of customers and tickets [switch seeded_events].
"""

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar

from sync_platform.sandbox.gorgias import shapes, teams
from sync_platform.sandbox.gorgias.fields import LANGUAGES, micros
from sync_platform.sandbox.gorgias.http import dump
from sync_platform.sandbox.gorgias.messages import EXCERPT
from sync_platform.sandbox.gorgias.store import FIRST_ID, Store, stamp
from sync_platform.sandbox.people import Agent, Case, Person, View

T = TypeVar("T")
BATCH = 2_000
SUPPORT = "support@gorgias-sandbox.test"
SNOOZE_US = 3 * 86_400_000_000
_REASONS = ("Order::Status", "Order::Return", "Product::Question", "Other")


def staff(store: Store, owner_email: str) -> int:
    """The two users every account has: its owner, whose key is used, and the bot. Gives the owner's id."""
    at = int(store.fact("created") or 0)
    found = store.one("SELECT id FROM users WHERE email = ? AND deleted IS NULL", owner_email)
    if found:
        return int(found[0])
    owner = store.new_id("users")
    for number, email, name, role in (
        (owner, owner_email, "Sandbox Owner", "admin"),
        (store.new_id("users"), "bot@gorgias-sandbox.test", "Gorgias Bot", "bot"),
    ):
        insert_user(store, number, email, name, role=role, at=at)
    return owner


def insert_user(store: Store, number: int, email: str, name: str, *, role: str, at: int) -> dict[str, Any]:
    """One user row; gives the user."""
    row = shapes.user(number, email, name, role=role, at=at)
    store.run(
        "INSERT INTO users VALUES (?, ?, ?, ?, ?, ?, NULL, ?, NULL)", number, at, at, email, name, role, dump(row)
    )
    return row


class Seeder:
    """Fills an empty store from people, cases and agents."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.agents: dict[int, dict[str, Any]] = {}
        self.tags: dict[str, dict[str, Any]] = {}
        self.next = {kind: store.new_id(kind) for kind in ("channels", "messages", "surveys", "tags", "events")}
        self.bot: dict[str, Any] = {}
        self.teams: list[dict[str, Any]] = []
        self.fields = {label: number for number, label in store.all("SELECT id, label FROM custom_fields")}
        self.with_events = store.on("seeded_events")

    def run(self, people: Iterable[Person], cases: Iterable[Case], agents: Iterable[Agent]) -> None:
        """Write everything in one transaction."""
        with self.store.writing():
            self._staff(agents)
            for batch in _batches((person for person in people if "gorgias" in person.views), BATCH):
                self._people(batch)
            for group in _batches((case for case in cases if case.system == "gorgias"), BATCH):
                self._cases(group)
            self.store.set_fact("last_channels", str(self.next["channels"]))
            self.store.run("UPDATE tags SET usage = (SELECT count(*) FROM ticket_tags WHERE tag_id = tags.id)")
        self.store.forget_ids()  # ids were counted here, in bulk

    def _take(self, kind: str) -> int:
        self.next[kind] += 1
        return self.next[kind]

    def _staff(self, agents: Iterable[Agent]) -> None:
        at = int(self.store.fact("created") or 0)
        for agent in agents:
            number = self.store.new_id("users")
            self.agents[agent.n] = insert_user(self.store, number, agent.email, agent.name, role="agent", at=at)
        self.bot = json.loads(self.store.one("SELECT row FROM users WHERE role = 'bot'")[0])
        ids = [user["id"] for user in self.agents.values()]
        for name, emoji, members in (("First line", ":wave:", ids[::2]), ("Returns", ":package:", ids[1::2])):
            given = {"name": name, "decoration": {"emoji": emoji}, "members": members}
            self.teams.append({"id": teams.insert(self.store, given, at), "name": name, "decoration": {"emoji": emoji}})

    def _values(self, **given: str | None) -> dict[str, Any]:
        """Custom-field values as rows hold them; names are the labels with underscores."""
        found = {self.fields.get(name.replace("_", " ")): value for name, value in given.items() if value is not None}
        return {str(n): {"id": n, "value": value, "prediction": None} for n, value in found.items() if n is not None}

    def _events(self, kind: str, object_type: str, rows: Iterable[tuple[Any, ...]]) -> None:
        """The creation of rows (id, created, …) in the feed, at its time; nobody's doing."""
        if self.with_events:
            self.store.db.executemany(
                "INSERT INTO events VALUES (?, ?, ?, ?, ?, NULL, ?, NULL)",
                (self._event(kind, object_type, number, at) for number, at, *_ in rows),
            )

    def _event(self, kind: str, object_type: str, object_id: int, at: int) -> tuple[int, int, str, int, str, str]:
        number = self._take("events")
        # No text of it needs escaping, so that no JSON writer has to run for each of a million rows.
        row = (
            f'{{"id":{number},"context":"00000000-0000-4000-8000-{number:012x}","created_datetime":"{stamp(at)}",'
            f'"data":null,"object_id":{object_id},"object_type":"{object_type}","type":"{kind}","user_id":null,'
            f'"uri":"/api/events/{number}/"}}'
        )
        return number, at, object_type, object_id, kind, row

    def _people(self, people: list[Person]) -> None:
        rows, channel_rows = [], []
        for person in people:
            view = person.views["gorgias"]
            number = FIRST_ID["customers"] + person.n
            created, updated = micros(view.created_at), micros(view.updated_at)
            row = shapes.customer(number, _fields(person, view), created, updated)
            row["custom_fields"] = self._values(Customer_tier=_tier(person))
            found = self._channels(view, created)
            channel_rows += [(i, number, kind, address, folded, p, a, b) for i, kind, address, folded, p, a, b in found]
            shown = shapes.channels(row, [(i, kind, address, p, a, b) for i, kind, address, _, p, a, b in found])
            extra = "," + dump(shapes.customer_extra(shown, {}))[1:-1]
            rows.append(
                (number, created, updated, row["external_id"], row["name"], row["language"], None, dump(row), extra)
            )
        self.store.db.executemany("INSERT INTO customers VALUES (?, ?, ?, ?, ?, ?, ?, NULL, ?, ?, NULL, NULL)", rows)
        self._events("customer-created", "Customer", rows)
        self.store.db.executemany("INSERT INTO channels VALUES (?, ?, ?, ?, ?, ?, ?, ?)", channel_rows)

    def _channels(self, view: View, at: int) -> list[tuple[int, str, str, str, int, int, int]]:
        """Addresses stay as they are spelled: phones are not normalised by Gorgias [recorded]."""
        found = []
        for kind, addresses in (("email", view.emails), ("phone", view.phones)):
            for index, address in enumerate(addresses):
                folded = address.lower() if kind == "email" else address
                found.append((self._take("channels"), kind, address, folded, int(index == 0), at, at))
        return found

    def _cases(self, cases: list[Case]) -> None:
        message_rows: list[tuple[int, int, int, str]] = []
        tickets, links, survey_rows = [], [], []
        for case in cases:
            number = FIRST_ID["tickets"] + case.n
            owner_id = FIRST_ID["customers"] + case.person
            found = self.store.one("SELECT row FROM customers WHERE id = ?", owner_id)
            owner = shapes.compact(json.loads(found[0]))
            row = self._ticket(case, number, owner)
            tickets.append((number, micros(case.created_at), micros(case.updated_at), owner_id, None, 0, dump(row)))
            message_rows += self._messages(case, number, owner)
            links += [(number, tag["id"]) for tag in row["tags"]]
            if case.score is not None:
                survey_rows.append(self._survey(case, number, owner_id))
        db = self.store.db
        db.executemany("INSERT INTO tickets VALUES (?, ?, ?, ?, ?, ?, ?, NULL)", tickets)
        self._events("ticket-created", "Ticket", tickets)
        db.executemany("INSERT INTO messages VALUES (?, ?, ?, ?, NULL)", message_rows)
        db.executemany("INSERT OR IGNORE INTO ticket_tags VALUES (?, ?)", links)
        db.executemany("INSERT INTO surveys VALUES (?, ?, ?, ?, ?, NULL)", survey_rows)

    def _ticket(self, case: Case, number: int, owner: dict[str, Any]) -> dict[str, Any]:
        """Five neutral states on Gorgias's two: waiting is open and snoozed, resolved and closed are closed."""
        closed = case.status in ("resolved", "closed")
        updated = micros(case.updated_at)
        last = case.messages[-1] if case.messages else None
        received = [entry for entry in case.messages if entry.public and not entry.from_agent]
        given = {
            "status": "closed" if closed else "open",
            "priority": case.priority,
            "channel": case.channel,
            "via": case.channel if case.channel in ("email", "chat", "phone", "sms") else "api",
            "from_agent": bool(case.messages and case.messages[0].from_agent),
            "subject": case.subject,
            "external_id": case.reference,
            "customer": owner,
            "assignee_user": self._assignee(case.agent),
            "tags": [self._tag(name) for name in dict.fromkeys(case.tags)],
            "excerpt": last.text[:EXCERPT] if last else "",
            "messages_count": len(case.messages),
            "is_unread": False,
            "opened_datetime": None if case.status == "new" else micros(case.created_at),
            "last_message_datetime": micros(last.at) if last else None,
            "last_received_message_datetime": micros(received[-1].at) if received else None,
            "closed_datetime": micros(case.closed_at or case.updated_at) if closed else None,
            "snooze_datetime": updated + SNOOZE_US if case.status == "waiting" else None,
        }
        if case.status == "waiting" and updated + SNOOZE_US > self.store.now():
            self.store.snoozed(number, updated + SNOOZE_US)
        row = shapes.ticket(number, given, micros(case.created_at), updated)
        if case.reference is not None:
            return row
        if case.n % 4 == 1:
            row["assignee_team"] = self.teams[case.n % len(self.teams)]
        reason = _REASONS[case.n % len(_REASONS)] if closed else None
        row["custom_fields"] = self._values(
            Contact_reason=reason, Order_number=f"ORD-{case.n:06d}" if case.n % 6 == 2 else None
        )
        return row

    def _assignee(self, agent: int | None) -> dict[str, Any] | None:
        user = self.agents.get(agent) if agent is not None else None
        return {**shapes.compact(user), "bio": None} if user else None

    def _tag(self, name: str) -> dict[str, Any]:
        if name not in self.tags:
            number = self._take("tags")
            self.tags[name] = {"id": number, "name": name, "decoration": None}
            at = int(self.store.fact("created") or 0)
            self.store.run("INSERT INTO tags VALUES (?, ?, ?, NULL, NULL, 0, NULL)", number, at, name)
        return self.tags[name]

    def _messages(self, case: Case, ticket_id: int, owner: dict[str, Any]) -> Iterator[tuple[int, int, int, str]]:
        agent = self.agents.get(case.agent) if case.agent is not None else None
        user = shapes.compact(agent or self.bot)
        for entry in case.messages:
            at, number = micros(entry.at), self._take("messages")
            outgoing = entry.from_agent and entry.public
            given = {
                "public": entry.public,
                "channel": case.channel if entry.public else "internal-note",
                "via": "helpdesk" if entry.from_agent else case.channel,
                "sender": user if entry.from_agent else owner,
                "receiver": owner if outgoing else None,
                "from_agent": entry.from_agent,
                "source": _envelope(case.channel, owner, outgoing=outgoing) if entry.public else None,
                "body_text": entry.text,
                "body_html": entry.html,
                "sent_datetime": at if entry.public else None,
            }
            yield number, at, ticket_id, dump(shapes.message(number, ticket_id, given, at))

    def _survey(self, case: Case, ticket_id: int, owner_id: int) -> tuple[int, int, int, int, str]:
        at, number = micros(case.closed_at or case.updated_at), self._take("surveys")
        given = {
            "ticket_id": ticket_id, "customer_id": owner_id, "score": case.score, "scored_datetime": at,
            "sent_datetime": at, "should_send_datetime": at,
        }  # fmt: skip
        return number, at, ticket_id, owner_id, dump(shapes.survey(number, given, at))


def _tier(person: Person) -> str | None:
    return ("bronze", "silver", "gold")[person.n % 3] if person.invented and person.n % 5 == 2 else None


def _fields(person: Person, view: View) -> dict[str, Any]:
    language = view.language if view.language in LANGUAGES else None
    return {
        "email": view.emails[0] if view.emails else None,
        "name": view.name,
        "language": language,
        "note": view.note,
        "external_id": f"shop-{person.n:07d}" if person.invented and person.n % 7 == 3 else None,
        "data": {"loyalty": {"tier": _tier(person), "points": person.n * 10}} if _tier(person) else None,
        "meta": {"name_set_via": "email" if view.emails else "agent"},
    }


def _envelope(channel: str, owner: dict[str, Any], *, outgoing: bool) -> dict[str, Any]:
    """The source of a message: an e-mail has from and to, other channels their type alone."""
    if channel != "email":
        return {"type": channel}
    ends = [{"name": owner["name"], "address": owner["email"]}, {"name": "Support", "address": SUPPORT}]
    return {"type": "email", "from": ends[int(outgoing)], "to": [ends[1 - int(outgoing)]]}


def _batches(rows: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(rows)
    while batch := list(islice(iterator, size)):
        yield batch
