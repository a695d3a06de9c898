"""Gorgias's twin: custom-field definitions and values. The docstrings say how sure the rule is."""

import pytest

from tests.sandbox.gorgias_served import served_account
from tests.sandbox.test_gorgias_access import bearer, grant


@pytest.fixture(scope="module")
def account(tmp_path_factory):
    with served_account(tmp_path_factory.mktemp("gorgias")) as account:
        yield account


@pytest.fixture
def gorgias(account):
    """The account, reset, at default switches."""
    account.world.switches.restore()
    account.side.reset()
    return account


@pytest.fixture
def ada(gorgias):
    return gorgias.customer()


@pytest.fixture
def ticket(gorgias, ada):
    return gorgias.ticket(ada["id"])


def field(gorgias, label, object_type="Ticket", data_type="text", **settings):
    body = {"object_type": object_type, "label": label}
    settings.setdefault("input_type", "input")
    return gorgias.post("custom-fields", {**body, "definition": {"data_type": data_type, "input_settings": settings}})


def seeded(gorgias, label, object_type="Ticket"):
    rows = gorgias.get("custom-fields", object_type=object_type)["data"]
    return next(row for row in rows if row["label"] == label)


def test_the_list_of_definitions_needs_an_object_type(gorgias):
    """[doc] required."""
    refused = gorgias.get("custom-fields", 400)
    assert refused["error"]["data"] == {"object_type": ["Missing data for required field."]}
    gorgias.get("custom-fields", 400, object_type="ticket")
    for kind in ("Ticket", "Customer"):
        rows = gorgias.get("custom-fields", object_type=kind)["data"]
        assert rows
        assert {row["object_type"] for row in rows} == {kind}


def test_definitions_are_ordered_by_priority_descending_first(gorgias):
    """[doc] order_by priority:desc/asc."""
    for label, priority in (("Low", 1), ("High", 4000)):
        made = field(gorgias, label)
        gorgias.put(f"custom-fields/{made['id']}", {**writable(made), "priority": priority})
    down = [row["priority"] for row in gorgias.walk("custom-fields", object_type="Ticket")]
    up = [row["priority"] for row in gorgias.walk("custom-fields", object_type="Ticket", order_by="priority:asc")]
    assert down == sorted(down, reverse=True)
    assert up == sorted(up)
    gorgias.get("custom-fields", 400, object_type="Ticket", order_by="label:asc")


def writable(row):
    return {key: row[key] for key in ("object_type", "label", "definition")}


def test_definitions_are_searched_and_walked_by_cursor(gorgias):
    """[doc] search."""
    for n in range(5):
        field(gorgias, f"Colour {n}")
    found = gorgias.walk("custom-fields", object_type="Ticket", search="colour", limit=2)
    assert sorted(row["label"] for row in found) == [f"Colour {n}" for n in range(5)]


def test_a_definition_has_the_documented_fields(gorgias):
    """[doc]"""
    made = field(gorgias, "Colour", input_type="dropdown", choices=["red", "blue"], default="red")
    assert made.keys() == {
        "id", "external_id", "object_type", "label", "description", "priority", "required", "requirement_type",
        "managed_type", "definition", "created_datetime", "updated_datetime", "deactivated_datetime",
    }  # fmt: skip
    assert gorgias.get(f"custom-fields/{made['id']}") == made
    gorgias.get("custom-fields/5", 404)


def test_a_definition_can_not_be_deleted_only_deactivated(gorgias, ticket):
    """[doc]"""
    made = field(gorgias, "Colour")
    gorgias.delete(f"custom-fields/{made['id']}", status=405)
    off = gorgias.put(f"custom-fields/{made['id']}", {**writable(made), "deactivated_datetime": "2026-01-01T00:00:00Z"})
    assert off["deactivated_datetime"] == "2026-01-01T00:00:00+00:00"
    assert made["id"] not in [row["id"] for row in gorgias.get("custom-fields", object_type="Ticket")["data"]]
    archived = gorgias.get("custom-fields", object_type="Ticket", archived=True)["data"]
    assert [row["id"] for row in archived] == [made["id"]]
    gorgias.put(f"tickets/{ticket['id']}/custom-fields", [{"id": made["id"], "value": "x"}], status=400)
    on = gorgias.put(f"custom-fields/{made['id']}", {**writable(made), "deactivated_datetime": None})
    assert on["deactivated_datetime"] is None


