"""The laws of every field of every system, on generated values, and what each field is for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync_platform.core import mappings
from sync_platform.core.mappings import FIELDS, Lexicon, Unmappable, field_maps
from sync_platform.core.normalize import blank
from sync_platform.core.records import UNSET, Entity, System
from sync_platform.errors import BadInput
from tests.core.strategies import CASES, DEFAULT, FEW, PATIENT, canonical, emails, lexicon, theirs

EVERY = [(system, entity, name) for system, entity in CASES for name in field_maps(system, entity)]
every_field = pytest.mark.parametrize(("system", "entity", "name"), EVERY)


@every_field
@FEW
@given(data=st.data())
def test_what_was_written_is_read_back(system, entity, name, data):
    one, words = field_maps(system, entity)[name], lexicon(system, entity)
    value = data.draw(canonical(name))

    assert one.get(one.put(value, words), value, words) == value


@every_field
@FEW
@given(data=st.data())
def test_what_was_read_is_written_without_a_change(system, entity, name, data):
    one, words = field_maps(system, entity)[name], lexicon(system, entity)
    shown, current = data.draw(theirs(system, name, one.attributes)), data.draw(canonical(name))
    read = one.get(shown, current, words)

    assert one.get(one.put(read, words), current, words) == read


@every_field
@FEW
@given(data=st.data())
def test_an_image_that_stays_keeps_the_finer_state(system, entity, name, data):
    one, words = field_maps(system, entity)[name], lexicon(system, entity)
    value = data.draw(canonical(name))
    image = one.put(value, words)
    shown = data.draw(st.just(image) | theirs(system, name, one.attributes))

    if shown == image:
        assert one.get(shown, value, words) == value
    else:
        assert one.get(image, value, words) == value


@every_field
@FEW
@given(data=st.data())
def test_a_reading_is_stable_when_it_becomes_the_current_value(system, entity, name, data):
    one, words = field_maps(system, entity)[name], lexicon(system, entity)
    shown, current = data.draw(theirs(system, name, one.attributes)), data.draw(canonical(name))
    read = one.get(shown, current, words)

    assert one.get(shown, read, words) == read


@every_field
def test_blank_stays_blank(system, entity, name):
    one, words = field_maps(system, entity)[name], lexicon(system, entity)
    nothing = None if len(one.attributes) == 1 else dict.fromkeys(one.attributes)

    assert blank(one.get(nothing, None, words))
    assert blank(one.put(one.get(nothing, None, words), words))
    assert blank(one.get(nothing, UNSET, words))


@every_field
def test_rubbish_names_its_field_and_shows_no_value(system, entity, name):
    one, words = field_maps(system, entity)[name], lexicon(system, entity)
    if one.kind == "reference" or name == "assignee":
        return
    rubbish = {"secret": 1} if len(one.attributes) == 1 else dict.fromkeys(one.attributes, 17)
    if one.attributes == ("first_message",):
        rubbish = {"id": "1", "at": None, "text": 17}

    with pytest.raises(BadInput) as caught:
        one.get(rubbish, None, words)

    assert caught.value.field == name
    assert "secret" not in str(caught.value)
    assert "17" not in str(caught.value)


@pytest.mark.parametrize(("system", "entity"), CASES)
def test_every_system_has_every_field(system, entity):
    assert set(field_maps(system, entity)) == set(FIELDS[entity])


@pytest.mark.parametrize(("system", "entity"), CASES)
def test_observing_and_flattening_are_inverse(system, entity):
    shown = {attribute: None for one in field_maps(system, entity).values() for attribute in one.attributes}
    seen = mappings.observe(system, entity, shown)

    flat = {}
    for name, value in seen.items():
        flat |= mappings.attributes_of(field_maps(system, entity)[name], value)
    assert flat == shown


def test_a_field_that_is_not_wholly_shown_is_not_observed():
    seen = mappings.observe(System.HUBSPOT, Entity.CUSTOMER, {"email": "a@example.com", "firstname": "Ada"})

    assert seen == {"email": "a@example.com"}


@pytest.mark.parametrize(
    ("current", "shown", "expected"),
    [
        ("waiting", "open", "waiting"),
        ("new", "open", "new"),
        (None, "open", "open"),
        ("resolved", "closed", "resolved"),
        ("waiting", "closed", "closed"),
        ("resolved", "open", "open"),
    ],
)
def test_an_open_that_stays_open_keeps_waiting(current, shown, expected):
    one = field_maps(System.GORGIAS, Entity.TICKET)["status"]

    assert one.get(shown, current, lexicon(System.GORGIAS, Entity.TICKET)) == expected


def test_several_words_of_theirs_are_read_and_the_first_is_written():
    words = Lexicon(vocabulary={"status": {"closed": ["4", "9"], "resolved": "4", "open": ["3", "8"]}})
    one = field_maps(System.HUBSPOT, Entity.TICKET)["status"]

    assert [one.get(stage, None, words) for stage in ("4", "9", "3", "8")] == ["closed", "closed", "open", "open"]
    assert one.put("open", words) == "3"
    for stage in ("4", "9", "3", "8"):
        for current in (None, "closed", "resolved", "open"):
            read = one.get(stage, current, words)
            assert one.get(one.put(read, words), current, words) == read


def test_a_word_that_no_table_has_is_unmappable():
    one = field_maps(System.HUBSPOT, Entity.TICKET)["status"]

    with pytest.raises(Unmappable) as caught:
        one.put("open", Lexicon())
    assert (caught.value.field, caught.value.reason) == ("status", "no_counterpart")
    with pytest.raises(BadInput):
        one.get("77", None, lexicon(System.HUBSPOT, Entity.TICKET))


@pytest.mark.parametrize(
    ("canonical_name", "written"),
    [
        ({"full": "Ada Lovelace", "first": "Ada", "last": "Lovelace"}, ("Ada", "Lovelace")),
        ({"full": "Ada Lovelace", "first": None, "last": None}, ("Ada Lovelace", None)),
        ({"full": "山田 太郎", "first": "太郎", "last": "山田"}, ("太郎", "山田")),
        ({"full": "Lovelace", "first": None, "last": "Lovelace"}, (None, "Lovelace")),
        ({"full": "Ada King", "first": "Ada", "last": None}, ("Ada King", None)),
    ],
)
def test_a_name_is_split_only_where_a_side_gave_it_apart(canonical_name, written):
    one, words = field_maps(System.HUBSPOT, Entity.CUSTOMER)["name"], Lexicon()
    image = one.put(canonical_name, words)

    assert image == {"firstname": written[0], "lastname": written[1]}
    assert one.get(image, canonical_name, words) == canonical_name


def test_a_name_without_parts_agrees_with_the_parts_that_the_record_has():
    one = field_maps(System.GORGIAS, Entity.CUSTOMER)["name"]
    current = {"full": "Ada Lovelace", "first": "Ada", "last": "Lovelace"}

    assert one.get("Ada  Lovelace".replace("  ", " "), current, Lexicon()) == current
    assert one.get("Ada King", current, Lexicon()) == {"full": "Ada King", "first": None, "last": None}


def test_of_several_numbers_the_current_one_stays_else_the_first():
    one = field_maps(System.GORGIAS, Entity.CUSTOMER)["phone"]
    shown = ["+44 20 7946 0018", "(415) 555-0132"]

    assert one.get(shown, "+14155550132", Lexicon()) == "+14155550132"
    assert one.get(shown, "+19998887777", Lexicon()) == "+442079460018"
    assert one.get([], "+14155550132", Lexicon()) is None


def test_a_write_takes_the_place_of_one_element_only():
    one = field_maps(System.GORGIAS, Entity.CUSTOMER)["phone"]
    shown = ["+44 20 7946 0018", "(415) 555-0132"]

    assert mappings.replaced(one, shown, "+14155550132", Lexicon()) == ["(415) 555-0132"]
    assert mappings.replaced(one, [], None, Lexicon()) == []
    email = field_maps(System.GORGIAS, Entity.CUSTOMER)["email"]
    assert mappings.replaced(email, "a@example.com", None, Lexicon()) == "a@example.com"


def test_an_agent_is_told_by_email_and_one_without_a_counterpart_is_unmappable():
    one, words = field_maps(System.HUBSPOT, Entity.TICKET)["assignee"], lexicon(System.HUBSPOT, Entity.TICKET)

    assert one.get("7", None, words) == "mia@example.com"
    assert one.put("noor@example.com", words) == "8"
    assert one.get("555", None, words) is UNSET
    assert one.put(None, words) is None
    with pytest.raises(Unmappable) as caught:
        one.put("gone@example.com", words)
    assert caught.value.reason == "no_counterpart"


def test_a_customer_not_linked_yet_is_unknown_and_cannot_be_written():
    one, words = field_maps(System.ERP, Entity.TICKET)["customer"], lexicon(System.ERP, Entity.TICKET)

    assert one.get(4711, None, words) is UNSET
    assert one.get(101, None, words) == f"{1:032x}"
    assert one.get("99", None, words) == f"{0:032x}"
    with pytest.raises(Unmappable) as caught:
        one.put("f" * 32, words)
    assert caught.value.reason == "awaits_customer"


def test_the_oldest_first_message_stays():
    keep = field_maps(System.GORGIAS, Entity.TICKET)["first_text"].keep
    old = {"id": "9", "at": "2026-03-01T00:00:00.000000+00:00", "text": "a"}
    new = {"id": "10", "at": "2026-03-02T00:00:00.000000+00:00", "text": "b"}

    assert keep(old, new)
    assert not keep(new, old)
    assert not keep(old, {**old, "text": "corrected"})
    assert not keep(None, new)
    assert keep(old, None)
    assert not keep({"id": None, "at": None, "text": "ours"}, new)
    assert keep(old, {**old, "id": "10"})


def test_a_subject_too_long_for_gorgias_stays_whole_in_the_record():
    one = field_maps(System.GORGIAS, Entity.TICKET)["subject"]
    long = "x" * 1200

    assert len(one.put(long, Lexicon())) == 998
    assert one.get("x" * 998, long, Lexicon()) == long
    assert one.get("y" * 998, long, Lexicon()) == "y" * 998


def test_hubspot_times_keep_their_microseconds_in_the_record():
    one = field_maps(System.HUBSPOT, Entity.TICKET)["created_at"]
    exact = "2026-03-08T01:02:03.123456+00:00"

    assert one.put(exact, Lexicon()) == "2026-03-08T01:02:03.123Z"
    assert one.get("2026-03-08T01:02:03.123Z", exact, Lexicon()) == exact
    assert one.get("2026-03-08T01:02:03.124Z", exact, Lexicon()) == "2026-03-08T01:02:03.124000+00:00"


MARKER = "0123456789abcdef" * 2


def test_everything_that_an_object_shows_can_match():
    shown = {
        "email": "Ada@Example.com",
        "emails": ["second@example.com", "ADA@example.com", "nonsense"],
        "phones": ["(415) 555-0132", "call me", "+44 20 7946 0018"],
        "external_id": MARKER,
        "sync.customer_no": "C-1",
        "name": "Ada",
    }

    assert mappings.match_keys(System.GORGIAS, Entity.CUSTOMER, shown, Lexicon()) == [
        ("email", "ada@example.com"),
        ("email", "second@example.com"),
        ("phone", "+14155550132"),
        ("phone", "+442079460018"),
        ("number", "C-1"),
        ("marker", MARKER),
    ]


def test_fields_match_as_attributes_do():
    shown = {"email": "a@example.com", "email_2": ["b@example.com"], "phone": None, "customer_no": UNSET}

    keys = mappings.match_keys(System.HUBSPOT, Entity.CUSTOMER, shown, Lexicon())

    assert keys == [("email", "a@example.com"), ("email", "b@example.com")]


def test_a_foreign_external_id_is_no_marker_and_a_ticket_has_no_email():
    assert mappings.match_keys(System.GORGIAS, Entity.CUSTOMER, {"external_id": "shopify-7"}, Lexicon()) == []
    shown = {"email": "a@example.com", "sync_marker": MARKER}
    assert mappings.match_keys(System.ERP, Entity.TICKET, shown, Lexicon()) == [("marker", MARKER)]


@PATIENT
@given(emails, st.lists(emails, max_size=3))
def test_the_second_email_is_never_the_first_again(first, others):
    fields = {"email": first, "email_2": first}

    fields |= mappings.coherent(Entity.CUSTOMER, fields, others)

    assert fields["email_2"] is None or fields["email_2"] != first
    assert mappings.coherent(Entity.CUSTOMER, fields, others) == {}


def test_the_primary_address_that_lost_becomes_the_second_one():
    fields = {"email": "a@example.com", "email_2": "A@example.com"}

    assert mappings.coherent(Entity.CUSTOMER, fields, ["b@example.com"]) == {"email_2": "b@example.com"}
    assert mappings.coherent(Entity.CUSTOMER, {"email": "a@example.com", "email_2": None}) == {}


def test_only_hubspot_needs_properties_of_ours_and_only_for_fields_of_the_policy():
    made = mappings.wanted(System.HUBSPOT, Entity.CUSTOMER, DEFAULT)

    assert made[0].attribute == "sync_id"
    assert made[0].unique
    own = {
        a for one in field_maps(System.HUBSPOT, Entity.CUSTOMER).values() for a in one.attributes if a[:5] == "sync_"
    }
    assert {one.attribute for one in made} == {"sync_id"} | own
    assert mappings.wanted(System.GORGIAS, Entity.CUSTOMER, DEFAULT) == []
    assert {one.type for one in mappings.wanted(System.HUBSPOT, Entity.TICKET, DEFAULT)} == {
        "text",
        "number",
        "list",
        "datetime",
    }


def test_a_hubspot_ticket_is_born_in_the_pipeline_of_the_policy():
    words = lexicon(System.HUBSPOT, Entity.TICKET)

    assert mappings.constants(System.HUBSPOT, Entity.TICKET, words) == {"hs_pipeline": "0"}
    assert mappings.constants(System.ERP, Entity.TICKET, words) == {}


def test_modes_say_what_gorgias_takes_only_at_creation():
    modes = {name: one.mode for name, one in field_maps(System.GORGIAS, Entity.TICKET).items() if one.mode != "both"}

    assert modes == {
        "channel": "create",
        "created_at": "create",
        "closed_at": "create",
        "first_text": "create",
        "message_count": "read",
        "last_message_at": "read",
        "satisfaction": "read",
    }
    assert field_maps(System.ERP, Entity.CUSTOMER)["customer_no"].mode == "read"
