"""From a person's edit in one system, by its webhook through the door, into the other two systems."""

import base64
import json
import threading
import urllib.request
from datetime import UTC, datetime, timedelta

import pytest

from sync_platform.core.records import Entity, Link, System
from sync_platform.errors import Misconfigured
from sync_platform.ledger.database import Ledger
from sync_platform.sync.hooks import _is_news
from sync_platform.sync.setup import doctor, setup
from sync_platform.sync.through import send_through
from tests.sync.desk import opened, settings_of, wait_for, written
from tests.web.calls import SHARED
from tests.web.serving import served

PROPERTIES = ("phone", "firstname", "lastname")


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    with opened(tmp_path_factory.mktemp("through")) as one:
        env = {"GORGIAS_WEBHOOK_SECRET": SHARED, "HUBSPOT_CLIENT_SECRET": one.ready["hubspot"]["client_secret"]}
        one.settings = settings_of(one.ready, one.root, env)
        one.switch(hubspot__webhook_cache_s=0, hubspot__webhook_delay_s=0, hubspot__webhook_late_share=0,
                   hubspot__webhook_creation_properties="off")  # fmt: skip
        with served(one.root, one.settings.ledger_url, GORGIAS_HMAC_SECRET="", **env) as door:
            one.door = door
            setup(one.settings, webhooks_url=door.ready["door"])
            one.edit("hubspot", "subscriptions", None, targetUrl=door.ready["door"] + "/hooks/hubspot")
            for kind in ("contact", "ticket"):
                for what in ("creation", "deletion"):
                    one.edit("hubspot", "subscriptions", None, eventType=f"{kind}.{what}")
            for name in PROPERTIES:
                one.edit("hubspot", "subscriptions", None, eventType="contact.propertyChange", propertyName=name)
            # Its clock is never moved by more than the five minutes within which HubSpot's timestamps count.
            yield one


def switch_off(desk, number):
    """As Gorgias does it by itself after a hundred calls without success."""
    gorgias = desk.ready["gorgias"]
    body = json.dumps({"deactivated_datetime": "2026-01-01T00:00:00+00:00"}).encode()
    request = urllib.request.Request(f"{gorgias['url']}/api/integrations/{number}", body, method="PUT")
    user = base64.b64encode(f"{gorgias['email']}:{gorgias['api_key']}".encode()).decode()
    request.add_header("authorization", f"Basic {user}")
    request.add_header("content-type", "application/json")
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert 200 <= answer.status < 300


def waiting(desk):
    return desk.ledger("SELECT delivery FROM inbox WHERE drained_at IS NULL")


def test_a_ticket_closed_in_gorgias_reaches_the_others_without_being_read(desk):
    record, ids = next(iter(desk.trios("ticket").items()))
    desk.forget_calls()
    desk.edit("gorgias", "tickets", ids["gorgias"], subject="Changed by a person")
    wait_for(lambda: waiting(desk))
    desk.cycle()
    assert not waiting(desk)
    assert desk.row("erp", "ticket", ids["erp"])["subject"] == "Changed by a person"
    assert desk.row("hubspot", "ticket", ids["hubspot"])["properties"]["subject"] == "Changed by a person"
    channels = desk.ledger(
        "SELECT channel FROM observation WHERE system = 'gorgias' AND entity = 'ticket' AND external_id = :id"
        " ORDER BY id DESC LIMIT 1",
        id=ids["gorgias"],
    )
    assert channels[0].channel == "webhook"
    assert record


def test_a_contact_edited_in_hubspot_reaches_the_others_by_a_read_by_id(desk):
    ids = next(iter(desk.trios("customer").values()))
    desk.edit("hubspot", "contacts", ids["hubspot"], firstname="Webhooked", lastname="Person")
    wait_for(lambda: waiting(desk))
    summary = desk.cycle()
    assert not waiting(desk)
    assert "Webhooked" in str(desk.row("gorgias", "customer", ids["gorgias"]))
    assert "Webhooked" in str(desk.row("erp", "customer", ids["erp"]))
    assert not summary["errors"]


