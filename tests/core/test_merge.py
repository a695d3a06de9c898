"""What each event does to shadow, base, held, image and seen, and what a merge says about it."""

import dataclasses

import pytest

from sync_platform.core import mappings_forms as form
from sync_platform.core.mappings import Lexicon, field_maps
from sync_platform.core.merge import unjudged
from sync_platform.core.records import SYSTEMS, UNSET, Cell, Entity, Record, RecordId, payload_hash
from sync_platform.errors import BadInput
from tests.core.harness import (
    FIELDS,
    Bench,
    E,
    G,
    H,
    _map,
    claimed,
    entity_policy,
    lexicons,
    maps,
    owned,
    rules_of,
    with_field,
)
from tests.core.strategies import DEFAULT, lexicon

# --- the event table, row by row --------------------------------------------------------------------------------


def test_an_observation_moves_the_shadow_of_the_fields_that_it_showed():
    bench = Bench().settled_on("title", "a").settled_on("note", "n")
    before = dataclasses.replace(bench.cell(G, "title"))
    bench.show(G, "title", "b")
    assert bench.cell(G, "title") == dataclasses.replace(before, shadow="b")
    assert bench.cell(G, "note").shadow == "n"


def test_a_change_that_won_is_agreed_at_what_its_system_shows():
    bench = Bench().settled_on("title", "a")
    bench.show(G, "title", " b ")
    (decision,) = bench.judge()
    assert bench.cell(G, "title") == Cell(" b ", " b ", " b ", "b", decision.number)
    assert bench.record.fields["title"] == "b"
    assert (decision.value, decision.rule, decision.replaced) == ("b", "only_change", "a")


def test_a_change_that_lost_is_judged_and_a_write_is_owed():
    bench = Bench().settled_on("title", "a")
    bench.show_all("title", {G: "g", H: "h"})
    (decision,) = bench.judge()
    assert (decision.value, decision.rule) == ("h", "owner")
    assert bench.cell(G, "title") == Cell("g", "g", "a", "a", 1)
    assert bench.owes()[G] == {"title": "h"}


def test_a_change_by_a_system_without_the_right_is_refused_recorded_and_written_over():
    bench = Bench().settled_on("credit", "ok")
    bench.show(H, "credit", "hold")
    (decision,) = bench.judge()
    assert (decision.rule, decision.value, claimed(decision)) == ("refused", "ok", {(H, "hold")})
    assert bench.cell(H, "credit") == Cell("hold", "hold", "ok", "ok", 1)
    assert bench.owes() == {H: {"credit": "ok"}}


def test_a_refused_value_is_written_over_also_where_nothing_was_ever_decided():
    bench = Bench().settled_on("title", "a")
    bench.show_all("credit", dict.fromkeys(SYSTEMS))
    assert bench.judge() == []
    bench.show(H, "credit", "hold")
    assert rules_of(bench.judge()) == [("credit", "refused")]
    assert bench.owes() == {H: {"credit": None}}
    bench.acknowledge_all()
    assert bench.judge() == []
    assert not bench.owes()


@pytest.mark.parametrize("moved", ["record", "shadow"])
def test_what_was_left_apart_stays_so_until_the_record_or_the_system_changes(moved):
    bench = Bench().settled_on("title", "a")
    bench.link(G).cells["title"] = Cell("x", "x", "a", "a", 1, apart=True)
    assert bench.judge() == []
    assert not bench.owes()
    bench.show({"record": E, "shadow": G}[moved], "title", "b")
    bench.judge()
    assert not bench.cell(G, "title").apart
    assert {"record": G, "shadow": E}[moved] in bench.owes()


def test_a_change_put_into_review_is_judged_and_nothing_is_owed():
    bench = Bench().settled_on("asked", "a")
    bench.show_all("asked", {G: "g", E: "e"})
    (decision,) = bench.judge()
    assert (decision.rule, claimed(decision)) == ("review", {(G, "g"), (E, "e")})
    assert bench.cell(G, "asked") == Cell("g", "g", "a", "a", 1)
    assert not bench.owes()


def test_a_change_to_what_the_record_says_is_agreement_without_a_decision():
    bench = Bench().settled_on("title", "a")
    bench.show(E, "title", "b")
    (decision,) = bench.judge()
    bench.show(G, "title", "b")
    assert bench.judge() == []
    assert bench.cell(G, "title") == Cell("b", "b", "b", "b", decision.number)


