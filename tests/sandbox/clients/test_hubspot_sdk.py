"""HubSpot's generated SDK of 2026 (httpx, pydantic; the dated paths 2026-03), unmodified but for the address.

Every resource that has to do with the objects of a sync has a tour that must call each of its methods; resources and
methods are read from the SDK itself. The SDK validates answers strictly here, and no answer may hold a field that its
model doesn't know (but for those that are known to be sent and not modelled).
"""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import httpx
import hubspot_sdk as vendor
import pytest
from pydantic import BaseModel

from tests.sandbox.clients.twin import Twin, app_token, granted_code

AREAS = (
    "crm.objects.contacts", "crm.objects.tickets", "crm.objects.companies", "crm.objects.notes", "crm.objects.custom",
    "crm.objects.generic_objects", "crm.associations", "crm.owners", "crm.pipelines", "crm.properties", "auth",
    "webhooks_journal",
)  # fmt: skip
# Of these only some calls are for a sync; the others answer 501 with their name.
PARTLY = {
    "crm.associations_schema.labels": ("list_labels", "create_label", "update_label", "delete_label"),
    "crm.limits": ("get_custom_property_limits",),
    "account": ("get",),
}
# The app link of a record, the address of the next page, and what makes a batch's answer a 207.
UNMODELLED = {"url", "link", "numErrors", "errors"}
OLD = "1999999999"


def _client(twin: Twin, **more: Any) -> Any:
    options = {"access_token": twin.token, "max_retries": 0, "_strict_response_validation": True, **more}
    return vendor.HubSpot(base_url=twin.url, **options)


def _at(client: Any, path: str) -> Any:
    for part in path.split("."):
        client = getattr(client, part)
    return client


def _methods(resource: Any) -> set[str]:
    return {name for name, value in vars(type(resource)).items() if inspect.isfunction(value) and name[0] != "_"}


def _below(resource: Any, path: str) -> Iterator[str]:
    if _methods(resource):
        yield path
    for name, value in vars(type(resource)).items():
        if isinstance(value, cached_property) and not name.startswith("with_"):
            yield from _below(getattr(resource, name), f"{path}.{name}")


def _resources() -> Iterator[str]:
    client = vendor.HubSpot(access_token="x", base_url="http://127.0.0.1:1")
    for area in AREAS:
        yield from _below(_at(client, area), area)


def exact(value: Any) -> Any:
    """The value, after seeing that no model in it lacks a required field or holds one that it doesn't know."""
    if isinstance(value, BaseModel):
        unknown = set(value.model_extra or {}) - UNMODELLED
        assert not unknown, f"{type(value).__name__} does not know {unknown}"
        required = {name for name, field in type(value).model_fields.items() if field.is_required()}
        assert required <= value.model_fields_set, f"{type(value).__name__} lacks {required - value.model_fields_set}"
        for name in value.model_fields_set:
            exact(getattr(value, name))
    elif isinstance(value, list):
        for one in value:
            exact(one)
    elif isinstance(value, dict):
        exact(list(value.values()))
    return value


@contextmanager
def every_method(resource: Any) -> Iterator[Any]:
    """The resource; at the end each of its methods must have been called, and each answer is exact."""
    called: set[str] = set()

    class Watched:
        def __getattr__(self, name: str) -> Any:
            called.add(name)
            return lambda *args, **more: exact(getattr(resource, name)(*args, **more))

    yield Watched()
    missing = _methods(resource) - called
    assert not missing, f"{type(resource).__name__} was not called for: {', '.join(sorted(missing))}"


TOURS: dict[str, Callable[[Any, Twin], None]] = {}


