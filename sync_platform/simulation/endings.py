"""Ends in the stories: people delete, merge and restore objects, an operator forgets somebody; and what is known of it.

What really happened is kept here for the checks: who ended what when, when the engine was shown it, and since when it
had read every other system. The engine sees none of this.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from sync_platform.core.policy import Policy
from sync_platform.core.records import ENTITIES, SYSTEMS, Entity, Evidence, System
from sync_platform.simulation import people
from sync_platform.simulation.systems import SimulatedSystem, Thing
from sync_platform.sync import erasing
from sync_platform.sync import hub as engine
from sync_platform.sync.erasing import Forgetting
from sync_platform.sync.hub import Hub

if TYPE_CHECKING:
    from sync_platform.simulation.world import Step, World

KEY = "the key of a simulated account"
MEANS = ("ignore", "unlink", "archive", "delete")
MERGING = (System.GORGIAS, System.HUBSPOT)
# Where people can take back what was deleted: HubSpot's bin, a row put back into the ERP, the helpdesk's trash.
RESTORES = {
    (System.HUBSPOT, Entity.CUSTOMER),
    (System.HUBSPOT, Entity.TICKET),
    (System.ERP, Entity.CUSTOMER),
    (System.ERP, Entity.TICKET),
    (System.GORGIAS, Entity.TICKET),
}
WEIGHTS = {"delete": 3, "merge": 2, "restore": 3, "forget": 2, "return": 4, "end": 10, "join": 3}

Where = tuple[System, Entity, str]
# An object and the number of the version that is its end.
Place = tuple[System, Entity, str, int]


@dataclass(frozen=True, slots=True)
class Ended:
    """One end: what happened to which object of whom and when; `seqs` tells how far each system was then, `settled`
    in which others that person stood and had been read."""

    epoch: int
    tick: int
    system: System
    thing: Thing
    whose: str
    kind: str
    place: int
    seqs: Mapping[System, int]
    settled: frozenset[System]

    @property
    def at(self) -> Place:
        """The name of this end."""
        return self.system, self.thing.entity, self.thing.external_id, self.place


@dataclass(slots=True)
class Ends:
    """What really ended, and what the engine was shown of it."""

    all: list[Ended] = field(default_factory=list)
    restored: list[tuple[int, int, Where]] = field(default_factory=list)
    told: dict[Place, int] = field(default_factory=dict)
    rounds: dict[tuple[System, Entity], int] = field(default_factory=dict)
    kin: dict[str, set[str]] = field(default_factory=dict)
    # Names of people who are being forgotten, and of those who are; tickets of theirs with them.
    wanted: dict[str, set[str]] = field(default_factory=dict)
    forgotten: dict[str, set[str]] = field(default_factory=dict)
    # What the ledger calls an erasure that is under way.
    promised: dict[str, str] = field(default_factory=dict)
    # How far each system was when somebody was forgotten.
    since: dict[str, dict[System, int]] = field(default_factory=dict)
    states: dict[Where, str] = field(default_factory=dict)
    pending: list[Callable[[], None]] = field(default_factory=list)
    means_anything: bool = False

    def of(self, whose: str, entity: Entity) -> list[Ended]:
        """Ends of somebody's objects, oldest first."""
        return [one for one in self.all if one.whose == whose and one.thing.entity is entity]

    def mixed(self, whose: str) -> bool:
        """Whether this person was ever merged with another."""
        return whose in self.kin

    def relatives(self, whose: str) -> set[str]:
        """Everybody who may be one with this person by a merge."""
        return self.kin.get(whose, {whose})

    def hidden(self) -> set[str]:
        """Names of people and tickets that somebody asked to forget."""
        return {one for names in (*self.wanted.values(), *self.forgotten.values()) for one in names}

    def join(self, one: str, other: str) -> None:
        """These two were merged somewhere."""
        both = self.relatives(one) | self.relatives(other)
        self.kin |= dict.fromkeys(both, both)


def where(system: System, thing: Thing) -> Where:
    """An object's name."""
    return system, thing.entity, thing.external_id


