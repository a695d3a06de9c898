"""ERP and ledger on PostgreSQL: a first load, a delta, and changes whose numbers were drawn before others' but commit
after them. (Kills on PostgreSQL are in test_crash.)
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
from sqlalchemy import Connection, create_engine, make_url, text

from tests.sync.crash_day import assert_edits_arrived, play_day
from tests.sync.crash_world import World, assert_nothing_doubled, crash_world, store

pytestmark = pytest.mark.postgres


@pytest.fixture
def world(tmp_path, postgres_server) -> Iterator[World]:
    with crash_world(tmp_path, seed=41, people=12, cases=16, postgres=postgres_server) as one:
        assert one.desk.sync()["complete"]
        yield one


@contextmanager
def programs(world: World, count: int) -> Iterator[list[Connection]]:
    """Connections of other programs to the ERP, each with a transaction of its own."""
    url = make_url(world.desk.ready["erp"]["url"]).set(drivername="postgresql+psycopg")
    engine = create_engine(url, pool_size=count)
    try:
        with ExitStack() as stack:
            yield [stack.enter_context(engine.connect()) for _ in range(count)]
    finally:
        engine.dispose()


def write(program: Connection, row: str, note: str) -> None:
    program.execute(text("UPDATE erp_customers SET note = :note WHERE id = :id"), {"note": note, "id": int(row)})


def shared(world: World, count: int) -> list[dict[str, str]]:
    """People of all three systems, as ids by system."""
    found = [ids for _, ids in sorted(world.desk.trios("customer").items())]
    assert len(found) >= count, "the world has too few people in all three systems"
    return found[:count]


def note_of(world: World, ids: dict[str, str]) -> set[str | None]:
    """What the systems show."""
    gorgias = world.desk.row("gorgias", "customer", ids["gorgias"])["note"]
    hubspot = world.desk.row("hubspot", "customer", ids["hubspot"])["properties"].get("sync_note")
    erp = world.desk.row("erp", "customer", ids["erp"])["note"]
    return {gorgias, hubspot, erp}


def numbers(world: World, row: str) -> list[int]:
    rows = world.desk.sql(
        "SELECT seq FROM erp_changes WHERE table_name = 'erp_customers' AND row_id = :id", id=int(row)
    )
    return [seq for (seq,) in rows]


def test_a_first_load_and_a_day_of_edits_are_equal_on_postgresql(world):
    world.desk.assert_equal()
    events = play_day(world.desk)
    world.desk.settled()
    world.desk.assert_equal()
    after = store(world.desk)
    assert_nothing_doubled(after)
    assert_edits_arrived(events, after)


def test_a_change_that_commits_after_one_with_a_higher_number_is_not_lost(world):
    late, early = shared(world, 2)
    with programs(world, 2) as (slow, fast):
        write(slow, late["erp"], "drew its number first")
        write(fast, early["erp"], "drew its number second")
        fast.commit()
        world.desk.later()
        slow.commit()
    assert max(numbers(world, late["erp"])) < max(numbers(world, early["erp"])), (
        "they committed in the order of numbers"
    )
    world.desk.later()
    assert note_of(world, late) == {"drew its number first"}
    assert note_of(world, early) == {"drew its number second"}


def test_a_number_that_never_commits_holds_nothing_up(world):
    undone, done = shared(world, 2)
    before = note_of(world, undone)
    with programs(world, 2) as (slow, fast):
        write(slow, undone["erp"], "was never there")
        write(fast, done["erp"], "is there")
        fast.commit()
        slow.rollback()
        world.desk.later()
    assert note_of(world, done) == {"is there"}
    assert note_of(world, undone) == before


def test_a_program_that_only_reads_for_a_long_time_holds_nothing_up(world):
    (person,) = shared(world, 1)
    with programs(world, 2) as (reader, writer):
        reader.execute(text("SELECT count(*) FROM erp_customers"))
        write(writer, person["erp"], "beside a long report")
        writer.commit()
        world.desk.later()
        assert note_of(world, person) == {"beside a long report"}


@pytest.mark.parametrize("seed", [1, 2])
def test_programs_that_commit_in_any_order_lose_nothing(world, seed):
    print(f"seed {seed}")
    draw = random.Random(seed)
    people = shared(world, 4)
    expected: dict[str, str] = {}
    with programs(world, len(people)) as connections:
        busy: dict[int, str] = {}
        for step in range(24):
            at = draw.randrange(len(people))
            if at in busy:
                connections[at].commit()
                expected[people[at]["erp"]] = busy.pop(at)
            else:
                busy[at] = f"step {step} of program {at}"
                write(connections[at], people[at]["erp"], busy[at])
            if draw.random() < 0.25:
                world.desk.later()
        for at, note in busy.items():
            connections[at].commit()
            expected[people[at]["erp"]] = note
    world.desk.settled()
    assert expected
    assert all(note_of(world, ids) == {expected[ids["erp"]]} for ids in people if ids["erp"] in expected)
    world.desk.assert_equal()
