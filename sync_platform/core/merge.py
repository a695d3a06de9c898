"""Three-way merge of one record: what its links claim, which claim wins, and what that says about each link.

Decides: for each field the canonical value, and with it base, held, image and `seen` of every link.
Must not know: clocks, systems' calls, SQL. Times never decide whether something changed; a change is a shadow that
differs from its base. The same links and the same record give the same decisions, in whatever order they came.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sync_platform.core.mappings import FieldMap, Lexicon, Unmappable, coherent
from sync_platform.core.normalize import blank
from sync_platform.core.policy import EntityPolicy, FieldPolicy
from sync_platform.core.records import UNSET, Cell, Claim, Decision, Json, Link, Record, System
from sync_platform.core.rules import by_order, decide
from sync_platform.errors import BadInput

Maps = Mapping[System, Mapping[str, FieldMap]]


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A value that a mapping cannot read: parked for this link and field, blocks nothing else."""

    link_id: int
    system: System
    field: str
    reason: str


@dataclass(slots=True)
class Merged:
    """What a merge decided: decisions in order, fields newly handed to a person, values that nobody can read."""

    decisions: list[Decision] = field(default_factory=list)
    unreadable: list[Unreadable] = field(default_factory=list)
    reviews: list[str] = field(default_factory=list)
    waiting: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Scene:
    """Everything that one merge may look at. `late` maps (link id, field) to values that may still land late."""

    record: Record
    links: Sequence[Link]
    policy: EntityPolicy
    maps: Maps
    lexicons: Mapping[System, Lexicon]
    next_number: int
    late: Mapping[tuple[int, str], Json] = field(default_factory=dict)
    out: Merged = field(default_factory=Merged)

    def field_map(self, link: Link, name: str) -> FieldMap | None:
        """How this link's system shows a field, if it has it."""
        return self.maps[link.system].get(name)

    def get(self, link: Link, name: str, theirs: Json, current: Json) -> Json:
        """Their form → canonical; UNSET where it cannot be read (yet)."""
        mapping = self.maps[link.system][name]
        try:
            return mapping.get(theirs, current, self.lexicons[link.system])
        except BadInput as error:
            self.out.unreadable.append(Unreadable(link.id, link.system, name, error.message))
            return UNSET

    def put(self, link: Link, name: str, value: Json) -> Json:
        """Canonical → their form; UNSET where it cannot be written there."""
        mapping = self.maps[link.system][name]
        try:
            return mapping.put(value, self.lexicons[link.system])
        except Unmappable:
            return UNSET

    def explains(self, value: Json, link: Link, name: str) -> bool:
        """Whether a canonical value already accounts for what the link shows."""
        shadow = link.cell(name).shadow
        if self.put(link, name, value) == shadow:
            return True
        read = self.get(link, name, shadow, value)
        return read is not UNSET and _same(read, value)

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
        self.out.decisions.append(
            Decision(record.id, record.entity, name, value, rule, number, winner, tuple(claims), replaced, cause)
        )
        return number


def merge(scene: Scene) -> Merged:
    """Judge every field of a record; changes record and cells of the links in place and gives the decisions."""
    record = scene.record
    active = [link for link in scene.links if not link.unsettled]
    if not record.settled:
        _birth(scene, active)
    for name, policy in scene.policy.fields.items():
        shown = [link for link in active if scene.field_map(link, name) and not link.cell(name).unread]
        if not shown:
            continue
        if _kind(scene, shown[0], name) == "set":
            _merge_set(scene, name, policy, shown)
            continue
        _first_links(scene, name, policy, [link for link in shown if link.cell(name).base is UNSET])
        _merge_changes(scene, name, policy, [link for link in shown if link.cell(name).changed])
        _close(scene, name, active)
    _hold_together(scene, active)
    return scene.out


def _hold_together(scene: Scene, links: Sequence[Link]) -> None:
    """Fields that contradict each other (a second e-mail that is the first one again) are decided once more."""
    record = scene.record
    others: list[Json] = []
    for link in links:
        for name in ("email", "email_2"):
            if scene.field_map(link, name) and name in link.cells and not link.cells[name].unread:
                shadow = link.cells[name].shadow
                others += shadow if isinstance(shadow, list) else [shadow]
    for name, value in coherent(record.entity, record.fields, sorted(o for o in others if o)).items():
        if name not in scene.policy.fields or record.fields.get(name) == value:
            continue
        replaced = record.fields.get(name)
        record.fields[name] = value
        record.decided[name] = scene.add(name, value, "coherent", replaced=replaced, cause="coherent")


