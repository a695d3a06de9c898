"""OAuth on HubSpot's twin, as an app goes through it: consent, code, tokens, expiry, scopes, limits."""

import base64
import hashlib
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.sandbox.hubspot_account import CONTACTS, TICKETS, served_account

URI = "http://127.0.0.1:9/back"
READ = "crm.objects.contacts.read"
WRITE = "crm.objects.contacts.write"


@pytest.fixture
def hubspot(tmp_path, serve_app):
    with served_account(tmp_path, serve_app) as account:
        account.http.headers.pop("authorization")
        yield account


def _app(hubspot):
    known = hubspot.side.credentials()
    return {"client_id": known["client_id"], "client_secret": known["client_secret"]}


def _consent(hubspot, scope=READ, **more):
    params = {"client_id": _app(hubspot)["client_id"], "redirect_uri": URI, "scope": scope, "state": "s 1", **more}
    answer = hubspot.http.get("/oauth/authorize", params=params)
    assert answer.status_code == 302, answer.text
    assert answer.headers["location"].startswith(URI)
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["location"]).query).items()}


def _token(hubspot, status=200, version="v1", **form):
    answer = hubspot.http.post(f"/oauth/{version}/token", data={**_app(hubspot), **form})
    assert answer.status_code == status, answer.text
    return answer.json()


def _granted(hubspot, scope=READ, version="v1", **more):
    code = _consent(hubspot, scope, **more)["code"]
    return _token(hubspot, version=version, grant_type="authorization_code", code=code, redirect_uri=URI)


def _as(token):
    return {"authorization": f"Bearer {token}"}


def test_consent_leads_back_with_a_code_and_the_state(hubspot):
    back = _consent(hubspot)
    assert back["state"] == "s 1"
    token = _token(hubspot, grant_type="authorization_code", code=back["code"], redirect_uri=URI)
    assert token["expires_in"] == 1800
    assert token["token_type"] == "bearer"
    assert set(token) == {"access_token", "refresh_token", "expires_in", "token_type"}
    assert hubspot.http.get(CONTACTS, headers=_as(token["access_token"])).status_code == 200


def test_a_person_who_denies_sends_no_code(hubspot):
    hubspot.set(oauth_consent="deny")
    assert _consent(hubspot)["error"] == "access_denied"


def test_authorize_refuses_an_unknown_app_a_plain_address_and_unknown_scopes(hubspot):
    good = {"client_id": _app(hubspot)["client_id"], "redirect_uri": URI, "scope": READ}
    wrong = ({"client_id": "x"}, {"redirect_uri": "http://www.example.com/"}, {"scope": "crm.nonsense"}, {"scope": ""})
    for change in wrong:
        assert hubspot.http.get("/oauth/authorize", params={**good, **change}).status_code == 400


def test_a_code_is_good_for_one_try_and_ten_minutes(hubspot):
    code = _consent(hubspot)["code"]
    form = {"grant_type": "authorization_code", "redirect_uri": URI}
    wrong = _token(hubspot, 400, **form | {"redirect_uri": "http://127.0.0.1/other"}, code=code)
    assert wrong["status"] == "BAD_REDIRECT_URI"
    assert _token(hubspot, 400, **form, code=code)["status"] == "BAD_AUTH_CODE"
    late = _consent(hubspot)["code"]
    hubspot.world.clock.advance(601)
    assert _token(hubspot, 400, **form, code=late)["error"] == "invalid_grant"


def test_a_code_with_a_challenge_needs_its_verifier(hubspot):
    verifier = "v" * 43
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    form = {"version": "v3", "grant_type": "authorization_code", "redirect_uri": URI}
    code = _consent(hubspot, code_challenge=challenge)["code"]
    assert _token(hubspot, 400, **form, code=code)["status"] == "BAD_CODE_VERIFIER"
    code = _consent(hubspot, code_challenge=challenge)["code"]
    assert _token(hubspot, **form, code=code, code_verifier=verifier)["access_token"]


