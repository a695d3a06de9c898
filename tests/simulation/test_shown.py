"""Finds of the simulation about what was shown and told: sets, what a person alone typed, what was forgotten."""

from datetime import UTC, datetime

import pytest

from sync_platform.core.records import Entity, System
from sync_platform.simulation import invariants_shown
from sync_platform.simulation.run import play
from sync_platform.simulation.systems import Thing, Version

LOST_IN_PART = [
    ["person", 1, ["hubspot", "gorgias"], ["hubspot"]],
    ["quiet"],
    ["edit", "gorgias", "ticket", 2, 29, 100],
    ["pull", "gorgias", "ticket"],
    ["fault", "lost_batch", 0],
    ["push", "erp", "ticket"],
    ["edit", "erp", "ticket", 2, 43, 107],
    ["wait", 130],
    ["edit", "hubspot", "ticket", 2, 48, 152],
    ["edit", "erp", "ticket", 0, 59, 401],
    ["push", "erp", "ticket"],
    ["push", "hubspot", "ticket"],
    ["fault", "die_after_call", 0],
    ["push", "gorgias", "ticket"],
    ["edit", "gorgias", "ticket", 0, 51, 933],
    ["quiet"],
]


def test_a_tag_of_ours_that_is_there_proves_the_lost_call_so_one_that_is_not_was_taken_out_by_somebody():
    found = play(LOST_IN_PART, seed=3227)
    assert found.violations == []
    (last,) = [line for line in found.trace if line.startswith("  write hubspot ticket")][-1:]
    assert "tag401" in last
    assert "tag107" not in last


def test_who_adds_a_tag_to_a_set_whose_emptying_is_held_does_not_bring_back_what_was_taken_out():
    script = [
        ["operators", 1, 60],
        ["person", 1, ["hubspot", "gorgias", "erp"], ["hubspot"]],
        ["person", 2, ["hubspot", "gorgias", "erp"], ["gorgias"]],
        ["quiet"],
        ["burst", "hubspot", "customer", 2, 264, 4],
        ["burst", "hubspot", "ticket", 3, 429, 2],
        ["cycle"],
        ["edit", "hubspot", "ticket", 0, 23, 513],
        ["quiet"],
    ]
    assert play(script, seed=810).violations == []


def test_who_types_exactly_what_a_lost_write_may_still_bring_is_counted_and_is_no_violation():
    script = [
        ["person", 1, ["erp", "gorgias"], ["erp"]],
        ["quiet"],
        ["edit", "hubspot", "ticket", 0, 18, 100],
        ["fault", "lost_never", 0],
        ["cycle"],
        ["quiet"],
        ["edit", "gorgias", "ticket", 1, 34, 522],
        ["cycle"],
        ["edit", "gorgias", "ticket", 4, 18, 776],
        ["quiet"],
    ]
    found = play(script, seed=156)
    assert found.violations == []
    assert found.residue == 1


@pytest.mark.parametrize(
    ("seed", "script"),
    [
        (
            1387,
            [
                ["person", 1, ["erp", "hubspot", "gorgias"], ["gorgias"]],
                ["edit", "gorgias", "ticket", 1, 35, 116],
                ["ticket", "gorgias", 858, 1024],
                ["cycle"],
                ["delete", "erp", "ticket", 2],
                ["sweep", "erp", "ticket"],
                ["restore", "erp", "ticket", 2],
                ["edit", "erp", "ticket", 4, 47, 672],
                ["quiet"],
            ],
        ),
        (
            556,
            [
                ["operators", 1, 60],
                ["person", 1, ["gorgias", "hubspot"], ["gorgias"]],
                ["cycle"],
                ["edit", "erp", "ticket", 1, 7, 244],
                ["quiet"],
                ["edit", "hubspot", "ticket", 0, 15, 317],
                ["edit", "gorgias", "ticket", 2, 15, 366],
                ["burst", "gorgias", "ticket", 3, 242, 2],
                ["cycle"],
                ["same", "hubspot", 627],
                ["quiet"],
            ],
        ),
    ],
)
def test_a_set_is_told_element_by_element(seed, script):
    found = play(script, seed=seed)
    assert found.violations == []
    assert found.evaluated["I3"]