def test_a_label_in_use_is_refused_with_400(gorgias):
    """[code Nango]"""
    made = field(gorgias, "Colour")
    body = writable(made)
    refused = gorgias.post("custom-fields", body, 400)
    assert "label" in refused["error"]["data"]
    other = field(gorgias, "Size")
    gorgias.put(f"custom-fields/{other['id']}", body, 400)
    field(gorgias, "Colour", "Customer")


def test_a_put_of_a_definition_needs_object_type_label_and_definition(gorgias):
    """[doc]"""
    made = field(gorgias, "Colour")
    refused = gorgias.put(f"custom-fields/{made['id']}", {"label": "Hue"}, 400)
    assert refused["error"]["data"].keys() == {"object_type", "definition"}
    assert gorgias.put(f"custom-fields/{made['id']}", {**writable(made), "label": "Hue"})["label"] == "Hue"
    gorgias.put(f"custom-fields/{made['id']}", {**writable(made), "object_type": "Customer"}, 400)


def test_several_definitions_are_changed_by_one_put(gorgias):
    """[doc] PUT bulk."""
    one, two = field(gorgias, "One"), field(gorgias, "Two")
    body = [{"id": one["id"], "priority": 7}, {"id": two["id"], "priority": 8}]
    found = gorgias.put("custom-fields", body)["data"]
    assert [(row["id"], row["priority"]) for row in found] == [(one["id"], 7), (two["id"], 8)]
    gorgias.put("custom-fields", [{"id": one["id"], "priority": 9}, {"id": 5, "priority": 9}], 404)
    assert gorgias.get(f"custom-fields/{one['id']}")["priority"] == 7


@pytest.mark.parametrize(
    ("data_type", "settings"),
    [
        ("text", {"input_type": "input_number"}),
        ("text", {"input_type": "dropdown"}),
        ("text", {"input_type": "dropdown", "choices": []}),
        ("text", {"input_type": "dropdown", "choices": [1]}),
        ("text", {"input_type": "dropdown", "choices": ["a", "a"]}),
        ("text", {"input_type": "dropdown", "choices": ["a"], "default": "b"}),
        ("text", {"input_type": "input", "choices": ["a"]}),
        ("number", {"input_type": "input"}),
        ("number", {"input_type": "input_number", "min": 3, "max": 2}),
        ("date", {"input_type": "input"}),
        ("text", {"input_type": "input", "colour": "red"}),
    ],
)
def test_a_definition_that_does_not_fit_its_type_is_refused(gorgias, data_type, settings):
    """[doc] types and inputs; [inferred] which go together."""
    body = {"object_type": "Ticket", "label": "x", "definition": {"data_type": data_type, "input_settings": settings}}
    assert "definition" in gorgias.post("custom-fields", body, 400)["error"]["data"]


@pytest.mark.parametrize(
    ("data_type", "settings", "good", "bad"),
    [
        ("text", {"input_type": "input"}, ["x", ""], [5, True, ["x"]]),
        ("text", {"input_type": "dropdown", "choices": ["red", "blue"]}, ["red"], ["Red", 1]),
        ("number", {"input_type": "input_number", "min": 2, "max": 5}, [2, 3.5, 5], [1, 6, "3", True]),
        ("boolean", {"input_type": "dropdown", "choices": [True, False]}, [True, False], [1, "true"]),
    ],
)
def test_a_value_has_to_fit_its_definition(gorgias, ticket, data_type, settings, good, bad):
    """[doc] types."""
    made = field(gorgias, "x", data_type=data_type, **settings)
    path = f"tickets/{ticket['id']}/custom-fields"
    for value in good:
        assert gorgias.put(path, [{"id": made["id"], "value": value}])["data"][0]["value"] == value
    for value in bad:
        gorgias.put(path, [{"id": made["id"], "value": value}], 400)


def test_a_dropdown_value_outside_the_choices_is_refused_and_the_choices_are_listed(gorgias, ada):
    """[code Nango]"""
    tier = seeded(gorgias, "Customer tier", "Customer")
    refused = gorgias.put(f"customers/{ada['id']}/custom-fields", [{"id": tier["id"], "value": "iron"}], 400)
    assert "bronze, silver, gold" in str(refused["error"]["data"])