def test_a_change_that_reads_the_same_is_agreement_without_a_decision():
    bench = Bench().settled_on("title", "a")
    bench.show(G, "title", "  a")
    assert bench.judge() == []
    assert bench.cell(G, "title") == Cell("  a", "  a", "  a", "a", 1)


def test_a_new_value_that_looks_the_same_there_is_agreed_without_a_write():
    bench = Bench().settled_on("status", "new")
    bench.show(E, "status", "waiting")
    (decision,) = bench.judge()
    assert bench.cell(G, "status").seen == decision.number
    assert set(bench.owes()) == {H}


def test_an_acknowledged_field_is_agreed_at_what_was_read_back():
    bench = Bench().settled_on("code", "a")
    bench.show(E, "code", "b")
    (decision,) = bench.judge()
    bench.acknowledge(H, {"code": "B"})
    assert bench.cell(H, "code") == Cell("B", "B", "B", "b", decision.number)
    assert bench.judge() == []
    assert set(bench.owes()) == {G}


def test_any_other_field_in_an_answer_is_an_ordinary_observation():
    bench = Bench().settled_on("title", "a").settled_on("note", "n")
    bench.show(E, "title", "b")
    bench.judge()
    bench.acknowledge(H, {"title": "b", "note": "typed meanwhile"})
    assert bench.cell(H, "note").changed
    assert rules_of(bench.judge()) == [("note", "only_change")]
    assert bench.record.fields["note"] == "typed meanwhile"


def test_a_read_back_that_equals_the_pre_image_is_parked_and_claims_nothing():
    bench = Bench().settled_on("title", "a")
    bench.show(E, "title", "b")
    bench.judge()
    bench.acknowledge(G, {"title": "a"})
    assert bench.parked == {(G, "title"): payload_hash("b")}
    assert bench.judge() == []
    assert set(bench.owes()) == {H}


def test_an_answer_without_a_body_and_a_later_read_in_another_spelling_agree():
    bench = Bench().settled_on("title", "a")
    bench.show(E, "title", "b")
    bench.judge()
    bench.acknowledge(G, {})
    bench.show(G, "title", " b")
    assert bench.judge() == []
    assert bench.cell(G, "title") == Cell(" b", " b", " b", "b", bench.record.decided["title"])


def test_an_answer_without_a_body_and_a_later_read_of_something_else_is_a_change():
    bench = Bench().settled_on("title", "a")
    bench.show(E, "title", "b")
    bench.judge()
    bench.acknowledge_all()
    bench.show(G, "title", "c")
    assert rules_of(bench.judge()) == [("title", "only_change")]


@pytest.mark.parametrize("landed", ["b", " b"])
def test_a_late_write_is_recognised_recorded_once_and_claims_nothing(landed):
    bench = Bench().settled_on("title", "a")
    bench.late[bench.link(G).id, "title"] = "b"
    bench.show(G, "title", landed)
    (decision,) = bench.judge()
    assert (decision.rule, decision.value, claimed(decision)) == ("late", "a", {(G, landed)})
    assert bench.cell(G, "title").base == landed
    assert bench.owes() == {G: {"title": "a"}}
    assert not bench.late


def test_a_late_write_of_what_the_record_still_says_is_used_up_and_agrees():
    bench = Bench().settled_on("title", "a")
    bench.show(E, "title", "b")
    bench.judge()
    bench.late[bench.link(G).id, "title"] = "b"
    bench.show(G, "title", "b")
    assert rules_of(bench.judge()) == [("title", "late")]
    assert not bench.late
    assert set(bench.owes()) == {H}


# --- changes ----------------------------------------------------------------------------------------------------


def test_a_blank_clears_a_value_where_it_comes_from_a_system_whose_blanks_mean_it():
    policy = entity_policy({"title": owned("title", empty=frozenset({H}))})
    kept, cleared = (Bench(policy=policy).settled_on("title", "a") for _ in range(2))
    kept.show(G, "title", None)
    cleared.show(H, "title", None)
    assert rules_of(kept.judge()) == [("title", "empty_keeps")]
    assert rules_of(cleared.judge()) == [("title", "only_change")]
    assert set(cleared.owes()) == {G, E}
    assert kept.owes() == {G: {"title": "a"}}


def test_a_blank_does_not_replace_a_value_and_the_value_comes_back():
    bench = Bench().settled_on("title", "a")
    bench.show(G, "title", None)
    (decision,) = bench.judge()
    assert (decision.rule, claimed(decision)) == ("empty_keeps", {(G, None)})
    assert bench.owes() == {G: {"title": "a"}}
    bench.acknowledge_all()
    assert bench.judge() == []
    assert not bench.owes()


