"""Gorgias's side of a running sandbox, for the tests of foreign clients: address, credentials, and its own store."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from sync_platform.sandbox.server import Options, running

Row = dict[str, Any]
SCOPES = (
    "offline account:read users:read customers:read tickets:read custom_fields:read events:read integrations:read "
    "jobs:read macros:read rules:read surveys:read tags:read widgets:read write:all"
)


@dataclass
class Gorgias:
    """Gorgias's side of a running sandbox."""

    url: str
    keys: Row
    control: httpx.Client

    @property
    def auth(self) -> tuple[str, str]:
        """The API key, for Basic."""
        return self.keys["email"], self.keys["api_key"]

    def token(self) -> str:
        """An access token, by the whole way of OAuth2."""
        client = (self.keys["client_id"], self.keys["client_secret"])
        back = "http://127.0.0.1:1/back"
        with httpx.Client(base_url=self.url) as http:
            asked = {"response_type": "code", "client_id": client[0], "redirect_uri": back, "scope": SCOPES}
            answer = http.get("/oauth/authorize", params=asked)
            code = parse_qs(urlsplit(answer.headers["location"]).query)["code"][0]
            form = {"grant_type": "authorization_code", "code": code, "redirect_uri": back}
            return http.post("/oauth/token", data=form, auth=client).raise_for_status().json()["access_token"]

    def state(self, kind: str) -> list[Row]:
        """Every row of a kind as the store holds it, deleted ones too."""
        rows: list[Row] = []
        after = None
        while True:
            asked = {"limit": 500, **({"after": after} if after else {})}
            page = self.control.get(f"/state/gorgias/{kind}", params=asked).raise_for_status().json()
            rows += page["rows"]
            after = page["next"]
            if after is None:
                return rows

    def live(self, kind: str) -> list[Row]:
        """The rows that are not deleted."""
        return [row for row in self.state(kind) if not row.get("deleted_at")]

    def switch(self, **values: Any) -> None:
        """Set switches of Gorgias's side."""
        wanted = {f"gorgias.{name}": value for name, value in values.items()}
        self.control.put("/switches", json=wanted).raise_for_status()


@contextmanager
def gorgias_sandbox(directory: Path, *, customers: int = 30, tickets: int = 45) -> Iterator[Gorgias]:
    """A fresh sandbox with limits so wide that a busy client never meets them."""
    options = Options(
        customers=customers,
        tickets=tickets,
        rate_scale=10_000,
        data_dir=directory,
        gorgias_port=0,
        hubspot_port=0,
        control_port=0,
    )
    with running(options) as ready, httpx.Client(base_url=ready["control"]["url"], timeout=30) as control:
        side = ready["gorgias"]
        yield Gorgias(side["url"], side, control)
