"""Calls that the sandbox doesn't serve say so: 501 with the call's name, and 405 for a known path with another method.

What HubSpot has beyond CRM objects and their surroundings (lists, marketing, CMS, files, legacy v1 calls) is not here.
A client gets told, where HubSpot's own 404 would look like a missing record; the switch `unknown_path` gives that 404.
"""

import re
from collections.abc import Callable
from typing import Any

from sync_platform.sandbox.hubspot.wire import Call, Refusal, not_found
from sync_platform.sandbox.world import Switches

# Paths without their version, of which some methods are served.
_SERVED = tuple(
    re.compile(pattern)
    for pattern in (
        r"objects/[^/]+",
        r"objects/[^/]+/batch/(create|read|update|upsert|archive)",
        r"objects/[^/]+/(search|merge|gdpr-delete)",
        r"objects/[^/]+/[^/]+",
        r"objects/[^/]+/[^/]+/associations/[^/]+",
        r"objects/[^/]+/[^/]+/associations/[^/]+/[^/]+",
        r"objects/[^/]+/[^/]+/associations/default/[^/]+/[^/]+",
        r"associations/[^/]+/[^/]+/labels",
        r"associations/[^/]+/[^/]+/batch/(create|read|archive|labels/archive|associate/default)",
        r"owners(/[^/]+)?",
        r"limits/custom-properties",
        r"account-info/[^/]+/details",
        r"contacts/v1/secondary-email/[^/]+(/email/[^/]+)?",
        r"oauth/v2/private-apps/get/access-token-info",
    )
)
_V4_ONLY = re.compile(r"associations/[^/]+/[^/]+/batch|objects/[^/]+/[^/]+/associations")


def register(switches: Switches) -> None:
    """Declare the switch."""
    doc = "answer to a path that the sandbox doesn't serve: 501 with its name, or HubSpot's 404"
    switches.register("hubspot.unknown_path", 501, (501, 404), doc)


def absent(call: Call, switch: Callable[[str], Any]) -> Refusal:
    """The refusal of a call that no endpoint took."""
    path = "/".join(call.parts)
    if any(served.fullmatch(path) for served in _SERVED) and not (call.version == "v3" and _V4_ONLY.match(path)):
        return Refusal(405, "HTTP 405 Method Not Allowed")
    if switch("unknown_path") == 404:
        return not_found()
    return Refusal(501, f"This call is not served by the sandbox: {call.method} {call.path}", "NOT_IMPLEMENTED")
