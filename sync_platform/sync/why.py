"""Why is this value here? Answered from decisions, observations, intents and receipts, and from nothing else.

The command and the pages tell what `stories` gives, for one field or for all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sync_platform.core import normalize
from sync_platform.core.plan import owed
from sync_platform.core.policy_words import rules_in_words
from sync_platform.core.records import SYSTEMS, UNSET, Json, Link, LinkState
from sync_platform.core.scene import Scene, same
from sync_platform.errors import BadInput, NotFound
from sync_platform.ledger import erasure
from sync_platform.settings import Settings
from sync_platform.sync.cycle import utc
from sync_platform.sync.lineage import Story, gather, spelt
from sync_platform.sync.names import find
from sync_platform.sync.offline import at_desk

# Rows that say that the record keeps what it has, whatever was claimed.
KEEPS = frozenset({"refused", "empty_keeps", "first_link_stays", "late", "unreadable", "overtaken"})
# Here all claims stand in the value; none of them lost.
SHARED = frozenset({"union", "all_agree", "review_agreed"})
RULES = {
    "birth": "the record was new, and everybody who showed the field said the same",
    "first_link": "the record was new: the policy's order of the first link",
    "first_link_fills": "it was blank, and a new link filled it",
    "first_link_stays": "the record keeps its value when a new link shows another one",
    "only_change": "the only change",
    "all_agree": "all changes say the same",
    "review_agreed": "the systems agreed while a person was asked",
    "review": "left to a person",
    "resolved": "a person's answer",
    "left_apart": "a person left the systems apart",
    "refused": "refused: that system may not write the field",
    "empty_keeps": "a blank does not replace the value",
    "late": "a late write of our own; it claims nothing",
    "unreadable": "a value that nobody can read; it claims nothing",
    "overtaken": "a held change that was replaced before anybody said a word",
    "coherent": "two fields of the record would contradict each other",
    "union": "additions and removals of all sides",
    "owner": "the owner's value",
    "rank": "the highest in rank",
    "newest": "the newest",
    "max": "the highest on the scale",
    "opt_out": "opt-out wins",
    "merge": "two records became one",
    "undo": "undone",
    "delete": "deleted there",
    "restored": "it came back",
    "edit_wins": "an edit elsewhere kept it from being deleted",
    "found_later": "it was there in another system before it was deleted, and is read only now",
    "link": "a person linked it",
    "unlink": "a person unlinked it",
    "forgotten": "somebody was forgotten",
}


def why(settings: Settings, what: str, field: str | None = None) -> dict[str, Any] | list[dict[str, Any]]:
    """The story of one field (a dict) or of all fields (a list) of a record.

    `what` is a record id, `customer:<e-mail, phone or number>`, `ticket:<system>:<id>` or `customer:<system>:<id>`.
    Raises NotFound when nothing is known under that name.
    """
    with at_desk(settings) as hub, hub.ledger.read() as conn:
        story = gather(hub, conn, find(conn, what, settings.sync_phone_region))
        if field and field not in names_of(story):
            raise NotFound(
                f"nothing is known about the field {field} of this record",
                remedy=f"Known fields: {', '.join(names_of(story))}.",
            )
        told = [one_story(story, field)] if field else stories(story)
        erased = [one.shown() for one in erasure.under_way(conn) if str(story.record.id) in one.records]
    told = [one | ({"erasure": erased[0]} if erased else {}) for one in told]
    return told[0] if field else told


def stories(story: Story) -> list[dict[str, Any]]:
    """Every field about which something was decided, is asked, or was shown, by name."""
    return [one_story(story, name) for name in names_of(story)]


def names_of(story: Story) -> list[str]:
    """The fields of a record that there is anything to say about; `*` is the record as a whole."""
    shown = {
        name
        for link in story.scene.links
        for name, cell in link.cells.items()
        if not cell.unread and name in story.scene.policy.fields
    }
    return sorted({*story.record.decided, *story.record.reviews, *shown})


def one_story(story: Story, name: str) -> dict[str, Any]:
    """One field: its value with origin, rule and losers, what each system holds, and what was written because of it."""
    record = story.record
    history = [one for one in reversed(story.decisions) if one.field == name]
    number = record.decided.get(name)
    # A field that a person is asked about from the start has no deciding row yet, only the one that asks.
    row = story.by_number.get(number) if number is not None else history[-1] if history else None
    value = record.fields.get(name)
    systems = {str(link.system): system_state(story, link, name) for link in story.scene.links}
    systems |= {str(link.system): ended for link in story.links if (ended := _ended(link, systems)) is not None}
    known = {system: one["agrees"] for system, one in systems.items() if one["agrees"] is not None}
    return {
        "record": str(record.id),
        "field": name,
        "value": value,
        "from": _origin(story, row, name, value),
        "rule": row.rule if row is not None else None,
        "rule_in_words": in_words(story, row),
        "cause": row.cause if row is not None else None,
        "decision": row.id if row is not None else None,
        "at": utc(row.at) if row is not None else None,
        "run": row.run if row is not None else None,
        "policy": row.policy if row is not None else None,
        "by": _person(story, row, name),
        "lost": _lost(story, row, history, name, value),
        "written": [_write(story, one, name, number) for one in reversed(story.intents) if name in _values(one)],
        "agrees": known,
        "all_agree": bool(known)
        and all(known.values())
        and not any(one["mark"] not in (None, "absent") for one in systems.values()),
        "systems": {str(system): systems[system] for system in SYSTEMS if system in systems},
        "history": [_line(one) for one in history],
        "pruned_before": story.pruned.before if story.pruned else None,
    }


# --- what each system holds -------------------------------------------------------------------------------------


def system_state(story: Story, link: Link, name: str) -> dict[str, Any]:
    """What an active link shows: in its own form, whether that is the record's value, and what stands in the way.

    mark: unread, unjudged, held, review, apart, parked, sent, owed, gap (it cannot stand there, or may not) or twin (it
    waits until it is clear whether two are one); None where nothing is to be done.
    """
    scene = story.scene
    cell = link.cells.get(name)
    if scene.field_map(link, name) is None:
        return {"id": link.external_id, "shows": None, "agrees": None, "mark": "absent", "link": link.id}
    shows = UNSET if cell is None else cell.shadow
    return {
        "id": link.external_id,
        "shows": None if shows is UNSET else shows,
        "reads_as": _reads_as(scene, link, name, shows),
        "agrees": None if shows is UNSET else _agrees(scene, link, name),
        "mark": _mark(story, link, name),
        "read_at": utc(link.read_at),
        "link": link.id,
    }


def _agrees(scene: Scene, link: Link, name: str) -> bool:
    """Whether the system shows the record's value, or what it made of it when both agreed last."""
    return scene.explains(scene.record.fields.get(name), link, name)