def test_a_blank_clears_where_the_policy_says_so():
    bench = Bench().settled_on("note", "n")
    bench.show(E, "note", "")
    bench.judge()
    assert bench.record.fields["note"] is None
    assert bench.owes() == {G: {"note": None}, H: {"note": None}}


def test_what_a_system_made_of_our_value_is_not_somebodys_edit_also_after_a_detour():
    """Sent `a`, kept `A`; somebody types `x`, loses, and sets `A` again before our write came."""
    bench = Bench().settled_on("code", "old")
    bench.show(E, "code", "a")
    bench.judge()
    bench.acknowledge(H, {"code": "A"})
    bench.acknowledge(G)
    bench.judge()
    bench.show_all("code", {H: "x", E: "e"})
    bench.judge()
    bench.show(E, "code", "a")
    bench.judge()
    bench.show(H, "code", "A")
    assert bench.judge() == []
    assert bench.record.fields["code"] == "a"


def test_a_value_that_nobody_can_read_is_named_once_left_alone_and_blocks_nothing():
    bench = Bench().settled_on("status", "open").settled_on("title", "a")
    bench.show(E, "status", "on the moon")
    bench.show(E, "title", "b")
    scene_before = bench.number
    decisions = bench.judge()
    assert [decision.rule for decision in decisions if decision.field == "status"] == ["unreadable"]
    assert decisions[0].number >= scene_before
    assert bench.owes() == {G: {"title": "b"}, H: {"title": "b"}}
    assert not unjudged(bench.link(E), bench.maps[E], bench.lexicons[E])
    bench.acknowledge_all()
    assert bench.judge() == []
    bench.show(E, "status", "waiting")
    bench.judge()
    assert bench.record.fields["status"] == "waiting"


def test_a_reference_that_is_not_known_yet_waits_and_is_judged_later():
    shapes, words = maps(), lexicons()
    for system in SYSTEMS:
        shapes[system]["client"] = _map("client", form.customer_reference("client"), kind="reference")
    record = "1" * 32
    bench = Bench(entity_policy({**FIELDS, "client": owned("client")}), shapes, words)
    bench.show(G, "client", None)
    bench.show(G, "title", "a")
    bench.judge()
    bench.show(G, "client", "100")
    assert bench.judge() == []
    assert bench.cell(G, "client").changed
    assert not unjudged(bench.link(G), bench.maps[G], bench.lexicons[G])
    bench.lexicons[G] = Lexicon(to_record={"100": record})
    bench.judge()
    assert bench.record.fields["client"] == record


def test_an_unjudged_change_that_can_be_read_holds_a_write_up():
    bench = Bench().settled_on("title", "a")
    bench.show(G, "title", "b")
    assert unjudged(bench.link(G), bench.maps[G], bench.lexicons[G])
    bench.judge()
    assert not unjudged(bench.link(G), bench.maps[G], bench.lexicons[G])


def test_a_system_whose_right_was_taken_away_wins_no_open_contest():
    bench = Bench().settled_on("level", "low")
    bench.show(H, "level", "high")
    bench.judge()
    taken = dataclasses.replace(FIELDS["level"], writers=frozenset({G, E}), order=(G, E, H))
    bench.policy = entity_policy({**FIELDS, "level": taken})
    bench.show(G, "level", "normal")
    (decision,) = bench.judge()
    assert (decision.value, claimed(decision)) == ("normal", {(G, "normal")})


# --- contests ---------------------------------------------------------------------------------------------------


def rewrite(bench, system, value):
    """A system is written what the record says, and makes something else of it; the ERP is not reached meanwhile."""
    if bench.write_for(system) is not None:
        bench.acknowledge(system)
    bench.show(system, "title", value)
    return bench.judge()


def test_two_systems_that_rewrite_each_others_values_are_shown_to_a_person_at_the_third_flip():
    bench = Bench().settled_on("title", "a")
    rules = [rewrite(bench, system, value)[0].rule for system, value in ((G, "b"), (H, "c"), (G, "d"))]
    assert rules == ["only_change"] * 3
    (decision,) = rewrite(bench, H, "e")
    assert decision.rule == "review"
    assert {(claim.system, claim.value) for claim in bench.record.reviews["title"]} == {(G, "d"), (H, "e")}
    assert bench.record.fields["title"] == "d"
    assert bench.owes() == {}


