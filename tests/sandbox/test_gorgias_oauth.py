"""Gorgias's twin: OAuth2 from the question to the refresh. The docstrings say how sure the rule is."""

from urllib.parse import parse_qs, urlsplit

import pytest

from tests.sandbox.gorgias_served import served_account
from tests.sandbox.test_gorgias_access import bearer, grant, token

BACK = "https://app.example.com/back?keep=1"


@pytest.fixture(scope="module")
def account(tmp_path_factory):
    with served_account(tmp_path_factory.mktemp("gorgias")) as account:
        yield account


@pytest.fixture
def gorgias(account):
    account.world.switches.restore()
    account.world.rate_scale = 1_000.0
    return account


def ask(gorgias, **more):
    """The authorize call, as a browser makes it."""
    asked = {
        "response_type": "code", "client_id": gorgias.keys["client_id"], "redirect_uri": BACK,
        "scope": "account:read", "state": "s&1", "nonce": "n1", **more,
    }  # fmt: skip
    return gorgias.http.get("/oauth/authorize", params={k: v for k, v in asked.items() if v is not None})


def back(answer):
    """The query with which the browser returns."""
    assert answer.status_code == 302
    target = urlsplit(answer.headers["location"])
    assert (target.netloc, target.path) == ("app.example.com", "/back")
    return {name: values[0] for name, values in parse_qs(target.query).items()}


def test_the_browser_returns_with_code_and_state_to_the_address_it_came_from(gorgias):
    """[doc] [code]; state and nonce are parameters."""
    found = back(ask(gorgias))
    assert found["keep"] == "1"
    assert found["state"] == "s&1"
    assert found["code"]


def test_a_wrong_client_or_address_is_told_on_the_spot(gorgias):
    """[inferred] from OAuth 2."""
    for wrong in (
        {"client_id": "other"},
        {"redirect_uri": "javascript:x"},
        {"redirect_uri": "http://["},
        {"redirect_uri": None},
    ):
        answer = ask(gorgias, **wrong)
        assert answer.status_code == 400
        assert "location" not in answer.headers


def test_a_call_without_a_known_scope_returns_with_an_error(gorgias):
    """[inferred] from OAuth 2."""
    for scope in ("", "nothing:known"):
        assert back(ask(gorgias, scope=scope)) == {"keep": "1", "state": "s&1", "error": "invalid_scope"}
    assert back(ask(gorgias, response_type="token"))["error"] == "unsupported_response_type"


def test_whether_an_unknown_scope_is_refused_is_a_switch(gorgias):
    """Not established: the full list of scopes."""
    assert back(ask(gorgias, scope="account:read satisfaction_survey:read"))["code"]
    gorgias.switch(unknown_scope="refused")
    assert back(ask(gorgias, scope="account:read satisfaction_survey:read"))["error"] == "invalid_scope"


def test_a_person_may_refuse(gorgias):
    """[inferred] from OAuth 2."""
    gorgias.switch(oauth_consent="refuse")
    assert back(ask(gorgias))["error"] == "access_denied"


def test_a_page_asks_a_person_who_allows_or_denies(gorgias):
    """Ours: for trying an app by hand."""
    gorgias.switch(oauth_consent="page")
    page = ask(gorgias, state='"><script>')
    assert page.headers["content-type"].startswith("text/html")
    assert "account:read" in page.text
    assert "<script>" not in page.text
    assert back(ask(gorgias, decision="allow"))["code"]
    assert back(ask(gorgias, decision="deny"))["error"] == "access_denied"


def code_form(gorgias, **more):
    code = back(ask(gorgias, **more))["code"]
    return {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK}


def test_the_client_may_prove_itself_in_the_form(gorgias):
    """[inferred] from OAuth 2; Basic was seen in a working client."""
    keys = {name: gorgias.keys[name] for name in ("client_id", "client_secret")}
    with gorgias.client() as client:
        assert client.post("/oauth/token", data={**code_form(gorgias), **keys}).json()["token_type"] == "Bearer"
        wrong = {**keys, "client_secret": "wrong"}
        assert client.post("/oauth/token", data={**code_form(gorgias), **wrong}).status_code == 401
        assert client.post("/oauth/token", data=code_form(gorgias)).status_code == 401


