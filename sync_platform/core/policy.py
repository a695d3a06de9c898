"""Who may write what, and who wins when systems differ: the policy file as a value.

`parse` gives a policy in which nothing is left to default, or raises with every problem of the file at once.
Nothing here reads a file, and nothing here decides about a record.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from sync_platform.core.mappings import FIELDS, PRIORITIES, SETS, STATUSES
from sync_platform.core.own import OwnRule
from sync_platform.core.policy_nodes import Reading, plain
from sync_platform.core.policy_words import explain
from sync_platform.core.records import ENTITIES, SYSTEMS, Entity, Json, System, payload_hash

__all__ = ["Brake", "EntityPolicy", "FieldPolicy", "Policy", "Rule", "SystemPolicy", "explain", "parse"]

RULE_WORDS = ("newest", "opt_out", "review", "union")
RULE_KEYS = ("owner", "rank", "max", "own")
CREATE = ("always", "when_ticket", "never")
DELETE = ("ignore", "unlink", "archive", "delete")
RECREATE = ("never", "later_edit")
ERASE = ("delete", "ledger")
EMPTY = ("keep", "clear")
TOLERANCE_S = 2.0
BRAKE_ABSOLUTE = 500
BRAKE_SHARE = 0.1
BRAKE_WINDOW_S = 3600.0

# Canonical words of the fields that are told by a vocabulary table.
VOCABULARIES: Mapping[Entity, Mapping[str, tuple[str, ...]]] = {
    Entity.CUSTOMER: {},
    Entity.TICKET: {"status": STATUSES, "priority": PRIORITIES},
}
# Words that a system's own definition fixes; HubSpot's stages belong to the account, `doctor` compares them with it.
FIXED_WORDS: Mapping[tuple[System, str], tuple[str, ...]] = {
    (System.GORGIAS, "status"): ("open", "closed"),
    (System.GORGIAS, "priority"): ("critical", "high", "normal", "low"),
    (System.HUBSPOT, "priority"): ("LOW", "MEDIUM", "HIGH", "URGENT"),
    (System.ERP, "status"): ("new", "in_progress", "waiting", "resolved", "closed"),
    (System.ERP, "priority"): ("low", "normal", "high", "critical"),
}


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a field. kind: owner | union | max | rank | newest | opt_out | review | own.

    `order`: systems of owner and rank; `unless_blank`: a blank of the owner does not win; `scale`: of max, the lowest
    first; `name`, `function`: of an own rule (the function is bound when the rule passed its exam), which stands in
    `line` of the file under the key `path`.
    """

    kind: str
    order: tuple[System, ...] = ()
    unless_blank: bool = False
    scale: tuple[str, ...] = ()
    name: str = ""
    function: OwnRule | None = field(default=None, compare=False, repr=False)
    line: int = field(default=0, compare=False)
    path: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class FieldPolicy:
    """One field. `at_birth`: systems that may set it once, when they bring the record, though they are no writers.

    `empty`: keep (a blank does not replace a value), clear, or the systems whose blanks clear. `first_link`: the
    systems' order for a new record, or "review". `order`: all systems, from the owner rule, then the rank.
    `tolerance_s`: by how much `newest` must be later.
    """

    field: str
    writers: frozenset[System]
    at_birth: frozenset[System]
    rules: tuple[Rule, ...]
    empty: str | frozenset[System]
    first_link: tuple[System, ...] | str
    order: tuple[System, ...]
    tolerance_s: float = TOLERANCE_S

    def blank_clears(self, system: System) -> bool:
        """Whether a blank that comes from a system replaces a value."""
        return system in self.empty if isinstance(self.empty, frozenset) else self.empty == "clear"


@dataclass(frozen=True, slots=True)
class SystemPolicy:
    """One system: when objects are created there, what a delete there means, whether tickets may be closed there.

    `recreate`: never, or `later_edit` (what was deleted there comes back when somebody edits it elsewhere afterwards);
    `erase`: what `forget` may do there: delete for good, or nothing (`ledger`: only our own ledger is purged).
    """

    create: str
    delete: str
    allow_close: bool
    recreate: str = "never"
    erase: str = "delete"


