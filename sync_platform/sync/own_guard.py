"""What stands before clocks, chance, environment, files and sockets while a rule of one's own sits its exam.

Whatever a rule reaches for is remembered as well as refused: a rule that swallows the refusal has reached for it all
the same, and would get its answer on the day that counts.
"""

from __future__ import annotations

import builtins
import datetime as dt
import importlib
import io
import os
import platform
import random
import secrets
import sys
import time
import uuid
from collections.abc import Callable, Iterator, MutableMapping
from functools import wraps
from typing import Any

_CLOCKS = (
    "time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "process_time",
    "process_time_ns", "thread_time", "thread_time_ns", "clock_gettime", "clock_gettime_ns", "localtime", "gmtime",
    "ctime", "mktime", "sleep",
)  # fmt: skip
# They read the clock where they get no moment: name → how many arguments leave nothing to ask.
_CLOCKS_UNLESS_TOLD = {"strftime": 2, "asctime": 1}
_CHANCE = ((secrets, ("token_bytes", "token_hex", "randbelow", "randbits", "choice")), (os, ("urandom", "getrandom")))
_AUDITED = (
    "open", "socket.", "subprocess.", "os.", "shutil.", "tempfile.", "glob.", "sqlite3.", "urllib.", "ctypes.",
    "builtins.input", "http.", "ftplib.", "smtplib.", "signal.", "_thread.start_new_thread",
)  # fmt: skip
# What `os` can say without looking at the machine.
_OS_PURE = ("fspath", "fsencode", "fsdecode", "strerror")


class Blocked(Exception):
    """A rule reached for something that it must not know."""


class Guard:
    """Raises once it is armed, and remembers why: until then a rule's module may be imported as ever."""

    def __init__(self) -> None:
        self.armed = False
        self.reached: str | None = None

    def check(self, what: str) -> None:
        """Raises Blocked when armed."""
        if self.armed:
            self.reached = self.reached or what
            raise Blocked(what)

    def ask(self, question: Callable[[], Any]) -> Any:
        """The answer of somebody who may reach for nothing. Raises Blocked, and whatever the question raises."""
        self.armed, self.reached = True, None
        try:
            answer = question()
        finally:
            self.armed = False
        if self.reached is not None:
            raise Blocked(self.reached)
        return answer

    def wrap(self, function: Callable[..., Any], what: str, *, told: int | None = None) -> Callable[..., Any]:
        """The same function, behind the guard; with `told`, only where it gets fewer arguments than that."""

        @wraps(function)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            if told is None or len(args) < told:
                self.check(what)
            return function(*args, **kwargs)

        return guarded

    def install(self) -> None:
        """Put the guard before clocks, chance, environment and whatever the interpreter audits."""
        # Pure functions load these at their first use; inside a rule that would count as an import.
        for module in ("_strptime", "encodings.idna"):
            importlib.import_module(module)
        self._before_clocks()
        self._before_chance()
        self._before_the_machine()
        sys.addaudithook(self._audit)

    def _before_clocks(self) -> None:
        for name in _CLOCKS:
            if hasattr(time, name):
                setattr(time, name, self.wrap(getattr(time, name), f"the clock (time.{name})"))
        for name, told in _CLOCKS_UNLESS_TOLD.items():
            setattr(time, name, self.wrap(getattr(time, name), f"the clock (time.{name})", told=told))
        moment, day = _guarded_moment(self), _guarded_day(self)
        setattr(dt, "datetime", moment)  # noqa: B010 - no checker should think that it stays
        setattr(dt, "date", day)  # noqa: B010

    def _before_chance(self) -> None:
        for name in dir(random):
            found = getattr(random, name)
            if callable(found) and not isinstance(found, type) and not name.startswith("_"):
                setattr(random, name, self.wrap(found, f"chance (random.{name})"))
        setattr(random, "Random", _guarded_random(self))  # noqa: B010
        for module, names in _CHANCE:
            for name in names:
                if hasattr(module, name):
                    setattr(module, name, self.wrap(getattr(module, name), f"chance ({module.__name__}.{name})"))
        # All of SystemRandom, and what `secrets` makes of it.
        setattr(random, "_urandom", os.urandom)  # noqa: B010
        for name in ("uuid1", "uuid4"):
            setattr(uuid, name, self.wrap(getattr(uuid, name), f"chance (uuid.{name})"))

    def _before_the_machine(self) -> None:
        setattr(os, "environ", _GuardedEnvironment(self, dict(os.environ)))  # noqa: B010
        setattr(os, "environb", _GuardedEnvironment(self, {}))  # noqa: B010
        os.getenv = self.wrap(os.getenv, "the environment")
        for name in dir(os):
            found = getattr(os, name)
            plain = callable(found) and not isinstance(found, type)
            if plain and name not in (*_OS_PURE, "getenv", "urandom", "getrandom") and name != name.upper():
                setattr(os, name, self.wrap(found, f"the machine (os.{name})"))
        platform.uname = self.wrap(platform.uname, "the machine (platform.uname)")  # it keeps its first answer
        builtins.open = io.open = self.wrap(open, "a file")
        for stream in (sys.stdin, sys.stdout, sys.stderr):
            for name in ("read", "readline", "write"):
                _put(stream, name, self.wrap(getattr(stream, name), "the console"))

    def _audit(self, event: str, arguments: Any) -> None:
        if not self.armed:
            return
        if event == "import":
            self.check(f"an import inside a function ({arguments[0]}); put it at the head of the module")
        if event.startswith(_AUDITED):
            self.check(f"the machine ({event})")


