"""Commands with which a person answers: approve, drop, undo, pause, resume. Who and why are recorded."""

from __future__ import annotations

import getpass
from typing import Annotated, Any

import typer

from sync_platform import cli_words as words
from sync_platform.settings import Settings

app = typer.Typer()

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on one line, last on stdout.")]
Who = Annotated[str | None, typer.Option(help="Who says so; the name of the user on this machine if not said.")]
Why = Annotated[str | None, typer.Option(help="Why; no name or data of a customer.")]
Waiting = Annotated[str, typer.Argument(metavar="PLAN|HOLD", help="Id of a plan or number of a hold: see `plan`.")]


@app.command(epilog='Example: sync-platform approve 3 --why "price list of May"')
def approve(what: Waiting, who: Who = None, why: Why = None, as_json: AsJson = False) -> int:
    """Let a plan, or what the brake holds, go through. The next cycle does it, and refuses what moved meanwhile."""
    from sync_platform.sync import plans, sources  # noqa: F401 - the sources register what carries their plans out

    found = plans.approve(Settings.load(), what, who=_who(who), why=why)
    return _said(found, f"approved, {found['items']} items: the next cycle carries it out", as_json=as_json)


@app.command(epilog='Example: sync-platform drop 3 --why "an import went wrong"')
def drop(what: Waiting, who: Who = None, why: Why = None, as_json: AsJson = False) -> int:
    """Refuse a plan, or leave what the brake holds as it is on every side until it changes again."""
    from sync_platform.sync import plans, sources  # noqa: F401 - the sources register what carries their plans out

    found = plans.drop(Settings.load(), what, who=_who(who), why=why)
    return _said(found, f"dropped, {found['items']} items", as_json=as_json)


@app.command(epilog="Examples: sync-platform undo 4f0c… · sync-platform undo customer:ada@example.com")
def undo(
    what: Annotated[str, typer.Argument(metavar="RUN|RECORD|DECISION", help="Id of a run, a record, or a number.")],
    who: Who = None,
    why: Why = None,
    as_json: AsJson = False,
) -> int:
    """Draw up a plan that restores what was there before, where nobody edited since. Exit code 4: it waits for you."""
    from sync_platform.sync import cycle
    from sync_platform.sync import undo as undoing

    settings = Settings.load()
    found = undoing.undo(settings, what, cycle.load_policy(settings), who=_who(who), why=why)
    words.answer(found, plan_text(found), as_json=as_json)
    return words.WAITS if found["would_write"] else words.DONE


@app.command(epilog="Example: sync-platform join customer:erp:32 customer:hubspot:99525 --review 1")
def join(
    one: Annotated[str, typer.Argument(help="The record that goes up in the other: an id, customer:<e-mail>, …")],
    into: Annotated[str, typer.Argument(help="The record that stays, and whose values stay.")],
    review: Annotated[int | None, typer.Option("--review", help="The question of identity that this answers.")] = None,
    who: Who = None,
    why: Why = None,
    as_json: AsJson = False,
) -> int:
    """Draw up a plan that makes two records one, and says what would be written. Exit code 4: it waits for you."""
    from sync_platform.sync import merge_plan

    found = merge_plan.draft(Settings.load(), one, into, review=review, who=_who(who), why=why)
    lines = [plan_text(found, waits=True), f"  {found['links']} links change their record"]
    lines += [f"  not: {kept['link']} beside {kept['beside']}: {kept['remedy']}" for kept in found["kept_apart"]]
    words.answer(found, "\n".join(lines), as_json=as_json)
    return words.WAITS


@app.command(epilog='Example: sync-platform pause --why "the ERP is being moved"')
def pause(who: Who = None, why: Why = None, as_json: AsJson = False) -> int:
    """Stop: a running cycle ends after the page or batch that it is at, and no other one does anything."""
    from sync_platform.sync import plans, sources  # noqa: F401 - the sources register what carries their plans out

    found = plans.pause(Settings.load(), who=_who(who), why=why)
    return _said(found, "paused; `sync-platform resume` lets it go on", as_json=as_json)


@app.command(epilog="Example: sync-platform resume")
def resume(who: Who = None, why: Why = None, as_json: AsJson = False) -> int:
    """Go on after a pause, where it stopped."""
    from sync_platform.sync import plans, sources  # noqa: F401 - the sources register what carries their plans out

    found = plans.resume(Settings.load(), who=_who(who), why=why)
    return _said(found, "resumed", as_json=as_json)


def _who(said: str | None) -> str:
    return said or getpass.getuser()


def _said(found: dict[str, Any], text: str, *, as_json: bool) -> int:
    words.answer(found, text, as_json=as_json)
    return words.DONE


def plan_text(found: dict[str, Any], *, waits: bool = False) -> str:
    """A plan in words, with the way to answer: where it writes something, or `waits` for other reasons."""
    lines = [f"{found['reason']}: {found['would_write']} writes, about {found['seconds_estimated']} s"]
    lines += [f"  {one['count']} × {one['system']} {one['verb']} {one['field']}" for one in found["counts"]]
    lines += [f"  not: record {one['record']}, {one['field']}: {one['reason']}" for one in found["skipped"][:20]]
    more = len(found["skipped"]) - 20
    lines += [f"  not: {more} more"] if more > 0 else []
    if found["would_write"] or waits:
        lines.append(f"`sync-platform approve {found['plan']}` does it, `drop {found['plan']}` does not")
    return "\n".join(lines)
