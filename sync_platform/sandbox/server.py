"""Starts the sandbox: two vendor servers and the control port in one process and one event loop."""

import asyncio
import contextlib
import hashlib
import json
import os
import signal
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from sync_platform.sandbox.control import Control, Side
from sync_platform.sandbox.erp import ErpSandbox
from sync_platform.sandbox.faults import ASGIApp, FaultGate
from sync_platform.sandbox.gorgias.system import GorgiasSandbox
from sync_platform.sandbox.hubspot.system import HubSpotSandbox
from sync_platform.sandbox.importing import Imported, Rows, Wishes, read, words
from sync_platform.sandbox.keeping import EVERY_S, Keeper, alone_in, database, readable, replace
from sync_platform.sandbox.people import END_AT, Case, Person, generate
from sync_platform.sandbox.script import Script, write_day
from sync_platform.sandbox.serving import listening, server, url_of
from sync_platform.sandbox.world import World

START_MAX_S = 120
STOP_MAX_S = 10
MEMORY = "world.json"  # in the data directory: which world it holds, the clock's offset, the script
IMPORT = "import.db"  # beside it: the export that the world was filled from
CUSTOMERS, TICKETS = 300, 600


@dataclass(frozen=True)
class Options:
    """How a sandbox starts; see the command line's help for each.

    `customers` and `tickets` None: 300 and 600, and none beside an import. `switches`: (name, value as text).
    """

    seed: int = 1
    customers: int | None = None
    tickets: int | None = None
    overlap: float = 0.6
    rate_scale: float = 1.0
    latency_ms: float = 0.0
    data_dir: Path | None = None
    gorgias_port: int = 8701
    hubspot_port: int = 8702
    control_port: int = 8700
    erp_url: str | None = None
    import_file: Path | None = None
    wishes: Wishes = field(default_factory=Wishes)
    switches: Sequence[tuple[str, str]] = ()

    def counts(self) -> tuple[int, int]:
        """How many invented people and tickets there are."""
        usual = (0, 0) if self.import_file else (CUSTOMERS, TICKETS if self.customers != 0 else 0)
        return (
            usual[0] if self.customers is None else self.customers,
            usual[1] if self.tickets is None else self.tickets,
        )


