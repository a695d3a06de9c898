"""The shapes of mappings: what one field of one system is, and what reading and writing it may know."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from sync_platform.core import normalize
from sync_platform.core.records import Entity, Json

NO_COUNTERPART = "no_counterpart"
AWAITS_CUSTOMER = "awaits_customer"
NOT_WRITABLE = "not_writable"


class Unmappable(Exception):
    """This value cannot be written there now; `reason` is no_counterpart, awaits_customer or not_writable."""

    def __init__(self, field: str, reason: str) -> None:
        self.field = field
        self.reason = reason
        super().__init__(f"{field}: {reason}")


def agent_email(raw: Json) -> str | None:
    """How an agent or owner is named in a record: the lower-cased e-mail."""
    spelt = normalize.email_text(raw)
    if spelt is None:
        plain = normalize.text(raw)
        return None if plain is None else normalize.text(plain.lower())
    return spelt


@dataclass(frozen=True)
class Lexicon:
    """What a mapping may know besides the value; one for each (system, entity).

    `to_record`: customers' external id in this system (ids merged away included) → record id, `to_external` back.
    `agents`: agent or owner id → e-mail. `vocabulary`: field → canonical word → their word, or a list of their words
    (the first is written, each is read); of several canonical words with one of theirs, the first listed reads it.
    """

    region: str = "US"
    to_record: Mapping[str, str] = field(default_factory=dict)
    to_external: Mapping[str, str] = field(default_factory=dict)
    agents: Mapping[str, str] = field(default_factory=dict)
    vocabulary: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)

    @cached_property
    def agent_ids(self) -> Mapping[str, str]:
        """E-mail → agent id, the lowest id where two agents share one."""
        out: dict[str, str] = {}
        for agent_id in sorted(self.agents, key=lambda one: (len(one), one), reverse=True):
            spelt = agent_email(self.agents[agent_id])
            if spelt is not None:
                out[spelt] = agent_id
        return out

    @cached_property
    def readings(self) -> Mapping[str, Mapping[str, str]]:
        """Field → their word → canonical word."""
        out: dict[str, dict[str, str]] = {}
        for name, table in self.vocabulary.items():
            reading = out.setdefault(name, {})
            for canonical, theirs in table.items():
                for word in words_of(theirs):
                    reading.setdefault(word, canonical)
        return out


def words_of(theirs: Json) -> tuple[str, ...]:
    """The words of one cell of a vocabulary table, the one to write first."""
    return (theirs,) if isinstance(theirs, str) else tuple(theirs or ())


Get = Callable[[Json, Json, Lexicon], Json]
Put = Callable[[Json, Lexicon], Json]


@dataclass(frozen=True)
class FieldMap:
    """One field of one system.

    `get(theirs, current, lexicon)` gives the canonical value, `UNSET` where a reference cannot be read yet, and raises
    `BadInput(field=…)` for rubbish; `current` is the record's value, whose finer state survives where it has the same
    image. `put(canonical, lexicon)` gives theirs or raises `Unmappable`. Theirs is the attribute's value, or
    {attribute: value} where the field has several.

    mode: both | read (never written) | create (written at create only). kind: scalar | set | reference.
    keep(old, new): True where the new showing does not replace the old one. loses: what this system cannot keep.
    match: email | phone | number where the values are match keys. one_of: theirs is a list and the canonical value is
    one of its elements; `replaced` says which one a write takes the place of.
    """

    field: str
    attributes: tuple[str, ...]
    get: Get
    put: Put
    mode: str = "both"
    kind: str = "scalar"
    keep: Callable[[Json, Json], bool] | None = None
    loses: str = ""
    match: str | None = None
    one_of: bool = False


@dataclass(frozen=True, slots=True)
class Property:
    """An attribute that has to exist in the account before the first write; see `connectors.protocol.Wanted`."""

    entity: Entity
    attribute: str
    label: str
    type: str
    options: tuple[str, ...] = ()
    unique: bool = False
