"""`python -m sync_platform.sandbox`: serves the sandbox and prints the ready line as one line of JSON."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from sync_platform.sandbox import command, import_sample
from sync_platform.sandbox.server import serve

EXAMPLES = """examples:
  python -m sync_platform.sandbox --customers 2000 --tickets 6000 --rate-scale 50
  python -m sync_platform.sandbox --switches
  python -m sync_platform.sandbox --switch gorgias.plan_per_s=10 --switch hubspot.search_lag_s=5
  python -m sync_platform.sandbox --import-sample 2000 > export.csv
  python -m sync_platform.sandbox --import export.csv --map ticket_id="Ticket #" --import-zone Europe/Berlin
"""


def parser() -> argparse.ArgumentParser:
    """The options, as `sync-platform sandbox` has them."""
    made = argparse.ArgumentParser(
        prog="python -m sync_platform.sandbox",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = made.add_argument
    add("--seed", type=int, default=1, help="the world's seed (default 1)")
    add("--customers", type=int, help="how many invented people (default 300; beside an import 0)")
    add("--tickets", type=int, help="how many invented tickets (default 600; beside an import 0)")
    add("--overlap", type=float, default=0.6, help="share of people in two or three systems")
    add("--rate-scale", type=float, default=1.0, help="multiplies every rate limit's count")
    add("--latency-ms", type=float, default=0.0, help="added to every vendor call")
    add("--data-dir", type=Path, help="keep the state here (default: temporary, removed at exit)")
    add("--gorgias-port", type=int, default=8701, help="0 = any free one")
    add("--hubspot-port", type=int, default=8702, help="0 = any free one")
    add("--control-port", type=int, default=8700, help="0 = any free one")
    add("--erp-url", help="postgresql://… of an empty database (default: SQLite in the data directory)")
    add("--import", type=Path, dest="import_file", metavar="FILE", help="load a helpdesk's export (CSV)")
    add("--map", action="append", default=[], dest="columns", metavar="FIELD=COLUMN", help="which column is which")
    add("--import-to", default="gorgias", help="systems that get the customers; the first gets the tickets")
    add("--import-zone", default="UTC", help="zone of times that bear none, as Europe/Berlin")
    add("--import-days-first", default="guess", choices=("guess", "yes", "no"), help="how 03/04/2026 is meant")
    add("--switch", action="append", default=[], dest="switches", metavar="NAME=VALUE", help="set a switch")
    add("--switches", action="store_true", dest="list_switches", help="list every switch and end")
    add("--json", action="store_true", dest="as_json", help="with --switches: as JSON")
    add("--import-sample", type=int, dest="sample", metavar="N", help="print an export of N invented tickets and end")
    return made


def main(arguments: list[str] | None = None) -> int:
    """Run until a signal; returns the exit code."""
    given = vars(parser().parse_args(arguments))
    listed, as_json, sample = given.pop("list_switches"), given.pop("as_json"), given.pop("sample")
    try:
        if listed:
            rows = command.every_switch()
            _say(json.dumps({"switches": rows}) if as_json else command.switches_text(rows))
        elif sample is not None:
            import_sample.write(sys.stdout, sample)
        else:
            serve(command.options(**given), on_ready=_print, on_note=_note)
    except (OSError, ValueError) as error:
        _note(f"sandbox: {error}")
        return 1
    return 0


def _print(ready: dict[str, Any]) -> None:
    _say(json.dumps(ready, separators=(",", ":")))


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _note(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
