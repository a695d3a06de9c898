"""The sandbox's time: a person can step over hours of it, or let it run faster than the wall's."""

import asyncio
import contextlib
import time
from collections.abc import Iterator
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta

RATE_MAX = 86_400.0  # a day in a second
_AHEAD_MAX_S = 1e10
# Of one call alone: a planned fault lets a vendor's wall clock jump while it answers that call.
_jump_s: ContextVar[float] = ContextVar("jump_s", default=0.0)


class Clock:
    """Wall time plus an offset that only grows, so that a test can step over a window, a lag or an expiry."""

    def __init__(self) -> None:
        self._base_s = 0.0  # the offset at `_since_s`
        self._since_s = time.monotonic()
        self._rate = 1.0
        self._sleepers: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()

    @property
    def offset_s(self) -> float:
        """How many seconds the sandbox is ahead of the machine."""
        if self._rate == 1.0:
            return self._base_s
        return self._base_s + (time.monotonic() - self._since_s) * (self._rate - 1.0)

    @property
    def rate(self) -> float:
        """How many of its seconds pass in one of the wall's; 1 unless it was asked to run faster."""
        return self._rate

    def now(self) -> datetime:
        """The sandbox's present, aware UTC; inside `jumped` it lies beside it."""
        return datetime.now(UTC) + timedelta(seconds=self.offset_s + _jump_s.get())

    def seconds(self) -> float:
        """The sandbox's present as seconds since 1970, which no jump touches: for logs."""
        return time.time() + self.offset_s

    def monotonic(self) -> float:
        """Seconds for limiters: real monotonic time plus the offset, so that advancing the clock empties windows."""
        return time.monotonic() + self.offset_s

    def advance(self, seconds: float) -> None:
        """Move forward. Raises ValueError for a negative or non-numeric step."""
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < _AHEAD_MAX_S:
            raise ValueError("the clock moves forward only: advance_s must be a number of seconds >= 0")
        try:
            datetime.now(UTC) + timedelta(days=400, seconds=self.offset_s + seconds)
        except OverflowError:
            raise ValueError("the clock cannot move forward beyond the year 9998") from None
        self._base_s += seconds
        self._wake()

    def run_at(self, rate: float) -> None:
        """Let `rate` seconds pass in one of the wall's. Raises ValueError for anything but 1 to 86,400."""
        if isinstance(rate, bool) or not isinstance(rate, int | float) or not 1 <= rate <= RATE_MAX:
            raise ValueError(f"rate must be a number from 1 (the wall's pace) to {RATE_MAX:.0f} (a day in a second)")
        self._base_s, self._since_s = self.offset_s, time.monotonic()
        self._rate = float(rate)
        self._wake()

    @contextlib.contextmanager
    def jumped(self, seconds: float) -> Iterator[None]:
        """Within the block, and for this task alone, `now` lies so many seconds beside the present; limiters don't."""
        token = _jump_s.set(seconds)
        try:
            yield
        finally:
            _jump_s.reset(token)

    async def sleep(self, seconds: float) -> None:
        """Wait on this clock: a step over the moment ends the wait at once, from whatever thread it comes."""
        until = self.monotonic() + seconds
        moved = asyncio.Event()
        sleeper = (asyncio.get_running_loop(), moved)
        self._sleepers.add(sleeper)
        try:
            while (left := until - self.monotonic()) > 0:
                moved.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(moved.wait(), left / self._rate)
        finally:
            self._sleepers.discard(sleeper)

    def _wake(self) -> None:
        for loop, moved in tuple(self._sleepers):
            with contextlib.suppress(RuntimeError):  # that loop has ended with its sleeper in it
                loop.call_soon_threadsafe(moved.set)


def iso(moment: datetime) -> str:
    """ISO 8601 in UTC with milliseconds and a Z."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def iso_of(seconds: float) -> str:
    """The same from seconds since 1970."""
    return iso(datetime.fromtimestamp(seconds, UTC))
