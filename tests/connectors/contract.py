"""The exam that every side inherits.

A side's test module makes a `Bench` (one running system, its connector, and a way to act behind the connector's back)
and subclasses `SystemContract` with a fixture `bench`:

    class TestErpOnSqlite(SystemContract):
        @pytest.fixture
        def bench(self, tmp_path: Path) -> Iterator[Bench]: ...
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from sync_platform.connectors.protocol import Change, Connector, Cursor, Feed, Outcome, Page, Receipt
from sync_platform.core.records import ENTITIES, Entity, Json, Lane, Row, Verb

CANARY = "Zq7 canary@example.test Kx9"
PAGES_MAX = 10_000


@dataclass(slots=True)
class FreeMeter:
    """A budget that never waits and remembers what was spent (limits, lane, purpose) and what was learnt."""

    spends: list[tuple[tuple[str, ...], Lane, str]] = field(default_factory=list)
    lessons: list[tuple[str, dict[str, float | int | None]]] = field(default_factory=list)

    def spend(self, limits: Sequence[str], *, lane: Lane, purpose: str) -> None:
        """Count one call."""
        self.spends.append((tuple(limits), lane, purpose))

    def learn(
        self,
        limit: str,
        *,
        used: int | None = None,
        allowed: int | None = None,
        window_s: float | None = None,
        frozen_s: float | None = None,
    ) -> None:
        """Note what an answer said."""
        said = {"used": used, "allowed": allowed, "window_s": window_s, "frozen_s": frozen_s}
        self.lessons.append((limit, said))

    @property
    def calls(self) -> int:
        """Calls so far, whatever their purpose."""
        return len(self.spends)

    def count(self, purpose: str) -> int:
        """Calls of one purpose: "read", "write" or "setup"."""
        return sum(1 for _, _, spent in self.spends if spent == purpose)


class Bench(ABC):
    """One running system under its connector. Values are in `Row.attributes` form."""

    connector: Connector
    meter: FreeMeter

    @abstractmethod
    def ids(self, entity: Entity) -> set[str]:
        """External ids of everything alive in the system's own store."""

    @abstractmethod
    def attribute(self, entity: Entity) -> str:
        """A free-text attribute that listings and reads by id both show and that anybody may write."""

    @abstractmethod
    def edit(self, entity: Entity, external_id: str, value: str) -> None:
        """As a person in the system: put `value` into `attribute(entity)`."""

    @abstractmethod
    def fresh(self, entity: Entity) -> dict[str, Json]:
        """Attributes of a new object that the system accepts, different at each call."""

    @abstractmethod
    def refused(self, entity: Entity) -> tuple[str, Json] | None:
        """An attribute and a value with `CANARY` in it that the system refuses; None if it refuses nothing."""

    @abstractmethod
    def listing(self, entity: Entity) -> str:
        """Name of the feed that lists everything when it starts from nothing."""

    @abstractmethod
    def deltas(self, entity: Entity) -> tuple[str, ...]:
        """Names of the feeds that show changes of this entity."""

    def settle(self) -> None:  # noqa: B027  # most systems show a change at once
        """Let the system's own time pass over every lag of its indexes."""

    def unknown_id(self, entity: Entity) -> str:
        """An id that never existed."""
        return "987654321"

    def follows(self, entity: Entity) -> frozenset[str]:
        """Attributes that the system moves by itself at any write."""
        return frozenset()

    def idle_calls(self, feed: Feed) -> int:
        """Calls that one pull of a quiet feed may make."""
        return 1

    def existing(self, entity: Entity) -> str:
        """Some object that is there."""
        return min(self.ids(entity), key=lambda one: (len(one), one))

    def feed(self, name: str) -> Feed:
        """The connector's feed of this name."""
        return next(feed for feed in self.connector.feeds() if feed.name == name)

    def drain(self, name: str, cursor: Cursor | None = None) -> tuple[list[Row], Cursor]:
        """Pull a feed until its walk is complete; rows in order and the last cursor."""
        feed = self.feed(name)
        rows: list[Row] = []
        cursor = self.connector.start(feed, cursor, now=datetime.now(UTC))
        for _ in range(PAGES_MAX):
            page: Page = self.connector.pull(feed, cursor, lane=Lane.DELTA)
            assert not page.bad
            rows.extend(page.rows)
            cursor = page.cursor
            if page.complete:
                return rows, cursor
        raise AssertionError("the walk never ends")

    def show(self, entity: Entity, external_id: str) -> Row:
        """One object by id."""
        (row,) = self.connector.fetch(entity, [external_id], lane=Lane.DELTA)
        return row

    def write(self, *changes: Change) -> dict[str, Receipt]:
        """Apply and give the receipts by token."""
        return {receipt.token: receipt for receipt in self.connector.apply(changes, lane=Lane.DELTA)}

    def create(self, entity: Entity, attributes: Mapping[str, Json] | None = None) -> tuple[Change, Receipt]:
        """Create one object with a marker of its own."""
        marker = uuid4().hex
        wanted = self.fresh(entity) if attributes is None else attributes
        change = Change(marker[:8], entity, Verb.CREATE, None, set=wanted, marker=marker)
        return change, self.write(change)[change.token]

    def update(self, entity: Entity, row: Row, attributes: Mapping[str, Json]) -> Receipt:
        """Write attributes of an object that was read as `row`."""
        change = Change(
            uuid4().hex[:8],
            entity,
            Verb.UPDATE,
            row.external_id,
            set=attributes,
            was={name: row.attributes.get(name) for name in attributes},
            version=row.version,
            carry=row.carry,
        )
        return self.write(change)[change.token]


