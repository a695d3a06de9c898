"""Column lineage as a drawing: system.field → record.field → system.field. From data to SVG, and nothing else.

A full line sets the record, a broken one does so only in a record that is new; what a system is never written has no
line to the right.
"""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from sync_platform.core.columns import ColumnLine, Place
from sync_platform.core.records import SYSTEMS, Entity, System

WIDE, GAP, MARGIN, HEAD, STEP, AIR = 226, 130, 8, 30, 21, 12
LETTERS_MAX = 30
CALLED = {System.GORGIAS: "Gorgias", System.HUBSPOT: "HubSpot", System.ERP: "ERP"}


def draw(entity: Entity, lines: Sequence[ColumnLine]) -> Markup:
    """The drawing of these fields; empty without any."""
    if not lines:
        return Markup("")
    parts: list[Markup] = []
    y = HEAD
    for line in lines:
        tall = max(2, len(line.places)) * STEP
        parts += _line(line, y, tall)
        y += tall + AIR
    wide = 2 * MARGIN + 3 * WIDE + 2 * GAP
    said = f"{len(lines)} fields of a {entity}: on the left who sets them, on the right who is written them."
    head = Markup(
        '<svg class="columns" role="img" aria-labelledby="columns-title columns-desc" viewBox="0 0 {0} {1}" width="{0}"'
        ' height="{1}" xmlns="http://www.w3.org/2000/svg"><title id="columns-title">{2}</title>'
        '<desc id="columns-desc">{3}</desc>'
    ).format(wide, y, f"Column lineage of a {entity}", said)
    titles = Markup("").join(
        Markup('<text class="heading" x="{}" y="16">{}</text>').format(MARGIN + n * (WIDE + GAP), word)
        for n, word in enumerate(("Set by", "Record", "Written to"))
    )
    return Markup("").join([head, titles, *parts, Markup("</svg>")])


def _line(line: ColumnLine, y: int, tall: int) -> list[Markup]:
    middle = y + tall // 2
    centre, right = MARGIN + WIDE + GAP, MARGIN + 2 * (WIDE + GAP)
    parts = [
        Markup('<g class="box record"><rect x="{}" y="{}" width="{}" height="{}" rx="6"/>').format(
            centre, middle - 19, WIDE, 38
        ),
        Markup('<text class="first" x="{}" y="{}">{}</text><text class="rules" x="{}" y="{}">{}</text>').format(
            centre + 10, middle - 3, line.field, centre + 10, middle + 12, _short(_ruled(line))
        ),
        Markup("<title>{}</title></g>").format(line.words),
    ]
    here = [one for one in SYSTEMS if one in line.places]
    for number, system in enumerate(here):
        place = line.places[system]
        at = middle + (2 * number - len(here) + 1) * STEP // 2
        if place.sets or place.sets_new:
            parts.append(_name(system, place, MARGIN, at))
            parts.append(_tie(system, MARGIN + WIDE, at, centre, middle, faint=not place.sets))
        if place.written != "never":
            parts.append(_name(system, place, right, at))
            parts.append(_tie(system, centre + WIDE, middle, right, at, faint=place.written == "create"))
    return parts


def _name(system: System, place: Place, x: int, y: int) -> Markup:
    whole = f"{CALLED[system]} {', '.join(place.attributes)}"
    return Markup('<text class="{}" x="{}" y="{}">{}<title>{}</title></text>').format(
        f"place {system}", x + 4, y + 4, _short(whole), whole
    )


def _tie(system: System, x1: int, y1: int, x2: int, y2: int, *, faint: bool) -> Markup:
    middle = (x1 + x2) // 2
    return Markup('<path class="tie {}{}" d="M{} {} C{} {} {} {} {} {}"/>').format(
        system, " faint" if faint else "", x1, y1, middle, y1, middle, y2, x2, y2
    )


def _ruled(line: ColumnLine) -> str:
    setters = [system for system in SYSTEMS if system in line.places and line.places[system].sets]
    return ", ".join(line.rules) if len(setters) > 1 else f"{CALLED[setters[0]]} alone" if setters else "nobody"


def _short(text: str) -> str:
    return text if len(text) <= LETTERS_MAX else f"{text[: LETTERS_MAX - 1]}…"
