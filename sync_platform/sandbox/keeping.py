"""What outlives the process beside the systems' own stores: mails, counters, faults, switches, the clock.

Written every few seconds and at the end, never while a call is answered. Each file is replaced whole or only grows, so
that a process that is killed loses the last seconds and leaves nothing that can't be read.
"""

import fcntl
import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sync_platform.sandbox.world import World

EVERY_S = 2.0
STATE, MAILS, LOCK = "state.json", "outbox.jsonl", "in-use"


class Keeper:
    """Writes down the passing state of a world, and takes it back at the next start in its directory."""

    def __init__(self, world: World, directory: Path) -> None:
        self._world = world
        self._state = directory / STATE
        self._mails = directory / MAILS
        self._written = 0  # mails that are in the file
        self._last: tuple[Any, ...] = ()

    def take_back(self) -> None:
        """Go on where the last process ended. The switches have to be registered by now."""
        if self._state.exists():
            with readable(self._state):
                kept = json.loads(self._state.read_text())
                self._world.calls.restore(kept["calls"])
                self._world.faults.restore(kept["faults"])
                self._world.switches.keep(kept["switches"])
        self._world.outbox[:] = self._read_mails()
        self._last = self._mark()

    def forget(self) -> None:
        """The world began anew: nothing that was written holds any longer."""
        self._state.unlink(missing_ok=True)
        self._mails.unlink(missing_ok=True)
        self._written, self._last = 0, ()

    def keep(self) -> None:
        """Write down what is new since the last time."""
        mark = self._mark()
        if mark == self._last:
            return
        self._keep_mails()
        world = self._world
        state = {
            "calls": world.calls.kept(),
            "faults": world.faults.kept(),
            "switches": world.switches.changed(),
        }
        replace(self._state, json.dumps(state))
        self._last = mark

    def _mark(self) -> tuple[Any, ...]:
        """Changes whenever there is something to write."""
        world = self._world
        switches = tuple(world.switches.changed().items())
        return (
            world.calls.total(),
            world.calls.cleared,
            world.faults.version,
            world.faults.hits(),
            switches,
            len(world.outbox),
        )

    def _keep_mails(self) -> None:
        outbox = self._world.outbox
        if len(outbox) < self._written:  # somebody emptied it
            self._mails.unlink(missing_ok=True)
            self._written = 0
        if len(outbox) > self._written:
            text = "".join(json.dumps(mail) + "\n" for mail in outbox[self._written :])
            with self._mails.open("a", encoding="utf-8") as stream:
                stream.write(text)
            self._written = len(outbox)

    def _read_mails(self) -> list[dict[str, Any]]:
        """The mails in the file; a last line that was cut short goes, so that the next one begins on a line."""
        if not self._mails.exists():
            return []
        content = self._mails.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if whole != content:
            with self._mails.open("r+b") as stream:
                stream.truncate(len(whole))
        with readable(self._mails):
            found = [json.loads(line) for line in whole.splitlines()]
        self._written = len(found)
        return found


def replace(path: Path, text: str) -> None:
    """Write a file so that a reader finds the old text or the new one, never half of it."""
    partial = path.with_name(f"{path.name}.partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn what a broken file of our own JSON raises into a ValueError that names it and the ways out."""
    try:
        yield
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise ValueError(_broken(path, type(error).__name__)) from None


@contextmanager
def database(path: Path, *, seeded: bool) -> Iterator[None]:
    """The same for a database. One that should hold a world and is not there, or empty, would pass for a world without
    anybody, which a sync takes for a deletion of all."""
    log = path.with_name(f"{path.name}-wal")  # a process that was killed may have left everything there
    if seeded and not any(one.is_file() and one.stat().st_size for one in (path, log)):
        raise ValueError(_broken(path, "there is nothing in it"))
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise ValueError(_broken(path, type(error).__name__)) from None


def _broken(path: Path, why: str) -> str:
    return (
        f"{path} cannot be read ({why}); put back a whole copy of its directory, or give another directory, "
        "or empty this one to begin anew"
    )


@contextmanager
def alone_in(directory: Path) -> Iterator[None]:
    """Hold a directory for this process; the system lets go of it however the process ends.

    Raises ValueError, with the number of the process, when another sandbox has it.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / LOCK).open("a+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            whose = lock.read().strip() or "unknown"
            raise ValueError(
                f"{directory} is in use by another sandbox (process {whose}); end that one, or give another directory"
            ) from None
        lock.seek(0)
        lock.truncate()
        lock.write(str(os.getpid()))
        lock.flush()
        yield
