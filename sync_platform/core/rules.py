"""Field rules: each looks at all candidates and either names the winner or hands all of them to the next rule.

A rule must not know which candidate was seen first: the same candidates give the same winner in any order.
An own rule that raises or gives something else than a candidate decides nothing: the field waits for a person.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sync_platform.core.normalize import blank
from sync_platform.core.own import choose
from sync_platform.core.policy import FieldPolicy, Rule
from sync_platform.core.records import Claim, System
from sync_platform.core.scene import Scene, same


def decide(policy: FieldPolicy, candidates: Sequence[Claim]) -> tuple[Claim, str] | None:
    """The winner and the rule's name, or None when no rule decides (then the field goes to review)."""
    for rule in policy.rules:
        if rule.kind == "review":
            return None
        if rule.function is not None:
            try:
                winner = choose(rule.function, policy.field, candidates)
            except Exception:  # noqa: BLE001 - a stranger's rule must not stop the others' records
                return None
        else:
            winner = _apply(rule, policy, candidates)
        if winner is not None:
            return winner, rule.kind
    return None


def by_order(order: Sequence[System], candidates: Sequence[Claim]) -> Claim | None:
    """The candidate whose system stands first in the order; systems that are not named never win here."""
    for system in order:
        of_system = [claim for claim in candidates if claim.system == system]
        if of_system:
            return max(of_system, key=lambda claim: (claim.number, claim.link_id))
    return None


def one_explains(scene: Scene, name: str, policy: FieldPolicy, candidates: Sequence[Claim]) -> Claim | None:
    """The candidate whose value is what every other candidate shows, the first in the field's order of several.

    Candidates that explain each other are equally fine: a coarser one does not explain what a finer one shows.
    """
    able = [one for one in candidates if all(explained(scene, name, one, other) for other in candidates)]
    return by_order(policy.order, able) or (able[0] if able else None)


def finer(scene: Scene, name: str, policy: FieldPolicy, winner: Claim, candidates: Sequence[Claim]) -> Claim:
    """The winner, or what those make of it among themselves whose values look the same to the winner's system.

    An `open` that wins never takes back a `waiting` that its system shows as `open` too.
    """
    alike = [
        one
        for one in candidates
        if one is not winner and scene.accounts_for(one.value, winner.system, name, winner.theirs)
    ]
    if not alike:
        return winner
    chosen = one_explains(scene, name, policy, alike)
    if chosen is None:
        verdict = decide(policy, alike)
        chosen = verdict[0] if verdict is not None else winner
    return winner if same(chosen.value, winner.value) else chosen


def explained(scene: Scene, name: str, one: Claim, other: Claim) -> bool:
    """Whether one claim's value is what the other claim's system shows."""
    return (
        one is other or same(one.value, other.value) or scene.accounts_for(one.value, other.system, name, other.theirs)
    )


def _apply(rule: Rule, policy: FieldPolicy, candidates: Sequence[Claim]) -> Claim | None:
    match rule.kind:
        case "owner":
            filled = [claim for claim in candidates if not blank(claim.value)]
            return by_order(rule.order, filled if rule.unless_blank and filled else candidates)
        case "rank":
            return by_order(rule.order, candidates)
        case "max":
            return _highest(rule.scale, policy.order, candidates)
        case "opt_out":
            return by_order(policy.order, [claim for claim in candidates if claim.value is True])
        case "newest":
            return newest(candidates, policy.tolerance_s)
        case _:
            return None


def newest(candidates: Sequence[Claim], tolerance_s: float) -> Claim | None:
    """The candidate whose whole span lies later than every other's by more than the tolerance, if there is one.

    Clocks of different systems differ, and a record's stamp says only between which two states a field was changed:
    where spans touch, nobody can say which edit was later.
    """
    for one in candidates:
        others = [other for other in candidates if other is not one]
        if others and one.since is not None and all(other.stamp is not None for other in others):
            begun = datetime.fromisoformat(one.since)
            latest = max(datetime.fromisoformat(str(other.stamp)) for other in others)
            if (begun - latest).total_seconds() > tolerance_s:
                return one
    return None


def _highest(scale: Sequence[str], order: Sequence[System], candidates: Sequence[Claim]) -> Claim | None:
    """Decides only where every candidate stands on the scale; of several with the highest word, the field's order."""
    if not candidates or any(claim.value not in scale for claim in candidates):
        return None
    top = max(scale.index(claim.value) for claim in candidates)
    return by_order(order, [claim for claim in candidates if scale.index(claim.value) == top])