def test_echoes_of_our_own_writes_change_nothing_and_cost_no_read(desk):
    ids = list(desk.trios("customer").values())[1]
    desk.edit("erp", "customers", ids["erp"], full_name="Echo Erpson", first_name="Echo", last_name="Erpson")
    desk.advance(60)
    desk.cycle()
    wait_for(lambda: [one for one in waiting(desk) if one.delivery.startswith("hubspot")])
    summary = desk.cycle()
    assert not waiting(desk)
    assert written(summary) == 0
    assert not summary["errors"]


def test_setup_repeated_puts_the_one_integration_right(desk):
    (ours,) = [one for one in desk.rows("gorgias", "integrations").values() if "sync-platform" in one["name"]]
    switch_off(desk, ours["id"])
    found = {one.name: one for one in doctor(desk.settings)}
    assert not found["gorgias.webhooks"].ok
    setup(desk.settings, webhooks_url=desk.door.ready["door"])
    found = {one.name: one for one in doctor(desk.settings)}
    assert found["gorgias.webhooks"].ok
    assert "deliveries taken" in found["gorgias.webhooks.secret"].found
    rows = [one for one in desk.rows("gorgias", "integrations").values() if "sync-platform" in one["name"]]
    assert [one["deactivated_datetime"] for one in rows] == [None]
    assert SHARED not in str(found)


def test_doctor_sends_a_delivery_through_and_times_it(desk):
    url = desk.door.ready["door"]
    runs = threading.Thread(target=lambda: wait_for(lambda: waiting(desk)) and desk.cycle())
    runs.start()
    found = {one.name: one for one in doctor(desk.settings, webhooks_url=url)}["webhooks.through"]
    runs.join(60)
    assert found.ok, found
    assert "in all systems after" in found.found


def test_a_delivery_that_no_run_or_no_door_takes_is_said(desk):
    with Ledger.open(desk.settings.ledger_url, migrate=False) as ledger:
        url = desk.door.ready["door"]
        found = send_through(desk.settings, ledger, url, timeout_s=0.2)
        assert (found.ok, "no run" in found.found) == (False, True)
        found = send_through(desk.settings, ledger, "http://127.0.0.1:9")
        assert "does not answer" in found.found
        wrong = settings_of(desk.ready, desk.root, {"GORGIAS_WEBHOOK_SECRET": "another"})
        assert "403" in send_through(wrong, ledger, url).found
        assert not send_through(settings_of(desk.ready, desk.root), ledger, url).ok
    desk.cycle()


def test_setup_refuses_addresses_and_settings_with_which_nothing_could_be_checked(desk):
    with pytest.raises(Misconfigured, match="https"):
        setup(desk.settings, webhooks_url="http://hooks.example.com")
    bare = settings_of(desk.ready, desk.root)
    with pytest.raises(Misconfigured, match="no secret"):
        setup(bare, webhooks_url="https://hooks.example.com")
    found = {one.name: one for one in doctor(bare)}
    assert "403" in found["hubspot.webhooks.secret"].found


def test_an_object_that_nobody_linked_is_news_unless_it_is_told_gone():
    assert _is_news(None, None, {"what": "creation", "at": 1}, None)
    assert not _is_news(None, None, {"what": "deletion", "at": 1}, None)


@pytest.mark.parametrize(("read_after_s", "news"), [(None, True), (1, True), (60, False), (-60, True)])
def test_an_association_is_news_until_a_read_that_began_well_after_it(read_after_s, news):
    at = datetime(2026, 3, 1, 10, tzinfo=UTC)
    link = Link(1, None, System.HUBSPOT, Entity.TICKET, "5", stamp=at + timedelta(days=1))
    link.whole_at = None if read_after_s is None else at + timedelta(seconds=read_after_s)
    told = {"what": "associationChange", "at": int(at.timestamp() * 1000)}
    assert _is_news(None, link, told, Entity.TICKET) is news
