"""The same edits delivered in two orders: one story for each cause that made them settle otherwise."""

from sync_platform.simulation.run import play

EVERYBODY = ["gorgias", "hubspot", "erp"]


def test_a_field_that_goes_to_a_person_holds_what_it_held_before_whichever_edit_is_seen_first():
    script = [
        ["operators", 1, 60],
        ["rule", "customer", "note", "review", "keep", EVERYBODY],
        ["person", 1, ["hubspot"], []],
        ["quiet"],
        [
            "orders",
            [["erp", "customer", 0, 43, 940], ["hubspot", 943]],
            [[["pull", "hubspot", "customer"], ["reconcile", "customer"]], []],
        ],
    ]
    found = play(script, seed=1386)
    assert found.violations == []
    assert found.evaluated["I5"]


def test_a_blank_that_clears_nothing_beside_two_edits_leaves_their_question_the_same():
    hubspot_first = [["pull", "hubspot", "customer"], ["reconcile", "customer"], ["pull", "erp", "customer"]]
    gorgias_first = [["pull", "gorgias", "customer"], ["reconcile", "customer"], ["pull", "hubspot", "customer"]]
    script = [
        ["operators", 1, 60],
        ["rule", "customer", "company", "review", "keep", EVERYBODY],
        ["person", 1, ["hubspot", "erp"], ["hubspot"]],
        ["quiet"],
        [
            "orders",
            [["gorgias", "customer", 2, 10, 940], ["hubspot", 943], ["erp", 946]],
            [hubspot_first, gorgias_first],
        ],
    ]
    found = play(script, seed=1026)
    assert found.violations == []
    assert found.evaluated["I5"]


def test_the_number_that_the_erp_gives_is_told_by_whose_it_is():
    again = ["reconcile", "customer"]
    hubspot_first = [["pull", "hubspot", "customer"], again, ["pull", "gorgias", "customer"], again]
    gorgias_first = [["pull", "gorgias", "customer"], again, ["pull", "erp", "customer"], again]
    script = [
        ["person", 1, ["gorgias"], ["gorgias"]],
        ["person", 2, ["hubspot"], []],
        ["orders", [["gorgias", "customer", 1, 10, 940], ["hubspot", 943]], [hubspot_first, gorgias_first]],
    ]
    found = play(script, seed=1586)
    assert found.violations == []
    assert found.evaluated["I5"]


def test_who_shows_already_what_another_typed_since_two_states_are_one_word_there_may_know_it_or_not():
    script = [
        ["operators", 5, 900],
        ["rule", "ticket", "status", "review", "keep", ["gorgias", "hubspot", "erp"]],
        ["person", 1, ["erp", "gorgias", "hubspot"], ["hubspot"]],
        ["edit", "hubspot", "ticket", 1, 25, 317],
        ["quiet"],
        [
            "orders",
            [["hubspot", "ticket", 2, 53, 940], ["gorgias", 943]],
            [
                [["pull", "gorgias", "ticket"], ["pull", "hubspot", "ticket"], ["reconcile", "ticket"]],
                [["pull", "hubspot", "ticket"], ["reconcile", "ticket"], ["pull", "gorgias", "ticket"]],
            ],
        ],
    ]
    assert play(script, seed=25516).violations == []
