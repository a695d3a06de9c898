"""The first load: people known on several sides become one record, without doubles, in whatever order of reading."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from sync_platform.core.records import ENTITIES, SYSTEMS, Entity, System
from sync_platform.sandbox.people import generate
from sync_platform.sync.cycle import open_cycle
from tests.sync.desk import SMALL, Desk, emails


def seeded(**options):
    given = {**SMALL, "seed": 1, "overlap": 0.6, **options}
    return generate(given["seed"], given["customers"], given["tickets"], given["overlap"])


def test_everybody_is_there_once_on_every_side(open_desk):
    world = {"customers": 60, "tickets": 40}
    desk = open_desk(**world)
    _agents, people, cases = seeded(**world)
    desk.settled()
    desk.assert_no_doubles()
    desk.assert_equal()
    assert len(desk.entity("hubspot", "customer")) == len(desk.entity("erp", "customer")) == len(people)
    for system in ("gorgias", "hubspot", "erp"):
        assert len(desk.entity(system, "ticket")) == len(cases)
    with_ticket = {case.person for case in cases}
    wanted = sum(1 for person in people if "gorgias" in person.views or person.n in with_ticket)
    assert len(desk.entity("gorgias", "customer")) == wanted, "a helpdesk customer only where a ticket needs one"


def test_people_of_several_sides_share_one_record_and_nobody_else_does(open_desk):
    desk = open_desk(customers=60, tickets=30)
    _agents, people, _cases = seeded(customers=60, tickets=30)
    by_mail = {view.emails[0].lower(): person.n for person in people for view in person.views.values() if view.emails}
    found: dict[str, set[int]] = {}
    for record, ids in desk.trios("customer").items():
        for system, external_id in ids.items():
            for mail in emails(system, "customer", [desk.row(system, "customer", external_id)]):
                found.setdefault(record, set()).add(by_mail[mail])
    assert len(found) > 20
    assert all(len(persons) == 1 for persons in found.values())
    taken = [next(iter(persons)) for persons in found.values()]
    assert max(Counter(taken).values()) == 1


def records_of(desk: Desk) -> dict[str, str]:
    """Every record by the seeded objects that it holds: what is canonical about it, without ids that were drawn."""
    made = {(i.system, i.record) for i in _creates(desk)}
    out: dict[str, str] = {}
    for record, entity, fields in desk.ledger("SELECT id, entity, fields FROM record"):
        links = desk.ledger(
            "SELECT system, external_id FROM link WHERE record_id = :record ORDER BY system, external_id", record=record
        )
        old = [f"{system}:{external_id}" for system, external_id in links if (system, record) not in made]
        values = json.loads(fields)
        values.pop("customer", None)
        if ("gorgias", record) in made:
            values.pop("closed_at", None)  # the moment at which we closed it there
        if ("erp", record) in made:
            values.pop("customer_no", None)
        out[f"{entity} {' '.join(old)}"] = json.dumps(values, sort_keys=True)
    return out


class _Create:
    def __init__(self, system: str, record: str) -> None:
        self.system, self.record = system, record


def _creates(desk: Desk) -> list[_Create]:
    rows = desk.ledger("SELECT system, record_id FROM intent WHERE verb = 'create' AND state = 'acknowledged'")
    return [_Create(system, record) for system, record in rows]


@pytest.mark.parametrize("order", [(2, 1, 0), (1, 2, 0)], ids=["erp first", "hubspot first"])
def test_the_order_in_which_systems_are_read_decides_nothing(open_desk, order):
    usual = open_desk()
    other = open_desk(load=False)
    systems = [SYSTEMS[place] for place in order]
    complete = False
    for _ in range(6):
        with open_cycle(other.settings) as cycle:
            for entity in ENTITIES:
                for system in systems:
                    cycle.pull(System(system), Entity(entity))
            for entity in ENTITIES:
                cycle.reconcile(entity)
            for entity in ENTITIES:
                for system in systems:
                    cycle.push(System(system), entity)
            complete = cycle.finish()["complete"]
        if complete:
            break
    assert complete
    assert records_of(other) == records_of(usual)
    other.assert_no_doubles()


def test_a_load_that_is_cut_into_many_slices_ends_where_one_does(open_desk):
    usual = open_desk()
    sliced = open_desk(load=False, env={"SYNC_RUN_MAX_S": "0.4"})
    summary = sliced.sync()
    assert summary["complete"]
    assert summary["slices"] > 2
    assert records_of(sliced) == records_of(usual)
    sliced.settled()
    sliced.assert_equal()
    sliced.assert_no_doubles()
