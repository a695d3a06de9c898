"""The desk: reviews and parked writes, with their evidence and what a person does about them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from sync_platform.errors import BadInput, NotFound
from sync_platform.sync import acting, waiting
from sync_platform.sync.acting import Overtaken, Word
from sync_platform.web import desk_plans, frame
from sync_platform.web.desk_words import acted_on, key, number_of, word_of


def _reviews(request: Request) -> Response:
    closed = request.query_params.get("state") == "closed"
    with frame.ledger(request).read() as conn:
        found = waiting.reviews(conn, after=key(request, "after"), closed=closed)
    return frame.page(request, "reviews.html", **found, closed=closed, first=key(request, "after") is None)


def _review(request: Request) -> Response:
    hub = frame.hub(request)
    with hub.ledger.read() as conn:
        found = waiting.review(hub, conn, number_of(request))
    template = "review_field.html" if found["kind"] == "field" else "review_identity.html"
    return frame.page(request, template, review=found)


def _answer(request: Request, form: Mapping[str, str]) -> Response:
    """Of a field: a system's value, one's own, or each side as it is."""
    number, said = number_of(request), form.get("answer", "")
    how: dict[str, Any] = {}
    if said.startswith("choose:"):
        how["choose"] = said.removeprefix("choose:")
    elif said == "value":
        how["value"] = form.get("value", "")
    elif said == "leave":
        how["drop"] = True
    else:
        raise BadInput("no answer was chosen", remedy="Choose a system, write a value, or leave each side as it is.")
    found = acting.answer_review(frame.hub(request), number, word_of(request, form), **how)
    return acted_on(request, found, f"/reviews/{number}")


def _apart(request: Request, form: Mapping[str, str]) -> Response:
    number = number_of(request)
    return acted_on(
        request, acting.tell_apart(frame.hub(request), number, word_of(request, form)), f"/reviews/{number}"
    )


def _one(request: Request, form: Mapping[str, str]) -> Response:
    """Which record stays and which goes up in it: a plan, to be looked at before anything is done."""
    number = number_of(request)
    source, _, target = form.get("pair", "").partition(">")
    if not source or not target:
        raise BadInput("no pair of records was chosen", remedy="Choose which record stays.")
    word: Word = word_of(request, form)
    found = acting.draft_merge(frame.hub(request), number, word, one=source, into=target)
    if isinstance(found, Overtaken):
        return acted_on(request, found, f"/reviews/{number}")
    return RedirectResponse(f"/plans/{found['plan']}", status_code=303)


# --- parked writes


def _parked(request: Request) -> Response:
    with frame.ledger(request).read() as conn:
        found = waiting.parked(conn, after=key(request, "after"))
    return frame.page(request, "parked.html", **found, first=key(request, "after") is None)


def _mark(request: Request) -> Response:
    with frame.ledger(request).read() as conn:
        found = waiting.parked_mark(conn, number_of(request))
    return frame.page(request, "parked_mark.html", mark=found)


def _act_on_mark(request: Request, form: Mapping[str, str]) -> Response:
    number, verb = number_of(request), request.path_params["verb"]
    if verb not in ("retry", "drop"):
        raise NotFound("no such act")
    found = acting.act_on_mark(frame.hub(request), number, verb, word_of(request, form))
    return acted_on(request, found, f"/parked/{number}")


def _shown(value: Any) -> str:
    """A value as people read it: text as it is, the rest as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


frame.TEMPLATES.filters["as_text"] = _shown

ROUTES: tuple[Route, ...] = (
    Route("/reviews", frame.seen(_reviews), methods=["GET"]),
    Route("/reviews/{number}", frame.seen(_review), methods=["GET"]),
    Route("/reviews/{number}/answer", frame.acted(_answer), methods=["POST"]),
    Route("/reviews/{number}/apart", frame.acted(_apart), methods=["POST"]),
    Route("/reviews/{number}/one", frame.acted(_one), methods=["POST"]),
    Route("/parked", frame.seen(_parked), methods=["GET"]),
    Route("/parked/{number}", frame.seen(_mark), methods=["GET"]),
    Route("/parked/{number}/{verb}", frame.acted(_act_on_mark), methods=["POST"]),
    *desk_plans.ROUTES,
)
