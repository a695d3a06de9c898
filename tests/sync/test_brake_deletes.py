"""The brake on deletes: many objects that end at once take nothing with them until a person says so."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sync_platform.core.policy import Brake, Policy
from sync_platform.ledger import holds
from sync_platform.ledger.database import Ledger
from sync_platform.sync import brake, plans
from tests.sync.memory_desk import CUSTOMER, E, G, H, MemoryDesk, policy_with

MOST = 3


def strict(most: int = MOST, share: float = 0.0, **systems: dict[str, str]) -> Policy:
    policy = policy_with(**systems)
    entity = replace(policy.entities[CUSTOMER], brake=Brake(most, share))
    return replace(policy, entities={**policy.entities, CUSTOMER: entity})


def loaded(tmp_path, count: int, policy: Policy) -> tuple[MemoryDesk, list[dict]]:
    desk = MemoryDesk(tmp_path, policy=policy)
    people = [desk.person(f"Ada Brook{number}", f"ada{number}@example.com") for number in range(count)]
    desk.cycles()
    desk.assert_quiet()
    return desk, people


def listed(desk: MemoryDesk) -> list[tuple]:
    return desk.sql("SELECT stage, system, verb, field, count FROM hold WHERE state = 'open' ORDER BY id")


def say(desk: MemoryDesk, word: str) -> None:
    """A person's word on every open hold, and what a cycle makes of it first."""
    ledger = Ledger.open(desk.url, migrate=False)
    try:
        with ledger.begin() as conn:
            for hold in holds.listed(conn):
                plans.answer(conn, str(hold["hold"]), word, who="kim", why=None, at=desk.now_at)
        brake.release(desk.hub(ledger))
    finally:
        ledger.close()


def test_deletes_under_the_limit_go_on_and_one_more_in_the_window_is_held(tmp_path):
    desk, people = loaded(tmp_path, MOST + 2, strict(gorgias={"delete": "delete"}))
    for ids in people[:MOST]:
        desk.systems[G].remove(CUSTOMER, ids[G])
    desk.cycles(3)
    assert listed(desk) == []
    assert len(desk.live(H)) == len(desk.live(E)) == 2
    desk.systems[G].remove(CUSTOMER, people[MOST][G])
    desk.cycles(3)
    assert listed(desk) == [("claims", "gorgias", "deleted", "*", 1)]
    assert len(desk.live(H)) == len(desk.live(E)) == 2


def over(tmp_path) -> tuple[MemoryDesk, list[dict]]:
    desk, people = loaded(tmp_path, MOST + 3, strict(gorgias={"delete": "unlink"}))
    for ids in people[: MOST + 1]:
        desk.systems[G].remove(CUSTOMER, ids[G])
    desk.cycles(3)
    assert listed(desk) == [("claims", "gorgias", "deleted", "*", MOST + 1)]
    assert len(desk.records()) == MOST + 3
    return desk, people


def test_held_deletes_follow_once_they_are_approved(tmp_path):
    desk, _ = over(tmp_path)
    say(desk, holds.APPROVED)
    desk.cycles(2)
    assert listed(desk) == []
    assert len(desk.records()) == 2
    desk.assert_quiet()


def test_of_held_deletes_that_are_dropped_nothing_follows_and_the_others_stay_equal(tmp_path):
    desk, people = over(tmp_path)
    say(desk, holds.DROPPED)
    desk.cycles(2)
    assert listed(desk) == []
    assert len(desk.records()) == MOST + 3
    desk.systems[E].edit(CUSTOMER, people[0][E], {"note": "still a customer"})
    desk.cycles(2)
    assert desk.live(H)[people[0][H]]["sync_note"] == "still a customer"
    desk.assert_quiet()


def test_an_edit_elsewhere_takes_its_record_out_of_the_hold(tmp_path):
    desk, people = over(tmp_path)
    desk.systems[E].edit(CUSTOMER, people[0][E], {"note": "still a customer"})
    desk.cycles(2)
    assert listed(desk) == [("claims", "gorgias", "deleted", "*", MOST)]
    say(desk, holds.APPROVED)
    desk.cycles(2)
    assert len(desk.records()) == 3


