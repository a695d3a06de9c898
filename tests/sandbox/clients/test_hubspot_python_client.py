"""HubSpot's own Python client, unmodified but for the address: every method of its API classes, models parsing.

A tour drives one API class of the client and must call each of its public methods; classes and methods are read from
the client itself, so that one without a tour, or a method that a tour forgets, fails by its name.
"""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import hubspot as vendor
import pytest
from hubspot.crm import contacts, properties

from tests.sandbox.clients.twin import Twin, eventually, granted_code

CRM = (
    "contacts", "tickets", "companies", "objects", "objects.notes", "associations.v4", "properties", "pipelines",
    "owners",
)  # fmt: skip
AREAS = (*(f"crm.{name}" for name in CRM), "webhooks", "oauth")
OLD = "1999999999"  # an id that no record has


def _at(client: Any, path: str) -> Any:
    for part in path.split("."):
        client = getattr(client, part)
    return client


def _classes() -> Iterator[str]:
    """The path of every API class below the areas."""
    client = vendor.HubSpot(access_token="x", host="http://127.0.0.1:1")
    for area in AREAS:
        owner = type(_at(client, area))
        yield from (f"{area}.{name}" for name in dir(owner) if name.endswith("_api") and not name.startswith("_"))


def _methods(api: Any) -> set[str]:
    found = inspect.getmembers(type(api), inspect.isfunction)
    return {name for name, _ in found if not name.startswith("_") and not name.endswith("_with_http_info")}


@contextmanager
def every_method(api: Any) -> Iterator[Any]:
    """The API object; at the end each of its methods must have been called."""
    called: set[str] = set()

    class Watched:
        def __getattr__(self, name: str) -> Any:
            called.add(name)
            return getattr(api, name)

    yield Watched()
    missing = _methods(api) - called
    assert not missing, f"{type(api).__module__} was not called for: {', '.join(sorted(missing))}"


TOURS: dict[str, Callable[[Any, Twin], None]] = {}


