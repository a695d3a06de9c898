"""What a person answered to a review: an input of the merge, made upon claims, and void when they moved."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sync_platform.core.records import Claim, Json, System, canonical_json

CHOOSE, VALUE, LEAVE = "choose", "value", "leave"
# To a question of identity: the records are not one.
APART = "apart"


@dataclass(frozen=True, slots=True)
class Answer:
    """kind: choose (the claim of `system` wins), value (`value`, canonical), leave (each side keeps what it has).

    To a question of identity: apart. `claims` are those that the person was shown.
    """

    kind: str
    claims: tuple[Claim, ...]
    system: System | None = None
    value: Json = None

    def made_on(self, claims: Iterable[Claim]) -> bool:
        """Whether the claims still say what the person saw."""
        return _said(claims) == _said(self.claims)

    def dump(self) -> dict[str, Json]:
        """For the ledger."""
        return {
            "kind": self.kind,
            "claims": [claim.dump() for claim in self.claims],
            "system": str(self.system) if self.system else None,
            "value": self.value,
        }

    @classmethod
    def load(cls, raw: Mapping[str, Json]) -> Answer:
        """The inverse of `dump`."""
        system = System(raw["system"]) if raw.get("system") else None
        return cls(raw["kind"], tuple(Claim.load(one) for one in raw["claims"]), system, raw.get("value"))


def _said(claims: Iterable[Claim]) -> list[str]:
    return sorted(canonical_json([claim.system, claim.link_id, claim.value, claim.theirs]) for claim in claims)
