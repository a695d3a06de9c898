"""Voice calls, their events and recordings: a read-only API; a recording can be deleted [documented].

Calls are listed newest first [the stop rule of a working client], their events oldest first [a working client]. The
sandbox has one call for each of the first few tickets that came by phone.
"""

import json

from sync_platform.sandbox.gorgias import fields, plain
from sync_platform.sandbox.gorgias.http import Contract, Reply, Request, Routes, add
from sync_platform.sandbox.gorgias.store import Sort, Store, stamp, unstamp

CALLS, EVENTS, RECORDINGS = "voice_calls", "voice_call_events", "voice_call_recordings"
SEEDED = 5
LOOKED_AT = 500  # tickets among which a seeded account's phone tickets are searched
_NEWEST = {"created_datetime:desc": Sort(("created",), True)}
_OLDEST = {"created_datetime:asc": Sort(("created",), False)}
_OF_TICKET: dict[str, fields.Check] = {"ticket_id": fields.integer()}
_OF_CALL: dict[str, fields.Check] = {"call_id": fields.integer()}


def prepare(store: Store) -> None:
    """The three tables."""
    plain.prepare(store, CALLS, "ticket_id INTEGER,")
    plain.prepare(store, EVENTS, "call_id INTEGER NOT NULL,")
    plain.prepare(store, RECORDINGS, "call_id INTEGER NOT NULL,")


class PhoneCalls:
    """Handlers of /api/phone."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def register(self, routes: Routes) -> None:
        """Add the routes. No pair of scopes is documented: those of tickets, to which calls belong [inferred]."""
        of_ticket, of_call = plain.asks(_NEWEST, _OF_TICKET), plain.asks(_OLDEST, _OF_CALL)
        for path, thing, schema, query, page, one in (
            ("voice-calls", "voice call", "VoiceCall", of_ticket, self.calls, self.call),
            ("voice-call-events", "voice call event", "VoiceEvent", of_call, self.events, self.event),
            (
                "voice-call-recordings", "voice call recording", "VoiceRecording", of_call,
                self.recordings, self.recording,
            ),
        ):  # fmt: skip
            told = plain.contracts(schema, query)
            plain.routes(routes, "tickets", f"/api/phone/{path}", thing, {"list": page, "get": one}, told)
        path, failure = "/api/phone/voice-call-recordings/{id}", "Failed to delete voice call recording"
        gone = Contract({204: None})
        add(routes, "DELETE", path, self.delete_recording, scope="tickets", failure=failure, contract=gone)

    def calls(self, request: Request) -> Reply:
        """GET calls, newest first as a client's stop rule tells [switch voice_call_order]."""
        order = _NEWEST if self.store.switch("voice_call_order") == "desc" else _OLDEST
        return plain.page(self.store, request, CALLS, order, _OF_TICKET)

    def call(self, request: Request) -> Reply:
        """GET one call."""
        return plain.one(self.store, request, CALLS)

    def events(self, request: Request) -> Reply:
        """GET events, oldest first."""
        return plain.page(self.store, request, EVENTS, _OLDEST, _OF_CALL)

    def event(self, request: Request) -> Reply:
        """GET one event."""
        return plain.one(self.store, request, EVENTS)

    def recordings(self, request: Request) -> Reply:
        """GET recordings, oldest first."""
        return plain.page(self.store, request, RECORDINGS, _OLDEST, _OF_CALL)

    def recording(self, request: Request) -> Reply:
        """GET one recording."""
        return plain.one(self.store, request, RECORDINGS)

    def delete_recording(self, request: Request) -> Reply:
        """DELETE: 204."""
        fields.no_query(request)
        plain.read(self.store, RECORDINGS, request.ids[0])
        with self.store.writing():
            plain.remove(self.store, RECORDINGS, request.ids[0])
        return Reply(204)


def seed(store: Store) -> None:
    """A call with its events and its recording for the first phone tickets of a fresh account."""
    found = store.all("SELECT row FROM tickets ORDER BY id LIMIT ?", LOOKED_AT)
    by_phone = [row for row in map(json.loads, (text for (text,) in found)) if row["channel"] == "phone"]
    with store.writing():
        for ticket in by_phone[:SEEDED]:
            _seed_call(store, ticket)


def _seed_call(store: Store, ticket: dict[str, object]) -> None:
    at = unstamp(str(ticket["created_datetime"]))
    owner = ticket["customer"]
    number, recording = store.new_id(CALLS), store.new_id(RECORDINGS)
    row = {
        "id": number, "integration_id": None, "ticket_id": ticket["id"], "phone_number_id": None,
        "external_id": f"call-{number}", "provider": "twilio", "status": "completed", "direction": "inbound",
        "phone_number_source": "+15555550100", "phone_number_destination": "+15555550199", "country_source": "US",
        "country_destination": "US", "duration": 60 + number % 240, "started_datetime": stamp(at),
        "created_datetime": stamp(at), "updated_datetime": stamp(at), "initiated_by_agent_id": None,
        "last_answered_by_agent_id": None, "customer_id": owner["id"] if isinstance(owner, dict) else None,
        "has_voicemail": False, "has_call_recording": True, "uri": f"/api/phone/voice-calls/{number}/",
    }  # fmt: skip
    plain.insert(store, CALLS, row, ticket_id=ticket["id"], created=at, updated=at)
    for index, kind in enumerate(("phone-call-started", "phone-call-answered", "phone-call-ended")):
        event, moment = store.new_id(EVENTS), at + index * 30_000_000
        plain.insert(
            store, EVENTS,
            {"id": event, "call_id": number, "type": kind, "user_id": None, "meta": None,
             "created_datetime": stamp(moment), "uri": f"/api/phone/voice-call-events/{event}/"},
            call_id=number, created=moment, updated=moment,
        )  # fmt: skip
    plain.insert(
        store, RECORDINGS,
        {"id": recording, "call_id": number, "external_id": f"recording-{recording}", "type": "recording",
         "duration": row["duration"], "url": f"https://recordings.gorgias-sandbox.test/{recording}.mp3",
         "created_datetime": stamp(at), "deleted_datetime": None,
         "uri": f"/api/phone/voice-call-recordings/{recording}/"},
        call_id=number, created=at, updated=at,
    )  # fmt: skip
