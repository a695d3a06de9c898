"""Gorgias's twin: customers. The docstrings say how sure the rule is."""

import base64
import json
from datetime import datetime

import pytest

from tests.sandbox.gorgias_served import served_account

DETAIL_ONLY = {"channels", "customer", "integrations", "external_data", "ecommerce_data"}


@pytest.fixture(scope="module")
def account(tmp_path_factory):
    with served_account(tmp_path_factory.mktemp("gorgias")) as account:
        yield account


@pytest.fixture
def gorgias(account):
    """The account, reset, at default switches."""
    account.world.switches.restore()
    account.world.outbox.clear()
    account.side.reset()
    return account


def addresses(customer, kind):
    return [entry["address"] for entry in customer["channels"] if entry["type"] == kind]


def test_list_rows_leave_out_what_only_the_detail_shows(gorgias):
    """[rec]"""
    made = gorgias.customer(phone="0719908543")
    row = gorgias.get("customers")["data"][0]
    detail = gorgias.get(f"customers/{made['id']}")
    assert detail.keys() - row.keys() == DETAIL_ONLY
    assert {key: detail[key] for key in row} == row
    assert DETAIL_ONLY - made.keys() == {"external_data", "ecommerce_data"}


def test_the_e_mail_channel_becomes_the_e_mail_and_each_type_has_a_preferred_one(gorgias):
    """[rec] preferred was left out and every channel came back preferred."""
    channels = [{"type": "email", "address": "ada@example.com"}, {"type": "phone", "address": "0719908543"}]
    made = gorgias.post("customers", {"channels": channels})
    assert made["email"] == "ada@example.com"
    assert [entry["preferred"] for entry in made["channels"]] == [True, True]
    assert addresses(made, "phone") == ["0719908543"]
    assert made["channels"][0]["user"] == made["channels"][0]["customer"] == {"id": made["id"], "name": None}


def test_a_customer_without_e_mail_has_null(gorgias):
    """[doc]"""
    made = gorgias.post("customers", {"channels": [{"type": "phone", "address": "+1 (415) 555-0132"}]})
    assert made["email"] is None
    assert made["firstname"] == made["lastname"] == ""


def test_the_server_splits_the_name(gorgias):
    """[rec]"""
    made = gorgias.customer(name="Ada King Lovelace")
    assert (made["firstname"], made["lastname"]) == ("Ada", "King Lovelace")


@pytest.mark.parametrize("name", ["firstname", "lastname", "id", "active", "integrations", "nope"])
def test_fields_that_are_not_writable_are_400(gorgias, name):
    """[doc] unknown fields; [code] firstname, lastname."""
    error = gorgias.post("customers", {"channels": [], name: "x"}, 400)["error"]
    assert error == {"msg": "Failed to create customer", "data": {name: ["Unknown field."]}}


def test_channels_are_required_on_create_by_switch(gorgias):
    """[doc] the specification says required."""
    error = gorgias.post("customers", {"email": "a@example.com"}, 400)["error"]
    assert error["data"] == {"channels": ["Missing data for required field."]}
    gorgias.switch(channels_required="off")
    assert addresses(gorgias.post("customers", {"email": "a@example.com"}), "email") == ["a@example.com"]


def test_messages_of_list_items_are_keyed_by_index(gorgias):
    """[inferred]"""
    body = {"channels": [{"type": "email", "address": "a@example.com"}, {"type": "phone"}]}
    assert gorgias.post("customers", body, 400)["error"]["data"] == {
        "channels": {"1": {"address": ["Missing data for required field."]}}
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [("language", "english"), ("timezone", "nowhere"), ("email", "no-mail"), ("name", 5), ("channels", {})],
)
def test_bad_values_are_400(gorgias, name, value):
    """[doc]"""
    assert name in gorgias.post("customers", {"channels": [], name: value}, 400)["error"]["data"]


def test_a_duplicate_e_mail_is_409_or_400_by_switch(gorgias):
    """[doc] 409; [code] 400 seen live."""
    gorgias.customer("Ada@Example.com")
    body = {"channels": [{"type": "email", "address": "ada@example.com"}]}
    assert gorgias.post("customers", body, 409)["error"]["msg"] == "The resource already exists."
    gorgias.switch(duplicate_status=400)
    assert "email" in gorgias.post("customers", body, 400)["error"]["data"]
    gorgias.switch(email_case="sensitive")
    gorgias.post("customers", body)


