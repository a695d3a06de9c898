"""HubSpot's kinds of record and how they may be associated.

Type ids are directional: contact to ticket is 15, ticket to contact 16, and the reverse id is refused [doc, recorded].
"""

from dataclasses import dataclass
from typing import Any

from sync_platform.sandbox.hubspot_wire import Refusal, refuse


@dataclass(frozen=True, slots=True)
class Kind:
    """One object type; `created` and `modified` are the names of its two system times."""

    name: str
    singular: str
    type_id: str
    created: str
    modified: str
    defaults: tuple[str, ...]  # properties of an answer to a read that names none
    searched: tuple[str, ...]  # properties that a search's `query` looks into

    @property
    def upper(self) -> str:
        """As messages name it: CONTACT."""
        return self.singular.upper()

    @property
    def always(self) -> tuple[str, ...]:
        """Properties in every answer."""
        return ("hs_object_id", self.created, self.modified)


CONTACTS = Kind(
    "contacts",
    "contact",
    "0-1",
    "createdate",
    "lastmodifieddate",
    ("createdate", "email", "firstname", "hs_object_id", "lastmodifieddate", "lastname"),
    ("firstname", "lastname", "email", "hs_additional_emails", "phone", "company"),
)
COMPANIES = Kind(
    "companies",
    "company",
    "0-2",
    "createdate",
    "hs_lastmodifieddate",
    ("createdate", "domain", "hs_lastmodifieddate", "hs_object_id", "name"),
    ("name", "domain", "phone"),
)
TICKETS = Kind(
    "tickets",
    "ticket",
    "0-5",
    "createdate",
    "hs_lastmodifieddate",
    (
        "content",
        "createdate",
        "hs_lastmodifieddate",
        "hs_object_id",
        "hs_pipeline",
        "hs_pipeline_stage",
        "hs_ticket_category",
        "hs_ticket_priority",
        "subject",
    ),
    ("subject", "content", "hs_ticket_id"),
)
NOTES = Kind(
    "notes",
    "note",
    "0-46",
    "hs_createdate",
    "hs_lastmodifieddate",
    ("hs_createdate", "hs_lastmodifieddate", "hs_object_id"),
    ("hs_note_body",),
)
KINDS: dict[str, Kind] = {kind.name: kind for kind in (CONTACTS, COMPANIES, TICKETS, NOTES)}
_BY_ANY_NAME = {name: kind for kind in KINDS.values() for name in (kind.name, kind.singular, kind.type_id)}


def kind_of(text: str) -> Kind:
    """The kind by plural, singular or id. Raises Refusal(400) without a category, as recorded."""
    kind = _BY_ANY_NAME.get(text.lower())
    if kind is None:
        refuse(400, f"Unable to infer object type from: {text}")
    return kind


@dataclass(frozen=True, slots=True)
class Tie:
    """One association type in one direction, with the id that the other side shows."""

    type_id: int
    back_id: int
    label: str | None
    v3: str

    def spec(self) -> dict[str, Any]:
        """As a write names it."""
        return {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": self.type_id}

    def shown(self) -> dict[str, Any]:
        """As a read names it."""
        return {"category": "HUBSPOT_DEFINED", "typeId": self.type_id, "label": self.label}


def _pair(a: Kind, b: Kind, there: int, back: int, primary: tuple[int, int] | None = None) -> None:
    suffix = "_unlabeled" if primary else ""
    for left, right, one, other in ((a, b, there, back), (b, a, back, there)):
        base = f"{left.singular}_to_{right.singular}"
        TIES[left.name, right.name] = [Tie(one, other, None, base + suffix)]
    if primary:
        TIES[a.name, b.name].append(Tie(primary[0], primary[1], "Primary", f"{a.singular}_to_{b.singular}"))
        TIES[b.name, a.name].append(Tie(primary[1], primary[0], "Primary", f"{b.singular}_to_{a.singular}"))


TIES: dict[tuple[str, str], list[Tie]] = {}
_pair(CONTACTS, TICKETS, 15, 16)
_pair(TICKETS, COMPANIES, 339, 340, (26, 25))
_pair(CONTACTS, COMPANIES, 279, 280, (1, 2))
_pair(NOTES, CONTACTS, 202, 201)
_pair(NOTES, TICKETS, 228, 227)
_pair(NOTES, COMPANIES, 190, 189)


def ties(a: Kind, b: Kind) -> list[Tie]:
    """The types from a to b, the unlabelled one first. Raises Refusal(400) when the pair can't be associated."""
    found = TIES.get((a.name, b.name))
    if not found:
        refuse(400, f"{a.upper} can't be associated with {b.upper}", "VALIDATION_ERROR")
    return found


def tie_of(a: Kind, b: Kind, type_id: Any) -> Tie:
    """The type with this id in this direction. Raises Refusal(400) naming the ids that are expected."""
    known = ties(a, b)
    for tie in known:
        if str(tie.type_id) == str(type_id):
            return tie
    expected = ", ".join(str(tie.type_id) for tie in known)
    raise Refusal(
        400,
        f"Type id {type_id} doesn't exist between {a.type_id} and {b.type_id}. Expected one of: [{expected}]",
        "VALIDATION_ERROR",
        sub="crm.associations.INVALID_ASSOCIATION_TYPE",
    )
