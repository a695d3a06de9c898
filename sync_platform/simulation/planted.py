"""Planted faults: mistakes that others made, put into the engine from outside for as long as a story is played.

Each one replaces a function by a wrapper and takes it away again; the engine itself has no switch. A fault that no
invariant notices would mean that the simulation proves nothing there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from sync_platform.connectors.protocol import Outcome, Receipt
from sync_platform.core import endings, identity, merge
from sync_platform.core.records import Entity, Evidence, IntentState, Link, LinkState, Row, System
from sync_platform.core.scene import Scene
from sync_platform.ledger import erasure, links, outbox
from sync_platform.simulation import planted_acts
from sync_platform.simulation.systems import SimulatedSystem
from sync_platform.sync import endings as ends
from sync_platform.sync import evidence, merges, pull, push, reconcile, settle
from sync_platform.sync.erasing import Forgetting
from sync_platform.sync.keep_out import KeepOut

Make = Callable[[Any], Any]
# One replacement: whose attribute, its name, and how the wrapper is made from what stands there.
Swap = tuple[Any, str, Make]


@dataclass(frozen=True, slots=True)
class Plant:
    """One fault: its name, the invariants that it breaks, and what it replaces."""

    name: str
    breaks: tuple[str, ...]
    swaps: tuple[Swap, ...]

    @contextmanager
    def grown(self) -> Iterator[None]:
        """While this lasts the engine has the fault."""
        was = [(owner, name, getattr(owner, name)) for owner, name, _ in self.swaps]
        try:
            for (owner, name, make), (_, _, right) in zip(self.swaps, was, strict=True):
                setattr(owner, name, make(right))
            yield
        finally:
            for owner, name, right in was:
                setattr(owner, name, right)


# --- answers -----------------------------------------------------------------------------------------------------


def _all_bases(right: Any) -> Any:
    def acknowledge(hub: Any, conn: Any, intent: Any, row: Any, *rest: Any) -> None:
        right(hub, conn, intent, row, *rest)
        for cell in rest[3].links[-1].cells.values():
            cell.base = cell.shadow

    return acknowledge


def _base_as_sent(right: Any) -> Any:
    def field(hub: Any, intent: Any, link: Link, name: str, sent: Any, *rest: Any) -> None:
        right(hub, intent, link, name, sent, *rest)
        cell = link.cells[name]
        cell.base = cell.held = sent

    return field


def _unknown_is_done(right: Any) -> Any:
    def one(hub: Any, conn: Any, intent: Any, receipt: Receipt, *rest: Any) -> None:
        if receipt.outcome is Outcome.UNKNOWN and receipt.external_id:
            receipt = replace(receipt, outcome=Outcome.DONE)
        right(hub, conn, intent, receipt, *rest)

    return one


def _retry_is_rejected(right: Any) -> Any:
    def one(hub: Any, conn: Any, intent: Any, receipt: Receipt, *rest: Any) -> None:
        if receipt.outcome is Outcome.RETRY:
            receipt = replace(receipt, outcome=Outcome.REJECTED, code="BUSY")
        right(hub, conn, intent, receipt, *rest)

    return one


def _sent_is_forgotten(_right: Any) -> Any:
    def unsettled(hub: Any, system: System, entity: Entity, _step: Any) -> None:
        with hub.ledger.begin() as conn:
            open_ = outbox.unsettled(conn, system, entity)
            outbox.set_states(conn, [(one.id, IntentState.PLANNED, None, None) for one in open_])

    return unsettled


def _answers_in_order(right: Any) -> Any:
    def apply(self: Any, changes: Any, *, lane: Any) -> Iterator[Receipt]:
        for change, receipt in zip(changes, right(self, changes, lane=lane), strict=False):
            yield replace(receipt, token=change.token)

    return apply


# --- reads -------------------------------------------------------------------------------------------------------


def _ordered(wrong: Callable[[Link, Row, bool, int | None], str | None]) -> Make:
    def make(right: Any) -> Any:
        def order(link: Link, row: Row, differs: bool, begun: int | None) -> str:
            said: str = wrong(link, row, differs, begun) or right(link, row, differs, begun)
            return said

        return order

    return make


def _old(link: Link, row: Row) -> bool:
    return row.stamp is not None and link.stamp is not None and row.stamp < link.stamp


def _same(link: Link, row: Row) -> bool:
    return row.stamp is not None and link.stamp is not None and row.stamp == link.stamp


def _missing_is_blank(right: Any) -> Any:
    def observe(system: System, entity: Entity, attributes: Mapping[str, Any]) -> dict[str, Any]:
        hidden = {"note": None} if system is System.GORGIAS and entity is Entity.CUSTOMER else {}
        shown: dict[str, Any] = right(system, entity, hidden | dict(attributes) if attributes else attributes)
        return shown

    return observe


def _page_made_short(drop: Callable[[Any, Any, Any], Any]) -> Make:
    def make(right: Any) -> Any:
        def read(self: Any, feed: Any, cursor: Any, **how: Any) -> Any:
            return drop(self, cursor, right(self, feed, cursor, **how))

        return read

    return make


def _to_the_end(system: Any, _cursor: Any, page: Any) -> Any:
    if page.cursor.watermark == "listed" or page.cursor.watermark is None:
        return page
    return replace(page, cursor=replace(page.cursor, watermark=str(system.seq), walk=None), complete=True)


def _equal_stamps_dropped(_system: Any, _cursor: Any, page: Any) -> Any:
    seen: set[Any] = set()
    rows = []
    for row in page.rows:
        if row.stamp not in seen:
            rows.append(row)
        seen.add(row.stamp)
    return replace(page, rows=rows)


# --- decisions and plans -----------------------------------------------------------------------------------------


def _everybody_writes(_right: Any) -> Any:
    return lambda *_args: None


def _always_new(_right: Any) -> Any:
    return lambda _system, _keys, _known: identity.Placement("new")


def _without_numbers(right: Any) -> Any:
    def planned(conn: Any, ids: Any, writes: Any, **how: Any) -> None:
        right(conn, ids, [replace(write, numbers={}) for write in writes], **how)

    return planned


def _neighbour_too(right: Any) -> Any:
    def change(hub: Any, intent: Any, link: Any) -> Any:
        made = right(hub, intent, link)
        extra = {"language": "xx"} if intent.entity is Entity.CUSTOMER else {"subject": "Nobody said this"}
        return replace(made, set={**extra, **made.set})

    return change


def _nothing(_right: Any) -> Any:
    return lambda *_args, **_more: None


def _none_again(_right: Any) -> Any:
    return lambda *_args, **_more: []


def _every_judgement_lost(right: Any) -> Any:
    def decided(self: Scene, name: str, value: Any, number: int) -> None:
        right(self, name, value, number)
        for link in self.links:
            if name in link.cells:
                link.cells[name].apart = True

    return decided


def _first_word_counts(right: Any) -> Any:
    """The first to speak keeps the field: later changes are never judged."""

    def judge(scene: Scene, name: str, policy: Any, fresh: Any) -> bool:
        return bool(scene.record.fields.get(name) is None and right(scene, name, policy, fresh))

    return judge


def _of(name: str, breaks: str, *swaps: Swap) -> Plant:
    return Plant(name, tuple(breaks.split()), swaps)


_ALL = (
    _of("answer_moves_all_bases", "I3 I1", (settle, "_acknowledge", _all_bases)),
    _of("base_not_read_back", "I6 I2", (settle, "_acknowledge_field", _base_as_sent)),
    _of("answer_moves_nothing", "I2 I6 I7", (settle, "_acknowledge_field", _nothing)),
    _of("unknown_taken_for_done", "I7 I1 I3", (settle, "_settle_one", _unknown_is_done)),
    _of("busy_taken_for_refused", "I1 I3", (settle, "_settle_one", _retry_is_rejected)),
    _of("crash_forgets_what_was_sent", "I9 I6 I3", (push, "settle_unknown", _sent_is_forgotten)),
    _of("unknown_never_settled", "I1", (push, "settle_unknown", _nothing)),
    _of("batch_order_trusted", "I7 I1 I8 I9", (SimulatedSystem, "apply", _answers_in_order)),
    _of(
        "stale_row_taken",
        "I3 I6 I7",
        (
            pull,
            "order",
            _ordered(lambda link, row, _d, _b: "take" if _old(link, row) and not link.unsettled else None),
        ),
    ),
    _of(
        "equal_stamp_ignored",
        "I7 I3",
        (
            pull,
            "order",
            _ordered(lambda link, row, _d, begun: "ignore" if _same(link, row) and begun is None else None),
        ),
    ),
    _of(
        "read_while_a_write_is_unsettled",
        "I6 I3",
        (pull, "order", _ordered(lambda link, _r, differs, _b: "take" if link.unsettled and differs else None)),
    ),
    _of("hints_never_read", "I7 I3", (links, "read_again", _none_again)),
    _of("missing_taken_for_blank", "I3 I7 I1 I2", (pull, "observe", _missing_is_blank)),
    _of("watermark_moved_mid_walk", "I7 I1 I3", (SimulatedSystem, "pull", _page_made_short(_to_the_end))),
    _of("greater_for_greater_or_equal", "I7 I1 I3", (SimulatedSystem, "pull", _page_made_short(_equal_stamps_dropped))),
    _of("everybody_may_write", "I16", (merge, "_claims_nothing", _everybody_writes)),
    _of("first_word_counts", "I3", (merge, "_judge", _first_word_counts)),
    _of("differences_left_alone", "I1 I3", (Scene, "decided", _every_judgement_lost)),
    _of("everybody_is_new", "I9 I1", (reconcile, "place", _always_new)),
    _of("sent_not_written_down", "I10", (outbox, "mark_sent", _nothing)),
    _of("written_without_a_decision", "I10", (outbox, "replace_planned", _without_numbers)),
    _of("written_beyond_the_intent", "I11", (push, "_change", _neighbour_too)),
    *(_of(*fault) for fault in planted_acts.FAULTS),
)


# --- ends --------------------------------------------------------------------------------------------------------


def _absent_is_deleted(right: Any) -> Any:
    """HubSpot answers a full list with nothing, once in a while, and what it does not show is taken for deleted."""

    def listed(self: Any, feed: Any, cursor: Any) -> Any:
        page = right(self, feed, cursor)
        if self.system is not System.HUBSPOT or self.seq % 3:
            return page
        ended = [replace(row, attributes={}, evidence=Evidence("deleted")) for row in page.rows]
        return replace(page, rows=ended)

    return listed


def _always_read_since(right: Any) -> Any:
    return lambda means, link, **_read: right(means, link, read_since=True)


def _no_edit(_right: Any) -> Any:
    return lambda *_args: False


def _gone_is_missing(_right: Any) -> Any:
    return lambda links_, _scene: {link.system for link in links_ if link.state is LinkState.GONE}


def _merged_is_deleted(right: Any) -> Any:
    def take(hub: Any, link: Link, row: Row, *rest: Any) -> Any:
        if row.evidence is not None and row.evidence.kind == "merged":
            row = replace(row, evidence=Evidence("deleted"))
        return right(hub, link, row, *rest)

    return take


def _survivor_not_noted(right: Any) -> Any:
    def take(hub: Any, link: Link, *rest: Any) -> Any:
        kept = right(hub, link, *rest)
        link.into = None
        return kept

    return take


def _let_everybody_in(_right: Any) -> Any:
    return lambda _self, _conn, rows, _lexicon, _at: list(rows)


def _only_here(_right: Any) -> Any:
    return lambda _self, _person, _task=None: {}


def _rows_left(right: Any) -> Any:
    return lambda conn, person: right(conn, replace(person, links=[], texts=set()))


_ENDS = (
    _of("absence_taken_for_a_delete", "I12 I13 I7 I2 I4", (SimulatedSystem, "_list", _absent_is_deleted)),
    _of("deleted_before_the_others_were_read", "I12", (endings, "verdict", _always_read_since)),
    _of("deleted_without_a_last_look", "I12", (push, "_read_before_delete", _no_edit)),
    _of(
        "deletes_outrank_edits",
        "I12 I3",
        (endings, "edits", _no_edit),
        (endings, "edited_unknowingly", _no_edit),
    ),
    _of("gone_taken_for_missing", "I13", (ends, "came_back_for", _gone_is_missing)),
    _of("restores_ignored", "I13 I7 I1", (evidence, "may_be_back", _no_edit)),
    _of("merges_taken_for_deletes", "I12 I14", (pull, "take_evidence", _merged_is_deleted)),
    _of("aliases_dropped", "I14", (pull, "take_evidence", _survivor_not_noted)),
    _of("merges_not_followed", "I14", (merges, "follow", _nothing)),
    _of("the_forgotten_come_back", "I22", (KeepOut, "let_in", _let_everybody_in)),
    _of("forgotten_in_the_ledger_alone", "I22", (Forgetting, "_objects", _only_here)),
    _of(
        "forgotten_with_rows_left",
        "I22",
        (erasure, "purge", _rows_left),
        (erasure, "mentions", lambda _right: lambda *_args: 0),
    ),
)
PLANTS: Mapping[str, Plant] = MappingProxyType({plant.name: plant for plant in (*_ALL, *_ENDS)})
