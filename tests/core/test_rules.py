"""Field rules: same candidates, same winner, in any order; what does not decide hands all candidates on."""

from dataclasses import replace
from itertools import permutations

import pytest

from sync_platform.core.policy import Rule
from sync_platform.core.records import Claim
from sync_platform.core.rules import by_order, decide, finer, one_explains
from tests.core.harness import FIELDS, LEVELS, Bench, E, G, H, owned


def claim(system, value, number=1, theirs=None):
    return Claim(system, [G, H, E].index(system) + 1, value, value if theirs is None else theirs, number)


def ruled(*rules, order=(G, H, E)):
    return owned("title", order, rules=tuple(rules))


def winner(policy, *candidates):
    found = {decide(policy, order) for order in permutations(candidates)}
    assert len(found) == 1
    verdict = found.pop()
    return None if verdict is None else (verdict[0].system, verdict[1])


def test_the_owner_wins_over_others():
    assert winner(ruled(Rule("owner", order=(E,))), claim(G, "g"), claim(E, "e")) == (E, "owner")


def test_an_owner_who_is_no_candidate_decides_nothing():
    policy = ruled(Rule("owner", order=(E,)), Rule("rank", order=(H, G)))
    assert winner(policy, claim(G, "g"), claim(H, "h")) == (H, "rank")


@pytest.mark.parametrize(("unless_blank", "system"), [(True, G), (False, E)])
def test_a_blank_of_the_owner_wins_only_where_the_policy_lets_it(unless_blank, system):
    policy = ruled(Rule("owner", order=(E, G), unless_blank=unless_blank))
    assert winner(policy, claim(G, "g"), claim(E, None))[0] == system


def test_where_all_are_blank_the_owner_still_wins():
    assert winner(ruled(Rule("owner", order=(E, G), unless_blank=True)), claim(G, ""), claim(E, None))[0] == E


def test_the_highest_on_the_scale_wins_wherever_it_stands():
    policy = ruled(Rule("max", scale=LEVELS))
    assert winner(policy, claim(G, "low"), claim(E, "high"), claim(H, "normal")) == (E, "max")


def test_of_several_with_the_highest_word_the_fields_order_names_the_winner():
    policy = ruled(Rule("max", scale=LEVELS), order=(H, E, G))
    assert winner(policy, claim(G, "high"), claim(E, "high"), claim(H, "low")) == (E, "max")


@pytest.mark.parametrize("odd", ["never heard of", None, ["high"]])
def test_a_word_outside_the_scale_hands_all_candidates_on(odd):
    policy = ruled(Rule("max", scale=LEVELS), Rule("rank", order=(H, G, E)))
    assert winner(policy, claim(G, odd), claim(H, "low"), claim(E, "high")) == (H, "rank")


def spanned(system, value, since, until):
    """A claim entered after one minute of an hour and not after another; None: not known."""
    since, until = (None if at is None else f"2026-03-08T10:{at:02d}:00+00:00" for at in (since, until))
    return Claim(system, [G, H, E].index(system) + 1, value, value, 1, stamp=until, since=since)


NEWEST = ruled(Rule("newest"), Rule("rank", order=(E, H, G)))


def test_the_newest_wins_where_its_span_lies_after_all_others():
    found = winner(NEWEST, spanned(G, "g", 20, 25), spanned(E, "e", 5, 10), spanned(H, "h", 11, 12))
    assert found == (G, "newest")


@pytest.mark.parametrize(
    "other",
    [spanned(E, "e", 5, 21), spanned(E, "e", 21, 30), spanned(E, "e", 5, None), spanned(E, "e", 5, 20)],
    ids=["overlaps its beginning", "lies within", "has no end", "ends where the other begins"],
)
def test_spans_that_touch_hand_all_candidates_on(other):
    assert winner(NEWEST, spanned(G, "g", 20, 25), other) == (E, "rank")


def test_a_claim_whose_beginning_nobody_knows_is_never_the_newest():
    assert winner(NEWEST, spanned(G, "g", None, 25), spanned(E, "e", 5, 10)) == (E, "rank")


def test_the_newest_must_be_later_by_more_than_the_tolerance():
    later, earlier = spanned(G, "g", 20, 25), spanned(E, "e", 5, 15)
    assert winner(replace(NEWEST, tolerance_s=299), later, earlier) == (G, "newest")
    assert winner(replace(NEWEST, tolerance_s=300), later, earlier) == (E, "rank")


def test_stamps_in_other_zones_are_the_same_moments():
    later = replace(spanned(G, "g", 20, 25), since="2026-03-08T11:20:00+01:00", stamp="2026-03-08T11:25:00+01:00")
    assert winner(NEWEST, later, spanned(E, "e", 5, 10)) == (G, "newest")


def test_an_opt_out_wins_over_consent():
    policy = ruled(Rule("opt_out"), Rule("rank", order=(E, G)))
    assert winner(policy, claim(G, True), claim(E, False)) == (G, "opt_out")


def test_without_an_opt_out_all_candidates_are_handed_on():
    policy = ruled(Rule("opt_out"), Rule("rank", order=(E, G)))
    assert winner(policy, claim(G, None), claim(E, False)) == (E, "rank")


def test_review_stops_the_rules_after_it():
    assert winner(ruled(Rule("review"), Rule("rank", order=(E, G))), claim(G, "g"), claim(E, "e")) is None


def test_no_rule_that_decides_means_review():
    assert winner(ruled(Rule("owner", order=(H,))), claim(G, "g"), claim(E, "e")) is None


def test_the_newest_claim_of_a_system_stands_for_it():
    assert by_order((G,), [claim(G, "old", 1), claim(G, "new", 2)]).value == "new"


def test_systems_that_are_not_named_never_win_by_order():
    assert by_order((H,), [claim(G, "g"), claim(E, "e")]) is None


def test_a_finer_word_explains_a_coarser_showing():
    candidates = [claim(G, "open", theirs="open"), claim(E, "waiting")]
    assert one_explains(Bench().scene(), "status", FIELDS["status"], candidates).value == "waiting"


def test_the_fields_own_order_names_the_winner_among_equals():
    candidates = [claim(G, "same"), claim(H, "same"), claim(E, "same")]
    for order in permutations((G, H, E)):
        assert one_explains(Bench().scene(), "title", owned("title", order), candidates).system == order[0]


def test_differing_values_explain_nothing():
    assert one_explains(Bench().scene(), "title", FIELDS["title"], [claim(G, "a"), claim(E, "b")]) is None


def test_a_winner_who_cannot_tell_finer_words_apart_does_not_take_them_back():
    opened, waiting, closed = claim(G, "open"), claim(E, "waiting"), claim(H, "closed", theirs="4")
    candidates = [opened, waiting, closed]
    assert finer(Bench().scene(), "status", FIELDS["status"], opened, candidates) is waiting
    assert finer(Bench().scene(), "status", FIELDS["status"], closed, candidates) is closed
