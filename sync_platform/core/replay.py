"""A recorded judgement decided once more under another policy, by the rules themselves, upon the claims of that day.

Each judgement is taken as it was met: what would have followed from another outcome (other writes, other answers of
people) is not played on. What no policy decided (a person's answer, a value nobody can read, a late write of ours, what
the brake held back) is not decided again.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sync_platform.core.mappings import Lexicon
from sync_platform.core.normalize import blank
from sync_platform.core.policy import EntityPolicy, FieldPolicy
from sync_platform.core.records import SYSTEMS, UNSET, Claim, Entity, Json, Record, RecordId, System
from sync_platform.core.rules import by_order, decide, finer, one_explains
from sync_platform.core.scene import Maps, Scene, same
from sync_platform.errors import BadInput

VALUE, PERSON, KEPT = "value", "person", "kept"
# Rows that say that nothing was taken from their claims; all other rows with claims name a value.
_KEEPS = frozenset({"refused", "empty_keeps", "first_link_stays"})
_NOT_BY_POLICY = frozenset({"late", "unreadable", "coherent", "birth", "dropped", "overtaken"})


@dataclass(frozen=True, slots=True)
class Outcome:
    """kind: value (that `system` won, or a union), person (left to one), kept (the record keeps what it has)."""

    kind: str
    rule: str
    system: System | None = None
    value: Json = None

    def like(self, other: Outcome) -> bool:
        """Whether both come to the same, be it by another rule."""
        if self.kind != other.kind:
            return False
        known = self.value is not UNSET and other.value is not UNSET
        return self.kind != VALUE or (known and same(self.value, other.value))


@dataclass(frozen=True, slots=True)
class Row:
    """What the ledger keeps of one decision about one field."""

    number: int
    rule: str
    cause: str
    value: Json
    replaced: Json
    winner: Claim | None
    claims: tuple[Claim, ...]
    policy: str


@dataclass(slots=True)
class Judgement:
    """All decisions that one judgement made about one field: usually one, more where claims were refused beside."""

    record_id: RecordId
    entity: Entity
    field: str
    rows: list[Row] = dataclasses.field(default_factory=list)

    @property
    def by_policy(self) -> list[Row]:
        """The rows that a policy decided, upon claims."""
        return [row for row in self.rows if row.claims and row.rule not in _NOT_BY_POLICY and row.cause != "person"]

    @property
    def before(self) -> Json:
        """What the record held."""
        row = self.rows[-1]
        return row.value if row.rule in _KEEPS or row.rule == "review" else row.replaced

    @property
    def was(self) -> Outcome:
        """What was decided."""
        row = self.by_policy[-1]
        if row.rule == "review":
            return Outcome(PERSON, row.rule)
        taken = [row for row in self.by_policy if row.rule not in _KEEPS]
        if not taken:
            return Outcome(KEPT, row.rule, None, row.value)
        winner = taken[-1].winner
        return Outcome(VALUE, taken[-1].rule, winner.system if winner else None, taken[-1].value)

    def claims(self) -> list[Claim]:
        """Every claim that was looked at, each link's once, in the order of systems."""
        found = {claim.link_id: claim for row in self.by_policy for claim in row.claims}
        return sorted(found.values(), key=lambda claim: (SYSTEMS.index(claim.system), claim.link_id))


