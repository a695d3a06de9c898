"""Finds of the simulation about merges and doubles that stay fixed."""

from sync_platform.simulation.run import play


def test_who_was_merged_into_what_was_deleted_leads_to_it_again_once_it_is_restored():
    script = [
        ["person", 1, ["hubspot"], []],
        ["cycle"],
        ["person", 148, ["hubspot", "gorgias"], []],
        ["pull", "hubspot", "customer"],
        ["delete", "hubspot", "customer", 1],
        ["sweep", "hubspot", "customer"],
        ["restore", "hubspot", "customer", 1],
        ["merge", "hubspot", 530, 75, 1],
        ["push", "hubspot", "customer"],
        ["quiet"],
    ]
    assert play(script).violations == []


def test_two_objects_of_one_record_that_come_back_at_once_are_two_that_a_person_is_asked_about():
    script = [
        ["person", 1, ["hubspot", "erp", "gorgias"], []],
        ["person", 2, ["hubspot"], []],
        ["person", 3, ["hubspot"], ["hubspot"]],
        ["quiet"],
        ["delete", "erp", "customer", 2],
        ["merge", "hubspot", 921, 131, 0],
        ["delete", "gorgias", "customer", 0],
        ["delete", "erp", "customer", 2],
        ["sweep", "erp", "customer"],
        ["pull", "gorgias", "customer"],
        ["pull", "hubspot", "customer"],
        ["push", "gorgias", "customer"],
        ["restore", "erp", "customer", 2],
        ["restore", "erp", "customer", 237],
        ["quiet"],
    ]
    assert play(script, seed=26673).violations == []


def test_a_merge_that_was_seen_while_a_write_was_unsettled_is_no_delete_when_its_trace_is_gone():
    script = [
        ["means", "delete", "unlink", "ignore", "never"],
        ["person", 1, ["hubspot", "gorgias", "erp"], []],
        ["person", 2, ["hubspot"], ["hubspot"]],
        ["quiet"],
        ["merge", "hubspot", 1, 2, 1],
        ["limits", 20, 20.0],
        ["cycle"],
        ["person", 132, ["hubspot", "gorgias"], []],
        ["pull", "hubspot", "customer"],
        ["reconcile", "customer"],
        ["fault", "lost_landed", 0],
        ["push", "gorgias", "customer"],
        ["merge", "gorgias", 551, 78, 1],
        ["identify", 3, 5],
        ["cycle"],
        ["identify", 17, 15],
        ["quiet"],
    ]
    assert play(script, seed=28772).violations == []


def test_who_was_merged_into_one_that_was_deleted_since_leads_to_it_again_once_it_is_restored():
    script = [
        ["person", 1, ["hubspot"], []],
        ["person", 2, ["gorgias", "erp"], []],
        ["person", 3, ["gorgias", "hubspot"], ["hubspot"]],
        ["fault", "lost_batch", 0],
        ["cycle"],
        ["merge", "hubspot", 3, 4, 0],
        ["pull", "hubspot", "customer"],
        ["delete", "hubspot", "customer", 0],
        ["sweep", "hubspot", "customer"],
        ["push", "erp", "customer"],
        ["restore", "hubspot", "customer", 0],
        ["quiet"],
    ]
    assert play(script, seed=1865).violations == []


def test_the_address_of_who_was_merged_away_untold_stays_with_the_survivor_until_it_was_looked_up():
    script = [
        ["person", 1, ["erp", "hubspot", "gorgias"], []],
        ["person", 2, ["erp", "gorgias", "hubspot"], []],
        ["person", 3, ["gorgias", "erp"], []],
        ["cycle"],
        ["merge", "hubspot", 0, 1, 0],
        ["merge", "gorgias", 830, 118, 1],
        ["delete", "erp", "customer", 339],
        ["merge", "gorgias", 3, 4, 1],
        ["edit", "erp", "customer", 1, 7, 821],
        ["pull", "erp", "customer"],
        ["push", "hubspot", "customer"],
        ["edit", "erp", "customer", 2, 20, 905],
        ["fault", "lost_landed", 0],
        ["push", "gorgias", "customer"],
        ["quiet"],
    ]
    assert play(script, seed=3076).violations == []


