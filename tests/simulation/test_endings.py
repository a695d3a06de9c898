"""Finds of the simulation about ends that stay fixed, and what its checks of ends notice."""

import pytest

from sync_platform.simulation.planted import PLANTS
from sync_platform.simulation.run import play, staged

EVERYWHERE = ["person", 1, ["gorgias", "erp", "hubspot"], ["gorgias"]]
OTHER = ["person", 2, ["gorgias", "hubspot", "erp"], ["erp"]]


def test_what_was_deleted_while_the_answer_to_its_create_was_lost_is_known_to_be_gone():
    script = [
        EVERYWHERE,
        ["quiet"],
        ["ticket", "hubspot", 0, 1007],
        ["pull", "hubspot", "ticket"],
        ["fault", "lost_landed", 0],
        ["push", "erp", "ticket"],
        ["wait", 1],
        ["pull", "erp", "ticket"],
        ["delete", "erp", "ticket", 1],
        ["quiet"],
    ]
    assert play(script).violations == []


UNREAD_IN_THE_ERP = [
    ["person", 1, ["erp", "gorgias"], ["gorgias"]],
    ["person", 2, ["hubspot", "gorgias"], ["gorgias"]],
    ["person", 3, ["hubspot", "erp"], ["erp"]],
    ["pull", "gorgias", "customer"],
    ["push", "erp", "customer"],
]


def test_what_was_first_read_after_a_delete_elsewhere_may_be_an_edit_and_stays():
    script = [
        ["means", "delete", "unlink", "ignore", "later_edit"],
        *UNREAD_IN_THE_ERP,
        ["delete", "gorgias", "customer", 2],
        ["sweep", "gorgias", "customer"],
        ["wait", 31],
        ["cycle"],
    ]
    assert play(script, seed=1029).violations == []


def test_what_was_deleted_before_it_was_judged_keeps_its_values_in_a_decision():
    script = [*UNREAD_IN_THE_ERP, ["delete", "gorgias", "customer", 0], ["quiet"]]
    assert play(script, seed=1029).violations == []


@pytest.mark.parametrize(
    ("seed", "script"),
    [
        (
            12,
            [
                ["means", "delete", "delete", "unlink", "later_edit"],
                ["person", 2, ["gorgias", "hubspot"], ["hubspot"]],
                ["quiet"],
                ["ticket", "hubspot", 1, 1033],
                ["edit", "gorgias", "ticket", 2, 12, 464],
                ["delete", "hubspot", "ticket", 2],
                ["cycle"],
                ["restore", "hubspot", "ticket", 738],
                ["quiet"],
            ],
        ),
        (
            91,
            [
                ["means", "archive", "unlink", "unlink", "later_edit"],
                ["person", 1, ["gorgias", "erp", "hubspot"], ["hubspot"]],
                ["quiet"],
                ["ticket", "gorgias", 1, 1001],
                ["pull", "gorgias", "ticket"],
                ["push", "erp", "ticket"],
                ["delete", "erp", "ticket", 2],
                ["edit", "hubspot", "ticket", 2, 54, 506],
                ["cycle"],
                ["restore", "erp", "ticket", 2],
                ["quiet"],
            ],
        ),
    ],
    ids=["not made by us", "made by us"],
)
def test_what_is_restored_after_it_was_made_anew_is_asked_about_and_makes_nothing_elsewhere(seed, script):
    assert play(script, seed=seed).violations == []


def test_who_is_forgotten_leaves_nothing_of_what_was_seen_before_it_had_a_record():
    script = [
        ["person", 1, ["gorgias", "hubspot"], ["gorgias"]],
        ["person", 2, ["hubspot"], []],
        ["person", 3, ["erp", "gorgias"], []],
        ["pull", "gorgias", "customer"],
        ["delete", "gorgias", "customer", 1],
        ["forget", 542],
        ["quiet"],
    ]
    assert play(script, seed=193).violations == []


def test_a_merge_into_what_was_deleted_is_followed_once():
    script = [
        ["person", 1, ["erp", "gorgias"], []],
        ["person", 2, ["gorgias"], []],
        ["person", 3, ["erp", "gorgias", "hubspot"], ["hubspot"]],
        ["pull", "gorgias", "customer"],
        ["merge", "gorgias", 1, 2, 0],
        ["delete", "gorgias", "customer", 349],
        ["push", "erp", "customer"],
        ["quiet"],
    ]
    assert play(script, seed=24).violations == []