def test_people_who_edit_by_turns_without_knowing_of_each_other_flip_nothing():
    bench = Bench().settled_on("title", "a")
    for system, value in ((G, "b"), (H, "c"), (G, "d"), (H, "e"), (G, "f"), (H, "g")):
        bench.show(system, "title", value)
        bench.judge()
    assert bench.record.reviews == {}
    assert bench.record.fields["title"] == "g"


def test_edits_by_turns_flip_nothing_where_everybody_agreed_in_between():
    bench = Bench().settled_on("title", "a")
    for system, value in ((G, "b"), (H, "c"), (G, "d"), (H, "e"), (G, "f")):
        bench.show(system, "title", value)
        bench.judge()
        bench.acknowledge_all()
        bench.judge()
    assert (bench.record.reviews, bench.record.contests) == ({}, {})
    assert bench.record.fields["title"] == "f"


def test_a_contest_is_open_until_every_link_agrees():
    bench = Bench().settled_on("title", "a")
    bench.show(E, "title", "b")
    bench.judge()
    bench.acknowledge(G)
    bench.judge()
    assert "title" in bench.record.contests
    bench.acknowledge(H)
    bench.judge()
    assert bench.record.contests == {}


@pytest.mark.parametrize("case", ["no such field", "read only", "at creation only", "never read", "apart"])
def test_a_link_that_is_never_written_keeps_no_contest_open(case):
    bench = Bench().settled_on("title", "a", *([E, H] if case == "never read" else SYSTEMS))
    bench.show(G, "note", "n")
    bench.judge()
    if case == "no such field":
        del bench.maps[G]["title"]
    elif case == "apart":
        bench.link(G).cells["title"] = Cell("x", "x", "a", "a", 1, apart=True)
    elif case != "never read":
        mode = "read" if case == "read only" else "create"
        bench.maps[G]["title"] = dataclasses.replace(bench.maps[G]["title"], mode=mode)
    bench.show(E, "title", "b")
    bench.judge()
    if case == "apart":
        bench.cell(G, "title").apart = True
        bench.judge()
    bench.acknowledge(H)
    bench.judge()
    assert bench.record.contests == {}


def test_a_write_acknowledged_after_a_decision_that_changed_nothing_closes_the_contest():
    """The answer names the older decision; what it shows is the record's value all the same."""
    bench = Bench().settled_on("title", "a")
    bench.show(H, "title", "h")
    bench.judge()
    bench.send(G)
    bench.show(E, "title", "e")
    assert rules_of(bench.judge()) == [("title", "owner")]
    bench.acknowledge(G)
    bench.judge()
    bench.acknowledge(E)
    bench.judge()
    assert (bench.record.contests, bench.owes()) == ({}, {})


def test_a_claim_that_somebody_had_been_shown_never_comes_back():
    """G's value was shown to H, who replaced it; E, who had seen neither, is weighed against H alone."""
    bench = with_field(owned("title", (G, H, E))).settled_on("title", "a")
    bench.show(G, "title", "g")
    bench.judge()
    bench.acknowledge(H)
    bench.show(H, "title", "h")
    bench.judge()
    bench.show(E, "title", "e")
    (decision,) = bench.judge()
    assert (decision.value, claimed(decision)) == ("h", {(H, "h"), (E, "e")})


def test_a_link_whose_write_is_unsettled_keeps_the_contest_open():
    """What it shows is not taken meanwhile: somebody may have edited there before the others agreed."""
    bench = Bench().settled_on("title", "a").settled_on("note", "n")
    bench.show(E, "title", "b")
    bench.judge()
    bench.acknowledge(G)
    bench.show(E, "note", "m")
    bench.judge()
    bench.send(G)
    bench.acknowledge(H)
    bench.judge()
    assert "title" in bench.record.contests
    bench.acknowledge(G)
    bench.judge()
    assert bench.record.contests == {}


@pytest.mark.parametrize("order", [(E, H), (H, E)], ids="-".join)
def test_a_lost_claim_is_not_known_to_those_who_were_shown_the_same_value_before(order):
    """H had been shown `g` and edits; E's claim, which `g` beat, was never shown to anybody."""
    bench = with_field(owned("title", (G, E, H))).settled_on("title", "a")
    bench.show(G, "title", "g")
    bench.judge()
    bench.acknowledge(H)
    bench.judge()
    for system in order:
        bench.show(system, "title", str(system))
        bench.judge()
    assert bench.record.fields["title"] == "erp"


