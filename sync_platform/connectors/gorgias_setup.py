"""What an account of Gorgias is and what we may do there: identity, agents, doctor's findings."""

from __future__ import annotations

from sync_platform.connectors.gorgias_feeds import contents, halted
from sync_platform.connectors.http import CALL_LIMIT_HEADER, Answer, JsonApi, Refused
from sync_platform.connectors.protocol import Account, Directory, Finding
from sync_platform.core.records import Json, Lane, System
from sync_platform.errors import Misconfigured, Moved, SyncError

PAGES_MAX = 200
_PROBES = ("customers", "tickets", "messages", "events", "satisfaction-surveys", "users", "tags")
_WRITING_ROLES = frozenset(("admin", "agent", "basic-agent", "bot", "internal-agent"))


def account(api: JsonApi) -> Account:
    """GET /account: the domain never changes for one account. `facts`: deactivated, surveys, limit."""
    answer = _setup_read(api, "/account")
    found = answer.body if isinstance(answer.body, dict) else {}
    domain = found.get("domain")
    if not isinstance(domain, str) or not domain:
        raise Misconfigured(
            "the address does not answer as the Gorgias API",
            system=System.GORGIAS,
            status=answer.status,
            remedy="Check GORGIAS_BASE_URL: https://<account>.gorgias.com",
        )
    facts: dict[str, Json] = {
        "deactivated": found.get("deactivated_datetime") is not None,
        "surveys": surveys(found),
        "limit": answer.headers.get(CALL_LIMIT_HEADER, ""),
    }
    return Account(System.GORGIAS, domain, api.sandbox, facts)


def surveys(found: Json) -> bool | None:
    """Whether closing a ticket may mail a survey: the account's setting `satisfaction-surveys`; None if not shown.

    The keys inside the setting's data are not documented: any of them that is true counts as on.
    """
    settings = found.get("settings") if isinstance(found, dict) else None
    if not isinstance(settings, list):
        return None
    for setting in settings:
        if isinstance(setting, dict) and setting.get("type") == "satisfaction-surveys":
            data = setting.get("data")
            return any(value is True for value in data.values()) if isinstance(data, dict) else bool(data)
    return False


def directory(api: JsonApi) -> Directory:
    """All users: id → e-mail, lower case; those who left as well, for old tickets bear them."""
    agents: dict[str, str] = {}
    cursor: str | None = None
    for _ in range(PAGES_MAX):
        query = [("limit", "100"), *([("cursor", cursor)] if cursor else [])]
        theirs, cursor, _total = contents(_setup_read(api, "/users", query))
        for user in theirs:
            if isinstance(user, dict) and user.get("id") is not None and isinstance(user.get("email"), str):
                agents[str(user["id"])] = user["email"].strip().casefold()
        if cursor is None:
            break
    return Directory(agents=agents)


def examine(api: JsonApi) -> list[Finding]:
    """Reachable, as whom, with which rights and limits, and whether closing a ticket may mail a survey."""
    try:
        who = account(api)
    except SyncError as error:
        return [Finding("gorgias.account", ok=False, found=str(error), remedy=error.remedy)]
    active = not who.facts["deactivated"]
    findings = [
        Finding(
            "gorgias.account",
            ok=active,
            found=f"account {who.identity}"
            + (", the sandbox" if who.sandbox else "")
            + ("" if active else ", deactivated"),
            remedy="" if active else "Activate the account in Gorgias.",
        ),
        _user(api),
        *(_right(api, name) for name in _PROBES),
        Finding(
            "gorgias.limit", ok=True, found=f"calls used of the window's allowance: {who.facts['limit'] or 'not shown'}"
        ),
    ]
    state = {True: "on", False: "off", None: "not shown to this user"}[who.facts["surveys"]]
    remedy = (
        "" if who.facts["surveys"] is False else "Closing may mail a survey; `allow_close: false` keeps us from it."
    )
    return [
        *findings,
        Finding("gorgias.surveys", ok=True, found=f"survey after closing a ticket: {state}", remedy=remedy),
    ]


def _user(api: JsonApi) -> Finding:
    """GET /users/0 is the calling user [doc]; calls act with that user's role."""
    try:
        answer = _setup_read(api, "/users/0")
    except SyncError as error:
        return Finding("gorgias.user", ok=False, found=str(error), remedy=error.remedy)
    found = answer.body if isinstance(answer.body, dict) else {}
    role = found.get("role")
    name = role.get("name") if isinstance(role, dict) else None
    if name in _WRITING_ROLES:
        return Finding("gorgias.user", ok=True, found=f"role {name}")
    known = name if name in ("lite-agent", "observer-agent") else "not shown"
    return Finding(
        "gorgias.user",
        ok=name is None,
        found=f"role {known}",
        remedy="Use the key of a user with the role agent or admin.",
    )


def _right(api: JsonApi, name: str) -> Finding:
    try:
        _setup_read(api, f"/{name}", [("limit", "1")])
    except SyncError as error:
        return Finding(
            f"gorgias.read.{name}",
            ok=False,
            found=str(error),
            remedy=f"Give the user, or the OAuth app by its scopes, the right to read {name}.",
        )
    return Finding(f"gorgias.read.{name}", ok=True, found="readable")


def prepare() -> list[Finding]:
    """Nothing has to be made in Gorgias."""
    found = "nothing to create: our mark goes into external_id, other fields into the key «sync» of the customer's data"
    return [Finding("gorgias.setup", ok=True, found=found)]


def _setup_read(api: JsonApi, path: str, query: list[tuple[str, str]] | None = None) -> Answer:
    try:
        return api.read(path, query or [], lane=Lane.INTERACTIVE, purpose="setup")
    except Refused as refused:
        if isinstance(refused.error, Moved):
            raise Misconfigured(
                "the address answers with a redirect",
                system=System.GORGIAS,
                status=refused.answer.status,
                remedy="Check GORGIAS_BASE_URL: https://<account>.gorgias.com",
            ) from None
        raise halted(refused) from None
