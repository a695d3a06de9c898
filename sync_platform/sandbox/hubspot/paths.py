"""HubSpot's paths: one form for all versions, a form without ids for the call log, and the limit that a call counts in.

Facts: v3 and v4 paths and the dated ones (2026-03, 2026-09) name the same calls in two orders of segments [doc]. The
search and the v4 associations have limits of their own, the journal has none [spec].
"""

import re
from urllib.parse import unquote

from sync_platform.sandbox.hubspot.kinds import names_a_kind

VERSION = r"v3|v4|2025-09|2026-03|2026-09"
_AREAS = "objects|properties|pipelines|owners|associations|schemas|limits"
_AREA_NAMES = frozenset(_AREAS.split("|"))
_OLD = re.compile(rf"/crm/({VERSION})/({_AREAS})(/.*)?")
_NEW = re.compile(rf"/crm/({_AREAS})/({VERSION})(/.*)?")
_SCHEMAS = re.compile(rf"/crm-object-schemas/({VERSION})/(schemas)(/.*)?")
_WORDS = frozenset(
    (
        "batch", "create", "read", "update", "upsert", "archive", "search", "merge", "gdpr-delete", "associations",
        "default", "labels", "associate", "groups", "stages", "audit", "details", "get", "email", "secondary-email",
        "access-token-info", "token", "introspect", "revoke", "settings", "subscriptions", "journal", "journal-local",
        "earliest", "latest", "next", "offset", "status", "snapshots", "crm", "filters", "subscription", "portals",
    )
)  # fmt: skip
# How many segments of a path without its version are no id.
_LITERAL = {
    "objects": 2,
    "properties": 2,
    "pipelines": 2,
    "associations": 3,
    "owners": 1,
    "account-info": 3,
    "contacts": 3,
    "oauth": 3,
    "schemas": 1,
    "limits": 2,
    "webhooks": 2,
    "app-webhooks": 2,
    "webhooks-journal": 3,
}


def canonical(path: str) -> tuple[str, tuple[str, ...]]:
    """(version, segments) of a path, the segments alike for all versions: ("objects", "contacts", "1")."""
    if found := _OLD.fullmatch(path) or _SCHEMAS.fullmatch(path):
        version, area, rest = found.groups()
    elif found := _NEW.fullmatch(path):
        area, version, rest = found.groups()
    else:
        plain = tuple(unquote(part) for part in path.strip("/").split("/"))
        # A legacy path such as /properties/v2/contacts is none of these areas.
        return "", ("", *plain) if plain[0] in _AREA_NAMES else plain
    return version, (area, *(unquote(part) for part in (rest or "").strip("/").split("/") if part))


def template(path: str, parts: tuple[str, ...]) -> str:
    """The path with its ids left out; types and verbs stay."""
    segments = path.strip("/").split("/")
    head = len(segments) - len(parts) + _LITERAL.get(parts[0], 2)
    shown = [
        part if n < head or part in _WORDS or (n > head and names_a_kind(part)) else "{id}"
        for n, part in enumerate(segments)
    ]
    return "/" + "/".join(shown)


def bucket(parts: tuple[str, ...]) -> str:
    """The limit of a call: search, associations, burst, or exempt."""
    if parts[0] == "webhooks-journal":
        return "exempt"
    if parts[0] == "objects" and parts[-1] == "search" and len(parts) == 3:
        return "search"
    if parts[0] == "associations" or (parts[0] == "objects" and "associations" in parts[3:4]):
        return "associations"
    return "burst"