def tells(world: World, system: System, thing: Thing, place: int) -> None:
    """The engine is shown an end; what a dying process was shown does not count."""
    told, at = world.ends.told, (*where(system, thing), place)
    if at not in told:
        told[at] = world.tick

        def undo() -> None:
            told.pop(at, None)

        world.ends.pending.append(undo)


def rounds(world: World, system: System, entity: Entity, began: int) -> None:
    """A round of reads came to its end."""
    known, before = world.ends.rounds, world.ends.rounds.get((system, entity), -1)
    known[system, entity] = began

    def undo() -> None:
        known[system, entity] = before

    world.ends.pending.append(undo)


def unsaid(world: World) -> None:
    """The process died before it kept anything of this."""
    for undo in reversed(world.ends.pending):
        undo()
    world.ends.pending.clear()


# --- steps -------------------------------------------------------------------------------------------------------


def means(world: World, gorgias: str, hubspot: str, erp: str, recreate: str) -> None:
    """The policy says this of deletes in each system."""
    said = dict(zip(SYSTEMS, (gorgias, hubspot, erp), strict=True))
    world.policy = with_ends(world.policy, said, recreate)
    world.ends.means_anything = set(said.values()) != {"ignore"} or recreate != "never"


def with_ends(policy: Policy, said: dict[System, str], recreate: str) -> Policy:
    """A policy that differs in what deletes mean."""
    entities = {}
    for entity, rules in policy.entities.items():
        systems = {s: replace(one, delete=said[s], recreate=recreate) for s, one in rules.systems.items()}
        entities[entity] = replace(rules, systems=systems)
    return replace(policy, entities=entities)


def delete(world: World, system: str, entity: str, which: int) -> None:
    """A person deletes an object; the last one stays."""
    side = world.systems[System(system)]
    there = side.living(Entity(entity))
    if len(there) < 2:  # the last one stays
        return
    thing = there[which % len(there)]
    _ends(world, side, thing, "deleted")
    side.end(thing, Evidence("deleted"), "person")


def merge(world: World, system: str, which: int, into: int, silent: int) -> None:
    """A person merges one customer away into another; in Gorgias the event of it may be missing."""
    side = world.systems[System(system)]
    hidden = world.ends.hidden()
    there = [
        one
        for one in side.living(Entity.CUSTOMER)
        if people.whose(one.entity, side.system, one.now.attributes) not in hidden
    ]
    if side.system not in MERGING or len(there) < 2 or which % len(there) == into % len(there):
        return
    thing, survivor = there[which % len(there)], there[into % len(there)]
    _ends(world, side, thing, "merged")
    mine, theirs = (people.whose(Entity.CUSTOMER, side.system, one.now.attributes) for one in (thing, survivor))
    world.ends.join(mine, theirs)
    side.merge(thing, survivor, silent=bool(silent) and side.system is System.GORGIAS)


def _ends(world: World, side: SimulatedSystem, thing: Thing, kind: str) -> None:
    world.events["merge" if kind == "merged" else "delete"] += 1
    whose = people.whose(thing.entity, side.system, thing.now.attributes)
    world.say("  ", kind, side.system, thing.entity, thing.external_id, whose)
    seqs = {system: one.seq for system, one in world.systems.items()}
    settled = frozenset(
        system
        for system, one in world.systems.items()
        for other in one.living(thing.entity)
        if system is not side.system and people.whose(thing.entity, system, other.now.attributes) == whose
    )
    world.ends.all.append(
        Ended(world.epoch, world.tick, side.system, thing, whose, kind, len(thing.versions), seqs, settled)
    )


def restore(world: World, system: str, entity: str, which: int) -> None:
    """A person takes back what was deleted; what was merged away stays away."""
    side = world.systems[System(system)]
    if (side.system, Entity(entity)) not in RESTORES:
        return
    gone = [
        one
        for (kind, _), one in side.things.items()
        if str(kind) == entity
        and one.now.evidence is not None
        and one.now.evidence.kind == "deleted"
        and not (one.erased and side.system is System.HUBSPOT)
    ]
    if gone:
        thing = gone[which % len(gone)]
        if _address_taken(side, thing):
            return
        world.events["restore"] += 1
        world.say("  ", "restored", side.system, entity, thing.external_id)
        world.ends.restored.append((world.epoch, world.tick, where(side.system, thing)))
        thing.erased = False
        side.come_back(thing, "person")


