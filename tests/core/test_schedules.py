"""Schedules that break simpler algorithms, one by one; the number tells them apart in discussions.

Those about cursors, leases and crashes are tested where these live; what the core has to do about them stands here.
"""

import copy
from itertools import permutations

import pytest

from sync_platform.core.identity import Known, place
from sync_platform.core.plan import Facts, plan
from sync_platform.core.policy import Rule
from sync_platform.core.records import SYSTEMS, Cell, RecordId, payload_hash
from tests.core.harness import FIELDS, Bench, E, G, H, entity_policy, owned, rules_of


def test_01_a_change_that_was_stored_before_a_crash_is_still_a_change_after_it():
    bench = Bench().settled_on("title", "a")
    bench.show(E, "title", "b")
    for link in bench.links.values():
        link.cells = {name: Cell.load(cell.dump()) for name, cell in link.cells.items()}
    assert rules_of(bench.judge()) == [("title", "only_change")]


def test_02_an_answer_does_not_swallow_what_somebody_typed_meanwhile():
    bench = Bench().settled_on("title", "a").settled_on("note", "n")
    bench.show(E, "title", "b")
    bench.judge()
    bench.send(H)
    bench.acknowledge(H, {"title": "b", "note": "typed"})
    bench.judge()
    assert bench.record.fields["note"] == "typed"
    assert bench.owes()[E] == {"note": "typed"}


def test_03_reformatting_is_not_fought():
    bench = Bench()
    bench.hold({system: {"code": "v0"} for system in SYSTEMS})
    bench.round()
    bench.edit(E, "code", "v1")
    assert bench.round() == (1, 2)
    assert [bench.round() for _ in range(5)] == [(0, 0)] * 5
    assert bench.held[H].values["code"] == "V1"


def test_04_a_refused_change_is_judged_once_also_while_our_write_cannot_land():
    bench = Bench().settled_on("credit", "ok")
    bench.show(H, "credit", "hold")
    assert len(bench.judge()) == 1
    assert [bench.judge() for _ in range(3)] == [[], [], []]
    assert bench.owes() == {H: {"credit": "ok"}}
    bench.show(H, "credit", "ok")
    assert bench.judge() == []
    assert not bench.owes()


def test_05_somebody_who_sets_back_what_was_there_before_our_write_is_seen():
    bench = Bench().settled_on("title", "a")
    bench.show(E, "title", "b")
    bench.judge()
    bench.acknowledge_all()
    bench.judge()
    bench.show(G, "title", "a")
    assert rules_of(bench.judge()) == [("title", "only_change")]
    assert bench.record.fields["title"] == "a"


def test_06a_our_own_value_is_not_taken_while_its_write_is_unsettled():
    bench = Bench().settled_on("title", "a")
    bench.show(E, "title", "ours")
    bench.judge()
    bench.send(G)
    bench.show(E, "title", "the person's")
    bench.judge()
    bench.show(G, "title", "ours")
    bench.judge()
    assert bench.record.fields["title"] == "the person's"
    bench.settle(G, {"title": "ours"})
    assert bench.judge() == []
    assert bench.owes()[G] == {"title": "the person's"}


def test_06b_an_unknown_outcome_is_settled_field_by_field():
    bench = Bench().settled_on("title", "a").settled_on("note", "n")
    bench.show_all("title", {E: "b"})
    bench.show_all("note", {E: "m"})
    bench.judge()
    bench.send(G)
    bench.settle(G, {"title": "b", "note": "typed after it landed"})
    (decision,) = bench.judge()
    assert (decision.field, decision.value) == ("note", "typed after it landed")
    assert bench.record.fields["title"] == "b"


def test_06c_a_write_that_was_given_up_and_lands_late_claims_nothing():
    bench = Bench().settled_on("title", "a")
    bench.show(E, "title", "ours")
    bench.judge()
    bench.send(G)
    bench.settle(G, {"title": "a"})
    bench.show(E, "title", "newer")
    bench.judge()
    bench.show(G, "title", "ours")
    assert rules_of(bench.judge()) == [("title", "late")]
    assert bench.record.fields["title"] == "newer"
    assert bench.owes()[G] == {"title": "newer"}


@pytest.mark.parametrize("order", list(permutations((G, H, E))), ids="-".join)
def test_07_edits_that_are_seen_a_cycle_apart_are_decided_like_edits_at_once(order):
    bench = Bench().settled_on("title", "old")
    values = {G: "g", H: "h", E: "e"}
    for system in order:
        bench.show(system, "title", values[system])
        bench.judge()
    assert bench.record.fields["title"] == "h"
    assert {claim.value for claim in bench.record.contests["title"]} == {"g", "h", "e"}


