"""Three-way merge of one record: what its links claim, which claim wins, and what that says about each link.

Decides: for each field the canonical value, and with it base, held, image and `seen` of every link.
Must not know: clocks, systems' calls, SQL. Times never decide whether something changed; a change is a shadow that
differs from its base. The same links and the same record give the same decisions, in whatever order they came.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from sync_platform.core.anew import open_claims, reread
from sync_platform.core.answers import LEAVE, Answer
from sync_platform.core.births import birth, first_links, to_review
from sync_platform.core.histories import dated
from sync_platform.core.mappings import FieldMap, Lexicon, coherent
from sync_platform.core.normalize import blank, respelt
from sync_platform.core.policy import FieldPolicy
from sync_platform.core.records import SYSTEMS, UNSET, Claim, Json, Link
from sync_platform.core.rules import decide, finer, one_explains
from sync_platform.core.scene import Merged, Scene, Unreadable, same
from sync_platform.errors import BadInput

__all__ = ["Merged", "Scene", "Unreadable", "merge", "unjudged"]

# The third time that a value goes back within one contest, a person is asked.
FLIPS_MAX = 3
Fresh = Sequence[tuple[Link, Claim]]


def merge(scene: Scene) -> Merged:
    """Judge every field of a record; changes record and cells of the links in place and gives the decisions."""
    if not any(not link.unsettled for link in scene.links):
        return scene.out
    if not scene.record.settled:
        birth(scene)
    for name, policy in scene.policy.fields.items():
        shown = scene.shown(name)
        if not shown:
            continue
        if scene.kind(name) == "set":
            _merge_set(scene, name, policy, shown)
        else:
            unbased = [link for link in shown if link.cells[name].base is UNSET]
            if unbased:
                first_links(scene, name, policy, unbased)
            changed = [link for link in shown if link.cells[name].changed and not link.cells[name].braked]
            if changed:
                _merge_changes(scene, name, policy, changed)
            elif scene.policy_from:
                open_claims(scene, name, policy)
            if name in scene.answers and name in scene.record.reviews:
                _answered(scene, name, scene.answers[name], shown)
        if scene.mapping_from:
            reread(scene, name, shown)
        scene.settle(name, shown)
    _hold_together(scene)
    for name in [name for name in scene.record.contests if name in scene.policy.fields]:
        _close(scene, name)
    return scene.out


def unjudged(link: Link, maps: Mapping[str, FieldMap], lexicon: Lexicon) -> bool:
    """Whether a link shows a change that waits for its judgement; one that nobody can read yet holds nothing up."""
    for name, cell in link.cells.items():
        if not cell.changed or cell.braked or name not in maps:
            continue
        try:
            if maps[name].get(cell.shadow, None, lexicon) is not UNSET:
                return True
        except BadInput:
            return True
    return False


def _hold_together(scene: Scene) -> None:
    """Fields that contradict each other (a second e-mail that is the first one again) are decided once more."""
    record = scene.record
    if not coherent(record.entity, record.fields):
        return
    others: list[str] = []
    for name in ("email", "email_2"):
        for link in scene.shown(name):
            shadow = link.cell(name).shadow
            others += [
                one for one in (shadow if isinstance(shadow, list) else [shadow]) if isinstance(one, str) and one
            ]
    for name, value in coherent(record.entity, record.fields, sorted(others)).items():
        if name not in scene.policy.fields or name in record.reviews or record.fields.get(name) == value:
            continue
        number = scene.add(name, value, "coherent", replaced=record.fields.get(name), cause="coherent")
        scene.decided(name, value, number)
        scene.settle(name, scene.shown(name))


# --- changes ----------------------------------------------------------------------------------------------------


def _merge_changes(scene: Scene, name: str, policy: FieldPolicy, changed: Sequence[Link]) -> None:
    record = scene.record
    fresh: list[tuple[Link, Claim]] = []
    before: dict[int, tuple[Json, bool]] = {}
    withdrawn: set[int] = set()
    for link in changed:
        if _is_late(scene, link, name) or (name not in record.reviews and _agrees(scene, name, policy, link)):
            continue
        if _spelled_anew(scene, link, name):
            continue
        claim = scene.claim(link, name)
        if claim is None:
            continue
        cell = link.cell(name)
        before[link.id] = cell.base, cell.apart
        cell.base, cell.apart = cell.shadow, False
        rule = _claims_nothing(scene, name, policy, claim)
        if rule is not None:
            scene.refused(name, rule, [claim])
            withdrawn.add(link.id)
        else:
            fresh.append((link, claim))
    if name in record.reviews:
        _join_review(scene, name, policy, fresh, withdrawn)
    elif fresh and not _judge(scene, name, policy, fresh):
        for link, _ in fresh:
            link.cell(name).base, link.cell(name).apart = before[link.id]


def _judge(scene: Scene, name: str, policy: FieldPolicy, fresh: Fresh) -> bool:
    """Decide among the candidates; False where a system is asked first when the field got its value there."""
    candidates = _candidates(scene, name, policy, [claim for _, claim in fresh])
    winner = one_explains(scene, name, policy, candidates)
    if winner is None:
        candidates, missing = dated(scene, name, policy, candidates)
        if missing:
            scene.out.asks += missing
            return False
    rule = "only_change" if len(candidates) == 1 else "all_agree"
    if winner is None:
        verdict = decide(policy, candidates)
        if verdict is None:
            _ask(scene, name, candidates)
            return True
        winner, rule = finer(scene, name, policy, verdict[0], candidates), verdict[1]
    flips = _flips(scene, name, winner)
    if flips >= FLIPS_MAX:
        _stop_fight(scene, name, candidates)
        return True
    counted = [replace(claim, flips=flips) for claim in candidates]
    winner = replace(winner, flips=flips)
    _decide(scene, name, winner, rule, counted, [link for link, _ in fresh])
    return True


def _flips(scene: Scene, name: str, winner: Claim) -> int:
    """How often this contest went to and fro, should `winner` win: each time a system changes what it had been shown.

    People who edit without knowing of each other do not flip; two systems that rewrite each other's values do.
    """
    contest = scene.record.contests.get(name, [])
    if not contest:
        return 0
    last = max(contest, key=lambda claim: claim.number)
    knew = winner.seen >= scene.record.decided.get(name, 0)
    fights = knew and last.system != winner.system and winner.value != scene.record.fields.get(name)
    return max(claim.flips for claim in contest) + fights


def _ask(scene: Scene, name: str, candidates: Sequence[Claim]) -> None:
    """Hand the field to a person; the record holds again what it held before these claims.

    Else it would hold whichever of them was seen first. What somebody else was shown meanwhile stays.
    """
    record = scene.record
    held = record.fields.get(name)
    number, value = _before(scene, name)
    if same(value, held):
        to_review(scene, name, candidates)
        return
    if number:
        record.fields[name], record.decided[name] = value, number
    else:
        del record.fields[name], record.decided[name]
    to_review(scene, name, candidates, replaced=held)


def _stop_fight(scene: Scene, name: str, candidates: Sequence[Claim]) -> None:
    """The field waits for a person, who sees everybody that takes part."""
    named = {claim.link_id for claim in candidates}
    others = [claim for claim in scene.record.contests[name] if claim.link_id not in named]
    to_review(scene, name, sorted([*others, *candidates], key=lambda one: (SYSTEMS.index(one.system), one.link_id)))


def _is_late(scene: Scene, link: Link, name: str) -> bool:
    """Our own write that was given up and landed after all: recorded, and no claim."""
    cell = link.cell(name)
    sent = scene.late.get((link.id, name), UNSET)
    if sent is UNSET or not (respelt(sent, cell.shadow) or _reads_the_same(scene, link, name, sent)):
        return False
    claim = scene.claim(link, name)
    if claim is None:
        return False
    scene.refused(name, "late", [claim])
    cell.base, cell.apart = cell.shadow, False
    return True


def _spelled_anew(scene: Scene, link: Link, name: str) -> bool:
    """What we wrote, seen for the first time as its system spells it: nobody edited, though the record may have moved
    on meanwhile. So it is where an answer was lost, or showed only a part of the object.
    """
    cell = link.cell(name)
    if (
        cell.image is UNSET
        or not cell.base == cell.held == cell.image
        or not _reads_the_same(scene, link, name, cell.base)
    ):
        return False
    cell.base = cell.held = cell.shadow
    return True


def _reads_the_same(scene: Scene, link: Link, name: str, sent: Json) -> bool:
    try:
        ours, theirs = (scene.get(link, name, one, None) for one in (sent, link.cell(name).shadow))
    except BadInput:
        return False
    return ours is not UNSET and bool(ours == theirs)


def _agrees(scene: Scene, name: str, policy: FieldPolicy, link: Link) -> bool:
    """A change that the record already explains decides nothing; in an open contest it is what its system now says."""
    record = scene.record
    if not scene.explains(record.fields.get(name), link, name):
        return False
    if name in record.contests and link.system in policy.writers:
        claim = scene.claim(link, name)
        if claim is not None:
            number = record.decided.get(name, 0)
            agreed = replace(claim, number=number, value=record.fields.get(name))
            _enter(scene, name, [agreed], record.contests[name][0].before)
    scene.agree(link, name)
    return True


def _claims_nothing(scene: Scene, name: str, policy: FieldPolicy, claim: Claim) -> str | None:
    """A system without the right to write, a blank where blanks are kept out."""
    if claim.system not in policy.writers:
        return "refused"
    if blank(claim.value) and not policy.blank_clears(claim.system) and not blank(scene.record.fields.get(name)):
        return "empty_keeps"
    return None


# --- contests ---------------------------------------------------------------------------------------------------


def _candidates(scene: Scene, name: str, policy: FieldPolicy, fresh: Sequence[Claim]) -> list[Claim]:
    """The changed systems, and every claim of the open contest that none of them had been shown."""
    earlier = [claim for claim in _unknown_to(scene, name, fresh) if claim.system in policy.writers]
    return sorted([*earlier, *fresh], key=lambda claim: (SYSTEMS.index(claim.system), claim.link_id))


def _unknown_to(scene: Scene, name: str, fresh: Sequence[Claim]) -> list[Claim]:
    changed = {claim.link_id for claim in fresh}
    # Where the one claim that is left is of an object that ended meanwhile, no system is changed.
    known = max((claim.seen for claim in fresh), default=0)
    contest = scene.record.contests.get(name, [])
    return [claim for claim in contest if claim.link_id not in changed and claim.number > known]


def _enter(scene: Scene, name: str, fresh: Sequence[Claim], before: tuple[int, Json] | None) -> None:
    """A contest keeps each system's newest claim; one that a changed system had been shown is superseded for good."""
    claims = [replace(claim, before=before) for claim in (*_unknown_to(scene, name, fresh), *fresh)]
    scene.record.contests[name] = sorted(claims, key=lambda claim: (SYSTEMS.index(claim.system), claim.link_id))
    if not claims:
        del scene.record.contests[name]


