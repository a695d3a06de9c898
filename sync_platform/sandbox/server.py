"""Starts the sandbox: two vendor servers and the control port in one process and one event loop."""

import asyncio
import contextlib
import hashlib
import json
import os
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sync_platform.sandbox.control import Control, Side
from sync_platform.sandbox.erp import ErpSandbox
from sync_platform.sandbox.faults import ASGIApp, FaultGate
from sync_platform.sandbox.gorgias import GorgiasSandbox
from sync_platform.sandbox.hubspot import HubSpotSandbox
from sync_platform.sandbox.people import END_AT, generate
from sync_platform.sandbox.script import Script, write_day
from sync_platform.sandbox.serving import listening, server, url_of
from sync_platform.sandbox.world import World

START_MAX_S = 120
STOP_MAX_S = 10
MEMORY = "world.json"  # in the data directory: which world it holds, the clock's offset, the script


@dataclass(frozen=True)
class Options:
    """How a sandbox starts; see the command line's help for each."""

    seed: int = 1
    customers: int = 300
    tickets: int = 600
    overlap: float = 0.6
    rate_scale: float = 1.0
    latency_ms: float = 0.0
    data_dir: Path | None = None
    gorgias_port: int = 8701
    hubspot_port: int = 8702
    control_port: int = 8700
    erp_url: str | None = None


class Sandbox:
    """One seeded world with its three systems, ready to be served."""

    def __init__(self, options: Options, data_dir: Path) -> None:
        data_dir.mkdir(parents=True, exist_ok=True)
        self._options = options
        self._memory = data_dir / MEMORY
        kept = json.loads(self._memory.read_text()) if self._memory.exists() else None
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
        behind_s = (END_AT - self.world.clock.now()).total_seconds()
        if behind_s > 0:  # a machine whose clock is behind the seeded rows: nothing seeded may lie in the future
            self.world.clock.advance(behind_s)
        self.gorgias = GorgiasSandbox(self.world)
        self.hubspot = HubSpotSandbox(self.world)
        self.sides: dict[str, Side] = {
            "gorgias": self.gorgias,
            "hubspot": self.hubspot,
            "erp": ErpSandbox(self.world),
        }
        self.ready: dict[str, Any] = {}
        self._urls: dict[str, str] = {}
        if kept:
            self.script = Script(kept["script"], kept["done"])
        else:
            self._fill()

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
        """The same sandbox with a new world; addresses stay, the clock keeps its offset."""
        self.world.seed = seed
        self.world.calls.clear()
        self.world.faults.put([])
        self.world.switches.restore()
        self.world.outbox.clear()
        self._fill()
        self.announce(self._urls)

    def remember(self) -> None:
        """Write down what a later start in this data directory must know."""
        kept = {
            "seed": self.world.seed,
            "offset_s": self.world.clock.offset_s,
            "erp": _fingerprint(self._options.erp_url),
            "script": self.script.events,
            "done": self.script.done,
        }
        partial = self._memory.with_suffix(".partial")
        partial.write_text(json.dumps(kept))
        partial.replace(self._memory)

    def _fill(self) -> None:
        options = self._options
        self._memory.unlink(missing_ok=True)  # written again last: a start that was cut short seeds anew
        agents, people, cases = generate(self.world.seed, options.customers, options.tickets, options.overlap)
        for side in self.sides.values():
            side.reset()
            side.seed(people, cases, agents)
        self.script = Script(write_day(self.world.seed, self.sides))
        self.remember()


def serve(
    *,
    seed: int = 1,
    customers: int = 300,
    tickets: int = 600,
    overlap: float = 0.6,
    rate_scale: float = 1.0,
    latency_ms: float = 0,
    data_dir: Path | None = None,
    gorgias_port: int = 8701,
    hubspot_port: int = 8702,
    control_port: int = 8700,
    erp_url: str | None = None,
    on_ready: Callable[[dict[str, Any]], None],
) -> None:
    """Serve until SIGINT or SIGTERM; `on_ready` gets the ready line once all three ports answer. Prints nothing.

    Without `data_dir` the state lives in a temporary directory that goes at exit. A directory that was seeded before
    keeps its state and its seed. Raises OSError when a port is taken, ValueError for options that make no sense.
    """
    options = Options(
        seed=seed,
        customers=customers,
        tickets=tickets,
        overlap=overlap,
        rate_scale=rate_scale,
        latency_ms=latency_ms,
        data_dir=data_dir,
        gorgias_port=gorgias_port,
        hubspot_port=hubspot_port,
        control_port=control_port,
        erp_url=erp_url,
    )

    # While the world is seeded no loop listens yet: a signal must remove the temporary directory then, too.
    before = {number: signal.signal(number, _leave) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with _directory(data_dir) as directory, _Doors(options, directory) as doors:
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
            self.push(opened.pop_all())

    async def serve(self, on_ready: Callable[[dict[str, Any]], None], arm: Callable[[asyncio.Event], None]) -> None:
        """Serve until the event that `arm` gets is set, or until a server ends by itself."""
        stop = asyncio.Event()
        arm(stop)
        servers = {name: server(app) for name, app in self._sandbox.apps().items()}
        tasks = [asyncio.create_task(one.serve([self._sockets[name]])) for name, one in servers.items()]
        stopped = asyncio.create_task(stop.wait())
        calling = [asyncio.create_task(side.call_out()) for side in self._sandbox.callers()]
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
            for ended in await asyncio.gather(*calling, return_exceptions=True):
                if isinstance(ended, Exception):
                    raise ended


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
        yield data_dir
        return
    with tempfile.TemporaryDirectory(prefix="sync-sandbox-", ignore_cleanup_errors=True) as name:
        yield Path(name)


def _leave(number: int, _frame: Any) -> None:
    raise SystemExit(128 + number)
