"""How Gorgias's objects become rows. Pure: what an answer showed becomes attributes, what it did not show is absent.

Facts relied on: list rows are partial: customers without `channels`, tickets without `messages` [recorded]. Output
times leave the fraction out when it is zero, and some samples carry no zone [recorded, doc]: everything is parsed and
spelled anew as `YYYY-MM-DDTHH:MM:SS.ffffff+00:00`. Ids are integers there and text here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from html.parser import HTMLParser

from sync_platform.core.records import Channel, Entity, Evidence, Json, Row, System
from sync_platform.errors import BadInput

# Keys inside data["sync"]: where fields live for which Gorgias has no field of its own.
SYNC_KEYS = ("company", "customer_no", "marketing_opt_out", "credit_status", "lifetime_value", "order_count")
SYNC_PREFIX = "sync."
_CUSTOMER_PLAIN = ("email", "name", "language", "note", "external_id")
_TICKET_PLAIN = ("subject", "status", "priority", "channel", "external_id", "messages_count")
_TICKET_TIMES = ("created_datetime", "closed_datetime", "last_message_datetime")


def moment(value: Json) -> datetime | None:
    """A time of the API as aware UTC; None for null. Raises ValueError for anything that is no time."""
    if value is None:
        return None
    parsed = datetime.fromisoformat(value if isinstance(value, str) else "not a time")
    return (parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed).astimezone(UTC)


def spelled(value: datetime) -> str:
    """Our one spelling of a time, which sorts as text."""
    return value.astimezone(UTC).isoformat(timespec="microseconds")


def iso(value: Json) -> str | None:
    """A time of the API in our spelling; None for null."""
    parsed = moment(value)
    return None if parsed is None else spelled(parsed)


def customer_row(theirs: Json, channel: Channel) -> Row:
    """A customer from a list or by id. Raises BadInput naming the field that cannot be read."""
    external_id = identity(theirs)
    shown: dict[str, Json] = {name: theirs[name] for name in _CUSTOMER_PLAIN if name in theirs}
    if "data" in theirs:
        ours = sync_part(theirs["data"])
        shown |= {SYNC_PREFIX + key: ours.get(key) for key in SYNC_KEYS}
    carry: Json = None
    if isinstance(theirs.get("channels"), list):
        channels = live_channels(theirs["channels"])
        shown["emails"] = further_emails(channels, theirs.get("email"))
        shown["phones"] = [one["address"] for one in channels if one["type"] == "phone"]
        carry = {"channels": channels, "data": theirs.get("data")}
    return Row(
        System.GORGIAS,
        Entity.CUSTOMER,
        external_id,
        shown,
        channel,
        stamp=_time(theirs, "updated_datetime"),
        carry=carry,
        created_at=_time(theirs, "created_datetime"),
    )


def sync_part(data: Json) -> Mapping[str, Json]:
    """Our key of a customer's free JSON; empty when it is not there or not ours to read."""
    ours = data.get("sync") if isinstance(data, dict) else None
    return ours if isinstance(ours, dict) else {}


def live_channels(channels: Iterable[Json]) -> list[dict[str, Json]]:
    """Channels that are not deleted, by id, as a write sends them: {type, address, preferred}."""
    live = [one for one in channels if isinstance(one, dict) and one.get("address") and not one.get("deleted_datetime")]
    live.sort(key=lambda one: one["id"] if isinstance(one.get("id"), int) else 0)
    return [
        {"type": one.get("type"), "address": one["address"], "preferred": bool(one.get("preferred"))} for one in live
    ]


def further_emails(channels: Sequence[Mapping[str, Json]], primary: Json) -> list[str]:
    """Addresses of the e-mail channels other than the primary one."""
    first = primary.casefold() if isinstance(primary, str) else None
    emails = [str(one["address"]) for one in channels if one["type"] == "email"]
    return [address for address in emails if address.casefold() != first]


def ticket_row(theirs: Json, channel: Channel) -> Row:
    """A ticket from a list (no messages, no survey) or by id. Raises BadInput naming the field that cannot be read."""
    external_id = identity(theirs)
    shown: dict[str, Json] = {name: theirs[name] for name in _TICKET_PLAIN if name in theirs}
    shown |= {name: _spelled(theirs, name) for name in _TICKET_TIMES if name in theirs}
    if "trashed_datetime" in theirs:
        shown["trashed"] = theirs["trashed_datetime"] is not None
    for name, attribute in (("customer", "customer_id"), ("assignee_user", "assignee_user_id")):
        if name in theirs:
            shown[attribute] = _id_of(theirs[name])
    if isinstance(theirs.get("tags"), list):
        shown["tags"] = sorted({str(tag["name"]) for tag in theirs["tags"] if isinstance(tag, dict) and "name" in tag})
    messages = theirs.get("messages")
    if isinstance(messages, list):
        shown["messages_count"] = len(messages)
        first = oldest(message for message in messages if isinstance(message, dict))
        if first is not None:
            shown["first_message"] = first_message(first)
    if "satisfaction_survey" in theirs:
        survey = theirs["satisfaction_survey"]
        shown["score"] = survey.get("score") if isinstance(survey, dict) else None
    return Row(
        System.GORGIAS,
        Entity.TICKET,
        external_id,
        shown,
        channel,
        stamp=_time(theirs, "updated_datetime"),
        created_at=_time(theirs, "created_datetime"),
    )


