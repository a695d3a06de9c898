"""The side in memory passes the exam of the real ones."""

from __future__ import annotations

from itertools import count

import pytest

from sync_platform.connectors.memory import MARKER, MemorySystem
from sync_platform.connectors.protocol import Change, Connector, Outcome
from sync_platform.core.records import SYSTEMS, THINGS, Entity, Json, Lane, System, Verb
from tests.connectors.contract import CANARY, Bench, FreeMeter, SystemContract

CUSTOMER = Entity.CUSTOMER


class MemoryBench(Bench):
    """A system in memory with 250 objects of each kind."""

    def __init__(self, system: System, meter: FreeMeter) -> None:
        self.meter = meter
        self.numbers = count(1)
        self.memory = MemorySystem(
            system, meter, refuses=lambda entity, name, value: value == CANARY, unique=frozenset({(CUSTOMER, "email")})
        )
        self.connector = self.memory
        for entity in Entity:
            for _ in range(250):
                self.memory.put(entity, self.fresh(entity))

    def ids(self, entity: Entity) -> set[str]:
        return {one for kind, one in self.memory.things if kind is entity}

    def attribute(self, entity: Entity) -> str:
        return "note"

    def edit(self, entity: Entity, external_id: str, value: str) -> None:
        self.memory.edit(entity, external_id, {"note": value})

    def fresh(self, entity: Entity) -> dict[str, Json]:
        return {"email": f"n{next(self.numbers)}@example.com", "note": "a note", "tags": ["a"]}

    def refused(self, entity: Entity) -> tuple[str, Json] | None:
        return "note", CANARY

    def listing(self, entity: Entity) -> str:
        return f"{THINGS[self.memory.system, entity]}.list"

    def deltas(self, entity: Entity) -> tuple[str, ...]:
        return (f"{THINGS[self.memory.system, entity]}.changes",)


@pytest.fixture(params=SYSTEMS)
def bench(request: pytest.FixtureRequest, meter: FreeMeter) -> MemoryBench:
    return MemoryBench(request.param, meter)


class TestMemoryContract(SystemContract):
    """The exam of every side."""


def test_it_is_a_connector(bench):
    assert isinstance(bench.connector, Connector)


def test_a_create_sent_twice_makes_one_object(bench):
    change, first = bench.create(CUSTOMER)
    assert bench.write(change)[change.token].external_id == first.external_id
    assert first.row.attributes[MARKER[bench.memory.system]] == change.marker


def test_an_email_that_somebody_has_is_refused_with_the_holders_id(bench):
    held = bench.existing(CUSTOMER)
    email = bench.memory.things[CUSTOMER, held].attributes["email"].upper()
    _, receipt = bench.create(CUSTOMER, {"email": email})
    assert (receipt.outcome, receipt.code, receipt.existing) == (Outcome.REJECTED, "EXISTS", held)


def test_deletes_and_merges_are_evidence_in_feed_and_read(bench):
    name = bench.deltas(CUSTOMER)[0]
    _, cursor = bench.drain(name)
    bench.memory.remove(CUSTOMER, "1")
    bench.memory.merge(CUSTOMER, "2", "3")
    rows, _ = bench.drain(name, cursor)
    assert [(row.external_id, row.evidence.kind, row.evidence.into) for row in rows] == [
        ("1", "deleted", None),
        ("2", "merged", "3"),
    ]
    assert bench.show(CUSTOMER, "2").evidence.into == "3"


def test_an_old_version_is_moved_in_the_erp(meter):
    bench = MemoryBench(System.ERP, meter)
    row = bench.show(CUSTOMER, "1")
    bench.edit(CUSTOMER, "1", "newer")
    assert bench.update(CUSTOMER, row, {"note": "older"}).outcome is Outcome.MOVED
    assert bench.show(CUSTOMER, "1").attributes["note"] == "newer"


def test_elements_are_added_and_removed(bench):
    change = Change("t", CUSTOMER, Verb.UPDATE, "1", was={"tags": ["a"]}, add={"tags": ["b"]}, remove={"tags": ["a"]})
    (receipt,) = bench.connector.apply([change], lane=Lane.DELTA)
    assert receipt.row.attributes["tags"] == ["b"]


def test_the_same_story_gives_the_same_rows():
    def told() -> list[object]:
        side = MemorySystem(System.HUBSPOT)
        side.put(CUSTOMER, {"email": "a@example.com"})
        side.edit(CUSTOMER, "1", {"note": "x"})
        return list(side.fetch(CUSTOMER, ["1"], lane=Lane.DELTA))

    assert told() == told()
