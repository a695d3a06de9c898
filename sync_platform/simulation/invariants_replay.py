"""What must hold of replay (I20): the decisions in their order give the records, and each decides the same again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sync_platform.core.mappings import Lexicon, field_maps
from sync_platform.core.policy import Policy
from sync_platform.core.records import SYSTEMS, Claim, Entity, Json, RecordId
from sync_platform.core.replay import PERSON, Court, Judgement, Row
from sync_platform.core.scene import same
from sync_platform.simulation.truth import broken, spelt_out

if TYPE_CHECKING:
    from sync_platform.simulation.world import World

WHOLE = "*"
# Says what was not judged, beside the value that the record had.
OVERTAKEN = "overtaken"
SET_FIELDS = ("tags", "customer")


def decisions(world: World, more: str, *values: Any) -> list[dict[str, Any]]:
    """The decisions that a condition names, oldest first, as the bare table has them."""
    names = (
        "id",
        "record_id",
        "entity",
        "field",
        "value",
        "rule",
        "policy",
        "winner",
        "claims",
        "replaced",
        "cause",
        "at",
    )
    statement = f"SELECT {', '.join(names)} FROM decision WHERE {more} ORDER BY id"  # noqa: S608
    found = world.shelf.raw.execute(statement, values)
    out = []
    for row in found.fetchall():
        one = dict(zip(names, row, strict=True))
        for name in ("value", "winner", "claims", "replaced"):
            # A JSON column of SQLite gives a bare number back as a number.
            one[name] = spelt_out(one[name]) if isinstance(one[name], str) else one[name]
        out.append(one)
    return out


def check(world: World) -> None:
    """Decisions in their order give the records, and each follows from its claims under the policy of its day."""
    state: dict[tuple[str, str], Json] = {}
    rows = decisions(world, "1 = 1")
    for one in rows:
        born = one["field"] == WHOLE and one["cause"] in ("birth", "first_link") and isinstance(one["value"], dict)
        if born:
            state |= {(one["record_id"], name): value for name, value in one["value"].items()}
        elif one["field"] != WHOLE and one["rule"] != OVERTAKEN:
            state[one["record_id"], one["field"]] = one["value"]
    for record, tombstone, fields in world.shelf.raw.execute("SELECT id, tombstone, fields FROM record").fetchall():
        for name, value in spelt_out(fields or "{}").items():
            if (record, name) not in state or tombstone:
                continue
            world.evaluated["I20"] += 1
            if not same(value, state[record, name]):
                words = f"{record} {name}: the record holds {value!r}, its decisions say {state[record, name]!r}"
                broken(world, "I20", words)
    _decided_again(world, [one for one in rows if one["id"] > world.decided_before])


def _decided_again(world: World, rows: list[dict[str, Any]]) -> None:
    versions = {**world.acts.versions, world.policy.hash: world.policy}
    for one in rows:
        policy = versions.get(one["policy"])
        if policy is None or one["cause"] != "change" or one["field"] in SET_FIELDS or not one["winner"]:
            continue
        if one["rule"] == "review_agreed":
            continue
        judgement = _judgement(one)
        if not judgement.by_policy:
            # Its claims were erased with somebody.
            continue
        would = _court(policy, Entity(one["entity"])).decide(judgement, waits=False)
        world.evaluated["I20"] += 1
        if would.kind == PERSON or not judgement.was.like(would):
            broken(world, "I20", f"{one['field']} of {one['record_id']}: decided {one['rule']}, again {would.rule}")


def _judgement(one: Mapping[str, Any]) -> Judgement:
    row = Row(
        number=one["id"],
        rule=one["rule"],
        cause=one["cause"],
        value=one["value"],
        replaced=one["replaced"],
        winner=Claim.load(one["winner"]) if one["winner"] else None,
        claims=tuple(Claim.load(raw) for raw in one["claims"] or ()),
        policy=one["policy"],
    )
    return Judgement(RecordId(one["record_id"]), Entity(one["entity"]), one["field"], [row])


def _court(policy: Policy, entity: Entity) -> Court:
    rules = policy.entities[entity]
    maps = {
        system: {name: one for name, one in field_maps(system, entity).items() if name in rules.fields}
        for system in SYSTEMS
    }
    lexicons = {
        system: Lexicon(
            region="US",
            vocabulary={
                name: {canonical: theirs[system] for canonical, theirs in table.items() if system in theirs}
                for name, table in policy.vocabulary.get(entity, {}).items()
            },
        )
        for system in SYSTEMS
    }
    return Court(rules, maps, lexicons)