def gone_row(
    entity: Entity, external_id: str, channel: Channel, evidence: Evidence, stamp: datetime | None = None
) -> Row:
    """That an id is gone."""
    return Row(System.GORGIAS, entity, external_id, {}, channel, stamp=stamp, evidence=evidence)


def message_rows(messages: Sequence[Json]) -> tuple[list[Row], list[tuple[str, str]]]:
    """One row for each ticket of a page of messages, with its oldest message there; and what could not be read."""
    tickets: dict[str, list[Mapping[str, Json]]] = {}
    bad: list[tuple[str, str]] = []
    for message in messages:
        try:
            identity(message)
            moment(message.get("created_datetime"))
            tickets.setdefault(_needed_id(message, "ticket_id"), []).append(message)
        except (BadInput, ValueError) as error:
            bad.append((_named(message), reason(error)))
    rows = []
    for ticket_id, its in tickets.items():
        first = oldest(its)
        if first is not None:
            rows.append(part_row(ticket_id, {"first_message": first_message(first)}, _time(first, "created_datetime")))
    return rows, bad


def survey_row(survey: Json) -> Row:
    """The score of a survey's ticket; `stamp` is the survey's own time, not the ticket's. Raises BadInput."""
    ticket_id = _needed_id(survey, "ticket_id")
    score = survey.get("score")
    if score is not None and (isinstance(score, bool) or not isinstance(score, int)):
        raise BadInput("not a number", field="score")
    stamp = _time(survey, "scored_datetime") or _time(survey, "sent_datetime") or _time(survey, "created_datetime")
    return part_row(ticket_id, {"score": score}, stamp)


def part_row(ticket_id: str, shown: Mapping[str, Json], stamp: datetime | None) -> Row:
    """A row that shows a part of a ticket, read from another resource."""
    return Row(System.GORGIAS, Entity.TICKET, ticket_id, shown, Channel.LIST, stamp=stamp)


def oldest(messages: Iterable[Mapping[str, Json]]) -> Mapping[str, Json] | None:
    """The first message by time, then id."""
    return min(messages, key=_age, default=None)


def _age(message: Mapping[str, Json]) -> tuple[str, int]:
    number = message.get("id")
    return _spelled(message, "created_datetime") or "", number if isinstance(number, int) else 0


def first_message(message: Mapping[str, Json]) -> dict[str, Json]:
    """Id, time and words of a message: the stripped text, else the text, else the HTML as text."""
    texts = (message.get("stripped_text"), message.get("body_text"))
    text = next((one.strip() for one in texts if isinstance(one, str) and one.strip()), None)
    if text is None:
        html = message.get("body_html")
        text = html_text(html) if isinstance(html, str) else ""
    return {"id": _id_of(message), "at": _spelled(message, "created_datetime"), "text": text}


class _Text(HTMLParser):
    _TEXTS = ("address", "blockquote", "br", "div", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "p", "pre")
    _BLOCKS = frozenset((*_TEXTS, "li", "ol", "ul", "table", "td", "th", "tr"))
    _SILENT = frozenset(("head", "script", "style", "title"))

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del attrs
        if tag in self._SILENT:
            self._silent += 1
        elif tag in self._BLOCKS:
            self.parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in self._SILENT:
            self._silent = max(0, self._silent - 1)
        elif tag in self._BLOCKS:
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.parts.append(data)


def html_text(html: str) -> str:
    """The words of an HTML body: one line for each block, no blank lines."""
    parser = _Text()
    parser.feed(html)
    parser.close()
    lines = (" ".join(line.split()) for line in "".join(parser.parts).split("\n"))
    return "\n".join(line for line in lines if line)


def identity(theirs: Json) -> str:
    """The id of an object as text. Raises BadInput."""
    return _needed_id(theirs, "id")


def reason(error: Exception) -> str:
    """Why a row could not be read, naming its field and no value."""
    if isinstance(error, BadInput) and error.field:
        return f"{error.field}: {error.message}"
    return "a time that cannot be read"


def _named(theirs: Json) -> str:
    found = theirs.get("id") if isinstance(theirs, dict) else None
    return str(found) if isinstance(found, int | str) else "?"


def bad_row(theirs: Json, error: Exception) -> tuple[str, str]:
    """What `Page.bad` says about a row that could not be read."""
    return _named(theirs), reason(error)


def _needed_id(theirs: Json, name: str) -> str:
    value = theirs.get(name) if isinstance(theirs, dict) else None
    if isinstance(value, bool) or not isinstance(value, int | str) or value == "":
        raise BadInput("no id", field=name)
    return str(value)


def _id_of(theirs: Json) -> str | None:
    value = theirs.get("id") if isinstance(theirs, dict) else None
    return str(value) if isinstance(value, int | str) and not isinstance(value, bool) else None


def _time(theirs: Mapping[str, Json], name: str) -> datetime | None:
    try:
        return moment(theirs.get(name))
    except ValueError:
        raise BadInput("not a time", field=name) from None


def _spelled(theirs: Mapping[str, Json], name: str) -> str | None:
    parsed = _time(theirs, name)
    return None if parsed is None else spelled(parsed)
