"""The operator's door: every command of the platform. Exit codes: 0 done, equal · 1 failed · 2 usage · 3 not equal,
would write · 4 waits for a person · 5 another cycle runs · 130 interrupted.

Heavy imports stay inside the commands, so that `--help` answers at once.
"""

from __future__ import annotations

import dataclasses
import logging
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from sync_platform import __version__, cli_audit, cli_desk, cli_forget, cli_plans, cli_policy, cli_restored, cli_serve
from sync_platform import cli_words as words
from sync_platform.cli_simulate import register as register_simulate
from sync_platform.errors import AnotherCycleRuns, BadInput, Misconfigured, SyncError
from sync_platform.settings import Settings

app = typer.Typer(
    name="sync-platform",
    help="Keeps customers and tickets equal in Gorgias, HubSpot and an ERP.\n\n"
    "Without any setting every command works on the sandbox: try `sync-platform demo`.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on one line, last on stdout.")]
Only = Annotated[
    list[str] | None,
    typer.Option("--only", help="Repeatable: gorgias, customer, customer:ada@example.com, ticket:gorgias:123."),
]
Seed = Annotated[int, typer.Option(help="Seed of the invented people and of the script of edits.")]
Customers = Annotated[int, typer.Option(min=0, help="How many people.")]
Tickets = Annotated[int, typer.Option(min=0, help="How many tickets.")]
Overlap = Annotated[float, typer.Option(min=0, max=1, help="Share of the people who exist in several systems.")]
RateScale = Annotated[float, typer.Option(min=0.01, help="Multiplies every rate limit; 1 is what real accounts have.")]


@app.callback(invoke_without_command=True)
def door(
    version: Annotated[bool, typer.Option("--version", help="Say the version.", is_eager=True)] = False,
) -> None:
    """Keeps customers and tickets equal in Gorgias, HubSpot and an ERP."""
    if version:
        print(__version__)
        raise typer.Exit


@app.command(epilog="Example: sync-platform init && $EDITOR .env")
def init(
    folder: Annotated[Path, typer.Argument(help="Where to write; beside workspace.yaml is best.")] = Path(),
) -> int:
    """Write a `.env` to fill in (mode 0600, a comment for each line) and a copy of the policy. Never overwrites."""
    from sync_platform.cli_init import write_files

    made = write_files(folder)
    print("\n".join(f"wrote {path}" for path in made))
    words.say("Fill in .env, then run `sync-platform doctor` and `sync-platform setup`.")
    return words.DONE


