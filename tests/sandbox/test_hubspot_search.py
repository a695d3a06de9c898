"""HubSpot's search and its limits: operators, lag, cap, the buckets with their headers and refusals."""

from dataclasses import dataclass

import httpx
import pytest

from sync_platform.sandbox.hubspot.system import HubSpotSandbox
from sync_platform.sandbox.world import World

CONTACTS = "/crm/v3/objects/contacts"


@dataclass
class Account:
    """A served HubSpot twin with a client that has its token."""

    world: World
    side: HubSpotSandbox
    http: httpx.Client

    def contact(self, **props):
        answer = self.http.post(CONTACTS, json={"properties": props})
        assert answer.status_code == 201, answer.text
        return answer.json()

    def search(self, *filters, status=200, **body):
        groups = [{"filters": [_filter(*one) for one in filters]}] if filters else []
        answer = self.http.post(f"{CONTACTS}/search", json={"filterGroups": groups, **body})
        assert answer.status_code == status, answer.text
        return answer.json()

    def ids(self, *filters, **body):
        return [row["id"] for row in self.search(*filters, limit=200, **body)["results"]]

    def set(self, **switches):
        self.world.switches.update({f"hubspot.{name}": value for name, value in switches.items()})


def _filter(name, operator, value=None, high=None):
    one = {"propertyName": name, "operator": operator}
    if isinstance(value, list):
        one["values"] = value
    elif value is not None:
        one["value"] = value
    return one | ({"highValue": high} if high is not None else {})


@pytest.fixture
def hubspot(tmp_path, serve_app):
    world = World(tmp_path, seed=1, rate_scale=100)
    side = HubSpotSandbox(world)
    world.switches.update({"hubspot.property_delay_s": 0, "hubspot.search_lag_s": 0})
    token = side.credentials()["access_token"]
    with httpx.Client(base_url=serve_app(side.app()), headers={"authorization": f"Bearer {token}"}) as client:
        yield Account(world, side, client)
    side.close()


@pytest.fixture
def people(hubspot):
    """Three contacts, one second apart: a, b, c."""
    rows = {}
    for name, props in {
        "a": {"email": "ann@example.com", "firstname": "Ann Élise", "phone": "+1 (415) 555-0132", "hs_language": "en"},
        "b": {"email": "bob@example.org", "firstname": "BOB", "zip": "10", "hs_language": "de"},
        "c": {"firstname": "Chris", "lastname": "O'Neil", "zip": "9"},
    }.items():
        rows[name] = hubspot.contact(**props)
        hubspot.world.clock.advance(1)
    return {name: row["id"] for name, row in rows.items()} | {"times": [row["updatedAt"] for row in rows.values()]}


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ([("email", "EQ", "ANN@example.com")], "a"),
        ([("email", "IN", ["ann@example.com", "bob@example.org"])], "ab"),
        ([("email", "IN", ["ANN@example.com"])], ""),
        ([("email", "NOT_IN", ["ann@example.com"])], "b"),
        ([("email", "NEQ", "ann@example.com")], "b"),
        ([("email", "HAS_PROPERTY")], "ab"),
        ([("email", "NOT_HAS_PROPERTY")], "c"),
        ([("firstname", "EQ", "ann éLISE")], "a"),
        ([("firstname", "CONTAINS_TOKEN", "élise")], "a"),
        ([("firstname", "CONTAINS_TOKEN", "chr*")], "c"),
        ([("firstname", "NOT_CONTAINS_TOKEN", "bob")], "ac"),
        ([("lastname", "EQ", "o'neil")], "c"),
        ([("hs_language", "EQ", "de")], "b"),
        ([("hs_language", "EQ", "DE")], ""),
        ([("hs_searchable_calculated_phone_number", "EQ", "4155550132")], "a"),
        ([("firstname", "EQ", "BOB"), ("email", "EQ", "ann@example.com")], ""),
        ([("createdate", "GT", "1000")], "abc"),
        ([("zip", "LT", "5")], "b"),
    ],
)
def test_each_operator_finds_its_rows(hubspot, people, filters, found):
    assert hubspot.ids(*filters) == [people[name] for name in found]


