r"""HubSpot's objects as rows of attributes, and attributes as properties to write.

Every value is a string on the wire [recorded]. A property that was never set is null, a cleared one "" [recorded]: both
are None here. Names that the account does not have are silently left out of answers [recorded]: missing is not empty.
`hs_additional_emails` is a list with semicolons; tags are one text `a;b` in which a semicolon of a tag is `\;`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from sync_platform.core.records import Channel, Entity, Evidence, Json, Row, System

MARKER = "sync_id"
CONTACT_ATTRIBUTES = (
    "email",
    "hs_additional_emails",
    "firstname",
    "lastname",
    "phone",
    "hs_language",
    "company",
    "sync_customer_no",
    "sync_note",
    "sync_marketing_opt_out",
    "sync_credit_status",
    "sync_lifetime_value",
    "sync_order_count",
    MARKER,
)
TICKET_ATTRIBUTES = (
    "subject",
    "hs_pipeline",
    "hs_pipeline_stage",
    "hs_ticket_priority",
    "sync_channel",
    "hubspot_owner_id",
    "sync_tags",
    "createdate",
    "closed_date",
    "content",
    "sync_message_count",
    "sync_last_message_at",
    "sync_satisfaction",
    MARKER,
)
ATTRIBUTES: Mapping[Entity, tuple[str, ...]] = {Entity.CUSTOMER: CONTACT_ATTRIBUTES, Entity.TICKET: TICKET_ATTRIBUTES}
KIND: Mapping[Entity, str] = {Entity.CUSTOMER: "contacts", Entity.TICKET: "tickets"}
MODIFIED: Mapping[Entity, str] = {Entity.CUSTOMER: "lastmodifieddate", Entity.TICKET: "hs_lastmodifieddate"}
MERGED = ("hs_merged_object_ids", "hs_calculated_merged_vids")
EMAILS, TAGS, CONTACT = "hs_additional_emails", "sync_tags", "contact"
_LISTS = frozenset({EMAILS, TAGS})
# Attributes that are not written as properties: addresses one by one, the contact by associations.
ELSEWHERE = frozenset({EMAILS, CONTACT})
_Item = TypeVar("_Item")


def wanted_properties(entity: Entity) -> list[str]:
    """Names to ask for in every read."""
    extra = MERGED if entity is Entity.CUSTOMER else MERGED[:1]
    return list(dict.fromkeys((*ATTRIBUTES[entity], "createdate", MODIFIED[entity], *extra)))


def moment(text: Json) -> datetime | None:
    """A time of HubSpot (ISO, with or without fraction, or epoch milliseconds) as aware UTC; None for anything else."""
    if not isinstance(text, str) or not text:
        return None
    try:
        if text.lstrip("-").isdigit():
            return datetime.fromtimestamp(int(text) / 1000, UTC)
        at = datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError):
        return None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)


def milliseconds(at: datetime) -> int:
    """Epoch milliseconds, HubSpot's own resolution."""
    return round(at.timestamp() * 1000)


def split_tags(text: str) -> list[str]:
    r"""`a;b\;c` → ["a", "b;c"]."""
    tags, tag, escaped = [], "", False
    for letter in text:
        if escaped:
            tag, escaped = tag + letter, False
        elif letter == "\\":
            escaped = True
        elif letter == ";":
            tags.append(tag)
            tag = ""
        else:
            tag += letter
    return [one for one in (*tags, tag) if one]


def join_tags(tags: Iterable[Json]) -> str:
    """The inverse of `split_tags`, sorted, so that equal sets are equal texts."""
    texts = sorted({str(tag) for tag in tags if str(tag)})
    return ";".join(tag.replace("\\", "\\\\").replace(";", "\\;") for tag in texts)


def attributes_of(entity: Entity, properties: Mapping[str, Json]) -> dict[str, Json]:
    """Attributes that an answer's properties show."""
    shown: dict[str, Json] = {}
    for name in ATTRIBUTES[entity]:
        if name not in properties:
            continue
        text = properties[name]
        if name == TAGS:
            shown[name] = sorted(split_tags(text or ""))
        elif name == EMAILS:
            shown[name] = [part.strip() for part in (text or "").split(";") if part.strip()]
        else:
            shown[name] = text if text not in ("", None) else None
    return shown


def merged_ids(properties: Mapping[str, Json]) -> list[str]:
    """Ids that were merged into this object: `id;id`, for contacts also `id:epochms;…`."""
    found: list[str] = []
    for name in MERGED:
        for part in (properties.get(name) or "").split(";"):
            old = part.partition(":")[0].strip()
            if old.isdigit():
                found.append(old)
    return sorted(set(found), key=int)


def row_of(entity: Entity, found: Mapping[str, Any], channel: Channel) -> Row:
    """One object of an answer. Raises KeyError, TypeError or ValueError for rubbish."""
    properties = found["properties"]
    merged = merged_ids(properties)
    return Row(
        system=System.HUBSPOT,
        entity=entity,
        external_id=str(found["id"]),
        attributes=attributes_of(entity, properties),
        channel=channel,
        stamp=moment(properties.get(MODIFIED[entity])) or moment(found.get("updatedAt")),
        carry={"merged": merged} if merged else None,
        created_at=moment(found.get("createdAt")) or moment(properties.get("createdate")),
    )


def absorbed(rows: Iterable[Row]) -> list[Row]:
    """That ids were merged away, as their survivors tell: no feed and no archived listing shows them [code]."""
    out: list[Row] = []
    for row in rows:
        merged = row.carry.get("merged", ()) if isinstance(row.carry, dict) else ()
        for old in merged:
            # A survivor that kept its id lists itself.
            if old != row.external_id:
                evidence = Evidence("merged", row.external_id)
                out.append(Row(System.HUBSPOT, row.entity, old, {}, row.channel, stamp=row.stamp, evidence=evidence))
    return out


def read_row(entity: Entity, found: Any, channel: Channel) -> tuple[Row | None, tuple[str, str] | None]:
    """A row, or (id, reason) of one that nobody can read."""
    try:
        return row_of(entity, found, channel), None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        known = str(found.get("id") or "?") if isinstance(found, dict) else "?"
        return None, (known, f"unreadable: {type(error).__name__}")


def chunks(items: Sequence[_Item], size: int) -> Iterator[Sequence[_Item]]:
    """`items` in pieces of at most `size`."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def wire(value: Json) -> str:
    """A value as HubSpot wants it: always text, "" clears; null's effect is not established, so it is never sent."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return join_tags(value)
    return str(value)


def composed_tags(was: Sequence[Json], add: Sequence[Json], remove: Sequence[Json]) -> list[str]:
    """Tags after an element-wise change; an addition beats a removal."""
    return sorted({str(one) for one in was if one not in set(remove)} | {str(one) for one in add})