def test_an_access_token_expires_after_half_an_hour_and_a_refresh_token_does_not_rotate(hubspot):
    first = _granted(hubspot)
    hubspot.world.clock.advance(1801)
    expired = hubspot.http.get(CONTACTS, headers=_as(first["access_token"]))
    assert expired.status_code == 401
    assert expired.json()["category"] == "EXPIRED_AUTHENTICATION"
    second = _token(hubspot, grant_type="refresh_token", refresh_token=first["refresh_token"])
    assert second["refresh_token"] == first["refresh_token"]
    assert second["access_token"] != first["access_token"]
    assert hubspot.http.get(CONTACTS, headers=_as(second["access_token"])).status_code == 200
    hubspot.world.clock.advance(400 * 86_400)
    assert _token(hubspot, grant_type="refresh_token", refresh_token=first["refresh_token"])["access_token"]


def test_the_category_of_an_expired_token_is_a_switch(hubspot):
    token = _granted(hubspot)["access_token"]
    hubspot.world.clock.advance(1801)
    hubspot.set(expired_token_category="INVALID_AUTHENTICATION")
    assert hubspot.http.get(CONTACTS, headers=_as(token)).json()["category"] == "INVALID_AUTHENTICATION"


def test_a_refused_refresh_names_its_reason_in_oauths_own_form(hubspot):
    good = {"grant_type": "refresh_token", "refresh_token": _granted(hubspot)["refresh_token"]}
    cases = [
        ({"refresh_token": "x"}, "BAD_REFRESH_TOKEN", "invalid_grant"),
        ({"client_id": "x"}, "BAD_CLIENT_ID", "invalid_client"),
        ({"client_secret": "x"}, "BAD_CLIENT_SECRET", "invalid_client"),
        ({"grant_type": "password"}, "BAD_GRANT_TYPE", "unsupported_grant_type"),
    ]
    for change, status, error in cases:
        refused = _token(hubspot, 400, **good | change)
        assert (refused["status"], refused["error"]) == (status, error)
        assert refused["message"] == refused["error_description"]
    hubspot.set(oauth_hub="uninstalled")
    gone = _token(hubspot, 400, **good)
    assert (gone["status"], gone["error"]) == ("BAD_HUB", "access_denied")


@pytest.mark.parametrize("version", ["v3", "2026-03", "2026-09"])
def test_newer_token_endpoints_also_tell_use_hub_and_scopes(hubspot, version):
    token = _granted(hubspot, version=version)
    assert token["token_use"] == "access_token"
    assert token["hub_id"] == hubspot.side.portal_id
    assert token["scopes"] == ["oauth", READ]


def test_client_credentials_are_for_the_newer_endpoints(hubspot):
    form = {"grant_type": "client_credentials", "scope": f"{READ} developer.webhooks_journal.read"}
    assert _token(hubspot, 400, **form)["status"] == "BAD_GRANT_TYPE"
    token = _token(hubspot, version="2026-03", **form)
    assert token["token_use"] == "client_credentials"
    assert "refresh_token" not in token
    assert hubspot.http.get(CONTACTS, headers=_as(token["access_token"])).status_code == 200


def test_a_token_may_do_what_its_scopes_say_and_no_more(hubspot):
    token = _granted(hubspot, optional_scope=f"{WRITE} nonsense")["access_token"]
    made = hubspot.http.post(CONTACTS, json={"properties": {"firstname": "Ada"}}, headers=_as(token))
    assert made.status_code == 201
    refused = hubspot.http.get(TICKETS, headers=_as(token))
    assert refused.status_code == 403
    body = refused.json()
    assert body["category"] == "MISSING_SCOPES"
    assert body["errors"][0]["context"]["requiredGranularScopes"] == ["crm.objects.tickets.read"]
    assert body["links"]["scopes"]
    hubspot.set(missing_scopes_body="top_level")
    body = hubspot.http.get(TICKETS, headers=_as(token)).json()
    assert body["message"] == "One or more of the following scopes are required."
    assert body["context"]["requiredGranularScopes"] == ["crm.objects.tickets.read"]


