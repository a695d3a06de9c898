"""Set-up and examination of webhooks: the integration in Gorgias, what to click in HubSpot, a delivery sent through."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from sync_platform.connectors.gorgias import GorgiasConnector
from sync_platform.connectors.protocol import Connector, Finding
from sync_platform.core.records import System
from sync_platform.errors import Misconfigured
from sync_platform.ledger import inbox
from sync_platform.ledger.database import Ledger
from sync_platform.settings import Settings, plain_url

# What the door compares, by the names of the settings; any one that is set is required of every delivery.
SECRETS: Mapping[System, tuple[str, ...]] = {
    System.GORGIAS: ("GORGIAS_WEBHOOK_SECRET", "GORGIAS_HMAC_SECRET"),
    System.HUBSPOT: ("HUBSPOT_CLIENT_SECRET",),
}
SECRET_HEADER = "X-Sync-Secret"  # noqa: S105 - its name
HUBSPOT_EVENTS = "created, deleted, merged, restored, property changed (each property that the policy names)"


def listen(settings: Settings, side: Connector, url: str) -> list[Finding]:
    """Let Gorgias call the door at `url`, and say what to click for HubSpot. Raises Misconfigured, Halt, Retryable."""
    base = door_url(url)
    shared, keyed = (settings.secret(name) for name in SECRETS[System.GORGIAS])
    if not (shared or keyed):
        raise Misconfigured(
            "Gorgias's calls could not be told from anybody's: no secret is set",
            system=System.GORGIAS,
            remedy="Set GORGIAS_WEBHOOK_SECRET to a long random text (`openssl rand -hex 32`), then run this again.",
        )
    headers = {SECRET_HEADER: shared} if shared else {}
    gorgias = cast("GorgiasConnector", side)
    return [gorgias.listen(f"{base}/hooks/gorgias", headers, keyed), *_to_click(settings, base)]


def door_url(url: str) -> str:
    """The address of the door without a path at its end. Raises Misconfigured for one that no system should call."""
    try:
        return plain_url(url)
    except ValueError as error:
        raise Misconfigured(
            f"--webhooks: {error}", remedy="Give the address at which systems reach the door: https://hooks.example.com"
        ) from None


def _to_click(settings: Settings, base: str) -> list[Finding]:
    public = settings.sync_public_url
    set_ = bool(settings.secret("HUBSPOT_CLIENT_SECRET"))
    found = [
        Finding(
            "hubspot.webhooks",
            ok=True,
            found="Settings → Integrations → Private apps (or Legacy apps) → your app → Webhooks: target URL"
            f" {base}/hooks/hubspot; subscribe contact and ticket: {HUBSPOT_EVENTS}; ticket: association changed;"
            " then activate the subscriptions, which start paused.",
            remedy="" if set_ else "Set HUBSPOT_CLIENT_SECRET to the app's client secret: until then they get 403.",
        )
    ]
    if public is not None and public != base:
        found.append(
            Finding(
                "webhooks.address",
                ok=False,
                found="SYNC_PUBLIC_URL is another address than the one given here",
                remedy="HubSpot signs the address that it calls, which is taken from SYNC_PUBLIC_URL: make them one.",
            )
        )
    return found


def examine(settings: Settings, ledger: Ledger) -> list[Finding]:
    """For each system that can call: whether a secret is set, and what the door turned away so far."""
    with ledger.read() as conn:
        counts = inbox.counts(conn)
        waiting = inbox.depth(conn)
    found = []
    for system, names in SECRETS.items():
        held = [name for name in names if settings.secret(name)]
        ours = {name.partition(".")[2]: n for name, n in counts.items() if name.startswith(f"{system}.")}
        taken = ours.pop("accepted", 0)
        refused = ", ".join(f"{name} {n}" for name, n in sorted(ours.items()))
        what = (
            f"{' and '.join(held)} set; {taken} deliveries taken"
            if held
            else "no secret is set: each delivery gets 403"
        )
        found.append(
            Finding(
                f"{system}.webhooks.secret",
                ok=True,
                found=what + (f"; turned away: {refused}" if refused else ""),
                remedy="" if held else f"Webhooks are never needed; for them set {names[0]}.",
            )
        )
    found.append(Finding("webhooks.inbox", ok=True, found=f"{waiting} deliveries wait for a run"))
    return found