def tour(*paths: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register the tour of API classes; with several paths it gets the area's name, too."""

    def keep(function: Callable[..., None]) -> Callable[..., None]:
        for path in paths:
            parts = path.rsplit(".", 2)
            TOURS[path] = (lambda c, t, f=function, k=parts[1]: f(c, t, k)) if len(paths) > 1 else function
        return function

    return keep


@pytest.fixture
def client(twin) -> Any:
    return vendor.HubSpot(access_token=twin.token, api_key=twin.credentials["developer_api_key"], host=twin.url)


@pytest.mark.parametrize("path", list(_classes()))
def test_every_method_of_the_python_client_answers_and_parses(client, twin, path):
    TOURS[path](client, twin)


# records

NEW = {
    "contacts": {"email": "N.N@example.com", "firstname": "Nora"},
    "tickets": {"subject": "Broken lid", "hs_pipeline": "0", "hs_pipeline_stage": "1"},
    "companies": {"name": "Acme Ltd", "domain": "acme.example"},
    "notes": {"hs_note_body": "<p>Called</p>", "hs_timestamp": "2026-01-02T03:04:05.006Z"},
}
CHANGED = {
    "contacts": ("firstname", "Ada"),
    "tickets": ("subject", "Mended"),
    "companies": ("name", "Acme plc"),
    "notes": ("hs_note_body", "<p>Wrote</p>"),
}


def same(model: Any, row: dict[str, Any]) -> None:
    """A typed model holds what the store holds."""
    assert model.id == row["id"]
    assert model.properties.items() <= row["properties"].items()
    assert isinstance(model.created_at, datetime)
    assert model.created_at == moment(row["createdAt"])
    assert model.updated_at == moment(row["updatedAt"])


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _records(client: Any, kind: str, part: str) -> tuple[Any, Callable[[str], Callable[..., Any]], str]:
    """(API, a caller that gives the object type where the class wants one, the kind)."""
    generic = kind == "objects"
    kind = "companies" if generic else kind
    area = client.crm.objects if generic else client.crm.objects.notes if kind == "notes" else getattr(client.crm, kind)
    return getattr(area, part), generic, kind


def _fixed(api: Any, generic: bool, kind: str) -> Any:
    """The generic class takes the type as its first argument: give it always."""
    if not generic:
        return api

    class Typed:
        def __getattr__(self, name: str) -> Any:
            call = getattr(api, name)
            position = {"archive": 0, "get_by_id": 0, "get_page": 0, "create": 0, "update": 0}.get(name, 0)
            assert position == 0
            return lambda *args, **more: call(kind, *args, **more)

    return Typed()


_BASIC = tuple(f"crm.{name}.basic_api" for name in ("contacts", "tickets", "companies", "objects", "objects.notes"))


@tour(*_BASIC)
def basic(client, twin, kind):
    plain, generic, kind = _records(client, kind, "basic_api")
    seeded = twin.live(kind)
    name, value = CHANGED[kind]
    with every_method(plain) as watched:
        api = _fixed(watched, generic, kind)
        made = api.create({"properties": NEW[kind], "associations": []})
        same(made, twin.one(kind, made.id))
        read = api.get_by_id(made.id, properties=[*NEW[kind], "no_such"], properties_with_history=[name])
        same(read, twin.one(kind, made.id))
        assert "no_such" not in read.properties
        (entry,) = read.properties_with_history[name]
        assert (entry.source_type, entry.source_id) == ("INTEGRATION", str(twin.app_id))
        assert (datetime.now(UTC) - entry.timestamp).total_seconds() < 60
        changed = api.update(made.id, {"properties": {name: value}})
        assert changed.properties[name] == value == twin.one(kind, made.id)["properties"][name]
        page = api.get_page(limit=3, properties=[name], archived=False)
        assert [row.id for row in page.results] == [row["id"] for row in twin.live(kind)[:3]]
        if len(seeded) > 3:
            following = api.get_page(limit=100, after=page.paging.next.after, properties=[name])
            everything = page.results + following.results
            assert [row.id for row in everything] == [row["id"] for row in twin.live(kind)]
        if kind != "notes" and not generic:
            other = api.create(
                {
                    "properties": {**NEW[kind], "email": "o@example.com"} if kind == "contacts" else NEW[kind],
                    "associations": [],
                }
            )
            survivor = api.merge({"primaryObjectId": made.id, "objectIdToMerge": other.id})
            assert survivor.id not in {made.id, other.id}
            same(survivor, twin.one(kind, survivor.id))
            assert api.get_by_id(made.id).id == survivor.id
            made = survivor
        api.archive(made.id)
        assert twin.one(kind, made.id)["archived"]
        gone = api.get_by_id(made.id, archived=True)
        assert gone.archived_at >= gone.created_at
        with pytest.raises(Exception, match="404") as caught:
            api.get_by_id(made.id)
        assert caught.value.status == 404
        assert type(caught.value).__name__ in {"ApiException", "NotFoundException"}
        if kind == "contacts" and not generic:
            victim = seeded[0]
            api.purge({"objectId": victim["id"]})
            assert not any(row["id"] == victim["id"] and row["properties"].get("email") for row in twin.state(kind))


@tour(*(path.replace("basic", "batch") for path in _BASIC))
def batch(client, twin, kind):
    plain, generic, kind = _records(client, kind, "batch_api")
    _unique(client, twin, kind)
    name, value = CHANGED[kind]
    with every_method(plain) as watched:
        api = _fixed(watched, generic, kind)
        rows = [
            {
                "properties": {**NEW[kind], "email": f"n{n}@example.com"} if kind == "contacts" else NEW[kind],
                "associations": [],
                "objectWriteTraceId": f"t{n}",
            }
            for n in range(4)
        ]
        made = api.create({"inputs": rows})
        assert {row.object_write_trace_id for row in made.results} == {"t0", "t1", "t2", "t3"}
        for row in made.results:
            same(row, twin.one(kind, row.id))
        ids = [row.id for row in made.results]
        body = {"inputs": [{"id": id_} for id_ in [*ids, OLD]], "properties": [name], "propertiesWithHistory": [name]}
        read = api.read(body)
        assert type(read).__name__ == "BatchResponseSimplePublicObjectWithErrors"
        assert {row.id for row in read.results} == set(ids)
        assert read.errors[0].context["ids"] == [OLD]
        assert read.num_errors == 1
        assert read.started_at <= read.completed_at
        changed = api.update({"inputs": [{"id": id_, "properties": {name: value}} for id_ in ids]})
        assert {row.properties[name] for row in changed.results} == {value}
        rows = [
            {
                "id": f"k{n}",
                "idProperty": "sync_id",
                "properties": {**row["properties"], "sync_id": f"k{n}"},
                "objectWriteTraceId": f"t{n}",
            }
            for n, row in enumerate(rows)
        ]
        for row in rows if kind == "contacts" else ():
            row["properties"]["email"] = "u" + row["properties"]["email"]
        new = api.upsert({"inputs": rows[:2]})
        assert [row.new for row in new.results] == [True, True]
        again = api.upsert({"inputs": rows[:3]})
        assert sorted(row.new for row in again.results) == [False, False, True]
        for row in again.results:
            same(row, twin.one(kind, row.id))
        wrong = [{**rows[0], "properties": {"sync_id": "k0", "no_such": "1"}}, rows[1]]
        mixed = api.upsert({"inputs": wrong})
        assert type(mixed).__name__ == "BatchResponseSimplePublicUpsertObjectWithErrors"
        assert mixed.errors[0].context["objectWriteTraceId"] == ["t0"]
        api.archive({"inputs": [{"id": id_} for id_ in ids]})
        assert all(twin.one(kind, id_)["archived"] for id_ in ids)


def _unique(client: Any, twin: Twin, kind: str) -> None:
    """A property with unique values, to upsert by."""
    group = {"contacts": "contactinformation", "tickets": "ticketinformation", "companies": "companyinformation"}
    client.crm.properties.groups_api.create(kind, {"name": "sync", "label": "Sync", "displayOrder": -1})
    assert group.get(kind) != "sync"
    client.crm.properties.core_api.create(
        kind,
        {
            "name": "sync_id",
            "label": "Sync id",
            "type": "string",
            "fieldType": "text",
            "groupName": "sync",
            "hasUniqueValue": True,
        },
    )
    twin.advance(1)


@tour(*(path.replace("basic", "search") for path in _BASIC))
def search(client, twin, kind):
    plain, generic, kind = _records(client, kind, "search_api")
    name, _ = CHANGED[kind]
    owner, _, _ = _records(client, "objects" if generic else kind, "basic_api")
    _fixed(owner, generic, kind).create({"properties": NEW[kind], "associations": []})
    twin.advance(30)
    with every_method(plain) as watched:
        api = _fixed(watched, generic, kind)
        sort = [{"propertyName": "hs_object_id", "direction": "DESCENDING"}]
        asked = {
            "limit": 200,
            "sorts": sort,
            "properties": [name],
            "filterGroups": [{"filters": [{"propertyName": "hs_object_id", "operator": "HAS_PROPERTY"}]}],
        }
        found = api.do_search(asked)
        rows = twin.live(kind)
        assert found.total == len(rows)
        assert [row.id for row in found.results] == [row["id"] for row in sorted(rows, key=lambda r: -int(r["id"]))]
        for row in found.results[:5]:
            same(row, twin.one(kind, row.id))
        pages = api.do_search({**asked, "limit": 1})
        if len(rows) > 1:
            assert pages.paging.next.after == "1"
        with pytest.raises(Exception, match="400"):
            api.do_search(
                {"filterGroups": [{"filters": [{"propertyName": "no_such", "operator": "EQ", "value": "1"}]}]}
            )


# associations


@tour("crm.associations.v4.basic_api")
def associations_basic(client, twin):
    ticket, contact = twin.live("tickets")[0]["id"], twin.live("contacts")[-1]["id"]
    with every_method(client.crm.associations.v4.basic_api) as api:
        made = api.create(
            "tickets",
            ticket,
            "contacts",
            contact,
            [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 16}],
        )
        assert (str(made.from_object_id), str(made.to_object_id), made.labels) == (ticket, contact, [])
        both = api.create_default("tickets", ticket, "contacts", contact)
        assert {spec.association_spec.association_type_id for spec in both.results} == {15, 16}
        page = api.get_page("tickets", ticket, "contacts", limit=500)
        kept = {row["toObjectId"] for row in _ties(twin, "0-5", ticket, "0-1")}
        assert {str(row.to_object_id) for row in page.results} == kept
        assert contact in kept
        api.archive("tickets", ticket, "contacts", contact)
        assert contact not in {row["toObjectId"] for row in _ties(twin, "0-5", ticket, "0-1")}