def test_a_phone_belongs_to_one_customer_by_switch(gorgias):
    """Not established: switch phone_channel_unique."""
    gorgias.customer("a@example.com", "123")
    body = {"channels": [{"type": "phone", "address": "123"}]}
    gorgias.post("customers", body, 409)
    gorgias.switch(phone_channel_unique="off")
    gorgias.post("customers", body)
    assert len(gorgias.get("customers", channel_type="phone", channel_address="123")["data"]) == 2


def test_an_external_id_is_unique_only_by_switch(gorgias):
    """Not established: switch external_id_unique."""
    gorgias.customer("a@example.com", external_id="x1")
    other = gorgias.customer("b@example.com", external_id="x1")
    assert len(gorgias.get("customers", external_id="x1")["data"]) == 2
    gorgias.switch(external_id_unique="on")
    gorgias.put(f"customers/{other['id']}", {"external_id": "x1"}, 409)


def test_a_put_is_partial_and_its_channels_replace_the_whole_list(gorgias):
    """[code]"""
    made = gorgias.customer("ada@example.com", "123", name="Ada", language="en")
    changed = gorgias.put(f"customers/{made['id']}", {"channels": [{"type": "phone", "address": "456"}]})
    assert (changed["name"], changed["language"], changed["email"]) == ("Ada", "en", None)
    assert addresses(changed, "phone") == ["456"]
    assert addresses(changed, "email") == []


def test_channels_that_stay_keep_their_ids(gorgias):
    """[inferred]"""
    made = gorgias.customer("ada@example.com", "123")
    kept = [{"type": "email", "address": "ada@example.com"}, {"type": "phone", "address": "456"}]
    changed = gorgias.put(f"customers/{made['id']}", {"channels": kept})
    assert changed["channels"][0]["id"] == made["channels"][0]["id"]
    assert changed["email"] == "ada@example.com"


def test_a_new_e_mail_takes_the_old_ones_place_by_switch(gorgias):
    """Not established: switch email_change."""
    made = gorgias.customer("old@example.com", "123")
    changed = gorgias.put(f"customers/{made['id']}", {"email": "new@example.com"})
    assert addresses(changed, "email") == ["new@example.com"]
    assert addresses(changed, "phone") == ["123"]
    gorgias.switch(email_change="keep")
    again = gorgias.put(f"customers/{made['id']}", {"email": "newer@example.com"})
    assert sorted(addresses(again, "email")) == ["new@example.com", "newer@example.com"]
    assert gorgias.put(f"customers/{made['id']}", {"email": None})["email"] is None


def test_the_note_is_writable_by_switch(gorgias):
    """Not established: switch note_writable."""
    made = gorgias.customer(note="likes tea")
    assert made["note"] == "likes tea"
    gorgias.switch(note_writable="off")
    assert gorgias.put(f"customers/{made['id']}", {"note": "x"}, 400)["error"]["data"] == {"note": ["Unknown field."]}


def test_the_success_of_a_put_is_200_or_202_by_switch(gorgias):
    """Not established: switch put_status."""
    made = gorgias.customer()
    gorgias.switch(put_status=202)
    assert gorgias.put(f"customers/{made['id']}", {"name": "B"}, 202)["name"] == "B"
    gorgias.switch(put_status="202-empty")
    assert gorgias.put(f"customers/{made['id']}", {"name": "C"}, 202) is None


def test_a_put_moves_updated_datetime_even_without_a_change_by_switch(gorgias):
    """Not established: switch unchanged_put_moves_updated."""
    made = gorgias.customer(name="Ada")
    moved = gorgias.put(f"customers/{made['id']}", {"name": "Ada"})
    assert moved["updated_datetime"] > made["updated_datetime"]
    gorgias.switch(unchanged_put_moves_updated="off")
    assert gorgias.put(f"customers/{made['id']}", {"name": "Ada"})["updated_datetime"] == moved["updated_datetime"]


