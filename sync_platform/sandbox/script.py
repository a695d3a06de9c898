"""A scripted day of edits in all three systems, drawn from the seed over the rows that were there at the start.

An event is {"n", "what", "edits": [{"system", "kind", "id", "set"}]}; no two events touch one row, so that what a sync
makes of each stays plain to see. Playing an event does its edits as a person would and adds each row's id.
"""

import asyncio
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from sync_platform.sandbox.clock import Clock, iso

ROUNDS = 4
YEAR_H = 8_784
TURNS = 5  # of the loop, so that a wait that ended can begin its work
ROWS = 600  # of each kind: the day happens among the oldest rows, however large the world is
Event = dict[str, Any]
Row = dict[str, Any]


class Edited(Protocol):
    """What the script needs of a system."""

    def state(self, kind: str, after: str | None, limit: int) -> tuple[list[Row], str | None]:
        """A page of the whole store by ascending id, and where the next begins."""

    def edit(self, kind: str, id: str | None, set: dict[str, Any], delete: bool, by: str) -> Row:
        """Change or create a row as a person would. Raises KeyError for a row that is gone."""


class Script:
    """The events of one day and how far it has come."""

    def __init__(self, events: Sequence[Event], done: int = 0) -> None:
        self.events = list(events)
        self.done = min(done, len(self.events))

    @property
    def left(self) -> int:
        """How many events are still to come."""
        return len(self.events) - self.done

    def play(self, sides: Mapping[str, Edited]) -> Event | None:
        """Carry out the next event and return it, or None at the end of the day.

        An edit of a row that is gone by now is left out and says so under "skipped".
        """
        if not self.left:
            return None
        event = self.events[self.done]
        self.done += 1
        played = []
        for edit in event["edits"]:
            try:
                row = sides[edit["system"]].edit(edit["kind"], edit["id"], edit["set"], False, "person")
                played.append({**edit, "id": str(row["id"])})
            except KeyError as error:
                played.append({**edit, "skipped": str(error.args[0]) if error.args else "the row is gone"})
        return {**event, "edits": played}


async def play_day(script: Script, sides: Mapping[str, Edited], clock: Clock, hours: float = 24) -> dict[str, Any]:
    """Carry out all events that are left, spread over so many hours of the clock, which is advanced between them.

    Whatever waits on the clock (deliveries, retries) gets its turn after each step. Returns {"from", "to": ISO 8601,
    "hours", "events": how many, "edits": {system: how many}, "skipped": edits of rows that were gone, "happened":
    [{"at", "n", "what"}], "left": 0}. Raises ValueError for hours that are not from 0 to 8,784 (a year).
    """
    if isinstance(hours, bool) or not isinstance(hours, int | float) or not 0 <= hours <= YEAR_H:
        raise ValueError(f"hours must be a number from 0 to {YEAR_H}")
    begin_at = iso(clock.now())
    step_s = hours * 3600 / (script.left + 1)
    edits: dict[str, int] = dict.fromkeys(sides, 0)
    skipped, happened = 0, []
    while script.left:
        await _pass(clock, step_s)
        event = script.play(sides)
        if event is None:
            break
        happened.append({"at": iso(clock.now()), "n": event["n"], "what": event["what"]})
        for edit in event["edits"]:
            gone = "skipped" in edit
            skipped += gone
            edits[edit["system"]] += not gone
    await _pass(clock, step_s)
    return {
        "from": begin_at,
        "to": iso(clock.now()),
        "hours": hours,
        "events": len(happened),
        "edits": edits,
        "skipped": skipped,
        "happened": happened,
        "left": script.left,
    }


async def _pass(clock: Clock, seconds: float) -> None:
    clock.advance(seconds)
    for _ in range(TURNS):
        await asyncio.sleep(0)


def write_day(seed: int, sides: Mapping[str, Edited]) -> list[Event]:
    """The events of a seed over the present state; fewer where a small world lacks rows to edit."""
    return _Day(seed, sides).write()


