"""Records: search, lists, and the story of one, field by field."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from sync_platform.core.records import SYSTEMS, Entity, System
from sync_platform.errors import BadInput
from sync_platform.sync import search
from sync_platform.sync.as_of import as_of, moment, told
from sync_platform.sync.cycle import utc
from sync_platform.sync.hub import Hub
from sync_platform.sync.lineage import Story, gather
from sync_platform.sync.offline import over
from sync_platform.sync.timeline import KINDS, Key, read_key, timeline
from sync_platform.sync.why import RULES, stories
from sync_platform.web import frame, nodes, values, ways
from sync_platform.web.elsewhere import addresses

LISTS = {
    "changed": "Decided last",
    "review": "In review",
    "parked": "Parked",
    "deleted": "Deleted",
    "merged": "Merged",
}
EMPTY = {
    "changed": "Nothing was decided yet. After the first cycle the records that it decided about stand here.",
    "review": "Nobody is asked anything: fields and identities that wait for a person would stand here.",
    "parked": "Nothing is parked: records with a write that a system refused would stand here.",
    "deleted": "Nothing was deleted: records that ended would stand here, with what ended them.",
    "merged": "Nothing was merged: records that went up in another one would stand here.",
}
TICKETS_MAX = 20
LAST_NUMBER = 999_999_999_999_999
_RECORD = re.compile(r"[0-9a-f]{1,64}")
_FIELD = re.compile(r"[a-z][a-z0-9_]{0,40}")


# --- lists ------------------------------------------------------------------------------------------------------


def _list(request: Request) -> Response:
    what = request.query_params.get("what", "changed")
    after = request.query_params.get("after") or None
    with frame.ledger(request).read() as conn:
        found = search.listed(conn, what, after)
    return _listing(request, found, what=what, first=after is None)


def _search(request: Request, form: Mapping[str, str]) -> Response:
    typed = form.get("q", "").strip()
    region = request.app.state.settings.sync_phone_region
    wrong = ""
    found = search.Found([])
    try:
        with frame.ledger(request).read() as conn:
            found = search.search(conn, typed, region)
    except BadInput as error:
        wrong = f"{error.message[:1].upper()}{error.message[1:]}. {error.remedy}"
    return _listing(request, found, typed=typed, wrong=wrong)


def _listing(
    request: Request, found: search.Found, *, what: str = "", typed: str = "", wrong: str = "", first: bool = True
) -> Response:
    return frame.page(
        request,
        "records.html",
        found=found,
        what=what,
        typed=typed,
        wrong=wrong,
        first=first,
        lists=LISTS,
        empty=EMPTY.get(what, ""),
        address=addresses(request.app.state.settings, frame.ledger(request)),
        page_size=search.PAGE,
    )


# --- one record -------------------------------------------------------------------------------------------------


def _record(request: Request) -> Response:
    record_id = request.path_params["record"]
    if not _RECORD.fullmatch(record_id):
        raise BadInput("this is no id of a record", remedy="Search for it.")
    ledger = frame.ledger(request)
    hub = over(ledger, request.app.state.settings)
    said = request.query_params.get("at")
    at = moment(said) if said else None
    with ledger.read() as conn:
        if at is not None:
            return _past(request, hub, conn, record_id, at)
        story = gather(hub, conn, record_id)
        if str(story.record.id) != record_id:
            # An id that was merged away leads on, and the page says whose it was.
            return RedirectResponse(f"/records/{story.record.id}?was={record_id}", status_code=303)
        return _present(request, conn, story)


def _present(request: Request, conn: Connection, story: Story) -> Response:
    record = story.record
    fields = stories(story)
    names = [one["field"] for one in fields]
    chosen = _chosen(request, fields)
    before = _before(request)
    events, older = timeline(conn, str(record.id), before)
    return frame.page(
        request,
        "record.html",
        **_common(request, conn, str(record.id)),
        story=story,
        entity=str(record.entity),
        groups=_groups([one for one in fields if one["field"] != "*"]),
        names=[name for name in names if name != "*"],
        chosen=chosen,
        way=ways.way(story, chosen) if chosen is not None else None,
        agreement=_agreement(chosen),
        ended=_ending(record.tombstone),
        asked=[row for row in story.reviews if row.state == "open"],
        was=_was(request),
        events=events,
        older=older,
        paged=before is not None,
        tickets=_tickets(conn, story),
        customer=_customer(conn, story),
    )


def _past(request: Request, hub: Hub, conn: Connection, record_id: str, at: datetime) -> Response:
    past = as_of(hub, conn, record_id, at)
    before = _before(request) or (at, len(KINDS), LAST_NUMBER)
    events, older = timeline(conn, record_id, before)
    return frame.page(
        request,
        "record_past.html",
        **_common(request, conn, record_id),
        past=past,
        entity=str(past.entity),
        rows=told(hub, conn, past),
        ended=_ending(past.ended),
        at=at,
        events=events,
        older=older,
        paged=request.query_params.get("before") is not None,
    )


def _common(request: Request, conn: Connection, record_id: str) -> dict[str, Any]:
    found = search.described(conn, [record_id])
    return {
        "record": record_id,
        "hit": found[0] if found else None,
        "systems": [str(system) for system in SYSTEMS],
        "address": addresses(request.app.state.settings, frame.ledger(request)),
    }


def _groups(fields: list[dict[str, Any]]) -> list[tuple[str, list[dict[str, Any]]]]:
    """What differs or waits first, then what is equal, then what no system has shown yet."""
    waits = [one for one in fields if not one["all_agree"] and (_marked(one) or not all(one["agrees"].values()))]
    empty = [one for one in fields if one not in waits and one["decision"] is None]
    equal = [one for one in fields if one not in waits and one not in empty]
    named = (("Differs or waits", waits), ("Equal", equal), ("Nothing decided", empty))
    return [(name, of) for name, of in named if of]


def _marked(one: Mapping[str, Any]) -> bool:
    """Whether anything but «this system has no such field» or «not read yet» is to be said."""
    return any(side["mark"] not in (None, "absent", "unread") for side in one["systems"].values())


def _agreement(one: Mapping[str, Any] | None) -> tuple[str, str]:
    """Whether all agree, in words, and the tone of it."""
    if one is None or not one["agrees"]:
        return "no system has shown it", ""
    if one["all_agree"]:
        return "all systems agree", "good"
    if all(one["agrees"].values()) and not _marked(one):
        return "all that were read agree", ""
    return "not all systems agree", "warn"


def _chosen(request: Request, fields: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The field that was asked for; else one that waits or differs, else the one that was decided last."""
    asked = request.query_params.get("field", "")
    named = [one for one in fields if one["field"] != "*"]
    if not named:
        return None
    if _FIELD.fullmatch(asked):
        for one in named:
            if one["field"] == asked:
                return one
    waiting = [one for one in named if _marked(one) or not all(one["agrees"].values())]
    return max(waiting or named, key=lambda one: (one["at"] or "", one["decision"] or 0))


