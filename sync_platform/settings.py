"""What the platform is told from outside: the environment, a `.env` beside `workspace.yaml`, files that hold secrets.

Three rules. A system of which nothing is set is the sandbox. A system of which something, but not enough, is set is an
error that names what is missing. A secret is never shown: not in a representation, not in an error, not in a log.
"""

from __future__ import annotations

import ipaddress
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self, get_args
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import Field, PrivateAttr, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from sync_platform.errors import Misconfigured

Target = Literal["sandbox", "live"]
SYSTEM_NAMES = ("gorgias", "hubspot", "erp")
DEFAULT_CONTROL_URL = "http://127.0.0.1:8700"
READY_TIMEOUT_S = 3.0


@dataclass(frozen=True)
class GorgiasAccess:
    """How to reach Gorgias: `base_url` without `/api`; e-mail and key, or client id and secret, or (sandbox) both."""

    base_url: str
    email: str | None = None
    api_key: SecretStr | None = None
    client_id: str | None = None
    client_secret: SecretStr | None = None

    @property
    def oauth(self) -> bool:
        """True when calls go by OAuth: an e-mail and a key were not given."""
        return self.api_key is None


@dataclass(frozen=True)
class HubSpotAccess:
    """How to reach HubSpot: `base_url` None is the real one."""

    base_url: str | None
    access_token: SecretStr


