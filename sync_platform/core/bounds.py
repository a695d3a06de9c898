"""The least number of API calls with which one run of one system can do its work.

It is computed from counts taken from the data alone (rows shown, objects changed, objects missing), never from the
calls that were made: a run's ratio is its calls divided by this bound. Work that nobody needed has no term here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType

from sync_platform.core.records import System

_NOTHING: Mapping[str, int] = MappingProxyType({})

# Rows in one page of a feed or listing (`*`: any other), and objects in one batch call [doc].
PAGE_SIZES: Mapping[System, Mapping[str, int]] = {
    System.GORGIAS: {"*": 100},
    System.HUBSPOT: {"*": 200, "list": 100},
    System.ERP: {"*": 1000},
}
BATCH_SIZES: Mapping[System, Mapping[str, int]] = {
    System.GORGIAS: {"*": 1},
    System.HUBSPOT: {"*": 100, "associations": 1000, "history.customer": 50, "history.ticket": 50},
    System.ERP: {"*": 500},
}

# What `Work.creates` and `Work.updates` may count; other names are an error.
KINDS: Mapping[System, tuple[str, ...]] = {
    System.GORGIAS: ("customer", "customer.data", "ticket", "ticket.tags_added", "ticket.tags_removed"),
    System.HUBSPOT: ("customer", "customer.email_2", "ticket", "ticket.customer"),
    System.ERP: ("customer", "ticket"),
}


@dataclass(frozen=True, slots=True)
class Work:
    """What the data asked of one system in one run.

    feeds: rows that each feed had to show since the last run (0: it had to be looked at all the same); names as the
    connector's. partial: of these, by feed, the rows that a page does not show whole (the contact of a HubSpot ticket)
    and that had changed since they were read or written. lists: rows of each full listing. details: objects, by entity,
    that only a read by id shows. lookups: keys asked beside those of creates. creates, updates: objects by kind of
    call, see `KINDS`; an object that needs two kinds counts in both.
    """

    feeds: Mapping[str, int] = field(default_factory=lambda: _NOTHING)
    partial: Mapping[str, int] = field(default_factory=lambda: _NOTHING)
    lists: Mapping[str, int] = field(default_factory=lambda: _NOTHING)
    details: Mapping[str, int] = field(default_factory=lambda: _NOTHING)
    lookups: int = 0
    creates: Mapping[str, int] = field(default_factory=lambda: _NOTHING)
    updates: Mapping[str, int] = field(default_factory=lambda: _NOTHING)


def lower_bound(
    system: System,
    work: Work,
    page_sizes: Mapping[str, int] | None = None,
    batch_sizes: Mapping[str, int] | None = None,
) -> int:
    """The sum of `terms`: 0 for no work, never less for more work. Raises ValueError for counts below 0."""
    return sum(terms(system, work, page_sizes, batch_sizes).values())


def terms(
    system: System,
    work: Work,
    page_sizes: Mapping[str, int] | None = None,
    batch_sizes: Mapping[str, int] | None = None,
) -> dict[str, int]:
    """Calls by purpose: "read" and "write". ⌈n/s⌉ is n rows in pages of s.

    Gorgias   read   Σ feeds, lists max(1, ⌈rows/100⌉) + details + look-ups + customers created (each is looked up)
              write  customers created + those with data of ours + tickets created
                     + customers changed in their own attributes + those changed in data of ours
                     + tickets changed in attributes + those with tags added + those with tags removed
    HubSpot   read   Σ feeds max(1, ⌈rows/200⌉) + Σ partial ⌈rows/200⌉ (contacts of tickets that changed; a
                     listing shows them) + ⌈tickets updated/1000⌉ (their contacts as they are after the write)
                     + Σ lists max(1, ⌈rows/100⌉)
                     + Σ kinds ⌈details/100⌉ (of these the histories of fields in conflict: ⌈n/50⌉)
                     + ⌈look-ups/100⌉ + ⌈customers created/100⌉ (looked up by e-mail)
              write  Σ kinds ⌈created/100⌉ (a ticket with its customer) + Σ kinds ⌈updated/100⌉
                     + ⌈tickets given another customer/1000⌉
                     + customers whose further e-mail changes (one call each)
    ERP       read   Σ feeds (rows: 2 ⌈rows/1000⌉, else 1) + Σ lists max(1, ⌈rows/1000⌉) + Σ kinds ⌈details/500⌉
                     + ⌈look-ups/500⌉ + ⌈customers created/500⌉
              write  Σ kinds ⌈created/500⌉ + Σ kinds ⌈updated/500⌉
    """
    _check(system, work)
    pages = {**PAGE_SIZES[system], **(page_sizes or {})}
    batches = {**BATCH_SIZES[system], **(batch_sizes or {})}
    read = _reads(system, work, pages, batches)
    if system is System.GORGIAS:
        write = sum(work.creates.values()) + sum(work.updates.values())
    elif system is System.HUBSPOT:
        write = _hubspot_writes(work, batches)
    else:
        write = _in_batches(work.creates, batches) + _in_batches(work.updates, batches)
    return {"read": read, "write": write}


def _check(system: System, work: Work) -> None:
    for one in fields(work):
        counts = getattr(work, one.name)
        values = counts.values() if isinstance(counts, Mapping) else [counts] if isinstance(counts, int) else []
        if any(value < 0 for value in values):
            raise ValueError(f"{one.name}: a count below 0")
    for counts in (work.creates, work.updates):
        unknown = set(counts) - set(KINDS[system])
        if unknown:
            raise ValueError(f"{system} has no calls of kind {', '.join(sorted(unknown))}")


def _reads(system: System, work: Work, pages: Mapping[str, int], batches: Mapping[str, int]) -> int:
    calls = 0
    for name, rows in work.feeds.items():
        shown = max(1, _ceil(rows, pages.get(name, pages["*"])))
        # The ERP's log names rows, not contents.
        calls += 2 * shown if rows > 0 and system is System.ERP else shown
    for name, rows in work.lists.items():
        calls += max(1, _ceil(rows, pages.get(name, pages.get("list", pages["*"]))))
    calls += _in_batches(work.details, batches)
    calls += _ceil(work.lookups, _size("lookup", batches))
    calls += _ceil(work.creates.get("customer", 0), _size("lookup", batches))
    if system is System.HUBSPOT:
        calls += sum(_ceil(rows, pages.get(name, pages["*"])) for name, rows in work.partial.items())
        # The date of our own write says nothing of what a person did to the contact before it.
        calls += _ceil(work.updates.get("ticket", 0), _size("associations", batches))
    return calls


def _hubspot_writes(work: Work, batches: Mapping[str, int]) -> int:
    calls = 0
    for counts in (work.creates, work.updates):
        calls += _in_batches({kind: counts.get(kind, 0) for kind in ("customer", "ticket")}, batches)
        calls += counts.get("customer.email_2", 0)
    return calls + _ceil(work.updates.get("ticket.customer", 0), _size("associations", batches))


def _in_batches(counts: Mapping[str, int], batches: Mapping[str, int]) -> int:
    return sum(_ceil(count, _size(kind, batches)) for kind, count in counts.items())


def _size(name: str, batches: Mapping[str, int]) -> int:
    return batches.get(name, batches["*"])


def _ceil(count: int, size: int) -> int:
    return -(-count // size)
