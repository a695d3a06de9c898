"""HubSpot's kinds of record and how they may be associated.

Type ids are directional: contact to ticket is 15, ticket to contact 16, and the reverse id is refused [doc, recorded].
Paths take a kind by plural, singular and id; an unknown one is a 400 without a category [recorded]. Type ids between
pairs that no source at hand names are HubSpot's well-known ones where there are such [general knowledge], else made up:
stable, and listed by the labels call like all others.
"""

import re
from dataclasses import dataclass
from typing import Any, Literal

from sync_platform.sandbox.hubspot.wire import Refusal, refuse

Category = Literal["HUBSPOT_DEFINED", "USER_DEFINED"]
CUSTOM_TYPE_ID_FIRST = 41_000_001  # the account's first own type is 2-41000001


@dataclass(frozen=True, slots=True)
class Kind:
    """One object type; `created` and `modified` are the names of its two system times.

    `line_names` are the properties for pipeline and stage, `number` tells kinds apart in made-up association ids.
    """

    name: str
    singular: str
    type_id: str
    created: str
    modified: str
    defaults: tuple[str, ...]  # properties of an answer to a read that names none
    searched: tuple[str, ...]  # properties that a search's `query` looks into
    number: int
    scope: str  # the middle of its scopes: crm.objects.<scope>.read
    line_names: tuple[str, str] | None = None
    mergeable: bool = False
    writable: bool = True
    aliases: tuple[str, ...] = ()
    required: tuple[str, ...] = ()

    @property
    def upper(self) -> str:
        """As messages name it: CONTACT."""
        return self.singular.upper()

    @property
    def always(self) -> tuple[str, ...]:
        """Properties in every answer."""
        return ("hs_object_id", self.created, self.modified)

    @property
    def custom(self) -> bool:
        """Whether the account made this type itself."""
        return self.type_id.startswith("2-")


_LINE = ("hs_pipeline", "hs_pipeline_stage")


def _kind(number: int, names: str, type_id: str, defaults: str, searched: str, **more: Any) -> Kind:
    name, singular = names.split()
    created = more.pop("created", "createdate")
    modified = more.pop("modified", "hs_lastmodifieddate")
    shown = tuple(sorted({*defaults.split(), created, modified, "hs_object_id"}))
    scope = more.pop("scope", name)
    return Kind(name, singular, type_id, created, modified, shown, tuple(searched.split()), number, scope, **more)


CONTACTS = _kind(
    0,
    "contacts contact",
    "0-1",
    "email firstname lastname",
    "firstname lastname email hs_additional_emails phone company",
    modified="lastmodifieddate",
    mergeable=True,
)
COMPANIES = _kind(1, "companies company", "0-2", "domain name", "name domain phone", mergeable=True)
TICKETS = _kind(
    2,
    "tickets ticket",
    "0-5",
    "content hs_pipeline hs_pipeline_stage hs_ticket_category hs_ticket_priority subject",
    "subject content hs_ticket_id",
    line_names=_LINE,
    mergeable=True,
    required=("hs_pipeline_stage",),
)
NOTES = _kind(
    3,
    "notes note",
    "0-46",
    "",
    "hs_note_body",
    created="hs_createdate",
    scope="contacts",
    required=("hs_timestamp",),
)
DEALS = _kind(
    4,
    "deals deal",
    "0-3",
    "amount closedate dealname dealstage pipeline",
    "dealname",
    line_names=("pipeline", "dealstage"),
    mergeable=True,
)
LINE_ITEMS = _kind(5, "line_items line_item", "0-8", "name price quantity", "name hs_sku", aliases=("line items",))
PRODUCTS = _kind(6, "products product", "0-7", "description name price", "name hs_sku description")


def _activity(number: int, names: str, type_id: str, searched: str) -> Kind:
    """Activities are covered by the contacts scopes and need their time."""
    more: dict[str, Any] = {"created": "hs_createdate", "scope": "contacts", "required": ("hs_timestamp",)}
    return _kind(number, names, type_id, "", searched, **more)


CALLS = _activity(7, "calls call", "0-48", "hs_call_title hs_call_body")
EMAILS = _activity(8, "emails email", "0-49", "hs_email_subject hs_email_text")
MEETINGS = _activity(9, "meetings meeting", "0-47", "hs_meeting_title hs_meeting_body")
TASKS = _activity(10, "tasks task", "0-27", "hs_task_subject hs_task_body")
COMMUNICATIONS = _activity(11, "communications communication", "0-18", "hs_communication_body")
USERS = _kind(
    12, "users user", "0-115", "", "hs_given_name hs_family_name hs_email", created="hs_createdate", writable=False
)
KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        CONTACTS, COMPANIES, TICKETS, NOTES, DEALS, LINE_ITEMS, PRODUCTS, CALLS, EMAILS, MEETINGS, TASKS,
        COMMUNICATIONS, USERS,
    )
}  # fmt: skip
_BY_ANY_NAME = {
    name: kind for kind in KINDS.values() for name in (kind.name, kind.singular, kind.type_id, *kind.aliases)
}
_CUSTOM_PATH = re.compile(r"2-\d+|p\d*_\w+")


