"""What a changed policy or a changed mapping says about what is open, and about what it reads in another way.

A changed policy settles nothing again by itself: only contests that are open and questions that wait are judged anew. A
changed mapping is a new reading of what stands there unchanged: one decision with that cause where it says something
else than the record, or where a system would be written another form of the same.
"""

from __future__ import annotations

from collections.abc import Sequence

from sync_platform.core.births import to_review
from sync_platform.core.policy import FieldPolicy
from sync_platform.core.records import SYSTEMS, UNSET, Claim, Json, Link
from sync_platform.core.rules import decide, finer, one_explains
from sync_platform.core.scene import Scene, same
from sync_platform.errors import BadInput

POLICY, MAPPING = "policy", "mapping"


def open_claims(scene: Scene, name: str, policy: FieldPolicy) -> None:
    """Judge an open contest or review of a field that was decided under an earlier policy."""
    record = scene.record
    asked = name in record.reviews
    claims = record.reviews[name] if asked else record.contests.get(name, [])
    last = max((claim.number for claim in claims), default=scene.policy_from)
    if last >= scene.policy_from or (not asked and record.decided.get(name, 0) >= scene.policy_from):
        return
    there = {link.id: link for link in scene.shown(name)}
    candidates = [claim for claim in claims if claim.system in policy.writers and claim.link_id in there]
    if not candidates:
        return
    winner = one_explains(scene, name, policy, candidates)
    rule = "only_change" if len(candidates) == 1 else "all_agree"
    if winner is None:
        verdict = decide(policy, candidates)
        if verdict is None:
            if not asked:
                to_review(scene, name, candidates, POLICY)
            return
        winner, rule = finer(scene, name, policy, verdict[0], candidates), verdict[1]
    before = record.fields.get(name)
    if asked:
        del record.reviews[name]
        record.contests[name] = list(claims)
    elif same(winner.value, before):
        return
    number = scene.add(name, winner.value, rule, winner=winner, claims=candidates, replaced=before, cause=POLICY)
    scene.decided(name, winner.value, number)


def reread(scene: Scene, name: str, shown: Sequence[Link]) -> None:
    """Read a settled field once more, by a mapping that is not the one under which it was decided.

    Not a reference: whom it points at is a matter of who is who, which no mapping says.
    """
    record = scene.record
    if scene.kind(name) == "reference":
        return
    known = record.decided.get(name, scene.mapping_from) < scene.mapping_from
    if not known or name in record.reviews or name in record.contests:
        return
    standing = [link for link in shown if _stands(link, name, record.decided.get(name, 0))]
    before = record.fields.get(name)
    claims = _sources(scene, name, standing)
    if not claims:
        return
    value = sorted({one for claim in claims for one in claim.value}) if scene.kind(name) == "set" else claims[0].value
    read = {claim.link_id for claim in claims}
    if same(value, before) or all(scene.explains(before, link, name) for link in standing if link.id in read):
        value = before
    if same(value, before) and not any(_owed(scene, link, name, value) for link in standing):
        return
    winner = None if scene.kind(name) == "set" else claims[0]
    number = scene.add(name, value, "reread", winner=winner, claims=claims, replaced=before, cause=MAPPING)
    scene.decided(name, value, number)


def _stands(link: Link, name: str, number: int) -> bool:
    """Whether a link agreed to what the record holds, and nobody touched it since; others are owed a write anyway."""
    cell = link.cells[name]
    if cell.seen != number:
        return False
    return not (cell.apart or cell.changed or cell.base is UNSET or cell.held is UNSET) and cell.shadow == cell.held


def _sources(scene: Scene, name: str, standing: Sequence[Link]) -> list[Claim]:
    """What is read anew: of a set every showing, else that of the system which the value came from."""
    if scene.kind(name) != "set":
        won = [link for link in standing if link.id == scene.sources.get(name)]
        order = scene.policy.fields[name].order
        made_there = [link for link in standing if link.marker != str(scene.record.id)]
        made_there.sort(key=lambda link: order.index(link.system) if link.system in order else len(SYSTEMS))
        standing = (won or made_there)[:1]
    found = []
    for link in standing:
        try:
            readable = scene.get(link, name, link.cells[name].shadow, scene.record.fields.get(name)) is not UNSET
        except BadInput:
            continue
        claim = scene.claim(link, name) if readable else None
        found += [claim] if claim is not None else []
    return found


def _owed(scene: Scene, link: Link, name: str, value: Json) -> bool:
    image = scene.put(link, name, value)
    return image is not UNSET and not scene.explains(value, link, name)