def test_what_is_back_while_another_object_of_its_record_is_written_is_taken_back_later():
    script = [
        ["person", 1, ["erp"], []],
        ["person", 2, ["gorgias", "hubspot"], ["hubspot"]],
        ["person", 3, ["hubspot", "erp"], ["hubspot"]],
        ["quiet"],
        ["view", "erp", 2, 3, 0, 870],
        ["delete", "erp", "customer", 0],
        ["restore", "erp", "customer", 0],
        ["quarrel", "gorgias", "hubspot", "ticket", 2, 625],
        ["cycle"],
        ["cycle"],
        ["merge", "hubspot", 1, 2, 1],
        ["fault", "unavailable", 1],
        ["pull", "hubspot", "customer"],
        ["push", "erp", "customer"],
        ["quiet"],
    ]
    assert play(script, seed=5236).violations == []


def test_a_ticket_whose_customer_stands_nowhere_is_not_missed_where_tickets_need_one():
    script = [
        ["person", 1, ["hubspot"], ["hubspot"]],
        ["person", 2, ["hubspot"], ["hubspot"]],
        ["delete", "hubspot", "customer", 2],
        ["cycle"],
        ["delete", "erp", "ticket", 0],
        ["quiet"],
    ]
    assert play(script, seed=7091).violations == []


def test_who_is_asked_about_with_somebody_who_was_deleted_is_not_made_anew_there_before_the_answer():
    script = [
        ["person", 1, ["erp"], ["erp"]],
        ["person", 2, ["gorgias", "hubspot"], ["hubspot"]],
        ["person", 3, ["hubspot", "gorgias", "erp"], ["gorgias"]],
        ["merge", "hubspot", 957, 136, 0],
        ["quiet"],
        ["delete", "hubspot", "customer", 0],
        ["quiet"],
    ]
    assert play(script, seed=7466).violations == []


def test_a_delete_waits_for_no_reading_of_a_system_in_which_only_somebody_else_stands():
    script = [
        ["means", "delete", "delete", "archive", "never"],
        ["person", 1, ["erp", "gorgias"], ["erp"]],
        ["person", 2, ["erp", "gorgias"], []],
        ["person", 3, ["gorgias", "erp"], ["erp"]],
        ["quiet"],
        ["merge", "hubspot", 0, 1, 1],
        ["merge", "gorgias", 0, 1, 1],
        ["pull", "hubspot", "customer"],
        ["fault", "die_after_call", 5],
        ["pull", "erp", "customer"],
        ["pull", "gorgias", "ticket"],
        ["delete", "gorgias", "customer", 0],
        ["sweep", "gorgias", "customer"],
        ["wait", 1],
        ["pull", "erp", "customer"],
        ["pull", "hubspot", "customer"],
        ["push", "erp", "customer"],
    ]
    assert play(script, seed=2634).violations == []


def test_who_was_parted_from_somebody_that_is_deleted_then_is_another_and_may_be_made():
    script = [
        ["person", 2, ["erp", "gorgias", "hubspot"], []],
        ["person", 3, ["gorgias", "hubspot", "erp"], ["hubspot"]],
        ["quiet"],
        ["delete", "erp", "customer", 0],
        ["quiet"],
        ["unlink", 13],
        ["delete", "hubspot", "customer", 323],
        ["quiet"],
    ]
    assert play(script, seed=5202).violations == []


def test_a_delete_waits_for_no_reading_of_a_system_in_which_only_who_was_parted_from_them_stands():
    script = [
        ["means", "delete", "delete", "archive", "never"],
        ["person", 1, ["erp"], ["erp"]],
        ["person", 2, ["erp", "hubspot", "gorgias"], ["hubspot"]],
        ["person", 3, ["gorgias", "erp"], ["erp"]],
        ["quiet"],
        ["limits", 10, 10.0],
        ["unlink", 15],
        ["delete", "hubspot", "customer", 848],
        ["quiet"],
    ]
    assert play(script, seed=6522).violations == []


