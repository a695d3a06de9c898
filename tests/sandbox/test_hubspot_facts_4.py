"""The switches of the journal and the webhooks of HubSpot's twin: each at two settings or more, seen over HTTP."""

import base64
from contextlib import contextmanager
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from sync_platform.sandbox.hubspot.system import HubSpotSandbox
from sync_platform.sandbox.world import World
from tests.sandbox.conftest import served
from tests.sandbox.hubspot_account import CONTACTS, Account, served_account
from tests.sandbox.webhook_receiver import app, receiving, until

JOURNAL = "/webhooks-journal/journal/2026-03"
BACK = "http://127.0.0.1:9/back"
READ = "crm.objects.contacts.read"


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


# the journal


def _journal_token(hubspot):
    form = {"grant_type": "client_credentials"}
    form["scope"] = "developer.webhooks_journal.read developer.webhooks_journal.subscriptions.write"
    return {"authorization": f"Bearer {_token(hubspot, '2026-03', **form).json()['access_token']}"}


def _published(hubspot):
    headers = _journal_token(hubspot)
    body = {"subscriptionType": "OBJECT", "objectTypeId": "0-1", "actions": []}
    made = hubspot.http.post("/webhooks-journal/subscriptions/2026-03", json=body, headers=headers)
    assert made.status_code == 201
    hubspot.contact(firstname="Ada")
    return headers


def test_the_address_of_a_journal_file_is_good_for_as_long_as_the_switch_says(hubspot):
    headers = _published(hubspot)

    def seen():
        url = hubspot.call("GET", f"{JOURNAL}/latest", headers=headers)["url"]
        hubspot.world.clock.advance(60)
        return httpx.get(url).status_code

    assert _at(hubspot, "journal_url_s", (30, 3_600), seen) == {30: 403, 3_600: 200}


def test_a_change_is_in_the_journal_at_once_or_after_its_delay(hubspot):
    headers = _published(hubspot)

    def latest():
        return hubspot.call("GET", f"{JOURNAL}/latest", headers=headers)["currentOffset"]

    def seen():
        before = latest()
        hubspot.contact(firstname="Bea")
        early = latest() != before
        hubspot.world.clock.advance(31)
        return early, latest() != before

    assert _at(hubspot, "journal_delay_s", (0, 30), seen) == {0: (True, True), 30: (False, True)}


def test_each_thing_that_happens_to_a_record_is_an_action_in_the_journal(tmp_path, serve_app):
    with served_account(tmp_path, serve_app) as account:
        account.set(journal_delay_s=0)
        headers = _published(account)
        one, two = (account.contact(firstname=name)["id"] for name in ("Ada", "Bea"))
        account.call("PATCH", f"{CONTACTS}/{one}", {"properties": {"phone": "1"}})
        account.call("DELETE", f"{CONTACTS}/{one}", status=204)
        account.side.edit("contacts", one, {"restore": True}, False, "person")
        account.post(f"{CONTACTS}/merge", {"primaryObjectId": one, "objectIdToMerge": two})
        url = account.call("GET", f"{JOURNAL}/latest", headers=headers)["url"]
        actions = [event["action"] for event in httpx.get(url).json()["journalEvents"]]
        assert actions[1:] == ["CREATE", "CREATE", "UPDATE", "DELETE", "RESTORE", "MERGE"]


def test_an_empty_journal_answers_204_or_404(tmp_path, serve_app):
    with served_account(tmp_path, serve_app) as account:
        headers = _journal_token(account)
        found = _at(
            account,
            "journal_empty",
            (204, 404),
            lambda: account.http.get(f"{JOURNAL}/earliest", headers=headers).status_code,
        )
        assert found == {204: 204, 404: 404}


def test_which_tokens_read_the_journal_is_a_switch(hubspot):
    scope = "developer.webhooks_journal.read"
    tokens = [_granted(hubspot, wanted)["access_token"] for wanted in (scope, READ)]
    people = [{"authorization": f"Bearer {token}"} for token in tokens]
    everybody = (_published(hubspot), *people)

    def seen():
        return [hubspot.http.get(f"{JOURNAL}/latest", headers=one).status_code for one in everybody]

    assert _at(hubspot, "journal_token", ("client_credentials", "any"), seen) == {
        "client_credentials": [200, 403, 403],
        "any": [200, 200, 403],
    }


# webhooks


@pytest.fixture
def receiver():
    with receiving() as one:
        yield one


@pytest.fixture
def hooks(tmp_path, serve_app, receiver):
    with app(tmp_path, serve_app, receiver) as one:
        yield one


def test_the_flag_of_a_creation_is_a_switch(hooks):
    hooks.listen("contact.creation")
    for n, flag in enumerate(("CREATED", "NEW"), 1):
        hooks.set(webhook_creation_flag=flag)
        hooks.create(CONTACTS, firstname="Ada")
        assert hooks.got(n)[-1]["changeFlag"] == flag


def test_the_object_of_a_merge_event_is_the_survivor_or_the_primary(hooks):
    hooks.listen("contact.merge")
    for n, which in enumerate(("survivor", "primary"), 1):
        hooks.set(webhook_merge_object_id=which)
        one, two = hooks.create(CONTACTS, firstname="Ada"), hooks.create(CONTACTS, firstname="Bea")
        body = {"primaryObjectId": one, "objectIdToMerge": two}
        survivor = hooks.http.post(f"{CONTACTS}/merge", json=body).json()["id"]
        event = hooks.got(n)[-1]
        assert event["newObjectId"] == int(survivor)
        assert event["objectId"] == int(survivor if which == "survivor" else one)


