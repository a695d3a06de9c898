"""A cycle: one slice of work under the lease, from pull to push, and what it says at the end.

Correctness does not depend on who calls the steps or how often: every step works off what the ledger says is due.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import insert, select, update

from sync_platform.core.policy import Policy, parse
from sync_platform.core.records import ENTITIES, SYSTEMS, Entity, System
from sync_platform.errors import Misconfigured
from sync_platform.ledger import erasure, holds, journal, links, outbox
from sync_platform.ledger.database import Ledger, get_meta, set_meta
from sync_platform.ledger.lease import Lease
from sync_platform.ledger.spans import reached, span_of
from sync_platform.ledger.tables import CallRow, RunRow
from sync_platform.settings import Settings
from sync_platform.sync import (
    brake,
    erasing,
    hooks,
    in_force,
    keep_out,
    order,
    plans,
    pull,
    push,
    reconcile,
    restored,
    sources,  # noqa: F401 - the sources of plans register what carries them out
)
from sync_platform.sync.accounting import Standing, bounds_of, lag_s, spent_since, window_of
from sync_platform.sync.hub import LOADED, Hub, Progress, Step, Timing, touches
from sync_platform.sync.names import chosen
from sync_platform.sync.own_rules import bound
from sync_platform.sync.sides import check_accounts, open_sides, read_directories

__all__ = ["Cycle", "Progress", "Step", "open_cycle", "open_hub", "run_cycle", "run_until_complete"]

RUN = RunRow.__table__  # type: ignore[attr-defined]
CALL = CallRow.__table__  # type: ignore[attr-defined]
SLICES_MAX = 10_000
FOLLOW_UPS_MAX = 5


def load_policy(settings: Settings) -> Policy:
    """The policy of this platform: the file that SYNC_POLICY names, or the default one."""
    from importlib.resources import files

    path = settings.policy_file
    if path is None:
        return parse(files("sync_platform").joinpath("policy.yaml").read_text(encoding="utf-8"), "policy.yaml")
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(
            f"SYNC_POLICY: the file cannot be read ({type(error).__name__})", remedy="Check the path in SYNC_POLICY."
        ) from None
    return bound(parse(text, path.name))


def timing(settings: Settings, *, sandbox: bool) -> Timing:
    """Waits and ages; on the sandbox outcomes settle fast, because nothing there takes longer than a moment."""
    if sandbox:
        return Timing(
            settle_s=5.0, absent_s=5.0, late_s=60.0, poll_s=settings.poll_s, run_max_s=settings.sync_run_max_s
        )
    return Timing(poll_s=settings.poll_s, run_max_s=settings.sync_run_max_s)


@contextmanager
def open_hub(
    settings: Settings,
    *,
    run: str,
    only: Sequence[str] = (),
    progress: Callable[[Progress], None] | None = None,
    ledger: Ledger | None = None,
) -> Iterator[Hub]:
    """A hub on the configured ledger and accounts. Raises NotSetUp, WrongAccount and the rest of the Halt family."""
    with ExitStack() as stack:
        if ledger is None:
            ledger = Ledger.open(settings.ledger_url, migrate=False)
            stack.callback(ledger.close)
        policy = load_policy(settings)
        with ledger.read() as conn:
            chosen_records = chosen(conn, only, settings.sync_phone_region)
        sides = stack.enter_context(open_sides(settings, ledger, run=run))
        all_sandbox, unreached = check_accounts(settings, ledger, sides)
        directories = read_directories(ledger, sides, unreached=unreached)
        hub = Hub(
            ledger=ledger,
            connectors=sides,
            policy=policy,
            run=run,
            region=settings.sync_phone_region,
            timing=timing(settings, sandbox=all_sandbox),
            writes=writes_allowed(settings, all_sandbox),
            only=frozenset(only),
            chosen=chosen_records,
            directories=directories,
            unreached=unreached,
            restored_at=restored.restored_at(ledger),
            keep_out=keep_out.load(ledger, settings.secret(keep_out.KEY)),
            troubled=set(unreached),
            progress=progress or (lambda _progress: None),
            flush=lambda system: sides.budgets[system].flush(),
            calls=lambda system: sides.budgets[system].made,
        )
        with ledger.begin() as conn:
            journal.keep_version(conn, "policy", policy.hash, policy.text, hub.now())
        in_force.look(hub)
        yield hub


def writes_allowed(settings: Settings, all_sandbox: bool) -> bool:
    """SYNC_WRITES decides; not set, only a ledger that was stamped on three sandboxes may write."""
    if settings.sync_writes is not None:
        return settings.sync_writes == "on"
    return all_sandbox


@dataclass(slots=True)
class Cycle:
    """One slice. Steps may be called in any order; each is complete in itself."""

    hub: Hub
    kind: str
    full: bool
    lease: Lease
    steps: list[Step] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)
    # How long to wait for further webhook deliveries after the last one; 0: not at all.
    stay_s: float = 0.0
    _early: dict[str, list[Step]] = field(default_factory=dict)
    _looked: bool = False
    _spent: dict[System, dict[str, float]] = field(default_factory=dict)
    _standing: Standing | None = None

    @property
    def run(self) -> str:
        """The run's id in the ledger."""
        return self.hub.run

    def pull(self, system: System, entity: Entity, *, inbox_only: bool = False) -> Step:
        """Webhook deliveries; then, unless these alone are asked for, news, owed reads and backfill."""
        if self.stay_s and not self._looked:
            self._looked = True
            hooks.first(self)
        step = Step(f"observed/{system}_{entity}")
        if inbox_only:
            step = hooks.from_inbox(self.hub, system, entity, reconcile.judge_now(self.hub, entity))
        elif self._goes_on(step) and touches(self.hub.only, system, entity):
            step = pull.pull(self.hub, system, entity, reconcile.judge_now(self.hub, entity), full=self.full)
        return self._done(step, system, entity)

    def reconcile(self, entity: Entity) -> Step:
        """Identify, merge and plan everything that is dirty."""
        step = Step(f"records/{entity}s")
        if self._goes_on(step):
            brake.release(self.hub)
            plans.carry_out(self.hub)
            if entity is Entity.CUSTOMER:
                erasing.carry_on(self.hub, step)
        if not self.hub.pause_seen and touches(self.hub.only, None, entity):
            step = step.then(reconcile.reconcile(self.hub, entity))
        return self._done(step, None, entity)

    def push(self, system: System, entity: Entity) -> Step:
        """Write what one system is owed."""
        step = Step(f"written/{system}_{entity}")
        if self._goes_on(step) and touches(self.hub.only, system, entity):
            step = push.push(self.hub, system, entity)
        return self._done(step, system, entity)

    def _goes_on(self, step: Step) -> bool:
        """False once a person paused the platform: the step is left undone, and the slice ends as it is."""
        if self.hub.paused():
            step.complete = False
        return not self.hub.pause_seen

    def early(self, step: Step) -> None:
        """Take note of work that was done ahead of its turn; the step of that name tells of both."""
        self.lease.check()
        self._early.setdefault(step.name, []).append(step)

    def _done(self, step: Step, system: System | None, entity: Entity) -> Step:
        self.lease.check()
        for before in self._early.pop(step.name, ()):
            step.join(before)
        if system is not None:
            facts = bounds_of(self.hub, system)
            step.counts |= spent_since(self._spent.get(system), facts)
            self._spent[system] = facts
        with self.hub.ledger.read() as conn:
            if self._standing is None:
                self._standing = Standing.load(conn, self.hub.now())
            step.counts |= self._standing.of(self.hub, conn, step.name.split("/")[0], system, entity)
        self.steps.append(step)
        return step

    def finish(self) -> dict[str, Any]:
        """End the slice; gives the summary that `sync-platform sync --json` prints."""
        hooks.stay(self, self.stay_s)
        self._follow_up()
        summary = summarize(self)
        with self.hub.ledger.begin() as conn:
            conn.execute(
                update(RUN)
                .where(RUN.c.id == self.run)
                .values(
                    ended_at=self.hub.now(),
                    outcome=summary["outcome"],
                    complete=summary["complete"],
                    counts=span_of(conn, self.run)
                    | {"systems": summary["systems"], "entities": summary["entities"]}
                    | ({"standing": self._standing.dump()} if self._standing is not None else {}),
                    errors=summary["errors"],
                )
            )
            if self._standing is not None:
                self._standing.keep(conn)
            if summary["complete"] and not self.hub.only and not self.hub.loaded(conn):
                set_meta(conn, LOADED, self.hub.now().isoformat())
            finished = int(get_meta(conn, "cycles_finished") or 0) + 1
            set_meta(conn, "cycles_finished", str(finished))
        self.hub.ledger.check_owner = lambda: None
        self.lease.release()
        return summary

    def settle(self) -> None:
        """Judge what is dirty and write what is due."""
        for entity in ENTITIES:
            self.reconcile(entity)
        self._follow_up()

    def due(self) -> list[tuple[System, Entity]]:
        """Where something is to be written now, customers before their tickets."""
        with self.hub.ledger.read() as conn:
            due = outbox.due_systems(conn, self.hub.now()) if self.hub.writes else set()
        pairs = [(system, entity) for entity in ENTITIES for system in SYSTEMS]
        return [pair for pair in pairs if pair in due and pair[0] not in self.hub.troubled]

    def _follow_up(self) -> None:
        """What one system answered can be news for another (a number that the ERP gave): written in the same slice."""
        for _ in range(FOLLOW_UPS_MAX):
            wanted = self.due()
            if not wanted or self.hub.over():
                return
            for system, entity in wanted:
                self.push(system, entity)