def _ties(twin: Twin, from_type: str, from_id: str, to_type: str) -> list[dict[str, Any]]:
    return [
        row
        for row in twin.state("associations")
        if (row["fromObjectTypeId"], row["fromObjectId"], row["toObjectTypeId"]) == (from_type, from_id, to_type)
    ]


@tour("crm.associations.v4.batch_api")
def associations_batch(client, twin):
    ticket, contact = twin.live("tickets")[0]["id"], twin.live("contacts")[-1]["id"]
    company = twin.live("companies")[0]["id"] if twin.live("companies") else None
    if company is None:
        company = client.crm.companies.basic_api.create({"properties": NEW["companies"], "associations": []}).id
    pair = {"from": {"id": contact}, "to": {"id": company}}
    primary = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 1}]
    with every_method(client.crm.associations.v4.batch_api) as api:
        made = api.create("contacts", "companies", {"inputs": [{**pair, "types": primary}]})
        assert made.results[0].labels == ["Primary"]
        assert {row["associationTypeId"] for row in _ties(twin, "0-1", contact, "0-2")} == {1, 279}
        api.archive_labels("contacts", "companies", {"inputs": [{**pair, "types": primary}]})
        assert {row["associationTypeId"] for row in _ties(twin, "0-1", contact, "0-2")} == {279}
        default = api.create_default(
            "tickets", "contacts", {"inputs": [{"from": {"id": ticket}, "to": {"id": contact}}]}
        )
        assert {spec.association_spec.association_type_id for spec in default.results} == {15, 16}
        read = api.get_page("tickets", "contacts", {"inputs": [{"id": ticket}]})
        assert {str(row.to_object_id) for row in read.results[0].to} == {
            row["toObjectId"] for row in _ties(twin, "0-5", ticket, "0-1")
        }
        assert read.results[0].to[0].association_types[0].type_id == 16
        api.archive(
            "tickets",
            "contacts",
            {
                "inputs": [
                    {
                        "from": {"id": ticket},
                        "to": [{"id": id_} for id_ in {str(row.to_object_id) for row in read.results[0].to}],
                    }
                ]
            },
        )
        none = api.get_page("tickets", "contacts", {"inputs": [{"id": ticket}]})
        assert type(none).__name__.endswith("WithErrors")
        assert none.errors[0].sub_category == "crm.associations.NO_ASSOCIATIONS_FOUND"
        assert none.errors[0].context["fromObjectId"] == [ticket]


