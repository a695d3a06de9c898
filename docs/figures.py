"""Runs every benchmark and writes docs/reference/figures.md with machine and date.

Usage: python docs/figures.py [name …]. A benchmark is tests/benchmarks/bench_<name>.py: it prints one JSON object last.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sync_platform.orchestration.tables import table

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "reference" / "figures.md"
KEPT = ROOT / ".sync" / "figures.json"


def run(path: Path) -> dict[str, Any]:
    """One benchmark's JSON. Raises CalledProcessError when it fails."""
    print(f"{path.name} …", file=sys.stderr, flush=True)
    done = subprocess.run(  # noqa: S603 - our own benchmarks
        [sys.executable, str(path)], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    print(json.dumps({path.stem: found}), flush=True)
    return found


def page(figures: dict[str, Any]) -> str:
    """All figures as one page."""
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    lines = [
        "# Figures\n",
        f"Measured {datetime.now(UTC):%Y-%m-%d} by `make bench`.\n",
        f"{platform.platform()}, {os.cpu_count()} cores, {memory_gb:.0f} GB, Python {platform.python_version()}.",
    ]
    for name, found in figures.items():
        lines.append(f"\n## {name.removeprefix('bench_').replace('_', ' ')}\n")
        lines.append(section(found))
    return "\n".join(lines) + "\n"


def section(found: dict[str, Any]) -> str:
    """Plain figures as a table, lists of rows as tables of their own."""
    plain = {key: value for key, value in found.items() if not isinstance(value, list | dict)}
    parts = (
        [table([{"figure": key.replace("_", " "), "value": str(value)} for key, value in plain.items()])]
        if plain
        else []
    )
    for key, value in found.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            rows = [{name: str(cell) for name, cell in row.items()} for row in value]
            parts.append(f"{key.replace('_', ' ')}:\n\n{table(rows)}")
        elif isinstance(value, dict | list):
            parts.append(f"{key.replace('_', ' ')}: `{json.dumps(value)}`")
    return "\n\n".join(parts)


def main() -> int:
    """Run the benchmarks that are named, or all; others keep their last figures."""
    wanted = sys.argv[1:]
    figures: dict[str, Any] = json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.is_file() else {}
    for path in sorted((ROOT / "tests" / "benchmarks").glob("bench_*.py")):
        if not wanted or path.stem.removeprefix("bench_") in wanted:
            figures[path.stem] = run(path)
    KEPT.parent.mkdir(parents=True, exist_ok=True)
    KEPT.write_text(json.dumps(figures), encoding="utf-8")
    PAGE.write_text(page(figures), encoding="utf-8")
    print(f"wrote {PAGE.relative_to(ROOT)}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
