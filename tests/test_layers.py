"""The walls between the layers, walked by a tool, and the few rules that its contracts cannot say."""

import ast
import subprocess
import sys
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "sync_platform"
FILES = sorted(PACKAGE.rglob("*.py"))
LINES_MAX = 600
FUNCTION_LINES_MAX = 70
CLOCK = {("datetime", "now"), ("datetime", "utcnow"), ("datetime", "today"), ("date", "today")}


@pytest.fixture(scope="module")
def graph():
    return grimp.build_graph("sync_platform", include_external_packages=True, cache_dir=None)


def importers(graph, package):
    return {one for one in graph.find_modules_that_directly_import(package) if one.startswith("sync_platform")}


def test_every_contract_of_the_layers_is_kept():
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_platform_imports_httpx_in_one_module_only(graph):
    # The sandbox, which shares nothing with the platform, calls out by itself: its two deliveries.
    ours = {name for name in importers(graph, "httpx") if not name.startswith("sync_platform.sandbox.")}
    assert ours <= {"sync_platform.connectors.http"}


def test_the_hubspot_client_stays_with_its_connector(graph):
    found = importers(graph, "hubspot")
    assert all(one.startswith("sync_platform.connectors.hubspot") for one in found)


def test_connectors_of_different_systems_do_not_import_each_other(graph):
    prefix = "sync_platform.connectors."
    shared = {"protocol", "http", "oauth"}

    def system(module):
        return module.removeprefix(prefix).split(".")[0].split("_")[0]

    crossed = [
        (one, other)
        for one in graph.modules
        if one.startswith(prefix)
        for other in graph.find_modules_directly_imported_by(one)
        if other.startswith(prefix) and system(other) not in shared | {system(one)}
    ]
    assert crossed == []


def test_only_the_door_imports_the_sandbox(graph):
    outside = {
        one
        for module in graph.modules
        if module.startswith("sync_platform.sandbox")
        for one in importers(graph, module)
        if not one.startswith("sync_platform.sandbox")
    }
    assert outside <= {"sync_platform.cli"}


@pytest.mark.parametrize("path", sorted((PACKAGE / "core").rglob("*.py")), ids=lambda path: path.name)
def test_the_core_asks_no_clock(path):
    calls = [
        (node.func.value.id, node.func.attr)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name)
    ]
    assert not CLOCK & set(calls)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_files_and_functions_stay_readable(path):
    text = path.read_text(encoding="utf-8")
    long = [
        node.name
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno >= FUNCTION_LINES_MAX
        and "migrations" not in path.parts
    ]
    assert long == []
    assert len(text.splitlines()) <= LINES_MAX


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_the_web_and_the_sandbox_are_asynchronous(path):
    if path.relative_to(PACKAGE).parts[0] in {"web", "sandbox"}:
        assert path.exists()
        return
    found = [
        node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.AsyncFunctionDef)
    ]
    assert found == []


def test_no_module_has_a_name_that_says_nothing():
    assert not {"utils", "util", "helpers", "manager", "common", "misc"} & {path.stem for path in FILES}
