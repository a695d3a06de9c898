"""Whose ledger this is: stamped at set-up with the identity of each system's account, compared before every run.

A ledger that met another account would take all of its objects for deleted and all of its own for missing there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from sqlalchemy import Connection

from sync_platform.errors import NotSetUp, WrongAccount
from sync_platform.ledger.database import Ledger, dump_json, get_meta, set_meta

# system -> (identity, is it the sandbox)
Accounts = Mapping[str, tuple[str, bool]]


def stamp(ledger: Ledger, accounts: Accounts) -> None:
    """Write down the accounts at set-up. Repeating it changes nothing.

    Raises `WrongAccount` if a system was stamped with another account (then none is stamped), and `NotSetUp` if a
    system could not say who it is.
    """
    with ledger.begin() as conn:
        for system, found in accounts.items():
            if not found[0]:
                raise NotSetUp("The account has no identity.", system=str(system))
            expected = _stamped(conn, system)
            if expected is not None and expected != found:
                raise _wrong(system, found, expected)
            if expected is None:
                set_meta(conn, f"account.{system}", dump_json({"identity": found[0], "sandbox": found[1]}))


def check(ledger: Ledger, accounts: Accounts) -> None:
    """Raise `NotSetUp` if a system was never stamped, `WrongAccount` if it is another account now."""
    with ledger.read() as conn:
        for system, found in accounts.items():
            expected = _stamped(conn, system)
            if expected is None:
                raise NotSetUp("The ledger has not been set up for this account.", system=str(system))
            if expected != found:
                raise _wrong(system, found, expected)


def stamped(ledger: Ledger, system: str) -> tuple[str, bool] | None:
    """The account that the ledger was set up for: its identity, and whether it is the sandbox."""
    with ledger.read() as conn:
        return _stamped(conn, system)


def _stamped(conn: Connection, system: str) -> tuple[str, bool] | None:
    raw = get_meta(conn, f"account.{system}")
    if raw is None:
        return None
    account = json.loads(raw)
    return account["identity"], account["sandbox"]


def _wrong(system: str, found: tuple[str, bool], expected: tuple[str, bool]) -> WrongAccount:
    return WrongAccount(
        f"This ledger belongs to account {_words(expected)}; found account {_words(found)}.", system=str(system)
    )


def _words(account: tuple[str, bool]) -> str:
    identity, sandbox = account
    return f"{identity} (sandbox)" if sandbox else identity