def test_a_merge_told_beside_a_write_without_an_answer_leaves_its_survivor_unsettled():
    script = [
        ["person", 1, ["hubspot"], []],
        ["person", 2, ["hubspot", "erp", "gorgias"], ["erp"]],
        ["quiet"],
        ["edit", "gorgias", "customer", 3, 56, 183],
        ["fault", "lost_late", 0],
        ["cycle"],
        ["view", "erp", 2, 1, 2, 416],
        ["merge", "hubspot", 467, 66, 1],
        ["delete", "erp", "customer", 246],
        ["wait", 130],
        ["edit", "erp", "customer", 4, 59, 506],
        ["edit", "erp", "customer", 3, 34, 730],
        ["fault", "lost_batch", 0],
        ["cycle"],
        ["quiet"],
    ]
    assert play(script, seed=29045).violations == []


def test_who_was_merged_into_somebody_deleted_is_followed_where_that_one_is_taken_back_and_merged_away():
    script = [
        ["person", 1, ["hubspot"], ["hubspot"]],
        ["person", 2, ["hubspot"], ["hubspot"]],
        ["person", 3, ["gorgias", "erp", "hubspot"], []],
        ["pull", "hubspot", "customer"],
        ["merge", "hubspot", 298, 42, 0],
        ["delete", "hubspot", "customer", 0],
        ["sweep", "hubspot", "customer"],
        ["restore", "hubspot", "customer", 0],
        ["pull", "gorgias", "customer"],
        ["pull", "erp", "customer"],
        ["push", "hubspot", "customer"],
        ["merge", "hubspot", 0, 1, 1],
        ["quiet"],
    ]
    assert play(script, seed=26287).violations == []


def test_what_was_merged_into_an_object_is_followed_to_the_record_that_a_person_parted_it_to():
    script = [
        ["person", 1, ["gorgias", "erp", "hubspot"], []],
        ["person", 2, ["hubspot", "erp"], []],
        ["person", 3, ["hubspot"], ["hubspot"]],
        ["quiet"],
        ["forget", 801],
        ["merge", "hubspot", 22, 3, 0],
        ["return", 334, "erp"],
        ["cycle"],
        ["delete", "erp", "customer", 3],
        ["sweep", "erp", "customer"],
        ["reconcile", "customer"],
        ["unlink", 0],
        ["quiet"],
    ]
    assert play(script, seed=26882).violations == []


def test_who_was_merged_away_without_a_word_while_our_delete_was_without_an_answer_leads_to_the_survivor():
    script = [
        ["means", "delete", "delete", "archive", "later_edit"],
        ["person", 1, ["hubspot", "erp"], ["hubspot"]],
        ["person", 2, ["erp"], ["erp"]],
        ["quiet"],
        ["fault", "lost_never", 0],
        ["delete", "hubspot", "customer", 0],
        ["sweep", "hubspot", "customer"],
        ["wait", 1],
        ["cycle"],
        ["merge", "gorgias", 1, 2, 1],
        ["quiet"],
    ]
    assert play(script, seed=33821).violations == []


def test_a_merge_after_an_end_that_was_judged_takes_the_survivor_for_who_lives_on():
    script = [
        ["means", "delete", "delete", "unlink", "never"],
        ["person", 1, ["erp", "hubspot"], []],
        ["person", 2, ["gorgias"], []],
        ["person", 3, ["gorgias"], ["gorgias"]],
        ["quiet"],
        ["delete", "hubspot", "customer", 0],
        ["sweep", "hubspot", "customer"],
        ["restore", "hubspot", "customer", 0],
        ["fault", "die_before_call", 1],
        ["person", 119, ["gorgias", "hubspot"], []],
        ["fault", "lost_batch", 0],
        ["merge", "hubspot", 556, 79, 0],
        ["wait", 1],
        ["person", 143, ["erp", "hubspot"], []],
        ["pull", "erp", "customer"],
        ["reconcile", "customer"],
        ["push", "hubspot", "customer"],
        ["quiet"],
    ]
    assert play(script, seed=11305).violations == []


