"""Satisfaction surveys: one for a ticket [doc], scored 1 to 5, mailed after closing where the account says so."""

# ruff: noqa: S608 - statements are put together from this package's own table and column names; values are bound

import json
from typing import Any

from sync_platform.sandbox.gorgias import shapes
from sync_platform.sandbox.gorgias.embedded import save_ticket
from sync_platform.sandbox.gorgias.fields import Invalid
from sync_platform.sandbox.gorgias.http import dump, not_found
from sync_platform.sandbox.gorgias.store import Actor, Store, conflict, stamp, unstamp


def read(store: Store, survey_id: int) -> dict[str, Any]:
    """A live survey. Raises ApiError 404."""
    found = store.one("SELECT row FROM surveys WHERE id = ? AND deleted IS NULL", survey_id)
    if found is None:
        raise not_found()
    return dict(json.loads(found[0]))


def of_ticket(store: Store, ticket_id: int) -> dict[str, Any] | None:
    """The survey of a ticket, or None."""
    found = store.one("SELECT row FROM surveys WHERE ticket_id = ? AND deleted IS NULL", ticket_id)
    return dict(json.loads(found[0])) if found else None


def create(store: Store, given: dict[str, Any], actor: Actor) -> int:
    """A new survey. Raises ApiError 409 for a ticket that has one, Invalid for an unknown ticket or customer."""
    _check_ends(store, given)
    if of_ticket(store, given["ticket_id"]):
        raise conflict()
    number, now = store.new_id("surveys"), store.now()
    created = given.get("created_datetime") or now
    row = shapes.survey(number, given, created)
    _scored(store, None, row, actor)
    store.run(
        "INSERT INTO surveys VALUES (?, ?, ?, ?, ?, NULL)",
        number, created, given["ticket_id"], given["customer_id"], dump(row),
    )  # fmt: skip
    return number


def change(store: Store, survey_id: int, given: dict[str, Any], actor: Actor) -> None:
    """Replace a survey whole: what the body leaves out becomes null."""
    old = read(store, survey_id)
    _check_ends(store, given)
    other = of_ticket(store, given["ticket_id"])
    if other and other["id"] != survey_id:
        raise conflict()
    created = given.get("created_datetime") or unstamp(old["created_datetime"])
    row = shapes.survey(survey_id, given, created)
    _scored(store, old, row, actor)
    store.run(
        "UPDATE surveys SET created = ?, ticket_id = ?, customer_id = ?, row = ? WHERE id = ?",
        created, given["ticket_id"], given["customer_id"], dump(row), survey_id,
    )  # fmt: skip


def after_close(store: Store, ticket: dict[str, Any], actor: Actor) -> None:
    """The account's after-close survey: a row and a mail, once for a ticket; off unless the account switched it on."""
    owner = ticket["customer"]
    if not store.on("survey_after_close") or not owner or of_ticket(store, ticket["id"]):
        return
    now = store.now()
    given = {"ticket_id": ticket["id"], "customer_id": owner["id"], "sent_datetime": now, "should_send_datetime": now}
    create(store, given, Actor(None, actor.by))
    to = [owner["email"]] if owner["email"] else []
    store.mail({"at": stamp(now), "ticket_id": ticket["id"], "to": to, "kind": "survey", "by": actor.by})


def _check_ends(store: Store, given: dict[str, Any]) -> None:
    bad = {}
    for name, table in (("ticket_id", "tickets"), ("customer_id", "customers")):
        if not store.one(f"SELECT 1 FROM {table} WHERE id = ? AND deleted IS NULL", given[name]):
            bad[name] = ["Does not exist."]
    if bad:
        raise Invalid(bad)


def _scored(store: Store, old: dict[str, Any] | None, row: dict[str, Any], actor: Actor) -> None:
    """Sending has an event; a new score gets its time, an event, and by switch moves the ticket's updated_datetime."""
    if row["sent_datetime"] and not (old and old["sent_datetime"]):
        store.event("satisfaction-survey-sent", "SatisfactionSurvey", row["id"], actor.user_id)
    if row["score"] is None or (old and old["score"] == row["score"]):
        return
    row["scored_datetime"] = row["scored_datetime"] or stamp(store.now())
    store.event("satisfaction-survey-responded", "SatisfactionSurvey", row["id"], actor.user_id)
    if store.on("survey_bumps_ticket"):
        text = store.one("SELECT row FROM tickets WHERE id = ?", row["ticket_id"])[0]
        save_ticket(store, {**json.loads(text), "updated_datetime": stamp(store.now())})