def test_groups_are_alternatives_and_a_sort_orders(hubspot, people):
    groups = [{"filters": [_filter("firstname", "EQ", name)]} for name in ("bob", "chris")]
    body = {"filterGroups": groups, "sorts": ["-createdate"], "properties": ["zip"]}
    answer = hubspot.http.post(f"{CONTACTS}/search", json=body).json()
    assert [row["id"] for row in answer["results"]] == [people["c"], people["b"]]
    assert set(answer["results"][0]["properties"]) == {"zip", "hs_object_id", "createdate", "lastmodifieddate"}
    sort = {"propertyName": "hs_object_id", "direction": "DESCENDING"}
    assert hubspot.ids(sorts=[sort])[0] == people["c"]
    assert hubspot.ids(query="chris o'neil") == [people["c"]]


def test_a_window_by_modified_date_takes_iso_and_milliseconds(hubspot, people):
    first, second, third = people["times"]
    assert hubspot.ids(("lastmodifieddate", "BETWEEN", first, second)) == [people["a"], people["b"]]
    assert hubspot.ids(("lastmodifieddate", "GT", second)) == [people["c"]]
    assert hubspot.ids(("lastmodifieddate", "GTE", third), ("hs_object_id", "GT", people["b"])) == [people["c"]]
    hubspot.set(search_iso_dates="refuse")
    hubspot.search(("lastmodifieddate", "GT", second), status=400)
    hubspot.search(("lastmodifieddate", "GTE", "0"), status=500)


def test_paging_is_by_offset_and_stops_at_ten_thousand(hubspot, people):
    page = hubspot.search(limit=2)
    assert page["total"] == 3
    assert page["paging"]["next"]["after"] == "2"
    rest = hubspot.search(limit=2, after="2")
    assert [row["id"] for row in rest["results"]] == [people["c"]]
    assert "paging" not in rest
    assert hubspot.search(limit=200, after="9800")["results"] == []
    hubspot.search(limit=200, after="9801", status=400)
    hubspot.search(limit=201, status=400)


def test_what_search_does_not_take_is_refused(hubspot):
    hubspot.search(("nonsense", "EQ", "1"), status=400)
    hubspot.search(*[("email", "EQ", "a")] * 7, status=400)
    hubspot.search(("email", "LIKE", "a"), status=400)
    hubspot.search(("email", "EQ"), status=400)
    hubspot.search(("email", "EQ", "x" * 3_000), status=400)
    hubspot.search(sorts=["email", "zip"], status=400)


def test_search_learns_of_a_write_after_the_lag_and_shows_the_old_row_until_then(hubspot):
    id_ = hubspot.contact(firstname="Ada")["id"]
    hubspot.set(search_lag_s=60.0)
    hubspot.http.patch(f"{CONTACTS}/{id_}", json={"properties": {"firstname": "Adele"}}).raise_for_status()
    late = hubspot.contact(firstname="New")["id"]
    gone = hubspot.contact(firstname="Gone")["id"]
    hubspot.http.delete(f"{CONTACTS}/{gone}")
    (row,) = hubspot.search()["results"]
    assert (row["id"], row["properties"]["firstname"]) == (id_, "Ada")
    assert hubspot.ids(("firstname", "EQ", "adele")) == []
    assert hubspot.http.get(f"{CONTACTS}/{id_}").json()["properties"]["firstname"] == "Adele"
    hubspot.world.clock.advance(61)
    assert [row["properties"]["firstname"] for row in hubspot.search()["results"]] == ["Adele", "New"]
    assert hubspot.ids(("firstname", "EQ", "new")) == [late]


def test_writes_arrive_in_search_out_of_order(hubspot):
    hubspot.set(search_lag_s=100.0)
    made = [hubspot.contact(firstname=f"P{n}")["id"] for n in range(40)]
    hubspot.world.clock.advance(60)
    seen = hubspot.ids()
    assert 0 < len(seen) < 40
    assert seen != made[: len(seen)]
    hubspot.world.clock.advance(60)
    assert hubspot.ids() == made


def test_associations_can_be_searched_for(hubspot, people):
    ticket = hubspot.http.post("/crm/v3/objects/tickets", json={"properties": {"hs_pipeline_stage": "1"}}).json()["id"]
    hubspot.http.put(f"/crm/v4/objects/tickets/{ticket}/associations/default/contacts/{people['b']}").raise_for_status()
    assert hubspot.ids(("associations.ticket", "EQ", ticket)) == [people["b"]]
    assert hubspot.ids(("associations.ticket", "NOT_HAS_PROPERTY")) == [people["a"], people["c"]]