def _mark(story: Story, link: Link, name: str) -> str | None:
    cell = link.cells.get(name)
    if cell is None or cell.unread:
        return "unread"
    if name in story.record.reviews:
        return "review"
    if cell.braked or (str(link.system), name) in story.held:
        return "held"
    if link.unsettled:
        return "sent"
    if cell.changed:
        return "unjudged"
    if cell.apart:
        return "apart"
    return None if _agrees(story.scene, link, name) else _left(story, link, name)


def _left(story: Story, link: Link, name: str) -> str | None:
    """What becomes of a value that another one is owed for, as the plan itself says."""
    parked = [row for row in story.parked if row.system == link.system and row.field in (name, "*")]
    if parked:
        # What a person gave up waits for nobody.
        return "parked" if any(row.dropped_at is None for row in parked) else "apart"
    if any(name in write.values for write in story.planned.writes if write.system == link.system):
        return "owed"
    if (link.system, name) in story.planned.gaps:
        return "gap"
    return "twin" if story.record.twin and owed(story.scene, link, name) else None


def _reads_as(scene: Scene, link: Link, name: str, shows: Json) -> Json:
    """Their form as the record would say it; None where nobody can read it."""
    if shows is UNSET:
        return None
    try:
        read = scene.get(link, name, shows, scene.record.fields.get(name))
    except BadInput:
        return None
    return None if read is UNSET else read


def _ended(link: Link, there: dict[str, Any]) -> dict[str, Any] | None:
    """A link that ended, where its system has no other one."""
    if str(link.system) in there or link.state is LinkState.ACTIVE:
        return None
    mark = "gone" if link.state is LinkState.GONE else "merged"
    at = (link.gone or {}).get("at")
    return {"id": link.external_id, "shows": None, "agrees": None, "mark": mark, "at": at, "link": link.id}


# --- where the value came from ----------------------------------------------------------------------------------


def _origin(story: Story, row: Any, name: str, value: Json) -> dict[str, Any] | None:
    """The observation that brought the value; None where no system did (a person wrote it, an undo)."""
    if row is None:
        return None
    if row.rule in KEEPS or row.rule == "review":
        return None
    if row.winner is not None:
        link = story.link(row.winner["link"])
        seen = _showing(story, link, name, row.at, row.winner["theirs"]) if link is not None else None
        return _named(link, seen) if link is not None and seen is not None else None
    if row.rule == "union" and row.claims:
        found = [(link, _showing(story, link, name, row.at, c["theirs"])) for c, link in _claimants(story, row)]
        return next((_named(link, seen) for link, seen in found if seen is not None), None)
    if row.cause == "person" or row.rule in ("undo", "policy"):
        return None
    return _first_showing(story, row, name, value)


def _first_showing(story: Story, row: Any, name: str, value: Json) -> dict[str, Any] | None:
    """At birth, where nobody objected: whoever showed the value, in the order of the policy."""
    policy = story.scene.policy.fields.get(name)
    order = policy.order if policy is not None else SYSTEMS
    ranked = sorted(story.links, key=lambda one: (order.index(one.system), one.id))
    found = [(link, seen) for link in ranked for seen in _others_words(story, link, name, row.at)]
    for link, seen in sorted(found, key=lambda one: _likely(one[1], row.at)):
        if normalize.blank(value) or story.scene.accounts_for(value, link.system, name, seen.fields[name]):
            return _named(link, seen)
    return None


