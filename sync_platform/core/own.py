"""What a rule of one's own gets and gives: candidates in, one of them out, or None to hand all of them on.

Such a rule is a plain function, named by an entry point of the group `sync_platform.rules`:

    def prefer_long(field: str, candidates: tuple[Candidate, ...]) -> Candidate | None:
        long = [one for one in candidates if one.value and len(str(one.value)) > 20]
        return long[0] if len(long) == 1 else None

It sees no clock, network, file, environment or chance, and the order of the candidates means nothing.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sync_platform.core.records import Claim, Json

GROUP = "sync_platform.rules"


@dataclass(frozen=True, slots=True)
class Candidate:
    """One system's value of the field, entered after `since` and not after `until` (None: not known), by its clock."""

    system: str
    value: Json
    since: datetime | None
    until: datetime | None


OwnRule = Callable[[str, tuple[Candidate, ...]], "Candidate | None"]


class Unfit(ValueError):
    """What a rule gave is not one of its candidates."""


def choose(rule: OwnRule, field: str, claims: Sequence[Claim]) -> Claim | None:
    """The claim that a rule chose, or None. Raises `Unfit`, and whatever the rule raises."""
    shown = tuple(_candidate(claim) for claim in claims)
    chosen = rule(field, shown)
    if chosen is None:
        return None
    for claim, one in zip(claims, shown, strict=True):
        if chosen is one or chosen == one:
            return claim
    raise Unfit("the rule gave something else than one of its candidates")


def _candidate(claim: Claim) -> Candidate:
    since, until = (datetime.fromisoformat(at) if at else None for at in (claim.since, claim.stamp))
    return Candidate(str(claim.system), copy.deepcopy(claim.value), since, until)
