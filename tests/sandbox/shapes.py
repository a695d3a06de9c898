"""Golden files: the shape of each endpoint's answer as the vendors' facts tell it, the confidence beside each field.

    call: GET /api/customers/{customer}      # {names} are filled in by the vendor's test
    send: {name: Ada}                        # the JSON body, where there is one
    status: 200
    confidence: doc                          # of call and status
    answer:
      id: int rec
      email: str? rec                        # ? after the type: may be null
      note?: str doc                         # ? after the name: may be missing
      channels: [{id: int rec, type: str doc}]   # a list; every row has this shape
      integrations: {"*": map rec}           # any names, each of this shape
      created_datetime: time rec

Types: int num str bool time map list any null. A field that a file does not name is an error, and so is one that is
missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).resolve().parent / "golden"
MARKS = ("doc", "spec", "code", "rec", "ran", "inferred", "open")
TYPES: dict[str, Any] = {
    "int": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "num": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "str": lambda value: isinstance(value, str),
    "bool": lambda value: isinstance(value, bool),
    "time": lambda value: isinstance(value, str) and _is_time(value),
    "map": lambda value: isinstance(value, dict),
    "list": lambda value: isinstance(value, list),
    "any": lambda _value: True,
    "null": lambda value: value is None,
}


def files(vendor: str) -> list[Path]:
    """The golden files of a vendor, by name."""
    return sorted((FOLDER / vendor).glob("*.yaml"))


def load(path: Path) -> dict[str, Any]:
    """One golden file."""
    found: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found


def unmarked(shape: Any, place: str = "") -> Iterator[str]:
    """Fields whose confidence or type is missing or unknown."""
    if isinstance(shape, dict):
        for name, inner in shape.items():
            yield from unmarked(inner, f"{place}.{name}")
    elif isinstance(shape, list):
        for inner in shape:
            yield from unmarked(inner, f"{place}[]")
    elif shape is not None:
        kind, _, mark = str(shape).partition(" ")
        if mark not in MARKS or any(one not in TYPES for one in kind.rstrip("?").split("|")):
            yield f"{place}: {shape}"


def differences(shape: Any, value: Any, place: str = "answer") -> Iterator[str]:
    """What an answer has otherwise than its golden file says."""
    if isinstance(shape, dict):
        yield from _of_object(shape, value, place)
    elif isinstance(shape, list):
        if not isinstance(value, list):
            yield f"{place}: a list is expected"
            return
        for n, row in enumerate(value):
            yield from differences(shape[0], row, f"{place}[{n}]")
    elif shape is None:
        if value is not None:
            yield f"{place}: no body is expected"
    else:
        kind = str(shape).partition(" ")[0]
        nullable = kind.endswith("?")
        if not (nullable and value is None) and not any(TYPES[one](value) for one in kind.rstrip("?").split("|")):
            yield f"{place}: {kind} is expected, not {type(value).__name__}"


def _of_object(shape: dict[str, Any], value: Any, place: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{place}: an object is expected"
        return
    if "*" in shape:
        for name, inner in value.items():
            yield from differences(shape["*"], inner, f"{place}.{name}")
        return
    known = {name.rstrip("?"): (inner, name.endswith("?")) for name, inner in shape.items()}
    for name, (inner, optional) in known.items():
        if name in value:
            yield from differences(inner, value[name], f"{place}.{name}")
        elif not optional:
            yield f"{place}.{name} is missing"
    yield from (f"{place}.{name} is not in the golden file" for name in value if name not in known)


def _is_time(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False
