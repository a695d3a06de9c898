"""A new record, a new link, a field that shows later: nothing is a change without a base."""

from sync_platform.core.policy import Rule
from sync_platform.core.records import SYSTEMS
from tests.core.harness import Bench, E, G, H, claimed, owned, rules_of, with_field

# --- a new record -----------------------------------------------------------------------------------------------


def test_a_new_record_is_one_decision_and_one_more_for_each_difference():
    bench = Bench()
    bench.show_all("title", {G: "same", H: "same", E: "same"})
    bench.show_all("note", {G: "g", E: "e"})
    whole, note = bench.judge()
    assert (whole.field, whole.rule, whole.value) == ("*", "birth", {"title": "same", "note": "g"})
    assert (note.rule, note.winner.system, claimed(note)) == ("first_link", G, {(G, "g"), (E, "e")})
    assert bench.owes()[E] == {"note": "g"}
    assert G not in bench.owes()


def test_blanks_never_claim_at_birth():
    bench = Bench()
    bench.show_all("title", {H: None, E: "e"})
    (whole,) = bench.judge()
    assert whole.value == {"title": "e"}
    assert bench.owes()[H] == {"title": "e"}


def test_a_new_record_takes_no_value_from_a_system_without_the_right():
    bench = Bench()
    bench.show_all("title", {G: "a", H: "a"})
    bench.show_all("credit", {H: "hold", E: None})
    _whole, credit = bench.judge()
    assert (credit.rule, credit.value, claimed(credit)) == ("refused", None, {(H, "hold")})
    assert bench.owes()[H] == {"credit": None}
    assert bench.judge() == []


def test_one_that_brings_the_record_may_say_once_what_it_may_not_change():
    policy = owned("title", (G, H, E), writers=frozenset({G}), at_birth=frozenset({H, E}), rules=(Rule("owner", (G,)),))
    bench = with_field(policy)
    bench.show(H, "title", "brought")
    bench.judge()
    assert bench.record.fields["title"] == "brought"
    bench.show(H, "title", "changed")
    assert rules_of(bench.judge()) == [("title", "refused")]
    assert bench.owes()[H] == {"title": "brought"}


def test_one_that_brings_the_record_says_nothing_where_a_writer_shows_a_blank():
    policy = owned("title", (G, H, E), writers=frozenset({G}), at_birth=frozenset({H}), rules=(Rule("owner", (G,)),))
    bench = with_field(policy)
    bench.show_all("title", {G: None})
    bench.judge()
    bench.show(H, "title", "its own conclusion")
    assert rules_of(bench.judge()) == [("title", "refused")]
    assert bench.record.fields["title"] is None


def test_a_difference_at_birth_goes_to_a_person_only_where_the_policy_says_so():
    bench = with_field(owned("title", (H, G, E), first_link="review"))
    bench.show_all("title", {G: "g", H: "h"})
    whole, review = bench.judge()
    assert (whole.value, review.rule, claimed(review)) == ({}, "review", {(G, "g"), (H, "h")})
    assert not bench.owes()
    assert bench.judge() == []
    bench.show(G, "title", "h")
    assert rules_of(bench.judge()) == [("title", "review_agreed")]
    assert (bench.record.fields["title"], bench.record.reviews) == ("h", {})


def test_the_finest_word_wins_at_birth():
    bench = Bench()
    bench.show_all("status", {G: "open", H: "2", E: "waiting"})
    (whole,) = bench.judge()
    assert whole.value == {"status": "waiting"}
    assert not bench.owes()


def test_sets_are_united_at_birth_without_a_second_decision():
    bench = Bench()
    bench.show_all("tags", {G: ["a"], H: ["b"], E: None})
    (whole,) = bench.judge()
    assert whole.value == {"tags": ["a", "b"]}
    assert {system: values["tags"] for system, values in bench.owes().items()} == {key: ["a", "b"] for key in SYSTEMS}


def test_a_record_of_which_every_link_is_unsettled_waits():
    bench = Bench()
    bench.show(G, "title", "a")
    bench.link(G).unsettled = True
    assert bench.judge() == []
    assert not bench.record.settled


# --- a link or a field that shows later -------------------------------------------------------------------------


def test_a_later_first_showing_fills_a_blank():
    bench = Bench()
    bench.show_all("title", {G: "a", E: "a"})
    bench.show(G, "note", None)
    bench.judge()
    bench.show(E, "note", "from the start")
    (decision,) = bench.judge()
    assert (decision.rule, decision.cause, decision.value) == ("first_link_fills", "first_link", "from the start")
    assert bench.owes()[G] == {"note": "from the start"}


def test_several_first_showings_at_once_are_decided_by_the_fields_order():
    bench = Bench().settled_on("note", None)
    bench.show_all("title", {G: "g", E: "e", H: "h"})
    (decision,) = bench.judge()
    assert (decision.value, claimed(decision)) == ("h", {(G, "g"), (E, "e"), (H, "h")})


def test_a_settled_record_stays_when_a_new_link_differs():
    bench = Bench().settled_on("title", "a", G, E)
    bench.show(H, "title", "new link")
    (decision,) = bench.judge()
    assert (decision.rule, decision.value, claimed(decision)) == ("first_link_stays", "a", {(H, "new link")})
    assert bench.owes() == {H: {"title": "a"}}


def test_a_new_link_that_is_blank_says_nothing_and_is_filled():
    bench = Bench().settled_on("title", "a", G, E)
    bench.show(H, "title", None)
    assert bench.judge() == []
    assert bench.owes() == {H: {"title": "a"}}


def test_a_field_that_was_never_read_takes_part_in_nothing():
    bench = Bench().settled_on("title", "a", G, E)
    bench.show(H, "note", "n")
    bench.judge()
    bench.show(E, "title", "b")
    bench.judge()
    assert "title" not in bench.owes().get(H, {})
    bench.acknowledge_all()
    bench.judge()
    assert bench.record.contests == {}


def test_a_new_link_joins_an_open_review():
    bench = Bench().settled_on("asked", "old", G, E)
    bench.show_all("asked", {G: "g", E: "e"})
    bench.judge()
    bench.show(H, "asked", "h")
    assert {claim.theirs for claim in bench.judge()[0].claims} == {"g", "e", "h"}
