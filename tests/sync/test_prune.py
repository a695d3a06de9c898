"""What is old and what nothing needs goes; what explains a present value, a decision or an open question stays."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from sqlalchemy import text

from sync_platform.ledger import retention
from sync_platform.ledger.database import Ledger
from sync_platform.settings import Settings
from sync_platform.sync.prune import run_prune
from sync_platform.sync.status import status
from sync_platform.sync.why import why
from tests.sync.memory_desk import CUSTOMER, E, H, MemoryDesk

MUCH_LATER = datetime(2026, 3, 1, tzinfo=UTC) + timedelta(days=400)


@pytest.fixture
def world(tmp_path) -> SimpleNamespace:
    """Somebody whose company went through many hands."""
    desk = MemoryDesk(tmp_path)
    ids = desk.person("Ada Lovelace", "ada@example.com")
    desk.person("Bo Quiet", "bo@example.com")
    desk.cycles()
    for number in range(6):
        desk.systems[H].edit(CUSTOMER, ids[H], {"company": f"Number {number}"})
        desk.cycles(2)
    desk.systems[E].edit(CUSTOMER, ids[E], {"company": "At last"})
    desk.cycles(3)
    settings = Settings.load({"LEDGER_DATABASE_URL": desk.url}, root=tmp_path)
    return SimpleNamespace(desk=desk, settings=settings, ids=ids)


def pruned(world, *, now=MUCH_LATER, **options):
    return run_prune(world.settings, now=lambda: now, **options)


def asked(world, statement, **values):
    with Ledger.open(world.desk.url, migrate=False) as ledger, ledger.begin() as conn:
        result = conn.execute(text(statement), values)
        return list(result) if result.returns_rows else []


def stories(world):
    """What `why` tells, but for the word about pruning and the answers to old writes, which go."""
    found = why(world.settings, f"customer:hubspot:{world.ids[H]}")
    for one in found:
        del one["pruned_before"]
        for write in one["written"]:
            del write["receipts"]
    return found


def test_why_answers_after_a_prune_as_it_did_before(world):
    before = stories(world)
    found = pruned(world)
    assert found["rows"]["observations"] > 0
    assert stories(world) == before
    company = why(world.settings, f"customer:hubspot:{world.ids[H]}", "company")
    assert company["from"]["system"] == "erp"
    assert company["pruned_before"] == found["before"]


def test_nothing_younger_than_the_days_to_keep_goes(world):
    count = asked(world, "SELECT count(*) FROM observation")
    found = pruned(world, now=world.desk.now_at + timedelta(days=20))
    assert set(found["rows"].values()) == {0}
    assert found["checkpoint"] is None
    assert asked(world, "SELECT count(*) FROM observation") == count


def test_a_dry_run_says_what_a_prune_does_and_does_nothing(world):
    count = asked(world, "SELECT count(*) FROM observation")
    said = pruned(world, dry_run=True)
    assert asked(world, "SELECT count(*) FROM observation") == count
    assert said["checkpoint"] is None
    done = pruned(world)
    assert (said["rows"], said["kept"]) == (done["rows"], done["kept"])


def test_a_prune_that_was_stopped_goes_on_and_a_second_one_finds_nothing(world, monkeypatch):
    monkeypatch.setattr(retention, "PAGE", 3)
    seen = []

    def stop(progress):
        seen.append(progress)
        if sum(1 for one in seen if one.step == "prune observations") == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pruned(world, progress=stop)
    (point,) = asked(world, "SELECT value FROM meta WHERE key = 'pruned'")
    assert '"observation": 6' in point[0]
    before = stories(world)
    pruned(world)
    assert stories(world) == before
    assert pruned(world)["rows"]["observations"] == 0
    assert status(world.settings)["pruned"]["observation"] == asked(world, "SELECT max(id) FROM observation")[0][0]


def test_the_systems_are_as_quiet_after_a_prune_as_before(world):
    pruned(world)
    world.desk.assert_quiet()
    world.desk.systems[H].edit(CUSTOMER, world.ids[H], {"company": "Still at work"})
    world.desk.cycles(3)
    assert world.desk.live(E)[world.ids[E]]["company"] == "Still at work"


def test_what_waits_keeps_its_rows(world):
    """A delivery that nobody drained, an answer that a parked mark shows, a payload that may still land."""
    old, now = datetime(2026, 1, 1, tzinfo=UTC), MUCH_LATER + timedelta(hours=1)
    asked(world, "DELETE FROM receipt")
    (intent,) = asked(world, "SELECT id FROM intent ORDER BY id LIMIT 1")[0]
    (other,) = asked(world, "SELECT id FROM intent ORDER BY id DESC LIMIT 1")[0]
    for number in (intent, other):
        asked(world, "INSERT INTO receipt (intent_id, outcome, at) VALUES (:n, 'rejected', :at)", n=number, at=str(old))
    asked(
        world,
        "INSERT INTO parked (system, entity, field, hash, code, words, remedy, intent_id, at)"
        " VALUES ('erp', 'customer', 'note', 'h', 'C', 'w', 'r', :n, :at)",
        n=intent,
        at=str(old),
    )
    for delivery, drained in (("drained", str(old)), ("waits", None)):
        asked(
            world,
            "INSERT INTO inbox (system, delivery, body, received_at, drained_at) VALUES ('erp', :d, '{}', :at, :dr)",
            d=delivery,
            at=str(old),
            dr=drained,
        )
    for until in (old, now):
        asked(world, "INSERT INTO late (link_id, intent_id, payload, until) VALUES (1, 1, '{}', :u)", u=str(until))
    found = pruned(world)
    assert (found["rows"]["deliveries"], found["rows"]["receipts"], found["rows"]["late payloads"]) == (1, 1, 1)
    assert asked(world, "SELECT delivery FROM inbox") == [("waits",)]
    assert asked(world, "SELECT intent_id FROM receipt") == [(intent,)]
    assert len(asked(world, "SELECT id FROM late")) == 1


def test_runs_that_decided_something_stay_and_the_calls_of_the_others_go_with_them(desk):
    idle = [desk.sync()["run"] for _ in range(3)]
    loaded = desk.first_load["run"]
    found = run_prune(desk.settings, now=lambda: datetime.now(UTC) + timedelta(days=60))
    assert found["rows"]["runs"] >= len(idle)
    assert found["rows"]["counts of calls"] > 0
    left = {row[0] for row in desk.ledger("SELECT id FROM run")}
    decided = {row[0] for row in desk.ledger("SELECT DISTINCT run FROM decision")}
    assert not left & set(idle)
    assert left == decided & (left | {loaded})
    desk.edit("hubspot", "contacts", next(iter(desk.trios("customer").values()))["hubspot"], company="After the prune")
    desk.settled()
    desk.assert_equal()
