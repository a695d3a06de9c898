"""HubSpot's own Node client, unmodified but for the address: a second language, with its own limiter and retries."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

PACKAGE, VERSION = "@hubspot/api-client", "14.0.1"
ROOT = Path(__file__).parents[3]
SCRIPT = Path(__file__).parent / "node" / "tour.mjs"
INSTALL_S, TOUR_S = 240, 60
pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def node_home() -> Path:
    """A folder with the client in node_modules, made once; skips by name where Node or the package cannot be had."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        pytest.skip("no Node client: node and npm are not installed")
    home = ROOT / ".sync" / "cache" / "node" / VERSION
    home.mkdir(parents=True, exist_ok=True)
    with FileLock(home / "install.lock"):
        ready = home / "ready"
        if not ready.exists():
            (home / "package.json").write_text(json.dumps({"private": True, "dependencies": {PACKAGE: VERSION}}))
            command = [npm, "install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts"]
            try:
                done = subprocess.run(command, cwd=home, capture_output=True, text=True, timeout=INSTALL_S, check=False)
            except subprocess.TimeoutExpired:
                pytest.skip(f"no Node client: npm did not install it within {INSTALL_S} s")
            if done.returncode:
                code = re.search(r"code (\w+)", done.stderr)
                pytest.skip(f"no Node client: npm could not install it ({code[1] if code else 'no code'})")
            ready.touch()
    return home


@pytest.fixture
def tour(node_home, twin) -> Any:
    """Call with a tour's name: what the client got."""

    def run(name: str) -> Any:
        command = ["node", str(SCRIPT), str(node_home), twin.url, twin.token, name]
        done = subprocess.run(command, capture_output=True, text=True, timeout=TOUR_S, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


def _ms(text: str) -> str:
    """As JavaScript writes a time: always three digits of fraction."""
    return text if "." in text else text.replace("Z", ".000Z")


def test_the_node_client_reads_everything_that_the_store_holds(tour, twin):
    got = tour("everything")
    for kind in ("contacts", "tickets", "companies", "notes"):
        kept = twin.live(kind)
        assert [row["id"] for row in got[kind]] == [row["id"] for row in kept]
        for row, held in zip(got[kind], kept, strict=True):
            assert {name: value for name, value in row["properties"].items() if value is not None} == held["properties"]
            assert row["createdAt"] == _ms(held["createdAt"])
            assert row["isDate"]
    assert [row["email"] for row in got["owners"]] == [
        row["email"] for row in twin.state("owners") if not row["archived"]
    ]
    held = {row["id"]: [stage["id"] for stage in row["stages"]] for row in twin.state("pipelines")}
    assert all(held[row["id"]] == [stage["id"] for stage in row["stages"]] for row in got["pipelines"])


def test_the_node_client_writes_and_reads_back(tour, twin):
    got = tour("writes")
    assert got["made"]["properties"]["email"] == "node.one@example.com"
    assert got["got"]["properties"]["firstname"] == "Nora"
    assert (got["source"]["sourceType"], got["source"]["sourceId"]) == ("INTEGRATION", str(twin.app_id))
    assert got["updated"]["properties"]["firstname"] == "Ada"
    assert got["upserted"] == [["k1", True], ["k2", True]]
    assert got["again"] == [["k1", False], ["k2", False]]
    assert got["found"] == ["k1", "k2"]
    assert {str(row["toObjectId"]) for row in got["linked"]} == {got["made"]["id"]}
    assert {str(row["toObjectId"]) for row in got["read"][0]["to"]} == {got["made"]["id"]}
    assert got["survivor"]["id"] == got["followed"] not in {got["made"]["id"]}
    held = twin.one("contacts", got["survivor"]["id"])
    assert held["properties"]["firstname"] == "Ada"
    assert held["properties"]["sync_id"] == "k1"
    assert twin.one("tickets", got["ticket"])["archived"]
    assert got["missing"] == 404
    assert got["conflict"] == {"status": 409, "category": "CONFLICT"}


def test_a_burst_of_429_is_waited_out_by_the_node_client(tour, twin):
    plan = [{"system": "hubspot", "path": "/crm/v3/objects/contacts/search", "kind": "429", "times": 2}]
    assert twin.control.put("/faults", json=plan).is_success
    got = tour("burst")
    assert got["answers"] == 18
    assert set(got["totals"]) == {len(twin.live("contacts"))}
    by_status = {row["status"]: row["count"] for row in twin.calls() if row["path"].endswith("search")}
    assert by_status == {200: 6, 429: 2}