@tour("crm.associations.v4.report_api")
def association_report(client, twin):
    # Not a call that a sync makes: it answers 501 with its name, as everything outside the two tiers.
    with every_method(client.crm.associations.v4.report_api) as api, pytest.raises(Exception, match="501"):
        api.request(1)


# properties

PROPERTY = {
    "name": "shelf",
    "label": "Shelf",
    "type": "enumeration",
    "fieldType": "select",
    "groupName": "shop",
    "options": [{"label": "One", "value": "1", "displayOrder": 0, "hidden": False}],
}


def _shop(client: Any) -> None:
    client.crm.properties.groups_api.create("contacts", {"name": "shop", "label": "Shop", "displayOrder": 3})


@tour("crm.properties.core_api")
def properties_core(client, twin):
    _shop(client)
    with every_method(client.crm.properties.core_api) as api:
        made = api.create(
            "contacts",
            properties.PropertyCreate(
                name="shelf",
                label="Shelf",
                type="enumeration",
                field_type="select",
                group_name="shop",
                options=[properties.OptionInput(label="One", value="1", display_order=0, hidden=False)],
            ),
        )
        assert made.options[0].value == "1"
        assert made.modification_metadata.read_only_value is False
        with pytest.raises(properties.ApiException) as caught:
            api.create("contacts", PROPERTY)
        assert caught.value.status == 409
        twin.advance(1)
        listed = api.get_all("contacts", archived=False).results
        kept = [row for row in twin.state("properties") if row["objectType"] == "contacts" and not row["archived"]]
        assert {(row.name, row.type, row.field_type, row.group_name) for row in listed} == {
            (row["name"], row["type"], row["fieldType"], row["groupName"]) for row in kept
        }
        assert api.update("contacts", "shelf", {"label": "Rack"}).label == "Rack"
        assert api.get_by_name("contacts", "shelf").label == "Rack"
        assert isinstance(api.get_by_name("contacts", "shelf").created_at, datetime)
        api.archive("contacts", "shelf")
        assert api.get_by_name("contacts", "shelf", archived=True).archived is True