def _address_taken(side: SimulatedSystem, thing: Thing) -> bool:
    mine = people.whose(thing.entity, side.system, thing.now.attributes)
    return thing.entity is Entity.CUSTOMER and any(
        people.whose(one.entity, side.system, one.now.attributes) == mine for one in side.living(Entity.CUSTOMER)
    )


def forget(world: World, which: int) -> None:
    """An operator forgets somebody; whoever was merged with another is left alone here."""
    names = sorted(
        {
            people.whose(Entity.CUSTOMER, system, thing.now.attributes)
            for system, side in world.systems.items()
            for thing in side.living(Entity.CUSTOMER)
        }
        - world.ends.hidden()
        - set(world.ends.kin)
        - {""}
    )
    if len(names) < 2:  # somebody stays
        return
    whose = names[which % len(names)]
    world.events["forget"] += 1
    world.say("  ", "forgets", whose)
    world.ends.wanted[whose] = {whose, *_tickets(world, whose)}
    forget_now(world, whose)


def _tickets(world: World, whose: str) -> set[str]:
    """Tickets of this person, but for those of an object of theirs that ended before anybody read it: nobody can know
    whose they are."""
    out = set()
    for system, side in world.systems.items():
        mine = {
            one.external_id
            for (kind, _), one in side.things.items()
            if kind is Entity.CUSTOMER and people.whose(kind, system, one.now.attributes) == whose
            if one.live or one.shown
        }
        out |= {
            people.whose(kind, system, one.now.attributes)
            for (kind, _), one in side.things.items()
            if kind is Entity.TICKET
            and any(str(v.attributes.get(people.REFERENCE[system])) in mine for v in one.versions)
        }
    return out - {""}


def forget_now(world: World, whose: str) -> None:
    """The command. It is repeated only where it ended without an answer, before it had promised anything: whatever it
    found then is not found again where it ended meanwhile."""
    kept = world.ends.wanted[whose] if whose in world.ends.promised else {whose}
    world.ends.wanted[whose] = kept | _tickets(world, whose)
    before = under_way(world)

    def work() -> None:
        found = Forgetting(world.hub(), KEY).carry_out(f"customer:{whose}@example.com", "US", sure=True)
        if found["done"]:
            _is_forgotten(world, whose)

    world.engine(work)
    for name in under_way(world) - before:
        world.ends.promised[whose] = name
    if whose in world.ends.wanted:
        world.say("  ", "not yet forgotten", whose)
    _count_anew(world)


def carry_on(hub: Hub, entity: Entity) -> None:
    """What an erasure left is carried on with before anything is judged, as a cycle does it."""
    if entity is Entity.CUSTOMER:
        erasing.carry_on(hub, engine.Step("forgotten"))


def under_way(world: World) -> set[str]:
    """Erasures that were begun and that cycles carry on with."""
    rows = world.shelf.raw.execute("SELECT key FROM meta WHERE key LIKE 'erasing:%'")
    return {row[0] for row in rows}


def notice(world: World) -> None:
    """Whether a cycle has ended an erasure that was begun before."""
    if not world.ends.hidden():
        return
    left = under_way(world)
    for whose, name in list(world.ends.promised.items()):
        if name not in left and whose in world.ends.wanted:
            _is_forgotten(world, whose)
    _count_anew(world)


def _is_forgotten(world: World, whose: str) -> None:
    world.say("  ", "forgotten", whose)
    world.ends.forgotten[whose] = world.ends.wanted.pop(whose) | _tickets(world, whose)
    world.ends.since[whose] = {system: side.seq for system, side in world.systems.items()}
    world.ends.promised.pop(whose, None)
    world.events["forgotten"] += 1


