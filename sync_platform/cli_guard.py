"""Runs one command and ends it, with everything that it started, when whoever asked for it is gone, even by SIGKILL.

`python -m sync_platform.cli_guard COMMAND…` in a process group of its own; standard input is a pipe from the asker, and
its end is the asker's end.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from typing import NoReturn

GRACE_S = 8.0


def main() -> NoReturn:
    """Carry out the command line; the exit code is the command's."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: None)  # the group hears it too, and this process waits for it
    child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)  # noqa: S603 - the asker's command
    threading.Thread(target=_watch, args=(child,), daemon=True).start()
    sys.exit(child.wait())


def _watch(child: subprocess.Popen[bytes]) -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    group = os.getpgrp()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, number)
        deadline = time.monotonic() + GRACE_S
        while child.poll() is None and time.monotonic() < deadline:
            time.sleep(0.1)
    os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    main()