@tour("crm.properties.batch_api")
def properties_batch(client, twin):
    _shop(client)
    with every_method(client.crm.properties.batch_api) as api:
        made = api.create("contacts", {"inputs": [PROPERTY, {**PROPERTY, "name": "aisle"}]})
        assert {row.name for row in made.results} == {"shelf", "aisle"}
        again = api.create("contacts", {"inputs": [PROPERTY]})
        assert type(again).__name__ == "BatchResponsePropertyWithErrors"
        assert again.errors[0].category == "OBJECT_ALREADY_EXISTS"
        twin.advance(1)
        read = api.read("contacts", {"archived": False, "inputs": [{"name": "shelf"}, {"name": "nope"}]})
        assert [row.name for row in read.results] == ["shelf"]
        assert read.num_errors == 1
        api.archive("contacts", {"inputs": [{"name": "shelf"}]})
        kept = {row["name"]: row for row in twin.state("properties") if row["objectType"] == "contacts"}
        assert (kept["shelf"]["archived"], kept["aisle"]["archived"]) == (True, False)


@tour("crm.properties.groups_api")
def properties_groups(client, twin):
    with every_method(client.crm.properties.groups_api) as api:
        made = api.create("contacts", properties.PropertyGroupCreate(name="shop", label="Shop", display_order=3))
        assert (made.name, made.display_order, made.archived) == ("shop", 3, False)
        assert api.update("contacts", "shop", {"label": "Store"}).label == "Store"
        assert api.get_by_name("contacts", "shop").label == "Store"
        used = {row["groupName"] for row in twin.state("properties") if row["objectType"] == "contacts"}
        assert used | {"shop"} <= {row.name for row in api.get_all("contacts").results}
        api.archive("contacts", "shop")
        assert "shop" not in {row.name for row in api.get_all("contacts").results}


# pipelines

LINE = {
    "label": "Returns",
    "displayOrder": 5,
    "stages": [
        {"label": "New", "displayOrder": 0, "metadata": {"ticketState": "OPEN"}},
        {"label": "Done", "displayOrder": 1, "metadata": {"ticketState": "CLOSED"}},
    ],
}


@tour("crm.pipelines.pipelines_api")
def pipelines_whole(client, twin):
    with every_method(client.crm.pipelines.pipelines_api) as api:
        made = api.create("tickets", LINE)
        assert [stage.metadata["isClosed"] for stage in made.stages] == ["false", "true"]
        assert api.update("tickets", made.id, {"label": "Refunds"}).label == "Refunds"
        new = api.replace("tickets", made.id, {**LINE, "label": "Recalls"})
        assert (new.label, len(new.stages)) == ("Recalls", 2)
        assert api.get_by_id("tickets", made.id).label == "Recalls"
        kept = {row["id"]: row for row in twin.ticket_pipelines()}
        listed = api.get_all("tickets").results
        assert {row.id: [stage.id for stage in row.stages] for row in listed} == {
            id_: [stage["id"] for stage in row["stages"]] for id_, row in kept.items()
        }
        assert all(isinstance(row.created_at, datetime) for row in listed)
        api.archive("tickets", made.id)
        assert made.id not in {row["id"] for row in twin.state("pipelines")}


