"""Gorgias's twin: credentials, scopes, errors, limits, cursors. The docstrings say how sure the rule is."""

import re
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.sandbox.gorgias_account import opened


@pytest.fixture
def gorgias(world):
    with opened(world) as account:
        yield account


def grant(gorgias, scope):
    """An OAuth token answer for these scopes."""
    with gorgias.client() as client:
        asked = {
            "response_type": "code",
            "client_id": gorgias.keys["client_id"],
            "redirect_uri": "http://127.0.0.1:9/back",
            "scope": scope,
            "state": "s1",
        }
        back = client.get("/oauth/authorize", params=asked)
        assert back.status_code == 302
        answer = parse_qs(urlsplit(back.headers["location"]).query)
        assert answer["state"] == ["s1"]
        form = {
            "grant_type": "authorization_code",
            "code": answer["code"][0],
            "redirect_uri": asked["redirect_uri"],
            "client_id": asked["client_id"],
        }
        return form, token(gorgias, form)


def token(gorgias, form, status=200):
    keys = gorgias.keys
    with gorgias.client(auth=(keys["client_id"], keys["client_secret"])) as client:
        answer = client.post("/oauth/token", data=form)
    assert answer.status_code == status, answer.text
    return answer.json()


def bearer(gorgias, access_token):
    return gorgias.client(headers={"authorization": f"Bearer {access_token}"})


def test_no_and_wrong_credentials_answer_401_in_the_common_error_shape(gorgias):
    """[doc] status and shape; the text is not established."""
    for auth in (None, ("x@example.com", "wrong"), (gorgias.keys["email"], "wrong")):
        with gorgias.client(auth=auth) as client:
            answer = client.get("/api/account")
        assert answer.status_code == 401
        assert answer.json()["error"]["msg"]


def test_a_broken_authorization_header_is_401(gorgias):
    """[inferred]"""
    for value in ("Basic !!!", "Basic", "Bearer", "Digest x", "Bearer nope"):
        with gorgias.client(headers={"authorization": value}) as client:
            assert client.get("/api/account").status_code == 401


def test_the_account_is_the_probe_of_credentials_and_shows_the_survey_setting(gorgias):
    """[code] probe; [code] setting's shape."""
    settings = gorgias.get("account")["settings"]
    assert settings[0]["data"]["send_survey_for_email"] is False
    gorgias.switch(survey_after_close="on")
    listed = gorgias.get("account/settings", type="satisfaction-surveys")["data"]
    assert [entry["data"]["send_survey_for_email"] for entry in listed] == [True]


def test_user_zero_is_the_caller(gorgias):
    """[doc]"""
    assert gorgias.get("users/0")["email"] == gorgias.keys["email"]


def test_both_forms_of_a_path_are_served_without_redirect(gorgias):
    """[code] both are in use; [inferred] no redirect."""
    made = gorgias.customer()
    assert gorgias.get(f"customers/{made['id']}/") == gorgias.get(f"customers/{made['id']}")


def test_unknown_paths_are_404_and_unknown_methods_405(gorgias):
    """[doc] texts of 2020."""
    gorgias.switch(unknown_path=404)
    assert gorgias.get("nothing", 404)["error"]["msg"] == "Resource not found."
    assert gorgias.get("customers/99", 404)["error"]["msg"] == "Resource not found."
    assert gorgias.call("PATCH", "customers", {}, 405)["error"]["msg"] == "The specified HTTP method is not allowed."


def test_an_unknown_query_parameter_is_400(gorgias):
    """[doc] unknown parameters are 400; [inferred] text."""
    error = gorgias.get("customers", 400, updated_since="2026-01-01")["error"]
    assert error["data"] == {"updated_since": ["Unknown field."]}


@pytest.mark.parametrize(
    "path", ["tickets/1", "users", "tags", "events", "messages", "satisfaction-surveys", "account"]
)
def test_every_read_refuses_unknown_parameters(gorgias, path):
    """[doc]"""
    assert "nope" in gorgias.get(path, 400, nope="1")["error"]["data"]


def test_a_body_that_is_no_json_is_400(gorgias):
    """[inferred]"""
    for content in (b"{", b"\xff", b'{"name": "\\ud800"}', b"[]", b"", b'{"data": NaN}'):
        assert gorgias.http.post("/api/customers", content=content).status_code == 400


def test_a_body_that_is_too_large_is_413(gorgias):
    """[doc] the status; the size is not published."""
    assert gorgias.http.post("/api/customers", content=b" " * (11 * 1024 * 1024)).status_code == 413


def test_a_token_bears_its_scopes_and_lacking_one_is_403(gorgias):
    """[doc]"""
    _, answer = grant(gorgias, "customers:read offline")
    assert answer["expires_in"] == 86_400
    with bearer(gorgias, answer["access_token"]) as client:
        assert client.get("/api/customers").status_code == 200
        refused = client.post("/api/customers", json={"channels": []})
        assert refused.status_code == 403
        assert refused.json()["error"]["msg"].startswith("You do not have enough permissions")
        assert client.get("/api/tickets").status_code == 403


def test_the_legacy_scope_write_all_is_honoured(gorgias):
    """[doc]"""
    _, answer = grant(gorgias, "write:all")
    with bearer(gorgias, answer["access_token"]) as client:
        assert client.get("/api/tickets").status_code == 200
    assert "refresh_token" not in answer


def test_an_access_token_ends_after_24_hours_and_is_refreshed(gorgias):
    """[doc]"""
    _, answer = grant(gorgias, "account:read offline")
    with bearer(gorgias, answer["access_token"]) as client:
        assert client.get("/api/account").status_code == 200
        gorgias.world.clock.advance(86_401)
        assert client.get("/api/account").status_code == 401
    fresh = token(gorgias, {"grant_type": "refresh_token", "refresh_token": answer["refresh_token"]})
    with bearer(gorgias, fresh["access_token"]) as client:
        assert client.get("/api/account").status_code == 200