def _ending(tombstone: Any) -> dict[str, Any] | None:
    if not tombstone:
        return None
    words = {"merged": "It went up in another record", "linked": "It went up in another record"}
    system = tombstone.get("system")
    by = f"It was deleted in {values.SYSTEMS.get(system, system)}" if system else "It is gone everywhere"
    return {"said": words.get(tombstone.get("cause"), by), **tombstone}


def _tickets(conn: Connection, story: Story) -> search.Found | None:
    if story.record.entity is not Entity.CUSTOMER:
        return None
    ids = search.tickets_of(conn, str(story.record.id), TICKETS_MAX + 1)
    return search.Found(search.described(conn, ids[:TICKETS_MAX]), cut=len(ids) > TICKETS_MAX)


def _customer(conn: Connection, story: Story) -> search.Hit | None:
    """Whose ticket it is."""
    customer = story.record.fields.get("customer") if story.record.entity is Entity.TICKET else None
    found = search.described(conn, [str(customer)]) if customer else []
    return found[0] if found else None


# --- what an address says ---------------------------------------------------------------------------------------


def _before(request: Request) -> Key | None:
    text = request.query_params.get("before")
    return read_key(text) if text else None


def _was(request: Request) -> str | None:
    text = request.query_params.get("was", "")
    return text if _RECORD.fullmatch(text) else None


def _for_field(at: datetime | str | None) -> str:
    """A moment as a browser's field for dates takes it."""
    said = at if isinstance(at, str) else utc(at)
    return (said or "").removesuffix("+00:00")


def _named(system: System | str) -> str:
    return values.SYSTEMS.get(str(system), str(system))


frame.TEMPLATES.filters |= {
    "told": values.told,
    "titled": values.titled,
    "as_json": values.as_json,
    "system": _named,
    "for_field": _for_field,
    "rule": lambda rule: RULES.get(rule, rule),
    "mark": lambda mark: values.MARKS.get(mark, mark),
    "channel": lambda channel: values.CHANNELS.get(channel, channel),
}
frame.TEMPLATES.globals |= {"KINDS": values.KINDS}

ROUTES: tuple[Route, ...] = (
    Route("/records", frame.seen(_list), methods=["GET"]),
    Route("/records", frame.asked(_search), methods=["POST"]),
    Route("/records/{record}", frame.seen(_record), methods=["GET"]),
    *nodes.ROUTES,
)
