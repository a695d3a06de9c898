"""`python -m sync_platform.sandbox`: serves the sandbox and prints the ready line as one line of JSON."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from sync_platform.sandbox.server import serve


def main(arguments: list[str] | None = None) -> int:
    """Run until a signal; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m sync_platform.sandbox", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="the world's seed (default 1)")
    parser.add_argument("--customers", type=int, default=300, help="how many people (default 300)")
    parser.add_argument("--tickets", type=int, default=600, help="how many tickets (default 600)")
    parser.add_argument("--overlap", type=float, default=0.6, help="share of people in two or three systems")
    parser.add_argument("--rate-scale", type=float, default=1.0, help="multiplies every rate limit's count")
    parser.add_argument("--latency-ms", type=float, default=0.0, help="added to every vendor call")
    parser.add_argument("--data-dir", type=Path, help="keep the state here (default: temporary, removed at exit)")
    parser.add_argument("--gorgias-port", type=int, default=8701, help="0 = any free one")
    parser.add_argument("--hubspot-port", type=int, default=8702, help="0 = any free one")
    parser.add_argument("--control-port", type=int, default=8700, help="0 = any free one")
    parser.add_argument("--erp-url", help="postgresql://… of an empty database (default: SQLite in the data directory)")
    try:
        serve(**vars(parser.parse_args(arguments)), on_ready=_print)
    except (OSError, ValueError) as error:
        sys.stderr.write(f"sandbox: {error}\n")
        return 1
    return 0


def _print(ready: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(ready, separators=(",", ":")) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
