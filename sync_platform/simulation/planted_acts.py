"""Planted faults about what people say and about order; each is (name, what it breaks, replacements)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, select

from sync_platform.core import answers, merge
from sync_platform.core.records import PlannedWrite
from sync_platform.core.scene import Scene
from sync_platform.ledger import holds, journal, retention
from sync_platform.ledger.journal import DECISION
from sync_platform.simulation import orders
from sync_platform.sync import brake, undo
from sync_platform.sync.hub import Hub

Make = Callable[[Any], Any]


def _restored_whatever_happened(_right: Any) -> Any:
    def restore(conn: Connection, scene: Scene, name: str, items: Any) -> None:
        first = items[0].facts[name]["restores"]
        value = conn.execute(select(DECISION.c.replaced).where(DECISION.c.id == first)).scalar_one_or_none()
        number = scene.add(name, value, "undo", replaced=scene.record.fields.get(name), cause="undo")
        scene.decided(name, value, number)
        scene.record.contests.pop(name, None)

    return restore


def _writes_for_nothing(right: Any) -> Any:
    def spend(world: Any, system: Any, kind: str) -> None:
        if kind != "write":
            right(world, system, kind)

    return spend


def _held_with_its_neighbours(right: Any) -> Any:
    def let(self: Any, write: PlannedWrite, *, news: bool) -> PlannedWrite | None:
        left: PlannedWrite | None = right(self, write, news=news)
        return left if left is not None and len(left.values) == len(write.values) else None

    return let


def _drop_is_an_approval(right: Any) -> Any:
    def load(hub: Any, conn: Any, entity: Any, ids: Any) -> Any:
        gate = right(hub, conn, entity, ids)
        for place, item in gate.known.items():
            if item.state == holds.DROPPED:
                gate.known[place] = replace(item, state=holds.APPROVED)
        return gate

    return load


def _written_down_wrongly(right: Any) -> Any:
    def add(conn: Any, decisions: Any, **how: Any) -> None:
        kept = [replace(one, value=one.replaced) if one.rule == "only_change" else one for one in decisions]
        right(conn, kept, **how)

    return add


def _never(_right: Any) -> Any:
    return lambda *_args, **_more: False


def _always(_right: Any) -> Any:
    return lambda *_args, **_more: True


def _nobody(_right: Any) -> Any:
    return lambda *_args, **_more: []


def _nothing(_right: Any) -> Any:
    return lambda *_args, **_more: None


def _none_needed(_right: Any) -> Any:
    return lambda _rows, _named: set()


FAULTS: tuple[tuple[str, str, tuple[Any, str, Make]], ...] = (
    ("undo_over_a_newer_edit", "I21 I3", (undo, "_restore", _restored_whatever_happened)),
    ("writes_cost_no_budget", "I17", (orders, "spend", _writes_for_nothing)),
    ("hold_blocks_its_neighbours", "I1 I3", (brake.Gate, "_let", _held_with_its_neighbours)),
    ("hold_is_not_counted", "I1", (holds, "recount", _nothing)),
    ("drop_is_judged_again", "I19", (brake.Gate, "load", _drop_is_an_approval)),
    ("answer_taken_though_claims_moved", "I19", (answers.Answer, "made_on", _always)),
    ("pause_ignored", "I19", (Hub, "paused", _never)),
    ("decision_written_down_wrongly", "I20", (journal, "add_decisions", _written_down_wrongly)),
    ("prune_takes_what_is_named", "I20", (retention, "_needed", _none_needed)),
    ("earlier_claims_forgotten", "I5", (merge, "_unknown_to", _nobody)),
)
