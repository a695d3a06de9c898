"""Stories of who belongs to whom: objects that end before they have a record, twins, keys on their way."""

import pytest

from sync_platform.simulation.run import play


def test_who_ended_before_they_had_a_record_is_not_made_anew_there():
    script = [
        ["person", 2, ["erp", "hubspot", "gorgias"], ["hubspot"]],
        ["person", 3, ["gorgias"], ["gorgias"]],
        ["pull", "gorgias", "customer"],
        ["delete", "gorgias", "customer", 0],
        ["cycle"],
    ]
    assert play(script, seed=930).violations == []


def test_an_end_that_is_told_before_anybody_saw_the_object_outlasts_a_list_that_shows_it_still():
    script = [
        ["person", 3, ["gorgias", "hubspot"], ["hubspot"]],
        ["quiet"],
        ["ticket", "erp", 2, 1003],
        ["view", "erp", 0, 3, 2, 156],
        ["ticket", "erp", 777, 1104],
        ["edit", "erp", "ticket", 2, 27, 864],
        ["delete", "erp", "ticket", 2],
        ["sweep", "erp", "ticket"],
        ["quiet"],
    ]
    assert play(script, seed=1167).violations == []


def test_who_was_there_before_a_record_ended_and_is_read_only_then_does_not_bring_back_what_was_deleted():
    script = [
        ["person", 3, ["gorgias", "erp"], ["gorgias"]],
        ["cycle"],
        ["person", 152, ["hubspot", "gorgias"], []],
        ["pull", "hubspot", "customer"],
        ["push", "gorgias", "customer"],
        ["delete", "hubspot", "customer", 3],
        ["sweep", "hubspot", "customer"],
        ["reconcile", "customer"],
        ["quiet"],
    ]
    assert play(script, seed=1963).violations == []


def test_who_turns_up_after_a_delete_that_was_passed_on_keeps_what_is_left_of_the_record():
    script = [
        ["means", "ignore", "archive", "delete", "never"],
        ["person", 1, ["gorgias", "hubspot", "erp"], []],
        ["quiet"],
        ["view", "gorgias", 4, 9, 1, 348],
        ["person", 165, ["gorgias", "erp"], []],
        ["cycle"],
        ["delete", "hubspot", "customer", 3],
        ["sweep", "hubspot", "customer"],
        ["wait", 1],
        ["pull", "erp", "customer"],
        ["reconcile", "customer"],
        ["quiet"],
    ]
    assert play(script, seed=1389).violations == []


def test_an_address_that_a_record_has_and_nobody_shows_yet_is_found_by_who_bears_it():
    script = [
        ["person", 1, ["hubspot", "gorgias"], []],
        ["cycle"],
        ["person", 122, ["erp", "gorgias"], []],
        ["pull", "erp", "customer"],
        ["push", "erp", "customer"],
        ["pull", "gorgias", "customer"],
        ["view", "erp", 4, 0, 2, 124],
        ["person", 165, ["erp", "hubspot"], []],
        ["pull", "hubspot", "customer"],
        ["push", "hubspot", "customer"],
        ["merge", "hubspot", 1, 2, 1],
        ["pull", "hubspot", "customer"],
        ["reconcile", "customer"],
        ["delete", "hubspot", "customer", 3],
        ["sweep", "hubspot", "customer"],
        ["reconcile", "customer"],
        ["quiet"],
    ]
    assert play(script, seed=2133).violations == []


def test_an_address_of_two_is_written_to_neither_while_it_is_asked_whether_they_are_one():
    script = [
        ["person", 1, ["gorgias", "erp"], ["erp"]],
        ["person", 2, ["gorgias", "hubspot", "erp"], ["hubspot"]],
        ["merge", "gorgias", 3, 4, 0],
        ["quiet"],
    ]
    assert play(script, seed=1885).violations == []