@pytest.mark.parametrize("order", list(permutations((G, H, E))), ids="-".join)
def test_08_newest_hands_every_claim_of_the_contest_to_the_next_rule(order):
    rules = (Rule("newest"), Rule("rank", order=(E, H, G)))
    bench = Bench(policy=entity_policy({"title": owned("title", (E, H, G), rules=rules)})).settled_on("title", "old")
    for system in order:
        bench.show(system, "title", str(system))
        bench.judge()
    assert bench.record.fields["title"] == "erp"
    last = [decision for decision in bench.decisions if decision.field == "title"][-1]
    assert (last.rule, len(last.claims)) == ("rank", 3)


def test_09_a_field_in_review_is_written_nowhere_and_a_third_change_joins():
    bench = Bench().settled_on("asked", "old").settled_on("title", "a")
    bench.show_all("asked", {G: "g", E: "e"})
    bench.judge()
    bench.show(H, "title", "b")
    bench.judge()
    assert bench.owes() == {G: {"title": "b"}, E: {"title": "b"}}
    bench.show(H, "asked", "h")
    (decision,) = bench.judge()
    assert (decision.rule, len(decision.claims)) == ("review", 3)
    assert len(bench.record.reviews["asked"]) == 3


def test_10_a_removed_tag_stays_removed_and_an_addition_on_its_way_is_kept():
    bench = Bench()
    bench.hold({system: {"tags": ["a", "b"]} for system in SYSTEMS})
    bench.round()
    bench.edit(G, "tags", ["a"])
    bench.edit(H, "tags", ["a", "b", "c"])
    bench.poll(G)
    bench.judge()
    bench.quiesce()
    assert [holding.values["tags"] for holding in bench.held.values()] == [["a", "c"]] * 3


@pytest.mark.parametrize("first", [E, G, None])
def test_11_a_coarse_reopening_does_not_drag_a_finer_state_back(first):
    bench = Bench().settled_on("status", "closed")
    shown = {E: "waiting", G: "open"}
    if first is not None:
        bench.show(first, "status", shown[first])
        bench.judge()
    bench.show_all("status", shown)
    bench.judge()
    assert bench.record.fields["status"] == "waiting"
    assert bench.owes() == {H: {"status": "2"}}


def test_11_two_claims_that_look_alike_to_a_third_system_are_a_conflict_between_their_owners():
    bench = Bench().settled_on("status", "closed")
    bench.show_all("status", {H: "2", E: "in_progress"})
    (decision,) = bench.judge()
    assert (decision.rule, decision.value) == ("rank", "waiting")


def test_12_a_newly_linked_system_does_not_overwrite_two_that_agree():
    bench = Bench().settled_on("title", "agreed", G, E)
    bench.show(H, "title", "other")
    assert rules_of(bench.judge()) == [("title", "first_link_stays")]
    assert bench.owes() == {H: {"title": "agreed"}}


def test_13_what_was_deleted_there_is_not_created_again():
    bench = Bench().settled_on("title", "a")
    del bench.links[G]
    bench.facts = {"ever_linked": set(SYSTEMS)}
    bench.show(E, "title", "b")
    bench.judge()
    assert set(bench.owes()) == {H}


def test_14_a_candidate_that_already_has_a_link_there_gets_no_second_one():
    known = Known()
    known.learn(RecordId("a" * 32), G, [("phone", "+1")])
    assert place(G, [("phone", "+1")], known).kind == "twin"
    bench = Bench()
    bench.record.twin = True
    assert not bench.settled_on("title", "a", G).owes()


def test_15_nothing_is_created_where_the_person_may_still_turn_up():
    bench = Bench(facts={"creatable": set()}).settled_on("title", "a", G)
    assert not bench.owes()
    bench.facts = {"creatable": {E}}
    bench.judge()
    assert set(bench.owes()) == {E}


def test_16_the_fields_of_a_survivor_are_judged_as_a_first_link_and_the_moved_away_is_not_created_again():
    bench = Bench().settled_on("title", "a").settled_on("note", None)
    survivor = bench.link(G)
    survivor.cells = {name: Cell(shadow) for name, shadow in (("title", "of the survivor"), ("note", "kept there"))}
    assert rules_of(bench.judge()) == [("title", "first_link_stays"), ("note", "first_link_fills")]
    assert bench.owes()[G] == {"title": "a"}
    assert bench.owes()[H] == {"note": "kept there"}


def test_17_an_edit_that_is_read_before_the_delete_is_judged_reaches_the_others():
    """The core's part: a link that is gone takes part in nothing, the edit elsewhere goes on."""
    bench = Bench().settled_on("title", "a")
    gone = bench.links.pop(G)
    bench.facts = {"ever_linked": set(SYSTEMS)}
    bench.show(H, "title", "edited")
    bench.judge()
    assert bench.owes() == {E: {"title": "edited"}}
    assert gone.cells["title"].shadow == "a"


