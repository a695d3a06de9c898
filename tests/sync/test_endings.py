"""Deletes and restores over whole cycles: who deletes, who edits meanwhile, and what the policy makes of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sync_platform.connectors.protocol import Outcome, Receipt
from sync_platform.core.policy import Policy, Rule
from sync_platform.core.records import Evidence, Verb
from tests.sync.memory_desk import CUSTOMER, E, G, H, MemoryDesk, policy_with

ADA = ("Ada Brook", "ada@example.com")


def loaded(tmp_path, **systems) -> tuple[MemoryDesk, dict]:
    desk = MemoryDesk(tmp_path, policy=policy_with(**systems))
    ids = desk.person(*ADA)
    desk.cycles()
    desk.assert_quiet()
    return desk, ids


def test_by_default_a_delete_in_one_system_means_nothing_for_the_others_and_nothing_comes_back(tmp_path):
    desk, ids = loaded(tmp_path)
    desk.systems[G].remove(CUSTOMER, ids[G])
    desk.cycles(3)
    desk.systems[E].edit(CUSTOMER, ids[E], {"note": "called twice"})
    desk.cycles(3)
    assert desk.live(G) == {}
    assert desk.live(H)[ids[H]]["sync_note"] == "called twice"
    assert ("gorgias", ids[G], "gone") in desk.links()
    desk.assert_quiet()


def a_person_decides_about_companies(policy: Policy) -> Policy:
    rules = policy.entities[CUSTOMER]
    company = replace(rules.fields["company"], rules=(Rule("review"),))
    asks = replace(rules, fields={**rules.fields, "company": company})
    return replace(policy, entities={**policy.entities, CUSTOMER: asks})


@pytest.mark.parametrize("order", [(G, H, E), (E, H, G), (H, G, E)])
def test_a_delete_goes_on_to_the_others_where_the_policy_says_so(tmp_path, order):
    desk, ids = loaded(tmp_path, gorgias={"delete": "delete"})
    desk.order = order
    desk.systems[G].remove(CUSTOMER, ids[G])
    desk.cycles(3)
    assert desk.live(H) == desk.live(E) == {}
    assert not desk.records()
    assert {state for _, _, state in desk.links()} == {"gone"}
    desk.assert_quiet()


def test_archive_takes_away_only_what_can_be_taken_back(tmp_path):
    desk, ids = loaded(tmp_path, gorgias={"delete": "archive"})
    desk.systems[G].remove(CUSTOMER, ids[G])
    desk.cycles(3)
    assert desk.live(H) == {}
    assert ids[E] in desk.live(E)


def test_unlink_leaves_the_others_as_they_are_and_keeps_them_equal_no_more(tmp_path):
    desk, ids = loaded(tmp_path, gorgias={"delete": "unlink"})
    desk.systems[G].remove(CUSTOMER, ids[G])
    desk.cycles(3)
    desk.systems[E].edit(CUSTOMER, ids[E], {"note": "only here"})
    desk.cycles(3)
    assert desk.live(H)[ids[H]].get("sync_note") in (None, "")
    desk.assert_quiet()


@pytest.mark.parametrize("order", [(G, H, E), (E, H, G), (H, G, E)])
def test_17_an_edit_elsewhere_outlives_a_delete_whatever_was_read_first(tmp_path, order):
    desk, ids = loaded(tmp_path, gorgias={"delete": "delete"})
    desk.order = order
    desk.systems[H].edit(CUSTOMER, ids[H], {"company": "Copper Lamp"})
    desk.systems[G].remove(CUSTOMER, ids[G])
    desk.cycles(4)
    assert desk.live(H)[ids[H]]["company"] == desk.live(E)[ids[E]]["company"] == "Copper Lamp"
    assert desk.live(G) == {}
    desk.assert_quiet()


def test_17_a_delete_waits_until_every_other_system_was_read_since(tmp_path):
    desk, ids = loaded(tmp_path, erp={"delete": "delete"})
    desk.systems[E].remove(CUSTOMER, ids[E])
    desk.cycle()
    assert ids[G] in desk.live(G)
    assert ids[H] in desk.live(H)
    desk.cycles(2)
    assert desk.live(G) == desk.live(H) == {}


def test_an_edit_that_the_deleted_object_was_never_shown_wins_over_the_delete(tmp_path):
    desk, ids = loaded(tmp_path, gorgias={"delete": "delete"})
    desk.writes = False
    desk.systems[E].edit(CUSTOMER, ids[E], {"note": "new here"})
    desk.cycle()
    desk.systems[G].remove(CUSTOMER, ids[G])
    desk.cycle()
    desk.writes = True
    desk.cycles(3)
    assert desk.live(H)[ids[H]]["sync_note"] == "new here"
    assert ids[E] in desk.live(E)


def test_an_edit_between_the_verdict_and_the_delete_is_seen_by_the_read_before_it(tmp_path):
    desk, ids = loaded(tmp_path, gorgias={"delete": "delete"})
    desk.writes = False
    desk.systems[G].remove(CUSTOMER, ids[G])
    desk.cycles(2)
    assert desk.sql("SELECT verb FROM intent WHERE state = 'planned'") == [("delete",), ("delete",)]
    world = desk.systems[H]
    edited: list[bool] = []

    class Busy(type(world)):
        """Somebody types just before it is read by id."""

        __slots__ = ()

        def fetch(self, entity, ids, *, lane):
            if not edited:
                edited.append(True)
                self.edit(CUSTOMER, ids[0], {"company": "Copper Lamp"})
            return super().fetch(entity, ids, lane=lane)

    world.__class__ = Busy
    desk.writes = True
    desk.order = (H, G, E)
    desk.cycles(4)
    assert edited
    assert desk.live(H)[ids[H]]["company"] == "Copper Lamp"
    assert desk.live(E)[ids[E]]["company"] == "Copper Lamp"


def test_13_what_was_deleted_comes_back_only_by_policy_and_only_for_a_later_edit(tmp_path):
    desk, ids = loaded(tmp_path, gorgias={"delete": "ignore", "recreate": "later_edit"})
    desk.systems[G].remove(CUSTOMER, ids[G])
    desk.cycles(4)
    assert desk.live(G) == {}
    desk.systems[H].edit(CUSTOMER, ids[H], {"company": "Copper Lamp"})
    desk.cycles(4)
    assert [one["email"] for one in desk.live(G).values()] == ["ada@example.com"]
    assert ids[G] not in desk.live(G)
    desk.assert_quiet()


def test_an_id_that_is_missing_once_is_not_gone_and_missing_twice_is(tmp_path):
    desk, ids = loaded(tmp_path, hubspot={"delete": "delete"})
    thing = desk.systems[H].things.pop((CUSTOMER, ids[H]))
    desk.sql("UPDATE link SET again = 1 WHERE system = 'hubspot'")
    desk.cycle()
    assert ("hubspot", ids[H], "active") in desk.links()
    desk.systems[H].things[CUSTOMER, ids[H]] = thing
    desk.cycles(2)
    assert ("hubspot", ids[H], "active") in desk.links()
    assert desk.sql("SELECT gone FROM link WHERE system = 'hubspot'") == [(None,)]
    del desk.systems[H].things[CUSTOMER, ids[H]]
    desk.sql("UPDATE link SET again = 1 WHERE system = 'hubspot'")
    desk.cycles(4)
    assert ("hubspot", ids[H], "gone") in desk.links()
    assert desk.live(G) == desk.live(E) == {}


def test_restored_there_it_is_a_new_epoch_and_is_judged_by_the_first_link_rule(tmp_path):
    desk, ids = loaded(tmp_path)
    desk.systems[H].remove(CUSTOMER, ids[H])
    desk.cycles(2)
    desk.systems[E].edit(CUSTOMER, ids[E], {"note": "while it was away"})
    desk.cycles(2)
    desk.systems[H].restore(CUSTOMER, ids[H])
    desk.cycles(3)
    assert ("hubspot", ids[H], "active") in desk.links()
    assert desk.live(H)[ids[H]]["sync_note"] == "while it was away"
    desk.assert_quiet()


def test_a_restore_brings_the_record_back_and_nothing_that_was_deleted_elsewhere(tmp_path):
    desk, ids = loaded(tmp_path, gorgias={"delete": "delete"})
    desk.systems[G].remove(CUSTOMER, ids[G])
    desk.cycles(3)
    desk.systems[H].restore(CUSTOMER, ids[H])
    desk.cycles(3)
    assert len(desk.records()) == 1
    assert ids[H] in desk.live(H)
    assert desk.live(G) == desk.live(E) == {}
    desk.assert_quiet()


def test_an_end_elsewhere_that_is_told_after_a_return_may_have_been_before_it_and_ends_nothing(tmp_path):
    desk, ids = loaded(tmp_path, hubspot={"delete": "delete"})
    desk.systems[E].remove(CUSTOMER, ids[E])
    desk.cycles(2)
    desk.systems[H].remove(CUSTOMER, ids[H])
    desk.systems[E].restore(CUSTOMER, ids[E])
    desk.order = (E,)
    desk.cycle()
    desk.order = (G, H, E)
    desk.cycles(4)
    assert len(desk.records()) == 1
    assert desk.live(H) == {}
    assert ids[G] in desk.live(G)
    assert ids[E] in desk.live(E)
    desk.assert_quiet()


def test_an_end_after_a_return_that_the_others_outlived_means_what_the_policy_says(tmp_path):
    desk, ids = loaded(tmp_path, hubspot={"delete": "delete"})
    desk.systems[E].remove(CUSTOMER, ids[E])
    desk.cycles(2)
    desk.systems[E].restore(CUSTOMER, ids[E])
    desk.cycles(3)
    assert desk.sql("SELECT count(*) FROM link WHERE gone IS NOT NULL") == [(0,)]
    desk.systems[H].remove(CUSTOMER, ids[H])
    desk.cycles(3)
    assert desk.live(G) == desk.live(E) == {}
    desk.assert_quiet()


def test_somebody_new_with_the_address_of_one_who_was_deleted_is_a_new_record(tmp_path):
    desk, ids = loaded(tmp_path, gorgias={"delete": "delete"})
    (old,) = desk.records()
    desk.systems[G].remove(CUSTOMER, ids[G])
    desk.cycles(3)
    # Whoever was there before the end would be the same one.
    desk.systems[E].now_at = desk.now_at
    desk.person("Ada Stone", ADA[1], E)
    desk.cycles(4)
    (new,) = desk.records()
    assert new != old
    assert [one["firstname"] + one["lastname"] for one in desk.live(H).values()] == ["AdaStone"]


@pytest.mark.parametrize("landed", [True, False])
def test_a_delete_whose_answer_is_lost_is_looked_up_before_anything_else(tmp_path, landed):
    desk, ids = loaded(tmp_path, gorgias={"delete": "delete"})
    world = desk.systems[H]
    lost: list[str] = []

    class Lossy(type(world)):
        __slots__ = ()

        def apply(self, changes, *, lane):
            for change in changes:
                if change.verb is Verb.DELETE and not lost:
                    lost.append(change.token)
                    if landed:
                        list(super().apply([change], lane=lane))
                    yield Receipt(change.token, Outcome.UNKNOWN, change.external_id)
                else:
                    yield from super().apply([change], lane=lane)

    world.__class__ = Lossy
    desk.systems[G].remove(CUSTOMER, ids[G])
    desk.cycles(4)
    assert lost
    assert desk.live(H) == desk.live(E) == {}
    states = desk.sql("SELECT state FROM intent WHERE verb = 'delete' AND system = 'hubspot' ORDER BY id")
    assert states == ([("acknowledged",)] if landed else [("dropped",), ("acknowledged",)])
    assert world.things[CUSTOMER, ids[H]].evidence == Evidence("deleted")
    desk.assert_quiet()


def test_an_edit_that_waits_for_a_person_wins_over_the_delete_of_what_was_not_shown_it(tmp_path):
    desk, ids = loaded(tmp_path, gorgias={"delete": "delete"})
    desk.policy = a_person_decides_about_companies(desk.policy)
    desk.systems[H].edit(CUSTOMER, ids[H], {"company": "Copper Lamp"})
    desk.systems[E].edit(CUSTOMER, ids[E], {"company": "Copper Lamps"})
    desk.cycles(2)
    assert desk.sql("SELECT field, state FROM review") == [("company", "open")]
    desk.systems[G].remove(CUSTOMER, ids[G])
    desk.cycles(4)
    assert ids[H] in desk.live(H)
    assert ids[E] in desk.live(E)
    assert desk.sql("SELECT field, state FROM review") == [("company", "open")]