class Settings(BaseSettings):
    """Every setting, typed. `Settings.load()` is the way to get one; each field's description is its documentation."""

    model_config = SettingsConfigDict(extra="ignore", hide_input_in_errors=True, frozen=True, validate_default=False)

    gorgias_base_url: str | None = Field(None, description="`https://<account>.gorgias.com`, with or without `/api`")
    gorgias_email: str | None = Field(None, description="E-mail of the Gorgias user that the API key belongs to")
    gorgias_api_key: SecretStr | None = Field(None, description="Gorgias: Settings → REST API")
    gorgias_client_id: str | None = Field(
        None, description="OAuth instead of e-mail and key; then run `sync-platform connect gorgias`"
    )
    gorgias_client_secret: SecretStr | None = Field(None, description="Belongs to the client id")
    gorgias_webhook_secret: SecretStr | None = Field(None, description="Checks Gorgias webhooks; never needed")
    gorgias_hmac_secret: SecretStr | None = Field(None, description="Checks Gorgias webhooks by HMAC; never needed")
    hubspot_base_url: str | None = Field(None, description="Another address than the real HubSpot")
    hubspot_access_token: SecretStr | None = Field(None, description="Access token of a private app in HubSpot")
    hubspot_client_secret: SecretStr | None = Field(None, description="Checks HubSpot webhooks; never needed")
    erp_database_url: SecretStr | None = Field(
        None, description="`postgresql://…` or `sqlite:///…` of the ERP's tables"
    )
    ledger_database_url: SecretStr = Field(
        SecretStr("sqlite:///.sync/ledger.db"), description="The platform's own database: SQLite file or PostgreSQL"
    )
    sync_writes: Literal["on", "off"] | None = Field(
        None, description="`off`: everything but writing. Not set: on for the sandbox alone, off on real accounts"
    )
    sync_policy: Path | None = Field(None, description="A policy file in place of the one that ships")
    sync_run_max_s: float = Field(300.0, gt=0, description="A run ends its slice after this many seconds")
    sync_poll_s: float | None = Field(
        None, gt=0, description="Seconds between two looks at the systems (30; on the sandbox 10)"
    )
    sync_audit_calls: int = Field(
        60, gt=0, description="Calls to each system that one run of the equality audit may spend"
    )
    sync_keep_days: int = Field(
        30, ge=7, le=36_500, description="Days after which `prune` takes deliveries, receipts and observations away"
    )
    sync_phone_region: str = Field(
        "US", pattern="^[A-Z]{2}$", description="Country of phone numbers that are written without one"
    )
    sync_erasure_key: SecretStr | None = Field(
        None, description="Key of the hashes that keep the erased from coming back"
    )
    sync_public_url: str | None = Field(
        None, description="Address at which others reach `serve`: HubSpot signs it, links lead there"
    )
    sync_pages_url: str | None = Field(
        None,
        description="Address of the pages where it is another one (then SYNC_PUBLIC_URL is the door's);"
        " without both: http://127.0.0.1:8081",
    )
    sync_dagster_url: str = Field("http://127.0.0.1:3000", description="Address of Dagster's UI, for links")
    sync_web_token: SecretStr | None = Field(None, description="Opens the platform's own pages for reading")
    sync_web_operator_token: SecretStr | None = Field(None, description="Opens them for acting as well")
    sync_trusted_proxy: str | None = Field(None, description="Proxy address whose forwarded headers are believed")
    sync_alert_url: SecretStr | None = Field(
        None, description="A failed run is told here by an HTTP POST (an incoming webhook of a chat)"
    )
    sync_root: Path | None = Field(
        None, description="Folder of `.env` and `.sync`; else the nearest with workspace.yaml"
    )
    sandbox_control_url: str = Field(DEFAULT_CONTROL_URL, description="Where a running sandbox says how to reach it")

    _root: Path = PrivateAttr(default_factory=Path.cwd)
    _files: dict[str, Path] = PrivateAttr(default_factory=dict)
    _ready: dict[str, Any] | None = PrivateAttr(None)

    @classmethod
    def load(cls, env: Mapping[str, str] | None = None, root: Path | None = None) -> Self:
        """Read `env` (else the process's) over the `.env` in `root` (else the nearest folder with workspace.yaml).

        Raises Misconfigured naming each setting that is wrong or missing, never its value.
        """
        given = dict(os.environ if env is None else env)
        home = (root or Path(given.get("SYNC_ROOT") or _nearest_root())).resolve()
        values, files = _gather(given, _dotenv(home / ".env"))
        values |= {name: _read_secret(name, path, home) for name, path in files.items()}
        try:
            made = cls.model_validate({name.lower(): value for name, value in values.items()})
        except ValidationError as error:
            raise _misconfigured(error) from None
        made._root, made._files = home, {name: home / path for name, path in files.items()}
        made._require_whole_sets()
        return made

    @field_validator("gorgias_base_url", mode="after")
    @classmethod
    def _gorgias_url(cls, value: str | None) -> str | None:
        return None if value is None else gorgias_url(value)

    @field_validator(
        "hubspot_base_url",
        "sync_public_url",
        "sync_pages_url",
        "sync_dagster_url",
        "sandbox_control_url",
        mode="after",
    )
    @classmethod
    def _plain_url(cls, value: str | None) -> str | None:
        return None if value is None else _checked_url(value)

    # --- where things are

    @property
    def root(self) -> Path:
        """The folder of `.env`, `.sync/` and relative paths."""
        return self._root

    @property
    def runtime_dir(self) -> Path:
        """`.sync/`, made with mode 0700 when it is missing."""
        path = self._root / ".sync"
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return path

    @property
    def ledger_url(self) -> str:
        """The ledger's URL; a relative SQLite path stands below `root`."""
        return absolute_sqlite(self.ledger_database_url.get_secret_value(), self._root)

    @property
    def pages_url(self) -> str:
        """Where the pages are, for links to them."""
        return self.sync_pages_url or self.sync_public_url or "http://127.0.0.1:8081"

    @property
    def policy_file(self) -> Path | None:
        """The policy file that replaces the shipped one, or None."""
        return None if self.sync_policy is None else self._root / self.sync_policy

    # --- secrets

    def secret(self, name: str) -> str | None:
        """The present value of a secret setting (`HUBSPOT_ACCESS_TOKEN`): a NAME_FILE is read anew each time."""
        if name in self._files:
            return _read_secret(name, self._files[name], self._root) or None
        value = getattr(self, name.lower())
        return value.get_secret_value() if isinstance(value, SecretStr) else value

    # --- targets

    def given(self, system: str) -> bool:
        """Whether anything is set for a system (webhook and HMAC secrets alone do not count)."""
        return any(getattr(self, name.lower()) is not None for name in _NEEDED[system])

    @property
    def targets(self) -> dict[str, Target]:
        """What each system is as far as settings can tell; a loopback URL counts as sandbox until the account says
        otherwise. An ERP that is set is the sandbox's only if the sandbox names the same URL."""
        return {name: self._target(name) for name in SYSTEM_NAMES}

    @property
    def target(self) -> Target:
        """`sandbox` if every system is one."""
        return "sandbox" if set(self.targets.values()) == {"sandbox"} else "live"

    @property
    def writes_on(self) -> bool:
        """SYNC_WRITES; not set: on where all targets are the sandbox, off everywhere else."""
        return self.sync_writes == "on" if self.sync_writes else self.target == "sandbox"

    @property
    def poll_s(self) -> float:
        """Seconds between two looks at the systems."""
        return self.sync_poll_s or (10.0 if self.target == "sandbox" else 30.0)

    @property
    def reserve(self) -> float:
        """The share of every limit that is kept for other integrations."""
        return 0.0 if self.target == "sandbox" else 0.2

    def gorgias(self, *, fresh: bool = False) -> GorgiasAccess:
        """Access to Gorgias with present secrets; `fresh` asks the sandbox again (after a 401)."""
        if self.given("gorgias"):
            return GorgiasAccess(
                base_url=self.gorgias_base_url or "",
                email=self.gorgias_email,
                api_key=_hidden(self.secret("GORGIAS_API_KEY")),
                client_id=self.gorgias_client_id,
                client_secret=_hidden(self.secret("GORGIAS_CLIENT_SECRET")),
            )
        ready = self._sandbox("gorgias", fresh=fresh)
        return GorgiasAccess(
            base_url=gorgias_url(ready["url"]),
            email=ready["email"],
            api_key=SecretStr(ready["api_key"]),
            client_id=ready.get("client_id"),
            client_secret=_hidden(ready.get("client_secret")),
        )

    def hubspot(self, *, fresh: bool = False) -> HubSpotAccess:
        """Access to HubSpot with the present token; `fresh` asks the sandbox again (after a 401)."""
        if self.given("hubspot"):
            return HubSpotAccess(self.hubspot_base_url, SecretStr(self.secret("HUBSPOT_ACCESS_TOKEN") or ""))
        ready = self._sandbox("hubspot", fresh=fresh)
        return HubSpotAccess(ready["url"], SecretStr(ready["access_token"]))

    def erp_url(self) -> str:
        """The URL of the ERP's database; treat it as a secret, it may hold a password."""
        given = self.secret("ERP_DATABASE_URL")
        return absolute_sqlite(given, self._root) if given else str(self._sandbox("erp")["url"])

    # --- inside

    def _target(self, system: str) -> Target:
        if not self.given(system):
            return "sandbox"
        if system == "gorgias":
            return "sandbox" if is_loopback(self.gorgias_base_url or "") else "live"
        if system == "hubspot":
            return "sandbox" if is_loopback(self.hubspot_base_url or "") else "live"
        ready = self._ask_sandbox()
        return "sandbox" if ready and ready.get("erp", {}).get("url") == self.erp_url() else "live"

    def _sandbox(self, system: str, *, fresh: bool = False) -> dict[str, Any]:
        if fresh:
            self._ready = None
        ready = self._ask_sandbox()
        if ready is None:
            raise Misconfigured(
                f"nothing is set for it, and no sandbox answers at {self.sandbox_control_url}",
                system=system,
                remedy=f"Start `sync-platform sandbox`, or set {', '.join(_FIRST[system])} (see `sync-platform init`).",
            )
        return dict(ready[system])

    def _ask_sandbox(self) -> dict[str, Any] | None:
        if self._ready is None and is_loopback(self.sandbox_control_url):
            self._ready = _get_json(f"{self.sandbox_control_url}/ready")
        return self._ready

    def _require_whole_sets(self) -> None:
        missing = [name for system in SYSTEM_NAMES if self.given(system) for name in self._missing(system)]
        if missing:
            raise Misconfigured(
                f"part of what a system needs is set, but not {', '.join(missing)}",
                remedy="Set what is missing, or nothing of that system: then it is the sandbox (`sync-platform init`).",
            )

    def _missing(self, system: str) -> list[str]:
        def unset(*names: str) -> list[str]:
            return [name for name in names if getattr(self, name.lower()) is None]

        if system == "hubspot":
            return unset("HUBSPOT_ACCESS_TOKEN")
        if system == "erp":
            return unset("ERP_DATABASE_URL")
        pairs = (("GORGIAS_EMAIL", "GORGIAS_API_KEY"), ("GORGIAS_CLIENT_ID", "GORGIAS_CLIENT_SECRET"))
        begun = [unset(*pair) for pair in pairs if len(unset(*pair)) < len(pair)]
        halves = [name for half in begun for name in half]
        neither = [] if begun else ["GORGIAS_EMAIL and GORGIAS_API_KEY (or client id and secret)"]
        return unset("GORGIAS_BASE_URL") + halves + neither


