"""What must hold of people who were forgotten (I22)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sync_platform.core.records import Entity
from sync_platform.simulation import people
from sync_platform.simulation.endings import where
from sync_platform.simulation.truth import broken

if TYPE_CHECKING:
    from sync_platform.simulation.world import World


def address(whose: str) -> re.Pattern[str]:
    """Their address as it may be spelt anywhere."""
    return re.compile(rf"\b{whose}@example\.com", re.IGNORECASE)


def check(world: World) -> None:
    """After a quiet: no table says anything of who was forgotten, and nothing of theirs stands anywhere."""
    if not world.ends.forgotten:
        return
    said = _everything(world)
    for whose, names in world.ends.forgotten.items():
        world.evaluated["I22"] += 1
        for table, text in said.items():
            if address(whose).search(text):
                broken(world, "I22", f"{whose} was forgotten, and {table} knows the address")
        for word in _own_words(world, names):
            found = [table for table, text in said.items() if _says(text, word)]
            if found:
                broken(world, "I22", f"{whose} was forgotten, and {found[0]} still says something of theirs")
        _nowhere(world, whose)


def _everything(world: World) -> dict[str, str]:
    raw = world.shelf.raw
    tables = [row[0] for row in raw.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    out = {}
    for table in tables:
        rows = raw.execute(f'SELECT * FROM "{table}"').fetchall()  # noqa: S608  # the ledger's own names
        out[table] = "\n".join(str(value) for row in rows for value in row if isinstance(value, str))
    return out


def _own_words(world: World, names: set[str]) -> set[str]:
    """Sentences that only this person's objects ever held."""
    theirs: set[str] = set()
    others: set[str] = set()
    for system, side in world.systems.items():
        for (entity, _), thing in side.things.items():
            mine = people.whose(entity, system, thing.versions[0].attributes) in names
            for version in thing.versions:
                for name in ("name", "note", "company", "subject"):
                    field = people.attributes_for(system, name) if name in people.FIELDS[entity] else ()
                    words = [str(version.attributes.get(one) or "") for one in field]
                    # HubSpot holds a name in parts.
                    (theirs if mine else others).update(words[:1] if mine else (*words[:1], " ".join(words)))
    folded = {word.casefold() for word in others}
    return {word for word in theirs if " " in word and not any(_says(other, word.casefold()) for other in folded)}


def _says(text: str, word: str) -> bool:
    """Whether a text says this and not the beginning of something longer: `Case80` is not `Case801`."""
    return word in text and re.search(rf"{re.escape(word)}(?!\w)", text) is not None


def _nowhere(world: World, whose: str) -> None:
    """Nothing of theirs stands anywhere but what a person put there again, or what a lost call brought later."""
    for system, side in world.systems.items():
        for thing in side.living(Entity.CUSTOMER):
            if people.whose(Entity.CUSTOMER, system, thing.now.attributes) != whose:
                continue
            world.evaluated["I22"] += 1
            born = thing.versions[0]
            again = any(one == where(system, thing) for _, _, one in world.ends.restored)
            since = born.seq > world.ends.since[whose][system]
            if not again and not (since and born.by in ("person", "late")):
                broken(world, "I22", f"{whose} was forgotten, and stands in {system}")