@tour("crm.pipelines.pipeline_stages_api")
def pipelines_stages(client, twin):
    line = client.crm.pipelines.pipelines_api.create("tickets", LINE)
    with every_method(client.crm.pipelines.pipeline_stages_api) as api:
        stage = {"label": "Wait", "displayOrder": 2, "metadata": {"ticketState": "OPEN"}}
        made = api.create("tickets", line.id, stage)
        assert made.metadata == {"ticketState": "OPEN", "isClosed": "false"}
        assert api.update("tickets", line.id, made.id, {"label": "Hold", "metadata": {}}).label == "Hold"
        assert api.replace("tickets", line.id, made.id, {**stage, "label": "Rest"}).label == "Rest"
        assert api.get_by_id("tickets", line.id, made.id).label == "Rest"
        kept = twin.one("pipelines", line.id)["stages"]
        assert [row.id for row in api.get_all("tickets", line.id).results] == [row["id"] for row in kept]
        api.archive("tickets", line.id, made.id)
        assert made.id not in {row["id"] for row in twin.one("pipelines", line.id)["stages"]}


@tour("crm.pipelines.pipeline_audits_api")
def pipelines_audits(client, twin):
    line = client.crm.pipelines.pipelines_api.create("tickets", LINE)
    client.crm.pipelines.pipelines_api.update("tickets", line.id, {"label": "Refunds"})
    with every_method(client.crm.pipelines.pipeline_audits_api) as api:
        audit = api.get_audit("tickets", line.id)
    assert [row.action for row in audit.results] == ["UPDATE", "CREATE"]
    assert [row.raw_object["label"] for row in audit.results] == ["Refunds", "Returns"]
    assert len({row.identifier for row in audit.results}) == 2
    assert {row.portal_id for row in audit.results} == {twin.credentials["portal_id"]}


@tour("crm.pipelines.pipeline_stage_audits_api")
def pipelines_stage_audits(client, twin):
    # This version of the client asks for no pipeline and leaves «{pipelineId}» in the address: nothing is there.
    api_class = client.crm.pipelines.pipeline_stage_audits_api
    with every_method(api_class) as api, pytest.raises(Exception, match="404"):
        api.get_audit("tickets", "1")


# owners


@tour("crm.owners.owners_api")
def owners(client, twin):
    kept = {row["id"]: row for row in twin.state("owners") if not row["archived"]}
    with every_method(client.crm.owners.owners_api) as api:
        first = api.get_page(limit=2)
        rest = api.get_page(limit=500, after=first.paging.next.after)
        listed = first.results + rest.results
        assert {row.id: (row.email, row.user_id) for row in listed} == {
            id_: (row["email"], row["userId"]) for id_, row in kept.items()
        }
        one = api.get_by_id(int(listed[0].id), id_property="id")
        assert one.id == listed[0].id
        assert api.get_by_id(one.user_id, id_property="userId").id == one.id
        assert isinstance(one.created_at, datetime)
        assert [row.id for row in api.get_page(email=one.email.upper()).results] == [one.id]


# the app: OAuth and webhooks


@tour("webhooks.settings_api")
def webhook_settings(client, twin):
    app = twin.app_id
    wanted = {"targetUrl": "https://hooks.example.com/in", "throttling": {"maxConcurrentRequests": 10}}
    with every_method(client.webhooks.settings_api) as api:
        set_ = api.configure(app, wanted)
        assert (set_.target_url, set_.throttling.max_concurrent_requests) == ("https://hooks.example.com/in", 10)
        assert api.get_all(app).target_url == "https://hooks.example.com/in"
        assert isinstance(api.get_all(app).created_at, datetime)
        api.clear(app)
        with pytest.raises(Exception, match="404"):
            api.get_all(app)


@tour("webhooks.subscriptions_api")
def webhook_subscriptions(client, twin):
    app = twin.app_id
    with every_method(client.webhooks.subscriptions_api) as api:
        made = api.create(app, {"eventType": "contact.propertyChange", "propertyName": "email", "active": False})
        assert (made.event_type, made.property_name, made.active) == ("contact.propertyChange", "email", False)
        assert api.update(int(made.id), app, {"active": True}).active is True
        assert api.get_by_id(int(made.id), app).active is True
        many = api.update_batch(app, {"inputs": [{"id": int(made.id), "active": False}]})
        assert [row.active for row in many.results] == [False]
        assert [row.id for row in api.get_all(app).results] == [made.id]
        api.archive(int(made.id), app)
        assert api.get_all(app).results == []