def test_a_code_works_once(gorgias):
    """[inferred] from OAuth 2."""
    form, _ = grant(gorgias, "account:read")
    assert token(gorgias, form, 400) == {"error": "invalid_grant"}


def test_a_refresh_token_rotates_only_by_switch(gorgias):
    """Not established: switch refresh_rotation."""
    _, answer = grant(gorgias, "account:read offline")
    form = {"grant_type": "refresh_token", "refresh_token": answer["refresh_token"]}
    assert token(gorgias, form)["refresh_token"] == answer["refresh_token"]
    gorgias.switch(refresh_rotation="omit")
    assert "refresh_token" not in token(gorgias, form)
    gorgias.switch(refresh_rotation="on")
    assert token(gorgias, form)["refresh_token"] != answer["refresh_token"]
    assert token(gorgias, form, 400) == {"error": "invalid_grant"}


def test_the_client_of_the_token_endpoint_proves_itself(gorgias):
    """[code] id and secret by Basic."""
    with gorgias.client(auth=(gorgias.keys["client_id"], "wrong")) as client:
        assert client.post("/oauth/token", data={"grant_type": "refresh_token"}).status_code == 401


def test_the_limit_header_is_on_every_answer(gorgias):
    """[doc] [rec on a 403]"""
    for path in ("/api/account", "/api/nothing", "/api/customers?x=1"):
        assert re.fullmatch(r"\d+/4000", gorgias.http.get(path).headers["x-gorgias-account-api-call-limit"])
    with gorgias.client() as client:
        assert "x-gorgias-account-api-call-limit" in client.get("/api/account").headers


def test_the_forty_first_call_within_twenty_seconds_is_429(gorgias):
    """[doc] 40 in 20 s for an API key; [code] Retry-After is whole seconds; [rec] it is on 429 only."""
    gorgias.world.rate_scale = 1.0
    for used in range(1, 41):
        answer = gorgias.http.get("/api/account")
        assert answer.headers["x-gorgias-account-api-call-limit"] == f"{used}/40"
        assert "retry-after" not in answer.headers
    refused = gorgias.http.get("/api/account")
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["retry-after"]) <= 20
    assert refused.json()["error"]["msg"]
    gorgias.world.clock.advance(20)
    assert gorgias.http.get("/api/account").status_code == 200
    assert gorgias.world.calls.summary()["window_max"]["gorgias.api_key"] == 40


def test_an_oauth_app_has_a_window_of_its_own_of_eighty(gorgias):
    """[doc] [rec]"""
    gorgias.world.rate_scale = 1.0
    _, answer = grant(gorgias, "account:read")
    gorgias.get("account")
    with bearer(gorgias, answer["access_token"]) as client:
        assert client.get("/api/account").headers["x-gorgias-account-api-call-limit"] == "1/80"


def test_enterprise_accounts_have_windows_of_ten_seconds(gorgias):
    """[doc]"""
    gorgias.world.rate_scale = 1.0
    gorgias.switch(enterprise="on")
    for _ in range(40):
        gorgias.get("account")
    gorgias.get("account", 429)
    gorgias.world.clock.advance(10)
    gorgias.get("account")


def test_a_plan_limit_per_second_stands_beside_the_window(gorgias):
    """Not established: switch plan_per_s."""
    gorgias.world.rate_scale = 1.0
    gorgias.switch(plan_per_s=2)
    statuses = [gorgias.http.get("/api/account").status_code for _ in range(3)]
    assert statuses == [200, 200, 429]
    gorgias.world.clock.advance(1)
    gorgias.get("account")


def test_a_planned_429_is_in_the_vendors_shape(gorgias, serve_app):
    """[inferred]"""
    from sync_platform.sandbox.faults import FaultGate

    gorgias.world.faults.put([{"system": "gorgias", "path": "*", "kind": "429", "times": 1}])
    url = serve_app(FaultGate(gorgias.app, gorgias.world, "gorgias"))
    auth = (gorgias.keys["email"], gorgias.keys["api_key"])
    with httpx.Client(base_url=url, auth=auth) as client:
        answer = client.get("/api/account")
        assert answer.status_code == 429
        assert int(answer.headers["retry-after"]) >= 1
        assert client.get("/api/account").status_code == 200


def test_an_observers_writes_are_403(gorgias):
    """[doc] a role that lacks the permission gives 403."""
    gorgias.switch(key_role="observer-agent")
    gorgias.get("customers")
    gorgias.post("customers", {"channels": []}, 403)


def test_calls_are_logged_by_template(gorgias):
    made = gorgias.customer()
    gorgias.world.calls.clear()
    gorgias.get(f"customers/{made['id']}")
    gorgias.get("customers/5", 404)
    by = {(row["path"], row["status"]): row["count"] for row in gorgias.world.calls.summary()["by"]}
    assert by == {("/api/customers/{id}", 200): 1, ("/api/customers/{id}", 404): 1}


def test_it_is_served_over_a_socket(world, serve_app):
    with opened(world) as account:
        url = serve_app(account.app)
        auth = (account.keys["email"], account.keys["api_key"])
        with httpx.Client(base_url=url, auth=auth) as client:
            made = client.post("/api/customers", json={"channels": [{"type": "email", "address": "ada@example.com"}]})
            assert made.status_code == 201
            assert client.delete(f"/api/customers/{made.json()['id']}").status_code == 204
            assert client.get("/api/customers").json()["data"] == []
