"""What follows for a record from the end of one of its objects. Pure: evidence, policy and edits in, a verdict out.

Absence is no evidence; whoever calls this has it. A delete is judged when every other linked system was read since,
and an edit there wins: by somebody who did not know of the end, or after it. What was first read after the end may be
such an edit, so it stays.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from sync_platform.core.records import UNSET, Decision, Json, Link, LinkState, Record, System

# Systems with a bin from which people can take things back [HubSpot: 90 days, doc]. Elsewhere `archive` is `unlink`.
ARCHIVES = frozenset({System.HUBSPOT})
# Decisions that are nobody's edit.
_NO_EDIT = frozenset({"refused", "late", "unreadable", "coherent", "empty_keeps"})
# A system hangs tickets on another customer when it merges theirs away, often before it tells the merge: that is reason
# enough to let nothing be deleted, and none to make anything anew.
MOVED = frozenset({"customer"})
# What came of an end without the policy's word: our own delete, one of ours that landed late.
SETTLED = frozenset({"by_us"})


def pending(links: Iterable[Link]) -> list[Link]:
    """Links whose end was not judged yet."""
    return [link for link in links if link.state is LinkState.GONE and link.gone and not link.gone.get("judged")]


def edited_unknowingly(record: Record, link: Link, active: Sequence[Link], but: Collection[str] = ()) -> bool:
    """Whether somebody changed the record elsewhere, not in `but` alone, and the deleted object was not shown that."""
    if any(cell.changed for other in active for name, cell in other.cells.items() if name not in but):
        return True
    # What waits for a person was edited as well.
    return any(
        claim.link_id != link.id and claim.number > (link.cells[name].seen if name in link.cells else 0)
        for name, claims in [*record.contests.items(), *record.reviews.items()]
        if name not in but
        for claim in claims
    )


def answered_since(link: Link, answers: Iterable[tuple[str, int]]) -> bool:
    """Whether a person decided a field, by field and number, and the deleted object was not shown that: an edit too."""
    return any(number > (link.cells[name].seen if name in link.cells else 0) for name, number in answers)


def met_after(active: Sequence[Link]) -> bool:
    """Whether an object is judged here for the first time: nobody can tell whether it was edited after the end."""
    return any(other.cells and all(cell.base is UNSET for cell in other.cells.values()) for other in active)


def never_met(link: Link) -> bool:
    """Whether what ended was never judged as part of this record: of its edits the one who deleted it knew nothing."""
    return bool(link.cells) and all(cell.base is UNSET for cell in link.cells.values())


def edits(decisions: Iterable[Decision], active: Sequence[Link], but: Collection[str] = ()) -> bool:
    """Whether these decisions follow an edit, in other fields than `but`, in a system that still holds the record."""
    there = {link.id for link in active}
    return any(
        decision.cause == "change"
        and decision.rule not in _NO_EDIT
        and decision.field not in but
        and any(claim.link_id in there for claim in decision.claims)
        for decision in decisions
    )


def verdict(means: str, link: Link, *, read_since: bool) -> str | None:
    """keep, unlink, archive or delete; None while it cannot be judged. `means` is what the policy says of deletes."""
    gone = link.gone or {}
    if gone.get("kind") in SETTLED or means == "ignore":
        return "keep"
    if gone.get("edited") or gone.get("unsure"):
        return "keep"
    return means if read_since else None


def to_delete(tombstone: Json, active: Sequence[Link]) -> list[Link]:
    """The objects that a tombstone asks to be deleted."""
    means = (tombstone or {}).get("means")
    if means == "delete":
        return list(active)
    return [link for link in active if link.system in ARCHIVES] if means == "archive" else []