def _kind(scene: Scene, link: Link, name: str) -> str:
    mapping = scene.field_map(link, name)
    return mapping.kind if mapping else "scalar"


def _same(one: Json, other: Json) -> bool:
    return one == other or (blank(one) and blank(other))


# --- a new record -----------------------------------------------------------------------------------------------


def _birth(scene: Scene, links: Sequence[Link]) -> None:
    """One decision for the whole record, one more for each field about which its links disagree."""
    record = scene.record
    values: dict[str, Json] = {}
    disputed: list[tuple[str, Claim, list[Claim]]] = []
    refused: list[tuple[str, list[Claim]]] = []
    number = scene.next_number
    for name, policy in scene.policy.fields.items():
        shown = [link for link in links if scene.field_map(link, name) and not link.cell(name).unread]
        if not shown or _kind(scene, shown[0], name) == "set":
            continue
        claims = [claim for link in shown if (claim := _claim(scene, link, name, number)) is not None]
        if len(claims) < len(shown):
            scene.out.waiting.add(name)
        allowed = policy.writers | policy.at_birth
        candidates = [claim for claim in claims if claim.system in allowed and not blank(claim.value)]
        if not candidates:
            spoken = [claim for claim in claims if not blank(claim.value)]
            if spoken and name not in scene.out.waiting:
                refused.append((name, spoken))
            continue
        if policy.first_link == "review" and not _one_explains(scene, name, candidates):
            _to_review(scene, name, candidates, number)
            continue
        winner = _one_explains(scene, name, candidates) or _first_of(policy, candidates)
        values[name] = winner.value
        losers = [claim for claim in claims if not blank(claim.value) and not _explained_by(scene, name, winner, claim)]
        if losers:
            disputed.append((name, winner, [winner, *losers]))
    record.fields.update(values)
    first = scene.add("*", dict(values), "birth", cause="birth")
    for name in values:
        record.decided[name] = first
    for name, winner, claims in disputed:
        at = scene.add(name, winner.value, "first_link", winner=winner, claims=claims, cause="birth")
        record.decided[name] = at
    for name, claims in refused:
        record.fields[name] = None
        record.decided[name] = scene.add(name, None, "refused", claims=claims, cause="birth")
    record.settled = True
    for link in links:
        for name in scene.policy.fields:
            if scene.field_map(link, name) and name not in scene.out.waiting and name not in record.reviews:
                _settle_first(scene, link, name)


def _first_of(policy: FieldPolicy, candidates: Sequence[Claim]) -> Claim:
    order = policy.first_link if isinstance(policy.first_link, tuple) else policy.order
    return by_order(order, candidates) or by_order(tuple(System), candidates) or candidates[0]


def _settle_first(scene: Scene, link: Link, name: str) -> None:
    """A first showing is judged: it agrees with the record, or a write is owed."""
    cell = link.cell(name)
    if cell.unread or _kind(scene, link, name) == "set":
        return
    cell.base = cell.shadow
    if scene.explains(scene.record.fields.get(name), link, name):
        _agree(scene, link, name)


def _agree(scene: Scene, link: Link, name: str) -> None:
    """Agreement without a write."""
    cell = link.cell(name)
    cell.base = cell.held = cell.shadow
    image = scene.put(link, name, scene.record.fields.get(name))
    cell.image = cell.shadow if image is UNSET else image
    cell.seen = scene.record.decided.get(name, 0)
    cell.apart = False


# --- a link without a base --------------------------------------------------------------------------------------


def _first_links(scene: Scene, name: str, policy: FieldPolicy, links: Sequence[Link]) -> None:
    """Nothing is a change without a base: agree, fill a blank, or stay; a blank never claims."""
    record = scene.record
    for link in links:
        current = record.fields.get(name)
        value = scene.get(link, name, link.cell(name).shadow, current)
        if value is UNSET:
            scene.out.waiting.add(name)
            continue
        fills = blank(current) and not blank(value) and name not in record.reviews
        if fills and link.system in policy.writers | policy.at_birth:
            claim = _claim(scene, link, name, scene.next_number)
            claims = [claim] if claim else []
            record.fields[name] = value
            record.decided[name] = scene.add(
                name, value, "first_link_fills", winner=claim, claims=claims, replaced=current, cause="first_link"
            )
        elif not blank(value) and not scene.explains(current, link, name):
            claim = _claim(scene, link, name, scene.next_number)
            rule = "first_link_stays" if link.system in policy.writers else "refused"
            scene.add(name, current, rule, claims=[claim] if claim else [], cause="first_link")
        _settle_first(scene, link, name)