def test_an_edit_that_an_object_of_unknown_fate_was_not_shown_outlives_its_end_also_after_a_merge():
    script = [
        ["means", "delete", "delete", "archive", "never"],
        ["person", 1, ["gorgias", "hubspot"], ["gorgias"]],
        ["person", 2, ["gorgias", "hubspot", "erp"], []],
        ["cycle"],
        ["edit", "erp", "customer", 0, 28, 310],
        ["delete", "gorgias", "customer", 2],
        ["sweep", "gorgias", "customer"],
        ["wait", 1],
        ["pull", "erp", "customer"],
        ["pull", "hubspot", "customer"],
        ["push", "erp", "customer"],
        ["edit", "hubspot", "customer", 4, 10, 472],
        ["person", 154, ["hubspot", "gorgias"], []],
        ["fault", "lost_batch", 0],
        ["push", "gorgias", "customer"],
        ["delete", "gorgias", "customer", 2],
        ["edit", "erp", "customer", 0, 55, 800],
        ["wait", 130],
        ["pull", "gorgias", "customer"],
        ["reconcile", "customer"],
        ["merge", "hubspot", 0, 1, 0],
        ["quiet"],
    ]
    assert play(script, seed=34223).violations == []


def test_who_was_merged_with_somebody_does_not_edit_alone_what_the_other_edits_too():
    script = [
        ["person", 1, ["gorgias"], []],
        ["quiet"],
        ["person", 130, ["erp", "gorgias"], []],
        ["merge", "gorgias", 0, 1, 0],
        ["quiet"],
        ["edit", "hubspot", "customer", 2, 19, 730],
        ["edit", "gorgias", "customer", 3, 43, 850],
        ["quiet"],
    ]
    assert play(script, seed=6821).violations == []


def test_who_came_back_and_was_merged_while_a_create_had_no_answer_is_followed():
    script = [
        ["means", "archive", "delete", "ignore", "later_edit"],
        ["person", 1, ["hubspot"], []],
        ["person", 2, ["hubspot"], []],
        ["quiet"],
        ["delete", "hubspot", "customer", 3],
        ["sweep", "hubspot", "customer"],
        ["fault", "lost_never", 0],
        ["edit", "erp", "customer", 0, 56, 282],
        ["pull", "erp", "customer"],
        ["push", "hubspot", "customer"],
        ["restore", "hubspot", "customer", 2],
        ["merge", "hubspot", 493, 70, 0],
        ["quiet"],
    ]
    assert play(script, seed=50827).violations == []


def test_who_is_merged_elsewhere_is_not_ended_before_the_merge_is_followed():
    script = [
        ["means", "delete", "delete", "delete", "later_edit"],
        ["person", 1, ["erp", "gorgias", "hubspot"], ["hubspot"]],
        ["quiet"],
        ["limits", 10, 20.0],
        ["edit", "gorgias", "customer", 3, 26, 170],
        ["fault", "lost_never", 0],
        ["cycle"],
        ["person", 117, ["erp", "gorgias"], []],
        ["pull", "erp", "customer"],
        ["reconcile", "customer"],
        ["fault", "lost_landed", 0],
        ["push", "gorgias", "customer"],
        ["merge", "gorgias", 0, 1, 1],
        ["limits", 0, 0.0],
        ["cycle"],
        ["merge", "hubspot", 789, 112, 0],
        ["delete", "erp", "customer", 255],
        ["quiet"],
    ]
    assert play(script, seed=121147).violations == []


def test_who_is_asked_about_is_asked_about_after_one_of_them_became_another():
    script = [
        ["person", 1, ["erp"], []],
        ["person", 105, ["gorgias", "erp"], []],
        ["fault", "lost_batch", 0],
        ["cycle"],
        ["person", 159, ["erp", "gorgias"], []],
        ["pull", "erp", "customer"],
        ["merge", "gorgias", 0, 1, 0],
        ["quiet"],
        ["merge", "hubspot", 3, 4, 0],
        ["quiet"],
    ]
    assert play(script, seed=100484).violations == []