@dataclass(frozen=True, slots=True)
class Brake:
    """The largest change that needs no person: so many rows, or this share of all rows, whichever is more.

    Counted over the last `window_s` seconds, for each system and field.
    """

    absolute: int
    share: float
    window_s: float = BRAKE_WINDOW_S

    def limit(self, rows: int) -> int:
        """How many of `rows` may change without a person."""
        return max(self.absolute, int(self.share * rows))


@dataclass(frozen=True, slots=True)
class EntityPolicy:
    """Everything about customers, or about tickets; `systems` has all three."""

    fields: Mapping[str, FieldPolicy]
    systems: Mapping[System, SystemPolicy]
    brake: Brake


@dataclass(frozen=True, slots=True)
class Policy:
    """The whole file. `vocabulary`: entity → field → canonical word → system → their word (or several, the first is
    written). `hash` names the meaning: comments and blanks do not change it."""

    entities: Mapping[Entity, EntityPolicy]
    vocabulary: Mapping[Entity, Mapping[str, Mapping[str, Mapping[System, Json]]]]
    tolerance_s: float
    hash: str
    text: str


def parse(text: str, file: str = "policy.yaml") -> Policy:
    """The policy that `text` says; `file` is how messages call it. Raises `Misconfigured` with all problems."""
    reading = Reading(file)
    root = reading.root(text)
    keys = reading.mapping(root, "", (*ENTITIES, "tolerance_s")) if root is not None else {}
    entities: dict[Entity, EntityPolicy] = {}
    vocabulary: dict[Entity, Mapping[str, Mapping[str, Mapping[System, Json]]]] = {}
    tolerance_s = TOLERANCE_S
    if "tolerance_s" in keys:
        tolerance_s = reading.number(keys["tolerance_s"], "tolerance_s", 0, 3600)
    for entity in ENTITIES:
        if entity in keys:
            entities[entity], vocabulary[entity] = _entity(reading, keys[entity], entity, tolerance_s)
        elif root is not None:
            reading.wrong(root, entity, "is missing", "Add it; `fields: {}` keeps its fields out of the sync.")
    reading.fail()
    return Policy(entities, vocabulary, tolerance_s, payload_hash(plain(root))[:16], text)


def _entity(
    reading: Reading, node: Node, entity: Entity, tolerance_s: float
) -> tuple[EntityPolicy, Mapping[str, Mapping[str, Mapping[System, Json]]]]:
    keys = reading.mapping(node, entity, ("fields", "systems", "brake", "vocabulary"))
    fields: dict[str, FieldPolicy] = {}
    if "fields" in keys:
        path = f"{entity}.fields"
        for name, one in reading.mapping(keys["fields"], path, FIELDS[entity]).items():
            fields[name] = replace(_field(reading, one, f"{path}.{name}", entity, name), tolerance_s=tolerance_s)
    else:
        reading.wrong(node, entity, "has no fields", "Add `fields:`.")
    systems = _systems(reading, keys.get("systems"), entity)
    brake = _brake(reading, keys.get("brake"), f"{entity}.brake")
    tables = _vocabulary(reading, keys.get("vocabulary"), node, entity, fields)
    return EntityPolicy(fields, systems, brake), tables


