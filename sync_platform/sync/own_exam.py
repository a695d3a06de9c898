"""`python -m sync_platform.sync.own_exam MODULE:FUNCTION`: whether a rule of one's own may judge. One JSON line.

Runs in a process of its own with sockets, clocks, chance, environment and files blocked once the rule is imported. Each
generated case is asked twice and in every order of its candidates: equal answers, arguments as they were, one of the
candidates or None.
"""

from __future__ import annotations

import builtins
import copy
import datetime as dt
import hashlib
import importlib
import itertools
import json
import os
import random
import secrets
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any

from sync_platform.core.own import Candidate, OwnRule

CASES = 300
SEED = 20_260_308
VALUES: tuple[Any, ...] = (
    None, "", " ", "a", "A", "Ärger", "李小龙", "ada@example.com", "+14155550132", "2026-03-08T10:00:00+00:00", "12.50",
    0, 1, -3, 12.5, True, False, ["b", "a"], ["a", "b", "c"], [], "word " * 40,
)  # fmt: skip
FIELDS = ("phone", "email", "name", "note", "status", "priority", "assignee")
SYSTEMS = ("gorgias", "hubspot", "erp")
_CLOCKS = ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "localtime", "gmtime")
_AUDITED = ("open", "socket.", "subprocess.", "os.", "shutil.", "tempfile.", "glob.", "sqlite3.", "urllib.", "ctypes.")


class Blocked(Exception):
    """A rule reached for something that it must not know."""


class Guard:
    """Raises once it is armed: until then a rule's module may be imported as ever."""

    def __init__(self) -> None:
        self.armed = False

    def check(self, what: str) -> None:
        """Raises Blocked when armed."""
        if self.armed:
            raise Blocked(what)

    def wrap(self, function: Callable[..., Any], what: str) -> Callable[..., Any]:
        """The same function, behind the guard."""

        @wraps(function)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            self.check(what)
            return function(*args, **kwargs)

        return guarded

    def install(self) -> None:
        """Put the guard before clocks, chance, environment and whatever the interpreter audits."""
        for name in _CLOCKS:
            setattr(time, name, self.wrap(getattr(time, name), f"the clock (time.{name})"))
        for name in dir(random):
            found = getattr(random, name)
            if callable(found) and not isinstance(found, type) and not name.startswith("_"):
                setattr(random, name, self.wrap(found, f"chance (random.{name})"))
        for module, names in ((secrets, ("token_bytes", "token_hex", "randbelow", "choice")), (os, ("urandom",))):
            for name in names:
                setattr(module, name, self.wrap(getattr(module, name), f"chance ({module.__name__}.{name})"))
        for name in ("uuid1", "uuid4"):
            setattr(uuid, name, self.wrap(getattr(uuid, name), f"chance (uuid.{name})"))
        setattr(dt, "datetime", _guarded_datetime(self))  # noqa: B010 - no checker should think that it stays
        setattr(os, "environ", _GuardedEnvironment(self, os.environ))  # noqa: B010
        os.getenv = self.wrap(os.getenv, "the environment")
        builtins.open = self.wrap(open, "a file")
        sys.addaudithook(self._audit)

    def _audit(self, event: str, _arguments: Any) -> None:
        if self.armed and event.startswith(_AUDITED):
            raise Blocked(f"the machine ({event})")


def _guarded_datetime(guard: Guard) -> type:
    class datetime(dt.datetime):  # noqa: N801 - it stands in for the class of that name
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            guard.check("the clock (datetime.now)")
            return super().now(tz)

        @classmethod
        def utcnow(cls) -> Any:
            guard.check("the clock (datetime.utcnow)")
            return super().now(dt.UTC).replace(tzinfo=None)

        @classmethod
        def today(cls) -> Any:
            guard.check("the clock (datetime.today)")
            return super().today()

    return datetime


class _GuardedEnvironment(dict[str, str]):
    """The environment, until the guard is armed."""

    def __init__(self, guard: Guard, values: Any) -> None:
        super().__init__(values)
        self._guard = guard

    def __getitem__(self, key: str) -> str:
        self._guard.check("the environment")
        return super().__getitem__(key)

    def get(self, key: str, default: Any = None) -> Any:
        self._guard.check("the environment")
        return super().get(key, default)

    def __iter__(self) -> Iterator[str]:
        self._guard.check("the environment")
        return super().__iter__()


def cases() -> list[tuple[str, tuple[Candidate, ...]]]:
    """(field, candidates) to ask a rule about; the same in every process."""
    draw = random.Random(SEED)  # noqa: S311 - the same cases in every process
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


def examine(rule: OwnRule, asked: list[tuple[str, tuple[Candidate, ...]]], guard: Guard) -> str:
    """A digest of all answers. Raises ValueError saying which law was broken, Blocked, or what the rule raises."""
    answers: list[str] = []
    for field, candidates in asked:
        given = set()
        for order in itertools.permutations(candidates):
            before = copy.deepcopy(order)
            guard.armed = True
            try:
                first, second = rule(field, order), rule(field, order)
            finally:
                guard.armed = False
            if order != before:
                raise ValueError("it changed its arguments")
            if first != second:
                raise ValueError("it answered the same question in two ways")
            if first is not None and first not in before:
                raise ValueError("it gave something else than one of its candidates")
            given.add(None if first is None else first.system)
        if len(given) > 1:
            raise ValueError("its answer depends on the order of the candidates")
        answers.append(str(given.pop()))
    return hashlib.sha256(json.dumps(answers).encode()).hexdigest()


def main(target: str) -> int:
    """Import the rule, examine it, say what came out."""
    asked = cases()
    guard = Guard()
    guard.install()
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
        verdict = {"ok": False, "reason": f"it raised {type(error).__name__}"}
    sys.stdout.write(json.dumps(verdict) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
