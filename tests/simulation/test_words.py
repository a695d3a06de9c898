"""Stories about what people say at the desk, and what it is worth once the world moved on."""

from sync_platform.simulation.run import play


def test_who_types_again_what_stood_there_when_an_undo_was_drawn_up_and_is_parted_from_the_record_is_met_anew():
    script = [
        ["operators", 5, 60],
        ["person", 1, ["hubspot", "erp", "gorgias"], []],
        ["pull", "erp", "customer"],
        ["quiet"],
        ["edit", "hubspot", "customer", 1, 53, 114],
        ["cycle"],
        ["undo", "decision", 0],
        ["same", "gorgias", 123],
        ["cycle"],
        ["approve", 0],
        ["part", 16],
        ["edit", "gorgias", "customer", 0, 37, 520],
        ["quiet"],
    ]
    assert play(script, seed=24078).violations == []


def test_an_undo_goes_over_an_edit_that_was_taken_back_before_anybody_read_it():
    script = [
        ["operators", 5, 60],
        ["person", 1, ["hubspot", "erp", "gorgias"], []],
        ["pull", "erp", "customer"],
        ["quiet"],
        ["edit", "hubspot", "customer", 1, 53, 114],
        ["cycle"],
        ["undo", "decision", 0],
        ["same", "gorgias", 123],
        ["approve", 0],
        ["edit", "gorgias", "customer", 0, 37, 520],
        ["quiet"],
    ]
    assert play(script, seed=24078).violations == []


def test_a_dropped_write_is_owed_again_to_an_object_that_an_operator_joined_since():
    script = [
        ["operators", 1, 60],
        ["person", 1, ["gorgias", "hubspot"], ["hubspot"]],
        ["quiet"],
        ["person", 162, ["gorgias", "erp"], []],
        ["edit", "gorgias", "customer", 2, 38, 700],
        ["cycle"],
        ["delete", "gorgias", "customer", 1],
        ["drop", 15],
        ["cycle"],
        ["part", 5],
        ["quiet"],
    ]
    assert play(script, seed=22646).violations == []


def test_a_tag_that_a_person_takes_out_as_a_write_without_an_answer_was_to_do_is_the_residue():
    script = [
        ["person", 1, ["erp", "gorgias", "hubspot"], ["erp"]],
        ["quiet"],
        ["edit", "hubspot", "ticket", 1, 11, 353],
        ["edit", "gorgias", "ticket", 2, 15, 360],
        ["pull", "gorgias", "ticket"],
        ["edit", "erp", "ticket", 0, 46, 460],
        ["pull", "hubspot", "ticket"],
        ["fault", "die_after_call", 0],
        ["push", "erp", "ticket"],
        ["edit", "erp", "ticket", 0, 7, 540],
        ["quiet"],
    ]
    played = play(script, seed=24119)
    assert played.violations == []
    assert played.residue > 0


def test_what_is_typed_into_an_object_that_was_parted_for_good_is_not_owed_to_its_former_record():
    script = [
        ["operators", 2, 60],
        ["person", 1, ["erp", "hubspot"], []],
        ["quiet"],
        ["edit", "hubspot", "customer", 4, 26, 414],
        ["quiet"],
        ["undo", "run", 1],
        ["unlink", 7],
        ["approve", 311],
        ["edit", "erp", "customer", 2, 35, 646],
        ["quiet"],
    ]
    assert play(script, seed=23626).violations == []


def test_of_two_who_disagree_one_may_be_merged_away_and_the_other_take_his_word_back():
    script = [
        ["operators", 2, 300],
        ["rule", "customer", "name", "review", "keep", ["gorgias", "hubspot", "erp"]],
        ["person", 1, ["erp", "gorgias", "hubspot"], ["gorgias"]],
        ["person", 2, ["erp", "gorgias"], []],
        ["person", 3, ["hubspot", "erp", "gorgias"], []],
        ["quiet"],
        ["quarrel", "hubspot", "erp", "customer", 2, 114],
        ["cycle"],
        ["merge", "hubspot", 197, 28, 1],
        ["quarrel", "erp", "hubspot", "customer", 1, 275],
        ["cycle"],
        ["quiet"],
    ]
    assert play(script, seed=26426).violations == []