def test_a_tag_that_was_taken_out_and_is_in_no_decision_is_noticed():
    system, entity = System.ERP, Entity.TICKET
    at = datetime(2026, 1, 1, tzinfo=UTC)
    sets = (["lamp", "urgent"], ["lamp"])
    versions = [Version(n, at, "person", {"tags": tags}, frozenset({"tags"})) for n, tags in enumerate(sets)]
    thing = Thing(entity, "1", "person", versions)
    said = [{"value": ["lamp", "urgent"], "replaced": None, "claims": []}]
    told = [*said, {"value": ["lamp"], "replaced": ["lamp", "urgent"], "claims": []}]
    for decisions, met, spoken in ((said, False, False), (said, True, True), (told, False, True)):
        found = invariants_shown.elements_spoken_of(decisions, system, thing, ["lamp"], list, met=met)
        assert found is spoken


def test_what_an_object_showed_before_it_came_back_to_a_record_of_its_own_is_decided_where_it_was():
    script = [
        ["means", "delete", "archive", "unlink", "later_edit"],
        ["person", 2, ["gorgias", "erp", "hubspot"], ["erp"]],
        ["person", 3, ["gorgias", "erp", "hubspot"], ["gorgias"]],
        ["cycle"],
        ["edit", "erp", "ticket", 3, 32, 240],
        ["cycle"],
        ["edit", "gorgias", "ticket", 0, 12, 715],
        ["delete", "erp", "ticket", 3],
        ["cycle"],
        ["restore", "erp", "ticket", 3],
        ["edit", "erp", "ticket", 4, 28, 768],
        ["quiet"],
    ]
    assert play(script, seed=525).violations == []


@pytest.mark.parametrize(
    ("seed", "script"),
    [
        (
            1279,
            [
                ["person", 2, ["erp"], []],
                ["person", 3, ["hubspot", "gorgias"], []],
                ["quiet"],
                ["fault", "second_run", 5],
                ["forget", 309],
                ["quiet"],
            ],
        ),
        (
            5335,
            [
                ["person", 1, ["erp", "gorgias"], []],
                ["person", 2, ["erp", "gorgias"], ["gorgias"]],
                ["person", 3, ["hubspot", "erp", "gorgias"], []],
                ["cycle"],
                ["edit", "erp", "customer", 2, 9, 359],
                ["fault", "second_run", 8],
                ["pull", "hubspot", "ticket"],
                ["pull", "gorgias", "customer"],
                ["pull", "erp", "customer"],
                ["forget", 252],
                ["quiet"],
            ],
        ),
    ],
)
def test_an_erasure_that_another_process_ended_while_its_call_was_under_way_breaks_nothing(seed, script):
    found = play(script, seed=seed)
    assert found.violations == []
    assert any("second run" in line for line in found.trace)


def test_a_copy_of_a_ticket_that_was_read_before_the_one_who_came_back_is_erased_with_them():
    script = [
        ["person", 1, ["erp", "gorgias"], ["gorgias"]],
        ["person", 2, ["erp"], ["erp"]],
        ["quiet"],
        ["forget", 244],
        ["return", 340, "hubspot"],
        ["ticket", "hubspot", 1, 1079],
        ["pull", "hubspot", "ticket"],
        ["push", "erp", "ticket"],
        ["sweep", "hubspot", "customer"],
        ["reconcile", "customer"],
        ["quiet"],
    ]
    assert play(script, seed=3163).violations == []


def test_a_name_that_begins_as_that_of_somebody_forgotten_is_not_theirs():
    script = [
        ["operators", 3, 60],
        ["rule", "customer", "name", "review", "keep", ["gorgias", "hubspot", "erp"]],
        ["person", 1, ["hubspot", "gorgias"], ["hubspot"]],
        ["person", 2, ["gorgias", "hubspot"], ["hubspot"]],
        ["forget", 503],
        ["quarrel", "gorgias", "hubspot", "customer", 0, 798],
        ["quiet"],
    ]
    found = play(script, seed=76)
    assert found.violations == []
    assert found.evaluated["I22"]


def test_a_ticket_that_was_read_before_its_customer_is_forgotten_with_a_customer_whom_nobody_had_read():
    script = [
        ["person", 1, ["erp"], ["erp"]],
        ["person", 3, ["erp", "gorgias"], ["gorgias"]],
        ["pull", "erp", "ticket"],
        ["forget", 126],
        ["quiet"],
    ]
    assert play(script, seed=471).violations == []


