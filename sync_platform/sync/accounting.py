"""Calls against the bound: what a run's calls were, and the least number with which its work could be done."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, literal_column, select

from sync_platform.core.bounds import Work, terms
from sync_platform.core.records import Entity, System
from sync_platform.ledger import budget, journal, links
from sync_platform.ledger.database import get_meta, set_meta
from sync_platform.sync.hub import Hub

STANDING = "standing"
QUICK_S, LASTS = 0.05, 100


def work_of(hub: Hub, system: System) -> Work:
    """What the data asked of one system in this run, from what the steps counted."""
    done = hub.work.get(system, {})
    feeds: dict[str, int] = {}
    lists: dict[str, int] = {}
    seen: Counter[str] = Counter()
    for of, feed, rows in hub.walks:
        if of is not system:
            continue
        seen[feed.name] += 1
        name = feed.name if seen[feed.name] == 1 else f"{feed.name}#{seen[feed.name]}"
        (lists if feed.kind == "list" else feeds)[name] = rows
    return Work(
        feeds=feeds,
        lists=lists,
        partial={what.removeprefix("partial:"): n for what, n in done.items() if what.startswith("partial:")},
        details={
            "customer": done.get("details", 0) + done.get("fenced:customer", 0),
            "ticket": done.get("fenced:ticket", 0),
            # 202 without a body [doc]: what was written into `data` alone is read back.
            "read_back": done.get("read_back", 0),
            "history.customer": done.get("history:customer", 0),
            "history.ticket": done.get("history:ticket", 0),
        },
        creates=_kinds(system, "create", done),
        updates=_kinds(system, "update", done),
    )


def _kinds(system: System, verb: str, done: dict[str, int]) -> dict[str, int]:
    """Objects by kind of call, in the words of `core.bounds`."""

    def count(name: str) -> int:
        return done.get(f"{verb}:{name}", 0)

    if system is System.GORGIAS:
        customers = count("customer") if verb == "create" else count("customer:plain")
        found = {"customer": customers, "customer.data": count("customer:data")}
        if verb == "create":
            return found | {"ticket": count("ticket")}
        return found | {
            "ticket": count("ticket:plain"),
            "ticket.tags_added": count("ticket:tags_added"),
            "ticket.tags_removed": count("ticket:tags_removed"),
        }
    if system is System.HUBSPOT:
        return {
            "customer": count("customer"),
            "customer.email_2": count("customer:further_emails"),
            "ticket": count("ticket"),
            "ticket.customer": count("ticket:contact"),
        }
    return {"customer": count("customer"), "ticket": count("ticket")}


def calls_of(hub: Hub, system: System) -> dict[str, float]:
    """Calls of this run so far: read and write, waits in seconds, refusals for the rate."""
    hub.flush(system)
    rows = [row for row in budget.calls_of(hub.ledger, hub.run) if row.system == system]
    return {
        "read": sum(row.count for row in rows if row.purpose in ("read", "history")),
        "write": sum(row.count for row in rows if row.purpose == "write"),
        "rate_limited": sum(row.rate_limited for row in rows),
        "waited_s": round(sum(row.waited_s for row in rows), 2),
    }


def bounds_of(hub: Hub, system: System) -> dict[str, float]:
    """Calls, lower bound and their ratio for one system in this run."""
    facts = calls_of(hub, system)
    bound = sum(terms(system, work_of(hub, system)).values())
    calls = facts["read"] + facts["write"]
    return facts | {
        "calls": calls,
        "lower_bound": bound,
        "ratio": round(calls / bound, 3) if bound else 1.0,
    }


def window_of(hub: Hub, system: System) -> dict[str, float] | None:
    """Seconds from our last read to the answer of an update, over the updates of this run; None without any.

    What a person typed into the same field in between is overwritten unseen, but for the ERP, which refuses it.
    """
    seconds = sorted(hub.windows.get(system, ()))
    if not seconds:
        return None
    return {
        "updates": len(seconds),
        "median": round(seconds[len(seconds) // 2], 2),
        "p95": round(seconds[(len(seconds) * 95) // 100], 2),
        "max": round(seconds[-1], 2),
    }


def spent_since(before: Mapping[str, float] | None, now: Mapping[str, float]) -> dict[str, float]:
    """What one step spent of what the run spent so far."""
    out = {name: round(value - (before or {}).get(name, 0), 2) for name, value in now.items() if name != "ratio"}
    return out | {"ratio": round(out["calls"] / out["lower_bound"], 3) if out["lower_bound"] > 0 else 1.0}


def lag_s(hub: Hub, conn: Connection, system: System, entity: Entity) -> float | None:
    """Seconds since the last finished look at a system began; None before the first."""
    at = hub.polled(conn, entity).get(system)
    return None if at is None else round((hub.now() - at).total_seconds(), 1)


@dataclass(slots=True)
class Standing:
    """How things stand beside what a step did: rows known, in review, parked. Counted once a cycle.

    A count that took long is not repeated at once: it holds for a hundred times as long as it took.
    """

    links: dict[tuple[str, str], int]
    records: dict[str, int]
    at: datetime
    took_s: float = 0.0

    @classmethod
    def load(cls, conn: Connection, now: datetime) -> Standing:
        """The last count, or a new one, over indexes alone."""
        kept = get_meta(conn, STANDING)
        if kept is not None:
            before = cls._read(json.loads(kept))
            if before.took_s > QUICK_S and now < before.at + timedelta(seconds=LASTS * before.took_s):
                return before
        began = time.perf_counter()
        link, record = links.LINK, links.RECORD
        # As expressions, so that SQLite scans the index that holds all three, not the one that would save the sorting.
        by = [column.concat(literal_column("''")) for column in (link.c.system, link.c.entity)]
        by_system = conn.execute(select(*by, func.count()).where(links.IS_ACTIVE).group_by(*by)).all()
        by_entity = select(record.c.entity, func.count()).group_by(record.c.entity)
        every = {row[0]: int(row[1]) for row in conn.execute(by_entity)}
        ended = {row[0]: int(row[1]) for row in conn.execute(by_entity.where(links.IS_ENDED))}
        alive = {entity: left for entity, n in every.items() if (left := n - ended.get(entity, 0))}
        return cls(
            {(row[0], row[1]): int(row[2]) for row in by_system},
            alive,
            now,
            round(time.perf_counter() - began, 3),
        )

    @classmethod
    def _read(cls, kept: Mapping[str, Any]) -> Standing:
        by = {(system, entity): n for entity, found in kept["links"].items() for system, n in found.items()}
        return cls(by, kept["records"], datetime.fromisoformat(kept["at"]), kept["took_s"])

    def keep(self, conn: Connection) -> None:
        """Remember the count for the next cycle."""
        set_meta(conn, STANDING, json.dumps(self.dump() | {"at": self.at.isoformat(), "took_s": self.took_s}))

    def dump(self) -> dict[str, Any]:
        """`{"records": {entity: n}, "links": {entity: {system: n}}}`: kept with the run, so that no page counts."""
        by_entity: dict[str, dict[str, int]] = {entity: {} for entity in self.records}
        for (system, entity), count in self.links.items():
            by_entity.setdefault(entity, {})[system] = count
        return {"records": dict(self.records), "links": by_entity}

    def of(self, hub: Hub, conn: Connection, stage: str, system: System | None, entity: Entity) -> dict[str, float]:
        """The gauges of one step's asset."""
        if stage == "records":
            waiting = journal.count_reviews_by_kind(conn)
            return {
                "rows": self.records.get(entity, 0),
                "in_review": waiting.get((str(entity), "field"), 0),
                "doubled": waiting.get((str(entity), "twin"), 0),
                "ambiguous": waiting.get((str(entity), "ambiguous"), 0),
            }
        if system is None:
            return {}
        rows: dict[str, float] = {"rows": self.links.get((str(system), str(entity)), 0)}
        if stage == "written":
            return rows | {"parked": journal.count_parked(conn).get((str(system), str(entity)), 0)}
        lag = lag_s(hub, conn, system, entity)
        unread = links.count_details(conn, system, entity)
        return rows | {"unread": unread} | ({} if lag is None else {"lag_s": lag})
