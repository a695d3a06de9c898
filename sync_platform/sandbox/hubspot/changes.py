"""What happens to records and associations, told to whoever listens: webhooks and the webhook journal.

Whoever changes something (a call of the API, a person on the control port, an import) reports it here inside the same
transaction, so that a write that is rolled back is never told. While nobody listens, nothing is put together.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal, Protocol

from sync_platform.sandbox.hubspot.kinds import Kind, Tie
from sync_platform.sandbox.hubspot.store import Row, Source
from sync_platform.sandbox.hubspot.wire import to_ms
from sync_platform.sandbox.world import World

What = Literal["creation", "change", "deletion", "privacy", "restore", "merge", "association"]
CALCULATED: Source = {"sourceType": "CALCULATED"}
MERGED: Source = {"sourceType": "MERGE_OBJECTS"}


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that happened; `at_ms` is epoch milliseconds, `values` the properties' new values."""

    what: What
    kind: Kind
    id: int
    at_ms: int
    source: Source
    values: Mapping[str, str] = field(default_factory=dict)
    calculated: frozenset[str] = frozenset()  # of `values`: what HubSpot derived by itself
    other: Kind | None = None  # the far end of an association
    other_id: int = 0
    type_id: int = 0
    removed: bool = False
    primary: bool = False
    merged: tuple[int, ...] = ()  # ids that a merge ended
    survivor: int = 0


class Sink(Protocol):
    """Somebody who listens."""

    @property
    def active(self) -> bool:
        """Whether anything at all is wanted."""

    def note(self, change: Change) -> None:
        """Take a change; runs inside the writer's transaction."""


class Changes:
    """Reports changes to the sinks. `own` is who writes when a call doesn't say: the app, unless `by` names one."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._sinks: list[Sink] = []
        self._person: Source | None = None
        self.own: Callable[[], Source] = lambda: {"sourceType": "INTEGRATION"}

    def listen(self, sink: Sink) -> None:
        """Tell `sink` from now on."""
        self._sinks.append(sink)

    @property
    def active(self) -> bool:
        """Whether anybody listens."""
        return any(sink.active for sink in self._sinks)

    @contextmanager
    def by(self, writer: Source) -> Iterator[None]:
        """Within the block, changes without a source of their own are this writer's."""
        before, self._person = self._person, writer
        try:
            yield
        finally:
            self._person = before

    @property
    def writer(self) -> Source:
        """Who writes now."""
        return self._person or self.own()

    def created(self, row: Row, written: Mapping[str, str], source: Source, now_ms: int) -> None:
        """A new record."""
        if self.active:
            values = {name: value for name, value in row.props.items() if value and name != row.kind.modified}
            derived = frozenset(values.keys() - written.keys())
            self._tell(Change("creation", row.kind, row.id, now_ms, source, values, derived))

    def changed(
        self, row: Row, before: Mapping[str, str], written: Mapping[str, str], source: Source, now_ms: int
    ) -> None:
        """Other values than `before`; `written` are those that the writer sent, be they the same."""
        values = {
            name: value
            for name, value in row.props.items()
            if name != row.kind.modified and (name in written or before.get(name) != value)
        }
        if values:
            same = {name for name in values if before.get(name) == values[name]}
            if same and not any(getattr(sink, "wants_same", False) for sink in self._sinks):
                values = {name: value for name, value in values.items() if name not in same}
            derived = frozenset(values.keys() - written.keys())
            if values:
                self._tell(Change("change", row.kind, row.id, now_ms, source, values, derived))

    def ended(self, row: Row, now_ms: int, *, private: bool = False) -> None:
        """A record went to the recycle bin, or for privacy's sake for good: the latter is a deletion too [doc]."""
        if self.active:
            if private:
                self._tell(Change("privacy", row.kind, row.id, now_ms, self.writer))
            self._tell(Change("deletion", row.kind, row.id, now_ms, self.writer))

    def restored(self, row: Row, now_ms: int) -> None:
        """A record came out of the recycle bin."""
        if self.active:
            self._tell(Change("restore", row.kind, row.id, now_ms, self.writer))

    def merged(self, primary: Row, loser: Row, survivor: Row, now_ms: int) -> None:
        """Two records became one."""
        if self.active:
            own = {"hs_object_id", "hs_all_contact_vids", "hs_merged_object_ids", "hs_calculated_merged_vids"}
            own |= {survivor.kind.modified, survivor.kind.created}
            moved = {
                name: value
                for name, value in survivor.props.items()
                if name not in own and name in loser.props and primary.props.get(name) != value
            }
            ids = (loser.id,) if survivor.id == primary.id else (primary.id, loser.id)
            change = Change(
                "merge", primary.kind, primary.id, now_ms, self.writer, moved, merged=ids, survivor=survivor.id
            )
            self._tell(change)

    def tied(self, left: Row | tuple[Kind, int], right: Row | tuple[Kind, int], tie: Tie, *, removed: bool) -> None:
        """An association that is new or gone, told in both directions [doc]."""
        if not self.active:
            return
        (a, a_id), (b, b_id) = _end(left), _end(right)
        primary = tie.label == "Primary" and tie.category == "HUBSPOT_DEFINED"
        now_ms = to_ms(self._world.clock.now())
        for one, one_id, far, far_id, type_id in ((a, a_id, b, b_id, tie.type_id), (b, b_id, a, a_id, tie.back_id)):
            self._tell(
                Change(
                    "association",
                    one,
                    one_id,
                    now_ms,
                    self.writer,
                    other=far,
                    other_id=far_id,
                    type_id=type_id,
                    removed=removed,
                    primary=primary,
                )
            )

    def _tell(self, change: Change) -> None:
        for sink in self._sinks:
            if sink.active:
                sink.note(change)


def _end(end: Row | tuple[Kind, int]) -> tuple[Kind, int]:
    return (end.kind, end.id) if isinstance(end, Row) else end
