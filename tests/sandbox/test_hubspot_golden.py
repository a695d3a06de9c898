"""HubSpot's twin against its golden files, over HTTP and under every version of each path.

Beside what `shapes` says, a file here may have: `as` (nobody, or the app itself with its journal scopes; else the
private app's token), `form` (a form instead of a JSON body), `given` (names that have to be there first), `switch` and
`fault` (what holds during the call), and `only: true` (no other version of the path answers alike).
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from sync_platform.sandbox.faults import FaultGate
from sync_platform.sandbox.hubspot.system import HubSpotSandbox
from sync_platform.sandbox.world import World
from tests.sandbox import shapes
from tests.sandbox.conftest import served
from tests.sandbox.hubspot_account import Account
from tests.sandbox.hubspot_names import SCOPES, Names

FILES = shapes.files("hubspot")
VERSIONS = {"v1", "v3", "v4", "2025-09", "2026-03", "2026-09"}
SAME = {"app-webhooks": "webhooks", "journal-local": "journal"}
ERRORS = (400, 401, 403, 404, 405, 409, 414, 423, 429, 477, 501, 502)


@dataclass
class Gold:
    """A served twin with what its golden calls need."""

    account: Account
    app: httpx.Client
    described: list[tuple[str, str]]

    def names(self) -> Names:
        return Names(self.account, self.app)


@pytest.fixture(scope="module")
def gold(tmp_path_factory) -> Iterator[Gold]:
    world = World(tmp_path_factory.mktemp("golden"), seed=1, rate_scale=100_000)
    side = HubSpotSandbox(world)
    still = {"property_delay_s": 0, "search_lag_s": 0, "journal_delay_s": 0, "labels_max": 1_000}
    world.switches.update({f"hubspot.{name}": value for name, value in still.items()})
    known = side.credentials()
    with served(FaultGate(side.app(), world, "hubspot")) as url, httpx.Client(base_url=url) as http:
        form = {"grant_type": "client_credentials", "scope": SCOPES}
        form |= {name: known[name] for name in ("client_id", "client_secret")}
        token = http.post("/oauth/2026-03/token", data=form).raise_for_status().json()["access_token"]
        http.headers["authorization"] = f"Bearer {known['access_token']}"
        paths = http.get("/openapi.json").json()["paths"]
        described = [(method.upper(), path) for path, one in paths.items() for method in one]
        with httpx.Client(base_url=url, headers={"authorization": f"Bearer {token}"}) as app:
            yield Gold(Account(world, side, http), app, described)
    side.close()


def _plain(path: str) -> tuple[str, ...]:
    """A path's segments without its version, names and parameters as {}."""
    return tuple(re.sub(r"\{\w+\}", "{}", part) for _, part in _kept(path))


def _kept(path: str) -> list[tuple[int, str]]:
    """(position, segment) of what isn't a version or its prefix."""
    parts = path.partition("?")[0].strip("/").split("/")
    parts = [re.sub(r"^crm-object-schemas$", "crm", part) for part in parts]
    return [
        (n, SAME.get(part, part))
        for n, part in enumerate(parts)
        if part not in VERSIONS and not (n == 0 and part == "crm")
    ]


def _template(gold: Gold, method: str, path: str) -> tuple[str, ...] | None:
    """The described path that a call's path is one of; the most literal one where several fit."""
    wanted = _plain(path)
    fitting = {
        plain
        for described_method, described in gold.described
        if described_method == method and len(plain := _plain(described)) == len(wanted)
        if all(part in ("{}", given) for part, given in zip(plain, wanted, strict=True))
    }
    return max(fitting, key=lambda plain: sum(part != "{}" for part in plain), default=None)


def _versions(gold: Gold, method: str, path: str) -> list[str]:
    """The same call under every described version of its path."""
    template, (bare, mark, query) = _template(gold, method, path), path.partition("?")
    given = [part for _, part in _kept(bare)]
    found = []
    for described_method, described in gold.described:
        if described_method != method or _plain(described) != template:
            continue
        segments = described.strip("/").split("/")
        for (n, _), part in zip(_kept(described), given, strict=True):
            if segments[n].startswith("{"):
                segments[n] = part
        slash = "/" if described.endswith("/") else ""
        found.append("/" + "/".join(segments) + slash + mark + query)
    return found


def _filled(value: Any, names: Names) -> Any:
    if isinstance(value, dict):
        return {key: _filled(one, names) for key, one in value.items()}
    if isinstance(value, list):
        return [_filled(one, names) for one in value]
    if isinstance(value, str):
        whole = re.fullmatch(r"\{(\w+)\}", value)
        return names[whole[1]] if whole else re.sub(r"\{(\w+)\}", lambda found: str(names[found[1]]), value)
    return value


def _answer(gold: Gold, file: dict[str, Any], path: str) -> httpx.Response:
    """Make one call of a golden file."""
    names, world = gold.names(), gold.account.world
    for name in file.get("given", ()):
        assert names[name]
    url, form = _filled(path, names), _filled(file.get("form"), names)
    body = None if "send" not in file else json.dumps(_filled(file["send"], names)).encode()
    client = gold.app if file.get("as") == "app" else gold.account.http
    request = client.build_request(file["call"].partition(" ")[0], url, content=body, data=form)
    if file.get("as") == "nobody":
        request.headers.pop("authorization")
    before = {f"hubspot.{name}": world.switches.get(f"hubspot.{name}") for name in file.get("switch", ())}
    gold.account.set(**file.get("switch", {}))
    fault = file.get("fault")
    world.faults.put([{"system": "hubspot", "path": "*", "times": 1, **fault}] if fault else [])
    try:
        return client.send(request)
    finally:
        world.faults.put([])
        world.switches.update(before)
        if "/schemas" in path:
            names.clear_types()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_an_answer_has_the_shape_of_its_golden_file_under_every_version(gold, path: Path):
    file = shapes.load(path)
    method, _, call = file["call"].partition(" ")
    calls = [call] if file.get("only") else _versions(gold, method, call)
    assert call in calls
    for one in calls:
        answer = _answer(gold, file, one)
        assert answer.status_code == file["status"], (one, answer.text)
        found = answer.json() if answer.content else None
        assert list(shapes.differences(file["answer"], found)) == [], one


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_field_of_a_golden_file_has_a_type_and_a_confidence(path: Path):
    file = shapes.load(path)
    assert file["confidence"] in shapes.MARKS
    assert list(shapes.unmarked(file["answer"])) == []


def test_every_described_call_has_a_golden_file(gold):
    there = set()
    for path in FILES:
        file = shapes.load(path)
        if file["status"] < 400:
            method, _, call = file["call"].partition(" ")
            there.add((method, _template(gold, method, call)))
    missing = {(method, _plain(path)) for method, path in gold.described} - there
    assert sorted(missing) == []


def test_every_refusal_has_a_golden_file():
    statuses = {shapes.load(path)["status"] for path in FILES}
    assert [status for status in ERRORS if status not in statuses] == []


def test_a_207_of_each_batch_has_a_golden_file_beside_the_whole_one(gold):
    described = gold.account.http.get("/openapi.json").json()["paths"]
    in_part = {
        (method.upper(), _plain(path))
        for path, one in described.items()
        for method, call in one.items()
        if "207" in call["responses"]
    }
    there = set()
    for path in FILES:
        file = shapes.load(path)
        method, _, call = file["call"].partition(" ")
        there |= {(method, _template(gold, method, call))} if file["status"] == 207 else set()
    assert sorted(in_part - there) == []
