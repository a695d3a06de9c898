"""The desk: plans and holds, undo, pause, and the list of what people did."""

from __future__ import annotations

import re
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from sync_platform.errors import BadInput, NotFound
from sync_platform.ledger import holds
from sync_platform.sync import (
    acting,
    sources,  # noqa: F401 - the sources register what carries their plans out
    undo,
    waiting_plans,
)
from sync_platform.web import frame
from sync_platform.web.desk_words import acted_on, as_number, key, word_of

ACTS = 50
STATES = {"approve": holds.APPROVED, "drop": holds.DROPPED}
# What can be undone, as an address names it: never by what belongs to a person.
_RECORD, _RUN, _DECISION = re.compile(r"[0-9a-f]{32}"), re.compile(r"[0-9a-z-]{1,64}"), re.compile(r"[0-9]{1,18}")
UNDONE = {"record": _RECORD, "run": _RUN, "decision": _DECISION}


def _plans(request: Request) -> Response:
    with frame.ledger(request).read() as conn:
        found = waiting_plans.waiting(conn)
    return frame.page(request, "plans.html", **found)


def _plan(request: Request) -> Response:
    hub, name = frame.hub(request), request.path_params["name"]
    with hub.ledger.read() as conn:
        if name.isdecimal():
            held = waiting_plans.hold(hub, conn, _hold_number(name), after=key(request, "after") or 0)
            return frame.page(request, "hold.html", hold=held)
        found = waiting_plans.plan(hub, conn, name, start=key(request, "from") or 0)
    return frame.page(request, "plan.html", plan=found)


def _hold_number(name: str) -> int:
    number = as_number(name)
    if number is None:
        raise NotFound("no hold has this number")
    return number


def _answer(request: Request, form: Mapping[str, str]) -> Response:
    name, verb = request.path_params["name"], request.path_params["verb"]
    if verb not in STATES:
        raise NotFound("no such act")
    if name.isdecimal():
        _hold_number(name)
    found = acting.answer_plan(frame.hub(request), name, STATES[verb], word_of(request, form))
    return acted_on(request, found, f"/plans/{name}")


def _switch(verb: str) -> Route:
    def view(request: Request, form: Mapping[str, str]) -> Response:
        word = word_of(request, form)
        acting.switch(frame.hub(request), verb, who=word.who, why=word.why)
        return RedirectResponse("/plans#pause", status_code=303)

    return Route(f"/{verb}", frame.acted(view), methods=["POST"])


# --- undo


def _meant(given: Mapping[str, str]) -> tuple[str, str]:
    """What is to be undone, from an address or a form: (kind, name). Raises BadInput."""
    found = [(kind, given[kind]) for kind in UNDONE if given.get(kind)]
    if len(found) != 1 or not UNDONE[found[0][0]].fullmatch(found[0][1]):
        raise BadInput(
            "name one run, record or decision to be undone", remedy="The pages of runs and records lead here."
        )
    return found[0]


def _undo(request: Request) -> Response:
    kind, name = _meant(request.query_params)
    return frame.page(
        request, "undo.html", kind=kind, name=name, plan=waiting_plans.undo_preview(frame.hub(request), name)
    )


def _keep_undo(request: Request, form: Mapping[str, str]) -> Response:
    _, name = _meant(form)
    word, hub = word_of(request, form), frame.hub(request)
    with hub.ledger.begin() as conn:
        found = undo.draft(hub, conn, name, who=word.who, why=word.why)
    return RedirectResponse(f"/plans/{found['plan']}", status_code=303)


# --- what people did


def _acts(request: Request) -> Response:
    with frame.ledger(request).read() as conn:
        found = acting.every_act(conn, key(request, "before"), ACTS + 1)
    more = found[ACTS - 1].number if len(found) > ACTS else None
    return frame.page(request, "acts.html", acts=found[:ACTS], more=more, first=key(request, "before") is None)


ROUTES: tuple[Route, ...] = (
    Route("/plans", frame.seen(_plans), methods=["GET"]),
    _switch("pause"),
    _switch("resume"),
    Route("/plans/{name}", frame.seen(_plan), methods=["GET"]),
    Route("/plans/{name}/{verb}", frame.acted(_answer), methods=["POST"]),
    Route("/undo", frame.seen(_undo), methods=["GET"]),
    Route("/undo", frame.acted(_keep_undo), methods=["POST"]),
    Route("/acts", frame.seen(_acts), methods=["GET"]),
)