SHARED_PHONE = [
    ["person", 1, ["hubspot"], []],
    ["person", 2, ["gorgias", "hubspot", "erp"], []],
    ["quiet"],
    ["edit", "erp", "customer", 1, 49, 101],
    ["cycle"],
    ["same", "hubspot", 172],
    ["cycle"],
    ["delete", "hubspot", "customer", 672],
    ["forget", 722],
]


@pytest.mark.parametrize("system", ["gorgias", "hubspot", "erp"])
def test_a_phone_that_somebody_forgotten_had_too_is_read_anew_and_nothing_of_the_purge_is_written(system):
    pushes = [["push", one, "customer"] for one in ("gorgias", "hubspot", "erp")]
    edit = [["edit", system, "customer", 0, 3, 500], ["pull", system, "customer"], ["reconcile", "customer"]]
    found = play([*SHARED_PHONE, *edit, *pushes, ["quiet"]], seed=770)
    assert found.violations == []
    assert not any("erased" in line for line in found.trace)


def test_who_is_merged_after_an_undo_holds_what_the_merge_brings():
    script = [
        ["operators", 3, 60],
        ["person", 1, ["hubspot", "erp", "gorgias"], []],
        ["person", 2, ["gorgias"], ["gorgias"]],
        ["person", 3, ["gorgias", "hubspot", "erp"], ["erp"]],
        ["forget", 171],
        ["quiet"],
        ["edit", "erp", "customer", 1, 33, 471],
        ["cycle"],
        ["undo", "record", 4],
        ["approve", 0],
        ["merge", "hubspot", 2, 3, 0],
        ["quiet"],
    ]
    assert play(script, seed=510).violations == []


def test_an_undo_gives_what_the_record_held_to_a_system_that_waited_for_it():
    script = [
        ["operators", 1, 60],
        ["person", 1, ["gorgias"], []],
        ["quiet"],
        ["fault", "unnamed", 0],
        ["edit", "gorgias", "customer", 0, 8, 115],
        ["edit", "hubspot", "customer", 0, 12, 198],
        ["sweep", "gorgias", "customer"],
        ["push", "hubspot", "customer"],
        ["wait", 31],
        ["edit", "erp", "customer", 0, 40, 394],
        ["wait", 31],
        ["fault", "unnamed", 0],
        ["push", "hubspot", "customer"],
        ["push", "erp", "customer"],
        ["quiet"],
        ["edit", "erp", "customer", 1, 20, 527],
        ["cycle"],
        ["undo", "record", 2],
        ["approve", 644],
        ["approve", 844],
        ["quiet"],
    ]
    assert play(script, seed=2208).violations == []


def test_a_hold_that_another_process_opens_stops_no_call_that_was_committed_before():
    script = [
        ["operators", 2, 900],
        ["person", 1, ["hubspot"], ["hubspot"]],
        ["person", 2, ["gorgias", "erp"], ["gorgias"]],
        ["quiet"],
        ["delete", "erp", "customer", 1],
        ["person", 120, ["erp", "gorgias"], []],
        ["pull", "erp", "customer"],
        ["pull", "gorgias", "customer"],
        ["edit", "hubspot", "customer", 2, 49, 320],
        ["fault", "second_run", 2],
        ["edit", "hubspot", "ticket", 1, 55, 352],
        ["pull", "hubspot", "ticket"],
        ["push", "erp", "ticket"],
        ["edit", "erp", "customer", 2, 9, 388],
        ["push", "gorgias", "customer"],
    ]
    assert play(script, seed=7256).violations == []


def test_who_comes_back_after_a_value_was_blanked_fills_the_blank_as_a_new_link_does():
    script = [
        ["person", 1, ["hubspot", "erp"], ["hubspot"]],
        ["person", 2, ["erp"], ["erp"]],
        ["quiet"],
        ["delete", "hubspot", "customer", 0],
        ["edit", "erp", "customer", 0, 3, 275],
        ["cycle"],
        ["restore", "hubspot", "customer", 850],
        ["quiet"],
    ]
    assert play(script, seed=5068).violations == []


def test_what_who_was_merged_away_showed_before_is_decided_where_it_was():
    script = [
        ["person", 1, ["hubspot", "gorgias"], ["hubspot"]],
        ["person", 2, ["erp", "hubspot", "gorgias"], ["hubspot"]],
        ["person", 3, ["hubspot", "erp"], ["hubspot"]],
        ["forget", 333],
        ["person", 113, ["erp", "gorgias"], []],
        ["delete", "hubspot", "customer", 2],
        ["cycle"],
        ["merge", "gorgias", 1, 2, 0],
        ["delete", "erp", "customer", 2],
        ["merge", "gorgias", 771, 110, 0],
        ["merge", "hubspot", 2, 3, 1],
        ["quiet"],
    ]
    assert play(script, seed=2631).violations == []


