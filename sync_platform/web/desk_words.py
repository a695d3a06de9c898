"""What the pages of the desk have in common: numbers from addresses, a person's word, what follows an act, subjects."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from sync_platform.errors import BadInput, NotFound
from sync_platform.sync.acting import Overtaken, Word
from sync_platform.web import frame

# Longer numbers are no id: the ledger's fit into 63 bits.
DIGITS_MAX = 18
WHY_MAX = 500
# How a verb in the list of acts reads.
VERBS: Mapping[str, str] = {
    "resolve:choose": "chose a system's value",
    "resolve:value": "wrote a value",
    "resolve:leave": "left each side as it is",
    "resolve:apart": "said that they are not one",
    "tell_apart": "said that they are not one",
    "retry": "asked for another try",
    "drop": "dropped",
    "approve": "approved",
    "pause": "paused",
    "resume": "resumed",
    "undo": "drew up an undo",
    "plan": "drew up a plan",
    "link": "gave an object to a record",
    "unlink": "parted an object from its record",
}
_LEADS = re.compile(
    r"(?P<review>review:(\d{1,18}))|(?P<parked>parked:(\d{1,18}))|(?P<hold>hold:(\d{1,18}))"
    r"|(?P<plan>plan:([0-9a-f]{32}))|(?P<run>\brun ([0-9a-z-]{1,64}))|(?P<record>\b([0-9a-f]{32})\b)"
)
_PLACES = {
    "review": "reviews",
    "parked": "parked",
    "hold": "plans",
    "plan": "plans",
    "run": "runs",
    "record": "records",
}


def number_of(request: Request) -> int:
    """The number in the address. Raises NotFound for one that no id can have."""
    number = as_number(request.path_params["number"])
    if number is None:
        raise NotFound("nothing has this number")
    return number


def as_number(text: str) -> int | None:
    """A number that an id can be; None for any other text."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= DIGITS_MAX else None


def key(request: Request, name: str) -> int | None:
    """The key of a page of a list, from the address; None for the first page."""
    return as_number(request.query_params.get(name, ""))


def word_of(request: Request, form: Mapping[str, str]) -> Word:
    """Who acts, why, and what the page had shown. Raises BadInput without a reason."""
    why = " ".join(form.get("why", "").split())
    if not why or len(why) > WHY_MAX:
        raise BadInput(
            "an act needs a reason", remedy=f"Go back and say why, in at most {WHY_MAX} characters: it is kept with it."
        )
    return Word(form.get("seen", ""), request.app.state.person_of(request).name, why)


def acted_on(request: Request, found: Mapping[str, Any] | Overtaken, back: str) -> Response:
    """Back to the page, which tells what was done; or 409 with what happened meanwhile."""
    if isinstance(found, Overtaken):
        return frame.page(request, "overtaken.html", status=409, acts=found.acts, back=back)
    return RedirectResponse(back, status_code=303)


def parts(subject: str) -> list[tuple[str, str | None]]:
    """The words of a subject, each with the address to which it leads, if it does."""
    out: list[tuple[str, str | None]] = []
    at = 0
    for found in _LEADS.finditer(subject):
        kind = next(name for name, value in found.groupdict().items() if value)
        name = next(one for one in found.groups()[found.re.groupindex[kind] :] if one)
        if found.start() > at:
            out.append((subject[at : found.start()], None))
        out.append((found.group(), f"/{_PLACES[kind]}/{name}"))
        at = found.end()
    if at < len(subject):
        out.append((subject[at:], None))
    return out


frame.TEMPLATES.filters["parts"] = parts
frame.TEMPLATES.filters["verb"] = lambda verb: VERBS.get(verb, verb)