@contextmanager
def open_cycle(
    settings: Settings,
    *,
    kind: str = "sync",
    full: bool = False,
    only: Sequence[str] = (),
    progress: Callable[[Progress], None] | None = None,
    run: str | None = None,
    wait_s: float = 5.0,
    stay_s: float = 0.0,
) -> Iterator[Cycle]:
    """Take the lease (waiting a few seconds), check the accounts, and hand out the slice.

    With `stay_s` a slice that drained webhook deliveries waits so long for the next one before it ends.

    Raises AnotherCycleRuns when somebody alive holds the lease, NotSetUp, WrongAccount, and other Halt errors.
    """
    run = run or uuid.uuid4().hex
    ledger = Ledger.open(settings.ledger_url, migrate=False)
    try:
        lease = Lease.take(ledger, run, wait_s=wait_s)
        # Held up for longer than the lease lasts, a cycle writes nothing more: not here, nor there for want of `sent`.
        ledger.check_owner = lease.check
        try:
            restored.notice(ledger, settings.runtime_dir, datetime.now(UTC))
            with open_hub(settings, run=run, only=only, progress=progress, ledger=ledger) as hub:
                with ledger.begin() as conn:
                    if conn.execute(select(RUN.c.id).where(RUN.c.id == run)).first() is None:
                        conn.execute(
                            insert(RUN),
                            [
                                {
                                    "id": run,
                                    "kind": kind,
                                    "started_at": hub.now(),
                                    "complete": False,
                                    "counts": {"from": reached(conn)},
                                }
                            ],
                        )
                yield Cycle(hub, kind, full, lease, stay_s=stay_s)
        finally:
            lease.release()
    finally:
        ledger.close()


