"""How the door speaks: one JSON object last on stdout for machines, words on stdout for people, the rest on stderr."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

DONE, FAILED, USAGE, DIFFERENT, WAITS, BUSY, INTERRUPTED = 0, 1, 2, 3, 4, 5, 130
PROGRESS_EVERY_S = 2.0
DAY_S = 86400


class Shown(Protocol):
    """What a long step says about itself; unknown figures are None."""

    @property
    def step(self) -> str:
        """Which step."""

    @property
    def pages(self) -> int:
        """Pages read or batches written."""

    @property
    def rows(self) -> int:
        """Rows so far."""

    @property
    def calls(self) -> int:
        """Calls so far."""

    @property
    def total(self) -> int | None:
        """Rows in all."""

    @property
    def eta_s(self) -> float | None:
        """Seconds left."""


def answer(found: Any, text: str, *, as_json: bool) -> None:
    """The command's answer: one JSON line, or words."""
    print(json.dumps(found, ensure_ascii=False, separators=(",", ":"), default=str) if as_json else text, flush=True)


def say(text: str) -> None:
    """A word on the way, for a person."""
    print(text, file=sys.stderr, flush=True)


class ProgressLine:
    """Progress on stderr: one line rewritten on a terminal, a new line every few seconds elsewhere."""

    def __init__(self, every_s: float = PROGRESS_EVERY_S) -> None:
        self._terminal = sys.stderr.isatty()
        self._every_s = 0.2 if self._terminal else every_s
        self._shown_at = 0.0
        self._step = ""
        self._width = 0

    def __call__(self, progress: Shown) -> None:
        """Show it, if the last one is old enough or another step began."""
        now = time.monotonic()
        if progress.step == self._step and now - self._shown_at < self._every_s:
            return
        self._step, self._shown_at = progress.step, now
        self._write(progress_text(progress))

    def close(self) -> None:
        """Leave the line, so that the next word stands on its own."""
        if self._width:
            print(file=sys.stderr, flush=True)
            self._width = 0

    def _write(self, text: str) -> None:
        if not self._terminal:
            say(text)
            return
        print(f"\r{text.ljust(self._width)}", end="", file=sys.stderr, flush=True)
        self._width = len(text)


def progress_text(progress: Shown) -> str:
    """`pull gorgias customers: 3 pages, 300 of 2,000 rows, 4 calls, about 12 s left`."""
    of = f" of {progress.total:,}" if progress.total else ""
    left = f", about {progress.eta_s:.0f} s left" if progress.eta_s is not None else ""
    return f"{progress.step}: {progress.pages} pages, {progress.rows:,}{of} rows, {progress.calls} calls{left}"


def findings_text(findings: Sequence[Mapping[str, Any]]) -> str:
    """`ok  name: found`, with the remedy below what is not."""
    lines = []
    for line in findings:
        lines.append(f"{'ok ' if line['ok'] else 'NO '} {line['name']}: {line['found']}")
        if not line["ok"] and line.get("remedy"):
            lines.append(f"      → {line['remedy']}")
    return "\n".join(lines)


def summary_text(summary: Mapping[str, Any]) -> str:
    """A cycle in a few lines: what each entity did, what each system cost, every trouble with its remedy."""
    head = f"{summary.get('outcome')}{'' if summary.get('complete') else ', not complete yet'}"
    lines = [f"{head}, {summary.get('seconds', 0):.1f} s"]
    for entity, counts in summary.get("entities", {}).items():
        verbs = [f"{verb} {by_system(counts.get(verb, {}))}" for verb in ("created", "updated", "deleted")]
        rest = [
            f"{counts[name]} {name.replace('_', ' ')}"
            for name in ("conflicts", "in_review", "parked")
            if counts.get(name)
        ]
        lines.append(f"  {entity}: {counts.get('observed', 0)} observed, " + ", ".join([*verbs, *rest]))
    for system, cost in summary.get("systems", {}).items():
        calls = cost.get("calls", {})
        lines.append(
            f"  {system}: {calls.get('read', 0)} reads, {calls.get('write', 0)} writes"
            f" (at least {cost.get('lower_bound', 0)}), {cost.get('waited_s', 0):.1f} s waited"
            f"{', refused for rate ' + str(cost['rate_limited']) + ' times' if cost.get('rate_limited') else ''}"
        )
    return "\n".join(lines + waiting_lines(summary) + trouble_lines(summary.get("errors", ())))


def waiting_lines(found: Mapping[str, Any]) -> list[str]:
    """What waits for a person, and that somebody paused the platform."""
    from sync_platform.sync.plans import waiting_lines as lines

    paused = found.get("paused")
    head = [f"  paused by {paused['who']}: {paused['why'] or 'no reason given'}"] if paused else []
    return head + [f"  {line}" for line in lines(found)] + [_erasing(one) for one in found.get("erasures", ())]


def _erasing(one: Mapping[str, Any]) -> str:
    left = [f"{at['left']} {at['entity']} in {at['system']}" for at in one["left"]]
    if one["unsettled"]:
        left.append(f"{one['unsettled']} creates that may still land")
    return (
        f"  an erasure since {one['since']} is not done: {', '.join(left) or 'begun'}; every cycle carries on with it"
    )


def trouble_lines(errors: Iterable[Mapping[str, Any]]) -> list[str]:
    """One line each: where, what, how often, what to do."""
    return [
        f"  {e.get('system')} {e.get('entity') or ''}: {e.get('code')} × {e.get('count', 1)} — {e.get('remedy') or ''}"
        for e in errors
    ]


