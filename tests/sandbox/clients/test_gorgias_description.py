"""What Gorgias's twin says of itself at /openapi.json, read and applied by checkers that others wrote."""

import re

import pytest
import requests
from openapi_core import OpenAPI
from openapi_core.contrib.requests import RequestsOpenAPIRequest, RequestsOpenAPIResponse
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.sandbox.clients.gorgias_twin import gorgias_sandbox
from tests.sandbox.clients.gorgias_walk import walk

UNKNOWN = ["Unknown field."]


@pytest.fixture(scope="module")
def gorgias(tmp_path_factory):
    with gorgias_sandbox(tmp_path_factory.mktemp("described") / "sandbox") as twin:
        yield twin


@pytest.fixture(scope="module")
def document(gorgias):
    return requests.get(f"{gorgias.url}/openapi.json", timeout=10).json()


def operations(document):
    return [(method, path, what) for path, methods in document["paths"].items() for method, what in methods.items()]


class Checked(requests.Session):
    """A session that holds every answer against the description, and remembers what it saw."""

    def __init__(self, gorgias, document):
        super().__init__()
        self.auth = gorgias.auth
        self.base = gorgias.url
        self.spec = OpenAPI.from_dict({**document, "servers": [{"url": gorgias.url}]})
        self.paths = document["paths"]
        self.seen = set()

    def request(self, method, url, **more):
        answer = super().request(method, self.base + url, allow_redirects=False, timeout=30, **more)
        assert answer.status_code < 500, (method, url, answer.text)
        path, told = self.described(method, url)
        assert str(answer.status_code) in told, (method, url, answer.status_code)
        # An answer without a body has nothing to check but its status.
        if "content" in told[str(answer.status_code)]:
            self.spec.validate_response(RequestsOpenAPIRequest(answer.request), RequestsOpenAPIResponse(answer))
        else:
            assert answer.content == b""
        self.seen.add((method.lower(), path, answer.status_code))
        return answer

    def described(self, method, url):
        """The path of the description that an address belongs to, plain ones first, and the answers of its method."""
        fitting = [
            path for path in self.paths if re.fullmatch(re.sub(r"\{\w+\}", r"\\d+", path), url.partition("?")[0])
        ]
        path = min(fitting, key=lambda path: path.count("{"))
        return path, self.paths[path][method.lower()]["responses"]


def test_the_description_of_gorgias_is_valid_openapi_3_1(document):
    assert document["openapi"].startswith("3.1")
    OpenAPIV31SpecValidator(document).validate()


def test_the_description_of_gorgias_needs_no_credentials_and_counts_against_no_limit(gorgias, document):
    before = requests.get(f"{gorgias.url}/api/account", auth=gorgias.auth, timeout=10)
    assert requests.get(f"{gorgias.url}/openapi.json", timeout=10).json() == document
    after = requests.get(f"{gorgias.url}/api/account", auth=gorgias.auth, timeout=10)
    used = [int(one.headers["X-Gorgias-Account-Api-Call-Limit"].partition("/")[0]) for one in (before, after)]
    assert used[1] == used[0] + 1


def test_every_route_of_gorgias_is_described(document):
    vague = [(method, path) for method, path, what in operations(document) if "default" in what["responses"]]
    assert vague == []
    assert len(operations(document)) > 40


def test_every_answer_over_all_endpoints_of_gorgias_is_as_described(gorgias, document):
    http = Checked(gorgias, document)
    walk(http, gorgias)
    done = {(method, path) for method, path, status in http.seen if status < 300}
    wanted = {(method, path) for method, path, _ in operations(document) if path.startswith("/api/")}
    assert wanted - done == set()
    assert {status for _, _, status in http.seen} >= {200, 201, 202, 204, 301, 400, 401, 403, 404, 409}


def test_a_parameter_that_the_description_does_not_name_is_400_and_the_named_ones_are_known(gorgias, document):
    http = requests.Session()
    http.auth = gorgias.auth
    for method, path, what in operations(document):
        if method != "get" or "{" in path or not path.startswith("/api/"):
            continue
        names = [one["name"] for one in what["parameters"] if one["in"] == "query"]
        answer = http.get(gorgias.url + path, params=dict.fromkeys([*names, "invented"], ""), timeout=10)
        told = answer.json()["error"]["data"]
        assert answer.status_code == 400
        assert told.pop("invented") == UNKNOWN
        assert UNKNOWN not in told.values(), (path, told)


def test_a_field_that_the_description_does_not_name_is_400_and_the_named_ones_are_known(gorgias, document):
    http = requests.Session()
    http.auth = gorgias.auth
    tried = 0
    for method, path, what in operations(document):
        content = what.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
        if "{" in path or "properties" not in content:
            continue
        asked = {one["name"]: 1 for one in what["parameters"] if one["in"] == "query"}
        body = {name: {"wrong": [[]]} for name in (*content["properties"], "invented")}
        told = http.request(method, gorgias.url + path, params=asked, json=body, timeout=10).json()["error"]["data"]
        assert told.pop("invented") == UNKNOWN
        assert UNKNOWN not in told.values(), (path, told)
        tried += 1
    assert tried > 5