def _before(scene: Scene, name: str) -> tuple[int, Json]:
    """Number and value of what the record held when the contest began.

    What was decided in it takes that place once a system agreed to it that had not claimed it.
    """
    record = scene.record
    now = record.decided.get(name, 0), record.fields.get(name)
    contest = record.contests.get(name)
    # What a reference pointed at before may have been merged away since.
    if not contest or contest[0].before is None or scene.kind(name) == "reference":
        return now
    before = contest[0].before
    made_it = {claim.link_id for claim in contest if same(claim.value, now[1])}
    for link in scene.links:
        cell = link.cells.get(name)
        if cell is None or cell.image is UNSET or name not in scene.maps[link.system] or link.id in made_it:
            continue
        if scene.put(link, name, now[1]) == cell.image != scene.put(link, name, before[1]):
            return now
    return before


def _decide(
    scene: Scene, name: str, winner: Claim, rule: str, candidates: Sequence[Claim], fresh: Sequence[Link]
) -> None:
    record = scene.record
    replaced = record.fields.get(name)
    moved = name not in record.fields or replaced != winner.value
    before = _before(scene, name)
    number = scene.add(name, winner.value, rule, winner=winner, claims=candidates, replaced=replaced)
    scene.decided(name, winner.value, number)
    changed = {link.id for link in fresh}
    _enter(scene, name, [claim for claim in candidates if claim.link_id in changed], before)
    for link in scene.shown(name):
        cell = link.cell(name)
        if cell.changed or cell.base is UNSET:
            continue
        if link.id == winner.link_id and link.id in changed:
            scene.agree(link, name)
        elif moved and scene.stands(link, name):
            # To this system the new value looks like the old one: it shows it already.
            cell.seen = number