def _claimants(story: Story, row: Any) -> list[tuple[Any, Link]]:
    found = [(claim, story.link(claim["link"])) for claim in row.claims or ()]
    return [(claim, link) for claim, link in found if link is not None]


def _showing(story: Story, link: Link, name: str, until: datetime, theirs: Json) -> Any | None:
    """The newest row, up to a moment, in which somebody else than us wrote this value there."""
    wanted = spelt(theirs)
    return next((row for row in _others_words(story, link, name, until) if spelt(row.fields[name]) == wanted), None)


def _others_words(story: Story, link: Link, name: str, until: datetime) -> list[Any]:
    """Rows that show the field, the likeliest to be somebody else's words first, else newest first.

    An answer to a write of ours shows what we wrote, and beside it what the system filled in by itself. Rows after the
    moment come last: a clock may be behind.
    """
    rows = [row for row in story.shown(link) if name in (row.fields or {})]
    return sorted(rows, key=lambda row: _likely(row, until))


def _likely(row: Any, until: datetime) -> tuple[bool, bool]:
    return row.observed_at > until, row.channel == "answer"


def _named(link: Link, seen: Any) -> dict[str, Any]:
    return {
        "system": str(link.system),
        "id": link.external_id,
        "observation": seen.id,
        "at": utc(seen.observed_at),
        "channel": seen.channel,
    }


def _lost(story: Story, row: Any, history: Sequence[Any], name: str, value: Json) -> list[dict[str, Any]]:
    """Claims that the deciding row turned down, and those that were turned down since and changed nothing."""
    out: list[dict[str, Any]] = []
    since = [one for one in history if row is not None and one.id > row.id and one.rule in KEEPS]
    for decided in [row, *since] if row is not None else []:
        if decided.rule in SHARED and decided.rule not in KEEPS:
            continue
        winner = decided.winner["link"] if decided.winner else None
        for claim in decided.claims or ():
            if claim["link"] == winner or (decided.id == row.id and not winner and same(claim["value"], value)):
                continue
            link = story.link(claim["link"])
            seen = _showing(story, link, name, decided.at, claim["theirs"]) if link is not None else None
            out.append(
                {
                    "system": claim["system"],
                    "id": link.external_id if link is not None else None,
                    "value": claim["value"],
                    "theirs": claim["theirs"],
                    "at": utc(seen.observed_at) if seen is not None else None,
                    "observation": seen.id if seen is not None else None,
                    "rule": decided.rule,
                    "decision": decided.id,
                }
            )
    return out


# --- what was written -------------------------------------------------------------------------------------------


def _values(intent: Any) -> dict[str, Json]:
    found: dict[str, Json] = (intent.payload or {}).get("values", {})
    return found


def _write(story: Story, intent: Any, name: str, number: int | None) -> dict[str, Any]:
    """`for_this`: the write followed from the decision that set the present value."""
    return {
        "system": intent.system,
        "intent": intent.id,
        "state": intent.state,
        "verb": intent.verb,
        "at": utc(intent.settled_at or intent.created_at),
        "planned_at": utc(intent.created_at),
        "sent_at": utc(intent.sent_at),
        "value": _values(intent)[name],
        "for_this": number is not None and (intent.numbers or {}).get(name) == number,
        "receipts": [
            {
                "receipt": one.id,
                "outcome": one.outcome,
                "status": one.status,
                "code": one.code,
                "refused": bool(one.fields),
                "at": utc(one.at),
            }
            for one in story.receipts.get(intent.id, ())
        ],
    }


# --- words ------------------------------------------------------------------------------------------------------


def in_words(story: Story, row: Any) -> str | None:
    """A decision's rule in words, with what the policy of the day said about the field."""
    if row is None:
        return None
    said = RULES.get(row.rule, f"the rule {row.rule}")
    policy = story.policies.get(row.policy)
    field = policy.entities[story.record.entity].fields.get(row.field) if policy is not None else None
    if field is None or row.cause == "person" or len(row.claims or ()) < 2:
        return said
    return f"{said} ({rules_in_words(field.rules)})"


def _person(story: Story, row: Any, name: str) -> dict[str, Any] | None:
    """Who answered, where a person decided."""
    if row is None or row.cause != "person":
        return None
    asked = {f"review:{one.id}" for one in story.reviews if one.field == name}
    found = next((one for one in story.acts if one.subject in asked and one.at <= row.at), None)
    return {"who": found.who, "why": found.why, "at": utc(found.at)} if found is not None else None


def _line(row: Any) -> dict[str, Any]:
    return {
        "decision": row.id,
        "rule": row.rule,
        "cause": row.cause,
        "value": row.value,
        "system": row.winner["system"] if row.winner else None,
        "at": utc(row.at),
        "policy": row.policy,
        "run": row.run,
    }
