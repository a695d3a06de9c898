"""When exactly a field got its value, where a system keeps the history of single fields (HubSpot does).

Asked only where it can decide: a conflict that came as far as `newest`, whose spans touch, with a candidate that knows
more. Until the answer the field waits; without an answer the spans of the records' stamps must do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sync_platform.core.policy import FieldPolicy
from sync_platform.core.records import Claim, System, canonical_json
from sync_platform.core.rules import decide, newest
from sync_platform.core.scene import Scene

KEEPERS = frozenset({System.HUBSPOT})
_EVER = "0001-01-01T00:00:00+00:00"
Ask = tuple[int, str, str]


def ask_of(claim: Claim, name: str) -> Ask:
    """What a history is asked for and kept under: link, field, and what is shown there."""
    return claim.link_id, name, canonical_json(claim.theirs)


def dated(scene: Scene, name: str, policy: FieldPolicy, candidates: Sequence[Claim]) -> tuple[list[Claim], list[Ask]]:
    """The candidates with the moments that are known, and the histories that must be asked for first."""
    known = [_exact(scene, name, claim) for claim in candidates]
    if not scene.may_ask or not _reaches_newest(policy, known):
        return known, []
    asks = [
        ask_of(claim, name)
        for claim in known
        if claim.system in KEEPERS
        and claim.stamp is not None
        and claim.since != claim.stamp
        and ask_of(claim, name) not in scene.histories
        and _could_decide(policy, known, claim)
    ]
    return known, asks


def _exact(scene: Scene, name: str, claim: Claim) -> Claim:
    entries = scene.histories.get(ask_of(claim, name))
    at = next((at for theirs, at in entries or () if theirs == claim.theirs), None)
    return claim if at is None else replace(claim, since=at, stamp=at)


def _reaches_newest(policy: FieldPolicy, candidates: Sequence[Claim]) -> bool:
    """Whether no rule before `newest` decides, nor `newest` itself."""
    for rule in policy.rules:
        if rule.kind == "newest":
            return newest(candidates, policy.tolerance_s) is None
        if rule.kind == "review" or decide(replace(policy, rules=(rule,)), candidates) is not None:
            return False
    return False


def _could_decide(policy: FieldPolicy, candidates: Sequence[Claim], claim: Claim) -> bool:
    """Whether some moment within the claim's span would leave no doubt who was last."""
    for at in (claim.stamp, claim.since or _EVER):
        others = [other for other in candidates if other is not claim]
        if newest([*others, replace(claim, since=at, stamp=at)], policy.tolerance_s) is not None:
            return True
    return False
