"""Which record an object belongs to: by link, by our own foreign ids, by e-mail, by phone; never by a guess."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sync_platform.core.records import RecordId, System

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Placement:
    """Where an object goes: `kind` is link, new, twin or ambiguous; `record` is the candidate that it is linked to.

    `evidence` names the keys and candidates that a person needs for a review. twin: the one candidate already has an
    active link in that system; ambiguous: several candidates, or a shared phone with different e-mails.
    """

    kind: str
    record: RecordId | None = None
    rule: str = ""
    evidence: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class Known:
    """What identification may look at: records by key, keys by record, systems with an active link by record."""

    by_key: dict[Key, set[RecordId]] = field(default_factory=dict)
    emails: dict[RecordId, set[str]] = field(default_factory=dict)
    linked: dict[RecordId, set[System]] = field(default_factory=dict)
    exists: Callable[[RecordId], bool] = lambda _record: False

    def learn(self, record: RecordId, system: System, keys: Iterable[Key]) -> None:
        """Remember a placement, so that the next object of the same batch sees it."""
        self.linked.setdefault(record, set()).add(system)
        for key in keys:
            self.by_key.setdefault(key, set()).add(record)
            if key[0] == "email":
                self.emails.setdefault(record, set()).add(key[1])


def place(system: System, keys: Sequence[Key], known: Known) -> Placement:
    """Decide for one object that has no link yet.

    Our own foreign ids come first (a marker, then a customer number), then any e-mail, then any phone.
    Keys of kind `marker` hold a record id.
    """
    for kind, value in keys:
        if kind == "marker" and known.exists(RecordId(value)):
            return _one(RecordId(value), system, known, "marker", ((kind, value),))
    for kind in ("number", "email", "phone"):
        hits = {key: known.by_key.get(key, set()) for key in keys if key[0] == kind}
        candidates = set().union(*hits.values()) if hits else set()
        if not candidates:
            continue
        evidence = tuple((f"{key[0]}", record) for key, records in sorted(hits.items()) for record in sorted(records))
        if len(candidates) > 1:
            return Placement("ambiguous", None, kind, evidence)
        record = candidates.pop()
        if kind == "phone" and _other_email(record, keys, known.emails):
            return Placement("ambiguous", record, kind, evidence)
        return _one(record, system, known, kind, evidence)
    return Placement("new")


def _one(record: RecordId, system: System, known: Known, rule: str, evidence: tuple[tuple[str, str], ...]) -> Placement:
    if system in known.linked.get(record, set()):
        return Placement("twin", record, rule, evidence)
    return Placement("link", record, rule, evidence)


def _other_email(record: RecordId, keys: Sequence[Key], emails: Mapping[RecordId, set[str]]) -> bool:
    """A shared phone with different e-mails may be a family or a shop: a person decides."""
    own = {value for kind, value in keys if kind == "email"}
    return bool(own) and bool(emails.get(record)) and not own & emails[record]