def test_what_was_made_anew_for_an_edit_and_deleted_again_is_not_made_anew_for_that_edit_once_more():
    script = [
        ["means", "archive", "unlink", "unlink", "later_edit"],
        ["person", 1, ["gorgias"], ["gorgias"]],
        ["person", 2, ["erp", "hubspot"], ["hubspot"]],
        ["cycle"],
        ["edit", "gorgias", "ticket", 2, 41, 221],
        ["delete", "erp", "ticket", 3],
        ["ticket", "gorgias", 745, 1081],
        ["quiet"],
        ["delete", "erp", "ticket", 136],
        ["delete", "hubspot", "ticket", 1],
        ["sweep", "hubspot", "ticket"],
        ["restore", "hubspot", "ticket", 1],
        ["quiet"],
    ]
    assert play(script, seed=310).violations == []


def test_a_create_that_finds_its_marker_at_another_record_is_parked_and_not_sent_for_ever():
    script = [
        ["means", "ignore", "ignore", "ignore", "later_edit"],
        ["person", 1, ["erp", "hubspot"], ["erp"]],
        ["quiet"],
        ["ticket", "erp", 0, 1001],
        ["quiet"],
        ["delete", "hubspot", "ticket", 0],
        ["cycle"],
        ["edit", "erp", "ticket", 0, 0, 117],
        ["quiet"],
        ["restore", "hubspot", "ticket", 0],
        ["quiet"],
        ["delete", "hubspot", "ticket", 2],
        ["cycle"],
        ["edit", "erp", "ticket", 0, 0, 139],
        ["quiet"],
    ]
    found = play(script, seed=1)
    assert found.violations == []
    assert sum("write hubspot ticket create" in line for line in found.trace) < 8


def test_who_edits_elsewhere_while_the_end_cannot_be_read_for_a_lost_answer_keeps_their_object():
    script = [
        ["means", "delete", "delete", "delete", "later_edit"],
        ["person", 1, ["erp", "hubspot"], ["hubspot"]],
        ["person", 2, ["gorgias", "erp"], []],
        ["person", 3, ["gorgias"], ["gorgias"]],
        ["quiet"],
        ["delete", "gorgias", "customer", 3],
        ["wait", 1],
        ["person", 185, ["hubspot", "gorgias"], []],
        ["pull", "hubspot", "customer"],
        ["reconcile", "customer"],
        ["fault", "lost_landed", 0],
        ["push", "gorgias", "customer"],
        ["delete", "gorgias", "customer", 2],
        ["edit", "hubspot", "customer", 3, 35, 928],
        ["quiet"],
    ]
    assert play(script, seed=1662).violations == []


def test_who_left_a_record_behind_that_the_policy_unlinked_is_not_looked_for_in_every_cycle():
    script = [
        ["operators", 2, 900],
        ["means", "delete", "delete", "unlink", "later_edit"],
        ["person", 1, ["erp", "gorgias"], ["erp"]],
        ["person", 2, ["erp"], ["erp"]],
        ["quiet"],
        ["person", 113, ["hubspot", "gorgias"], []],
        ["edit", "erp", "customer", 0, 48, 364],
        ["delete", "hubspot", "customer", 3],
        ["cycle"],
        ["edit", "gorgias", "customer", 4, 18, 417],
        ["sweep", "gorgias", "customer"],
        ["delete", "erp", "customer", 158],
        ["delete", "erp", "customer", 2],
        ["sweep", "erp", "customer"],
        ["wait", 1],
        ["push", "hubspot", "customer"],
        ["delete", "hubspot", "customer", 2],
        ["sweep", "hubspot", "customer"],
        ["edit", "erp", "customer", 2, 48, 779],
        ["fault", "lost_batch", 0],
        ["cycle"],
        ["merge", "hubspot", 470, 67, 1],
        ["quiet"],
        ["clear"],
        ["quiet"],
    ]
    assert play(script, seed=1770).violations == []


