"""Field rules: each looks at all candidates and either names the winner or hands all of them to the next rule.

A rule must not know which candidate was seen first: the same candidates give the same winner in any order.
`newest` and `opt_out` are accepted in a policy and decide nothing yet: they pass every candidate on.
"""

from __future__ import annotations

from collections.abc import Sequence

from sync_platform.core.normalize import blank
from sync_platform.core.policy import FieldPolicy, Rule
from sync_platform.core.records import Claim, System


def decide(policy: FieldPolicy, candidates: Sequence[Claim]) -> tuple[Claim, str] | None:
    """The winner and the rule's name, or None when no rule decides (then the field goes to review)."""
    for rule in policy.rules:
        winner = _apply(rule, candidates)
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


def _apply(rule: Rule, candidates: Sequence[Claim]) -> Claim | None:
    match rule.kind:
        case "owner":
            filled = [claim for claim in candidates if not blank(claim.value)]
            return by_order(rule.order, filled if rule.unless_blank and filled else candidates)
        case "rank":
            return by_order(rule.order, candidates)
        case "max":
            return _highest(rule.scale, candidates)
        case _:
            return None


def _highest(scale: Sequence[str], candidates: Sequence[Claim]) -> Claim | None:
    """Decides only where every candidate stands on the scale and one value is above all others."""
    if any(claim.value not in scale for claim in candidates):
        return None
    top = max(candidates, key=lambda claim: scale.index(claim.value))
    return top if candidates else None