class _Day:
    def __init__(self, seed: int, sides: Mapping[str, Edited]) -> None:
        self._draw = random.Random(f"{seed}:script")
        self._made = 0
        contacts = self._rows(sides["hubspot"], "contacts")
        self._customers = self._rows(sides["gorgias"], "customers")
        self._buyers = self._rows(sides["erp"], "customers")
        self._shared = self._people_of_all_three(contacts)
        taken = {id(row) for rows in self._shared for row in rows.values()}
        self._queues = {
            "shared": self._shared,
            "customer": [row for row in self._customers if id(row) not in taken],
            "contact": [row for row in contacts if id(row) not in taken],
            "buyer": [row for row in self._buyers if id(row) not in taken],
            "open": [row for row in self._rows(sides["gorgias"], "tickets") if row.get("status") == "open"],
            "hubspot_ticket": self._rows(sides["hubspot"], "tickets"),
            "erp_ticket": self._rows(sides["erp"], "tickets"),
        }
        for queue in self._queues.values():
            self._draw.shuffle(queue)
        # Owners of new tickets are edited by no event of their own.
        self._asking = {"contact": self._queues["contact"][-ROUNDS:], "buyer": self._queues["buyer"][-ROUNDS:]}
        for name, rows in self._asking.items():
            del self._queues[name][len(self._queues[name]) - len(rows) :]

    def write(self) -> list[Event]:
        events: list[Event] = []
        for round_ in range(ROUNDS):
            for what, edits in self._round(round_):
                if edits and all(edit is not None for edit in edits):
                    events.append({"n": len(events) + 1, "what": what, "edits": edits})
        return events

    def _round(self, round_: int) -> Iterator[tuple[str, list[Row | None]]]:
        yield "a phone number changed in Gorgias", [self._on("gorgias", "customers", "customer", phone=self._phone())]
        yield (
            "a first name changed in HubSpot",
            [self._on("hubspot", "contacts", "contact", firstname=f"Robin {round_}")],
        )
        yield (
            "a note changed in the ERP",
            [self._on("erp", "customers", "buyer", note=f"Call back, week {round_ + 20}")],
        )
        yield (
            "ERP facts moved on",
            [
                self._on(
                    "erp", "customers", "buyer", credit_status="hold", order_count=40 + round_, lifetime_value="812.40"
                )
            ],
        )
        yield "a tag added in Gorgias", [self._tagged(add=f"callback-{round_}")]
        yield "a tag removed in Gorgias", [self._tagged(add=None)]
        yield "a ticket closed in Gorgias", [self._on("gorgias", "tickets", "open", status="closed")]
        yield "a customer writes again in Gorgias", [self._message(f"Any news? Try {round_ + 2}.")]
        yield (
            "a priority changed in HubSpot",
            [self._on("hubspot", "tickets", "hubspot_ticket", hs_ticket_priority="URGENT")],
        )
        yield "a ticket resolved in the ERP", [self._on("erp", "tickets", "erp_ticket", status="resolved")]
        yield from self._creations(round_)
        yield from self._both_sides(round_)

    def _creations(self, round_: int) -> Iterator[tuple[str, list[Row | None]]]:
        email = f"newcomer{round_}@example.org"
        yield (
            "a new customer in Gorgias",
            [_new("gorgias", "customers", name=f"Gita Neu {round_}", email=f"g.{email}", phone=self._phone())],
        )
        yield (
            "a new contact in HubSpot",
            [_new("hubspot", "contacts", firstname="Hanna", lastname=f"Neu {round_}", email=f"h.{email}")],
        )
        row = {"full_name": f"Emre Neu {round_}", "first_name": "Emre", "last_name": f"Neu {round_}"}
        yield "a new customer in the ERP", [_new("erp", "customers", email=f"e.{email}", phone=self._phone(), **row)]
        for contact in self._asking["contact"][round_ : round_ + 1]:
            values = {"subject": f"Invoice question {round_}", "content": "Could you resend the invoice?"}
            stage = {"hs_pipeline": "0", "hs_pipeline_stage": "1"}
            yield (
                "a new ticket in HubSpot",
                [_new("hubspot", "tickets", contact=str(contact["id"]), hs_ticket_priority="LOW", **values, **stage)],
            )
        for buyer in self._asking["buyer"][round_ : round_ + 1]:
            values = {"subject": f"Missing part {round_}", "first_text": "One screw is missing.", "channel": "phone"}
            count = {"message_count": 1, "tags": ["spare"]}
            yield (
                "a new ticket in the ERP",
                [_new("erp", "tickets", customer_id=buyer["id"], ticket_no=f"T-S{round_:05d}", **values, **count)],
            )

    def _both_sides(self, round_: int) -> Iterator[tuple[str, list[Row | None]]]:
        people = self._next("shared")
        if people is not None:
            yield (
                "two different fields edited on two sides",
                [
                    _change("hubspot", "contacts", people["hubspot"], lastname=f"Umbenannt {round_}"),
                    _change("erp", "customers", people["erp"], phone=self._phone()),
                ],
            )
        people = self._next("shared")
        if people is not None:
            yield (
                "one same field edited on two sides",
                [
                    _change("gorgias", "customers", people["gorgias"], phone=self._phone()),
                    _change("erp", "customers", people["erp"], phone=self._phone()),
                ],
            )

    def _on(self, system: str, kind: str, queue: str, **values: Any) -> Row | None:
        row = self._next(queue)
        return None if row is None else _change(system, kind, row, **values)

    def _tagged(self, add: str | None) -> Row | None:
        """One open ticket with a tag more (`add`) or its first tag less."""
        queue = self._queues["open"]
        for place in range(len(queue) - 1, -1, -1):
            tags = [tag["name"] if isinstance(tag, dict) else str(tag) for tag in queue[place].get("tags") or []]
            if add is not None or tags:
                row = queue.pop(place)
                return _change("gorgias", "tickets", row, tags=[*tags, add] if add is not None else tags[1:])
        return None

    def _message(self, text: str) -> Row | None:
        row = self._next("open")
        values = {} if row is None else {"ticket_id": row["id"], "text": text, "from_agent": False}
        return _new("gorgias", "messages", **values) if values else None

    def _next(self, queue: str) -> Any:
        return self._queues[queue].pop() if self._queues[queue] else None

    def _phone(self) -> str:
        """A number of an area and range that the seeded people don't use."""
        self._made += 1
        return f"+1 917 555 {100 + self._made:04d}"

    def _people_of_all_three(self, contacts: list[Row]) -> list[Row]:
        found: dict[str, Row] = {}
        for system, rows in (("gorgias", self._customers), ("hubspot", contacts), ("erp", self._buyers)):
            for row in rows:
                email = row.get("properties", row).get("email")
                if email:
                    found.setdefault(email.lower(), {})[system] = row
        return [rows for _, rows in sorted(found.items()) if len(rows) == 3]

    @staticmethod
    def _rows(side: Edited, kind: str) -> list[Row]:
        return [row for row in side.state(kind, None, ROWS)[0] if not row.get("deleted_at")]


def _change(system: str, kind: str, row: Row, **values: Any) -> Row:
    return {"system": system, "kind": kind, "id": str(row["id"]), "set": values}


def _new(system: str, kind: str, **values: Any) -> Row:
    return {"system": system, "kind": kind, "id": None, "set": values}