def run_cycle(
    settings: Settings,
    *,
    kind: str = "sync",
    full: bool = False,
    only: Sequence[str] = (),
    progress: Callable[[Progress], None] | None = None,
) -> dict[str, Any]:
    """All steps of one slice, in order."""
    with open_cycle(settings, kind=kind, full=full, only=only, progress=progress) as cycle:
        for entity in ENTITIES:
            for system in SYSTEMS:
                cycle.pull(system, entity)
        for entity in ENTITIES:
            cycle.reconcile(entity)
        for entity in ENTITIES:
            for system in SYSTEMS:
                cycle.push(system, entity)
        return cycle.finish()


def run_until_complete(
    settings: Settings,
    *,
    kind: str = "sync",
    full: bool = False,
    only: Sequence[str] = (),
    progress: Callable[[Progress], None] | None = None,
) -> dict[str, Any]:
    """Slices until nothing is left to do; gives one summary over all of them."""
    total: dict[str, Any] | None = None
    for _ in range(SLICES_MAX):
        summary = run_cycle(settings, kind=kind, full=full and total is None, only=only, progress=progress)
        total = summary if total is None else merged(total, summary)
        if summary["complete"] or summary["errors"] or summary["outcome"] == "paused":
            return total
        if not _worked(summary):
            time.sleep(1.0)
    return total or {}


def _worked(summary: Mapping[str, Any]) -> bool:
    return any(sum(s["calls"].values()) > 0 for s in summary["systems"].values())


# --- what a cycle says ------------------------------------------------------------------------------------------


def summarize(cycle: Cycle) -> dict[str, Any]:
    """The `sync` object: calls against the lower bound by system, what happened by entity, trouble with remedies."""
    hub = cycle.hub
    trouble = [fact for step in cycle.steps for fact in step.trouble]
    with hub.ledger.read() as conn:
        now = hub.now()
        due = outbox.due_count(conn, now) if hub.writes else 0
        put_off = outbox.count_put_off(conn, now) if hub.writes else 0
        waiting = len(outbox.unsettled(conn))
        parked = journal.count_parked(conn)
        reviews = journal.count_reviews(conn)
        details = sum(links.count_details(conn, s, e) for s, e in order.DETAILED)
        unlisted = hub.loading(conn)
        held = holds.listed(conn)
        waiting_plans = plans.waiting(conn)
        erasures = [one.shown() for one in erasure.under_way(conn)]
    left = due or put_off or waiting or details or unlisted or erasures
    complete = (
        all(step.complete for step in cycle.steps) and not left
        if not hub.only
        else all(step.complete for step in cycle.steps)
    )
    return {
        "run": cycle.run,
        "complete": complete and not hub.pause_seen,
        "outcome": _outcome(hub, trouble),
        "seconds": round(time.monotonic() - cycle.began, 2),
        "writes": "on" if hub.writes else "off",
        "systems": {str(system): _system_summary(hub, system) for system in SYSTEMS},
        "entities": {str(entity): _entity_summary(cycle, entity, parked, reviews) for entity in ENTITIES},
        "put_off": put_off,
        "held": held,
        "plans": waiting_plans,
        "erasures": erasures,
        "errors": _folded(trouble),
    }


