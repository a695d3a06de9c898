"""The rules of HubSpot's search, one fact a test."""

import httpx
import pytest

from sync_platform.sandbox.hubspot.system import HubSpotSandbox
from sync_platform.sandbox.world import World
from tests.sandbox.conftest import served

CONTACTS = "/crm/v3/objects/contacts"
TICKETS = "/crm/v3/objects/tickets"


class Searcher:
    """A twin that stays as it is, three contacts and two tickets in it."""

    def __init__(self, world, client):
        self.world, self.client = world, client
        self.ann = self.make(CONTACTS, firstname="Ann Zoë", email="ann@example.com", hs_language="en", zip="5")
        self.bob = self.make(CONTACTS, firstname="Bob", email="bob@example.org", hs_language="de")
        self.cy = self.make(CONTACTS, lastname="Cyprian", phone="+49 30 5550199")
        self.make(CONTACTS, firstname="Gone", archived=True)
        self.lamp, self.desk = (self.make(TICKETS, subject=name, hs_pipeline_stage="1") for name in ("Lamp", "Desk"))
        for contact, ticket in ((self.ann, self.lamp), (self.bob, self.desk)):
            path = f"/crm/v4/objects/contacts/{contact}/associations/default/tickets/{ticket}"
            client.put(path).raise_for_status()

    def make(self, path, *, archived=False, **props):
        id_ = self.client.post(path, json={"properties": props}).json()["id"]
        if archived:
            self.client.delete(f"{path}/{id_}")
        return id_

    def search(self, status=200, kind="contacts", **body):
        answer = self.client.post(f"/crm/v3/objects/{kind}/search", json=body)
        assert answer.status_code == status, answer.text
        return answer.json()

    def ids(self, *filters, kind="contacts", **body):
        found = self.search(kind=kind, filterGroups=[{"filters": list(filters)}] if filters else [], **body)
        return [row["id"] for row in found["results"]]


@pytest.fixture(scope="module")
def hubspot(tmp_path_factory):
    world = World(tmp_path_factory.mktemp("rules"), seed=1, rate_scale=100_000)
    side = HubSpotSandbox(world)
    world.switches.update({"hubspot.property_delay_s": 0, "hubspot.search_lag_s": 0})
    headers = {"authorization": f"Bearer {side.credentials()['access_token']}"}
    with served(side.app()) as url, httpx.Client(base_url=url, headers=headers) as client:
        yield Searcher(world, client)
    side.close()


def _is(name, operator, value=None, **more):
    return {"propertyName": name, "operator": operator} | ({} if value is None else {"value": value}) | more


@pytest.mark.parametrize(
    ("sizes", "status"),
    [([1] * 5, 200), ([1] * 6, 400), ([6], 200), ([7], 400), ([6, 6, 6], 200), ([6, 6, 6, 1], 400)],
)
def test_five_groups_of_six_filters_and_eighteen_in_all_are_allowed(hubspot, sizes, status):
    groups = [{"filters": [_is("zip", "EQ", "5")] * size} for size in sizes]
    body = hubspot.search(status, filterGroups=groups)
    assert body.get("category") == (None if status == 200 else "VALIDATION_ERROR")


def test_a_body_of_more_than_three_thousand_characters_is_refused(hubspot):
    short = {"query": "é" * 2_900}  # characters, not bytes
    assert hubspot.search(**short)["total"] == 0
    assert hubspot.search(400, query="x" * 3_000)["category"] == "VALIDATION_ERROR"


def test_only_one_sort_is_allowed_as_object_or_text(hubspot):
    newest = [hubspot.cy, hubspot.bob, hubspot.ann]
    assert hubspot.ids(sorts=["-hs_object_id"]) == newest
    assert hubspot.ids(sorts=[{"propertyName": "hs_object_id", "direction": "DESCENDING"}]) == newest
    assert hubspot.ids(sorts=["hs_object_id"]) == newest[::-1]
    hubspot.search(400, sorts=["zip", "email"])
    hubspot.search(400, sorts=["nonsense"])
    hubspot.search(400, sorts=[{"propertyName": "zip", "direction": "UP"}])


def test_without_a_sort_the_oldest_comes_first(hubspot):
    assert hubspot.ids() == [hubspot.ann, hubspot.bob, hubspot.cy]


