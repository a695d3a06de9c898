"""What the assets are given: the systems, the ledger, and the one cycle that all steps of a run share.

Resources show limits and addresses without credentials; secrets stay in `Settings` and reach a client only.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import dagster as dg
from pydantic import Field, PrivateAttr

from sync_platform.errors import AnotherCycleRuns, SyncError
from sync_platform.settings import Settings

if TYPE_CHECKING:
    from sync_platform.connectors.protocol import Connector
    from sync_platform.ledger.database import Ledger
    from sync_platform.sync.cycle import Cycle
    from sync_platform.sync.hub import Progress, Step

Done = TypeVar("Done")
Given = ParamSpec("Given")
PROGRESS_EVERY_S = 3.0


class SystemResource(dg.ConfigurableResource[Any]):
    """One system: its limits to look at, and clients that share the account's budget with every other process."""

    system: str = Field(description="gorgias, hubspot or erp")
    limits: str = Field(description="Limits of an ordinary account; the answers of the account correct them")

    @contextmanager
    def client(self, run: str = "asset") -> Iterator[Connector]:
        """A client bound to the shared budget; its calls are counted under `run`. Raises the Halt family."""
        from sync_platform.sync.sides import open_side

        with open_side(Settings.load(), self.system, run=run) as side:
            yield side


class LedgerResource(dg.ConfigurableResource[Any]):
    """The ledger: the platform's memory. Which one is said by LEDGER_DATABASE_URL; read it, do not write to it."""

    where: str = Field(description="What kind of database it is")

    @contextmanager
    def open(self) -> Iterator[Ledger]:
        """The ledger as it is, never migrated by this door. Raises the Halt family."""
        from sync_platform.ledger.database import Ledger

        ledger = Ledger.open(Settings.load().ledger_url, migrate=False)
        try:
            yield ledger
        finally:
            ledger.close()


class CycleResource(dg.ConfigurableResource[Any]):
    """One slice of work under the lease, opened by the first step that needs it and closed with the run."""

    full: bool = Field(default=False, description="List everything again, as the nightly run does")
    only: list[str] = Field(
        default=[], description="Do this alone: `gorgias`, `customer`, `customer:<record id>`, `ticket:gorgias:123`"
    )

    _stack: ExitStack = PrivateAttr(default_factory=ExitStack)
    _cycle: Any = PrivateAttr(default=None)
    _run: str | None = PrivateAttr(default=None)
    _skipped: bool = PrivateAttr(default=False)
    _halted: str | None = PrivateAttr(default=None)
    _observer: Observer | None = PrivateAttr(default=None)

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """Take note of the run; nothing is opened yet."""
        self._run = context.run.run_id if context.run else None

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:  # noqa: ARG002 - Dagster's signature
        """Give back the lease and the clients, however the run ended."""
        self._stack.close()
        self._cycle = None

    def open_slice(self, progress: Callable[[Progress], None]) -> AbstractContextManager[Cycle]:
        """Where a cycle comes from."""
        from sync_platform.sync.cycle import open_cycle
        from sync_platform.sync.hooks import STAY_S

        return open_cycle(
            Settings.load(),
            kind="full" if self.full else "sync",
            full=self.full,
            only=tuple(self.only),
            progress=progress,
            run=self._run,
            stay_s=STAY_S,
        )

    def step(self, context: dg.AssetExecutionContext, work: Callable[[Cycle], Step]) -> Step | None:
        """Do one step of the shared cycle; None when another cycle was at work, so that this run does nothing.

        Only what stops the whole run raises (dg.Failure with the remedy): a system's own trouble is in the step.
        """
        self._observer = Observer(context)
        return self._safely(work)

    def outcome(self, context: dg.AssetExecutionContext) -> dict[str, Any] | None:
        """End the cycle and give its summary, the `sync` object of the commands; None when the run was skipped."""
        self._observer = Observer(context)
        return self._safely(lambda cycle: cycle.finish())

    def _safely(self, work: Callable[[Cycle], Done]) -> Done | None:
        """Run `work`, and let no foreign exception text reach Dagster: it could hold a customer's data."""
        if self._skipped:
            return None
        if self._halted is None:
            try:
                return work(self._opened())
            except AnotherCycleRuns:
                self._skipped = True
                return None
            except SyncError as error:
                self._halted = told(error)
            except Exception as error:  # noqa: BLE001 - whatever it is, its words stay here
                self._halted = unexpected(error)
        raise dg.Failure(description=self._halted, allow_retries=False)

    def _opened(self) -> Cycle:
        if self._cycle is None:
            self._cycle = self._stack.enter_context(self.open_slice(self._observe))
        cycle: Cycle = self._cycle
        return cycle

    def _observe(self, progress: Progress) -> None:
        if self._observer is not None:
            self._observer.show(progress)


class Observer:
    """Shows the progress of a long step as observations of its asset, one every few seconds."""

    def __init__(self, context: dg.AssetExecutionContext) -> None:
        self._context = context
        self._shown_at = time.monotonic()

    def show(self, progress: Progress) -> None:
        """Log the progress if the last one is old enough."""
        now = time.monotonic()
        if now - self._shown_at < PROGRESS_EVERY_S:
            return
        self._shown_at = now
        numbers = {"pages": progress.pages, "rows": progress.rows, "calls": progress.calls, "total": progress.total}
        known: dict[str, Any] = {name: value for name, value in numbers.items() if value is not None}
        if progress.eta_s is not None:
            known["eta_s"] = round(progress.eta_s, 1)
        self._context.log_event(dg.AssetObservation(asset_key=self._context.asset_key, metadata=known))


def told(error: SyncError) -> str:
    """What happened and what to do, in one line."""
    return f"{error} — {error.remedy}" if error.remedy else str(error)


def unexpected(error: BaseException) -> str:
    """A foreign error without its words: its type and where it was raised."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    place = f" in {Path(frame.tb_frame.f_code.co_filename).name}, line {frame.tb_lineno}" if frame else ""
    return f"unexpected {type(error).__name__}{place} — Run `SYNC_DEBUG=1 sync-platform sync` to see the way there."


def quiet(work: Callable[Given, Done]) -> Callable[Given, Done]:
    """Whatever goes wrong in `work` is told without its words: they could hold a customer's data."""

    @functools.wraps(work)
    def guarded(*args: Given.args, **named: Given.kwargs) -> Done:
        try:
            return work(*args, **named)
        except SyncError as error:
            failure = told(error)
        except Exception as error:  # noqa: BLE001 - whatever it is, its words stay here
            failure = unexpected(error)
        raise dg.Failure(description=failure, allow_retries=False)

    return guarded


def resources() -> dict[str, Any]:
    """Every resource by the name that assets ask for."""
    return {
        "gorgias": SystemResource(system="gorgias", limits="40 calls per 20 s with a key, 80 with OAuth"),
        "hubspot": SystemResource(
            system="hubspot", limits="100 or 190 calls per 10 s, 5 searches per s, 250,000 or more calls a day"
        ),
        "erp": SystemResource(system="erp", limits="none: a database"),
        "ledger": LedgerResource(where="SQLite file or PostgreSQL, by LEDGER_DATABASE_URL"),
        "cycle": CycleResource.configure_at_launch(),
    }
