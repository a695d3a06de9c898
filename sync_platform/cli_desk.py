"""The desk's commands: reviews, parked, link, unlink."""

from __future__ import annotations

import getpass
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from sync_platform import cli_words as words
from sync_platform.core.records import NUMBER_MAX
from sync_platform.settings import Settings

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on one line, last on stdout.")]
ShowValues = Annotated[bool, typer.Option("--show-values", help="Show what is at stake: data of customers.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what it would do, and do nothing.")]
Why = Annotated[str | None, typer.Option("--why", help="A reason, kept with the act.")]
Number = Annotated[int, typer.Argument(metavar="ID", max=NUMBER_MAX, help="As the list shows it.")]

reviews = typer.Typer(help="Decisions that wait for a person: list, show, resolve. Exit code 4 while some wait.")
parked = typer.Typer(help="Writes that were refused for good: list, show, retry, drop. Exit code 4 while some wait.")


def register(app: typer.Typer) -> None:
    """Hang the commands on the door."""
    app.add_typer(reviews, name="reviews", epilog="Example: sync-platform reviews show 3 --show-values")
    app.add_typer(parked, name="parked", epilog="Example: sync-platform parked retry 7")
    app.command(epilog="Example: sync-platform link customer:gorgias:5 customer:ada@example.com --dry-run")(link)
    app.command(epilog="Example: sync-platform unlink customer:gorgias:5 --dry-run")(unlink)


def who() -> str:
    """Who acts, as this machine knows them."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"


# --- reviews ----------------------------------------------------------------------------------------------------


@reviews.callback(invoke_without_command=True)
def reviews_door(context: typer.Context, as_json: AsJson = False) -> int:
    """Decisions that wait for a person."""
    return words.DONE if context.invoked_subcommand else reviews_list(as_json)


@reviews.command("list", epilog="Example: sync-platform reviews list --json")
def reviews_list(as_json: AsJson = False) -> int:
    """Say what waits, oldest first, without values."""
    from sync_platform.sync import desk

    found = desk.reviews(Settings.load())
    lines = [
        f"{one['id']}  {one['kind']} {one['entity']} {one['record']} {one['field'] or ''}"
        f" ({', '.join(one['systems'] or one['candidates'])}), since {one['at']}"
        f"{', answered' if one['answered'] else ''}{', asked again' if one['asked'] > 1 else ''}"
        for one in found["reviews"]
    ]
    words.answer(found, "\n".join(lines) or "nothing waits for a person", as_json=as_json)
    return words.WAITS if any(not one["answered"] for one in found["reviews"]) else words.DONE


@reviews.command("show", epilog="Example: sync-platform reviews show 3 --show-values")
def reviews_show(number: Number, show_values: ShowValues = False, as_json: AsJson = False) -> int:
    """Show one review: who claims what since when, the rules that did not decide, the evidence, what to do."""
    from sync_platform.sync import desk

    found = desk.review(Settings.load(), number, show_values=show_values)
    words.answer(found, _facts(found), as_json=as_json)
    return words.DONE


@reviews.command(
    "resolve",
    epilog="Examples: sync-platform reviews resolve 3 --choose erp · sync-platform reviews resolve 3 --value 'Ada' · "
    "sync-platform reviews resolve 4 --choose RECORD --dry-run",
)
def reviews_resolve(
    number: Number,
    choose: Annotated[
        str | None, typer.Option("--choose", help="The system whose value wins; of records that are one: which stays.")
    ] = None,
    value: Annotated[str | None, typer.Option("--value", help="A value of your own.")] = None,
    drop: Annotated[bool, typer.Option("--drop", help="Leave each side as it is; of records: they are two.")] = False,
    dry_run: DryRun = False,
    why: Why = None,
    as_json: AsJson = False,
) -> int:
    """Answer a review. The next cycle takes it up; if the values moved meanwhile, it is asked again."""
    from sync_platform.sync import desk, relink

    if sum((choose is not None, value is not None, drop)) != 1:
        raise typer.BadParameter("give exactly one of --choose, --value and --drop")
    settings = Settings.load()
    if desk.kind_of(settings, number) == "field":
        if dry_run:
            raise typer.BadParameter("--dry-run is for records that may be one; a field shows with `reviews show`")
        found = desk.resolve(settings, number, choose=choose, value=value, drop=drop, who=who(), why=why)
    elif value is not None:
        raise typer.BadParameter("which records are one has no value; --choose RECORD or --drop")
    else:
        found = relink.resolve_identity(settings, number, choose=choose, drop=drop, dry_run=dry_run, who=who(), why=why)
    words.answer(found, _facts(found), as_json=as_json)
    return words.DONE


# --- parked -----------------------------------------------------------------------------------------------------


@parked.callback(invoke_without_command=True)
def parked_door(context: typer.Context, as_json: AsJson = False) -> int:
    """Writes that were refused for good."""
    return words.DONE if context.invoked_subcommand else parked_list(as_json)


@parked.command("list", epilog="Example: sync-platform parked list --json")
def parked_list(as_json: AsJson = False) -> int:
    """Say what is parked, with the system's own words and a remedy."""
    from sync_platform.sync import desk

    found = desk.parked(Settings.load())
    lines = [
        f"{one['id']}  {one['system']} {one['entity']} {one['record'] or one['object']} {one['field']}: {one['code']}"
        f" — {one['words']}{' (retried in the next cycle)' if one['state'] == 'retry' else ''}\n      → {one['remedy']}"
        for one in found["parked"]
    ]
    words.answer(found, "\n".join(lines) or "nothing is parked", as_json=as_json)
    return words.WAITS if any(one["state"] == "open" for one in found["parked"]) else words.DONE


