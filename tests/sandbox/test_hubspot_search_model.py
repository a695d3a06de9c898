"""HubSpot's search against a plain evaluation of the same filters over the whole store."""

import re

import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sync_platform.sandbox.hubspot.system import HubSpotSandbox
from sync_platform.sandbox.hubspot.wire import epoch_ms
from sync_platform.sandbox.world import World
from tests.sandbox.conftest import served

CONTACTS = "/crm/v3/objects/contacts"
WORDS = ("ann", "Ann", "ANN", "bob", "Élise", "élan", "O'Neil", "x", "10", "9", "a b", "ann-marie")
NUMBERS = ("-1", "0", "2", "2.5", "10")
DATES = ("2025-12-31", "2026-01-01", "2026-02-28")
COLOURS = ("red", "green", "Blue")
# name: (form, what records hold, what filters ask)
PROPERTIES = {
    "firstname": ("text", WORDS, (*WORDS, "élise", "zzz")),
    "email": ("text", (), ("p1@example.com", "P2@example.org", "p3@example.com", "example.com")),
    "score": ("number", NUMBERS, (*NUMBERS, "2.0", "-5")),
    "born": ("date", DATES, (*DATES, "1767225600000", "2026-01-15")),
    "seen": ("ms", ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00.250Z"), ("1767225600000", "2026-01-01T00:00:00.250Z")),
    "colour": ("exact", COLOURS, (*COLOURS, "blue", "RED")),
    "wanted": ("exact", ("true", "false"), ("true", "false")),
    "tastes": ("several", ("red", "red;green", "Blue;red"), (*COLOURS, "blue")),
}
TYPES = {
    "score": ("number", "number"),
    "born": ("date", "date"),
    "seen": ("datetime", "date"),
    "colour": ("enumeration", "select"),
    "wanted": ("bool", "booleancheckbox"),
    "tastes": ("enumeration", "checkbox"),
}


@pytest.fixture(scope="module", params=[0, 1000], ids=["indexed", "plain"])
def search(tmp_path_factory, request):
    """(ask, contacts by id as the store holds them)."""
    world = World(tmp_path_factory.mktemp("model"), seed=1, rate_scale=100_000)
    side = HubSpotSandbox(world)
    side._store.indexed_from = request.param
    world.switches.update({"hubspot.property_delay_s": 0, "hubspot.search_lag_s": 0})
    headers = {"authorization": f"Bearer {side.credentials()['access_token']}"}
    with served(side.app()) as url, httpx.Client(base_url=url, headers=headers) as client:
        for name, (type_, field) in TYPES.items():
            options = {"bool": ("true", "false"), "enumeration": COLOURS}.get(type_, ())
            doc = {"name": name, "label": name, "type": type_, "fieldType": field, "groupName": "contactinformation"}
            doc["options"] = [{"label": one, "value": one, "displayOrder": n} for n, one in enumerate(options)]
            assert client.post("/crm/v3/properties/contacts", json=doc).status_code == 201
        for n in range(48):
            props = {
                name: held[(n * step) % len(held)]
                for step, (name, (_, held, _)) in enumerate(PROPERTIES.items(), 1)
                if held and (n + step) % 4
            }
            if n % 3:
                props["email"] = f"p{n}@example.{'com' if n % 2 else 'org'}"
            made = client.post(CONTACTS, json={"properties": props})
            assert made.status_code == 201, made.text
            if n % 5 == 0 and "firstname" in props:
                client.patch(f"{CONTACTS}/{made.json()['id']}", json={"properties": {"firstname": "", "score": ""}})
        gone = client.post(CONTACTS, json={"properties": {"firstname": "ann"}}).json()["id"]
        client.delete(f"{CONTACTS}/{gone}")
        rows = {row["id"]: row["properties"] for row in side.state("contacts", None, 1000)[0] if not row["archived"]}

        def ask(groups):
            answer = client.post(f"{CONTACTS}/search", json={"filterGroups": groups, "limit": 200})
            assert answer.status_code == 200, answer.text
            return {row["id"] for row in answer.json()["results"]}

        yield ask, rows
    side.close()


def _formed(form, text):
    match form:
        case "number":
            return float(text)
        case "ms":
            return epoch_ms(text)
        case "date":
            return "2026-01-01" if text.isdigit() else text
        case "text":
            return text.casefold()
    return text


def _has_token(held, text):
    word = text.casefold()
    inner = "".join(r"\S*" if char == "*" else re.escape(char) for char in word)
    return re.search(rf"(?:^|[\W_]){inner}(?:$|[\W_])", held.casefold()) is not None


def _equal(form, held, text):
    if form == "several":
        return text in held.split(";")
    return _formed(form, held) == _formed(form, text)


def matches(row, one):  # noqa: PLR0911 - one for each operator
    """Whether a contact's properties satisfy one filter."""
    name, operator = one["propertyName"], one["operator"]
    form, held = PROPERTIES[name][0], row.get(name) or ""
    if operator.endswith("HAS_PROPERTY"):
        return bool(held) is not operator.startswith("NOT")
    if not held:
        return False
    match operator:
        case "EQ":
            return _equal(form, held, one["value"])
        case "NEQ":
            return not _equal(form, held, one["value"])
        case "LT":
            return _formed(form, held) < _formed(form, one["value"])
        case "LTE":
            return _formed(form, held) <= _formed(form, one["value"])
        case "GT":
            return _formed(form, held) > _formed(form, one["value"])
        case "GTE":
            return _formed(form, held) >= _formed(form, one["value"])
        case "BETWEEN":
            return _formed(form, one["value"]) <= _formed(form, held) <= _formed(form, one["highValue"])
        case "IN" | "NOT_IN":
            among = any(
                held.casefold() == text if form == "text" else _equal(form, held, text) for text in one["values"]
            )
            return among is (operator == "IN")
        case "CONTAINS_TOKEN" | "NOT_CONTAINS_TOKEN":
            return _has_token(held, one["value"]) is (operator == "CONTAINS_TOKEN")
    raise AssertionError(operator)


@st.composite
def filters(draw):
    name = draw(st.sampled_from(sorted(PROPERTIES)))
    form, _, asked = PROPERTIES[name]
    operators = ["EQ", "NEQ", "IN", "NOT_IN", "HAS_PROPERTY", "NOT_HAS_PROPERTY"]
    if form != "several":
        operators += ["LT", "LTE", "GT", "GTE", "BETWEEN"]
    if form == "text":
        operators += ["CONTAINS_TOKEN", "NOT_CONTAINS_TOKEN"]
    one = {"propertyName": name, "operator": draw(st.sampled_from(operators))}
    if one["operator"].endswith("IN"):
        one["values"] = draw(st.lists(st.sampled_from(asked), min_size=1, max_size=3))
    elif not one["operator"].endswith("HAS_PROPERTY"):
        one["value"] = draw(st.sampled_from(asked))
        if one["operator"] == "BETWEEN":
            one["highValue"] = draw(st.sampled_from(asked))
        if one["operator"].endswith("TOKEN"):
            start, end = draw(st.booleans()), draw(st.booleans())
            one["value"] = "*" * start + one["value"][start : len(one["value"]) - end or None] + "*" * end
    return one


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(groups=st.lists(st.lists(filters(), min_size=1, max_size=3), min_size=1, max_size=3))
@example(groups=[[{"propertyName": "firstname", "operator": "CONTAINS_TOKEN", "value": "lise"}]])
@example(groups=[[{"propertyName": "firstname", "operator": "IN", "values": ["ANN"]}]])
@example(groups=[[{"propertyName": "colour", "operator": "EQ", "value": "blue"}]])
def test_any_filters_find_what_a_plain_reading_of_the_store_finds(search, groups):
    ask, rows = search
    wanted = {id_ for id_, row in rows.items() if any(all(matches(row, one) for one in group) for group in groups)}
    assert ask([{"filters": group} for group in groups]) == wanted