@pytest.mark.parametrize("kind", ["customers", "tickets"])
def test_values_are_written_as_a_list_and_read_as_a_dict_by_field_id(gorgias, ada, ticket, kind):
    """[code]"""
    owner = {"customers": ada, "tickets": ticket}[kind]
    made = field(gorgias, "Note", kind[:-1].capitalize())
    row = gorgias.put(f"{kind}/{owner['id']}", {"custom_fields": [{"id": made["id"], "value": "x"}]})
    assert row["custom_fields"] == {str(made["id"]): {"id": made["id"], "value": "x", "prediction": None}}
    values = gorgias.get(f"{kind}/{owner['id']}/custom-fields")
    assert values == {"data": [{"field": made, "value": "x", "prediction": None}]}
    assert gorgias.get(kind)["data"][0]["custom_fields"] == row["custom_fields"]


def test_a_new_customer_and_a_new_ticket_may_bring_values(gorgias):
    """[doc] custom_fields in the bodies."""
    mine, theirs = field(gorgias, "Note", "Customer"), field(gorgias, "Note")
    made = gorgias.customer(custom_fields=[{"id": mine["id"], "value": "vip"}])
    assert made["custom_fields"][str(mine["id"])]["value"] == "vip"
    ticket = gorgias.ticket(made["id"], custom_fields=[{"id": theirs["id"], "value": "loud"}])
    assert ticket["custom_fields"][str(theirs["id"])]["value"] == "loud"
    bad = {"custom_fields": [{"id": mine["id"], "value": "x"}]}
    refused = gorgias.put(f"tickets/{ticket['id']}", bad, 400)
    assert refused["error"]["data"] == {"custom_fields": {"0": ["Custom field does not exist."]}}


def test_a_list_of_values_replaces_all_or_sets_its_own_by_switch(gorgias, ticket):
    """⚠ replace (Nango live) against partial (benpalmer)."""
    one, two = field(gorgias, "One"), field(gorgias, "Two")
    path = f"tickets/{ticket['id']}/custom-fields"
    labels = lambda: [(row["field"]["label"], row["value"]) for row in gorgias.get(path)["data"]]
    gorgias.put(path, [{"id": one["id"], "value": "1"}, {"id": two["id"], "value": "2"}])
    gorgias.put(path, [{"id": two["id"], "value": "3"}])
    assert labels() == [("Two", "3")]
    gorgias.switch(custom_field_values="merge")
    gorgias.put(path, [{"id": one["id"], "value": "4"}])
    assert labels() == [("One", "4"), ("Two", "3")]
    gorgias.put(path, [{"id": one["id"], "value": None}])
    assert labels() == [("Two", "3")]


def test_leaving_out_a_managed_value_may_answer_400(gorgias, ticket):
    """[code Nango] omitting a managed field can 400."""
    reason, number = seeded(gorgias, "Contact reason"), seeded(gorgias, "Order number")
    path = f"tickets/{ticket['id']}/custom-fields"
    gorgias.put(path, [{"id": reason["id"], "value": "Other"}])
    gorgias.put(path, [{"id": number["id"], "value": "7"}], 400)
    gorgias.switch(managed_field_omitted="clear")
    assert [row["value"] for row in gorgias.put(path, [{"id": number["id"], "value": "7"}])["data"]] == ["7"]


@pytest.mark.parametrize("kind", ["customers", "tickets"])
def test_one_value_is_set_and_deleted_by_its_field_id(gorgias, ada, ticket, kind):
    """[doc] calls; ⚠ the exact body."""
    owner = {"customers": ada, "tickets": ticket}[kind]
    one, two = (field(gorgias, label, kind[:-1].capitalize()) for label in ("One", "Two"))
    path = f"{kind}/{owner['id']}/custom-fields"
    gorgias.put(path, [{"id": one["id"], "value": "1"}])
    set_ = gorgias.put(f"{path}/{two['id']}", {"id": two["id"], "value": "2"})
    assert (set_["field"]["id"], set_["value"]) == (two["id"], "2")
    gorgias.put(f"{path}/{two['id']}", {"id": one["id"], "value": "2"}, 400)
    assert len(gorgias.get(path)["data"]) == 2
    gorgias.delete(f"{path}/{one['id']}")
    gorgias.delete(f"{path}/{one['id']}", status=404)
    assert [row["value"] for row in gorgias.get(path)["data"]] == ["2"]


