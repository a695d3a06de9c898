"""Writes an export of invented people, as a helpdesk would give it, to try an import with."""

import csv
from collections.abc import Iterator
from typing import TextIO

from sync_platform.sandbox.people import Case, View, generate

_HEADER = (
    "Ticket #", "Requester", "Requester email", "Phone", "Subject", "Description", "Status", "Priority", "Channel",
    "Created at", "Updated at", "Solved at", "Satisfaction Score", "Tags",
)  # fmt: skip
_STATUS = {"new": "New", "open": "Open", "waiting": "Pending", "resolved": "Solved", "closed": "Closed"}
_PRIORITY = {"low": "Low", "normal": "Normal", "high": "High", "critical": "Urgent"}
FIRST = 4001
SEED = 1_000_003  # people that no sandbox begins with


def write(stream: TextIO, rows: int, seed: int = SEED) -> None:
    """`rows` tickets as CSV, the header first; the same arguments give the same text. Raises ValueError below 0."""
    if rows < 0:
        raise ValueError("a sample has 0 rows or more")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(_HEADER)
    writer.writerows(_rows(rows, seed))


def _rows(count: int, seed: int) -> Iterator[tuple[str, ...]]:
    _, people, cases = generate(seed, max(1, count // 2), count, 0.0)
    for case in cases:
        yield _row(case, people[case.person - 1].views[case.system])


def _row(case: Case, view: View) -> tuple[str, ...]:
    stamps = (case.created_at, case.updated_at, case.closed_at)
    return (
        str(FIRST + case.n - 1),
        view.name.strip(),
        view.emails[0] if view.emails else "",
        view.phones[0] if view.phones else "",
        case.subject,
        case.messages[0].text,
        _STATUS[case.status],
        _PRIORITY[case.priority],
        case.channel.replace("-", " ").replace("_", " ").capitalize(),
        *(at.strftime("%Y-%m-%d %H:%M:%S") if at else "" for at in stamps),
        "" if case.score is None else str(case.score),
        ", ".join(case.tags),
    )