def tour(path: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    def keep(function: Callable[..., None]) -> Callable[..., None]:
        TOURS[path] = function
        return function

    return keep


@pytest.fixture
def client(twin) -> Iterator[Any]:
    twin.switch(association_ids="string")  # as the SDK's models have them; recorded answers hold numbers
    with _client(twin) as one:
        yield one


@pytest.mark.parametrize("path", list(_resources()))
def test_every_method_of_the_sdk_answers_in_its_models(client, twin, path):
    TOURS[path](client, twin)


# records

NEW: dict[str, dict[str, str]] = {
    "contacts": {"email": "N.N@example.com", "firstname": "Nora"},
    "tickets": {"subject": "Broken lid", "hs_pipeline": "0", "hs_pipeline_stage": "1"},
    "companies": {"name": "Acme Ltd", "domain": "acme.example"},
    "notes": {"hs_note_body": "<p>Called</p>", "hs_timestamp": "2026-01-02T03:04:05.006Z"},
}
CHANGED = {"contacts": "firstname", "tickets": "subject", "companies": "name", "notes": "hs_note_body"}
# Resource -> (kind, its object type where the resource takes one).
OBJECTS = {
    "contacts": ("contacts", None),
    "tickets": ("tickets", None),
    "companies": ("companies", None),
    "notes": ("notes", None),
    "custom": ("companies", "0-2"),
    "generic_objects": ("companies", "company"),
}


def same(model: Any, row: dict[str, Any]) -> None:
    assert model.id == row["id"]
    assert model.properties.items() <= row["properties"].items()
    assert model.created_at.isoformat().replace("+00:00", "Z") == _padded(row["createdAt"])
    assert model.updated_at.isoformat().replace("+00:00", "Z") == _padded(row["updatedAt"])


def _padded(text: str) -> str:
    """As Python writes it: six digits of fraction, or none."""
    return text.replace("Z", "000Z") if "." in text else text


def _objects(name: str) -> Callable[[Any, Twin], None]:
    def drive(client: Any, twin: Twin) -> None:
        kind, object_type = OBJECTS[name]
        first = (object_type,) if object_type else ()
        typed = {"object_type": object_type} if object_type else {}
        prop = CHANGED[kind]
        with every_method(getattr(client.crm.objects, name)) as api:
            made = api.create(*first, properties=NEW[kind], associations=[])
            same(made, twin.one(kind, made.id))
            read = api.get(made.id, **typed, properties=[prop, "no_such"], properties_with_history=[prop])
            assert read.properties_with_history[prop][0].source_id == str(twin.app_id)
            assert api.update(made.id, **typed, properties={prop: "Other"}).properties[prop] == "Other"
            listed = list(api.list(*first, limit=7, properties=[prop]))
            assert [row.id for row in listed] == [row["id"] for row in twin.live(kind)]
            twin.advance(10)
            groups = [{"filters": [{"propertyName": prop, "operator": "EQ", "value": "other"}]}]
            found = api.search(*first, filter_groups=groups, after="0", limit=5, properties=[prop], sorts=[prop])
            assert [row.id for row in found.results] == [made.id]
            if hasattr(getattr(client.crm.objects, name), "merge"):
                second = {**NEW[kind], "email": "o@example.com"} if kind == "contacts" else NEW[kind]
                other = api.create(*first, properties=second, associations=[])
                made = api.merge(*first, primary_object_id=made.id, object_id_to_merge=other.id)
                same(made, twin.one(kind, made.id))
            if name == "contacts":
                api.gdpr_delete(object_id=twin.live(kind)[0]["id"])
            api.delete(made.id, **typed)
            assert twin.one(kind, made.id)["archived"]
            with pytest.raises(vendor.NotFoundError):
                api.get(made.id, **typed)

    return drive


def _batches(name: str) -> Callable[[Any, Twin], None]:
    def drive(client: Any, twin: Twin) -> None:
        kind, object_type = OBJECTS[name]
        first = (object_type,) if object_type else ()
        prop = CHANGED[kind]
        _unique(client, twin, kind)
        with every_method(getattr(client.crm.objects, name).batch) as api:
            rows = [
                {
                    "properties": {**NEW[kind], "email": f"n{n}@example.com"} if kind == "contacts" else NEW[kind],
                    "associations": [],
                    "objectWriteTraceId": f"t{n}",
                }
                for n in range(3)
            ]
            made = api.create(*first, inputs=rows)
            ids = [row.id for row in made.results]
            assert len(ids) == 3
            asked = [{"id": id_} for id_ in ids]
            read = api.get(*first, inputs=asked, properties=[prop], properties_with_history=[prop])
            for row in read.results:
                same(row, twin.one(kind, row.id))
            changed = api.update(*first, inputs=[{"id": id_, "properties": {prop: "Other"}} for id_ in ids])
            assert {row.properties[prop] for row in changed.results} == {"Other"}
            keyed = [
                {
                    "id": f"k{n}",
                    "id_property": "sync_id",
                    "properties": {prop: "Key", "sync_id": f"k{n}", **_stage(kind)},
                }
                for n in range(2)
            ]
            assert [row.new for row in api.upsert(*first, inputs=keyed).results] == [True, True]
            assert [row.new for row in api.upsert(*first, inputs=keyed).results] == [False, False]
            api.delete(*first, inputs=asked)
            assert all(twin.one(kind, id_)["archived"] for id_ in ids)

    return drive


def _stage(kind: str) -> dict[str, str]:
    return {name: value for name, value in NEW[kind].items() if name in {"hs_pipeline_stage", "hs_timestamp"}}


def _unique(client: Any, twin: Twin, kind: str) -> None:
    client.crm.properties.groups.create(kind, name="sync", label="Sync")
    client.crm.properties.create(
        kind,
        name="sync_id",
        label="Sync id",
        type="string",
        field_type="text",
        group_name="sync",
        has_unique_value=True,
    )
    twin.advance(1)


for _name in OBJECTS:
    TOURS[f"crm.objects.{_name}"] = _objects(_name)
    TOURS[f"crm.objects.{_name}.batch"] = _batches(_name)


# associations


def _linked(twin: Twin, ticket: str) -> set[str]:
    return {
        row["toObjectId"]
        for row in twin.state("associations")
        if (row["fromObjectTypeId"], row["fromObjectId"], row["toObjectTypeId"]) == ("0-5", ticket, "0-1")
    }


@tour("crm.associations")
def associations(client, twin):
    ticket, contact = twin.live("tickets")[0]["id"], twin.live("contacts")[-1]["id"]
    pair = {"object_type": "tickets", "object_id": ticket, "to_object_type": "contacts"}
    with every_method(client.crm.associations) as api:
        default = {"from_object_type": "tickets", "from_object_id": ticket, "to_object_type": "contacts"}
        both = api.create(contact, **default)
        assert {row.association_spec.association_type_id for row in both.results} == {15, 16}
        spec = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 16}
        made = api.update_labels(contact, **pair, body=[spec])
        assert (made.from_object_id, made.to_object_id) == (ticket, contact)
        listed = list(api.list("contacts", object_type="tickets", object_id=ticket, limit=1))
        assert {row.to_object_id for row in listed} == _linked(twin, ticket)
        api.delete(contact, **pair)
        assert contact not in _linked(twin, ticket)
        # A search of objects that the SDK has put here, too.
        found = api.search("tickets", filter_groups=[], after="0", limit=2, properties=["subject"], sorts=[])
        assert found.total == len(twin.live("tickets"))
        with pytest.raises(vendor.APIStatusError) as caught:
            api.request_high_usage_report(1)
        assert caught.value.status_code == 501