class Sandbox:
    """One seeded world with its three systems, ready to be served."""

    def __init__(self, options: Options, data_dir: Path) -> None:
        data_dir.mkdir(parents=True, exist_ok=True)
        self._options = options
        self._memory = data_dir / MEMORY
        kept = _kept(self._memory) if self._memory.exists() else None
        if kept and kept["erp"] != _fingerprint(options.erp_url):
            raise ValueError(
                f"{data_dir} holds a world whose ERP is another database; give that one, or another directory"
            )
        self.world = World(
            data_dir,
            seed=kept["seed"] if kept else options.seed,
            rate_scale=options.rate_scale,
            latency_ms=options.latency_ms,
            erp_url=options.erp_url,
        )
        self.world.clock.advance(kept["offset_s"] if kept else 0)
        self.world.clock.run_at(kept.get("rate", 1) if kept else 1)
        behind_s = (END_AT - self.world.clock.now()).total_seconds()
        if behind_s > 0:  # a machine whose clock is behind the seeded rows: nothing seeded may lie in the future
            self.world.clock.advance(behind_s)
        with database(data_dir / "gorgias.db", seeded=bool(kept)):
            self.gorgias = GorgiasSandbox(self.world)
        with database(data_dir / "hubspot.db", seeded=bool(kept)):
            self.hubspot = HubSpotSandbox(self.world)
        with database(data_dir / "erp.db", seeded=bool(kept) and options.erp_url is None):
            erp = ErpSandbox(self.world)
        self.sides: dict[str, Side] = {"gorgias": self.gorgias, "hubspot": self.hubspot, "erp": erp}
        self.ready: dict[str, Any] = {}
        self.notes: list[str] = []  # what a person should know about the start
        self._urls: dict[str, str] = {}
        self._counts = options.counts()
        self._keeper = Keeper(self.world, data_dir)
        self._start(kept)

    def _start(self, kept: dict[str, Any] | None) -> None:
        """Take the world up where it was left, or make it."""
        spool = self.world.data_dir / IMPORT
        if kept:
            self._counts = tuple(kept.get("counts", self._counts))
            self._imported = Imported(spool) if spool.exists() else None
            self.script = Script(kept["script"], kept["done"])
            self._keeper.take_back()
            self._set_switches()
            if self._options.import_file:
                self.notes.append(f"import: {self.world.data_dir} holds a world already, so the file was not read")
            return
        self._imported = None
        self._set_switches()
        spool.unlink(missing_ok=True)
        if self._options.import_file:
            self._imported = self._read(self._options.import_file, self._options.wishes, self._counts)
            self.notes.append(words(self._imported.summary))
        self._fill()

    def _set_switches(self) -> None:
        switches = self.world.switches
        switches.update({name: switches.read(name, text) for name, text in self._options.switches})

    def announce(self, urls: dict[str, str]) -> dict[str, Any]:
        """Set and return the ready line, given the addresses of gorgias, hubspot and control."""
        self._urls = urls
        self.ready = {
            "ready": True,
            "pid": os.getpid(),
            "seed": self.world.seed,
            "gorgias": {"url": urls["gorgias"], **self.sides["gorgias"].credentials()},
            "hubspot": {"url": urls["hubspot"], **self.sides["hubspot"].credentials()},
            "erp": self.sides["erp"].credentials(),
            "control": {"url": urls["control"]},
        }
        return self.ready

    def apps(self) -> dict[str, ASGIApp]:
        """The three ASGI apps, the vendors' behind their faults."""
        return {
            "gorgias": FaultGate(self.gorgias.app(), self.world, "gorgias"),
            "hubspot": FaultGate(self.hubspot.app(), self.world, "hubspot"),
            "control": Control(self).app(),
        }

    def callers(self) -> "list[GorgiasSandbox | HubSpotSandbox]":
        """The systems that call out by themselves (integrations, webhooks); each `call_out` runs until cancelled."""
        return [self.gorgias, self.hubspot]

    def reset(self, seed: int) -> None:
        """The same sandbox with a new world; addresses stay, the clock keeps its offset, an import is loaded again.

        Raises ValueError, and changes nothing, when an invented person of that seed has an imported one's e-mail.
        """
        if self._imported and self._imported.holds_any(self._invented_emails(seed, self._counts)):
            raise ValueError("an invented person of this seed has the e-mail of an imported one; choose another seed")
        self.world.seed = seed
        self.world.calls.clear()
        self.world.faults.put([])
        self.world.switches.restore()
        self._set_switches()
        self.world.outbox.clear()
        self._fill()
        self.announce(self._urls)

    def bring_in(self, path: Path, wishes: Wishes, customers: int, tickets: int) -> dict[str, Any]:
        """Begin again with the people of an export, and so many invented ones beside them; gives the summary.

        Raises ValueError, and changes nothing, for a file that can't be loaded.
        """
        generate(self.world.seed, customers, tickets, self._options.overlap)  # raises before anything is touched
        self._imported = self._read(path, wishes, (customers, tickets))
        self._counts = (customers, tickets)
        self.reset(self.world.seed)
        return self._imported.summary

    def imported(self) -> dict[str, Any] | None:
        """What became of the export that this world was filled from, if it was (see importing)."""
        return self._imported.summary if self._imported else None

    def remember(self) -> None:
        """Write down what a later start in this data directory must know."""
        kept = {
            "seed": self.world.seed,
            "offset_s": self.world.clock.offset_s,
            "rate": self.world.clock.rate,
            "erp": _fingerprint(self._options.erp_url),
            "counts": self._counts,
            "script": self.script.events,
            "done": self.script.done,
        }
        replace(self._memory, json.dumps(kept))

    def keep(self) -> None:
        """Write down what has happened meanwhile; nothing in a directory that goes with the process."""
        if self._options.data_dir is not None:
            self._keeper.keep()
            if self.world.clock.rate != 1:
                self.remember()

    def _read(self, path: Path, wishes: Wishes, counts: tuple[int, int]) -> Imported:
        emails = self._invented_emails(self.world.seed, counts)
        return read(path, self.world.data_dir / IMPORT, wishes, now=self.world.clock.now(), taken=emails)

    def _invented_emails(self, seed: int, counts: tuple[int, int]) -> Iterator[str]:
        people = generate(seed, *counts, self._options.overlap)[1]
        return (email for person in people for view in person.views.values() for email in view.emails)

    def _fill(self) -> None:
        self._memory.unlink(missing_ok=True)  # written again last: a start that was cut short seeds anew
        self._keeper.forget()
        agents, invented, asked = generate(self.world.seed, *self._counts, self._options.overlap)
        people: Iterable[Person] = invented
        cases: Iterable[Case] = asked
        if self._imported:
            people = Rows(partial(chain, invented, self._imported.people(len(invented))))
            cases = Rows(partial(chain, asked, self._imported.cases(len(asked), len(invented))))
        for side in self.sides.values():
            side.reset()
            side.seed(people, cases, agents)
        self.script = Script(write_day(self.world.seed, self.sides))
        self.remember()


