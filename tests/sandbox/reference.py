"""The table of docs/reference/sandbox.md and its checker: every row has a test that is there, speaks HTTP and passes.

`python -m tests.sandbox.reference` runs every test of the table and says which rows have none that passes.
"""

from __future__ import annotations

import ast
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "reference" / "sandbox.md"
HEADS = ("what", "tier", "confidence", "switch", "test")
# What starts a server or reaches one; a test speaks HTTP when it or one of its fixtures uses one of these.
SERVERS = frozenset({"served", "running", "running_sandbox", "serve_app", "Popen", "FaultGate"})


@dataclass(frozen=True)
class Row:
    """One line of the table; `test` is a pytest id without parameters, `switches` full names."""

    line: int
    what: str
    tier: str
    confidence: str
    switches: tuple[str, ...]
    test: str


def rows(text: str | None = None) -> list[Row]:
    """Every line of every table with our heads."""
    if text is None and not PAGE.is_file():
        return []
    found, inside = [], False
    for line, content in enumerate((text if text is not None else PAGE.read_text(encoding="utf-8")).splitlines(), 1):
        cells = [cell.strip() for cell in content.replace("\\|", "\0").strip("|").split("|")]
        if not content.startswith("|"):
            inside = False
        elif tuple(cells) == HEADS:
            inside = True
        elif inside and not set(content) <= set("|-: "):
            what, tier, confidence, switches, test = (cell.replace("\0", "|") for cell in cells)
            names = tuple(name.strip("` ") for name in switches.split(",") if name.strip("` "))
            found.append(Row(line, what, tier, confidence, names, test.strip("` ")))
    return found


def of_no_test(table: Iterable[Row], passed: Mapping[str, bool]) -> list[str]:
    """What is wrong with the table, given which tests (ids without parameters) passed; nothing is the aim."""
    wrong = []
    for row in table:
        if "::" not in row.test:
            wrong.append(f"line {row.line}: no test for: {row.what}")
        elif row.test not in passed:
            wrong.append(f"line {row.line}: {row.test} did not run")
        elif not passed[row.test]:
            wrong.append(f"line {row.line}: {row.test} did not pass")
    return wrong


@cache
def functions(path: Path) -> dict[str, ast.FunctionDef | ast.AsyncFunctionDef]:
    """The functions of a module, those of its classes as Class::name."""
    found: dict[str, ast.FunctionDef | ast.AsyncFunctionDef] = {}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found[node.name] = node
        elif isinstance(node, ast.ClassDef):
            for inner in node.body:
                if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef):
                    found[f"{node.name}::{inner.name}"] = inner
    return found


def there(test: str) -> bool:
    """Whether a pytest id without parameters names a test function."""
    name, _, function = test.partition("::")
    path = ROOT / name
    return path.is_file() and function.split("::")[-1].startswith("test_") and function in functions(path)


def speaks_http(test: str) -> bool:
    """Whether a test, or what it is given or calls in its folder, starts or reaches a server."""
    name, _, function = test.partition("::")
    path = ROOT / name
    near = [path, *path.parent.glob("*.py"), *path.parent.parent.glob("conftest.py")]
    return _reaches(functions(path)[function], [one for one in near if one.is_file()], set())


def _reaches(node: ast.AST, near: list[Path], seen: set[str]) -> bool:
    fresh = _names(node) - seen
    if fresh & SERVERS:
        return True
    seen |= fresh
    inner = [functions(path)[name] for name in fresh for path in near if name in functions(path)]
    return any(_reaches(one, near, seen) for one in inner)


@cache
def _names(node: ast.AST) -> frozenset[str]:
    """Every name, attribute and parameter in a function."""
    found = set()
    for one in ast.walk(node):
        if isinstance(one, ast.Name):
            found.add(one.id)
        elif isinstance(one, ast.Attribute):
            found.add(one.attr)
        elif isinstance(one, ast.arg):
            found.add(one.arg)
    return frozenset(found)


def outcomes(report: Path) -> dict[str, bool]:
    """Which tests passed, by id without parameters, from a JUnit report; all parameters of a test have to."""
    found: dict[str, bool] = {}
    for case in ET.parse(report).getroot().iter("testcase"):
        parts = case.get("classname", "").split(".")
        depth = max(n for n in range(1, len(parts) + 1) if (ROOT / Path(*parts[:n])).with_suffix(".py").is_file())
        name = "::".join([str(Path(*parts[:depth])) + ".py", *parts[depth:], case.get("name", "").partition("[")[0]])
        good = not {child.tag for child in case} & {"failure", "error", "skipped"}
        found[name] = found.get(name, True) and good
    return found


def main() -> int:
    """Run every test of the table."""
    table = rows()
    wrong = [f"line {row.line}: {row.test} is not there" for row in table if "::" in row.test and not there(row.test)]
    ids = sorted({row.test for row in table if "::" in row.test and there(row.test)})
    with TemporaryDirectory() as home:
        report = Path(home) / "report.xml"
        subprocess.run([sys.executable, "-m", "pytest", "-q", f"--junitxml={report}", *ids], cwd=ROOT, check=False)
        wrong += of_no_test(table, outcomes(report))
    silent = [row for row in table if there(row.test) and not speaks_http(row.test)]
    wrong += [f"line {row.line}: {row.test} speaks no HTTP" for row in silent]
    print("\n".join(wrong) if wrong else f"{len(table)} rows, {len(ids)} tests: each row has a test that passes")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
