"""What one merge may look at, and the few questions that every rule asks: what a link shows, what a value explains.

Knows mappings and cells, decides nothing. Links are looked at in one fixed order, so that the order in which they were
loaded decides nothing either.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sync_platform.core.answers import Answer
from sync_platform.core.mappings import NOT_WRITABLE, FieldMap, Lexicon, Unmappable
from sync_platform.core.normalize import blank
from sync_platform.core.policy import EntityPolicy
from sync_platform.core.records import SYSTEMS, UNSET, Claim, Decision, Json, Link, Record, System
from sync_platform.errors import BadInput

Maps = Mapping[System, Mapping[str, FieldMap]]
# (link id, field, what it shows as JSON) → what the system showed from when on, newest first; None: it cannot say.
Histories = Mapping[tuple[int, str, str], Sequence[tuple[Json, str]] | None]


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A value that a mapping cannot read: parked for this link and field, blocks nothing else."""

    link_id: int
    system: System
    field: str
    reason: str


@dataclass(slots=True)
class Merged:
    """What a merge decided: decisions in order, fields newly handed to a person, values that nobody can read, and
    fields in which a reference or an agent is shown that is not known yet; reviews that a person's answer closed, and
    answers given upon claims that moved since; histories that a judgement waits for."""

    decisions: list[Decision] = field(default_factory=list)
    unreadable: list[Unreadable] = field(default_factory=list)
    reviews: list[str] = field(default_factory=list)
    waiting: set[str] = field(default_factory=set)
    resolved: list[str] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)
    asks: list[tuple[int, str, str]] = field(default_factory=list)