def _count_anew(world: World) -> None:
    """Rows went, and numbers may come again: no earlier word is newer than what is decided from here on."""
    observed, decided = world.counts()[:2]
    world.observed_before, world.decided_before = (
        min(world.observed_before, observed),
        min(world.decided_before, decided),
    )
    acts = world.acts
    acts.answers = [replace(one, newest=min(one.newest, decided)) for one in acts.answers]
    acts.approved, acts.dropped = (
        [replace(word, newest=min(word.newest, decided)) for word in words] for words in (acts.approved, acts.dropped)
    )
    for undone in acts.undone.values():
        undone.decided, undone.decided_before = min(undone.decided, decided), min(undone.decided_before, decided)


def follow_tickets(world: World) -> None:
    """Tickets that somebody opened since for who was forgotten and came again, or whose erasure isn't done."""
    for whose, names in (*world.ends.wanted.items(), *world.ends.forgotten.items()):
        names.update(_tickets(world, whose))


def come_again(world: World, which: int, system: str) -> None:
    """Somebody types in a person who was forgotten, under the same address."""
    names = sorted(world.ends.forgotten)
    if not names:
        return
    whose = names[which % len(names)]
    side = world.systems[System(system)]
    if any(people.whose(one.entity, side.system, one.now.attributes) == whose for one in side.living(Entity.CUSTOMER)):
        return
    world.events["return"] += 1
    side.put(Entity.CUSTOMER, {"email": f"{whose}@example.com"}, "person")


STEPS: dict[str, Callable[..., None]] = {
    "means": means,
    "delete": delete,
    "merge": merge,
    "restore": restore,
    "forget": forget,
    "return": come_again,
}


# --- scripts -----------------------------------------------------------------------------------------------------


def policy_of(rng: random.Random) -> list[Step]:
    """What deletes mean in a story: in a third of them nothing, as shipped."""
    if rng.random() < 0.34:
        return []
    said = [rng.choice((*MEANS, "delete", "delete", "delete")) for _ in SYSTEMS]
    return [["means", *said, rng.choice(("never", "never", "later_edit"))]]


def details(rng: random.Random, kind: str, big: int) -> list[object]:
    """What else a step of this kind says."""
    system, entity = str(rng.choice(SYSTEMS)), str(rng.choice(ENTITIES))
    said: dict[str, list[object]] = {
        "delete": [system, entity, big],
        "restore": [system, entity, big],
        "merge": [str(rng.choice(MERGING)), big, big // 7, big % 3 // 2],
        "forget": [big],
        "return": [big, system],
    }
    return said[kind]


def knot(rng: random.Random, kind: str, turn: int, faults: Sequence[str]) -> list[Step]:
    """Steps that are worth most together: an end on its way while somebody edits elsewhere, or a call is lost."""
    one, other = (str(system) for system in rng.sample(SYSTEMS, 2))
    which, first = rng.randrange(4), rng.randrange(60)
    number = 100 + turn * 7
    if kind == "join":
        at = str(rng.choice(MERGING))
        joined: list[Step] = [
            ["edit", at, "customer", which, first, number],
            ["merge", at, which, which + 1, rng.randrange(3) // 2],
            ["pull", at, "customer"],
            ["reconcile", "customer"],
        ]
        return joined[rng.randrange(2) :]
    entity = str(rng.choice((*ENTITIES, Entity.CUSTOMER)))
    third = next(str(system) for system in SYSTEMS if str(system) not in (one, other))
    edit: Step = ["edit", other, entity, which, first, number]
    steps: list[Step] = [edit] if rng.random() < 0.3 else []
    steps += [["delete", one, entity, which], ["sweep", one, entity]]
    chance = rng.random()
    if chance < 0.3:
        steps += [["wait", 1], ["reconcile", entity], ["push", other, entity], ["push", third, entity]]
    elif chance < 0.55:
        # Judged before anybody edits, and sent after.
        judged: list[Step] = [["pull", other, entity], ["pull", third, entity], ["reconcile", entity]]
        steps += [["wait", 1], *judged, ["edit", other, entity, which, first, number + 7], ["push", other, entity]]
    elif chance < 0.75:
        steps += [["wait", rng.choice((1, 31, 70))], ["cycle"]]
    else:
        steps += [["edit", other, entity, which, first + 1, number + 7], ["fault", rng.choice(faults), 0], ["cycle"]]
    return steps + ([["restore", one, entity, which]] if rng.random() < 0.3 else [])