def kind_of(text: str) -> Kind:
    """A standard kind by plural, singular or id. Raises Refusal(400) without a category, as recorded."""
    kind = _BY_ANY_NAME.get(text.lower())
    if kind is None:
        refuse(400, f"Unable to infer object type from: {text}")
    return kind


def names_a_kind(text: str) -> bool:
    """Whether a path's segment names a kind, of whatever account."""
    return text.lower() in _BY_ANY_NAME or _CUSTOM_PATH.fullmatch(text) is not None


def custom_kind(number: int, portal_id: int, name: str, displayed: tuple[str, ...], required: tuple[str, ...]) -> Kind:
    """The account's own type; `displayed` are its primary and secondary display properties."""
    return Kind(
        f"p{portal_id}_{name}",
        name,
        f"2-{CUSTOM_TYPE_ID_FIRST + number}",
        "hs_createdate",
        "hs_lastmodifieddate",
        tuple(sorted({"hs_createdate", "hs_lastmodifieddate", "hs_object_id", *displayed})),
        displayed,
        100 + number,
        "custom",
        line_names=_LINE,
        aliases=(name, f"p_{name}"),
        required=required,
    )


class Kinds:
    """All kinds of one account: HubSpot's own and the account's."""

    def __init__(self) -> None:
        self.by_name: dict[str, Kind] = dict(KINDS)
        self._by_any_name = dict(_BY_ANY_NAME)

    def of(self, text: str) -> Kind:
        """A kind by plural, singular, qualified name or id. Raises Refusal(400)."""
        kind = self._by_any_name.get(text.lower())
        return kind_of(text) if kind is None else kind

    def add(self, kind: Kind) -> None:
        """A type of the account's own."""
        self.by_name[kind.name] = kind
        for name in (kind.name, kind.type_id, *kind.aliases):
            self._by_any_name.setdefault(name.lower(), kind)

    def drop(self, kind: Kind) -> None:
        """Forget a type of the account's own."""
        del self.by_name[kind.name]
        self._by_any_name = {name: one for name, one in self._by_any_name.items() if one is not kind}


@dataclass(frozen=True, slots=True)
class Tie:
    """One association type in one direction, with the id that the other side shows."""

    type_id: int
    back_id: int
    label: str | None
    v3: str
    category: Category = "HUBSPOT_DEFINED"

    def spec(self) -> dict[str, Any]:
        """As a write names it."""
        return {"associationCategory": self.category, "associationTypeId": self.type_id}

    def shown(self) -> dict[str, Any]:
        """As a read names it."""
        return {"category": self.category, "typeId": self.type_id, "label": self.label}


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
_pair(DEALS, TICKETS, 27, 28)
_pair(EMAILS, CONTACTS, 198, 197)
_pair(EMAILS, TICKETS, 224, 223)
# From here on: general knowledge, in no source at hand.
_pair(DEALS, CONTACTS, 3, 4)
_pair(DEALS, COMPANIES, 341, 342, (5, 6))
_pair(DEALS, LINE_ITEMS, 19, 20)
_pair(NOTES, DEALS, 214, 213)
_pair(EMAILS, COMPANIES, 186, 185)
_pair(EMAILS, DEALS, 210, 209)
_pair(CALLS, CONTACTS, 194, 193)
_pair(CALLS, COMPANIES, 182, 181)
_pair(CALLS, DEALS, 206, 205)
_pair(CALLS, TICKETS, 220, 219)
_pair(MEETINGS, CONTACTS, 200, 199)
_pair(MEETINGS, COMPANIES, 188, 187)
_pair(MEETINGS, DEALS, 212, 211)
_pair(MEETINGS, TICKETS, 226, 225)
_pair(TASKS, CONTACTS, 204, 203)
_pair(TASKS, COMPANIES, 192, 191)
_pair(TASKS, DEALS, 216, 215)
_pair(TASKS, TICKETS, 230, 229)
_pair(COMMUNICATIONS, CONTACTS, 81, 82)
_pair(COMMUNICATIONS, COMPANIES, 87, 88)
_pair(COMMUNICATIONS, DEALS, 85, 86)
_pair(COMMUNICATIONS, TICKETS, 84, 83)
_LONE = frozenset({"users", "products"})  # nothing is associated with them


def ties(a: Kind, b: Kind) -> list[Tie]:
    """HubSpot's own types from a to b, the unlabelled one first. Raises Refusal(400) when there can be none."""
    found = TIES.get((a.name, b.name))
    if found:
        return found
    if a.name in _LONE or b.name in _LONE:
        refuse(400, f"{a.upper} can't be associated with {b.upper}", "VALIDATION_ERROR")
    base = f"{a.singular}_to_{b.singular}"
    return [Tie(_made_up(a, b), _made_up(b, a), None, base)]


def _made_up(a: Kind, b: Kind) -> int:
    return 20_000 + 500 * a.number + b.number


def tie_among(known: list[Tie], a: Kind, b: Kind, type_id: Any) -> Tie:
    """The type with this id among the known ones from a to b. Raises Refusal(400) naming the ids that are expected."""
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


def tie_of(a: Kind, b: Kind, type_id: Any) -> Tie:
    """HubSpot's own type with this id in this direction. Raises Refusal(400)."""
    return tie_among(ties(a, b), a, b, type_id)
