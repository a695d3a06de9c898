"""Named settings of the twin: points on which the vendors' behaviour is not established, plans, lags."""

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

NAMED_MAX = 5
NUMBER_MAX = 1_000_000_000  # of a switch that is a number; none has a use below 0


@dataclass
class _Switch:
    name: str
    default: Any
    choices: tuple[Any, ...] | type
    doc: str
    value: Any


class Switches:
    """Named settings of the twin: points on which the vendors' behaviour is not established, plans, lags."""

    def __init__(self) -> None:
        self._by_name: dict[str, _Switch] = {}

    def register(self, name: str, default: Any, choices: tuple[Any, ...] | type, doc: str) -> None:
        """Declare a switch; `choices` are the allowed values, or a type (a float switch takes integers too)."""
        self._by_name[name] = _Switch(name, default, choices, doc, default)
        self._check(name, default)

    def get(self, name: str) -> Any:
        """The present value. Raises ValueError for an unknown name."""
        found = self._by_name.get(name)
        if found is None:
            raise ValueError(self._unknown(name))
        return found.value

    def set(self, name: str, value: Any) -> None:
        """Change a switch. Raises ValueError, naming the choices, for an unknown name or value."""
        self._by_name_or_error(name).value = self._check(name, value)

    def update(self, values: Mapping[str, Any]) -> None:
        """Change several switches, or none when one name or value is wrong (ValueError)."""
        checked = {name: self._check(name, value) for name, value in values.items()}
        for name, value in checked.items():
            self._by_name[name].value = value

    def restore(self) -> None:
        """Put every switch back to its default."""
        for switch in self._by_name.values():
            switch.value = switch.default

    def read(self, name: str, text: str) -> Any:
        """The value of a switch as somebody writes it on a command line. Raises ValueError, naming the choices."""
        choices = self._by_name_or_error(name).choices
        if isinstance(choices, tuple):
            named = {str(choice): choice for choice in choices}
            named |= {json.dumps(choice): choice for choice in choices}
            return named[text] if text in named else self._check(name, text)
        if choices is str:
            return text
        try:
            value = json.loads(text)
        except ValueError:
            value = text
        return self._check(name, value)

    def changed(self) -> dict[str, Any]:
        """The values that are not the default, by name."""
        return {name: one.value for name, one in sorted(self._by_name.items()) if one.value != one.default}

    def keep(self, values: Mapping[str, Any]) -> None:
        """Take over values of an earlier run; a switch that is gone, or no longer takes the value, is left alone."""
        for name, value in values.items():
            if name in self._by_name:
                with contextlib.suppress(ValueError):
                    self.set(name, value)

    def listing(self) -> list[dict[str, Any]]:
        """Every switch as {name, value, default, choices, doc}, by name."""
        return [
            {
                "name": switch.name,
                "value": switch.value,
                "default": switch.default,
                "choices": switch.choices.__name__ if isinstance(switch.choices, type) else list(switch.choices),
                "doc": switch.doc,
            }
            for _, switch in sorted(self._by_name.items())
        ]

    def _by_name_or_error(self, name: str) -> _Switch:
        found = self._by_name.get(name) if isinstance(name, str) else None
        if found is None:
            raise ValueError(self._unknown(name))
        return found

    def _unknown(self, name: str) -> str:
        near = get_close_matches(str(name), self._by_name, NAMED_MAX, 0.3)
        if len(self._by_name) <= NAMED_MAX:
            return f"unknown switch {name!r}; known: {', '.join(sorted(self._by_name))}"
        return f"unknown switch {name!r}, one of {len(self._by_name)}; the nearest: {', '.join(near) or 'none'}"

    def _check(self, name: str, value: Any) -> Any:
        choices = self._by_name_or_error(name).choices
        if isinstance(choices, type):
            numeric = choices is float and isinstance(value, int) and not isinstance(value, bool)
            # bool is an int for Python; a switch of whole numbers should still refuse `true`.
            if numeric or (isinstance(value, choices) and not (choices is int and isinstance(value, bool))):
                if not isinstance(value, str) and not 0 <= value <= NUMBER_MAX:
                    raise ValueError(f"switch {name!r} takes a number from 0 to {NUMBER_MAX:,}")
                return value
            raise ValueError(f"switch {name!r} takes a value of type {choices.__name__}")
        for choice in choices:
            if type(choice) is type(value) and choice == value:
                return value
        raise ValueError(f"switch {name!r} takes one of: {', '.join(json.dumps(choice) for choice in choices)}")