def _outcome(hub: Hub, trouble: Sequence[object]) -> str:
    if not trouble:
        return "paused" if hub.pause_seen else "ok"
    return "failed" if len(hub.troubled) == len(SYSTEMS) else "partial"


def _system_summary(hub: Hub, system: System) -> dict[str, Any]:
    facts = bounds_of(hub, system)
    with hub.ledger.read() as conn:
        lags = [lag for entity in ENTITIES if (lag := lag_s(hub, conn, system, entity)) is not None]
    return {
        "lag_s": max(lags, default=None),
        "calls": {"read": int(facts["read"]), "write": int(facts["write"])},
        "lower_bound": int(facts["lower_bound"]),
        "ratio": facts["ratio"],
        "rate_limited": int(facts["rate_limited"]),
        "waited_s": facts["waited_s"],
        "read_to_write_s": window_of(hub, system),
    }


def _entity_summary(
    cycle: Cycle, entity: Entity, parked: Mapping[tuple[str, str], int], reviews: Mapping[str, int]
) -> dict[str, Any]:
    def total(name: str, prefix: str, system: System | None = None) -> int:
        names = [f"{prefix}/{system}_{entity}" if system else f"{prefix}/{entity}s"]
        return int(sum(step.counts.get(name, 0) for step in cycle.steps if step.name in names))

    verbs = {
        verb: {str(system): total(verb, "written", system) for system in SYSTEMS}
        for verb in ("created", "updated", "deleted")
    }
    return {
        "observed": sum(total("observed", "observed", system) for system in SYSTEMS),
        **verbs,
        "reverted": total("reverted", "records"),
        "conflicts": total("conflicts", "records"),
        "in_review": reviews.get(str(entity), 0),
        "parked": sum(count for (_, of), count in parked.items() if of == str(entity)),
    }


def _folded(trouble: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    out: dict[tuple[Any, ...], dict[str, Any]] = {}
    for fact in trouble:
        key = (fact["system"], fact["entity"], fact["code"])
        if key in out:
            out[key]["count"] += fact["count"]
        else:
            out[key] = dict(fact)
    return list(out.values())


def merged(one: Mapping[str, Any], two: Mapping[str, Any]) -> dict[str, Any]:
    """Two summaries as one: counts add up, states are the later ones."""
    systems = {}
    for name, later in two["systems"].items():
        before = one["systems"][name]
        calls = {kind: before["calls"][kind] + later["calls"][kind] for kind in later["calls"]}
        bound = before["lower_bound"] + later["lower_bound"]
        systems[name] = {
            "calls": calls,
            "lower_bound": bound,
            "ratio": round(sum(calls.values()) / bound, 3) if bound else 1.0,
            "rate_limited": before["rate_limited"] + later["rate_limited"],
            "waited_s": round(before["waited_s"] + later["waited_s"], 2),
            "lag_s": later.get("lag_s"),
            "read_to_write_s": _longer(before.get("read_to_write_s"), later.get("read_to_write_s")),
        }
    entities = {}
    for name, later in two["entities"].items():
        before = one["entities"][name]
        entities[name] = {
            key: {s: before[key][s] + value[s] for s in value}
            if isinstance(value, dict)
            else (value if key in ("in_review", "parked") else before[key] + value)
            for key, value in later.items()
        }
    return {
        **two,
        "seconds": round(one["seconds"] + two["seconds"], 2),
        "systems": systems,
        "entities": entities,
        "slices": one.get("slices", 1) + 1,
    }


def _longer(one: Mapping[str, float] | None, two: Mapping[str, float] | None) -> Mapping[str, float] | None:
    """Of two slices the worse figures; quantiles do not add up."""
    if one is None or two is None:
        return one or two
    return {key: one[key] + two[key] if key == "updates" else max(one[key], two[key]) for key in two}


def utc(at: datetime | None) -> str | None:
    """ISO 8601 in UTC, to the second."""
    return at.astimezone(UTC).isoformat(timespec="seconds") if at else None


__all__ += ["load_policy", "merged", "summarize", "utc"]