@dataclass(slots=True)
class Scene:
    """Everything that one merge may look at. `late` maps (link id, field) to values that may still land late, `answers`
    fields in review to what a person answered. `histories` is what systems told of a field's own past; with `may_ask`
    a field that waits for one is left unjudged and named in `out.asks`. Decisions below number `policy_from` were made
    under another policy, those below `mapping_from` by other mappings; `sources` then names by field the link that its
    value came from."""

    record: Record
    links: Sequence[Link]
    policy: EntityPolicy
    maps: Maps
    lexicons: Mapping[System, Lexicon]
    next_number: int
    late: Mapping[tuple[int, str], Json] = field(default_factory=dict)
    answers: Mapping[str, Answer] = field(default_factory=dict)
    histories: Histories = field(default_factory=dict)
    may_ask: bool = False
    policy_from: int = 0
    mapping_from: int = 0
    sources: Mapping[str, int] = field(default_factory=dict)
    out: Merged = field(default_factory=Merged)
    # What `put` gave for the value that it was last asked of, by system and field.
    images: dict[tuple[System, str], tuple[Json, Json]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.links = sorted(self.links, key=lambda link: (SYSTEMS.index(link.system), link.id))

    # --- what is shown ------------------------------------------------------------------------------------------

    def field_map(self, link: Link, name: str) -> FieldMap | None:
        """How this link's system shows a field, if it has it."""
        return self.maps[link.system].get(name)

    def kind(self, name: str) -> str:
        """scalar, set or reference: the same in every system that has the field."""
        for maps in self.maps.values():
            if name in maps:
                return maps[name].kind
        return "scalar"

    def shown(self, name: str) -> list[Link]:
        """Links that take part: they showed the field once and no write of ours to them is unsettled."""
        return [
            link
            for link in self.links
            if (cell := link.cells.get(name)) is not None
            and cell.shadow is not UNSET
            and not link.unsettled
            and name in self.maps[link.system]
        ]

    def get(self, link: Link, name: str, theirs: Json, current: Json) -> Json:
        """Their form → canonical; UNSET for a reference or agent that is not known (yet). Raises `BadInput`."""
        return self.maps[link.system][name].get(theirs, current, self.lexicons[link.system])

    def put(self, link: Link, name: str, value: Json) -> Json:
        """Canonical → their form; UNSET where it cannot be written there."""
        # Asked of the same value several times over: whether it stands, what explains it, what is owed.
        before = self.images.get((link.system, name))
        if before is not None and before[0] is value:
            return before[1]
        try:
            image = self.maps[link.system][name].put(value, self.lexicons[link.system])
        except Unmappable:
            image = UNSET
        if not isinstance(value, list | dict) and not isinstance(image, list | dict):
            # Of what can change in place each asks anew.
            self.images[link.system, name] = (value, image)
        return image

    def claim(self, link: Link, name: str) -> Claim | None:
        """What a link claims for a field; None where it cannot be read, which is noted. The number is still open."""
        cell = link.cell(name)
        try:
            value = self.get(link, name, cell.shadow, self.record.fields.get(name))
        except BadInput as error:
            self.out.unreadable.append(Unreadable(link.id, link.system, name, error.message))
            cell.base, cell.apart = cell.shadow, True
            self.add(name, self.record.fields.get(name), "unreadable", claims=[self._claim(link, name, None)])
            return None
        if value is UNSET:
            self.out.waiting.add(name)
            return None
        return self._claim(link, name, value)

    def _claim(self, link: Link, name: str, value: Json) -> Claim:
        cell = link.cell(name)
        stamp = link.stamp.isoformat() if link.stamp else None
        since, until = cell.span or (None, stamp)
        return Claim(link.system, link.id, value, cell.shadow, self.next_number, cell.seen, until, since=since)

    # --- what a value explains ----------------------------------------------------------------------------------

    def accounts_for(self, value: Json, system: System, name: str, theirs: Json) -> bool:
        """Whether a canonical value is what a system shows: `put(value)` is it, or both read the same."""
        mapping = self.maps[system].get(name)
        if mapping is None:
            return False
        lexicon = self.lexicons[system]
        try:
            if mapping.put(value, lexicon) == theirs:
                return True
        except Unmappable:
            pass
        try:
            read = mapping.get(theirs, value, lexicon)
        except BadInput:
            return False
        return read is not UNSET and same(read, value)

    def explains(self, value: Json, link: Link, name: str) -> bool:
        """Whether a canonical value already accounts for what the link shows now, or for what it made of that value."""
        cell = link.cell(name)
        if self.accounts_for(value, link.system, name, cell.shadow):
            return True
        # A system may keep something else than it was sent, for reasons of its own: that is not somebody's edit.
        return cell.held is not UNSET and cell.shadow == cell.held and self.put(link, name, value) == cell.image

    def stands(self, link: Link, name: str) -> bool:
        """Whether neither side moved since the last agreement."""
        cell = link.cells[name]
        if cell.held is UNSET or cell.shadow != cell.held:
            return False
        image = self.put(link, name, self.record.fields.get(name))
        return image is not UNSET and bool(image == cell.image)

    def gap(self, system: System, name: str) -> str | None:
        """Why the record's value cannot be written there: no_counterpart, awaits_customer, not_writable, or None."""
        mapping = self.maps[system][name]
        try:
            mapping.put(self.record.fields.get(name), self.lexicons[system])
        except Unmappable as gap:
            return gap.reason
        return None if mapping.mode == "both" else NOT_WRITABLE

    # --- what is noted ------------------------------------------------------------------------------------------

    def add(
        self,
        name: str,
        value: Json,
        rule: str,
        *,
        winner: Claim | None = None,
        claims: Sequence[Claim] = (),
        replaced: Json = None,
        cause: str = "change",
    ) -> int:
        """Append one decision; gives its number."""
        number = self.next_number
        self.next_number += 1
        record = self.record
        looked_at = tuple(claim.alone() for claim in claims)
        winner = winner.alone() if winner else None
        self.out.decisions.append(
            Decision(record.id, record.entity, name, value, rule, number, winner, looked_at, replaced, cause)
        )
        return number

    def decided(self, name: str, value: Json, number: int) -> None:
        """The record has this value by this decision; what was left apart from another value is owed again."""
        record = self.record
        if name not in record.fields or record.fields[name] != value:
            for link in self.links:
                if name in link.cells:
                    link.cells[name].apart = False
        record.fields[name] = value
        record.decided[name] = number

    def refused(self, name: str, rule: str, claims: Sequence[Claim], cause: str = "change") -> None:
        """The record keeps what it has, also where that is nothing: from now on that is decided, so it is owed."""
        record = self.record
        number = self.add(name, record.fields.get(name), rule, claims=claims, cause=cause)
        record.fields.setdefault(name, [] if self.kind(name) == "set" else None)
        record.decided.setdefault(name, number)

    def agree(self, link: Link, name: str) -> None:
        """Agreement without a write."""
        cell = link.cell(name)
        cell.base = cell.held = cell.shadow
        image = self.put(link, name, self.record.fields.get(name))
        cell.image = cell.shadow if image is UNSET else image
        cell.seen = self.record.decided.get(name, 0)
        cell.apart = False

    def settle(self, name: str, shown: Sequence[Link]) -> None:
        """Every link whose showing is judged and equals the record agrees; what can never be written is left apart."""
        if name in self.record.reviews:
            return
        value = self.record.fields.get(name)
        for link in shown:
            cell = link.cells[name]
            if cell.base is UNSET or cell.changed or self.stands(link, name):
                continue
            written = self.maps[link.system][name].mode == "both"
            if cell.apart and written:
                continue
            if self.explains(value, link, name):
                self.agree(link, name)
            elif not written:
                cell.apart = True


def same(one: Json, other: Json) -> bool:
    """Whether two canonical values say the same; blanks do."""
    return one == other or (blank(one) and blank(other))
