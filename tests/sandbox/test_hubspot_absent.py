"""What HubSpot's twin doesn't serve says so."""

import httpx
import pytest

from sync_platform.sandbox.hubspot.system import HubSpotSandbox
from sync_platform.sandbox.world import World


@pytest.fixture(scope="module")
def twin(tmp_path_factory):
    from tests.sandbox.conftest import served

    world = World(tmp_path_factory.mktemp("absent"), seed=1, rate_scale=100)
    side = HubSpotSandbox(world)
    headers = {"authorization": f"Bearer {side.credentials()['access_token']}"}
    with served(side.app()) as url, httpx.Client(base_url=url, headers=headers) as client:
        yield world, client
    side.close()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/crm/v3/lists"),
        ("POST", "/crm/v3/lists/search"),
        ("GET", "/crm/v3/imports"),
        ("GET", "/marketing/v3/emails"),
        ("GET", "/cms/v3/blogs/posts"),
        ("POST", "/files/v3/files"),
        ("GET", "/contacts/v1/lists/all/contacts/all"),
        ("GET", "/contacts/v1/contact/vid/1/profile"),
        ("GET", "/companies/v2/companies/paged"),
        ("GET", "/deals/v1/deal/paged"),
        ("GET", "/engagements/v1/engagements/paged"),
        ("GET", "/properties/v2/contacts/properties"),
        ("GET", "/email/public/v1/campaigns"),
        ("GET", "/automation/v4/flows"),
        ("GET", "/conversations/v3/conversations/threads"),
        ("POST", "/crm/v3/objects/contacts/batch/frobnicate"),
        ("GET", "/crm/v3/objects/contacts/1/associations/tickets"),
        ("GET", "/webhooks-journal/journal/2027-03-beta/earliest"),
        ("GET", "/"),
    ],
)
def test_a_call_that_is_not_served_answers_501_with_its_name(twin, method, path):
    answer = twin[1].request(method, path)
    assert answer.status_code == 501
    body = answer.json()
    assert body["message"] == f"This call is not served by the sandbox: {method} {path}"
    assert (body["status"], body["category"]) == ("error", "NOT_IMPLEMENTED")
    assert body["correlationId"] == answer.headers["x-hubspot-correlation-id"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/crm/v3/objects/contacts"),
        ("PUT", "/crm/v3/objects/contacts/1"),
        ("GET", "/crm/v3/objects/contacts/batch/read/"),
        ("DELETE", "/crm/v4/objects/contacts/1/associations/tickets"),
        ("POST", "/crm/v4/objects/contacts/1/associations/default/tickets/2"),
        ("GET", "/crm/v4/associations/contacts/tickets/batch/read"),
        ("POST", "/crm/v3/owners"),
        ("PUT", "/account-info/v3/details"),
        ("GET", "/oauth/v2/private-apps/get/access-token-info"),
    ],
)
def test_a_known_path_with_another_method_answers_405(twin, method, path):
    assert twin[1].request(method, path).status_code == 405


def test_an_unknown_path_needs_a_token_too(twin):
    assert httpx.get(f"{twin[1].base_url}/crm/v3/lists").status_code == 401


def test_an_unknown_path_can_answer_404_by_the_switch(twin):
    world, client = twin
    world.switches.set("hubspot.unknown_path", 404)
    try:
        assert client.get("/crm/v3/lists").status_code == 404
    finally:
        world.switches.set("hubspot.unknown_path", 501)
