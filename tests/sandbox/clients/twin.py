"""What the tests of foreign clients share: a running sandbox, and its store as the control port tells it."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

Row = dict[str, Any]


@dataclass
class Twin:
    """HubSpot's side of a running sandbox."""

    url: str
    token: str
    app_id: int
    credentials: Row
    control: httpx.Client

    def state(self, kind: str) -> list[Row]:
        """Every row of a kind as the store holds it, archived and merged ones too."""
        rows: list[Row] = []
        after = None
        while True:
            asked = {"limit": 500, **({"after": after} if after else {})}
            page = self._json(self.control.get(f"/state/hubspot/{kind}", params=asked))
            rows += page["rows"]
            after = page["next"]
            if after is None:
                return rows

    def live(self, kind: str) -> list[Row]:
        """The rows that a list without `archived` shows."""
        return [row for row in self.state(kind) if not row.get("deleted_at") and not row.get("archived")]

    def one(self, kind: str, id_: Any) -> Row:
        """One row by its id, in any state."""
        return next(row for row in self.state(kind) if row["id"] == str(id_))

    def ticket_pipelines(self) -> list[Row]:
        """The pipelines of tickets: those whose stages have a ticket state."""
        rows = self.state("pipelines")
        return [row for row in rows if all("ticketState" in stage["metadata"] for stage in row["stages"])]

    def advance(self, seconds: float) -> None:
        """Let time pass: a search knows of all writes, a new property exists."""
        self._json(self.control.post("/clock", json={"advance_s": seconds}))

    def switch(self, **values: Any) -> None:
        """Set switches of HubSpot's side."""
        self._json(self.control.put("/switches", json={f"hubspot.{name}": value for name, value in values.items()}))

    def calls(self) -> list[Row]:
        """HubSpot's calls so far: {method, path (a template), status, count}."""
        summary = self._json(self.control.get("/calls"))
        return [row for row in summary["by"] if row["system"] == "hubspot"]

    def _json(self, answer: httpx.Response) -> Any:
        assert answer.is_success, answer.text
        return answer.json()


@contextmanager
def twin_of(ready: Row) -> Iterator[Twin]:
    """From the ready line of a sandbox."""
    side = ready["hubspot"]
    with httpx.Client(base_url=ready["control"]["url"], timeout=30) as control:
        yield Twin(side["url"], side["access_token"], side["app_id"], side, control)


def granted_code(twin: Twin) -> tuple[str, str]:
    """(an authorization code, the redirect address that it is for), as a person's consent gives them."""
    back = "https://app.example.com/back"
    asked = {
        "client_id": twin.credentials["client_id"],
        "redirect_uri": back,
        "scope": "oauth crm.objects.contacts.read",
        "state": "s",
    }
    answer = httpx.get(f"{twin.url}/oauth/authorize", params=asked, follow_redirects=False)
    assert answer.status_code == 302, answer.text
    return httpx.URL(answer.headers["location"]).params["code"], back


def eventually(condition: Callable[[], Any], deadline_s: float = 10) -> Any:
    """The first truthy answer of a condition; fails at the deadline."""
    until = time.monotonic() + deadline_s
    while not (found := condition()):
        assert time.monotonic() < until, "the condition did not come true"
        time.sleep(0.01)
    return found


def app_token(twin: Twin, *scopes: str) -> str:
    """A token by the app's own credentials, which the journal asks for; it may do what the scopes say."""
    form = {"grant_type": "client_credentials", "scope": " ".join(scopes)}
    form |= {name: twin.credentials[name] for name in ("client_id", "client_secret")}
    answer = httpx.post(f"{twin.url}/oauth/2026-03/token", data=form)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


def undescribed(described: Row, calls: list[Row]) -> list[str]:
    """The calls that were served (neither 404, 405 nor 501) but stand in no path of the description."""
    known = [
        (method.upper(), re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path))))
        for path, methods in described["paths"].items()
        for method in methods
    ]
    return [
        f"{call['method']} {call['path']}"
        for call in calls
        if call["status"] not in {404, 405, 501}
        and not any(method == call["method"] and path.fullmatch(call["path"]) for method, path in known)
    ]