def _field(reading: Reading, node: Node, path: str, entity: Entity, name: str) -> FieldPolicy:
    keys = reading.mapping(node, path, ("writers", "at_birth", "rules", "empty", "first_link"))
    before = len(reading.problems)
    writers = _systems_in(reading, keys["writers"], f"{path}.writers") if "writers" in keys else SYSTEMS
    at_birth = _systems_in(reading, keys["at_birth"], f"{path}.at_birth") if "at_birth" in keys else ()
    # Who reads nobody's name right has one problem; what follows from it would only hide it.
    writers_known = len(reading.problems) == before
    if "writers" in keys and not writers and writers_known:
        reading.wrong(keys["writers"], f"{path}.writers", "names no system", "Name one, or leave the field out.")
    for system in sorted(set(writers) & set(at_birth)):
        remedy = f"Take {system} out of `at_birth`: a writer may set the field at any time."
        reading.wrong(keys["at_birth"], f"{path}.at_birth", f"{system} is a writer already", remedy)
    rules = _rules(reading, keys.get("rules"), f"{path}.rules", entity, name)
    if "rules" not in keys and writers_known:
        rules = _rules_unsaid(reading, node, path, writers, is_set=name in SETS[entity])
    if "rules" in keys and writers_known:
        for system in dict.fromkeys(system for rule in rules for system in rule.order if system not in writers):
            remedy = f"Add {system} to `writers`, or take it out of the rule."
            reading.wrong(keys["rules"], f"{path}.rules", f"{system} may not write this field", remedy)
        _every_rule_is_asked(reading, keys["rules"], f"{path}.rules", rules, writers)
    order = _order(rules, writers, at_birth)
    return FieldPolicy(
        field=name,
        writers=frozenset(writers),
        at_birth=frozenset(at_birth),
        rules=rules,
        empty=_empty(reading, keys["empty"], f"{path}.empty", writers) if "empty" in keys else "keep",
        first_link=_first_link(reading, keys.get("first_link"), f"{path}.first_link", order),
        order=order,
    )


def _every_rule_is_asked(
    reading: Reading, node: Node, path: str, rules: tuple[Rule, ...], writers: Collection[System]
) -> None:
    """A rule that stands twice, or after one that never hands on, decides nothing: somebody meant something else."""
    for place, rule in enumerate(rules):
        if rule in rules[:place]:
            reading.wrong(node, path, f"`{rule.kind}` stands twice", "Keep one of them.")
    for place, rule in enumerate(rules[:-1]):
        if rule.kind == "review" or (rule.kind == "rank" and set(writers) <= set(rule.order)):
            what = f"`{rule.kind}` leaves nothing to the rule after it, `{rules[place + 1].kind}`"
            reading.wrong(node, path, what, f"Put `{rule.kind}` last.")
            return


def _empty(reading: Reading, node: Node, path: str, writers: Collection[System]) -> str | frozenset[System]:
    """One word for all, or one for each system; a system that is not named keeps."""
    if not isinstance(node, MappingNode):
        return reading.word(node, path, EMPTY) or "keep"
    said = reading.mapping(node, path, SYSTEMS)
    for name in said:
        if name not in writers:
            reading.wrong(said[name], f"{path}.{name}", f"{name} may not write this field", f"Leave {name} out.")
    words = {name: reading.word(word, f"{path}.{name}", EMPTY) for name, word in said.items()}
    return frozenset(System(name) for name, word in words.items() if word == "clear")


def _systems_in(reading: Reading, node: Node, path: str) -> tuple[System, ...]:
    return tuple(System(one) for one in reading.words(node, path, SYSTEMS))


def _order(rules: tuple[Rule, ...], writers: tuple[System, ...], at_birth: tuple[System, ...]) -> tuple[System, ...]:
    """All systems: those of the owner rule, those of the rank, the other writers, those at birth, the rest."""
    said = [system for kind in ("owner", "rank") for rule in rules if rule.kind == kind for system in rule.order]
    rest = [system for group in (writers, at_birth, SYSTEMS) for system in sorted(group, key=SYSTEMS.index)]
    return tuple(dict.fromkeys([*said, *rest]))


def _first_link(reading: Reading, node: Node | None, path: str, order: tuple[System, ...]) -> tuple[System, ...] | str:
    if node is None:
        return order
    if isinstance(node, ScalarNode) and node.value == "review":
        return "review"
    said = reading.words(node, path, (*SYSTEMS, "review") if isinstance(node, ScalarNode) else SYSTEMS)
    return tuple(dict.fromkeys([*(System(one) for one in said if one != "review"), *order]))


def _rules_unsaid(
    reading: Reading, node: Node, path: str, writers: tuple[System, ...], *, is_set: bool
) -> tuple[Rule, ...]:
    """Without `rules`: a set is united, a single writer owns the field; for anything else somebody has to say it."""
    if is_set:
        return (Rule("union"),)
    if len(writers) > 1:
        remedy = "Add `rules:`, for example `rules: [{rank: [" + ", ".join(writers) + "]}]`."
        reading.wrong(node, path, f"{len(writers)} systems may write it and no rule decides", remedy)
    return (Rule("owner", order=writers),)