def test_what_was_typed_before_a_merge_was_noticed_is_told_as_its_loser():
    script = [
        ["person", 1, ["erp", "gorgias"], ["gorgias"]],
        ["person", 2, ["gorgias"], []],
        ["person", 3, ["gorgias", "hubspot", "erp"], []],
        ["quiet"],
        ["delete", "gorgias", "customer", 3],
        ["merge", "hubspot", 0, 1, 1],
        ["delete", "erp", "customer", 2],
        ["person", 119, ["erp", "hubspot"], []],
        ["merge", "gorgias", 2, 3, 1],
        ["quiet"],
        ["delete", "hubspot", "customer", 0],
        ["edit", "hubspot", "customer", 0, 12, 749],
        ["edit", "erp", "customer", 4, 3, 758],
        ["quiet"],
    ]
    assert play(script, seed=110191).violations == []


def test_a_survivor_that_bears_the_address_of_another_record_is_theirs_and_makes_the_two_one():
    script = [
        ["person", 1, ["gorgias"], []],
        ["person", 2, ["erp", "gorgias", "hubspot"], ["gorgias"]],
        ["person", 3, ["hubspot", "gorgias"], ["gorgias"]],
        ["quiet"],
        ["person", 120, ["erp", "hubspot"], []],
        ["pull", "erp", "customer"],
        ["push", "erp", "customer"],
        ["delete", "hubspot", "customer", 617],
        ["merge", "hubspot", 1, 2, 1],
        ["pull", "hubspot", "customer"],
        ["delete", "hubspot", "customer", 541],
        ["push", "hubspot", "customer"],
    ]
    assert play(script, seed=140547).violations == []


def test_who_came_back_and_was_merged_into_what_was_deleted_unread_is_not_known_to_have_ended():
    script = [
        ["person", 1, ["gorgias"], ["gorgias"]],
        ["person", 2, ["hubspot"], []],
        ["cycle"],
        ["person", 119, ["hubspot", "gorgias"], []],
        ["delete", "hubspot", "customer", 3],
        ["sweep", "hubspot", "customer"],
        ["restore", "hubspot", "customer", 3],
        ["pull", "hubspot", "customer"],
        ["merge", "hubspot", 1, 2, 0],
        ["merge", "hubspot", 0, 1, 1],
        ["fault", "die_before_call", 0],
        ["person", 200, ["erp", "hubspot"], []],
        ["delete", "hubspot", "customer", 2],
        ["quiet"],
    ]
    assert play(script, seed=209049).violations == []


def test_a_silent_merge_into_what_was_merged_and_deleted_leads_nowhere():
    script = [
        ["person", 1, ["gorgias"], []],
        ["person", 2, ["gorgias"], []],
        ["person", 3, ["hubspot", "gorgias", "erp"], []],
        ["quiet"],
        ["edit", "hubspot", "customer", 0, 8, 171],
        ["merge", "gorgias", 176, 25, 1],
        ["merge", "gorgias", 3, 4, 1],
        ["person", 125, ["gorgias", "hubspot"], []],
        ["delete", "gorgias", "customer", 0],
        ["quiet"],
    ]
    assert play(script, seed=209402).violations == []


def test_what_landed_late_beside_the_object_of_who_was_merged_with_them_waits_for_an_answer():
    script = [
        ["operators", 1, 300],
        ["means", "delete", "unlink", "delete", "later_edit"],
        ["person", 1, ["gorgias"], ["gorgias"]],
        ["quiet"],
        ["edit", "hubspot", "customer", 2, 24, 183],
        ["person", 112, ["hubspot", "erp"], []],
        ["cycle"],
        ["delete", "hubspot", "customer", 622],
        ["delete", "erp", "customer", 2],
        ["fault", "lost_late", 0],
        ["cycle"],
        ["sweep", "hubspot", "customer"],
        ["edit", "gorgias", "customer", 3, 21, 499],
        ["cycle"],
        ["merge", "hubspot", 2, 3, 1],
        ["quiet"],
    ]
    assert play(script, seed=209358).violations == []
