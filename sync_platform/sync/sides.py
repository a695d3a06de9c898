"""The three connectors, made from settings and bound to the shared budget: the one place where real ones are chosen."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict

from sync_platform.connectors.erp import ErpConnector
from sync_platform.connectors.gorgias import GorgiasConnector
from sync_platform.connectors.http import BasicCredentials, Credentials
from sync_platform.connectors.hubspot import HubSpotConnector
from sync_platform.connectors.oauth import OAuthCredentials
from sync_platform.connectors.protocol import Account, Connector, Directory, Limit
from sync_platform.core.records import SYSTEMS, System
from sync_platform.errors import NotAllowed, NotSetUp, SyncError, WrongAccount
from sync_platform.ledger import accounts as stamps
from sync_platform.ledger import directory as directories
from sync_platform.ledger.budget import Budget
from sync_platform.ledger.database import Ledger, get_meta, set_meta
from sync_platform.settings import Settings
from sync_platform.sync.tokens import TokenFile, gorgias_app

DIRECTORY_MAX_AGE_S = 3600.0
# The share of every limit that stays free for other integrations of a real account.
LIVE_RESERVE = 0.2
KEY_LIMITS = (Limit("window", 40, 20.0),)
OAUTH_LIMITS = (Limit("window", 80, 20.0),)


class Sides(dict[System, Connector]):
    """The connectors by system, with the budgets that count their calls."""

    def __init__(self) -> None:
        super().__init__()
        self.budgets: dict[System, Budget] = {}


@contextmanager
def open_sides(settings: Settings, ledger: Ledger, *, run: str) -> Iterator[Sides]:
    """All three sides; their connections and budgets are given back at the end."""
    with ExitStack() as stack:
        sides = Sides()
        for system in SYSTEMS:
            sides[system], sides.budgets[system] = stack.enter_context(_opened(settings, ledger, system, run))
        yield sides


@contextmanager
def open_side(settings: Settings, system: str, *, run: str) -> Iterator[Connector]:
    """One side with its own view of the ledger's budget."""
    ledger = Ledger.open(settings.ledger_url, migrate=False)
    try:
        with _opened(settings, ledger, System(system), run) as (side, _):
            yield side
    finally:
        ledger.close()


@contextmanager
def _opened(settings: Settings, ledger: Ledger, system: System, run: str) -> Iterator[tuple[Connector, Budget]]:
    sandbox = on_sandbox(settings, ledger)

    def budget(credential: str, limits: tuple[Limit, ...]) -> Budget:
        rows = [(limit.name, limit.allowed, limit.window_s) for limit in limits]
        return Budget(ledger, str(system), credential, rows, reserve=0.0 if sandbox else LIVE_RESERVE, run=run)

    connector, meter = _MAKERS[system](settings, budget)
    try:
        yield connector, meter
    finally:
        connector.close()
        meter.close()


def on_sandbox(settings: Settings, ledger: Ledger) -> bool:
    """Whether this ledger was stamped on three sandboxes; before set-up, whether the settings point at them."""
    found = [stamps.stamped(ledger, system) for system in SYSTEMS]
    known = [account for account in found if account is not None]
    return all(sandbox for _, sandbox in known) if known else settings.target == "sandbox"


_Budgets = Callable[[str, tuple[Limit, ...]], Budget]


def _gorgias(settings: Settings, budget: _Budgets) -> tuple[Connector, Budget]:
    access = settings.gorgias()
    credentials: Credentials
    if access.oauth:
        credentials = OAuthCredentials(gorgias_app(settings), TokenFile(settings.runtime_dir))
        name = access.client_id or ""
    else:

        def read() -> tuple[str, str]:
            now = settings.gorgias(fresh=True)
            if now.api_key is None:
                raise NotAllowed("the API key is gone from the settings", system="gorgias")
            return now.email or "", now.api_key.get_secret_value()

        credentials = BasicCredentials(read)
        name = access.email or ""
    meter = budget(_digest(access.base_url, name), OAUTH_LIMITS if access.oauth else KEY_LIMITS)
    return GorgiasConnector(access.base_url, credentials, meter), meter


