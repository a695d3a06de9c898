"""`sync-platform simulate`: seeded schedules over the real engine, on this machine alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from sync_platform import cli_words as words

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on one line, last on stdout.")]


def register(app: typer.Typer) -> None:
    """Add the command to the door."""
    app.command(
        epilog="Examples: sync-platform simulate --seeds 300 · "
        "sync-platform simulate --plant unknown_taken_for_done --seeds 20"
    )(simulate)


def simulate(
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds.")] = 300,
    steps: Annotated[int, typer.Option(min=1, help="Steps of each seed.")] = 120,
    first: Annotated[int, typer.Option("--from", min=0, help="The first seed.")] = 1,
    policy: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="Another policy.")] = None,
    plant: Annotated[str | None, typer.Option(help="Plant this fault: it must be caught.")] = None,
    list_plants: Annotated[bool, typer.Option("--list-plants", help="Name the faults that can be planted.")] = False,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Processes; all cores by default. The figures are the same.")
    ] = None,
    trace: Annotated[
        bool, typer.Option("--trace", help="Show every step of the first seed, and play no other.")
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Play invented days against the real engine, with crashes and lost answers, and check what must hold.

    Nothing is read from or written to an account or a ledger. The same seed gives the same story byte for byte.
    """
    from sync_platform.simulation import planted, run

    if list_plants:
        found = {"plants": [{"name": one.name, "breaks": list(one.breaks)} for one in planted.PLANTS.values()]}
        words.answer(
            found, "\n".join(f"{p['name']}: {', '.join(p['breaks'])}" for p in found["plants"]), as_json=as_json
        )
        return words.DONE
    _known(plant)
    if trace:
        print("\n".join(run.trace(first, steps, policy=policy)))
        return words.DONE
    report = run.simulate(
        range(first, first + seeds), steps, policy=policy, plant=plant, jobs=jobs or run.cores(), told=words.say
    )
    words.answer(report, _told(report), as_json=as_json)
    return words.FAILED if report["violations"] or (report["never_evaluated"] and plant is None) else words.DONE


def _known(plant: str | None) -> None:
    from sync_platform.simulation.planted import PLANTS

    if plant is not None and plant not in PLANTS:
        raise typer.BadParameter(f"no fault is called {plant}; --list-plants names them")


def _told(report: dict[str, Any]) -> str:
    first = (
        f"{report['seeds']} seeds of {report['steps'] // max(report['seeds'], 1)} steps in {report['seconds']} s: "
        f"{report['violations']} violations, residue {report['residue']}"
    )
    lines = [first]
    lines += [
        f"  {name:<4} evaluated {one['evaluated']:>8}  violated {one['violated']}"
        for name, one in report["invariants"].items()
    ]
    lines += [f"  {name:<4} not simulated: {why}" for name, why in report["absent"].items()]
    lines.append("  " + ", ".join(f"{name} {count}" for name, count in report["events"].items()))
    if report["never_evaluated"] and not report["plant"]:
        lines.append(f"not met: {', '.join(report['never_evaluated'])}: that proves nothing; play more seeds")
    if report["plant"] and not report["violations"]:
        lines.append(
            f"{report['plant']} was not noticed by these seeds: play more; `make test` plays a story of its own"
        )
    if report["script"]:
        lines += ["", f"Seed {report['failing_seed']}, as short as it still fails:", "", report["script"]]
    return "\n".join(lines)