def test_leave_leaves_those_apart_who_claimed_and_nobody_else():
    script = [
        ["operators", 1, 900],
        ["rule", "ticket", "priority", "review", "keep", ["gorgias", "hubspot", "erp"]],
        ["person", 3, ["erp", "gorgias"], ["erp"]],
        ["quiet"],
        ["quarrel", "gorgias", "erp", "ticket", 2, 266],
        ["same", "hubspot", 410],
        ["cycle"],
        ["resolve", 1, 2],
        ["cycle"],
        ["quarrel", "gorgias", "hubspot", "ticket", 1, 730],
        ["cycle"],
        ["quarrel", "hubspot", "gorgias", "ticket", 1, 735],
        ["cycle"],
        ["resolve", 943, 134],
        ["cycle"],
        ["burst", "gorgias", "ticket", 2, 919, 3],
        ["quiet"],
    ]
    assert play(script, seed=788).violations == []


@pytest.mark.parametrize("fault", ["unnamed", "lost_batch", "lost_landed"])
def test_what_a_lost_answer_made_and_somebody_deleted_unread_tells_nobody_whose_it_was(fault):
    script = [
        ["person", 3, ["hubspot"], []],
        ["quiet"],
        ["person", 210, ["hubspot", "gorgias"], []],
        ["pull", "hubspot", "customer"],
        ["fault", fault, 0],
        ["push", "erp", "customer"],
        ["delete", "erp", "customer", 731],
        ["quiet"],
    ]
    played = play(script, seed=4013)
    assert played.violations == []
    assert sum("write erp customer create" in line and "p210@" in line for line in played.trace) == 2


def test_what_is_held_of_a_record_of_several_who_were_merged_may_differ_for_each_of_them():
    script = [
        ["operators", 1, 300],
        ["person", 1, ["hubspot"], ["hubspot"]],
        ["person", 2, ["hubspot", "gorgias"], ["hubspot"]],
        ["person", 3, ["hubspot", "erp", "gorgias"], ["gorgias"]],
        ["quiet"],
        ["merge", "hubspot", 0, 1, 1],
        ["delete", "erp", "customer", 923],
        ["merge", "gorgias", 1, 2, 1],
        ["person", 153, ["hubspot", "gorgias"], []],
        ["edit", "hubspot", "customer", 0, 35, 569],
        ["edit", "erp", "customer", 0, 36, 576],
        ["cycle"],
        ["delete", "erp", "customer", 3],
        ["restore", "erp", "customer", 3],
        ["quiet"],
    ]
    assert play(script, seed=4010).violations == []


def test_a_delete_by_who_was_not_shown_an_edit_that_is_held_back_from_them_is_not_passed_on():
    script = [
        ["operators", 1, 300],
        ["means", "delete", "delete", "ignore", "never"],
        ["person", 2, ["erp", "gorgias", "hubspot"], []],
        ["person", 3, ["gorgias", "hubspot", "erp"], ["hubspot"]],
        ["quiet"],
        ["edit", "erp", "customer", 1, 19, 527],
        ["edit", "erp", "customer", 2, 43, 597],
        ["quiet"],
        ["delete", "gorgias", "customer", 286],
        ["quiet"],
    ]
    played = play(script, seed=5202)
    assert played.violations == []
    assert not any("customer delete" in line for line in played.trace)


def test_what_was_restored_beside_what_was_made_anew_waits_for_an_answer_and_the_rest_is_equal():
    script = [
        ["person", 1, ["gorgias"], ["gorgias"]],
        ["cycle"],
        ["ticket", "erp", 2, 1013],
        ["pull", "erp", "ticket"],
        ["fault", "lost_batch", 0],
        ["push", "gorgias", "ticket"],
        ["delete", "gorgias", "ticket", 511],
        ["push", "hubspot", "ticket"],
        ["edit", "hubspot", "ticket", 3, 4, 393],
        ["quiet"],
        ["restore", "gorgias", "ticket", 477],
        ["quiet"],
    ]
    assert play(script, seed=7046).violations == []