def test_data_is_replaced_whole_with_202_and_older_versions_are_ignored_in_silence(gorgias):
    """[doc]"""
    made = gorgias.customer()
    path = f"customers/{made['id']}"
    assert gorgias.put(f"{path}/data", {"data": {"a": 1, "b": 2}, "version": "2026-05-02T00:00:00Z"}, 202) is None
    gorgias.put(f"{path}/data", {"data": {"old": 1}, "version": "2026-05-01T00:00:00Z"}, 202)
    assert gorgias.get(path)["data"] == {"a": 1, "b": 2}
    gorgias.put(f"{path}/data", {"data": {"c": 3}, "version": "2026-05-03T00:00:00Z"}, 202)
    assert gorgias.get(path)["data"] == {"c": 3}
    gorgias.put(f"{path}/data", {"version": None}, 400)


def test_data_moves_updated_datetime_by_switch(gorgias):
    """Not established: switch data_moves_updated."""
    made = gorgias.customer()
    path = f"customers/{made['id']}"
    gorgias.put(f"{path}/data", {"data": 1}, 202)
    moved = gorgias.get(path)["updated_datetime"]
    assert moved > made["updated_datetime"]
    gorgias.switch(data_moves_updated="off")
    gorgias.put(f"{path}/data", {"data": 2}, 202)
    assert gorgias.get(path)["updated_datetime"] == moved


def test_times_leave_out_the_fraction_when_it_is_zero(gorgias):
    """[rec] this broke a client once."""
    gorgias.customer()
    ticket = gorgias.ticket(gorgias.get("customers")["data"][0]["id"], created_datetime="2024-11-01T10:59:29Z")
    assert ticket["created_datetime"] == "2024-11-01T10:59:29+00:00"
    assert "." in ticket["updated_datetime"]


@pytest.mark.parametrize("order", ["created_datetime:desc", "created_datetime:asc", "updated_datetime:desc"])
def test_cursors_walk_every_row_once_in_order(gorgias, order):
    """[inferred] keyset from documented samples; [code] orders."""
    for n in range(7):
        gorgias.customer(f"c{n}@example.com")
    rows = gorgias.walk("customers", limit=3, order_by=order)
    times = [datetime.fromisoformat(row[order.split(":")[0]]) for row in rows]
    assert len({row["id"] for row in rows}) == 7
    assert times == sorted(times, reverse=order.endswith("desc"))


def test_a_row_that_changes_during_a_walk_by_updated_is_missed_in_that_walk(gorgias):
    """[code] the reason for keeping the watermark at the start of the walk."""
    made = [gorgias.customer(f"c{n}@example.com") for n in range(4)]
    first = gorgias.get("customers", limit=2, order_by="updated_datetime:desc")
    gorgias.put(f"customers/{made[0]['id']}", {"name": "late"})
    rest = gorgias.get("customers", limit=2, order_by="updated_datetime:desc", cursor=first["meta"]["next_cursor"])
    assert [row["id"] for row in rest["data"]] == [made[1]["id"]]
    assert rest["meta"]["next_cursor"] is None


def test_a_previous_cursor_leads_back(gorgias):
    """[inferred]"""
    for n in range(5):
        gorgias.customer(f"c{n}@example.com")
    first = gorgias.get("customers", limit=2)
    assert first["meta"]["prev_cursor"] is None
    second = gorgias.get("customers", limit=2, cursor=first["meta"]["next_cursor"])
    back = gorgias.get("customers", limit=2, cursor=second["meta"]["prev_cursor"])
    assert back["data"] == first["data"]
    assert back["meta"]["prev_cursor"] is None


def test_the_envelope_echoes_path_and_query(gorgias):
    """[rec]"""
    page = gorgias.get("customers", limit=100)
    assert list(page) == ["data", "object", "uri", "meta"]
    assert page["uri"] == "/api/customers?limit=100"
    assert page["object"] == "list"


@pytest.mark.parametrize(
    "params",
    [
        {"limit": 0},
        {"limit": 101},
        {"limit": "x"},
        {"order_by": "name:asc"},
        {"page": 2},
        {"per_page": 5},
        {"cursor": "x"},
    ],
)
def test_limits_orders_and_offsets_that_do_not_exist_are_400(gorgias, params):
    """[doc]"""
    assert params.keys() <= gorgias.get("customers", 400, **params)["error"]["data"].keys()