def test_the_limit_is_ten_by_default_and_two_hundred_at_most(hubspot):
    assert len(hubspot.search(limit=200)["results"]) == 3
    assert len(hubspot.search(limit=None)["results"]) == 3
    for wrong in (201, -1, "many", 1.5, True):
        hubspot.search(400, limit=wrong)


def test_after_is_an_offset_as_text_and_ends_at_ten_thousand(hubspot):
    page = hubspot.search(limit=2)
    assert page["paging"]["next"] == {"after": "2"}
    assert [row["id"] for row in hubspot.search(limit=2, after="2")["results"]] == [hubspot.cy]
    assert hubspot.search(limit=100, after="9900")["results"] == []
    refused = hubspot.search(400, limit=100, after="10000")
    assert refused["category"] == "VALIDATION_ERROR"
    hubspot.search(400, after="x")


def test_archived_records_are_never_found(hubspot):
    assert hubspot.ids(_is("firstname", "EQ", "gone")) == []
    assert hubspot.search(archived=True)["total"] == 3


def test_associations_and_history_never_come_with_a_search(hubspot):
    found = hubspot.search(associations=["tickets"], propertiesWithHistory=["email"], properties=["email"])
    assert not any({"associations", "propertiesWithHistory"} & row.keys() for row in found["results"])


def test_strings_compare_without_case_and_enumerations_with_it(hubspot):
    assert hubspot.ids(_is("email", "EQ", "ANN@Example.com")) == [hubspot.ann]
    assert hubspot.ids(_is("hs_language", "EQ", "de")) == [hubspot.bob]
    assert hubspot.ids(_is("hs_language", "EQ", "DE")) == []
    assert hubspot.ids(_is("hs_language", "IN", values=["DE", "en"])) == [hubspot.ann]


def test_in_lists_of_strings_have_to_be_in_lower_case(hubspot):
    assert hubspot.ids(_is("firstname", "IN", values=["bob", "ann zoë"])) == [hubspot.ann, hubspot.bob]
    assert hubspot.ids(_is("firstname", "IN", values=["Bob"])) == []
    assert hubspot.ids(_is("firstname", "NOT_IN", values=["bob"])) == [hubspot.ann]
    for wrong in ([], None, [None], [["a"]], "bob"):
        hubspot.search(400, filterGroups=[{"filters": [_is("firstname", "IN", values=wrong)]}])


@pytest.mark.parametrize(
    ("name", "token", "found"),
    [
        ("firstname", "zoë", "ann"),
        ("firstname", "ZOË", "ann"),
        ("firstname", "zo", ""),
        ("firstname", "zo*", "ann"),
        ("firstname", "*oë", "ann"),
        ("firstname", "an", ""),
        ("email", "example", "ann bob"),
        ("email", "*@example.org", "bob"),
        ("email", "b*b", "bob"),
        ("email", "*", "ann bob"),
        ("phone", "5550199", "cy"),
        ("phone", "[0-9]", ""),
    ],
)
def test_a_token_is_a_word_and_a_star_stands_for_the_rest_of_it(hubspot, name, token, found):
    wanted = [getattr(hubspot, who) for who in found.split()]
    assert hubspot.ids(_is(name, "CONTAINS_TOKEN", token)) == wanted
    rest = {hubspot.ann, hubspot.bob, hubspot.cy} - set(wanted)
    has = set(hubspot.ids(_is(name, "HAS_PROPERTY")))
    assert set(hubspot.ids(_is(name, "NOT_CONTAINS_TOKEN", token))) == rest & has


def test_rows_without_a_value_match_no_negation_unless_switched_on(hubspot):
    assert hubspot.ids(_is("firstname", "NEQ", "bob")) == [hubspot.ann]
    hubspot.world.switches.set("hubspot.search_neq_matches_unset", "on")
    try:
        assert hubspot.ids(_is("firstname", "NEQ", "bob")) == [hubspot.ann, hubspot.cy]
        assert hubspot.ids(_is("firstname", "NOT_IN", values=["bob"])) == [hubspot.ann, hubspot.cy]
        assert hubspot.ids(_is("firstname", "NOT_CONTAINS_TOKEN", "bob")) == [hubspot.ann, hubspot.cy]
    finally:
        hubspot.world.switches.set("hubspot.search_neq_matches_unset", "off")


def test_between_needs_both_ends_and_takes_them_in(hubspot):
    ends = {"value": hubspot.ann, "highValue": hubspot.bob}
    assert hubspot.ids(_is("hs_object_id", "BETWEEN", **ends)) == [hubspot.ann, hubspot.bob]
    hubspot.search(400, filterGroups=[{"filters": [_is("hs_object_id", "BETWEEN", hubspot.ann)]}])