def _granted(client: Any, twin: Twin) -> Any:
    """A pair of tokens by the authorization code that a person's consent would give."""
    code, back = granted_code(twin)
    app = {name: twin.credentials[name] for name in ("client_id", "client_secret")}
    return client.oauth.tokens_api.create(grant_type="authorization_code", redirect_uri=back, code=code, **app)


@tour("oauth.tokens_api")
def oauth_tokens(client, twin):
    with every_method(client.oauth.tokens_api) as api:
        first = _granted(client, twin)
        assert first.expires_in == 1800
        given = twin.credentials
        again = api.create(
            grant_type="refresh_token",
            client_id=given["client_id"],
            client_secret=given["client_secret"],
            refresh_token=first.refresh_token,
        )
        assert again.refresh_token == first.refresh_token
        assert again.access_token != first.access_token
        other = vendor.HubSpot(access_token=again.access_token, host=twin.url)
        assert other.crm.contacts.basic_api.get_page(limit=1).results


@tour("oauth.access_tokens_api")
def oauth_access_tokens(client, twin):
    token = _granted(client, twin).access_token
    with every_method(client.oauth.access_tokens_api) as api:
        shown = api.get(token)
    assert (shown.hub_id, shown.token, shown.token_type) == (twin.credentials["portal_id"], token, "access")


@tour("oauth.refresh_tokens_api")
def oauth_refresh_tokens(client, twin):
    token = _granted(client, twin).refresh_token
    with every_method(client.oauth.refresh_tokens_api) as api:
        shown = api.get(token)
        assert (shown.hub_id, shown.token, shown.token_type) == (twin.credentials["portal_id"], token, "refresh")
        api.archive(token)
        with pytest.raises(Exception, match="40"):
            api.get(token)


# the client as a whole


def test_the_python_client_reads_everything_that_the_store_holds(client, twin):
    for kind in ("contacts", "tickets", "companies", "notes"):
        rows = twin.live(kind)
        names = sorted({name for row in rows for name in row["properties"]})
        area = client.crm.objects.notes if kind == "notes" else getattr(client.crm, kind)
        listed = (
            area.basic_api.get_page(limit=100, properties=names).results
            if kind == "notes"
            else area.get_all(properties=names)
        )
        assert [row.id for row in listed] == [row["id"] for row in rows]
        for model, row in zip(listed, rows, strict=True):
            assert {name: value for name, value in model.properties.items() if value is not None} == row["properties"]


def test_errors_are_the_python_clients_own_exceptions(client, twin):
    wrong = vendor.HubSpot(access_token="pat-na1-wrong", host=twin.url)
    with pytest.raises(contacts.exceptions.UnauthorizedException):
        wrong.crm.contacts.basic_api.get_page()
    twin.switch(missing_scopes="crm.objects.contacts.read")
    with pytest.raises(contacts.exceptions.ForbiddenException):
        client.crm.contacts.basic_api.get_page()
    twin.switch(missing_scopes="")
    with pytest.raises(contacts.ApiException) as caught:
        client.crm.contacts.basic_api.create({"properties": {"no_such": "1"}, "associations": []})
    assert caught.value.status == 400
    assert "PROPERTY_DOESNT_EXIST" in caught.value.body


def test_a_write_is_found_by_the_python_clients_search_once_it_is_indexed(client, twin):
    made = client.crm.contacts.basic_api.create({"properties": {"email": "late@example.com"}, "associations": []})
    asked = {"filterGroups": [{"filters": [{"propertyName": "email", "operator": "EQ", "value": "late@example.com"}]}]}
    assert client.crm.contacts.search_api.do_search(asked).total == 0
    twin.advance(5)
    found = eventually(lambda: client.crm.contacts.search_api.do_search(asked).results)
    assert [row.id for row in found] == [made.id]