def _close(scene: Scene, name: str) -> None:
    """A contest ends when every link agrees that has the field and may be written to."""
    record = scene.record
    if name in record.reviews:
        return
    for link in scene.links:
        mapping = scene.field_map(link, name)
        cell = link.cells.get(name)
        if mapping is None or mapping.mode != "both":
            continue
        if link.unsettled or ((cell is None or cell.unread) and (link.detail or link.again)):
            # Should it turn out to have ended, whether it had been shown the claims is asked then.
            return
        if cell is None or cell.unread or cell.base is UNSET or cell.apart:
            continue
        if cell.changed or not scene.stands(link, name):
            return
    del record.contests[name]


# --- review -----------------------------------------------------------------------------------------------------


def _join_review(scene: Scene, name: str, policy: FieldPolicy, fresh: Fresh, withdrawn: Collection[int]) -> None:
    """A claimant who changes or blanks replaces his claim; when all claims agree, the review closes.

    Who joins only now supersedes what he had been shown, as he would had he come first.
    """
    record = scene.record
    joined = {claim.link_id: claim for _, claim in fresh}
    asked = {claim.link_id for claim in record.reviews[name]}
    known = max((claim.seen for claim in joined.values() if claim.link_id not in asked), default=0)
    standing = [one for one in record.reviews[name] if one.link_id not in withdrawn]
    claims = {one.link_id: one for one in standing if one.number > known or one.link_id in joined} | joined
    if list(claims.values()) == record.reviews[name]:
        return
    candidates = sorted(claims.values(), key=lambda claim: (SYSTEMS.index(claim.system), claim.link_id))
    agreed = one_explains(scene, name, policy, candidates) if candidates else None
    if candidates and agreed is None:
        to_review(scene, name, candidates)
        return
    del record.reviews[name]
    if agreed is None:
        record.contests.pop(name, None)
    else:
        _decide(scene, name, agreed, "review_agreed", candidates, [link for link in scene.links if link.id in claims])


