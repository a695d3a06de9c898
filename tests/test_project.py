"""The repository itself: pins, Make, Dagster's files, and what must never be in it."""

import os
import re
import shutil
import stat
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def pins():
    lines = (ROOT / "pins.txt").read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


def wanted():
    extras = PROJECT["optional-dependencies"].values()
    return [Requirement(text) for text in [*PROJECT["dependencies"], *(text for extra in extras for text in extra)]]


def project_files():
    done = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    names = done.stdout.splitlines() or [str(p.relative_to(ROOT)) for p in ROOT.rglob("*") if ".git" not in p.parts]
    return [ROOT / name for name in names if (ROOT / name).is_file()]


def test_every_dependency_is_pinned_to_a_version_that_it_allows():
    versions = {canonicalize_name(pin.name): next(iter(pin.specifier)).version for pin in pins()}
    missing = [r.name for r in wanted() if canonicalize_name(r.name) not in versions]
    refused = [
        r.name for r in wanted() if r.name not in missing and versions[canonicalize_name(r.name)] not in r.specifier
    ]
    assert missing == []
    assert refused == []


def test_pins_are_exact_versions_and_name_no_host():
    text = (ROOT / "pins.txt").read_text(encoding="utf-8")
    assert all(re.fullmatch(r"==[^,]+", str(pin.specifier)) for pin in pins())
    assert "://" not in text
    assert "--" not in text


def test_the_five_that_the_platform_is_built_on_are_there():
    assert {"dagster", "httpx", "sqlmodel", "hubspot-api-client", "pytest"} <= {r.name for r in wanted()}


def test_the_release_of_urllib3_that_breaks_the_hubspot_client_is_shut_out():
    (rule,) = [r for r in wanted() if r.name == "urllib3"]
    assert "2.6.0" not in rule.specifier


def test_the_interpreters_that_are_promised_are_the_ones_that_are_allowed():
    assert PROJECT["requires-python"] == ">=3.11,<3.14"
    assert (3, 11) <= sys.version_info[:2] < (3, 14)


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
@pytest.mark.parametrize("target", ["setup", "demo", "test", "check", "bench", "clean"])
def test_make_knows_each_target(target):
    done = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_make_says_what_to_do_where_no_python_is_there(tmp_path):
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("sh", "cat", "cksum", "pwd", "rm"):
        (tools / name).symlink_to(shutil.which(name))
    for name in ("Makefile", "pyproject.toml", "pins.txt"):
        shutil.copy(ROOT / name, tmp_path / name)
    done = subprocess.run(
        [shutil.which("make"), "setup"],
        cwd=tmp_path,
        env={"PATH": str(tools)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "no Python 3.11, 3.12 or 3.13" in done.stderr


def test_the_check_that_others_run_is_executable_and_reads_no_input():
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & stat.S_IXUSR
    text = script.read_text(encoding="utf-8")
    assert "make check" in text
    assert "make test" in text
    assert "</dev/null" in text


def test_dagsters_own_files_stay_below_the_runtime_folder():
    config = yaml.safe_load((ROOT / "dagster.yaml").read_text(encoding="utf-8"))
    places = [
        config["storage"]["sqlite"]["base_dir"],
        config["local_artifact_storage"]["config"]["base_dir"],
        config["compute_logs"]["config"]["base_dir"],
    ]
    assert all(place.startswith(".sync/") for place in places)
    assert config["telemetry"] == {"enabled": False}
    assert config["nux"] == {"enabled": False}
    assert config["run_monitoring"]["enabled"]
    assert config["python_logs"]["managed_python_loggers"] == ["sync_platform"]


def test_dagster_reads_its_file_and_writes_below_the_runtime_folder(tmp_path):
    shutil.copy(ROOT / "dagster.yaml", tmp_path)
    code = (
        "from dagster import DagsterInstance\n"
        "with DagsterInstance.get() as i:\n"
        "    assert i.get_runs_count() == 0 and not i.telemetry_enabled and not i.nux_enabled\n"
    )
    env = {**os.environ, "DAGSTER_HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], cwd=tmp_path, env=env, check=True)
    assert {path.name for path in tmp_path.iterdir()} == {"dagster.yaml", ".sync"}


def test_runtime_data_and_secrets_are_ignored_by_git():
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").split()
    assert {".sync/", ".env", ".venv/"} <= set(ignored)


def test_no_secret_and_no_data_of_this_machine_is_in_the_project():
    bad = re.compile(
        r"-----BEGIN [A-Z ]*PRIVATE KEY|/home/[a-z]+/|/root/|pat-(na|eu)1-[0-9a-f]{8}-(?!0{4})[0-9a-f-]{20}"
    )
    found = [
        str(path.relative_to(ROOT))
        for path in project_files()
        if path.suffix not in {".png", ".svg"}
        and path != Path(__file__)
        and bad.search(path.read_text("utf-8", "replace"))
    ]
    assert found == []


def test_people_in_the_project_live_on_example_domains():
    address = re.compile(r"[\w.+-]+@((?:[\w-]+\.)+[a-z]{2,})", re.IGNORECASE)
    allowed = re.compile(r"(^|\.)(example\.(com|org|net)|test|example|invalid|localhost)$", re.IGNORECASE)
    found = {
        (str(path.relative_to(ROOT)), domain)
        for path in project_files()
        if path.suffix in {".py", ".md", ".yaml"}
        for domain in address.findall(path.read_text("utf-8", "replace"))
        if not allowed.search(domain)
    }
    assert found == set()