def test_which_scope_tickets_need_is_a_switch(hubspot):
    legacy = _as(_granted(hubspot, "tickets")["access_token"])
    granular = _as(_granted(hubspot, "crm.objects.tickets.read")["access_token"])
    seen = {}
    for policy in ("either", "legacy", "granular"):
        hubspot.set(ticket_scope=policy)
        seen[policy] = [hubspot.http.get(TICKETS, headers=one).status_code for one in (legacy, granular)]
    assert seen == {"either": [200, 200], "legacy": [200, 403], "granular": [403, 200]}


def test_an_association_call_needs_scopes_on_both_sides(hubspot):
    path = "/crm/v4/objects/contacts/1/associations/companies"
    assert hubspot.http.get(path, headers=_as(_granted(hubspot)["access_token"])).status_code == 403
    both = _granted(hubspot, f"{READ} crm.objects.companies.read")["access_token"]
    assert hubspot.http.get(path, headers=_as(both)).status_code == 404


def test_token_information_is_told_and_a_deleted_refresh_token_is_dead(hubspot):
    token = _granted(hubspot)
    hubspot.world.clock.advance(100)
    about = hubspot.http.get(f"/oauth/v1/access-tokens/{token['access_token']}").json()
    assert about["hub_id"] == hubspot.side.portal_id
    assert about["app_id"] == hubspot.side.app_id
    assert about["scopes"] == ["oauth", READ]
    assert 1690 <= about["expires_in"] <= 1700
    assert hubspot.http.get("/oauth/v1/access-tokens/nonsense").status_code == 404
    path = f"/oauth/v1/refresh-tokens/{token['refresh_token']}"
    assert hubspot.http.get(path).json()["client_id"] == _app(hubspot)["client_id"]
    assert hubspot.http.delete(path).status_code == 204
    refused = _token(hubspot, 400, grant_type="refresh_token", refresh_token=token["refresh_token"])
    assert refused["status"] == "BAD_REFRESH_TOKEN"
    ring = hubspot.world.calls.recent(100)
    assert not any(token["refresh_token"] in row["path"] or token["access_token"] in row["path"] for row in ring)


def test_newer_versions_introspect_and_revoke(hubspot):
    token = _granted(hubspot)
    asked = {**_app(hubspot), "token": token["access_token"]}
    about = hubspot.http.post("/oauth/2026-03/token/introspect", data=asked).json()
    assert about["active"] is True
    assert about["token_use"] == "access_token"
    assert hubspot.http.post("/oauth/2026-03/token/revoke", data=asked).status_code == 204
    assert hubspot.http.post("/oauth/2026-03/token/introspect", data=asked).json() == {"active": False}
    assert hubspot.http.get(CONTACTS, headers=_as(token["access_token"])).status_code == 401


def test_an_oauth_app_has_110_calls_in_ten_seconds_and_no_daily_header(tmp_path, serve_app):
    with served_account(tmp_path, serve_app, rate_scale=0.1) as hubspot:
        own = dict(hubspot.http.headers)
        hubspot.http.headers.pop("authorization")
        token = _as(_granted(hubspot)["access_token"])
        answers = [hubspot.http.get(CONTACTS, headers=token) for _ in range(12)]
        assert [one.status_code for one in answers] == [200] * 11 + [429]
        assert answers[0].headers["x-hubspot-ratelimit-max"] == "11"
        assert answers[0].headers["x-hubspot-ratelimit-interval-milliseconds"] == "10000"
        assert not any("daily" in name for answer in answers for name in answer.headers)
        private = httpx.get(f"{hubspot.http.base_url}{CONTACTS}", headers={"authorization": own["authorization"]})
        assert private.status_code == 200
        assert private.headers["x-hubspot-ratelimit-daily"] == "62500"
        hubspot.world.clock.advance(11)
        assert hubspot.http.get(CONTACTS, headers=token).status_code == 200


def test_tokens_outlive_a_restart(tmp_path, serve_app):
    with served_account(tmp_path, serve_app) as hubspot:
        token = _granted(hubspot)["access_token"]
    with served_account(tmp_path, serve_app) as hubspot:
        assert hubspot.http.get(CONTACTS, headers=_as(token)).status_code == 200