@tour("crm.associations.batch")
def associations_batch(client, twin):
    contact = twin.live("contacts")[-1]["id"]
    company = client.crm.objects.companies.create(properties=NEW["companies"], associations=[]).id
    ends = {"from_object_type": "contacts"}
    wire = {"from": {"id": contact}, "to": {"id": company}}
    primary = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 1}]
    with every_method(client.crm.associations.batch) as api:
        made = api.create("companies", **ends, inputs=[{**wire, "types": primary}])
        assert made.results[0].labels == ["Primary"]
        assert {
            row.association_spec.association_type_id
            for row in api.create_default("companies", **ends, inputs=[wire]).results
        } == {279, 280}
        read = api.get("companies", **ends, inputs=[{"id": contact}])
        assert company in {row.to_object_id for row in read.results[0].to}
        api.delete_labels("companies", **ends, inputs=[{**wire, "types": primary}])
        api.delete("companies", **ends, inputs=[{"from": {"id": contact}, "to": [{"id": company}]}])
        assert company not in {
            row["toObjectId"] for row in twin.state("associations") if row["fromObjectId"] == contact
        }


# settings

LINE: dict[str, Any] = {
    "label": "Returns",
    "display_order": 5,
    "stages": [{"label": "New", "display_order": 0, "metadata": {"ticketState": "OPEN"}}],
}