def serve(
    options: Options,
    *,
    on_ready: Callable[[dict[str, Any]], None],
    on_note: Callable[[str], None] = lambda _: None,
) -> None:
    """Serve until SIGINT or SIGTERM; `on_ready` gets the ready line once all three ports answer. Prints nothing.

    Without `data_dir` the state lives in a temporary directory that goes at exit. A directory that was seeded before
    keeps its state and its seed. `on_note` gets words for a person: what an import did. Raises OSError when a port is
    taken, ValueError for options that make no sense.
    """
    # While the world is seeded no loop listens yet: a signal must remove the temporary directory then, too.
    before = {number: signal.signal(number, _leave) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with _directory(options.data_dir) as directory, _Doors(options, directory) as doors:
            for note in doors.notes:
                on_note(note)
            asyncio.run(doors.serve(on_ready, _until_a_signal))
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def running(options: Options) -> Iterator[dict[str, Any]]:
    """A sandbox in a thread of this process, for as long as the block runs; yields the ready line."""
    ready: list[dict[str, Any]] = []
    trouble: list[BaseException] = []
    started = threading.Event()
    stopping: list[Callable[[], object]] = []

    def on_ready(line: dict[str, Any]) -> None:
        ready.append(line)
        started.set()

    def stop_from_outside(stop: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        stopping.append(lambda: loop.call_soon_threadsafe(stop.set))

    def work(directory: Path) -> None:
        try:
            with _Doors(options, directory) as doors:
                asyncio.run(doors.serve(on_ready, stop_from_outside))
        except BaseException as error:  # noqa: BLE001  # raised again in the thread that waits
            trouble.append(error)
        finally:
            started.set()

    with _directory(options.data_dir) as directory:
        thread = threading.Thread(target=work, args=(directory,), name="sandbox", daemon=True)
        thread.start()
        try:
            if not started.wait(START_MAX_S):
                raise TimeoutError(f"the sandbox was not ready after {START_MAX_S} s")
            if trouble:
                raise trouble[0]
            yield ready[0]
        finally:
            for call in stopping:
                with contextlib.suppress(RuntimeError):  # the loop has ended by itself
                    call()
            thread.join(STOP_MAX_S)


class _Doors(contextlib.ExitStack):
    """The three listening sockets and the world behind them, ready for one loop."""

    def __init__(self, options: Options, directory: Path) -> None:
        super().__init__()
        ports = {"gorgias": options.gorgias_port, "hubspot": options.hubspot_port, "control": options.control_port}
        # Ports first: a taken one must be told before the seeding, which may be long.
        with contextlib.ExitStack() as opened:
            self._sockets = {name: opened.enter_context(listening(name, port)) for name, port in ports.items()}
            self._sandbox = Sandbox(options, directory)
            self.notes = self._sandbox.notes
            self.push(opened.pop_all())

    async def serve(self, on_ready: Callable[[dict[str, Any]], None], arm: Callable[[asyncio.Event], None]) -> None:
        """Serve until the event that `arm` gets is set, or until a server ends by itself."""
        stop = asyncio.Event()
        arm(stop)
        servers = {name: server(app) for name, app in self._sandbox.apps().items()}
        tasks = [asyncio.create_task(one.serve([self._sockets[name]])) for name, one in servers.items()]
        stopped = asyncio.create_task(stop.wait())
        calling = [asyncio.create_task(side.call_out()) for side in self._sandbox.callers()]
        calling.append(asyncio.create_task(self._keep()))
        try:
            # uvicorn tells that it has started by a flag only.
            while not all(one.started for one in servers.values()) and not _ended(tasks):  # noqa: ASYNC110
                await asyncio.sleep(0.005)
            on_ready(self._sandbox.announce({name: url_of(sock) for name, sock in self._sockets.items()}))
            # A caller that ends has broken: its error must end the sandbox, not the deliveries in silence.
            await asyncio.wait([stopped, *tasks, *calling], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (stopped, *calling):
                task.cancel()
            for one in servers.values():
                one.should_exit = True
            await asyncio.gather(*tasks)
            ends = await asyncio.gather(*calling, return_exceptions=True)
            self._sandbox.keep()
            for ended in ends:
                if isinstance(ended, Exception):
                    raise ended

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            self._sandbox.keep()


def _until_a_signal(stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)


def _fingerprint(url: str | None) -> str | None:
    """Tells two ERP addresses apart without keeping a password."""
    return None if url is None else hashlib.sha256(url.encode()).hexdigest()


def _ended(tasks: Sequence["asyncio.Task[None]"]) -> bool:
    return any(task.done() for task in tasks)


@contextlib.contextmanager
def _directory(data_dir: Path | None) -> Iterator[Path]:
    if data_dir is not None:
        with alone_in(data_dir):
            yield data_dir
        return
    with tempfile.TemporaryDirectory(prefix="sync-sandbox-", ignore_cleanup_errors=True) as name:
        yield Path(name)


def _kept(path: Path) -> dict[str, Any]:
    """What `remember` wrote. Raises ValueError for anything else."""
    with readable(path):
        found: dict[str, Any] = json.loads(path.read_text())
        Script(found["script"], found["done"])
        _ = found["erp"], int(found["seed"]), float(found["offset_s"])
        return found


def _leave(number: int, _frame: Any) -> None:
    raise SystemExit(128 + number)
