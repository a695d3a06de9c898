"""A delivery sent through: from the door to the moment at which nothing is owed for what it told of."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
import urllib.error
import urllib.request

from sqlalchemy import Connection, func, select

from sync_platform.connectors.protocol import Finding
from sync_platform.core.records import Entity, System
from sync_platform.ledger.database import Ledger
from sync_platform.ledger.inbox import INBOX
from sync_platform.ledger.links import IS_ACTIVE, LINK
from sync_platform.ledger.outbox import INTENT, IS_OPEN
from sync_platform.settings import Settings
from sync_platform.sync.webhooks import SECRET_HEADER, SECRETS, door_url

NAME = "webhooks.through"
ANSWER_TIMEOUT_S = 10.0
LOOK_EVERY_S = 0.05


def send_through(settings: Settings, ledger: Ledger, url: str, *, timeout_s: float = 60.0) -> Finding:
    """Tell the door at `url` of a ticket that is in several systems, and time its way. It is read; nothing is edited.

    Raises Misconfigured for an address that is none, and what reading the ledger raises.
    """
    base = door_url(url)
    shared, keyed = (settings.secret(name) for name in SECRETS[System.GORGIAS])
    if not (shared or keyed):
        return Finding(NAME, ok=False, found="nothing was sent", remedy="Set GORGIAS_WEBHOOK_SECRET first.")
    with ledger.read() as conn:
        ticket = _ticket(conn)
    if ticket is None:
        return Finding(NAME, ok=False, found="no ticket is linked yet", remedy="Run `sync-platform sync` first.")
    body = json.dumps({"ticket_id": ticket[1], "test": time.time_ns()}).encode()
    headers = {"content-type": "application/json"} | ({SECRET_HEADER: shared} if shared else {})
    if keyed:
        digest = hmac.new(keyed.encode(), body, hashlib.sha256).digest()
        headers["X-Gorgias-Hmac-SHA256"] = base64.b64encode(digest).decode()
    began = time.monotonic()
    trouble = _post(f"{base}/hooks/gorgias", body, headers)
    answered_s = time.monotonic() - began
    if trouble is not None:
        return Finding(NAME, ok=False, found=trouble, remedy="Is `sync-platform serve` on, with the same secrets?")
    words = f"answered after {answered_s * 1000:.0f} ms"
    name = f"{System.GORGIAS}:{Entity.TICKET}:{hashlib.sha256(body).hexdigest()[:40]}"
    while time.monotonic() - began < timeout_s:
        with ledger.read() as conn:
            waits = _waits(conn, name, ticket[0])
        if waits is None:
            found = f"{words}, but it is not in this ledger's inbox"
            return Finding(NAME, ok=False, found=found, remedy="Give `serve` the same LEDGER_DATABASE_URL.")
        if not waits:
            return Finding(NAME, ok=True, found=f"{words}, in all systems after {time.monotonic() - began:.1f} s")
        time.sleep(LOOK_EVERY_S)
    return Finding(
        NAME,
        ok=False,
        found=f"{words}, and no run had carried it out after {timeout_s:.0f} s",
        remedy="Is Dagster on, with the sensor `news`? `sync-platform sync` drains the inbox as well.",
    )


def _ticket(conn: Connection) -> tuple[str, str] | None:
    """A ticket of Gorgias whose record is in the most systems: (record, external id)."""
    others = LINK.alias()
    row = conn.execute(
        select(LINK.c.record_id, LINK.c.external_id)
        .join(others, others.c.record_id == LINK.c.record_id)
        .where(LINK.c.system == str(System.GORGIAS), LINK.c.entity == str(Entity.TICKET), IS_ACTIVE)
        .where(LINK.c.record_id.is_not(None))
        .group_by(LINK.c.record_id, LINK.c.external_id)
        .order_by(func.count().desc(), LINK.c.record_id)
        .limit(1)
    ).first()
    return None if row is None else (str(row.record_id), str(row.external_id))


def _waits(conn: Connection, name: str, record: str) -> bool | None:
    """Whether a delivery is not drained, or a write is owed for its record; None where there is no such delivery."""
    drained = conn.execute(select(INBOX.c.drained_at).where(INBOX.c.delivery.startswith(name))).first()
    if drained is None:
        return None
    owed = conn.execute(select(INTENT.c.id).where(INTENT.c.record_id == record, IS_OPEN).limit(1)).first()
    return drained.drained_at is None or owed is not None


def _post(url: str, body: bytes, headers: dict[str, str]) -> str | None:
    """What went wrong, or None. A proxy of the environment must not see the secret."""
    request = urllib.request.Request(url, data=body, headers=headers, method="POST")  # noqa: S310 - http(s), checked
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=ANSWER_TIMEOUT_S):
            return None
    except urllib.error.HTTPError as error:
        error.close()
        return f"the door answered {error.code}"
    except (OSError, urllib.error.URLError) as error:
        return f"the door does not answer ({type(error).__name__})"