@tour("crm.pipelines")
def pipelines(client, twin):
    with every_method(client.crm.pipelines) as api:
        line = api.create("tickets", **LINE)
        at = {"object_type": "tickets"}
        assert api.update(line.id, **at, label="Refunds").label == "Refunds"
        assert api.update_all_properties(line.id, **at, **{**LINE, "label": "Recalls"}).label == "Recalls"
        assert api.get(line.id, **at).label == "Recalls"
        stage = api.create_stage(line.id, **at, label="Wait", display_order=1, metadata={"ticketState": "OPEN"})
        here = {**at, "pipeline_id": line.id}
        assert api.update_stage(stage.id, **here, label="Hold", metadata={}).label == "Hold"
        full = {"label": "Rest", "display_order": 2, "metadata": {"ticketState": "CLOSED"}}
        assert api.update_stage_all_properties(stage.id, **here, **full).metadata["isClosed"] == "true"
        assert api.get_stage(stage.id, **here).label == "Rest"
        kept = twin.one("pipelines", line.id)["stages"]
        assert [row.id for row in api.list_stages(line.id, **at).results] == [row["id"] for row in kept]
        assert [row.action for row in api.list_audit(line.id, **at).results] == ["UPDATE", "UPDATE", "CREATE"]
        assert [row.action for row in api.list_stage_audit(stage.id, **here).results] == ["UPDATE", "UPDATE", "CREATE"]
        assert {row.id for row in api.list("tickets").results} == {row["id"] for row in twin.ticket_pipelines()}
        api.delete_stage(stage.id, **here)
        api.delete(line.id, **at)
        assert line.id not in {row["id"] for row in twin.state("pipelines")}


PROPERTY = {"label": "Shelf", "type": "string", "field_type": "text", "group_name": "shop"}


@tour("crm.properties")
def properties(client, twin):
    client.crm.properties.groups.create("contacts", name="shop", label="Shop")
    with every_method(client.crm.properties) as api:
        made = api.create("contacts", name="shelf", **PROPERTY)
        assert made.modification_metadata.read_only_value is False
        twin.advance(1)
        assert api.update("shelf", object_type="contacts", label="Rack").label == "Rack"
        assert api.get("shelf", object_type="contacts").label == "Rack"
        kept = [row for row in twin.state("properties") if row["objectType"] == "contacts" and not row["archived"]]
        assert {row.name for row in api.list("contacts").results} == {row["name"] for row in kept}
        api.delete("shelf", object_type="contacts")
        assert "shelf" in {row.name for row in api.list("contacts", archived=True).results}


@tour("crm.properties.batch")
def properties_batch(client, twin):
    client.crm.properties.groups.create("contacts", name="shop", label="Shop")
    with every_method(client.crm.properties.batch) as api:
        made = api.create("contacts", inputs=[{"name": name, **PROPERTY} for name in ("shelf", "aisle")])
        assert {row.name for row in made.results} == {"shelf", "aisle"}
        twin.advance(1)
        asked = {"archived": False, "data_sensitivity": "non_sensitive"}
        read = api.get("contacts", inputs=[{"name": "shelf"}], **asked)
        assert [row.name for row in read.results] == ["shelf"]
        api.delete("contacts", inputs=[{"name": "shelf"}])
        kept = {row["name"]: row["archived"] for row in twin.state("properties") if row["objectType"] == "contacts"}
        assert (kept["shelf"], kept["aisle"]) == (True, False)