def test_dates_are_epoch_milliseconds_and_iso_by_the_switch(hubspot):
    shown = hubspot.client.get(f"{CONTACTS}/{hubspot.bob}").json()
    at = shown["properties"]["createdate"]
    assert hubspot.bob in hubspot.ids(_is("createdate", "GTE", at))
    hubspot.world.switches.set("hubspot.search_iso_dates", "refuse")
    try:
        hubspot.search(400, filterGroups=[{"filters": [_is("createdate", "GTE", at)]}])
        assert len(hubspot.ids(_is("createdate", "GTE", "1000"))) == 3
    finally:
        hubspot.world.switches.set("hubspot.search_iso_dates", "accept")


def test_a_filter_at_epoch_zero_breaks_by_the_switch(hubspot):
    group = [{"filters": [_is("lastmodifieddate", "GTE", "0")]}]
    hubspot.search(500, filterGroups=group)
    hubspot.world.switches.set("hubspot.search_epoch_zero", 200)
    try:
        assert hubspot.search(filterGroups=group)["total"] == 3
    finally:
        hubspot.world.switches.set("hubspot.search_epoch_zero", 500)


def test_an_unknown_property_is_refused_in_a_filter_and_ignored_in_properties(hubspot):
    refused = hubspot.search(400, filterGroups=[{"filters": [_is("nonsense", "EQ", "1")]}])
    assert refused["category"] == "VALIDATION_ERROR"
    (row, *_) = hubspot.search(properties=["nonsense", "zip"])["results"]
    assert set(row["properties"]) == {"zip", "hs_object_id", "createdate", "lastmodifieddate"}


def test_the_pseudo_property_for_associations_takes_ids(hubspot):
    assert hubspot.ids(_is("associations.contact", "EQ", hubspot.bob), kind="tickets") == [hubspot.desk]
    both = {"values": [hubspot.ann, hubspot.bob]}
    assert hubspot.ids(_is("associations.contact", "IN", **both), kind="tickets") == [hubspot.lamp, hubspot.desk]
    assert hubspot.ids(_is("associations.ticket", "HAS_PROPERTY")) == [hubspot.ann, hubspot.bob]
    assert hubspot.ids(_is("associations.ticket", "NOT_HAS_PROPERTY")) == [hubspot.cy]
    hubspot.search(400, filterGroups=[{"filters": [_is("associations.ticket", "GT", "1")]}])
    hubspot.search(400, filterGroups=[{"filters": [_is("associations.butterfly", "EQ", "1")]}])


def test_phones_are_found_by_their_normalised_twin(hubspot):
    assert hubspot.ids(_is("hs_searchable_calculated_phone_number", "EQ", "305550199")) == [hubspot.cy]


def test_a_query_looks_into_the_default_properties(hubspot):
    assert hubspot.ids(query="CYPR") == [hubspot.cy]
    assert hubspot.ids(query="ann example") == [hubspot.ann]
    assert hubspot.ids(_is("zip", "EQ", "5"), query="bob") == []


@pytest.mark.parametrize(
    "body",
    [
        {"filterGroups": {"filters": []}},
        {"filterGroups": [1]},
        {"filterGroups": [{"filters": 1}]},
        {"filterGroups": [{"filters": [1]}]},
        {"filterGroups": [{"filters": [{"operator": "EQ"}]}]},
        {"filterGroups": [{"filters": [{"propertyName": "zip", "operator": "LIKE", "value": "1"}]}]},
        {"filterGroups": [{"filters": [{"propertyName": "zip", "operator": "EQ"}]}]},
        {"filterGroups": [{"filters": [{"propertyName": "zip", "operator": "EQ", "value": ["1"]}]}]},
        {"filterGroups": [{"filters": [{"propertyName": "hs_object_id", "operator": "EQ", "value": "x"}]}]},
        {"filterGroups": [{"filters": [{"propertyName": "num_notes", "operator": "EQ", "value": "nan"}]}]},
        {"filterGroups": [{"filters": [{"propertyName": "createdate", "operator": "EQ", "value": "soon"}]}]},
        {"properties": "zip"},
        {"properties": [{}]},
        {"sorts": "zip"},
    ],
)
def test_what_is_no_search_is_a_400(hubspot, body):
    assert hubspot.search(400, **body)["status"] == "error"