def test_a_write_that_is_tried_again_is_not_settled_by_another_process_before_its_call_can_have_ended():
    script = [
        ["person", 3, ["gorgias"], ["gorgias"]],
        ["cycle"],
        ["edit", "erp", "ticket", 0, 55, 366],
        ["pull", "erp", "ticket"],
        ["fault", "busy", 0],
        ["push", "hubspot", "ticket"],
        ["wait", 70],
        ["fault", "second_run", 1],
        ["pull", "hubspot", "customer"],
        ["push", "hubspot", "ticket"],
        ["quiet"],
    ]
    found = play(script, seed=2535)
    assert found.violations == []
    assert any("second run" in line for line in found.trace)


def test_a_set_that_was_met_without_a_base_is_shown_again_by_the_answer_to_another_field():
    script = [
        ["operators", 1, 900],
        ["person", 2, ["erp", "hubspot"], ["hubspot"]],
        ["quiet"],
        ["ticket", "hubspot", 2, 1002],
        ["cycle"],
        ["edit", "gorgias", "ticket", 1, 35, 194],
        ["delete", "gorgias", "ticket", 0],
        ["cycle"],
        ["edit", "erp", "ticket", 1, 7, 297],
        ["delete", "erp", "ticket", 3],
        ["cycle"],
        ["restore", "erp", "ticket", 3],
        ["edit", "gorgias", "ticket", 4, 44, 449],
        ["quiet"],
    ]
    assert play(script, seed=6600).violations == []


def test_an_element_that_is_gone_by_chance_proves_no_write_whose_other_field_stands_as_before():
    script = [
        ["person", 1, ["erp"], ["erp"]],
        ["quiet"],
        ["edit", "hubspot", "ticket", 1, 26, 100],
        ["pull", "hubspot", "ticket"],
        ["edit", "gorgias", "ticket", 3, 35, 282],
        ["edit", "gorgias", "ticket", 3, 35, 289],
        ["push", "gorgias", "ticket"],
        ["edit", "erp", "ticket", 2, 23, 423],
        ["fault", "lost_landed", 0],
        ["push", "erp", "ticket"],
        ["quiet"],
    ]
    assert play(script, seed=10277).violations == []


def test_a_ticket_that_has_no_record_yet_goes_with_who_was_forgotten_and_came_back():
    script = [
        ["person", 1, ["erp", "hubspot"], []],
        ["person", 2, ["gorgias", "erp"], []],
        ["forget", 971],
        ["return", 958, "erp"],
        ["ticket", "erp", 929, 1012],
        ["pull", "erp", "ticket"],
        ["quiet"],
    ]
    assert play(script, seed=10305).violations == []


def test_what_is_held_of_a_record_is_held_under_the_name_of_each_of_its_objects():
    script = [
        ["operators", 3, 300],
        ["person", 1, ["hubspot", "erp", "gorgias"], []],
        ["person", 2, ["hubspot", "erp"], []],
        ["merge", "hubspot", 1, 2, 0],
        ["cycle"],
        ["identify", 15, 6],
        ["push", "erp", "customer"],
        ["edit", "gorgias", "customer", 3, 28, 701],
        ["quiet"],
        ["edit", "gorgias", "customer", 2, 28, 814],
        ["cycle"],
        ["undo", "record", 3],
        ["same", "hubspot", 823],
        ["approve", 0],
        ["reconcile", "customer"],
        ["quiet"],
    ]
    assert play(script, seed=32012).violations == []


def test_what_an_earlier_create_made_late_is_not_an_edit_of_what_the_next_one_was_to_hold():
    script = [
        ["person", 1, ["erp"], []],
        ["fault", "lost_late", 0],
        ["cycle"],
        ["fault", "lost_late", 0],
        ["wait", 70],
        ["edit", "erp", "customer", 1, 51, 800],
        ["pull", "erp", "customer"],
        ["push", "hubspot", "customer"],
        ["quiet"],
    ]
    assert play(script, seed=30797).violations == []