def _answered(scene: Scene, name: str, answer: Answer, shown: Sequence[Link]) -> None:
    """A person's answer decides the field, if the claims are still those that the person saw; else it is asked again.

    It ends the contest: whoever edits afterwards edits what the person decided.
    """
    record = scene.record
    claims = record.reviews[name]
    if not answer.made_on(claims):
        scene.out.stale.append(name)
        return
    winner = next((claim for claim in claims if claim.system == answer.system), None)
    value = record.fields.get(name) if answer.kind == LEAVE else answer.value if winner is None else winner.value
    rule = "left_apart" if answer.kind == LEAVE else "resolved"
    number = scene.add(
        name, value, rule, winner=winner, claims=claims, replaced=record.fields.get(name), cause="person"
    )
    scene.decided(name, value, number)
    del record.reviews[name]
    record.contests.pop(name, None)
    scene.out.resolved.append(name)
    claimed = {claim.link_id: claim.theirs for claim in claims}
    for link in shown:
        cell = link.cell(name)
        if cell.changed or cell.base is UNSET:
            continue
        if answer.kind == LEAVE:
            # Who claims nothing, or was met anew without the claim, was not asked about: there the record's value is
            # owed as before.
            cell.apart = claimed.get(link.id, UNSET) == cell.shadow and not scene.explains(value, link, name)
        elif scene.stands(link, name):
            cell.seen = number


# --- sets -------------------------------------------------------------------------------------------------------


def _merge_set(scene: Scene, name: str, policy: FieldPolicy, links: Sequence[Link]) -> None:
    """The record becomes (record ∖ all removed) ∪ all added, each against its base: an addition beats a removal."""
    record = scene.record
    current = set(record.fields.get(name) or [])
    added: set[Json] = set()
    removed: set[Json] = set()
    claims: list[Claim] = []
    refused: list[Claim] = []
    moved = False
    for link in links:
        cell = link.cell(name)
        if cell.base is not UNSET and (not cell.changed or cell.braked):
            continue
        before = _elements(scene, link, name, cell.base)
        claim = scene.claim(link, name)
        if claim is None:
            continue
        moved = True
        cell.base, cell.apart = cell.shadow, False
        gained, lost = _without_late(scene, link, name, before, set(claim.value), claim)
        if gained <= current and not lost & current:
            added |= gained
        elif link.system in policy.writers:
            claims.append(claim)
            added |= gained
            removed |= lost
        else:
            refused.append(claim)
    merged = sorted((current - removed) | added)
    if refused:
        scene.refused(name, "refused", refused)
    if claims or (moved and name not in record.decided):
        number = scene.add(name, merged, "union", claims=claims, replaced=sorted(current) or None)
        scene.decided(name, merged, number)


def _elements(scene: Scene, link: Link, name: str, theirs: Json) -> set[Json]:
    """The elements of an earlier showing; none where there was none or it cannot be read any more."""
    if theirs is UNSET:
        return set()
    try:
        return set(scene.get(link, name, theirs, None))
    except BadInput:
        return set()


def _without_late(
    scene: Scene, link: Link, name: str, before: set[Json], now: set[Json], claim: Claim
) -> tuple[set[Json], set[Json]]:
    """What somebody added and removed: elements that a late write of ours brought or took are nobody's edit."""
    gained, lost = now - before, before - now
    sent = scene.late.get((link.id, name), UNSET)
    if sent is UNSET:
        return gained, lost
    ours = _elements(scene, link, name, sent)
    if gained & ours or lost - ours:
        scene.refused(name, "late", [claim])
    return gained - ours, lost & ours
