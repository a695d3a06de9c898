"""The seeded world: the same from the same seed, and as untidy as a real one."""

import itertools
import time
import unicodedata
from collections import Counter
from zoneinfo import ZoneInfo

import phonenumbers
import pytest

from sync_platform.sandbox.people import BEGIN_AT, END_AT, KEPT_MAX, generate
from sync_platform.sandbox.people_words import CHANNELS

AGENTS, PEOPLE, CASES = generate(1, 1000, 2000, 0.6)


def number(spelling: str) -> str:
    cleaned = "".join(c for c in spelling if unicodedata.category(c) != "Cf")
    parsed = phonenumbers.parse("+" + cleaned[2:] if cleaned.startswith("00") else cleaned, "US")
    assert phonenumbers.is_valid_number(parsed)
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


def keys(view) -> set[str]:
    return {email.lower() for email in view.emails} | {number(phone) for phone in view.phones}


def pairs(person):
    return itertools.combinations(person.views.values(), 2)


def test_the_same_arguments_give_the_same_world():
    agents, people, cases = generate(1, 1000, 2000, 0.6)
    assert (agents, list(people), list(cases)) == (AGENTS, list(PEOPLE), list(CASES))


def test_another_seed_gives_another_world():
    _, people, _ = generate(2, 50, 0, 0.6)
    assert list(people) != list(PEOPLE[:50])


def test_the_first_people_stay_the_same_in_a_larger_world():
    _, people, _ = generate(1, 5000, 0, 0.6)
    assert list(people[:1000]) == list(PEOPLE)


@pytest.mark.parametrize("bad", [(1, -1, 0, 0.5), (1, 1, -1, 0.5), (1, 1, 0, 1.5), (1, 0, 3, 0.5)])
def test_arguments_that_make_no_sense_are_refused(bad):
    with pytest.raises(ValueError):
        generate(*bad)


def test_overlap_is_the_share_of_people_in_more_than_one_system():
    shared = sum(len(person.views) > 1 for person in PEOPLE)
    assert 0.55 * len(PEOPLE) < shared < 0.65 * len(PEOPLE)
    assert all(len(person.views) == 1 for person in generate(1, 100, 0, 0)[1])
    assert all(len(person.views) > 1 for person in generate(1, 100, 0, 1)[1])


def test_any_two_views_of_a_person_share_an_e_mail_or_a_phone():
    for person in PEOPLE:
        assert all(keys(a) & keys(b) for a, b in pairs(person))


def test_no_two_people_share_an_e_mail_or_a_phone():
    seen = Counter(key for person in PEOPLE for key in set().union(*(keys(view) for view in person.views.values())))
    assert [key for key, count in seen.items() if count > 1] == []


def test_phones_stay_unique_in_a_large_world():
    from sync_platform.sandbox.people import _number

    numbers = [_number(3, n, which) for n in range(1, 120_001) for which in (0, 1)]
    assert len(set(numbers)) == len(numbers)


def test_some_people_share_only_the_phone_and_some_only_a_second_e_mail():
    shared = [person for person in PEOPLE if len(person.views) > 1]
    phone_only = [
        p for p in shared if not any({e.lower() for e in a.emails} & {e.lower() for e in b.emails} for a, b in pairs(p))
    ]
    crossed = [
        p
        for p in shared
        if len({v.emails[0].lower() for v in p.views.values() if v.emails}) > 1 and p not in phone_only
    ]
    assert 0.10 < len(phone_only) / len(shared) < 0.20
    assert 0.05 < len(crossed) / len(shared) < 0.12


def test_people_are_as_untidy_as_real_ones():
    views = [view for person in PEOPLE for view in person.views.values()]
    assert any(not view.emails for view in views)
    assert any(len(view.emails) == 2 for view in views)
    assert any(email != email.lower() for view in views for email in view.emails)
    assert any(ord(char) > 0xFFFF for view in views for char in view.name)
    directions = {unicodedata.bidirectional(char) for view in views for char in view.name}
    assert {"L", "R", "AL"} <= directions
    assert any("CJK" in unicodedata.name(char, "") for view in views for char in view.name)
    names = Counter(next(iter(person.views.values())).name for person in PEOPLE)
    assert names.most_common(1)[0][1] > 1
    regions = {number(phone)[:3] for view in views for phone in view.phones}
    assert {"+44", "+81", "+97"} <= regions


def test_one_number_is_spelled_differently_in_two_systems():
    differing = [
        person
        for person in PEOPLE
        if any(
            a.phones and b.phones and a.phones[0] != b.phones[0] and number(a.phones[0]) == number(b.phones[0])
            for a, b in pairs(person)
        )
    ]
    assert len(differing) > 50


def test_views_conflict_here_and_there():
    for field in ("company", "note", "name"):
        assert any(len({getattr(v, field) for v in person.views.values()} - {None}) > 1 for person in PEOPLE), field


def test_addresses_are_invented():
    domains = {email.lower().split("@")[1] for p in PEOPLE for v in p.views.values() for email in v.emails}
    assert all(domain.endswith((".test", "example.com", "example.org")) for domain in domains)


def test_tickets_have_every_channel_and_status_and_a_person_in_their_system():
    assert {case.channel for case in CASES} == set(CHANNELS)
    assert {case.status for case in CASES} == {"new", "open", "waiting", "resolved", "closed"}
    assert {case.priority for case in CASES} == {"low", "normal", "high", "critical"}
    assert all(case.system in PEOPLE[case.person - 1].views for case in CASES)
    shares = Counter(case.system for case in CASES)
    assert shares["gorgias"] > 0.75 * len(CASES)
    assert min(shares["hubspot"], shares["erp"]) > 0.05 * len(CASES)


def test_messages_are_html_and_text_in_order_of_time():
    for case in CASES:
        times = [message.at for message in case.messages]
        assert times == sorted(times)
        assert case.created_at == times[0]
        assert case.updated_at >= times[-1]
        assert (case.closed_at is None) == (
            case.status != "closed" and (case.status, case.system) != ("resolved", "gorgias")
        )
    assert any("&amp;" in message.html and "&" in message.text for case in CASES for message in case.messages)
    assert any(not message.public for case in CASES for message in case.messages)


def test_times_lie_on_both_sides_of_clock_changes_and_never_after_the_end():
    times = [view.created_at for person in PEOPLE for view in person.views.values()] + [
        case.updated_at for case in CASES
    ]
    assert all(BEGIN_AT <= at <= END_AT for at in times)
    for zone in ("America/New_York", "Europe/Berlin"):
        assert len({at.astimezone(ZoneInfo(zone)).utcoffset() for at in times}) == 2
    assert any(at.microsecond == 0 for at in times)


def test_a_large_world_is_walked_without_being_kept():
    _, people, _ = generate(1, KEPT_MAX + 1, 0, 0.6)
    assert len(people) == KEPT_MAX + 1
    assert people[KEPT_MAX].n == KEPT_MAX + 1
    assert people._kept is None


def test_a_thousand_people_are_made_in_well_under_a_second():
    begin = time.process_time()
    list(generate(5, 1000, 0, 0.6)[1])
    assert time.process_time() - begin < 0.5
