"""A person's answer to a review: an input of the merge, made upon claims."""

from __future__ import annotations

import pytest

from sync_platform.core.answers import CHOOSE, LEAVE, VALUE, Answer
from sync_platform.core.merge import merge
from tests.core.harness import Bench, E, G, H, rules_of


@pytest.fixture
def bench() -> Bench:
    """Gorgias and the ERP disagree about a field that a person decides."""
    one = Bench().settled_on("asked", "old")
    one.show_all("asked", {G: "g", E: "e"})
    one.judge()
    assert one.owes() == {}
    return one


def claims(bench: Bench):
    return tuple(bench.record.reviews["asked"])


def test_the_chosen_systems_value_wins_and_is_owed_to_the_others(bench):
    bench.answers = {"asked": Answer(CHOOSE, claims(bench), system=E)}
    assert rules_of(bench.judge()) == [("asked", "resolved")]
    assert (bench.record.fields["asked"], bench.record.reviews, bench.record.contests) == ("e", {}, {})
    assert bench.owes() == {G: {"asked": "e"}, H: {"asked": "e"}}
    decision = bench.decisions[-1]
    assert (decision.winner.system, decision.cause, decision.replaced) == (E, "person", "old")


def test_a_value_of_ones_own_is_owed_to_everybody(bench):
    bench.answers = {"asked": Answer(VALUE, claims(bench), value="new")}
    bench.judge()
    assert bench.owes() == {G: {"asked": "new"}, H: {"asked": "new"}, E: {"asked": "new"}}
    bench.acknowledge_all()
    bench.answers = {}
    assert bench.judge() == []
    assert bench.owes() == {}


def test_left_apart_each_side_keeps_what_it_has_until_somebody_edits(bench):
    bench.answers = {"asked": Answer(LEAVE, claims(bench))}
    assert rules_of(bench.judge()) == [("asked", "left_apart")]
    assert (bench.record.fields["asked"], bench.owes()) == ("old", {})
    bench.answers = {}
    assert (bench.judge(), bench.owes()) == ([], {})
    bench.show(H, "asked", "later")
    bench.judge()
    assert bench.owes() == {G: {"asked": "later"}, E: {"asked": "later"}}


def test_an_answer_upon_claims_that_moved_is_asked_again(bench):
    bench.answers = {"asked": Answer(CHOOSE, claims(bench), system=G)}
    bench.show(E, "asked", "other")
    scene = bench.scene()
    merged = merge(scene)
    assert merged.stale == ["asked"]
    assert merged.resolved == []
    assert {claim.value for claim in claims(bench)} == {"g", "other"}
    assert bench.record.fields["asked"] == "old"


def test_an_edit_after_the_answer_edits_what_was_decided(bench):
    bench.answers = {"asked": Answer(CHOOSE, claims(bench), system=E)}
    bench.judge()
    bench.answers = {}
    bench.show(G, "asked", "better")
    assert rules_of(bench.judge()) == [("asked", "only_change")]
    assert bench.record.fields["asked"] == "better"


def test_an_answer_survives_the_ledger(bench):
    said = Answer(CHOOSE, claims(bench), system=E)
    assert Answer.load(said.dump()) == said
    assert said.made_on(claims(bench)[::-1])
