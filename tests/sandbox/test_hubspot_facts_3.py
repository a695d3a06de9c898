"""The switches of HubSpot's twin that no other module turns: each at two settings or more, seen over HTTP."""

import itertools
from contextlib import contextmanager
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from sync_platform.sandbox.hubspot.system import HubSpotSandbox
from sync_platform.sandbox.world import World
from tests.sandbox.conftest import served
from tests.sandbox.hubspot_account import CONTACTS, TICKETS, Account, served_account

COMPANIES = "/crm/v3/objects/companies"
PROPERTIES = "/crm/v3/properties/contacts"
BACK = "http://127.0.0.1:9/back"
READ = "crm.objects.contacts.read"
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def hubspot(tmp_path_factory):
    world = World(tmp_path_factory.mktemp("switches"), seed=1, rate_scale=100_000)
    side = HubSpotSandbox(world)
    still = {"property_delay_s": 0, "search_lag_s": 0, "journal_delay_s": 0}
    world.switches.update({f"hubspot.{name}": value for name, value in still.items()})
    headers = {"authorization": f"Bearer {side.credentials()['access_token']}"}
    with served(side.app()) as url, httpx.Client(base_url=url, headers=headers) as client:
        yield Account(world, side, client)
    side.close()


@contextmanager
def _set(hubspot, **switches):
    before = {name: hubspot.world.switches.get(f"hubspot.{name}") for name in switches}
    hubspot.set(**switches)
    try:
        yield
    finally:
        hubspot.set(**before)


def _at(hubspot, name, settings, seen):
    """What is seen at each setting of a switch."""
    found = {}
    for setting in settings:
        with _set(hubspot, **{name: setting}):
            found[setting] = seen()
    return found


def _email():
    return f"person{next(_numbers)}@example.com"


def _search_ids(hubspot, name, value, path=CONTACTS):
    group = {"filters": [{"propertyName": name, "operator": "EQ", "value": value}]}
    return [row["id"] for row in hubspot.post(f"{path}/search", {"filterGroups": [group]})["results"]]


# credentials


def test_a_malformed_token_is_a_401_or_a_530_page_by_the_switch(hubspot):
    def seen():
        answer = httpx.get(f"{hubspot.http.base_url}{CONTACTS}", headers={"authorization": "Bearer pat-na1 12"})
        return answer.status_code, answer.headers["content-type"].partition(";")[0]

    found = _at(hubspot, "malformed_token", (401, 530), seen)
    assert found == {401: (401, "application/json"), 530: (530, "text/html")}


def _app(hubspot):
    known = hubspot.side.credentials()
    return {"client_id": known["client_id"], "client_secret": known["client_secret"]}


def _back(hubspot, scope=READ):
    """Where the consent leads."""
    params = {"client_id": _app(hubspot)["client_id"], "redirect_uri": BACK, "scope": scope}
    return parse_qs(urlsplit(hubspot.http.get("/oauth/authorize", params=params).headers["location"]).query)


def _token(hubspot, version="v1", **form):
    return hubspot.http.post(f"/oauth/{version}/token", data={**_app(hubspot), "redirect_uri": BACK, **form})


def _granted(hubspot, scope=READ):
    return _token(hubspot, grant_type="authorization_code", code=_back(hubspot, scope)["code"][0]).json()


def test_consent_is_given_or_denied_by_the_switch(hubspot):
    found = _at(hubspot, "oauth_consent", ("grant", "deny"), lambda: sorted(_back(hubspot)))
    assert found == {"grant": ["code"], "deny": ["error", "error_description"]}


def test_a_code_lives_as_long_as_the_switch_says(hubspot):
    def seen():
        code = _back(hubspot)["code"][0]
        hubspot.world.clock.advance(60)
        return _token(hubspot, grant_type="authorization_code", code=code).status_code

    assert _at(hubspot, "oauth_code_s", (30, 600), seen) == {30: 400, 600: 200}


def test_a_refresh_fails_once_the_app_is_uninstalled(hubspot):
    refresh = _granted(hubspot)["refresh_token"]

    def seen():
        answer = _token(hubspot, grant_type="refresh_token", refresh_token=refresh)
        return answer.status_code, answer.json().get("status")

    found = _at(hubspot, "oauth_hub", ("installed", "uninstalled"), seen)
    assert found == {"installed": (200, None), "uninstalled": (400, "BAD_HUB")}


def test_an_expired_token_is_a_401_whose_category_is_a_switch(hubspot):
    headers = {"authorization": f"Bearer {_granted(hubspot)['access_token']}"}
    hubspot.world.clock.advance(1_801)
    settings = ("EXPIRED_AUTHENTICATION", "INVALID_AUTHENTICATION")
    found = _at(
        hubspot,
        "expired_token_category",
        settings,
        lambda: hubspot.call("GET", CONTACTS, status=401, headers=headers)["category"],
    )
    assert found == {setting: setting for setting in settings}