def test_a_delete_waits_for_a_read_that_began_after_it_was_seen():
    script = [
        ["means", "delete", "delete", "delete", "never"],
        EVERYWHERE,
        OTHER,
        ["quiet"],
        ["delete", "erp", "customer", 1],
        ["cycle"],
        ["quiet"],
    ]
    found = play(script)
    assert found.violations == []
    assert found.evaluated["I12"]


def test_of_two_merged_in_hubspot_before_the_erp_was_read_each_keeps_the_own_row_of_the_erp():
    script = [
        ["person", 1, ["gorgias", "erp", "hubspot"], ["hubspot"]], ["person", 3, ["erp", "hubspot"], ["erp"]],
        ["pull", "hubspot", "customer"], ["push", "gorgias", "customer"], ["merge", "hubspot", 1, 2, 0], ["quiet"],
    ]  # fmt: skip
    assert play(script, seed=37).violations == []


def test_of_two_merges_in_a_row_a_person_is_asked_about_each():
    script = [
        ["person", 1, ["gorgias"], []], ["person", 2, ["erp"], ["erp"]],
        ["person", 3, ["hubspot", "erp", "gorgias"], ["gorgias"]], ["quiet"], ["merge", "hubspot", 0, 1, 1],
        ["pull", "hubspot", "customer"], ["reconcile", "customer"], ["merge", "hubspot", 0, 1, 1], ["quiet"],
    ]  # fmt: skip
    found = play(script, seed=69)
    assert found.violations == []
    assert found.evaluated["I14"]


def test_a_merge_of_which_nothing_tells_is_not_asked_of_the_merges_before_it():
    script = [
        ["means", "delete", "unlink", "ignore", "later_edit"], ["person", 1, ["erp", "gorgias"], ["gorgias"]],
        ["person", 2, ["hubspot", "gorgias"], ["gorgias"]], ["person", 3, ["hubspot", "erp"], ["erp"]],
        ["pull", "gorgias", "customer"], ["push", "erp", "customer"], ["delete", "gorgias", "customer", 0],
        ["fault", "lost_batch", 0], ["cycle"], ["person", 112, ["gorgias", "hubspot"], []],
        ["pull", "gorgias", "customer"], ["merge", "gorgias", 241, 34, 0], ["wait", 130], ["cycle"],
        ["edit", "erp", "customer", 0, 25, 549], ["pull", "erp", "customer"], ["push", "gorgias", "customer"],
        ["merge", "gorgias", 0, 1, 1], ["quiet"],
    ]  # fmt: skip
    found = play(script, seed=1029)
    assert found.violations == []
    assert found.evaluated["I14"]


def test_who_was_merged_into_somebody_that_was_deleted_since_is_made_anew_by_policy_and_for_an_edit_alone():
    script = [
        ["means", "delete", "ignore", "delete", "later_edit"], ["person", 1, ["hubspot", "gorgias", "erp"], []],
        ["person", 2, ["erp", "hubspot"], ["hubspot"]], ["person", 3, ["hubspot", "gorgias"], ["hubspot"]],
        ["quiet"], ["forget", 848], ["view", "hubspot", 4, 9, 0, 308], ["person", 114, ["gorgias", "hubspot"], []],
        ["edit", "hubspot", "customer", 2, 50, 240], ["merge", "hubspot", 2, 3, 0],
        ["delete", "hubspot", "customer", 0], ["fault", "lost_landed", 0], ["cycle"],
        ["edit", "erp", "customer", 2, 14, 422], ["quiet"],
    ]  # fmt: skip
    edited = play(script, seed=1079)
    assert edited.violations == []
    assert any("write hubspot customer create" in line and "p114" in line for line in edited.trace)
    script.pop(-2)
    untouched = play(script, seed=1079)
    assert untouched.violations == []
    assert not any("write hubspot customer create" in line and "p114" in line for line in untouched.trace)


