"""From HubSpot's answers to our errors, without a server."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync_platform.connectors.hubspot_calls import dated
from sync_platform.connectors.hubspot_errors import complaint_of, error_of, frozen_limit, scopes_missing
from sync_platform.connectors.hubspot_rows import join_tags, merged_ids, moment, split_tags
from sync_platform.connectors.hubspot_search import Mark
from sync_platform.errors import (
    Halt,
    Misconfigured,
    NotAllowed,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    Retryable,
    Unavailable,
)

CANARY = "zq7-canary@example.test"


@pytest.mark.parametrize("write", [False, True])
@pytest.mark.parametrize("status", range(400, 600))
def test_every_status_has_its_branch(status, write):
    error = error_of(status, {"message": f"{CANARY} is wrong", "category": CANARY}, {}, write=write)
    wanted = {401: NotAllowed, 403: NotAllowed, 404: NotFound, 429: RateLimited}.get(status)
    if status in (408, 423, 477, 503):
        wanted = Unavailable
    elif status >= 500:
        wanted = OutcomeUnknown if write else Unavailable
    assert type(error) is wanted if wanted else isinstance(error, Rejected)
    assert error.status == status
    assert CANARY not in f"{error} {error.code} {error!r}"
    assert isinstance(error, (Retryable, Rejected, Halt))


def test_a_redirect_means_a_wrong_base_url():
    assert isinstance(error_of(302, None, {}, write=False), Misconfigured)


def test_a_lock_waits_two_seconds_and_a_move_as_long_as_it_says():
    locked = error_of(423, None, {}, write=True)
    moving = error_of(477, None, {"retry-after": "7"}, write=True)
    assert (locked.wait_s, moving.wait_s) == (2.0, 7.0)


def test_fields_come_from_both_places_of_a_validation_error():
    body = {
        "category": "VALIDATION_ERROR",
        "message": 'Property values were not valid: [{"isValid":false,"message":"%s","error":"INVALID_EMAIL",'
        '"name":"email"},{"error":"INVALID_OPTION","name":"hs_language"}]'.replace("%s", CANARY),
        "errors": [{"message": CANARY, "code": "INVALID_EMAIL", "context": {"propertyName": ["email"]}}],
    }
    complaint = complaint_of(body, 400)
    assert (complaint.code, complaint.fields) == ("INVALID_EMAIL", ("email", "hs_language"))
    assert CANARY not in complaint.words


@pytest.mark.parametrize(
    "message", ["Contact already exists. Existing ID: 12345", "contact already exists; existing id 12345"]
)
def test_the_holder_of_an_email_is_read_from_the_message(message):
    complaint = complaint_of({"message": message, "category": "CONFLICT"}, 409)
    assert (complaint.code, complaint.existing, complaint.fields) == ("EXISTS", "12345", ("email",))


@pytest.mark.parametrize(
    ("body", "limits", "wanted"),
    [
        ({"policyName": "DAILY"}, ("ten_seconds", "day"), "day"),
        ({"message": "You have reached your daily limit."}, ("search", "day"), "day"),
        ({"message": "You have reached your secondly limit."}, ("search", "day"), "search"),
        ({"policyName": "TEN_SECONDLY_ROLLING"}, ("ten_seconds", "day"), "ten_seconds"),
        (None, ("ten_seconds", "day"), "ten_seconds"),
        ("<html>", ("search", "day"), "search"),
    ],
)
def test_a_429_freezes_the_limit_that_it_speaks_of(body, limits, wanted):
    limit, frozen_s = frozen_limit(body, limits)
    assert limit == wanted
    assert frozen_s > 0


def test_missing_scopes_are_read_in_both_recorded_shapes():
    deep = {"errors": [{"context": {"requiredGranularScopes": ["crm.objects.owners.read"]}}]}
    flat = {"context": {"requiredScopes": ["tickets"]}}
    assert scopes_missing(deep) == ["crm.objects.owners.read"]
    assert scopes_missing(flat) == ["tickets"]


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("/crm/v3/objects/contacts/batch/upsert", "/crm/objects/2026-09/contacts/batch/upsert"),
        ("/crm/v3/owners/", "/crm/owners/2026-09/"),
        ("/crm/v4/associations/tickets/contacts/batch/read", "/crm/associations/2026-09/tickets/contacts/batch/read"),
        ("/contacts/v1/secondary-email/1/email/x", "/contacts/v1/secondary-email/1/email/x"),
        ("/account-info/v3/details", "/account-info/2026-09/details"),
    ],
)
def test_paths_are_dated_in_one_place(path, wanted):
    assert dated(path, "2026-09") == wanted
    assert dated(path, None) == path


@given(st.sets(st.text(alphabet="ab;\\ é", min_size=1)))
def test_tags_survive_their_text(tags):
    assert set(split_tags(join_tags(tags))) == tags


@given(st.lists(st.tuples(st.integers(1, 20).map(str), st.integers(1, 1000))), st.integers(0, 1000))
def test_a_mark_never_goes_back_and_survives_its_text(rows, safe_ms):
    mark = Mark(100, 150)
    after = mark.grown(rows, safe_ms)
    assert after.start_ms >= mark.start_ms
    assert Mark.load(after.dump()) == after
    assert after.grown((), safe_ms) == after


def test_times_are_read_with_and_without_fraction():
    assert moment("1970-01-01T00:00:01Z") == moment("1000") == moment("1970-01-01T00:00:01.000Z")
    assert moment("rubbish") is None


def test_merged_ids_are_read_from_both_properties():
    properties = {"hs_merged_object_ids": "12;7", "hs_calculated_merged_vids": "7:1600000000000;31:1600000000001"}
    assert merged_ids(properties) == ["7", "12", "31"]