def test_what_an_undo_was_to_take_away_and_somebody_edited_goes_where_a_person_deletes_it_elsewhere():
    script = [
        ["operators", 2, 300],
        ["means", "delete", "delete", "archive", "never"],
        ["person", 1, ["erp", "hubspot", "gorgias"], []],
        ["person", 104, ["erp", "gorgias"], []],
        ["cycle"],
        ["undo", "run", 0],
        ["edit", "hubspot", "customer", 1, 50, 268],
        ["cycle"],
        ["approve", 235],
        ["delete", "erp", "customer", 3],
        ["sweep", "erp", "customer"],
        ["wait", 70],
        ["cycle"],
    ]
    assert play(script, seed=26752).violations == []


def test_what_a_person_decided_and_a_deleted_object_was_not_shown_outlives_the_delete():
    script = [
        ["operators", 1, 60],
        ["rule", "ticket", "subject", "review", "keep", ["gorgias", "hubspot", "erp"]],
        ["means", "delete", "delete", "delete", "never"],
        ["person", 1, ["erp", "gorgias"], ["erp"]],
        ["cycle"],
        ["undo", "record", 2],
        ["edit", "gorgias", "ticket", 1, 40, 226],
        ["edit", "erp", "ticket", 1, 28, 254],
        ["fault", "unnamed", 3],
        ["edit", "gorgias", "ticket", 0, 42, 337],
        ["edit", "gorgias", "customer", 2, 46, 345],
        ["cycle"],
        ["resolve", 74, 10],
        ["ticket", "hubspot", 896, 1041],
        ["cycle"],
        ["delete", "gorgias", "ticket", 916],
        ["quarrel", "erp", "hubspot", "ticket", 0, 527],
        ["cycle"],
        ["resolve", 0, 0],
        ["quiet"],
    ]
    assert play(script, seed=11090).violations == []


def test_what_an_undo_takes_away_goes_though_its_record_ended_and_was_taken_back_meanwhile():
    script = [
        ["operators", 3, 900],
        ["means", "archive", "unlink", "delete", "never"],
        ["person", 1, ["gorgias"], []],
        ["person", 2, ["hubspot"], []],
        ["quiet"],
        ["undo", "run", 1],
        ["approve", 0],
        ["delete", "hubspot", "customer", 2],
        ["sweep", "hubspot", "customer"],
        ["wait", 1],
        ["pull", "erp", "customer"],
        ["reconcile", "customer"],
        ["restore", "hubspot", "customer", 2],
        ["cycle"],
    ]
    assert play(script, seed=934).violations == []


def test_an_undo_takes_away_what_a_delete_elsewhere_only_unlinks():
    script = [
        ["operators", 2, 900],
        ["means", "archive", "delete", "unlink", "never"],
        ["person", 1, ["hubspot"], ["hubspot"]],
        ["cycle"],
        ["ticket", "gorgias", 319, 1013],
        ["cycle"],
        ["undo", "run", 4],
        ["approve", 0],
        ["delete", "gorgias", "ticket", 3],
        ["sweep", "gorgias", "ticket"],
        ["wait", 1],
        ["pull", "hubspot", "ticket"],
        ["pull", "erp", "ticket"],
        ["reconcile", "ticket"],
        ["edit", "hubspot", "ticket", 3, 39, 429],
        ["quiet"],
    ]
    assert play(script, seed=36008).violations == []


def test_a_dropped_write_is_owed_again_to_an_object_that_was_taken_back_since():
    script = [
        ["operators", 1, 300],
        ["person", 1, ["gorgias", "erp", "hubspot"], ["gorgias"]],
        ["person", 3, ["hubspot", "gorgias", "erp"], ["erp"]],
        ["quiet"],
        ["edit", "hubspot", "ticket", 0, 28, 104],
        ["quiet"],
        ["edit", "gorgias", "ticket", 1, 20, 156],
        ["cycle"],
        ["same", "hubspot", 165],
        ["edit", "gorgias", "customer", 2, 10, 198],
        ["wait", 130],
        ["quiet"],
        ["undo", "decision", 3],
        ["approve", 0],
        ["wait", 130],
        ["drop", 16],
        ["delete", "gorgias", "ticket", 1],
        ["cycle"],
        ["restore", "gorgias", "ticket", 1],
        ["cycle"],
    ]
    assert play(script, seed=2964).violations == []


