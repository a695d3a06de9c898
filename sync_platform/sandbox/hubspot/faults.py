"""HubSpot's own words for the refusals that a plan of faults asks for (see faults.FaultGate).

423: a record is locked; locks last about 2 s, so wait at least that [doc]. 477: the account moves between data centres;
Retry-After in seconds, up to a day [doc]. 5xx: processing limits and timeouts [doc]; that they bear JSON is one of two
ways, pages of a gateway are the other [inferred]. Texts and categories of all of them: not established.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from sync_platform.sandbox.hubspot.wire import Refusal

MOVING_S = 60


class Planned(NamedTuple):
    """What the plan wants of a call: "429", "423", "477" or "5xx", the shape of a 429, the status of a 5xx."""

    kind: str
    shape: str
    status: int

    def refusal(self) -> Refusal | None:
        """The refusal, or None for a 429, whose words are those of the limits."""
        if self.kind == "423":
            return Refusal(423, "This record is locked by another operation.", "LOCKED")
        if self.kind == "477":
            return Refusal(477, "This account is being migrated to another data center.", "MIGRATION_IN_PROGRESS")
        return Refusal(self.status, "internal error") if self.kind == "5xx" else None


def planned(scope: Mapping[str, Any]) -> Planned | None:
    """The wish of the plan for this call."""
    kind = scope.get("sandbox.fault")
    if kind is None:
        return None
    return Planned(kind, scope.get("sandbox.fault.shape", "vendor"), scope.get("sandbox.fault.status", 500))
