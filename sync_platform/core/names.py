"""Names as people type them into a search: one spelling without case, accents and doubled blanks."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping

from sync_platform.core.records import Entity, Json

# More of a name or a subject than this tells nothing apart.
LENGTH_MAX = 120


def spelling(text: str) -> str:
    """How a name is compared: case folded, accents off, single blanks; at most LENGTH_MAX characters.

    Spelling a spelling changes nothing.
    """
    if not text.isascii():
        apart = unicodedata.normalize("NFKD", text.casefold())
        text = "".join(letter for letter in apart if not unicodedata.combining(letter))
    return " ".join(text.casefold().replace("\x00", "").split())[:LENGTH_MAX].rstrip()


def found_by(entity: Entity, fields: Mapping[str, Json]) -> tuple[str | None, str | None]:
    """What a record is found by: a customer's name from its first word on, and with its last word first (None where it
    has one word only); a ticket's subject."""
    if entity is Entity.TICKET:
        subject = fields.get("subject")
        return (spelling(subject) or None if isinstance(subject, str) else None), None
    name = fields.get("name")
    full = name.get("full") if isinstance(name, dict) else name
    named = spelling(full) if isinstance(full, str) else ""
    first, _, last = named.rpartition(" ")
    return named or None, f"{last} {first}" if first else None
