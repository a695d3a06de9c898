"""The equality audit finds what no feed told, the oldest comparison first, and leaves the judging to the next cycle."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sync_platform.core.records import SYSTEMS
from sync_platform.ledger.budget import calls_of
from sync_platform.ledger.comparisons import Oldest
from sync_platform.ledger.database import Ledger
from sync_platform.sync.audit import audit, in_turn, run_audit, standing
from tests.sync.memory_desk import CUSTOMER, E, G, H, MemoryDesk


@pytest.fixture
def world(tmp_path) -> MemoryDesk:
    made = MemoryDesk(tmp_path)
    for number in range(3):
        made.person(f"Ada Number{number}", f"ada{number}@example.com")
    made.cycles()
    return made


def audited(world, **options):
    with Ledger.open(world.url, migrate=False) as ledger:
        return audit(world.hub(ledger), **{"calls_max": 60, **options})


def unseen(world, system, external_id, **values):
    """An edit that leaves neither a stamp nor a line in any feed."""
    thing = world.systems[system].things[CUSTOMER, external_id]
    thing.attributes = {**thing.attributes, **values}


def test_equal_systems_are_compared_field_by_field_and_nothing_differs(world):
    found = audited(world)
    assert found["complete"]
    assert found["fields_differ"] == 0
    for facts in found["systems"].values():
        assert (facts["compared"], facts["never_compared"]) == (3, 0)
        assert facts["fields_compared"] > 3
        assert facts["oldest_comparison_s"] >= 0
    world.assert_quiet()


def test_what_no_feed_told_is_counted_and_reaches_the_others_by_an_ordinary_judgement(world):
    ids = sorted(external_id for kind, external_id in world.systems[E].things if kind is CUSTOMER)
    unseen(world, E, ids[1], company="Typed behind every feed")
    world.cycles(2)
    assert world.live(H)[ids[1]].get("company") != "Typed behind every feed"
    found = audited(world)
    assert found["systems"]["erp"]["fields_differ"] == 1
    assert [(one["system"], one["fields"]) for one in found["differences"]] == [("erp", ["company"])]
    assert "Typed" not in str(found), "values stay out of what is told"
    with Ledger.open(world.url, migrate=False) as ledger, ledger.read() as conn:
        channels = conn.exec_driver_sql("SELECT channel FROM observation ORDER BY id DESC LIMIT 1").scalar()
    assert channels == "sweep"
    assert world.live(H)[ids[1]].get("company") != "Typed behind every feed", "the audit itself writes nothing"
    world.cycles(2)
    assert world.live(H)[ids[1]]["company"] == "Typed behind every feed"
    world.assert_quiet()
    assert audited(world)["fields_differ"] == 0


def test_an_edit_that_the_next_look_will_tell_is_news_and_no_difference(world):
    ids = sorted(external_id for kind, external_id in world.systems[H].things if kind is CUSTOMER)
    world.systems[H].advance(world.now_at.timestamp() - world.systems[H].now_at.timestamp())
    world.systems[H].edit(CUSTOMER, ids[0], {"company": "Edited a moment ago"})
    found = audited(world)
    assert found["systems"]["hubspot"]["edited_since"] == 1
    assert found["fields_differ"] == 0
    world.cycles(2)
    assert world.live(E)[ids[0]]["company"] == "Edited a moment ago"


def test_a_bounded_run_goes_on_where_the_last_one_ended_with_the_oldest_comparison(world):
    first = audited(world, objects_max=2)
    assert not first["complete"]
    assert {facts["compared"] for facts in first["systems"].values()} == {2}
    assert first["systems"]["gorgias"]["never_compared"] == 1
    world.now_at += timedelta(seconds=100)
    second = audited(world, objects_max=2)
    assert {facts["never_compared"] for facts in second["systems"].values()} == {0}
    # The third object first, then the first one again: the second one's comparison is the oldest now.
    assert second["systems"]["gorgias"]["oldest_comparison_s"] >= 100
    third = audited(world, objects_max=1)
    assert third["systems"]["gorgias"]["oldest_comparison_s"] < 100


def test_a_system_that_had_no_turn_comes_first_in_the_next_run():
    """A run ends when news waits: one slow system must not keep the others from ever being compared."""
    at = datetime(2026, 3, 1, tzinfo=UTC)
    known = {(system, CUSTOMER): Oldest(9, 9, None, None) for system in SYSTEMS}
    assert in_turn(known)[-1] is G, "where nothing was compared the quick ones are done first"
    known[G, CUSTOMER] = Oldest(9, 5, at, at)
    assert in_turn(known) == [H, E, G]
    known |= {(H, CUSTOMER): Oldest(9, 0, at, at + timedelta(60)), (E, CUSTOMER): Oldest(9, 0, at, at + timedelta(61))}
    assert in_turn(known) == [G, H, E]


def test_calls_to_a_system_that_reads_one_by_one_are_bounded(world):
    found = audited(world, calls_max=1)
    assert found["systems"]["gorgias"]["compared"] == 1
    assert found["systems"]["hubspot"]["compared"] == 3


def test_an_object_that_vanished_is_looked_at_twice_before_it_is_gone(world):
    ids = sorted(external_id for kind, external_id in world.systems[G].things if kind is CUSTOMER)
    world.systems[G].remove(CUSTOMER, ids[0])
    assert audited(world)["systems"]["gorgias"]["gone"] == 1
    world.cycles(2)
    found = audited(world)
    assert found["systems"]["gorgias"]["gone"] == 0
    assert found["systems"]["gorgias"]["compared"] == 2


def test_how_far_the_audit_is_is_told_for_each_system(world):
    audited(world)
    with Ledger.open(world.url, migrate=False) as ledger, ledger.read() as conn:
        stands = standing(conn, world.now_at)
    assert {facts["objects"] for facts in stands.values()} == {3}
    assert set(stands) == {str(system) for system in SYSTEMS}


def test_an_audit_over_the_real_clients_finds_an_import_that_went_around_the_triggers(desk):
    record, ids = next(iter(desk.trios("customer").items()))
    # Past the looks back of every feed, which would show the row once more.
    desk.later(7200)
    desk.sql("DROP TRIGGER erp_customers_upd")
    desk.sql("UPDATE erp_customers SET company = 'Imported behind the triggers' WHERE id = :id", id=int(ids["erp"]))
    desk.later(7200)
    assert (
        desk.row("hubspot", "customer", ids["hubspot"])["properties"].get("company") != "Imported behind the triggers"
    )
    found = run_audit(desk.settings)
    assert [(one["system"], one["record"], one["fields"]) for one in found["differences"]] == [
        ("erp", record, ["company"])
    ]
    assert found["fields_differ"] == 1
    assert found["systems"]["erp"]["fields_compared"] > 100
    assert 0 < found["systems"]["gorgias"]["calls"] <= desk.settings.sync_audit_calls * 2
    with Ledger.open(desk.settings.ledger_url, migrate=False) as ledger:
        lanes = {one.lane for one in calls_of(ledger, found["run"]) if one.purpose == "read" and one.system != "erp"}
    assert lanes == {"audit"}, "the audit spends its own lane alone"
    desk.settled()
    assert desk.row("hubspot", "customer", ids["hubspot"])["properties"]["company"] == "Imported behind the triggers"
    desk.assert_equal()