def _rules(reading: Reading, node: Node | None, path: str, entity: Entity, name: str) -> tuple[Rule, ...]:
    if node is None:
        return ()
    is_set = name in SETS[entity]
    nodes = node.value if isinstance(node, SequenceNode) else [node]
    found = [_rule(reading, one, path, entity, name) for one in nodes]
    out = tuple(one for one in found if one is not None)
    if not found:
        reading.wrong(node, path, "is an empty list", "Name a rule, or `review`.")
    for rule in out:
        if is_set and rule.kind != "union":
            reading.wrong(node, path, f"`{rule.kind}` cannot decide a set", "Write `rules: [union]`.")
        if rule.kind == "union" and not is_set:
            reading.wrong(node, path, "`union` is for sets only", "Write owner, rank, max, newest or review.")
        if rule.kind == "opt_out" and name != "marketing_opt_out":
            reading.wrong(node, path, "`opt_out` is for marketing_opt_out only", "Write another rule.")
    return out


def _rule(reading: Reading, node: Node, path: str, entity: Entity, name: str) -> Rule | None:
    if isinstance(node, ScalarNode):
        if node.value in RULE_KEYS:
            reading.wrong(node, path, f"`{node.value}` needs a list", f"Write `{{{node.value}: […]}}`.")
            return None
        kind = "opt_out" if node.value == "opt-out" else reading.word(node, path, RULE_WORDS)
        return Rule(kind) if kind else None
    keys = reading.mapping(node, path, (*RULE_KEYS, "unless_blank"))
    kinds = [key for key in keys if key in RULE_KEYS]
    if len(kinds) != 1:
        if isinstance(node, MappingNode):
            reading.wrong(node, path, "a rule has one kind", "Write each rule as an item of its own in the list.")
        return None
    kind = kinds[0]
    if "unless_blank" in keys and kind != "owner":
        reading.wrong(keys["unless_blank"], path, "`unless_blank` belongs to owner", "Take it out.")
    if kind in ("owner", "rank"):
        blank = kind == "owner" and "unless_blank" in keys and reading.flag(keys["unless_blank"], path)
        order = _systems_in(reading, keys[kind], f"{path}.{kind}")
        return Rule(kind, order=order, unless_blank=blank) if order else None
    if kind == "max":
        scale = reading.words(keys["max"], f"{path}.max", VOCABULARIES[entity].get(name))
        if len(scale) < 2:
            reading.wrong(node, f"{path}.max", "a scale has at least two words", "List them, the lowest first.")
        missing = [word for word in VOCABULARIES[entity].get(name, ()) if word not in scale]
        if scale and missing:
            what = f"has no place for {', '.join(missing)}, so it could not compare them"
            reading.wrong(node, f"{path}.max", what, "List every word, the lowest first.")
        return Rule("max", scale=scale)
    names = reading.words(keys["own"], f"{path}.own")
    if len(names) > 1:
        reading.wrong(keys["own"], f"{path}.own", "names more than one rule", "Write each as `{own: [name]}`.")
    line = node.start_mark.line + 1 if node.start_mark is not None else 0
    return Rule("own", name=names[0], line=line, path=f"{path}.own") if names else None


def _systems(reading: Reading, node: Node | None, entity: Entity) -> dict[System, SystemPolicy]:
    path = f"{entity}.systems"
    keys = reading.mapping(node, path, SYSTEMS) if node is not None else {}
    out: dict[System, SystemPolicy] = {}
    for system in SYSTEMS:
        create, delete, allow_close, recreate, erase = "always", "ignore", False, "never", "delete"
        if system in keys:
            where = f"{path}.{system}"
            said = reading.mapping(keys[system], where, ("create", "delete", "allow_close", "recreate", "erase"))
            choices = CREATE if entity is Entity.CUSTOMER else ("always", "never")
            if "create" in said:
                create = reading.word(said["create"], f"{where}.create", choices) or create
            if "delete" in said:
                delete = reading.word(said["delete"], f"{where}.delete", DELETE) or delete
            if "recreate" in said:
                recreate = reading.word(said["recreate"], f"{where}.recreate", RECREATE) or recreate
            if "erase" in said:
                erase = reading.word(said["erase"], f"{where}.erase", ERASE) or erase
            if "allow_close" in said:
                allow_close = reading.flag(said["allow_close"], f"{where}.allow_close")
                if (system, entity) != (System.GORGIAS, Entity.TICKET):
                    what = "only closing a ticket in Gorgias can send a survey"
                    reading.wrong(said["allow_close"], f"{where}.allow_close", what, "Take it out.")
        out[system] = SystemPolicy(create, delete, allow_close, recreate, erase)
    return out


