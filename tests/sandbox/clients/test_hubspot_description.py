"""HubSpot's twin describes itself at /openapi.json; what it describes is served, and what it serves is described."""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from typing import Any

import httpx
import pytest
from openapi_spec_validator import validate

from tests.sandbox.clients.twin import Twin, app_token, granted_code, undescribed

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
METHODS = ("get", "post", "put", "patch", "delete")


@pytest.fixture
def described(twin) -> Any:
    return httpx.get(f"{twin.url}/openapi.json").json()


def test_the_description_is_valid_and_needs_no_credentials(twin, described):
    validate(described)
    assert described["openapi"] == "3.1.0"
    assert twin.calls() == []  # neither counted nor limited


def test_the_description_has_every_version_of_a_path(described):
    for base in ("/crm/v3/objects/{}", "/crm/v4/objects/{}", "/crm/objects/2026-03/{}", "/crm/objects/2026-09/{}"):
        assert base.format("{objectType}") in described["paths"]
        assert base.format("{objectType}/batch/upsert") in described["paths"]
    assert "/crm/v3/owners/" in described["paths"]
    assert "/oauth/2026-09/token" in described["paths"]


def test_every_described_call_is_served(twin, described):
    token = app_token(twin, *SCOPES)
    with httpx.Client(base_url=twin.url, headers={"authorization": f"Bearer {token}"}, timeout=20) as http:
        parts = _account(twin, http)
        calls = [(method, path) for path, one in described["paths"].items() for method in METHODS if method in one]
        wrong = []
        # Reads first: a DELETE takes away what the others need.
        for method, path in sorted(calls, key=lambda call: (call[0] == "delete", call[0] != "get")):
            values = parts | ({"objectType": "tickets"} if "/pipelines/" in path else {})
            values |= {"token": parts["access"]} if "access-tokens" in path else {}
            filled = re.sub(r"\{(\w+)\}", lambda found, known=values: known[found[1]], path)
            body = None if method in {"get", "delete"} else b"{}"
            answer = http.request(method, filled + _query(path, parts), content=body)
            good = {200, 201, 204, 207, 302, 400} if method != "get" else {200, 204, 302}
            gone = method == "delete" and answer.status_code == 404  # another version of the path was there before
            if answer.status_code not in good and not gone:
                wrong.append((method, path, answer.status_code, answer.text[:80]))
    assert wrong == []


SCOPES = (
    "tickets", "crm.objects.owners.read", "crm.schemas.custom.read", "crm.schemas.custom.write",
    "developer.webhooks_journal.read",
    *(
        f"crm.{area}.{kind}.{verb}"
        for area in ("objects", "schemas")
        for kind in ("contacts", "companies", "tickets", "deals", "custom")
        for verb in ("read", "write")
    ),
)  # fmt: skip


def _query(path: str, parts: dict[str, str]) -> str:
    if path.startswith("/webhooks-journal-files"):
        return parts["signed"]
    if path == "/oauth/authorize":
        return f"?client_id={parts['client_id']}&redirect_uri=https://app.example.com/back&scope=oauth"
    return f"?hapikey={parts['hapikey']}" if "webhooks/" in path else ""