def test_scopes_can_be_taken_from_the_token(hubspot):
    found = _at(hubspot, "missing_scopes", ("", READ, "tickets"), lambda: hubspot.http.get(CONTACTS).status_code)
    assert found == {"": 200, READ: 403, "tickets": 200}


def test_a_path_that_is_not_served_is_501_or_404(hubspot):
    found = _at(hubspot, "unknown_path", (501, 404), lambda: hubspot.http.get("/crm/v3/lists").status_code)
    assert found == {501: 501, 404: 404}


# limits


def test_a_429_has_one_of_three_bodies(tmp_path, serve_app):
    with served_account(tmp_path, serve_app, rate_scale=0.01) as account:
        account.get(CONTACTS)
        account.post(f"{CONTACTS}/search", {})

        def seen():
            bodies = [account.get(CONTACTS, status=429), account.post(f"{CONTACTS}/search", {}, 429)]
            return [body.get("policyName") for body in bodies], [body.get("category") for body in bodies]

        found = _at(account, "limit_body", ("documented", "recorded", "mixed"), seen)
        assert found == {
            "documented": (["TEN_SECONDLY_ROLLING", "SECONDLY"], [None, None]),
            "recorded": ([None, None], ["RATE_LIMITS", "RATE_LIMITS"]),
            "mixed": (["TEN_SECONDLY_ROLLING", None], [None, "RATE_LIMITS"]),
        }
        documented = account.get(CONTACTS, status=429)
        assert documented["errorType"] == "RATE_LIMIT"
        assert documented["message"] == "You have reached your ten_secondly_rolling limit."


def test_the_day_can_be_cut_short(tmp_path, serve_app):
    with served_account(tmp_path, serve_app, rate_scale=1.0) as account:
        found = _at(
            account,
            "calls_per_day",
            (0, 500),
            lambda: account.http.get(CONTACTS).headers["x-hubspot-ratelimit-daily"],
        )
        assert found == {0: "625000", 500: "500"}


# records


def test_a_contact_without_name_and_address_is_taken_or_refused(hubspot):
    def seen():
        return hubspot.http.post(CONTACTS, json={"properties": {"zip": "1"}}).status_code

    assert _at(hubspot, "contact_without_identity", ("accept", "refuse"), seen) == {"accept": 201, "refuse": 400}


def test_partial_upserts_by_address_are_taken_or_refused(hubspot):
    def seen():
        row = {"id": _email(), "idProperty": "email", "properties": {"firstname": "Ada"}}
        return hubspot.http.post(f"{CONTACTS}/batch/upsert", json={"inputs": [row]}).status_code

    assert _at(hubspot, "partial_upsert_by_email", ("accept", "refuse"), seen) == {"accept": 200, "refuse": 400}


def test_a_secondary_address_finds_its_contact_only_when_switched_on(hubspot):
    id_, second = hubspot.contact(email=_email())["id"], _email()
    hubspot.call("PUT", f"/contacts/v1/secondary-email/{id_}/email/{second}")

    def seen():
        return hubspot.http.get(f"{CONTACTS}/{second}", params={"idProperty": "email"}).status_code

    assert _at(hubspot, "id_property_secondary_email", ("off", "on"), seen) == {"off": 404, "on": 200}


def test_additional_addresses_are_written_by_v3_only_when_switched_on(hubspot):
    path = f"{CONTACTS}/{hubspot.contact(email=_email())['id']}"

    def seen():
        body = {"properties": {"hs_additional_emails": f"{_email()};{_email().upper()}"}}
        status = hubspot.http.patch(path, json=body).status_code
        kept = hubspot.get(path, properties="hs_additional_emails")["properties"]["hs_additional_emails"]
        return status, len((kept or "").split(";"))

    assert _at(hubspot, "write_additional_emails", ("refuse", "accept"), seen) == {
        "refuse": (400, 1),
        "accept": (200, 2),
    }


