"""The HTTP integration through which Gorgias calls the door: made, or put right.

Facts relied on: an integration calls where `http.url` says, with our headers, and sends the whole context for the form
"{{context}}" [seen in a working client]; `hmac_secret` can be written and not read; after a hundred calls without
success it is switched off, and on again by a null in `deactivated_datetime` [doc]. Triggers for customers are
documented nowhere: they are asked for where the account's own answer names them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sync_platform.connectors.gorgias_feeds import contents, halted
from sync_platform.connectors.http import JsonApi, Refused
from sync_platform.connectors.protocol import Finding
from sync_platform.core.records import Json, Lane
from sync_platform.errors import NotAllowed

NAME = "sync-platform webhooks"
TICKET_TRIGGERS = (
    "ticket-created", "ticket-updated", "ticket-message-created", "ticket-self-unsnoozed",
    "ticket-assignment-updated", "ticket-status-updated", "ticket-handed-over",
)  # fmt: skip
CUSTOMER_TRIGGERS = ("customer-created", "customer-updated")
PAGES_MAX = 20


def listen(api: JsonApi, url: str, headers: Mapping[str, str], hmac_secret: str | None) -> Finding:
    """Let Gorgias call `url`: one integration of our name, on, with these headers. Raises Halt and Retryable errors."""
    http: dict[str, Json] = {
        "url": url,
        "method": "POST",
        "request_content_type": "application/json",
        "response_content_type": "application/json",
        "headers": dict(headers),
        "form": "{{context}}",
        "triggers": dict.fromkeys(TICKET_TRIGGERS, True),
    }
    if hmac_secret:
        http["hmac_secret"] = hmac_secret
    ours = ours_of(api)
    given: dict[str, Json] = {"name": NAME, "type": "http", "http": http}
    if ours is None:
        made = _write(api, "POST", "/integrations", given)
    else:
        made = _write(api, "PUT", f"/integrations/{ours['id']}", given | {"deactivated_datetime": None})
    shown = (made.get("http") or {}).get("triggers") if isinstance(made, dict) else None
    further = [name for name in CUSTOMER_TRIGGERS if isinstance(shown, dict) and name in shown]
    number = made.get("id") if isinstance(made, dict) else (ours or {}).get("id")
    if further and number is not None:
        triggers: dict[str, Json] = dict.fromkeys((*TICKET_TRIGGERS, *further), True)
        _write(api, "PUT", f"/integrations/{number}", {"http": {"triggers": triggers}})
    what = "made" if ours is None else "put right and on"
    about = "tickets and customers" if further else "tickets (customers are polled)"
    return Finding("gorgias.webhooks", ok=True, found=f"integration «{NAME}» {what}: {about}")


def ours_of(api: JsonApi) -> dict[str, Any] | None:
    """Our integration as the account shows it; None where there is none."""
    return next((one for one in _integrations(api) if one.get("name") == NAME), None)


def examine(api: JsonApi) -> Finding | None:
    """Whether the integration is on; None where there is none, or where our right does not reach so far: an OAuth
    client needs `integrations:read` for nothing else."""
    try:
        ours = ours_of(api)
    except NotAllowed:
        return None
    if ours is None:
        return None
    on = ours.get("deactivated_datetime") is None
    return Finding(
        "gorgias.webhooks",
        ok=on,
        found=f"integration «{NAME}» is {'on' if on else 'switched off, as after a hundred failed calls'}",
        remedy="" if on else "See that the door can be reached, then run `sync-platform setup --webhooks URL` again.",
    )


def _integrations(api: JsonApi) -> Iterator[dict[str, Any]]:
    cursor: str | None = None
    for _ in range(PAGES_MAX):
        query = [("type", "http"), ("limit", "100"), *([("cursor", cursor)] if cursor else [])]
        try:
            answer = api.read("/integrations", query, lane=Lane.INTERACTIVE, purpose="setup")
        except Refused as refused:
            raise halted(refused) from None
        theirs, cursor, _total = contents(answer)
        yield from (one for one in theirs if isinstance(one, dict) and one.get("id") is not None)
        if cursor is None:
            return


def _write(api: JsonApi, method: str, path: str, body: Json) -> Json:
    try:
        return api.write(method, path, body, lane=Lane.INTERACTIVE, patient=True).body
    except Refused as refused:
        raise halted(refused) from None
