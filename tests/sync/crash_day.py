"""The sandbox's scripted day of edits, and whether each edit is still there once everything was synced."""

from __future__ import annotations

from typing import Any

from tests.sync.crash_world import Store, digits, properties
from tests.sync.desk import KINDS, Desk

ENTITY_OF = {(system, kind): entity for (system, entity), kind in KINDS.items()}
Event = dict[str, Any]


def play_day(desk: Desk) -> list[Event]:
    """Every event of the day, one after the other; then a minute passes, so that all is visible."""
    events: list[Event] = []
    left = 1
    while left:
        played = desk.call("POST", "/script/next")
        left = played["left"]
        if played["event"] is not None:
            events.append(played["event"])
    desk.advance(60)
    assert len(events) > 20, "a day of edits in which hardly anything happens shows nothing"
    return events


def created(events: list[Event]) -> tuple[int, int]:
    """How many people and how many tickets began on that day."""
    entities = [
        ENTITY_OF.get((edit["system"], edit["kind"]))
        for event in events
        if event["what"].startswith("a new ")
        for edit in event["edits"]
    ]
    return entities.count("customer"), entities.count("ticket")


def assert_edits_arrived(events: list[Event], after: Store) -> None:
    """What a person wrote stands where it was written; that all systems are equal was established before.

    Where two people wrote one field, it is enough that one of the two is left.
    """
    checked = 0
    for event in events:
        stands = [_stands(edit, after) for edit in event["edits"] if "skipped" not in edit]
        one_field = event["what"].startswith("one same field")
        assert (any if one_field else all)(stands) or not stands, event
        checked += len(stands)
    assert checked > 20


def _stands(edit: Event, after: Store) -> bool:
    if edit["kind"] == "messages":
        return edit["id"] in after["gorgias", "message"]
    entity = ENTITY_OF[edit["system"], edit["kind"]]
    row = after[edit["system"], entity].get(edit["id"])
    if row is None:
        return False
    shown = properties(row)
    wanted = dict(edit["set"])
    wanted.pop("contact", None)
    return all(_same(name, value, row, shown) for name, value in wanted.items())


def _same(name: str, value: Any, row: dict[str, Any], shown: dict[str, Any]) -> bool:
    if name == "phone":
        addresses = [one["address"] for one in row.get("channels", ()) if one["type"] == "phone"]
        return digits(value) in {digits(one) for one in [*addresses, str(shown.get("phone"))]}
    if name == "tags":
        has = {tag["name"] if isinstance(tag, dict) else tag for tag in shown["tags"]}
        return set(value) == has
    if name == "email":
        return value in str(row).lower()
    return str(shown.get(name)) == str(value)