def test_who_was_taken_back_and_merged_away_unseen_is_merged_and_not_deleted():
    script = [
        ["person", 1, ["hubspot"], []], ["person", 2, ["erp", "hubspot", "gorgias"], ["hubspot"]], ["quiet"],
        ["delete", "hubspot", "customer", 2], ["sweep", "hubspot", "customer"],
        ["restore", "hubspot", "customer", 509], ["merge", "hubspot", 0, 1, 0], ["quiet"],
    ]  # fmt: skip
    found = play(script, seed=3012)
    assert found.violations == []
    assert found.evaluated["I14"]


def test_of_two_merges_that_nothing_told_the_first_may_lead_at_once_to_who_holds_the_addresses():
    script = [
        ["person", 1, ["erp", "hubspot", "gorgias"], []], ["person", 2, ["erp", "gorgias", "hubspot"], []],
        ["person", 3, ["gorgias", "erp"], []], ["cycle"], ["merge", "gorgias", 830, 118, 1],
        ["edit", "hubspot", "customer", 2, 16, 702], ["merge", "gorgias", 3, 4, 1], ["quiet"],
    ]  # fmt: skip
    found = play(script, seed=3076)
    assert found.violations == []
    assert found.evaluated["I14"]


@pytest.mark.parametrize(
    ("seed", "script"),
    [
        (3200, [
            ["means", "delete", "unlink", "ignore", "later_edit"],
            ["person", 1, ["erp", "gorgias", "hubspot"], ["hubspot"]],
            ["person", 2, ["gorgias", "erp"], []], ["person", 3, ["gorgias", "erp", "hubspot"], ["hubspot"]], ["cycle"],
            ["delete", "gorgias", "ticket", 14], ["merge", "hubspot", 0, 1, 1], ["quiet"],
        ]),
        (3080, [
            ["means", "delete", "delete", "unlink", "later_edit"],
            ["person", 1, ["gorgias", "hubspot", "erp"], ["hubspot"]], ["person", 2, ["erp", "gorgias"], ["erp"]],
            ["quiet"], ["merge", "gorgias", 362, 51, 1], ["delete", "erp", "ticket", 1], ["cycle"],
        ]),
    ],
)  # fmt: skip
def test_a_deleted_ticket_is_not_made_anew_because_its_customer_was_merged_away_elsewhere(seed, script):
    found = play(script, seed=seed)
    assert found.violations == []
    assert any("deleted" in line and "ticket" in line for line in found.trace)


def test_who_turns_out_to_be_one_with_somebody_who_was_deleted_is_not_deleted_for_it():
    script = [
        ["means", "delete", "unlink", "delete", "never"],
        ["person", 1, ["gorgias", "erp", "hubspot"], []],
        ["person", 2, ["gorgias"], ["gorgias"]],
        ["person", 101, ["gorgias", "erp"], []],
        ["pull", "gorgias", "customer"],
        ["push", "erp", "customer"],
        ["merge", "gorgias", 383, 54, 1],
        ["fault", "lost_never", 0],
        ["cycle"],
        ["delete", "erp", "customer", 3],
        ["quiet"],
    ]
    assert [one for one in play(script, seed=212).violations if one.invariant == "I12"] == []


