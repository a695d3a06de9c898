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
