"""Which record an object belongs to: by link, own ids, e-mail, phone, and never by a guess."""

import pytest

from sync_platform.core.identity import Known, place
from sync_platform.core.records import RecordId
from tests.core.harness import E, G, H

ADA, BEN = RecordId("a" * 32), RecordId("b" * 32)


def known(*placements):
    found = Known(exists=lambda record: record in {ADA, BEN})
    for record, system, *keys in placements:
        found.learn(record, system, keys)
    return found


def test_an_object_with_nothing_in_common_is_new():
    assert place(H, [("email", "cy@example.com")], known((ADA, G, ("email", "ada@example.com")))).kind == "new"


def test_an_object_without_any_key_is_new():
    assert place(H, [], known((ADA, G, ("email", "ada@example.com")))).kind == "new"


@pytest.mark.parametrize("kind", ["email", "phone", "number"])
def test_one_candidate_without_a_link_there_is_linked(kind):
    placement = place(H, [(kind, "1")], known((ADA, G, (kind, "1"))))
    assert (placement.kind, placement.record, placement.rule) == ("link", ADA, kind)


def test_any_of_several_e_mails_counts():
    keys = [("email", "first@example.com"), ("email", "second@example.com")]
    assert place(H, keys, known((ADA, G, ("email", "second@example.com")))).record == ADA


def test_our_own_marker_comes_before_everything_else():
    base = known((BEN, G, ("email", "ben@example.com")))
    placement = place(H, [("marker", ADA), ("email", "ben@example.com")], base)
    assert (placement.record, placement.rule) == (ADA, "marker")


def test_a_marker_of_a_record_that_we_do_not_know_is_no_key():
    base = known((BEN, G, ("email", "ben@example.com")))
    assert place(H, [("marker", "c" * 32), ("email", "ben@example.com")], base).record == BEN


def test_a_customer_number_is_a_foreign_id_of_ours_and_comes_before_e_mail():
    base = known((ADA, E, ("number", "C-1")), (BEN, E, ("email", "ben@example.com")))
    assert place(H, [("email", "ben@example.com"), ("number", "C-1")], base).record == ADA


def test_an_e_mail_comes_before_a_phone():
    base = known((ADA, G, ("email", "ada@example.com")), (BEN, G, ("phone", "+1")))
    assert place(H, [("phone", "+1"), ("email", "ada@example.com")], base).record == ADA


def test_several_candidates_are_left_to_a_person():
    base = known((ADA, G, ("email", "a@example.com")), (BEN, E, ("email", "b@example.com")))
    placement = place(H, [("email", "a@example.com"), ("email", "b@example.com")], base)
    assert (placement.kind, placement.record) == ("ambiguous", None)
    assert {record for _, record in placement.evidence} == {ADA, BEN}


def test_the_evidence_of_a_review_names_no_address():
    base = known((ADA, G, ("email", "a@example.com")), (BEN, E, ("email", "a@example.com")))
    assert "example.com" not in str(place(H, [("email", "a@example.com")], base).evidence)


def test_a_shared_phone_with_different_e_mails_is_left_to_a_person():
    base = known((ADA, G, ("email", "ada@example.com"), ("phone", "+1")))
    assert place(H, [("email", "ben@example.com"), ("phone", "+1")], base).kind == "ambiguous"


@pytest.mark.parametrize("keys", [[("phone", "+1")], [("phone", "+1"), ("email", "ada@example.com")]])
def test_a_shared_phone_links_where_no_e_mail_contradicts(keys):
    base = known((ADA, G, ("email", "ada@example.com"), ("phone", "+1")))
    assert place(H, keys, base).kind == "link"


def test_a_second_object_of_the_same_person_there_is_a_twin():
    base = known((ADA, G, ("phone", "+1")))
    placement = place(G, [("phone", "+1")], base)
    assert (placement.kind, placement.record) == ("twin", ADA)


def test_a_copied_marker_makes_a_twin_and_no_second_link():
    assert place(G, [("marker", ADA)], known((ADA, G))).kind == "twin"


def test_objects_of_one_batch_find_each_other():
    base = known()
    assert place(G, [("email", "ada@example.com")], base).kind == "new"
    base.learn(ADA, G, [("email", "ada@example.com")])
    assert place(H, [("email", "ada@example.com")], base).record == ADA