def _put(stream: Any, name: str, function: Callable[..., Any]) -> None:
    setattr(stream, name, function)


def _guarded_day(guard: Guard) -> type:
    real = dt.date

    class AnyDay(type):
        """Every day and moment counts as one of the class that stands in for `date`."""

        def __instancecheck__(cls, one: Any) -> bool:
            return type.__instancecheck__(real, one)

    class date(dt.date, metaclass=AnyDay):  # noqa: N801 - it stands in for the class of that name
        @classmethod
        def today(cls) -> Any:
            guard.check("the clock (date.today)")
            return super().today()

        @classmethod
        def fromtimestamp(cls, at: float) -> Any:
            guard.check("the zone of the machine (date.fromtimestamp)")
            return super().fromtimestamp(at)

    return date


def _guarded_moment(guard: Guard) -> type:
    real = dt.datetime

    class AnyMoment(type):
        """Every moment counts as one of the class that stands in for `datetime`."""

        def __instancecheck__(cls, one: Any) -> bool:
            return type.__instancecheck__(real, one)

    class datetime(dt.datetime, metaclass=AnyMoment):  # noqa: N801 - it stands in for the class of that name
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
            return super().now()

        @classmethod
        def fromtimestamp(cls, at: float, tz: Any = None) -> Any:
            if tz is None:
                guard.check("the zone of the machine (datetime.fromtimestamp)")
            return super().fromtimestamp(at, tz)

        def astimezone(self, tz: Any = None) -> Any:
            if tz is None or self.tzinfo is None:
                guard.check("the zone of the machine (datetime.astimezone)")
            return super().astimezone(tz)

        def timestamp(self) -> float:
            if self.tzinfo is None:
                guard.check("the zone of the machine (datetime.timestamp)")
            return super().timestamp()

    return datetime


def _guarded_random(guard: Guard) -> type:
    class Random(random.Random):
        """Chance that bears a seed is none."""

        def __init__(self, x: Any = None) -> None:
            self._seeded_by(x)
            super().__init__(x)

        def seed(self, a: Any = None, version: int = 2) -> None:
            self._seeded_by(a)
            super().seed(a, version)

        @staticmethod
        def _seeded_by(seed: Any) -> None:
            if seed is None:
                guard.check("chance (random.Random without a seed)")

    return Random


class _GuardedEnvironment(MutableMapping[Any, Any]):
    """The environment, until the guard is armed."""

    def __init__(self, guard: Guard, values: dict[Any, Any]) -> None:
        self._guard = guard
        self._values = values

    def _checked(self) -> dict[Any, Any]:
        self._guard.check("the environment")
        return self._values

    def __getitem__(self, key: Any) -> Any:
        return self._checked()[key]

    def __setitem__(self, key: Any, value: Any) -> None:
        self._checked()[key] = value

    def __delitem__(self, key: Any) -> None:
        del self._checked()[key]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._checked())

    def __len__(self) -> int:
        return len(self._checked())

    def copy(self) -> dict[Any, Any]:
        """As `os.environ.copy()`."""
        return dict(self._checked())
