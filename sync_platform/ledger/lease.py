"""Who works now: one owner at a time, with an expiry that is pushed on while the owner lives.

A lease lasts 15 s and is renewed every 4 s by a thread of its own, in the pacing store, where no long write of the
ledger can hold it up. An owner whose process is gone from this host is replaced at once; any other when its lease is
over. Process ids are only compared within one boot and one namespace of process ids (containers). An owner that was
itself held up for too long learns it from `held()`, by its own monotonic clock, before anybody else may take over.
"""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self

from sqlalchemy import Connection, Table, delete, insert, select, update

from sync_platform.errors import AnotherCycleRuns, SyncError
from sync_platform.ledger.database import Ledger, host_name
from sync_platform.ledger.tables import LeaseRow

LEASE: Table = LeaseRow.__table__  # type: ignore[attr-defined]

EXPIRY_S = 15.0
RENEW_S = 4.0
ASK_AGAIN_S = 0.25


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a lease, as written down; `alive` is False when it may be taken over."""

    owner: str
    host: str
    pid: int
    taken_at: datetime
    expires_at: datetime
    alive: bool


class Lease:
    """A lease that was taken; give it back with `release()`, or use it as a context manager."""

    def __init__(self, ledger: Ledger, name: str, owner: str, *, expiry_s: float, renew_s: float) -> None:
        self.name = name
        self.owner = owner
        self._ledger = ledger
        self._expiry_s = expiry_s
        self._renew_s = renew_s
        self._held_until = 0.0
        self._lost = False
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @classmethod
    def take(
        cls,
        ledger: Ledger,
        owner: str,
        *,
        name: str = "cycle",
        wait_s: float = 0.0,
        expiry_s: float = EXPIRY_S,
        renew_s: float = RENEW_S,
    ) -> Lease:
        """Take the lease for `owner` (a run's id), asking again for up to `wait_s` seconds.

        Raises `AnotherCycleRuns` naming the one who holds it.
        """
        lease = cls(ledger, name, owner, expiry_s=expiry_s, renew_s=renew_s)
        deadline = time.monotonic() + wait_s
        while (other := lease._try()) is not None:
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                raise AnotherCycleRuns(
                    f"Another cycle is running: {other.owner}, process {other.pid} on {other.host.split('/')[0]}, "
                    f"since {other.taken_at:%Y-%m-%d %H:%M:%S} UTC."
                )
            time.sleep(min(ASK_AGAIN_S, left_s))
        lease._thread = threading.Thread(target=lease._keep, name=f"lease-{name}", daemon=True)
        lease._thread.start()
        return lease

    def held(self) -> bool:
        """Whether nobody else can have the lease at this moment. Costs nothing: ask before each receipt."""
        return not self._lost and time.monotonic() < self._held_until

    def check(self) -> None:
        """Raise `AnotherCycleRuns` if the lease is no longer ours."""
        if not self.held():
            raise AnotherCycleRuns("The lease was lost: this process was held up for longer than it lasts.")

    def renew(self) -> bool:
        """Push the expiry on; False when somebody else took over meanwhile."""
        if self._lost:
            return False
        asked = time.monotonic()
        with self._ledger.pacing() as conn:
            until = self._ledger.now(conn) + timedelta(seconds=self._expiry_s)
            done = conn.execute(update(LEASE).where(*self._mine()).values(expires_at=until)).rowcount
        if done:
            self._held_until = asked + self._expiry_s
        else:
            self._lost = True
        return bool(done)

    def release(self) -> None:
        """Give the lease back; harmless when it was lost."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=self._expiry_s)
            self._thread = None
        self._held_until = 0.0
        with self._ledger.pacing() as conn:
            conn.execute(delete(LEASE).where(*self._mine()))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def _try(self) -> Holder | None:
        """Take it, or say who has it."""
        asked = time.monotonic()
        with self._ledger.pacing() as conn:
            if self._ledger.postgres:
                # Two who find no row would both insert one.
                conn.exec_driver_sql("LOCK TABLE lease IN SHARE ROW EXCLUSIVE MODE")
            now = self._ledger.now(conn)
            other = _read(conn, self.name, now)
            if other is not None and other.alive:
                return other
            conn.execute(delete(LEASE).where(LEASE.c.name == self.name))
            conn.execute(
                insert(LEASE).values(
                    name=self.name,
                    owner=self.owner,
                    host=host_name(),
                    pid=os.getpid(),
                    taken_at=now,
                    expires_at=now + timedelta(seconds=self._expiry_s),
                )
            )
        self._held_until = asked + self._expiry_s
        return None

    def _mine(self) -> tuple[Any, ...]:
        return (
            LEASE.c.name == self.name,
            LEASE.c.owner == self.owner,
            LEASE.c.host == host_name(),
            LEASE.c.pid == os.getpid(),
        )

    def _keep(self) -> None:
        while not self._stop.wait(self._renew_s):
            try:
                if not self.renew():
                    return
            except SyncError:
                continue  # tried again in time, or `held()` turns False by itself


def holder(ledger: Ledger, name: str = "cycle") -> Holder | None:
    """Who holds the lease now; None when nobody ever took it or it was given back."""
    with ledger.pacing_read() as conn:
        return _read(conn, name, ledger.now(conn))


def _read(conn: Connection, name: str, now: datetime) -> Holder | None:
    row = conn.execute(select(LEASE).where(LEASE.c.name == name)).first()
    if row is None:
        return None
    alive = row.expires_at > now and not (row.host == host_name() and _gone(row.pid))
    return Holder(row.owner, row.host, row.pid, row.taken_at, row.expires_at, alive)


def _gone(pid: int) -> bool:
    """Whether this process of this host has ended (a dead one that its parent did not collect yet has)."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:  # somebody else's process: it lives
        return False
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return False
    return state in {"Z", "X"}