# --- changes ----------------------------------------------------------------------------------------------------


def _claim(scene: Scene, link: Link, name: str, number: int) -> Claim | None:
    cell = link.cell(name)
    value = scene.get(link, name, cell.shadow, scene.record.fields.get(name))
    if value is UNSET:
        return None
    stamp = link.stamp.isoformat() if link.stamp else None
    return Claim(link.system, link.id, value, cell.shadow, number, cell.seen, stamp)


def _merge_changes(scene: Scene, name: str, policy: FieldPolicy, changed: Sequence[Link]) -> None:
    record = scene.record
    fresh: list[tuple[Link, Claim]] = []
    for link in changed:
        cell = link.cell(name)
        claim = _claim(scene, link, name, scene.next_number)
        if claim is None:
            scene.out.waiting.add(name)
        elif name not in record.reviews and scene.explains(record.fields.get(name), link, name):
            _agree(scene, link, name)
        elif (rule := _claims_nothing(scene, link, name, policy, claim)) is not None:
            scene.add(name, record.fields.get(name), rule, claims=[claim])
            cell.base, cell.apart = cell.shadow, False
        else:
            fresh.append((link, claim))
    if not fresh:
        return
    if name in record.reviews:
        _join_review(scene, name, fresh)
        return
    candidates = _candidates(record, name, fresh)
    winner = _one_explains(scene, name, candidates)
    rule = "only_change" if len(candidates) == 1 else "all_agree"
    if winner is None:
        verdict = decide(policy, candidates)
        if verdict is None:
            _to_review(scene, name, candidates, scene.next_number)
            for link, _ in fresh:
                link.cell(name).base = link.cell(name).shadow
            return
        winner, rule = verdict
    _decide(scene, name, winner, rule, candidates, [link for link, _ in fresh])


def _claims_nothing(scene: Scene, link: Link, name: str, policy: FieldPolicy, claim: Claim) -> str | None:
    """Our own late write, a system without the right to write, a blank where blanks are kept out."""
    if scene.late.get((link.id, name), UNSET) == link.cell(name).shadow:
        return "late"
    if link.system not in policy.writers:
        return "refused"
    if policy.empty == "keep" and blank(claim.value) and not blank(scene.record.fields.get(name)):
        return "empty_keeps"
    return None


def _candidates(record: Record, name: str, fresh: Sequence[tuple[Link, Claim]]) -> list[Claim]:
    """The changed systems, and every claim of the open contest that none of them had been shown."""
    claims = [claim for _, claim in fresh]
    systems = {claim.link_id for claim in claims}
    known = max(claim.seen for claim in claims)
    earlier = [
        claim for claim in record.contests.get(name, []) if claim.link_id not in systems and claim.number > known
    ]
    return [*earlier, *claims]


def _one_explains(scene: Scene, name: str, candidates: Sequence[Claim]) -> Claim | None:
    """The candidate whose image is what every other candidate shows; the finest of several."""
    systems = {claim.link_id: claim for claim in candidates}
    able = [
        claim
        for claim in candidates
        if all(other is claim or _explained_by(scene, name, claim, other) for other in systems.values())
    ]
    if not able:
        return None
    finest = [
        claim
        for claim in able
        if not any(
            other is not claim
            and not _same(other.value, claim.value)
            and not _explained_by(scene, name, claim, other)
            for other in able
        )
    ]
    pool = finest or able
    return by_order(tuple(System), pool)


def _explained_by(scene: Scene, name: str, claim: Claim, other: Claim) -> bool:
    if _same(claim.value, other.value):
        return True
    mapping = scene.maps[other.system].get(name)
    if mapping is None:
        return False
    try:
        image = mapping.put(claim.value, scene.lexicons[other.system])
    except Unmappable:
        return False
    return bool(image == other.theirs)