def _hubspot(settings: Settings, budget: _Budgets) -> tuple[Connector, Budget]:
    access = settings.hubspot()
    # The limits belong to the account, not to the token: a rotated token keeps its budget.
    meter = budget(_digest(access.base_url or "hubspot"), HubSpotConnector.limits)

    def token() -> str:
        return settings.hubspot(fresh=True).access_token.get_secret_value()

    return HubSpotConnector(access.base_url, token, meter), meter


def _erp(settings: Settings, budget: _Budgets) -> tuple[Connector, Budget]:
    url = settings.erp_url()
    meter = budget(_digest(url), ())
    return ErpConnector(url, meter), meter


_MAKERS: Mapping[System, Callable[[Settings, _Budgets], tuple[Connector, Budget]]] = {
    System.GORGIAS: _gorgias,
    System.HUBSPOT: _hubspot,
    System.ERP: _erp,
}


def _digest(*parts: str) -> str:
    """A limit belongs to an account; its row is named by a hash, never by an address or a secret."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def read_directories(
    ledger: Ledger,
    sides: Sides,
    *,
    max_age_s: float = DIRECTORY_MAX_AGE_S,
    unreached: dict[System, SyncError] | None = None,
) -> dict[System, Directory]:
    """Slow lists of each account (agents, stages, options), from the ledger while they are young.

    With `unreached`, a side that does not answer keeps its old lists; one that never gave any is noted there.
    """
    out: dict[System, Directory] = {}
    for system, side in sides.items():
        body = directories.load(ledger, system, max_age_s)
        if body is None:
            try:
                body = asdict(side.directory())
                directories.save(ledger, system, body)
            except SyncError as error:
                if unreached is None:
                    raise
                body = directories.load(ledger, system, math.inf)
                if body is None:
                    unreached.setdefault(system, error)
        out[system] = Directory(**(body or {}))
    return out


def _asked(settings: Settings) -> dict[System, str | None]:
    return {System.GORGIAS: _gorgias_name(settings), System.HUBSPOT: _hubspot_name(settings), System.ERP: None}


def remember_asked(settings: Settings, ledger: Ledger) -> None:
    """The accounts were asked who they are just now, with these addresses and credentials."""
    with ledger.begin() as conn:
        for system, name in _asked(settings).items():
            if name is not None:
                set_meta(conn, f"asked.{system}", name)


def check_accounts(settings: Settings, ledger: Ledger, sides: Sides) -> tuple[bool, dict[System, SyncError]]:
    """Compare the stamp with who answers now: (all of them are the sandbox, sides that did not answer and why).

    The vendors are asked only when address or credential changed since they were asked last: an idle cycle costs no
    call for it. The ERP, which is a statement away, is asked each time. Who does not answer is left alone in this run,
    so that nothing is written to an account that nobody has recognised. Raises NotSetUp and WrongAccount.
    """
    asked = _asked(settings)
    unreached: dict[System, SyncError] = {}
    found: dict[str, tuple[str, bool]] = {}
    for system, name in asked.items():
        key = f"asked.{system}"
        with ledger.read() as conn:
            known = get_meta(conn, key)
        stamp = stamps.stamped(ledger, system)
        if name is not None and known == name and stamp is not None:
            found[str(system)] = stamp
            continue
        try:
            account = sides[system].account()
        except (NotSetUp, WrongAccount):
            raise
        except SyncError as error:
            if stamp is None:
                raise NotSetUp("The ledger has not been set up for this account.", system=str(system)) from None
            unreached[system] = error
            found[str(system)] = stamp
            continue
        stamps.check(ledger, {str(system): (account.identity, account.sandbox)})
        found[str(system)] = (account.identity, account.sandbox)
        if name is not None:
            with ledger.begin() as conn:
                set_meta(conn, key, name)
    stamps.check(ledger, found)
    return all(sandbox for _, sandbox in found.values()), unreached


def _gorgias_name(settings: Settings) -> str:
    access = settings.gorgias()
    key = access.api_key.get_secret_value() if access.api_key else ""
    return _digest(access.base_url, access.email or "", key, access.client_id or "")


def _hubspot_name(settings: Settings) -> str:
    access = settings.hubspot()
    return _digest(access.base_url or "", access.access_token.get_secret_value())


def accounts(sides: Sides) -> dict[System, Account]:
    """Who each side is, asked now."""
    return {system: side.account() for system, side in sides.items()}