@pytest.mark.parametrize("entity", ENTITIES)
class SystemContract:
    """What every connector owes the sync; `bench` comes from the subclass."""

    def test_a_full_listing_shows_every_object_once(self, bench: Bench, entity: Entity) -> None:
        rows, cursor = bench.drain(bench.listing(entity))
        seen = Counter(row.external_id for row in rows if row.entity is entity)
        assert set(seen) == bench.ids(entity)
        assert set(seen.values()) == {1}
        assert cursor.walk is None

    def test_a_second_pull_of_a_quiet_system_shows_nothing_new_and_costs_one_call(
        self, bench: Bench, entity: Entity
    ) -> None:
        bench.settle()
        # Every value shown so far: a feed of parts may show several of one object (the oldest message of each page).
        known: dict[tuple[str, str], list[Json]] = {}
        cursors: dict[str, Cursor] = {}
        for name in dict.fromkeys((bench.listing(entity), *bench.deltas(entity))):
            rows, cursors[name] = bench.drain(name)
            for row in rows:
                for attribute, value in row.attributes.items():
                    known.setdefault((row.external_id, attribute), []).append(value)
        for name in bench.deltas(entity):
            before = bench.meter.calls
            rows, cursor = bench.drain(name, cursors[name])
            assert bench.meter.calls - before == bench.idle_calls(bench.feed(name)), name
            assert cursor.watermark == cursors[name].watermark
            for row in rows:
                assert row.evidence is None
                assert all(value in known[row.external_id, key] for key, value in row.attributes.items())

    def test_an_edit_is_seen_by_the_next_pull(self, bench: Bench, entity: Entity) -> None:
        bench.settle()
        cursors = {name: bench.drain(name)[1] for name in bench.deltas(entity)}
        external_id = bench.existing(entity)
        bench.edit(entity, external_id, "Edited by a person")
        bench.settle()
        seen = [
            row for name in cursors for row in bench.drain(name, cursors[name])[0] if row.external_id == external_id
        ]
        shown = [row.attributes[bench.attribute(entity)] for row in seen if bench.attribute(entity) in row.attributes]
        assert shown
        assert set(shown) == {"Edited by a person"}

    def test_a_read_by_id_shows_what_the_listing_showed(self, bench: Bench, entity: Entity) -> None:
        rows, _ = bench.drain(bench.listing(entity))
        listed = next(row for row in rows if row.entity is entity)
        read = bench.show(entity, listed.external_id)
        assert read.evidence is None
        assert {key: read.attributes[key] for key in listed.attributes if key in read.attributes} == {
            key: value for key, value in listed.attributes.items() if key in read.attributes
        }
        assert read.stamp is not None

    def test_an_unknown_id_gives_evidence(self, bench: Bench, entity: Entity) -> None:
        row = bench.show(entity, bench.unknown_id(entity))
        assert row.external_id == bench.unknown_id(entity)
        assert row.evidence is not None
        assert row.attributes == {}

    def test_a_created_object_is_found_by_its_marker(self, bench: Bench, entity: Entity) -> None:
        change, receipt = bench.create(entity)
        assert receipt.outcome is Outcome.DONE, receipt.words
        assert receipt.external_id in bench.ids(entity)
        assert change.marker is not None
        keys = [("marker", uuid4().hex), ("marker", change.marker)]
        hits = list(bench.connector.lookup(entity, keys, lane=Lane.INTERACTIVE))
        assert [(index, row.external_id) for index, row in hits] == [(1, receipt.external_id)]

    def test_a_created_object_holds_what_was_sent(self, bench: Bench, entity: Entity) -> None:
        change, receipt = bench.create(entity)
        assert receipt.external_id is not None
        row = bench.show(entity, receipt.external_id)
        shown = {name: value for name, value in change.set.items() if name in row.attributes}
        assert shown
        assert {name: row.attributes[name] for name in shown} == shown

    def test_an_update_changes_only_what_it_names(self, bench: Bench, entity: Entity) -> None:
        _, created = bench.create(entity)
        assert created.external_id is not None
        before = bench.show(entity, created.external_id)
        named = bench.attribute(entity)
        receipt = bench.update(entity, before, {named: "Written by the sync"})
        assert receipt.outcome is Outcome.DONE, receipt.words
        after = bench.show(entity, created.external_id)
        moved = {name for name in after.attributes if after.attributes[name] != before.attributes.get(name)}
        assert moved - bench.follows(entity) == {named}
        assert after.attributes[named] == "Written by the sync"

    @pytest.mark.parametrize("verb", [Verb.DELETE, Verb.ERASE])
    def test_what_was_deleted_gives_evidence_and_a_second_delete_does_no_harm(
        self, bench: Bench, entity: Entity, verb: Verb
    ) -> None:
        gone, stays = sorted(bench.ids(entity))[:2]
        change = Change("d1", entity, verb, gone)
        (receipt,) = bench.connector.apply([change], lane=Lane.DELTA)
        assert receipt.outcome is Outcome.DONE
        rows = {row.external_id: row for row in bench.connector.fetch(entity, [gone, stays], lane=Lane.DELTA)}
        assert rows[gone].evidence is not None
        assert rows[gone].evidence.kind != "merged"
        assert rows[stays].evidence is None
        (again,) = bench.connector.apply([change], lane=Lane.DELTA)
        assert again.outcome is Outcome.DONE or again.code == "NOT_FOUND"

    def test_a_refused_change_names_its_field_and_tells_no_value(self, bench: Bench, entity: Entity) -> None:
        refused = bench.refused(entity)
        if refused is None:
            pytest.skip("this system refuses no value of this entity")
        name, value = refused
        before = bench.show(entity, bench.existing(entity))
        receipt = bench.update(entity, before, {name: value})
        assert receipt.outcome is Outcome.REJECTED
        assert receipt.fields == (name,)
        assert receipt.row is None
        said = f"{receipt.words} {receipt.code}".casefold()
        assert not [part for part in CANARY.casefold().split() if part in said]
        assert bench.show(entity, before.external_id).attributes == before.attributes

    def test_apply_gives_one_receipt_for_each_change(self, bench: Bench, entity: Entity) -> None:
        existing = bench.show(entity, bench.existing(entity))
        changes = [
            Change("c1", entity, Verb.CREATE, None, set=bench.fresh(entity), marker=uuid4().hex),
            Change("c2", entity, Verb.CREATE, None, set=bench.fresh(entity), marker=uuid4().hex),
            Change(
                "u1",
                entity,
                Verb.UPDATE,
                existing.external_id,
                set={bench.attribute(entity): "One of many"},
                was={bench.attribute(entity): existing.attributes.get(bench.attribute(entity))},
                version=existing.version,
                carry=existing.carry,
            ),
        ]
        refused = bench.refused(entity)
        if refused is not None:
            bad = {**bench.fresh(entity), refused[0]: refused[1]}
            changes.append(Change("bad", entity, Verb.CREATE, None, set=bad, marker=uuid4().hex))
        receipts = list(bench.connector.apply(changes, lane=Lane.DELTA))
        assert sorted(receipt.token for receipt in receipts) == sorted(change.token for change in changes)
        outcomes = {receipt.token: receipt.outcome for receipt in receipts}
        assert outcomes.pop("bad", Outcome.REJECTED) is Outcome.REJECTED
        assert set(outcomes.values()) == {Outcome.DONE}

    def test_no_change_means_no_call(self, bench: Bench, entity: Entity) -> None:
        before = bench.meter.calls
        assert list(bench.connector.apply([], lane=Lane.DELTA)) == []
        assert list(bench.connector.fetch(entity, [], lane=Lane.DELTA)) == []
        assert list(bench.connector.lookup(entity, [], lane=Lane.DELTA)) == []
        assert bench.meter.calls == before

    def test_the_connector_describes_itself(self, bench: Bench, entity: Entity) -> None:
        feeds = bench.connector.feeds()
        names = [feed.name for feed in feeds]
        assert len(set(names)) == len(names)
        assert entity in {feed.entity for feed in feeds}
        assert set(bench.connector.page_size) >= {feed.name for feed in feeds if feed.kind != "detail"}
        assert all(bench.connector.batch_size[entity, verb] >= 1 for verb in (Verb.CREATE, Verb.UPDATE))
        account = bench.connector.account()
        assert account.system is bench.connector.system
        assert account.identity == bench.connector.account().identity

    def test_every_call_is_metered_under_declared_limits(self, bench: Bench, entity: Entity) -> None:
        bench.create(entity)
        bench.show(entity, bench.existing(entity))
        declared = {limit.name for limit in bench.connector.limits}
        assert bench.meter.count("read") > 0
        assert bench.meter.count("write") > 0
        assert all(set(limits) <= declared for limits, _, _ in bench.meter.spends)