def _decide(
    scene: Scene, name: str, winner: Claim, rule: str, candidates: Sequence[Claim], fresh: Sequence[Link]
) -> None:
    record = scene.record
    replaced = record.fields.get(name)
    record.fields[name] = winner.value
    number = scene.add(name, winner.value, rule, winner=winner, claims=candidates, replaced=replaced)
    record.decided[name] = number
    newest = {claim.link_id: claim for claim in record.contests.get(name, [])}
    for claim in candidates:
        newest[claim.link_id] = claim
    record.contests[name] = list(newest.values())
    for link in fresh:
        cell = link.cell(name)
        cell.base, cell.apart = cell.shadow, False
        if link.id == winner.link_id or scene.explains(winner.value, link, name):
            _agree(scene, link, name)
    for link in scene.links:
        _shown_by_standing_still(scene, link, name, number)


def _shown_by_standing_still(scene: Scene, link: Link, name: str, number: int) -> None:
    """A new decision that left image and held as they are is agreement without a write."""
    if scene.field_map(link, name) is None:
        return
    cell = link.cell(name)
    if cell.unread or cell.changed or cell.held is UNSET or link.unsettled:
        return
    if cell.shadow == cell.held and scene.put(link, name, scene.record.fields.get(name)) == cell.image:
        cell.seen = number


def _close(scene: Scene, name: str, links: Sequence[Link]) -> None:
    """A contest ends when every link has agreed since its last decision."""
    record = scene.record
    if name not in record.contests:
        return
    last = record.decided.get(name, 0)
    for link in scene.links:
        if scene.field_map(link, name) is None or link.cell(name).unread:
            continue
        if link.unsettled or link.cell(name).seen < last:
            return
    del record.contests[name]


# --- review -----------------------------------------------------------------------------------------------------


def _to_review(scene: Scene, name: str, claims: Sequence[Claim], number: int) -> None:
    scene.add(name, scene.record.fields.get(name), "review", claims=claims)
    scene.record.reviews[name] = list(claims)
    scene.out.reviews.append(name)


def _join_review(scene: Scene, name: str, fresh: Sequence[tuple[Link, Claim]]) -> None:
    """A claimant who changes replaces his claim; when all claims agree, the review closes."""
    record = scene.record
    claims = {claim.link_id: claim for claim in record.reviews[name]}
    for link, claim in fresh:
        claims[link.id] = claim
        link.cell(name).base = link.cell(name).shadow
    record.reviews[name] = list(claims.values())
    agreed = _one_explains(scene, name, record.reviews[name])
    if agreed is None:
        scene.add(name, record.fields.get(name), "review", claims=record.reviews[name])
        scene.out.reviews.append(name)
        return
    candidates = record.reviews.pop(name)
    _decide(scene, name, agreed, "review_agreed", candidates, [link for link, _ in fresh])


# --- sets -------------------------------------------------------------------------------------------------------


def _merge_set(scene: Scene, name: str, policy: FieldPolicy, links: Sequence[Link]) -> None:
    """Record := (record ∖ all removed) ∪ all added, each system against its base: an addition beats a removal."""
    record = scene.record
    current: list[Json] = list(record.fields.get(name) or [])
    added: set[Json] = set()
    removed: set[Json] = set()
    claims: list[Claim] = []
    moved: list[Link] = []
    for link in links:
        cell = link.cell(name)
        if cell.base is not UNSET and not cell.changed:
            continue
        now = scene.get(link, name, cell.shadow, current)
        before = [] if cell.base is UNSET else scene.get(link, name, cell.base, current)
        if now is UNSET or before is UNSET:
            scene.out.waiting.add(name)
            continue
        moved.append(link)
        if link.system not in policy.writers:
            continue
        gained, lost = set(now) - set(before), set(before) - set(now)
        if gained - set(current) or lost & set(current):
            claims.append(Claim(link.system, link.id, sorted(now), cell.shadow, scene.next_number, cell.seen))
        added |= gained
        removed |= lost
    merged = sorted((set(current) - removed) | added)
    if merged != sorted(current) or (name not in record.fields and moved):
        record.fields[name] = merged
        record.decided[name] = scene.add(name, merged, "union", claims=claims, replaced=current or None)
    for link in moved:
        cell = link.cell(name)
        cell.base = cell.shadow
        if scene.explains(record.fields.get(name), link, name):
            _agree(scene, link, name)


def changed_fields(links: Sequence[Link], names: Sequence[str]) -> set[str]:
    """Fields that some link changed and nobody judged yet."""
    return {name for link in links for name in names if name in link.cells and link.cells[name].changed}


def unjudged(cell: Cell) -> bool:
    """True while a showing waits for its judgement: the shadow must not step over it."""
    return cell.changed
