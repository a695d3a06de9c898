"""Values as people read them. What comes out is plain text: the templates escape it."""

from __future__ import annotations

import json

from sync_platform.core.records import Json

LENGTH_MAX = 400
NOTHING = "—"
# Words for what stands between a system and the record's value.
MARKS = {
    "unread": "not read yet",
    "unjudged": "changed, not judged yet",
    "held": "held by the brake",
    "review": "in review",
    "apart": "left apart",
    "parked": "parked",
    "sent": "write under way",
    "owed": "write owed",
    "gap": "cannot stand there",
    "twin": "waits: may be double",
    "gone": "deleted there",
    "merged": "merged away there",
    "absent": "no such field",
}
KINDS = {
    "observation": "seen",
    "decision": "decided",
    "intent": "to write",
    "receipt": "answered",
    "act": "by a person",
}
SYSTEMS = {"gorgias": "Gorgias", "hubspot": "HubSpot", "erp": "ERP"}
CHANNELS = {
    "list": "in a listing",
    "by_id": "in a read by id",
    "search": "in a search",
    "webhook": "in a webhook",
    "answer": "in the answer to a write",
    "sweep": "in the audit",
}


def told(value: Json, length_max: int = LENGTH_MAX) -> str:
    """A value of any shape in one text of bounded length."""
    text = _whole(value)
    return text if len(text) <= length_max else f"{text[: length_max - 1]}…"


def _whole(value: Json) -> str:
    if value is None or value in ("", [], {}):
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return ", ".join(_whole(one) for one in value)
    if isinstance(value, dict):
        if "full" in value:
            return str(value["full"] or NOTHING)
        if all(one is None or isinstance(one, (str, int, float, bool)) for one in value.values()):
            return " · ".join(f"{name} {_whole(one)}" for name, one in value.items())
        return json.dumps(value, ensure_ascii=False, sort_keys=True)
    return str(value)


def titled(name: str) -> str:
    """A field's or a key's name as a heading: `customer_no` → `Customer no`."""
    words = name.replace("_", " ").strip()
    return words[:1].upper() + words[1:]


def as_json(value: Json) -> str:
    """A value as it is stored, laid out."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, indent=2)