def test_own_writes_are_echoed_with_the_apps_id_or_without(hooks):
    hooks.listen("contact.creation")
    hooks.create(CONTACTS, firstname="Ada")
    assert hooks.got(1)[0]["sourceId"] == str(hooks.side.app_id)
    hooks.set(webhook_source_id="none")
    hooks.create(CONTACTS, firstname="Bea")
    assert "sourceId" not in hooks.got(2)[1]


def test_a_subscription_is_taken_from_the_cache_for_as_long_as_the_switch_says(hooks):
    (id_,) = hooks.listen("contact.creation")
    path = f"{hooks.base}/subscriptions/{id_}"
    hooks.create(CONTACTS, firstname="Ada")
    hooks.got(1)
    hooks.call("PATCH", path, {"active": False})
    hooks.create(CONTACTS, firstname="Bea")  # nothing is cached: it is paused at once
    hooks.call("PATCH", path, {"active": True})
    hooks.create(CONTACTS, firstname="Cleo")
    hooks.got(2)
    hooks.set(webhook_cache_s=300.0)
    hooks.call("PATCH", path, {"active": False})
    hooks.create(CONTACTS, firstname="Dora")
    hooks.got(3)


def test_events_are_gathered_for_as_long_as_the_switch_says(hooks, receiver):
    hooks.listen("contact.creation")
    inputs = {"inputs": [{"properties": {"firstname": "Ada"}} for _ in range(3)]}
    hooks.create(CONTACTS, firstname="Ada")
    hooks.got(1)  # without a delay it comes while the clock stands where it is
    until(lambda: not hooks.waiting())  # it stays in the queue until its answer was read
    hooks.set(webhook_delay_s=60.0)
    for _ in range(2):
        hooks.http.post(f"{CONTACTS}/batch/create", json=inputs).raise_for_status()
    assert len(hooks.waiting()) == 6
    assert len(receiver.events()) == 1
    hooks.world.clock.advance(61)
    hooks.got(7)
    assert [len(post.events) for post in receiver.posts] == [1, 6]


def test_order_duplicates_and_event_ids_follow_their_dials(hooks, receiver):
    hooks.listen("contact.creation")

    def sent():
        """Objects and event ids of forty creations, as they came."""
        receiver.posts.clear()
        inputs = [{"properties": {"firstname": "Ada"}} for _ in range(40)]
        hooks.http.post(f"{CONTACTS}/batch/create", json={"inputs": inputs}).raise_for_status()
        until(receiver.events)
        hooks.world.clock.advance(120)
        until(lambda: not hooks.waiting())
        events = receiver.events()
        return [event["objectId"] for event in events], {event["eventId"] for event in events}

    objects, ids = sent()
    assert (objects, len(ids)) == (sorted(set(objects)), 40)
    for dials, changed in (
        ({"webhook_late_share": 0.5, "webhook_late_s": 60.0}, "order"),
        ({"webhook_late_share": 0.0, "webhook_duplicate_share": 0.5}, "number"),
        ({"webhook_duplicate_share": 0.0, "webhook_event_id_reuse": 0.5}, "ids"),
    ):
        hooks.set(**dials)
        objects, ids = sent()
        assert (objects != sorted(objects)) is (changed == "order") or changed == "number"
        assert (len(objects) > 40) is (changed == "number")
        assert (len(ids) < 40) is (changed == "ids")


def test_held_back_events_come_within_the_time_of_the_switch(hooks, receiver):
    hooks.set(webhook_late_share=1.0)
    hooks.listen("contact.creation")
    for late_s in (5.0, 500.0):
        hooks.set(webhook_late_s=late_s)
        start_ms = hooks.world.clock.now().timestamp() * 1000
        inputs = [{"properties": {"firstname": "Ada"}} for _ in range(30)]
        hooks.http.post(f"{CONTACTS}/batch/create", json={"inputs": inputs}).raise_for_status()
        due_s = [(row["due"] - start_ms) / 1000 for row in hooks.waiting()]
        assert late_s / 5 < max(due_s) <= late_s + 5
        hooks.world.clock.advance(late_s + 60)
        until(lambda: not hooks.waiting())


def test_signatures_of_a_call_follow_the_switch(hooks, receiver):
    hooks.listen("contact.creation")
    seen = {}
    for n, which in enumerate(("v1", "v3", "v1+v3"), 1):
        hooks.set(webhook_signatures=which)
        hooks.create(CONTACTS, firstname="Ada")
        hooks.got(n)
        headers = receiver.posts[-1].headers
        seen[which] = [name in headers for name in ("x-hubspot-signature", "x-hubspot-signature-v3")]
        if "v3" in which:
            assert len(base64.b64decode(headers["x-hubspot-signature-v3"])) == 32
            assert abs(int(headers["x-hubspot-request-timestamp"]) / 1000 - hooks.world.clock.now().timestamp()) < 60
    assert seen == {"v1": [True, False], "v3": [False, True], "v1+v3": [True, True]}