def test_a_create_that_lands_after_its_record_was_deleted_everywhere_is_part_of_that_record():
    script = [
        ["means", "delete", "delete", "delete", "later_edit"],
        ["person", 1, ["hubspot"], ["hubspot"]],
        ["person", 2, ["hubspot", "erp", "gorgias"], []],
        ["ticket", "erp", 207, 1023],
        ["ticket", "gorgias", 495, 1032],
        ["merge", "hubspot", 3, 4, 0],
        ["ticket", "erp", 0, 1070],
        ["quiet"],
        ["edit", "erp", "customer", 0, 32, 716],
        ["pull", "erp", "customer"],
        ["fault", "lost_late", 8],
        ["edit", "hubspot", "customer", 0, 48, 776],
        ["push", "gorgias", "customer"],
        ["ticket", "gorgias", 843, 1098],
        ["edit", "hubspot", "ticket", 1, 35, 793],
        ["delete", "erp", "ticket", 1],
        ["sweep", "erp", "ticket"],
        ["wait", 1],
        ["cycle"],
        ["delete", "gorgias", "ticket", 3],
        ["quiet"],
    ]
    assert play(script, seed=10381).violations == []


def test_who_is_joined_to_a_record_that_was_deleted_lives_on_with_it():
    script = [
        ["means", "unlink", "delete", "unlink", "later_edit"],
        ["person", 1, ["gorgias"], []],
        ["person", 2, ["gorgias", "erp", "hubspot"], []],
        ["cycle"],
        ["merge", "gorgias", 1, 2, 1],
        ["cycle"],
        ["delete", "hubspot", "customer", 2],
        ["sweep", "hubspot", "customer"],
        ["wait", 70],
        ["identify", 9, 13],
        ["cycle"],
        ["identify", 3, 16],
        ["quiet"],
    ]
    assert play(script, seed=11240).violations == []


def test_whom_a_ticket_points_at_is_not_decided_by_another_version_of_the_mappings():
    script = [
        ["person", 1, ["erp"], ["erp"]],
        ["quiet"],
        ["remap"],
        ["person", 154, ["erp", "hubspot"], []],
        ["delete", "erp", "customer", 0],
        ["quiet"],
        ["restore", "erp", "customer", 0],
        ["merge", "hubspot", 1, 2, 0],
        ["pull", "hubspot", "customer"],
        ["reconcile", "customer"],
        ["edit", "hubspot", "ticket", 0, 20, 912],
        ["quiet"],
    ]
    assert play(script, seed=23761).violations == []


def test_what_may_be_gone_is_read_before_it_is_joined_to_a_record():
    script = [
        ["operators", 5, 900],
        ["rule", "customer", "note", "review", "keep", ["gorgias", "hubspot", "erp"]],
        ["means", "delete", "ignore", "delete", "later_edit"],
        ["person", 1, ["hubspot", "erp", "gorgias"], ["hubspot"]],
        ["person", 2, ["erp"], ["erp"]],
        ["person", 3, ["hubspot", "gorgias", "erp"], []],
        ["cycle"],
        ["delete", "erp", "customer", 0],
        ["edit", "gorgias", "customer", 0, 11, 275],
        ["fault", "lost_batch", 0],
        ["cycle"],
        ["wait", 31],
        ["merge", "gorgias", 2, 3, 0],
        ["wait", 1],
        ["delete", "gorgias", "customer", 0],
        ["wait", 1],
        ["edit", "erp", "customer", 0, 9, 639],
        ["limits", 10, 20.0],
        ["cycle"],
        ["cycle"],
        ["identify", 17, 18],
        ["push", "gorgias", "customer"],
        ["clear"],
    ]
    assert play(script, seed=20072).violations == []


def test_what_ended_goes_with_the_last_object_of_a_record_and_nobody_is_made_anew_there():
    script = [
        ["person", 1, ["gorgias", "erp", "hubspot"], ["hubspot"]],
        ["person", 2, ["erp", "hubspot"], []],
        ["person", 3, ["erp"], []],
        ["quiet"],
        ["merge", "hubspot", 2, 3, 0],
        ["pull", "hubspot", "customer"],
        ["reconcile", "customer"],
        ["identify", 10, 4],
        ["delete", "erp", "customer", 0],
        ["sweep", "erp", "customer"],
        ["delete", "hubspot", "customer", 2],
        ["sweep", "hubspot", "customer"],
        ["identify", 14, 16],
        ["push", "hubspot", "customer"],
        ["quiet"],
    ]
    assert play(script, seed=1168).violations == []