@tour("crm.properties.groups")
def properties_groups(client, twin):
    with every_method(client.crm.properties.groups) as api:
        assert api.create("contacts", name="shop", label="Shop", display_order=3).display_order == 3
        assert api.update("shop", object_type="contacts", label="Store").label == "Store"
        assert api.get("shop", object_type="contacts").label == "Store"
        assert "shop" in {row.name for row in api.list("contacts").results}
        api.delete("shop", object_type="contacts")
        assert "shop" not in {row.name for row in api.list("contacts").results}


@tour("crm.owners")
def owners(client, twin):
    with every_method(client.crm.owners) as api:
        listed = list(api.list(limit=2))
        kept = {row["id"]: row["email"] for row in twin.state("owners") if not row["archived"]}
        assert {row.id: row.email for row in listed} == kept
        assert api.get(int(listed[0].id)).user_id == listed[0].user_id


@tour("auth.oauth")
def oauth(client, twin):
    app = {name: twin.credentials[name] for name in ("client_id", "client_secret")}
    with every_method(client.auth.oauth) as api:
        code, back = granted_code(twin)
        first = api.create_token(grant_type="authorization_code", code=code, redirect_uri=back, **app)
        again = api.create_token(grant_type="refresh_token", refresh_token=first.refresh_token, **app)
        assert again.refresh_token == first.refresh_token
        shown = api.introspect_token(token=again.access_token, token_type_hint="access_token", **app)
        assert shown.hub_id == twin.credentials["portal_id"]
        api.revoke_token(token=first.refresh_token, token_type_hint="refresh_token", **app)
        with pytest.raises(vendor.BadRequestError):
            api.create_token(grant_type="refresh_token", refresh_token=first.refresh_token, **app)


# the journal, which wants a token by the app's own credentials


def _wanted(twin: Twin, object_type: str, action: str) -> dict[str, Any]:
    portal = twin.credentials["portal_id"]
    return {"subscription_type": "OBJECT", "object_type_id": object_type, "actions": [action], "portal_id": portal}


def _held(client: Any, twin: Twin) -> tuple[Any, int]:
    """(a client that may read the journal, the id of a subscription whose events it already holds)."""
    scopes = ("crm.objects.contacts.read", "crm.objects.contacts.write", "developer.webhooks_journal.read")
    reader = _client(twin, access_token=app_token(twin, *scopes))
    made = reader.webhooks_journal.subscriptions.create(**_wanted(twin, "0-1", "UPDATE"))
    contact = twin.live("contacts")[0]["id"]
    client.crm.objects.contacts.update(contact, properties={"firstname": "Ada"})
    twin.advance(900)
    return reader, made.id


def _journal(tree: str) -> Callable[[Any, Twin], None]:
    def drive(client: Any, twin: Twin) -> None:
        reader, _ = _held(client, twin)
        contact = int(twin.live("contacts")[0]["id"])
        snapshot = {"object_id": contact, "object_type_id": "0-1", "portal_id": twin.credentials["portal_id"]}
        taken = reader.webhooks_journal.snapshots.create(snapshot_requests=[{**snapshot, "properties": ["email"]}])
        resource = getattr(reader.webhooks_journal, tree)
        with every_method(resource) as api:
            entry = api.get_earliest().json()
            (event,) = httpx.get(entry["url"]).json()["journalEvents"]
            assert (event["objectId"], event["propertyChanges"]) == (contact, {"firstname": "Ada"})
            if "get_latest" in _methods(resource):
                assert api.get_latest().json()["currentOffset"] == entry["currentOffset"]
            assert api.get_next_from_offset(entry["currentOffset"]).status_code == 204
            assert api.get_status(taken.snapshot_responses[0].snapshot_status_id).status == "COMPLETED"

    return drive


