"""What is written is what is there: the reference against the code, links against files, words against their owners."""

import importlib.util
import re
from pathlib import Path

import pytest
import typer

from sync_platform import cli, errors
from sync_platform.orchestration import assets, checks
from sync_platform.settings import setting_names

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*(ROOT / "docs").rglob("*.md"), ROOT / "README.md", ROOT / "CHANGELOG.md"])
SCOPES = ("contacts.read", "contacts.write", "tickets.read", "tickets.write", "owners.read")


def generator():
    spec = importlib.util.spec_from_file_location("docs_generate", ROOT / "docs" / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GENERATE = generator()


@pytest.mark.parametrize("name", sorted(GENERATE.PAGES))
def test_the_reference_is_what_the_code_says(name):
    page = (ROOT / "docs" / "reference" / f"{name}.md").read_text(encoding="utf-8")
    assert page == GENERATE.rendered(name), "run `make docs`"


def test_every_setting_command_error_check_and_number_is_documented():
    text = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "docs" / "reference").glob("*.md"))
    names = [*setting_names(), *checks.SPECS, *assets.NUMBERS, *errors_of_the_family()]
    names += [f"sync-platform {name}" for name in typer.main.get_command(cli.app).commands]
    assert [name for name in names if name not in text] == []
    assert set() == GENERATE.MISSING


def errors_of_the_family():
    return [
        name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, errors.SyncError)
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_to_files_that_are_there(page):
    text = page.read_text(encoding="utf-8")
    targets = [target for target in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in target]
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_the_readme_names_scopes_role_and_the_two_commands():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [scope for scope in SCOPES if f"crm.objects.{scope}" not in text] == []
    assert "**agent**" in text
    assert "make demo" in text
    assert "sync-platform demo --once" in text
    assert len(text.splitlines()) < 100


def test_lines_of_the_readme_are_readable_in_a_terminal():
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if len(line) > 125 and not line.startswith("|")] == []