def test_search_has_five_a_second_of_its_own_without_interval_headers(tmp_path, serve_app):
    world = World(tmp_path, seed=1)
    side = HubSpotSandbox(world)
    headers = {"authorization": f"Bearer {side.credentials()['access_token']}"}
    with httpx.Client(base_url=serve_app(side.app()), headers=headers) as client:
        answers = [client.post(f"{CONTACTS}/search", json={}) for _ in range(6)]
        assert [answer.status_code for answer in answers] == [200] * 5 + [429]
        assert "x-hubspot-ratelimit-daily-remaining" in answers[0].headers
        assert "x-hubspot-ratelimit-max" not in answers[0].headers
        assert "retry-after" not in answers[5].headers
        assert answers[5].json()["message"] == "You have reached your secondly limit."
        assert answers[5].json()["category"] == "RATE_LIMITS"
        assert "policyName" not in answers[5].json()
        world.clock.advance(1)
        assert client.post(f"{CONTACTS}/search", json={}).status_code == 200
        listed = client.get(CONTACTS)
        assert listed.headers["x-hubspot-ratelimit-remaining"] == "189"
    assert world.calls.summary()["window_max"]["hubspot.search"] == 5
    side.close()


def test_the_ten_second_window_and_the_day_refuse_in_their_own_words(tmp_path, serve_app):
    world = World(tmp_path, seed=1)
    side = HubSpotSandbox(world)
    world.switches.update({"hubspot.plan": "free", "hubspot.retry_after_s": 3})
    headers = {"authorization": f"Bearer {side.credentials()['access_token']}"}
    with httpx.Client(base_url=serve_app(side.app()), headers=headers) as client:
        path = "/account-info/v3/details"
        assert [client.get(path).status_code for _ in range(100)] == [200] * 100
        refused = client.get(path)
        assert refused.status_code == 429
        assert refused.json()["policyName"] == "TEN_SECONDLY_ROLLING"
        assert refused.headers["retry-after"] == "3"
        world.clock.advance(10)
        world.switches.set("hubspot.calls_per_day", 100)
        assert client.get(path).json()["policyName"] == "DAILY"
        world.clock.advance(86_400)
        assert client.get(path).json()["portalId"] == side.portal_id
    by = {(row["path"], row["status"]): row["count"] for row in world.calls.summary()["by"]}
    assert by == {(path, 200): 101, (path, 429): 2}
    side.close()


@pytest.mark.parametrize("name", ["email", "phone", "sync_id", "lastmodifieddate", "hs_object_id"])
def test_a_search_by_an_indexed_property_reads_no_whole_table(hubspot, name):
    prop = {"name": "sync_id", "label": "Sync id", "type": "string", "fieldType": "text", "hasUniqueValue": True}
    hubspot.http.post(
        "/crm/v3/properties/contacts", json={**prop, "groupName": "contactinformation"}
    ).raise_for_status()
    database, seen = hubspot.side._store.db, []
    database.set_trace_callback(seen.append)
    hubspot.search((name, "EQ", "1750000000000"))
    database.set_trace_callback(None)
    (statement,) = [sql for sql in seen if "ORDER BY" in sql]
    plan = " ".join(row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {statement}"))
    wanted = {"lastmodifieddate": "contacts_modified", "hs_object_id": "PRIMARY KEY"}.get(name, f"contacts__{name}")
    assert wanted in plan
    assert "SCAN" not in plan


def test_a_property_that_is_searched_by_gets_an_index_once_there_are_many_rows(hubspot):
    asked = ("lifecyclestage", "EQ", "lead"), ("createdate", "GTE", "1750000000000")
    for number in range(12):
        hubspot.contact(email=f"p{number}@example.com", lifecyclestage=["lead", "customer"][number % 2])
    before = hubspot.search(*asked, limit=2)
    assert before["total"] == 6
    plans = []
    for rows in (13, 12):
        hubspot.side._store.indexed_from = rows
        database, seen = hubspot.side._store.db, []
        hubspot.search(*asked, limit=2)
        database.set_trace_callback(seen.append)
        assert hubspot.search(*asked, limit=2) == before
        database.set_trace_callback(None)
        statements = [sql for sql in seen if "lifecyclestage" in sql]
        assert len(statements) == 2
        plans.append([" ".join(r[3] for r in database.execute(f"EXPLAIN QUERY PLAN {sql}")) for sql in statements])
    assert not any("lifecyclestage" in plan for plan in plans[0])
    assert all("contacts__lifecyclestage" in plan for plan in plans[1])