def _brake(reading: Reading, node: Node | None, path: str) -> Brake:
    keys = reading.mapping(node, path, ("absolute", "share", "window_s")) if node is not None else {}
    absolute, share, window_s = BRAKE_ABSOLUTE, BRAKE_SHARE, BRAKE_WINDOW_S
    if "absolute" in keys:
        absolute = int(reading.number(keys["absolute"], f"{path}.absolute", 1, 1_000_000_000, whole=True))
    if "share" in keys:
        share = reading.number(keys["share"], f"{path}.share", 0, 1)
    if "window_s" in keys:
        window_s = reading.number(keys["window_s"], f"{path}.window_s", 60, 30 * 86400)
    return Brake(absolute, share, window_s)


def _vocabulary(
    reading: Reading, node: Node | None, parent: Node, entity: Entity, fields: Mapping[str, FieldPolicy]
) -> dict[str, dict[str, dict[System, Json]]]:
    allowed = [*VOCABULARIES[entity], *(["pipeline"] if entity is Entity.TICKET else [])]
    path = f"{entity}.vocabulary"
    keys = reading.mapping(node, path, allowed) if node is not None else {}
    out: dict[str, dict[str, dict[System, Json]]] = {}
    for name, table in keys.items():
        out[name] = _table(reading, table, f"{path}.{name}", name, VOCABULARIES[entity].get(name))
    for name, canonical in VOCABULARIES[entity].items():
        if name in fields and name not in keys:
            remedy = f"Add a table `{name}` with a row for each of: {', '.join(canonical)}."
            reading.wrong(node or parent, path, f"has no table for the field {name}", remedy)
    return out


def _table(
    reading: Reading, node: Node, path: str, name: str, canonical: tuple[str, ...] | None
) -> dict[str, dict[System, Json]]:
    """One table; `pipeline` (canonical None) has one row, `default`, for HubSpot alone."""
    rows = reading.mapping(node, path, canonical or ("default",))
    expected = SYSTEMS if canonical else (System.HUBSPOT,)
    out: dict[str, dict[System, Json]] = {}
    for row, cells in rows.items():
        said = reading.mapping(cells, f"{path}.{row}", expected)
        out[row] = {}
        for system in expected:
            if system not in said:
                reading.wrong(cells, f"{path}.{row}", f"has no word for {system}", f"Add `{system}: …`.")
                continue
            words = reading.words(said[system], f"{path}.{row}.{system}", FIXED_WORDS.get((system, name)))
            if words:
                out[row][system] = words[0] if len(words) == 1 else list(words)
    for row in canonical or ():
        if row not in rows:
            reading.wrong(node, path, f"has no row for {row}", f"Add `{row}: {{gorgias: …, hubspot: …, erp: …}}`.")
    if not reading.problems:
        _every_word_is_read(reading, node, path, name, out)
    return out


def _every_word_is_read(
    reading: Reading, node: Node, path: str, name: str, rows: Mapping[str, Mapping[System, Json]]
) -> None:
    """A word that a system is sure to show and that no row reads would make tickets unreadable."""
    for (system, table), words in FIXED_WORDS.items():
        if table != name:
            continue
        read = {word for cells in rows.values() for word in _several(cells.get(system))}
        for word in words:
            if word not in read:
                reading.wrong(node, path, f"no row reads `{word}` of {system}", "Add it to one of the rows.")


def _several(words: Json) -> list[str]:
    return [words] if isinstance(words, str) else list(words or [])