def test_a_phone_does_not_travel_over_an_undo_while_it_is_asked_whether_two_are_one():
    script = [
        ["operators", 1, 60],
        ["person", 1, ["erp", "hubspot"], []],
        ["person", 2, ["erp", "hubspot", "gorgias"], ["gorgias"]],
        ["quiet"],
        ["edit", "hubspot", "customer", 2, 17, 541],
        ["cycle"],
        ["undo", "record", 2],
        ["approve", 1],
        ["edit", "erp", "customer", 0, 41, 688],
        ["merge", "hubspot", 1, 2, 1],
        ["quiet"],
    ]
    assert play(script, seed=8204).violations == []


def test_an_undo_is_not_held_to_an_edit_that_a_merge_brought_to_another_record():
    script = [
        ["operators", 3, 60],
        ["person", 1, ["erp"], ["erp"]],
        ["person", 2, ["erp", "gorgias", "hubspot"], []],
        ["quiet"],
        ["edit", "erp", "customer", 0, 19, 429],
        ["cycle"],
        ["undo", "record", 3],
        ["same", "hubspot", 438],
        ["approve", 0],
        ["merge", "gorgias", 2, 3, 0],
        ["quiet"],
    ]
    assert play(script, seed=8914).violations == []


def test_an_undo_leaves_a_ticket_its_customer_so_that_an_erasure_finds_it():
    script = [
        ["operators", 5, 900],
        ["person", 1, ["gorgias", "hubspot", "erp"], ["erp"]],
        ["person", 2, ["erp", "hubspot", "gorgias"], []],
        ["sweep", "erp", "ticket"],
        ["pull", "gorgias", "ticket"],
        ["pull", "hubspot", "ticket"],
        ["reconcile", "ticket"],
        ["quiet"],
        ["edit", "gorgias", "customer", 2, 39, 226],
        ["edit", "erp", "ticket", 0, 55, 265],
        ["edit", "gorgias", "ticket", 1, 26, 273],
        ["quarrel", "erp", "hubspot", "ticket", 0, 303],
        ["quiet"],
        ["edit", "gorgias", "ticket", 2, 55, 345],
        ["cycle"],
        ["undo", "decision", 5],
        ["approve", 0],
        ["cycle"],
        ["forget", 124],
        ["quiet"],
    ]
    assert play(script, seed=9228).violations == []


def test_a_ticket_goes_with_a_customer_who_is_forgotten_before_either_has_a_record():
    script = [
        ["person", 1, ["hubspot", "erp", "gorgias"], ["erp"]],
        ["person", 2, ["gorgias", "hubspot"], []],
        ["person", 3, ["hubspot", "gorgias"], []],
        ["forget", 294],
        ["person", 132, ["erp", "hubspot"], []],
        ["pull", "hubspot", "customer"],
        ["forget", 935],
        ["ticket", "hubspot", 1, 1074],
        ["pull", "hubspot", "ticket"],
        ["forget", 168],
        ["quiet"],
    ]
    assert play(script, seed=70569).violations == []


def test_what_is_left_apart_is_what_was_asked_about_and_not_who_was_met_anew_since():
    script = [
        ["operators", 5, 300],
        ["rule", "customer", "note", "review", "keep", ["gorgias", "hubspot", "erp"]],
        ["person", 1, ["erp"], ["erp"]],
        ["quiet"],
        ["quarrel", "hubspot", "gorgias", "customer", 1, 674],
        ["cycle"],
        ["part", 2],
        ["quarrel", "gorgias", "hubspot", "customer", 1, 679],
        ["cycle"],
        ["resolve", 311, 44],
        ["quiet"],
    ]
    assert play(script, seed=100758).violations == []


def test_an_undo_that_was_refused_takes_no_word_from_the_one_before():
    script = [
        ["operators", 3, 60],
        ["person", 1, ["hubspot", "erp"], []],
        ["quiet"],
        ["edit", "erp", "customer", 0, 47, 443],
        ["cycle"],
        ["undo", "decision", 0],
        ["approve", 0],
        ["cycle"],
        ["undo", "run", 3],
        ["same", "hubspot", 501],
        ["approve", 0],
        ["cycle"],
    ]
    assert play(script, seed=51316).violations == []


def test_what_is_typed_and_taken_back_between_two_looks_keeps_nothing_from_an_undo():
    script = [
        ["operators", 2, 300],
        ["person", 2, ["hubspot", "gorgias", "erp"], ["gorgias"]],
        ["cycle"],
        ["undo", "run", 1],
        ["approve", 0],
        ["burst", "erp", "ticket", 2, 163, 3],
        ["cycle"],
    ]
    assert play(script, seed=61724).violations == []


