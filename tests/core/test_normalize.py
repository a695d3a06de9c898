"""One spelling for equal values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync_platform.core import normalize
from sync_platform.core.records import UNSET
from tests.core.strategies import PATIENT, any_texts, decomposed, raw_emails, raw_phones, raw_times

anything = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.text()), st.binary())
TOTAL = [
    normalize.text,
    normalize.email,
    normalize.email_text,
    normalize.phone,
    normalize.language,
    normalize.when,
    normalize.decimal,
    normalize.whole,
    normalize.html_to_text,
]


@pytest.mark.parametrize("function", TOTAL, ids=lambda one: one.__name__)
def test_rubbish_is_none_and_never_an_exception(function):
    @PATIENT
    @given(anything)
    def run(raw):
        assert function(raw) is None or function(raw) is not None

    run()


@pytest.mark.parametrize("function", TOTAL[:-1], ids=lambda one: one.__name__)
@PATIENT
@given(raw=any_texts | raw_emails | raw_phones | raw_times | st.text(st.characters(), max_size=20))
def test_a_normalised_value_normalises_to_itself(function, raw):
    once = function(raw)

    assert once is None or function(once) == once


@PATIENT
@given(any_texts)
def test_the_unicode_form_of_a_text_does_not_count(raw):
    assert normalize.text(decomposed(raw)) == normalize.text(raw)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [(" a\r\nb\rc ", "a\nb\nc"), ("Zoe\u0308", "Zoë"), ("\x00\ud800", None), ("", None), (" \n", None), (7, None)],
)
def test_texts_are_composed_trimmed_and_storable(raw, expected):
    assert normalize.text(raw) == expected


@pytest.mark.parametrize("value", [None, "", " \t", [], {}, [""], {"full": " ", "first": "x"}, {"a": None, "b": ""}])
def test_what_says_nothing_is_blank(value):
    assert normalize.blank(value)


@pytest.mark.parametrize("value", [False, 0, "0", ["x"], {"full": "Ada"}, {"a": None, "b": "x"}, UNSET])
def test_false_zero_and_unknown_are_not_blank(value):
    assert not normalize.blank(value)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (" Ada.Lovelace@Example.COM ", "ada.lovelace@example.com"),
        ("ada@shop.test", "ada@shop.test"),
        ("ada+news@example.org", "ada+news@example.org"),
        ("ada@bücher.example.com", "ada@xn--bcher-kva.example.com"),
        ("STRASSE@example.com", "strasse@example.com"),
        ("straße@example.com", "strasse@example.com"),
        ("Ada <ada@example.com>", None),
        ("ada@", None),
        ("n/a", None),
        (None, None),
    ],
)
def test_emails_match_in_one_form(raw, expected):
    assert normalize.email(raw) == expected


def test_the_canonical_email_is_lower_case_but_keeps_its_letters():
    assert normalize.email_text("Straße@Example.com") == "straße@example.com"


@pytest.mark.parametrize(
    "raw",
    ["+1 (415) 555-0132", "4155550132", "415.555.0132", "001 415 555 0132", "0014155550132", "tel:+1-415-555-0132"],
)
def test_every_spelling_of_a_number_is_one_number(raw):
    assert normalize.phone(raw, "US") == "+14155550132"


@pytest.mark.parametrize(
    ("raw", "region", "expected"),
    [
        ("020 7946 0018", "GB", "+442079460018"),
        ("0044 20 7946 0018", "US", "+442079460018"),
        ("+81 3-1234-5678", "US", "+81312345678"),
        ("06 1234 5678", "IT", "+390612345678"),
    ],
)
def test_numbers_are_read_as_typed_in_their_region(raw, region, expected):
    assert normalize.phone(raw, region) == expected


@pytest.mark.parametrize(
    "raw", ["5550132", "call me", "+999123", "415-555-0132 x5", "", None, "order 4155550132", "1" * 300]
)
def test_local_numbers_extensions_and_words_are_no_number(raw):
    assert normalize.phone(raw) is None


@pytest.mark.parametrize(
    ("raw", "expected"),
    [("en", "en"), ("EN_us", "en"), ("zh-tw", "zh"), ("iw", "he"), ("xx", None), ("English", None), (None, None)],
)
def test_languages_are_two_letters(raw, expected):
    assert normalize.language(raw) == expected


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("2026-03-08T01:59:59.9-08:00", "2026-03-08T09:59:59.900000+00:00"),
        ("2026-03-08T10:00:00Z", "2026-03-08T10:00:00.000000+00:00"),
        ("2026-03-08T10:00:00", "2026-03-08T10:00:00.000000+00:00"),
        ("2026-03-29", "2026-03-29T00:00:00.000000+00:00"),
        ("0001-01-01T00:00:00+14:00", None),
        ("tomorrow", None),
    ],
)
def test_times_are_utc_to_the_microsecond(raw, expected):
    assert normalize.when(raw) == expected


@PATIENT
@given(st.datetimes(timezones=st.timezones()), st.datetimes(timezones=st.timezones()))
def test_times_sort_as_texts(one, other):
    first, second = normalize.moment(one.isoformat()), normalize.moment(other.isoformat())
    if first is not None and second is not None:
        as_texts = normalize.when(one.isoformat()) < normalize.when(other.isoformat())
        assert as_texts == (first < second)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("12.5", "12.50"),
        (12, "12.00"),
        ("1e3", "1000.00"),
        ("-0.001", "0.00"),
        ("0.125", "0.12"),
        (" 7 ", "7.00"),
        ("NaN", None),
        ("inf", None),
        ("1e12", None),
        ("999999999999.999", None),
        ("999999999999.99", "999999999999.99"),
        ("12,50", None),
        (True, None),
        ("", None),
        ("1e999999999", None),
    ],
)
def test_decimals_have_two_places(raw, expected):
    assert normalize.decimal(raw) == expected


@pytest.mark.parametrize(
    ("raw", "expected"),
    [(3, 3), ("3", 3), ("3.0", 3), (3.0, 3), ("-2", -2), ("3.5", None), (True, None), ("x", None), ("1e999999", None)],
)
def test_whole_numbers_are_whole(raw, expected):
    assert normalize.whole(raw) == expected


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<p>Hello <b>Ada</b>,</p><p>where is it?</p>", "Hello Ada,\n\nwhere is it?"),
        ("a<br>b<br/>c", "a\nb\nc"),
        ("<style>p{}</style><script>x()</script>5 &lt; 6&nbsp;&amp; 7", "5 < 6 & 7"),
        ("<div>one\n   two</div>", "one two"),
        ("<p> </p>", None),
        (None, None),
    ],
)
def test_html_is_read_as_a_person_sees_it(html, expected):
    assert normalize.html_to_text(html) == expected