def _journal_batch(tree: str) -> Callable[[Any, Twin], None]:
    def drive(client: Any, twin: Twin) -> None:
        reader, _ = _held(client, twin)
        resource = getattr(reader.webhooks_journal, tree).batch
        with every_method(resource) as api:
            (first,) = api.get_earliest(10).results
            assert [row.current_offset for row in api.get(inputs=[first.current_offset]).results] == [
                first.current_offset
            ]
            assert api.get_from_offset(10, offset=first.current_offset).results == []
            if "get_latest" in _methods(resource):
                assert [row.current_offset for row in api.get_latest(10).results] == [first.current_offset]

    return drive


for _tree in ("journal", "journal_local"):
    TOURS[f"webhooks_journal.{_tree}"] = _journal(_tree)
    TOURS[f"webhooks_journal.{_tree}.batch"] = _journal_batch(_tree)


@tour("webhooks_journal.snapshots")
def journal_snapshots(client, twin):
    reader, _ = _held(client, twin)
    contact, portal = int(twin.live("contacts")[0]["id"]), twin.credentials["portal_id"]
    wanted = {"object_id": contact, "object_type_id": "0-1", "portal_id": portal, "properties": ["email"]}
    with every_method(reader.webhooks_journal.snapshots) as api:
        (taken,) = api.create(snapshot_requests=[wanted]).snapshot_responses
    assert (taken.object_id, taken.portal_id) == (contact, portal)


@tour("webhooks_journal.subscriptions")
def journal_subscriptions(client, twin):
    reader, kept = _held(client, twin)
    with every_method(reader.webhooks_journal.subscriptions) as api:
        made = api.create(**_wanted(twin, "0-5", "CREATE"))
        assert (made.object_type_id, made.actions) == ("0-5", ["CREATE"])
        assert api.get(made.id).id == made.id
        assert {row.id for row in api.list().results} == {made.id, kept}
        api.delete(made.id)
        assert {row.id for row in api.list().results} == {kept}
        api.delete_for_portal(twin.credentials["portal_id"])
        assert api.list().results == []


@tour("webhooks_journal.subscriptions.filters")
def journal_filters(client, twin):
    reader, kept = _held(client, twin)
    narrow = {"conditions": [{"filter_type": "CRM_OBJECT_PROPERTY", "property": "email", "operator": "IS_NOT_EMPTY"}]}
    with every_method(reader.webhooks_journal.subscriptions.filters) as api:
        made = api.create(filter=narrow, subscription_id=kept)
        assert api.get(made.filter_id).id == made.filter_id
        assert [row.id for row in api.list(kept)] == [made.filter_id]
        api.delete(made.filter_id)
        assert api.list(kept) == []


def test_the_sdk_keeps_webhook_settings_and_subscriptions(client, twin):
    app = twin.app_id
    api = client.webhooks
    most = {"max_concurrent_requests": 7}
    exact(api.update_settings(app, target_url="https://hooks.example.com/in", throttling=most))
    assert exact(api.get_settings(app)).throttling.max_concurrent_requests == 7
    one = exact(api.create_event_subscription(app, active=False, event_type="contact.creation"))
    changed = exact(api.update_event_subscription(int(one.id), app_id=app, active=True))
    assert (changed.id, changed.active) == (one.id, True)
    assert exact(api.get_event_subscription(int(one.id), app_id=app)).active
    many = exact(api.create_batch_event_subscriptions(app, inputs=[{"id": int(one.id), "active": False}]))
    assert [row.active for row in many.results] == [False]
    assert [row.id for row in exact(api.list_event_subscriptions(app)).results] == [one.id]
    assert [row["id"] for row in twin.state("subscriptions")] == [one.id]
    api.delete_event_subscription(int(one.id), app_id=app)
    api.delete_settings(app)
    assert twin.state("subscriptions") == []


