"""`python -m sync_platform.sync.own_exam MODULE:FUNCTION`: whether a rule of one's own may judge. One JSON line.

Runs in a process of its own with sockets, clocks, chance, environment and files blocked once the rule is imported. Each
generated case is asked twice and in every order of its candidates, and all of them once more from the last to the
first: equal answers, arguments as they were, one of the candidates or None.
"""

from __future__ import annotations

import copy
import datetime as dt
import hashlib
import importlib
import itertools
import json
import random
import sys
from typing import Any

from sync_platform.core.own import Candidate, OwnRule
from sync_platform.sync.own_guard import Blocked, Guard

Case = tuple[str, tuple[Candidate, ...]]

CASES = 300
SEED = 20_260_308
VALUES: tuple[Any, ...] = (
    None, "", " ", "a", "A", "Ärger", "李小龙", "ada@example.com", "+14155550132", "2026-03-08T10:00:00+00:00", "12.50",
    0, 1, -3, 12.5, True, False, ["b", "a"], ["a", "b", "c"], [], "word " * 40,
)  # fmt: skip
FIELDS = ("phone", "email", "name", "note", "status", "priority", "assignee")
SYSTEMS = ("gorgias", "hubspot", "erp")


def cases() -> list[Case]:
    """(field, candidates) to ask a rule about; the same in every process."""
    draw = random.Random(SEED)  # noqa: S311 - the same cases in every process
    # The guard's own kind of moment, where it is installed: a rule may ask it for the present, too.
    begin = dt.datetime(2026, 3, 8, 10, tzinfo=dt.UTC)
    found = []
    for _ in range(CASES):
        systems = draw.sample(SYSTEMS, draw.choice((2, 3)))
        candidates = []
        for system in systems:
            since = begin + dt.timedelta(seconds=draw.randrange(7_200))
            until = since + dt.timedelta(seconds=draw.randrange(600))
            known = draw.random() > 0.2
            value = copy.deepcopy(draw.choice(VALUES))
            candidates.append(Candidate(system, value, since if known else None, until if known else None))
        found.append((draw.choice(FIELDS), tuple(candidates)))
    return found


def examine(rule: OwnRule, asked: list[Case], guard: Guard) -> str:
    """A digest of all answers. Raises ValueError saying which law was broken, Blocked, or what the rule raises."""
    answers = [_answer(rule, field, candidates, guard) for field, candidates in asked]
    for (field, candidates), answer in zip(reversed(asked), reversed(answers), strict=True):
        if _answer(rule, field, candidates, guard) != answer:
            raise ValueError("its answer depends on what it was asked before")
    return hashlib.sha256(json.dumps(answers).encode()).hexdigest()


def _answer(rule: OwnRule, field: str, candidates: tuple[Candidate, ...], guard: Guard) -> str:
    """The system that a rule chooses, whatever the order. Raises as `examine` does."""
    given = set()
    for order in itertools.permutations(candidates):
        before = copy.deepcopy(order)
        first = guard.ask(lambda: rule(field, order))  # noqa: B023 - asked at once
        if order != before:
            raise ValueError("it changed its arguments")
        # Other objects with the same contents: where they lie in memory must not matter.
        second = guard.ask(lambda: rule(field, copy.deepcopy(before)))  # noqa: B023
        for one in (first, second):
            if one is not None and one not in before:
                raise ValueError("it gave something else than one of its candidates")
        if first != second:
            raise ValueError("it answered the same question in two ways")
        given.add("nobody" if first is None else str(first.system))
    if len(given) > 1:
        raise ValueError("its answer depends on the order of the candidates")
    return given.pop()


def main(target: str) -> int:
    """Import the rule, examine it, say what came out."""
    guard = Guard()
    guard.install()
    asked = cases()
    module, _, name = target.partition(":")
    try:
        rule: Any = importlib.import_module(module)
        for part in name.split("."):
            rule = getattr(rule, part)
        verdict = {"ok": True, "digest": examine(rule, asked, guard)}
    except Blocked as error:
        verdict = {"ok": False, "reason": f"it reached for {error}"}
    except ValueError as error:
        verdict = {"ok": False, "reason": str(error)}
    except BaseException as error:  # noqa: BLE001 - whatever a stranger's code raises is its verdict
        reason = f"it reached for {guard.reached}" if guard.reached else f"it raised {type(error).__name__}"
        verdict = {"ok": False, "reason": reason}
    sys.stdout.write(json.dumps(verdict) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