def test_a_late_copy_of_a_ticket_of_who_came_again_is_erased_too():
    script = [
        ["person", 1, ["gorgias", "hubspot", "erp"], []],
        ["person", 2, ["gorgias"], []],
        ["forget", 225],
        ["cycle"],
        ["person", 123, ["gorgias", "erp"], []],
        ["return", 491, "gorgias"],
        ["ticket", "gorgias", 536, 1053],
        ["pull", "gorgias", "ticket"],
        ["fault", "lost_late", 0],
        ["push", "hubspot", "ticket"],
        ["quiet"],
    ]
    assert play(script, seed=101935).violations == []


def test_a_dropped_write_stays_dropped_where_two_states_are_one_word():
    script = [
        ["operators", 1, 300],
        ["person", 1, ["gorgias", "erp", "hubspot"], []],
        ["person", 3, ["gorgias"], ["gorgias"]],
        ["ticket", "hubspot", 2, 1001],
        ["edit", "gorgias", "ticket", 4, 9, 144],
        ["quiet"],
        ["edit", "hubspot", "ticket", 0, 1, 331],
        ["ticket", "erp", 445, 1050],
        ["edit", "erp", "ticket", 1, 57, 492],
        ["cycle"],
        ["edit", "erp", "ticket", 4, 49, 691],
        ["drop", 827],
        ["quiet"],
    ]
    assert play(script, seed=100586).violations == []


def test_what_was_dropped_may_be_approved_where_it_moved_since():
    script = [
        ["operators", 1, 900],
        ["person", 1, ["hubspot"], []],
        ["cycle"],
        ["view", "erp", 2, 0, 0, 45],
        ["edit", "erp", "customer", 1, 34, 823],
        ["edit", "erp", "customer", 3, 17, 836],
        ["fault", "busy", 1],
        ["edit", "hubspot", "customer", 1, 33, 856],
        ["quarrel", "gorgias", "erp", "customer", 1, 863],
        ["cycle"],
        ["cycle"],
        ["edit", "hubspot", "customer", 1, 16, 891],
        ["pull", "hubspot", "customer"],
        ["reconcile", "customer"],
        ["drop", 845],
        ["quiet"],
        ["clear"],
    ]
    assert play(script, seed=51636).violations == []


def test_what_an_end_took_the_approval_from_is_counted_anew_when_an_edit_outlives_the_end():
    script = [
        ["operators", 1, 300],
        ["means", "delete", "delete", "delete", "never"],
        ["person", 1, ["hubspot", "erp"], ["erp"]],
        ["person", 2, ["gorgias", "hubspot", "erp"], ["hubspot"]],
        ["person", 3, ["hubspot"], []],
        ["quiet"],
        ["edit", "erp", "ticket", 1, 32, 408],
        ["cycle"],
        ["undo", "run", 0],
        ["same", "hubspot", 417],
        ["approve", 0],
        ["reconcile", "customer"],
        ["cycle"],
        ["approve", 0],
        ["cycle"],
        ["person", 184, ["gorgias", "erp"], []],
        ["pull", "gorgias", "customer"],
        ["approve", 0],
        ["reconcile", "customer"],
        ["delete", "gorgias", "ticket", 0],
        ["sweep", "gorgias", "ticket"],
        ["wait", 1],
        ["pull", "hubspot", "ticket"],
        ["pull", "erp", "ticket"],
        ["edit", "hubspot", "ticket", 0, 40, 884],
        ["push", "hubspot", "ticket"],
        ["quiet"],
    ]
    assert play(script, seed=201698).violations == []


def test_an_undo_of_what_was_in_review_brings_what_the_record_held_to_all():
    script = [
        ["operators", 1, 900],
        ["rule", "ticket", "status", "review", "keep", ["gorgias", "hubspot", "erp"]],
        ["person", 1, ["erp", "hubspot"], ["erp"]],
        ["quiet"],
        ["edit", "hubspot", "ticket", 0, 17, 107],
        ["pull", "hubspot", "ticket"],
        ["push", "gorgias", "ticket"],
        ["edit", "erp", "ticket", 1, 41, 226],
        ["quiet"],
        ["edit", "hubspot", "ticket", 1, 9, 401],
        ["cycle"],
        ["undo", "record", 3],
        ["approve", 0],
        ["quiet"],
    ]
    assert play(script, seed=201908).violations == []