_NEEDED: Mapping[str, tuple[str, ...]] = {
    "gorgias": (
        "GORGIAS_BASE_URL",
        "GORGIAS_EMAIL",
        "GORGIAS_API_KEY",
        "GORGIAS_CLIENT_ID",
        "GORGIAS_CLIENT_SECRET",
    ),
    "hubspot": ("HUBSPOT_BASE_URL", "HUBSPOT_ACCESS_TOKEN"),
    "erp": ("ERP_DATABASE_URL",),
}
_FIRST: Mapping[str, tuple[str, ...]] = {
    "gorgias": ("GORGIAS_BASE_URL", "GORGIAS_EMAIL", "GORGIAS_API_KEY"),
    "hubspot": ("HUBSPOT_ACCESS_TOKEN",),
    "erp": ("ERP_DATABASE_URL",),
}


def setting_names() -> list[str]:
    """Every setting's name in the environment, in the order of their declaration."""
    return [name.upper() for name in Settings.model_fields]


def secret_names() -> frozenset[str]:
    """The settings that hold a secret; each may be given as NAME_FILE."""
    return frozenset(name.upper() for name, info in Settings.model_fields.items() if _is_secret(info.annotation))


def is_loopback(url: str) -> bool:
    """Whether a URL's host is this machine by name or address (no look-up is made)."""
    host = (urlsplit(url).hostname or "").lower()
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def gorgias_url(value: str) -> str:
    """`acme`, `acme.gorgias.com`, `https://acme.gorgias.com/api/` → `https://acme.gorgias.com`. Raises ValueError."""
    text = value.strip()
    if "://" not in text:
        text = f"https://{text}" if "." in text or ":" in text else f"https://{text}.gorgias.com"
    text = text.rstrip("/").removesuffix("/api")
    return _checked_url(text)


