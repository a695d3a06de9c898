"""What both doors of the sandbox (`sync-platform sandbox` and `python -m sync_platform.sandbox`) make of words."""

import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from sync_platform.sandbox.gorgias import switches as gorgias_switches
from sync_platform.sandbox.hubspot import switches as hubspot_switches
from sync_platform.sandbox.importing import wishes_of
from sync_platform.sandbox.server import Options
from sync_platform.sandbox.switches import Switches

WIDTH = 100


def options(
    *,
    import_file: Path | None = None,
    columns: Iterable[str] = (),
    import_to: str = "gorgias",
    import_zone: str = "UTC",
    import_days_first: str = "guess",
    switches: Iterable[str] = (),
    **plain: Any,
) -> Options:
    """Options of a sandbox; `columns` are field=column, `switches` name=value. Raises ValueError saying why not."""
    wishes = wishes_of(columns, import_to, import_zone, import_days_first)
    if import_file is not None and not import_file.is_file():
        raise ValueError(f"there is no file {import_file}")
    return Options(import_file=import_file, wishes=wishes, switches=_named(switches), **plain)


def every_switch() -> list[dict[str, Any]]:
    """Every switch as {name, value, default, choices, doc}, without a sandbox."""
    return _registered().listing()


def switches_text(rows: Sequence[dict[str, Any]]) -> str:
    """The switches for a person: name, default, choices, and what each is about."""
    lines = []
    for row in rows:
        choices = row["choices"]
        kinds = {"int": "a whole number", "float": "a number", "str": "a text"}
        said = kinds.get(choices, choices) if isinstance(choices, str) else " | ".join(map(_word, choices))
        lines += [f"{row['name']} = {_word(row['default'])}    ({said})", *_wrapped(row["doc"])]
    return "\n".join(lines)


def _registered() -> Switches:
    switches = Switches()
    gorgias_switches.register(switches)
    hubspot_switches.register(switches)
    return switches


def _named(given: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Checked before anything is seeded. Raises ValueError."""
    known, found = _registered(), []
    for text in given:
        name, sign, value = text.partition("=")
        if not sign:
            raise ValueError(f"a switch is set as name=value, not {text!r}")
        known.read(name, value)
        found.append((name, value))
    return tuple(found)


def _word(value: Any) -> str:
    return '""' if value == "" else str(value)


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent="    ", subsequent_indent="    ")
