"""Writing to Gorgias: what is sent, what stays as it was, and what each kind of answer means."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from sync_platform.connectors.gorgias import GorgiasConnector
from sync_platform.connectors.http import BasicCredentials
from sync_platform.connectors.protocol import Change, Outcome, Receipt
from sync_platform.core.records import Channel, Entity, Evidence, Json, Lane, Verb
from sync_platform.errors import NotAllowed
from tests.connectors.conftest import GorgiasTwin
from tests.connectors.contract import FreeMeter
from tests.connectors.test_gorgias import GorgiasBench


@pytest.fixture
def bench(gorgias_twin: GorgiasTwin, meter: FreeMeter) -> Iterator[GorgiasBench]:
    made = GorgiasBench(gorgias_twin, meter)
    yield made
    made.connector.close()


@pytest.fixture(autouse=True)
def no_mail(gorgias_twin: GorgiasTwin) -> Iterator[None]:
    """Whatever a test writes, no mail leaves to a customer."""
    yield
    assert gorgias_twin.world.outbox == []


def person(bench: GorgiasBench, **given: Any) -> str:
    return str(bench.twin.edit("customers", None, **{"name": "Ada Example", **given})["id"])


def stored(bench: GorgiasBench, entity: Entity, external_id: str | None) -> dict[str, Any]:
    return bench.twin.rows(bench.kind(entity))[str(external_id)]


def addresses(row: dict[str, Any]) -> list[tuple[str, str]]:
    return [(channel["type"], channel["address"]) for channel in row["channels"]]


def update(bench: GorgiasBench, external_id: str, wanted: dict[str, Json], entity: Entity = Entity.CUSTOMER) -> Receipt:
    return bench.update(entity, bench.show(entity, external_id), wanted)


def tags(bench: GorgiasBench, ticket_id: str, *, add: tuple[str, ...] = (), remove: tuple[str, ...] = ()) -> Receipt:
    change = Change(
        "t",
        Entity.TICKET,
        Verb.UPDATE,
        ticket_id,
        add={"tags": add} if add else {},
        remove={"tags": remove} if remove else {},
    )
    return bench.write(change)["t"]


def test_a_new_customer_is_one_post_and_one_put_of_its_data(bench: GorgiasBench) -> None:
    _, receipt = bench.create(Entity.CUSTOMER)
    row = stored(bench, Entity.CUSTOMER, receipt.external_id)
    assert bench.meter.count("write") == 2
    assert [channel["type"] for channel in row["channels"]] == ["email", "email", "phone"]
    assert [channel["preferred"] for channel in row["channels"]] == [True, False, True]
    assert row["data"]["sync"]["lifetime_value"] == "12.50"
    assert receipt.row is not None
    assert receipt.row.channel is Channel.ANSWER
    # The answer to the data has no body: what is there now was read back.
    assert receipt.row.attributes["sync.lifetime_value"] == "12.50"
    assert receipt.row.carry["data"] == row["data"]


def test_a_customer_without_further_fields_is_one_post(bench: GorgiasBench) -> None:
    _, receipt = bench.create(Entity.CUSTOMER, {"name": "Only Name", "sync.company": None})
    assert receipt.outcome is Outcome.DONE
    assert bench.meter.count("write") == 1
    assert stored(bench, Entity.CUSTOMER, receipt.external_id)["email"] is None


def test_a_phone_changes_and_every_other_channel_stays(bench: GorgiasBench) -> None:
    external_id = person(bench, emails=["a@example.com", "b@example.com"], phones=["+14155550101", "+14155550102"])
    before = bench.show(Entity.CUSTOMER, external_id)
    change = Change(
        "p",
        Entity.CUSTOMER,
        Verb.UPDATE,
        external_id,
        set={"phones": ["+14155550103"]},
        was={"phones": ["+14155550101"]},
        carry=before.carry,
    )
    calls = bench.meter.calls
    assert bench.write(change)["p"].outcome is Outcome.DONE
    assert bench.meter.calls - calls == 1
    row = stored(bench, Entity.CUSTOMER, external_id)
    assert sorted(addresses(row)) == [
        ("email", "a@example.com"),
        ("email", "b@example.com"),
        ("phone", "+14155550102"),
        ("phone", "+14155550103"),
    ]
    assert row["email"] == "a@example.com"


@pytest.mark.parametrize("setting", ["replace", "keep"])
def test_a_new_primary_email_takes_the_old_ones_place(bench: GorgiasBench, setting: str) -> None:
    bench.twin.switch("email_change", setting)
    external_id = person(bench, emails=["old@example.com", "second@example.com"], phones=["+14155550101"])
    receipt = update(bench, external_id, {"email": "new@example.com"})
    assert receipt.outcome is Outcome.DONE
    row = stored(bench, Entity.CUSTOMER, external_id)
    assert row["email"] == "new@example.com"
    assert sorted(addresses(row)) == [
        ("email", "new@example.com"),
        ("email", "second@example.com"),
        ("phone", "+14155550101"),
    ]


def test_an_email_can_be_taken_away(bench: GorgiasBench) -> None:
    external_id = person(bench, emails=["old@example.com"], phones=["+14155550101"])
    assert update(bench, external_id, {"email": None}).outcome is Outcome.DONE
    row = stored(bench, Entity.CUSTOMER, external_id)
    assert (row["email"], addresses(row)) == (None, [("phone", "+14155550101")])


def test_channels_of_other_kinds_survive_a_change_of_addresses(bench: GorgiasBench) -> None:
    external_id = person(bench, emails=["old@example.com"])
    channels = [
        {"type": "email", "address": "old@example.com", "preferred": True},
        {"type": "twitter", "address": "@ada", "preferred": True},
    ]
    bench.twin.edit("customers", external_id, channels=channels)
    assert update(bench, external_id, {"phones": ["+14155550190"]}).outcome is Outcome.DONE
    assert ("twitter", "@ada") in addresses(stored(bench, Entity.CUSTOMER, external_id))


def test_plain_fields_go_without_the_channels(bench: GorgiasBench) -> None:
    external_id = person(bench, emails=["a@example.com"])
    change = Change("n", Entity.CUSTOMER, Verb.UPDATE, external_id, set={"name": "Grace Example", "language": "fr"})
    calls = bench.meter.calls
    assert bench.write(change)["n"].outcome is Outcome.DONE
    assert bench.meter.calls - calls == 1
    row = stored(bench, Entity.CUSTOMER, external_id)
    assert (row["name"], row["language"], row["email"]) == ("Grace Example", "fr", "a@example.com")


def test_without_a_note_of_the_last_read_the_customer_is_read_first(bench: GorgiasBench) -> None:
    external_id = person(bench, emails=["a@example.com"], data={"loyalty": {"level": 3}})
    for carry in (None, {"has_phone": True}):
        change = Change(
            "n",
            Entity.CUSTOMER,
            Verb.UPDATE,
            external_id,
            set={"emails": ["b@example.com"], "sync.company": "W"},
            carry=carry,
        )
        reads = bench.meter.count("read")
        assert bench.write(change)["n"].outcome is Outcome.DONE
        assert bench.meter.count("read") - reads == 1
    row = stored(bench, Entity.CUSTOMER, external_id)
    assert addresses(row) == [("email", "a@example.com"), ("email", "b@example.com")]
    assert row["data"] == {"loyalty": {"level": 3}, "sync": {"company": "W"}}


def test_data_of_others_is_kept_whole(bench: GorgiasBench) -> None:
    theirs = {"loyalty": {"level": 3}, "sync": {"company": "Old", "order_count": 1, "theirs": "x"}}
    external_id = person(bench, data=theirs)
    receipt = update(bench, external_id, {"sync.company": "New", "sync.order_count": None})
    assert receipt.outcome is Outcome.DONE
    assert receipt.row is not None
    assert receipt.row.attributes["sync.company"] == "New"
    data = stored(bench, Entity.CUSTOMER, external_id)["data"]
    assert data == {"loyalty": {"level": 3}, "sync": {"company": "New", "theirs": "x"}}


@pytest.mark.parametrize("theirs", [["a"], "text", 7])
def test_data_that_is_no_object_is_not_overwritten(bench: GorgiasBench, theirs: Json) -> None:
    external_id = person(bench)
    bench.twin.edit("customers", external_id, data=theirs)
    receipt = update(bench, external_id, {"sync.company": "New", "name": "Grace"})
    assert (receipt.outcome, receipt.code, receipt.fields) == (Outcome.REJECTED, "FOREIGN_DATA", ("sync.company",))
    row = stored(bench, Entity.CUSTOMER, external_id)
    assert (row["data"], row["name"]) == (theirs, "Ada Example")


def test_an_external_id_of_somebody_else_stays(bench: GorgiasBench) -> None:
    external_id = person(bench)
    bench.twin.edit("customers", external_id, external_id="shop-17")
    before = bench.show(Entity.CUSTOMER, external_id)
    change = Change(
        "x", Entity.CUSTOMER, Verb.UPDATE, external_id, set={"name": "Grace"}, marker=uuid4().hex, carry=before.carry
    )
    assert bench.write(change)["x"].outcome is Outcome.DONE
    assert stored(bench, Entity.CUSTOMER, external_id)["external_id"] == "shop-17"


@pytest.mark.parametrize("status", [200, 202, "202-empty"])
def test_any_success_of_a_put_is_a_success(bench: GorgiasBench, status: int | str) -> None:
    bench.twin.switch("put_status", status)
    external_id = person(bench)
    receipt = update(bench, external_id, {"name": "Grace", "sync.company": "W"})
    assert receipt.outcome is Outcome.DONE
    assert (receipt.row is None) is (status == "202-empty")
    assert stored(bench, Entity.CUSTOMER, external_id)["data"] == {"sync": {"company": "W"}}


@pytest.mark.parametrize("status", [409, 400])
@pytest.mark.parametrize("name", ["email", "emails", "phones"])
def test_an_address_that_another_customer_holds_names_the_holder(bench: GorgiasBench, status: int, name: str) -> None:
    bench.twin.switch("duplicate_status", status)
    value: Json = {"email": "taken@example.com", "emails": ["taken@example.com"], "phones": ["+14155550155"]}[name]
    holder = person(bench, emails=["first@example.com", "taken@example.com"], phones=["+14155550155"])
    _, receipt = bench.create(Entity.CUSTOMER, {**bench.fresh(Entity.CUSTOMER), name: value})
    assert (receipt.outcome, receipt.code) == (Outcome.REJECTED, "EXISTS")
    assert (receipt.existing, receipt.fields) == (holder, (name,))
    assert "taken" not in receipt.words


def test_a_refused_address_that_nobody_holds_is_not_called_taken(bench: GorgiasBench) -> None:
    _, receipt = bench.create(Entity.CUSTOMER, {"email": "no address", "name": "Ada"})
    assert (receipt.outcome, receipt.code, receipt.existing) == (Outcome.REJECTED, "VALIDATION", None)
    assert receipt.fields == ("email",)


def test_where_notes_are_not_writable_the_note_alone_is_refused(bench: GorgiasBench) -> None:
    bench.twin.switch("note_writable", "off")
    _, receipt = bench.create(Entity.CUSTOMER)
    assert (receipt.outcome, receipt.fields) == (Outcome.REJECTED, ("note",))


def test_a_create_whose_data_call_is_lost_is_found_by_its_marker(bench: GorgiasBench) -> None:
    bench.twin.fault(path="/api/customers/{id}/data", kind="5xx", status=502, times=1)
    change, receipt = bench.create(Entity.CUSTOMER)
    assert receipt.outcome is Outcome.UNKNOWN
    hits = list(bench.connector.lookup(Entity.CUSTOMER, [("marker", change.marker or "")], lane=Lane.DELTA))
    assert len(hits) == 1


def test_a_create_whose_data_is_refused_is_still_there() -> None:
    def serve(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            return httpx.Response(201, json={"id": 7, "name": "Ada", "channels": [], "data": None})
        return httpx.Response(
            400, json={"error": {"msg": "Failed to update", "data": {"data": ["Not a valid value."]}}}
        )

    credentials = BasicCredentials(lambda: ("user@example.com", "key"))
    connector = GorgiasConnector(
        "https://a.example.com", credentials, FreeMeter(), transport=httpx.MockTransport(serve)
    )
    change = Change("c", Entity.CUSTOMER, Verb.CREATE, None, set={"name": "Ada", "sync.company": "W"})
    (receipt,) = connector.apply([change], lane=Lane.DELTA)
    assert (receipt.outcome, receipt.external_id, receipt.status) == (Outcome.DONE, "7", 400)
    assert receipt.fields == ("sync.company",)
    # The row says that it is not there: what was accepted is not what was sent.
    assert receipt.row is not None
    assert receipt.row.attributes["sync.company"] is None


@pytest.mark.parametrize(
    ("kind", "landed"), [("reset_before", False), ("reset_after", True), ("truncate", True), ("5xx", False)]
)
def test_a_lost_answer_is_unknown_and_never_sent_again(bench: GorgiasBench, kind: str, landed: bool) -> None:
    bench.twin.fault(path="/api/customers", method="POST", kind=kind, times=1)
    change, receipt = bench.create(Entity.CUSTOMER)
    assert receipt.outcome is Outcome.UNKNOWN
    assert bench.meter.count("write") == 1
    hits = list(bench.connector.lookup(Entity.CUSTOMER, [("marker", change.marker or "")], lane=Lane.DELTA))
    assert len(hits) == int(landed)


def test_a_429_on_the_first_call_did_nothing(bench: GorgiasBench) -> None:
    bench.twin.fault(path="/api/customers", method="POST", kind="429", times=1)
    _, receipt = bench.create(Entity.CUSTOMER)
    assert receipt.outcome is Outcome.RETRY
    assert receipt.status == 429
    assert receipt.wait_s is not None
    assert bench.meter.count("write") == 1


def test_a_429_on_a_later_call_is_waited_for(bench: GorgiasBench) -> None:
    bench.twin.fault(path="/api/customers/{id}/data", kind="429", times=2)
    _, receipt = bench.create(Entity.CUSTOMER)
    assert receipt.outcome is Outcome.DONE
    assert stored(bench, Entity.CUSTOMER, receipt.external_id)["data"]["sync"]["company"] == "Example Works"


def test_a_429_that_lasts_in_the_middle_of_a_change_leaves_it_in_doubt(bench: GorgiasBench) -> None:
    bench.twin.fault(path="/api/customers/{id}/data", kind="429", times=50)
    _, receipt = bench.create(Entity.CUSTOMER)
    assert receipt.outcome is Outcome.UNKNOWN


def test_a_right_that_is_missing_is_a_refusal_and_credentials_stop_the_run(bench: GorgiasBench) -> None:
    bench.twin.switch("key_role", "observer-agent")
    _, receipt = bench.create(Entity.CUSTOMER)
    assert (receipt.outcome, receipt.code, receipt.fields) == (Outcome.REJECTED, "FORBIDDEN", ())
    bench.twin.credentials["api_key"] = "revoked"
    other = GorgiasBench(bench.twin, bench.meter)
    with pytest.raises(NotAllowed):
        other.create(Entity.CUSTOMER)
    other.connector.close()


def test_a_merged_customer_asks_for_another_read(bench: GorgiasBench) -> None:
    source, target = person(bench), person(bench)
    row = bench.show(Entity.CUSTOMER, source)
    bench.twin.run(bench.twin.system.merge, "customers", source, target)
    receipt = bench.update(Entity.CUSTOMER, row, {"name": "Grace"})
    assert (receipt.outcome, receipt.existing) == (Outcome.MOVED, target)
    assert bench.show(Entity.CUSTOMER, source).evidence == Evidence("merged", target)


def test_an_id_that_is_gone_is_refused(bench: GorgiasBench) -> None:
    external_id = person(bench)
    row = bench.show(Entity.CUSTOMER, external_id)
    bench.twin.delete("customers", external_id)
    receipt = bench.update(Entity.CUSTOMER, row, {"name": "Grace"})
    assert (receipt.outcome, receipt.code) == (Outcome.REJECTED, "NOT_FOUND")


def test_a_new_ticket_is_one_incoming_message_of_its_customer(bench: GorgiasBench) -> None:
    wanted = bench.fresh(Entity.TICKET)
    wanted |= {"first_message": {"id": None, "at": None, "text": "Where is it?"}, "status": "closed"}
    agent = next(id for id, user in sorted(bench.twin.rows("users").items()) if user["role"]["name"] != "bot")
    wanted["assignee_user_id"] = agent
    change, receipt = bench.create(Entity.TICKET, wanted)
    row = stored(bench, Entity.TICKET, receipt.external_id)
    (message,) = row["messages"]
    assert bench.meter.count("write") == 1
    assert (message["from_agent"], message["public"], message["channel"]) == (False, True, "api")
    assert str(message["sender"]["id"]) == wanted["customer_id"]
    assert message["body_text"] == "Where is it?"
    assert message["created_datetime"] == row["created_datetime"] == "2026-03-08T01:59:59+00:00"
    assert (row["status"], row["external_id"], str(row["assignee_user"]["id"])) == ("closed", change.marker, agent)
    assert sorted(tag["name"] for tag in row["tags"]) == ["invoice", "vip"]


@pytest.mark.parametrize(("wanted", "text"), [({"subject": "Only subject"}, "Only subject"), ({}, "-")])
def test_a_ticket_without_a_text_takes_its_subject(bench: GorgiasBench, wanted: dict[str, Json], text: str) -> None:
    wanted["customer_id"] = bench.existing(Entity.CUSTOMER)
    _, receipt = bench.create(Entity.TICKET, wanted)
    assert stored(bench, Entity.TICKET, receipt.external_id)["messages"][0]["body_text"] == text


def test_a_ticket_without_its_customer_is_not_sent(bench: GorgiasBench) -> None:
    _, receipt = bench.create(Entity.TICKET, {"subject": "Alone"})
    assert (receipt.outcome, receipt.code, receipt.fields) == (Outcome.REJECTED, "NO_CUSTOMER", ("customer_id",))
    assert bench.meter.calls == 0


def test_where_a_ticket_makes_no_tags_they_are_made_first(bench: GorgiasBench) -> None:
    bench.twin.switch("ticket_body_creates_tags", "off")
    wanted = bench.fresh(Entity.TICKET) | {"tags": ["brand new"]}
    _, receipt = bench.create(Entity.TICKET, wanted)
    assert receipt.outcome is Outcome.DONE, receipt
    assert [tag["name"] for tag in stored(bench, Entity.TICKET, receipt.external_id)["tags"]] == ["brand new"]


@pytest.mark.parametrize("status", [400, 404])
def test_an_unknown_customer_is_a_refusal(bench: GorgiasBench, status: int) -> None:
    bench.twin.switch("unknown_customer_status", status)
    wanted = bench.fresh(Entity.TICKET) | {"customer_id": "987654321"}
    _, receipt = bench.create(Entity.TICKET, wanted)
    assert (receipt.outcome, receipt.status) == (Outcome.REJECTED, status)


def test_tags_are_added_and_removed_one_by_one(bench: GorgiasBench) -> None:
    _, receipt = bench.create(Entity.TICKET)
    ticket_id = receipt.external_id or ""
    bench.twin.edit("tickets", ticket_id, tags=["invoice", "vip", "theirs"])
    calls = bench.meter.count("write")
    receipt = tags(bench, ticket_id, add=("vip", "invoice"), remove=("vip",))
    # What is both added and removed stays: an addition beats a removal.
    assert receipt.outcome is Outcome.DONE
    assert bench.meter.count("write") - calls == 1
    assert tags(bench, ticket_id, remove=("invoice",)).outcome is Outcome.DONE
    assert sorted(tag["name"] for tag in stored(bench, Entity.TICKET, ticket_id)["tags"]) == ["theirs", "vip"]


def test_a_tag_that_does_not_exist_yet_is_made(bench: GorgiasBench) -> None:
    ticket_id = bench.existing(Entity.TICKET)
    receipt = tags(bench, ticket_id, add=("never seen before", "vip"))
    assert (receipt.outcome, receipt.row) == (Outcome.DONE, None)
    names = {tag["name"] for tag in stored(bench, Entity.TICKET, ticket_id)["tags"]}
    assert {"never seen before", "vip"} <= names


def test_removing_a_tag_that_exists_no_more_is_done(bench: GorgiasBench) -> None:
    ticket_id = bench.existing(Entity.TICKET)
    bench.twin.edit("tickets", ticket_id, tags=["vip", "kept"])
    receipt = tags(bench, ticket_id, remove=("was deleted", "vip"))
    assert receipt.outcome is Outcome.DONE
    assert [tag["name"] for tag in stored(bench, Entity.TICKET, ticket_id)["tags"]] == ["kept"]


def test_tags_and_fields_together_show_the_ticket_after_everything(bench: GorgiasBench) -> None:
    ticket_id = bench.existing(Entity.TICKET)
    bench.twin.edit("tickets", ticket_id, tags=["old"], priority="low")
    change = Change(
        "b",
        Entity.TICKET,
        Verb.UPDATE,
        ticket_id,
        set={"priority": "critical"},
        add={"tags": ["new one"]},
        remove={"tags": ["old"]},
    )
    receipt = bench.write(change)["b"]
    assert receipt.outcome is Outcome.DONE
    assert receipt.row is not None
    assert (receipt.row.attributes["priority"], receipt.row.attributes["tags"]) == ("critical", ["new one"])


def test_an_assignee_is_set_and_taken_away(bench: GorgiasBench) -> None:
    ticket_id = bench.existing(Entity.TICKET)
    agent = next(id for id, user in sorted(bench.twin.rows("users").items()) if user["role"]["name"] != "bot")
    for wanted in (agent, None):
        receipt = update(bench, ticket_id, {"assignee_user_id": wanted}, Entity.TICKET)
        assert receipt.outcome is Outcome.DONE
        assert bench.show(Entity.TICKET, ticket_id).attributes["assignee_user_id"] == wanted


def test_a_ticket_moves_to_another_customer(bench: GorgiasBench) -> None:
    ticket_id, customer_id = bench.existing(Entity.TICKET), person(bench)
    assert update(bench, ticket_id, {"customer_id": customer_id}, Entity.TICKET).outcome is Outcome.DONE
    assert bench.show(Entity.TICKET, ticket_id).attributes["customer_id"] == customer_id


def test_a_lost_answer_in_the_middle_leaves_the_ticket_in_doubt(bench: GorgiasBench) -> None:
    bench.twin.fault(path="/api/tickets/{id}", method="PUT", kind="429", times=50)
    change = Change(
        "b", Entity.TICKET, Verb.UPDATE, bench.existing(Entity.TICKET), set={"priority": "low"}, add={"tags": ["vip"]}
    )
    assert bench.write(change)["b"].outcome is Outcome.UNKNOWN


@pytest.mark.parametrize("entity", list(Entity))
def test_a_delete_is_done_once_and_done_twice(bench: GorgiasBench, entity: Entity) -> None:
    _, created = bench.create(entity)
    change = Change("d", entity, Verb.DELETE, created.external_id)
    assert [bench.write(change)["d"].outcome for _ in range(2)] == [Outcome.DONE] * 2
    assert created.external_id not in bench.ids(entity)


def test_one_refused_change_does_not_stop_the_next(bench: GorgiasBench) -> None:
    bench.twin.fault(path="/api/tickets", method="POST", kind="reset_after", times=1)
    changes = [
        Change(f"c{n}", Entity.TICKET, Verb.CREATE, None, set=bench.fresh(Entity.TICKET), marker=uuid4().hex)
        for n in range(3)
    ]
    assert [bench.write(*changes)[f"c{n}"].outcome for n in range(3)] == [Outcome.UNKNOWN, Outcome.DONE, Outcome.DONE]
