"""What is written is what is there: the reference against the code, links against files, words against their owners."""

import importlib.util
import re
import shlex
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


def spoken():
    """Every command line that a page or an example of the help speaks of: where, and its words."""
    for path in PAGES:
        text = re.sub(r"\\\n\s*", " ", path.read_text(encoding="utf-8"))
        for line in text.splitlines():
            for found in re.findall(r"sync-platform ([a-z][^`·|;#\n]*)", line):
                if (
                    line.lstrip().startswith(("$ ", "sync-platform ", "SYNC_", ".venv"))
                    or f"sync-platform {found}`" in line
                ):
                    yield str(path.relative_to(ROOT)), found.split("  ")[0].partition(" && ")[0].partition(" > ")[0]
    for name, command in every_command().items():
        for found in re.findall(r"sync-platform ([a-z][^·\n]*)", command.epilog or ""):
            yield f"the help of {name}", found.partition(" && ")[0].partition(" > ")[0]


def every_command():
    """Commands and their subcommands by the words that call them."""
    found = {}
    for name, command in typer.main.get_command(cli.app).commands.items():
        found[name] = command
        found |= {f"{name} {sub}": one for sub, one in getattr(command, "commands", {}).items()}
    return found


def fault_of(line):
    """What is wrong with a command line, in words; nothing when it parses."""
    try:
        words = shlex.split(line)
    except ValueError:
        return "its quotes do not close"
    commands = every_command()
    name = " ".join(words[:2]) if " ".join(words[:2]) in commands else words[0]
    if name not in commands:
        return f"there is no command {name}"
    options = {one for parameter in commands[name].params for one in parameter.opts} | {"--help", "-h"}
    given = [word.partition("=")[0].rstrip(".,:)") for word in words if word.startswith("--")]
    unknown = [word for word in given if word not in options]
    return f"{name} has no option {', '.join(unknown)}" if unknown else None


def test_every_command_that_a_page_or_the_help_speaks_of_exists_with_its_options():
    lines = list(spoken())
    assert len(lines) > 100
    assert [f"{where}: {line}: {fault}" for where, line in lines if (fault := fault_of(line))] == []


def test_a_command_that_is_not_there_would_be_found():
    assert fault_of("sink --full") == "there is no command sink"
    assert fault_of("reviews resolve 3 --chose erp") == "reviews resolve has no option --chose"
    assert fault_of('approve 3 --why "a list') == "its quotes do not close"
    assert fault_of("reviews resolve 3 --choose erp") is None


def test_every_command_has_a_how_to_that_is_found_from_the_index():
    index = (ROOT / "docs" / "how-to" / "README.md").read_text(encoding="utf-8")
    pages = sorted(path for path in (ROOT / "docs" / "how-to").glob("*.md") if path.name != "README.md")
    assert [path.name for path in pages if f"]({path.name})" not in index] == []
    text = "\n".join(path.read_text(encoding="utf-8") for path in pages)
    # A group without a word lists.
    names = [name.removesuffix(" list") for name in every_command()]
    assert [name for name in names if f"sync-platform {name}" not in text] == []


def test_the_faults_that_the_help_and_the_pages_plant_are_there():
    from sync_platform.simulation.planted import PLANTS

    texts = [every_command()["simulate"].epilog, *(path.read_text(encoding="utf-8") for path in PAGES)]
    shown = {name for text in texts for name in re.findall(r"--plant ([a-z]\w+)", text)}
    assert len(shown) > 1
    assert shown <= set(PLANTS)


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
