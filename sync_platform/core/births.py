"""Showings without a base: a new record, a new link, a field that shows later. Nothing is a change there.

A blank never claims, what the record explains agrees, sets unite, a settled record stays and has its blanks filled.
Who brings a field of a new record is said by the policy, never by who was read first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sync_platform.core.normalize import blank
from sync_platform.core.policy import FieldPolicy
from sync_platform.core.records import SYSTEMS, Claim, Json, Link
from sync_platform.core.rules import by_order, one_explains
from sync_platform.core.scene import Scene


@dataclass(slots=True)
class _Cradle:
    """A new record on its way: its values, and what there is to say beside the one decision about the whole."""

    values: dict[str, Json] = field(default_factory=dict)
    disputed: list[tuple[str, Claim, list[Claim]]] = field(default_factory=list)
    refused: list[tuple[str, list[Claim]]] = field(default_factory=list)
    reviews: list[tuple[str, list[Claim]]] = field(default_factory=list)


def birth(scene: Scene) -> None:
    """One decision for the whole record, one more for each field about which its links disagree."""
    record = scene.record
    born = _Cradle()
    first = scene.add("*", born.values, "birth", cause="birth")
    for name, policy in scene.policy.fields.items():
        shown = scene.shown(name)
        if not shown:
            continue
        if scene.kind(name) == "set":
            _unite(scene, name, policy, shown, born)
        else:
            _choose(scene, name, policy, shown, born)
    for name, value in born.values.items():
        scene.decided(name, value, first)
    for name, winner, claims in born.disputed:
        number = scene.add(name, winner.value, "first_link", winner=winner, claims=claims, cause="birth")
        scene.decided(name, winner.value, number)
    for name, claims in born.refused:
        scene.refused(name, "refused", claims, "birth")
    for name, claims in born.reviews:
        to_review(scene, name, claims, "birth")
    record.settled = True


def _choose(scene: Scene, name: str, policy: FieldPolicy, shown: Sequence[Link], born: _Cradle) -> None:
    claims = []
    for link in shown:
        claim = scene.claim(link, name)
        if claim is not None:
            claims.append(claim)
            link.cell(name).base = link.cell(name).shadow
    spoken = [claim for claim in claims if not blank(claim.value)]
    candidates = [claim for claim in spoken if claim.system in policy.writers | policy.at_birth]
    if not candidates:
        if spoken:
            born.refused.append((name, spoken))
        return
    agreed = one_explains(scene, name, policy, candidates)
    if agreed is None and policy.first_link == "review":
        born.reviews.append((name, candidates))
        return
    winner = agreed or _first_of(policy, candidates)
    born.values[name] = winner.value
    losers = [one for one in spoken if not scene.accounts_for(winner.value, one.system, name, one.theirs)]
    if losers:
        born.disputed.append((name, winner, [winner, *losers]))


def _unite(scene: Scene, name: str, policy: FieldPolicy, shown: Sequence[Link], born: _Cradle) -> None:
    united: set[Json] = set()
    strangers: list[Claim] = []
    for link in shown:
        claim = scene.claim(link, name)
        if claim is None:
            continue
        link.cell(name).base = link.cell(name).shadow
        if link.system in policy.writers | policy.at_birth:
            united |= set(claim.value)
        else:
            strangers.append(claim)
    born.values[name] = sorted(united)
    outvoted = [claim for claim in strangers if set(claim.value) - united]
    if outvoted:
        born.refused.append((name, outvoted))


def first_links(scene: Scene, name: str, policy: FieldPolicy, links: Sequence[Link]) -> None:
    """A settled record meets showings without a base: agree, fill a blank, or stay."""
    record = scene.record
    current = record.fields.get(name)
    at_birth = policy.at_birth if _nobody_may(scene, name, policy) else frozenset()
    filling: list[Claim] = []
    staying: list[Claim] = []
    for link in links:
        claim = scene.claim(link, name)
        if claim is None:
            continue
        link.cell(name).base = link.cell(name).shadow
        if blank(claim.value) or scene.explains(current, link, name):
            continue
        # What a system fills in by itself where we made the object (HubSpot's closing time) brings no record along.
        brought = link.system in at_birth and link.marker != record.id
        if link.system not in policy.writers and not brought:
            scene.refused(name, "refused", [claim], "first_link")
        elif blank(current) or name in record.reviews:
            filling.append(claim)
        else:
            staying.append(claim)
    if staying:
        scene.refused(name, "first_link_stays", staying, "first_link")
    if filling:
        _fill(scene, name, policy, filling)


def _nobody_may(scene: Scene, name: str, policy: FieldPolicy) -> bool:
    """Whether no writer of the field has shown it: then the one that brought the record may say it."""
    return not any(link.system in policy.writers for link in scene.shown(name))


def _fill(scene: Scene, name: str, policy: FieldPolicy, candidates: Sequence[Claim]) -> None:
    record = scene.record
    if name in record.reviews:
        claims = {claim.link_id: claim for claim in [*record.reviews[name], *candidates]}
        to_review(scene, name, list(claims.values()), "first_link")
        return
    agreed = one_explains(scene, name, policy, candidates)
    if agreed is None and policy.first_link == "review":
        to_review(scene, name, candidates, "first_link")
        return
    winner = agreed or _first_of(policy, candidates)
    number = scene.add(
        name,
        winner.value,
        "first_link_fills",
        winner=winner,
        claims=candidates,
        replaced=record.fields.get(name),
        cause="first_link",
    )
    scene.decided(name, winner.value, number)


def to_review(
    scene: Scene, name: str, claims: Sequence[Claim], cause: str = "change", *, replaced: Json = None
) -> None:
    """Hand a field to a person, with all its claims; an open review takes them over."""
    ranked = sorted((claim.alone() for claim in claims), key=lambda one: (SYSTEMS.index(one.system), one.link_id))
    scene.add(name, scene.record.fields.get(name), "review", claims=ranked, replaced=replaced, cause=cause)
    scene.record.reviews[name] = ranked
    if name not in scene.out.reviews:
        scene.out.reviews.append(name)


def _first_of(policy: FieldPolicy, candidates: Sequence[Claim]) -> Claim:
    order = policy.first_link if isinstance(policy.first_link, tuple) else policy.order
    return by_order(order, candidates) or by_order(policy.order, candidates) or candidates[0]
