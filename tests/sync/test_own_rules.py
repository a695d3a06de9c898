"""Rules of one's own: what passes the exam judges, what breaks a law is refused with the reason."""

import sys
import textwrap

import pytest

from sync_platform.core.own import Candidate, Unfit, choose
from sync_platform.core.policy import parse
from sync_platform.core.records import Claim, Entity, System
from sync_platform.core.rules import decide
from sync_platform.errors import Misconfigured
from sync_platform.sync.own_rules import bound

POLICY = """\
customer:
  fields:
    note: {rules: [{own: [mine]}, {rank: [gorgias, hubspot, erp]}], empty: clear}
ticket:
  fields: {}
"""
LONGEST = """
def mine(field, candidates):
    ranked = sorted(candidates, key=lambda one: len(str(one.value or "")))
    return ranked[-1] if len(str(ranked[-1].value or "")) > len(str(ranked[-2].value or "")) else None
"""


SWALLOWED = """
from datetime import datetime
def mine(field, candidates):
    try:
        datetime.now()
    except Exception:
        pass
"""
MINDFUL = """
last = ["", ""]
def mine(field, candidates):
    asked = repr(sorted(map(repr, candidates)))
    if asked != last[1]:
        last[:] = [last[1], asked]
    return max(candidates, key=repr) if len(last[0]) % 2 else None
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Installs a package with one module that declares the rule `mine`."""

    def install(source, target="mine"):
        name = f"rules_{tmp_path.name.replace('-', '_')}"
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(source), encoding="utf-8")
        info = tmp_path / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", encoding="utf-8")
        points = f"[sync_platform.rules]\nmine = {name}:{target}\n"
        (info / "entry_points.txt").write_text(points, encoding="utf-8")
        monkeypatch.syspath_prepend(str(tmp_path))
        return name

    yield install
    for name in [one for one in sys.modules if one.startswith("rules_test_")]:
        del sys.modules[name]


def claims(*values):
    return [Claim(system, n, value, value, n) for n, (system, value) in enumerate(zip(System, values, strict=False), 1)]


def test_a_rule_that_passes_its_exam_decides(package):
    package(LONGEST)
    policy = bound(parse(POLICY))
    field = policy.entities[Entity.CUSTOMER].fields["note"]
    winner, rule = decide(field, claims("short", "a long note", None))
    assert (winner.value, rule) == ("a long note", "own")
    winner, rule = decide(field, claims("same", "size", None))
    assert (winner.value, rule) == ("same", "rank")


def test_the_code_of_a_rule_is_part_of_the_policys_hash(package):
    package(LONGEST)
    assert bound(parse(POLICY)).hash != parse(POLICY).hash


def test_a_policy_without_own_rules_stays_as_it_is():
    policy = parse("customer: {fields: {}}\nticket: {fields: {}}\n")
    assert bound(policy) is policy