DELETES = ["means", "delete", "delete", "delete", "never"]
BEGINNING = [EVERYWHERE, OTHER, ["quiet"]]
# A short story for each fault, which is clean without it.
STORIES = {
    "deleted_before_the_others_were_read": [
        DELETES, *BEGINNING, ["wait", 5], ["delete", "erp", "customer", 1], ["sweep", "erp", "customer"],
        ["reconcile", "customer"], ["push", "hubspot", "customer"], ["quiet"],
    ],
    "deleted_without_a_last_look": [
        DELETES, *BEGINNING, ["delete", "erp", "customer", 1], ["sweep", "erp", "customer"], ["wait", 5],
        ["pull", "hubspot", "customer"], ["pull", "gorgias", "customer"], ["reconcile", "customer"],
        ["edit", "hubspot", "customer", 1, 2, 501], ["push", "hubspot", "customer"], ["quiet"],
    ],
    "deletes_outrank_edits": [
        DELETES, *BEGINNING, ["delete", "erp", "customer", 1], ["edit", "hubspot", "customer", 1, 2, 501],
        ["wait", 5], ["cycle"], ["wait", 5], ["cycle"], ["quiet"],
    ],
    "gone_taken_for_missing": [*BEGINNING, ["delete", "erp", "customer", 1], ["quiet"]],
    "restores_ignored": [
        *BEGINNING, ["delete", "erp", "customer", 1], ["quiet"], ["wait", 5], ["restore", "erp", "customer", 0],
        ["quiet"],
    ],
    "merges_taken_for_deletes": [*BEGINNING, ["merge", "hubspot", 0, 1, 0], ["quiet"]],
    "aliases_dropped": [*BEGINNING, ["merge", "gorgias", 0, 1, 0], ["quiet"]],
    "merges_not_followed": [
        ["person", 1, ["gorgias"], []], ["person", 2, ["gorgias"], []], ["pull", "gorgias", "customer"], ["wait", 5],
        ["reconcile", "customer"], ["merge", "gorgias", 0, 1, 0], ["quiet"],
    ],
    "the_forgotten_come_back": [*BEGINNING, ["forget", 0], ["return", 0, "hubspot"], ["quiet"]],
    "forgotten_in_the_ledger_alone": [*BEGINNING, ["forget", 0], ["quiet"]],
    "forgotten_with_rows_left": [*BEGINNING, ["forget", 0], ["quiet"]],
    "absence_taken_for_a_delete": [
        *BEGINNING, ["edit", "hubspot", "customer", 0, 2, 501], ["sweep", "hubspot", "customer"], ["wait", 5],
        ["edit", "hubspot", "customer", 1, 2, 502], ["sweep", "hubspot", "customer"],
        ["edit", "hubspot", "customer", 1, 3, 503], ["sweep", "hubspot", "customer"], ["quiet"],
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", STORIES)
def test_a_fault_about_ends_is_noticed_by_a_story_that_is_clean_without_it(name):
    with staged() as stage:
        assert stage.play(STORIES[name]).violations == []
        found = stage.play(STORIES[name], plant=name).violations
    assert {one.invariant for one in found} & set(PLANTS[name].breaks), found


def test_a_delete_of_forget_that_was_lost_is_sent_again_by_itself():
    script = [
        ["person", 1, ["erp", "hubspot"], ["hubspot"]],
        ["person", 2, ["hubspot", "erp", "gorgias"], ["hubspot"]],
        ["fault", "lost_never", 2],
        ["forget", 349],
        ["quiet"],
    ]
    found = play(script, seed=80)
    assert found.violations == []
    assert found.events["forgotten"] == 1


def test_a_ticket_of_somebody_who_came_back_after_an_erasure_stays_out_with_them():
    script = [
        ["person", 1, ["gorgias", "hubspot", "erp"], []],
        ["person", 141, ["gorgias", "hubspot"], []],
        ["forget", 567],
        ["return", 291, "hubspot"],
        ["person", 162, ["hubspot", "gorgias"], []],
        ["ticket", "hubspot", 220, 1118],
        ["quiet"],
    ]
    assert play(script, seed=1007).violations == []


def test_a_create_that_lands_after_an_erasure_is_waited_for():
    script = [
        ["person", 1, ["gorgias", "erp", "hubspot"], []],
        ["person", 2, ["hubspot"], []],
        ["person", 3, ["gorgias"], []],
        ["quiet"],
        ["delete", "hubspot", "customer", 407],
        ["delete", "hubspot", "customer", 2],
        ["fault", "lost_late", 0],
        ["ticket", "hubspot", 0, 1049],
        ["pull", "hubspot", "ticket"],
        ["push", "erp", "ticket"],
        ["forget", 697],
        ["quiet"],
    ]
    found = play(script, seed=1039)
    assert found.violations == []
    assert found.events["forgotten"] == 1


def test_a_read_of_what_lists_hide_ends_where_nobody_stands_any_more():
    script = [
        EVERYWHERE,
        ["quiet"],
        ["person", 148, ["gorgias"], []],
        ["fault", "die_before_call", 1],
        ["pull", "gorgias", "customer"],
        ["delete", "gorgias", "customer", 1],
        ["view", "gorgias", 1, 0, 0, 0],
        ["pull", "gorgias", "customer"],
        ["quiet"],
    ]
    found = play(script)
    assert found.violations == []
    assert found.events["crash"] == 1


def test_a_ticket_is_made_where_its_customer_was_taken_back():
    script = [
        EVERYWHERE,
        OTHER,
        ["quiet"],
        ["delete", "hubspot", "customer", 0],
        ["sweep", "hubspot", "customer"],
        ["ticket", "gorgias", 0, 1060],
        ["cycle"],
        ["restore", "hubspot", "customer", 0],
        ["quiet"],
    ]
    assert play(script).violations == []


def test_a_ticket_that_was_deleted_while_its_create_elsewhere_was_under_way_stands_on_elsewhere():
    script = [
        EVERYWHERE,
        ["quiet"],
        ["ticket", "gorgias", 0, 1067],
        ["pull", "gorgias", "ticket"],
        ["reconcile", "ticket"],
        ["fault", "unnamed", 0],
        ["push", "hubspot", "ticket"],
        ["delete", "gorgias", "ticket", 1],
        ["sweep", "gorgias", "ticket"],
        ["wait", 1],
        ["reconcile", "ticket"],
        ["quiet"],
    ]
    assert play(script).violations == []


def test_who_was_restored_outlives_an_end_elsewhere_that_was_shown_later():
    script = [
        ["means", "delete", "unlink", "ignore", "never"],
        ["person", 2, ["hubspot", "gorgias"], ["gorgias"]],
        ["ticket", "hubspot", 239, 1037],
        ["cycle"],
        ["delete", "hubspot", "ticket", 901],
        ["delete", "erp", "ticket", 1],
        ["sweep", "erp", "ticket"],
        ["restore", "erp", "ticket", 1],
        ["cycle"],
        ["quiet"],
    ]
    assert play(script, seed=11178).violations == []


def test_who_was_deleted_where_an_edit_is_held_is_made_anew_for_that_edit():
    script = [
        ["operators", 1, 900],
        ["means", "delete", "delete", "unlink", "later_edit"],
        ["person", 2, ["hubspot", "erp"], ["hubspot"]],
        ["person", 3, ["erp"], []],
        ["quiet"],
        ["burst", "hubspot", "customer", 2, 275, 2],
        ["same", "hubspot", 326],
        ["edit", "hubspot", "customer", 0, 50, 695],
        ["quiet"],
        ["delete", "erp", "customer", 0],
        ["clear"],
    ]
    assert play(script, seed=21040).violations == []


def test_what_was_deleted_and_restored_while_a_write_was_unsettled_never_ended_for_us():
    script = [
        ["means", "unlink", "unlink", "delete", "never"],
        ["person", 1, ["hubspot"], ["hubspot"]],
        ["person", 2, ["erp"], []],
        ["quiet"],
        ["wait", 1],
        ["person", 113, ["gorgias", "erp"], []],
        ["pull", "gorgias", "customer"],
        ["reconcile", "customer"],
        ["fault", "die_after_call", 0],
        ["push", "erp", "customer"],
        ["delete", "gorgias", "customer", 1],
        ["delete", "erp", "customer", 2],
        ["sweep", "erp", "customer"],
        ["restore", "erp", "customer", 2],
        ["quiet"],
    ]
    assert play(script, seed=29200).violations == []


def test_who_was_met_anew_after_a_delete_elsewhere_may_have_been_edited_and_stays():
    script = [
        ["operators", 2, 900],
        ["means", "delete", "archive", "delete", "later_edit"],
        ["person", 1, ["gorgias", "hubspot", "erp"], []],
        ["person", 2, ["erp", "gorgias"], ["erp"]],
        ["quiet"],
        ["part", 9],
        ["delete", "gorgias", "customer", 2],
        ["quiet"],
    ]
    assert play(script, seed=30206).violations == []


def test_whom_only_a_dying_process_saw_before_the_end_is_nobody_who_was_deleted():
    script = [
        ["person", 1, ["erp", "gorgias", "hubspot"], ["gorgias"]],
        ["quiet"],
        ["fault", "die_before_call", 0],
        ["person", 153, ["gorgias", "erp"], []],
        ["fault", "die_after_call", 0],
        ["pull", "erp", "customer"],
        ["delete", "erp", "customer", 3],
        ["cycle"],
    ]
    assert play(script, seed=24539).violations == []


def test_a_delete_that_lands_late_in_a_listing_of_its_own_is_part_of_the_quiet():
    script = [
        ["means", "delete", "archive", "delete", "never"],
        ["person", 2, ["hubspot", "gorgias"], []],
        ["person", 3, ["hubspot", "gorgias"], []],
        ["quiet"],
        ["fault", "lost_late", 0],
        ["delete", "gorgias", "customer", 1],
        ["sweep", "gorgias", "customer"],
        ["wait", 31],
        ["cycle"],
        ["quarrel", "hubspot", "gorgias", "customer", 1, 567],
        ["quiet"],
    ]
    assert play(script, seed=28814).violations == []


def test_a_ticket_is_nobodys_whose_customer_was_deleted_there_before_anybody_read_them():
    script = [
        ["person", 1, ["erp", "hubspot"], ["hubspot"]],
        ["person", 2, ["erp", "hubspot"], ["hubspot"]],
        ["delete", "hubspot", "customer", 335],
        ["quiet"],
    ]
    assert play(script, seed=20646).violations == []


def test_what_a_row_from_before_an_end_shows_tells_whose_end_it_was():
    script = [
        ["person", 1, ["hubspot", "gorgias", "erp"], []],
        ["person", 2, ["gorgias", "erp", "hubspot"], ["erp"]],
        ["delete", "erp", "customer", 770],
        ["pull", "erp", "customer"],
        ["view", "erp", 2, 3, 1, 621],
        ["cycle"],
    ]
    assert play(script, seed=31088).violations == []


def test_who_is_deleted_where_an_edit_is_refused_was_never_shown_that_edit():
    script = [
        ["means", "delete", "delete", "delete", "later_edit"],
        EVERYWHERE,
        ["quiet"],
        ["edit", "hubspot", "customer", 1, 34, 338],
        ["person", 189, ["erp", "hubspot"], []],
        ["quiet"],
        ["delete", "erp", "customer", 56],
        ["quiet"],
    ]
    assert play(script, seed=24801).violations == []


def test_an_end_is_judged_when_a_create_under_way_elsewhere_is_settled_and_was_read_since():
    script = [
        ["means", "ignore", "delete", "delete", "never"],
        ["person", 1, ["erp", "hubspot"], ["erp"]],
        ["quiet"],
        ["ticket", "hubspot", 2, 1011],
        ["pull", "hubspot", "ticket"],
        ["fault", "lost_landed", 0],
        ["push", "gorgias", "ticket"],
        ["wait", 70],
        ["delete", "hubspot", "ticket", 1],
        ["sweep", "hubspot", "ticket"],
        ["push", "erp", "ticket"],
        ["push", "gorgias", "ticket"],
        ["quiet"],
    ]
    assert play(script, seed=20308).violations == []


def test_what_was_met_first_may_have_been_typed_before_an_end_that_is_told_later():
    script = [
        ["means", "delete", "delete", "delete", "later_edit"],
        ["person", 1, ["hubspot"], []],
        ["person", 2, ["erp", "gorgias", "hubspot"], ["gorgias"]],
        ["forget", 148],
        ["return", 712, "erp"],
        ["view", "erp", 2, 1, 2, 218],
        ["cycle"],
        ["person", 180, ["erp", "hubspot"], []],
        ["delete", "erp", "customer", 2],
        ["edit", "erp", "ticket", 1, 37, 767],
        ["edit", "hubspot", "customer", 3, 1, 779],
        ["fault", "lost_never", 0],
        ["cycle"],
        ["wait", 70],
        ["cycle"],
    ]
    assert play(script, seed=3433).violations == []


def test_a_delete_waits_until_a_system_in_which_its_object_had_ended_before_was_read_too():
    script = [
        ["means", "delete", "archive", "delete", "never"],
        ["person", 1, ["hubspot", "erp", "gorgias"], []],
        ["person", 2, ["erp", "gorgias", "hubspot"], ["gorgias"]],
        ["person", 3, ["hubspot", "erp", "gorgias"], []],
        ["quiet"],
        ["delete", "hubspot", "customer", 501],
        ["delete", "hubspot", "customer", 1],
        ["sweep", "hubspot", "customer"],
        ["wait", 31],
        ["cycle"],
        ["restore", "hubspot", "customer", 1],
        ["delete", "gorgias", "customer", 2],
        ["sweep", "gorgias", "customer"],
        ["wait", 1],
        ["pull", "erp", "customer"],
        ["push", "erp", "customer"],
    ]
    assert play(script, seed=62303).violations == []


def test_who_ended_unplaced_while_two_had_the_address_is_not_made_anew_once_one_of_them_ends():
    script = [
        ["person", 1, ["erp", "hubspot", "gorgias"], ["gorgias"]],
        ["person", 2, ["hubspot", "erp", "gorgias"], ["erp"]],
        ["pull", "hubspot", "customer"],
        ["delete", "erp", "customer", 842],
        ["pull", "erp", "customer"],
        ["view", "erp", 1, 9, 1, 472],
        ["merge", "gorgias", 0, 1, 1],
        ["pull", "gorgias", "customer"],
        ["reconcile", "customer"],
        ["person", 144, ["gorgias", "hubspot"], []],
        ["delete", "gorgias", "customer", 2],
        ["wait", 1],
        ["pull", "hubspot", "customer"],
        ["reconcile", "customer"],
        ["push", "erp", "customer"],
    ]
    assert play(script, seed=100127).violations == []


def test_a_ticket_that_came_back_unseen_is_not_held_to_an_end_elsewhere():
    script = [
        ["means", "delete", "ignore", "unlink", "never"],
        ["person", 1, ["erp", "hubspot"], ["hubspot"]],
        ["person", 2, ["erp", "gorgias"], ["gorgias"]],
        ["person", 3, ["erp"], []],
        ["quiet"],
        ["delete", "hubspot", "ticket", 2],
        ["sweep", "hubspot", "ticket"],
        ["restore", "hubspot", "ticket", 2],
        ["delete", "gorgias", "ticket", 1],
        ["sweep", "gorgias", "ticket"],
        ["pull", "hubspot", "ticket"],
        ["push", "erp", "ticket"],
        ["pull", "erp", "ticket"],
        ["push", "hubspot", "ticket"],
        ["delete", "erp", "ticket", 345],
        ["delete", "hubspot", "ticket", 296],
        ["restore", "hubspot", "ticket", 3],
        ["quiet"],
    ]
    assert play(script, seed=60959).violations == []


def test_of_a_ticket_of_who_came_again_nothing_is_known_and_that_is_right():
    script = [
        ["person", 2, ["gorgias", "erp"], ["erp"]],
        ["person", 3, ["gorgias"], ["gorgias"]],
        ["forget", 225],
        ["return", 927, "erp"],
        ["ticket", "erp", 1, 1044],
        ["pull", "erp", "ticket"],
        ["delete", "erp", "ticket", 1],
        ["pull", "erp", "ticket"],
        ["quiet"],
    ]
    assert play(script, seed=101537).violations == []


def test_an_erasure_that_dies_before_anybody_had_a_record_is_carried_on_with_them():
    script = [
        ["person", 1, ["gorgias"], []],
        ["person", 2, ["gorgias", "hubspot"], ["hubspot"]],
        ["pull", "hubspot", "customer"],
        ["pull", "hubspot", "ticket"],
        ["push", "erp", "ticket"],
        ["fault", "die_after_call", 2],
        ["forget", 325],
        ["sweep", "gorgias", "customer"],
        ["pull", "erp", "customer"],
        ["reconcile", "customer"],
        ["push", "erp", "customer"],
    ]
    assert play(script, seed=204701).violations == []


def test_a_ticket_that_is_opened_while_an_erasure_is_under_way_goes_with_its_customer():
    script = [
        ["person", 2, ["erp"], []],
        ["quiet"],
        ["person", 129, ["erp", "gorgias"], []],
        ["fault", "die_after_call", 0],
        ["forget", 280],
        ["ticket", "gorgias", 1, 1035],
        ["pull", "gorgias", "ticket"],
        ["push", "erp", "ticket"],
        ["cycle"],
    ]
    assert play(script, seed=207094).violations == []


def test_an_erasure_that_another_process_took_over_may_be_sent_twice():
    script = [
        ["means", "delete", "delete", "delete", "later_edit"],
        ["person", 1, ["erp"], ["erp"]],
        ["person", 2, ["erp"], ["erp"]],
        ["quiet"],
        ["edit", "erp", "customer", 3, 26, 109],
        ["delete", "gorgias", "customer", 713],
        ["fault", "lost_late", 0],
        ["cycle"],
        ["fault", "second_run", 8],
        ["forget", 119],
    ]
    assert play(script, seed=208407).violations == []