def test_what_is_typed_back_over_a_write_without_an_answer_is_residue():
    script = [
        ["operators", 2, 900],
        ["person", 1, ["hubspot", "gorgias"], ["gorgias"]],
        ["quiet"],
        ["edit", "hubspot", "ticket", 2, 58, 114],
        ["edit", "gorgias", "customer", 4, 50, 234],
        ["cycle"],
        ["edit", "gorgias", "ticket", 0, 29, 376],
        ["quiet"],
        ["edit", "gorgias", "customer", 2, 1, 380],
        ["cycle"],
        ["undo", "run", 2],
        ["approve", 701],
        ["reconcile", "customer"],
        ["edit", "gorgias", "customer", 1, 24, 564],
        ["edit", "erp", "customer", 2, 18, 576],
        ["push", "gorgias", "ticket"],
        ["fault", "lost_landed", 2],
        ["cycle"],
        ["edit", "hubspot", "ticket", 3, 10, 750],
        ["quiet"],
    ]
    found = play(script, seed=27968)
    assert found.violations == []
    assert found.residue > 0


def test_what_came_back_since_an_approval_is_owed_anew():
    script = [
        ["operators", 2, 60],
        ["person", 1, ["hubspot", "gorgias", "erp"], []],
        ["ticket", "hubspot", 0, 1021],
        ["quiet"],
        ["edit", "erp", "ticket", 0, 35, 420],
        ["ticket", "gorgias", 890, 1052],
        ["cycle"],
        ["burst", "hubspot", "ticket", 3, 187, 3],
        ["cycle"],
        ["approve", 7],
        ["same", "hubspot", 238],
        ["delete", "gorgias", "ticket", 1],
        ["sweep", "gorgias", "ticket"],
        ["push", "erp", "ticket"],
        ["restore", "gorgias", "ticket", 1],
        ["quiet"],
    ]
    assert play(script, seed=23366).violations == []


def test_an_answer_is_older_than_what_bears_the_number_of_a_decision_that_was_erased_since():
    script = [
        ["operators", 5, 900],
        ["rule", "ticket", "subject", "review", "keep", ["gorgias", "hubspot", "erp"]],
        ["person", 1, ["hubspot", "gorgias"], []],
        ["person", 2, ["gorgias", "hubspot"], []],
        ["person", 3, ["hubspot"], ["hubspot"]],
        ["quiet"],
        ["quarrel", "hubspot", "erp", "ticket", 2, 203],
        ["cycle"],
        ["delete", "erp", "customer", 1],
        ["edit", "gorgias", "customer", 1, 58, 240],
        ["forget", 762],
        ["cycle"],
        ["resolve", 11, 1],
        ["forget", 204],
        ["cycle"],
        ["quiet"],
    ]
    assert play(script, seed=30022).violations == []


def test_what_a_write_left_before_its_object_was_deleted_and_taken_back_is_nobodys_edit():
    script = [
        ["person", 1, ["erp", "hubspot", "gorgias"], ["erp"]],
        ["quiet"],
        ["edit", "erp", "ticket", 1, 20, 191],
        ["pull", "erp", "ticket"],
        ["push", "hubspot", "ticket"],
        ["edit", "hubspot", "ticket", 2, 36, 219],
        ["fault", "lost_batch", 0],
        ["push", "gorgias", "ticket"],
        ["ticket", "gorgias", 1, 1039],
        ["delete", "gorgias", "ticket", 534],
        ["wait", 70],
        ["cycle"],
        ["restore", "gorgias", "ticket", 443],
        ["quiet"],
    ]
    assert play(script, seed=23889).violations == []


def test_an_erasure_whose_create_may_still_land_ends_when_it_cannot_any_more():
    script = [
        ["person", 2, ["erp"], []],
        ["person", 3, ["erp", "gorgias", "hubspot"], ["hubspot"]],
        ["quiet"],
        ["forget", 592],
        ["return", 930, "erp"],
        ["ticket", "erp", 53, 1007],
        ["fault", "lost_batch", 0],
        ["sweep", "erp", "ticket"],
        ["push", "hubspot", "ticket"],
        ["delete", "hubspot", "ticket", 3],
        ["quiet"],
    ]
    assert play(script, seed=5955).violations == []


def test_a_ticket_that_comes_after_the_word_goes_with_its_customer_who_is_forgotten():
    script = [
        ["person", 1, ["erp"], []],
        ["person", 2, ["erp"], ["erp"]],
        ["person", 3, ["gorgias", "erp", "hubspot"], []],
        ["forget", 213],
        ["fault", "unavailable", 0],
        ["forget", 271],
        ["ticket", "gorgias", 523, 1050],
        ["pull", "gorgias", "ticket"],
        ["quiet"],
    ]
    assert play(script, seed=3567).violations == []