def _account(twin: Twin, http: httpx.Client) -> dict[str, str]:
    """A value for each part of a path, of something that is there."""
    contact, key = twin.live("contacts")[0]["id"], twin.credentials["developer_api_key"]
    app, journal = f"/webhooks/v3/{twin.app_id}", "/webhooks-journal/{}/2026-03"

    def made(path: str, **body: Any) -> Any:
        answer = http.request("PUT" if path.endswith("settings") else "POST", path, json=body, params={"hapikey": key})
        assert answer.is_success, answer.text
        return answer.json()

    held = made(journal.format("subscriptions"), subscriptionType="OBJECT", objectTypeId="0-2")["id"]
    narrow = {"conditions": [{"filterType": "CRM_OBJECT_PROPERTY", "property": "name", "operator": "EQ", "value": "x"}]}
    filter_id = made(f"{journal.format('subscriptions')}/filters", filter=narrow, subscriptionId=held)["filterId"]
    company = made("/crm/v3/objects/companies", properties={"name": "Acme Ltd"})["id"]
    wanted = [{"objectId": int(contact), "objectTypeId": "0-1", "portalId": twin.credentials["portal_id"]}]
    snapshot = made("/webhooks-journal/snapshots/2026-03/crm", snapshotRequests=wanted)["snapshotResponses"][0]
    twin.advance(3_600 / 4)
    entry = http.get(f"{journal.format('journal')}/earliest").json()
    prop = {"name": "size", "label": "Size", "type": "string", "fieldType": "text"}
    names = {"labels": {"singular": "Lamp"}, "properties": [prop], "requiredProperties": ["size"]}
    made(f"{app}/settings", targetUrl="https://hooks.example.com/in")
    code, back = granted_code(twin)
    secret = {name: twin.credentials[name] for name in ("client_id", "client_secret")}
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": back, **secret}
    tokens = http.post("/oauth/v1/token", data=form).json()
    return {
        "objectType": "contacts",
        "objectId": contact,
        "toObjectId": company,
        "vid": contact,
        "ownerId": twin.state("owners")[0]["id"],
        "customType": made("/crm/v3/schemas", name="lamp", **names)["objectTypeId"],
        "associationTypeId": "1",
        "propertyName": "firstname",
        "groupName": "contactinformation",
        "pipelineId": "0",
        "stageId": "1",
        "email": "second@example.com",
        "token": tokens["refresh_token"],
        "access": tokens["access_token"],
        "fromObjectType": "contacts",
        "toObjectType": "companies",
        "subscriptionId": made(f"{app}/subscriptions", eventType="contact.creation")["id"],
        "appId": str(twin.app_id),
        "offset": entry["currentOffset"],
        "signed": "?" + entry["url"].partition("?")[2],
        "count": "5",
        "statusId": snapshot["snapshotStatusId"],
        "journalId": str(held),
        "filterId": str(filter_id),
        "portalId": str(twin.credentials["portal_id"]),
        "client_id": twin.credentials["client_id"],
        "hapikey": key,
    }


def test_a_call_that_is_not_described_is_told(twin, described):
    seen = [
        {"method": "GET", "path": "/crm/v3/objects/contacts/{id}", "status": 200, "count": 1},
        {"method": "GET", "path": "/crm/v3/no-such-thing", "status": 200, "count": 1},
        {"method": "GET", "path": "/crm/v3/nothing", "status": 404, "count": 1},
    ]
    assert undescribed(described, seen) == ["GET /crm/v3/no-such-thing"]


def test_the_components_of_the_description_are_all_used_and_closed(described):
    text = json.dumps(described)
    used = Counter(re.findall(r"#/components/schemas/(\w+)", text))
    assert set(described["components"]["schemas"]) == set(used)
    answers = {
        name
        for response in described["components"]["responses"].values()
        for name in re.findall(r"#/components/schemas/(\w+)", json.dumps(response))
    }
    for name in answers:
        schema = described["components"]["schemas"][name]
        assert schema.get("additionalProperties") is False or schema["type"] == "array", name


@pytest.mark.slow
def test_schemathesis_finds_no_5xx_and_no_answer_outside_the_description_of_hubspot(twin, tmp_path):
    # A date filter at epoch 0 breaks the real search, and the twin's by default; 501 is a tier, not a breakdown.
    twin.switch(search_epoch_zero=200, unknown_path=404, webhook_settings_auth="either")
    token = app_token(twin, *SCOPES)
    command = (
        sys.executable, "-m", "schemathesis.cli", "run", f"{twin.url}/openapi.json",
        "--header", f"Authorization: Bearer {token}", "--checks", ",".join(CHECKS),
        "--phases", "examples,fuzzing", "--generation-deterministic", "--max-examples", "3", "--no-shrink",
        "--continue-on-failure", "--suppress-health-check", "all", "--no-color",
    )  # fmt: skip
    quiet = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(command, cwd=tmp_path, env=quiet, capture_output=True, text=True, timeout=300, check=False)
    told = done.stdout[-30_000:] + done.stderr[-2_000:]
    assert done.returncode == 0, told
    counted = re.search(r"Selected: (\d+)/(\d+)\n\s*Tested: (\d+)", told)
    assert counted, told
    assert counted[1] == counted[2] == counted[3], told