def test_a_rule_that_nobody_brings_is_named():
    with pytest.raises(Misconfigured, match="mine") as caught:
        bound(parse(POLICY))
    assert "entry-points" in caught.value.remedy
    problem = caught.value.problems[0]
    assert (problem.line, problem.path) == (3, "customer.fields.note.rules.own")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import time\ndef mine(f, c):\n    return c[0] if time.time() > 0 else None", "clock"),
        ("from time import monotonic\ndef mine(f, c):\n    monotonic()", "clock"),
        ("from datetime import datetime\ndef mine(f, c):\n    datetime.now()", "clock"),
        ("import random\ndef mine(f, c):\n    return random.choice(c)", "chance"),
        ("import os\ndef mine(f, c):\n    return c[0] if os.environ.get('HOME') else None", "environment"),
        ("import os\ndef mine(f, c):\n    return c[0] if os.getenv('HOME') else None", "environment"),
        ("def mine(f, c):\n    open('/etc/hostname')", "file"),
        ("import pathlib\ndef mine(f, c):\n    pathlib.Path('/etc/hostname').read_text()", "machine|file"),
        ("import socket\ndef mine(f, c):\n    socket.create_connection(('127.0.0.1', 9))", "machine"),
        ("import subprocess\ndef mine(f, c):\n    subprocess.run(['true'])", "machine"),
        ("from datetime import date\ndef mine(f, c):\n    date.today()", "clock"),
        ("def mine(f, c):\n    [one.since.now() for one in c if one.since]", "clock"),
        ("import time\ndef mine(f, c):\n    time.strftime('%Y')", "clock"),
        ("def mine(f, c):\n    [one.since.astimezone() for one in c if one.since]", "zone of the machine"),
        ("import random\ndef mine(f, c):\n    random.Random().random()", "chance"),
        ("import random\ndef mine(f, c):\n    random.SystemRandom().random()", "chance"),
        ("import secrets\ndef mine(f, c):\n    secrets.randbits(8)", "chance"),
        ("import os\ndef mine(f, c):\n    'HOME' in os.environ", "environment"),
        ("import os\ndef mine(f, c):\n    list(os.environ.items())", "environment"),
        ("import os\ndef mine(f, c):\n    os.path.exists('/etc/hostname')", "machine"),
        ("import os\ndef mine(f, c):\n    os.getpid()", "machine"),
        ("import platform\ndef mine(f, c):\n    platform.node()", "machine"),
        ("def mine(f, c):\n    print(c)", "console"),
        ("def mine(f, c):\n    import turtledemo", "import inside a function"),
        (SWALLOWED, "clock"),
        (MINDFUL, "asked before"),
        ("def mine(f, c):\n    return max(c, key=id)", "two ways|order"),
        ("def mine(f, c):\n    return c[0]", "order"),
        ("seen = []\ndef mine(f, c):\n    seen.append(1)\n    return c[0] if len(seen) % 2 else None", "two ways"),
        ("def mine(f, c):\n    [one.value.sort() for one in c if isinstance(one.value, list)]", "arguments"),
        ("def mine(f, c):\n    return 'a'", "candidates"),
        ("def mine(f, c):\n    return 1 / 0", "ZeroDivisionError"),
        ("def mine(f, c):\n    return sorted(c, key=lambda one: hash(one.system))[0]", "two processes"),
        ("raise SystemExit(3)", "SystemExit"),
        ("def other(f, c):\n    return None", "AttributeError"),
    ],
)
def test_a_rule_that_reaches_out_or_breaks_a_law_is_refused_with_the_reason(package, source, reason):
    package(source)
    with pytest.raises(Misconfigured, match=reason):
        bound(parse(POLICY))


def test_a_rule_may_do_what_looks_at_nothing_but_its_candidates(package):
    package("""
import random
import time
from datetime import UTC, date, datetime

def mine(field, candidates):
    for one in candidates:
        if one.since is not None:
            assert isinstance(one.since, datetime) and isinstance(one.since, date)
            one.since.astimezone(UTC).timestamp()
            time.strftime("%Y", one.since.timetuple())
    datetime.strptime("2026", "%Y")
    random.Random(7).random()
    return None
""")
    field = bound(parse(POLICY)).entities[Entity.CUSTOMER].fields["note"]
    assert decide(field, claims("a", "b", None))[1] == "rank"


def test_a_rule_that_raises_later_leaves_the_field_to_a_person(package):
    package("def mine(f, c):\n    return None if all(one.value != 'boom' for one in c) else 1 / 0")
    field = bound(parse(POLICY)).entities[Entity.CUSTOMER].fields["note"]
    assert decide(field, claims("boom", "b", None)) is None
    assert decide(field, claims("a", "b", None))[1] == "rank"


def test_a_rule_sees_copies_and_may_only_choose():
    given = claims(["a"], ["b"])

    def sly(field, candidates):
        candidates[0].value.append("x")
        return Candidate("erp", "made up", None, None)

    with pytest.raises(Unfit):
        choose(sly, "tags", given)
    assert given[0].value == ["a"]
