"""What a template of an integration can speak of, and the request that it makes.

The whole context was recorded for ticket-updated: all of GET ticket plus `account`, `first_message`, `last_message`;
its messages bear `text` and `sentiments` beside what the API shows [recorded keys, inferred values]. With a trigger of
messages there is `message`, too [seen in a working client]. Documentation also describes a slim ticket [not
established: switch integration_context].
"""

import json
from typing import Any
from urllib.parse import urlencode

from sync_platform.sandbox.gorgias import customers, templates, tickets
from sync_platform.sandbox.gorgias.http import ApiError, dump
from sync_platform.sandbox.gorgias.integrations import JSON_TYPE
from sync_platform.sandbox.gorgias.other_calls import DOMAIN
from sync_platform.sandbox.gorgias.store import Store

_SLIM = (
    "id", "external_id", "status", "channel", "via", "spam", "from_agent", "assignee_user_id", "assignee_team_id",
    "subject", "meta", "language", "custom_fields", "tags",
)  # fmt: skip
_IN_QUERY = ("GET", "HEAD")


def build(store: Store, event: dict[str, Any], object_id: int, message_id: int | None) -> dict[str, Any] | None:
    """The context of an event of a ticket or a customer; None when the object is gone again."""
    about: dict[str, Any]
    try:
        if event["object_type"] == "Customer":
            about = {"customer": json.loads(customers.detail(*_customer(store, object_id)))}
        else:
            about = _ticket(store, object_id, message_id)
    except ApiError:
        return None
    user = store.one("SELECT row FROM users WHERE id = ?", event["user_id"]) if event["user_id"] else None
    return {**about, "event": event, "current_user": json.loads(user[0]) if user else None}


def _customer(store: Store, number: int) -> tuple[str, str]:
    customers.read(store, number)
    row, extra = store.one("SELECT row, extra FROM customers WHERE id = ?", number)
    return row, extra


def _ticket(store: Store, ticket_id: int, message_id: int | None) -> dict[str, Any]:
    shown = tickets.detail(store, tickets.read(store, ticket_id))
    messages = [{**entry, "text": entry["body_text"], "sentiments": []} for entry in shown["messages"]]
    if store.switch("integration_context") == "slim":
        whole = {name: shown.get(name) for name in _SLIM}
        whole |= {name: value for name, value in shown.items() if name.endswith("_datetime")}
        whole["customer_id"] = shown["customer"]["id"] if shown["customer"] else None
    else:
        whole = {
            **shown,
            "messages": messages,
            "account": {"domain": DOMAIN},
            "first_message": messages[0] if messages else None,
            "last_message": messages[-1] if messages else None,
        }
    if message_id is None:
        return {"ticket": whole}
    return {"ticket": whole, "message": next((entry for entry in messages if entry["id"] == message_id), None)}


def request(http: dict[str, Any], context: dict[str, Any]) -> dict[str, Any]:
    """What goes over the wire: {method, url, headers, body}; body is text or None.

    A form goes into the query of GET, into the body of POST [documented]; without one a POST has an empty body [seen].
    """
    method, kind, form = http["method"], http["request_content_type"], http["form"]
    url = templates.render_url(http["url"], context)
    headers = {"user-agent": "gorgias-sandbox", "accept": http["response_content_type"]}
    body = None
    if method in _IN_QUERY:
        if isinstance(form, dict) and form:
            url += ("&" if "?" in url else "?") + urlencode(_flat(form, context))
    elif form:
        body = _body(form, kind, context)
        headers["content-type"] = kind
    for name, template in http["headers"].items():
        headers[name.lower()] = " ".join(templates.render(template, context).split())
    return {"method": method, "url": url, "headers": headers, "body": body}


def _flat(form: dict[str, Any], context: dict[str, Any]) -> dict[str, str]:
    rendered = templates.render_json(form, context)
    return {name: templates.text_of(value) for name, value in rendered.items()}


def _body(form: dict[str, Any] | str, kind: str, context: dict[str, Any]) -> str:
    if isinstance(form, str):
        if form.strip() == templates.WHOLE:
            return dump(context)
        return templates.render_text_body(form, context) if kind == JSON_TYPE else templates.render(form, context)
    if kind == JSON_TYPE:
        return dump(templates.render_json(form, context))
    return urlencode(_flat(form, context))
