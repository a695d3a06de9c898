"""A field's story as boxes and arrows: what was seen → what was decided → what was written → what was answered."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from sync_platform.sync.lineage import Story
from sync_platform.web.drawing import Box, Column, draw
from sync_platform.web.values import MARKS, SYSTEMS, titled, told

LOST_MAX = 5


def way(story: Story, one: dict[str, Any]) -> Markup:
    """The drawing of one field's story, as `why` tells it."""
    seen = _seen(one)
    decided = _decided(one, tuple(box.key for box in seen if not box.faint or box.key.startswith("lost")))
    written = _written(one)
    answered = _answered(one)
    name = titled(one["field"])
    columns = (
        Column("Seen", tuple(seen)),
        Column("Decided", (decided,)),
        Column("Written", tuple(written)),
        Column("Answered", tuple(answered)),
    )
    return draw("way", f"The way of {name}", _description(story, one), columns)


def _seen(one: dict[str, Any]) -> list[Box]:
    boxes = []
    source = one["from"]
    if source is not None:
        lines = (told(one["value"], 60), f"{_named(source['system'])} {source['id']}", _at(source["at"]))
        boxes.append(Box("from", lines, f"/observations/{source['observation']}", source["system"]))
    elif one["by"] is not None:
        boxes.append(Box("from", (one["by"]["who"] or "a person", "answered", _at(one["by"]["at"])), None, "record"))
    for number, lost in enumerate(one["lost"][:LOST_MAX]):
        how = "asked about" if lost["rule"] == "review" else "lost"
        lines = (told(lost["value"], 60), f"{_named(lost['system'])}, {how}", _at(lost["at"]))
        href = f"/observations/{lost['observation']}" if lost["observation"] else f"/decisions/{lost['decision']}"
        boxes.append(Box(f"lost{number}", lines, href, lost["system"], faint=True))
    return boxes


def _decided(one: dict[str, Any], after: tuple[str, ...]) -> Box:
    if one["decision"] is None:
        return Box("decided", (told(one["value"], 60), "nothing was decided", ""), None, "record", after, faint=True)
    said = "a person is asked" if one["rule"] == "review" else f"by rule {one['rule']}"
    lines = (told(one["value"], 60), said, _at(one["at"]))
    return Box("decided", lines, f"/decisions/{one['decision']}", "record", after)


def _written(one: dict[str, Any]) -> list[Box]:
    """For each system the write that followed, or why none did."""
    boxes = []
    for system, side in one["systems"].items():
        writes = _following(one, system)
        for write in writes:
            lines = (told(write["value"], 60), f"{_named(system)}: {write['verb']}", _at(write["planned_at"]))
            boxes.append(Box(f"intent{write['intent']}", lines, f"/intents/{write['intent']}", system, ("decided",)))
        if not writes:
            boxes.append(_unwritten(one, system, side))
    return boxes


def _following(one: dict[str, Any], system: str) -> list[dict[str, Any]]:
    return [write for write in one["written"] if write["system"] == system and write["for_this"]][-2:]


def _unwritten(one: dict[str, Any], system: str, side: dict[str, Any]) -> Box:
    if side["mark"]:
        said = MARKS.get(side["mark"], side["mark"])
    elif (one["from"] or {}).get("system") == system:
        said = "it came from there"
    else:
        said = "shows it already" if side["agrees"] else "nothing is owed"
    return Box(f"none-{system}", (_named(system), said, "no write"), None, system, ("decided",), faint=True)


def _answered(one: dict[str, Any]) -> list[Box]:
    boxes = []
    for system in one["systems"]:
        for write in _following(one, system):
            after = (f"intent{write['intent']}",)
            for answer in write["receipts"][-2:]:
                code = answer["code"] or answer["status"] or ""
                lines = (f"{answer['outcome']} {code}".strip(), _named(system), _at(answer["at"]))
                boxes.append(Box(f"receipt{answer['receipt']}", lines, f"/intents/{write['intent']}", system, after))
            if not write["receipts"]:
                lines = (write["state"], _named(system), "no answer is kept")
                boxes.append(Box(f"state{write['intent']}", lines, None, system, after, faint=True))
    return boxes


def _description(story: Story, one: dict[str, Any]) -> str:
    """The drawing in one sentence, for those who hear it."""
    source = one["from"]
    came = f"from {_named(source['system'])} {source['id']}" if source else "from no system"
    writes = [write for write in one["written"] if write["for_this"]]
    done = ", ".join(f"{_named(write['system'])} {write['state']}" for write in writes) or "nowhere"
    lost = len(one["lost"])
    if one["decision"] is None:
        return f"Nothing was decided about {titled(one['field'])} of this {story.record.entity} yet."
    return (
        f"{titled(one['field'])} of this {story.record.entity} came {came}, was decided by rule {one['rule']}"
        f" at {_at(one['at'])} over {lost} other {'claim' if lost == 1 else 'claims'}, and was written: {done}."
    )


def _named(system: str) -> str:
    return SYSTEMS.get(system, system)


def _at(at: str | None) -> str:
    return (at or "").replace("T", " ").replace("+00:00", "")