@pytest.mark.parametrize("area", PARTLY)
def test_what_no_sync_calls_answers_501_with_its_name(client, twin, area):
    resource = _at(client, area)
    for name in sorted(_methods(resource) - set(PARTLY[area])):
        call = getattr(resource, name)
        wanted = inspect.signature(call).parameters.values()
        args = {p.name: _sample(p.name) for p in wanted if p.default is p.empty and p.kind is not p.VAR_KEYWORD}
        with pytest.raises(vendor.APIStatusError) as caught:
            call(**args)
        assert caught.value.status_code == 501, name


def _sample(name: str) -> Any:
    return [] if name == "inputs" else 1 if name.endswith("_id") and "object_type" not in name else "0-1"


def test_the_sdk_reads_account_and_limits(client, twin):
    shown = exact(client.account.get())
    assert shown.portal_id == twin.credentials["portal_id"]
    limits = exact(client.crm.limits.get_custom_property_limits())
    assert limits.overall_limit == 10_000


def test_the_sdk_knows_the_labels_of_associations(client, twin):
    api = client.crm.associations_schema.labels
    ends = {"from_object_type": "contacts"}
    made = exact(api.create_label("companies", **ends, label="Billed to", name="billed_to", inverse_label="Bills"))
    labels = {row.label: row for row in exact(api.list_labels("companies", **ends)).results}
    assert {None, "Primary", "Billed to"} <= labels.keys()
    assert {row.type_id for row in made.results} & {labels["Billed to"].type_id}
    type_id = labels["Billed to"].type_id
    api.update_label("companies", **ends, association_type_id=type_id, label="Invoiced to")
    assert "Invoiced to" in {row.label for row in api.list_labels("companies", **ends).results}
    api.delete_label(type_id, **ends, to_object_type="companies")
    assert "Invoiced to" not in {row.label for row in api.list_labels("companies", **ends).results}


def test_a_207_reaches_the_sdk_with_its_errors(client, twin):
    kept = twin.live("contacts")[0]["id"]
    read = client.crm.objects.contacts.batch.get(
        inputs=[{"id": kept}, {"id": OLD}], properties=["email"], properties_with_history=[]
    )
    assert [row.id for row in read.results] == [kept]
    assert read.model_extra["numErrors"] == 1
    assert read.model_extra["errors"][0]["context"]["ids"] == [OLD]


def test_association_ids_are_numbers_as_recorded_and_the_sdk_takes_them(client, twin):
    twin.switch(association_ids="number")
    ticket = next(row for row in twin.state("associations") if row["fromObjectTypeId"] == "0-5")["fromObjectId"]
    with _client(twin, _strict_response_validation=False) as lenient:
        listed = list(lenient.crm.associations.list("contacts", object_type="tickets", object_id=ticket))
    assert {str(row.to_object_id) for row in listed} == _linked(twin, ticket)
    assert isinstance(listed[0].to_object_id, int)


def test_the_sdk_retries_a_429_by_itself(client, twin):
    plan = [{"system": "hubspot", "path": "/crm/owners", "kind": "429", "times": 1}]
    assert twin.control.put("/faults", json=plan).is_success
    with _client(twin, max_retries=2) as patient:
        assert patient.crm.owners.list(limit=1).results
    assert [row["status"] for row in twin.calls() if row["path"] == "/crm/owners/2026-03"] == [200, 429]


def test_the_sdk_reads_everything_that_the_store_holds(twin):
    client = _client(twin, _strict_response_validation=False)  # its models know no null, which a value never set is
    for kind in ("contacts", "tickets", "companies", "notes"):
        rows = twin.live(kind)
        names = sorted({name for row in rows for name in row["properties"]})
        listed = list(getattr(client.crm.objects, kind).list(limit=30, properties=names))
        found = [
            (row.id, {name: value for name, value in row.properties.items() if value is not None}) for row in listed
        ]
        assert found == [(row["id"], row["properties"]) for row in rows]