def test_a_contact_follows_its_domain_to_a_company_as_the_account_is_set(hubspot):
    company = hubspot.make("companies", name="Example Works", domain="works.example.com")["id"]

    def companies(domain):
        path = f"/crm/v4/objects/contacts/{hubspot.contact(email=f'a{next(_numbers)}@{domain}')['id']}/associations"
        return [str(row["toObjectId"]) for row in hubspot.get(f"{path}/companies")["results"]]

    found = _at(
        hubspot,
        "companies_by_domain",
        ("off", "associate", "create"),
        lambda: (companies("works.example.com"), len(companies("new.example.com"))),
    )
    assert found == {"off": ([], 0), "associate": ([company], 0), "create": ([company], 1)}
    (made,) = _search_ids(hubspot, "domain", "new.example.com", COMPANIES)
    assert hubspot.get(f"{COMPANIES}/{made}")["properties"]["name"] == "new.example.com"
    with _set(hubspot, companies_by_domain="create"):
        id_ = hubspot.contact(firstname="Ada")["id"]
        hubspot.call("PATCH", f"{CONTACTS}/{id_}", {"properties": {"email": f"a{next(_numbers)}@new.example.com"}})
        linked = hubspot.get(f"/crm/v4/objects/contacts/{id_}/associations/companies")["results"]
        assert [str(row["toObjectId"]) for row in linked] == [made]
        assert sorted(one["typeId"] for one in linked[0]["associationTypes"]) == [1, 279]


def test_a_phone_number_stays_as_typed_or_is_formatted_by_the_account(hubspot):
    def seen():
        made = [hubspot.contact(phone=phone)["properties"]["phone"] for phone in ("+1 (555) 010-0000", "010 0000")]
        return tuple(made)

    assert _at(hubspot, "phone_numbers", ("as_typed", "formatted"), seen) == {
        "as_typed": ("+1 (555) 010-0000", "010 0000"),
        "formatted": ("+15550100000", "010 0000"),
    }


def _merged(hubspot):
    """(id that a merge ended, survivor)."""
    one, two = (hubspot.contact(email=_email())["id"] for _ in range(2))
    return two, hubspot.post(f"{CONTACTS}/merge", {"primaryObjectId": one, "objectIdToMerge": two})["id"]


def test_the_survivor_of_a_merge_has_a_new_id_or_the_primarys(hubspot):
    def seen():
        one, two = (hubspot.contact(firstname="Ada")["id"] for _ in range(2))
        return hubspot.post(f"{CONTACTS}/merge", {"primaryObjectId": one, "objectIdToMerge": two})["id"] == one

    assert _at(hubspot, "merge_id", ("new", "primary"), seen) == {"new": False, "primary": True}


def test_a_batch_by_a_merged_away_id_meets_the_survivor_or_nothing(hubspot):
    old, survivor = _merged(hubspot)

    def read():
        answer = hubspot.http.post(f"{CONTACTS}/batch/read", json={"inputs": [{"id": old}], "properties": []})
        return answer.status_code, [row["id"] for row in answer.json()["results"]]

    def upserted():
        row = {"id": old, "idProperty": "hs_object_id", "properties": {"zip": "1"}, "objectWriteTraceId": "t"}
        answer = hubspot.http.post(f"{CONTACTS}/batch/upsert", json={"inputs": [row]})
        return answer.status_code, [row["id"] for row in answer.json()["results"]]

    assert _at(hubspot, "batch_merged_away", ("survivor", "missing"), lambda: (read(), upserted())) == {
        "survivor": ((200, [survivor]), (200, [survivor])),
        "missing": ((207, []), (207, [])),
    }
    assert hubspot.get(f"{CONTACTS}/{old}", properties="zip")["properties"]["zip"] == "1"


def test_a_search_for_a_merged_away_id_finds_nothing_or_the_survivor(hubspot):
    old, survivor = _merged(hubspot)
    found = _at(
        hubspot, "search_merged_away", ("missing", "survivor"), lambda: _search_ids(hubspot, "hs_object_id", old)
    )
    assert found == {"missing": [], "survivor": [survivor]}


def test_who_is_bumped_by_an_association_is_a_switch(hubspot):
    def seen():
        contact, ticket = hubspot.contact(firstname="Ada")["id"], hubspot.ticket(subject="Hi")["id"]
        paths = (f"{CONTACTS}/{contact}", f"{TICKETS}/{ticket}")
        before = [hubspot.get(path)["updatedAt"] for path in paths]
        hubspot.world.clock.advance(5)
        hubspot.call("PUT", f"/crm/v4/objects/contacts/{contact}/associations/default/tickets/{ticket}")
        return [hubspot.get(path)["updatedAt"] > old for path, old in zip(paths, before, strict=True)]

    assert _at(hubspot, "association_bumps", ("ticket", "both", "off"), seen) == {
        "ticket": [False, True],
        "both": [True, True],
        "off": [False, False],
    }