@parked.command("show", epilog="Example: sync-platform parked show 7 --show-values")
def parked_show(number: Number, show_values: ShowValues = False, as_json: AsJson = False) -> int:
    """Show one mark: what the system answered, when, and what to do."""
    from sync_platform.sync import desk

    found = desk.parked_mark(Settings.load(), number, show_values=show_values)
    words.answer(found, _facts(found), as_json=as_json)
    return words.DONE


@parked.command("retry", epilog="Example: sync-platform parked retry 7 --why 'the option exists now'")
def parked_retry(number: Number, why: Why = None, as_json: AsJson = False) -> int:
    """Lift a mark: the next cycle plans the record anew and tries what is still owed."""
    from sync_platform.sync import desk

    found = desk.retry(Settings.load(), number, who=who(), why=why)
    words.answer(found, _facts(found), as_json=as_json)
    return words.DONE


@parked.command("drop", epilog="Example: sync-platform parked drop 7")
def parked_drop(number: Number, why: Why = None, as_json: AsJson = False) -> int:
    """Give up: the value stays as it is over there until it moves on either side."""
    from sync_platform.sync import desk

    found = desk.drop(Settings.load(), number, who=who(), why=why)
    words.answer(found, _facts(found), as_json=as_json)
    return words.DONE


# --- identity ---------------------------------------------------------------------------------------------------


def link(
    what: Annotated[str, typer.Argument(metavar="OBJECT", help="system:id of a customer, or entity:system:id.")],
    record: Annotated[str, typer.Argument(help="A record id, customer:<e-mail>, or <entity>:<system>:<id>.")],
    dry_run: DryRun = False,
    why: Why = None,
    as_json: AsJson = False,
) -> int:
    """Give an object of a system to a record. Nothing is created or deleted; `link` it back to undo it."""
    from sync_platform.sync import relink

    found = relink.link(Settings.load(), what, record, dry_run=dry_run, who=who(), why=why)
    words.answer(found, _facts(found), as_json=as_json)
    return words.DONE


def unlink(
    what: Annotated[str, typer.Argument(metavar="OBJECT", help="system:id of a customer, or entity:system:id.")],
    dry_run: DryRun = False,
    why: Why = None,
    as_json: AsJson = False,
) -> int:
    """Make a record of its own of an object of a system. Nothing is created or deleted; `link` it back to undo it."""
    from sync_platform.sync import relink

    found = relink.unlink(Settings.load(), what, dry_run=dry_run, who=who(), why=why)
    words.answer(found, _facts(found), as_json=as_json)
    return words.DONE


def _facts(found: Mapping[str, Any]) -> str:
    """`name: value` lines; lists of objects with one line each."""
    lines = []
    for name, value in found.items():
        if isinstance(value, list) and value:
            lines.append(f"{name}:")
            lines += [
                "  " + (", ".join(f"{k} {_said(v)}" for k, v in one.items()) if isinstance(one, Mapping) else str(one))
                for one in value
            ]
        elif isinstance(value, Mapping):
            lines.append(f"{name}: " + (", ".join(f"{k} {v}" for k, v in value.items()) or "nothing"))
        elif value not in (None, [], ""):
            lines.append(f"{name}: {value}")
    return "\n".join(lines)


def _said(value: object) -> str:
    """A fact in a line; of a list its words, not its brackets."""
    return " ".join(str(one) for one in value) if isinstance(value, list) else str(value)