def absolute_sqlite(url: str, root: Path) -> str:
    """A relative SQLite path (`sqlite:///.sync/ledger.db`) below `root`; any other URL as it is."""
    prefix = "sqlite:///"
    path = url.removeprefix(prefix)
    if not url.startswith(prefix) or not path or path.startswith((":memory:", "file:")):
        return url
    return f"{prefix}{(root / path).as_posix()}"


def plain_url(value: str) -> str:
    """An http(s) address alone, without a slash at its end; https unless it is this machine. Raises ValueError."""
    return _checked_url(value)


def _checked_url(value: str) -> str:
    parts = urlsplit(value.strip().rstrip("/"))
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("is not an http(s) address")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("must be an address alone: no credentials, query or fragment")
    if parts.scheme == "http" and not is_loopback(value):
        raise ValueError("must be https: credentials would travel in clear")
    return parts.geturl()


def _is_secret(annotation: Any) -> bool:
    return annotation is SecretStr or SecretStr in get_args(annotation)


def _hidden(value: str | None) -> SecretStr | None:
    return SecretStr(value) if value else None


def _nearest_root() -> Path:
    here = Path.cwd()
    return next((folder for folder in (here, *here.parents) if (folder / "workspace.yaml").is_file()), here)


def _dotenv(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    return {name: value for name, value in dotenv_values(path, interpolate=False).items() if value}


def _gather(*layers: Mapping[str, str]) -> tuple[dict[str, str], dict[str, Path]]:
    """Values and files of secrets from layers, the strongest first; one layer's NAME hides a weaker one's NAME_FILE."""
    values: dict[str, str] = {}
    files: dict[str, Path] = {}
    secrets = secret_names()
    for layer in layers:
        for name in setting_names():
            value, file = layer.get(name), layer.get(f"{name}_FILE") if name in secrets else None
            if name in values or name in files:
                continue
            if value and file:
                raise Misconfigured(f"{name} and {name}_FILE are both set", remedy=f"Keep one of {name}, {name}_FILE.")
            if value:
                values[name] = value
            elif file:
                files[name] = Path(file)
    return values, files


def _read_secret(name: str, path: Path, root: Path) -> str:
    try:
        return (root / path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = type(error).__name__
    raise Misconfigured(
        f"{name}_FILE cannot be read ({reason})", remedy=f"Check the path in {name}_FILE and its rights."
    )


def _misconfigured(error: ValidationError) -> Misconfigured:
    problems = [
        f"{'.'.join(str(part) for part in line['loc']).upper()}: {line['msg'].removeprefix('Value error, ')}"
        for line in error.errors(include_input=False, include_url=False, include_context=False)
    ]
    return Misconfigured("; ".join(problems), remedy="Correct it in the environment or in `.env`.")


def _get_json(url: str) -> dict[str, Any] | None:
    """The sandbox's ready line, or None when nothing answers there. Loopback only: the caller checked."""
    import urllib.error
    import urllib.request

    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=READY_TIMEOUT_S) as answer:
            body = json.load(answer)
    except (OSError, ValueError, urllib.error.URLError):
        return None
    return body if isinstance(body, dict) and body.get("ready") else None


def environment_names() -> Iterator[str]:
    """Every name in the environment that `Settings` reads, files of secrets included."""
    secrets = secret_names()
    for name in setting_names():
        yield name
        if name in secrets:
            yield f"{name}_FILE"
