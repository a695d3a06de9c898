"""Calls against the bound: what a run's calls were, and the least number with which its work could be done."""

from __future__ import annotations

from collections import Counter

from sqlalchemy import select

from sync_platform.core.bounds import Work, terms
from sync_platform.core.records import System
from sync_platform.ledger.tables import CallRow
from sync_platform.sync.hub import Hub

CALL = CallRow.__table__  # type: ignore[attr-defined]


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
        details={
            "customer": done.get("details", 0) + done.get("fenced:customer", 0),
            "ticket": done.get("fenced:ticket", 0),
            # 202 without a body [doc]: what was written into `data` alone is read back.
            "read_back": done.get("read_back", 0),
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
    with hub.ledger.pacing_read() as conn:
        rows = conn.execute(select(CALL).where(CALL.c.run == hub.run, CALL.c.system == system)).all()
    return {
        "read": sum(row.count for row in rows if row.purpose == "read"),
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