def test_relationships_asks_for_custom_fields(gorgias, ada, ticket):
    """[doc] the parameter; whether they come without it is a switch."""
    for path in (f"customers/{ada['id']}", f"tickets/{ticket['id']}"):
        assert gorgias.get(path, relationships="custom_fields")["custom_fields"] == {}
        gorgias.get(path, 400, relationships="orders")
    gorgias.switch(custom_fields_shown="asked")
    for path in (f"customers/{ada['id']}", f"tickets/{ticket['id']}"):
        assert "custom_fields" in gorgias.get(path, relationships="custom_fields")
        assert "custom_fields" not in gorgias.get(path)
    gorgias.switch(custom_fields_shown="detail")
    for kind in ("customers", "tickets"):
        assert "custom_fields" not in gorgias.get(kind)["data"][0]
        assert "custom_fields" in gorgias.get(f"{kind}/{gorgias.get(kind)['data'][0]['id']}")


def test_whether_a_value_moves_updated_datetime_is_a_switch(gorgias, ticket, ada):
    """Not established."""
    made, mine = field(gorgias, "Note"), field(gorgias, "Note", "Customer")
    for moves in ("on", "off"):
        gorgias.switch(custom_fields_move_updated=moves)
        for kind, owner, number in (("tickets", ticket, made["id"]), ("customers", ada, mine["id"])):
            before = gorgias.get(f"{kind}/{owner['id']}")["updated_datetime"]
            gorgias.put(f"{kind}/{owner['id']}/custom-fields", [{"id": number, "value": moves}])
            after = gorgias.get(f"{kind}/{owner['id']}")["updated_datetime"]
            assert (after > before) == (moves == "on")


def test_a_merged_customer_s_values_answer_301(gorgias, ada):
    """[inferred] as its other calls."""
    other = gorgias.customer("b@example.com")
    gorgias.side.merge("customers", str(ada["id"]), str(other["id"]))
    assert gorgias.http.get(f"/api/customers/{ada['id']}/custom-fields").status_code == 301
    gorgias.get("customers/5/custom-fields", 404)


def test_definitions_need_the_scope_custom_fields(gorgias):
    """[doc] scope custom_fields:read and :write."""
    _, token = grant(gorgias, "tickets:read")
    with bearer(gorgias, token["access_token"]) as client:
        assert client.get("/api/custom-fields?object_type=Ticket").status_code == 403
    _, token = grant(gorgias, "custom_fields:read")
    with bearer(gorgias, token["access_token"]) as client:
        assert client.get("/api/custom-fields?object_type=Ticket").status_code == 200
        assert client.post("/api/custom-fields", json={}).status_code == 403


def test_a_person_sets_values_by_label(gorgias, ada, ticket):
    edit = lambda kind, number, **values: gorgias.side.edit(
        kind, str(number), {"custom_fields": values}, False, "person"
    )
    row = edit("customers", ada["id"], **{"Customer tier": "gold"})
    assert [entry["value"] for entry in row["custom_fields"].values()] == ["gold"]
    edit("tickets", ticket["id"], **{"Order number": "7"})
    row = edit("tickets", ticket["id"], **{"Contact reason": "Other"})
    assert sorted(entry["value"] for entry in row["custom_fields"].values()) == ["7", "Other"]
    assert gorgias.get(f"tickets/{ticket['id']}")["custom_fields"] == row["custom_fields"]
    with pytest.raises(ValueError, match="label"):
        edit("tickets", ticket["id"], Nope="x")


def test_the_control_port_lists_and_edits_definitions(gorgias):
    rows, _ = gorgias.side.state("custom_fields", None, 100)
    assert {row["label"] for row in rows} == {"Contact reason", "Order number", "Customer tier"}
    made = gorgias.side.edit("custom_fields", None, {**writable(rows[1]), "label": "Batch"}, False, "person")
    assert gorgias.get(f"custom-fields/{made['id']}") == made
    with pytest.raises(ValueError, match="deactivated"):
        gorgias.side.edit("custom_fields", str(made["id"]), {}, True, "person")