def test_one_who_agrees_in_an_open_contest_counts_when_a_third_value_comes():
    bench = with_field(owned("title", (G, H, E))).settled_on("title", "a")
    bench.show(E, "title", "same")
    bench.judge()
    bench.show(G, "title", "same")
    assert bench.judge() == []
    bench.show(H, "title", "h")
    (decision,) = bench.judge()
    assert (decision.value, decision.winner.system) == ("same", G)


# --- review -----------------------------------------------------------------------------------------------------


def in_review():
    bench = Bench().settled_on("asked", "old")
    bench.show_all("asked", {G: "g", E: "e"})
    bench.judge()
    return bench


def test_a_claimant_who_changes_replaces_his_claim():
    bench = in_review()
    bench.show(G, "asked", "better")
    (decision,) = bench.judge()
    assert claimed(decision) == {(G, "better"), (E, "e")}
    assert bench.judge() == []


def test_a_claimant_who_reverts_replaces_his_claim_though_the_record_says_the_same():
    bench = in_review()
    bench.show(G, "asked", "old")
    (decision,) = bench.judge()
    assert claimed(decision) == {(G, "old"), (E, "e")}


def test_a_claimant_who_blanks_withdraws_and_the_last_claim_stands():
    bench = in_review()
    bench.show(G, "asked", None)
    assert rules_of(bench.judge()) == [("asked", "empty_keeps"), ("asked", "review_agreed")]
    assert (bench.record.fields["asked"], bench.record.reviews) == ("e", {})
    assert set(bench.owes()) == {G, H}


def test_claims_that_agree_close_the_review_and_everybody_is_written():
    bench = in_review()
    bench.show(E, "asked", "g")
    (decision,) = bench.judge()
    assert (decision.rule, decision.value, decision.replaced) == ("review_agreed", "g", "old")
    assert bench.owes() == {H: {"asked": "g"}}
    bench.acknowledge_all()
    assert bench.judge() == []
    assert bench.record.contests == {}


# --- sets -------------------------------------------------------------------------------------------------------


def test_an_addition_beats_a_removal_and_both_are_told():
    bench = Bench().settled_on("tags", ["x"], G, E)
    bench.show(H, "tags", [])
    bench.judge()
    bench.show_all("tags", {E: [], H: ["x"]})
    (decision,) = bench.judge()
    assert (decision.rule, decision.value) == ("union", ["x"])
    assert (E, ()) in claimed(decision)


def test_a_set_element_of_a_system_without_the_right_is_refused():
    bench = with_field(dataclasses.replace(FIELDS["tags"], writers=frozenset({G}))).settled_on("tags", ["a"])
    bench.show(E, "tags", ["a", "mine"])
    (decision,) = bench.judge()
    assert (decision.rule, decision.value, claimed(decision)) == ("refused", ["a"], {(E, ("a", "mine"))})
    assert bench.owes() == {E: {"tags": ["a"]}}


def test_elements_that_a_late_write_brings_are_nobodys_addition():
    bench = Bench().settled_on("tags", ["a"])
    bench.late[bench.link(G).id, "tags"] = ["a", "ours"]
    bench.show(G, "tags", ["a", "ours", "typed"])
    late, union = bench.judge()
    assert (late.rule, union.value) == ("late", ["a", "typed"])
    assert dict(bench.write_for(G).remove) == {"tags": ["ours"]}


# --- fields that hold together ----------------------------------------------------------------------------------


def test_a_second_e_mail_that_is_the_first_again_is_replaced_once():
    shapes = {system: dict(field_maps(system, Entity.CUSTOMER)) for system in SYSTEMS}
    words = {system: lexicon(system, Entity.CUSTOMER) for system in SYSTEMS}
    record = Record(RecordId("0" * 32), Entity.CUSTOMER)
    bench = Bench(DEFAULT.entities[Entity.CUSTOMER], shapes, words, record)
    bench.show_all("email", {H: "ada@example.com", E: "lovelace@example.com"})
    bench.show_all("email_2", {H: [], E: "ada@example.com"})
    decisions = bench.judge()
    assert ("email_2", "coherent") in rules_of(decisions)
    assert (record.fields["email"], record.fields["email_2"]) == ("ada@example.com", "lovelace@example.com")
    assert bench.judge() == []


def test_the_bench_reports_a_broken_mapping_as_the_systems_value():
    with pytest.raises(BadInput):
        Bench().scene().get(Bench().link(E), "status", "on the moon", None)


def test_a_cell_comes_back_from_the_ledger_as_it_was():
    for cell in (Cell(), Cell("a"), Cell("b", "a", "b", UNSET, 3), Cell(None, None, "x", None, 1, apart=True)):
        assert Cell.load(cell.dump()) == cell