def test_a_code_belongs_to_its_address_and_ends_after_ten_minutes(gorgias):
    """[inferred] from OAuth 2."""
    assert token(gorgias, {**code_form(gorgias), "redirect_uri": "https://app.example.com/"}, 400)
    form = code_form(gorgias)
    gorgias.world.clock.advance(601)
    assert token(gorgias, form, 400) == {"error": "invalid_grant"}


def test_a_grant_of_no_known_kind_is_400(gorgias):
    """[inferred] from OAuth 2."""
    assert token(gorgias, {"grant_type": "password"}, 400) == {"error": "unsupported_grant_type"}
    assert token(gorgias, {}, 400) == {"error": "invalid_request"}
    assert token(gorgias, {"grant_type": "refresh_token", "refresh_token": "no"}, 400) == {"error": "invalid_grant"}


def test_a_refresh_token_needs_the_scope_offline_and_has_no_expiry(gorgias):
    """[doc]"""
    assert "refresh_token" not in token(gorgias, code_form(gorgias))
    answer = token(gorgias, code_form(gorgias, scope="account:read offline"))
    gorgias.world.clock.advance(400 * 86_400)
    form = {"grant_type": "refresh_token", "refresh_token": answer["refresh_token"]}
    fresh = token(gorgias, form)
    with bearer(gorgias, fresh["access_token"]) as client:
        assert client.get("/api/account").status_code == 200


def test_answers_with_tokens_are_not_kept_by_caches(gorgias):
    """[inferred] from OAuth 2."""
    keys = gorgias.keys
    with gorgias.client(auth=(keys["client_id"], keys["client_secret"])) as client:
        answer = client.post("/oauth/token", data=code_form(gorgias))
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json()["expires_in"] == 86_400


SCOPED = {
    "account": ["account", "account/settings"],
    "users": ["users", "users/0"],
    "customers": ["customers"],
    "tickets": ["tickets", "messages", "views", "phone/voice-calls"],
    "custom_fields": ["custom-fields?object_type=Ticket"],
    "events": ["events"],
    "integrations": ["integrations", "widgets"],
    "jobs": ["jobs"],
    "macros": ["macros"],
    "rules": ["rules"],
    "tags": ["tags"],
    "surveys": ["satisfaction-surveys"],
}


@pytest.mark.parametrize("name", list(SCOPED))
def test_each_resource_asks_for_its_own_scope(gorgias, name):
    """[doc] for the documented pairs, tickets covering views and messages; [inferred] for the others."""
    _, own = grant(gorgias, f"{name}:read")
    _, other = grant(gorgias, "customers:read" if name != "customers" else "tickets:read")
    with bearer(gorgias, own["access_token"]) as mine, bearer(gorgias, other["access_token"]) as foreign:
        for path in SCOPED[name]:
            assert mine.get(f"/api/{path}").status_code == 200, path
            refused = foreign.get(f"/api/{path}")
            assert refused.status_code == 403
            assert refused.json()["error"]["msg"].startswith("You do not have enough permissions")


@pytest.mark.parametrize("shape", ["error", "text", "empty"])
def test_the_body_of_a_401_is_a_switch(gorgias, shape):
    """Not established."""
    gorgias.switch(unauthorized_reply=shape)
    with gorgias.client() as client:
        answer = client.get("/api/account")
    assert answer.status_code == 401
    assert "x-gorgias-account-api-call-limit" in answer.headers
    assert answer.headers["content-type"].startswith("application/json" if shape == "error" else "text/html")
    assert bool(answer.content) is (shape != "empty")


def test_the_eighty_first_call_of_an_app_within_twenty_seconds_is_429(gorgias):
    """[doc] [rec] n/80."""
    _, answer = grant(gorgias, "account:read")
    gorgias.world.clock.advance(30)
    gorgias.world.rate_scale = 1.0
    with bearer(gorgias, answer["access_token"]) as client:
        statuses = [client.get("/api/account").status_code for _ in range(81)]
        assert statuses == [200] * 80 + [429]
        gorgias.world.clock.advance(20)
        assert client.get("/api/account").headers["x-gorgias-account-api-call-limit"] == "1/80"