def test_a_cursor_expires(gorgias):
    """[doc] short-lived; the life is a switch."""
    for n in range(3):
        gorgias.customer(f"c{n}@example.com")
    cursor = gorgias.get("customers", limit=2)["meta"]["next_cursor"]
    gorgias.switch(cursor_ttl_s=60)
    gorgias.world.clock.advance(61)
    assert "cursor" in gorgias.get("customers", 400, limit=2, cursor=cursor)["error"]["data"]


def test_a_cursor_of_another_list_is_400(gorgias):
    """[inferred]"""
    for n in range(3):
        gorgias.customer(f"c{n}@example.com")
    cursor = gorgias.get("customers", limit=2)["meta"]["next_cursor"]
    gorgias.get("tickets", 400, cursor=cursor)
    gorgias.get("customers", 400, cursor=cursor, order_by="updated_datetime:desc")
    for broken in ([], ["next", "customers"], ["next", "customers", "created_datetime:desc", 1, None, {}], 5):
        text = base64.urlsafe_b64encode(json.dumps(broken).encode()).decode()
        gorgias.get("customers", 400, cursor=text)


def test_filters_by_identity(gorgias):
    """[doc]"""
    ada = gorgias.customer("Ada@Example.com", "+1 415", name="Ada L", external_id="e1", language="en", timezone="UTC")
    gorgias.customer("bob@example.com", name="Bob")
    for params in (
        {"email": "ada@example.com"},
        {"external_id": "e1"},
        {"name": "Ada L"},
        {"language": "en"},
        {"timezone": "UTC"},
        {"channel_type": "phone", "channel_address": "+1 415"},
        {"channel_type": "email", "channel_address": "ada@example.com"},
        {"channel_address": "+1 415"},
    ):
        assert [row["id"] for row in gorgias.get("customers", **params)["data"]] == [ada["id"]], params
    assert gorgias.get("customers", email="nobody@example.com")["data"] == []


def test_the_filter_by_e_mail_finds_further_e_mails_by_switch(gorgias):
    """Not established: switch email_filter."""
    channels = [{"type": "email", "address": address} for address in ("one@example.com", "two@example.com")]
    gorgias.post("customers", {"channels": channels})
    assert len(gorgias.get("customers", email="two@example.com")["data"]) == 1
    gorgias.switch(email_filter="primary")
    assert gorgias.get("customers", email="two@example.com")["data"] == []
    assert len(gorgias.get("customers", email="ONE@example.com")["data"]) == 1


def test_the_phone_filter_may_stand_alone_by_switch(gorgias):
    """Not established: switch channel_type_alone."""
    ada = gorgias.customer("ada@example.com", "123")
    gorgias.customer("bob@example.com")
    assert [row["id"] for row in gorgias.get("customers", channel_type="phone")["data"]] == [ada["id"]]
    gorgias.switch(channel_type_alone="off")
    assert "channel_address" in gorgias.get("customers", 400, channel_type="phone")["error"]["data"]


def test_a_deleted_customer_is_gone_and_frees_its_addresses(gorgias):
    """[doc] 204, irreversible, then 404."""
    made = gorgias.customer()
    gorgias.delete(f"customers/{made['id']}")
    gorgias.get(f"customers/{made['id']}", 404)
    gorgias.delete(f"customers/{made['id']}", status=404)
    assert gorgias.get("customers")["data"] == []
    assert gorgias.customer()["id"] != made["id"]
    assert ("customer-deleted", made["id"]) in gorgias.events()


def test_several_customers_are_deleted_at_once(gorgias):
    """[doc]"""
    made = [gorgias.customer(f"c{n}@example.com")["id"] for n in range(3)]
    gorgias.delete("customers", {"ids": made[:2]})
    assert [row["id"] for row in gorgias.get("customers")["data"]] == [made[2]]
    gorgias.delete("customers", {}, 400)


