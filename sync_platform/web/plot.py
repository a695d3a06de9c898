"""A course over time as a drawing: one trace, an area below it, a limit. From numbers to SVG, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from markupsafe import Markup

WIDE, TALL, LEFT, BELOW, ABOVE = 420, 130, 44, 20, 8


def spread(course: Sequence[tuple[datetime, datetime, int]], now: datetime, past: timedelta, parts: int) -> list[float]:
    """Counts of (begin, end, n), each spread evenly over its time, by equal parts of the past; the oldest first."""
    out = [0.0] * parts
    step = past / parts
    first = now - past
    for begin, end, n in course:
        length = max((end - begin).total_seconds(), 0.001)
        low = max(0, int((begin - first) / step))
        for part in range(low, min(parts - 1, int((end - first) / step)) + 1):
            opens, closes = first + part * step, first + (part + 1) * step
            shared = (min(end, closes) - max(begin, opens)).total_seconds()
            # What took no time at all belongs to the part in which it was.
            out[part] += n * (max(shared, 0.0) / length if length > 0.001 else float(low == part))
    return out


def draw(
    name: str, values: Sequence[float], limit: float | None, said: str, ends: tuple[str, str], tone: str
) -> Markup:
    """`values` from left to right; `said` is what a reader hears; `ends` stand below the two ends of the axis."""
    top = max([*values, limit or 0, 1.0])
    wide, tall = WIDE - LEFT, TALL - BELOW - ABOVE

    def at(number: int, value: float) -> str:
        x = LEFT + wide * number / max(len(values) - 1, 1)
        return f"{x:.1f} {ABOVE + tall * (1 - value / top):.1f}"

    line = " L".join(at(number, value) for number, value in enumerate(values))
    floor = ABOVE + tall
    parts = [
        Markup(
            '<svg class="plot {}" role="img" aria-labelledby="{}-said" viewBox="0 0 {} {}" width="{}" height="{}"'
        ).format(tone, name, WIDE, TALL, WIDE, TALL),
        Markup(' xmlns="http://www.w3.org/2000/svg"><title id="{}-said">{}</title>').format(name, said),
        Markup('<path class="axis" d="M{} {}H{}"/>').format(LEFT, floor, WIDE),
        Markup('<path class="area" d="M{} {} L{} L{} {}Z"/>').format(LEFT, floor, line, WIDE, floor),
        Markup('<path class="trace" d="M{}"/>').format(line),
        Markup('<text x="{}" y="{}" text-anchor="end">{}</text>').format(LEFT - 6, ABOVE + 9, f"{top:.0f}"),
        Markup('<text x="{}" y="{}" text-anchor="end">0</text>').format(LEFT - 6, floor),
        Markup('<text x="{}" y="{}">{}</text>').format(LEFT, TALL - 4, ends[0]),
        Markup('<text x="{}" y="{}" text-anchor="end">{}</text>').format(WIDE, TALL - 4, ends[1]),
    ]
    if limit is not None:
        y = ABOVE + tall * (1 - limit / top)
        parts.append(Markup('<path class="limit" d="M{} {:.1f}H{}"/>').format(LEFT, y, WIDE))
    return Markup("").join([*parts, Markup("</svg>")])