def verify_text(found: Mapping[str, Any]) -> str:
    """Equal or not, the counts, the first differences."""
    lines = ["equal" if found.get("equal") else "NOT equal"]
    for entity, counts in found.get("entities", {}).items():
        lines.append(
            f"  {entity}: {counts.get('records', 0)} records, {counts.get('fields_compared', 0):,} fields compared,"
            f" {counts.get('fields_differ', 0)} differ, missing {by_system(counts.get('missing', {}))},"
            f" doubled {by_system(counts.get('doubled', {}))}, {counts.get('in_review', 0)} in review"
        )
    lines += [f"  {difference_text(line)}" for line in found.get("differences", ())]
    if found.get("truncated"):
        lines.append("  … and more")
    return "\n".join(lines)


def difference_text(line: Mapping[str, Any]) -> str:
    """`record 4f0c, field phone, left apart in hubspot`: what is known of a difference, values only if asked for."""
    known = {"parked": "parked for", "apart": "left apart in", "missing": "missing in"}
    return ", ".join(
        f"{known.get(key, key)} {', '.join(value) if isinstance(value, list) else value}" for key, value in line.items()
    )


def window_text(seconds: float) -> str:
    """`20 s`, `a day`: the length of a limit's window."""
    return "a day" if seconds == DAY_S else f"{seconds:g} s"


def status_text(found: Mapping[str, Any]) -> str:
    """The state of everything in a few lines; SANDBOX is said first."""
    target = str(found.get("target", "")).upper()
    lines = [f"{target}, writes {found.get('writes')}"]
    for system, facts in found.get("systems", {}).items():
        lag = facts.get("lag_s")
        budget = facts.get("budget") or {}
        used = (
            f", {budget.get('used')} of {budget.get('limit')} calls in {window_text(budget.get('window_s') or 0)}"
            if budget.get("limit")
            else ""
        )
        seen = "not read yet" if lag is None else f"read {lag:.0f} s ago"
        lines.append(f"  {system} ({facts.get('account')}): {seen}{used}{audited(facts.get('audit') or {})}")
    for entity, facts in found.get("entities", {}).items():
        lines.append(
            f"  {entity}: {facts.get('records', 0)} records, linked {by_system(facts.get('links', {}))},"
            f" {facts.get('pending', 0)} pending, {facts.get('in_review', 0)} in review,"
            f" {facts.get('parked', 0)} parked"
        )
    lines += waiting_lines(found)
    last = found.get("last_run")
    lines.append(f"  last run: {last.get('outcome')}, ended {last.get('ended_at')}" if last else "  no run yet")
    return "\n".join(lines)


def audited(facts: Mapping[str, Any]) -> str:
    """`, compared 60 s ago, 12 never`: the oldest comparison of the equality audit."""
    if facts.get("oldest_comparison_s") is None:
        return ""
    never = f", {facts['never_compared']:,} never" if facts.get("never_compared") else ""
    return f", each compared within {facts['oldest_comparison_s']:.0f} s{never}"


def why_text(found: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> str:
    """Field by field: the value, where it came from, by which rule, what lost, what was written."""
    fields = [found] if isinstance(found, Mapping) else list(found)
    return "\n".join(line for one in fields for line in _why_lines(one)) or "nothing was decided about it yet"


def _why_lines(one: Mapping[str, Any]) -> list[str]:
    source = one.get("from") or {}
    where = f" from {source.get('system')} {source.get('id')}, seen {source.get('at')}" if source else ""
    rule = f", by rule {one.get('rule')} (policy {one.get('policy')})" if one.get("rule") else ", nothing was decided"
    lines = [f"{one.get('field')} = {one.get('value')!r}{where}{rule}"]
    lines += [f"    lost: {lost.get('system')} {lost.get('value')!r}" for lost in one.get("lost") or ()]
    lines += [
        f"    written: {write.get('system')}, intent {write.get('intent')} {write.get('state')} {write.get('at')}"
        f"{' (an earlier value)' if write.get('for_this') is False else ''}"
        for write in one.get("written") or ()
    ]
    lines += [
        f"    {system}: {side.get('mark') or 'shows something else'}"
        for system, side in (one.get("systems") or {}).items()
        if side.get("mark") not in (None, "absent") or side.get("agrees") is False
    ]
    return lines


def was_text(found: Mapping[str, Any]) -> str:
    """A record at a moment: its values, and where a system showed something else."""
    if not found.get("known"):
        return f"at {found.get('at')} it was not known yet"
    lines = [f"record {found.get('record')} at {found.get('at')}"]
    if not found.get("complete"):
        lines.append("  before what prune has kept: what the systems showed may be missing")
    if found.get("ended"):
        lines.append(f"  it had ended: {found['ended'].get('cause')}")
    for one in found.get("fields", ()):
        lines.append(f"  {one['field']} = {one['value']!r}, by rule {one['rule'] or 'nothing decided'}")
        others = {system: side for system, side in one["systems"].items() if side["agrees"] is False}
        lines += [f"    {system} showed {side['shows']!r}" for system, side in others.items()]
    return "\n".join(lines)


def by_system(counts: Mapping[str, Any]) -> str:
    """`gorgias 1, hubspot 2`, or `0`."""
    return ", ".join(f"{system} {count}" for system, count in counts.items() if count) or "0"