def test_what_an_object_showed_stands_where_its_person_was_merged_before_it_came_back_as_somebody_new():
    script = [
        ["person", 1, ["erp"], []],
        ["person", 2, ["gorgias", "erp", "hubspot"], ["hubspot"]],
        ["quiet"],
        ["edit", "gorgias", "customer", 2, 8, 114],
        ["pull", "gorgias", "customer"],
        ["push", "erp", "customer"],
        ["edit", "gorgias", "customer", 1, 36, 206],
        ["cycle"],
        ["merge", "hubspot", 3, 4, 1],
        ["pull", "hubspot", "customer"],
        ["delete", "erp", "customer", 3],
        ["sweep", "erp", "customer"],
        ["push", "gorgias", "customer"],
        ["restore", "erp", "customer", 3],
        ["push", "hubspot", "customer"],
        ["quiet"],
    ]
    assert play(script, seed=8995).violations == []


def test_what_is_typed_back_after_another_field_is_residue_too():
    script = [
        ["operators", 1, 900],
        ["person", 2, ["gorgias", "hubspot"], ["gorgias"]],
        ["cycle"],
        ["edit", "hubspot", "customer", 1, 5, 534],
        ["quiet"],
        ["edit", "hubspot", "ticket", 0, 42, 604],
        ["cycle"],
        ["undo", "run", 1],
        ["approve", 1],
        ["fault", "lost_batch", 0],
        ["cycle"],
        ["quarrel", "hubspot", "gorgias", "customer", 1, 772],
        ["edit", "gorgias", "customer", 1, 45, 870],
        ["quiet"],
    ]
    assert play(script, seed=50112).violations == []


def test_what_one_showed_stands_in_the_record_in_which_it_claimed():
    script = [
        ["person", 1, ["erp", "gorgias", "hubspot"], ["hubspot"]],
        ["person", 2, ["gorgias", "hubspot", "erp"], []],
        ["person", 3, ["hubspot", "gorgias"], []],
        ["merge", "hubspot", 3, 4, 0],
        ["merge", "hubspot", 0, 1, 1],
        ["view", "erp", 2, 0, 2, 507],
        ["delete", "gorgias", "customer", 3],
        ["sweep", "gorgias", "customer"],
        ["pull", "hubspot", "customer"],
        ["pull", "erp", "customer"],
        ["edit", "hubspot", "customer", 4, 0, 369],
        ["person", 158, ["hubspot", "erp"], []],
        ["pull", "hubspot", "customer"],
        ["fault", "die_after_call", 0],
        ["push", "hubspot", "customer"],
        ["cycle"],
        ["merge", "hubspot", 3, 4, 1],
        ["limits", 5, 20.0],
        ["delete", "erp", "customer", 3],
        ["sweep", "erp", "customer"],
        ["cycle"],
        ["fault", "second_run", 3],
        ["edit", "erp", "customer", 1, 33, 803],
        ["pull", "hubspot", "customer"],
        ["edit", "erp", "ticket", 0, 22, 862],
        ["pull", "gorgias", "ticket"],
        ["restore", "erp", "customer", 153],
        ["quiet"],
    ]
    assert play(script, seed=91657).violations == []


def test_an_undo_leaves_what_may_have_been_typed_before_the_first_look_where_the_answer_to_a_create_was_lost():
    script = [
        ["operators", 5, 300],
        ["cycle"],
        ["person", 136, ["gorgias", "hubspot"], []],
        ["pull", "gorgias", "customer"],
        ["fault", "lost_batch", 0],
        ["push", "erp", "customer"],
        ["edit", "erp", "customer", 3, 6, 441],
        ["quiet"],
        ["undo", "run", 1],
        ["approve", 0],
        ["cycle"],
    ]
    assert play(script, seed=130394).violations == []


def test_what_was_parted_and_joined_again_fills_the_blank_that_it_was_not_shown():
    script = [
        ["operators", 3, 300],
        ["person", 2, ["hubspot", "erp"], ["hubspot"]],
        ["quiet"],
        ["view", "erp", 0, 9, 1, 280],
        ["edit", "erp", "customer", 2, 19, 429],
        ["pull", "erp", "customer"],
        ["part", 6],
        ["quiet"],
    ]
    assert play(script, seed=200150).violations == []