@dataclass(frozen=True, slots=True)
class Court:
    """The other policy for one entity, with what its mappings may know. `words_moved` names fields whose words it
    reads in another way than the policy of the day did: what was claimed there is read anew."""

    policy: EntityPolicy
    maps: Maps
    lexicons: Mapping[System, Lexicon]
    words_moved: frozenset[str] = frozenset()

    def decide(self, judgement: Judgement, *, waits: bool) -> Outcome:
        """What this policy says; `waits`: by it a person was still to decide this field when the judgement came."""
        policy = self.policy.fields.get(judgement.field)
        if policy is None:
            return Outcome(KEPT, "not_in_policy", None, judgement.before)
        scene = self._scene(judgement)
        if scene.kind(judgement.field) == "set":
            return _united(judgement, policy)
        try:
            claims = self._read(scene, judgement)
        except BadInput:
            return Outcome(KEPT, "unreadable", None, judgement.before)
        cause = judgement.by_policy[-1].cause
        if cause in ("birth", "first_link"):
            return _first_met(scene, judgement, policy, claims, at_birth=cause == "birth")
        return _changed(scene, judgement, policy, claims, waits=waits)

    def _scene(self, judgement: Judgement) -> Scene:
        record = Record(judgement.record_id, judgement.entity, {judgement.field: judgement.before})
        return Scene(record, [], self.policy, self.maps, self.lexicons, judgement.rows[0].number)

    def _read(self, scene: Scene, judgement: Judgement) -> list[Claim]:
        claims = judgement.claims()
        if judgement.field not in self.words_moved:
            return claims
        out = []
        for claim in claims:
            mapping = self.maps[claim.system].get(judgement.field)
            if mapping is None:
                continue
            value = mapping.get(claim.theirs, judgement.before, scene.lexicons[claim.system])
            out.append(claim if value is UNSET else replace(claim, value=value))
        return out


def _kept_out(policy: FieldPolicy, claim: Claim, before: Json) -> bool:
    """A blank where blanks do not replace a value."""
    return blank(claim.value) and not blank(before) and not policy.blank_clears(claim.system)


def _changed(
    scene: Scene, judgement: Judgement, policy: FieldPolicy, claims: Sequence[Claim], *, waits: bool
) -> Outcome:
    before, name = judgement.before, judgement.field
    first = judgement.rows[0].number
    heard = [
        claim
        for claim in claims
        if claim.system in policy.writers
        # Only what came in with this judgement is kept out for being blank: an older claim was let in before.
        and not (claim.number >= first and _kept_out(policy, claim, before))
    ]
    if not heard:
        rule = "empty_keeps" if any(claim.system in policy.writers for claim in claims) else "refused"
        return Outcome(KEPT, rule, None, before)
    winner = one_explains(scene, name, policy, heard)
    if winner is not None:
        rule = "only_change" if len(heard) == 1 else "all_agree"
        return Outcome(VALUE, "review_agreed" if waits else rule, winner.system, winner.value)
    verdict = None if waits else decide(policy, heard)
    if verdict is None:
        return Outcome(PERSON, "review")
    winner = finer(scene, name, policy, verdict[0], heard)
    return Outcome(VALUE, verdict[1], winner.system, winner.value)


def _first_met(
    scene: Scene, judgement: Judgement, policy: FieldPolicy, claims: Sequence[Claim], *, at_birth: bool
) -> Outcome:
    """A new record, or a new link of one that is settled: the order of the first link, never the rules."""
    before, name = judgement.before, judgement.field
    brought = at_birth or any(row.rule == "first_link_fills" for row in judgement.by_policy)
    may = policy.writers | (policy.at_birth if brought else frozenset())
    heard = [claim for claim in claims if claim.system in may and not blank(claim.value)]
    if not heard:
        return Outcome(KEPT, "refused", None, before)
    if not at_birth and not blank(before):
        return Outcome(KEPT, "first_link_stays", None, before)
    winner = one_explains(scene, name, policy, heard)
    if winner is None and policy.first_link == "review":
        return Outcome(PERSON, "review")
    order = policy.first_link if isinstance(policy.first_link, tuple) else policy.order
    winner = winner or by_order(order, heard) or by_order(policy.order, heard) or heard[0]
    return Outcome(VALUE, "first_link" if at_birth else "first_link_fills", winner.system, winner.value)


def _united(judgement: Judgement, policy: FieldPolicy) -> Outcome:
    """Sets have no winner: only whose additions and removals count can differ, and then the set is another one."""
    counted = {claim.link_id for row in judgement.by_policy if row.rule not in _KEEPS for claim in row.claims}
    would = {claim.link_id for claim in judgement.claims() if claim.system in policy.writers}
    if counted == would:
        return judgement.was
    return Outcome(VALUE, "union", None, UNSET) if would else Outcome(KEPT, "refused", None, judgement.before)
