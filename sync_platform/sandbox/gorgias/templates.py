"""Templates of HTTP integrations: `{{ticket.messages[-1].body_text}}` in an address, a header or a body.

Rendering is text substitution: booleans arrive as True and False, numbers as digits, what is missing as nothing [seen
in working clients; documented for macro variables]. Objects and lists become JSON, and values in an address are
percent-encoded [inferred]. Filters behind a bar are not known here: such a template is empty.
"""

import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from sync_platform.sandbox.gorgias.http import dump

WHOLE = "{{context}}"
_TEMPLATE = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")
_STEP = re.compile(r"\.?([A-Za-z0-9_-]+)|\[(-?[0-9]+)\]|\[[\"']([^\"'\]]*)[\"']\]")


def find(context: Any, path: str) -> Any:
    """What a dotted path leads to; list items by index, also from the end; None when there is nothing."""
    here, at = context, 0
    while at < len(path):
        step = _STEP.match(path, at)
        if step is None:
            return None
        at = step.end()
        name, index, key = step.groups()
        if isinstance(here, list):
            position = index if index is not None else name
            if position is None or not re.fullmatch(r"-?[0-9]{1,9}", position):
                return None
            number = int(position)
            here = here[number] if -len(here) <= number < len(here) else None
        elif isinstance(here, dict):
            here = here.get(name if name is not None else index if index is not None else key)
        else:
            return None
    return here


def text_of(value: Any) -> str:
    """A value as it is put into text."""
    if value is None:
        return ""
    if isinstance(value, dict | list):
        return dump(value)
    return str(value)  # True and False, as they are spelled in Python


def render(template: str, context: dict[str, Any], escape: Callable[[str], str] = str) -> str:
    """A text with every template replaced; `escape` makes values fit what surrounds them."""
    if "{{" not in template:
        return template

    def value(match: re.Match[str]) -> str:
        found = context if match[1] == "context" else find(context, match[1])
        return escape(text_of(found))

    return _TEMPLATE.sub(value, template)


def render_url(template: str, context: dict[str, Any]) -> str:
    """An address. Values behind its host are percent-encoded; an address that begins with a template is taken whole."""
    head, mark, rest = template.partition("://")
    if not mark:
        return render(template, context)
    return render(head, context) + mark + render(rest, context, lambda text: quote(text, safe=""))


def render_json(value: Any, context: dict[str, Any]) -> Any:
    """A JSON value whose texts are templates, nested ones included."""
    if isinstance(value, str):
        return render(value, context)
    if isinstance(value, list):
        return [render_json(entry, context) for entry in value]
    if isinstance(value, dict):
        return {render(key, context): render_json(entry, context) for key, entry in value.items()}
    return value


def render_text_body(template: str, context: dict[str, Any]) -> str:
    """A body written as text of JSON: values are escaped, so that quotes and line ends in a message don't break it."""
    return render(template, context, lambda text: json.dumps(text, ensure_ascii=False)[1:-1])
