"""From bytes to deliveries: limits, what is understood, what is the same delivery."""

import json

import pytest

from sync_platform.core.records import Entity
from sync_platform.web import payloads
from sync_platform.web.payloads import Refused
from tests.web.calls import event, ticket


def refused(call, *args):
    with pytest.raises(Refused) as found:
        call(*args)
    return found.value.code


def nested(depth, left="[", right="]"):
    return (left * depth + right * depth).encode()


def test_thirty_two_levels_are_read_and_thirty_three_are_not():
    assert payloads.parsed(nested(32)) is not None
    assert refused(payloads.parsed, nested(33)) == "too_deep"
    assert refused(payloads.parsed, nested(500_000)) == "too_deep"
    assert refused(payloads.parsed, b'{"a":' * 40 + b"1" + b"}" * 40) == "too_deep"
    assert refused(payloads.parsed, b"[{" * 17) == "too_deep"


def test_brackets_in_texts_are_no_levels():
    body = json.dumps({"a": "[" * 100, 'b"\\': "{[" * 50, "c": ["\\", '"' * 9, "[" * 40]}).encode()
    assert payloads.parsed(body)["c"][0] == "\\"
    assert refused(payloads.parsed, b'"' + b"[" * 100) == "not_json"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b"nul",
        b"\xff\xfe",
        b"\xef\xbb\xbf{}",
        '{"a":1}'.encode("utf-16"),
        '{"a":1}'.encode("utf-32"),
        '{"ä":1}'.encode("latin-1"),
        b'{"a":NaN}',
        b'{"a":-Infinity}',
        b'{"a":1e999}',
        b'{"a":"\\ud800"}',
        b'{"a":' + b"9" * 5000 + b"}",
        b"{} {}",
        b"{'a':1}",
        b'{"a":"\n"}',
    ],
)
def test_what_is_no_json_in_utf_8_is_refused(body):
    assert refused(payloads.parsed, body) == "not_json"


@pytest.mark.parametrize(
    "payload",
    [None, 1, "x", [], {}, {"ticket": None}, {"ticket": {}}, {"ticket": {"id": True}}, {"ticket": {"id": 0}},
     {"ticket": {"id": 2**63}}, {"ticket": {"id": "x"}}, {"ticket": {"id": "１"}}, {"ticket": [1]}, {"ticket_id": -1},
     {"customer": {"id": 1.5}}],
)  # fmt: skip
def test_a_call_of_gorgias_without_an_id_is_no_delivery(payload):
    assert refused(payloads.gorgias, payload, b"{}", 1) == "not_a_delivery"


def test_a_ticket_is_kept_whole_and_a_customer_as_a_hint():
    (one,) = payloads.gorgias(ticket(5), b"a", 1)
    assert (one.entity, one.body["id"], one.body["ticket"]["subject"]) == (Entity.TICKET, "5", "A question")
    (one,) = payloads.gorgias({"customer": {"id": 6, "updated_datetime": "2026-03-01T10:00:00"}}, b"b", 1)
    assert (one.entity, one.body) == (Entity.CUSTOMER, {"id": "6", "at": "2026-03-01T10:00:00"})
    (one,) = payloads.gorgias({"ticket_id": "7"}, b"c", 1)
    assert (one.entity, one.body["id"]) == (Entity.TICKET, "7")


def test_a_call_that_shows_no_time_is_new_each_time_for_the_next_edit_has_the_same_words():
    timed = [payloads.gorgias(ticket(5), b"same", received)[0].key for received in (1, 2)]
    bare = [payloads.gorgias({"ticket_id": 5}, b"same", received)[0].key for received in (1, 2)]
    assert timed[0] == timed[1]
    assert bare[0] != bare[1]


@pytest.mark.parametrize("payload", [None, {}, [], "x", [1], [[]], [event(1), None]])
def test_what_is_no_list_of_events_is_refused(payload):
    assert refused(payloads.hubspot, payload) == "not_a_delivery"


def test_a_hundred_events_are_taken_and_one_more_is_not():
    assert len(payloads.hubspot([event(n) for n in range(1, 101)])) == 100
    assert refused(payloads.hubspot, [event(n) for n in range(1, 102)]) == "too_many_events"


def test_an_event_that_comes_again_has_the_same_name_and_another_one_has_not():
    first, again, other = (
        payloads.hubspot([event(3, attemptNumber=attempt, **more)])[0].key
        for attempt, more in ((0, {}), (4, {}), (0, {"propertyValue": "+12025550102"}))
    )
    assert first == again != other


@pytest.mark.parametrize(
    ("told", "entity", "ids"),
    [
        (event(3), Entity.CUSTOMER, ["3"]),
        (event(3, subscriptionType="ticket.creation"), Entity.TICKET, ["3"]),
        (event(3, subscriptionType="object.propertyChange", objectTypeId="0-5"), Entity.TICKET, ["3"]),
        (event(3, subscriptionType="contact.merge", primaryObjectId=4, mergedObjectIds=[5, 6], newObjectId=7),
         Entity.CUSTOMER, ["3", "4", "5", "6", "7"]),
        ({"subscriptionType": "ticket.associationChange", "associationType": "TICKET_TO_CONTACT", "fromObjectId": 8,
          "toObjectId": 9}, Entity.TICKET, ["8"]),
        ({"subscriptionType": "contact.associationChange", "associationType": "CONTACT_TO_TICKET", "fromObjectId": 9,
          "toObjectId": 8}, Entity.TICKET, ["8"]),
    ],
)  # fmt: skip
def test_events_name_what_is_to_be_looked_at(told, entity, ids):
    (one,) = payloads.hubspot([told])
    assert (one.entity, one.body["ids"]) == (entity, ids)


@pytest.mark.parametrize(
    "told",
    [
        event(3, subscriptionType="company.creation"),
        event(3, subscriptionType="object.creation", objectTypeId="2-77"),
        event(3, subscriptionType=None),
        event(0),
        {"subscriptionType": "contact.associationChange", "associationType": "CONTACT_TO_COMPANY", "fromObjectId": 9},
    ],
)
def test_events_about_other_things_are_taken_and_dropped(told):
    assert payloads.hubspot([told]) == []
