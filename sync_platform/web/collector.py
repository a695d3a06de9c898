"""Group commit: what arrives within two milliseconds, or while a commit is under way, is stored by one transaction.

A commit costs the same for one delivery as for fifty, and SQLite has one writer. Whoever waits is answered after the
commit that holds their delivery, never before.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from sync_platform.errors import Halt, Retryable, SyncError
from sync_platform.ledger import inbox
from sync_platform.ledger.database import Ledger

log = logging.getLogger(__name__)

GATHER_S = 0.002
COUNTS_EVERY_S = 2.0
BATCH_MAX = 2_000

_Waiting = tuple[Sequence[inbox.Delivery], "asyncio.Future[None]"]


class Collector:
    """Stores deliveries for many requests at once; belongs to one event loop."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="inbox")
        self._waiting: list[_Waiting] = []
        self._counts: Counter[str] = Counter()
        self._due: asyncio.TimerHandle | None = None
        self._counts_due: asyncio.TimerHandle | None = None
        self._work: asyncio.Task[None] | None = None
        self._closing = False

    async def put(self, deliveries: Sequence[inbox.Delivery]) -> None:
        """Return once these are committed. Raises what `inbox.put` raises."""
        loop = asyncio.get_running_loop()
        stored: asyncio.Future[None] = loop.create_future()
        self._waiting.append((deliveries, stored))
        self._plan(loop)
        await stored

    def count(self, name: str, times: int = 1) -> None:
        """Count something; it reaches the ledger some seconds later."""
        self._counts[name] += times
        if self._counts_due is None and not self._closing:
            loop = asyncio.get_running_loop()
            self._counts_due = loop.call_later(COUNTS_EVERY_S, self._flush_counts)

    async def reachable(self) -> bool:
        """Whether the ledger answers a read."""
        return await asyncio.get_running_loop().run_in_executor(None, self._look)

    async def close(self) -> None:
        """Store what still waits, and the counts."""
        self._closing = True
        for handle in (self._due, self._counts_due):
            if handle is not None:
                handle.cancel()
        if self._work is not None:
            await self._work
        await self._drain()
        # What was sent a second time in that very batch.
        await self._drain()
        self._thread.shutdown()

    def _look(self) -> bool:
        try:
            with self._ledger.read() as conn:
                inbox.fresh(conn, None)
        except SyncError:
            return False
        return True

    def _plan(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._due is None and self._work is None:
            self._due = loop.call_later(GATHER_S, self._begin)

    def _begin(self) -> None:
        self._due = None
        if self._work is None:
            self._work = asyncio.get_running_loop().create_task(self._drain())
            self._work.add_done_callback(self._ended)

    def _ended(self, _task: asyncio.Task[None]) -> None:
        self._work = None
        if self._waiting:
            self._plan(asyncio.get_running_loop())

    def _flush_counts(self) -> None:
        self._counts_due = None
        self._begin()

    async def _drain(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting or self._counts:
            batch, self._waiting = self._waiting[:BATCH_MAX], self._waiting[BATCH_MAX:]
            counts, self._counts = self._counts, Counter()
            failures, repeated = await loop.run_in_executor(self._thread, self._store, [d for d, _ in batch], counts)
            for name, times in repeated.items():
                self.count(name, times)
            for (_, stored), failure in zip(batch, failures, strict=True):
                if stored.done():  # the caller went away; what it brought is stored all the same
                    continue
                if failure is None:
                    stored.set_result(None)
                else:
                    stored.set_exception(failure)
            if not self._waiting:
                return

    def _store(
        self, batch: Sequence[Sequence[inbox.Delivery]], counts: Mapping[str, int]
    ) -> tuple[list[SyncError | None], Counter[str]]:
        """One transaction for all; where it is refused, one for each, so that one bad delivery blocks no good one."""
        at = datetime.now(UTC)
        flat = [one for deliveries in batch for one in deliveries]
        try:
            new = inbox.put(self._ledger, flat, at, counts)
        except SyncError as error:
            log.warning("the inbox did not take %d deliveries (%s)", len(flat), error.code)
            if isinstance(error, Retryable | Halt) or len(batch) < 2:
                return [error] * len(batch), Counter(counts)
            return [self._alone(one, at) for one in batch], Counter(counts)
        repeated = len(flat) - new
        return [None] * len(batch), Counter({"inbox.repeated": repeated} if repeated else {})

    def _alone(self, deliveries: Sequence[inbox.Delivery], at: datetime) -> SyncError | None:
        try:
            inbox.put(self._ledger, deliveries, at)
        except SyncError as error:
            return error
        return None
