"""Writes docs/reference from the code, so that what is written is what is there. `--check` only compares.

Usage: python docs/generate.py [--check]
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import typer
import yaml

from sync_platform import cli, errors
from sync_platform.cli_words import BUSY, DIFFERENT, DONE, FAILED, INTERRUPTED, USAGE, WAITS
from sync_platform.core import bounds, mappings
from sync_platform.core.policy import explain, parse
from sync_platform.core.records import ENTITIES, SYSTEMS
from sync_platform.definitions import defs
from sync_platform.orchestration import assets, checks
from sync_platform.orchestration.tables import columns, table
from sync_platform.sandbox.gorgias import switches as gorgias_switches
from sync_platform.sandbox.hubspot import switches as hubspot_switches
from sync_platform.sandbox.world import Switches
from sync_platform.settings import Settings, secret_names
from sync_platform.web.metrics import FIGURES

FOLDER = Path(__file__).resolve().parent / "reference"
FACTS_FOLDER = FOLDER.parents[1] / "tests" / "sandbox" / "facts"
FACTS: Mapping[str, str] = {"both": "Both systems", "gorgias": "Gorgias", "hubspot": "HubSpot"}
SANDBOX = """\
Gorgias and HubSpot on loopback, as their documentation and recorded answers describe them. Tiers: **A** exact, all
that a sync of a helpdesk and a CRM calls; **B** plain: create, read, change and delete with the right credentials,
paging and errors; **C** answers 501 with its name. Confidence: `doc` the vendor's documentation, `spec` its public
description, `code` seen in a working client, `rec` a recorded answer, `inferred` deduced, `open` not established: a
switch, whose default is told below. Each row names the test that shows it over HTTP; `python -m
tests.sandbox.reference` runs them all.
"""
NOTE = "<!-- Written by docs/generate.py from the code. Change the code, then run `make docs`. -->"

METRICS: Mapping[str, str] = {
    "observed": "rows that a system showed and that differed from what was known",
    "created": "objects created",
    "updated": "objects changed",
    "deleted": "objects deleted",
    "reverted": "edits that may not be made there and were written over",
    "conflicts": "fields that several systems changed before they knew of each other",
    "in_review": "fields and matches that wait for a person",
    "parked": "writes that a system refused for good, with its words and a remedy",
    "calls": "API calls or statements, waits and retries included",
    "lower_bound": "the fewest calls with which this work can be done (see [bounds](bounds.md))",
    "ratio": "calls divided by the lower bound; 1 is perfect",
    "rate_limited": "calls that a system refused because of its rate limit; the shared budget keeps this at 0",
    "waited_s": "seconds that the budget waited",
    "read_to_write_s": "the longest time from our last read of a value to the answer of the write that replaced it; "
    "an edit within it is overwritten unseen",
    "lag_s": "seconds since the system was read last",
    "fields_compared": "fields that the equality audit read anew and compared with what was believed",
    "fields_differ": "fields of these that differed although a feed should have told",
    "oldest_comparison_s": "age of the oldest comparison: everything was compared within it",
    "complete": "1 when the slice did all that there was to do, 0 when the next one goes on",
}
CODES: Mapping[int, str] = {
    DONE: "done, equal",
    FAILED: "failed",
    USAGE: "wrong usage",
    DIFFERENT: "not equal; would write",
    WAITS: "waits for a person",
    BUSY: "another cycle runs",
    INTERRUPTED: "interrupted",
}


def settings_page() -> Iterator[str]:
    """Every setting with its default."""
    yield "# Settings\n"
    yield "From the environment, else from a `.env` beside `workspace.yaml`. A system of which nothing is set is the"
    yield "sandbox. A secret may come from a file: `NAME_FILE=/path`; it is read again after a 401.\n"
    rows = []
    for name, info in Settings.model_fields.items():
        key = name.upper()
        default = info.default.get_secret_value() if hasattr(info.default, "get_secret_value") else info.default
        rows.append(
            {
                "name": f"`{key}`",
                "default": "–" if default is None else f"`{default}`",
                "secret": "yes" if key in secret_names() else "",
                "meaning": str(info.description),
            }
        )
    yield table(rows)


def _commands(group: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    """Every command by its whole name, groups before what is in them."""
    for name, command in group.commands.items():
        yield f"{before}{name}", command
        if hasattr(command, "commands"):
            yield from _commands(command, f"{before}{name} ")


def commands_page() -> Iterator[str]:
    """Every command with its options."""
    yield "# Commands\n"
    yield "`--json` prints exactly one object on one line, last on stdout; everything else goes to stderr.\n"
    yield table([{"exit code": str(code), "meaning": meaning} for code, meaning in CODES.items()])
    for name, command in _commands(typer.main.get_command(cli.app)):
        yield f"\n## sync-platform {name}\n"
        yield str(command.help)
        rows = []
        for one in command.params:
            given = getattr(one, "help", None) or ""
            shown = ", ".join(f"`{word}`" for word in one.opts) if one.param_type_name == "option" else f"`{one.name}`"
            plain = one.default is None or one.default is False or callable(one.default) or one.required
            rows.append({"option": shown, "default": "" if plain else f"`{one.default}`", "meaning": given})
        yield "\n" + table(rows) if rows else ""
        yield f"\n{command.epilog}"


def policy_page() -> Iterator[str]:
    """The default policy, told back and as tables."""
    text = resources.files("sync_platform").joinpath("policy.yaml").read_text(encoding="utf-8")
    policy = parse(text, "policy.yaml")
    yield "# Policy\n"
    yield "The file that ships is `sync_platform/policy.yaml`, its head explains every key. `SYNC_POLICY` names yours."
    yield "\n## The default in words\n"
    yield f"```\n{explain(policy).rstrip()}\n```"
    for entity in ENTITIES:
        yield f"\n## Fields of a {entity}\n"
        yield "`↔` read and written · `→` read only · `–` the system has no such field.\n"
        yield columns(policy, entity)
        lost = {
            (fm.field, fm.loses): str(system)
            for system in SYSTEMS
            for fm in mappings.field_maps(system, entity).values()
            if fm.loses
        }
        if lost:
            yield "\nWhat a system cannot keep:\n"
            yield "\n".join(f"- {field} in {system}: {loses}" for (field, loses), system in lost.items())


def assets_page() -> Iterator[str]:
    """The asset graph, jobs, sensors, schedule and resources."""
    yield "# Dagster\n"
    yield "Entry point `sync_platform.definitions`, name `defs`.\n"
    graph = defs.resolve_asset_graph()
    rows = []
    for key in sorted(graph.get_all_asset_keys(), key=lambda key: key.to_user_string()):
        node = graph.get(key)
        examined = sorted(check.name for check in graph.asset_check_keys if check.asset_key == key)
        rows.append(
            {
                "asset": f"`{key.to_user_string()}`",
                "group": node.group_name,
                "after": ", ".join(f"`{parent.to_user_string()}`" for parent in sorted(node.parent_keys)),
                "checks": ", ".join(examined),
            }
        )
    yield table(rows)
    yield "\n## Checks\n"
    yield table([{"check": f"`{name}`", "meaning": meaning} for name, meaning in checks.SPECS.items()])
    repository = defs.get_repository_def()
    yield "\n## Jobs, sensors, schedule\n"
    named: list[Any] = [defs.resolve_job_def(name) for name in ("sync", "plan", "approve", "audit", "prune")]
    named += [*repository.sensor_defs, *repository.schedule_defs]
    yield table([{"name": f"`{one.name}`", "meaning": " ".join(str(one.description).split())} for one in named])
    yield "\n## Resources\n"
    yield "`gorgias`, `hubspot`, `erp`: clients that share the account's budget with every other process. `ledger`: the"
    yield "ledger, to read. `cycle`: what all steps of a run share; `full` and `only` are set when a run is launched:\n"
    yield "```yaml\nresources: {cycle: {config: {full: true, only: [hubspot]}}}\n```"


def errors_page() -> Iterator[str]:
    """The error family."""
    yield "# Errors\n"
    yield f"```\n{inspect.getdoc(errors)}\n```\n"
    rows = []
    for name, kind in inspect.getmembers(errors, inspect.isclass):
        if issubclass(kind, errors.SyncError):
            first = (kind.__doc__ or "").strip().splitlines()[0]
            rows.append({"error": f"`{name}`", "meaning": first, "remedy": kind.remedy})
    yield table(rows)


def metrics_page() -> Iterator[str]:
    """What runs say in numbers."""
    yield "# Metrics\n"
    yield "Numbers of each materialization, so that Dagster plots them; the commands give the same ones.\n"
    yield table([{"name": f"`{name}`", "meaning": meaning} for name, meaning in METRICS.items()])
    yield "\n## For Prometheus\n"
    yield "`GET /metrics` on the port of the pages, with a token of the pages as bearer; nothing about a person.\n"
    yield table([{"name": f"`{one.name}`", "labels": ", ".join(one.labels), "meaning": one.meaning} for one in FIGURES])


def bounds_page() -> Iterator[str]:
    """The lower bound of calls."""
    yield "# Lower bound of calls\n"
    yield f"{inspect.getdoc(bounds)}\n"
    yield f"```\n{inspect.getdoc(bounds.terms)}\n```\n"
    yield f"What is counted:\n\n```\n{inspect.getdoc(bounds.Work)}\n```"


def sandbox_page() -> Iterator[str]:
    """Tiers, facts with their tests, foreign clients, switches."""
    yield "# The sandbox\n"
    yield SANDBOX
    for name, title in FACTS.items():
        yield f"\n## {title}\n"
        for part in yaml.safe_load((FACTS_FOLDER / f"{name}.yaml").read_text(encoding="utf-8")):
            yield f"\n### {part['section']}\n"
            yield table([_fact(row) for row in part["rows"]])
    yield "\n## Clients that others wrote\n"
    yield table(yaml.safe_load((FACTS_FOLDER / "clients.yaml").read_text(encoding="utf-8")))
    yield "\n## Switches\n"
    yield "`PUT /switches` on the control port, or `--switch NAME=VALUE` at the start, changes one.\n"
    switches = Switches()
    gorgias_switches.register(switches)
    hubspot_switches.register(switches)
    yield table(
        [
            {
                "name": f"`{one['name']}`",
                "default": f"`{one['default']}`",
                "choices": one["choices"] if isinstance(one["choices"], str) else ", ".join(map(str, one["choices"])),
                "meaning": one["doc"],
            }
            for one in switches.listing()
        ]
    )


def _fact(row: Mapping[str, str]) -> dict[str, str]:
    switches = ", ".join(f"`{name.strip()}`" for name in (row.get("switch") or "").split(",") if name.strip())
    return {
        "what": row["what"],
        "tier": row["tier"],
        "confidence": row["confidence"],
        "switch": switches,
        "test": f"`{row['test']}`",
    }


PAGES: Mapping[str, Callable[[], Iterator[str]]] = {
    "settings": settings_page,
    "commands": commands_page,
    "policy": policy_page,
    "assets": assets_page,
    "errors": errors_page,
    "metrics": metrics_page,
    "bounds": bounds_page,
    "sandbox": sandbox_page,
}


def rendered(name: str) -> str:
    """One page as it should be."""
    lines = "\n".join(PAGES[name]()).rstrip()
    return f"{NOTE}\n\n{lines}\n"


def main() -> int:
    """Write all pages, or say which differ."""
    differing = [name for name in PAGES if _written(name) != rendered(name)]
    if "--check" in sys.argv:
        print("\n".join(f"docs/reference/{name}.md is not what the code says: run `make docs`" for name in differing))
        return 1 if differing else 0
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in differing:
        (FOLDER / f"{name}.md").write_text(rendered(name), encoding="utf-8")
        print(f"wrote docs/reference/{name}.md")
    return 0


def _written(name: str) -> str | None:
    path = FOLDER / f"{name}.md"
    return path.read_text(encoding="utf-8") if path.is_file() else None


# Every number of an asset has its line above.
MISSING = set(assets.NUMBERS) - set(METRICS)

if __name__ == "__main__":
    sys.exit(main())