def test_nobody_is_given_to_a_record_whose_create_there_has_no_answer_yet():
    script = [
        ["person", 117, ["hubspot", "erp"], []],
        ["ticket", "hubspot", 2, 1049],
        ["cycle"],
        ["person", 170, ["gorgias", "erp"], []],
        ["pull", "gorgias", "customer"],
        ["fault", "lost_landed", 0],
        ["push", "hubspot", "customer"],
        ["merge", "gorgias", 0, 1, 1],
        ["pull", "gorgias", "customer"],
        ["reconcile", "customer"],
        ["identify", 8, 12],
        ["quiet"],
    ]
    assert play(script, seed=50332).violations == []


def test_an_object_is_parted_only_once_what_was_typed_there_is_judged():
    script = [
        ["operators", 2, 60],
        ["person", 3, ["erp", "hubspot", "gorgias"], ["gorgias"]],
        ["pull", "hubspot", "customer"],
        ["cycle"],
        ["edit", "hubspot", "customer", 2, 17, 622],
        ["pull", "hubspot", "customer"],
        ["part", 6],
        ["edit", "hubspot", "customer", 2, 33, 800],
        ["quiet"],
    ]
    assert play(script, seed=82358).violations == []


def test_who_ended_unseen_and_was_parted_and_joined_then_is_met_anew_and_ends_nobody():
    script = [
        ["operators", 3, 60],
        ["means", "unlink", "delete", "delete", "never"],
        ["person", 1, ["erp", "gorgias"], ["erp"]],
        ["person", 2, ["erp", "hubspot", "gorgias"], ["erp"]],
        ["person", 3, ["gorgias"], []],
        ["quiet"],
        ["delete", "hubspot", "customer", 0],
        ["delete", "hubspot", "customer", 278],
        ["part", 16],
        ["quiet"],
    ]
    assert play(script, seed=72262).violations == []


def test_who_was_told_from_whom_they_were_merged_into_is_made_anew_for_an_edit_as_after_a_delete():
    script = [
        ["operators", 2, 60],
        ["means", "archive", "delete", "ignore", "later_edit"],
        ["person", 1, ["erp", "hubspot", "gorgias"], []],
        ["person", 2, ["gorgias"], ["gorgias"]],
        ["person", 3, ["erp"], []],
        ["quiet"],
        ["merge", "gorgias", 3, 4, 1],
        ["cycle"],
        ["undo", "decision", 1],
        ["approve", 0],
        ["edit", "erp", "customer", 2, 57, 496],
        ["identify", 2, 7],
        ["quiet"],
    ]
    assert play(script, seed=201852).violations == []


def test_what_lands_late_beside_what_somebody_restored_waits_for_an_answer():
    script = [
        ["operators", 1, 300],
        ["means", "delete", "delete", "delete", "later_edit"],
        ["person", 1, ["erp", "gorgias"], ["gorgias"]],
        ["person", 3, ["hubspot"], ["hubspot"]],
        ["quiet"],
        ["delete", "gorgias", "ticket", 222],
        ["delete", "hubspot", "ticket", 2],
        ["sweep", "hubspot", "ticket"],
        ["edit", "gorgias", "ticket", 2, 56, 324],
        ["fault", "lost_late", 0],
        ["cycle"],
        ["restore", "hubspot", "ticket", 2],
        ["quiet"],
    ]
    assert play(script, seed=202020).violations == []


def test_who_turns_up_where_a_create_of_their_record_has_no_answer_waits_for_that_answer():
    script = [
        ["person", 2, ["gorgias"], []],
        ["quiet"],
        ["view", "hubspot", 2, 9, 1, 431],
        ["person", 147, ["hubspot", "erp"], []],
        ["fault", "lost_landed", 0],
        ["delete", "hubspot", "customer", 3],
        ["cycle"],
        ["cycle"],
        ["quiet"],
    ]
    assert play(script, seed=205209).violations == []
