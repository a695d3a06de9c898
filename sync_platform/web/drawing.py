"""The way of a field as a drawing: what was seen, what was decided, what was written, what was answered.

From data to SVG, and nothing else. Colours come from classes of the style sheet, so that the drawing follows light and
dark; every box is a link to what it stands for, and the whole has a title and a description for those who hear it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from markupsafe import Markup, escape

WIDTH, GAP_X, GAP_Y, MARGIN, HEAD = 232, 48, 14, 8, 30
LINE, PADDING = 18, 12
# Letters that a box holds: of the first line, which is bold, and of the others.
FIRST_MAX, LETTERS_MAX = 24, 31


@dataclass(frozen=True, slots=True)
class Box:
    """One step. `lines`: texts, the first one stands out; `href`: what it opens, None for what has no page; `tone`: a
    system, `record`, or `quiet` for what did not count; `after`: keys of the boxes that led to it."""

    key: str
    lines: tuple[str, ...]
    href: str | None = None
    tone: str = "record"
    after: tuple[str, ...] = ()
    faint: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    """Boxes under one heading."""

    heading: str
    boxes: tuple[Box, ...] = field(default=())


def draw(name: str, title: str, description: str, columns: Sequence[Column]) -> Markup:
    """The drawing; `name` makes its ids unique on a page. Arrows go between boxes of any columns."""
    columns = [column for column in columns if column.boxes]
    lines = max((len(box.lines) for column in columns for box in column.boxes), default=1)
    height = 2 * PADDING + LINE * lines - 4
    most = max((len(column.boxes) for column in columns), default=0)
    tall = HEAD + most * (height + GAP_Y) + MARGIN
    wide = 2 * MARGIN + len(columns) * WIDTH + max(0, len(columns) - 1) * GAP_X
    places: dict[str, tuple[int, int]] = {}
    for across, column in enumerate(columns):
        free = (most - len(column.boxes)) * (height + GAP_Y) // 2
        for down, box in enumerate(column.boxes):
            places[box.key] = MARGIN + across * (WIDTH + GAP_X), HEAD + free + down * (height + GAP_Y)
    parts = [
        Markup(
            '<svg class="way" role="group" aria-labelledby="{0}-title {0}-desc" viewBox="0 0 {1} {2}" width="{1}"'
            ' height="{2}" xmlns="http://www.w3.org/2000/svg"><title id="{0}-title">{3}</title>'
            '<desc id="{0}-desc">{4}</desc><defs><marker id="{0}-tip" viewBox="0 0 8 8" refX="7" refY="4"'
            ' markerWidth="7" markerHeight="7" orient="auto"><path class="tip" d="M0 0 8 4 0 8z"/></marker></defs>'
        ).format(name, wide, tall, title, description)
    ]
    for across, column in enumerate(columns):
        x = MARGIN + across * (WIDTH + GAP_X)
        parts.append(Markup('<text class="heading" x="{}" y="16">{}</text>').format(x, column.heading))
    for column in columns:
        parts += [_arrow(name, places[one], places[box.key], height, box) for box in column.boxes for one in box.after]
    for column in columns:
        parts += [_box(box, places[box.key], height) for box in column.boxes]
    return Markup("").join([*parts, Markup("</svg>")])


def _arrow(name: str, start: tuple[int, int], end: tuple[int, int], height: int, box: Box) -> Markup:
    x1, y1 = start[0] + WIDTH, start[1] + height // 2
    x2, y2 = end[0] - 2, end[1] + height // 2
    middle = (x1 + x2) // 2
    path = f"M{x1} {y1} C{middle} {y1} {middle} {y2} {x2} {y2}"
    return Markup('<path class="arrow{}" d="{}" marker-end="url(#{}-tip)"/>').format(
        " faint" if box.faint else "", path, name
    )


def _box(box: Box, at: tuple[int, int], height: int) -> Markup:
    x, y = at
    texts = Markup("").join(
        Markup('<text class="{}" x="{}" y="{}">{}</text>').format(
            "first" if number == 0 else "more", x + PADDING, y + PADDING + 13 + number * LINE - 2, _short(line, number)
        )
        for number, line in enumerate(box.lines)
    )
    whole = Markup('<title>{}</title><rect x="{}" y="{}" width="{}" height="{}" rx="8"/>{}').format(
        " · ".join(box.lines), x, y, WIDTH, height, texts
    )
    classes = f"box {box.tone}{' faint' if box.faint else ''}"
    if box.href is None:
        return Markup('<g class="{}">{}</g>').format(classes, whole)
    said = escape(" · ".join(box.lines))
    return Markup('<a class="{}" href="{}" aria-label="{}">{}</a>').format(classes, box.href, said, whole)


def _short(line: str, number: int) -> str:
    most = LETTERS_MAX if number else FIRST_MAX
    # Letters of most scripts beyond the Latin one are about twice as wide.
    most = most if line.isascii() else most * 2 // 3
    one_line = " ".join(line.split())
    return one_line if len(one_line) <= most else f"{one_line[: most - 1]}…"