def test_ids_of_associations_are_numbers_or_texts_by_the_switch(hubspot):
    contact, ticket = hubspot.contact(firstname="Ada")["id"], hubspot.ticket(subject="Hi")["id"]
    path = f"/crm/v4/objects/contacts/{contact}/associations"
    hubspot.call("PUT", f"{path}/default/tickets/{ticket}")
    types = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 15}]

    def seen():
        put = hubspot.call("PUT", f"{path}/tickets/{ticket}", types, 201)
        return hubspot.get(f"{path}/tickets")["results"][0]["toObjectId"], put["fromObjectId"]

    assert _at(hubspot, "association_ids", ("number", "string"), seen) == {
        "number": (int(ticket), int(contact)),
        "string": (ticket, contact),
    }


def test_there_can_be_so_many_labels_as_the_switch_says(hubspot):
    path = "/crm/v4/associations/companies/tickets/labels"

    def seen():
        word = f"label{next(_numbers)}"
        return hubspot.http.post(path, json={"label": word, "name": word}).status_code

    with _set(hubspot, labels_max=2):
        assert [seen() for _ in range(3)] == [200, 200, 400]
    assert seen() == 200


def test_history_is_as_deep_as_the_switch_says(hubspot):
    path = f"{CONTACTS}/{hubspot.contact(phone='0')['id']}"
    for n in range(1, 6):
        hubspot.call("PATCH", path, {"properties": {"phone": str(n)}})

    def seen():
        return len(hubspot.get(path, propertiesWithHistory="phone")["propertiesWithHistory"]["phone"])

    assert _at(hubspot, "history_depth", (2, 45), seen) == {2: 2, 45: 6}


def test_the_source_of_own_writes_is_the_app_or_another_integration(hubspot):
    def seen():
        path = f"{CONTACTS}/{hubspot.contact(phone='0')['id']}"
        (entry,) = hubspot.get(path, propertiesWithHistory="phone")["propertiesWithHistory"]["phone"]
        return entry["sourceType"], entry["sourceId"] == str(hubspot.side.app_id)

    found = _at(hubspot, "source_id", ("app", "other"), seen)
    assert found == {"app": ("INTEGRATION", True), "other": ("INTEGRATION", False)}


def test_a_new_property_can_be_written_at_once_or_after_its_delay(hubspot):
    def seen():
        name = f"late{next(_numbers)}"
        body = {"name": name, "label": name, "type": "string", "fieldType": "text", "groupName": "contactinformation"}
        hubspot.post(PROPERTIES, body, 201)
        early = hubspot.http.post(CONTACTS, json={"properties": {name: "x"}}).status_code
        hubspot.world.clock.advance(1)
        return early, hubspot.http.post(CONTACTS, json={"properties": {name: "x"}}).status_code

    assert _at(hubspot, "property_delay_s", (0, 0.7), seen) == {0: (201, 201), 0.7: (400, 201)}


def test_owners_are_at_most_so_many_a_page_as_the_switch_says(hubspot):
    def seen():
        return hubspot.http.get("/crm/v3/owners/", params={"limit": 500}).status_code

    assert _at(hubspot, "owners_limit_max", (500, 100), seen) == {500: 200, 100: 400}


# search


def test_a_write_is_searchable_at_once_or_after_its_lag(hubspot):
    def seen():
        address = _email()
        id_ = hubspot.contact(email=address)["id"]
        early = _search_ids(hubspot, "email", address)
        hubspot.world.clock.advance(31)
        return early == [id_], _search_ids(hubspot, "email", address) == [id_]

    assert _at(hubspot, "search_lag_s", (0.0, 30.0), seen) == {0.0: (True, True), 30.0: (False, True)}


def test_a_query_ends_at_ten_thousand_and_whether_its_total_does_is_a_switch(hubspot):
    rows = [{"properties": {"name": "Chair"}} for _ in range(100)]
    for _ in range(101):
        hubspot.post("/crm/v3/objects/products/batch/create", {"inputs": rows}, 201)
    path = "/crm/v3/objects/products/search"
    found = _at(hubspot, "search_total_capped", ("off", "on"), lambda: hubspot.post(path, {"limit": 1})["total"])
    assert found == {"off": 10_100, "on": 10_000}
    last = hubspot.post(path, {"limit": 200, "after": "9800"})
    assert len(last["results"]) == 200

    def refused():
        return hubspot.post(path, {"limit": 200, "after": "10000"}, 400).get("category")

    assert _at(hubspot, "search_cap_body", ("category", "bare"), refused) == {
        "category": "VALIDATION_ERROR",
        "bare": None,
    }
    listed, after, seen = 0, "0", set()
    while after:
        page = hubspot.get("/crm/v3/objects/products", limit=100, after=after)
        listed += len(page["results"])
        seen |= {row["id"] for row in page["results"]}
        after = page.get("paging", {}).get("next", {}).get("after")
    assert listed == len(seen) == 10_100  # a list has no cap