def test_18_missing_is_not_empty():
    bench = Bench().settled_on("title", "a").settled_on("note", "n")
    bench.show(G, "title", "b")
    bench.judge()
    assert bench.record.fields["note"] == "n"
    fresh = Bench().settled_on("note", "n", H, E)
    fresh.show(G, "title", "a")
    fresh.judge()
    assert fresh.cell(G, "title").base == "a"
    assert "note" not in fresh.owes().get(G, {})


def test_19a_a_system_that_ignores_us_is_parked_and_claims_nothing():
    bench = Bench().settled_on("title", "a")
    bench.show(E, "title", "b")
    bench.judge()
    bench.send(G)
    bench.acknowledge(G, {"title": "a"})
    assert bench.parked[G, "title"] == payload_hash("b")
    assert [bench.judge() for _ in range(3)] == [[], [], []]
    assert set(bench.owes()) == {H}


def test_19b_a_later_read_that_differs_is_a_change_unless_it_reads_the_same():
    bench = Bench().settled_on("title", "a")
    bench.show(E, "title", "b")
    bench.judge()
    bench.acknowledge(G, {})
    bench.acknowledge(H, {})
    bench.judge()
    bench.show(G, "title", "b ")
    assert bench.judge() == []
    bench.show(H, "title", "a rule of the merchant")
    assert rules_of(bench.judge()) == [("title", "only_change")]


def test_19c_two_systems_that_reformat_after_the_answer_come_to_an_end():
    """Compared in canonical form: each spells it its own way, and nobody is written again."""
    bench = Bench().settled_on("title", "a")
    bench.show(E, "title", "b")
    bench.judge()
    bench.acknowledge_all()
    bench.judge()
    for _ in range(5):
        bench.show(G, "title", " b")
        bench.show(H, "title", "b ")
        assert bench.judge() == []
        assert not bench.owes()
        bench.show(G, "title", "b")


def test_20_a_plan_replaces_the_one_before_and_skips_exactly_what_was_refused():
    bench = Bench().settled_on("title", "a").settled_on("note", "n")
    bench.show(E, "title", "b")
    bench.judge()
    bench.show(E, "title", "c")
    bench.show(E, "note", "m")
    bench.judge()
    assert bench.owes()[G] == {"title": "c", "note": "m"}
    assert len([write for write in bench.planned.writes if write.system == G]) == 1
    bench.parked[G, "title"] = payload_hash("c")
    bench.judge()
    assert bench.owes()[G] == {"note": "m"}


def test_21_what_was_dropped_is_left_apart_until_something_newer_comes():
    bench = Bench().settled_on("title", "a")
    bench.show(E, "title", "b")
    bench.judge()
    for system in (G, H):
        bench.cell(system, "title").apart = True
    assert bench.judge() == []
    assert not bench.owes()
    bench.show(E, "title", "c")
    bench.judge()
    assert set(bench.owes()) == {G, H}


def test_22_an_added_field_is_unread_until_shown_and_a_removed_one_keeps_its_base():
    bench = Bench().settled_on("title", "a")
    bench.show(G, "note", "first shown")
    assert rules_of(bench.judge()) == [("note", "first_link_fills")]
    assert bench.cell(H, "note").unread
    without = {name: policy for name, policy in FIELDS.items() if name != "title"}
    bench.policy = entity_policy(without)
    bench.show(E, "title", "while it was out")
    assert bench.judge() == []
    assert bench.cell(E, "title").base == "a"
    bench.policy = entity_policy()
    assert rules_of(bench.judge()) == [("title", "only_change")]


def test_22_a_changed_rule_settles_nothing_again():
    bench = Bench().settled_on("title", "old")
    bench.show_all("title", {G: "g", H: "h"})
    bench.judge()
    bench.acknowledge_all()
    bench.judge()
    bench.policy = entity_policy({**FIELDS, "title": owned("title", (G, H, E))})
    assert bench.judge() == []
    assert bench.record.fields["title"] == "h"


def test_23_a_plan_commits_nothing():
    bench = Bench().settled_on("title", "a")
    bench.show(E, "title", "b")
    before = copy.deepcopy((bench.record, bench.links))
    plan(bench.scene(), Facts(ever_linked=set(SYSTEMS)))
    assert (bench.record, bench.links) == before


def test_24_an_unjudged_change_is_judged_before_the_next_one_is_taken():
    bench = Bench().settled_on("title", "a")
    bench.show(G, "title", "first")
    bench.show(G, "title", "second")
    bench.judge()
    said = [decision.value for decision in bench.decisions if decision.field == "title"]
    assert said == ["first", "second"]