@pytest.mark.parametrize(("fate", "status"), [("null", 200), ("keep", 200), ("delete", 404)])
def test_tickets_of_a_deleted_customer(gorgias, fate, status):
    """Not established: switch deleted_customer_tickets."""
    gorgias.switch(deleted_customer_tickets=fate)
    made = gorgias.customer()
    ticket = gorgias.ticket(made["id"])
    gorgias.delete(f"customers/{made['id']}")
    found = gorgias.get(f"tickets/{ticket['id']}", status)
    if status == 200:
        assert (found["customer"] is None) == (fate == "null")


def merge(gorgias, source, target, body, status=200):
    path = f"customers/merge?source_id={source['id']}&target_id={target['id']}"
    return gorgias.put(path, body, status)


def test_a_merge_moves_channels_and_tickets_and_the_source_answers_301(gorgias):
    """[doc] 301 for DELETE and PUT data; [inferred] the rest."""
    source, target = gorgias.customer("s@example.com", "123", name="S"), gorgias.customer("t@example.com", name="T")
    ticket = gorgias.ticket(source["id"])
    merged = merge(gorgias, source, target, {"name": "Both"})
    assert (merged["id"], merged["name"], merged["email"]) == (target["id"], "Both", "t@example.com")
    assert sorted(addresses(merged, "email")) == ["s@example.com", "t@example.com"]
    assert addresses(merged, "phone") == ["123"]
    moved = gorgias.get(f"tickets/{ticket['id']}")
    assert moved["customer"]["id"] == moved["messages"][0]["sender"]["id"] == target["id"]
    answer = gorgias.http.get(f"/api/customers/{source['id']}")
    assert answer.status_code == 301
    assert answer.headers["location"] == f"/api/customers/{target['id']}/"
    gorgias.put(f"customers/{source['id']}/data", {"data": 1}, 301)
    gorgias.delete(f"customers/{source['id']}", status=301)
    assert ("customer-merged", source["id"]) in gorgias.events()


def test_reading_a_merged_customer_is_404_by_switch(gorgias):
    """Not established: switches merged_get, merged_location, merged_event_object."""
    source, target = gorgias.customer("s@example.com"), gorgias.customer("t@example.com")
    gorgias.switch(merged_get=404, merged_location="off", merged_event_object="target")
    merge(gorgias, source, target, {"name": "Both"})
    gorgias.get(f"customers/{source['id']}", 404)
    gorgias.put(f"customers/{source['id']}", {"name": "x"}, 404)
    assert "location" not in gorgias.http.delete(f"/api/customers/{source['id']}").headers
    assert ("customer-merged", target["id"]) in gorgias.events()


def test_a_merge_needs_a_field_and_two_different_customers(gorgias):
    """[code]"""
    source, target = gorgias.customer("s@example.com"), gorgias.customer("t@example.com")
    merge(gorgias, source, target, {}, 400)
    merge(gorgias, source, source, {"name": "x"}, 400)
    gorgias.put(f"customers/merge?source_id={source['id']}", {"name": "x"}, 400)


def test_a_merge_of_two_that_hold_data_of_one_integration_is_409(gorgias):
    """[doc]"""
    source, target = gorgias.customer("s@example.com"), gorgias.customer("t@example.com")
    for made in (source, target):
        shop = {"integrations": {"77": {"__integration_type__": "shopify"}}}
        gorgias.side.edit("customers", str(made["id"]), shop, delete=False, by="person")
    merge(gorgias, source, target, {"name": "x"}, 409)
    assert gorgias.get(f"customers/{source['id']}")["email"] == "s@example.com"


def test_a_rename_shows_in_tickets_and_moves_their_time_by_switch(gorgias):
    """Not established: switch customer_bumps_tickets."""
    made = gorgias.customer(name="Ada")
    ticket = gorgias.ticket(made["id"])
    gorgias.put(f"customers/{made['id']}", {"name": "Ada L"})
    row = gorgias.get("tickets")["data"][0]
    assert row["customer"]["name"] == "Ada L"
    assert row["updated_datetime"] == ticket["updated_datetime"]
    gorgias.switch(customer_bumps_tickets="on")
    gorgias.put(f"customers/{made['id']}", {"name": "Ada M"})
    assert gorgias.get("tickets")["data"][0]["updated_datetime"] > ticket["updated_datetime"]