@app.command(epilog="Examples: sync-platform setup · sync-platform setup --webhooks https://hooks.example.com")
def setup(
    webhooks: Annotated[
        str | None,
        typer.Option("--webhooks", metavar="URL", help="Also let the systems call the door at this address."),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Create what is missing in HubSpot and the ERP, and stamp the ledger with its accounts. Safe to repeat."""
    from sync_platform.sync.setup import setup as run

    return _findings(run(Settings.load(), webhooks_url=webhooks), as_json=as_json)


@app.command(epilog="Example: sync-platform connect gorgias")
def connect(
    system: Annotated[str, typer.Argument(help="gorgias")],
    browser: Annotated[bool, typer.Option(help="Open the browser.")] = True,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the callback; 0: any free one.")] = 0,
) -> int:
    """Give the platform OAuth access to a system: opens the consent page and waits for its answer on loopback."""
    if system != "gorgias":
        raise typer.BadParameter("only gorgias is connected by OAuth; HubSpot takes an access token, the ERP a URL")
    from sync_platform.connectors import oauth
    from sync_platform.sync.tokens import TokenFile, gorgias_app

    settings = Settings.load()

    def show(url: str) -> None:
        words.say(f"Open this page and agree:\n{url}")
        if browser:
            typer.launch(url)

    oauth.connect(gorgias_app(settings), TokenFile(settings.runtime_dir), show=show, port=port)
    words.say("Connected. Run `sync-platform doctor` to see with which rights.")
    return words.DONE


@app.command(epilog="Examples: sync-platform doctor --json · sync-platform doctor --webhooks https://hooks.example.com")
def doctor(
    webhooks: Annotated[
        str | None, typer.Option("--webhooks", metavar="URL", help="Also send a delivery through the door there.")
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Say what is reachable, with which rights and limits, and what is missing; a remedy beside each."""
    from sync_platform.sync.setup import doctor as run

    return _findings(run(Settings.load(), webhooks_url=webhooks), as_json=as_json)


@app.command(epilog="Examples: sync-platform plan · sync-platform plan --only customer:ada@example.com --json")
def plan(only: Only = None, as_json: AsJson = False) -> int:
    """Say what a cycle would write, and write nothing. Exit code 3 when there is something."""
    from sync_platform.sync import preview

    found = preview.plan(Settings.load(), only=tuple(only or ()))
    words.answer(found, preview.words(found), as_json=as_json)
    if found["would_write"]:
        return words.DIFFERENT
    return words.WAITS if found["held"] or found["plans"] else words.DONE


@app.command(
    epilog="Examples: sync-platform sync · sync-platform sync --full · sync-platform sync --only hubspot --slice"
)
def sync(
    full: Annotated[bool, typer.Option("--full", help="List everything again.")] = False,
    one_slice: Annotated[bool, typer.Option("--slice", help="One slice instead of slices until complete.")] = False,
    only: Only = None,
    as_json: AsJson = False,
) -> int:
    """Pull, reconcile, push, until everything is done."""
    from sync_platform.sync import cycle

    progress = words.ProgressLine()
    run = cycle.run_cycle if one_slice else cycle.run_until_complete
    try:
        found = run(
            Settings.load(), kind="full" if full else "sync", full=full, only=tuple(only or ()), progress=progress
        )
    finally:
        progress.close()
    words.answer(found, words.summary_text(found), as_json=as_json)
    if found["outcome"] == "ok" and (found["held"] or found["plans"]):
        return words.WAITS
    return {"ok": words.DONE, "skipped": words.BUSY, "paused": words.WAITS}.get(found["outcome"], words.FAILED)


@app.command(epilog="Example: sync-platform status --json")
def status(as_json: AsJson = False) -> int:
    """Say where things stand: lags, budgets, what is pending. 4 while something waits for a person. Calls nobody."""
    from sync_platform.sync.status import status as run

    found = run(Settings.load())
    words.answer(found, words.status_text(found), as_json=as_json)
    waits = any(facts["in_review"] or facts["parked"] for facts in found["entities"].values())
    return words.WAITS if waits or found["held"] or found["plans"] or found["paused"] else words.DONE


@app.command(epilog="Examples: sync-platform verify · sync-platform verify --show-values")
def verify(
    show_values: Annotated[bool, typer.Option("--show-values", help="Show what differs: data of customers.")] = False,
    as_json: AsJson = False,
) -> int:
    """Read all systems anew and compare field by field, trusting nothing that the sync remembers. 3 when not equal."""
    from sync_platform.sync.verify import verify as run

    progress = words.ProgressLine()
    try:
        found = run(Settings.load(), show_values=show_values, progress=progress)
    finally:
        progress.close()
    words.answer(found, words.verify_text(found), as_json=as_json)
    return words.DONE if found["equal"] else words.DIFFERENT


@app.command(
    epilog="Examples: sync-platform why customer:ada@example.com phone · sync-platform why ticket:gorgias:123 status"
)
def why(
    what: Annotated[str, typer.Argument(help="A record id, customer:<e-mail>, or <entity>:<system>:<id>.")],
    field: Annotated[str | None, typer.Argument(help="One field; else all of them.")] = None,
    at: Annotated[str | None, typer.Option(help="The record at this moment (ISO 8601, UTC), all fields.")] = None,
    as_json: AsJson = False,
) -> int:
    """Say why a field has its value: the system and observation it came from, the rule, what lost, what was written."""
    from sync_platform.sync.as_of import moment, was
    from sync_platform.sync.why import why as run

    if at is not None:
        if field is not None:
            raise BadInput("a moment shows all fields", remedy="Leave the field out.")
        past = was(Settings.load(), what, moment(at))
        words.answer(past, words.was_text(past), as_json=as_json)
        return words.DONE
    found = run(Settings.load(), what, field)
    words.answer(found, words.why_text(found), as_json=as_json)
    return words.DONE


@app.command(
    epilog="Examples: sync-platform demo · sync-platform demo --once --json · sync-platform demo --rate-scale 1"
)
def demo(
    once: Annotated[
        bool, typer.Option("--once", help="No UI: first load, edits on all sides, two more cycles, verify.")
    ] = False,
    seed: Seed = 1,
    customers: Customers = 300,
    tickets: Tickets = 600,
    overlap: Overlap = 0.6,
    rate_scale: RateScale = 10,
    edits: Annotated[int, typer.Option(min=0, help="Edits between the first load and the second cycle.")] = 60,
    erp_url: Annotated[str | None, typer.Option(help="A PostgreSQL database for the ERP, empty.")] = None,
    ledger_url: Annotated[str | None, typer.Option(help="A PostgreSQL database for the ledger, empty.")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Go on with the last demo's data.")] = False,
    as_json: AsJson = False,
) -> int:
    """Show the whole platform on the sandbox: two vendors, an ERP, Dagster, and a scripted day of edits."""
    from sync_platform import cli_demo

    world = cli_demo.World(
        seed=seed, customers=customers, tickets=tickets, overlap=overlap, rate_scale=rate_scale, erp_url=erp_url
    )
    if not once:
        return cli_demo.live(world, ledger_url=ledger_url, keep=keep)
    found = cli_demo.once(world, edits=edits, ledger_url=ledger_url)
    words.answer(found, cli_demo.once_text(found), as_json=as_json)
    return words.DONE if found["equal"] and not cli_demo.writes(found["third"]) else words.DIFFERENT


@app.command(
    epilog="Examples: sync-platform sandbox --customers 2000 --tickets 6000 --rate-scale 50 · "
    "sync-platform sandbox --switches · sync-platform sandbox --switch gorgias.plan_per_s=10 · "
    "sync-platform sandbox --import-sample 2000 > export.csv · "
    'sync-platform sandbox --import export.csv --map ticket_id="Ticket #"'
)
def sandbox(
    seed: Seed = 1,
    customers: Annotated[int | None, typer.Option(min=0, help="How many people; 300, beside an import 0.")] = None,
    tickets: Annotated[int | None, typer.Option(min=0, help="How many tickets; 600, beside an import 0.")] = None,
    overlap: Overlap = 0.6,
    rate_scale: RateScale = 1,
    latency_ms: Annotated[float, typer.Option(min=0, help="Delay of each answer.")] = 0,
    data_dir: Annotated[Path | None, typer.Option(help="Keep the state here; else in a folder that goes.")] = None,
    gorgias_port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free one.")] = 8701,
    hubspot_port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free one.")] = 8702,
    control_port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free one.")] = 8700,
    erp_url: Annotated[str | None, typer.Option(help="A PostgreSQL database for the ERP; else a SQLite file.")] = None,
    import_file: Annotated[Path | None, typer.Option("--import", help="Load a helpdesk's export, a CSV file.")] = None,
    columns: Annotated[
        list[str] | None, typer.Option("--map", help='Repeatable: FIELD=COLUMN of that file, ticket_id="Ticket #".')
    ] = None,
    import_to: Annotated[
        str, typer.Option(help="Systems that get its customers, with commas; the first gets its tickets.")
    ] = "gorgias",
    import_zone: Annotated[str, typer.Option(help="Zone of its times that bear none: Europe/Berlin.")] = "UTC",
    import_days_first: Annotated[str, typer.Option(help="Whether 03/04/2026 is in April: yes, no, guess.")] = "guess",
    switches: Annotated[list[str] | None, typer.Option("--switch", help="Repeatable: NAME=VALUE.")] = None,
    list_switches: Annotated[bool, typer.Option("--switches", help="List every switch; starts nothing.")] = False,
    sample: Annotated[
        int | None, typer.Option("--import-sample", min=0, help="Print an export of so many invented tickets.")
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Run a twin of Gorgias, HubSpot and an ERP on this machine, until it is interrupted. Prints one ready line."""
    from sync_platform.sandbox import command, import_sample
    from sync_platform.sandbox.server import serve

    if list_switches:
        rows = command.every_switch()
        words.answer({"switches": rows}, command.switches_text(rows), as_json=as_json)
        return words.DONE
    if sample is not None:
        import_sample.write(sys.stdout, sample)
        return words.DONE
    try:
        options = command.options(
            seed=seed, customers=customers, tickets=tickets, overlap=overlap, rate_scale=rate_scale,
            latency_ms=latency_ms, data_dir=data_dir, gorgias_port=gorgias_port, hubspot_port=hubspot_port,
            control_port=control_port, erp_url=erp_url, import_file=import_file, columns=columns or (),
            import_to=import_to, import_zone=import_zone, import_days_first=import_days_first,
            switches=switches or (),
        )  # fmt: skip
        serve(options, on_ready=lambda ready: words.answer(ready, "", as_json=True), on_note=words.say)
    except (OSError, ValueError) as error:
        raise Misconfigured(f"the sandbox: {error}", remedy="See `sync-platform sandbox --help`.") from None
    return words.DONE


app.add_typer(cli_plans.app)
cli_desk.register(app)
cli_policy.register(app)
cli_forget.register(app)
cli_audit.register(app)
cli_restored.register(app)
cli_serve.register(app)
register_simulate(app)


def run(args: Sequence[str]) -> int:
    """Carry out one command line and give its exit code; no exception leaves, and no traceback without SYNC_DEBUG=1."""
    try:
        code = typer.main.get_command(app).main(list(args), prog_name="sync-platform", standalone_mode=False)
    except typer.TyperException as error:
        said = getattr(error, "format_message", error.__str__)()
        words.say(f"sync-platform: {said} — see `sync-platform --help`")
        return words.USAGE
    except (KeyboardInterrupt, typer.Abort):
        words.say("interrupted")
        return words.INTERRUPTED
    except SyncError as error:
        _failed(error, error.code, str(error), error.remedy, as_json="--json" in args)
        return words.BUSY if isinstance(error, AnotherCycleRuns) else words.FAILED
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - nobody reads on; nothing to close
        return words.FAILED
    except Exception as error:  # noqa: BLE001 - its words could hold a customer's data
        name = type(error).__name__
        _failed(error, name, f"unexpected {name}", "SYNC_DEBUG=1 shows where.", as_json="--json" in args)
        return words.FAILED
    if code == words.INTERRUPTED:
        words.say("interrupted")
    return code if isinstance(code, int) else words.DONE


def main() -> NoReturn:
    """The console script. SIGTERM ends a command as Ctrl-C does, so that leases and children are given back."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, _terminated)
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    sys.exit(run(sys.argv[1:]))


def _terminated(_number: int, _frame: Any) -> NoReturn:
    raise KeyboardInterrupt


def _findings(findings: Sequence[Any], *, as_json: bool) -> int:
    checks = [dataclasses.asdict(finding) for finding in findings]
    ok = all(check["ok"] for check in checks)
    words.answer({"ok": ok, "checks": checks}, words.findings_text(checks), as_json=as_json)
    return words.DONE if ok else words.FAILED


def _failed(error: BaseException, code: str, what: str, remedy: str, *, as_json: bool) -> None:
    """One line on stderr: what, and what to do. The way there on demand: places, never the words of foreign errors."""
    if os.environ.get("SYNC_DEBUG") == "1":
        words.say("".join(traceback.format_tb(error.__traceback__)))
    words.say(f"{what} — {remedy}" if remedy else what)
    if as_json:
        words.answer({"ok": False, "error": {"code": code, "message": what, "remedy": remedy}}, "", as_json=True)