@pytest.mark.parametrize(("deleted", "found"), [(2, []), (6, [("claims", "gorgias", "deleted", "*", 6)])])
def test_a_share_counts_what_was_there_before_the_deletes(tmp_path, deleted, found):
    desk, people = loaded(tmp_path, 10, strict(most=1, share=0.25, gorgias={"delete": "unlink"}))
    for ids in people[:deleted]:
        desk.systems[G].remove(CUSTOMER, ids[G])
    desk.cycles(2)
    assert listed(desk) == found


def test_deletes_from_which_the_policy_lets_nothing_follow_ask_nobody(tmp_path):
    desk, people = loaded(tmp_path, MOST + 3, strict())
    for ids in people:
        desk.systems[G].remove(CUSTOMER, ids[G])
    desk.cycles(2)
    assert listed(desk) == []
    assert len(desk.live(H)) == MOST + 3


def test_a_list_that_lacks_most_of_what_it_held_stops_its_pull_and_nothing_is_concluded(tmp_path):
    desk, people = loaded(tmp_path, MOST + 4, strict(gorgias={"delete": "delete"}))
    things = desk.systems[G].things
    for key in [key for key, thing in things.items() if thing.external_id in {ids[G] for ids in people[: MOST + 1]}]:
        del things[key]
    with pytest.raises(AssertionError, match="SOURCE_SHRUNK"):
        desk.cycle(full=True)
    assert listed(desk) == [("claims", "gorgias", "missing", "*", MOST + 1)]
    assert {state for system, _, state in desk.links() if system == "gorgias"} == {"active"}
    assert len(desk.live(H)) == len(desk.live(E)) == MOST + 4


def vanished(tmp_path, **systems):
    """A world in which most of Gorgias' customers are gone without a trace, and a list that says so."""
    desk, people = loaded(tmp_path, MOST + 4, strict(**systems))
    lost = {ids[G] for ids in people[: MOST + 1]}
    things = desk.systems[G].things
    kept = {key: things.pop(key) for key in [key for key in things if key[1] in lost]}
    with pytest.raises(AssertionError, match="SOURCE_SHRUNK"):
        desk.cycle(full=True)
    return desk, kept


def test_what_a_person_allows_to_be_missing_is_read_by_id_and_only_that_may_be_missing(tmp_path):
    desk, _ = vanished(tmp_path)
    say(desk, holds.APPROVED)
    assert desk.sql("SELECT verb, state FROM hold") == [("missing", "approved")]
    desk.cycles(3)
    gone = [external_id for system, external_id, state in desk.links() if (system, state) == ("gorgias", "gone")]
    assert len(gone) == MOST + 1, "a repeated look by id is evidence"
    desk.cycle(full=True)
    assert len(desk.live(H)) == MOST + 4, "by the policy nothing follows from it"
    assert listed(desk) == []
    desk.assert_quiet()


def test_what_follows_from_objects_that_were_allowed_to_be_missing_asks_once_more(tmp_path):
    desk, _ = vanished(tmp_path, gorgias={"delete": "delete"})
    say(desk, holds.APPROVED)
    desk.cycles(3)
    assert listed(desk) == [("claims", "gorgias", "deleted", "*", MOST + 1)]
    assert len(desk.live(H)) == MOST + 4
    say(desk, holds.APPROVED)
    desk.cycles(3)
    assert len(desk.live(H)) == len(desk.live(E)) == 3


def test_a_list_that_is_whole_again_ends_the_question(tmp_path):
    desk, kept = vanished(tmp_path)
    desk.systems[G].things.update(kept)
    desk.cycle(full=True)
    assert listed(desk) == []
    assert desk.sql("SELECT state FROM hold") == [("emptied",)]
    assert desk.sql("SELECT count(*) FROM hold_item") == [(0,)]


def test_a_list_goes_on_being_refused_after_the_question_was_dropped(tmp_path):
    desk, _ = vanished(tmp_path)
    say(desk, holds.DROPPED)
    desk.cycles(2)
    with pytest.raises(AssertionError, match="SOURCE_SHRUNK"):
        desk.cycle(full=True)
    assert listed(desk) == [("claims", "gorgias", "missing", "*", MOST + 1)]
    assert {state for system, _, state in desk.links() if system == "gorgias"} == {"active"}
